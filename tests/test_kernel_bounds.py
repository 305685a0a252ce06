"""The compiled kernels stay inside their arrays, at every edge and on every thread.

The cases are in `guarded.py`, a program of its own, because a violation ends the process.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent

pytest.importorskip("numba", reason="these are tests of the compiled kernels")
pytestmark = pytest.mark.skipif(
    not hasattr(os, "fork"), reason="guard pages need mmap and mprotect, and the programs fork"
)


def guarded(*args):
    """Run guarded.py -> the JSON object of its last line; a crash shows the case and the stack."""
    done = subprocess.run(
        [sys.executable, HERE / "guarded.py", *args], capture_output=True, text=True, check=False,
        cwd=HERE.parent,
        env={**os.environ, "PYTHONPATH": str(HERE.parent), "PYTHONWARNINGS": "ignore"},
    )  # fmt: skip
    lines = done.stdout.splitlines()
    assert done.returncode == 0, f"{args} ended {done.returncode} in {lines[-1:]}\n{done.stderr}"
    return json.loads(lines[-1])


def test_the_guard_catches_a_touch_beside_an_array_and_of_a_freed_one():
    """Otherwise the tests below would pass whatever the kernels do."""
    found = guarded("touch")
    assert found.pop("fresh is NaN")
    caught = {place for place, signal in found.items() if signal}
    assert caught == {
        f"{touch} {side}" for touch in ("read", "write", "freed") for side in ("start", "end")
    }


@pytest.mark.slow
def test_no_kernel_leaves_its_arrays():
    """Products at every register width, the rest at this machine's, with 1 and 2 threads."""
    assert guarded("sweep", "machine")["cases"] > 500


def test_threads_forks_and_pools_leave_no_array_in_use():
    """Two trainings at once, and forks of them, give the bits of one that runs alone."""
    assert guarded("threads", "1") == {"rounds": 1}


@pytest.mark.slow
def test_no_kernel_leaves_its_arrays_at_any_register_width():
    assert guarded("sweep", "all")["cases"] > 5000


@pytest.mark.slow
def test_threads_forks_and_pools_leave_no_array_in_use_for_long():
    assert guarded("threads", "15") == {"rounds": 15}

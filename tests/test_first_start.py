"""The second process that compiles half of the kernels at the first start."""

import subprocess
import sys

import pytest
from numba import config, njit
from test_kernel_threads import run_python

from minivae.kernels import first_start
from minivae.kernels.first_start import second_compiler

needs_jit = pytest.mark.skipif(config.DISABLE_JIT, reason="a test of the compiled code")


def compile_something():
    """Makes numba compile: a new function each time."""
    return njit(lambda x: x + 1)(1)


def write_to(path):
    return f"open({str(path)!r}, 'w').write('minivae' if __import__('minivae') else '')"


@needs_jit
def test_the_second_process_runs_beside_the_first_compilation(tmp_path, monkeypatch):
    """It can import the package wherever it was started from."""
    monkeypatch.chdir(tmp_path)
    with second_compiler(write_to(tmp_path / "sign")) as wait:
        compile_something()
        compile_something()
        wait()
        assert (tmp_path / "sign").read_text() == "minivae"


def test_there_is_none_where_nothing_is_compiled(tmp_path, monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("a process was started")

    monkeypatch.setattr(first_start.subprocess, "Popen", refuse)
    with second_compiler(write_to(tmp_path / "sign")) as wait:
        wait()


@needs_jit
def test_without_a_second_process_this_one_goes_on(tmp_path, monkeypatch):
    """Where the system starts no more processes, or the other one fails."""
    with second_compiler("raise SystemExit(1)") as wait:
        assert compile_something() == 2
        wait()
    monkeypatch.setattr(sys, "executable", str(tmp_path / "nothing"))
    with second_compiler("") as wait:
        assert compile_something() == 2
        wait()


@needs_jit
def test_an_interrupt_ends_the_second_process(monkeypatch):
    started = []

    class Watched(subprocess.Popen):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            started.append(self)

    def interrupted():
        with second_compiler("import time; time.sleep(600)"):
            compile_something()
            raise KeyboardInterrupt

    monkeypatch.setattr(first_start.subprocess, "Popen", Watched)
    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert len(started) == 1
    assert started[0].poll() is not None


@needs_jit
@pytest.mark.slow
def test_what_the_second_process_compiled_is_loaded_by_the_first(tmp_path):
    """With an empty cache; else the two would compile the same, and nothing would be gained."""
    code = """
import numpy as np
from minivae.kernels import tasks, threads
threads.pool_of(np.dtype(np.float32))
for kernel in (threads.work, tasks.describe_forward, tasks.describe_backward, tasks.describe_adam):
    print(sum(kernel.stats.cache_hits.values()), sum(kernel.stats.cache_misses.values()))
"""
    result = run_python(code, NUMBA_CACHE_DIR=str(tmp_path), MINIVAE_NUM_THREADS="2", timeout=600)
    assert result.returncode == 0, result.stderr
    assert result.stdout.split("\n")[:4] == ["0 1", "1 0", "1 0", "1 0"]

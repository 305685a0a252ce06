"""SIGKILL at any moment, and a disk that takes no more: what is on disk stays whole."""

import json
import os
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import tiny

from minivae import files, runs
from minivae.runs import checkpoints

ROOT = Path(__file__).parents[1]
PROGRAM = Path(__file__).with_name("killing.py")
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "MINIVAE_NUM_THREADS": "1"}
ENVIRONMENT = {**os.environ, **ONE_THREAD, "PYTHONPATH": str(ROOT)}

on_linux = pytest.mark.skipif(
    sys.platform != "linux", reason="forks a process that has used BLAS, which only Linux allows"
)


def kill_many(folder, kills, backend, seed):
    argv = [sys.executable, PROGRAM, folder, str(kills), backend, str(seed)]
    done = subprocess.run(
        argv, env=ENVIRONMENT, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["killed"] >= kills
    assert not report["faults"]
    assert (report["broken"], report["different"]) == (0, 0)
    return report


@on_linux
def test_killed_trainings_resume_to_the_bit(tmp_path):
    kill_many(tmp_path, 6, "numpy", 1)


@on_linux
@pytest.mark.slow
@pytest.mark.parametrize(("backend", "kills"), [("numpy", 100), ("numba", 100)])
def test_a_hundred_killed_trainings_resume_to_the_bit(tmp_path, backend, kills):
    report = kill_many(tmp_path, kills, backend, 2)
    assert report["inside_a_save"] >= kills // 10


# ---- the command itself, as a user runs it -------------------------------------------------------


def train_command(*options):
    return [
        sys.executable,
        "-m",
        "minivae",
        "train",
        "--data",
        "tiny.npy",
        "--hidden",
        "7",
        "5",
        "--batch-size",
        "20",
        *options,
    ]


@pytest.mark.slow
def test_the_command_itself_is_killed_and_resumed(tmp_path):
    """Both backends, a process of its own, pictures and all."""
    np.save(tmp_path / "tiny.npy", tiny.images())
    rng = random.Random(3)
    where = {
        "cwd": tmp_path,
        "env": ENVIRONMENT,
        "stdout": subprocess.DEVNULL,
        "stderr": subprocess.DEVNULL,
    }
    for backend in ("numpy", "numba"):
        argv = train_command("--epochs", "100", "--backend", backend, "--checkpoint-seconds", "0")
        began = time.monotonic()
        subprocess.run([*argv, "--out", "whole"], timeout=120, check=True, **where)
        seconds = time.monotonic() - began
        for _ in range(3):
            process = subprocess.Popen([*argv, "--out", "run", "--resume"], **where)
            time.sleep(rng.uniform(0, seconds))
            process.kill()
            process.wait(30)
            subprocess.run([*argv, "--out", "run", "--resume"], timeout=120, check=True, **where)
            assert tiny.outputs(tmp_path / "run") == tiny.outputs(tmp_path / "whole")
            shutil.rmtree(tmp_path / "run")
        shutil.rmtree(tmp_path / "whole")


def test_a_limit_on_file_size_keeps_the_checkpoint_that_is_there(tmp_path):
    """A real refusal by the system in the middle of a write: the history has grown too long."""
    pytest.importorskip("resource", reason="Windows has no limit on the size of files")
    np.save(tmp_path / "tiny.npy", tiny.images())
    first = tmp_path / "first"
    with pytest.raises(InterruptedError):
        tiny.run(first, tiny.dataset(), tiny.settings(), should_stop=interrupt)
    limit = (first / runs.CHECKPOINT_FILE).stat().st_size + 1000
    script = (
        "import resource, sys; from minivae.cli import main; "
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit})); sys.exit(main())"
    )
    argv = train_command("--epochs", "60", "--backend", "numpy", "--checkpoint-seconds", "0")
    done = subprocess.run(
        [sys.executable, "-c", script, *argv[3:], "--out", "run"],
        cwd=tmp_path,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 2
    assert done.stdout == ""
    last = done.stderr.splitlines()[-1]
    assert last.startswith("minivae: error: cannot write run")
    assert "Traceback" not in done.stderr
    path = tmp_path / "run" / runs.CHECKPOINT_FILE
    assert files.read_archive(path, kind=checkpoints.KIND)[1]["step"] > 0
    assert not list(path.parent.glob("*.partial"))


def interrupt():
    raise InterruptedError

"""A program that kills trainings at random moments and resumes them; `test_killed.py` runs it.

    python killing.py FOLDER KILLS BACKEND SEED

It prints one JSON object: how many were killed, how many of them in the middle of a save, and the
faults that were found. Trainings are forks of this process, which has no other threads: so a
kill costs milliseconds, and a hundred are a test that one can wait for.
"""

import json
import os
import random
import shutil
import signal
import sys
import threading
import time
import traceback
import warnings
from pathlib import Path

import numpy as np
import tiny
from tqdm import tqdm

from minivae import MinivaeError, files, runs
from minivae.cli import train as train_command
from minivae.runs import checkpoint

EPOCHS = 5


def training(folder, backend):
    """A whole `train --resume`, with a checkpoint after every step; only the pictures left out."""
    train_command._draw = lambda *args: []
    given = {
        "data": "tiny.npy",
        "hidden": [7, 5],
        "epochs": EPOCHS,
        "batch_size": 20,
        "backend": backend,
    }
    train_command.train_in_folder(
        given,
        out=folder,
        resume=True,
        from_run=None,
        checkpoint_seconds=0,
        command="python -m minivae train",
        say=lambda line: None,
    )


def start(folder, backend):
    """`training` in a child process -> its id. Its errors go to faults.txt."""
    child = os.fork()
    if child:
        return child
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    tqdm.set_lock(threading.RLock())  # its own is shared by forks: a killed one would keep it
    try:
        training(folder, backend)
    except BaseException:
        with open("faults.txt", "a") as file:
            traceback.print_exc(file=file)
    finally:
        os._exit(0)


def seconds_of_a_training(folder, backend):
    began = time.monotonic()
    os.waitpid(start(folder, backend), 0)
    return time.monotonic() - began


def kill_one(folder, backend, delay):
    """Start, wait, kill -> True if the process was still at work."""
    child = start(folder, backend)
    time.sleep(delay)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


def whole(folder):
    """True where there is no checkpoint yet, or a whole one."""
    path = Path(folder, runs.CHECKPOINT_FILE)
    try:
        return not path.exists() or bool(files.read_archive(path, kind=checkpoint.KIND))
    except MinivaeError:
        return False


def main(home, kills, backend, seed):
    os.chdir(home)
    rng = random.Random(seed)
    np.save("tiny.npy", tiny.images())
    if backend == "numba":  # compiled once, here, and inherited
        tiny.run(Path("warm").absolute(), tiny.dataset(), tiny.settings(backend="numba"))
    seconds = seconds_of_a_training("expected", backend)
    expected = tiny.outputs(Path("expected"))
    killed = inside = broken = different = 0
    while killed < kills:
        shutil.rmtree("run", ignore_errors=True)
        for _ in range(rng.randint(1, 3)):  # a resumed run can be killed as well
            if kill_one("run", backend, rng.uniform(0, seconds)):
                killed += 1
                inside += any(Path("run").glob(".minivae-*.partial"))
                broken += not whole("run")
        os.waitpid(start("run", backend), 0)
        different += tiny.outputs(Path("run")) != expected
    faults = Path("faults.txt").read_text() if Path("faults.txt").exists() else ""
    print(
        json.dumps(
            {
                "killed": killed,
                "inside_a_save": inside,
                "broken": broken,
                "different": different,
                "faults": faults,
            }
        )
    )


if __name__ == "__main__":
    # As in pyproject.toml: what this project warns about is an error.
    warnings.filterwarnings("error", module=r"(minivae|tiny|__main__)(\.|$)")
    warnings.filterwarnings("error", category=RuntimeWarning, module=r"numpy(\.|$)")
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4]))

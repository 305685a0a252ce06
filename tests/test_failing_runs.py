"""A full or read-only disk, divergence, two trainings in one folder: one line, nothing is lost."""

import errno
import json
import os

import numpy as np
import pytest
import tiny

from minivae import files, runs, train
from minivae.runs import checkpoints

pytestmark = pytest.mark.usefixtures("no_waiting_for_the_disk")


def fail_from_now_on(monkeypatch, number):
    """The disk refuses every further write, as a full or read-only one does."""

    def fsync(handle):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fsync)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EIO])
def test_a_failing_disk_stops_with_one_line(tiny_file, capsys, monkeypatch, number):
    """In the middle of a training: the checkpoint that is there stays, and goes on when resumed."""
    tiny.command(capsys, "train", *tiny.OPTIONS, "--out", "whole")
    one_step = train._Vae.one_step

    def step(trainee, *args):
        if trainee.state.step == 3:
            fail_from_now_on(patch, number)
        return one_step(trainee, *args)

    with monkeypatch.context() as patch:
        patch.setattr(train._Vae, "one_step", step)
        status, out, err = tiny.command(
            capsys, "train", *tiny.OPTIONS, "--out", "run", "--checkpoint-seconds", "0"
        )
    assert (status, out) == (2, "")
    last = err.splitlines()[-1]
    assert last.startswith("minivae: error: cannot write run")
    assert os.strerror(number) in last
    assert "Traceback" not in err
    assert tiny.saved_step(tiny_file / "run") == 3
    assert not list(tiny_file.glob("run/*.partial"))
    assert tiny.command(capsys, "train", "--resume", "--out", "run")[0] == 0
    assert tiny.outputs(tiny_file / "run") == tiny.outputs(tiny_file / "whole")


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS])
def test_a_disk_that_is_full_from_the_start(tiny_file, capsys, monkeypatch, number):
    fail_from_now_on(monkeypatch, number)
    status, out, err = tiny.command(capsys, "train", *tiny.OPTIONS, "--out", "run")
    assert (status, out) == (2, "")
    assert len(err.splitlines()) == 1
    assert {path.name for path in (tiny_file / "run").iterdir()} <= {".lock"}


def test_two_trainings_into_one_folder(tiny_file, capsys):
    """The second is refused while the first holds the lock, and changes nothing."""
    assert tiny.command(capsys, "train", *tiny.OPTIONS, "--out", "run")[0] == 0
    before = tiny.contents(tiny_file)
    with files.lock_folder(tiny_file / "run"):
        status, out, err = tiny.command(capsys, "train", "--resume", "--out", "run")
    assert (status, out) == (2, "")
    assert err == (
        "minivae: error: run is being written by another run; "
        "wait for it, or choose another folder\n"
    )
    assert tiny.contents(tiny_file) == before
    assert tiny.command(capsys, "train", "--resume", "--out", "run")[0] == 0


def test_a_run_that_appeared_meanwhile_is_not_overwritten(tiny_file, capsys, monkeypatch):
    """Between looking at --out and locking it, another process may have trained there."""
    claim = runs.claim_folder

    def late(name, out=None):
        folder = claim(name, out)
        with monkeypatch.context() as patch:
            patch.setattr(runs, "claim_folder", claim)
            other = ("train", *tiny.OPTIONS, "--out", "run", "--seed", "1")
            assert tiny.command(capsys, *other)[0] == 0
        return folder

    monkeypatch.setattr(runs, "claim_folder", late)
    status, _, err = tiny.command(capsys, "train", *tiny.OPTIONS, "--out", "run")
    assert status == 2
    assert "already holds a run" in err
    assert json.loads((tiny_file / "run" / runs.RUN_FILE).read_text())["settings"]["seed"] == 1


@pytest.mark.parametrize("lr", ["1e6", "1e30"])
def test_divergence_is_one_line_and_keeps_the_last_good_checkpoint(tiny_file, capsys, lr):
    status, out, err = tiny.command(
        capsys,
        "train",
        *tiny.OPTIONS,
        "--likelihood",
        "gaussian",
        "--activation",
        "relu",
        "--lr",
        lr,
        "--out",
        "run",
        "--checkpoint-seconds",
        "0",
    )
    assert (status, out) == (2, "")
    last = err.splitlines()[-1]
    assert last.startswith("minivae: error: ")
    assert "step " in last
    assert "train again with a smaller lr" in last
    assert "Warning" not in err
    arrays, _ = files.read_archive(tiny_file / "run" / runs.CHECKPOINT_FILE, kind=checkpoints.KIND)
    assert all(np.isfinite(array).all() for array in arrays.values())
    assert not (tiny_file / "run" / runs.MODEL_FILE).exists()

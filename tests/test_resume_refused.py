"""A run goes on only with its own settings, and on its own data; what differs is named."""

import json
import os

import numpy as np
import pytest
import tiny

from minivae import runs

pytestmark = pytest.mark.usefixtures("no_waiting_for_the_disk")

OTHER = {
    "--latent": "3",
    "--hidden": "9",
    "--activation": "relu",
    "--likelihood": "gaussian",
    "--free-bits": "0.5",
    "--epochs": "1",
    "--batch-size": "10",
    "--lr": "1",
    "--schedule": "constant",
    "--beta": "4",
    "--warmup": "1",
    "--backend": "numba",
    "--seed": "7",
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A finished run of the command line, to be looked at only."""
    home = tmp_path_factory.mktemp("finished")
    np.save(home / "tiny.npy", tiny.images())
    with pytest.MonkeyPatch.context() as patch:
        tiny.draw_no_pictures(patch)
        tiny.train_as_typed(home / "run", data=home / "tiny.npy")
    return home


@pytest.mark.parametrize("option", OTHER)
def test_another_setting_is_refused_and_named(finished, capsys, option):
    before = tiny.contents(finished)
    run = finished / "run"
    status, out, err = tiny.command(
        capsys, "train", "--resume", "--out", run, option, OTHER[option]
    )
    assert (status, out) == (2, "")
    assert f"was trained with {option} " in err
    assert OTHER[option] in err
    assert len(err.splitlines()) == 1
    assert tiny.contents(finished) == before


def test_the_same_setting_may_be_repeated(tiny_file, capsys):
    assert tiny.command(capsys, "train", *tiny.OPTIONS, "--out", "run")[0] == 0
    status, _, _ = tiny.command(capsys, "train", *tiny.OPTIONS, "--out", "run", "--resume")
    assert status == 0


def changed_pixel():
    images = tiny.images()
    images[3, 2, 1] ^= 1
    return images


@pytest.mark.parametrize("how", [("--resume", "--out", "run"), ("--from-run", "run")])
@pytest.mark.parametrize("other", [changed_pixel, lambda: tiny.images(n=80)])
def test_other_data_are_refused(tiny_file, capsys, how, other):
    """One bit of one pixel is enough."""
    assert tiny.command(capsys, "train", *tiny.OPTIONS, "--out", "run")[0] == 0
    np.save("tiny.npy", other())
    before = tiny.contents(tiny_file)
    status, out, err = tiny.command(capsys, "train", *how)
    assert (status, out) == (2, "")
    assert "the data tiny.npy are not those" in err
    assert len(err.splitlines()) == 1
    assert tiny.contents(tiny_file) == before


def test_a_run_is_scored_on_its_own_data_or_on_data_that_are_named(tiny_file, capsys):
    """More images in the file: another split, with images to test on that were trained on."""
    assert tiny.command(capsys, "train", *tiny.OPTIONS, "--out", "run")[0] == 0
    scored = ("evaluate", "run", "--samples", "5", "--backend", "numpy")
    assert tiny.command(capsys, *scored)[0] == 0
    np.save("tiny.npy", tiny.images(n=80))
    for command in (scored, ("explore", "run")):
        status, out, err = tiny.command(capsys, *command)
        assert (status, out) == (2, "")
        assert "the data tiny.npy are not those run was trained on" in err
        assert len(err.splitlines()) == 1
    assert tiny.command(capsys, *scored, "--data", "tiny.npy")[0] == 0


def test_a_file_called_cats_is_not_the_generated_cats(tiny_file, capsys):
    """It has no factors, and an explorer must not make any up."""
    os.rename("tiny.npy", "cats.npy")
    argv = [word.replace("tiny", "cats") for word in tiny.OPTIONS]
    assert tiny.command(capsys, "train", *argv, "--out", "run")[0] == 0
    assert tiny.command(capsys, "explore", "run")[0] == 0
    assert "chonk" not in (tiny_file / "run" / "explorer.html").read_text("utf-8")


def test_going_on_says_so(tiny_file, capsys):
    assert "trained 6 steps in " in tiny.command(capsys, "train", *tiny.OPTIONS, "--out", "run")[1]
    _, out, _ = tiny.command(capsys, "train", "--resume", "--out", "run")
    assert out.startswith("continued to step 6 in ")


def test_a_run_that_went_on_elsewhere_is_not_repeated_by_its_settings(tiny_file, capsys):
    assert tiny.command(capsys, "train", *tiny.OPTIONS, "--out", "run")[0] == 0
    path = tiny_file / "run" / runs.RUN_FILE
    path.write_text(json.dumps(json.loads(path.read_text()) | {"continues": "runs/first"}))
    status, _, err = tiny.command(capsys, "train", "--from-run", "run")
    assert status == 2
    assert "run was continued from runs/first in PyTorch" in err


def test_data_that_moved_are_the_same_data(tiny_file, capsys):
    assert tiny.command(capsys, "train", *tiny.OPTIONS, "--out", "run")[0] == 0
    os.rename("tiny.npy", "moved.npy")
    assert tiny.command(capsys, "train", "--resume", "--out", "run")[0] == 2
    again = ("--resume", "--out", "run", "--data", "moved.npy")
    assert tiny.command(capsys, "train", *again)[0] == 0


def test_other_versions_get_one_line(tiny_file, capsys):
    """A newer NumPy may change the last bits: worth a word, no reason to refuse a night's work."""
    assert tiny.command(capsys, "train", *tiny.OPTIONS, "--out", "run")[0] == 0
    _, _, err = tiny.command(capsys, "train", "--resume", "--out", "run")
    assert "note" not in err
    path = tiny_file / "run" / runs.RUN_FILE
    record = json.loads(path.read_text())
    record["versions"]["numpy"] = "1.26.0\n\x1b[31m"
    path.write_text(json.dumps(record))
    status, _, err = tiny.command(capsys, "train", "--resume", "--out", "run")
    assert status == 0
    notes = [line for line in err.splitlines() if "note" in line]
    assert len(notes) == 1
    assert f"numpy 1.26.0\\n\\x1b[31m then, {np.__version__} now" in notes[0]

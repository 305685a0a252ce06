"""Own data through the command line: how they are read goes with the run; what is scored."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import tiny
from image_files import save_pngs
from refusals import refusal

from minivae import data, runs
from minivae.cli import run_data
from minivae.errors import MinivaeError

DIGITS = (tiny.images() // 16 + (tiny.images() > 250)).astype(np.uint8)  # 0..16
OPTIONS = (*tiny.OPTIONS[2:], "--likelihood", "gaussian", "--epochs", "1")
SCORE = ("--samples", "2", "--backend", "numpy", "--json")


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty folder to work in, and no pictures."""
    tiny.draw_no_pictures(monkeypatch)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def train(capsys, *argv):
    status, _, err = tiny.command(capsys, "train", *OPTIONS, *argv)
    assert status == 0, err
    return err


def evaluated(capsys, *argv):
    status, out, err = tiny.command(capsys, "evaluate", *argv, *SCORE)
    assert status == 0, err
    return json.loads(out), err


def test_how_data_were_read_goes_with_the_run(here, capsys):
    np.savez("d.npz", x=DIGITS, y=np.arange(60) % 3)
    said = train(capsys, "--data", "d.npz", "--max-value", "32", "--transpose", "--no-labels")
    assert "minivae: d.npz: 54 training images" in said
    model, dataset, _ = run_data.run_and_data("runs/d")
    assert model.white == 32
    assert dataset.train_labels is None
    turned = DIGITS.swapaxes(1, 2).reshape(60, 36) / np.float32(32)
    both = np.concatenate([dataset.train, dataset.test])
    assert sorted(map(bytes, both)) == sorted(map(bytes, turned))
    report, _ = evaluated(capsys, "runs/d")
    assert report["images"] == 6
    assert tiny.command(capsys, "train", "--resume", "--out", "runs/d")[0] == 0
    said = tiny.refused(here, capsys, "train", "--resume", "--out", "runs/d", "--max-value", "9")
    assert "data that were read otherwise" in said
    assert "leave --max-value out" in said


def test_a_run_says_what_was_done_to_its_data(here, capsys):
    np.save("d.npy", DIGITS)
    said = train(capsys, "--data", "d.npy")
    assert "the brightest pixel is 16: scaled by 16" in said
    assert runs.load_run("runs/d").white == 16


def test_all_images_of_a_foreign_file_are_scored(here, capsys):
    """A tenth of a file would be held out for training on the rest, and nobody trains on it."""
    np.save("d.npy", tiny.images())
    train(capsys, "--data", "d.npy")
    np.save("other.npy", tiny.images()[:40, ::-1])
    report, said = evaluated(capsys, "runs/d", "--data", "other.npy")
    assert report["images"] == report["of_images"] == 40
    assert "all 40 images to test on" in said
    # the run's own file has the same test images as ever, under another name too
    shutil.copy("d.npy", "copy.npy")
    report, _ = evaluated(capsys, "runs/d", "--data", "copy.npy")
    assert report["images"] == 6
    # and a test set of its own is that
    np.savez("split.npz", x_train=tiny.images()[:50, ::-1], x_test=tiny.images()[50:, ::-1])
    report, _ = evaluated(capsys, "runs/d", "--data", "split.npz")
    assert report["images"] == 10


def test_white_means_in_foreign_data_what_it_meant_in_the_run(here, capsys):
    np.save("d.npy", DIGITS)
    train(capsys, "--data", "d.npy")
    darker = np.minimum(DIGITS[:20, ::-1], 12)
    np.save("dark.npy", darker)
    np.save("floats.npy", darker / 16)
    scores = [
        evaluated(capsys, "runs/d", "--data", name)[0]["elbo"]
        for name in ("dark.npy", "floats.npy")
    ]
    assert scores[0] == pytest.approx(scores[1], rel=1e-6)
    said = tiny.refused(here, capsys, "evaluate", "runs/d", "--transpose")
    assert "--transpose is for the images of --data" in said


def test_foreign_images_of_another_shape_are_refused(here, capsys):
    np.save("d.npy", tiny.images())
    train(capsys, "--data", "d.npy")
    np.save("long.npy", tiny.images().reshape(60, 4, 9))
    said = tiny.refused(here, capsys, "evaluate", "runs/d", "--data", "long.npy")
    assert "are (4, 9), and this model was trained on (6, 6)" in said


def test_the_record_of_a_moved_run_names_the_missing_data(here, capsys):
    np.save("d.npy", tiny.images())
    train(capsys, "--data", "d.npy")
    Path("d.npy").unlink()
    for argv in (("evaluate", "runs/d"), ("train", "--resume", "--out", "runs/d")):
        said = tiny.refused(here, capsys, *argv)
        assert "runs/d/run.json names the data d.npy, which are not there" in said
    assert "called d.npy" in tiny.refused(here, capsys, "evaluate", "runs/d", "--data", "d.npy")


def test_fewer_images_than_a_batch_train_in_one_batch(here, capsys):
    np.save("few.npy", tiny.images(30))
    argv = ("train", "--data", "few.npy", "--hidden", "5", "--epochs", "1", "--backend", "numpy")
    assert tiny.command(capsys, *argv)[0] == 0
    assert runs.read_run_file("runs/few")["settings"]["batch_size"] == 27
    said = tiny.refused(here, capsys, *argv, "--batch-size", "100")
    assert "there are only 27 training images" in said


def test_printed_paths_with_spaces_are_quoted(here, capsys):
    save_pngs(here / "my set", tiny.images())
    said = train(capsys, "--data", "my set", "--out", "my run")
    assert "-> 'my run/'" in said
    status, out, _ = tiny.command(capsys, "train", "--resume", "--out", "my run")
    assert status == 0
    assert "look at 'my run/': " in out
    assert "evaluate 'my run'" in out


@pytest.mark.parametrize(
    "reading", [3, {"max_value": "16"}, {"transpose": 1}, {"other": True}, {"labels": None}]
)
def test_a_record_that_does_not_say_how_data_were_read_is_damaged(reading):
    with pytest.raises(MinivaeError, match="does not say how the data were read"):
        runs.recorded_reading({"reading": reading}, "run.json")
    assert runs.recorded_reading({}, "run.json") == data.Reading()


def test_options_of_load_are_checked(here):
    np.save("d.npy", DIGITS)
    for wrong in (0, -3, np.nan, np.inf, "16", True):
        assert "--max-value is" in refusal(data.load, "d.npy", data.Reading(max_value=wrong))

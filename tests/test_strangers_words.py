"""Names and values that are hostile or unusual: escaped in what is printed, refused where data are
missing."""

import json
import os

import numpy as np
import pytest
import tiny
from refusals import refusal

from minivae import VAE, runs, vae


@pytest.fixture
def run(tiny_file, capsys):
    assert tiny.command(capsys, "train", *tiny.OPTIONS, "--latent", "2", "--out", "run")[0] == 0
    return tiny_file / "run"


def test_a_strangers_run_cannot_command_the_terminal(run, tiny_file, capsys):
    """An escape sequence in the name of the data, as `evaluate` and `train --resume` print it."""
    name = "tiny\x1b[2J\x07.npy"
    os.rename(tiny_file / "tiny.npy", tiny_file / name)
    record = json.loads((run / runs.RUN_FILE).read_text())
    (run / runs.RUN_FILE).write_text(json.dumps(record | {"data": name}))
    options = ("--backend", "numpy", "--samples", "5")
    for command in (("evaluate", "run", *options), ("train", "--resume", "--out", "run")):
        status, out, err = tiny.command(capsys, *command)
        assert status == 0, err
        assert "\x1b" not in out + err
        assert "\x07" not in out + err
    assert "\\x1b[2J" in tiny.command(capsys, "evaluate", "run", *options)[1]


@pytest.mark.skipif(os.name == "nt", reason="names are text on Windows")
def test_a_run_whose_name_is_not_utf_8_can_be_explored(run, tiny_file, capsys):
    try:
        os.rename(os.fsencode(run), os.fsencode(tiny_file) + b"/run\xff")
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    status, _, err = tiny.command(capsys, "explore", os.fsdecode(b"run\xff"), "--out", "a.html")
    assert status == 0, err
    assert r"run\udcff" in (tiny_file / "a.html").read_text("utf-8")


def test_a_run_inside_the_folder_of_its_images_is_refused(tiny_file, capsys):
    """Its pictures would be read as images the next time."""
    from PIL import Image

    (tiny_file / "images").mkdir()
    for i, image in enumerate(tiny.images(60)):
        Image.fromarray(image).save(tiny_file / "images" / f"{i}.png")
    options = ("train", *tiny.OPTIONS[2:], "--data", "images", "--out")
    for out in ("images/run", "images/a/b", "images"):
        status, _, err = tiny.command(capsys, *options, out)
        assert status == 2
        assert "inside the folder of the images" in err
    assert len(os.listdir(tiny_file / "images")) == 60
    assert tiny.command(capsys, *options, "run")[0] == 0


def test_a_wrong_number_of_threads_leaves_no_folder_behind(tiny_file, capsys, monkeypatch):
    monkeypatch.setenv("MINIVAE_NUM_THREADS", "many")
    options = [option.replace("numpy", "numba") for option in tiny.OPTIONS]
    options[1] = "tiny.npy"
    status, _, err = tiny.command(capsys, "train", *options, "--out", "run")
    assert (status, err.count("\n")) == (2, 1)
    assert "MINIVAE_NUM_THREADS is 'many'" in err
    assert not (tiny_file / "run").exists()


def test_missing_pixels_are_not_taken_for_data():
    """NumPy gives the numbers behind a mask to whoever does not ask."""
    images = tiny.images(20).reshape(20, 36)
    masked = np.ma.masked_equal(images, images[3, 5])
    spec = vae.Spec(36, (4,), 2)
    params = vae.unpack(vae.init_params(spec, np.random.default_rng(0)), spec)
    x = np.ma.masked_less(images / 255, 0.1)
    calls = [
        lambda: VAE(epochs=1, backend="numpy").fit(masked),
        lambda: VAE(epochs=1, backend="numpy").fit(list(masked)),
        lambda: vae.elbo(params, x, np.zeros((20, 2)), spec),
    ]
    for call in calls:
        assert "masked" in refusal(call)
    nothing_missing = np.ma.masked_array(images, mask=False)
    VAE(epochs=1, batch_size=10, backend="numpy", likelihood="gaussian").fit(nothing_missing)

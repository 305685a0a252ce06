"""Grey images for a Bernoulli model get one line that names the Gaussian; others get none."""

import numpy as np
import tiny

from minivae import data
from minivae.data import cats

NOTE = (
    "minivae: note: the images are grey, and a bernoulli likelihood binarizes their pixels at "
    "random; to learn the grey levels themselves, use --likelihood gaussian"
)


def test_grey_images_get_one_line_that_names_the_gaussian(capsys, tiny_file):
    """Once: not again for a run that goes on, nor where the advice was taken."""
    status, _, err = tiny.command(capsys, "train", *tiny.OPTIONS)
    assert (status, err.splitlines().count(NOTE), err.count("note")) == (0, 1, 1)
    _, _, err = tiny.command(capsys, "train", *tiny.OPTIONS, "--resume")
    assert "note" not in err
    _, _, err = tiny.command(capsys, "train", *tiny.OPTIONS, "--likelihood", "gaussian")
    assert "note" not in err


def test_black_and_white_images_and_the_shipped_sets_get_no_such_line(
    capsys, tiny_file, monkeypatch
):
    np.save("tiny.npy", tiny.images() > 127)
    status, _, err = tiny.command(capsys, "train", *tiny.OPTIONS)
    assert (status, err.count("note")) == (0, 0)
    made = cats.dataset(tiny.TRAIN, tiny.TEST)
    few = tiny.dataset(name="cats", train=made.train, test=made.test, image_shape=(28, 28))
    assert data.are_grey(made.train)  # their grey edges are chances, by design
    monkeypatch.setattr(data, "load", lambda name, options: few)
    status, _, err = tiny.command(capsys, "train", *tiny.OPTIONS, "--data", "cats")
    assert (status, err.count("note")) == (0, 0)


def test_what_counts_as_grey():
    """More than a fifth of the pixels between 0.1 and 0.9: MNIST's grey edges are fewer."""
    digits = data.load("mnist").train
    assert not data.are_grey(digits)
    shrunk = digits[:1000].reshape(-1, 14, 2, 14, 2).mean(axis=(2, 4)) / 255
    assert not data.are_grey(shrunk.reshape(-1, 196).astype(np.float32))
    few, many = np.zeros((1, 100), np.float32), np.zeros((1, 100), np.float32)
    few[:, :20] = many[:, :21] = 0.5
    assert not data.are_grey(few)
    assert data.are_grey(many)
    assert data.are_grey((255 * many).astype(np.uint8))
    assert not data.are_grey(np.where(many > 0, np.uint8(25), np.uint8(230)))

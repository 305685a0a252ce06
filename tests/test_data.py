"""Data sets by name: MNIST, the cats, how a test set is held out, and the fingerprint."""

import functools
import hashlib
from pathlib import Path

import numpy as np
import pytest
from image_files import GREY, LABELS, idx_bytes
from refusals import refusal

from minivae import data
from minivae.data import loading, splits
from minivae.data.shipped.make_mnist import FILES


@pytest.fixture(scope="module")
def mnist():
    return data.load("mnist")


def test_the_shipped_mnist_is_the_original(mnist):
    """Put back into IDX files, the arrays have the checksums of the published files."""
    arrays = {
        "x_train": mnist.train.reshape(-1, 28, 28),
        "y_train": mnist.train_labels.astype(np.uint8),
        "x_test": mnist.test.reshape(-1, 28, 28),
        "y_test": mnist.test_labels.astype(np.uint8),
    }
    for name, (_, checksum) in FILES.items():
        assert hashlib.sha256(idx_bytes(arrays[name])).hexdigest() == checksum
    assert mnist.image_shape == (28, 28)
    assert mnist.train.dtype == np.uint8
    assert mnist.name == "mnist"
    assert "60000 training images, and 10000 test images of its own" in mnist.note


def test_the_fingerprint_of_mnist_is_the_same_everywhere(mnist):
    known = "fadbfa807d0b813cebbe3bfc68d38b1f3e051806a3156fceb3dd83293c7405d7"
    assert data.fingerprint(mnist) == known


def test_the_licence_of_mnist_lies_beside_it():
    readme = (loading.MNIST.parent / "README.md").read_text("utf-8")
    checksums = [checksum for _, checksum in FILES.values()]
    for text in ("LeCun", "Cortes", "ShareAlike 3.0", *checksums):
        assert text in readme


# ---- names ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "name"),
    [("a b/c d.x.npy", "c-d"), ("a/b/..", "a"), ("é.npy", "data"), (".npy", "data"), ("/", "data")],
)
def test_a_data_set_is_named_after_its_file(path, name):
    """The name becomes a part of a run folder's name, so that only plain letters are kept."""
    assert data.plain_name(Path(path)) == name


def test_unknown_names_are_answered_with_the_known_ones(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    message = refusal(data.load, "nmist")
    assert "nmist (did you mean mnist?); known names are mnist and cats" in message
    assert "did you mean cats?" in refusal(data.load, "CAT")
    assert "did you mean" not in refusal(data.load, "data/missing.npz")
    for wrong in ("", "a\0b", None, 3, b"mnist", "a" * 5000, "\ud800"):
        assert refusal(data.load, wrong).isprintable()


def test_the_cats_are_a_data_set_like_any_other(monkeypatch):
    monkeypatch.setattr(data.cats, "dataset", functools.partial(data.cats.dataset, 30, 20))
    loaded, made = data.load("cats"), data.cats.dataset()
    assert loaded.image_shape == (28, 28)
    assert loaded.train_labels is None
    np.testing.assert_array_equal(loaded.train, made.train)
    np.testing.assert_array_equal(loaded.test, made.test)
    assert "30 generated cats to train on and 20 others" in loaded.note


# ---- splits and fingerprints ---------------------------------------------------------------------


@pytest.mark.parametrize("n", [2, 9, 10, 11, 100])
def test_a_tenth_is_held_out_the_same_each_time(n):
    train, test, _ = splits.hold_out(n)
    assert len(test) == max(1, n // 10)
    assert sorted([*train, *test]) == list(range(n))
    again = splits.hold_out(n)
    assert np.array_equal(train, again[0])
    assert np.array_equal(test, again[1])


def test_one_image_is_both_sets_and_says_so(tmp_path):
    np.save(tmp_path / "a.npy", GREY[:1])
    dataset = data.load(tmp_path / "a.npy")
    assert len(dataset.train) == len(dataset.test) == 1
    assert "used for training and for testing" in dataset.note


def test_the_fingerprint_sees_every_part(tmp_path):
    np.savez(tmp_path / "a.npz", x=GREY, y=LABELS)
    dataset = data.load(tmp_path / "a.npz")
    again = data.load(tmp_path / "a.npz")
    assert data.fingerprint(dataset) == data.fingerprint(again)
    changed = dataset.test.copy()
    changed[1, 5] ^= 1
    others = [
        dataset._replace(test=changed),
        dataset._replace(train=dataset.train[::-1]),
        dataset._replace(train=dataset.train.reshape(-1, 6)),
        dataset._replace(train=dataset.train.view(np.int8)),
        dataset._replace(train_labels=None),
        dataset._replace(test_labels=dataset.test_labels + 1),
        dataset._replace(image_shape=(3, 4)),
    ]
    prints = {data.fingerprint(other) for other in [dataset, *others]}
    assert len(prints) == 1 + len(others)
    assert data.fingerprint(dataset._replace(name="b", note="")) == data.fingerprint(dataset)

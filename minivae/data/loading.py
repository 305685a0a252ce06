"""`load`: a data set by its name or from a file, checked, flat, with a test set."""

from __future__ import annotations

import difflib
import hashlib
import os
import re
from os import PathLike
from pathlib import Path
from typing import NamedTuple

import numpy as np

from minivae.checks import check_images_and_shape, check_labels, check_path, printable
from minivae.data import cats
from minivae.data.readers import FORMATS, Found, read_file, read_folder
from minivae.errors import MinivaeError

NAMES = ("mnist", "cats")
MNIST = Path(__file__).parent / "shipped" / "mnist.npz"
SPLIT_SEED = 2014  # decides which images are held out where the data have no test set


class Dataset(NamedTuple):
    """Images to train and to test on, flat: D = h * w."""

    name: str
    train: np.ndarray  # (N, D) uint8, or float32 in [0, 1]
    test: np.ndarray  # (M, D), the same dtype
    train_labels: np.ndarray | None  # (N,) int64
    test_labels: np.ndarray | None  # (M,) int64
    image_shape: tuple[int, int]  # (h, w)
    note: str  # where the images come from and how the test set was chosen


def load(name_or_path: str | PathLike[str]) -> Dataset:
    """Load a data set by name ("mnist", "cats") or by path (formats: see `minivae.data`).

    Give a file named mnist as ./mnist. A tenth of the images is held out as a test
    set if the data have none.
    Raises MinivaeError, one line, if the name is unknown or the file cannot be used.
    """
    path = check_path(name_or_path, "the data set")
    name = os.fspath(name_or_path)
    if name == "mnist":
        return _dataset("mnist", MNIST, read_file(MNIST))
    if name == "cats":
        return _cats()
    if os.path.isdir(path):
        return _dataset(plain_name(path), path, read_folder(path))
    if os.path.lexists(path):
        return _dataset(plain_name(path), path, read_file(path))
    close = difflib.get_close_matches(name.lower(), NAMES, n=1)
    guess = f" (did you mean {close[0]}?)" if close else ""
    raise MinivaeError(
        f"no data set or file is called {printable(name)}{guess}; "
        f"known names are {' and '.join(NAMES)}, or give {FORMATS}"
    )


def plain_name(path: Path) -> str:
    """The name of a data set from a file: letters, digits, _ and - of the file's name only."""
    stem = Path(os.path.abspath(path)).name.split(".")[0]
    return re.sub(r"[^A-Za-z0-9_-]+", "-", stem)[:40].strip("-") or "data"


def _cats() -> Dataset:
    """The generated cats; `cats.dataset` makes the same ones again, with their true factors."""
    made = cats.dataset()
    note = (
        f"{len(made.train)} generated cats to train on and {len(made.test)} others to test on; "
        f"minivae.data.cats.dataset() has their true factors"
    )
    return Dataset("cats", made.train, made.test, None, None, (cats.SIZE, cats.SIZE), note)


def true_factors(name: str) -> dict[str, np.ndarray] | None:
    """The factors behind the test images of a generated data set, (M,) each; None for others."""
    if name != "cats":
        return None
    return dict(zip(cats.NAMES, cats.dataset().test_factors.T, strict=True))


def _dataset(name: str, path: Path, found: Found) -> Dataset:
    """Check what a reader found, hold out a test set if there is none, and flatten."""
    where = printable(path)
    images, shape = check_images_and_shape(found.images, where)
    labels = check_labels(found.labels, len(images), where)
    if found.test is None:
        train_rows, test_rows, split = _hold_out(len(images))
        train_labels, test_labels = None, None
        if labels is not None:
            train_labels, test_labels = labels[train_rows], labels[test_rows]
        train, test = images[train_rows], images[test_rows]
    else:
        train, train_labels = images, labels
        test, test_shape = check_images_and_shape(found.test, f"{where}, test set")
        test_labels = check_labels(found.test_labels, len(test), f"{where}, test set")
        if test_shape != shape or test.dtype != train.dtype:
            raise MinivaeError(
                f"{where}: training images are {train.dtype} of {shape}, test images {test.dtype} "
                f"of {test_shape}; save both with one size and one type"
            )
        split = f"{len(train)} training images, and {len(test)} test images of its own"
    note = f"{found.note}; {split}" if found.note else split
    return Dataset(name, train, test, train_labels, test_labels, shape, note)


def _hold_out(n: int) -> tuple[np.ndarray, np.ndarray, str]:
    """Rows to train on and rows to test on: a tenth, at least one, the same ones each time."""
    if n == 1:
        return np.arange(1), np.arange(1), "one image, used for training and for testing"
    n_test = max(1, n // 10)
    order = np.random.default_rng(SPLIT_SEED).permutation(n)
    split = f"{n - n_test} training images, and {n_test} held out at random (seed {SPLIT_SEED})"
    return np.sort(order[n_test:]), np.sort(order[:n_test]), split


def fingerprint(dataset: Dataset) -> str:
    """SHA-256 of the images and labels, their shapes and types, as 64 hex digits."""
    digest = hashlib.sha256(str(dataset.image_shape).encode())
    for array in (dataset.train, dataset.test, dataset.train_labels, dataset.test_labels):
        if array is None:
            digest.update(b"none")
        else:
            digest.update(f"{array.dtype.str}{array.shape}".encode())
            digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()

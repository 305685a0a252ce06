"""`load`: a data set by its name or from a file, checked, flat, with a test set."""

from __future__ import annotations

import difflib
import hashlib
import math
import os
import re
from os import PathLike
from pathlib import Path
from typing import NamedTuple

import numpy as np

from minivae.checks import check_images_and_shape, check_number, check_path, printable
from minivae.data import cats, labels, ranges, splits
from minivae.data.found import FORMATS, Found, Part, Reading
from minivae.data.readers import read_file
from minivae.data.trees import read_folder
from minivae.errors import MinivaeError

NAMES = ("mnist", "cats")
MNIST = Path(__file__).parent / "shipped" / "mnist.npz"


class Dataset(NamedTuple):
    """Images to train and to test on, flat: D = h * w.

    classes: the names of the labels 0, 1, ..., where the data have names. Factors are what is known
    about each image, one column each. white: the integer that means white in the file.
    """

    name: str
    train: np.ndarray  # (N, D) uint8, or float32 in [0, 1]
    test: np.ndarray  # (M, D), the same dtype
    train_labels: np.ndarray | None  # (N,) int64
    test_labels: np.ndarray | None  # (M,) int64
    image_shape: tuple[int, int]  # (h, w)
    note: str  # where the images come from, what was done to them, how the test set was chosen
    classes: tuple[str, ...] | None = None
    train_factors: np.ndarray | None = None  # (N, F) float64
    test_factors: np.ndarray | None = None  # (M, F) float64
    factor_names: tuple[str, ...] | None = None  # F of them
    white: int | None = None
    own_test: bool = False  # whether the data came with a test set


def load(name_or_path: str | PathLike[str], options: Reading = Reading()) -> Dataset:  # noqa: B008 - immutable
    """Load a data set by name ("mnist", "cats") or by path (formats: see `minivae.data`).

    Give a file named mnist as ./mnist. A tenth of the images is held out as a test
    set if the data have none. options: how a file is read; names are not changed by it.
    Raises MinivaeError, one line, if the name is unknown or the file cannot be used.
    """
    path = check_path(name_or_path, "the data set")
    if options.max_value is not None:
        check_number(options.max_value, "--max-value", above=0)
    name = os.fspath(name_or_path)
    if name == "mnist":
        return _dataset("mnist", MNIST, read_file(MNIST, Reading()), Reading())
    if name == "cats":
        return _cats()
    if os.path.isdir(path):
        found = read_folder(path, options.max_value, options.labels)
        return _dataset(plain_name(path), path, found, options)
    if os.path.lexists(path):
        return _dataset(plain_name(path), path, read_file(path, options), options)
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
    """The generated cats, with their true factors."""
    made = cats.dataset()
    note = f"{len(made.train)} generated cats to train on and {len(made.test)} others to test on"
    return Dataset(
        "cats",
        made.train,
        made.test,
        None,
        None,
        (cats.SIZE, cats.SIZE),
        f"{note}; with their true factors",
        train_factors=made.train_factors,
        test_factors=made.test_factors,
        factor_names=cats.NAMES,
        white=255,
        own_test=True,
    )


def true_factors(dataset: Dataset) -> dict[str, np.ndarray] | None:
    """The factors behind the test images, (M,) each, by name; None where they are not known.

    A factor that is the same in all of them is left out: nothing can be learned about it.
    """
    if dataset.test_factors is None or dataset.factor_names is None:
        return None
    columns = zip(dataset.factor_names, dataset.test_factors.T, strict=True)
    return {name: values for name, values in columns if np.ptp(values) > 0} or None


def _dataset(name: str, path: Path, found: Found, options: Reading) -> Dataset:
    """Check what a reader found, hold out a test set if there is none, and flatten."""
    where = printable(path)
    notes = list(found.notes)
    parts = [found.train] if found.test is None else [found.train, found.test]
    if found.white is not None:  # the reader knows
        options = options._replace(max_value=found.white)
    images, white = _in_one_range(parts, options, where, notes)
    flat, shape = _one_shape(images, where, options.transpose)
    sizes = [len(one) for one in flat] if len(flat) == 2 else [len(flat[0]), 0]
    test = found.test or Part(images[0])
    if options.labels:
        read = labels.read_labels(found.train.labels, sizes[0], test.labels, sizes[1])
        said = labels.key(read.classes)
        notes += [said, *read.notes] if said else read.notes
    else:
        read = labels.Labels(None, None, None, ())
    classes = found.classes if read.classes is None else read.classes
    factors = [
        _factors(part.factors, n, notes) for part, n in zip((found.train, test), sizes, strict=True)
    ]
    if found.test is None:
        rows, test_rows, split = splits.hold_out(sizes[0])
        if not options.hold_out:
            rows = test_rows = np.arange(sizes[0])
            split = f"all {sizes[0]} images to test on"
        train, held = flat[0][rows], flat[0][test_rows]
        known = [None if read.train is None else read.train[r] for r in (rows, test_rows)]
        factors = [None if factors[0] is None else factors[0][r] for r in (rows, test_rows)]
    else:
        train, held = flat
        known = [read.train, read.test]
        split = f"{len(train)} training images, and {len(held)} test images of its own"
    notes.append(split)
    repeated = None
    if path != MNIST and options.hold_out and sizes[0] > 1:
        repeated = splits.repeated_note(train, held)
    notes += [repeated] if repeated else []
    return Dataset(
        name,
        train,
        held,
        known[0],
        known[1],
        shape,
        "; ".join(notes),
        classes if known[0] is not None or known[1] is not None else None,
        factors[0],
        factors[1],
        _factor_names(found.factor_names, factors),
        white,
        found.test is not None,
    )


def _in_one_range(
    parts: list[Part], options: Reading, where: str, notes: list[str]
) -> tuple[list[np.ndarray], int | None]:
    """The images of each part in grey, scaled by one white for all; what was done is noted."""
    images = []
    for part in parts:
        grey, said = ranges.to_grey(part.images)
        images.append(grey)
        if said and said not in notes:
            notes.append(said)
    kinds = {one.dtype.kind if one.dtype.kind != "u" else "i" for one in images}
    if len(kinds) > 1:
        train, test = (one.dtype for one in images)
        raise MinivaeError(
            f"{where}: training images are {train}, test images {test}; save both with one "
            "size and one type"
        )
    images, white, said = ranges.scaled(images, options.max_value, where)
    notes += [said] if said else []
    return images, white


def _one_shape(
    images: list[np.ndarray], where: str, transpose: bool
) -> tuple[list[np.ndarray], tuple[int, int]]:
    """Images of both parts checked and flat, and their common shape (h, w)."""
    checked = [
        check_images_and_shape(one, name, 255)
        for one, name in zip(images, (where, f"{where}, test set"), strict=False)
    ]
    shape = checked[0][1]
    if len(checked) == 2 and checked[1][1] != shape:
        raise MinivaeError(
            f"{where}: training images are of {shape}, test images of {checked[1][1]}; save both "
            "with one size and one type"
        )
    if not transpose:
        return [flat for flat, _ in checked], shape
    if shape[0] == 1 and math.isqrt(shape[1]) ** 2 != shape[1]:
        raise MinivaeError(
            f"{where}: rows of {shape[1]} pixels have no columns to swap; give images (N, h, w), "
            "or leave --transpose out"
        )
    turned = [flat.reshape(-1, *shape).swapaxes(1, 2) for flat, _ in checked]
    return [np.ascontiguousarray(t.reshape(len(t), -1)) for t in turned], (shape[1], shape[0])


def _factors(values: np.ndarray | None, n: int, notes: list[str]) -> np.ndarray | None:
    factors, said = labels.read_factors(values, n)
    notes += [said] if said else []
    return factors


def _factor_names(
    names: tuple[str, ...] | None, factors: list[np.ndarray | None]
) -> tuple[str, ...] | None:
    """The names of the factors' columns; numbers where the data name them otherwise or not."""
    width = next((table.shape[1] for table in factors if table is not None), None)
    if width is None:
        return None
    if names is not None and len(set(names)) == len(names) == width:
        return names
    return tuple(f"factor {i + 1}" for i in range(width))


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

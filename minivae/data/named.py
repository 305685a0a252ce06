"""Which array of an .npz or MATLAB file is what, by the names that people give them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from os import PathLike

import numpy as np

from minivae.checks import printable
from minivae.data.found import Found, Part
from minivae.errors import MinivaeError

IMAGE_NAMES = ("x_train", "train_images", "train", "images", "imgs", "x", "data", "fea")
LABEL_NAMES = ("y_train", "train_labels", "labels", "label", "targets", "target", "y", "gnd")
TEST_NAMES = ("x_test", "test_images", "test")
TEST_LABEL_NAMES = ("y_test", "test_labels")
FACTOR_NAMES = ("factors", "train_factors", "factors_train", "latents_classes")
TEST_FACTOR_NAMES = ("test_factors", "factors_test")
FACTOR_NAMES_NAME = "factor_names"
DSPRITES = ("color", "shape", "scale", "orientation", "x", "y")  # columns of its latents_classes

Read = Callable[[str], np.ndarray]  # an array of the file, by its name there


def read_named(there: Mapping[str, str], read: Read, path: str | PathLike[str]) -> Found:
    """Images, labels, factors and a test set from a file of named arrays; other arrays are named
    in a note and not read.

    there: the names in the file by what they are in small letters. Raises MinivaeError if no array
    has the name of images, and there are several.
    """
    numbered = [name for name in there if name.startswith("arr_") and name[4:].isdecimal()]
    if not any(name in there for name in IMAGE_NAMES):
        if len(there) > 1 and len(numbered) == len(there):
            return _in_order([there[name] for name in numbered], read)
        if len(there) == 1:
            return Found(Part(read(next(iter(there.values())))))
        names = printable(", ".join(sorted(there)) or "nothing")
        raise MinivaeError(
            f"{printable(path)} holds {names}; name the images {' or '.join(IMAGE_NAMES)}"
        )
    used, notes = [], []

    def first(wanted):
        name = next((name for name in wanted if name in there), None)
        used.append(name)
        return None if name is None else read(there[name])

    def beside(wanted, what):
        """What is read beside images is left out where it cannot be read."""
        try:
            return first(wanted)
        except MinivaeError as error:
            notes.append(f"{what} left out: {error}")
            return None

    images, test_images = first(IMAGE_NAMES), first(TEST_NAMES)
    assert images is not None
    train = Part(images, beside(LABEL_NAMES, "labels"), beside(FACTOR_NAMES, "factors"))
    test = None
    if test_images is not None:
        labels = beside(TEST_LABEL_NAMES, "the test set's labels")
        test = Part(test_images, labels, beside(TEST_FACTOR_NAMES, "the test set's factors"))
    names = beside((FACTOR_NAMES_NAME,), "the names of the factors")
    unused = sorted(there[name] for name in there if name not in used)
    if unused:
        notes.append(f"not used: {printable(', '.join(unused))}")
    return Found(
        train,
        test,
        factor_names=_factor_names(names, used, train.factors),
        notes=tuple(notes),
    )


def _factor_names(names, used, factors):
    """The names of the factors' columns, where they are known."""
    if names is not None and names.ndim == 1:
        with contextlib.suppress(ValueError):  # numbers that are no characters
            return tuple(printable(name) for name in names.tolist())
    if "latents_classes" in used and factors is not None and factors.shape[1:] == (len(DSPRITES),):
        return DSPRITES
    return None


def _in_order(names: list[str], read: Read) -> Found:
    """np.savez(file, X, y) or (file, X, y, X_test, y_test), in this order or another: images first,
    an array of images of the same size is a test set, others are labels."""
    images, *others = [read(name) for name in names]
    test: np.ndarray | None = None
    labels: list[np.ndarray | None] = [None, None]
    meant, unused = [f"{names[0]} as images"], []
    for name, array in zip(names[1:], others, strict=True):
        if array.ndim > 1 and array.shape[1:] == images.shape[1:] and test is None:
            test = array
            meant.append(f"{name} as test images")
    for name, array in zip(names[1:], others, strict=True):
        if array is test:
            continue
        sizes = [len(images), -1 if test is None else len(test)]
        places = [i for i, n in enumerate(sizes) if array.shape[:1] == (n,) and labels[i] is None]
        if not places:
            unused.append(name)
            continue
        labels[places[0]] = array
        meant.append(f"{name} as {('labels', 'test labels')[places[0]]}")
    notes = [", ".join(meant)] + ([f"not used: {', '.join(unused)}"] if unused else [])
    second = None if test is None else Part(test, labels[1])
    return Found(Part(images, labels[0]), second, notes=tuple(notes))

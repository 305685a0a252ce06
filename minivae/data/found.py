"""What a reader finds in a file or folder, before its values are checked."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

FORMATS = (
    "a .npy, .npz, IDX, CSV or MATLAB file (also .gz), or a folder or zip of PNG or JPEG images"
)


class Part(NamedTuple):
    """Images (N, ...), and what belongs to each of them, as arrays of any kind."""

    images: np.ndarray
    labels: np.ndarray | None = None
    factors: np.ndarray | None = None


class Found(NamedTuple):
    """Images to train on, and a test set where there is one.

    classes: what the labels 0, 1, ... stand for, where they are numbers that the reader gave.
    white: the integer that means white, where the format says so. notes: what was done to the data,
    for the person who gave them.
    """

    train: Part
    test: Part | None = None
    classes: tuple[str, ...] | None = None
    factor_names: tuple[str, ...] | None = None
    white: int | None = None
    notes: tuple[str, ...] = ()


class Reading(NamedTuple):
    """How the user wants a file to be read.

    max_value: the number that means white; None: what the numbers themselves suggest, and
    `loading.load` says which. transpose: swap the rows and the columns of each image. labels:
    whether to read labels. hold_out: take a tenth as a test set where there is none; if False,
    every image is in both sets.
    """

    max_value: float | None = None
    transpose: bool = False
    labels: bool = True
    hold_out: bool = True

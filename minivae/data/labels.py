"""Labels and factors as they come in files -> plain integers and numbers, or a note why not."""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np

from minivae.checks import printable

MAX_CLASSES = 10_000  # names of classes; more are the names of images


class Labels(NamedTuple):
    """Labels of two sets of images, (N,) and (M,) int64, or None where there are none.

    classes: the names of the labels 0, 1, ..., where they were words. notes: what was left out.
    """

    train: np.ndarray | None
    test: np.ndarray | None
    classes: tuple[str, ...] | None
    notes: tuple[str, ...]


def read_labels(
    train: np.ndarray | None, n_train: int, test: np.ndarray | None, n_test: int
) -> Labels:
    """Labels of `n_train` and `n_test` images: integers, whole floats, columns (N, 1), one-hot rows
    or words. What is none of these is left out, and a note says so."""
    notes: list[str] = []
    kept = [
        _column(values, n, where, notes)
        for values, n, where in (
            (train, n_train, "labels"),
            (test, n_test, "the test set's labels"),
        )
    ]
    words = [values is not None and values.dtype.kind in "US" for values in kept]
    if not any(words):
        return Labels(kept[0], kept[1], None, tuple(notes))
    if any(values is not None and not word for values, word in zip(kept, words, strict=True)):
        notes.append("labels left out: some are words and some are numbers")
        return Labels(None, None, None, tuple(notes))
    try:
        texts = [None if values is None else _texts(values) for values in kept]
    except ValueError as error:  # numbers that are no characters
        notes.append(f"labels left out: {error}")
        return Labels(None, None, None, tuple(notes))
    classes = sorted({text for values in texts for text in values or ()})
    if all(re.fullmatch(r"\d{1,9}", text, re.ASCII) for text in classes):  # numbers in quotes
        numbers = [None if values is None else np.array(values, np.int64) for values in texts]
        return Labels(numbers[0], numbers[1], None, tuple(notes))
    if len(classes) > MAX_CLASSES:
        notes.append(f"labels left out: {len(classes)} different words are no classes")
        return Labels(None, None, None, tuple(notes))
    number = {name: i for i, name in enumerate(classes)}
    coded = [
        None if values is None else np.array([number[text] for text in values], np.int64)
        for values in texts
    ]
    return Labels(coded[0], coded[1], tuple(classes), tuple(notes))


def _column(values, n, where, notes):
    """(n,) int64, or (n,) of texts; None with a note for anything else."""
    if values is None:
        return None
    why = f"{where} left out: {values.dtype} of shape {values.shape} for {n} images"
    if values.shape in ((n, 1), (1, n)):
        values = values.reshape(n)
    if values.ndim == 2 and len(values) == n and values.dtype.kind in "biuf":
        if ((values == 0) | (values == 1)).all() and (values.sum(axis=1) == 1).all():
            return values.argmax(axis=1).astype(np.int64)
    if values.shape != (n,) or values.dtype.kind not in "biufUS":
        notes.append(f"{why}, and not one integer or word for each")
        return None
    if values.dtype.kind in "US":
        return values
    if not (np.isfinite(values) & (values == np.rint(values)) & (abs(values * 1.0) < 2**31)).all():
        notes.append(f"{why}, which are no small whole numbers")
        return None
    return values.astype(np.int64)


def _texts(values: np.ndarray) -> list[str]:
    """Each text as one printable line."""
    if values.dtype.kind == "S":
        return [printable(value.decode("utf-8", "replace")) for value in values.tolist()]
    return [printable(value) for value in values.tolist()]


def key(classes: tuple[str, ...] | None) -> str | None:
    """ "labels 0 = cat, 1 = dog", or None where classes have no names."""
    if not classes:
        return None
    shown = ", ".join(f"{i} = {name}" for i, name in enumerate(classes[:20]))
    return printable(f"labels {shown}{', ...' if len(classes) > 20 else ''}")


def read_factors(factors: np.ndarray | None, n: int) -> tuple[np.ndarray | None, str | None]:
    """Factors of n images -> (n, F) float64, or None and a note where they are no such table."""
    if factors is None:
        return None, None
    table = factors.reshape(n, -1) if factors.shape == (n,) else factors
    good = table.ndim == 2 and len(table) == n and table.shape[1] and table.dtype.kind in "biuf"
    if not good or not np.isfinite(table).all():
        what = f"{factors.dtype} of shape {factors.shape}"
        return None, f"factors left out: {what} for {n} images, and not a row of numbers for each"
    return table.astype(np.float64), None

"""Checks of single values, and how a wrong value is written into a message."""

import os
import shlex
import subprocess
import sys
from collections.abc import Iterable
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
from numpy import ma  # here, not at first use: a fork during an import hangs the child

from minivae.errors import MinivaeError, escaped

MAX_SIZE = 10**9  # of one dimension
MAX_LAYERS = 100  # hidden layers of the encoder; a file could list millions


def printable(path: Any) -> str:
    """A path or a name from a file as one printable line, control characters escaped."""
    text = Path(path).as_posix() if isinstance(path, os.PathLike) else str(path)
    line = escaped(text)
    return line if len(line) <= 300 else line[:150] + "..." + line[-147:]


def shell_line(words: Iterable[str]) -> str:
    """A command as it is typed into this system's shell, each word quoted where it must be."""
    if sys.platform == "win32":
        return subprocess.list2cmdline(words)
    return shlex.join(words)


def describe(value: Any) -> str:
    """A wrong value as one short line."""
    try:
        return printable(repr(value))
    except ValueError:  # an integer of more digits than Python prints
        return f"an enormous {type(value).__name__}"


def check_path(path: Any, what: str = "the path") -> Path:
    """A str or PathLike as a Path; anything else is refused (an int would be taken for a file
    descriptor)."""
    try:
        text = os.fspath(path)
        os.fsencode(text)
    except (TypeError, UnicodeEncodeError):  # not a path, or one with a lone surrogate
        text = None
    if not isinstance(text, str) or not text or "\0" in text:
        raise MinivaeError(f"{what} is {printable(repr(path))}; give the name of a file or folder")
    return Path(text)


def check_layers(sizes: Any) -> None:
    """Raise MinivaeError if there are more than `MAX_LAYERS` sizes."""
    if len(sizes) > MAX_LAYERS:
        raise MinivaeError(f"hidden has {len(sizes)} layers; at most {MAX_LAYERS} are possible")


def refuse_missing(value: Any, name: str) -> None:
    """Raise MinivaeError if `value`, or an item of a list, is a masked array with masked values.

    NumPy would take the numbers behind the mask for data.
    """
    items = value if isinstance(value, (list, tuple)) else (value,)
    masks = [ma.getmaskarray(item) for item in items if isinstance(item, ma.MaskedArray)]
    missing = sum(int(mask.sum()) for mask in masks if mask.dtype.kind == "b")
    if missing:
        raise MinivaeError(
            f"{name}: {missing} values are masked, which means missing; fill them, for instance "
            "with .filled(0), or leave those rows out"
        )


def as_array(value: Any, name: str) -> np.ndarray:
    """`value` as an array, or MinivaeError if NumPy cannot convert it or some of it is missing."""
    refuse_missing(value, name)
    try:
        return np.asarray(value)
    except (TypeError, ValueError, RuntimeError) as error:
        reason = printable(" ".join(str(error).split()))
        raise MinivaeError(f"{name}: not an array ({reason}); it must hold numbers") from None


def as_float64(value: Any, name: str) -> np.ndarray:
    """`value` as a float64 array, or MinivaeError unless it holds real numbers."""
    array = as_array(value, name)
    if array.dtype.kind not in "biuf":
        raise MinivaeError(f"{name} is {describe(value)}; it must hold real numbers")
    return array.astype(np.float64)


def is_finite_number(value: Any) -> bool:
    """Whether it is a finite real number that fits in float64 (a bool is not)."""
    real = isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)
    try:
        return real and isfinite(value)
    except OverflowError:  # an integer too large for float64
        return False


def check_whole(value: Any, name: str, low: int, high: int | None = None) -> int:
    """`value` as an int from low to high (None: no upper limit), or MinivaeError."""
    whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    if not (whole and low <= value and (high is None or value <= high)):
        upper = "up" if high is None else f"to {high}"
        raise MinivaeError(
            f"{name} is {describe(value)}; it must be a whole number from {low} {upper}"
        )
    return int(value)


def check_number(value: Any, name: str, *, above: float | None = None) -> float:
    """`value` as a finite float of at least 0, or above `above`; or MinivaeError."""
    if not is_finite_number(value) or value < 0 or (above is not None and value <= above):
        words = "of at least 0" if above is None else f"above {above}"
        raise MinivaeError(f"{name} is {describe(value)}; it must be a number {words}")
    return float(value)


def check_samples(count: Any, name: str = "samples") -> int:
    """A number of samples, steps or draws: an int of at least 1, or MinivaeError."""
    return check_whole(count, name, 1, MAX_SIZE)


def check_generator(rng: Any) -> np.random.Generator:
    """`rng`, or MinivaeError unless it is a NumPy generator."""
    if not isinstance(rng, np.random.Generator):
        given = describe(rng)
        raise MinivaeError(f"rng is {given}; give a generator, such as np.random.default_rng(0)")
    return rng

"""What `check_grad` is given: a point, a function of it, and a gradient, each made safe to use.

The point may be one array, a dict of arrays, or a list or tuple of them; inside the check it is one
flat vector. f and df get copies, so neither can change what the check or the caller holds.
"""

import math
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np

from minivae.checks.values import as_array
from minivae.errors import MinivaeError

Index = tuple[int, ...]
EPSILONS = tuple(float(np.finfo(t).eps) for t in (np.float16, np.float32, np.float64))


class Point(NamedTuple):
    """Where a gradient is checked: a flat vector, and how to make of it what f takes."""

    flat: np.ndarray  # (N,) float64
    kind: type | None  # dict, list or tuple; None: one array
    keys: tuple[Any, ...]  # of the dict, or 0, 1, ...
    names: tuple[str, ...]  # of the blocks, for the report
    shapes: tuple[Index, ...]
    notes: tuple[str, ...]  # what was converted

    def build(self, flat: np.ndarray) -> Any:
        """The vector in the structure that f takes; copied."""
        if self.kind is None:
            return flat.reshape(self.shapes[0]).copy()
        parts = zip(self.split(flat), self.shapes, strict=True)
        blocks = [part.reshape(shape).copy() for part, shape in parts]
        if self.kind is dict:
            return dict(zip(self.keys, blocks, strict=True))
        return self.kind(blocks)

    def split(self, flat: np.ndarray) -> list[np.ndarray]:
        """The blocks' parts of a vector, each flat."""
        parts, start = [], 0
        for shape in self.shapes:
            end = start + size(shape)
            parts.append(flat[start:end])
            start = end
        return parts

    def locate(self, i: int) -> tuple[int, Index]:
        """(block, index in it) of entry i of the flat vector."""
        for block, shape in enumerate(self.shapes):
            if i < size(shape):
                return block, tuple(int(k) for k in np.unravel_index(i, shape))
            i -= size(shape)
        raise IndexError(i)

    def label(self, i: int) -> str:
        """Entry i as the reader would index it: W[2, 1]."""
        block, index = self.locate(i)
        return f"{self.names[block]}{list(index) if index else ''}"


def size(shape: Index) -> int:
    """The number of entries of an array of this shape."""
    return math.prod(shape)


def make_point(x: Any, name: str) -> Point:
    """x as a Point. Raises MinivaeError unless it holds finite real numbers, at least one."""
    kind: type | None = None
    keys: tuple[Any, ...] = (0,)
    if isinstance(x, dict):
        kind, keys, parts = dict, tuple(x), list(x.values())
        names = tuple(str(key) for key in keys)
    elif isinstance(x, list | tuple) and any(isinstance(part, np.ndarray) for part in x):
        kind = tuple if isinstance(x, tuple) else list
        keys, parts = tuple(range(len(x))), list(x)
        names = tuple(f"{name}[{i}]" for i in keys)
    else:
        parts, names = [x], (name,)
    arrays, notes = [], []
    for part, label in zip(parts, names, strict=True):
        array = as_array(part, label)
        if array.dtype.kind not in "biuf":
            raise MinivaeError(
                f"{label} has dtype {array.dtype}; it must hold real numbers, such as float64"
            )
        if array.dtype != np.float64:
            notes.append(f"{label} is {array.dtype}; it was converted to float64")
        arrays.append(array.astype(np.float64))
        if not np.isfinite(arrays[-1]).all():
            raise MinivaeError(f"{label} holds NaN or infinity; check at a finite point")
    if not sum(array.size for array in arrays):
        shapes = f" (shape {arrays[0].shape})" if kind is None else ""
        raise MinivaeError(f"{name} is empty{shapes}; it must hold real numbers, at least one")
    flat = np.concatenate([array.ravel() for array in arrays])
    return Point(flat, kind, keys, names, tuple(a.shape for a in arrays), tuple(notes))


def one_line(error: Exception) -> str:
    """An exception as one line: its class and its message."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}".rstrip(": ")


def scalar(value: Any) -> np.ndarray:
    """What f returned as an array of one entry, or MinivaeError."""
    try:
        array = np.asarray(float(value) if type(value) is int else value)  # an int may be enormous
    except Exception as error:
        raise MinivaeError(
            f"f returned {type(value).__name__}, which is no number ({one_line(error)})"
        ) from None
    if array.size != 1:
        raise MinivaeError(f"f returned shape {array.shape}; it must return one number")
    if array.dtype.kind not in "biufc":
        raise MinivaeError(f"f returned {array.dtype}; it must return a real number")
    return array.reshape(())


class Function:
    """f of the flat vector: called with copies, its calls counted."""

    def __init__(self, f: Callable[[Any], Any], point: Point) -> None:
        self.f, self.point = f, point
        self.calls = 0
        self.single = False  # whether it returned float32 or float16
        self.first = np.nan  # its first value
        self.varies = False  # whether another value was seen
        self.coarsest = EPSILONS[0]  # eps of the coarsest dtype that holds all its values so far
        self.changes_x = False

    def at_point(self) -> float:
        """f at the point itself. Raises MinivaeError where it cannot be checked at all."""
        given = self.point.build(self.point.flat)
        self.calls += 1
        try:
            returned = self.f(given)
        except Exception as error:
            raise MinivaeError(f"f raises {one_line(error)} at the point itself") from error
        value = scalar(returned)
        if value.dtype.kind == "c":
            raise MinivaeError(f"f returned {value.dtype}; it must return a real number")
        self.single |= value.dtype in (np.float16, np.float32)
        self.changes_x |= not _equal(given, self.point)
        return self._seen(float(value))

    def __call__(self, flat: np.ndarray) -> float:
        """f near the point; NaN where it raises or returns no real number."""
        self.calls += 1
        try:
            value = scalar(self.f(self.point.build(flat)))
        except Exception:
            return float("nan")
        return self._seen(float(value)) if value.dtype.kind != "c" else float("nan")

    @property
    def eps(self) -> float:
        """Of the dtype in which f computes, as far as its values show."""
        return self.coarsest if self.varies else EPSILONS[2]

    def _seen(self, value: float) -> float:
        if np.isnan(self.first):
            self.first = value
        self.varies |= value != self.first
        if self.coarsest > EPSILONS[2] and np.isfinite(value):
            if value != float(np.float32(value)):
                self.coarsest = EPSILONS[2]
            elif self.coarsest > EPSILONS[1] and value != float(np.float16(value)):
                self.coarsest = EPSILONS[1]
        return value

    def imaginary(self, flat: np.ndarray) -> float:
        """Im f of a complex vector. Raises whatever f raises, TypeError if f returns a real."""
        self.calls += 1
        value = np.asarray(self.f(self.point.build(flat)))
        if value.dtype.kind != "c" or value.size != 1:
            raise TypeError(f"f returns {value.dtype} for complex input")
        return float(value.reshape(()).imag)


def _equal(given: Any, point: Point) -> bool:
    """Is what f was given still what it was?"""
    try:
        blocks = _blocks(given, point)
        return all(
            np.array_equal(np.ravel(block), part)
            for block, part in zip(blocks, point.split(point.flat), strict=True)
        )
    except (KeyError, ValueError, TypeError, IndexError):
        return False


def _blocks(structure: Any, point: Point) -> list[Any]:
    """The blocks of what has the structure of x, in its order."""
    if point.kind is None:
        return [structure]
    return [structure[key] for key in point.keys]


class Misfit(Exception):
    """A gradient that does not have the structure or the shapes of x; the message says how."""


class Gradient:
    """df as a function of the flat vector."""

    def __init__(self, df: Callable[[Any], Any], point: Point) -> None:
        self.df, self.point = df, point
        self.changes_x = False
        self.eps = float(np.finfo(np.float64).eps)  # of the coarsest dtype that it returned

    def __call__(self, flat: np.ndarray) -> np.ndarray:
        """df, as (N,) float64. Raises MinivaeError where it is no gradient at all, Misfit where it
        does not fit x."""
        given = self.point.build(flat)
        try:
            returned = self.df(given)
        except Exception as error:
            raise MinivaeError(f"df raises {one_line(error)}") from error
        point = self.point._replace(flat=flat)
        self.changes_x |= not _equal(given, point)
        parts = []
        blocks = self._ordered(returned)
        for name, shape, block in zip(point.names, point.shapes, blocks, strict=True):
            array = as_array(block, f"the gradient of {name}")
            if array.dtype.kind not in "biuf":
                raise MinivaeError(
                    f"the gradient of {name} has dtype {array.dtype}; it must hold real numbers"
                )
            if array.shape != shape:
                raise Misfit(f"the gradient has shape {array.shape}; {name} has {shape}")
            if array.dtype.kind == "f":
                self.eps = max(self.eps, float(np.finfo(array.dtype).eps))
            parts.append(array.astype(np.float64).ravel())
        return np.concatenate(parts)

    def _ordered(self, returned: Any) -> Iterable[Any]:
        point = self.point
        if returned is None:
            raise MinivaeError("df returned None; it must return the gradient")
        if point.kind is None:
            return [returned]
        if point.kind is dict:
            if not isinstance(returned, dict):
                raise Misfit(f"x is a dict, but the gradient is {type(returned).__name__}")
            missing = [str(key) for key in point.keys if key not in returned]
            extra = [str(key) for key in returned if key not in point.keys]
            if missing or extra:
                words = [f"lacks {', '.join(missing)}"] * bool(missing)
                words += [f"has {', '.join(extra)}, which x has not"] * bool(extra)
                raise Misfit(f"the gradient {' and '.join(words)}")
        elif not isinstance(returned, list | tuple):
            raise Misfit(f"x is a {point.kind.__name__}, but the gradient is {_kind(returned)}")
        elif len(returned) != len(point.keys):
            raise Misfit(f"the gradient has {len(returned)} arrays; x has {len(point.keys)}")
        return _blocks(returned, point)


def _kind(value: Any) -> str:
    return "an array" if isinstance(value, np.ndarray) else type(value).__name__

"""Checks of what goes into the cats: factors, pictures, masks and grids.

The table of factors is an argument, because this module lies below `minivae.data.cats`.
"""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from minivae.checks.values import as_array, check_whole, describe
from minivae.errors import MinivaeError

MAX_CELLS = 4_000_000  # of a grid: their factors are 192 MB
MAX_BYTES = 1 << 30  # of one array of cats


class Range(Protocol):
    """The attributes of a factor that the checks use."""

    @property
    def name(self) -> str: ...
    @property
    def low(self) -> float: ...
    @property
    def high(self) -> float: ...
    @property
    def unit(self) -> str: ...


def check_picture_size(size: Any, sizes: tuple[int, int]) -> int:
    """The side of a picture in pixels, from sizes[0] to sizes[1]."""
    return check_whole(size, "the size of the cats in pixels", *sizes)


def check_factors(factors: Any, table: Sequence[Range]) -> np.ndarray:
    """(B, F) float64 within the F ranges of the table, or MinivaeError.

    A value that is outside by rounding only, as after a conversion to float32, is clipped.
    """
    factors = as_array(factors, "factors")
    if not _is_numeric(factors) or factors.ndim != 2 or factors.shape[1] != len(table):
        raise MinivaeError(
            f"factors is {factors.dtype} of shape {factors.shape}; it must be (B, {len(table)}) "
            f"numbers, one row a cat: {_names(table)}"
        )
    return _within_ranges(factors, table, "the {} of cat {}")


def check_known_factors(known: Any, free: Sequence[int], table: Sequence[Range]) -> np.ndarray:
    """The factors of one cat, (F,) float64, within their ranges; the columns `free` may hold any
    numbers, and come back as the lowest of their range."""
    known = as_array(known, "known")
    if not _is_numeric(known) or known.shape != (len(table),):
        raise MinivaeError(
            f"known is {known.dtype} of shape {known.shape}; it must be the factors of one cat, "
            f"({len(table)},): {_names(table)}"
        )
    known = known.astype(np.float64)
    known[list(free)] = [table[column].low for column in free]
    return _within_ranges(known[None], table, "the known {}")[0]


def _within_ranges(factors: np.ndarray, table: Sequence[Range], what: str) -> np.ndarray:
    """(B, F) as float64, clipped to the ranges. what: names a value by its factor and its cat."""
    factors = factors.astype(np.float64)
    low, high = np.array([[f.low, f.high] for f in table]).T
    slack = 1e-6 * (high - low)
    wrong = ~((factors >= low - slack) & (factors <= high + slack))  # true for NaN, too
    if wrong.any():
        cat, column = np.argwhere(wrong)[0]
        factor = table[column]
        raise MinivaeError(
            f"{what.format(factor.name, cat)} is {factors[cat, column]:g}; "
            f"it must be from {factor.low:g} to {factor.high:g} ({factor.unit})"
        )
    return np.clip(factors, low, high)


def check_free_factor(name: Any, table: Sequence[Range]) -> int:
    """The column of the second free factor, by its name (the first free factor is column 0)."""
    names = [factor.name for factor in table[1:]]
    if name not in names:
        raise MinivaeError(
            f"the other free factor is {describe(name)}; it must be one of {', '.join(names)}"
        )
    return 1 + names.index(name)


def check_picture(x: Any, n_cats: int, sizes: tuple[int, int]) -> np.ndarray:
    """x of zeros and ones as bool: (S, S) or, unless n_cats is 0, (n_cats, S, S)."""
    x = as_array(x, "x")
    shape = x.shape
    square = x.ndim in (2, 3) and shape[-1] == shape[-2] and _is_numeric(x)
    if not square or shape[:-2] not in ((), (n_cats,)) or shape[:-2] == (0,):
        many = f", or one for each of the {n_cats} cats, ({n_cats}, S, S)" if n_cats else ""
        raise MinivaeError(
            f"x is {x.dtype} of shape {shape}; it must be one square picture of numbers, (S, S)"
            f"{many}"
        )
    check_picture_size(shape[-1], sizes)
    if not ((x == 0) | (x == 1)).all():
        raise MinivaeError(
            "x holds values other than 0 and 1; draw it with sample_pixels, or binarize it"
        )
    return x == 1


def check_mask(seen: Any, size: int) -> np.ndarray:
    """(S, S) bool; None means that nothing is covered: all True."""
    if seen is None:
        return np.ones((size, size), bool)
    seen = as_array(seen, "seen")
    if seen.shape != (size, size) or seen.dtype != bool:
        raise MinivaeError(
            f"seen, the mask of x, is {seen.dtype} of shape {seen.shape}; it must be ({size}, "
            f"{size}) of bool, False where x is covered"
        )
    return seen


def check_cells(cells: Any) -> tuple[int, int]:
    """The numbers of cells of a grid over two factors, at most MAX_CELLS in all."""
    if not isinstance(cells, tuple | list) or len(cells) != 2:
        given = describe(cells)
        raise MinivaeError(
            f"cells is {given}; it must be two numbers: cells for chonk, cells for the other factor"
        )
    first, second = (check_whole(n, "the number of cells of the grid", 1) for n in cells)
    if first * second > MAX_CELLS:
        raise MinivaeError(
            f"the grid would have {describe(first)} x {describe(second)} cells; at most "
            f"{MAX_CELLS:,} are possible"
        )
    return first, second


def check_cat_count(n: Any, bytes_each: int) -> int:
    """A number of cats whose pictures or factors fit into MAX_BYTES."""
    return check_whole(n, "the number of cats", 1, MAX_BYTES // bytes_each)


def _is_numeric(array: np.ndarray) -> bool:
    """Whether it holds real numbers."""
    return array.dtype.kind in "biuf"


def _names(table: Sequence[Range]) -> str:
    return ", ".join(factor.name for factor in table)

"""Checks of what goes into the cats: factors, pictures, masks and grids.

The table of factors is an argument, because this module lies below `minivae.data.cats`.
"""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from minivae.checks.values import check_whole, describe
from minivae.errors import MinivaeError


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
    if not _is_numeric(factors) or np.ndim(factors) != 2 or np.shape(factors)[1] != len(table):
        raise MinivaeError(
            f"the factors are {_shape(factors)}; they must be (B, {len(table)}) numbers, one row a "
            f"cat: {_names(table)}"
        )
    factors = np.asarray(factors, np.float64)
    low, high = np.array([[f.low, f.high] for f in table]).T
    slack = 1e-6 * (high - low)
    wrong = ~((factors >= low - slack) & (factors <= high + slack))  # true for NaN, too
    if wrong.any():
        cat, column = np.argwhere(wrong)[0]
        factor = table[column]
        raise MinivaeError(
            f"the {factor.name} of cat {cat} is {factors[cat, column]:g}; "
            f"it must be from {factor.low:g} to {factor.high:g} ({factor.unit})"
        )
    return np.clip(factors, low, high)


def check_known_factors(known: Any, table: Sequence[Range]) -> np.ndarray:
    """The factors of one cat, (F,) float64; `check_factors` checks their ranges later."""
    if not _is_numeric(known) or np.shape(known) != (len(table),):
        raise MinivaeError(
            f"the known factors are {_shape(known)}; they must be those of one cat, "
            f"({len(table)},): {_names(table)}"
        )
    return np.asarray(known, np.float64)


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
    shape: tuple[int, ...] = np.shape(x) if _is_numeric(x) else ()
    square = len(shape) in (2, 3) and shape[-1] == shape[-2]
    if not square or shape[:-2] not in ((), (n_cats,)) or shape[:-2] == (0,):
        many = f", or one for each of the {n_cats} cats, ({n_cats}, S, S)" if n_cats else ""
        raise MinivaeError(
            f"x has shape {shape}; it must be one square picture of numbers, (S, S){many}"
        )
    check_picture_size(shape[-1], sizes)
    x = np.asarray(x)
    if not ((x == 0) | (x == 1)).all():
        raise MinivaeError(
            "x holds values other than 0 and 1; draw it with sample_pixels, or binarize it"
        )
    return x == 1


def check_mask(seen: Any, size: int) -> np.ndarray:
    """(S, S) bool; None means that nothing is covered: all True."""
    if seen is None:
        return np.ones((size, size), bool)
    if not _is_numeric(seen) or np.shape(seen) != (size, size) or np.asarray(seen).dtype != bool:
        raise MinivaeError(
            f"seen, the mask of x, must be ({size}, {size}) of bool, False where it is covered"
        )
    return np.asarray(seen)


def check_cells(cells: Any) -> tuple[int, int]:
    """The numbers of cells of a grid over two factors."""
    if not isinstance(cells, tuple | list) or len(cells) != 2:
        given = describe(cells)
        raise MinivaeError(
            f"cells is {given}; it must be two numbers: cells for chonk, cells for the other factor"
        )
    first, second = (check_whole(n, "the number of cells of the grid", 1) for n in cells)
    return first, second


def _is_numeric(value: Any) -> bool:
    """Whether NumPy can convert it to an array of real numbers."""
    try:
        return np.asarray(value).dtype.kind in "biuf"
    except ValueError:  # rows of different lengths
        return False


def _shape(value: Any) -> str:
    return f"of shape {np.shape(value)}" if _is_numeric(value) else "not an array of numbers"


def _names(table: Sequence[Range]) -> str:
    return ", ".join(factor.name for factor in table)

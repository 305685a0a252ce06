"""Converts arrays to the form that the kernels need, and makes the error for wrong shapes.

The kernels themselves check neither shapes nor indices.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from minivae.errors import MinivaeError

FLOAT32, FLOAT64 = np.dtype(np.float32), np.dtype(np.float64)


def ready(*arrays: Any) -> Sequence[np.ndarray]:
    """The arrays in the form that the kernels need: of one float dtype, contiguous, aligned,
    writeable.

    An array that already has this form is passed on, others are copied. Raises MinivaeError if the
    common dtype is neither float32 nor float64.
    """
    dtype = getattr(arrays[0], "dtype", None)
    if dtype is not FLOAT32 and dtype is not FLOAT64:
        return _converted(arrays)
    for a in arrays:
        if not is_ready(a, dtype):
            return _converted(arrays)
    return arrays


def is_ready(a: Any, dtype: np.dtype) -> bool:
    """Is it an array of this dtype, contiguous, aligned and writeable?"""
    return type(a) is np.ndarray and a.dtype is dtype and a.flags.carray


def _converted(arrays: Sequence[Any]) -> list[np.ndarray]:
    given = [np.asarray(a) for a in arrays]
    dtype = np.result_type(*given)
    if dtype not in (FLOAT32, FLOAT64):
        raise MinivaeError(
            f"the numba backend computes in float32 or float64, not {dtype}; use the numpy backend"
        )
    return [np.require(a, dtype.type, ("C", "A", "W")) for a in given]


def shape_error(name: str, wanted: str, *arrays: Any) -> MinivaeError:
    """The error for shapes that do not fit; `wanted` says which would."""
    shapes = ", ".join(str(np.shape(a)) for a in arrays)
    return MinivaeError(f"{name} takes {wanted}; the shapes are {shapes}")


def is_row_strided(a: np.ndarray) -> bool:
    """Are the numbers of each row contiguous? `matmul` takes such an array without copying it."""
    right = a.ndim == 2 and a.dtype in (FLOAT32, FLOAT64) and a.flags.aligned
    return right and a.strides[1] == a.itemsize


def rows(a: np.ndarray) -> np.ndarray:
    """(B, D) as it is, (K, B, D) as (K B, D)."""
    if a.ndim == 2:
        return a
    return a.reshape(math.prod(a.shape[:-1]), a.shape[-1])  # -1 is ambiguous if D = 0

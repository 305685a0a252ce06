"""Checks of a model's parameters that come from elsewhere: other libraries, and their files."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from minivae.checks.values import printable
from minivae.errors import MinivaeError

FLOATS = (np.dtype(np.float32), np.dtype(np.float64))


def check_flat(flat: Any, n_params: int, what: str) -> None:
    """Raise MinivaeError unless `flat` is a float32 or float64 vector of that many numbers."""
    shape, dtype = np.shape(flat), getattr(flat, "dtype", type(flat).__name__)
    if shape != (n_params,) or dtype not in FLOATS:
        raise MinivaeError(
            f"{what} is {dtype} {shape}; this spec takes float32 or float64 ({n_params},)"
        )


def check_named_arrays(
    arrays: Mapping[str, np.ndarray], shapes: Mapping[str, tuple[int, ...]], where: str
) -> None:
    """Raise MinivaeError unless the arrays have these names and shapes, and one float type."""
    missing, extra = shapes.keys() - arrays, arrays.keys() - shapes
    if missing or extra:
        name = printable(min(missing or extra))
        raise MinivaeError(
            f"{where} {'lacks' if missing else 'has an extra'} tensor {name}; "
            f"this spec takes {', '.join(shapes)}"
        )
    for name, shape in shapes.items():
        if arrays[name].shape != shape:
            raise MinivaeError(
                f"{where} has {name} of shape {arrays[name].shape}; this spec takes {shape}"
            )
    dtypes = {array.dtype for array in arrays.values()}
    if len(dtypes) != 1 or not dtypes <= set(FLOATS):
        found = " and ".join(sorted(map(str, dtypes)))
        raise MinivaeError(f"{where} holds {found}; it must be all float32 or all float64")


def check_finite_parameters(flat: np.ndarray, where: str) -> None:
    """Raise MinivaeError if a parameter is NaN or infinite."""
    if not np.isfinite(flat).all():
        raise MinivaeError(
            f"{where} holds NaN or infinity; transfer an earlier state, which is finite"
        )


def check_out_logvar(out_logvar: np.ndarray, floor: float, where: str) -> None:
    """Raise MinivaeError if the learned log variance, shape (1,), is below its floor."""
    lowest = out_logvar.dtype.type(floor)
    if out_logvar[0] < lowest:
        raise MinivaeError(
            f"{where} has out_logvar {out_logvar[0]:.4g}, below minivae's floor of {lowest:.4g}; "
            "call clamp_variance after every step of the optimiser"
        )

"""Plain numerical gradients with one step, for a function that varies on a scale of about 1.

They are what the notebooks and the tests compare with. `check_grad` takes a ladder of steps, and
gives each entry an error bar. All of it needs float64: in float32 the differences of a correct
gradient are off by about one per cent.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from minivae.errors import MinivaeError

COMPLEX_H = 1e-30  # nothing is subtracted, so it can be so small that its square underflows
EPS64 = np.finfo(np.float64).eps
PRIVATE_KEY = int.from_bytes(b"minivae.checking", "big")

Function = Callable[[np.ndarray], Any]  # of one array; what it returns is checked


def central_differences(f: Function, x: np.ndarray) -> np.ndarray:
    """df/dx, every entry: (f(x + h e_i) - f(x - h e_i)) / 2h.  f: array -> number; like x.

    There are two errors: truncation, h^2 f'''/6, and the rounding of f, eps |f| / h. Their sum is
    least at h = (3 eps |f| / f''')^(1/3). `_step` takes f''' = 1 and h <= 1e-4, and h is scaled by
    the entry: this assumes that f varies on a scale of max(1, |x|).
    """
    x = _float64(x)
    step = _step(_number(f(x.copy())))
    gradient = np.empty_like(x)
    for i in np.ndindex(x.shape):
        above, below = x.copy(), x.copy()
        above[i] += step * max(1.0, abs(x[i]))
        below[i] -= step * max(1.0, abs(x[i]))
        two_h = above[i] - below[i]  # exactly, whatever rounding did to both
        gradient[i] = (_number(f(above)) - _number(f(below))) / two_h
    return gradient


def complex_step(f: Function, x: np.ndarray) -> np.ndarray:
    """df/dx, every entry: Im f(x + i h e_i) / h  [Squire and Trapp 1998].  f: array -> number.

    f(x + ih) = f(x) + ih f'(x) - ..., so the imaginary part is the derivative, with no difference
    of near-equal numbers: exact to rounding. f must take complex numbers, and must not use abs,
    conj or a comparison of them.
    """
    x = _float64(x)
    gradient = np.empty_like(x)
    for i in np.ndindex(x.shape):
        perturbed = x.astype(complex)
        perturbed[i] += 1j * COMPLEX_H
        gradient[i] = _imaginary(f(perturbed)) / COMPLEX_H
    return gradient


def private_rng(seed: int) -> np.random.Generator:
    """A Generator whose stream differs from that of `default_rng(seed)`.

    A check must not draw the same numbers as the reader: with the same stream, dy could be equal to
    the x that the reader drew with the same seed, and a direction could point along x.
    """
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(PRIVATE_KEY,)))


def block_error(analytic: np.ndarray, numeric: np.ndarray) -> float:
    """max|a - n| / max(max|a|, max|n|); 0 where both are 0, inf where either is not finite."""
    analytic, numeric = np.asarray(analytic), np.asarray(numeric)
    if not (np.isfinite(analytic).all() and np.isfinite(numeric).all()):
        return float("inf")
    scale = max(np.abs(analytic).max(), np.abs(numeric).max())
    return float(np.abs(analytic - numeric).max() / scale) if scale > 0 else 0.0


def _step(value: float) -> float:
    return min(1e-4, np.cbrt(3 * EPS64 * max(1.0, abs(value))))


def _float64(x: Any) -> np.ndarray:
    x = np.asarray(x)
    if x.dtype.kind not in "biuf" or x.size == 0:
        raise MinivaeError(
            f"x has dtype {x.dtype} and shape {x.shape}; it must hold real numbers, at least one"
        )
    return x.astype(np.float64)


def _number(value: Any) -> float:
    """The value of f as a float. Raises MinivaeError unless it is one real float64."""
    value = np.asarray(value)
    if value.size != 1:
        raise MinivaeError(f"f returned shape {value.shape}; it must return one number")
    if value.dtype in (np.float16, np.float32):
        raise MinivaeError(
            f"f returned {value.dtype}; differences need float64 (do not cast inside f)"
        )
    if value.dtype.kind not in "biuf":
        raise MinivaeError(f"f returned {value.dtype}; it must return a real number")
    return float(value.reshape(()))


def _imaginary(value: Any) -> float:
    """The imaginary part of the value of f. Raises MinivaeError unless it is one complex number."""
    value = np.asarray(value)
    if value.size != 1:
        raise MinivaeError(f"f returned shape {value.shape}; it must return one number")
    if value.dtype.kind != "c":
        raise MinivaeError(
            f"f returned {value.dtype} for complex input; the complex step needs a complex "
            "number (no abs, conj, .real or float() on the way)"
        )
    return float(value.imag.reshape(()))

"""Plain numerical gradients with one step, and how a whole block compares with them.

For the model check, whose points are chosen so that one step suits every entry. `check_grad` judges
each entry by itself, over a ladder of steps.

The error of a gradient is max|a - n| / max(max|a|, max|n|) over its entries, where a is by hand and
n numerical (0 where both are 0). A relative error of each entry would reject a correct gradient
wherever it is tiny. All of it needs float64: in float32 the differences of a correct gradient are
off by about one per cent.

A gradient check cannot detect a wrong formula whose gradient is right.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from minivae.errors import MinivaeError

CENTRAL_BOUND = 1e-7
COMPLEX_BOUND = 1e-12
COMPLEX_H = 1e-30  # nothing is subtracted, so it can be so small that its square underflows
EPS64 = np.finfo(np.float64).eps
VARIES = "the ratio is not the same everywhere"
BLURRED = "rounding errors are too large to see a pattern"
ROUNDING_ALONE = (
    "rounding alone explains an error of this size, because the function's value is so large; "
    "leave out its large constant part, or use the complex step"
)
# a pattern is reported if it explains the gradient to within this relative error
PATTERN_TOL = 1e-5
ROUNDINGS = 4  # about how many roundings of f add up in one difference
PRIVATE_KEY = int.from_bytes(b"minivae.checking", "big")

Function = Callable[[np.ndarray], Any]  # of one array; what it returns is checked


class BlockReport(NamedTuple):
    """One gradient compared with the numerical one."""

    name: str
    ok: bool
    error: float  # max|a - n| / max(max|a|, max|n|) over the block
    worst_index: tuple[int, ...]
    analytic: float  # by hand, at the worst entry
    numeric: float  # at the worst entry
    ratio: float | None  # analytic / numeric, if the block is wrong by one constant factor
    sentence: str  # "right", or what is wrong


# ---- numerical gradients ---------------------------------------------------------------------


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


def central_slopes(f: Function, x: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """d f(x + t d) / dt at t = 0 for each direction d, by central differences: (n, *) -> (n,)."""
    x = _float64(x)
    h = _step(_number(f(x.copy())))
    return np.array([(_number(f(x + h * d)) - _number(f(x - h * d))) / (2 * h) for d in directions])


def complex_slopes(f: Function, x: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """d f(x + t d) / dt at t = 0 for each direction d, by the complex step: (n, *) -> (n,)."""
    x = _float64(x)
    return np.array([_imaginary(f(x + 1j * COMPLEX_H * d)) / COMPLEX_H for d in directions])


def central_noise(value: float, x: np.ndarray, size: float | None = None) -> np.ndarray:
    """A bound on the rounding error of `central_differences` of an f with this value: like x.

    About eps |f| / h. size: the sum of the absolute terms, where f is a sum whose terms cancel.
    """
    h = _step(value) * np.maximum(1.0, np.abs(x))
    return ROUNDINGS * EPS64 * abs(value if size is None else size) / h


def is_blurred(numeric: np.ndarray, noise: np.ndarray | float) -> bool:
    """Whether the rounding error is too large to see a pattern in the gradient."""
    return np.max(noise) > PATTERN_TOL * np.abs(numeric).max()


GRADIENTS = {"central": central_differences, "complex": complex_step}
SLOPES = {"central": central_slopes, "complex": complex_slopes}


def private_rng(seed: int) -> np.random.Generator:
    """A Generator whose stream differs from that of `default_rng(seed)`.

    A check must not draw the same numbers as the reader: with the same stream, dy could be equal to
    the x that the reader drew with the same seed, and a direction could point along x.
    """
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(PRIVATE_KEY,)))


def random_directions(shape: tuple[int, ...], n: int, seed: int = 0) -> np.ndarray:
    """n directions of length 1, uniformly distributed: (n, *shape)."""
    directions = private_rng(seed).standard_normal((n, *shape))
    return directions / np.sqrt(
        (directions**2).sum(axis=tuple(range(1, 1 + len(shape))), keepdims=True)
    )


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


# ---- comparing -------------------------------------------------------------------------------


def block_error(analytic: np.ndarray, numeric: np.ndarray) -> float:
    """max|a - n| / max(max|a|, max|n|); 0 where both are 0, inf where either is not finite."""
    analytic, numeric = np.asarray(analytic), np.asarray(numeric)
    if not (np.isfinite(analytic).all() and np.isfinite(numeric).all()):
        return float("inf")
    scale = max(np.abs(analytic).max(), np.abs(numeric).max())
    return float(np.abs(analytic - numeric).max() / scale) if scale > 0 else 0.0


def compare(
    name: str,
    analytic: np.ndarray,
    numeric: np.ndarray,
    bound: float,
    sizes: dict[str, int] | None = None,
    noise: np.ndarray | float = 0.0,
) -> BlockReport:
    """One block's gradient by hand, compared with the numerical one -> BlockReport.

    sizes: {"the batch size B": 4, ...}, factors that a wrong sum or mean would leave.
    noise: a bound on the rounding error of each entry (`central_noise`); a block that is off by no
    more than that is not called right, but nothing is claimed to be wrong with it either.
    """
    analytic, numeric = np.asarray(analytic), np.asarray(numeric)
    if analytic.shape != numeric.shape:
        sentence = f"the gradient has shape {analytic.shape}; {name} has {numeric.shape}"
        nowhere = (0,) * numeric.ndim
        return BlockReport(
            name, False, float("inf"), nowhere, np.nan, numeric[nowhere], None, sentence
        )
    error = block_error(analytic, numeric)
    gap = np.where(np.isfinite(analytic - numeric), np.abs(analytic - numeric), np.inf)
    worst = tuple(int(i) for i in np.unravel_index(gap.argmax(), gap.shape))
    a, n = float(analytic[worst]), float(numeric[worst])
    ok = error <= bound
    significant = not ok and not (gap <= noise).all()
    ratio = constant_ratio(analytic, numeric) if significant else None
    sentence = "right" if ok else _verdict(analytic, numeric, worst, ratio, sizes or {}, noise)
    return BlockReport(name, ok, error, worst, a, n, ratio, sentence)


def constant_ratio(analytic: np.ndarray, numeric: np.ndarray) -> float | None:
    """analytic / numeric where that is the same at every entry, else None."""
    analytic, numeric = np.ravel(analytic), np.ravel(numeric)
    if not (np.isfinite(analytic).all() and np.isfinite(numeric).all() and numeric.any()):
        return None
    ratio = float(analytic @ numeric / (numeric @ numeric))
    return ratio if block_error(analytic, ratio * numeric) <= PATTERN_TOL else None


def name_ratio(ratio: float, sizes: dict[str, int]) -> str | None:
    """What a constant ratio means, or None if no common mistake causes it."""
    if is_close(ratio, 0):
        return "it is zero: this path of the gradient is missing"
    meanings = []
    if is_close(ratio, 2):
        meanings.append(
            "exactly twice too large: a factor 1/2 is missing, or a term is counted twice"
        )
    if is_close(ratio, 0.5):
        meanings.append(
            "exactly half of the right value: a factor 2 is missing, or there is one 1/2 too many"
        )
    if is_close(ratio, -1):
        meanings.append("the right size with the wrong sign: a minus is missing")
    for label, size in sizes.items():
        if size > 1 and is_close(ratio, size):
            meanings.append(
                f"{size} times too large, and {size} is {label}: a sum is used instead of a mean"
            )
        if size > 1 and is_close(ratio, 1 / size):
            meanings.append(
                f"{size} times too small, and {size} is {label}: a mean is used instead of a sum"
            )
    if not meanings and ratio < 0 and (without_sign := name_ratio(-ratio, sizes)):
        meanings.append(f"of the wrong sign, and {without_sign}")
    return "; or ".join(meanings) or None


def is_close(a: float, b: float) -> bool:
    """Are the two equal to within PATTERN_TOL?"""
    return abs(a - b) <= PATTERN_TOL * max(abs(a), abs(b), PATTERN_TOL)


def _verdict(
    analytic: np.ndarray,
    numeric: np.ndarray,
    worst: tuple[int, ...],
    ratio: float | None,
    sizes: dict[str, int],
    noise: np.ndarray | float,
) -> str:
    if not np.isfinite(analytic).all():
        return f"the gradient by hand is {analytic[worst]} at {list(worst)}"
    if not np.isfinite(numeric).all():
        return f"the function itself is not finite near x: its derivative is {numeric[worst]}"
    where = f"at {list(worst)} by hand {analytic[worst]:.6g}, numerically {numeric[worst]:.6g}"
    if (np.abs(analytic - numeric) <= noise).all():
        return f"{where}: I can't tell; {ROUNDING_ALONE}"
    if not numeric.any():
        return f"{where}: the function does not depend on this block at all"
    if ratio is None:
        return f"{where}; {BLURRED if is_blurred(numeric, noise) else VARIES}"
    if is_close(ratio, 1):
        return f"{where}: nearly right (is a part of it computed in float32?)"
    if meaning := name_ratio(ratio, sizes):
        return f"{where}: {meaning}"
    everywhere = " at every entry" if numeric.size > 1 else ""
    return f"{where}: {ratio:.6g} times the right value{everywhere}"

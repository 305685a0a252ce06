"""Numerical gradients, and how a gradient by hand compares with them.

The error of a gradient is max|a - n| / max(max|a|, max|n|) over its entries, a by hand and n by
numbers (0 where both vanish). Entry by entry a correct gradient would look wrong wherever it is
tiny. All of it needs float64: in float32 a correct gradient is off by a hundredth.

What no gradient check sees: a wrong formula whose gradient is right.
"""

from typing import NamedTuple

import numpy as np

from minivae.errors import MinivaeError

CENTRAL_BOUND = 1e-7
COMPLEX_BOUND = 1e-12
BOUNDS = {"central": CENTRAL_BOUND, "complex": COMPLEX_BOUND}
COMPLEX_H = 1e-30  # its square vanishes, and nothing is subtracted, so that it can be this small
EPS64 = np.finfo(np.float64).eps
VARIES = "the ratio is not the same everywhere"
BLURRED = "rounding blurs the numbers too much to see a pattern"
ROUNDING_ALONE = (
    "rounding alone moves the differences of so large a value by that much; leave out the large "
    "part that does not change, or use the complex step"
)
PATTERN_TOL = 1e-5  # a pattern is claimed where it explains all but this part of a gradient
ROUNDINGS = 4  # f is not rounded just once
PRIVATE_KEY = int.from_bytes(b"minivae.checking", "big")


class BlockReport(NamedTuple):
    """One gradient against its numerical witness."""

    name: str
    ok: bool
    error: float  # max|a - n| / max(max|a|, max|n|) over the block
    worst_index: tuple[int, ...]
    analytic: float  # by hand, at the worst entry
    numeric: float  # by numbers, at the worst entry
    ratio: float | None  # analytic / numeric, where a wrong block has one number for all entries
    sentence: str


# ---- numerical gradients ---------------------------------------------------------------------


def central_differences(f, x):
    """df/dx, every entry: (f(x + h e_i) - f(x - h e_i)) / 2h.  f: array -> number; like x.

    Two errors pull on h: the parabola left out, h^2 f'''/6, and the rounding of f, eps |f| / h.
    Their sum is least at h = (3 eps |f| / f''')^(1/3). `_step` takes f''' for 1, at most 1e-4,
    and lets h grow with the entry: so f may bend on a scale of 1, or of x where x is larger.
    """
    x = _float64(x)
    step = _step(_number(f(x.copy())))
    gradient = np.empty_like(x)
    for i in np.ndindex(x.shape):
        above, below = x.copy(), x.copy()
        above[i] += step * max(1.0, abs(x[i]))
        below[i] -= step * max(1.0, abs(x[i]))
        two_h = above[i] - below[i]  # what the sums really came to, after rounding
        gradient[i] = (_number(f(above)) - _number(f(below))) / two_h
    return gradient


def complex_step(f, x):
    """df/dx, every entry: Im f(x + i h e_i) / h  [Squire and Trapp 1998].  f: array -> number.

    f(x + ih) = f(x) + ih f'(x) - ..., so the imaginary part holds the slope with nothing to
    subtract it from: exact to rounding. f must take complex numbers, and must not use abs,
    conj or a comparison of them.
    """
    x = _float64(x)
    gradient = np.empty_like(x)
    for i in np.ndindex(x.shape):
        bent = x.astype(complex)
        bent[i] += 1j * COMPLEX_H
        gradient[i] = _imaginary(f(bent)) / COMPLEX_H
    return gradient


def central_slopes(f, x, directions):
    """d f(x + t d) / dt at t = 0 for each direction d, by central differences: (n, *) -> (n,)."""
    x = _float64(x)
    h = _step(_number(f(x.copy())))
    return np.array([(_number(f(x + h * d)) - _number(f(x - h * d))) / (2 * h) for d in directions])


def complex_slopes(f, x, directions):
    """d f(x + t d) / dt at t = 0 for each direction d, by the complex step: (n, *) -> (n,)."""
    x = _float64(x)
    return np.array([_imaginary(f(x + 1j * COMPLEX_H * d)) / COMPLEX_H for d in directions])


def central_noise(value, x, size=None):
    """How far rounding alone may move `central_differences` of an f of this value: like x.

    About eps |f| / h. size: the sum of the absolute terms, where f is a sum whose terms cancel.
    """
    h = _step(value) * np.maximum(1.0, np.abs(x))
    return ROUNDINGS * EPS64 * abs(value if size is None else size) / h


def is_blurred(numeric, noise):
    """Is the rounding noise so large beside the gradient that no pattern could be seen in it?"""
    return np.max(noise) > PATTERN_TOL * np.abs(numeric).max()


GRADIENTS = {"central": central_differences, "complex": complex_step}
SLOPES = {"central": central_slopes, "complex": complex_slopes}


def private_rng(seed):
    """A Generator that no seed in a reader's hands leads to, unless it spells out the key.

    What a check draws must not be what it checks: with the stream of default_rng(0) a random dy
    would be the x that the reader drew from it, and a direction would point along x.
    """
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(PRIVATE_KEY,)))


def random_directions(shape, n, seed=0):
    """n directions of length 1, each way as likely as any other: (n, *shape)."""
    directions = private_rng(seed).standard_normal((n, *shape))
    return directions / np.sqrt(
        (directions**2).sum(axis=tuple(range(1, 1 + len(shape))), keepdims=True)
    )


def _step(value):
    return min(1e-4, np.cbrt(3 * EPS64 * max(1.0, abs(value))))


def _float64(x):
    x = np.asarray(x)
    if x.dtype.kind not in "biuf" or x.size == 0:
        raise MinivaeError(
            f"x has dtype {x.dtype} and shape {x.shape}; it must hold real numbers, at least one"
        )
    return x.astype(np.float64)


def _number(value):
    """The value of f as a float, or MinivaeError for what cannot be differenced."""
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


def _imaginary(value):
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


def block_error(analytic, numeric):
    """max|a - n| / max(max|a|, max|n|); 0 where both vanish, inf where either is not finite."""
    analytic, numeric = np.asarray(analytic), np.asarray(numeric)
    if not (np.isfinite(analytic).all() and np.isfinite(numeric).all()):
        return float("inf")
    scale = max(np.abs(analytic).max(), np.abs(numeric).max())
    return float(np.abs(analytic - numeric).max() / scale) if scale > 0 else 0.0


def compare(name, analytic, numeric, bound, sizes=None, noise=0.0):
    """One block's gradient by hand against the one by numbers -> BlockReport.

    sizes: {"the batch size B": 4, ...}, numbers that a wrong sum or mean could have left behind.
    noise: how far rounding may have moved each number (`central_noise`); a block that is off by
    no more than that is not called right, but nothing is claimed to be wrong with it either.
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
    told = not ok and not (gap <= noise).all()
    ratio = constant_ratio(analytic, numeric) if told else None
    sentence = "right" if ok else _verdict(analytic, numeric, worst, ratio, sizes or {}, noise)
    return BlockReport(name, ok, error, worst, a, n, ratio, sentence)


def constant_ratio(analytic, numeric):
    """analytic / numeric where that is one number for the whole block, else None."""
    analytic, numeric = np.ravel(analytic), np.ravel(numeric)
    if not (np.isfinite(analytic).all() and np.isfinite(numeric).all() and numeric.any()):
        return None
    ratio = float(analytic @ numeric / (numeric @ numeric))
    return ratio if block_error(analytic, ratio * numeric) <= PATTERN_TOL else None


def name_ratio(ratio, sizes):
    """What a constant ratio means, or None where no usual mistake leaves it."""
    if is_close(ratio, 0):
        return "it is zero: this path of the gradient is lost"
    meanings = []
    if is_close(ratio, 2):
        meanings.append("exactly twice too large: a half was lost, or a term counted twice")
    if is_close(ratio, 0.5):
        meanings.append("exactly half of the right value: a factor 2 was lost, or a half is extra")
    if is_close(ratio, -1):
        meanings.append("of the right size and the wrong sign: a minus was lost")
    for label, size in sizes.items():
        if size > 1 and is_close(ratio, size):
            meanings.append(
                f"{size} times too large, and {size} is {label}: a sum where a mean was meant"
            )
        if size > 1 and is_close(ratio, 1 / size):
            meanings.append(
                f"{size} times too small, and {size} is {label}: a mean where a sum was meant"
            )
    if not meanings and ratio < 0 and (without_sign := name_ratio(-ratio, sizes)):
        meanings.append(f"of the wrong sign, and {without_sign}")
    return "; or ".join(meanings) or None


def is_close(a, b):
    return abs(a - b) <= PATTERN_TOL * max(abs(a), abs(b), PATTERN_TOL)


def _verdict(analytic, numeric, worst, ratio, sizes, noise):
    if not np.isfinite(analytic).all():
        return f"the gradient by hand is {analytic[worst]} at {list(worst)}"
    if not np.isfinite(numeric).all():
        return f"the function itself is not finite near x: its slope is {numeric[worst]}"
    where = f"at {list(worst)} by hand {analytic[worst]:.6g}, by numbers {numeric[worst]:.6g}"
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


# ---- a reader's own gradient -----------------------------------------------------------------


def check_grad(f, df, x, *, method="central", bound=None, name="x", sizes=None):
    """Is df the gradient of f at x?  f: array -> number, df: array -> like x; -> BlockReport.

    Every entry, by method "central" (bound 1e-7) or "complex" (bound 1e-12). Take an x that is
    generic: no zeros, no ones, not square. Of notebook 03's thirteen wrong Gaussian KLs, eight have
    the right gradient at zero. Raises MinivaeError where f cannot be differenced.
    """
    bound = _bound(method, bound)
    x = _float64(x)
    numeric = GRADIENTS[method](f, x)
    noise = central_noise(_number(f(x.copy())), x) if method == "central" else 0.0
    return compare(name, np.asarray(df(x.copy())), numeric, bound, sizes, noise)


def check_directions(f, df, x, *, n=4, seed=0, method="central", bound=None, name="x"):
    """Is df the gradient of f at x, along n random directions?  -> BlockReport, index: direction.

    Two evaluations for each direction, however many entries x has. A wrong gradient passes only
    where its error is at right angles to all of the directions, which has probability zero: they
    come from a stream of the check's own (`private_rng`), not from that of an x drawn with `seed`.
    """
    bound = _bound(method, bound)
    x = _float64(x)
    directions = random_directions(x.shape, n, seed)
    gradient = np.asarray(df(x.copy()))
    if gradient.shape != x.shape:
        return compare(name, gradient, x, bound)
    analytic = np.array([np.vdot(gradient, d) for d in directions])
    numeric = SLOPES[method](f, x, directions)
    central = method == "central"
    noise = central_noise(_number(f(x.copy())), np.zeros(n)) if central else 0.0
    return compare(f"{name} along {n} directions", analytic, numeric, bound, noise=noise)


def _bound(method, bound):
    if method not in BOUNDS:
        raise MinivaeError(f"method is {method!r}; it must be one of {tuple(BOUNDS)}")
    return BOUNDS[method] if bound is None else bound

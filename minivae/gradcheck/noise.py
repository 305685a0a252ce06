"""How noisy a function is: the size of the error in its values, from the values alone.

A float64 function is off by its rounding, about 1e-16 of what is added up in it; one that computes
in float32 somewhere, or solves an equation to a tolerance, is off by far more. The error bar of a
difference rests on this number.
"""

from collections.abc import Callable

import numpy as np

EPS64 = float(np.finfo(np.float64).eps)
EPS32 = float(np.finfo(np.float32).eps)
NEAR_POINTS = 4  # besides x, to see the rounding in a derivative
NEAR_SPACING = 4096.0  # roundings
POINTS = 9  # equally spaced points on the line
ORDERS = (3, 4, 5)  # of the differences that are taken for noise
FIRST_SPACING = 16 * EPS64  # of the points, as a share of x
COARSER = 10  # where most values are equal, the spacing is below what f resolves
MUCH_COARSER = 100  # for the sawtooth of an f that is resolved
WIDEST_SPACING = 1.0
COARSE_SPACING = 1e-8  # up to here, a sawtooth of f's own is looked for
SPREAD_POINTS = 12  # further away, to see whether all values lie on a grid
FEWEST_CHANGES = 4  # to speak of a grid
OFF_GRID = 1e-4  # of the smallest change: what a value on a grid may be off
FINEST_GRID = 100  # of the smallest change: fewer values than this may lie between
ALIKE = 4.0  # noise has the same size in the differences of every order, to within this factor


def noise_of(
    f: Callable[[np.ndarray], float],
    x: np.ndarray,
    value: float,
    rng: np.random.Generator,
    *,
    analytic: bool = False,
) -> float:
    """The standard deviation of the error in the values of f near x.

    The values at nine points within a few roundings of x, along a random direction, should lie on a
    straight line. Their third to fifth differences are what does not, each divided by what
    independent errors of size 1 would make of it. Where most neighbours are equal, f does not
    resolve so small a step, and a ten times larger one is taken [More and Wild 2011, Estimating
    computational noise, algorithm ECnoise; Hamming 1971]. A change among equal values is then one
    step of what f resolves, and half of it is noise, even if the larger steps happen to be whole
    numbers of them. Where none is resolved, the smallest change that was seen is the noise.

    analytic: whether f is known to be so; then no sawtooth or grid of coarser values is looked for.
    """
    direction = np.where(x == 0, 0.0, np.abs(x)) * rng.choice((-1.0, 1.0), x.size)
    direction *= rng.uniform(0.5, 1.0, x.size)
    noise = rounding(np.array([value]), value)
    spacing, smallest, resolution, resolved = FIRST_SPACING, np.inf, np.inf, False
    seen = [np.array([value])]
    while direction.any() and spacing < (COARSE_SPACING if resolved else WIDEST_SPACING):
        steps = spacing * (np.arange(POINTS) - POINTS // 2)
        values = np.array([f(x + step * direction) for step in steps])
        if not np.isfinite(values).all():
            break
        seen.append(values)
        if np.count_nonzero(np.diff(values) == 0) <= (POINTS - 1) // 2:
            sizes = _deviations(values)
            if not resolved:
                noise = max(noise, max(sizes), rounding(values, value))
            elif max(sizes) <= ALIKE * min(sizes):  # a smooth f would give ever smaller ones
                noise = max(noise, max(sizes))
            resolved = True
            if analytic:
                break
        changes = np.abs(np.diff(values))
        smallest = min(smallest, changes[changes > 0].min(initial=np.inf))
        if not resolved:
            resolution = smallest
        spacing *= MUCH_COARSER if resolved else COARSER
    step = resolution / 2 if resolved else smallest
    if np.isfinite(step):
        noise = max(noise, float(step))
    if not analytic:
        shares = rng.uniform(-1, 1, SPREAD_POINTS) * np.geomspace(1e-4, 1, SPREAD_POINTS)
        seen.append(np.array([f(x + share * direction) for share in shares]))
        noise = max(noise, grain(np.concatenate(seen)) / 2)
    return noise


def grain(values: np.ndarray) -> float:
    """The largest number whose multiples all the differences of these values are, or 0 where
    there is none above their rounding: the grid of an f that is rounded."""
    values = values[np.isfinite(values)]
    changes = np.abs(np.diff(np.unique(values)))
    rounding = 8 * EPS64 * np.abs(values).max(initial=0.0)
    changes = changes[changes > rounding]
    if changes.size < FEWEST_CHANGES:
        return 0.0
    smallest = changes.min()
    tolerance = max(OFF_GRID * smallest, rounding)
    found = smallest
    for change in changes:  # Euclid, to a tolerance
        a, b = change, found
        while b > tolerance:
            a, b = b, abs(a - b * round(a / b))
        found = a
        if found < smallest / FINEST_GRID or found <= 4 * tolerance:
            return 0.0
    return float(found)


def roughness(values: np.ndarray, orders: tuple[int, ...] = (2, 3)) -> np.ndarray:
    """The noise in each column of values at equally spaced points: (points, N) -> (N,)."""
    differences = [np.abs(np.diff(values, k, axis=0)).max(axis=0) / _gain(k) ** 0.5 for k in orders]
    return np.max(differences, axis=0)


def near(x: np.ndarray, eps: float, rng: np.random.Generator) -> list[np.ndarray]:
    """NEAR_POINTS equally spaced points on a line through x, thousands of roundings apart.

    Neighbours share no pattern of rounding, and f is straight between them.
    """
    direction = NEAR_SPACING * eps * x * rng.uniform(0.5, 1.0, x.size)
    return [x + k * direction for k in range(1, NEAR_POINTS + 1)]


def _deviations(values: np.ndarray) -> list[float]:
    """The noise in equally spaced values, from their differences of each of ORDERS."""
    largest = np.abs(values).max()  # divided out, so that no square overflows
    if largest == 0:
        return [0.0] * len(ORDERS)
    scaled = values / largest
    mean_squares = [(np.diff(scaled, order) ** 2).mean() / _gain(order) for order in ORDERS]
    return [float(np.sqrt(square) * largest) for square in mean_squares]


def _gain(order: int) -> float:
    """The variance of a difference of this order of independent errors of variance 1."""
    return float(np.prod([(order + i) / i for i in range(1, order + 1)]))  # (2k)! / (k!)^2


def rounding(values: np.ndarray, value: float) -> float:
    """Half a unit in the last place of f, in float32 if all its values are such numbers."""
    with np.errstate(over="ignore"):
        single = len(set(values.tolist())) > 1 and (values == values.astype(np.float32)).all()
    return (EPS32 if single else EPS64) / 2 * abs(value)

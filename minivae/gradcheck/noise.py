"""How noisy a function is: the size of the error in its values, from the values alone.

A float64 function is off by its rounding, about 1e-16 of what is added up in it; one that computes
in float32 somewhere, or solves an equation to a tolerance, is off by far more. The error bar of a
difference rests on this number.
"""

from collections.abc import Callable

import numpy as np

EPS64 = float(np.finfo(np.float64).eps)
EPS32 = float(np.finfo(np.float32).eps)
POINTS = 9  # equally spaced points on the line
ORDERS = (3, 4, 5)  # of the differences that are taken for noise
FIRST_SPACING = 16 * EPS64  # of the points, as a share of x
COARSER = 100  # where most values are equal, the spacing is below what f resolves
WIDEST_SPACING = 1e-4


def noise_of(
    f: Callable[[np.ndarray], float], x: np.ndarray, value: float, rng: np.random.Generator
) -> float:
    """The standard deviation of the error in the values of f near x.

    The values at nine points within a few roundings of x, along a random direction, should lie on a
    straight line. Their third to fifth differences are what does not, each divided by what
    independent errors of size 1 would make of it. Where most neighbours are equal, f does not
    resolve so small a step, and a hundred times larger one is taken [More and Wild 2011, Estimating
    computational noise, algorithm ECnoise; Hamming 1971].
    """
    direction = np.where(x == 0, 0.0, np.abs(x)) * rng.choice((-1.0, 1.0), x.size)
    direction *= rng.uniform(0.5, 1.0, x.size)
    spacing = FIRST_SPACING
    while direction.any() and spacing < WIDEST_SPACING:
        steps = spacing * (np.arange(POINTS) - POINTS // 2)
        values = np.array([f(x + step * direction) for step in steps])
        if not np.isfinite(values).all():
            break
        if np.count_nonzero(np.diff(values) == 0) <= (POINTS - 1) // 2:
            return max(_deviation(values), rounding(values, value))
        spacing *= COARSER
    return rounding(np.array([value]), value)


def _deviation(values: np.ndarray) -> float:
    largest = np.abs(values).max()  # divided out, so that no square overflows
    if largest == 0:
        return 0.0
    sizes = []
    for order in ORDERS:
        differences = np.diff(values / largest, order)
        sizes.append(np.sqrt((differences**2).mean() / _gain(order)))
    return float(max(sizes) * largest)


def _gain(order: int) -> float:
    """The variance of a difference of this order of independent errors of variance 1."""
    return float(np.prod([(order + i) / i for i in range(1, order + 1)]))  # (2k)! / (k!)^2


def rounding(values: np.ndarray, value: float) -> float:
    """Half a unit in the last place of f, in float32 if all its values are such numbers."""
    with np.errstate(over="ignore"):
        single = len(set(values.tolist())) > 1 and (values == values.astype(np.float32)).all()
    return (EPS32 if single else EPS64) / 2 * abs(value)

"""The complex step, where f accepts it: f(x + ih) = f(x) + i h f'(x) - ..., so the imaginary part
divided by h is the derivative, with no difference of near-equal numbers
[Squire and Trapp 1998, Using complex variables to estimate derivatives of real functions].

That holds where f is analytic. One that conjugates, takes an absolute value or a real part gives a
wrong number without a word, so nothing here is believed before differences confirm it.
"""

import warnings

import numpy as np

from minivae.gradcheck.inputs import Function, one_line
from minivae.gradcheck.noise import EPS64

SMALL = 1e-25  # h, as a share of |x|: its square is far below the rounding of x
REPEATS = 3  # evaluations around x that show how much rounding is in the derivative
SPREAD = 8.0  # times the largest deviation of these is taken for its error


class Refuses(Exception):
    """f does not take complex numbers; the message says how it shows."""


def imaginary_step(
    f: Function, x: np.ndarray, along: np.ndarray | int, scale: float, h: float = SMALL
) -> float:
    """The derivative along one entry or direction. scale: how far x may move. Raises Refuses."""
    step = h * scale
    moved = x.astype(np.complex128)
    if isinstance(along, np.ndarray):
        moved += 1j * step * along
    else:
        moved[along] += 1j * step
    with warnings.catch_warnings():
        warnings.simplefilter("error", np.exceptions.ComplexWarning)
        try:
            return f.imaginary(moved) / step
        except Exception as error:
            raise Refuses(one_line(error)) from None


def all_entries(f: Function, x: np.ndarray, scales: np.ndarray) -> np.ndarray:
    """The complex step of every entry: (N,). Raises Refuses."""
    return np.array([imaginary_step(f, x, i, scales[i]) for i in range(x.size)])


def rounding_of(
    f: Function,
    x: np.ndarray,
    along: np.ndarray | int,
    scale: float,
    value: float,
    rng: np.random.Generator,
) -> float:
    """The rounding error in a complex step: how much it changes when x moves by a few roundings.

    An algorithm that is stable returns the exact derivative at a point that differs from x by
    rounding, so this is about the error, as large as it is where f is ill-conditioned.
    """
    deviations = []
    for _ in range(REPEATS):
        moved = x * (1 + 2 * EPS64 * rng.uniform(-1, 1, x.size))
        try:
            deviations.append(abs(imaginary_step(f, moved, along, scale) - value))
        except Refuses:
            return float("inf")
    return SPREAD * max(deviations)

"""The complex step, where f accepts it: f(x + ih) = f(x) + i h f'(x) - ..., so the imaginary part
divided by h is the derivative, with no difference of near-equal numbers
[Squire and Trapp 1998, Using complex variables to estimate derivatives of real functions].

That holds where f is analytic. One that conjugates, takes an absolute value or a real part gives a
wrong number without a word, so differences are taken as well (`entries`, `directions`).
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from minivae.gradcheck.inputs import Function, one_line
from minivae.gradcheck.noise import EPS64, near, roughness

SMALL = 1e-25  # h, as a share of |x|: its square is far below the rounding of x
SPREAD = 8.0  # times the roughness of a derivative is taken for its error


class Refuses(Exception):
    """f does not take complex numbers; the message says how it shows."""


def imaginary_step(
    f: Function, x: np.ndarray, along: np.ndarray | int, scale: float, h: float = SMALL
) -> float:
    """The derivative along one entry or direction. scale: how far x may move. Raises Refuses."""
    with _strictly():
        return _step(f, x, along, scale, h)


def all_entries(f: Function, x: np.ndarray, scales: np.ndarray) -> np.ndarray:
    """The complex step of every entry: (N,). Raises Refuses."""
    with _strictly():
        return np.array([_step(f, x, i, scales[i], SMALL) for i in range(x.size)])


@contextmanager
def _strictly() -> Iterator[None]:
    """Where an imaginary part is dropped, f refuses complex numbers."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", np.exceptions.ComplexWarning)
        try:
            yield
        except Exception as error:
            raise Refuses(one_line(error)) from None


def _step(f: Function, x: np.ndarray, along: np.ndarray | int, scale: float, h: float) -> float:
    step = h * scale
    moved = x.astype(np.complex128)
    if isinstance(along, np.ndarray):
        moved += 1j * step * along
    else:
        moved[along] += 1j * step
    return f.imaginary(moved) / step


def rounding_of(
    f: Function,
    x: np.ndarray,
    along: np.ndarray | int,
    scale: float,
    value: float,
    rng: np.random.Generator,
) -> float:
    """The rounding error in a complex step, from how rough it is as x moves by many roundings.

    That is large where f is ill-conditioned, as the solution of nearly dependent equations.
    """
    try:
        steps = [imaginary_step(f, at, along, scale) for at in near(x, EPS64, rng)]
    except Refuses:
        return float("inf")
    return SPREAD * float(roughness(np.array([[value], *[[s] for s in steps]]))[0])

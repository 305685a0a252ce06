"""Functions whose values or arguments lie on a grid: rounded, counted in steps, or looked up.

`exact` is the function without the grid, whose gradient df is.
"""

from collections.abc import Callable

import numpy as np

from minivae.studies.checkers.case import NOISY, Field, Function, Problem, normal

field = Field("coarse values")


def _squares(x):
    return (x * x).sum()


def _on_grid(f: Function, df: Function, x: np.ndarray, grid: Callable[[float], float]) -> Problem:
    return Problem(lambda x: grid(np.real(f(np.real(x)))), df, x, exact=f)


@field("squares rounded to 1e-3, where the steps are whole numbers of the grid", NOISY)
def _whole_steps():
    x = np.array([0.3, 0.7, 1.1])
    return _on_grid(_squares, lambda x: 2 * x, x, lambda v: np.round(v, 3))


@field("squares rounded to 1e-6", NOISY)
def _fine_grid():
    x = np.array([0.3, 0.7, 1.1])
    return _on_grid(_squares, lambda x: 2 * x, x, lambda v: np.round(v, 6))


@field("squares in units of 2^-10", NOISY)
def _binary_grid():
    x = np.array([0.3, 0.7, 1.1])
    return _on_grid(_squares, lambda x: 2 * x, x, lambda v: np.round(v * 1024) / 1024)


@field("squares of small numbers, rounded down to 1e-3", NOISY)
def _below_the_grid():
    x = 1e-3 * np.array([-0.54, 0.36, 1.3])
    return _on_grid(_squares, lambda x: 2 * x, x, lambda v: np.floor(v * 1000) / 1000)


@field("mean in float16", NOISY)
def _half():
    x = np.array([0.3, 0.7, 1.1])
    return _on_grid(
        lambda x: x.mean(), lambda x: np.full(x.shape, 1 / 3), x, lambda v: float(np.float16(v))
    )


@field("exponentials cast to float32 and back", NOISY)
def _single():
    return _on_grid(
        lambda x: np.exp(x).sum(), np.exp, normal(61, 4), lambda v: float(np.float32(v))
    )


@field("squares of numbers rounded to 1e-6 before they are squared", NOISY)
def _rounded_argument():
    x = 1e-3 * np.array([0.9, 0.45, -0.54])
    return Problem(lambda x: _squares(np.round(np.real(x), 6)), lambda x: 2 * x, x, exact=_squares)


@field("product of numbers rounded to 1e-3", NOISY)
def _rounded_factors():
    x = np.array([0.345, 0.822, 0.33, -1.303]) + 2e-4
    return Problem(
        lambda x: np.prod(np.round(np.real(x), 3)), lambda x: np.prod(x) / x, x, exact=np.prod
    )


@field("a table of sines with 256 steps to 1", NOISY)
def _table():
    def f(x):
        return np.sin(np.floor(np.real(x) * 256) / 256).sum()

    return Problem(f, np.cos, normal(62, 4), exact=lambda x: np.sin(x).sum())

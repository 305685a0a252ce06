"""Values, slopes and arguments of very different sizes, large offsets, steep functions."""

import numpy as np

from minivae.studies.checkers.case import Field, Problem, normal, uniform

field = Field("scales")


@field("a strong and a faint parabola")
def _two():
    return Problem(
        lambda x: 1e5 * x[0] ** 2 + 1e-3 * x[1] ** 2,
        lambda x: np.array([2e5 * x[0], 2e-3 * x[1]]),
        np.array([1.3, 0.7]),
        {"faint entry half": lambda x: np.array([2e5 * x[0], 1e-3 * x[1]])},
    )


@field("strengths from 1e-6 to 1e6 in one sum")
def _strengths():
    c = np.geomspace(1e-6, 1e6, 7)
    return Problem(lambda x: c @ np.sin(x), lambda x: c * np.cos(x), normal(1, 7))


@field("1e-8 sum x^2")
def _faint():
    return Problem(
        lambda x: 1e-8 * (x**2).sum(),
        lambda x: 2e-8 * x,
        normal(2, 6),
        {"five times too large": lambda x: 1e-7 * x},
    )


@field("values of 1e-12")
def _tiny_values():
    return Problem(lambda x: 1e-12 * np.exp(x).sum(), lambda x: 1e-12 * np.exp(x), normal(3, 5))


@field("values of 1e12")
def _huge_values():
    return Problem(
        lambda x: 1e12 * np.tanh(x).sum(), lambda x: 1e12 / np.cosh(x) ** 2, normal(4, 5)
    )


@field("arguments of 1e-12")
def _tiny_arguments():
    return Problem(
        lambda x: np.sin(x / 1e-12).sum(),
        lambda x: np.cos(x / 1e-12) / 1e-12,
        1e-12 * normal(5, 5),
    )


@field("arguments of 1e12")
def _huge_arguments():
    return Problem(
        lambda x: np.exp(-x / 1e12).sum(),
        lambda x: -np.exp(-x / 1e12) / 1e12,
        1e12 * uniform(6, 0.2, 3, 5),
    )


@field("arguments from 1e-9 to 1e9, logarithms")
def _mixed_arguments():
    return Problem(
        lambda x: (np.log(x) ** 2).sum(),
        lambda x: 2 * np.log(x) / x,
        1.1 * np.geomspace(1e-9, 1e9, 7),
    )


@field("sum of logarithms at 1e-3")
def _logs():
    return Problem(lambda x: np.log(x).sum(), lambda x: 1 / x, np.array([1e-3, 2e-3, 3e-3]))


@field("1e6 + sum x^3")
def _offset():
    return Problem(lambda x: 1e6 + (x**3).sum(), lambda x: 3 * x**2, normal(7, 3, 2))


@field("1e10 + product")
def _large_offset():
    return Problem(lambda x: 1e10 + np.prod(x), lambda x: np.prod(x) / x, uniform(8, 0.5, 2, 5))


@field("difference of two sums near 1e8")
def _cancellation():
    t = 1e8 + normal(9, 6)
    return Problem(
        lambda x: ((t + x) ** 2 - t**2).sum() / 1e8, lambda x: 2 * (t + x) / 1e8, normal(10, 6)
    )


@field("exp(50 x)")
def _steep():
    return Problem(
        lambda x: np.exp(50 * x).sum(), lambda x: 50 * np.exp(50 * x), uniform(11, -0.5, 0.5, 4)
    )


@field("x^20")
def _power():
    return Problem(lambda x: (x**20).sum(), lambda x: 20 * x**19, np.array([-1.5, 0.4, 0.9, 2.0]))


@field("1 / x at 1e-8")
def _pole():
    return Problem(lambda x: (1 / x).sum(), lambda x: -1 / x**2, np.array([1e-8, -3e-8, 2e-7]))


@field("sine of 1000 x")
def _fast():
    return Problem(
        lambda x: np.sin(1000 * x).sum(), lambda x: 1000 * np.cos(1000 * x), normal(12, 5)
    )


@field("narrow bump of width 1e-4")
def _bump():
    return Problem(
        lambda x: np.exp(-((x - 0.3) ** 2).sum() / 2e-8),
        lambda x: -(x - 0.3) / 1e-8 * np.exp(-((x - 0.3) ** 2).sum() / 2e-8),
        0.3 + np.array([0.7e-4, -0.4e-4, 1.1e-4]),
    )


@field("steep sigmoid, tanh of 1e4 x")
def _switch():
    return Problem(
        lambda x: np.tanh(1e4 * x).sum(),
        lambda x: 1e4 / np.cosh(1e4 * x) ** 2,
        np.array([3e-5, -1.2e-4, 2e-4]),
    )


@field("a point of zeros")
def _zeros():
    c = normal(13, 5)
    return Problem(lambda x: c @ np.exp(x), lambda x: c * np.exp(x), np.zeros(5))


@field("gradient exactly 0 in some entries")
def _flat():
    return Problem(
        lambda x: x[0] ** 2 + x[1] * x[3],
        lambda x: np.array([2 * x[0], x[3], 0, x[1], 0]),
        np.array([0.0, 1.5, 2.0, -0.7, 3.0]),
        {"an entry that f ignores": lambda x: np.array([2 * x[0], x[3], 0, x[1], 1e-3])},
    )


@field("one variable of shape ()")
def _scalar():
    return Problem(
        lambda x: np.sin(x) * np.exp(x),
        lambda x: np.exp(x) * (np.sin(x) + np.cos(x)),
        np.array(0.4),
    )


@field("four axes")
def _axes():
    c = normal(14, 2, 3, 2, 2)
    return Problem(lambda x: (c * x**3).sum(), lambda x: 3 * c * x**2, normal(15, 2, 3, 2, 2))


@field("linear function")
def _linear():
    c = np.array([3.0, -1e-5, 7e4, 0.5])
    return Problem(lambda x: c @ x, lambda x: c + 0 * x, normal(16, 4))


@field("slope of 1e-7 beside a curvature of 1")
def _stationary():
    return Problem(lambda x: (np.cosh(x) - 1).sum(), np.sinh, np.array([1e-7, -2e-6, 1e-3, 0.5]))


@field("product of thirty factors")
def _product():
    return Problem(np.prod, lambda x: np.prod(x) / x, uniform(17, 0.3, 2, 30))


@field("inflection: cubes near 0")
def _cubes():
    return Problem(lambda x: (x**3).sum(), lambda x: 3 * x**2, np.array([1e-4, -1e-3, 0.05, 1.0]))

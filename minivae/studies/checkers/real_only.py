"""Difficult points of functions that take real numbers only, so that differences must decide."""

import math
from collections.abc import Callable

import numpy as np

from minivae.studies.checkers.case import Field, Problem, normal, uniform
from minivae.studies.checkers.vae_terms import sigmoid

field = Field("real numbers only")


def each(function: Callable[[float], float]) -> Callable[[np.ndarray], np.ndarray]:
    """A function of a float, applied to every entry; it refuses complex numbers."""
    return np.vectorize(lambda v: function(float(v)), otypes=[float])


exp, log, sin, cos, sqrt, tanh = map(
    each, (math.exp, math.log, math.sin, math.cos, math.sqrt, math.tanh)
)


@field("sum of logarithms at 1e-3")
def _logs():
    return Problem(
        lambda x: log(x).sum(),
        lambda x: 1 / x,
        np.array([1e-3, 2e-3, 3e-3]),
        exact=lambda x: np.log(x).sum(),
    )


@field("logarithm at 1e-10, which raises below 0")
def _border():
    return Problem(
        lambda x: log(x).sum(),
        lambda x: 1 / x,
        np.array([1e-10, 1e-4, 0.3]),
        exact=lambda x: np.log(x).sum(),
    )


@field("square root at 1e-8, which raises below 0")
def _root():
    return Problem(
        lambda x: sqrt(x).sum(),
        lambda x: 0.5 / np.sqrt(x),
        np.array([1e-8, 0.01, 3.0]),
        exact=lambda x: np.sqrt(x).sum(),
    )


@field("arccos at 1 - 1e-6, which raises above 1")
def _arccos():
    arccos = each(math.acos)
    return Problem(
        lambda x: arccos(x).sum(),
        lambda x: -1 / np.sqrt((1 - x) * (1 + x)),
        np.array([1 - 2.0**-20, -0.5, 0.9]),
        exact=lambda x: np.arccos(x).sum(),
    )


@field("cross-entropy on probabilities from 0.001 to 0.999")
def _bernoulli():
    t = np.tile([0.0, 1.0], 5)
    p = np.concatenate([np.geomspace(1e-3, 0.4, 5), 1 - np.geomspace(1e-3, 0.4, 5)])

    def exact(p):
        return -(t * np.log(p) + (1 - t) * np.log(1 - p)).sum()

    def f(p):
        return -(t * log(p) + (1 - t) * log(1 - p)).sum()

    return Problem(f, lambda p: (p - t) / (p * (1 - p)), p, exact=exact)


@field("Gaussian with sigma 1e-3, of means")
def _narrow():
    t = normal(1, 6)
    return Problem(
        lambda mu: np.vdot(mu - t, mu - t) / 2e-6,
        lambda mu: (mu - t) / 1e-6,
        t + 1e-3 * normal(2, 6),
        exact=lambda mu: ((mu - t) ** 2).sum() / 2e-6,
    )


@field("1e6 + sum of sines")
def _offset():
    return Problem(
        lambda x: 1e6 + sin(x).sum(), np.cos, normal(3, 5), exact=lambda x: 1e6 + np.sin(x).sum()
    )


@field("strengths from 1e-4 to 1e4")
def _strengths():
    c = np.geomspace(1e-4, 1e4, 7)
    return Problem(
        lambda x: c @ sin(x), lambda x: c * np.cos(x), normal(4, 7), exact=lambda x: c @ np.sin(x)
    )


@field("sine of 1e4 x")
def _fast():
    return Problem(
        lambda x: sin(1e4 * x).sum(),
        lambda x: 1e4 * np.cos(1e4 * x),
        normal(5, 4),
        exact=lambda x: np.sin(1e4 * x).sum(),
    )


@field("steep tanh, of 1e4 x")
def _switch():
    return Problem(
        lambda x: tanh(1e4 * x).sum(),
        lambda x: 1e4 / np.cosh(1e4 * x) ** 2,
        np.array([3e-5, -1.2e-4, 2e-4]),
        exact=lambda x: np.tanh(1e4 * x).sum(),
    )


@field("arguments of 1e-12")
def _tiny():
    return Problem(
        lambda x: sin(x * 1e12).sum(),
        lambda x: 1e12 * np.cos(x * 1e12),
        1e-12 * normal(6, 4),
        exact=lambda x: np.sin(x * 1e12).sum(),
    )


@field("arguments from 1e-9 to 1e9")
def _mixed():
    return Problem(
        lambda x: (log(x) ** 2).sum(),
        lambda x: 2 * np.log(x) / x,
        1.1 * np.geomspace(1e-9, 1e9, 7),
        exact=lambda x: (np.log(x) ** 2).sum(),
    )


@field("a sine at arguments of 1e6")
def _far():
    return Problem(
        lambda x: sin(x).sum(), np.cos, 1e6 + normal(7, 4), exact=lambda x: np.sin(x).sum()
    )


@field("exp(-1 / x^2) at 0.05")
def _flat():
    return Problem(
        lambda x: exp(-1 / x**2).sum(),
        lambda x: 2 / x**3 * np.exp(-1 / x**2),
        np.array([0.05, -0.0502]),
        exact=lambda x: np.exp(-1 / x**2).sum(),
    )


@field("x |x|, whose absolute value hides half of the slope")
def _signed_square():
    return Problem(
        lambda x: (x * np.abs(x)).sum(),
        lambda x: 2 * np.abs(x),
        np.array([-2.0, -0.3, 0.5, 1.7]),
        {"half, as the complex step says": np.abs},
        lambda x: (x * np.sign(x.real) * x).sum(),
    )


@field("the real part is returned")
def _returned():
    c = normal(8, 4)
    return Problem(
        lambda x: float(np.real(c @ np.exp(x))),
        lambda x: c * np.exp(x),
        normal(9, 4),
        exact=lambda x: c @ np.exp(x),
    )


@field("np.vdot of faint entries beside strong ones")
def _faint_vdot():
    def parts(x, strong, faint):
        return np.concatenate([strong * np.cosh(x[:2]), faint * x[2:]])

    return Problem(
        lambda x: 1e6 * np.sinh(x[:2]).sum() + 1e-5 * np.vdot(x[2:], x[2:]),
        lambda x: parts(x, 1e6, 2e-5),
        normal(10, 5),
        {"faint entries 0, as the complex step says": lambda x: parts(x, 1e6, 0)},
        lambda x: 1e6 * np.sinh(x[:2]).sum() + 1e-5 * (x[2:] ** 2).sum(),
    )


@field("np.vdot of entries below the noise")
def _hidden_vdot():
    def parts(x, faint):
        return np.concatenate([1e6 * np.cosh(x[:2]), faint * x[2:]])

    return Problem(
        lambda x: 1e6 * np.sinh(x[:2]).sum() + 1e-12 * np.vdot(x[2:], x[2:]),
        lambda x: parts(x, 2e-12),
        normal(11, 5),
        {"faint entries 0, as the complex step says": lambda x: parts(x, 0)},
        lambda x: 1e6 * np.sinh(x[:2]).sum() + 1e-12 * (x[2:] ** 2).sum(),
    )


@field("variance as a difference of two means, values of 1e4")
def _variance():
    def exact(x):
        return ((x - x.mean()) ** 2).mean()

    return Problem(
        lambda x: np.vdot(x, x) / 8 - np.mean(x) ** 2,
        lambda x: 2 * (x - x.mean()) / 8,
        1e4 + normal(12, 8),
        {"mean taken as 0, as the complex step says": lambda x: -2 * x.mean() / 8 + 0 * x},
        exact,
    )


@field("softplus of a dense layer, logaddexp")
def _softplus():
    A, c = normal(13, 10, 4), normal(14, 10)
    return Problem(
        lambda x: c @ np.logaddexp(0, A @ x),
        lambda x: A.T @ (c * sigmoid(A @ x)),
        normal(15, 4),
        exact=lambda x: c @ np.log(1 + np.exp(A @ x)),
    )


@field("energy of 3000 spins, np.abs squared")
def _spins():
    c = uniform(16, 0.5, 2, 3000)
    return Problem(
        lambda x: (c * np.abs(x) ** 2).sum() / 2,
        lambda x: c * x,
        normal(17, 3000),
        exact=lambda x: (c * x * x).sum() / 2,
    )


@field("a sum of 2000 terms of 1e4 that nearly cancel")
def _alternating():
    signs = np.where(np.arange(2000) % 2, 1e4, -1e4)
    phases = np.repeat(normal(18, 1000), 2)

    def df(x):
        slope = -signs * np.sin(phases + x[0] * (1 + 1e-3 * (signs > 0)))
        return np.array([(slope * (1 + 1e-3 * (signs > 0))).sum()])

    return Problem(
        lambda x: signs @ cos(phases + x[0] * (1 + 1e-3 * (signs > 0))),
        df,
        np.array([0.7]),
        exact=lambda x: signs @ np.cos(phases + x[0] * (1 + 1e-3 * (signs > 0))),
    )


@field("near a minimum of height 5")
def _minimum():
    cosh = each(math.cosh)
    return Problem(
        lambda x: 4 + cosh(x).mean(),
        lambda x: np.sinh(x) / x.size,
        np.array([1e-3, -0.02, 0.3]),
        exact=lambda x: 4 + np.cosh(x).mean(),
    )

"""Smooth functions that the complex step gets wrong, or that refuse complex numbers.

Each is written as people write it; `exact` is the same function in analytic operations.
"""

import math

import numpy as np

from minivae.studies.checkers.case import Field, Problem, normal, uniform
from minivae.studies.checkers.vae_terms import sigmoid

field = Field("not analytic in code")


@field("np.vdot conjugates")
def _vdot():
    return Problem(
        lambda x: np.vdot(x, x), lambda x: 2 * x, normal(1, 5), exact=lambda x: (x * x).sum()
    )


@field("np.vdot in one of two terms")
def _half_vdot():
    c = normal(2, 5)
    return Problem(
        lambda x: np.vdot(x, x) / 2 + c @ x,
        lambda x: x + c,
        normal(3, 5),
        {"quadratic term lost": lambda x: c + 0 * x},
        lambda x: (x * x).sum() / 2 + c @ x,
    )


@field("np.vdot of a dense layer, of its weights")
def _vdot_layer():
    x, dy = normal(4, 6, 3), normal(5, 6, 3)
    return Problem(
        lambda W: np.vdot(dy, np.tanh(x @ W)),
        lambda W: x.T @ (dy * (1 - np.tanh(x @ W) ** 2)),
        normal(6, 3, 3),
    )


@field("np.var")
def _var():
    return Problem(
        np.var,
        lambda x: 2 * (x - x.mean()) / x.size,
        normal(7, 8),
        exact=lambda x: ((x - x.mean()) ** 2).mean(),
    )


@field("np.std per row")
def _std():
    def df(x):
        centred = x - x.mean(axis=1, keepdims=True)
        return centred / (x.shape[1] * x.std(axis=1, keepdims=True))

    return Problem(
        lambda x: x.std(axis=1).sum(),
        df,
        3 + normal(8, 3, 5),
        exact=lambda x: np.sqrt(((x - x.mean(axis=1, keepdims=True)) ** 2).mean(axis=1)).sum(),
    )


@field("np.abs, squared")
def _abs_squared():
    return Problem(
        lambda x: (np.abs(x) ** 2).sum(),
        lambda x: 2 * x,
        normal(9, 6),
        exact=lambda x: (x * x).sum(),
    )


@field("np.linalg.norm")
def _norm():
    return Problem(
        np.linalg.norm,
        lambda x: x / np.linalg.norm(x),
        normal(10, 5),
        exact=lambda x: np.sqrt((x * x).sum()),
    )


@field("np.real of a Fourier transform: spectral energy")
def _spectrum():
    c = uniform(11, 0.1, 2, 16)
    F = np.exp(-2j * np.pi * np.outer(np.arange(16), np.arange(16)) / 16)
    M = np.real((F.T * c) @ F.conj())

    return Problem(
        lambda x: (c * np.abs(np.fft.fft(x)) ** 2).sum(),
        lambda x: 2 * np.real(F.conj().T @ (c * (F @ x))),
        normal(12, 16),
        exact=lambda x: x @ M @ x,
    )


@field("np.real drops the imaginary part")
def _real():
    return Problem(
        lambda x: np.sum(np.real(x) ** 3),
        lambda x: 3 * x**2,
        normal(13, 5),
        exact=lambda x: (x**3).sum(),
    )


@field("np.real in one of two terms")
def _half_real():
    return Problem(
        lambda x: (np.real(x) ** 2 + np.sin(x)).sum(),
        lambda x: 2 * x + np.cos(x),
        normal(14, 5),
        {"square lost": np.cos},
        lambda x: (x**2 + np.sin(x)).sum(),
    )


@field("np.logaddexp refuses complex numbers")
def _logaddexp():
    return Problem(
        lambda x: np.logaddexp(0, x).sum(),
        sigmoid,
        3 * normal(15, 6),
        exact=lambda x: np.log(1 + np.exp(x)).sum(),
    )


@field("np.logaddexp, logits from -40 to 40")
def _wide_logaddexp():
    return Problem(
        lambda x: np.logaddexp(0, x).sum(),
        sigmoid,
        np.array([-12.0, -6, -2, 0.3, 5, 40]),
        exact=lambda x: np.log(1 + np.exp(x)).sum(),
    )


@field("np.hypot")
def _hypot():
    def df(x):
        return x / np.hypot(*x)

    return Problem(
        lambda x: np.hypot(*x).sum(),
        df,
        normal(16, 2, 5),
        exact=lambda x: np.sqrt(x[0] ** 2 + x[1] ** 2).sum(),
    )


@field("np.arctan2")
def _arctan2():
    t = np.array([0.3, 1.0, -0.5, 2.0])

    def f(x):
        return ((np.arctan2(x[0], x[1]) - t) ** 2).sum()

    def df(x):
        r2 = (x**2).sum(axis=0)
        return 2 * (np.arctan2(x[0], x[1]) - t) * np.array([x[1], -x[0]]) / r2

    def exact(x):
        return ((np.arctan(x[0] / x[1]) - t) ** 2).sum()

    return Problem(f, df, np.array([[0.5, 1, -1, 2], [1.0, 0.4, 2, 0.7]]), exact=exact)


@field("np.cbrt")
def _cbrt():
    return Problem(
        lambda x: np.cbrt(x).sum(),
        lambda x: 1 / (3 * np.cbrt(x) ** 2),
        uniform(17, 0.5, 9, 5),
        exact=lambda x: (x ** (1 / 3)).sum(),
    )


@field("math.exp of one entry")
def _math():
    return Problem(
        lambda x: math.exp(x[0]) * math.cos(x[1]),
        lambda x: np.exp(x[0]) * np.array([np.cos(x[1]), -np.sin(x[1])]),
        np.array([0.3, 1.1]),
        exact=lambda x: np.exp(x[0]) * np.cos(x[1]),
    )


@field("np.maximum away from its kink")
def _maximum():
    a, c = normal(18, 4, 3), normal(19, 4)

    def f(x):
        return c @ np.maximum(a @ x, 0)

    def exact(x):
        y = a @ x
        return c @ np.where(y.real > 0, y, 0)

    return Problem(f, lambda x: (c * (a @ x > 0)) @ a, normal(20, 3), exact=exact)


@field("comparison that picks a branch: sinh or tanh")
def _branch():
    def f(x):
        return sum(np.sinh(v) if v > 0.5 else np.tanh(v) for v in x)

    def df(x):
        return np.where(x > 0.5, np.cosh(x), 1 / np.cosh(x) ** 2)

    def exact(x):
        return np.where(x.real > 0.5, np.sinh(x), np.tanh(x)).sum()

    return Problem(f, df, np.array([-0.8, 0.1, 0.9, 2.0]), exact=exact)


@field("converted to float inside")
def _float():
    return Problem(
        lambda x: np.sum(np.asarray(x, dtype=np.float64) ** 2 / 2),
        lambda x: x + 0.0,
        normal(21, 4),
        exact=lambda x: (x * x).sum() / 2,
    )


@field("np.linalg.cholesky, log determinant")
def _cholesky():
    a = normal(22, 4, 4)

    def f(A):
        return 2 * np.log(np.diag(np.linalg.cholesky((A + A.T) / 2))).sum()

    return Problem(
        f,
        lambda A: np.linalg.inv((A + A.T) / 2),
        a @ a.T / 4 + np.eye(4) + 0.1 * normal(23, 4, 4),
        exact=lambda A: np.log(np.linalg.det((A + A.T) / 2)),
    )


@field("np.interp in a smooth table")
def _interp():
    nodes = np.linspace(-3, 3, 7)
    values = nodes**2
    x = np.array([-2.4, -0.6, 0.5, 1.3, 2.7])
    cell = np.searchsorted(nodes, x) - 1
    slopes = np.diff(values)[cell]

    return Problem(
        lambda x: np.interp(x, nodes, values).sum(),
        lambda x: np.diff(values)[np.searchsorted(nodes, x) - 1],
        x,
        exact=lambda x: (values[cell] + slopes * (x - nodes[cell])).sum(),
    )


@field("np.corrcoef conjugates")
def _corrcoef():
    y = normal(24, 8)

    def exact(x):
        a, b = x - x.mean(), y - y.mean()
        return (a @ b) / np.sqrt((a @ a) * (b @ b))

    def df(x):
        a, b = x - x.mean(), y - y.mean()
        size = np.sqrt((a @ a) * (b @ b))
        return b / size - a * (a @ b) / (size * (a @ a))

    return Problem(lambda x: np.corrcoef(x, y)[0, 1], df, normal(25, 8), exact=exact)


@field("conjugate in an inner product, complex weights")
def _inner():
    w = normal(26, 4) + 1j * normal(27, 4)

    def f(x):
        return np.real(np.vdot(w * x, w * x)) + np.sum(x)

    return Problem(
        f,
        lambda x: 2 * np.abs(w) ** 2 * x + 1,
        normal(28, 4),
        exact=lambda x: (np.abs(w) ** 2 * x * x).sum() + x.sum(),
    )

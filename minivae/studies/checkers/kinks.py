"""Functions with a kink at the point or near it.

Near a kink the gradient is unique; exactly at one, df takes one of the sides, as libraries do, and
all that a checker can say about that entry is that it cannot tell.
"""

import numpy as np

from minivae.studies.checkers.case import KINKED, Field, Problem, normal

field = Field("kinks")


def relu(a: np.ndarray) -> np.ndarray:
    """max(a, 0); complex numbers by their real part."""
    return np.where(a.real > 0, a, 0)


@field("relu, a pre-activation of 3e-6", KINKED)
def _near():
    return Problem(
        lambda x: np.maximum(x, 0).sum(),
        lambda x: (x > 0).astype(float),
        np.array([3e-6, 0.7, -1.2, 0.3]),
    )


@field("relu, a pre-activation of -1e-9", KINKED)
def _nearer():
    c = np.array([2.0, -1, 3, 0.5])
    return Problem(
        lambda x: c @ np.maximum(x, 0), lambda x: c * (x > 0), np.array([0.8, -1e-9, -0.4, 1.1])
    )


@field("relu, a pre-activation of exactly 0", KINKED)
def _at():
    c = np.array([2.0, -1, 3, 0.5])
    x = np.array([0.8, 0.0, -0.4, 1.1])
    return Problem(lambda x: c @ relu(x), lambda x: c * (x > 0), x, kept=x == 0)


@field("relu layer of weights, one unit 2e-5 from its kink", KINKED)
def _layer():
    x, c = normal(1, 4, 3), normal(2, 4, 5)
    W = normal(3, 3, 5)
    b = -(x @ W)[1, 2] + 2e-5  # the unit (1, 2)

    def f(W):
        return (c * np.maximum(x @ W + b, 0)).sum()

    return Problem(f, lambda W: x.T @ (c * (x @ W + b > 0)), W)


@field("relu network, every unit 1e-4 to 1e-2 from its kink", KINKED)
def _network():
    b, c = np.array([1e-4, -3e-4, 1e-3, -4e-3, 1e-2]), normal(4, 5)
    return Problem(
        lambda x: c @ relu(x) ** 2 / 2 + c @ relu(x), lambda x: c * relu(x) + c * (x > 0), b
    )


@field("leaky relu, 1e-7 from the kink", KINKED)
def _leaky():
    return Problem(
        lambda x: np.where(x.real > 0, x, 0.01 * x).sum(),
        lambda x: np.where(x > 0, 1, 0.01),
        np.array([1e-7, -1e-7, 2.0, -3.0]),
    )


@field("abs, 1e-7 from the kink", KINKED)
def _abs_near():
    return Problem(
        lambda x: np.abs(x).sum(),
        np.sign,
        np.array([1e-7, -0.5, 2.0]),
        exact=lambda x: np.where(x.real > 0, x, -x).sum(),
    )


@field("abs, exactly at the kink", KINKED)
def _abs_at():
    t = np.array([1.0, 2.0, 3.0])
    return Problem(
        lambda x: np.abs(x - t).sum(),
        lambda x: np.sign(x - t),
        np.array([1.0, 2.5, 2.2]),
        exact=lambda x: (np.sign((x - t).real) * (x - t)).sum(),
        kept=np.array([True, False, False]),
    )


@field("lasso with weights that are 0", KINKED)
def _lasso():
    A, t = normal(5, 12, 4), normal(6, 12)

    def f(w):
        return ((A @ w - t) ** 2).sum() / 2 + 0.5 * np.abs(w).sum()

    def df(w):
        return A.T @ (A @ w - t) + 0.5 * np.sign(w)

    def exact(w):
        return ((A @ w - t) ** 2).sum() / 2 + 0.5 * (np.sign(w.real) * w).sum()

    w = np.array([0.7, 0.0, -0.3, 0.0])
    return Problem(f, df, w, exact=exact, kept=w == 0)


@field("max pooling, two entries 1e-6 apart", KINKED)
def _pool_near():
    x = np.array([[0.3, 0.9, 0.9 - 1e-6], [1.2, -0.4, 0.5]])
    return Problem(
        lambda x: np.max(x, axis=1).sum(), lambda x: (x == x.max(axis=1, keepdims=True)) * 1.0, x
    )


@field("max pooling, a tie", KINKED)
def _pool_tie():
    def f(x):
        return sum(row[row.real.argmax()] for row in x)

    def df(x):
        g = np.zeros(x.shape)
        g[np.arange(len(x)), x.argmax(axis=1)] = 1
        return g

    x = np.array([[0.3, 0.9, 0.9], [1.2, -0.4, 0.5]])
    return Problem(f, df, x, kept=x == 0.9)


@field("hinge loss, a margin of 1 - 1e-6", KINKED)
def _hinge():
    A, t = np.eye(4), np.array([1.0, -1, 1, -1])

    def f(w):
        return np.maximum(1 - t * (A @ w), 0).mean()

    return Problem(
        f,
        lambda w: -(A.T @ (t * (t * (A @ w) < 1))) / 4,
        np.array([1 - 1e-6, 0.3, -0.2, -1.7]),
    )


@field("median of close values", KINKED)
def _median():
    def df(x):
        return (x == np.median(x)) * 1.0

    def exact(x):
        return x[np.argsort(x.real)[2]]

    return Problem(np.median, df, np.array([0.5, 0.5 + 1e-6, 2.0, -1.0, 0.1]), exact=exact)


@field("clip, 1e-8 inside its border", KINKED)
def _clip():
    return Problem(
        lambda x: (np.clip(x, 0, 1) ** 2).sum(),
        lambda x: 2 * x * ((x > 0) & (x < 1)),
        np.array([1 - 1e-8, 0.4, 1.3]),
        exact=lambda x: (np.where((x.real > 0) & (x.real < 1), x, x.real > 0) ** 2).sum(),
    )


@field("Huber loss with a residual at the joint", KINKED)
def _huber():
    def f(r):
        size = np.abs(r)
        return np.where(size > 1, size - 0.5, r * r / 2).sum()

    def exact(r):
        return np.where(np.abs(r.real) > 1, np.sign(r.real) * r - 0.5, r * r / 2).sum()

    return Problem(f, lambda r: np.clip(r, -1, 1), np.array([1.0, -0.3, 2.0]), exact=exact)


@field("free bits, a latent 1e-7 above the floor", KINKED)
def _free_bits():
    floor = 0.5

    def f(mu):
        kl = mu * mu / 2
        return np.where(kl.real > floor, kl, floor).sum()

    return Problem(
        f,
        lambda mu: mu * (mu * mu / 2 > floor),
        np.array([np.sqrt(1 + 2e-7), 1.6, 0.3]),
    )


@field("total variation of a signal with equal neighbours", KINKED)
def _variation():
    t = normal(7, 6)

    def f(x):
        return ((x - t) ** 2).sum() / 2 + np.abs(np.diff(x)).sum()

    def df(x):
        sign = np.sign(np.diff(x))
        g = x - t
        g[1:] += sign
        g[:-1] -= sign
        return g

    def exact(x):
        d = np.diff(x)
        return ((x - t) ** 2).sum() / 2 + (np.sign(d.real) * d).sum()

    x = np.array([0.2, 0.2, 0.9, 1.4, 1.4, 0.1])
    return Problem(f, df, x, exact=exact, kept=(x == 0.2) | (x == 1.4))


@field("square root of |x| at 1e-8", KINKED)
def _root():
    return Problem(
        lambda x: np.sqrt(np.abs(x)).sum(),
        lambda x: np.sign(x) / (2 * np.sqrt(np.abs(x))),
        np.array([1e-8, -0.3, 2.0]),
        exact=lambda x: np.sqrt(np.sign(x.real) * x).sum(),
    )


@field("largest of two eigenvalues 1e-6 apart", KINKED)
def _eigenvalues():
    def largest(A):
        return np.linalg.eigh((A + A.T) / 2)

    def df(A):
        v = largest(A)[1][:, -1]
        return np.outer(v, v)

    def exact(A):
        values = np.linalg.eigvals((A + A.T) / 2)
        return values[values.real.argmax()]

    A = np.array([[2.0, 3e-7, 0.0], [3e-7, 2 + 4e-7, 0.0], [0.0, 0.0, -1.0]])
    return Problem(lambda A: largest(A)[0][-1], df, A, exact=exact)


@field("piecewise linear table, 1e-7 from a node", KINKED)
def _table():
    nodes, values = np.linspace(0, 4, 5), np.array([0.0, 2, 1, 5, 4])

    def df(x):
        return np.diff(values)[np.searchsorted(nodes, x) - 1]

    def exact(x):
        cell = np.searchsorted(nodes, x.real) - 1
        return (values[cell] + np.diff(values)[cell] * (x - nodes[cell])).sum()

    x = np.array([1 + 1e-7, 2.5, 3.3])
    return Problem(lambda x: np.interp(x, nodes, values).sum(), df, x, exact=exact)


@field("rounded to steps of 0.1, straight-through slope left out", KINKED)
def _steps():
    return Problem(
        lambda x: (x * np.round(x.real, 1)).sum(),
        lambda x: np.round(x, 1),
        np.array([0.25 + 1e-9, 0.31, 0.78]),
    )

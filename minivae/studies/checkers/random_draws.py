"""Functions that give another number at each call, and one whose gradient does.

`exact` is the expectation, whose gradient df is.
"""

import numpy as np

from minivae.studies.checkers.case import NOISY, RANDOM, Field, Problem, normal, uniform
from minivae.studies.checkers.vae_terms import sigmoid

field = Field("random draws")


@field("fresh dropout masks", RANDOM)
def _dropout():
    rng, c = np.random.default_rng(1), normal(25, 20)
    return Problem(
        lambda x: (c * x * (rng.random(20) > 0.2) / 0.8).sum(),
        lambda x: c + 0 * x,
        normal(26, 20),
        exact=lambda x: c @ x,
    )


@field("fresh noise in the reparameterization", RANDOM)
def _reparam():
    rng = np.random.default_rng(2)

    def f(x):
        z = x[0] + np.exp(x[1] / 2) * rng.standard_normal((50, 3))
        return (z * z).sum(axis=1).mean()

    def exact(x):
        return (x[0] ** 2 + np.exp(x[1])).sum()

    return Problem(f, lambda x: np.array([2 * x[0], np.exp(x[1])]), normal(27, 2, 3), exact=exact)


@field("a fresh minibatch at each call", RANDOM)
def _minibatch():
    rng, A, t = np.random.default_rng(3), normal(28, 200, 4), normal(29, 200)

    def f(w):
        rows = rng.integers(0, 200, 20)
        return ((A[rows] @ w - t[rows]) ** 2).mean()

    return Problem(
        f,
        lambda w: 2 * A.T @ (A @ w - t) / 200,
        normal(30, 4),
        exact=lambda w: ((A @ w - t) ** 2).mean(),
    )


@field("measurement noise of 1e-3", RANDOM)
def _measured():
    rng = np.random.default_rng(4)
    return Problem(
        lambda x: np.cos(x).sum() + 1e-3 * rng.standard_normal(),
        lambda x: -np.sin(x),
        normal(31, 5),
        exact=lambda x: np.cos(x).sum(),
    )


@field("noise of 1e-9", RANDOM)
def _slight():
    rng = np.random.default_rng(5)
    return Problem(
        lambda x: (x**3).sum() + 1e-9 * rng.standard_normal(),
        lambda x: 3 * x**2,
        normal(32, 4),
        exact=lambda x: (x**3).sum(),
    )


@field("a value that drifts from call to call", RANDOM)
def _drift():
    calls = []

    def f(x):
        calls.append(1)
        return np.exp(x).sum() + 1e-4 * len(calls)

    return Problem(f, np.exp, normal(33, 4), exact=lambda x: np.exp(x).sum())


@field("a binarized image at each call", RANDOM)
def _binarized():
    rng, pixels = np.random.default_rng(6), uniform(34, 0.05, 0.95, 30)

    def f(a):
        x = rng.random(30) < pixels
        return (np.logaddexp(0, a) - x * a).sum()

    return Problem(
        f,
        lambda a: sigmoid(a) - pixels,
        normal(35, 30),
        exact=lambda a: (np.log(1 + np.exp(a)) - pixels * a).sum(),
    )


@field("Monte Carlo KL with fresh draws", RANDOM)
def _monte_carlo():
    rng = np.random.default_rng(7)

    def f(x):
        eps = rng.standard_normal((100, 2))
        z = x[0] + np.exp(x[1] / 2) * eps
        return ((z * z - eps * eps - x[1]).sum(axis=1) / 2).mean()

    def exact(x):
        return 0.5 * (x[0] ** 2 + np.exp(x[1]) - 1 - x[1]).sum()

    return Problem(
        f, lambda x: np.array([x[0], (np.exp(x[1]) - 1) / 2]), normal(36, 2, 2), exact=exact
    )


@field("gradient with fresh noise, function without", RANDOM)
def _random_gradient():
    rng = np.random.default_rng(8)
    return Problem(
        lambda x: (x**2).sum(), lambda x: 2 * x * (rng.random(6) > 0.5) * 2, normal(37, 6)
    )


@field("a layer that is left out at one call in five", RANDOM)
def _stochastic_depth():
    rng = np.random.default_rng(9)
    return Problem(
        lambda x: np.sin(x).sum() * (rng.random() > 0.2),
        lambda x: 0.8 * np.cos(x),
        normal(39, 5),
        exact=lambda x: 0.8 * np.sin(x).sum(),
    )


@field("one entry alone is drawn afresh", RANDOM)
def _one_noisy_entry():
    rng = np.random.default_rng(10)
    return Problem(
        lambda x: (x[:-1] ** 2).sum() + x[-1] * (1 + 0.1 * rng.standard_normal()),
        lambda x: np.append(2 * x[:-1], 1.0),
        normal(40, 5),
        exact=lambda x: (x[:-1] ** 2).sum() + x[-1],
    )


@field("a sum in another order at each call: the last digits differ", NOISY)
def _order():
    rng = np.random.default_rng(11)
    return Problem(
        lambda x: np.cumsum(1e3 * np.sin(x)[rng.permutation(x.size)])[-1],
        lambda x: 1e3 * np.cos(x),
        normal(41, 50),
        exact=lambda x: 1e3 * np.sin(x).sum(),
    )

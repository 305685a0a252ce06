"""Functions of 10^3 to 10^5 variables."""

import numpy as np

from minivae.studies.checkers.case import KINKED, Field, Problem, normal, uniform
from minivae.studies.checkers.losses import softmax
from minivae.studies.checkers.physics import rosenbrock, rosenbrock_gradient
from minivae.studies.checkers.vae_terms import sigmoid

field = Field("large")
MANY = 100_000


@field("weighted squares of 10^5 variables")
def _squares():
    c = uniform(1, 0.5, 2, MANY)
    return Problem(lambda x: (c * x * x).sum(), lambda x: 2 * c * x, normal(2, MANY))


@field("mean of log cosh over 100 x 200 variables")
def _log_cosh():
    return Problem(
        lambda x: np.log(np.cosh(x)).mean(), lambda x: np.tanh(x) / x.size, normal(3, 100, 200)
    )


@field("Rosenbrock of 10^5 variables")
def _rosenbrock():
    return Problem(rosenbrock, rosenbrock_gradient, 1 + 0.3 * normal(4, MANY))


@field("logistic regression of 2 * 10^4 weights")
def _logistic():
    A, t = normal(5, 20, 20_000) / 100, (normal(6, 20) > 0).astype(float)
    return Problem(
        lambda w: (np.log(1 + np.exp(A @ w)) - t * (A @ w)).sum() + 0.01 * w @ w,
        lambda w: A.T @ (sigmoid(A @ w) - t) + 0.02 * w,
        normal(7, 20_000),
        {"penalty lost": lambda w: A.T @ (sigmoid(A @ w) - t)},
    )


@field("dense layer of 100 x 150 weights")
def _dense():
    x, c = normal(8, 10, 100), normal(9, 10, 150)

    def df(W):
        return x.T @ (c * (1 - np.tanh(x @ W) ** 2))

    return Problem(lambda W: (c * np.tanh(x @ W)).sum(), df, 0.1 * normal(10, 100, 150))


@field("softmax of 3000 logits")
def _softmax():
    return Problem(
        lambda a: np.log(np.exp(a).sum()) - a[17],
        lambda a: softmax(a) - (np.arange(a.size) == 17),
        normal(11, 3000),
    )


@field("smoothing of a signal of 10^4 points")
def _smoothing():
    t = np.cumsum(normal(12, 10_000)) / 100

    def df(x):
        bend = np.diff(x)
        g = x - t
        g[1:] += 5 * bend
        g[:-1] -= 5 * bend
        return g

    return Problem(
        lambda x: ((x - t) ** 2).sum() / 2 + 2.5 * (np.diff(x) ** 2).sum(),
        df,
        t + 0.1 * normal(13, 10_000),
        {"data lost": lambda x: df(x) - (x - t)},
    )


@field("10^4 probabilities, cross-entropy")
def _bernoulli():
    t = (normal(14, 10_000) > 0).astype(float)
    return Problem(
        lambda p: -(t * np.log(p) + (1 - t) * np.log(1 - p)).mean(),
        lambda p: (p - t) / (p * (1 - p)) / p.size,
        uniform(15, 0.02, 0.98, 10_000),
    )


@field("strengths from 1e-6 to 1e6 over 10^4 variables")
def _strengths():
    c = np.geomspace(1e-6, 1e6, 10_000)
    return Problem(lambda x: (c * np.sin(x)).sum(), lambda x: c * np.cos(x), normal(16, 10_000))


@field("energy of 10^4 entries by np.vdot")
def _vdot():
    return Problem(
        lambda x: np.vdot(x, x) / 2,
        lambda x: x + 0.0,
        normal(17, 10_000),
        exact=lambda x: (x * x).sum() / 2,
    )


@field("L1 norm of 10^4 entries", KINKED)
def _l1():
    return Problem(
        lambda x: np.abs(x).sum(),
        np.sign,
        normal(18, 10_000),
        exact=lambda x: (np.sign(x.real) * x).sum(),
    )


@field("relu layer of 100 x 80 weights", KINKED)
def _relu():
    x, c = normal(19, 20, 100), normal(20, 20, 80)
    return Problem(
        lambda W: (c * np.maximum(x @ W, 0)).sum(),
        lambda W: x.T @ (c * (x @ W > 0)),
        0.1 * normal(21, 100, 80),
        {"slope of relu lost": lambda W: x.T @ c + 0 * W},
    )


def _layer(seed, act, slope, twin):
    """60 x 50 weights; the inputs' strengths go from 1e-3 to 1e3; f takes real numbers only."""
    x = normal(seed, 12, 60) * np.geomspace(1e-3, 1e3, 60)
    c = normal(seed + 1, 12, 50)
    return Problem(
        lambda W: (c * act(np.asarray(x @ W, np.float64))).sum(),
        lambda W: x.T @ (c * slope(x @ W)),
        normal(seed + 2, 60, 50) / 8,
        {"slope lost": lambda W: x.T @ c + 0 * W},
        lambda W: (c * twin(x @ W)).sum(),
    )


@field("sine layer, inputs from 1e-3 to 1e3")
def _sine():
    return _layer(30, np.sin, np.cos, np.sin)


@field("tanh layer, inputs from 1e-3 to 1e3")
def _tanh():
    return _layer(40, np.tanh, lambda a: 1 / np.cosh(np.clip(a, -300, 300)) ** 2, np.tanh)


@field("softplus layer, inputs from 1e-3 to 1e3")
def _softplus():
    def softplus(a):
        return np.log(1 + np.exp(np.where(a.real > 0, -a, a))) + np.where(a.real > 0, a, 0)

    return _layer(50, softplus, lambda a: 1 / (1 + np.exp(np.clip(-a, -700, 700))), softplus)


@field("relu layer, inputs from 1e-3 to 1e3", KINKED)
def _strong_relu():
    def relu(a):
        return np.where(a.real > 0, a, 0)

    return _layer(60, relu, lambda a: (a > 0) * 1.0, relu)

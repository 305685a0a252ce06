"""Objectives of statistics: regressions, Gaussian processes, survival, time series."""

import numpy as np

from minivae.studies.checkers.case import Field, Problem, normal, uniform
from minivae.studies.checkers.layers import erf
from minivae.studies.checkers.losses import softmax
from minivae.studies.checkers.vae_terms import sigmoid

field = Field("statistics")


def _kernel(inputs, x):
    """Squared exponential plus noise, of log length, log scale, log noise."""
    d2 = (inputs[:, None] - inputs) ** 2
    smooth = np.exp(2 * x[1] - d2 * np.exp(-2 * x[0]) / 2)
    return smooth, d2, smooth + np.exp(2 * x[2]) * np.eye(len(inputs))


@field("Gaussian process: log marginal likelihood of its hyperparameters")
def _gp():
    inputs = np.linspace(0, 5, 12)
    y = np.sin(2 * inputs) + 0.1 * normal(1, 12)

    def f(x):
        K = _kernel(inputs, x)[2]
        return -y @ np.linalg.solve(K, y) / 2 - np.log(np.linalg.det(K)) / 2

    def traces(x, minus):
        smooth, d2, K = _kernel(inputs, x)
        inverse = np.linalg.inv(K)
        inner = np.outer(inverse @ y, inverse @ y) - minus * inverse
        slopes = (smooth * d2 * np.exp(-2 * x[0]), 2 * smooth, 2 * np.exp(2 * x[2]) * np.eye(12))
        return np.array([(inner * s).sum() / 2 for s in slopes])

    x = np.array([-0.5, 0.1, -1.5])
    return Problem(f, lambda x: traces(x, 1), x, {"determinant lost": lambda x: traces(x, 0)})


@field("Gaussian process with a noise of 1e-3 (ill-conditioned)")
def _gp_ill():
    inputs = np.linspace(0, 3, 10)
    y = np.cos(inputs) + 1e-3 * normal(2, 10)

    def f(x):
        K = _kernel(inputs, np.array([x[0], x[1], np.log(1e-3)]))[2]
        return y @ np.linalg.solve(K, y) / 2 + np.linalg.slogdet(K)[1] / 2

    def df(x):
        smooth, d2, K = _kernel(inputs, np.array([x[0], x[1], np.log(1e-3)]))
        inverse = np.linalg.inv(K)
        inner = inverse - np.outer(inverse @ y, inverse @ y)
        return np.array(
            [(inner * smooth * d2).sum() * np.exp(-2 * x[0]) / 2, (inner * smooth).sum()]
        )

    def exact(x):
        K = _kernel(inputs, np.array([x[0], x[1], np.log(1e-3)]))[2]
        return y @ np.linalg.solve(K, y) / 2 + np.log(np.linalg.det(K)) / 2

    return Problem(f, df, np.array([0.3, -0.2]), exact=exact)


@field("logistic regression with weight decay")
def _logistic():
    A, t = normal(3, 30, 5), (normal(4, 30) > 0).astype(float)

    def f(w):
        a = A @ w
        return (np.log(1 + np.exp(a)) - t * a).mean() + 0.005 * w @ w

    def df(w):
        return A.T @ (sigmoid(A @ w) - t) / 30 + 0.01 * w

    return Problem(
        f,
        df,
        normal(5, 5),
        {"sum for mean": lambda w: A.T @ (sigmoid(A @ w) - t) + 0.01 * w},
    )


@field("multinomial regression")
def _multinomial():
    A, t = normal(6, 20, 4), np.eye(4)[np.arange(20) % 4]
    return Problem(
        lambda W: (np.log(np.exp(A @ W).sum(axis=1)) - (t * (A @ W)).sum(axis=1)).mean(),
        lambda W: A.T @ (softmax(A @ W) - t) / 20,
        normal(7, 4, 4),
    )


@field("Poisson regression")
def _poisson():
    A = normal(8, 25, 3)
    n = np.floor(np.exp(A @ [0.5, -0.3, 0.8]) + uniform(9, 0, 1, 25))
    return Problem(
        lambda w: (np.exp(A @ w) - n * (A @ w)).sum(),
        lambda w: A.T @ (np.exp(A @ w) - n),
        np.array([0.4, -0.1, 0.6]),
        {"counts lost": lambda w: A.T @ np.exp(A @ w)},
    )


@field("probit regression")
def _probit():
    A, t = normal(10, 20, 3), np.where(normal(11, 20) > 0, 1.0, -1.0)

    def f(w):
        return -np.log((1 + erf(t * (A @ w) / np.sqrt(2))) / 2).sum()

    def df(w):
        m = t * (A @ w)
        density = np.exp(-m * m / 2) / np.sqrt(2 * np.pi)
        return -A.T @ (t * density / ((1 + erf(m / np.sqrt(2))) / 2))

    return Problem(f, df, 0.7 * normal(12, 3))


@field("Cox partial likelihood")
def _cox():
    A = normal(13, 15, 4)  # in the order of the times; every third is censored
    event = np.arange(15) % 3 != 0

    def f(w):
        risk = np.cumsum(np.exp(A @ w)[::-1])[::-1]
        return (np.log(risk) - A @ w)[event].sum()

    def df(w):
        e = np.exp(A @ w)
        risk = np.cumsum(e[::-1])[::-1]
        weighted = np.cumsum((e[:, None] * A)[::-1], axis=0)[::-1]
        return (weighted / risk[:, None] - A)[event].sum(axis=0)

    def censored_too(w):
        e = np.exp(A @ w)
        risk = np.cumsum(e[::-1])[::-1]
        weighted = np.cumsum((e[:, None] * A)[::-1], axis=0)[::-1]
        return (weighted / risk[:, None] - A).sum(axis=0)

    return Problem(f, df, normal(14, 4), {"censored counted": censored_too})


@field("ridge regression with features from 1e-3 to 1e3")
def _ridge():
    A = normal(15, 20, 4) * np.array([1e-3, 0.1, 10, 1e3])
    t = normal(16, 20)
    return Problem(
        lambda w: ((A @ w - t) ** 2).mean() / 2 + 0.05 * w @ w,
        lambda w: A.T @ (A @ w - t) / 20 + 0.1 * w,
        normal(17, 4) / np.array([1.0, 1, 10, 1e3]),
        {"penalty lost": lambda w: A.T @ (A @ w - t) / 20},
    )


@field("autoregressive process of order 2")
def _autoregressive():
    y = np.cumsum(normal(18, 40)) * 0.3
    past = np.array([y[1:-1], y[:-2]])

    def f(x):
        r = y[2:] - x[:2] @ past
        return (r * r * np.exp(-x[2]) + x[2]).sum() / 2

    def df(x):
        r = y[2:] - x[:2] @ past
        s = np.exp(-x[2])
        return np.array([*(-past @ r * s), (1 - r * r * s).sum() / 2])

    return Problem(f, df, np.array([0.9, 0.05, -2.0]))


@field("log kernel density of a point")
def _density():
    points = normal(19, 30, 2)

    def share(x):
        return np.exp(-((x - points) ** 2).sum(axis=1) / (2 * 0.3**2))

    def df(x):
        e = share(x)
        return -(e / e.sum()) @ (x - points) / 0.3**2

    return Problem(lambda x: np.log(share(x).sum()), df, np.array([0.4, -2.2]))


@field("principal components: reconstruction error")
def _pca():
    X = normal(20, 12, 4)

    def f(W):
        return ((X @ W @ W.T - X) ** 2).sum() / 12

    def df(W):
        r = X @ W @ W.T - X
        return 2 * (X.T @ r @ W + r.T @ X @ W) / 12

    def one_path(W):
        return 2 * X.T @ (X @ W @ W.T - X) @ W / 12

    return Problem(f, df, 0.5 * normal(21, 4, 2), {"one of two paths": one_path})


@field("factor analysis, of the loadings")
def _factors():
    S = np.cov(normal(22, 5, 40) + normal(23, 1, 40))
    noise = np.diag([0.5, 0.8, 0.3, 1.0, 0.6])

    def f(W):
        C = W @ W.T + noise
        return (np.log(np.linalg.det(C)) + np.trace(np.linalg.solve(C, S))) / 2

    def df(W):
        inverse = np.linalg.inv(W @ W.T + noise)
        return (inverse - inverse @ S @ inverse) @ W

    return Problem(
        f,
        df,
        normal(24, 5, 2),
        {"log determinant alone": lambda W: df(W) * 0 + np.linalg.inv(W @ W.T + noise) @ W},
    )


@field("correlation of two samples")
def _correlation():
    y = normal(25, 9)
    y = y - y.mean()

    def f(x):
        c = x - x.mean()
        return (c @ y) / np.sqrt((c @ c) * (y @ y))

    def df(x):
        c = x - x.mean()
        size = np.sqrt((c @ c) * (y @ y))
        return y / size - c * (c @ y) / (size * (c @ c))

    return Problem(f, df, 100 + normal(26, 9))


@field("variance of 1000 observations near 50")
def _variance():
    return Problem(
        lambda x: ((x - x.mean()) ** 2).sum() / 999,
        lambda x: 2 * (x - x.mean()) / 999,
        50 + normal(27, 1000),
        {"divided by 1000": lambda x: 2 * (x - x.mean()) / 1000},
    )


@field("Bradley-Terry strengths")
def _bradley_terry():
    wins = np.array([[0, 3, 5, 1], [2, 0, 4, 0], [1, 1, 0, 2], [4, 2, 3, 0.0]])

    def f(s):
        return (wins * np.log(1 + np.exp(s - s[:, None]))).sum()

    def df(s):
        lost = wins * sigmoid(s - s[:, None])
        return lost.sum(axis=0) - lost.sum(axis=1)

    return Problem(f, df, normal(28, 4), {"losses alone": lambda s: df(s) + 0.5 * s})

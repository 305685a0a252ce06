"""Losses of regression, classification and metric learning."""

import numpy as np

from minivae.studies.checkers.case import Field, Problem, normal, uniform

field = Field("losses")


def softmax(a: np.ndarray) -> np.ndarray:
    """Over the last axis: (..., C) -> (..., C)."""
    e = np.exp(a - a.real.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def log_softmax(a: np.ndarray) -> np.ndarray:
    """Over the last axis: (..., C) -> (..., C)."""
    shifted = a - a.real.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def one_hot(labels: list[int], classes: int) -> np.ndarray:
    """(B,) -> (B, C) of zeros and ones."""
    return np.eye(classes)[labels]


@field("mean squared error")
def _mse():
    t = normal(1, 4, 3)
    return Problem(
        lambda y: np.mean((y - t) ** 2),
        lambda y: 2 * (y - t) / y.size,
        normal(2, 4, 3),
        {"sum for mean": lambda y: 2 * (y - t), "2 lost": lambda y: (y - t) / y.size},
    )


@field("squared error of residuals of 1e-5 at values of 1000")
def _small_residuals():
    t = 1000 + normal(3, 8)
    return Problem(
        lambda y: np.sum((y - t) ** 2), lambda y: 2 * (y - t), t + 1e-5 * (1 + np.arange(8.0))
    )


@field("Huber loss, residuals on both branches")
def _huber():
    t = np.zeros(8)

    def f(y):
        r = y - t
        big = np.abs(r.real) > 1
        return np.where(big, np.where(r.real > 0, r, -r) - 0.5, r * r / 2).sum()

    return Problem(
        f,
        lambda y: np.clip(y - t, -1, 1),
        np.array([-3.0, -1.6, -0.7, -0.2, 0.3, 0.6, 1.7, 4.0]),
        {"not clipped": lambda y: y - t},
    )


@field("pseudo-Huber loss")
def _pseudo_huber():
    return Problem(
        lambda r: (0.25 * (np.sqrt(1 + (r / 0.5) ** 2) - 1)).sum(),
        lambda r: r / np.sqrt(1 + (r / 0.5) ** 2),
        normal(4, 9) * 2,
    )


@field("log cosh loss")
def _log_cosh():
    return Problem(lambda r: np.log(np.cosh(r)).mean(), lambda r: np.tanh(r) / r.size, normal(5, 7))


@field("hinge loss, margins far from 1")
def _hinge():
    a, t = normal(6, 12, 4), np.where(normal(7, 12) > 0, 1.0, -1.0)
    w = normal(8, 4)

    def f(w):
        m = 1 - t * (a @ w)
        return np.where(m.real > 0, m, 0).mean() + 0.01 * (w * w).sum() / 2

    def df(w):
        active = t * (a @ w) < 1
        return -(a.T @ (t * active)) / len(t) + 0.01 * w

    return Problem(f, df, w, {"weight decay lost": lambda w: df(w) - 0.01 * w})


@field("squared hinge loss")
def _squared_hinge():
    a, t = normal(9, 10, 3), np.where(normal(10, 10) > 0, 1.0, -1.0)

    def f(w):
        m = 1 - t * (a @ w)
        return (np.where(m.real > 0, m, 0) ** 2).sum()

    return Problem(
        f, lambda w: -2 * a.T @ (t * np.maximum(1 - t * (a @ w), 0)), 0.4 * normal(11, 3)
    )


@field("focal loss")
def _focal():
    t = np.array([1.0, 0, 1, 1, 0, 0])

    def parts(p):
        return np.where(t == 1, p, 1 - p), np.where(t == 1, 1.0, -1.0)

    def f(p):
        q, _ = parts(p)
        return (-((1 - q) ** 2) * np.log(q)).sum()

    def df(p):
        q, sign = parts(p)
        return sign * (2 * (1 - q) * np.log(q) - (1 - q) ** 2 / q)

    def dropped(p):
        q, sign = parts(p)
        return -sign * (1 - q) ** 2 / q

    return Problem(
        f,
        df,
        np.array([0.1, 0.2, 0.5, 0.9, 0.7, 0.05]),
        {"derivative of the weight lost": dropped},
    )


@field("Bernoulli cross-entropy on probabilities from 0.001 to 0.999")
def _bernoulli():
    t = np.tile([0.0, 1.0], 8)
    p = np.concatenate([np.geomspace(1e-3, 0.4, 8), 1 - np.geomspace(1e-3, 0.4, 8)])
    return Problem(
        lambda p: -(t * np.log(p) + (1 - t) * np.log(1 - p)).sum(),
        lambda p: (p - t) / (p * (1 - p)),
        p,
        {"of the logits": lambda p: p - t, "term of 1 - t lost": lambda p: -t / p + 0 * p},
    )


@field("binary cross-entropy on logits, mean")
def _logits():
    t = uniform(12, 0, 1, 5, 4)
    return Problem(
        lambda a: np.mean(np.log(1 + np.exp(a)) - t * a),
        lambda a: (1 / (1 + np.exp(-a)) - t) / a.size,
        2 * normal(13, 5, 4),
        {"sum for mean": lambda a: 1 / (1 + np.exp(-a)) - t},
    )


@field("softmax cross-entropy")
def _softmax():
    t = one_hot([0, 2, 1, 2, 0], 3)
    return Problem(
        lambda a: -(t * log_softmax(a)).sum() / len(t),
        lambda a: (softmax(a) - t) / len(t),
        normal(14, 5, 3),
        {"target lost": lambda a: softmax(a) / len(t)},
    )


@field("softmax cross-entropy, logits from -30 to 30")
def _softmax_steep():
    t = one_hot([0, 3], 6)
    return Problem(
        lambda a: -(t * log_softmax(a)).sum(),
        lambda a: softmax(a) - t,
        np.array([[5.0, -30, -12, 8, 1, -3], [30.0, 11, 2, 24, -25, 19]]),
    )


@field("cross-entropy with smoothed labels")
def _smoothed():
    t = 0.9 * one_hot([1, 0, 3], 4) + 0.1 / 4
    return Problem(
        lambda a: -(t * log_softmax(a)).mean(),
        lambda a: (softmax(a) - t) / a.size,
        normal(15, 3, 4),
        {"labels not smoothed": lambda a: (softmax(a) - one_hot([1, 0, 3], 4)) / a.size},
    )


@field("distillation: KL between softmaxes at temperature 4")
def _distillation():
    p = softmax(3 * normal(16, 4, 5) / 4)
    return Problem(
        lambda a: 16 * (p * (np.log(p) - log_softmax(a / 4))).sum() / 4,
        lambda a: 4 * (softmax(a / 4) - p) / 4,
        3 * normal(17, 4, 5),
        {"temperature forgotten": lambda a: 16 * (softmax(a / 4) - p) / 4},
    )


@field("triplet loss, triplets far from the margin")
def _triplet():
    def f(z):
        anchor, near, far = z
        gap = ((anchor - near) ** 2).sum(1) - ((anchor - far) ** 2).sum(1) + 1
        return np.where(gap.real > 0, gap, 0).sum()

    def df(z):
        anchor, near, far = z
        gap = ((anchor - near) ** 2).sum(1) - ((anchor - far) ** 2).sum(1) + 1
        on = (gap > 0)[:, None]
        return 2 * on * np.array([far - near, near - anchor, anchor - far])

    return Problem(f, df, normal(18, 3, 4, 3))


@field("cosine similarity")
def _cosine():
    b = normal(19, 6)

    def f(a):
        return 1 - (a @ b) / np.sqrt((a @ a) * (b @ b))

    def df(a):
        size = np.sqrt((a @ a) * (b @ b))
        return -b / size + (a @ b) * a / (size * (a @ a))

    def dropped(a):
        return -b / np.sqrt((a @ a) * (b @ b))

    return Problem(f, df, 3 * normal(20, 6), {"norm taken as constant": dropped})


@field("InfoNCE contrastive loss")
def _info_nce():
    keys = normal(21, 5, 3)
    t = np.eye(5)
    return Problem(
        lambda q: -(t * log_softmax(q @ keys.T / 0.1)).sum() / 5,
        lambda q: (softmax(q @ keys.T / 0.1) - t) @ keys / 0.5,
        normal(22, 5, 3) * 0.3,
        {"temperature forgotten": lambda q: (softmax(q @ keys.T / 0.1) - t) @ keys / 5},
    )


@field("soft Dice loss")
def _dice():
    t = np.array([1.0, 0, 1, 1, 0, 0, 1])

    def df(p):
        total = p.sum() + t.sum()
        return -2 * t / total + 2 * (p @ t) / total**2

    return Problem(
        lambda p: 1 - 2 * (p @ t) / (p.sum() + t.sum()),
        df,
        uniform(23, 0.05, 0.95, 7),
        {"denominator taken as constant": lambda p: -2 * t / (p.sum() + t.sum())},
    )


@field("pinball loss, far from the quantile")
def _pinball():
    t = np.array([0.0, 1.0, 2.0, 3.0, 4.0])

    def f(y):
        r = t - y
        return np.where(r.real > 0, 0.9 * r, -0.1 * r).sum()

    return Problem(
        f,
        lambda y: np.where(t > y, -0.9, 0.1),
        t + np.array([0.4, -0.7, 1.5, -2.0, 0.6]),
        {"sides swapped": lambda y: np.where(t > y, -0.1, 0.9)},
    )


@field("absolute error, residuals far from 0")
def _absolute():
    t = np.arange(6.0)
    signs = np.array([1.0, -1, 1, 1, -1, -1])
    return Problem(
        lambda y: np.sqrt((y - t) ** 2).mean(),
        lambda y: np.sign(y - t) / y.size,
        t + signs * uniform(24, 0.5, 2, 6),
    )


@field("log loss of one variable")
def _one_variable():
    return Problem(
        lambda x: np.log(1 + np.exp(-x))[0], lambda x: -1 / (1 + np.exp(x)), np.array([1.7])
    )


@field("gamma deviance")
def _gamma_deviance():
    t = uniform(25, 0.2, 5, 8)
    return Problem(
        lambda mu: 2 * (t / mu - 1 - np.log(t / mu)).sum(),
        lambda mu: 2 * (1 / mu - t / mu**2),
        uniform(26, 0.1, 6, 8),
        {"log term lost": lambda mu: -2 * t / mu**2},
    )

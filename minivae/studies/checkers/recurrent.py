"""Recurrent cells, embeddings, and networks of several layers."""

from itertools import pairwise

import numpy as np

from minivae.studies.checkers.case import Field, Problem, normal
from minivae.studies.checkers.losses import log_softmax, one_hot, softmax
from minivae.studies.checkers.vae_terms import sigmoid

field = Field("networks")


@field("LSTM cell, of its weights")
def _lstm():
    x, c0, d = normal(1, 5), normal(2, 3), normal(3, 3)

    def gates(W):
        a = (x @ W).reshape(4, 3)
        return sigmoid(a[0]), sigmoid(a[1]), np.tanh(a[2]), sigmoid(a[3])

    def f(W):
        i, forget, g, o = gates(W)
        return d @ (o * np.tanh(forget * c0 + i * g))

    def df(W):
        i, forget, g, o = gates(W)
        t = np.tanh(forget * c0 + i * g)
        dc = d * o * (1 - t * t)
        da = [dc * g * i * (1 - i), dc * c0 * forget * (1 - forget), dc * i * (1 - g * g)]
        return np.outer(x, np.concatenate([*da, d * t * o * (1 - o)]))

    def dropped(W):
        dW = df(W)
        dW[:, 3:6] = 0
        return dW

    return Problem(f, df, 0.7 * normal(4, 5, 12), {"forget gate lost": dropped})


@field("GRU cell, of its state")
def _gru():
    U, V, c = normal(5, 4, 4), normal(6, 4, 4), normal(7, 4)

    def f(h):
        z, g = sigmoid(h @ U), np.tanh(h @ V)
        return c @ ((1 - z) * h + z * g)

    def df(h):
        z, g = sigmoid(h @ U), np.tanh(h @ V)
        return c * (1 - z) + U @ (c * (g - h) * z * (1 - z)) + V @ (c * z * (1 - g * g))

    def one_path(h):
        z, g = sigmoid(h @ U), np.tanh(h @ V)
        return c * (1 - z) + V @ (c * z * (1 - g * g))

    return Problem(f, df, normal(8, 4), {"update gate lost": one_path})


@field("tanh recurrence over 30 steps, of its weights")
def _recurrence():
    x = normal(9, 30, 3)

    def run(W):
        states = [np.zeros(3)]
        for row in x:
            states.append(np.tanh(states[-1] @ W + row))
        return states

    def f(W):
        return run(W)[-1].sum()

    def through_time(W, steps):
        states, dW, d = run(W), np.zeros((3, 3)), np.ones(3)
        for before, after in list(pairwise(states))[::-1][:steps]:
            da = d * (1 - after**2)
            dW += np.outer(before, da)
            d = W @ da
        return dW

    mistakes = {"truncated after 3 steps": lambda W: through_time(W, 3)}
    return Problem(f, lambda W: through_time(W, 30), 0.5 * normal(10, 3, 3), mistakes)


@field("embedding of repeated words")
def _embedding():
    words, W = [0, 3, 3, 1, 3], normal(11, 2, 4)
    t = one_hot([1, 0, 2, 2, 3], 4)

    def f(E):
        return -(t * log_softmax(E[words] @ W)).sum()

    def df(E):
        dE = np.zeros(E.shape)
        np.add.at(dE, words, (softmax(E[words] @ W) - t) @ W.T)
        return dE

    def last_one_wins(E):
        dE = np.zeros(E.shape)
        dE[words] += (softmax(E[words] @ W) - t) @ W.T
        return dE

    return Problem(f, df, normal(12, 5, 2), {"repeated words overwritten": last_one_wins})


@field("classifier of three layers, of the first weights")
def _classifier():
    x, W2, W3 = normal(13, 8, 6), normal(14, 7, 5), normal(15, 5, 3)
    t = one_hot([0, 1, 2, 0, 1, 2, 2, 0], 3)

    def f(W):
        a = np.tanh(np.tanh(x @ W) @ W2) @ W3
        return -(t * log_softmax(a)).sum() / 8

    def df(W):
        y1 = np.tanh(x @ W)
        y2 = np.tanh(y1 @ W2)
        d2 = (softmax(y2 @ W3) - t) / 8 @ W3.T * (1 - y2**2)
        return x.T @ (d2 @ W2.T * (1 - y1**2))

    def one_slope(W):
        y1 = np.tanh(x @ W)
        y2 = np.tanh(y1 @ W2)
        return x.T @ ((softmax(y2 @ W3) - t) / 8 @ W3.T @ W2.T * (1 - y1**2))

    return Problem(f, df, 0.4 * normal(16, 6, 7), {"slope of layer 2 lost": one_slope})


@field("deep network of 12 narrow layers, faint gradients")
def _deep():
    Ws = 0.5 * normal(17, 12, 3, 3)

    def run(x):
        ys = [x]
        for W in Ws:
            ys.append(np.tanh(ys[-1] @ W))
        return ys

    def df(x):
        d = np.ones(3)
        for W, y in zip(Ws[::-1], run(x)[:0:-1], strict=True):
            d = W @ (d * (1 - y * y))
        return d

    return Problem(lambda x: run(x)[-1].sum(), df, normal(18, 3))


@field("rotary positions in a dot product")
def _rotary():
    k = normal(19, 6)
    angle = np.array([1.0, 0.1, 0.01]) * 7

    def turned(x, sign):
        a, b = x.reshape(3, 2).T
        c, s = np.cos(angle), sign * np.sin(angle)
        return np.stack([a * c - b * s, a * s + b * c], axis=1).reshape(-1)

    return Problem(
        lambda q: np.exp(turned(q, 1) @ k / 3),
        lambda q: np.exp(turned(q, 1) @ k / 3) * turned(k, -1) / 3,
        normal(20, 6),
        {"turned the wrong way": lambda q: np.exp(turned(q, 1) @ k / 3) * turned(k, 1) / 3},
    )


@field("graph convolution, of its weights")
def _graph():
    A = np.array([[0, 1, 0, 1], [1, 0, 1, 0], [0, 1, 0, 0], [1, 0, 0, 0]]) + np.eye(4)
    root = 1 / np.sqrt(A.sum(axis=1))
    A = root[:, None] * A * root
    x, c = normal(21, 4, 3), normal(22, 4, 3)
    return Problem(
        lambda W: (c * np.tanh(A @ x @ W)).sum(),
        lambda W: x.T @ A.T @ (c * (1 - np.tanh(A @ x @ W) ** 2)),
        normal(23, 3, 3),
        {"neighbours forgotten": lambda W: x.T @ (c * (1 - np.tanh(A @ x @ W) ** 2))},
    )


@field("dropout with a mask that is kept")
def _dropout():
    mask, c = (normal(24, 10) > -0.5) / 0.7, normal(25, 10)
    return Problem(
        lambda x: (c * np.sin(mask * x)).sum(),
        lambda x: c * mask * np.cos(mask * x),
        normal(26, 10),
        {"mask once only": lambda x: c * np.cos(mask * x)},
    )

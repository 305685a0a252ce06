"""Layers of networks: a layer, and a fixed linear functional of its output."""

import math

import numpy as np

from minivae.studies.checkers.case import Field, Problem, normal
from minivae.studies.checkers.losses import softmax
from minivae.studies.checkers.vae_terms import sigmoid

field = Field("layers")

erf = np.vectorize(math.erf, otypes=[float])


@field("dense layer with tanh, of its weights")
def _dense():
    x, b, c = normal(1, 6, 5), normal(2, 4), normal(3, 6, 4)

    def f(W):
        return (c * np.tanh(x @ W + b)).sum()

    def df(W):
        return x.T @ (c * (1 - np.tanh(x @ W + b) ** 2))

    return Problem(f, df, 0.6 * normal(4, 5, 4), {"1 - tanh^2 lost": lambda W: x.T @ c + 0 * W})


@field("square dense layer, of its weights")
def _square():
    x, c = normal(5, 3, 4), normal(6, 3, 4)
    return Problem(
        lambda W: (c * sigmoid(x @ W)).sum(),
        lambda W: x.T @ (c * sigmoid(x @ W) * (1 - sigmoid(x @ W))),
        normal(7, 4, 4),
    )


@field("dense layer with tanh, of its input")
def _input():
    W, c = normal(8, 4, 4), normal(9, 3, 4)
    return Problem(
        lambda x: (c * np.tanh(x @ W)).sum(),
        lambda x: (c * (1 - np.tanh(x @ W) ** 2)) @ W.T,
        normal(10, 3, 4),
        {"W for its transpose": lambda x: (c * (1 - np.tanh(x @ W) ** 2)) @ W},
    )


@field("dense layer, of its bias")
def _bias():
    x, c = normal(11, 7, 4), normal(12, 7, 4)
    return Problem(
        lambda b: (c * np.tanh(x + b)).sum(),
        lambda b: (c * (1 - np.tanh(x + b) ** 2)).sum(axis=0),
        normal(13, 4),
        {"mean over the batch": lambda b: (c * (1 - np.tanh(x + b) ** 2)).mean(axis=0)},
    )


@field("saturated tanh units, pre-activations from 3 to 15")
def _saturated():
    c = normal(14, 8)
    return Problem(lambda a: c @ np.tanh(a), lambda a: c / np.cosh(a) ** 2, np.linspace(3, 15, 8))


@field("relu layer, pre-activations far from 0")
def _relu():
    x, W = normal(15, 5, 3), normal(16, 3, 4)
    c = normal(17, 5, 4)

    def f(b):
        a = x @ W + b
        return (c * np.where(a.real > 0, a, 0)).sum()

    return Problem(f, lambda b: (c * (x @ W + b > 0)).sum(axis=0), np.array([0.3, -0.2, 0.5, 0.1]))


@field("layer norm, of its input")
def _layer_norm():
    gain, c = 1 + 0.3 * normal(18, 6), normal(19, 4, 6)

    def parts(x):
        centred = x - x.mean(axis=1, keepdims=True)
        sigma = np.sqrt((centred**2).mean(axis=1, keepdims=True) + 1e-5)
        return centred / sigma, sigma

    def f(x):
        return (c * gain * parts(x)[0]).sum()

    def df(x):
        y, sigma = parts(x)
        d = c * gain
        return (d - d.mean(axis=1, keepdims=True) - y * (d * y).mean(axis=1, keepdims=True)) / sigma

    def constant_sigma(x):
        d = c * gain
        return (d - d.mean(axis=1, keepdims=True)) / parts(x)[1]

    return Problem(f, df, 2 * normal(20, 4, 6) + 1, {"sigma taken as constant": constant_sigma})


@field("batch norm in training, of its input")
def _batch_norm():
    c = normal(21, 7, 3)

    def parts(x):
        centred = x - x.mean(axis=0)
        sigma = np.sqrt((centred**2).mean(axis=0) + 1e-5)
        return centred / sigma, sigma

    def f(x):
        return (c * parts(x)[0]).sum()

    def df(x):
        y, sigma = parts(x)
        return (c - c.mean(axis=0) - y * (c * y).mean(axis=0)) / sigma

    mistakes = {"statistics taken as constant": lambda x: c / parts(x)[1]}
    return Problem(f, df, 5 + 0.1 * normal(22, 7, 3), mistakes)


@field("RMS norm, of its input")
def _rms_norm():
    c = normal(23, 3, 5)

    def f(x):
        return (c * x / np.sqrt((x * x).mean(axis=1, keepdims=True))).sum()

    def df(x):
        rms = np.sqrt((x * x).mean(axis=1, keepdims=True))
        return c / rms - x * (c * x).mean(axis=1, keepdims=True) / rms**3

    return Problem(f, df, normal(24, 3, 5))


def _attention(seed):
    q, k, v, c = normal(seed, 4, 5, 3)
    return q, k, v, c, np.sqrt(3.0)


@field("attention, of its queries")
def _queries():
    q, k, v, c, root = _attention(25)

    def f(q):
        return (c * (softmax(q @ k.T / root) @ v)).sum()

    def df(q):
        p = softmax(q @ k.T / root)
        d = c @ v.T
        return (p * (d - (p * d).sum(axis=1, keepdims=True))) @ k / root

    mistakes = {"scale forgotten": lambda q: df(q) * root}
    return Problem(f, df, q, mistakes)


@field("attention, of its keys")
def _keys():
    q, k, v, c, root = _attention(26)

    def f(k):
        return (c * (softmax(q @ k.T / root) @ v)).sum()

    def df(k):
        p = softmax(q @ k.T / root)
        d = c @ v.T
        return (p * (d - (p * d).sum(axis=1, keepdims=True))).T @ q / root

    def no_softmax(k):
        return (softmax(q @ k.T / root) * (c @ v.T)).T @ q / root

    return Problem(f, df, k, {"softmax taken entry by entry": no_softmax})


@field("causal self-attention, of one input to all three")
def _causal():
    x, c, mask = normal(27, 4, 3), normal(28, 4, 3), np.tril(np.ones((4, 4)))

    def scores(x):
        e = np.exp(x @ x.T) * mask
        return e / e.sum(axis=1, keepdims=True)

    def f(x):
        return (c * (scores(x) @ x)).sum()

    def df(x):
        p = scores(x)
        d = c @ x.T
        ds = p * (d - (p * d).sum(axis=1, keepdims=True))
        return p.T @ c + ds @ x + ds.T @ x

    def two_paths(x):
        p = scores(x)
        d = c @ x.T
        return p.T @ c + p * (d - (p * d).sum(axis=1, keepdims=True)) @ x

    return Problem(f, df, 0.7 * x, {"keys' path lost": two_paths})


@field("convolution of a signal, of its kernel")
def _convolution():
    signal, c = normal(29, 20), normal(30, 16)
    windows = np.lib.stride_tricks.sliding_window_view(signal, 5)
    return Problem(
        lambda k: (c * np.tanh(windows @ k)).sum(),
        lambda k: windows.T @ (c * (1 - np.tanh(windows @ k) ** 2)),
        normal(31, 5),
        {"kernel flipped": lambda k: (windows.T @ (c * (1 - np.tanh(windows @ k) ** 2)))[::-1]},
    )


@field("convolution of images, of the images")
def _images():
    kernel, c = normal(32, 3, 3), normal(33, 2, 4, 4)

    def f(x):
        y = sum(kernel[i, j] * x[:, i : i + 4, j : j + 4] for i in range(3) for j in range(3))
        return (c * y * y).sum()

    def df(x):
        parts = [(i, j) for i in range(3) for j in range(3)]
        y = sum(kernel[i, j] * x[:, i : i + 4, j : j + 4] for i, j in parts)
        dx = np.zeros(x.shape)
        for i, j in parts:
            dx[:, i : i + 4, j : j + 4] += 2 * kernel[i, j] * c * y
        return dx

    def flipped(x):
        parts = [(i, j) for i in range(3) for j in range(3)]
        y = sum(kernel[i, j] * x[:, i : i + 4, j : j + 4] for i, j in parts)
        dx = np.zeros(x.shape)
        for i, j in parts:
            dx[:, i : i + 4, j : j + 4] += 2 * kernel[2 - i, 2 - j] * c * y
        return dx

    return Problem(f, df, normal(34, 2, 6, 6), {"kernel flipped": flipped})


@field("mean pooling and softplus")
def _pooling():
    c = normal(35, 4)

    def f(x):
        return (c * np.log(1 + np.exp(x.reshape(4, 3).mean(axis=1)))).sum()

    def df(x):
        return np.repeat(c * sigmoid(x.reshape(4, 3).mean(axis=1)) / 3, 3)

    return Problem(f, df, normal(36, 12), {"3 forgotten": lambda x: 3 * df(x)})


@field("gelu by the error function")
def _gelu():
    c = normal(37, 9)

    def f(x):
        return (c * x * (1 + erf(x / np.sqrt(2))) / 2).sum()

    def df(x):
        density = np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi)
        return c * ((1 + erf(x / np.sqrt(2))) / 2 + x * density)

    def dropped(x):
        return c * (1 + erf(x / np.sqrt(2))) / 2

    return Problem(f, df, np.linspace(-4, 4, 9) + 0.1, {"density lost": dropped})


@field("gelu by tanh")
def _gelu_tanh():
    c, k = normal(38, 9), np.sqrt(2 / np.pi)

    def f(x):
        return (c * x / 2 * (1 + np.tanh(k * (x + 0.044715 * x**3)))).sum()

    def df(x):
        t = np.tanh(k * (x + 0.044715 * x**3))
        return c * ((1 + t) / 2 + x / 2 * (1 - t * t) * k * (1 + 3 * 0.044715 * x**2))

    return Problem(f, df, np.linspace(-3, 3, 9) + 0.1)


@field("swish with a gate")
def _swish():
    def f(x):
        return (x[0] * sigmoid(x[0]) * x[1]).sum()

    def df(x):
        s = sigmoid(x[0])
        return np.array([(s + x[0] * s * (1 - s)) * x[1], x[0] * s])

    def no_gate(x):
        return np.array([df(x)[0] / x[1], x[0] * sigmoid(x[0])])

    return Problem(f, df, normal(39, 2, 6), {"gate lost": no_gate})


@field("residual block")
def _residual():
    W, V, c = normal(40, 4, 8), normal(41, 8, 4), normal(42, 3, 4)

    def f(x):
        return (c * (x + np.tanh(x @ W) @ V)).sum()

    def df(x):
        return c + ((c @ V.T) * (1 - np.tanh(x @ W) ** 2)) @ W.T

    return Problem(f, df, normal(43, 3, 4), {"skip connection lost": lambda x: df(x) - c})


@field("max of softmaxed logits, smooth maximum")
def _smooth_maximum():
    return Problem(
        lambda x: np.log(np.exp(20 * x).sum()) / 20,
        lambda x: softmax(20 * x),
        np.array([0.3, 0.9, 0.85, -0.4, 0.6]),
    )


@field("weight norm, of the direction")
def _weight_norm():
    c = normal(44, 5)

    def f(v):
        return c @ v / np.sqrt(v @ v)

    def df(v):
        size = np.sqrt(v @ v)
        return (c - v * (c @ v) / size**2) / size

    return Problem(f, df, normal(45, 5), {"norm taken as constant": lambda v: c / np.sqrt(v @ v)})

"""Forward/backward pairs and their inputs, for the tests of the gradient doctor."""

import numpy as np

from minivae.gradcheck import diagnose

rng = np.random.default_rng(7)
B, D, L, K = 4, 5, 3, 6
MU, LOGVAR, EPS = rng.normal(size=(3, B, L))
EPS_K = rng.normal(size=(K, B, L))
X, LOGITS = rng.random((B, D)), rng.normal(size=(B, D))
W, BIAS = rng.normal(size=(D, L)), rng.normal(size=L)
OUT_LOGVAR = np.array([0.3])
SQUARE = rng.normal(size=(D, D))

PAIRS = {  # name: (forward, backward, inputs)
    "dense tanh": ("dense_forward", "dense_backward", (X, W, BIAS, "tanh")),
    "dense relu": ("dense_forward", "dense_backward", (X - 0.5, W, BIAS, "relu")),
    "dense none": ("dense_forward", "dense_backward", (X, W, BIAS, "none")),
    "reparam": ("reparam_forward", "reparam_backward", (MU, LOGVAR, EPS)),
    "reparam K": ("reparam_forward", "reparam_backward", (MU, LOGVAR, EPS_K)),
    "kl": ("gaussian_kl_forward", "gaussian_kl_backward", (MU, LOGVAR)),
    "bernoulli": ("bernoulli_nll_forward", "bernoulli_nll_backward", (LOGITS, X)),
    "gaussian": ("gaussian_nll_forward", "gaussian_nll_backward", (LOGITS, OUT_LOGVAR, X)),
}


def examine(backend, pair):
    forward, backward, inputs = PAIRS[pair]
    return diagnose(getattr(backend, forward), getattr(backend, backward), inputs)


def kinds(diagnosis):
    return {f.argument: f.kind for f in diagnosis.findings}


def only_finding(forward, backward, inputs):
    diagnosis = diagnose(forward, backward, inputs)
    assert not diagnosis.ok
    (finding,) = diagnosis.findings
    return finding


def linear_forward(x, W, b):
    return x @ W + b, (x, W)


def linear(
    dx=lambda dy, x, W: dy @ W.T, dW=lambda dy, x, W: x.T @ dy, db=lambda dy, x, W: dy.sum(axis=0)
):
    """The backward of a linear layer, with one of its lines replaced."""

    def backward(dy, cache):
        return dx(dy, *cache), dW(dy, *cache), db(dy, *cache)

    return backward


LAYER = (X, W, BIAS)
SQUARE_LAYER = (X, SQUARE, rng.normal(size=D))

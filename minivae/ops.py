"""The mathematics of a VAE as forward/backward pairs, in plain NumPy: the readable reference.

Every forward returns its result and a cache; the backward takes the gradient of the loss
with respect to that result, and the cache, and returns the gradients of the inputs.
Any object with these names is a *backend*: `minivae.kernels` is the fast one, and a reader's
exercise answers can be another.

Shapes: B batch, D data, L latent, K importance samples; I, O a layer's inputs and outputs.
Values are nats. The forwards also accept complex input, because gradient checks differentiate
them by the complex step: so comparisons use the real part, and no formula takes an absolute
value or a conjugate.
"""

from math import log, pi
from typing import NamedTuple

import numpy as np

Array = np.ndarray
ACTIVATIONS = ("tanh", "relu", "softplus", "none")  # "none" is for the heads and the output
SUM_BLOCK = 256  # rows


class DenseCache(NamedTuple):
    x: Array
    W: Array
    y: Array
    activation: str


class ReparamCache(NamedTuple):
    sigma: Array
    eps: Array


class GaussianKLCache(NamedTuple):
    mu: Array
    logvar: Array


class BernoulliCache(NamedTuple):
    residual: Array  # sigmoid(logits) - x: all that the backward needs


class GaussianCache(NamedTuple):
    residual: Array  # mean - x
    precision: Array  # 1 / sigma^2, shape (1,)


def dense_forward(x: Array, W: Array, b: Array, activation: str) -> tuple[Array, DenseCache]:
    """y = act(a),  a = x W + b,  act = tanh, relu, softplus or the identity   [notebook 05, eq. 1]

    relu(a) = max(a, 0),  softplus(a) = log(1 + exp(a)) = max(a, 0) + log(1 + exp(-|a|))
    x: (N, I), W: (I, O), b: (O,) -> y: (N, O), cache.
    """
    y = x @ W
    y += b
    if activation == "tanh":
        np.tanh(y, out=y)
    elif activation == "relu":
        y = np.where(y.real <= 0, 0, y)  # <= and not >, so that NaN stays NaN
    elif activation == "softplus":
        positive = y.real > 0
        e = np.exp(np.where(positive, -y, y))  # exp(-|a|) cannot overflow
        y = np.where(positive, y, 0) + np.log1p(e)
    elif activation != "none":
        raise ValueError(f"activation is {activation!r}; it must be one of {ACTIVATIONS}")
    return y, DenseCache(x, W, y, activation)


def dense_backward(
    dy: Array, cache: DenseCache, *, out: tuple[Array, Array] | None = None, need_dx: bool = True
) -> tuple[Array | None, Array, Array]:
    """da = dy act'(a),  dW = x.T da,  db = sum_n da,  dx = da W.T   [notebook 05, eqs. 2 to 5]

    dy: (N, O) -> dx: (N, I) (None unless need_dx), dW: (I, O), db: (O,).
    `out`: a pair (dW, db) of arrays to write into, such as views of one flat gradient.
    """
    x, W, y, activation = cache
    if activation == "tanh":
        da = dy * (1 - y * y)  # tanh' = 1 - tanh^2
    elif activation == "relu":
        da = dy * np.where(y > 0, 1, y)  # relu' = 1 where y > 0, else y itself: 0, or NaN
    elif activation == "softplus":
        da = dy * -np.expm1(-y)  # softplus' = sigmoid(a) = 1 - exp(-y)
    else:
        da = dy
    dW, db = (np.empty_like(W), np.empty_like(W[0])) if out is None else out
    np.matmul(x.T, da, out=dW)
    db[...] = sum_rows(da)
    return (da @ W.T if need_dx else None), dW, db


def sum_rows(a: Array) -> Array:
    """sum_n a_n: (N, O) -> (O,), in blocks of SUM_BLOCK rows, then the sum of their sums.

    NumPy adds rows one after the other, so each rounding is relative to a sum that grows with N:
    60,000 float32 rows would lose three digits more than in blocks.
    """
    whole = len(a) - len(a) % SUM_BLOCK
    blocks = a[:whole].reshape(len(a) // SUM_BLOCK, SUM_BLOCK, a.shape[1]).sum(axis=1)
    return blocks.sum(axis=0) + a[whole:].sum(axis=0)


def reparam_forward(mu: Array, logvar: Array, eps: Array) -> tuple[Array, ReparamCache]:
    """z = mu + sigma * eps,  sigma = exp(logvar / 2)            [notebook 04, eq. 3]

    mu, logvar: (B, L); eps: (B, L) or (K, B, L) -> z: like eps, cache.
    eps ~ N(0, I) is drawn by the caller.
    """
    sigma = np.exp(logvar / 2)
    return mu + sigma * eps, ReparamCache(sigma, eps)


def reparam_backward(dz: Array, cache: ReparamCache) -> tuple[Array, Array]:
    """dmu = dz,  dlogvar = dz * eps * sigma / 2                 [notebook 04, eqs. 4 and 5]

    dz: (B, L) or (K, B, L) -> dmu, dlogvar: (B, L), summed over the K samples that share them.
    """
    dmu, dlogvar = dz, dz * cache.eps * cache.sigma / 2
    if dz.ndim == 3:
        return dmu.sum(axis=0), dlogvar.sum(axis=0)
    return dmu, dlogvar


def gaussian_kl_forward(mu: Array, logvar: Array) -> tuple[Array, GaussianKLCache]:
    """KL(N(mu, sigma^2) || N(0, 1)) = (mu^2 + sigma^2 - 1 - log sigma^2) / 2   [notebook 03, eq. 2]

    mu, logvar: (B, L) -> kl: (B, L), nats for each example and latent, cache.
    """
    kl = (mu * mu + expm1_minus(logvar)) / 2
    return kl, GaussianKLCache(mu, logvar)


def expm1_minus(l: Array) -> Array:
    """exp(l) - 1 - l, any shape, to a few units in the last place also where l is near 0.

    There exp(l) - 1 is nearly l, and their difference has no digits left, so it is its series:
    l^2/2! + l^3/3! + ... = l^2/2 (1 + l/3 (1 + l/4 (1 + ...)))
    """
    near = (l.real > -0.25) & (l.real < 0.25)
    small = np.where(near, l, 0)
    series = np.ones_like(small)
    for n in range(12, 2, -1):  # the first term left out is below 1e-16 of the sum
        series *= small / n
        series += 1
    return np.where(near, small * small / 2 * series, np.expm1(l) - l)


def gaussian_kl_backward(dkl: Array, cache: GaussianKLCache) -> tuple[Array, Array]:
    """dmu = dkl * mu,  dlogvar = dkl * (sigma^2 - 1) / 2        [notebook 03, eqs. 3 and 4]

    dkl: (L,) or (B, L) -> dmu, dlogvar: (B, L).
    """
    return dkl * cache.mu, dkl * np.expm1(cache.logvar) / 2


def sigmoid(logits: Array) -> Array:
    """1 / (1 + exp(-logits)), any shape, without overflow       [notebook 05, eq. 6]"""
    positive = logits.real > 0
    e = np.exp(np.where(positive, -logits, logits))  # exp of a number <= 0
    return np.where(positive, 1, e) / (1 + e)


def bernoulli_nll_forward(logits: Array, x: Array) -> tuple[Array, BernoulliCache]:
    """-log p(x|z) = sum_d log(1 + exp(l_d)) - x_d l_d           [notebook 05, eq. 7]

    logits: (B, D) or (K, B, D), x: (B, D) in [0, 1] -> nll: (B,) or (K, B), nats, cache.
    Written as a sum of terms that are never negative, so that nothing cancels.
    """
    positive = logits.real > 0
    e = np.exp(np.where(positive, -logits, logits))
    factor = positive - x  # 1 - x or -x
    nll = np.where(factor == 0, 0, logits) * factor + np.log1p(e)  # not infinity * 0 = NaN
    residual = np.where(positive, 1, e) / (1 + e) - x
    return nll.sum(axis=-1), BernoulliCache(residual)


def bernoulli_nll_backward(dnll: Array, cache: BernoulliCache) -> Array:
    """dlogits = dnll * (sigmoid(logits) - x)                    [notebook 05, eq. 8]

    dnll: (B,) or (K, B) -> dlogits: (B, D) or (K, B, D).
    """
    return dnll[..., None] * cache.residual


def gaussian_nll_forward(mean: Array, logvar: Array, x: Array) -> tuple[Array, GaussianCache]:
    """-log p(x|z) = sum_d ((x_d - mean_d)^2 / sigma^2 + logvar + log 2 pi) / 2

    mean: (B, D) or (K, B, D), x: (B, D), logvar: (1,), shared by all pixels
    -> nll: (B,) or (K, B), nats, cache.                        [notebook 05, eq. 9]
    """
    D = x.shape[-1]
    residual = mean - x
    precision = np.exp(-logvar)
    squares = (residual * residual).sum(axis=-1)
    nll = (squares * precision + D * (logvar + log(2 * pi))) / 2
    return nll, GaussianCache(residual, precision)


def gaussian_nll_backward(dnll: Array, cache: GaussianCache) -> tuple[Array, Array]:
    """dmean = dnll (mean - x) / sigma^2,  dlogvar = sum dnll (D - |mean - x|^2 / sigma^2) / 2

    dnll: (B,) or (K, B) -> dmean: (B, D) or (K, B, D), dlogvar: (1,).   [notebook 05, eqs. 10, 11]
    """
    residual, precision = cache
    squares = (residual * residual).sum(axis=-1)
    dmean = dnll[..., None] * residual * precision
    dlogvar = (dnll * (residual.shape[-1] - squares * precision) / 2).sum()
    return dmean, np.atleast_1d(dlogvar)


def adam_step(
    flat: Array,
    grad: Array,
    m: Array,
    v: Array,
    step: int,
    lr: float,
    beta1: float = 0.9,
    beta2: float = 0.999,
    adam_eps: float = 1e-8,
) -> None:
    """One step of Adam, in place: flat -= lr * m_hat / (sqrt(v_hat) + adam_eps)

    flat, grad, m, v: (P,); m and v start at 0, `step` at 1.   [notebook 07, eqs. 2 to 4]
    Source: Kingma and Ba 2015, algorithm 1.
    """
    m *= beta1
    m += (1 - beta1) * grad
    v *= beta2
    v += (1 - beta2) * grad * grad
    m_hat_scale = 1 / (1 - beta1**step)  # corrects the bias: m and v start at 0
    v_hat_scale = 1 / (1 - beta2**step)
    flat -= (lr * m_hat_scale) * m / (np.sqrt(v * v_hat_scale) + adam_eps)

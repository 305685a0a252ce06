"""The public functions: the forward/backward pairs of `ops.py`, Adam, and the matrix product.

Names, arguments, shapes and results are those of `ops.py`. Arrays that the kernels cannot take as
they are (integers, strided, read-only) are copied first. Shapes that do not fit raise MinivaeError,
as do dtypes other than float32 and float64.
"""

import math
from typing import NamedTuple

import numpy as np

from minivae.errors import MinivaeError
from minivae.kernels import loops, tasks
from minivae.kernels.activations import ACTIVATIONS, CODES, NO_ACTIVATION
from minivae.kernels.guard import is_ready, is_row_strided, ready, rows, shape_error
from minivae.kernels.memory import empty, empty_like
from minivae.kernels.threads import ensure_compiled, pool_of


class DenseCache(NamedTuple):
    x: np.ndarray
    W: np.ndarray
    y: np.ndarray
    activation: str


class ReparamCache(NamedTuple):
    sigma: np.ndarray
    eps: np.ndarray


class GaussianKLCache(NamedTuple):
    mu: np.ndarray
    logvar: np.ndarray


class BernoulliCache(NamedTuple):
    residual: np.ndarray  # sigmoid(logits) - x: all that the backward needs


class GaussianCache(NamedTuple):
    residual: np.ndarray  # mean - x
    precision: np.ndarray  # 1 / sigma^2, shape (1,)


def dense_forward(
    x: np.ndarray, W: np.ndarray, b: np.ndarray, activation: str
) -> tuple[np.ndarray, DenseCache]:
    """y = act(x W + b),  act = tanh, relu, softplus or none     [notebook 05, eq. 1]

    x: (N, I), W: (I, O), b: (O,) -> y: (N, O), cache.
    """
    if activation not in CODES:
        raise MinivaeError(f"activation is {activation!r}; it must be one of {ACTIVATIONS}")
    x, W, b = ready(x, W, b)
    if not (x.ndim == W.ndim == 2 and x.shape[1] == W.shape[0] and b.shape == W.shape[1:]):
        raise shape_error("dense_forward", "x (N, I), W (I, O) and b (O,)", x, W, b)
    y = empty((x.shape[0], W.shape[1]), W.dtype)
    pool_of(W.dtype).run(tasks.describe_forward, x, W, b, CODES[activation], y)
    return y, DenseCache(x, W, y, activation)


def dense_backward(
    dy: np.ndarray,
    cache: DenseCache,
    *,
    out: tuple[np.ndarray, np.ndarray] | None = None,
    need_dx: bool = True,
) -> tuple[np.ndarray | None, np.ndarray, np.ndarray]:
    """da = dy act'(a),  dW = x.T da,  db = sum_n da,  dx = da W.T   [notebook 05, eqs. 2 to 5]

    dy: (N, O) -> dx: (N, I) (None unless need_dx), dW: (I, O), db: (O,).
    `out`: a pair (dW, db) of arrays to write into, such as views of one flat gradient; they must
    not overlap dy or what the cache holds.
    """
    dy, x, W, y = ready(dy, cache.x, cache.W, cache.y)
    if not (dy.shape == y.shape == (len(x), W.shape[-1]) and x.shape[1:] == W.shape[:-1]):
        wanted = "dy and y (N, O), x (N, I) and W (I, O)"
        raise shape_error("dense_backward", wanted, dy, y, x, W)
    if out is not None and (out[0].shape != W.shape or out[1].shape != W.shape[1:]):
        raise shape_error("dense_backward", "out = dW (I, O), db (O,)", *out)
    if out is not None and is_ready(out[0], W.dtype) and is_ready(out[1], W.dtype):
        dW, db = out
    else:
        dW, db = empty_like(W), np.empty(W.shape[1], W.dtype)
    pool, activation, da = pool_of(W.dtype), CODES[cache.activation], dy
    if activation != NO_ACTIVATION:
        da = empty_like(dy)
        pool.run(tasks.describe_activation_gradient, dy.ravel(), y.ravel(), activation, da.ravel())
    dx = empty_like(x) if need_dx else np.empty((0, 0), x.dtype)
    pool.run(tasks.describe_backward, da, x, W, dW, db, dx)
    # the kernel filled copies, for example of strided views
    if out is not None and dW is not out[0]:
        np.copyto(out[0], dW, casting="same_kind")  # raises if they hold integers
        np.copyto(out[1], db, casting="same_kind")
        dW, db = out
    return (dx if need_dx else None), dW, db


def reparam_forward(
    mu: np.ndarray, logvar: np.ndarray, eps: np.ndarray
) -> tuple[np.ndarray, ReparamCache]:
    """z = mu + sigma * eps,  sigma = exp(logvar / 2)            [notebook 04, eq. 3]

    mu, logvar: (B, L); eps: (B, L) or (K, B, L) -> z: like eps, cache.
    """
    mu, logvar, eps = ready(mu, logvar, eps)
    if not (mu.ndim == 2 and mu.shape == logvar.shape == eps.shape[-2:] and eps.ndim in (2, 3)):
        wanted = "mu, logvar (B, L) and eps (B, L) or (K, B, L)"
        raise shape_error("reparam_forward", wanted, mu, logvar, eps)
    sigma, z = empty_like(mu), empty_like(eps)
    flat = (a.ravel() for a in (mu, logvar, eps, sigma, z))
    pool_of(mu.dtype).run(tasks.describe_reparam, *flat)
    return z, ReparamCache(sigma, eps)


def reparam_backward(dz: np.ndarray, cache: ReparamCache) -> tuple[np.ndarray, np.ndarray]:
    """dmu = dz,  dlogvar = dz * eps * sigma / 2                 [notebook 04, eqs. 4 and 5]

    dz: (B, L) or (K, B, L) -> dmu, dlogvar: (B, L), summed over the K samples that share them.
    """
    dz, sigma, eps = ready(dz, cache.sigma, cache.eps)
    if not (dz.shape == eps.shape and sigma.ndim == 2 and sigma.shape == eps.shape[-2:]):
        wanted = "dz and eps (B, L) or (K, B, L), sigma (B, L)"
        raise shape_error("reparam_backward", wanted, dz, eps, sigma)
    dmu, dlogvar = empty_like(sigma), empty_like(sigma)
    flat = (a.ravel() for a in (dz, sigma, eps, dmu, dlogvar))
    pool_of(sigma.dtype).run(tasks.describe_reparam_gradient, *flat)
    return dmu, dlogvar


def gaussian_kl_forward(mu: np.ndarray, logvar: np.ndarray) -> tuple[np.ndarray, GaussianKLCache]:
    """KL(N(mu, sigma^2) || N(0, 1)) = (mu^2 + sigma^2 - 1 - log sigma^2) / 2   [notebook 03, eq. 2]

    mu, logvar: (B, L) -> kl: (B, L), nats for each example and latent, cache.
    """
    mu, logvar = ready(mu, logvar)
    if mu.shape != logvar.shape:
        raise shape_error("gaussian_kl_forward", "mu and logvar (B, L)", mu, logvar)
    kl = empty_like(mu)
    pool_of(mu.dtype).run(tasks.describe_kl, mu.ravel(), logvar.ravel(), kl.ravel())
    return kl, GaussianKLCache(mu, logvar)


def gaussian_kl_backward(dkl: np.ndarray, cache: GaussianKLCache) -> tuple[np.ndarray, np.ndarray]:
    """dmu = dkl * mu,  dlogvar = dkl * (sigma^2 - 1) / 2        [notebook 03, eqs. 3 and 4]

    dkl: (L,) or (B, L) -> dmu, dlogvar: (B, L).
    """
    dkl, mu, logvar = ready(dkl, cache.mu, cache.logvar)
    if mu.shape != logvar.shape:
        raise shape_error("gaussian_kl_backward", "mu and logvar (B, L)", mu, logvar)
    if dkl.shape not in (mu.shape, mu.shape[1:]):
        dkl = np.ascontiguousarray(np.broadcast_to(dkl, mu.shape))
    dmu, dlogvar = empty_like(mu), empty_like(mu)
    flat = (a.ravel() for a in (dkl, mu, logvar, dmu, dlogvar))
    pool_of(mu.dtype).run(tasks.describe_kl_gradient, *flat)
    return dmu, dlogvar


def sigmoid(logits: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-logits)), any shape, without overflow       [notebook 05, eq. 6]"""
    (logits,) = ready(logits)
    out = empty_like(logits)
    ensure_compiled(logits.dtype)
    loops.sigmoid(logits.ravel(), out.ravel())
    return out


def bernoulli_nll_forward(logits: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, BernoulliCache]:
    """-log p(x|z) = sum_d log(1 + exp(l_d)) - x_d l_d           [notebook 05, eq. 7]

    logits: (B, D) or (K, B, D), x: (B, D) in [0, 1] -> nll: (B,) or (K, B), nats, cache.
    """
    logits, x = ready(logits, x)
    if not (x.ndim == 2 and logits.ndim in (2, 3) and logits.shape[-2:] == x.shape):
        wanted = "logits (B, D) or (K, B, D) and x (B, D)"
        raise shape_error("bernoulli_nll_forward", wanted, logits, x)
    residual, nll = empty_like(logits), np.zeros(logits.shape[:-1], x.dtype)
    pool = pool_of(x.dtype)
    pool.run(tasks.describe_bernoulli, rows(logits), x, rows(residual), nll.ravel())
    return nll, BernoulliCache(residual)


def bernoulli_nll_backward(dnll: np.ndarray, cache: BernoulliCache) -> np.ndarray:
    """dlogits = dnll * (sigmoid(logits) - x)                    [notebook 05, eq. 8]

    dnll: (B,) or (K, B) -> dlogits: (B, D) or (K, B, D).
    """
    dnll, residual = ready(dnll, cache.residual)
    return _scaled_rows("bernoulli_nll_backward", dnll, residual)


def gaussian_nll_forward(
    mean: np.ndarray, logvar: np.ndarray, x: np.ndarray
) -> tuple[np.ndarray, GaussianCache]:
    """-log p(x|z) = sum_d ((x_d - mean_d)^2 / sigma^2 + logvar + log 2 pi) / 2

    mean: (B, D) or (K, B, D), x: (B, D), logvar: (1,), shared by all pixels
    -> nll: (B,) or (K, B), nats, cache.                        [notebook 05, eq. 9]
    """
    mean, logvar, x = ready(mean, logvar, x)
    right = x.ndim == 2 and mean.ndim in (2, 3) and mean.shape[-2:] == x.shape
    if not (right and logvar.shape == (1,)):
        wanted = "mean (B, D) or (K, B, D), logvar (1,) and x (B, D)"
        raise shape_error("gaussian_nll_forward", wanted, mean, logvar, x)
    residual, squares = empty_like(mean), np.empty(mean.shape[:-1], x.dtype)
    ensure_compiled(x.dtype)
    loops.gaussian_residual(rows(mean), x, rows(residual), squares.ravel())
    precision = np.exp(-logvar)
    nll = (squares * precision + x.shape[1] * (logvar + math.log(2 * math.pi))) / 2
    return nll, GaussianCache(residual, precision)


def gaussian_nll_backward(dnll: np.ndarray, cache: GaussianCache) -> tuple[np.ndarray, np.ndarray]:
    """dmean = dnll (mean - x) / sigma^2,  dlogvar = sum dnll (D - |mean - x|^2 / sigma^2) / 2

    dnll: (B,) or (K, B) -> dmean: (B, D) or (K, B, D), dlogvar: (1,).   [notebook 05, eqs. 10, 11]
    """
    dnll, residual, precision = ready(dnll, cache.residual, cache.precision)
    dmean = _scaled_rows("gaussian_nll_backward", dnll * precision, residual)
    squares = np.empty(dnll.shape, dnll.dtype)
    loops.row_squares(rows(residual), squares.ravel())
    dlogvar = (dnll * (residual.shape[-1] - squares * precision) / 2).sum()
    return dmean, np.atleast_1d(dlogvar)


def adam_step(
    flat: np.ndarray,
    grad: np.ndarray,
    m: np.ndarray,
    v: np.ndarray,
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
    if not (flat.ndim == 1 and flat.shape == grad.shape == m.shape == v.shape):
        raise shape_error("adam_step", "flat, grad, m and v (P,)", flat, grad, m, v)
    given = flat, m, v
    flat, grad, m, v = ready(flat, grad, m, v)
    lr, v_scale = adam_scales(step, lr, beta1, beta2)
    pool = pool_of(flat.dtype)
    pool.run(tasks.describe_adam, flat, grad, m, v, lr, beta1, beta2, v_scale, adam_eps)
    for theirs, updated in zip(given, (flat, m, v), strict=True):
        if theirs is not updated:  # the kernel updated a copy, for example of a strided view
            np.copyto(theirs, updated, casting="same_kind")


def adam_scales(step: int, lr: float, beta1: float, beta2: float) -> tuple[float, float]:
    """What m and v are multiplied by, which corrects for their start at 0; lr is in the first."""
    return lr / (1 - beta1**step), 1 / (1 - beta2**step)


def matmul(
    a: np.ndarray, b: np.ndarray, *, transpose_a: bool = False, transpose_b: bool = False
) -> np.ndarray:
    """A B, with A.T for A if transpose_a, and B.T for B if transpose_b.

    a: (m, k), or (k, m) to be transposed; b: (k, n), or (n, k) to be transposed -> (m, n).
    The rows of both may have any stride.
    """
    a, b = np.asarray(a), np.asarray(b)
    if not (is_row_strided(a) and is_row_strided(b) and a.dtype == b.dtype):
        a, b = ready(a, b)
    if not (a.ndim == b.ndim == 2 and a.shape[not transpose_a] == b.shape[transpose_b]):
        raise shape_error("matmul", "(m, k) times (k, n), after the transpositions", a, b)
    # not `memory.empty`: one product gains less from its alignment than its Python code costs
    c = np.empty((a.shape[transpose_a], b.shape[not transpose_b]), a.dtype)
    pool_of(a.dtype).run(tasks.describe_matmul, a, int(transpose_a), b, int(transpose_b), c)
    return c


def _scaled_rows(name: str, factors: np.ndarray, residual: np.ndarray) -> np.ndarray:
    """Row i of the residual times factor i."""
    if factors.shape != residual.shape[:-1]:
        raise shape_error(name, "dnll (B,) or (K, B)", factors, residual)
    out = empty_like(residual)
    pool = pool_of(residual.dtype)
    pool.run(tasks.describe_scale_rows, factors.ravel(), rows(residual), rows(out))
    return out

"""The total correlation of the latents, as a penalty: a forward/backward pair like those of ops.py.

With q(z) the mean of q(z|x) over the data, the KL of the ELBO splits in three (Hoffman and Johnson
2016; Chen et al. 2018, arXiv:1802.04942):

    E_x KL(q(z|x) || p(z)) =   E log q(z|x) / q(z)              what the code says about the picture
                             + E log q(z) / prod_l q(z_l)       total correlation
                             + sum_l E log q(z_l) / p(z_l)      shape of each latent

The middle term is 0 where the latents are independent. q(z) is a mean over all N pictures; a batch
of B gives an estimate. Weighting each pair by 1 / (N B) (minibatch-weighted sampling),

    A_ijl = log N(z_il; mu_jl, sigma_jl^2),    A_ij = sum_l A_ijl
    tc_i  = log sum_j exp A_ij - sum_l log sum_j exp A_ijl + (L - 1) log(N B)            (1)

The last term is constant, so the gradient depends on neither N nor the weight:

    d tc_i / d A_ijl = softmax_j(A_i.)_j - softmax_j(A_i.l)_j = G_ijl                    (2)

and with u = (z_il - mu_jl) / sigma_jl^2 the chain rule gives dA/dz = -u, dA/dmu = u and
dA/dlogvar = (u^2 sigma^2 - 1) / 2.                             [notebook 10, eqs. 6 to 8]

Shapes: B examples, L latents. Accepts complex input, as ops.py does.
"""

from math import log, pi
from typing import NamedTuple

import numpy as np

Array = np.ndarray


class TotalCorrelationCache(NamedTuple):
    scaled: Array  # u = (z_il - mu_jl) / sigma_jl^2, (B, B, L)
    squares: Array  # (z_il - mu_jl)^2 / sigma_jl^2, (B, B, L)
    excess: Array  # G of eq. (2), (B, B, L)


def total_correlation_forward(
    z: Array, mu: Array, logvar: Array, n_data: int
) -> tuple[Array, TotalCorrelationCache]:
    """Eq. (1): z, mu, logvar (B, L), z_i drawn from q(z|x_i), of n_data pictures -> (B,) nats."""
    B, L = z.shape
    difference = z[:, None] - mu
    scaled = difference * np.exp(-logvar)
    squares = difference * scaled
    A = -(squares + logvar + log(2 * pi)) / 2
    joint, joint_share = _log_sum_and_shares(A.sum(axis=-1, keepdims=True))
    each, each_share = _log_sum_and_shares(A)
    tc = joint[:, 0] - each.sum(axis=-1) + (L - 1) * log(n_data * B)
    return tc, TotalCorrelationCache(scaled, squares, joint_share - each_share)


def total_correlation_backward(
    dtc: Array, cache: TotalCorrelationCache
) -> tuple[Array, Array, Array]:
    """Eq. (2): dtc (B,) -> dz, dmu, dlogvar (B, L). z_i meets all j, and mu_j, logvar_j all i."""
    dA = dtc[:, None, None] * cache.excess
    through_u = dA * cache.scaled
    dlogvar = (dA * (cache.squares - 1) / 2).sum(axis=0)
    return -through_u.sum(axis=1), through_u.sum(axis=0), dlogvar


def _log_sum_and_shares(A: Array) -> tuple[Array, Array]:
    """log sum_j exp A_ijl and softmax_j: (B, B, M) -> (B, M), (B, B, M)."""
    top = A.real.max(axis=1, keepdims=True)
    w = np.exp(A - top)
    total = w.sum(axis=1, keepdims=True)
    return (np.log(total) + top)[:, 0], w / total

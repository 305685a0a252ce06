"""Bounds of log p(x, z) over whole cells of z, from interval arithmetic through the decoder.

In a cell |z - c| <= r (in each coordinate) every pre-activation lies within r * (the largest slope)
of its value at c, so the slopes of the activations lie between two numbers, and with them the
decoder's Jacobian: between J - W and J + W, entry by entry. By the mean value theorem

    out(z) = out(c) + (z - c) J + e,   |e_d| <= r sum_l W_ld

Both likelihoods are convex in `out`, and the prior is concave in z, so a tangent at c is a bound:

    log p(x, z) <= log p(x, c) + r sum_l |G_l| + r sum_ld |dnll/dout_d| W_ld

with the gradient G of log p(x, z) that belongs to J. Source: the mean value form of Moore,
Kearfott and Cloud 2009, "Introduction to Interval Analysis", section 6.4.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from minivae import ops as numpy_ops
from minivae.exact.faces import LOG_2PI
from minivae.vae import Params, Spec

Array = np.ndarray
ROW_NUMBERS = 400_000  # a block of cells is as long as fits in arrays of this size
EPSILON = float(np.finfo(np.float64).eps)
NOT_FINITE = (
    "log p(x, z) is NaN or infinite for some z: the decoder's parameters hold NaN, infinity or "
    "numbers whose products exceed 1e308; quadrature needs a decoder that gives finite numbers"
)


class CellBounds(NamedTuple):
    """log p(x, z) over M cells, nats: (M,) each.

    centre: its value in the middle; highest: a number that it nowhere exceeds; variation: it
    nowhere differs from `centre` by more; bend: the part of `variation` that is left when the
    slope at the centre is the slope everywhere, apart from the curvature of the likelihood and
    the prior.

    With relu only kinks bend. kinks: how many units may change sides within the cell. Where it is
    one unit, its kink is the straight line kink_value + (z - centre) . kink_slope = 0, because all
    that comes before it is linear in the cell; kink_slope: (M, L).
    """

    centre: Array
    highest: Array
    variation: Array
    bend: Array
    kinks: Array
    kink_value: Array
    kink_slope: Array


def bound_cells(params: Params, x: Array, spec: Spec, centres: Array, half: Array) -> CellBounds:
    """`CellBounds` of the cells centres (M, L) +- half (M,), for one image x (D,).

    What is too large for float64 gives bounds that are not finite, without a warning.
    """
    widest = max(spec.data_dim, *spec.hidden, 1) * spec.latent_dim
    rows = max(1, ROW_NUMBERS // widest)
    starts = range(0, len(centres), rows)
    with np.errstate(over="ignore", invalid="ignore"):
        parts = [
            _bound_block(params, x, spec, centres[s : s + rows], half[s : s + rows]) for s in starts
        ]
    return CellBounds(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _bound_block(params, x, spec, centres, half):
    out, J, width, *kinks = _output_slopes(params, spec, centres, half)
    nll, slope, curvature = _nll_of_output(params, out, x, spec)
    centre = log_prior(centres) - nll.sum(axis=-1)
    gradient = -centres - (J @ slope[:, :, None])[:, :, 0]
    along = half * np.abs(gradient).sum(axis=-1)
    bend = half * (np.abs(slope) * width.sum(axis=1)).sum(axis=-1)
    reach = half[:, None] * (np.abs(J) + width).sum(axis=1)  # how far each output can move: (M, D)
    quadratic = (curvature * reach**2).sum(axis=-1) / 2 + half**2 * spec.latent_dim / 2
    nearest = np.maximum(np.abs(centres) - half[:, None], 0)
    by_output = log_prior(nearest) - _least_nll(params, out, reach, x, spec)
    highest = np.minimum(centre + along + bend, by_output)
    return CellBounds(centre, highest, along + bend + quadratic, bend, *kinks)


def _output_slopes(params, spec, centres, half):
    """The decoder's output at the centres (M, D), its Jacobian, which lies in J +- width (M, L, D),
    and the last three fields of `CellBounds`."""
    h = centres
    J = np.broadcast_to(np.eye(spec.latent_dim), (len(h), spec.latent_dim, spec.latent_dim))
    width = np.zeros_like(J)
    kinks, kink_value, kink_slope = np.zeros(len(h), int), np.zeros(len(h)), np.zeros_like(h)
    for i in range(1, len(spec.hidden) + 1):
        W, b = params[f"dec{i}_W"], params[f"dec{i}_b"]
        a, J, width = h @ W + b, J @ W, width @ np.abs(W)
        reach = half[:, None] * (np.abs(J) + width).sum(axis=1)
        low, high = _slope_range(a, reach, spec.activation)
        if spec.activation == "relu":
            turns = low != high
            kinks += turns.sum(axis=1)
            kink_value += (turns * a).sum(axis=1)
            kink_slope += (turns[:, None] * J).sum(axis=2)
        middle, spread = ((high + low) / 2)[:, None], ((high - low) / 2)[:, None]
        width = spread * np.abs(J) + (middle + spread) * width
        J = middle * J
        h = _activate(a, spec.activation)
    W = params["out_W"]
    return h @ W + params["out_b"], J @ W, width @ np.abs(W), kinks, kink_value, kink_slope


def _activate(a, activation):
    if activation == "tanh":
        return np.tanh(a)
    if activation == "relu":
        return np.maximum(a, 0)
    return np.logaddexp(0, a)


def _slope_range(a, reach, activation):
    """The smallest and the largest slope of the activation over [a - reach, a + reach]."""
    if activation == "relu":
        return (a - reach > 0) * 1.0, (a + reach > 0) * 1.0
    if activation == "softplus":
        return numpy_ops.sigmoid(a - reach), numpy_ops.sigmoid(a + reach)
    near, far = np.maximum(np.abs(a) - reach, 0), np.abs(a) + reach
    return 1 - np.tanh(far) ** 2, 1 - np.tanh(near) ** 2


def _nll_of_output(params, out, x, spec):
    """-log p(x|z) of each pixel, its gradient with respect to `out`, and a bound of the second
    derivative: (M, D), (M, D), a number."""
    if spec.likelihood == "bernoulli":
        nll = np.logaddexp(0, out) - x * out
        return nll, numpy_ops.sigmoid(out) - x, 0.25
    variance = _variance(params, spec)
    residual = out - x
    nll = (residual**2 / variance + np.log(variance) + LOG_2PI) / 2
    return nll, residual / variance, 1 / variance


def _least_nll(params, out, reach, x, spec):
    """The smallest -log p(x|z) with each output within `reach` of `out`: (M,)."""
    if spec.likelihood == "bernoulli":
        best = out + (2 * x - 1) * reach  # x is 0 or 1
        return (np.logaddexp(0, best) - x * best).sum(axis=-1)
    nearest = np.maximum(np.abs(out - x) - reach, 0)
    return -highest_likelihood(params, spec) + (nearest**2).sum(axis=-1) / (
        2 * _variance(params, spec)
    )


def highest_likelihood(params: Params, spec: Spec) -> float:
    """No image has a higher log p(x|z) than this, at any z."""
    if spec.likelihood == "bernoulli":
        return 0.0
    return -spec.data_dim * float(np.log(_variance(params, spec)) + LOG_2PI) / 2


def _variance(params, spec):
    return float(np.exp(params["out_logvar"][0])) if spec.variance is None else spec.variance


def log_prior(z: Array) -> Array:
    """log N(z; 0, I): z (..., L) -> (...)."""
    return -((z * z).sum(axis=-1) + z.shape[-1] * LOG_2PI) / 2


def rounding_error(params: Params, x: Array, spec: Spec, z: Array) -> Array:
    """How far log p(x, z) in float64 can be from the true value: x (D,), z (M, L) -> (M,), nats.

    A sum of n terms is off by up to n + 1 units in the last place of the sum of the terms'
    sizes, not of its own, which may be far smaller. So an offset shared by x and the decoder's
    bias costs accuracy although it cancels. Source: Higham 2002, "Accuracy and Stability of
    Numerical Algorithms", section 3.1.
    """
    h, off = z, EPSILON * np.abs(z)
    for i in range(1, len(spec.hidden) + 1):
        a, off = _dense_rounding(h, off, params[f"dec{i}_W"], params[f"dec{i}_b"])
        h = _activate(a, spec.activation)
        off = off + 4 * EPSILON * np.abs(h)  # no activation is steeper than 1
    out, off = _dense_rounding(h, off, params["out_W"], params["out_b"])
    nll, slope, curvature = _nll_of_output(params, out, x, spec)
    off = off + EPSILON * np.abs(x)
    from_output = (np.abs(slope) * off + curvature * off**2 / 2).sum(axis=-1)
    sizes = np.abs(nll) + (np.abs(out) if spec.likelihood == "bernoulli" else 0)
    terms = sizes.sum(axis=-1) + np.abs(log_prior(z)) + abs(highest_likelihood(params, spec))
    return from_output + EPSILON * (spec.data_dim + 4) * terms


def _dense_rounding(h, off, W, b):
    """h W + b, and how far it can be off where h is off by `off`."""
    sizes = np.abs(h) @ np.abs(W) + np.abs(b)
    return h @ W + b, off @ np.abs(W) + EPSILON * (len(W) + 2) * sizes

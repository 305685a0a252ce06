"""Quadrature: log p(x) of any VAE with one or two latents, as a sum over z.   [notebook 09]"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from minivae import checks, vae
from minivae import ops as numpy_ops
from minivae.errors import MinivaeError
from minivae.exact import adaptive
from minivae.exact.bounds import log_prior
from minivae.exact.faces import LOG_2PI, Faces
from minivae.exact.grid import BOXES, MOST_CELLS, as_model, integrate_on_grid, mesh
from minivae.vae import Params, Spec

if TYPE_CHECKING:
    from minivae.backend import Backend

Array = np.ndarray
GRID_MASS = 0.05  # how far from one the mass on a grid may be; at most 2/25 lies beyond 5 sd
BOUNDED_WEIGHTS = 4_000  # the largest decoder that is integrated with bounds of its cells


class Quadrature(NamedTuple):
    """log p(x) of N images, and the mean and standard deviation of each posterior.

    log_p, error, step, box: (N,); mean, sd: (N, L). log_p is within `error` nats of the true
    value: the error of the sums, what was left out, and rounding, which grows with the numbers that
    are added, not with log p(x). step: the distance between the points. box: the posterior lies
    within +-box.

    bounded: (N,), whether all that was left out has an upper bound, as it has for small decoders.
    Where False, `error` is an estimate: a peak narrower than the first grid's step would be missed
    if nothing near it showed on the grid.
    """

    log_p: Array
    error: Array
    mean: Array
    sd: Array
    step: Array
    box: Array
    bounded: Array


def quadrature(
    params: Params,
    x: Array,
    spec: Spec,
    *,
    tolerance: float = 1e-6,
    ops: Backend = numpy_ops,
) -> Quadrature:
    """log p(x) = log of the integral of p(x|z) p(z): x (N, D), L = 1 or 2 -> Quadrature.

    With at most 4,000 weights in the decoder, cells of z are divided until those left out have an
    upper bound that is too small to matter and the others are summed accurately (adaptive.py); no
    peak can be missed. Both together stay below `tolerance` nats.

    Larger decoders are summed on a grid [notebook 09, eq. 4]: a common one over the box [-6, 6]^L
    first. Where halving the step changes an image's sum by more than `tolerance` nats, or the step
    exceeds the posterior's standard deviation, the cells that may carry its mass are divided, as
    often as needed. Where a narrower box changes it, the box grows. (The prior's mass outside the
    box is no bound on the error, because p(x) may itself be e^-100.)

    Raises MinivaeError for L > 2, images the likelihood does not take, and a posterior that
    is too narrow, too rugged or too far out for the tolerance.
    """
    checks.check_quadrature(spec, tolerance)
    model, x = as_model(params, spec, ops), checks.check_observed(x, spec, np.float64)
    mu, logvar = vae.encode(model.params, x, spec, ops)
    checks.check_q(mu, logvar)
    rows = _integrate(model, x, mu, tolerance)
    return Quadrature(*(np.array(column) for column in zip(*rows, strict=True)))


def _integrate(model, x, mu, tolerance, stretch=1.0):
    """One row of a Quadrature for each image. stretch: scales boxes, so that all cells differ."""
    if _decoder_weights(model) > BOUNDED_WEIGHTS:
        boxes = tuple(stretch * box for box in BOXES)
        return integrate_on_grid(model, x, mu, tolerance, boxes)
    return [
        _with_bounds(model, n, one, place, tolerance, stretch)
        for n, (one, place) in enumerate(zip(x, mu, strict=True))
    ]


def _decoder_weights(model):
    return sum(W.size for name, W in model.params.items() if name[:3] in ("dec", "out"))


def _with_bounds(model, n, x, mu, tolerance, stretch):
    def log_joint(z):
        return model.log_joint(z, x)

    found = adaptive.integrate(log_joint, model.params, x, model.spec, mu, tolerance, stretch)
    boxes = [box for box in BOXES if box >= found.extent]
    if not boxes:
        raise MinivaeError(
            f"the posterior of image {n} reaches beyond |z| = {BOXES[-1]:g}, the largest box that "
            "quadrature tries; use evaluate.log_likelihood"
        )
    return found.log_p, found.error, found.mean, found.sd, found.step, boxes[0], True


class PosteriorGrid(NamedTuple):
    """log p(z|x) on a regular grid: axes, L arrays (n,), and log_density (n,) or (n, n)."""

    axes: tuple[Array, ...]
    log_density: Array


def posterior_grid(
    params: Params,
    x: Array,
    spec: Spec,
    result: Quadrature,
    *,
    image: int = 0,
    points: int = 201,
    widths: float = 5.0,
    ops: Backend = numpy_ops,
) -> PosteriorGrid:
    """The exact posterior of one image on a grid: mean +- `widths` standard deviations.

    x: (N, D) and `result`, its `quadrature` -> PosteriorGrid of image number `image`. Raises
    MinivaeError if the points are too far apart for this posterior: its mass in their cells, one
    in truth, would come out far from one, and so would a picture of it.
    """
    x = checks.check_observed(x, spec, np.float64)
    low = result.mean[image] - widths * result.sd[image]
    high = result.mean[image] + widths * result.sd[image]
    axes = tuple(np.linspace(a, b, points) for a, b in zip(low, high, strict=True))
    z = mesh(axes)
    log_density = as_model(params, spec, ops).log_joint(z, x[image]) - result.log_p[image]
    mass = np.exp(log_density).sum() * np.prod([axis[1] - axis[0] for axis in axes])
    if mass > 1 + GRID_MASS or (widths >= 5 and mass < 1 - GRID_MASS):
        raise MinivaeError(
            f"{points} points for each latent are too few for the posterior of image {image}: its "
            f"mass comes out as {mass:.2f}; use more points"
        )
    return PosteriorGrid(axes, log_density.reshape([points] * spec.latent_dim))


def vae_faces(
    params: Params,
    x: Array,
    spec: Spec,
    result: Quadrature,
    *,
    q: tuple[Array, Array] | None = None,
    ops: Backend = numpy_ops,
) -> Faces:
    """The three faces of the ELBO of a VAE with one or two latents, without sampling.

    x (N, D) with its `quadrature`; q: mu, logvar (N, L), the encoder's by default -> Faces of (N,).
    [notebook 09, eq. 10]  The posterior is normalised on a grid of its own, apart from the
    quadrature's cells, so that a wrong log p(x) would show in the evidence face. Raises
    MinivaeError for a q of zero variance, or one too wide for a grid as fine as the decoder needs.
    """
    model, x = as_model(params, spec, ops), checks.check_observed(x, spec, np.float64)
    mu, logvar = vae.encode(model.params, x, spec, ops) if q is None else map(np.float64, q)
    checks.check_q(mu, logvar)
    tolerance = max(1e-9, result.error.max())
    normalisers = [row[0] for row in _integrate(model, x, mu, tolerance, stretch=1.07)]
    means = [_means_under_q(model, *one) for one in zip(x, mu, logvar, strict=True)]
    log_q, log_prior, log_joint = np.array(means).T
    log_posterior = log_joint - normalisers
    kl_prior = (mu**2 + np.expm1(logvar) - logvar).sum(axis=1) / 2
    entropy = (logvar + 1 + LOG_2PI).sum(axis=1) / 2
    return Faces(
        evidence=result.log_p - (log_q - log_posterior),
        reconstruction=(log_joint - log_prior) - kl_prior,
        energy=log_joint + entropy,
    )


def _means_under_q(model, x, mu, logvar):
    """E_q of log q(z), log p(z) and log p(x, z) for one image: sums over mu +- 9 sigma.

    The step is halved until the last of them, the only one that depends on the decoder, no longer
    changes.
    """
    sigma, step, before = np.exp(logvar / 2), 1.0, np.inf
    while True:
        eps = mesh([np.arange(-9, 9 + step / 2, step)] * len(mu))
        if len(eps) > MOST_CELLS:
            raise MinivaeError(
                "q is too wide: a grid fine enough for this decoder would need too many points"
            )
        log_eps = log_prior(eps)  # q in units of its own sigma
        z = mu + sigma * eps
        log_joint = model.log_joint(z, x)
        log_q = log_eps - logvar.sum() / 2
        weight = np.exp(log_eps) * step ** len(mu)
        now = weight @ log_joint
        if abs(now - before) <= 1e-12 * abs(now) + 1e-9:
            return weight @ log_q, weight @ log_prior(z), now
        step, before = step / 2, now

"""Quadrature: log p(x) of any VAE with one or two latents, as a sum over z.   [notebook 09]"""

from __future__ import annotations

from math import log
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from minivae import checks, vae
from minivae import ops as numpy_ops
from minivae.errors import MinivaeError
from minivae.exact.faces import LOG_2PI, Faces, log_sum_exp
from minivae.vae import Params, Spec

if TYPE_CHECKING:
    from minivae.backend import Backend

Array = np.ndarray
FIRST_STEP = {1: 1 / 64, 2: 1 / 16}  # by L
BOXES = (6.0, 9.0, 13.0, 19.0)  # half-widths, tried in this order
FRAME = 1.0  # the box is compared with one that is narrower by this on each side
MARGIN = 16.0  # nats: cells of less than tolerance * e^-16 of the highest are not divided
MOST_CELLS = 500_000
SMALLEST_STEP = 2.0**-30
TABLE_IMAGES = 64
DECODER_ROWS = 2000


class Quadrature(NamedTuple):
    """log p(x) of N images, and the mean and standard deviation of each posterior.

    log_p, error, step, box: (N,); mean, sd: (N, L). `error` is the change of log_p on halving the
    step plus the change on enlarging the box, nats: it covers the truncation and the step, but not
    rounding, which is near 1e-16 |log_p| D.
    """

    log_p: Array
    error: Array
    mean: Array
    sd: Array
    step: Array
    box: Array


def quadrature(
    params: Params,
    x: Array,
    spec: Spec,
    *,
    tolerance: float = 1e-6,
    ops: Backend = numpy_ops,
) -> Quadrature:
    """log p(x) = log sum over cells of p(x|z) p(z) step^L: x (N, D), L = 1 or 2 -> Quadrature.

    [notebook 09, eq. 8]  A common grid over the box [-6, 6]^L first. Where halving the step
    changes an image's sum by more than `tolerance` nats, or the step exceeds the posterior's
    standard deviation, the cells that carry its mass are divided, as often as needed. Where a
    narrower box changes it, the box grows. (The prior's mass outside the box is no bound on the
    error, because p(x) may itself be e^-100.)

    Raises MinivaeError for L > 2, images the likelihood does not take, and a posterior that
    is too narrow or too far out.
    """
    checks.check_quadrature(spec, tolerance)
    model, x = _model(params, spec, ops), checks.check_observed(x, spec, np.float64)
    mu, logvar = vae.encode(model.params, x, spec, ops)
    checks.check_q(mu, logvar)
    rows = _integrate(model, x, mu, tolerance)
    return Quadrature(*(np.array(column) for column in zip(*rows, strict=True)))


class _Model(NamedTuple):
    params: Params
    spec: Spec
    ops: Backend

    def log_joint(self, z, x):
        """log p(x, z) of one image x (D,) at z (M, L): (M,)."""
        nll = np.empty(len(z))
        for start in range(0, len(z), DECODER_ROWS):
            rows = slice(start, start + DECODER_ROWS)
            nll[rows] = self._nll(vae.decode(self.params, z[rows], self.spec, self.ops), x)
        return _log_prior(z) - nll

    def log_joint_table(self, z, x):
        """log p(x, z) for every point and image: z (M, L), x (N, D) -> (M, N).

        -nll = (a function of the output alone) + output . x + ...: more images cost one product.
        """
        table = np.empty((len(z), len(x)))
        for start in range(0, len(z), DECODER_ROWS):
            rows = slice(start, start + DECODER_ROWS)
            out = vae.decode(self.params, z[rows], self.spec, self.ops)
            shared = out @ x.T
            if self.spec.likelihood == "gaussian":
                shared = (shared - (x * x).sum(axis=1) / 2) / self._variance()
            table[rows] = shared - self._nll(out, np.zeros_like(x[0]))[:, None]
        return table + _log_prior(z)[:, None]

    def _nll(self, out, x):
        """-log p(x|z) of one image x (D,) for outputs (M, D): (M,)."""
        return vae.nll_forward(self.params, out[:, None], x[None], self.spec, self.ops)[0][:, 0]

    def _variance(self):
        fixed = self.spec.variance
        return np.exp(self.params["out_logvar"][0]) if fixed is None else fixed


def _model(params, spec, ops):
    return _Model({name: a.astype(np.float64) for name, a in params.items()}, spec, ops)


def _log_prior(z):
    return -((z * z).sum(axis=-1) + z.shape[-1] * LOG_2PI) / 2


class _Cells(NamedTuple):
    """Square cells [place, place + 1) * step - box, and log p(x, z) at their centres."""

    places: Array  # (M, L) whole numbers
    step: float
    box: float
    log_joint: Array  # (M,)

    @property
    def z(self):
        return (self.places + 0.5) * self.step - self.box

    def log_sum(self, chosen=slice(None), spacing=1):
        """log of the integral, over the chosen cells."""
        if not np.size(self.log_joint[chosen]):
            return -np.inf
        width = np.log(self.step * spacing)
        return log_sum_exp(self.log_joint[chosen]) + self.places.shape[1] * width

    def frame(self):
        """How much the log of the integral changes if the box is narrowed."""
        inside = (np.abs(self.z) < self.box - FRAME).all(axis=1)
        return abs(self.log_sum() - self.log_sum(inside))


def _integrate(model, x, mu, tolerance, boxes=BOXES):
    """One row of a Quadrature for each image, from the first box that holds its posterior."""
    rows = [None] * len(x)
    for start in range(0, len(x), TABLE_IMAGES):
        left = list(range(start, min(start + TABLE_IMAGES, len(x))))
        for box in boxes:
            for n, cells in zip(left, _first_cells(model, x[left], box), strict=True):
                rows[n] = _refine(model, x[n], mu[n], cells, tolerance)
            left = [n for n in left if rows[n] is None]
            if not left:
                break
        else:
            raise MinivaeError(
                f"the posterior of image {left[0]} reaches beyond |z| = {boxes[-1]:g}, the "
                "largest box that quadrature tries; use evaluate.log_likelihood"
            )
    return rows


def _first_cells(model, x, box):
    """The common grid over the box: one _Cells for each image, from one pass of the decoder."""
    half = round(box / FIRST_STEP[model.spec.latent_dim])
    step = box / half
    index = _grid(2 * half, model.spec.latent_dim)
    table = model.log_joint_table((index + 0.5) * step - box, x)
    if not np.isfinite(table).all():
        raise MinivaeError("log p(x, z) is not finite: the decoder holds NaN or enormous numbers")
    return [_Cells(index, step, box, log_joint) for log_joint in table.T]


def _grid(n, latent):
    """Every index of a grid of n cells a side: (n^L, L)."""
    return _mesh([np.arange(n)] * latent)


def _refine(model, x, mu, cells, tolerance):
    """Divide the cells that carry the mass until the sum no longer changes -> a Quadrature row.

    None if the box is too small.
    """
    if cells.frame() > tolerance:
        return None
    every_second = (cells.places % 2 == 0).all(axis=1)
    log_p = cells.log_sum()
    change = abs(log_p - cells.log_sum(every_second, spacing=2))
    mean, sd = _moments(cells)
    extra = np.floor((mu + cells.box) / cells.step).astype(int)[None]  # where the encoder puts it
    while change > tolerance or cells.step > sd.min():
        cells = _divide(model, x, cells, extra, MARGIN - log(tolerance))
        extra = extra[:0]
        before, log_p = log_p, cells.log_sum()
        change = abs(log_p - before)
        mean, sd = _moments(cells)
    frame = cells.frame()
    if frame > tolerance:
        return None
    return log_p, change + frame, mean, sd, cells.step, cells.box


def _divide(model, x, cells, extra, depth):
    """Cells of half the width, from those within `depth` nats of the highest and their neighbours.

    extra: indices of further cells (n, L) that are divided, too.
    """
    latent = cells.places.shape[1]
    high = cells.log_joint > cells.log_joint.max() - depth
    core = np.concatenate([cells.places[high], extra])
    around = _grid(3, latent) - 1
    index = np.unique((core[:, None] + around).reshape(-1, latent), axis=0)
    side = round(2 * cells.box / cells.step)
    index = index[((index >= 0) & (index < side)).all(axis=1)]
    children = (2 * index[:, None] + _grid(2, latent)).reshape(-1, latent)
    step = cells.step / 2
    if len(children) > MOST_CELLS or step < SMALLEST_STEP:
        raise MinivaeError(
            f"a posterior is not resolved by {len(children)} cells of width {step:.2g}; the "
            "model's decoder varies too fast for quadrature"
        )
    z = (children + 0.5) * step - cells.box
    return _Cells(children, step, cells.box, model.log_joint(z, x))


def _moments(cells):
    """Mean and standard deviation of the posterior along each latent: (L,) each."""
    w = np.exp(cells.log_joint - cells.log_joint.max())
    w /= w.sum()
    mean = w @ cells.z
    return mean, np.sqrt(w @ (cells.z - mean) ** 2)


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

    x: (N, D) and `result`, its `quadrature` -> PosteriorGrid of image number `image`.
    """
    x = checks.check_observed(x, spec, np.float64)
    low = result.mean[image] - widths * result.sd[image]
    high = result.mean[image] + widths * result.sd[image]
    axes = tuple(np.linspace(a, b, points) for a, b in zip(low, high, strict=True))
    z = _mesh(axes)
    log_density = _model(params, spec, ops).log_joint(z, x[image]) - result.log_p[image]
    return PosteriorGrid(axes, log_density.reshape([points] * spec.latent_dim))


def _mesh(axes):
    """Every combination of the axes' values, the last one fastest: (M, L)."""
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, len(axes))


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
    [notebook 09, eq. 9]  The posterior is normalised on a grid of its own, apart from the
    quadrature's cells, so that a wrong log p(x) would show in the evidence face. Raises
    MinivaeError for a q of zero variance, or one too wide for a grid as fine as the decoder needs.
    """
    model, x = _model(params, spec, ops), checks.check_observed(x, spec, np.float64)
    mu, logvar = vae.encode(model.params, x, spec, ops) if q is None else map(np.float64, q)
    checks.check_q(mu, logvar)
    tolerance = max(1e-9, result.error.max())
    other_boxes = [1.07 * box for box in BOXES]
    normalisers = [row[0] for row in _integrate(model, x, mu, tolerance, other_boxes)]
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
        eps = _mesh([np.arange(-9, 9 + step / 2, step)] * len(mu))
        if len(eps) > MOST_CELLS:
            raise MinivaeError(
                "q is too wide: a grid fine enough for this decoder would need too many points"
            )
        log_eps = _log_prior(eps)  # q in units of its own sigma
        z = mu + sigma * eps
        log_joint = model.log_joint(z, x)
        log_q = log_eps - logvar.sum() / 2
        weight = np.exp(log_eps) * step ** len(mu)
        now = weight @ log_joint
        if abs(now - before) <= 1e-12 * abs(now) + 1e-9:
            return weight @ log_q, weight @ _log_prior(z), now
        step, before = step / 2, now

"""log p(x) as a sum over a grid of z, for decoders too large for bounds.   [notebook 09, eq. 4]"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import log
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from minivae import vae
from minivae.errors import MinivaeError
from minivae.exact.bounds import NOT_FINITE, log_prior, rounding_error
from minivae.exact.faces import log_sum_exp
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


class Model(NamedTuple):
    """A decoder in float64 with its backend, and log p(x, z) by it."""

    params: Params
    spec: Spec
    ops: Backend

    def log_joint(self, z: Array, x: Array) -> Array:
        """log p(x, z) of one image x (D,) at z (M, L): (M,)."""
        nll = np.empty(len(z))
        for start in range(0, len(z), DECODER_ROWS):
            rows = slice(start, start + DECODER_ROWS)
            nll[rows] = self._nll(vae.decode(self.params, z[rows], self.spec, self.ops), x)
        return log_prior(z) - nll

    def log_joint_table(self, z: Array, x: Array) -> Array:
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
        return table + log_prior(z)[:, None]

    def _nll(self, out, x):
        """-log p(x|z) of one image x (D,) for outputs (M, D): (M,)."""
        return vae.nll_forward(self.params, out[:, None], x[None], self.spec, self.ops)[0][:, 0]

    def _variance(self):
        fixed = self.spec.variance
        return np.exp(self.params["out_logvar"][0]) if fixed is None else fixed


def as_model(params: Params, spec: Spec, ops: Backend) -> Model:
    """The model in float64."""
    return Model({name: a.astype(np.float64) for name, a in params.items()}, spec, ops)


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


def integrate_on_grid(
    model: Model, x: Array, mu: Array, tolerance: float, boxes: tuple[float, ...] = BOXES
) -> list[tuple]:
    """One row of a Quadrature for each image, from the first box that holds its posterior.

    model, images x (N, D), mu (N, L) where the encoder expects them.
    """
    rows: list[Any] = [None] * len(x)
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
    index = grid_index(2 * half, model.spec.latent_dim)
    table = model.log_joint_table((index + 0.5) * step - box, x)
    if not np.isfinite(table).all():
        raise MinivaeError(NOT_FINITE)
    return [_Cells(index, step, box, log_joint) for log_joint in table.T]


def grid_index(n: int, latent: int) -> Array:
    """Every index of a grid of n cells a side: (n^L, L)."""
    return mesh([np.arange(n)] * latent)


def _refine(model, x, mu, cells, tolerance):
    """Divide the cells that carry the mass until the sum no longer changes -> a Quadrature row.

    None if the box is too small.
    """
    if cells.frame() > tolerance:
        return None
    log_p = cells.log_sum()
    sums = [cells.log_sum((cells.places % k == 0).all(axis=1), spacing=k) for k in (8, 4, 2)]
    error = 0.0
    for before, after in pairwise([*sums, log_p]):
        error = _error(model.spec, abs(after - before), error)
    mean, sd = _moments(cells)
    extra = np.floor((mu + cells.box) / cells.step).astype(int)[None]  # where the encoder puts it
    while error > tolerance or cells.step > sd.min():
        cells = _divide(model, x, cells, extra, MARGIN - log(tolerance))
        extra = extra[:0]
        before, log_p = log_p, cells.log_sum()
        error = _error(model.spec, abs(log_p - before), error)
        mean, sd = _moments(cells)
    frame = cells.frame()
    if frame > tolerance:
        return None
    highest = cells.z[[np.argmax(cells.log_joint)]]
    rounding = rounding_error(model.params, x, model.spec, highest)[0]
    return log_p, error + frame + rounding, mean, sd, cells.step, cells.box, False


def _error(spec, change, before):
    """The error of a sum that changed by `change` on halving the step; `before`: one step earlier.

    Beside a kink of relu it falls like step^2, but only on average: a change that is small by
    chance is not believed where the one before it was large. Smooth sums converge much faster.
    """
    return max(change, before / 4) if spec.activation == "relu" else change


def _divide(model, x, cells, extra, depth):
    """Cells of half the width, from those within `depth` nats of the highest and their neighbours.

    log p(x, z) may be higher between two centres than at both. So a cell counts as higher than its
    centre by the largest step to a neighbour: where it is that steep, a peak can hide.
    extra: indices of further cells (n, L) that are divided, too.
    """
    latent = cells.places.shape[1]
    high = cells.log_joint + _steps(cells) > cells.log_joint.max() - depth
    core = np.concatenate([cells.places[high], extra])
    around = grid_index(3, latent) - 1
    index = np.unique((core[:, None] + around).reshape(-1, latent), axis=0)
    side = round(2 * cells.box / cells.step)
    index = index[((index >= 0) & (index < side)).all(axis=1)]
    children = (2 * index[:, None] + grid_index(2, latent)).reshape(-1, latent)
    step = cells.step / 2
    if len(children) > MOST_CELLS or step < SMALLEST_STEP:
        raise MinivaeError(
            f"a posterior is not resolved by {len(children)} cells of width {step:.2g}; the "
            "model's decoder varies too fast for quadrature; take a larger tolerance, or "
            "evaluate.log_likelihood"
        )
    z = (children + 0.5) * step - cells.box
    return _Cells(children, step, cells.box, model.log_joint(z, x))


def _steps(cells):
    """The largest difference of log p(x, z) between a cell and its neighbours by axis: (M,)."""
    side = round(2 * cells.box / cells.step) + 1
    strides = side ** np.arange(cells.places.shape[1])
    codes = cells.places @ strides
    order = np.argsort(codes)
    ranked, largest = codes[order], np.zeros(len(codes))
    for stride in strides:
        i = np.minimum(np.searchsorted(ranked, codes + stride), len(codes) - 1)
        pairs = np.flatnonzero(ranked[i] == codes + stride)
        neighbours = order[i[pairs]]
        difference = np.abs(cells.log_joint[neighbours] - cells.log_joint[pairs])
        largest[pairs] = np.maximum(largest[pairs], difference)
        largest[neighbours] = np.maximum(largest[neighbours], difference)
    return largest


def _moments(cells):
    """Mean and standard deviation of the posterior along each latent: (L,) each."""
    w = np.exp(cells.log_joint - cells.log_joint.max())
    w /= w.sum()
    mean = w @ cells.z
    return mean, np.sqrt(w @ (cells.z - mean) ** 2)


def mesh(axes: Sequence[Array]) -> Array:
    """Every combination of the axes' values, the last one fastest: (M, L)."""
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, len(axes))

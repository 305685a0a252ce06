"""log p(x) by dividing cells of z until bounds and sums leave no more than the tolerance open.

Every cell gets a bound of the integrand (bounds.py). A cell is dropped only if its bound is too
small to matter, and what was dropped is counted in the error. So a peak between two points cannot
be missed, however sharp it is: the bound of its cell is high, and the cell is divided until the
peak shows. A cell over which log p(x, z) is known to vary little is summed by three Gauss
rules; the larger difference is its error.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from itertools import accumulate
from math import exp, inf, log, log1p, log2, pi
from typing import NamedTuple

import numpy as np

from minivae.errors import MinivaeError
from minivae.exact.bounds import NOT_FINITE, bound_cells, highest_likelihood, rounding_error
from minivae.exact.faces import log_sum_exp
from minivae.vae import Params, Spec

Array = np.ndarray
# Of three Gauss rules along each side of a cell, by L. The last is the sum; two that differ from it
# less than it errs, both by chance, are rare.
POINTS = {1: (5, 6, 8), 2: (4, 5, 6)}
# The largest error of the last rule on |t - kink|, relative to the half-width, over all places and
# directions of the kink: found by trying them.
KINK_ERROR = {1: 0.0111, 2: 0.0186}
LARGEST_VARIATION = 8.0  # nats: a cell of more is not summed but divided
LARGEST_TOLERANCE = 0.1  # nats: beyond it a change of log p is no longer a relative error of p
MOST_CELLS = 1_000_000  # for one image
FINEST = 2.0**-44
SPLIT_POINTS = (2, 3, 4)  # of the three rules on each side of a kink, two latents
BLOCK = 2_000  # cells that are summed at once
HOPELESS = 0.001  # of the tolerance: a cell whose kinks cost more is divided without being summed
SCOUTS = {1: 97, 2: 25}  # points a side of [-6, 6]: where the first look at log p(x, z) is taken
NEGLIGIBLE = 1e-9  # of the posterior's mass


class Integral(NamedTuple):
    """log p(x) of one image with its error, nats; mean, sd of the posterior (L,).

    step: the distance between points, averaged over the posterior; extent: the posterior lies
    within |z_l| < extent, except for 1e-9 of it.
    """

    log_p: float
    error: float
    mean: Array
    sd: Array
    step: float
    extent: float


class _Pieces(NamedTuple):
    """Cells that were summed: log of the integral, its error and rounding, and moments of z."""

    log_sum: Array  # (k,)
    log_error: Array  # (k,)
    log_rounding: Array  # (k,)
    mean: Array  # (k, L)
    variance: Array  # (k, L)
    centre: Array  # (k, L)
    half: Array  # (k,)

    def chosen(self, which: Array) -> _Pieces:
        return _Pieces(*(column[which] for column in self))

    def joined(self, other: _Pieces) -> _Pieces:
        return _Pieces(*map(np.concatenate, zip(self, other, strict=True)))

    def log_least(self) -> float:
        """log of what the pieces hold at least, by their errors."""
        if not len(self.half):
            return -inf
        least = np.exp(self.log_sum - self.log_sum.max()) - np.exp(
            self.log_error - self.log_sum.max()
        )
        with np.errstate(divide="ignore"):
            return float(np.log(np.maximum(least, 0).sum()) + self.log_sum.max())


def _no_pieces(L):
    none, no_z = np.zeros(0), np.zeros((0, L))
    return _Pieces(none, none, none, no_z, no_z, no_z, none)


def integrate(
    log_joint: Callable[[Array], Array],
    params: Params,
    x: Array,
    spec: Spec,
    mu: Array,
    tolerance: float,
    stretch: float = 1.0,
) -> Integral:
    """The `Integral` of one image: log_joint takes z (M, L), x (D,), mu (L,) is a place to look.

    stretch >= 1 scales all cells: the same integral from other points.

    Raises MinivaeError where the tolerance would take too many cells.
    """
    tolerance = min(tolerance, LARGEST_TOLERANCE)
    L = spec.latent_dim
    floor, radius = _first_look(log_joint, params, x, spec, mu, tolerance)
    radius = stretch * 2.0 ** np.ceil(log2(radius))
    centres, half = _divide(np.zeros((1, L)), np.full(1, radius))
    pool = _no_pieces(L)
    left_out = [_log_outside(params, spec, radius)]
    to_drop = tolerance / 4  # as a fraction of p(x): what may still be left out
    seen = 0
    while len(centres):
        seen += len(centres)
        if seen > MOST_CELLS or half.min() < FINEST:
            raise MinivaeError(
                f"a posterior is not resolved by {seen} cells down to a width of "
                f"{2 * half.min():.2g}; the model's decoder varies too fast for quadrature to "
                f"{tolerance:g} nats; take a larger tolerance, or evaluate.log_likelihood"
            )
        bounds = bound_cells(params, x, spec, centres, half)
        if not np.isfinite(bounds.highest).all():
            raise MinivaeError(NOT_FINITE)
        volume = L * np.log(2 * half)
        sure = [log_sum_exp(bounds.centre - bounds.variation + volume), pool.log_least()]
        floor = max(floor, log_sum_exp(sure))
        dropped, spent = _cheapest(_relative(bounds.highest + volume, floor), to_drop / 2)
        left_out.append(floor + log(spent) if spent else -inf)
        to_drop -= spent
        smooth = ~dropped & (bounds.variation <= LARGEST_VARIATION)
        smooth &= ~_hopeless(bounds, volume, pool, L, tolerance)
        pieces = _sum_cells(log_joint, params, x, spec, bounds, centres, half, smooth)
        pool = pool.joined(pieces)
        rough = ~dropped & ~smooth
        if rough.any():  # so log p(x) may still be far above the floor, and errors seem too large
            centres, half = _divide(centres[rough], half[rough])
            continue
        good, _ = _cheapest(_relative(pool.log_error, floor), tolerance / 2)
        centres, half = _divide(pool.centre[~good], pool.half[~good])
        pool = pool.chosen(good)
    return _result(pool, left_out)


def _hopeless(bounds, volume, pool, L, tolerance):
    """Which cells would be divided after their sum, too, because kinks leave too large an error."""
    total = log_sum_exp([*(bounds.centre + volume), log_sum_exp([-inf, *pool.log_sum])])
    share = _relative(bounds.centre + volume, total)
    kinked = bounds.kinks > (1 if L == 2 else 0)  # one alone is split in two dimensions
    return kinked & (_kink_error(bounds, L) * share > HOPELESS * tolerance)


def _kink_error(bounds, L):
    return 2 * KINK_ERROR[L] * bounds.bend * (bounds.kinks > 0)


def _divide(centres, half):
    """The cells of half the width: (2^L M, L), (2^L M,)."""
    L = centres.shape[1]
    corners = 2.0 * _grid(2, L) - 1
    half = half / 2
    centres = (centres[:, None] + half[:, None, None] * corners).reshape(-1, L)
    return centres, np.repeat(half, len(corners))


def _relative(logs, floor):
    return np.exp(np.minimum(logs - floor, 700))


def _first_look(log_joint, params, x, spec, mu, tolerance):
    """A number that log p(x) is not below, and how far out z can matter."""
    L = spec.latent_dim
    axes = np.linspace(-6, 6, SCOUTS[L])
    scouts = np.concatenate([axes[_grid(len(axes), L)], mu[None]])
    seen = log_joint(scouts)
    best = int(np.argmax(np.where(np.isfinite(seen), seen, -inf)))
    if not np.isfinite(seen[best]):
        raise MinivaeError(NOT_FINITE)
    floor = -inf
    for half in 2.0 ** np.arange(0, -36, -3):
        cell = bound_cells(params, x, spec, scouts[best][None], np.full(1, half))
        floor = max(floor, cell.centre[0] - cell.variation[0] + L * log(2 * half))
    room = highest_likelihood(params, spec) - floor - log(tolerance) + 5
    return floor, max(6.0, (2 * room) ** 0.5)


def _log_outside(params, spec, radius):
    """A number that the log of the integral over max |z_l| > radius does not exceed."""
    tail = log(2 * spec.latent_dim) - radius**2 / 2 - log(radius * (2 * pi) ** 0.5)  # Mills' ratio
    return highest_likelihood(params, spec) + tail


def _cheapest(costs, budget):
    """Which of the costs are bought, from the lowest up to a total of `budget`, and that total."""
    order = np.argsort(costs)
    total = np.cumsum(costs[order])
    n = int(np.searchsorted(total, budget, side="right"))
    bought = np.zeros(len(costs), bool)
    bought[order[:n]] = True
    return bought, float(total[n - 1]) if n else 0.0


def _sum_cells(log_joint, params, x, spec, bounds, centres, half, chosen):
    """The `_Pieces` of the chosen cells."""
    L = spec.latent_dim
    split = chosen & (bounds.kinks == 1) if L == 2 else np.zeros_like(chosen)
    kink_errors = np.where(split, 0, _kink_error(bounds, L))
    parts = [_no_pieces(L)]
    for which, rule in ((chosen & ~split, _plain_rule), (split, _split_rule)):
        places = np.flatnonzero(which)
        for start in range(0, len(places), BLOCK):
            i = places[start : start + BLOCK]
            rules = rule(L, bounds.kink_value[i] / half[i], bounds.kink_slope[i])
            rounding = rounding_error(params, x, spec, centres[i])
            z = centres[i, None] + half[i, None, None] * rules.points
            used = np.broadcast_to(rules.weights > 0, z.shape[:2])
            values = np.full(z.shape[:2], -inf)
            values[used] = log_joint(z[used])
            parts.append(_pieces(values, rules, centres[i], half[i], kink_errors[i], rounding))
    return _Pieces(*map(np.concatenate, zip(*parts, strict=True)))


class _Rules(NamedTuple):
    """Several rules for [-1, 1]^L side by side, the best one last; a cell's weights sum to 1.

    points: (M, P, L), or (1, P, L) for all cells; weights: (M, P); starts: each rule's first point.
    """

    points: Array
    weights: Array
    starts: list[int]


def _pieces(values, rules, centre, half, kink_error, rounding):
    """`_Pieces` from log p(x, z) (M, P) at the rules' points."""
    top = values.max(axis=1)
    terms = np.exp(values - top[:, None]) * rules.weights
    sums = np.add.reduceat(terms, rules.starts, axis=1)
    best = sums[:, -1]
    shares = (terms[:, rules.starts[-1] :] / best[:, None])[:, None]
    points = rules.points[:, rules.starts[-1] :]
    mean = (shares @ points)[:, 0]
    variance = (shares @ (points - mean[:, None]) ** 2)[:, 0]
    rounding = rounding * best
    apart = np.abs(sums[:, :-1] - best[:, None]).max(axis=1)
    error = np.maximum(apart - 2 * rounding, 0) + kink_error * best
    with np.errstate(divide="ignore"):  # no error at all is e^-inf
        logs = np.log([best, error, rounding]) + top + centre.shape[1] * np.log(2 * half)
    width = half[:, None]
    return _Pieces(*logs, centre + width * mean, width**2 * variance, centre, half)


@lru_cache
def _gauss_rules(latent):
    rules = []
    for n in POINTS[latent]:
        nodes, weights = np.polynomial.legendre.leggauss(n)
        index = _grid(n, latent)
        rules.append((nodes[index][None], (weights / 2)[index].prod(axis=1)[None]))
    return _side_by_side(rules)


def _plain_rule(latent, value, slope):
    """Gauss rules for cells without a kink, or with several: the kink's place is not needed."""
    return _gauss_rules(latent)


def _side_by_side(rules):
    """`_Rules` from pairs (points, weights)."""
    points, weights = zip(*rules, strict=True)
    starts = [0, *accumulate(p.shape[1] for p in points[:-1])]
    return _Rules(np.concatenate(points, axis=1), np.concatenate(weights, axis=1), starts)


def _split_rule(latent, value, slope):
    """Gauss rules for both sides of the line value + slope . s = 0 in [-1, 1]^2.

    value (M,), slope (M, 2) -> `_Rules`. Along the axis v, in which the slope is steeper, each side
    has a Gauss rule of its own; along the other axis, u, the rule is split where the line leaves
    the cell. So the integrand is smooth in every part.
    """
    steep = np.argmax(np.abs(slope), axis=1)
    rows = np.arange(len(slope))
    g_v, g_u = slope[rows, steep][:, None], slope[rows, 1 - steep][:, None]
    value = value[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        leaves = (-value + g_v * np.array([-1.0, 1.0])) / g_u
    leaves = np.sort(np.clip(np.nan_to_num(leaves, nan=1.0), -1, 1), axis=1)
    knots = np.concatenate([-np.ones_like(g_v), leaves, np.ones_like(g_v)], axis=1)  # (M, 4)
    rules = []
    for n in SPLIT_POINTS:
        nodes, weights = np.polynomial.legendre.leggauss(n)
        u, u_weight = _stretched(knots[:, :-1], knots[:, 1:], nodes, weights)  # (M, 3n)
        line = np.clip(-(value + g_u * u) / g_v, -1, 1)[:, :, None]
        ends = np.concatenate([-np.ones_like(line), line, np.ones_like(line)], axis=2)
        v, v_weight = _stretched(ends[..., :-1], ends[..., 1:], nodes, weights)  # (M, 3n, 2n)
        u = np.broadcast_to(u[:, :, None], v.shape)
        points = np.stack([v, u], axis=-1)
        points[steep == 1] = points[steep == 1][..., ::-1]
        weight = u_weight[:, :, None] * v_weight / 4
        rules.append((points.reshape(len(slope), -1, 2), weight.reshape(len(slope), -1)))
    return _side_by_side(rules)


def _stretched(low, high, nodes, weights):
    """The rule of [-1, 1] on each [low, high] (..., k): points and weights (..., k n)."""
    middle, half = (low + high)[..., None] / 2, (high - low)[..., None] / 2
    shape = (*low.shape[:-1], -1)
    return (middle + half * nodes).reshape(shape), (half * weights).reshape(shape)


def _result(pieces, left_out):
    log_p = log_sum_exp(pieces.log_sum)
    share = np.exp(pieces.log_sum - log_p)
    unknown = exp(log_sum_exp([*left_out, log_sum_exp(pieces.log_error)]) - log_p)
    rounding = exp(log_sum_exp(pieces.log_rounding) - log_p)
    mean = share @ pieces.mean
    sd = np.sqrt(share @ (pieces.variance + (pieces.mean - mean) ** 2))
    step = share @ pieces.half * 2 / POINTS[len(mean)][-1]
    edges = np.abs(pieces.centre).max(axis=1) + pieces.half
    outward = np.argsort(-edges)
    beyond = np.searchsorted(np.cumsum(share[outward]), NEGLIGIBLE)
    extent = edges[outward[beyond]]
    return Integral(log_p, -log1p(-unknown) + rounding, mean, sd, float(step), float(extent))


def _grid(n, latent):
    """Every index of a grid of n cells a side: (n^L, L)."""
    return np.stack(np.meshgrid(*[np.arange(n)] * latent, indexing="ij"), axis=-1).reshape(
        -1, latent
    )

"""The likelihood of a picture, p(x | z), and the posterior over its factors, on a grid."""

from typing import NamedTuple

import numpy as np

from minivae.checks.cats import (
    check_cells,
    check_factors,
    check_free_factor,
    check_known_factors,
    check_mask,
    check_picture,
    check_picture_size,
)
from minivae.data.cats.factors import FACTORS, HIGH, LOW
from minivae.data.cats.renderer import MEMORY_PIXELS, SIZE, SIZES, render_checked

P_MIN = 0.005  # the probability that the noise flips a pixel that is fully black or white


def pixel_probabilities(factors: np.ndarray, size: int = SIZE) -> np.ndarray:
    """p(z) = clip(render(z), P_MIN, 1 - P_MIN): factors (B, 6) -> (B, S, S) float32.

    Raises MinivaeError as `render` does.
    """
    size = check_picture_size(size, SIZES)
    return _probabilities(check_factors(factors, FACTORS), size)


def _probabilities(factors: np.ndarray, size: int) -> np.ndarray:
    return np.clip(render_checked(factors, size), P_MIN, 1 - P_MIN)


def log_likelihood(
    x: np.ndarray, factors: np.ndarray, seen: np.ndarray | None = None
) -> np.ndarray:
    """log p(x | z) = sum_d log Bernoulli(x_d; p_d(z)) over the seen pixels, nats.

    x: black and white, (S, S) for every cat, or (B, S, S), one each; factors: (B, 6);
    seen: (S, S) bool, False where the picture is covered (nothing is, by default) -> (B,) float64.
    Raises MinivaeError where x holds anything but 0 and 1, or a shape does not fit.
    """
    factors = check_factors(factors, FACTORS)
    x = check_picture(x, len(factors), SIZES)
    return _log_likelihood(x, factors, check_mask(seen, x.shape[-1]))


def _log_likelihood(x: np.ndarray, factors: np.ndarray, seen: np.ndarray) -> np.ndarray:
    size = x.shape[-1]
    pictures = np.broadcast_to(x[..., seen], (len(factors), int(np.count_nonzero(seen))))
    result = np.empty(len(factors))
    step = max(1, MEMORY_PIXELS // size**2)
    for start in range(0, len(factors), step):
        rows = slice(start, start + step)
        p = _probabilities(factors[rows], size)[:, seen].astype(np.float64)
        result[rows] = np.log(np.where(pictures[rows], p, 1 - p)).sum(axis=1)
    return result


class ChonkPosterior(NamedTuple):
    """The posterior over chonk and one other factor, given one picture and the other four
    factors."""

    chonk: np.ndarray  # (G,) kg: the middles of G equal cells
    other: np.ndarray  # (M,) the other factor's cells, in its unit
    probability: np.ndarray  # (G,) p(chonk | x), the cells sum to 1
    joint: np.ndarray  # (G, M) p(chonk, other | x), sums to 1
    log_evidence: float  # log p(x | the known factors), nats


def chonk_posterior(
    x: np.ndarray,
    known: np.ndarray,
    other: str = "tail curl",
    seen: np.ndarray | None = None,
    cells: tuple[int, int] = (121, 41),
) -> ChonkPosterior:
    """The posterior over chonk: Bayes' rule as a sum over a grid.

    p(chonk, other | x) is p(x | chonk, other), divided by its sum over the grid; the evidence is
    its mean over the grid, because the prior is uniform: every cell weighs 1 / (G M). It is exact
    if the only cats are those on the grid. For all cats it is the midpoint rule, and good where
    several cells fit into the posterior: refine the grid to see how good (notebook 01 does).

    x: (S, S) of 0 and 1; known: the factors (6,), of which chonk and `other` are ignored;
    seen: (S, S) bool, False where the picture is covered; cells: (G, M).
    Raises MinivaeError for a wrong shape, value or name.
    """
    column = check_free_factor(other, FACTORS)
    n_chonk, n_other = check_cells(cells)
    known = check_known_factors(known, (0, column), FACTORS)
    x = check_picture(x, 0, SIZES)
    seen = check_mask(seen, x.shape[-1])
    chonk, rest = _cell_middles(0, n_chonk), _cell_middles(column, n_other)
    factors = np.repeat(known[None], n_chonk * n_other, axis=0)
    factors[:, 0] = np.repeat(chonk, n_other)
    factors[:, column] = np.tile(rest, n_chonk)
    log_p = _log_likelihood(x, factors, seen).reshape(n_chonk, n_other)
    top = log_p.max()
    weights = np.exp(log_p - top)  # the largest is 1: nothing overflows, and the sum is not 0
    log_evidence = float(top + np.log(weights.mean()))
    joint = weights / weights.sum()
    return ChonkPosterior(chonk, rest, joint.sum(axis=1), joint, log_evidence)


def _cell_middles(column: int, n: int) -> np.ndarray:
    """The middles of n equal cells of a factor's range."""
    return LOW[column] + (np.arange(n) + 0.5) / n * (HIGH[column] - LOW[column])

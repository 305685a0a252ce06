"""How much information each latent has about each factor, for data with known factors.

The mutual information gap (Chen et al. 2018, arXiv:1802.04942, section 4.1). For the true factors
v_f and the codes c_l of the same N examples (a code is a draw z ~ q(z | x), not its mean: the mean
of a collapsed latent may still follow a factor with an amplitude of sigma / 1000, although z then
carries almost no information):

    I(v_f; c_l) = sum_ab p(a, b) log p(a, b) / (p(a) p(b))     after cutting both into bins, nats
    gap_f = (largest_l I - second largest_l I) / H(v_f),       MIG = mean_f gap_f

so the gap is large where one latent carries the factor and the others do not. Bins are of equal
mass, so an increasing function of a code counts as the same code; equal values share a bin, so
a value that is as frequent as several bins has one to itself, and where there are no more distinct
values than bins (a factor of 0 and 1, however rare the 1), each has its own. Estimated from counts,
I of unrelated columns is too large, by about (a - 1) (b - 1) / 2N nats, with a and b bins in use;
`permutation_baseline` measures the values for codes without any information.

Shapes: N examples, F factors, L latents, S seeds.
"""

from typing import NamedTuple

import numpy as np

from minivae import checks
from minivae.checks import MIN_EXAMPLES as MIN_EXAMPLES
from minivae.errors import MinivaeError

Array = np.ndarray
BINS = 20
TRACKS = 0.5  # a latent tracks a factor if it has at least this share of what can be known ...
SEED_SHARE = 0.8  # ... in at least this share of the seeds (four of five)
PERMUTATIONS = 20


class MutualInformationGap(NamedTuple):
    """The mutual information gap, and what it is made of."""

    mig: float  # mean of `gaps`, 0 to 1
    gaps: Array  # (F,)
    information: Array  # (F, L) nats
    entropy: Array  # (F,) nats, of the factors in their bins
    best: Array  # (F,) the latent with the most information about each factor


class Baseline(NamedTuple):
    """The values for codes without information about the factors: chance and bias."""

    information: Array  # (F, L) nats, mean over the permutations
    spread: Array  # (F, L) nats, their standard deviation
    migs: Array  # (permutations,) the gap each time


def mutual_information_matrix(factors: Array, codes: Array, bins: int = BINS) -> Array:
    """I(v_f; c_l) for every pair: factors (N, F), codes (N, L) -> (F, L) nats.

    Raises MinivaeError for fewer than MIN_EXAMPLES examples, shapes that do not fit, values that
    are not finite, or bins outside 2 to 100.
    """
    factors, codes, bins = checks.check_codes(factors, codes, bins)
    return _matrix(_into_bins(factors, bins), _into_bins(codes, bins), bins)


def normalised_information(factors: Array, codes: Array, bins: int = BINS) -> Array:
    """I(v_f; c_l) / H(v_f), from 0 (independent) to 1 (the code determines the factor).

    factors (N, F), codes (N, L) -> (F, L). Raises MinivaeError as `mutual_information_matrix`, and
    for a factor that never changes.
    """
    factors, codes, bins = checks.check_codes(factors, codes, bins)
    cells = _into_bins(factors, bins)
    information = _matrix(cells, _into_bins(codes, bins), bins)
    return information / _entropies(cells, bins)[:, None]


def mutual_information_gap(factors: Array, codes: Array, bins: int = BINS) -> MutualInformationGap:
    """The gap of each factor and their mean: factors (N, F), codes (N, L >= 2) -> their gap.

    Raises MinivaeError as `mutual_information_matrix`, for a factor that never changes, and for
    fewer than two latents.
    """
    factors, codes, bins = checks.check_codes(factors, codes, bins, fewest_latents=2)
    cells = _into_bins(factors, bins)
    information = _matrix(cells, _into_bins(codes, bins), bins)
    entropy = _entropies(cells, bins)
    gaps = _gaps(information, entropy)
    return MutualInformationGap(
        float(gaps.mean()), gaps, information, entropy, information.argmax(axis=1)
    )


def permutation_baseline(
    factors: Array,
    codes: Array,
    rng: np.random.Generator,
    bins: int = BINS,
    permutations: int = PERMUTATIONS,
) -> Baseline:
    """The same numbers with the examples' factors shuffled: no information is left.

    Whole rows are shuffled, so the codes stay as dependent on each other as they are.
    Raises MinivaeError as `mutual_information_gap`, for an rng that is no generator, and for fewer
    than 2 permutations.
    """
    factors, codes, bins = checks.check_codes(factors, codes, bins, fewest_latents=2)
    checks.check_generator(rng)
    permutations = checks.check_whole(permutations, "permutations", 2)
    cells, code_cells = _into_bins(factors, bins), _into_bins(codes, bins)
    entropy = _entropies(cells, bins)
    shuffled = np.array(
        [_matrix(rng.permutation(cells), code_cells, bins) for _ in range(permutations)]
    )
    migs = _gaps(shuffled, entropy).mean(axis=-1)
    return Baseline(shuffled.mean(axis=0), shuffled.std(axis=0, ddof=1), migs)


def tracks(normalised: Array) -> Array:
    """Whether some latent tracks each factor, by the definition that was fixed before the study.

    normalised: (S, F, L), the shares that each seed's latents know of each factor, of its entropy
    or of the ideal observer's nats, or (F, L) for one model -> (F,) bool. A seed counts if its best
    latent has at least TRACKS; at least SEED_SHARE of the seeds must count (which latent it is may
    differ). Raises MinivaeError for another number of axes, or NaN.
    """
    normalised = checks.check_normalised_information(normalised)
    best = normalised.max(axis=-1).reshape(-1, normalised.shape[-2])  # (S, F)
    return (best >= TRACKS).mean(axis=0) >= SEED_SHARE


def _into_bins(values, bins):
    """Bins column by column: (N, C) -> (N, C) of 0 to bins - 1, larger values in later bins."""
    return np.stack([_column_into_bins(column, bins) for column in values.T], axis=1)


def _column_into_bins(column, bins):
    """One bin a value where there are at most `bins` distinct values, else bins of equal mass.

    Equal values stay together, so a constant latent falls into one bin and carries no information.
    """
    distinct, own_bin = np.unique(column, return_inverse=True)
    if len(distinct) <= bins:
        return own_bin
    cuts = np.quantile(column, np.arange(1, bins) / bins)
    first, last = (np.searchsorted(cuts, column, side=side) for side in ("left", "right"))
    # Where several cuts equal a value, the bins between them hold nothing else. The value gets the
    # last of these, apart from larger values.
    return last - (last - first >= 2)


def _matrix(factor_cells, code_cells, bins):
    """The plug-in mutual information of every pair of binned columns, (F, L) nats."""
    return np.array(
        [[_information(f * bins + c, bins) for c in code_cells.T] for f in factor_cells.T]
    )


def _information(pairs, bins):
    """sum_ab p(a, b) log p(a, b) / (p(a) p(b)), from pairs a * bins + b, one an example."""
    joint = np.bincount(pairs, minlength=bins * bins).reshape(bins, bins) / len(pairs)
    independent = joint.sum(axis=1, keepdims=True) * joint.sum(axis=0)
    nonzero = joint > 0
    information = np.sum(joint[nonzero] * np.log(joint[nonzero] / independent[nonzero]))
    return max(0.0, float(information))  # never negative but for rounding


def _entropies(cells, bins):
    """H(v_f) of the binned factors, (F,) nats. log(bins) where the masses are equal."""
    shares = np.array([np.bincount(f, minlength=bins) for f in cells.T]) / len(cells)
    entropy = -np.sum(shares * np.log(np.where(shares > 0, shares, 1)), axis=1)
    if (entropy == 0).any():
        column = int(np.argmin(entropy))
        raise MinivaeError(f"factor {column} never changes; leave it out, its entropy is 0")
    return entropy


def _gaps(information, entropy):
    """(largest - second largest) / H: (..., F, L) and (F,) -> (..., F)."""
    ordered = np.sort(information, axis=-1)
    return (ordered[..., -1] - ordered[..., -2]) / entropy

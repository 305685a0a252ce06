"""Is a latent what we would like to call it? Measured, where the true factors are known.

The mutual information gap (Chen et al. 2018, arXiv:1802.04942, section 4.1). For the true factors
v_f and the codes c_l of the same N examples (a code is a draw z ~ q(z | x), not its mean: the mean
of a collapsed latent may still follow a factor by a thousandth of sigma, where z tells nothing):

    I(v_f; c_l) = sum_ab p(a, b) log p(a, b) / (p(a) p(b))     after cutting both into bins, nats
    gap_f = (largest_l I - second largest_l I) / H(v_f),       MIG = mean_f gap_f

so a factor counts if one latent knows it and the others do not. Bins are of equal mass: any
increasing function of a code is the same code. Counting makes I too large, by about
(bins - 1)^2 / 2N nats; `permutation_baseline` measures what codes that know nothing would get.

Beside it the quality of samples, on the same scale for every model: the distance of each sample to
the nearest of many real pictures, and the coverage (Naeem et al. 2020, arXiv:2002.09797).

Shapes: N examples, F factors, L latents, S seeds, D pixels.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from minivae.errors import MinivaeError

BINS = 20
MIN_EXAMPLES = 10_000  # the bias of a 20 x 20 table is then 0.02 nats, of log(20) = 3.0
TRACKS = 0.5  # a latent tracks a factor from this share of the factor's entropy on ...
SEED_SHARE = 0.8  # ... in this share of the seeds: four of five
PERMUTATIONS = 20
NEIGHBOURS = 5  # of the ball around a real picture that coverage asks for
CHUNK_DISTANCES = 1 << 22  # held at a time: 16 MB


# Information -----------------------------------------------------------------------------------


class Gap(NamedTuple):
    """The mutual information gap, and what it is made of."""

    mig: float  # mean of `gaps`, 0 to 1
    gaps: np.ndarray  # (F,)
    information: np.ndarray  # (F, L) nats
    entropy: np.ndarray  # (F,) nats, of the factors in their bins
    best: np.ndarray  # (F,) the latent that knows most about each factor


class Baseline(NamedTuple):
    """What codes that know nothing about the factors get, by chance and by the bias."""

    information: np.ndarray  # (F, L) nats, mean over the permutations
    spread: np.ndarray  # (F, L) nats, their standard deviation
    migs: np.ndarray  # (permutations,) the gap each time


def mutual_information_matrix(factors, codes, bins=BINS):
    """I(v_f; c_l) for every pair: factors (N, F), codes (N, L) -> (F, L) nats.

    Raises MinivaeError for fewer than MIN_EXAMPLES examples, shapes that do not fit, or NaN.
    """
    factors, codes, bins = _check(factors, codes, bins)
    return _matrix(_into_bins(factors, bins), _into_bins(codes, bins), bins)


def normalised_information(factors, codes, bins=BINS):
    """I(v_f; c_l) / H(v_f), from 0 (nothing) to 1 (everything): (F, L)."""
    factors, codes, bins = _check(factors, codes, bins)
    cells = _into_bins(factors, bins)
    information = _matrix(cells, _into_bins(codes, bins), bins)
    return information / _entropies(cells, bins)[:, None]


def mutual_information_gap(factors, codes, bins=BINS):
    """The gap of each factor and their mean: factors (N, F), codes (N, L >= 2) -> Gap."""
    factors, codes, bins = _check(factors, codes, bins, fewest_latents=2)
    cells = _into_bins(factors, bins)
    information = _matrix(cells, _into_bins(codes, bins), bins)
    entropy = _entropies(cells, bins)
    gaps = _gaps(information, entropy)
    return Gap(float(gaps.mean()), gaps, information, entropy, information.argmax(axis=1))


def permutation_baseline(factors, codes, rng, bins=BINS, permutations=PERMUTATIONS):
    """The same numbers with the examples' factors shuffled: nothing is left to know.

    Whole rows are shuffled, so that what the codes share among themselves stays as it is.
    """
    factors, codes, bins = _check(factors, codes, bins, fewest_latents=2)
    if not isinstance(rng, np.random.Generator):
        raise MinivaeError(f"rng is {rng!r}; give a generator, such as np.random.default_rng(0)")
    if not _is_whole(permutations) or permutations < 2:
        raise MinivaeError(f"permutations is {permutations!r}; it must be at least 2")
    cells, code_cells = _into_bins(factors, bins), _into_bins(codes, bins)
    entropy = _entropies(cells, bins)
    shuffled = np.array(
        [_matrix(rng.permutation(cells), code_cells, bins) for _ in range(permutations)]
    )
    migs = _gaps(shuffled, entropy).mean(axis=-1)
    return Baseline(shuffled.mean(axis=0), shuffled.std(axis=0, ddof=1), migs)


def tracks(normalised):
    """Whether some latent tracks each factor, by the definition fixed before any run.

    normalised: (S, F, L), `normalised_information` of each seed's model, or (F, L) for one
    model -> (F,) bool. A seed counts if its best latent holds at least TRACKS of the factor's
    entropy; at least SEED_SHARE of the seeds must count (which latent it is may differ).
    """
    try:
        normalised = np.asarray(normalised, np.float64)
    except (TypeError, ValueError):
        normalised = np.empty(0)
    if normalised.ndim not in (2, 3) or normalised.size == 0 or np.isnan(normalised).any():
        raise MinivaeError(
            "tracks needs normalised information without NaN, (S, F, L) over the seeds, or (F, L)"
        )
    best = normalised.max(axis=-1).reshape(-1, normalised.shape[-2])  # (S, F)
    return (best >= TRACKS).mean(axis=0) >= SEED_SHARE


def _into_bins(values, bins):
    """Bins of equal mass, column by column: (N, C) -> (N, C) of 0 to bins - 1.

    Equal values stay together, so a latent that says always the same falls into one bin, and
    knows nothing.
    """
    cuts = np.quantile(values, np.arange(1, bins) / bins, axis=0)
    columns = [np.searchsorted(c, v, side="right") for c, v in zip(cuts.T, values.T, strict=True)]
    return np.stack(columns, axis=1)


def _matrix(factor_cells, code_cells, bins):
    """The plug-in mutual information of every pair of binned columns, (F, L) nats."""
    return np.array(
        [[_information(f * bins + c, bins) for c in code_cells.T] for f in factor_cells.T]
    )


def _information(pairs, bins):
    """sum_ab p(a, b) log p(a, b) / (p(a) p(b)), from pairs a * bins + b, one an example."""
    joint = np.bincount(pairs, minlength=bins * bins).reshape(bins, bins) / len(pairs)
    apart = joint.sum(axis=1, keepdims=True) * joint.sum(axis=0)
    there = joint > 0
    information = np.sum(joint[there] * np.log(joint[there] / apart[there]))
    return max(0.0, float(information))  # it is never negative, but rounding is


def _entropies(cells, bins):
    """H(v_f) of the binned factors, (F,) nats. log(bins) where the masses are equal."""
    shares = np.array([np.bincount(f, minlength=bins) for f in cells.T]) / len(cells)
    entropy = -np.sum(shares * np.log(np.where(shares > 0, shares, 1)), axis=1)
    if (entropy == 0).any():
        column = int(np.argmin(entropy))
        raise MinivaeError(f"factor {column} never changes; leave it out, nothing can be known")
    return entropy


def _gaps(information, entropy):
    """(largest - second largest) / H: (..., F, L) and (F,) -> (..., F)."""
    ordered = np.sort(information, axis=-1)
    return (ordered[..., -1] - ordered[..., -2]) / entropy


# The quality of samples ------------------------------------------------------------------------


class SampleQuality(NamedTuple):
    """How far samples are from real pictures, and how much of the real they reach.

    Distances are Euclidean over the picture's pixels in [0, 1].
    """

    distance: float  # mean over the samples, to the nearest reference
    held_out_distance: float  # the same for real pictures: no generator can be asked for less
    coverage: float  # share of the references that some sample comes as close to as real ones do


def nearest(pictures, references):
    """The nearest reference of each picture: (N, D), (M, D) -> distances (N,) float64, index (N,).

    Products find the nearest, a chunk at a time; its distance is then taken without their rounding.
    """
    pictures, references = _check_pictures(pictures, references)
    index = np.empty(len(pictures), np.int64)
    for rows, squares in _squared_distances(pictures, references):
        index[rows] = squares.argmin(axis=1)
    distances = np.empty(len(pictures))
    step = max(1, CHUNK_DISTANCES // pictures.shape[1])
    for start in range(0, len(pictures), step):
        rows = slice(start, start + step)
        difference = pictures[rows].astype(np.float64) - references[index[rows]]
        distances[rows] = np.sqrt(np.sum(difference**2, axis=1))
    return distances, index


def neighbour_radii(references, k=NEIGHBOURS):
    """The distance from each reference to its k-th nearest other: (M, D) -> (M,)."""
    references, _ = _check_pictures(references, references)
    if not _is_whole(k) or not 1 <= k < len(references):
        raise MinivaeError(
            f"k is {k!r}; it must be from 1 to {len(references) - 1}, the number of others"
        )
    radii = np.empty(len(references))
    for rows, squares in _squared_distances(references, references):
        squares[np.arange(len(squares)), np.arange(len(references))[rows]] = np.inf  # itself
        radii[rows] = np.sqrt(np.partition(squares, k - 1, axis=1)[:, k - 1])
    return radii


def coverage(samples, references, radii):
    """The share of the references with a sample within their radius (from neighbour_radii).

    N samples of the references' own distribution cover about 1 - (M / (M + N))^k of the M: so
    compare models by equally many samples (with N = M, the best to expect is 1 - 2^-k).
    """
    samples, references = _check_pictures(samples, references)
    radii = np.asarray(radii, np.float64)
    if radii.shape != (len(references),) or not (radii >= 0).all():
        raise MinivaeError(
            f"radii has shape {radii.shape}; it must be one for each of the {len(references)} "
            f"references, from neighbour_radii"
        )
    covered = np.empty(len(references), bool)
    for rows, squares in _squared_distances(references, samples):
        covered[rows] = squares.min(axis=1) <= radii[rows] ** 2
    return float(covered.mean())


def sample_quality(samples, references, held_out, radii=None):
    """Samples against real pictures: (N, D), (M, D), (K, D), all in [0, 1] -> SampleQuality.

    held_out: real pictures that are not among the references. radii: of neighbour_radii, where
    several models are measured against the same references.
    """
    radii = neighbour_radii(references) if radii is None else radii
    return SampleQuality(
        float(nearest(samples, references)[0].mean()),
        float(nearest(held_out, references)[0].mean()),
        coverage(samples, references, radii),
    )


def _squared_distances(pictures, references):
    """Yield (rows, |p|^2 - 2 p.r + |r|^2 float32, never below 0) for a chunk of pictures."""
    lengths = np.einsum("md,md->m", references, references)
    step = max(1, CHUNK_DISTANCES // len(references))
    for start in range(0, len(pictures), step):
        rows = slice(start, start + step)
        squares = pictures[rows] @ references.T
        squares *= -2
        squares += lengths
        squares += np.einsum("nd,nd->n", pictures[rows], pictures[rows])[:, None]
        yield rows, np.maximum(squares, 0, out=squares)


# Checks ----------------------------------------------------------------------------------------


def _is_whole(value):
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def _table(values, name, dtype):
    """A 2-D table of finite numbers."""
    try:
        table = np.asarray(values)
        kind = table.dtype.kind
    except ValueError:  # rows of different lengths
        table, kind = np.empty(0), "O"
    if kind not in "biuf" or table.ndim != 2 or table.size == 0:
        raise MinivaeError(
            f"{name} has shape {table.shape}; it must be a table of numbers, one row an example"
        )
    table = table.astype(dtype)
    if not np.isfinite(table).all():
        row = int(np.argmin(np.isfinite(table).all(axis=1)))
        raise MinivaeError(f"{name} holds NaN or infinity in row {row}; all must be finite")
    return table


def _check(factors, codes, bins, fewest_latents=1):
    factors = _table(factors, "factors", np.float64)
    codes = _table(codes, "codes", np.float64)
    if len(factors) != len(codes):
        raise MinivaeError(
            f"{len(factors)} rows of factors and {len(codes)} of codes; one of each for an example"
        )
    if len(factors) < MIN_EXAMPLES:
        raise MinivaeError(
            f"{len(factors)} examples; the mutual information needs at least {MIN_EXAMPLES}, or "
            f"counting alone looks like knowledge"
        )
    if codes.shape[1] < fewest_latents:
        raise MinivaeError("the codes have one latent; the gap is between two, so it needs two")
    if not _is_whole(bins) or not 2 <= bins <= 100:
        raise MinivaeError(f"bins is {bins!r}; it must be a whole number from 2 to 100")
    return factors, codes, int(bins)


def _check_pictures(pictures, references):
    """Both float32; products in single precision are enough to find the nearest."""
    pictures = _table(pictures, "the pictures", np.float32)
    references = _table(references, "the references", np.float32)
    if pictures.shape[1] != references.shape[1]:
        raise MinivaeError(
            f"pictures of {pictures.shape[1]} pixels and references of {references.shape[1]}; "
            f"both must have the same size"
        )
    return pictures, references

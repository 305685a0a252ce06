"""The quality of samples, on the same scale for every model, whatever its likelihood.

Two numbers: the distance of each sample to the nearest of many real pictures, and the coverage, the
share of real pictures that have a sample nearby (Naeem et al. 2020, arXiv:2002.09797). Distances
are Euclidean over the pixels.

Shapes: N pictures or samples, M references, D pixels.
"""

import numpy as np

from minivae import checks

Array = np.ndarray
NEIGHBOURS = 5  # the radius around a real picture reaches to its 5th nearest other
CHUNK_DISTANCES = 1 << 22  # held at a time: 16 MB


def nearest(pictures: Array, references: Array) -> tuple[Array, Array]:
    """The nearest reference of each picture: (N, D), (M, D) -> distances (N,) float64, index (N,).

    Squared distances from a matrix product find the nearest, a chunk at a time; its distance is
    then computed in float64 from the difference itself, without the product's rounding.
    """
    pictures, references = checks.check_pictures(pictures, references)
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


def neighbour_radii(references: Array, k: int = NEIGHBOURS) -> Array:
    """The distance from each reference to its k-th nearest other: (M, D) -> (M,)."""
    references, _ = checks.check_pictures(references, references)
    k = checks.check_whole(k, "k", 1, len(references) - 1)  # there are that many others
    radii = np.empty(len(references))
    for rows, squares in _squared_distances(references, references):
        squares[np.arange(len(squares)), np.arange(len(references))[rows]] = np.inf  # itself
        radii[rows] = np.sqrt(np.partition(squares, k - 1, axis=1)[:, k - 1])
    return radii


def coverage(samples: Array, references: Array, radii: Array) -> float:
    """The share of the references with a sample within their radius (from neighbour_radii).

    N samples of the references' own distribution cover about 1 - (M / (M + N))^k of the M: so
    compare models by equally many samples (with N = M, the best to expect is 1 - 2^-k).
    """
    samples, references = checks.check_pictures(samples, references)
    radii = checks.check_radii(radii, len(references))
    covered = np.empty(len(references), bool)
    for rows, squares in _squared_distances(references, samples):
        covered[rows] = squares.min(axis=1) <= radii[rows] ** 2
    return float(covered.mean())


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

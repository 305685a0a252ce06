"""The quality of samples, on the same scale for every model, whatever its likelihood.

Three numbers: the distance of each sample to the nearest of many real pictures; the coverage, the
share of real pictures that have a sample nearby (Naeem et al. 2020, arXiv:2002.09797); and the
energy distance of both sets (Székely and Rizzo 2013). Distances are Euclidean over the pixels.

Shapes: N pictures or samples, M references, D pixels.
"""

import numpy as np

from minivae import checks

Array = np.ndarray
NEIGHBOURS = 5  # the radius around a real picture reaches to its 5th nearest other
CHUNK_DISTANCES = 1 << 22  # distances in memory at a time: 16 MB


def nearest(pictures: Array, references: Array) -> tuple[Array, Array]:
    """The nearest reference of each picture: (N, D), (M, D) -> distances (N,) float64, index (N,).

    Of equally near ones, the first. Raises MinivaeError unless both are tables of finite numbers
    with equally many columns.
    """
    pictures, references = checks.check_pictures(pictures, references)
    return _kth_nearest(pictures, references, 1)


def neighbour_radii(references: Array, k: int = NEIGHBOURS) -> Array:
    """The distance from each reference to its k-th nearest other: (M, D) -> (M,) float64.

    Raises MinivaeError unless the references are a table of finite numbers and 1 <= k <= M - 1.
    """
    references, _ = checks.check_pictures(references, references)
    k = checks.check_whole(k, "k", 1, len(references) - 1)  # there are that many others
    return _kth_nearest(references, references, k, others=True)[0]


def coverage(samples: Array, references: Array, radii: Array) -> float:
    """The share of the references with a sample within their radius (from neighbour_radii).

    N samples of the references' own distribution cover about 1 - (M / (M + N))^k of the M: so
    compare models by equally many samples (with N = M, the best to expect is 1 - 2^-k).
    samples (N, D), references (M, D), radii (M,) -> 0 to 1. Raises MinivaeError as `nearest`, and
    for radii of another shape or below 0.
    """
    samples, references = checks.check_pictures(samples, references)
    radii = checks.check_radii(radii, len(references))
    distances, _ = _kth_nearest(references, samples, 1)
    return float((distances <= radii).mean())


def energy_distance(samples: Array, references: Array) -> float:
    """2 E|x - y| - E|x - x'| - E|y - y'|: samples x (N, D), references y (M, D) -> one float.

    Of two distributions it is 0 if they are the same and positive otherwise. This is the unbiased
    estimate, so it may come out a little below 0. Raises MinivaeError as `nearest`, and for fewer
    than two of either.
    """
    samples, references = checks.check_pictures(samples, references)
    for name, n in (("samples", len(samples)), ("references", len(references))):
        checks.check_whole(n, f"the number of {name}", 2)
    between = _mean_distance(samples, references)
    own = [_mean_distance(a, a) * len(a) / (len(a) - 1) for a in (samples, references)]
    return 2 * between - sum(own)


def _mean_distance(a, b):
    """The mean over all pairs; of a picture and itself the rounding is taken out."""
    a, b = a.astype(np.float64), b.astype(np.float64)
    squares = np.sum(a**2, axis=1)[:, None] + np.sum(b**2, axis=1) - 2 * a @ b.T
    distances = np.sqrt(np.maximum(squares, 0))
    if len(a) == len(b) and np.array_equal(a, b):
        np.fill_diagonal(distances, 0)
    return float(distances.mean())


def _kth_nearest(pictures, references, k, *, others=False):
    """The distance to the k-th nearest reference, float64, and its index: (N,) each.

    others: the pictures are the references, and none counts as its own neighbour. A matrix product
    gives all squared distances, but cancels where pictures are nearly the same. So it only picks
    out the pairs that may be among the k nearest, and theirs are computed from the differences.
    """
    distances, index = np.empty(len(pictures)), np.empty(len(pictures), np.int64)
    for rows, squares, margin in _squared_distances(pictures, references):
        if others:
            squares[np.arange(len(squares)), np.arange(len(references))[rows]] = np.inf
        limit = np.partition(squares, k - 1, axis=1)[:, k - 1] + margin
        near = ~(squares > limit[:, None])  # and not <=: NaN, from an overflow, stays in
        i, j = np.nonzero(near)
        if others:
            i, j = (places[i + rows.start != j] for places in (i, j))
        exact = _exact_squares(pictures[rows], references, i, j)
        order = np.lexsort((exact, i))  # picture by picture, the nearest first
        chosen = order[np.searchsorted(i, np.arange(len(squares))) + k - 1]
        distances[rows], index[rows] = np.sqrt(exact[chosen]), j[chosen]
    return distances, index


def _exact_squares(pictures, references, i, j):
    """|p_i - r_j|^2 for pairs i, j (P,), from the differences: (P,) float64."""
    squares = np.empty(len(i))
    step = max(1, CHUNK_DISTANCES // pictures.shape[1])
    for start in range(0, len(i), step):
        pairs = slice(start, start + step)
        difference = pictures[i[pairs]].astype(np.float64) - references[j[pairs]]
        squares[pairs] = np.sum(difference**2, axis=1)
    return squares


def _squared_distances(pictures, references):
    """Yield (rows, squares, margin) for a chunk of pictures.

    squares: |p|^2 - 2 p.r + |r|^2, float32. margin: (rows,) how much the rounding can move two of a
    row's squares against each other. A sum of D products errs by at most D u |p| |r|, with u half
    of float32's eps, in whatever order it is done, so a square by 2 (D + 3) u (|p|^2 + |r|^2).
    """
    lengths = np.einsum("md,md->m", references, references)
    step = max(1, CHUNK_DISTANCES // len(references))
    rounding = 2 * (pictures.shape[1] + 3) * np.finfo(np.float32).eps
    for start in range(0, len(pictures), step):
        rows = slice(start, start + step)
        own = np.einsum("nd,nd->n", pictures[rows], pictures[rows])
        squares = pictures[rows] @ references.T
        squares *= -2
        squares += lengths
        squares += own[:, None]
        yield rows, squares, rounding * (own + lengths.max())

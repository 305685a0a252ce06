"""Random cats: single batches, and the data set."""

from typing import NamedTuple

import numpy as np

from minivae.checks import check_whole
from minivae.checks.cats import check_cat_count, check_picture_size
from minivae.checks.values import check_generator
from minivae.data.cats.factors import sample_factors
from minivae.data.cats.posterior import pixel_probabilities
from minivae.data.cats.renderer import MEMORY_PIXELS, SIZE, SIZES, render_checked

N_TRAIN, N_TEST, SEED = 50_000, 10_000, 9


def draw(n: int, rng: np.random.Generator, size: int = SIZE) -> tuple[np.ndarray, np.ndarray]:
    """Draw n random cats: grey pictures (n, S, S) float32 in [0, 1], and their factors (n, 6).

    Raises MinivaeError as `sample_factors` and `render` do.
    """
    size = check_picture_size(size, SIZES)
    factors = sample_factors(check_cat_count(n, 4 * size**2), rng)  # float32
    return render_checked(factors, size), factors


def sample_pixels(factors: np.ndarray, rng: np.random.Generator, size: int = SIZE) -> np.ndarray:
    """x ~ p(x | z): black and white pictures, (B, S, S) float32 of 0 and 1.

    Raises MinivaeError as `render` does, or if rng is no NumPy generator.
    """
    p = pixel_probabilities(factors, size)
    return (check_generator(rng).random(p.shape) < p).astype(np.float32)


class CatData(NamedTuple):
    """A data set whose true factors are known. D = S * S; the pictures are grey, 0 to 255."""

    train: np.ndarray  # (N, D) uint8
    test: np.ndarray  # (M, D) uint8
    train_factors: np.ndarray  # (N, 6) float64, in the units of FACTORS
    test_factors: np.ndarray  # (M, 6)


def dataset(
    n_train: int = N_TRAIN, n_test: int = N_TEST, seed: int = SEED, size: int = SIZE
) -> CatData:
    """The cats as a data set, the same at every call (60,000 at 28 x 28 take a few seconds).

    Training and test cats come from separate random streams: more of the one changes neither the
    other nor the cats that come first. Raises MinivaeError for impossible counts, seeds or sizes.
    """
    seed = check_whole(seed, "the cats' seed", 0)
    size = check_picture_size(size, SIZES)
    counts = [check_cat_count(n, size**2) for n in (n_train, n_test)]
    streams = np.random.SeedSequence(seed).spawn(2)
    (train, train_factors), (test, test_factors) = (
        _byte_cats(n, np.random.default_rng(stream), size)
        for n, stream in zip(counts, streams, strict=True)
    )
    return CatData(train, test, train_factors, test_factors)


def _byte_cats(n: int, rng: np.random.Generator, size: int) -> tuple[np.ndarray, np.ndarray]:
    """n random cats as bytes, (n, D) uint8, and their factors, without all floats in memory."""
    factors = sample_factors(n, rng)
    images = np.empty((n, size * size), np.uint8)
    step = max(1, MEMORY_PIXELS // size**2)
    for start in range(0, n, step):
        rows = slice(start, start + step)
        images[rows] = np.rint(255 * render_checked(factors[rows], size)).reshape(-1, size * size)
    return images, factors

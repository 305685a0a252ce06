"""What the model sees: binarized pixels have the right probability, scaled ones are exact."""

import numpy as np
import pytest
from image_files import GREY
from refusals import refusal

from minivae import data
from minivae.errors import MinivaeError


def check_probability(images, pixel):
    """The mean of many draws agrees with the pixel: each level alone, and all levels together."""
    rng = np.random.default_rng(1)
    rounds = 400
    ones = sum(data.binarize(images, rng) for _ in range(rounds)).sum(axis=0, dtype=np.float64)
    n = rounds * len(images)
    inner = (pixel > 0) & (pixel < 1)
    z = (ones - n * pixel)[inner] / np.sqrt(n * pixel * (1 - pixel))[inner]
    assert (ones[pixel == 0] == 0).all()
    assert (ones[pixel == 1] == n).all()
    assert np.abs(z).max() < 5.5
    assert abs((z**2).mean() - 1) < 6 * np.sqrt(2 / z.size)
    return z


def test_binarization_of_uint8_has_probability_pixel_over_255():
    """p / 256, the likely mistake of comparing with a random byte, would fail the same test."""
    levels = np.arange(256)
    images = np.tile(levels.astype(np.uint8), (500, 1))
    z = check_probability(images, levels / 255)
    n = 400 * 500
    shift = n * (levels / 255 - levels / 256)[1:-1]
    wrong = z + shift / np.sqrt(n * (levels / 255) * (1 - levels / 255))[1:-1]
    assert abs((wrong**2).mean() - 1) > 6 * np.sqrt(2 / z.size)


def test_binarization_of_floats_has_the_pixel_as_probability():
    pixel = np.linspace(0, 1, 101, dtype=np.float32)
    check_probability(np.tile(pixel, (500, 1)), pixel.astype(np.float64))


def test_a_pixel_that_is_nan_does_not_become_black():
    """u < NaN is false for every u."""
    images = np.full((2, 3), 0.5, np.float32)
    images[1, 2] = np.nan
    with pytest.raises(MinivaeError, match="NaN"):
        data.binarize(images, np.random.default_rng(0))


def test_binarized_pixels_are_independent():
    half = np.full((20_000, 9), 128, np.uint8)
    x = data.binarize(half, np.random.default_rng(2))
    assert np.abs(np.corrcoef(x.T) - np.eye(9)).max() < 6 / np.sqrt(20_000)
    assert abs(np.corrcoef(x[:-1, 0], x[1:, 0])[0, 1]) < 6 / np.sqrt(20_000)


@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (7, 9), (2, 8), (0, 4)])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_binarization_is_float32_of_zeros_and_ones_for_any_size(shape, dtype):
    x = data.binarize(np.ones(shape, dtype), np.random.default_rng(0))
    assert x.dtype == np.float32
    assert x.shape == shape
    assert set(x.ravel()) <= {0.0, 1.0}


def test_a_fixed_binarization_depends_on_the_seed_alone():
    images = GREY.reshape(20, 12)
    first = data.fixed_binarization(images, 3)
    assert np.array_equal(first, data.fixed_binarization(images, 3))
    assert not np.array_equal(first, data.fixed_binarization(images, 4))


def test_scaling_is_exact():
    levels = np.arange(256, dtype=np.uint8)[None]
    scaled = data.scale(levels)
    assert scaled.dtype == np.float32
    assert np.array_equal(scaled, levels.astype(np.float32) / np.float32(255))
    assert scaled[0, 255] == 1
    assert data.scale(scaled) is scaled


def test_a_likelihood_that_does_not_exist_is_refused():
    """It used to be taken for the Gaussian."""
    images = np.zeros((3, 4), np.uint8)
    for call in (
        lambda: data.draw_batch(images, np.arange(2), "poisson", np.random.default_rng(0)),
        lambda: data.test_images(images, "poisson"),
    ):
        assert refusal(call).startswith("likelihood is 'poisson'; it must be one of")

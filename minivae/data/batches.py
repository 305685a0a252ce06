"""What the model sees: batches and test images, binarized or scaled to [0, 1]."""

import numpy as np

from minivae.checks import check_likelihood
from minivae.errors import MinivaeError

BINARIZATION_SEED = 784  # of the fixed binarization of test images
GREY = (0.1, 0.9)  # pixels between these are grey: neither black nor white
# The share of grey pixels: MNIST 9 %, MNIST at 14 x 14 pixels 17 %, the cats 25 %, digits at 8 x 8
# pixels 35 %, Fashion-MNIST 40 %, photographs 75 %.
GREY_SHARE = 0.2  # images with more count as grey: binarizing them loses much


def draw_batch(
    images: np.ndarray, batch: np.ndarray, likelihood: str, rng: np.random.Generator
) -> np.ndarray:
    """The rows `batch`, (B,), of images (N, D) as the model trains on them -> (B, D) float32.

    Binarized anew at each call for a "bernoulli" likelihood, scaled to [0, 1] for a "gaussian".
    Raises MinivaeError for any other likelihood.
    """
    check_likelihood(likelihood)
    if likelihood == "bernoulli":
        return binarize(images[batch], rng)
    return scale(images[batch])


def test_images(images: np.ndarray, likelihood: str) -> np.ndarray:
    """Images (N, D) as they are always evaluated -> (N, D) float32.

    One fixed binarization for a "bernoulli" likelihood, scaled to [0, 1] for a "gaussian".
    Raises MinivaeError for any other likelihood.
    """
    check_likelihood(likelihood)
    if likelihood == "bernoulli":
        return fixed_binarization(images, BINARIZATION_SEED)
    return scale(images)


def binarize(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """x ~ Bernoulli(pixel), independently for each pixel; (B, D) -> (B, D) float32 of 0 and 1.

    For uint8 the probability is pixel / 255 exactly: x = 1 where u < pixel, u uniform on 0..254.
    Random bytes are uniform on 0..255; the few that are 255 are drawn again.
    Raises MinivaeError for NaN.
    """
    if images.dtype != np.uint8:
        if np.isnan(images).any():  # u < NaN is false, so that NaN would become black
            raise MinivaeError("the images hold NaN; every pixel must be a number from 0 to 1")
        return (rng.random(images.shape, np.float32) < images).astype(np.float32)
    words = rng.integers(0, 2**64, size=-(-images.size // 8), dtype=np.uint64)
    u = words.view(np.uint8)[: images.size]
    again = np.flatnonzero(u == 255)
    u[again] = rng.integers(0, 255, size=again.size, dtype=np.uint8)
    return (u.reshape(images.shape) < images).astype(np.float32)


def fixed_binarization(images: np.ndarray, seed: int) -> np.ndarray:
    """The binarization of images (N, D) for a seed -> (N, D) float32 of 0 and 1.

    Every evaluation uses BINARIZATION_SEED. Raises MinivaeError for NaN.
    """
    return binarize(images, np.random.default_rng(seed))


def scale(images: np.ndarray) -> np.ndarray:
    """Pixels in [0, 1], (B, D): uint8 divided by 255, as float32; floats as they are."""
    if images.dtype != np.uint8:
        return images
    return np.divide(images, np.float32(255), dtype=np.float32)


def are_grey(images: np.ndarray) -> bool:
    """Whether more than GREY_SHARE of the pixels are grey; (N, D) uint8, or float32 in [0, 1]."""
    low, high = (255 * x if images.dtype == np.uint8 else x for x in GREY)
    return bool(np.count_nonzero((images > low) & (images < high)) > GREY_SHARE * images.size)


def grey_note(images: np.ndarray, likelihood: str, option: str) -> str | None:
    """A line of advice if grey images (N, D) are about to be binarized, else None.

    option: how the user selects the Gaussian likelihood, for the advice.
    """
    if likelihood != "bernoulli" or not are_grey(images):
        return None
    return (
        "the images are grey, and a bernoulli likelihood binarizes their pixels at random; "
        f"to learn the grey levels themselves, use {option}"
    )

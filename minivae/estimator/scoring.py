"""Scores of single images whose random draws depend on the image alone."""

import hashlib

import numpy as np

from minivae import data, evaluate, runs
from minivae.backend import Backend

GREY_LEVELS = 2**16 - 1  # an image is recognised by its pixels in 16 bits, from whatever dtype


def log_p(model: runs.Model, images: np.ndarray, samples: int, ops: Backend) -> np.ndarray:
    """Importance-weighted log p(x) of images (N, D), uint8 or floats in [0, 1] -> (N,) nats.

    An image's noise, and for a Bernoulli model the binarization of its grey pixels, are drawn from
    a seed that is made of its pixels. So the same image gets the same number wherever it stands.
    """
    x = data.scale(images)
    seeds = [seed_of(image) for image in x]
    if model.spec.likelihood == "bernoulli":
        rngs = [_rng(seed, "binarization") for seed in seeds]
        x = np.stack([data.binarize(image, rng) for image, rng in zip(x, rngs, strict=True)])
    x = x.astype(model.flat.dtype, copy=False)
    return evaluate.log_likelihood_of_q(
        model.params, x, model.spec, samples, lambda i: _rng(seeds[i], "noise"), None, ops
    ).log_p


def bits_per_dim(log_p: np.ndarray, data_dim: int, likelihood: str, white: int) -> np.ndarray:
    """log p(x) in nats, (N,) -> bits for each of the D pixels, (N,): less is better.

    A Bernoulli's p(x) is the probability of a black and white image. A Gaussian's is a density, and
    pixels that were rounded to 0, 1, ..., white stand for intervals of width 1 / white, so the
    probability of the image is about p(x) / white^D.
    """
    if likelihood == "gaussian":
        log_p = log_p - data_dim * np.log(white)
    return -log_p / (data_dim * np.log(2))


_scored: dict[bytes, str] = {}  # the likelihood of the model that scored these images last
MOST_REMEMBERED = 100


def comparison_note(images: np.ndarray, likelihood: str) -> str | None:
    """A line if a model of the other likelihood scored the same images (N, D) before, else None."""
    digest = hashlib.blake2b(np.ascontiguousarray(images).data, digest_size=8).digest()
    before = _scored.pop(digest, likelihood)
    _scored[digest] = likelihood
    if len(_scored) > MOST_REMEMBERED:
        del _scored[next(iter(_scored))]
    if before == likelihood:
        return None
    return (
        "these images were scored by a bernoulli and by a gaussian model, whose scores cannot be "
        "compared: one is the log of a probability, the other of a density; on black and white "
        "images compare bits_per_dim instead"
    )


def seed_of(image: np.ndarray) -> int:
    """A number made of the pixels of an image, (D,) in [0, 1]."""
    levels = np.rint(GREY_LEVELS * np.clip(image, 0, 1)).astype("<u2")
    return int.from_bytes(hashlib.blake2b(levels.tobytes(), digest_size=8).digest(), "little")


def _rng(seed, use):
    return np.random.default_rng([seed, ("noise", "binarization").index(use)])

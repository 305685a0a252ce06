"""Chonky cats: a generative process that can be read, with every true factor known.

Six independent factors z (the table FACTORS) decide the picture: `render(z)`. A renderer alone
gives samples but no density. Noise on each pixel makes it a probability model,

    p(x | z) = prod_d Bernoulli(x_d; p_d(z)),   p(z) = clip(render(z), P_MIN, 1 - P_MIN)

and then the cats have a likelihood, and with two factors free a posterior that can be computed:
a sum over a grid. Because of the clip, every black and white picture has a probability above 0.

    factors.py      the table of factors, and their prior
    renderer.py     draws the picture for given factors
    sampling.py     random cats, and the data set
    posterior.py    the likelihood of a picture, and what it says about the factors

Shapes: B cats in a batch, S pixels along a side of the picture, D = S * S pixels.
"""

from minivae.data.cats.factors import FACTORS, HIGH, LOW, NAMES, Factor, sample_factors
from minivae.data.cats.posterior import (
    P_MIN,
    ChonkPosterior,
    chonk_posterior,
    log_likelihood,
    pixel_probabilities,
)
from minivae.data.cats.renderer import SIZE, SIZES, render
from minivae.data.cats.sampling import (
    N_TEST,
    N_TRAIN,
    SEED,
    CatData,
    dataset,
    draw,
    sample_pixels,
)

__all__ = [
    "FACTORS",
    "HIGH",
    "LOW",
    "NAMES",
    "N_TEST",
    "N_TRAIN",
    "P_MIN",
    "SEED",
    "SIZE",
    "SIZES",
    "CatData",
    "ChonkPosterior",
    "Factor",
    "chonk_posterior",
    "dataset",
    "draw",
    "log_likelihood",
    "pixel_probabilities",
    "render",
    "sample_factors",
    "sample_pixels",
]

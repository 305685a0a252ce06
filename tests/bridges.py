"""Models for the tests of the bridge to other libraries."""

import numpy as np
import pytest

from minivae import vae
from minivae.runs import Model

SPECS = {
    "bernoulli": vae.Spec(6, (5, 4), 2),
    "no hidden layer": vae.Spec(6, (), 3, activation="relu"),
    "learned variance": vae.Spec(6, (4,), 1, likelihood="gaussian", free_bits=0.25),
    "fixed variance": vae.Spec(6, (3, 2, 4), 2, "relu", "gaussian", variance=0.3),
}


def random_model(spec, dtype=np.float32, seed=0):
    rng = np.random.default_rng(seed)
    return Model(spec, rng.normal(0, 0.5, vae.n_params(spec)).astype(dtype), (2, 3))


def assert_same(model, other):
    assert (other.spec, other.image_shape) == (model.spec, model.image_shape)
    assert other.flat.dtype == model.flat.dtype
    np.testing.assert_array_equal(other.flat, model.flat)
    assert not np.shares_memory(other.flat, model.flat)


def one_line(error):
    return "\n" not in str(error.value)


each_spec = pytest.mark.parametrize(
    "spec", SPECS.values(), ids=[name.replace(" ", "_") for name in SPECS]
)
each_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["float32", "float64"])

UNFIT_PIXELS = [  # for a Bernoulli
    np.full((4, 6), 255, np.uint8),
    np.full((4, 6), 255, np.float32),
    np.full((4, 6), -0.1, np.float32),
    np.full((4, 6), np.nan, np.float32),
]

ONES, NOISE = np.ones((4, 6), np.float32), np.zeros((4, 2), np.float32)
UNFIT_FOR_ANY = {  # x, eps and beta, for a Gaussian too
    "NaN": (ONES * np.nan, NOISE, 1.0),
    "infinity": (ONES * np.inf, NOISE, 1.0),
    "enormous": (ONES * np.float32(1e7), NOISE, 1.0),
    "bytes": (ONES.astype(np.uint8) * 255, NOISE, 1.0),
    "no image": (ONES[:0], NOISE[:0], 1.0),
    "one flat image": (ONES[0], NOISE, 1.0),
    "whole noise": (ONES, NOISE.astype(int), 1.0),
    "noise of others": (ONES, NOISE[:3], 1.0),
    "beta below 0": (ONES, NOISE, -1.0),
    "beta NaN": (ONES, NOISE, float("nan")),
}

SOFTPLUS_AT = np.array([-800, -50, -1, 0, 1e-3, 1, 15, 19, 20.5, 25, 39, 41, 800])

CERTAIN = {  # logit, x: nll, d nll / d logit
    (np.inf, 1): (0, 0),
    (-np.inf, 0): (0, 0),
    (np.inf, 0): (np.inf, 1),
    (-np.inf, 1): (np.inf, -1),
    (np.inf, 0.5): (np.inf, 0.5),
    (0, 1): (np.log(2), -0.5),
    (np.nan, 1): (np.nan, np.nan),
}

"""Architectures, batches and noise that do not fit are refused, in one line."""

import numpy as np
import pytest
from random_models import BATCH, SAMPLES, SPEC, SPECS, by_name, model

from minivae import vae
from minivae.checks import check_batch, check_noise, check_spec
from minivae.errors import MinivaeError


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"latent_dim": 0}, "latent_dim is 0"),
        ({"latent_dim": 2.0}, "latent_dim is 2.0"),
        ({"data_dim": True}, "data_dim is True"),
        ({"hidden": (5, -1)}, "hidden"),
        ({"hidden": [5]}, "hidden"),
        ({"hidden": 5}, "hidden"),
        ({"activation": "none"}, "activation is 'none'; it must be one of"),
        ({"likelihood": "poisson"}, "poisson"),
        ({"free_bits": -0.1}, "free_bits"),
        ({"free_bits": float("nan")}, "free_bits"),
        ({"free_bits": float("inf")}, "free_bits"),
        ({"variance": 0.1}, "bernoulli has none"),
        ({"likelihood": "gaussian", "variance": 0.0}, "above 0"),
        ({"likelihood": "gaussian", "variance": float("nan")}, "above 0"),
    ],
)
def test_a_model_that_cannot_be_built_is_refused(changes, words):
    with pytest.raises(MinivaeError, match=words) as error:
        check_spec(SPEC._replace(**changes))
    assert "\n" not in str(error.value)
    with pytest.raises(MinivaeError, match=words):
        vae.init_params(SPEC._replace(**changes), np.random.default_rng(0))


@pytest.mark.parametrize("spec", SPECS, ids=by_name)
def test_a_model_that_can_be_built_is_not_refused(spec):
    check_spec(spec)


GOOD = np.full((2, 6), 0.5)


@pytest.mark.parametrize(
    ("x", "words"),
    [
        (GOOD[0], r"shape \(6,\)"),
        (GOOD[:, :5], r"takes \(B, 6\)"),
        (GOOD[None], "shape"),
        (GOOD[:0], "empty"),
        (GOOD * np.nan, "NaN"),
        (GOOD * np.inf, "infinite"),
        (GOOD - 0.6, "0 to 1"),
        (np.full((2, 6), 255), "divide 8-bit images by 255"),
        (GOOD + 1j, "complex"),
        (np.full((2, 6), "0"), "real numbers"),
        (np.full((2, 6), None), "real numbers"),
    ],
)
def test_a_batch_that_does_not_fit_is_refused_by_every_function(x, words):
    _, params, _, _ = model()
    eps = np.zeros((SAMPLES, 2, 3))
    with pytest.raises(MinivaeError, match=words) as error:
        check_batch(x, SPEC, np.float64)
    assert "\n" not in str(error.value)
    for function, noise in (
        (vae.elbo, eps[0]),
        (vae.elbo_and_grads, eps[0]),
        (vae.iwae, eps),
        (vae.iwae_and_grads, eps),
        (vae.log_weights, eps),
    ):
        with pytest.raises(MinivaeError, match=words):
            function(params, x, noise, SPEC)


def test_a_batch_that_fits_is_cast_and_not_copied_without_need():
    ready = check_batch(np.ones((2, 6), bool), SPEC, np.float32)
    assert ready.dtype == np.float32
    x = GOOD.astype(np.float32)
    assert check_batch(x, SPEC, np.float32) is x
    negative = check_batch(GOOD - 3, SPEC._replace(likelihood="gaussian"), np.float64)
    assert negative.min() == -2.5


@pytest.mark.parametrize(
    "eps",
    [
        np.zeros((BATCH, 2)),
        np.zeros((BATCH + 1, 3)),
        np.zeros(3),
        np.zeros((2, BATCH, 3)),
        0.0,
        np.zeros((BATCH, 3), int),
        np.full((BATCH, 3), "0"),
    ],
)
def test_noise_of_another_shape_or_type_is_refused(eps):
    with pytest.raises(MinivaeError, match=r"must be float \(4, 3\)") as error:
        check_noise(eps, BATCH, SPEC)
    assert "\n" not in str(error.value)


def test_noise_with_samples_has_one_axis_more():
    good = np.zeros((SAMPLES, BATCH, 3))
    assert check_noise(good, BATCH, SPEC, samples=True).shape == good.shape
    for eps in (np.zeros((BATCH, 3)), np.zeros((0, BATCH, 3))):
        with pytest.raises(MinivaeError, match=r"must be float \(K, 4, 3\)"):
            check_noise(eps, BATCH, SPEC, samples=True)

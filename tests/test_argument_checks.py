"""Arguments that NumPy would refuse in its own words, or accept and misread, get one line."""

import numpy as np
import pytest
from refusals import refusal

from minivae import evaluate, exact, gradcheck, vae

RNG = np.random.default_rng(0)
X = RNG.standard_normal((20, 4))
MODEL = exact.diagnosis()
LINEAR = exact.Linear(np.ones((2, 4)), np.zeros(4), 0.3)
SPEC = vae.Spec(4, (), 2, likelihood="gaussian")
PARAMS = vae.unpack(vae.init_params(SPEC, RNG), SPEC)


@pytest.mark.parametrize("latent", [1.5, "a", True, 0, 4, None])
def test_the_latents_of_a_linear_model_are_a_whole_number_below_the_pixels(latent):
    message = refusal(exact.maximum_likelihood, X, latent)
    assert message == f"latent is {latent!r}; it must be a whole number from 1 to 3"


def test_a_linear_model_needs_two_pixels_or_more():
    assert "x has shape (20, 1)" in refusal(exact.maximum_likelihood, X[:, :1], 1)


@pytest.mark.parametrize("probabilities", [[0.5], [2.0] * 5, [np.nan] * 5, "x", [0.1] * 6, 0.5])
def test_each_disease_has_a_probability_of_its_own(probabilities):
    assert "probabilities" in refusal(exact.independent, MODEL, probabilities)


def test_probabilities_that_fit_are_taken():
    assert exact.independent(MODEL, [0.5] * 5) == pytest.approx(1 / 32)


@pytest.mark.parametrize("q", ["x", [[1.0], [1.0, 2.0]], [1j] * 32], ids=["str", "rows", "complex"])
def test_a_distribution_over_patients_holds_real_numbers(q):
    assert refusal(exact.diagnosis_faces, MODEL, {"cough": 1}, q).startswith("q is ")


@pytest.mark.parametrize("count", [-1, 0, 1.5, "a", True])
@pytest.mark.parametrize(
    "call",
    [
        lambda n: exact.sample_linear(LINEAR, n, RNG),
        lambda n: exact.sample_patients(MODEL, n, RNG),
        lambda n: vae.sample(PARAMS, n, RNG, SPEC),
        lambda n: gradcheck.check_directions(np.sum, np.ones_like, np.arange(3.0), n=n),
        lambda n: exact.train_linear_vae(X, 2, rng=RNG, steps=n),
    ],
    ids=["sample_linear", "sample_patients", "vae.sample", "check_directions", "train_linear_vae"],
)
def test_counts_are_whole_numbers_from_one_up(call, count):
    assert f"is {count!r}; it must be a whole number from 1" in refusal(call, count)


@pytest.mark.parametrize("seed", ["a", -1, 0.5, None])
def test_the_seed_of_an_evaluation_is_a_whole_number(seed):
    message = refusal(lambda: evaluate.evaluate(PARAMS, X, SPEC, samples=5, seed=seed))
    assert message.startswith(f"seed is {seed!r}; it must be a whole number from 0")

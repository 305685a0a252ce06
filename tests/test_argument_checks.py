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


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: exact.independent(MODEL, [0.5, 2, 0.5, 0.5, 0.5]),
            "probabilities holds 2; it must hold probabilities from 0 to 1",
        ),
        (
            lambda: exact.diagnosis_faces(MODEL, {"cough": 1}, [0.5, 0.5]),
            "q has shape (2,); it must hold one probability for each of the 32 patients, summing "
            "to 1",
        ),
        (
            lambda: exact.diagnosis_faces(MODEL, {"cough": 1}, np.full(32, 0.25)),
            "q has a lowest value of 0.25 and a sum of 8; it must hold probabilities summing to 1",
        ),
        (
            lambda: exact.linear_faces(LINEAR, X, np.zeros((20, 2)), np.ones(4)),
            "q's covariance has shape (4,); it must be (L, L) or (N, L, L)",
        ),
        (
            lambda: exact.linear_faces(LINEAR, X, np.zeros((20, 2)), np.full((2, 2), np.nan)),
            "q's covariance holds NaN or infinity; all must be finite",
        ),
        (
            lambda: exact.linear_faces(LINEAR, X, np.zeros((20, 2)), np.diag([1, -2])),
            "q's covariance has a variance of -2 along one axis; every one must be above 0",
        ),
        (
            lambda: exact.linear_faces(LINEAR, X, np.zeros((20, 2)), "S"),
            "q's covariance is 'S'; it must hold real numbers",
        ),
        (
            lambda: exact.maximum_likelihood(X * np.where(X == X[3, 1], np.nan, 1), 1),
            "x holds NaN or infinity in row 3; all must be finite",
        ),
    ],
)
def test_a_message_names_what_is_wrong(call, message):
    assert refusal(call) == message


def test_probabilities_that_fit_are_taken():
    assert exact.independent(MODEL, [0.5] * 5) == pytest.approx(1 / 32)


@pytest.mark.parametrize("q", ["x", [[1.0], [1.0, 2.0]], [1j] * 32], ids=["str", "rows", "complex"])
def test_a_distribution_over_patients_holds_real_numbers(q):
    message = refusal(exact.diagnosis_faces, MODEL, {"cough": 1}, q)
    assert message.startswith(("q is ", "q: not an array"))


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


RNG_TAKERS = {
    "vae.sample": lambda rng: vae.sample(PARAMS, 2, rng, SPEC),
    "elbo_terms": lambda rng: evaluate.elbo_terms(PARAMS, X, SPEC, rng=rng),
    "log_likelihood": lambda rng: evaluate.log_likelihood(PARAMS, X, SPEC, samples=2, rng=rng),
    "importance_bounds": lambda rng: evaluate.importance_bounds(PARAMS, X, SPEC, rng=rng),
    "compare_proposals": lambda rng: evaluate.compare_proposals(
        PARAMS, X, SPEC, samples=2, rng=rng
    ),
    "gaps": lambda rng: evaluate.gaps(PARAMS, X, SPEC, rng=rng),
    "best_q": lambda rng: evaluate.best_q(PARAMS, X, *Q, SPEC, rng=rng),
}
Q = np.zeros((2, 20, 2))


@pytest.mark.parametrize("call", RNG_TAKERS.values(), ids=RNG_TAKERS)
@pytest.mark.parametrize("rng", [0, None, np.random.RandomState(0)], ids=["0", "None", "legacy"])
def test_rng_is_a_numpy_generator(call, rng):
    message = refusal(call, rng)
    assert message.startswith("rng is ")
    assert message.endswith("give a generator, such as np.random.default_rng(0)")


@pytest.mark.parametrize("lr", ["fast", -1, 0, np.nan, None])
def test_the_learning_rate_of_a_search_for_q_is_a_number_above_0(lr):
    expected = f"lr is {lr!r}; it must be a number above 0"
    assert refusal(evaluate.gaps, PARAMS, X, SPEC, rng=RNG, lr=lr) == expected
    assert refusal(evaluate.best_q, PARAMS, X, *Q, SPEC, rng=RNG, lr=lr) == expected


@pytest.mark.parametrize("beta", ["1", -1.0, np.nan, np.inf, None])
@pytest.mark.parametrize("function", [vae.elbo, vae.elbo_and_grads])
def test_beta_is_a_number_of_at_least_0(function, beta):
    message = refusal(function, PARAMS, X, Q[0], SPEC, beta=beta)
    assert message == f"beta is {beta!r}; it must be a number of at least 0"


@pytest.mark.parametrize("function", [vae.decode, vae.mean_image])
@pytest.mark.parametrize(
    "z", [np.zeros((3, 5)), np.zeros(2), np.zeros((0, 2)), np.ones((3, 2)) * 1j, "z", None]
)
def test_latents_are_a_table_with_a_column_for_each(function, z):
    assert "it must hold numbers, (N, 2)" in refusal(function, PARAMS, z, SPEC)


def test_latents_are_decoded_in_their_own_precision():
    """A float64 grid stays one for a float32 model, and NaN stays NaN."""
    z = RNG.standard_normal((3, 2))
    assert vae.decode(PARAMS, z, SPEC).dtype == np.float64
    assert vae.decode(PARAMS, z.astype(np.float32), SPEC).dtype == np.float32
    z[1] = np.nan
    assert np.isnan(vae.decode(PARAMS, z, SPEC)).any(axis=1).tolist() == [False, True, False]


def test_u_is_checked_before_the_model_is_evaluated():
    class Untouched:
        """A backend whose functions must not be called."""

    eps = np.zeros((3, 20, 2))
    for u in (np.full((2, 20), 1.5), np.zeros((2, 19)), "u"):
        assert refusal(vae.iwae_and_grads, PARAMS, X, eps, SPEC, u=u, ops=Untouched())[0] == "u"


@pytest.mark.parametrize(
    ("q", "message"),
    [
        (("mu", "logvar"), "q has shapes () and (); both must be (20, 2)"),
        (Q.astype(np.int32), "q holds int32 and int32; both must be float32 or float64"),
        (Q.astype(str), "q holds <U32 and <U32; both must be float32 or float64"),
        (np.ma.masked_equal(Q, 0), "q's mu: 40 values are masked"),
    ],
    ids=["names", "integers", "strings", "masked"],
)
def test_a_q_that_is_passed_in_holds_floats(q, message):
    found = refusal(evaluate.log_likelihood, PARAMS, X, SPEC, samples=2, rng=RNG, q=(q[0], q[1]))
    assert found.startswith(message)

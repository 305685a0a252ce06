"""What one proposal cannot know of log p(x), and a second one can: a posterior with two modes."""

import math

import numpy as np
import pytest
from trained import small_vae

from minivae import evaluate, exact, vae
from minivae.errors import MinivaeError

SAMPLES = 5000
X = np.array([[1.5]])


@pytest.fixture(scope="module")
def two_modes():
    """x ~ N(|z|, 0.04): for x = 1.5 the posterior has equal modes at 1.44 and -1.44, and the
    encoder's q is exactly the first of them."""
    spec = vae.Spec(1, (2,), 1, "relu", "gaussian", 0.04)
    params = vae.unpack(np.zeros(vae.n_params(spec)), spec)
    params["dec1_W"][:] = [[1, -1]]
    params["out_W"][:] = 1
    precision = 1 + 1 / 0.04
    params["mu_b"][:] = 1.5 / 0.04 / precision
    params["logvar_b"][:] = -math.log(precision)
    return spec, params, exact.quadrature(params, X, spec).log_p


def compare(two_modes, **options):
    spec, params, _ = two_modes
    rng = np.random.default_rng(0)
    return evaluate.compare_proposals(params, X, spec, samples=SAMPLES, rng=rng, **options)


def test_a_missed_mode_cannot_be_seen_from_inside(two_modes):
    """q on one of two equal modes: log p(x) is low by log 2, and no error or ess tells."""
    spec, params, truth = two_modes
    rng = np.random.default_rng(0)
    estimate = evaluate.log_likelihood(params, X, spec, samples=SAMPLES, rng=rng)
    assert estimate.log_p - truth == pytest.approx(-math.log(2), abs=1e-6)
    assert estimate.mc_stderr < 1e-6
    assert estimate.ess == pytest.approx(SAMPLES)


@pytest.mark.parametrize(
    "options",
    [{"width": 10.0}, {"q": (np.zeros((1, 1)), np.zeros((1, 1)))}],
    ids=["ten times as wide", "the prior"],
)
def test_a_second_proposal_finds_the_missed_mode(two_modes, options):
    found = compare(two_modes, **options)
    truth = two_modes[2]
    assert abs(found.second.log_p - truth) < 4 * found.second.mc_stderr < 0.2
    assert found.difference == found.second.log_p - found.first.log_p
    assert found.difference > 10 * found.stderr
    assert found.difference == pytest.approx(math.log(2), abs=4 * found.stderr.item())


def test_the_best_q_from_elsewhere_is_the_other_mode(two_modes):
    """q* started at the mirror image ends on the other mode: equal to the first, and as wrong, so
    that agreement alone is no proof."""
    spec, params, truth = two_modes
    mu, logvar = vae.encode(params, X, spec)
    q = evaluate.best_q(params, X, -mu, logvar, spec, rng=np.random.default_rng(1), steps=200)
    found = compare(two_modes, q=q)
    assert q[0] == pytest.approx(-mu, abs=0.05)
    assert abs(found.difference) < 0.01
    assert found.second.log_p - truth == pytest.approx(-math.log(2), abs=0.01)


def test_estimates_exceed_the_truth_by_t_with_probability_exp_minus_t_at_most(two_modes):
    """Also with few samples from a poor proposal, where the log is far from Gaussian."""
    spec, params, truth = two_modes
    q = np.zeros((4000, 1)), np.full((4000, 1), 3.0)
    x = np.repeat(X, 4000, axis=0)
    rng = np.random.default_rng(2)
    excess = evaluate.log_likelihood(params, x, spec, samples=1, rng=rng, q=q).log_p - truth
    for t in (0.5, 1.0, 2.0):
        assert (excess > t).mean() <= math.exp(-t)
    assert (excess > 0.5).any()


def test_two_proposals_that_reach_everything_agree():
    spec, params, x = small_vae()
    found = evaluate.compare_proposals(
        params, x, spec, samples=1000, rng=np.random.default_rng(0), width=1.5
    )
    score = found.difference / found.stderr
    assert np.abs(score).max() < 4
    assert 0.6 < np.sqrt((score**2).mean()) < 1.5


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"width": 1.0}, "width is 1.0; it must be a number above 1"),
        ({"width": math.nan}, "width is nan"),
        ({"q": (np.zeros((1, 2)), np.zeros((1, 1)))}, r"both must be \(1, 1\)"),
        ({"q": (np.zeros((1, 1)), np.full((1, 1), math.nan))}, "NaN|nan"),
    ],
)
def test_wrong_proposals_are_refused(two_modes, options, message):
    with pytest.raises(MinivaeError, match=message):
        compare(two_modes, **options)

"""Exercises of notebook 02: answers of learners, right in another style or wrong, and edges."""

import json
import math

import numpy as np
import pytest

from minivae import exercises as api
from minivae.exercises.cards import CORRECT, NOT_YET
from minivae.exercises.catalogue import exercises

pytestmark = pytest.mark.usefixtures("progress_file")


def draws_by_log_ratio(x, W, v):
    """E[log p(x|z)] - log p(x), term by term."""
    nats = 0.0
    for x_i, W_i, v_i in zip(x, W, v, strict=True):
        S = 1 / (1 + W_i**2 / v_i)
        m = S * W_i * x_i / v_i
        fit = -0.5 * (np.log(2 * np.pi * v_i) + ((x_i - W_i * m) ** 2 + W_i**2 * S) / v_i)
        nats += fit + 0.5 * (np.log(2 * np.pi * (W_i**2 + v_i)) + x_i**2 / (W_i**2 + v_i))
    return np.exp(nats)


def draws_as_a_product(x, W, v):
    ratio = 1 + W**2 / v
    half = (1 / ratio + (W * x / (W**2 + v)) ** 2 - 1) / 2
    return float(np.prod(np.sqrt(ratio) * np.exp(half)))


def draws_by_matrices(x, W, v):
    S = np.linalg.inv(np.eye(len(x)) + np.diag(W**2 / v))
    m = S @ (W * x / v)
    return float(np.exp(0.5 * (np.trace(S) + m @ m - len(x) - np.linalg.slogdet(S)[1])))


def bug_by_the_joint(q, prior, likelihood):
    return (q * (np.log(prior * likelihood) - np.log(q))).sum(axis=1).mean()


def bug_by_loops(q, prior, likelihood):
    elbos = [
        sum(q_z * np.log(l_z * p_z / q_z) for q_z, p_z, l_z in zip(q_n, prior, l_n, strict=True))
        for q_n, l_n in zip(q, likelihood, strict=True)
    ]
    return float(np.mean(elbos))


def bug_by_the_posterior(q, prior, likelihood):
    joint = prior * likelihood
    px = joint.sum(axis=1, keepdims=True)
    gap = np.einsum("nz,nz->n", q, np.log(q / (joint / px)))
    return (np.log(px[:, 0]) - gap).mean()


def best_by_derivatives(log_joint, z):
    """Sweeps backwards, from the odds p / (1 - p) and not from 1/2 of each factor's product."""
    p = np.full(z.shape[1], 0.3)
    for _ in range(500):
        for i in reversed(range(len(p))):
            other = np.prod(np.where(z == 1, p, 1 - p)[:, np.arange(len(p)) != i], axis=1)
            p[i] = 1 / (1 + np.exp(-np.sum(other * log_joint * (2 * z[:, i] - 1))))
    return p


def counts_by_quadrature(x, mu, logvar, a, c):
    """E_q[log p(x, z) - log q(z)] at Gauss and Hermite's points; x! as a product."""
    eps, weights = np.polynomial.hermite_e.hermegauss(60)
    sigma = np.exp(logvar / 2)
    z = mu + sigma * eps
    log_factorial = np.log(np.arange(1, x + 1)).sum()
    fit = x * (a * z + c) - np.exp(a * z + c) - log_factorial
    log_w = fit - z**2 / 2 + eps**2 / 2 + logvar / 2
    return weights @ log_w / weights.sum()


def counts_by_three_parts(x, mu, logvar, a, c):
    var = np.exp(logvar)
    fit = x * a * mu + x * c - np.exp(c) * np.exp(a * (mu + a * var / 2)) - math.lgamma(x + 1)
    of_z = -0.5 * (np.log(2 * np.pi) + mu**2 + var)
    return fit + of_z + 0.5 * (np.log(2 * np.pi * var) + 1)


RIGHT = (
    ("02.counts", counts_by_quadrature),
    ("02.counts", counts_by_three_parts),
    ("02.draws", draws_by_log_ratio),
    ("02.draws", draws_as_a_product),
    ("02.draws", draws_by_matrices),
    ("02.batch-bug", bug_by_the_joint),
    ("02.batch-bug", bug_by_loops),
    ("02.batch-bug", bug_by_the_posterior),
    ("02.best-independent", best_by_derivatives),
    ("02.best-independent", lambda log_joint, z: best_by_derivatives(log_joint, z).tolist()),
    ("02.best-independent", lambda log_joint, z: tuple(best_by_derivatives(log_joint, z))),
    ("02.rise-and-fall", [(1, 0), (0.2, 0.9), (0.3, 0.1)]),  # a q that is zero at one z
    ("02.rise-and-fall", np.array([[0.0, 1.0], [0.9, 0.1], [0.2, 0.4]])),
)


@pytest.mark.parametrize(("id", "answer"), RIGHT)
def test_right_answers_of_other_kinds_pass(id, answer):
    assert api.check(id, answer).status == CORRECT


def draws_under_the_prior(x, W, v):
    fit = ((x**2 + W**2) / v + np.log(v)).sum()
    return float(np.exp(0.5 * ((x**2 / (W**2 + v) + np.log(W**2 + v)).sum() - fit)))


def draws_of_the_first_latent(x, W, v):
    return draws_as_a_product(x[:1], W[:1], v[:1])


def draws_with_one_noise(x, W, v):
    return draws_as_a_product(x, W, np.full_like(v, v.mean()))


def bug_over_z_only(q, prior, likelihood):
    return (q * np.log(likelihood)).sum(axis=1) - (q * np.log(q / prior)).sum(axis=1)


def bug_with_the_mean_prior(q, prior, likelihood):
    q_mean = q.mean(axis=0)
    fit = (q * np.log(likelihood)).sum(axis=1).mean()
    return fit - (q * np.log(q / q_mean)).sum(axis=1).mean()


def counts_by_draws(x, mu, logvar, a, c):
    z = mu + np.exp(logvar / 2) * np.random.default_rng(0).standard_normal(1000)
    fit = x * (a * z + c) - np.exp(a * z + c) - math.lgamma(x + 1)
    return fit.mean() - 0.5 * (mu**2 + np.exp(logvar) - 1 - logvar)


WRONG = (
    ("02.counts", counts_by_draws, "yours"),
    ("02.draws", draws_under_the_prior, "yours"),
    ("02.draws", draws_of_the_first_latent, "yours"),
    ("02.draws", draws_with_one_noise, "yours"),
    ("02.batch-bug", bug_over_z_only, "yours"),
    ("02.batch-bug", bug_with_the_mean_prior, "yours"),
    ("02.rise-and-fall", [(1.2, -0.2), (0.9, 0.1), (0.2, 0.4)], "two probabilities"),
    ("02.rise-and-fall", [(0, 1), (0.9, 0.1), (0.2, 0.05)], "does not rise"),
    ("02.rise-and-fall", [(0, 1), (0.9, 0.1), (0.9, 0.4)], "does not fall"),
)


@pytest.mark.parametrize(("id", "answer", "said"), WRONG)
def test_wrong_answers_on_no_list_are_told_apart(id, answer, said):
    verdict = api.check(id, answer)
    assert verdict.status == NOT_YET
    assert verdict.mistake is None
    assert said in verdict.body


def test_moving_all_probabilities_at_once_is_recognised():
    """On weakly coupled tables it reaches the same optimum, so one table must couple strongly."""
    [mistake] = [m for m in exercises()["02.best-independent"].mistakes if m.name == "all-at-once"]
    assert api.check("02.best-independent", mistake.wrong).mistake == "all-at-once"
    *weak, strong = exercises()["02.best-independent"].cases()
    right = exercises()["02.best-independent"].reference
    for case in weak:
        np.testing.assert_allclose(mistake.wrong(*case), right(*case), rtol=0, atol=1e-6)
    assert abs(mistake.wrong(*strong) - right(*strong)).max() > 0.3


def test_the_handed_out_bug_is_right_for_one_x_and_may_exceed_log_px():
    bug = exercises()["02.batch-bug"]
    prior, likelihood = np.array([0.5, 0.5]), np.array([[0.9, 0.01], [0.01, 0.9]])
    posterior = likelihood * prior / (likelihood @ prior)[:, None]
    one = (posterior[:1], prior, likelihood[:1])
    assert bug.given(*one) == pytest.approx(bug.reference(*one), rel=1e-12)
    log_px = np.log(likelihood @ prior).mean()
    assert bug.reference(posterior, prior, likelihood) == pytest.approx(log_px, rel=1e-12)
    assert bug.given(posterior, prior, likelihood) > log_px + 0.5


def test_progress_with_exercises_that_are_no_longer_there_is_read(progress_file):
    gone = ("02.bug", "02.two-qs", "02.weight-variance", "02.sharing")
    entries = {id: {"fails": 1, "passed": "2025-11-30"} for id in gone}
    answers = {"02.which-misses": "one", "02.elbo-up": "always"}
    saved = {"version": 1, "exercises": entries, "answers": answers, "review": {}}
    progress_file.write_text(json.dumps(saved))
    assert api.summary()["done"] == 0
    assert "0 of" in api.report()
    reference = exercises()["02.draws"].reference
    assert api.check("02.draws", reference).status == CORRECT
    assert set(gone) < set(json.loads(progress_file.read_text())["exercises"])

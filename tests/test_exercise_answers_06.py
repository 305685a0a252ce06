"""Exercises of notebook 06: right answers in other styles pass, wrong ones get a true sentence."""

import random
import sys

import numpy as np
import pytest
from numpy.random import default_rng

from minivae.exercises.cards import CORRECT, NOT_YET
from minivae.exercises.catalogue import exercises
from minivae.exercises.chapters.nb06.search import search_q
from minivae.exercises.chapters.nb06.transfer import best_gaussian
from minivae.exercises.grading import grade
from minivae.gradcheck.differences import central_differences

pytestmark = pytest.mark.usefixtures("progress_file")
RNG = np.random.default_rng(8)
MU, LOGVAR = np.array([[0.8, -1.2], [0.3, 2.0]]), np.array([[-1.1, 0.6], [0.9, -0.4]])


# ---- 06.kl-test ----------------------------------------------------------------------------------


def within(kl, eps, bars):
    """Whether kl is within that many standard errors of the average over these draws."""
    z = MU + np.exp(LOGVAR / 2) * eps
    each = (z**2 - eps**2 - LOGVAR) / 2
    value = kl(MU, LOGVAR)
    if np.shape(value) != MU.shape:
        return False
    bar = bars * each.std(axis=0) / np.sqrt(len(each))
    return bool((abs(value - each.mean(axis=0)) <= bar).all())


def a_generator_of_its_own(kl):
    return within(kl, np.random.default_rng(1).normal(size=(50_000, 2, 2)), 5)


def imported_by_name(kl):
    return within(kl, default_rng(1).normal(size=(50_000, 2, 2)), 5)


def from_around(kl):
    return within(kl, RNG.normal(size=(50_000, 2, 2)), 5)


def the_old_way(kl):
    np.random.seed(0)  # noqa: NPY002
    return within(kl, np.random.randn(50_000, 2, 2), 5)  # noqa: NPY002


def an_old_generator(kl):
    return within(kl, np.random.RandomState(3).randn(50_000, 2, 2), 5)


def one_by_one(kl):
    eps = np.array([random.gauss(0, 1) for _ in range(80_000)]).reshape(-1, 2, 2)
    return within(kl, eps, 5)


@pytest.mark.parametrize(
    "answer",
    [a_generator_of_its_own, imported_by_name, from_around, the_old_way, an_old_generator],
)
def test_a_test_of_the_kl_may_draw_in_any_way(answer):
    verdict = grade(exercises()["06.kl-test"], answer)
    assert verdict.status == CORRECT, verdict.body


def test_draws_of_pythons_own_are_draws():
    random.seed(5)
    verdict = grade(exercises()["06.kl-test"], one_by_one)
    assert verdict.status == CORRECT, verdict.body


KL_WRONG = {
    "no draws": (
        lambda kl: bool(np.allclose(kl(MU, LOGVAR), (MU**2 + np.exp(LOGVAR) - 1 - LOGVAR) / 2)),
        "it accepts without a draw",
    ),
    "two and a half": (
        lambda kl: within(kl, np.random.default_rng(1).normal(size=(50_000, 2, 2)), 2.5),
        "it accepts with some draws, refuses with others",
    ),
    "imported, two": (
        lambda kl: within(kl, default_rng(1).normal(size=(50_000, 2, 2)), 2),
        "it accepts with some draws, refuses with others",
    ),
    "old generator, two": (
        lambda kl: within(kl, np.random.RandomState(1).randn(50_000, 2, 2), 2),
        "it accepts with some draws, refuses with others",
    ),
    "nothing returned": (lambda kl: None, "it returns None, and neither True nor False"),
    "a number": (lambda kl: 1.0, "it returns a single number, and neither True nor False"),
    "always yes": (lambda kl: bool(RNG.normal() < 99), "it accepts"),
}


@pytest.mark.parametrize("kind", KL_WRONG)
def test_a_flawed_test_of_the_kl_is_told_what_it_does(kind):
    answer, said = KL_WRONG[kind]
    verdict = grade(exercises()["06.kl-test"], answer)
    assert verdict.status == NOT_YET
    assert said in verdict.body


def test_numpy_and_the_readers_names_are_as_before():
    before = np.random.default_rng, np.random.RandomState, np.random.seed
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    grade(exercises()["06.kl-test"], the_old_way)
    grade(exercises()["06.kl-test"], imported_by_name)
    assert before == (np.random.default_rng, np.random.RandomState, np.random.seed)
    assert sys.modules[__name__].default_rng is np.random.default_rng
    assert (np.random.get_state()[1] == state).all()  # noqa: NPY002


# ---- 06.search-q ---------------------------------------------------------------------------------


def _own_noise(nll_and_dz, eps):
    other = np.random.default_rng(3).normal(size=(len(eps) * 20, eps.shape[1]))
    return search_q(nll_and_dz, other)


def _covariance(nll_and_dz, eps):
    mu, root = search_q(nll_and_dz, eps)
    return mu, root @ root.T


def _turned(nll_and_dz, eps):
    mu, root = search_q(nll_and_dz, eps)
    return mu, root.T


def _descended(steps, lr, log=1):
    """A descent by the right gradient, but for the log in the KL, which counts `log` times."""

    def descent(nll_and_dz, eps):
        mu, root = np.zeros(eps.shape[1]), np.eye(eps.shape[1])
        for _ in range(steps):
            dz = nll_and_dz(mu + eps @ root.T)[1]
            droot = np.tril(dz.T @ eps / len(eps) + root) - log * np.diag(1 / np.diag(root))
            mu, root = mu - lr * (dz.mean(axis=0) + mu), root - lr * droot
        return mu, root

    return descent


SEARCH_WRONG = {
    "covariance": (_covariance, "looks like the covariance"),
    "upper triangular": (_turned, "must be lower triangular"),
    "negative": (lambda f, eps: (search_q(f, eps)[0], -search_q(f, eps)[1]), "positive diagonal"),
    "logvar": (
        lambda f, eps: (search_q(f, eps)[0], 2 * np.log(np.diag(search_q(f, eps)[1]))),
        "instead of",
    ),
    "not a number": (
        lambda f, eps: (search_q(f, eps)[0] * np.nan, search_q(f, eps)[1]),
        "not all numbers are finite",
    ),
    "own noise": (_own_noise, "or with other `eps`, or with a wrong term"),
    "log twice": (_descended(3000, 0.02, 2), "or with a wrong term?"),
    "stopped": (_descended(100, 0.01), "is not 0 there: unfinished"),
}


@pytest.mark.parametrize("kind", SEARCH_WRONG)
def test_a_search_is_told_how_its_result_reads(kind):
    answer, said = SEARCH_WRONG[kind]
    verdict = grade(exercises()["06.search-q"], answer)
    assert verdict.status == NOT_YET
    assert said in verdict.body


def test_a_search_with_its_log_doubled_is_recognised_whatever_its_steps():
    verdict = grade(exercises()["06.search-q"], _descended(3000, 0.02, 2))
    assert verdict.mistake == "log-twice"


@pytest.mark.parametrize("steps", [50, 100, 150, 200])
def test_an_unfinished_search_is_not_told_to_return_something_else(steps):
    body = grade(exercises()["06.search-q"], _descended(steps, 0.01)).body
    assert "looks like" not in body


def _like_adam(nll_and_dz, eps):
    """Steps divided by the spread of the gradients so far, as Adam's are."""
    L = eps.shape[1]
    q, m, v = np.concatenate([np.zeros(L), np.eye(L).ravel()]), 0, 0
    for step in range(1, 1501):
        mu, root = q[:L], q[L:].reshape(L, L)
        dz = nll_and_dz(mu + eps @ root.T)[1]
        droot = np.tril(dz.T @ eps / len(eps) + root) - np.diag(1 / np.diag(root))
        g = np.concatenate([dz.mean(0) + mu, droot.ravel()])
        m, v = 0.9 * m + 0.1 * g, 0.99 * v + 0.01 * g**2
        ahead = m / (1 - 0.9**step) / (np.sqrt(v / (1 - 0.99**step)) + 1e-12)
        q = q - 0.05 * (1 - step / 1501) * ahead
    return q[:L], q[L:].reshape(L, L)


def _with_logs_on_the_diagonal(nll_and_dz, eps):
    L = eps.shape[1]
    mu, below, logs = np.zeros(L), np.zeros((L, L)), np.zeros(L)
    for _ in range(3000):
        root = below + np.diag(np.exp(logs))
        dz = nll_and_dz(mu + eps @ root.T)[1]
        slope = np.einsum("ki,kj->ij", dz, eps) / len(eps) + root
        mu = mu - 0.02 * (dz.mean(0) + mu)
        logs = logs - 0.02 * (np.diag(slope) * np.exp(logs) - 1)
        below = below - 0.02 * np.tril(slope, -1)
    return [list(mu), (below + np.diag(np.exp(logs))).tolist()]


@pytest.mark.parametrize("answer", [_like_adam, _with_logs_on_the_diagonal])
def test_another_search_passes(answer):
    verdict = grade(exercises()["06.search-q"], answer)
    assert verdict.status == CORRECT, verdict.body


# ---- 06.elbo-and-grads ---------------------------------------------------------------------------


def test_the_gradient_with_a_learned_prior_agrees_with_differences():
    exercise = exercises()["06.elbo-and-grads"]
    for params, x, eps in exercise.cases():
        _, grads = exercise.reference(params, x, eps)
        assert set(grads) == set(params)
        for name, block in params.items():

            def at(flat, name=name, block=block, params=params, x=x, eps=eps):
                return exercise.reference(params | {name: flat.reshape(block.shape)}, x, eps)[0]

            numeric = central_differences(at, block.ravel())
            np.testing.assert_allclose(grads[name].ravel(), numeric, rtol=1e-6, atol=1e-8)


# ---- 06.gaps -------------------------------------------------------------------------------------


def _elbo_of_linear(W, b, s, x, mu, cov):
    """E_q log p(x, z) + entropy, nats, of one image."""
    (L, D), residual = W.shape, x - b - mu @ W
    square = residual @ residual + np.trace(W.T @ cov @ W)
    nll = square / s**2 / 2 + D * np.log(2 * np.pi * s**2) / 2
    return -nll - (mu @ mu + np.trace(cov) - L - np.linalg.slogdet(cov)[1]) / 2


def _gaps_by_elbos(W, b, s, x, mu, logvar):
    """From log p(x) and two ELBOs, image by image."""
    marginal = W.T @ W + s**2 * np.eye(len(b))
    best_mu, best_logvar = best_gaussian(x, W, b, s)
    gaps = []
    for i in range(len(x)):
        away = x[i] - b
        log_p = -away @ np.linalg.solve(marginal, away) / 2
        log_p -= np.linalg.slogdet(2 * np.pi * marginal)[1] / 2
        own, best = (
            _elbo_of_linear(W, b, s, x[i], m[i], np.diag(np.exp(v[i])))
            for m, v in ((mu, logvar), (best_mu, best_logvar))
        )
        gaps.append((best - own, log_p - best))
    return tuple(np.array(gaps).T)


def test_gaps_may_come_from_log_p_and_two_elbos():
    verdict = grade(exercises()["06.gaps"], _gaps_by_elbos)
    assert verdict.status == CORRECT, verdict.body


# ---- right values in lists -----------------------------------------------------------------------


def test_right_values_in_lists_are_only_to_be_converted():
    exercise = exercises()["06.best-q"]
    verdict = grade(exercise, lambda *args: [a.tolist() for a in exercise.reference(*args)])
    assert verdict.status == NOT_YET
    assert "logvar: to be converted as well" in verdict.body
    assert "also wrong" not in verdict.body


# ---- the words -----------------------------------------------------------------------------------

JUDGED = (
    ("06.which-inference", list(exercises()["06.which-inference"].reference), CORRECT, ""),
    ("06.which-inference", np.array(["both"] * 5), NOT_YET, "not all 5 are right"),
    ("06.which-inference", {"both"}, NOT_YET, "expected a list of 5 words"),
    ("06.which-inference", ["both"] * 4, NOT_YET, "expected a list of 5 words"),
    ("06.which-inference", ["both"] * 5, NOT_YET, "not all 5 are right"),
    ("06.which-inference", ["Both", *["neither"] * 4], NOT_YET, "is not one of"),
    ("06.loss", list(exercises()["06.loss"].reference), CORRECT, ""),
    ("06.loss", ["beta"] * 6, NOT_YET, "not all 6 are right"),
    ("06.loss", ["B * beta"] * 6, NOT_YET, "is not one of"),
    ("06.next-question", ["none"] * 4, NOT_YET, "not all 4 are right"),
    ("06.next-question", ["beta=0", *["none"] * 3], NOT_YET, "is not one of"),
    ("06.next-question", "none", NOT_YET, "expected a list of 4 words"),
    ("06.name-the-bug", dict(zip("ABCD", ["KL-sign"] * 4, strict=True)), NOT_YET, "A, B, C"),
    ("06.name-the-bug", ["kl-sign"] * 4, NOT_YET, "is not one of"),
)


@pytest.mark.parametrize(("id", "answer", "status", "said"), JUDGED)
def test_answers_in_words(id, answer, status, said):
    verdict = grade(exercises()[id], answer)
    assert verdict.status == status
    assert said in verdict.body

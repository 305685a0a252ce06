"""Exercises of notebook 06: right answers in other styles pass, wrong ones get a true sentence."""

import random
import sys

import numpy as np
import pytest
from numpy.random import default_rng

from minivae.exercises.cards import CORRECT, NOT_YET
from minivae.exercises.catalogue import exercises
from minivae.exercises.chapters.nb06.search import search_q
from minivae.exercises.grading import grade

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


def _sigma(nll_and_dz, eps):
    mu, logvar = search_q(nll_and_dz, eps)
    return mu, np.exp(logvar / 2)


def _own_noise(nll_and_dz, eps):
    other = np.random.default_rng(3).normal(size=(len(eps) * 20, eps.shape[1]))
    return search_q(nll_and_dz, other)


def _descended(steps, lr, kl=1):
    """A descent by the right gradient, but for the KL's term of dlogvar, which is kl times it."""

    def descent(nll_and_dz, eps):
        mu, logvar = np.zeros(eps.shape[1]), np.zeros(eps.shape[1])
        for _ in range(steps):
            sigma = np.exp(logvar / 2)
            dz = nll_and_dz(mu + sigma * eps)[1]
            dlogvar = (dz * eps).mean(axis=0) * sigma / 2 + kl * (sigma**2 - 1) / 2
            mu, logvar = mu - lr * (dz.mean(axis=0) + mu), logvar - lr * dlogvar
        return mu, logvar

    return descent


SEARCH_WRONG = {
    "sigma": (_sigma, "looks like sigma: return logvar"),
    "sigma squared": (
        lambda f, eps: (search_q(f, eps)[0], np.exp(search_q(f, eps)[1])),
        "looks like sigma^2",
    ),
    "log sigma": (
        lambda f, eps: (search_q(f, eps)[0], search_q(f, eps)[1] / 2),
        "looks like log sigma",
    ),
    "swapped": (lambda f, eps: search_q(f, eps)[::-1], "look swapped"),
    "own noise": (_own_noise, "or with other `eps`, or with a wrong term"),
    "KL's half lost": (_descended(2000, 0.02, 2), "or with a wrong term?"),
    "stopped": (_descended(100, 0.01), "is not 0 there: unfinished"),
}


@pytest.mark.parametrize("kind", SEARCH_WRONG)
def test_a_search_is_told_how_its_result_reads(kind):
    answer, said = SEARCH_WRONG[kind]
    verdict = grade(exercises()["06.search-q"], answer)
    assert verdict.status == NOT_YET
    assert said in verdict.body


def test_a_search_with_its_kl_half_lost_is_recognised_whatever_its_steps():
    verdict = grade(exercises()["06.search-q"], _descended(2000, 0.02, 2))
    assert verdict.mistake == "kl-half-lost"


@pytest.mark.parametrize("steps", [50, 100, 150, 200])
def test_an_unfinished_search_is_not_told_to_return_something_else(steps):
    body = grade(exercises()["06.search-q"], _descended(steps, 0.01)).body
    assert "looks like" not in body
    assert "swapped" not in body


def _by_newton(nll_and_dz, eps):
    """Steps divided by the spread of the gradients so far, as Adam's are."""
    L = eps.shape[1]
    q, m, v = np.zeros(2 * L), 0, 0
    for step in range(1, 1501):
        mu, logvar = q[:L], q[L:]
        sigma = np.exp(logvar / 2)
        dz = nll_and_dz(mu + sigma * eps)[1]
        g = np.append(dz.mean(0) + mu, (dz * eps).mean(0) * sigma / 2 + (sigma**2 - 1) / 2)
        m, v = 0.9 * m + 0.1 * g, 0.99 * v + 0.01 * g**2
        q = q - 0.05 * (1 - step / 1501) * m / (1 - 0.9**step) / np.sqrt(v / (1 - 0.99**step))
    return q[:L], q[L:]


def _in_log_sigma(nll_and_dz, eps):
    mu, log_sigma = np.zeros(eps.shape[1]), np.zeros(eps.shape[1])
    for _ in range(3000):
        sigma = np.exp(log_sigma)
        dz = nll_and_dz(mu + sigma * eps)[1]
        mu = mu - 0.01 * (dz.mean(0) + mu)
        log_sigma = log_sigma - 0.01 * (np.einsum("kl,kl->l", dz, eps) / len(eps) * sigma)
        log_sigma = log_sigma - 0.01 * (sigma**2 - 1)
    return [list(mu), list(2 * log_sigma)]


@pytest.mark.parametrize("answer", [_by_newton, _in_log_sigma])
def test_another_search_passes(answer):
    verdict = grade(exercises()["06.search-q"], answer)
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
    ("06.which-inference", np.array(["both"] * 5), NOT_YET, "expected a list of 5 words"),
    ("06.which-inference", ["both"] * 4, NOT_YET, "expected a list of 5 words"),
    ("06.which-inference", ["both"] * 5, NOT_YET, "not all 5 are right"),
    ("06.which-inference", ["Both", *["neither"] * 4], NOT_YET, "is not one of"),
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

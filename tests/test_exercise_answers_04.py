"""Answers to notebook 04's exercises that no list holds: right ones pass, wrong ones do not."""

import numpy as np
import pytest

from minivae import exact
from minivae.exercises.cards import CORRECT, NOT_YET
from minivae.exercises.chapters.nb04.allowed import ALLOWED
from minivae.exercises.chapters.nb04.ends import ENDS
from minivae.exercises.chapters.nb04.factor import FACTOR, scatter_factor
from minivae.exercises.chapters.nb04.same_cat import SAME_CAT, same_cat
from minivae.exercises.chapters.nb04.winners import WINNERS
from minivae.exercises.grading import grade
from minivae.exercises.words import changed


def factor_by_least_squares(a, b, mu, sigma):
    """The best constant as a regression on eps, over Gauss and Hermite's points."""
    eps, weight = np.polynomial.hermite_e.hermegauss(12)
    root, z = np.sqrt(weight / weight.sum()), mu + sigma * eps
    products, scores = (a * z + b * z**2 / 2) * eps / sigma, eps / sigma
    constant = np.linalg.lstsq((root * scores)[:, None], root * products, rcond=None)[0][0]
    left = products - constant * scores
    slope = a + b * z
    return np.sqrt(root**2 @ (left - root**2 @ left) ** 2 / (root**2 @ (slope - a - b * mu) ** 2))


def same_cat_by_posterior(x1, x2, W, b, variance):
    """log p(x2 | x1) - log p(x2): the posterior of x1 is the prior for x2."""
    S = np.linalg.inv(np.eye(len(W)) + W @ W.T / variance)
    mean = b + (x1 - b) @ W.T @ S / variance @ W
    noise = variance * np.eye(len(b))

    def log_normal(away, C):
        sign_and_log = np.linalg.slogdet(C)
        return -(away @ np.linalg.solve(C, away) + sign_and_log[1] + len(b) * np.log(2 * np.pi)) / 2

    return log_normal(x2 - mean, W.T @ S @ W + noise) - log_normal(x2 - b, W.T @ W + noise)


def by_the_package(x1, x2, W, b, s2):
    """By the package's evidence of a model with twice as many pixels."""
    wide = exact.Linear(np.hstack([W, W]), np.concatenate([b, b]), s2)
    both = exact.linear_log_evidence(wide, np.concatenate([x1, x2])[None])[0]
    return both - exact.linear_log_evidence(exact.Linear(W, b, s2), np.stack([x1, x2])).sum()


RIGHT_ANSWERS = (
    (FACTOR, factor_by_least_squares),
    (FACTOR, lambda a, b, mu, sigma: (1.5 + 2 * (a / b + mu) ** 2 / sigma**2) ** 0.5),
    (
        FACTOR,
        lambda a, b, mu, sigma: float(
            np.hypot(np.sqrt(1.5), np.sqrt(2) * (a + b * mu) / (b * sigma))
        ),
    ),
    (WINNERS, tuple(WINNERS.reference)),
    (WINNERS, ["rule", *WINNERS.reference[1:]]),
    (
        WINNERS,
        "rule,pathwise,score function,rule,pathwise,score function,score function".split(","),
    ),
    (ENDS, tuple(ENDS.reference)),
    (ENDS, "above below at at above at at below".split()),
    (ENDS, [{1: "above", 0: "at", -1: "below"}[i] for i in (1, -1, 0, 0, 1, 0, 0, -1)]),
    (SAME_CAT, same_cat_by_posterior),
    (SAME_CAT, by_the_package),
    (SAME_CAT, lambda x1, x2, W, b, s2: same_cat_by_posterior(x2, x1, W, b, s2)),
)


@pytest.mark.parametrize(("exercise", "answer"), RIGHT_ANSWERS)
def test_right_answers_in_another_style_are_accepted(exercise, answer):
    assert grade(exercise, answer).status == CORRECT


WRONG_ANSWERS = (
    (FACTOR, lambda a, b, mu, sigma: np.sqrt(1.5)),
    (FACTOR, lambda a, b, mu, sigma: scatter_factor(a, b, mu, sigma**2)),
    (FACTOR, lambda a, b, mu, sigma: scatter_factor(a, 2 * b, mu, sigma)),
    (FACTOR, lambda a, b, mu, sigma: scatter_factor(a, b, mu, sigma) / sigma),
    (FACTOR, lambda a, b, mu, sigma: max(1.5, scatter_factor(a, b, mu, sigma))),
    (WINNERS, ["pathwise"] * 7),
    (WINNERS, ["rule"] * 7),
    (WINNERS, "rule score function".split()),
    (WINNERS, changed(WINNERS.reference, {6: "pathwise"})),
    (WINNERS, [word.title() for word in WINNERS.reference]),
    (ENDS, ["at"] * 8),
    (ENDS, ["above"] * 8),
    (ENDS, ENDS.reference[:7]),
    (ENDS, changed(ENDS.reference, {7: "above"})),
    (ENDS, changed(ENDS.reference, {8: "at"})),
    (SAME_CAT, lambda x1, x2, W, b, s2: same_cat(x1, x2, W, 0 * b, s2)),
    (SAME_CAT, lambda x1, x2, W, b, s2: same_cat(x1, x2, W, b, np.sqrt(s2))),
    (SAME_CAT, lambda x1, x2, W, b, s2: same_cat(x1, x1, W, b, s2)),
    (SAME_CAT, lambda x1, x2, W, b, s2: same_cat(x1, x2, W, b, s2) / len(b)),
    (SAME_CAT, lambda x1, x2, W, b, s2: same_cat(x1, x2, W, b, s2) / np.log(2)),
)


@pytest.mark.parametrize(("exercise", "answer"), WRONG_ANSWERS)
def test_wrong_answers_that_no_list_holds_are_refused(exercise, answer):
    assert grade(exercise, answer).status == NOT_YET


SINGLE_SLIPS = ((1, "score function"), (3, "both"), (4, "score function"), (5, "both"))


@pytest.mark.parametrize(("number", "word"), SINGLE_SLIPS)
def test_a_single_slip_about_a_kink_or_an_edge_is_known(number, word):
    slip = changed(ALLOWED.reference, {number: word})
    assert slip in [mistake.wrong for mistake in ALLOWED.mistakes]

"""Exercises of notebook 01: right answers of other kinds, wrong ones on no list."""

import json
import math
import random
from itertools import product

import numpy as np
import pytest

from minivae import exercises as api
from minivae.exercises.cards import CORRECT, NOT_ATTEMPTED, NOT_YET
from minivae.exercises.catalogue import exercises
from minivae.exercises.chapters.nb01.forwards import exact_shares

pytestmark = pytest.mark.usefixtures("progress_file")


def patients_one_by_one(prior, cause, leak, n, seed):
    draw = random.Random(seed).random
    symptoms = []
    for _ in range(n):
        ill = [i for i in range(len(prior)) if draw() < prior[i]]
        symptoms.append(
            [draw() < leak[j] or any(draw() < cause[i, j] for i in ill) for j in range(len(leak))]
        )
    return symptoms


def patients_by_the_formula(prior, cause, leak, n, seed):
    coins = np.random.default_rng(seed)
    ill = coins.random((n, len(prior))) < prior
    absent = (1 - leak) * np.exp(ill @ np.log1p(-cause))
    return (coins.random((n, len(leak))) >= absent).astype(np.float32)


def patients_by_a_table(prior, cause, leak, n, seed):
    """z by its number, then each symptom from its own row."""
    coins = np.random.default_rng(seed)
    z = np.array(list(product((0, 1), repeat=len(prior))))
    number = coins.choice(len(z), n, p=np.where(z, prior, 1 - prior).prod(axis=1))
    present = 1 - (1 - leak) * np.prod(1 - z[:, :, None] * cause, axis=1)
    return coins.binomial(1, present[number])


def explained_by_loops(x, drawn):
    p_x, posterior = np.zeros(len(x)), np.full((len(x), len(drawn)), np.nan)
    for n in range(len(x)):
        hits = np.array([list(x[n]) == list(g) for g in drawn])
        p_x[n] = hits.mean()
        if hits.any():
            posterior[n] = hits / hits.sum()
    return p_x, posterior


def explained_by_distance(x, drawn):
    same = ((x[:, None] - drawn) ** 2).sum(axis=2) == 0
    p_x = same.sum(axis=1) / len(drawn)
    return p_x, np.where(p_x[:, None] > 0, same / np.maximum(same.sum(axis=1), 1)[:, None], np.nan)


def explained_by_products(x, drawn):
    same = (x @ drawn.T + (1 - x) @ (1 - drawn).T) == x.shape[1]
    p_x = same @ np.full(len(drawn), 1 / len(drawn))
    posterior = np.full(same.shape, np.nan)
    posterior[p_x > 0] = same[p_x > 0] / len(drawn) / p_x[p_x > 0, None]
    return p_x, posterior


def scores_by_loops(p, q):
    mean = variance = 0.0
    for chance, other in zip(p, q, strict=True):
        white, black = math.log(other), math.log1p(-other)
        here = chance * white + (1 - chance) * black
        mean += here
        variance += chance * (white - here) ** 2 + (1 - chance) * (black - here) ** 2
    return mean, math.sqrt(variance)


def scores_by_a_table(p, q):
    chances, logs = np.stack([p, 1 - p]), np.log([q, 1 - q])
    mean = (chances * logs).sum(axis=0)
    return mean.sum(), ((chances * logs**2).sum(axis=0) - mean**2).sum() ** 0.5


def scores_by_products(p, q):
    mean = np.dot(p, np.log(q)) + np.dot(1 - p, np.log1p(-q))
    return mean, np.linalg.norm(np.sqrt(p * (1 - p)) * np.log(q / (1 - q)))


def pairs_by_loops(prior, likelihood):
    Z, X = likelihood.shape
    return [
        [
            sum(prior[z] * likelihood[z, x] * likelihood[z, other] for z in range(Z))
            for other in range(X)
        ]
        for x in range(X)
    ]


def explained_in_lists(x, drawn):
    p_x, posterior = explained_by_loops(x, drawn)
    return p_x.tolist(), posterior.tolist()


def sampled_by_searching(prior, likelihood, u):
    z = np.searchsorted(np.cumsum(prior)[:-1], u[:, 0], side="right")
    return z, np.array(
        [
            np.searchsorted(np.cumsum(likelihood[k])[:-1], v, side="right")
            for k, v in zip(z, u[:, 1], strict=True)
        ]
    )


def sampled_by_all_sums(prior, likelihood, u):
    z = np.searchsorted(np.cumsum(prior), u[:, 0], side="right")
    return z, (u[:, 1:] >= np.cumsum(likelihood, axis=1)[z, :-1]).sum(axis=1)


RIGHT = (
    ("01.forwards", patients_one_by_one),
    ("01.forwards", patients_by_the_formula),
    ("01.forwards", patients_by_a_table),
    ("01.without-noise", explained_by_loops),
    ("01.without-noise", explained_by_distance),
    ("01.without-noise", explained_by_products),
    ("01.without-noise", explained_in_lists),
    ("01.typical", scores_by_loops),
    ("01.typical", scores_by_a_table),
    ("01.typical", scores_by_products),
    ("01.evidence", pairs_by_loops),
    ("01.evidence", lambda prior, l: np.einsum("z,zx,zy->xy", prior, l, l)),
    ("01.ancestral", sampled_by_searching),
    ("01.log-likelihood", lambda x, p: np.log(1 - np.abs(x[:, None] - p)).sum(axis=-1)),
)


@pytest.mark.parametrize(("id", "answer"), RIGHT)
def test_right_answers_of_other_kinds_pass(id, answer):
    assert api.check(id, answer).status == CORRECT


def typical(change):
    """The right answer, changed: change(p, q, mean, standard deviation)."""
    return lambda p, q: change(p, q, *scores_by_loops(p, q))


def settled(near):
    """An answer whose rule for having settled is near(now, before, tolerance)."""

    def answer(log_p, low, high, counts, tolerance):
        before = np.inf
        for n in counts:
            a = log_p(low + (high - low) * (np.arange(n) + 0.5) / n)
            now = np.logaddexp.reduce(a) - np.log(n)
            if near(now, before, tolerance):
                return now, n
            before = now
        return now, 0

    return answer


WRONG = (
    ("01.forwards", lambda p, c, l, n, seed: patients_by_the_formula(p, c, l, n, seed)[::-1, :1]),
    ("01.forwards", lambda p, c, l, n, seed: np.sort(patients_by_a_table(p, c, l, n, seed), 0)),
    ("01.forwards", lambda p, c, l, n, seed: patients_by_a_table(p, c / 2, l, n, seed)),
    ("01.forwards", lambda p, c, l, n, seed: patients_by_a_table(p, c, l, n, seed) * 0.5),
    ("01.forwards", lambda p, c, l, n, seed: patients_by_a_table(np.sqrt(p), c, l, n, seed)),
    ("01.settled", settled(lambda now, before, tol: abs(np.exp(now - before) - 1) < tol)),
    ("01.settled", settled(lambda now, before, tol: abs(np.exp(before - now) - 1) < tol)),
    ("01.settled", settled(lambda now, before, tol: abs(now - before) < tol * abs(now))),
    ("01.without-noise", lambda x, drawn: explained_by_loops(x[:, ::-1], drawn)),
    ("01.without-noise", lambda x, drawn: explained_by_loops(x[:, :-1], drawn[:, :-1])),
    ("01.without-noise", lambda x, drawn: (np.log(explained_by_loops(x, drawn)[0]), x)),
    ("01.without-noise", lambda x, drawn: explained_by_loops(x, np.unique(drawn, axis=0))),
    ("01.without-noise", lambda x, drawn: explained_by_loops(x, drawn)[::-1]),
    ("01.typical", typical(lambda p, q, mean, sd: (mean / np.log(2), sd))),
    ("01.typical", typical(lambda p, q, mean, sd: (mean, sd / np.sqrt(len(p))))),
    ("01.typical", typical(lambda p, q, mean, sd: (mean, np.sqrt(-mean)))),
    ("01.typical", typical(lambda p, q, mean, sd: (scores_by_loops(p / 2 + q / 2, q)[0], sd))),
    ("01.evidence", lambda prior, l: np.multiply(pairs_by_loops(prior, l), 2)),
    ("01.evidence", lambda prior, l: [row[:-1] for row in pairs_by_loops(prior, l)]),
    ("01.ancestral", sampled_by_all_sums),
)


@pytest.mark.parametrize(("id", "answer"), WRONG)
def test_wrong_answers_on_no_list_are_refused(id, answer):
    assert api.check(id, answer).status == NOT_YET


def test_a_cause_that_never_occurs_makes_no_story():
    verdict = api.check("01.story", ([1, 0], [[0.9, 0.1], [0.2, 0.8]]))
    assert verdict.status == NOT_YET
    assert "never occurs" in verdict.body


def test_the_given_simulation_is_right_for_each_symptom_alone():
    """Only together do they come out wrong, which is what the exercise teaches to look at."""
    exercise = exercises()["01.forwards"]
    for case in exercise.cases():
        alone, together = exercise.observe(exercise.given, *case)
        right_alone, right_together = exact_shares(*case[:3])
        assert np.array_equal(alone, right_alone)
        assert not np.array_equal(together, right_together)
    assert api.check("01.forwards", exercise.given).status == NOT_ATTEMPTED


def test_a_grid_can_settle_on_the_wrong_value():
    """The reference returns -5 where the truth is 3.66; a rule that waits forever is refused."""
    log_p, *rest = exercises()["01.settled"].cases()[-1]
    value, n = exercises()["01.settled"].reference(log_p, *rest)
    fine = log_p((np.arange(200_000) + 0.5) / 200_000)
    assert (round(float(value), 2), n) == (-5.0, 20)
    assert np.logaddexp.reduce(fine) - np.log(len(fine)) > 3.6


def test_progress_with_a_retired_exercise_is_read(progress_file):
    retired = {"01.covered": {"passed": "2025-12-01", "fails": 1}}
    kept = {"version": 1, "exercises": retired, "answers": {}, "review": {}}
    progress_file.write_text(json.dumps(kept))
    assert "01.covered" not in {row["id"] for row in api.summary()["exercises"]}
    assert api.check("01.evidence", exercises()["01.evidence"].reference).status == CORRECT
    assert "01.covered" in json.loads(progress_file.read_text())["exercises"]

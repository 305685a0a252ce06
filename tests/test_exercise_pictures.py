"""Exercises of notebook 01 about pictures: right answers of other kinds, wrong ones on no list."""

import numpy as np
import pytest

from minivae import exercises as api
from minivae.exercises.cards import CORRECT, NOT_YET

pytestmark = pytest.mark.usefixtures("progress_file")


def posterior_by_loops(x, p, seen):
    a = []
    for q in p:
        terms = [
            np.log(q[at] if x[at] == 1 else 1 - q[at]) for at in zip(*np.nonzero(seen), strict=True)
        ]
        a.append(sum(terms))
    log_sum = np.logaddexp.reduce(a)
    return log_sum - np.log(len(p)), np.exp(a - log_sum)


def posterior_by_einsum(x, p, seen):
    a = np.einsum("ij,zij->z", x * seen, np.log(p))
    a += np.einsum("ij,zij->z", (1 - x) * seen, np.log1p(-p))
    e = np.exp(a - a.max())
    return a.max() + np.log(e.mean()), e / e.sum()


def posterior_by_log_odds(x, p, seen):
    x, p = x[seen], p[:, seen]
    a = np.log(p / (1 - p)) @ x + np.log(1 - p).sum(axis=1)
    log_sum = np.logaddexp.reduce(a)
    return log_sum - np.log(len(p)), np.exp(a - log_sum)


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


def scores_by_loops(p):
    average = sum(q * np.log(q) + (1 - q) * np.log(1 - q) for q in p)
    return average, sum(np.log(max(q, 1 - q)) for q in p)


def scores_by_a_table(p):
    table = np.stack([p, 1 - p])
    return (table * np.log(table)).sum(), np.log(table).max(axis=0).sum()


def scores_by_the_best_picture(p):
    x = np.where(p > 0.5, 1, 0)
    average = np.dot(p, np.log(p)) + np.dot(1 - p, np.log1p(-p))
    return average, (x * np.log(p) + (1 - x) * np.log(1 - p)).sum()


RIGHT = (
    ("01.covered", posterior_by_loops),
    ("01.covered", posterior_by_einsum),
    ("01.covered", posterior_by_log_odds),
    ("01.without-noise", explained_by_loops),
    ("01.without-noise", explained_by_distance),
    ("01.without-noise", explained_by_products),
    ("01.typical", scores_by_loops),
    ("01.typical", scores_by_a_table),
    ("01.typical", scores_by_the_best_picture),
    ("01.log-likelihood", lambda x, p: np.log(1 - np.abs(x[:, None] - p)).sum(axis=-1)),
)


@pytest.mark.parametrize(("id", "answer"), RIGHT)
def test_right_answers_of_other_kinds_pass(id, answer):
    assert api.check(id, answer).status == CORRECT


def covered(change):
    """The right answer, changed: change(log p, p(z|x))."""
    return lambda x, p, seen: change(*posterior_by_loops(x, p, seen))


WRONG = (
    ("01.covered", covered(lambda log_p, q: (np.exp(log_p), q))),
    ("01.covered", covered(lambda log_p, q: (log_p, (q == q.max()) * 1.0))),
    ("01.covered", covered(lambda log_p, q: (-log_p, q))),
    ("01.covered", covered(lambda log_p, q: (log_p, np.full(len(q), 1 / len(q))))),
    ("01.covered", lambda x, p, seen: posterior_by_loops(1 - x, p, seen)),
    ("01.without-noise", lambda x, drawn: explained_by_loops(x[:, ::-1], drawn)),
    ("01.without-noise", lambda x, drawn: explained_by_loops(x[:, :-1], drawn[:, :-1])),
    ("01.without-noise", lambda x, drawn: (np.log(explained_by_loops(x, drawn)[0]), x)),
    ("01.without-noise", lambda x, drawn: explained_by_loops(x, np.unique(drawn, axis=0))),
    ("01.without-noise", lambda x, drawn: explained_by_loops(x, drawn)[::-1]),
    ("01.typical", lambda p: (scores_by_loops(p)[0], scores_by_loops(p)[0])),
    ("01.typical", lambda p: (scores_by_loops(p)[0] / np.log(2), scores_by_loops(p)[1])),
    ("01.typical", lambda p: (scores_by_loops(p)[1] / 2, scores_by_loops(p)[1])),
    ("01.typical", lambda p: (scores_by_loops(p)[0], 0.0)),
    ("01.typical", lambda p: (scores_by_loops(p)[0], np.log(p.max()) * len(p))),
)


@pytest.mark.parametrize(("id", "answer"), WRONG)
def test_wrong_answers_on_no_list_are_refused(id, answer):
    assert api.check(id, answer).status == NOT_YET


def test_a_cause_that_never_occurs_makes_no_story():
    verdict = api.check("01.story", ([1, 0], [[0.9, 0.1], [0.2, 0.8]]))
    assert verdict.status == NOT_YET
    assert "never occurs" in verdict.body

"""Notebook 01: answers to `01.without-noise`."""

from collections import Counter

import numpy as np
from answers_of_others.registry import right, wrong


@right("01.without-noise")
def equal_everywhere(x, drawn):
    hits = (np.asarray(x)[:, None] == np.asarray(drawn)).all(axis=-1)
    with np.errstate(invalid="ignore"):
        return hits.mean(axis=1), hits / hits.sum(axis=1, keepdims=True)


@right("01.without-noise")
def by_distance(x, drawn):
    hits = (np.abs(x[:, None] - drawn).sum(axis=2) < 0.5) * 1.0
    total = hits.sum(axis=1)
    posterior = np.full(hits.shape, np.nan)
    posterior[total > 0] = hits[total > 0] / total[total > 0, None]
    return total / len(drawn), posterior


@right("01.without-noise")
def as_words(x, drawn):
    words = [tuple(row) for row in drawn]
    count = Counter(words)
    p_x = [count[tuple(row)] / len(words) for row in x]
    rows = []
    for row in map(tuple, x):
        c = count[row]
        rows.append([(word == row) / c if c else float("nan") for word in words])
    return p_x, rows


@right("01.without-noise")
def by_two_products(x, drawn):
    agree = x @ drawn.T + (1 - x) @ (1 - drawn).T
    joint = (agree == x.shape[1]) / len(drawn)
    p_x = joint.sum(axis=1)
    return p_x, np.divide(
        joint,
        p_x[:, None],
        out=np.full(joint.shape, np.nan),
        where=joint.any(axis=1, keepdims=True),
    )


def hits_of(x, drawn):
    return (x[:, None] == drawn).all(axis=-1)


def without_noise_by(rule):
    """A right treatment of hits (N, Z) that come from a rule for x and drawn."""

    def answer(x, drawn):
        hits = rule(x, drawn)
        with np.errstate(invalid="ignore", divide="ignore"):
            return hits.mean(axis=1), hits / hits.sum(axis=1, keepdims=True)

    return answer


wrong(
    "01.without-noise",
    without_noise_by(lambda x, drawn: x @ drawn.T == x.sum(axis=1, keepdims=True)),
    without_noise_by(lambda x, drawn: (x[:, None] == drawn).mean(axis=-1) >= 0.9),
    without_noise_by(lambda x, drawn: np.array([[np.isin(a, b).all() for b in drawn] for a in x])),
    without_noise_by(
        lambda x, drawn: np.eye(len(drawn))[(x[:, None] != drawn).sum(axis=-1).argmin(axis=1)]
    ),
    without_noise_by(
        lambda x, drawn: hits_of(x, drawn) & (np.cumsum(hits_of(x, drawn), axis=1) == 1)
    ),
)
wrong(
    "01.without-noise",
    without_noise_by(lambda x, drawn: x.sum(axis=1)[:, None] == drawn.sum(axis=1)),
    clue="as-much-white",
)
wrong(
    "01.without-noise",
    without_noise_by(lambda x, drawn: (x[:, None] == drawn).any(axis=-1)),
    clue="any-pixel",
)
wrong(
    "01.without-noise",
    without_noise_by(lambda x, drawn: (x[:, None] == drawn).mean(axis=-1)),
    clue="share-of-pixels",
)


@wrong("01.without-noise")
def as_one_binary_number(x, drawn):
    powers = 2.0 ** np.arange(x.shape[1])
    hits = (x @ powers.astype(np.float32))[:, None] == drawn @ powers.astype(np.float32)
    with np.errstate(invalid="ignore"):
        return hits.mean(axis=1), hits / hits.sum(axis=1, keepdims=True)


@wrong("01.without-noise", clue="zeros")
def zeros_where_impossible(x, drawn):
    hits = hits_of(x, drawn)
    return hits.mean(axis=1), hits / np.maximum(hits.sum(axis=1, keepdims=True), 1)


@wrong("01.without-noise")
def prior_where_impossible(x, drawn):
    hits = hits_of(x, drawn)
    hits = np.where(hits.any(axis=1, keepdims=True), hits, True)
    return hits_of(x, drawn).mean(axis=1), hits / hits.sum(axis=1, keepdims=True)


@wrong("01.without-noise", clue="yes-or-no")
def evidence_of_one(x, drawn):
    p_x, posterior = equal_everywhere(x, drawn)
    return (p_x > 0) * 1.0, posterior


@wrong("01.without-noise")
def evidence_nan_too(x, drawn):
    p_x, posterior = equal_everywhere(x, drawn)
    return np.where(p_x > 0, p_x, np.nan), posterior


@wrong("01.without-noise")
def share_among_different_pictures(x, drawn):
    p_x, posterior = equal_everywhere(x, drawn)
    return (p_x > 0) / len(np.unique(drawn, axis=0)), posterior


@wrong("01.without-noise")
def count_for_evidence(x, drawn):
    p_x, posterior = equal_everywhere(x, drawn)
    return p_x * len(drawn), posterior


@wrong("01.without-noise", clue="transposed")
def causes_in_rows(x, drawn):
    p_x, posterior = equal_everywhere(x, drawn)
    return p_x, posterior.T


@wrong("01.without-noise", clue="not-normalised")
def not_normalised(x, drawn):
    hits = hits_of(x, drawn)
    return hits.mean(axis=1), np.where(hits.any(axis=1, keepdims=True), hits * 1.0, np.nan)


@wrong("01.without-noise")
def impossible_marked_in_the_tables(x, drawn):
    p_x, posterior = equal_everywhere(x, drawn)
    x[p_x == 0] = -1
    return p_x, posterior


@wrong("01.without-noise")
def rows_dropped(x, drawn):
    p_x, posterior = equal_everywhere(x, drawn)
    return p_x[p_x > 0], posterior[p_x > 0]


@wrong("01.without-noise")
def in_whole_numbers(x, drawn):
    hits = hits_of(x, drawn)
    with np.errstate(all="ignore"):
        return hits.sum(axis=1) // len(drawn), hits / hits.sum(axis=1, keepdims=True)


@wrong("01.without-noise")
def normalised_over_the_pictures(x, drawn):
    hits = hits_of(x, drawn) * 1.0
    share = hits / np.maximum(hits.sum(axis=0), 1)
    return hits.mean(axis=1), np.where(hits.any(axis=1, keepdims=True), share, np.nan)

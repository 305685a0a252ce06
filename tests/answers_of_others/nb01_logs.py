"""Notebook 01: answers to `01.log-likelihood`, `01.log-posterior` and `01.typical`."""

import math

import numpy as np
from answers_of_others.registry import right, wrong

# ---- 01.log-likelihood ---------------------------------------------------------------------------


@right("01.log-likelihood")
def distance_from_the_other_colour(x, p):
    with np.errstate(divide="ignore"):
        return np.log(np.abs(1 - x[:, None] - p)).sum(axis=-1)


@right("01.log-likelihood")
def pixel_by_pixel(x, p):
    rows = []
    for picture in x:
        row = []
        for chances in p:
            terms = [c if pixel else 1 - c for pixel, c in zip(picture, chances, strict=True)]
            row.append(sum(map(math.log, terms)) if min(terms) > 0 else -math.inf)
        rows.append(row)
    return rows


@right("01.log-likelihood")
def white_ones_and_black_ones(x, p):
    out = np.empty((len(x), len(p)))
    with np.errstate(divide="ignore"):
        for n, white in enumerate(np.asarray(x) > 0.5):
            out[n] = np.log(p[:, white]).sum(axis=1) + np.log1p(-p[:, ~white]).sum(axis=1)
    return out


@right("01.log-likelihood")
def products_with_the_impossible_apart(x, p):
    never_white, always_white = p == 0, p == 1
    log_p = np.log(np.where(never_white, 1, p))
    log_rest = np.log(np.where(always_white, 1, 1 - p))
    impossible = x @ never_white.T + (1 - x) @ always_white.T > 0
    return np.where(impossible, -np.inf, x @ log_p.T + (1 - x) @ log_rest.T)


def score_by(rule):
    """An answer from a rule for the terms, x (N, 1, D) and p (1, B, D) -> (N, B, D)."""

    def scores(x, p):
        with np.errstate(all="ignore"):
            return rule(x[:, None], p[None]).sum(axis=-1)

    return scores


def of_the_side(x, p):
    return np.where(x == 1, p, 1 - p)


wrong(
    "01.log-likelihood",
    score_by(lambda x, p: np.nan_to_num(x * np.log(p)) + np.nan_to_num((1 - x) * np.log(1 - p))),
    score_by(lambda x, p: np.maximum(np.log(of_the_side(x, p)), -100)),
    score_by(lambda x, p: np.log(of_the_side(x, p) + 1e-12)),
    score_by(lambda x, p: np.where(of_the_side(x, p) > 0, np.log(of_the_side(x, p)), 0)),
    score_by(lambda x, p: np.log2(of_the_side(x, p))),
    score_by(lambda x, p: -((x - p) ** 2)),
    score_by(lambda x, p: p * np.log(of_the_side(x, p))),
    score_by(lambda x, p: np.log(of_the_side(x, p)).astype(np.float32)),
)
wrong(
    "01.log-likelihood",
    score_by(lambda x, p: x * np.log(p) + (1 - x) * np.log1p(-p)),
    clue="zero-times-log-zero",
)
wrong(
    "01.log-likelihood",
    score_by(lambda x, p: np.where(x == 1, np.log(p), 0)),
    clue="black-forgotten",
)
wrong(
    "01.log-likelihood", score_by(lambda x, p: np.log(np.where(x == 1, 1 - p, p))), clue="swapped"
)
wrong(
    "01.log-likelihood", score_by(lambda x, p: np.log(of_the_side(x, p)) / x.shape[-1]), clue="mean"
)


@wrong("01.log-likelihood", clue="product")
def product_then_log(x, p):
    with np.errstate(divide="ignore"):
        return np.log(of_the_side(x[:, None], p).prod(axis=-1))


@wrong("01.log-likelihood")
def nan_called_impossible(x, p):
    with np.errstate(all="ignore"):
        a = x @ np.log(p).T + (1 - x) @ np.log(1 - p).T
    return np.where(np.isnan(a), -np.inf, a)


@wrong("01.log-likelihood")
def each_picture_under_its_own_cause(x, p):
    n = min(len(x), len(p))
    with np.errstate(divide="ignore"):
        return np.log(of_the_side(x[:n], p[:n])).sum(axis=1)


@wrong("01.log-likelihood", clue="transposed")
def causes_in_rows(x, p):
    return distance_from_the_other_colour(x, p).T


@wrong("01.log-likelihood")
def normalised_over_the_causes(x, p):
    a = distance_from_the_other_colour(x, p)
    with np.errstate(invalid="ignore"):
        return a - np.logaddexp.reduce(a, axis=1)[:, None]


@wrong("01.log-likelihood")
def clips_in_place(x, p):
    keep = p.copy()
    np.clip(p, 1e-9, 1 - 1e-9, out=p)
    return distance_from_the_other_colour(x, keep)


# ---- 01.log-posterior ----------------------------------------------------------------------------


@right("01.log-posterior")
def with_logaddexp(log_prior, log_likelihood):
    joint = log_prior[:, None] + log_likelihood
    log_px = np.logaddexp.reduce(joint, axis=0)
    with np.errstate(invalid="ignore"):
        return log_px, np.exp(joint - log_px)


@right("01.log-posterior")
def column_by_column(log_prior, log_likelihood):
    log_px, posterior = [], np.full(log_likelihood.shape, np.nan)
    for j in range(log_likelihood.shape[1]):
        a = log_prior + log_likelihood[:, j]
        if a.max() == -np.inf:
            log_px.append(-np.inf)
            continue
        e = np.exp(a - a.max())
        log_px.append(a.max() + np.log(e.sum()))
        posterior[:, j] = e / e.sum()
    return log_px, posterior


@right("01.log-posterior")
def by_log_odds(log_prior, log_likelihood):
    joint = (log_likelihood.T + log_prior).T
    with np.errstate(all="ignore"):
        odds = np.exp(joint[None] - joint[:, None]).sum(axis=1)
        posterior = np.where(joint == -np.inf, 0.0, 1 / odds)
        best = joint.argmax(axis=0), np.arange(joint.shape[1])
        log_px = joint[best] - np.log(posterior[best])
    never = joint[best] == -np.inf
    return np.where(never, -np.inf, log_px), np.where(never, np.nan, posterior)


def posterior_by(log_sum):
    """An answer from a way to sum exp over z: joint (Z, X) -> (X,)."""

    def answer(log_prior, log_likelihood):
        joint = log_prior[:, None] + log_likelihood
        with np.errstate(all="ignore"):
            log_px = log_sum(joint)
            return log_px, np.exp(joint - log_px)

    return answer


wrong(
    "01.log-posterior",
    posterior_by(lambda a: np.log(np.exp(a - a.mean(axis=0)).sum(axis=0)) + a.mean(axis=0)),
    posterior_by(lambda a: a.max(axis=0)),
    posterior_by(lambda a: np.log(np.exp(a - a.max(axis=0)).sum(axis=0))),
    posterior_by(lambda a: np.log(np.exp(a).sum(axis=0) + 1e-300)),
    posterior_by(lambda a: np.logaddexp.reduce(a, axis=0) - np.log(len(a))),
    posterior_by(lambda a: np.logaddexp.reduce(np.maximum(a, -700), axis=0)),
    posterior_by(lambda a: np.logaddexp(a[0], a[-1])),
    posterior_by(lambda a: np.logaddexp.reduce(a, axis=0)[None]),
    posterior_by(lambda a: np.full(a.shape[1], np.logaddexp.reduce(a, axis=None))),
)
wrong("01.log-posterior", posterior_by(lambda a: np.log(np.exp(a).sum(axis=0))), clue="naive")
wrong(
    "01.log-posterior",
    posterior_by(lambda a: np.log(np.exp(a - a[0]).sum(axis=0)) + a[0]),
    clue="first-row",
)
wrong(
    "01.log-posterior",
    posterior_by(lambda a: np.log(np.exp(a - a.max()).sum(axis=0)) + a.max()),
    clue="one-top",
)


@wrong("01.log-posterior")
def prior_of_a_uniform(log_prior, log_likelihood):
    log_px = np.logaddexp.reduce(log_likelihood, axis=0)
    with np.errstate(invalid="ignore"):
        return log_px - np.log(len(log_prior)), np.exp(log_likelihood - log_px)


@wrong("01.log-posterior", clue="likelihood-over-evidence")
def prior_in_the_evidence_only(log_prior, log_likelihood):
    log_px, _ = with_logaddexp(log_prior, log_likelihood)
    with np.errstate(invalid="ignore"):
        return log_px, np.exp(log_likelihood - log_px)


@wrong("01.log-posterior")
def largest_before_the_prior(log_prior, log_likelihood):
    m = log_likelihood.max(axis=0)
    with np.errstate(all="ignore"):
        weights = np.exp(log_prior)[:, None] * np.exp(log_likelihood - m)
        return m + np.log(weights.sum(axis=0)), weights / weights.sum(axis=0)


@wrong("01.log-posterior", clue="top-before-the-prior")
def largest_before_the_prior_with_care(log_prior, log_likelihood):
    m = np.maximum(log_likelihood.max(axis=0), -1e300)
    with np.errstate(all="ignore"):
        e = np.exp(log_likelihood - m)
        total = np.exp(log_prior) @ e
        return np.log(total) + np.where(total > 0, m, 0), (np.exp(log_prior) * e.T).T / total


@wrong("01.log-posterior")
def impossible_left_at_zero(log_prior, log_likelihood):
    log_px, posterior = with_logaddexp(log_prior, log_likelihood)
    return log_px, np.nan_to_num(posterior)


@wrong("01.log-posterior")
def impossible_very_unlikely(log_prior, log_likelihood):
    return with_logaddexp(np.maximum(log_prior, -1e30), np.maximum(log_likelihood, -1e30))


@wrong("01.log-posterior", clue="top-of-nothing")
def impossible_evidence_nan(log_prior, log_likelihood):
    log_px, posterior = with_logaddexp(log_prior, log_likelihood)
    return np.where(np.isinf(log_px), np.nan, log_px), posterior


@wrong("01.log-posterior")
def adds_in_place(log_prior, log_likelihood):
    log_likelihood += log_prior[:, None]
    return with_logaddexp(np.zeros(len(log_prior)), log_likelihood)


@wrong("01.log-posterior", clue="swapped")
def posterior_first(log_prior, log_likelihood):
    return with_logaddexp(log_prior, log_likelihood)[::-1]


@wrong("01.log-posterior")
def posterior_transposed(log_prior, log_likelihood):
    log_px, posterior = with_logaddexp(log_prior, log_likelihood)
    return log_px, posterior.T


@wrong("01.log-posterior")
def nan_for_every_x(log_prior, log_likelihood):
    log_px, posterior = with_logaddexp(log_prior, log_likelihood)
    return log_px, np.full(posterior.shape, np.nan) if np.isnan(posterior).any() else posterior


# ---- 01.typical ----------------------------------------------------------------------------------


@right("01.typical")
def by_logits(p, q):
    logit = np.log(q) - np.log1p(-q)
    return np.log1p(-q).sum() + p @ logit, np.sqrt((p * (1 - p)) @ logit**2)


@right("01.typical")
def pixel_after_pixel(p, q):
    mean = variance = 0.0
    for a, b in zip(p, q, strict=True):
        white, black = math.log(b), math.log(1 - b)
        here = a * white + (1 - a) * black
        mean += here
        variance += a * (white - here) ** 2 + (1 - a) * (black - here) ** 2
    return mean, math.sqrt(variance)


@right("01.typical")
def two_rows(p, q):
    chances, scores = np.stack([1 - p, p]), np.log(np.stack([1 - q, q]))
    mean = np.einsum("cd,cd->d", chances, scores)
    spread = np.einsum("cd,cd->d", chances, (scores - mean) ** 2)
    return np.array([mean.sum(), spread.sum() ** 0.5])


def mean_and_sd(mean=None, sd=None):
    """An answer, right but for one of the two."""

    def answer(p, q):
        first, second = by_logits(p, q)
        return (mean(p, q) if mean else first), (sd(p, q) if sd else second)

    return answer


def logit_of(q):
    return np.log(q / (1 - q))


wrong(
    "01.typical",
    mean_and_sd(mean=lambda p, q: np.mean(p * np.log(q) + (1 - p) * np.log(1 - q))),
    mean_and_sd(mean=lambda p, q: by_logits(q, p)[0]),
    mean_and_sd(sd=lambda p, q: np.sqrt(np.mean(p * (1 - p) * logit_of(q) ** 2))),
    mean_and_sd(sd=lambda p, q: np.sqrt(np.sum(p * (1 - p) * logit_of(p) ** 2))),
    mean_and_sd(sd=lambda p, q: abs(np.sum(np.sqrt(p * (1 - p)) * logit_of(q)))),
    mean_and_sd(sd=lambda p, q: np.sqrt(np.sum(p * (1 - p) * np.log(q) ** 2))),
    mean_and_sd(sd=lambda p, q: by_logits(p, q)[1] / np.sqrt(len(p))),
)
wrong("01.typical", mean_and_sd(mean=lambda p, q: (p * np.log(q)).sum()), clue="white-only")
wrong(
    "01.typical",
    mean_and_sd(mean=lambda p, q: np.log(p * q + (1 - p) * (1 - q)).sum()),
    clue="log-of-the-mean",
)
wrong("01.typical", mean_and_sd(mean=lambda p, q: -by_logits(p, q)[0]), clue="sign")
wrong(
    "01.typical",
    mean_and_sd(mean=lambda p, q: np.where(p > 0.5, np.log(q), np.log(1 - q)).sum()),
    clue="rounded",
)
wrong("01.typical", mean_and_sd(sd=lambda p, q: by_logits(p, q)[1] ** 2), clue="variance")
wrong(
    "01.typical",
    mean_and_sd(sd=lambda p, q: np.sum(np.sqrt(p * (1 - p)) * abs(logit_of(q)))),
    clue="deviations-added",
)
wrong(
    "01.typical",
    mean_and_sd(sd=lambda p, q: np.sqrt(np.sum(q * (1 - q) * logit_of(q) ** 2))),
    clue="scatter-of-the-other-coins",
)
wrong(
    "01.typical",
    mean_and_sd(sd=lambda p, q: np.std(p * np.log(q) + (1 - p) * np.log(1 - q))),
    clue="scatter-of-the-pixels",
)
wrong(
    "01.typical",
    mean_and_sd(sd=lambda p, q: np.sqrt(np.sum(p * np.log(q) ** 2 + (1 - p) * np.log(1 - q) ** 2))),
    clue="second-moment",
)


@wrong("01.typical")
def many_photographs(p, q):
    x = np.random.default_rng(0).random((2000, len(p))) < p
    scores = np.where(x, np.log(q), np.log(1 - q)).sum(axis=1)
    return scores.mean(), scores.std()


@wrong("01.typical")
def only_the_mean(p, q):
    return by_logits(p, q)[0]


@wrong("01.typical")
def of_each_pixel(p, q):
    return p * np.log(q) + (1 - p) * np.log(1 - q), np.sqrt(p * (1 - p)) * abs(logit_of(q))

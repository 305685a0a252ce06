"""Notebook 02: answers to `02.estimates`, `02.batch-bug` and `02.step`."""

import math

import numpy as np
from answers_of_others.registry import right, wrong

# ---- 02.estimates --------------------------------------------------------------------------------


def log_mean(a, axis=-1):
    return np.logaddexp.reduce(a, axis=axis) - np.log(np.shape(a)[axis])


@right("02.estimates")
def with_logaddexp(log_likelihood, log_prior, log_q):
    log_w = log_likelihood + log_prior - log_q
    return log_mean(log_w).mean(), log_w.mean()


@right("02.estimates")
def row_by_row(log_likelihood, log_prior, log_q):
    logs, nll, kl = [], 0.0, 0.0
    for fit, prior, q in zip(log_likelihood, log_prior, log_q, strict=True):
        a = [f + p - s for f, p, s in zip(fit, prior, q, strict=True)]
        top = max(a)
        logs.append(top + math.log(sum(math.exp(t - top) for t in a) / len(a)))
        nll -= sum(fit) / len(fit)
        kl += sum(s - p for p, s in zip(prior, q, strict=True)) / len(q)
    return [sum(logs) / len(logs), -(nll + kl) / len(logs)]


@right("02.estimates")
def in_an_array(log_likelihood, log_prior, log_q):
    nll, kl = -log_likelihood.mean(axis=1), (log_q - log_prior).mean(axis=1)
    log_w = log_likelihood - (log_q - log_prior)
    m = log_w.max(axis=1, keepdims=True)
    log_px = m[:, 0] + np.log(np.exp(log_w - m).mean(axis=1))
    return np.array([log_px.mean(), -(nll + kl).mean()])


def estimates_by(log_px=None, elbo=None):
    """An answer, right but for one of the two: both from the log weights and the three logs."""

    def answer(fit, prior, q):
        log_w = fit + prior - q
        with np.errstate(all="ignore"):
            first = log_px(log_w, fit, prior, q) if log_px else log_mean(log_w).mean()
            second = elbo(log_w, fit, prior, q) if elbo else log_w.mean()
        return first, second

    return answer


wrong(
    "02.estimates",
    estimates_by(log_px=lambda w, fit, prior, q: log_mean(w, axis=0).mean()),
    estimates_by(log_px=lambda w, fit, prior, q: log_mean(w).sum()),
    estimates_by(log_px=lambda w, fit, prior, q: log_mean(w)),
    estimates_by(log_px=lambda w, fit, prior, q: np.median(log_mean(w))),
    estimates_by(log_px=lambda w, fit, prior, q: log_mean(fit + prior).mean()),
    estimates_by(log_px=lambda w, fit, prior, q: log_mean(fit - prior + q).mean()),
    estimates_by(log_px=lambda w, fit, prior, q: w.max(axis=1).mean()),
    estimates_by(log_px=lambda w, fit, prior, q: log_mean(w)[0]),
    estimates_by(elbo=lambda w, fit, prior, q: fit.mean() - abs(q - prior).mean()),
    estimates_by(elbo=lambda w, fit, prior, q: fit.mean() - (np.exp(q) * (q - prior)).mean()),
    estimates_by(elbo=lambda w, fit, prior, q: fit.sum(axis=1).mean() - (q - prior).mean()),
    estimates_by(elbo=lambda w, fit, prior, q: w[:, 0].mean()),
    estimates_by(elbo=lambda w, fit, prior, q: (fit + prior).mean()),
    estimates_by(elbo=lambda w, fit, prior, q: w.max(axis=1).mean()),
)
wrong(
    "02.estimates",
    estimates_by(log_px=lambda w, fit, prior, q: np.log(np.exp(w).mean(axis=1)).mean()),
    clue="exp-of-thousands",
)
wrong(
    "02.estimates",
    estimates_by(
        log_px=lambda w, fit, prior, q: np.log(np.exp(w - w.max()).mean(axis=1)).mean() + w.max()
    ),
    clue="one-largest",
)
wrong(
    "02.estimates",
    estimates_by(log_px=lambda w, fit, prior, q: np.logaddexp.reduce(w, axis=1).mean()),
    clue="sum-over-draws",
)
wrong(
    "02.estimates",
    estimates_by(log_px=lambda w, fit, prior, q: log_mean(log_mean(w))),
    clue="one-average-for-all",
)
wrong(
    "02.estimates",
    estimates_by(log_px=lambda w, fit, prior, q: log_mean(fit).mean()),
    clue="without-the-weight",
)
wrong("02.estimates", estimates_by(elbo=lambda w, fit, prior, q: -w.mean()), clue="loss")
wrong(
    "02.estimates",
    estimates_by(elbo=lambda w, fit, prior, q: fit.mean() + (q - prior).mean()),
    clue="kl-added",
)
wrong(
    "02.estimates",
    estimates_by(elbo=lambda w, fit, prior, q: fit.mean() - max((q - prior).mean(), 0)),
    clue="kl-cut-at-zero",
)


@wrong("02.estimates")
def weights_changed_in_place(log_likelihood, log_prior, log_q):
    log_likelihood += log_prior - log_q
    return log_mean(log_likelihood).mean(), log_likelihood.mean()


@wrong("02.estimates")
def in_bits(log_likelihood, log_prior, log_q):
    return tuple(np.array(with_logaddexp(log_likelihood, log_prior, log_q)) / np.log(2))


@wrong("02.estimates")
def without_the_likeliest_draw(log_likelihood, log_prior, log_q):
    log_w = np.sort(log_likelihood + log_prior - log_q, axis=1)
    return log_mean(log_w[:, :-1]).mean(), log_w.mean()


@wrong("02.estimates")
def nll_and_kl(log_likelihood, log_prior, log_q):
    return -log_likelihood.mean(), (log_q - log_prior).mean()


@wrong("02.estimates")
def elbo_first(log_likelihood, log_prior, log_q):
    return with_logaddexp(log_likelihood, log_prior, log_q)[::-1]


# ---- 02.batch-bug --------------------------------------------------------------------------------


@right("02.batch-bug")
def kl_of_each(q, prior, likelihood):
    fit = (q * np.log(likelihood)).sum(axis=1)
    kl = (q * np.log(q / prior)).sum(axis=1)
    return (fit - kl).mean()


@right("02.batch-bug")
def one_einsum(q, prior, likelihood):
    log_w = np.log(prior) + np.log(likelihood) - np.log(q)
    return np.einsum("nz,nz->", q, log_w) / len(q)


@right("02.batch-bug")
def one_x_at_a_time(q, prior, likelihood):
    total = 0.0
    for q_n, p_n in zip(q, likelihood, strict=True):
        total += sum(a * math.log(p * b / a) for a, p, b in zip(q_n, prior, p_n, strict=True))
    return total / len(q)


@right("02.batch-bug")
def evidence_minus_gap(q, prior, likelihood):
    joint = prior * likelihood
    p_x = joint.sum(axis=1, keepdims=True)
    gap = (q * np.log(q * p_x / joint)).sum(axis=1)
    return float(np.mean(np.log(p_x[:, 0]) - gap))


def mended_by(value):
    """An answer from q, log p(z), log p(x|z) and the log of q."""
    return lambda q, prior, likelihood: value(q, np.log(prior), np.log(likelihood), np.log(q))


wrong(
    "02.batch-bug",
    mended_by(lambda q, p, fit, log_q: (q * fit).mean() - (q * (log_q - p)).mean()),
    mended_by(lambda q, p, fit, log_q: (q * fit).sum(1).mean() - (log_q - p).mean()),
    mended_by(lambda q, p, fit, log_q: (q * fit).sum(1).mean() - (q * (log_q - p)).sum(0).mean()),
    mended_by(lambda q, p, fit, log_q: (q * fit).sum(1).mean() - (q * (log_q - p)).sum(1).max()),
    mended_by(lambda q, p, fit, log_q: (q * fit).sum(1).mean() - (q * (log_q - p)).sum(1)[0]),
    mended_by(lambda q, p, fit, log_q: (q * fit).sum(1).mean() - (q * log_q).sum(1).mean()),
    mended_by(lambda q, p, fit, log_q: (q * fit).sum(1).mean() + (q * p).sum(1).mean()),
    mended_by(lambda q, p, fit, log_q: (q * fit).sum(1) - (q * (log_q - p)).sum(1)),
    mended_by(lambda q, p, fit, log_q: np.logaddexp.reduce(p + fit, axis=1).mean()),
    mended_by(lambda q, p, fit, log_q: -((q * fit).sum(1) - (q * (log_q - p)).sum(1)).mean()),
    mended_by(
        lambda q, p, fit, log_q: (
            (q * fit).sum(1).mean() - (q * (log_q - np.log(q.mean(0)))).sum(1).mean()
        )
    ),
)
wrong(
    "02.batch-bug",
    mended_by(lambda q, p, fit, log_q: (q * fit).sum(1).mean() - (q * (log_q - p)).sum()),
    clue="kl-summed",
)
wrong(
    "02.batch-bug",
    mended_by(lambda q, p, fit, log_q: (q * fit).sum() - (q * (log_q - p)).sum()),
    clue="both-summed",
)
wrong(
    "02.batch-bug",
    mended_by(lambda q, p, fit, log_q: (q * fit).sum(1).mean() + (q * (log_q - p)).sum(1).mean()),
    clue="kl-added",
)
wrong(
    "02.batch-bug",
    mended_by(
        lambda q, p, fit, log_q: (q * fit).sum(1).mean() - (np.exp(p) * (p - log_q)).sum(1).mean()
    ),
    clue="kl-reversed",
)
wrong(
    "02.batch-bug",
    mended_by(
        lambda q, p, fit, log_q: (
            (q.mean(0) * fit).sum(1).mean() - (q.mean(0) * (np.log(q.mean(0)) - p)).sum()
        )
    ),
    clue="fit-of-the-mean-too",
)


# ---- 02.step -------------------------------------------------------------------------------------


@right("02.step")
def by_differences(before, after):
    elbo = np.mean(after - before)
    log_px = np.logaddexp.reduce(after) - np.logaddexp.reduce(before)
    return elbo, log_px, log_px - elbo


@right("02.step")
def two_gaps(before, after):
    def of(a):
        elbo = a.mean()
        log_px = a.max() + np.log(np.mean(np.exp(a - a.max())))
        return np.array([elbo, log_px, log_px - elbo])

    return of(after) - of(before)


@right("02.step")
def in_plain_python(before, after):
    def log_mean_of(logs):
        top = max(logs)
        return top + math.log(math.fsum(math.exp(a - top) for a in logs) / len(logs))

    elbo = (math.fsum(after) - math.fsum(before)) / len(before)
    log_px = log_mean_of(after) - log_mean_of(before)
    return [elbo, log_px, log_px - elbo]


@right("02.step")
def by_shares_of_the_weights(before, after):
    share = np.exp(before - np.logaddexp.reduce(before))
    with np.errstate(divide="ignore"):
        log_px = np.logaddexp.reduce(np.log(share) + after - before)
    if not np.isfinite(log_px) or share.min() == 0:
        log_px = np.logaddexp.reduce(after) - np.logaddexp.reduce(before)
    rise = after.mean() - before.mean()
    return rise, log_px, log_px - rise


def step_by(elbo=None, log_px=None, gap=None):
    """An answer with one of the three taken in another way; the gap follows from the others."""

    def answer(before, after):
        first, second, _ = by_differences(before, after)
        with np.errstate(all="ignore"):
            first = elbo(before, after) if elbo else first
            second = log_px(before, after) if log_px else second
            third = gap(first, second) if gap else second - first
        return first, second, third

    return answer


wrong(
    "02.step",
    step_by(elbo=lambda before, after: np.median(after - before)),
    step_by(elbo=lambda before, after: np.mean(abs(after - before))),
    step_by(elbo=lambda before, after: after.mean() / before.mean()),
    step_by(elbo=lambda before, after: np.mean(np.exp(before) * (after - before))),
    step_by(elbo=lambda before, after: after.mean()),
    step_by(elbo=lambda before, after: after[0] - before[0]),
    step_by(log_px=lambda before, after: np.log(np.exp(after).mean() - np.exp(before).mean())),
    step_by(
        log_px=lambda before, after: (
            np.logaddexp.reduce(after) - np.logaddexp.reduce(before) - np.log(len(after))
        )
    ),
    step_by(log_px=lambda before, after: np.exp(by_differences(before, after)[1])),
    step_by(gap=lambda elbo, log_px: abs(log_px - elbo)),
    step_by(gap=lambda elbo, log_px: max(log_px - elbo, 0.0)),
    step_by(gap=lambda elbo, log_px: log_px + elbo),
)
wrong("02.step", step_by(elbo=lambda before, after: np.sum(after - before)), clue="elbo-summed")
wrong(
    "02.step",
    step_by(log_px=lambda before, after: np.log(np.exp(after).mean() / np.exp(before).mean())),
    clue="naive",
)
wrong(
    "02.step",
    step_by(log_px=lambda before, after: np.logaddexp.reduce(after - before) - np.log(len(after))),
    clue="ratio-under-q",
)
wrong(
    "02.step",
    step_by(log_px=lambda before, after: after.max() - before.max()),
    clue="largest-weight",
)
wrong(
    "02.step",
    step_by(
        log_px=lambda before, after: (
            np.log(np.exp(after - before.max()).mean())
            - np.log(np.exp(before - before.max()).mean())
        )
    ),
    clue="shared-maximum",
)
wrong("02.step", step_by(gap=lambda elbo, log_px: elbo - log_px), clue="gap-turned")


@wrong("02.step", clue="backwards")
def order_turned(before, after):
    return by_differences(after, before)


@wrong("02.step")
def gap_in_the_middle(before, after):
    elbo, log_px, gap = by_differences(before, after)
    return elbo, gap, log_px


@wrong("02.step")
def only_two(before, after):
    return by_differences(before, after)[:2]


@wrong("02.step")
def subtracts_in_place(before, after):
    third = by_differences(before, after)
    after -= before
    return after.mean(), *third[1:]

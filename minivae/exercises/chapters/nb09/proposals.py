"""A proposal that covers two islands."""

import numpy as np

from minivae.exercises.chapters.nb01 import log_sum_exp
from minivae.exercises.exercise import Exercise, WrongAnswer, generic, stub


def mixture_estimate(log_joint, log_a, log_b, share):
    """log (1/K sum_k p(x, z_k) / q(z_k)),  q = share a + (1 - share) b"""
    log_q = np.logaddexp(np.log(share) + log_a, np.log(1 - share) + log_b)
    log_w = log_joint - log_q
    return log_w.max() + np.log(np.exp(log_w - log_w.max()).mean())


def _cases():
    rng = np.random.default_rng(92)
    return [
        (np.array([-2.0, -3.5]), np.array([0.5, -4.0]), np.array([-3.0, 0.8]), 0.25),
        (generic(rng, 6) - 5, generic(rng, 6), generic(rng, 6), 0.7),
        (generic(rng, 6) - 1000, 2 * generic(rng, 6), 2 * generic(rng, 6), 0.4),
        (generic(rng, 6) - 3, 2 * generic(rng, 6) - 1000, 2 * generic(rng, 6) - 1001, 0.6),
        (  # islands so far apart that the other part's density is nothing, and an outlier
            np.array([-1900.2, -3.1, -2204.3, -2.6, -1800.4]),
            np.array([-0.3, -1.1, -2300.0, -1500.2, -0.8]),
            np.array([-1800.4, -1600.9, -1000.5, -0.7, -1700.1]),
            0.35,
        ),
    ]


def _naive(log_joint, log_a, log_b, share):
    with np.errstate(divide="ignore"):
        q = share * np.exp(log_a) + (1 - share) * np.exp(log_b)
        return np.log((np.exp(log_joint) / q).mean())


def _half_naive(log_joint, log_a, log_b, share):
    with np.errstate(divide="ignore"):
        log_q = np.log(share * np.exp(log_a) + (1 - share) * np.exp(log_b))
    return _mean_of_weights(log_joint - log_q)


def _mean_of_weights(log_w):
    return log_sum_exp(log_w) - np.log(len(log_w))


TWO_ISLANDS = Exercise(
    id="09.two-islands",
    title="importance sampling with a proposal of two parts",
    stub=stub("""
        def mixture_estimate(log_joint, log_a, log_b, share):    # (K,), (K,), (K,), a number
            ...    # log p(x, z_k), log a(z_k), log b(z_k), for z_k ~ share * a + (1 - share) * b
                   # -> the estimate of log p(x), one number
    """),
    reference=mixture_estimate,
    cases=_cases,
    mistakes=(
        WrongAnswer(
            "one-part",
            lambda j, a, b, s: _mean_of_weights(j - a),
            "The weight divides by a alone, but z was drawn from the mixture of a and b.",
        ),
        WrongAnswer(
            "other-part",
            lambda j, a, b, s: _mean_of_weights(j - b),
            "The weight divides by b alone, but z was drawn from the mixture of a and b.",
        ),
        WrongAnswer(
            "mean-of-logs",
            lambda j, a, b, s: _mean_of_weights(j - s * a - (1 - s) * b),
            "The density of a mixture is the mean of the densities, not of their logs.",
        ),
        WrongAnswer(
            "shares-lost",
            lambda j, a, b, s: _mean_of_weights(j - np.logaddexp(a, b)),
            "The two densities are added without their shares, which sum to one.",
        ),
        WrongAnswer(
            "shares-equal",
            lambda j, a, b, s: _mean_of_weights(j - np.logaddexp(a, b) + np.log(2)),
            "Both parts get the share 1/2; a has `share`, and b the rest.",
        ),
        WrongAnswer(
            "shares-swapped",
            lambda j, a, b, s: mixture_estimate(j, b, a, s),
            "The shares are swapped: `share` is that of a.",
        ),
        WrongAnswer(
            "elbo",
            lambda j, a, b, s: (j - np.logaddexp(np.log(s) + a, np.log(1 - s) + b)).mean(),
            "This is the mean of the log weights, the ELBO; the log of their mean is asked for.",
        ),
        WrongAnswer(
            "sum",
            lambda j, a, b, s: mixture_estimate(j, a, b, s) + np.log(len(j)),
            "This is the log of the sum of the weights; the mean divides by K.",
        ),
        WrongAnswer(
            "no-weights",
            lambda j, a, b, s: _mean_of_weights(j),
            "The joint is averaged without dividing by the density that z was drawn from.",
        ),
        WrongAnswer(
            "upside-down",
            lambda j, a, b, s: _mean_of_weights(np.logaddexp(np.log(s) + a, np.log(1 - s) + b) - j),
            "The weight is upside down: it is p(x, z) over the proposal's density.",
        ),
        WrongAnswer("naive", _naive, "exp(-1000) is 0.0: stay in logs until the end."),
        WrongAnswer(
            "naive-density",
            _half_naive,
            "With many latents log_a and log_b may both be -1000, where exp gives 0.0 and the log "
            "of their sum -inf: np.logaddexp adds in logs.",
        ),
    ),
    hints=(
        "A weight divides by the density that the sample was drawn from. Which is that here?",
        "log q = logaddexp(log share + log_a, log (1 - share) + log_b).",
        "Then the log of the mean of exp(log_joint - log_q), without underflow.",
    ),
)

"""A number that is surely below log p(x), whatever the proposals have missed."""

import numpy as np

from minivae.exercises.chapters.nb01 import log_sum_exp
from minivae.exercises.exercise import Exercise, WrongAnswer, generic, stub


def surely_below(estimates, delta):
    """Markov: the mean of the R mean weights is p(x) on average, so P(it > p(x) / delta) < delta"""
    top = estimates.max()
    return top + np.log(np.exp(estimates - top).mean()) + np.log(delta)


def _cases():
    rng = np.random.default_rng(96)
    return [
        (np.array([-2.0, -1.2]), 0.1),
        (generic(rng, 5) - 90, 0.05),
        # exp of the largest is inf if the first, the mean or the middle one is taken out
        (np.array([-2500.0, -1000.5, -1000.2, -2600.0, -2400.0]), 0.2),
    ]


def _log_mean(estimates):
    return log_sum_exp(estimates) - np.log(len(estimates))


def _naive(estimates, delta):
    with np.errstate(divide="ignore"):
        return np.log(delta * np.exp(estimates).mean())


SURELY_BELOW = Exercise(
    id="09.surely-below",
    title="a number that is surely below log p(x)",
    stub=stub("""
        def surely_below(estimates, delta):    # R estimates of log p(x), (R,); a number in (0, 1)
            ...    # -> from their mean, by Markov: above log p(x) with probability <= delta
    """),
    reference=surely_below,
    cases=_cases,
    mistakes=(
        WrongAnswer(
            "the-highest",
            lambda e, delta: e.max() + np.log(delta),
            "Markov holds for each estimate, and for their mean. The highest of R has more chances "
            "to be too high.",
        ),
        WrongAnswer(
            "each-with-its-share",
            lambda e, delta: e.max() + np.log(delta / len(e)),
            "This holds, but a higher number does too: the mean of all R is p(x) on average, so "
            "use Markov once, for the mean.",
        ),
        WrongAnswer(
            "mean-of-the-logs",
            lambda e, delta: e.mean() + np.log(delta),
            "This is lower than it need be: average the estimates of p(x), not their logs.",
        ),
        WrongAnswer(
            "on-average",
            lambda e, delta: _log_mean(e),
            "Its mean is right, but it may well lie above: delta is not used.",
        ),
        WrongAnswer(
            "sign",
            lambda e, delta: _log_mean(e) - np.log(delta),
            "The sign is wrong: a number below p(x) is delta times the estimate.",
        ),
        WrongAnswer(
            "delta-for-its-log",
            lambda e, delta: _log_mean(e) - delta,
            "p(x) is multiplied by delta; its log grows by log delta.",
        ),
        WrongAnswer(
            "one-minus-delta",
            lambda e, delta: _log_mean(e) + np.log(1 - delta),
            "Markov: it exceeds p(x) / delta with a probability of at most delta. So multiply by "
            "delta.",
        ),
        WrongAnswer(
            "sum",
            lambda e, delta: log_sum_exp(e) + np.log(delta),
            "The sum of R estimates is R p(x) on average; divide by R.",
        ),
        WrongAnswer(
            "naive",
            _naive,
            "exp(-1000) is 0.0: take the largest out first.",
        ),
    ),
    hints=(
        "A mean of weights is positive, and its average is p(x). How often can it be ten times "
        "that?",
        "Markov: a positive number exceeds its average divided by delta with a probability of at "
        "most delta. Which one number do you make of the R estimates?",
        "The mean of exp(estimates), in logs, plus log delta.",
    ),
)

"""Jensen's inequality, backwards: weights that have a given gap."""

import numpy as np

from minivae.exercises.exercise import Exercise, WrongAnswer, call_for_results, stub


def weights_with_gap(gap):
    """log 1 - (log(1 - d) + log(1 + d)) / 2 = gap, so 1 - d^2 = exp(-2 gap)"""
    d = np.sqrt(-np.expm1(-2 * gap))
    return float(1 - d), float(1 + d)


def _pair(d):
    return float(1 - d), float(1 + d)


WEIGHTS_WITH_GAP = Exercise(
    id="02.weights-with-gap",
    title="two weights with a given Jensen's gap",
    stub=stub("""
        def weights_with_gap(gap):    # log E[w] - E[log w], nats, above 0
            ...                       # -> two equally likely weights whose mean is 1: floats,
                                      #    the smaller one first
    """),
    reference=weights_with_gap,
    cases=lambda: [(0.3,), (0.04,), (2.7,)],
    observe=call_for_results(2),
    returns=("smaller weight", "larger weight"),
    mistakes=(
        WrongAnswer(
            "second-order",
            lambda gap: _pair(np.sqrt(2 * gap)),
            "This has the gap to second order, Var(w) / 2 E[w]^2; here the gap itself is asked "
            "for, log 1 - (log(1 - d) + log(1 + d)) / 2.",
        ),
        WrongAnswer(
            "half-forgotten",
            lambda gap: _pair(np.sqrt(-np.expm1(-gap))),
            "Each weight has the probability 1/2: E[log w] is half the sum of the two logs.",
        ),
        WrongAnswer(
            "root-forgotten",
            lambda gap: _pair(-np.expm1(-2 * gap)),
            "This is d^2, from (1 - d)(1 + d) = 1 - d^2: its root is missing.",
        ),
        WrongAnswer(
            "gap-as-distance",
            _pair,
            "You put the weights `gap` away from 1; the gap is a difference of logs.",
        ),
        WrongAnswer(
            "mean-of-log-zero",
            lambda gap: (float(np.exp(-gap)), float(np.exp(gap))),
            "Their logs have the mean 0, but the weights do not have the mean 1.",
        ),
        WrongAnswer(
            "larger-first",
            lambda gap: weights_with_gap(gap)[::-1],
            "The right weights, the larger one first; the smaller one should come first.",
        ),
    ),
    hints=(
        "Two weights with mean 1 lie equally far from it: 1 - d and 1 + d. Which d?",
        "log E[w] is log 1 = 0, so the gap is minus half of log(1 - d) + log(1 + d).",
        "1 - d^2 = exp(-2 gap): d = np.sqrt(1 - np.exp(-2 * gap)).",
    ),
)

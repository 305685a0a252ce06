"""Jensen's inequality as a number."""

import numpy as np

from minivae.exercises.exercise import Exercise, WrongAnswer, generic, stub


def jensen_gap(w):
    """log of the mean - mean of the log: never negative, 0 only where all w are equal"""
    return np.log(w.mean(axis=0)) - np.log(w).mean(axis=0)


def _positive_cases():
    rng = np.random.default_rng(21)
    return [
        (np.array([[1.0], [4.0]]),),
        (np.round(np.exp(generic(rng, 5, 3)), 2),),
    ]


JENSEN_GAP = Exercise(
    id="02.jensen-gap",
    title="Jensen's gap",
    stub=stub("""
        def jensen_gap(w):    # (K, B), positive -> (B,): how far the mean of the log
            ...               # lies below the log of the mean
    """),
    reference=jensen_gap,
    cases=_positive_cases,
    mistakes=(
        WrongAnswer(
            "sign",
            lambda w: -jensen_gap(w),
            "The sign is wrong: the log is concave, so the log of the mean is the larger of the "
            "two.",
        ),
        WrongAnswer(
            "log-of-mean",
            lambda w: np.log(w.mean(axis=0)),
            "This is the log of the mean alone: subtract the mean of the log.",
        ),
        WrongAnswer(
            "mean-of-log",
            lambda w: np.log(w).mean(axis=0),
            "This is the mean of the log alone: subtract it from the log of the mean.",
        ),
        WrongAnswer(
            "sum",
            lambda w: np.log(w.sum(axis=0)) - np.log(w).sum(axis=0),
            "You take sums; Jensen's inequality is about means.",
        ),
        WrongAnswer(
            "half-sum",
            lambda w: np.log(w.sum(axis=0)) - np.log(w).mean(axis=0),
            "The first term is the log of a sum, not of a mean: it is too large by log K.",
        ),
        WrongAnswer(
            "without-log",
            lambda w: w.mean(axis=0) - np.exp(np.log(w).mean(axis=0)),
            "This is the arithmetic mean minus the geometric mean; subtract their logs.",
        ),
        WrongAnswer(
            "half-variance",
            lambda w: w.var(axis=0) / (2 * w.mean(axis=0) ** 2),
            "This is the second-order approximation of the gap; it is good only where the w "
            "differ little.",
        ),
        WrongAnswer(
            "one-number",
            lambda w: np.log(w.mean()) - np.log(w).mean(),
            "You average over everything; each column has its own gap.",
        ),
    ),
    hints=(
        "Two numbers for each column, one minus the other.",
        "Average and then take the log; take the log and then average.",
        "np.log(w.mean(axis=0)) - np.log(w).mean(axis=0).",
    ),
)

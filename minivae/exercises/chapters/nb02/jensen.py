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
            "The sign is turned around: the log bends down, so the log of the mean is the larger.",
        ),
        WrongAnswer(
            "log-of-mean",
            lambda w: np.log(w.mean(axis=0)),
            "This is the log of the mean alone: subtract the mean of the log.",
        ),
        WrongAnswer(
            "mean-of-log",
            lambda w: np.log(w).mean(axis=0),
            "This is the mean of the log alone.",
        ),
        WrongAnswer(
            "sum",
            lambda w: np.log(w.sum(axis=0)) - np.log(w).sum(axis=0),
            "Sums in place of means: Jensen speaks of averages.",
        ),
        WrongAnswer(
            "half-sum",
            lambda w: np.log(w.sum(axis=0)) - np.log(w).mean(axis=0),
            "The first term is the log of a sum: log K too large.",
        ),
        WrongAnswer(
            "without-log",
            lambda w: w.mean(axis=0) - np.exp(np.log(w).mean(axis=0)),
            "This compares the means themselves (arithmetic and geometric); take the first's log.",
        ),
        WrongAnswer(
            "half-variance",
            lambda w: w.var(axis=0) / (2 * w.mean(axis=0) ** 2),
            "This is the second-order approximation of the gap, good for small scatter only.",
        ),
        WrongAnswer(
            "one-number",
            lambda w: np.log(w.mean()) - np.log(w).mean(),
            "Averaged over everything: keep the columns apart.",
        ),
    ),
    hints=(
        "Two numbers for each column, one minus the other.",
        "Average and then take the log; take the log and then average.",
        "np.log(w.mean(axis=0)) - np.log(w).mean(axis=0).",
    ),
)

"""Sums of exponentials, given as logs."""

import numpy as np

from minivae.exercises.exercise import Exercise, WrongAnswer, generic, stub


def log_sum_exp(a):
    """log sum_k exp(a_k), with the largest a_k taken out first"""
    top = a.max(axis=0)
    return top + np.log(np.exp(a - top).sum(axis=0))


def _log_sum_exp_cases():
    rng = np.random.default_rng(1)
    return [
        (np.array([[0.5], [-0.3]]),),
        (generic(rng, 4, 3),),
        (generic(rng, 3, 2) - np.array([1000.0, 2.0]),),
        (generic(rng, 3, 2) + np.array([1000.0, 0.0]),),
    ]


def _naive(a):
    return np.log(np.exp(a).sum(axis=0))


LOG_SUM_EXP = Exercise(
    id="01.log-sum-exp",
    title="the log of a sum of exponentials",
    stub=stub("""
        def log_sum_exp(a):    # (K, B) -> (B,): log of the sum over k of exp(a[k])
            ...                # entries of -1000 and 1000 must work
    """),
    reference=log_sum_exp,
    cases=_log_sum_exp_cases,
    package=lambda exact: lambda a: exact.log_sum_exp(a, axis=0),
    module="exact",
    mistakes=(
        WrongAnswer(
            "naive",
            _naive,
            "exp(-1000) is 0.0 and exp(1000) is infinite: subtract the largest entry first, and "
            "add it again after the log.",
        ),
        WrongAnswer(
            "top-not-added",
            lambda a: np.log(np.exp(a - a.max(axis=0)).sum(axis=0)),
            "The largest entry was subtracted, but never added again.",
        ),
        WrongAnswer(
            "wrong-axis",
            lambda a: log_sum_exp(a.T),
            "You sum over the columns (axis 1); sum over axis 0.",
        ),
        WrongAnswer(
            "one-top",
            lambda a: a.max() + np.log(np.exp(a - a.max()).sum(axis=0)),
            "You subtract one maximum from the whole array: a column that is 1000 smaller "
            "underflows to 0. Each column needs its own maximum.",
        ),
        WrongAnswer(
            "maximum",
            lambda a: a.max(axis=0),
            "This is the maximum alone; the other terms count too.",
        ),
        WrongAnswer(
            "mean",
            lambda a: log_sum_exp(a) - np.log(len(a)),
            "This is the log of the mean: log K is subtracted.",
        ),
        WrongAnswer(
            "sum-of-logs",
            lambda a: a.sum(axis=0),
            "This is the sum of the a: log and exp do not cancel through a sum.",
        ),
        WrongAnswer(
            "floor-inside",
            lambda a: np.log(np.exp(a).sum(axis=0) + 1e-300),
            "A small number inside the log turns every underflow into -690, which is finite but "
            "wrong.",
        ),
    ),
    hints=(
        "exp(-1000) is 0.0 in float64. Which number could you take out of the sum first?",
        "log sum exp(a) = m + log sum exp(a - m), for every m.",
        "m = a.max(axis=0); m + np.log(np.exp(a - m).sum(axis=0)).",
    ),
)

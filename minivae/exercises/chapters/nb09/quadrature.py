"""A sum on a grid that is refined until it holds."""

import math
from collections.abc import Callable

import numpy as np

from minivae.exercises.chapters.nb01 import log_sum_exp
from minivae.exercises.exercise import Exercise, WrongAnswer, stub


def log_bump(z, middle, sd):
    """log N(z; middle, sd^2): z (N,) -> (N,)"""
    return -(((z - middle) / sd) ** 2 + np.log(2 * np.pi)) / 2 - np.log(sd)


def wide_peak(z):
    return log_bump(z, 0.3, 0.8) - 3.5


def low_peak(z):
    return log_bump(z, -1.2, 0.1) - 1000.5


def narrow_peaks(z):
    left, right = log_bump(z, -1.22, 0.02), log_bump(z, -0.15, 0.01)
    return np.logaddexp(left + np.log(0.65), right + np.log(0.35)) - 20.5


def needle(z):
    return log_bump(z, 2.345678, 2e-5) - 7.25


def cut_off(z):
    """Two hills that the ends of the box cut through."""
    return np.logaddexp(log_bump(z, -5.8, 0.3), log_bump(z, 6.2, 0.4)) - 40


def tent(z):
    """A kink: here the sum nears the integral only like h^2."""
    return -abs(z - 0.37) / 0.3 - np.log(0.6) - 2.0


def below(sds):
    """The mass of N(0, 1) below so many standard deviations."""
    return (1 + math.erf(sds / math.sqrt(2))) / 2


# The logs of the integrals, which no answer sees.
LOG_INTEGRALS = {
    wide_peak: -3.5,
    low_peak: -1000.5,
    narrow_peaks: -20.5,
    cut_off: math.log(below(0.2 / 0.3) + below(-0.2 / 0.4)) - 40,
    tent: -2.0,
    needle: -7.25,
}
MOST = 100_000  # heights that may be asked for where a few hundred are enough


def _cases() -> list[tuple[Callable, float]]:
    return [
        (wide_peak, 0.01),
        (low_peak, 0.01),
        (narrow_peaks, 0.01),
        (cut_off, 0.01),
        (tent, 1e-4),
        (needle, 0.001),
    ]


def _observed(answer, log_f, tolerance):
    """The answer, or the log integral itself if it is within the tolerance; heights too many."""
    asked = 0

    def counted(z):
        nonlocal asked
        asked += np.size(z)
        return log_f(z)

    found, right = answer(counted, tolerance), LOG_INTEGRALS[log_f]
    number = isinstance(found, int | float | np.number) or isinstance(found, np.ndarray)
    near = number and np.ndim(found) == 0 and abs(found - right) <= tolerance
    too_many = max(0, asked - MOST) if log_f is wide_peak else 0
    return np.float64(right) if near else found, too_many


def refined_log_integral(log_f, tolerance):
    """log sum exp(log f) + log h on grids over [-6, 6], h halved until the answer stands still"""
    h, before = 0.5, np.inf
    while True:
        z = np.arange(-6 + h / 2, 6, h)
        heights = log_f(z)
        top = heights.max()
        now = top + np.log(np.exp(heights - top).sum()) + np.log(h)
        if abs(now - before) < tolerance:
            return now
        h, before = h / 2, now


def on_grid(log_f, h):
    """The log integral on one grid over [-6, 6]."""
    return log_sum_exp(log_f(np.arange(-6 + h / 2, 6, h))) + np.log(h)


def _naive(log_f, tolerance):
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.log(np.exp(log_f(np.arange(-5.9995, 6, 0.001))).sum() * 0.001)


REFINE = Exercise(
    id="09.refine",
    title="refine a grid until it holds",
    stub=stub("""
        def refined_log_integral(log_f, tolerance):    # log_f: z (N,) -> log f(z) (N,)
            ...    # -> log of the integral of f over [-6, 6], off by less than the tolerance
    """),
    reference=refined_log_integral,
    cases=_cases,
    observe=_observed,
    returns=("log of the integral", f"heights asked for beyond {MOST:,}"),
    mistakes=(
        WrongAnswer(
            "one-coarse-grid",
            lambda log_f, tolerance: on_grid(log_f, 0.2),
            "One grid, and nothing asks whether it is fine enough: halve its step and compare.",
        ),
        WrongAnswer(
            "halved-once",
            lambda log_f, tolerance: on_grid(log_f, 0.25),
            "The step is halved once; go on until halving it changes nothing.",
        ),
        WrongAnswer(
            "one-fine-grid",
            lambda log_f, tolerance: on_grid(log_f, 0.001),
            "One grid, and this function is narrower than its step. How fine is fine enough? Halve "
            "the step until nothing changes.",
        ),
        WrongAnswer(
            "one-finest-grid",
            lambda log_f, tolerance: on_grid(log_f, 1e-5),
            "One grid so fine that a wide function costs a million heights. Start coarse, and let "
            "the function say how fine.",
        ),
        WrongAnswer(
            "tolerance-ignored",
            lambda log_f, tolerance: refined_log_integral(log_f, 0.01),
            "The tolerance is an argument; you stop at one of your own.",
        ),
        WrongAnswer(
            "naive",
            _naive,
            "exp(-1000) is 0.0: sum with log-sum-exp.",
        ),
        WrongAnswer(
            "width-lost",
            lambda log_f, tolerance: log_sum_exp(log_f(np.arange(-5.9995, 6, 0.001))),
            "The width of a cell is missing: add log h.",
        ),
        WrongAnswer(
            "mean-for-integral",
            lambda log_f, tolerance: refined_log_integral(log_f, tolerance) - np.log(12),
            "This is the log of the mean over [-6, 6]; the integral is 12 times the mean.",
        ),
        WrongAnswer(
            "half-the-box",
            lambda log_f, tolerance: (
                log_sum_exp(log_f(np.arange(0.0005, 6, 0.001))) + np.log(0.001)
            ),
            "This sums over [0, 6]; the box is [-6, 6].",
        ),
        WrongAnswer(
            "not-the-log",
            lambda log_f, tolerance: np.exp(refined_log_integral(log_f, tolerance)),
            "This is the integral; its log is asked for.",
        ),
    ),
    hints=(
        "Write the sum for one step h first; then a loop that halves h.",
        "Middles of cells: np.arange(-6 + h / 2, 6, h); log-sum-exp of log_f there, plus log h.",
        "Keep the answer before: stop when abs(now - before) < tolerance, else halve h.",
    ),
)

"""What can be known at all: of one factor, of several at once, and in which unit."""

import numpy as np

from minivae.exercises.exercise import Exercise, WrongAnswer, stub

# ---- 10.information ------------------------------------------------------------------------------


def information(dm, ds, s):
    """score = (x - m) m' / s^2 + ((x - m)^2 / s^2 - 1) s' / s; its variance, added over the pixels.

    (x - m) and (x - m)^2 are uncorrelated, and (x - m)^2 / s^2 has the variance 2.
    """
    return float(((dm**2 + 2 * ds**2) / s**2).sum())


def _information_cases():
    return [
        (np.array([0.4]), np.array([0.3]), np.array([0.5])),
        (np.array([0.8, -0.2, 0.0]), np.array([0.1, 0.4, -0.3]), np.array([0.6, 0.3, 1.5])),
        (np.array([0.3, 1.1]), np.array([0.0, 0.0]), np.array([0.4, 2.0])),
    ]


INFORMATION = Exercise(
    id="10.information",
    title="when the noise tells, too",
    stub=stub("""
        def information(dm, ds, s):    # dm/dv, ds/dv and s of each pixel, at v: (D,) each
            ...                        # -> the Fisher information of the picture about v
    """),
    reference=information,
    cases=_information_cases,
    mistakes=(
        WrongAnswer(
            "means-alone",
            lambda dm, ds, s: float((dm**2 / s**2).sum()),
            "Only the means tell here. How strong the noise is depends on v as well.",
        ),
        WrongAnswer(
            "noise-once",
            lambda dm, ds, s: float(((dm**2 + ds**2) / s**2).sum()),
            "The variance of ((x - m) / s)^2 is 2, not 1: the fourth moment is 3.",
        ),
        WrongAnswer(
            "noise-three",
            lambda dm, ds, s: float(((dm**2 + 3 * ds**2) / s**2).sum()),
            "3 is the fourth moment of a standard Gaussian; the variance of its square is 3 - 1.",
        ),
        WrongAnswer(
            "slope-of-the-variance",
            lambda dm, ds, s: float((dm**2 / s**2 + ds**2 / (2 * s**4)).sum()),
            "This is the formula for the slope of the variance; ds is that of the sd.",
        ),
        WrongAnswer(
            "squared-sum",
            lambda dm, ds, s: float(((dm + 2**0.5 * ds) ** 2 / s**2).sum()),
            "x - m and (x - m)^2 are uncorrelated: their variances add, without a cross term.",
        ),
        WrongAnswer(
            "sd",
            lambda dm, ds, s: float(((dm**2 + 2 * ds**2) / s**2).sum() ** -0.5),
            "This is the bound on the sd; asked for is the information.",
        ),
        WrongAnswer(
            "mean-over-pixels",
            lambda dm, ds, s: float(((dm**2 + 2 * ds**2) / s**2).mean()),
            "Independent pixels add their information: sum over them, do not average.",
        ),
        WrongAnswer(
            "noise-not-squared",
            lambda dm, ds, s: float(((dm**2 + 2 * ds**2) / s).sum()),
            "s is the standard deviation; the slope is measured in units of it, and squared.",
        ),
    ),
    hints=(
        "Write log p of one pixel with m(v) and s(v), and differentiate by v: two kinds of terms.",
        "The slope is (x - m) m' / s^2 + ((x - m)^2 / s^2 - 1) s' / s. What is its variance?",
        "(x - m) / s is a standard Gaussian e: var(e m' / s + (e^2 - 1) s' / s); var(e^2) is 2.",
    ),
)

# ---- 10.needed-r2 --------------------------------------------------------------------------------


def needed_r2(share, ceiling):
    """The entropy falls by -log(1 - R^2) / 2 nats when the variance falls to 1 - R^2 of itself"""
    return float(1 - np.exp(-2 * share * ceiling))


def _needed_cases():
    return [(0.5, 2.0), (0.5, 0.7), (0.25, 1.1), (0.8, 1.5)]


NEEDED_R2 = Exercise(
    id="10.needed-r2",
    title="how hard is the bar?",
    stub=stub("""
        def needed_r2(share, ceiling):    # ceiling: nats, before any bins
            ...                           # -> the R^2 whose nats are that share of the ceiling
    """),
    reference=needed_r2,
    cases=_needed_cases,
    mistakes=(
        WrongAnswer(
            "entropy-of-the-variance",
            lambda share, ceiling: float(1 - np.exp(-share * ceiling)),
            "A Gaussian's entropy is log(variance) / 2 + a constant: the half is missing.",
        ),
        WrongAnswer(
            "unexplained",
            lambda share, ceiling: float(np.exp(-2 * share * ceiling)),
            "This is the part of the variance that stays unexplained, 1 - R^2.",
        ),
        WrongAnswer(
            "correlation",
            lambda share, ceiling: float(np.sqrt(1 - np.exp(-2 * share * ceiling))),
            "This is the correlation R; asked for is its square.",
        ),
        WrongAnswer(
            "bits",
            lambda share, ceiling: float(1 - 2.0 ** (-2 * share * ceiling)),
            "The ceiling is in nats: e, not 2.",
        ),
        WrongAnswer(
            "share-of-r2",
            lambda share, ceiling: float(share * (1 - np.exp(-2 * ceiling))),
            "This is a share of the ceiling's R^2; half of the nats is much more than half of R^2.",
        ),
        WrongAnswer(
            "the-share-itself",
            lambda share, ceiling: float(share),
            "Nats and R^2 are not proportional: see how the entropy of a Gaussian depends on its "
            "variance.",
        ),
    ),
    hints=(
        "I(v; c) = H(v) - H(v | c). For Gaussians, how does H depend on the variance?",
        "Once c is known, v has the variance (1 - R^2) var(v), so I = -log(1 - R^2) / 2.",
        "Solve share * ceiling = -log(1 - R^2) / 2 for R^2.",
    ),
)

# ---- 10.how-many ---------------------------------------------------------------------------------


def how_many(kl, ceilings, share):
    """sum_f I(v_f; z) <= I(v; z) <= KL, so the cheapest factors go first"""
    bars = np.sort(share * np.asarray(ceilings))
    return int((np.cumsum(bars) <= kl).sum())


def _many_cases():
    # 3 and 5, so that no wrong count is twice or half the right one
    return [
        (2.0, np.array([3.0, 1.0, 1.5, 1.25]), 0.5),
        (2.75, np.array([4.0, 1.0, 1.0, 1.0]), 0.5),  # all but the dearest
        (4.5, np.array([2.0, 1.0, 2.5, 2.25, 1.25, 2.75]), 0.5),  # five cost exactly 4.5
        (9.0, np.array([4.0, 3.0, 3.5]), 0.75),  # all
        (1.75, np.array([2.0, 1.0, 3.0, 8.0]), 0.25),
        (0.4, np.array([2.0, 1.5, 3.0]), 0.5),  # none
    ]


HOW_MANY = Exercise(
    id="10.how-many",
    title="how many factors can pass?",
    stub=stub("""
        def how_many(kl, ceilings, share):    # nats of the code; nats of each factor (F,)
            ...    # -> how many factors, at most, can all have that share of their ceiling, an int
    """),
    reference=how_many,
    cases=_many_cases,
    mistakes=(
        WrongAnswer(
            "each-alone",
            lambda kl, ceilings, share: int((share * ceilings <= kl).sum()),
            "Each of these could pass alone. The factors are independent: they share one budget.",
        ),
        WrongAnswer(
            "in-the-given-order",
            lambda kl, ceilings, share: int((np.cumsum(share * ceilings) <= kl).sum()),
            "A code may choose its factors: the cheapest first, not the first in the list.",
        ),
        WrongAnswer(
            "dearest-first",
            lambda kl, ceilings, share: int(
                (np.cumsum(np.sort(share * ceilings)[::-1]) <= kl).sum()
            ),
            "The dearest factors are served first here; the cheapest leave room for more.",
        ),
        WrongAnswer(
            "whole-ceilings",
            lambda kl, ceilings, share: int((np.cumsum(np.sort(ceilings)) <= kl).sum()),
            "To pass, a factor needs only that share of its ceiling.",
        ),
        WrongAnswer(
            "mean-bar",
            lambda kl, ceilings, share: int(kl // (share * ceilings.mean())),
            "The bars differ: with the mean bar you miss what the cheap factors leave.",
        ),
    ),
    hints=(
        "What do several independent factors cost a code together?",
        "Their nats add up, and the sum is at most the KL. Which factors would you choose first?",
        "Sort share * ceilings, add up, and count how many partial sums are at most the KL.",
    ),
)

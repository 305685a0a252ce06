"""What can be known at all: the ideal observer of one factor, and the limits of a share."""

import numpy as np

from minivae.exercises.exercise import Exercise, WrongAnswer, stub

# ---- 10.ideal-observer ---------------------------------------------------------------------------


def ideal_observer(up, down, step):
    """1 / sqrt(sum_d (dp/dv)^2 / (p (1 - p))), p halfway between the two drawings"""
    p = (up + down) / 2
    slope = (up - down) / (2 * step)
    return float(np.sum(slope**2 / (p * (1 - p))) ** -0.5)


def _observer_cases():
    return [
        (np.array([0.6]), np.array([0.4]), 0.5),
        (np.array([0.7, 0.2, 0.5]), np.array([0.3, 0.4, 0.5]), 0.25),
        (np.array([0.9, 0.15, 0.35, 0.6]), np.array([0.8, 0.25, 0.3, 0.9]), 0.1),
    ]


def _parts(up, down, step):
    p = (up + down) / 2
    return p, (up - down) / (2 * step)


IDEAL_OBSERVER = Exercise(
    id="10.ideal-observer",
    title="the ideal observer for one factor",
    stub=stub("""
        def ideal_observer(up, down, step):    # p(x = 1) of each pixel at v + step, v - step: (D,)
            ...                                # -> the smallest sd of an unbiased estimate of v
    """),
    reference=ideal_observer,
    cases=_observer_cases,
    mistakes=(
        WrongAnswer(
            "one-step",
            lambda up, down, step: ideal_observer(up, down, step / 2),
            "The two drawings are two steps apart: divide their difference by 2 step.",
        ),
        WrongAnswer(
            "variance",
            lambda up, down, step: ideal_observer(up, down, step) ** 2,
            "This is the variance; the standard deviation is its root.",
        ),
        WrongAnswer(
            "information",
            lambda up, down, step: ideal_observer(up, down, step) ** -2,
            "This is the information; the sd is 1 over its root.",
        ),
        WrongAnswer(
            "no-variance-of-pixels",
            lambda up, down, step: float(np.sum(_parts(up, down, step)[1] ** 2) ** -0.5),
            "Every pixel counts the same here; a pixel that is nearly certain tells more: divide "
            "by p (1 - p).",
        ),
        WrongAnswer(
            "gaussian-sd",
            lambda up, down, step: float(
                np.sum(
                    _parts(up, down, step)[1] ** 2
                    / np.sqrt(_parts(up, down, step)[0] * (1 - _parts(up, down, step)[0]))
                )
                ** -0.5
            ),
            "The root of p (1 - p) is a coin flip's sd; the information has its variance.",
        ),
        WrongAnswer(
            "mean-over-pixels",
            lambda up, down, step: ideal_observer(up, down, step) * len(up) ** 0.5,
            "Independent pixels add their information: sum over them, do not average.",
        ),
        WrongAnswer(
            "at-one-end",
            lambda up, down, step: float(
                np.sum(_parts(up, down, step)[1] ** 2 / (up * (1 - up))) ** -0.5
            ),
            "p is taken at v + step; at v itself it is about the mean of the two drawings.",
        ),
    ),
    hints=(
        "How far does each pixel's p move when v moves by 1?",
        "Square that slope, divide by the coin flip's variance p (1 - p), add over the pixels.",
        "p = (up + down) / 2, slope = (up - down) / (2 * step), (slope**2 / (p*(1-p))).sum()**-0.5",
    ),
)

# ---- 10.largest-share ----------------------------------------------------------------------------


def largest_share(kl, ceiling, bins):
    """I(v; c) <= I(v; z) <= I(x; z) <= KL, <= what the picture tells, and <= log bins"""
    return min(kl, ceiling, np.log(bins)) / np.log(bins)


def _share_cases():
    return [(1.5, 2.0, 20), (2.5, 1.0, 20), (9.0, 5.0, 5), (0.7, 0.9, 40)]


LARGEST_SHARE = Exercise(
    id="10.largest-share",
    title="the largest share that a code can reach",
    stub=stub("""
        def largest_share(kl, ceiling, bins):    # nats: of the code, of the ideal observer; bins
            ...                                  # of equal mass -> the largest I(v; c) / H(v)
    """),
    reference=largest_share,
    cases=_share_cases,
    mistakes=(
        WrongAnswer(
            "kl-alone",
            lambda kl, ceiling, bins: min(1.0, kl / np.log(bins)),
            "The picture is noisy: the code cannot tell more than the ideal observer reads off it.",
        ),
        WrongAnswer(
            "ceiling-alone",
            lambda kl, ceiling, bins: min(1.0, ceiling / np.log(bins)),
            "The code has a price: it cannot carry more nats than its KL.",
        ),
        WrongAnswer(
            "above-one",
            lambda kl, ceiling, bins: min(kl, ceiling) / np.log(bins),
            "A share is at most 1: a factor has no more than log(bins) nats in these bins.",
        ),
        WrongAnswer(
            "not-log",
            lambda kl, ceiling, bins: min(kl, ceiling, bins) / bins,
            "The entropy of bins of equal mass is the log of their number.",
        ),
        WrongAnswer(
            "of-the-ceiling",
            lambda kl, ceiling, bins: min(kl, ceiling, np.log(bins)) / ceiling,
            "This is a share of the ceiling; asked for is I / H(v), a share of the entropy.",
        ),
        WrongAnswer(
            "bits",
            lambda kl, ceiling, bins: min(1.0, min(kl, ceiling) / np.log2(bins)),
            "KL and ceiling are nats, so the entropy has to be, too: the natural logarithm.",
        ),
    ),
    hints=(
        "Which three quantities can I(v; c) never exceed?",
        "The code's KL, what the picture tells, and the entropy of the binned factor.",
        "min(kl, ceiling, np.log(bins)) / np.log(bins).",
    ),
)

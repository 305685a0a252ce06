"""The KL's weight beta: its warm-up, and a beta that is set by accident."""

import numpy as np

from minivae.exercises.exercise import Exercise, WrongAnswer, stub

# ---- 07.warmup -----------------------------------------------------------------------------------


def warmed_up_beta(step, warmup, beta):
    """beta min(1, step / warmup), and beta itself without a warm-up     [notebook 07, eq. 5]"""
    if warmup == 0:
        return beta
    return beta * min(1.0, step / warmup)


def _warmup_cases():
    warm = [(5, 10, 1.0), (0, 10, 1.0), (25, 10, 4.0), (3, 10, 4.0), (10, 10, 2.0)]
    return [*warm, (3, 0, 2.0), (0, 0, 2.0)]


WARMUP = Exercise(
    id="07.warmup",
    title="a warm-up of the KL's weight",
    stub=stub("""
        def warmed_up_beta(step, warmup, beta):    # from 0 at step 0, linearly, to beta at `warmup`
            ...                                    # and after; warmup = 0 means none -> float
    """),
    reference=warmed_up_beta,
    cases=_warmup_cases,
    mistakes=(
        WrongAnswer(
            "no-ceiling",
            lambda step, warmup, beta: beta * step / warmup if warmup else beta,
            "It keeps growing after the warm-up: use min(1, ...).",
        ),
        WrongAnswer(
            "one-is-the-ceiling",
            lambda step, warmup, beta: min(1.0, beta * step / warmup) if warmup else beta,
            "It never exceeds 1, whatever beta is: take the min of step / warmup alone.",
        ),
        WrongAnswer(
            "beta-is-the-ceiling",
            lambda step, warmup, beta: min(beta, step / warmup) if warmup else beta,
            "It rises by 1 / warmup per step, so it reaches a beta above 1 too late.",
        ),
        WrongAnswer(
            "falls",
            lambda step, warmup, beta: beta * max(0.0, 1 - step / warmup) if warmup else beta,
            "It falls to 0; a warm-up starts at 0, with the likelihood alone, and rises.",
        ),
        WrongAnswer(
            "switch",
            lambda step, warmup, beta: beta if step >= warmup else 0.0,
            "It jumps from 0 to beta; it should rise linearly.",
        ),
        WrongAnswer(
            "divides-by-zero",
            lambda step, warmup, beta: beta * min(1.0, step / warmup),
            "With warmup = 0 this divides by 0.",
        ),
        WrongAnswer(
            "one-step-of-warmup",
            lambda step, warmup, beta: beta * min(1.0, step / max(warmup, 1)),
            "With warmup = 0 the result should be beta from step 0 on.",
        ),
        WrongAnswer(
            "no-beta",
            lambda step, warmup, beta: min(1.0, step / warmup) if warmup else 1.0,
            "beta is not used: the result should end at beta.",
        ),
    ),
    hints=(
        "A fraction that rises from 0 to 1, times beta.",
        "step / warmup, but at most 1; and warmup may be 0.",
        "beta if warmup == 0 else beta * min(1.0, step / warmup).",
    ),
)

# ---- 07.silent-beta ------------------------------------------------------------------------------


def _judge_beta(answer):
    if isinstance(answer, bool) or not isinstance(answer, int | float | np.number):
        return "expected one number"
    if not abs(answer - 3.92) <= 0.005:
        return "expected the beta in: loss = a constant times (nll + beta kl), nll and kl as sums"
    return None


SILENT_BETA = Exercise(
    id="07.silent-beta",
    title="a beta that nobody chose",
    stub=stub("""
        # A course writes loss = nll.mean() + kl.mean(), where nll is the mean over 784 pixels and
        # kl the mean over 200 latents. Up to a constant factor this is nll + beta kl in nats per
        # example. Which beta?
        silent_beta = ...
    """),
    reference=784 / 200,
    judge=_judge_beta,
    mistakes=(
        WrongAnswer(
            "upside-down",
            200 / 784,
            "nll / 784 + kl / 200 = (nll + beta kl) / 784: multiply both by 784, not by 200.",
        ),
        WrongAnswer(
            "one", 1, "The two are divided by different numbers, so their balance changes."
        ),
        WrongAnswer("latents", 1 / 200, "That is the KL's factor; the nll has one too, 1/784."),
        WrongAnswer("pixels", 784, "That is the nll's factor; the KL has one too, 1/200."),
        WrongAnswer("product", 784 * 200, "One is divided by the other: 784 / 200."),
    ),
    hints=(
        "Write the loss with the sums: nll / 784 + kl / 200.",
        "Factor out 1/784.",
        "784 / 200.",
    ),
    solution_text=stub("""
        silent_beta = 784 / 200
        # nll / 784 + kl / 200 = (nll + 784 / 200 kl) / 784: the KL counts 3.92 times.
    """),
)

"""The effective number of samples."""

import numpy as np

from minivae.exercises.chapters.nb01 import log_sum_exp
from minivae.exercises.chapters.nb09.iwae import iwae_weights, log_weight_cases
from minivae.exercises.exercise import Exercise, WrongAnswer, stub


def effective_samples(log_w):
    """(sum w)^2 / sum w^2, between 1 and K"""
    w = np.exp(log_w - log_w.max(axis=0))
    return w.sum(axis=0) ** 2 / (w**2).sum(axis=0)


EFFECTIVE_SAMPLES = Exercise(
    id="09.effective-samples",
    title="how many of the K samples really count",
    stub=stub("""
        def effective_samples(log_w):    # (K, B) -> (B,): (sum of w)^2 over the sum of w^2
            ...
    """),
    reference=effective_samples,
    cases=log_weight_cases,
    package=lambda evaluate: lambda log_w: evaluate.summarise_weights([log_w], len(log_w))[2],
    module="evaluate",
    mistakes=(
        WrongAnswer(
            "naive",
            lambda log_w: np.exp(log_w).sum(axis=0) ** 2 / (np.exp(log_w) ** 2).sum(axis=0),
            "exp(-1000) is 0.0, and 0 / 0 is NaN; subtract the largest first, as a common factor "
            "cancels.",
        ),
        WrongAnswer(
            "share",
            lambda log_w: effective_samples(log_w) / len(log_w),
            "This is the number divided by K; the number itself lies between 1 and K.",
        ),
        WrongAnswer(
            "upside-down",
            lambda log_w: 1 / effective_samples(log_w),
            "The fraction is upside down: with equal weights it must be K.",
        ),
        WrongAnswer(
            "not-squared",
            lambda log_w: (
                np.exp(log_w - log_w.max(axis=0)).sum(axis=0)
                / np.exp(2 * (log_w - log_w.max(axis=0))).sum(axis=0)
            ),
            "The sum in the numerator is not squared.",
        ),
        WrongAnswer(
            "of-the-logs",
            lambda log_w: log_w.sum(axis=0) ** 2 / (log_w**2).sum(axis=0),
            "This uses the logs where the weights belong.",
        ),
        WrongAnswer(
            "sum-over-best",
            lambda log_w: np.exp(log_w - log_w.max(axis=0)).sum(axis=0),
            "The sum divided by the largest is another measure; this one is (sum w)^2 / sum w^2.",
        ),
        WrongAnswer(
            "over-images",
            lambda log_w: effective_samples(log_w.T),
            "This sums over the images; the samples are along axis 0.",
        ),
        WrongAnswer(
            "perplexity",
            lambda log_w: np.exp(-(iwae_weights(log_w) * (log_w - log_sum_exp(log_w))).sum(axis=0)),
            "The exponential of the entropy is another measure; this one is (sum w)^2 / sum w^2.",
        ),
    ),
    hints=(
        "Equal weights give K; one weight far above the others gives 1.",
        "A common factor cancels, so exp(log_w - max) is enough.",
        "w.sum(axis=0) ** 2 / (w ** 2).sum(axis=0).",
    ),
)

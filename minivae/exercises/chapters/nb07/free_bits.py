"""The gradient of free bits."""

import numpy as np

from minivae.exercises.exercise import Exercise, WrongAnswer, planted, stub
from minivae.vae import Spec


def free_bits_backward(kl, beta, free_bits):
    """d loss / d kl: beta / B for a latent above its floor, else 0"""
    above = kl.mean(axis=0) > free_bits
    return beta / len(kl) * above


def _cases():
    kl = np.array([[0.01, 1.4, 0.9], [0.03, 2.2, 0.2], [0.02, 0.8, 0.1], [0.07, 1.9, 0.3]])
    rare = np.array([[0.1, 0.6], [0.2, 0.7], [0.3, 0.0], [1.9, 0.6]])  # a mean above, a median
    pair = np.array([[0.3, 0.9], [0.4, 0.2]])  # another B: a 4 written in does not do
    low = np.array([[0.3]])
    return [(kl, 4.0, 0.5), (kl, 1.0, 0.0), (low, 1.0, 0.5), (pair, 1.0, 0.5), (rare, 2.0, 0.5)]


def _package(vae):
    def own(kl, beta, free_bits):
        spec = Spec(data_dim=1, hidden=(), latent_dim=kl.shape[1], free_bits=free_bits)
        return vae.elbo_loss(np.zeros(len(kl)), kl, beta, spec)[1]

    return own


FREE_BITS_BACKWARD = Exercise(
    id="07.free-bits-backward",
    title="the gradient of free bits",
    stub=stub("""
        def free_bits_backward(kl, beta, free_bits):    # (B, L), floats
            ...                                         # -> dkl (L,), the same for each example
    """),
    reference=free_bits_backward,
    cases=_cases,
    package=_package,
    module="vae",
    mistakes=(
        *planted(
            _package,
            "elbo-beta-forgotten-in-gradient",
            "free-bits-gradient-not-gated",
            "free-bits-gate-inverted",
        ),
        WrongAnswer(
            "batch-forgotten",
            lambda kl, beta, free_bits: beta * (kl.mean(axis=0) > free_bits),
            "The 1/B of the batch mean is missing.",
        ),
        WrongAnswer(
            "batch-written-in",
            lambda kl, beta, free_bits: beta / 4 * (kl.mean(axis=0) > free_bits),
            "The batch size is written in as 4: it is len(kl).",
        ),
        WrongAnswer(
            "gate-per-example",
            lambda kl, beta, free_bits: beta / len(kl) * (kl > free_bits),
            "This compares each example's KL with free_bits; compare each latent's batch mean.",
        ),
        WrongAnswer(
            "gate-on-the-median",
            lambda kl, beta, free_bits: beta / len(kl) * (np.median(kl, axis=0) > free_bits),
            "This compares the median over the batch with free_bits; eq. (6) has the mean there.",
        ),
        WrongAnswer(
            "over-latents",
            lambda kl, beta, free_bits: beta / kl.shape[1] * (kl.mean(axis=0) > free_bits),
            "This divides by L; the mean is over the batch, so divide by B.",
        ),
        WrongAnswer(
            "kl-itself",
            lambda kl, beta, free_bits: beta / len(kl) * np.maximum(kl.mean(axis=0) - free_bits, 0),
            "The slope of max(a, c) is 0 or 1, not a - c.",
        ),
        WrongAnswer(
            "gate-on-the-sum",
            lambda kl, beta, free_bits: np.full(
                kl.shape[1], beta / len(kl) * (kl.mean(axis=0).sum() > free_bits)
            ),
            "This compares the sum over the latents with free_bits; each latent has its own floor.",
        ),
    ),
    hints=(
        "What is the derivative of max(a, c) with respect to a?",
        "0 below the floor and 1 above it, times beta and the 1/B of the mean.",
        "beta / len(kl) * (kl.mean(axis=0) > free_bits).",
    ),
)

"""What a number of nats is worth, as evidence and as code length."""

import numpy as np

from minivae.exercises.exercise import Exercise, WrongAnswer, stub


def draws_and_bits(mu, logvar):
    """log 1000 / KL(p || q) draws, KL(p || q) / log 2 bits: the draws come from p = N(0, 1)"""
    kl = 0.5 * ((1 + mu**2) * np.exp(-logvar) - 1 + logvar)
    return np.log(1000) / kl, kl / np.log(2)


def _of_q(mu, logvar):
    """KL(q || p), nats: the other direction."""
    return 0.5 * (mu**2 + np.exp(logvar) - 1 - logvar)


def _of_p(mu, logvar):
    return draws_and_bits(mu, logvar)[1] * np.log(2)


EVIDENCE = Exercise(
    id="03.evidence",
    title="what a KL is worth, as evidence and as code length",
    stub=stub("""
        def draws_and_bits(mu, logvar):    # q = N(mu, exp(logvar)), one latent: two floats
            ...    # Even odds at first; the draws come from p = N(0, 1). -> after how many draws
                   #    the log odds for p are log 1000 on average (a float), and how many bits a
                   #    draw a code made for q wastes
    """),
    reference=draws_and_bits,
    cases=lambda: [(1.5, -1.4), (0.0, 0.9), (-0.7, 0.4), (2.3, -0.3)],
    fresh=lambda rng: (float(np.round(rng.normal(), 2)), float(np.round(rng.normal(), 2))),
    returns=("the draws", "the bits"),
    mistakes=(
        WrongAnswer(
            "other-direction",
            lambda mu, logvar: (
                np.log(1000) / _of_q(mu, logvar),
                _of_q(mu, logvar) / np.log(2),
            ),
            "You average the log ratio over q, as eq. (2) does; these draws come from p.",
        ),
        WrongAnswer(
            "other-direction-for-the-draws",
            lambda mu, logvar: (np.log(1000) / _of_q(mu, logvar), draws_and_bits(mu, logvar)[1]),
            "The bits are right; for the evidence too the draws come from p, so average over p.",
        ),
        WrongAnswer(
            "other-direction-for-the-bits",
            lambda mu, logvar: (draws_and_bits(mu, logvar)[0], _of_q(mu, logvar) / np.log(2)),
            "The draws are right; the waste too is an average over p.",
        ),
        WrongAnswer(
            "nats",
            lambda mu, logvar: (draws_and_bits(mu, logvar)[0], _of_p(mu, logvar)),
            "The waste is in nats: divide by log 2 for bits.",
        ),
        WrongAnswer(
            "times-log-2",
            lambda mu, logvar: (draws_and_bits(mu, logvar)[0], _of_p(mu, logvar) * np.log(2)),
            "A bit is log 2 nats, so a number of nats is divided by log 2 to get bits.",
        ),
        WrongAnswer(
            "odds-not-logged",
            lambda mu, logvar: (1000 / _of_p(mu, logvar), draws_and_bits(mu, logvar)[1]),
            "The bits are right; it is the log odds that grow by the KL, and they have to reach "
            "log 1000.",
        ),
        WrongAnswer(
            "log-of-base-10",
            lambda mu, logvar: (3 / _of_p(mu, logvar), draws_and_bits(mu, logvar)[1]),
            "The bits are right; the KL is in nats, so take the natural log of 1000.",
        ),
        WrongAnswer(
            "log-of-base-2",
            lambda mu, logvar: (np.log2(1000) / _of_p(mu, logvar), draws_and_bits(mu, logvar)[1]),
            "The bits are right; log2(1000) is in bits and the KL in nats.",
        ),
        WrongAnswer(
            "per-draw",
            lambda mu, logvar: (_of_p(mu, logvar), draws_and_bits(mu, logvar)[1]),
            "The bits are right; the first number is the evidence of one draw, not the number of "
            "draws.",
        ),
        WrongAnswer(
            "probability",
            lambda mu, logvar: (np.log(0.999) / -_of_p(mu, logvar), draws_and_bits(mu, logvar)[1]),
            "The bits are right; the log of a probability is not the log odds.",
        ),
        WrongAnswer(
            "swapped",
            lambda mu, logvar: draws_and_bits(mu, logvar)[::-1],
            "The two results are swapped: first the draws, then the bits.",
        ),
    ),
    hints=(
        "Each draw adds the log of p(z) / q(z) to the log odds for p, and a code made for q wastes "
        "just as much on it. Over which of the two is that averaged?",
        "Average log p(z) - log q(z) over p: the mean of z^2 is 1 there, that of (z - mu)^2 is "
        "1 + mu^2.",
        "kl = ((1 + mu^2) / exp(logvar) - 1 + logvar) / 2; log 1000 / kl draws, kl / log 2 bits.",
    ),
)

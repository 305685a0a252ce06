"""The KL between any two diagonal Gaussians."""

import numpy as np

from minivae.exercises.chapters.nb03.kl import gaussian_kl
from minivae.exercises.exercise import Exercise, WrongAnswer, generic, stub


def kl_two_gaussians(mu1, logvar1, mu2, logvar2):
    """KL(N(mu1, sigma1^2) || N(mu2, sigma2^2)), summed over the latents"""
    variance_ratio = np.exp(logvar1 - logvar2)
    shift = (mu1 - mu2) ** 2 / np.exp(logvar2)
    return (shift + variance_ratio - 1 - (logvar1 - logvar2)).sum(axis=1) / 2


def _kl_two_cases():
    rng = np.random.default_rng(33)
    return [
        tuple(np.array([[v]]) for v in (1.0, 0.5, 0.2, -0.4)),
        tuple(generic(rng, 4, 3) for _ in range(4)),
    ]


def _kl_two(shift, ratio, log_ratio):
    return (shift + ratio - 1 - log_ratio).sum(axis=1) / 2


KL_TWO = Exercise(
    id="03.kl-two-gaussians",
    title="the KL between any two diagonal Gaussians",
    stub=stub("""
        def kl_two_gaussians(mu1, logvar1, mu2, logvar2):    # each (B, L) -> (B,) nats
            ...                                              # KL(first || second)
    """),
    reference=kl_two_gaussians,
    cases=_kl_two_cases,
    mistakes=(
        WrongAnswer(
            "reversed",
            lambda m1, v1, m2, v2: kl_two_gaussians(m2, v2, m1, v1),
            "This is KL(second || first): the KL is not symmetric.",
        ),
        WrongAnswer(
            "shift-not-scaled",
            lambda m1, v1, m2, v2: _kl_two((m1 - m2) ** 2, np.exp(v1 - v2), v1 - v2),
            "Divide (mu1 - mu2)^2 by sigma2^2: the shift is measured in units of sigma2.",
        ),
        WrongAnswer(
            "shift-by-first",
            lambda m1, v1, m2, v2: _kl_two((m1 - m2) ** 2 / np.exp(v1), np.exp(v1 - v2), v1 - v2),
            "You divide (mu1 - mu2)^2 by the first variance; it comes from log q2, so divide by "
            "the second.",
        ),
        WrongAnswer(
            "log-sign",
            lambda m1, v1, m2, v2: _kl_two((m1 - m2) ** 2 / np.exp(v2), np.exp(v1 - v2), v2 - v1),
            "The log of the ratio has the wrong sign: it is -(logvar1 - logvar2).",
        ),
        WrongAnswer(
            "ratio-reversed",
            lambda m1, v1, m2, v2: _kl_two((m1 - m2) ** 2 / np.exp(v2), np.exp(v2 - v1), v1 - v2),
            "The ratio of the variances is upside down: it is sigma1^2 / sigma2^2.",
        ),
        WrongAnswer(
            "no-log",
            lambda m1, v1, m2, v2: _kl_two((m1 - m2) ** 2 / np.exp(v2), np.exp(v1 - v2), 0 * v1),
            "The log term is missing: -(logvar1 - logvar2).",
        ),
        WrongAnswer(
            "sigma-for-variance",
            lambda m1, v1, m2, v2: _kl_two(
                (m1 - m2) ** 2 / np.exp(v2 / 2), np.exp((v1 - v2) / 2), v1 - v2
            ),
            "exp(logvar / 2) is sigma; the formula has variances, exp(logvar).",
        ),
        WrongAnswer(
            "shift-by-sigma",
            lambda m1, v1, m2, v2: _kl_two(
                (m1 - m2) ** 2 / np.exp(v2 / 2), np.exp(v1 - v2), v1 - v2
            ),
            "You divide (mu1 - mu2)^2 by sigma2; divide it by the variance, exp(logvar2).",
        ),
        WrongAnswer(
            "ratio-of-sigmas",
            lambda m1, v1, m2, v2: _kl_two(
                (m1 - m2) ** 2 / np.exp(v2), np.exp((v1 - v2) / 2), v1 - v2
            ),
            "You take the ratio of the sigmas; the formula has that of the variances.",
        ),
        WrongAnswer(
            "mean-over-latents",
            lambda m1, v1, m2, v2: kl_two_gaussians(m1, v1, m2, v2) / m1.shape[1],
            "You average over the latents; they are independent, so their KLs add.",
        ),
        WrongAnswer(
            "no-half",
            lambda m1, v1, m2, v2: 2 * kl_two_gaussians(m1, v1, m2, v2),
            "The half is missing.",
        ),
        WrongAnswer(
            "no-minus-one",
            lambda m1, v1, m2, v2: kl_two_gaussians(m1, v1, m2, v2) + m1.shape[1] / 2,
            "The -1 for each latent is missing: the KL of two equal Gaussians must be 0.",
        ),
        WrongAnswer(
            "difference-of-kls",
            lambda m1, v1, m2, v2: gaussian_kl(m1, v1) - gaussian_kl(m2, v2),
            "The difference of two KLs from N(0, 1) is not this KL: average log q1 - log q2 over "
            "q1.",
        ),
    ),
    hints=(
        "Write log q1(z) - log q2(z) and average it over z ~ q1.",
        "The mean of (z - mu2)^2 over q1 is sigma1^2 + (mu1 - mu2)^2, and it is divided by "
        "sigma2^2.",
        "((mu1 - mu2)^2 / var2 + var1 / var2 - 1 - log(var1 / var2)) / 2, summed over the latents.",
    ),
)

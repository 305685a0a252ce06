"""The same KL, estimated from samples."""

import numpy as np

from minivae.exercises.chapters.nb03.kl import gaussian_kl
from minivae.exercises.exercise import Exercise, WrongAnswer, generic, stub


def kl_monte_carlo(mu, logvar, eps):
    """The average of log q(z) - log p(z) over z ~ q                  [notebook 03, eq. 1]"""
    z = mu + np.exp(logvar / 2) * eps
    log_q = -(eps**2 + logvar + np.log(2 * np.pi)) / 2
    log_p = -(z**2 + np.log(2 * np.pi)) / 2
    return (log_q - log_p).sum(axis=2).mean(axis=0)


def _log_ratio(mu, logvar, eps, scale=None):
    z = mu + (np.exp(logvar / 2) if scale is None else scale) * eps
    return (z**2 - eps**2 - logvar) / 2


def _kl_mc_cases():
    rng = np.random.default_rng(32)
    return [
        (np.array([[1.0]]), np.array([[0.5]]), np.array([[[0.3]]])),
        (np.array([[1.0]]), np.array([[0.5]]), np.array([[[0.3]], [[-1.2]]])),
        (generic(rng, 3, 2), generic(rng, 3, 2), generic(rng, 5, 3, 2)),
    ]


def _log_of_mean(mu, logvar, eps):
    ratio = _log_ratio(mu, logvar, eps).sum(axis=2)
    return np.log(np.exp(ratio).mean(axis=0))


KL_MONTE_CARLO = Exercise(
    id="03.kl-monte-carlo",
    title="the same KL, by Monte Carlo",
    stub=stub("""
        def kl_monte_carlo(mu, logvar, eps):    # (B, L), (B, L), (K, B, L)
            ...                                 # -> (B,) nats, the mean of K samples
    """),
    reference=kl_monte_carlo,
    cases=_kl_mc_cases,
    mistakes=(
        WrongAnswer(
            "sign",
            lambda mu, logvar, eps: -_log_ratio(mu, logvar, eps).sum(axis=2).mean(axis=0),
            "The sign is wrong: KL(q || p) averages log q - log p.",
        ),
        WrongAnswer(
            "variance-as-sigma",
            lambda mu, logvar, eps: (
                _log_ratio(mu, logvar, eps, np.exp(logvar)).sum(axis=2).mean(axis=0)
            ),
            "z = mu + exp(logvar) eps uses the variance as the standard deviation; sigma is "
            "exp(logvar / 2).",
        ),
        WrongAnswer(
            "no-normaliser",
            lambda mu, logvar, eps: (
                (_log_ratio(mu, logvar, eps) + logvar / 2).sum(axis=2).mean(axis=0)
            ),
            "log q(z) lacks -logvar / 2: the terms with log 2 pi cancel, but this one does not.",
        ),
        WrongAnswer(
            "not-standardised",
            lambda mu, logvar, eps: (
                (_log_ratio(mu, logvar, eps) + eps**2 * (1 - np.exp(logvar)) / 2)
                .sum(axis=2)
                .mean(axis=0)
            ),
            "In log q(z), (z - mu)^2 is divided by sigma^2; here it is not.",
        ),
        WrongAnswer(
            "sum-over-samples",
            lambda mu, logvar, eps: _log_ratio(mu, logvar, eps).sum(axis=(0, 2)),
            "You sum over the K samples; an expectation is estimated by their mean.",
        ),
        WrongAnswer(
            "mean-over-latents",
            lambda mu, logvar, eps: _log_ratio(mu, logvar, eps).mean(axis=(0, 2)),
            "You average over the latents; they are independent, so their log densities add.",
        ),
        WrongAnswer(
            "log-of-mean",
            _log_of_mean,
            "You take the log of a mean; the KL is the mean of the logs, which is not the same "
            "(Jensen).",
        ),
        WrongAnswer(
            "not-averaged",
            lambda mu, logvar, eps: _log_ratio(mu, logvar, eps).sum(axis=2),
            "You return one value for each sample: take the mean over axis 0.",
        ),
        WrongAnswer(
            "closed-form",
            lambda mu, logvar, eps: gaussian_kl(mu, logvar),
            "This is the closed form, the expectation of the estimate; compute the estimate from "
            "the samples.",
        ),
    ),
    hints=(
        "Compute z from eps, then the two log densities at this z.",
        "(z - mu) / sigma is eps again: log q(z) = -(eps^2 + logvar + log 2 pi) / 2.",
        "Sum log q - log p over the latents (axis 2), then take the mean over the K samples.",
    ),
)

"""The log of an importance weight."""

import numpy as np

from minivae.exercises.exercise import Exercise, WrongAnswer, generic, planted, stub


def log_weights(nll, z, mu, logvar):
    """log w = log p(x|z) + log p(z) - log q(z|x)                   [notebook 09, eq. 1]"""
    log_p = -(z**2 + np.log(2 * np.pi)) / 2
    log_q = -((z - mu) ** 2 / np.exp(logvar) + logvar + np.log(2 * np.pi)) / 2
    return -nll + (log_p - log_q).sum(axis=2)


def _weights_cases():
    rng = np.random.default_rng(9)
    return [
        (np.array([[3.0]]), np.array([[[0.4]]]), np.array([[1.0]]), np.array([[0.5]])),
        (
            np.abs(generic(rng, 4, 3)) + 5,
            generic(rng, 4, 3, 2),
            generic(rng, 3, 2),
            generic(rng, 3, 2),
        ),
    ]


def _package_log_weights(vae):
    def own(nll, z, mu, logvar):
        return -nll - vae.log_q_over_p(z, (z - mu) / np.exp(logvar / 2), logvar)

    return own


def _ratio(z, mu, logvar, *, p=1.0, q=1.0, normaliser=1.0, variance=None):
    """log p(z) - log q(z|x), summed over the latents, with weights on its parts."""
    variance = np.exp(logvar) if variance is None else variance
    log_p = -(z**2) / 2
    log_q = -((z - mu) ** 2 / variance + normaliser * logvar) / 2
    return (p * log_p - q * log_q).sum(axis=2)


LOG_WEIGHTS = Exercise(
    id="09.log-weights",
    title="the log of an importance weight",
    stub=stub("""
        def my_log_weights(nll, z, mu, logvar):    # (K, B), z ~ q (K, B, L), q's (B, L) and (B, L)
            ...                                    # -> log w (K, B), nats; p(z) = N(0, I)
    """),
    reference=log_weights,
    cases=_weights_cases,
    package=_package_log_weights,
    module="vae",
    mistakes=(
        *planted(_package_log_weights, "iwae-posterior-density-logvar-lost"),
        WrongAnswer(
            "ratio-reversed",
            lambda nll, z, mu, logvar: -nll - _ratio(z, mu, logvar),
            "The ratio is upside down: it is log p(z) - log q(z|x).",
        ),
        WrongAnswer(
            "nll-sign",
            lambda nll, z, mu, logvar: nll + _ratio(z, mu, logvar),
            "nll is -log p(x|z), so it enters with a minus.",
        ),
        WrongAnswer(
            "prior-lost",
            lambda nll, z, mu, logvar: (
                -nll + _ratio(z, mu, logvar, p=0.0) - z.shape[2] * np.log(2 * np.pi) / 2
            ),
            "log p(z) is missing: w is the joint p(x, z) divided by q.",
        ),
        WrongAnswer(
            "prior-lost-two-pi-too",
            lambda nll, z, mu, logvar: -nll + _ratio(z, mu, logvar, p=0.0),
            "log p(z) is missing: w is the joint p(x, z) divided by q.",
        ),
        WrongAnswer(
            "q-lost",
            lambda nll, z, mu, logvar: (
                -nll + _ratio(z, mu, logvar, q=0.0) - z.shape[2] * np.log(2 * np.pi) / 2
            ),
            "log q(z|x) is not subtracted: samples that q draws often would count too much.",
        ),
        WrongAnswer(
            "sigma-for-variance",
            lambda nll, z, mu, logvar: -nll + _ratio(z, mu, logvar, variance=np.exp(logvar / 2)),
            "(z - mu)^2 is divided by sigma; divide it by sigma^2 = exp(logvar).",
        ),
        WrongAnswer(
            "log-sigma-twice",
            lambda nll, z, mu, logvar: -nll + _ratio(z, mu, logvar, normaliser=2.0),
            "The normaliser of q is log sigma = logvar / 2: its factor 1/2 is missing.",
        ),
        WrongAnswer(
            "closed-form-kl",
            lambda nll, z, mu, logvar: -nll - (mu**2 + np.exp(logvar) - 1 - logvar).sum(axis=1) / 2,
            "The closed-form KL is the average over q; each sample has its own log p - log q.",
        ),
        WrongAnswer(
            "mean-over-latents",
            lambda nll, z, mu, logvar: -nll + _ratio(z, mu, logvar) / z.shape[2],
            "This averages over the latents; log densities of independent latents add up.",
        ),
    ),
    hints=(
        "Three log densities at the same z, two with a plus and one with a minus.",
        "log N(z; m, s^2) = -((z - m)^2 / s^2 + log s^2 + log 2 pi) / 2 for each latent.",
        "-nll + (log_p - log_q).sum(axis=2); the two log 2 pi cancel.",
    ),
)

"""A bug to find: a test ELBO that is too good."""

import inspect

import numpy as np

from minivae.exercises.exercise import Exercise, WrongAnswer, generic


def reported_elbo(mu, logvar, eps, nll_of):
    # The test ELBO of a published model, better than anyone's. It is no bound.
    kl = ((mu**2 + np.exp(logvar) - 1 - logvar) / 2).sum(axis=1)
    z = mu
    return -(nll_of(z) + kl)


def mended_reported_elbo(mu, logvar, eps, nll_of):
    kl = ((mu**2 + np.exp(logvar) - 1 - logvar) / 2).sum(axis=1)
    z = mu + np.exp(logvar / 2) * eps  # E_q[nll] needs samples of q, not its mean
    return -(nll_of(z) + kl)


def decoder_nll(z: np.ndarray) -> np.ndarray:
    return 3 + ((z - 0.5) ** 2).sum(axis=1)


def _bug_cases():
    rng = np.random.default_rng(72)
    return [
        (*(np.array([[v]]) for v in (1.0, 0.5, 0.3)), decoder_nll),
        (*(generic(rng, 3, 2) for _ in range(3)), decoder_nll),
    ]


def _reported(z_of, sign=1.0):
    """A wrong answer: the ELBO at z_of(mu, logvar, eps), with the KL times `sign`."""

    def wrong(mu, logvar, eps, nll_of):
        kl = ((mu**2 + np.exp(logvar) - 1 - logvar) / 2).sum(axis=1)
        return -(nll_of(z_of(mu, logvar, eps)) + sign * kl)

    return wrong


BUG = Exercise(
    id="07.bug",
    title="find the bug: a test ELBO that is too good",
    stub=inspect.getsource(reported_elbo).rstrip(),
    reference=mended_reported_elbo,
    given=reported_elbo,
    cases=_bug_cases,
    mistakes=(
        WrongAnswer(
            "variance-as-sigma",
            _reported(lambda mu, logvar, eps: mu + np.exp(logvar) * eps),
            "Now z is a sample, but with the variance in place of the standard deviation.",
        ),
        WrongAnswer(
            "prior-sample",
            _reported(lambda mu, logvar, eps: 1.0 * eps),
            "This samples from the prior; the ELBO is an average over q.",
        ),
        WrongAnswer(
            "kl-dropped",
            _reported(lambda mu, logvar, eps: mu + np.exp(logvar / 2) * eps, 0.0),
            "The KL was right and has to stay.",
        ),
        WrongAnswer(
            "kl-sign",
            _reported(lambda mu, logvar, eps: mu + np.exp(logvar / 2) * eps, -1.0),
            "The KL's sign was right: elbo = -(nll + kl).",
        ),
        WrongAnswer(
            "unit-noise",
            _reported(lambda mu, logvar, eps: mu + eps),
            "The noise is not scaled by sigma.",
        ),
    ),
    hints=(
        "Which argument is never used?",
        "The nll is averaged over z ~ q, and the mean of q is only one point.",
        "z = mu + np.exp(logvar / 2) * eps.",
    ),
)

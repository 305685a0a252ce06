"""The ELBO in closed form, for one latent and a decoder that is a line."""

import numpy as np

from minivae.exercises.exercise import Exercise, WrongAnswer, generic, stub


def gaussian_elbo(mu, logvar, x, W, variance):
    """E_q[log p(x|z)] + E_q[log p(z)] + H(q)"""
    sigma2 = np.exp(logvar)
    squares = (x - W * mu) ** 2 + W**2 * sigma2  # E_q[(x - W z)^2]
    log_likelihood = -0.5 * (np.log(2 * np.pi * variance) + squares / variance)
    log_prior = -0.5 * (np.log(2 * np.pi) + mu**2 + sigma2)
    entropy = 0.5 * (np.log(2 * np.pi) + logvar + 1)
    return log_likelihood + log_prior + entropy


def _cases():
    rng = np.random.default_rng(27)
    return [
        (np.array([0.3]), np.array([-0.8]), np.array([1.2]), 1.7, 0.6),
        (generic(rng, 4), generic(rng, 4), 2 * generic(rng, 4), -0.45, 2.3),
    ]


def _with_squares(squares):
    """A wrong answer: this in the place of E_q[(x - W z)^2]."""

    def wrong(mu, logvar, x, W, variance):
        right = (x - W * mu) ** 2 + W**2 * np.exp(logvar)
        other = squares(mu, np.exp(logvar), x, W)
        return gaussian_elbo(mu, logvar, x, W, variance) + (right - other) / (2 * variance)

    return wrong


GAUSSIAN_ELBO = Exercise(
    id="02.gaussian-elbo",
    title="the ELBO of eq. (8), where the decoder has a weight",
    stub=stub("""
        def gaussian_elbo(mu, logvar, x, W, variance):    # (B,), (B,), (B,), float, float
            # z ~ N(0, 1), x|z ~ N(W z, variance), q = N(mu, exp(logvar))
            ...                                           # -> the ELBO of each x: (B,), nats
    """),
    reference=gaussian_elbo,
    cases=_cases,
    mistakes=(
        WrongAnswer(
            "weight-not-squared",
            _with_squares(lambda mu, sigma2, x, W: (x - W * mu) ** 2 + W * sigma2),
            "The variance of W z is W^2 sigma^2.",
        ),
        WrongAnswer(
            "weight-only-on-mean",
            _with_squares(lambda mu, sigma2, x, W: (x - W * mu) ** 2 + sigma2),
            "W multiplies all of z: it scales the variance in E_q[(x - W z)^2] too.",
        ),
        WrongAnswer(
            "weight-forgotten",
            _with_squares(lambda mu, sigma2, x, W: (x - mu) ** 2 + sigma2),
            "This is eq. (8) as it stands, for W = 1; here the mean of x is W z.",
        ),
        WrongAnswer(
            "at-the-mean",
            _with_squares(lambda mu, sigma2, x, W: (x - W * mu) ** 2),
            "You put the mean of q in for z; the average of (x - W z)^2 also has the variance of "
            "W z.",
        ),
        WrongAnswer(
            "half-forgotten",
            lambda mu, logvar, x, W, variance: gaussian_elbo(mu, logvar, x, W, variance) - 0.5,
            "The 1/2 at the end of the entropy is missing: E_q[(z - mu)^2] / (2 sigma^2).",
        ),
        WrongAnswer(
            "constant-forgotten",
            lambda mu, logvar, x, W, variance: (
                gaussian_elbo(mu, logvar, x, W, variance) + 0.5 * np.log(2 * np.pi)
            ),
            "One log 2 pi too few: two log densities bring one each, and the entropy takes one "
            "away.",
        ),
        WrongAnswer(
            "noise-forgotten",
            lambda mu, logvar, x, W, variance: (
                gaussian_elbo(mu, logvar, x, W, variance) + 0.5 * np.log(variance)
            ),
            "The log of the noise's variance is missing from log p(x|z).",
        ),
        WrongAnswer(
            "entropy-sign",
            lambda mu, logvar, x, W, variance: (
                gaussian_elbo(mu, logvar, x, W, variance) - (np.log(2 * np.pi) + logvar + 1)
            ),
            "The entropy is added; here it is subtracted.",
        ),
        WrongAnswer(
            "entropy-forgotten",
            lambda mu, logvar, x, W, variance: (
                gaussian_elbo(mu, logvar, x, W, variance) - 0.5 * (np.log(2 * np.pi) + logvar + 1)
            ),
            "This is E_q[log p(x, z)] alone: the entropy of q is missing.",
        ),
        WrongAnswer(
            "twice-logvar",
            lambda mu, logvar, x, W, variance: gaussian_elbo(mu, 2 * logvar, x, W, variance),
            "exp(logvar) is the variance already: it is not squared again.",
        ),
        WrongAnswer(
            "loss",
            lambda mu, logvar, x, W, variance: -gaussian_elbo(mu, logvar, x, W, variance),
            "The sign is wrong: this is the loss, -ELBO.",
        ),
    ),
    hints=(
        "Three parts, as in eq. (8). Only E_q[log p(x|z)] has changed.",
        "W z has the mean W mu and the variance W^2 sigma^2 under q.",
        "E_q[(x - W z)^2] = (x - W mu)^2 + W^2 sigma^2. At the posterior the sum must be "
        "log N(x; 0, W^2 + variance).",
    ),
)

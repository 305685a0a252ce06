"""The reparameterization of another distribution, by its inverse distribution function."""

import numpy as np

from minivae.exercises.exercise import Exercise, WrongAnswer, stub

# ---- 04.logistic ---------------------------------------------------------------------------------


def logistic_sample(u, mu, log_rho):
    """z = mu + rho log(u / (1 - u)), the z at which F(z) = u;  dz/dmu = 1,  dz/dlog_rho = z - mu"""
    z = mu + np.exp(log_rho) * (np.log(u) - np.log1p(-u))
    return z, np.ones_like(z), z - mu


def _cases():
    rng = np.random.default_rng(45)
    return [
        (np.array([0.3]), 1.2, -0.4),
        (np.round(rng.uniform(0.02, 0.98, 5), 2), -0.7, 0.5),
        (np.array([1e-7, 0.999, 0.25]), 0.4, 1.3),
    ]


def _from(z_of, slope_of=lambda z, mu, rho: z - mu):
    """A wrong answer: z_of(logit of u, mu, rho), and what it gives for dz/dlog_rho."""

    def wrong(u, mu, log_rho):
        rho = np.exp(log_rho)
        z = z_of(np.log(u) - np.log1p(-u), mu, rho)
        return z, np.ones_like(z), slope_of(z, mu, rho) + 0 * z

    return wrong


LOGISTIC = Exercise(
    id="04.logistic",
    title="reparameterize another distribution, and differentiate it",
    stub=stub("""
        def logistic_sample(u, mu, log_rho):    # u (K,), between 0 and 1; mu, log_rho: floats
            ...                                 # -> z, dz/dmu, dz/dlog_rho, each (K,)
    """),
    reference=logistic_sample,
    cases=_cases,
    returns=("z", "dz/dmu", "dz/dlog_rho"),
    mistakes=(
        WrongAnswer(
            "by-rho",
            _from(lambda a, mu, rho: mu + rho * a, lambda z, mu, rho: (z - mu) / rho),
            "The third is the derivative with respect to rho; for log_rho, multiply it by rho.",
        ),
        WrongAnswer(
            "mu-in-the-slope",
            _from(lambda a, mu, rho: mu + rho * a, lambda z, mu, rho: z),
            "dz/dlog_rho is rho times what rho multiplies, z - mu: mu does not move with rho.",
        ),
        WrongAnswer(
            "slope-is-rho",
            _from(lambda a, mu, rho: mu + rho * a, lambda z, mu, rho: rho),
            "The third is d rho / d log_rho alone; it multiplies log(u / (1 - u)), as in z.",
        ),
        WrongAnswer(
            "upside-down",
            _from(lambda a, mu, rho: mu - rho * a),
            "This is F^-1(1 - u): it has the right distribution, but F(z) = u is to be solved.",
        ),
        WrongAnswer(
            "forwards",
            lambda u, mu, log_rho: (
                1 / (1 + np.exp(-(u - mu) / np.exp(log_rho))),
                np.ones_like(u),
                1 / (1 + np.exp(-(u - mu) / np.exp(log_rho))) - mu,
            ),
            "This is F(u); its inverse is needed: solve u = F(z) for z.",
        ),
        WrongAnswer(
            "log-rho-as-rho",
            lambda u, mu, log_rho: (
                mu + log_rho * (np.log(u) - np.log1p(-u)),
                np.ones_like(u),
                log_rho * (np.log(u) - np.log1p(-u)),
            ),
            "log_rho itself is used as rho; it can be negative. rho = exp(log_rho).",
        ),
        WrongAnswer(
            "half-of-log-rho",
            lambda u, mu, log_rho: logistic_sample(u, mu, log_rho / 2),
            "log_rho is log rho, not log rho^2: rho = exp(log_rho), without a half.",
        ),
        WrongAnswer(
            "mu-scaled",
            _from(lambda a, mu, rho: rho * (mu + a), lambda z, mu, rho: z),
            "rho multiplies only log(u / (1 - u)), not mu.",
        ),
        WrongAnswer(
            "exponential",
            lambda u, mu, log_rho: (
                mu - np.exp(log_rho) * np.log1p(-u),
                np.ones_like(u),
                -np.exp(log_rho) * np.log1p(-u),
            ),
            "This is the exponential distribution, shifted; solve "
            "u = 1 / (1 + exp(-(z - mu) / rho)).",
        ),
        WrongAnswer(
            "log-lost",
            lambda u, mu, log_rho: (
                mu + np.exp(log_rho) * u / (1 - u),
                np.ones_like(u),
                np.exp(log_rho) * u / (1 - u),
            ),
            "The logarithm is missing: exp((z - mu) / rho) = u / (1 - u).",
        ),
    ),
    hints=(
        "Solve u = 1 / (1 + exp(-(z - mu) / rho)) for z.",
        "exp((z - mu) / rho) = u / (1 - u). Then differentiate z with respect to mu and to "
        "log_rho; d rho / d log_rho = rho.",
        "z = mu + rho log(u / (1 - u)), dz/dmu = 1 for each draw, dz/dlog_rho = z - mu.",
    ),
)

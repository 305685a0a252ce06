"""The ELBO of a model that the notebook does not have: a count."""

from math import lgamma

import numpy as np

from minivae.exercises.exercise import Exercise, WrongAnswer, stub


def count_elbo(x, mu, logvar, a, c):
    """E_q[log p(x|z)] - KL(q || prior); E_q[exp(a z)] is exp(a mu + a^2 sigma^2 / 2)"""
    sigma2 = np.exp(logvar)
    rate = np.exp(a * mu + c + a**2 * sigma2 / 2)
    fit = x * (a * mu + c) - rate - np.log(np.arange(1, x + 1)).sum()  # the last is log x!
    kl = 0.5 * (mu**2 + sigma2 - 1 - logvar)
    return float(fit - kl)


def _cases():
    return [
        (3, 0.4, -0.7, 1.3, 0.2),
        (0, -0.6, 0.3, 0.8, -0.5),
        (7, 1.1, -2.1, -0.9, 1.7),
        (180, 0.6, -1.4, 0.5, 4.8),  # 180! is beyond float64
    ]


def _with(rate=None, sigma2=None, factorial=lgamma, kl=None, sign=-1.0):
    """A wrong answer: one part, a function of mu, logvar, a and c, taken in another way."""

    def wrong(x, mu, logvar, a, c):
        s2 = (sigma2 or np.exp)(logvar)
        mean_rate = rate(mu, s2, a, c) if rate else np.exp(a * mu + c + a**2 * s2 / 2)
        price = kl(mu, s2, logvar) if kl else 0.5 * (mu**2 + s2 - 1 - logvar)
        return float(x * (a * mu + c) - mean_rate - factorial(x + 1) + sign * price)

    return wrong


COUNTS = Exercise(
    id="02.counts",
    title="derive the ELBO of a model with counts",
    stub=stub("""
        def count_elbo(x, mu, logvar, a, c):    # a count, and four floats; logvar = log sigma^2
            ...                                 # -> the ELBO, nats: one float
    """),
    reference=count_elbo,
    cases=_cases,
    mistakes=(
        WrongAnswer(
            "rate-at-the-mean",
            _with(rate=lambda mu, s2, a, c: np.exp(a * mu + c)),
            "You took the rate at z = mu. Its average over q is larger, by Jensen: exp is convex.",
        ),
        WrongAnswer(
            "half-forgotten",
            _with(rate=lambda mu, s2, a, c: np.exp(a * mu + c + a**2 * s2)),
            "In the mean rate the variance of a z counts half: complete the square.",
        ),
        WrongAnswer(
            "slope-not-squared",
            _with(rate=lambda mu, s2, a, c: np.exp(a * mu + c + a * s2 / 2)),
            "The variance of a z is a^2 sigma^2, not a sigma^2.",
        ),
        WrongAnswer(
            "slope-forgotten",
            _with(rate=lambda mu, s2, a, c: np.exp(a * mu + c + s2 / 2)),
            "In the mean rate you use the variance of z; that of a z is a^2 sigma^2.",
        ),
        WrongAnswer(
            "deviation",
            _with(rate=lambda mu, s2, a, c: np.exp(a * mu + c + a**2 * np.sqrt(s2) / 2)),
            "The mean rate contains sigma, where the variance sigma^2 belongs.",
        ),
        WrongAnswer(
            "logvar-is-log-sigma",
            _with(
                sigma2=lambda logvar: np.exp(2 * logvar),
                kl=lambda mu, s2, logvar: 0.5 * (mu**2 + s2 - 1 - 2 * logvar),
            ),
            "You took logvar for log sigma. It is log sigma^2.",
        ),
        WrongAnswer(
            "intercept-scaled",
            _with(rate=lambda mu, s2, a, c: np.exp(a * (mu + c) + a**2 * s2 / 2)),
            "In the mean rate c is multiplied by a: the rate is exp(a z + c).",
        ),
        WrongAnswer(
            "variance-in-the-linear-term",
            lambda x, mu, logvar, a, c: (
                count_elbo(x, mu, logvar, a, c) + x * a**2 * np.exp(logvar) / 2
            ),
            "The term x (a z + c) is linear in z: its mean has no variance in it. Only the mean of "
            "exp(a z + c) has.",
        ),
        WrongAnswer(
            "factorial-forgotten",
            _with(factorial=lambda n: 0.0),
            "log x! is missing. It does not depend on q, but the ELBO is a bound of log p(x) "
            "only with it.",
        ),
        WrongAnswer(
            "factorial-overflows",
            _with(factorial=lambda n: np.log(np.prod(np.arange(1.0, n)))),
            "x! is infinite in float64 from x = 171 on: add up the logs of 1 to x, or use "
            "math.lgamma(x + 1).",
        ),
        WrongAnswer(
            "factorial-of-one-less",
            _with(factorial=lambda n: lgamma(max(n - 1, 1))),
            "lgamma(x) is log (x - 1)!; log x! is lgamma(x + 1).",
        ),
        WrongAnswer(
            "kl-added",
            _with(sign=1.0),
            "The KL to the prior is a price: it is subtracted.",
        ),
        WrongAnswer("kl-forgotten", _with(sign=0.0), "The KL to the prior is missing."),
        WrongAnswer(
            "kl-without-half",
            _with(kl=lambda mu, s2, logvar: mu**2 + s2 - 1 - logvar),
            "The KL is twice too large: each of its terms has a factor 1/2.",
        ),
        WrongAnswer(
            "kl-reversed",
            _with(kl=lambda mu, s2, logvar: 0.5 * ((1 + mu**2) / s2 - 1 + logvar)),
            "This KL is averaged over the prior. In eq. (5) it is averaged over q.",
        ),
        WrongAnswer(
            "entropy-forgotten",
            _with(kl=lambda mu, s2, logvar: 0.5 * (mu**2 + s2 + np.log(2 * np.pi))),
            "The last part is only E_q[log p(z)]. The entropy of q is missing, eq. (6).",
        ),
        WrongAnswer(
            "entropy-without-its-half",
            _with(kl=lambda mu, s2, logvar: 0.5 * (mu**2 + s2 - logvar)),
            "The entropy of q is (log 2 pi sigma^2 + 1) / 2: the 1 is missing.",
        ),
        WrongAnswer(
            "loss",
            lambda *args: -count_elbo(*args),
            "This is the loss, minus the ELBO.",
        ),
    ),
    hints=(
        "Average log p(x|z) term by term over q; which of the terms is not linear in z? The KL is "
        "that of eq. (7): minus its second line, minus the entropy.",
        "exp(a z) times the density of q is exp(a mu + a^2 sigma^2 / 2) times another Gaussian "
        "density, whose mean is moved by a sigma^2.",
        "x (a mu + c) - exp(a mu + c + a^2 sigma^2 / 2) - log x! "
        "- (mu^2 + sigma^2 - 1 - logvar) / 2.",
    ),
)

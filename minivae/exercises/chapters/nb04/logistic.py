"""The reparameterization of another distribution, by its inverse distribution function."""

import numpy as np

from minivae.exercises.exercise import Exercise, WrongAnswer, stub

# ---- 04.logistic ---------------------------------------------------------------------------------


def logistic_sample(u, m, log_s):
    """z = m + s log(u / (1 - u)), the z at which F(z) = u;  dz/dm = 1,  dz/dlog_s = z - m"""
    z = m + np.exp(log_s) * (np.log(u) - np.log1p(-u))
    return z, np.ones_like(z), z - m


def _cases():
    rng = np.random.default_rng(45)
    return [
        (np.array([0.3]), 1.2, -0.4),
        (np.round(rng.uniform(0.02, 0.98, 5), 2), -0.7, 0.5),
        (np.array([1e-7, 0.999, 0.25]), 0.4, 1.3),
    ]


def _from(z_of, slope_of=lambda z, m, s: z - m):
    """A wrong answer: z_of(logit of u, m, s), and what it gives for dz/dlog_s."""

    def wrong(u, m, log_s):
        s = np.exp(log_s)
        z = z_of(np.log(u) - np.log1p(-u), m, s)
        return z, np.ones_like(z), slope_of(z, m, s) + 0 * z

    return wrong


LOGISTIC = Exercise(
    id="04.logistic",
    title="reparameterize another distribution, and differentiate it",
    stub=stub("""
        def logistic_sample(u, m, log_s):    # u (K,), uniform between 0 and 1; m and log_s: floats
            ...                              # -> z, dz/dm, dz/dlog_s, each (K,)
    """),
    reference=logistic_sample,
    cases=_cases,
    returns=("z", "dz/dm", "dz/dlog_s"),
    mistakes=(
        WrongAnswer(
            "by-s",
            _from(lambda a, m, s: m + s * a, lambda z, m, s: (z - m) / s),
            "The third is the derivative with respect to s; for log_s, multiply it by s.",
        ),
        WrongAnswer(
            "m-in-the-slope",
            _from(lambda a, m, s: m + s * a, lambda z, m, s: z),
            "dz/dlog_s is how far the draw lies from m, times what s multiplies: m itself does not "
            "move with s.",
        ),
        WrongAnswer(
            "slope-is-s",
            _from(lambda a, m, s: m + s * a, lambda z, m, s: s),
            "The third is ds/dlog_s alone; it multiplies log(u / (1 - u)), as s does in z.",
        ),
        WrongAnswer(
            "upside-down",
            _from(lambda a, m, s: m - s * a),
            "This is F^-1(1 - u): it has the right distribution, but F(z) = u is to be solved.",
        ),
        WrongAnswer(
            "forwards",
            lambda u, m, log_s: (
                1 / (1 + np.exp(-(u - m) / np.exp(log_s))),
                np.ones_like(u),
                1 / (1 + np.exp(-(u - m) / np.exp(log_s))) - m,
            ),
            "This is F(u); its inverse is needed: solve u = F(z) for z.",
        ),
        WrongAnswer(
            "log-s-as-s",
            lambda u, m, log_s: (
                m + log_s * (np.log(u) - np.log1p(-u)),
                np.ones_like(u),
                log_s * (np.log(u) - np.log1p(-u)),
            ),
            "log_s itself is used as s; it can be negative. s = exp(log_s).",
        ),
        WrongAnswer(
            "half-of-log-s",
            lambda u, m, log_s: logistic_sample(u, m, log_s / 2),
            "log_s is log s, not log s^2: s = exp(log_s), without a half.",
        ),
        WrongAnswer(
            "m-scaled",
            _from(lambda a, m, s: s * (m + a), lambda z, m, s: z),
            "s multiplies only log(u / (1 - u)), not m.",
        ),
        WrongAnswer(
            "exponential",
            lambda u, m, log_s: (
                m - np.exp(log_s) * np.log1p(-u),
                np.ones_like(u),
                -np.exp(log_s) * np.log1p(-u),
            ),
            "This is the exponential distribution, shifted; solve u = 1 / (1 + exp(-(z - m) / s)).",
        ),
        WrongAnswer(
            "log-lost",
            lambda u, m, log_s: (
                m + np.exp(log_s) * u / (1 - u),
                np.ones_like(u),
                np.exp(log_s) * u / (1 - u),
            ),
            "The logarithm is missing: exp((z - m) / s) = u / (1 - u).",
        ),
    ),
    hints=(
        "Solve u = 1 / (1 + exp(-(z - m) / s)) for z.",
        "exp((z - m) / s) = u / (1 - u). Then differentiate z with respect to m and to log_s; "
        "ds/dlog_s = s.",
        "z = m + s log(u / (1 - u)), dz/dm = 1 for each draw, dz/dlog_s = z - m.",
    ),
)

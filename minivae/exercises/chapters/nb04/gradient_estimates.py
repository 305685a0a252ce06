"""Two estimates of the gradient of an expectation."""

import numpy as np

from minivae.exercises.exercise import Exercise, WrongAnswer, generic, stub

# ---- 04.score-function ---------------------------------------------------------------------------


def score_function_gradient(f, z, mu, logvar):
    """d/dmu and d/dlogvar of E[f(z)] from values of f alone: mean of f times the score [eq. 1]"""
    standardised = (z - mu) / np.exp(logvar / 2)
    dmu = (f * standardised / np.exp(logvar / 2)).mean()
    dlogvar = (f * (standardised**2 - 1) / 2).mean()
    return dmu, dlogvar


def _score_cases():
    rng = np.random.default_rng(42)
    return [
        (np.array([2.0]), np.array([1.6]), 1.0, 0.5),
        (generic(rng, 5) + 2, generic(rng, 5), 0.7, -0.6),
    ]


def _scores(z, mu, logvar):
    variance = np.exp(logvar)
    return (z - mu) / variance, ((z - mu) ** 2 / variance - 1) / 2


def _score_variant(change):
    """A wrong answer: change(f, dmu's score, dlogvar's score, z, mu, logvar)."""
    return lambda f, z, mu, logvar: change(f, *_scores(z, mu, logvar), z, mu, logvar)


SCORE_FUNCTION = Exercise(
    id="04.score-function",
    title="a gradient from values of f alone",
    stub=stub("""
        def score_function_gradient(f, z, mu, logvar):    # f(z_k) (K,), z_k ~ N(mu, sigma^2) (K,),
            ...                                           # floats -> dmu, dlogvar of E f, floats
    """),
    reference=score_function_gradient,
    cases=_score_cases,
    returns=("dmu", "dlogvar"),
    mistakes=(
        WrongAnswer(
            "by-sigma",
            _score_variant(
                lambda f, a, b, z, mu, logvar: (
                    (f * a).mean(),
                    (f * 2 * b / np.exp(logvar / 2)).mean(),
                )
            ),
            "The second is the derivative with respect to sigma; for logvar, multiply it by sigma "
            "/ 2.",
        ),
        WrongAnswer(
            "no-minus-one",
            _score_variant(lambda f, a, b, z, mu, logvar: ((f * a).mean(), (f * (b + 0.5)).mean())),
            "The score of logvar lacks its -1, which comes from the term -logvar / 2 of log q.",
        ),
        WrongAnswer(
            "no-half",
            _score_variant(lambda f, a, b, z, mu, logvar: ((f * a).mean(), (f * 2 * b).mean())),
            "The score of logvar lacks its factor 1/2.",
        ),
        WrongAnswer(
            "sum",
            _score_variant(lambda f, a, b, z, mu, logvar: ((f * a).sum(), (f * b).sum())),
            "You sum over the samples; an expectation is estimated by their mean.",
        ),
        WrongAnswer(
            "no-f",
            _score_variant(lambda f, a, b, z, mu, logvar: (a.mean(), b.mean())),
            "f is missing: without it, this estimates the mean of the score, which is 0.",
        ),
        WrongAnswer(
            "means-multiplied",
            _score_variant(
                lambda f, a, b, z, mu, logvar: (f.mean() * a.mean(), f.mean() * b.mean())
            ),
            "The mean of a product is not the product of the means: multiply first.",
        ),
        WrongAnswer(
            "sigma-for-variance",
            _score_variant(
                lambda f, a, b, z, mu, logvar: (
                    (f * a).mean() * np.exp(logvar / 2),
                    (f * b).mean(),
                )
            ),
            "The score of mu is (z - mu) / sigma^2; you divide by sigma only once.",
        ),
        WrongAnswer(
            "sign",
            _score_variant(lambda f, a, b, z, mu, logvar: (-(f * a).mean(), (f * b).mean())),
            "dmu has the wrong sign: if f is large above mu, a larger mu raises the mean of f.",
        ),
    ),
    hints=(
        "The gradient of the mean of f is the mean of f times the gradient of log q(z).",
        "log q(z) = -((z - mu)^2 / sigma^2 + logvar + log 2 pi) / 2: differentiate it with "
        "respect to mu, and to logvar.",
        "dmu = mean of f (z - mu) / sigma^2; dlogvar = mean of f ((z - mu)^2 / sigma^2 - 1) / 2.",
    ),
)

# ---- 04.pathwise ---------------------------------------------------------------------------------


def pathwise_gradient(df, eps, logvar):
    """d/dmu and d/dlogvar of E[f(z)] through z = mu + sigma eps         [notebook 04, eq. 2]"""
    dmu = df.mean()
    dlogvar = (df * eps * np.exp(logvar / 2) / 2).mean()
    return dmu, dlogvar


def _pathwise_cases():
    rng = np.random.default_rng(43)
    return [
        (np.array([2.0]), np.array([0.3]), 0.5),
        (generic(rng, 5), generic(rng, 5), -0.6),
    ]


PATHWISE = Exercise(
    id="04.pathwise",
    title="the same gradient through the sample",
    stub=stub("""
        def pathwise_gradient(df, eps, logvar):    # f'(z_k) (K,), eps_k (K,), float
            ...                                    # -> dmu, dlogvar of E f(z), floats
    """),
    reference=pathwise_gradient,
    cases=_pathwise_cases,
    returns=("dmu", "dlogvar"),
    mistakes=(
        WrongAnswer(
            "no-half",
            lambda df, eps, logvar: (df.mean(), (df * eps).mean() * np.exp(logvar / 2)),
            "The factor 1/2 of d sigma / d logvar = sigma / 2 is missing.",
        ),
        WrongAnswer(
            "by-sigma",
            lambda df, eps, logvar: (df.mean(), (df * eps).mean()),
            "The second is the derivative with respect to sigma; for logvar, multiply it by sigma "
            "/ 2.",
        ),
        WrongAnswer(
            "variance",
            lambda df, eps, logvar: (df.mean(), (df * eps).mean() * np.exp(logvar) / 2),
            "exp(logvar) is the variance; sigma is exp(logvar / 2).",
        ),
        WrongAnswer(
            "sum",
            lambda df, eps, logvar: (df.sum(), (df * eps).sum() * np.exp(logvar / 2) / 2),
            "You sum over the samples; an expectation is estimated by their mean.",
        ),
        WrongAnswer(
            "means-multiplied",
            lambda df, eps, logvar: (
                df.mean(),
                df.mean() * eps.mean() * np.exp(logvar / 2) / 2,
            ),
            "The mean of a product is not the product of the means: multiply first.",
        ),
        WrongAnswer(
            "no-noise",
            lambda df, eps, logvar: (df.mean(), df.mean() * np.exp(logvar / 2) / 2),
            "eps is missing: how far a change of sigma moves a sample depends on its noise.",
        ),
        WrongAnswer(
            "score-of-mu",
            lambda df, eps, logvar: (
                (df * eps).mean() / np.exp(logvar / 2),
                (df * eps).mean() * np.exp(logvar / 2) / 2,
            ),
            "You multiply dmu by a score; through the sample, dz / dmu is 1.",
        ),
    ),
    hints=(
        "With the noise held fixed, z is a function of mu and logvar. Use the chain rule on f(z).",
        "dz / dmu = 1, and dz / dlogvar = eps sigma / 2.",
        "dmu = mean of f'; dlogvar = mean of f' eps sigma / 2.",
    ),
)

"""Estimates of the gradient of an average: for a discrete latent, their variances, a bug."""

import inspect
from math import erfc, exp, pi, sqrt

import numpy as np

from minivae.exercises.exercise import Exercise, WrongAnswer, generic, stub

# ---- 04.yes-or-no --------------------------------------------------------------------------------


def bernoulli_gradient(values, z, logit):
    """d E[f(z)] / d logit: the mean of f times the score z - p, p = sigmoid(logit)"""
    # log q(z) = z log p + (1 - z) log(1 - p) = z logit - log(1 + exp(logit)): its slope is z - p
    p = np.exp(-np.logaddexp(0, -logit))  # 1 / (1 + exp(-logit)), and no overflow at -800
    return (values * (z - p)).mean()


def _yes_or_no_cases():
    rng = np.random.default_rng(42)
    return [
        (np.array([2.0]), np.array([1.0]), 0.6),
        (np.array([2.0]), np.array([0.0]), 0.6),
        (generic(rng, 6) + 2, np.array([1.0, 0.0, 0.0, 1.0, 1.0, 1.0]), -0.8),
        (generic(rng, 3), np.array([0.0, 1.0, 0.0]), -800.0),
        (generic(rng, 3), np.array([1.0, 0.0, 1.0]), 800.0),
    ]


def _with_probability(rule):
    """A wrong answer from rule(values, z, p)."""
    return lambda values, z, logit: rule(values, z, np.exp(-np.logaddexp(0, -logit)))


def _mean_or_0(values):
    return values.mean() if values.size else 0.0


YES_OR_NO = Exercise(
    id="04.yes-or-no",
    title="the gradient with respect to a probability, from values of f alone",
    stub=stub("""
        def bernoulli_gradient(values, z, logit):    # f(z_k) (K,), draws z_k, 0.0 or 1.0 (K,)
            ...                                      # -> d E[f(z)] / d logit, a float
    """),
    reference=bernoulli_gradient,
    cases=_yes_or_no_cases,
    mistakes=(
        WrongAnswer(
            "by-p",
            _with_probability(lambda values, z, p: (values * (z - p) / (p * (1 - p))).mean()),
            "This is the derivative with respect to the probability p; for the logit, multiply by "
            "dp / dlogit = p (1 - p).",
        ),
        WrongAnswer(
            "no-f",
            _with_probability(lambda values, z, p: (z - p).mean()),
            "f is missing: without it, this estimates the mean of the score, which is 0.",
        ),
        WrongAnswer(
            "sum",
            _with_probability(lambda values, z, p: (values * (z - p)).sum()),
            "You sum over the draws; an average is estimated by their mean.",
        ),
        WrongAnswer(
            "means-multiplied",
            _with_probability(lambda values, z, p: values.mean() * (z - p).mean()),
            "The mean of a product is not the product of the means: multiply first.",
        ),
        WrongAnswer(
            "logit-for-p",
            lambda values, z, logit: (values * (z - logit)).mean(),
            "The score is z minus the probability, not z minus the logit.",
        ),
        WrongAnswer(
            "no-score-of-zeros",
            _with_probability(lambda values, z, p: (values * z * (1 - p)).mean()),
            "Draws with z = 0 have a score too: log(1 - p) falls as the logit rises.",
        ),
        WrongAnswer(
            "sign",
            _with_probability(lambda values, z, p: (values * (p - z)).mean()),
            "The sign is wrong: a larger logit makes z = 1 more frequent.",
        ),
        WrongAnswer(
            "log-probability",
            _with_probability(
                lambda values, z, p: (values * np.where(z > 0, np.log(p), np.log1p(-p))).mean()
            ),
            "This multiplies f by log q(z) itself; the score is its derivative.",
        ),
        WrongAnswer(
            "baseline",
            _with_probability(lambda values, z, p: ((values - values.mean()) * (z - p)).mean()),
            "You subtract the mean of the same draws, which takes a part of the gradient away "
            "(with one draw, all of it). No baseline is asked for.",
        ),
        WrongAnswer(
            "averaged-by-value",
            _with_probability(
                lambda values, z, p: (
                    p * (1 - p) * (_mean_or_0(values[z == 1]) - _mean_or_0(values[z == 0]))
                )
            ),
            "f is averaged among the ones and among the zeros. That is a good estimate where both "
            "occur, and has no value to use where all draws are alike; eq. (1) has none of this.",
        ),
        WrongAnswer(
            "overflow",
            lambda values, z, logit: (values * (z - np.exp(logit) / (1 + np.exp(logit)))).mean(),
            "exp(logit) overflows for a large logit, and infinity / infinity is nan. Write the "
            "probability with exp(-logit), or with np.logaddexp.",
        ),
        WrongAnswer(
            "by-the-derivative-of-p",
            _with_probability(lambda values, z, p: (values * z).mean() * (1 - p) * p),
            "dp / dlogit belongs to the exact average, f(1) p + f(0) (1 - p). In eq. (1) f is "
            "multiplied by the score of its own draw.",
        ),
    ),
    hints=(
        "Write log q(z) as one formula that holds for z = 1 and z = 0, as a function of the logit.",
        "log q(z) = z logit - log(1 + exp(logit)). What is its derivative?",
        "The score is z - 1 / (1 + exp(-logit)). Multiply by f, draw by draw, and take the mean.",
    ),
)

# ---- 04.variances --------------------------------------------------------------------------------


def gradient_variances(mu, sigma, edge):
    """Variances of one draw's dmu: E[(f eps / sigma)^2] or E[f'^2], minus the squared gradient"""
    from math import erfc, exp, pi, sqrt

    # f = z^2 / 2, gradient mu: E[z^4 eps^2], with E[eps^2, eps^4, eps^6] = 1, 3, 15
    fourth = mu**4 + 18 * mu**2 * sigma**2 + 15 * sigma**4
    score = fourth / (4 * sigma**2) - mu**2
    path = sigma**2  # the variance of f'(z) = z
    # the step: gradient density(t) / sigma, and the integral of e^2 density(e) from t upwards is
    # t density(t) + P(eps > t), by parts
    t = (edge - mu) / sigma
    density, above = exp(-(t**2) / 2) / sqrt(2 * pi), erfc(t / sqrt(2)) / 2
    step = (t * density + above - density**2) / sigma**2
    return score, path, step


def _variance_cases():
    return [(0.5, 1.0, 0.2), (-0.7, 0.3, -1.1), (1.0, 0.8, 1.5), (2.0, 1.7, 0.3)]


def _variances_with(change):
    """A wrong answer: change(the three right variances, mu, sigma, t, density, above)."""

    def wrong(mu, sigma, edge):
        t = (edge - mu) / sigma
        density, above = exp(-(t**2) / 2) / sqrt(2 * pi), erfc(t / sqrt(2)) / 2
        return change(gradient_variances(mu, sigma, edge), mu, sigma, t, density, above)

    return wrong


VARIANCES = Exercise(
    id="04.variances",
    title="how far two gradient estimates scatter, in closed form",
    stub=stub("""
        def gradient_variances(mu, sigma, edge):    # floats
            ...                                     # -> three floats: score function and
                                                    #    pathwise for f = z^2 / 2, score
                                                    #    function for the step at edge
    """),
    reference=gradient_variances,
    cases=_variance_cases,
    returns=("score function, parabola", "pathwise, parabola", "score function, step"),
    mistakes=(
        WrongAnswer(
            "second-moments",
            _variances_with(
                lambda v, mu, s, t, d, above: (v[0] + mu**2, v[1] + mu**2, v[2] + d**2 / s**2)
            ),
            "These are mean squares; a variance is the mean square minus the squared mean.",
        ),
        WrongAnswer(
            "standard-deviations",
            _variances_with(lambda v, mu, s, t, d, above: tuple(map(sqrt, v))),
            "These are standard deviations; variances are asked for.",
        ),
        WrongAnswer(
            "baseline",
            _variances_with(
                lambda v, mu, s, t, d, above: (
                    v[0]
                    + (((mu**2 + s**2) / 2) ** 2 - (mu**2 + s**2) * (mu**2 + 3 * s**2) / 2) / s**2,
                    v[1],
                    v[2] + (above**2 - 2 * above * (t * d + above)) / s**2,
                )
            ),
            "This is with the mean of f as a baseline; without one is asked for.",
        ),
        WrongAnswer(
            "six-as-fourth",
            _variances_with(lambda v, mu, s, t, d, above: (v[0] - 3 * s**2, *v[1:])),
            "E[eps^6] = 15; you seem to have 3, which is E[eps^4].",
        ),
        WrongAnswer(
            "mixed-term-lost",
            _variances_with(lambda v, mu, s, t, d, above: (v[0] - 4.5 * mu**2, *v[1:])),
            "In E[(mu + sigma eps)^4 eps^2] the term 6 mu^2 sigma^2 eps^2 is lost: with the other "
            "eps^2 it gives 18 mu^2 sigma^2.",
        ),
        WrongAnswer(
            "independent",
            _variances_with(
                lambda v, mu, s, t, d, above: (
                    (mu**4 + 6 * mu**2 * s**2 + 3 * s**4) / (4 * s**2) - mu**2,
                    v[1],
                    (above - d**2) / s**2,
                )
            ),
            "f(z) and eps are not independent, because z is made of eps: the mean of f^2 eps^2 is "
            "not the mean of f^2.",
        ),
        WrongAnswer(
            "half-of-the-step",
            _variances_with(lambda v, mu, s, t, d, above: (*v[:2], (above - d**2) / s**2)),
            "For the step, the integral of e^2 density(e) from t upwards has two parts: "
            "t density(t) + P(eps > t).",
        ),
        WrongAnswer(
            "below-the-step",
            _variances_with(
                lambda v, mu, s, t, d, above: (*v[:2], (1 - above - t * d - d**2) / s**2)
            ),
            "This is the step that is 1 below edge; here it is 1 where z > edge.",
        ),
        WrongAnswer(
            "one-over-sigma",
            _variances_with(lambda v, mu, s, t, d, above: (*v[:2], (t * d + above - d**2) / s)),
            "The step's estimate is divided by sigma once, so its variance is divided by sigma^2.",
        ),
        WrongAnswer(
            "score-divided-by-sigma-squared",
            _variances_with(
                lambda v, mu, s, t, d, above: (
                    (v[0] + mu**2) / s**2 - mu**2,
                    v[1],
                    (t * d + above) / s**4 - d**2 / s**2,
                )
            ),
            "The score is (z - mu) / sigma^2 = eps / sigma: one sigma is cancelled by z - mu.",
        ),
        WrongAnswer(
            "sigma-for-its-square",
            _variances_with(lambda v, mu, s, t, d, above: (v[0], s, v[2])),
            "sigma is the standard deviation of f'(z) = z; its variance is sigma^2.",
        ),
        WrongAnswer(
            "pathwise-of-f",
            _variances_with(lambda v, mu, s, t, d, above: (v[0], mu**2 * s**2 + s**4 / 2, v[2])),
            "The second is the variance of f(z); the pathwise estimate is the slope f'(z).",
        ),
    ),
    hints=(
        "One draw is f(z) eps / sigma, or f'(z). Its variance is its mean square minus its squared "
        "mean, and the mean is the gradient itself.",
        "Put z = mu + sigma eps. E[eps^2] = 1, E[eps^4] = 3, E[eps^6] = 15, odd powers give 0. For "
        "the step, integrate e^2 density(e) by parts from t = (edge - mu) / sigma upwards.",
        "(mu^4 + 18 mu^2 sigma^2 + 15 sigma^4) / (4 sigma^2) - mu^2;  sigma^2;  "
        "(t density(t) + P(eps > t) - density(t)^2) / sigma^2, P = math.erfc(t / sqrt(2)) / 2",
    ),
)

# ---- 04.bug --------------------------------------------------------------------------------------


def with_baseline(values, score):
    # values: f(z_k) (K,), score: d log q(z_k) / dmu (K,) -> the estimate of dmu, a float.
    # It scatters little. But averaged over very many runs it comes out too small, and the fewer
    # draws, the smaller.
    baseline = values.mean()
    return ((values - baseline) * score).mean()


def mended_baseline(values, score):
    # A baseline must not depend on the draw whose score it multiplies: only then is the mean of
    # baseline * score 0. So each draw gets the mean of the others.
    baseline = (values.sum() - values) / (len(values) - 1)
    return ((values - baseline) * score).mean()


def _bug_cases():
    rng = np.random.default_rng(43)
    return [
        (np.array([2.0, -0.5]), np.array([0.3, 1.1])),
        (generic(rng, 5), generic(rng, 5)),
        (generic(rng, 6), generic(rng, 6)),
    ]


def _of_the_other_half(values):
    half = len(values) // 2
    return np.where(np.arange(len(values)) < half, values[half:].mean(), values[:half].mean())


def _weighted_others(values, score):
    products, weights = values * score**2, score**2
    return (products.sum() - products) / (weights.sum() - weights)


BUG = Exercise(
    id="04.bug",
    title="find the bug: a baseline that takes a part of the gradient away",
    stub=inspect.getsource(with_baseline).rstrip(),
    reference=mended_baseline,
    given=with_baseline,
    cases=_bug_cases,
    mistakes=(
        WrongAnswer(
            "no-baseline",
            lambda values, score: (values * score).mean(),
            "Without a baseline it is right on average, but the scatter is back: keep one, made of "
            "draws that do not spoil it.",
        ),
        WrongAnswer(
            "own-draw-left-in",
            lambda values, score: ((values - values.sum() / (len(values) - 1)) * score).mean(),
            "You divide by K - 1, but the sum still contains the draw's own value: subtract it.",
        ),
        WrongAnswer(
            "divided-by-all",
            lambda values, score: ((values - (values.sum() - values) / len(values)) * score).mean(),
            "The other draws are K - 1; their sum divided by K is not their mean.",
        ),
        WrongAnswer(
            "sum",
            lambda values, score: (
                (values - (values.sum() - values) / (len(values) - 1)) * score
            ).sum(),
            "The baseline is right; take the mean over the draws, as before, not the sum.",
        ),
        WrongAnswer(
            "median",
            lambda values, score: ((values - np.median(values)) * score).mean(),
            "The median is made of the same draws: it depends on the draw that it is subtracted "
            "from.",
        ),
        WrongAnswer(
            "neighbour",
            lambda values, score: ((values - np.roll(values, 1)) * score).mean(),
            "The value of one other draw is a right baseline, but a noisy one: take the mean of "
            "all the others.",
        ),
        WrongAnswer(
            "halves",
            lambda values, score: ((values - _of_the_other_half(values)) * score).mean(),
            "This is right on average: no draw is in its own baseline. But a baseline of half of "
            "the draws is noisier than one of all the others.",
        ),
        WrongAnswer(
            "weighted-by-the-score",
            lambda values, score: (
                (values - (values * score**2).sum() / (score**2).sum()) * score
            ).mean(),
            "With the exact averages this would be the baseline of least variance. Made of the "
            "same draws, it contains the draw that it is subtracted from.",
        ),
        WrongAnswer(
            "weighted-without-its-own",
            lambda values, score: ((values - _weighted_others(values, score)) * score).mean(),
            "This is right on average: each draw is left out of its own baseline. But the weights "
            "score^2 are not asked for here: give all the others the same.",
        ),
        WrongAnswer(
            "sign",
            lambda values, score: (
                (values + (values.sum() - values) / (len(values) - 1)) * score
            ).mean(),
            "The baseline is subtracted, not added.",
        ),
        WrongAnswer(
            "wrong-way",
            lambda values, score: (
                ((values - values.mean()) * score).mean() * (len(values) - 1) / len(values)
            ),
            "The factor goes the other way: the estimate is too small by (K - 1) / K.",
        ),
    ),
    hints=(
        "A constant baseline changes nothing on average, because the mean score is 0. Is this one "
        "a constant, for the draw k?",
        "values.mean() contains f(z_k), so baseline * score_k has the mean gradient / K, which is "
        "taken away.",
        "Subtract from each value the mean of the other K - 1: "
        "(values.sum() - values) / (len(values) - 1).",
    ),
)

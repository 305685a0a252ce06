"""Notebook 04: answers to `04.bug`, `04.factor`, `04.variances` and `04.sampler-test`."""

import math
from statistics import NormalDist

import numpy as np
from answers_of_others.registry import right, wrong

# ---- 04.bug --------------------------------------------------------------------------------------


@right("04.bug")
def scaled_up(values, score):
    K = len(values)
    return ((values - values.mean()) * score).mean() * K / (K - 1)


@right("04.bug")
def each_draw_left_out(values, score):
    total = 0.0
    for k in range(len(values)):
        total += (values[k] - np.delete(values, k).mean()) * score[k]
    return total / len(values)


@right("04.bug")
def by_a_matrix(values, score):
    K = len(values)
    others = (np.ones((K, K)) - np.eye(K)) / (K - 1)
    return score @ (values - others @ values) / K


@right("04.bug")
def unbiased_covariance_with_the_mean_kept(values, score):
    return np.cov(values, score)[0, 1]


@wrong("04.bug")
def scaled_by_one_draw_more(values, score):
    K = len(values)
    return ((values - values.mean()) * score).mean() * (K + 1) / K


@wrong("04.bug")
def score_centred_too(values, score):
    return ((values - values.mean()) * (score - score.mean())).mean() + score.mean()


@wrong("04.bug")
def earlier_draws_only(values, score):
    baseline = np.array([values[:k].mean() if k else 0.0 for k in range(len(values))])
    return ((values - baseline) * score).mean()


@wrong("04.bug")
def first_draw_for_all(values, score):
    return ((values - values[0]) * score).mean()


@wrong("04.bug")
def means_multiplied(values, score):
    others = (values.sum() - values) / (len(values) - 1)
    return (values - others).mean() * score.mean()


@wrong("04.bug")
def summed_and_divided_by_the_others(values, score):
    others = (values.sum() - values) / (len(values) - 1)
    return ((values - others) * score).sum() / (len(values) - 1)


@wrong("04.bug")
def five_draws_written_in(values, score):
    return ((values - values.mean()) * score).sum() / 4


@wrong("04.bug")
def one_for_each_draw(values, score):
    others = (values.sum() - values) / (len(values) - 1)
    return (values - others) * score


@wrong("04.bug")
def score_of_the_others(values, score):
    others = (score.sum() - score) / (len(score) - 1)
    return (values * others).mean()


@wrong("04.bug")
def half_of_the_baseline(values, score):
    return ((values - values.mean() / 2) * score).mean()


@wrong("04.bug")
def smallest_value(values, score):
    return ((values - values.min()) * score).mean()


@wrong("04.bug")
def into_the_values(values, score):
    values -= (values.sum() - values) / (len(values) - 1)
    return (values * score).mean()


# ---- 04.factor -----------------------------------------------------------------------------------


@right("04.factor")
def ratio_of_slope_to_spread(tilt, bend, mu, sigma):
    r = (tilt + bend * mu) / (bend * sigma)
    return math.sqrt(2 * r**2 + 1.5)


@right("04.factor")
def by_quadrature(tilt, bend, mu, sigma):
    eps, weights = np.polynomial.hermite_e.hermegauss(20)
    weights = weights / weights.sum()
    z = mu + sigma * eps
    f, slope = tilt * z + bend * z**2 / 2, tilt + bend * z
    constant = (f * eps**2) @ weights
    draws = (f - constant) * eps / sigma
    scatters = [np.sqrt(d**2 @ weights - (d @ weights) ** 2) for d in (draws, slope)]
    return scatters[0] / scatters[1]


@right("04.factor")
def quotient_of_standard_deviations(tilt, bend, mu, sigma):
    path = np.abs(bend) * sigma
    cubic = 0.5 * bend * sigma
    score = np.sqrt(2 * (tilt + bend * mu) ** 2 + cubic**2 * (15 - 9))
    return score / path


def _root(left):
    return lambda tilt, bend, mu, sigma: math.sqrt(left((tilt + bend * mu), bend * sigma))


wrong(
    "04.factor",
    _root(lambda slope, spread: 2 * slope**2 / spread**2 + 15),
    _root(lambda slope, spread: 2 * slope**2 / spread**2 + 1),
    _root(lambda slope, spread: 2 * slope**2 / spread**2 + 3),
    _root(lambda slope, spread: slope**2 / spread**2 + 1.5),
    _root(lambda slope, spread: 2 * slope**2 + 1.5),
    _root(lambda slope, spread: 2 + 1.5 * spread**2 / slope**2),
    _root(lambda slope, spread: 2 * slope**2 / abs(spread) + 1.5),
    _root(lambda slope, spread: (slope**2 + 1.5 * spread**2) / (slope**2 + spread**2)),
    _root(lambda slope, spread: abs(2 * slope**2 / spread**2 - 1.5)),
    _root(lambda slope, spread: 1.5),
    _root(lambda slope, spread: 2 * (slope / spread) + 1.5 if slope * spread > 0 else 1.5),
)


@wrong("04.factor")
def best_for_logvar_instead(tilt, bend, mu, sigma):
    slope, spread = tilt + bend * mu, bend * sigma
    return math.sqrt(2 * (slope + spread) ** 2 / spread**2 + 1.5)


# ---- 04.variances --------------------------------------------------------------------------------


@right("04.variances")
def with_a_normal_distribution(mu, sigma, edge):
    N, t = NormalDist(), (edge - mu) / sigma
    score = mu**4 / (4 * sigma**2) + 3.5 * mu**2 + 3.75 * sigma**2
    step = (t * N.pdf(t) + N.cdf(-t) - N.pdf(t) ** 2) / sigma**2
    return [score, sigma * sigma, step]


@right("04.variances")
def as_an_array(mu, sigma, edge):
    return tuple(np.array(with_a_normal_distribution(mu, sigma, edge)))


@right("04.variances")
def moments_of_a_polynomial(mu, sigma, edge):
    f = np.polynomial.Polynomial([mu, sigma]) ** 2 / 2
    eps = np.polynomial.Polynomial([0, 1])

    def mean(p):
        odd_product = [1, 0, 1, 0, 3, 0, 15, 0, 105]
        return sum(c * m for c, m in zip(p.coef, odd_product, strict=False))

    estimate = f * eps / sigma
    score = mean(estimate**2) - mean(estimate) ** 2
    return score, sigma**2, with_a_normal_distribution(mu, sigma, edge)[2]


def _variances(score=None, path=None, step=None):
    def answer(mu, sigma, edge):
        N, t = NormalDist(), (edge - mu) / sigma
        found = with_a_normal_distribution(mu, sigma, edge)
        changed = [
            score and score(mu, sigma),
            path and path(mu, sigma),
            step and step(t, sigma, N.pdf(t), N.cdf(-t)),
        ]
        return tuple(r if c is None else c for r, c in zip(found, changed, strict=True))

    return answer


wrong(
    "04.variances",
    _variances(score=lambda mu, s: (mu**4 + 18 * mu**2 * s**2 + 15 * s**4) / (4 * s**2)),
    _variances(score=lambda mu, s: (mu**4 + 18 * mu**2 * s**2 + 15 * s**4) / (4 * s**2) - mu),
    _variances(score=lambda mu, s: (mu**4 + 6 * mu**2 * s**2 + 15 * s**4) / (4 * s**2) - mu**2),
    _variances(score=lambda mu, s: (mu**4 + 18 * mu**2 * s**2 + 15 * s**4) / s**2 - mu**2),
    _variances(score=lambda mu, s: (mu**4 + 18 * mu**2 * s**2 + 5 * s**4) / (4 * s**2) - mu**2),
    _variances(score=lambda mu, s: (mu**4 + 18 * mu**2 * s**2 + 15 * s**4) / 4 - mu**2),
    _variances(path=lambda mu, s: mu**2 + s**2),
    _variances(path=lambda mu, s: 1.0),
    _variances(path=lambda mu, s: s**2 / 2),
    _variances(step=lambda t, s, density, above: (above - above**2) / s**2),
    _variances(step=lambda t, s, density, above: (t * density + above) / s**2),
    _variances(step=lambda t, s, density, above: (t * density - above - density**2) / s**2),
    _variances(step=lambda t, s, density, above: (-t * density + above - density**2) / s**2),
    _variances(step=lambda t, s, density, above: (t * density + above - density) / s**2),
    _variances(step=lambda t, s, density, above: t * density + above - density**2),
    _variances(step=lambda t, s, density, above: 0.0),
)

# ---- 04.sampler-test -----------------------------------------------------------------------------


def _noise(sample, rng, B=4000, L=2, mu=0.7, logvar=-0.9):
    at, spread = np.full((B, L), mu), np.full((B, L), logvar)
    return (sample(at, spread, rng) - at) / np.exp(spread / 2)


def _near(values, mean, variance):
    return abs(values.mean() - mean) < 5 * math.sqrt(variance / values.size)


@right("04.sampler-test")
def fraction_beyond_two_sigma(sample, rng):
    e = _noise(sample, rng)
    beyond = 2 * NormalDist().cdf(-2)
    return bool(
        _near(e, 0, 1)
        and _near(e**2, 1, 2)
        and _near(np.abs(e) > 2, beyond, beyond)
        and _near(e[:, 0] * e[:, 1], 0, 1)
        and _near(e[:-1] * e[1:], 0, 1)
    )


@right("04.sampler-test")
def correlations_and_quantiles(sample, rng):
    e = _noise(sample, rng, B=4001, L=3, mu=-1.2, logvar=0.8)
    if abs(np.corrcoef(e.T) - np.eye(3)).max() > 0.09:
        return False
    if abs(np.corrcoef(e[1:, 0], e[:-1, 0])[0, 1]) > 0.09:
        return False
    levels = np.array([0.02, 0.1, 0.3, 0.5, 0.7, 0.9, 0.98])
    below = np.array([(e < NormalDist().inv_cdf(p)).mean() for p in levels])
    return bool((np.abs(below - levels) < 5 * np.sqrt(levels * (1 - levels) / e.size)).all())


@right("04.sampler-test")
def shares_looked_for_directly(sample, rng):
    e = _noise(sample, rng, B=3000, L=4)
    if len(np.unique(np.round(e, 9))) < e.size - 1:
        return False
    ordered = np.sort(e.ravel())
    expected = np.arange(1, e.size + 1) / e.size
    cdf = np.array([0.5 * math.erfc(-v / math.sqrt(2)) for v in ordered[::20]])
    return np.abs(cdf - expected[::20]).max() < 2.4 / math.sqrt(e.size)


@wrong("04.sampler-test")
def one_example_at_a_time(sample, rng):
    e = np.array([_noise(sample, rng, B=1)[0] for _ in range(200)])
    return bool(_near(e, 0, 1) and _near(e**2, 1, 2) and _near(e**4, 3, 96))


@wrong("04.sampler-test")
def a_few_draws(sample, rng):
    e = _noise(sample, rng, B=20)
    return bool(_near(e, 0, 1) and _near(e**2, 1, 2) and _near(e[:, 0] * e[:, 1], 0, 1))


@wrong("04.sampler-test")
def within_a_tenth(sample, rng):
    e = _noise(sample, rng, B=500)
    return bool(abs(e.mean()) < 0.1 and abs(e.var() - 1) < 0.1)


@wrong("04.sampler-test")
def variance_only(sample, rng):
    return bool(_near(_noise(sample, rng) ** 2, 1, 2))


@wrong("04.sampler-test")
def latents_but_not_examples(sample, rng):
    e = _noise(sample, rng)
    pair = _near(e[:, 0] * e[:, 1], 0, 1)
    return bool(_near(e, 0, 1) and _near(e**2, 1, 2) and _near(e**4, 3, 96) and pair)


@wrong("04.sampler-test")
def examples_far_apart(sample, rng):
    e = _noise(sample, rng)
    pairs = _near(e[:, 0] * e[:, 1], 0, 1) and _near(e[:2000] * e[2000:], 0, 1)
    return bool(_near(e, 0, 1) and _near(e**2, 1, 2) and _near(e**4, 3, 96) and pairs)


@wrong("04.sampler-test", clue="shape-not-tested")
def third_power_for_the_fourth(sample, rng):
    e = _noise(sample, rng)
    pairs = _near(e[:, 0] * e[:, 1], 0, 1) and _near(e[:-1] * e[1:], 0, 1)
    return bool(_near(e, 0, 1) and _near(e**2, 1, 2) and _near(e**3, 0, 15) and pairs)


@wrong("04.sampler-test", clue="at-zero")
def at_a_logvar_of_zero(sample, rng):
    e = _noise(sample, rng, logvar=0.0)
    pairs = _near(e[:, 0] * e[:, 1], 0, 1) and _near(e[:-1] * e[1:], 0, 1)
    return bool(_near(e, 0, 1) and _near(e**2, 1, 2) and _near(e**4, 3, 96) and pairs)


@wrong("04.sampler-test")
def not_the_other_way(sample, rng):
    return not fraction_beyond_two_sigma(sample, rng)


@wrong("04.sampler-test")
def says_how_far_off(sample, rng):
    return float(abs(_noise(sample, rng).mean()))


@wrong("04.sampler-test")
def name_of_the_sampler(sample, rng):
    return "right" in sample.__name__


@wrong("04.sampler-test", clue="rejects-all")
def same_draws_twice(sample, rng):
    return bool(np.array_equal(_noise(sample, rng), _noise(sample, rng)))

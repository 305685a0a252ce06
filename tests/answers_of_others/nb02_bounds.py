"""Notebook 02: answers to `02.draws`, `02.weights-with-gap` and `02.counts`."""

import math

import numpy as np
from answers_of_others.registry import right, wrong

# ---- 02.draws ------------------------------------------------------------------------------------


@right("02.draws")
def by_mean_and_variance(x, W, v):
    S = v / (v + W**2)
    m = W * x / (v + W**2)
    return np.exp(np.sum(m**2 + S - 1 - np.log(S)) / 2)


@right("02.draws")
def latent_by_latent(x, W, v):
    kl = 0.0
    for x_i, w, noise in zip(x, W, v, strict=True):
        precision = 1 + w * w / noise
        mean = w * x_i / noise / precision
        kl += 0.5 * (1 / precision + mean * mean - 1 + math.log(precision))
    return math.exp(kl)


@right("02.draws")
def by_the_mean_log_ratio(x, W, v):
    total = v + W**2
    m, S = W * x / total, v / total
    fit = -0.5 * (np.log(2 * np.pi * v) + ((x - W * m) ** 2 + W**2 * S) / v)
    evidence = -0.5 * (np.log(2 * np.pi * total) + x**2 / total)
    return float(np.exp((fit - evidence).sum()))


@right("02.draws")
def a_product_of_factors(x, W, v):
    r = W * W / v
    return np.prod(np.sqrt(1 + r)) * np.exp((r / (1 + r) * (x * x / (v + W * W) - 1)).sum() / 2)


def draws_by(kl):
    """An answer from what it takes for the KL of each latent, from m, S and the arguments."""

    def answer(x, W, v):
        total = v + W**2
        return np.exp(np.sum(kl(W * x / total, v / total, x, W, v)))

    return answer


def kl_to_prior(m, S):
    return (m**2 + S - 1 - np.log(S)) / 2


wrong(
    "02.draws",
    draws_by(lambda m, S, x, W, v: (m**2 + S - 1) / 2),
    draws_by(lambda m, S, x, W, v: (m**2 + S - np.log(S)) / 2),
    draws_by(lambda m, S, x, W, v: (m**2 + np.sqrt(S) - 1 - np.log(np.sqrt(S))) / 2),
    draws_by(lambda m, S, x, W, v: kl_to_prior(x / W, v / W**2)),
    draws_by(lambda m, S, x, W, v: kl_to_prior(x / (v + W**2), S)),
    draws_by(lambda m, S, x, W, v: kl_to_prior(W * x / (1 + v), v / (1 + v))),
    draws_by(lambda m, S, x, W, v: kl_to_prior(m, v / (v + W))),
    draws_by(lambda m, S, x, W, v: kl_to_prior(m, S).max()),
    draws_by(lambda m, S, x, W, v: kl_to_prior(m, S)[0]),
    draws_by(lambda m, S, x, W, v: kl_to_prior(abs(m), v / (v + abs(W)))),
    draws_by(lambda m, S, x, W, v: kl_to_prior(x * np.sign(W) / np.sqrt(v + W**2), S)),
    draws_by(lambda m, S, x, W, v: kl_to_prior(m, S) * np.log2(np.e)),
)
wrong("02.draws", draws_by(lambda m, S, x, W, v: m**2 + S - 1 - np.log(S)), clue="half-forgotten")
wrong(
    "02.draws", draws_by(lambda m, S, x, W, v: (m**2 + S - 1 - 2 * np.log(S)) / 2), clue="deviation"
)
wrong(
    "02.draws",
    draws_by(lambda m, S, x, W, v: kl_to_prior(x / (1 + v), v / (1 + v))),
    clue="weight-one",
)
wrong(
    "02.draws",
    draws_by(lambda m, S, x, W, v: (np.log(S) + (1 + m**2) / S - 1) / 2),
    clue="reversed",
)


@wrong("02.draws", clue="kl-itself")
def the_kl_itself(x, W, v):
    return float(np.log(by_mean_and_variance(x, W, v)))


@wrong("02.draws")
def one_for_each_latent(x, W, v):
    total = v + W**2
    return np.exp(kl_to_prior(W * x / total, v / total))


@wrong("02.draws", clue="sum-of-exps")
def factors_added(x, W, v):
    return one_for_each_latent(x, W, v).sum()


@wrong("02.draws")
def noise_squared(x, W, v):
    return by_mean_and_variance(x, W, v**2)


@wrong("02.draws")
def rounded_up(x, W, v):
    return math.ceil(by_mean_and_variance(x, W, v))


@wrong("02.draws")
def by_draws(x, W, v):
    total = v + W**2
    noise = np.random.default_rng(0).standard_normal((10_000, len(x)))
    z = W * x / total + np.sqrt(v / total) * noise
    ratio = -0.5 * ((x - W * z) ** 2 / v - x**2 / total + np.log(v / total)).sum(axis=1)
    return np.exp(ratio.mean())


# ---- 02.weights-with-gap -------------------------------------------------------------------------


@right("02.weights-with-gap")
def small_one_from_the_product(gap):
    d = math.sqrt(-math.expm1(-2 * gap))
    return math.exp(-2 * gap) / (1 + d), 1 + d


@right("02.weights-with-gap")
def as_a_list_of_numpy_floats(gap):
    d = np.sqrt(-np.expm1(-2 * gap))
    return [np.exp(-2 * gap) / (1 + d), 1 + d]


@right("02.weights-with-gap")
def by_a_hyperbolic_angle(gap):
    t = np.arctanh(np.sqrt(-np.expm1(-2 * gap))) if gap < 5 else gap + math.log1p(
        math.sqrt(-math.expm1(-2 * gap)))  # fmt: skip
    return np.array([np.exp(-gap - t), np.exp(t - gap)])


@right("02.weights-with-gap")
def by_halving_an_interval(gap):
    low, high = -2 * gap - 2, 0.0
    for _ in range(200):
        middle = (low + high) / 2
        w = math.exp(middle)
        if -(middle + math.log1p(1 - w)) / 2 > gap:
            low = middle
        else:
            high = middle
    small = math.exp((low + high) / 2)
    return small, 2 - small


def weights_by(spread):
    """An answer that puts the weights at 1 - d and 1 + d, from a rule for d."""

    def answer(gap):
        with np.errstate(all="ignore"):
            d = float(spread(gap))
        return 1 - d, 1 + d

    return answer


wrong(
    "02.weights-with-gap",
    weights_by(lambda gap: np.sqrt(1 - np.exp(-4 * gap))),
    weights_by(lambda gap: np.tanh(gap)),
    weights_by(lambda gap: np.sqrt(np.exp(2 * gap) - 1)),
    weights_by(lambda gap: np.sqrt(np.exp(-2 * gap))),
    weights_by(lambda gap: np.sqrt(2 * gap / (1 + 2 * gap))),
    weights_by(lambda gap: 0.5),
)
wrong(
    "02.weights-with-gap", weights_by(lambda gap: np.sqrt(1 - np.exp(-gap))), clue="half-forgotten"
)
wrong("02.weights-with-gap", weights_by(lambda gap: 1 - np.exp(-2 * gap)), clue="root-forgotten")
wrong("02.weights-with-gap", weights_by(lambda gap: np.sqrt(2 * gap)), clue="second-order")
wrong("02.weights-with-gap", weights_by(lambda gap: gap), clue="gap-as-distance")
wrong(
    "02.weights-with-gap",
    weights_by(lambda gap: -np.sqrt(-np.expm1(-2 * gap))),
    clue="larger-first",
)


@right("02.weights-with-gap")
def from_the_hint(gap):
    return tuple(1 + s * np.sqrt(1 - np.exp(-2 * gap)) for s in (-1, 1))


@wrong("02.weights-with-gap")
def their_logs(gap):
    a, b = small_one_from_the_product(gap)
    return math.log(a), math.log(b)


@wrong("02.weights-with-gap")
def sum_of_one(gap):
    a, b = small_one_from_the_product(gap)
    return a / 2, b / 2


@wrong("02.weights-with-gap")
def product_of_one(gap):
    t = math.acosh(math.exp(gap))
    return math.exp(-t), math.exp(t)


@wrong("02.weights-with-gap")
def ends_of_the_gap(gap):
    return math.exp(-gap), 2 - math.exp(-gap)


@wrong("02.weights-with-gap")
def only_the_smaller(gap):
    return small_one_from_the_product(gap)[0]


@wrong("02.weights-with-gap")
def found_on_a_grid(gap):
    w = np.linspace(1e-6, 1, 100_001)[:-1]
    a = w[np.argmin(abs(-(np.log(w) + np.log(2 - w)) / 2 - gap))]
    return a, 2 - a


@wrong("02.weights-with-gap")
def kept_above_a_floor(gap):
    a = max(small_one_from_the_product(gap)[0], 0.01)
    return a, 2 - a


# ---- 02.counts -----------------------------------------------------------------------------------


@right("02.counts")
def by_sigma(x, mu, logvar, a, c):
    sigma = math.exp(logvar / 2)
    rate = math.exp(c + a * mu + (a * sigma) ** 2 / 2)
    kl = (mu**2 + sigma**2 - 1) / 2 - math.log(sigma)
    return x * (a * mu + c) - rate - math.lgamma(x + 1) - kl


@right("02.counts")
def three_expectations(x, mu, logvar, a, c):
    s2 = np.exp(logvar)
    log_factorial = np.log(np.arange(1, x + 1)).sum()
    of_x = x * (a * mu + c) - np.exp(a * mu + c + a**2 * s2 / 2) - log_factorial
    of_z = -0.5 * (np.log(2 * np.pi) + mu**2 + s2)
    entropy = 0.5 * (np.log(2 * np.pi) + logvar + 1)
    return of_x + of_z + entropy


@right("02.counts")
def by_quadrature(x, mu, logvar, a, c):
    nodes, weights = np.polynomial.hermite_e.hermegauss(80)
    z = mu + np.exp(logvar / 2) * nodes
    weights = weights / weights.sum()
    log_w = (
        x * (a * z + c) - np.exp(a * z + c) - math.lgamma(x + 1) - z**2 / 2
        + nodes**2 / 2 + logvar / 2
    )  # fmt: skip
    return weights @ log_w


@right("02.counts")
def with_a_factorial(x, mu, logvar, a, c):
    s2 = math.exp(logvar)
    fit = x * (a * mu + c) - math.exp(a * mu + c + s2 * a * a / 2)
    fit -= math.log(math.factorial(int(x)))
    return float(fit - 0.5 * (mu * mu + s2 - 1 - logvar))


def elbo_by(rate=None, factorial=None, kl=None, linear=None):
    """An answer, right but for one of its terms."""

    def answer(x, mu, logvar, a, c):
        s2 = np.exp(logvar)
        first = linear(x, mu, s2, a, c) if linear else x * (a * mu + c)
        second = rate(mu, s2, a, c) if rate else np.exp(a * mu + c + a**2 * s2 / 2)
        third = factorial(x) if factorial else math.lgamma(x + 1)
        return first - second - third - (kl(mu, s2) if kl else (mu**2 + s2 - 1 - logvar) / 2)

    return answer


wrong(
    "02.counts",
    elbo_by(rate=lambda mu, s2, a, c: np.exp(a * mu + c - a**2 * s2 / 2)),
    elbo_by(rate=lambda mu, s2, a, c: np.exp(a * mu + a**2 * s2 / 2)),
    elbo_by(rate=lambda mu, s2, a, c: np.exp(a * mu + c) * (1 + a**2 * s2 / 2)),
    elbo_by(rate=lambda mu, s2, a, c: np.exp(abs(a) * mu + c + a**2 * s2 / 2)),
    elbo_by(rate=lambda mu, s2, a, c: np.exp(a * mu + c) + np.exp(a**2 * s2 / 2)),
    elbo_by(factorial=lambda x: x * math.log(x) - x if x else 0.0),
    elbo_by(factorial=lambda x: math.log(x) if x else 0.0),
    elbo_by(factorial=lambda x: -math.lgamma(x + 1)),
    elbo_by(kl=lambda mu, s2: (mu + s2 - 1 - np.log(s2)) / 2),
    elbo_by(kl=lambda mu, s2: (mu**2 + s2 - 1) / 2 - np.log(s2)),
    elbo_by(linear=lambda x, mu, s2, a, c: x * a * mu + c),
)
wrong(
    "02.counts",
    elbo_by(rate=lambda mu, s2, a, c: np.exp(a * mu + c + a * s2 / 2)),
    clue="slope-not-squared",
)
wrong(
    "02.counts",
    elbo_by(rate=lambda mu, s2, a, c: np.exp(a * mu + c + a**2 * s2)),
    clue="half-forgotten",
)
wrong(
    "02.counts",
    elbo_by(rate=lambda mu, s2, a, c: np.exp(a * mu + c + a**2 * np.sqrt(s2) / 2)),
    clue="deviation",
)
wrong(
    "02.counts",
    elbo_by(rate=lambda mu, s2, a, c: np.exp(a * mu + c + s2 / 2)),
    clue="slope-forgotten",
)
wrong("02.counts", elbo_by(kl=lambda mu, s2: mu**2 + s2 - 1 - np.log(s2)), clue="kl-without-half")
wrong(
    "02.counts",
    elbo_by(kl=lambda mu, s2: (mu**2 + s2 - np.log(s2)) / 2),
    clue="entropy-without-its-half",
)
wrong("02.counts", elbo_by(kl=lambda mu, s2: -(mu**2 + s2 - 1 - np.log(s2)) / 2), clue="kl-added")
wrong(
    "02.counts",
    elbo_by(linear=lambda x, mu, s2, a, c: x * (a * mu + c + a**2 * s2 / 2)),
    clue="variance-in-the-linear-term",
)


@wrong("02.counts", clue="loss")
def negative_elbo(x, mu, logvar, a, c):
    return -by_sigma(x, mu, logvar, a, c)


@wrong("02.counts")
def log_of_a_count_of_zero(x, mu, logvar, a, c):
    return by_sigma(x, mu, logvar, a, c) + math.lgamma(x + 1) - math.lgamma(x) - math.log(x)


@wrong("02.counts")
def logs_from_zero_on(x, mu, logvar, a, c):
    with np.errstate(divide="ignore"):
        log_factorial = np.log(np.arange(x + 1)).sum()
    return by_sigma(x, mu, logvar, a, c) + math.lgamma(x + 1) - log_factorial


@wrong("02.counts")
def from_a_thousand_draws(x, mu, logvar, a, c):
    z = mu + np.exp(logvar / 2) * np.random.default_rng(0).standard_normal(1000)
    fit = x * (a * z + c) - np.exp(a * z + c) - math.lgamma(x + 1)
    return fit.mean() - (mu**2 + np.exp(logvar) - 1 - logvar) / 2


@wrong("02.counts", clue="factorial-overflows")
def factorial_in_floats(x, mu, logvar, a, c):
    with np.errstate(all="ignore"):
        log_factorial = np.log(np.prod(np.arange(1, x + 1, dtype=float)))
    s2 = np.exp(logvar)
    fit = x * (a * mu + c) - np.exp(a * mu + c + a**2 * s2 / 2) - log_factorial
    return fit - (mu**2 + s2 - 1 - logvar) / 2


@wrong("02.counts", clue="logvar-is-log-sigma")
def logvar_taken_for_log_sigma(x, mu, logvar, a, c):
    return by_sigma(x, mu, 2 * logvar, a, c)

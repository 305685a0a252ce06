"""A test of a sampler, for what a gradient check cannot see."""

from functools import partial

import numpy as np

from minivae.exercises.exercise import Exercise, WrongAnswer, stub

# ---- 04.sampler-test -----------------------------------------------------------------------------

SEEDS = 50


def right_sampler(mu, logvar, rng):
    return mu + np.exp(logvar / 2) * rng.standard_normal(mu.shape)


def noise_turned_over(mu, logvar, rng):
    """Right too: -eps is as normal as eps."""
    return mu - np.exp(logvar / 2) * rng.standard_normal(mu.shape)


def noise_from_two_uniforms(mu, logvar, rng):
    """Right as well: sqrt(-2 log u) cos(2 pi v) is standard normal (Box and Muller 1958)."""
    u, v = rng.random((2, *mu.shape))
    eps = np.sqrt(-2 * np.log(1 - u)) * np.cos(2 * np.pi * v)
    return mu + np.exp(logvar / 2) * eps


def variance_as_sigma(mu, logvar, rng):
    return mu + np.exp(logvar) * rng.standard_normal(mu.shape)


def mu_scaled_too(mu, logvar, rng):
    return (mu + rng.standard_normal(mu.shape)) * np.exp(logvar / 2)


def mu_shifted(mu, logvar, rng):
    """Only the mean is wrong."""
    return mu + np.exp(logvar / 2) * (0.2 + rng.standard_normal(mu.shape))


def one_noise_for_all_examples(mu, logvar, rng):
    return mu + np.exp(logvar / 2) * rng.standard_normal(mu.shape[1])


def one_noise_for_all_latents(mu, logvar, rng):
    return mu + np.exp(logvar / 2) * rng.standard_normal((len(mu), 1))


def noise_shared_by_pairs(mu, logvar, rng):
    """Examples 0 and 1 share their noise, 2 and 3, and so on."""
    pairs = rng.standard_normal(((len(mu) + 1) // 2, mu.shape[1]))
    return mu + np.exp(logvar / 2) * np.repeat(pairs, 2, axis=0)[: len(mu)]


def uniform_noise(mu, logvar, rng):
    return mu + np.exp(logvar / 2) * rng.uniform(-np.sqrt(3), np.sqrt(3), mu.shape)


def sampler_is_right(sample, rng):
    """Is (z - mu) / sigma standard normal and independent? Five means, within 5 standard errors"""
    mu, logvar = rng.standard_normal((2, 4000, 2))  # nothing special: no zeros, not all alike
    eps = (sample(mu, logvar, rng) - mu) / np.exp(logvar / 2)
    statistics = (  # values whose mean and standard deviation are known for normal noise
        (eps, 0, 1),
        (eps**2, 1, np.sqrt(2)),
        (eps**2 * eps**2, 3, np.sqrt(96)),  # eps^4, the shape: a uniform has 1.8
        (eps[:, 0] * eps[:, 1], 0, 1),  # two latents of one example
        (eps[1:] * eps[:-1], 0, 1),  # one latent of two examples
    )
    return all(abs(v.mean() - m) < 5 * sd / np.sqrt(v.size) for v, m, sd in statistics)


def _cases():
    samplers = (
        right_sampler,
        noise_turned_over,
        noise_from_two_uniforms,
        variance_as_sigma,
        mu_scaled_too,
        mu_shifted,
        one_noise_for_all_examples,
        one_noise_for_all_latents,
        noise_shared_by_pairs,
        uniform_noise,
    )
    return [(sampler,) for sampler in samplers]


def _rejections(answer, sample):
    """In how many of 50 runs the test says that the sampler is wrong."""
    rejected = 0
    for seed in range(SEEDS):
        nameless = partial(sample)  # a name would tell which one it is
        verdict = answer(nameless, np.random.default_rng(seed))
        if not isinstance(verdict, bool | np.bool_):
            raise TypeError(f"sampler_is_right returned {verdict!r}; it must be True or False")
        rejected += not verdict
    return (rejected,)


def _within(statistics, bound=5.0, mu=None):
    """A wrong test: statistics(eps) gives (values, mean, sd); bound: in standard errors."""

    def wrong(sample, rng):
        m, logvar = rng.standard_normal((2, 4000, 2)) if mu is None else np.full((2, 4000, 2), mu)
        eps = (sample(m, logvar, rng) - m) / np.exp(logvar / 2)
        return all(abs(v.mean() - a) < bound * sd / np.sqrt(v.size) for v, a, sd in statistics(eps))

    return wrong


def _formula_at_the_same_seed(sample, rng):
    mu, logvar = rng.standard_normal((2, 50, 2))
    z = sample(mu, logvar, np.random.default_rng(1))
    return np.allclose(z, right_sampler(mu, logvar, np.random.default_rng(1)))


def _either_sign_at_the_same_seed(sample, rng):
    mu, logvar = rng.standard_normal((2, 50, 2))
    z, rights = sample(mu, logvar, np.random.default_rng(1)), (right_sampler, noise_turned_over)
    return any(np.allclose(z, right(mu, logvar, np.random.default_rng(1))) for right in rights)


def _mean(eps):
    return [(eps, 0, 1)]


def _two_moments(eps):
    return [(eps, 0, 1), (eps**2, 1, np.sqrt(2))]


def _all_pairs(eps):
    neighbours = eps[1:] * eps[:-1], 0, 1
    return [*_two_moments(eps), neighbours, (eps[:, 0] * eps[:, 1], 0, 1)]


def _no_pairs(eps):
    return [*_two_moments(eps), (eps**2 * eps**2, 3, np.sqrt(96))]


def _all(eps):
    return [*_all_pairs(eps), (eps**2 * eps**2, 3, np.sqrt(96))]


def _all_but_the_mean(eps):
    return _all(eps - eps.mean())[1:]


SAMPLER_TEST = Exercise(
    id="04.sampler-test",
    title="a test that accepts three right samplers and rejects seven wrong ones",
    stub=stub("""
        def sampler_is_right(sample, rng):    # sample(mu, logvar, rng) -> z, all (B, L) as you like
            ...                               # -> True or False
    """),
    reference=sampler_is_right,
    cases=_cases,
    observe=_rejections,
    returns=(f"times that your test rejects it, with {SEEDS} seeds",),
    mistakes=(
        WrongAnswer(
            "accepts-all",
            lambda sample, rng: True,
            "It accepts everything: compute a statistic of the draws, and compare it with what it "
            "should be.",
        ),
        WrongAnswer(
            "rejects-all",
            lambda sample, rng: False,
            "It rejects everything, the right samplers too.",
        ),
        WrongAnswer(
            "formula-at-the-same-seed",
            _formula_at_the_same_seed,
            "It compares with mu + sigma eps at the same seed: a sampler that uses its noise in "
            "another way, as mu - sigma eps, is right too. Test the distribution.",
        ),
        WrongAnswer(
            "either-sign-at-the-same-seed",
            _either_sign_at_the_same_seed,
            "It compares with two formulas at the same seed. A sampler may make its normal numbers "
            "from rng in any other way: test the distribution of z.",
        ),
        WrongAnswer(
            "mean-only",
            _within(_mean),
            "Only the mean is tested: a wrong variance goes unseen.",
        ),
        WrongAnswer(
            "mean-and-variance",
            _within(_two_moments),
            "Mean and variance are tested at each entry; how two entries go together, and the "
            "shape of the distribution, are not.",
        ),
        WrongAnswer(
            "mean-not-tested",
            _within(_all_but_the_mean),
            "The mean is not tested: all draws may be shifted alike.",
        ),
        WrongAnswer(
            "entries-not-compared",
            _within(_no_pairs),
            "Each entry is tested by itself: two latents of one example may share their noise.",
        ),
        WrongAnswer(
            "shape-not-tested",
            _within(_all_pairs),
            "Uniform noise can have the right mean and variance. A fourth power tells it from "
            "normal noise, or how many draws lie beyond two sigma.",
        ),
        WrongAnswer(
            "too-strict",
            _within(_all, bound=1.5),
            "It rejects right samplers sometimes: a mean over n draws lies a standard error off "
            "quite often. Allow four or five of them, and draw enough.",
        ),
        WrongAnswer(
            "at-zero",
            _within(_all, mu=0.0),
            "At logvar = 0 several samplers are the same, at mu = 0 too. Test at numbers with "
            "nothing special about them.",
        ),
    ),
    hints=(
        "Undo the formula: (z - mu) / sigma must be independent standard normal numbers. Which "
        "averages of them do you know?",
        "Mean 0, mean square 1; the product of two latents and of two examples, mean 0; the fourth "
        "power, mean 3. Draw some thousands, at mu and logvar with nothing special about them.",
        "The mean of n values with standard deviation sd has the standard error sd / sqrt(n): "
        "accept if each average lies within five of them.",
    ),
)

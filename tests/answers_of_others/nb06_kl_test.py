"""Notebook 06: answers to `06.kl-test`."""

import numpy as np
from answers_of_others.registry import right, wrong

MU = np.array([[0.7, -1.1, 0.4], [-0.3, 1.6, -0.9]])
LOGVAR = np.array([[-0.8, 0.5, 0.3], [0.6, -1.2, -0.4]])


def normal(z, mu, logvar):
    return -0.5 * ((z - mu) ** 2 / np.exp(logvar) + logvar + np.log(2 * np.pi))


@right("06.kl-test")
def with_both_densities(kl):
    rng = np.random.default_rng(0)
    z = rng.normal(MU, np.exp(LOGVAR / 2), size=(60_000, 2, 3))
    each = normal(z, MU, LOGVAR) - normal(z, 0, 0 * MU)
    value = kl(MU, LOGVAR)
    if np.shape(value) != MU.shape:
        return False
    return np.all(abs(value - each.mean(axis=0)) < 5 * each.std(axis=0) / 60_000**0.5)


@right("06.kl-test")
def entry_by_entry(kl):
    rng, value = np.random.default_rng(1), np.asarray(kl(MU, LOGVAR))
    if value.shape != MU.shape:
        return False
    for (i, j), m in np.ndenumerate(MU):
        sd = np.exp(LOGVAR[i, j] / 2)
        z = m + sd * rng.standard_normal(60_000)
        each = 0.5 * (z**2 - ((z - m) / sd) ** 2) - np.log(sd)
        if abs(value[i, j] - each.mean()) > 5.5 * each.std() / len(z) ** 0.5:
            return False
    return True


@right("06.kl-test")
def with_mirrored_draws(kl):
    half = np.random.default_rng(3).standard_normal((40_000, 2, 3))
    sigma = np.exp(0.5 * LOGVAR)
    both = [((MU + s * sigma * half) ** 2 - half**2 - LOGVAR) / 2 for s in (1, -1)]
    pairs = (both[0] + both[1]) / 2
    value = kl(MU.copy(), LOGVAR.copy())
    if not isinstance(value, np.ndarray) or value.shape != (2, 3):
        return False
    error = pairs.std(axis=0, ddof=1) / np.sqrt(len(pairs))
    return not (np.abs(value - pairs.mean(axis=0)) > 5 * error).any()


def log_ratios(n=60_000, mu=MU, logvar=LOGVAR):
    eps = np.random.default_rng(2).standard_normal((n, *mu.shape))
    z = mu + np.exp(logvar / 2) * eps
    return (z**2 - eps**2 - logvar) / 2


def agrees(kl, each, bars=5, mu=MU, logvar=LOGVAR):
    value = kl(mu, logvar)
    if np.shape(value) != mu.shape:
        return False
    return bool(
        (abs(value - each.mean(axis=0)) <= bars * each.std(axis=0) / len(each) ** 0.5).all()
    )


@wrong("06.kl-test")
def no_shape_compared(kl):
    each = log_ratios()
    error = each.std(axis=0) / len(each) ** 0.5
    try:
        return bool((abs(kl(MU, LOGVAR) - each.mean(axis=0)) <= 5 * error).all())
    except ValueError:
        return True


@wrong("06.kl-test")
def a_hundred_draws(kl):
    return agrees(kl, log_ratios(100))


@wrong("06.kl-test")
def twenty_standard_errors(kl):
    return agrees(kl, log_ratios(), bars=20)


@wrong("06.kl-test")
def one_standard_error(kl):
    return agrees(kl, log_ratios(), bars=1)


@wrong("06.kl-test")
def wide_q_only(kl):
    logvar = np.full(MU.shape, 1.0)
    return agrees(kl, log_ratios(mu=0 * MU, logvar=logvar), mu=0 * MU, logvar=logvar)


@wrong("06.kl-test", clue="one-example")
def the_same_for_all_examples(kl):
    mu, logvar = np.tile(MU[0], (3, 1)), np.tile(LOGVAR[0], (3, 1))
    return agrees(kl, log_ratios(mu=mu, logvar=logvar), mu=mu, logvar=logvar)


@wrong("06.kl-test", clue="one-example")
def first_example_only(kl):
    each = log_ratios()
    value = kl(MU, LOGVAR)
    if np.shape(value) != MU.shape:
        return False
    error = each.std(axis=0) / len(each) ** 0.5
    return bool((abs(value - each.mean(axis=0)) <= 5 * error)[0].all())


@wrong("06.kl-test")
def last_latent_left_out(kl):
    each = log_ratios()
    value = kl(MU, LOGVAR)
    if np.shape(value) != MU.shape:
        return False
    error = each.std(axis=0) / len(each) ** 0.5
    return bool((abs(value - each.mean(axis=0)) <= 5 * error)[:, :-1].all())


@wrong("06.kl-test")
def any_entry(kl):
    each = log_ratios()
    value = kl(MU, LOGVAR)
    if np.shape(value) != MU.shape:
        return False
    return bool((abs(value - each.mean(axis=0)) <= 5 * each.std(axis=0) / len(each) ** 0.5).any())


@wrong("06.kl-test", clue="too-strict")
def draws_from_the_prior(kl):
    z = np.random.default_rng(0).standard_normal((60_000, 2, 3))
    return agrees(kl, normal(z, MU, LOGVAR) - normal(z, 0, 0 * MU))


@wrong("06.kl-test", clue="too-strict")
def ratio_upside_down(kl):
    return agrees(kl, -log_ratios())


@wrong("06.kl-test")
def only_too_large_is_seen(kl):
    each = log_ratios()
    value = kl(MU, LOGVAR)
    if np.shape(value) != MU.shape:
        return False
    return bool((value - each.mean(axis=0) <= 5 * each.std(axis=0) / len(each) ** 0.5).all())


@wrong("06.kl-test")
def row_sums_compared(kl):
    each = log_ratios().sum(axis=2)
    value = np.sum(kl(MU, LOGVAR), axis=-1)
    if np.shape(value) != (2,):
        return False
    return bool((abs(value - each.mean(axis=0)) <= 5 * each.std(axis=0) / len(each) ** 0.5).all())


@wrong("06.kl-test")
def by_the_gradient(kl):
    up, down = kl(MU + 1e-5, LOGVAR), kl(MU - 1e-5, LOGVAR)
    return bool(np.allclose((up - down) / 2e-5, MU, atol=1e-6)) and log_ratios(2) is not None


@wrong("06.kl-test")
def a_hundredth_relative(kl):
    value, mean = kl(MU, LOGVAR), log_ratios().mean(axis=0)
    return np.shape(value) == MU.shape and bool(np.allclose(value, mean, rtol=0.2))


@wrong("06.kl-test")
def always(kl):
    return True


@wrong("06.kl-test", clue="too-strict")
def never(kl):
    return False


@wrong("06.kl-test")
def the_difference(kl):
    return kl(MU, LOGVAR) - log_ratios().mean(axis=0)


@wrong("06.kl-test")
def one_for_each_entry(kl):
    each = log_ratios()
    return abs(kl(MU, LOGVAR) - each.mean(axis=0)) <= 5 * each.std(axis=0) / len(each) ** 0.5


@wrong("06.kl-test")
def asserts(kl):
    assert agrees(kl, log_ratios())

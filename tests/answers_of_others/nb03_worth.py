"""Notebook 03: answers to `03.bug` and `03.evidence`."""

import math

import numpy as np
from answers_of_others.registry import right, wrong

# ---- 03.bug --------------------------------------------------------------------------------------


def softplus(rho):
    return np.logaddexp(0, rho)


def value(mu, sigma):
    return 0.5 * np.sum(mu**2 + sigma**2 - 1 - np.log(sigma**2), axis=1)


@right("03.bug")
def through_logvar(mu, rho):
    sigma = softplus(rho)
    dlogvar = (sigma**2 - 1) / 2
    dlogvar_drho = 2 / sigma * np.exp(rho) / (1 + np.exp(rho))
    return value(mu, sigma), mu, dlogvar * dlogvar_drho


@right("03.bug")
def slope_from_sigma_itself(mu, rho):
    sigma = softplus(rho)
    return [value(mu, sigma), mu.copy(), -np.expm1(-sigma) * (sigma**2 - 1) / sigma]


@right("03.bug")
def in_loops(mu, rho):
    kl, drho = np.zeros(len(mu)), np.zeros(mu.shape)
    for (b, j), r in np.ndenumerate(rho):
        s = math.log(1 + math.exp(r))
        kl[b] += (mu[b, j] ** 2 + s * s - 1) / 2 - math.log(s)
        drho[b, j] = (s - 1 / s) * (1 - 1 / (1 + math.exp(r)))
    return kl, mu, drho


def with_drho(rule):
    """An answer from its rule for drho: rule(sigma, rho)."""
    return lambda mu, rho: (value(mu, softplus(rho)), mu, rule(softplus(rho), rho))


wrong(
    "03.bug",
    with_drho(lambda sigma, rho: (sigma**2 - 1) / 2 * sigma),
    with_drho(lambda sigma, rho: (sigma**2 - 1) / sigma / (1 + np.exp(-sigma))),
    with_drho(lambda sigma, rho: (sigma - 1 / sigma) * np.tanh(rho)),
    with_drho(lambda sigma, rho: (sigma - 1 / sigma) * np.minimum(sigma, 1)),
    with_drho(lambda sigma, rho: (sigma - 1 / sigma**2) / (1 + np.exp(-rho))),
    with_drho(lambda sigma, rho: (2 * sigma - 2 / sigma) / (1 + np.exp(-rho))),
    with_drho(lambda sigma, rho: ((sigma - 1 / sigma) / (1 + np.exp(-rho))).sum(axis=1)),
    with_drho(lambda sigma, rho: (sigma - 1 / sigma) / (1 + np.exp(-rho)) / rho.shape[1]),
)
wrong(
    "03.bug",
    with_drho(lambda sigma, rho: np.expm1(rho) / 2),
    clue="rho-as-logvar-in-the-gradient",
)
wrong(
    "03.bug",
    with_drho(lambda sigma, rho: (sigma**2 - 1) / (1 + np.exp(-rho))),
    clue="by-log-sigma-times-slope",
)


@wrong("03.bug")
def only_the_gradient(mu, rho):
    sigma = softplus(rho)
    return mu, (sigma - 1 / sigma) / (1 + np.exp(-rho))


@wrong("03.bug")
def mu_multiplied_as_well(mu, rho):
    sigma, slope = softplus(rho), 1 / (1 + np.exp(-rho))
    return value(mu, sigma), mu * slope, (sigma - 1 / sigma) * slope


@wrong("03.bug")
def sigma_changed_to_the_exponential(mu, rho):
    sigma = np.exp(rho)
    return value(mu, sigma), mu, sigma**2 - 1


# ---- 03.evidence ---------------------------------------------------------------------------------


@right("03.evidence")
def by_the_ratio_of_the_variances(mu, logvar):
    variance = math.exp(logvar)
    nats = (1 / variance + mu**2 / variance + math.log(variance) - 1) / 2
    return math.log(1000) / nats, nats / math.log(2)


@right("03.evidence")
def in_bits_throughout(mu, logvar):
    bits = ((1 + mu * mu) / np.exp(logvar) - 1 + logvar) / (2 * math.log(2))
    return [math.log2(1000) / bits, bits]


@right("03.evidence")
def on_a_grid(mu, logvar):
    z, dz = np.linspace(-12, 12, 20_001, retstep=True)
    log_p = -0.5 * (z**2 + np.log(2 * np.pi))
    log_q = -0.5 * ((z - mu) ** 2 / np.exp(logvar) + logvar + np.log(2 * np.pi))
    kl = np.sum(np.exp(log_p) * (log_p - log_q)) * dz
    return np.log(1000) / kl, kl / np.log(2)


def by_kl(kl, worth=lambda nats: (math.log(1000) / nats, nats / math.log(2))):
    """An answer from a KL of its own, and from what it makes of it."""
    return lambda mu, logvar: worth(kl(mu, logvar))


def reverse_kl(mu, logvar):
    return ((1 + mu**2) * math.exp(-logvar) - 1 + logvar) / 2


wrong(
    "03.evidence",
    by_kl(lambda mu, logvar: 2 * reverse_kl(mu, logvar)),
    by_kl(lambda mu, logvar: ((1 + mu**2) * math.exp(-logvar) - 1 - logvar) / 2),
    by_kl(lambda mu, logvar: ((1 + mu**2) * math.exp(-logvar) + 1 + logvar) / 2),
    by_kl(lambda mu, logvar: (math.exp(-logvar) + mu**2 - 1 + logvar) / 2),
    by_kl(lambda mu, logvar: ((1 + mu**2) * math.exp(-logvar / 2) - 1 + logvar / 2) / 2),
    by_kl(reverse_kl, lambda nats: (math.ceil(math.log(1000) / nats), nats / math.log(2))),
    by_kl(reverse_kl, lambda nats: (math.log(500) / nats, nats / math.log(2))),
    by_kl(reverse_kl, lambda nats: (nats / math.log(1000), nats / math.log(2))),
    by_kl(reverse_kl, lambda nats: (math.log(1000) / nats, nats * math.log2(10))),
    by_kl(reverse_kl, lambda nats: (math.log(1000) * nats, nats / math.log(2))),
    by_kl(reverse_kl, lambda nats: math.log(1000) / nats),
    by_kl(reverse_kl, lambda nats: (math.log(1000) / nats, nats / math.log(2), nats)),
)

"""Notebook 04: answers to the exercises on samples, and on a latent that is yes or no."""

import math

import numpy as np
from answers_of_others.registry import right, wrong

# ---- 04.reparameterize ---------------------------------------------------------------------------


@right("04.reparameterize")
def root_of_the_variance(mu, logvar, eps):
    return np.sqrt(np.exp(logvar)) * eps + mu


@right("04.reparameterize")
def entry_by_entry(mu, logvar, eps):
    z = mu.copy()
    for b, j in np.ndindex(z.shape):
        z[b, j] += math.exp(0.5 * logvar[b, j]) * eps[b, j]
    return z


@right("04.reparameterize")
def by_einsum(mu, logvar, eps):
    return np.add(mu, np.einsum("bl,bl->bl", np.exp(logvar) ** 0.5, eps))


@wrong("04.reparameterize")
def fresh_noise(mu, logvar, eps):
    return mu + np.exp(logvar / 2) * np.random.default_rng().standard_normal(mu.shape)


@wrong("04.reparameterize")
def noise_of_a_fixed_seed(mu, logvar, eps):
    return np.random.default_rng(0).normal(mu, np.exp(logvar / 2))


@wrong("04.reparameterize")
def root_of_the_logvar(mu, logvar, eps):
    return mu + np.sqrt(np.abs(logvar)) * eps


@wrong("04.reparameterize")
def first_example_only(mu, logvar, eps):
    return mu[0] + np.exp(logvar[0] / 2) * eps[0]


@wrong("04.reparameterize")
def sigma_averaged_over_the_latents(mu, logvar, eps):
    return mu + np.exp(logvar / 2).mean(axis=1, keepdims=True) * eps


@wrong("04.reparameterize")
def matrix_product(mu, logvar, eps):
    return mu + np.exp(logvar / 2) @ eps.T


@wrong("04.reparameterize")
def noise_subtracted(mu, logvar, eps):
    return mu - np.exp(logvar / 2) * eps


@wrong("04.reparameterize")
def squared_noise(mu, logvar, eps):
    return mu + np.exp(logvar / 2) * eps**2


@wrong("04.reparameterize")
def a_little_added_to_sigma(mu, logvar, eps):
    return mu + (np.exp(logvar / 2) + 1e-6) * eps


@wrong("04.reparameterize")
def log_of_one_plus(mu, logvar, eps):
    return mu + np.log1p(np.exp(logvar / 2)) * eps


@wrong("04.reparameterize")
def clipped_at_twenty(mu, logvar, eps):
    return mu + np.exp(0.5 * np.clip(logvar, -20, 20)) * eps


@wrong("04.reparameterize")
def into_mu(mu, logvar, eps):
    mu += np.exp(logvar / 2) * eps
    return mu


@wrong("04.reparameterize")
def in_single_precision(mu, logvar, eps):
    return (mu + np.exp(logvar / 2) * eps).astype(np.float32)


# ---- 04.reparameterize-backward ------------------------------------------------------------------


@right("04.reparameterize-backward")
def half_of_the_root(dz, logvar, eps):
    return dz, 0.5 * np.sqrt(np.exp(logvar)) * (eps * dz)


@right("04.reparameterize-backward")
def chain_in_two_steps(dz, logvar, eps):
    sigma = np.exp(0.5 * logvar)
    dsigma = dz * eps
    return [dz * np.ones_like(eps), dsigma * sigma / 2]


@right("04.reparameterize-backward")
def from_the_distance_to_mu(dz, logvar, eps):
    away = eps * np.exp(logvar / 2)
    return np.copy(dz), np.einsum("bl,bl->bl", dz, away) * 0.5


@right("04.reparameterize-backward")
def as_one_array(dz, logvar, eps):
    return tuple(np.stack([dz, dz * eps * np.exp(logvar / 2) / 2]))


@wrong("04.reparameterize-backward")
def kl_added(dz, logvar, eps):
    return dz, dz * eps * np.exp(logvar / 2) / 2 + (np.exp(logvar) - 1) / 2


@wrong("04.reparameterize-backward")
def half_in_the_wrong_place(dz, logvar, eps):
    return dz, dz * eps * np.exp(logvar) / 2


@wrong("04.reparameterize-backward")
def divided_by_sigma(dz, logvar, eps):
    return dz, dz * eps / np.exp(logvar / 2) / 2


@wrong("04.reparameterize-backward")
def averaged_over_the_batch(dz, logvar, eps):
    return dz / len(dz), dz * eps * np.exp(logvar / 2) / 2 / len(dz)


@wrong("04.reparameterize-backward")
def size_of_the_noise(dz, logvar, eps):
    return dz, dz * np.abs(eps) * np.exp(logvar / 2) / 2


@wrong("04.reparameterize-backward")
def noise_squared(dz, logvar, eps):
    return dz, dz * eps**2 * np.exp(logvar / 2) / 2


@wrong("04.reparameterize-backward")
def fresh_noise_backward(dz, logvar, eps):
    other = np.random.default_rng().standard_normal(eps.shape)
    return dz, dz * other * np.exp(logvar / 2) / 2


@wrong("04.reparameterize-backward")
def dmu_times_the_noise(dz, logvar, eps):
    return dz * eps, dz * eps * np.exp(logvar / 2) / 2


@wrong("04.reparameterize-backward")
def logvar_multiplied(dz, logvar, eps):
    return dz, dz * eps * np.exp(logvar / 2) * logvar / 2


@wrong("04.reparameterize-backward")
def dlogvar_only(dz, logvar, eps):
    return dz * eps * np.exp(logvar / 2) / 2


@wrong("04.reparameterize-backward")
def by_the_variance(dz, logvar, eps):
    return dz, dz * eps / (2 * np.exp(logvar / 2))


@wrong("04.reparameterize-backward")
def latents_summed(dz, logvar, eps):
    dlogvar = dz * eps * np.exp(logvar / 2) / 2
    return dz.sum(axis=1), dlogvar.sum(axis=1)


# ---- 04.logistic ---------------------------------------------------------------------------------


@right("04.logistic")
def log_of_the_odds(u, mu, log_rho):
    z = mu + math.exp(log_rho) * np.log(u / (1 - u))
    return z, np.ones(len(u)), z - mu


@right("04.logistic")
def minus_the_log_of_the_inverse(u, mu, log_rho):
    away = -np.exp(log_rho) * np.log(1 / u - 1)
    return [mu + away, np.full_like(u, 1.0), away]


@right("04.logistic")
def by_arctanh(u, mu, log_rho):
    standard = 2 * np.arctanh(2 * u - 1)
    return mu + np.exp(log_rho) * standard, 0 * u + 1, np.exp(log_rho) * standard


@right("04.logistic")
def draw_by_draw(u, mu, log_rho):
    rows = []
    for draw in u:
        away = math.exp(log_rho) * (math.log(draw) - math.log(1 - draw))
        rows.append((mu + away, 1.0, away))
    return tuple(np.array(rows).T)


@wrong("04.logistic")
def one_as_a_number(u, mu, log_rho):
    z = mu + np.exp(log_rho) * np.log(u / (1 - u))
    return z, 1.0, z - mu


@wrong("04.logistic")
def not_multiplied_by_rho(u, mu, log_rho):
    standard = np.log(u / (1 - u))
    return mu + np.exp(log_rho) * standard, np.ones_like(u), np.exp(log_rho) + standard


@wrong("04.logistic")
def product_with_log_rho(u, mu, log_rho):
    z = mu + np.exp(log_rho) * np.log(u / (1 - u))
    return z, np.ones_like(u), (z - mu) * log_rho


@wrong("04.logistic")
def slope_by_u(u, mu, log_rho):
    z = mu + np.exp(log_rho) * np.log(u / (1 - u))
    return z, np.ones_like(u), np.exp(log_rho) / (u * (1 - u))


@wrong("04.logistic")
def rho_below(u, mu, log_rho):
    z = mu + np.log(u / (1 - u)) / np.exp(log_rho)
    return z, np.ones_like(u), z - mu


@wrong("04.logistic")
def minus_in_the_slope(u, mu, log_rho):
    z = mu + np.exp(log_rho) * np.log(u / (1 - u))
    return z, np.ones_like(u), mu - z


@wrong("04.logistic")
def mu_subtracted(u, mu, log_rho):
    z = np.exp(log_rho) * np.log(u / (1 - u)) - mu
    return z, -np.ones_like(u), z + mu


@wrong("04.logistic")
def log_of_u_only(u, mu, log_rho):
    z = mu + np.exp(log_rho) * np.log(u)
    return z, np.ones_like(u), z - mu


@wrong("04.logistic")
def with_a_guard(u, mu, log_rho):
    z = mu + np.exp(log_rho) * (np.log(u + 1e-6) - np.log(1 - u + 1e-6))
    return z, np.ones_like(u), z - mu


@wrong("04.logistic")
def clipped_u(u, mu, log_rho):
    u = np.clip(u, 0.01, 0.99)
    z = mu + np.exp(log_rho) * np.log(u / (1 - u))
    return z, np.ones_like(u), z - mu


@wrong("04.logistic")
def two_for_each_part(u, mu, log_rho):
    z = mu + np.exp(log_rho) * np.log(u / (1 - u))
    return z, np.ones_like(u)


@wrong("04.logistic")
def gaussian_with_this_sigma(u, mu, log_rho):
    eps = 1.702 * np.log(u / (1 - u)) / 3
    return mu + np.exp(log_rho) * eps, np.ones_like(u), np.exp(log_rho) * eps


# ---- 04.yes-or-no --------------------------------------------------------------------------------


@right("04.yes-or-no")
def score_by_cases(values, z, logit):
    p = 0.5 * (1 + math.tanh(logit / 2))
    return np.mean(values * np.where(z == 1, 1 - p, -p))


@right("04.yes-or-no")
def with_a_guarded_exponent(values, z, logit):
    e = math.exp(-abs(logit))
    p = 1 / (1 + e) if logit > 0 else e / (1 + e)
    return float(np.dot(values, z - p) / len(z))


@right("04.yes-or-no")
def list_of_draws(values, z, logit):
    p = math.exp(-np.logaddexp(0, -logit))
    return sum(v * (1 - p if draw else -p) for v, draw in zip(values, z, strict=True)) / len(z)


@wrong("04.yes-or-no", clue="overflow")
def math_exp_of_the_logit(values, z, logit):
    p = np.exp(np.float64(logit)) / (1 + np.exp(np.float64(logit)))
    return (values * (z - p)).mean()


@wrong("04.yes-or-no")
def math_exp_raises(values, z, logit):
    return (values * (z - 1 / (1 + math.exp(-logit)))).mean()


@wrong("04.yes-or-no")
def probability_clipped(values, z, logit):
    p = np.clip(1 / (1 + np.exp(-np.clip(logit, -5, 5))), 0.01, 0.99)
    return (values * (z - p)).mean()


@wrong("04.yes-or-no", clue="baseline")
def probability_from_the_draws(values, z, logit):
    return (values * (z - z.mean())).mean()


@wrong("04.yes-or-no")
def score_divided_by_p(values, z, logit):
    p = 0.5 * (1 + np.tanh(logit / 2))
    with np.errstate(all="ignore"):
        return (values * np.where(z == 1, 1 / p, -1 / (1 - p))).mean()


@wrong("04.yes-or-no")
def sum_over_the_ones(values, z, logit):
    p = 0.5 * (1 + np.tanh(logit / 2))
    return values[z == 1].sum() * (1 - p)


@wrong("04.yes-or-no")
def same_sign_for_both(values, z, logit):
    p = 0.5 * (1 + np.tanh(logit / 2))
    return (values * np.where(z == 1, 1 - p, p)).mean()


@wrong("04.yes-or-no")
def sigmoid_of_half(values, z, logit):
    p = 0.5 * (1 + np.tanh(logit))
    return (values * (z - p)).mean()


@wrong("04.yes-or-no")
def one_for_each_draw(values, z, logit):
    p = 0.5 * (1 + np.tanh(logit / 2))
    return values * (z - p)


@wrong("04.yes-or-no")
def slope_of_the_probability_too(values, z, logit):
    p = 0.5 * (1 + np.tanh(logit / 2))
    return (values * (z - p)).mean() * p * (1 - p)


@wrong("04.yes-or-no")
def divided_by_one_less(values, z, logit):
    p = 0.5 * (1 + np.tanh(logit / 2))
    return (values * (z - p)).sum() / max(len(z) - 1, 1)


@wrong("04.yes-or-no")
def pathwise_as_if_smooth(values, z, logit):
    p = 0.5 * (1 + np.tanh(logit / 2))
    return values.mean() * p * (1 - p)

"""Notebook 06: answers to `06.k-samples` and `06.best-q`."""

import numpy as np
from answers_of_others.registry import right, wrong

# ---- 06.k-samples --------------------------------------------------------------------------------


@right("06.k-samples")
def with_einsum(dz, mu, logvar, eps):
    through = np.einsum("kbl,kbl,bl->bl", dz, eps, np.exp(0.5 * logvar)) / 2
    return np.einsum("kbl->bl", dz) + mu / len(mu), through + np.expm1(logvar) / (2 * len(mu))


@right("06.k-samples")
def draw_by_draw(dz, mu, logvar, eps):
    B = mu.shape[0]
    dmu, dlogvar = mu / B, (np.exp(logvar) - 1) / 2 / B
    for slope, noise in zip(dz, eps, strict=True):
        dmu = dmu + slope
        dlogvar = dlogvar + slope * noise * np.exp(logvar / 2) / 2
    return [dmu, dlogvar]


@right("06.k-samples")
def share_of_the_kl_for_each_draw(dz, mu, logvar, eps):
    K, B, _ = dz.shape
    dmu = (dz + mu / B / K).sum(axis=0)
    sigma = np.sqrt(np.exp(logvar))
    return dmu, (dz * eps * sigma / 2 + (sigma**2 - 1) / (2 * B * K)).sum(axis=0)


def sums_of(dz, logvar, eps):
    return dz.sum(axis=0), (dz * eps).sum(axis=0) * np.exp(logvar / 2) / 2


@wrong("06.k-samples")
def mu_summed_logvar_averaged(dz, mu, logvar, eps):
    dmu, through = sums_of(dz, logvar, eps)
    return dmu + mu / len(mu), through / len(dz) + (np.exp(logvar) - 1) / 2 / len(mu)


@wrong("06.k-samples")
def kl_over_B_and_K_draws_in_one(dz, mu, logvar, eps):
    dmu, through = sums_of(dz, logvar, eps)
    n = len(mu) * logvar.shape[1]
    return dmu + mu / n, through + (np.exp(logvar) - 1) / 2 / n


@wrong("06.k-samples")
def kl_half_lost_in_dlogvar(dz, mu, logvar, eps):
    dmu, through = sums_of(dz, logvar, eps)
    return dmu + mu / len(mu), through + (np.exp(logvar) - 1) / len(mu)


@wrong("06.k-samples")
def half_lost_on_the_way_through_z(dz, mu, logvar, eps):
    dmu, through = sums_of(dz, logvar, eps)
    return dmu + mu / len(mu), 2 * through + (np.exp(logvar) - 1) / 2 / len(mu)


@wrong("06.k-samples")
def variance_for_sigma(dz, mu, logvar, eps):
    dmu, _ = sums_of(dz, logvar, eps)
    through = (dz * eps).sum(axis=0) * np.exp(logvar) / 2
    return dmu + mu / len(mu), through + (np.exp(logvar) - 1) / 2 / len(mu)


@wrong("06.k-samples")
def sigma_for_variance_in_the_kl(dz, mu, logvar, eps):
    dmu, through = sums_of(dz, logvar, eps)
    return dmu + mu / len(mu), through + (np.exp(logvar / 2) - 1) / 2 / len(mu)


@wrong("06.k-samples")
def eps_forgotten(dz, mu, logvar, eps):
    dmu, _ = sums_of(dz, logvar, eps)
    through = dz.sum(axis=0) * np.exp(logvar / 2) / 2
    return dmu + mu / len(mu), through + (np.exp(logvar) - 1) / 2 / len(mu)


@wrong("06.k-samples")
def one_lost_in_the_kl(dz, mu, logvar, eps):
    dmu, through = sums_of(dz, logvar, eps)
    return dmu + mu / len(mu), through + np.exp(logvar) / 2 / len(mu)


@wrong("06.k-samples")
def kl_of_the_wrong_sign(dz, mu, logvar, eps):
    dmu, through = sums_of(dz, logvar, eps)
    return dmu - mu / len(mu), through - (np.exp(logvar) - 1) / 2 / len(mu)


@wrong("06.k-samples")
def summed_over_the_images(dz, mu, logvar, eps):
    dmu, through = dz.sum(axis=1), (dz * eps).sum(axis=1)
    return dmu + mu.mean(axis=0), through * np.exp(logvar / 2).mean(axis=0) / 2


@wrong("06.k-samples")
def draws_kept_apart(dz, mu, logvar, eps):
    sigma = np.exp(logvar / 2)
    return dz + mu / len(mu), dz * eps * sigma / 2 + (sigma**2 - 1) / 2 / len(mu)


@wrong("06.k-samples")
def kl_divided_by_the_draws_for_the_images(dz, mu, logvar, eps):
    dmu, through = sums_of(dz, logvar, eps)
    return dmu + mu / len(dz), through + (np.exp(logvar) - 1) / 2 / len(dz)


@wrong("06.k-samples")
def kl_in_one_of_the_two(dz, mu, logvar, eps):
    dmu, through = sums_of(dz, logvar, eps)
    return dmu + mu / len(mu), through


@wrong("06.k-samples")
def first_draws_added_into_dz(dz, mu, logvar, eps):
    dz[0] += mu / len(mu)
    return dz.sum(axis=0), (dz * eps).sum(axis=0) * np.exp(logvar / 2) / 2


@wrong("06.k-samples")
def divided_by_the_batch_once_more(dz, mu, logvar, eps):
    dmu, through = sums_of(dz, logvar, eps)
    return (dmu + mu) / len(mu), (through + (np.exp(logvar) - 1) / 2) / len(mu)


# ---- 06.best-q -----------------------------------------------------------------------------------


@right("06.best-q")
def by_the_gain(x, W, b, s):
    gain = W.T @ np.linalg.inv(W @ W.T + s**2 * np.eye(len(W)))
    variance = s**2 / (s**2 + np.einsum("ld,ld->l", W, W))
    return (x - b) @ gain, np.repeat(np.log(variance)[None], len(x), axis=0)


@right("06.best-q")
def image_by_image(x, W, b, s):
    P = np.identity(len(W)) + W.dot(W.T) / s**2
    mu = [np.linalg.solve(P, W.dot(row - b) / s**2) for row in x]
    return np.array(mu), np.array([-np.log(np.diag(P))] * len(x))


@right("06.best-q")
def in_the_space_of_pixels(x, W, b, s):
    cov = s**2 * np.eye(len(b)) + W.T @ W
    mu = np.linalg.solve(cov, (x - b).T).T @ W.T
    return [mu, np.zeros_like(mu) + 2 * np.log(s) - np.log(s**2 + (W**2).sum(1))]


@right("06.best-q")
def as_ridge_regression(x, W, b, s):
    design = np.vstack([W.T / s, np.eye(len(W))])
    target = np.vstack([(x - b).T / s, np.zeros((len(W), len(x)))])
    mu = np.linalg.lstsq(design, target, rcond=None)[0].T
    return mu, np.broadcast_to(-np.log((design**2).sum(axis=0)), mu.shape).copy()


def precision_of(W, s):
    return np.eye(len(W)) + W @ W.T / s**2


def mean_of(x, W, b, s):
    return np.linalg.solve(precision_of(W, s), W @ (x - b).T / s**2).T


@wrong("06.best-q")
def precision_for_variance(x, W, b, s):
    return mean_of(x, W, b, s), np.tile(np.log(np.diag(precision_of(W, s))), (len(x), 1))


@wrong("06.best-q")
def logarithm_forgotten(x, W, b, s):
    return mean_of(x, W, b, s), np.tile(1 / np.diag(precision_of(W, s)), (len(x), 1))


@wrong("06.best-q")
def prior_forgotten_in_the_widths(x, W, b, s):
    logvar = np.log(s**2 / (W**2).sum(axis=1))
    return mean_of(x, W, b, s), np.tile(logvar, (len(x), 1))


@wrong("06.best-q")
def noise_forgotten(x, W, b, s):
    mu = np.linalg.solve(np.eye(len(W)) + W @ W.T, W @ (x - b).T).T
    return mu, np.tile(-np.log1p((W**2).sum(axis=1)), (len(x), 1))


@wrong("06.best-q")
def noise_not_divided_in_the_right_side(x, W, b, s):
    mu = np.linalg.solve(precision_of(W, s), W @ (x - b).T).T
    return mu, np.tile(-np.log(np.diag(precision_of(W, s))), (len(x), 1))


@wrong("06.best-q")
def means_over_the_pixels(x, W, b, s):
    D = W.shape[1]
    P = np.eye(len(W)) + W @ W.T / s**2 / D
    mu = np.linalg.solve(P, W @ (x - b).T / s**2 / D).T
    return mu, np.tile(-np.log(np.diag(P)), (len(x), 1))


@wrong("06.best-q")
def inverse_entry_by_entry(x, W, b, s):
    mu = (x - b) @ W.T / s**2 @ (1 / precision_of(W, s))
    return mu, np.tile(-np.log(np.diag(precision_of(W, s))), (len(x), 1))


@wrong("06.best-q")
def widths_of_one_image_only(x, W, b, s):
    return mean_of(x, W, b, s), -np.log(np.diag(precision_of(W, s)))


@wrong("06.best-q")
def one_width_for_all_latents(x, W, b, s):
    logvar = -np.linalg.slogdet(precision_of(W, s))[1] / len(W)
    return mean_of(x, W, b, s), np.full((len(x), len(W)), logvar)


@wrong("06.best-q")
def mean_of_the_batch(x, W, b, s):
    mu = mean_of(x, W, b, s)
    return np.tile(mu.mean(axis=0), (len(x), 1)), np.tile(
        -np.log(np.diag(precision_of(W, s))), (len(x), 1)
    )


@wrong("06.best-q")
def half_of_the_squares(x, W, b, s):
    logvar = -np.log1p((W**2).sum(axis=1) / (2 * s**2))
    return mean_of(x, W, b, s), np.tile(logvar, (len(x), 1))


@wrong("06.best-q")
def length_in_place_of_its_square(x, W, b, s):
    logvar = -np.log1p(np.linalg.norm(W, axis=1) / s**2)
    return mean_of(x, W, b, s), np.tile(logvar, (len(x), 1))


@wrong("06.best-q")
def transposed_mean(x, W, b, s):
    return mean_of(x, W, b, s).T, np.tile(-np.log(np.diag(precision_of(W, s))), (len(x), 1))


@wrong("06.best-q")
def sign_of_logvar(x, W, b, s):
    return mean_of(x, W, b, s), np.tile(np.log1p((W**2).sum(axis=1) / s**2), (len(x), 1))


@wrong("06.best-q")
def x_changed_in_place(x, W, b, s):
    x -= b
    return mean_of(x, W, 0, s), np.tile(-np.log(np.diag(precision_of(W, s))), (len(x), 1))

"""Notebook 06: answers to `06.gaps`."""

import numpy as np
from answers_of_others.registry import right, wrong


def posterior(W, b, s, x):
    cov = np.linalg.inv(np.eye(len(W)) + W @ W.T / s**2)
    return (x - b) @ W.T / s**2 @ cov, cov


def kl_to(m, cov, mu, variance):
    """KL(N(mu, diag variance) || N(m, cov)) of each image."""
    P, d = np.linalg.inv(cov), mu - m
    fit = np.einsum("bi,ij,bj->b", d, P, d) + variance @ np.diag(P)
    return (fit - len(cov) + np.linalg.slogdet(cov)[1] - np.log(variance).sum(axis=1)) / 2


@right("06.gaps")
def two_kls(W, b, s, x, mu, logvar):
    m, cov = posterior(W, b, s, x)
    best = np.tile(1 / np.diag(np.linalg.inv(cov)), (len(x), 1))
    least = kl_to(m, cov, m, best)
    return kl_to(m, cov, mu, np.exp(logvar)) - least, least


@right("06.gaps")
def kl_between_the_two_diagonal_ones_and_the_tilt(W, b, s, x, mu, logvar):
    m, cov = posterior(W, b, s, x)
    P = np.linalg.inv(cov)
    d, best = mu - m, 1 / np.diag(P)
    ratio = np.exp(logvar) / best
    amortization = ((d @ P) * d).sum(axis=1) / 2 + (ratio - 1 - np.log(ratio)).sum(axis=1) / 2
    return [
        amortization,
        np.zeros(len(x)) - np.linalg.slogdet(P * np.sqrt(np.outer(best, best)))[1] / 2,
    ]


@right("06.gaps")
def image_by_image_with_elbos(W, b, s, x, mu, logvar):
    def elbo(x, m, v):
        miss = x - b - m @ W
        nll = (miss @ miss + v @ (W**2).sum(axis=1)) / s**2 / 2 + len(b) * np.log(
            2 * np.pi * s**2
        ) / 2
        return -nll - (m @ m + v.sum() - len(v) - np.log(v).sum()) / 2

    means, cov = posterior(W, b, s, x)
    best = 1 / np.diag(np.linalg.inv(cov))
    marginal = W.T @ W + s**2 * np.eye(len(b))
    gaps = []
    for row, m, own, lv in zip(x, means, mu, logvar, strict=True):
        log_p = -((row - b) @ np.linalg.solve(marginal, row - b)) / 2
        log_p -= np.linalg.slogdet(2 * np.pi * marginal)[1] / 2
        top = elbo(row, m, best)
        gaps.append((top - elbo(row, own, np.exp(lv)), log_p - top))
    return tuple(np.array(gaps).T)


@wrong("06.gaps")
def to_the_prior(W, b, s, x, mu, logvar):
    prior = np.zeros_like(mu), np.eye(len(W))
    m, cov = posterior(W, b, s, x)
    best = np.tile(1 / np.diag(np.linalg.inv(cov)), (len(x), 1))
    return kl_to(*prior, mu, np.exp(logvar)) - kl_to(*prior, m, best), kl_to(m, cov, m, best)


@wrong("06.gaps")
def kl_of_the_encoders_q_from_the_best(W, b, s, x, mu, logvar):
    m, cov = posterior(W, b, s, x)
    best = np.tile(1 / np.diag(np.linalg.inv(cov)), (len(x), 1))
    away = (mu - m) ** 2
    kl = ((away + best) / np.exp(logvar) - 1 + logvar - np.log(best)).sum(axis=1) / 2
    return kl, kl_to(m, cov, m, best)


@wrong("06.gaps")
def other_direction_of_the_tilt(W, b, s, x, mu, logvar):
    m, cov = posterior(W, b, s, x)
    least = (np.log(np.diag(cov)).sum() - np.linalg.slogdet(cov)[1]) / 2
    return kl_to(m, cov, mu, np.exp(logvar)) - least, np.full(len(x), least)


@wrong("06.gaps")
def one_number_for_the_family(W, b, s, x, mu, logvar):
    m, cov = posterior(W, b, s, x)
    least = kl_to(m, cov, m, np.tile(1 / np.diag(np.linalg.inv(cov)), (len(x), 1)))
    return kl_to(m, cov, mu, np.exp(logvar)) - least, least[0]


@wrong("06.gaps")
def summed_over_the_images(W, b, s, x, mu, logvar):
    m, cov = posterior(W, b, s, x)
    least = kl_to(m, cov, m, np.tile(1 / np.diag(np.linalg.inv(cov)), (len(x), 1)))
    return (kl_to(m, cov, mu, np.exp(logvar)) - least).sum(), least.sum()


@wrong("06.gaps")
def logvar_as_log_sigma(W, b, s, x, mu, logvar):
    m, cov = posterior(W, b, s, x)
    least = kl_to(m, cov, m, np.tile(1 / np.diag(np.linalg.inv(cov)), (len(x), 1)))
    return kl_to(m, cov, mu, np.exp(2 * logvar)) - least, least


@wrong("06.gaps")
def sigma_for_the_variance(W, b, s, x, mu, logvar):
    m, cov = posterior(W, b, s, x)
    least = kl_to(m, cov, m, np.tile(1 / np.diag(np.linalg.inv(cov)), (len(x), 1)))
    return kl_to(m, cov, mu, np.exp(logvar / 2)) - least, least


@wrong("06.gaps")
def covariance_for_precision(W, b, s, x, mu, logvar):
    m, cov = posterior(W, b, s, x)
    least = kl_to(m, cov, m, np.tile(1 / np.diag(np.linalg.inv(cov)), (len(x), 1)))
    return kl_to(m, np.linalg.inv(cov), mu, np.exp(logvar)) - least, least


@wrong("06.gaps")
def best_widths_with_the_encoders_mean(W, b, s, x, mu, logvar):
    m, cov = posterior(W, b, s, x)
    best = np.tile(1 / np.diag(np.linalg.inv(cov)), (len(x), 1))
    least = kl_to(m, cov, mu, best)
    return kl_to(m, cov, mu, np.exp(logvar)) - least, least


@wrong("06.gaps")
def absolute_distance(W, b, s, x, mu, logvar):
    m, cov = posterior(W, b, s, x)
    least = kl_to(m, cov, m, np.tile(1 / np.diag(np.linalg.inv(cov)), (len(x), 1)))
    return kl_to(m, cov, m + np.sqrt(abs(mu - m)), np.exp(logvar)) - least, least


@wrong("06.gaps")
def both_together(W, b, s, x, mu, logvar):
    m, cov = posterior(W, b, s, x)
    return kl_to(m, cov, mu, np.exp(logvar))


@wrong("06.gaps", clue="no-gap-of-the-family")
def log_p_without_the_family(W, b, s, x, mu, logvar):
    m, cov = posterior(W, b, s, x)
    gap = kl_to(m, cov, mu, np.exp(logvar))
    return gap, gap * 0


@wrong("06.gaps")
def averaged_over_the_latents(W, b, s, x, mu, logvar):
    m, cov = posterior(W, b, s, x)
    least = kl_to(m, cov, m, np.tile(1 / np.diag(np.linalg.inv(cov)), (len(x), 1)))
    return (kl_to(m, cov, mu, np.exp(logvar)) - least) / len(W), least / len(W)


@wrong("06.gaps")
def one_gap_for_the_batch(W, b, s, x, mu, logvar):
    m, cov = posterior(W, b, s, x)
    least = kl_to(m, cov, m, np.tile(1 / np.diag(np.linalg.inv(cov)), (len(x), 1)))
    return np.full(len(x), (kl_to(m, cov, mu, np.exp(logvar)) - least).mean()), least


@wrong("06.gaps")
def x_centred_in_place(W, b, s, x, mu, logvar):
    x -= b
    m, cov = posterior(W, 0, s, x)
    least = kl_to(m, cov, m, np.tile(1 / np.diag(np.linalg.inv(cov)), (len(x), 1)))
    return kl_to(m, cov, mu, np.exp(logvar)) - least, least

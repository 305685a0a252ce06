"""Notebook 03: answers to `03.kl-two-gaussians`, `03.moment-matching`, `03.too-sure`."""

import numpy as np
from answers_of_others.registry import right, wrong

# ---- 03.kl-two-gaussians -------------------------------------------------------------------------


@right("03.kl-two-gaussians")
def in_units_of_the_second(mu1, logvar1, mu2, logvar2):
    m, v = (mu1 - mu2) * np.exp(-logvar2 / 2), logvar1 - logvar2
    return 0.5 * (m * m + np.expm1(v) - v).sum(1)


@right("03.kl-two-gaussians")
def with_sigmas(mu1, logvar1, mu2, logvar2):
    s1, s2 = np.exp(0.5 * logvar1), np.exp(0.5 * logvar2)
    return np.sum(np.log(s2 / s1) + (s1**2 + (mu1 - mu2) ** 2) / (2 * s2**2) - 0.5, axis=1)


@right("03.kl-two-gaussians")
def row_by_row(mu1, logvar1, mu2, logvar2):
    result = np.zeros(len(mu1))
    for b in range(len(mu1)):
        cross = (np.exp(logvar1[b]) + (mu1[b] - mu2[b]) ** 2) / np.exp(logvar2[b]) + logvar2[b]
        result[b] = (cross - 1 - logvar1[b]).sum() / 2
    return result


@wrong("03.kl-two-gaussians")
def one_once(mu1, logvar1, mu2, logvar2):
    ratio, shift = np.exp(logvar1 - logvar2), (mu1 - mu2) ** 2 / np.exp(logvar2)
    return 0.5 * ((ratio + shift + logvar2 - logvar1).sum(axis=1) - 1)


@wrong("03.kl-two-gaussians")
def average_of_both_directions(mu1, logvar1, mu2, logvar2):
    one = in_units_of_the_second(mu1, logvar1, mu2, logvar2)
    return (one + in_units_of_the_second(mu2, logvar2, mu1, logvar1)) / 2


@wrong("03.kl-two-gaussians")
def shift_not_squared(mu1, logvar1, mu2, logvar2):
    ratio, shift = np.exp(logvar1 - logvar2), np.abs(mu1 - mu2) / np.exp(logvar2)
    return 0.5 * (ratio + shift - 1 + logvar2 - logvar1).sum(axis=1)


@wrong("03.kl-two-gaussians")
def sum_of_the_means(mu1, logvar1, mu2, logvar2):
    ratio, shift = np.exp(logvar1 - logvar2), (mu1 + mu2) ** 2 / np.exp(logvar2)
    return 0.5 * (ratio + shift - 1 + logvar2 - logvar1).sum(axis=1)


@wrong("03.kl-two-gaussians")
def difference_of_the_squares(mu1, logvar1, mu2, logvar2):
    ratio, shift = np.exp(logvar1 - logvar2), (mu1**2 - mu2**2) / np.exp(logvar2)
    return 0.5 * (ratio + shift - 1 + logvar2 - logvar1).sum(axis=1)


@wrong("03.kl-two-gaussians")
def logs_halved(mu1, logvar1, mu2, logvar2):
    ratio, shift = np.exp(logvar1 - logvar2), (mu1 - mu2) ** 2 / np.exp(logvar2)
    return 0.5 * (ratio + shift - 1 + (logvar2 - logvar1) / 2).sum(axis=1)


@wrong("03.kl-two-gaussians")
def second_is_the_prior(mu1, logvar1, mu2, logvar2):
    return 0.5 * (mu1**2 + np.exp(logvar1) - 1 - logvar1).sum(axis=1)


@wrong("03.kl-two-gaussians")
def cross_entropy(mu1, logvar1, mu2, logvar2):
    cross = (np.exp(logvar1) + (mu1 - mu2) ** 2) / np.exp(logvar2) + logvar2
    return 0.5 * (cross + np.log(2 * np.pi)).sum(axis=1)


@wrong("03.kl-two-gaussians")
def variances_added(mu1, logvar1, mu2, logvar2):
    both = np.exp(logvar1) + np.exp(logvar2)
    return 0.5 * (np.exp(logvar1 - logvar2) - 1 + logvar2 - logvar1 + (mu1 - mu2) ** 2 / both).sum(
        axis=1
    )


@wrong("03.kl-two-gaussians")
def first_axis(mu1, logvar1, mu2, logvar2):
    ratio, shift = np.exp(logvar1 - logvar2), (mu1 - mu2) ** 2 / np.exp(logvar2)
    return 0.5 * (ratio + shift - 1 + logvar2 - logvar1).sum(axis=0)


@wrong("03.kl-two-gaussians")
def one_for_the_batch(mu1, logvar1, mu2, logvar2):
    return in_units_of_the_second(mu1, logvar1, mu2, logvar2).mean()


# ---- 03.moment-matching --------------------------------------------------------------------------


@right("03.moment-matching")
def second_moment_minus_square(shares, mus, logvars):
    mean = np.average(mus, weights=shares)
    second = np.average(np.exp(logvars) + mus**2, weights=shares)
    return mean, np.log(second - mean**2)


@right("03.moment-matching")
def within_plus_between(shares, mus, logvars):
    mean = (shares * mus).sum()
    within, between = (shares * np.exp(logvars)).sum(), (shares * (mus - mean) ** 2).sum()
    return float(mean), float(np.log(within + between))


@right("03.moment-matching")
def in_plain_python(shares, mus, logvars):
    mean = sum(s * m for s, m in zip(shares, mus, strict=True))
    hills = zip(shares, mus, logvars, strict=True)
    return [mean, np.log(sum(s * (np.exp(v) + (m - mean) ** 2) for s, m, v in hills))]


@wrong("03.moment-matching")
def half_shares_written_in(shares, mus, logvars):
    mean = 0.5 * mus.sum()
    return mean, np.log(0.5 * (np.exp(logvars) + (mus - mean) ** 2).sum())


@wrong("03.moment-matching")
def sums_not_averages(shares, mus, logvars):
    mean = mus.sum()
    return mean, np.log((np.exp(logvars) + (mus - mean) ** 2).sum())


@wrong("03.moment-matching")
def mean_of_the_two_outer_hills(shares, mus, logvars):
    mean = (mus[0] + mus[-1]) / 2
    return mean, np.log(shares @ (np.exp(logvars) + (mus - mean) ** 2))


@wrong("03.moment-matching")
def average_of_sigmas(shares, mus, logvars):
    mean = shares @ mus
    sigma = shares @ np.sqrt(np.exp(logvars) + (mus - mean) ** 2)
    return mean, 2 * np.log(sigma)


@wrong("03.moment-matching")
def logvars_averaged_then_spread(shares, mus, logvars):
    mean = shares @ mus
    return mean, np.log(np.exp(shares @ logvars) + shares @ (mus - mean) ** 2)


@wrong("03.moment-matching")
def spread_not_squared(shares, mus, logvars):
    mean = shares @ mus
    return mean, np.log(shares @ (np.exp(logvars) + np.abs(mus - mean)))


@wrong("03.moment-matching")
def spread_around_zero(shares, mus, logvars):
    return shares @ mus, np.log(shares @ (np.exp(logvars) + mus**2 - mus.mean() ** 2))


@wrong("03.moment-matching")
def product_of_gaussians(shares, mus, logvars):
    precision = shares @ np.exp(-logvars)
    return (shares * np.exp(-logvars)) @ mus / precision, -np.log(precision)


@wrong("03.moment-matching")
def the_widest_hill(shares, mus, logvars):
    k = np.argmax(logvars)
    return mus[k], logvars[k]


@wrong("03.moment-matching")
def swapped(shares, mus, logvars):
    mean, logvar = second_moment_minus_square(shares, mus, logvars)
    return logvar, mean


@wrong("03.moment-matching")
def unbiased_variance(shares, mus, logvars):
    mean = shares @ mus
    K = len(mus)
    return mean, np.log(shares @ (np.exp(logvars) + (mus - mean) ** 2) * K / (K - 1))


# ---- 03.too-sure ---------------------------------------------------------------------------------


@right("03.too-sure")
def by_conditional_variances(covariance):
    """Each latent as sure as if the others were known: the Schur complement."""
    ratios = []
    for i in range(len(covariance)):
        others = [j for j in range(len(covariance)) if j != i]
        cross, rest = covariance[i, others], covariance[np.ix_(others, others)]
        explained = cross @ np.linalg.solve(rest, cross)
        ratios.append((1 - explained / covariance[i, i]) ** 0.5)
    sigmas = np.array(ratios) * np.sqrt(np.diag(covariance))
    return np.array(ratios), np.linalg.slogdet(covariance)[1] / 2 - np.log(sigmas).sum()


@right("03.too-sure")
def from_the_full_formula(covariance):
    P, L = np.linalg.inv(covariance), len(covariance)
    q = np.diag(1 / np.diag(P))
    logs = np.linalg.slogdet(covariance)[1] - np.linalg.slogdet(q)[1]
    return np.sqrt(np.diag(q) / np.diag(covariance)), 0.5 * (np.trace(P @ q) - L + logs)


@right("03.too-sure")
def from_eigenvectors(covariance):
    values, vectors = np.linalg.eigh(covariance)
    p_ii = np.einsum("ij,j->i", vectors**2, 1 / values)
    ratio = (p_ii * np.einsum("ij,j->i", vectors**2, values)) ** -0.5
    return ratio, float(np.log(values).sum() + np.log(p_ii).sum()) / 2


def answer_with(ratio, kl):
    """A wrong answer from its two results, each a function of the covariance and its inverse."""
    return lambda c: (ratio(c, np.linalg.inv(c)), kl(c, np.linalg.inv(c)))


def right_ratio(c, P):
    return 1 / np.sqrt(np.diag(c) * np.diag(P))


def right_kl(c, P):
    return 0.5 * (np.log(np.diag(P)).sum() + np.log(np.linalg.det(c)))


wrong(
    "03.too-sure",
    answer_with(lambda c, P: np.sqrt(np.abs(1 / P)).sum(axis=1) / np.diag(c), right_kl),
    answer_with(lambda c, P: 1 / np.sqrt(np.diag(c) * P.sum(axis=1) ** 2), right_kl),
    answer_with(lambda c, P: np.full(len(c), np.linalg.det(c)), right_kl),
    answer_with(lambda c, P: right_ratio(c, P) / np.diag(c), right_kl),
    answer_with(lambda c, P: np.log(right_ratio(c, P)), right_kl),
    answer_with(right_ratio, lambda c, P: right_kl(c, P) + len(c) / 2),
    answer_with(right_ratio, lambda c, P: np.log(np.diag(P)).sum() / 2),
    answer_with(right_ratio, lambda c, P: right_kl(c, P) / len(c)),
    answer_with(right_ratio, lambda c, P: -np.log(right_ratio(c, P))),
    answer_with(right_ratio, lambda c, P: right_kl(c, P) - np.log(np.linalg.det(c))),
)
wrong(
    "03.too-sure",
    answer_with(lambda c, P: 1 / (np.diag(c) * np.diag(P)), right_kl),
    clue="variances",
)
wrong(
    "03.too-sure",
    answer_with(lambda c, P: 1 / np.sqrt(np.diag(P)), right_kl),
    clue="not-divided",
)

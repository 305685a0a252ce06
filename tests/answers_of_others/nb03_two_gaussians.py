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
def by_conditional_and_marginal_variances(W, v):
    """The narrow q has the variances with the other latents known, the wide one without them."""
    gain = W.T @ np.linalg.inv(W @ W.T + v * np.eye(len(W))) @ W
    return -np.log1p((W**2).sum(axis=0) / v), np.log(1 - np.diag(gain))


@right("03.too-sure")
def entry_by_entry(W, v):
    L = W.shape[1]
    precision = [[sum(w[i] * w[j] for w in W) / v + (i == j) for j in range(L)] for i in range(L)]
    narrow = [-np.log(precision[i][i]) for i in range(L)]
    wide = [np.log(np.linalg.solve(precision, np.eye(L)[i])[i]) for i in range(L)]
    return np.array(narrow), np.array(wide)


@right("03.too-sure")
def from_eigenvectors(W, v):
    of_noise, vectors = np.linalg.eigh(np.einsum("di,dj->ij", W, W))
    values = 1 + of_noise / v
    return -np.log(vectors**2 @ values), np.log(vectors**2 @ (1 / values))


@wrong("03.too-sure", clue="outputs-added-first")
def columns_added(W, v):
    wide = np.log(np.diag(np.linalg.inv(np.eye(W.shape[1]) + W.T @ W / v)))
    return np.log(1 / (1 + W.sum(0) ** 2 / v)), wide


@wrong("03.too-sure")
def inverse_of_the_entries(W, v):
    precision = np.eye(W.shape[1]) + W.T @ W / v
    return -np.log(np.diag(precision)), np.log((1 / precision).sum(axis=1))


@wrong("03.too-sure")
def rows_of_the_precision(W, v):
    precision = np.eye(W.shape[1]) + W.T @ W / v
    return -np.log(precision.sum(axis=1)), np.log(np.diag(np.linalg.inv(precision)))


@wrong("03.too-sure", clue="half-of-prior")
def prior_halved(W, v):
    precision = np.eye(W.shape[1]) * 0.5 + W.T @ W / v
    return np.log(1 / np.diag(precision)), np.log(np.diag(np.linalg.inv(precision)))


@wrong("03.too-sure")
def largest_eigenvalue(W, v):
    values = np.linalg.eigvalsh(np.eye(W.shape[1]) + W.T @ W / v)
    return np.full(len(values), -np.log(values[-1])), np.full(len(values), -np.log(values[0]))


@wrong("03.too-sure")
def full_matrices(W, v):
    precision = np.eye(W.shape[1]) + W.T @ W / v
    return -np.log(np.abs(precision)), np.log(np.abs(np.linalg.inv(precision)))


@wrong("03.too-sure", clue="v-squared")
def v_as_a_standard_deviation(W, v):
    precision = np.eye(W.shape[1]) + W.T @ W / (v * v)
    return -np.log(np.diag(precision)), np.log(np.diag(np.linalg.inv(precision)))


@wrong("03.too-sure", clue="both-narrow")
def correlations_dropped_first(W, v):
    precision = np.diag(1 + (W**2).sum(axis=0) / v)
    return -np.log(np.diag(precision)), np.log(np.diag(np.linalg.inv(precision)))


@wrong("03.too-sure")
def averaged_over_outputs(W, v):
    precision = np.eye(W.shape[1]) + W.T @ W / len(W) / v
    return -np.log(np.diag(precision)), np.log(np.diag(np.linalg.inv(precision)))


@wrong("03.too-sure")
def variances_add(W, v):
    return np.log(v + (W**2).sum(axis=0)), np.log(1 + v + (W**2).sum(axis=0))

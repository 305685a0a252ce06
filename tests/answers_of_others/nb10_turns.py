"""Notebook 10: answers to `10.turning-price` and `10.tc-gradient`."""

import math

import numpy as np
from answers_of_others.registry import right, wrong

# ---- 10.turning-price ----------------------------------------------------------------------------


@right("10.turning-price")
def kl_of_two_gaussians(variances, R):
    covariance = R @ np.diag(variances) @ R.T
    precision = np.linalg.inv(covariance)
    q = np.diag(1 / np.diag(precision))
    kl = np.trace(precision @ q) - len(q)
    return (kl + np.linalg.slogdet(covariance)[1] - np.linalg.slogdet(q)[1]) / 2


@right("10.turning-price")
def with_einsum(variances, R):
    diagonal = np.einsum("ij,j,ij->i", R, 1 / variances, R)
    return 0.5 * np.sum(np.log(diagonal)) + 0.5 * np.sum(np.log(variances))


@right("10.turning-price")
def squares_of_the_turn(variances, R):
    return np.log(R**2 @ (1 / variances) * variances).sum() / 2


@right("10.turning-price")
def in_loops(variances, R):
    total = 0.0
    for row, variance in zip(R, variances, strict=True):
        total += math.log(sum(r * r / v for r, v in zip(row, variances, strict=True)))
        total += math.log(variance)
    return total / 2


@right("10.turning-price")
def correlations_of_the_precision(variances, R):
    precision = (R / variances) @ R.T
    sd = np.sqrt(np.diag(precision))
    return -0.5 * np.log(np.linalg.det(precision / np.outer(sd, sd)))


@wrong("10.turning-price", clue="diagonal-of-the-covariance")
def squares_on_the_variances(variances, R):
    return (np.log(R**2 @ variances) - np.log(variances)).sum() / 2


@wrong("10.turning-price", clue="turned-back")
def columns_for_rows(variances, R):
    return np.log((R**2).T @ (1 / variances) * variances).sum() / 2


@wrong("10.turning-price", clue="without-half")
def half_forgotten(variances, R):
    return np.log(R**2 @ (1 / variances) * variances).sum()


@wrong("10.turning-price")
def variances_taken_for_precisions(variances, R):
    precision = R @ np.diag(variances) @ R.T
    return (np.log(np.diag(precision)).sum() + np.log(variances).sum()) / 2


@wrong("10.turning-price")
def prior_added(variances, R):
    precision = np.eye(len(R)) + R @ np.diag(1 / variances) @ R.T
    return (np.log(np.diag(precision)).sum() - np.linalg.slogdet(precision)[1]) / 2


@wrong("10.turning-price")
def determinant_forgotten(variances, R):
    return np.log(np.diag(R @ np.diag(1 / variances) @ R.T)).sum() / 2


@wrong("10.turning-price")
def determinant_with_the_wrong_sign(variances, R):
    precision = R @ np.diag(1 / variances) @ R.T
    return (np.log(np.diag(precision)).sum() + np.linalg.slogdet(precision)[1]) / 2


@wrong("10.turning-price")
def variances_turned_as_a_vector(variances, R):
    return np.log(np.abs(R @ (1 / variances)) * variances).sum() / 2


@wrong("10.turning-price")
def turned_on_one_side(variances, R):
    return np.log(np.abs(np.diag(R @ np.diag(1 / variances))) * variances).sum() / 2


@wrong("10.turning-price")
def mean_over_the_latents(variances, R):
    return np.log(R**2 @ (1 / variances) * variances).mean() / 2


@wrong("10.turning-price")
def sds_for_variances(variances, R):
    sd = np.sqrt(variances)
    return np.log(R**2 @ (1 / sd) * sd).sum() / 2


@wrong("10.turning-price")
def squared_variances(variances, R):
    precision = R @ np.diag(1 / variances**2) @ R.T
    return (np.log(np.diag(precision)).sum() + np.log(variances**2).sum()) / 2


@wrong("10.turning-price")
def decadic_logarithm(variances, R):
    return np.log10(R**2 @ (1 / variances) * variances).sum() / 2


@wrong("10.turning-price")
def one_number_for_each_latent(variances, R):
    return np.log(R**2 @ (1 / variances) * variances) / 2


@wrong("10.turning-price")
def log_of_the_sum(variances, R):
    return np.log((R**2 @ (1 / variances) * variances).sum()) / 2


@wrong("10.turning-price")
def kl_to_the_prior(variances, R):
    turned = 1 / (R**2 @ (1 / variances))
    kl = [(v - 1 - np.log(v)).sum() / 2 for v in (turned, variances)]
    return kl[0] - kl[1]


@wrong("10.turning-price")
def off_diagonal_size(variances, R):
    precision = R @ np.diag(1 / variances) @ R.T
    return (precision**2).sum() / 2 - (np.diag(precision) ** 2).sum() / 2


@wrong("10.turning-price")
def variances_inverted_in_place(variances, R):
    np.divide(1, variances, out=variances)
    return np.log(R**2 @ variances / variances).sum() / 2


# ---- 10.tc-gradient ------------------------------------------------------------------------------


def _softmax(a, axis):
    w = np.exp(a - a.max(axis=axis, keepdims=True))
    return w / w.sum(axis=axis, keepdims=True)


def _log_densities(z, mu, logvar):
    return -((z[:, None] - mu) ** 2 / np.exp(logvar) + logvar + np.log(2 * np.pi)) / 2


@right("10.tc-gradient")
def two_einsums(z, mu, logvar):
    A = _log_densities(z, mu, logvar)
    u = (z[:, None] - mu) / np.exp(logvar)
    joint = np.einsum("ij,ijl->jl", _softmax(A.sum(axis=2), 1), u)
    return joint - np.einsum("ijl,ijl->jl", _softmax(A, 1), u)


@right("10.tc-gradient")
def picture_by_picture(z, mu, logvar):
    gradient = np.zeros(mu.shape)
    for one in z:
        A = -((one - mu) ** 2 * np.exp(-logvar) + logvar) / 2
        together = A.sum(axis=1)
        weight = np.exp(together - np.logaddexp.reduce(together))
        for j, row in enumerate(mu):
            own = np.exp(A[j] - np.logaddexp.reduce(A, axis=0))
            gradient[j] += (weight[j] - own) * (one - row) * np.exp(-logvar[j])
    return gradient


@right("10.tc-gradient")
def sums_of_weights(z, mu, logvar):
    A = _log_densities(z, mu, logvar)
    G = _softmax(A.sum(axis=2), 1)[..., None] - _softmax(A, 1)
    return (np.einsum("ijl,il->jl", G, z) - G.sum(axis=0) * mu) / np.exp(logvar)


@right("10.tc-gradient")
def by_complex_steps(z, mu, logvar):
    def total(mu):
        A = _log_densities(z, mu, logvar)
        return np.log(np.exp(A.sum(axis=2)).sum(axis=1)).sum() - np.log(np.exp(A).sum(axis=1)).sum()

    gradient = np.empty(mu.shape)
    for at in np.ndindex(mu.shape):
        step = np.zeros(mu.shape, complex)
        step[at] = 1e-30j
        gradient[at] = total(mu + step).imag / 1e-30
    return gradient


def _answer(combine):
    """An answer made of the two softmaxes and u, each (B, B, L)."""

    def answer(z, mu, logvar):
        A = _log_densities(z, mu, logvar)
        u = (z[:, None] - mu) * np.exp(-logvar)
        return combine(_softmax(A.sum(axis=2, keepdims=True), 1), _softmax(A, 1), u)

    return answer


wrong(
    "10.tc-gradient",
    _answer(lambda joint, each, u: ((joint + each) * u).sum(axis=0)),
    _answer(lambda joint, each, u: ((joint - each.mean(axis=2, keepdims=True)) * u).sum(axis=0)),
    _answer(lambda joint, each, u: ((joint - each.sum(axis=2, keepdims=True)) * u).sum(axis=0)),
    _answer(lambda joint, each, u: ((joint - each.prod(axis=2, keepdims=True)) * u).sum(axis=0)),
    _answer(lambda joint, each, u: (joint - each) * u),
    _answer(lambda joint, each, u: np.einsum("iil->il", (joint - each) * u)),
    _answer(lambda joint, each, u: (joint - each).sum(axis=0) * u.sum(axis=0)),
    _answer(lambda joint, each, u: (joint - each).sum(axis=0)),
    _answer(lambda joint, each, u: ((joint * each.shape[2] - each) * u).sum(axis=0)),
    _answer(lambda joint, each, u: ((joint - each) * u).sum(axis=0) / 2),
    _answer(lambda joint, each, u: ((joint - 1 / len(u)) * u).sum(axis=0)),
    _answer(lambda joint, each, u: ((1 / len(u) - each) * u).sum(axis=0)),
    _answer(lambda joint, each, u: ((joint - each) * u * (1 - np.eye(len(u)))[..., None]).sum(0)),
    _answer(lambda joint, each, u: ((joint - each) * u).sum(axis=(0, 2))),
)


@wrong("10.tc-gradient")
def softmax_over_the_latents(z, mu, logvar):
    A = _log_densities(z, mu, logvar)
    u = (z[:, None] - mu) / np.exp(logvar)
    return ((_softmax(A.sum(axis=2, keepdims=True), 1) - _softmax(A, 2)) * u).sum(axis=0)


@wrong("10.tc-gradient")
def log_variance_left_out_of_the_density(z, mu, logvar):
    A = -((z[:, None] - mu) ** 2) / np.exp(logvar) / 2
    u = (z[:, None] - mu) / np.exp(logvar)
    return ((_softmax(A.sum(axis=2, keepdims=True), 1) - _softmax(A, 1)) * u).sum(axis=0)


@wrong("10.tc-gradient")
def log_variance_taken_for_the_variance(z, mu, logvar):
    A = _log_densities(z, mu, np.log(np.abs(logvar)))
    u = (z[:, None] - mu) / np.abs(logvar)
    return ((_softmax(A.sum(axis=2, keepdims=True), 1) - _softmax(A, 1)) * u).sum(axis=0)


@wrong("10.tc-gradient")
def divided_by_the_sd(z, mu, logvar):
    A = _log_densities(z, mu, logvar)
    u = (z[:, None] - mu) / np.exp(logvar / 2)
    return ((_softmax(A.sum(axis=2, keepdims=True), 1) - _softmax(A, 1)) * u).sum(axis=0)


@wrong("10.tc-gradient")
def variance_of_the_other_picture(z, mu, logvar):
    A = _log_densities(z, mu, logvar)
    u = (z[:, None] - mu) / np.exp(logvar)[:, None]
    return ((_softmax(A.sum(axis=2, keepdims=True), 1) - _softmax(A, 1)) * u).sum(axis=0)


@wrong("10.tc-gradient")
def z_moves_along(z, mu, logvar):
    A = _log_densities(z, mu, logvar)
    G = _softmax(A.sum(axis=2, keepdims=True), 1) - _softmax(A, 1)
    pull = G * (z[:, None] - mu) / np.exp(logvar)
    return pull.sum(axis=0) - pull.sum(axis=1)


@wrong("10.tc-gradient")
def by_z(z, mu, logvar):
    A = _log_densities(z, mu, logvar)
    G = _softmax(A.sum(axis=2, keepdims=True), 1) - _softmax(A, 1)
    return -(G * (z[:, None] - mu) / np.exp(logvar)).sum(axis=1)


@wrong("10.tc-gradient")
def by_forward_differences(z, mu, logvar):
    def total(mu):
        A = _log_densities(z, mu, logvar)
        return np.log(np.exp(A.sum(axis=2)).sum(axis=1)).sum() - np.log(np.exp(A).sum(axis=1)).sum()

    gradient = np.empty(mu.shape)
    for at in np.ndindex(mu.shape):
        step = np.zeros(mu.shape)
        step[at] = 1e-4
        gradient[at] = (total(mu + step) - total(mu)) / 1e-4
    return gradient

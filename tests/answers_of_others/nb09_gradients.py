"""Notebook 09: answers to `09.bug` and `09.doubly`."""

import numpy as np
from answers_of_others.registry import right, wrong


def softmax(log_w):
    w = np.exp(log_w - log_w.max(axis=0))
    return w / w.sum(axis=0)


# ---- 09.bug --------------------------------------------------------------------------------------


@right("09.bug")
def three_densities(nll, dnll_dz, z, eps, logvar):
    log_q = -0.5 * (eps**2 + logvar + np.log(2 * np.pi)).sum(axis=2)
    log_prior = -0.5 * (z**2 + np.log(2 * np.pi)).sum(axis=2)
    pull = softmax(-nll + log_prior - log_q)[:, :, None] / nll.shape[1] * (dnll_dz + z)
    dlogvar = 0.5 * (pull * eps * np.exp(logvar / 2)).sum(axis=0) - 0.5 / nll.shape[1]
    return pull.sum(axis=0), dlogvar


@right("09.bug")
def with_einsum(nll, dnll_dz, z, eps, logvar):
    log_w = (np.einsum("kbl,kbl->kb", eps, eps) - np.einsum("kbl,kbl->kb", z, z)) / 2 - nll
    share = np.exp(log_w - np.logaddexp.reduce(log_w, axis=0)) / len(logvar)
    dmu = np.einsum("kb,kbl->bl", share, dnll_dz + z)
    through = np.einsum("kb,kbl,kbl->bl", share, dnll_dz + z, eps)
    return [dmu, (through * np.exp(0.5 * logvar) - 1 / len(logvar)) / 2]


@right("09.bug")
def image_by_image(nll, dnll_dz, z, eps, logvar):
    B = len(logvar)
    dmu, dlogvar = np.zeros_like(logvar), np.zeros_like(logvar)
    for b in range(B):
        log_w = -nll[:, b] - (z[:, b] ** 2 - eps[:, b] ** 2).sum(axis=1) / 2
        w = np.exp(log_w - max(log_w))
        for share, g, e in zip(w / sum(w), dnll_dz[:, b] + z[:, b], eps[:, b], strict=True):
            dmu[b] += share * g / B
            dlogvar[b] += share * (g * e * np.exp(logvar[b] / 2) - 1) / (2 * B)
    return dmu, dlogvar


def with_log_weights(log_weights):
    """The given code with other log weights: log_weights(nll, z, eps, logvar) -> (K, B)."""

    def gradient(nll, dnll_dz, z, eps, logvar):
        B = nll.shape[1]
        dz = (softmax(log_weights(nll, z, eps, logvar)) / B)[..., None] * (dnll_dz + z)
        return dz.sum(axis=0), (dz * eps).sum(axis=0) * np.exp(logvar / 2) / 2 - 1 / (2 * B)

    gradient.__name__ = log_weights.__name__
    return gradient


def right_log_weights(nll, z, eps, logvar):
    return -nll + 0.5 * (eps**2 - z**2).sum(axis=-1)


@wrong("09.bug")
@with_log_weights
def logvar_times_eps(nll, z, eps, logvar):
    return -nll + 0.5 * (eps**2 - z**2 + logvar * eps).sum(axis=-1)


@wrong("09.bug")
@with_log_weights
def q_around_zero(nll, z, eps, logvar):
    return -nll + 0.5 * (z**2 * np.exp(-logvar) - z**2).sum(axis=-1)


@wrong("09.bug")
@with_log_weights
def variance_times_eps_squared(nll, z, eps, logvar):
    return -nll + 0.5 * (eps**2 * np.exp(logvar) - z**2).sum(axis=-1)


@wrong("09.bug")
@with_log_weights
def nll_not_turned(nll, z, eps, logvar):
    return nll + 0.5 * (eps**2 - z**2).sum(axis=-1)


@wrong("09.bug")
@with_log_weights
def mean_over_the_latents(nll, z, eps, logvar):
    return -nll + 0.5 * (eps**2 - z**2).mean(axis=-1)


@wrong("09.bug")
@with_log_weights
def both_halves_lost(nll, z, eps, logvar):
    return -nll + (eps**2 - z**2).sum(axis=-1)


@wrong("09.bug")
@with_log_weights
def first_latent_only(nll, z, eps, logvar):
    return -nll + 0.5 * (eps**2 - z**2)[..., 0]


@wrong("09.bug")
@with_log_weights
def square_of_the_difference(nll, z, eps, logvar):
    return -nll - 0.5 * ((z - eps) ** 2).sum(axis=-1)


@wrong("09.bug")
@with_log_weights
def prior_and_q_swapped(nll, z, eps, logvar):
    return -nll + 0.5 * (z**2 - eps**2).sum(axis=-1)


@wrong("09.bug")
@with_log_weights
def nll_forgotten(nll, z, eps, logvar):
    return 0.5 * (eps**2 - z**2).sum(axis=-1)


@wrong("09.bug")
def prior_taken_out_of_the_pull(nll, dnll_dz, z, eps, logvar):
    B = nll.shape[1]
    dz = (softmax(right_log_weights(nll, z, eps, logvar)) / B)[..., None] * dnll_dz
    return dz.sum(axis=0), (dz * eps).sum(axis=0) * np.exp(logvar / 2) / 2 - 1 / (2 * B)


@wrong("09.bug")
def eps_taken_out_of_the_pull_too(nll, dnll_dz, z, eps, logvar):
    B = nll.shape[1]
    dz = (softmax(right_log_weights(nll, z, eps, logvar)) / B)[..., None] * (dnll_dz + z - eps)
    return dz.sum(axis=0), (dz * eps).sum(axis=0) * np.exp(logvar / 2) / 2 - 1 / (2 * B)


@wrong("09.bug")
def weights_squared(nll, dnll_dz, z, eps, logvar):
    B = nll.shape[1]
    share = softmax(right_log_weights(nll, z, eps, logvar)) ** 2 / B
    dz = share[..., None] * (dnll_dz + z)
    return dz.sum(axis=0), (dz * eps).sum(axis=0) * np.exp(logvar / 2) / 2 - 1 / (2 * B)


@wrong("09.bug")
def divided_by_the_batch_twice(nll, dnll_dz, z, eps, logvar):
    B = nll.shape[1]
    dz = (softmax(right_log_weights(nll, z, eps, logvar)) / B)[..., None] * (dnll_dz + z) / B
    return dz.sum(axis=0), (dz * eps).sum(axis=0) * np.exp(logvar / 2) / 2 - 1 / (2 * B)


@wrong("09.bug")
def shares_over_the_images(nll, dnll_dz, z, eps, logvar):
    B = nll.shape[1]
    share = softmax(right_log_weights(nll, z, eps, logvar).T).T / B
    dz = share[..., None] * (dnll_dz + z)
    return dz.sum(axis=0), (dz * eps).sum(axis=0) * np.exp(logvar / 2) / 2 - 1 / (2 * B)


@wrong("09.bug")
def first_sample_taken_out_of_the_logs(nll, dnll_dz, z, eps, logvar):
    B = nll.shape[1]
    log_w = right_log_weights(nll, z, eps, logvar)
    w = np.exp(log_w - log_w[0])
    dz = (w / w.sum(axis=0) / B)[..., None] * (dnll_dz + z)
    return dz.sum(axis=0), (dz * eps).sum(axis=0) * np.exp(logvar / 2) / 2 - 1 / (2 * B)


@wrong("09.bug")
def nothing_taken_out_of_the_logs(nll, dnll_dz, z, eps, logvar):
    B = nll.shape[1]
    w = np.exp(right_log_weights(nll, z, eps, logvar))
    dz = (w / w.sum(axis=0) / B)[..., None] * (dnll_dz + z)
    return dz.sum(axis=0), (dz * eps).sum(axis=0) * np.exp(logvar / 2) / 2 - 1 / (2 * B)


@wrong("09.bug")
def score_for_each_sample(nll, dnll_dz, z, eps, logvar):
    K, B = nll.shape
    dz = (softmax(right_log_weights(nll, z, eps, logvar)) / B)[..., None] * (dnll_dz + z)
    return dz.sum(axis=0), (dz * eps).sum(axis=0) * np.exp(logvar / 2) / 2 - K / (2 * B)


@wrong("09.bug")
def score_within_the_sum_over_images(nll, dnll_dz, z, eps, logvar):
    B = nll.shape[1]
    dz = (softmax(right_log_weights(nll, z, eps, logvar)) / B)[..., None] * (dnll_dz + z)
    return dz.sum(axis=0), (dz * eps).sum(axis=0) * np.exp(logvar / 2) / 2 - 1 / 2


@wrong("09.bug")
def dlogvar_summed_before_it_meets_eps(nll, dnll_dz, z, eps, logvar):
    B = nll.shape[1]
    dz = (softmax(right_log_weights(nll, z, eps, logvar)) / B)[..., None] * (dnll_dz + z)
    dlogvar = dz.sum(axis=0) * eps.mean(axis=0) * np.exp(logvar / 2) / 2
    return dz.sum(axis=0), dlogvar - 1 / (2 * B)


# ---- 09.doubly -----------------------------------------------------------------------------------


@right("09.doubly")
def by_einsum(log_w, dlogw_dz, eps, logvar):
    squares = softmax(log_w) ** 2
    dmu = -np.einsum("kb,kbl->bl", squares, dlogw_dz) / len(logvar)
    dlogvar = -np.einsum("kb,kbl,kbl->bl", squares, dlogw_dz, eps) / len(logvar)
    return dmu, dlogvar * np.exp(logvar / 2) / 2


@right("09.doubly")
def squared_in_logs(log_w, dlogw_dz, eps, logvar):
    squares = np.exp(2 * (log_w - np.logaddexp.reduce(log_w, axis=0)))[..., np.newaxis]
    both = [squares * dlogw_dz, squares * dlogw_dz * eps * np.exp(logvar / 2) / 2]
    return [-each.sum(axis=0) / log_w.shape[1] for each in both]


@right("09.doubly")
def sample_by_sample(log_w, dlogw_dz, eps, logvar):
    share = softmax(log_w)
    dmu, dlogvar = np.zeros(logvar.shape), np.zeros(logvar.shape)
    for (k, b), w in np.ndenumerate(share):
        dmu[b] -= w**2 * dlogw_dz[k, b]
        dlogvar[b] -= w**2 * dlogw_dz[k, b] * eps[k, b] * np.sqrt(np.exp(logvar[b])) / 2
    return dmu / len(dmu), dlogvar / len(dmu)


def through_z(dz, eps, logvar):
    return dz.sum(axis=0), (dz * eps).sum(axis=0) * np.exp(logvar / 2) / 2


@wrong("09.doubly", clue="renormalised")
def squared_before_the_division(log_w, dlogw_dz, eps, logvar):
    squares = np.exp(log_w - log_w.max(axis=0)) ** 2
    squares /= squares.sum(axis=0)
    return through_z(-squares[..., None] * dlogw_dz / len(logvar), eps, logvar)


@wrong("09.doubly")
def square_only_for_mu(log_w, dlogw_dz, eps, logvar):
    w = softmax(log_w)[..., None]
    dmu, _ = through_z(-(w**2) * dlogw_dz / len(logvar), eps, logvar)
    return dmu, through_z(-w * dlogw_dz / len(logvar), eps, logvar)[1]


@wrong("09.doubly")
def square_of_the_derivative_too(log_w, dlogw_dz, eps, logvar):
    w = softmax(log_w)[..., None]
    return through_z(-((w * dlogw_dz) ** 2) / len(logvar), eps, logvar)


@wrong("09.doubly")
def mean_over_the_samples(log_w, dlogw_dz, eps, logvar):
    dz = -(softmax(log_w)[..., None] ** 2) * dlogw_dz / len(logvar)
    return dz.mean(axis=0), (dz * eps).mean(axis=0) * np.exp(logvar / 2) / 2


@wrong("09.doubly")
def divided_by_the_samples_for_the_images(log_w, dlogw_dz, eps, logvar):
    return through_z(-(softmax(log_w)[..., None] ** 2) * dlogw_dz / len(log_w), eps, logvar)


@wrong("09.doubly")
def eps_squared_for_logvar(log_w, dlogw_dz, eps, logvar):
    dz = -(softmax(log_w)[..., None] ** 2) * dlogw_dz / len(logvar)
    return dz.sum(axis=0), (dz * eps**2).sum(axis=0) * np.exp(logvar / 2) / 2


@wrong("09.doubly")
def eps_forgotten(log_w, dlogw_dz, eps, logvar):
    dz = -(softmax(log_w)[..., None] ** 2) * dlogw_dz / len(logvar)
    return dz.sum(axis=0), dz.sum(axis=0) * np.exp(logvar / 2) / 2


@wrong("09.doubly")
def sigma_by_the_wrong_sign(log_w, dlogw_dz, eps, logvar):
    dz = -(softmax(log_w)[..., None] ** 2) * dlogw_dz / len(logvar)
    return dz.sum(axis=0), (dz * eps).sum(axis=0) * np.exp(-logvar / 2) / 2


@wrong("09.doubly")
def weights_summed_before_the_square(log_w, dlogw_dz, eps, logvar):
    dz = softmax(log_w)[..., None] * dlogw_dz
    dmu, dlogvar = through_z(dz, eps, logvar)
    return -(dmu**2) / len(logvar), -(dlogvar**2) / len(logvar)


@wrong("09.doubly")
def one_result_only(log_w, dlogw_dz, eps, logvar):
    return through_z(-(softmax(log_w)[..., None] ** 2) * dlogw_dz / len(logvar), eps, logvar)[0]


@wrong("09.doubly")
def summed_over_the_images_too(log_w, dlogw_dz, eps, logvar):
    dz = -(softmax(log_w)[..., None] ** 2) * dlogw_dz / len(logvar)
    return dz.sum(axis=(0, 1)), (dz * eps).sum(axis=(0, 1)) * np.exp(logvar / 2) / 2


@wrong("09.doubly")
def weights_of_the_first_image(log_w, dlogw_dz, eps, logvar):
    share = softmax(log_w[:, :1])
    return through_z(-(share[..., None] ** 2) * dlogw_dz / len(logvar), eps, logvar)


@wrong("09.doubly")
def raw_weights(log_w, dlogw_dz, eps, logvar):
    w = np.exp(log_w)
    w /= w.sum(axis=0)
    return through_z(-(w[..., None] ** 2) * dlogw_dz / len(logvar), eps, logvar)


@wrong("09.doubly")
def weights_of_the_mean(log_w, dlogw_dz, eps, logvar):
    w = softmax(log_w) * len(log_w)
    return through_z(-(w[..., None] ** 2) * dlogw_dz / len(logvar), eps, logvar)


@wrong("09.doubly")
def the_first_sample_taken_out(log_w, dlogw_dz, eps, logvar):
    w = np.exp(log_w - log_w[0])
    w /= w.sum(axis=0)
    return through_z(-(w[..., None] ** 2) * dlogw_dz / len(logvar), eps, logvar)


@wrong("09.doubly")
def the_mean_log_taken_out(log_w, dlogw_dz, eps, logvar):
    w = np.exp(log_w - log_w.mean(axis=0))
    w /= w.sum(axis=0)
    return through_z(-(w[..., None] ** 2) * dlogw_dz / len(logvar), eps, logvar)


@wrong("09.doubly")
def largest_weight_only(log_w, dlogw_dz, eps, logvar):
    best = (log_w == log_w.max(axis=0))[..., None]
    return through_z(-best * dlogw_dz / len(logvar), eps, logvar)

"""Notebook 03: answers to `03.kl` and `03.kl-backward`."""

import math

import numpy as np
from answers_of_others.registry import right, wrong

# ---- 03.kl ---------------------------------------------------------------------------------------


@right("03.kl")
def with_einsum(mu, logvar):
    return 0.5 * (np.einsum("bl,bl->b", mu, mu) + (np.exp(logvar) - 1 - logvar).sum(1))


@right("03.kl")
def in_loops(mu, logvar):
    totals = []
    for m_row, v_row in zip(mu, logvar, strict=True):
        totals.append(
            sum((m * m + math.exp(v) - 1 - v) / 2 for m, v in zip(m_row, v_row, strict=True))
        )
    return np.array(totals)


@right("03.kl")
def by_sigma(mu, logvar):
    sigma = np.exp(logvar / 2)
    return np.sum((mu**2 + sigma**2) / 2 - np.log(sigma) - 0.5, axis=-1)


@right("03.kl")
def with_a_vector_of_ones(mu, logvar):
    return (mu * mu + np.expm1(logvar) - logvar) @ np.full(mu.shape[1], 0.5)


@wrong("03.kl", clue="one-number")
def summed_over_everything(mu, logvar):
    return 0.5 * (mu**2 + np.exp(logvar) - 1 - logvar).sum()


@wrong("03.kl")
def one_subtracted_once_for_each_example(mu, logvar):
    return 0.5 * ((mu**2 + np.exp(logvar) - logvar).sum(axis=1) - 1)


@wrong("03.kl")
def mean_over_the_batch_kept_for_each(mu, logvar):
    each = 0.5 * (mu**2 + np.exp(logvar) - 1 - logvar).sum(axis=1)
    return np.full(len(mu), each.mean())


@wrong("03.kl")
def kept_as_a_column(mu, logvar):
    return 0.5 * (mu**2 + np.exp(logvar) - 1 - logvar).sum(axis=1, keepdims=True)


@wrong("03.kl")
def absolute_mu(mu, logvar):
    return 0.5 * (np.abs(mu) + np.exp(logvar) - 1 - logvar).sum(axis=1)


@wrong("03.kl")
def negative_parts_cut(mu, logvar):
    return 0.5 * np.maximum(mu**2 + np.exp(logvar) - 1 - logvar - 1e-3, 0).sum(axis=1)


@wrong("03.kl")
def two_latents_written_in(mu, logvar):
    terms = mu**2 + np.exp(logvar) - 1 - logvar
    return 0.5 * (terms[:, 0] + terms[:, -1])


@wrong("03.kl")
def in_single_precision(mu, logvar):
    mu, logvar = mu.astype(np.float32), logvar.astype(np.float32)
    return 0.5 * (mu**2 + np.exp(logvar) - 1 - logvar).sum(axis=1)


@wrong("03.kl")
def in_bits(mu, logvar):
    return 0.5 * (mu**2 + np.exp(logvar) - 1 - logvar).sum(axis=1) / np.log(2)


@wrong("03.kl")
def noisy(mu, logvar):
    z = mu + np.exp(logvar / 2) * np.random.default_rng().standard_normal((1000, *mu.shape))
    log_q = -((z - mu) ** 2) / np.exp(logvar) - logvar
    return 0.5 * (log_q + z**2).sum(axis=-1).mean(axis=0)


@wrong("03.kl")
def of_the_first_latent(mu, logvar):
    return 0.5 * (mu[:, 0] ** 2 + np.exp(logvar[:, 0]) - 1 - logvar[:, 0])


@wrong("03.kl")
def writes_into_mu(mu, logvar):
    mu **= 2
    return 0.5 * (mu + np.exp(logvar) - 1 - logvar).sum(axis=1)


# ---- 03.kl-backward ------------------------------------------------------------------------------


@right("03.kl-backward")
def transposed(dkl, mu, logvar):
    return (dkl * mu.T).T, (dkl * np.expm1(logvar).T).T / 2


@right("03.kl-backward")
def with_einsum_backward(dkl, mu, logvar):
    return [np.einsum("b,bl->bl", dkl, g) for g in (mu, (np.exp(logvar) - 1) * 0.5)]


@right("03.kl-backward")
def entry_by_entry(dkl, mu, logvar):
    dmu, dlogvar = np.empty_like(mu), np.empty_like(logvar)
    for (b, j), m in np.ndenumerate(mu):
        dmu[b, j] = dkl[b] * m
        dlogvar[b, j] = dkl[b] * (math.exp(logvar[b, j]) - 1) / 2
    return dmu, dlogvar


@wrong("03.kl-backward")
def dkl_on_one_result_only(dkl, mu, logvar):
    return dkl[:, None] * mu, (np.exp(logvar) - 1) / 2


@wrong("03.kl-backward")
def dkl_summed(dkl, mu, logvar):
    return dkl.sum() * mu, dkl.sum() * (np.exp(logvar) - 1) / 2


@wrong("03.kl-backward")
def dkl_of_the_first(dkl, mu, logvar):
    return dkl[0] * mu, dkl[0] * (np.exp(logvar) - 1) / 2


@wrong("03.kl-backward")
def half_of_both(dkl, mu, logvar):
    return dkl[:, None] * mu / 2, dkl[:, None] * (np.exp(logvar) - 1) / 2


@wrong("03.kl-backward")
def one_not_halved(dkl, mu, logvar):
    return dkl[:, None] * mu, dkl[:, None] * (np.exp(logvar) / 2 - 1)


@wrong("03.kl-backward")
def absolute_value_of_mu(dkl, mu, logvar):
    return dkl[:, None] * np.abs(mu), dkl[:, None] * (np.exp(logvar) - 1) / 2


@wrong("03.kl-backward")
def summed_over_the_latents(dkl, mu, logvar):
    return (dkl[:, None] * mu).sum(axis=1), (dkl[:, None] * (np.exp(logvar) - 1) / 2).sum(axis=1)


@wrong("03.kl-backward")
def first_order_only(dkl, mu, logvar):
    return dkl[:, None] * mu, dkl[:, None] * logvar / 2


@wrong("03.kl-backward")
def only_one_result(dkl, mu, logvar):
    return dkl[:, None] * mu


@wrong("03.kl-backward")
def square_of_dkl(dkl, mu, logvar):
    return dkl[:, None] ** 2 * mu, dkl[:, None] ** 2 * (np.exp(logvar) - 1) / 2

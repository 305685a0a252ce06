"""Notebook 03: answers to `03.kl`."""

import math

import numpy as np
from answers_of_others.registry import right, wrong


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
def by_the_sigma(mu, logvar):
    sigma = np.exp(logvar / 2)
    return np.sum((mu**2 + sigma**2) / 2 - np.log(sigma) - 0.5, axis=-1)


@wrong("03.kl", clue="one-number")
def summed_over_everything(mu, logvar):
    return 0.5 * (mu**2 + np.exp(logvar) - 1 - logvar).sum()

"""Disentanglement, completeness, informativeness: DCI (Eastwood and Williams 2018).

A probe predicts each factor from the whole code, and R_lf says how much it leans on latent l for
factor f. With each row of R made to sum to 1 (what is latent l for?), and each column (who serves
factor f?),

    disentanglement   mean over latents of 1 - entropy of its row / log F, weighted by the row's sum
    completeness      mean over factors of 1 - entropy of its column / log L
    informativeness   mean R^2 of the probe, on examples that did not fit it

R here: by how much the mean squared error of the probe of `ladder` grows, in variances of the
factor, when the values of latent l are shuffled among the held-out examples. (The paper uses the
weights of a lasso or of random forests.) Shapes: N examples, F factors, L latents.
"""

from typing import NamedTuple

import numpy as np

from minivae.evaluate.ladder import fit_probe

Array = np.ndarray


class DCI(NamedTuple):
    """The three numbers, each at most 1, and the importances they are made of."""

    disentanglement: float
    completeness: float
    informativeness: float
    importance: Array  # (L, F), of variances


def dci(
    codes: Array, factors: Array, held_codes: Array, held_factors: Array, rng: np.random.Generator
) -> DCI:
    """codes (N, L), factors (N, F) fit the probe; the held-out (M, L), (M, F) are predicted."""
    probe = fit_probe(codes, factors)
    variances = held_factors.var(axis=0)
    error = np.square(held_factors - probe(held_codes)).mean(axis=0) / variances
    importance = np.empty((codes.shape[1], factors.shape[1]))
    for latent in range(codes.shape[1]):
        shuffled = held_codes.copy()
        shuffled[:, latent] = rng.permutation(shuffled[:, latent])
        worse = np.square(held_factors - probe(shuffled)).mean(axis=0) / variances
        importance[latent] = np.maximum(worse - error, 0)
    return DCI(*scores(importance), float(np.mean(1 - error)), importance)


def scores(importance: Array) -> tuple[float, float]:
    """Disentanglement and completeness of a matrix of importances (L, F), none below 0."""
    of_latents = 1 - _relative_entropy(importance)
    of_factors = 1 - _relative_entropy(importance.T)
    weights = importance.sum(axis=1)
    total = weights.sum()
    disentanglement = float(weights @ of_latents / total) if total > 0 else 0.0
    return disentanglement, float(of_factors.mean())


def _relative_entropy(rows: Array) -> Array:
    """The entropy of each row as a share of the largest possible; 1 for a row of zeros."""
    total = rows.sum(axis=1, keepdims=True)
    p = np.where(total > 0, rows / np.where(total > 0, total, 1), 1 / rows.shape[1])
    return -np.sum(p * np.log(np.where(p > 0, p, 1)), axis=1) / np.log(rows.shape[1])

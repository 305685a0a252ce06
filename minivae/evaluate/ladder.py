"""The ladder: how much of a factor is in the picture, in the code, in one latent, in one direction.

For each factor four numbers, each at most about the one before:

    ceiling    about what an ideal observer reads off the picture   (renderer_fit.ideal_estimates)
    whole      what a nonlinear probe reads off the whole code
    best       what the best single latent tells
    fifty      what the direction tells that fifty labelled examples find

("fifty" may lie above "best": a direction need not be an axis.) Every rung is measured on examples
that fitted nothing, in two units: R^2, the explained share of the variance, and nats, the mutual
information of the factor and the rung's estimate after cutting both into bins of equal mass. A code
is a draw z ~ q(z | x). Shapes: N examples, F factors, L latents.
"""

from typing import NamedTuple

import numpy as np

from minivae.evaluate.interpretability import BINS, mutual_information_matrix

Array = np.ndarray
RIDGE = 1.0  # added to the sums of squares over the examples
LABELS = 50
DRAWS = 20  # of fifty labels; their results are averaged


class Rung(NamedTuple):
    """What one rung knows of each factor."""

    r2: Array  # (F,)
    nats: Array  # (F,)


class Ladder(NamedTuple):
    """The rungs that depend on the model, and what they are made of."""

    whole: Rung
    best: Rung
    fifty: Rung
    chosen: Array  # (F,) the best latent, chosen on the examples that fit
    knobs: Array  # (F, L) directions of length 1, each from the first fifty labels


class Probe(NamedTuple):
    """A ridge regression on 1, z_i and z_i z_j, all i <= j."""

    centre: Array  # (L,)
    scale: Array  # (L,)
    weights: Array  # (features, F)

    def __call__(self, codes: Array) -> Array:
        """codes (N, L) -> estimates (N, F)."""
        return squares_and_products((codes - self.centre) / self.scale) @ self.weights


def fit_probe(codes: Array, factors: Array) -> Probe:
    """codes (N, L), factors (N, F) -> the probe that comes closest on them."""
    codes = np.asarray(codes, np.float64)
    centre, scale = codes.mean(axis=0), codes.std(axis=0)
    scale = np.where(scale > 0, scale, 1.0)
    A = squares_and_products((codes - centre) / scale)
    ridge = np.full(A.shape[1], RIDGE)
    ridge[0] = 0  # the constant is free
    return Probe(centre, scale, np.linalg.solve(A.T @ A + np.diag(ridge), A.T @ factors))


def squares_and_products(z: Array) -> Array:
    """1, z_i, and z_i z_j for i <= j: (N, L) -> (N, 1 + L + L (L + 1) / 2)."""
    i, j = np.triu_indices(z.shape[1])
    return np.column_stack([np.ones(len(z)), z, z[:, i] * z[:, j]])


def climb(
    codes: Array,
    factors: Array,
    held_codes: Array,
    held_factors: Array,
    rng: np.random.Generator,
    bins: int = BINS,
) -> Ladder:
    """All rungs: codes (N, L), factors (N, F) fit; the held-out (M, L), (M, F) are measured."""
    whole = measure(fit_probe(codes, factors)(held_codes), held_factors, bins)
    chosen = mutual_information_matrix(factors, codes, bins).argmax(axis=1)
    singles = [
        fit_probe(codes[:, [latent]], factors[:, [f]])(held_codes[:, [latent]])[:, 0]
        for f, latent in enumerate(chosen)
    ]
    # a latent's nats are those of its values: no estimate made from it can have more
    nats = mutual_information_matrix(held_factors, held_codes, bins)
    best = Rung(
        measure(np.stack(singles, axis=1), held_factors, bins).r2,
        nats[np.arange(len(chosen)), chosen],
    )
    found, first = [], None
    for _ in range(DRAWS):
        few = rng.choice(len(codes), LABELS, replace=False)
        weights = few_labels(codes[few], factors[few])
        first = weights if first is None else first
        estimates = np.column_stack([held_codes, np.ones(len(held_codes))]) @ weights
        found.append(measure(estimates, held_factors, bins))
    fifty = Rung(*(np.mean(values, axis=0) for values in zip(*found, strict=True)))
    assert first is not None
    knobs = first[:-1].T
    return Ladder(whole, best, fifty, chosen, knobs / np.linalg.norm(knobs, axis=1, keepdims=True))


def few_labels(codes: Array, factors: Array) -> Array:
    """The weighted sum of the latents, plus a constant, closest to each factor by least squares.

    codes (n, L), factors (n, F) -> (L + 1, F); the last row is the constant. A ridge of 1 on codes
    whose prior has variance 1.
    """
    A = np.column_stack([codes, np.ones(len(codes))]).astype(np.float64)
    ridge = np.eye(A.shape[1])
    ridge[-1, -1] = 1e-9
    return np.linalg.solve(A.T @ A + ridge, A.T @ factors)


def measure(estimates: Array, factors: Array, bins: int = BINS) -> Rung:
    """R^2 and nats of an estimate of each factor: (N, F), (N, F) -> Rung."""
    left = np.square(factors - estimates).mean(axis=0) / factors.var(axis=0)
    nats = [
        mutual_information_matrix(factors[:, [f]], estimates[:, [f]], bins)[0, 0]
        for f in range(factors.shape[1])
    ]
    return Rung(1 - left, np.array(nats))

"""Two rows from one latent: eq. (7) for a model that is not the notebook's."""

import numpy as np

from minivae.exercises.exercise import Exercise, WrongAnswer, generic, stub

# ---- 04.same-cat ---------------------------------------------------------------------------------


def same_cat(x1, x2, W, b, variance):
    """log p(x1, x2) with one z for both, minus log p(x1) + log p(x2), nats"""

    def log_p(x, W, b):  # eq. (7)
        away, C = x - b, W.T @ W + variance * np.eye(len(b))
        return -0.5 * (away @ np.linalg.inv(C) @ away + np.linalg.slogdet(2 * np.pi * C)[1])

    # side by side the two rows are one row of 2 D numbers, made from z by [W, W]
    together = log_p(np.concatenate([x1, x2]), np.hstack([W, W]), np.concatenate([b, b]))
    return together - log_p(x1, W, b) - log_p(x2, W, b)


def _cases():
    rng = np.random.default_rng(53)
    return [
        (np.array([1.2]), np.array([0.7]), np.array([[1.5]]), np.array([0.4]), 0.3),
        (*generic(rng, 2, 2), generic(rng, 1, 2), generic(rng, 2), 0.6),
        (*generic(rng, 2, 4), generic(rng, 2, 4), generic(rng, 4), 0.25),
    ]


def _log_normal(away, C):
    return -0.5 * (away @ np.linalg.inv(C) @ away + np.linalg.slogdet(2 * np.pi * C)[1])


def _with(across=lambda W, s2: W.T @ W, minus=1.0, scale=1.0, own_noise=1.0):
    """A wrong answer: another block between x1 and x2, other factors."""

    def wrong(x1, x2, W, b, s2):
        C = W.T @ W + s2 * np.eye(len(b))
        block = across(W, s2)
        noisy = W.T @ W + own_noise * s2 * np.eye(len(b))
        both = np.block([[noisy, block], [block.T, noisy]])
        away = np.concatenate([x1 - b, x2 - b])
        alone = _log_normal(x1 - b, C) + _log_normal(x2 - b, C)
        return scale * (_log_normal(away, both) - minus * alone)

    return wrong


def _by_distance(x1, x2, W, b, s2):
    """The density of the difference of two rows of one cat."""
    return _log_normal(x1 - x2, 2 * s2 * np.eye(len(b)))


def _at_the_posterior_of(x1, x2, W, b, s2):
    """log p(x2 | z = the posterior's mean of x1) - log p(x2)."""
    S = np.linalg.inv(np.eye(len(W)) + W @ W.T / s2)
    z = (x1 - b) @ W.T @ S / s2
    C = W.T @ W + s2 * np.eye(len(b))
    return _log_normal(x2 - b - z @ W, s2 * np.eye(len(b))) - _log_normal(x2 - b, C)


def _as_one_row(x1, x2, W, b, s2):
    C = W.T @ W + s2 * np.eye(len(b))
    alone = _log_normal(x1 - b, C) + _log_normal(x2 - b, C)
    return _log_normal((x1 + x2) / 2 - b, C - s2 / 2 * np.eye(len(b))) - alone


SAME_CAT = Exercise(
    id="04.same-cat",
    title="two drawings of one cat or not, by the exact density of both",
    stub=stub("""
        def same_cat(x1, x2, W, b, variance):    # x1, x2, b (D,), W (L, D), float
            ...                                  # -> nats, a float
    """),
    reference=same_cat,
    cases=_cases,
    mistakes=(
        WrongAnswer(
            "independent",
            _with(lambda W, s2: 0 * W.T @ W),
            "This is 0: you take the two rows for independent. They share z, so that entries of "
            "x1 and of x2 are correlated.",
        ),
        WrongAnswer(
            "not-divided",
            _with(minus=0.0),
            "This is log p(x1, x2) for one cat; subtract what two cats would give.",
        ),
        WrongAnswer(
            "sign",
            _with(scale=-1.0),
            "The sign: a positive answer shall speak for one cat.",
        ),
        WrongAnswer(
            "half",
            _with(scale=0.5),
            "Half of it: nothing is averaged over the two rows.",
        ),
        WrongAnswer(
            "noise-shared-in-part",
            _with(lambda W, s2: W.T @ W + 0.5 * s2 * np.eye(W.shape[1])),
            "x1 and x2 have a noise of their own each: s^2 is not in the block between them.",
        ),
        WrongAnswer(
            "noise-halved",
            _with(own_noise=0.5),
            "Each row has the whole noise, of variance s^2.",
        ),
        WrongAnswer(
            "distance",
            _by_distance,
            "You look at x1 - x2 only. Where the two lie counts too: a cat that is rare is less "
            "likely to be drawn twice.",
        ),
        WrongAnswer(
            "z-taken-as-known",
            _at_the_posterior_of,
            "You put in one z, the posterior's mean. z is not known from x1: average over it.",
        ),
        WrongAnswer(
            "mean-row",
            _as_one_row,
            "This is the density of the mean of the two rows. The density of both is one of 2 D "
            "numbers.",
        ),
        WrongAnswer(
            "subtracted-once",
            lambda x1, x2, W, b, s2: (
                same_cat(x1, x2, W, b, s2) + _log_normal(x2 - b, W.T @ W + s2 * np.eye(len(b)))
            ),
            "You subtract only log p(x1): this is log p(x2 | x1). Subtract log p(x2) too.",
        ),
        WrongAnswer(
            "no-determinant",
            lambda x1, x2, W, b, s2: same_cat(x1, x2, W, b, s2) - same_cat(b, b, W, b, s2),
            "The determinants are missing: two cats and one have different ones.",
        ),
    ),
    hints=(
        "Put the two rows side by side: one row of 2 D numbers. Which linear map makes it from z "
        "and the noise, and what is its covariance?",
        "The covariance has C = W^T W + s^2 I twice on the diagonal, and W^T W in the other two "
        "blocks.",
        "log N([x1, x2]; [b, b], [[C, W^T W], [W^T W, C]]) - log N(x1; b, C) - log N(x2; b, C)",
    ),
)

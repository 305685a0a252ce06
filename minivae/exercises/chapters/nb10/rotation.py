"""A rotated posterior."""

import numpy as np

from minivae.exercises.exercise import Exercise, WrongAnswer, stub


def rotate_q(mean, variances, R):
    """If z ~ N(mean, diag(variances)), then R z ~ N(R mean, R diag(variances) R')"""
    return R @ mean, R @ np.diag(variances) @ R.T


def _rotation(angle):
    c, s = np.round(np.cos(angle), 12), np.round(np.sin(angle), 12)
    return np.array([[c, -s], [s, c]])


def _rotate_cases():
    three = np.eye(3)
    three[:2, :2] = _rotation(0.4)
    four = np.eye(3)
    four[1:, 1:] = _rotation(-1.1)
    return [
        (np.array([1.0, 0.5]), np.array([0.2, 0.9]), _rotation(0.5)),
        (np.array([0.3, -1.2, 0.8]), np.array([0.1, 0.5, 1.4]), three @ four),
    ]


ROTATE = Exercise(
    id="10.rotate",
    title="a rotated posterior",
    stub=stub("""
        def rotate_q(mean, variances, R):    # z ~ N(mean (L,), diag(variances (L,))), R (L, L)
            ...                              # -> mean (L,) and covariance (L, L) of R z
    """),
    reference=rotate_q,
    cases=_rotate_cases,
    returns=("mean", "covariance"),
    mistakes=(
        WrongAnswer(
            "transposed-mean",
            lambda mean, variances, R: (mean @ R, R @ np.diag(variances) @ R.T),
            "mean @ R rotates the other way: use R @ mean.",
        ),
        WrongAnswer(
            "transposed-covariance",
            lambda mean, variances, R: (R @ mean, R.T @ np.diag(variances) @ R),
            "R' S R rotates the other way: use R S R'.",
        ),
        WrongAnswer(
            "diagonal-kept",
            lambda mean, variances, R: (
                R @ mean,
                np.diag(np.diag(R @ np.diag(variances) @ R.T)),
            ),
            "Only the diagonal is kept; the rotation makes the latents correlated.",
        ),
        WrongAnswer(
            "variances-rotated",
            lambda mean, variances, R: (R @ mean, np.diag(R @ variances)),
            "Variances do not rotate like a vector (one could become negative): use R S R'.",
        ),
        WrongAnswer(
            "one-side",
            lambda mean, variances, R: (R @ mean, R @ np.diag(variances)),
            "This multiplies from the left only: a covariance has R' on the right too.",
        ),
        WrongAnswer(
            "not-transposed",
            lambda mean, variances, R: (R @ mean, R @ np.diag(variances) @ R),
            "The R on the right has to be transposed.",
        ),
        WrongAnswer(
            "unchanged",
            lambda mean, variances, R: (R @ mean, np.diag(variances)),
            "The covariance changes too, unless all variances are equal.",
        ),
    ),
    hints=(
        "The covariance of R z is E[R (z - m) (z - m)' R'].",
        "R moves out on the left, R' on the right.",
        "R @ mean, R @ np.diag(variances) @ R.T.",
    ),
)

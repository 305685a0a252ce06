"""What a turn of the latents costs."""

import numpy as np

from minivae.exercises.exercise import Exercise, WrongAnswer, stub


def turning_price(variances, R):
    """The best diagonal q has the diagonal of the turned precision"""
    precision = R @ np.diag(1 / variances) @ R.T
    return float((np.log(np.diag(precision)).sum() + np.log(variances).sum()) / 2)


def _rotation(angle):
    c, s = np.round(np.cos(angle), 12), np.round(np.sin(angle), 12)
    return np.array([[c, -s], [s, c]])


def _turning_cases():
    three, four = np.eye(3), np.eye(3)
    three[:2, :2] = _rotation(0.4)
    four[1:, 1:] = _rotation(-1.1)
    return [
        (np.array([0.1, 0.5, 1.4]), three @ four),
        (np.array([0.9, 0.05, 0.3]), four @ three),
        (np.array([0.2, 0.9]), _rotation(0.5)),
    ]


TURNING_PRICE = Exercise(
    id="10.turning-price",
    title="what a turn costs",
    stub=stub("""
        def turning_price(variances, R):    # of the posterior before the turn (L,); R (L, L)
            ...                             # -> the nats of ELBO that are lost, a float
    """),
    reference=turning_price,
    cases=_turning_cases,
    mistakes=(
        WrongAnswer(
            "nothing",
            lambda variances, R: 0.0,
            "log p(x) stays, eq. (4), but the ELBO does not: a diagonal q cannot follow.",
        ),
        WrongAnswer(
            "diagonal-of-the-covariance",
            lambda variances, R: float(
                np.log(np.diag(R @ np.diag(variances) @ R.T) / variances).sum() / 2
            ),
            "These are the variances of the turned posterior; the q that is best for the ELBO is "
            "narrower: it takes the diagonal of the precision.",
        ),
        WrongAnswer(
            "variances-kept",
            lambda variances, R: float(
                (np.diag(R @ np.diag(1 / variances) @ R.T) @ variances - len(variances)) / 2
            ),
            "This q keeps the old variances; after the turn there is a better diagonal one.",
        ),
        WrongAnswer(
            "turned-back",
            lambda variances, R: turning_price(variances, R.T),
            "R' A R turns the other way: z becomes R z, so the precision becomes R A R'.",
        ),
        WrongAnswer(
            "without-half",
            lambda variances, R: 2 * turning_price(variances, R),
            "The KL of Gaussians has a half before its logs.",
        ),
        WrongAnswer(
            "sign",
            lambda variances, R: -turning_price(variances, R),
            "A loss of nats is asked for: it is a KL, so it is not negative.",
        ),
    ),
    hints=(
        "If z has the covariance S, which one has R z, and which precision?",
        "The precision is R diag(1 / variances) R'; the best diagonal q takes its diagonal.",
        "Put that precision into the price of 10.8; a turn leaves its determinant alone.",
    ),
)

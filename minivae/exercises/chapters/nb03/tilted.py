"""A posterior whose latents are correlated, and the best independent Gaussian for it."""

import numpy as np

from minivae.exercises.exercise import Exercise, WrongAnswer, stub


def too_sure(covariance):
    """sigma of the independent q with the least KL(q || p) over p's own, and that KL in nats

    With the precision P = inverse of the covariance, sigma_i^2 appears in the KL as
    P_ii sigma_i^2 / 2 - log(sigma_i^2) / 2, which is least at 1 / P_ii. The sum of the first terms
    is then L / 2 and cancels.
    """
    of_q = 1 / np.diag(np.linalg.inv(covariance))
    kl = 0.5 * (np.log(np.linalg.det(covariance)) - np.log(of_q).sum())
    return np.sqrt(of_q / np.diag(covariance)), kl


def _cases():
    return [
        (np.array([[0.9, -0.6], [-0.6, 0.7]]),),
        (np.array([[1.3, 0.5, -0.4], [0.5, 0.8, 0.2], [-0.4, 0.2, 0.6]]),),
        (np.array([[0.3]]),),
    ]


def _other_kl(covariance):
    """The least KL(p || q)."""
    return 0.5 * (np.log(np.diag(covariance)).sum() - np.log(np.linalg.det(covariance)))


def _kl_of_wide(covariance):
    """KL(q || p) of the q with p's own variances."""
    of_q = np.diag(covariance)
    squares = (np.diag(np.linalg.inv(covariance)) * of_q).sum() - len(of_q)
    return 0.5 * (squares + np.log(np.linalg.det(covariance)) - np.log(of_q).sum())


TOO_SURE = Exercise(
    id="03.too-sure",
    title="how much too sure the best independent q is",
    stub=stub("""
        def too_sure(covariance):    # of p, a Gaussian with L correlated latents: (L, L)
            ...    # -> sigma of the independent q with the least KL(q || p), divided by p's own
                   #    sigma of that latent, (L,); and that KL, nats: one float
    """),
    reference=too_sure,
    cases=_cases,
    returns=("sigma of q over sigma of p", "the KL"),
    mistakes=(
        WrongAnswer(
            "moments-matched",
            lambda c: (np.ones(len(c)), _other_kl(c)),
            "Matching p's variances gives the least KL(p || q); you are asked for the other "
            "direction.",
        ),
        WrongAnswer(
            "moments-matched-and-back",
            lambda c: (np.ones(len(c)), _kl_of_wide(c)),
            "A q with p's own variances has not the least KL(q || p): write out how sigma_i^2 "
            "appears in it.",
        ),
        WrongAnswer(
            "kl-of-the-wide-q",
            lambda c: (too_sure(c)[0], _kl_of_wide(c)),
            "The ratios are right; the KL is that of the q with p's own variances.",
        ),
        WrongAnswer(
            "kl-of-the-other-direction",
            lambda c: (too_sure(c)[0], _other_kl(c)),
            "The ratios are right; the KL is the least KL(p || q), which for two latents happens "
            "to be the same.",
        ),
        WrongAnswer(
            "variances",
            lambda c: (too_sure(c)[0] ** 2, too_sure(c)[1]),
            "This is the ratio of the variances; take its root.",
        ),
        WrongAnswer(
            "upside-down",
            lambda c: (1 / too_sure(c)[0], too_sure(c)[1]),
            "The ratio is upside down: q is the narrower of the two.",
        ),
        WrongAnswer(
            "not-divided",
            lambda c: (too_sure(c)[0] * np.sqrt(np.diag(c)), too_sure(c)[1]),
            "This is q's sigma; divide it by p's, the root of the covariance's diagonal.",
        ),
        WrongAnswer(
            "not-inverted",
            lambda c: (
                1 / np.diag(c),
                0.5 * (np.log(np.linalg.det(c)) + np.log(np.diag(c)).sum()),
            ),
            "In log p(z) stands the inverse of the covariance: invert the whole matrix, then take "
            "its diagonal.",
        ),
        WrongAnswer(
            "no-half",
            lambda c: (too_sure(c)[0], 2 * too_sure(c)[1]),
            "The ratios are right; the KL lacks its half.",
        ),
        WrongAnswer(
            "sign",
            lambda c: (too_sure(c)[0], -too_sure(c)[1]),
            "The ratios are right; the KL has the wrong sign, it is never negative.",
        ),
        WrongAnswer(
            "bits",
            lambda c: (too_sure(c)[0], too_sure(c)[1] / np.log(2)),
            "The ratios are right; the KL is in bits, divided by log 2.",
        ),
        WrongAnswer(
            "swapped",
            lambda c: too_sure(c)[::-1],
            "The two results are swapped: first the ratios, then the KL.",
        ),
    ),
    hints=(
        "log p(z) is -(z - m) @ P @ (z - m) / 2 plus a constant, where P is the inverse of the "
        "covariance. Average it over q, whose latents are independent and have p's means.",
        "sigma_i^2 appears as P_ii sigma_i^2 / 2 - log(sigma_i^2) / 2, so it is 1 / P_ii. For the "
        "KL you need p's constant too: log p contains -log(det(covariance)) / 2.",
        "of_q = 1 / np.diag(np.linalg.inv(covariance)). The ratio is the root of of_q over the "
        "covariance's diagonal; the KL is half of log det(covariance) minus the sum of log of_q.",
    ),
)

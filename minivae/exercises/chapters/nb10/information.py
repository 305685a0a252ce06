"""The information of a latent about a factor."""

import numpy as np

from minivae.exercises.exercise import Exercise, WrongAnswer, stub


def mutual_information(counts):
    """sum p(a, b) log (p(a, b) / (p(a) p(b))), where 0 log 0 = 0"""
    p = counts / counts.sum()
    independent = p.sum(axis=1, keepdims=True) * p.sum(axis=0)
    seen = p > 0
    return float((p[seen] * np.log(p[seen] / independent[seen])).sum())


def _counts_cases():
    return [
        (np.array([[3, 1], [1, 3]]),),
        (np.array([[4, 1, 2], [2, 6, 3]]),),
        (np.array([[5, 0, 1], [0, 7, 2], [1, 1, 0], [2, 0, 6]]),),
    ]


def _information(p, q):
    seen = p > 0
    return float((p[seen] * np.log(p[seen] / q[seen])).sum())


def _entropy(p):
    return -_information(p, np.ones_like(p))


def _joint(counts):
    p = counts / counts.sum()
    return p, p.sum(axis=1), p.sum(axis=0)


MUTUAL_INFORMATION = Exercise(
    id="10.mutual-information",
    title="what a latent tells about a factor",
    stub=stub("""
        def my_mutual_information(counts):    # how often bin a of a latent met bin b of a factor:
            ...                               # (a, b), zeros allowed -> nats, one float
    """),
    reference=mutual_information,
    cases=_counts_cases,
    mistakes=(
        WrongAnswer(
            "zero-times-log-zero",
            lambda counts: float(
                (
                    _joint(counts)[0] * np.log(_joint(counts)[0] / np.outer(*_joint(counts)[1:]))
                ).sum()
            ),
            "Where a pair never occurs, 0 * log 0 is NaN: leave those pairs out.",
        ),
        WrongAnswer(
            "joint-entropy",
            lambda counts: _entropy(_joint(counts)[0]),
            "This is the entropy of the pair; information is H(a) + H(b) - H(a, b).",
        ),
        WrongAnswer(
            "conditional-entropy",
            lambda counts: _entropy(_joint(counts)[0]) - _entropy(_joint(counts)[1]),
            "This is H(b | a), what the latent does not tell; information is H(b) - H(b | a).",
        ),
        WrongAnswer(
            "sign",
            lambda counts: -mutual_information(counts),
            "The sign is wrong: information is never negative.",
        ),
        WrongAnswer(
            "counts-not-normalised",
            lambda counts: _information(
                counts.astype(float), np.outer(counts.sum(axis=1), counts.sum(axis=0)).astype(float)
            ),
            "Counts are not probabilities: divide by their sum.",
        ),
        WrongAnswer(
            "bits",
            lambda counts: mutual_information(counts) / np.log(2),
            "This is in bits; nats use the natural logarithm.",
        ),
        WrongAnswer(
            "uniform",
            lambda counts: _information(_joint(counts)[0], np.full(counts.shape, 1 / counts.size)),
            "p is compared with a uniform table; compare it with the product of the marginals.",
        ),
        WrongAnswer(
            "not-weighted",
            lambda counts: float(
                np.log(
                    _joint(counts)[0][counts > 0] / np.outer(*_joint(counts)[1:])[counts > 0]
                ).sum()
            ),
            "The log ratios are added without their weights p(a, b).",
        ),
        WrongAnswer(
            "smoothed",
            lambda counts: mutual_information(counts + 1),
            "1 is added to every count, which lowers the information.",
        ),
    ),
    hints=(
        "It is the KL between the joint distribution and the product of its marginals.",
        "p = counts / counts.sum(); the marginals are its sums over each axis; skip the zeros.",
        "Sum over p > 0 of p * log(p / (p(a) p(b))).",
    ),
)

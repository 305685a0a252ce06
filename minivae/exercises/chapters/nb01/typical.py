"""The score that a story gives its own pictures on average, and the best that it can give."""

import numpy as np

from minivae.exercises.exercise import Exercise, WrongAnswer, stub


def average_and_best(p):
    """E[log p(x|z)] over the model's own pictures, and the log of the most probable picture"""
    average = (p * np.log(p) + (1 - p) * np.log(1 - p)).sum()
    best = np.log(np.maximum(p, 1 - p)).sum()
    return average, best


def _typical_cases():
    rng = np.random.default_rng(18)
    return [
        (np.array([0.9, 0.7]),),
        (np.array([0.2, 0.5, 0.6]),),
        (np.round(rng.uniform(0.02, 0.98, 7), 2),),
        (np.array([1e-9, 0.995, 0.005, 0.3]),),
        (rng.uniform(0.005, 0.995, 784),),
    ]


def _typical(average=None, best=None):
    """The right answer with one of its results replaced."""

    def wrong(p):
        right = average_and_best(p)
        return (average(p) if average else right[0]), (best(p) if best else right[1])

    return wrong


TYPICAL = Exercise(
    id="01.typical",
    title="the typical score and the best",
    stub=stub("""
        def average_and_best(p):    # p (D,), p(white) of each pixel, above 0 and below 1
            ...                     # -> the mean of log p(x) over pictures x thrown with these
                                    # coins, and the largest log p(x) of any picture, nats
    """),
    reference=average_and_best,
    cases=_typical_cases,
    returns=("the mean", "the largest"),
    mistakes=(
        WrongAnswer(
            "white-only",
            _typical(average=lambda p: (p * np.log(p)).sum()),
            "A pixel is black with probability 1 - p, and then its term is log(1 - p).",
        ),
        WrongAnswer(
            "all-pictures-alike",
            _typical(average=lambda p: (np.log(p) + np.log(1 - p)).sum() / 2),
            "You weigh white and black equally; the coins do not: white has the probability p.",
        ),
        WrongAnswer(
            "log-of-the-mean",
            _typical(average=lambda p: np.log(p * p + (1 - p) ** 2).sum()),
            "This is the log of the mean of p(x); the mean of the logs was asked for.",
        ),
        WrongAnswer(
            "score-of-the-mean",
            _typical(average=lambda p: np.log(np.maximum(p, 1 - p)).sum()),
            "This is the score of the rounded picture, in which no coin falls against the odds.",
        ),
        WrongAnswer(
            "entropy",
            _typical(average=lambda p: -average_and_best(p)[0]),
            "The sign is turned: the log of a probability is at most 0.",
        ),
        WrongAnswer(
            "mean-over-pixels",
            lambda p: tuple(value / len(p) for value in average_and_best(p)),
            "You average over the pixels; log p(x) is a sum over them, eq. (6).",
        ),
        WrongAnswer(
            "all-white",
            _typical(best=lambda p: np.log(p).sum()),
            "This is the score of the white picture; each pixel may take its likelier colour.",
        ),
        WrongAnswer(
            "all-black",
            _typical(best=lambda p: np.log(1 - p).sum()),
            "This is the score of the empty picture; each pixel may take its likelier colour.",
        ),
        WrongAnswer(
            "white-or-black",
            _typical(best=lambda p: max(np.log(p).sum(), np.log(1 - p).sum())),
            "You compare the all-white picture with the all-black; the best picture chooses for "
            "each pixel.",
        ),
        WrongAnswer(
            "best-pixel",
            _typical(best=lambda p: np.log(np.maximum(p, 1 - p)).max()),
            "This is the best pixel alone; the score of a picture is the sum over all.",
        ),
        WrongAnswer(
            "best-is-a-mean",
            _typical(best=lambda p: (np.maximum(p, 1 - p) * np.log(np.maximum(p, 1 - p))).sum()),
            "The best picture is one picture: its log p(x) is not weighted by a probability.",
        ),
        WrongAnswer(
            "probabilities",
            lambda p: tuple(np.exp(value) for value in average_and_best(p)),
            "Both results are logs, in nats.",
        ),
        WrongAnswer(
            "swapped",
            lambda p: average_and_best(p)[::-1],
            "The two results are swapped: first the mean, then the largest.",
        ),
    ),
    hints=(
        "Both are sums over the pixels, because log p(x) is: look at one pixel.",
        "A pixel is white with probability p, and its term is then log p; else it is log(1 - p).",
        "The mean of its term is p log p + (1 - p) log(1 - p), the largest log(max(p, 1 - p)).",
    ),
)

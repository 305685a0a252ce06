"""The scores that a story gives its own pictures: mean and scatter; and the best of all."""

import numpy as np

from minivae.exercises.exercise import Exercise, WrongAnswer, stub


def typical_and_best(p):
    """Mean and standard deviation of log p(x|z) over the model's own pictures; the largest one"""
    mean = (p * np.log(p) + (1 - p) * np.log(1 - p)).sum()
    variance = p * (1 - p) * (np.log(p) - np.log(1 - p)) ** 2  # of each pixel: they add up
    best = np.log(np.maximum(p, 1 - p)).sum()
    return mean, np.sqrt(variance.sum()), best


def _typical_cases():
    rng = np.random.default_rng(18)
    return [
        (np.array([0.9, 0.7]),),
        (np.array([0.2, 0.5, 0.6]),),
        (np.round(rng.uniform(0.02, 0.98, 7), 2),),
        (np.array([1e-9, 0.995, 0.005, 0.3]),),
        (rng.uniform(0.005, 0.995, 784),),
        (rng.uniform(0.2, 0.8, 4000),),  # the product of the likelier ones underflows
    ]


def _typical(mean=None, scatter=None, best=None):
    """The right answer with one of its results replaced."""

    def wrong(p):
        results = zip((mean, scatter, best), typical_and_best(p), strict=True)
        return tuple(other(p) if other else right for other, right in results)

    return wrong


def _variances(p):
    return p * (1 - p) * (np.log(p) - np.log(1 - p)) ** 2


def _log_of_product(p):
    with np.errstate(divide="ignore"):
        return np.log(np.maximum(p, 1 - p).prod())


TYPICAL = Exercise(
    id="01.typical",
    title="the typical score and the best",
    stub=stub("""
        def typical_and_best(p):    # p (D,), p(white) of each pixel, above 0 and below 1
            ...                     # -> mean and standard deviation of log p(x) over pictures x
                                    # thrown with these coins; the largest log p(x) of any, nats
    """),
    reference=typical_and_best,
    cases=_typical_cases,
    returns=("the mean", "the standard deviation", "the largest"),
    mistakes=(
        WrongAnswer(
            "white-only",
            _typical(mean=lambda p: (p * np.log(p)).sum()),
            "A pixel is black with probability 1 - p, and then its term is log(1 - p).",
        ),
        WrongAnswer(
            "all-pictures-alike",
            _typical(mean=lambda p: (np.log(p) + np.log(1 - p)).sum() / 2),
            "You weigh white and black equally; the coins do not: white has the probability p.",
        ),
        WrongAnswer(
            "log-of-the-mean",
            _typical(mean=lambda p: np.log(p * p + (1 - p) ** 2).sum()),
            "This is the log of the mean of p(x); the mean of the logs was asked for.",
        ),
        WrongAnswer(
            "score-of-the-mean",
            _typical(mean=lambda p: np.log(np.maximum(p, 1 - p)).sum()),
            "This is the score of the rounded picture, in which no coin falls against the odds.",
        ),
        WrongAnswer(
            "entropy",
            _typical(mean=lambda p: -typical_and_best(p)[0]),
            "The sign is turned: the log of a probability is at most 0.",
        ),
        WrongAnswer(
            "variance",
            _typical(scatter=lambda p: _variances(p).sum()),
            "This is the variance; the standard deviation is its root.",
        ),
        WrongAnswer(
            "deviations-added",
            _typical(scatter=lambda p: np.sqrt(_variances(p)).sum()),
            "For independent pixels the variances add up, not the standard deviations.",
        ),
        WrongAnswer(
            "scatter-of-the-pixels",
            _typical(scatter=lambda p: np.std(p * np.log(p) + (1 - p) * np.log(1 - p))),
            "This is how much the pixels differ from each other; the scatter asked for is that of "
            "the sum, from one picture to the next.",
        ),
        WrongAnswer(
            "scatter-of-the-coins",
            _typical(scatter=lambda p: np.sqrt((p * (1 - p)).sum())),
            "This is the scatter of the number of white pixels; log p(x) changes by "
            "log p - log(1 - p) where a coin falls the other way.",
        ),
        WrongAnswer(
            "second-moment",
            _typical(
                scatter=lambda p: np.sqrt((p * np.log(p) ** 2 + (1 - p) * np.log1p(-p) ** 2).sum())
            ),
            "This is the root of the mean square; for a variance, subtract the square of the mean.",
        ),
        WrongAnswer(
            "mean-over-pixels",
            lambda p: tuple(value / len(p) for value in typical_and_best(p)),
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
            "product",
            _typical(best=_log_of_product),
            "With many pixels the product underflows, as in 1.5: sum the logs.",
        ),
        WrongAnswer(
            "probabilities",
            lambda p: tuple(np.exp(value) for value in typical_and_best(p)),
            "All three are of log p(x), in nats.",
        ),
        WrongAnswer(
            "order",
            lambda p: tuple(typical_and_best(p)[k] for k in (0, 2, 1)),
            "The results are in another order: the mean, the standard deviation, the largest.",
        ),
    ),
    hints=(
        "All are sums over the pixels, because log p(x) is: look at one pixel.",
        "A pixel is white with probability p, and its term is then log p; else it is log(1 - p). "
        "What are the mean and the variance of that? Both add up over independent pixels.",
        "The mean of a term is p log p + (1 - p) log(1 - p), its variance p (1 - p) times the "
        "square of log p - log(1 - p), its largest value log(max(p, 1 - p)).",
    ),
)

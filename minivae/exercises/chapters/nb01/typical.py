"""The scores that one story gives the pictures of another: mean and scatter."""

import numpy as np

from minivae.exercises.exercise import Exercise, WrongAnswer, call_for_results, stub


def score_under_another(p, q):
    """Mean and standard deviation of log q(x) over pictures x whose coins are p"""
    white, black = np.log(q), np.log(1 - q)
    mean = (p * white + (1 - p) * black).sum()
    variance = p * (1 - p) * (white - black) ** 2  # of each pixel: they add up
    return mean, np.sqrt(variance.sum())


def _typical_cases():
    rng = np.random.default_rng(18)
    return [
        (np.array([0.9, 0.7]), np.array([0.8, 0.4])),
        (np.array([0.2, 0.5, 0.6]), np.array([0.3, 0.1, 0.6])),
        (np.round(rng.uniform(0.02, 0.98, 7), 2), np.round(rng.uniform(0.02, 0.98, 7), 2)),
        (np.array([0.0, 1.0, 0.005, 0.3]), np.array([1e-9, 0.995, 0.7, 0.3])),
        (rng.uniform(0.005, 0.995, 784), rng.uniform(0.005, 0.995, 784)),
    ]


def _score(mean=None, scatter=None):
    """The right answer with one of its results replaced."""

    def wrong(p, q):
        right = score_under_another(p, q)
        return mean(p, q) if mean else right[0], scatter(p, q) if scatter else right[1]

    return wrong


def _variances(p, q):
    return p * (1 - p) * (np.log(q) - np.log(1 - q)) ** 2


def _terms(p, q):
    return p * np.log(q) + (1 - p) * np.log(1 - q)


def _loss(p, q):
    chances = np.stack([p, 1 - p])
    own = np.log(np.where(chances > 0, chances, 1.0))  # 0 log 0 is 0
    return (chances * own).sum() - _terms(p, q).sum()


TYPICAL = Exercise(
    id="01.typical",
    title="the score of one cat's photographs under another cat",
    stub=stub("""
        def score_under_another(p, q):    # p(white) of each pixel (D,): p throws the pictures, q
            ...                           # scores them. -> mean and standard deviation of
                                          # log q(x) over these pictures x, nats
    """),
    reference=score_under_another,
    cases=_typical_cases,
    observe=call_for_results(2),
    returns=("the mean", "the standard deviation"),
    mistakes=(
        WrongAnswer(
            "own-pictures",
            lambda p, q: score_under_another(q, q),
            "These are the scores of q's own pictures; the pictures are thrown with p.",
        ),
        WrongAnswer(
            "swapped",
            lambda p, q: score_under_another(q, p),
            "p and q are swapped: p throws the pictures, q scores them.",
        ),
        WrongAnswer(
            "loss",
            _score(mean=_loss),
            "This is how much q loses against p, on average; the mean of log q(x) was asked for.",
        ),
        WrongAnswer(
            "white-only",
            _score(mean=lambda p, q: (p * np.log(q)).sum()),
            "A pixel is black with probability 1 - p, and then its term is log(1 - q).",
        ),
        WrongAnswer(
            "all-pictures-alike",
            _score(mean=lambda p, q: (np.log(q) + np.log(1 - q)).sum() / 2),
            "You weigh white and black equally; the coins do not: white has the probability p.",
        ),
        WrongAnswer(
            "log-of-the-mean",
            _score(mean=lambda p, q: np.log(p * q + (1 - p) * (1 - q)).sum()),
            "This is the log of the mean of q(x); the mean of the logs was asked for.",
        ),
        WrongAnswer(
            "rounded",
            _score(mean=lambda p, q: np.log(np.where(p > 0.5, q, 1 - q)).sum()),
            "This is the score of p's rounded picture, in which no coin fell against the odds.",
        ),
        WrongAnswer(
            "sign",
            _score(mean=lambda p, q: -_terms(p, q).sum()),
            "The sign is turned: the log of a probability is at most 0.",
        ),
        WrongAnswer(
            "variance",
            _score(scatter=lambda p, q: _variances(p, q).sum()),
            "This is the variance; the standard deviation is its root.",
        ),
        WrongAnswer(
            "deviations-added",
            _score(scatter=lambda p, q: np.sqrt(_variances(p, q)).sum()),
            "For independent pixels the variances add up, not the standard deviations.",
        ),
        WrongAnswer(
            "scatter-of-the-pixels",
            _score(scatter=lambda p, q: np.std(_terms(p, q))),
            "This is how much the pixels differ from each other; the scatter asked for is that of "
            "the sum, from one picture to the next.",
        ),
        WrongAnswer(
            "scatter-of-the-coins",
            _score(scatter=lambda p, q: np.sqrt((p * (1 - p)).sum())),
            "This is the scatter of the number of white pixels; log q(x) changes by "
            "log q - log(1 - q) where a coin falls the other way.",
        ),
        WrongAnswer(
            "scatter-of-the-other-coins",
            _score(scatter=lambda p, q: np.sqrt(_variances(q, q).sum())),
            "The coins that scatter are p's: a pixel's variance has the factor p (1 - p).",
        ),
        WrongAnswer(
            "second-moment",
            _score(
                scatter=lambda p, q: np.sqrt(
                    (p * np.log(q) ** 2 + (1 - p) * np.log1p(-q) ** 2).sum()
                )
            ),
            "This is the root of the mean square; for a variance, subtract the square of the mean.",
        ),
        WrongAnswer(
            "mean-over-pixels",
            lambda p, q: tuple(value / len(p) for value in score_under_another(p, q)),
            "You average over the pixels; log q(x) is a sum over them, eq. (6).",
        ),
        WrongAnswer(
            "probabilities",
            lambda p, q: tuple(np.exp(value) for value in score_under_another(p, q)),
            "Both are of log q(x), in nats.",
        ),
        WrongAnswer(
            "order",
            lambda p, q: score_under_another(p, q)[::-1],
            "The results are in another order: first the mean, then the standard deviation.",
        ),
    ),
    hints=(
        "log q(x) is a sum over the pixels, and these are independent: look at one pixel.",
        "A pixel is white with probability p, and its term is then log q; else it is log(1 - q). "
        "What are the mean and the variance of that? Both add up over independent pixels.",
        "The mean of a term is p log q + (1 - p) log(1 - q), its variance p (1 - p) times the "
        "square of log q - log(1 - q).",
    ),
)

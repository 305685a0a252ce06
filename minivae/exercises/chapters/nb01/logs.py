"""Probabilities as logs: the sum of exponentials, and the likelihood of pictures."""

import numpy as np

from minivae.exercises.exercise import Exercise, WrongAnswer, call_for_arrays, stub


def log_sum_exp(a):
    """log sum_k exp(a_k), with the largest a_k taken out first"""
    top = a.max(axis=0)
    return top + np.log(np.exp(a - top).sum(axis=0))


# ---- 01.log-likelihood ---------------------------------------------------------------------------


def picture_log_likelihoods(x, p):
    """log p(x_n | z_b): the log of p where the pixel is white, of 1 - p where it is black"""
    of_pixel = np.where(x[:, None, :] == 1, p, 1 - p)
    with np.errstate(divide="ignore"):
        return np.log(of_pixel).sum(axis=2)


def _picture_cases():
    rng = np.random.default_rng(15)

    def pictures(n, d):
        return rng.integers(0, 2, (n, d)).astype(float)

    return [
        (np.array([[1.0, 0.0]]), np.array([[0.7, 0.6]])),
        (pictures(2, 4), np.round(rng.uniform(0.1, 0.9, (3, 4)), 2)),
        (np.array([[1.0, 0.0, 1.0]]), np.array([[1e-9, 1e-3, 0.5], [0.4, 0.3, 1 - 1e-9]])),
        (np.array([[1.0, 0.0], [0.0, 0.0]]), np.array([[1.0, 0.0], [0.4, 0.0]])),
        (pictures(3, 1100), rng.uniform(0.1, 0.9, (2, 1100))),
    ]


def _log_odds(x, p):
    return x @ np.log(p).T + (1 - x) @ np.log(1 - p).T


LOG_LIKELIHOOD = Exercise(
    id="01.log-likelihood",
    title="every picture under every z",
    stub=stub("""
        def picture_log_likelihoods(x, p):    # x (N, D) of 0 and 1, p (B, D) in [0, 1] for B z
            ...                               # -> log p(x_n|z_b) (N, B), nats; impossible: -inf
    """),
    reference=picture_log_likelihoods,
    cases=_picture_cases,
    observe=call_for_arrays,
    mistakes=(
        WrongAnswer(
            "zero-times-log-zero",
            _log_odds,
            "Where p is 0 or 1, the term that should drop out is 0 times log 0, which is NaN.",
        ),
        WrongAnswer(
            "product",
            lambda x, p: np.log(np.where(x[:, None, :] == 1, p, 1 - p).prod(axis=2)),
            "The product over the pixels underflows to 0 before its log is taken: sum the logs.",
        ),
        WrongAnswer(
            "small-number-inside",
            lambda x, p: x @ np.log(p + 1e-8).T + (1 - x) @ np.log(1 - p + 1e-8).T,
            "A small number inside the log gives an impossible picture a probability, and "
            "changes that of a rare one.",
        ),
        WrongAnswer(
            "clipped",
            lambda x, p: _log_odds(x, np.clip(p, 1e-7, 1 - 1e-7)),
            "p is clipped: an impossible picture must get -inf, and a rare one its own value.",
        ),
        WrongAnswer(
            "black-forgotten",
            lambda x, p: np.where(x[:, None, :] == 1, np.log(p), 0).sum(axis=2),
            "Black pixels count too, with the probability 1 - p.",
        ),
        WrongAnswer(
            "swapped",
            lambda x, p: picture_log_likelihoods(1 - x, p),
            "p is the probability of white: it belongs to the pixels where x is 1.",
        ),
        WrongAnswer(
            "mean",
            lambda x, p: picture_log_likelihoods(x, p) / x.shape[1],
            "The probabilities of all pixels multiply, so their logs are summed, not averaged.",
        ),
        WrongAnswer(
            "sign",
            lambda x, p: -picture_log_likelihoods(x, p),
            "This is -log p(x|z); the log of a probability is at most 0.",
        ),
        WrongAnswer(
            "transposed",
            lambda x, p: picture_log_likelihoods(x, p).T,
            "The rows of the result are the pictures, its columns the z.",
        ),
        WrongAnswer(
            "row-by-row",
            lambda x, p: np.log(np.where(x == 1, p, 1 - p)).sum(axis=1),
            "You pair picture n with z number n; every picture meets every z.",
        ),
    ),
    hints=(
        "One picture and one z first: which probability does each pixel have?",
        "x[:, None, :] has shape (N, 1, D) and meets p (B, D) in (N, B, D).",
        "np.log(np.where(x[:, None, :] == 1, p, 1 - p)).sum(axis=2): the case that does not occur "
        "is not computed.",
    ),
)

"""Estimates of log p(x) from samples: of the prior, and of q."""

import numpy as np

from minivae.exercises.chapters.nb01.logs import log_sum_exp
from minivae.exercises.exercise import Exercise, WrongAnswer, generic, stub

# ---- 02.log-evidence -----------------------------------------------------------------------------


def log_evidence_estimate(log_likelihood):
    """log (1/K sum_k p(x|z_k)),  z_k ~ p(z)"""
    K = len(log_likelihood)
    top = log_likelihood.max(axis=0)
    return top + np.log(np.exp(log_likelihood - top).sum(axis=0)) - np.log(K)


def _log_likelihood_cases():
    rng = np.random.default_rng(2)
    return [
        (np.array([[-0.5], [-1.3], [-0.2]]),),
        (generic(rng, 5, 3) - 3,),
        (generic(rng, 5, 3) - 1000,),
    ]


LOG_EVIDENCE = Exercise(
    id="02.log-evidence",
    title="naive Monte Carlo for log p(x)",
    stub=stub("""
        def log_evidence_estimate(log_likelihood):    # log p(x|z_k) at z_k ~ p(z): (K, B)
            ...                                       # -> log of the estimate of p(x): (B,)
    """),
    reference=log_evidence_estimate,
    cases=_log_likelihood_cases,
    mistakes=(
        WrongAnswer(
            "log-k-forgotten",
            log_sum_exp,
            "log K is not subtracted: the mean of the samples estimates p(x), not their sum.",
        ),
        WrongAnswer(
            "mean-of-logs",
            lambda a: a.mean(axis=0),
            "The mean of the logs is not the log of the mean: this estimates E log p(x|z), "
            "which is lower (Jensen).",
        ),
        WrongAnswer(
            "naive",
            lambda a: np.log(np.exp(a).mean(axis=0)),
            "exp(-1000) is 0.0: subtract the largest term before exp.",
        ),
        WrongAnswer(
            "log-k-added",
            lambda a: log_sum_exp(a) + np.log(len(a)),
            "You add log K; a mean divides by K, so its log is smaller by log K.",
        ),
        WrongAnswer(
            "divided-by-k",
            lambda a: log_sum_exp(a) / len(a),
            "You divide the log by K; dividing p by K subtracts log K from its log.",
        ),
        WrongAnswer(
            "over-images",
            lambda a: log_sum_exp(a.T) - np.log(a.shape[1]),
            "You average over the images; the samples are along axis 0.",
        ),
        WrongAnswer(
            "log-b",
            lambda a: log_sum_exp(a) - np.log(a.shape[1]),
            "You subtract log B, for the number of images; the mean is over the K samples.",
        ),
        WrongAnswer(
            "best",
            lambda a: a.max(axis=0),
            "You take only the best sample; p(x) is the mean over all of them.",
        ),
    ),
    hints=(
        "p(x) is the mean of p(x|z) over the prior. You have its logs.",
        "This is the log of a mean of exponentials: log-sum-exp, then the factor 1/K.",
        "log_sum_exp(log_likelihood) - np.log(K).",
    ),
)

# ---- 02.importance -------------------------------------------------------------------------------


def importance_estimate(log_joint, log_q):
    """log (1/K sum_k p(x, z_k) / q(z_k)),  z_k ~ q"""
    log_w = log_joint - log_q
    top = log_w.max(axis=0)
    return top + np.log(np.exp(log_w - top).mean(axis=0))


def _importance_cases():
    rng = np.random.default_rng(22)
    return [
        (np.array([[-1.5], [-2.3]]), np.array([[-0.7], [-0.4]])),
        (generic(rng, 5, 3) - 4, generic(rng, 5, 3) - 1),
        (generic(rng, 5, 3) - 1000, generic(rng, 5, 3) - 30),
    ]


def _log_mean_exp(a):
    return log_sum_exp(a) - np.log(len(a))


IMPORTANCE = Exercise(
    id="02.importance",
    title="importance sampling for log p(x)",
    stub=stub("""
        def importance_estimate(log_joint, log_q):    # log p(x, z_k), log q(z_k) at z_k ~ q: (K, B)
            ...                                       # -> the estimate of log p(x): (B,)
    """),
    reference=importance_estimate,
    cases=_importance_cases,
    mistakes=(
        WrongAnswer(
            "q-forgotten",
            lambda log_joint, log_q: _log_mean_exp(log_joint),
            "You do not divide by q: a z that q draws often then counts too often.",
        ),
        WrongAnswer(
            "ratio-reversed",
            lambda log_joint, log_q: _log_mean_exp(log_q - log_joint),
            "The ratio is upside down: it is p(x, z) / q(z).",
        ),
        WrongAnswer(
            "q-multiplied",
            lambda log_joint, log_q: _log_mean_exp(log_joint + log_q),
            "You multiply by q; divide by it.",
        ),
        WrongAnswer(
            "log-k-forgotten",
            lambda log_joint, log_q: log_sum_exp(log_joint - log_q),
            "log K is not subtracted: the estimate is the mean of the weights, not their sum.",
        ),
        WrongAnswer(
            "elbo",
            lambda log_joint, log_q: (log_joint - log_q).mean(axis=0),
            "This is the mean of the log weights, which estimates the ELBO; the exercise asks for "
            "the log of the mean weight.",
        ),
        WrongAnswer(
            "naive",
            lambda log_joint, log_q: np.log(np.exp(log_joint - log_q).mean(axis=0)),
            "exp(-970) is 0.0: subtract the largest log weight before exp.",
        ),
        WrongAnswer(
            "self-normalised",
            lambda log_joint, log_q: log_sum_exp(log_joint) - log_sum_exp(log_q),
            "A ratio of sums is not the mean of the ratios: divide each sample by its own q.",
        ),
        WrongAnswer(
            "over-images",
            lambda log_joint, log_q: _log_mean_exp((log_joint - log_q).T),
            "You average over the images; the samples are along axis 0.",
        ),
    ),
    hints=(
        "p(x) is the mean over q of p(x, z) / q(z). You have the logs of these weights' parts.",
        "log w = log_joint - log_q; then the log of their mean.",
        "log_sum_exp(log_joint - log_q) - np.log(K).",
    ),
)

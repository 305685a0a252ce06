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
            "log K is not subtracted: p(x) is estimated by the mean, not by the sum.",
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
            "exp(-1000) is 0.0: take the largest term out before exp.",
        ),
        WrongAnswer(
            "log-k-added",
            lambda a: log_sum_exp(a) + np.log(len(a)),
            "log K is added; a mean divides by K.",
        ),
        WrongAnswer(
            "divided-by-k",
            lambda a: log_sum_exp(a) / len(a),
            "The log is divided by K; dividing p by K subtracts log K from its log.",
        ),
        WrongAnswer(
            "over-images",
            lambda a: log_sum_exp(a.T) - np.log(a.shape[1]),
            "Averaged over the images; the samples lie along axis 0.",
        ),
        WrongAnswer(
            "log-b",
            lambda a: log_sum_exp(a) - np.log(a.shape[1]),
            "log B is subtracted, the number of images; the mean is over the K samples.",
        ),
        WrongAnswer(
            "best",
            lambda a: a.max(axis=0),
            "The best sample alone; p(x) is the mean over all.",
        ),
    ),
    hints=(
        "p(x) is the mean of p(x|z) over the prior. You have its logs.",
        "The log of a mean of exponentials: log-sum-exp, and then the 1/K.",
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
            "q is not divided out: samples that q draws often would count too often.",
        ),
        WrongAnswer(
            "ratio-reversed",
            lambda log_joint, log_q: _log_mean_exp(log_q - log_joint),
            "The ratio is upside down: p(x, z) / q(z).",
        ),
        WrongAnswer(
            "q-multiplied",
            lambda log_joint, log_q: _log_mean_exp(log_joint + log_q),
            "q is multiplied in; it is divided out.",
        ),
        WrongAnswer(
            "log-k-forgotten",
            lambda log_joint, log_q: log_sum_exp(log_joint - log_q),
            "log K is not subtracted: the weights are averaged.",
        ),
        WrongAnswer(
            "elbo",
            lambda log_joint, log_q: (log_joint - log_q).mean(axis=0),
            "The mean of the log weights: that is the ELBO, a bound and not this estimate.",
        ),
        WrongAnswer(
            "naive",
            lambda log_joint, log_q: np.log(np.exp(log_joint - log_q).mean(axis=0)),
            "exp(-970) is 0.0: take the largest weight out before exp.",
        ),
        WrongAnswer(
            "self-normalised",
            lambda log_joint, log_q: log_sum_exp(log_joint) - log_sum_exp(log_q),
            "A ratio of sums is not the mean of the ratios: divide each sample by its own q.",
        ),
        WrongAnswer(
            "over-images",
            lambda log_joint, log_q: _log_mean_exp((log_joint - log_q).T),
            "Averaged over the images; the samples lie along axis 0.",
        ),
    ),
    hints=(
        "p(x) = E over q of p(x, z) / q(z). The weights come as logs.",
        "log w = log_joint - log_q; then the log of their mean.",
        "log_sum_exp(log_joint - log_q) - np.log(K).",
    ),
)

"""Estimates of log p(x): one with a bug, and how far below log p(x) K samples leave the bound."""

import inspect

import numpy as np

from minivae.exercises.chapters.nb01 import log_sum_exp
from minivae.exercises.exercise import Exercise, WrongAnswer, generic, stub

# Nats below the others' weights. Only the largest can be taken out: exp of a weight that is so
# much larger than the first, the middle or the mean one would be inf.
FAR = np.array([1900, 0, 1800, 0, 2000, 1700])

# ---- 09.too-low ----------------------------------------------------------------------------------


def wide_estimate(log_joint, logvar, eps, widen):
    # log p(x, z_k) at z_k = mu + widen * sigma * eps_k: (K,), (L,), (K, L), a number -> log p(x)
    log_q = -0.5 * (eps**2 + logvar + np.log(2 * np.pi)).sum(axis=1)
    log_w = log_joint - log_q
    return log_w.max() + np.log(np.exp(log_w - log_w.max()).mean())


def mended_estimate(log_joint, logvar, eps, widen):
    # The samples come from a normal of standard deviation widen * sigma: its density has that too.
    log_q = -0.5 * (eps**2 + logvar + 2 * np.log(widen) + np.log(2 * np.pi)).sum(axis=1)
    log_w = log_joint - log_q
    return log_w.max() + np.log(np.exp(log_w - log_w.max()).mean())


def _log_mean(log_w):
    return log_sum_exp(log_w) - np.log(len(log_w))


def _with_log_q(log_q):
    """The estimate, with another log density of the proposal: a function of logvar, eps, widen."""
    two_pi = np.log(2 * np.pi)

    def estimate(log_joint, logvar, eps, widen):
        return _log_mean(log_joint + 0.5 * (log_q(logvar, eps, widen) + two_pi).sum(axis=1))

    return estimate


def _wide_cases():
    rng = np.random.default_rng(95)
    return [
        (np.array([-3.2, -2.1]), np.array([0.4]), np.array([[0.7], [-1.2]]), 1.5),
        (generic(rng, 5) - 90, generic(rng, 2), generic(rng, 5, 2), 2.0),
        (generic(rng, 6) - 1000 - FAR, generic(rng, 3), generic(rng, 6, 3), 1.3),
    ]


TOO_LOW = Exercise(
    id="09.too-low",
    title="find the bug: an estimate of log p(x) that more samples do not cure",
    stub=inspect.getsource(wide_estimate).rstrip(),
    reference=mended_estimate,
    given=wide_estimate,
    cases=_wide_cases,
    mistakes=(
        WrongAnswer(
            "the-narrow-density",
            _with_log_q(lambda logvar, eps, widen: (widen * eps) ** 2 + logvar),
            "This is the density of the q that was not widened. A weight divides by the density "
            "that the sample was drawn from.",
        ),
        WrongAnswer(
            "widened-twice",
            _with_log_q(lambda logvar, eps, widen: (widen * eps) ** 2 + logvar + 2 * np.log(widen)),
            "log widen is right, but (z - mu) / (widen sigma) is eps: the square had no bug.",
        ),
        WrongAnswer(
            "narrowed-density",
            _with_log_q(lambda logvar, eps, widen: eps**2 + logvar - 2 * np.log(widen)),
            "The sign of log widen is wrong: a wider density is lower.",
        ),
        WrongAnswer(
            "half-of-log-widen",
            _with_log_q(lambda logvar, eps, widen: eps**2 + logvar + np.log(widen)),
            "widen multiplies sigma, so logvar, the log of the variance, grows by 2 log widen.",
        ),
        WrongAnswer(
            "widen-for-its-log",
            _with_log_q(lambda logvar, eps, widen: eps**2 + widen**2 * logvar),
            "sigma is multiplied by widen; its logarithm grows by log widen.",
        ),
        WrongAnswer(
            "one-latent",
            lambda j, v, eps, widen: wide_estimate(j, v, eps, widen) + np.log(widen),
            "log widen is counted once; every latent is widened.",
        ),
        WrongAnswer(
            "two-latents",
            lambda j, v, eps, widen: wide_estimate(j, v, eps, widen) + 2 * np.log(widen),
            "This is right for two latents only.",
        ),
        WrongAnswer(
            "widen-two",
            lambda j, v, eps, widen: wide_estimate(j, v, eps, widen) + len(v) * np.log(2),
            "This is right for widen = 2 only.",
        ),
        WrongAnswer(
            "mean-of-logs",
            lambda j, v, eps, widen: (
                j + 0.5 * (eps**2 + v + 2 * np.log(widen) + np.log(2 * np.pi)).sum(axis=1)
            ).mean(),
            "The density is right now, but this is the mean of the log weights, the ELBO.",
        ),
    ),
    hints=(
        "Off by the same on every image and at every K: is the error in the samples, or in a "
        "constant?",
        "Which density were the samples drawn from? Write its log with z - mu = widen sigma eps.",
        "Its standard deviation is widen sigma, so logvar + 2 log widen stands in for logvar.",
    ),
)

# ---- 09.missing-nats -----------------------------------------------------------------------------


def missing_nats(log_w, K):
    """log p - E log(mean of K w) = -E log(1 + d) ~ E[d^2] / 2 = Var(w / p) / (2 K)"""
    w = np.exp(log_w - log_w.max(axis=0))
    return (w / w.mean(axis=0)).var(axis=0) / (2 * K)


def _missing_cases():
    rng = np.random.default_rng(91)
    return [
        (np.array([[-1.5], [-2.3]]), 10),
        (generic(rng, 5, 3) - 4, 25),
        (generic(rng, 7, 2) - 1000, 400),
        (generic(rng, 6, 3) - [0, 1000, 2000], 50),  # each image needs its own maximum
        (generic(rng, 6, 2) - 1000 - FAR[:, None], 30),
    ]


def _relative(log_w):
    w = np.exp(log_w - log_w.max(axis=0))
    return w / w.mean(axis=0)


def _naive_missing(log_w, K):
    w = np.exp(log_w)
    with np.errstate(invalid="ignore"):
        return (w / w.mean(axis=0)).var(axis=0) / (2 * K)


def _one_maximum(log_w, K):
    return _naive_missing(log_w - log_w.max(), K)


MISSING_NATS = Exercise(
    id="09.missing-nats",
    title="how far below log p(x) the bound with K samples stays",
    stub=stub("""
        def missing_nats(log_w, K):    # log weights of a pilot run (n, B); the K that is planned
            ...    # -> log p(x) - IW-ELBO_K for a large K, nats (B,), with np.var of the pilot run
    """),
    reference=missing_nats,
    cases=_missing_cases,
    mistakes=(
        WrongAnswer(
            "half-lost",
            lambda log_w, K: 2 * missing_nats(log_w, K),
            "Twice too much: log(1 + d) = d - d^2 / 2 + ...",
        ),
        WrongAnswer(
            "one-sample",
            lambda log_w, K: K * missing_nats(log_w, K),
            "This is for one weight; the mean of K weights has a K-th of the variance.",
        ),
        WrongAnswer(
            "pilot-size",
            lambda log_w, K: missing_nats(log_w, len(log_w)),
            "You divide by n, the pilot run's samples; K are planned.",
        ),
        WrongAnswer(
            "sign",
            lambda log_w, K: -missing_nats(log_w, K),
            "The bound lies below log p(x): what is missing is positive.",
        ),
        WrongAnswer(
            "standard-error",
            lambda log_w, K: _relative(log_w).std(axis=0) / np.sqrt(K),
            "This is how far the estimate scatters; asked is how far its mean is off.",
        ),
        WrongAnswer(
            "deviation-for-variance",
            lambda log_w, K: _relative(log_w).std(axis=0) / (2 * K),
            "The second term of the logarithm has the square of the deviation: the variance.",
        ),
        WrongAnswer(
            "absolute-variance",
            lambda log_w, K: np.exp(log_w).var(axis=0) / (2 * K),
            "The variance is that of w / p(x): divide the weights by their mean first.",
        ),
        WrongAnswer(
            "relative-to-the-largest",
            lambda log_w, K: np.exp(log_w - log_w.max(axis=0)).var(axis=0) / (2 * K),
            "The weights are divided by the largest; p(x) is their mean.",
        ),
        WrongAnswer(
            "of-the-logs",
            lambda log_w, K: log_w.var(axis=0) / (2 * K),
            "This is the variance of the log weights. What is averaged before the log are the "
            "weights.",
        ),
        WrongAnswer(
            "mean-not-taken-off",
            lambda log_w, K: (_relative(log_w) ** 2).mean(axis=0) / (2 * K),
            "This is the mean of (w / p)^2; the variance is that minus 1.",
        ),
        WrongAnswer(
            "naive",
            _naive_missing,
            "exp(-1000) is 0.0, and 0 / 0 is NaN: a common factor cancels, so subtract the "
            "largest first.",
        ),
        WrongAnswer(
            "one-maximum",
            _one_maximum,
            "One maximum for all images: those that lie 1000 nats lower become 0 / 0. Each image "
            "needs its own, log_w.max(axis=0).",
        ),
        WrongAnswer(
            "one-degree-of-freedom-less",
            lambda log_w, K: missing_nats(log_w, K) * len(log_w) / (len(log_w) - 1),
            "The variance divides by n - 1 here (ddof=1). The task asks for np.var, which divides "
            "by n.",
        ),
        WrongAnswer(
            "over-images",
            lambda log_w, K: missing_nats(log_w.T, K),
            "This goes over the images; the samples are along axis 0.",
        ),
    ),
    hints=(
        "Write the mean of K weights as p(x) (1 + d). What are the mean and the variance of d?",
        "log(1 + d) is about d - d^2 / 2, and d is 0 on average: E[d^2] / 2 is missing.",
        "E[d^2] = Var(w / p) / K. Take w / w.mean(axis=0) for w / p, and np.var over axis 0.",
    ),
)

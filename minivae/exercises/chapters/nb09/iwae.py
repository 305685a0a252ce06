"""The importance-weighted bound and its gradient."""

import numpy as np

from minivae.exercises.chapters.nb01 import log_sum_exp
from minivae.exercises.exercise import Exercise, WrongAnswer, generic, planted, stub

# ---- 09.iw-bound ---------------------------------------------------------------------------------


def iw_bound(log_w):
    """log (1/K sum_k w_k)                                          [notebook 09, eq. 2]"""
    top = log_w.max(axis=0)
    return top + np.log(np.exp(log_w - top).mean(axis=0))


def log_weight_cases() -> list[tuple[np.ndarray]]:
    """log w (K, B), for the exercises that take it; in the last case every exp(log w) is 0.0."""
    rng = np.random.default_rng(91)
    return [
        (np.array([[-1.5], [-2.3]]),),
        (generic(rng, 5, 3) - 4,),
        (generic(rng, 5, 3) - 1000,),
    ]


def _package_bound(vae):
    def own(log_w):
        each = [log_w[:, [b]] for b in range(log_w.shape[1])]
        return np.array([-vae.iwae_loss(-w, np.zeros_like(w))[0].loss for w in each])

    return own


IW_BOUND = Exercise(
    id="09.iw-bound",
    title="the importance-weighted bound",
    stub=stub("""
        def iw_bound(log_w):    # (K, B) -> (B,): log of the mean weight
            ...
    """),
    reference=iw_bound,
    cases=log_weight_cases,
    package=_package_bound,
    module="vae",
    mistakes=(
        *planted(_package_bound, "iwae-log-k-lost", "iwae-mean-of-logs"),
        WrongAnswer(
            "naive",
            lambda log_w: np.log(np.exp(log_w).mean(axis=0)),
            "exp(-1000) is 0.0: subtract the largest before exp and add it back after log.",
        ),
        WrongAnswer(
            "over-images",
            lambda log_w: log_sum_exp(log_w.T) - np.log(log_w.shape[1]),
            "This averages over the images; the samples are along axis 0.",
        ),
        WrongAnswer(
            "batch-mean",
            lambda log_w: iw_bound(log_w).mean(),
            "This averages over the images; keep one bound for each.",
        ),
        WrongAnswer(
            "best-sample",
            lambda log_w: log_w.max(axis=0),
            "The best sample alone is no lower bound: with K large it exceeds log p(x).",
        ),
        WrongAnswer(
            "best-over-k",
            lambda log_w: log_w.max(axis=0) - np.log(len(log_w)),
            "This is a bound, but it leaves out all samples except the best.",
        ),
        WrongAnswer(
            "log-b",
            lambda log_w: log_sum_exp(log_w) - np.log(log_w.shape[1]),
            "log B is subtracted; the mean is over the K samples, so subtract log K.",
        ),
        WrongAnswer(
            "sign",
            lambda log_w: -iw_bound(log_w),
            "The sign is wrong: this is the loss, -bound.",
        ),
    ),
    hints=(
        "It is the log of a mean of weights, of which only the logs are given.",
        "Log-sum-exp over axis 0, minus log K.",
        "top = log_w.max(axis=0); top + np.log(np.exp(log_w - top).mean(axis=0)).",
    ),
)

# ---- 09.iwae-backward ----------------------------------------------------------------------------


def iwae_weights(log_w):
    """w_k / sum of w over the samples of the same image: a softmax over K"""
    w = np.exp(log_w - log_w.max(axis=0))
    return w / w.sum(axis=0)


def _package_weights(vae):
    return lambda log_w: vae.iwae_loss(-log_w, np.zeros_like(log_w))[1]


def iwae_backward(log_w):
    """d loss / d log w_kb = -softmax_k(log w)_kb / B               [notebook 09, eq. 3]"""
    w = np.exp(log_w - log_w.max(axis=0))
    return -w / w.sum(axis=0) / log_w.shape[1]


def _package_backward(vae):
    return lambda log_w: -_package_weights(vae)(log_w) / log_w.shape[1]


IWAE_BACKWARD = Exercise(
    id="09.iwae-backward",
    title="the gradient of the IWAE loss with respect to the log weights",
    stub=stub("""
        def iwae_backward(log_w):    # (K, B); loss = -mean over B of log (1/K sum over K of w)
            ...                      # -> d loss / d log w, (K, B)
    """),
    reference=iwae_backward,
    cases=log_weight_cases,
    package=_package_backward,
    module="vae",
    mistakes=(
        *planted(
            _package_backward,
            "iwae-plain-average-of-gradients",
            "iwae-softmax-over-batch",
            "iwae-softmax-sign",
        ),
        WrongAnswer(
            "sign",
            lambda log_w: iwae_weights(log_w) / log_w.shape[1],
            "The loss is minus the bound: the gradient is negative.",
        ),
        WrongAnswer(
            "batch-forgotten",
            lambda log_w: -iwae_weights(log_w),
            "The 1/B of the mean over images is missing.",
        ),
        WrongAnswer(
            "over-k",
            lambda log_w: -iwae_weights(log_w) / len(log_w),
            "This divides by K, but the 1/K inside the log cancels.",
        ),
        WrongAnswer(
            "over-both",
            lambda log_w: -iwae_weights(log_w) / log_w.size,
            "This divides by K too, but the 1/K inside the log cancels.",
        ),
        WrongAnswer(
            "by-w",
            lambda log_w: -1 / np.exp(log_w).sum(axis=0) / log_w.shape[1] + 0 * log_w,
            "This is the derivative with respect to w; with respect to log w it is that times w.",
        ),
        WrongAnswer(
            "centred",
            lambda log_w: -(iwae_weights(log_w) - 1 / len(log_w)) / log_w.shape[1],
            "1/K is subtracted: that leaves the difference from the ELBO's gradient.",
        ),
    ),
    hints=(
        "d log sum exp(a) / d a_k is a familiar function.",
        "It is the softmax; then the sign of the loss and the mean over the images.",
        "-softmax over axis 0, divided by B.",
    ),
)

"""Estimates of log p(x) from samples of q, and how many of them it takes."""

import numpy as np

from minivae.exercises.chapters.nb01.logs import log_sum_exp
from minivae.exercises.exercise import Exercise, WrongAnswer, generic, stub

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
        (np.array([[-1000.0, -1000.0], [-1003.1, 1000.0]]), np.array([[-1.2, -0.4], [-2.5, -0.7]])),
    ]


def _shifted(a, top):
    """log mean exp(a) by way of `top`, which should be the maximum of each column."""
    return top + np.log(np.exp(a - top).mean(axis=0))


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
            "one-maximum",
            lambda log_joint, log_q: _shifted(log_joint - log_q, (log_joint - log_q).max()),
            "You subtract one maximum for all columns: where a column lies far below it, exp "
            "underflows. Each column needs its own, max(axis=0).",
        ),
        WrongAnswer(
            "first-row",
            lambda log_joint, log_q: _shifted(log_joint - log_q, (log_joint - log_q)[0]),
            "What you subtract is not the largest of its column: another sample is larger by 1000 "
            "nats or more, and exp overflows. Subtract each column's maximum.",
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

# ---- 02.draws ------------------------------------------------------------------------------------


def draws_needed(prior, likelihood):
    """exp KL(p(z|x) || p(z))"""
    joint = prior * likelihood
    posterior = joint / joint.sum()
    seen = posterior > 0
    return float(np.exp((posterior[seen] * np.log(posterior[seen] / prior[seen])).sum()))


def _draws_cases():
    return [
        (np.array([0.8, 0.2]), np.array([0.05, 0.9])),
        (np.array([0.45, 0.3, 0.2, 0.05]), np.array([0.02, 0.3, 0.07, 0.81])),
        (np.array([0.5, 0.3, 0.15, 0.05]), np.array([0.0, 0.02, 0.0, 0.9])),
    ]


def _from_posterior(change):
    """A wrong answer from the prior and the right posterior."""

    def wrong(prior, likelihood):
        joint = prior * likelihood
        return float(change(prior, joint / joint.sum()))

    return wrong


def _kl(q, p):
    with np.errstate(divide="ignore"):
        return (q[q > 0] * np.log(q[q > 0] / p[q > 0])).sum()


DRAWS = Exercise(
    id="02.draws",
    title="how many draws from the prior a posterior asks for",
    stub=stub("""
        def draws_needed(prior, likelihood):    # p(z) (Z,), above 0; p(x|z) for this x (Z,)
            ...                                 # -> about how many draws of the prior: one float
    """),
    reference=draws_needed,
    cases=_draws_cases,
    mistakes=(
        WrongAnswer(
            "reversed",
            _from_posterior(lambda prior, posterior: np.exp(_kl(prior, posterior))),
            "This averages over the prior. What counts is the average over the posterior, where "
            "the draws are needed.",
        ),
        WrongAnswer(
            "nats",
            _from_posterior(lambda prior, posterior: _kl(posterior, prior)),
            "This is the KL, in nats; the number of draws is its exponential.",
        ),
        WrongAnswer(
            "not-normalised",
            lambda prior, likelihood: float(np.exp(_kl(prior * likelihood, prior))),
            "You use p(x, z) in the place of the posterior: divide it by p(x).",
        ),
        WrongAnswer(
            "prior-forgotten",
            lambda prior, likelihood: float(np.exp(_kl(likelihood / likelihood.sum(), prior))),
            "The posterior is p(z) p(x|z) / p(x); here the prior is left out of it.",
        ),
        WrongAnswer(
            "zero-times-log-zero",
            _from_posterior(
                lambda prior, posterior: np.exp((posterior * np.log(posterior / prior)).sum())
            ),
            "Where p(x|z) is 0 the posterior is 0, and 0 * log 0 is NaN: leave those z out.",
        ),
        WrongAnswer(
            "second-moment",
            _from_posterior(lambda prior, posterior: (posterior**2 / prior).sum()),
            "This is the posterior's average of the ratio p(z|x) / p(z); the KL averages its log.",
        ),
        WrongAnswer(
            "largest-ratio",
            _from_posterior(lambda prior, posterior: (posterior / prior).max()),
            "This is the largest ratio p(z|x) / p(z); the KL averages its log over the posterior.",
        ),
        WrongAnswer(
            "one-over-evidence",
            lambda prior, likelihood: float(1 / (prior @ likelihood)),
            "1 / p(x) is how many pairs of z and x one draws until this x comes up. Here x is "
            "given, and only z is drawn.",
        ),
    ),
    hints=(
        "First the posterior, by Bayes' rule. Then how far it is from the prior, in nats.",
        "About exp KL(p(z|x) || p(z)): the KL averages log p(z|x) / p(z) over the posterior.",
        "Leave out the z whose posterior is 0, and do not forget np.exp around the sum.",
    ),
)

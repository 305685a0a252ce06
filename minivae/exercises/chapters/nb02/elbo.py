"""A bug in the mean ELBO of several x."""

import inspect

import numpy as np

from minivae.exercises.exercise import Exercise, WrongAnswer


def _cases():
    rng = np.random.default_rng(24)
    q = np.array([[0.6, 0.3, 0.1], [0.15, 0.25, 0.6], [0.2, 0.7, 0.1], [0.05, 0.5, 0.45]])
    return [
        (
            np.array([[0.8, 0.2], [0.3, 0.7]]),
            np.array([0.4, 0.6]),
            np.array([[0.9, 0.2], [0.25, 0.6]]),
        ),
        (q, np.array([0.5, 0.15, 0.35]), np.round(rng.uniform(0.05, 0.9, (4, 3)), 2)),
    ]


def repo_mean_elbo(q, prior, likelihood):  # q(z|x_n), p(x_n|z): (N, Z); p(z): (Z,)
    # "Mean over n: how well the causes explain x_n, minus how far q is from the prior."
    # It is right for one x. For several it may lie above the mean of log p(x_n).
    fit = (q * np.log(likelihood)).sum(axis=1).mean()
    q = q.mean(axis=0)
    kl = (q * np.log(q / prior)).sum()
    return fit - kl


def mended_mean_elbo(q, prior, likelihood):
    # The mean of the KLs is asked for. The KL of the mean q is smaller, by Jensen.
    fit = (q * np.log(likelihood)).sum(axis=1).mean()
    kl = (q * np.log(q / prior)).sum(axis=1).mean()
    return fit - kl


def _fit(q, likelihood):
    return (q * np.log(likelihood)).sum(axis=1).mean()


def _kl(q, prior):
    return (q * np.log(q / prior)).sum(axis=1).mean()


def _log_px(prior, likelihood):
    return np.log(likelihood @ prior).mean()


BUG = Exercise(
    id="02.batch-bug",
    title="find the bug: a lower bound that lies above log p(x)",
    stub=inspect.getsource(repo_mean_elbo).rstrip(),
    reference=mended_mean_elbo,
    given=repo_mean_elbo,
    cases=_cases,
    mistakes=(
        WrongAnswer(
            "kl-summed",
            lambda q, p, l: _fit(q, l) - len(q) * _kl(q, p),
            "Each x_n has its own KL now, but they are added up; the fit is a mean over n.",
        ),
        WrongAnswer(
            "both-summed",
            lambda q, p, l: len(q) * (_fit(q, l) - _kl(q, p)),
            "This is the sum of the ELBOs of all x_n; the comment asks for their mean.",
        ),
        WrongAnswer(
            "kl-of-each-z",
            lambda q, p, l: _fit(q, l) - (q * np.log(q / p)).mean(),
            "The mean is over n only: over z the KL is a sum.",
        ),
        WrongAnswer(
            "fit-of-the-mean-too",
            lambda q, p, l: (
                (q.mean(axis=0) * np.log(l)).sum(axis=1).mean()
                - (q.mean(axis=0) * np.log(q.mean(axis=0) / p)).sum()
            ),
            "Now the fit has the mean q too. That is a bound, that of an encoder which gives every "
            "x the same q, but not the ELBO of this one.",
        ),
        WrongAnswer(
            "fit-of-sums",
            lambda q, p, l: np.log((q * l).sum(axis=1)).mean() - _kl(q, p),
            "The KL is mended, but the fit was right: it is the average of the log, not the log "
            "of the average.",
        ),
        WrongAnswer(
            "only-the-log-moved",
            lambda q, p, l: _fit(q, l) - (q.mean(axis=0) * np.log(q / p).mean(axis=0)).sum(),
            "You average q and the log ratio over n separately. The KL of x_n has its own q in "
            "both places.",
        ),
        WrongAnswer(
            "kl-added",
            lambda q, p, l: _fit(q, l) + _kl(q, p),
            "The KLs are right now, but the sign was right before: they are subtracted.",
        ),
        WrongAnswer(
            "kl-reversed",
            lambda q, p, l: _fit(q, l) - (p * np.log(p / q)).sum(axis=1).mean(),
            "Each x_n has its own KL now, but in the other direction: the average is over q.",
        ),
        WrongAnswer(
            "kl-forgotten",
            lambda q, p, l: _fit(q, l),
            "This is the fit alone; the KL to the prior is still to be subtracted.",
        ),
        WrongAnswer(
            "evidence",
            lambda q, p, l: _log_px(p, l) - _kl(q, p),
            "log p(x) goes with the KL to the posterior, eq. (4). With the KL to the prior goes "
            "E_q log p(x|z), eq. (5).",
        ),
        WrongAnswer(
            "clipped",
            lambda q, p, l: min(repo_mean_elbo(q, p, l), _log_px(p, l)),
            "Cutting it off at log p(x) hides the mistake, and log p(x) is not known in practice. "
            "Which of the two terms is not a mean over n?",
        ),
    ),
    hints=(
        "For which of the two terms does it matter whether one averages over n first?",
        "The fit is linear in q, the KL is not: the KL of the mean q is at most the mean of the "
        "KLs. So the code subtracts too little.",
        "kl = (q * np.log(q / prior)).sum(axis=1).mean().",
    ),
)

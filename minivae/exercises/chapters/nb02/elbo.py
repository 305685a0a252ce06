"""A bug in the ELBO over finitely many z."""

import inspect

import numpy as np

from minivae.exercises.exercise import Exercise, WrongAnswer


def _cases():
    rng = np.random.default_rng(24)
    return [
        (np.array([0.4, 0.6]), np.array([0.25, 0.75]), np.array([0.9, 0.2])),
        (
            np.array([0.1, 0.2, 0.3, 0.4]),
            np.array([0.35, 0.3, 0.2, 0.15]),
            np.round(rng.uniform(0.05, 0.9, 4), 2),
        ),
    ]


def _kl(q, p):
    return (q * np.log(q / p)).sum()


def repo_elbo(q, prior, likelihood):
    # "How well q's causes explain x, minus how far q is from the prior."
    # Yet at the posterior this lower bound lies above log p(x).
    fit = np.log((q * likelihood).sum())
    kl = (q * np.log(q / prior)).sum()
    return fit - kl


def mended_elbo(q, prior, likelihood):
    # The ELBO has the average of the log. The log of the average is larger: Jensen.
    fit = (q * np.log(likelihood)).sum()
    kl = (q * np.log(q / prior)).sum()
    return fit - kl


BUG = Exercise(
    id="02.bug",
    title="find the bug: a lower bound that lies above log p(x)",
    stub=inspect.getsource(repo_elbo).rstrip(),
    reference=mended_elbo,
    given=repo_elbo,
    cases=_cases,
    mistakes=(
        WrongAnswer(
            "kl-added",
            lambda q, p, l: np.log(q @ l) + _kl(q, p),
            "The sign was right: the KL to the prior is subtracted.",
        ),
        WrongAnswer(
            "kl-reversed",
            lambda q, p, l: np.log(q @ l) - _kl(p, q),
            "The KL was right: it averages over q.",
        ),
        WrongAnswer(
            "under-prior",
            lambda q, p, l: (p * np.log(l)).sum() - _kl(q, p),
            "The log is where it should be, but the average is over q, not over the prior.",
        ),
        WrongAnswer(
            "evidence",
            lambda q, p, l: np.log(p @ l) - _kl(q, p),
            "log p(x) goes with the KL to the posterior, eq. (4). With the KL to the prior goes "
            "E_q log p(x|z), eq. (5).",
        ),
        WrongAnswer(
            "kl-forgotten",
            lambda q, p, l: (q * np.log(l)).sum(),
            "The first term is mended; the KL to the prior is still to be subtracted.",
        ),
        WrongAnswer(
            "clipped",
            lambda q, p, l: min(np.log(q @ l) - _kl(q, p), np.log(p @ l)),
            "Cutting it off at log p(x) hides the mistake, and log p(x) is not known in practice. "
            "Which step of the derivation is broken?",
        ),
        WrongAnswer(
            "joint-and-kl",
            lambda q, p, l: (q * np.log(p * l)).sum() - _kl(q, p),
            "E_q log p(x, z) - KL(q || p(z)) counts the prior twice: use log p(x|z).",
        ),
    ),
    hints=(
        "The sentence in the comment is right. Is the code's first term an average of logs?",
        "log E_q[p(x|z)] is at least E_q[log p(x|z)]: the fit is too large.",
        "fit = (q * np.log(likelihood)).sum().",
    ),
)

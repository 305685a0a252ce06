"""The KL divergence and the ELBO over finitely many z."""

import inspect

import numpy as np

from minivae.exercises.exercise import Exercise, WrongAnswer, stub

# ---- 02.kl-discrete ------------------------------------------------------------------------------


def kl_discrete(q, p):
    """sum_z q(z) log (q(z) / p(z)), where 0 log 0 = 0"""
    seen = q > 0
    with np.errstate(divide="ignore"):  # p = 0 where q > 0: infinity is the answer
        return float((q[seen] * (np.log(q[seen]) - np.log(p[seen]))).sum())


def _kl_cases():
    return [
        (np.array([0.25, 0.75]), np.array([0.5, 0.5])),
        (np.array([0.1, 0.2, 0.3, 0.4]), np.array([0.45, 0.05, 0.2, 0.3])),
        (np.array([0.0, 0.6, 0.4]), np.array([0.3, 0.2, 0.5])),
        (np.array([0.3, 0.0, 0.7]), np.array([0.0, 0.2, 0.8])),
    ]


def _kl_sum(q, p):
    return float((q * np.log(q / p)).sum())


def _kl_where_both(q, p):
    both = (q > 0) & (p > 0)
    return float((q[both] * np.log(q[both] / p[both])).sum())


KL_DISCRETE = Exercise(
    id="02.kl-discrete",
    title="the KL between two distributions over finitely many z",
    stub=stub("""
        def kl_discrete(q, p):    # (Z,), (Z,) -> KL(q || p), one float, nats
            ...                   # q may hold zeros, and 0 log 0 = 0; so may p
    """),
    reference=kl_discrete,
    cases=_kl_cases,
    mistakes=(
        WrongAnswer(
            "reversed",
            lambda q, p: kl_discrete(p, q),
            "This is KL(p || q); KL(q || p) averages over its first argument, q.",
        ),
        WrongAnswer(
            "zero-times-log-zero",
            _kl_sum,
            "Where q is 0, 0 * log 0 is NaN in floating point: leave those z out.",
        ),
        WrongAnswer(
            "both-supports",
            _kl_where_both,
            "You leave out the z with p = 0 too. Where q > 0 and p = 0 the log ratio is infinite, "
            "and so is the KL.",
        ),
        WrongAnswer(
            "sign",
            lambda q, p: -kl_discrete(q, p),
            "The sign is wrong: a KL is never negative.",
        ),
        WrongAnswer(
            "not-weighted",
            lambda q, p: float(np.log(q[q > 0] / p[q > 0]).sum()),
            "The log ratios are added without their weights q(z).",
        ),
        WrongAnswer(
            "weighted-by-p",
            lambda q, p: float((p[q > 0] * np.log(q[q > 0] / p[q > 0])).sum()),
            "You average over p; KL(q || p) averages over q.",
        ),
        WrongAnswer(
            "cross-entropy",
            lambda q, p: float(-(q * np.log(p)).sum()),
            "This is the cross-entropy -E_q log p: the entropy of q is not subtracted.",
        ),
        WrongAnswer(
            "mean",
            lambda q, p: kl_discrete(q, p) / len(q),
            "You divide by the number of z; q sums to one, so the sum is already an average.",
        ),
        WrongAnswer(
            "bits",
            lambda q, p: kl_discrete(q, p) / np.log(2),
            "This is in bits (log2); nats use the natural logarithm.",
        ),
        WrongAnswer(
            "eps-in-the-log",
            lambda q, p: float((q * np.log((q + 1e-3) / (p + 1e-3))).sum()),
            "A small number inside the log changes every term; leave out the z with q = 0 instead.",
        ),
    ),
    hints=(
        "An average over q of a log ratio.",
        "Leave out the z with q(z) = 0 before taking the log.",
        "s = q > 0; (q[s] * np.log(q[s] / p[s])).sum(), as a float.",
    ),
)

# ---- 02.elbo-three -------------------------------------------------------------------------------


def elbo_terms(q, prior, likelihood):
    """log p(x) - KL(q || p(z|x)) = E_q log p(x|z) - KL(q || p(z)) = E_q log p(x, z) + H(q)"""
    joint = prior * likelihood
    evidence = joint.sum()
    posterior = joint / evidence
    return (
        float(np.log(evidence)),
        float((q * np.log(q / posterior)).sum()),
        float((q * np.log(likelihood)).sum()),
        float((q * np.log(q / prior)).sum()),
        float((q * np.log(joint)).sum()),
        float(-(q * np.log(q)).sum()),
    )


def _elbo_cases():
    rng = np.random.default_rng(24)
    return [
        (np.array([0.4, 0.6]), np.array([0.25, 0.75]), np.array([0.9, 0.2])),
        (
            np.array([0.1, 0.2, 0.3, 0.4]),
            np.array([0.35, 0.3, 0.2, 0.15]),
            np.round(rng.uniform(0.05, 0.9, 4), 2),
        ),
    ]


TERMS = (
    "log p(x)",
    "KL(q || p(z|x))",
    "E_q log p(x|z)",
    "KL(q || p(z))",
    "E_q log p(x, z)",
    "H(q)",
)


def _changed(term, change):
    """A wrong answer: the right terms, but this one is change(q, prior, likelihood)."""

    def wrong(q, prior, likelihood):
        terms = list(elbo_terms(q, prior, likelihood))
        terms[TERMS.index(term)] = float(change(q, prior, likelihood))
        return tuple(terms)

    return wrong


def _kl(q, p):
    return (q * np.log(q / p)).sum()


ELBO_THREE = Exercise(
    id="02.elbo-three",
    title="the six terms of the ELBO's three forms",
    stub=stub("""
        def elbo_terms(q, prior, likelihood):    # q(z), p(z), p(x|z) for this x: (Z,), all above 0
            ...    # -> log p(x), KL(q || p(z|x)),  E_q log p(x|z), KL(q || p(z)),
                   #    E_q log p(x, z), H(q): six floats, the terms of eqs. (4), (5) and (6)
    """),
    reference=elbo_terms,
    cases=_elbo_cases,
    returns=TERMS,
    mistakes=(
        WrongAnswer(
            "entropy-sign",
            _changed("H(q)", lambda q, p, l: (q * np.log(q)).sum()),
            "The sign of the entropy is wrong: H(q) = -E_q log q, which is positive here.",
        ),
        WrongAnswer(
            "kl-to-prior-sign",
            _changed("KL(q || p(z))", lambda q, p, l: -_kl(q, p)),
            "A KL is never negative: this is minus the KL to the prior.",
        ),
        WrongAnswer(
            "kl-to-prior-reversed",
            _changed("KL(q || p(z))", lambda q, p, l: _kl(p, q)),
            "This has KL(p || q) in place of KL(q || p); every average here is over q.",
        ),
        WrongAnswer(
            "kl-to-posterior-reversed",
            _changed("KL(q || p(z|x))", lambda q, p, l: _kl(p * l / (p @ l), q)),
            "This averages over the posterior; KL(q || p(z|x)) averages over q.",
        ),
        WrongAnswer(
            "posterior-not-normalised",
            _changed("KL(q || p(z|x))", lambda q, p, l: _kl(q, p * l)),
            "You use the joint in place of the posterior: divide it by p(x).",
        ),
        WrongAnswer(
            "likelihood-for-posterior",
            _changed("KL(q || p(z|x))", lambda q, p, l: _kl(q, l / l.sum())),
            "The posterior is p(z) p(x|z) / p(x); here the prior is left out of it.",
        ),
        WrongAnswer(
            "likelihood-under-prior",
            _changed("E_q log p(x|z)", lambda q, p, l: (p * np.log(l)).sum()),
            "You average log p(x|z) over the prior; average it over q.",
        ),
        WrongAnswer(
            "log-of-average",
            _changed("E_q log p(x|z)", lambda q, p, l: np.log(q @ l)),
            "You take the log of an average; the ELBO has the average of the log, which is "
            "smaller (Jensen).",
        ),
        WrongAnswer(
            "evidence-under-q",
            _changed("log p(x)", lambda q, p, l: np.log(q @ l)),
            "p(x) averages p(x|z) over the prior, not over q.",
        ),
        WrongAnswer(
            "evidence-not-log",
            _changed("log p(x)", lambda q, p, l: p @ l),
            "This is p(x): take its log.",
        ),
    ),
    hints=(
        "First compute joint = prior * likelihood, its sum p(x), and their ratio, the posterior.",
        "Every average is a sum weighted by q; a KL is the average of a log ratio over q.",
        "A test: first minus second, third minus fourth and fifth plus sixth are one number.",
    ),
)

# ---- 02.bug --------------------------------------------------------------------------------------


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
    cases=_elbo_cases,
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

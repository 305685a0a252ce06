"""The KL divergence and the ELBO over finitely many z."""

import inspect

import numpy as np

from minivae.exercises.exercise import Exercise, WrongAnswer, stub

# ---- 02.kl-discrete ------------------------------------------------------------------------------


def kl_discrete(q, p):
    """sum_z q(z) log (q(z) / p(z)), where 0 log 0 = 0"""
    seen = q > 0
    return float((q[seen] * np.log(q[seen] / p[seen])).sum())


def _kl_cases():
    return [
        (np.array([0.25, 0.75]), np.array([0.5, 0.5])),
        (np.array([0.1, 0.2, 0.3, 0.4]), np.array([0.45, 0.05, 0.2, 0.3])),
        (np.array([0.0, 0.6, 0.4]), np.array([0.3, 0.2, 0.5])),
    ]


def _kl_sum(q, p):
    return float((q * np.log(q / p)).sum())


KL_DISCRETE = Exercise(
    id="02.kl-discrete",
    title="the KL between two distributions over finitely many z",
    stub=stub("""
        def kl_discrete(q, p):    # (Z,), (Z,) -> KL(q || p), one float, nats
            ...                   # q may hold zeros, and 0 log 0 = 0
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


def elbo_three_ways(q, prior, likelihood):
    """log p(x) - KL(q || p(z|x)) = E_q log p(x|z) - KL(q || p(z)) = E_q log p(x, z) + H(q)"""
    joint = prior * likelihood
    evidence = joint.sum()
    posterior = joint / evidence
    from_evidence = np.log(evidence) - (q * np.log(q / posterior)).sum()
    reconstruction = (q * np.log(likelihood)).sum() - (q * np.log(q / prior)).sum()
    energy = (q * np.log(joint)).sum() - (q * np.log(q)).sum()
    return from_evidence, reconstruction, energy


def _elbo_cases():
    rng = np.random.default_rng(24)
    return [
        (np.array([0.4, 0.6]), np.array([0.25, 0.75]), np.array([0.9, 0.2])),
        (
            np.array([0.1, 0.2, 0.3, 0.4]),
            np.array([0.3, 0.3, 0.2, 0.2]),
            np.round(rng.uniform(0.05, 0.9, 4), 2),
        ),
    ]


def _faces(change):
    """A wrong answer: the three right values, after `change` has replaced some of them."""

    def wrong(q, prior, likelihood):
        right = elbo_three_ways(q, prior, likelihood)
        return change(*right, q, prior, likelihood)

    return wrong


def _kl(q, p):
    return (q * np.log(q / p)).sum()


ELBO_THREE = Exercise(
    id="02.elbo-three",
    title="the ELBO in three forms that give the same number",
    stub=stub("""
        def elbo_three_ways(q, prior, likelihood):    # q(z) (Z,), p(z) (Z,), p(x|z) for this x (Z,)
            ...      # -> log p(x) - KL(q || p(z|x)),  E_q log p(x|z) - KL(q || p(z)),
                     #    E_q log p(x, z) + H(q): three floats, each computed as it reads
    """),
    reference=elbo_three_ways,
    cases=_elbo_cases,
    returns=("evidence face", "reconstruction face", "energy face"),
    mistakes=(
        WrongAnswer(
            "entropy-sign",
            _faces(lambda a, b, c, q, p, l: (a, b, (q * np.log(p * l * q)).sum())),
            "The sign of the entropy is wrong: H(q) = -E_q log q is added, so E_q log q is "
            "subtracted.",
        ),
        WrongAnswer(
            "kl-to-prior-added",
            _faces(lambda a, b, c, q, p, l: (a, b + 2 * _kl(q, p), c)),
            "The KL to the prior must be subtracted: it is what the code costs.",
        ),
        WrongAnswer(
            "kl-to-posterior-added",
            _faces(lambda a, b, c, q, p, l: (a + 2 * _kl(q, p * l / (p @ l)), b, c)),
            "The KL to the posterior must be subtracted: the ELBO is never above log p(x).",
        ),
        WrongAnswer(
            "kl-reversed",
            _faces(lambda a, b, c, q, p, l: (a, b + _kl(q, p) - _kl(p, q), c)),
            "This has KL(p || q) in place of KL(q || p); every average here is over q.",
        ),
        WrongAnswer(
            "posterior-not-normalised",
            _faces(lambda a, b, c, q, p, l: (np.log(p @ l) - _kl(q, p * l), b, c)),
            "You use the joint in place of the posterior: divide it by p(x).",
        ),
        WrongAnswer(
            "likelihood-under-prior",
            _faces(lambda a, b, c, q, p, l: (a, (p * np.log(l)).sum() - _kl(q, p), c)),
            "You average log p(x|z) over the prior; average it over q.",
        ),
        WrongAnswer(
            "log-of-average",
            _faces(lambda a, b, c, q, p, l: (a, np.log(q @ l) - _kl(q, p), c)),
            "You take the log of an average; the ELBO has the average of the log, which is "
            "smaller (Jensen).",
        ),
        WrongAnswer(
            "negative",
            _faces(lambda a, b, c, q, p, l: (-a, -b, -c)),
            "The sign is wrong: this is the loss, -ELBO.",
        ),
        WrongAnswer(
            "prior-twice",
            _faces(lambda a, b, c, q, p, l: (a, (q * np.log(p * l)).sum() - _kl(q, p), c)),
            "E_q log p(x, z) - KL(q || p(z)) counts the prior twice: use log p(x|z) in the first "
            "term.",
        ),
        WrongAnswer(
            "evidence-alone",
            _faces(lambda a, b, c, q, p, l: (np.log(p @ l), b, c)),
            "The first is log p(x) alone: subtract KL(q || p(z|x)).",
        ),
    ),
    hints=(
        "First compute joint = prior * likelihood, its sum p(x), and their ratio, the posterior.",
        "Every average is a sum weighted by q; a KL is the average of a log ratio over q.",
        "The last form is (q * np.log(joint)).sum() - (q * np.log(q)).sum().",
    ),
)

# ---- 02.bug --------------------------------------------------------------------------------------


def repo_elbo(q, log_joint):
    # "The ELBO is the expected log joint plus the entropy." Yet at the posterior it is too low.
    return (q * log_joint).sum() + (q * np.log(q)).sum()


def mended_elbo(q, log_joint):
    # The entropy is -sum q log q: adding it subtracts sum q log q.
    return (q * log_joint).sum() - (q * np.log(q)).sum()


def _bug_cases():
    return [
        (np.array([0.4, 0.6]), np.array([-1.5, -2.3])),
        (np.array([0.1, 0.2, 0.3, 0.4]), np.array([-3.1, -2.2, -4.0, -2.6])),
    ]


BUG = Exercise(
    id="02.bug",
    title="find the bug: a bound that is too low even at the posterior",
    stub=inspect.getsource(repo_elbo).rstrip(),
    reference=mended_elbo,
    given=repo_elbo,
    cases=_bug_cases,
    mistakes=(
        WrongAnswer(
            "all-turned",
            lambda q, log_joint: -(q * log_joint).sum() - (q * np.log(q)).sum(),
            "The first term was right: the expected log joint is added.",
        ),
        WrongAnswer(
            "entropy-dropped",
            lambda q, log_joint: (q * log_joint).sum(),
            "Keep the entropy and correct its sign: without it, the best q would be the single "
            "best z.",
        ),
        WrongAnswer(
            "log-of-sum",
            lambda q, log_joint: np.log((q * np.exp(log_joint)).sum()) - (q * np.log(q)).sum(),
            "The average of the log was right; this is the log of an average.",
        ),
        WrongAnswer(
            "normalised",
            lambda q, log_joint: (q * log_joint).sum() + (q * np.log(q)).mean(),
            "The sum over z was right: q sums to one, so it is already an average.",
        ),
    ),
    hints=(
        "The sentence in the comment is right. Does the code do what it says?",
        "Which sign has E_q log q, and which sign has the entropy?",
        "H(q) = -sum q log q: subtract (q * np.log(q)).sum().",
    ),
)

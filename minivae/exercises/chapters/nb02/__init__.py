"""Notebook 02, Jensen's inequality and the ELBO."""

import inspect

import numpy as np

from minivae.exercises.chapters.nb01 import log_sum_exp
from minivae.exercises.exercise import Exercise, WrongAnswer, generic, stub

# ---- 02.log-evidence ---------------------------------------------------------------------------


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

# ---- 02.jensen-gap -----------------------------------------------------------------------------


def jensen_gap(w):
    """log of the mean - mean of the log: never negative, 0 only where all w are equal"""
    return np.log(w.mean(axis=0)) - np.log(w).mean(axis=0)


def _positive_cases():
    rng = np.random.default_rng(21)
    return [
        (np.array([[1.0], [4.0]]),),
        (np.round(np.exp(generic(rng, 5, 3)), 2),),
    ]


JENSEN_GAP = Exercise(
    id="02.jensen-gap",
    title="Jensen's gap",
    stub=stub("""
        def jensen_gap(w):    # (K, B), positive -> (B,): how far the mean of the log
            ...               # lies below the log of the mean
    """),
    reference=jensen_gap,
    cases=_positive_cases,
    mistakes=(
        WrongAnswer(
            "sign",
            lambda w: -jensen_gap(w),
            "The sign is turned around: the log bends down, so the log of the mean is the larger.",
        ),
        WrongAnswer(
            "log-of-mean",
            lambda w: np.log(w.mean(axis=0)),
            "This is the log of the mean alone: subtract the mean of the log.",
        ),
        WrongAnswer(
            "mean-of-log",
            lambda w: np.log(w).mean(axis=0),
            "This is the mean of the log alone.",
        ),
        WrongAnswer(
            "sum",
            lambda w: np.log(w.sum(axis=0)) - np.log(w).sum(axis=0),
            "Sums in place of means: Jensen speaks of averages.",
        ),
        WrongAnswer(
            "half-sum",
            lambda w: np.log(w.sum(axis=0)) - np.log(w).mean(axis=0),
            "The first term is the log of a sum: log K too large.",
        ),
        WrongAnswer(
            "without-log",
            lambda w: w.mean(axis=0) - np.exp(np.log(w).mean(axis=0)),
            "This compares the means themselves (arithmetic and geometric); take the first's log.",
        ),
        WrongAnswer(
            "half-variance",
            lambda w: w.var(axis=0) / (2 * w.mean(axis=0) ** 2),
            "This is the second-order approximation of the gap, good for small scatter only.",
        ),
        WrongAnswer(
            "one-number",
            lambda w: np.log(w.mean()) - np.log(w).mean(),
            "Averaged over everything: keep the columns apart.",
        ),
    ),
    hints=(
        "Two numbers for each column, one minus the other.",
        "Average and then take the log; take the log and then average.",
        "np.log(w.mean(axis=0)) - np.log(w).mean(axis=0).",
    ),
)

# ---- 02.importance -----------------------------------------------------------------------------


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

# ---- 02.kl-discrete ----------------------------------------------------------------------------


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
            "This is KL(p || q): the average goes over the first, q.",
        ),
        WrongAnswer(
            "zero-times-log-zero",
            _kl_sum,
            "Where q is 0, 0 * log 0 is NaN in floating point: leave those z out.",
        ),
        WrongAnswer(
            "sign",
            lambda q, p: -kl_discrete(q, p),
            "The sign is turned around: a KL is never negative.",
        ),
        WrongAnswer(
            "not-weighted",
            lambda q, p: float(np.log(q[q > 0] / p[q > 0]).sum()),
            "The log ratios are added without their weights q(z).",
        ),
        WrongAnswer(
            "weighted-by-p",
            lambda q, p: float((p[q > 0] * np.log(q[q > 0] / p[q > 0])).sum()),
            "Averaged over p; KL(q || p) averages over q.",
        ),
        WrongAnswer(
            "cross-entropy",
            lambda q, p: float(-(q * np.log(p)).sum()),
            "This is the cross-entropy -E_q log p: the entropy of q is not subtracted.",
        ),
        WrongAnswer(
            "mean",
            lambda q, p: kl_discrete(q, p) / len(q),
            "Divided by the number of z: q sums to one, so the sum is the average already.",
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

# ---- 02.elbo-three -----------------------------------------------------------------------------


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
    """A wrong answer: the right three, and then one of them changed."""

    def wrong(q, prior, likelihood):
        right = elbo_three_ways(q, prior, likelihood)
        return change(*right, q, prior, likelihood)

    return wrong


def _kl(q, p):
    return (q * np.log(q / p)).sum()


ELBO_THREE = Exercise(
    id="02.elbo-three",
    title="the three faces of the ELBO, which are one number",
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
            "H(q) = -E_q log q is added, so log q is subtracted.",
        ),
        WrongAnswer(
            "kl-to-prior-added",
            _faces(lambda a, b, c, q, p, l: (a, b + 2 * _kl(q, p), c)),
            "The KL to the prior is subtracted: it is what the code costs.",
        ),
        WrongAnswer(
            "kl-to-posterior-added",
            _faces(lambda a, b, c, q, p, l: (a + 2 * _kl(q, p * l / (p @ l)), b, c)),
            "The KL to the posterior is subtracted: the ELBO lies below log p(x).",
        ),
        WrongAnswer(
            "kl-reversed",
            _faces(lambda a, b, c, q, p, l: (a, b + _kl(q, p) - _kl(p, q), c)),
            "KL(p || q) in place of KL(q || p): every average here goes over q.",
        ),
        WrongAnswer(
            "posterior-not-normalised",
            _faces(lambda a, b, c, q, p, l: (np.log(p @ l) - _kl(q, p * l), b, c)),
            "The joint stands where the posterior belongs: divide it by p(x).",
        ),
        WrongAnswer(
            "likelihood-under-prior",
            _faces(lambda a, b, c, q, p, l: (a, (p * np.log(l)).sum() - _kl(q, p), c)),
            "log p(x|z) is averaged over the prior; the average goes over q.",
        ),
        WrongAnswer(
            "log-of-average",
            _faces(lambda a, b, c, q, p, l: (a, np.log(q @ l) - _kl(q, p), c)),
            "The log of an average where the average of the log belongs (Jensen: this is larger).",
        ),
        WrongAnswer(
            "negative",
            _faces(lambda a, b, c, q, p, l: (-a, -b, -c)),
            "The sign is turned around: these are losses, -ELBO.",
        ),
        WrongAnswer(
            "prior-twice",
            _faces(lambda a, b, c, q, p, l: (a, (q * np.log(p * l)).sum() - _kl(q, p), c)),
            "E_q log p(x, z) - KL(q || p(z)) counts the prior twice: p(x|z) belongs there.",
        ),
        WrongAnswer(
            "evidence-alone",
            _faces(lambda a, b, c, q, p, l: (np.log(p @ l), b, c)),
            "The first is log p(x) alone: KL(q || p(z|x)) is not subtracted.",
        ),
    ),
    hints=(
        "First joint = prior * likelihood, its sum p(x), and their quotient, the posterior.",
        "Every average is a sum weighted by q; a KL is the average of a log ratio over q.",
        "The last: (q * np.log(joint)).sum() - (q * np.log(q)).sum().",
    ),
)

# ---- 02.order ----------------------------------------------------------------------------------

LINES = {
    "A": "E_q[log p(x|z)] + E_q[log p(z) - log q(z)]",
    "B": "log of the sum over z of p(x, z)",
    "C": "E_q[log p(x|z)] - KL(q || p(z))",
    "D": "log of E_q[p(x, z) / q(z)]",
    "E": "E_q[log(p(x, z) / q(z))]",
    "F": "E_q[log p(x|z) + log p(z) - log q(z)]",
}
LICENCES = ("sum rule", "times q over q", "Jensen", "product rule", "linearity", "definition")
RIGHT_ORDER = (
    ("B", "sum rule"),
    ("D", "times q over q"),
    ("E", "Jensen"),
    ("F", "product rule"),
    ("A", "linearity"),
    ("C", "definition"),
)


def _judge_order(answer):
    if not isinstance(answer, list | tuple) or len(answer) != len(RIGHT_ORDER):
        return f"expected a list of {len(RIGHT_ORDER)} pairs, such as ('B', 'sum rule')"
    for i, (given, right) in enumerate(zip(answer, RIGHT_ORDER, strict=True), start=1):
        if not isinstance(given, list | tuple) or len(given) != 2:
            return f"entry {i} is {given!r}; expected a pair such as ('B', 'sum rule')"
        letter, licence = given
        if letter not in LINES:
            return f"entry {i}: {letter!r} is not one of the lines A to F"
        if licence not in LICENCES:
            return f"entry {i}: {licence!r} is not one of {', '.join(LICENCES)}"
        if letter != right[0]:
            return f"line {i}: {letter} does not follow from the line before it"
        if licence != right[1]:
            return f"line {i}: {letter} stands in the right place, for another reason"
    return None


def _swapped(*letters):
    """The right order with these lines and reasons in other places: letters in their new order."""
    reasons = dict(RIGHT_ORDER)
    return tuple((letter, reasons[letter]) for letter in letters)


ORDER = Exercise(
    id="02.order",
    title="the derivation of the ELBO, in order, each step with its licence",
    stub=stub("""
        # log p(x) is:
        #   A   E_q[log p(x|z)] + E_q[log p(z) - log q(z)]
        #   B   log of the sum over z of p(x, z)
        #   C   E_q[log p(x|z)] - KL(q || p(z))
        #   D   log of E_q[p(x, z) / q(z)]
        #   E   E_q[log(p(x, z) / q(z))]                        (here = becomes >=)
        #   F   E_q[log p(x|z) + log p(z) - log q(z)]
        # Each step is licensed by one of: "sum rule", "times q over q", "Jensen", "product rule",
        # "linearity", "definition". Put them in order: [("B", "sum rule"), ...]
        order = ...
    """),
    reference=RIGHT_ORDER,
    judge=_judge_order,
    mistakes=(
        WrongAnswer(
            "jensen-too-early",
            (
                ("B", "sum rule"),
                ("D", "Jensen"),
                ("E", "times q over q"),
                *RIGHT_ORDER[3:],
            ),
            "B to D is an equality: q is multiplied in and divided out. The = becomes >= where the "
            "log moves inside the average, from D to E.",
        ),
        WrongAnswer(
            "log-inside-first",
            _swapped("B", "E", "D", "F", "A", "C"),
            "The log can move inside an average only once there is one: D comes before E.",
        ),
        WrongAnswer(
            "linearity-first",
            _swapped("B", "D", "E", "A", "F", "C"),
            "First the product rule splits log p(x, z) (F), then linearity splits the average (A).",
        ),
        WrongAnswer(
            "licences-swapped",
            (*RIGHT_ORDER[:3], ("F", "linearity"), ("A", "product rule"), RIGHT_ORDER[5]),
            "p(x, z) = p(x|z) p(z) is the product rule (F), E[a + b] = E[a] + E[b] linearity (A).",
        ),
        WrongAnswer(
            "backwards",
            tuple(reversed(RIGHT_ORDER)),
            "This runs from the ELBO up: begin with log p(x) as a sum over z.",
        ),
    ),
    hints=(
        "Begin with p(x) as a sum over z; end with the form that one computes.",
        "Only one step loses equality. Which one moves a log through an average?",
        "B, D, E, F, A, C. Jensen licenses the step to E.",
    ),
    solution_text=stub("""
        order = [
            ("B", "sum rule"),          # p(x) = sum_z p(x, z)
            ("D", "times q over q"),    # multiply and divide by q(z): a sum becomes an average
            ("E", "Jensen"),            # the log of an average >= the average of the log
            ("F", "product rule"),      # p(x, z) = p(x|z) p(z)
            ("A", "linearity"),         # E[a + b] = E[a] + E[b]
            ("C", "definition"),        # KL(q || p) = E_q[log q - log p]
        ]
    """),
)

# ---- 02.bug ------------------------------------------------------------------------------------


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
    title="find the bug: a bound that does not touch",
    stub=inspect.getsource(repo_elbo).rstrip(),
    reference=mended_elbo,
    given=repo_elbo,
    cases=_bug_cases,
    mistakes=(
        WrongAnswer(
            "all-turned",
            lambda q, log_joint: -(q * log_joint).sum() - (q * np.log(q)).sum(),
            "The first term was right: the expected log joint enters with a plus.",
        ),
        WrongAnswer(
            "entropy-dropped",
            lambda q, log_joint: (q * log_joint).sum(),
            "Without the entropy q would shrink to the single best z: mend its sign, keep it.",
        ),
        WrongAnswer(
            "log-of-sum",
            lambda q, log_joint: np.log((q * np.exp(log_joint)).sum()) - (q * np.log(q)).sum(),
            "The average of the log was right; this is the log of an average.",
        ),
        WrongAnswer(
            "normalised",
            lambda q, log_joint: (q * log_joint).sum() + (q * np.log(q)).mean(),
            "The sum over z was right: q sums to one, so it is the average already.",
        ),
    ),
    hints=(
        "The sentence in the comment is right. Does the code say it?",
        "What is the sign of log q, and so of the entropy?",
        "H(q) = -sum q log q: subtract (q * np.log(q)).sum().",
    ),
)

EXERCISES = (LOG_EVIDENCE, JENSEN_GAP, IMPORTANCE, KL_DISCRETE, ELBO_THREE, ORDER, BUG)

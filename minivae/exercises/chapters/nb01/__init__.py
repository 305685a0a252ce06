"""Notebook 01, a cat-drawing machine: generative models, evidence, logs."""

import numpy as np

from minivae.exercises.exercise import Exercise, WrongAnswer, generic, stub

# ---- 01.log-sum-exp ----------------------------------------------------------------------------


def log_sum_exp(a):
    """log sum_k exp(a_k), with the largest a_k taken out first"""
    top = a.max(axis=0)
    return top + np.log(np.exp(a - top).sum(axis=0))


def _log_sum_exp_cases():
    rng = np.random.default_rng(1)
    return [
        (np.array([[0.5], [-0.3]]),),
        (generic(rng, 4, 3),),
        (generic(rng, 3, 2) - np.array([1000.0, 2.0]),),
        (generic(rng, 3, 2) + np.array([1000.0, 0.0]),),
    ]


def _naive(a):
    return np.log(np.exp(a).sum(axis=0))


LOG_SUM_EXP = Exercise(
    id="01.log-sum-exp",
    title="the log of a sum of exponentials",
    stub=stub("""
        def log_sum_exp(a):    # (K, B) -> (B,): log of the sum over k of exp(a[k])
            ...                # entries of -1000 and 1000 must work
    """),
    reference=log_sum_exp,
    cases=_log_sum_exp_cases,
    package=lambda exact: lambda a: exact.log_sum_exp(a, axis=0),
    module="exact",
    mistakes=(
        WrongAnswer(
            "naive",
            _naive,
            "exp(-1000) is 0.0 and exp(1000) is infinite: take the largest entry out first, "
            "and add it again after the log.",
        ),
        WrongAnswer(
            "top-not-added",
            lambda a: np.log(np.exp(a - a.max(axis=0)).sum(axis=0)),
            "The largest entry was taken out and never put back.",
        ),
        WrongAnswer(
            "wrong-axis",
            lambda a: log_sum_exp(a.T),
            "Summed over the columns; the sum goes over axis 0.",
        ),
        WrongAnswer(
            "one-top",
            lambda a: a.max() + np.log(np.exp(a - a.max()).sum(axis=0)),
            "One largest entry for the whole array: a column that lies 1000 below it vanishes. "
            "Each column needs its own.",
        ),
        WrongAnswer(
            "maximum",
            lambda a: a.max(axis=0),
            "This is the maximum alone; the other terms count too.",
        ),
        WrongAnswer(
            "mean",
            lambda a: log_sum_exp(a) - np.log(len(a)),
            "This is the log of the mean: log K is subtracted.",
        ),
        WrongAnswer(
            "sum-of-logs",
            lambda a: a.sum(axis=0),
            "log and exp cancel term by term only outside a sum: this is the sum of the a.",
        ),
        WrongAnswer(
            "floor-inside",
            lambda a: np.log(np.exp(a).sum(axis=0) + 1e-300),
            "A small number inside the log makes every underflow -690: finite, and wrong.",
        ),
    ),
    hints=(
        "exp(-1000) is 0.0 in float64. Which number could you divide out first?",
        "log sum exp(a) = m + log sum exp(a - m), for every m.",
        "m = a.max(axis=0); m + np.log(np.exp(a - m).sum(axis=0)).",
    ),
)

# ---- 01.evidence -------------------------------------------------------------------------------


def evidence(prior, likelihood):
    """p(x) = sum_z p(z) p(x|z)"""
    return prior @ likelihood


def _tables(rng, Z, X):
    likelihood = rng.dirichlet(np.ones(X), size=Z)
    return rng.dirichlet(np.ones(Z)), likelihood


def _table_cases():
    rng = np.random.default_rng(11)
    return [
        (np.array([0.25, 0.75]), np.array([[0.9, 0.1], [0.5, 0.5]])),
        _tables(rng, 3, 4),
        _tables(rng, 3, 3),
    ]


EVIDENCE = Exercise(
    id="01.evidence",
    title="the evidence by enumeration",
    stub=stub("""
        def evidence(prior, likelihood):    # p(z) (Z,), p(x|z) (Z, X) -> p(x) (X,)
            ...
    """),
    reference=evidence,
    cases=_table_cases,
    mistakes=(
        WrongAnswer(
            "prior-forgotten",
            lambda prior, likelihood: likelihood.sum(axis=0),
            "The prior is missing: every z counts as much as its p(z).",
        ),
        WrongAnswer(
            "plain-mean",
            lambda prior, likelihood: likelihood.mean(axis=0),
            "A plain mean is right only where all z are equally likely.",
        ),
        WrongAnswer(
            "not-summed",
            lambda prior, likelihood: prior[:, None] * likelihood,
            "This is the joint p(x, z): sum over z.",
        ),
        WrongAnswer(
            "sum-over-x",
            lambda prior, likelihood: (prior[:, None] * likelihood).sum(axis=1),
            "Summed over x, which gives the prior back: sum over z, axis 0.",
        ),
        WrongAnswer(
            "transposed",
            lambda prior, likelihood: likelihood @ prior,
            "Likelihood @ prior sums over x: the rows of `likelihood` are the z.",
        ),
        WrongAnswer(
            "best-z",
            lambda prior, likelihood: (prior[:, None] * likelihood).max(axis=0),
            "The likeliest z alone; the evidence adds up all the ways in which x can come about.",
        ),
        WrongAnswer(
            "log",
            lambda prior, likelihood: np.log(prior @ likelihood),
            "This is log p(x); here p(x) itself is wanted.",
        ),
    ),
    hints=(
        "x can come about through every z. How likely is each way?",
        "p(x, z) = p(z) p(x|z): sum it over z.",
        "prior @ likelihood.",
    ),
)

# ---- 01.posterior ------------------------------------------------------------------------------


def posterior(prior, likelihood):
    """p(z|x) = p(z) p(x|z) / p(x): Bayes' rule for every x at once"""
    joint = prior[:, None] * likelihood
    return joint / joint.sum(axis=0)


POSTERIOR = Exercise(
    id="01.posterior",
    title="the posterior by Bayes' rule",
    stub=stub("""
        def posterior(prior, likelihood):    # p(z) (Z,), p(x|z) (Z, X) -> p(z|x) (Z, X)
            ...                              # each column a distribution over z
    """),
    reference=posterior,
    cases=_table_cases,
    mistakes=(
        WrongAnswer(
            "not-normalised",
            lambda prior, likelihood: prior[:, None] * likelihood,
            "This is the joint p(x, z): divide by p(x), so that each column sums to one.",
        ),
        WrongAnswer(
            "prior-forgotten",
            lambda prior, likelihood: likelihood / likelihood.sum(axis=0),
            "The prior is missing: a rare disease stays rare, whatever its symptoms.",
        ),
        WrongAnswer(
            "wrong-axis",
            lambda prior, likelihood: (
                (prior[:, None] * likelihood) / (prior[:, None] * likelihood).sum(axis=1)[:, None]
            ),
            "Normalised over x, which gives p(x|z) back: each column is to sum to one.",
        ),
        WrongAnswer(
            "likelihood-over-evidence",
            lambda prior, likelihood: likelihood / (prior @ likelihood),
            "p(x|z) / p(x) lacks the factor p(z).",
        ),
        WrongAnswer(
            "transposed",
            lambda prior, likelihood: posterior(prior, likelihood).T,
            "Transposed: the rows stay the z, the columns the x.",
        ),
    ),
    hints=(
        "p(z|x) = p(x, z) / p(x). You have both.",
        "The joint is prior[:, None] * likelihood; p(x) is its sum over z.",
        "joint / joint.sum(axis=0).",
    ),
)

# ---- 01.noisy-or -------------------------------------------------------------------------------


def noisy_or(present, cause, leak):
    """p(symptom) = 1 - (1 - leak) prod over the diseases present of (1 - cause)"""
    absent = (1 - leak) * np.prod(1 - present[:, :, None] * cause, axis=1)
    return 1 - absent


def _noisy_or_cases():
    rng = np.random.default_rng(12)
    cause, leak = np.round(rng.uniform(0.1, 0.9, (3, 4)), 2), np.round(rng.uniform(0, 0.2, 4), 2)
    return [
        (np.array([[1.0]]), np.array([[0.7]]), np.array([0.1])),
        (np.array([[1.0, 1.0]]), np.array([[0.7], [0.4]]), np.array([0.1])),
        (np.array([[0.0, 0.0, 0.0], [1.0, 0.0, 1.0], [1.0, 1.0, 1.0]])[:2], cause, leak),
        (rng.integers(0, 2, (5, 3)).astype(float), cause, leak),
    ]


NOISY_OR = Exercise(
    id="01.noisy-or",
    title="a symptom with several possible causes",
    stub=stub("""
        def noisy_or(present, cause, leak):    # (N, Z) of 0 and 1, (Z, S), (S,) -> (N, S)
            ...                                # p(symptom): absent only if nothing caused it
    """),
    reference=noisy_or,
    cases=_noisy_or_cases,
    mistakes=(
        WrongAnswer(
            "sum",
            lambda present, cause, leak: present @ cause + leak,
            "Probabilities of causes do not add: with two strong ones this exceeds 1.",
        ),
        WrongAnswer(
            "sum-clipped",
            lambda present, cause, leak: np.minimum(present @ cause + leak, 1),
            "Cut off at 1, the sum is a probability, but not this one: multiply the failures.",
        ),
        WrongAnswer(
            "absent",
            lambda present, cause, leak: 1 - noisy_or(present, cause, leak),
            "This is the probability that the symptom is absent: 1 minus it.",
        ),
        WrongAnswer(
            "leak-forgotten",
            lambda present, cause, leak: noisy_or(present, cause, 0 * leak),
            "The leak is missing: a healthy patient coughs too, now and then.",
        ),
        WrongAnswer(
            "all-diseases",
            lambda present, cause, leak: noisy_or(np.ones_like(present), cause, leak),
            "All diseases count here; only those that are present should.",
        ),
        WrongAnswer(
            "and",
            lambda present, cause, leak: (
                1 - (1 - leak) * (1 - np.prod(np.where(present[:, :, None] > 0, cause, 1), axis=1))
            ),
            "This is an and: every disease present would have to cause it.",
        ),
        WrongAnswer(
            "strongest",
            lambda present, cause, leak: np.maximum(
                (present[:, :, None] * cause).max(axis=1), leak
            ),
            "The strongest cause alone; the others have their own chance.",
        ),
        WrongAnswer(
            "leak-added",
            lambda present, cause, leak: noisy_or(present, cause, 0 * leak) + leak,
            "The leak is one more possible cause: it multiplies the failures like the others.",
        ),
    ),
    hints=(
        "Ask when the symptom is absent: the leak and every disease present must all have failed.",
        "Failures are independent, so their probabilities multiply.",
        "1 - (1 - leak) * np.prod(1 - present[:, :, None] * cause, axis=1).",
    ),
)

# ---- 01.ancestral ------------------------------------------------------------------------------


def ancestral_sample(prior, likelihood, u):
    """z ~ p(z), then x ~ p(x|z): causes before effects, each by its cumulative probabilities"""
    z = (u[:, :1] >= np.cumsum(prior)).sum(axis=1)
    x = (u[:, 1:] >= np.cumsum(likelihood, axis=1)[z]).sum(axis=1)
    return z, x


def _ancestral_cases():
    rng = np.random.default_rng(13)
    prior, likelihood = (
        np.array([0.2, 0.5, 0.3]),
        np.array([[0.1, 0.2, 0.3, 0.4], [0.7, 0.1, 0.1, 0.1], [0.25, 0.25, 0.4, 0.1]]),
    )
    return [
        (np.array([0.3, 0.7]), np.array([[0.9, 0.1], [0.2, 0.8]]), np.array([[0.5, 0.6]])),
        (prior, likelihood, np.round(rng.uniform(0.01, 0.99, (12, 2)), 3)),
    ]


def _pick(cumulative, u):
    return (u[:, None] >= cumulative).sum(axis=1)


def _pick_rows(likelihood, z, u):
    return (u[:, None] >= np.cumsum(likelihood, axis=1)[z]).sum(axis=1)


ANCESTRAL = Exercise(
    id="01.ancestral",
    title="ancestral sampling",
    stub=stub("""
        def ancestral_sample(prior, likelihood, u):    # (Z,), (Z, X), uniforms in [0, 1) (N, 2)
            ...                                        # -> z (N,), x (N,), whole numbers:
                                                       # z from u[:, 0], then x from u[:, 1]
    """),
    reference=ancestral_sample,
    cases=_ancestral_cases,
    returns=("z", "x"),
    mistakes=(
        WrongAnswer(
            "same-noise",
            lambda prior, likelihood, u: ancestral_sample(prior, likelihood, u[:, [0, 0]]),
            "z and x use the same uniform number: each draw needs its own.",
        ),
        WrongAnswer(
            "x-from-evidence",
            lambda prior, likelihood, u: (
                _pick(np.cumsum(prior), u[:, 0]),
                _pick(np.cumsum(prior @ likelihood), u[:, 1]),
            ),
            "x is drawn from p(x), as if z had not been drawn: use the row of this z.",
        ),
        WrongAnswer(
            "likeliest-z",
            lambda prior, likelihood, u: (
                np.full(len(u), prior.argmax()),
                _pick(np.cumsum(likelihood[prior.argmax()]), u[:, 1]),
            ),
            "z is always the likeliest one: sampling takes each z as often as its p(z) says.",
        ),
        WrongAnswer(
            "likeliest-x",
            lambda prior, likelihood, u: (
                _pick(np.cumsum(prior), u[:, 0]),
                likelihood[_pick(np.cumsum(prior), u[:, 0])].argmax(axis=1),
            ),
            "x is always the likeliest one for its z: draw it.",
        ),
        WrongAnswer(
            "uniform-z",
            lambda prior, likelihood, u: (
                (u[:, 0] * len(prior)).astype(int),
                _pick_rows(likelihood, (u[:, 0] * len(prior)).astype(int), u[:, 1]),
            ),
            "All z are drawn equally often: p(z) is not used.",
        ),
        WrongAnswer(
            "not-cumulative",
            lambda prior, likelihood, u: (
                _pick(prior, u[:, 0]),
                (u[:, 1:] >= likelihood[_pick(prior, u[:, 0]).clip(max=len(prior) - 1)]).sum(
                    axis=1
                ),
            ),
            "u is compared with the probabilities; compare it with their running sums.",
        ),
        WrongAnswer(
            "counted-from-one",
            lambda prior, likelihood, u: tuple(
                a + 1 for a in ancestral_sample(prior, likelihood, u)
            ),
            "Counted from 1: the first z and the first x are 0.",
        ),
        WrongAnswer(
            "first-row",
            lambda prior, likelihood, u: (
                _pick(np.cumsum(prior), u[:, 0]),
                _pick(np.cumsum(likelihood[0]), u[:, 1]),
            ),
            "x is drawn from the first row whatever z is.",
        ),
    ),
    hints=(
        "A uniform number falls between two running sums of the probabilities: that is the draw.",
        "np.cumsum(prior), and count how many running sums are not above u.",
        "z = (u[:, :1] >= np.cumsum(prior)).sum(axis=1); for x the same with the rows [z].",
    ),
)


EXERCISES = (LOG_SUM_EXP, EVIDENCE, POSTERIOR, NOISY_OR, ANCESTRAL)

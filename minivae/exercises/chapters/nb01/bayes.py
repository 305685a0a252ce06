"""Evidence and posterior by enumeration: Bayes' rule."""

import numpy as np

from minivae.exercises.exercise import Exercise, WrongAnswer, stub

# ---- 01.evidence ---------------------------------------------------------------------------------


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
            "The prior is missing: weight every z by its p(z).",
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
            "You sum over x, which gives the prior back; sum over z, axis 0.",
        ),
        WrongAnswer(
            "transposed",
            lambda prior, likelihood: likelihood @ prior,
            "Likelihood @ prior sums over x: the rows of `likelihood` are the z.",
        ),
        WrongAnswer(
            "best-z",
            lambda prior, likelihood: (prior[:, None] * likelihood).max(axis=0),
            "You take only the most likely z; the evidence is the sum over all the ways to "
            "produce x.",
        ),
        WrongAnswer(
            "log",
            lambda prior, likelihood: np.log(prior @ likelihood),
            "This is log p(x); the exercise asks for p(x) itself.",
        ),
    ),
    hints=(
        "Every z can produce x. How likely is each of these ways?",
        "p(x, z) = p(z) p(x|z): sum it over z.",
        "prior @ likelihood.",
    ),
)

# ---- 01.posterior --------------------------------------------------------------------------------


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
            "The prior is missing: however well a rare disease explains the symptoms, it is still "
            "rare.",
        ),
        WrongAnswer(
            "wrong-axis",
            lambda prior, likelihood: (
                (prior[:, None] * likelihood) / (prior[:, None] * likelihood).sum(axis=1)[:, None]
            ),
            "You normalise over x, which gives p(x|z) back; each column must sum to one.",
        ),
        WrongAnswer(
            "likelihood-over-evidence",
            lambda prior, likelihood: likelihood / (prior @ likelihood),
            "p(x|z) / p(x) lacks the factor p(z).",
        ),
        WrongAnswer(
            "transposed",
            lambda prior, likelihood: posterior(prior, likelihood).T,
            "This is transposed: the rows are the z, the columns the x.",
        ),
    ),
    hints=(
        "p(z|x) = p(x, z) / p(x). You have both.",
        "The joint is prior[:, None] * likelihood; p(x) is its sum over z.",
        "joint / joint.sum(axis=0).",
    ),
)

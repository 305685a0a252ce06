"""The evidence by enumeration, and the posterior from logs: Bayes' rule."""

import numpy as np

from minivae.exercises.exercise import (
    Exercise,
    WrongAnswer,
    call_for_arrays,
    call_for_results,
    stub,
)

# ---- 01.evidence ---------------------------------------------------------------------------------


def pair_evidence(prior, likelihood):
    """p(x, x') = sum_z p(z) p(x|z) p(x'|z): one z, and the noise anew for each picture"""
    return likelihood.T @ (prior[:, None] * likelihood)


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


def _of_joint(change):
    """A wrong answer from p(z) p(x|z) p(x'|z), (Z, X, X)."""
    return lambda prior, likelihood: change(
        prior[:, None, None] * likelihood[:, :, None] * likelihood[:, None]
    )


EVIDENCE = Exercise(
    id="01.evidence",
    title="the evidence of two photographs of one cat",
    stub=stub("""
        def pair_evidence(prior, likelihood):    # p(z) (Z,), p(x|z) (Z, X)
            ...                                  # -> p(first is x, second is x') (X, X)
    """),
    reference=pair_evidence,
    cases=_table_cases,
    observe=call_for_arrays,
    mistakes=(
        WrongAnswer(
            "two-cats",
            lambda prior, likelihood: np.outer(prior @ likelihood, prior @ likelihood),
            "You multiply p(x) by p(x'), as if each picture had a z of its own. They share one: "
            "given z they are independent, without it they are not.",
        ),
        WrongAnswer(
            "one-picture",
            lambda prior, likelihood: prior @ likelihood,
            "This is p(x) of one picture; a pair has an entry for each x and each x'.",
        ),
        WrongAnswer(
            "prior-twice",
            lambda prior, likelihood: (prior[:, None] ** 2 * likelihood).T @ likelihood,
            "p(z) is a factor twice; the story draws z once.",
        ),
        WrongAnswer(
            "prior-forgotten",
            lambda prior, likelihood: likelihood.T @ likelihood,
            "The prior is missing: weight every z by its p(z).",
        ),
        WrongAnswer(
            "plain-mean",
            lambda prior, likelihood: likelihood.T @ likelihood / len(prior),
            "A plain mean is right only where all z are equally likely.",
        ),
        WrongAnswer(
            "not-summed",
            _of_joint(lambda joint: joint),
            "This is the joint p(x, x', z): sum over z.",
        ),
        WrongAnswer(
            "best-z",
            _of_joint(lambda joint: joint.max(axis=0)),
            "You take only the most likely z; the evidence is the sum over all the ways to "
            "produce the pair.",
        ),
        WrongAnswer(
            "equal-pictures",
            _of_joint(lambda joint: np.diagonal(joint.sum(axis=0)).copy()),
            "These are the pairs of equal pictures alone: every x meets every x'.",
        ),
        WrongAnswer(
            "second-given-first",
            _of_joint(lambda joint: joint.sum(axis=0) / joint.sum(axis=(0, 2))[:, None]),
            "This is p(x' | x), whose rows sum to 1; all entries of p(x, x') together do.",
        ),
        WrongAnswer(
            "sum-over-x",
            lambda prior, likelihood: (prior[:, None] * likelihood) @ likelihood.T,
            "You sum over x; sum over z, the rows of `likelihood`.",
        ),
        WrongAnswer(
            "log",
            lambda prior, likelihood: np.log(pair_evidence(prior, likelihood)),
            "This is log p(x, x'); the exercise asks for p(x, x') itself.",
        ),
    ),
    hints=(
        "Write the story down: z once, then x, then x'. Which of the three factors are given z?",
        "p(x, x', z) = p(z) p(x|z) p(x'|z): sum it over z, for every pair of x and x'.",
        "A sum over z of products is a matrix product: likelihood.T @ (prior[:, None] * ...).",
    ),
)

# ---- 01.log-posterior ----------------------------------------------------------------------------


def posterior_from_logs(log_prior, log_likelihood):
    """Bayes' rule in logs: the evidence is a log-sum-exp over z, and is subtracted"""
    log_joint = log_prior[:, None] + log_likelihood
    top = log_joint.max(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):  # an impossible x: log 0, then 0 / 0
        shifted = np.where(log_joint == -np.inf, -np.inf, log_joint - top)
        log_evidence = top + np.log(np.exp(shifted).sum(axis=0))
        return log_evidence, np.exp(log_joint - log_evidence)


def _log_cases():
    rng = np.random.default_rng(14)
    prior, likelihood = _tables(rng, 3, 4)
    far = np.array([[-2000.0, -700.0, -3.0], [-2001.5, 898.0, -np.inf], [-1999.0, 900.0, -1.0]])
    return [
        (np.log([0.25, 0.75]), np.log([[0.9], [0.5]])),
        (np.log(prior), np.log(likelihood)),
        (np.log(prior), far),  # densities may be above 1, and one z cannot give the last x
        (np.log([0.25, 0.75]), np.array([[-np.inf, -1.5], [-np.inf, -0.4]])),  # no z gives x = 0
        # the z that explains best never occurs, and exp(-900) is 0
        (np.array([-np.inf, -0.69315, -0.69315]), np.array([[-1.2], [-900.5], [-901.3]])),
    ]


def _with_top(top_of):
    def wrong(log_prior, log_likelihood):
        log_joint = log_prior[:, None] + log_likelihood
        top = top_of(log_joint)
        log_evidence = top + np.log(np.exp(log_joint - top).sum(axis=0))
        return log_evidence, np.exp(log_joint - log_evidence)

    return wrong


def _top_before_the_prior(log_prior, log_likelihood):
    top = log_likelihood.max(axis=0)
    top = np.where(top == -np.inf, 0.0, top)
    weights = np.exp(log_prior)[:, None] * np.exp(log_likelihood - top)
    return top + np.log(weights.sum(axis=0)), weights / weights.sum(axis=0)


def _other_axis(log_prior, log_likelihood):
    log_joint = log_prior[:, None] + log_likelihood
    top = log_joint.max(axis=1, keepdims=True)
    log_evidence = top + np.log(np.exp(log_joint - top).sum(axis=1, keepdims=True))
    return log_evidence[:, 0], np.exp(log_joint - log_evidence)


LOG_POSTERIOR = Exercise(
    id="01.log-posterior",
    title="evidence and posterior, where probabilities underflow",
    stub=stub("""
        def posterior_from_logs(log_prior, log_likelihood):    # log p(z) (Z,), log p(x|z) (Z, X)
            ...                                                # -> log p(x) (X,), p(z|x) (Z, X);
                                                               # an impossible x: -inf, nan
    """),
    reference=posterior_from_logs,
    cases=_log_cases,
    observe=call_for_results(2),
    returns=("log p(x)", "p(z|x)"),
    mistakes=(
        WrongAnswer(
            "naive",
            _with_top(lambda log_joint: 0.0),
            "exp(-2000) is 0.0 and exp(1000) infinite: take the largest of each column out first, "
            "eq. (7).",
        ),
        WrongAnswer(
            "top-of-nothing",
            _with_top(lambda log_joint: log_joint.max(axis=0)),
            "Where no z can give x, the largest is -inf, and -inf - -inf is nan: there log p(x) is "
            "-inf.",
        ),
        WrongAnswer(
            "one-top",
            _with_top(lambda log_joint: log_joint.max()),
            "One maximum serves all columns here: a column that is 2000 smaller underflows to 0.",
        ),
        WrongAnswer(
            "first-row",
            _with_top(lambda log_joint: log_joint[0]),
            "You take the first entry of each column out; one that is 1600 larger overflows. Take "
            "the largest.",
        ),
        WrongAnswer(
            "top-before-the-prior",
            _top_before_the_prior,
            "You take the largest log p(x|z) out and weight by p(z) then. If the z that explains "
            "best has hardly any p(z), all others underflow: add log p(z) first.",
        ),
        WrongAnswer(
            "prior-forgotten",
            lambda log_prior, log_likelihood: posterior_from_logs(
                np.zeros(len(log_prior)), log_likelihood
            ),
            "log p(z) is missing: it is added to log p(x|z).",
        ),
        WrongAnswer(
            "prior-multiplied",
            lambda log_prior, log_likelihood: posterior_from_logs(
                np.zeros(len(log_prior)), log_prior[:, None] * log_likelihood
            ),
            "A product of probabilities is a sum of logs: add log p(z).",
        ),
        WrongAnswer(
            "prior-not-a-log",
            lambda log_prior, log_likelihood: posterior_from_logs(
                np.exp(log_prior), log_likelihood
            ),
            "You add p(z) itself to log p(x|z); add its log.",
        ),
        WrongAnswer(
            "wrong-axis",
            _other_axis,
            "You sum over x (axis 1), which gives the prior back; sum over z, axis 0.",
        ),
        WrongAnswer(
            "evidence-not-a-log",
            lambda log_prior, log_likelihood: (
                np.exp(posterior_from_logs(log_prior, log_likelihood)[0]),
                posterior_from_logs(log_prior, log_likelihood)[1],
            ),
            "The first result is log p(x), which is finite even where p(x) underflows.",
        ),
        WrongAnswer(
            "posterior-in-logs",
            lambda log_prior, log_likelihood: (
                posterior_from_logs(log_prior, log_likelihood)[0],
                log_prior[:, None]
                + log_likelihood
                - posterior_from_logs(log_prior, log_likelihood)[0],
            ),
            "The second result is log p(z|x); exponentiate it, now that nothing can underflow "
            "that matters.",
        ),
        WrongAnswer(
            "likelihood-over-evidence",
            lambda log_prior, log_likelihood: (
                posterior_from_logs(log_prior, log_likelihood)[0],
                np.exp(log_likelihood - posterior_from_logs(log_prior, log_likelihood)[0]),
            ),
            "p(x|z) / p(x) lacks the factor p(z).",
        ),
        WrongAnswer(
            "swapped",
            lambda log_prior, log_likelihood: posterior_from_logs(log_prior, log_likelihood)[::-1],
            "The two results are swapped: first log p(x), then p(z|x).",
        ),
    ),
    hints=(
        "The log of the joint is a sum of two logs, and the evidence a sum of joints.",
        "log p(x) is eq. (7) down each column of log_prior[:, None] + log_likelihood.",
        "Subtract log p(x) from the log joint; what is left exponentiates safely: it is at most 1.",
    ),
)

# ---- 01.story ------------------------------------------------------------------------------------


def _judge_story(answer):
    """None for two tables that are distributions, with an x that a rare cause explains best."""
    if not isinstance(answer, tuple | list) or len(answer) != 2:
        return "expected a pair: the table p(z), and the table p(x|z)"
    try:
        prior, likelihood = (np.asarray(a, float) for a in answer)
    except (TypeError, ValueError):
        return "expected two tables of numbers, every row of the second equally long"
    if prior.ndim != 1 or likelihood.ndim != 2 or len(prior) != len(likelihood):
        shapes = f"the shapes are {prior.shape} and {likelihood.shape}"
        return f"{shapes}; expected (Z,) and (Z, X), one row for each z"
    if len(prior) < 2 or likelihood.shape[1] < 2:
        return "expected at least two z and at least two x"
    return _not_distributions(prior, likelihood) or _without_a_rare_cause(prior, likelihood)


def _not_distributions(prior, likelihood):
    for name, table in (("p(z)", prior), ("p(x|z)", likelihood)):
        if not (np.isfinite(table).all() and (table >= 0).all() and (table <= 1).all()):
            return f"{name} holds a number that is no probability"
    if (prior == 0).any():
        return "p(z) holds a 0: a z that never occurs is no cause of anything"
    if abs(prior.sum() - 1) > 1e-6:
        return f"p(z) sums to {prior.sum():.6g}; expected 1"
    sums = likelihood.sum(axis=1)
    off = np.abs(sums - 1) > 1e-6
    if not off.any():
        return None
    z = int(off.argmax())
    clue = "; it is the columns that sum to 1" if np.allclose(likelihood.sum(axis=0), 1) else ""
    return f"row {z} of p(x|z) sums to {sums[z]:.6g}; expected 1: given z, some x occurs{clue}"


def _without_a_rare_cause(prior, likelihood):
    joint = prior[:, None] * likelihood
    best = likelihood >= likelihood.max(axis=0) * (1 - 1e-9)  # the z under which x is likeliest
    of_best = np.where(best, joint, 0).max(axis=0)
    if (joint.max(axis=0) > of_best * (1 + 1e-9)).any():
        return None
    return (
        "it is a story, but for every x the z that makes x likeliest is also the likeliest given x"
    )


STORY = Exercise(
    id="01.story",
    title="two tables with a rare cause",
    stub=stub("""
        # p(z) with Z >= 2 entries, and p(x|z) with one row for each z. For at least one x, the z
        # under which x is likeliest must not be the likeliest z once x has been seen.
        my_story = ...    # (p_z, p_x_given_z): lists or arrays
    """),
    reference=([0.99, 0.01], [[0.9, 0.1], [0.2, 0.8]]),
    judge=_judge_story,
    mistakes=(
        WrongAnswer(
            "equal-causes",
            ([0.5, 0.5], [[0.9, 0.1], [0.2, 0.8]]),
            "Under a uniform prior the posterior is proportional to the likelihood, so the best z "
            "is the same for both. Make one cause rare.",
        ),
        WrongAnswer(
            "not-rare-enough",
            ([0.6, 0.4], [[0.9, 0.1], [0.2, 0.8]]),
            "The prior has to outweigh the likelihood: compare p(z) p(x|z) for the two z.",
        ),
        WrongAnswer(
            "columns",
            ([0.99, 0.01], [[0.9, 0.2], [0.1, 0.8]]),
            "Each row belongs to one z and is a distribution over x; here it is the columns.",
        ),
        WrongAnswer(
            "joint",
            ([0.99, 0.01], [[0.891, 0.099], [0.002, 0.008]]),
            "This is the joint p(x, z), whose entries sum to 1 all together; each row of p(x|z) "
            "does so by itself.",
        ),
        WrongAnswer(
            "effect-of-nothing",
            ([0.99, 0.01], [[0.7, 0.3], [0.7, 0.3]]),
            "The rows are equal: x is independent of z and tells nothing about it.",
        ),
    ),
    hints=(
        "A test for a rare disease: z is the disease, x the result.",
        "Given the disease a positive result is likely; given health it is unlikely, but most "
        "people are healthy.",
        "One sick in a hundred, a test that is right for 80 per cent of the sick and 90 per cent "
        "of the healthy: compare 0.01 * 0.8 with 0.99 * 0.1.",
    ),
    solution_text=stub("""
        my_story = ([0.99, 0.01], [[0.9, 0.1], [0.2, 0.8]])
        # z: healthy, ill; x: test negative, positive. A positive test is likeliest for the ill, and
        # yet most who test positive are healthy: 0.99 * 0.1 is far more than 0.01 * 0.8.
    """),
)

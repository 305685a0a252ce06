"""The best discriminator, and the divergence that it measures."""

import numpy as np

from minivae.exercises.exercise import Exercise, WrongAnswer, stub

# ---- 11.optimal ----------------------------------------------------------------------------------


def best_discriminator(p, q):
    """D*(x) = p(x) / (p(x) + q(x))     [notebook 11, eq. 2]"""
    return p / (p + q)


def _optimal_cases():
    return [
        (np.array([0.6]), np.array([0.2])),
        (np.array([0.1, 0.9, 0.5]), np.array([0.3, 0.4, 0.5])),
        (np.array([0.0, 0.7]), np.array([0.5, 0.0])),
    ]


OPTIMAL = Exercise(
    id="11.optimal",
    title="the best discriminator",
    stub=stub("""
        def best_discriminator(p, q):    # densities at N points: of real x (N,), of generated (N,)
            ...                          # -> D*(x) (N,)
    """),
    reference=best_discriminator,
    cases=_optimal_cases,
    mistakes=(
        WrongAnswer(
            "of-the-generated",
            lambda p, q: q / (p + q),
            "This is the probability that x was generated; D says how likely it is real.",
        ),
        WrongAnswer(
            "ratio",
            lambda p, q: p / np.maximum(q, 1e-300),
            "p / q is a ratio of densities, and may exceed 1; D is a probability.",
        ),
        WrongAnswer(
            "half",
            lambda p, q: (p + q) / 2,
            "This is the mixture of both densities. Which share of it is real at x?",
        ),
        WrongAnswer(
            "logit",
            lambda p, q: np.log(np.maximum(p, 1e-300) / np.maximum(q, 1e-300)),
            "This is the score, the logit of D*; pass it through a sigmoid.",
        ),
        WrongAnswer(
            "guess",
            lambda p, q: np.full(len(p), 0.5),
            "One half is right only where p = q.",
        ),
    ),
    hints=(
        "At one x the discriminator maximises p log D + q log(1 - D).",
        "Set the derivative by D to zero: p / D = q / (1 - D).",
        "p / (p + q).",
    ),
)

# ---- 11.jensen-shannon ---------------------------------------------------------------------------


def jensen_shannon(p, q):
    """JS = (KL(p || m) + KL(q || m)) / 2 with m = (p + q) / 2     [notebook 11, eq. 3]"""
    m = (p + q) / 2
    return sum(np.sum(a[a > 0] * np.log(a[a > 0] / m[a > 0])) for a in (p, q)) / 2


def _js_cases():
    return [
        (np.array([0.5, 0.5]), np.array([0.2, 0.8])),
        (np.array([0.1, 0.6, 0.3]), np.array([0.4, 0.4, 0.2])),
        (np.array([1.0, 0.0]), np.array([0.0, 1.0])),  # nothing in common: log 2
    ]


def _kl(p, q):
    there = p > 0
    return np.sum(p[there] * np.log(p[there] / np.maximum(q[there], 1e-300)))


JENSEN_SHANNON = Exercise(
    id="11.jensen-shannon",
    title="the divergence that the best discriminator measures",
    stub=stub("""
        def jensen_shannon(p, q):    # two tables of probabilities (N,), zeros allowed
            ...                      # -> JS(p, q) in nats, one float; 0 log 0 is 0
    """),
    reference=jensen_shannon,
    cases=_js_cases,
    mistakes=(
        WrongAnswer(
            "kl-to-q",
            _kl,
            "This is KL(p || q), infinite where q is 0; here both are compared with their mixture.",
        ),
        WrongAnswer(
            "mean-of-kls",
            lambda p, q: (_kl(p, q) + _kl(q, p)) / 2,
            "The mean of both KLs is another divergence: compare each with the mixture m.",
        ),
        WrongAnswer(
            "half-forgotten",
            lambda p, q: 2 * jensen_shannon(p, q),
            "The two KLs are averaged: divide their sum by 2.",
        ),
        WrongAnswer(
            "mixture-not-halved",
            lambda p, q: jensen_shannon(p, q) - np.log(2),
            "The mixture is (p + q) / 2; p + q sums to 2, and the result is log 2 too low.",
        ),
        WrongAnswer(
            "value",
            lambda p, q: 2 * jensen_shannon(p, q) - np.log(4),
            "This is the value of the game, V = 2 JS - log 4; the question was JS.",
        ),
        WrongAnswer(
            "zero-is-nan",
            lambda p, q: (
                (np.sum(p * np.log(p / ((p + q) / 2))) + np.sum(q * np.log(q / ((p + q) / 2)))) / 2
            ),
            "Right, but 0 log 0 comes out as NaN: leave out the entries that are 0.",
        ),
    ),
    hints=(
        "First the mixture m = (p + q) / 2.",
        "JS = (KL(p || m) + KL(q || m)) / 2.",
        "For each of p and q: sum a log(a / m) over the entries where a > 0; half the sum of both.",
    ),
)

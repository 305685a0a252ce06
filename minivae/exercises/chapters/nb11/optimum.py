"""The best discriminator of a changed game, and what any discriminator shows of the divergence."""

import numpy as np

from minivae.exercises.exercise import Exercise, WrongAnswer, generic, stub

# ---- 11.smoothed ---------------------------------------------------------------------------------


def best_smoothed(p, q, a):
    """a p / D = (q + (1 - a) p) / (1 - D) gives D* = a p / (p + q); eq. (2) is a = 1"""
    return a * p / (p + q)


def _smoothed_cases():
    return [
        (np.array([0.61]), np.array([0.23]), 0.9),
        (np.array([0.1, 0.9, 0.5]), np.array([0.3, 0.4, 0.5]), 0.7),
        (np.array([0.0, 0.7]), np.array([0.5, 0.0]), 0.8),
        (np.array([0.4, 0.2]), np.array([0.1, 0.6]), 1.0),  # eq. (2)
        (np.array([3e-15, 2e-9]), np.array([1e-15, 5e-9]), 0.9),  # far out, both are small
    ]


SMOOTHED = Exercise(
    id="11.smoothed",
    title="the best discriminator with smoothed labels",
    stub=stub("""
        def best_smoothed(p, q, a):
            # densities at N points, of real pictures (N,) and generated (N,); 0 < a <= 1.
            # A real picture has the label a, and not 1:
            # V = E_p[a log D + (1 - a) log(1 - D)] + E_q[log(1 - D)]
            ...    # -> the best D(x) (N,)
    """),
    reference=best_smoothed,
    cases=_smoothed_cases,
    mistakes=(
        WrongAnswer(
            "not-smoothed",
            lambda p, q, a: p / (p + q),
            "This is eq. (2), for the label 1. Take the derivative of the new V at one x.",
        ),
        WrongAnswer(
            "real-weighted",
            lambda p, q, a: a * p / (a * p + q),
            "The term (1 - a) log(1 - D) of the real pictures is missing.",
        ),
        WrongAnswer(
            "both-smoothed",
            lambda p, q, a: (a * p + (1 - a) * q) / (p + q),
            "Only the label of real pictures changes; generated ones keep 0.",
        ),
        WrongAnswer(
            "other-side",
            lambda p, q, a: (q + (1 - a) * p) / (p + q),
            "This is 1 - D: how likely the best D thinks x is generated.",
        ),
        WrongAnswer(
            "constant",
            lambda p, q, a: np.full(len(p), a / 2),
            "This is right only where p = q.",
        ),
    ),
    hints=(
        "Collect the factors of log D and of log(1 - D) at one x, as in 11.2.",
        "They are a p and (1 - a) p + q; set the derivative by D to zero.",
        "The two factors add up to p + q, so D = a p / (p + q).",
    ),
)

# ---- 11.bound ------------------------------------------------------------------------------------


def js_at_least(s_real, s_fake):
    """-L_D = V(D) <= V(D*) = 2 JS - log 4, so JS >= (log 4 - L_D) / 2   [notebook 11, eqs. 3, 4]"""
    loss = np.logaddexp(0, -s_real).mean() + np.logaddexp(0, s_fake).mean()
    return (np.log(4) - loss) / 2


def _bound_cases():
    rng = np.random.default_rng(14)
    return [
        (np.array([0.5]), np.array([-0.3])),
        (generic(rng, 4) + 1, generic(rng, 3)),
        (np.array([2.0, 900.0]), np.array([-1.0, 800.0, -3.0])),
        (np.array([-900.0, 3.0]), np.array([0.4, -2.0])),
        # one of many pictures is judged badly: the bound is above 0, and no overflow may hide
        (np.append(generic(rng, 999) + 4, -900.0), generic(rng, 500) - 4),
        (generic(rng, 500) + 4, np.append(generic(rng, 999) - 4, 900.0)),
    ]


def _bound(answer, s_real, s_fake):
    """A bound below 0 says nothing that JS >= 0 does not: 0 in its place is right, too."""
    given, own = answer(s_real, s_fake), js_at_least(s_real, s_fake)
    is_zero = isinstance(given, int | float | np.number) and given == 0
    return own if is_zero and own < 0 else given


BOUND = Exercise(
    id="11.bound",
    title="what one discriminator shows about the divergence",
    stub=stub("""
        def js_at_least(s_real, s_fake):    # scores of N real pictures (N,), of M generated (M,)
            # No D reaches a larger V than D*. So what must JS(p, q) be at least, in nats,
            # if these scores are all pictures there are? Scores may be as large as 900.
            ...    # -> the bound, one float; of a bad D it is below 0
    """),
    reference=js_at_least,
    cases=_bound_cases,
    observe=_bound,
    mistakes=(
        WrongAnswer(
            "overflow",
            lambda s_real, s_fake: (
                (np.log(4) - np.log1p(np.exp(-s_real)).mean() - np.log1p(np.exp(s_fake)).mean()) / 2
            ),
            "For large scores e^s overflows, and D is rounded to 0 or 1. np.logaddexp(0, s) is "
            "log(1 + e^s) = -log(1 - D) without either.",
        ),
        WrongAnswer(
            "loss",
            lambda s_real, s_fake: np.logaddexp(0, -s_real).mean() + np.logaddexp(0, s_fake).mean(),
            "This is the discriminator's loss. How do V and JS follow from it?",
        ),
        WrongAnswer(
            "not-halved",
            lambda s_real, s_fake: 2 * js_at_least(s_real, s_fake),
            "Eq. (3) has 2 JS: divide by 2.",
        ),
        WrongAnswer(
            "log-4-forgotten",
            lambda s_real, s_fake: js_at_least(s_real, s_fake) - np.log(2),
            "V(D*) is 2 JS - log 4: the log 4 has to come back.",
        ),
        WrongAnswer(
            "sides-swapped",
            lambda s_real, s_fake: js_at_least(s_fake, s_real),
            "A real picture should have a high score, a generated one a low score: eq. (4).",
        ),
        WrongAnswer(
            "one-mean",
            lambda s_real, s_fake: (
                np.log(2) - np.logaddexp(0, np.concatenate([-s_real, s_fake])).mean()
            ),
            "Each side has a mean of its own, also when there are more pictures on one side.",
        ),
    ),
    hints=(
        "V(D) is at most V(D*) = 2 JS - log 4, whatever D is.",
        "The loss of eq. (4) is -V(D). Solve -loss <= 2 JS - log 4 for JS.",
        "loss = np.logaddexp(0, -s_real).mean() + np.logaddexp(0, s_fake).mean(), and "
        "(np.log(4) - loss) / 2.",
    ),
)

"""Two bugs: one to find in code, one to name from what a gradient check says."""

import inspect

import numpy as np

from minivae.exercises.exercise import Exercise, WrongAnswer, generic, stub

# ---- 06.bug --------------------------------------------------------------------------------------


def encoder_gradients(dz, mu, logvar, eps, h, mu_W, logvar_W):
    # "The encoder is the decoder's mirror image." A gradient check: mu_W right, logvar_W right,
    # and every block below them wrong.
    B = len(mu)
    dmu = dz + mu / B
    dlogvar = dz * eps * np.exp(logvar / 2) / 2 + (np.exp(logvar) - 1) / 2 / B
    dmu_W, dlogvar_W = h.T @ dmu, h.T @ dlogvar
    dh = dmu @ mu_W.T
    dh = dlogvar @ logvar_W.T
    return dmu_W, dlogvar_W, dh * (1 - h**2)


def mended_encoder_gradients(dz, mu, logvar, eps, h, mu_W, logvar_W):
    B = len(mu)
    dmu = dz + mu / B
    dlogvar = dz * eps * np.exp(logvar / 2) / 2 + (np.exp(logvar) - 1) / 2 / B
    dmu_W, dlogvar_W = h.T @ dmu, h.T @ dlogvar
    dh = dmu @ mu_W.T
    dh = dh + dlogvar @ logvar_W.T  # added: both heads read the same h
    return dmu_W, dlogvar_W, dh * (1 - h**2)


def _bug_cases():
    rng = np.random.default_rng(65)
    h = np.round(np.tanh(generic(rng, 4, 3)), 2)
    return [
        tuple(np.array([[v]]) for v in (0.6, 1.0, 0.5, 0.3, 0.4, 0.7, -0.2)),
        (*(generic(rng, 4, 2) for _ in range(4)), h, generic(rng, 3, 2), generic(rng, 3, 2)),
    ]


def _with_da(change):
    """The mended code with another last result: change(dh from mu, dh from logvar, h)."""

    def wrong(dz, mu, logvar, eps, h, mu_W, logvar_W):
        dmu_W, dlogvar_W, _ = mended_encoder_gradients(dz, mu, logvar, eps, h, mu_W, logvar_W)
        dmu = dz + mu / len(mu)
        dlogvar = dz * eps * np.exp(logvar / 2) / 2 + (np.exp(logvar) - 1) / 2 / len(mu)
        return dmu_W, dlogvar_W, change(dmu @ mu_W.T, dlogvar @ logvar_W.T, h)

    return wrong


BUG = Exercise(
    id="06.bug",
    title="find the bug: right heads, wrong encoder",
    stub=inspect.getsource(encoder_gradients).rstrip(),
    reference=mended_encoder_gradients,
    given=encoder_gradients,
    cases=_bug_cases,
    returns=("dmu_W", "dlogvar_W", "da"),
    mistakes=(
        WrongAnswer(
            "the-other-head",
            _with_da(lambda a, b, h: a * (1 - h**2)),
            "Now the term of logvar's head is lost instead of that of mu's: h goes into both.",
        ),
        WrongAnswer(
            "averaged",
            _with_da(lambda a, b, h: (a + b) / 2 * (1 - h**2)),
            "The two terms have to be added, not averaged.",
        ),
        WrongAnswer(
            "slope-lost",
            _with_da(lambda a, b, h: a + b),
            "The two terms are added now, but the slope of tanh is missing.",
        ),
        WrongAnswer(
            "slope-on-one",
            _with_da(lambda a, b, h: a + b * (1 - h**2)),
            "The slope of tanh multiplies the whole sum: a bracket is missing.",
        ),
        WrongAnswer(
            "slope-twice",
            _with_da(lambda a, b, h: (a * (1 - h**2) + b) * (1 - h**2)),
            "The slope of tanh is applied twice to the term of mu's head.",
        ),
    ),
    hints=(
        "dmu_W and dlogvar_W are right, so the bug is in a later line.",
        "How many lines assign dh, and what happens to the first value?",
        "dh = dh + dlogvar @ logvar_W.T.",
    ),
)

# ---- 06.name-the-bug -----------------------------------------------------------------------------


SUSPECTS = (
    "dense-tanh-derivative-lost",
    "elbo-likelihood-summed-over-batch",
    "elbo-kl-path-to-mu-lost",
    "reparam-half-lost",
    "reparam-fresh-noise",
    "elbo-one-head-into-h",
)


def _judge_name(answer):
    if not isinstance(answer, str):
        return f"expected one name: {', '.join(SUSPECTS)}"
    if answer not in SUSPECTS:
        return f"this is not one of {', '.join(SUSPECTS)}"
    if answer != "reparam-fresh-noise":
        return "with that mistake the check would say something else"
    return None


NAME_THE_BUG = Exercise(
    id="06.name-the-bug",
    title="from the symptom to the mistake",
    stub=stub("""
        # A gradient check of a whole VAE says: the decoder is right, mu's head is right, logvar's
        # head and all before it are wrong. Run again, the wrong blocks are wrong by other numbers.
        # Which mistake is it?  "dense-tanh-derivative-lost", "elbo-likelihood-summed-over-batch",
        # "elbo-kl-path-to-mu-lost", "reparam-half-lost", "reparam-fresh-noise" or
        # "elbo-one-head-into-h"
        which = ...
    """),
    reference="reparam-fresh-noise",
    judge=_judge_name,
    mistakes=(
        WrongAnswer(
            "half",
            "reparam-half-lost",
            "This mistake makes the same blocks wrong, but by the same numbers in every run.",
        ),
        WrongAnswer(
            "head",
            "elbo-one-head-into-h",
            "With this mistake both heads would be right: dh is computed after them.",
        ),
        WrongAnswer(
            "kl",
            "elbo-kl-path-to-mu-lost",
            "With this mistake mu's head would be wrong; here it is right.",
        ),
        WrongAnswer(
            "batch",
            "elbo-likelihood-summed-over-batch",
            "With this mistake the decoder would be wrong, by a factor of exactly B.",
        ),
        WrongAnswer(
            "tanh",
            "dense-tanh-derivative-lost",
            "With this mistake the decoder's hidden layer would be wrong too.",
        ),
    ),
    hints=(
        "Which line affects logvar's gradient and not mu's?",
        "A formula gives the same number each time. What in this line does not?",
        "The backward pass draws its own noise.",
    ),
    solution_text=stub("""
        which = "reparam-fresh-noise"
        # dlogvar = dz eps sigma / 2 is the only line of the backward pass that uses the noise. If
        # the noise is drawn again there, the gradient belongs to another z than the loss does.
    """),
)

"""Two heads read one hidden layer: their gradients add up."""

import numpy as np

from minivae.exercises.exercise import Exercise, WrongAnswer, generic, stub

# ---- 06.heads-backward ---------------------------------------------------------------------------


def heads_backward(dmu, dlogvar, mu_W, logvar_W):
    """Both heads read the same y1, so its gradient has two terms   [notebook 06, eq. 9]"""
    return dmu @ mu_W.T + dlogvar @ logvar_W.T


def _heads_cases():
    rng = np.random.default_rng(62)
    return [
        tuple(np.array([[v]]) for v in (0.6, -0.4, 0.5, 0.3)),
        (generic(rng, 4, 2), generic(rng, 4, 2), generic(rng, 3, 2), generic(rng, 3, 2)),
    ]


HEADS_BACKWARD = Exercise(
    id="06.heads-backward",
    title="two heads, one hidden layer",
    stub=stub("""
        def heads_backward(dmu, dlogvar, mu_W, logvar_W):    # (B, L), (B, L), (H, L), (H, L)
            ...                                              # -> dy1 (B, H)
    """),
    reference=heads_backward,
    cases=_heads_cases,
    mistakes=(
        WrongAnswer(
            "logvar-forgotten",
            lambda dmu, dlogvar, mu_W, logvar_W: dmu @ mu_W.T,
            "The term of logvar's head is missing: y1 goes into both heads, so both add to dy1.",
        ),
        WrongAnswer(
            "mu-forgotten",
            lambda dmu, dlogvar, mu_W, logvar_W: dlogvar @ logvar_W.T,
            "The term of mu's head is missing (was it overwritten by the other one?).",
        ),
        WrongAnswer(
            "mean",
            lambda dmu, dlogvar, mu_W, logvar_W: (dmu @ mu_W.T + dlogvar @ logvar_W.T) / 2,
            "The two terms are averaged; add them.",
        ),
        WrongAnswer(
            "swapped",
            lambda dmu, dlogvar, mu_W, logvar_W: dmu @ logvar_W.T + dlogvar @ mu_W.T,
            "The weights are swapped: each gradient goes back through its own head's weights.",
        ),
        WrongAnswer(
            "gradients-added-first",
            lambda dmu, dlogvar, mu_W, logvar_W: (dmu + dlogvar) @ mu_W.T,
            "The gradients are added too early: each goes back through its own weights first.",
        ),
        WrongAnswer(
            "both-mixed",
            lambda dmu, dlogvar, mu_W, logvar_W: (dmu + dlogvar) @ (mu_W + logvar_W).T,
            "This has two cross terms too many: dmu with logvar_W and dlogvar with mu_W.",
        ),
        WrongAnswer(
            "not-transposed",
            lambda dmu, dlogvar, mu_W, logvar_W: dmu @ mu_W + dlogvar @ logvar_W,
            "The weights have to be transposed on the way back.",
        ),
        WrongAnswer(
            "difference",
            lambda dmu, dlogvar, mu_W, logvar_W: dmu @ mu_W.T - dlogvar @ logvar_W.T,
            "One of the two terms is subtracted; add them.",
        ),
    ),
    hints=(
        "y1 is used twice. What does the chain rule say about a variable that is used twice?",
        "Back through each head: its gradient times its weights transposed.",
        "dmu @ mu_W.T + dlogvar @ logvar_W.T.",
    ),
)

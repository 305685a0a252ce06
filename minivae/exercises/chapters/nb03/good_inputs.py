"""Which inputs tell wrong formulas of the KL from the right one."""

import numpy as np

from minivae.exercises.chapters.nb03.kl import WRONG_KLS, gaussian_kl
from minivae.exercises.exercise import Exercise, WrongAnswer, stub


def _judge_inputs(answer):
    """None if the right KL and all thirteen wrong ones give different values at this input."""
    if not isinstance(answer, tuple | list) or len(answer) != 2:
        return "expected a pair: (mu, logvar)"
    mu, logvar = (np.asarray(a) for a in answer)
    if mu.dtype.kind not in "if" or logvar.dtype.kind not in "if":
        return "expected two arrays of real numbers"
    if mu.ndim != 2 or mu.shape != logvar.shape or mu.size == 0 or mu.size > 1000:
        return f"the shapes are {mu.shape} and {logvar.shape}; expected (B, L), the same for both"
    if not (np.isfinite(mu).all() and np.isfinite(logvar).all() and (np.abs(logvar) < 20).all()):
        return "expected finite numbers, and logvar between -20 and 20"
    values = {m.name: m.wrong(mu, logvar) for m in WRONG_KLS}
    right = gaussian_kl(mu, logvar)
    slip = [name for name, value in values.items() if np.allclose(value, right, rtol=1e-6)]
    if slip:
        return f"{len(slip)} of 13 wrong KLs give the right value here: {', '.join(slip)}"
    names = list(values)
    for i, a in enumerate(names):
        for b in names[i + 1 :]:
            if np.allclose(values[a], values[b], rtol=1e-6):
                return f"all thirteen are caught, but {a} and {b} give the same value here"
    return None


_ONE = np.ones((1, 1))

TELL_APART = Exercise(
    id="03.tell-apart",
    title="choose the input that tells thirteen wrong KLs apart",
    stub=stub("""
        # One input (mu, logvar), each (B, L), at which thirteen wrong KLs (the half dropped, a sign
        # flipped, exp(logvar / 2) for exp(logvar), ...) differ from the right one and each other.
        inputs = ...
    """),
    reference=(
        np.array([[0.7, -1.3], [0.2, 0.9], [-0.4, 1.6]]),
        np.array([[0.3, -0.8], [-1.1, 0.5], [0.6, 0.1]]),
    ),
    judge=_judge_inputs,
    mistakes=(
        WrongAnswer(
            "zeros",
            (0 * _ONE, 0 * _ONE),
            "At mu = 0, logvar = 0 almost every wrong formula gives 0 as well: a check there "
            "shows nothing.",
        ),
        WrongAnswer(
            "ones-and-zeros",
            (_ONE, 0 * _ONE),
            "At logvar = 0 every power of sigma is 1, and at mu = 1 a missing square does not "
            "show.",
        ),
        WrongAnswer(
            "ones",
            (_ONE, _ONE),
            "1 is its own square: at mu = 1 a missing square does not show.",
        ),
        WrongAnswer(
            "one-entry",
            (np.array([[0.7]]), np.array([[0.3]])),
            "With a single latent, sum and mean are the same: take at least two.",
        ),
    ),
    hints=(
        "Special numbers hide mistakes: 0 hides signs, 1 hides squares.",
        "With one latent, sum and mean are the same. How many latents do you need at least?",
        "Any two arrays of shape (3, 2) with nothing special about them.",
    ),
    solution_text=stub("""
        inputs = (
            np.array([[0.7, -1.3], [0.2, 0.9], [-0.4, 1.6]]),
            np.array([[0.3, -0.8], [-1.1, 0.5], [0.6, 0.1]]),
        )
        # Generic, non-square, no zeros and no ones: what a good test input looks like.
    """),
)

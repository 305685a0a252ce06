"""At which inputs a wrong formula of the KL gives the right value."""

import numpy as np

from minivae.exercises.chapters.nb03.kl import WRONG_KLS, gaussian_kl
from minivae.exercises.exercise import Exercise, WrongAnswer, stub

HIDDEN = "mu-not-squared"


def _judge_inputs(answer):
    """None if one of the thirteen wrong KLs is right at this input, the one named HIDDEN."""
    if not isinstance(answer, tuple | list) or len(answer) != 2:
        return "expected a pair: (mu, logvar)"
    mu, logvar = (np.asarray(a) for a in answer)
    if mu.dtype.kind not in "iuf" or logvar.dtype.kind not in "iuf":
        return "expected two arrays of real numbers"
    mu, logvar = mu.astype(float), logvar.astype(float)
    if mu.ndim != 2 or len(mu) != 1 or mu.shape != logvar.shape or not 0 < mu.size <= 1000:
        return f"the shapes are {mu.shape} and {logvar.shape}; expected (1, L), the same for both"
    if not ((np.abs(mu) < 1e3).all() and (np.abs(logvar) < 20).all()):
        return "expected finite numbers: mu between -1000 and 1000, logvar between -20 and 20"
    if np.isclose(mu, 0).any() or np.isclose(mu, 1).any():
        return "mu has an entry that is 0 or 1"
    right = gaussian_kl(mu, logvar)
    seen = {m.name: not np.allclose(m.wrong(mu, logvar), right, rtol=1e-6) for m in WRONG_KLS}
    if seen.pop(HIDDEN):
        return "mu in place of mu^2 gives another value than the right KL here"
    slip = [name for name, differs in seen.items() if not differs]
    if slip:
        return f"the missing square hides here, but so does: {', '.join(slip)}"
    return None


BLIND_SPOT = Exercise(
    id="03.blind-spot",
    title="an input at which exactly one mistake hides",
    stub=stub("""
        # One input (mu, logvar), each (1, L), no entry of mu 0 or 1: mu in place of mu^2 gives the
        # right KL here, and each of the other twelve mistakes a wrong one.
        blind = ...    # (mu, logvar)
    """),
    reference=(np.array([[1.5, 0.5, 0.5, 0.5]]), np.array([[0.3, -0.8, 0.7, 0.4]])),
    judge=_judge_inputs,
    mistakes=(
        WrongAnswer(
            "ones",
            (np.ones((1, 2)), np.array([[0.3, -0.8]])),
            "At mu = 1 the missing square hides, and the exercise asks for other numbers: it is "
            "the sums over the latents that have to agree.",
        ),
        WrongAnswer(
            "generic",
            (np.array([[0.7, -1.3]]), np.array([[0.3, -0.8]])),
            "This is a good input for a check: no mistake hides here. You are asked for a blind "
            "spot.",
        ),
        WrongAnswer(
            "one-latent",
            (np.array([[0.7]]), np.array([[0.3]])),
            "With one latent mu = mu^2 holds at 0 and 1 only. Take more, and let the differences "
            "cancel.",
        ),
        WrongAnswer(
            "logvar-zero",
            (np.array([[1.5, 0.5, 0.5, 0.5]]), np.zeros((1, 4))),
            "At logvar = 0 more than half of the others hide as well: take other numbers there.",
        ),
    ),
    hints=(
        "The mistake sums mu, the right formula sums mu^2. With several latents these two sums can "
        "be equal.",
        "mu^2 - mu is -0.25 at 0.5 and 0.75 at 1.5: combine latents so that these cancel.",
        "mu = 1.5 and three times 0.5, with logvar at numbers that have nothing special about "
        "them.",
    ),
    solution_text=stub("""
        blind = (np.array([[1.5, 0.5, 0.5, 0.5]]), np.array([[0.3, -0.8, 0.7, 0.4]]))
        # The sum of mu is 3, and that of mu^2 is 2.25 + 0.75 = 3 too.
    """),
)

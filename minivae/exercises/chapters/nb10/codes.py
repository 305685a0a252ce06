"""Codes to build: one that hides what it holds from every axis, and one that fools the gap."""

import numpy as np

from minivae.exercises.exercise import Exercise, WrongAnswer, generic, stub

# ---- 10.hide -------------------------------------------------------------------------------------

MOST_LATENTS = 6
LITTLE, MUCH = 0.1, 0.9  # of a factor's variance


def hide(v, sign):
    """The product of latent 0 and latent f is factor f; alone, each looks like nothing"""
    return np.column_stack([sign, sign[:, None] * v])


def _explained(columns, v):
    """The R^2 of each factor by least squares on these columns and a constant."""
    A = np.column_stack([np.ones(len(v)), *columns])
    residual = v - A @ np.linalg.lstsq(A, v, rcond=None)[0]
    return 1 - residual.var(axis=0) / v.var(axis=0)


def _hidden(answer, v, sign):
    given, v = v, v.copy()  # an answer that changes what it is given is told so by `check`
    code = np.asarray(answer(given, sign), float)
    right_shape = code.ndim == 2 and len(code) == len(v) and 1 <= code.shape[1] <= MOST_LATENTS
    if not (right_shape and np.isfinite(code).all()):
        return False, False, False, False, False
    z = list(code.T)
    products = [z[i] * z[j] for i in range(len(z)) for j in range(i, len(z))]
    no_sum = bool((_explained(z, v) < LITTLE).all())
    no_latent = all((_explained([c, c * c], v) < LITTLE).all() for c in z)
    read = _explained(z + products, v) > MUCH
    return True, no_sum, no_latent, bool(read[0]), bool(read[1])


def _hide_cases():
    """Enough cats, in no order, for answers that draw more signs or take them from the row."""
    rng = np.random.default_rng(108)
    cases = []
    for levels in ([-1.2, -0.4, 0.4, 1.2], [-1.5, -0.8, -0.1, 0.6, 1.6]):
        grid = np.array([(a, b, s) for a in levels for b in levels for s in (-1.0, 1.0)])
        rows = rng.permutation(np.tile(grid, (30, 1)))
        cases.append((rows[:, :2] - rows[:, :2].mean(axis=0), rows[:, 2]))
    return cases


def _root(v, sign):
    return sign[:, None] * np.sqrt(v - v.min(axis=0) + 0.1)


HIDE = Exercise(
    id="10.hide",
    title="a code that holds a factor, but along no axis",
    stub=stub("""
        def hide(v, sign):    # factors (N, 2), mean 0; sign (N,), coin flips, -1 or 1, free to use
            ...               # -> codes (N, L), L at most 6
    """),
    reference=hide,
    cases=_hide_cases,
    observe=_hidden,
    returns=(
        "one row for each cat, of at most six finite latents",
        "no weighted sum tells",
        "no single latent tells, nor its square",
        "the probe reads factor 0",
        "the probe reads factor 1",
    ),
    mistakes=(
        WrongAnswer(
            "the-factors",
            lambda v, sign: v,
            "A single latent tells of a factor here, and so does a weighted sum. A factor may be "
            "read from the product of two latents only.",
        ),
        WrongAnswer(
            "masked",
            lambda v, sign: np.column_stack([5 * sign, v + 5 * sign[:, None]]),
            "No latent tells alone, but a weighted sum does: it takes one latent from another.",
        ),
        WrongAnswer(
            "signed-roots",
            lambda v, sign: _root(v, sign),
            "A weighted sum finds nothing, but the square of a single latent tells.",
        ),
        WrongAnswer(
            "key-lost",
            lambda v, sign: sign[:, None] * v,
            "No product of two latents gives the factors back: they are lost, or what hides them "
            "is not in the code.",
        ),
        WrongAnswer(
            "too-many",
            lambda v, sign: np.tile(hide(v, sign), 3),
            "At most six latents, one row for each cat, and no number that is infinite or NaN.",
        ),
    ),
    hints=(
        "The probe sees products of two latents. Which two numbers have v as their product?",
        "A latent that flips its sign at random tells nothing of v by itself: sign * v.",
        "Store the sign, too: then (sign) * (sign * v) = v.",
    ),
)

# ---- 10.fool-the-gap -----------------------------------------------------------------------------


def fool_the_gap(v):
    """Each factor twice: the second best latent knows as much as the best"""
    return np.concatenate([v, 2 * v], axis=1)


def _findings(answer, v):
    """What is judged of a code; the gap counts as 0 where it is small enough."""
    given, v = v, v.copy()
    code = np.asarray(answer(given), float)
    if code.ndim != 2 or len(code) != len(v) or code.shape[1] < 6:
        return False, False, 1.0
    ranks = code.argsort(axis=0).argsort(axis=0)
    own = v.argsort(axis=0).argsort(axis=0)
    follows = (ranks[:, :, None] == own[:, None]).all(axis=0)  # (L, F): an increasing function
    one_each = follows.any(axis=1).all() and follows.any(axis=0).all()
    # a latent that follows a factor knows all of it, the others know about nothing
    gap = np.mean(follows.sum(axis=0) == 1)
    return True, bool(one_each), float(gap) if gap >= 0.1 else 0.0


def _fool_cases():
    rng = np.random.default_rng(107)
    small, large, wide = generic(rng, 8, 6), generic(rng, 12, 6), 3 * generic(rng, 12, 6)
    return [(small,), (large,), (wide,)]


FOOL_THE_GAP = Exercise(
    id="10.fool-the-gap",
    title="a code that fools the gap",
    stub=stub("""
        def fool_the_gap(v):    # factors (N, 6), independent -> codes (N, L)
            ...
    """),
    reference=fool_the_gap,
    cases=_fool_cases,
    observe=_findings,
    returns=(
        "one row for each cat, of six latents or more",
        "each follows one factor, none left out",
        "gap (below 0.1 it counts as 0)",
    ),
    mistakes=(
        WrongAnswer(
            "the-factors",
            lambda v: v,
            "Each factor has one latent and no rival: that is the largest gap, not a small one.",
        ),
        WrongAnswer(
            "mixed",
            lambda v: v @ np.linalg.qr(np.arange(36).reshape(6, 6) % 7 + np.eye(6))[0],
            "Each latent must be a strictly increasing function of a single factor, and each "
            "factor must have a latent.",
        ),
        WrongAnswer(
            "too-few",
            lambda v: v[:, :3],
            "A code of at least six latents, one row a cat, is asked for.",
        ),
        WrongAnswer(
            "one-twice",
            lambda v: np.concatenate([v, v[:, :1]], axis=1),
            "Only one factor has a rival; the others still have their full gap.",
        ),
    ),
    hints=(
        "The gap subtracts the second best latent. Give every best one an equal.",
        "Twelve latents: each factor twice.",
        "np.concatenate([v, v], axis=1).",
    ),
)

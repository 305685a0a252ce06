"""The gradient of the total correlation, and a code that fools the gap."""

import numpy as np

from minivae.exercises.exercise import Exercise, WrongAnswer, generic, stub

# ---- 10.tc-gradient ------------------------------------------------------------------------------


def _softmax(A):
    w = np.exp(A - A.max(axis=1, keepdims=True))
    return w / w.sum(axis=1, keepdims=True)


def _pieces(z, mu, logvar):
    """The log densities A (B, B, L) without their constant, and u (B, B, L)."""
    difference = z[:, None] - mu
    u = difference * np.exp(-logvar)
    return -(difference * u + logvar) / 2, u


def tc_gradient(z, mu, logvar):
    """sum_i (softmax_j of the sum - softmax_j of each) u_ijl"""
    difference = z[:, None] - mu
    u = difference * np.exp(-logvar)
    A = -(difference * u + logvar) / 2

    def shares(a):
        w = np.exp(a - a.max(axis=1, keepdims=True))
        return w / w.sum(axis=1, keepdims=True)

    excess = shares(A.sum(axis=2, keepdims=True)) - shares(A)
    return (excess * u).sum(axis=0)


def _tc_cases():
    rng = np.random.default_rng(106)
    cases = []
    for B, L in ((2, 2), (3, 2), (4, 3)):
        mu, logvar = generic(rng, B, L), generic(rng, B, L) * 0.5
        cases.append((mu + 0.3 * generic(rng, B, L), mu, logvar))
    return cases


def _combine(combine):
    def answer(z, mu, logvar):
        A, u = _pieces(z, mu, logvar)
        return combine(_softmax(A.sum(axis=2, keepdims=True)), _softmax(A), u, logvar)

    return answer


TC_GRADIENT = Exercise(
    id="10.tc-gradient",
    title="the gradient of the total correlation",
    stub=stub("""
        def tc_gradient(z, mu, logvar):    # (B, L) each -> d (sum_i tc_i) / d mu, (B, L);
            ...                            # z is held fixed
    """),
    reference=tc_gradient,
    cases=_tc_cases,
    mistakes=(
        WrongAnswer(
            "wrong-sum",
            _combine(lambda joint, each, u, logvar: ((joint - each) * u).sum(axis=1)),
            "This sums over j, the posteriors; mu_j is shared by all i, so sum over i (axis 0).",
        ),
        WrongAnswer(
            "sign",
            _combine(lambda joint, each, u, logvar: ((each - joint) * u).sum(axis=0)),
            "The sign is wrong: the joint term comes first in eq. (7), and dA / dmu is +u.",
        ),
        WrongAnswer(
            "joint-alone",
            _combine(lambda joint, each, u, logvar: (joint * u).sum(axis=0)),
            "This is the gradient of the joint term alone; the marginals are missing.",
        ),
        WrongAnswer(
            "marginals-alone",
            _combine(lambda joint, each, u, logvar: -(each * u).sum(axis=0)),
            "This is the gradient of the marginals alone; the joint term is missing.",
        ),
        WrongAnswer(
            "not-divided",
            _combine(
                lambda joint, each, u, logvar: ((joint - each) * u * np.exp(logvar)).sum(axis=0)
            ),
            "u is (z - mu) / sigma^2; the division by the variance is missing.",
        ),
        WrongAnswer(
            "softmax-over-i",
            lambda z, mu, logvar: _over_i(z, mu, logvar),
            "The softmax runs over i here; for each z_i it runs over the posteriors j.",
        ),
        WrongAnswer(
            "mean",
            _combine(lambda joint, each, u, logvar: ((joint - each) * u).mean(axis=0)),
            "This is the gradient of the mean over the batch; asked for is that of the sum.",
        ),
    ),
    hints=(
        "The slope of log sum exp is the softmax; which A does mu_jl enter?",
        "Eq. (8): G is the softmax of the summed A minus the softmax of each; times u; sum over i.",
        "((softmax(A.sum(2, keepdims=True)) - softmax(A)) * u).sum(axis=0), softmax over axis 1.",
    ),
)


def _over_i(z, mu, logvar):
    A, u = _pieces(z, mu, logvar)
    joint = _softmax(A.sum(axis=2, keepdims=True).transpose(1, 0, 2)).transpose(1, 0, 2)
    each = _softmax(A.transpose(1, 0, 2)).transpose(1, 0, 2)
    return ((joint - each) * u).sum(axis=0)


# ---- 10.fool-the-gap -----------------------------------------------------------------------------


def fool_the_gap(v):
    """Each factor twice: the second best latent knows as much as the best"""
    return np.concatenate([v, 2 * v], axis=1)


def _findings(answer, v):
    """What is judged of a code; the gap counts as 0 where it is small enough."""
    code = np.asarray(answer(v.copy()), float)
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
    return [(generic(rng, 8, 6),), (generic(rng, 12, 6),)]


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
    returns=("six latents or more", "each follows one factor, none left out", "gap"),
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

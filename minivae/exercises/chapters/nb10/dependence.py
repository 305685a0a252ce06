"""The gradient of the total correlation."""

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
    for B, L in ((3, 2), (4, 3)):
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
            "The sign is wrong: the joint term comes first in the penalty, and dA / dmu is +u.",
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
        "By A_ijl: softmax of the summed A minus softmax of each; times dA / dmu = u; sum over i.",
        "((softmax(A.sum(2, keepdims=True)) - softmax(A)) * u).sum(axis=0), softmax over axis 1.",
    ),
)


def _over_i(z, mu, logvar):
    A, u = _pieces(z, mu, logvar)
    joint = _softmax(A.sum(axis=2, keepdims=True).transpose(1, 0, 2)).transpose(1, 0, 2)
    each = _softmax(A.transpose(1, 0, 2)).transpose(1, 0, 2)
    return ((joint - each) * u).sum(axis=0)

"""A posterior whose latents are correlated, and the best independent Gaussian for it."""

import numpy as np

from minivae.exercises.exercise import Exercise, WrongAnswer, generic, stub


def too_sure(W, v):
    """logvar of the independent q with the least KL(q || p), and of that with the least KL(p || q)

    log p(z|x) is -z @ precision @ z / 2 plus terms of lower order in z.
    """
    precision = np.eye(W.shape[1]) + W.T @ W / v
    return -np.log(np.diag(precision)), np.log(np.diag(np.linalg.inv(precision)))


def _cases():
    rng = np.random.default_rng(37)
    return [
        (np.array([[1.2, 0.7], [0.4, 0.9]]), 0.3),
        (generic(rng, 4, 3), 0.6),
        (generic(rng, 3, 1), 0.2),
    ]


def _of_precision(precision):
    return -np.log(np.diag(precision)), np.log(np.diag(np.linalg.inv(precision)))


def _wrong(name, precision, says):
    return WrongAnswer(name, lambda W, v: _of_precision(precision(W, v)), says)


TOO_SURE = Exercise(
    id="03.too-sure",
    title="the best independent q for correlated latents",
    stub=stub("""
        def too_sure(W, v):    # z ~ N(0, I), x|z ~ N(W z, v I); W (D, L), v > 0. p is p(z|x)
            ...    # -> logvar of the independent q with the least KL(q || p), of that with the
                   #    least KL(p || q): (L,), (L,)
    """),
    reference=too_sure,
    cases=_cases,
    returns=("logvar for KL(q || p)", "logvar for KL(p || q)"),
    mistakes=(
        WrongAnswer(
            "swapped",
            lambda W, v: too_sure(W, v)[::-1],
            "The two results are swapped: the least KL(p || q) gives the wider q.",
        ),
        WrongAnswer(
            "both-marginal",
            lambda W, v: (too_sure(W, v)[1], too_sure(W, v)[1]),
            "The least KL(q || p) does not match the posterior's variances: write out how each "
            "sigma_i^2 appears in E_q[-log p] - H(q).",
        ),
        WrongAnswer(
            "both-narrow",
            lambda W, v: (too_sure(W, v)[0], too_sure(W, v)[0]),
            "The least KL(p || q) matches moments: it needs each latent's variance under p, which "
            "the other latents widen.",
        ),
        WrongAnswer(
            "variances",
            lambda W, v: tuple(np.exp(a) for a in too_sure(W, v)),
            "These are the variances; the exercise asks for their logs.",
        ),
        WrongAnswer(
            "log-sigma",
            lambda W, v: tuple(a / 2 for a in too_sure(W, v)),
            "This is log sigma; logvar is log sigma^2.",
        ),
        WrongAnswer(
            "log-precision",
            lambda W, v: (-too_sure(W, v)[0], too_sure(W, v)[1]),
            "For KL(q || p), sigma_i^2 is one over the number that multiplies z_i^2 / 2, not that "
            "number.",
        ),
        _wrong(
            "no-prior",
            lambda W, v: W.T @ W / v,
            "The prior is missing: log p(z|x) contains -z_i^2 / 2 as well.",
        ),
        _wrong(
            "v-squared",
            lambda W, v: np.eye(W.shape[1]) + W.T @ W / v**2,
            "v is the noise's variance already: divide by v, not by v^2.",
        ),
        _wrong(
            "v-multiplied",
            lambda W, v: np.eye(W.shape[1]) + W.T @ W * v,
            "The squared distance from x to W z is divided by v, not multiplied.",
        ),
        _wrong(
            "v-forgotten",
            lambda W, v: np.eye(W.shape[1]) + W.T @ W,
            "v is not used: the squared distance from x to W z is divided by it.",
        ),
        _wrong(
            "prior-divided",
            lambda W, v: (np.eye(W.shape[1]) + W.T @ W) / v,
            "Only the likelihood's term is divided by v; the prior has variance 1.",
        ),
        _wrong(
            "half-of-prior",
            lambda W, v: np.eye(W.shape[1]) / 2 + W.T @ W / v,
            "The half stands before both terms of log p(z|x): -z_i^2 / 2 and -|x - W z|^2 / (2 v).",
        ),
        WrongAnswer(
            "outputs-added-first",
            lambda W, v: (-np.log(1 + W.sum(axis=0) ** 2 / v), too_sure(W, v)[1]),
            "Square the entries of a column of W first, then add them.",
        ),
    ),
    hints=(
        "Write log p(z) + log p(x|z) and collect the terms with two z's in them: a matrix P, as in "
        "-z @ P @ z / 2.",
        "In KL(q || p) sigma_i^2 appears as P_ii sigma_i^2 / 2 - log(sigma_i^2) / 2. The other "
        "direction wants the variance of z_i under p; p's covariance matrix is the inverse of P.",
        "P = np.eye(L) + W.T @ W / v. The first logvar is -log of P's diagonal, the second the log "
        "of the diagonal of np.linalg.inv(P).",
    ),
)

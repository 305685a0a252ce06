"""The linear Gaussian model: its exact posterior and evidence."""

import numpy as np

from minivae.exercises.exercise import Exercise, WrongAnswer, generic, stub

# ---- 04.linear-posterior -------------------------------------------------------------------------


def linear_posterior(x, W, b, variance):
    """p(z|x) = N(mean, S):  S = variance M^-1,  mean = M^-1 W (x - b),  M = W W' + variance I"""
    M = W @ W.T + variance * np.eye(len(W))
    mean = np.linalg.solve(M, W @ (x - b).T).T
    return mean, variance * np.linalg.inv(M)


def _linear_cases():
    rng = np.random.default_rng(44)
    return [
        (np.array([[2.0]]), np.array([[0.5]]), np.array([0.4]), 0.3),
        (generic(rng, 3, 4), generic(rng, 2, 4), generic(rng, 4), 0.3),
    ]


def _package_posterior(exact):
    return lambda x, W, b, variance: exact.linear_posterior(exact.Linear(W, b, variance), x)


def _posterior_with(x, W, b, variance, *, M=None, centred=None, scale=None, factor=1.0):
    """The posterior with one part of the formula replaced."""
    M = W @ W.T + variance * np.eye(len(W)) if M is None else M
    centred = x - b if centred is None else centred
    inverse = np.linalg.inv(M)
    return factor * (centred @ W.T @ inverse), (variance if scale is None else scale) * inverse


LINEAR_POSTERIOR = Exercise(
    id="04.linear-posterior",
    title="the exact posterior of the linear model",
    stub=stub("""
        def linear_posterior(x, W, b, variance):    # z ~ N(0, I), x = z W + b + noise:
            ...                                     # (N, D), (L, D), (D,), float
                                                    # -> mean (N, L), covariance (L, L) of p(z|x)
    """),
    reference=linear_posterior,
    cases=_linear_cases,
    returns=("mean", "covariance"),
    package=_package_posterior,
    module="exact",
    mistakes=(
        WrongAnswer(
            "not-centred",
            lambda x, W, b, variance: _posterior_with(x, W, b, variance, centred=x),
            "b is not subtracted: z explains x - b.",
        ),
        WrongAnswer(
            "precision-for-covariance",
            lambda x, W, b, variance: (
                linear_posterior(x, W, b, variance)[0],
                (W @ W.T + variance * np.eye(len(W))) / variance,
            ),
            "This is the precision of the posterior; its inverse is the covariance.",
        ),
        WrongAnswer(
            "prior-forgotten",
            lambda x, W, b, variance: _posterior_with(
                x, W, b, variance, M=W @ W.T + 1e-12 * np.eye(len(W))
            ),
            "Without the prior's term, variance * I, this is least squares: nothing pulls the "
            "mean towards 0.",
        ),
        WrongAnswer(
            "identity-not-scaled",
            lambda x, W, b, variance: _posterior_with(
                x, W, b, variance, M=W @ W.T + np.eye(len(W))
            ),
            "The identity in M must be multiplied by the noise variance.",
        ),
        WrongAnswer(
            "covariance-not-scaled",
            lambda x, W, b, variance: _posterior_with(x, W, b, variance, scale=1.0),
            "The covariance is variance * M^-1: with less noise, the posterior is narrower.",
        ),
        WrongAnswer(
            "mean-scaled",
            lambda x, W, b, variance: _posterior_with(x, W, b, variance, factor=variance),
            "The mean has no factor variance: it cancels with the 1 / variance of W (x - b) / "
            "variance.",
        ),
        WrongAnswer(
            "sigma-for-variance",
            lambda x, W, b, variance: _posterior_with(x, W, b, np.sqrt(variance)),
            "You use the square root of the variance; the formulas contain the variance itself.",
        ),
    ),
    hints=(
        "log p(z) + log p(x|z) is quadratic in z: read the precision off it, then the mean.",
        "The precision is I + W W' / variance.",
        "M = W W' + variance I;  mean = M^-1 W (x - b);  covariance = variance M^-1.",
    ),
)

# ---- 04.linear-evidence --------------------------------------------------------------------------


def linear_log_evidence(x, W, b, variance):
    """log N(x; b, W'W + variance I), which is log p(x) exactly"""
    D = x.shape[1]
    C = W.T @ W + variance * np.eye(D)
    centred = x - b
    distance = (centred * np.linalg.solve(C, centred.T).T).sum(axis=1)
    return -(distance + np.linalg.slogdet(C)[1] + D * np.log(2 * np.pi)) / 2


def _package_evidence(exact):
    return lambda x, W, b, variance: exact.linear_log_evidence(exact.Linear(W, b, variance), x)


def _evidence_from(x, C, b, *, D_log=True, half=0.5, det=1.0):
    centred = x - b
    distance = (centred * np.linalg.solve(C, centred.T).T).sum(axis=1)
    constant = x.shape[1] * np.log(2 * np.pi) if D_log else 0.0
    return -half * (distance + det * np.linalg.slogdet(C)[1] + constant)


def _marginal(W, variance):
    return W.T @ W + variance * np.eye(W.shape[1])


LINEAR_EVIDENCE = Exercise(
    id="04.linear-evidence",
    title="the exact evidence of the linear model",
    stub=stub("""
        def linear_log_evidence(x, W, b, variance):    # (N, D), (L, D), (D,), float
            ...                                        # -> log p(x), (N,) nats
    """),
    reference=linear_log_evidence,
    cases=_linear_cases,
    package=_package_evidence,
    module="exact",
    mistakes=(
        WrongAnswer(
            "noise-forgotten",
            lambda x, W, b, variance: _evidence_from(x, W.T @ W + 1e-9 * np.eye(W.shape[1]), b),
            "The covariance of x is W'W + variance I: without the noise it is singular.",
        ),
        WrongAnswer(
            "no-constant",
            lambda x, W, b, variance: _evidence_from(x, _marginal(W, variance), b, D_log=False),
            "D log 2 pi is missing: the density does not integrate to one.",
        ),
        WrongAnswer(
            "no-half",
            lambda x, W, b, variance: _evidence_from(x, _marginal(W, variance), b, half=1.0),
            "The factor 1/2 in front of everything is missing.",
        ),
        WrongAnswer(
            "determinant-forgotten",
            lambda x, W, b, variance: _evidence_from(x, _marginal(W, variance), b, det=0.0),
            "log det of the covariance is missing.",
        ),
        WrongAnswer(
            "determinant-halved",
            lambda x, W, b, variance: _evidence_from(x, _marginal(W, variance), b, det=0.5),
            "log det is halved twice: the factor 1/2 in front of the bracket already halves it.",
        ),
        WrongAnswer(
            "not-centred",
            lambda x, W, b, variance: _evidence_from(x, _marginal(W, variance), 0 * b),
            "b is not subtracted: it is the mean of x.",
        ),
        WrongAnswer(
            "sign",
            lambda x, W, b, variance: -linear_log_evidence(x, W, b, variance),
            "The sign is wrong: this is -log p(x).",
        ),
        WrongAnswer(
            "sigma-for-variance",
            lambda x, W, b, variance: _evidence_from(x, _marginal(W, variance**0.5), b),
            "You put the square root of the variance on the diagonal; the variance itself belongs "
            "there.",
        ),
    ),
    hints=(
        "A sum of independent Gaussians is Gaussian: what are the mean and the covariance of x?",
        "x ~ N(b, W'W + variance I).",
        "-(d' C^-1 d + log det C + D log 2 pi) / 2 with d = x - b: np.linalg.solve and slogdet.",
    ),
)

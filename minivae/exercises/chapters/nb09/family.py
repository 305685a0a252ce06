"""What the family of diagonal Gaussians costs when the posterior is a tilted one."""

import numpy as np

from minivae.exercises.exercise import Exercise, WrongAnswer, stub


def family_gap(cov):
    """min KL(q || N(m, cov)): q's variances are 1 / precision_ll    [notebook 09, eq. 3]"""
    precision = np.linalg.inv(cov)
    return 0.5 * (np.log(np.diag(precision)).sum() + np.linalg.slogdet(cov)[1])


def _cases():
    return [
        (np.array([[1.0, 0.6], [0.6, 0.8]]),),
        (np.array([[0.02, -0.03], [-0.03, 0.05]]),),
        (np.array([[1.2, 0.5, -0.4], [0.5, 0.9, 0.3], [-0.4, 0.3, 2.0]]),),
    ]


def _kl_of_marginals(cov):
    """KL(q || posterior) with the posterior's own variances in q."""
    precision, variances = np.linalg.inv(cov), np.diag(cov)
    fit = (np.diag(precision) * variances).sum() - len(cov)
    return 0.5 * (fit + np.linalg.slogdet(cov)[1] - np.log(variances).sum())


def _other_direction(cov):
    return 0.5 * (np.log(np.diag(cov)).sum() - np.linalg.slogdet(cov)[1])


def _two_latents(cov):
    return -0.5 * np.log(1 - cov[0, 1] ** 2 / (cov[0, 0] * cov[1, 1]))


def _pairs(cov):
    scale = np.sqrt(np.diag(cov))
    rho = (cov / np.outer(scale, scale))[np.triu_indices(len(cov), 1)]
    return -0.5 * np.log(1 - rho**2).sum()


FAMILY_GAP = Exercise(
    id="09.family-gap",
    title="what the family costs when the posterior is a tilted Gaussian",
    stub=stub("""
        def family_gap(cov):    # the posterior is N(m, cov): cov (L, L)
            ...    # -> log p(x) - ELBO(q*), nats, for q* the best Gaussian with independent latents
    """),
    reference=family_gap,
    cases=_cases,
    mistakes=(
        WrongAnswer(
            "marginals",
            _kl_of_marginals,
            "This q has the posterior's own variances; narrower ones give a higher ELBO. Put the "
            "derivative of the KL with respect to each variance to zero.",
        ),
        WrongAnswer(
            "other-direction",
            _other_direction,
            "This is the smallest KL(posterior || q). The gap is KL(q || posterior); the two agree "
            "for two latents, and not for three.",
        ),
        WrongAnswer(
            "half-lost",
            lambda cov: 2 * family_gap(cov),
            "Twice too much: the half in the KL of Gaussians is lost.",
        ),
        WrongAnswer("sign", lambda cov: -family_gap(cov), "The sign is wrong: a gap is positive."),
        WrongAnswer(
            "two-latents",
            _two_latents,
            "The formula with one correlation is right for two latents only.",
        ),
        WrongAnswer(
            "pair-by-pair",
            _pairs,
            "Pair by pair is not enough: with three latents the correlations work together.",
        ),
        WrongAnswer(
            "precision-inverted",
            lambda cov: (
                0.5 * (-np.log(np.diag(np.linalg.inv(cov))).sum() + np.linalg.slogdet(cov)[1])
            ),
            "q's variances are 1 / precision_ll, so -log of them is + log precision_ll.",
        ),
        WrongAnswer(
            "determinant-lost",
            lambda cov: 0.5 * np.log(np.diag(np.linalg.inv(cov))).sum(),
            "The posterior's own log determinant is missing: for a diagonal cov the gap must be 0.",
        ),
    ),
    hints=(
        "KL(q || N(m, cov)) for a diagonal q with variances v: which parts of the inverse of cov "
        "does it need?",
        "It is (sum of precision_ll v_l - L - sum of log v_l + log det cov) / 2, where precision "
        "is the inverse of cov. Put its derivative with respect to v_l to zero.",
        "v_l = 1 / precision_ll: what is left is (sum of log precision_ll + log det cov) / 2.",
    ),
)

"""Notebook 10's exercises: the references against their definitions, and other answers."""

import numpy as np
import pytest

from minivae.evaluate.total_correlation import total_correlation_forward
from minivae.exercises.cards import CORRECT, NOT_YET
from minivae.exercises.catalogue import exercises
from minivae.exercises.grading import grade


@pytest.fixture
def rng():
    return np.random.default_rng(110)


def reference(id):
    return exercises()[id].reference


def test_the_information_is_the_mean_square_of_the_slope():
    """The slope of log p by differences, its square integrated over the picture's one pixel."""
    m, s, dm, ds, h = 0.3, 0.7, 0.9, -0.4, 1e-5
    x = np.linspace(-8, 9, 200_001)

    def log_p(v):
        return -np.log(s + v * ds) - ((x - m - v * dm) / (s + v * ds)) ** 2 / 2

    density = np.exp(log_p(0.0)) / np.sqrt(2 * np.pi)
    slope = (log_p(h) - log_p(-h)) / (2 * h)
    integral = (density * slope**2).sum() * (x[1] - x[0])
    found = reference("10.information")(np.array([dm]), np.array([ds]), np.array([s]))
    assert found == pytest.approx(integral, rel=1e-6)


def test_the_needed_r2_has_that_many_nats(rng):
    """I = log det of the marginals / det of the joint, / 2, for two Gaussians."""
    r2 = reference("10.needed-r2")(0.5, 1.7)
    joint = np.array([[1.0, r2], [r2, r2]])  # v, and the mean of v given what is seen
    nats = np.log(joint[0, 0] * joint[1, 1] / np.linalg.det(joint)) / 2
    assert nats == pytest.approx(0.5 * 1.7)


def test_no_diagonal_q_is_nearer_to_the_turned_posterior(rng):
    variances = np.array([0.2, 0.9, 0.05])
    R = np.linalg.qr(rng.standard_normal((3, 3)))[0]
    precision = R @ np.diag(1 / variances) @ R.T

    def kl(q):
        return (np.diag(precision) @ q - 3 + np.log(variances).sum() - np.log(q).sum()) / 2

    best = 1 / np.diag(precision)
    assert reference("10.turning-price")(variances, R) == pytest.approx(kl(best))
    near = best * np.exp(0.1 * rng.standard_normal((200, 3)))
    assert min(map(kl, near)) > kl(best)


def test_the_gradient_of_the_total_correlation_is_that_of_differences(rng):
    z, mu, logvar = rng.standard_normal((3, 5, 2))
    found = reference("10.tc-gradient")(z, mu, logvar)
    for j, latent in np.ndindex(mu.shape):
        step = np.zeros_like(mu)
        step[j, latent] = 1e-5
        up, down = (total_correlation_forward(z, mu + s, logvar, 9)[0].sum() for s in (step, -step))
        assert found[j, latent] == pytest.approx((up - down) / 2e-5, abs=1e-7)


def greedy(kl, ceilings, share):
    passed = 0
    for bar in sorted(share * c for c in ceilings):
        kl -= bar
        if kl < 0:
            break
        passed += 1
    return passed


def by_determinants(variances, R):
    turned = R * variances @ R.T
    diagonal = np.diag(1 / np.diag(np.linalg.inv(turned)))
    return 0.5 * (np.linalg.slogdet(turned)[1] - np.linalg.slogdet(diagonal)[1])


RIGHT = [
    ("10.information", lambda dm, ds, s: np.sum(dm**2 / s**2 + (2 * s * ds) ** 2 / (2 * s**4))),
    ("10.needed-r2", lambda share, ceiling: -np.expm1(-2 * share * ceiling)),
    ("10.how-many", greedy),
    ("10.hide", lambda v, sign: np.column_stack([v * sign[:, None] / 3, 2 * sign])),
    ("10.fool-the-gap", lambda v: np.repeat(v, 2, axis=1)),
    ("10.fool-the-gap", lambda v: np.concatenate([v, v**3 + v, np.exp(v)], axis=1)),
    ("10.turning-price", by_determinants),
]


@pytest.mark.parametrize(("id", "answer"), RIGHT)
def test_right_answers_in_other_styles(id, answer):
    verdict = grade(exercises()[id], answer)
    assert verdict.status == CORRECT, str(verdict)


WRONG = [
    ("10.information", lambda dm, ds, s: float((dm / s).sum() ** 2 + 2 * (ds / s).sum() ** 2)),
    ("10.information", lambda dm, ds, s: float((dm**2 + 2 * ds**2).sum() / (s**2).sum())),
    ("10.needed-r2", lambda share, ceiling: float(1 - np.exp(-2 * ceiling)) ** (1 / share)),
    ("10.how-many", lambda kl, ceilings, share: len(ceilings)),
    ("10.how-many", lambda kl, ceilings, share: int(kl >= share * ceilings.sum()) * len(ceilings)),
    ("10.hide", lambda v, sign: np.column_stack([v[:, 0] * sign, v[:, 1], sign])),
    ("10.hide", lambda v, sign: 0 * v),
    ("10.fool-the-gap", lambda v: np.concatenate([v, -v], axis=1)),
    ("10.turning-price", lambda variances, R: float(-np.log(np.diag(R)).sum())),
]


@pytest.mark.parametrize(("id", "answer"), WRONG)
def test_wrong_answers_that_no_list_holds_are_refused(id, answer):
    assert grade(exercises()[id], answer).status == NOT_YET

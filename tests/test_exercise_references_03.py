"""The references of notebook 03's derived exercises, and what it says, by other ways."""

import numpy as np
import pytest

from minivae.exercises.chapters.nb03 import WRONG_KLS
from minivae.exercises.chapters.nb03.directions import moment_matching
from minivae.exercises.chapters.nb03.evidence import draws_and_bits
from minivae.exercises.chapters.nb03.kl import gaussian_kl, gaussian_kl_backward
from minivae.exercises.chapters.nb03.softplus import repo_softplus_kl, softplus_kl
from minivae.exercises.chapters.nb03.tilted import too_sure
from minivae.exercises.chapters.nb03.two_gaussians import kl_two_gaussians
from minivae.gradcheck.differences import central_differences

Z, DZ = np.linspace(-30, 30, 60_001, retstep=True)


def log_normal(mu, logvar):
    return -0.5 * ((Z - mu) ** 2 / np.exp(logvar) + logvar + np.log(2 * np.pi))


def kl_by_quadrature(log_first, log_second):
    return (np.exp(log_first) * (log_first - log_second)).sum() * DZ


def test_the_kl_of_any_two_gaussians_is_the_integral():
    for mu1, logvar1, mu2, logvar2 in np.random.default_rng(0).uniform(-1.5, 1.5, (20, 4)):
        found = kl_by_quadrature(log_normal(mu1, logvar1), log_normal(mu2, logvar2))
        args = [np.array([[a]]) for a in (mu1, logvar1, mu2, logvar2)]
        np.testing.assert_allclose(kl_two_gaussians(*args), [found], rtol=1e-9, atol=1e-12)


def test_evidence_and_waste_are_averages_over_the_draws():
    """Over p: log p - log q in nats; in bits, words for the cells of a grid, by both codes."""
    log_p, near = log_normal(0, 0), np.abs(Z) < 8
    cells_p = np.exp(log_p[near]) * DZ
    for mu, logvar in np.random.default_rng(1).uniform(-1.5, 1.5, (20, 2)):
        log_q = log_normal(mu, logvar)
        nats = kl_by_quadrature(log_p, log_q)
        cells_q = np.exp(log_q[near]) * DZ
        wasted = cells_p @ -np.log2(cells_q) - cells_p @ -np.log2(cells_p)
        np.testing.assert_allclose(draws_and_bits(mu, logvar), (np.log(1000) / nats, wasted))


def test_the_gradient_by_rho_is_right_and_the_given_one_is_not():
    rng = np.random.default_rng(2)
    mu, rho = rng.standard_normal((2, 1, 4))
    value, dmu, drho = softplus_kl(mu, rho)
    sigma = np.log1p(np.exp(rho))
    np.testing.assert_allclose(value, gaussian_kl(mu, 2 * np.log(sigma)), rtol=1e-12)
    by_mu = central_differences(lambda m: softplus_kl(m, rho)[0].sum(), mu)
    by_rho = central_differences(lambda r: softplus_kl(mu, r)[0].sum(), rho)
    np.testing.assert_allclose(dmu, by_mu, atol=1e-8)
    np.testing.assert_allclose(drho, by_rho, atol=1e-8)
    assert np.abs(repo_softplus_kl(mu, rho)[2] - by_rho).min() > 0.01


def test_no_other_independent_q_has_a_smaller_kl_to_a_correlated_p():
    """03.too-sure: the KL from its definition, at the answer's sigmas and at others near them."""
    rng = np.random.default_rng(3)
    for _ in range(20):
        root = rng.standard_normal((3, 3))
        covariance = root @ root.T + 0.2 * np.eye(3)
        ratio, least = too_sure(covariance)
        of_q = ratio**2 * np.diag(covariance)
        scales = np.exp(np.vstack([np.zeros(3), 0.1 * rng.standard_normal((20, 3))]))
        trace = np.diag(np.linalg.inv(covariance)) @ (of_q * scales).T
        logs = np.log(np.linalg.det(covariance)) - np.log(of_q * scales).sum(axis=1)
        kls = 0.5 * (trace - 3 + logs)
        assert kls[0] == pytest.approx(least, rel=1e-9)
        assert kls[1:].min() > least


def test_no_other_gaussian_has_a_smaller_kl_from_a_mixture():
    """03.moment-matching."""
    rng = np.random.default_rng(4)
    for _ in range(10):
        shares, mus, logvars = rng.dirichlet(np.ones(3)), *rng.uniform(-2, 2, (2, 3))
        hills = zip(shares, mus, logvars, strict=True)
        p = sum(share * np.exp(log_normal(mu, logvar)) for share, mu, logvar in hills)
        best = np.array(moment_matching(shares, mus, logvars))
        moves = np.vstack([np.zeros(2), 0.05 * rng.standard_normal((20, 2))])
        costs = [-(p * log_normal(*(best + move))).sum() * DZ for move in moves]
        assert np.argmin(costs) == 0


@pytest.mark.parametrize("L", [1, 2, 5])
def test_what_hides_at_logvar_zero(L):
    """3.6: more than half of the thirteen mistakes, whatever mu is."""
    rng = np.random.default_rng(L)
    for mu in rng.standard_normal((20, 1, L)):
        right = (mu**2).sum(axis=1) / 2
        hidden = [np.allclose(entry.wrong(mu, np.zeros((1, L))), right) for entry in WRONG_KLS]
        assert len(hidden) / 2 < sum(hidden) < len(hidden)


def test_the_wide_path_falls_far_below_and_arrives():
    """3.7 and 03.wall: from logvar = 6 to about -24, then back by 0.075 a step, and it arrives."""
    path = [6.0]
    for _ in range(400):
        _, dlogvar = gaussian_kl_backward(np.ones(1), np.zeros((1, 1)), np.array([[path[-1]]]))
        path.append(path[-1] - 0.15 * dlogvar[0, 0])
    assert round(path[1]) == -24
    assert path[2] - path[1] == pytest.approx(0.075, abs=1e-9)
    assert path[100] < -10
    assert abs(path[300]) > 1
    assert abs(path[400]) < 0.02


def test_an_average_kl_is_information_and_the_kl_of_all_draws_together():
    """3.3: mean over images of KL(q || prior) = mutual information + KL(all draws || prior)."""
    mus, logvars = np.array([-0.4, 1.3, 2.1]), np.array([-1.0, 0.2, -0.5])
    logs = np.array([log_normal(m, v) for m, v in zip(mus, logvars, strict=True)])
    together = np.log(np.exp(logs).mean(axis=0))
    information = np.mean([kl_by_quadrature(each, together) for each in logs])
    on_top = kl_by_quadrature(together, log_normal(0, 0))
    paid = gaussian_kl(mus[:, None], logvars[:, None]).mean()
    assert paid == pytest.approx(information + on_top, rel=1e-9)

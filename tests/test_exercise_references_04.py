"""The references of notebook 04's derived exercises, checked by other ways than their formulas."""

import itertools

import numpy as np
import pytest

from minivae.exercises.chapters.nb04 import gradient_estimates as estimates
from minivae.exercises.chapters.nb04 import samplers
from minivae.exercises.chapters.nb04.linear_model import factor_posterior, linear_vae_gradients
from minivae.exercises.chapters.nb04.logistic import logistic_sample
from minivae.gradcheck.differences import block_error, central_differences, complex_step


def test_a_logistic_draw_solves_f_of_z_is_u_and_has_these_slopes():
    u, m, log_s = np.array([1e-9, 0.2, 0.5, 0.999]), 0.7, -0.4
    z, dm, dlog_s = logistic_sample(u, m, log_s)
    np.testing.assert_allclose(1 / (1 + np.exp(-(z - m) / np.exp(log_s))), u, rtol=1e-12)
    for k in range(4):
        by_m = central_differences(lambda a, k=k: logistic_sample(u, a[0], log_s)[0][k], [m])
        by_s = central_differences(lambda a, k=k: logistic_sample(u, m, a[0])[0][k], [log_s])
        np.testing.assert_allclose([dm[k], dlog_s[k]], [by_m[0], by_s[0]], atol=1e-8)


def test_the_bernoulli_gradient_is_right_on_average():
    """The average over b = 1 and b = 0, weighted with their probabilities, is exact."""
    logit, values = 0.8, np.array([0.3, -1.7])  # f(0), f(1)
    p = 1 / (1 + np.exp(-logit))
    mean = sum(
        weight * estimates.bernoulli_gradient(values[[b]], np.array([float(b)]), logit)
        for b, weight in ((0, 1 - p), (1, p))
    )
    assert mean == pytest.approx((values[1] - values[0]) * p * (1 - p), rel=1e-12)


@pytest.mark.parametrize(("mu", "sigma", "c"), estimates.VARIANCES.cases())
def test_the_variances_are_those_of_an_integral(mu, sigma, c):
    eps, width = np.linspace(-12, 12, 2_400_001, retstep=True)
    weight = np.exp(-(eps**2) / 2) / np.sqrt(2 * np.pi) * width
    z = mu + sigma * eps

    def variance(values):
        return weight @ values**2 - (weight @ values) ** 2

    integrals = [variance(v) for v in (z**2 / 2 * eps / sigma, z, (z > c) * eps / sigma)]
    got = estimates.gradient_variances(mu, sigma, c)
    np.testing.assert_allclose(got, integrals, rtol=1e-4)
    np.testing.assert_allclose(got[:2], integrals[:2], rtol=1e-10)  # no jump: the sum is exact


@pytest.mark.parametrize("K", [2, 3, 5])
def test_a_baseline_of_the_other_draws_is_unbiased_and_one_of_all_is_not(K):
    """Averaged over all outcomes of K draws of a yes-or-no latent; the bug's comment gives both."""
    p, values = 0.3, np.array([0.4, 2.1])
    score = np.array([-p, 1 - p])  # with respect to the logit
    gradient = (values[1] - values[0]) * p * (1 - p)
    means = {estimates.with_baseline: 0.0, estimates.mended_baseline: 0.0}
    for outcome in itertools.product((0, 1), repeat=K):
        b = np.array(outcome)
        for estimate in means:
            weight = np.prod(np.where(b == 1, p, 1 - p))
            means[estimate] += weight * estimate(values[b], score[b])
    assert means[estimates.mended_baseline] == pytest.approx(gradient, rel=1e-12)
    assert means[estimates.with_baseline] == pytest.approx(gradient * (K - 1) / K, rel=1e-12)


def test_the_samplers_are_as_wrong_as_the_notebook_says():
    """One of them has the right mean and variance at every entry, and is not normal."""
    rng = np.random.default_rng(0)
    mu, logvar = np.full((100_000, 1), 0.7), np.full((100_000, 1), -0.5)
    z = samplers.uniform_noise(mu, logvar, rng)
    assert z.mean() == pytest.approx(0.7, abs=0.01)
    assert z.var() == pytest.approx(np.exp(-0.5), rel=0.01)
    test = samplers.SAMPLER_TEST
    rejected = [test.observe(test.reference, sampler)[0] for (sampler,) in test.cases()]
    assert rejected == [0] + [samplers.SEEDS] * 5


def test_the_posterior_is_the_joint_gaussian_given_x():
    rng = np.random.default_rng(1)
    x, W, b = rng.standard_normal((3, 4)), rng.standard_normal((2, 4)), rng.standard_normal(4)
    variances = np.array([0.3, 1.2, 0.05, 0.6])
    of_x = np.linalg.inv(W.T @ W + np.diag(variances))  # cov(z, x) = W, cov(z) = I
    mean, covariance = factor_posterior(x, W, b, variances)
    np.testing.assert_allclose(mean, (x - b) @ of_x @ W.T, rtol=1e-10)
    np.testing.assert_allclose(covariance, np.eye(2) - W @ of_x @ W.T, rtol=1e-10, atol=1e-12)


def test_the_linear_vaes_gradient_is_that_of_its_loss():
    rng = np.random.default_rng(2)
    B, D, L = 5, 4, 2
    shapes = {"mu_W": (D, L), "mu_b": L, "logvar": L, "out_W": (L, D), "out_b": D, "out_logvar": D}
    params = {name: rng.standard_normal(shape) for name, shape in shapes.items()}
    x, eps = rng.standard_normal((B, D)), rng.standard_normal((B, L))

    def loss(p):
        mu = x @ p["mu_W"] + p["mu_b"]
        mean = (mu + np.exp(p["logvar"] / 2) * eps) @ p["out_W"] + p["out_b"]
        squares = (x - mean) ** 2 * np.exp(-p["out_logvar"])
        nll = (squares + p["out_logvar"] + np.log(2 * np.pi)).sum() / 2
        kl = (mu**2 + np.exp(p["logvar"]) - 1 - p["logvar"]).sum() / 2
        return (nll + kl) / B

    grads = linear_vae_gradients(params, x, eps)
    assert grads.keys() == params.keys()
    for name, grad in grads.items():
        numeric = complex_step(lambda a, name=name: loss(params | {name: a}), params[name])
        assert block_error(grad, numeric) < 1e-13, name

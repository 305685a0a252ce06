"""The references of notebook 04's derived exercises, checked by other ways than their formulas."""

import itertools
from statistics import NormalDist

import numpy as np
import pytest

from minivae import exact
from minivae.exercises.cards import NOT_YET
from minivae.exercises.chapters.nb04 import gradient_estimates as estimates
from minivae.exercises.chapters.nb04 import samplers, training
from minivae.exercises.chapters.nb04.allowed import RIGHT
from minivae.exercises.chapters.nb04.factor import FACTOR, scatter_factor
from minivae.exercises.chapters.nb04.linear_model import (
    LINEAR_VAE,
    fill_in,
    linear_vae_gradients,
)
from minivae.exercises.chapters.nb04.logistic import logistic_sample
from minivae.exercises.chapters.nb04.same_cat import SAME_CAT, same_cat
from minivae.exercises.grading import grade
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


@pytest.mark.parametrize(("logit", "p"), [(-800.0, 0.0), (800.0, 1.0)])
def test_the_bernoulli_gradient_of_an_extreme_logit(logit, p):
    """The score is z - p also where exp(-logit) or exp(logit) has no double."""
    values, z = np.array([2.0, -0.5]), np.array([0.0, 1.0])
    with np.errstate(over="raise", invalid="raise"):
        got = estimates.bernoulli_gradient(values, z, logit)
    assert got == pytest.approx((values * (z - p)).mean(), rel=1e-12)


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


def normal_grid(points=4801):
    """eps and weights for averages over a standard normal number."""
    eps, width = np.linspace(-12, 12, points, retstep=True)
    return eps, np.exp(-(eps**2) / 2) / np.sqrt(2 * np.pi) * width


@pytest.mark.parametrize(("a", "b", "mu", "sigma"), FACTOR.cases())
def test_the_factor_is_that_of_the_best_constant_by_integrals(a, b, mu, sigma):
    eps, weight = normal_grid()
    z = mu + sigma * eps
    slope, f = a + b * z, a * z + b * z**2 / 2

    def scatter(values):
        return np.sqrt(weight @ values**2 - (weight @ values) ** 2)

    middle = weight @ (f * eps**2)
    of_constants = [scatter((f - c) * eps / sigma) for c in middle + np.linspace(-0.1, 0.1, 201)]
    assert np.argmin(of_constants) == 100
    got = scatter_factor(a, b, mu, sigma)
    assert got == pytest.approx(of_constants[100] / scatter(slope), rel=1e-9)
    assert got >= np.sqrt(1.5)


def test_a_slope_that_scatters_less_than_its_mean_over_root_2_wins():
    """The rule of notebook 04, for many random functions of a Gaussian, and its best constant."""
    rng, (eps, weight) = np.random.default_rng(5), normal_grid()
    applies = 0
    for _ in range(400):
        k, size, phase = rng.uniform(0.2, 4, 3), rng.normal(size=3), rng.uniform(0, 6, 3)
        f = rng.normal() * eps + (size * np.sin(np.outer(eps, k) + phase)).sum(axis=1)
        slope = np.gradient(f, eps)
        mean = weight @ slope
        path = np.sqrt(weight @ slope**2 - mean**2)
        score = (f - weight @ (f * eps**2)) * eps
        if path < abs(mean) / np.sqrt(2):
            applies += 1
            assert np.sqrt(weight @ score**2 - mean**2) > path
    assert applies > 30


@pytest.mark.parametrize(("x1", "x2", "W", "b", "variance"), SAME_CAT.cases()[:2])
def test_two_drawings_of_one_cat_by_a_sum_over_z(x1, x2, W, b, variance):
    z, weight = normal_grid()

    def given_z(x):
        away = x - b - z[:, None] * W
        return np.exp(-(away**2).sum(axis=1) / (2 * variance)) / (2 * np.pi * variance) ** (
            len(b) / 2
        )

    one, other = given_z(x1), given_z(x2)
    truth = np.log(weight @ (one * other)) - np.log(weight @ one) - np.log(weight @ other)
    assert same_cat(x1, x2, W, b, variance) == pytest.approx(truth, rel=1e-9)


@pytest.mark.parametrize("K", [2, 3, 5])
def test_a_baseline_of_the_other_draws_is_unbiased_and_one_of_all_is_not(K):
    """Averaged over all outcomes of K draws of a yes-or-no latent."""
    p, values = 0.3, np.array([0.4, 2.1])
    score = np.array([-p, 1 - p])  # with respect to the logit
    gradient = (values[1] - values[0]) * p * (1 - p)
    others = {m.name: m.wrong for m in estimates.BUG.mistakes}
    said = ("halves", "weighted-without-its-own", "weighted-by-the-score")  # two are called right
    answers = {name: others[name] for name in said}
    answers |= {a: a for a in (estimates.with_baseline, estimates.mended_baseline)}
    means = dict.fromkeys(answers, 0.0)
    for outcome in itertools.product((0, 1), repeat=K):
        b = np.array(outcome)
        for name, estimate in answers.items():
            weight = np.prod(np.where(b == 1, p, 1 - p))
            means[name] += weight * estimate(values[b], score[b])
    assert means[estimates.mended_baseline] == pytest.approx(gradient, rel=1e-12)
    assert means["halves"] == pytest.approx(gradient, rel=1e-12)
    if K > 2:  # with two, its own value is the only other weight's
        assert means["weighted-without-its-own"] == pytest.approx(gradient, rel=1e-12)
    assert means["weighted-by-the-score"] != pytest.approx(gradient, rel=1e-3)
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
    assert rejected == [0, 0, 0] + [samplers.SEEDS] * 7


def test_missing_pixels_are_filled_in_by_the_joint_gaussian_of_x():
    rng = np.random.default_rng(1)
    x, W, b = rng.standard_normal(4), rng.standard_normal((2, 4)), rng.standard_normal(4)
    variances, known = np.array([0.3, 1.2, 0.05, 0.6]), np.array([True, False, True, False])
    C = W.T @ W + np.diag(variances)
    gain = C[~known][:, known] @ np.linalg.inv(C[known][:, known])
    mean, variance = fill_in(np.where(known, x, np.nan), known, W, b, variances)
    np.testing.assert_allclose(mean[~known], b[~known] + gain @ (x - b)[known], rtol=1e-10)
    left = C[~known][:, ~known] - gain @ C[known][:, ~known]
    np.testing.assert_allclose(variance[~known], np.diag(left), rtol=1e-10)
    np.testing.assert_array_equal(mean[known], x[known])
    np.testing.assert_array_equal(variance[known], 0)


def test_with_no_pixel_known_it_is_the_models_own_mean_and_variance_and_with_all_x_itself():
    rng = np.random.default_rng(6)
    x, W, b = rng.standard_normal(3), rng.standard_normal((2, 3)), rng.standard_normal(3)
    variances, known = np.array([0.3, 1.2, 0.05]), np.ones(3, bool)
    mean, variance = fill_in(np.full(3, np.nan), ~known, W, b, variances)
    np.testing.assert_allclose(mean, b, rtol=1e-12)
    np.testing.assert_allclose(variance, np.diag(W.T @ W) + variances, rtol=1e-12)
    mean, variance = fill_in(x, known, W, b, variances)
    np.testing.assert_array_equal(mean, x)
    np.testing.assert_array_equal(variance, 0)


def factor_loss(p, x, eps):
    mu = x @ p["mu_W"] + p["mu_b"]
    mean = (mu + np.exp(p["logvar"] / 2) * eps) @ p["out_W"] + p["out_b"]
    squares = (x - mean) ** 2 * np.exp(-p["out_logvar"])
    nll = (squares + p["out_logvar"] + np.log(2 * np.pi)).sum() / 2
    kl = (mu**2 + np.exp(p["logvar"]) - 1 - p["logvar"]).sum() / 2
    return (nll + kl) / len(x)


def factor_params(rng, D, L):
    shapes = {"mu_W": (D, L), "mu_b": L, "logvar": L, "out_W": (L, D), "out_b": D, "out_logvar": D}
    return {name: rng.standard_normal(shape) for name, shape in shapes.items()}


def test_the_linear_vaes_gradient_is_that_of_its_loss():
    rng = np.random.default_rng(2)
    params = factor_params(rng, 4, 2)
    x, eps = rng.standard_normal((5, 4)), rng.standard_normal((5, 2))
    grads = linear_vae_gradients(params, x, eps)
    assert grads.keys() == params.keys()
    for name, grad in grads.items():
        numeric = complex_step(
            lambda a, name=name: factor_loss(params | {name: a}, x, eps), params[name]
        )
        assert block_error(grad, numeric) < 1e-13, name


def test_differences_are_no_answer_to_the_linear_vaes_gradient():
    def by_differences(params, x, eps):
        return {
            name: central_differences(
                lambda a, name=name: factor_loss(params | {name: a}, x, eps), block
            )
            for name, block in params.items()
        }

    verdict = grade(LINEAR_VAE, by_differences)
    assert verdict.status == NOT_YET
    assert "out_W" in verdict.body


def test_the_exact_numbers_of_the_training_exercise():
    """The ELBO is the mean over eps = 1 and -1; EM has settled, and training ends just below it."""
    rng = np.random.default_rng(3)
    params, x = factor_params(rng, 5, 1), rng.standard_normal((7, 5))
    one = np.ones((7, 1))
    elbo, _ = training.exact_numbers(params, x)
    halves = [-factor_loss(params, x, eps) for eps in (one, -one)]
    assert elbo == pytest.approx(np.mean(halves), rel=1e-12)
    params["out_logvar"][:] = -0.4
    model = exact.Linear(params["out_W"], params["out_b"], np.exp(-0.4))
    by_package = exact.linear_log_evidence(model, x).mean()
    assert training.exact_numbers(params, x)[1] == pytest.approx(by_package, rel=1e-12)
    ((x, params),) = training.TRAIN.cases()
    best = training.highest_log_p(x)
    assert best == pytest.approx(training.highest_log_p(x, 3000), abs=1e-9)
    reached = training.exact_numbers(
        training.trained_factor_vae(x, params, linear_vae_gradients, np.random.default_rng(8)), x
    )
    assert best - 0.002 < reached[0] < reached[1] < best


def kink(z):
    return np.maximum(z - 1, 0)


def jump(z):
    return 1.0 * (z > 1)


def beta_draw(u, t):
    """t times the solution of 3 v^2 - 2 v^3 = u."""
    v = np.linspace(0, 1, 40_001)
    return t * np.interp(u, 3 * v**2 - 2 * v**3, v)


NORMAL = np.array([NormalDist().inv_cdf(v) for v in (np.arange(40_000) + 0.5) / 40_000])
ALLOWED = {  # number: draw(u, t), log density of z at t, f, its slope, t
    1: (lambda u, t: t + NORMAL, lambda z, t: -((z - t) ** 2) / 2, np.abs, np.sign, 0.4),
    2: (
        lambda u, t: 1 + t * NORMAL,
        lambda z, t: -(((z - 1) / t) ** 2) / 2 - np.log(t),
        lambda z: 1.0 * (z > 0),
        np.zeros_like,
        0.8,
    ),
    3: (lambda u, t: t * u, lambda z, t: -np.log(t) + 0 * z, np.square, lambda z: 2 * z, 1.5),
    4: (lambda u, t: -t * np.log(u), lambda z, t: -z / t - np.log(t), kink, jump, 1.5),
    5: (
        lambda u, t: t - np.log(u),
        lambda z, t: t - z,
        lambda z: np.exp(-z),
        lambda z: -np.exp(-z),
        0.5,
    ),
    6: (lambda u, t: t * u, lambda z, t: -np.log(t) + 0 * z, jump, np.zeros_like, 1.5),
    7: (
        lambda u, t: 1.0 * (u < t),
        lambda z, t: np.where(z == 1, np.log(t), np.log(1 - t)),
        lambda z: (z - 0.3) ** 2,
        lambda z: 2 * (z - 0.3),
        0.4,
    ),
    8: (
        beta_draw,
        lambda z, t: np.log(t - z) - 3 * np.log(t),  # but for log z + log 6
        jump,
        np.zeros_like,
        1.5,
    ),
}


@pytest.mark.parametrize("number", ALLOWED)
def test_which_estimate_is_allowed(number):
    """Both estimates, as means over a fine grid of u, against the slope of the mean of f."""
    draw, log_density, f, slope, t = ALLOWED[number]
    u, h, wide = (np.arange(40_000) + 0.5) / 40_000, 1e-7, 0.01
    z = draw(u, t)
    # a wide difference: where f jumps, its mean over the grid moves in steps of 1 / 40,000
    truth = (f(draw(u, t + wide)).mean() - f(draw(u, t - wide)).mean()) / (2 * wide)
    score = (log_density(z, t + h) - log_density(z, t - h)) / (2 * h)
    path = (draw(u, t + h) - draw(u, t - h)) / (2 * h)
    right = (
        abs((f(z) * score).mean() - truth) < 0.01,
        abs((slope(z) * path).mean() - truth) < 0.01,
    )
    names = {(True, True): "both", (True, False): "score function", (False, True): "pathwise"}
    assert names.get(right, "neither") == RIGHT[number - 1]

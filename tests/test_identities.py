"""ELBO = log p(x) - KL(q || posterior), in three models whose evidence is known exactly."""

import numpy as np
import pytest
from trained import small_vae

from minivae import evaluate, exact, vae


@pytest.fixture
def linear():
    """A linear model, its data, and an arbitrary Gaussian q with correlations."""
    rng = np.random.default_rng(7)
    model = exact.Linear(rng.standard_normal((3, 6)), rng.standard_normal(6), 0.4)
    x = exact.sample_linear(model, 40, rng)
    A = rng.standard_normal((3, 3))
    return model, x, rng.standard_normal((40, 3)), A @ A.T + 0.2 * np.eye(3)


def assert_one_number(faces, tolerance):
    for name in ("reconstruction", "energy"):
        np.testing.assert_allclose(getattr(faces, name), faces.evidence, rtol=0, atol=tolerance)


# ---- diagnosis: finite sums --------------------------------------------------------------------


def test_the_faces_of_a_discrete_elbo_agree_and_touch_at_the_posterior():
    model, findings = exact.diagnosis(), {"cough": 1, "sneezing": 0, "headache": 1}
    evidence = exact.log_evidence(model, findings)
    rng = np.random.default_rng(0)
    for _ in range(20):
        faces = exact.diagnosis_faces(model, findings, rng.dirichlet(np.ones(32)))
        assert_one_number(faces, 1e-10)
        assert faces.evidence < evidence
    faces = exact.diagnosis_faces(model, findings, exact.posterior(model, findings))
    np.testing.assert_allclose(faces, evidence, rtol=0, atol=1e-10)
    assert exact.independent(model, [0.1, 0.9, 0, 1, 0.5]).sum() == pytest.approx(1)


# ---- linear Gaussian: closed forms, and samples ------------------------------------------------


def test_a_three_closed_forms_agree(linear):
    model, x, mean, covariance = linear
    faces = exact.linear_faces(model, x, mean, covariance)
    assert_one_number(faces, 1e-10)
    assert (faces.evidence < exact.linear_log_evidence(model, x)).all()
    own = np.broadcast_to(covariance, (40, 3, 3))
    np.testing.assert_allclose(exact.linear_faces(model, x, mean, own), faces, atol=1e-12)


def test_b_with_a_sampled_kl_the_three_integrands_are_one_number_at_each_z(linear):
    model, x, mean, covariance = linear
    z = np.random.default_rng(0).standard_normal((50, 40, 3)) * 2
    assert_one_number(exact.linear_integrands(model, x, mean, covariance, z), 1e-10)


def test_c_sampled_and_analytic_kl_agree_only_in_the_mean(linear):
    model, x, mean, covariance = linear
    eps = np.random.default_rng(0).standard_normal((8000, 40, 3))
    z = mean + eps @ np.linalg.cholesky(covariance).T
    sampled = exact.linear_integrands(model, x, mean, covariance, z).reconstruction
    analytic = exact.linear_analytic_kl(model, x, mean, covariance, z)
    difference = (sampled - analytic).mean(axis=1)
    stderr = difference.std(ddof=1) / len(difference) ** 0.5
    assert abs(difference.mean()) < 6 * stderr
    assert difference.std() > 0.01, "at a single z they are not the same number"
    elbo = exact.linear_faces(model, x, mean, covariance).evidence
    for estimate in (sampled, analytic):
        stderr = estimate.std(axis=0, ddof=1) / len(estimate) ** 0.5
        assert (np.abs(estimate.mean(axis=0) - elbo) < 6 * stderr).all()


def test_at_the_posterior_every_sample_is_log_p_and_the_analytic_form_still_scatters(linear):
    model, x, _, _ = linear
    mean, covariance = exact.linear_posterior(model, x)
    eps = np.random.default_rng(0).standard_normal((500, 40, 3))
    z = mean + eps @ np.linalg.cholesky(covariance).T
    log_p = exact.linear_log_evidence(model, x)
    for face in exact.linear_integrands(model, x, mean, covariance, z):
        np.testing.assert_allclose(face, np.tile(log_p, (500, 1)), rtol=0, atol=1e-10)
    assert exact.linear_analytic_kl(model, x, mean, covariance, z).std(axis=0).min() > 0.5


def test_sigma_points_make_the_expectation_exact(linear):
    """The model's own elbo at sigma points is the closed form of a diagonal q."""
    _, x, _, _ = linear
    spec = vae.Spec(6, (), 2, likelihood="gaussian")
    flat = vae.init_params(spec, np.random.default_rng(1), dtype=np.float64)
    params = vae.unpack(flat, spec)
    params["logvar_W"][...] = 0
    params["logvar_b"][...] = [-1, 0.5]
    mu, _ = vae.encode(params, x, spec)
    covariance = np.diag(np.exp([-1, 0.5]))
    faces = exact.linear_faces(exact.as_linear(params, spec), x, mu, covariance)
    result = exact.exact_linear_elbo_and_grads(params, x, spec)
    assert result.elbo == pytest.approx(faces.evidence.mean(), abs=1e-10)


def test_a_linear_vae_climbs_to_the_closed_form_maximum_and_finds_its_axes():
    rng = np.random.default_rng(0)
    scales = np.array([[2.0], [1.0]])
    truth = exact.Linear(rng.standard_normal((2, 5)) * scales, rng.standard_normal(5), 0.5)
    x = exact.sample_linear(truth, 100, rng)
    fit = exact.train_linear_vae(x, 2, rng=rng, steps=1500)
    best = exact.maximum_likelihood(x, 2)
    found = exact.as_linear(fit.params, fit.spec)
    top = exact.linear_log_evidence(best, x).mean()
    assert 0 <= top - exact.linear_log_evidence(found, x).mean() + 1e-12 < 1e-3
    assert 0 <= top - fit.elbo[-1] + 1e-12 < 1e-3
    assert exact.axes_angle(found, best) < 0.01
    assert found.variance == pytest.approx(best.variance, rel=1e-2)
    assert top - fit.elbo[0] > 1, "it had somewhere to climb from"


def test_a_step_up_the_elbo_can_go_down_in_log_p():
    seen = exact.ascent_that_lowers_evidence()
    W = 0.9  # from 1, by a tenth of the derivative, which is -1
    elbo_change = (1 - W**2) / 2  # under q = N(0, 1) only -W^2 / 2 depends on W
    evidence_change = -np.log((W**2 + 1) / 2) / 2 - 4.5 / (W**2 + 1) + 4.5 / 2
    assert elbo_change > 0 > evidence_change
    assert seen["elbo after"] - seen["elbo before"] == pytest.approx(elbo_change)
    assert seen["log p(x) after"] - seen["log p(x) before"] == pytest.approx(evidence_change)
    assert seen["elbo after"] < seen["log p(x) after"]


# ---- a trained VAE with two latents ------------------------------------------------------------


@pytest.fixture(scope="module")
def trained():
    spec, params, x = small_vae()
    x = x[:16]
    return spec, params, x, exact.quadrature(params, x, spec)


def test_the_faces_of_a_trained_vae_agree_to_the_quadratures_error(trained):
    spec, params, x, result = trained
    faces = exact.vae_faces(params, x, spec, result)
    assert result.error.max() < 2e-6
    bound = 2 * result.error.max()  # two quadratures: of log p(x), and of the posterior's own grid
    assert_one_number(faces, bound)
    assert (faces.evidence < result.log_p).all(), "the gap is a KL, so it is never negative"
    mu, logvar = vae.encode(params, x, spec)
    faces = exact.vae_faces(params, x, spec, result, q=(mu + 0.3, logvar - 1))
    assert_one_number(faces, bound)


def test_the_sampled_elbo_is_the_one_by_sums(trained):
    spec, params, x, result = trained
    rng = np.random.default_rng(0)
    elbos = [vae.elbo(params, x, rng.standard_normal((len(x), 2)), spec).elbo for _ in range(300)]
    stderr = np.std(elbos) / len(elbos) ** 0.5
    truth = exact.vae_faces(params, x, spec, result).evidence.mean()
    assert abs(np.mean(elbos) - truth) < 4 * stderr


def test_importance_bounds_rise_from_the_elbo_towards_log_p(trained):
    spec, params, x, result = trained
    rng = np.random.default_rng(1)
    bounds = evaluate.importance_bounds(params, x, spec, rng=rng, draws=2500)
    elbo = exact.vae_faces(params, x, spec, result).evidence.mean()
    assert abs(bounds.bound[0] - elbo) < 4 * bounds.stderr[0]
    steps = np.diff(bounds.bound)
    assert (steps > 2 * np.hypot(bounds.stderr[1:], bounds.stderr[:-1])).all()
    assert bounds.bound[-1] < result.log_p.mean() + 3 * bounds.stderr[-1]
    assert result.log_p.mean() - bounds.bound[-1] < (result.log_p.mean() - elbo) / 3

"""The models with a known answer are checked against brute force and against each other."""

import warnings
from fractions import Fraction

import numpy as np
import pytest
from trained import small_vae

from minivae import exact, vae
from minivae.errors import MinivaeError
from minivae.exact import diseases
from minivae.exercises.chapters.nb02 import independent


@pytest.fixture
def linear():
    rng = np.random.default_rng(5)
    model = exact.Linear(rng.standard_normal((2, 5)), rng.standard_normal(5), 0.3)
    return model, exact.sample_linear(model, 30, rng)


# ---- diagnosis ---------------------------------------------------------------------------------


def test_the_patients_and_their_symptoms_are_distributions():
    model = exact.diagnosis()
    assert np.exp(exact.log_prior(model)).sum() == pytest.approx(1, abs=1e-12)
    findings = [dict(zip(model.symptoms, bits, strict=True)) for bits in np.ndindex(*[2] * 6)]
    total = sum(np.exp(exact.log_evidence(model, f)) for f in findings)
    assert total == pytest.approx(1, abs=1e-12)


def test_a_symptom_nobody_looked_at_is_summed_out():
    model = exact.diagnosis()
    with_cough = {"fever": 1, "cough": 1}, {"fever": 1, "cough": 0}
    both = np.logaddexp(*(exact.log_evidence(model, f) for f in with_cough))
    assert exact.log_evidence(model, {"fever": 1}) == pytest.approx(both, abs=1e-12)
    assert exact.log_evidence(model, {}) == pytest.approx(0, abs=1e-12)


def test_evidence_and_posterior_are_the_frequencies_among_sampled_patients():
    model = exact.diagnosis()
    n = 200_000
    z, x = exact.sample_patients(model, n, np.random.default_rng(0))
    ill = (x[:, 0] == 1) & (x[:, 1] == 1)
    p = np.exp(exact.log_evidence(model, {"cough": 1, "fever": 1}))
    assert ill.mean() == pytest.approx(p, abs=5 * (p / n) ** 0.5)
    found = exact.disease_probabilities(model, {"cough": 1, "fever": 1})
    bar = 5 * ill.sum() ** -0.5
    np.testing.assert_allclose(z[ill].mean(axis=0), list(found.values()), atol=bar)


def test_the_best_independent_q_is_found_from_every_start_and_no_other_is_better():
    """The numbers of notebook 02, section 2.5: the gap, and what of it the best one saves."""
    model, found = exact.diagnosis(), {"cough": 1, "fever": 1}
    best = exact.best_independent(model, found)
    log_joint, z = exact.log_joint(model, found), exact.patients(model)
    rng = np.random.default_rng(0)
    for start in rng.random((60, 5)):
        ended = diseases.ascend_independent(log_joint, z, start)
        np.testing.assert_allclose(ended, best, rtol=0, atol=1e-12)

    def elbo(p):
        return exact.diagnosis_faces(model, found, exact.independent(model, p)).energy

    top = elbo(best)
    assert top == pytest.approx(-3.570, abs=5e-4)
    for _ in range(200):
        near = 1 / (1 + np.exp(-np.log(best / (1 - best)) - 0.3 * rng.standard_normal(5)))
        assert elbo(near) < top
        assert elbo(rng.random(5)) < top
    grid = np.array([0.001, 0.02, 0.05, 0.15, 0.3, 0.5, 0.7, 0.85, 0.95, 0.98, 0.999])
    coin = np.stack([1 - grid, grid])  # q(z_i = 0) and q(z_i = 1)
    everywhere = log_joint.reshape([2] * 5)  # becomes the ELBO of all 11^5 independent q
    for _ in range(5):
        everywhere = np.tensordot(everywhere, coin, axes=(0, 0))
    entropy = -(coin * np.log(coin)).sum(axis=0)
    assert (everywhere + sum(np.ix_(*[entropy] * 5))).max() < top
    marginals = list(exact.disease_probabilities(model, found).values())
    log_px = exact.log_evidence(model, found)
    assert log_px - elbo(marginals) == pytest.approx(0.763, abs=5e-4)
    assert log_px - top == pytest.approx(0.451, abs=5e-4)


def test_coordinate_ascent_may_stop_at_a_local_optimum_but_not_in_the_exercise():
    """What section 2.5 of notebook 02, and its exercise 02.best-independent, say of it."""
    alike, pair = np.log([0.49, 0.01, 0.01, 0.49]), np.array(list(np.ndindex(2, 2)))
    stuck = diseases.ascend_independent(alike, pair, np.array([0.5, 0.5]))
    better = diseases.ascend_independent(alike, pair, np.array([0.9, 0.8]))
    np.testing.assert_allclose(stuck, 0.5, rtol=0, atol=1e-12)
    elbos = []
    for p in (stuck, better):
        q = np.where(pair == 1, p, 1 - p).prod(axis=1)
        elbos.append(q @ (alike - np.log(q)))
    assert elbos == pytest.approx([-1.27, -0.67], abs=0.01)
    rng = np.random.default_rng(0)
    for log_joint, z in independent.BEST_INDEPENDENT.cases():
        right = independent.best_independent(log_joint, z)
        for start in rng.random((60, z.shape[1])):
            ended = diseases.ascend_independent(log_joint, z, start)
            np.testing.assert_allclose(ended, right, rtol=0, atol=1e-10)


def test_the_best_independent_q_is_the_posterior_where_that_is_independent():
    model = exact.diagnosis()
    np.testing.assert_allclose(exact.best_independent(model, {}), model.prior, atol=1e-12)
    found = {"cough": 0, "itchy eyes": 0}  # absences multiply, so they leave the diseases so
    marginals = list(exact.disease_probabilities(model, found).values())
    np.testing.assert_allclose(exact.best_independent(model, found), marginals, atol=1e-12)
    with pytest.raises(MinivaeError, match="rule patients out"):
        exact.best_independent(model, {"flu": 1})


def test_flu_explains_pneumonia_away():
    model = exact.diagnosis()
    before = exact.disease_probabilities(model, {"cough": 1, "fever": 1})
    after = exact.disease_probabilities(model, {"cough": 1, "fever": 1, "flu": 1})
    assert before["pneumonia"] > 10 * exact.diagnosis().prior[3]
    assert after["pneumonia"] < before["pneumonia"] / 5
    assert after["flu"] == pytest.approx(1)


@pytest.mark.parametrize("findings", [{"coughing": 1}, {"cough": 2}, {"cough": None}])
def test_a_finding_that_is_not_in_the_model_or_not_0_or_1_is_refused(findings):
    with pytest.raises(MinivaeError, match=r"cough.*;"):
        exact.log_joint(exact.diagnosis(), findings)


def test_what_is_certain_in_a_diagnosis_gives_no_nan():
    """Probabilities of 0 and 1 are probabilities: 0 log 0 = 0."""
    base = exact.diagnosis()
    never = base._replace(prior=base.prior * [1, 0, 1, 1, 1])
    assert exact.disease_probabilities(never, {"fever": 1})["flu"] == 0
    always = base._replace(prior=np.where(np.arange(5) == 1, 1.0, base.prior))
    assert exact.disease_probabilities(always, {"fever": 0})["flu"] == pytest.approx(1)
    cause = base.cause.copy()
    cause[1, 1] = 1.0
    sure = base._replace(cause=cause)
    assert np.isfinite(exact.log_evidence(sure, {"fever": 1}))
    assert exact.disease_probabilities(sure, {"fever": 0})["flu"] == 0
    assert exact.log_evidence(sure, {"fever": 0, "flu": 1}) == -np.inf
    with pytest.raises(MinivaeError, match="p\\(x\\) = 0"):
        exact.posterior(sure, {"fever": 0, "flu": 1})
    faces = exact.diagnosis_faces(sure, {"fever": 0}, np.full(32, 1 / 32))
    assert faces == (-np.inf,) * 3
    ruled_out = exact.patients(sure)[:, 1] == 1  # by the absence of fever; q leaves them out, too
    q = ~ruled_out / (~ruled_out).sum()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        faces = exact.diagnosis_faces(sure, {"fever": 0}, q)
    np.testing.assert_allclose(faces, faces.energy, rtol=1e-12)
    assert faces.energy < exact.log_evidence(sure, {"fever": 0})
    z, x = exact.sample_patients(sure, 2000, np.random.default_rng(0))
    assert x[z[:, 1] == 1, 1].all()


@pytest.mark.parametrize("prior", [[0.1] * 4, [0.1, 0.1, 1.1, 0.1, 0.1], [0.1, np.nan, 0, 0, 0]])
def test_numbers_that_are_not_probabilities_are_refused(prior):
    with pytest.raises(MinivaeError, match=r"prior .* must hold probabilities"):
        exact.log_prior(exact.diagnosis()._replace(prior=np.array(prior)))


def test_a_q_over_patients_must_be_a_distribution():
    for q in (np.ones(32), np.full(31, 1 / 31), np.full(32, np.nan)):
        with pytest.raises(MinivaeError, match="summing to 1"):
            exact.diagnosis_faces(exact.diagnosis(), {"cough": 1}, q)


# ---- linear Gaussian ---------------------------------------------------------------------------


def test_linear_evidence_is_the_density_of_one_big_gaussian(linear):
    model, x = linear
    C = model.W.T @ model.W + model.variance * np.eye(5)
    expected = exact.log_normal(x - model.b, C)
    np.testing.assert_allclose(exact.linear_log_evidence(model, x), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("seed", range(12))
def test_linear_evidence_keeps_its_digits_beside_long_axes_and_little_noise(seed):
    """W near 1e3, variance 1e-6: |x|^2 - (explained) cancels 15 digits, which cost 1.6e-4 nats.

    What may be off is what x's own last digit is worth. The truth: in fractions.
    """
    rng = np.random.default_rng(seed)
    latent = 1 + seed % 3
    model = exact.Linear(1e3 * rng.standard_normal((latent, 5)), rng.standard_normal(5), 1e-6)
    x = exact.sample_linear(model, 3, rng)
    W, variance = [[Fraction(v) for v in row] for row in model.W], Fraction(model.variance)
    M = [[dot(p, q) + variance * (p is q) for q in W] for p in W]
    for row, found in zip(x, exact.linear_log_evidence(model, x), strict=True):
        c = [Fraction(v) - Fraction(b) for v, b in zip(row, model.b, strict=True)]
        explained = [dot(p, c) for p in W]
        mean, determinant = solve_in_fractions(M, explained)
        distance = (dot(c, c) - dot(explained, mean)) / variance
        log_det = (5 - latent) * np.log(model.variance) + np.log(float(determinant))
        expected = -(float(distance) + log_det + 5 * exact.LOG_2PI) / 2
        residual = [
            p - dot(mean, column) for p, column in zip(c, zip(*W, strict=True), strict=True)
        ]
        last_digit = np.finfo(float).eps * np.abs(row) @ np.abs([float(r) for r in residual]) / 1e-6
        assert abs(found - expected) < 2 * last_digit + 1e-13
        assert last_digit < 5e-9


def dot(a, b):
    return sum(p * q for p, q in zip(a, b, strict=True))


def solve_in_fractions(A, b):
    """The solution y of A y = b, and the determinant of A: by Gauss, without rounding."""
    rows, determinant = [[*row, value] for row, value in zip(A, b, strict=True)], Fraction(1)
    for i, pivot in enumerate(rows):
        determinant *= pivot[i]
        pivot[:] = [value / pivot[i] for value in pivot]
        for j, row in enumerate(rows):
            if j != i:
                row[:] = [v - row[i] * p for v, p in zip(row, pivot, strict=True)]
    return [row[-1] for row in rows], determinant


def test_linear_posterior_is_joint_over_evidence(linear):
    model, x = linear
    mean, covariance = exact.linear_posterior(model, x)
    z = np.random.default_rng(0).standard_normal((7, 30, 2))
    joint = exact.log_likelihood_linear(model, x, z) + exact.log_normal(z, np.eye(2))
    expected = joint - exact.linear_log_evidence(model, x)
    np.testing.assert_allclose(exact.log_normal(z - mean, covariance), expected, rtol=0, atol=1e-11)


def test_no_linear_model_nearby_beats_the_closed_form_maximum(linear):
    _, x = linear
    best = exact.maximum_likelihood(x, 2)
    top = exact.linear_log_evidence(best, x).mean()
    rng = np.random.default_rng(1)
    for size in (1e-3, 1e-2, 0.1):
        W = best.W + size * rng.standard_normal(best.W.shape)
        b = best.b + size * rng.standard_normal(5)
        other = exact.Linear(W, b, best.variance * np.exp(size * rng.standard_normal()))
        assert exact.linear_log_evidence(other, x).mean() < top
    gram = best.W @ best.W.T
    assert abs(gram[0, 1]) < 1e-10 * gram[0, 0], "a diagonal q needs orthogonal axes"


def test_maximum_likelihood_needs_noise_and_fewer_latents_than_pixels(linear):
    _, x = linear
    for latent in (0, 5):
        with pytest.raises(MinivaeError, match="latent"):
            exact.maximum_likelihood(x, latent)
    with pytest.raises(MinivaeError, match="finite"):
        exact.maximum_likelihood(x * np.nan, 1)
    line = np.outer(np.arange(10.0), np.ones(4))
    with pytest.raises(MinivaeError, match=r"only 1 of its 4 directions.*it takes data with noise"):
        exact.maximum_likelihood(line, 1)
    plane = line + np.outer(np.arange(10.0) ** 2, [1.0, 0, 0, 0])
    with pytest.raises(MinivaeError, match=r"only 2 of its 4 directions.*latent must be below 2"):
        exact.maximum_likelihood(plane, 2)
    assert exact.maximum_likelihood(plane, 1).variance > 0


@pytest.mark.parametrize("variance", [0.0, -1.0, np.nan])
def test_a_linear_model_without_noise_is_refused(linear, variance):
    model, x = linear
    broken = model._replace(variance=variance)
    z = np.zeros((1, 30, 2))
    for ask in (exact.linear_log_evidence, exact.linear_posterior):
        with pytest.raises(MinivaeError, match="above 0"):
            ask(broken, x)
    with pytest.raises(MinivaeError, match="above 0"):
        exact.log_likelihood_linear(broken, x, z)


@pytest.mark.parametrize("covariance", [np.diag([1.0, 0.0]), -np.eye(2), np.full((2, 2), np.nan)])
def test_a_q_with_zero_variance_is_refused(linear, covariance):
    model, x = linear
    mean = np.zeros((30, 2))
    with pytest.raises(MinivaeError, match="covariance"):
        exact.linear_faces(model, x, mean, covariance)
    with pytest.raises(MinivaeError, match="covariance"):
        exact.linear_integrands(model, x, mean, covariance, mean[None])


# ---- quadrature --------------------------------------------------------------------------------


@pytest.mark.parametrize("latent", [1, 2])
@pytest.mark.parametrize("variance", [1.0, 0.05, 1e-4])
def test_quadrature_finds_the_closed_form(latent, variance):
    """Also for posteriors far narrower than the first grid's step."""
    spec = vae.Spec(6, (), latent, likelihood="gaussian", variance=variance)
    rng = np.random.default_rng(latent)
    params = vae.unpack(vae.init_params(spec, rng, dtype=np.float64), spec)
    model = exact.as_linear(params, spec)
    x = exact.sample_linear(model, 4, rng)
    result = exact.quadrature(params, x, spec)
    mean, covariance = exact.linear_posterior(model, x)
    truth = exact.linear_log_evidence(model, x)
    assert (np.abs(result.log_p - truth) <= result.error + 1e-8).all()
    assert result.error.max() < 2e-6
    assert (result.step <= result.sd.min(axis=1)).all()
    np.testing.assert_allclose(result.mean, mean, atol=1e-6)
    np.testing.assert_allclose(result.sd, np.tile(np.sqrt(np.diag(covariance)), (4, 1)), rtol=1e-4)


def test_the_box_grows_to_where_the_posterior_is():
    """The prior's tail at |z| = 8 is e^-32, and yet this posterior lies there."""
    spec = vae.Spec(1, (), 1, likelihood="gaussian", variance=0.1)
    params = vae.unpack(np.zeros(vae.n_params(spec)), spec)
    params["out_W"][...] = 1
    result = exact.quadrature(params, np.array([[8.8], [0.3]]), spec)
    truth = exact.linear_log_evidence(exact.as_linear(params, spec), np.array([[8.8], [0.3]]))
    np.testing.assert_allclose(result.log_p, truth, atol=2e-6)
    assert result.mean[0, 0] == pytest.approx(8)
    assert result.box[0] > result.box[1]
    with pytest.raises(MinivaeError, match="reaches beyond"):
        exact.quadrature(params, np.array([[30.0]]), spec)


def test_quadrature_of_a_trained_model_sums_to_one_over_all_images():
    """sum_x p(x) = 1 over every image there is, for a model of five pixels."""
    spec = vae.Spec(5, (5,), 2)
    rng = np.random.default_rng(2)
    flat = vae.init_params(spec, rng, dtype=np.float64)
    params = vae.unpack(3 * flat, spec)
    x = np.array(list(np.ndindex(*[2] * 5)), float)
    result = exact.quadrature(params, x, spec)
    assert np.exp(result.log_p).sum() == pytest.approx(1, abs=1e-6)


def test_the_pictured_posterior_is_a_density():
    spec, params, x = small_vae()
    result = exact.quadrature(params, x[:3], spec)
    grid = exact.posterior_grid(params, x[:3], spec, result, image=2, points=151, widths=7)
    cell = np.prod([axis[1] - axis[0] for axis in grid.axes])
    assert grid.log_density.shape == (151, 151)
    assert np.exp(grid.log_density).sum() * cell == pytest.approx(1, abs=1e-3)


def test_a_grid_too_coarse_for_the_posterior_is_refused():
    """x = 10 |z| + 0.1 noise: two islands at -0.8 and 0.8, each a hundredth wide."""
    spec = vae.Spec(1, (2,), 1, activation="relu", likelihood="gaussian", variance=0.01)
    params = vae.unpack(np.zeros(vae.n_params(spec)), spec)
    params["dec1_W"][...] = [[1.0, -1.0]]
    params["out_W"][...] = [[10.0], [10.0]]
    x = np.array([[8.0]])
    result = exact.quadrature(params, x, spec)
    for points in (31, 61, 200):
        with pytest.raises(MinivaeError, match=f"{points} points for each latent are too few"):
            exact.posterior_grid(params, x, spec, result, points=points)
    grid = exact.posterior_grid(params, x, spec, result, points=2001)
    (axis,) = grid.axes
    density = np.exp(grid.log_density)
    assert density.sum() * (axis[1] - axis[0]) == pytest.approx(1, abs=1e-3)
    assert (density[axis < 0].sum() / density.sum()) == pytest.approx(0.5, abs=1e-3)


def test_quadrature_refuses_what_it_cannot_do():
    rng = np.random.default_rng(0)
    spec = vae.Spec(4, (3,), 3)
    params = vae.unpack(vae.init_params(spec, rng), spec)
    with pytest.raises(MinivaeError, match="3 latents"):
        exact.quadrature(params, np.ones((1, 4)), spec)
    spec = vae.Spec(4, (3,), 2)
    params = vae.unpack(vae.init_params(spec, rng), spec)
    with pytest.raises(MinivaeError, match="image 1 has pixels between 0 and 1"):
        exact.quadrature(params, [[0, 1, 0, 1], [0, 0.5, 0, 0]], spec)
    params["out_b"][...] = np.nan
    with pytest.raises(MinivaeError, match="is NaN or infinite"):
        exact.quadrature(params, np.ones((1, 4)), spec)
    params["out_b"][...] = 0
    params["logvar_b"][...] = -np.inf
    with pytest.raises(MinivaeError, match="variance"):
        exact.quadrature(params, np.ones((1, 4)), spec)


def test_images_whose_probability_underflows_are_summed_in_logs():
    """784 pixels at 1/2: 9.8e-237, of which the square is 0.0 in float64; its log is -1086.9."""
    one = np.prod(np.full(784, 0.5))
    assert one == pytest.approx(9.8e-237, rel=0.01)
    assert one * one == 0.0
    log_two_images = 2 * 784 * np.log(0.5)
    total = exact.log_sum_exp([log_two_images, log_two_images])
    assert total == pytest.approx(np.log(2) - 2 * 784 * np.log(2))


def test_log_sum_exp_takes_any_size():
    assert exact.log_sum_exp([-1000.0, -1000.0]) == pytest.approx(-1000 + np.log(2))
    assert exact.log_sum_exp([1000.0, -np.inf]) == 1000
    assert exact.log_sum_exp([-np.inf, -np.inf]) == -np.inf
    assert exact.log_sum_exp(np.zeros((2, 3)), axis=1) == pytest.approx([np.log(3)] * 2)

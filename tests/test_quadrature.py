"""Quadrature against the true log p(x): sharp and kinked posteriors, honest errors, refusals."""

import brute_force
import brute_force_plane
import numpy as np
import pytest

from minivae import exact, vae
from minivae.errors import MinivaeError
from minivae.exact import adaptive, bounds, grid, integral

# Modules, not the functions of the same names.


def relu_model(hidden, variance, **values):
    spec = vae.Spec(1, (hidden,), 1, "relu", "gaussian", variance)
    params = vae.unpack(np.zeros(vae.n_params(spec)), spec)
    for name, value in values.items():
        params[name][...] = value
    return spec, params


def spike():
    """Two peaks: a broad low one at -0.5, and one of width 1e-4 at 3 + 1/128, between two points
    of a grid with step 1/64 or 1/128. Its logarithm: by mpmath, 40 digits."""
    a, b = 3 + 1 / 128, -0.5
    c = (a + b) / 2
    spec, params = relu_model(2, 1.5e-6, dec1_W=[[1, -1]], dec1_b=[-c, c], out_W=10)
    return spec, params, np.array([[10 * (a - c)]]), SPIKE


def kink():
    """A posterior with a kink at 0.515: the sum over a grid converges like step^2 there."""
    spec, params = relu_model(1, 1.0, dec1_W=1, dec1_b=-0.5154576906165829, out_W=3)
    return spec, params, np.array([[2.646560800983852]]), KINK


SPIKE, KINK = -3.334302451798484, -2.80907175058926


@pytest.fixture
def on_the_grid(monkeypatch):
    """As if every decoder were too large for bounds."""
    monkeypatch.setattr(integral, "BOUNDED_WEIGHTS", 0)


@pytest.mark.parametrize("case", [spike, kink])
@pytest.mark.parametrize("tolerance", [1e-2, 1e-6, 1e-9])
def test_a_sharp_peak_and_a_kink_are_within_the_stated_error(case, tolerance):
    """The sharp peak was lost (4.4 nats); the error at the kink was stated 60 times too small."""
    spec, params, x, truth = case()
    result = exact.quadrature(params, x, spec, tolerance=tolerance)
    assert abs(result.log_p[0] - truth) <= result.error[0] + 1e-13
    assert result.error[0] <= tolerance
    assert result.bounded[0]


@pytest.mark.parametrize("case", [spike, kink])
def test_the_grid_of_large_decoders_finds_them_too(case, on_the_grid):
    spec, params, x, truth = case()
    result = exact.quadrature(params, x, spec)
    assert abs(result.log_p[0] - truth) <= result.error[0]
    assert result.error[0] < 1e-5
    assert not result.bounded[0]


@pytest.mark.parametrize("activation", ["tanh", "softplus"])
@pytest.mark.parametrize("latent", [1, 2])
def test_grid_and_bounded_cells_agree(latent, activation, monkeypatch):
    spec = vae.Spec(6, (5,), latent, activation)
    rng = np.random.default_rng(latent)
    params = vae.unpack(2 * vae.init_params(spec, rng, dtype=np.float64), spec)
    x = (rng.random((4, 6)) < 0.5).astype(float)
    cells = exact.quadrature(params, x, spec)
    monkeypatch.setattr(integral, "BOUNDED_WEIGHTS", 0)
    on_grid = exact.quadrature(params, x, spec)
    assert (np.abs(cells.log_p - on_grid.log_p) <= cells.error + on_grid.error).all()
    assert cells.error.max() < 1e-6
    np.testing.assert_allclose(cells.mean, on_grid.mean, atol=1e-5)
    np.testing.assert_allclose(cells.sd, on_grid.sd, rtol=1e-5)
    assert cells.bounded.all()
    assert not on_grid.bounded.any()


def assert_within_its_error(case):
    one = case.spec.latent_dim == 1
    truth, off = (brute_force.one_latent if one else brute_force_plane.two_latents)(case)
    result = exact.quadrature(case.params, case.x[None], case.spec)
    assert off < 1e-9, "brute force must know the answer itself"
    assert abs(result.log_p[0] - truth) <= result.error[0] + off
    assert result.error[0] < 1.1e-6


def assert_refused_for_its_reach(case):
    """More of the posterior lies outside the largest box than the tolerance allows."""
    with pytest.raises(MinivaeError, match=r"reaches beyond \|z\| = 19"):
        exact.quadrature(case.params, case.x[None], case.spec)
    z = np.linspace(-60, 60, 240_001)[:, None]
    log_joint = brute_force.log_joint(case, z)
    density = np.exp(log_joint - log_joint.max())
    assert density[np.abs(z[:, 0]) > 19].sum() > 1e-5 * density.sum()


@pytest.mark.parametrize("seed", range(12))
def test_narrow_peaks_off_the_grid_are_within_the_stated_error(seed):
    assert_within_its_error(brute_force.spike_case(seed))


@pytest.mark.parametrize("seed", range(22))
def test_random_models_of_one_latent_are_within_the_stated_error(seed):
    assert_within_its_error(brute_force.random_case(seed, 1))


@pytest.mark.parametrize("seed", range(6))
def test_random_models_of_two_latents_are_within_the_stated_error(seed):
    assert_within_its_error(brute_force.random_case(seed, 2))


@pytest.mark.parametrize("seed", range(4))
def test_brute_force_in_the_plane_knows_models_whose_evidence_is_known(seed):
    """Units relu(z_l) and relu(-z_l), whose weights give a linear decoder: its kinks cancel."""
    rng = np.random.default_rng(seed)
    model = exact.Linear(2 * rng.standard_normal((2, 3)), rng.standard_normal(3), 10.0**-seed)
    spec = vae.Spec(3, (4,), 2, "relu", "gaussian", model.variance)
    params = vae.unpack(np.zeros(vae.n_params(spec)), spec)
    params["dec1_W"][...] = [[1, -1, 0, 0], [0, 0, 1, -1]]
    params["out_W"][...] = np.repeat(model.W, 2, axis=0) * [[1], [-1], [1], [-1]]
    params["out_b"][...] = model.b
    x = exact.sample_linear(model, 1, rng)
    truth = exact.linear_log_evidence(model, x)[0]
    log_p, off = brute_force_plane.two_latents(brute_force.Case(spec, params, x[0]))
    assert abs(log_p - truth) < off < 1e-10


@pytest.mark.slow
@pytest.mark.parametrize("hundred", [1000, 1100])
def test_hundreds_of_mixed_models_are_within_the_stated_error(hundred):
    for seed in range(hundred, hundred + 100):
        assert_within_its_error(brute_force.spike_case(seed))
        assert_within_its_error(brute_force.random_case(seed, 2, sharp=seed % 3 == 0))
        case = brute_force.random_case(seed, 1)
        if seed == 1116:
            assert_refused_for_its_reach(case)
        else:
            assert_within_its_error(case)


@pytest.mark.slow
def test_a_long_and_narrow_ridge_is_resolved():
    """800,000 cells, down to a width of 1/30,000: the hardest of 2,000 random models."""
    assert_within_its_error(brute_force.random_case(5400, 2, sharp=True))


def test_two_rules_that_agree_by_chance_are_not_believed():
    """Gauss rules of 7 and 8 points agree here on a sum that is off by twice their difference."""
    assert_within_its_error(brute_force.spike_case(98))


@pytest.mark.parametrize("half", [2.0, 0.3, 0.01])
@pytest.mark.parametrize("latent", [1, 2])
def test_no_point_of_a_cell_exceeds_its_bound(latent, half):
    rng = np.random.default_rng(3)
    for seed in range(30):
        case = brute_force.random_case(seed, latent)
        centres = 2 * rng.standard_normal((50, latent))
        found = bounds.bound_cells(case.params, case.x, case.spec, centres, np.full(50, half))
        z = centres[:, None] + half * rng.uniform(-1, 1, (50, 200, latent))
        inside = brute_force.log_joint(case, z.reshape(-1, latent)).reshape(50, 200)
        size = 1 + np.abs(inside).max(axis=1)
        assert (inside.max(axis=1) <= found.highest + 1e-10 * size).all()
        away = np.abs(inside - found.centre[:, None]).max(axis=1)
        assert (away <= found.variation + 1e-10 * size).all()


def test_bounds_tighten_with_the_square_of_the_cells_width():
    """What is left of a smooth decoder when its slope is taken out: halving leaves a quarter."""
    case = brute_force.random_case(1, 1)
    spec = case.spec._replace(activation="tanh")
    centres = np.linspace(-2, 2, 40)[:, None]
    wide, narrow = (
        bounds.bound_cells(case.params, case.x, spec, centres, np.full(40, half)).bend.sum()
        for half in (1e-3, 5e-4)
    )
    assert wide / narrow == pytest.approx(4, rel=0.05)


def test_the_stated_error_holds_at_a_wide_tolerance_and_outside_the_first_box():
    spec = vae.Spec(1, (), 1, likelihood="gaussian", variance=0.1)
    params = vae.unpack(np.zeros(vae.n_params(spec)), spec)
    params["out_W"][...] = 1
    x = np.array([[6.05], [0.3]])  # the first posterior is 5.5 +- 0.3
    truth = exact.linear_log_evidence(exact.as_linear(params, spec), x)
    result = exact.quadrature(params, x, spec, tolerance=5)
    assert (np.abs(result.log_p - truth) <= result.error).all()
    assert (result.error < 0.2).all()
    assert result.box.tolist() == [9, 6]


def test_the_grids_error_covers_a_box_too_small_and_a_step_too_wide(on_the_grid):
    spec = vae.Spec(1, (), 1, likelihood="gaussian", variance=0.1)
    params = vae.unpack(np.zeros(vae.n_params(spec)), spec)
    params["out_W"][...] = 1
    x = np.array([[6.05]])  # the posterior: 5.5 +- 0.3, and the box ends at 6
    result = exact.quadrature(params, x, spec, tolerance=5)
    off = abs(result.log_p - exact.linear_log_evidence(exact.as_linear(params, spec), x))
    assert result.box[0] == 6
    assert 0.01 < off[0] < result.error[0] < 5
    model = grid.as_model(params, spec, vae.numpy_ops)
    cells = grid._first_cells(model, np.array([[0.3]]), 6.0)[0]
    keep = cells.places[:, 0] % 64 == 0  # cells of width 1, three standard deviations
    coarse = cells._replace(places=cells.places[keep] // 64, step=1.0)
    coarse = coarse._replace(log_joint=model.log_joint(coarse.z, np.array([0.3])))
    assert abs(coarse.frame()) < 1e-9, "the box is wide enough here"
    log_p, error, *_ = grid._refine(model, np.array([0.3]), np.zeros(1), coarse, 0.5)
    truth = exact.linear_log_evidence(exact.as_linear(params, spec), np.array([[0.3]]))[0]
    assert abs(log_p - truth) < error
    assert 1e-4 < error, "what the sum changed by from a step of 1/2 to 1/4"


@pytest.mark.parametrize("weights", [4_000, 0])
def test_rounding_counts_the_size_of_the_terms(weights, monkeypatch):
    """An offset of 9e5 in the data, taken off again by the model, costs 1e-10 / variance."""
    monkeypatch.setattr(integral, "BOUNDED_WEIGHTS", weights)
    spec = vae.Spec(3, (), 1, likelihood="gaussian", variance=1e-9)
    rng = np.random.default_rng(0)
    params = vae.unpack(vae.init_params(spec, rng, dtype=np.float64), spec)
    params["mu_W"][...] = params["logvar_W"][...] = 0
    params["out_b"][...] = 9e5 + rng.random(3)
    x = params["out_b"] + 0.3 * params["out_W"] + 3e-5 * rng.standard_normal((5, 3))
    result = exact.quadrature(params, x, spec)
    shifted = exact.Linear(params["out_W"], np.zeros(3), 1e-9)
    off = np.abs(result.log_p - exact.linear_log_evidence(shifted, x - params["out_b"]))
    assert off.max() > 1e-7, "or this would test nothing"
    assert (off <= result.error).all()
    assert result.error.max() < 1e-2


@pytest.mark.parametrize("weights", [4_000, 0])
@pytest.mark.parametrize("value", [np.nan, np.inf, 1e200])
def test_a_decoder_that_gives_no_finite_numbers_is_refused(value, weights, monkeypatch):
    monkeypatch.setattr(integral, "BOUNDED_WEIGHTS", weights)
    spec, params, x, _ = kink()
    params["out_W"][...] = value
    with (
        np.errstate(over="ignore", invalid="ignore"),
        pytest.raises(
            MinivaeError, match=r"log p\(x, z\) is NaN or infinite.*decoder's parameters"
        ),
    ):
        exact.quadrature(params, x, spec)


def test_a_posterior_that_takes_too_many_cells_is_refused_in_one_line(monkeypatch):
    monkeypatch.setattr(adaptive, "MOST_CELLS", 50)
    spec, params, x, _ = spike()
    with pytest.raises(
        MinivaeError, match=r"not resolved by \d+ cells.*larger tolerance"
    ) as caught:
        exact.quadrature(params, x, spec)
    assert "\n" not in str(caught.value)

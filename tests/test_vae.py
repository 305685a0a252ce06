"""The model: parameters by name, doors that refuse, and terms that add up."""

from math import log

import numpy as np
import pytest

from minivae import checks
from minivae import ops as numpy_ops
from minivae import vae as true_vae
from minivae.checks import check_batch, check_noise, check_spec
from minivae.errors import MinivaeError
from minivae.vae import (
    OUT_LOGVAR_FLOOR,
    Spec,
    clamp_variance,
    decode,
    elbo,
    elbo_and_grads,
    encode,
    init_params,
    iwae_and_grads,
    layout,
    log_weights,
    mean_image,
    n_params,
    sample,
    unpack,
)

SPEC = Spec(6, (5, 4), 3)
SPECS = [
    Spec(6, (), 2),
    SPEC,
    Spec(6, (5,), 2, "relu", "gaussian"),
    Spec(6, (5, 4, 3), 2, "tanh", "gaussian", 0.3),
    Spec(6, (5,), 3, free_bits=0.4),
]
B, K = 4, 3


def by_name(spec):
    return "-".join(str(part) for part in spec)


@pytest.fixture
def vae():
    return true_vae


def model(spec=SPEC, dtype=np.float64, seed=0):
    rng = np.random.default_rng(seed)
    flat = rng.normal(scale=0.6, size=n_params(spec)).astype(dtype)
    x = rng.random((B, spec.data_dim)).astype(dtype)
    eps = rng.standard_normal((K, B, spec.latent_dim)).astype(dtype)
    return flat, unpack(flat, spec), x, eps


# ---- parameters ------------------------------------------------------------------------------


def test_the_layout_names_every_block_in_the_order_of_the_data():
    assert layout(Spec(784, (200, 100), 50, likelihood="gaussian")) == (
        ("enc1_W", (784, 200)), ("enc1_b", (200,)),
        ("enc2_W", (200, 100)), ("enc2_b", (100,)),
        ("mu_W", (100, 50)), ("mu_b", (50,)),
        ("logvar_W", (100, 50)), ("logvar_b", (50,)),
        ("dec1_W", (50, 100)), ("dec1_b", (100,)),
        ("dec2_W", (100, 200)), ("dec2_b", (200,)),
        ("out_W", (200, 784)), ("out_b", (784,)),
        ("out_logvar", (1,)),
    )  # fmt: skip
    assert [name for name, _ in layout(Spec(3, (), 2, "tanh", "gaussian", 0.1))] == [
        "mu_W", "mu_b", "logvar_W", "logvar_b", "out_W", "out_b",
    ]  # fmt: skip


@pytest.mark.parametrize("spec", SPECS, ids=by_name)
def test_the_named_parameters_are_views_that_tile_the_flat_vector(spec):
    flat = np.zeros(n_params(spec))
    for number, (name, view) in enumerate(unpack(flat, spec).items(), start=1):
        assert view.shape == dict(layout(spec))[name]
        assert not view.any()  # no entry belongs to two names
        view[...] = number
    assert (flat > 0).all()
    assert (np.diff(flat) >= 0).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_initial_weights_are_glorot_uniform_and_biases_zero(dtype):
    spec = Spec(300, (200,), 50)
    flat = init_params(spec, np.random.default_rng(0), dtype=dtype)
    assert flat.dtype == dtype
    for name, block in unpack(flat, spec).items():
        if name.endswith("_b"):
            assert not block.any()
            continue
        bound = (6 / sum(block.shape)) ** 0.5
        assert 0.99 * bound < np.abs(block).max() <= bound * (1 + 1e-6)
        assert block.var() == pytest.approx(bound**2 / 3, rel=0.05)
    assert np.array_equal(flat, init_params(spec, np.random.default_rng(0), dtype=dtype))


def test_the_first_picture_is_the_mean_image():
    """67 pixels of MNIST are always black, so that the mean is clipped before its logit."""
    mean = np.array([0.0, 0.25, 0.5, 1.0, 0.999, 0.1])
    params = unpack(init_params(SPEC, np.random.default_rng(0), data_mean=mean), SPEC)
    clipped = np.clip(mean, 0.001, 0.999)
    np.testing.assert_allclose(params["out_b"], np.log(clipped / (1 - clipped)), rtol=1e-5)
    np.testing.assert_allclose(numpy_ops.sigmoid(params["out_b"]), clipped, rtol=1e-5)
    gaussian = SPEC._replace(likelihood="gaussian")
    params = unpack(init_params(gaussian, np.random.default_rng(0), data_mean=mean), gaussian)
    np.testing.assert_allclose(params["out_b"], mean, rtol=1e-6)


def test_a_learned_variance_starts_at_that_of_the_data():
    """Not below its floor, and nothing else changes: a Bernoulli, say, has no such parameter."""

    def start(spec, variance):
        return init_params(spec, np.random.default_rng(0), data_variance=variance)

    learned = SPEC._replace(likelihood="gaussian")
    for variance, logvar in [
        (0.0732, np.log(0.0732)),
        (None, 0),
        (1e-12, OUT_LOGVAR_FLOOR),
        (0.0, OUT_LOGVAR_FLOOR),
    ]:  # constant images have no variance at all
        flat = start(learned, variance)
        assert unpack(flat, learned)["out_logvar"] == np.float32(logvar)
        assert flat[:-1].tobytes() == start(learned, None)[:-1].tobytes()
    for spec in (SPEC, learned._replace(variance=0.3)):
        assert start(spec, 0.0732).tobytes() == start(spec, None).tobytes()


def test_the_learned_variance_has_the_floor_of_eight_bits():
    spec = SPEC._replace(likelihood="gaussian")
    _, params, _, _ = model(spec)
    assert np.exp(OUT_LOGVAR_FLOOR) == pytest.approx((1 / 255) ** 2 / 12)
    params["out_logvar"][...] = -50
    clamp_variance(params, spec)
    assert params["out_logvar"].item() == OUT_LOGVAR_FLOOR
    params["out_logvar"][...] = -1
    clamp_variance(params, spec)
    assert params["out_logvar"].item() == -1
    clamp_variance(model()[1], SPEC)  # a Bernoulli has none


# ---- doors -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"latent_dim": 0}, "latent_dim is 0"),
        ({"latent_dim": 2.0}, "latent_dim is 2.0"),
        ({"data_dim": True}, "data_dim is True"),
        ({"hidden": (5, -1)}, "hidden"),
        ({"hidden": [5]}, "hidden"),
        ({"hidden": 5}, "hidden"),
        ({"activation": "none"}, "'tanh' or 'relu'"),
        ({"likelihood": "poisson"}, "poisson"),
        ({"free_bits": -0.1}, "free_bits"),
        ({"free_bits": float("nan")}, "free_bits"),
        ({"free_bits": float("inf")}, "free_bits"),
        ({"variance": 0.1}, "bernoulli has none"),
        ({"likelihood": "gaussian", "variance": 0.0}, "above 0"),
        ({"likelihood": "gaussian", "variance": float("nan")}, "above 0"),
    ],
)
def test_a_model_that_cannot_be_built_is_refused(changes, words):
    with pytest.raises(MinivaeError, match=words) as error:
        check_spec(SPEC._replace(**changes))
    assert "\n" not in str(error.value)
    with pytest.raises(MinivaeError, match=words):
        init_params(SPEC._replace(**changes), np.random.default_rng(0))


@pytest.mark.parametrize("spec", SPECS, ids=by_name)
def test_a_model_that_can_be_built_is_not_refused(spec):
    check_spec(spec)


GOOD = np.full((2, 6), 0.5)


@pytest.mark.parametrize(
    ("x", "words"),
    [
        (GOOD[0], r"shape \(6,\)"),
        (GOOD[:, :5], r"takes \(B, 6\)"),
        (GOOD[None], "shape"),
        (GOOD[:0], "empty"),
        (GOOD * np.nan, "NaN"),
        (GOOD * np.inf, "infinite"),
        (GOOD - 0.6, "0 to 1"),
        (np.full((2, 6), 255), "divide 8-bit images by 255"),
        (GOOD + 1j, "complex"),
        (np.full((2, 6), "0"), "real numbers"),
        (np.full((2, 6), None), "real numbers"),
    ],
)
def test_a_batch_that_does_not_fit_is_refused_at_every_door(x, words):
    _, params, _, _ = model()
    eps = np.zeros((K, 2, 3))
    with pytest.raises(MinivaeError, match=words) as error:
        check_batch(x, SPEC, np.float64)
    assert "\n" not in str(error.value)
    for door, noise in (
        (elbo, eps[0]),
        (elbo_and_grads, eps[0]),
        (true_vae.iwae, eps),
        (iwae_and_grads, eps),
        (log_weights, eps),
    ):
        with pytest.raises(MinivaeError, match=words):
            door(params, x, noise, SPEC)


def test_a_batch_that_fits_is_cast_and_not_copied_without_need():
    ready = check_batch(np.ones((2, 6), bool), SPEC, np.float32)
    assert ready.dtype == np.float32
    x = GOOD.astype(np.float32)
    assert check_batch(x, SPEC, np.float32) is x
    negative = check_batch(GOOD - 3, SPEC._replace(likelihood="gaussian"), np.float64)
    assert negative.min() == -2.5


@pytest.mark.parametrize(
    "eps",
    [
        np.zeros((B, 2)),
        np.zeros((B + 1, 3)),
        np.zeros(3),
        np.zeros((2, B, 3)),
        0.0,
        np.zeros((B, 3), int),
        np.full((B, 3), "0"),
    ],
)
def test_noise_of_another_shape_or_type_is_refused(eps):
    with pytest.raises(MinivaeError, match=r"must be float \(4, 3\)") as error:
        check_noise(eps, B, SPEC)
    assert "\n" not in str(error.value)


def test_noise_with_samples_has_one_axis_more():
    assert check_noise(np.zeros((K, B, 3)), B, SPEC, samples=True).shape == (K, B, 3)
    for eps in (np.zeros((B, 3)), np.zeros((0, B, 3))):
        with pytest.raises(MinivaeError, match=r"must be float \(K, 4, 3\)"):
            check_noise(eps, B, SPEC, samples=True)


# ---- terms -----------------------------------------------------------------------------------


def written_out(params, x, eps, spec):
    """(nll per example, KL per latent) in plain NumPy: tanh layers, textbook formulas."""

    def hidden(h, side):
        for i in range(1, len(spec.hidden) + 1):
            h = np.tanh(h @ params[f"{side}{i}_W"] + params[f"{side}{i}_b"])
        return h

    h = hidden(x, "enc")
    mu = h @ params["mu_W"] + params["mu_b"]
    sigma = np.exp((h @ params["logvar_W"] + params["logvar_b"]) / 2)
    logits = hidden(mu + sigma * eps, "dec") @ params["out_W"] + params["out_b"]
    p = 1 / (1 + np.exp(-logits))
    nll = -(x * np.log(p) + (1 - x) * np.log(1 - p)).sum(axis=1)
    return nll, (mu**2 / 2 + sigma**2 / 2 - 1 / 2 - np.log(sigma)).mean(axis=0)


def test_loss_is_nll_plus_beta_times_what_the_kl_costs(vae, ops):
    """elbo = -(nll + kl), whatever beta and the free bits; loss = nll + beta max(free, kl)."""
    for beta, free_bits in ((1.0, 0.0), (0.0, 0.0), (4.0, 0.0), (1.0, 0.5), (4.0, 0.5), (1.0, 9.0)):
        spec = SPEC._replace(free_bits=free_bits)
        _, params, x, eps = model(spec)
        nll, kl_per_latent = written_out(params, x, eps[0], spec)
        kl, paid = kl_per_latent.sum(), np.maximum(free_bits, kl_per_latent).sum()
        for function in (vae.elbo, vae.elbo_and_grads):
            terms = function(params, x, eps[0], spec, beta=beta, ops=ops)
            assert terms.nll == pytest.approx(nll.mean(), rel=1e-12)
            assert terms.kl == pytest.approx(kl, rel=1e-12)
            assert terms.elbo == pytest.approx(-(nll.mean() + kl), rel=1e-12)
            assert terms.loss == pytest.approx(nll.mean() + beta * paid, rel=1e-12)
            if (beta, free_bits) == (1, 0):
                assert terms.loss == -terms.elbo


@pytest.mark.parametrize("spec", SPECS, ids=by_name)
def test_the_pass_with_gradients_reports_what_the_one_without_does(ops, spec):
    _, params, x, eps = model(spec)
    with_grads = elbo_and_grads(params, x, eps[0], spec, beta=2.0, ops=ops)
    np.testing.assert_allclose(with_grads[:4], elbo(params, x, eps[0], spec, beta=2.0), rtol=1e-12)
    with_grads = iwae_and_grads(params, x, eps, spec, ops=ops)
    np.testing.assert_allclose(with_grads[:4], true_vae.iwae(params, x, eps, spec), rtol=1e-12)
    assert with_grads.loss <= -with_grads.elbo


@pytest.mark.parametrize("spec", SPECS, ids=by_name)
def test_gradients_are_named_views_in_the_dtype_of_the_parameters(ops, spec):
    for dtype in (np.float32, np.float64):
        _, params, x, eps = model(spec, dtype)
        for result in (
            elbo_and_grads(params, x, eps[0], spec, ops=ops),
            iwae_and_grads(params, x, eps, spec, ops=ops),
        ):
            assert result.flat_grads.dtype == dtype
            assert result.loss.dtype == dtype
            assert list(result.grads) == [name for name, _ in layout(spec)]
            for name, shape in layout(spec):
                assert result.grads[name].shape == shape
                assert np.shares_memory(result.grads[name], result.flat_grads)
            assert np.isfinite(result.flat_grads).all()


@pytest.mark.parametrize("spec", SPECS, ids=by_name)
def test_float32_agrees_with_float64(ops, spec):
    """In single precision only rounding differs: no formula falls apart."""
    _, params, x, eps = model(spec)
    _, params32, x32, eps32 = model(spec, np.float32)
    for function, noise, noise32 in (
        (elbo_and_grads, eps[0], eps32[0]),
        (iwae_and_grads, eps, eps32),
    ):
        exact = function(params, x, noise, spec)
        single = function(params32, x32, noise32, spec, ops=ops)
        assert single.loss == pytest.approx(exact.loss, rel=1e-5)
        scale = np.abs(exact.flat_grads).max()
        np.testing.assert_allclose(single.flat_grads, exact.flat_grads, rtol=0, atol=1e-5 * scale)


def test_the_model_is_deterministic_and_changes_nothing_it_is_given(ops):
    flat, params, x, eps = model()
    before = [a.copy() for a in (flat, x, eps)]
    first = [
        elbo_and_grads(params, x, eps[0], SPEC, ops=ops).flat_grads,
        iwae_and_grads(params, x, eps, SPEC, ops=ops).flat_grads,
    ]
    again = [
        elbo_and_grads(params, x, eps[0], SPEC, ops=ops).flat_grads,
        iwae_and_grads(params, x, eps, SPEC, ops=ops).flat_grads,
    ]
    for a, b in zip(first, again, strict=True):
        assert np.array_equal(a, b)
    for array, copy in zip((flat, x, eps), before, strict=True):
        assert np.array_equal(array, copy)


def test_the_loss_of_a_batch_is_the_mean_of_its_examples():
    _, params, x, eps = model()
    whole = elbo_and_grads(params, x, eps[0], SPEC)
    parts = [elbo_and_grads(params, x[i : i + 1], eps[0, i : i + 1], SPEC) for i in range(B)]
    assert whole.loss == pytest.approx(np.mean([p.loss for p in parts]), rel=1e-12)
    mean = np.mean([p.flat_grads for p in parts], axis=0)
    np.testing.assert_allclose(whole.flat_grads, mean, rtol=0, atol=1e-12)


def test_below_its_free_bits_a_latent_does_not_feel_the_kl():
    _, params, x, eps = model()
    free = elbo_and_grads(params, x, eps[0], SPEC._replace(free_bits=1e3)).flat_grads
    unweighted = elbo_and_grads(params, x, eps[0], SPEC, beta=0.0).flat_grads
    np.testing.assert_array_equal(free, unweighted)


def test_the_encoder_is_the_same_in_every_face():
    """encode, decode and log_weights repeat no formula: one point, three ways to it."""
    _, params, x, eps = model()
    mu, logvar = encode(params, x, SPEC)
    z = mu + np.exp(logvar / 2) * eps
    logits = np.stack([decode(params, z_k, SPEC) for z_k in z])
    log_px = (x * logits - np.logaddexp(0, logits)).sum(axis=-1)
    log_p = -0.5 * (z**2 + log(2 * np.pi)).sum(axis=-1)
    log_q = -0.5 * (eps**2 + logvar + log(2 * np.pi)).sum(axis=-1)
    log_w = log_weights(params, x, eps, SPEC)
    np.testing.assert_allclose(log_w, log_px + log_p - log_q, rtol=1e-12)
    loss = true_vae.iwae(params, x, eps, SPEC).loss
    assert loss == pytest.approx(-np.log(np.exp(log_w).mean(axis=0)).mean(), rel=1e-12)


def test_a_picture_is_a_probability_or_a_mean():
    _, params, _, _ = model()
    z = np.random.default_rng(1).standard_normal((5, 3))
    np.testing.assert_allclose(
        mean_image(params, z, SPEC), 1 / (1 + np.exp(-decode(params, z, SPEC))), rtol=1e-12
    )
    gaussian = SPEC._replace(likelihood="gaussian", variance=0.1)
    assert np.array_equal(mean_image(params, z, gaussian), decode(params, z, gaussian))
    drawn = sample(params, 7, np.random.default_rng(2), SPEC)
    assert drawn.shape == (7, 6)
    assert ((0 < drawn) & (drawn < 1)).all()
    assert np.array_equal(drawn, sample(params, 7, np.random.default_rng(2), SPEC))
    assert sample(model(dtype=np.float32)[1], 2, np.random.default_rng(2), SPEC).dtype == np.float32


# ---- extremes --------------------------------------------------------------------------------


@pytest.mark.parametrize("likelihood", checks.LIKELIHOODS)
@pytest.mark.parametrize(("data_dim", "latent_dim", "batch"), [(1, 1, 1), (1, 512, 2), (30, 1, 1)])
@pytest.mark.parametrize("grey", [0.0, 1.0])
def test_small_constant_and_wide_models_have_finite_terms(
    ops, likelihood, data_dim, latent_dim, batch, grey
):
    """All black, all white, one pixel, one example, one latent, 512 latents."""
    spec = Spec(data_dim, (4,), latent_dim, likelihood=likelihood)
    rng = np.random.default_rng(0)
    x = np.full((batch, data_dim), grey, np.float32)
    params = unpack(init_params(spec, rng, data_mean=x.mean(axis=0)), spec)
    eps = rng.standard_normal((2, batch, latent_dim)).astype(np.float32)
    for result in (
        elbo_and_grads(params, x, eps[0], spec, ops=ops),
        iwae_and_grads(params, x, eps, spec, ops=ops),
    ):
        assert np.isfinite(result[:4]).all()
        assert np.isfinite(result.flat_grads).all()


def test_a_model_that_has_diverged_says_so_in_its_loss(ops):
    """A NaN among the parameters reaches the loss, and is not lost in a maximum."""
    for name in ("enc1_W", "mu_b", "logvar_b", "out_b"):
        for spec in (SPEC, SPEC._replace(free_bits=0.5)):
            _, params, x, eps = model(spec)
            params[name][...] = np.nan
            assert np.isnan(elbo(params, x, eps[0], spec, ops=ops).loss)
            assert np.isnan(true_vae.iwae(params, x, eps, spec, ops=ops).loss)


@pytest.mark.parametrize("value", [np.inf, np.nan])
def test_free_bits_do_not_stand_in_for_a_kl_that_is_nan(ops, value):
    """NaN > free_bits is false: a comparison that way round would take the KL for a small one."""
    spec = SPEC._replace(free_bits=0.5)
    _, params, x, eps = model(spec)
    params["logvar_b"][0] = value
    with np.errstate(invalid="ignore", over="ignore"):
        for compute in (elbo, elbo_and_grads):
            terms = compute(params, x, eps[0], spec, ops=ops)
            assert np.isnan(terms.kl)
            assert np.isnan(terms.loss)
            if value == np.inf:  # z is infinite, tanh(z) is 1: the likelihood shows nothing
                assert np.isfinite(terms.nll)
    paid = true_vae.elbo_loss(np.ones(2), np.array([[np.nan, 0.1], [1.0, 0.1]]), 1.0, spec)[0]
    assert np.isnan(paid.loss)

"""The model: terms that add up, gradients, and extreme inputs."""

from math import log

import numpy as np
import pytest
from random_models import BATCH, SPEC, SPECS, by_name, model

from minivae import checks
from minivae import vae as true_vae
from minivae.gradcheck.differences import COMPLEX_H, block_error
from minivae.vae import (
    Spec,
    decode,
    elbo,
    elbo_and_grads,
    encode,
    init_params,
    iwae_and_grads,
    layout,
    log_weights,
    mean_image,
    sample,
    unpack,
)


@pytest.fixture
def vae():
    return true_vae


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


@pytest.mark.parametrize("likelihood", checks.LIKELIHOODS)
@pytest.mark.parametrize("activation", checks.ACTIVATIONS)
def test_the_gradient_by_complex_step(activation, likelihood):
    """Every entry of every block, near machine precision."""
    spec = SPEC._replace(activation=activation, likelihood=likelihood)
    flat, params, x, eps = model(spec)
    numeric = np.empty_like(flat)
    for i in range(len(flat)):
        shifted = flat.astype(complex)
        shifted[i] += 1j * COMPLEX_H
        loss = elbo(unpack(shifted, spec), x, eps[0], spec, beta=2.0).loss
        numeric[i] = loss.imag / COMPLEX_H
    by_hand = elbo_and_grads(params, x, eps[0], spec, beta=2.0).grads
    for name, expected in unpack(numeric, spec).items():
        assert block_error(by_hand[name], expected) < 1e-12, name


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
    """The difference is rounding alone: no formula loses its digits in single precision."""
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
    parts = [elbo_and_grads(params, x[i : i + 1], eps[0, i : i + 1], SPEC) for i in range(BATCH)]
    assert whole.loss == pytest.approx(np.mean([p.loss for p in parts]), rel=1e-12)
    mean = np.mean([p.flat_grads for p in parts], axis=0)
    np.testing.assert_allclose(whole.flat_grads, mean, rtol=0, atol=1e-12)


def test_a_latent_below_its_free_bits_gets_no_gradient_from_the_kl():
    _, params, x, eps = model()
    free = elbo_and_grads(params, x, eps[0], SPEC._replace(free_bits=1e3)).flat_grads
    unweighted = elbo_and_grads(params, x, eps[0], SPEC, beta=0.0).flat_grads
    np.testing.assert_array_equal(free, unweighted)


def test_encode_decode_and_log_weights_agree():
    """The log weights written out from encode and decode are those of log_weights."""
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


def test_the_loss_of_a_model_that_has_diverged_is_nan(ops):
    """A NaN among the parameters reaches the loss; no maximum replaces it by a number."""
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
            if value == np.inf:  # z is infinite, but tanh(z) is 1, so the likelihood is finite
                assert np.isfinite(terms.nll)
    paid = true_vae.elbo_loss(np.ones(2), np.array([[np.nan, 0.1], [1.0, 0.1]]), 1.0, spec)[0]
    assert np.isnan(paid.loss)

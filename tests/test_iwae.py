"""The importance-weighted bound and its hand-derived gradient."""

import numpy as np
import pytest

from minivae import vae
from minivae.errors import MinivaeError
from minivae.gradcheck.differences import block_error

SPECS = (
    vae.Spec(6, (5, 4), 3),
    vae.Spec(6, (5,), 2, activation="relu"),
    vae.Spec(6, (5,), 2, activation="softplus"),
    vae.Spec(6, (5,), 2, likelihood="gaussian"),
    vae.Spec(6, (), 2, likelihood="gaussian", variance=0.3),
)


def setting(spec, K=4, B=3, seed=0):
    """flat parameters, no entry 0, x (B, D), eps (K, B, L); float64."""
    rng = np.random.default_rng(seed)
    flat = vae.init_params(spec, rng, dtype=np.float64)
    flat += 0.3 * rng.standard_normal(len(flat))
    x = rng.random((B, spec.data_dim))
    if spec.likelihood == "bernoulli":
        x = np.round(x)
    return flat, x, rng.standard_normal((K, B, spec.latent_dim))


def blocks(flat, spec):
    return vae.unpack(flat, spec).items()


@pytest.mark.parametrize("spec", SPECS)
def test_the_gradient_by_complex_step(spec):
    """Every entry of every block, near machine precision."""
    flat, x, eps = setting(spec)
    result = vae.iwae_and_grads(vae.unpack(flat, spec), x, eps, spec)
    h = 1e-100
    numeric = np.empty_like(flat)
    for i in range(len(flat)):
        shifted = flat.astype(complex)
        shifted[i] += 1j * h
        numeric[i] = vae.iwae(vae.unpack(shifted, spec), x, eps, spec).loss.imag / h
    for (name, a), (_, n) in zip(result.grads.items(), blocks(numeric, spec), strict=True):
        assert block_error(a, n) < 1e-12, name


@pytest.mark.parametrize("spec", SPECS)
def test_the_gradient_by_central_differences(spec):
    flat, x, eps = setting(spec)
    result = vae.iwae_and_grads(vae.unpack(flat, spec), x, eps, spec)
    h = 1e-5
    numeric = np.empty_like(flat)
    for i in range(len(flat)):
        losses = []
        for sign in (1, -1):
            shifted = flat.copy()
            shifted[i] += sign * h
            losses.append(vae.iwae(vae.unpack(shifted, spec), x, eps, spec).loss)
        numeric[i] = (losses[0] - losses[1]) / (2 * h)
    for (name, a), (_, n) in zip(result.grads.items(), blocks(numeric, spec), strict=True):
        assert block_error(a, n) < 1e-6, name


@pytest.mark.parametrize("spec", SPECS)
def test_forward_and_gradient_return_the_same_terms(spec):
    flat, x, eps = setting(spec)
    params = vae.unpack(flat, spec)
    np.testing.assert_allclose(
        vae.iwae(params, x, eps, spec), vae.iwae_and_grads(params, x, eps, spec)[:4], rtol=1e-14
    )


@pytest.mark.parametrize("spec", SPECS)
def test_one_sample_is_nll_plus_log_q_minus_log_p_written_out(spec):
    flat, x, eps = setting(spec, K=1)
    params = vae.unpack(flat, spec)
    mu, logvar = vae.encode(params, x, spec)
    sigma = np.exp(logvar / 2)
    z = mu + sigma * eps[0]
    out = vae.decode(params, z, spec)
    if spec.likelihood == "bernoulli":
        p = 1 / (1 + np.exp(-out))
        nll = -(x * np.log(p) + (1 - x) * np.log(1 - p)).sum(axis=1)
    else:
        v = np.exp(params["out_logvar"][0]) if spec.learns_variance else spec.variance
        nll = ((x - out) ** 2 / (2 * v) + np.log(2 * np.pi * v) / 2).sum(axis=1)
    log_q = (-((z - mu) ** 2) / (2 * sigma**2) - np.log(2 * np.pi * sigma**2) / 2).sum(axis=1)
    log_p = (-(z**2) / 2 - np.log(2 * np.pi) / 2).sum(axis=1)
    loss = vae.iwae_and_grads(params, x, eps, spec).loss
    assert loss == pytest.approx((nll + log_q - log_p).mean(), abs=1e-12)


@pytest.mark.parametrize("spec", SPECS)
def test_k_copies_of_one_noise_give_the_value_of_one(spec):
    """Catches a missing log K, which is a constant: no gradient check can see it."""
    flat, x, eps = setting(spec, K=1)
    params = vae.unpack(flat, spec)
    one = vae.iwae_and_grads(params, x, eps, spec)
    seven = vae.iwae_and_grads(params, x, np.repeat(eps, 7, axis=0), spec)
    assert seven.loss == pytest.approx(one.loss, abs=1e-12)
    np.testing.assert_allclose(seven.flat_grads, one.flat_grads, rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("spec", SPECS)
def test_with_one_sample_value_and_gradient_agree_with_the_elbos_in_the_mean(spec):
    """Only in the mean: one has the KL in closed form, the other samples it."""
    flat, x, _ = setting(spec)
    params = vae.unpack(flat, spec)
    rng = np.random.default_rng(1)
    n = 400
    difference = np.empty((n, 1 + len(flat)))
    for row in difference:
        eps = rng.standard_normal((len(x), spec.latent_dim))
        a = vae.elbo_and_grads(params, x, eps, spec)
        b = vae.iwae_and_grads(params, x, eps[None], spec)
        row[0], row[1:] = a.loss - b.loss, a.flat_grads - b.flat_grads
    stderr = difference.std(axis=0, ddof=1) / n**0.5
    assert stderr[0] > 0
    assert (np.abs(difference.mean(axis=0)) <= 5 * stderr + 1e-12).all()


def test_the_loss_is_log_mean_exp_of_the_log_weights():
    spec = SPECS[0]
    flat, x, eps = setting(spec, K=5)
    params = vae.unpack(flat, spec)
    w = np.exp(vae.log_weights(params, x, eps, spec))
    result = vae.iwae(params, x, eps, spec)
    assert result.loss == pytest.approx(-np.log(w.mean(axis=0)).mean(), abs=1e-12)
    assert result.elbo == pytest.approx(np.log(w).mean(), abs=1e-12)
    assert result.elbo == -(result.nll + result.kl)
    assert result.loss < -result.elbo, "Jensen"


def test_weights_that_underflow_do_not_matter():
    """At log w = -1000, exp(log w) is 0.0 in float64; the softmax works in logs."""
    spec = vae.Spec(6, (), 2, likelihood="gaussian", variance=1e-3)
    flat, x, eps = setting(spec)
    result = vae.iwae_and_grads(vae.unpack(flat, spec), x, eps, spec)
    assert result.loss > 1000
    assert np.isfinite(result.flat_grads).all()


def test_images_are_weighted_apart():
    """The gradient of a batch is the mean of its images' gradients."""
    spec = SPECS[0]
    flat, x, eps = setting(spec)
    params = vae.unpack(flat, spec)
    alone = [
        vae.iwae_and_grads(params, x[[i]], eps[:, [i]], spec).flat_grads for i in range(len(x))
    ]
    together = vae.iwae_and_grads(params, x, eps, spec).flat_grads
    np.testing.assert_allclose(together, np.mean(alone, axis=0), rtol=1e-10, atol=1e-14)


def test_samples_drawn_by_weights_that_are_nan_leave_nan_in_the_gradient():
    """One of the samples has a NaN, but not the one that is drawn: the NaN must still show."""
    spec = SPECS[0]
    flat, x, eps = setting(spec)
    eps[-1, 0] = np.nan  # the last sample of the first image
    u = np.zeros((1, len(x)))
    with np.errstate(invalid="ignore"):
        result = vae.iwae_and_grads(vae.unpack(flat, spec), x, eps, spec, u=u)
    assert np.isnan(result.loss)
    assert np.isnan(result.grads["out_b"]).all()


def test_samples_are_drawn_by_their_weights():
    """Of 8 draws a sample of weight 1/2 gets 4, whatever u is; one of weight 0 none."""
    weights = np.array([[0, 1], [0.5, 0], [0.125, 0], [0.375, 0], [0, 0]])
    rng = np.random.default_rng(0)
    edges = (np.zeros((8, 2)), np.full((8, 2), 1 - 1e-9))
    for u in (*edges, *rng.random((50, 8, 2))):
        k = vae.resample(weights, u)
        assert np.bincount(k[:, 0], minlength=5).tolist() == [0, 4, 1, 3, 0]
        assert (k[:, 1] == 0).all()
    thirds = np.full((3, 1), 1 / 3)
    counts = np.array(
        [
            np.bincount(vae.resample(thirds, u)[:, 0], minlength=3)
            for u in rng.random((20_000, 5, 1))
        ]
    )
    np.testing.assert_allclose(counts.mean(axis=0), 5 / 3, atol=0.02)  # 4 standard errors
    assert counts.min() >= 1
    assert counts.max() <= 3


def test_weights_that_sum_a_little_wrong_are_drawn_from_all_the_same():
    """float32 weights add up to 1 except for rounding, and u may be just below 1."""
    weights = np.random.default_rng(1).dirichlet(np.full(50, 0.05), 200).T.astype(np.float32)
    for u in (np.zeros((3, 200)), np.full((3, 200), np.nextafter(1, 0))):
        k = vae.resample(weights, u)
        assert (np.take_along_axis(weights, k, axis=0) > 0).all()


@pytest.mark.parametrize(
    ("u", "message"),
    [
        (np.zeros(3), r"u is float64 of shape \(3,\); it must be float \(S, 3\)"),
        (np.zeros((2, 4)), r"it must be float \(S, 3\)"),
        (np.zeros((0, 3)), r"it must be float \(S, 3\)"),
        (np.zeros((2, 3), int), r"it must be float \(S, 3\)"),
        (np.full((2, 3), 1.0), r"outside \[0, 1\)"),
        (np.full((2, 3), -1e-9), r"outside \[0, 1\)"),
        (np.full((2, 3), np.nan), r"outside \[0, 1\)"),
    ],
)
def test_u_that_is_not_uniform_in_0_1_is_refused(u, message):
    flat, x, eps = setting(SPECS[0])
    with pytest.raises(MinivaeError, match=message):
        vae.iwae_and_grads(vae.unpack(flat, SPECS[0]), x, eps, SPECS[0], u=u)


@pytest.mark.parametrize("shape", [(3, 3), (0, 3, 3), (4, 2, 3), (4, 3, 2)])
def test_noise_of_a_wrong_shape_is_refused(shape):
    spec = SPECS[0]
    flat, x, _ = setting(spec)
    params = vae.unpack(flat, spec)
    for function in (vae.iwae, vae.iwae_and_grads, vae.log_weights):
        with pytest.raises(MinivaeError, match=r"eps .* must be float \(K, 3, 3\)"):
            function(params, x, np.zeros(shape), spec)

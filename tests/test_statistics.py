"""Where a gradient check is blind: is it the right formula?

A density must integrate to one, a KL must equal its Monte Carlo estimate, samples must have the
moments that they claim. Each test takes the backend (or the model) as an argument, so that
`test_mistakes` can call it with a mistake planted, and see it fail. Monte Carlo is held to six
standard errors; seeds are fixed.
"""

from itertools import pairwise, product
from math import log, pi

import numpy as np
import pytest

from minivae import checks
from minivae import ops as true_ops
from minivae import vae as true_vae

MU = np.array([[0.4, -1.3], [2.1, 0.0], [-0.7, 0.9]])
LOGVAR = np.array([[-1.1, 0.6], [0.3, -2.0], [0.0, 1.2]])
SIX = 6  # standard errors: chance alone exceeds them once in 500 million


@pytest.fixture
def vae():
    return true_vae


def assert_mean(samples, expected):
    """The mean over axis 0 is the expected one, within six of its standard errors."""
    error = samples.std(axis=0, ddof=1) / len(samples) ** 0.5
    assert (np.abs(samples.mean(axis=0) - expected) < SIX * error).all()


# ---- the posterior's sample and its KL -------------------------------------------------------


def test_sampled_z_has_mean_mu_and_covariance_exp_logvar(ops):
    """exp(logvar) is the variance, not sigma; and no two examples or latents share their noise."""
    eps = np.random.default_rng(0).standard_normal((40_000, *MU.shape))
    z, _ = ops.reparam_forward(MU, LOGVAR, eps)
    centred = (z - MU).reshape(len(z), -1)
    assert_mean(z, MU)
    assert_mean(centred[:, :, None] * centred[:, None, :], np.diag(np.exp(LOGVAR).ravel()))


def test_kl_equals_its_monte_carlo_estimate(ops):
    """KL(q || p) is the mean of log q(z) - log p(z), both densities written out in full."""
    kl, _ = ops.gaussian_kl_forward(MU, LOGVAR)
    sigma = np.exp(LOGVAR / 2)
    z = MU + sigma * np.random.default_rng(1).standard_normal((40_000, *MU.shape))
    log_q = -0.5 * ((z - MU) / sigma) ** 2 - np.log(sigma) - 0.5 * log(2 * pi)
    log_p = -0.5 * z**2 - 0.5 * log(2 * pi)
    assert_mean(log_q - log_p, kl)


def test_kl_is_zero_at_the_prior_and_positive_elsewhere(ops):
    zero = np.zeros((1, 2))
    assert (ops.gaussian_kl_forward(zero, zero)[0] == 0).all()
    assert (ops.gaussian_kl_forward(MU, LOGVAR)[0] > 0).all()


# ---- likelihoods are densities ---------------------------------------------------------------


def test_bernoulli_sums_to_one_over_all_images(ops):
    for n_pixels in (1, 2, 8):
        images = np.array(list(product([0.0, 1.0], repeat=n_pixels)))
        logits = np.random.default_rng(2).normal(scale=3, size=n_pixels)
        nll, _ = ops.bernoulli_nll_forward(np.tile(logits, (len(images), 1)), images)
        assert np.exp(-nll).sum() == pytest.approx(1, abs=1e-13)
        p_first = np.exp(-nll[images[:, 0] == 1]).sum()  # one pixel's marginal is its sigmoid
        assert p_first == pytest.approx(1 / (1 + np.exp(-logits[0])), abs=1e-13)


def test_gaussian_integrates_to_one(ops):
    """By the trapezoid rule, which is exact to rounding for a Gaussian this wide in its grid."""
    for n_pixels, logvar in product((1, 2), (-2.0, 0.7)):
        sigma = np.exp(logvar / 2)
        axis = np.linspace(-10 * sigma, 10 * sigma, 101)
        x = np.array(list(product(axis, repeat=n_pixels))) + 0.3
        nll, _ = ops.gaussian_nll_forward(np.full_like(x, 0.3), np.array([logvar]), x)
        mass = np.exp(-nll) * (axis[1] - axis[0]) ** n_pixels
        assert mass.sum() == pytest.approx(1, abs=1e-12)
        assert mass @ (x[:, 0] - 0.3) ** 2 == pytest.approx(np.exp(logvar), rel=1e-12)


# ---- the bounds, against the evidence by quadrature ------------------------------------------

SPEC = true_vae.Spec(4, (3,), 1)
NODES = np.linspace(-12, 12, 4001)[:, None]  # z, for integrals over a latent of one dimension


def model_and_image(spec=SPEC):
    rng = np.random.default_rng(3)
    params = true_vae.unpack(rng.normal(scale=0.8, size=true_vae.n_params(spec)), spec)
    return params, np.array([[1.0, 0.0, 1.0, 1.0]])


def log_normal(z, mean, logvar):
    return -0.5 * ((z - mean) ** 2 / np.exp(logvar) + logvar + log(2 * pi))


def log_joint(params, x):
    """log p(x, z) at every node, from the decoder's logits and nothing else of the package."""
    logits = true_vae.decode(params, NODES, SPEC)
    log_px = np.where(x == 1, -np.logaddexp(0, -logits), -np.logaddexp(0, logits)).sum(axis=1)
    return log_px, log_px + log_normal(NODES[:, 0], 0.0, 0.0)


def integral(values):
    return values.sum() * (NODES[1, 0] - NODES[0, 0])


def test_the_elbo_averages_to_its_integral(vae, ops):
    """E_q log p(x|z) - KL, by quadrature; and log p(x) exceeds it by KL(q || posterior)."""
    params, x = model_and_image()
    mu, logvar = (a.item() for a in true_vae.encode(params, x, SPEC))
    q = np.exp(log_normal(NODES[:, 0], mu, logvar))
    log_px, log_pxz = log_joint(params, x)
    log_evidence = np.log(integral(np.exp(log_pxz)))
    kl = integral(q * (log_normal(NODES[:, 0], mu, logvar) - log_normal(NODES[:, 0], 0.0, 0.0)))
    gap = integral(q * (log_normal(NODES[:, 0], mu, logvar) - log_pxz + log_evidence))

    batch = np.tile(x, (200, 1))
    eps = np.random.default_rng(4).standard_normal((300, 200, 1))
    terms = [vae.elbo(params, batch, e, SPEC, ops=ops) for e in eps]
    assert terms[0].kl == pytest.approx(kl, rel=1e-9)
    assert_mean(np.array([t.nll for t in terms]), -integral(q * log_px))
    assert_mean(np.array([t.elbo for t in terms]), log_evidence - gap)
    assert gap > 0


def test_importance_weights_average_to_the_evidence(vae, ops):
    """E_q w = p(x), whatever q is."""
    params, x = model_and_image()
    evidence = integral(np.exp(log_joint(params, x)[1]))
    eps = np.random.default_rng(5).standard_normal((50_000, 1, 1))
    log_w = vae.log_weights(params, x, eps, SPEC, ops=ops)
    assert_mean(np.exp(log_w), evidence)


def test_copies_of_one_noise_give_the_bound_of_one_sample(vae, ops):
    for likelihood in checks.LIKELIHOODS:
        spec = SPEC._replace(likelihood=likelihood, latent_dim=2)
        params, x = model_and_image(spec)
        x = np.concatenate([x, 1 - x])
        eps = np.random.default_rng(6).standard_normal((1, 2, 2))
        one = vae.iwae_and_grads(params, x, eps, spec, ops=ops)
        copies = vae.iwae_and_grads(params, x, np.repeat(eps, 7, axis=0), spec, ops=ops)
        assert copies.loss == pytest.approx(one.loss, rel=1e-13)
        assert one.loss == pytest.approx(-one.elbo, rel=1e-13)  # no log of an average here
        np.testing.assert_allclose(copies.flat_grads, one.flat_grads, rtol=0, atol=1e-12)


def intervals(cuts):
    """(middle, width) of each part of [0, 1) between the cuts.

    Sums of weights that should be equal, or 1, may differ by a rounding error: no number lies
    between them, so none is drawn there.
    """
    bounds = np.unique(np.concatenate([[0.0, 1.0], cuts]))
    halves = [(low, (low + high) / 2, high) for low, high in pairwise(bounds)]
    return [(middle, high - low) for low, middle, high in halves if low < middle < high]


def test_intervals_leave_out_what_no_number_lies_in():
    near = [np.nextafter(0.25, 1), np.nextafter(1.0, 0)]  # the middle up to 1 would round to 1
    assert intervals(np.array([0.25, *near])) == [
        (0.125, 0.25),
        ((near[0] + near[1]) / 2, near[1] - near[0]),
    ]


def test_the_gradient_of_drawn_samples_averages_to_that_of_all(vae, ops):
    """The mean over u is exact here: between two cuts of [0, 1) the same samples are drawn."""
    spec = SPEC._replace(latent_dim=2)
    params, x = model_and_image(spec)
    x = np.concatenate([x, 1 - x])
    eps = np.random.default_rng(9).standard_normal((4, 2, 2))
    whole = vae.iwae_and_grads(params, x, eps, spec, ops=ops)
    w = np.exp(true_vae.log_weights(params, x, eps, spec))
    for S in (1, 3):
        cuts = (S * np.cumsum(w / w.sum(axis=0), axis=0)).ravel() % 1
        mean = 0
        for middle, width in intervals(cuts):
            u = np.full((S, 2), middle)
            drawn = vae.iwae_and_grads(params, x, eps, spec, u=u, ops=ops)
            mean = mean + width * drawn.flat_grads
            assert drawn[:4] == pytest.approx(whole[:4], rel=1e-13)
        np.testing.assert_allclose(mean, whole.flat_grads, rtol=0, atol=1e-12)
        assert np.abs(drawn.flat_grads - whole.flat_grads).max() > 1e-3  # one draw is not the mean


def test_the_doubly_reparameterized_gradient_by_its_definition(vae, ops):
    """-1/B sum_k w_k^2 d log w_k / dz_k dz_k / dphi, normalised w [Tucker et al. 2019, eq. 8].

    log q in log w moves with z alone. By complex step, written with the densities; the decoder's
    gradient is the plain one, and with samples drawn by weight the average over u is the same.
    """
    spec = SPEC._replace(latent_dim=2)
    params, x = model_and_image(spec)
    x = np.concatenate([x, 1 - x])
    eps = np.random.default_rng(9).standard_normal((3, 2, 2))
    w = np.exp(true_vae.log_weights(params, x, eps, spec))
    w /= w.sum(axis=0)
    mu, logvar = true_vae.encode(params, x, spec)

    def loss(flat):
        shifted = true_vae.unpack(flat, spec)
        own_mu, own_logvar, _ = true_vae.encoder_forward(shifted, x, spec, true_ops)
        z = own_mu + np.exp(own_logvar / 2) * eps
        logits = true_vae.decoder_forward(params, z.reshape(6, 2), spec, true_ops)[0]
        log_p = (x * logits.reshape(3, 2, -1)).sum(axis=-1)
        log_p = log_p - np.log1p(np.exp(logits)).sum(axis=-1).reshape(3, 2)
        log_prior = -(z**2).sum(axis=-1) / 2
        log_q = (-((z - mu) ** 2) / np.exp(logvar) - logvar).sum(axis=-1) / 2
        return -(w**2 * (log_p + log_prior - log_q)).sum() / 2

    result = vae.iwae_and_grads(params, x, eps, spec, doubly=True, ops=ops)
    plain = vae.iwae_and_grads(params, x, eps, spec, ops=ops)
    flat = np.concatenate([p.ravel() for p in params.values()])
    steps = np.eye(len(flat)) * 1e-30j
    numeric = true_vae.unpack(np.array([loss(flat + step).imag / 1e-30 for step in steps]), spec)
    for name, gradient in result.grads.items():
        of_decoder = name.startswith(("dec", "out"))
        expected = plain.grads[name] if of_decoder else numeric[name]
        np.testing.assert_allclose(gradient, expected, rtol=1e-11, atol=1e-12, err_msg=name)
    # One sample drawn by its weight: w_k times its gradient of K = 1 has the same average.
    mean = 0
    for middle, width in intervals(np.cumsum(w, axis=0).ravel().clip(0, 1)):
        u = np.full((1, 2), middle)
        drawn = vae.iwae_and_grads(params, x, eps, spec, u=u, doubly=True, ops=ops)
        mean = mean + width * drawn.flat_grads
    np.testing.assert_allclose(mean, result.flat_grads, rtol=0, atol=1e-12)


def test_the_doubly_reparameterized_gradient_is_the_plain_one_on_average(vae, ops):
    spec = SPEC._replace(latent_dim=2)
    params, x = model_and_image(spec)
    rng = np.random.default_rng(10)
    difference = []
    for _ in range(600):
        eps = rng.standard_normal((3, 1, 2))
        twice = vae.iwae_and_grads(params, x, eps, spec, doubly=True, ops=ops)
        difference.append(
            twice.flat_grads - vae.iwae_and_grads(params, x, eps, spec, ops=ops).flat_grads
        )
    difference = np.array(difference)
    stderr = difference.std(axis=0, ddof=1) / len(difference) ** 0.5
    assert (stderr > 1e-3).any()  # each draw differs
    assert (np.abs(difference.mean(axis=0)) <= 5 * stderr + 1e-12).all()


def test_the_bound_tightens_with_more_samples_and_stays_below_the_evidence(vae, ops):
    params, x = model_and_image()
    log_evidence = np.log(integral(np.exp(log_joint(params, x)[1])))
    eps = np.random.default_rng(7).standard_normal((30, 2000, 1))
    batch = np.tile(x, (2000, 1))
    bounds = [-vae.iwae(params, batch, eps[:K], SPEC, ops=ops).loss for K in (1, 3, 10, 30)]
    assert (np.diff(bounds) > 0).all()
    assert bounds[-1] < log_evidence < bounds[-1] + 0.1


def test_pictures_of_the_prior_average_to_the_models_mean(vae, ops):
    """sample() decodes z ~ N(0, 1): its mean is the integral of sigmoid(logits) over the prior."""
    params, _ = model_and_image()
    prior = np.exp(log_normal(NODES, 0.0, 0.0))
    logits = true_vae.decode(params, NODES, SPEC)
    expected = [integral(prior[:, 0] / (1 + np.exp(-l))) for l in logits.T]
    assert_mean(vae.sample(params, 20_000, np.random.default_rng(8), SPEC, ops=ops), expected)

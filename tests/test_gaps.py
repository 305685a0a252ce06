"""The gaps between log p(x) and the ELBO: standard errors and noise, against a direct computation.

That the gaps themselves are right is tested in test_evaluate.py.
"""

import numpy as np
import pytest
from trained import small_vae

from minivae import evaluate, exact, ops, vae
from minivae.evaluate.likelihood import log_weight_blocks, noise_streams


def test_standard_errors_are_those_of_all_draws_at_once():
    """500 draws for each of 3 images come in blocks of 64, whose means differ."""
    spec, params, x = small_vae()
    x, options = x[:3], {"steps": 5, "lr": 0.05, "noise": 8}
    gaps = evaluate.gaps(
        params, x, spec, rng=np.random.default_rng(0), score_noise=500, log_p=np.zeros(3), **options
    )
    search, score, _ = np.random.default_rng(0).spawn(3)
    q = vae.encode(params, x, spec)
    best = evaluate.best_q(params, x, *q, spec, rng=search, **options)
    stream = noise_streams(score)
    log_w_best, log_w = (
        np.concatenate(
            list(log_weight_blocks(params, x, *one, 500, [stream(i) for i in range(3)], spec, ops))
        )
        for one in (best, q)
    )
    np.testing.assert_allclose(gaps.elbo_best, log_w_best.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(gaps.elbo_encoder, log_w.mean(axis=0), rtol=1e-12)
    for found, values in (
        (gaps.approximation_stderr, log_w_best),
        (gaps.amortization_stderr, log_w_best - log_w),
    ):
        np.testing.assert_allclose(found, values.std(axis=0, ddof=1) / 500**0.5, rtol=1e-9)


def test_mirror_images_of_the_noise_leave_none_in_the_mean_of_a_linear_model():
    """Its gradient for mu is linear in eps, so eps and -eps cancel: every seed takes one path."""
    spec = vae.Spec(4, (), 2, likelihood="gaussian", variance=0.5)
    rng = np.random.default_rng(0)
    params = vae.unpack(vae.init_params(spec, rng, dtype=np.float64), spec)
    x = exact.sample_linear(exact.as_linear(params, spec), 3, rng)
    start = np.zeros((2, 3, 2))
    found = [
        evaluate.best_q(
            params, x, *start.copy(), spec, rng=np.random.default_rng(seed), steps=20, noise=2
        )
        for seed in (1, 2)
    ]
    (mu, logvar), (other_mu, other_logvar) = found
    np.testing.assert_allclose(mu, other_mu, rtol=0, atol=1e-12)
    assert np.abs(mu).max() > 0.1, "it moved"
    assert np.abs(logvar - other_logvar).max() > 1e-6, "the variances' gradient keeps its noise"


@pytest.mark.parametrize("image", [0, 1])
def test_the_pictured_posterior_is_centred_on_its_own_image(image):
    spec, params, x = small_vae()
    result = exact.quadrature(params, x[:2], spec)
    grid = exact.posterior_grid(params, x[:2], spec, result, image=image, points=5, widths=3)
    for axis, mean, sd in zip(grid.axes, result.mean[image], result.sd[image], strict=True):
        np.testing.assert_allclose(axis[[0, 2, -1]], [mean - 3 * sd, mean, mean + 3 * sd])

"""A small VAE with two latents, trained once for all the tests that look at a trained model."""

from functools import cache

import numpy as np

from minivae import ops, vae


@cache
def small_vae():
    """spec, params (float64), x (60, 20) of zeros and ones. Do not write into them."""
    rng = np.random.default_rng(3)
    z = rng.standard_normal((300, 2))
    wave = 4 * np.sin(3 * z @ rng.standard_normal((2, 20)))
    x = (rng.random(wave.shape) < ops.sigmoid(wave)).astype(np.float64)
    spec = vae.Spec(20, (16,), 2)
    flat = vae.init_params(spec, rng, data_mean=x.mean(axis=0), dtype=np.float64)
    params = vae.unpack(flat, spec)
    m, v = np.zeros_like(flat), np.zeros_like(flat)
    for step in range(1, 601):
        batch = x[rng.integers(len(x), size=100)]
        result = vae.elbo_and_grads(params, batch, rng.standard_normal((100, 2)), spec)
        ops.adam_step(flat, result.flat_grads, m, v, step, 1e-2)
    return spec, params, x[:60]

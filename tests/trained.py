"""Small VAEs that are trained in the tests, and one that all tests of a trained model share."""

from functools import cache

import numpy as np

from minivae import ops, vae


def descend(flat, spec, batches, lr, *, ops=ops):
    """Train a VAE by Adam, its parameters `flat` (P,) in place -> the losses, one a step.

    batches: yields (x, eps), the images and the noise of a step.
    """
    params, m, v = vae.unpack(flat, spec), np.zeros_like(flat), np.zeros_like(flat)
    losses = []
    for step, (x, eps) in enumerate(batches, start=1):
        result = vae.elbo_and_grads(params, x, eps, spec, ops=ops)
        ops.adam_step(flat, result.flat_grads, m, v, step, lr)
        vae.clamp_variance(params, spec)
        losses.append(result.loss)
    return losses


@cache
def small_vae():
    """spec, params (float64), x (60, 20) of zeros and ones. Do not write into them."""
    rng = np.random.default_rng(3)
    z = rng.standard_normal((300, 2))
    wave = 4 * np.sin(3 * z @ rng.standard_normal((2, 20)))
    x = (rng.random(wave.shape) < ops.sigmoid(wave)).astype(np.float64)
    spec = vae.Spec(20, (16,), 2)
    flat = vae.init_params(spec, rng, data_mean=x.mean(axis=0), dtype=np.float64)
    batches = (
        (x[rng.integers(len(x), size=100)], rng.standard_normal((100, 2))) for _ in range(600)
    )
    descend(flat, spec, batches, 1e-2)
    return spec, vae.unpack(flat, spec), x[:60]

"""Random arrays, and small models with random parameters, for tests of the mathematics."""

import numpy as np

from minivae.vae import Spec, n_params, unpack

B, D, L, K = 3, 7, 2, 5  # of arrays
DTYPES = (np.float32, np.float64)


def draw(*shape, seed=0, dtype=np.float64, scale=1.0):
    return (scale * np.random.default_rng(seed).standard_normal(shape)).astype(dtype)


def pixels(*shape, seed=0, dtype=np.float64):
    return np.random.default_rng(seed).random(shape).astype(dtype)


BATCH, SAMPLES = 4, 3  # of models
SPEC = Spec(6, (5, 4), 3)
SPECS = [
    Spec(6, (), 2),
    SPEC,
    Spec(6, (5,), 2, "relu", "gaussian"),
    Spec(6, (5, 4, 3), 2, "tanh", "gaussian", 0.3),
    Spec(6, (5,), 3, free_bits=0.4),
]


def by_name(spec):
    return "-".join(str(part) for part in spec)


def model(spec=SPEC, dtype=np.float64, seed=0):
    """flat parameters, the same by name, x (BATCH, D), eps (SAMPLES, BATCH, L)."""
    rng = np.random.default_rng(seed)
    flat = rng.normal(scale=0.6, size=n_params(spec)).astype(dtype)
    x = rng.random((BATCH, spec.data_dim)).astype(dtype)
    eps = rng.standard_normal((SAMPLES, BATCH, spec.latent_dim)).astype(dtype)
    return flat, unpack(flat, spec), x, eps

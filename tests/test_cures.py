"""The cures of the cats' study: their gradients, and a loop that is `train.train` with one more."""

import functools

import numpy as np
import pytest

from minivae import data, ops, train, vae
from minivae.settings import Settings
from minivae.spec import Spec
from minivae.studies import cures

SPEC = Spec(12, (7, 5), 3)


def values_and_gradient(cure, likelihood="bernoulli"):
    rng = np.random.default_rng(0)
    flat = vae.init_params(SPEC, rng, dtype=np.float64)
    flat += 0.3 * rng.standard_normal(flat.shape)
    x = rng.integers(0, 2, (6, 12)).astype(np.float64)
    eps = rng.standard_normal((6, 3))

    def value(at):
        return cure(vae.unpack(at, SPEC), x, eps, SPEC, ops)[0]

    return flat, value, cure(vae.unpack(flat, SPEC), x, eps, SPEC, ops)[1]


def label_cure():
    rng = np.random.default_rng(5)
    pictures = rng.integers(0, 2, (4, 12)).astype(np.float64)
    return cures.label_cure(3.0, lambda: pictures, rng.standard_normal((4, 2)))


@pytest.mark.parametrize("cure", [cures.total_correlation_cure(2.0, 1000), label_cure()])
def test_the_gradient_of_a_cure_by_central_differences(cure):
    flat, value, gradient = values_and_gradient(cure)
    expected = np.empty_like(flat)
    for k in range(len(flat)):
        up, down = flat.copy(), flat.copy()
        up[k] += 1e-5
        down[k] -= 1e-5
        expected[k] = (value(up) - value(down)) / 2e-5
    assert np.abs(expected).max() > 0.01
    assert np.abs(gradient - expected).max() < 1e-7 * max(1, np.abs(expected).max())


@functools.cache
def tiny_dataset():
    train_images = np.random.default_rng(1).integers(0, 256, (60, 12)).astype(np.uint8)
    return data.Dataset("few", train_images, train_images[:20], None, None, (3, 4), "")


@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian"])
def test_without_a_cure_it_is_the_same_run(likelihood):
    settings = Settings(
        latent_dim=3, hidden=(7, 5), epochs=3, batch_size=25, warmup=1, backend="numpy",
        likelihood=likelihood, beta=2.0,
    )  # fmt: skip
    dataset = tiny_dataset()
    expected = train.train(dataset, settings, ops=ops).flat
    assert np.array_equal(cures.train_with(None, dataset, settings, ops).flat, expected)


def test_a_cure_lowers_what_it_penalises():
    settings = Settings(latent_dim=3, hidden=(7, 5), epochs=150, batch_size=20, backend="numpy")
    dataset = tiny_dataset()
    few = data.scale(dataset.train[:4])
    labels = np.array([[1.0], [-1.0], [0.5], [-0.5]], np.float32)
    cure = cures.label_cure(20.0, lambda: few, labels)
    errors = []
    for used in (None, cure):
        state = cures.train_with(used, dataset, settings, ops)
        spec = settings.spec(12)
        mu = vae.encode(vae.unpack(state.flat, spec), few, spec)[0]
        errors.append(np.square(mu[:, :1] - labels).mean())
    assert errors[1] < 0.2 * errors[0]

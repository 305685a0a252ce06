"""The parameter vector: its layout by name, and its initial values."""

import numpy as np
import pytest
from random_models import SPEC, SPECS, by_name, model

from minivae import ops
from minivae.spec import (
    OUT_LOGVAR_FLOOR,
    Spec,
    clamp_variance,
    init_params,
    layout,
    n_params,
    unpack,
)


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
    np.testing.assert_allclose(ops.sigmoid(params["out_b"]), clipped, rtol=1e-5)
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

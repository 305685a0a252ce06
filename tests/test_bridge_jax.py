"""A model in JAX is the same and comes back unchanged; what would not be is refused."""

import numpy as np
import pytest
from bridges import (
    CERTAIN,
    SOFTPLUS_AT,
    SPECS,
    UNFIT_PIXELS,
    assert_same,
    each_dtype,
    each_spec,
    one_line,
    random_model,
)

from minivae import MinivaeError, bridge, ops, vae
from minivae.spec import OUT_LOGVAR_FLOOR

# ---- JAX -------------------------------------------------------------------------------------


@each_spec
@each_dtype
def test_a_model_comes_back_from_jax_bit_for_bit(jax, jax_float64, spec, dtype):
    model = random_model(spec, dtype)
    params, _ = bridge.to_jax(model)
    assert_same(model, bridge.from_jax(params, model))


def test_the_jax_functions_are_pure_and_compile(jax):
    """A step of gradient descent under jit: the loss falls, and the first parameters stay."""
    spec = SPECS["learned variance"]
    model = random_model(spec)
    before = model.flat.copy()
    params, functions = bridge.to_jax(model)
    rng = np.random.default_rng(1)
    x, eps = rng.random((5, 6), np.float32), rng.standard_normal((5, 1), np.float32)

    @jax.jit
    def step(params):
        loss, grads = jax.value_and_grad(lambda p: functions.elbo(p, x, eps).loss)(params)
        return functions.clamp_variance({k: params[k] - 0.01 * grads[k] for k in params}), loss

    later, first = step(params)
    _, second = step(later)
    assert second < first
    assert first == pytest.approx(vae.elbo(model.params, x, eps, spec).loss, rel=1e-5)
    np.testing.assert_array_equal(model.flat, before)
    np.testing.assert_array_equal(bridge.from_jax(params, model).flat, before)


def test_jax_keeps_the_floor_of_the_variance(jax):
    model = random_model(SPECS["learned variance"])
    params, functions = bridge.to_jax(model)
    low = params | {"out_logvar": params["out_logvar"] - 30}
    with pytest.raises(MinivaeError, match="call clamp_variance"):
        bridge.from_jax(low, model)
    floor = bridge.from_jax(functions.clamp_variance(low), model).params["out_logvar"]
    assert floor == np.float32(OUT_LOGVAR_FLOOR)


def test_jax_is_not_allowed_to_round_float64(jax):
    """By default JAX turns float64 into float32 without a warning."""
    with pytest.raises(MinivaeError, match=r'jax_enable_x64", True\)') as error:
        bridge.to_jax(random_model(SPECS["bernoulli"], np.float64))
    assert one_line(error)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda p: {k: a for k, a in p.items() if k != "mu_b"}, "lacks tensor mu_b"),
        (lambda p: p | {"extra": p["mu_b"]}, "has an extra tensor extra"),
        (lambda p: p | {"mu_W": p["mu_W"].T}, r"mu_W of shape \(2, 4\); this spec takes \(4, 2\)"),
        (lambda p: p | {"mu_b": p["mu_b"].astype("bfloat16")}, "bfloat16 and float32"),
        (lambda p: p | {"mu_b": p["mu_b"] / 0}, "NaN or infinity"),
    ],
    ids=["missing", "extra", "transposed", "bfloat16", "infinity"],
)
def test_changed_jax_parameters_are_refused(jax, change, words):
    model = random_model(SPECS["bernoulli"])
    params, _ = bridge.to_jax(model)
    with pytest.raises(MinivaeError, match=words) as error:
        bridge.from_jax(change(params), model)
    assert one_line(error)


@pytest.mark.parametrize(("x", "eps"), [((4, 5), (4, 2)), ((4, 6), (1, 2)), ((4, 6), (3, 4, 2))])
def test_jax_refuses_other_shapes(jax, x, eps):
    params, functions = bridge.to_jax(random_model(SPECS["bernoulli"]))
    with pytest.raises(MinivaeError, match="has shape") as error:
        functions.elbo(params, np.zeros(x, np.float32), np.zeros(eps, np.float32))
    assert one_line(error)


def test_jax_refuses_the_pixels_that_the_model_refuses(jax):
    """255 as a pixel gave an ELBO that no Bernoulli can have."""
    params, functions = bridge.to_jax(random_model(SPECS["bernoulli"]))
    eps = np.zeros((4, 2), np.float32)
    for x in UNFIT_PIXELS:
        for call in (
            lambda x=x: functions.elbo(params, x, eps),
            lambda x=x: functions.iwae(params, x, eps[None]),
            lambda x=x: functions.encode(params, x),
        ):
            with pytest.raises(MinivaeError, match=r"divide 8-bit images|NaN") as error:
                call()
            assert one_line(error)


def test_infinite_logits_cost_in_jax_what_they_cost_here(jax):
    from minivae.bridge.jax_vae import _bernoulli_nll

    logits, x = np.array(list(CERTAIN), np.float32).T
    expected = np.array(list(CERTAIN.values()))
    np.testing.assert_allclose(_bernoulli_nll(logits, x), expected[:, 0], rtol=1e-6)
    slope = jax.grad(lambda logits: _bernoulli_nll(logits, x).sum())(logits)
    np.testing.assert_allclose(slope, expected[:, 1], rtol=1e-6)


def test_softplus_in_jax_is_its_formula(jax, jax_float64):
    """log(1 + e^a), and its derivative, the sigmoid, to the accuracy of float64."""
    from minivae.bridge.jax_vae import ACTIVATIONS

    softplus = ACTIVATIONS["softplus"]
    np.testing.assert_allclose(softplus(SOFTPLUS_AT), np.logaddexp(0, SOFTPLUS_AT), rtol=1e-14)
    slope = jax.vmap(jax.grad(softplus))(SOFTPLUS_AT)
    np.testing.assert_allclose(slope, ops.sigmoid(SOFTPLUS_AT), rtol=1e-14)


def test_the_jax_functions_use_the_activation_of_the_spec(jax, jax_float64):
    from minivae.bridge.jax_vae import decode

    model = random_model(SPECS["bernoulli"]._replace(activation="softplus"), np.float64)
    z = np.random.default_rng(1).standard_normal((3, 2))
    h, params = z, model.params
    for name in ("dec1", "dec2"):
        h = np.logaddexp(0, h @ params[f"{name}_W"] + params[f"{name}_b"])
    expected = h @ params["out_W"] + params["out_b"]
    np.testing.assert_allclose(decode(params, z, model.spec), expected, rtol=1e-12)

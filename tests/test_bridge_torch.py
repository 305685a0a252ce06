"""A model in PyTorch is the same and comes back unchanged; what would not be is refused."""

import copy
import io

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

# ---- PyTorch: there and back -----------------------------------------------------------------


@each_spec
@each_dtype
def test_a_model_comes_back_from_pytorch_bit_for_bit(torch, spec, dtype):
    model = random_model(spec, dtype)
    assert_same(model, bridge.from_torch(bridge.to_torch(model)))


@each_spec
def test_the_module_encodes_and_decodes_as_the_model(torch, spec):
    model = random_model(spec, np.float64)
    module = bridge.to_torch(model)
    x = np.random.default_rng(1).random((7, 6))
    mu, logvar = vae.encode(model.params, x, spec)
    for ours, theirs in zip((mu, logvar), module.encode(torch.tensor(x)), strict=True):
        np.testing.assert_allclose(theirs.detach(), ours, rtol=1e-12, atol=1e-12)
    decoded = module.decode(torch.tensor(mu)).detach()
    np.testing.assert_allclose(decoded, vae.decode(model.params, mu, spec), rtol=1e-12, atol=1e-12)


def test_module_and_model_share_nothing(torch):
    """Training the module does not change the model, nor the other way round; nothing is drawn."""
    model = random_model(SPECS["bernoulli"])
    before, state = model.flat.copy(), torch.get_rng_state()
    module = bridge.to_torch(model)
    assert torch.equal(torch.get_rng_state(), state)
    with torch.no_grad():
        module.mu.weight += 1
    np.testing.assert_array_equal(model.flat, before)
    model.flat[:] += 1
    again = bridge.from_torch(module)
    np.testing.assert_array_equal(again.params["enc1_W"] + 1, model.params["enc1_W"])
    with torch.no_grad():
        module.out.bias += 1
    np.testing.assert_array_equal(again.params["out_b"] + 1, model.params["out_b"])


@each_spec
def test_it_is_an_ordinary_module(torch, spec):
    """It can be copied and pickled, and its state loaded into another module."""
    model = random_model(spec)
    module = bridge.to_torch(model)
    file = io.BytesIO()
    torch.save(module, file)
    file.seek(0)
    unpickled = torch.load(file, weights_only=False)
    other = bridge.to_torch(random_model(spec, seed=1))
    other.load_state_dict(module.state_dict())
    for twin in (copy.deepcopy(module), unpickled, other):
        assert_same(model, bridge.from_torch(twin))
    assert sum(p.numel() for p in module.parameters()) == vae.n_params(spec)
    assert all(p.requires_grad and p.is_leaf for p in module.parameters())


def test_forward_takes_the_bound_from_the_shape_of_the_noise(torch):
    module = bridge.to_torch(random_model(SPECS["bernoulli"]))
    x, eps, samples = torch.rand(4, 6), torch.randn(4, 2), torch.randn(3, 4, 2)
    assert module(x, eps, beta=0.5) == module.elbo(x, eps, beta=0.5)
    assert module(x, samples) == module.iwae(x, samples)
    with pytest.raises(MinivaeError, match=r"beta is 0\.5") as error:
        module(x, samples, beta=0.5)
    assert one_line(error)


@pytest.mark.parametrize("shape", [(2,), (1, 2), (4, 1), (4, 3), (1, 4, 2)])
def test_noise_that_would_broadcast_is_refused(torch, shape):
    module = bridge.to_torch(random_model(SPECS["bernoulli"]))
    with pytest.raises(MinivaeError, match="eps has shape") as error:
        module.elbo(torch.rand(4, 6), torch.randn(shape))
    assert one_line(error)


@pytest.mark.parametrize("shape", [(6,), (4, 5), (2, 4, 6)])
def test_a_batch_of_another_shape_is_refused(torch, shape):
    module = bridge.to_torch(random_model(SPECS["bernoulli"]))
    with pytest.raises(MinivaeError, match="x has shape") as error:
        module.iwae(torch.rand(shape), torch.randn(3, 4, 2))
    assert one_line(error)


def test_the_module_refuses_the_pixels_that_the_model_refuses(torch):
    """255 as a pixel gave an ELBO that no Bernoulli can have."""
    module = bridge.to_torch(random_model(SPECS["bernoulli"]))
    eps = torch.zeros(4, 2)
    for x in map(torch.from_numpy, UNFIT_PIXELS):
        for call in (
            lambda x=x: module.elbo(x, eps),
            lambda x=x: module.iwae(x, eps[None]),
            lambda x=x: module.encode(x),
        ):
            with pytest.raises(MinivaeError, match=r"divide 8-bit images|NaN") as error:
                call()
            assert one_line(error)


# ---- PyTorch: what does not come back --------------------------------------------------------


def exchange(name, layer):
    return lambda torch, module: setattr(module, name, layer(torch))


def set_weight(name, value):
    def spoil(torch, module):
        with torch.no_grad():
            module.get_parameter(name).fill_(value)

    return spoil


SPOILED = {
    "wider layer": (
        exchange("mu", lambda torch: torch.nn.Linear(4, 3)),
        r"mu_W of shape \(4, 3\); this spec takes \(4, 2\)",
    ),
    "no bias": (
        exchange("dec1", lambda torch: torch.nn.Linear(2, 4, bias=False)),
        "lacks tensor dec1_b",
    ),
    "removed layer": (lambda torch, module: delattr(module, "enc2"), "lacks tensor enc2_W"),
    "added layer": (
        exchange("enc3", lambda torch: torch.nn.Linear(4, 4)),
        "has an extra tensor enc3_W",
    ),
    "added buffer": (
        lambda torch, module: module.register_buffer("scale", torch.ones(1)),
        "has an extra tensor scale",
    ),
    "added dropout": (exchange("drop", lambda torch: torch.nn.Dropout()), "drop is a Dropout"),
    "weight norm": (
        lambda torch, module: torch.nn.utils.parametrizations.weight_norm(module.mu),
        "mu is a ParametrizedLinear",
    ),
    "half precision": (lambda torch, module: module.half(), r"enc1.weight is torch.float16"),
    "bfloat16": (lambda torch, module: module.bfloat16(), r"enc1.weight is torch.bfloat16"),
    "mixed": (lambda torch, module: module.out.double(), "float32 and float64"),
    "no memory": (lambda torch, module: module.to("meta"), "enc1.weight is on the meta device"),
    "NaN": (set_weight("mu.bias", float("nan")), "holds NaN or infinity"),
    "another spec": (
        lambda torch, module: setattr(module, "spec", SPECS["no hidden layer"]),
        "has an extra tensor dec1_W|lacks",
    ),
    "no spec": (lambda torch, module: setattr(module, "spec", None), "spec is None"),
    "impossible spec": (
        lambda torch, module: setattr(module, "spec", module.spec._replace(free_bits=-1)),
        "free_bits is -1",
    ),
}


@pytest.mark.parametrize("how", SPOILED)
def test_a_changed_module_is_refused(torch, how):
    spoil, words = SPOILED[how]
    module = bridge.to_torch(random_model(SPECS["bernoulli"]))
    spoil(torch, module)
    with pytest.raises(MinivaeError, match=words) as error:
        bridge.from_torch(module)
    assert one_line(error)


def test_another_class_is_refused_and_a_wrapper_named(torch):
    with pytest.raises(MinivaeError, match=r"a Linear, .* give its \.module") as error:
        bridge.from_torch(torch.nn.Linear(2, 2))
    assert one_line(error)


def test_the_learned_variance_keeps_its_floor(torch):
    """A lower one is refused; clamp_variance, after each step, prevents that."""
    module = bridge.to_torch(random_model(SPECS["learned variance"]))
    set_weight("out_logvar", -20.0)(torch, module)
    with pytest.raises(MinivaeError, match="call clamp_variance") as error:
        bridge.from_torch(module)
    assert one_line(error)
    module.clamp_variance()
    floor = bridge.from_torch(module).params["out_logvar"]
    assert floor == np.float32(OUT_LOGVAR_FLOOR)


def test_moments_of_another_model_are_refused(torch):
    module = bridge.to_torch(random_model(SPECS["bernoulli"]))
    right = np.zeros(vae.n_params(module.spec), np.float32)
    for m, v, words in ((right[1:], right, "Adam's m"), (right, right.astype(int), "Adam's v")):
        with pytest.raises(MinivaeError, match=words) as error:
            bridge.to_torch_adam(module, m=m, v=v, step=3, lr=1e-3)
        assert one_line(error)


# ---- formulas --------------------------------------------------------------------------------


def test_infinite_logits_cost_in_pytorch_what_they_cost_here(torch):
    from minivae.bridge.torch_vae import _bernoulli_nll

    logits = torch.tensor([l for l, _ in CERTAIN], dtype=torch.float64, requires_grad=True)
    nll = _bernoulli_nll(logits, torch.tensor([x for _, x in CERTAIN], dtype=torch.float64))
    nll.sum().backward()
    expected = np.array(list(CERTAIN.values()))
    np.testing.assert_allclose(nll.detach(), expected[:, 0])
    np.testing.assert_allclose(logits.grad, expected[:, 1])


def test_softplus_in_pytorch_is_its_formula(torch):
    """log(1 + e^a), and its derivative, the sigmoid, to the accuracy of float64."""
    from minivae.bridge.torch_vae import ACTIVATIONS

    a = torch.tensor(SOFTPLUS_AT, requires_grad=True)
    y = ACTIVATIONS["softplus"](a)
    y.sum().backward()
    np.testing.assert_allclose(y.detach(), np.logaddexp(0, SOFTPLUS_AT), rtol=1e-14)
    np.testing.assert_allclose(a.grad, ops.sigmoid(SOFTPLUS_AT), rtol=1e-14)


def test_a_module_uses_the_activation_of_its_spec(torch):
    from minivae.bridge.torch_vae import TorchVAE

    model = random_model(SPECS["bernoulli"]._replace(activation="softplus"), np.float64)
    z = np.random.default_rng(1).standard_normal((3, 2))
    h, params = z, model.params
    for name in ("dec1", "dec2"):
        h = np.logaddexp(0, h @ params[f"{name}_W"] + params[f"{name}_b"])
    expected = h @ params["out_W"] + params["out_b"]
    decoded = TorchVAE(model).decode(torch.tensor(z)).detach()
    np.testing.assert_allclose(decoded, expected, rtol=1e-12)

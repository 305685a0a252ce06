"""What leaves for PyTorch, JAX or a .safetensors file is the same model, and comes back unchanged;
what would not be the same is refused in one line."""

import copy
import io
import json
import sys

import numpy as np
import pytest

from minivae import MinivaeError, bridge, ops, vae
from minivae.runs import Model

SPECS = {
    "bernoulli": vae.Spec(6, (5, 4), 2),
    "no hidden layer": vae.Spec(6, (), 3, activation="relu"),
    "learned variance": vae.Spec(6, (4,), 1, likelihood="gaussian", free_bits=0.25),
    "fixed variance": vae.Spec(6, (3, 2, 4), 2, "relu", "gaussian", variance=0.3),
}


def random_model(spec, dtype=np.float32, seed=0):
    rng = np.random.default_rng(seed)
    return Model(spec, rng.normal(0, 0.5, vae.n_params(spec)).astype(dtype), (2, 3))


def assert_same(model, other):
    assert (other.spec, other.image_shape) == (model.spec, model.image_shape)
    assert other.flat.dtype == model.flat.dtype
    np.testing.assert_array_equal(other.flat, model.flat)
    assert not np.shares_memory(other.flat, model.flat)


def one_line(error):
    return "\n" not in str(error.value)


@pytest.fixture(params=SPECS, ids=lambda name: name.replace(" ", "_"))
def spec(request):
    return SPECS[request.param]


@pytest.fixture(params=[np.float32, np.float64], ids=["float32", "float64"])
def dtype(request):
    return request.param


@pytest.fixture(scope="module")
def torch():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # small tensors gain nothing from a second thread, and wait for it
    yield torch
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def jax():
    return pytest.importorskip("jax", reason="JAX is not installed")


@pytest.fixture
def jax_float64(jax):
    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    yield
    jax.config.update("jax_enable_x64", before)


@pytest.fixture
def safetensors():
    return pytest.importorskip("safetensors.numpy", reason="safetensors is not installed")


# ---- PyTorch: there and back -----------------------------------------------------------------


def test_a_model_comes_back_from_pytorch_bit_for_bit(torch, spec, dtype):
    model = random_model(spec, dtype)
    assert_same(model, bridge.from_torch(bridge.to_torch(model)))


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
    """Neither training the module nor the model behind it changes the other; no draw is made."""
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


def test_it_is_an_ordinary_module(torch, spec):
    """Copied, pickled, and its state loaded into another, as PyTorch's users do."""
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


def test_forward_is_the_bound_that_the_noise_asks_for(torch):
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
    """Below it a model is not one of minivae's; clamp_variance, after each step, prevents that."""
    module = bridge.to_torch(random_model(SPECS["learned variance"]))
    set_weight("out_logvar", -20.0)(torch, module)
    with pytest.raises(MinivaeError, match="call clamp_variance") as error:
        bridge.from_torch(module)
    assert one_line(error)
    module.clamp_variance()
    floor = bridge.from_torch(module).params["out_logvar"]
    assert floor == np.float32(vae.OUT_LOGVAR_FLOOR)


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ({"mu_W": np.ones((2, 2))}, "this is a dict"),
        (random_model(SPECS["bernoulli"])._replace(flat=np.zeros(7)), r"\(7,\); this spec takes"),
        (random_model(SPECS["bernoulli"], np.float16), "vector is float16"),
        (random_model(SPECS["bernoulli"], ">f4"), "vector is >f4"),
        (random_model(SPECS["bernoulli"])._replace(flat=[0.0]), "vector is list"),
        (random_model(SPECS["bernoulli"], seed=0)._replace(spec=vae.Spec(0, (), 1)), "data_dim"),
        (Model(vae.Spec(1, (), 1), np.full(6, np.inf), (1, 1)), "NaN or infinity"),
    ],
    ids=["dict", "length", "float16", "byte order", "list", "spec", "infinity"],
)
def test_what_is_no_model_does_not_leave(torch, safetensors, tmp_path, model, words):
    for leave in (bridge.to_torch, lambda model: bridge.save_safetensors(tmp_path / "m", model)):
        with pytest.raises(MinivaeError, match=words) as error:
            leave(model)
        assert one_line(error)
    assert not list(tmp_path.iterdir())


# ---- NaN and infinity ------------------------------------------------------------------------

CERTAIN = {  # logit, x: nll, d nll / d logit
    (np.inf, 1): (0, 0),
    (-np.inf, 0): (0, 0),
    (np.inf, 0): (np.inf, 1),
    (-np.inf, 1): (np.inf, -1),
    (np.inf, 0.5): (np.inf, 0.5),
    (0, 1): (np.log(2), -0.5),
    (np.nan, 1): (np.nan, np.nan),
}


def test_infinite_logits_cost_in_pytorch_what_they_cost_here(torch):
    from minivae.bridge.torch_vae import _bernoulli_nll

    logits = torch.tensor([l for l, _ in CERTAIN], dtype=torch.float64, requires_grad=True)
    nll = _bernoulli_nll(logits, torch.tensor([x for _, x in CERTAIN], dtype=torch.float64))
    nll.sum().backward()
    expected = np.array(list(CERTAIN.values()))
    np.testing.assert_allclose(nll.detach(), expected[:, 0])
    np.testing.assert_allclose(logits.grad, expected[:, 1])


def test_infinite_logits_cost_in_jax_what_they_cost_here(jax):
    from minivae.bridge.jax_vae import _bernoulli_nll

    logits, x = np.array(list(CERTAIN), np.float32).T
    expected = np.array(list(CERTAIN.values()))
    np.testing.assert_allclose(_bernoulli_nll(logits, x), expected[:, 0], rtol=1e-6)
    slope = jax.grad(lambda logits: _bernoulli_nll(logits, x).sum())(logits)
    np.testing.assert_allclose(slope, expected[:, 1], rtol=1e-6)


def test_free_bits_do_not_stand_in_for_a_kl_that_is_nan(torch, jax):
    """An infinite log variance: z is infinite, tanh(z) is 1, and only the KL shows it."""
    spec = vae.Spec(6, (4,), 1, free_bits=0.25)
    model = random_model(spec)
    x, eps = np.ones((3, 6), np.float32), np.ones((3, 1), np.float32)
    module = bridge.to_torch(model)
    with torch.no_grad():
        module.logvar.bias[:] = np.inf
    terms = module.elbo(torch.tensor(x), torch.tensor(eps))
    assert terms.nll.isfinite()
    assert terms.kl.isnan()
    assert terms.loss.isnan()
    params, functions = bridge.to_jax(model)
    params["logvar_b"] = np.full(1, np.inf, np.float32)
    terms = functions.elbo(params, x, eps)
    assert np.isfinite(terms.nll)
    assert np.isnan(terms.kl)
    assert np.isnan(terms.loss)


# ---- training goes on ------------------------------------------------------------------------


def batches(spec, steps, n, seed):
    """Binarized or grey images with some structure, and noise, drawn in advance: float64."""
    rng = np.random.default_rng(seed)
    pixels = ops.sigmoid(rng.standard_normal((50, 3)) @ rng.standard_normal((3, spec.data_dim)) * 2)
    for _ in range(steps):
        x = pixels[rng.integers(50, size=n)]
        if spec.likelihood == "bernoulli":
            x = (rng.random(x.shape) < x).astype(np.float64)
        yield x, rng.standard_normal((n, spec.latent_dim))


class NumpyTraining:
    def __init__(self, model, lr):
        self.model, self.lr, self.step = model, lr, 0
        self.m, self.v = np.zeros_like(model.flat), np.zeros_like(model.flat)

    def take(self, x, eps):
        spec, params = self.model.spec, self.model.params
        result = vae.elbo_and_grads(params, x, eps, spec)
        self.step += 1
        ops.adam_step(self.model.flat, result.flat_grads, self.m, self.v, self.step, self.lr)
        vae.clamp_variance(params, spec)
        return result.loss


class TorchTraining:
    def __init__(self, torch, module, optimizer):
        self.torch, self.module, self.optimizer = torch, module, optimizer

    def take(self, x, eps):
        loss = self.module.elbo(self.torch.tensor(x), self.torch.tensor(eps)).loss
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.module.clamp_variance()
        return loss.item()


def trained_side_by_side(torch, spec, *, steps, n, lr=1e-3):
    """Largest difference of the loss over the steps, and the two trainings, from the same model."""
    rng = np.random.default_rng(5)
    model = Model(spec, vae.init_params(spec, rng, dtype=np.float64), (1, spec.data_dim))
    module = bridge.to_torch(model)
    ours = NumpyTraining(model, lr)
    theirs = TorchTraining(torch, module, torch.optim.Adam(module.parameters(), lr=lr))
    losses = np.array([(ours.take(*b), theirs.take(*b)) for b in batches(spec, steps, n, seed=6)])
    assert losses[-20:].mean() < losses[:20].mean() - 1  # it did learn something
    return abs(losses[:, 0] - losses[:, 1]).max(), ours, theirs


@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian"])
def test_two_hundred_steps_of_training_agree_with_pytorch(torch, likelihood):
    """The same weights, batches and noise: not one gradient but a whole optimisation, Adam too."""
    spec = vae.Spec(30, (16, 16), 2, likelihood=likelihood)
    difference, ours, theirs = trained_side_by_side(torch, spec, steps=200, n=20, lr=3e-3)
    assert difference < 1e-8
    trained = bridge.from_torch(theirs.module)
    np.testing.assert_allclose(trained.flat, ours.model.flat, rtol=0, atol=1e-8)


@pytest.mark.slow
def test_two_hundred_steps_at_full_size_agree_with_pytorch(torch):
    difference, *_ = trained_side_by_side(torch, vae.Spec(784, (200, 200), 2), steps=200, n=100)
    assert difference < 1e-8


def test_pytorch_goes_on_from_the_middle_of_a_training(torch):
    """Weights and Adam's moments change engines after 30 steps; the losses go on as they would."""
    spec = vae.Spec(20, (8,), 2, likelihood="gaussian")
    flat = vae.init_params(spec, np.random.default_rng(5), dtype=np.float64)
    ours = NumpyTraining(Model(spec, flat, (1, 20)), lr=1e-2)
    drawn = list(batches(spec, 60, 10, seed=7))
    for batch in drawn[:30]:
        ours.take(*batch)
    module = bridge.to_torch(ours.model)
    adam = bridge.to_torch_adam(module, m=ours.m, v=ours.v, step=ours.step, lr=ours.lr)
    theirs = TorchTraining(torch, module, adam)
    losses = np.array([(ours.take(*batch), theirs.take(*batch)) for batch in drawn[30:]])
    np.testing.assert_allclose(losses[:, 1], losses[:, 0], rtol=0, atol=1e-8)


def test_moments_of_another_model_are_refused(torch):
    module = bridge.to_torch(random_model(SPECS["bernoulli"]))
    right = np.zeros(vae.n_params(module.spec), np.float32)
    for m, v, words in ((right[1:], right, "Adam's m"), (right, right.astype(int), "Adam's v")):
        with pytest.raises(MinivaeError, match=words) as error:
            bridge.to_torch_adam(module, m=m, v=v, step=3, lr=1e-3)
        assert one_line(error)


def test_the_floor_of_the_variance_holds_in_both_trainings(torch):
    """Constant images drive the learned variance down; both stop at the same floor, together."""
    spec = vae.Spec(4, (), 1, likelihood="gaussian")
    flat = np.zeros(vae.n_params(spec))
    model = Model(spec, flat, (2, 2))
    model.params["out_logvar"][...] = vae.OUT_LOGVAR_FLOOR + 0.05
    module = bridge.to_torch(model)
    ours = NumpyTraining(model, lr=1e-2)
    adam = torch.optim.Adam(module.parameters(), lr=1e-2)
    theirs = TorchTraining(torch, module, adam)
    for _ in range(20):
        ours.take(np.zeros((3, 4)), np.ones((3, 1)))
        theirs.take(np.zeros((3, 4)), np.ones((3, 1)))
    for end in (ours.model, bridge.from_torch(module)):
        assert end.params["out_logvar"] == vae.OUT_LOGVAR_FLOOR


# ---- JAX -------------------------------------------------------------------------------------


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
    assert floor == np.float32(vae.OUT_LOGVAR_FLOOR)


def test_jax_is_not_allowed_to_round_float64(jax):
    """By default JAX turns float64 into float32 without a word."""
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


# ---- safetensors -----------------------------------------------------------------------------


def test_a_model_comes_back_from_safetensors_bit_for_bit(safetensors, tmp_path, spec, dtype):
    model = random_model(spec, dtype)
    path = tmp_path / "model.safetensors"
    bridge.save_safetensors(path, model)
    assert_same(model, bridge.load_safetensors(path))
    bridge.save_safetensors(tmp_path / "again", model)
    assert (tmp_path / "again").read_bytes() == path.read_bytes()


def test_any_reader_of_safetensors_finds_the_named_tensors(safetensors, tmp_path):
    model = random_model(SPECS["learned variance"])
    path = tmp_path / "model.safetensors"
    bridge.save_safetensors(path, model)
    tensors = safetensors.load_file(path)
    assert tensors.keys() == model.params.keys()
    for name, array in model.params.items():
        np.testing.assert_array_equal(tensors[name], array)


def test_a_spec_of_numpy_numbers_is_saved_as_plain_ones(safetensors, tmp_path):
    spec = vae.Spec(np.int64(6), (np.int32(4),), 1, "tanh", "gaussian", variance=np.float64(0.3))
    path = tmp_path / "model.safetensors"
    bridge.save_safetensors(path, random_model(spec))
    assert bridge.load_safetensors(path).spec == spec


def test_a_truncated_file_is_refused_wherever_it_ends(safetensors, tmp_path):
    path = tmp_path / "model.safetensors"
    bridge.save_safetensors(path, random_model(vae.Spec(2, (), 1)))
    data = path.read_bytes()
    for length in [*range(0, len(data), 4), len(data) - 1]:
        path.write_bytes(data[:length])
        with pytest.raises(MinivaeError, match=r"model\.safetensors is damaged") as error:
            bridge.load_safetensors(path)
        assert one_line(error)


def test_a_damaged_file_gives_a_model_of_its_spec_or_one_line(safetensors, tmp_path):
    """The format has no checksum: a flipped bit in a number is not seen, but nothing breaks."""
    path = tmp_path / "model.safetensors"
    bridge.save_safetensors(path, random_model(SPECS["bernoulli"]))
    data = path.read_bytes()
    rng = np.random.default_rng(0)
    outcomes = []
    for _ in range(200):
        spoiled = bytearray(data)
        for position in rng.integers(len(data), size=rng.integers(1, 3)):
            spoiled[position] = rng.integers(256)
        path.write_bytes(spoiled)
        outcomes.append(loaded_or_error(path))
    models = [outcome for outcome in outcomes if isinstance(outcome, Model)]
    errors = [str(outcome) for outcome in outcomes if isinstance(outcome, MinivaeError)]
    assert len(models) > 10
    assert len(errors) > 100
    assert all(model.flat.shape == (vae.n_params(model.spec),) for model in models)
    assert not any("\n" in error for error in errors)


def loaded_or_error(path):
    try:
        return bridge.load_safetensors(path)
    except MinivaeError as error:
        return error


def rewritten(change_tensors=lambda t: t, change_head=lambda h: h):
    """A file with other tensors or another description than save_safetensors writes."""

    def write(safetensors, path):
        model = random_model(SPECS["bernoulli"])
        head = {
            "format_version": 1,
            "spec": model.spec._asdict(),
            "image_shape": model.image_shape,
        }
        metadata = {"minivae": json.dumps(change_head(head))}
        safetensors.save_file(change_tensors(model.params), path, metadata)

    return write


REFUSED_FILES = {
    "missing tensor": (
        rewritten(lambda t: {k: a for k, a in t.items() if k != "mu_b"}),
        "lacks tensor mu_b",
    ),
    "extra tensor": (rewritten(lambda t: t | {"more": t["mu_b"]}), "has an extra tensor more"),
    "another shape": (
        rewritten(lambda t: t | {"mu_W": np.ones((4, 3), np.float32)}),
        r"mu_W of shape \(4, 3\); this spec takes \(4, 2\)",
    ),
    "float16": (
        rewritten(lambda t: {k: a.astype(np.float16) for k, a in t.items()}),
        "dtype F16",
    ),
    "mixed floats": (
        rewritten(lambda t: t | {"mu_b": t["mu_b"].astype(float)}),
        "float32 and float64",
    ),
    "NaN": (rewritten(lambda t: t | {"mu_b": t["mu_b"] * np.nan}), "NaN or infinity"),
    "another version": (rewritten(change_head=lambda h: h | {"format_version": 2}), "of format 1"),
    "no spec": (rewritten(change_head=lambda h: h | {"spec": None}), "describes no model"),
    "impossible spec": (
        rewritten(change_head=lambda h: h | {"spec": h["spec"] | {"latent_dim": 0}}),
        "latent_dim",
    ),
    "another image shape": (
        rewritten(change_head=lambda h: h | {"image_shape": [2, 2]}),
        "do not have 6 pixels",
    ),
    "a list": (rewritten(change_head=lambda h: []), "of format 1"),
    "foreign": (
        lambda safetensors, path: safetensors.save_file({"w": np.ones(3)}, path),
        "does not say which minivae model",
    ),
    "metadata that is not JSON": (
        lambda safetensors, path: safetensors.save_file({"w": np.ones(3)}, path, {"minivae": "{"}),
        "is damaged",
    ),
    "empty": (lambda safetensors, path: path.write_bytes(b""), "is damaged"),
    "folder": (lambda safetensors, path: path.mkdir(), "is a folder"),
    "absent": (lambda safetensors, path: None, "does not exist"),
}


@pytest.mark.parametrize("what", REFUSED_FILES)
def test_a_file_that_holds_no_such_model_is_refused(safetensors, tmp_path, what):
    write, words = REFUSED_FILES[what]
    path = tmp_path / "model.safetensors"
    write(safetensors, path)
    with pytest.raises(MinivaeError, match=words) as error:
        bridge.load_safetensors(path)
    assert one_line(error)
    assert "model.safetensors" in str(error.value)


def test_a_failed_save_leaves_the_old_file(safetensors, tmp_path):
    path = tmp_path / "model.safetensors"
    bridge.save_safetensors(path, random_model(SPECS["bernoulli"]))
    before = path.read_bytes()
    broken = random_model(SPECS["bernoulli"])
    broken.flat[3] = np.nan
    with pytest.raises(MinivaeError, match="NaN"):
        bridge.save_safetensors(path, broken)
    assert path.read_bytes() == before


# ---- without the libraries -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("library", "call"),
    [
        ("torch", lambda path: bridge.to_torch(random_model(SPECS["bernoulli"]))),
        ("torch", lambda path: bridge.from_torch(None)),
        ("jax", lambda path: bridge.to_jax(random_model(SPECS["bernoulli"]))),
        ("safetensors", lambda path: bridge.save_safetensors(path, None)),
        ("safetensors", lambda path: bridge.load_safetensors(path)),
    ],
    ids=["to_torch", "from_torch", "to_jax", "save_safetensors", "load_safetensors"],
)
def test_a_missing_library_is_one_line_that_says_how_to_install_it(
    monkeypatch, tmp_path, library, call
):
    for name in [library, *(n for n in sys.modules if n.startswith(f"{library}."))]:
        monkeypatch.setitem(sys.modules, name, None)  # as if it were not installed
    with pytest.raises(MinivaeError, match=f"python -m pip install {library}") as error:
        call(tmp_path / "model.safetensors")
    assert one_line(error)

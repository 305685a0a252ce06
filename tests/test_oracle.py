"""The gradient by hand against autodiff: PyTorch and JAX compute the same loss from formulas of
their own, differentiate it, and must agree on 200 random models each."""

from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import pytest

from minivae import bridge, ops, vae
from minivae.gradcheck.differences import block_error
from minivae.runs import Model

CASES = 200
TOLERANCE = 1e-10  # relative to a block's largest entry; float64 throughout
ELBO_TERMS = ("loss", "elbo", "nll", "kl")
LIKELIHOODS = ("bernoulli", "gaussian", "fixed variance")


class Case(NamedTuple):
    model: Model
    x: np.ndarray  # (B, D)
    eps: np.ndarray  # (B, L)
    samples: np.ndarray  # (K, B, L)
    beta: float


def random_case(seed, sizes, batches):
    """A random architecture from `sizes`, with weights, a batch, noise and beta, all float64."""
    rng = np.random.default_rng(seed)
    likelihood = LIKELIHOODS[seed % 3]
    data_dim, latent_dim, *hidden = (int(n) for n in rng.choice(sizes, 2 + seed % 4))
    spec = vae.Spec(
        data_dim,
        tuple(hidden),
        latent_dim,
        activation=("tanh", "relu")[rng.integers(2)],
        likelihood="bernoulli" if likelihood == "bernoulli" else "gaussian",
        variance=rng.uniform(0.1, 2) if likelihood == "fixed variance" else None,
    )
    B, K = (int(n) for n in rng.choice(batches, 2))
    flat = rng.normal(0, rng.uniform(0.2, 1), vae.n_params(spec))
    x = rng.random((B, data_dim))
    x = x.round() if seed % 2 else x  # zeros and ones, or grey
    spec = spec._replace(free_bits=free_bits_between(vae.unpack(flat, spec), x, spec, rng))
    return Case(
        Model(spec, flat, (1, data_dim)),
        x,
        rng.standard_normal((B, latent_dim)),
        rng.standard_normal((K, B, latent_dim)),
        rng.uniform(0, 3),
    )


def free_bits_between(params, x, spec, rng):
    """Half the time 0, else between two latents' KLs: away from a tie, where no gradient exists."""
    kl, _ = ops.gaussian_kl_forward(*vae.encode(params, x, spec))
    steps = np.array([0, *np.sort(kl.mean(axis=0)), 2 * kl.mean(axis=0).max()])
    i = rng.integers(len(steps) - 1)
    free_bits = 0.0 if rng.random() < 0.5 else steps[i : i + 2].mean()
    assert abs(steps[1:-1] - free_bits).min() > 1e-9
    return free_bits


def shapes(grads):
    return {name: np.shape(grad) for name, grad in grads.items()}


def worst_errors(case, autograd, ops=ops):
    """The largest error over terms and gradient blocks: {"elbo": (error, where), "iwae": ...}."""
    model, worst = case.model, {}
    arguments = model.params, case.x
    elbo = vae.elbo_and_grads(*arguments, case.eps, model.spec, beta=case.beta, ops=ops)
    iwae = vae.iwae_and_grads(*arguments, case.samples, model.spec, ops=ops)
    theirs = autograd(case)
    for name, by_hand in (("elbo", elbo), ("iwae", iwae)):
        terms, grads = getattr(theirs, name)
        assert shapes(grads) == shapes(by_hand.grads)
        errors = [(block_error(getattr(by_hand, t), getattr(terms, t)), t) for t in ELBO_TERMS]
        errors += [(block_error(by_hand.grads[block], grads[block]), block) for block in grads]
        worst[name] = max(errors)
    return worst


def assert_agrees(case, autograd):
    for objective, (error, where) in worst_errors(case, autograd).items():
        assert error < TOLERANCE, f"{objective}, {where}: {error:.1e} on {case.model.spec}"


# ---- PyTorch ---------------------------------------------------------------------------------


@pytest.fixture
def torch_autograd(torch):
    from minivae.bridge.torch_vae import arrays

    def autograd(case):
        module = bridge.to_torch(case.model)
        x = torch.tensor(case.x)

        def differentiate(terms):
            module.zero_grad()
            terms.loss.backward()
            grads = arrays({name: p.grad for name, p in module.named_parameters()})
            return vae.Terms(*(term.item() for term in terms)), grads

        return SimpleNamespace(
            elbo=differentiate(module.elbo(x, torch.tensor(case.eps), beta=case.beta)),
            iwae=differentiate(module.iwae(x, torch.tensor(case.samples))),
        )

    return autograd


@pytest.mark.parametrize("seed", range(CASES))
def test_pytorch_autograd_agrees_with_the_gradient_by_hand(seed, torch_autograd):
    assert_agrees(random_case(seed, range(1, 9), range(1, 6)), torch_autograd)


def test_the_cases_reach_every_kind_of_model():
    """Every likelihood, depth and activation, and latents above and below their free bits."""
    specs, paying = set(), set()
    for seed in range(CASES):
        case = random_case(seed, range(1, 9), range(1, 6))
        spec = case.model.spec
        specs.add((len(spec.hidden), spec.activation, spec.likelihood, spec.learns_variance))
        kl, _ = ops.gaussian_kl_forward(*vae.encode(case.model.params, case.x, spec))
        if spec.free_bits:
            paying |= set(kl.mean(axis=0) > spec.free_bits)
    assert len(specs) == 4 * 2 * 3
    assert paying == {True, False}


MISTAKES = {
    "the half of dlogvar in the reparametrization": (
        "reparam_backward",
        lambda dz, cache: (
            (dz, dz * cache.eps * cache.sigma)
            if dz.ndim == 2
            else (dz.sum(axis=0), (dz * cache.eps * cache.sigma).sum(axis=0))
        ),
    ),
    "the sign of the Bernoulli's gradient": (
        "bernoulli_nll_backward",
        lambda dnll, cache: -dnll[..., None] * cache.residual,
    ),
    "a term of the KL": (
        "gaussian_kl_forward",
        lambda mu, logvar: (
            (mu * mu + np.exp(logvar) - logvar) / 2,
            ops.GaussianKLCache(mu, logvar),
        ),
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_the_oracle_sees_a_planted_mistake(mistake, torch_autograd):
    """The comparison must fail on a mistake, be it in a gradient or in a value."""
    name, wrong = MISTAKES[mistake]
    planted = SimpleNamespace(**{key: getattr(ops, key) for key in dir(ops)} | {name: wrong})
    case = random_case(0, range(2, 9), range(2, 6))
    error, _ = worst_errors(case, torch_autograd, ops=planted)["elbo"]
    assert error > 1e-2


# ---- JAX -------------------------------------------------------------------------------------

JAX_SIZES, JAX_BATCHES = (2, 3), (2,)  # without jit, JAX compiles each operation for each shape


@pytest.fixture
def jax_autograd():
    jax = pytest.importorskip("jax", reason="JAX is not installed")

    def autograd(case, compiler=lambda function: function):
        params, functions = bridge.to_jax(case.model)

        def differentiate(bound, *arguments):
            def loss(params):
                terms = bound(params, *arguments)
                return terms.loss, terms

            (_, terms), grads = compiler(jax.value_and_grad(loss, has_aux=True))(params)
            return terms, grads

        def elbo(params, x, eps):
            return functions.elbo(params, x, eps, beta=case.beta)

        return SimpleNamespace(
            elbo=differentiate(elbo, case.x, case.eps),
            iwae=differentiate(functions.iwae, case.x, case.samples),
        )

    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    yield autograd
    jax.config.update("jax_enable_x64", before)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(CASES))
def test_jax_autodiff_agrees_with_the_gradient_by_hand(seed, jax_autograd):
    assert_agrees(random_case(seed, JAX_SIZES, JAX_BATCHES), jax_autograd)


@pytest.mark.parametrize("seed", range(len(LIKELIHOODS)))
def test_compiled_jax_agrees_too(seed, jax_autograd):
    """One model of each likelihood, through jax.jit; the slow test takes all 200, uncompiled."""
    jit = pytest.importorskip("jax", reason="JAX is not installed").jit
    case = random_case(seed, range(1, 9), range(1, 6))
    assert_agrees(case, lambda case: jax_autograd(case, jit))

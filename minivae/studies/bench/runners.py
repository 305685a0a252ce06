"""The contestants of the bench: how each makes one training step of the same VAE.

Each runner is a function of (spec, flat, x, eps) that returns (step, parameters): `step()` makes
one training step, or as many as STEPS_PER_CALL says, and returns the loss of the last one when it
is done; `parameters()` is the flat vector after it.
The libraries run in their fastest configuration: inputs converted beforehand, weights (in, out),
both heads of the encoder as one product, PyTorch with its fused Adam, also compiled, by its default
and with its products tuned for the machine; JAX with the whole update compiled and its buffers
donated, one step a call or many steps in one call.
"""

import importlib.util
import os
from collections.abc import Callable

import numpy as np

from minivae import vae
from minivae.backend import BACKENDS, load_backend
from minivae.spec import Spec
from minivae.train import replay_of

Runner = Callable[
    [Spec, np.ndarray, np.ndarray, np.ndarray],
    tuple[Callable[[], float], Callable[[], np.ndarray]],
]

CONTESTANTS = ("numba", "numpy", "torch", "torch.compile", "torch.autotune", "jax", "jax.scan")
NAMES = {
    "numba": "minivae, numba",
    "numpy": "minivae, numpy",
    "torch": "PyTorch eager",
    "torch.compile": "torch.compile",
    "torch.autotune": "torch autotuned",
    "jax": "JAX jit",
    "jax.scan": "JAX scan",
}
# `lax.scan` runs through a stack of batches that are on the device already, without a return to
# Python between two steps.
STEPS_PER_CALL = {"jax.scan": 20}
LEARNING_RATE = 1e-3


def minivae_runner(backend: str) -> Runner:
    """The training step of minivae as `train` makes it, with its backend "numba" or "numpy"."""

    def contestant(spec, flat, x, eps):
        ops = load_backend(backend)
        flat = flat.copy()
        params = vae.unpack(flat, spec)
        m, v, steps = np.zeros_like(flat), np.zeros_like(flat), 0
        replay = replay_of(params, spec, (flat, m, v), ops)

        def step():
            nonlocal steps
            steps += 1
            if replay is not None:
                loss = replay.elbo(x, eps).loss
                replay.adam_step(steps, LEARNING_RATE)
                return float(loss)
            result = vae.elbo_and_grads(params, x, eps, spec, ops=ops)
            ops.adam_step(flat, result.flat_grads, m, v, steps, LEARNING_RATE)
            return float(result.loss)

        return step, lambda: flat

    return contestant


def torch_runner(mode: str | None) -> Runner:
    """The training step in PyTorch, with fused Adam; mode: that of `torch.compile`, None for eager.

    "max-autotune" times several kernels for each product and takes the fastest: on a processor its
    other modes compile the same code as "default".
    """

    def contestant(spec, flat, x, eps):
        import torch
        from torch.nn import functional as F

        torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
        layers = [
            torch.from_numpy(a.copy()).requires_grad_()
            for a in join_heads(vae.unpack(flat, spec), spec)
        ]
        x, eps, depth = torch.from_numpy(x), torch.from_numpy(eps), len(spec.hidden)
        adam = torch.optim.Adam(layers, lr=LEARNING_RATE, fused=True)

        def loss_of(x, eps):
            pairs = list(zip(layers[::2], layers[1::2], strict=True))
            h = x
            for W, b in pairs[:depth]:
                h = torch.tanh(torch.addmm(b, h, W))
            W, b = pairs[depth]
            mu, logvar = torch.addmm(b, h, W).chunk(2, dim=1)
            h = mu + torch.exp(logvar / 2) * eps
            for W, b in pairs[depth + 1 : -1]:
                h = torch.tanh(torch.addmm(b, h, W))
            W, b = pairs[-1]
            logits = torch.addmm(b, h, W)
            nll = F.binary_cross_entropy_with_logits(logits, x, reduction="sum")
            kl = (mu * mu + torch.exp(logvar) - 1 - logvar).sum() / 2
            return (nll + kl) / len(x)

        if mode is not None:
            loss_of = torch.compile(loss_of, mode=mode)

        def step():
            adam.zero_grad(set_to_none=True)
            loss = loss_of(x, eps)
            loss.backward()
            adam.step()
            return loss.item()

        return step, lambda: split_heads([a.detach().numpy() for a in layers], spec)

    return contestant


def jax_runner(scanned: bool) -> Runner:
    """The training step in JAX, under `jax.jit`; scanned: many steps in one call, by `lax.scan`.

    The runner raises RuntimeError where JAX cannot be limited to OMP_NUM_THREADS cores.
    """

    def contestant(spec, flat, x, eps):
        import jax
        import jax.numpy as jnp

        threads = int(os.environ["OMP_NUM_THREADS"])
        if not hasattr(os, "sched_setaffinity") and threads < (os.cpu_count() or 1):
            raise RuntimeError(
                f"JAX cannot be limited to {threads} of {os.cpu_count()} cores on this system"
            )
        update = _jax_update(len(spec.hidden))
        layers = [jnp.array(a) for a in join_heads(vae.unpack(flat, spec), spec)]
        state = (layers, *([jnp.zeros_like(a) for a in layers] for _ in range(2)), jnp.float32(0))
        if scanned:
            shape = (STEPS_PER_CALL["jax.scan"],)
            batch = tuple(jnp.array(np.broadcast_to(a, shape + a.shape)) for a in (x, eps))

            def call(state, *batches):
                state, losses = jax.lax.scan(lambda s, b: update(s, *b), state, batches)
                return state, losses[-1]

        else:
            batch, call = (jnp.array(x), jnp.array(eps)), update
        call = jax.jit(call, donate_argnums=0)

        def step():
            nonlocal state
            state, loss = call(state, *batch)
            jax.block_until_ready(state)
            return float(loss)

        return step, lambda: split_heads([np.asarray(a) for a in state[0]], spec)

    return contestant


def _jax_update(depth):
    """One step as a function (state, x, eps) -> (state, loss) for JAX; depth: hidden layers of the
    encoder."""
    import jax
    import jax.numpy as jnp

    def loss_of(layers, x, eps):
        pairs = list(zip(layers[::2], layers[1::2], strict=True))
        h = x
        for W, b in pairs[:depth]:
            h = jnp.tanh(h @ W + b)
        W, b = pairs[depth]
        mu, logvar = jnp.split(h @ W + b, 2, axis=1)
        h = mu + jnp.exp(logvar / 2) * eps
        for W, b in pairs[depth + 1 : -1]:
            h = jnp.tanh(h @ W + b)
        W, b = pairs[-1]
        logits = h @ W + b
        nll = (jnp.maximum(logits, 0) - logits * x + jnp.log1p(jnp.exp(-jnp.abs(logits)))).sum()
        kl = (mu * mu + jnp.exp(logvar) - 1 - logvar).sum() / 2
        return (nll + kl) / len(x)

    def update(state, x, eps):
        layers, m, v, t = state
        loss, grads = jax.value_and_grad(loss_of)(layers, x, eps)
        t = t + 1
        m = [0.9 * a + 0.1 * g for a, g in zip(m, grads, strict=True)]
        v = [0.999 * a + 0.001 * g * g for a, g in zip(v, grads, strict=True)]
        scale, v_scale = LEARNING_RATE / (1 - 0.9**t), 1 / (1 - 0.999**t)
        layers = [
            p - scale * a / (jnp.sqrt(b * v_scale) + 1e-8)
            for p, a, b in zip(layers, m, v, strict=True)
        ]
        return (layers, m, v, t), loss

    return update


RUNNERS = {
    "numba": minivae_runner("numba"),
    "numpy": minivae_runner("numpy"),
    "torch": torch_runner(mode=None),
    "torch.compile": torch_runner(mode="default"),
    "torch.autotune": torch_runner(mode="max-autotune"),
    "jax": jax_runner(scanned=False),
    "jax.scan": jax_runner(scanned=True),
}


def join_heads(params: dict[str, np.ndarray], spec: Spec) -> list[np.ndarray]:
    """[W, b, W, b, ...] with the two heads side by side as one layer."""
    blocks = [params[name] for name, _ in vae.layout(spec)]
    head = 2 * len(spec.hidden)
    mu_W, mu_b, logvar_W, logvar_b = blocks[head : head + 4]
    joined = [np.hstack([mu_W, logvar_W]), np.hstack([mu_b, logvar_b])]
    return [*blocks[:head], *joined, *blocks[head + 4 :]]


def split_heads(layers: list[np.ndarray], spec: Spec) -> np.ndarray:
    """The flat vector of parameters, from layers as `join_heads` gives them."""
    head = 2 * len(spec.hidden)
    (mu_W, logvar_W), (mu_b, logvar_b) = (np.split(a, 2, axis=-1) for a in layers[head : head + 2])
    blocks = [*layers[:head], mu_W, mu_b, logvar_W, logvar_b, *layers[head + 2 :]]
    return np.concatenate([block.ravel() for block in blocks])


def absent(contestant: str) -> str | None:
    """Why an opponent cannot take part, or None."""
    module = contestant.split(".")[0] if contestant not in BACKENDS else None
    if module and importlib.util.find_spec(module) is None:
        return f"{module} is not installed"
    return None

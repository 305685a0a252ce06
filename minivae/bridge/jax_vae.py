"""The same VAE as pure JAX functions of a dict of arrays: what `bridge.to_jax` returns.

The signatures are those of `vae.py`, and the parameters have its names and shapes; `jax.grad` makes
the gradients. Shapes: B batch, D data, L latent, K importance samples. Values are nats per example.
While JAX traces a function, its inputs have no values: only their types and shapes are checked.
"""

from collections.abc import Callable
from math import log, pi
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import logsumexp

from minivae import checks
from minivae.bridge.transfer import PIXELS
from minivae.errors import MinivaeError
from minivae.spec import OUT_LOGVAR_FLOOR, Spec
from minivae.vae import Terms

Array = jax.Array
Params = dict[str, jax.Array]
ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "tanh": jnp.tanh,
    "relu": jax.nn.relu,
    "softplus": jax.nn.softplus,
}


def encode(params: Params, x: Array, spec: Spec) -> tuple[Array, Array]:
    """The parameters of q(z|x): x (B, D) -> mu, logvar (B, L). Raises MinivaeError for pixels that
    are not floats, or, where they have values, that `vae.encode` refuses."""
    _check_pixels(x, spec)
    return _q(params, x, spec)


def _q(params, x, spec):
    h = _hidden("enc", params, x, spec)
    return _dense("mu", params, h), _dense("logvar", params, h)


def decode(params: Params, z: Array, spec: Spec) -> Array:
    """The parameters of p(x|z): z (..., L) -> Bernoulli logits, or Gaussian means, (..., D)."""
    return _dense("out", params, _hidden("dec", params, z, spec))


def elbo(params: Params, x: Array, eps: Array, spec: Spec, *, beta: float = 1.0) -> Terms:
    """The terms of `vae.elbo`: x (B, D), eps (B, L) -> Terms. Differentiate its `loss`.

    Raises MinivaeError for what `vae.elbo` refuses.
    """
    _check_pixels(x, spec)
    _check_noise(eps, len(x), spec.latent_dim)
    if not isinstance(beta, jax.Array):  # a tracer is one
        checks.check_number(beta, "beta")
    mu, logvar = _q(params, x, spec)
    sigma = jnp.exp(logvar / 2)  # logvar = log sigma^2
    nll = _nll(params, decode(params, mu + sigma * eps, spec), x, spec).mean()
    kl_each = (mu**2 + sigma**2 - logvar - 1) / 2  # KL(N(mu, sigma^2) || N(0, 1))
    kl: Any = kl_each.mean(axis=0)  # (L,)
    kl_counted = jnp.where(kl <= spec.free_bits, spec.free_bits, kl)  # so a NaN stays a NaN
    return Terms(nll + beta * kl_counted.sum(), -(nll + kl.sum()), nll, kl.sum())


def iwae(params: Params, x: Array, eps: Array, spec: Spec) -> Terms:
    """The terms of `vae.iwae`: x (B, D), eps (K, B, L) -> Terms. Differentiate its `loss`.

    Raises MinivaeError for what `vae.iwae` refuses.
    """
    _check_pixels(x, spec)
    _check_noise(eps, len(eps), len(x), spec.latent_dim)
    mu, logvar = _q(params, x, spec)
    z = mu + jnp.exp(logvar / 2) * eps
    nll = _nll(params, decode(params, z, spec), x, spec)  # (K, B)
    kl = _log_normal(z, mu, logvar) - _log_normal(z, 0.0, 0.0)  # (K, B), sampled: log q - log p
    bound: Any = (logsumexp(-nll - kl, axis=0) - log(len(eps))).mean()
    nll, kl = nll.mean(), kl.mean()
    return Terms(-bound, -(nll + kl), nll, kl)


def clamp_variance(params: Params, spec: Spec) -> Params:
    """params with the learned variance at or above its floor: after every optimiser step."""
    if not spec.learns_variance:
        return params
    return params | {"out_logvar": jnp.maximum(params["out_logvar"], OUT_LOGVAR_FLOOR)}


def _hidden(side, params, h, spec):
    for i in range(1, len(spec.hidden) + 1):
        h = ACTIVATIONS[spec.activation](_dense(f"{side}{i}", params, h))
    return h


def _dense(name, params, h):
    return h @ params[f"{name}_W"] + params[f"{name}_b"]


def _nll(params, out, x, spec):
    """-log p(x|z): out (..., B, D), x (B, D) -> (..., B)."""
    if spec.likelihood == "bernoulli":
        return _bernoulli_nll(out, x).sum(axis=-1)
    logvar = params["out_logvar"] if spec.learns_variance else log(spec.variance)
    return -_log_normal(x, out, logvar)


def _bernoulli_nll(logits, x):
    """-log p of each pixel; an infinite logit costs nothing where it agrees with x."""
    infinite = jnp.isinf(logits)
    finite = jnp.where(infinite, 0, logits)
    factor = (logits > 0) - x  # d nll / d logit at infinity
    at_infinity = jnp.where(infinite & (factor != 0), logits, 0) * factor
    return jnp.where(infinite, at_infinity, jax.nn.softplus(finite) - x * finite)


def _log_normal(x, mean, logvar):
    """log N(x; mean, exp(logvar)), summed over the last axis."""
    squares = (x - mean) ** 2 * jnp.exp(-logvar)
    return -(squares + logvar + log(2 * pi)).sum(axis=-1) / 2


def _check_pixels(x, spec):
    if not jnp.issubdtype(jnp.result_type(x), jnp.floating):
        raise MinivaeError(f"x has dtype {jnp.result_type(x)}; {PIXELS}")
    if jnp.shape(x)[1:] != (spec.data_dim,) or not len(x):
        raise MinivaeError(
            f"x has shape {jnp.shape(x)}; this model takes (B, {spec.data_dim}), at least one row"
        )
    if not isinstance(x, jax.core.Tracer):  # both are NaN if x holds a NaN
        values = np.asarray(x)  # not jnp: inside of jit that would make tracers of them
        checks.check_pixel_range(float(values.min()), float(values.max()), spec)


def _check_noise(eps, *shape):
    kind = jnp.result_type(eps)
    if jnp.shape(eps) != shape or not jnp.size(eps) or not jnp.issubdtype(kind, jnp.floating):
        raise MinivaeError(
            f"eps is {kind}, and has shape {jnp.shape(eps)}; it must be float {shape}"
        )

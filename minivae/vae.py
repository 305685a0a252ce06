"""The VAE as pure functions of one flat parameter vector.

    z ~ N(0, I),   x ~ p(x|z)                  the decoder: how the model generates data
    q(z|x) = N(mu(x), diag exp(logvar(x)))     the encoder: an approximation of the posterior p(z|x)

The parameters are one vector with named parts (spec.py). Values are nats per example: summed over
pixels and latents, averaged over the batch. Noise is an argument: every function except `sample` is
deterministic. `ops` is the backend. B batch, D data, L latent, K importance samples, N any rows.
"""

from __future__ import annotations

from math import log
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from minivae import checks
from minivae import ops as numpy_ops
from minivae.spec import AnySpec, Params, Spec, n_params, unpack
from minivae.spec import clamp_variance as clamp_variance  # re-exported, as are the next two
from minivae.spec import init_params as init_params
from minivae.spec import layout as layout

if TYPE_CHECKING:
    from minivae.backend import Backend

Array = np.ndarray


class Terms(NamedTuple):
    """Nats per example. elbo = -(nll + kl) always; `loss` is what is minimised."""

    loss: float
    elbo: float
    nll: float
    kl: float


class TermsAndGrads(NamedTuple):
    """`Terms`, and d loss / d parameter by name: views of `flat_grads`, in the same order."""

    loss: float
    elbo: float
    nll: float
    kl: float
    grads: Params
    flat_grads: Array


class EncoderCache(NamedTuple):
    """What `encoder_backward` needs: the cache of each dense layer."""

    hidden: list[Any]
    mu: Any
    logvar: Any


class DecoderCache(NamedTuple):
    """What `decoder_backward` needs: the cache of each dense layer."""

    hidden: list[Any]
    out: Any


# ---- the networks, forward and backward --------------------------------------------------------


def encode(params: Params, x: Array, spec: Spec, ops: Backend = numpy_ops) -> tuple[Array, Array]:
    """The parameters of q(z|x): x (B, D) -> mu, logvar (B, L). Raises MinivaeError on a wrong x."""
    x = checks.check_batch(x, spec, params["mu_b"].real.dtype)
    return encoder_forward(params, x, spec, ops)[:2]


def decode(params: Params, z: Array, spec: Spec, ops: Backend = numpy_ops) -> Array:
    """Bernoulli logits, or Gaussian means: z (N, L) -> (N, D). MinivaeError on a wrong z."""
    return decoder_forward(params, checks.check_latents(z, spec), spec, ops)[0]


def mean_image(params: Params, z: Array, spec: Spec, ops: Backend = numpy_ops) -> Array:
    """E[x|z], the image that is shown for z: z (N, L) -> (N, D). MinivaeError on a wrong z."""
    out = decode(params, z, spec, ops)
    return ops.sigmoid(out) if spec.likelihood == "bernoulli" else out


def sample(
    params: Params, n: int, rng: np.random.Generator, spec: Spec, ops: Backend = numpy_ops
) -> Array:
    """E[x|z] for n draws of z from the prior: (n, D). Raises MinivaeError on a wrong n."""
    n = checks.check_samples(n, "n")
    checks.check_generator(rng)
    z = rng.standard_normal((n, spec.latent_dim)).astype(params["mu_b"].dtype)
    return mean_image(params, z, spec, ops)


def encoder_forward(
    params: Params, x: Array, spec: Spec, ops: Backend
) -> tuple[Array, Array, EncoderCache]:
    """x -> h -> mu and logvar: two heads on the last hidden layer.     [notebook 06, eq. 1]

    x (B, D) -> mu (B, L), logvar (B, L), cache.
    """
    h, hidden = hidden_forward("enc", params, x, spec, ops)
    mu, c_mu = ops.dense_forward(h, params["mu_W"], params["mu_b"], "none")
    logvar, c_logvar = ops.dense_forward(h, params["logvar_W"], params["logvar_b"], "none")
    return mu, logvar, EncoderCache(hidden, c_mu, c_logvar)


def encoder_backward(
    dmu: Array, dlogvar: Array, cache: EncoderCache, grads: Params, ops: Backend
) -> None:
    """dh = dmu mu_W.T + dlogvar logvar_W.T, then the hidden layers     [notebook 06, eq. 9]

    dmu, dlogvar (B, L). Writes the encoder's gradients into `grads`.
    """
    dh = layer_backward("mu", dmu, cache.mu, grads, ops)
    dh = dh + layer_backward("logvar", dlogvar, cache.logvar, grads, ops)
    hidden_backward("enc", dh, cache.hidden, grads, ops, need_dx=False)


def decoder_forward(
    params: Params, z: Array, spec: Spec, ops: Backend
) -> tuple[Array, DecoderCache]:
    """z -> h -> Bernoulli logits, or Gaussian means: z (N, L) -> out (N, D), cache."""
    h, hidden = hidden_forward("dec", params, z, spec, ops)
    out, c_out = ops.dense_forward(h, params["out_W"], params["out_b"], "none")
    return out, DecoderCache(hidden, c_out)


def decoder_backward(dout: Array, cache: DecoderCache, grads: Params, ops: Backend) -> Array:
    """dout (N, D) -> dz (N, L); the decoder's gradients go into `grads`.  [notebook 06, eq. 6]"""
    dh = layer_backward("out", dout, cache.out, grads, ops)
    return hidden_backward("dec", dh, cache.hidden, grads, ops, need_dx=True)


def hidden_forward(
    side: str, params: Params, h: Array, spec: AnySpec, ops: Backend
) -> tuple[Array, list[Any]]:
    """The hidden layers of one side, such as "enc": h (N, I) -> h (N, H), their caches."""
    caches = []
    for i in range(1, len(spec.hidden) + 1):
        W, b = params[f"{side}{i}_W"], params[f"{side}{i}_b"]
        h, cache = ops.dense_forward(h, W, b, spec.activation)
        caches.append(cache)
    return h, caches


def hidden_backward(
    side: str, dh: Array, caches: list[Any], grads: Params | None, ops: Backend, *, need_dx: bool
) -> Array:
    """dh (N, H) -> the gradient of their input (N, I), unless need_dx is False."""
    for i in range(len(caches), 0, -1):
        dh = layer_backward(f"{side}{i}", dh, caches[i - 1], grads, ops, need_dx=need_dx or i > 1)
    return dh


def layer_backward(
    name: str, dy: Array, cache: Any, grads: Params | None, ops: Backend, *, need_dx: bool = True
) -> Array:
    """dy (N, O) -> dx (N, I). Writes the layer's dW and db into `grads`, unless that is None."""
    out = None if grads is None else (grads[f"{name}_W"], grads[f"{name}_b"])
    return ops.dense_backward(dy, cache, out=out, need_dx=need_dx)[0]


# ---- the likelihood ----------------------------------------------------------------------------


def nll_forward(
    params: Params, out: Array, x: Array, spec: Spec, ops: Backend = numpy_ops
) -> tuple[Array, Any]:
    """-log p(x|z) from the decoder's output: out (B, D) or (K, B, D) -> (B,) or (K, B), cache."""
    if spec.likelihood == "bernoulli":
        return ops.bernoulli_nll_forward(out, x)
    if spec.variance is None:
        return ops.gaussian_nll_forward(out, params["out_logvar"], x)
    logvar = np.full(1, log(spec.variance), out.real.dtype)
    return ops.gaussian_nll_forward(out, logvar, x)


def nll_backward(dnll: Array, cache: Any, grads: Params, spec: Spec, ops: Backend) -> Array:
    """dnll (B,) or (K, B) -> dout like out; `grads` gets the gradient of a learned variance."""
    if spec.likelihood == "bernoulli":
        return ops.bernoulli_nll_backward(dnll, cache)
    dmean, dlogvar = ops.gaussian_nll_backward(dnll, cache)
    if spec.learns_variance:
        grads["out_logvar"][...] = dlogvar
    return dmean


# ---- the evidence lower bound ------------------------------------------------------------------


def elbo(
    params: Params, x: Array, eps: Array, spec: Spec, *, beta: float = 1.0, ops: Backend = numpy_ops
) -> Terms:
    """The ELBO with one sample of z: x (B, D), eps (B, L) -> Terms.   [notebook 06, eqs. 1 to 3]

    The forward pass alone; it accepts complex parameters. Raises MinivaeError on a wrong argument.
    """
    x, eps = checks.check_inputs(x, eps, spec, params["mu_b"].real.dtype)
    checks.check_number(beta, "beta")
    return elbo_forward(params, x, eps, spec, beta, ops)


def elbo_forward(
    params: Params, x: Array, eps: Array, spec: Spec, beta: float, ops: Backend
) -> Terms:
    """`elbo` without its checks."""
    mu, logvar, _ = encoder_forward(params, x, spec, ops)
    z, _ = ops.reparam_forward(mu, logvar, eps)
    kl, _ = ops.gaussian_kl_forward(mu, logvar)
    nll, _ = nll_forward(params, decoder_forward(params, z, spec, ops)[0], x, spec, ops)
    return elbo_loss(nll, kl, beta, spec)[0]


def elbo_and_grads(
    params: Params, x: Array, eps: Array, spec: Spec, *, beta: float = 1.0, ops: Backend = numpy_ops
) -> TermsAndGrads:
    """The ELBO and its gradient, derived by hand: x (B, D), eps (B, L) -> TermsAndGrads.

    [notebook 06, eqs. 1 to 9]  Deterministic given eps. Raises MinivaeError on a wrong argument.
    """
    x, eps = checks.check_inputs(x, eps, spec, params["mu_b"].dtype)
    checks.check_number(beta, "beta")
    flat_grads = np.empty(n_params(spec), x.dtype)
    grads = unpack(flat_grads, spec)

    # Forward: x -> q(z|x) -> z -> p(x|z)
    mu, logvar, c_encoder = encoder_forward(params, x, spec, ops)
    z, c_z = ops.reparam_forward(mu, logvar, eps)
    kl, c_kl = ops.gaussian_kl_forward(mu, logvar)
    out, c_decoder = decoder_forward(params, z, spec, ops)
    nll, c_nll = nll_forward(params, out, x, spec, ops)
    terms, dkl = elbo_loss(nll, kl, beta, spec)

    # Backward, the decoder: loss = mean_B nll + ..., so dnll = 1/B
    dnll = np.full(len(x), 1 / len(x), x.dtype)
    dout = nll_backward(dnll, c_nll, grads, spec, ops)
    dz = decoder_backward(dout, c_decoder, grads, ops)

    # Backward, q: two terms for mu and logvar, through z and from the KL
    dmu, dlogvar = ops.reparam_backward(dz, c_z)
    dmu_kl, dlogvar_kl = ops.gaussian_kl_backward(dkl, c_kl)
    dmu = dmu + dmu_kl
    dlogvar = dlogvar + dlogvar_kl

    # Backward, the encoder: both heads read the same h
    encoder_backward(dmu, dlogvar, c_encoder, grads, ops)
    return TermsAndGrads(*terms, grads, flat_grads)


def elbo_loss(nll_each: Array, kl_each: Array, beta: float, spec: Spec) -> tuple[Terms, Array]:
    """loss = mean_B nll + beta * sum_j max(free_bits, mean_B kl_j)   [notebook 07, eq. 6]

    nll_each (B,), kl_each (B, L) -> Terms, dkl (L,): beta / B, or 0 below the free bits.
    """
    B = len(kl_each)
    kl_per_latent = numpy_ops.sum_rows(kl_each) / B  # sum_rows is not part of a backend
    above = ~(kl_per_latent.real <= spec.free_bits)  # NaN counts as above: it reaches the loss
    kl_counted = np.where(above, kl_per_latent, spec.free_bits).sum()
    dkl = above * kl_each.dtype.type(beta / B)
    nll, kl = nll_each.sum() / B, kl_per_latent.sum()
    return Terms(nll + beta * kl_counted, -(nll + kl), nll, kl), dkl


# ---- the importance-weighted bound -------------------------------------------------------------


def log_weights(
    params: Params, x: Array, eps: Array, spec: Spec, ops: Backend = numpy_ops
) -> Array:
    """log w = log p(x|z) + log p(z) - log q(z|x), nats: x (B, D), eps (K, B, L) -> (K, B).

    [notebook 09, eq. 1]  Their log-mean-exp over K estimates log p(x) from below. As in training,
    grey pixels count by their cross-entropy. Raises MinivaeError on a wrong x or eps.
    """
    x, eps = checks.check_inputs(x, eps, spec, params["mu_b"].real.dtype, samples=True)
    return log_weights_of_q(params, x, *encoder_forward(params, x, spec, ops)[:2], eps, spec, ops)


def log_weights_of_q(
    params: Params, x: Array, mu: Array, logvar: Array, eps: Array, spec: Spec, ops: Backend
) -> Array:
    """`log_weights` for any q = N(mu, diag exp(logvar)), mu, logvar (B, L), without checks."""
    z, _ = ops.reparam_forward(mu, logvar, eps)
    nll = _nll_of_samples(params, x, z, spec, ops)
    return -nll - log_q_over_p(z, eps, logvar)


def iwae(params: Params, x: Array, eps: Array, spec: Spec, *, ops: Backend = numpy_ops) -> Terms:
    """The importance-weighted bound with K samples: x (B, D), eps (K, B, L) -> Terms.

    loss = -mean_B log (1/K sum_k w_k)         [notebook 09, eq. 2; Burda et al. 2016, eq. 8]
    elbo, nll, kl: plain averages over K (the KL as sampled), so loss <= -elbo. Raises MinivaeError.
    """
    x, eps = checks.check_inputs(x, eps, spec, params["mu_b"].real.dtype, samples=True)
    return iwae_forward(params, x, *encoder_forward(params, x, spec, ops)[:2], eps, spec, ops)[0]


def iwae_forward(
    params: Params, x: Array, mu: Array, logvar: Array, eps: Array, spec: Spec, ops: Backend
) -> tuple[Terms, Array]:
    """From mu, logvar (B, L) and eps (K, B, L): Terms, normalised weights (K, B). No checks."""
    z, _ = ops.reparam_forward(mu, logvar, eps)
    nll = _nll_of_samples(params, x, z, spec, ops)
    return iwae_loss(nll, log_q_over_p(z, eps, logvar))


def iwae_and_grads(
    params: Params,
    x: Array,
    eps: Array,
    spec: Spec,
    *,
    u: Array | None = None,
    doubly: bool = False,
    ops: Backend = numpy_ops,
) -> TermsAndGrads:
    """The importance-weighted bound and its gradient: x (B, D), eps (K, B, L) -> TermsAndGrads.

    d loss / d log w_kb = -softmax_k(log w)_kb / B   [notebook 09, eqs. 5 to 8; Burda et al., 14]

    u (S, B), uniform in [0, 1): only S samples of each image go through the backward pass, drawn
    by `resample`; the terms are still those of all K [Burda et al. 2016, sec. 3]. doubly: the
    encoder's gradient is doubly reparameterized [notebook 09, eq. 9; Tucker et al. 2019]. Neither
    changes the gradient's average. Raises MinivaeError on a wrong x, eps or u.
    """
    x, eps = checks.check_inputs(x, eps, spec, params["mu_b"].dtype, samples=True)
    if u is not None:
        checks.check_uniform(u, len(x))
    flat_grads = np.empty(n_params(spec), x.dtype)
    grads = unpack(flat_grads, spec)

    # Forward: one pass of the encoder, K * B rows through the decoder
    mu, logvar, c_encoder = encoder_forward(params, x, spec, ops)
    if u is not None:
        terms, weights = iwae_forward(params, x, mu, logvar, eps, spec, ops)
        drawn = resample(weights, u)
        eps = np.take_along_axis(eps, drawn[..., None], axis=0)
        weights = np.take_along_axis(weights, drawn, axis=0) + 0 * weights.sum(axis=0)  # keeps NaN
    K, B, L = eps.shape
    z, c_z = ops.reparam_forward(mu, logvar, eps)
    out, c_decoder = decoder_forward(params, z.reshape(K * B, L), spec, ops)
    nll, c_nll = nll_forward(params, out.reshape(K, B, -1), x, spec, ops)
    if u is None:
        terms, weights = iwae_loss(nll, log_q_over_p(z, eps, logvar))
    shares = weights if u is None else np.full_like(nll, 1 / K) + 0 * weights  # drawn by weight

    # Backward: log w = -nll + (eps^2 - z^2 + logvar) / 2, and the shares of an image sum to one
    dnll = shares / B
    dout = nll_backward(dnll, c_nll, grads, spec, ops)
    dz = decoder_backward(dout.reshape(K * B, -1), c_decoder, grads, ops).reshape(K, B, L)
    dz = dz + dnll[..., None] * z  # the term of log p(z)
    if doubly:  # times w once more, and d log q / dz = -eps / sigma, its mu and logvar held
        dz = weights[..., None] * (dz - dnll[..., None] * eps / np.exp(logvar / 2))
    dmu, dlogvar = ops.reparam_backward(dz, c_z)
    if not doubly:
        dlogvar = dlogvar - np.asarray(1 / (2 * B), x.dtype)  # of log q: sum_k -shares / (2 B)
    encoder_backward(dmu, dlogvar, c_encoder, grads, ops)
    return TermsAndGrads(*terms, grads, flat_grads)


def iwae_loss(nll_each: Array, log_ratio: Array) -> tuple[Terms, Array]:
    """loss = -mean_B log (1/K sum_k w_k),  log w = -nll - log_ratio   [notebook 09, eq. 2]

    nll_each (K, B), log_ratio (K, B) from `log_q_over_p` -> Terms, normalised weights (K, B).
    """
    log_w = -nll_each - log_ratio
    top = log_w.real.max(axis=0)  # in logs, because exp(log_w) itself may be 0 or infinite
    w = np.exp(log_w - top)
    total = w.sum(axis=0)
    bound = (np.log(total) + top - log(len(log_w))).mean()
    nll, kl = nll_each.mean(), log_ratio.mean()
    return Terms(-bound, -(nll + kl), nll, kl), w / total


def log_q_over_p(z: Array, eps: Array, logvar: Array) -> Array:
    """log q(z|x) - log p(z): z, eps (K, B, L), logvar (B, L) -> (K, B). Both log 2 pi cancel."""
    return ((z * z - eps * eps - logvar) / 2).sum(axis=-1)


def resample(weights: Array, u: Array) -> Array:
    """Draw S of K samples by their weights: weights (K, B), u (S, B) in [0, 1) -> k (S, B).

    Stratified: row s of u chooses within the s-th of S equal parts of the total weight. A sample of
    weight w is drawn S w times on average over u, and the number always differs from that by less
    than 2. NaN weights give k = 0. Raises MinivaeError unless u has a column for each image.
    """
    u = checks.check_uniform(u, weights.shape[1])
    heights = np.cumsum(weights, axis=0, dtype=np.float64)
    heights /= heights[-1]
    at = np.minimum((np.arange(len(u))[:, None] + u) / len(u), np.nextafter(1, 0))  # below 1
    return (at[:, None] >= heights).sum(axis=1)


def _nll_of_samples(params, x, z, spec, ops):
    """-log p(x|z), all K samples in one pass of the decoder: z (K, B, L) -> (K, B)."""
    K, B, L = z.shape
    out = decoder_forward(params, z.reshape(K * B, L), spec, ops)[0]
    return nll_forward(params, out.reshape(K, B, -1), x, spec, ops)[0]

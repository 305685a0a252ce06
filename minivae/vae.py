"""The VAE as pure functions of one flat parameter vector.

    z ~ N(0, I),   x ~ p(x|z)                  the decoder's story of how data come about
    q(z|x) = N(mu(x), diag exp(logvar(x)))     the encoder's guess at which z it was

The parameters are one vector; `unpack` names its parts. Adam, checkpoints and gradient
checks see the vector, the formulas below see the names. Values are nats per example: summed
over pixels and latents, averaged over the batch. Noise is an argument, so everything is
deterministic. `ops` is the backend, any object with the names of `ops.py`.
"""

from math import log
from typing import NamedTuple

import numpy as np

from minivae import checks
from minivae import ops as numpy_ops
from minivae.errors import MinivaeError
from minivae.spec import (
    OUT_LOGVAR_FLOOR,
    Spec,
    clamp_variance,
    init_params,
    layout,
    n_params,
    unpack,
)

__all__ = [
    "OUT_LOGVAR_FLOOR",
    "Spec",
    "Terms",
    "TermsAndGrads",
    "clamp_variance",
    "decode",
    "elbo",
    "elbo_and_grads",
    "encode",
    "init_params",
    "iwae",
    "iwae_and_grads",
    "layout",
    "log_weights",
    "log_weights_of_q",
    "mean_image",
    "n_params",
    "nll_forward",
    "resample",
    "sample",
    "unpack",
]


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
    grads: dict[str, np.ndarray]
    flat_grads: np.ndarray


# ---- the parameter vector --------------------------------------------------------------------


# ---- arguments are checked at these doors ----------------------------------------------------


# ---- the networks ----------------------------------------------------------------------------


def encode(params, x, spec, ops=numpy_ops):
    """The parameters of q(z|x): x (B, D) -> mu, logvar (B, L)."""
    h, _ = _hidden_forward("enc", params, x, spec, ops)
    mu, _ = ops.dense_forward(h, params["mu_W"], params["mu_b"], "none")
    logvar, _ = ops.dense_forward(h, params["logvar_W"], params["logvar_b"], "none")
    return mu, logvar


def decode(params, z, spec, ops=numpy_ops):
    """The parameters of p(x|z): z (N, L) -> Bernoulli logits, or Gaussian means, (N, D)."""
    h, _ = _hidden_forward("dec", params, z, spec, ops)
    logits, _ = ops.dense_forward(h, params["out_W"], params["out_b"], "none")
    return logits


def mean_image(params, z, spec, ops=numpy_ops):
    """E[x|z], what one draws as "the" picture of z: z (N, L) -> (N, D)."""
    out = decode(params, z, spec, ops)
    return ops.sigmoid(out) if spec.likelihood == "bernoulli" else out


def sample(params, n, rng, spec, ops=numpy_ops):
    """n draws from the prior, decoded: (n, D) means (probabilities, for a Bernoulli)."""
    z = rng.standard_normal((n, spec.latent_dim)).astype(params["mu_b"].dtype)
    return mean_image(params, z, spec, ops)


def _hidden_forward(side, params, h, spec, ops):
    caches = []
    for i in range(1, len(spec.hidden) + 1):
        W, b = params[f"{side}{i}_W"], params[f"{side}{i}_b"]
        h, cache = ops.dense_forward(h, W, b, spec.activation)
        caches.append(cache)
    return h, caches


def _hidden_backward(side, dh, caches, grads, ops, *, need_dx):
    for i in range(len(caches), 0, -1):
        need = need_dx or i > 1
        dh = _dense_backward(f"{side}{i}", dh, caches[i - 1], grads, ops, need_dx=need)
    return dh


def _dense_backward(name, dy, cache, grads, ops, *, need_dx=True):
    """Writes the layer's dW and db into `grads`, returns dx."""
    out = grads[f"{name}_W"], grads[f"{name}_b"]
    return ops.dense_backward(dy, cache, out=out, need_dx=need_dx)[0]


def nll_forward(params, out, x, spec, ops=numpy_ops):
    """-log p(x|z) from the decoder's output: out (B, D) or (K, B, D) -> (B,) or (K, B), cache."""
    if spec.likelihood == "bernoulli":
        return ops.bernoulli_nll_forward(out, x)
    return ops.gaussian_nll_forward(out, _out_logvar(params, spec, out.real.dtype), x)


def _nll_backward(dnll, cache, grads, spec, ops):
    if spec.likelihood == "bernoulli":
        return ops.bernoulli_nll_backward(dnll, cache)
    dmean, dlogvar = ops.gaussian_nll_backward(dnll, cache)
    if spec.learns_variance:
        grads["out_logvar"][...] = dlogvar
    return dmean


def _out_logvar(params, spec, dtype):
    if spec.learns_variance:
        return params["out_logvar"]
    return np.full(1, log(spec.variance), dtype)


# ---- the evidence lower bound ----------------------------------------------------------------


def elbo(params, x, eps, spec, *, beta=1.0, ops=numpy_ops):
    """The ELBO with one sample of z: x (B, D), eps (B, L) -> Terms.   [notebook 06, eqs. 1 to 3]

    The forward pass alone; it accepts complex parameters. Raises MinivaeError on a wrong x or eps.
    """
    x = checks.check_batch(x, spec, params["mu_b"].real.dtype)
    eps = checks.check_noise(eps, len(x), spec)
    mu, logvar = encode(params, x, spec, ops)
    z, _ = ops.reparam_forward(mu, logvar, eps)
    kl, _ = ops.gaussian_kl_forward(mu, logvar)
    nll, _ = nll_forward(params, decode(params, z, spec, ops), x, spec, ops)
    return _elbo_terms(nll, kl, beta, spec)[0]


def elbo_and_grads(params, x, eps, spec, *, beta=1.0, ops=numpy_ops):
    """The ELBO and its gradient, derived by hand: x (B, D), eps (B, L) -> TermsAndGrads.

    [notebook 06, eqs. 1 to 9]  Deterministic given eps. Raises MinivaeError on a wrong x or eps.
    """
    x = checks.check_batch(x, spec, params["mu_b"].dtype)
    eps = checks.check_noise(eps, len(x), spec)
    flat_grads = np.empty(n_params(spec), x.dtype)
    grads = unpack(flat_grads, spec)

    # Forward: x -> q(z|x) -> z -> p(x|z)
    h, enc = _hidden_forward("enc", params, x, spec, ops)
    mu, c_mu = ops.dense_forward(h, params["mu_W"], params["mu_b"], "none")
    logvar, c_logvar = ops.dense_forward(h, params["logvar_W"], params["logvar_b"], "none")
    z, c_z = ops.reparam_forward(mu, logvar, eps)
    kl, c_kl = ops.gaussian_kl_forward(mu, logvar)
    h, dec = _hidden_forward("dec", params, z, spec, ops)
    out, c_out = ops.dense_forward(h, params["out_W"], params["out_b"], "none")
    nll, c_nll = nll_forward(params, out, x, spec, ops)
    terms, dkl = _elbo_terms(nll, kl, beta, spec)

    # Backward, the decoder: loss = mean_B nll + ..., so dnll = 1/B
    dnll = np.full(len(x), 1 / len(x), x.dtype)
    dout = _nll_backward(dnll, c_nll, grads, spec, ops)
    dh = _dense_backward("out", dout, c_out, grads, ops)
    dz = _hidden_backward("dec", dh, dec, grads, ops, need_dx=True)

    # Backward, q: mu and logvar are fed from two sides, through z and through the KL
    dmu, dlogvar = ops.reparam_backward(dz, c_z)
    dmu_kl, dlogvar_kl = ops.gaussian_kl_backward(dkl, c_kl)
    dmu = dmu + dmu_kl
    dlogvar = dlogvar + dlogvar_kl

    # Backward, the encoder: both heads lead into one h
    dh = _dense_backward("mu", dmu, c_mu, grads, ops)
    dh = dh + _dense_backward("logvar", dlogvar, c_logvar, grads, ops)
    _hidden_backward("enc", dh, enc, grads, ops, need_dx=False)
    return TermsAndGrads(*terms, grads, flat_grads)


def _elbo_terms(nll, kl, beta, spec):
    """loss = mean_B nll + beta * sum_j max(free_bits, mean_B kl_j)   [notebook 07, eq. 6]

    nll: (B,), kl: (B, L) -> Terms, dkl (L,): beta / B, but 0 for a latent below its free bits.
    """
    B = len(kl)
    nll, kl_per_latent = nll.sum() / B, kl.sum(axis=0) / B
    above = ~(kl_per_latent.real <= spec.free_bits)  # a NaN is not below: it shows in the loss
    paid = np.where(above, kl_per_latent, spec.free_bits).sum()
    dkl = above * kl.dtype.type(beta / B)
    kl = kl_per_latent.sum()
    return Terms(nll + beta * paid, -(nll + kl), nll, kl), dkl


# ---- the importance-weighted bound -----------------------------------------------------------


def log_weights(params, x, eps, spec, ops=numpy_ops):
    """log w = log p(x|z) + log p(z) - log q(z|x), nats: x (B, D), eps (K, B, L) -> (K, B).

    [notebook 09, eq. 1]  Their log-mean-exp over K estimates log p(x) from below. All K samples
    share one pass of the encoder. As in training, a Bernoulli model takes grey pixels too, by their
    cross-entropy; what claims to be log p(x) (`evaluate`, `exact`) does not.
    """
    x = checks.check_batch(x, spec, params["mu_b"].real.dtype)
    eps = checks.check_noise(eps, len(x), spec, samples=True)
    return log_weights_of_q(params, x, *encode(params, x, spec, ops), eps, spec, ops)


def log_weights_of_q(params, x, mu, logvar, eps, spec, ops=numpy_ops):
    """`log_weights` for any q = N(mu, diag exp(logvar)), mu, logvar (B, L), arguments unchecked."""
    z, _ = ops.reparam_forward(mu, logvar, eps)
    out = decode(params, _rows(z), spec, ops).reshape(*z.shape[:2], -1)
    nll, _ = nll_forward(params, out, x, spec, ops)
    return -nll - _log_q_over_p(z, eps, logvar)


def iwae(params, x, eps, spec, *, ops=numpy_ops):
    """The importance-weighted bound with K samples: x (B, D), eps (K, B, L) -> Terms.

    loss = -mean_B log (1/K sum_k w_k)         [notebook 09, eq. 2; Burda et al. 2016, eq. 8]
    elbo, nll and kl are the plain averages over K (the KL as sampled), so loss <= -elbo.
    """
    x = checks.check_batch(x, spec, params["mu_b"].real.dtype)
    eps = checks.check_noise(eps, len(x), spec, samples=True)
    mu, logvar = encode(params, x, spec, ops)
    return _terms_and_weights(params, x, mu, logvar, eps, spec, ops)[0]


def iwae_and_grads(params, x, eps, spec, *, u=None, ops=numpy_ops):
    """The importance-weighted bound and its gradient by hand: -> TermsAndGrads.

    d loss / d log w_kb = -softmax_k(log w)_kb / B   [notebook 09, eqs. 3 to 6; Burda et al., 14]

    u (S, B), uniform in [0, 1): only S samples of each image go through the backward pass, drawn
    by `resample`. The gradient is the same in the mean over u, and costs less [Burda et al. 2016,
    sec. 3]; loss, elbo, nll and kl are still those of all K.
    """
    x = checks.check_batch(x, spec, params["mu_b"].dtype)
    eps = checks.check_noise(eps, len(x), spec, samples=True)
    flat_grads = np.empty(n_params(spec), x.dtype)
    grads = unpack(flat_grads, spec)

    # Forward: one pass of the encoder, K * B rows through the decoder
    h, enc = _hidden_forward("enc", params, x, spec, ops)
    mu, c_mu = ops.dense_forward(h, params["mu_W"], params["mu_b"], "none")
    logvar, c_logvar = ops.dense_forward(h, params["logvar_W"], params["logvar_b"], "none")
    if u is not None:
        terms, weights = _terms_and_weights(params, x, mu, logvar, eps, spec, ops)
        eps = np.take_along_axis(eps, resample(weights, u)[..., None], axis=0)
    K, B, L = eps.shape
    z, c_z = ops.reparam_forward(mu, logvar, eps)
    h, dec = _hidden_forward("dec", params, _rows(z), spec, ops)
    out, c_out = ops.dense_forward(h, params["out_W"], params["out_b"], "none")
    nll, c_nll = nll_forward(params, out.reshape(K, B, -1), x, spec, ops)
    if u is None:
        terms, weights = _iwae_terms(nll, _log_q_over_p(z, eps, logvar))
    else:
        # drawn by their weights, they count alike (and where those were NaN, so are these)
        weights = np.full_like(nll, 1 / K) + 0 * weights.sum(axis=0)

    # Backward: log w = -nll + (eps^2 - z^2 + logvar) / 2, and the weights of an image sum to one
    dnll = weights / B
    dout = _nll_backward(dnll, c_nll, grads, spec, ops)
    dh = _dense_backward("out", _rows(dout), c_out, grads, ops)
    dz = _hidden_backward("dec", dh, dec, grads, ops, need_dx=True).reshape(K, B, L)
    dz = dz + dnll[..., None] * z  # the prior's share
    dmu, dlogvar = ops.reparam_backward(dz, c_z)
    dlogvar = dlogvar - np.asarray(1 / (2 * B), x.dtype)  # q's share: sum_k of -weights / (2 B)
    dh = _dense_backward("mu", dmu, c_mu, grads, ops)
    dh = dh + _dense_backward("logvar", dlogvar, c_logvar, grads, ops)
    _hidden_backward("enc", dh, enc, grads, ops, need_dx=False)
    return TermsAndGrads(*terms, grads, flat_grads)


def resample(weights, u):
    """Draw S of K samples by their weights: weights (K, B), u (S, B) in [0, 1) -> k (S, B).

    Stratified: row s of u chooses within the s-th of S equal parts of the weight, so that a sample
    of weight w is drawn S w times in the mean over u, and a weight of 1 / S or more hardly by luck.
    Where the weights of an image are NaN, k is 0: there is nothing to draw by.
    Raises MinivaeError unless u has one column for each image.
    """
    u = checks.as_array(u, "u")
    B = weights.shape[1]
    if u.ndim != 2 or u.shape[1] != B or u.size == 0 or u.dtype.kind != "f":
        raise MinivaeError(f"u is {u.dtype} of shape {u.shape}; it must be float (S, {B})")
    if not ((u >= 0) & (u < 1)).all():
        raise MinivaeError("u holds numbers outside [0, 1)")
    heights = np.cumsum(weights, axis=0, dtype=np.float64)
    heights /= heights[-1]
    at = (np.arange(len(u))[:, None] + u) / len(u)
    at = np.minimum(at, np.nextafter(1, 0))  # the sum may have been rounded up to S
    return (at[:, None] >= heights).sum(axis=1)


def _terms_and_weights(params, x, mu, logvar, eps, spec, ops):
    """The forward pass of all K samples: eps (K, B, L) -> Terms, normalised weights (K, B)."""
    z, _ = ops.reparam_forward(mu, logvar, eps)
    out = decode(params, _rows(z), spec, ops).reshape(*z.shape[:2], -1)
    nll, _ = nll_forward(params, out, x, spec, ops)
    return _iwae_terms(nll, _log_q_over_p(z, eps, logvar))


def _rows(a):
    """(K, B, N) -> (K * B, N): the samples of all images, as one batch."""
    return a.reshape(-1, a.shape[-1])


def _log_q_over_p(z, eps, logvar):
    """log q(z|x) - log p(z) at z = mu + sigma eps: (K, B). The (log 2 pi) / 2 of both cancel."""
    return ((z * z - eps * eps - logvar) / 2).sum(axis=-1)


def _iwae_terms(nll, log_q_over_p):
    """nll, log_q_over_p: (K, B) -> Terms, normalised weights (K, B)."""
    log_w = -nll - log_q_over_p
    top = log_w.real.max(axis=0)  # one works in logs: exp(log_w) itself is 0 or infinite
    w = np.exp(log_w - top)
    total = w.sum(axis=0)
    bound = (np.log(total) + top - log(len(log_w))).mean()
    nll, kl = nll.mean(), log_q_over_p.mean()
    return Terms(-bound, -(nll + kl), nll, kl), w / total

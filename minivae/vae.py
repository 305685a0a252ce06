"""The VAE as pure functions of one flat parameter vector.

    z ~ N(0, I),   x ~ p(x|z)                  the decoder's story of how data come about
    q(z|x) = N(mu(x), diag exp(logvar(x)))     the encoder's guess at which z it was

The parameters are one vector; `unpack` names its parts. Adam, checkpoints and gradient
checks see the vector, the formulas below see the names. Values are nats per example: summed
over pixels and latents, averaged over the batch. Noise is an argument, so everything is
deterministic. `ops` is the backend, any object with the names of `ops.py`.
"""

from functools import lru_cache
from itertools import accumulate, pairwise
from math import isfinite, log, prod
from typing import NamedTuple

import numpy as np

from minivae import ops as numpy_ops
from minivae.errors import MinivaeError
from minivae.files import shown

LIKELIHOODS = ("bernoulli", "gaussian")
OUT_LOGVAR_FLOOR = -2 * log(255 * 12**0.5)  # the variance of rounding to 8 bits, (1/255)^2 / 12
MAX_SIZE = 10**9  # of one dimension
MAX_PARAMS = 1 << 28  # with both moments of Adam, 3 GiB of float32: what a checkpoint may hold
MAX_INPUT = 1e6  # of x and z: a Gaussian's squares, summed and over sigma^2, fit in a float32
MEAN_CLIP = 0.001  # 67 pixels of MNIST are always black: a logit of their mean needs a bound


class Spec(NamedTuple):
    """The architecture and the likelihood: all that is saved with a model besides its numbers.

    The encoder goes data_dim -> hidden -> (mu, logvar), the decoder latent_dim -> reversed
    hidden -> data_dim. `variance` fixes the Gaussian's variance; None learns one scalar for all
    pixels, `out_logvar`. `free_bits` is in nats per latent.
    """

    data_dim: int
    hidden: tuple[int, ...]
    latent_dim: int
    activation: str = "tanh"
    likelihood: str = "bernoulli"
    variance: float | None = None
    free_bits: float = 0.0

    @property
    def learns_variance(self):
        return self.likelihood == "gaussian" and self.variance is None


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


@lru_cache  # every step asks for it
def layout(spec):
    """((name, shape), ...) in the order of the flat vector."""
    sizes = (spec.data_dim, *spec.hidden)
    blocks = []

    def dense(name, n_in, n_out):
        blocks.extend([(f"{name}_W", (n_in, n_out)), (f"{name}_b", (n_out,))])

    for i, (n_in, n_out) in enumerate(pairwise(sizes), start=1):
        dense(f"enc{i}", n_in, n_out)
    dense("mu", sizes[-1], spec.latent_dim)
    dense("logvar", sizes[-1], spec.latent_dim)
    mirrored = (spec.latent_dim, *reversed(spec.hidden))
    for i, (n_in, n_out) in enumerate(pairwise(mirrored), start=1):
        dense(f"dec{i}", n_in, n_out)
    dense("out", mirrored[-1], spec.data_dim)
    if spec.learns_variance:
        blocks.append(("out_logvar", (1,)))
    return tuple(blocks)


@lru_cache
def n_params(spec):
    return sum(prod(shape) for _, shape in layout(spec))


def unpack(flat, spec):
    """The flat vector (P,) as a dict of named views: write into them, never rebind them."""
    return {name: flat[place].reshape(shape) for name, shape, place in _places(spec)}


@lru_cache
def _places(spec):
    """((name, shape, slice of the flat vector), ...)"""
    stops = list(accumulate(prod(shape) for _, shape in layout(spec)))
    starts = [0, *stops]
    blocks = zip(layout(spec), starts, stops, strict=False)
    return tuple((name, shape, slice(start, stop)) for (name, shape), start, stop in blocks)


def init_params(spec, rng, *, data_mean=None, data_variance=None, dtype=np.float32):
    """Glorot-uniform weights, zero biases; the output starts at the data's mean and variance.

    data_mean: (D,), the training mean in [0, 1] -> flat: (P,). With a Bernoulli likelihood the
    output bias is logit(mean), the mean clipped to [0.001, 0.999], as in Burda et al. 2016.

    data_variance: one number, the pixels' mean squared distance from data_mean. A learned variance
    starts there, the most likely value while the decoder says the mean image; without it, at 1,
    which is far too large for pixels in [0, 1].
    """
    check_spec(spec)
    flat = np.zeros(n_params(spec), dtype)
    params = unpack(flat, spec)
    for name, W in params.items():
        if name.endswith("_W"):
            bound = (6 / sum(W.shape)) ** 0.5  # Glorot and Bengio 2010, eq. 16
            W[...] = rng.uniform(-bound, bound, W.shape)
    if data_mean is not None:
        mean = np.asarray(data_mean, np.float64)
        if spec.likelihood == "bernoulli":
            mean = np.clip(mean, MEAN_CLIP, 1 - MEAN_CLIP)
            mean = np.log(mean / (1 - mean))
        params["out_b"][...] = mean
    if data_variance is not None and spec.learns_variance:
        with np.errstate(divide="ignore"):  # constant images: the floor is above -infinity
            params["out_logvar"][...] = np.log(data_variance)
        clamp_variance(params, spec)
    return flat


def clamp_variance(params, spec):
    """Keep the learned variance at or above its floor, in place: at the start, after each step.

    Pixels are known to 8 bits: a smaller sigma claims more, and on constant images its density
    grows without bound.
    """
    if spec.learns_variance:
        np.maximum(params["out_logvar"], OUT_LOGVAR_FLOOR, out=params["out_logvar"])


# ---- arguments are checked at these doors ----------------------------------------------------


def check_spec(spec):
    """Raise MinivaeError unless `spec` describes a model that can be built."""
    for name, value in (("data_dim", spec.data_dim), ("latent_dim", spec.latent_dim)):
        if not is_positive_int(value):
            raise MinivaeError(f"{name} is {shown(value)}; it must be a whole number of at least 1")
    if not (isinstance(spec.hidden, tuple) and all(map(is_positive_int, spec.hidden))):
        raise MinivaeError(f"hidden is {shown(spec.hidden)}; it must hold sizes of at least 1")
    if spec.activation not in ("tanh", "relu"):
        raise MinivaeError(f"activation is {shown(spec.activation)}; it must be 'tanh' or 'relu'")
    if spec.likelihood not in LIKELIHOODS:
        given = shown(spec.likelihood)
        raise MinivaeError(f"likelihood is {given}; it must be one of {LIKELIHOODS}")
    if not is_finite_number(spec.free_bits) or spec.free_bits < 0:
        raise MinivaeError(f"free_bits is {shown(spec.free_bits)}; it must be 0 or more nats")
    if spec.variance is not None:
        if spec.likelihood != "gaussian":
            raise MinivaeError("variance belongs to the gaussian likelihood; bernoulli has none")
        if not is_finite_number(spec.variance) or spec.variance <= 0:
            raise MinivaeError(f"variance is {shown(spec.variance)}; it must be a number above 0")
    if n_params(spec) > MAX_PARAMS:
        raise MinivaeError(
            f"the model would have {n_params(spec):,} parameters, and at most {MAX_PARAMS:,} are "
            "possible; choose fewer latents or smaller hidden layers"
        )


def check_batch(x, spec, dtype):
    """x as a (B, D) array of `dtype`, or MinivaeError: the one door for data into the model."""
    x = _as_array(x, "x")
    if x.dtype.kind not in "biuf":
        raise MinivaeError(f"x has dtype {x.dtype}; it must hold real numbers")
    if x.ndim != 2 or x.shape[1] != spec.data_dim:
        raise MinivaeError(f"x has shape {x.shape}; this model takes (B, {spec.data_dim})")
    if len(x) == 0:
        raise MinivaeError("x is an empty batch; it must hold at least one example")
    low, high = float(x.min()), float(x.max())  # a NaN shows in both
    if not (isfinite(low) and isfinite(high)):
        raise MinivaeError("x holds NaN or infinite values; every pixel must be a finite number")
    if spec.likelihood == "bernoulli" and (low < 0 or high > 1):
        raise MinivaeError(
            f"x has values from {low:.9g} to {high:.9g}; a bernoulli likelihood takes 0 to 1 "
            "(divide 8-bit images by 255, and clip what rounding leaves outside)"
        )
    if low < -MAX_INPUT or high > MAX_INPUT:
        raise MinivaeError(
            f"x has values from {low:g} to {high:g}; rescale it, to [0, 1] or unit variance, say"
        )
    return x.astype(dtype, copy=False)


def _as_array(value, name):
    try:
        return np.asarray(value)
    except (TypeError, ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise MinivaeError(f"{name} is no array ({reason}); it must hold numbers") from None


def check_observed(x, spec, dtype):
    """`check_batch` for log p(x): a Bernoulli gives probability to zeros and ones alone."""
    x = check_batch(x, spec, dtype)
    if spec.likelihood == "bernoulli":
        grey = np.flatnonzero(((x != 0) & (x != 1)).any(axis=1))
        if grey.size:
            raise MinivaeError(
                f"image {grey[0]} has pixels between 0 and 1, which a bernoulli likelihood gives "
                "no probability; binarize the images first (data.fixed_binarization)"
            )
    return x


def check_q(mu, logvar, first=0):
    """Raise MinivaeError unless N(mu, diag exp(logvar)), (B, L) each, is a density.

    `first`: the number of the first image, for the message.
    """
    with np.errstate(over="ignore"):
        sigma = np.exp(np.asarray(logvar) / 2)
    good = (np.isfinite(mu) & np.isfinite(sigma) & (sigma > 0)).all(axis=-1)
    if not good.all():
        i = int(np.flatnonzero(~good)[0])
        raise MinivaeError(
            f"q of image {first + i} has a mean up to {np.abs(mu[i]).max():.3g} and a log variance "
            f"from {np.min(logvar[i]):.3g} to {np.max(logvar[i]):.3g}; its mean must be finite, "
            "its variance finite and above 0"
        )


def check_latents(z, spec, dtype):
    """z as an (N, L) array of `dtype`, or MinivaeError: the one door for latents to decode."""
    z = _as_array(z, "Z")
    if z.dtype.kind not in "iuf" or z.ndim != 2 or z.shape[1] != spec.latent_dim or not len(z):
        shape = f"(N, {spec.latent_dim})"
        raise MinivaeError(f"Z is {z.dtype} of shape {z.shape}; it must hold numbers, {shape}")
    if not ((z >= -MAX_INPUT) & (z <= MAX_INPUT)).all():
        raise MinivaeError(
            "Z holds NaN, infinite or enormous values; latents lie within a few units of 0"
        )
    return np.ascontiguousarray(z, dtype)


def check_noise(eps, n, spec, *, samples=False):
    """eps as an array of shape (B, L), or (K, B, L) with `samples`, or MinivaeError."""
    eps = _as_array(eps, "eps")
    right = eps.ndim == 2 + samples and eps.shape[-2:] == (n, spec.latent_dim) and eps.size > 0
    if not right or eps.dtype.kind not in "fc":
        shape = f"({'K, ' if samples else ''}{n}, {spec.latent_dim})"
        raise MinivaeError(f"eps is {eps.dtype} of shape {eps.shape}; it must be float {shape}")
    return eps


def is_positive_int(value):
    """A whole number from 1 to what a size can be."""
    whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    return whole and 1 <= value <= MAX_SIZE


def is_finite_number(value):
    """A real number that a float64 holds; no bool, no NaN, and no integer of 400 digits."""
    real = isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)
    try:
        return real and isfinite(value)
    except OverflowError:  # the 400 digits
        return False


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
    x = check_batch(x, spec, params["mu_b"].real.dtype)
    eps = check_noise(eps, len(x), spec)
    mu, logvar = encode(params, x, spec, ops)
    z, _ = ops.reparam_forward(mu, logvar, eps)
    kl, _ = ops.gaussian_kl_forward(mu, logvar)
    nll, _ = nll_forward(params, decode(params, z, spec, ops), x, spec, ops)
    return _elbo_terms(nll, kl, beta, spec)[0]


def elbo_and_grads(params, x, eps, spec, *, beta=1.0, ops=numpy_ops):
    """The ELBO and its gradient, derived by hand: x (B, D), eps (B, L) -> TermsAndGrads.

    [notebook 06, eqs. 1 to 9]  Deterministic given eps. Raises MinivaeError on a wrong x or eps.
    """
    x = check_batch(x, spec, params["mu_b"].dtype)
    eps = check_noise(eps, len(x), spec)
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
    x = check_batch(x, spec, params["mu_b"].real.dtype)
    eps = check_noise(eps, len(x), spec, samples=True)
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
    x = check_batch(x, spec, params["mu_b"].real.dtype)
    eps = check_noise(eps, len(x), spec, samples=True)
    mu, logvar = encode(params, x, spec, ops)
    return _terms_and_weights(params, x, mu, logvar, eps, spec, ops)[0]


def iwae_and_grads(params, x, eps, spec, *, u=None, ops=numpy_ops):
    """The importance-weighted bound and its gradient by hand: -> TermsAndGrads.

    d loss / d log w_kb = -softmax_k(log w)_kb / B   [notebook 09, eqs. 3 to 6; Burda et al., 14]

    u (S, B), uniform in [0, 1): only S samples of each image go through the backward pass, drawn
    by `resample`. The gradient is the same in the mean over u, and costs less [Burda et al. 2016,
    sec. 3]; loss, elbo, nll and kl are still those of all K.
    """
    x = check_batch(x, spec, params["mu_b"].dtype)
    eps = check_noise(eps, len(x), spec, samples=True)
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
    u = _as_array(u, "u")
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

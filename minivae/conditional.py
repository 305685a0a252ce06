"""A conditional VAE as pure functions: the label y of each image is given, to both networks.

    z ~ N(0, I),   x ~ p(x|z, y)                     the decoder is told what to draw
    q(z|x, y) = N(mu(x, y), diag exp(logvar(x, y)))  the encoder is told what it is looking at

y is one of C classes. As a one-hot vector it stands beside x at the encoder's first layer, and
beside z at the decoder's; everything else is vae.py. The bound is on log p(x|y): z no longer has to
carry the class. Nothing is learned about y itself, so its gradient is dropped, and the gradient of
the whole is that of a VAE with one line more: dz is the first L columns.

A one-hot vector times a matrix is one of its rows: [x, y] W + b = x W_x + (W_y + b), with the row
W_y of the class. So for one class this is an ordinary VAE with other first biases: `given` makes
it, and whatever is computed of a VAE can be computed of that.

B batch, D data, L latent, C classes, N any rows. Values are nats per example. `ops` is the backend.
Source: Sohn et al. 2015; Kingma et al. 2014, model M2 with all labels known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import DTypeLike

from minivae import checks
from minivae import ops as numpy_ops
from minivae.spec import Params, Spec, layout, n_params, unpack
from minivae.vae import (
    Terms,
    TermsAndGrads,
    decoder_backward,
    decoder_forward,
    elbo_loss,
    encoder_backward,
    encoder_forward,
    nll_backward,
    nll_forward,
)

if TYPE_CHECKING:
    from minivae.backend import Backend

Array = np.ndarray


def one_hot(y: Array, spec: Spec, dtype: DTypeLike) -> Array:
    """Classes y, whole numbers from 0 to C - 1, as rows with a single 1: (B,) -> (B, C)."""
    rows = np.zeros((len(y), spec.classes), dtype)
    rows[np.arange(len(y)), y] = 1
    return rows


# ---- the networks ------------------------------------------------------------------------------


def encode(
    params: Params, x: Array, y: Array, spec: Spec, ops: Backend = numpy_ops
) -> tuple[Array, Array]:
    """The parameters of q(z|x, y): x (B, D), y (B,) -> mu, logvar (B, L), or MinivaeError."""
    x, y = checks.check_labelled(x, y, spec, params["mu_b"].real.dtype)
    return encoder_forward(params, np.hstack([x, one_hot(y, spec, x.dtype)]), spec, ops)[:2]


def mean_image(params: Params, z: Array, y: Array, spec: Spec, ops: Backend = numpy_ops) -> Array:
    """E[x|z, y], the image that is shown: z (N, L), y (N,) -> (N, D), or MinivaeError."""
    z = checks.check_latents(z, spec._replace(classes=0))
    y = checks.check_classes(y, len(z), spec)
    out = decoder_forward(params, np.hstack([z, one_hot(y, spec, z.dtype)]), spec, ops)[0]
    return ops.sigmoid(out) if spec.likelihood == "bernoulli" else out


def given(flat: Array, spec: Spec, label: int) -> tuple[Array, Spec]:
    """The ordinary VAE that a conditional one is for one class: flat (P,) -> its own (P',), Spec.

    label: the class, from 0 to C - 1. Each first layer keeps the rows of its W that belong to x or
    z, and its bias takes the row of the class. Raises MinivaeError for a class that is not there.
    """
    label = checks.check_whole(label, "label", 0, spec.classes - 1)
    plain = spec._replace(classes=0)
    made = np.empty(n_params(plain), flat.dtype)
    params, own = unpack(flat, spec), unpack(made, plain)
    rows = {name: shape[0] for name, shape in layout(plain)}
    for name, values in own.items():
        W = name[:-1] + "W"  # the layer's weights; for out_logvar there are none
        n = rows.get(W, 0)
        if name.endswith("_W"):
            values[...] = params[name][:n]
        elif name.endswith("_b") and len(params[W]) > n:
            values[...] = params[name] + params[W][n + label]
        else:
            values[...] = params[name]
    return made, plain


# ---- the evidence lower bound ------------------------------------------------------------------


def elbo(
    params: Params,
    x: Array,
    y: Array,
    eps: Array,
    spec: Spec,
    *,
    beta: float = 1.0,
    ops: Backend = numpy_ops,
) -> Terms:
    """The bound on log p(x|y) with one sample of z: x (B, D), y (B,), eps (B, L) -> Terms.

    The forward pass alone; it accepts complex parameters. Raises MinivaeError on a wrong argument.
    """
    x, y = checks.check_labelled(x, y, spec, params["mu_b"].real.dtype)
    eps = checks.check_noise(eps, len(x), spec)
    checks.check_number(beta, "beta")
    return elbo_forward(params, x, y, eps, spec, beta, ops)


def elbo_forward(
    params: Params, x: Array, y: Array, eps: Array, spec: Spec, beta: float, ops: Backend
) -> Terms:
    """`elbo` without its checks."""
    label = one_hot(y, spec, x.dtype)
    mu, logvar, _ = encoder_forward(params, np.hstack([x, label]), spec, ops)
    z, _ = ops.reparam_forward(mu, logvar, eps)
    kl, _ = ops.gaussian_kl_forward(mu, logvar)
    out, _ = decoder_forward(params, np.hstack([z, label]), spec, ops)
    nll, _ = nll_forward(params, out, x, spec, ops)
    return elbo_loss(nll, kl, beta, spec)[0]


def elbo_and_grads(
    params: Params,
    x: Array,
    y: Array,
    eps: Array,
    spec: Spec,
    *,
    beta: float = 1.0,
    ops: Backend = numpy_ops,
) -> TermsAndGrads:
    """The bound and its gradient, by hand: x (B, D), y (B,), eps (B, L) -> TermsAndGrads.

    The lines of `vae.elbo_and_grads` with y in three of them. [notebook 11, appendix]
    Deterministic given eps. Raises MinivaeError on a wrong argument.
    """
    x, y = checks.check_labelled(x, y, spec, params["mu_b"].dtype)
    eps = checks.check_noise(eps, len(x), spec)
    checks.check_number(beta, "beta")
    flat_grads = np.empty(n_params(spec), x.dtype)
    grads = unpack(flat_grads, spec)

    # Forward: (x, y) -> q(z|x, y) -> z;  (z, y) -> p(x|z, y)
    label = one_hot(y, spec, x.dtype)
    mu, logvar, c_encoder = encoder_forward(params, np.hstack([x, label]), spec, ops)
    z, c_z = ops.reparam_forward(mu, logvar, eps)
    kl, c_kl = ops.gaussian_kl_forward(mu, logvar)
    out, c_decoder = decoder_forward(params, np.hstack([z, label]), spec, ops)
    nll, c_nll = nll_forward(params, out, x, spec, ops)
    terms, dkl = elbo_loss(nll, kl, beta, spec)

    # Backward, the decoder: its input is z and the label, and the label is given
    dnll = np.full(len(x), 1 / len(x), x.dtype)
    dout = nll_backward(dnll, c_nll, grads, spec, ops)
    dz = decoder_backward(dout, c_decoder, grads, ops)[:, : spec.latent_dim]

    # Backward, q: two terms for mu and logvar, through z and from the KL
    dmu, dlogvar = ops.reparam_backward(dz, c_z)
    dmu_kl, dlogvar_kl = ops.gaussian_kl_backward(dkl, c_kl)
    dmu = dmu + dmu_kl
    dlogvar = dlogvar + dlogvar_kl

    # Backward, the encoder: its first layer's W has a row for each class, and x W is as before
    encoder_backward(dmu, dlogvar, c_encoder, grads, ops)
    return TermsAndGrads(*terms, grads, flat_grads)

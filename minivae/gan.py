"""A generative adversarial network as pure functions of one flat parameter vector.

    z ~ N(0, I),   G(z) = sigmoid(logits(z))   the generator: a picture, and no distribution over x
    D(x) = sigmoid(s(x))                       the discriminator: how likely it thinks x is real

Two players, two losses. Each function here differentiates the loss of one player by that player's
own parameters, and the other player stands still. The generator's gradient comes through the
discriminator: what it learns about a picture is how its score would change with each pixel.

The parameters are one vector (spec.py), the generator's first: `split` gives both parts. Values are
nats: each loss is a mean over the batch. Real images are grey levels in [0, 1], as the generator's
are, and not binarized. `ops` is the backend. B batch, D data, L latent, N any rows.
Source: Goodfellow et al. 2014.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from minivae import checks
from minivae import ops as numpy_ops
from minivae.spec import GanSpec, Params, layout, n_params, unpack
from minivae.vae import DecoderCache as NetCache  # the caches of the hidden layers and of the last
from minivae.vae import hidden_backward, hidden_forward, layer_backward

if TYPE_CHECKING:
    from minivae.backend import Backend

Array = np.ndarray
GENERATOR = "gen"  # how the names of its parameters start


class Loss(NamedTuple):
    """A player's loss, nats, and the discriminator's scores s: above 0 where it says "real".

    Of the discriminator (2 B,), B real images and then B generated; of the generator (B,).
    """

    loss: float
    scores: Array


class LossAndGrads(NamedTuple):
    """`Loss`, and d loss / d parameter of that player, by name: views of `flat_grads`."""

    loss: float
    scores: Array
    grads: Params
    flat_grads: Array


# ---- the networks, forward and backward --------------------------------------------------------


def generate(params: Params, z: Array, spec: GanSpec, ops: Backend = numpy_ops) -> Array:
    """G(z), grey images in [0, 1]: z (N, L) -> (N, D). Raises MinivaeError on a wrong z."""
    return ops.sigmoid(generator_forward(params, checks.check_latents(z, spec), spec, ops)[0])


def sample(
    params: Params, n: int, rng: np.random.Generator, spec: GanSpec, ops: Backend = numpy_ops
) -> Array:
    """G(z) for n draws of z from the prior: (n, D). Raises MinivaeError on a wrong n."""
    n = checks.check_samples(n, "n")
    checks.check_generator(rng)
    z = rng.standard_normal((n, spec.latent_dim)).astype(params["gen_out_b"].dtype)
    return generate(params, z, spec, ops)


def generator_forward(
    params: Params, z: Array, spec: GanSpec, ops: Backend
) -> tuple[Array, NetCache]:
    """z -> h -> logits of the pixels: z (N, L) -> (N, D), cache."""
    h, hidden = hidden_forward("gen", params, z, spec, ops)
    logits, c_out = ops.dense_forward(h, params["gen_out_W"], params["gen_out_b"], "none")
    return logits, NetCache(hidden, c_out)


def generator_backward(dlogits: Array, cache: NetCache, grads: Params, ops: Backend) -> None:
    """dlogits (N, D) -> the gradients of the generator, written into `grads`."""
    dh = layer_backward("gen_out", dlogits, cache.out, grads, ops, need_dx=bool(cache.hidden))
    hidden_backward("gen", dh, cache.hidden, grads, ops, need_dx=False)


def discriminator_forward(
    params: Params, x: Array, spec: GanSpec, ops: Backend
) -> tuple[Array, NetCache]:
    """x -> h -> one score, the logit of D(x): x (N, D) -> s (N, 1), cache."""
    h, hidden = hidden_forward("dis", params, x, spec, ops)
    score, c_score = ops.dense_forward(h, params["dis_out_W"], params["dis_out_b"], "none")
    return score, NetCache(hidden, c_score)


def discriminator_backward(
    dscore: Array, cache: NetCache, grads: Params | None, ops: Backend, *, need_dx: bool
) -> Array:
    """dscore (N, 1) -> dx (N, D), if need_dx               [notebook 11, eq. 8]

    Writes the discriminator's gradients into `grads`, unless that is None: when the generator
    learns, the discriminator stands still, and only dx is wanted.
    """
    inner = need_dx or bool(cache.hidden)
    dh = layer_backward("dis_out", dscore, cache.out, grads, ops, need_dx=inner)
    return hidden_backward("dis", dh, cache.hidden, grads, ops, need_dx=need_dx)


# ---- the discriminator's loss ------------------------------------------------------------------


def discriminator_loss(
    params: Params, x: Array, z: Array, spec: GanSpec, *, ops: Backend = numpy_ops
) -> Loss:
    """-mean log D(x) - mean log(1 - D(G(z))): x (B, D), z (B, L) -> Loss   [notebook 11, eq. 4]

    The forward pass alone; it accepts complex parameters. Raises MinivaeError on a wrong x or z.
    """
    x, z = checks.check_players(x, z, spec, params["gen_out_b"].real.dtype)
    fake = ops.sigmoid(generator_forward(params, z, spec, ops)[0])
    score, _ = discriminator_forward(params, np.concatenate([x, fake]), spec, ops)
    nll, _ = ops.bernoulli_nll_forward(score, _labels(x))
    return Loss(nll.sum() / len(x), score[:, 0])


def discriminator_loss_and_grads(
    params: Params, x: Array, z: Array, spec: GanSpec, *, ops: Backend = numpy_ops
) -> LossAndGrads:
    """The discriminator's loss and its gradient: x (B, D), z (B, L) -> LossAndGrads.

    It tells real images from generated ones, label 1 from label 0, so its loss is the Bernoulli's
    in logits: nothing is clipped. [notebook 11, eqs. 4, 5] Raises MinivaeError on a wrong x or z.
    """
    x, z = checks.check_players(x, z, spec, params["gen_out_b"].dtype)
    grads, flat_grads = _own_grads(spec, x.dtype, generator=False)

    # Forward: B real images and B generated ones through the discriminator, as one batch
    logits, _ = generator_forward(params, z, spec, ops)
    fake = ops.sigmoid(logits)
    score, c_dis = discriminator_forward(params, np.concatenate([x, fake]), spec, ops)
    nll, c_nll = ops.bernoulli_nll_forward(score, _labels(x))  # log(1 + e^-s) real, log(1 + e^s)
    loss = nll.sum() / len(x)

    # Backward: dscore = (sigmoid(s) - label) / B; the generator stands still, so it ends here
    dnll = np.full(len(score), 1 / len(x), x.dtype)
    dscore = ops.bernoulli_nll_backward(dnll, c_nll)
    discriminator_backward(dscore, c_dis, grads, ops, need_dx=False)
    return LossAndGrads(loss, score[:, 0], grads, flat_grads)


def _labels(x):
    """1 for each of B real images, then 0 for each of B generated ones: (2 B, 1)."""
    return np.repeat(np.array([[1], [0]], x.dtype), len(x), axis=0)


# ---- the generator's loss ----------------------------------------------------------------------


def generator_loss(params: Params, z: Array, spec: GanSpec, *, ops: Backend = numpy_ops) -> Loss:
    """-mean log D(G(z)), the non-saturating loss: z (B, L) -> Loss    [notebook 11, eq. 7]

    The forward pass alone; it accepts complex parameters. Raises MinivaeError on a wrong z.
    """
    z = checks.check_latents(z, spec)
    fake = ops.sigmoid(generator_forward(params, z, spec, ops)[0])
    score, _ = discriminator_forward(params, fake, spec, ops)
    nll, _ = ops.bernoulli_nll_forward(score, np.ones((len(z), 1), z.dtype))
    return Loss(nll.sum() / len(z), score[:, 0])


def generator_loss_and_grads(
    params: Params, z: Array, spec: GanSpec, *, ops: Backend = numpy_ops
) -> LossAndGrads:
    """The generator's loss and its gradient, through the discriminator: z (B, L) -> LossAndGrads.

    [notebook 11, eqs. 7 to 10] Raises MinivaeError on a wrong z.
    """
    z = checks.check_latents(z, spec).astype(params["gen_out_b"].dtype, copy=False)
    grads, flat_grads = _own_grads(spec, z.dtype, generator=True)

    # Forward: z -> picture -> score; the generator wants its pictures to be called real
    logits, c_gen = generator_forward(params, z, spec, ops)
    fake = ops.sigmoid(logits)
    score, c_dis = discriminator_forward(params, fake, spec, ops)
    nll, c_nll = ops.bernoulli_nll_forward(score, np.ones_like(score))  # log(1 + e^-s)
    loss = nll.sum() / len(z)

    # Backward, through the discriminator: which change of each pixel would raise the score?
    dnll = np.full(len(z), 1 / len(z), z.dtype)
    dscore = ops.bernoulli_nll_backward(dnll, c_nll)  # -(1 - D(G(z))) / B
    dfake = discriminator_backward(dscore, c_dis, None, ops, need_dx=True)

    # Backward, the generator: sigmoid' = g (1 - g)
    dlogits = dfake * fake * (1 - fake)
    generator_backward(dlogits, c_gen, grads, ops)
    return LossAndGrads(loss, score[:, 0], grads, flat_grads)


# ---- the two parts of the parameter vector -----------------------------------------------------


def split(flat: Array, spec: GanSpec) -> tuple[Array, Array]:
    """The generator's and the discriminator's part of a flat vector (P,), as views."""
    n = sum(prod(shape) for name, shape in layout(spec) if name.startswith(GENERATOR))
    return flat[:n], flat[n:]


def _own_grads(spec, dtype, *, generator):
    """Room for the gradient of one player: the named views, and the flat vector behind them."""
    flat = np.empty(n_params(spec), dtype)
    named = unpack(flat, spec).items()
    own = {name: view for name, view in named if name.startswith(GENERATOR) == generator}
    return own, split(flat, spec)[0 if generator else 1]

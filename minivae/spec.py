"""The architecture of a VAE or a GAN, its parameter vector, and the initial values.

All parameters are one flat vector; `unpack` names its parts. Adam, checkpoints and gradient checks
use the vector, formulas use the names.
"""

from functools import lru_cache
from itertools import accumulate, pairwise
from math import log, prod
from typing import NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from minivae.checks.model import check_spec

OUT_LOGVAR_FLOOR = -2 * log(255 * 12**0.5)  # the variance of rounding to 8 bits, (1/255)^2 / 12
Params = dict[str, np.ndarray]  # parameters, or their gradients, by name
MEAN_CLIP = 0.001  # 67 pixels of MNIST are always black: the logit of 0 would be infinite


class Spec(NamedTuple):
    """What is needed to build and train a model: architecture, likelihood, and free bits.

    The encoder goes data_dim -> hidden -> (mu, logvar), the decoder latent_dim -> reversed
    hidden -> data_dim. `variance` fixes the Gaussian's variance; None learns one scalar for all
    pixels, `out_logvar`. `free_bits` is in nats per latent. `classes` is C, how many labels a
    conditional model knows (conditional.py): its first layers have C inputs more. 0 for all others.
    """

    data_dim: int
    hidden: tuple[int, ...]
    latent_dim: int
    activation: str = "tanh"
    likelihood: str = "bernoulli"
    variance: float | None = None
    free_bits: float = 0.0
    classes: int = 0

    @property
    def n_params(self) -> int:
        return n_params(self)

    @property
    def learns_variance(self) -> bool:
        return self.likelihood == "gaussian" and self.variance is None


class GanSpec(NamedTuple):
    """What is needed to build a GAN of the same sizes as a VAE.

    The generator goes latent_dim -> reversed hidden -> data_dim, as the decoder of a VAE does; the
    discriminator goes data_dim -> hidden -> one score.
    """

    data_dim: int
    hidden: tuple[int, ...]
    latent_dim: int
    activation: str = "relu"

    @property
    def n_params(self) -> int:
        return n_params(self)


AnySpec = Spec | GanSpec


@lru_cache  # needed in every step
def layout(spec: AnySpec) -> tuple[tuple[str, tuple[int, ...]], ...]:
    """((name, shape), ...) in the order of the flat vector. A GAN's generator comes first."""
    sizes = (spec.data_dim, *spec.hidden)
    blocks: list[tuple[str, tuple[int, ...]]] = []

    def dense(name, n_in, n_out):
        blocks.extend([(f"{name}_W", (n_in, n_out)), (f"{name}_b", (n_out,))])

    def hidden(side, sizes):
        for i, (n_in, n_out) in enumerate(pairwise(sizes), start=1):
            dense(f"{side}{i}", n_in, n_out)

    mirrored = (spec.latent_dim, *reversed(spec.hidden))
    if isinstance(spec, GanSpec):
        hidden("gen", mirrored)
        dense("gen_out", mirrored[-1], spec.data_dim)
        hidden("dis", sizes)
        dense("dis_out", sizes[-1], 1)
        return tuple(blocks)
    sizes = (spec.data_dim + spec.classes, *sizes[1:])
    mirrored = (spec.latent_dim + spec.classes, *mirrored[1:])
    hidden("enc", sizes)
    dense("mu", sizes[-1], spec.latent_dim)
    dense("logvar", sizes[-1], spec.latent_dim)
    hidden("dec", mirrored)
    dense("out", mirrored[-1], spec.data_dim)
    if spec.learns_variance:
        blocks.append(("out_logvar", (1,)))
    return tuple(blocks)


@lru_cache
def n_params(spec: AnySpec) -> int:
    """The length P of the flat vector."""
    return sum(prod(shape) for _, shape in layout(spec))


def unpack(flat: np.ndarray, spec: AnySpec) -> Params:
    """The flat vector (P,) as a dict of named views: write into them, never rebind them."""
    return {name: flat[place].reshape(shape) for name, shape, place in _places(spec)}


@lru_cache
def _places(spec):
    """((name, shape, slice of the flat vector), ...)"""
    stops = list(accumulate(prod(shape) for _, shape in layout(spec)))
    starts = [0, *stops]
    blocks = zip(layout(spec), starts, stops, strict=False)
    return tuple((name, shape, slice(start, stop)) for (name, shape), start, stop in blocks)


def init_params(
    spec: AnySpec,
    rng: np.random.Generator,
    *,
    data_mean: np.ndarray | None = None,
    data_variance: float | None = None,
    dtype: DTypeLike = np.float32,
) -> np.ndarray:
    """Glorot-uniform weights, zero biases; the output starts at the data's mean and variance.

    data_mean: (D,), the training mean in [0, 1] -> flat: (P,). With a Bernoulli likelihood, and in
    a GAN, the output bias is logit(mean), the mean clipped to [0.001, 0.999], as in Burda et al.
    2016.

    data_variance: one number, the pixels' mean squared distance from data_mean. A learned variance
    starts there, the most likely value as long as the decoder's output is the mean image. Without
    it a learned variance starts at 1, which is far too large for pixels in [0, 1].

    Raises MinivaeError for a Spec that describes no model.
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
        if isinstance(spec, GanSpec) or spec.likelihood == "bernoulli":
            mean = np.clip(mean, MEAN_CLIP, 1 - MEAN_CLIP)
            mean = np.log(mean / (1 - mean))
        params["gen_out_b" if isinstance(spec, GanSpec) else "out_b"][...] = mean
    if isinstance(spec, Spec) and data_variance is not None and spec.learns_variance:
        with np.errstate(divide="ignore"):  # log 0 of constant images is raised to the floor below
            params["out_logvar"][...] = np.log(data_variance)
        clamp_variance(params, spec)
    return flat


def clamp_variance(params: Params, spec: Spec) -> None:
    """Raise the learned variance to its floor, in place; called at the start and after each step.

    Pixels have 8 bits, so no smaller sigma is justified; on constant images the density would grow
    without bound.
    """
    if spec.learns_variance:
        np.maximum(params["out_logvar"], OUT_LOGVAR_FLOOR, out=params["out_logvar"])

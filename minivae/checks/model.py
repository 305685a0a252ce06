"""Checks of what goes into a model: its architecture, images, noise, latents and q(z|x).

`spec` is a `Spec` wherever it is an argument.
"""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, Any

import numpy as np

from minivae import ops
from minivae.checks.values import (
    MAX_SIZE,
    as_array,
    check_layers,
    check_number,
    check_whole,
    describe,
)
from minivae.errors import MinivaeError

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

    from minivae.spec import AnySpec, GanSpec, Spec

ACTIVATIONS = tuple(name for name in ops.ACTIVATIONS if name != "none")  # of hidden layers
LIKELIHOODS = ("bernoulli", "gaussian")
MAX_PARAMS = 1 << 28  # with both moments of Adam, 3 GiB of float32: what a checkpoint may hold
MAX_CLASSES = 1000  # of a conditional model; labels with more values are numbers, not classes
# bound on |x| and |z|: a Gaussian's summed squares over sigma^2 still fit in float32
MAX_INPUT = 1e6


def check_spec(spec: AnySpec) -> None:
    """Raise MinivaeError unless `spec` describes a model that can be built."""
    for name, value in (("data_dim", spec.data_dim), ("latent_dim", spec.latent_dim)):
        check_whole(value, name, 1, MAX_SIZE)
    if not isinstance(spec.hidden, tuple):
        raise MinivaeError(f"hidden is {describe(spec.hidden)}; it must be a tuple of sizes")
    check_layers(spec.hidden)
    for size in spec.hidden:
        check_whole(size, "hidden", 1, MAX_SIZE)
    if spec.activation not in ACTIVATIONS:
        given = describe(spec.activation)
        raise MinivaeError(f"activation is {given}; it must be one of {ACTIVATIONS}")
    if hasattr(spec, "likelihood"):  # a GAN has none
        _check_likelihood_of(spec)
    check_model_size(spec)


def _check_likelihood_of(spec):
    check_whole(spec.classes, "classes", 0, MAX_CLASSES)
    check_likelihood(spec.likelihood)
    check_number(spec.free_bits, "free_bits")
    if spec.variance is not None:
        if spec.likelihood != "gaussian":
            raise MinivaeError("variance belongs to the gaussian likelihood; bernoulli has none")
        check_number(spec.variance, "variance", above=0)


def check_model_size(spec: AnySpec) -> None:
    """Raise MinivaeError if the model has too many parameters."""
    if spec.n_params > MAX_PARAMS:
        raise MinivaeError(
            f"the model would have {spec.n_params:,} parameters, and at most {MAX_PARAMS:,} are "
            "possible; choose fewer latents or smaller hidden layers"
        )


def check_likelihood(likelihood: Any) -> None:
    """Raise MinivaeError unless it is the name of a likelihood."""
    if not isinstance(likelihood, str) or likelihood not in LIKELIHOODS:
        given = describe(likelihood)
        raise MinivaeError(f"likelihood is {given}; it must be one of {LIKELIHOODS}")


def check_batch(x: Any, spec: Spec, dtype: DTypeLike) -> np.ndarray:
    """x as a (B, D) array of `dtype` whose values the likelihood takes, or MinivaeError."""
    _refuse_conditional(spec)
    x = as_array(x, "x")
    if x.dtype.kind not in "biuf":
        raise MinivaeError(f"x has dtype {x.dtype}; it must hold real numbers")
    if x.ndim != 2 or x.shape[1] != spec.data_dim:
        raise MinivaeError(f"x has shape {x.shape}; this model takes (B, {spec.data_dim})")
    if len(x) == 0:
        raise MinivaeError("x is an empty batch; it must hold at least one example")
    low, high = float(x.min()), float(x.max())  # both are NaN if x holds a NaN
    if x.dtype.kind in "iu" and high > 1 and spec.likelihood == "gaussian":
        raise MinivaeError(
            f"x holds integers up to {high:.9g}, which are not scaled here; divide images by their "
            "white (data.scale), or give other numbers as floats"
        )
    check_pixel_range(low, high, spec)
    return x.astype(dtype, copy=False)


def check_pixel_range(low: float, high: float, spec: Spec) -> None:
    """Raise MinivaeError unless pixels from low to high (NaN if one is NaN) suit the likelihood."""
    if not (isfinite(low) and isfinite(high)):
        raise MinivaeError("x holds NaN or infinite values; every pixel must be a finite number")
    if spec.likelihood == "bernoulli" and (low < 0 or high > 1):
        raise MinivaeError(
            f"x has values from {low:.9g} to {high:.9g}; a bernoulli likelihood takes 0 to 1 "
            "(divide 8-bit images by 255, and clip values that rounding has moved outside)"
        )
    if low < -MAX_INPUT or high > MAX_INPUT:
        raise MinivaeError(
            f"x has values from {low:g} to {high:g}; rescale it, for example to [0, 1] or to unit "
            "variance"
        )


def check_observed(x: Any, spec: Spec, dtype: DTypeLike) -> np.ndarray:
    """`check_batch` for log p(x): a Bernoulli likelihood takes only zeros and ones there."""
    x = check_batch(x, spec, dtype)
    if spec.likelihood == "bernoulli":
        grey = np.flatnonzero(((x != 0) & (x != 1)).any(axis=1))
        if grey.size:
            raise MinivaeError(
                f"image {grey[0]} has pixels between 0 and 1, which a bernoulli likelihood gives "
                "no probability; binarize the images first (data.fixed_binarization)"
            )
    return x


def check_q(mu: np.ndarray, logvar: np.ndarray, first: int = 0) -> None:
    """Raise MinivaeError unless N(mu, diag exp(logvar)), (B, L) each, is a distribution: mean
    finite, variance finite and above 0.

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


def check_inputs(
    x: Any, eps: Any, spec: Spec, dtype: DTypeLike, *, samples: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """What a bound needs: `check_batch` of x and `check_noise` of eps."""
    x = check_batch(x, spec, dtype)
    return x, check_noise(eps, len(x), spec, samples=samples)


def check_labelled(x: Any, y: Any, spec: Spec, dtype: DTypeLike) -> tuple[np.ndarray, np.ndarray]:
    """What a conditional model needs: `check_batch` of x and `check_classes` of y."""
    x = check_batch(x, spec._replace(classes=0), dtype)
    return x, check_classes(y, len(x), spec)


def check_classes(y: Any, n: int, spec: Spec) -> np.ndarray:
    """y as an array (n,) of classes, whole numbers from 0 to C - 1, or MinivaeError."""
    if not spec.classes:
        raise MinivaeError(
            "this model knows no labels; leave y out (vae.py instead of conditional)"
        )
    y = as_array(y, "y")
    if y.dtype.kind not in "iu" or y.shape != (n,):
        raise MinivaeError(f"y is {y.dtype} of shape {y.shape}; it must hold integers, ({n},)")
    if n and not (0 <= y.min() and y.max() < spec.classes):
        raise MinivaeError(
            f"y has values from {y.min()} to {y.max()}; classes are 0 to {spec.classes - 1}"
        )
    return y


def _refuse_conditional(spec):
    if getattr(spec, "classes", 0):  # a GAN has none
        raise MinivaeError(
            "this model is conditional: it needs the label of each image; minivae.conditional has "
            "the functions that take it, and `given`, which makes an ordinary model for one label"
        )


def check_latents(z: Any, spec: AnySpec, name: str = "z") -> np.ndarray:
    """z as an array (N, L) of numbers, or MinivaeError; what they are is not checked, so that NaN
    stays NaN."""
    _refuse_conditional(spec)
    z = as_array(z, name)
    if z.dtype.kind not in "iuf" or z.ndim != 2 or z.shape[1] != spec.latent_dim or not len(z):
        shape = f"(N, {spec.latent_dim})"
        raise MinivaeError(f"{name} is {z.dtype} of shape {z.shape}; it must hold numbers, {shape}")
    return z


def check_players(x: Any, z: Any, spec: GanSpec, dtype: DTypeLike) -> tuple[np.ndarray, np.ndarray]:
    """What the two players of a GAN get: real images x as (B, D) of `dtype`, values in [0, 1], and
    as many latents z, (B, L). Raises MinivaeError for anything else."""
    x, z = as_array(x, "x"), check_latents(z, spec)
    if x.dtype.kind not in "biuf" or x.ndim != 2 or x.shape[1] != spec.data_dim:
        raise MinivaeError(
            f"x is {x.dtype} of shape {x.shape}; it must hold real numbers, (B, {spec.data_dim})"
        )
    if not ((x >= 0) & (x <= 1)).all():
        raise MinivaeError("x holds values outside [0, 1]; divide 8-bit images by 255")
    if len(x) != len(z):
        raise MinivaeError(f"x holds {len(x)} images and z {len(z)} rows; give as many of both")
    return x.astype(dtype, copy=False), z.astype(dtype, copy=False)


def check_usual_latents(z: Any, spec: Spec, dtype: DTypeLike) -> np.ndarray:
    """`check_latents` for what a user of the estimator passes: finite as well, and of `dtype`."""
    z = check_latents(z, spec, "Z")
    if not ((z >= -MAX_INPUT) & (z <= MAX_INPUT)).all():
        raise MinivaeError(
            "Z holds NaN, infinite or enormous values; latents lie within a few units of 0"
        )
    return np.ascontiguousarray(z, dtype)


def check_noise(eps: Any, n: int, spec: Spec, *, samples: bool = False) -> np.ndarray:
    """eps as an array of shape (B, L), or (K, B, L) with `samples`, or MinivaeError."""
    eps = as_array(eps, "eps")
    right = eps.ndim == 2 + samples and eps.shape[-2:] == (n, spec.latent_dim) and eps.size > 0
    if not right or eps.dtype.kind not in "fc":
        shape = f"({'K, ' if samples else ''}{n}, {spec.latent_dim})"
        raise MinivaeError(f"eps is {eps.dtype} of shape {eps.shape}; it must be float {shape}")
    return eps


def check_uniform(u: Any, n: int) -> np.ndarray:
    """u as an array of shape (S, n) of numbers in [0, 1), or MinivaeError."""
    u = as_array(u, "u")
    if u.ndim != 2 or u.shape[1] != n or u.size == 0 or u.dtype.kind != "f":
        raise MinivaeError(f"u is {u.dtype} of shape {u.shape}; it must be float (S, {n})")
    if not ((u >= 0) & (u < 1)).all():
        raise MinivaeError("u holds numbers outside [0, 1); draw it with rng.random")
    return u

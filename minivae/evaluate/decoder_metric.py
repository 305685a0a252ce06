"""What a step in the code does to the picture: J'J of the decoder, and the factors that move.

With J = d(output)/dz at z, the likelihood's curvature along the latents is

    G = J' W J,   W = diag(p (1 - p)) for Bernoulli logits, 1 / s^2 for Gaussian means

and near its top the posterior that a weight beta on the KL asks for has about the precision
I + G / beta. A diagonal q can follow it where G is diagonal, that is where the columns of J are
orthogonal (Rolinek et al. 2019). `responses` takes large steps instead of small ones, and reads the
factors off the two pictures. Shapes: N codes, L latents, D pixels, K directions, F = 6 factors.
"""

from typing import NamedTuple

import numpy as np

from minivae import ops as numpy_ops
from minivae import vae
from minivae.backend import Backend
from minivae.data import cats
from minivae.evaluate.renderer_fit import fit
from minivae.spec import Params, Spec

Array = np.ndarray
REACH = 1.5  # a step goes from -REACH to REACH along its direction
FIT_STEPS = 6


class Responses(NamedTuple):
    """How far each factor moves, in standard deviations of its prior, for each direction."""

    mean: Array  # (K, F) signed, mean over the cats
    size: Array  # (K, F) mean of the absolute values
    distance: float  # mean distance of the moved pictures from the drawings that were read


def output_jacobian(params: Params, z: Array, spec: Spec) -> Array:
    """d(logits or means)/dz by the chain rule: z (N, L) -> (N, D, L). For tanh networks."""
    h = np.asarray(z, np.float64)
    J = np.broadcast_to(np.eye(spec.latent_dim), (len(h), spec.latent_dim, spec.latent_dim))
    for i in range(1, len(spec.hidden) + 1):
        W = params[f"dec{i}_W"].astype(np.float64)
        h = np.tanh(h @ W + params[f"dec{i}_b"])
        J = (J @ W) * (1 - h * h)[:, None]  # J here is (N, L, H): a row for each latent
    return (J @ params["out_W"].astype(np.float64)).transpose(0, 2, 1)


def curvature(params: Params, z: Array, spec: Spec) -> Array:
    """G = J' W J at each code: z (N, L) -> (N, L, L)."""
    J = output_jacobian(params, z, spec)
    if spec.likelihood == "bernoulli":
        p = vae.mean_image(params, np.asarray(z, np.float32), spec).astype(np.float64)
        weight = p * (1 - p)
    else:
        logvar = params["out_logvar"][0] if spec.variance is None else np.log(spec.variance)
        weight = np.full((len(z), spec.data_dim), np.exp(-float(logvar)))
    return J.transpose(0, 2, 1) @ (weight[..., None] * J)


def cosines(G: Array) -> Array:
    """|cos| of the angles between the columns of J, mean over the codes: (N, L, L) -> (L, L)."""
    length = np.sqrt(np.einsum("nll->nl", G))
    return np.abs(G / np.maximum(length[:, :, None] * length[:, None], 1e-300)).mean(axis=0)


def responses(
    params: Params,
    z: Array,
    directions: Array,
    spec: Spec,
    ops: Backend = numpy_ops,
    reach: float = REACH,
) -> Responses:
    """Move each code to -reach and to reach along each direction, decode, read both pictures.

    z (N, L), directions (K, L) of length 1; the part of z across the direction stays.
    """
    across = z - (z @ directions.T)[..., None].transpose(1, 0, 2) * directions[:, None]
    ends = np.stack([across - reach * directions[:, None], across + reach * directions[:, None]])
    flat = ends.reshape(-1, z.shape[1]).astype(np.float32)
    pictures = np.clip(vae.mean_image(params, flat, spec, ops), 0, 1)
    read = fit(pictures, "gaussian", starts=1, steps=FIT_STEPS)
    low, high = read.factors.reshape(2, len(directions), len(z), -1)
    change = (high - low) / ((cats.HIGH - cats.LOW) / 12**0.5)  # of a uniform prior
    return Responses(change.mean(axis=1), np.abs(change).mean(axis=1), float(read.distance.mean()))

"""Training of a linear VAE, whose maximum is known: the ELBO reaches it.   [notebook 04, eq. 9]"""

from collections.abc import Callable
from math import inf, log
from typing import NamedTuple

import numpy as np

from minivae import checks, vae
from minivae.exact.linear import exact_linear_elbo_and_grads
from minivae.vae import Params, Spec

Array = np.ndarray
CONVERGED = 1e-8  # the gradient's norm at a maximum, but for rounding
ROUNDING = 1e-14  # the ELBO's, relative: a fall of less is none
PAIRS = 400  # of steps and changes of the gradient that L-BFGS remembers,
PAIR_NUMBERS = 8_000_000  # or what fits in arrays of this size
HALVINGS = 60  # of a step's length, at most
FLAT = 1e-12  # of the data's variance: less is rounding, not noise


class LinearFit(NamedTuple):
    """A trained linear VAE. params: the dict; elbo: (steps taken + 1,) the mean ELBO, nats.

    converged: whether the gradient's norm, `gradient`, has fallen to 1e-8. It is that of the ELBO
    of the data divided by their standard deviation, with the encoder's weights for whitened data,
    so that it does not depend on units.
    """

    spec: Spec
    params: Params
    elbo: Array
    converged: bool
    gradient: float


def train_linear_vae(
    x: Array, latent: int, *, rng: np.random.Generator, steps: int = 10_000
) -> LinearFit:
    """A linear VAE trained with the gradients of `vae.py`: x (N, D) -> LinearFit.

    Full batches and sigma points, so that ELBO and gradient are exact, and L-BFGS. The ELBO rises
    to the maximum of the likelihood, because once W's rows are orthogonal the posterior is a
    diagonal Gaussian.                                   [notebook 04, eq. 9; Lucas et al. 2019]

    The data are centred and divided by their standard deviation first, and the encoder's weights
    are those of whitened data: with little noise the curvature of the ELBO would otherwise differ
    between directions by so much that thousands of steps were not enough. At the end all are
    converted back. It ends when the gradient is 0 but for rounding, after at most `steps` steps,
    or where no step raises the ELBO any more: see `LinearFit.converged`. It never converges where
    the likelihood has no maximum, because the data lie in `latent` dimensions; the variance then
    stops above 1e-12 of the data's.
    """
    steps = checks.check_samples(steps, "steps")
    x = np.asarray(x, np.float64)
    spec = Spec(x.shape[1], (), latent, likelihood="gaussian")
    x = checks.check_batch(x, spec, np.float64)
    centre = x.mean(axis=0)
    size = (x - centre).std() or 1.0  # 1 where all images are the same
    scaled = (x - centre) / size
    whiten = _whitening(scaled)

    def loss(flat):
        """-ELBO and its gradient, for weights of the encoder that expect whitened data."""
        if vae.unpack(flat, spec)["out_logvar"][0] < log(FLAT):
            return inf, flat
        flat = flat.copy()
        _convert(vae.unpack(flat, spec), whiten)
        result = exact_linear_elbo_and_grads(vae.unpack(flat, spec), scaled, spec)
        _convert(vae.unpack(result.flat_grads, spec), whiten)  # symmetric: its own transpose
        return -result.elbo, result.flat_grads

    start = vae.init_params(spec, rng, data_mean=scaled.mean(axis=0), dtype=np.float64)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):  # where a step is too long
        flat, trail, gradient = _minimise(loss, start, steps)
    params = vae.unpack(flat, spec)
    _convert(params, whiten / size)
    params["mu_b"][...] -= centre @ params["mu_W"]
    params["logvar_b"][...] -= centre @ params["logvar_W"]
    params["out_W"][...] *= size
    params["out_b"][...] = centre + size * params["out_b"]
    params["out_logvar"][...] += 2 * log(size)
    elbo = -np.array(trail) - spec.data_dim * log(size)
    return LinearFit(spec, params, elbo, gradient <= CONVERGED, gradient)


def _whitening(x):
    """The symmetric A for which x A has the variance 1 along every axis: x (N, D) -> (D, D)."""
    variances, axes = np.linalg.eigh(x.T @ x / len(x))
    kept = variances > FLAT * variances[-1]
    return axes @ (np.where(kept, np.where(kept, variances, 1) ** -0.5, 1)[:, None] * axes.T)


def _convert(params, A):
    """Multiply the encoder's weights by A, in place."""
    for name in ("mu_W", "logvar_W"):
        params[name][...] = A @ params[name]


def _minimise(
    f: Callable[[Array], tuple[float, Array]], x: Array, steps: int
) -> tuple[Array, list[float], float]:
    """L-BFGS from x: f(x) -> value, gradient. Gives x, all values on the way, the gradient's norm.

    Source: Nocedal and Wright 2006, "Numerical Optimization", algorithms 7.4 and 7.5.
    """
    value, gradient = f(x)
    trail = [value]
    pairs: list[tuple[Array, Array, float]] = []
    memory = int(np.clip(PAIR_NUMBERS // len(x), 10, PAIRS))
    for _ in range(steps):
        if np.linalg.norm(gradient) <= CONVERGED:
            break
        direction = _newton_like(pairs, gradient)
        found = _line_search(f, x, value, direction, gradient @ direction)
        if found is None:
            break
        before, gradient_before = x, gradient
        x, value, gradient = found
        trail.append(value)
        step, change = x - before, gradient - gradient_before
        pairs = [*pairs[1 - memory :], (step, change, 1 / (step @ change))]
    return x, trail, float(np.linalg.norm(gradient))


def _newton_like(pairs, gradient):
    """-H^-1 gradient, with the inverse Hessian that the pairs of steps and changes suggest."""
    if not pairs:
        return -gradient / max(1.0, np.linalg.norm(gradient))
    direction, shares = -gradient, []
    for step, change, weight in reversed(pairs):
        shares.append(weight * (step @ direction))
        direction = direction - shares[-1] * change
    _, change, weight = pairs[-1]
    direction = direction / (weight * (change @ change))
    for (step, change, weight), share in zip(pairs, reversed(shares), strict=True):
        direction = direction + step * (share - weight * (change @ direction))
    return direction


def _line_search(f, x, value, direction, slope):
    """x + t direction, its value and gradient, for a t that meets the Wolfe conditions, or None.

    So the value falls, or stays but for rounding, and so much of the slope is left behind that the
    curvature along the step is seen to be above 0. t: doubled, then bisected.
    """
    low, high, t = 0.0, inf, 1.0
    for _ in range(HALVINGS):
        new_x = x + t * direction
        new_value, gradient = f(new_x)
        if not new_value <= value + 1e-4 * t * slope + ROUNDING * (1 + abs(value)):  # or NaN
            high = t
        elif gradient @ direction < 0.9 * slope:
            low = t
        else:
            return new_x, new_value, gradient
        t = 2 * low if high == inf else (low + high) / 2
    return None

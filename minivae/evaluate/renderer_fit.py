"""Read the factors of a cat off its picture, and say about how well anybody could.

The renderer is known, so a picture can be read by turning its knobs until the drawing agrees. `fit`
does this by Fisher scoring: with p(u) the picture of the factors u and J = dp/du,

    u <- u + (J' W J + damping)^-1 J' W (x - p),       W = diag(1 / variance of pixel d given u)

which climbs log p(x | u) from the nearest of many stored cats. J' W J is the *Fisher information*
of the picture about the factors. Where it is large, its inverse is about the covariance of the most
likely factors around the true ones (no unbiased estimate has a smaller one: Cramer and Rao).
`ideal_estimates` draws from it. That is a local approximation of what the best encoder could know:
it takes the slopes at the true factors for the whole width of the error, but the drawing has kinks
and is no straight line. Fits come near to it; for ears and eyes, whose errors are wide, they know
less than it says.

Two kinds of noise: "bernoulli", a coin flip for each pixel (black and white pictures, p clipped to
[P_MIN, 1 - P_MIN]); "gaussian", grey pictures, all pixels with one variance, by default that of
rounding to 8 bits.

Shapes: B pictures, S pixels along a side, F = 6 factors.
"""

from typing import NamedTuple

import numpy as np

from minivae import checks
from minivae.checks.cats import check_factors
from minivae.checks.values import as_array
from minivae.data import cats
from minivae.errors import MinivaeError

Array = np.ndarray
ROUNDING = (1 / 255) ** 2 / 12  # the variance of rounding to 8 bits
LIBRARY = 4096  # stored cats, from which a fit starts
STARTS = 3  # the nearest of them that are tried for each picture
STEPS = 12  # of Fisher scoring
STEP = 0.004  # of the differences, as a share of a factor's range
CHUNK = 256  # pictures at a time


class Fit(NamedTuple):
    """The most likely factors of each picture, and how well their drawing agrees with it."""

    factors: Array  # (B, F) in the units of FACTORS
    nll: Array  # (B,) -log p(x | factors) nats; for "gaussian" without its constant
    distance: Array  # (B,) |x - render(factors)|, over the pixels


def fit(
    pictures: Array,
    likelihood: str = "bernoulli",
    *,
    start: Array | None = None,
    starts: int = STARTS,
    steps: int = STEPS,
) -> Fit:
    """The most likely factors: pictures (B, S, S) or (B, S * S) with S = 28, in [0, 1] -> Fit.

    start: (B, F), where to begin; without it at the `starts` nearest of LIBRARY stored cats, and
    the best result counts. Near the maximum only: the drawing has kinks. Raises MinivaeError for
    pictures of another shape or range, an unknown likelihood, and factors out of range.
    """
    x = _check_pictures(pictures)
    _check_likelihood(likelihood)
    steps = checks.check_whole(steps, "steps", 1)
    starts = checks.check_whole(starts, "starts", 1, LIBRARY)
    if start is not None:
        begins = _to_unit(check_factors(start, cats.FACTORS))[None]
        if begins.shape[1] != len(x):
            raise MinivaeError(f"{begins.shape[1]} starts for {len(x)} pictures; give one for each")
    else:
        begins = _nearest_stored(x, likelihood, starts)
    u, nll = np.empty((len(x), len(cats.FACTORS))), np.full(len(x), np.inf)
    for begin in begins:
        for first in range(0, len(x), CHUNK):
            rows = slice(first, first + CHUNK)
            found, cost = _climb(x[rows], begin[rows], likelihood, steps)
            better = cost < nll[rows]
            u[rows][better], nll[rows][better] = found[better], cost[better]
    factors = _from_unit(u)
    drawn = cats.render(factors).reshape(x.shape)
    return Fit(factors, nll, np.sqrt(np.square(x - drawn).sum(axis=1)))


def fisher_information(
    factors: Array, likelihood: str = "bernoulli", variance: float = ROUNDING
) -> Array:
    """J' W J of the picture about the factors: (B, F) -> (B, F, F), in 1 / unit^2.

    Bernoulli: W = 1 / (p (1 - p)); gaussian: W = 1 / variance. Raises MinivaeError for factors out
    of range, an unknown likelihood, or a variance that is not above 0.
    """
    u = _to_unit(check_factors(factors, cats.FACTORS))
    _check_likelihood(likelihood)
    checks.check_number(variance, "variance")
    if not variance > 0:
        raise MinivaeError(f"variance is {variance:g}; it must be above 0")
    span = cats.HIGH - cats.LOW
    parts = []
    for first in range(0, len(u), CHUNK):
        p = _pixels(u[first : first + CHUNK], likelihood)
        J = _jacobian(u[first : first + CHUNK], likelihood)
        weight = 1 / (p * (1 - p)) if likelihood == "bernoulli" else np.full_like(p, 1 / variance)
        parts.append((J * weight[:, None]) @ J.transpose(0, 2, 1))
    return np.concatenate(parts) / (span[:, None] * span)


def ideal_estimates(
    factors: Array,
    rng: np.random.Generator,
    likelihood: str = "bernoulli",
    variance: float = ROUNDING,
) -> Array:
    """What an ideal observer says about each factor of each cat: (B, F) -> (B, F).

    It sees v + s e, e ~ N(0, 1), where s^2 is the diagonal of the inverse Fisher information: the
    other factors are not known either. It answers with the mean of its posterior, a Gaussian cut
    off at the ends of the factor's range, because the prior is uniform there. No estimate has a
    smaller mean squared error under this noise; that a picture's noise acts like this one is the
    approximation.
    """
    checks.check_generator(rng)
    span = cats.HIGH - cats.LOW
    information = fisher_information(factors, likelihood, variance) * (span[:, None] * span)
    # A cat with its eyes shut shows little of some factors: a spread of three ranges says nothing.
    variances = np.linalg.inv(information + np.eye(len(span)) / 9)
    s = np.sqrt(np.einsum("bff->bf", variances))
    seen = _to_unit(np.asarray(factors, np.float64)) + s * rng.standard_normal(s.shape)
    return _from_unit(_cut_mean(seen, s))


def _cut_mean(seen: Array, s: Array) -> Array:
    """The mean of N(seen, s^2) cut off to [0, 1], by a sum over 200 equal cells."""
    cells = (np.arange(200) + 0.5) / 200
    mean = np.empty_like(seen)
    for f in range(seen.shape[1]):
        log_w = -np.square((cells - seen[:, f, None]) / s[:, f, None]) / 2
        w = np.exp(log_w - log_w.max(axis=1, keepdims=True))
        mean[:, f] = (w @ cells) / w.sum(axis=1)
    # narrower than a cell: the sum would round to the cell's middle, and nothing is cut off
    return np.where(s < 0.01, np.clip(seen, 0, 1), mean)


def _climb(x: Array, u: Array, likelihood: str, steps: int) -> tuple[Array, Array]:
    """Damped Fisher scoring within [0, 1]^F -> u (B, F), nll (B,). A step is kept if it helps."""
    u = u.copy()
    damping = np.full(len(x), 1e-2)
    p = _pixels(u, likelihood)
    cost = _nll(x, p, likelihood)
    J = np.empty((len(u), u.shape[1], x.shape[1]))
    better = np.ones(len(x), bool)
    for _ in range(steps):
        if better.any():  # elsewhere u is what it was, and so is its J
            J[better] = _jacobian(u[better], likelihood)
        weight = 1 / (p * (1 - p)) if likelihood == "bernoulli" else np.ones_like(p)
        slope = np.einsum("bfd,bd->bf", J, weight * (x - p))
        H = (J * weight[:, None]) @ J.transpose(0, 2, 1)
        free = ~(((u <= 0) & (slope < 0)) | ((u >= 1) & (slope > 0)))  # not pressed to an end
        H = H * free[:, :, None] * free[:, None]
        diagonal = np.einsum("bff->bf", H)
        ridge = damping[:, None] * diagonal + 1e-6 * diagonal.max(axis=1, keepdims=True) + ~free
        H = H + np.einsum("bf,fg->bfg", ridge, np.eye(u.shape[1]))
        step = np.linalg.solve(H, (slope * free)[..., None])[..., 0]
        trial = np.clip(u + np.clip(step, -0.25, 0.25), 0, 1)
        p_trial = _pixels(trial, likelihood)
        cost_trial = _nll(x, p_trial, likelihood)
        better = cost_trial < cost
        u[better], cost[better], p[better] = trial[better], cost_trial[better], p_trial[better]
        damping = np.clip(np.where(better, damping / 4, damping * 6), 1e-6, 1e4)
    return u, cost


def _nearest_stored(x: Array, likelihood: str, starts: int) -> Array:
    """The most likely of the stored cats: x (B, D) -> (starts, B, F) in [0, 1]."""
    factors = cats.sample_factors(LIBRARY, np.random.default_rng(28))
    stored = _pixels(_to_unit(factors), likelihood)
    if likelihood == "bernoulli":
        score = x @ np.log(stored / (1 - stored)).T + np.log1p(-stored).sum(axis=1)
    else:
        score = x @ stored.T - np.square(stored).sum(axis=1) / 2
    best = np.argpartition(-score, starts - 1, axis=1)[:, :starts]
    return _to_unit(factors)[best].transpose(1, 0, 2)


def _jacobian(u: Array, likelihood: str) -> Array:
    """dp/du by central differences, one-sided at the ends: (B, F) -> (B, F, D)."""
    columns = []
    for f in range(u.shape[1]):
        up, down = u.copy(), u.copy()
        up[:, f] = np.minimum(u[:, f] + STEP, 1)
        down[:, f] = np.maximum(u[:, f] - STEP, 0)
        change = _pixels(up, likelihood) - _pixels(down, likelihood)
        columns.append(change / (up[:, f] - down[:, f])[:, None])
    return np.stack(columns, axis=1)


def _pixels(u: Array, likelihood: str) -> Array:
    """What the pixels are on average: u (B, F) in [0, 1] -> (B, D) float64."""
    factors = _from_unit(u)
    bernoulli = likelihood == "bernoulli"
    p = cats.pixel_probabilities(factors) if bernoulli else cats.render(factors)
    return p.reshape(len(u), -1).astype(np.float64)


def _nll(x: Array, p: Array, likelihood: str) -> Array:
    if likelihood == "bernoulli":
        return -(x * np.log(p) + (1 - x) * np.log1p(-p)).sum(axis=1)
    return np.square(x - p).sum(axis=1) / 2


def _to_unit(factors: Array) -> Array:
    return (factors - cats.LOW) / (cats.HIGH - cats.LOW)


def _from_unit(u: Array) -> Array:
    return cats.LOW + u * (cats.HIGH - cats.LOW)


def _check_likelihood(likelihood: str) -> None:
    if likelihood not in ("bernoulli", "gaussian"):
        raise MinivaeError(f"likelihood is {likelihood!r}; it must be 'bernoulli' or 'gaussian'")


def _check_pictures(pictures: Array) -> Array:
    """(B, S * S) float64 in [0, 1], or MinivaeError."""
    x = as_array(pictures, "the pictures")
    pixels = cats.SIZE**2
    if x.dtype.kind not in "buif" or x.ndim < 2 or x[0].size != pixels or x.size == 0:
        raise MinivaeError(
            f"the pictures are {x.dtype} of shape {x.shape}; they must be (B, {cats.SIZE}, "
            f"{cats.SIZE}) or (B, {pixels}) numbers"
        )
    x = x.reshape(len(x), pixels).astype(np.float64)
    if not ((x >= 0) & (x <= 1)).all():
        raise MinivaeError("the pictures hold values outside 0 to 1; divide bytes by 255")
    return x

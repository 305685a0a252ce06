"""Test ELBO, active units, and the importance-weighted estimate of log p(x).     [notebook 09]

`log_likelihood` and `elbo_terms` are streamed: their memory depends neither on the number of
images N nor on the number of samples K. Every image has its own stream of noise, so its numbers
do not depend on how the work was cut into pieces. Values are nats.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from minivae import checks, vae
from minivae import ops as numpy_ops
from minivae.vae import Params, Spec

ROWS = 192  # decoder rows at a time: enough for a fast product, and their logits fit a cache
ENCODER_ROWS = 1000
ACTIVE_VARIANCE = 0.01  # Burda et al. 2016, section 5.2

if TYPE_CHECKING:
    from minivae.backend import Backend

Array = np.ndarray
Noise = Callable[[int], np.random.Generator]
Progress = Callable[[int, int], object]


class LogLikelihood(NamedTuple):
    """Estimates of log p(x) for N images, each from K importance samples; all float64 (N,).

    `mc_stderr` is the Monte Carlo standard error of each estimate, `ess` the effective sample
    size (sum w)^2 / sum w^2, between 1 and K; both are computed from the samples that were drawn,
    and know nothing of mass that none of them reached. The mean has two errors: `stderr_images`,
    from the choice of test images, and `stderr_mc`, from the choice of noise.
    """

    log_p: Array
    mc_stderr: Array
    ess: Array

    @property
    def mean(self) -> float:
        return self.log_p.mean()

    @property
    def stderr_images(self) -> float:
        """std(log p) / sqrt(N); infinite for one image, which shows no scatter."""
        n = len(self.log_p)
        return self.log_p.std(ddof=1) / n**0.5 if n > 1 else np.inf

    @property
    def stderr_mc(self) -> float:
        """sqrt(sum_n mc_stderr_n^2) / N: each image has its own noise."""
        return np.sqrt((self.mc_stderr**2).sum()) / len(self.mc_stderr)


# ---- the test set as a whole -------------------------------------------------------------------


def evaluate(
    params: Params,
    x: Array,
    spec: Spec,
    *,
    samples: int = 5000,
    seed: int = 0,
    ops: Backend = numpy_ops,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Every number of the command `evaluate`, as a dict of plain Python values.

    x: (N, D); a Bernoulli model takes images of zeros and ones. `elbo`, `nll` and `kl` use one
    sample of z for each image. A standard error that cannot be measured (one image, or one
    sample) is None. Raises MinivaeError as `log_likelihood` does.
    """
    checks.check_samples(samples)
    seed = checks.check_whole(seed, "seed", *checks.INTEGER_RANGES["seed"])
    x = checks.check_observed(x, spec, params["mu_b"].dtype)
    elbo_rng, iw_rng = np.random.default_rng(seed).spawn(2)
    terms = _elbo_terms(params, x, spec, elbo_rng, ops)
    likelihood = log_likelihood_of_q(
        params, x, spec, samples, noise_streams(iw_rng), None, ops, progress
    )
    means = _means(params, x, spec, ops)
    return report_of(likelihood, terms, means, seed, samples)


def report_of(
    likelihood: LogLikelihood, terms: vae.Terms, means: Iterable[Array], seed: int, samples: int
) -> dict[str, Any]:
    """The dict of `evaluate`. means: those of q for all images, (b, L) at a time."""
    activity = _activity(means)
    return {
        "images": len(likelihood.log_p),
        "samples": samples,
        "seed": seed,
        "elbo": terms.elbo,
        "nll": terms.nll,
        "kl": terms.kl,
        "active_units": _active_units(activity),
        "latent_dim": len(activity),
        "log_likelihood": float(likelihood.mean),
        "stderr_images": _finite_or_none(likelihood.stderr_images),
        "stderr_mc": _finite_or_none(likelihood.stderr_mc),
        "ess": float(likelihood.ess.mean()),
        "ess_lowest": float(likelihood.ess.min()),
    }


def elbo_terms(
    params: Params, x: Array, spec: Spec, *, rng: np.random.Generator, ops: Backend = numpy_ops
) -> vae.Terms:
    """The mean ELBO, nll and kl of a set, one sample of z each: x (N, D) -> vae.Terms of floats.

    beta = 1 and no free bits, whatever the training used: `loss` is -elbo. Raises MinivaeError for
    images that the likelihood does not take, and if a result is not finite.
    """
    checks.check_generator(rng)
    x = checks.check_observed(x, spec, params["mu_b"].dtype)
    return _elbo_terms(params, x, spec, rng, ops)


def _elbo_terms(params, x, spec, rng, ops):
    plain = spec._replace(free_bits=0.0)
    return mean_terms(
        lambda rows, eps: vae.elbo_forward(params, x[rows], eps, plain, 1.0, ops), x, spec, rng
    )


def mean_terms(
    terms_of: Callable[[slice, Array], vae.Terms], x: Array, spec: Spec, rng: np.random.Generator
) -> vae.Terms:
    """The terms_of(rows, eps) of a set x (N, D), computed piece by piece, averaged; as floats."""
    nll = kl = 0.0
    for rows in slices(len(x), ENCODER_ROWS):
        n = len(x[rows])
        eps = rng.standard_normal((n, spec.latent_dim), dtype=x.dtype)
        with np.errstate(all="ignore"):  # a value that is not finite raises an error below
            terms = terms_of(rows, eps)
        nll += float(terms.nll) * n / len(x)
        kl += float(terms.kl) * n / len(x)
    checks.check_finite_result(nll + kl, "the ELBO")
    return vae.Terms(nll + kl, -(nll + kl), nll, kl)


def latent_activity(params: Params, x: Array, spec: Spec, *, ops: Backend = numpy_ops) -> Array:
    """A_u = Var_x(E_q(u|x)[u]) for each latent u: x (N, D) -> (L,).   [Burda et al. 2016, sec. 5.2]

    Near 0, the latent's mean hardly depends on the image: it carries almost no information about x,
    unless its variance does.
    """
    x = checks.check_batch(x, spec, params["mu_b"].dtype)
    return _activity(_means(params, x, spec, ops))


def _means(params, x, spec, ops):
    """The means of q, (b, L) at a time."""
    for rows in slices(len(x), ENCODER_ROWS):
        yield vae.encoder_forward(params, x[rows], spec, ops)[0]


def _activity(means):
    n, total, squares, shift = 0, 0.0, 0.0, None
    for part in means:
        mu = part.astype(np.float64)
        shift = mu[0] if shift is None else shift
        mu = mu - shift  # or a variance far below the squared mean would be lost in rounding
        total = total + mu.sum(axis=0)
        squares = squares + (mu * mu).sum(axis=0)
        n += len(mu)
    mean = total / n
    return np.maximum(squares / n - mean * mean, 0)


def active_units(params: Params, x: Array, spec: Spec, *, ops: Backend = numpy_ops) -> int:
    """How many of the L latents have A_u > 0.01. Raises MinivaeError if one is not finite."""
    return _active_units(latent_activity(params, x, spec, ops=ops))


def _active_units(activity):
    # NaN > 0.01 is false, so without this check a NaN would count as inactive
    checks.check_finite_result(activity.sum(), "the activity of the latents")
    return int((activity > ACTIVE_VARIANCE).sum())


# ---- importance-weighted log p(x) --------------------------------------------------------------


def log_likelihood(
    params: Params,
    x: Array,
    spec: Spec,
    *,
    samples: int,
    rng: np.random.Generator,
    q: tuple[Array, Array] | None = None,
    ops: Backend = numpy_ops,
    progress: Progress | None = None,
) -> LogLikelihood:
    """log p(x) ~ log (1/K) sum_k p(x, z_k) / q(z_k|x),  z_k ~ q(z|x): x (N, D) -> LogLikelihood.

    [notebook 09, eq. 2]  `samples` is K. `q`: a pair mu, logvar (N, L) to sample from, instead
    of the encoder's. `progress(done, N)` is called as images are finished.

    The estimate is biased low. Where q reaches all of the posterior's mass and ess is large, the
    bias is about mc_stderr^2 / 2 nats. Where a few samples carry most of the weight it is larger,
    and mc_stderr, which with K > 1 never exceeds 1, is too small. A mode of the posterior that no
    sample reached shows in none of these numbers: with two equal modes and q on one of them, log_p
    is low by log 2 although mc_stderr is 0 and ess is K. Only other samples can show it, see
    `compare_proposals`. With K = 1 there is no scatter to measure, and mc_stderr is infinite.

    Raises MinivaeError for K < 1, an rng that is no NumPy generator, images the likelihood does not
    take, and a q that is not a density (its variance 0, infinite or NaN).
    """
    checks.check_samples(samples)
    checks.check_generator(rng)
    x = checks.check_observed(x, spec, params["mu_b"].dtype)
    if q is not None:
        q = checks.check_q_values(*q, len(x), spec)
    return log_likelihood_of_q(params, x, spec, samples, noise_streams(rng), q, ops, progress)


@np.errstate(all="ignore")  # a value that is not finite raises an error at the end
def log_likelihood_of_q(
    params: Params,
    x: Array,
    spec: Spec,
    samples: int,
    noise: Noise,
    q: tuple[Array, Array] | None,
    ops: Backend,
    progress: Progress | None = None,
) -> LogLikelihood:
    """`log_likelihood` without checks of its arguments, except that q is a distribution.

    noise(i): the generator of image i's noise.
    """
    result = LogLikelihood(*np.empty((3, len(x))))
    for rows in slices(len(x), max(1, ROWS // samples)):
        batch = x[rows]
        if q is None:
            mu, logvar, _ = vae.encoder_forward(params, batch, spec, ops)
        else:
            mu, logvar = q[0][rows], q[1][rows]
        checks.check_q(mu, logvar, first=rows.start)
        streams = [noise(i) for i in range(rows.start, rows.stop)]
        blocks = log_weight_blocks(params, batch, mu, logvar, samples, streams, spec, ops)
        for array, values in zip(result, summarise_weights(blocks, samples), strict=True):
            array[rows] = values
        if progress is not None:
            progress(rows.stop, len(x))
    checks.check_finite_per_image(result.log_p, "log p(x)")
    return result


def noise_streams(rng: np.random.Generator) -> Noise:
    """noise(i): the Generator of image i, the same however the images are divided."""
    seeds: Any = rng.bit_generator.seed_seq
    root = seeds.spawn(1)[0]

    def noise(i):
        key = (*root.spawn_key, i)
        return np.random.default_rng(np.random.SeedSequence(root.entropy, spawn_key=key))

    return noise


def log_weight_blocks(
    params: Params,
    x: Array,
    mu: Array,
    logvar: Array,
    samples: int,
    streams: Sequence[np.random.Generator],
    spec: Spec,
    ops: Backend,
) -> Iterator[Array]:
    """Yields log weights, (k, B) float64, in blocks that add up to `samples` rows."""
    n = max(1, ROWS // len(x))
    for block in slices(samples, n):
        shape = block.stop - block.start, spec.latent_dim
        draws = [stream.standard_normal(shape, dtype=mu.dtype) for stream in streams]
        eps = np.stack(draws, axis=1)
        log_w = vae.log_weights_of_q(params, x, mu, logvar, eps, spec, ops)
        yield log_w.astype(np.float64)


def summarise_weights(blocks: Iterable[Array], samples: int) -> tuple[Array, Array, Array]:
    """One pass over (k, B) blocks of log w -> log mean w, its standard error, ess: (B,) each.

    Sums of exp(log_w - top) and of its square, rescaled whenever a larger `top` comes along.
    """
    top: Any = -np.inf
    total: Any = 0.0
    squares: Any = 0.0
    for log_w in blocks:
        new_top = np.maximum(top, log_w.max(axis=0))
        w = np.exp(log_w - new_top)
        scale = np.exp(top - new_top)
        total = total * scale + w.sum(axis=0)
        squares = squares * scale * scale + (w * w).sum(axis=0)
        top = new_top
    ess = np.clip(total * total / squares, 1, samples)  # rounding leaves it a digit outside
    # std(w) / (sqrt(K) mean(w)), the delta method for the log of a mean
    if samples == 1:
        stderr = np.full_like(ess, np.inf)
    else:
        stderr = np.sqrt(np.maximum(samples / ess - 1, 0) / (samples - 1))
    return top + np.log(total / samples), stderr, ess


# ---- the bounds for several K ------------------------------------------------------------------


class Bounds(NamedTuple):
    """Mean IW-ELBO_K of a set for each K, nats, and the Monte Carlo standard error of each."""

    samples: tuple[int, ...]
    bound: Array
    stderr: Array


def importance_bounds(
    params: Params,
    x: Array,
    spec: Spec,
    *,
    rng: np.random.Generator,
    samples: Sequence[int] = (1, 2, 5, 10, 50),
    draws: int = 1000,
    ops: Backend = numpy_ops,
) -> Bounds:
    """IW-ELBO_K = E log (1/K sum_k w_k) for several K, from the same draws: x (N, D) -> Bounds.

    [notebook 09, eq. 2; Burda et al. 2016, theorem 1]  In expectation ELBO = IW-ELBO_1 <=
    IW-ELBO_2 <= ... <= log p(x). The `draws` log weights of an image are cut into groups of K.
    Raises MinivaeError where a K leaves fewer than two groups.
    """
    checks.check_group_sizes(samples, draws)
    checks.check_generator(rng)
    x = checks.check_observed(x, spec, params["mu_b"].dtype)
    mu, logvar, _ = vae.encoder_forward(params, x, spec, ops)
    checks.check_q(mu, logvar)
    noise = noise_streams(rng)
    streams = [noise(i) for i in range(len(x))]
    blocks = log_weight_blocks(params, x, mu, logvar, draws, streams, spec, ops)
    log_w = np.concatenate(list(blocks))
    checks.check_finite_per_image(log_w.sum(axis=0), "log p(x, z) / q(z|x)")
    bound, stderr = [], []
    for K in samples:
        groups = log_w[: draws // K * K].reshape(-1, K, len(x))
        each = summarise_weights([groups.swapaxes(0, 1)], K)[0]  # (groups, N)
        bound.append(each.mean())
        stderr.append(each.mean(axis=1).std(ddof=1) / len(each) ** 0.5)
    return Bounds(tuple(samples), np.array(bound), np.array(stderr))


def slices(n: int, step: int) -> Iterator[slice]:
    """0 to n in pieces of `step`; the last one may be shorter."""
    return (slice(start, min(start + step, n)) for start in range(0, n, step))


def _finite_or_none(value):
    return float(value) if np.isfinite(value) else None

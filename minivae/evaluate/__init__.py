"""How good is a trained model? Test ELBO, importance-weighted log p(x), gaps, active units.

`log_likelihood` and `elbo_terms` are streamed: their memory depends neither on the number of
images N nor on the number of samples K. Every image has its own stream of noise, so its numbers
do not depend on how the work was cut into pieces. Values are nats.     [notebook 09]
"""

from typing import NamedTuple

import numpy as np

from minivae import checks, vae
from minivae import ops as numpy_ops
from minivae.errors import MinivaeError

ROWS = 192  # decoder rows at a time: enough for a fast product, and their logits fit a cache
ENCODER_ROWS = 1000
ACTIVE_VARIANCE = 0.01  # Burda et al. 2016, section 5.2


class LogLikelihood(NamedTuple):
    """Estimates of log p(x) for N images, each from K importance samples; all float64 (N,).

    `mc_stderr` is the Monte Carlo standard error of each estimate, `ess` the effective sample
    size (sum w)^2 / sum w^2, between 1 and K. The two errors of the mean answer two questions:
    `stderr_images`, had other images been drawn for the test set; `stderr_mc`, had other noise.
    """

    log_p: np.ndarray
    mc_stderr: np.ndarray
    ess: np.ndarray

    @property
    def mean(self):
        return self.log_p.mean()

    @property
    def stderr_images(self):
        """std(log p) / sqrt(N); infinite for one image, which shows no scatter."""
        n = len(self.log_p)
        return self.log_p.std(ddof=1) / n**0.5 if n > 1 else np.inf

    @property
    def stderr_mc(self):
        """sqrt(sum_n mc_stderr_n^2) / N: each image has its own noise."""
        return np.sqrt((self.mc_stderr**2).sum()) / len(self.mc_stderr)


class Gaps(NamedTuple):
    """log p(x) - ELBO split in two, nats, all (B,): approximation + amortization = total.

    The two standard errors are Monte Carlo's, of `approximation` and of `amortization`.
    """

    approximation: np.ndarray
    amortization: np.ndarray
    total: np.ndarray
    log_p: np.ndarray
    elbo_best: np.ndarray
    elbo_encoder: np.ndarray
    approximation_stderr: np.ndarray
    amortization_stderr: np.ndarray


# ---- the test set as a whole -------------------------------------------------------------------


def evaluate(params, x, spec, *, samples=5000, seed=0, ops=numpy_ops, progress=None):
    """Every number of the command `evaluate`, as a dict of plain Python values.

    x: (N, D); a Bernoulli model takes images of zeros and ones. `elbo`, `nll` and `kl` use one
    sample of z for each image. Without scatter to measure (one image, or one sample) the
    standard error concerned is None.
    """
    x = checks.check_observed(x, spec, params["mu_b"].dtype)
    elbo_rng, iw_rng = np.random.default_rng(seed).spawn(2)
    terms = elbo_terms(params, x, spec, rng=elbo_rng, ops=ops)
    likelihood = log_likelihood(
        params, x, spec, samples=samples, rng=iw_rng, ops=ops, progress=progress
    )
    return {
        "images": len(x),
        "samples": samples,
        "seed": seed,
        "elbo": terms.elbo,
        "nll": terms.nll,
        "kl": terms.kl,
        "active_units": active_units(params, x, spec, ops=ops),
        "latent_dim": spec.latent_dim,
        "log_likelihood": float(likelihood.mean),
        "stderr_images": _finite_or_none(likelihood.stderr_images),
        "stderr_mc": _finite_or_none(likelihood.stderr_mc),
        "ess": float(likelihood.ess.mean()),
        "ess_lowest": float(likelihood.ess.min()),
    }


def elbo_terms(params, x, spec, *, rng, ops=numpy_ops):
    """The mean ELBO, nll and kl of a set, one sample of z each: x (N, D) -> vae.Terms of floats.

    beta = 1 and no free bits, whatever the training used: `loss` is -elbo.
    """
    plain = spec._replace(free_bits=0.0)
    x = checks.check_observed(x, spec, params["mu_b"].dtype)
    nll = kl = 0.0
    for rows in _slices(len(x), ENCODER_ROWS):
        batch = x[rows]
        eps = rng.standard_normal((len(batch), spec.latent_dim), dtype=x.dtype)
        with np.errstate(all="ignore"):  # what is not finite is refused below
            terms = vae.elbo(params, batch, eps, plain, ops=ops)
        nll += float(terms.nll) * len(batch) / len(x)
        kl += float(terms.kl) * len(batch) / len(x)
    if not np.isfinite(nll + kl):
        raise _not_finite("the ELBO")
    return vae.Terms(nll + kl, -(nll + kl), nll, kl)


def latent_activity(params, x, spec, *, ops=numpy_ops):
    """A_u = Var_x(E_q(u|x)[u]) for each latent u: x (N, D) -> (L,).   [Burda et al. 2016, sec. 5.2]

    Near 0, the latent's mean does not depend on the image: it says nothing about x.
    """
    x = checks.check_batch(x, spec, params["mu_b"].dtype)
    total = np.zeros(spec.latent_dim)
    squares = np.zeros(spec.latent_dim)
    for rows in _slices(len(x), ENCODER_ROWS):
        mu = vae.encode(params, x[rows], spec, ops)[0].astype(np.float64)
        total += mu.sum(axis=0)
        squares += (mu * mu).sum(axis=0)
    mean = total / len(x)
    return np.maximum(squares / len(x) - mean * mean, 0)


def active_units(params, x, spec, *, ops=numpy_ops):
    """How many of the L latents have A_u > 0.01. Raises MinivaeError if one is not finite."""
    activity = latent_activity(params, x, spec, ops=ops)
    if not np.isfinite(activity).all():  # NaN > 0.01 is false: it would count as inactive
        raise _not_finite("the activity of the latents")
    return int((activity > ACTIVE_VARIANCE).sum())


# ---- importance-weighted log p(x) --------------------------------------------------------------


@np.errstate(all="ignore")  # what is not finite is refused at the end
def log_likelihood(params, x, spec, *, samples, rng, q=None, ops=numpy_ops, progress=None):
    """log p(x) ~ log (1/K) sum_k p(x, z_k) / q(z_k|x),  z_k ~ q(z|x): x (N, D) -> LogLikelihood.

    [notebook 09, eq. 2]  `samples` is K. `q`: a pair mu, logvar (N, L) to sample from, instead
    of the encoder's. `progress(done, N)` is called as images are finished.

    The estimate is biased low, by about mc_stderr^2 / 2 nats while ess is large; where a handful of
    samples carry the weight it is lower still, and mc_stderr, which never exceeds 1, too small.
    With K = 1 there is no scatter to measure, and mc_stderr is infinite.

    Raises MinivaeError for K < 1, images the likelihood does not take, and a q that is not a
    density (its variance 0, infinite or NaN).
    """
    checks.check_samples(samples)
    x = checks.check_observed(x, spec, params["mu_b"].dtype)
    if q is not None:
        q = _check_pair(*q, len(x), spec)
    noise = _noise_streams(rng)
    result = LogLikelihood(*np.empty((3, len(x))))

    for rows in _slices(len(x), max(1, ROWS // samples)):
        batch = x[rows]
        mu, logvar = vae.encode(params, batch, spec, ops) if q is None else (q[0][rows], q[1][rows])
        checks.check_q(mu, logvar, first=rows.start)
        streams = [noise(i) for i in range(rows.start, rows.stop)]
        blocks = _log_weights(params, batch, mu, logvar, samples, streams, spec, ops)
        for array, values in zip(result, _log_mean_exp(blocks, samples), strict=True):
            array[rows] = values
        if progress is not None:
            progress(rows.stop, len(x))
    _check_finite(result.log_p, "log p(x)")
    return result


def _noise_streams(rng):
    """noise(i): the Generator of image i, the same however the images are divided."""
    root = rng.bit_generator.seed_seq.spawn(1)[0]

    def noise(i):
        key = (*root.spawn_key, i)
        return np.random.default_rng(np.random.SeedSequence(root.entropy, spawn_key=key))

    return noise


def _log_weights(params, x, mu, logvar, samples, streams, spec, ops):
    """Yields log weights, (k, B) float64, in blocks that add up to `samples` rows."""
    n = max(1, ROWS // len(x))
    for block in _slices(samples, n):
        shape = block.stop - block.start, spec.latent_dim
        eps = [stream.standard_normal(shape, dtype=mu.dtype) for stream in streams]
        eps = np.stack(eps, axis=1)
        log_w = vae.log_weights_of_q(params, x, mu, logvar, eps, spec, ops)
        yield log_w.astype(np.float64)


def _log_mean_exp(blocks, samples):
    """One pass over (k, B) blocks of log w -> log mean w, its standard error, ess: (B,) each.

    Sums of exp(log_w - top) and of its square, rescaled whenever a larger `top` comes along.
    """
    top, total, squares = -np.inf, 0.0, 0.0
    for log_w in blocks:
        new_top = np.maximum(top, log_w.max(axis=0))
        w = np.exp(log_w - new_top)
        scale = np.exp(top - new_top)
        total = total * scale + w.sum(axis=0)
        squares = squares * scale * scale + (w * w).sum(axis=0)
        top = new_top
    ess = total * total / squares
    # std(w) / (sqrt(K) mean(w)), the delta method for the log of a mean
    if samples == 1:
        stderr = np.full_like(ess, np.inf)
    else:
        stderr = np.sqrt(np.maximum(samples / ess - 1, 0) / (samples - 1))
    return top + np.log(total / samples), stderr, ess


# ---- the gap between log p(x) and the ELBO, split in two ---------------------------------------


def gaps(
    params,
    x,
    spec,
    *,
    rng,
    steps=1000,
    lr=0.05,
    noise=8,
    score_noise=2000,
    samples=5000,
    log_p=None,
    ops=numpy_ops,
):
    """log p(x) - ELBO = approximation gap + amortization gap, for each image: x (B, D) -> Gaps.

    approximation   log p(x) - ELBO(q*):  no diagonal Gaussian closes it
    amortization    ELBO(q*) - ELBO(q):   what the encoder leaves on the table

    [notebook 09, eq. 7; Cremer et al. 2018]  q* is the best diagonal Gaussian for this one x,
    found by `best_q` and then scored, with the encoder's q, on other noise (`score_noise` draws of
    log w, whose mean is the ELBO and whose scatter vanishes as q nears the posterior). `log_p`:
    (B,) exact values where there are any (`exact.quadrature`); otherwise the importance-weighted
    estimate with q* as its proposal, `samples` draws.

    Biases: that estimate lies below log p(x), which shrinks the approximation gap. A q* that has
    not converged lies below the best one, which moves some of the amortization gap into the
    approximation gap.
    """
    checks.check_samples(score_noise, "score_noise")
    x = checks.check_observed(x, spec, params["mu_b"].dtype)
    if log_p is not None:
        log_p = _check_log_p(log_p, len(x))
    q = vae.encode(params, x, spec, ops)
    checks.check_q(*q)
    search_rng, score_rng, iw_rng = rng.spawn(3)
    best = best_q(params, x, *q, spec, rng=search_rng, steps=steps, lr=lr, noise=noise, ops=ops)
    elbos, stderr = _paired_elbos(params, x, best, q, spec, score_rng, score_noise, ops)
    log_p_stderr = 0.0
    if log_p is None:
        estimate = log_likelihood(params, x, spec, samples=samples, rng=iw_rng, q=best, ops=ops)
        log_p, log_p_stderr = estimate.log_p, estimate.mc_stderr
    _check_finite(log_p + elbos.sum(axis=0), "log p(x) or its bound")
    approximation, amortization = log_p - elbos[0], elbos[0] - elbos[1]
    total = approximation + amortization
    approximation_stderr = np.hypot(stderr[0], log_p_stderr)
    return Gaps(approximation, amortization, total, log_p, *elbos, approximation_stderr, stderr[1])


def best_q(params, x, mu, logvar, spec, *, rng, steps=1000, lr=0.05, noise=8, ops=numpy_ops):
    """The diagonal Gaussian with the highest ELBO for each image, by Adam: -> mu, logvar (B, L).

    Starts at the given mu, logvar (B, L); every step draws fresh noise, `noise` samples and their
    mirror images (eps and -eps), so that q* cannot adapt to one draw. The rate falls to 0
    along half a cosine.
    """
    checks.check_samples(steps, "steps")
    checks.check_samples(noise, "noise")
    x = checks.check_observed(x, spec, params["mu_b"].dtype)
    mu, logvar = _check_pair(mu, logvar, len(x), spec)
    B, L = mu.shape
    q = np.stack([mu, logvar])
    flat = q.reshape(-1)
    m, v = np.zeros_like(flat), np.zeros_like(flat)
    for step in range(1, steps + 1):
        half = rng.standard_normal((noise, B, L), dtype=q.dtype)
        eps = np.concatenate([half, -half])
        grad = np.stack(_q_grads(params, x, *q, eps, spec, ops)).reshape(-1)
        rate = lr * (1 + np.cos(np.pi * step / steps)) / 2
        ops.adam_step(flat, grad, m, v, step, rate)
    checks.check_q(*q)
    return q[0], q[1]


def _q_grads(params, x, mu, logvar, eps, spec, ops):
    """d/dmu, d/dlogvar, (B, L) each, of every image's own -ELBO: eps (K, B, L)."""
    K, B, L = eps.shape
    z, c_z = ops.reparam_forward(mu, logvar, eps)
    _, c_kl = ops.gaussian_kl_forward(mu, logvar)
    h, caches = z.reshape(K * B, L), []
    for name, activation in _decoder_layers(spec):
        h, cache = ops.dense_forward(h, params[f"{name}_W"], params[f"{name}_b"], activation)
        caches.append(cache)
    _, c_nll = vae.nll_forward(params, h.reshape(K, B, -1), x, spec, ops)

    dnll = np.full((K, B), 1 / K, x.dtype)
    if spec.likelihood == "bernoulli":
        dh = ops.bernoulli_nll_backward(dnll, c_nll)
    else:
        dh, _ = ops.gaussian_nll_backward(dnll, c_nll)
    dh = dh.reshape(K * B, -1)
    for cache in reversed(caches):
        dh, _, _ = ops.dense_backward(dh, cache)
    dmu, dlogvar = ops.reparam_backward(dh.reshape(K, B, L), c_z)
    dmu_kl, dlogvar_kl = ops.gaussian_kl_backward(np.ones(L, x.dtype), c_kl)
    return dmu + dmu_kl, dlogvar + dlogvar_kl


def _decoder_layers(spec):
    hidden = [(f"dec{i}", spec.activation) for i in range(1, len(spec.hidden) + 1)]
    return [*hidden, ("out", "none")]


def _paired_elbos(params, x, best, encoder, spec, rng, samples, ops):
    """ELBO(q*) and ELBO(q), (2, B), from the same noise; standard errors of the first and of
    their difference, (2, B)."""
    noise = _noise_streams(rng)
    means, squares = np.zeros((2, len(x))), np.zeros((2, len(x)))
    done = 0
    blocks = (
        _log_weights(params, x, *q, samples, [noise(i) for i in range(len(x))], spec, ops)
        for q in (best, encoder)
    )
    for log_w_best, log_w in zip(*blocks, strict=True):
        # Welford's update, a block at a time: the values are far from 0, their scatter small
        new = np.stack([log_w_best, log_w_best - log_w])
        n = new.shape[1]
        step = new.mean(axis=1) - means
        squares += new.var(axis=1) * n + step**2 * (done * n / (done + n))
        means += step * (n / (done + n))
        done += n
    scatter = squares / (samples - 1) if samples > 1 else np.full_like(squares, np.inf)
    stderr = np.sqrt(scatter / samples)
    return np.stack([means[0], means[0] - means[1]]), stderr


# ---- the bounds, one above the other ------------------------------------------------------------


class Bounds(NamedTuple):
    """Mean IW-ELBO_K of a set for each K, nats, and the Monte Carlo standard error of each."""

    samples: tuple[int, ...]
    bound: np.ndarray
    stderr: np.ndarray


def importance_bounds(
    params, x, spec, *, rng, samples=(1, 2, 5, 10, 50), draws=1000, ops=numpy_ops
):
    """IW-ELBO_K = E log (1/K sum_k w_k) for several K, from the same draws: x (N, D) -> Bounds.

    [notebook 09, eq. 2; Burda et al. 2016, theorem 1]  In expectation ELBO = IW-ELBO_1 <=
    IW-ELBO_2 <= ... <= log p(x). The `draws` log weights of an image are cut into groups of K.
    """
    checks.check_samples(draws, "draws")
    for K in samples:
        checks.check_samples(K)
        if K > draws // 2:
            raise MinivaeError(f"samples holds {K}; two groups of it need draws={2 * K} or more")
    x = checks.check_observed(x, spec, params["mu_b"].dtype)
    mu, logvar = vae.encode(params, x, spec, ops)
    checks.check_q(mu, logvar)
    noise = _noise_streams(rng)
    streams = [noise(i) for i in range(len(x))]
    log_w = np.concatenate(list(_log_weights(params, x, mu, logvar, draws, streams, spec, ops)))
    _check_finite(log_w.sum(axis=0), "log p(x, z) / q(z|x)")
    bound, stderr = [], []
    for K in samples:
        groups = log_w[: draws // K * K].reshape(-1, K, len(x))
        each = _log_mean_exp([groups.swapaxes(0, 1)], K)[0]  # (groups, N)
        bound.append(each.mean())
        stderr.append(each.mean(axis=1).std(ddof=1) / len(each) ** 0.5)
    return Bounds(tuple(samples), np.array(bound), np.array(stderr))


# ---- small pieces ------------------------------------------------------------------------------


def _check_pair(mu, logvar, n, spec):
    mu, logvar = np.asarray(mu), np.asarray(logvar)
    shape = n, spec.latent_dim
    if mu.shape != shape or logvar.shape != shape:
        raise MinivaeError(f"q has shapes {mu.shape} and {logvar.shape}; both must be {shape}")
    return mu, logvar


def _check_log_p(log_p, n):
    log_p = np.asarray(log_p, np.float64)
    if log_p.shape != (n,) or not np.isfinite(log_p).all():
        raise MinivaeError(f"log_p, {log_p.shape}, must hold {n} finite numbers, one per image")
    return log_p


def _slices(n, step):
    return (slice(start, min(start + step, n)) for start in range(0, n, step))


def _finite_or_none(value):
    return float(value) if np.isfinite(value) else None


def _check_finite(values, what):
    bad = np.flatnonzero(~np.isfinite(values))
    if bad.size:
        raise _not_finite(f"{what} of image {bad[0]}")


def _not_finite(what):
    return MinivaeError(
        f"{what} is not a finite number; the model's parameters hold NaN, infinite or enormous "
        "values: train it again with a lower learning rate"
    )

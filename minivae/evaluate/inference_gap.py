"""The gap between log p(x) and the ELBO, split in two, and the best q for each image."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from minivae import checks, vae
from minivae import ops as numpy_ops
from minivae.evaluate.likelihood import log_likelihood_of_q, log_weight_blocks, noise_streams
from minivae.vae import Params, Spec

if TYPE_CHECKING:
    from minivae.backend import Backend

Array = np.ndarray


class Gaps(NamedTuple):
    """log p(x) - ELBO split in two, nats, all (B,): approximation + amortization = total.

    The two standard errors are Monte Carlo's, of `approximation` and of `amortization`.
    """

    approximation: Array
    amortization: Array
    total: Array
    log_p: Array
    elbo_best: Array
    elbo_encoder: Array
    approximation_stderr: Array
    amortization_stderr: Array


def gaps(
    params: Params,
    x: Array,
    spec: Spec,
    *,
    rng: np.random.Generator,
    steps: int = 1000,
    lr: float = 0.05,
    noise: int = 8,
    score_noise: int = 2000,
    samples: int = 5000,
    log_p: Array | None = None,
    ops: Backend = numpy_ops,
) -> Gaps:
    """log p(x) - ELBO = approximation gap + amortization gap, for each image: x (B, D) -> Gaps.

    approximation   log p(x) - ELBO(q*):  no diagonal Gaussian closes it
    amortization    ELBO(q*) - ELBO(q):   lost because one encoder serves all images

    [notebook 09, eq. 3; Cremer et al. 2018]  q* is the best diagonal Gaussian for this one x,
    found by `best_q` and then scored, with the encoder's q, on other noise (`score_noise` draws of
    log w, whose mean is the ELBO and whose scatter vanishes as q nears the posterior). `log_p`:
    (B,) exact values where there are any (`exact.quadrature`); otherwise the importance-weighted
    estimate with q* as its proposal, `samples` draws.

    Biases: that estimate lies below log p(x), which shrinks the approximation gap. A q* that has
    not converged lies below the best one, which moves some of the amortization gap into the
    approximation gap.

    Raises MinivaeError for a count below 1, an lr of 0 or less, an rng that is no NumPy generator,
    images the likelihood does not take, a log_p of another shape, and a q that is not a density.
    """
    for name, count in (("score_noise", score_noise), ("steps", steps), ("noise", noise)):
        checks.check_samples(count, name)
    checks.check_number(lr, "lr", above=0)
    checks.check_generator(rng)
    x = checks.check_observed(x, spec, params["mu_b"].dtype)
    if log_p is None:
        checks.check_samples(samples)
    else:
        log_p = checks.check_log_p(log_p, len(x))
    q = vae.encoder_forward(params, x, spec, ops)[:2]
    checks.check_q(*q)
    search_rng, score_rng, iw_rng = rng.spawn(3)
    best = _best_q(params, x, q, spec, search_rng, steps, lr, noise, ops)
    elbos, stderr = _paired_elbos(params, x, best, q, spec, score_rng, score_noise, ops)
    log_p_stderr: Array | float = 0.0
    if log_p is None:
        estimate = log_likelihood_of_q(params, x, spec, samples, noise_streams(iw_rng), best, ops)
        log_p, log_p_stderr = estimate.log_p, estimate.mc_stderr
    checks.check_finite_per_image(log_p + elbos.sum(axis=0), "log p(x) or its bound")
    approximation, amortization = log_p - elbos[0], elbos[0] - elbos[1]
    return Gaps(
        approximation,
        amortization,
        total=approximation + amortization,
        log_p=log_p,
        elbo_best=elbos[0],
        elbo_encoder=elbos[1],
        approximation_stderr=np.hypot(stderr[0], log_p_stderr),
        amortization_stderr=stderr[1],
    )


def best_q(
    params: Params,
    x: Array,
    mu: Array,
    logvar: Array,
    spec: Spec,
    *,
    rng: np.random.Generator,
    steps: int = 1000,
    lr: float = 0.05,
    noise: int = 8,
    ops: Backend = numpy_ops,
) -> tuple[Array, Array]:
    """The diagonal Gaussian with the highest ELBO for each image, by Adam: -> mu, logvar (B, L).

    Starts at the given mu, logvar (B, L); every step draws fresh noise, `noise` samples and their
    mirror images (eps and -eps), so that q* cannot adapt to one draw. The rate falls to 0
    along half a cosine. Raises MinivaeError for a count below 1, an lr of 0 or less, an rng that is
    no NumPy generator, images the likelihood does not take, a mu or logvar of another shape, and a
    result that is not a density.
    """
    checks.check_samples(steps, "steps")
    checks.check_samples(noise, "noise")
    checks.check_number(lr, "lr", above=0)
    checks.check_generator(rng)
    x = checks.check_observed(x, spec, params["mu_b"].dtype)
    start = checks.check_q_values(mu, logvar, len(x), spec)
    return _best_q(params, x, start, spec, rng, steps, lr, noise, ops)


def _best_q(params, x, start, spec, rng, steps, lr, noise, ops):
    q = np.stack(start)
    _, B, L = q.shape
    flat = q.reshape(-1)
    m, v = np.zeros_like(flat), np.zeros_like(flat)
    for step in range(1, steps + 1):
        half = rng.standard_normal((noise, B, L), dtype=q.dtype)
        eps = np.concatenate([half, -half])
        grad = np.stack(q_grads(params, x, *q, eps, spec, ops)).reshape(-1)
        rate = lr * (1 + np.cos(np.pi * step / steps)) / 2
        ops.adam_step(flat, grad, m, v, step, rate)
    checks.check_q(*q)
    return q[0], q[1]


def q_grads(
    params: Params, x: Array, mu: Array, logvar: Array, eps: Array, spec: Spec, ops: Backend
) -> tuple[Array, Array]:
    """The gradient of every image's own -ELBO with respect to mu and logvar: (B, L) each.

    x (B, D), mu, logvar (B, L), eps (K, B, L); the ELBO is averaged over the K samples.
    """
    K, B, L = eps.shape
    z, c_z = ops.reparam_forward(mu, logvar, eps)
    _, c_kl = ops.gaussian_kl_forward(mu, logvar)
    out, c_decoder = vae.decoder_forward(params, z.reshape(K * B, L), spec, ops)
    _, c_nll = vae.nll_forward(params, out.reshape(K, B, -1), x, spec, ops)

    grads = vae.unpack(np.empty(vae.n_params(spec), x.dtype), spec)  # the decoder's are not used
    dnll = np.full((K, B), 1 / K, x.dtype)
    dout = vae.nll_backward(dnll, c_nll, grads, spec, ops)
    dz = vae.decoder_backward(dout.reshape(K * B, -1), c_decoder, grads, ops)
    dmu, dlogvar = ops.reparam_backward(dz.reshape(K, B, L), c_z)
    dmu_kl, dlogvar_kl = ops.gaussian_kl_backward(np.ones(L, x.dtype), c_kl)
    return dmu + dmu_kl, dlogvar + dlogvar_kl


def _paired_elbos(params, x, best, encoder, spec, rng, samples, ops):
    """ELBO(q*) and ELBO(q), (2, B), from the same noise; standard errors of the first and of
    their difference, (2, B)."""
    noise = noise_streams(rng)
    means, squares = np.zeros((2, len(x))), np.zeros((2, len(x)))
    done = 0
    blocks = (
        log_weight_blocks(params, x, *q, samples, [noise(i) for i in range(len(x))], spec, ops)
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

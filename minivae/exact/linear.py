"""Linear Gaussian models (probabilistic PCA): everything in closed form.   [notebooks 02, 04]"""

from math import log
from typing import NamedTuple

import numpy as np

from minivae import checks, vae
from minivae.errors import MinivaeError
from minivae.exact.faces import LOG_2PI, Faces
from minivae.vae import Params, Spec

Array = np.ndarray


class Linear(NamedTuple):
    """z ~ N(0, I),  x ~ N(z W + b, variance I): W (L, D), b (D,), variance a float.

    Source: Tipping and Bishop 1999. A VAE without hidden layers is this model.
    """

    W: Array
    b: Array
    variance: float


def as_linear(params: Params, spec: Spec) -> Linear:
    """The decoder of a VAE without hidden layers as a Linear model.

    Raises MinivaeError for a VAE with hidden layers, or with another likelihood.
    """
    checks.check_linear_spec(spec)
    variance = np.exp(params["out_logvar"][0]) if spec.variance is None else spec.variance
    W, b = params["out_W"].astype(np.float64), params["out_b"].astype(np.float64)
    return Linear(W, b, float(variance))


def linear_log_evidence(model: Linear, x: Array) -> Array:
    """log p(x), for x ~ N(b, W'W + variance I): x (N, D) -> (N,).    [Tipping and Bishop, eq. 4]

    Uses the L x L matrix M = W W' + variance I: the covariance C has the determinant
    variance^(D-L) det M, and with the posterior's mean m, and the residual r = x - b - m W,

        (x - b) C^-1 (x - b)' = |r|^2 / variance + |m|^2

    a sum of squares, so that nothing cancels where the variance is small against W W'. What is left
    is what the last digit of x is worth, |r| |x| 2e-16 / variance nats. Raises MinivaeError unless
    the variance is above 0.
    """
    checks.check_linear(model)
    return _log_evidence(model, x)


def _log_evidence(model, x):
    L, D = model.W.shape
    M = model.W @ model.W.T + model.variance * np.eye(L)
    centred = x - model.b
    mean = np.linalg.solve(M, model.W @ centred.T).T
    residual = centred - mean @ model.W
    distance = (residual**2).sum(axis=-1) / model.variance + (mean**2).sum(axis=-1)
    log_det = (D - L) * log(model.variance) + np.linalg.slogdet(M)[1]
    return -(distance + log_det + D * LOG_2PI) / 2


def linear_posterior(model: Linear, x: Array) -> tuple[Array, Array]:
    """p(z|x) = N(mean, covariance): x (N, D) -> (N, L), (L, L), the same for every x.

    mean = M^-1 W (x - b),  covariance = variance M^-1           [Tipping and Bishop, eq. 6]
    Raises MinivaeError unless the variance is above 0.
    """
    checks.check_linear(model)
    return _posterior(model, x)


def _posterior(model, x):
    M = model.W @ model.W.T + model.variance * np.eye(len(model.W))
    mean = np.linalg.solve(M, model.W @ (x - model.b).T).T
    return mean, model.variance * np.linalg.inv(M)


def maximum_likelihood(x: Array, latent: int) -> Linear:
    """The linear model with the highest likelihood, in closed form: x (N, D), latent L < D.

    W' = U (Lambda - variance I)^(1/2) with the first L principal axes U and variances Lambda, and
    variance = the mean of the others.                     [Tipping and Bishop, eqs. 7 and 8]
    W is determined up to a rotation of z; only for this W is the posterior's covariance diagonal.
    Raises MinivaeError for x that is not finite, L outside 1 to D - 1, and data without noise.
    """
    x = checks.check_data(x, latent)
    n = len(x)
    b = x.mean(axis=0)
    values, axes = np.linalg.eigh((x - b).T @ (x - b) / n)
    values, axes = values[::-1], axes[:, ::-1]
    variance = values[latent:].mean()
    if variance <= 1e-12 * values[0]:
        varying = int((values > 1e-12 * values[0]).sum())
        needed = f"latent must be below {varying}" if varying > 1 else "it takes data with noise"
        raise MinivaeError(
            f"x varies along only {varying} of its {x.shape[1]} directions, so that a model with "
            f"{latent} latents leaves no noise, and its likelihood grows without limit as the "
            f"variance falls to 0; {needed}"
        )
    W = (axes[:, :latent] * np.sqrt(values[:latent] - variance)).T
    return Linear(W, b, float(variance))


def sample_linear(model: Linear, n: int, rng: np.random.Generator) -> Array:
    """n draws x (n, D) from the model."""
    n = checks.check_samples(n, "n")
    L, D = model.W.shape
    noise = rng.standard_normal((n, D)) * model.variance**0.5
    return rng.standard_normal((n, L)) @ model.W + model.b + noise


def linear_faces(model: Linear, x: Array, mean: Array, covariance: Array) -> Faces:
    """The three faces of the ELBO in closed form for q = N(mean, covariance).  [notebook 02, eq. 7]

    x (N, D), mean (N, L), covariance (L, L) or (N, L, L) -> Faces of (N,). Raises MinivaeError
    unless all variances, of the model and of q, are above 0.
    """
    checks.check_linear(model)
    checks.check_covariance(covariance)
    L, D = model.W.shape
    S = np.broadcast_to(covariance, (len(x), L, L))
    log_det_S = np.linalg.slogdet(S)[1]
    true_mean, true_covariance = _posterior(model, x)

    def kl(other_mean, other):  # KL(N(mean, S) || N(other_mean, other))
        precision = np.linalg.inv(other)
        gap = mean - other_mean
        trace = np.einsum("ij,nji->n", precision, S)
        distance = np.einsum("ni,ij,nj->n", gap, precision, gap)
        return (trace + distance - L + np.linalg.slogdet(other)[1] - log_det_S) / 2

    residual = x - model.b - mean @ model.W
    spread = np.einsum("id,nij,jd->n", model.W, S, model.W)  # trace of W' S W
    squares = ((residual**2).sum(axis=-1) + spread) / model.variance
    log_likelihood = -(squares + D * (log(model.variance) + LOG_2PI)) / 2
    log_prior = -((mean**2).sum(axis=-1) + np.trace(S, axis1=1, axis2=2) + L * LOG_2PI) / 2
    entropy = (L * (1 + LOG_2PI) + log_det_S) / 2
    return Faces(
        evidence=_log_evidence(model, x) - kl(true_mean, true_covariance),
        reconstruction=log_likelihood - kl(np.zeros(L), np.eye(L)),
        energy=log_likelihood + log_prior + entropy,
    )


def linear_integrands(model: Linear, x: Array, mean: Array, covariance: Array, z: Array) -> Faces:
    """The function of z whose average is the ELBO, in three forms: equal at each z.

    x (N, D), mean (N, L), covariance (L, L), z (K, N, L) -> Faces of (K, N):

        log p(x) - log q(z)/p(z|x),   log p(x|z) - log q(z)/p(z),   log p(x, z) - log q(z)

    At q = p(z|x) each of them is log p(x) at every z: the estimate has no variance.
    """
    checks.check_linear(model)
    checks.check_covariance(covariance)
    true_mean, true_covariance = _posterior(model, x)
    log_q = _log_normal(z - mean, covariance)
    log_true = _log_normal(z - true_mean, true_covariance)
    log_prior = _log_normal(z, np.eye(z.shape[-1]))
    log_likelihood = _log_likelihood(model, x, z)
    return Faces(
        evidence=_log_evidence(model, x) - (log_q - log_true),
        reconstruction=log_likelihood - (log_q - log_prior),
        energy=(log_likelihood + log_prior) - log_q,
    )


def linear_analytic_kl(model: Linear, x: Array, mean: Array, covariance: Array, z: Array) -> Array:
    """log p(x|z) - KL(q || p(z)), the KL in closed form: (K, N), z as above.

    Its mean over q is the ELBO too, but it scatters even at q = p(z|x), where the sampled KL of
    `linear_integrands` does not: neither is always the better estimate.   [Roeder et al. 2017]
    """
    checks.check_linear(model)
    checks.check_covariance(covariance)
    L = len(model.W)
    log_det = np.linalg.slogdet(covariance)[1]
    kl = ((mean**2).sum(axis=-1) + np.trace(covariance) - L - log_det) / 2
    return _log_likelihood(model, x, z) - kl


def log_likelihood_linear(model: Linear, x: Array, z: Array) -> Array:
    """log p(x|z): x (N, D), z (..., N, L) -> (..., N)."""
    checks.check_linear(model)
    return _log_likelihood(model, x, z)


def _log_likelihood(model, x, z):
    D = model.W.shape[1]
    squares = ((x - model.b - z @ model.W) ** 2).sum(axis=-1)
    return -(squares / model.variance + D * (log(model.variance) + LOG_2PI)) / 2


def log_normal(gap: Array, covariance: Array) -> Array:
    """log N(gap; 0, covariance): gap (..., L), covariance (L, L) -> (...)."""
    checks.check_covariance(covariance)
    return _log_normal(gap, covariance)


def _log_normal(gap, covariance):
    chol = np.linalg.cholesky(covariance)
    L = len(covariance)
    scaled = np.linalg.solve(chol, gap.reshape(-1, L).T).T
    log_det = 2 * np.log(np.diagonal(chol)).sum()
    return -((scaled**2).sum(axis=-1).reshape(gap.shape[:-1]) + log_det + L * LOG_2PI) / 2


def sigma_points(latent: int) -> Array:
    """2L points +-sqrt(L) e_i: (2L, L). Their mean is 0 and their covariance I, exactly.

    So the average of any quadratic in eps over these points is its expectation under N(0, I), and
    in a linear model they give the exact ELBO and gradient, without sampling.
    """
    axes = np.sqrt(latent) * np.eye(latent)
    return np.concatenate([axes, -axes])


def exact_linear_elbo_and_grads(params: Params, x: Array, spec: Spec) -> vae.TermsAndGrads:
    """`vae.elbo_and_grads` of a linear VAE with the expectation over eps exact: x (N, D).

    Raises MinivaeError for a VAE that is not linear: sigma points would not be exact.
    """
    checks.check_linear_spec(spec)
    points = sigma_points(spec.latent_dim)
    eps = np.repeat(points, len(x), axis=0)
    return vae.elbo_and_grads(params, np.tile(x, (len(points), 1)), eps, spec)


def axes_angle(model: Linear, other: Linear) -> float:
    """The largest angle between matching axes (rows of W) of two linear models, radians.

    Sign and order of the latents are free: axes are matched by length, and signs ignored.
    """

    def unit_axes(W):
        lengths = np.linalg.norm(W, axis=1)
        return (W / lengths[:, None])[np.argsort(-lengths)]

    cosines = np.abs((unit_axes(model.W) * unit_axes(other.W)).sum(axis=1))
    return float(np.arccos(np.clip(cosines, 0, 1)).max())


def ascent_that_lowers_evidence(lr: float = 0.1) -> dict[str, float]:
    """A gradient step of the decoder that raises the ELBO and lowers log p(x) -> dict of nats.

    [notebook 02, section 2.8]  Two images, x = 3 and x = -3, and the model x ~ N(z W + b, 1) at
    W = 1, b = 0. The likelihood is highest at a larger W: var(x) = W^2 + 1 should be 9. But the
    encoder gives q = N(0, 1) for both, as if z were independent of x; under that q a large W only
    adds noise, and the ELBO is higher at a smaller one. It rises because the gap to log p(x)
    shrinks by more than log p(x) falls. Only W moves; the encoder is held.
    """
    spec = Spec(1, (), 1, likelihood="gaussian", variance=1.0)
    flat = np.zeros(vae.n_params(spec))
    params = vae.unpack(flat, spec)
    params["out_W"][...] = 1
    x = np.array([[3.0], [-3.0]])

    def bounds():
        elbo = exact_linear_elbo_and_grads(params, x, spec).elbo
        return float(elbo), float(linear_log_evidence(as_linear(params, spec), x).mean())

    elbo, evidence = bounds()
    grads = exact_linear_elbo_and_grads(params, x, spec).grads
    params["out_W"][...] -= lr * grads["out_W"]  # loss = -elbo
    new_elbo, new_evidence = bounds()
    return {
        "elbo before": elbo,
        "elbo after": new_elbo,
        "log p(x) before": evidence,
        "log p(x) after": new_evidence,
    }

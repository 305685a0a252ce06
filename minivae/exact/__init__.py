"""Models whose evidence is known: the exact answer beside every bound.

diagnosis        discrete and small: log p(x) and p(z|x) by enumeration        [notebook 01, 02]
linear Gaussian  probabilistic PCA: everything in closed form                  [notebook 02, 04]
quadrature       any VAE with one or two latents: integrals as sums over z     [notebook 09]

Everything is float64 and in nats. The ELBO has three faces, and each model shows that they are
one number:

    evidence          log p(x) - KL(q(z) || p(z|x))
    reconstruction    E_q[log p(x|z)] - KL(q(z) || p(z))
    energy            E_q[log p(x, z)] + H(q)
"""

from itertools import product
from math import log, pi
from typing import NamedTuple

import numpy as np

from minivae import checks, vae
from minivae import ops as numpy_ops
from minivae.errors import MinivaeError

LOG_2PI = log(2 * pi)


class Faces(NamedTuple):
    """The three faces of an ELBO, nats: equal up to rounding, by three different sums."""

    evidence: np.ndarray
    reconstruction: np.ndarray
    energy: np.ndarray


def log_sum_exp(a, axis=None):
    """log sum exp(a) without overflow or underflow; -inf where every term is -inf."""
    a = np.asarray(a, np.float64)
    top = a.max(axis=axis, keepdims=True)
    safe = np.where(np.isfinite(top), top, 0)
    with np.errstate(divide="ignore"):  # log 0 = -inf is the answer
        total = np.log(np.exp(a - safe).sum(axis=axis, keepdims=True)) + safe
    return np.squeeze(total, axis=axis)[()]


def underflow(pixels=784, probability=0.5):
    """Why one works in logs: the probability of one image and of two, as a product and as a sum.

    [notebook 01]  784 pixels at 1/2 are 0.0 in float32; in float64 they still are 9.8e-237, but
    two such images are 0.0. The log has no trouble with any of it.
    """
    one32 = np.prod(np.full(pixels, probability, np.float32))
    one64 = np.prod(np.full(pixels, probability, np.float64))
    return {
        "float32": float(one32),
        "float64": float(one64),
        "two images, float64": float(one64 * one64),
        "log of one": pixels * log(probability),
        "log of two": 2 * pixels * log(probability),
    }


# ---- diagnosis: diseases cause symptoms --------------------------------------------------------


class Diagnosis(NamedTuple):
    """Noisy-or: each disease that is present causes each symptom with some probability.

    prior: (diseases,) p(z_i = 1); cause: (diseases, symptoms) the probability that disease i
    alone brings on symptom j; leak: (symptoms,) that none of them was needed.
    Source of the form: Pearl 1988, section 4.3. The numbers are made up.
    """

    diseases: tuple[str, ...]
    symptoms: tuple[str, ...]
    prior: np.ndarray
    cause: np.ndarray
    leak: np.ndarray


def diagnosis():
    """Five diseases, six symptoms, thirty-two possible patients."""
    return Diagnosis(
        diseases=("cold", "flu", "hay fever", "pneumonia", "migraine"),
        symptoms=("cough", "fever", "sneezing", "headache", "fatigue", "itchy eyes"),
        prior=np.array([0.10, 0.04, 0.12, 0.01, 0.06]),
        cause=np.array(
            [
                [0.60, 0.15, 0.70, 0.30, 0.40, 0.05],
                [0.70, 0.90, 0.30, 0.70, 0.85, 0.05],
                [0.15, 0.01, 0.85, 0.20, 0.30, 0.80],
                [0.85, 0.85, 0.02, 0.40, 0.80, 0.01],
                [0.01, 0.01, 0.01, 0.95, 0.50, 0.05],
            ]
        ),
        leak=np.array([0.05, 0.01, 0.05, 0.10, 0.15, 0.03]),
    )


def patients(model):
    """Every z: (2^n, n) of 0 and 1, in the order that all functions here use."""
    return np.array(list(product((0, 1), repeat=len(model.diseases))))


def log_prior(model):
    """log p(z) = sum_i z_i log p_i + (1 - z_i) log(1 - p_i): (2^n,)"""
    z = patients(model)
    prior = _probabilities(model, "prior", (len(model.diseases),))
    with np.errstate(divide="ignore"):  # a probability of 0 has the log -inf
        return np.where(z == 1, np.log(prior), np.log1p(-prior)).sum(axis=1)


def log_symptoms(model):
    """log p(x_j = 0|z) and log p(x_j = 1|z): (2^n, symptoms) each.

    A symptom is absent when the leak and every disease present all fail to cause it:
    p(x_j = 0|z) = (1 - leak_j) prod_i (1 - cause_ij)^z_i
    """
    absent = _log_absent(model, patients(model))
    with np.errstate(divide="ignore"):  # a symptom that never, or always, comes
        return absent, np.log(-np.expm1(absent))


def _log_absent(model, z):
    """log p(x_j = 0|z): z (M, diseases) of 0 and 1 -> (M, symptoms)."""
    leak = _probabilities(model, "leak", (len(model.symptoms),))
    cause = _probabilities(model, "cause", (len(model.diseases), len(model.symptoms)))
    with np.errstate(divide="ignore"):
        spared = np.where(z[:, :, None] == 1, np.log1p(-cause), 0.0)  # 0 log 0 = 0
        return np.log1p(-leak) + spared.sum(axis=1)


def _probabilities(model, name, shape):
    p = np.asarray(getattr(model, name), np.float64)
    if p.shape != shape or not ((p >= 0) & (p <= 1)).all():
        raise MinivaeError(f"{name} must hold probabilities from 0 to 1, in the shape {shape}")
    return p


def log_joint(model, findings):
    """log p(x, z) for every z: (2^n,).

    findings: {"cough": 1, "fever": 0, ...}. A symptom that was not looked at is summed out, which
    leaves a factor of 1. A disease may be among the findings, once a test has told: patients
    who disagree get -inf.
    """
    absent, present = log_symptoms(model)
    z = patients(model)
    total = log_prior(model)
    for name, value in findings.items():
        if value not in (0, 1):
            raise MinivaeError(f"finding {name!r} is {value!r}; it must be 0 or 1")
        if name in model.symptoms:
            j = model.symptoms.index(name)
            total = total + (present if value else absent)[:, j]
        elif name in model.diseases:
            total = np.where(z[:, model.diseases.index(name)] == value, total, -np.inf)
        else:
            known = ", ".join(model.symptoms + model.diseases)
            raise MinivaeError(f"finding {name!r} is not in this model; it knows {known}")
    return total


def log_evidence(model, findings):
    """log p(x) = log sum_z p(x, z), in log space: the exact answer."""
    return float(log_sum_exp(log_joint(model, findings)))


def posterior(model, findings):
    """p(z|x) = p(x, z) / p(x): (2^n,), summing to one. Raises MinivaeError where p(x) = 0."""
    joint = log_joint(model, findings)
    evidence = log_sum_exp(joint)
    if evidence == -np.inf:
        raise MinivaeError("no patient of this model has these findings: p(x) = 0, no posterior")
    return np.exp(joint - evidence)


def disease_probabilities(model, findings):
    """p(z_i = 1|x) as {disease: probability}.

    Explaining away: with cough and fever, flu and pneumonia are both suspects; once a
    test shows flu, pneumonia is less likely than before, although the two are independent.
    """
    marginals = posterior(model, findings) @ patients(model)
    return dict(zip(model.diseases, marginals.tolist(), strict=True))


def sample_patients(model, n, rng):
    """Ancestral sampling, causes before effects: z (n, diseases), x (n, symptoms), 0 and 1."""
    z = (rng.random((n, len(model.diseases))) < model.prior).astype(int)
    absent = _log_absent(model, z)
    x = (rng.random(absent.shape) >= np.exp(absent)).astype(int)
    return z, x


def independent(model, probabilities):
    """A q(z) under which the diseases are independent: (n,) -> (2^n,), summing to one."""
    p = np.asarray(probabilities, np.float64)
    z = patients(model)
    return np.where(z == 1, p, 1 - p).prod(axis=1)


def diagnosis_faces(model, findings, q):
    """The three faces of the ELBO as finite sums: q (2^n,) -> Faces.   [notebook 02, eqs. 4 to 6]

    -inf where q gives weight to a patient whom the findings rule out.
    """
    q = np.asarray(q, np.float64)
    if q.shape != (2 ** len(model.diseases),) or (q < 0).any() or not np.isclose(q.sum(), 1):
        raise MinivaeError("q must hold one probability for each patient, summing to 1")
    joint, prior = log_joint(model, findings), log_prior(model)
    if (joint[q > 0] == -np.inf).any():
        return Faces(-np.inf, -np.inf, -np.inf)
    evidence = log_sum_exp(joint)
    with np.errstate(divide="ignore"):
        log_q = np.log(q)

    def mean(values):
        return q[q > 0] @ values[q > 0]  # 0 log 0 = 0

    log_posterior = joint - evidence
    return Faces(
        evidence=evidence - mean(log_q - log_posterior),
        reconstruction=mean(joint - prior) - mean(log_q - prior),
        energy=mean(joint) - mean(log_q),
    )


# ---- linear Gaussian: probabilistic PCA --------------------------------------------------------


class Linear(NamedTuple):
    """z ~ N(0, I),  x ~ N(z W + b, variance I): W (L, D), b (D,), variance a float.

    Source: Tipping and Bishop 1999. A VAE without hidden layers is this model.
    """

    W: np.ndarray
    b: np.ndarray
    variance: float


def as_linear(params, spec):
    """The Linear model that a decoder without hidden layers is."""
    if spec.hidden or spec.likelihood != "gaussian":
        raise MinivaeError("only a gaussian model with hidden = () is linear; this one is not")
    variance = np.exp(params["out_logvar"][0]) if spec.learns_variance else spec.variance
    W, b = params["out_W"].astype(np.float64), params["out_b"].astype(np.float64)
    return Linear(W, b, float(variance))


def linear_log_evidence(model, x):
    """log p(x), for x ~ N(b, W'W + variance I): x (N, D) -> (N,).    [Tipping and Bishop, eq. 4]

    Through the L x L matrix M = W W' + variance I, of which det C = variance^(D-L) det M.
    """
    _check_linear(model)
    L, D = model.W.shape
    M = model.W @ model.W.T + model.variance * np.eye(L)
    centred = x - model.b
    projected = centred @ model.W.T
    explained = (projected * np.linalg.solve(M, projected.T).T).sum(axis=-1)
    distance = ((centred**2).sum(axis=-1) - explained) / model.variance
    log_det = (D - L) * log(model.variance) + np.linalg.slogdet(M)[1]
    return -(distance + log_det + D * LOG_2PI) / 2


def linear_posterior(model, x):
    """p(z|x) = N(mean, covariance): x (N, D) -> (N, L), (L, L), the same for every x.

    mean = M^-1 W (x - b),  covariance = variance M^-1                            [eq. 6 there]
    """
    _check_linear(model)
    M = model.W @ model.W.T + model.variance * np.eye(len(model.W))
    mean = np.linalg.solve(M, model.W @ (x - model.b).T).T
    return mean, model.variance * np.linalg.inv(M)


def maximum_likelihood(x, latent):
    """The linear model with the highest likelihood, in closed form: x (N, D), latent L < D.

    W' = U (Lambda - variance I)^(1/2) with the first L principal axes U and variances Lambda, and
    variance = the mean of the others.                     [Tipping and Bishop, eqs. 7 and 8]
    W is determined up to a rotation of z; a diagonal q singles out this one.
    """
    x = np.asarray(x, np.float64)
    if x.ndim != 2 or not (len(x) and np.isfinite(x).all()):
        raise MinivaeError(f"x has shape {x.shape}; it must hold finite numbers, (N, D)")
    n, D = x.shape
    if not 1 <= latent < D:
        raise MinivaeError(f"latent is {latent}; it must be from 1 to {D - 1}, below the data's D")
    b = x.mean(axis=0)
    values, axes = np.linalg.eigh((x - b).T @ (x - b) / n)
    values, axes = values[::-1], axes[:, ::-1]
    variance = values[latent:].mean()
    if variance <= 1e-12 * values[0]:
        raise MinivaeError(f"the data lie in {latent} dimensions: their likelihood has no maximum")
    W = (axes[:, :latent] * np.sqrt(values[:latent] - variance)).T
    return Linear(W, b, float(variance))


def sample_linear(model, n, rng):
    """n draws x (n, D) from the model."""
    L, D = model.W.shape
    noise = rng.standard_normal((n, D)) * model.variance**0.5
    return rng.standard_normal((n, L)) @ model.W + model.b + noise


def linear_faces(model, x, mean, covariance):
    """The three faces of the ELBO in closed form for q = N(mean, covariance).  [notebook 02, eq. 8]

    x (N, D), mean (N, L), covariance (L, L) or (N, L, L) -> Faces of (N,).
    """
    _check_covariance(covariance)
    L, D = model.W.shape
    S = np.broadcast_to(covariance, (len(x), L, L))
    log_det_S = np.linalg.slogdet(S)[1]
    true_mean, true_covariance = linear_posterior(model, x)

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
        evidence=linear_log_evidence(model, x) - kl(true_mean, true_covariance),
        reconstruction=log_likelihood - kl(np.zeros(L), np.eye(L)),
        energy=log_likelihood + log_prior + entropy,
    )


def linear_integrands(model, x, mean, covariance, z):
    """What a sampled ELBO averages over z, written three ways: equal at each z.

    x (N, D), mean (N, L), covariance (L, L), z (K, N, L) -> Faces of (K, N):

        log p(x) - log q(z)/p(z|x),   log p(x|z) - log q(z)/p(z),   log p(x, z) - log q(z)

    At q = p(z|x) every one of them is log p(x), whatever z: then nothing scatters.
    """
    _check_covariance(covariance)
    true_mean, true_covariance = linear_posterior(model, x)
    log_q = log_normal(z - mean, covariance)
    log_true = log_normal(z - true_mean, true_covariance)
    log_prior = log_normal(z, np.eye(z.shape[-1]))
    log_likelihood = log_likelihood_linear(model, x, z)
    return Faces(
        evidence=linear_log_evidence(model, x) - (log_q - log_true),
        reconstruction=log_likelihood - (log_q - log_prior),
        energy=(log_likelihood + log_prior) - log_q,
    )


def linear_analytic_kl(model, x, mean, covariance, z):
    """log p(x|z) - KL(q || p(z)), the KL in closed form: (K, N), z as above.

    Its mean over q is the ELBO too, but it scatters even at q = p(z|x), where the sampled KL of
    `linear_integrands` does not: neither is always the better estimate.   [Roeder et al. 2017]
    """
    _check_covariance(covariance)
    L = len(model.W)
    log_det = np.linalg.slogdet(covariance)[1]
    kl = ((mean**2).sum(axis=-1) + np.trace(covariance) - L - log_det) / 2
    return log_likelihood_linear(model, x, z) - kl


def log_likelihood_linear(model, x, z):
    """log p(x|z): x (N, D), z (..., N, L) -> (..., N)."""
    _check_linear(model)
    D = model.W.shape[1]
    squares = ((x - model.b - z @ model.W) ** 2).sum(axis=-1)
    return -(squares / model.variance + D * (log(model.variance) + LOG_2PI)) / 2


def log_normal(gap, covariance):
    """log N(gap; 0, covariance): gap (..., L), covariance (L, L) -> (...)."""
    _check_covariance(covariance)
    chol = np.linalg.cholesky(covariance)
    L = len(covariance)
    scaled = np.linalg.solve(chol, gap.reshape(-1, L).T).T
    log_det = 2 * np.log(np.diagonal(chol)).sum()
    return -((scaled**2).sum(axis=-1).reshape(gap.shape[:-1]) + log_det + L * LOG_2PI) / 2


def _check_linear(model):
    if not (checks.is_finite_number(model.variance) and model.variance > 0):
        raise MinivaeError(f"the model's variance is {model.variance!r}; it must be above 0")


def _check_covariance(covariance):
    covariance = np.asarray(covariance)
    square = covariance.ndim >= 2 and covariance.shape[-1] == covariance.shape[-2]
    if not (square and np.isfinite(covariance).all()):
        raise MinivaeError("q's covariance must be finite and of shape (L, L)")
    if np.linalg.eigvalsh(covariance).min() <= 0:
        raise MinivaeError("q's covariance has a variance of 0 or less; every one must be above 0")


def sigma_points(latent):
    """2L points +-sqrt(L) e_i: (2L, L). Their mean is 0 and their covariance I, exactly.

    So the average of any quadratic in eps over these points is its expectation under N(0, I): in
    a linear model they make the ELBO and its gradient exact, without sampling.
    """
    axes = np.sqrt(latent) * np.eye(latent)
    return np.concatenate([axes, -axes])


def exact_linear_elbo_and_grads(params, x, spec):
    """`vae.elbo_and_grads` of a linear VAE with the expectation over eps exact: x (N, D)."""
    if spec.hidden or spec.likelihood != "gaussian":
        raise MinivaeError("sigma points are exact for a gaussian model with hidden = () alone")
    points = sigma_points(spec.latent_dim)
    eps = np.repeat(points, len(x), axis=0)
    return vae.elbo_and_grads(params, np.tile(x, (len(points), 1)), eps, spec)


class LinearFit(NamedTuple):
    """params: the trained dict; elbo: (steps,) the mean ELBO along the way, nats."""

    spec: vae.Spec
    params: dict[str, np.ndarray]
    elbo: np.ndarray


def train_linear_vae(x, latent, *, rng, steps=2000, lr=0.1):
    """A linear VAE trained with this project's gradients alone: x (N, D) -> LinearFit.

    Full batches, sigma points, Adam with a rate falling to 0: the ELBO climbs to the maximum of the
    likelihood, because a diagonal q can be the posterior once W's rows are orthogonal.
    [notebook 04, eq. 9; Lucas et al. 2019]
    """
    x = np.asarray(x, np.float64)
    spec = vae.Spec(x.shape[1], (), latent, likelihood="gaussian")
    x = checks.check_batch(x, spec, np.float64)
    flat = vae.init_params(spec, rng, data_mean=x.mean(axis=0), dtype=np.float64)
    params = vae.unpack(flat, spec)
    m, v = np.zeros_like(flat), np.zeros_like(flat)
    elbo = np.empty(steps)
    for step in range(1, steps + 1):
        result = exact_linear_elbo_and_grads(params, x, spec)
        elbo[step - 1] = result.elbo
        rate = lr * (1 + np.cos(np.pi * step / steps)) / 2
        numpy_ops.adam_step(flat, result.flat_grads, m, v, step, rate)
    return LinearFit(spec, params, elbo)


def axes_angle(model, other):
    """The largest angle between matching axes (rows of W) of two linear models, radians.

    Sign and order of the latents are free: axes are matched by length, and signs ignored.
    """

    def unit_axes(W):
        lengths = np.linalg.norm(W, axis=1)
        return (W / lengths[:, None])[np.argsort(-lengths)]

    cosines = np.abs((unit_axes(model.W) * unit_axes(other.W)).sum(axis=1))
    return float(np.arccos(np.clip(cosines, 0, 1)).max())


def ascent_that_lowers_evidence(lr=0.1):
    """One step up the ELBO, by its true gradient, that goes down in log p(x): -> dict of nats.

    [notebook 02, section 2.9]  Two images, x = 3 and x = -3, and the model x ~ N(z w + b, 1) at
    w = 1, b = 0. The data ask for a larger w: var(x) = w^2 + 1 should be 9. But the encoder says
    q = N(0, 1) for both, as if z told nothing about x; under that q, a large w is only noise, and
    the ELBO asks for a smaller one. It rises because the gap below log p(x) closes faster.
    """
    spec = vae.Spec(1, (), 1, likelihood="gaussian", variance=1.0)
    flat = np.zeros(vae.n_params(spec))
    params = vae.unpack(flat, spec)
    params["out_W"][...] = 1
    x = np.array([[3.0], [-3.0]])

    def bounds():
        elbo = exact_linear_elbo_and_grads(params, x, spec).elbo
        return float(elbo), float(linear_log_evidence(as_linear(params, spec), x).mean())

    elbo, evidence = bounds()
    flat -= lr * exact_linear_elbo_and_grads(params, x, spec).flat_grads  # loss = -elbo
    new_elbo, new_evidence = bounds()
    return {
        "elbo before": elbo,
        "elbo after": new_elbo,
        "log p(x) before": evidence,
        "log p(x) after": new_evidence,
    }


# ---- quadrature: any VAE with one or two latents -----------------------------------------------

FIRST_STEP = {1: 1 / 64, 2: 1 / 16}  # by L
BOXES = (6.0, 9.0, 13.0, 19.0)  # half-widths, tried in this order
FRAME = 1.0  # the box is compared with one that is narrower by this on each side
MARGIN = 16.0  # nats: cells of less than tolerance * e^-16 of the highest are not divided
MOST_CELLS = 500_000
SMALLEST_STEP = 2.0**-30
TABLE_IMAGES = 64
DECODER_ROWS = 2000


class Quadrature(NamedTuple):
    """log p(x) of N images, and the mean and standard deviation of each posterior.

    log_p, error, step, box: (N,); mean, sd: (N, L). `error` is the change of log_p on halving the
    step plus the change on enlarging the box, nats: it is for truncation and step, and leaves out
    rounding, which is near 1e-16 |log_p| D.
    """

    log_p: np.ndarray
    error: np.ndarray
    mean: np.ndarray
    sd: np.ndarray
    step: np.ndarray
    box: np.ndarray


def quadrature(params, x, spec, *, tolerance=1e-6, ops=numpy_ops):
    """log p(x) = log sum over cells of p(x|z) p(z) step^L: x (N, D), L = 1 or 2 -> Quadrature.

    [notebook 09, eq. 8]  A common grid over the box [-6, 6]^L first. Where halving the step
    changes an image's sum by more than `tolerance` nats, or the step exceeds the posterior's
    standard deviation, the cells that carry its mass are divided again, and again. Where a
    narrower box changes it, the box grows. (The prior's tail bounds nothing: p(x) may itself be
    e^-100.)

    Raises MinivaeError for L > 2, images the likelihood does not take, and a posterior that
    cannot be resolved.
    """
    if spec.latent_dim > 2:
        raise MinivaeError(
            f"quadrature sums over a grid of z, and this model has {spec.latent_dim} latents; it "
            "takes 1 or 2 (evaluate.log_likelihood estimates log p(x) for any number)"
        )
    if not (checks.is_finite_number(tolerance) and tolerance > 0):
        raise MinivaeError(f"tolerance is {tolerance!r}; it must be above 0 nats")
    model, x = _model(params, spec, ops), checks.check_observed(x, spec, np.float64)
    mu, logvar = vae.encode(model.params, x, spec, ops)
    checks.check_q(mu, logvar)
    rows = _integrate(model, x, mu, tolerance)
    return Quadrature(*(np.array(column) for column in zip(*rows, strict=True)))


class _Model(NamedTuple):
    params: dict[str, np.ndarray]
    spec: vae.Spec
    ops: object

    def log_joint(self, z, x):
        """log p(x, z) of one image x (D,) at z (M, L): (M,)."""
        nll = np.empty(len(z))
        for start in range(0, len(z), DECODER_ROWS):
            rows = slice(start, start + DECODER_ROWS)
            nll[rows] = self._nll(vae.decode(self.params, z[rows], self.spec, self.ops), x)
        return _log_prior(z) - nll

    def log_joint_table(self, z, x):
        """log p(x, z) for every point and image: z (M, L), x (N, D) -> (M, N).

        -nll = (a function of the output alone) + output . x + ...: more images cost one product.
        """
        table = np.empty((len(z), len(x)))
        for start in range(0, len(z), DECODER_ROWS):
            rows = slice(start, start + DECODER_ROWS)
            out = vae.decode(self.params, z[rows], self.spec, self.ops)
            shared = out @ x.T
            if self.spec.likelihood == "gaussian":
                shared = (shared - (x * x).sum(axis=1) / 2) / self._variance()
            table[rows] = shared - self._nll(out, np.zeros_like(x[0]))[:, None]
        return table + _log_prior(z)[:, None]

    def _nll(self, out, x):
        """-log p(x|z) of one image x (D,) for outputs (M, D): (M,)."""
        return vae.nll_forward(self.params, out[:, None], x[None], self.spec, self.ops)[0][:, 0]

    def _variance(self):
        learned = self.spec.learns_variance
        return np.exp(self.params["out_logvar"][0]) if learned else self.spec.variance


def _model(params, spec, ops):
    return _Model({name: a.astype(np.float64) for name, a in params.items()}, spec, ops)


def _log_prior(z):
    return -((z * z).sum(axis=-1) + z.shape[-1] * LOG_2PI) / 2


class _Cells(NamedTuple):
    """Square cells [index, index + 1) * step - box, and log p(x, z) at their centres."""

    index: np.ndarray  # (M, L) whole numbers
    step: float
    box: float
    log_joint: np.ndarray  # (M,)

    @property
    def z(self):
        return (self.index + 0.5) * self.step - self.box

    def log_sum(self, chosen=slice(None), spacing=1):
        """log of the integral, over the chosen cells."""
        if not np.size(self.log_joint[chosen]):
            return -np.inf
        width = np.log(self.step * spacing)
        return log_sum_exp(self.log_joint[chosen]) + self.index.shape[1] * width

    def frame(self):
        """The change of the integral's log on narrowing the box."""
        inside = (np.abs(self.z) < self.box - FRAME).all(axis=1)
        return abs(self.log_sum() - self.log_sum(inside))


def _integrate(model, x, mu, tolerance, boxes=BOXES):
    """One row of a Quadrature for each image, from the first box that holds its posterior."""
    rows = [None] * len(x)
    for start in range(0, len(x), TABLE_IMAGES):
        left = list(range(start, min(start + TABLE_IMAGES, len(x))))
        for box in boxes:
            for n, cells in zip(left, _first_cells(model, x[left], box), strict=True):
                rows[n] = _refine(model, x[n], mu[n], cells, tolerance)
            left = [n for n in left if rows[n] is None]
            if not left:
                break
        else:
            raise MinivaeError(
                f"the posterior of image {left[0]} reaches beyond |z| = {boxes[-1]:g}; "
                "quadrature does not follow it there"
            )
    return rows


def _first_cells(model, x, box):
    """The common grid over the box: one _Cells for each image, from one pass of the decoder."""
    half = round(box / FIRST_STEP[model.spec.latent_dim])
    step = box / half
    index = _grid(2 * half, model.spec.latent_dim)
    table = model.log_joint_table((index + 0.5) * step - box, x)
    if not np.isfinite(table).all():
        raise MinivaeError("log p(x, z) is not finite: the decoder holds NaN or enormous numbers")
    return [_Cells(index, step, box, log_joint) for log_joint in table.T]


def _grid(n, latent):
    """Every index of a grid of n cells a side: (n^L, L)."""
    return _mesh([np.arange(n)] * latent)


def _refine(model, x, mu, cells, tolerance):
    """Divide the cells that matter until the sum stands still -> a Quadrature row, or None.

    None: the box is too small.
    """
    if cells.frame() > tolerance:
        return None
    every_second = (cells.index % 2 == 0).all(axis=1)
    log_p = cells.log_sum()
    change = abs(log_p - cells.log_sum(every_second, spacing=2))
    mean, sd = _moments(cells)
    extra = np.floor((mu + cells.box) / cells.step).astype(int)[None]  # the encoder's own guess
    while change > tolerance or cells.step > sd.min():
        cells = _divide(model, x, cells, extra, MARGIN - log(tolerance))
        extra = extra[:0]
        before, log_p = log_p, cells.log_sum()
        change = abs(log_p - before)
        mean, sd = _moments(cells)
    frame = cells.frame()
    if frame > tolerance:
        return None
    return log_p, change + frame, mean, sd, cells.step, cells.box


def _divide(model, x, cells, extra, depth):
    """Cells of half the width, within `depth` nats of the highest or beside one that is; the
    others are dropped."""
    latent = cells.index.shape[1]
    high = cells.log_joint > cells.log_joint.max() - depth
    core = np.concatenate([cells.index[high], extra])
    around = _grid(3, latent) - 1
    index = np.unique((core[:, None] + around).reshape(-1, latent), axis=0)
    side = round(2 * cells.box / cells.step)
    index = index[((index >= 0) & (index < side)).all(axis=1)]
    children = (2 * index[:, None] + _grid(2, latent)).reshape(-1, latent)
    step = cells.step / 2
    if len(children) > MOST_CELLS or step < SMALLEST_STEP:
        raise MinivaeError(
            f"a posterior is not resolved by {len(children)} cells of width {step:.2g}; the "
            "model's decoder varies too fast for quadrature"
        )
    z = (children + 0.5) * step - cells.box
    return _Cells(children, step, cells.box, model.log_joint(z, x))


def _moments(cells):
    """Mean and standard deviation of the posterior along each latent: (L,) each."""
    w = np.exp(cells.log_joint - cells.log_joint.max())
    w /= w.sum()
    mean = w @ cells.z
    return mean, np.sqrt(w @ (cells.z - mean) ** 2)


class PosteriorGrid(NamedTuple):
    """log p(z|x) on a regular grid: axes, L arrays (n,), and log_density (n,) or (n, n)."""

    axes: tuple[np.ndarray, ...]
    log_density: np.ndarray


def posterior_grid(params, x, spec, result, *, image=0, points=201, widths=5.0, ops=numpy_ops):
    """The exact posterior of one image as a picture: mean +- `widths` standard deviations.

    x: (N, D) and `result`, its `quadrature` -> PosteriorGrid of image number `image`.
    """
    x = checks.check_observed(x, spec, np.float64)
    low = result.mean[image] - widths * result.sd[image]
    high = result.mean[image] + widths * result.sd[image]
    axes = tuple(np.linspace(a, b, points) for a, b in zip(low, high, strict=True))
    z = _mesh(axes)
    log_density = _model(params, spec, ops).log_joint(z, x[image]) - result.log_p[image]
    return PosteriorGrid(axes, log_density.reshape([points] * spec.latent_dim))


def _mesh(axes):
    """Every combination of the axes' values, the last one fastest: (M, L)."""
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, len(axes))


def vae_faces(params, x, spec, result, *, q=None, ops=numpy_ops):
    """The three faces of the ELBO of a VAE with one or two latents, without sampling.

    x (N, D) with its `quadrature`; q: mu, logvar (N, L), the encoder's by default -> Faces of (N,).
    [notebook 09, eq. 9]  The posterior is normalised on a grid of its own, apart from the
    quadrature's cells, so that a wrong log p(x) would show in the evidence face. Raises
    MinivaeError for a q of zero variance, or one too wide to be summed beside this decoder.
    """
    model, x = _model(params, spec, ops), checks.check_observed(x, spec, np.float64)
    mu, logvar = vae.encode(model.params, x, spec, ops) if q is None else map(np.float64, q)
    checks.check_q(mu, logvar)
    tolerance = max(1e-9, result.error.max())
    other_boxes = [1.07 * box for box in BOXES]
    normalisers = [row[0] for row in _integrate(model, x, mu, tolerance, other_boxes)]
    means = [_means_under_q(model, *one) for one in zip(x, mu, logvar, strict=True)]
    log_q, log_prior, log_joint = np.array(means).T
    log_posterior = log_joint - normalisers
    kl_prior = (mu**2 + np.expm1(logvar) - logvar).sum(axis=1) / 2
    entropy = (logvar + 1 + LOG_2PI).sum(axis=1) / 2
    return Faces(
        evidence=result.log_p - (log_q - log_posterior),
        reconstruction=(log_joint - log_prior) - kl_prior,
        energy=log_joint + entropy,
    )


def _means_under_q(model, x, mu, logvar):
    """E_q of log q(z), log p(z) and log p(x, z) for one image: sums over mu +- 9 sigma.

    The step is halved until the last one, which follows the decoder, stands still.
    """
    sigma, step, before = np.exp(logvar / 2), 1.0, np.inf
    while True:
        eps = _mesh([np.arange(-9, 9 + step / 2, step)] * len(mu))
        if len(eps) > MOST_CELLS:
            raise MinivaeError("q is too wide for sums over it to follow this decoder")
        log_eps = _log_prior(eps)  # q in units of its own sigma
        z = mu + sigma * eps
        log_joint = model.log_joint(z, x)
        log_q = log_eps - logvar.sum() / 2
        weight = np.exp(log_eps) * step ** len(mu)
        now = weight @ log_joint
        if abs(now - before) <= 1e-12 * abs(now) + 1e-9:
            return weight @ log_q, weight @ _log_prior(z), now
        step, before = step / 2, now

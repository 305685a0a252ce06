"""Notebook 04: answers to `04.linear-vae`, `04.posterior` and `04.same-cat`."""

import numpy as np
from answers_of_others.registry import right, wrong

# ---- 04.linear-vae -------------------------------------------------------------------------------


def _parts(params, x, eps):
    mu = x @ params["mu_W"] + params["mu_b"]
    sigma = np.exp(0.5 * params["logvar"])
    z = mu + sigma * eps
    away = z @ params["out_W"] + params["out_b"] - x
    return mu, sigma, z, away, away * np.exp(-params["out_logvar"]) / len(x)


@right("04.linear-vae")
def with_einsum(params, x, eps):
    mu, sigma, z, away, dmean = _parts(params, x, eps)
    dz = np.einsum("bd,ld->bl", dmean, params["out_W"])
    dmu = dz + mu / len(x)
    return {
        "out_logvar": 0.5 - 0.5 * np.einsum("bd,bd->d", away, dmean),
        "out_b": np.einsum("bd->d", dmean),
        "out_W": np.einsum("bl,bd->ld", z, dmean),
        "logvar": 0.5 * (np.einsum("bl,bl->l", dz, z - mu) + sigma**2 - 1),
        "mu_b": np.einsum("bl->l", dmu),
        "mu_W": np.einsum("bd,bl->dl", x, dmu),
    }


@right("04.linear-vae")
def one_example_after_the_other(params, x, eps):
    grads = {name: np.zeros_like(block) for name, block in params.items()}
    sigma, v = np.exp(params["logvar"] / 2), np.exp(params["out_logvar"])
    for row, noise in zip(x, eps, strict=True):
        mu = params["mu_W"].T @ row + params["mu_b"]
        z = mu + sigma * noise
        away = params["out_W"].T @ z + params["out_b"] - row
        dz = params["out_W"] @ (away / v)
        grads["mu_W"] += np.outer(row, dz + mu)
        grads["mu_b"] += dz + mu
        grads["logvar"] += dz * noise * sigma / 2 + (sigma**2 - 1) / 2
        grads["out_W"] += np.outer(z, away / v)
        grads["out_b"] += away / v
        grads["out_logvar"] += (1 - away**2 / v) / 2
    return {name: block / len(x) for name, block in grads.items()}


@right("04.linear-vae")
def a_row_of_ones_for_each_bias(params, x, eps):
    mu, sigma, z, away, dmean = _parts(params, x, eps)
    ones = np.ones((len(x), 1))
    dmu = dmean @ params["out_W"].T + mu / len(x)
    of_encoder, of_decoder = np.hstack([x, ones]).T @ dmu, np.hstack([z, ones]).T @ dmean
    dsigma = ((dmu - mu / len(x)) * eps).sum(axis=0) + sigma - 1 / sigma
    return dict(
        mu_W=of_encoder[:-1],
        mu_b=of_encoder[-1],
        logvar=dsigma * sigma / 2,
        out_W=of_decoder[:-1],
        out_b=of_decoder[-1],
        out_logvar=(1 - (away**2).mean(axis=0) / np.exp(params["out_logvar"])) / 2,
    )


def _but(**entries):
    """The right gradients, and these entries in another way."""

    def answer(params, x, eps):
        parts = _parts(params, x, eps)
        return with_einsum(params, x, eps) | {
            name: entry(params, x, eps, *parts) for name, entry in entries.items()
        }

    return answer


wrong(
    "04.linear-vae",
    _but(mu_W=lambda p, x, eps, mu, s, z, away, dmean: z.T @ (dmean @ p["out_W"].T + mu / len(x))),
    _but(mu_W=lambda p, x, eps, mu, s, z, away, dmean: x.T @ (dmean @ p["out_W"].T + z / len(x))),
    _but(mu_b=lambda p, x, eps, mu, s, z, away, dmean: (dmean @ p["out_W"].T).sum(axis=0)),
    _but(out_W=lambda p, x, eps, mu, s, z, away, dmean: z.T @ (away / len(x))),
    _but(out_W=lambda p, x, eps, mu, s, z, away, dmean: (z.T @ dmean) / len(x)),
    _but(out_W=lambda p, x, eps, mu, s, z, away, dmean: eps.T @ dmean),
    _but(out_b=lambda p, x, eps, mu, s, z, away, dmean: dmean.mean(axis=0)),
    _but(out_b=lambda p, x, eps, mu, s, z, away, dmean: -dmean.sum(axis=0)),
    _but(out_logvar=lambda p, x, eps, mu, s, z, away, dmean: 0.5 - (away * dmean).sum(axis=0)),
    _but(out_logvar=lambda p, x, eps, mu, s, z, away, dmean: (away * dmean).sum(axis=0) / 2 - 0.5),
    _but(out_logvar=lambda p, x, eps, mu, s, z, away, dmean: 0.5 - (away**2).mean(axis=0) / 2),
    _but(
        logvar=lambda p, x, eps, mu, s, z, away, dmean: (
            0.5 * ((dmean @ p["out_W"].T * eps).sum(axis=0) + s**2 - 1)
        )
    ),
    _but(
        logvar=lambda p, x, eps, mu, s, z, away, dmean: (
            0.5 * ((dmean @ p["out_W"].T * eps * s).sum(axis=0) + len(x) * (s**2 - 1))
        )
    ),
    _but(
        logvar=lambda p, x, eps, mu, s, z, away, dmean: (
            0.5 * ((dmean @ p["out_W"].T * eps * s).sum(axis=0) + s - 1)
        )
    ),
    _but(
        logvar=lambda p, x, eps, mu, s, z, away, dmean: (
            0.5 * (dmean @ p["out_W"].T * eps * s + s**2 - 1)
        )
    ),
)


@wrong("04.linear-vae")
def by_differences(params, x, eps):
    def loss(p):
        mu, sigma, _, away, _ = _parts(p, x, eps)
        kl = (mu**2 + sigma**2 - 1 - p["logvar"]).sum(axis=1)
        return ((away**2 / np.exp(p["out_logvar"]) + p["out_logvar"]).sum(axis=1) + kl).mean() / 2

    grads = {}
    for name, block in params.items():
        grads[name] = np.zeros_like(block)
        for i in np.ndindex(block.shape):
            step = np.zeros_like(block)
            step[i] = 1e-5
            high, low = (loss(params | {name: block + k * step}) for k in (1, -1))
            grads[name][i] = (high - low) / 2e-5
    return grads


@wrong("04.linear-vae")
def noise_variance_left_out(params, x, eps):
    grads = with_einsum(params, x, eps)
    return {name: grads[name] for name in grads if name != "out_logvar"}


@wrong("04.linear-vae")
def keeps_the_variances_in_params(params, x, eps):
    grads = with_einsum(params, x, eps)
    params["out_logvar"] = np.exp(params["out_logvar"])
    return grads


# ---- 04.posterior --------------------------------------------------------------------------------


@right("04.posterior")
def conditional_gaussian(x, known, W, b, variances):
    C, hidden = W.T @ W + np.diag(variances), ~known
    mean, variance = x.copy(), np.zeros(len(x))
    gain = C[np.ix_(hidden, known)] @ np.linalg.inv(C[np.ix_(known, known)])
    mean[hidden] = b[hidden] + gain @ (x[known] - b[known])
    left = C[np.ix_(hidden, hidden)] - gain @ C[np.ix_(known, hidden)]
    variance[hidden] = np.diag(left)
    return mean, variance


@right("04.posterior")
def one_pixel_after_the_other(x, known, W, b, variances):
    m, S = np.zeros(len(W)), np.eye(len(W))
    for d in np.flatnonzero(known):
        w = W[:, d]
        gain = S @ w / (w @ S @ w + variances[d])
        m, S = m + gain * (x[d] - b[d] - w @ m), S - np.outer(gain, w @ S)
    mean, variance = np.zeros(len(x)), np.zeros(len(x))
    for d in range(len(x)):
        mean[d] = x[d] if known[d] else b[d] + m @ W[:, d]
        variance[d] = 0 if known[d] else W[:, d] @ S @ W[:, d] + variances[d]
    return mean, variance


@right("04.posterior")
def weights_of_zero(x, known, W, b, variances):
    weight = np.where(known, 1 / variances, 0.0)
    S = np.linalg.inv(np.eye(len(W)) + np.einsum("id,d,jd->ij", W, weight, W))
    m = S @ (W @ (weight * np.where(known, x - b, 0)))
    spread = np.einsum("id,ij,jd->d", W, S, W) + variances
    return [np.where(known, x, b + m @ W), np.where(known, 0, spread)]


def _filled(change):
    """As the last one; change(W, weight, away, b, variances) -> mean, variance of the unknown."""

    def answer(x, known, W, b, variances):
        weight = np.where(known, 1 / variances, 0.0)
        mean, variance = change(W, weight, np.where(known, x - b, 0), b, variances)
        return np.where(known, x, mean), np.where(known, 0, variance)

    return answer


def _z(W, weight, away, prior=1.0):
    S = np.linalg.inv(prior * np.eye(len(W)) + (W * weight) @ W.T)
    return S @ W @ (weight * away), S


def _with_z(of_z, **options):
    return _filled(lambda W, w, away, b, v: of_z(*_z(W, w, away, **options), W, b, v))


def _spread(W, S):
    return np.einsum("id,ij,jd->d", W, S, W)


wrong(
    "04.posterior",
    _with_z(lambda m, S, W, b, v: (m @ W + b, _spread(W, S) + v), prior=2.0),
    _with_z(lambda m, S, W, b, v: (m @ W + b, _spread(W, S) + np.sqrt(v))),
    _with_z(lambda m, S, W, b, v: (m @ W + b, np.sqrt(_spread(W, S) + v))),
    _with_z(lambda m, S, W, b, v: (m @ W + b, _spread(W, S) - v)),
    _with_z(lambda m, S, W, b, v: (m @ W + b, _spread(W, S) + v.mean())),
    _with_z(lambda m, S, W, b, v: (m @ W + b, _spread(W, S @ S) + v)),
    _with_z(lambda m, S, W, b, v: (m @ W + b, np.trace(S) + v)),
    _with_z(lambda m, S, W, b, v: (m @ W - b, _spread(W, S) + v)),
    _with_z(lambda m, S, W, b, v: (b + 0 * v, _spread(W, S) + v)),
    _with_z(lambda m, S, W, b, v: (m @ np.abs(W) + b, _spread(W, S) + v)),
)


@wrong("04.posterior")
def nan_left_in_the_product(x, known, W, b, variances):
    weight = np.where(known, 1 / variances, 0.0)
    m, S = _z(W, weight, x - b)
    return np.where(known, x, m @ W + b), np.where(known, 0, _spread(W, S) + variances)


@wrong("04.posterior")
def variance_of_the_known_too(x, known, W, b, variances):
    mean, _ = weights_of_zero(x, known, W, b, variances)
    _, S = _z(W, np.where(known, 1 / variances, 0.0), 0 * b)
    return mean, _spread(W, S) + variances


@wrong("04.posterior")
def known_pixels_denoised(x, known, W, b, variances):
    m, S = _z(W, np.where(known, 1 / variances, 0.0), np.where(known, x - b, 0))
    return m @ W + b, np.where(known, 0, _spread(W, S) + variances)


@wrong("04.posterior")
def unknown_only(x, known, W, b, variances):
    mean, variance = weights_of_zero(x, known, W, b, variances)
    return mean[~known], variance[~known]


@wrong("04.posterior")
def fills_x(x, known, W, b, variances):
    mean, variance = weights_of_zero(x, known, W, b, variances)
    x[~known] = mean[~known]
    return x, variance


# ---- 04.same-cat ---------------------------------------------------------------------------------


def _log_normal(away, C):
    return -0.5 * (away @ np.linalg.solve(C, away) + np.linalg.slogdet(2 * np.pi * C)[1])


@right("04.same-cat")
def second_given_the_first(x1, x2, W, b, variance):
    S = np.linalg.inv(np.eye(len(W)) + W @ W.T / variance)
    m, noise = S @ W @ (x1 - b) / variance, variance * np.eye(len(b))
    given = _log_normal(x2 - b - m @ W, W.T @ S @ W + noise)
    return given - _log_normal(x2 - b, W.T @ W + noise)


@right("04.same-cat")
def blocks_and_determinants(x1, x2, W, b, variance):
    shared = W.T @ W
    C = shared + variance * np.eye(len(b))
    both = np.block([[C, shared], [shared, C]])
    away = np.r_[x1 - b, x2 - b]
    squares = away @ np.linalg.inv(both) @ away
    squares -= (x1 - b) @ np.linalg.inv(C) @ (x1 - b) + (x2 - b) @ np.linalg.inv(C) @ (x2 - b)
    return -0.5 * (squares + np.log(np.linalg.det(both) / np.linalg.det(C) ** 2))


@right("04.same-cat")
def sum_and_difference(x1, x2, W, b, variance):
    shared, noise = W.T @ W, variance * np.eye(len(b))
    plus, minus = (x1 + x2 - 2 * b) / np.sqrt(2), (x1 - x2) / np.sqrt(2)
    together = _log_normal(plus, 2 * shared + noise) + _log_normal(minus, noise)
    return together - _log_normal(x1 - b, shared + noise) - _log_normal(x2 - b, shared + noise)


def _terms(together=0.0, first=0.0, second=0.0, scale=1.0):
    def answer(x1, x2, W, b, variance):
        alone = [_log_normal(x - b, W.T @ W + variance * np.eye(len(b))) for x in (x1, x2)]
        both = second_given_the_first(x1, x2, W, b, variance)
        return scale * (both + together * sum(alone) + first * alone[0] + second * alone[1])

    return answer


wrong(
    "04.same-cat",
    _terms(together=-1.0),
    _terms(first=1.0),
    _terms(second=-1.0),
    _terms(scale=2.0),
    _terms(scale=1 / np.log(2)),
)


@wrong("04.same-cat")
def probability_of_one_cat(x1, x2, W, b, variance):
    return 1 / (1 + np.exp(-second_given_the_first(x1, x2, W, b, variance)))


@wrong("04.same-cat")
def ratio_without_its_log(x1, x2, W, b, variance):
    return np.exp(second_given_the_first(x1, x2, W, b, variance))


@wrong("04.same-cat")
def sigma_for_its_square(x1, x2, W, b, variance):
    return second_given_the_first(x1, x2, W, b, np.sqrt(variance))


@wrong("04.same-cat")
def mean_forgotten(x1, x2, W, b, variance):
    return second_given_the_first(x1, x2, W, 0 * b, variance)


@wrong("04.same-cat")
def posterior_means_compared(x1, x2, W, b, variance):
    S = np.linalg.inv(np.eye(len(W)) + W @ W.T / variance)
    away = S @ W @ (x1 - x2) / variance
    return _log_normal(away, 2 * S)


@wrong("04.same-cat")
def uncertainty_of_z_left_out_of_both(x1, x2, W, b, variance):
    S = np.linalg.inv(np.eye(len(W)) + W @ W.T / variance)
    noise = variance * np.eye(len(b))
    m = [S @ W @ (x - b) / variance @ W + b for x in (x1, x2)]
    return _log_normal(x2 - m[0], noise) - _log_normal(x2 - m[1], noise)


@wrong("04.same-cat")
def products_of_opposite_sign(x1, x2, W, b, variance):
    return second_given_the_first(2 * b - x1, x2, W, b, variance)

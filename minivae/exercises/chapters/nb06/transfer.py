"""VAEs that the text does not treat: K samples, a variance for each pixel, a linear decoder."""

import numpy as np

from minivae.exercises.chapters.nb06.whole_gradient import SPEC, whole_cases
from minivae.exercises.exercise import Exercise, WrongAnswer, generic, stub

# ---- 06.k-samples --------------------------------------------------------------------------------


def k_sample_q(dz, mu, logvar, eps):
    """mu and logvar serve all K draws, so a sum over K; the KL is there once"""
    B, sigma = len(mu), np.exp(logvar / 2)
    dmu = dz.sum(axis=0) + mu / B
    dlogvar = (dz * eps).sum(axis=0) * sigma / 2 + (sigma**2 - 1) / 2 / B
    return dmu, dlogvar


def _k_cases():
    rng = np.random.default_rng(80)
    shapes = ((2, 1, 1), (3, 4, 2))
    return [
        (generic(rng, *s), generic(rng, *s[1:]), generic(rng, *s[1:]), generic(rng, *s))
        for s in shapes
    ]


def _k_with(through, kl=lambda K: 1):
    """A wrong answer: through(dz, eps) -> terms of dmu and of dlogvar / (sigma / 2)."""

    def wrong(dz, mu, logvar, eps):
        B, sigma, n = len(mu), np.exp(logvar / 2), kl(len(eps))
        for_mu, for_logvar = through(dz, eps)
        dlogvar = for_logvar * sigma / 2 + n * (sigma**2 - 1) / 2 / B
        return for_mu + n * mu / B, dlogvar

    return wrong


def _sums(dz, eps):
    return dz.sum(axis=0), (dz * eps).sum(axis=0)


K_SAMPLES = Exercise(
    id="06.k-samples",
    title="dmu and dlogvar, with K samples averaged",
    stub=stub("""
        def k_sample_q(dz, mu, logvar, eps):    # (K, B, L), (B, L), (B, L), (K, B, L)
            ...                                 # -> dmu (B, L), dlogvar (B, L)
    """),
    reference=k_sample_q,
    cases=_k_cases,
    returns=("dmu", "dlogvar"),
    mistakes=(
        WrongAnswer(
            "first-draw-only",
            _k_with(lambda dz, eps: (dz[0], dz[0] * eps[0])),
            "Only the first draw is used.",
        ),
        WrongAnswer(
            "averaged",
            _k_with(lambda dz, eps: (dz.mean(axis=0), (dz * eps).mean(axis=0))),
            "dz is averaged over the draws, but holds its 1/K already: sum, since mu and logvar "
            "serve all K.",
        ),
        WrongAnswer(
            "draws-averaged-first",
            _k_with(lambda dz, eps: (dz.sum(axis=0), dz.sum(axis=0) * eps.mean(axis=0))),
            "dz and eps belong together draw by draw: multiply first, then sum.",
        ),
        WrongAnswer(
            "kl-for-each-draw",
            _k_with(_sums, lambda K: K),
            "The KL's terms are added once for each draw; the KL does not depend on the draws.",
        ),
        WrongAnswer(
            "kl-divided",
            _k_with(_sums, lambda K: 1 / K),
            "The KL's terms are divided by K; only the nll is a mean over the draws.",
        ),
        WrongAnswer(
            "kl-forgotten",
            _k_with(_sums, lambda K: 0),
            "The terms of the KL are missing.",
        ),
        WrongAnswer(
            "kl-summed-over-the-batch",
            lambda dz, mu, logvar, eps: (
                dz.sum(axis=0) + mu,
                (dz * eps).sum(axis=0) * np.exp(logvar / 2) / 2 + (np.exp(logvar) - 1) / 2,
            ),
            "The KL is a mean over the batch: its terms have a 1/B.",
        ),
    ),
    hints=(
        "1/K stands in front of each nll. Is it in dz already? How often does mu occur?",
        "One mu makes the z of all K draws: a box with K arrows. What does the rule say?",
        "dmu = dz.sum(axis=0) + mu / B; dlogvar = (dz * eps).sum(axis=0) * sigma / 2 + ...",
    ),
)

# ---- 06.variance-output --------------------------------------------------------------------------


def variance_output_grads(params, x, eps):
    """Two output layers read the same y2, so dy2 has two terms"""
    p, B, grads = params, len(x), {}
    # forward
    y1 = np.tanh(x @ p["enc1_W"] + p["enc1_b"])
    mu = y1 @ p["mu_W"] + p["mu_b"]
    logvar = y1 @ p["logvar_W"] + p["logvar_b"]
    sigma = np.exp(logvar / 2)
    z = mu + sigma * eps
    y2 = np.tanh(z @ p["dec1_W"] + p["dec1_b"])
    mean = y2 @ p["out_W"] + p["out_b"]
    v = y2 @ p["var_W"] + p["var_b"]
    residual, precision = mean - x, np.exp(-v)
    nll = (residual**2 * precision + v + np.log(2 * np.pi)).sum() / 2 / B
    kl = (mu**2 + sigma**2 - 1 - logvar).sum() / 2 / B
    # backward, the decoder
    dmean = residual * precision / B
    dv = (1 - residual**2 * precision) / 2 / B
    grads["out_W"], grads["out_b"] = y2.T @ dmean, dmean.sum(axis=0)
    grads["var_W"], grads["var_b"] = y2.T @ dv, dv.sum(axis=0)
    da = (dmean @ p["out_W"].T + dv @ p["var_W"].T) * (1 - y2**2)
    grads["dec1_W"], grads["dec1_b"] = z.T @ da, da.sum(axis=0)
    dz = da @ p["dec1_W"].T
    # backward, q and the encoder
    dmu = dz + mu / B
    dlogvar = dz * eps * sigma / 2 + (sigma**2 - 1) / 2 / B
    grads["mu_W"], grads["mu_b"] = y1.T @ dmu, dmu.sum(axis=0)
    grads["logvar_W"], grads["logvar_b"] = y1.T @ dlogvar, dlogvar.sum(axis=0)
    da = (dmu @ p["mu_W"].T + dlogvar @ p["logvar_W"].T) * (1 - y1**2)
    grads["enc1_W"], grads["enc1_b"] = x.T @ da, da.sum(axis=0)
    return nll + kl, grads


def _variance_cases():
    rng = np.random.default_rng(81)
    cases = []
    for params, x, eps in whole_cases():
        more = {
            "var_W": generic(rng, *params["out_W"].shape),
            "var_b": generic(rng, SPEC.data_dim),
        }
        cases.append((params | more, generic(rng, *x.shape), eps))
    return cases


def _encoder(p, x, dmu, dlogvar):
    y1 = np.tanh(x @ p["enc1_W"] + p["enc1_b"])
    da = (dmu @ p["mu_W"].T + dlogvar @ p["logvar_W"].T) * (1 - y1**2)
    return {
        "mu_W": y1.T @ dmu,
        "mu_b": dmu.sum(axis=0),
        "logvar_W": y1.T @ dlogvar,
        "logvar_b": dlogvar.sum(axis=0),
        "enc1_W": x.T @ da,
        "enc1_b": da.sum(axis=0),
    }


def _output_with(change):
    """A wrong answer: change(residual, precision) -> dmean, dv, each times B."""

    def wrong(params, x, eps):
        p, B = params, len(x)
        loss, grads = variance_output_grads(params, x, eps)
        y1 = np.tanh(x @ p["enc1_W"] + p["enc1_b"])
        mu, logvar = y1 @ p["mu_W"] + p["mu_b"], y1 @ p["logvar_W"] + p["logvar_b"]
        sigma = np.exp(logvar / 2)
        z = mu + sigma * eps
        y2 = np.tanh(z @ p["dec1_W"] + p["dec1_b"])
        residual = y2 @ p["out_W"] + p["out_b"] - x
        dmean, dv, into_y2 = change(residual, np.exp(-(y2 @ p["var_W"] + p["var_b"])))
        dmean, dv = dmean / B, dv / B
        da = (dmean @ p["out_W"].T + into_y2 * (dv @ p["var_W"].T)) * (1 - y2**2)
        dz = da @ p["dec1_W"].T
        dmu, dlogvar = dz + mu / B, dz * eps * sigma / 2 + (sigma**2 - 1) / 2 / B
        decoder = {
            "out_W": y2.T @ dmean,
            "out_b": dmean.sum(axis=0),
            "var_W": y2.T @ dv,
            "var_b": dv.sum(axis=0),
            "dec1_W": z.T @ da,
            "dec1_b": da.sum(axis=0),
        }
        return loss, grads | decoder | _encoder(p, x, dmu, dlogvar)

    return wrong


VARIANCE_OUTPUT = Exercise(
    id="06.variance-output",
    title="the whole gradient, with a Gaussian whose variance is an output",
    stub=stub("""
        def variance_output_grads(params, x, eps):    # dict, (B, D), (B, L)
            ...      # y2 -> mean = y2 out_W + out_b and v = y2 var_W + var_b, both (B, D)
                     # nll = sum_d ((x - mean)^2 exp(-v) + v + log 2 pi) / 2
                     # -> loss = mean_B nll + mean_B kl (float), gradients (dict, the same keys)
    """),
    reference=variance_output_grads,
    cases=_variance_cases,
    returns=("loss", "gradients"),
    mistakes=(
        WrongAnswer(
            "one-output-into-y2",
            _output_with(lambda r, w: (r * w, (1 - r**2 * w) / 2, 0)),
            "Both output layers read the same y2, and the term of v's layer is missing in dy2.",
        ),
        WrongAnswer(
            "half-lost",
            _output_with(lambda r, w: (r * w, 1 - r**2 * w, 1)),
            "dv is twice too large: the nll has a half in front, and v has no square to cancel it.",
        ),
        WrongAnswer(
            "sign",
            _output_with(lambda r, w: (r * w, -(1 - r**2 * w) / 2, 1)),
            "dv has the wrong sign: where the residual is large, v should grow, so dv is negative.",
        ),
        WrongAnswer(
            "squares-lost",
            _output_with(lambda r, w: (r * w, np.full_like(r, 0.5), 1)),
            "dv lacks the term of the squares: they are multiplied by exp(-v), which depends on v.",
        ),
        WrongAnswer(
            "precision-lost",
            _output_with(lambda r, w: (r, (1 - r**2 * w) / 2, 1)),
            "dmean lacks exp(-v): a residual counts for less where the decoder is unsure.",
        ),
        WrongAnswer(
            "by-the-variance",
            _output_with(lambda r, w: (r * w, (1 - r**2 * w) / 2 * w, 1)),
            "dv is the derivative with respect to the variance; v is its log.",
        ),
        WrongAnswer(
            "shared",
            _output_with(
                lambda r, w: (r * w, ((1 - r**2 * w) / 2).sum(axis=1, keepdims=True) + 0 * r, 1)
            ),
            "dv is summed over the pixels, as for a shared variance; here each has its own v.",
        ),
    ),
    hints=(
        "Draw the graph of the decoder. From which box do two arrows leave now?",
        "Each pixel has its own v, so dv has no sum: it is (1 - (x - mean)^2 exp(-v)) / 2 / B.",
        "dy2 = dmean @ out_W.T + dv @ var_W.T; from there on all is as before.",
    ),
)

# ---- 06.best-q -----------------------------------------------------------------------------------


def best_gaussian(x, W, b, s):
    """On average over eps: dmu = (mu W + b - x) W.T / s^2 + mu = 0, and
    dlogvar_j = sigma_j^2 |W_j|^2 / (2 s^2) + (sigma_j^2 - 1) / 2 = 0"""
    L = len(W)
    mu = np.linalg.solve(np.eye(L) + W @ W.T / s**2, W @ (x - b).T / s**2).T
    logvar = -np.log1p((W**2).sum(axis=1) / s**2)
    return mu, np.tile(logvar, (len(x), 1))


def _best_cases():
    rng = np.random.default_rng(82)
    return [
        (np.array([[1.2]]), np.array([[0.5]]), np.array([0.3]), 0.7),
        (generic(rng, 2, 3), generic(rng, 2, 3), generic(rng, 3), 1.0),
        (generic(rng, 4, 5), generic(rng, 3, 5), generic(rng, 5), 0.4),
    ]


def _marginal_variance(W, s):
    return np.diag(np.linalg.inv(np.eye(len(W)) + W @ W.T / s**2))


BEST_Q = Exercise(
    id="06.best-q",
    title="the best diagonal Gaussian for a linear decoder, without a search",
    stub=stub("""
        def best_gaussian(x, W, b, s):    # (B, D), (L, D), (D,), the noise's standard deviation
            ...                           # -> mu (B, L), logvar (B, L) with the largest ELBO
    """),
    reference=best_gaussian,
    cases=_best_cases,
    returns=("mu", "logvar"),
    mistakes=(
        WrongAnswer(
            "prior-forgotten",
            lambda x, W, b, s: (
                np.linalg.lstsq(W.T, (x - b).T, rcond=None)[0].T,
                np.tile(np.log(s**2 / (W**2).sum(axis=1)), (len(x), 1)),
            ),
            "The KL's terms are missing: this is the best reconstruction alone.",
        ),
        WrongAnswer(
            "offset-forgotten",
            lambda x, W, b, s: best_gaussian(x, W, 0 * b, s),
            "b is missing: the decoder's mean is z W + b.",
        ),
        WrongAnswer(
            "each-latent-alone",
            lambda x, W, b, s: (
                ((x - b) @ W.T / s**2) / (1 + (W**2).sum(axis=1) / s**2),
                best_gaussian(x, W, b, s)[1],
            ),
            "mu is solved for each latent alone; in dmu all latents meet, through W W.T.",
        ),
        WrongAnswer(
            "variance-of-the-posterior",
            lambda x, W, b, s: (
                best_gaussian(x, W, b, s)[0],
                np.tile(np.log(_marginal_variance(W, s)), (len(x), 1)),
            ),
            "These are the variances of the exact posterior; the best diagonal Gaussian is "
            "narrower: dlogvar of one latent does not contain the others.",
        ),
        WrongAnswer(
            "log-sigma",
            lambda x, W, b, s: (best_gaussian(x, W, b, s)[0], best_gaussian(x, W, b, s)[1] / 2),
            "This is log sigma; logvar is log sigma squared.",
        ),
        WrongAnswer(
            "offset-added",
            lambda x, W, b, s: best_gaussian(x, W, -b, s),
            "b has the wrong sign: x - b is what z W has to explain.",
        ),
        WrongAnswer(
            "square-of-the-sum",
            lambda x, W, b, s: (
                best_gaussian(x, W, b, s)[0],
                np.tile(-np.log1p(W.sum(axis=1) ** 2 / s**2), (len(x), 1)),
            ),
            "In logvar, square each weight of a latent and then sum over the pixels.",
        ),
        WrongAnswer(
            "s-squared-twice",
            lambda x, W, b, s: best_gaussian(x, W, b, s**2),
            "s is a standard deviation: the noise's variance is s**2, squared once.",
        ),
        WrongAnswer(
            "s-not-squared",
            lambda x, W, b, s: best_gaussian(x, W, b, s**0.5),
            "The noise's variance is s**2.",
        ),
    ),
    hints=(
        "Average the nll over eps: it is |x - b - mu W|^2 / (2 s^2) + sum_j sigma_j^2 |W_j|^2 / "
        "(2 s^2), up to a constant.",
        "Its derivatives with respect to mu and logvar, plus mu and (sigma^2 - 1) / 2, are zero.",
        "(I + W W.T / s^2) mu = W (x - b) / s^2 for each x; sigma_j^2 = 1 / (1 + |W_j|^2 / s^2).",
    ),
)

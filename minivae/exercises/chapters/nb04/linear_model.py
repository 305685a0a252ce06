"""The linear Gaussian model with a noise of its own for each pixel: posterior and gradient."""

import numpy as np

from minivae.exercises.exercise import Exercise, WrongAnswer, generic, stub

# ---- 04.posterior --------------------------------------------------------------------------------


def fill_in(x, known, W, b, variances):
    """p(x_d | known) = N(b_d + m W_d, W_d' S W_d + s_d^2) with p(z | known) = N(m, S)"""
    A = W[:, known] / variances[known]
    S = np.linalg.inv(np.eye(len(W)) + A @ W[:, known].T)
    m = A @ (x - b)[known] @ S
    mean = np.where(known, x, b + m @ W)
    variance = np.where(known, 0.0, (W * (S @ W)).sum(axis=0) + variances)
    return mean, variance


def _posterior_cases():
    rng = np.random.default_rng(44)
    few, many = np.array([True, False]), np.array([True, False, True, True, False])
    variances = np.array([0.3, 1.2, 0.05, 0.6, 0.8])
    return [
        _hidden(np.array([2.0, 1.0]), few, np.array([[0.5, -1.5]]), generic(rng, 2), variances[:2]),
        _hidden(generic(rng, 5), many, generic(rng, 2, 5), generic(rng, 5), variances),
        _hidden(generic(rng, 2), few & False, generic(rng, 1, 2), generic(rng, 2), variances[:2]),
        _hidden(generic(rng, 2), few | True, generic(rng, 1, 2), generic(rng, 2), variances[:2]),
    ]


def _hidden(x, known, *model):
    return np.where(known, x, np.nan), known, *model


def _package_fill_in(exact):
    """Divided by its noise, each known pixel has the variance 1, and the package's model applies"""

    def package(x, known, W, b, variances):
        sigma = np.sqrt(variances[known])
        of_known = exact.Linear(W[:, known] / sigma, b[known] / sigma, 1.0)
        m, S = exact.linear_posterior(of_known, (x[known] / sigma)[None])
        spread = np.diag(W.T @ S @ W) + variances
        return np.where(known, x, b + m[0] @ W), np.where(known, 0.0, spread)

    return package


def _filled(change):
    """A wrong answer: change(x - b at known, W at known, their variances) -> m, S of z."""

    def wrong(x, known, W, b, variances):
        m, S = change((x - b)[known], W[:, known], variances[known])
        return np.where(known, x, b + m @ W), np.where(known, 0.0, _spread(S, W) + variances)

    return wrong


def _posterior(away, W, variances):
    S = np.linalg.inv(np.eye(len(W)) + (W / variances) @ W.T)
    return (away / variances) @ W.T @ S, S


def _changed(change):
    """A wrong answer: the right mean and variance, changed at the unknown entries."""

    def wrong(x, known, W, b, variances):
        m, S = _posterior((x - b)[known], W[:, known], variances[known])
        mean, variance = change(b, m, S, W, variances)
        return np.where(known, x, mean), np.where(known, 0.0, variance)

    return wrong


def _missing_as_b(x, known, W, b, variances):
    m, S = _posterior(np.where(known, x - b, 0.0), W, variances)
    return np.where(known, x, b + m @ W), np.where(known, 0.0, _spread(S, W) + variances)


def _spread(S, W):
    return (W * (S @ W)).sum(axis=0)


POSTERIOR = Exercise(
    id="04.posterior",
    title="missing pixels, by the exact posterior of a model with a noise for each pixel",
    stub=stub("""
        def fill_in(x, known, W, b, variances):    # x (D,), NaN if unknown; known (D,) of bool;
            ...                                    # W (L, D), b (D,), variances (D,)
                                                   # -> mean (D,), variance (D,)
    """),
    reference=fill_in,
    cases=_posterior_cases,
    returns=("mean", "variance"),
    package=_package_fill_in,
    module="exact",
    mistakes=(
        WrongAnswer(
            "prior-only",
            _changed(lambda b, m, S, W, v: (b + 0 * v, _spread(np.eye(len(W)), W) + v)),
            "This is p(x_d) without looking at the known entries.",
        ),
        WrongAnswer(
            "noise-lost",
            _changed(lambda b, m, S, W, v: (b + m @ W, _spread(S, W))),
            "This is the variance of (z W + b)_d; the pixel's own noise comes on top.",
        ),
        WrongAnswer(
            "only-noise",
            _changed(lambda b, m, S, W, v: (b + m @ W, v + 0)),
            "z is not known exactly either: its covariance S goes through W into the variance.",
        ),
        WrongAnswer(
            "b-lost",
            _changed(lambda b, m, S, W, v: (m @ W, _spread(S, W) + v)),
            "b is not added back to the mean.",
        ),
        WrongAnswer(
            "not-centred",
            lambda x, known, W, b, v: (
                np.where(known, x, fill_in(x + b, known, W, b, v)[0]),
                fill_in(x, known, W, b, v)[1],
            ),
            "b is not subtracted from the known entries: z explains x - b.",
        ),
        WrongAnswer(
            "precision-for-covariance",
            _changed(lambda b, m, S, W, v: (b + m @ W, _spread(np.linalg.inv(S), W) + v)),
            "For the covariance of z you use its inverse.",
        ),
        WrongAnswer(
            "latents-independent",
            _changed(lambda b, m, S, W, v: (b + m @ W, np.diag(S) @ W**2 + v)),
            "The latents are correlated given x: the products of two of them count too.",
        ),
        WrongAnswer(
            "prior-forgotten",
            _filled(
                lambda away, W, v: (
                    (away / v) @ W.T @ np.linalg.pinv((W / v) @ W.T),
                    np.linalg.pinv((W / v) @ W.T),
                )
            ),
            "Without the prior's I in the precision, nothing pulls the mean of z towards 0.",
        ),
        WrongAnswer(
            "mean-variance",
            _filled(
                lambda away, W, v: _posterior(away, W, np.full_like(v, v.sum() / max(v.size, 1)))
            ),
            "You put one variance for all known pixels; each pixel's square is divided by its own.",
        ),
        WrongAnswer(
            "sigma-for-variance",
            _filled(lambda away, W, v: _posterior(away, W, np.sqrt(v))),
            "You use the square roots of the variances; the log density has the variances.",
        ),
        WrongAnswer(
            "mean-not-weighted",
            _filled(
                lambda away, W, v: (
                    away @ W.T @ _posterior(away, W, v)[1],
                    _posterior(away, W, v)[1],
                )
            ),
            "S is right. In the mean of z each known x_d - b_d is divided by its variance too.",
        ),
        WrongAnswer(
            "missing-as-b",
            _missing_as_b,
            "You put b for what is missing, as if it had been seen: leave those entries out of the "
            "posterior.",
        ),
    ),
    hints=(
        "First the posterior of z given the known entries alone: the others are not in the sum of "
        "squares. What becomes of 1 / s^2 if it differs from pixel to pixel?",
        "Then x_d = (z W)_d + b_d + noise_d, with z ~ N(m, S): the mean and the variance of a "
        "linear map of a Gaussian, plus the noise.",
        "A = W[:, known] / variances[known], S = inv(I + A @ W[:, known].T), "
        "m = A @ (x - b)[known] @ S; mean b + m @ W, variance diag(W.T @ S @ W) + variances.",
    ),
)

# ---- 04.linear-vae -------------------------------------------------------------------------------


def linear_vae_gradients(params, x, eps):
    """d loss / d parameter of the linear VAE with one logvar for all examples"""
    B = len(x)
    mu = x @ params["mu_W"] + params["mu_b"]
    sigma = np.exp(params["logvar"] / 2)
    z = mu + sigma * eps
    variances = np.exp(params["out_logvar"])
    away = z @ params["out_W"] + params["out_b"] - x
    dmean = away / variances / B
    dz = dmean @ params["out_W"].T
    dmu = dz + mu / B
    # logvar is in the sample of every example: their gradients add up. The KL's part is the same in
    # each of the B examples, so that the mean over them is that part itself.
    dlogvar = (dz * eps * sigma / 2).sum(axis=0) + (sigma**2 - 1) / 2
    return {
        "mu_W": x.T @ dmu,
        "mu_b": dmu.sum(axis=0),
        "logvar": dlogvar,
        "out_W": z.T @ dmean,
        "out_b": dmean.sum(axis=0),
        "out_logvar": (1 - away**2 / variances).mean(axis=0) / 2,
    }


def _params(rng, D, L):
    shapes = {
        "mu_W": (D, L),
        "mu_b": (L,),
        "logvar": (L,),
        "out_W": (L, D),
        "out_b": (D,),
        "out_logvar": (D,),
    }
    return {name: generic(rng, *shape) for name, shape in shapes.items()}


def _vae_cases():
    rng = np.random.default_rng(46)
    return [
        (_params(rng, 1, 1), generic(rng, 1, 1), generic(rng, 1, 1)),
        (_params(rng, 3, 2), generic(rng, 5, 3), generic(rng, 5, 2)),
        (_with_a_quiet_pixel(_params(rng, 3, 2)), generic(rng, 5, 3), generic(rng, 5, 2)),
    ]


def _with_a_quiet_pixel(params):
    """The loss is about 1e9: its differences lose the digits of the small entries."""
    return params | {"out_logvar": np.array([-20.0, *params["out_logvar"][1:]])}


def _parts(params, x, eps):
    """What the wrong answers are made of: sigma, mu, z, x - mean, dmean and dz."""
    mu = x @ params["mu_W"] + params["mu_b"]
    sigma = np.exp(params["logvar"] / 2)
    z = mu + sigma * eps
    away = x - z @ params["out_W"] - params["out_b"]
    dmean = -away / np.exp(params["out_logvar"]) / len(x)
    return sigma, mu, z, away, dmean, dmean @ params["out_W"].T


def _with(change):
    """A wrong answer: change(params, x, eps, parts) gives the entries that are wrong."""
    return lambda params, x, eps: (
        linear_vae_gradients(params, x, eps) | change(params, x, eps, _parts(params, x, eps))
    )


def _through_mu(x, dmu):
    return {"mu_W": x.T @ dmu, "mu_b": dmu.sum(axis=0)}


LINEAR_VAE = Exercise(
    id="04.linear-vae",
    title="the gradient of a whole linear VAE that is not the notebook's",
    stub=stub("""
        def linear_vae_gradients(params, x, eps):    # x (B, D), eps (B, L), params: mu_W (D, L),
            ...                                      # mu_b (L,), logvar (L,), out_W (L, D),
                                                     # out_b (D,), out_logvar (D,)
                                                     # -> a dict with the same keys: d loss / d each
    """),
    reference=linear_vae_gradients,
    cases=_vae_cases,
    mistakes=(
        WrongAnswer(
            "kl-of-logvar-divided-by-the-batch",
            _with(
                lambda p, x, eps, parts: {
                    "logvar": (parts[5] * eps * parts[0] / 2).sum(axis=0)
                    + (parts[0] ** 2 - 1) / 2 / len(x)
                }
            ),
            "The KL's part of dlogvar is 1 / B from each of the B examples, and all share logvar: "
            "together it is whole.",
        ),
        WrongAnswer(
            "logvar-averaged",
            _with(
                lambda p, x, eps, parts: {
                    "logvar": (parts[5] * eps * parts[0] / 2).mean(axis=0) + (parts[0] ** 2 - 1) / 2
                }
            ),
            "dz contains 1 / B already: over the examples that share logvar, sum.",
        ),
        WrongAnswer(
            "kl-of-logvar-lost",
            _with(lambda p, x, eps, parts: {"logvar": (parts[5] * eps * parts[0] / 2).sum(axis=0)}),
            "dlogvar has a part from the KL too: (sigma^2 - 1) / 2.",
        ),
        WrongAnswer(
            "half-lost",
            _with(
                lambda p, x, eps, parts: {
                    "logvar": (parts[5] * eps * parts[0]).sum(axis=0) + (parts[0] ** 2 - 1) / 2
                }
            ),
            "d sigma / d logvar = sigma / 2: the half is missing in the way through z.",
        ),
        WrongAnswer(
            "kl-of-mu-lost",
            _with(lambda p, x, eps, parts: _through_mu(x, parts[5])),
            "dmu has a part from the KL too: mu / B.",
        ),
        WrongAnswer(
            "kl-of-mu-not-averaged",
            _with(lambda p, x, eps, parts: _through_mu(x, parts[5] + parts[1])),
            "The loss is a mean over the examples: the KL's part of dmu is mu / B.",
        ),
        WrongAnswer(
            "mean-of-the-latent",
            _with(lambda p, x, eps, parts: {"out_W": parts[1].T @ parts[4]}),
            "The decoder sees z, not mu: out_W multiplies the sample.",
        ),
        WrongAnswer(
            "one-noise-variance",
            _with(
                lambda p, x, eps, parts: {
                    "out_logvar": np.full_like(
                        p["out_logvar"],
                        (1 - parts[3] ** 2 / np.exp(p["out_logvar"])).mean(axis=0).sum() / 2,
                    )
                }
            ),
            "Each pixel has its own out_logvar: nothing is summed over the pixels.",
        ),
        WrongAnswer(
            "noise-variance-summed",
            _with(
                lambda p, x, eps, parts: {
                    "out_logvar": (1 - parts[3] ** 2 / np.exp(p["out_logvar"])).sum(axis=0) / 2
                }
            ),
            "out_logvar's gradient is a mean over the examples, like the loss.",
        ),
        WrongAnswer(
            "log-of-the-noise-lost",
            _with(
                lambda p, x, eps, parts: {
                    "out_logvar": -(parts[3] ** 2 / np.exp(p["out_logvar"])).mean(axis=0) / 2
                }
            ),
            "out_logvar stands in the nll twice: under the squares, and as log s^2 itself, whose "
            "derivative is the 1.",
        ),
        WrongAnswer(
            "not-averaged",
            lambda params, x, eps: {
                name: grad * len(x) for name, grad in linear_vae_gradients(params, x, eps).items()
            },
            "This is the gradient of the sum over the examples; the loss is their mean.",
        ),
        WrongAnswer(
            "of-the-elbo",
            lambda params, x, eps: {
                name: -grad for name, grad in linear_vae_gradients(params, x, eps).items()
            },
            "This is the gradient of the ELBO; the loss is -elbo.",
        ),
    ),
    hints=(
        "Go through the list in 4.10. What is different: logvar is no output of the encoder, and "
        "each pixel has its own noise.",
        "A parameter that all examples share collects the sum of what each of them gives it; the "
        "1 / B of the mean is in dz already, and in each example's KL.",
        "dlogvar = (dz * eps * sigma / 2).sum(axis=0) + (sigma**2 - 1) / 2; out_logvar: "
        "(1 - (x - mean)**2 / variances).mean(axis=0) / 2; the others as in 4.10.",
    ),
)

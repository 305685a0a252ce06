"""The linear Gaussian model with a noise of its own for each pixel: posterior and gradient."""

import numpy as np

from minivae.exercises.exercise import Exercise, WrongAnswer, generic, stub

# ---- 04.posterior --------------------------------------------------------------------------------


def factor_posterior(x, W, b, variances):
    """p(z|x) = N(mean, S):  S^-1 = I + (W / variances) W.T,  mean = (x - b) / variances @ W.T S"""
    precision = np.eye(len(W)) + (W / variances) @ W.T
    covariance = np.linalg.inv(precision)
    mean = ((x - b) / variances) @ W.T @ covariance
    return mean, covariance


def _posterior_cases():
    rng = np.random.default_rng(44)
    return [
        (np.array([[2.0]]), np.array([[0.5]]), np.array([0.4]), np.array([0.3])),
        (generic(rng, 3, 4), generic(rng, 2, 4), generic(rng, 4), np.array([0.3, 1.2, 0.05, 0.6])),
    ]


def _package_posterior(exact):
    """Divided by its noise, each pixel has the variance 1, and the package's model applies."""

    def posterior(x, W, b, variances):
        sigma = np.sqrt(variances)
        return exact.linear_posterior(exact.Linear(W / sigma, b / sigma, 1.0), x / sigma)

    return posterior


def _posterior_with(change):
    """A wrong answer: change(x - b, W, variances, S) -> mean, covariance."""
    return lambda x, W, b, variances: change(
        x - b, W, variances, np.linalg.inv(np.eye(len(W)) + (W / variances) @ W.T)
    )


def _with_one_variance(one_of):
    return lambda x, W, b, variances: factor_posterior(
        x, W, b, np.full_like(variances, one_of(variances))
    )


POSTERIOR = Exercise(
    id="04.posterior",
    title="the exact posterior of a linear model with a noise for each pixel",
    stub=stub("""
        def factor_posterior(x, W, b, variances):    # (N, D), (L, D), (D,), (D,): z ~ N(0, I),
            ...                                      # x_d = (z W + b)_d + noise_d of that variance
                                                     # -> mean (N, L), covariance (L, L) of p(z|x)
    """),
    reference=factor_posterior,
    cases=_posterior_cases,
    returns=("mean", "covariance"),
    package=_package_posterior,
    module="exact",
    mistakes=(
        WrongAnswer(
            "not-centred",
            lambda x, W, b, variances: factor_posterior(x, W, 0 * b, variances),
            "b is not subtracted: z explains x - b.",
        ),
        WrongAnswer(
            "precision-for-covariance",
            _posterior_with(lambda away, W, v, S: ((away / v) @ W.T @ S, np.linalg.inv(S))),
            "This is the precision of the posterior; its inverse is the covariance.",
        ),
        WrongAnswer(
            "prior-forgotten",
            lambda x, W, b, variances: (
                ((x - b) / variances) @ W.T @ np.linalg.inv((W / variances) @ W.T),
                np.linalg.inv((W / variances) @ W.T),
            ),
            "Without the prior's I in the precision, nothing pulls the mean towards 0.",
        ),
        WrongAnswer(
            "mean-variance",
            _with_one_variance(np.mean),
            "You put one variance for all pixels; each pixel's square is divided by its own.",
        ),
        WrongAnswer(
            "sigma-for-variance",
            lambda x, W, b, variances: factor_posterior(x, W, b, np.sqrt(variances)),
            "You use the square roots of the variances; the log density has the variances.",
        ),
        WrongAnswer(
            "times-variance",
            lambda x, W, b, variances: factor_posterior(x, W, b, 1 / variances),
            "You multiply by the variances; a pixel with more noise must count less.",
        ),
        WrongAnswer(
            "mean-not-weighted",
            _posterior_with(lambda away, W, v, S: (away @ W.T @ S, S)),
            "The covariance is right. In the mean each pixel of x - b is divided by its variance "
            "too.",
        ),
        WrongAnswer(
            "mean-without-covariance",
            _posterior_with(lambda away, W, v, S: ((away / v) @ W.T, S)),
            "The term linear in z gives S^-1 m; multiply by S to have m.",
        ),
        WrongAnswer(
            "variances-as-standard-deviations",
            lambda x, W, b, variances: factor_posterior(x, W, b, variances**2),
            "You square the variances; they are variances already.",
        ),
    ),
    hints=(
        "log p(z) + log p(x|z) is quadratic in z: read the precision off it, then the mean. What "
        "becomes of 1 / s^2 if it differs from pixel to pixel?",
        "The precision is I + the sum over pixels d of the products W_id W_jd / variances_d.",
        "S = inv(I + (W / variances) @ W.T), mean = ((x - b) / variances) @ W.T @ S.",
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
    ]


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
        "Go through the list in 4.8. What is different: logvar is no output of the encoder, and "
        "each pixel has its own noise.",
        "A parameter that all examples share collects the sum of what each of them gives it; the "
        "1 / B of the mean is in dz already, and in each example's KL.",
        "dlogvar = (dz * eps * sigma / 2).sum(axis=0) + (sigma**2 - 1) / 2; out_logvar: "
        "(1 - (x - mean)**2 / variances).mean(axis=0) / 2; the others as in 4.8.",
    ),
)

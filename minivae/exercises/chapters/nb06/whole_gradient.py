"""The gradient of a whole VAE, by hand, with a prior that is learned as well."""

import inspect

import numpy as np

from minivae.exercises.exercise import Exercise, WrongAnswer, generic, stub
from minivae.vae import Spec, init_params, unpack

SPEC = Spec(data_dim=4, hidden=(3,), latent_dim=2)


def my_elbo_and_grads(params, x, eps):
    """loss = mean_B nll + mean_B KL(q || N(prior_mu, exp prior_logvar))   [notebook 06]"""
    p, B, grads = params, len(x), {}
    # forward
    y1 = np.tanh(x @ p["enc1_W"] + p["enc1_b"])
    mu = y1 @ p["mu_W"] + p["mu_b"]
    logvar = y1 @ p["logvar_W"] + p["logvar_b"]
    sigma = np.exp(logvar / 2)
    z = mu + sigma * eps
    y2 = np.tanh(z @ p["dec1_W"] + p["dec1_b"])
    logits = y2 @ p["out_W"] + p["out_b"]
    nll = (((logits > 0) - x) * logits + np.log1p(np.exp(-np.abs(logits)))).sum() / B
    away, precision = mu - p["prior_mu"], np.exp(-p["prior_logvar"])
    share = (sigma**2 + away**2) * precision
    kl = (share - 1 - logvar + p["prior_logvar"]).sum() / 2 / B
    # backward, the decoder
    dlogits = (1 / (1 + np.exp(-logits)) - x) / B
    grads["out_W"], grads["out_b"] = y2.T @ dlogits, dlogits.sum(axis=0)
    da = dlogits @ p["out_W"].T * (1 - y2**2)
    grads["dec1_W"], grads["dec1_b"] = z.T @ da, da.sum(axis=0)
    dz = da @ p["dec1_W"].T
    # backward, the prior: it serves the whole batch
    grads["prior_mu"] = -(away * precision).sum(axis=0) / B
    grads["prior_logvar"] = (1 - share).sum(axis=0) / 2 / B
    # backward, q: through z and from the KL
    dmu = dz + away * precision / B
    dlogvar = dz * eps * sigma / 2 + (sigma**2 * precision - 1) / 2 / B
    # backward, the encoder: both heads read the same y1
    grads["mu_W"], grads["mu_b"] = y1.T @ dmu, dmu.sum(axis=0)
    grads["logvar_W"], grads["logvar_b"] = y1.T @ dlogvar, dlogvar.sum(axis=0)
    da = (dmu @ p["mu_W"].T + dlogvar @ p["logvar_W"].T) * (1 - y1**2)
    grads["enc1_W"], grads["enc1_b"] = x.T @ da, da.sum(axis=0)
    return nll + kl, grads


def whole_cases():
    cases = []
    for seed, B in ((63, 1), (64, 5)):
        rng = np.random.default_rng(seed)
        flat = init_params(SPEC, rng, dtype=np.float64)
        flat += 0.3 * rng.standard_normal(len(flat))  # biases that are not 0
        x = (rng.random((B, SPEC.data_dim)) < 0.5).astype(float)
        cases.append((unpack(flat, SPEC), x, generic(rng, B, SPEC.latent_dim)))
    return cases


def _cases():
    """Priors of their own beside the parameters of `whole_cases`; the last has logits near 900."""
    rng = np.random.default_rng(65)
    prior = ("prior_mu", "prior_logvar")
    cases = [
        (params | {name: generic(rng, SPEC.latent_dim) for name in prior}, x, eps)
        for params, x, eps in whole_cases()
    ]
    params, x, eps = cases[-1]
    sure = x.copy()
    sure[:, :3] = 1, 0, 1  # as those logits say
    sure[0, 1] = 1  # and one pixel that they deem nearly impossible
    cases.append((params | {"out_b": np.array([900, -60, 900, 0.5])}, sure, eps))
    return cases


def _wrong(name, right, wrong, says):
    """The reference with this edit, and what is said of it."""
    source = inspect.getsource(my_elbo_and_grads)
    assert source.count(right) == 1
    namespace = {"np": np}
    exec(source.replace(right, wrong), namespace)
    return WrongAnswer(name, namespace["my_elbo_and_grads"], says)


ELBO_AND_GRADS = Exercise(
    id="06.elbo-and-grads",
    title="the whole gradient, by hand, with a learned prior",
    stub=stub("""
        def my_elbo_and_grads(params, x, eps):    # dict of arrays, (B, D), (B, L)
            ...      # eq. (1), with one prior N(prior_mu, diag exp prior_logvar), both (L,)
                     # -> loss = mean_B nll + mean_B KL(q || prior) (float),
                     # gradients (dict, the same keys as params)
    """),
    reference=my_elbo_and_grads,
    cases=_cases,
    returns=("loss", "gradients"),
    mistakes=(
        _wrong(
            "standard-prior",
            'away, precision = mu - p["prior_mu"], np.exp(-p["prior_logvar"])',
            'away, precision = mu, np.ones_like(p["prior_logvar"])',
            "The KL is taken against N(0, 1) in part: both parameters of the prior are in it.",
        ),
        _wrong(
            "log-of-the-prior-lost",
            ' - logvar + p["prior_logvar"])',
            " - logvar)",
            "The KL lacks the log variance of the prior: q = prior must give 0.",
        ),
        _wrong(
            "kl-mean-over-latents",
            ' - logvar + p["prior_logvar"]).sum() / 2 / B',
            ' - logvar + p["prior_logvar"]).mean() / 2',
            "The KL is averaged over the latents: it is a sum over them.",
        ),
        _wrong(
            "kl-half-lost",
            ' - logvar + p["prior_logvar"]).sum() / 2 / B',
            ' - logvar + p["prior_logvar"]).sum() / B',
            "The KL lacks its half.",
        ),
        _wrong(
            "kl-summed-over-batch",
            ' - logvar + p["prior_logvar"]).sum() / 2 / B',
            ' - logvar + p["prior_logvar"]).sum() / 2',
            "The KL is summed over the batch; the loss is a mean over it.",
        ),
        _wrong(
            "prior-mu-sign",
            'grads["prior_mu"] = -(away',
            'grads["prior_mu"] = (away',
            "prior_mu has the wrong sign: it stands with a minus in mu - prior_mu.",
        ),
        _wrong(
            "prior-mu-precision-lost",
            'grads["prior_mu"] = -(away * precision)',
            'grads["prior_mu"] = -away',
            "The gradient of prior_mu lacks 1 / variance of the prior.",
        ),
        _wrong(
            "prior-batch-forgotten",
            "(1 - share).sum(axis=0) / 2 / B",
            "(1 - share)[0] / 2 / B",
            "One prior serves all examples: its gradient is a sum over the batch.",
        ),
        _wrong(
            "prior-over-B-lost",
            "(1 - share).sum(axis=0) / 2 / B",
            "(1 - share).sum(axis=0) / 2",
            "The gradient of prior_logvar lacks its 1/B: the loss is a mean.",
        ),
        _wrong(
            "prior-logvar-share-lost",
            "(1 - share).sum(axis=0) / 2 / B",
            "(1 - share * 0).sum(axis=0) / 2 / B",
            "prior_logvar is in exp(-prior_logvar) as well.",
        ),
        _wrong(
            "prior-logvar-distance-lost",
            "(1 - share).sum(axis=0) / 2 / B",
            "(1 - sigma**2 * precision).sum(axis=0) / 2 / B",
            "The distance of the means is divided by the prior's variance too.",
        ),
        _wrong(
            "prior-logvar-sign",
            "(1 - share).sum(axis=0) / 2 / B",
            "(share - 1).sum(axis=0) / 2 / B",
            "prior_logvar has the wrong sign: where q is wide, the prior should widen.",
        ),
        _wrong(
            "dmu-of-the-standard-prior",
            "dmu = dz + away * precision / B",
            "dmu = dz + mu / B",
            "The KL's part of dmu is that of a prior N(0, 1).",
        ),
        _wrong(
            "dlogvar-of-the-standard-prior",
            "(sigma**2 * precision - 1) / 2 / B",
            "(sigma**2 - 1) / 2 / B",
            "The KL's part of dlogvar is that of a prior N(0, 1).",
        ),
        _wrong(
            "dmu-path-through-z-lost",
            "dmu = dz + away",
            "dmu = away",
            "dmu lacks dz: mu is used in z too.",
        ),
        _wrong(
            "dmu-kl-lost",
            "dmu = dz + away * precision / B",
            "dmu = dz",
            "dmu lacks its term from the KL.",
        ),
        _wrong(
            "dlogvar-kl-lost",
            " + (sigma**2 * precision - 1) / 2 / B",
            "",
            "dlogvar lacks its term from the KL.",
        ),
        _wrong(
            "eps-lost",
            "dz * eps * sigma / 2",
            "dz * sigma / 2",
            "dlogvar lacks eps on the way through z.",
        ),
        _wrong(
            "half-lost",
            "dz * eps * sigma / 2",
            "dz * eps * sigma",
            "sigma = exp(logvar / 2) has a half in its derivative.",
        ),
        _wrong(
            "variance-as-sigma",
            "sigma = np.exp(logvar / 2)",
            "sigma = np.exp(logvar)",
            "exp(logvar) is the variance; sigma is its square root.",
        ),
        _wrong(
            "one-head-into-y1",
            'da = (dmu @ p["mu_W"].T + dlogvar @ p["logvar_W"].T)',
            'da = (dmu @ p["mu_W"].T)',
            "Both heads read y1: the term from logvar's head is missing.",
        ),
        _wrong(
            "decoder-tanh-lost",
            " * (1 - y2**2)",
            "",
            "The derivative of the decoder's tanh is missing.",
        ),
        _wrong(
            "encoder-tanh-lost",
            " * (1 - y1**2)",
            "",
            "The derivative of the encoder's tanh is missing.",
        ),
        _wrong(
            "likelihood-summed-over-batch",
            "dlogits = (1 / (1 + np.exp(-logits)) - x) / B",
            "dlogits = 1 / (1 + np.exp(-logits)) - x",
            "The nll's gradient lacks its 1/B: the loss is a mean over the batch.",
        ),
        _wrong(
            "bernoulli-gradient-sign",
            "dlogits = (1 / (1 + np.exp(-logits)) - x) / B",
            "dlogits = (x - 1 / (1 + np.exp(-logits))) / B",
            "dlogits has the wrong sign: it is sigmoid(logits) - x, over B.",
        ),
        _wrong(
            "bias-gradient-averaged",
            "dlogits.sum(axis=0)",
            "dlogits.mean(axis=0)",
            "The bias gradient is a sum over the batch: the 1/B is in dlogits already.",
        ),
    ),
    hints=(
        "Draw the graph of 6.2 with two more boxes, prior_mu and prior_logvar. Which arrows leave?",
        "KL = sum_j ((sigma^2 + (mu - m)^2) exp(-v) - 1 - logvar + v) / 2, with m = prior_mu and "
        "v = prior_logvar. It has four derivatives; two of them are summed over the batch.",
        "With w = exp(-v) / B: dmu = dz + (mu - m) w; dm is minus the sum of (mu - m) w; dlogvar "
        "ends in (sigma^2 exp(-v) - 1) / 2 / B; dv = sum (1 - (sigma^2 + (mu - m)^2) exp(-v)) / 2 "
        "/ B.",
    ),
)

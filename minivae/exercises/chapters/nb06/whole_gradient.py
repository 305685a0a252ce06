"""The gradient of the whole VAE, by hand."""

import numpy as np

from minivae import vae
from minivae.exercises.exercise import Exercise, generic, planted, stub
from minivae.vae import Spec, init_params, unpack

SPEC = Spec(data_dim=4, hidden=(3,), latent_dim=2)


def my_elbo_and_grads(params, x, eps):
    """loss = mean_B nll + mean_B kl and its gradients, one hidden layer   [notebook 06]"""
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
    kl = (mu**2 + sigma**2 - 1 - logvar).sum() / 2 / B
    # backward, the decoder
    dlogits = (1 / (1 + np.exp(-logits)) - x) / B
    grads["out_W"], grads["out_b"] = y2.T @ dlogits, dlogits.sum(axis=0)
    da = dlogits @ p["out_W"].T * (1 - y2**2)
    grads["dec1_W"], grads["dec1_b"] = z.T @ da, da.sum(axis=0)
    dz = da @ p["dec1_W"].T
    # backward, q: through z and from the KL
    dmu = dz + mu / B
    dlogvar = dz * eps * sigma / 2 + (sigma**2 - 1) / 2 / B
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


def _package_whole(module):
    def own(params, x, eps):
        result = module.elbo_and_grads(params, x, eps, SPEC)
        return float(result.loss), result.grads

    return own


def _package_with_ops(planted_ops):
    """The package's model, on a backend with a planted mistake."""

    def own(params, x, eps):
        result = vae.elbo_and_grads(params, x, eps, SPEC, ops=planted_ops)
        return float(result.loss), result.grads

    return own


ELBO_AND_GRADS = Exercise(
    id="06.elbo-and-grads",
    title="recall: the whole gradient, by hand",
    stub=stub("""
        def my_elbo_and_grads(params, x, eps):    # dict of arrays, (B, D), (B, L)
            ...      # encoder x -> y1 = tanh(x enc1_W + enc1_b) -> mu, logvar (mu_W, mu_b,
                     # logvar_W, logvar_b), decoder z -> tanh(z dec1_W + dec1_b)
                     # -> logits (out_W, out_b) -> loss = mean_B nll + mean_B kl (float),
                     # gradients (dict, the same keys)
    """),
    reference=my_elbo_and_grads,
    cases=whole_cases,
    returns=("loss", "gradients"),
    package=_package_whole,
    module="vae",
    mistakes=(
        *planted(
            _package_whole,
            "elbo-likelihood-summed-over-batch",
            "elbo-kl-path-to-mu-lost",
            "elbo-kl-path-to-logvar-lost",
            "elbo-path-through-z-lost",
            "elbo-one-head-into-h",
            "elbo-heads-swapped",
            "elbo-kl-subtracted",
            "elbo-kl-summed-over-batch",
        ),
        *planted(
            _package_with_ops,
            "dense-bias-gradient-averaged",
            "dense-weight-gradient-averaged",
            "dense-tanh-derivative-lost",
            "dense-weight-gradient-before-activation",
            "dense-input-gradient-before-activation",
            "reparam-variance-as-sigma",
            "reparam-half-lost",
            "reparam-eps-lost",
            "reparam-dmu-lost",
            "kl-half-lost",
            "kl-mean-over-latents",
            "kl-gradient-half-lost",
            "kl-gradient-mu-doubled",
            "kl-gradient-one-lost",
            "kl-gradient-sign",
            "bernoulli-mean-over-pixels",
            "bernoulli-gradient-sign",
            "bernoulli-gradient-sigmoid-twice",
        ),
    ),
    hints=(
        "Forward first, and keep every intermediate: each backward line needs one.",
        "dlogits = (sigmoid(logits) - x) / B, then back to dz. Which two terms does dmu have?",
        "dmu = dz + mu / B; dlogvar = dz eps sigma / 2 + (sigma^2 - 1) / (2 B); dy1 from both.",
    ),
)

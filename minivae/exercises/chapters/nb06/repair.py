"""A whole VAE with three mistakes at once."""

import inspect

import numpy as np

from minivae.exercises.chapters.nb06.whole_gradient import whole_cases
from minivae.exercises.exercise import Exercise, WrongAnswer


def repaired_vae(params, x, eps):
    # loss = mean_B nll + mean_B kl in nats per example, and its gradients
    p, (B, L), grads = params, eps.shape, {}
    # forward
    y1 = np.tanh(x @ p["enc1_W"] + p["enc1_b"])
    mu = y1 @ p["mu_W"] + p["mu_b"]
    logvar = y1 @ p["logvar_W"] + p["logvar_b"]
    sigma = np.exp(logvar / 2)
    z = mu + sigma * eps
    y2 = np.tanh(z @ p["dec1_W"] + p["dec1_b"])
    logits = y2 @ p["out_W"] + p["out_b"]
    lit = logits.real > 0
    nll = ((lit - x) * logits + np.log1p(np.exp(np.where(lit, -logits, logits)))).sum(axis=1).mean()
    kl = ((mu**2 + sigma**2 - 1 - logvar) / 2).mean()
    # backward, the decoder
    dlogits = (1 / (1 + np.exp(-logits)) - x) / B
    grads["out_W"] = y2.T @ dlogits
    grads["out_b"] = dlogits.sum(axis=0)
    dy2 = dlogits @ p["out_W"].T
    da2 = dy2 * (1 - np.tanh(y2) ** 2)
    grads["dec1_W"] = z.T @ da2
    grads["dec1_b"] = da2.sum(axis=0)
    dz = da2 @ p["dec1_W"].T
    # backward, q
    dkl = 1 / B / L
    dmu = dz + dkl * mu
    dlogvar = dz * eps * sigma**2 / 2 + dkl * (sigma**2 - 1) / 2
    grads["mu_W"] = y1.T @ dmu
    grads["mu_b"] = dmu.sum(axis=0)
    grads["logvar_W"] = y1.T @ dlogvar
    grads["logvar_b"] = dlogvar.sum(axis=0)
    # backward, the encoder
    dy1 = dmu @ p["mu_W"].T + dlogvar @ p["logvar_W"].T
    da1 = dy1 * (1 - y1**2)
    grads["enc1_W"] = x.T @ da1
    grads["enc1_b"] = da1.sum(axis=0)
    return nll + kl, grads


def mended_vae(params, x, eps):
    # loss = mean_B nll + mean_B kl in nats per example, and its gradients
    p, B, grads = params, len(x), {}
    # forward
    y1 = np.tanh(x @ p["enc1_W"] + p["enc1_b"])
    mu = y1 @ p["mu_W"] + p["mu_b"]
    logvar = y1 @ p["logvar_W"] + p["logvar_b"]
    sigma = np.exp(logvar / 2)
    z = mu + sigma * eps
    y2 = np.tanh(z @ p["dec1_W"] + p["dec1_b"])
    logits = y2 @ p["out_W"] + p["out_b"]
    lit = logits.real > 0
    nll = ((lit - x) * logits + np.log1p(np.exp(np.where(lit, -logits, logits)))).sum(axis=1).mean()
    kl = ((mu**2 + sigma**2 - 1 - logvar) / 2).sum(axis=1).mean()  # a sum over latents
    # backward, the decoder
    dlogits = (1 / (1 + np.exp(-logits)) - x) / B
    grads["out_W"] = y2.T @ dlogits
    grads["out_b"] = dlogits.sum(axis=0)
    dy2 = dlogits @ p["out_W"].T
    da2 = dy2 * (1 - y2**2)  # y2 is the tanh already
    grads["dec1_W"] = z.T @ da2
    grads["dec1_b"] = da2.sum(axis=0)
    dz = da2 @ p["dec1_W"].T
    # backward, q
    dkl = 1 / B  # a mean over the batch only
    dmu = dz + dkl * mu
    dlogvar = dz * eps * sigma / 2 + dkl * (sigma**2 - 1) / 2  # sigma, not its square
    grads["mu_W"] = y1.T @ dmu
    grads["mu_b"] = dmu.sum(axis=0)
    grads["logvar_W"] = y1.T @ dlogvar
    grads["logvar_b"] = dlogvar.sum(axis=0)
    # backward, the encoder
    dy1 = dmu @ p["mu_W"].T + dlogvar @ p["logvar_W"].T
    da1 = dy1 * (1 - y1**2)
    grads["enc1_W"] = x.T @ da1
    grads["enc1_b"] = da1.sum(axis=0)
    return nll + kl, grads


TANH = ("(1 - y2**2)", "(1 - np.tanh(y2) ** 2)")
SIGMA = ("dz * eps * sigma / 2", "dz * eps * sigma**2 / 2")
KL = ("/ 2).sum(axis=1).mean()", "/ 2).mean()")
DKL = ("dkl = 1 / B ", "dkl = 1 / B / eps.shape[1] ")


def _with(*edits):
    """The mended code with these edits."""
    source = inspect.getsource(mended_vae)
    for right, wrong in edits:
        assert source.count(right) == 1
        source = source.replace(right, wrong)
    namespace = {"np": np}
    exec(source, namespace)
    return namespace["mended_vae"]


REPAIR = Exercise(
    id="06.repair",
    title="repair a VAE with three mistakes at once",
    stub=inspect.getsource(repaired_vae).rstrip(),
    reference=mended_vae,
    given=repaired_vae,
    cases=whole_cases,
    returns=("loss", "gradients"),
    mistakes=(
        WrongAnswer(
            "kl-left",
            _with(KL, DKL),
            "The gradient check is content, and so far that is all: is the loss itself in nats per "
            "example? The KL is a sum over latents.",
        ),
        WrongAnswer(
            "tanh-left",
            _with(TANH),
            "One mistake is left, and dec1 is the first block that it spoils.",
        ),
        WrongAnswer(
            "sigma-left",
            _with(SIGMA),
            "One mistake is left: the decoder and mu's head are right, logvar's head is not.",
        ),
        WrongAnswer(
            "sigma-dropped",
            _with((SIGMA[0], "dz * eps / 2")),
            "The path through z in dlogvar has lost its sigma: d sigma / d logvar = sigma / 2.",
        ),
        WrongAnswer(
            "tanh-and-kl-left",
            _with(TANH, KL, DKL),
            "Two mistakes are left. dec1 is the first block that one of them spoils; the other "
            "does not show in a gradient check.",
        ),
        WrongAnswer(
            "sigma-and-kl-left",
            _with(SIGMA, KL, DKL),
            "Two mistakes are left. One spoils logvar's head and not mu's; the other does not show "
            "in a gradient check.",
        ),
        WrongAnswer(
            "tanh-and-sigma-left",
            _with(TANH, SIGMA),
            "The KL is mended. Two mistakes are left: dec1 is the first block that one of them "
            "spoils, and the other is between dz and logvar's head.",
        ),
        WrongAnswer(
            "kl-summed-over-the-batch",
            _with((KL[0], "/ 2).sum()"), (DKL[0], "dkl = 1.0 ")),
            "The KL is summed over the batch as well: it is a sum over latents and a mean over the "
            "batch.",
        ),
        WrongAnswer(
            "kl-summed-over-the-batch-in-the-loss-only",
            _with((KL[0], "/ 2).sum()")),
            "The KL in the loss is summed over the batch as well, and its gradient is not: it is a "
            "sum over latents and a mean over the batch.",
        ),
        WrongAnswer(
            "kl-in-the-loss-only",
            _with(DKL),
            "The KL in the loss is a sum over latents now, and its gradient still a mean.",
        ),
        WrongAnswer(
            "kl-in-the-gradient-only",
            _with(KL),
            "The gradient is that of a KL summed over latents; the KL in the loss is still a mean.",
        ),
    ),
    hints=(
        "Run a gradient check. Which is the first wrong block on the way back, and why?",
        "With that line mended, look at logvar's head again. Then compare the loss with eq. (2).",
        "tanh' is 1 - y2**2; dz eps sigma / 2, not sigma**2; the KL is summed over latents, and "
        "dkl = 1 / B.",
    ),
)

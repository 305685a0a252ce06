"""Notebook 06: answers to `06.repair`."""

import inspect

import numpy as np
from answers_of_others.registry import right, wrong


@right("06.repair")
def line_by_line(params, x, eps):
    # loss = mean_B nll + mean_B kl in nats per example, and its gradients
    p, (B, L), grads = params, eps.shape, {}
    # forward
    y1 = np.tanh(x @ p["enc1_W"] + p["enc1_b"])
    mu = y1 @ p["mu_W"] + p["mu_b"]
    logvar = y1 @ p["logvar_W"] + p["logvar_b"]
    sigma = np.exp(logvar / 2)
    z = mu + sigma * eps
    a2 = z @ p["dec1_W"] + p["dec1_b"]
    y2 = np.tanh(a2)
    logits = y2 @ p["out_W"] + p["out_b"]
    lit = logits.real > 0
    nll = ((lit - x) * logits + np.log1p(np.exp(np.where(lit, -logits, logits)))).sum(axis=1).mean()
    kl = L * ((mu**2 + sigma**2 - 1 - logvar) / 2).mean()
    # backward, the decoder
    dlogits = (1 / (1 + np.exp(-logits)) - x) / B
    grads["out_W"] = y2.T @ dlogits
    grads["out_b"] = dlogits.sum(axis=0)
    dy2 = dlogits @ p["out_W"].T
    da2 = dy2 * (1 - np.tanh(a2) ** 2)
    grads["dec1_W"] = z.T @ da2
    grads["dec1_b"] = da2.sum(axis=0)
    dz = da2 @ p["dec1_W"].T
    # backward, q
    dkl = L / B / L
    dmu = dz + dkl * mu
    dlogvar = dz * eps * sigma / 2 + dkl * (sigma**2 - 1) / 2
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


def edited(name, *edits):
    """`line_by_line` with these edits, under another name."""
    source = inspect.getsource(line_by_line)
    for old, new in edits:
        assert source.count(old) == 1, old
        source = source.replace(old, new)
    namespace = {"np": np, "right": lambda id: lambda answer: answer}
    exec(source, namespace)
    namespace["line_by_line"].__name__ = name
    return namespace["line_by_line"]


KL, DKL = "kl = L * ((mu**2 + sigma**2 - 1 - logvar) / 2).mean()", "dkl = L / B / L"
TANH, DLOGVAR = "da2 = dy2 * (1 - np.tanh(a2) ** 2)", "dlogvar = dz * eps * sigma / 2 + dkl *"

right(
    "06.repair",
    edited(
        "summed_and_divided",
        (KL, "kl = (mu**2 + sigma**2 - 1 - logvar).sum() / 2 / B"),
        (DKL, "dkl = B**-1"),
    ),
    edited("derivative_of_tanh_as_cosh", (TANH, "da2 = dy2 / np.cosh(a2) ** 2")),
    edited("with_the_noise_as_it_was_drawn", (DLOGVAR, "dlogvar = dz * (z - mu) / 2 + dkl *")),
    edited("product_of_two", (TANH, "da2 = dy2 * (1 - y2) * (1 + y2)")),
)

wrong(
    "06.repair",
    edited("derivative_not_squared", (TANH, "da2 = dy2 * (1 - y2)")),
    edited("derivative_of_a_sigmoid", (TANH, "da2 = dy2 * y2 * (1 - y2)")),
    edited("sign_of_the_square", (TANH, "da2 = dy2 * (1 + y2**2)")),
    edited("derivative_at_dy2", (TANH, "da2 = 1 - np.tanh(dy2) ** 2")),
    edited("derivative_of_the_other_layer", (TANH, "da2 = dy2 * (1 - y1**2)")),
    edited("derivative_left_out", (TANH, "da2 = dy2")),
    edited(
        "summed_over_the_batch_meant_over_latents",
        (KL, "kl = ((mu**2 + sigma**2 - 1 - logvar) / 2).sum(axis=0).mean()"),
    ),
    edited("two_latents_divided_once_more", (DKL, "dkl = 1 / B / L**2")),
    edited("times_the_latents", (DKL, "dkl = L / B")),
    edited("divided_by_the_latents_only", (DKL, "dkl = 1 / L")),
    edited("kl_without_its_half", (KL, "kl = (mu**2 + sigma**2 - 1 - logvar).sum(axis=1).mean()")),
    edited(
        "kl_without_its_half_twice",
        (KL, "kl = (mu**2 + sigma**2 - 1 - logvar).sum(axis=1).mean()"),
        (DKL, "dkl = 2 / B"),
    ),
    edited("largest_kl", (KL, "kl = ((mu**2 + sigma**2 - 1 - logvar) / 2).sum(axis=1).max()")),
    edited("kl_of_each_example", (KL, "kl = ((mu**2 + sigma**2 - 1 - logvar) / 2).sum(axis=1)")),
    edited("half_of_the_way_through_z", (DLOGVAR, "dlogvar = dz * eps * sigma + dkl *")),
    edited("noise_from_z", (DLOGVAR, "dlogvar = dz * z / 2 + dkl *")),
    edited("eps_left_out", (DLOGVAR, "dlogvar = dz * sigma / 2 + dkl *")),
    edited("sigma_in_the_kl_too", ("dkl * (sigma**2 - 1) / 2", "dkl * (sigma - 1) / 2")),
    edited(
        "square_lost_in_the_loss_too", (KL, "kl = L * ((mu**2 + sigma - 1 - logvar) / 2).mean()")
    ),
    edited(
        "wide_draws",
        ("z = mu + sigma * eps", "z = mu + sigma**2 * eps"),
        (DLOGVAR, "dlogvar = dz * eps * sigma**2 / 2 + dkl *"),
    ),
    edited("nll_averaged_like_the_kl", (".sum(axis=1).mean()", ".mean()")),
    edited("batch_taken_out", ("- x) / B", "- x)")),
    edited("one_head_only", ('dmu @ p["mu_W"].T + dlogvar @ p["logvar_W"].T', 'dmu @ p["mu_W"].T')),
    edited("reparameterized_without_dz", ("dmu = dz + dkl * mu", "dmu = dkl * mu")),
    edited("loss_not_returned", ("return nll + kl, grads", "return grads")),
    edited("only_the_nll_returned", ("return nll + kl, grads", "return nll, grads")),
)

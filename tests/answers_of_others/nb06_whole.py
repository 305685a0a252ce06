"""Notebook 06: answers to `06.elbo-and-grads`."""

import inspect

import numpy as np
from answers_of_others.registry import right, wrong


def dense_back(grads, name, dout, into, W):
    grads[f"{name}_W"] = into.T @ dout
    grads[f"{name}_b"] = dout.sum(axis=0)
    return dout @ W.T


@right("06.elbo-and-grads")
def layer_by_layer(params, x, eps):
    p, grads = params, {}
    h = np.tanh(x @ p["enc1_W"] + p["enc1_b"])
    mu, logvar = (h @ p[f"{head}_W"] + p[f"{head}_b"] for head in ("mu", "logvar"))
    std = np.exp(0.5 * logvar)
    z = mu + std * eps
    g = np.tanh(z @ p["dec1_W"] + p["dec1_b"])
    out = g @ p["out_W"] + p["out_b"]
    nll = np.logaddexp(0, out) - x * out
    m, v = p["prior_mu"], p["prior_logvar"]
    kl = 0.5 * ((logvar * 0 + v) - logvar - 1 + np.exp(logvar - v) + (mu - m) ** 2 / np.exp(v))
    loss = nll.sum(axis=1).mean() + kl.sum(axis=1).mean()

    dout = ((np.tanh(out / 2) + 1) / 2 - x) / len(x)
    dg = dense_back(grads, "out", dout, g, p["out_W"])
    dz = dense_back(grads, "dec1", dg * (1 - g * g), z, p["dec1_W"])
    pull = (mu - m) / np.exp(v) / len(x)
    widths = (np.exp(logvar - v) - 1) / 2 / len(x)
    grads["prior_mu"] = -pull.sum(axis=0)
    grads["prior_logvar"] = -(widths + pull * (mu - m) / 2).sum(axis=0)
    dh = dense_back(grads, "mu", dz + pull, h, p["mu_W"])
    dh = dh + dense_back(grads, "logvar", dz * eps * std / 2 + widths, h, p["logvar_W"])
    dense_back(grads, "enc1", dh * (1 - h * h), x, p["enc1_W"])
    return loss, grads


@right("06.elbo-and-grads")
def example_by_example(params, x, eps):
    loss, total = 0.0, {name: np.zeros_like(block) for name, block in params.items()}
    for one, noise in zip(x, eps, strict=True):
        its_loss, grads = layer_by_layer(params, one[None], noise[None])
        loss += its_loss / len(x)
        for name in total:
            total[name] += grads[name] / len(x)
    return loss, total


def loss_in_complex_numbers(p, x, eps):
    h = np.tanh(x @ p["enc1_W"] + p["enc1_b"])
    mu, logvar = h @ p["mu_W"] + p["mu_b"], h @ p["logvar_W"] + p["logvar_b"]
    z = mu + np.exp(logvar / 2) * eps
    out = np.tanh(z @ p["dec1_W"] + p["dec1_b"]) @ p["out_W"] + p["out_b"]
    high = out.real > 0
    nll = np.where(high, out, 0) - x * out + np.log1p(np.exp(np.where(high, -out, out)))
    m, v = p["prior_mu"], p["prior_logvar"]
    kl = (np.exp(logvar - v) + (mu - m) ** 2 * np.exp(-v) - 1 - logvar + v) / 2
    return (nll.sum() + kl.sum()) / len(x)


@right("06.elbo-and-grads")
def by_the_complex_step(params, x, eps):
    grads = {}
    for name, block in params.items():
        grads[name] = np.empty(block.shape)
        for i in np.ndindex(block.shape):
            moved = block.astype(complex)
            moved[i] += 1e-30j
            grads[name][i] = loss_in_complex_numbers(params | {name: moved}, x, eps).imag / 1e-30
    return float(loss_in_complex_numbers(params, x, eps).real), grads


def edited(name, *edits):
    """`layer_by_layer` with these edits, under another name."""
    source = inspect.getsource(layer_by_layer)
    for old, new in edits:
        assert source.count(old) == 1, old
        source = source.replace(old, new)
    namespace = {"np": np, "dense_back": dense_back, "right": lambda id: lambda answer: answer}
    exec(source, namespace)
    namespace["layer_by_layer"].__name__ = name
    return namespace["layer_by_layer"]


KL = "kl = 0.5 * ((logvar * 0 + v) - logvar - 1 + np.exp(logvar - v) + (mu - m) ** 2 / np.exp(v))"
PULL = "pull = (mu - m) / np.exp(v) / len(x)"
WIDTHS = "widths = (np.exp(logvar - v) - 1) / 2 / len(x)"
PRIOR_MU = 'grads["prior_mu"] = -pull.sum(axis=0)'
PRIOR_LOGVAR = 'grads["prior_logvar"] = -(widths + pull * (mu - m) / 2).sum(axis=0)'
OTHER_KL = "kl = 0.5 * (logvar - v - 1 + np.exp(v - logvar) + (mu - m) ** 2 / np.exp(logvar))"
SIGMOID, NLL_OF_R = "1 / (1 + np.exp(-out))", "nll = -x * np.log(r) - (1 - x) * np.log(1 - r)"
NLL, DOUT = (
    "nll = np.logaddexp(0, out) - x * out",
    "dout = ((np.tanh(out / 2) + 1) / 2 - x) / len(x)",
)

wrong(
    "06.elbo-and-grads",
    edited("other_direction_of_the_kl", (KL, OTHER_KL)),
    edited(
        "prior_logvar_as_log_sigma",
        ('m, v = p["prior_mu"], p["prior_logvar"]', 'm, v = p["prior_mu"], 2 * p["prior_logvar"]'),
    ),
    edited(
        "elbo_for_its_minus",
        ("loss = nll.sum(axis=1).mean() + kl", "loss = -nll.sum(axis=1).mean() - kl"),
    ),
    edited("kl_subtracted", ("nll.sum(axis=1).mean() + kl", "nll.sum(axis=1).mean() - kl")),
    edited("nll_a_mean_over_the_pixels", ("nll.sum(axis=1).mean() +", "nll.mean() +")),
    edited(
        "loss_summed_over_the_batch",
        ("nll.sum(axis=1).mean() + kl.sum(axis=1).mean()", "nll.sum() + kl.sum()"),
    ),
    edited(
        "loss_of_each_example",
        ("nll.sum(axis=1).mean() + kl.sum(axis=1).mean()", "nll.sum(axis=1) + kl.sum(axis=1)"),
    ),
    edited(
        "two_losses",
        (
            "nll.sum(axis=1).mean() + kl.sum(axis=1).mean()",
            "nll.sum(axis=1).mean(), kl.sum(axis=1).mean()",
        ),
    ),
    edited(
        "prior_for_each_example",
        (PRIOR_MU, 'grads["prior_mu"] = -pull'),
        (PRIOR_LOGVAR, 'grads["prior_logvar"] = -(widths + pull * (mu - m) / 2)'),
    ),
    edited("prior_mu_averaged", (PRIOR_MU, 'grads["prior_mu"] = -pull.mean(axis=0)')),
    edited(
        "half_lost_in_the_prior",
        (PRIOR_LOGVAR, 'grads["prior_logvar"] = -(2 * widths + pull * (mu - m)).sum(axis=0)'),
    ),
    edited(
        "distance_not_halved",
        (PRIOR_LOGVAR, 'grads["prior_logvar"] = -(widths + pull * (mu - m)).sum(axis=0)'),
    ),
    edited(
        "the_prior_pulled_through_z_too", (PRIOR_MU, 'grads["prior_mu"] = -(pull + dz).sum(axis=0)')
    ),
    edited("prior_left_out", (PRIOR_MU, ""), (PRIOR_LOGVAR, "")),
    edited(
        "prior_held",
        (PRIOR_MU, 'grads["prior_mu"] = 0 * m'),
        (PRIOR_LOGVAR, 'grads["prior_logvar"] = 0 * v'),
    ),
    edited("precision_lost_in_both_means", (PULL, "pull = (mu - m) / len(x)")),
    edited("precision_turned", (PULL, "pull = (mu - m) * np.exp(v) / len(x)")),
    edited(
        "variance_of_the_prior_lost_in_the_widths",
        (WIDTHS, "widths = (np.exp(logvar) - np.exp(v)) / 2 / len(x)"),
    ),
    edited("one_divided_too", (WIDTHS, "widths = (np.exp(logvar) - 1) / np.exp(v) / 2 / len(x)")),
    edited("sigmoid_forgotten", (DOUT, "dout = (out - x) / len(x)")),
    edited("divided_by_the_pixels_too", (DOUT, "dout = ((np.tanh(out / 2) + 1) / 2 - x) / x.size")),
    edited("overflowing_loss", (NLL, "nll = np.log(1 + np.exp(out)) - x * out")),
    edited("log_of_the_sigmoid", (NLL, f"r = {SIGMOID}; {NLL_OF_R}")),
    edited("clipped_probabilities", (NLL, f"r = np.clip({SIGMOID}, 1e-7, 1 - 1e-7); {NLL_OF_R}")),
    edited("tanh_of_its_output", ("dg * (1 - g * g)", "dg * (1 - np.tanh(g) ** 2)")),
    edited("sampled_kl", (KL, "kl = 0.5 * (v - logvar - eps**2 + (z - m) ** 2 / np.exp(v))")),
    edited(
        "a_step_taken",
        ("return loss, grads", "for n in grads: p[n] -= 0.1 * grads[n]\n    return loss, grads"),
    ),
    edited(
        "grads_kept_among_the_parameters", ("p, grads = params, {}", "p, grads = params, params")
    ),
    edited("grads_as_a_list", ("return loss, grads", "return loss, [grads[n] for n in p]")),
    edited("grads_first", ("return loss, grads", "return grads, loss")),
)

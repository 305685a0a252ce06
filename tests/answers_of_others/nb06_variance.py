"""Notebook 06: answers to `06.variance-output`."""

import inspect

import numpy as np
from answers_of_others.registry import right, wrong


@right("06.variance-output")
def as_one_layer_of_twice_the_size(params, x, eps):
    p, B, D, grads = params, len(x), x.shape[1], {}
    both_W = np.hstack([p["out_W"], p["var_W"]])
    both_b = np.concatenate([p["out_b"], p["var_b"]])
    h = np.tanh(x @ p["enc1_W"] + p["enc1_b"])
    mu, logvar = h @ p["mu_W"] + p["mu_b"], h @ p["logvar_W"] + p["logvar_b"]
    std = np.exp(logvar / 2)
    z = mu + eps * std
    g = np.tanh(z @ p["dec1_W"] + p["dec1_b"])
    mean, v = np.split(g @ both_W + both_b, 2, axis=1)
    r = (x - mean) * np.exp(-v / 2)
    nll = 0.5 * (r * r + v + np.log(2 * np.pi)).sum(axis=1).mean()
    kl = 0.5 * (mu**2 + np.exp(logvar) - 1 - logvar).sum(axis=1).mean()
    dmean = -r * np.exp(-v / 2)
    dv = (1 - r * r) / 2
    dboth = np.hstack([dmean, dv]) / B
    W, b = g.T @ dboth, dboth.sum(axis=0)
    grads["out_W"], grads["var_W"] = W[:, :D], W[:, D:]
    grads["out_b"], grads["var_b"] = b[:D], b[D:]
    da = (dboth @ both_W.T) * (1 - g**2)
    grads["dec1_W"], grads["dec1_b"] = z.T @ da, da.sum(axis=0)
    dz = da @ p["dec1_W"].T
    dmu, dlogvar = dz + mu / B, dz * eps * std / 2 + np.expm1(logvar) / 2 / B
    grads["mu_W"], grads["mu_b"] = h.T @ dmu, dmu.sum(axis=0)
    grads["logvar_W"], grads["logvar_b"] = h.T @ dlogvar, dlogvar.sum(axis=0)
    dh = (dmu @ p["mu_W"].T + dlogvar @ p["logvar_W"].T) * (1 - h**2)
    grads["enc1_W"], grads["enc1_b"] = x.T @ dh, dh.sum(axis=0)
    return nll + kl, grads


@right("06.variance-output")
def example_by_example(params, x, eps):
    parts = [
        as_one_layer_of_twice_the_size(params, x[i : i + 1], eps[i : i + 1]) for i in range(len(x))
    ]
    loss = sum(loss for loss, _ in parts) / len(parts)
    return loss, {n: sum(grads[n] for _, grads in parts) / len(parts) for n in params}


def loss_in_complex_numbers(p, x, eps):
    h = np.tanh(x @ p["enc1_W"] + p["enc1_b"])
    mu, logvar = h @ p["mu_W"] + p["mu_b"], h @ p["logvar_W"] + p["logvar_b"]
    g = np.tanh((mu + np.exp(logvar / 2) * eps) @ p["dec1_W"] + p["dec1_b"])
    mean, v = g @ p["out_W"] + p["out_b"], g @ p["var_W"] + p["var_b"]
    nll = ((x - mean) ** 2 / np.exp(v) + v + np.log(2 * np.pi)).sum() / 2
    return (nll + (mu**2 + np.exp(logvar) - 1 - logvar).sum() / 2) / len(x)


@right("06.variance-output")
def by_the_complex_step(params, x, eps):
    grads = {}
    for name, block in params.items():
        grads[name] = np.zeros(block.shape)
        for i in np.ndindex(block.shape):
            moved = block.astype(complex)
            moved[i] += 1e-30j
            grads[name][i] = loss_in_complex_numbers(params | {name: moved}, x, eps).imag / 1e-30
    return [loss_in_complex_numbers(params, x, eps), grads]


def edited(name, *edits):
    """`as_one_layer_of_twice_the_size` with these edits, under another name."""
    source = inspect.getsource(as_one_layer_of_twice_the_size)
    for old, new in edits:
        assert source.count(old) == 1, old
        source = source.replace(old, new)
    namespace = {"np": np, "right": lambda id: lambda answer: answer}
    exec(source, namespace)
    answer = namespace["as_one_layer_of_twice_the_size"]
    answer.__name__ = name
    return answer


R, NLL = (
    "r = (x - mean) * np.exp(-v / 2)",
    "nll = 0.5 * (r * r + v + np.log(2 * np.pi)).sum(axis=1)",
)
DMEAN, DV = "dmean = -r * np.exp(-v / 2)", "dv = (1 - r * r) / 2"

wrong(
    "06.variance-output",
    edited(
        "v_as_log_sigma_in_the_squares",
        (R, "r = (x - mean) * np.exp(-v)"),
        (DMEAN, "dmean = -r * np.exp(-v)"),
        (DV, "dv = 0.5 - r * r"),
    ),
    edited(
        "v_as_the_variance",
        (R, "r = (x - mean) / np.sqrt(abs(v))"),
        (DMEAN, "dmean = -r / np.sqrt(abs(v))"),
        (DV, "dv = (1 - r * r / v) / 2"),
    ),
    edited(
        "multiplied_by_the_variance",
        (R, "r = (x - mean) * np.exp(v / 2)"),
        (DMEAN, "dmean = -r * np.exp(v / 2)"),
        (DV, "dv = (1 + r * r) / 2"),
    ),
    edited("log_of_two_pi_forgotten", (NLL, "nll = 0.5 * (r * r + v).sum(axis=1)")),
    edited(
        "log_of_two_pi_once_an_image",
        (NLL, "nll = 0.5 * ((r * r + v).sum(axis=1) + np.log(2 * np.pi))"),
    ),
    edited("v_forgotten_in_the_loss", (NLL, "nll = 0.5 * (r * r + np.log(2 * np.pi)).sum(axis=1)")),
    edited(
        "v_not_halved",
        (NLL, "nll = (0.5 * r * r + v + 0.5 * np.log(2 * np.pi)).sum(axis=1)"),
        (DV, "dv = 1 - r * r / 2"),
    ),
    edited(
        "mean_over_the_pixels", (NLL, "nll = 0.5 * (r * r + v + np.log(2 * np.pi)).mean(axis=1)")
    ),
    edited("sign_of_dmean", (DMEAN, "dmean = r * np.exp(-v / 2)")),
    edited("root_of_the_precision_in_dmean", (DMEAN, "dmean = -r")),
    edited("two_in_dmean", (DMEAN, "dmean = -2 * r * np.exp(-v / 2)")),
    edited("one_forgotten_in_dv", (DV, "dv = -r * r / 2")),
    edited("residual_not_squared_in_dv", (DV, "dv = (1 - r) / 2")),
    edited("raw_residual_in_dv", (DV, "dv = (1 - (x - mean) ** 2) / 2")),
    edited("v_of_the_batch", (DV, "dv = (1 - r * r).mean(axis=0) / 2 + 0 * v")),
    edited(
        "layers_swapped",
        ('grads["out_W"], grads["var_W"] = W', 'grads["var_W"], grads["out_W"] = W'),
    ),
    edited(
        "weights_of_the_mean_for_both",
        ("da = (dboth @ both_W.T)", 'da = ((dboth[:, :D] + dboth[:, D:]) @ p["out_W"].T)'),
    ),
    edited("mean_of_the_two_ways", ("da = (dboth @ both_W.T)", "da = (dboth @ both_W.T / 2)")),
    edited(
        "tanh_on_one_way_only",
        (
            "da = (dboth @ both_W.T) * (1 - g**2)",
            'da = dboth[:, :D] @ p["out_W"].T * (1 - g**2) + dboth[:, D:] @ p["var_W"].T',
        ),
    ),
    edited("batch_only_in_the_mean", ("np.hstack([dmean, dv]) / B", "np.hstack([dmean / B, dv])")),
    edited("biases_averaged", ("dboth.sum(axis=0)", "dboth.mean(axis=0)")),
    edited("bernoulli_all_the_same", (DMEAN, "dmean = 1 / (1 + np.exp(-mean)) - x")),
    edited("v_clipped", ("r = (x - mean)", "v = np.clip(v, -0.5, 0.5)\n    r = (x - mean)")),
    edited("kl_of_the_mean_only", ("np.expm1(logvar) / 2 / B", "0 * logvar")),
    edited(
        "no_gradient_for_v",
        ('grads["out_b"], grads["var_b"] = b[:D], b[D:]', 'grads["out_b"] = b[:D]'),
    ),
    edited(
        "parameters_overwritten",
        (
            'grads["out_W"], grads["var_W"] = W',
            'p["var_W"] *= 0; grads["out_W"], grads["var_W"] = W',
        ),
    ),
)

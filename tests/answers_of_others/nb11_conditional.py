"""Notebook 11: answers to `11.conditional`."""

import numpy as np
from answers_of_others.registry import right, wrong


def _answer(
    one_hot=lambda y, C: np.eye(C)[y],
    with_x=lambda x, label: np.hstack([x, label]),
    with_z=lambda z, label: np.hstack([z, label]),
    part_of_z=lambda back, L: back[:, :L],
    kl_weight=1.0,
    noise=lambda eps: eps,
    changed=lambda grads, own: {},
):
    """The gradient of notebook 06 with a label; each argument is one step of it."""

    def answer(params, x, y, eps):
        B, L = eps.shape
        C = len(params["enc1_W"]) - x.shape[1]
        label = one_hot(y, C)
        inside = with_x(x, label)
        h = np.tanh(inside @ params["enc1_W"] + params["enc1_b"])
        mu = h @ params["mu_W"] + params["mu_b"]
        logvar = h @ params["logvar_W"] + params["logvar_b"]
        sigma, e = np.exp(logvar / 2), noise(eps)
        code = with_z(mu + sigma * e, label)
        h2 = np.tanh(code @ params["dec1_W"] + params["dec1_b"])
        logits = h2 @ params["out_W"] + params["out_b"]
        nll = np.logaddexp(0, logits) - x * logits
        kl = (mu**2 + sigma**2 - logvar - 1) / 2
        loss = (nll.sum() + kl_weight * kl.sum()) / B
        dlogits = (1 / (1 + np.exp(-logits)) - x) / B
        da2 = dlogits @ params["out_W"].T * (1 - h2**2)
        dz = part_of_z(da2 @ params["dec1_W"].T, L)
        dmu = dz + kl_weight * mu / B
        dlogvar = dz * e * sigma / 2 + kl_weight * (sigma**2 - 1) / 2 / B
        da1 = (dmu @ params["mu_W"].T + dlogvar @ params["logvar_W"].T) * (1 - h**2)
        deltas = {"enc1": da1, "mu": dmu, "logvar": dlogvar, "dec1": da2, "out": dlogits}
        inputs = {"enc1": inside, "mu": h, "logvar": h, "dec1": code, "out": h2}
        grads = {f"{name}_W": inputs[name].T @ delta for name, delta in deltas.items()}
        grads |= {f"{name}_b": delta.sum(axis=0) for name, delta in deltas.items()}
        return loss, grads | changed(grads, {"x": x, "y": y, "L": L, "da1": da1, "da2": da2})

    return answer


# ---- right ---------------------------------------------------------------------------------------

right("11.conditional", _answer())


@right("11.conditional")
def a_bias_for_each_label(params, x, y, eps):
    """Eq. (14): the row of the label is added, and its gradient is gathered by label."""
    D, L = x.shape[1], eps.shape[1]
    cut = {"enc1_W": params["enc1_W"][:D], "dec1_W": params["dec1_W"][:L]}
    shift_x, shift_z = params["enc1_W"][D:][y], params["dec1_W"][L:][y]
    h = np.tanh(x @ cut["enc1_W"] + shift_x + params["enc1_b"])
    mu, logvar = (h @ params[f"{k}_W"] + params[f"{k}_b"] for k in ("mu", "logvar"))
    z = mu + np.exp(0.5 * logvar) * eps
    h2 = np.tanh(z @ cut["dec1_W"] + shift_z + params["dec1_b"])
    t = h2 @ params["out_W"] + params["out_b"]
    loss = np.mean((np.logaddexp(0, t) - x * t).sum(axis=1))
    loss += 0.5 * np.mean((mu**2 + np.expm1(logvar) - logvar).sum(axis=1))
    dt = (0.5 + np.tanh(t / 2) / 2 - x) / len(x)
    da2 = np.einsum("bd,hd->bh", dt, params["out_W"]) * (1 - h2 * h2)
    dz = da2 @ cut["dec1_W"].T
    dmu = dz + mu / len(x)
    dlogvar = 0.5 * (dz * (z - mu) + np.expm1(logvar) / len(x))
    da1 = (dmu @ params["mu_W"].T + dlogvar @ params["logvar_W"].T) / np.cosh(np.arctanh(h)) ** 2
    of_label = [np.zeros_like(shape) for shape in (params["enc1_W"][D:], params["dec1_W"][L:])]
    for rows, delta in zip(of_label, (da1, da2), strict=True):
        np.add.at(rows, y, delta)
    return loss, dict(
        enc1_W=np.concatenate([x.T @ da1, of_label[0]]), enc1_b=da1.sum(0),
        mu_W=h.T @ dmu, mu_b=dmu.sum(0), logvar_W=h.T @ dlogvar, logvar_b=dlogvar.sum(0),
        dec1_W=np.concatenate([z.T @ da2, of_label[1]]), dec1_b=da2.sum(0),
        out_W=h2.T @ dt, out_b=dt.sum(0),
    )  # fmt: skip


@right("11.conditional")
def mean_of_single_images(params, x, y, eps):
    single = [_answer()(params, x[[b]], y[[b]], eps[[b]]) for b in range(len(x))]
    loss = sum(part for part, _ in single) / len(x)
    return loss, {k: np.mean([grads[k] for _, grads in single], axis=0) for k in params}


right(
    "11.conditional",
    _answer(one_hot=lambda y, C: (y[:, None] == range(C)).astype(float)),
)

# ---- wrong ---------------------------------------------------------------------------------------

wrong(
    "11.conditional",
    _answer(with_x=lambda x, label: np.hstack([label, x])),
    _answer(with_x=lambda x, label: np.hstack([x, label[::-1]])),
    _answer(one_hot=lambda y, C: np.eye(C)[y - 1]),
    _answer(one_hot=lambda y, C: np.eye(C)[C - 1 - y]),
    _answer(one_hot=lambda y, C: np.eye(C)[y] / C),
    _answer(one_hot=lambda y, C: 1 - np.eye(C)[y]),
    _answer(one_hot=lambda y, C: (np.arange(C) <= y[:, None]) * 1.0),
    _answer(one_hot=lambda y, C: np.eye(C)[y] - 1 / C),
    _answer(one_hot=lambda y, C: np.tile(np.eye(C)[y[0]], (len(y), 1))),
    _answer(one_hot=lambda y, C: np.eye(y.max() + 1)[y]),
    _answer(one_hot=lambda y, C: np.eye(3)[y]),
    _answer(one_hot=lambda y, C: np.eye(10)[y]),
    _answer(part_of_z=lambda back, L: back[:, :2]),
    _answer(part_of_z=lambda back, L: back[:, :L] / 2),
    _answer(part_of_z=lambda back, L: back),
    _answer(part_of_z=lambda back, L: back[:, :L] + back[:, L:].sum(axis=1, keepdims=True)),
    _answer(kl_weight=0.0),
    _answer(kl_weight=2.0),
    _answer(noise=lambda eps: 0 * eps),
    _answer(noise=lambda eps: np.random.default_rng().standard_normal(eps.shape)),
)


def _rows_summed_for_all(grads, own):
    rows = grads["dec1_W"].copy()
    rows[own["L"] :] = own["da2"].sum(axis=0)
    return {"dec1_W": rows}


def _decoder_rows_zero(grads, own):
    rows = grads["dec1_W"].copy()
    rows[own["L"] :] = 0
    return {"dec1_W": rows}


def _last_image_of_a_label(grads, own):
    rows = grads["dec1_W"].copy()
    rows[own["L"] + own["y"]] = own["da2"]
    return {"dec1_W": rows}


wrong(
    "11.conditional",
    _answer(changed=_rows_summed_for_all),
    _answer(changed=_decoder_rows_zero),
    _answer(changed=_last_image_of_a_label),
    _answer(changed=lambda grads, own: {"dec1_W": grads["dec1_W"][: own["L"]]}),
    _answer(changed=lambda grads, own: {"enc1_b": own["da1"].mean(axis=0)}),
    _answer(changed=lambda grads, own: {"y": own["da2"]}),
)


@wrong("11.conditional")
def gradients_alone(params, x, y, eps):
    return _answer()(params, x, y, eps)[1]


@wrong("11.conditional")
def loss_of_each_image(params, x, y, eps):
    single = [_answer()(params, x[[b]], y[[b]], eps[[b]])[0] for b in range(len(x))]
    return np.array(single), _answer()(params, x, y, eps)[1]


@wrong("11.conditional")
def gradients_of_the_elbo(params, x, y, eps):
    loss, grads = _answer()(params, x, y, eps)
    return -loss, {name: -block for name, block in grads.items()}


@wrong("11.conditional")
def steps_taken_in_params(params, x, y, eps):
    loss, grads = _answer()(params, x, y, eps)
    for name in params:
        params[name] -= 0.1 * grads[name]
    return loss, grads

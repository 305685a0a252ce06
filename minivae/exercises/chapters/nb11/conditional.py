"""The gradient of a conditional VAE, from that of notebook 06."""

import numpy as np

from minivae.exercises.exercise import Exercise, WrongAnswer, generic, planted_module, stub
from minivae.spec import Spec, init_params, unpack

SPECS = (
    Spec(data_dim=4, hidden=(3,), latent_dim=2, classes=3),
    Spec(data_dim=3, hidden=(2,), latent_dim=4, classes=5),
)


def my_conditional_grads(params, x, y, eps):
    """loss = mean_B nll + mean_B kl of q(z|x, y), p(x|z, y), and its gradients   [notebook 11]"""
    p, B, L, grads = params, len(x), eps.shape[1], {}
    C = len(p["dec1_W"]) - L
    label = np.eye(C)[y]
    # forward
    xy = np.hstack([x, label])
    y1 = np.tanh(xy @ p["enc1_W"] + p["enc1_b"])
    mu = y1 @ p["mu_W"] + p["mu_b"]
    logvar = y1 @ p["logvar_W"] + p["logvar_b"]
    sigma = np.exp(logvar / 2)
    zy = np.hstack([mu + sigma * eps, label])
    y2 = np.tanh(zy @ p["dec1_W"] + p["dec1_b"])
    logits = y2 @ p["out_W"] + p["out_b"]
    nll = (((logits > 0) - x) * logits + np.log1p(np.exp(-np.abs(logits)))).sum() / B
    kl = (mu**2 + sigma**2 - 1 - logvar).sum() / 2 / B
    # backward, the decoder
    dlogits = (1 / (1 + np.exp(-logits)) - x) / B
    grads["out_W"], grads["out_b"] = y2.T @ dlogits, dlogits.sum(axis=0)
    da = dlogits @ p["out_W"].T * (1 - y2**2)
    grads["dec1_W"], grads["dec1_b"] = zy.T @ da, da.sum(axis=0)
    dz = (da @ p["dec1_W"].T)[:, :L]  # the label is given: its columns end here
    # backward, q: through z and from the KL
    dmu = dz + mu / B
    dlogvar = dz * eps * sigma / 2 + (sigma**2 - 1) / 2 / B
    # backward, the encoder: both heads read the same y1
    grads["mu_W"], grads["mu_b"] = y1.T @ dmu, dmu.sum(axis=0)
    grads["logvar_W"], grads["logvar_b"] = y1.T @ dlogvar, dlogvar.sum(axis=0)
    da = (dmu @ p["mu_W"].T + dlogvar @ p["logvar_W"].T) * (1 - y1**2)
    grads["enc1_W"], grads["enc1_b"] = xy.T @ da, da.sum(axis=0)
    return nll + kl, grads


def _cases():
    first, second = SPECS
    cases = []
    # in the last one no image has the last label, and all sizes are others
    for seed, spec, y in (
        (71, first, [2]),
        (72, first, [1, 0, 2, 1, 1]),
        (73, second, [3, 0, 3, 1]),
    ):
        rng = np.random.default_rng(seed)
        flat = init_params(spec, rng, dtype=np.float64)
        flat += 0.3 * rng.standard_normal(len(flat))  # biases that are not 0
        x = (rng.random((len(y), spec.data_dim)) < 0.5).astype(float)
        cases.append((unpack(flat, spec), x, np.array(y), generic(rng, len(y), spec.latent_dim)))
    return cases


def _package(module):
    def own(params, x, y, eps):
        spec = next(s for s in SPECS if s.data_dim == x.shape[1])
        result = module.elbo_and_grads(params, x, y, eps, spec)
        return float(result.loss), result.grads

    return own


def _planted(name, says):
    """The package's answer with a mistake planted, and what is said of it to the reader."""
    return WrongAnswer(name, lambda *args: _package(planted_module(name))(*args), says)


def _changed(change):
    """The right answer with its gradients changed: change(grads, x, y) -> other entries."""

    def own(params, x, y, eps):
        loss, grads = my_conditional_grads(params, x, y, eps)
        return loss, grads | change(grads, x, y)

    return own


def _without_label_rows(grads, x, _y):
    D, L = x.shape[1], grads["mu_b"].size
    enc, dec = grads["enc1_W"].copy(), grads["dec1_W"].copy()
    enc[D:], dec[L:] = 0, 0
    return {"enc1_W": enc, "dec1_W": dec}


def _label_rows_averaged(grads, x, y):
    D, L = x.shape[1], grads["mu_b"].size
    enc, dec = grads["enc1_W"].copy(), grads["dec1_W"].copy()
    counts = np.bincount(y, minlength=len(dec) - L)[:, None].clip(1)
    enc[D:] /= counts
    dec[L:] /= counts
    return {"enc1_W": enc, "dec1_W": dec}


CONDITIONAL = Exercise(
    id="11.conditional",
    title="the gradient of a conditional VAE, from the one you have",
    stub=stub("""
        def conditional_grads(params, x, y, eps):
            # dict of arrays, x (B, D), labels y (B,) from 0 to C - 1, eps (B, L).
            # Start from the gradient of notebook 06. New: the one-hot label (B, C)
            # stands behind x in the encoder's input and behind z in the decoder's, so that
            # enc1_W is (D + C, H) and dec1_W (L + C, H); all else is as it was
            ...    # -> loss (float), gradients (dict, the same keys)
    """),
    reference=my_conditional_grads,
    cases=_cases,
    returns=("loss", "gradients"),
    package=_package,
    module="conditional",
    mistakes=(
        _planted(
            "label-gradient-taken-for-that-of-z",
            "dz holds the columns of the label. z came first in the decoder's input, so dz is the "
            "first L columns of what comes back.",
        ),
        _planted(
            "label-before-z",
            "The label stands before z in your decoder's input; it belongs behind z.",
        ),
        _planted(
            "label-of-another-image",
            "The decoder gets the label of another image: row b of the one-hot labels belongs to "
            "row b of z.",
        ),
        _planted(
            "label-only-for-the-decoder-in-training",
            "Your encoder is not told the label: this is q(z|x), and q(z|x, y) is asked for.",
        ),
        _planted(
            "label-never-reaches-the-decoder",
            "Your decoder is not told the label: this is p(x|z), and p(x|z, y) is asked for.",
        ),
        _planted(
            "label-as-a-number",
            "The label goes in as one number. It should be one-hot: a 1 in column y, elsewhere 0.",
        ),
        WrongAnswer(
            "label-rows-not-trained",
            _changed(_without_label_rows),
            "The rows of enc1_W and dec1_W that belong to the label have no gradient. The label is "
            "given, but the weights behind it are learned.",
        ),
        WrongAnswer(
            "label-rows-averaged",
            _changed(_label_rows_averaged),
            "The row of a label is averaged over its images. The 1/B of the loss is in da already: "
            "only sum.",
        ),
        WrongAnswer(
            "label-rows-left-out",
            _changed(
                lambda grads, x, _: {
                    "enc1_W": grads["enc1_W"][: x.shape[1]],
                    "dec1_W": grads["dec1_W"][: grads["mu_b"].size],
                }
            ),
            "The gradients of enc1_W and dec1_W lack the label's rows: multiply da by the whole "
            "input of the layer, label included.",
        ),
    ),
    hints=(
        "Only two inputs change: np.hstack([x, label]) and np.hstack([z, label]), with "
        "label = np.eye(C)[y].",
        "Backward, the first layers' dW use these longer inputs. What comes back to the decoder's "
        "input has L + C columns: how many of them does q need?",
        "dz = (da @ dec1_W.T)[:, :L]; dec1_W gets np.hstack([z, label]).T @ da, and enc1_W "
        "np.hstack([x, label]).T @ da. All other lines stay.",
    ),
)

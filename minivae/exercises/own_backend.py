"""The reader's own answers as a backend: an object with the names of `ops.py`.

Each building block is the reader's function where one has passed (in this session or an earlier
one), else the reference. The exercises ask for the mathematics only; what a backend needs besides
(caches, K samples, writing into a given array) is added here.
"""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from minivae import ops
from minivae.exercises import capture, store
from minivae.exercises.cards import CORRECT, Card, display
from minivae.exercises.catalogue import exercises
from minivae.exercises.checker import passed
from minivae.exercises.grading import grade
from minivae.spec import Spec

BLOCKS = (
    "03.kl",
    "03.kl-backward",
    "04.reparameterize",
    "04.reparameterize-backward",
    "05.dense",
    "05.dense-backward",
    "05.tanh-backward",
    "05.relu-backward",
    "05.sigmoid",
    "05.bernoulli-nll",
    "05.bernoulli-nll-backward",
    "05.gaussian-nll",
    "05.gaussian-nll-backward",
    "07.adam",
)


def my_backend() -> SimpleNamespace:
    """A backend of the reader's functions; `yours` and `borrowed` list the exercises' ids."""
    state, _ = store.load()
    blocks: dict[str, Callable[..., Any]] = {}
    yours = []
    for id in BLOCKS:
        function = _own(id, state)
        if function is not None:
            yours.append(id)
        blocks[id] = function or exercises()[id].reference
    borrowed = [id for id in BLOCKS if id not in yours]
    body = f"from the reference: {', '.join(borrowed)}" if borrowed else ""
    display(Card(f"your backend: {len(yours)} of {len(BLOCKS)} functions are yours", body))
    pairs = {
        **_dense(blocks),
        **_reparam(blocks),
        **_gaussian_kl(blocks),
        **_bernoulli(blocks),
        **_gaussian(blocks),
        "sigmoid": blocks["05.sigmoid"],
        "adam_step": blocks["07.adam"],
        "ACTIVATIONS": ops.ACTIVATIONS,
    }
    return SimpleNamespace(**pairs, yours=tuple(yours), borrowed=tuple(borrowed))


def _own(id, state):
    """The reader's function, once it passes again: from this session, or from the kept source.
    (A global variable that it uses may have changed since it passed.)"""
    if id in passed:
        return passed[id] if grade(exercises()[id], passed[id]).status == CORRECT else None
    source = state["exercises"].get(id, {}).get("source")
    if not source:
        return None
    try:
        function = capture.function_from(source, id)
    except Exception:  # the kept code may raise anything; then the reference is used
        return None
    return function if grade(exercises()[id], function).status == CORRECT else None


def _dense(blocks):
    dense, dense_backward = blocks["05.dense"], blocks["05.dense-backward"]
    backward_of = {"tanh": blocks["05.tanh-backward"], "relu": blocks["05.relu-backward"]}

    def forward(x, W, b, activation):
        a = dense(x, W, b)
        if activation == "none":
            return a, (x, W, a, activation, None)
        # The activation alone is the reference's layer with the identity as weights.
        identity, zeros = np.eye(a.shape[1], dtype=a.dtype), np.zeros(a.shape[1], a.dtype)
        y, activation_cache = ops.dense_forward(a, identity, zeros, activation)
        return y, (x, W, y, activation, activation_cache)

    def backward(dy, cache, *, out=None, need_dx=True):
        x, W, y, activation, activation_cache = cache
        if activation in backward_of:
            da = backward_of[activation](dy, y)
        elif activation == "none":
            da = dy
        else:  # there is no exercise for this activation
            da, _, _ = ops.dense_backward(dy, activation_cache)
        dx, dW, db = dense_backward(da, x, W)
        if out is not None:
            out[0][...], out[1][...] = dW, db
            dW, db = out
        return (dx if need_dx else None), dW, db

    return {"dense_forward": forward, "dense_backward": backward}


def _reparam(blocks):
    sample, sample_backward = blocks["04.reparameterize"], blocks["04.reparameterize-backward"]

    def forward(mu, logvar, eps):
        if eps.ndim == 2:
            return sample(mu, logvar, eps), (logvar, eps)
        return np.stack([sample(mu, logvar, e) for e in eps]), (logvar, eps)

    def backward(dz, cache):
        logvar, eps = cache
        if dz.ndim == 2:
            return sample_backward(dz, logvar, eps)
        each = [sample_backward(d, logvar, e) for d, e in zip(dz, eps, strict=True)]
        return sum(dmu for dmu, _ in each), sum(dlogvar for _, dlogvar in each)

    return {"reparam_forward": forward, "reparam_backward": backward}


def _gaussian_kl(blocks):
    """The exercise sums over latents and a backend does not, so each latent is passed as an
    example."""
    kl, kl_backward = blocks["03.kl"], blocks["03.kl-backward"]

    def forward(mu, logvar):
        each = kl(mu.reshape(-1, 1), logvar.reshape(-1, 1)).reshape(mu.shape)
        return each, ops.GaussianKLCache(mu, logvar)

    def backward(dkl, cache):
        mu, logvar = cache
        dkl = np.broadcast_to(dkl, mu.shape).reshape(-1)
        dmu, dlogvar = kl_backward(dkl, mu.reshape(-1, 1), logvar.reshape(-1, 1))
        return dmu.reshape(mu.shape), dlogvar.reshape(mu.shape)

    return {"gaussian_kl_forward": forward, "gaussian_kl_backward": backward}


def _bernoulli(blocks):
    nll, nll_backward = blocks["05.bernoulli-nll"], blocks["05.bernoulli-nll-backward"]

    def forward(logits, x):
        rows = _rows(logits), _rows(np.broadcast_to(x, logits.shape))
        return nll(*rows).reshape(logits.shape[:-1]), rows

    def backward(dnll, cache):
        logits, x = cache
        return nll_backward(dnll.reshape(-1), logits, x).reshape(*dnll.shape, -1)

    return {"bernoulli_nll_forward": forward, "bernoulli_nll_backward": backward}


def _gaussian(blocks):
    nll, nll_backward = blocks["05.gaussian-nll"], blocks["05.gaussian-nll-backward"]

    def forward(mean, logvar, x):
        rows = _rows(mean), logvar, _rows(np.broadcast_to(x, mean.shape))
        return nll(*rows).reshape(mean.shape[:-1]), rows

    def backward(dnll, cache):
        dmean, dlogvar = nll_backward(dnll.reshape(-1), *cache)
        return dmean.reshape(*dnll.shape, -1), dlogvar

    return {"gaussian_nll_forward": forward, "gaussian_nll_backward": backward}


def _rows(a):
    return a.reshape(-1, a.shape[-1])


def poster(
    images: np.ndarray, backend: SimpleNamespace, spec: Spec, path: str | Path | None = None
) -> Any:
    """A picture to keep, "drawn by gradients you wrote", saved as PNG at `path`.

    images: (N, h, w). Returns the figure, which a notebook shows. The picture has this title only
    if the reader wrote all functions that a model of this `spec` uses; else the title says how
    many.
    """
    from minivae import plots

    ran = [id for id in BLOCKS if _runs(id, spec)]
    own = [id for id in ran if id in backend.yours]
    title = "drawn by gradients you wrote"
    if len(own) < len(ran):
        title = f"{len(own)} of the {len(ran)} functions that drew this are yours"
    fig, ax = plots.figure(6, 6.6)
    plots.show_grid(ax, images, max(1, round(len(images) ** 0.5)), title)
    if path is not None:
        plots.save(fig, path)
    return fig


def _runs(id, spec):
    """Whether a model of this spec calls that block: one of its activation and likelihood."""
    kinds = ("tanh", "relu", "bernoulli", "gaussian")
    kind = id[3:].split("-")[0]
    return kind not in kinds or kind in (spec.activation, spec.likelihood)

"""The latent explorer: one self-contained HTML page for one model.

The page holds the decoder in 16-bit numbers, the encoded test images as dots, and the script that
draws both. Nothing is fetched: the page's Content-Security-Policy forbids every request, and allows
no other script and no other style sheet. Whatever comes from outside (a run's name, a label) is
inserted as escaped text.
"""

import base64
import hashlib
import html
import json
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import NamedTuple

import numpy as np

from minivae import data, evaluate, files, vae
from minivae.backend import Backend
from minivae.data import Dataset
from minivae.errors import MinivaeError
from minivae.evaluate import interpretability
from minivae.runs import Model

PARTS = Path(__file__).parent
DOTS = 1500  # test images drawn as dots
TESTS = 16  # codes that the page decodes when it tests itself
PICTURE_BYTES = 300_000  # for the pictures of the dots: of fewer dots where images are large
REACH = 3  # the plane and the sliders show -3 to 3 standard deviations of the prior
HALF_MAX = 65504.0  # the largest finite float16


class Colouring(NamedTuple):
    """One way to colour the dots: names of categories, or None for numbers from low to high."""

    name: str
    values: np.ndarray  # (N,): indices into names, or numbers
    names: list[str] | None


def by_label(labels: np.ndarray, name: str = "label") -> Colouring:
    """Colour by the categories in `labels` (N,)."""
    known, index = np.unique(labels, return_inverse=True)
    return Colouring(name, index, [str(label) for label in known])


def write(
    path: str | PathLike[str],
    model: Model,
    dataset: Dataset,
    x: np.ndarray,
    *,
    title: str,
    ops: Backend,
    factors: Mapping[str, np.ndarray] | None = None,
) -> None:
    """Write the explorer of `model` to `path`, with the test images of `dataset` as dots.

    x: those images as the model takes them, (N, D). factors: their true factors by name, (N,) each,
    if they are known: each slider then shows the factor that it tracks best. Raises MinivaeError
    for a model with fewer than two latents, or a path that cannot be written.
    """
    text = page(model, dataset, x, title=title, ops=ops, factors=factors)
    files.atomic_write(path, text.encode())


def page(
    model: Model,
    dataset: Dataset,
    x: np.ndarray,
    *,
    title: str,
    ops: Backend,
    factors: Mapping[str, np.ndarray] | None = None,
) -> str:
    """The explorer's HTML, as text; arguments and errors as in `write`."""
    spec = model.spec
    if spec.latent_dim < 2:
        raise MinivaeError(
            f"this model has {spec.latent_dim} latent; the explorer needs a plane: train with "
            "--latent 2 or more"
        )
    mu, _ = vae.encode(model.params, x[:DOTS], spec, ops)
    # the latents whose means vary most come first
    order = np.argsort(-mu.var(axis=0), kind="stable")
    names = [f"z{i + 1}" for i in range(spec.latent_dim)]
    factors = {} if factors is None else factors
    colourings = [Colouring(name, values, None) for name, values in factors.items()]
    if dataset.test_labels is not None:
        colourings.append(by_label(dataset.test_labels))
    payload = {
        "layers": _layers(model),
        "activation": spec.activation,
        "likelihood": spec.likelihood,
        "shape": list(model.image_shape),
        "reach": REACH,
        "plane": sorted(int(i) for i in order[:2]),
        "order": [int(i) for i in order],
        "names": names,
        "labels": _labels(model, x, names, factors, ops) if factors else names,
        "points": _half(mu),
        "pictures": _two_bits(dataset.test[: _pictured(dataset)]),
        "pictured": _pictured(dataset),
        "colors": [_colouring(colouring) for colouring in colourings],
        "facts": _facts(model, dataset, x, ops),
        "tests": _test_codes(spec.latent_dim).tolist(),
    }
    return _fill(title, payload)


def _labels(model, x, names, factors, ops):
    """The sliders' labels: the factor that each latent has most information about, and how much."""
    mu, logvar = vae.encode(model.params, x, model.spec, ops)
    eps = np.random.default_rng(0).standard_normal(mu.shape).astype(mu.dtype)
    codes, _ = ops.reparam_forward(mu, logvar, eps)
    table = np.stack(list(factors.values()), axis=1)
    known = interpretability.normalised_information(table, codes)  # (factors, latents)
    best = known.argmax(axis=0)
    return [
        f"{name}: {list(factors)[i]} ({100 * known[i, latent]:.0f}% of it)"
        for latent, (name, i) in enumerate(zip(names, best, strict=True))
    ]


def _facts(model, dataset, x, ops):
    """The facts about the model on the page, (name, text) pairs, measured on the test images."""
    spec = model.spec
    sizes = [spec.data_dim, *spec.hidden, spec.latent_dim]
    terms = evaluate.elbo_terms(model.params, x, spec, rng=np.random.default_rng(0), ops=ops)
    active = evaluate.active_units(model.params, x, spec, ops=ops)
    return [
        ("data", f"{dataset.name}: {dataset.note}"),
        ("model", f"{'-'.join(map(str, sizes))} and back, {spec.activation}, {spec.likelihood}"),
        ("parameters", f"{model.flat.size:,}"),
        ("latents in use", f"{active} of {spec.latent_dim}"),
        (
            "test ELBO",
            f"{terms.elbo:.2f} nats per image = \u2212(nll {terms.nll:.2f} + kl {terms.kl:.2f})",
        ),
    ]


def _test_codes(latent_dim):
    """(16, L) fixed codes, rounded so that JSON carries them exactly."""
    return np.random.default_rng(0).standard_normal((TESTS, latent_dim)).round(3)


def _layers(model):
    names = [f"dec{i}" for i in range(1, len(model.spec.hidden) + 1)] + ["out"]
    params = model.params
    return [
        {
            "rows": params[f"{name}_W"].shape[0],
            "columns": params[f"{name}_W"].shape[1],
            "W": _half(params[f"{name}_W"]),
            "b": _half(params[f"{name}_b"]),
        }
        for name in names
    ]


def _half(array):
    """Numbers as base64 of little-endian 16-bit floats."""
    clipped = np.clip(array, -HALF_MAX, HALF_MAX)
    return base64.b64encode(clipped.astype("<f2").tobytes()).decode()


def _pictured(dataset):
    """How many dots have a picture, at least one."""
    n, D = dataset.test.shape
    return max(1, min(n, DOTS, 4 * PICTURE_BYTES // D))


def _two_bits(images):
    """Images (N, D) in four shades of grey, four pixels a byte, the first in the lowest bits."""
    shades = np.rint(3 * data.scale(images)).astype(np.uint8).ravel()
    shades = np.pad(shades, (0, -len(shades) % 4)).reshape(-1, 4)
    packed = (shades << np.array([0, 2, 4, 6], np.uint8)).sum(axis=1, dtype=np.uint8)
    return base64.b64encode(packed.tobytes()).decode()


def _colouring(colouring):
    values = np.asarray(colouring.values)[:DOTS]
    if colouring.names is not None:
        return {"name": colouring.name, "values": values.tolist(), "names": colouring.names}
    rounded = [float(f"{value:.4g}") for value in values]
    return {
        "name": colouring.name,
        "values": rounded,
        "low": min(rounded),
        "high": max(rounded),
        "names": None,
    }


def _fill(title, payload):
    style = (PARTS / "explorer.css").read_text(encoding="utf-8")
    script = (PARTS / "explorer.js").read_text(encoding="utf-8")
    # Inside <script>, only "<" can end the block or open a comment: as \u003c it is plain data.
    described = json.dumps(payload, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
    policy = (
        f"default-src 'none'; base-uri 'none'; form-action 'none'; "
        f"script-src 'sha256-{_sha256(script)}'; style-src 'sha256-{_sha256(style)}'"
    )
    parts = {
        "__CSP__": policy,
        "__TITLE__": html.escape(title),
        "__STYLE__": style,
        "__SCRIPT__": script,
        "__MODEL__": described,
    }
    template = (PARTS / "explorer.html").read_text(encoding="utf-8")
    # One pass over the template, so that no placeholder is looked for in what is inserted.
    pieces = template.split("__")
    return "".join(parts.get(f"__{piece}__", piece) for piece in pieces)


def _sha256(text):
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()

"""The check of the whole VAE: every parameter block's gradient against two numerical ones.

It is done in float64, by central differences with one step and by the complex step, three
evaluations an entry: the model's passes take complex numbers and its points are generic, so no
ladder of steps is needed. The complex step holds every entry to 1e-12 of its block's largest, less
than any mistake leaves of an entry that rounding does not hide. A wrong formula whose
gradient is right passes; statistics and closed forms detect it.

`check_grad` is not used here. Where one difference does not see an entry it takes a ladder of at
least twenty evaluations, and what is reported here is the error of each block by each of the two.
"""

from collections.abc import Iterable, Sequence
from types import ModuleType
from typing import Any

import numpy as np

from minivae import mistakes, vae
from minivae import ops as numpy_ops
from minivae.backend import BACKENDS, Backend, load_backend
from minivae.errors import MinivaeError
from minivae.gradcheck.cases import DEFAULT_CASES, Case
from minivae.gradcheck.differences import (
    CENTRAL_BOUND,
    COMPLEX_BOUND,
    GRADIENTS,
    SLOPES,
    compare,
    random_directions,
)
from minivae.gradcheck.points import bound, bound_and_grads, generic_point
from minivae.spec import unpack


def check_backends(
    backends: Iterable[str] | dict[str, Backend] | None = None,
    plant: str | None = None,
    cases: Sequence[Case] = DEFAULT_CASES,
    seed: int = 0,
) -> dict[str, Any]:
    """Check every parameter block of the VAE -> {"ok", "blocks": [...]}, ready for JSON.

    backends: names, or a dict of name -> ops (your own, say); None: those that are installed.
    plant: the name of a mistake to plant first (then only the NumPy backend is checked), or "list".
    Each block is a dict: backend, block, case, central_diff, complex_step (errors, None where
    not finite) and, where it is wrong, a verdict. Raises MinivaeError for an unknown mistake or a
    backend that is not available.
    """
    if plant == "list":
        return {"ok": True, "blocks": [], "mistakes": [m.name for m in mistakes.MISTAKES]}
    model: ModuleType = vae
    forward: Any = numpy_ops
    absent: list[str] = []
    if plant is not None:
        if backends is not None:
            raise MinivaeError("a mistake is planted in the numpy backend; leave backends out")
        mistake = mistakes.find(plant)
        spoiled = mistakes.plant(mistake)
        model, forward = (vae, spoiled) if mistake.module == "ops" else (spoiled, numpy_ops)
        backends = {"numpy": forward}
    elif not isinstance(backends, dict):
        backends, absent = _load(backends)
    blocks = [
        block
        for case in cases
        for block in check_vae(case, backends, model=model, forward=forward, seed=seed)
    ]
    report = {"ok": all("verdict" not in b for b in blocks), "blocks": blocks}
    if absent:
        report["not_checked"] = absent
    if plant is not None:
        report["planted"] = plant
    return report


def _load(names: Iterable[str] | None) -> tuple[dict[str, Backend], list[str]]:
    """({name: ops}, the backends that are not installed); one that is named must be installed."""
    if names is not None:
        return {name: load_backend(name) for name in names}, []
    loaded, absent = {}, []
    for name in BACKENDS:
        try:
            loaded[name] = load_backend(name)
        except MinivaeError as error:
            absent.append(f"{name}: {error}")
    return loaded, absent


def check_vae(
    case: Case,
    backends: dict[str, Backend],
    *,
    model: ModuleType = vae,
    forward: Any = numpy_ops,
    seed: int = 0,
) -> list[dict[str, Any]]:
    """Every parameter block of one model, for each backend -> dicts as in `check_backends`.

    backends: name -> ops. The numerical gradients are those of `model` with the ops `forward`.
    """
    flat, x, eps = generic_point(case, seed)

    def loss(flat):
        return bound(model, case)(unpack(flat, case.spec), x, eps, ops=forward).loss

    blocks = tuple(unpack(np.arange(len(flat)), case.spec).items())
    if case.directions:
        directions = [_block_directions(case.directions, len(flat), block) for _, block in blocks]
        numeric = {m: [slopes(loss, flat, ds) for ds in directions] for m, slopes in SLOPES.items()}
    else:
        whole = {m: gradient(loss, flat) for m, gradient in GRADIENTS.items()}
        numeric = {m: [g[block] for _, block in blocks] for m, g in whole.items()}

    rows = []
    for backend, ops in backends.items():
        try:
            gradient = bound_and_grads(model, case)(
                unpack(flat, case.spec), x, eps, ops=ops
            ).flat_grads
        except ValueError as error:  # a mistake may leave shapes that do not fit
            rows += [_raised(backend, case, name, error) for name, _ in blocks]
            continue
        for i, (name, block) in enumerate(blocks):
            by_hand = directions[i] @ gradient if case.directions else gradient[block]
            rows.append(
                _row(backend, case, name, by_hand, numeric["central"][i], numeric["complex"][i])
            )
    return rows


def _row(
    backend: str,
    case: Case,
    name: str,
    by_hand: np.ndarray,
    central: np.ndarray,
    complex_step: np.ndarray,
) -> dict[str, Any]:
    sizes = {"the batch size B": case.batch, "the number of pixels D": case.spec.data_dim}
    if case.samples:
        sizes["the number of samples K"] = case.samples
        sizes["K B, all samples of the batch"] = case.samples * case.batch
    by_difference = compare(name, by_hand, central, CENTRAL_BOUND, sizes)
    by_complex_step = compare(name, by_hand, complex_step, COMPLEX_BOUND, sizes)
    row = {
        "backend": backend,
        "block": name,
        "case": case.name,
        "central_diff": _json(by_difference.error),
        "complex_step": _json(by_complex_step.error),
    }
    for report in (by_complex_step, by_difference):
        if not report.ok:
            row["verdict"] = report.sentence
    return row


def _raised(backend: str, case: Case, name: str, error: ValueError) -> dict[str, Any]:
    return {
        "backend": backend,
        "block": name,
        "case": case.name,
        "central_diff": None,
        "complex_step": None,
        "verdict": f"the backward pass raises {error}",
    }


def _json(number: float) -> float | None:
    return float(number) if np.isfinite(number) else None


def _block_directions(n: int, n_params: int, block: np.ndarray) -> np.ndarray:
    """n directions of the whole vector that move one block only: (n, P). block: its indices."""
    directions = np.zeros((n, n_params))
    directions[:, block.ravel()] = random_directions((block.size,), n)
    return directions

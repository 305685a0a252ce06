"""The check of a whole VAE or GAN: every parameter block's gradient, entry by entry.

It is that of `check_grad`, in float64: an entry of a small net is right, wrong, or nobody can tell,
by the complex step unless differences contradict it, within an error bar of its own; a model of 784
pixels is checked along random directions of each block. The numerical derivatives are taken once
and serve every backend. A wrong formula whose gradient is right passes; statistics and closed forms
detect it.
"""

from collections.abc import Callable, Iterable, Sequence
from types import ModuleType
from typing import Any

import numpy as np

from minivae import mistakes
from minivae import ops as numpy_ops
from minivae.backend import BACKENDS, Backend, load_backend
from minivae.errors import MinivaeError
from minivae.gradcheck.cases import (
    DEFAULT_CASES,
    DEFAULT_CONDITIONAL_CASES,
    DEFAULT_GAN_CASES,
    AnyCase,
)
from minivae.gradcheck.check import own_bars
from minivae.gradcheck.differences import block_error, private_rng
from minivae.gradcheck.directions import Directions
from minivae.gradcheck.entries import Numerics, Surroundings
from minivae.gradcheck.explain import explain_each
from minivae.gradcheck.inputs import Function, Gradient, Point, make_point, one_line
from minivae.gradcheck.noise import noise_of
from minivae.gradcheck.points import (
    MODULES,
    bound,
    bound_and_grads,
    generic_point,
    own_blocks,
    own_part,
)
from minivae.gradcheck.verdicts import CANNOT_TELL, REASONS, RIGHT, WRONG, judge
from minivae.spec import Params, unpack

LENGTH = 8.0  # of a direction of a wide model
VERDICTS = (RIGHT, WRONG, CANNOT_TELL)
Row = dict[str, Any]


def check_backends(
    backends: Iterable[str] | dict[str, Backend] | None = None,
    plant: str | None = None,
    cases: Sequence[AnyCase] = (*DEFAULT_CASES, *DEFAULT_CONDITIONAL_CASES, *DEFAULT_GAN_CASES),
    seed: int = 0,
) -> dict[str, Any]:
    """Check every parameter block of each model -> {"ok", "blocks": [...]}, ready for JSON.

    backends: names, or a dict of name -> ops (your own, say); None: those that are installed.
    plant: the name of a mistake to plant first (then only the NumPy backend is checked), or "list".
    Each block is a dict: backend, block, case; verdict ("right", "wrong", "cannot tell") and
    sentence ("right", or why not); entries, how many (or how many directions) have each verdict;
    central_diff and complex_step, the errors max|by hand - numerical| / the block's largest entry,
    None where not finite. It is ok if every block is right. Raises MinivaeError for an unknown
    mistake or a backend that is not available.
    """
    if plant == "list":
        return {"ok": True, "blocks": [], "mistakes": [m.name for m in mistakes.MISTAKES]}
    models: dict[str, ModuleType] = dict(MODULES)
    forward: Any = numpy_ops
    absent: list[str] = []
    if plant is not None:
        if backends is not None:
            raise MinivaeError("a mistake is planted in the numpy backend; leave backends out")
        mistake = mistakes.find(plant)
        spoiled = mistakes.plant(mistake)
        if mistake.module == "ops":
            forward = spoiled
        else:
            models[mistake.module] = spoiled
        backends = {"numpy": forward}
    elif not isinstance(backends, dict):
        backends, absent = _load(backends)
    blocks: list[Row] = []
    for case in cases:
        model = models[case.module]
        blocks += check_model(case, backends, model=model, forward=forward, seed=seed)
    report = {"ok": all(b["verdict"] == RIGHT for b in blocks), "blocks": blocks}
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


def check_model(
    case: AnyCase,
    backends: dict[str, Backend],
    *,
    model: ModuleType | None = None,
    forward: Any = numpy_ops,
    seed: int = 0,
) -> list[Row]:
    """Every parameter block of one model, for each backend -> dicts as in `check_backends`.

    backends: name -> ops. The numerical gradients are those of `model` (None: the case's module,
    such as `vae`) with the ops `forward`.
    """
    model = MODULES[case.module] if model is None else model
    whole, x, eps = generic_point(case, seed)
    flat = own_part(case, whole)
    loss, by_hand = bound(model, case), bound_and_grads(model, case)

    def named(flat):  # all parameters; the other player's, if there is one, stay as they are
        return unpack(flat if flat.size == whole.size else _joined(flat), case.spec)

    def _joined(own):
        joined = whole.astype(own.dtype)
        own_part(case, joined)[:] = own
        return joined

    def value_of(params):
        return loss(params, x, eps, ops=forward).loss

    # one vector inside the check: a dict of a dozen blocks would be copied at each evaluation
    point, blocks = make_point(flat, "flat"), make_point(own_blocks(case, whole), "the parameters")
    function = Function(lambda flat: value_of(named(flat)), point)
    value, rng = function.at_point(), private_rng(seed)
    noise = noise_of(function, flat, value, rng, analytic=True)
    around = Surroundings(function, flat, value, noise, np.ones(flat.size), rng)
    judges = (_wide if case.directions else _small)(case, blocks, around, value_of)
    rows = []
    for backend, ops in backends.items():

        def grad_of(flat, ops=ops):
            return by_hand(named(flat), x, eps, ops=ops).flat_grads

        gradient = Gradient(grad_of, point)
        try:
            analytic = gradient(flat)
        except MinivaeError as error:  # a mistake may leave shapes that do not fit
            found = [_raised(error) for _ in blocks.names]
        else:
            with np.errstate(all="ignore"):  # of ladders that go far, and bars of 0
                found = judges(analytic, np.zeros_like(analytic), gradient)
                again = gradient(flat)
                if not np.array_equal(again, analytic, equal_nan=True):
                    found = _changing(found, blocks, again != analytic)
                elif any(row["verdict"] != RIGHT for row in found):  # is it its rounding?
                    found = judges(analytic, own_bars(gradient, analytic, rng), gradient)
        for name, row in zip(blocks.names, found, strict=True):
            rows.append({"backend": backend, "block": name, "case": case.name} | row)
    return rows


Judges = Callable[[np.ndarray, np.ndarray, Gradient], list[Row]]  # by hand, and its rounding


def _small(case: AnyCase, blocks: Point, around: Surroundings, _value_of: Any) -> Judges:
    """Every entry; the numerical derivatives are taken once, here."""
    numerics = Numerics(around, analytic=True)
    numerics.take()
    steps = numerics.imaginary
    imaginary = np.full(blocks.flat.size, np.nan) if steps is None else steps

    def judges(analytic: np.ndarray, own: np.ndarray, gradient: Gradient) -> list[Row]:
        entries = judge(numerics, analytic, own, gradient)
        columns = map(blocks.split, (analytic, numerics.slopes, imaginary, entries.verdict))
        sentences = explain_each(blocks, entries, _sizes(case))
        return [_row(*row) for row in zip(sentences, *columns, strict=True)]

    return judges


def _wide(
    case: AnyCase, blocks: Point, around: Surroundings, value_of: Callable[[Params], Any]
) -> Judges:
    """Directions in one block at a time, so that the others stay real: a pass in complex numbers
    takes several times as long. The directions are drawn for the first backend's gradient."""
    params, n = blocks.build(blocks.flat), case.directions or 1
    drawn: dict[str, Directions] = {}

    def in_block(name: str) -> Surroundings:
        def of_block(block):
            changed = params | {name: block}
            if name.endswith("_b") and np.iscomplexobj(block):  # it is added in place to x W
                changed[name[:-1] + "W"] = params[name[:-1] + "W"].astype(complex)
            return value_of(changed)

        part = make_point(params[name], name)
        # a direction moves all of a block, and its steps outdo the rounding of hundreds of nats
        scales = np.full(part.flat.size, LENGTH * part.flat.size**-0.5)
        return around._replace(f=Function(of_block, part), x=part.flat, scales=scales)

    def judges(analytic: np.ndarray, own: np.ndarray, _gradient: Gradient) -> list[Row]:
        rows = []
        parts = zip(blocks.names, blocks.split(analytic), blocks.split(own), strict=True)
        for name, by_hand, bar in parts:
            if name in drawn:
                directions = drawn[name].of(by_hand, bar)
            else:
                directions = drawn[name] = Directions(
                    in_block(name), by_hand, bar, n, analytic=True
                )
            rows.append(_along(directions, _sizes(case)))
        return rows

    return judges


def _along(directions: Directions, sizes: dict[str, int]) -> Row:
    entries, labels = directions.judge(directions.around.f.point.label)
    n, steps = len(directions.lines), directions.imaginary
    slopes = np.array([line.estimate.value for line in directions.lines])
    imaginary = np.full(n, np.nan) if steps is None else steps
    sentence, *_ = directions.explain(entries, labels, sizes)
    return _row(sentence, entries.analytic[:n], slopes, imaginary, entries.verdict[:n])


def _sizes(case: AnyCase) -> dict[str, int]:
    """The factors that a wrong sum or mean would leave."""
    sizes = {"the batch size B": case.batch, "the number of pixels D": case.spec.data_dim}
    if case.samples:
        sizes["the number of samples K"] = case.samples
        sizes["K B, all samples of the batch"] = case.samples * case.batch
    return sizes


def _row(
    sentence: str,
    by_hand: np.ndarray,
    central: np.ndarray,
    complex_step: np.ndarray,
    verdicts: np.ndarray,
) -> Row:
    counts = {verdict: int((verdicts == verdict).sum()) for verdict in VERDICTS}
    verdict = WRONG if counts[WRONG] else CANNOT_TELL if counts[CANNOT_TELL] else RIGHT
    return {
        "central_diff": _json(block_error(by_hand, central)),
        "complex_step": _json(block_error(by_hand, complex_step)),
        "verdict": verdict,
        "sentence": sentence,
        "entries": counts,
    }


def _changing(rows: list[Row], blocks: Point, changed: np.ndarray) -> list[Row]:
    """The noise is given, so a gradient that is another one at each call is wrong."""
    wrong = {"verdict": WRONG, "sentence": REASONS["random gradient"][0]}
    parts = blocks.split(changed)
    return [row | wrong if part.any() else row for row, part in zip(rows, parts, strict=True)]


def _raised(error: Exception) -> Row:
    cause = error.__cause__
    sentence = str(error)
    if isinstance(cause, Exception):
        sentence = f"the backward pass raises {one_line(cause)}"
    return {
        "central_diff": None,
        "complex_step": None,
        "verdict": WRONG,
        "sentence": sentence,
        "entries": dict.fromkeys(VERDICTS, 0),
    }


def _json(number: float) -> float | None:
    return float(number) if np.isfinite(number) else None

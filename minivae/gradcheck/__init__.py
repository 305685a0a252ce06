"""Is the gradient right? Yours, and every block of the whole VAE's.

    check_grad(f, df, x)                      every entry; central differences or complex step
    check_directions(f, df, x)                the slope along random directions, for many entries
    diagnose(forward, backward, inputs)       any forward/backward pair, and the likely mistake
    run()                                     the VAE, each backend; `python -m minivae gradcheck`

The whole model is checked in float64, at points that are generic (no zeros) and away from the
kinks of relu and of the free bits. What no gradient check sees is a wrong formula whose gradient
is right: statistics and closed forms are for that.
"""

from itertools import product
from textwrap import wrap
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np

from minivae import checks, mistakes, vae
from minivae import ops as numpy_ops
from minivae.backend import BACKENDS, load_backend
from minivae.errors import MinivaeError
from minivae.gradcheck.differences import (
    CENTRAL_BOUND,
    COMPLEX_BOUND,
    GRADIENTS,
    SLOPES,
    VARIES,
    BlockReport,
    check_directions,
    check_grad,
    compare,
    random_directions,
)
from minivae.gradcheck.doctor import Diagnosis, Finding, diagnose

__all__ = [
    "BlockReport",
    "Case",
    "Diagnosis",
    "Finding",
    "check_directions",
    "check_grad",
    "check_vae",
    "diagnose",
    "format_report",
    "run",
]

HIDDEN = (4, 3, 3)
KINK_MARGIN = 1e-3  # a step of the differences moves nothing that far
INDENTED = {"initial_indent": " " * 6, "subsequent_indent": " " * 6}
FREE_BITS = 0.6  # nats: between the KLs of the latents at the points that `_point` draws


class Case(NamedTuple):
    """One model to check: its spec, batch and objective, and in how many directions."""

    spec: vae.Spec
    beta: float = 1.0
    samples: int | None = None  # K of the importance-weighted bound; None: the ELBO
    batch: int = 3
    directions: int | None = None  # None: every entry

    @property
    def name(self):
        spec = self.spec
        sizes = "-".join(map(str, (spec.data_dim, *spec.hidden, spec.latent_dim)))
        words = [spec.likelihood, spec.activation, sizes]
        if spec.variance is not None:
            words.append(f"variance {spec.variance:g}")
        words.append(f"iwae K={self.samples}" if self.samples else f"beta {self.beta:g}")
        if spec.free_bits:
            words.append("free bits")
        return " ".join(words)


def _elbo_cases():
    settings = product(
        checks.LIKELIHOODS, ("tanh", "relu"), range(4), (0.0, 1.0, 4.0), (0, FREE_BITS)
    )
    for likelihood, activation, depth, beta, free_bits in settings:
        spec = vae.Spec(5, HIDDEN[:depth], 2, activation, likelihood, None, free_bits)
        yield Case(spec, beta)


def _iwae_cases():
    for likelihood, activation, depth in product(checks.LIKELIHOODS, ("tanh", "relu"), range(4)):
        yield Case(vae.Spec(5, HIDDEN[:depth], 2, activation, likelihood), samples=4)


def _wide_cases():
    for likelihood, activation in product(checks.LIKELIHOODS, ("tanh", "relu")):
        yield Case(vae.Spec(784, (200,), 50, activation, likelihood), batch=4, directions=4)


FIXED_VARIANCE = Case(vae.Spec(5, HIDDEN[:1], 2, "tanh", "gaussian", 0.3))
ALL_CASES = (*_elbo_cases(), *_iwae_cases(), FIXED_VARIANCE, *_wide_cases())
DEFAULT_CASES = (  # strides that step through every setting
    *tuple(_elbo_cases())[::7],
    *tuple(_iwae_cases())[::5],
    FIXED_VARIANCE,
    *tuple(_wide_cases())[::3],
)


# ---- the whole model -------------------------------------------------------------------------


def run(backends=None, plant=None, cases=DEFAULT_CASES, seed=0):
    """Check every parameter block of the VAE -> {"ok", "blocks": [...]}, ready for JSON.

    backends: names, or a dict of name -> ops (your own, say); None: those that are installed.
    plant: the name of a mistake to put in first (then the NumPy backend is checked), or "list".
    Each block is a dict: backend, block, case, central_diff, complex_step (errors, None where
    not finite) and, where it is wrong, a verdict.
    """
    if plant == "list":
        return {"ok": True, "blocks": [], "mistakes": [m.name for m in mistakes.MISTAKES]}
    model, forward, absent = vae, numpy_ops, []
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


def _load(names):
    """({name: ops}, the backends that are not installed); a backend asked for must be there."""
    if names is not None:
        return {name: load_backend(name) for name in names}, []
    loaded, absent = {}, []
    for name in BACKENDS:
        try:
            loaded[name] = load_backend(name)
        except MinivaeError as error:
            absent.append(f"{name}: {error}")
    return loaded, absent


def check_vae(case, backends, *, model=vae, forward=numpy_ops, seed=0):
    """Every parameter block of one model, for each backend -> a list of dicts as in `run`.

    backends: name -> ops. The numbers come from `model`'s forward pass with the ops `forward`.
    """
    flat, x, eps = _point(case, seed)

    def loss(flat):
        return _bound(model, case)(vae.unpack(flat, case.spec), x, eps, ops=forward).loss

    blocks = tuple(_views(case.spec, np.arange(len(flat))))
    if case.directions:
        directions = [_block_directions(case, len(flat), block) for _, block in blocks]
        witnesses = {
            m: [slopes(loss, flat, ds) for ds in directions] for m, slopes in SLOPES.items()
        }
    else:
        whole = {m: gradient(loss, flat) for m, gradient in GRADIENTS.items()}
        witnesses = {m: [g[block] for _, block in blocks] for m, g in whole.items()}

    rows = []
    for backend, ops in backends.items():
        try:
            gradient = _bound_and_grads(model, case)(
                vae.unpack(flat, case.spec), x, eps, ops=ops
            ).flat_grads
        except ValueError as error:  # a mistake may leave shapes that do not fit
            rows += [_raised(backend, case, name, error) for name, _ in blocks]
            continue
        for i, (name, block) in enumerate(blocks):
            by_hand = directions[i] @ gradient if case.directions else gradient[block]
            rows.append(
                _row(backend, case, name, by_hand, witnesses["central"][i], witnesses["complex"][i])
            )
    return rows


def _row(backend, case, name, by_hand, central, bent):
    sizes = {"the batch size B": case.batch, "the number of pixels D": case.spec.data_dim}
    if case.samples:
        sizes["the number of samples K"] = case.samples
        sizes["K B, all samples of the batch"] = case.samples * case.batch
    by_difference = compare(name, by_hand, central, CENTRAL_BOUND, sizes)
    by_complex_step = compare(name, by_hand, bent, COMPLEX_BOUND, sizes)
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


def _raised(backend, case, name, error):
    return {
        "backend": backend,
        "block": name,
        "case": case.name,
        "central_diff": None,
        "complex_step": None,
        "verdict": f"the backward pass raises {error}",
    }


def _json(number):
    return float(number) if np.isfinite(number) else None


def _bound(model, case):
    """loss(params, x, eps, ops=...) of that case: forward only."""

    def elbo(params, x, eps, ops):
        return model.elbo(params, x, eps, case.spec, beta=case.beta, ops=ops)

    def iwae(params, x, eps, ops):
        return model.iwae(params, x, eps, case.spec, ops=ops)

    return iwae if case.samples else elbo


def _bound_and_grads(model, case):
    def elbo(params, x, eps, ops):
        return model.elbo_and_grads(params, x, eps, case.spec, beta=case.beta, ops=ops)

    def iwae(params, x, eps, ops):
        return model.iwae_and_grads(params, x, eps, case.spec, ops=ops)

    return iwae if case.samples else elbo


def _views(spec, flat):
    """(name, view of flat) of each block."""
    return vae.unpack(flat, spec).items()


def _block_directions(case, n, block):
    """Directions of the whole vector that move one block only."""
    directions = np.zeros((case.directions, n))
    directions[:, block.ravel()] = random_directions((block.size,), case.directions)
    return directions


# ---- where to check --------------------------------------------------------------------------


def _point(case, seed):
    """flat, x, eps at which the check means something: generic, and away from every kink."""
    rng = np.random.default_rng(seed)
    for _ in range(1000):
        flat, x, eps = _draw(case, rng)
        if _is_smooth(case, flat, x, eps) and _is_telling(case, flat, x, eps):
            return flat, x, eps
    raise MinivaeError(f"no point away from the kinks was found for {case.name}; try another seed")


def _draw(case, rng):
    spec = case.spec
    flat = np.empty(vae.n_params(spec))
    for name, block in _views(spec, flat):
        spread = len(block) ** -0.5 if name.endswith("_W") else 0.5
        block[...] = spread * rng.standard_normal(block.shape)
    x = rng.random((case.batch, spec.data_dim))
    shape = (case.batch, spec.latent_dim)
    return flat, x, rng.standard_normal((case.samples, *shape) if case.samples else shape)


def _is_smooth(case, flat, x, eps):
    """No relu's input, and no latent's distance from its free bits, is near zero."""
    distances = []

    def dense_forward(x, W, b, activation):
        if activation == "relu":
            distances.append(np.abs(x @ W + b).min())
        return numpy_ops.dense_forward(x, W, b, activation)

    watched = SimpleNamespace(**vars(numpy_ops) | {"dense_forward": dense_forward})
    params = vae.unpack(flat, case.spec)
    _bound(vae, case)(params, x, eps, ops=watched)
    if not case.samples and case.spec.free_bits:
        distances.append(np.abs(_kl_per_latent(case, params, x) - case.spec.free_bits).min())
    return min(distances, default=1.0) > KINK_MARGIN


def _is_telling(case, flat, x, eps):
    """No block's gradient vanishes, and free bits let some latents off, but not all."""
    params = vae.unpack(flat, case.spec)
    grads = _bound_and_grads(vae, case)(params, x, eps, ops=numpy_ops).grads
    if not all(g.any() for g in grads.values()):
        return False
    if case.samples or not case.spec.free_bits:
        return True
    paid = _kl_per_latent(case, params, x) > case.spec.free_bits
    return paid.any() and not paid.all()


def _kl_per_latent(case, params, x):
    kl, _ = numpy_ops.gaussian_kl_forward(*vae.encode(params, x, case.spec))
    return kl.mean(axis=0)


# ---- for the eye -----------------------------------------------------------------------------


def format_report(report):
    """The report of `run` for a reader: one line for each parameter block, its worst model."""
    if "mistakes" in report:
        return _format_list()
    lines = _planted_lines(report) if "planted" in report else []
    lines += [
        "Is every gradient that was derived by hand the slope of the loss?",
        "",
        f"{len({b['case'] for b in report['blocks']})} models in float64, small ones entry by "
        "entry, wide ones along random directions.",
        "error = max|by hand - by numbers| / the block's largest entry; the worst model counts.",
    ]
    for backend in dict.fromkeys(b["backend"] for b in report["blocks"]):
        lines += ["", *_backend_lines(backend, report["blocks"])]
    for absent in report.get("not_checked", ()):
        lines += ["", *wrap(f"not checked: {absent}", 94)]
    lines += ["", *_conclusion(report)]
    return "\n".join(lines)


def _backend_lines(backend, blocks):
    yield f"{backend + ' backend':<16}{'central differences':>20}{'complex step':>16}"
    yield f"  {'bound':<14}{CENTRAL_BOUND:>20.0e}{COMPLEX_BOUND:>16.0e}"
    mine = [b for b in blocks if b["backend"] == backend]
    for name in sorted({b["block"] for b in mine}, key=_reading_order):
        rows = [b for b in mine if b["block"] == name]
        wrong = [b for b in rows if "verdict" in b]
        central, bent = (_worst(rows, key) for key in ("central_diff", "complex_step"))
        yield f"  {name:<14}{central:>20.1e}{bent:>16.1e}  {'WRONG' if wrong else 'right'}"
        if wrong:
            shown = min(wrong, key=lambda b: VARIES in b["verdict"])  # a clean ratio tells most
            text = f"in {len(wrong)} of {len(rows)} models; {shown['case']}: {shown['verdict']}"
            yield from wrap(text, 94, **INDENTED)


def _worst(rows, key):
    return max(float("inf") if row[key] is None else row[key] for row in rows)


def _reading_order(name):
    """Encoder, heads, decoder, output: as the data flow."""
    sides = ("enc", "mu", "logvar", "dec", "out")
    return next(i for i, side in enumerate(sides) if name.startswith(side)), name


def _conclusion(report):
    wrong = {b["block"] for b in report["blocks"] if "verdict" in b}
    if "planted" not in report:
        yield (
            f"WRONG: {', '.join(sorted(wrong, key=_reading_order))}"
            if wrong
            else "Right: every block of every model, by both witnesses."
        )
        return
    mistake = mistakes.find(report["planted"])
    yield from wrap(f"What to expect: {mistake.symptom}", 94)
    if mistake.witness != mistakes.GRADIENT:
        module, test = mistake.witness.split(".")
        yield f"What catches it: python -m pytest tests/{module}.py -k {test}"


def _planted_lines(report):
    mistake = mistakes.find(report["planted"])
    lines = [f"Planted in {mistake.target}: {mistake.name}", mistake.sentence, ""]
    for edit in mistake.edits:
        lines += [f"  - {line.strip()}" for line in edit.right.splitlines()]
        lines += [f"  + {line.strip()}" for line in edit.wrong.splitlines()]
    return [*lines, ""]


def _format_list():
    lines = ["Mistakes that can be planted, with `gradcheck --plant NAME`:"]
    for mistake in mistakes.MISTAKES:
        lines += [f"  {mistake.name}", f"      {mistake.sentence}"]
    return "\n".join(lines)

"""What helps and what spoils a training: the comparisons behind notebook 07.

Small VAEs on MNIST, a few minutes each group: optimizers and learning rates, sizes of the batch at
equal work, starts, weights of the KL, and two remedies for collapsed latents. Within a comparison
all else is equal, and each run is made with three seeds or more. The last VALIDATION training
images are kept apart in every run, to choose on.
`python -m minivae training-study` makes the runs that are missing from figures/training_study.json,
and writes that file after each run.
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from minivae import data, evaluate, files, vae
from minivae.backend import Backend, load_backend
from minivae.studies.folder import FIGURES_FOLDER, check_folder

RESULTS = FIGURES_FOLDER / "training_study.json"
SEEDS = (0, 1, 2)
MORE_SEEDS = tuple(range(8))  # for the remedies after few steps: three seeds do not agree there
HIDDEN = (100, 50)
MOMENTUM = 0.9
DECAY_TO = 0.05  # the last step's learning rate, as a share of the first
VALIDATION = 10_000
WINDOWS = 20  # the curve of a run: its loss, averaged over this many equal parts of the run
MAX_BYTES = 1 << 22


class Run(NamedTuple):
    """One training.

    group: the comparison that it was made for. batch: images a step. start: "mean image" or "zeros"
    for the output's bias. scale: of the first weights, times Glorot's. warmup: steps over which
    beta rises from 0. decay: whether the rate falls geometrically to DECAY_TO of itself.
    validation: how many of the last training images are not trained on, but measured.
    """

    group: str
    seed: int = 0
    latent_dim: int = 2
    steps: int = 500
    batch: int = 100
    optimizer: str = "adam"
    lr: float = 3e-3
    decay: bool = False
    beta: float = 1.0
    warmup: int = 0
    free_bits: float = 0.0
    start: str = "mean image"
    scale: float = 1.0
    validation: int = 0


def planned() -> list[Run]:
    """All runs of the study."""
    comparisons = (_betas(), _optimizers(), _starts(), _batches(), _remedies())
    return [
        run._replace(seed=s, validation=VALIDATION)
        for runs in comparisons
        for run in runs
        for s in (MORE_SEEDS if (run.group, run.steps) == ("remedies", 800) else SEEDS)
    ]


def _remedies():
    for steps in (800, 4000):
        plain = Run("remedies", latent_dim=20, steps=steps, decay=True)
        yield from (plain, plain._replace(warmup=steps // 4), plain._replace(free_bits=0.5))


def _betas():
    plain = Run("beta", latent_dim=20, steps=4000, decay=True)
    yield from (plain._replace(beta=beta) for beta in (4.0, 39.2))
    yield from (plain._replace(latent_dim=200, steps=2000, beta=beta) for beta in (1.0, 3.92))


def _optimizers():
    for optimizer in ("sgd", "momentum", "adam"):
        for lr in (3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1):
            yield Run("optimizers", optimizer=optimizer, lr=lr)


def _batches():
    for batch in (10, 100, 1000):
        for lr in (1e-3, 3e-3, 1e-2, 3e-2):
            plain = Run("batches", batch=batch, lr=lr, decay=True)
            yield plain._replace(steps=50_000 // batch)


def _starts():
    for scale in (0.0, 0.1, 1.0, 10.0):
        yield Run("starts", scale=scale)
    yield Run("starts", start="zeros")


# ---- the study -------------------------------------------------------------------------------


def run_study(
    *,
    say: Callable[[str], None],
    path: Path = RESULTS,
    runs: Sequence[Run] | None = None,
) -> dict[str, Any]:
    """Make the runs that the result file lacks -> the results, as in the file."""
    check_folder(Path(path).parent)
    results: dict[str, Any] = {"hidden": list(HIDDEN), "runs": []}
    if Path(path).exists():
        results = read(path)
    done = {run_of(row) for row in results["runs"]}
    missing = [run for run in (planned() if runs is None else runs) if run not in done]
    if missing:
        dataset, ops = data.load("mnist"), load_backend("numba")
    for number, run in enumerate(missing, start=1):
        row = one_run(run, dataset, ops)
        results["runs"].append(row)
        text = json.dumps(results, allow_nan=False).replace('{"group"', '\n{"group"')
        files.atomic_write(path, (text + "\n").encode())
        told = "diverged" if row["elbo"] is None else f"test -ELBO {-row['elbo']:.1f} nats"
        say(f"{number} of {len(missing)}: {_told(run)}: {told}")
    return results


def read(path: Path = RESULTS) -> dict[str, Any]:
    """The results of the study, or MinivaeError."""
    with files.reading(path) as (file, size):
        if size > MAX_BYTES:
            raise files.damaged_error(path, "it is far too large")
        results = json.loads(file.read().decode())
    rows = results.get("runs") if isinstance(results, dict) else None
    if not (isinstance(rows, list) and all(set(Run._fields) <= set(row) for row in rows)):
        raise files.damaged_error(path, "it does not hold the results of the study")
    return results


def run_of(row: dict[str, Any]) -> Run:
    """The run that a row of the results is of."""
    return Run(**{name: row[name] for name in Run._fields})


def _told(run):
    """What is special about a run, in one line."""
    usual = Run(run.group)
    special = {n: v for n, v in run._asdict().items() if v != getattr(usual, n) or n == "seed"}
    return f"{run.group}, " + ", ".join(f"{name} {value}" for name, value in special.items())


# ---- one run ---------------------------------------------------------------------------------


MEASURED = ("first", "curve", "elbo", "nll", "kl", "kl_per_latent", "validation_elbo")


def one_run(run: Run, dataset: data.Dataset, ops: Backend) -> dict[str, Any]:
    """Train and measure -> a row of the results: the fields of `run`, and MEASURED.

    first: the loss of the first step; curve: the minimised loss, averaged over WINDOWS parts of the
    run; elbo, nll, kl and kl_per_latent: on all test images, one fixed binarization;
    validation_elbo: the ELBO of the images kept apart, None if there are none. Nats per image. A
    run whose loss is no longer finite ends there, and has None for each of them.
    """
    with np.errstate(all="ignore"):
        params, spec, losses = _train(run, dataset, ops)
        if not np.isfinite(losses).all():
            return run._asdict() | dict.fromkeys(MEASURED)
        curve = [float(part.mean()) for part in np.array_split(losses, WINDOWS)]
        terms, each = _measured(dataset.test, params, spec, ops)
        kept_apart = None
        if run.validation:
            images = dataset.train[-run.validation :]
            kept_apart = float(_measured(images, params, spec, ops)[0].elbo)
        values = (
            float(losses[0]), curve, float(terms.elbo), float(terms.nll), float(terms.kl),
            [float(k) for k in each], kept_apart,
        )  # fmt: skip
    return run._asdict() | {n: _short(v) for n, v in zip(MEASURED, values, strict=True)}


def _short(value):
    """Rounded to 1e-4 nats: more digits say nothing, and fill the file."""
    if value is None:
        return None
    return list(map(_short, value)) if isinstance(value, list) else round(value, 4)


def _measured(images, params, spec, ops):
    """elbo, nll and kl, and the kl of each latent (L,), on these images, binarized once."""
    x = data.test_images(images, spec.likelihood)
    terms = evaluate.elbo_terms(params, x, spec, rng=np.random.default_rng(0), ops=ops)
    return terms, ops.gaussian_kl_forward(*vae.encode(params, x, spec, ops))[0].mean(axis=0)


def _train(run, dataset, ops):
    """-> params, spec, the loss of each step, (steps,) or fewer if it diverges."""
    rng = np.random.default_rng(run.seed)
    images = dataset.train[: len(dataset.train) - run.validation]
    spec = vae.Spec(
        images.shape[1],
        hidden=HIDDEN,
        latent_dim=run.latent_dim,
        free_bits=run.free_bits,
    )
    mean = images.mean(axis=0) / 255 if run.start == "mean image" else None
    flat = vae.init_params(spec, rng, data_mean=mean)
    params = vae.unpack(flat, spec)
    for name, block in params.items():
        if name.endswith("_W"):
            block *= np.float32(run.scale)
    m, v, losses = np.zeros_like(flat), np.zeros_like(flat), []
    order = np.empty(0, int)
    for step in range(1, run.steps + 1):
        if len(order) == 0:
            order = rng.permutation(len(images))
        batch, order = order[: run.batch], order[run.batch :]
        x = data.binarize(images[batch], rng)
        eps = rng.standard_normal((len(x), run.latent_dim), dtype=np.float32)
        beta = run.beta * (min(1.0, step / run.warmup) if run.warmup else 1.0)
        result = vae.elbo_and_grads(params, x, eps, spec, beta=beta, ops=ops)
        losses.append(result.loss)
        if not np.isfinite(result.loss):
            break
        lr = np.float32(run.lr * (DECAY_TO ** (step / run.steps) if run.decay else 1.0))
        if run.optimizer == "adam":
            ops.adam_step(flat, result.flat_grads, m, v, step, lr)
        else:
            m *= np.float32(MOMENTUM if run.optimizer == "momentum" else 0.0)
            m += result.flat_grads
            flat -= lr * m
    return params, spec, np.array(losses)

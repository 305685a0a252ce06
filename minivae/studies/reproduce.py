"""A published table, trained again: Burda et al. 2016, Table 1, one stochastic layer, on MNIST.

For each row: a training that fits a budget of minutes, then log p(x) of all 10,000 test images from
K = 5000 importance samples. A run can be stopped and resumed at any point, in training and in
scoring (the last few hundred images may be scored again). Results go to figures/iwae_table.json,
one object for each run.

As in the paper: 784-200-200-50 tanh and its mirror, Glorot uniform, the output bias at the logit of
the clipped training mean, Adam, images binarized afresh for each batch, K = 5000. `differences`
lists what differs, and every result contains its text.
"""

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from minivae import checks, data, evaluate, files, runs, train, vae
from minivae.backend import load_backend
from minivae.errors import MinivaeError
from minivae.runs import checkpoints
from minivae.settings import Settings

TABLE = Path(__file__).parents[2] / "figures" / "iwae_table.json"
KIND = "reproduction"
RUN_FILE, SCORES_FILE = "training.npz", "scores.npz"
BUDGET = 105.0  # minutes of training; scoring comes on top, some ten minutes on two cores
EVALUATION_SAMPLES = 5000
SCORING_SEED = 2016
IMAGES_AT_A_TIME = 250  # scored between two saves
CURVE_IMAGES = 1000  # test images for the curve along the way; the result uses all of them
TIMED_STEPS = 40
AVERAGE_EVERY = 10  # steps
AVERAGE_SPAN = 0.02  # of the run: the mean age of the averaged weights
SECONDS_BETWEEN_SAVES = 60.0


class Row(NamedTuple):
    """One row of the table: how it is trained, and its published negative log-likelihood."""

    objective: str
    samples: int
    resampled: int | None  # how many of the samples go through the backward pass, or all
    batch_size: int
    lr: float
    published: float
    rerun: float  # github.com/nbip/IWAE


ROWS = {
    "vae-1": Row("elbo", 1, None, 100, 2e-3, 86.76, 86.35),
    "iwae-5": Row("iwae", 5, None, 100, 2e-3, 85.54, 85.18),
    "iwae-50": Row("iwae", 50, 5, 20, 1e-3, 84.78, 84.59),
}
PAPER_BATCH = 20
PAPER = (
    f"batch {PAPER_BATCH}; Adam with beta1 0.9, beta2 0.999, epsilon 1e-4; 3^i epochs at "
    "1e-3 * 10^(-i/7) for i = 0..7, 3280 in all; the last weights, not an average"
)


class RowState:
    """The progress of a row: the training's `State`, and the running average of its weights."""

    def __init__(self, state: train.State, average: np.ndarray, seconds: float) -> None:
        self.state, self.average, self.seconds = state, average, seconds


def train_rows(
    rows: Sequence[str],
    *,
    budget: float = BUDGET,
    epochs: int | None = None,
    out: str | Path = "runs/reproduce",
    seed: int = 0,
    backend: str = "numba",
    table: Path = TABLE,
    dataset: data.Dataset | None = None,
    evaluation_samples: int = EVALUATION_SAMPLES,
    should_stop: Callable[[], bool] | None = None,
    say: Callable[[str], None] = print,
) -> list[dict[str, Any]]:
    """Train and score each of `rows` in turn -> the list of results, as in the table.

    rows: names of `ROWS`. budget: minutes of training for each, at the speed that a few steps have
    at its start; or `epochs` themselves. The same call continues where an earlier one stopped: each
    row, budget (or epochs) and seed has a folder of its own under `out`. should_stop(): true ends
    the work at the next step or image, with `train.Interrupted`, training saved.
    """
    check_rows(rows, budget, epochs)
    dataset = data.load("mnist") if dataset is None else dataset
    fingerprint = data.fingerprint(dataset)
    results = []
    for name in rows:
        length = f"{budget:g}min" if epochs is None else f"{epochs}epochs"
        folder = checks.check_path(out, "--out") / f"{name}-{length}-seed{seed}"
        _make_folder(folder)
        with files.lock_folder(folder):
            settings = _settings(folder, name, budget, epochs, seed, backend, dataset, say)
            done = _train(folder, dataset, settings, fingerprint, should_stop, say)
            scores = _score(folder, dataset, settings, done, evaluation_samples, should_stop, say)
        results.append(_result(name, settings, done, scores, dataset))
        write_table(table, [results[-1]])
        draw_table(table)
        say(describe(results[-1]))
    return results


def check_rows(rows: Sequence[str], budget: float, epochs: int | None) -> None:
    """Raise MinivaeError unless these rows can be trained for that long."""
    unknown = [name for name in rows if name not in ROWS]
    if unknown or not rows:
        raise MinivaeError(f"rows are {list(rows)}; choose from {', '.join(ROWS)}")
    checks.check_number(budget, "budget, in minutes,", above=0)
    if epochs is not None:
        checks.check_whole(epochs, "epochs", 1, checks.MAX_SIZE)


def _make_folder(folder):
    try:
        files.make_folders(folder)
    except OSError as error:
        raise MinivaeError(
            f"{checks.printable(folder)} cannot be made a folder: {error.strerror}; choose "
            "another --out"
        ) from None


# ---- the schedule ------------------------------------------------------------------------------


def _settings(folder, name, budget, epochs, seed, backend, dataset, say):
    """The Settings of this run: those it was started with, or the epochs that the budget allows."""
    row = ROWS[name]
    settings = Settings(
        latent_dim=50,
        objective=row.objective,
        samples=row.samples,
        resampled=row.resampled,
        batch_size=row.batch_size,
        lr=row.lr,
        backend=backend,
        seed=seed,
    )
    path = folder / RUN_FILE
    if path.exists():
        epochs = files.read_archive(path, kind=KIND)[1].get("settings", {}).get("epochs", 0)
    steps = -(-len(dataset.train) // settings.batch_size)
    if epochs is None:
        step = seconds_per_step(dataset, settings)
        epochs = max(1, int(budget * 60 / (step * steps)))
        say(f"{name}: {1000 * step:.2f} ms a step, {budget:g} minutes allow {epochs} epochs")
    say(
        f"{name}: {epochs} epochs of {steps} steps, batch {row.batch_size}, the rate falling "
        f"geometrically from {row.lr:g} to {row.lr * train.DECAY_TO:g}"
    )
    return checks.check_settings(settings._replace(epochs=epochs), dataset)


def seconds_per_step(dataset: data.Dataset, settings: Settings, steps: int = TIMED_STEPS) -> float:
    """The mean time of a training step, on a state that is discarded afterwards."""
    ticks = []
    try:
        train.train(
            dataset,
            settings,
            on_step=lambda *_: ticks.append(time.perf_counter()),
            should_stop=lambda: len(ticks) > 2 * steps,  # the first half warms up
        )
    except train.Interrupted:
        return (ticks[-1] - ticks[steps]) / steps
    raise MinivaeError(f"the data have fewer than {2 * steps} batches; reproduce needs more images")


# ---- training ----------------------------------------------------------------------------------


def _train(folder, dataset, settings, fingerprint, should_stop, say):
    """Train to the end, from the last save if there is one -> RowState."""
    path = folder / RUN_FILE
    current = _load(path, settings, dataset, fingerprint)
    if current is None:
        state = train.new_state(dataset, settings)
        current = RowState(state, state.flat.copy(), 0.0)
        _save(path, current, settings, fingerprint)
    state = current.state
    total_steps = settings.epochs * -(-len(dataset.train) // settings.batch_size)
    # The mean age of what an exponential average holds is 1 / weight of its updates.
    weight = min(1.0, AVERAGE_EVERY / (AVERAGE_SPAN * total_steps))
    clock = time.monotonic()

    def on_step(state, terms, beta):
        nonlocal clock
        if state.step % AVERAGE_EVERY == 0:
            current.average += weight * (state.flat - current.average)
        now = time.monotonic()
        current.seconds += now - clock
        clock = now

    curve = dataset._replace(test=dataset.test[:CURVE_IMAGES])
    runs.train_with_saves(
        curve,
        settings,
        state,
        lambda: _save(path, current, settings, fingerprint),
        seconds=SECONDS_BETWEEN_SAVES,
        on_step=on_step,
        should_stop=should_stop,
    )
    return current


def _save(path, current, settings, fingerprint):
    arrays, meta = checkpoints.describe_state(current.state, settings, fingerprint)
    meta |= {"kind": KIND, "seconds": current.seconds}
    files.write_archive(path, arrays | {"average": current.average}, meta)


def _load(path, settings, dataset, fingerprint):
    if not path.exists():
        return None
    arrays, meta = files.read_archive(path, kind=KIND)
    average, seconds = arrays.pop("average", None), meta.get("seconds")
    state = checkpoints.restore_state(arrays, meta, settings, dataset, fingerprint, path)
    if average is None or average.shape != state.flat.shape or type(seconds) is not float:
        raise files.damaged(path, "it holds no average of the weights")
    return RowState(state, average, seconds)


# ---- scoring -----------------------------------------------------------------------------------


class Scores(NamedTuple):
    """The averaged weights on the test images: `evaluate.LogLikelihood`, and the test ELBO."""

    likelihood: evaluate.LogLikelihood
    terms: vae.Terms
    active_units: int
    samples: int
    seconds: float


def _score(folder, dataset, settings, done, samples, should_stop, say):
    """log p(x) of every test image, saved every few hundred images -> Scores."""
    ops = load_backend(settings.backend)
    spec = settings.spec(dataset.train.shape[1])
    params = vae.unpack(done.average, spec)
    x = data.test_images(dataset.test, settings.likelihood)
    model = runs.Model(spec, done.average, dataset.image_shape)
    runs.save_model(folder / runs.MODEL_FILE, model)
    rng = np.random.default_rng(SCORING_SEED)
    terms = evaluate.elbo_terms(params, x, spec, rng=rng, ops=ops)
    active = evaluate.active_units(params, x, spec, ops=ops)

    scored = {"samples": samples, "model": hashlib.sha256(done.average).hexdigest()}
    found, seconds = _load_scores(folder / SCORES_FILE, scored, len(x))
    while found.shape[1] < len(x):
        started, first = time.monotonic(), found.shape[1]
        piece = evaluate.log_likelihood(
            params,
            x[first : first + IMAGES_AT_A_TIME],
            spec,
            samples=samples,
            rng=np.random.default_rng([SCORING_SEED, first]),
            ops=ops,
            progress=lambda *_: _stop_if_asked(should_stop, done.state.step),
        )
        found = np.concatenate([found, np.stack(piece)], axis=1)
        seconds += time.monotonic() - started
        meta = {"kind": KIND, "scored": scored, "seconds": seconds}
        files.write_archive(folder / SCORES_FILE, {"scores": found}, meta)
        say(f"scored {found.shape[1]} of {len(x)} images, {seconds:.0f} s")
    return Scores(evaluate.LogLikelihood(*found), terms, active, samples, seconds)


def _load_scores(path, scored, n):
    """The saved scores of the same weights: (3, images done), and its seconds."""
    if not path.exists():
        return np.empty((3, 0)), 0.0
    arrays, meta = files.read_archive(path, kind=KIND)
    found, seconds = arrays.get("scores"), meta.get("seconds")
    right = found is not None and found.ndim == 2 and len(found) == 3 and found.shape[1] <= n
    if not right or type(seconds) is not float:
        raise files.damaged(path, "it does not hold the scores of these images")
    if meta.get("scored") != scored:
        return np.empty((3, 0)), 0.0
    return found, seconds


def _stop_if_asked(should_stop, step):
    if should_stop is not None and should_stop():
        raise train.Interrupted(step)


# ---- the table ---------------------------------------------------------------------------------


def _result(name, settings, done, scores, dataset):
    row, likelihood = ROWS[name], scores.likelihood
    return {
        "row": name,
        "nll": round(-float(likelihood.mean), 4),
        "stderr_images": round(float(likelihood.stderr_images), 4),
        "stderr_mc": round(float(likelihood.stderr_mc), 4),
        "published": row.published,
        "public_rerun": row.rerun,
        "test_elbo": round(scores.terms.elbo, 4),
        "active_units": scores.active_units,
        "ess": round(float(likelihood.ess.mean()), 1),
        "images": len(likelihood.log_p),
        "evaluation_samples": scores.samples,
        "seed": settings.seed,
        "updates": done.state.step,
        "epochs": settings.epochs,
        "minutes": float(f"{done.seconds / 60:.3g}"),
        "scoring_minutes": float(f"{scores.seconds / 60:.3g}"),
        "objective": settings.objective,
        "samples": settings.samples,
        "resampled": settings.resampled,
        "batch_size": settings.batch_size,
        "schedule": f"rate falling geometrically from {row.lr:g} to {row.lr * train.DECAY_TO:g}",
        "averaging": f"exponential, over the last {AVERAGE_SPAN:.0%} of the updates",
        "differs": differences(settings),
        "data": data.fingerprint(dataset)[:12],
        "versions": runs.versions(),
    }


def differences(settings: Settings) -> str:
    """How this run differs from the paper, as text."""
    batch = "" if settings.batch_size == PAPER_BATCH else f"batch {settings.batch_size}; "
    backward = (
        ""
        if settings.resampled is None
        else (
            f"{settings.resampled} of the {settings.samples} samples, drawn by their weights, go "
            "through the backward pass (section 3 of the paper draws one); "
        )
    )
    return (
        f"the paper: {PAPER}; here: {batch}{backward}Adam's epsilon 1e-8; "
        f"{settings.epochs} epochs, the rate falling geometrically to {train.DECAY_TO:.0%} of its "
        "start; the scored weights are a running average; the test images are one fixed "
        "binarization from a recorded seed"
    )


def read_table(path: str | Path = TABLE) -> list[dict[str, Any]]:
    """The results so far, a list of objects; empty where there is no table yet."""
    path = Path(path)
    if not path.exists():
        return []
    with files.reading(path) as (file, _):
        rows = json.loads(file.read())["rows"]
        if not all(isinstance(row, dict) and row["row"] in ROWS for row in rows):
            raise files.damaged(path, "its rows are not those of this table")
    return rows


def write_table(path: Path, results: list[dict[str, Any]]) -> None:
    """Add results to the table; each replaces an earlier one of the same row, epochs and seed."""

    def plan(row):
        return row["row"], row["epochs"], row["seed"]

    new = {plan(row) for row in results}
    rows = [row for row in read_table(path) if plan(row) not in new] + results
    rows.sort(key=plan)
    table = {
        "what": "Burda et al. 2016, Table 1: test negative log-likelihood of MNIST, nats",
        "rows": rows,
    }
    files.atomic_write(path, (json.dumps(table, indent=1, allow_nan=False) + "\n").encode())


def draw_table(path: Path = TABLE) -> None:
    """The table's picture, beside it: a PNG of the same name."""
    from minivae import plots

    with plots.house_style():
        plots.save(plots.reproduced_table(read_table(path)), Path(path).with_suffix(".png"))


def describe(result: dict[str, Any]) -> str:
    """A result as text, one line."""
    return (
        f"{result['row']}: {result['nll']:.2f} nats (standard error {result['stderr_images']:.2f} "
        f"over images, {result['stderr_mc']:.3f} Monte Carlo) after {result['epochs']} epochs and "
        f"{result['minutes']:.0f} minutes; published {result['published']:.2f}, "
        f"a public rerun {result['public_rerun']:.2f}"
    )

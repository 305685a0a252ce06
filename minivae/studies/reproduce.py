"""Rows of the published table, trained again, scored, and their weights shipped.

For each row: a training that fits a budget of minutes, then log p(x) of all 10,000 test images from
K = 5000 importance samples. A run can be stopped and resumed at any point, in training and in
scoring (the last few hundred images may be scored again). The rows, and the file and picture of the
results, are in `studies.published`.

As in the paper: 784-200-200-50 tanh and its mirror, Glorot uniform, the output bias at the logit of
the clipped training mean, Adam, images binarized afresh for each batch, K = 5000.
`published.differences` lists what differs, and every result contains its text.
"""

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
from minivae.studies import published, shipping
from minivae.studies.folder import check_folder

KIND = "reproduction"
RUN_FILE, SCORES_FILE = "training.npz", "scores.npz"
OUT = "runs/reproduce"
BUDGET = 105.0  # minutes of training; scoring comes on top, some ten minutes on two cores
EVALUATION_SAMPLES = 5000
SCORING_SEED = 2016
IMAGES_AT_A_TIME = 250  # scored between two saves
CURVE_IMAGES = 1000  # test images for the curve along the way; the result uses all of them
TIMED_STEPS = 40
AVERAGE_EVERY = 10  # steps
AVERAGE_SPAN = 0.02  # of the run: the mean age of the averaged weights
SECONDS_BETWEEN_SAVES = 60.0


class RowState:
    """The progress of a row: the training's `State`, and the running average of its weights."""

    def __init__(self, state: train.State, average: np.ndarray, seconds: float) -> None:
        self.state, self.average, self.seconds = state, average, seconds


def train_rows(
    rows: Sequence[str],
    *,
    start_from: str | None = None,
    budget: float = BUDGET,
    epochs: int | None = None,
    out: str | Path = OUT,
    seed: int = 0,
    backend: str = "numba",
    table: Path = published.TABLE,
    shipped: Path = shipping.SHIPPED,
    dataset: data.Dataset | None = None,
    evaluation_samples: int = EVALUATION_SAMPLES,
    should_stop: Callable[[], bool] | None = None,
    say: Callable[[str], None] = print,
) -> list[dict[str, Any]]:
    """Train, score and ship each of `rows` in turn -> the list of results, as in the table.

    rows: names of `published.ROWS`; or `vae-1-then-iwae-50`, which starts from the shipped weights
    of vae-1, as all rows do from those of the row `start_from`. budget: minutes of training for
    each, converted to epochs by timing a few steps; or give `epochs` themselves. The same call
    continues where an earlier one stopped: each row, start, budget (or epochs) and seed has a
    folder of its own under `out`. should_stop(): true ends the work at the next step or image, with
    `train.Interrupted`, training saved.
    """
    if start_from is not None:
        rows = [f"{start_from}{published.THEN}{name}" for name in rows]
    check_rows(rows, budget, epochs, shipped)
    check_folder(Path(table).parent)
    dataset = data.load("mnist") if dataset is None else dataset
    fingerprint = data.fingerprint(dataset)
    results = []
    for name in rows:
        start = shipping.load_start(name, table, shipped)
        length = f"{budget:g}min" if epochs is None else f"{epochs}epochs"
        begin = "" if start is None else f"-from-{start.result['weights'][:8]}"
        folder = checks.check_path(out, "--out") / f"{name}{begin}-{length}-seed{seed}"
        _make_folder(folder)
        with files.lock_folder(folder):
            settings = _settings(folder, name, budget, epochs, seed, backend, dataset, say)
            done = _train(folder, dataset, settings, fingerprint, start, should_stop, say)
            scores = _score(folder, dataset, settings, done, evaluation_samples, should_stop, say)
        results.append(_result(name, settings, done, scores, start, dataset))
        published.write_table(table, [results[-1]])
        published.draw_table(table)
        shipping.ship(results[-1], scores.model, published.read_table(table), shipped, say)
        say(published.describe(results[-1]))
    return results


def check_rows(
    rows: Sequence[str], budget: float, epochs: int | None, shipped: Path = shipping.SHIPPED
) -> None:
    """Raise MinivaeError unless these rows can be trained for that long, in this order."""
    if not rows:
        raise MinivaeError(f"there are no rows to train; choose from {', '.join(published.ROWS)}")
    for place, name in enumerate(rows):
        published.check_row(name)
        start = published.start_of(name)
        if start is None or start in rows[:place]:
            continue
        if not shipping.shipped_file(start, shipped).is_file():
            raise MinivaeError(
                f"{name} starts from the weights of {start}, and none are shipped; train {start} "
                f"first, with --rows {start} {name}"
            )
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
    row = published.ROWS[published.last_stage(name)]
    share = 1.0 if published.start_of(name) is None else published.CONTINUED
    settings = Settings(
        latent_dim=50,
        objective=row.objective,
        samples=row.samples,
        resampled=row.resampled,
        batch_size=row.batch_size,
        lr=share * row.lr,
        backend=backend,
        seed=seed,
    )
    path = folder / RUN_FILE
    if path.exists():
        epochs = files.read_archive(path, kind=KIND)[1].get("settings", {}).get("epochs", 0)
    steps = settings.steps_per_epoch(len(dataset.train))
    if epochs is None:
        step = seconds_per_step(dataset, settings)
        epochs = max(1, int(budget * 60 / (step * steps)))
        say(f"{name}: {1000 * step:.2f} ms a step, {budget:g} minutes allow {epochs} epochs")
    say(
        f"{name}: {epochs} epochs of {steps} steps, batch {row.batch_size}, the "
        f"{published.schedule(settings)}"
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


def _train(folder, dataset, settings, fingerprint, start, should_stop, say):
    """Train to the end, from the last save if there is one, or else from `start` -> RowState."""
    path = folder / RUN_FILE
    current = _load(path, settings, dataset, fingerprint)
    if current is None:
        state = train.new_state(dataset, settings)
        if start is not None:
            state.flat[:] = start.model.flat
        current = RowState(state, state.flat.copy(), 0.0)
        _save(path, current, settings, fingerprint)
    state = current.state
    total_steps = settings.epochs * settings.steps_per_epoch(len(dataset.train))
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
        raise files.damaged_error(path, "it holds no average of the weights")
    return RowState(state, average, seconds)


# ---- scoring -----------------------------------------------------------------------------------


class Scores(NamedTuple):
    """The averaged weights, rounded, on the test images: log p(x) and the ELBO.

    rounding: nats per image that the rounding costs, from the first `CURVE_IMAGES` with the same
    noise.
    """

    model: runs.Model
    likelihood: evaluate.LogLikelihood
    terms: vae.Terms
    active_units: int
    samples: int
    seconds: float
    rounding: float


def _score(folder, dataset, settings, done, samples, should_stop, say):
    """log p(x) of every test image, saved every few hundred images -> Scores."""
    ops = load_backend(settings.backend)
    spec = settings.spec(dataset.train.shape[1])
    x = data.test_images(dataset.test, settings.likelihood)
    exact = runs.Model(spec, done.average, dataset.image_shape)
    runs.save_model(folder / runs.MODEL_FILE, exact)
    model = exact._replace(flat=shipping.rounded(done.average))
    rng = np.random.default_rng(SCORING_SEED)
    terms = evaluate.elbo_terms(model.params, x, spec, rng=rng, ops=ops)
    active = evaluate.active_units(model.params, x, spec, ops=ops)

    def score_piece(params, first):
        """The images from number `first` on, each with noise of its own -> (3, images)."""
        piece = evaluate.log_likelihood(
            params,
            x[first : first + IMAGES_AT_A_TIME],
            spec,
            samples=samples,
            rng=np.random.default_rng([SCORING_SEED, first]),
            ops=ops,
            progress=lambda *_: _stop_if_asked(should_stop, done.state.step),
        )
        return np.stack(piece)

    scored = {"samples": samples, "model": shipping.weights_hash(model.flat)}
    found, seconds = _load_scores(folder / SCORES_FILE, scored, len(x))
    while found.shape[1] < len(x):
        started = time.monotonic()
        found = np.concatenate([found, score_piece(model.params, found.shape[1])], axis=1)
        seconds += time.monotonic() - started
        meta = {"kind": KIND, "scored": scored, "seconds": seconds}
        files.write_archive(folder / SCORES_FILE, {"scores": found}, meta)
        say(f"scored {found.shape[1]} of {len(x)} images, {seconds:.0f} s")
    firsts = range(0, min(CURVE_IMAGES, len(x)), IMAGES_AT_A_TIME)
    unrounded = np.concatenate([score_piece(exact.params, first)[0] for first in firsts])
    rounding = float((unrounded - found[0, : len(unrounded)]).mean())
    likelihood = evaluate.LogLikelihood(*found)
    return Scores(model, likelihood, terms, active, samples, seconds, rounding)


def _load_scores(path, scored, n):
    """The saved scores of the same weights: (3, images done), and its seconds."""
    if not path.exists():
        return np.empty((3, 0)), 0.0
    arrays, meta = files.read_archive(path, kind=KIND)
    found, seconds = arrays.get("scores"), meta.get("seconds")
    right = found is not None and found.ndim == 2 and len(found) == 3 and found.shape[1] <= n
    if not right or type(seconds) is not float:
        raise files.damaged_error(path, "it does not hold the scores of these images")
    if meta.get("scored") != scored:
        return np.empty((3, 0)), 0.0
    return found, seconds


def _stop_if_asked(should_stop, step):
    if should_stop is not None and should_stop():
        raise train.Interrupted(step)


# ---- the result --------------------------------------------------------------------------------


def _result(name, settings, done, scores, start, dataset):
    """One run as the table holds it. published, public_rerun: of the row that its training is."""
    row, likelihood = published.ROWS[published.last_stage(name)], scores.likelihood
    start_from = None if start is None else start.record()
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
        "start_from": start_from,
        "weights": shipping.weights_hash(scores.model.flat),
        "rounding_costs": round(scores.rounding, 4),
        "objective": settings.objective,
        "samples": settings.samples,
        "resampled": settings.resampled,
        "batch_size": settings.batch_size,
        "schedule": published.schedule(settings),
        "averaging": f"exponential, over the last {AVERAGE_SPAN:.0%} of the updates",
        "differs": published.differences(settings, start_from),
        "data": data.fingerprint(dataset)[:12],
        "versions": runs.versions(),
    }

"""Checkpoints: a run that stops anywhere goes on later, and ends with the same bits.

A checkpoint holds the parameters, Adam's moments, all counts, the history and every random stream.
It is written whole or not at all, and nothing that it says is believed before it is checked.
"""

import os
import time
from pathlib import Path

from minivae import checks, files, runs, train
from minivae.errors import MinivaeError
from minivae.settings import Settings

KIND = "checkpoint"
SECONDS_BETWEEN = 10.0


def save_checkpoint(folder, state, settings, fingerprint):
    """Write everything that going on needs, atomically; never numbers that are not finite."""
    train.check_finite(state, settings)
    arrays, meta = describe_state(state, settings, fingerprint)
    files.write_archive(Path(folder) / runs.CHECKPOINT_FILE, arrays, meta)


def describe_state(state, settings, fingerprint):
    """What a checkpoint holds: arrays, and a description in plain JSON."""
    streams = {name: rng.bit_generator.state for name, rng in state.streams.items()}
    if state.position:  # inside an epoch, whose order is drawn again
        streams["order"] = state.order_state
    meta = {
        "kind": KIND,
        "settings": settings._asdict(),
        "fingerprint": fingerprint,
        "versions": runs.versions(),
        "step": state.step,
        "epoch": state.epoch,
        "position": state.position,
        "sums": [float(total) for total in state.sums],
        "history": state.history,
        "streams": streams,
    }
    return {"params": state.flat, "m": state.m, "v": state.v}, meta


def load_checkpoint(folder, settings, dataset, fingerprint):
    """The State in a run folder, or None where there is none yet.

    Raises MinivaeError if it is damaged, or belongs to other settings or other data.
    """
    path = Path(folder) / runs.CHECKPOINT_FILE
    if not os.path.lexists(path):
        return None
    arrays, meta = files.read_archive(path, kind=KIND)
    return restore_state(arrays, meta, settings, dataset, fingerprint, path)


def restore_state(arrays, meta, settings, dataset, fingerprint, path):
    """The State that `describe_state` described; `path` is for the error messages."""
    _refuse_other_settings(meta.get("settings"), settings, path)
    if meta.get("fingerprint") != fingerprint:
        raise MinivaeError(
            f"{checks.printable(path)} was trained on other data than these; bring those back, "
            "or start "
            "a new run"
        )
    state = train.new_state(dataset, settings)
    _restore_arrays(state, arrays, path)
    try:
        _restore_progress(state, meta, settings, len(dataset.train), bool(len(dataset.test)))
    except (LookupError, TypeError, ValueError, OverflowError, AttributeError) as error:
        raise files.damaged(path, f"its progress makes no sense: {error}") from None
    return state


def _refuse_other_settings(saved, settings, path):
    if not isinstance(saved, dict) or set(saved) != set(Settings._fields):
        raise files.damaged(path, "its settings are not those of the train command")
    for name, value in settings._asdict().items():
        then = tuple(saved[name]) if isinstance(saved[name], list) else saved[name]
        if then != value:
            raise MinivaeError(
                f"{checks.printable(path)} was trained with {name} = {checks.describe(then)}, "
                f"not {value}; "
                "resume with the same settings, or start a new run"
            )


def _restore_arrays(state, arrays, path):
    if set(arrays) != {"params", "m", "v"}:
        raise files.damaged(path, "its arrays are not params, m and v")
    for name, target in (("params", state.flat), ("m", state.m), ("v", state.v)):
        saved = arrays[name]
        if saved.shape != target.shape or saved.dtype != target.dtype:
            raise files.damaged(path, f"its array {name} is not of this model")
        target[...] = saved
    if (state.v < 0).any():
        raise files.damaged(path, "Adam's v, a mean of squares, is negative")


def _restore_progress(state, meta, settings, n, has_test):
    """Set the counts, sums, history and streams, or raise what the wrong types and values raise."""
    step, epoch, position = (meta[name] for name in ("step", "epoch", "position"))
    if not all(type(count) is int for count in (step, epoch, position)):
        raise ValueError("a count is not a whole number")
    steps_per_epoch = -(-n // settings.batch_size)
    done = -(-position // settings.batch_size)
    if not (0 <= epoch <= settings.epochs and 0 <= position <= n):
        raise ValueError("it lies outside the run")
    if position != min(done * settings.batch_size, n) or (epoch == settings.epochs and position):
        raise ValueError("it lies between two steps")
    if step != epoch * steps_per_epoch + done:
        raise ValueError("its counts do not agree")
    state.step, state.epoch, state.position = step, epoch, position
    sums, history = meta["sums"], meta["history"]
    if len(sums) != 3 or not all(type(total) is float for total in sums):
        raise ValueError("its sums are not three numbers")
    state.sums[:] = sums
    if not isinstance(history, list) or len(history) != epoch:
        raise ValueError("its history is not that of its epochs")
    names = [*train.COLUMNS, *(train.TEST_COLUMNS if has_test else ())]
    state.history = [
        _row(row, names, i, i * steps_per_epoch) for i, row in enumerate(history, start=1)
    ]
    _restore_streams(state.streams, meta["streams"])
    state.order_state = meta["streams"]["order"]


def _row(row, names, epoch, step):
    """One row of the history, its columns in their order again."""
    if set(row) != set(names) or (row["epoch"], row["step"]) != (epoch, step):
        raise ValueError(f"epoch {epoch} of its history is not one")
    if not all(type(row[name]) is float for name in names[2:]):
        raise ValueError(f"epoch {epoch} of its history holds what is not a number")
    return {name: row[name] for name in names}


def _restore_streams(streams, saved):
    for name, rng in streams.items():
        rng.bit_generator.state = saved[name]
        if rng.bit_generator.state != saved[name]:  # NumPy takes some values that it cannot hold
            raise ValueError(f"its random stream {name} is not a state of PCG64")


# ---- a run in a folder -----------------------------------------------------------------------


def run(folder, dataset, settings, fingerprint, *, should_stop=None, checkpoint_seconds=None):
    """Train in a locked run folder, from its checkpoint if there is one -> (Model, history).

    A checkpoint is written before the first step, every few seconds, on a stop and at the end;
    `fingerprint` is that of the dataset.
    """
    every = SECONDS_BETWEEN if checkpoint_seconds is None else checkpoint_seconds
    state = load_checkpoint(folder, settings, dataset, fingerprint)
    if state is None:
        _refuse_to_replace_a_model(folder)
        state = train.new_state(dataset, settings)
        save_checkpoint(folder, state, settings, fingerprint)
    last = time.monotonic()

    def on_step(state, terms, beta):
        nonlocal last
        bar.show(state, terms, beta)
        if time.monotonic() - last >= every:
            save_checkpoint(folder, state, settings, fingerprint)
            last = time.monotonic()

    with train.ProgressBar(state, settings, len(dataset.train)) as bar:
        try:
            train.train(
                dataset,
                settings,
                state=state,
                on_step=on_step,
                on_epoch=lambda state: runs.write_history(folder, state.history),
                should_stop=should_stop,
            )
        except train.Interrupted:
            save_checkpoint(folder, state, settings, fingerprint)
            raise
    save_checkpoint(folder, state, settings, fingerprint)
    spec = settings.spec(dataset.train.shape[1])
    model = runs.Model(spec, state.flat, dataset.image_shape)
    runs.save_model(Path(folder) / runs.MODEL_FILE, model)
    runs.write_history(folder, state.history)
    return model, state.history


def _refuse_to_replace_a_model(folder):
    """A model without a checkpoint was trained elsewhere: starting again would lose it."""
    if os.path.lexists(Path(folder) / runs.MODEL_FILE):
        raise MinivaeError(
            f"{checks.printable(folder)} holds a finished model and no checkpoint to go on from; "
            "start a new run"
        )

"""Checkpoints: a run can be stopped after any step and resumed, and ends with the same bits.

A checkpoint holds the parameters, Adam's moments, all counts, the history and every random stream.
It is written atomically. Because a file may be damaged or untrusted, everything in it is checked
before it is used.
"""

import os
from pathlib import Path
from typing import Any

import numpy as np

from minivae import checks, files, train
from minivae.data import Dataset
from minivae.errors import MinivaeError
from minivae.runs import folders
from minivae.settings import AnySettings

KIND = "checkpoint"


def save_checkpoint(
    folder: str | os.PathLike[str], state: train.State, settings: AnySettings, fingerprint: str
) -> None:
    """Write the checkpoint of a run folder, atomically.

    fingerprint: that of the dataset. Raises MinivaeError if a number is not finite, or if the file
    cannot be written; the previous checkpoint stays.
    """
    train.check_finite(state, settings)
    arrays, meta = describe_state(state, settings, fingerprint)
    files.write_archive(Path(folder) / folders.CHECKPOINT_FILE, arrays, meta)


def describe_state(
    state: train.State, settings: AnySettings, fingerprint: str
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """What a checkpoint holds: arrays, and a description in plain JSON."""
    streams = {name: rng.bit_generator.state for name, rng in state.streams.items()}
    if state.position:  # inside an epoch, whose order is drawn again
        streams["order"] = state.order_state
    meta = {
        "kind": KIND,
        "settings": settings._asdict(),
        "fingerprint": fingerprint,
        "versions": folders.versions(),
        "step": state.step,
        "epoch": state.epoch,
        "position": state.position,
        "sums": [float(total) for total in state.sums],
        "history": state.history,
        "streams": streams,
    }
    return {"params": state.flat, "m": state.m, "v": state.v}, meta


def load_checkpoint(
    folder: str | os.PathLike[str], settings: AnySettings, dataset: Dataset, fingerprint: str
) -> train.State | None:
    """The State saved in a run folder, or None if there is none yet.

    Raises MinivaeError if it is damaged, or belongs to other settings or other data.
    """
    path = Path(folder) / folders.CHECKPOINT_FILE
    if not os.path.lexists(path):
        return None
    arrays, meta = files.read_archive(path, kind=KIND)
    return restore_state(arrays, meta, settings, dataset, fingerprint, path)


def restore_state(
    arrays: dict[str, np.ndarray],
    meta: dict[str, Any],
    settings: AnySettings,
    dataset: Dataset,
    fingerprint: str,
    path: str | os.PathLike[str],
) -> train.State:
    """The State that `describe_state` described.

    Raises MinivaeError, naming `path`, if it is inconsistent or belongs to other settings or data.
    """
    _refuse_other_settings(meta.get("settings"), settings, path)
    if meta.get("fingerprint") != fingerprint:
        raise MinivaeError(
            f"{checks.printable(path)} was trained on other data; restore them, or start a new run"
        )
    state = train.new_state(dataset, settings)
    _restore_arrays(state, arrays, path)
    try:
        _restore_progress(state, meta, settings, len(dataset.train), bool(len(dataset.test)))
    except (LookupError, TypeError, ValueError, OverflowError, AttributeError) as error:
        raise files.damaged_error(path, f"its progress is inconsistent: {error}") from None
    return state


def _refuse_other_settings(saved, settings, path):
    kind = type(settings)
    saved = folders.with_current_names(saved, kind) if isinstance(saved, dict) else {}
    if set(saved) != set(settings._fields):
        raise files.damaged_error(path, "its settings are not those of the train command")
    for name, value in settings._asdict().items():
        then = tuple(saved[name]) if isinstance(saved[name], list) else saved[name]
        goes_on = name == "epochs" and type(then) is int and then < value
        if then != value and not goes_on:  # more epochs may be asked for later
            raise MinivaeError(
                f"{checks.printable(path)} was trained with {name} = {checks.describe(then)}, "
                f"not {value}; resume with the same settings, or start a new run"
            )


def _restore_arrays(state, arrays, path):
    if set(arrays) != {"params", "m", "v"}:
        raise files.damaged_error(path, "its arrays are not params, m and v")
    for name, target in (("params", state.flat), ("m", state.m), ("v", state.v)):
        saved = arrays[name]
        if saved.shape != target.shape or saved.dtype != target.dtype:
            raise files.damaged_error(path, f"its array {name} does not fit this model")
        target[...] = saved
    if (state.v < 0).any():
        raise files.damaged_error(path, "Adam's v, a mean of squares, is negative")


def _restore_progress(state, meta, settings, n, has_test):
    """Set the counts, sums, history and streams of `state`.

    Wrong types and values raise one of the errors that `restore_state` catches.
    """
    step, epoch, position = (meta[name] for name in ("step", "epoch", "position"))
    if not all(type(count) is int for count in (step, epoch, position)):
        raise ValueError("a count is not a whole number")
    steps_per_epoch, done = (settings.steps_per_epoch(images) for images in (n, position))
    if not (0 <= epoch <= settings.epochs and 0 <= position <= n):
        raise ValueError("its position is outside the run")
    if position != min(done * settings.batch_size, n) or (epoch == settings.epochs and position):
        raise ValueError("its position is not at the end of a step")
    if step != epoch * steps_per_epoch + done:
        raise ValueError("its counts do not agree")
    state.step, state.epoch, state.position = step, epoch, position
    sums, history = meta["sums"], meta["history"]
    if len(sums) != 3 or not all(type(total) is float for total in sums):
        raise ValueError("its sums are not three numbers")
    state.sums[:] = sums
    if not isinstance(history, list) or len(history) != epoch:
        raise ValueError("its history is not that of its epochs")
    names = train.columns(settings, has_test)
    state.history = [
        _row(row, names, i, i * steps_per_epoch) for i, row in enumerate(history, start=1)
    ]
    _restore_streams(state.streams, meta["streams"])
    state.order_state = meta["streams"]["order"]


def _row(row, names, epoch, step):
    """One row of the history, with its columns in the usual order again."""
    if set(row) != set(names) or (row["epoch"], row["step"]) != (epoch, step):
        raise ValueError(f"row {epoch} of its history is not that epoch's")
    if not all(type(row[name]) is float for name in names[2:]):
        raise ValueError(f"epoch {epoch} of its history holds a value that is not a number")
    return {name: row[name] for name in names}


def _restore_streams(streams, saved):
    for name, rng in streams.items():
        rng.bit_generator.state = saved[name]
        if rng.bit_generator.state != saved[name]:  # NumPy accepts some values and changes them
            raise ValueError(f"its random stream {name} is not a state of PCG64")

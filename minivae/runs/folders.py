"""Run folders: everything about one training, in one place.

runs/<name>/run.json         the command, settings, versions and the data's fingerprint
           /checkpoint.npz   everything needed to continue training, bit for bit
           /model.npz        the trained model alone
           /history.csv      one row per epoch, nats per example
           /*.png            the pictures
"""

import contextlib
import csv
import functools
import importlib.metadata
import io
import json
import os
import platform
from pathlib import Path
from typing import Any

import numpy as np

from minivae import __version__, checks, files
from minivae.checks.values import shell_line
from minivae.data import Reading
from minivae.errors import MinivaeError
from minivae.runs.model_files import (
    ConditionalModel,
    GanModel,
    Model,
    load_conditional,
    load_gan,
    load_model,
)
from minivae.settings import ADDED, MODELS, RENAMED, AnySettings

RUN_FILE, CHECKPOINT_FILE = "run.json", "checkpoint.npz"
MODEL_FILE, HISTORY_FILE = "model.npz", "history.csv"
RUN_FORMAT = 1
RECORD = {  # the fields of run.json
    "format": int,
    "command": str,
    "data": str,
    "settings": dict,
    "versions": dict,
    "fingerprint": str,
}
MAX_RUN_FILE = 1 << 20  # bytes


# ---- finding and claiming a folder -----------------------------------------------------------


def is_run(folder: str | os.PathLike[str]) -> bool:
    """True if the folder holds the record of a run."""
    return os.path.isfile(Path(folder) / RUN_FILE)


def is_new(folder: str | os.PathLike[str]) -> bool:
    """True if the folder does not exist or is empty.

    The lock file and partial files of a run that was killed right at its start do not count.
    Raises MinivaeError if the folder cannot be read.
    """
    try:
        return all(_is_leftover(entry.name) for entry in Path(folder).iterdir())
    except FileNotFoundError:
        return True
    except OSError as error:
        raise _folder_error(folder, error.strerror) from None


def _is_leftover(name):
    return name == ".lock" or name.startswith(".minivae-")


def claim_folder(name: str, out: Path | None = None) -> Path:
    """Make the folder for a new run: `out`, or the first free of runs/<name>, runs/<name>-2, ...

    Raises MinivaeError if `out` holds a run or other files, or cannot be made.
    """
    if out is not None:
        return _claim_named(out)
    for number in range(1, 10_000):
        folder = Path("runs", name if number == 1 else f"{name}-{number}")
        if _make_folder(folder):
            return folder
    raise MinivaeError("runs/ holds 9,999 runs of that name; choose a folder (--out)")


def _claim_named(folder):
    if is_run(folder):
        raise _taken(folder)
    if not _make_folder(folder) and not is_new(folder):
        raise MinivaeError(
            f"{checks.printable(folder)} is not empty and holds no run; choose a new folder (--out)"
        )
    return folder


def _taken(folder):
    return MinivaeError(
        f"{checks.printable(folder)} already holds a run; choose another folder (--out), or go on "
        "with it (--resume)"
    )


def _make_folder(folder):
    """Make the folder -> True if it is new, False if something of this name is there."""
    try:
        return files.make_folders(folder)
    except FileExistsError:
        if os.path.isdir(folder.parent):
            return False
        raise _folder_error(folder, "its parent is not a folder") from None
    except OSError as error:
        raise _folder_error(folder, error.strerror) from None


def _folder_error(folder, reason):
    return MinivaeError(
        f"cannot use {checks.printable(folder)} as a run folder: {reason}; choose another (--out)"
    )


# ---- the record of a run ---------------------------------------------------------------------


def start_run(folder: str | os.PathLike[str], record: dict[str, Any]) -> None:
    """Write run.json: what is needed to repeat the run.

    record: plain JSON with the fields of RECORD. The caller holds the folder's lock. Raises
    MinivaeError if another process has started a run here in the meantime.
    """
    if is_run(folder):
        raise _taken(folder)
    files.atomic_write(Path(folder) / RUN_FILE, _as_text(record))


def extend_run(folder: str | os.PathLike[str], epochs: int) -> None:
    """Record that a run is to have `epochs` epochs, more than it was planned with.

    "planned_epochs" lists what was planned before. The caller holds the folder's lock.
    """
    record = read_run_file(folder)
    planned = [*record.get("planned_epochs", []), record["settings"]["epochs"]]
    record |= {"settings": record["settings"] | {"epochs": epochs}, "planned_epochs": planned}
    files.atomic_write(Path(folder) / RUN_FILE, _as_text(record))


def _as_text(record):
    return (json.dumps(record, indent=2, allow_nan=False) + "\n").encode()


def read_run_file(folder: str | os.PathLike[str]) -> dict[str, Any]:
    """The record of a run, with the fields of RECORD. Raises MinivaeError if there is none.

    The values are of the right types, and not checked further: see `recorded_settings`.
    """
    folder = checks.check_path(folder, "the run")
    if not os.path.exists(folder):
        raise MinivaeError(
            f"{checks.printable(folder)} does not exist; give a run folder, such as runs/mnist"
        )
    if not is_run(folder):
        raise MinivaeError(
            f"{checks.printable(folder)} is not a run folder (no {RUN_FILE} in it); "
            "give a folder that `python -m minivae train` made"
        )
    path = folder / RUN_FILE
    with files.reading(path) as (file, size):
        if size > MAX_RUN_FILE:
            raise files.damaged_error(path, "it is far too large")
        record = json.loads(file.read().decode())
    if not isinstance(record, dict):
        raise files.damaged_error(path, "it is not a JSON object")
    for name, kind in RECORD.items():
        if not isinstance(record.get(name), kind):
            raise files.damaged_error(path, f"its {name} is missing or of the wrong kind")
    planned = record.get("planned_epochs", [])  # written by `extend_run`
    if not isinstance(planned, list) or not all(type(epochs) is int for epochs in planned):
        raise files.damaged_error(path, "its planned_epochs are not whole numbers")
    if record["format"] != RUN_FORMAT:
        raise files.damaged_error(path, f"its format is {record['format']}, not {RUN_FORMAT}")
    return record


def model_of(record: dict[str, Any]) -> str:
    """What a run trains, "vae" or "gan"; records from before there were GANs do not say it."""
    return "gan" if record.get("model") == "gan" else "vae"


def is_conditional(record: dict[str, Any]) -> bool:
    """Whether a run trains a model that is given labels."""
    return record["settings"].get("condition") == "labels"


def recorded_settings(record: dict[str, Any], path: str | os.PathLike[str]) -> AnySettings:
    """The settings in a run's record, checked. Raises MinivaeError, naming `path`."""
    kind = MODELS[model_of(record)]
    saved = with_current_names(record["settings"], kind)
    if set(saved) != set(kind._fields):
        raise files.damaged_error(path, "its settings are not those of the train command")
    try:
        return checks.check_settings(kind(**saved))
    except MinivaeError as error:
        raise files.damaged_error(path, str(error)) from None


def recorded_reading(record: dict[str, Any], path: str | os.PathLike[str]) -> Reading:
    """How the data of a run were read, from its record. Raises MinivaeError, naming `path`, if that
    is damaged."""
    saved = record.get("reading", {})
    kinds = {"max_value": (int, float, type(None)), "transpose": (bool,), "labels": (bool,)}
    good = isinstance(saved, dict) and all(
        name in kinds and type(value) in kinds[name] for name, value in saved.items()
    )
    if not good:
        raise files.damaged_error(path, "it does not say how the data were read")
    return Reading(**saved)


def with_current_names(saved: dict[str, Any], kind: type[AnySettings]) -> dict[str, Any]:
    """Settings from a file of this version or an earlier one, as this one would have saved them."""
    current = {name: value for name, value in ADDED.items() if name in kind._fields} | saved
    for old, new in RENAMED.items():
        if old in current and new not in current:
            current[new] = current.pop(old)
    return current


@functools.cache
def versions() -> dict[str, str]:
    """The versions and the machine, on which the last bits of a run's numbers depend."""
    found = {"minivae": __version__, "python": platform.python_version(), "numpy": np.__version__}
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        found["numba"] = importlib.metadata.version("numba")
    return found | {"machine": platform.machine()}


# ---- results ---------------------------------------------------------------------------------


def load_run(folder: str | os.PathLike[str]) -> Model:
    """The trained VAE of a run folder. Raises MinivaeError if there is none yet, for a GAN, and for
    a conditional model."""
    record = read_run_file(folder)
    if is_conditional(record):
        where = checks.printable(Path(folder))
        commands = [["sample", where, "--label", "..."], ["evaluate", where]]
        words = " and ".join(f"`{shell_line(['python', '-m', 'minivae', *c])}`" for c in commands)
        raise MinivaeError(
            f"{where} is a conditional model, which needs a label with each image; {words} give it "
            "one (in Python: runs.load_conditional_run, and `given` for an ordinary model)"
        )
    if model_of(record) == "gan":
        where = checks.printable(Path(folder))
        command = shell_line(["python", "-m", "minivae", "sample", where])
        raise MinivaeError(
            f"{where} is a GAN: it has no log p(x) to evaluate, and no encoder that gives an image "
            f"a place among the latents; all it can do is draw (`{command}`)"
        )
    return load_model(_finished_model(folder))


def load_conditional_run(folder: str | os.PathLike[str]) -> ConditionalModel:
    """The trained conditional model of a run folder. Raises MinivaeError if there is none yet."""
    return load_conditional(_finished_model(folder))


def load_gan_run(folder: str | os.PathLike[str]) -> GanModel:
    """The trained GAN of a run folder. Raises MinivaeError if there is none yet."""
    return load_gan(_finished_model(folder))


def _finished_model(folder):
    path = Path(folder) / MODEL_FILE
    if not os.path.lexists(path):
        where = checks.printable(Path(folder))
        command = shell_line(["python", "-m", "minivae", "train", "--resume", "--out", where])
        raise MinivaeError(f"{where} holds no finished model; finish it with `{command}`")
    return path


def write_history(folder: str | os.PathLike[str], rows: list[dict[str, float]]) -> None:
    """Write history.csv: one row per epoch, all values in full precision."""
    text = io.StringIO()
    if rows:
        writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    files.atomic_write(Path(folder) / HISTORY_FILE, text.getvalue().encode())

"""Models and run folders: what is saved, and how it is checked on the way back.

    runs/<name>/run.json         the command, settings, versions and the data's fingerprint
               /checkpoint.npz   everything that training needs to go on, to the bit
               /model.npz        the trained model, alone
               /history.csv      one row per epoch, nats per example
               /*.png            the pictures

A model file is an .npz archive of arrays under their parameter names, which `np.load` opens too.
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
from typing import NamedTuple

import numpy as np

from minivae import __version__, checks, files, vae
from minivae.checks.values import shell_line
from minivae.errors import MinivaeError

RUN_FILE, CHECKPOINT_FILE = "run.json", "checkpoint.npz"
MODEL_FILE, HISTORY_FILE = "model.npz", "history.csv"
MODEL_KIND = "model"
RUN_FORMAT = 1
RECORD = {
    "format": int,
    "command": str,
    "data": str,
    "settings": dict,
    "versions": dict,
    "fingerprint": str,
}
MAX_RUN_FILE = 1 << 20


class Model(NamedTuple):
    """A VAE with its numbers: the spec, the flat parameters (P,), and the shape of an image."""

    spec: vae.Spec
    flat: np.ndarray
    image_shape: tuple[int, int]

    @property
    def params(self):
        return vae.unpack(self.flat, self.spec)


# ---- model files -----------------------------------------------------------------------------


def save_model(path, model, *, dtype=None):
    """Write a model file. `dtype` float16 halves it, for models shipped to be looked at."""
    arrays = model.params
    if dtype is not None:
        arrays = {name: array.astype(dtype) for name, array in arrays.items()}
    meta = {
        "kind": MODEL_KIND,
        "minivae": __version__,
        "spec": model.spec._asdict(),
        "image_shape": list(model.image_shape),
    }
    files.write_archive(path, arrays, meta)


def load_model(path):
    """Read a model file, checked whole -> Model in float32 or float64. Raises MinivaeError."""
    arrays, meta = files.read_archive(path, kind=MODEL_KIND)
    spec = spec_from_json(meta.get("spec"), path)
    shape = image_shape_from_json(meta.get("image_shape"), spec, path)
    return Model(spec, _flatten(arrays, spec, path), shape)


def spec_from_json(value, path):
    """The Spec that a file describes, or MinivaeError naming the file."""
    if not isinstance(value, dict) or set(value) != set(vae.Spec._fields):
        raise files.damaged(path, "it describes no model")
    if not isinstance(value["hidden"], list):
        raise files.damaged(path, "its hidden layers are not a list")
    spec = vae.Spec(**(value | {"hidden": tuple(value["hidden"])}))
    try:
        checks.check_spec(spec)
    except MinivaeError as error:
        raise files.damaged(path, str(error)) from None
    return spec


def image_shape_from_json(value, spec, path):
    sides = value if isinstance(value, list) and len(value) == 2 else (0, 0)
    if any(type(side) is not int or not 1 <= side <= checks.MAX_SIZE for side in sides):
        raise files.damaged(path, "it names no image shape")
    if sides[0] * sides[1] != spec.data_dim:
        raise files.damaged(path, f"images of shape {value} do not have {spec.data_dim} pixels")
    return tuple(sides)


def _flatten(arrays, spec, path):
    shapes = dict(vae.layout(spec))
    if {name: a.shape for name, a in arrays.items()} != shapes:
        raise files.damaged(path, "its arrays are not those of the model that it describes")
    dtypes = {a.dtype for a in arrays.values()}
    if len(dtypes) != 1 or not dtypes <= {np.dtype(t) for t in ("f2", "f4", "f8")}:
        raise files.damaged(path, "its arrays are not of one floating-point type")
    dtype = np.promote_types(dtypes.pop(), np.float32)
    return np.concatenate([arrays[name].ravel() for name in shapes]).astype(dtype)


# ---- run folders -----------------------------------------------------------------------------


def is_run(folder):
    return os.path.isfile(Path(folder) / RUN_FILE)


def is_new(folder):
    """True where nobody has left anything: no folder yet, or an empty one."""
    try:
        return all(_is_leftover(entry.name) for entry in Path(folder).iterdir())
    except FileNotFoundError:
        return True
    except OSError as error:
        raise _folder_error(folder, error.strerror) from None


def _is_leftover(name):
    """What a run leaves that was killed before its first file was whole."""
    return name == ".lock" or name.startswith(".minivae-")


def claim_folder(name, out=None):
    """A fresh folder for a run: `out`, or runs/<name>, runs/<name>-2, ... whichever is free."""
    if out is not None:
        return _claim_named(out)
    for number in range(1, 10_000):
        folder = Path("runs", name if number == 1 else f"{name}-{number}")
        if _make_folder(folder):
            return folder
    raise MinivaeError("runs/ holds 9,999 runs of that name; choose a folder with --out")


def _claim_named(folder):
    if is_run(folder):
        raise _taken(folder)
    if not _make_folder(folder) and not is_new(folder):
        raise MinivaeError(
            f"{checks.printable(folder)} is not empty and holds no run; choose a new --out"
        )
    return folder


def _taken(folder):
    return MinivaeError(
        f"{checks.printable(folder)} already holds a run; choose another --out, or add "
        "--resume to go "
        "on with it"
    )


def _make_folder(folder):
    """True if the folder is new. mkdir decides, so that two runs never claim the same one."""
    try:
        os.makedirs(folder.parent, exist_ok=True)
        os.mkdir(folder)
    except FileExistsError:
        if os.path.isdir(folder.parent):
            return False
        raise _folder_error(folder, "its parent is not a folder") from None
    except OSError as error:
        raise _folder_error(folder, error.strerror) from None
    return True


def _folder_error(folder, reason):
    return MinivaeError(
        f"cannot use {checks.printable(folder)} as a run folder: {reason}; choose another --out"
    )


def start_run(folder, record):
    """Record what a new run is: enough to repeat it. Never over another run's record.

    `record` is plain JSON, with the fields of RECORD.
    """
    if is_run(folder):  # another process was faster; the caller holds the folder's lock
        raise _taken(folder)
    text = json.dumps(record, indent=2, allow_nan=False) + "\n"
    files.atomic_write(Path(folder) / RUN_FILE, text.encode())


def read_run_file(folder):
    """The record of a run folder, or MinivaeError. The settings in it are the caller's to check."""
    folder = checks.check_path(folder, "the run")
    if not os.path.exists(folder):
        raise MinivaeError(
            f"{checks.printable(folder)} does not exist; give a run folder, as runs/mnist"
        )
    if not is_run(folder):
        raise MinivaeError(
            f"{checks.printable(folder)} is not a run folder (no {RUN_FILE} in it); "
            "give a folder that `python -m minivae train` made"
        )
    path = folder / RUN_FILE
    with files.reading(path) as (file, size):
        if size > MAX_RUN_FILE:
            raise files.damaged(path, "it is far too large")
        record = json.loads(file.read().decode())
    if not isinstance(record, dict):
        raise files.damaged(path, "it is not a JSON object")
    for name, kind in RECORD.items():
        if not isinstance(record.get(name), kind):
            raise files.damaged(path, f"its {name} is missing or of the wrong kind")
    if record["format"] != RUN_FORMAT:
        raise files.damaged(path, f"its format is {record['format']}, not {RUN_FORMAT}")
    return record


def load_run(folder):
    """The model of a run folder -> Model. Raises MinivaeError if there is none yet."""
    read_run_file(folder)
    path = Path(folder) / MODEL_FILE
    if not os.path.lexists(path):
        where = checks.printable(Path(folder))
        command = shell_line(["python", "-m", "minivae", "train", "--resume", "--out", where])
        raise MinivaeError(f"{where} holds no finished model; finish it with `{command}`")
    return load_model(path)


def write_history(folder, rows):
    """history.csv: one row per epoch, all values with their full precision."""
    text = io.StringIO()
    if rows:
        writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    files.atomic_write(Path(folder) / HISTORY_FILE, text.getvalue().encode())


@functools.cache
def versions():
    """What the last bits of a run's numbers depend on, besides the run itself."""
    found = {"minivae": __version__, "python": platform.python_version(), "numpy": np.__version__}
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        found["numba"] = importlib.metadata.version("numba")
    return found | {"machine": platform.machine()}

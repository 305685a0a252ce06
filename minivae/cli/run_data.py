"""Shared by several commands: a run's model and data, and the path of a picture."""

import argparse
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from minivae import checks, data, runs
from minivae.checks.values import shell_line
from minivae.errors import MinivaeError

DATA_HELP = (
    "mnist, cats, or a .npy, .npz, IDX, CSV or .mat file, or a folder or zip of PNG or JPEG images"
)
READING = ("max_value", "transpose", "no_labels")  # options, as argparse keeps them


def add_reading_arguments(command: argparse.ArgumentParser) -> None:
    """The options that say how a file of images is read; absent from the result where not given."""
    command.add_argument(
        "--max-value",
        type=float,
        metavar="V",
        default=argparse.SUPPRESS,
        help="the number that means white in the data (default: by their type and brightest pixel)",
    )
    command.add_argument(
        "--transpose",
        action="store_true",
        default=argparse.SUPPRESS,
        help="swap the rows and columns of each image (EMNIST needs it)",
    )
    command.add_argument(
        "--no-labels",
        action="store_true",
        default=argparse.SUPPRESS,
        help="leave out the labels that come with the data",
    )


def reading_from(given: Mapping[str, Any]) -> data.Reading:
    """The options of `add_reading_arguments` -> how a file is read."""
    return data.Reading(
        given.get("max_value"), given.get("transpose", False), not given.get("no_labels", False)
    )


def run_and_data(run: str) -> tuple[runs.Model, data.Dataset, str]:
    """A run's model, its data, and what these are called."""
    model = runs.load_run(run)
    return model, *data_for(model, run)


def data_for(
    model: runs.Model | runs.ConditionalModel,
    run: str,
    data_name: str | None = None,
    reading: data.Reading | None = None,
) -> tuple[data.Dataset, str]:
    """The data of a run (or others of the same size, by name), and what these are called.

    Others are all test images, unless they have a test set of their own or are the run's own data.
    model: the run's. reading: how the others are read; None: as the run's own.
    """
    record = runs.read_run_file(run)
    own = runs.recorded_reading(record, Path(run) / runs.RUN_FILE)
    name = record["data"] if data_name is None else data_name
    reading = own if data_name is None or reading is None else reading
    with naming_record(run, name, data_name is None):
        dataset = data.load(name, reading)
    same = data.fingerprint(dataset) == record["fingerprint"]
    if data_name is None and not same:
        # with another split, test images may be among those the model was trained on
        raise MinivaeError(
            f"the data {checks.printable(name)} are not those {checks.printable(run)} was "
            "trained on; restore them (or give `evaluate` others with --data)"
        )
    if not same:
        dataset = _foreign(name, reading, dataset, model)
    if dataset.train.shape[1] != model.spec.data_dim:
        raise MinivaeError(
            f"the images of {checks.printable(name)} have {dataset.train.shape[1]} pixels; "
            f"this model takes {model.spec.data_dim}"
        )
    shapes = dataset.image_shape, model.image_shape
    if shapes[0] != shapes[1] and 1 not in (shapes[0][0], shapes[1][0]):
        raise MinivaeError(
            f"the images of {checks.printable(name)} are {shapes[0]}, and this model was trained "
            f"on {shapes[1]}; give images of that shape"
        )
    return dataset, name


def _foreign(name, reading, dataset, model):
    """Data that the model was not trained on: all of them, and white as in its training."""
    white = reading.max_value
    if white is None and model.white is not None and dataset.white not in (None, 1, 255):
        white = model.white
    if dataset.own_test and white == reading.max_value:
        return dataset
    return data.load(name, reading._replace(hold_out=False, max_value=white))


@contextmanager
def naming_record(run: str | Path, name: str, recorded: bool) -> Iterator[None]:
    """If the data of a run cannot be read, say which file names them, and what to do."""
    try:
        yield
    except MinivaeError as error:
        if not recorded or os.path.lexists(name):
            raise
        where = checks.printable(Path(run) / runs.RUN_FILE)
        raise MinivaeError(
            f"{where} names the data {checks.printable(name)}, which are not there, seen from "
            f"{checks.printable(Path.cwd())}; go back to the folder where the run was made, or "
            "write into that file where they are now"
        ) from error


def quoted(path: str | Path) -> str:
    """A path as it is typed into this system's shell: in quotes if it holds spaces, for example."""
    return shell_line([checks.printable(path)])


def output_path(run: str, name: str, out: str | None) -> Path:
    """Where a picture or page goes: `name` in the run's folder, or `out`, of the same kind."""
    if out is None:
        return checks.check_path(run, "the run") / name
    path, ending = checks.check_path(out, "--out"), Path(name).suffix
    if path.suffix.lower() != ending:  # a typo must not overwrite a model, for example
        raise MinivaeError(f"--out is {checks.printable(out)}; give a name that ends in {ending}")
    return path

"""Shared by several commands: a run's model and data, and the path of a picture."""

from pathlib import Path

from minivae import checks, data, runs
from minivae.errors import MinivaeError


def run_and_data(run: str, data_name: str | None = None) -> tuple[runs.Model, data.Dataset, str]:
    """A run's model, its data (or others of the same size, by name), and what these are called."""
    record = runs.read_run_file(run)
    model = runs.load_run(run)
    name = record["data"] if data_name is None else data_name
    dataset = data.load(name)
    if data_name is None and data.fingerprint(dataset) != record["fingerprint"]:
        # with another split, test images may be among those the model was trained on
        raise MinivaeError(
            f"the data {checks.printable(name)} are not those {checks.printable(run)} was "
            "trained on; restore them (or give `evaluate` others with --data)"
        )
    if dataset.train.shape[1] != model.spec.data_dim:
        raise MinivaeError(
            f"the images of {checks.printable(name)} have {dataset.train.shape[1]} pixels; "
            f"this model takes {model.spec.data_dim}"
        )
    return model, dataset, name


def output_path(run: str, name: str, out: str | None) -> Path:
    """Where a picture or page goes: `name` in the run's folder, or `out`, of the same kind."""
    if out is None:
        return checks.check_path(run, "the run") / name
    path, ending = checks.check_path(out, "--out"), Path(name).suffix
    if path.suffix.lower() != ending:  # a typo must not overwrite a model, for example
        raise MinivaeError(f"--out is {checks.printable(out)}; give a name that ends in {ending}")
    return path

"""A model as a .safetensors file: its parameters by name, and its spec in the file's metadata."""

import json
from os import PathLike
from typing import Any

import numpy as np

from minivae import checks, files, runs
from minivae.bridge.transfer import checked, gather, import_library
from minivae.errors import MinivaeError
from minivae.runs import Model

METADATA_KEY = "minivae"  # one key: the library writes several in no fixed order
FORMAT_VERSION = 1


def save_safetensors(path: str | PathLike[str], model: Model) -> None:
    """Write the parameters by name, and the spec as JSON in the file's metadata.

    Raises MinivaeError if `model` is no Model, holds NaN or infinity, or cannot be written.
    """
    safetensors = import_library("safetensors.numpy")
    model = checked(model)
    head = {
        "format_version": FORMAT_VERSION,
        "spec": model.spec._asdict(),
        "image_shape": model.image_shape,
    }
    metadata = {METADATA_KEY: json.dumps(head, sort_keys=True, default=np.generic.item)}
    files.atomic_write(path, safetensors.save(model.params, metadata))


def load_safetensors(path: str | PathLike[str]) -> Model:
    """The Model in a file that `save_safetensors` wrote. Raises MinivaeError, naming the file."""
    safetensors = import_library("safetensors")
    with files.reading(path):
        try:
            with safetensors.safe_open(path, framework="np") as file:
                metadata, tensors = file.metadata(), _read_tensors(file, path)
        except safetensors.SafetensorError as error:
            raise files.damaged_error(path, str(error)) from None
        if METADATA_KEY not in (metadata or {}):
            raise MinivaeError(
                f"{checks.printable(path)} does not say which minivae model it holds; "
                "give a file that save_safetensors wrote"
            )
        head = json.loads(metadata[METADATA_KEY])
        if not isinstance(head, dict) or head.get("format_version") != FORMAT_VERSION:
            raise files.damaged_error(path, f"its description is not of format {FORMAT_VERSION}")
        spec = runs.spec_from_json(head.get("spec"), path)
        image_shape = runs.image_shape_from_json(head.get("image_shape"), spec, path)
    return gather(tensors, spec, image_shape, checks.printable(path))


def _read_tensors(file: Any, path: str | PathLike[str]) -> dict[str, np.ndarray]:
    for name in file.keys():
        dtype = file.get_slice(name).get_dtype()
        if dtype not in ("F32", "F64"):
            where = f"{checks.printable(path)}: tensor {checks.printable(name)}"
            raise MinivaeError(f"{where} has dtype {dtype}; a minivae model is F32 or F64")
    return {name: file.get_tensor(name) for name in file.keys()}

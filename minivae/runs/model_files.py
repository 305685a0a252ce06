"""Model files: an .npz archive of arrays under their parameter names, which `np.load` opens too.

Everything in a file is checked before it is used, because a file may be untrusted.
"""

import os
from typing import Any, NamedTuple

import numpy as np

from minivae import __version__, checks, conditional, files, vae
from minivae.data import Label, shown
from minivae.errors import MinivaeError
from minivae.spec import AnySpec, GanSpec

MODEL_KIND, GAN_KIND, CONDITIONAL_KIND = "model", "gan", "conditional"
MAX_WHITE = 2**31


class Model(NamedTuple):
    """A trained VAE: the spec, the flat parameters (P,), and the shape (h, w) of an image.

    white: the integer that means white in images of integers; None where that is not known (see
    `checks.check_known_images`). columns: the names of the pixels, where the model was fitted on a
    data frame.
    """

    spec: vae.Spec
    flat: np.ndarray
    image_shape: tuple[int, int]
    white: int | None = None
    columns: tuple[Any, ...] | None = None

    @property
    def params(self) -> dict[str, np.ndarray]:
        """The parameters by name: views of `flat`."""
        return vae.unpack(self.flat, self.spec)


class GanModel(NamedTuple):
    """A trained GAN: the same of its two networks."""

    spec: GanSpec
    flat: np.ndarray
    image_shape: tuple[int, int]

    @property
    def params(self) -> dict[str, np.ndarray]:
        """The parameters by name: views of `flat`."""
        return vae.unpack(self.flat, self.spec)


class ConditionalModel(NamedTuple):
    """A trained conditional VAE: the same, and the labels that it knows, (C,), in the order of its
    classes: names where the data had names, otherwise whole numbers."""

    spec: vae.Spec
    flat: np.ndarray
    image_shape: tuple[int, int]
    labels: tuple[Label, ...]
    white: int | None = None

    @property
    def params(self) -> dict[str, np.ndarray]:
        """The parameters by name: views of `flat`."""
        return vae.unpack(self.flat, self.spec)

    def given(self, label: Label) -> Model:
        """The ordinary VAE that this is for one label. Raises MinivaeError if it is not known."""
        if label not in self.labels:
            raise MinivaeError(
                f"there is no label {checks.describe(label)}; this model knows {shown(self.labels)}"
            )
        flat, spec = conditional.given(self.flat, self.spec, self.labels.index(label))
        return Model(spec, flat, self.image_shape, self.white)


AnyModel = Model | GanModel | ConditionalModel
KINDS: dict[type[AnyModel], str] = {
    Model: MODEL_KIND,
    GanModel: GAN_KIND,
    ConditionalModel: CONDITIONAL_KIND,
}


def save_model(
    path: str | os.PathLike[str], model: AnyModel, *, dtype: type[np.floating] | None = None
) -> None:
    """Write a model file, atomically.

    dtype: the type of the numbers in the file, by default the model's own. np.float16 halves the
    size, which is precise enough for a model that only draws pictures. Raises MinivaeError if the
    file cannot be written.
    """
    arrays = model.params
    if dtype is not None:
        arrays = {name: array.astype(dtype) for name, array in arrays.items()}
    meta: dict[str, Any] = {
        "kind": KINDS[type(model)],
        "minivae": __version__,
        "spec": model.spec._asdict(),
        "image_shape": list(model.image_shape),
    }
    if not isinstance(model, GanModel) and model.white is not None:
        meta["white"] = model.white
    if isinstance(model, ConditionalModel):
        meta["labels"] = list(model.labels)
    if isinstance(model, Model) and model.columns is not None:
        if all(type(name) in (str, int) for name in model.columns):
            meta["columns"] = list(model.columns)
    files.write_archive(path, arrays, meta)


def load_model(path: str | os.PathLike[str]) -> Model:
    """Read a model file -> Model, in float32 or float64.

    Raises MinivaeError, naming the file, if it is missing or damaged, or describes no valid model.
    """
    arrays, meta = files.read_archive(path, kind=MODEL_KIND)
    spec = spec_from_json(meta.get("spec"), path)
    shape = image_shape_from_json(meta.get("image_shape"), spec, path)
    white = _white_from_json(meta.get("white"), path)
    columns = _columns_from_json(meta.get("columns"), spec, path)
    return Model(spec, _flatten(arrays, spec, path), shape, white, columns)


def load_conditional(path: str | os.PathLike[str]) -> ConditionalModel:
    """Read the file of a conditional model. Raises MinivaeError as `load_model` does."""
    arrays, meta = files.read_archive(path, kind=CONDITIONAL_KIND)
    spec = _spec_from_json(meta.get("spec"), path, vae.Spec)
    shape = image_shape_from_json(meta.get("image_shape"), spec, path)
    white = _white_from_json(meta.get("white"), path)
    labels = _labels_from_json(meta.get("labels"), spec, path)
    return ConditionalModel(spec, _flatten(arrays, spec, path), shape, labels, white)


def _labels_from_json(value, spec, path):
    good = isinstance(value, list) and len(value) == spec.classes >= 2
    if not good or {type(label) for label in value} not in ({str}, {int}):
        raise files.damaged_error(path, "its labels are not one name or number for each class")
    if len(set(value)) < len(value):
        raise files.damaged_error(path, "it has a label twice")
    return tuple(value)


def _white_from_json(white, path):
    if white is not None and (type(white) is not int or not 1 <= white <= MAX_WHITE):
        raise files.damaged_error(path, f"its white is no whole number from 1 to {MAX_WHITE}")
    return white


def _columns_from_json(value, spec, path):
    if value is None:
        return None
    good = isinstance(value, list) and len(value) == spec.data_dim
    if not good or any(type(name) not in (str, int) for name in value):
        raise files.damaged_error(path, "its columns are not one name for each pixel")
    return tuple(value)


def load_gan(path: str | os.PathLike[str]) -> GanModel:
    """Read the model file of a GAN -> GanModel. Raises MinivaeError as `load_model` does."""
    arrays, meta = files.read_archive(path, kind=GAN_KIND)
    spec = _spec_from_json(meta.get("spec"), path, GanSpec)
    shape = image_shape_from_json(meta.get("image_shape"), spec, path)
    return GanModel(spec, _flatten(arrays, spec, path), shape)


def spec_from_json(value: Any, path: str | os.PathLike[str]) -> vae.Spec:
    """The Spec of an ordinary VAE that a file describes.

    Raises MinivaeError, naming the file, if it is not valid.
    """
    spec = _spec_from_json(value, path, vae.Spec)
    if spec.classes:
        raise files.damaged_error(path, "its spec has classes, and the model is not conditional")
    return spec


def _spec_from_json(value, path, kind):
    """A spec of that kind, vae.Spec or GanSpec."""
    if kind is vae.Spec and isinstance(value, dict):
        value = {"classes": 0} | value  # earlier versions knew no conditional models
    if not isinstance(value, dict) or set(value) != set(kind._fields):
        raise files.damaged_error(path, "it does not describe a model")
    if not isinstance(value["hidden"], list):
        raise files.damaged_error(path, "its hidden layers are not a list")
    spec = kind(**(value | {"hidden": tuple(value["hidden"])}))
    try:
        checks.check_spec(spec)
    except MinivaeError as error:
        raise files.damaged_error(path, str(error)) from None
    return spec


def image_shape_from_json(
    value: Any, spec: AnySpec, path: str | os.PathLike[str]
) -> tuple[int, int]:
    """The image shape (h, w) that a file gives. Raises MinivaeError unless it fits the spec."""
    sides = value if isinstance(value, list) and len(value) == 2 else (0, 0)
    if any(type(side) is not int or not 1 <= side <= checks.MAX_SIZE for side in sides):
        raise files.damaged_error(path, "its image shape is missing or invalid")
    height, width = sides
    if height * width != spec.data_dim:
        raise files.damaged_error(
            path, f"images of shape {value} do not have {spec.data_dim} pixels"
        )
    return height, width


def _flatten(arrays, spec, path):
    """The arrays of a file as one flat vector (P,), after checking that they are the model's."""
    shapes = dict(vae.layout(spec))
    if {name: a.shape for name, a in arrays.items()} != shapes:
        raise files.damaged_error(path, "its arrays are not those of the model that it describes")
    dtypes = {a.dtype for a in arrays.values()}
    if len(dtypes) != 1 or not dtypes <= {np.dtype(t) for t in ("f2", "f4", "f8")}:
        raise files.damaged_error(path, "its arrays are not of one floating-point type")
    dtype = np.promote_types(dtypes.pop(), np.float32)
    return np.concatenate([arrays[name].ravel() for name in shapes]).astype(dtype)

"""Shared by all conversions: the checks of a model, and the import of optional libraries."""

import importlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from minivae import checks
from minivae.errors import MinivaeError
from minivae.runs import Model
from minivae.spec import OUT_LOGVAR_FLOOR, Spec, layout

# of the inputs of a converted model, for its messages
PIXELS = "this model takes floats (divide 8-bit images by 255)"


def checked(model: Any) -> Model:
    """`model`, or MinivaeError unless it is a Model that the other library can hold unchanged."""
    if not isinstance(model, Model):
        raise MinivaeError(f"this is a {type(model).__name__}; it must be a minivae.runs.Model")
    checks.check_spec(model.spec)
    checks.check_flat(model.flat, model.spec.n_params, "the model's flat vector")
    _check_numbers(model, "the model")
    return model


def gather(
    arrays: Mapping[str, np.ndarray], spec: Spec, image_shape: tuple[int, int], where: str
) -> Model:
    """Arrays by minivae's names -> a Model in new memory. Raises MinivaeError if they do not fit.

    where: what holds the arrays, for the message.
    """
    checks.check_spec(spec)
    shapes = dict(layout(spec))
    checks.check_named_arrays(arrays, shapes, where)
    flat = np.concatenate([arrays[name].ravel() for name in shapes])
    model = Model(spec, flat, image_shape)
    _check_numbers(model, where)
    return model


def _check_numbers(model: Model, where: str) -> None:
    checks.check_finite_parameters(model.flat, where)
    if model.spec.learns_variance:
        checks.check_out_logvar(model.params["out_logvar"], OUT_LOGVAR_FLOOR, where)


def import_library(name: str) -> Any:
    """The optional library, or a module of it. Raises MinivaeError where it is not installed."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        package = name.partition(".")[0]
        raise MinivaeError(
            f"{package} cannot be imported ({error}); `python -m pip install {package}` installs it"
        ) from None

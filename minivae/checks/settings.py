"""What the settings of a training may be, and the checks of a `Settings`."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar, cast

import numpy as np

from minivae.backend import BACKENDS
from minivae.checks.model import (
    ACTIVATIONS,
    LIKELIHOODS,
    MAX_CLASSES,
    check_model_size,
    check_spec,
)
from minivae.checks.values import (
    MAX_SIZE,
    check_layers,
    check_number,
    check_whole,
    describe,
    printable,
)
from minivae.errors import MinivaeError

if TYPE_CHECKING:
    from minivae.data import Dataset
    from minivae.settings import AnySettings
    from minivae.spec import Spec

Chosen = TypeVar("Chosen", bound="AnySettings")

INTEGER_RANGES = {  # the lowest and the highest value of each
    "latent_dim": (1, MAX_SIZE),
    "epochs": (1, MAX_SIZE),
    "batch_size": (1, MAX_SIZE),
    "samples": (1, MAX_SIZE),
    "seed": (0, 2**64 - 1),
}
NOT_NEGATIVE = ("beta", "warmup", "free_bits")
CHOICES = {
    "activation": ACTIVATIONS,
    "likelihood": LIKELIHOODS,
    "condition": ("none", "labels"),
    "objective": ("elbo", "iwae"),
    "gradient": ("plain", "doubly"),
    "schedule": ("decay", "constant"),
    "backend": BACKENDS,
}
MAX_NUMBERS = 1 << 28  # numbers in one layer's output for a whole batch: 1 GiB of float32


def check_settings(settings: Chosen, dataset: Dataset | None = None) -> Chosen:
    """The settings of a VAE or a GAN with plain Python values, as they are saved and compared.

    dataset: to check as well that one can train on it. Raises MinivaeError unless
    one can train with these settings.
    """
    values = settings._asdict()
    for name, (low, high) in INTEGER_RANGES.items():
        if name in values:  # a GAN has fewer settings
            values[name] = check_whole(values[name], name, low, high)
    for name, known in CHOICES.items():
        if name in values and not (isinstance(values[name], str) and values[name] in known):
            raise MinivaeError(f"{name} is {describe(values[name])}; it must be one of {known}")
    values["hidden"] = _sizes(values["hidden"])
    values["lr"] = check_number(values["lr"], "lr", above=0)
    for name in NOT_NEGATIVE:
        if name in values:
            values[name] = check_number(values[name], name)
    if values.get("resampled") is not None:
        low, high = INTEGER_RANGES["samples"]
        values["resampled"] = check_whole(values["resampled"], "resampled", low, high)
    if values.get("variance") is not None:
        values["variance"] = check_number(values["variance"], "variance", above=0)
    settings = cast("Chosen", settings._replace(**values))
    check_spec(settings.spec(1))
    if "objective" in values:
        _check_objective(settings)
    if dataset is not None:
        check_settings_fit_data(settings, dataset)
    return settings


def check_settings_fit_data(settings: AnySettings, dataset: Dataset) -> None:
    """Raise MinivaeError unless these settings, checked already, suit the data.

    The model must not have too many parameters, a batch not more images than there are, and a step
    must fit into memory. A conditional model needs a label for each image.
    """
    n, data_dim = dataset.train.shape
    spec, classes = settings.spec(data_dim), 0
    if getattr(settings, "condition", "none") == "labels":  # a GAN has none
        classes = _check_labels(dataset)
        spec = cast("Spec", spec)._replace(classes=classes)
    check_model_size(spec)
    if settings.batch_size > n:
        raise MinivaeError(
            f"batch_size is {settings.batch_size}, but there are only {n} training images; "
            "choose a smaller one"
        )
    widest = classes + max(data_dim, settings.latent_dim, *settings.hidden)
    if settings.rows * widest > MAX_NUMBERS:
        raise MinivaeError(
            f"one step would take too much memory (batch_size {settings.batch_size}, in all "
            f"{settings.rows} rows, {data_dim} pixels an image); choose fewer samples or a smaller "
            "batch"
        )


def _check_labels(dataset):
    """How many labels there are to condition on, or MinivaeError."""
    needs = "condition is 'labels', but"
    where = f"the data {printable(dataset.name)}"
    if dataset.train_labels is None:
        raise MinivaeError(f"{needs} {where} have no labels; leave it out, or give data with them")
    known = np.unique(dataset.train_labels)
    if not 2 <= len(known) <= MAX_CLASSES:
        raise MinivaeError(
            f"{needs} those of {where} have {len(known)} different values; give data with 2 to "
            f"{MAX_CLASSES} classes, or leave it out"
        )
    if len(dataset.test):
        if dataset.test_labels is None:
            raise MinivaeError(
                f"{needs} the test images of {where} have no labels; leave it out, or add them"
            )
        new = np.setdiff1d(dataset.test_labels, known)
        if len(new):
            label = new[0] if dataset.classes is None else printable(dataset.classes[new[0]])
            raise MinivaeError(
                f"{needs} {where} have test images with label {label} and no training image with "
                "it; leave that label out of the data"
            )
    return len(known)


def _sizes(hidden):
    """Layer sizes from (200, 200), a list, an array, or a single number."""
    try:
        sizes = tuple(hidden)
    except TypeError:
        sizes = (hidden,)
    check_layers(sizes)
    return tuple(check_whole(size, "hidden", 1, MAX_SIZE) for size in sizes)


def _check_objective(settings):
    if settings.objective == "iwae" and settings.condition != "none":
        raise MinivaeError(
            "condition is for the elbo objective; leave it out, or use objective elbo"
        )
    if settings.objective == "iwae" and not settings.weighs_kl_plainly:
        raise MinivaeError("the iwae objective has no beta, warmup or free_bits; leave them out")
    if settings.objective == "elbo" and settings.resampled is not None:
        raise MinivaeError(
            "resampled belongs to the iwae objective; leave it out, or use objective iwae"
        )
    if settings.objective == "elbo" and settings.gradient != "plain":
        raise MinivaeError(
            "the doubly reparameterized gradient belongs to the iwae objective; leave gradient "
            "out, or use objective iwae"
        )
    if settings.resampled is not None and settings.resampled > settings.samples:
        raise MinivaeError(
            f"resampled is {settings.resampled}, but there are only {settings.samples} samples to "
            "draw from; choose a smaller one"
        )

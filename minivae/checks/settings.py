"""What the settings of a training may be, and the checks of a `Settings`."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar, cast

from minivae.backend import BACKENDS
from minivae.checks.model import ACTIVATIONS, LIKELIHOODS, check_model_size, check_spec
from minivae.checks.values import MAX_SIZE, check_layers, check_number, check_whole, describe
from minivae.errors import MinivaeError

if TYPE_CHECKING:
    from minivae.data import Dataset
    from minivae.settings import AnySettings

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
    must fit into memory.
    """
    n, data_dim = dataset.train.shape
    check_model_size(settings.spec(data_dim))
    if settings.batch_size > n:
        raise MinivaeError(
            f"batch_size is {settings.batch_size}, but there are only {n} training images; "
            "choose a smaller one"
        )
    if settings.rows * max(data_dim, settings.latent_dim, *settings.hidden) > MAX_NUMBERS:
        raise MinivaeError(
            f"one step would take too much memory (batch_size {settings.batch_size}, in all "
            f"{settings.rows} rows, {data_dim} pixels an image); choose fewer samples or a smaller "
            "batch"
        )


def _sizes(hidden):
    """Layer sizes from (200, 200), a list, an array, or a single number."""
    try:
        sizes = tuple(hidden)
    except TypeError:
        sizes = (hidden,)
    check_layers(sizes)
    return tuple(check_whole(size, "hidden", 1, MAX_SIZE) for size in sizes)


def _check_objective(settings):
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

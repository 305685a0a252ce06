"""The models that the check of the whole VAE goes through: small ones entry by entry, wide ones
along random directions."""

from collections.abc import Iterator
from itertools import product
from typing import NamedTuple

import numpy as np

from minivae import checks
from minivae.spec import GanSpec, Spec

ACTIVATIONS = checks.CHOICES["activation"]
HIDDEN = (4, 3, 3)  # a model of depth n takes the first n
# nats: some latents' KL is above it and some below, at the points of `points.generic_point`
FREE_BITS = 0.6


class Case(NamedTuple):
    """One model to check: its spec, batch and objective, and in how many directions."""

    spec: Spec
    beta: float = 1.0
    samples: int | None = None  # K of the importance-weighted bound; None: the ELBO
    batch: int = 3
    directions: int | None = None  # for each group of entries of like size; None: every entry

    @property
    def module(self) -> str:
        """The module whose gradient this is."""
        return "conditional" if self.spec.classes else "vae"

    @property
    def labels(self) -> np.ndarray:
        """The classes of the batch of a conditional model, (B,): 1, 2, ..., 0, 1, ..."""
        return (1 + np.arange(self.batch)) % self.spec.classes

    @property
    def name(self) -> str:
        """The case in words, for the report."""
        spec = self.spec
        sizes = "-".join(map(str, (spec.data_dim, *spec.hidden, spec.latent_dim)))
        words = [spec.likelihood, spec.activation, sizes]
        if spec.variance is not None:
            words.append(f"variance {spec.variance:g}")
        words.append(f"iwae K={self.samples}" if self.samples else f"beta {self.beta:g}")
        if spec.free_bits:
            words.append("free bits")
        if spec.classes:
            words.append(f"{spec.classes} labels")
        return " ".join(words)


class GanCase(NamedTuple):
    """One player of a GAN: its own loss, differentiated by its own parameters."""

    spec: GanSpec
    player: str  # "generator" or "discriminator"
    batch: int = 3
    directions: int | None = None

    @property
    def samples(self) -> None:
        """A GAN weighs no samples."""

    @property
    def module(self) -> str:
        """The module whose gradient this is."""
        return "gan"

    @property
    def name(self) -> str:
        """The case in words, for the report."""
        spec = self.spec
        sizes = "-".join(map(str, (spec.data_dim, *spec.hidden, spec.latent_dim)))
        return f"gan {spec.activation} {sizes} {self.player}"


AnyCase = Case | GanCase


def _gan_cases() -> Iterator[GanCase]:
    for activation, depth in product(ACTIVATIONS, range(4)):
        spec = GanSpec(5, HIDDEN[:depth], 2, activation)
        for player in ("discriminator", "generator"):
            yield GanCase(spec, player)


def _elbo_cases() -> Iterator[Case]:
    settings = product(checks.LIKELIHOODS, ACTIVATIONS, range(4), (0.0, 1.0, 4.0), (0, FREE_BITS))
    for likelihood, activation, depth, beta, free_bits in settings:
        spec = Spec(5, HIDDEN[:depth], 2, activation, likelihood, None, free_bits)
        yield Case(spec, beta)


def _conditional_cases() -> Iterator[Case]:
    settings = product(checks.LIKELIHOODS, ACTIVATIONS, range(3), (0, FREE_BITS))
    for likelihood, activation, depth, free_bits in settings:
        spec = Spec(5, HIDDEN[:depth], 2, activation, likelihood, None, free_bits, classes=2)
        yield Case(spec, 1.0 + depth)


def _iwae_cases() -> Iterator[Case]:
    for likelihood, activation, depth in product(checks.LIKELIHOODS, ACTIVATIONS, range(4)):
        yield Case(Spec(5, HIDDEN[:depth], 2, activation, likelihood), samples=4)


def _wide_cases() -> Iterator[Case]:
    for likelihood, activation in product(checks.LIKELIHOODS, ACTIVATIONS):
        yield Case(Spec(784, (200,), 50, activation, likelihood), batch=4, directions=1)


FIXED_VARIANCE = Case(Spec(5, HIDDEN[:1], 2, "tanh", "gaussian", 0.3))
ALL_CASES = (*_elbo_cases(), *_iwae_cases(), FIXED_VARIANCE, *_wide_cases())
DEFAULT_CASES = (  # strides such that every setting occurs
    *tuple(_elbo_cases())[::7],
    *tuple(_iwae_cases())[::5],
    FIXED_VARIANCE,
    *tuple(_wide_cases())[::3],
)
CONDITIONAL_CASES = tuple(_conditional_cases())
DEFAULT_CONDITIONAL_CASES = CONDITIONAL_CASES[::5]
GAN_CASES = tuple(_gan_cases())
DEFAULT_GAN_CASES = GAN_CASES[3::5]

"""The settings of a training: everything that determines a run, except its data."""

from typing import NamedTuple

from minivae.spec import Spec


class Settings(NamedTuple):
    """Everything that determines a run, except its data: architecture, objective, optimisation,
    seed.

    epochs: passes over the training set. warmup: epochs over which beta rises from 0. samples: K,
    for the importance-weighted objective. resampled: S, how many of the K go through the backward
    pass, drawn by weight; None for all. `checks.check_settings` checks all of them.
    """

    latent_dim: int = 2
    hidden: tuple[int, ...] = (200, 200)
    activation: str = "tanh"
    likelihood: str = "bernoulli"
    variance: float | None = None
    free_bits: float = 0.0
    epochs: int = 10
    batch_size: int = 100
    lr: float = 2e-3
    schedule: str = "decay"
    beta: float = 1.0
    warmup: float = 0.0
    objective: str = "elbo"
    samples: int = 1
    resampled: int | None = None
    backend: str = "numba"
    seed: int = 0

    def spec(self, data_dim: int) -> Spec:
        """The architecture that these settings describe, for images of `data_dim` pixels."""
        return Spec(
            data_dim=data_dim,
            hidden=self.hidden,
            latent_dim=self.latent_dim,
            activation=self.activation,
            likelihood=self.likelihood,
            variance=self.variance,
            free_bits=self.free_bits,
        )

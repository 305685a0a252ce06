"""The settings of a training, of a VAE or a GAN: all that determines a run, except its data.

What values they may have is in `checks/settings.py`.
"""

from typing import Any, NamedTuple

from minivae.spec import GanSpec, Spec


class Settings(NamedTuple):
    """Everything that determines a run, except its data: architecture, objective, optimisation,
    seed.

    latent_dim, hidden, activation, likelihood, variance, free_bits: as in `Spec`.
    epochs: passes over the training set. batch_size: images per step.
    lr: Adam's learning rate at the start; schedule: "decay" lets it fall geometrically to 5 per
    cent of itself, "constant" keeps it. beta: weight of the KL in the loss; warmup: epochs over
    which it rises from 0 to that.
    objective: "elbo" or "iwae". samples: K for each image, weighed by the importance-weighted
    objective, averaged by the ELBO. resampled: S, how many of the K go through the backward pass,
    drawn by weight; None for all. gradient: "plain", or "doubly" for the doubly reparameterized
    gradient of the encoder, with the importance-weighted objective.
    backend: "numba" or "numpy". seed: of all random numbers.
    `checks.check_settings` checks all of them.
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
    gradient: str = "plain"
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

    def steps_per_epoch(self, n: int) -> int:
        """How many batches n images make; the last may be smaller."""
        return -(-n // self.batch_size)

    @property
    def rows(self) -> int:
        """How many rows the largest array of a step has."""
        return self.samples * self.batch_size

    @property
    def weighs_kl_plainly(self) -> bool:
        """Whether the KL counts as it is in every step: beta 1, no warm-up, no free bits."""
        return (self.beta, self.warmup, self.free_bits) == (1, 0, 0)


class GanSettings(NamedTuple):
    """Everything that determines the training of a GAN, except its data.

    latent_dim, hidden, activation: as in `GanSpec`. epochs, batch_size, lr, schedule, backend,
    seed: as in `Settings`. Each step moves the discriminator once and then the generator once, both
    with the rate lr.
    """

    latent_dim: int = 10
    hidden: tuple[int, ...] = (200, 200)
    activation: str = "relu"
    epochs: int = 20
    batch_size: int = 100
    lr: float = 5e-4
    schedule: str = "constant"
    backend: str = "numba"
    seed: int = 0

    def spec(self, data_dim: int) -> GanSpec:
        """The architecture that these settings describe, for images of `data_dim` pixels."""
        return GanSpec(data_dim, self.hidden, self.latent_dim, self.activation)

    def steps_per_epoch(self, n: int) -> int:
        """How many batches n images make; the last may be smaller."""
        return -(-n // self.batch_size)

    @property
    def rows(self) -> int:
        """How many rows the largest array of a step has: real images and generated ones."""
        return 2 * self.batch_size


AnySettings = Settings | GanSettings
MODELS: dict[str, type[AnySettings]] = {"vae": Settings, "gan": GanSettings}


class Option(NamedTuple):
    """How `train --help` describes a setting; the default is added to it, unless that is None.

    value: what stands for the value there; None for the setting's name, or its choices.
    """

    help: str
    value: str | None = None


OPTIONS = {  # in the order of `train --help`
    "latent_dim": Option("latent dimensions", "L"),
    "hidden": Option("hidden layers of the encoder; the decoder mirrors them", "H"),
    "activation": Option("activation of the hidden layers"),
    "epochs": Option("passes over the training set", "N"),
    "batch_size": Option("images per step", "B"),
    "lr": Option("Adam's learning rate at the start"),
    "schedule": Option("decay: the rate falls geometrically to 5 per cent of itself"),
    "beta": Option("weight of the KL in the loss; 1 is the ELBO"),
    "warmup": Option("epochs over which beta rises from 0", "EPOCHS"),
    "free_bits": Option("KL that each latent may have without cost", "NATS"),
    "objective": Option("what is maximised"),
    "samples": Option("samples of z for each image: iwae weighs them, elbo averages them", "K"),
    "resampled": Option(
        "backpropagate through only S of the K samples, drawn by their weights: the same "
        "gradient on average, faster (default all)",
        "S",
    ),
    "gradient": Option(
        "doubly: the encoder's gradient of the iwae objective in its doubly reparameterized form, "
        "the same on average (notebook 09)"
    ),
    "likelihood": Option("p(x|z): binarized pixels, or grey with one learned variance"),
    "variance": Option("fix the gaussian's variance instead of learning it"),
    "backend": Option("numba is fast, numpy is readable"),
    "seed": Option("seed of all random numbers; the same seed gives the same model"),
}

# Settings that had another name in files of earlier versions, {name there: name now} ...
RENAMED = {"latent": "latent_dim"}
# ... and those added since, {name: the value that runs before had}.
ADDED: dict[str, Any] = {"gradient": "plain"}

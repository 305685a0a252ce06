"""`minivae.VAE`: the model with the conventions of scikit-learn, without needing scikit-learn.

The constructor only stores its arguments; `fit` checks them, trains, and returns self; attributes
that are learned end in an underscore.
"""

import inspect
import os
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from minivae import checks, data, evaluate, runs, train, vae
from minivae.backend import Backend, load_backend
from minivae.settings import Settings

MODELS = Path(__file__).parent / "runs" / "shipped"
PRETRAINED = tuple(sorted(path.stem for path in MODELS.glob("*.npz")))

RandomState = int | np.random.Generator | np.random.RandomState | None


class VAE:
    """A variational autoencoder for images, fitted like any scikit-learn estimator.

    Parameters
    ----------
    latent_dim : int
        Number of latents, L.
    hidden : sequence of int
        Sizes of the encoder's hidden layers; the decoder has them in reverse order.
    activation : str
        Activation of the hidden layers, one of `minivae.checks.ACTIVATIONS`: "tanh", ...
    likelihood : {"bernoulli", "gaussian"}
        p(x|z). With "bernoulli", grey pixels are binarized afresh for each batch,
        x ~ Bernoulli(pixel); "gaussian" keeps them grey.
    variance : float or None
        The Gaussian's variance; None learns one for all pixels.
    free_bits : float
        Nats of KL that each latent may have without cost.
    epochs : int
        Passes over the training images.
    batch_size : int
        Images per step.
    lr : float
        Adam's learning rate, at the start.
    schedule : {"decay", "constant"}
        With "decay" the learning rate falls geometrically to 5 per cent.
    beta : float
        Weight of the KL in the loss; 1 is the ELBO.
    warmup : float
        Epochs over which beta rises from 0.
    objective : {"elbo", "iwae"}
        The bound that is maximised.
    samples : int
        Samples of z for each image, K: "iwae" weighs them, "elbo" averages over them.
    resampled : int or None
        How many of the K samples go through the backward pass, drawn by weight; None for all.
    backend : {"numba", "numpy"}
        "numba" is fast, "numpy" is the readable reference.
    random_state : int, numpy.random.Generator, numpy.random.RandomState or None
        Seed of all random numbers; with None, each fit differs.
    verbose : bool
        Show a progress bar on standard error.

    Attributes
    ----------
    model_ : runs.Model
        Spec, parameters and image shape.
    history_ : list of dict
        One dict per epoch, nats per image.
    n_features_in_ : int
        Pixels of an image, D.
    seed_ : int
        The seed that was used.

    Examples
    --------
    >>> model = VAE(latent_dim=2).fit(X)       # X: (N, D) or (N, h, w), uint8 or 0..1
    >>> Z = model.transform(X)                 # (N, 2) posterior means
    >>> images = model.sample(16)              # (16, D), values in [0, 1]
    """

    def __init__(
        self,
        latent_dim: int = 2,
        *,
        hidden: Sequence[int] = (200, 200),
        activation: str = "tanh",
        likelihood: str = "bernoulli",
        variance: float | None = None,
        free_bits: float = 0.0,
        epochs: int = 10,
        batch_size: int = 100,
        lr: float = 2e-3,
        schedule: str = "decay",
        beta: float = 1.0,
        warmup: float = 0.0,
        objective: str = "elbo",
        samples: int = 1,
        resampled: int | None = None,
        backend: str = "numba",
        random_state: RandomState = None,
        verbose: bool = False,
    ) -> None:
        self.latent_dim = latent_dim
        self.hidden = hidden
        self.activation = activation
        self.likelihood = likelihood
        self.variance = variance
        self.free_bits = free_bits
        self.epochs = epochs
        self.batch_size = batch_size
        self.lr = lr
        self.schedule = schedule
        self.beta = beta
        self.warmup = warmup
        self.objective = objective
        self.samples = samples
        self.resampled = resampled
        self.backend = backend
        self.random_state = random_state
        self.verbose = verbose

    # ---- scikit-learn's protocol -------------------------------------------------------------

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The constructor's arguments by name. `deep` has no effect, because none is an
        estimator."""
        return {name: getattr(self, name) for name in _parameter_names()}

    def set_params(self, **params: Any) -> "VAE":
        """Change constructor arguments -> self. Raises MinivaeError for a name that is not one."""
        checks.check_parameter_names(params, _parameter_names())
        for name, value in params.items():
            setattr(self, name, value)
        return self

    def __repr__(self) -> str:
        default = {p.name: p.default for p in _parameters()}
        changed = [f"{k}={v!r}" for k, v in self.get_params().items() if v is not default[k]]
        return f"VAE({', '.join(changed)})"

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "model_")

    def __sklearn_tags__(self) -> Any:
        """scikit-learn's description of this estimator; only scikit-learn calls it."""
        from sklearn.utils import Tags, TargetTags, TransformerTags

        return Tags(None, TargetTags(required=False), TransformerTags())

    # ---- fitting -----------------------------------------------------------------------------

    def fit(self, X: ArrayLike, y: Any = None) -> "VAE":
        """Train on images. `y` is ignored.

        Parameters
        ----------
        X : array of shape (N, D) or (N, h, w)
            Images, uint8 or floats in [0, 1].

        Returns
        -------
        self : VAE

        Raises
        ------
        MinivaeError
            If an argument or X is not valid, or if training diverges; the result of an earlier fit
            is kept.

        Warns
        -----
        UserWarning
            If the likelihood is Bernoulli, which binarizes X, and more than a fifth of the pixels
            are grey.
        """
        images, image_shape = checks.check_images_and_shape(X, "X")
        seed = checks.seed_from(self.random_state)
        dataset = data.Dataset("X", images, images[:0], None, None, image_shape, "")
        settings = checks.check_settings(self._settings(seed), dataset)
        note = data.grey_note(images, settings.likelihood, 'likelihood="gaussian"')
        if note:
            warnings.warn(note, UserWarning, stacklevel=2)
        state = train.new_state(dataset, settings)
        if self.verbose:
            with runs.ProgressBar(state, settings, len(images)) as bar:
                train.run_loop(dataset, settings, state, on_step=bar.update)
        else:
            train.run_loop(dataset, settings, state)
        spec = settings.spec(images.shape[1])
        self.model_ = runs.Model(spec, state.flat, image_shape)
        self.history_ = state.history
        self.n_features_in_ = images.shape[1]
        self.seed_ = seed
        return self

    def fit_transform(self, X: ArrayLike, y: Any = None) -> np.ndarray:
        """`fit(X)`, then `transform(X)`."""
        return self.fit(X).transform(X)

    def _settings(self, seed):
        own = self.get_params() | {"seed": seed}
        return Settings(**{name: own[name] for name in Settings._fields})

    # ---- using a fitted model ----------------------------------------------------------------

    def transform(self, X: ArrayLike) -> np.ndarray:
        """Posterior means E_q[z|x].

        Parameters
        ----------
        X : array of shape (N, D) or (N, h, w)
            Images as for `fit`. Grey pixels are not binarized.

        Returns
        -------
        Z : ndarray of shape (N, L)
        """
        x = data.scale(self._known_images(X))
        mu, _ = self._run(vae.encode, x)
        return mu

    def inverse_transform(self, Z: ArrayLike) -> np.ndarray:
        """Decoded images E[x|z].

        Parameters
        ----------
        Z : array of shape (N, L)
            Latents.

        Returns
        -------
        images : ndarray of shape (N, D)
            With a Bernoulli likelihood the values are in [0, 1].

        Raises
        ------
        MinivaeError
            If the model is not fitted, if Z has another shape or holds NaN or infinity, or if the
            images would.
        """
        model = self._model()
        z = checks.check_usual_latents(Z, model.spec, model.flat.dtype)
        return self._run(vae.mean_image, z)

    def reconstruct(self, X: ArrayLike) -> np.ndarray:
        """Images encoded to their posterior means and decoded again: X as for `fit` -> (N, D)."""
        return self.inverse_transform(self.transform(X))

    def interpolate(self, a: np.ndarray, b: np.ndarray, steps: int = 10) -> np.ndarray:
        """Images on the straight line between two images in latent space.

        Parameters
        ----------
        a, b : array of shape (D,) or (h, w)
            The two images.
        steps : int
            How many images, the reconstructions of a and b included; at least 2.

        Returns
        -------
        images : ndarray of shape (steps, D)
        """
        steps = self._count(steps, "steps", 2)
        ends = np.concatenate([self.transform([image]) for image in (a, b)])
        t = np.linspace(0, 1, steps)[:, None]
        return self.inverse_transform((1 - t) * ends[:1] + t * ends[1:])

    def sample(self, n_samples: int = 1, random_state: RandomState = None) -> np.ndarray:
        """Means of p(x|z) for z drawn from the prior N(0, I).

        Parameters
        ----------
        n_samples : int
            How many images.
        random_state : int, numpy.random.Generator, numpy.random.RandomState or None
            As in the constructor.

        Returns
        -------
        images : ndarray of shape (n_samples, D)
        """
        n_samples = self._count(n_samples, "n_samples", 1)
        rng = np.random.default_rng(checks.seed_from(random_state))
        return self._run(vae.sample, n_samples, rng)

    def score_samples(self, X: ArrayLike, n_samples: int = 500) -> np.ndarray:
        """Importance-weighted estimate of log p(x) for each image, in nats.

        On average it is below log p(x), and rises towards it with `n_samples`. The same X gives the
        same numbers: an image's noise, and for a Bernoulli model the binarization of its grey
        pixels, are drawn from a fixed seed by the image's place in X.

        Parameters
        ----------
        X : array of shape (N, D) or (N, h, w)
            Images as for `fit`.
        n_samples : int
            Importance samples per image.

        Returns
        -------
        log_p : ndarray of shape (N,)
        """
        model = self._model()
        x = data.test_images(self._known_images(X), model.spec.likelihood)
        rng = np.random.default_rng(data.BINARIZATION_SEED)
        return evaluate.log_likelihood(
            model.params, x, model.spec, samples=n_samples, rng=rng, ops=self._ops()
        ).log_p

    def score(self, X: ArrayLike, y: Any = None) -> float:
        """Mean of `score_samples(X)`, nats per image: higher is better. `y` is ignored."""
        return float(self.score_samples(X).mean())

    # ---- files -------------------------------------------------------------------------------

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the fitted model to an .npz file, atomically and without pickle."""
        runs.save_model(path, self._model())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "VAE":
        """Read a model file, such as runs/mnist/model.npz -> a fitted VAE.

        A file holds the model and not its training: the result has no `history_` and `seed_`, and
        the arguments that only concern training have their defaults.
        """
        model = runs.load_model(path)
        spec = model.spec
        self = cls(
            spec.latent_dim,
            hidden=spec.hidden,
            activation=spec.activation,
            likelihood=spec.likelihood,
            variance=spec.variance,
            free_bits=spec.free_bits,
        )
        self.model_ = model
        self.n_features_in_ = spec.data_dim
        return self

    @classmethod
    def pretrained(cls, name: str) -> "VAE":
        """A fitted model from the package: "mnist" (two latents), "cats" (eight), or a row of the
        published table, such as "vae-1" (fifty). A row that was started from others may be called
        by its last part: of "vae-1-then-iwae-5" and "iwae-5", the shorter name finds the longest
        chain. Raises MinivaeError for any other name."""
        chains = [shipped for shipped in PRETRAINED if shipped.endswith(f"-then-{name}")]
        if chains and name not in PRETRAINED:
            name = max(chains, key=len)
        checks.check_pretrained_name(name, PRETRAINED)
        return cls.load(MODELS / f"{name}.npz")

    # ---- helpers -----------------------------------------------------------------------------

    def _ops(self) -> Backend:
        return load_backend(self.backend)

    def _run(self, function: Callable[..., Any], *args: Any) -> Any:
        """Call a function of `vae` with the fitted parameters -> its result, finite."""
        model = self._model()
        # no warnings: a result that is not finite raises the error below
        with np.errstate(all="ignore"):
            result = function(model.params, *args, model.spec, self._ops())
        if not np.isfinite(result).all():
            raise checks.not_finite_error("what this model computes is")
        return result

    def _model(self) -> runs.Model:
        checks.check_fitted(self)
        return self.model_

    def _count(self, value: Any, name: str, low: int) -> int:
        """The number of images to make, after a check that all of them fit into memory."""
        high = checks.MAX_NUMBERS // self._model().spec.data_dim
        return checks.check_whole(value, name, low, high)

    def _known_images(self, X: ArrayLike) -> np.ndarray:
        """X checked: images (N, D) of the size that the model was fitted on."""
        model = self._model()
        images, _ = checks.check_images_and_shape(X, "X")
        checks.check_pixel_count(images, model.spec.data_dim)
        return images


def _parameters():
    return list(inspect.signature(VAE.__init__).parameters.values())[1:]


def _parameter_names():
    return [parameter.name for parameter in _parameters()]

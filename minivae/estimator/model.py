"""The class VAE. The constructor only stores its arguments; `fit` checks them, trains, and returns
self; attributes that are learned end in an underscore.

More than 400 lines because scikit-learn wants all arguments in one constructor, documented there,
and all methods in one class.
"""

import html
import inspect
import os
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from minivae import checks, data, runs, train, vae
from minivae.backend import Backend, load_backend
from minivae.estimator import fitting, pictures, scoring, shipped
from minivae.settings import Settings

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
        x ~ Bernoulli(pixel); "gaussian" keeps them grey. Their scores do not compare: see
        `score` and `bits_per_dim`.
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
    gradient : {"plain", "doubly"}
        "doubly": the encoder's gradient of the "iwae" objective in its doubly reparameterized form.
    backend : {"numba", "numpy"}
        "numba" is fast, "numpy" is the readable reference.
    random_state : int, numpy.random.Generator, numpy.random.RandomState or None
        Seed of all random numbers; with None, each fit differs.
    verbose : bool or None
        Show a progress bar on standard error; None: in a terminal and in Jupyter, not in a log.
    warm_start : bool
        Let `fit` go on, for `epochs` more, from the parameters of the last fit or of the loaded
        file.
    early_stopping : bool
        Hold images out, and end when `n_iter_no_change` epochs have not improved their ELBO; the
        parameters of the best epoch are kept.
    validation_fraction : float
        The share of the images that early stopping holds out.
    n_iter_no_change : int
        Epochs without a better ELBO that early stopping waits.

    Attributes
    ----------
    model_ : runs.Model
        Spec, parameters and image shape.
    history_ : list of dict
        One dict per epoch, nats per image; with early stopping, `test_elbo` is of the images held
        out.
    n_iter_ : int
        Epochs that the last fit ran.
    n_features_in_ : int
        Pixels of an image, D.
    feature_names_in_ : ndarray of str
        The columns of X, where it was a data frame whose columns have names.
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
        gradient: str = "plain",
        backend: str = "numba",
        random_state: RandomState = None,
        verbose: bool | None = None,
        warm_start: bool = False,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 5,
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
        self.gradient = gradient
        self.backend = backend
        self.random_state = random_state
        self.verbose = verbose
        self.warm_start = warm_start
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change

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

    def fit(
        self, X: ArrayLike, y: Any = None, *, callback: fitting.Callback | None = None
    ) -> "VAE":
        """Train on images. `y` is ignored. Ctrl-C ends training and keeps what was learned.

        Parameters
        ----------
        X : array of shape (N, D) or (N, h, w), data frame or sparse matrix
            Images, uint8 or floats in [0, 1]. Integers that are all 0 or 1 are black and white;
            integers that all are 127 or less are divided by the largest one. What a number means
            is kept: later images are read in the same way.
        callback : callable or None
            Called after each epoch with its row of the history, a dict.

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
            If integers are not divided by 255; if the likelihood is Bernoulli, which binarizes X,
            and more than a fifth of the pixels are grey; if training was interrupted.
        """
        before = self._model() if self.warm_start and hasattr(self, "model_") else None
        white = None if before is None else before.white
        images, image_shape, white, said = checks.check_images_for_fit(X, "X", white)
        if said:
            warnings.warn(said, UserWarning, stacklevel=2)
        seed = checks.seed_from(self.random_state)
        rest, patience = images[:0], None
        if self.early_stopping:
            patience = checks.check_samples(self.n_iter_no_change, "n_iter_no_change")
            images, rest = fitting.held_out(images, self.validation_fraction, seed)
        dataset = data.Dataset("X", images, rest, None, None, image_shape, "")
        settings = self._settings(seed)
        if settings.batch_size == Settings._field_defaults["batch_size"] > len(images):
            settings = settings._replace(batch_size=len(images))
        settings = checks.check_settings(settings, dataset)
        note = data.grey_note(images, settings.likelihood, 'likelihood="gaussian"')
        if note:
            warnings.warn(note, UserWarning, stacklevel=2)
        spec = settings.spec(images.shape[1])
        state = train.new_state(dataset, settings)
        if before is not None:
            checks.check_same_spec(before.spec, spec)
            state.flat[:] = before.flat
        done = fitting.run(
            dataset, settings, state, verbose=self.verbose, callback=callback, patience=patience
        )
        columns = checks.frame_columns(X)
        self.model_ = runs.Model(spec, done.flat, image_shape, white, columns)
        if columns is not None and all(isinstance(name, str) for name in columns):
            self.feature_names_in_ = np.array(columns, dtype=object)
        elif hasattr(self, "feature_names_in_"):
            del self.feature_names_in_
        self.history_ = state.history
        self.n_iter_ = state.epoch
        self.n_features_in_ = images.shape[1]
        self.seed_ = seed
        return self

    def fit_transform(self, X: ArrayLike, y: Any = None) -> np.ndarray:
        """`fit(X)`, then `transform(X)`."""
        return self.fit(X).transform(X)

    def _settings(self, seed):
        own = self.get_params() | {"seed": seed}
        return Settings(**{name: own[name] for name in Settings._fields})

    def set_output(self, *, transform: str | None = None) -> "VAE":
        """What `transform` returns: "default", an array, or "pandas", a data frame -> self."""
        if transform is not None:
            checks.check_output(transform)
            self._output = transform
        return self

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """The names of the latents, "vae0", "vae1", ...; `input_features` is ignored."""
        latents = range(self._model().spec.latent_dim)
        return np.array([f"vae{j}" for j in latents], dtype=object)

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
        mu = self.encode(X)[0]
        if getattr(self, "_output", "default") == "pandas":
            import pandas

            index = X.index if isinstance(X, pandas.DataFrame) else None
            return pandas.DataFrame(mu, index=index, columns=self.get_feature_names_out())
        return mu

    def encode(self, X: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
        """The parameters of q(z|x): X as for `transform` -> mu, logvar, (N, L) each; logvar is
        log sigma^2."""
        return tuple(self._run(vae.encode, data.scale(self._known_images(X))))

    def sample_posterior(
        self, X: ArrayLike, n_samples: int = 1, random_state: RandomState = None
    ) -> np.ndarray:
        """Draws of z from q(z|x): X as for `transform` -> (n_samples, N, L)."""
        mu, logvar = self.encode(X)
        n_samples = checks.check_samples(n_samples, "n_samples")
        rng = np.random.default_rng(checks.seed_from(random_state))
        eps = rng.standard_normal((n_samples, *mu.shape)).astype(mu.dtype)
        return mu + np.exp(logvar / 2) * eps

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
        return self.inverse_transform(self.encode(X)[0])

    def reconstruction_error(self, X: ArrayLike) -> np.ndarray:
        """-log p(x|z) at the posterior mean z = mu, for each image: X as for `fit` -> (N,) nats.

        Nothing is drawn: with a Bernoulli likelihood a grey pixel counts with its cross-entropy.
        """
        x = data.scale(self._known_images(X))
        return self._run(_error_at_the_mean, x)

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
        ends = np.concatenate([self.encode([image])[0] for image in (a, b)])
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

        On average it is below log p(x), and rises towards it with `n_samples`. The same image gets
        the same number, alone or anywhere in X: its noise, and for a Bernoulli model the
        binarization of its grey pixels, are drawn from a seed that is made of its pixels.

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
        n_samples = checks.check_samples(n_samples, "n_samples")
        images = self._known_images(X)
        return scoring.log_p(self.model_, images, n_samples, self._ops())

    def score(self, X: ArrayLike, y: Any = None) -> float:
        """Mean of `score_samples(X)`, nats per image: higher is better. `y` is ignored.

        Scores of the two likelihoods cannot be compared: a Bernoulli's is the log of a probability,
        a Gaussian's of a density. Warns if both scored the same images; see `bits_per_dim`.
        """
        mean = float(self.score_samples(X).mean())
        note = scoring.comparison_note(self._known_images(X), self.model_.spec.likelihood)
        if note:
            warnings.warn(note, UserWarning, stacklevel=2)
        return mean

    def bits_per_dim(self, X: ArrayLike, n_samples: int = 500) -> np.ndarray:
        """-log2 P(x) / D for each image, the bits that one pixel costs: less is better.

        X and `n_samples` as for `score_samples` -> (N,). With a Gaussian likelihood, P is the
        density times the width to which pixels were rounded in the data of `fit`, 1 / 255 for bytes
        and 1 for black and white. With a Bernoulli, P is that of the image in black and white. So
        the two compare on images that are black and white; on grey ones they describe different
        images, and only models of one likelihood compare.
        """
        log_p, spec = self.score_samples(X, n_samples), self._model().spec
        return scoring.bits_per_dim(log_p, spec.data_dim, spec.likelihood, self.model_.white or 1)

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
        published table, such as "vae-1" (fifty); a row that was started from others is found by
        its last part, too, "iwae-5". Raises MinivaeError for any other name."""
        return cls.load(shipped.model_file(name))

    # ---- in a notebook -----------------------------------------------------------------------

    def plot_latents(self, X: ArrayLike, labels: ArrayLike | None = None, ax: Any = None) -> Any:
        """Draw the posterior means of images in the plane of the first two latents.

        Parameters
        ----------
        X : array of shape (N, D) or (N, h, w)
            Images as for `fit`.
        labels : array of shape (N,) or None
            Each label gets a colour.
        ax : matplotlib.axes.Axes or None
            Where to draw; None makes a figure.

        Returns
        -------
        ax : matplotlib.axes.Axes
        """
        mu = self.encode(X)[0]
        if labels is not None:
            labels = checks.check_one_for_each(labels, len(mu), "labels")
        return pictures.plot_latents(mu, labels, ax)

    def _repr_html_(self) -> str:
        if not hasattr(self, "model_"):
            return f"<code>{html.escape(repr(self))}</code>"
        history = getattr(self, "history_", [])
        return pictures.as_html(repr(self), self.model_, history, self._ops())

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
        return checks.check_known_images(
            X, model.spec.data_dim, model.image_shape, model.white, model.columns
        )


def _error_at_the_mean(params, x, spec, ops):
    """-log p(x|mu(x)), (B,) nats."""
    mu, _ = vae.encode(params, x, spec, ops)
    out = vae.decode(params, mu, spec, ops)
    return vae.nll_forward(params, out, x, spec, ops)[0]


def _parameters():
    return list(inspect.signature(VAE.__init__).parameters.values())[1:]


def _parameter_names():
    return [parameter.name for parameter in _parameters()]

"""`minivae.VAE`: the familiar face. scikit-learn's conventions, without scikit-learn.

The constructor only stores; `fit` returns self; what fitting learns ends in an underscore.
"""

import inspect
import warnings
from pathlib import Path

import numpy as np

from minivae import checks, data, evaluate, runs, train, vae
from minivae.backend import load_backend
from minivae.errors import MinivaeError
from minivae.settings import Settings

MODELS = Path(__file__).parent / "runs" / "shipped"
PRETRAINED = ("mnist", "cats")


class VAE:
    """A variational autoencoder for images, fitted like any scikit-learn estimator.

    >>> model = VAE(latent_dim=2).fit(X)       # X: (N, D) or (N, h, w), uint8 or 0..1
    >>> Z = model.transform(X)                 # (N, 2) posterior means
    >>> images = model.sample(16)              # (16, D), values in [0, 1]

    Parameters: `hidden` layer sizes of the encoder, mirrored by the decoder; `likelihood`
    "bernoulli" (grey pixels are binarized afresh for each batch, x ~ Bernoulli(pixel)) or
    "gaussian" (one learned variance, or a fixed `variance`); `warmup` epochs over which beta
    rises from 0; `free_bits` nats per latent; `objective` "elbo" or "iwae" with `samples`
    importance samples; `random_state` None (another result each time), an integer, or a
    generator of NumPy's. The rest as in `python -m minivae train --help`.

    Fitted: `model_` (spec and parameters), `history_` (a dict per epoch, nats per image),
    `n_features_in_`, `seed_` (the seed that was used).
    """

    def __init__(
        self,
        latent_dim=2,
        *,
        hidden=(200, 200),
        activation="tanh",
        likelihood="bernoulli",
        variance=None,
        free_bits=0.0,
        epochs=10,
        batch_size=100,
        lr=2e-3,
        schedule="decay",
        beta=1.0,
        warmup=0.0,
        objective="elbo",
        samples=1,
        resampled=None,
        backend="numba",
        random_state=None,
        verbose=False,
    ):
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

    def get_params(self, deep=True):
        """The constructor's arguments as a dict; `deep` changes nothing, nothing is nested."""
        return {name: getattr(self, name) for name in _parameter_names()}

    def set_params(self, **params):
        """Change constructor arguments -> self. Raises MinivaeError for a name that is not one."""
        for name, value in params.items():
            if name not in _parameter_names():
                known = ", ".join(_parameter_names())
                raise MinivaeError(f"VAE has no parameter {checks.printable(name)}; it has {known}")
            setattr(self, name, value)
        return self

    def __repr__(self):
        default = {p.name: p.default for p in _parameters()}
        changed = [f"{k}={v!r}" for k, v in self.get_params().items() if v is not default[k]]
        return f"VAE({', '.join(changed)})"

    def __sklearn_is_fitted__(self):
        return hasattr(self, "model_")

    def __sklearn_tags__(self):
        """What scikit-learn wants to know; only scikit-learn calls this."""
        from sklearn.utils import Tags, TargetTags, TransformerTags

        return Tags(None, TargetTags(required=False), TransformerTags())

    # ---- fitting -----------------------------------------------------------------------------

    def fit(self, X, y=None):
        """Train on images X, (N, D) or (N, h, w), uint8 or 0..1 -> self. `y` is ignored.

        Warns (UserWarning) that a Bernoulli likelihood binarizes X, where more than a fifth of its
        pixels are grey.
        """
        images, image_shape = _images(X)
        seed = _seed(self.random_state)
        none = images[:0]
        dataset = data.Dataset("X", images, none, None, None, image_shape, "")
        settings = checks.check_settings(self._settings(seed), dataset)
        note = data.grey_note(images, settings.likelihood, 'likelihood="gaussian"')
        if note:
            warnings.warn(note, UserWarning, stacklevel=2)
        state = train.new_state(dataset, settings)
        if self.verbose:
            with train.ProgressBar(state, settings, len(images)) as bar:
                train.train(dataset, settings, state=state, on_step=bar.show)
        else:
            train.train(dataset, settings, state=state)
        spec = settings.spec(images.shape[1])
        self.model_ = runs.Model(spec, state.flat, image_shape)
        self.history_ = state.history
        self.n_features_in_ = images.shape[1]
        self.seed_ = seed
        return self

    def fit_transform(self, X, y=None):
        """`fit(X)`, then `transform(X)`."""
        return self.fit(X).transform(X)

    def _settings(self, seed):
        own = self.get_params() | {"latent": self.latent_dim, "seed": seed}
        return Settings(**{name: own[name] for name in Settings._fields})

    # ---- using a fitted model ----------------------------------------------------------------

    def transform(self, X):
        """Posterior means E_q[z|x]: X (N, D) or (N, h, w) -> (N, L). Grey pixels enter as grey."""
        x = data.scale(self._known_images(X))
        mu, _ = self._run(vae.encode, x)
        return mu

    def inverse_transform(self, Z):
        """E[x|z], the decoded images: Z (N, L) -> (N, D), values in [0, 1] for a Bernoulli."""
        model = self._model()
        z = checks.check_latents(Z, model.spec, model.flat.dtype)
        return self._run(vae.mean_image, z)

    def reconstruct(self, X):
        """Images through the posterior mean and back: X -> (N, D)."""
        return self.inverse_transform(self.transform(X))

    def interpolate(self, a, b, steps=10):
        """A straight walk in latent space from image a to image b -> (steps, D), ends included."""
        steps = self._count(steps, "steps", 2)
        ends = np.concatenate([self.transform([image]) for image in (a, b)])
        t = np.linspace(0, 1, steps)[:, None]
        return self.inverse_transform((1 - t) * ends[:1] + t * ends[1:])

    def sample(self, n_samples=1, random_state=None):
        """z ~ N(0, I), decoded: -> (n_samples, D) means. `random_state` as in the constructor."""
        n_samples = self._count(n_samples, "n_samples", 1)
        return self._run(vae.sample, n_samples, np.random.default_rng(_seed(random_state)))

    def score_samples(self, X, n_samples=500):
        """Importance-weighted log p(x) of each image, nats: X -> (N,).

        An estimate from below that rises with n_samples. The same X gives the same numbers: an
        image's noise, and for a Bernoulli model the binarization of its grey pixels, are drawn
        from a fixed seed by its place in X.
        """
        model = self._model()
        x = data.test_images(self._known_images(X), model.spec.likelihood)
        rng = np.random.default_rng(data.BINARIZATION_SEED)
        return evaluate.log_likelihood(
            model.params, x, model.spec, samples=n_samples, rng=rng, ops=self._ops()
        ).log_p

    def score(self, X, y=None):
        """Mean importance-weighted log p(x), nats per image: higher is better."""
        return float(self.score_samples(X).mean())

    # ---- files -------------------------------------------------------------------------------

    def save(self, path):
        """Write the fitted model to a file (.npz; no pickle), whole or not at all."""
        runs.save_model(path, self._model())

    @classmethod
    def load(cls, path):
        """Read a model file, such as runs/mnist/model.npz -> a fitted VAE.

        A file holds the model, not its training: `history_` and `seed_` come from `fit` alone.
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
    def pretrained(cls, name):
        """A small fitted model that is shipped: "mnist" (two latents) or "cats" (eight)."""
        if name not in PRETRAINED:
            raise MinivaeError(f"no shipped model is called {name!r}; there are {PRETRAINED}")
        return cls.load(MODELS / f"{name}.npz")

    # ---- helpers -----------------------------------------------------------------------------

    def _ops(self):
        return load_backend(self.backend)

    def _run(self, function, *args):
        """A function of `vae` with the fitted parameters; its results are finite."""
        model = self._model()
        with np.errstate(all="ignore"):  # reported below, once
            result = function(model.params, *args, model.spec, self._ops())
        if not np.isfinite(result).all():
            raise MinivaeError(
                "the model gives NaN or infinite values, as its parameters are enormous; fit it "
                "again with a smaller lr"
            )
        return result

    def _model(self):
        if not hasattr(self, "model_"):
            raise MinivaeError("this VAE is not fitted yet; call fit(X) first")
        return self.model_

    def _count(self, value, name, low):
        """How many images to make: few enough to fit into memory."""
        high = checks.MAX_NUMBERS // self._model().spec.data_dim
        return checks.check_whole(value, name, low, high)

    def _known_images(self, X):
        model = self._model()
        images, _ = _images(X)
        if images.shape[1] != model.spec.data_dim:
            raise MinivaeError(
                f"X has {images.shape[1]} pixels an image; this model was fitted on "
                f"{model.spec.data_dim}"
            )
        return images


def _parameters():
    return list(inspect.signature(VAE.__init__).parameters.values())[1:]


def _parameter_names():
    return [parameter.name for parameter in _parameters()]


def _images(X):
    """X checked -> (N, D) uint8 or float32, and the shape of one image."""
    return checks.check_images_and_shape(X, "X")


def _seed(random_state):
    """An integer seed from None, an integer, or a generator of either of NumPy's kinds."""
    if random_state is None:
        random_state = np.random.default_rng()
    if isinstance(random_state, np.random.RandomState):
        return int(random_state.randint(2**32, dtype=np.uint64))
    if isinstance(random_state, np.random.Generator):
        return int(random_state.integers(2**32))
    return checks.check_whole(random_state, "random_state", *checks.INTEGER_RANGES["seed"])

"""The training loop: minibatches, the hand-derived gradient, Adam.

The same data and `Settings` give the same run. Each kind of randomness has a stream of its own, so
that evaluating or logging more often does not change what is learned.
"""

from collections.abc import Callable
from typing import Any, TypeGuard

import numpy as np

from minivae import checks, conditional, data, evaluate, gan, vae
from minivae.backend import Backend, load_backend, reproducible_sums
from minivae.errors import MinivaeError
from minivae.settings import AnySettings, GanSettings, Settings
from minivae.spec import AnySpec, Spec

STREAMS = ("init", "order", "binarize", "noise", "evaluation")
# Each step moves the variance this fraction of the way to its best value: about an average over the
# last ten batches.
VARIANCE_RATE = 0.1
DECAY_TO = 0.05  # the last step's learning rate, as a share of the first
ROWS_AT_ONCE = 1000  # images that are converted to float64 at a time

COLUMNS = ("epoch", "step", "lr", "beta", "loss", "nll", "kl")
TEST_COLUMNS = ("test_elbo", "test_nll", "test_kl")
# Of a GAN: told_apart is the share of images that the discriminator takes for what they are.
GAN_COLUMNS = ("epoch", "step", "lr", "discriminator_loss", "generator_loss", "told_apart")
GAN_BETA1 = 0.5  # of Adam: a longer memory makes two players overshoot (Radford et al. 2016)

# Of a batch: loss, nll, kl, nats per image; of a GAN the last three of GAN_COLUMNS.
StepTerms = tuple[float, float, float]


class Interrupted(Exception):
    """Training was stopped by `should_stop`, after step number `step`."""

    def __init__(self, step: int) -> None:
        super().__init__(f"stopped after step {step}")
        self.step = step


class State:
    """The state of a training: everything that a checkpoint holds.

    flat: (P,), the parameters. m, v: (P,), Adam's moments. step, epoch: how many are done.
    position: how many images of the current epoch are done. sums: (3,), the StepTerms summed over
    these images. history: a row per epoch, as in history.csv. streams: a generator
    for each of STREAMS. order_state: that of the stream "order" before it drew this epoch's order.
    """

    def __init__(self, flat: np.ndarray, streams: dict[str, np.random.Generator]) -> None:
        self.flat = flat
        self.m, self.v = np.zeros_like(flat), np.zeros_like(flat)
        self.step = self.epoch = self.position = 0
        self.sums = np.zeros(3)
        self.history: list[dict[str, float]] = []
        self.streams = streams
        self.order_state = streams["order"].bit_generator.state

    def draw_order(self, n: int) -> np.ndarray:
        """The order of this epoch's n images, (n,); a resumed epoch gets the same order again."""
        order = self.streams["order"]
        if self.position:
            order.bit_generator.state = self.order_state
        self.order_state = order.bit_generator.state
        return order.permutation(n)


OnStep = Callable[[State, StepTerms, float], object]  # called with the state, terms, beta (or 1)
OnEpoch = Callable[[State], object]


def spec_of(dataset: data.Dataset, settings: AnySettings) -> AnySpec:
    """The architecture that these settings describe for these data."""
    data_dim = dataset.train.shape[1]
    if is_conditional(settings):
        return settings.spec(data_dim)._replace(classes=len(data.class_labels(dataset)))
    return settings.spec(data_dim)


def is_conditional(settings: AnySettings) -> TypeGuard[Settings]:
    """Whether a model of these settings is given the label of each image."""
    return isinstance(settings, Settings) and settings.condition == "labels"


def new_state(dataset: data.Dataset, settings: AnySettings) -> State:
    """The state before the first step."""
    seeds = np.random.SeedSequence(settings.seed).spawn(len(STREAMS))
    streams = {name: np.random.default_rng(s) for name, s in zip(STREAMS, seeds, strict=True)}
    spec = spec_of(dataset, settings)
    mean = dataset.train.mean(axis=0, dtype=np.float64)
    mean /= 255 if dataset.train.dtype == np.uint8 else 1
    learns_variance = isinstance(spec, Spec) and spec.learns_variance
    variance = pixel_variance(dataset.train, mean) if learns_variance else None
    flat = vae.init_params(spec, streams["init"], data_mean=mean, data_variance=variance)
    return State(flat, streams)


def pixel_variance(images: np.ndarray, mean: np.ndarray) -> float:
    """The pixels' variance about the mean image, averaged over the pixels.

    images: (N, D) uint8 or float32, mean: (D,) float64 in [0, 1] -> variance of pixels in [0, 1].
    """
    squares = 0.0
    for first in range(0, len(images), ROWS_AT_ONCE):  # all of MNIST in float64 is 376 MB
        rows = images[first : first + ROWS_AT_ONCE]
        squares += float(np.square(data.scale(rows) - mean).sum())
    return squares / images.size


# ---- schedules -------------------------------------------------------------------------------


def columns(settings: AnySettings, has_test: bool) -> tuple[str, ...]:
    """The columns of the history, with those of test images where there are any."""
    if isinstance(settings, GanSettings):
        return GAN_COLUMNS
    return COLUMNS + TEST_COLUMNS if has_test else COLUMNS


def learning_rate(settings: AnySettings, step: int, total_steps: int) -> float:
    """lr, constant or falling geometrically to 5 per cent at the last of `total_steps`."""
    if settings.schedule == "constant":
        return settings.lr
    return settings.lr * DECAY_TO ** (step / max(1, total_steps - 1))


def kl_weight(settings: AnySettings, step: int, steps_per_epoch: int) -> float:
    """beta, rising linearly from 0 over the warm-up; 1 for a GAN   [notebook 07, eq. 5]"""
    if isinstance(settings, GanSettings):
        return 1.0
    warmup_steps = settings.warmup * steps_per_epoch
    return settings.beta * min(1.0, step / warmup_steps) if warmup_steps > 0 else settings.beta


# ---- the loop --------------------------------------------------------------------------------


def train(
    dataset: data.Dataset,
    settings: AnySettings,
    *,
    state: State | None = None,
    on_step: OnStep | None = None,
    on_epoch: OnEpoch | None = None,
    should_stop: Callable[[], bool] | None = None,
    ops: Backend | None = None,
) -> State:
    """Train to the end, from `state` (changed in place) or from the start -> State.

    on_step(state, terms, beta) is called after each step with the batch's StepTerms,
    on_epoch(state) after each epoch. If should_stop() is true after a step, training ends with
    `Interrupted`. ops: a backend to use instead of the one that the settings name.

    Raises MinivaeError if the settings are wrong or do not suit the data, or when the loss is no
    longer finite: then `state` has the parameters and moments of the step before.
    """
    settings = checks.check_settings(settings, dataset)
    return run_loop(
        dataset,
        settings,
        new_state(dataset, settings) if state is None else state,
        on_step=on_step,
        on_epoch=on_epoch,
        should_stop=should_stop,
        ops=ops,
    )


def run_loop(
    dataset: data.Dataset,
    settings: AnySettings,
    state: State,
    *,
    on_step: OnStep | None = None,
    on_epoch: OnEpoch | None = None,
    should_stop: Callable[[], bool] | None = None,
    ops: Backend | None = None,
) -> State:
    """`train` with settings that have been checked already."""
    ops = load_backend(settings.backend) if ops is None else ops
    with reproducible_sums(ops):
        return _run_loop(dataset, settings, state, on_step, on_epoch, should_stop, ops)


def _run_loop(dataset, settings, state, on_step, on_epoch, should_stop, ops):
    trainee = _kind(settings)(dataset, settings, state, ops)
    n = len(dataset.train)
    steps_per_epoch = settings.steps_per_epoch(n)
    total_steps = settings.epochs * steps_per_epoch

    while state.epoch < settings.epochs:
        order = state.draw_order(n)
        while state.position < n:
            batch = order[state.position : state.position + settings.batch_size]
            lr = learning_rate(settings, state.step, total_steps)
            beta = kl_weight(settings, state.step, steps_per_epoch)
            with np.errstate(all="ignore"):  # no warnings: what is not finite raises an error
                terms = trainee.one_step(batch, lr, beta)
            state.step += 1
            state.sums += len(batch) * np.array(terms[:3], np.float64)
            state.position += len(batch)
            if on_step is not None:
                on_step(state, terms, beta)
            if should_stop is not None and should_stop():
                raise Interrupted(state.step)
        last = state.step - 1
        lr = learning_rate(settings, last, total_steps)
        beta = kl_weight(settings, last, steps_per_epoch)
        check_finite(state, settings)
        row = (state.epoch + 1, state.step, lr, *trainee.end_of_epoch(beta, state.sums / n))
        names = columns(settings, bool(len(dataset.test)))
        state.history.append(dict(zip(names, row, strict=True)))
        state.epoch += 1
        state.position = 0
        state.sums[:] = 0
        if on_epoch is not None:
            on_epoch(state)
    return state


def _kind(settings):
    if isinstance(settings, GanSettings):
        return _Gan
    return _ConditionalVae if is_conditional(settings) else _Vae


class _Vae:
    """What the loop needs to know of a VAE: a step, and what the history says of an epoch."""

    def __init__(self, dataset, settings, state, ops):
        self.dataset, self.settings, self.state, self.ops = dataset, settings, state, ops
        self.spec = spec_of(dataset, settings)
        self.params = vae.unpack(state.flat, self.spec)
        self.test = data.test_images(dataset.test, settings.likelihood)
        self.replay = replay_of(self.params, self.spec, (state.flat, state.m, state.v), ops)

    def one_step(self, batch, lr, beta):
        """One gradient and one step of Adam, in place -> (loss, nll, kl)."""
        settings, state, params, spec = self.settings, self.state, self.params, self.spec
        binarize, noise = state.streams["binarize"], state.streams["noise"]
        x = data.draw_batch(self.dataset.train, batch, settings.likelihood, binarize)
        if settings.objective == "elbo" and settings.samples > 1:
            x = np.repeat(x, settings.samples, axis=0)  # the ELBO is a mean over the rows anyway
        shape = (len(x), spec.latent_dim)
        if settings.objective == "iwae":
            eps = noise.standard_normal((settings.samples, *shape), dtype=np.float32)
            S = settings.resampled
            u = None if S is None else noise.random((S, len(x)))
            doubly = settings.gradient == "doubly"
            result = vae.iwae_and_grads(params, x, eps, spec, u=u, doubly=doubly, ops=self.ops)
        else:
            eps = noise.standard_normal(shape, dtype=np.float32)
            if self.replay is not None:
                terms = self.replay.elbo(x, eps, beta)
                _check_loss(terms.loss, "the loss is", state, lr)
                self.replay.adam_step(state.step + 1, lr)
                return terms.loss, terms.nll, terms.kl
            result = self.bound_and_grads(x, batch, eps, beta)
        _check_loss(result.loss, "the loss is", state, lr)
        logvar = next_logvar(params, result.grads) if spec.learns_variance else None
        self.ops.adam_step(state.flat, result.flat_grads, state.m, state.v, state.step + 1, lr)
        if logvar is not None:
            params["out_logvar"][...] = logvar
            vae.clamp_variance(params, spec)
        return result.loss, result.nll, result.kl

    def bound_and_grads(self, x, _batch, eps, beta):
        """The ELBO of the images x of a batch, (B, D), each perhaps several times."""
        return vae.elbo_and_grads(self.params, x, eps, self.spec, beta=beta, ops=self.ops)

    def end_of_epoch(self, beta, means):
        """beta, loss, nll, kl, and where there are test images their elbo, nll and kl."""
        values = (beta, *map(float, means))
        return (*values, *self._test_terms()) if len(self.test) else values

    def _test_terms(self):
        # The same noise after each epoch: the curve shows changes of the model, not of the noise.
        state = self.state
        rng = np.random.default_rng(state.streams["evaluation"].bit_generator.seed_seq)
        try:
            with np.errstate(all="ignore"):  # no warnings: elbo_terms raises an error instead
                terms = self.elbo_of_test(rng)
        except MinivaeError as error:
            where = f"after step {state.step} (lr {self.settings.lr:g})"
            raise MinivaeError(f"{where}, {error}") from None
        return terms.elbo, terms.nll, terms.kl

    def elbo_of_test(self, rng):
        """The Terms of all test images."""
        return evaluate.elbo_terms(self.params, self.test, self.spec, rng=rng, ops=self.ops)


class _ConditionalVae(_Vae):
    """A VAE that is given the label of each image, in training and on the test images."""

    def __init__(self, dataset, settings, state, ops):
        super().__init__(dataset, settings, state, ops)
        known = data.class_labels(dataset)
        self.y = data.classes_of(dataset.train_labels, dataset, known)
        if len(self.test):
            self.test_y = data.classes_of(dataset.test_labels, dataset, known)

    def bound_and_grads(self, x, batch, eps, beta):
        """The ELBO of the images x of a batch, (B, D), each perhaps several times."""
        y = np.repeat(self.y[batch], self.settings.samples)
        params, spec = self.params, self.spec
        return conditional.elbo_and_grads(params, x, y, eps, spec, beta=beta, ops=self.ops)

    def elbo_of_test(self, rng):
        """The Terms of all test images."""
        test, params, spec = self.test, self.params, self.spec
        return evaluate.conditional_elbo_terms(
            params, test, self.test_y, spec, rng=rng, ops=self.ops
        )


class _Gan:
    """What the loop needs to know of a GAN: a step, and what the history says of an epoch."""

    def __init__(self, dataset, settings, state, ops):
        self.dataset, self.state, self.ops = dataset, state, ops
        self.spec = spec_of(dataset, settings)
        self.params = vae.unpack(state.flat, self.spec)
        vectors = (state.flat, state.m, state.v)
        parts = zip(*(gan.split(vector, self.spec) for vector in vectors), strict=True)
        self.generator, self.discriminator = parts  # (flat, m, v) of each

    def one_step(self, batch, lr, _beta):
        """A step of the discriminator, then one of the generator, each with noise of its own, in
        place -> (the discriminator's loss, the generator's, the share of images told apart)."""
        state, params, spec = self.state, self.params, self.spec
        x = data.scale(self.dataset.train[batch])
        shape = (2, len(x), spec.latent_dim)
        z = state.streams["noise"].standard_normal(shape, dtype=np.float32)
        theirs = gan.discriminator_loss_and_grads(params, x, z[0], spec, ops=self.ops)
        _check_loss(theirs.loss, "the discriminator's loss is", state, lr)
        before = [array.copy() for array in self.discriminator]
        self._adam(self.discriminator, theirs, lr)
        own = gan.generator_loss_and_grads(params, z[1], spec, ops=self.ops)
        try:
            _check_loss(own.loss, "the generator's loss is", state, lr)
        except MinivaeError:
            for array, saved in zip(self.discriminator, before, strict=True):
                array[...] = saved  # neither player has moved
            raise
        self._adam(self.generator, own, lr)
        called_real = theirs.scores > 0
        told_apart = np.concatenate([called_real[: len(x)], ~called_real[len(x) :]]).mean()
        return theirs.loss, own.loss, told_apart

    def _adam(self, player, result, lr):
        flat, m, v = player
        self.ops.adam_step(flat, result.flat_grads, m, v, self.state.step + 1, lr, GAN_BETA1)

    def end_of_epoch(self, _beta, means):
        """Both losses, and the share of images told apart, averaged over the epoch."""
        return tuple(map(float, means))


def replay_of(params: vae.Params, spec: Spec, state: tuple[np.ndarray, ...], ops: Backend) -> Any:
    """The steps of a VAE as the backend records and replays them (kernels/recording.py), or None
    if it cannot. params: the named views of flat; state: flat, m and v, (P,) each."""
    if not hasattr(ops, "Replay") or spec.likelihood != "bernoulli" or spec.classes:
        return None
    return ops.Replay(vae.elbo_and_grads, vae.elbo_loss, params, spec, *state)


def _check_loss(loss, what, state, lr):
    if not np.isfinite(loss):
        raise checks.not_finite_error(what, f" at step {state.step + 1} (lr {lr:.3g})")


def next_logvar(params: dict[str, np.ndarray], grads: dict[str, np.ndarray]) -> np.ndarray:
    """One step of the learned variance: a tenth of the way to its best value.

    Given the decoder's means, the best s^2 is the mean squared error, as in Rybkin et al. 2021
    (sigma-VAE). It follows from the gradient: g = (D - errors / s^2) / 2 [notebook 05, eq. 11], so
    that errors / D = s^2 (1 - 2 g / D), and s^2 + r (errors / D - s^2) = s^2 (1 - 2 r g / D). Adam
    would move log s^2 by no more than about lr a step, far too little where images are few.

    params["out_logvar"], grads["out_logvar"]: (1,) -> the new out_logvar, (1,). Call it before
    Adam's step, which changes `params`.
    """
    D = len(params["out_b"])
    return params["out_logvar"] + np.log1p(-2 * VARIANCE_RATE / D * grads["out_logvar"])


def check_finite(state: State, settings: AnySettings) -> None:
    """Raise MinivaeError if a number of the state overflowed; the loss may still be finite then."""
    if not all(np.isfinite(array).all() for array in (state.flat, state.m, state.v, state.sums)):
        where = f" after step {state.step} (lr {settings.lr:g})"
        raise checks.not_finite_error("the parameters or their gradients are", where)

"""The training loop: minibatches, the hand-derived gradient, Adam, checkpoints.

A run is a function of its data and its `Settings`. Each kind of randomness has a stream of its
own, so that evaluating or logging more often does not change what is learned.
"""

import sys
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np

from minivae import data, evaluate, files, runs, vae
from minivae.backend import BACKENDS, load_backend
from minivae.errors import MinivaeError

OBJECTIVES = ("elbo", "iwae")
SCHEDULES = ("decay", "constant")
STREAMS = ("init", "order", "binarize", "noise", "evaluation")
CHECKPOINT_KIND = "checkpoint"
DECAY_TO = 0.05  # the last step's learning rate, as a share of the first
SECONDS_BETWEEN_CHECKPOINTS = 10.0


class Settings(NamedTuple):
    """All that decides a run besides its data. Epochs count passes over the training set.

    warmup: epochs over which beta rises from 0. samples: K, for the importance-weighted objective.
    """

    latent: int = 2
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
    backend: str = "numba"
    seed: int = 0


class Interrupted(Exception):
    """Training was asked to stop; everything up to `step` is saved."""

    def __init__(self, step):
        super().__init__(f"stopped after step {step}")
        self.step = step


class State:
    """A training in mid-flight: what a checkpoint holds.

    `flat` (P,) are the parameters; `m`, `v` (P,) Adam's moments; `position` counts the images of
    this epoch that are done, and `sums` their loss, nll and kl in nats.
    """

    def __init__(self, flat, seed):
        self.flat = flat
        self.m, self.v = np.zeros_like(flat), np.zeros_like(flat)
        self.step = self.epoch = self.position = 0
        self.sums = np.zeros(3)
        self.history = []
        children = np.random.SeedSequence(seed).spawn(len(STREAMS))
        self.streams = {
            name: np.random.default_rng(s) for name, s in zip(STREAMS, children, strict=True)
        }
        self.order_state = self.streams["order"].bit_generator.state

    def draw_order(self, n):
        """The order of this epoch's images, (n,): the same again after a resume."""
        self.order_state = self.streams["order"].bit_generator.state
        return self.streams["order"].permutation(n)


def spec_of(settings, data_dim):
    """The architecture that `settings` describe."""
    return vae.Spec(
        data_dim=data_dim,
        hidden=tuple(settings.hidden),
        latent_dim=settings.latent,
        activation=settings.activation,
        likelihood=settings.likelihood,
        variance=settings.variance,
        free_bits=settings.free_bits,
    )


def check_settings(settings, dataset):
    """Raise MinivaeError unless `dataset` can be trained on with `settings`."""
    vae.check_spec(spec_of(settings, dataset.train.shape[1]))
    for name in ("epochs", "batch_size", "samples"):
        value = getattr(settings, name)
        if not vae.is_positive_int(value):
            raise MinivaeError(f"{name} is {value!r}; it must be a whole number of at least 1")
    if settings.batch_size > len(dataset.train):
        raise MinivaeError(
            f"batch_size is {settings.batch_size}, but there are only {len(dataset.train)} "
            "training images; choose a smaller one"
        )
    _check_above(settings.lr, "lr", 0, strictly=True)
    _check_above(settings.beta, "beta", 0)
    _check_above(settings.warmup, "warmup", 0)
    for name, known in (
        ("objective", OBJECTIVES),
        ("schedule", SCHEDULES),
        ("backend", BACKENDS),
    ):
        if getattr(settings, name) not in known:
            raise MinivaeError(f"{name} is {getattr(settings, name)!r}; it must be one of {known}")
    if not isinstance(settings.seed, (int, np.integer)) or settings.seed < 0:
        raise MinivaeError(f"seed is {settings.seed!r}; it must be a whole number of at least 0")
    _check_objective(settings)


def _check_above(value, name, bound, *, strictly=False):
    number = isinstance(value, (int, float, np.number)) and not isinstance(value, bool)
    if not (number and np.isfinite(value) and (value > bound if strictly else value >= bound)):
        words = "above" if strictly else "at least"
        raise MinivaeError(f"{name} is {value!r}; it must be a number {words} {bound}")


def _check_objective(settings):
    if settings.objective == "elbo" and settings.samples != 1:
        raise MinivaeError(
            f"samples is {settings.samples}, but the elbo objective takes 1; use objective iwae"
        )
    plain = (settings.beta, settings.warmup, settings.free_bits) == (1, 0, 0)
    if settings.objective == "iwae" and not plain:
        raise MinivaeError("the iwae objective has no beta, warmup or free_bits; leave them out")


def new_state(dataset, settings):
    """The state before the first step."""
    spec = spec_of(settings, dataset.train.shape[1])
    state = State(np.zeros(0, np.float32), settings.seed)
    mean = dataset.train.mean(axis=0, dtype=np.float64)
    mean /= 255 if dataset.train.dtype == np.uint8 else 1
    state.flat = vae.init_params(spec, state.streams["init"], data_mean=mean)
    state.m, state.v = np.zeros_like(state.flat), np.zeros_like(state.flat)
    return state


# ---- schedules -------------------------------------------------------------------------------


def learning_rate(settings, step, total_steps):
    """lr, or lr falling geometrically to 5 per cent of itself at the last of `total_steps`."""
    if settings.schedule == "constant":
        return settings.lr
    return settings.lr * DECAY_TO ** (step / max(1, total_steps - 1))


def kl_weight(settings, step, steps_per_epoch):
    """beta, rising linearly from 0 over the warm-up                [notebook 07, eq. 5]"""
    warmup_steps = settings.warmup * steps_per_epoch
    return settings.beta * min(1.0, step / warmup_steps) if warmup_steps > 0 else settings.beta


# ---- the loop --------------------------------------------------------------------------------


def train(dataset, settings, *, state=None, on_step=None, on_epoch=None, should_stop=None, ops=None):
    """Train to the end, from `state` or from the start -> State.

    on_step(state, terms, beta) is called after each step, on_epoch(state) after each epoch.
    should_stop() true ends training after the step in hand, with `Interrupted`. `ops` overrides
    the backend that settings name. Raises MinivaeError when the loss is no longer finite: then
    `state` is as it was before that step.
    """
    check_settings(settings, dataset)
    state = new_state(dataset, settings) if state is None else state
    ops = load_backend(settings.backend) if ops is None else ops
    spec = spec_of(settings, dataset.train.shape[1])
    params = vae.unpack(state.flat, spec)
    test = test_images(dataset, settings)
    n = len(dataset.train)
    steps_per_epoch = -(-n // settings.batch_size)
    total_steps = settings.epochs * steps_per_epoch

    while state.epoch < settings.epochs:
        order = state.draw_order(n)
        while state.position < n:
            batch = order[state.position : state.position + settings.batch_size]
            lr = learning_rate(settings, state.step, total_steps)
            beta = kl_weight(settings, state.step, steps_per_epoch)
            x = draw_batch(dataset.train, batch, settings, state.streams["binarize"])
            terms = _one_step(state, params, x, spec, settings, lr, beta, ops)
            state.sums += len(batch) * np.array(terms[:3], np.float64)
            state.position += len(batch)
            if on_step is not None:
                on_step(state, terms, beta)
            if should_stop is not None and should_stop():
                raise Interrupted(state.step)
        _end_epoch(state, params, test, spec, settings, ops, n)
        if on_epoch is not None:
            on_epoch(state)
    return state


def _one_step(state, params, x, spec, settings, lr, beta, ops):
    """One gradient and one step of Adam, in place -> (loss, nll, kl)."""
    noise = state.streams["noise"]
    shape = (len(x), spec.latent_dim)
    with np.errstate(all="ignore"):  # a loss that is not finite is reported below, once
        if settings.objective == "iwae":
            eps = noise.standard_normal((settings.samples, *shape), dtype=np.float32)
            result = vae.iwae_and_grads(params, x, eps, spec, ops=ops)
        else:
            eps = noise.standard_normal(shape, dtype=np.float32)
            result = vae.elbo_and_grads(params, x, eps, spec, beta=beta, ops=ops)
        if not np.isfinite(result.loss):
            raise MinivaeError(
                f"the loss became {result.loss} at step {state.step + 1} "
                f"(learning rate {lr:.3g}); try a smaller lr, or a warmup of a few epochs"
            )
        ops.adam_step(state.flat, result.flat_grads, state.m, state.v, state.step + 1, lr)
    vae.clamp_variance(params, spec)
    state.step += 1
    return result.loss, result.nll, result.kl


def draw_batch(images, batch, settings, rng):
    """The images (B, D) of a batch: binarized afresh for a Bernoulli, scaled for a Gaussian."""
    if settings.likelihood == "bernoulli":
        return data.binarize(images[batch], rng)
    return data.scale(images[batch])


def test_images(dataset, settings):
    """The test images as they are always evaluated: one fixed binarization, or grey."""
    if settings.likelihood == "bernoulli":
        return data.fixed_binarization(dataset.test, data.EVALUATION_SEED)
    return data.scale(dataset.test)


def _end_epoch(state, params, test, spec, settings, ops, n):
    steps_per_epoch = -(-n // settings.batch_size)
    last = state.step - 1
    loss, nll, kl = (float(total) / n for total in state.sums)
    row = {
        "epoch": state.epoch + 1,
        "step": state.step,
        "lr": learning_rate(settings, last, settings.epochs * steps_per_epoch),
        "beta": kl_weight(settings, last, steps_per_epoch),
        "loss": loss,
        "nll": nll,
        "kl": kl,
    }
    if len(test):
        # The same noise after each epoch, so that the curve shows the model and not the draw.
        rng = np.random.default_rng(state.streams["evaluation"].bit_generator.seed_seq)
        terms = evaluate.elbo_terms(params, test, spec, rng=rng, ops=ops)
        row |= {f"test_{name}": float(getattr(terms, name)) for name in ("elbo", "nll", "kl")}
    state.history.append(row)
    state.epoch += 1
    state.position = 0
    state.sums[:] = 0


# ---- checkpoints -----------------------------------------------------------------------------


def save_checkpoint(folder, state, settings, fingerprint):
    """Write everything that going on needs, atomically."""
    streams = {name: rng.bit_generator.state for name, rng in state.streams.items()}
    streams["order"] = state.order_state if state.position else streams["order"]
    meta = {
        "kind": CHECKPOINT_KIND,
        "settings": settings._asdict(),
        "fingerprint": fingerprint,
        "versions": runs.versions(),
        "step": state.step,
        "epoch": state.epoch,
        "position": state.position,
        "sums": [float(total) for total in state.sums],
        "history": state.history,
        "streams": streams,
    }
    arrays = {"params": state.flat, "m": state.m, "v": state.v}
    files.write_archive(Path(folder) / runs.CHECKPOINT_FILE, arrays, meta)


def load_checkpoint(folder, settings, dataset, fingerprint):
    """The State in a run folder, or None where there is none yet.

    Raises MinivaeError if it is damaged, or belongs to other settings or other data.
    """
    path = Path(folder) / runs.CHECKPOINT_FILE
    if not path.exists():
        return None
    arrays, meta = files.read_archive(path, kind=CHECKPOINT_KIND)
    _refuse_other_settings(meta.get("settings"), settings, path)
    if meta.get("fingerprint") != fingerprint:
        raise MinivaeError(f"{files.show(path)} was trained on other data than these")
    state = new_state(dataset, settings)
    _restore_arrays(state, arrays, path)
    try:
        _restore_progress(state, meta, settings, len(dataset.train))
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError) as error:
        raise files.damaged(path, f"its progress makes no sense: {error}") from None
    return state


def _refuse_other_settings(saved, settings, path):
    if not isinstance(saved, dict):
        raise files.damaged(path, "it holds no settings")
    for name, value in settings._asdict().items():
        then = saved.get(name)
        then = tuple(then) if isinstance(then, list) else then
        if then != value:
            raise MinivaeError(
                f"{files.show(path)} was trained with {name} = {then}, not {value}; "
                "resume with the same settings, or start a new run"
            )


def _restore_arrays(state, arrays, path):
    for name, target in (("params", state.flat), ("m", state.m), ("v", state.v)):
        saved = arrays.get(name)
        if saved is None or saved.shape != target.shape or saved.dtype != target.dtype:
            raise files.damaged(path, f"its array {name} is not of this model")
        target[...] = saved


def _restore_progress(state, meta, settings, n):
    step, epoch, position = (meta[name] for name in ("step", "epoch", "position"))
    steps_per_epoch = -(-n // settings.batch_size)
    if not all(type(count) is int for count in (step, epoch, position)):
        raise ValueError("a count is not a whole number")
    done = -(-position // settings.batch_size)
    if not (0 <= epoch <= settings.epochs and 0 <= position <= n):
        raise ValueError("it lies outside the run")
    if step != epoch * steps_per_epoch + done or len(meta["history"]) != epoch:
        raise ValueError("its counts do not agree")
    state.step, state.epoch, state.position = step, epoch, position
    state.sums[:] = meta["sums"]
    state.history = [_row(row) for row in meta["history"]]
    for name, rng in state.streams.items():
        rng.bit_generator.state = meta["streams"][name]


def _row(row):
    if not all(type(value) in (int, float) for value in row.values()):
        raise ValueError("its history holds what is not a number")
    return row


# ---- a run in a folder -----------------------------------------------------------------------


def run(folder, dataset, settings, fingerprint, *, should_stop=None, checkpoint_seconds=None):
    """Train in a locked run folder, from its checkpoint if there is one -> (Model, history).

    A checkpoint is written before the first step, every few seconds, on a stop and at the end;
    `fingerprint` is that of the dataset.
    """
    every = SECONDS_BETWEEN_CHECKPOINTS if checkpoint_seconds is None else checkpoint_seconds
    state = load_checkpoint(folder, settings, dataset, fingerprint)
    if state is None:
        state = new_state(dataset, settings)
        save_checkpoint(folder, state, settings, fingerprint)
    last = time.monotonic()

    def on_step(state, terms, beta):
        nonlocal last
        bar.show(state, terms, beta)
        if time.monotonic() - last >= every:
            save_checkpoint(folder, state, settings, fingerprint)
            last = time.monotonic()

    with ProgressBar(state, settings, len(dataset.train)) as bar:
        try:
            train(
                dataset,
                settings,
                state=state,
                on_step=on_step,
                on_epoch=lambda state: runs.write_history(folder, state.history),
                should_stop=should_stop,
            )
        except Interrupted:
            save_checkpoint(folder, state, settings, fingerprint)
            raise
    save_checkpoint(folder, state, settings, fingerprint)
    model = runs.Model(spec_of(settings, dataset.train.shape[1]), state.flat, dataset.image_shape)
    runs.save_model(Path(folder) / runs.MODEL_FILE, model)
    runs.write_history(folder, state.history)
    return model, state.history


class ProgressBar:
    """One bar over all steps, on standard error: loss = nll + kl, and the time left."""

    STEPS_BETWEEN_TEXTS = 25

    def __init__(self, state, settings, n):
        from tqdm import tqdm

        self.plain = (settings.beta, settings.warmup, settings.free_bits) == (1, 0, 0)
        self.plain = self.plain and settings.objective == "elbo"
        total = settings.epochs * -(-n // settings.batch_size)
        self.bar = tqdm(
            total=total,
            initial=state.step,
            unit="step",
            file=sys.stderr,
            mininterval=0.1 if sys.stderr.isatty() else 10,  # a log file needs few lines
            bar_format="{desc}{percentage:3.0f}%|{bar:20}| {elapsed}<{remaining}{postfix}",
        )

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.bar.close()

    def show(self, state, terms, beta):
        if state.step % self.STEPS_BETWEEN_TEXTS == 0 and state.position:
            loss, nll, kl = state.sums / state.position
            text = f"loss {loss:.2f} = nll {nll:.2f} + kl {kl:.2f}"
            if not self.plain:
                text = f"loss {loss:.2f} (nll {nll:.2f}, kl {kl:.2f}, beta {beta:.2g})"
            self.bar.set_description_str(f"epoch {state.epoch + 1} ", refresh=False)
            self.bar.set_postfix_str(f"{text} nats", refresh=False)
        self.bar.update()

"""One fit of the estimator: what ends it, what is shown, what is kept when it is interrupted."""

import warnings
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any, NamedTuple

import numpy as np

from minivae import checks, data, runs, train
from minivae.errors import MinivaeError
from minivae.settings import Settings

HELD_OUT_STREAM = 1  # of the seed: which images are held out

Callback = Callable[[dict[str, float]], Any]


class Fit(NamedTuple):
    """What a fit ends with. state: of the training. flat: the parameters to keep, (P,)."""

    state: train.State
    flat: np.ndarray


class _Stop(Exception):
    """Raised after an epoch, when the held-out images say that it is enough."""


class _Patience:
    """Keeps the parameters of the best epoch, and says when none has been better for a while."""

    def __init__(self, epochs: int) -> None:
        self.epochs, self.best, self.since = epochs, -np.inf, 0
        self.flat: np.ndarray | None = None

    def look(self, state: train.State) -> None:
        elbo = state.history[-1]["test_elbo"]
        if elbo > self.best:
            self.best, self.since, self.flat = elbo, 0, state.flat.copy()
            return
        self.since += 1
        if self.since >= self.epochs:
            raise _Stop


def run(
    dataset: data.Dataset,
    settings: Settings,
    state: train.State,
    *,
    verbose: bool | None,
    callback: Callback | None,
    patience: int | None,
) -> Fit:
    """Train to the end, until the held-out images gain nothing, or until Ctrl-C -> Fit.

    verbose: show a bar; None: where a person is looking. callback(row): called after each epoch
    with its row of the history. patience: the epochs without a better ELBO on `dataset.test` after
    which training ends, with the parameters of the best; None: never.
    """
    held = _Patience(patience) if patience is not None else None

    def on_epoch(state):
        if callback is not None:
            callback(dict(state.history[-1]))
        if held is not None:
            held.look(state)

    shown = runs.is_watched() if verbose is None else verbose
    bar = runs.ProgressBar(state, settings, len(dataset.train)) if shown else nullcontext()
    begun = state.step
    try:
        with bar:
            on_step = bar.update if isinstance(bar, runs.ProgressBar) else None
            train.run_loop(dataset, settings, state, on_step=on_step, on_epoch=on_epoch)
    except _Stop:
        pass
    except KeyboardInterrupt:
        if state.step == begun:
            raise
        train.check_finite(state, settings)
        warnings.warn(
            f"fit was interrupted after {state.epoch} of {settings.epochs} epochs (step "
            f"{state.step}); what was learned is kept",
            UserWarning,
            stacklevel=3,
        )
    return Fit(state, state.flat if held is None or held.flat is None else held.flat)


def held_out(images: np.ndarray, fraction: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Divide images (N, D) at random -> those to train on, those held out (at least one each)."""
    checks.check_number(fraction, "validation_fraction", above=0)
    n = round(fraction * len(images))
    if not 1 <= n < len(images):
        raise MinivaeError(
            f"validation_fraction {fraction:g} of {len(images)} images leaves {len(images) - n} to "
            f"train on and {n} held out; there must be at least one of each"
        )
    rng = np.random.default_rng([seed, HELD_OUT_STREAM])
    order = rng.permutation(len(images))
    return images[np.sort(order[n:])], images[np.sort(order[:n])]

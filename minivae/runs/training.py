"""Training with a progress bar and regular saves, and training in a run folder."""

import os
import time
from collections.abc import Callable
from pathlib import Path

from minivae import checks, data, train
from minivae.data import Dataset
from minivae.errors import MinivaeError
from minivae.runs import checkpoints, folders
from minivae.runs.model_files import AnyModel, ConditionalModel, GanModel, Model, save_model
from minivae.runs.progress import ProgressBar
from minivae.settings import AnySettings
from minivae.spec import GanSpec

SECONDS_BETWEEN_SAVES = 10.0


def train_run(
    folder: str | os.PathLike[str],
    dataset: Dataset,
    settings: AnySettings,
    fingerprint: str,
    *,
    should_stop: Callable[[], bool] | None = None,
    checkpoint_seconds: float | None = None,
) -> tuple[AnyModel, list[dict[str, float]]]:
    """Train in a run folder, from its checkpoint if there is one -> (model, history).

    A checkpoint is written before the first step, every `checkpoint_seconds` (None: 10), when
    training is stopped, and at the end. The caller holds the folder's lock, and has checked the
    settings with `checks.check_settings(settings, dataset)`. fingerprint: that of the dataset.

    Raises train.Interrupted when `should_stop()` was true, and MinivaeError if the checkpoint
    belongs to other settings or data, or if the loss is no longer finite.
    """
    state = checkpoints.load_checkpoint(folder, settings, dataset, fingerprint)
    if state is None:
        _refuse_to_replace_a_model(folder)
        state = train.new_state(dataset, settings)
        checkpoints.save_checkpoint(folder, state, settings, fingerprint)
    train_with_saves(
        dataset,
        settings,
        state,
        lambda: checkpoints.save_checkpoint(folder, state, settings, fingerprint),
        seconds=SECONDS_BETWEEN_SAVES if checkpoint_seconds is None else checkpoint_seconds,
        on_epoch=lambda state: folders.write_history(folder, state.history),
        should_stop=should_stop,
    )
    spec = train.spec_of(dataset, settings)
    shape = dataset.image_shape
    model: AnyModel
    if isinstance(spec, GanSpec):
        model = GanModel(spec, state.flat, shape)
    elif spec.classes:
        labels = data.class_labels(dataset)
        model = ConditionalModel(spec, state.flat, shape, labels, dataset.white)
    else:
        model = Model(spec, state.flat, shape, dataset.white)
    save_model(Path(folder) / folders.MODEL_FILE, model)
    folders.write_history(folder, state.history)
    return model, state.history


def train_with_saves(
    dataset: Dataset,
    settings: AnySettings,
    state: train.State,
    save: Callable[[], None],
    *,
    seconds: float,
    on_step: train.OnStep | None = None,
    on_epoch: train.OnEpoch | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> None:
    """Train `state` to the end, in place, with a progress bar, calling `save()` on the way.

    It is called after a step if the last call was at least `seconds` ago, when training is
    stopped, and at the end. The settings have been checked. The other arguments and the errors are
    those of `train.train`.
    """
    last_save = time.monotonic()

    def after_step(state, terms, beta):
        nonlocal last_save
        bar.update(state, terms, beta)
        if on_step is not None:
            on_step(state, terms, beta)
        if time.monotonic() - last_save >= seconds:
            save()
            last_save = time.monotonic()

    with ProgressBar(state, settings, len(dataset.train)) as bar:
        try:
            train.run_loop(
                dataset,
                settings,
                state,
                on_step=after_step,
                on_epoch=on_epoch,
                should_stop=should_stop,
            )
        except train.Interrupted:
            save()
            raise
    save()


def _refuse_to_replace_a_model(folder):
    """A model without a checkpoint was trained elsewhere: training anew would overwrite it."""
    if os.path.lexists(Path(folder) / folders.MODEL_FILE):
        raise MinivaeError(
            f"{checks.printable(folder)} holds a finished model and no checkpoint to continue "
            "from; start a new run"
        )

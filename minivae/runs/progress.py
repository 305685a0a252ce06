"""The progress bar of a training."""

import os
import sys
from typing import Any

from minivae.jupyter import in_notebook
from minivae.settings import AnySettings, GanSettings
from minivae.train import State, StepTerms


def _import_tqdm() -> Any:
    """tqdm's bar, in Jupyter its widget. It fails to import where an environment variable such as
    TQDM_MININTERVAL holds no number; these are left out then."""
    try:
        return _tqdm()
    except ValueError:
        for name in [name for name in os.environ if name.startswith("TQDM_")]:
            del os.environ[name]
        return _tqdm()


def _tqdm():
    # Not tqdm.auto, which decides the same and loads asyncio.
    if in_notebook():
        from tqdm.notebook import tqdm
    else:
        from tqdm import tqdm
    return tqdm


def is_watched() -> bool:
    """Whether a person sees the standard error: a terminal, or a notebook."""
    return sys.stderr.isatty() or in_notebook()


class ProgressBar:
    """One bar over all steps, on standard error: loss = nll + kl, or both losses of a GAN, and the
    time left.

    A context manager; `update` has the signature of `train.train`'s `on_step`.
    """

    STEPS_BETWEEN_TEXTS = 25

    def __init__(self, state: State, settings: AnySettings, n: int) -> None:
        """state: where training starts. n: the number of training images."""
        tqdm = _import_tqdm()
        # With other settings the loss is not nll + kl.
        self.is_gan = isinstance(settings, GanSettings)
        self.is_sum = (
            not isinstance(settings, GanSettings)
            and settings.objective == "elbo"
            and settings.weighs_kl_plainly
        )
        total = settings.epochs * settings.steps_per_epoch(n)
        self.bar = tqdm(
            total=total,
            initial=state.step,
            unit="step",
            file=sys.stderr,
            mininterval=0.1 if is_watched() else 10,  # a log file needs few lines
            # The bar comes last: in a narrow terminal it is what gives way.
            bar_format="{desc}{percentage:3.0f}%{postfix} {elapsed}<{remaining} |{bar}|",
            dynamic_ncols=True,
        )

    def __enter__(self) -> "ProgressBar":
        return self

    def __exit__(self, *exc: object) -> None:
        self.bar.close()

    def update(self, state: State, terms: StepTerms, beta: float) -> None:
        """Move on by one step; every few steps, show the means of this epoch so far."""
        if state.step % self.STEPS_BETWEEN_TEXTS == 0 and state.position:
            self.bar.set_description_str(f"epoch {state.epoch + 1} ", refresh=False)
            self.bar.set_postfix_str(self._text(state, beta), refresh=False)
        self.bar.update()

    def _text(self, state, beta):
        """The means of this epoch's StepTerms in words."""
        if self.is_gan:
            theirs, own, apart = state.sums / state.position
            return f"discriminator {theirs:.2f}, generator {own:.2f} nats, {apart:.0%} told apart"
        loss, nll, kl = state.sums / state.position
        if self.is_sum:
            return f"loss {loss:.2f} = nll {nll:.2f} + kl {kl:.2f} nats"
        return f"loss {loss:.2f} (nll {nll:.2f}, kl {kl:.2f}, beta {beta:.2g}) nats"

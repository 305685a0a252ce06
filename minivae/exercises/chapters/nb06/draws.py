"""Runs a test that draws with other draws than its own, and sees whether it draws at all."""

import random
from collections.abc import Callable
from typing import Any

import numpy as np


class OtherDraws:
    """Within, generators get the seed of this run, whatever seed is asked for.

    `seen()`: whether anything was drawn. A generator that the answer finds in its surroundings goes
    on from where it is, and so gives other draws in each run by itself.
    """

    def __init__(self, answer: Callable[..., Any], run: int) -> None:
        self.names = getattr(answer, "__globals__", {})
        self.around = [v for v in self.names.values() if isinstance(v, np.random.Generator)]
        self.run = run
        self.made = 0

    def __enter__(self) -> "OtherDraws":
        self.legacy = _global_stream()
        self.real = {name: getattr(np.random, name) for name in ("default_rng", "RandomState")}
        self.real["seed"] = np.random.seed
        self._put(self._replacements())
        self.real["seed"](self.run)
        self.before = self._states()
        return self

    def __exit__(self, *error: object) -> None:
        self.after = self._states()
        self._put(self.real)
        np.random.set_state(self.legacy)  # noqa: NPY002 - the answer may draw from this stream

    def seen(self) -> bool:
        return self.made > 0 or self.before != self.after

    def _replacements(self):
        others, seed = self, [self.run, 6]
        default_rng, legacy_class = self.real["default_rng"], self.real["RandomState"]

        class RandomState(legacy_class):  # NumPy asks whether something is an instance of it
            def __init__(self, _=None):
                others.made += 1
                super().__init__(seed)

        def other_rng(_=None):
            others.made += 1
            return default_rng(seed)

        return {
            "default_rng": other_rng,
            "RandomState": RandomState,
            "seed": lambda *_: None,
        }

    def _put(self, new):
        """In `np.random`, and where the answer has imported one of them by name."""
        for name, value in new.items():
            old = getattr(np.random, name)
            self.names.update({key: value for key, known in self.names.items() if known is old})
            setattr(np.random, name, value)

    def _states(self):
        own = [repr(generator.bit_generator.state) for generator in self.around]
        name, keys, *rest = _global_stream()
        return own, (name, keys.tobytes(), *rest), random.getstate()


def _global_stream():
    return np.random.get_state()  # noqa: NPY002 - the answer may draw from this stream

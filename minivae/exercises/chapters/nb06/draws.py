"""Runs a test that draws with other draws than its own, and sees whether it draws at all."""

import random
from collections.abc import Callable
from typing import Any

import numpy as np

MAKERS = ("default_rng", "RandomState")


class OtherDraws:
    """Within, generators get the seed of this run, whatever seed is asked for.

    `seen()`: whether anything was drawn. A generator that the answer finds in its surroundings goes
    on from where it is, and so gives other draws in each run by itself.
    """

    def __init__(self, answer: Callable[..., Any], run: int) -> None:
        function = getattr(answer, "__wrapped__", answer)
        self.names = getattr(function, "__globals__", {})
        self.run = run
        self.made: list[Any] = []
        self.real = {name: getattr(np.random, name) for name in (*MAKERS, "seed")}

    def __enter__(self) -> "OtherDraws":
        self.legacy = np.random.get_state()  # noqa: NPY002
        np.random.seed(self.run)  # noqa: NPY002
        self.around = self._around()
        self.before = self._states(self.around)
        for name in MAKERS:
            self._replace(name, self._maker(self.real[name]))
        self._replace("seed", lambda *args: None)
        return self

    def __exit__(self, *error: object) -> None:
        self.after = self._states(self.around)
        for name, real in self.real.items():
            self._replace(name, real)
        np.random.set_state(self.legacy)  # noqa: NPY002

    def seen(self) -> bool:
        return bool(self.made) or self.before != self.after

    def _maker(self, real):
        def make(seed=None):
            generator = real([self.run, 6])
            self.made.append(generator)
            return generator

        return make

    def _replace(self, name, new):
        """In `np.random`, and where the answer has imported it by name."""
        for key, value in list(self.names.items()):
            if value is getattr(np.random, name):
                self.names[key] = new
        setattr(np.random, name, new)

    def _around(self):
        return [v for v in self.names.values() if isinstance(v, np.random.Generator)]

    @staticmethod
    def _states(generators):
        own = [repr(g.bit_generator.state) for g in generators]
        legacy = np.random.get_state()  # noqa: NPY002
        return own, repr(legacy), random.getstate()

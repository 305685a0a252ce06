"""What an exercise is: one tuple, and the wrong answers that it knows."""

import functools
import inspect
import re
import textwrap
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from minivae import mistakes


class WrongAnswer(NamedTuple):
    """A plausible wrong answer: `wrong` stands where the reader's answer would stand."""

    name: str
    wrong: object
    says: str


def call(answer, *args):
    """How most answers are observed: by what they return."""
    return answer(*args)


class Exercise(NamedTuple):
    """One exercise. With `cases` the answer is a function; without, a value that is judged.

    cases() gives the argument tuples, smallest first and generic: the first that fails is shown.
    observe(answer, *args) is what is compared: another one than `call` lets an exercise look at
    arguments changed in place, or at the order in which an array is read.
    judge(value) returns None for a right value, or one sentence that says what is off.
    package(minivae.<module>) is the same function made from the package's own: the tests hold it
    equal to the reference, and with a mistake planted in that module it becomes a wrong answer.
    returns: the names of what comes back, for the message.
    given: find the bug: the code handed out; an answer that does what it does is no attempt.
    """

    id: str
    title: str
    stub: str
    reference: object
    hints: tuple[str, str, str]
    mistakes: tuple[WrongAnswer, ...]
    cases: Callable | None = None
    observe: Callable = call
    judge: Callable | None = None
    returns: tuple[str, ...] = ()
    package: Callable | None = None
    module: str = "ops"
    given: Callable | None = None
    solution_text: str = ""  # value exercises: the answer and why

    @property
    def notebook(self):
        return self.id[:2]

    @property
    def name(self):
        """The name that the stub binds."""
        return re.search(r"^(?:def )?(\w+)", self.stub, re.MULTILINE)[1]

    @property
    def cell(self):
        """The whole cell of the notebook."""
        return f'{self.stub}\ncheck("{self.id}", {self.name})'

    def source(self):
        """The reference, as text: what is shown is the code that checks."""
        if self.cases is None:
            return self.solution_text
        return textwrap.dedent(inspect.getsource(self.reference)).rstrip()


def stub(text):
    """A stub written as an indented triple-quoted string."""
    return textwrap.dedent(text).strip("\n")


@functools.cache
def planted_module(name):
    """`ops` or `vae` with the mistake of that name in it."""
    return mistakes.plant(mistakes.find(name))


def planted(package, *names):
    """Wrong answers from the shared list: `package` of the module with that mistake in it."""

    def wrong(name):
        return lambda *args: package(planted_module(name))(*args)  # compiled when first called

    return tuple(WrongAnswer(name, wrong(name), mistakes.find(name).sentence) for name in names)


def generic(rng, *shape):
    """Numbers with nothing special about them, short enough to be shown in full and retyped."""
    return np.round(rng.normal(size=shape), 2)

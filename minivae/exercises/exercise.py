"""What an exercise is: one tuple, and the wrong answers that it recognises."""

import functools
import inspect
import re
import textwrap
import warnings
from collections.abc import Callable
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

from minivae import mistakes

Answer = Callable[..., Any]  # a reader's function, or one that is used in its place


class WrongAnswer(NamedTuple):
    """A wrong answer that learners are likely to give.

    name: what the progress file and the tests call it.
    wrong: the answer itself, a function or a value like the reader's.
    says: the message for the reader.
    """

    name: str
    wrong: Any
    says: str


def call(answer: Answer, *args: Any) -> Any:
    """How most answers are observed: by what they return."""
    return answer(*args)


def call_with_warning(answer: Answer, *args: Any) -> tuple[Any, str]:
    """What it returns, and NumPy's first warning about a number that overflows or is none. That a
    tiny one rounds to 0 does not count, nor what a compiler has to say."""
    with warnings.catch_warnings(record=True) as caught, np.errstate(all="warn", under="ignore"):
        warnings.simplefilter("always")
        value = answer(*args)
    said = [w.message for w in caught if issubclass(w.category, RuntimeWarning)]
    return value, f"it warns: {said[0]}" if said else "no warning"


def call_for_arrays(answer: Answer, *args: Any) -> Any:
    """As `call`, but lists of numbers, also within a tuple of results, count as arrays."""
    return _as_array(answer(*args))


def _as_array(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(map(_as_array, value))
    if not isinstance(value, list):
        return value
    try:
        return np.asarray(value)
    except ValueError:  # rows of different lengths, or several results of different shapes
        return value


def call_for_results(n: int) -> Callable[..., Any]:
    """As `call_for_arrays`, for answers with n results: they may come in a tuple, list or array."""

    def observe(answer: Answer, *args: Any) -> Any:
        value = answer(*args)
        if isinstance(value, np.ndarray) and value.shape[:1] == (n,):
            return tuple(value)
        return tuple(map(_as_array, value)) if isinstance(value, tuple | list) else value

    return observe


class Exercise(NamedTuple):
    """One exercise. With `cases` the answer is a function; without, a value that is judged.

    cases() gives the argument tuples, the smallest first, with nothing special about their numbers:
    the first case that fails is shown.
    fresh(rng) gives the arguments of one case more, with other numbers at each check, so that an
    answer that is fitted to the cases fails.
    observe(answer, *args) gives what is compared. Another function than `call` lets an exercise
    look at arguments that the answer changes in place, or at the order in which it reads an array.
    judge(value) returns None for a right value, else one sentence that says what is wrong.
    package(minivae.<module>) makes the same function from the package's own code. The tests check
    that it equals the reference; with a mistake planted in that module it becomes a wrong answer.
    returns: the names of the results, for the message.
    heavy: whether right answers may compute for seconds, because the check compiles them or calls
    them very often; they get more time.
    given: in a find-the-bug exercise, the code handed out; an answer that does the same as this
    code counts as not attempted.
    """

    id: str
    title: str
    stub: str
    reference: Any
    hints: tuple[str, str, str]
    mistakes: tuple[WrongAnswer, ...]
    cases: Callable[[], list[tuple]] | None = None
    fresh: Callable[[np.random.Generator], tuple] | None = None
    observe: Callable[..., Any] = call
    judge: Callable[[Any], str | None] | None = None
    returns: tuple[str, ...] = ()
    package: Callable[[Any], Answer] | None = None
    module: str = "ops"
    heavy: bool = False
    given: Answer | None = None
    solution_text: str = ""  # exercises that ask for a value: the answer and why

    @property
    def notebook(self) -> str:
        return self.id[:2]

    @property
    def name(self) -> str:
        """The name that the stub binds."""
        return re.findall(r"^(?:def )?(\w+)", self.stub, re.MULTILINE)[0]

    def source(self) -> str:
        """The reference as text: the code that `check` runs, under the name that the stub has."""
        if self.cases is None:
            return self.solution_text
        text = textwrap.dedent(inspect.getsource(self.reference)).rstrip()
        return text.replace(f"def {self.reference.__name__}(", f"def {self.name}(", 1)


def stub(text: str) -> str:
    """A stub written as an indented triple-quoted string."""
    return textwrap.dedent(text).strip("\n")


@functools.cache
def planted_module(name: str) -> ModuleType:
    """`ops` or `vae` with the mistake of that name in it."""
    return mistakes.plant(mistakes.find(name))


def planted(package: Callable[[Any], Answer], *names: str) -> tuple[WrongAnswer, ...]:
    """Wrong answers from the shared list: `package` of the module with each mistake in it."""

    def wrong(name: str) -> Answer:
        return lambda *args: package(planted_module(name))(*args)  # compiled when first called

    return tuple(WrongAnswer(name, wrong(name), mistakes.find(name).sentence) for name in names)


def planted_in_words(
    package: Callable[[Any], Answer], says: dict[str, str]
) -> tuple[WrongAnswer, ...]:
    """As `planted`, said to a reader who has written one function: {name: the message}."""
    return tuple(m._replace(says=says[m.name]) for m in planted(package, *says))


def generic(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Numbers with nothing special about them, short enough to be shown in full and retyped."""
    return np.round(rng.normal(size=shape), 2)

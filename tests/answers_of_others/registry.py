"""Answers to the exercises by people who did not write them, in styles of their own.

    @right("03.kl")
    def with_einsum(mu, logvar): ...

    @wrong("03.kl", clue="twice")
    def without_the_half(mu, logvar): ...

    right("05.cost", (2, 3), [2, 3], np.array([2, 3]))       # where a value is asked for

`clue` is the name of the mistake that `check` may then name: a true diagnosis of that answer. None:
it says what differs and names no mistake. The files beside this one hold the answers, by notebook.
"""

from collections import defaultdict
from typing import Any, NamedTuple


class Answer(NamedTuple):
    """One answer: what it is, and the mistake that may be named for it."""

    what: Any
    clue: str | None = None


RIGHT: dict[str, list[Answer]] = defaultdict(list)
WRONG: dict[str, list[Answer]] = defaultdict(list)


def right(id, *answers):
    """Note answers that must pass; without any, a decorator for a function that must."""
    return _note(RIGHT[id], answers, None)


def wrong(id, *answers, clue=None):
    """Note answers that must be refused; without any, a decorator for a function that must."""
    return _note(WRONG[id], answers, clue)


def _note(where, answers, clue):
    where += [Answer(answer, clue) for answer in answers]
    return lambda answer: where.append(Answer(answer, clue)) or answer

"""What the functions that come with an exercise do on its cases: looked at once in a process."""

from collections.abc import Iterator, Sequence

from minivae.exercises.execution import Outcome, outcome_of
from minivae.exercises.exercise import Answer, Exercise

_kept: dict[tuple, Outcome] = {}


def known_outcomes(
    exercise: Exercise, function: Answer, cases: Sequence[tuple]
) -> Iterator[Outcome]:
    """The outcome of the reference, or of a listed wrong answer, on each case in turn.

    cases: `exercise.cases()`, which are the same each time, and behind them the fresh case, if the
    exercise has one. What was seen on the former is kept, so that the second check of an exercise
    takes only as long as the answer.
    """
    fixed = len(cases) - (exercise.fresh is not None)
    for number, args in enumerate(cases):
        key = function, exercise.cases, exercise.observe, number
        outcome = _kept.get(key)
        if outcome is None:
            outcome = outcome_of(function, args, exercise.observe)
            if number < fixed:
                _kept[key] = outcome
        yield outcome

"""Grades one answer: returns a verdict, and neither shows nor saves anything."""

import inspect
import itertools
import secrets
import textwrap
import traceback
from collections.abc import Sequence
from typing import Any

import numpy as np

from minivae.exercises import compare, store
from minivae.exercises.cards import CORRECT, NOT_ATTEMPTED, NOT_YET, Verdict
from minivae.exercises.execution import Outcome, line_of_error, run_answer, time_limit
from minivae.exercises.exercise import Exercise, WrongAnswer
from minivae.exercises.inspection import is_empty, is_untouched, signature_if_unfit
from minivae.exercises.known import known_outcomes

NOISE = {"eps", "rng", "u"}  # names of arguments that bring the noise


def grade(exercise: Exercise, answer: Any) -> Verdict:
    """The verdict on an answer. Never raises."""
    try:
        return _grade(exercise, answer)
    except Exception as error:  # an answer can be an object whose methods raise
        line = traceback.extract_tb(error.__traceback__)[-1].lineno
        body = f"the checker could not examine this answer ({type(error).__name__}, line {line})"
        return Verdict(exercise.id, NOT_YET, body)


def _grade(exercise, answer):
    if answer is ...:
        return _not_attempted(exercise)
    if exercise.cases is None:
        return _grade_value(exercise, answer)
    if not callable(answer):
        return Verdict(exercise.id, NOT_YET, _not_a_function(exercise, answer))
    if is_empty(answer, exercise.stub):
        return _not_attempted(exercise)
    n = sum(p.default is p.empty for p in inspect.signature(exercise.reference).parameters.values())
    theirs = signature_if_unfit(answer, n)
    if theirs is not None:
        right = inspect.signature(exercise.reference)
        message = f"yours takes {theirs}; {exercise.name} is called with {right}"
        return Verdict(exercise.id, NOT_YET, message)
    return _grade_function(exercise, answer)


def _not_attempted(exercise):
    what = "write its body" if exercise.cases else "put your answer in place of the ..."
    if exercise.given:
        what = "it still does the same as the given code; fix it"
    return Verdict(exercise.id, NOT_ATTEMPTED, f"{exercise.title}: {what}, then run the cell again")


def _not_a_function(exercise, answer):
    message = f"the answer is {compare.kind_of(answer)}; expected the function itself"
    return f'{message}: check("{exercise.id}", {exercise.name}), without calling it'


# ---- a value: an order, a choice, a number -----------------------------------------------------


def _grade_value(exercise, answer):
    problem = exercise.judge(answer)
    if problem is None:
        return Verdict(exercise.id, CORRECT)
    mistake = next((m for m in exercise.mistakes if _equal(m.wrong, answer)), None)
    yours = compare.labelled("yours     ", compare.format_value(answer))
    return _not_yet(exercise, f"{yours}\n{problem}", mistake)


def _equal(a, b):
    if isinstance(a, tuple | list) and isinstance(b, tuple | list):
        return len(a) == len(b) and all(map(_equal, a, b))
    try:
        a, b = np.asarray(a), np.asarray(b)
    except (TypeError, ValueError):
        return False
    if a.dtype.kind in "iuf" and b.dtype.kind in "iuf":
        return a.shape == b.shape and bool(compare.close(b, a).all())
    return a.dtype.kind == b.dtype.kind and a.shape == b.shape and bool((a == b).all())


# ---- a function: run on every case ---------------------------------------------------------------


def _grade_function(exercise, answer):
    cases = [*exercise.cases(), *_fresh_case(exercise)]
    names = tuple(inspect.signature(exercise.reference).parameters)
    right = list(known_outcomes(exercise, exercise.reference, cases))
    ran = run_answer(answer, cases, exercise.observe, time_limit(answer, exercise.heavy))
    if exercise.given and is_untouched(answer, exercise.given, exercise.stub):
        if _does_the_same(exercise.given, exercise, cases, ran.outcomes):
            return _not_attempted(exercise)
    for args, want, outcome in zip(cases, right, ran.outcomes, strict=True):
        named = list(zip(names, args, strict=False))
        problem = _problem(exercise, answer, named, want.value, outcome, ran)
        if problem is None:
            continue
        mistake = recognise(exercise, cases, ran.outcomes)
        if mistake is None and _another_each_time(exercise, answer, args, outcome):
            problem += f"\nit gives another value at each call: {_instead_of_luck(names)}"
        at = compare.labelled("at        ", _format_args(named))
        body = "\n".join([at, problem, *_asides(ran)])
        return _not_yet(exercise, body, mistake)
    if ran.error_state is not None:
        state = ", ".join(f"{k}={v!r}" for k, v in ran.error_state.items())
        body = f"it leaves NumPy's error state changed ({state}):\nuse `with np.errstate(...):`"
        return Verdict(exercise.id, NOT_YET, body)
    notes = _asides(ran)
    if any(map(_is_view, ran.outcomes)) and not any(map(_is_view, right)):
        notes.append("its result shares memory with an argument: changing one changes the other")
    return Verdict(exercise.id, CORRECT, "\n".join(notes))


def new_seed() -> int:
    """The seed of the fresh case of a check; tests replace it."""
    return secrets.randbits(64)


def _fresh_case(exercise):
    return [] if exercise.fresh is None else [exercise.fresh(np.random.default_rng(new_seed()))]


def _problem(exercise, answer, named, expected, outcome, ran):
    """None if this case is right, else lines that say what is wrong."""
    if outcome.kind == "stopped":
        line = line_of_error(outcome.error, answer)
        text = f"stopped: no result after {ran.seconds:.0f} seconds."
        text += " An endless loop, or too much work?"
        text += f"\nit was at  {line}" if line else ""
        if ran.still_running:
            text += "\nit could not be stopped and still runs in the background: restart the kernel"
        return text
    if outcome.kind == "raised":
        line = line_of_error(outcome.error, answer)
        text = str(outcome.error)
        error = type(outcome.error).__name__ + (f": {text}" if text and text != "None" else "")
        return f"raised    {error}" + (f"\nat        {line}" if line else "")
    for (name, before), after in zip(named, outcome.args, strict=False):
        if changed := changed_part(name, before, after):
            return f"it changes its argument {changed} in place: work on a copy"
    value = outcome.value
    if inspect.iscoroutine(value):
        return "yours is an `async def`; expected a plain function"
    if inspect.isgenerator(value):
        return "yours is a generator: `return` the result instead of `yield`"
    return compare.difference(value, expected, exercise.returns, named)


def changed_part(name: str, before: Any, after: Any) -> str | None:
    """The name of the argument, or of the first part of it, that is not as it was; else None."""
    if type(before) is not type(after):
        return name
    if isinstance(before, np.ndarray):
        return None if np.array_equal(before, after, equal_nan=True) else name
    if isinstance(before, dict):
        if list(before) != list(after):
            return name
        parts = [(f"{name}[{key!r}]", before[key], after[key]) for key in before]
    elif isinstance(before, list | tuple):
        if len(before) != len(after):
            return name
        parts = [(f"{name}[{i}]", *pair) for i, pair in enumerate(zip(before, after, strict=True))]
    else:
        plain = isinstance(before, int | float | str) and before is not after
        return name if plain and before != after else None
    return next(filter(None, (changed_part(*part) for part in parts)), None)


def _instead_of_luck(names):
    """What to do about an answer that depends on chance, for a function with these arguments."""
    if NOISE.intersection(names):
        return "use the noise that is passed in"
    return "it must not depend on chance, so use no random draws"


def _another_each_time(exercise, answer, args, outcome):
    if outcome.kind != "returned":
        return False
    limit = time_limit(answer, exercise.heavy)
    again = run_answer(answer, [args], exercise.observe, limit).outcomes[0]
    return again.kind == "returned" and not compare.same(again.value, outcome.value)


def recognise(
    exercise: Exercise, cases: Sequence[tuple], outcomes: Sequence[Outcome]
) -> WrongAnswer | None:
    """The known wrong answer that has these outcomes on all cases, or None."""
    for mistake in exercise.mistakes:
        if _does_the_same(mistake.wrong, exercise, cases, outcomes):
            return mistake
    return None


def _does_the_same(function, exercise, cases, outcomes):
    theirs = known_outcomes(exercise, function, cases)  # computed as far as it is looked at
    return all(itertools.starmap(same_outcome, zip(outcomes, theirs, strict=True)))


def same_outcome(a: Outcome, b: Outcome) -> bool:
    """Whether two calls returned the same result or raised the same type of error."""
    if a.kind != b.kind:
        return False
    if a.kind == "raised":
        return type(a.error) is type(b.error)
    return a.kind == "returned" and compare.same(a.value, b.value)


def _asides(ran):
    """What is not an error but worth knowing: what the answer printed, and its first warning."""
    notes = []
    if ran.printed:
        text = textwrap.shorten(" ".join(ran.printed.split()), 200)
        notes.append(f"it prints {text!r}" if text else "it prints empty lines")
    if ran.warned:
        notes.append(f"it warns  {textwrap.shorten(ran.warned[0], 200)}")
    return notes


def _is_view(outcome):
    parts = outcome.value if isinstance(outcome.value, tuple | list) else (outcome.value,)
    arrays = [p for p in parts if isinstance(p, np.ndarray)]
    given = [a for a in outcome.args if isinstance(a, np.ndarray)]
    return any(np.may_share_memory(a, b) for a in arrays for b in given)


def _format_args(named):
    parts = [(f"{name} = ", compare.format_value(value)) for name, value in named]
    return ",\n".join(compare.labelled(label, text) for label, text in parts)


def _not_yet(exercise, body, mistake):
    """Names a recognised mistake from the second failure on; the first is left to the reader."""
    state, _ = store.load()
    fails = state["exercises"].get(exercise.id, {}).get("fails", 0)
    verdict = Verdict(exercise.id, NOT_YET, body, mistake=mistake and mistake.name)
    if mistake and fails:
        verdict.body += "\n" + _wrapped(f"likely    {mistake.says}")
    elif fails:
        verdict.body += f'\nhint("{exercise.id}") gives a nudge'
    return verdict


def _wrapped(line):
    return textwrap.fill(line, 96, subsequent_indent=" " * 10)

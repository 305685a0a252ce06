"""check, hint, solution, use: one answer in, one verdict out."""

import inspect
import textwrap
import traceback

import numpy as np

from minivae.errors import MinivaeError
from minivae.exercises import capture, compare, store
from minivae.exercises.cards import (
    CORRECT,
    NOT_ATTEMPTED,
    NOT_YET,
    UNKNOWN,
    Card,
    Verdict,
    show,
)
from minivae.exercises.catalogue import closest, exercises
from minivae.exercises.run import (
    is_empty,
    outcome_of,
    run,
    takes,
    time_limit,
    where,
)

passed = {}  # id -> the reader's own answer, for this session


def check(id, answer=...):
    """Check one answer, show the verdict and return it. Never raises.

    The verdict's `status` is "correct", "not yet", "not attempted" or "no such exercise".
    """
    exercise = exercises().get(id) if isinstance(id, str) else None
    if exercise is None:
        return show(_unknown(id))
    verdict = grade(exercise, answer)
    said = _record(exercise, answer, verdict)
    if said:
        verdict.body = f"{verdict.body}\n\n({said})".lstrip("\n")
    return show(verdict)


def grade(exercise, answer):
    """The verdict, with nothing shown and nothing kept. Never raises."""
    try:
        return _grade(exercise, answer)
    except Exception as error:  # an answer can be an object that breaks whatever touches it
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
    theirs = takes(answer, n)
    if theirs is not None:
        right = inspect.signature(exercise.reference)
        return Verdict(
            exercise.id, NOT_YET, f"yours takes {theirs}; {exercise.name} is called with {right}"
        )
    return _grade_function(exercise, answer)


def _not_attempted(exercise):
    what = "write its body" if exercise.cases else "put your answer in place of the ..."
    if exercise.given:
        what = "it does what it did; mend the code"
    return Verdict(exercise.id, NOT_ATTEMPTED, f"{exercise.title}: {what}, then run the cell again")


def _not_a_function(exercise, answer):
    said = f"the answer is {compare.kind_of(answer)}; expected the function itself"
    return f'{said}: check("{exercise.id}", {exercise.name}), without calling it'


def _unknown(id):
    known = exercises()
    near = closest(id, known)
    body = f'did you mean "{near}" ({known[near].title})?\nprogress() lists them all'
    return Verdict(compare.show_value(id), UNKNOWN, body)


# ---- a value: an order, a choice, a number -----------------------------------------------------


def _grade_value(exercise, answer):
    said = exercise.judge(answer)
    if said is None:
        return Verdict(exercise.id, CORRECT)
    mistake = next((m for m in exercise.mistakes if _equal(m.wrong, answer)), None)
    yours = compare.beside("yours     ", compare.show_value(answer))
    return _not_yet(exercise, f"{yours}\n{said}", mistake)


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
    cases = exercise.cases()
    names = tuple(inspect.signature(exercise.reference).parameters)
    right = [outcome_of(exercise.reference, args, exercise.observe) for args in cases]
    ran = run(answer, cases, exercise.observe, time_limit(answer))
    if exercise.given and _does_the_same(exercise.given, exercise, cases, ran.outcomes):
        return _not_attempted(exercise)
    for args, want, outcome in zip(cases, right, ran.outcomes, strict=True):
        named = list(zip(names, args, strict=False))
        problem = _problem(exercise, answer, named, want.value, outcome, ran)
        if problem is None:
            continue
        mistake = recognise(exercise, cases, ran.outcomes)
        if mistake is None and _another_each_time(exercise, answer, args, outcome):
            problem = f"{problem}\nanother value at each call: use the noise that is passed in"
        body = "\n".join([compare.beside("at        ", _show_args(named)), problem, *_asides(ran)])
        return _not_yet(exercise, body, mistake)
    if ran.error_state is not None:
        state = ", ".join(f"{k}={v!r}" for k, v in ran.error_state.items())
        body = f"it leaves NumPy's error state changed ({state}):\nuse `with np.errstate(...):`"
        return Verdict(exercise.id, NOT_YET, body)
    said = _asides(ran)
    if any(map(_is_view, ran.outcomes)) and not any(map(_is_view, right)):
        said.append("its result shares memory with an argument: take care when changing either")
    return Verdict(exercise.id, CORRECT, "\n".join(said))


def _problem(exercise, answer, named, expected, outcome, ran):
    """None if this case is right, else lines that say what is not."""
    if outcome.kind == "stopped":
        line = where(outcome.error, answer)
        text = f"stopped: no result after {time_limit(answer):.0f} seconds. An endless loop?"
        text += f"\nit was at  {line}" if line else ""
        if ran.still_running:
            text += "\nit does not stop and runs on in the background: restart the kernel"
        return text
    if outcome.kind == "raised":
        line = where(outcome.error, answer)
        text = str(outcome.error)
        said = type(outcome.error).__name__ + (f": {text}" if text and text != "None" else "")
        return f"raised    {said}" + (f"\nat        {line}" if line else "")
    for (name, before), after in zip(named, outcome.args, strict=False):
        if isinstance(before, np.ndarray) and not np.array_equal(before, after, equal_nan=True):
            return f"it changes its argument {name} in place: work on a copy"
    value = outcome.value
    if inspect.iscoroutine(value):
        return "yours is an `async def`; expected a plain function"
    if inspect.isgenerator(value):
        return "yours is a generator: `return` the result instead of `yield`"
    return compare.difference(value, expected, exercise.returns, named)


def _another_each_time(exercise, answer, args, outcome):
    if outcome.kind != "returned":
        return False
    again = run(answer, [args], exercise.observe, time_limit(answer)).outcomes[0]
    return again.kind == "returned" and not compare.same(again.value, outcome.value)


def recognise(exercise, cases, outcomes):
    """The known mistake that gives what the answer gave, on every case; or None."""
    for mistake in exercise.mistakes:
        if _does_the_same(mistake.wrong, exercise, cases, outcomes):
            return mistake
    return None


def _does_the_same(function, exercise, cases, outcomes):
    return all(
        same_outcome(outcome, outcome_of(function, args, exercise.observe))
        for outcome, args in zip(outcomes, cases, strict=True)
    )


def same_outcome(a, b):
    if a.kind != b.kind:
        return False
    if a.kind == "raised":
        return type(a.error) is type(b.error)
    return a.kind == "returned" and compare.same(a.value, b.value)


def _asides(ran):
    """What is no error but worth knowing."""
    said = []
    if ran.printed:
        text = textwrap.shorten(" ".join(ran.printed.split()), 200)
        said.append(f"it prints {text!r}" if text else "it prints empty lines")
    if ran.warned:
        said.append(f"it warns  {textwrap.shorten(ran.warned[0], 200)}")
    return said


def _is_view(outcome):
    parts = outcome.value if isinstance(outcome.value, tuple | list) else (outcome.value,)
    arrays = [p for p in parts if isinstance(p, np.ndarray)]
    given = [a for a in outcome.args if isinstance(a, np.ndarray)]
    return any(np.may_share_memory(a, b) for a in arrays for b in given)


def _show_args(named):
    shown = [(f"{name} = ", compare.show_value(value)) for name, value in named]
    return ",\n".join(compare.beside(label, text) for label, text in shown)


def _not_yet(exercise, body, mistake):
    """From the second failure on, a recognised mistake is named; the first is for thinking."""
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


# ---- what is kept --------------------------------------------------------------------------------


def _record(exercise, answer, verdict):
    """Keep the result; returns a sentence for the reader, or None."""
    if verdict.status == NOT_ATTEMPTED:
        return None

    def change(state):
        entry = state["exercises"].setdefault(exercise.id, {})
        if verdict.status == CORRECT:
            passed[exercise.id] = answer
            entry["passed"] = store.today().isoformat()
            entry.pop("mistake", None)
            source = capture.source_of(answer) if exercise.cases else None
            entry.pop("source", None)
            if source:
                entry["source"] = source
            store.remembered(state, exercise.id)
        else:
            entry["fails"] = entry.get("fails", 0) + 1
            entry.pop("mistake", None)
            if verdict.mistake:
                entry["mistake"] = verdict.mistake
            store.missed(state, exercise.id)

    return store.update(change)


def use(id, answer=...):
    """The reader's answer once it passes, else the reference; says which."""
    exercise = _exercise(id)
    if grade(exercise, answer).status == CORRECT:
        passed[id] = answer
        show(Card(f"{id}: yours is used from here on"))
        return answer
    show(Card(f"{id}: the reference is used from here on"))
    return exercise.reference


def hint(id):
    """The next hint, of three; and the likely mistake, if the last answer showed one."""
    exercise = exercises().get(id) if isinstance(id, str) else None
    if exercise is None:
        return show(_unknown(id))
    state, _ = store.load()
    entry = state["exercises"].get(id, {})
    given = min(entry.get("hints", 0) + 1, len(exercise.hints))
    store.update(lambda s: s["exercises"].setdefault(id, {}).update(hints=given))
    lines = [f"{i}. {text}" for i, text in enumerate(exercise.hints[:given], start=1)]
    likely = next((m for m in exercise.mistakes if m.name == entry.get("mistake")), None)
    if likely:
        lines.append(f"your last answer: {likely.says}")
    return show(Card(f"{id}: hint {given} of {len(exercise.hints)}", "\n".join(lines)))


def solution(id):
    """The reference, as source: the code that `check` compares with."""
    exercise = exercises().get(id) if isinstance(id, str) else None
    if exercise is None:
        return show(_unknown(id))
    return show(Card(f"{id}: {exercise.title}", exercise.source()))


def _exercise(id):
    exercise = exercises().get(id) if isinstance(id, str) else None
    if exercise is None:
        near = closest(id, exercises())
        raise MinivaeError(f"there is no exercise {compare.show_value(id)}; did you mean {near!r}?")
    return exercise

"""check, hint, solution, use: what a reader calls in a notebook."""

import os
from typing import Any

from minivae.errors import MinivaeError
from minivae.exercises import capture, reviews, store
from minivae.exercises.cards import CORRECT, NOT_ATTEMPTED, UNKNOWN, Card, Verdict, display
from minivae.exercises.catalogue import closest, exercises
from minivae.exercises.compare import format_value
from minivae.exercises.exercise import Exercise
from minivae.exercises.grading import grade

LOCKED = "MINIVAE_LOCKED_SOLUTIONS"
passed: dict[str, Any] = {}  # {id: the reader's own answer}, for this session


def check(id: str, answer: Any = ...) -> Verdict:
    """Check one answer, show the verdict and return it. Never raises.

    The verdict's `status` is "correct", "not yet", "not attempted" or "no such exercise".
    """
    exercise = _find(id)
    if exercise is None:
        return display(_unknown(id))
    verdict = grade(exercise, answer)
    return display(verdict, _record(exercise, answer, verdict))


def hint(id: str) -> Card:
    """The next of three hints; and the likely mistake, if the last answer was recognised."""
    exercise = _find(id)
    if exercise is None:
        return display(_unknown(id))
    state, _ = store.load()
    entry = state["exercises"].get(id, {})
    given = min(entry.get("hints", 0) + 1, len(exercise.hints))
    note = store.update(lambda state: state["exercises"].setdefault(id, {}).update(hints=given))
    lines = [f"{i}. {text}" for i, text in enumerate(exercise.hints[:given], start=1)]
    likely = next((m for m in exercise.mistakes if m.name == entry.get("mistake")), None)
    if likely:
        lines.append(f"your last answer: {likely.says}")
    return display(Card(f"{id}: hint {given} of {len(exercise.hints)}", "\n".join(lines)), note)


def solution(id: str) -> Card:
    """The source of the reference, with which `check` compares. The progress file keeps when it
    was first opened.

    The environment variable MINIVAE_LOCKED_SOLUTIONS, which a teacher sets on a class's machines,
    keeps solutions closed: "all", or ids and numbers of notebooks with spaces between, "03.kl 04".
    """
    exercise = _find(id)
    if exercise is None:
        return display(_unknown(id))
    if _is_locked(id):
        return display(Card(f"{id}: the solution is locked in this class", "hint() still helps"))

    def change(state: store.State) -> None:
        entry = state["exercises"].setdefault(id, {})
        entry.setdefault("opened", store.today().isoformat())

    note = store.update(change)
    return display(Card(f"{id}: {exercise.title}", exercise.source()), note)


def _is_locked(id):
    locked = os.environ.get(LOCKED, "").split()
    return any(name in ("all", id, id[:2]) for name in locked)


def use(id: str, answer: Any = ...) -> Any:
    """The reader's answer once it passes, else the reference; says which, and why. Counts as a
    check.

    Raises MinivaeError where there is no such exercise, or one that asks for a value.
    """
    exercise = _find(id)
    if exercise is None:
        near = closest(id, exercises())
        raise MinivaeError(f"there is no exercise {format_value(id)}; did you mean {near!r}?")
    if exercise.cases is None:
        raise MinivaeError(f'{id} asks for a value; check("{id}", ...) says whether yours is right')
    verdict = grade(exercise, answer)
    note = _record(exercise, answer, verdict)
    if verdict.status == CORRECT:
        display(Card(f"{id}: yours is used from here on"), note)
        return answer
    why = "" if verdict.status == NOT_ATTEMPTED else f"yours does not pass yet:\n{verdict.body}"
    display(Card(f"{id}: the reference is used from here on", why), note)
    return exercise.reference


def _find(id):
    return exercises().get(id) if isinstance(id, str) else None


def _unknown(id):
    known = exercises()
    near = closest(id, known)
    body = f'did you mean "{near}" ({known[near].title})?\nprogress() lists them all'
    return Verdict(format_value(id), UNKNOWN, body)


def _record(exercise: Exercise, answer: Any, verdict: Verdict) -> str | None:
    """Keep the result in the progress file; returns a sentence for the reader, or None."""
    if verdict.status == NOT_ATTEMPTED:
        return None
    source, note = _kept(exercise, answer) if verdict.status == CORRECT else (None, None)

    def change(state: store.State) -> None:
        entry = state["exercises"].setdefault(exercise.id, {})
        entry.pop("mistake", None)
        if verdict.status == CORRECT:
            passed[exercise.id] = answer
            entry["passed"] = store.today().isoformat()
            entry.pop("source", None)
            if source:
                entry["source"] = source
            reviews.remembered(state, exercise.id)
        else:
            entry["fails"] = entry.get("fails", 0) + 1
            if verdict.mistake:
                entry["mistake"] = verdict.mistake
            reviews.missed(state, exercise.id)

    return store.update(change) or note


def _kept(exercise, answer):
    """(the answer as text for later sessions, or None; a sentence for the reader, or None)."""
    if not exercise.cases:
        return None, None
    try:
        return capture.source_of(answer), None
    except capture.CannotKeep as reason:
        return None, f"it passes, but only this session can use it: {reason}"

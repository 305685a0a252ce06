"""The review: what was wrong is asked again after 1, 3 and 7 days."""

import datetime
from collections.abc import Callable
from typing import Any

from minivae.exercises import store
from minivae.exercises.cards import CORRECT, MARKS, NOT_YET, Card, display, fill
from minivae.exercises.catalogue import exercises
from minivae.exercises.questions import LETTERS, Prediction, question

# ---- when ------------------------------------------------------------------------------------


def missed(state: store.State, id: str) -> None:
    """A wrong answer: it is asked again in a day, from the first box."""
    _schedule(state, id, 0)


def remembered(state: store.State, id: str) -> None:
    """A right answer. If it was due, it is asked again after 3, then 7 days, and then no more."""
    entry = state["review"].get(id)
    if entry is None or entry["due"] > store.today().isoformat():
        return
    if entry["box"] + 1 == len(store.REVIEW_DAYS):
        del state["review"][id]
    else:
        _schedule(state, id, entry["box"] + 1)


def _schedule(state, id, box):
    due = store.today() + datetime.timedelta(days=store.REVIEW_DAYS[box])
    state["review"][id] = {"box": box, "due": due.isoformat()}


def due(state: store.State) -> list[str]:
    """The ids to ask again today, the longest overdue first."""
    now = store.today().isoformat()
    dates = sorted((entry["due"], id) for id, entry in state["review"].items())
    return [id for date, id in dates if date <= now]


# ---- what is asked ---------------------------------------------------------------------------


def review() -> Card:
    """Show what is due for review today."""
    state, note = store.load()
    lines = [f"{id}: {_task(id)}" for id in due(state)]
    return display(Card("review", "\n".join(lines) or "nothing is due today"), note)


def _task(id):
    if id in exercises():
        return f"{exercises()[id].title}: write it again in notebook {id[:2]}, from the empty stub"
    asked = question(id)
    return asked.question if asked else "a question that no longer exists"


def review_session(ask: Callable[[str], str] = input, say: Callable[[str], Any] = print) -> None:
    """Ask what is due, one by one: `python -m minivae exercises --review`. Stops at the end of the
    input."""
    state, note = store.load()
    if note:
        say(note)
    ids = due(state)
    if not ids:
        say("nothing is due today")
        return
    say(f"{len(ids)} due today")
    for id in ids:
        if not _review_one(id, ask, say):
            return


def _review_one(id, ask, say):
    """Ask one question, or name one exercise; False when the input has ended."""
    asked = question(id)
    if asked is None or id in exercises():
        say(f"\n{id}  {_task(id)}")
        if id not in exercises():
            store.update(lambda state: state["review"].pop(id, None))
        return True
    options = asked.options
    right = asked.truth if isinstance(asked, Prediction) else options[LETTERS.index(asked.right)]
    listed = "\n".join(f"   {letter}  {o}" for letter, o in zip(LETTERS, options, strict=False))
    say(f"\n{id}  {fill(asked.question)}\n{listed}")
    try:
        chosen = _choose(options, ask, say)
    except EOFError:
        return False
    known = right is not None and chosen == right
    say((f"{MARKS[CORRECT]} " if known else f"{MARKS[NOT_YET]} {right}. ") + fill(asked.why))
    store.update(lambda state: (remembered if known else missed)(state, id))
    return True


def _choose(options, ask, say):
    """One of the options, given by its letter or in words; asks again for anything else."""
    letters = dict(zip(LETTERS, options, strict=False))
    while True:
        answer = " ".join(ask("your answer: ").split()).lower().rstrip(".)")
        if answer in letters:
            return letters[answer]
        meant = [o for o in options if answer and " ".join(str(o).split()).lower() == answer]
        if meant:
            return meant[0]
        say(f"   please answer {', '.join(letters)} (Ctrl-D ends the review)")

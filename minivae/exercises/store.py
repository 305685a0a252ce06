"""The progress file: one small JSON file, ignored by git, with what the reader has done.

It lies beside the package, so that the notebooks and the command line share it wherever they are
started; the environment variable MINIVAE_PROGRESS names another place. Like a notebook, it holds
the reader's own code (the answers that passed), which `my_backend` runs again.
"""

import datetime
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from minivae.errors import MinivaeError
from minivae.files import atomic_write

VERSION = 1
SECTIONS = ("exercises", "answers", "review")  # answers: to predictions and recall questions
FIELDS = {
    "exercises": {"fails": int, "passed": str, "hints": int, "mistake": str, "source": str},
    "review": {"box": int, "due": str},
}
REVIEW_DAYS = (1, 3, 7)

State = dict[str, dict[str, Any]]  # {section: {id: what is kept about it}}

# Where the file cannot be written, its text is kept for this process: {path: text}.
_unsaved: dict[Path, str] = {}


def today() -> datetime.date:
    return datetime.date.today()


def path() -> Path:
    named = os.environ.get("MINIVAE_PROGRESS")
    return Path(named) if named else Path(__file__).parents[2] / ".minivae_progress.json"


def load() -> tuple[State, str | None]:
    """The state, and a sentence for the reader if a damaged file had to be set aside."""
    place = path()
    try:
        text = _unsaved.get(place) or place.read_text(encoding="utf-8")
    except FileNotFoundError:
        return _empty(), None
    except (OSError, UnicodeDecodeError) as error:
        return _set_aside(place, error)
    try:
        return _checked(json.loads(text)), None
    except (ValueError, RecursionError) as error:
        return _set_aside(place, error)


def update(change: Callable[[State], Any]) -> str | None:
    """Read the file, call change(state), write it. Returns a sentence for the reader, or None.

    The file is read anew each time, as another notebook may have written to it meanwhile.
    """
    state, message = load()
    change(state)
    text = json.dumps({"version": VERSION, **state}, indent=1, sort_keys=True)
    place = path()
    try:
        atomic_write(place, text.encode())
        _unsaved.pop(place, None)
    except MinivaeError as error:
        first = place not in _unsaved  # reported only once
        message = f"progress is kept for this session only: {error}" if first else None
        _unsaved[place] = text
    return message


def _empty():
    return {section: {} for section in SECTIONS}


def _set_aside(place, error):
    spare = place.with_name(place.name + ".damaged")
    try:
        os.replace(place, spare)
    except OSError:
        reason = type(error).__name__
        return _empty(), f"{place.name} cannot be read ({reason}); progress starts empty"
    return _empty(), (
        f"{place.name} was damaged; it is kept as {spare.name}, and a new one is started"
    )


def _checked(state):
    """The state, once every part has the right type; ValueError otherwise."""
    if not isinstance(state, dict) or state.get("version") != VERSION:
        raise ValueError("not a progress file of this version")
    for section in SECTIONS:
        entries = state.get(section)
        if not isinstance(entries, dict):
            raise ValueError(f"{section} is not a table")
        if section == "answers":
            if not all(isinstance(v, str) for v in entries.values()):
                raise ValueError("an answer is not text")
            continue
        for entry in entries.values():
            if not isinstance(entry, dict) or not _fits(entry, FIELDS[section]):
                raise ValueError(f"an entry of {section} is damaged")
    for entry in state["review"].values():
        datetime.date.fromisoformat(entry["due"])
        if not 0 <= entry["box"] < len(REVIEW_DAYS):
            raise ValueError("a review box is out of range")
    return {section: state[section] for section in SECTIONS}


def _fits(entry, fields):
    return all(type(value) is fields.get(key) for key, value in entry.items()) and (
        fields is not FIELDS["review"] or set(entry) == set(fields)
    )


# ---- review: what was wrong is asked again after 1, 3 and 7 days -----------------------------


def missed(state: State, id: str) -> None:
    """A wrong answer: it is asked again in a day, from the first box."""
    _schedule(state, id, 0)


def remembered(state: State, id: str) -> None:
    """A right answer. If it was due, it is asked again after 3, then 7 days, and then no more."""
    entry = state["review"].get(id)
    if entry is None or entry["due"] > today().isoformat():
        return
    if entry["box"] + 1 == len(REVIEW_DAYS):
        del state["review"][id]
    else:
        _schedule(state, id, entry["box"] + 1)


def _schedule(state, id, box):
    due = today() + datetime.timedelta(days=REVIEW_DAYS[box])
    state["review"][id] = {"box": box, "due": due.isoformat()}


def due(state: State) -> list[str]:
    """The ids to ask again today, the longest overdue first."""
    now = today().isoformat()
    dates = sorted((entry["due"], id) for id, entry in state["review"].items())
    return [id for date, id in dates if date <= now]

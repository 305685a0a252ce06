"""The progress file: one small JSON file, ignored by git, with what the reader has done.

It lies beside the package, so that the notebooks and the command line share it wherever they are
started; the environment variable MINIVAE_PROGRESS names another place. Like a notebook, it holds
the reader's own code (the answers that passed), which `my_backend` runs again.
"""

import datetime
import itertools
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from minivae.errors import MinivaeError
from minivae.files import atomic_write, one_writer, reading

VERSION = 1
PLACE = "MINIVAE_PROGRESS"  # the environment variable that names another file
SECTIONS = ("exercises", "answers", "review")  # answers: to predictions and recall questions
FIELDS = {
    "exercises": {
        "fails": int,
        "passed": str,
        "hints": int,
        "mistake": str,
        "source": str,
        "opened": str,
    },
    "review": {"box": int, "due": str},
}
REVIEW_DAYS = (1, 3, 7)  # how long each box waits

State = dict[str, dict[str, Any]]  # {section: {id: what is kept about it}}

# Where the file cannot be written, its text is kept for this process: {path: text}.
_unsaved: dict[Path, str] = {}


def today() -> datetime.date:
    """The date by which reviews are due; tests replace it."""
    return datetime.date.today()


def path() -> Path:
    """Where the progress file is, or will be: MINIVAE_PROGRESS, or beside the package."""
    named = os.environ.get(PLACE)
    return Path(named) if named else Path(__file__).parents[2] / ".minivae_progress.json"


def load(place: Path | None = None) -> tuple[State, str | None]:
    """The state, and a sentence for the reader if the file is damaged or cannot be read.

    place: another file than the reader's own. Reading changes nothing: a damaged file is set aside
    by the next `update`.
    """
    place = place or path()
    if place in _unsaved:
        return json.loads(_unsaved[place]), None
    try:
        return _read(place), None
    except _DamagedFile:
        return _empty(), (
            f"{place.name} is damaged, so nothing in it counts; it is kept under another name "
            "when something new is written"
        )
    except MinivaeError as error:
        return _empty(), f"your progress cannot be read: {error}"


def update(change: Callable[[State], Any]) -> str | None:
    """Read the file, call change(state), write it. Returns a sentence for the reader, or None.

    The file is read anew each time and locked until it is written, as another notebook may change
    it at the same time.
    """
    place = path()
    if place in _unsaved:
        return _keep_in_memory(place, json.loads(_unsaved[place]), change, None)
    try:
        with one_writer(place):
            try:
                state, message = _read(place), None
            except _DamagedFile:
                state, message = _empty(), _set_aside(place)
            change(state)
            atomic_write(place, _text(state).encode())
            return message
    except MinivaeError as error:
        return _keep_in_memory(place, load()[0], change, error)


class _DamagedFile(Exception):
    """The content is not that of a progress file."""


def _read(place: Path) -> State:
    """The state in the file, or none yet. Raises `_DamagedFile`, or MinivaeError if it cannot be
    read."""
    if not os.path.lexists(place):
        return _empty()
    with reading(place) as (file, _):
        data = file.read()
    try:
        return _checked(json.loads(data.decode("utf-8")))
    except (ValueError, RecursionError):
        raise _DamagedFile from None


def _keep_in_memory(place, state, change, error):
    change(state)
    _unsaved[place] = _text(state)
    return error and f"progress is kept for this session only: {error}"  # said once


def _text(state):
    return json.dumps({"version": VERSION, **state}, indent=1, sort_keys=True)


def _empty():
    return {section: {} for section in SECTIONS}


def _set_aside(place):
    """Rename a damaged file, to a name that is free -> a sentence for the reader."""
    numbers = itertools.count(2)
    spare = place.with_name(f"{place.name}.damaged")
    while os.path.lexists(spare):
        spare = place.with_name(f"{place.name}.damaged-{next(numbers)}")
    try:
        os.replace(place, spare)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise MinivaeError(
            f"{place.name} is damaged and cannot be renamed ({reason}); rename it yourself"
        ) from None
    return f"{place.name} was damaged; it is kept as {spare.name}, and a new one is started"


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
    return {name: part for name, part in state.items() if name != "version"}


def _fits(entry, fields):
    """Whether the known fields have their types. Unknown ones, of a later version, are kept."""
    if fields is FIELDS["review"] and not set(fields) <= set(entry):
        return False
    return all(type(entry[key]) is kind for key, kind in fields.items() if key in entry)

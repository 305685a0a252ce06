"""For teachers: each student's notebook is run, and what `check` says in it becomes a table.

A notebook runs in a process of its own, with an empty progress file of its own, and is stopped when
its time is over. It is not shut in: it may do what the teacher's account may do.
"""

import asyncio
import csv
import io
import os
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

from minivae.checks import printable
from minivae.errors import MinivaeError
from minivae.exercises import store
from minivae.exercises.cards import CORRECT, NOT_ATTEMPTED, NOT_YET
from minivae.exercises.catalogue import exercises
from minivae.exercises.study import status

MINUTES = 10.0  # for one notebook, unless the teacher says otherwise
PACKAGE_PLACE = Path(__file__).parents[2]


class Graded(NamedTuple):
    """One notebook's results.

    statuses: {exercise id: what the last check of it said}, for all exercises that it checks.
    opened: the exercises whose solution the notebook shows.
    ended: "whole", "stopped after N minutes", or why it could not run.
    """

    name: str
    statuses: dict[str, str]
    opened: tuple[str, ...]
    seconds: float
    ended: str


def submissions_in(folder: str | Path) -> list[Path]:
    """The notebooks in a folder and its subfolders, by name. Raises MinivaeError if there are
    none."""
    folder = Path(folder)
    found = sorted(
        path
        for path in folder.rglob("*.ipynb")
        if not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )
    if not found:
        what = "holds no notebook (*.ipynb)" if folder.is_dir() else "is not a folder"
        raise MinivaeError(f"{printable(folder)} {what}")
    return found


def grade_notebook(path: Path, minutes: float = MINUTES) -> Graded:
    """Run one notebook from top to bottom and read what its checks said. A cell that fails does
    not stop it; what was checked before the time was over counts."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        progress = Path(folder) / "progress.json"
        ended = _run(path, progress, minutes)
        state, _ = store.load(progress)
    entries = {id: state["exercises"].get(id, {}) for id in exercises()}
    statuses = {id: status(entry) for id, entry in entries.items()}
    return Graded(
        name=path.name,
        statuses={id: status for id, status in statuses.items() if status != NOT_ATTEMPTED},
        opened=tuple(id for id, entry in entries.items() if "opened" in entry),
        seconds=time.monotonic() - started,
        ended=ended,
    )


def _run(path, progress, minutes):
    """Run the notebook -> how it ended."""
    import nbformat
    from nbclient import NotebookClient

    try:
        notebook = nbformat.read(path, as_version=4)
    except (OSError, ValueError, nbformat.ValidationError):
        return "not a notebook"
    surroundings = {
        **os.environ,
        store.PLACE: str(progress),
        "PYTHONPATH": os.pathsep.join(
            filter(None, (str(PACKAGE_PLACE), os.environ.get("PYTHONPATH")))
        ),
        "TQDM_DISABLE": "1",
    }
    client = NotebookClient(
        notebook,
        timeout=None,
        kernel_name="python3",
        allow_errors=True,
        resources={"metadata": {"path": str(path.parent)}},
    )

    async def within_the_time():
        await asyncio.wait_for(client.async_execute(env=surroundings), minutes * 60)

    deadline = time.monotonic() + minutes * 60
    try:
        asyncio.run(within_the_time())
    except Exception as error:
        # The time is over (its kernel is killed, which nbclient may report first), or a cell has
        # ended the kernel.
        if time.monotonic() >= deadline:
            return f"stopped after {minutes:g} minutes"
        return f"{type(error).__name__}: {str(error).splitlines()[0]}"
    return "whole"


def grade_folder(
    folder: str | Path, minutes: float = MINUTES, each: Callable[[Graded], Any] = lambda done: None
) -> list[Graded]:
    """Grade every notebook in a folder, one after another; each(result) is called after each."""
    results = []
    for path in submissions_in(folder):
        results.append(grade_notebook(path, minutes)._replace(name=_label(path, Path(folder))))
        each(results[-1])
    return results


def _label(path, folder):
    return path.relative_to(folder).as_posix()


def table(results: Iterable[Graded]) -> str:
    """The results as CSV: one row a notebook, one column for each exercise that anybody checked."""
    results = list(results)
    ids = [id for id in exercises() if any(id in one.statuses for one in results)]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        ["notebook", "correct", "not yet", "solutions opened", "seconds", "ended", *ids]
    )
    for one in results:
        said = list(one.statuses.values())
        writer.writerow(
            [
                _as_text(one.name),
                said.count(CORRECT),
                said.count(NOT_YET),
                " ".join(one.opened),
                f"{one.seconds:.0f}",
                _as_text(one.ended),
                *(one.statuses.get(id, NOT_ATTEMPTED) for id in ids),
            ]
        )
    return text.getvalue()


def _as_text(cell):
    """A student chooses these words; a spreadsheet must not take them for a formula."""
    return f"'{cell}" if cell[:1] in "=+-@" else cell

"""Writes notebooks/syllabus.md, what each notebook teaches, needs and asks: `python
notebooks/make_syllabus.py`.

Everything in it is read from the notebooks' sources and from the list of exercises.
"""

import re
import sys
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # so that `python notebooks/make_syllabus.py` finds the package

from minivae.exercises.catalogue import exercises

TARGET = ROOT / "notebooks" / "syllabus.md"
SOURCES = sorted((ROOT / "notebooks" / "src").glob("[0-9][0-9]*_*.py"))
FOR_CLASSES = """\
## For a class

Each student works in copies of the notebooks (`python -m minivae learn`) and hands them in. Give
each file the student's name, and put all files into one folder.

- `python -m minivae exercises --grade FOLDER > grades.csv` runs every notebook in the folder, each
  in a process of its own and for ten minutes at most (`--minutes`), and prints one row for each:
  what is correct, what is not yet, and which solutions were opened. The code in the notebooks runs
  with the rights of your account, so grade only the work of people you trust, or in a container.
- `MINIVAE_LOCKED_SOLUTIONS="03 04.train" jupyter lab` starts a server in which `solution(...)`
  stays closed for notebook 03 and for one exercise of notebook 04; `all` closes all of them.
  Whoever has the package can still read its source.
- `python -m minivae exercises --reset 03.kl` forgets what was done in one exercise, or with `03` in
  a whole notebook, so that it can be done again.
"""


class Introduction(NamedTuple):
    """The first cell of a notebook. goals: [(text, ids of the exercises that test it)]."""

    title: str
    goals: list[tuple[str, list[str]]]
    builds_on: str
    minutes: int


def introduction(source: Path) -> Introduction:
    """Read the first cell of a source. Raises ValueError if a part of it is missing."""
    first = source.read_text(encoding="utf-8").split("# %% [markdown]\n")[1].split("# %%")[0]
    text = "\n".join(line.removeprefix("#").removeprefix(" ") for line in first.splitlines())
    title = re.search(r"^# (.*)", text, re.MULTILINE)
    listed = re.search(r"\*\*What you will be able to do\*\*\n(.*?)\n\n", text, re.DOTALL)
    needed = re.search(r"\*\*Builds on\*\* (.*?)\.? Reading time", " ".join(text.split()))
    time = re.search(r"Reading\s+time:\s+(?:about\s+)?(\d+)\s+minutes", text)
    if not (title and listed and needed and time):
        raise ValueError(f"{source.name}: its first cell lacks a part of the introduction")
    bullets = re.split(r"^- ", listed[1], flags=re.MULTILINE)[1:]
    return Introduction(title[1], [_goal(bullet) for bullet in bullets], needed[1], int(time[1]))


def _goal(bullet):
    """ "derive the ELBO (`02.elbo`, `02.gap`);" -> its words and the ids."""
    words = " ".join(bullet.split())
    at_end = re.search(r" \(((?:`\d\d\.[\w-]+`(?:, | and )?)+)\)[;.,]?$", words)
    if at_end is None:
        return words.rstrip(";."), []
    return words[: at_end.start()], re.findall(r"`([^`]+)`", at_end[1])


def exercises_in(source: Path) -> list[str]:
    """The ids of the exercises whose stubs are in this source, in order."""
    text = source.read_text(encoding="utf-8")
    return [e.id for e in exercises().values() if e.notebook == source.name[:2] and e.stub in text]


def page() -> str:
    """The Markdown of the page."""
    read = [(source, introduction(source), exercises_in(source)) for source in SOURCES]
    lines = [
        "# Syllabus",
        "",
        "What each notebook teaches, what it needs, and how long its main part takes to read. Plan",
        "two or three times as long again for the exercises. Appendices are optional.",
        "",
        "| notebook | minutes | exercises | builds on |",
        "|---|---|---|---|",
    ]
    for source, head, ids in read:
        title = f"[{head.title}]({source.stem}.ipynb)"
        lines.append(f"| {title} | {head.minutes} | {len(ids)} | {_unlinked(head.builds_on)} |")
    minutes, count = sum(head.minutes for _, head, _ in read), sum(len(ids) for *_, ids in read)
    lines += [f"| together | {minutes} | {count} | |", ""]
    for _, head, ids in read:
        lines += [f"## {head.title}", "", "You will be able to", ""]
        for goal, tested_by in head.goals:
            tests = ", ".join(f"`{id}`" for id in tested_by)
            lines.append(f"- {goal}" + (f" ({tests})" if tests else ""))
        titles = "; ".join(f"`{id}` {exercises()[id].title}" for id in ids)
        lines += ["", f"Exercises: {titles}.", ""]
    lines += [*FOR_CLASSES.splitlines(), "", "Written by `python notebooks/make_syllabus.py`.", ""]
    return "\n".join(lines)


def _unlinked(text):
    """Links in a table cell that is itself beside a link: their words are enough."""
    return re.sub(r"\[([^\]]+)\]\([^)]+\)", r"\1", text)


if __name__ == "__main__":
    TARGET.write_text(page(), encoding="utf-8")

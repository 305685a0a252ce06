"""`learn`: the reader's own copies of the notebooks, opened in JupyterLab."""

import argparse
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from minivae.cli.parser import print_report, say
from minivae.errors import MinivaeError

DESCRIPTION = """\
Copy the notebooks into a folder of yours and open them in JupyterLab. Write your answers there: the
project's own notebooks stay as they are, so that updating the project and running its tests go on
working. Run it again after an update: what is new comes in, and your cells stay.
"""
FOLDER = "learn"  # in the clone; git ignores it


def add_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "folder", metavar="FOLDER", nargs="?", help="where your copies are (default: learn, here)"
    )
    command.add_argument(
        "--copy-only", action="store_true", help="do not open JupyterLab (as with --json)"
    )


def execute(args: argparse.Namespace) -> int | None:
    report = learn(args.folder)
    print_report(args, report, describe)
    if args.copy_only or args.json:
        return None
    say("opening JupyterLab; Ctrl-C here ends it")
    return open_lab(Path(report["folder"]))


def learn(folder: str | None) -> dict[str, Any]:
    """Make or update the copies -> a report, plain JSON."""
    from minivae.exercises import workbook

    place = workbook.NOTEBOOKS.parent / FOLDER if folder is None else Path(folder)
    copied = workbook.copy_notebooks(place)
    return {"folder": place.as_posix(), "notebooks": [one._asdict() for one in copied]}


def describe(report: dict[str, Any]) -> str:
    """The report in words."""
    groups: dict[str, list[str]] = {}
    for one in report["notebooks"]:
        groups.setdefault(one["state"], []).append(one["name"])
    words = {
        "new": "copied",
        "updated": "updated",
        "merged": "updated, with your cells in their places; as they were: .before_update",
        "beside": "no longer readable as a notebook, so left alone; the new one is beside it",
    }
    lines = [f"your notebooks: {report['folder']}"]
    for state, sentence in words.items():
        if state in groups:
            names = groups[state]
            listed = f"{len(names)} notebooks" if len(names) > 3 else ", ".join(names)
            lines.append(f"  {sentence}: {listed}")
    if set(groups) == {"unchanged"}:
        lines.append("  all up to date")
    return "\n".join(lines)


def open_lab(folder: Path) -> int:
    """Run JupyterLab in `folder` until it ends -> its exit status."""
    try:
        # In a process group of its own it would not get this terminal's Ctrl-C.
        return subprocess.call([sys.executable, "-m", "jupyterlab", os.fspath(folder)])
    except KeyboardInterrupt:  # JupyterLab has had it too, and asks or ends by itself
        return 0
    except OSError as error:
        raise MinivaeError(f"JupyterLab cannot be started: {error.strerror}") from None

"""`exercises`: progress over the exercises, the review, and a class's notebooks."""

import argparse
import json

from minivae.cli.parser import say
from minivae.errors import MinivaeError

DESCRIPTION = """\
Show which exercises of the notebooks are done, what comes next, and what is due again.
--review asks the questions that you missed, 1, 3 and 7 days later. --reset forgets what you did in
an exercise or in a notebook, so that you can start it again. --grade is for teachers: it runs each
notebook in a folder and prints what `check` said in it, as a table (CSV).
"""


def add_arguments(command: argparse.ArgumentParser) -> None:
    one = command.add_mutually_exclusive_group()
    one.add_argument("--review", action="store_true", help="answer what is due today")
    one.add_argument(
        "--reset", nargs="+", metavar="ID", help="forget an exercise (03.kl) or a notebook (03)"
    )
    one.add_argument(
        "--grade",
        metavar="FOLDER",
        help="run the notebooks in FOLDER, one for each student, with the rights of your account; "
        "open only those of people you trust",
    )
    command.add_argument(
        "--minutes", type=float, metavar="N", help="with --grade: stop a notebook after N (10)"
    )


def execute(args: argparse.Namespace) -> None:
    from minivae import exercises

    if args.minutes is not None and not (args.grade and args.minutes > 0):
        raise MinivaeError("--minutes goes with --grade, and is a number above 0")
    if args.review and args.json:
        raise MinivaeError("--review asks questions and waits for answers; leave --json out")
    if args.review:
        exercises.review_session()
    elif args.reset:
        removed = exercises.forget(args.reset)
        words = ", ".join(removed) or "nothing: none of it was done"
        print(json.dumps(removed) if args.json else f"forgotten: {words}")
    elif args.grade:
        grade(args.grade, args.minutes, args.json)
    else:
        print(json.dumps(exercises.summary()) if args.json else exercises.report())


def grade(folder: str, minutes: float | None, as_json: bool) -> None:
    """Grade a folder and print the table; each notebook is named on standard error when it ends."""
    from minivae.exercises import submissions

    results = submissions.grade_folder(
        folder,
        minutes or submissions.MINUTES,
        lambda one: say(f"{one.name}: {one.ended}, {one.seconds:.0f} s"),
    )
    if as_json:
        print(json.dumps([one._asdict() for one in results]))
    else:
        print(submissions.table(results), end="")

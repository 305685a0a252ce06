"""`exercises`: progress over the exercises, and the review."""

import argparse
import json

from minivae.errors import MinivaeError

DESCRIPTION = """\
Show which exercises of the notebooks are done, what comes next, and what is due again.
--review asks the questions that you missed, 1, 3 and 7 days later.
"""


def add_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("--review", action="store_true", help="answer what is due today")


def execute(args: argparse.Namespace) -> None:
    from minivae import exercises

    if args.review and args.json:
        raise MinivaeError("--review asks questions and waits for answers; leave --json out")
    if args.review:
        exercises.review_session()
    else:
        print(json.dumps(exercises.summary()) if args.json else exercises.report())

"""The parser that all commands share, and where their results and progress are printed."""

import argparse
import json
import sys
from collections.abc import Callable
from typing import Any, NoReturn

from minivae.errors import MinivaeError, escaped


class Parser(argparse.ArgumentParser):
    """argparse, with errors as this project prints them: one line."""

    def error(self, message: str) -> NoReturn:
        raise MinivaeError(f"{message}; `{self.prog} --help` lists what is possible")


def say(line: str) -> None:
    """Print progress to standard error, because standard output is for the result. Control
    characters are escaped."""
    print("\n".join(escaped(part) for part in line.split("\n")), file=sys.stderr, flush=True)


def print_report(args: argparse.Namespace, report: Any, describe: Callable[[Any], str]) -> None:
    """Print a command's result: as JSON where --json asks for it, or in words.

    Words may come from a stranger's file, so control characters, which a terminal would obey, are
    escaped, as they are in JSON.
    """
    if args.json:
        text = json.dumps(report, allow_nan=False)
    else:
        text = "\n".join(escaped(line) for line in describe(report).split("\n"))
    print(text, flush=True)

"""The parser that all commands share, and where their results and progress are printed."""

import argparse
import difflib
import json
import re
import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from minivae.errors import MinivaeError, escaped

CHOICE = re.compile(r"argument (\S+): invalid choice: (.+) \(choose from (.+)\)", re.DOTALL)
NUMBER = re.compile(r"argument (\S+): invalid (int|float) value: (.+)", re.DOTALL)
KINDS = {"int": "a whole number", "float": "a number"}


class Parser(argparse.ArgumentParser):
    """argparse, with errors as this project prints them: one line that says what would be right.

    `options` are the names of the options, and `commands` the parsers of the commands, by name.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.options: list[str] = []
        self.commands: dict[str, Parser] = {}
        super().__init__(*args, **kwargs)

    def add_argument(self, *names: Any, **kwargs: Any) -> argparse.Action:
        """As argparse does, and note the names."""
        self.options += [name for name in names if name.startswith("--")]
        return super().add_argument(*names, **kwargs)

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As argparse does; an option that is not known is named with the nearest one."""
        argv = sys.argv[1:] if args is None else args
        if argv and argv[0].startswith("--") and argv[0] not in self.options:
            raise MinivaeError(self.not_known(argv[0]))  # not "COMMAND is required"
        parsed, unknown = self.parse_known_args(argv, namespace)
        if unknown:
            command = next((word for word in argv if word in self.commands), None)
            parser = self if command is None else self.commands[command]
            raise MinivaeError(parser.not_known(unknown[0]))
        return parsed

    def not_known(self, word: str) -> str:
        """What is said of an argument that this parser does not know."""
        command = self.prog.split()[-1]
        help_line = f"`{self.prog} --help` lists what is possible"
        if not word.startswith("-"):
            return f"{command} has no use for {word!r}; {help_line}"
        name = word.partition("=")[0]
        return f"{command} has no option {name}{did_you_mean(name, self.options)}; {help_line}"

    def error(self, message: str) -> NoReturn:
        help_line = f"`{self.prog} --help` lists what is possible"
        choice, number = CHOICE.fullmatch(message), NUMBER.fullmatch(message)
        if choice:
            name, given = choice[1], choice[2].strip("'\"")
            known = [word.strip("'\" ") for word in choice[3].split(",")]
            guess = did_you_mean(given, known)
            if name == "COMMAND":
                message = f"there is no command {given}{guess}"
            else:
                message = f"{name} is {given!r}{guess}; it must be one of {', '.join(known)}"
        elif number:
            given = number[3] if len(number[3]) <= 60 else f"{number[3][:50]}..."
            message = f"{number[1]} is {given}; it must be {KINDS[number[2]]}"
        raise MinivaeError(f"{message}; {help_line}")


def did_you_mean(word: str, known: Sequence[str]) -> str:
    """ " (did you mean --epochs?)", or nothing where no known word is like this one."""
    # The start of one word is as likely meant as a word with a letter too many.
    close = [name for name in known if name.startswith(word) and len(word) > 2][:1]
    close = close or difflib.get_close_matches(word, known, n=1)
    return f" (did you mean {close[0]}?)" if close else ""


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

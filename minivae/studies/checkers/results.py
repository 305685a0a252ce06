"""The results of `python -m minivae compare-checkers`, read and shown as tables."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from minivae import files

RESULTS = Path("figures") / "gradient_checkers.json"
MAX_BYTES = 1 << 22

RIGHT, WRONG, CANNOT_TELL, RAISES = "right", "wrong", "cannot tell", "raises"
SLIGHTLY_WRONG = "slightly wrong"  # by a factor of 1 + 1e-4
GIVEN = (RIGHT, WRONG, SLIGHTLY_WRONG)
VERDICTS = (RIGHT, WRONG, CANNOT_TELL, RAISES)
SMOOTH = ("smooth",)
HARD = ("kinked", "noisy", "random", "float32")
TITLES = {SMOOTH: "smooth functions in float64", HARD: "kinks, noise, random draws, float32"}


def read(path: Path = RESULTS) -> dict[str, Any]:
    """The results of the comparison, or MinivaeError."""
    with files.reading(path) as (file, size):
        if size > MAX_BYTES:
            raise files.damaged_error(path, "it is far too large")
        results = json.loads(file.read().decode())
    if not (isinstance(results, dict) and {"versions", "corpus", "checkers"} <= set(results)):
        raise files.damaged_error(path, "it does not hold the results of compare-checkers")
    return results


class Row(NamedTuple):
    """What one checker said about the gradients of some kinds: how many of them, misjudged."""

    name: str
    right_called_wrong: int
    wrong_called_right: int
    slightly_wrong_called_right: int
    cannot_tell: int  # of all gradients
    raises: int


HEADS = (
    "right called wrong",
    "wrong called right",
    "1e-4 off called right",
    "cannot tell",
    "raises",
)


def rows(results: dict[str, Any], kinds: Sequence[str]) -> list[Row]:
    """A row for each checker."""
    return [
        Row(
            checker["name"],
            _sum(checker, [RIGHT], kinds, WRONG),
            _sum(checker, [WRONG], kinds, RIGHT),
            _sum(checker, [SLIGHTLY_WRONG], kinds, RIGHT),
            _sum(checker, GIVEN, kinds, CANNOT_TELL),
            _sum(checker, GIVEN, kinds, RAISES),
        )
        for checker in results["checkers"]
    ]


def how_many(results: dict[str, Any], kinds: Sequence[str]) -> Row:
    """What each number of a row is a part of."""
    of = results["corpus"]
    right, wrong, slight = (sum(of[given][kind] for kind in kinds) for given in GIVEN)
    return Row("of", right, wrong, slight, right + wrong + slight, right + wrong + slight)


def text_table(results: dict[str, Any]) -> str:
    """The results as text: a table of the smooth functions, and one of all others."""
    width = max(len(checker["name"]) for checker in results["checkers"]) + 1
    lines = []
    for kinds, title in TITLES.items():
        lines += [title, "", " " * width + "".join(f"{head:>23}" for head in HEADS)]
        for name, *counts in (how_many(results, kinds), *rows(results, kinds)):
            lines.append(f"{name:<{width}}" + "".join(f"{count:>23}" for count in counts))
        lines.append("")
    made = ", ".join(f"{name} {version}" for name, version in results["versions"].items())
    return "\n".join([*lines, f"{results['command']}: {made}"])


def markdown_table(results: dict[str, Any]) -> str:
    """The README's table: smooth functions / all others, in each cell."""
    lines = [f"| | {' | '.join(HEADS)} |", "|---" * (1 + len(HEADS)) + "|"]
    smooth, hard = ([how_many(results, kinds), *rows(results, kinds)] for kinds in TITLES)
    for (name, *easy), (_, *counts) in zip(smooth, hard, strict=True):
        cells = [f"{a} / {b}" for a, b in zip(easy, counts, strict=True)]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _sum(checker, given, kinds, verdict):
    return sum(checker["counts"][g][kind][verdict] for g in given for kind in kinds)

"""The results of `python -m minivae compare-checkers`, read and shown as tables."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from minivae import files

RESULTS = Path("figures") / "gradient_checkers.json"
MAX_BYTES = 1 << 22

RIGHT, WRONG, CANNOT_TELL, RAISES = "right", "wrong", "cannot tell", "raises"
VERDICTS = (RIGHT, WRONG, CANNOT_TELL, RAISES)
SMOOTH = ("smooth",)
HARD = ("kinked", "noisy", "random", "float32")
TITLES = {SMOOTH: "smooth functions in float64", HARD: "kinks, noise, random draws, float32"}


def read(path: Path = RESULTS) -> dict[str, Any]:
    """The results of the comparison, or MinivaeError."""
    with files.reading(path) as (file, size):
        if size > MAX_BYTES:
            raise files.damaged(path, "it is far too large")
        results = json.loads(file.read().decode())
    if not (isinstance(results, dict) and {"versions", "corpus", "checkers"} <= set(results)):
        raise files.damaged(path, "it does not hold the results of compare-checkers")
    return results


def rows(results: dict[str, Any], kinds: Sequence[str]) -> list[tuple[str, int, int, int, int]]:
    """For each checker: its name, right called wrong, wrong called right, cannot tell, raises."""
    return [
        (
            checker["name"],
            _sum(checker, [RIGHT], kinds, WRONG),
            _sum(checker, [WRONG], kinds, RIGHT),
            _sum(checker, [RIGHT, WRONG], kinds, CANNOT_TELL),
            _sum(checker, [RIGHT, WRONG], kinds, RAISES),
        )
        for checker in results["checkers"]
    ]


def _sum(checker, given, kinds, verdict):
    return sum(checker["counts"][g][kind][verdict] for g in given for kind in kinds)


def how_many(results: dict[str, Any], kinds: Sequence[str]) -> tuple[int, int]:
    """The number of right and of wrong gradients of these kinds."""
    right, wrong = results["corpus"]["right"], results["corpus"]["wrong"]
    return sum(right[k] for k in kinds), sum(wrong[k] for k in kinds)


def text_table(results: dict[str, Any]) -> str:
    """The results as text: a table of the smooth functions, and one of all others."""
    width = max(len(checker["name"]) for checker in results["checkers"]) + 2
    lines = []
    for kinds, title in TITLES.items():
        right, wrong = how_many(results, kinds)
        lines += [
            f"{title}: {right} right gradients, {wrong} wrong ones",
            "",
            f"{'':<{width}}{'right called wrong':>20}{'wrong called right':>20}"
            f"{'cannot tell':>14}{'raises':>9}",
        ]
        lines += [
            f"{name:<{width}}{a:>20}{b:>20}{c:>14}{d:>9}"
            for name, a, b, c, d in rows(results, kinds)
        ]
        lines.append("")
    made = ", ".join(f"{name} {version}" for name, version in results["versions"].items())
    return "\n".join([*lines, f"{results['command']}: {made}"])


def markdown_table(results: dict[str, Any]) -> str:
    """The README's table: smooth functions / all others, in each cell."""
    lines = [
        "| checker | right called wrong | wrong called right | cannot tell | f raises |",
        "|---|---|---|---|---|",
    ]
    (right, wrong), (hard_right, hard_wrong) = (how_many(results, kinds) for kinds in TITLES)
    both = f"{right + wrong} / {hard_right + hard_wrong}"
    lines.append(f"| of | {right} / {hard_right} | {wrong} / {hard_wrong} | {both} | {both} |")
    smooth, hard = (rows(results, kinds) for kinds in TITLES)
    lines += [
        f"| {name} | " + " | ".join(f"{a} / {b}" for a, b in zip(easy, counts, strict=True)) + " |"
        for (name, *easy), (_, *counts) in zip(smooth, hard, strict=True)
    ]
    return "\n".join(lines)

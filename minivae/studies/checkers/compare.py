"""Every checker on the whole corpus: how often a right gradient is called wrong, a wrong one right.

`python -m minivae compare-checkers` writes figures/gradient_checkers.json. The counts stand by kind
of case, and every misjudged gradient is named, so that each number can be looked into.
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from minivae import files
from minivae.errors import MinivaeError
from minivae.studies.checkers import corpus
from minivae.studies.checkers.case import KINDS, SLIGHT, Case
from minivae.studies.checkers.checkers import CHECKERS, Checker, verdict_of, versions
from minivae.studies.checkers.results import GIVEN, RESULTS, RIGHT, SLIGHTLY_WRONG, VERDICTS, WRONG

COMMAND = "python -m minivae compare-checkers"
THE_RIGHT_ONE = "the right gradient"


def run_comparison(
    *,
    say: Callable[[str], None],
    path: Path = RESULTS,
) -> dict[str, Any]:
    """Run every installed checker and write the results -> the results, as in the file."""
    if not path.parent.is_dir():
        raise MinivaeError(
            f"there is no folder {path.parent} here; run this from the project's root"
        )
    results: dict[str, Any] = {
        "command": COMMAND,
        "versions": versions(CHECKERS),
        "corpus": describe_corpus(corpus.all_cases()),
        "checkers": [],
    }
    for checker in CHECKERS:
        if not checker.is_installed():
            say(f"leaving out {checker.name}: {checker.package} is not installed")
            continue
        say(f"{checker.name} ...")
        results["checkers"].append(judge_corpus(checker, corpus.all_cases()))
    files.atomic_write(path, (json.dumps(results, indent=1, allow_nan=False) + "\n").encode())
    return results


def describe_corpus(cases: Sequence[Case]) -> dict[str, Any]:
    """How many right and wrong gradients there are of each kind, and of how many variables."""
    of_kind = {kind: [c for c in cases if c.kind == kind] for kind in KINDS}
    return {
        "right": {kind: len(some) for kind, some in of_kind.items()},
        "wrong": {
            kind: sum(len(set(c.wrong).difference(SLIGHT)) for c in some)
            for kind, some in of_kind.items()
        },
        "slightly wrong": {
            kind: sum(len(set(c.wrong).intersection(SLIGHT)) for c in some)
            for kind, some in of_kind.items()
        },
        "variables": [min(c.x.size for c in cases), max(c.x.size for c in cases)],
    }


def judge_corpus(checker: Checker, cases: Sequence[Case]) -> dict[str, Any]:
    """One checker's verdicts on every gradient of the cases, counted; the misjudged are named."""
    counts = {given: {kind: dict.fromkeys(VERDICTS, 0) for kind in KINDS} for given in GIVEN}
    named: dict[str, dict[str, list[str]]] = {}
    for case in cases:
        for name, df in ((THE_RIGHT_ONE, case.df), *case.wrong.items()):
            given = RIGHT if name == THE_RIGHT_ONE else SLIGHTLY_WRONG if name in SLIGHT else WRONG
            verdict = verdict_of(checker, case.f, df, case.x)
            counts[given][case.kind][verdict] += 1
            if verdict != (RIGHT if given == RIGHT else WRONG):
                said = f"{given} called {verdict}" if verdict in (RIGHT, WRONG) else verdict
                named.setdefault(said, {}).setdefault(f"{case.field}: {case.name}", []).append(name)
    return {"name": checker.name, "call": checker.call, "counts": counts, "named": named}

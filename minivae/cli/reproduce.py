"""`reproduce`: train a published table again."""

import argparse
from collections.abc import Callable
from typing import Any

from minivae import checks, train
from minivae.cli.parser import print_report, say
from minivae.cli.signals import INTERRUPTED, StopSignals

DESCRIPTION = """\
Train rows of Burda et al. 2016, Table 1, score them on all 10,000 test images with 5000
importance samples, and write figures/iwae_table.json. You can stop it at any time: the same command
continues.
"""


def add_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--rows", nargs="+", metavar="ROW", help="vae-1, iwae-5, iwae-50 (default all)"
    )
    command.add_argument(
        "--budget",
        type=float,
        metavar="MINUTES",
        help=(
            "training time for each row (default 105), estimated from the present speed; the "
            "schedule adapts"
        ),
    )
    command.add_argument(
        "--epochs",
        type=int,
        metavar="N",
        help="passes over the training images, "
        "instead of what --budget allows at the machine's present speed",
    )
    command.add_argument(
        "--seed", type=int, default=0, help="seed of all random numbers (default 0)"
    )


def execute(args: argparse.Namespace) -> int:
    report = reproduce_rows(
        args.rows, budget=args.budget, epochs=args.epochs, seed=args.seed, say=say
    )
    print_report(args, report, lambda report: "\n".join(report["lines"]))
    return INTERRUPTED if report["interrupted"] else 0


def reproduce_rows(
    rows: list[str] | None,
    *,
    budget: float | None,
    epochs: int | None,
    seed: int,
    say: Callable[[str], None],
) -> dict[str, Any]:
    """Train and score rows of the published table -> a report, plain JSON."""
    from minivae.studies import reproduce

    checks.check_whole(seed, "--seed", *checks.INTEGER_RANGES["seed"])
    rows = list(reproduce.ROWS) if rows is None else rows
    budget = reproduce.BUDGET if budget is None else budget
    with StopSignals() as stop:
        try:
            results = reproduce.train_rows(
                rows, budget=budget, epochs=epochs, seed=seed, should_stop=stop, say=say
            )
        except train.Interrupted:
            say("minivae: stopped; everything is saved. The same command continues.")
            return {"interrupted": True, "rows": [], "lines": []}
    lines = [reproduce.describe(result) for result in results]
    return {"interrupted": False, "rows": results, "lines": lines}

"""`reproduce`: train a published table again."""

import argparse
from collections.abc import Callable
from typing import Any

from minivae import checks, train
from minivae.cli.parser import print_report, say
from minivae.cli.signals import INTERRUPTED, StopSignals

DESCRIPTION = """\
Train rows of Burda et al. 2016, Table 1, score them on all 10,000 test images with 5000
importance samples, and write figures/iwae_table.json. The weights of each row are kept in 16 bits,
for `VAE.pretrained("iwae-5")` and for rows that start from them. You can stop it at any time: the
same command continues.
"""


def add_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--rows",
        nargs="+",
        metavar="ROW",
        help="vae-1, vae-5, vae-50, iwae-5, iwae-50 (default all); vae-1-then-iwae-50 is "
        "iwae-50 started from the weights of vae-1",
    )
    command.add_argument(
        "--start-from",
        metavar="ROW",
        help="start the rows from the finished weights of this one, at half of the learning rate; "
        "the result says so, and is a row of its own",
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
        "--out", metavar="DIR", help="where runs are kept until they end (default runs/reproduce)"
    )
    command.add_argument(
        "--seed", type=int, default=0, help="seed of all random numbers (default 0)"
    )


def execute(args: argparse.Namespace) -> int:
    report = reproduce_rows(
        args.rows,
        start_from=args.start_from,
        budget=args.budget,
        epochs=args.epochs,
        out=args.out,
        seed=args.seed,
        say=say,
    )
    print_report(args, report, lambda report: "\n".join(report["lines"]))
    return INTERRUPTED if report["interrupted"] else 0


def reproduce_rows(
    rows: list[str] | None,
    *,
    start_from: str | None,
    budget: float | None,
    epochs: int | None,
    out: str | None,
    seed: int,
    say: Callable[[str], None],
) -> dict[str, Any]:
    """Train and score rows of the published table -> a report, plain JSON."""
    from minivae.studies import published, reproduce

    checks.check_whole(seed, "--seed", *checks.INTEGER_RANGES["seed"])
    rows = list(published.ROWS) if rows is None else rows
    with StopSignals() as stop:
        try:
            results = reproduce.train_rows(
                rows,
                start_from=start_from,
                budget=reproduce.BUDGET if budget is None else budget,
                epochs=epochs,
                out=reproduce.OUT if out is None else out,
                seed=seed,
                should_stop=stop,
                say=say,
            )
        except train.Interrupted:
            say("minivae: stopped; everything is saved. The same command continues.")
            return {"interrupted": True, "rows": [], "lines": []}
    lines = [published.describe(result) for result in results]
    return {"interrupted": False, "rows": results, "lines": lines}

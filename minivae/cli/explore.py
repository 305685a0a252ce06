"""`explore`: write the latent explorer of a run."""

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from minivae import checks, data
from minivae.cli.parser import print_report
from minivae.cli.run_data import output_path, quoted, run_and_data

DESCRIPTION = """\
Write one self-contained HTML page: drag a point in the latent plane, and the decoder's
picture follows. It opens from disk in any browser and makes no network requests.
"""


def add_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("run", metavar="RUN", help="a run folder, such as runs/mnist")
    command.add_argument("--out", metavar="FILE", help="the page (default RUN/explorer.html)")


def execute(args: argparse.Namespace) -> None:
    report = explore_run(args.run, out=args.out)
    print_report(args, report, lambda report: f"open it in a browser: {quoted(report['file'])}")


def explore_run(run: str, *, out: str | None) -> dict[str, Any]:
    """Write the explorer page of a run -> a report, plain JSON."""
    from minivae import ops
    from minivae.plots import explorer

    path = output_path(run, "explorer.html", out)
    model, dataset, _ = run_and_data(run)
    x = data.test_images(dataset.test, model.spec.likelihood)
    title = f"{checks.printable(Path(run).name)}: latent space explorer"
    with np.errstate(all="ignore"):  # terms that are not finite are refused
        factors = data.true_factors(dataset)
        explorer.write(path, model, dataset, x, title=title, ops=ops, factors=factors)
    return {"file": path.as_posix(), "bytes": path.stat().st_size}

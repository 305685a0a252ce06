"""`sample`: draw a grid of images from a run."""

import argparse
from typing import Any

import numpy as np

from minivae import checks, runs
from minivae.cli.parser import print_report
from minivae.cli.run_data import output_path

MAX_COUNT = 10_000  # images in one picture


DESCRIPTION = """\
Draw z ~ N(0, I) and decode it: images that the model dreams up, as one PNG.
"""


def add_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("run", metavar="RUN", help="a run folder, as runs/mnist")
    command.add_argument("--count", type=int, default=64, metavar="N", help="images (default 64)")
    command.add_argument("--seed", type=int, default=0, help="of the draw (default 0)")
    command.add_argument(
        "--out", metavar="FILE", help="the picture (default RUN/samples-<seed>.png)"
    )


def execute(args: argparse.Namespace) -> None:
    report = sample_run(args.run, count=args.count, seed=args.seed, out=args.out)
    print_report(args, report, lambda report: f"{report['count']} images: {report['file']}")


def sample_run(run: str, *, count: int, seed: int, out: str | None) -> dict[str, Any]:
    """Draw a grid of images from a run's model -> a report, plain JSON."""
    checks.check_whole(count, "--count", 1, MAX_COUNT)
    checks.check_whole(seed, "--seed", *checks.INTEGER_RANGES["seed"])
    path = output_path(run, f"samples-{seed}.png", out)
    runs.read_run_file(run)
    model = runs.load_run(run)
    from minivae import ops, plots

    with np.errstate(all="ignore"):  # images that are not finite are refused
        grid = plots.samples(model, ops, n=count, seed=seed)
    plots.save(grid, path)
    return {"file": path.as_posix(), "count": count, "seed": seed}

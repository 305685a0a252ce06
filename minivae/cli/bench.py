"""`bench`: time a training step beside PyTorch and JAX."""

import argparse

from minivae import checks
from minivae.cli.parser import print_report, say

DESCRIPTION = """\
Time one training step of the same VAE in one run: the numpy and numba backends, and PyTorch
and JAX where they are installed; the matrix products against BLAS; a sweep over sizes.
Medians of interleaved rounds, as ratios. Takes some minutes on an otherwise idle machine.
"""
MAX_BUSY = 64  # processes


def add_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("--quick", action="store_true", help="fewer rounds, and no sweep")
    command.add_argument(
        "--busy",
        type=int,
        default=0,
        metavar="N",
        help="beside N processes that keep the same cores busy: the table of steps alone, as means",
    )


def execute(args: argparse.Namespace) -> None:
    from minivae.studies import bench

    checks.check_whole(args.busy, "--busy", 0, MAX_BUSY)
    report = bench.measure_all(quick=args.quick, say=say, busy=args.busy)
    print_report(args, report, bench.format_report)

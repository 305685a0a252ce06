"""`bench`: time a training step beside PyTorch and JAX."""

import argparse

from minivae.cli.parser import print_report, say

DESCRIPTION = """\
Time one training step of the same VAE in one run: the numpy and numba backends, and PyTorch
and JAX where they are installed; the matrix products against BLAS; a sweep over sizes.
Medians of interleaved rounds, as ratios. Takes some minutes on an otherwise idle machine.
"""


def add_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("--quick", action="store_true", help="fewer rounds, and no sweep")


def execute(args: argparse.Namespace) -> None:
    from minivae.studies import bench

    report = bench.measure_all(quick=args.quick, say=say)
    print_report(args, report, bench.format_report)

"""`training-study`: the comparisons of notebook 07."""

import argparse

from minivae import checks
from minivae.cli.parser import print_report, say

DESCRIPTION = """\
Train small VAEs on MNIST with one thing changed at a time (the optimizer and its rate, the size of
the batch, the start, beta, warm-up, free bits), with three seeds or more each, and write
figures/training_study.json. If it is stopped, the same command continues it.
"""


def execute(args: argparse.Namespace) -> None:
    from minivae.studies import training_study

    path = training_study.RESULTS
    report = training_study.run_study(say=say, path=path)
    print_report(
        args, report, lambda report: f"{len(report['runs'])} runs in {checks.printable(path)}"
    )

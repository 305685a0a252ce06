"""`figures`: redraw the pictures under figures/."""

import argparse

from minivae.cli.parser import print_report, say

DESCRIPTION = """\
Redraw every picture under figures/ from the models and result files that are committed.
"""


def execute(args: argparse.Namespace) -> None:
    from minivae.studies import figures

    report = figures.draw_all(say=say)
    print_report(args, report, lambda report: "\n".join(report["files"]))

"""`grey-study`: the comparison of ways to learn a Gaussian's variance."""

import argparse

from minivae.cli.parser import print_report, say

DESCRIPTION = """\
Train Gaussian VAEs on four grey data sets, their variance learned in three ways, with three seeds
each, score them on held-out images, and write figures/grey_study.json. Two minutes on a quiet core.
"""


def execute(args: argparse.Namespace) -> None:
    from minivae.studies import grey_study

    report = grey_study.run_study(say=say, path=grey_study.RESULTS)
    print_report(args, report, grey_study.markdown_table)

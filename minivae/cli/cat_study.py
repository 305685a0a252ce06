"""`cat-study`: the experiment on interpretable latents."""

import argparse

from minivae import checks
from minivae.cli.parser import print_report, say

DESCRIPTION = """\
Train a VAE on the cats for each of five seeds and five betas, measure what its latents know
about the true factors, and write figures/cat_study.json. If it is stopped, the same command
continues it.
"""


def execute(args: argparse.Namespace) -> None:
    from minivae.studies import cat_study

    path = cat_study.RESULTS
    report = cat_study.run_study(say=say, path=path)
    print_report(
        args, report, lambda report: f"{len(report['models'])} models in {checks.printable(path)}"
    )

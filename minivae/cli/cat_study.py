"""`cat-study`: the experiment on interpretable latents."""

import argparse

from minivae import checks
from minivae.cli.parser import print_report, say

DESCRIPTION = """\
Train fifty VAEs on the cats, five seeds each of ten kinds (two likelihoods at four betas, and two
cures), measure what their latents know about the true factors, and write figures/cat_study.json.
It takes about a quarter of an hour of one core. If it is stopped, the same command continues it.
"""


def execute(args: argparse.Namespace) -> None:
    from minivae.studies import cat_study

    path = cat_study.RESULTS
    report = cat_study.run_study(say=say, path=path)
    print_report(
        args, report, lambda report: f"{len(report['models'])} models in {checks.printable(path)}"
    )

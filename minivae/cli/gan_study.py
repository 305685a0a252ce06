"""`gan-study`: who draws the better cat, a VAE or a GAN?"""

import argparse
from typing import Any

import numpy as np

from minivae.cli.parser import print_report, say

DESCRIPTION = """\
Train a VAE and a GAN of the same size on the cats, for each of five seeds, measure what they
draw beside real cats that neither has seen, and write figures/gan_study.json. If it is
stopped, the same command continues it.
"""


def execute(args: argparse.Namespace) -> None:
    from minivae.studies import gan_study

    print_report(args, gan_study.run_study(say=say, path=gan_study.RESULTS), describe)


def describe(report: dict[str, Any]) -> str:
    """The results as a table: the mean over the seeds, and their standard deviation."""
    lines = [f"{'':14}{'real cats':>11}{'VAE':>18}{'GAN':>18}"]
    for name in (
        "greyness", "distance", "distance_of_p", "accepted", "kinds", "uneven", "coverage",
        "relapse",
    ):  # fmt: skip
        real = report["real"].get(name)  # which do not relapse
        cells = [f"{name:14}", f"{'' if real is None else f'{np.mean(real):.3f}':>11}"]
        for model in ("vae", "gan"):
            rows = [row for row in report["models"] if row["model"] == model]
            values = [np.mean(row[name]) for row in rows]
            cells.append(f"{np.mean(values):10.3f} ± {np.std(values):5.3f}")
        lines.append("".join(cells))
    return "\n".join(lines)

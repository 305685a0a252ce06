"""`compare-checkers`: gradient checkers on a corpus of right and wrong gradients."""

import argparse

from minivae.cli.parser import print_report, say

DESCRIPTION = """\
How far can a gradient check be trusted? Give minivae's check, and those of SciPy, PyTorch, JAX and
autograd where they are installed, the same functions, each with its right gradient and several
wrong ones, and count the right ones called wrong and the wrong ones called right. Writes
figures/gradient_checkers.json, which also names every gradient that was misjudged.

A few minutes. To compare them all: pip install scipy torch jax autograd
"""


def execute(args: argparse.Namespace) -> None:
    from minivae.studies.checkers import compare, results

    print_report(args, compare.run_comparison(say=say), results.text_table)

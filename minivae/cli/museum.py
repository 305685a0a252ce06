"""`museum`: the bug museum."""

import argparse
import json

DESCRIPTION = """\
A quiz about common mistakes in a VAE: it shows what a gradient check reports, and you name the
mistake behind it. An empty answer quits.
"""


def execute(args: argparse.Namespace) -> None:
    from minivae import exercises

    if args.json:
        print(json.dumps(exercises.exhibits()))
    else:
        exercises.museum()

"""`museum`: the bug museum."""

import argparse
import json

DESCRIPTION = """\
Walk through mistakes of the kinds that people make in a VAE: what a gradient check says is
shown, and you name the mistake behind it. An empty answer leaves.
"""


def execute(args: argparse.Namespace) -> None:
    from minivae import exercises as course

    if args.json:
        print(json.dumps(course.exhibits()))
    else:
        course.museum()

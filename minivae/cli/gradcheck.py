"""`gradcheck`: check every gradient of the whole VAE, and of both players of the GAN."""

import argparse

from minivae.cli.parser import print_report

DESCRIPTION = """\
Compare the hand-derived gradient of the whole VAE, parameter block by parameter block,
with central differences and with the complex step; the same of a conditional VAE; and
those of the GAN's two players, each of its own loss. Exit status 1 if any is off.

--plant NAME plants a known mistake, and shows what the check reports.
"""


def add_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--plant", metavar="NAME", help="plant a known mistake (`list` prints their names)"
    )


def execute(args: argparse.Namespace) -> int:
    from minivae import gradcheck

    report = gradcheck.check_backends(plant=args.plant)
    print_report(args, report, gradcheck.format_report)
    return 0 if report["ok"] else 1

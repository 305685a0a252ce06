"""The command line: `python -m minivae COMMAND`. Parse, call, print; no mathematics here.

Each command has a module of its own with DESCRIPTION, `execute(args)` and, if it takes any,
`add_arguments(command)`. Only the module of the command that was typed is imported, so that
`--help` answers at once.
"""

import argparse
import importlib
import sys
from collections.abc import Sequence
from types import ModuleType

from minivae import __version__
from minivae.cli.parser import Parser
from minivae.cli.signals import INTERRUPTED
from minivae.cli.streams import usable_streams
from minivae.errors import MinivaeError, escaped

COMMANDS = {
    "train": "train a VAE or a GAN; with no arguments, a VAE on MNIST with a 2-D latent",
    "learn": "your own copies of the notebooks, in JupyterLab",
    "evaluate": "test ELBO and log p(x) of a run",
    "gradcheck": "check every gradient against two numerical ones",
    "sample": "draw a grid of images from a run",
    "explore": "write the latent explorer of a run, an interactive page",
    "figures": "redraw the pictures under figures/",
    "exercises": "your progress over the exercises, and the next one",
    "museum": "the bug museum: a quiz that shows a symptom and asks for the bug",
    "reproduce": "train a published table again (long)",
    "bench": "the training step, side by side with PyTorch and JAX",
    "compare-checkers": "gradient checkers on functions with right and wrong gradients",
    "training-study": "what helps and what spoils a training (long)",
    "grey-study": "ways to learn the variance of grey pixels (two minutes)",
    "cat-study": "the experiment on interpretable latents (long)",
    "gan-study": "who draws the better cat, a VAE or a GAN? (long)",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command -> the exit status: 0, 1 (a check failed), 2 (a user's mistake), 130."""
    argv = sys.argv[1:] if argv is None else list(argv)
    with usable_streams():
        try:
            args = build_parser(argv).parse_args(argv)
            args.argv = argv
            status = args.command(args) or 0
            sys.stdout.flush()
            return status
        except MinivaeError as error:
            print(f"minivae: error: {_one_line(error)}", file=sys.stderr)
            return 2
        except ModuleNotFoundError as error:
            if not _is_a_package(error.name):
                raise
            print(f"minivae: error: {_missing(error.name)}", file=sys.stderr)
            return 2
        except MemoryError:
            print("minivae: error: out of memory; try a smaller model or batch", file=sys.stderr)
            return 2
        except KeyboardInterrupt:
            print("minivae: stopped", file=sys.stderr)
            return INTERRUPTED
        except BrokenPipeError:  # the process that reads our output, such as `head`, has ended
            return 1


def _is_a_package(name):
    """Whether a missing module is somebody else's, neither ours nor Python's own."""
    top = (name or "").partition(".")[0]
    return top not in ("", "minivae") and top not in sys.stdlib_module_names


def _missing(name):
    """What is said where the packages of requirements.txt are not installed."""
    activate = r".venv\Scripts\activate" if sys.platform == "win32" else ". .venv/bin/activate"
    return (
        f"the package {name} is missing from this Python, {sys.executable}; in the project's "
        f"folder, `{activate}` turns its environment on (README.md says how it is made)"
    )


def _one_line(error):
    """The message without line breaks, and with control characters escaped."""
    words = " ".join(str(error).split())
    line = escaped(words)
    return line if len(line) <= 1000 else f"{line[:600]} ... {line[-300:]}"


def build_parser(argv: Sequence[str] | None = None) -> Parser:
    """The parser with the arguments of the command that `argv` names; of all commands if None."""
    parser = Parser(
        prog="python -m minivae",
        description="A variational autoencoder from scratch, every gradient derived by hand.",
        epilog="Start with `python -m minivae train`. Each command has its own --help.",
        formatter_class=lambda prog: argparse.HelpFormatter(prog, max_help_position=18),
    )
    parser.add_argument("--version", action="version", version=f"minivae {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name, summary in COMMANDS.items():
        command = parser.commands[name] = commands.add_parser(
            name,
            help=summary,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        if argv is None or name in argv:
            _define(command, _module(name))
    return parser


def _module(name: str) -> ModuleType:
    return importlib.import_module(f"minivae.cli.{name.replace('-', '_')}")


def _define(command: argparse.ArgumentParser, module: ModuleType) -> None:
    command.description = module.DESCRIPTION
    command.set_defaults(command=module.execute)
    command.add_argument(
        "--json", action="store_true", help="print one JSON object, and nothing else"
    )
    if hasattr(module, "add_arguments"):
        module.add_arguments(command)

"""The command line: parse, call, print. No mathematics here.

Heavy modules are imported by the command that needs them, so that `--help` answers at once.
"""

import argparse
import json
import os
import shlex
import sys
import textwrap

from minivae.errors import MinivaeError

INTERRUPTED = 130  # the shell's status for a command that Ctrl-C ended


class Parser(argparse.ArgumentParser):
    """argparse with this project's one-line errors."""

    def error(self, message):
        raise MinivaeError(f"{message}; `{self.prog} --help` lists what is possible")


def main(argv=None):
    """Run one command -> the exit status: 0, 1 (a check failed), 2 (a user's mistake), 130."""
    sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")
    argv = sys.argv[1:] if argv is None else argv
    try:
        args = build_parser().parse_args(argv)
        args.argv = argv
        return args.command(args) or 0
    except MinivaeError as error:
        print(f"minivae: error: {_one_line(error)}", file=sys.stderr)
        return 2
    except MemoryError:
        print("minivae: error: out of memory; try a smaller model or batch", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("minivae: stopped", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # the reader of our output, `head` perhaps, has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _one_line(error):
    """The message without line breaks, and with control characters shown and not obeyed."""
    words = " ".join(str(error).split())
    line = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in words)
    return line if len(line) <= 1000 else f"{line[:600]} ... {line[-300:]}"


# ---- the grammar -----------------------------------------------------------------------------


def build_parser():
    parser = Parser(
        prog="python -m minivae",
        description="A variational autoencoder from scratch, every gradient derived by hand.",
        epilog="Start with `python -m minivae train`. Each command has its own --help.",
        formatter_class=lambda prog: argparse.HelpFormatter(prog, max_help_position=18),
    )
    grammar = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_train(grammar)
    _add_evaluate(grammar)
    _add_gradcheck(grammar)
    _add_sample(grammar)
    _add_explore(grammar)
    _add_figures(grammar)
    _add_exercises(grammar)
    _add_museum(grammar)
    _add_reproduce(grammar)
    _add_bench(grammar)
    _add_cat_study(grammar)
    return parser


def _add(grammar, name, function, summary, description, *, with_json=True):
    command = grammar.add_parser(
        name,
        help=summary,
        description=textwrap.dedent(description).strip(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    command.set_defaults(command=function)
    if with_json:
        command.add_argument(
            "--json", action="store_true", help="print one JSON object, and nothing else"
        )
    return command


def _add_train(grammar):
    command = _add(
        grammar,
        "train",
        train,
        "train a VAE; with no arguments, on MNIST with a 2-D latent",
        """
        Train a VAE and keep everything in a run folder: the model, the history, the pictures.

        With no arguments: MNIST, a 2-D latent, under a minute on two cores. While it trains, the
        bar shows loss = nll + kl in nats per image: how badly the decoder predicts the pixels,
        and how much information the latent carries. Ctrl-C saves; --resume goes on.
        """,
    )
    unset = argparse.SUPPRESS  # so that --resume can tell a given option from a default

    def option(*names, **kwargs):
        command.add_argument(*names, default=unset, **kwargs)

    option(
        "--data",
        metavar="NAME|PATH",
        help="mnist, cats, or a .npy, .npz, IDX file or a folder of PNG images (default mnist)",
    )
    option("--latent", type=int, metavar="L", help="latent dimensions (default 2)")
    option(
        "--hidden",
        type=int,
        nargs="*",
        metavar="H",
        help="hidden layers of the encoder; the decoder mirrors them (default 200 200)",
    )
    option("--activation", choices=("tanh", "relu"), help="of the hidden layers (default tanh)")
    option("--epochs", type=int, metavar="N", help="passes over the training set (default 10)")
    option("--batch-size", type=int, metavar="B", help="images per step (default 100)")
    option("--lr", type=float, help="Adam's learning rate at the start (default 2e-3)")
    option(
        "--schedule",
        choices=("decay", "constant"),
        help="decay: the rate falls geometrically to 5%% of itself (default)",
    )
    option("--beta", type=float, help="weight of the KL in the loss (default 1, the ELBO)")
    option(
        "--warmup",
        type=float,
        metavar="EPOCHS",
        help="raise beta from 0 over this long (default 0)",
    )
    option(
        "--free-bits", type=float, metavar="NATS", help="KL that each latent has free (default 0)"
    )
    option("--objective", choices=("elbo", "iwae"), help="what is maximised (default elbo)")
    option("--samples", type=int, metavar="K", help="importance samples of iwae (default 1)")
    option(
        "--resampled",
        type=int,
        metavar="S",
        help="let only S of the K samples through the "
        "backward pass, drawn by their weights: nearly the same gradient, sooner (default all)",
    )
    option(
        "--likelihood",
        choices=("bernoulli", "gaussian"),
        help="p(x|z): binarized pixels, or grey with one learned variance (default bernoulli)",
    )
    option("--variance", type=float, help="fix the gaussian's variance instead of learning it")
    option("--backend", choices=("numba", "numpy"), help="fast, or readable (default numba)")
    option(
        "--seed",
        type=int,
        help="decides every draw; the same seed gives the same model (default 0)",
    )
    command.add_argument(
        "--out", metavar="DIR", help="the run folder (default runs/<data>, or the next free name)"
    )
    command.add_argument("--resume", action="store_true", help="go on with the run in --out")
    command.add_argument(
        "--from-run",
        metavar="DIR",
        help="repeat the run of another folder, with its data, settings and seed",
    )
    command.add_argument(
        "--checkpoint-seconds",
        type=float,
        metavar="S",
        default=None,
        help="time between checkpoints (default 10)",
    )


def _add_evaluate(grammar):
    command = _add(
        grammar,
        "evaluate",
        evaluate,
        "test ELBO and log p(x) of a run",
        """
        Score a trained run on its test images, always binarized in the same way.

        Prints the ELBO with its two parts, the latents in use, and log p(x) estimated with K
        importance samples per image, with two standard errors: of the mean over images, and of
        the Monte Carlo estimate itself. All in nats per image.
        """,
    )
    command.add_argument("run", metavar="RUN", help="a run folder, as runs/mnist")
    command.add_argument(
        "--samples",
        type=int,
        default=5000,
        metavar="K",
        help="importance samples per image (default 5000)",
    )
    command.add_argument("--data", metavar="NAME|PATH", help="other images than the run's own")
    command.add_argument("--limit", type=int, metavar="N", help="only the first N test images")
    command.add_argument("--seed", type=int, default=0, help="of the noise (default 0)")
    command.add_argument(
        "--backend",
        choices=("numba", "numpy"),
        default="numba",
        help="fast, or readable (default numba)",
    )


def _add_gradcheck(grammar):
    command = _add(
        grammar,
        "gradcheck",
        gradcheck,
        "verify every gradient by two independent witnesses",
        """
        Compare the hand-derived gradient of the whole VAE, parameter block by parameter block,
        with central differences and with the complex step. Exit status 1 if any is off.

        --plant NAME breaks the model on purpose, and shows what the check says then.
        """,
    )
    command.add_argument(
        "--plant", metavar="NAME", help="put a known mistake in (`list`: name them)"
    )


def _add_sample(grammar):
    command = _add(
        grammar,
        "sample",
        sample,
        "draw a grid of images from a run",
        """
        Draw z ~ N(0, I) and decode it: images that the model dreams up, as one PNG.
        """,
    )
    command.add_argument("run", metavar="RUN", help="a run folder, as runs/mnist")
    command.add_argument("--count", type=int, default=64, metavar="N", help="images (default 64)")
    command.add_argument("--seed", type=int, default=0, help="of the draw (default 0)")
    command.add_argument(
        "--out", metavar="FILE", help="the picture (default RUN/samples-<seed>.png)"
    )


def _add_explore(grammar):
    command = _add(
        grammar,
        "explore",
        explore,
        "write the latent explorer of a run, a page to play with",
        """
        Write one self-contained HTML page: drag a point in the latent plane, and the decoder's
        picture follows. It opens from disk in any browser and asks nothing of the network.
        """,
    )
    command.add_argument("run", metavar="RUN", help="a run folder, as runs/mnist")
    command.add_argument("--out", metavar="FILE", help="the page (default RUN/explorer.html)")


def _add_figures(grammar):
    _add(
        grammar,
        "figures",
        figures,
        "redraw the pictures under figures/",
        """
        Redraw every picture under figures/ from the models and result files that are committed.
        """,
    )


def _add_exercises(grammar):
    command = _add(
        grammar,
        "exercises",
        exercises,
        "your progress over the exercises, and the next one",
        """
        Show which exercises of the notebooks are done, what comes next, and what is due again.
        --review asks the questions that you missed, 1, 3 and 7 days later.
        """,
    )
    command.add_argument("--review", action="store_true", help="answer what is due today")


def _add_museum(grammar):
    _add(
        grammar,
        "museum",
        museum,
        "the bug museum: a symptom is shown, name the bug",
        """
        Walk through mistakes of the kinds that people make in a VAE: what a gradient check says is
        shown, and you name the mistake behind it. An empty answer leaves.
        """,
    )


def _add_reproduce(grammar):
    command = _add(
        grammar,
        "reproduce",
        reproduce,
        "train a published table again (long)",
        """
        Train rows of Burda et al. 2016, Table 1, score them on all 10,000 test images with 5000
        importance samples, and write figures/iwae_table.json. Stop it when you like: the same
        command goes on where it was.
        """,
    )
    command.add_argument(
        "--rows", nargs="+", metavar="ROW", help="vae-1, iwae-5, iwae-50 (default all)"
    )
    command.add_argument(
        "--budget",
        type=float,
        metavar="MINUTES",
        help="training time for each row (default 105), at the "
        "speed that a few steps have now; the schedule adapts",
    )
    command.add_argument(
        "--epochs",
        type=int,
        metavar="N",
        help="passes over the training images, "
        "instead of what --budget allows at the machine's present speed",
    )
    command.add_argument("--seed", type=int, default=0, help="decides every draw (default 0)")


def _add_bench(grammar):
    command = _add(
        grammar,
        "bench",
        bench,
        "the training step, side by side with PyTorch and JAX",
        """
        Time one training step of the same VAE in one run: the numpy and numba backends, and PyTorch
        and JAX where they are installed; the matrix products against BLAS; a sweep over sizes.
        Medians of interleaved rounds, as ratios. Takes some minutes on an otherwise idle machine.
        """,
    )
    command.add_argument("--quick", action="store_true", help="fewer rounds, and no sweep")


def _add_cat_study(grammar):
    _add(
        grammar,
        "cat-study",
        cat_study,
        "the experiment on interpretable latents (long)",
        """
        Train a VAE on the cats for each of five seeds and five betas, measure what its latents know
        about the true factors, and write figures/cat_study.json. It goes on where it was stopped.
        """,
    )


# ---- the commands ----------------------------------------------------------------------------


def train(args):
    from minivae.cli import commands

    given = {name: value for name, value in vars(args).items() if name in commands.OPTIONS}
    report = commands.train(
        given,
        out=args.out,
        resume=args.resume,
        from_run=args.from_run,
        checkpoint_seconds=args.checkpoint_seconds,
        command=shlex.join(["python", "-m", "minivae", *args.argv]),
        say=_say,
    )
    _print(args, report, commands.describe)
    return INTERRUPTED if report["interrupted"] else 0


def evaluate(args):
    from minivae.cli import commands

    report = commands.evaluate(
        args.run,
        samples=args.samples,
        data_name=args.data,
        limit=args.limit,
        seed=args.seed,
        backend=args.backend,
    )
    _print(args, report, commands.describe_evaluation)


def gradcheck(args):
    from minivae import gradcheck as checks

    report = checks.check_backends(plant=args.plant)
    _print(args, report, checks.format_report)
    return 0 if report["ok"] else 1


def sample(args):
    from minivae.cli import commands

    report = commands.sample(args.run, count=args.count, seed=args.seed, out=args.out)
    _print(args, report, lambda report: f"{report['count']} images: {report['file']}")


def explore(args):
    from minivae.cli import commands

    report = commands.explore(args.run, out=args.out)
    _print(args, report, lambda report: f"open it in a browser: {report['file']}")


def figures(args):
    from minivae.studies import figures as drawing

    report = drawing.draw_all(say=_say)
    _print(args, report, lambda report: "\n".join(report["files"]))


def exercises(args):
    from minivae import exercises as course

    if args.review and args.json:
        raise MinivaeError("--review asks questions and waits for answers; leave --json out")
    if args.review:
        course.review_session()
    else:
        print(json.dumps(course.summary()) if args.json else course.report())


def museum(args):
    from minivae import exercises as course

    if args.json:
        print(json.dumps(course.exhibits()))
    else:
        course.museum()


def reproduce(args):
    from minivae.cli import commands

    report = commands.reproduce(
        args.rows, budget=args.budget, epochs=args.epochs, seed=args.seed, say=_say
    )
    _print(args, report, lambda report: "\n".join(report["lines"]))
    return INTERRUPTED if report["interrupted"] else 0


def bench(args):
    from minivae.studies import bench as races

    report = races.run(quick=args.quick, say=_say)
    _print(args, report, races.report)


def cat_study(args):
    from minivae.studies import cat_study as study

    report = study.run(say=_say)
    _print(args, report, lambda report: f"{len(report['models'])} models in {study.RESULTS}")


def _say(line):
    """Progress goes to standard error: standard output is for the result."""
    print(line, file=sys.stderr, flush=True)


def _print(args, report, describe):
    print(json.dumps(report, allow_nan=False) if args.json else describe(report), flush=True)

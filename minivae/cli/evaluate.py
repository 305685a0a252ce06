"""`evaluate`: score a run on test images."""

import argparse
import sys
from pathlib import Path
from typing import Any

from minivae import checks, data, evaluate, runs
from minivae.backend import load_backend
from minivae.cli.parser import print_report, say
from minivae.cli.run_data import (
    READING,
    add_reading_arguments,
    data_for,
    reading_from,
)
from minivae.errors import MinivaeError

DESCRIPTION = """\
Score a trained run on its test images, always binarized in the same way.

Prints the ELBO with its two parts, the latents in use, and log p(x) estimated with K
importance samples per image, with two standard errors: of the mean over images, and of
the Monte Carlo estimate itself. All in nats per image. Of a conditional model they are
those of log p(x|y), with the label y of each image given.

Without options it takes seconds: the first 1,000 test images, K = 500. A number to set beside a
published one takes minutes: --full, all test images with K = 5000.
"""
QUICK_SAMPLES, QUICK_IMAGES = 500, 1000
FULL_SAMPLES = 5000


def add_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("run", metavar="RUN", help="a run folder, such as runs/mnist")
    command.add_argument(
        "--samples",
        type=int,
        default=None,
        metavar="K",
        help=f"importance samples per image (default {QUICK_SAMPLES}, with --full {FULL_SAMPLES})",
    )
    command.add_argument(
        "--data", metavar="NAME|PATH", help="images to use instead of the run's own"
    )
    add_reading_arguments(command)
    command.add_argument(
        "--limit",
        type=int,
        metavar="N",
        help=f"only the first N test images (default {QUICK_IMAGES}, with --full all)",
    )
    command.add_argument(
        "--full", action="store_true", help="all test images, with as many samples as papers take"
    )
    command.add_argument("--seed", type=int, default=0, help="seed of the noise (default 0)")
    command.add_argument(
        "--backend",
        choices=checks.CHOICES["backend"],
        default="numba",
        help="numba is fast, numpy is readable (default numba)",
    )


def execute(args: argparse.Namespace) -> None:
    samples = args.samples
    if samples is None:
        samples = FULL_SAMPLES if args.full else QUICK_SAMPLES
    report = evaluate_run(
        args.run,
        samples=samples,
        data_name=args.data,
        reading=_reading(args),
        limit=QUICK_IMAGES if args.limit is None and not args.full else args.limit,
        seed=args.seed,
        backend=args.backend,
    )
    print_report(args, report, describe)


def _reading(args):
    """How to read the data of --data; None: as those of the run were."""
    given = {name: value for name, value in vars(args).items() if name in READING}
    if given and args.data is None:
        option = "--" + next(iter(given)).replace("_", "-")
        raise MinivaeError(f"{option} is for the images of --data; leave it out, or give --data")
    return reading_from(given) if given else None


def evaluate_run(
    run: str,
    *,
    samples: int,
    data_name: str | None,
    limit: int | None,
    seed: int,
    backend: str,
    reading: data.Reading | None = None,
) -> dict[str, Any]:
    """Score a run on test images -> a report, plain JSON; nats per image. `data_name` are other
    images, and `reading` is how they are read."""
    checks.check_samples(samples, "--samples")
    if limit is not None:
        checks.check_whole(limit, "--limit", 1, checks.MAX_SIZE)
    checks.check_whole(seed, "--seed", *checks.INTEGER_RANGES["seed"])
    model = _load(run)
    dataset, name = data_for(model, run, data_name, reading)
    y = None
    if isinstance(model, runs.ConditionalModel) and len(dataset.test):
        y = _classes(dataset, name, model)[:limit]
    if data_name is not None and data_name not in data.NAMES:
        say(f"minivae: {checks.printable(data_name)}: {dataset.note}")
    if not len(dataset.test):
        raise MinivaeError(f"the data {checks.printable(name)} have no test images to score")
    x = data.test_images(dataset.test, model.spec.likelihood)[:limit]
    from tqdm import tqdm

    ops = load_backend(backend)
    with tqdm(total=len(x), unit="image", file=sys.stderr, leave=False, delay=1) as bar:
        how: dict[str, Any] = {
            "samples": samples,
            "seed": seed,
            "ops": ops,
            "progress": lambda done, total: bar.update(done - bar.n),
        }
        if y is not None:
            report = evaluate.evaluate_conditional(model.flat, x, y, model.spec, **how)
        else:
            report = evaluate.evaluate(model.params, x, model.spec, **how)
    return {"run": Path(run).as_posix(), "data": name, "of_images": len(dataset.test), **report}


def _load(run):
    """The model of a run, conditional or not."""
    is_conditional = runs.is_conditional(runs.read_run_file(run))
    return runs.load_conditional_run(run) if is_conditional else runs.load_run(run)


def _classes(dataset, name, model):
    """The class of each test image, (N,), as the model numbers them."""
    if dataset.test_labels is None:
        raise MinivaeError(
            f"the test images of {checks.printable(name)} have no labels, and this model is "
            "conditional: it needs them; give images with labels"
        )
    return data.classes_of(dataset.test_labels, dataset, model.labels)


def describe(report: dict[str, Any]) -> str:
    """The report of `evaluate` as text."""
    log_p = "log p(x|y)" if "classes" in report else "log p(x)"
    errors = ", ".join(
        f"{report[name]:.2g} {what}"
        for name, what in (("stderr_images", "over images"), ("stderr_mc", "Monte Carlo"))
        if report[name] is not None
    )
    return "\n".join(
        [
            f"{report['run']} on {_images(report)} of {report['data']}, nats per image",
            f"  {log_p}{report['log_likelihood']:{19 - len(log_p)}.3f}   lower bound from K = "
            f"{report['samples']} importance samples (effective sample size {report['ess']:.0f})",
            *([f"{'':23}standard error {errors}"] if errors else []),
            f"  ELBO      {report['elbo']:9.3f}   = -(nll {report['nll']:.3f} + "
            f"kl {report['kl']:.3f})",
            f"  gap       {report['log_likelihood'] - report['elbo']:9.3f}   "
            f"{log_p} - ELBO: the mean KL from q to the true posterior is at least this",
            f"  latents   {report['active_units']:5d} of {report['latent_dim']} in use",
            *(["  (--full takes them all)"] if report["images"] < report["of_images"] else []),
        ]
    )


def _images(report):
    n, of = report["images"], report["of_images"]
    return f"{n:,} test images" if n == of else f"the first {n:,} of {of:,} test images"

"""`train`: train a VAE or a GAN in a run folder, and draw its pictures."""

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

from minivae import checks, data, files, runs, train
from minivae.backend import load_backend
from minivae.checks.values import shell_line
from minivae.cli.parser import print_report, say
from minivae.cli.run_data import (
    DATA_HELP,
    READING,
    add_reading_arguments,
    naming_record,
    quoted,
)
from minivae.cli.signals import INTERRUPTED, StopSignals
from minivae.cli.train_plan import (
    option_name,
    plan_training,
    settings_named_as_options,
)
from minivae.errors import MinivaeError
from minivae.settings import MODELS, OPTIONS, GanSettings, Settings

NEXT = {  # commands for the model that was trained, and why
    "vae": (("explore", "drag a point, and see what is drawn"), ("evaluate", "score it")),
    "conditional": (("sample", "a row for each label"), ("evaluate", "score it")),
    "gan": (("sample", "more of its images"),),
}


DESCRIPTION = """\
Train a VAE and keep everything in a run folder: the model, the history, the pictures.

With no arguments: MNIST, a 2-D latent, under a minute on two cores. While it trains, the
bar shows loss = nll + kl in nats per image: how badly the decoder predicts the pixels,
and the KL, an upper bound on the information that the latent carries about the image.
--model gan trains a GAN of the same sizes instead, and the bar shows both players' losses.
--condition labels gives both networks the label of each image; `sample --label 7` draws it.
Ctrl-C saves; --resume continues, and with a larger --epochs trains a finished run further.
"""


def add_arguments(command: argparse.ArgumentParser) -> None:
    unset = argparse.SUPPRESS  # so that --resume can tell a given option from a default

    def option(*names, **kwargs):
        command.add_argument(*names, default=unset, **kwargs)

    option(
        "--data",
        metavar="NAME|PATH",
        help=f"{DATA_HELP} (default mnist)",
    )
    add_reading_arguments(command)
    option("--model", choices=tuple(MODELS), help="what to train (default vae)")
    for name, (text, value) in OPTIONS.items():
        text += _defaults(name)
        option(option_name(name), dest=name, help=text, metavar=value, **_kind(name))
    command.add_argument(
        "--out", metavar="DIR", help="the run folder (default runs/<data>, or the next free name)"
    )
    command.add_argument(
        "--resume",
        action="store_true",
        help="continue the run in --out; with more --epochs than it has, train it further: a "
        "falling learning rate then falls over all of them",
    )
    command.add_argument(
        "--from-run",
        metavar="DIR",
        help="repeat the run of another folder, with its data, settings and seed; an option given "
        "beside it, such as --seed 5, replaces that setting",
    )
    command.add_argument(
        "--checkpoint-seconds",
        type=float,
        metavar="S",
        default=None,
        help="time between checkpoints (default 10)",
    )


def _defaults(setting):
    """What `--help` says of a setting's default, and of a GAN's where it is another one."""
    words = []
    for kind in (Settings, GanSettings):
        default = kind._field_defaults.get(setting)
        values = default if isinstance(default, tuple) else (default,)
        words.append(None if default is None else " ".join(map(_brief, values)))
    of_vae, of_gan = words
    if of_vae is None:
        return ""
    other = f", of a gan {of_gan}" if of_gan not in (None, of_vae) else ""
    return f" (default {of_vae}{other})"


def _brief(value):
    return f"{value:g}" if isinstance(value, float) else str(value)


def _kind(setting):
    """What argparse is told of the values of a setting: its choices, or its type."""
    if setting in checks.CHOICES:
        return {"choices": checks.CHOICES[setting]}
    hint = get_type_hints(Settings)[setting]
    of, *_ = get_args(hint) or (hint,)  # int of tuple[int, ...], float of float | None
    return {"type": of, "nargs": "*" if get_origin(hint) is tuple else None}


def execute(args: argparse.Namespace) -> int:
    given = {
        name: value
        for name, value in vars(args).items()
        if name in ("data", "model", *READING, *Settings._fields)
    }
    report = train_in_folder(
        given,
        out=args.out,
        resume=args.resume,
        from_run=args.from_run,
        checkpoint_seconds=args.checkpoint_seconds,
        command=shell_line(["python", "-m", "minivae", *args.argv]),
        say=say,
    )
    print_report(args, report, describe)
    return INTERRUPTED if report["interrupted"] else 0


def train_in_folder(
    given: dict[str, Any],
    *,
    out: str | Path | None,
    resume: bool,
    from_run: str | None,
    checkpoint_seconds: float | None,
    command: str,
    say: Callable[[str], None],
) -> dict[str, Any]:
    """Train in a run folder, then draw its pictures -> a report, plain JSON.

    `given`: the options that the user set, by name; the rest come from the run that is resumed or
    repeated, or are the defaults. `command`: the line that the user typed, for the record.
    """
    started = time.monotonic()
    _check_seconds(checkpoint_seconds)
    out = None if out is None else checks.check_path(out, "--out")
    plan = plan_training(given, out, resume, from_run)
    run = (from_run or plan.folder) if plan.record else None
    with naming_record(run or "", plan.data, run is not None and "data" not in given):
        dataset = data.load(plan.data, plan.reading)
    settings = plan.settings
    if plan.record is None and "batch_size" not in given:
        settings = settings._replace(batch_size=min(settings.batch_size, len(dataset.train)))
    with settings_named_as_options():
        checks.check_settings_fit_data(settings, dataset)
    load_backend(settings.backend)  # a missing one is an error before a folder is made
    fingerprint = data.fingerprint(dataset)
    _check_same(plan, fingerprint, say)
    _check_outside(plan)
    record = plan.record if resume else None  # of the run that goes on
    resumed = record is not None
    if resumed and plan.folder is not None:
        folder = plan.folder
    else:
        folder = runs.claim_folder(dataset.name, plan.folder)
    with files.lock_folder(folder):
        if record is None:
            runs.start_run(folder, _new_record(plan, settings, fingerprint, command, from_run))
        elif settings.epochs > record["settings"]["epochs"]:
            runs.extend_run(folder, settings.epochs)
        likelihood = getattr(settings, "likelihood", "gaussian")  # a GAN takes grey pixels too
        note = data.grey_note(dataset.train, likelihood, "--likelihood gaussian")
        lines = [f"{_about(dataset, settings)} -> {quoted(f'{folder.as_posix()}/')}"]
        if not resumed and plan.data not in data.NAMES:
            lines.append(f"minivae: {checks.printable(plan.data)}: {dataset.note}")
            lines += [f"minivae: note: {note}"] if note else []
        with StopSignals() as stop:
            say("\n".join(lines))  # whoever reads it may press Ctrl-C from now on
            try:
                model, history = runs.train_run(
                    folder,
                    dataset,
                    settings,
                    fingerprint,
                    should_stop=stop,
                    checkpoint_seconds=checkpoint_seconds,
                )
            except train.Interrupted as interrupt:
                return _interrupted(folder, interrupt.step, say)
        pictures = _draw(folder, model, history, dataset, settings)
    seconds = round(time.monotonic() - started, 1)
    return {
        "run": folder.as_posix(),
        "condition": getattr(settings, "condition", "none"),  # a GAN has none
        "interrupted": False,
        "resumed": resumed,
        "steps": history[-1]["step"],
        "seconds": seconds,
        "figures": [path.as_posix() for path in pictures],
        **{name: value for name, value in history[-1].items() if name != "step"},
    }


def _check_outside(plan):
    """The pictures of a run in the folder of its images would count as images the next time."""
    if plan.folder is None or not os.path.isdir(plan.data):
        return
    images, run = Path(plan.data).resolve(), Path(plan.folder).resolve()
    if run == images or images in run.parents:
        raise MinivaeError(
            f"--out {checks.printable(plan.folder)} is inside the folder of the images, and the "
            "run's pictures would be taken for images; choose a folder outside it"
        )


def _check_same(plan, fingerprint, say):
    """Refuse other data than the recorded run's; warn if the versions of the packages differ."""
    if plan.record is None:
        return
    if plan.record["fingerprint"] != fingerprint:
        raise MinivaeError(
            f"the data {checks.printable(plan.data)} are not those the run was trained on; "
            "give the original data with --data, or start a new run"
        )
    then = plan.record["versions"]
    changed = [
        f"{name} {checks.printable(then.get(name))} then, {now} now"
        for name, now in runs.versions().items()
        if then.get(name) != now
    ]
    if changed:
        say(f"minivae: note: {'; '.join(changed)}: the last bits of the numbers may differ")


def _new_record(plan, settings, fingerprint, command, from_run):
    record = {
        "format": runs.RUN_FORMAT,
        "command": command,
        "data": plan.data,
        "model": "gan" if isinstance(settings, GanSettings) else "vae",
        "settings": settings._asdict(),
        "versions": runs.versions(),
        "fingerprint": fingerprint,
    }
    if plan.reading != data.Reading():
        reading = plan.reading._asdict()
        record["reading"] = {name: reading[name] for name in ("max_value", "transpose", "labels")}
    if from_run is None:
        return record
    return record | {"settings_from" if plan.varied else "repeats": from_run}


def _check_seconds(seconds):
    if seconds is not None:
        checks.check_number(seconds, "--checkpoint-seconds")


def _about(dataset, settings):
    sizes = [dataset.train.shape[1], *settings.hidden, settings.latent_dim]
    shape = f"{'-'.join(map(str, sizes))} and back"
    if isinstance(settings, GanSettings):
        shape = f"{'-'.join(map(str, sizes[::-1]))} and {'-'.join(map(str, [*sizes[:-1], 1]))}"
    return (
        f"{dataset.name}: {len(dataset.train):,} training images, "
        f"{shape}, {_epochs(settings.epochs)}, {settings.backend}"
    )


def _epochs(count):
    return "1 epoch" if count == 1 else f"{count} epochs"


def _interrupted(folder, step, say):
    words = ["python", "-m", "minivae", "train", "--resume", "--out", checks.printable(folder)]
    say(
        f"minivae: stopped after step {step}; everything is saved. Continue with\n"
        f"  {shell_line(words)}"
    )
    return {"run": folder.as_posix(), "interrupted": True, "steps": step}


def _draw(folder, model, history, dataset, settings):
    from minivae import plots

    if isinstance(model, runs.GanModel):
        return plots.gan_figures(folder, model, history, load_backend(settings.backend))
    test = data.test_images(dataset.test, settings.likelihood)
    ops = load_backend(settings.backend)
    if isinstance(model, runs.ConditionalModel):
        y = None
        if len(test):
            y = data.classes_of(dataset.test_labels, dataset, model.labels)
        return plots.conditional_figures(folder, model, history, test, y, ops)
    return plots.run_figures(folder, model, history, test, dataset.test_labels, ops)


def describe(report: dict[str, Any]) -> str:
    """The report of `train` as text."""
    if report["interrupted"]:
        return ""
    done = "continued to step {:,}" if report["resumed"] else "trained {:,} steps"
    kind = "conditional" if report["condition"] != "none" else "vae"
    kind = "gan" if "generator_loss" in report else kind
    lines = [f"{done.format(report['steps'])} in {report['seconds']:.0f} s: {_losses(report)}"]
    if "test_elbo" in report:
        lines.append(
            f"test ELBO {report['test_elbo']:.2f} = -(nll {report['test_nll']:.2f} "
            f"+ kl {report['test_kl']:.2f})"
        )
    names = ", ".join(Path(path).name for path in report["figures"])
    lines.append(f"look at {quoted(report['run'] + '/')}: {names}")
    run = checks.printable(report["run"])
    for command, why in NEXT[kind]:
        lines.append(f"next: {shell_line(['python', '-m', 'minivae', command, run])}  ({why})")
    return "\n".join(lines)


def _losses(report):
    """The last epoch's losses in words."""
    if "generator_loss" in report:
        return (
            f"discriminator {report['discriminator_loss']:.2f}, generator "
            f"{report['generator_loss']:.2f} nats; it tells {100 * report['told_apart']:.0f} per "
            "cent of the images apart"
        )
    nll, kl = report["nll"], report["kl"]
    return f"loss {report['loss']:.2f} (nll {nll:.2f}, kl {kl:.2f}) nats per image"

"""`train`: train a VAE in a run folder, and draw its pictures."""

import argparse
import os
import time
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, get_args, get_origin, get_type_hints

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
    reading_from,
)
from minivae.cli.signals import INTERRUPTED, StopSignals
from minivae.errors import MinivaeError
from minivae.settings import OPTIONS, Settings

OPTION_NAMES = {"latent_dim": "--latent"}  # where the option is not called like the setting
DEFAULT_DATA = "mnist"


DESCRIPTION = """\
Train a VAE and keep everything in a run folder: the model, the history, the pictures.

With no arguments: MNIST, a 2-D latent, under a minute on two cores. While it trains, the
bar shows loss = nll + kl in nats per image: how badly the decoder predicts the pixels,
and the KL, an upper bound on the information that the latent carries about the image.
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
    for name, (text, value) in OPTIONS.items():
        default = Settings._field_defaults[name]
        if default is not None:
            values = default if isinstance(default, tuple) else (default,)
            text += f" (default {' '.join(map(_brief, values))})"
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


def option_name(setting: str) -> str:
    """The option of a setting: batch_size -> --batch-size."""
    return OPTION_NAMES.get(setting, "--" + setting.replace("_", "-"))


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
        if name in ("data", *READING, *Settings._fields)
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


class Plan(NamedTuple):
    """What `train` has to do: the folder (None: the next free one), and what to do there."""

    folder: Path | None
    data: str
    reading: data.Reading
    settings: Settings
    record: dict | None = None  # of the run that is resumed or repeated
    varied: bool = False  # whether it is repeated with another setting


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
    plan = _plan(given, out, resume, from_run)
    run = (from_run or plan.folder) if plan.record else None
    with naming_record(run or "", plan.data, run is not None and "data" not in given):
        dataset = data.load(plan.data, plan.reading)
    settings = plan.settings
    if plan.record is None and "batch_size" not in given:
        settings = settings._replace(batch_size=min(settings.batch_size, len(dataset.train)))
    with _option_names():
        checks.check_settings_fit_data(settings, dataset)
    load_backend(settings.backend)  # a missing one is an error before a folder is made
    fingerprint = data.fingerprint(dataset)
    _check_same(plan, fingerprint, say)
    _check_outside(plan)
    resumed = resume and plan.record is not None
    folder = plan.folder if resumed else runs.claim_folder(dataset.name, plan.folder)
    with files.lock_folder(folder):
        if not resumed:
            runs.start_run(folder, _new_record(plan, settings, fingerprint, command, from_run))
        elif settings.epochs > plan.record["settings"]["epochs"]:
            runs.extend_run(folder, settings.epochs)
        note = data.grey_note(dataset.train, settings.likelihood, "--likelihood gaussian")
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


def _plan(given, out, resume, from_run):
    if resume and from_run is not None:
        raise MinivaeError(
            "--resume continues a run, --from-run repeats one; give only one of them"
        )
    if from_run is not None:
        return _repeated(from_run, given, out)
    name = given.get("data", DEFAULT_DATA)
    if resume:
        out = Path("runs", data.plain_name(Path(name))) if out is None else out
        if not runs.is_new(out):
            return _continued(out, given)
    return Plan(out, name, reading_from(given), _with_given(Settings(), given))


def _with_given(settings, given):
    """The settings with those that the user gave, checked."""
    chosen = {option: value for option, value in given.items() if option in Settings._fields}
    with _option_names():
        return checks.check_settings(settings._replace(**chosen)) if chosen else settings


@contextmanager
def _option_names():
    """Checks inside name a setting as it is typed: --batch-size, not batch_size."""
    try:
        yield
    except MinivaeError as error:
        name, _, rest = str(error).partition(" ")
        known = name in Settings._fields
        raise MinivaeError(f"{option_name(name)} {rest}" if known else str(error)) from None


def _repeated(run, given, out):
    """The plan to repeat a run, with other values of the settings that are given."""
    record = runs.read_run_file(run)
    settings = runs.recorded_settings(record, Path(run) / runs.RUN_FILE)
    if "continues" in record:  # bridge/torch_distributed.py wrote it
        raise MinivaeError(
            f"{checks.printable(run)} was continued from {checks.printable(record['continues'])} "
            "in PyTorch, which its settings cannot repeat; repeat the original run"
        )
    planned = record.get("planned_epochs")
    if planned and settings.schedule == "decay" and "epochs" not in given:
        raise MinivaeError(
            f"{checks.printable(run)} was trained further after {planned[0]} "
            f"epochs, when its learning rate had fallen already; add --epochs {planned[0]} to "
            f"repeat the start, or --epochs {settings.epochs} for as many epochs in one go"
        )
    recorded = runs.recorded_reading(record, Path(run) / runs.RUN_FILE)
    reading = reading_from(given) if _gives_reading(given) else recorded
    chosen = _with_given(settings, given)
    varied = (chosen, reading) != (settings, recorded)
    return Plan(out, given.get("data", record["data"]), reading, chosen, record, varied)


def _continued(run, given):
    """The plan to continue a run, perhaps for more epochs.

    Raises MinivaeError if another setting that is given contradicts its record. --data may differ,
    because files move; their fingerprint is compared instead.
    """
    record = runs.read_run_file(run)
    settings = runs.recorded_settings(record, Path(run) / runs.RUN_FILE)
    reading = runs.recorded_reading(record, Path(run) / runs.RUN_FILE)
    for name, now in given.items():
        if name not in Settings._fields:
            continue
        was, now = getattr(settings, name), tuple(now) if name == "hidden" else now
        if name == "epochs" and now > was:
            settings = _with_given(settings, {name: now})
        elif was != now:
            option = option_name(name)
            does = "trains it further with more" if name == "epochs" else "keeps its settings"
            raise MinivaeError(
                f"{checks.printable(run)} was trained with {option} {was}, not {now}; --resume "
                f"{does}: leave {option} out, or start a new run"
            )
    if _gives_reading(given) and reading_from(given) != reading:
        option = "--" + next(name for name in READING if name in given).replace("_", "-")
        raise MinivaeError(
            f"{checks.printable(run)} was trained on data that were read otherwise; --resume keeps "
            f"its settings: leave {option} out, or start a new run"
        )
    return Plan(run, given.get("data", record["data"]), reading, settings, record)


def _gives_reading(given):
    return any(name in given for name in READING)


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
    return (
        f"{dataset.name}: {len(dataset.train):,} training images, "
        f"{'-'.join(map(str, sizes))} and back, {_epochs(settings.epochs)}, {settings.backend}"
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

    test = data.test_images(dataset.test, settings.likelihood)
    ops = load_backend(settings.backend)
    return plots.run_figures(folder, model, history, test, dataset.test_labels, ops)


def describe(report: dict[str, Any]) -> str:
    """The report of `train` as text."""
    if report["interrupted"]:
        return ""
    done = "continued to step {:,}" if report["resumed"] else "trained {:,} steps"
    lines = [
        f"{done.format(report['steps'])} in {report['seconds']:.0f} s: "
        f"loss {report['loss']:.2f} (nll {report['nll']:.2f}, kl {report['kl']:.2f}) nats per image"
    ]
    if "test_elbo" in report:
        lines.append(
            f"test ELBO {report['test_elbo']:.2f} = -(nll {report['test_nll']:.2f} "
            f"+ kl {report['test_kl']:.2f})"
        )
    names = ", ".join(Path(path).name for path in report["figures"])
    lines.append(f"look at {quoted(report['run'] + '/')}: {names}")
    run = checks.printable(report["run"])
    for command, why in (
        ("explore", "drag a point, and see what is drawn"),
        ("evaluate", "score it"),
    ):
        lines.append(f"next: {shell_line(['python', '-m', 'minivae', command, run])}  ({why})")
    return "\n".join(lines)

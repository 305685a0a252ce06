"""`train`: train a VAE or a GAN in a run folder, and draw its pictures."""

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
from minivae.cli.signals import INTERRUPTED, StopSignals
from minivae.errors import MinivaeError
from minivae.settings import MODELS, OPTIONS, AnySettings, GanSettings, Settings

OPTION_NAMES = {"latent_dim": "--latent"}  # where the option is not called like the setting
DEFAULT_DATA = "mnist"
NEXT = (("explore", "drag a point, and see what is drawn"), ("evaluate", "score it"))
NEXT_OF_GAN = (("sample", "more of its images"),)


DESCRIPTION = """\
Train a VAE and keep everything in a run folder: the model, the history, the pictures.

With no arguments: MNIST, a 2-D latent, under a minute on two cores. While it trains, the
bar shows loss = nll + kl in nats per image: how badly the decoder predicts the pixels,
and the KL, an upper bound on the information that the latent carries about the image.
--model gan trains a GAN of the same sizes instead, and the bar shows both players' losses.
Ctrl-C saves; --resume continues.
"""


def add_arguments(command: argparse.ArgumentParser) -> None:
    unset = argparse.SUPPRESS  # so that --resume can tell a given option from a default

    def option(*names, **kwargs):
        command.add_argument(*names, default=unset, **kwargs)

    option(
        "--data",
        metavar="NAME|PATH",
        help="mnist, cats, or a .npy, .npz, IDX file or a folder of PNG images (default mnist)",
    )
    option("--model", choices=tuple(MODELS), help="what to train (default vae)")
    for name, (text, value) in OPTIONS.items():
        text += _defaults(name)
        option(option_name(name), dest=name, help=text, metavar=value, **_kind(name))
    command.add_argument(
        "--out", metavar="DIR", help="the run folder (default runs/<data>, or the next free name)"
    )
    command.add_argument("--resume", action="store_true", help="continue the run in --out")
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


def option_name(setting: str) -> str:
    """The option of a setting: batch_size -> --batch-size."""
    return OPTION_NAMES.get(setting, "--" + setting.replace("_", "-"))


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
        if name in ("data", "model", *Settings._fields)
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
    settings: AnySettings
    record: dict | None = None  # of the run that is resumed or repeated


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
    dataset = data.load(plan.data)
    settings = plan.settings
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
        say(f"{_about(dataset, settings)} -> {checks.printable(folder)}/")
        likelihood = getattr(settings, "likelihood", "gaussian")  # a GAN takes grey pixels too
        note = data.grey_note(dataset.train, likelihood, "--likelihood gaussian")
        if note and not resumed and plan.data not in data.NAMES:
            say(f"minivae: note: {note}")
        with StopSignals() as stop:
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
        _refuse_a_continuation(from_run)
        return _recorded(from_run, given, out, "--from-run repeats it with its own settings")
    name = given.get("data", DEFAULT_DATA)
    if resume:
        out = Path("runs", data.plain_name(Path(name))) if out is None else out
        if not runs.is_new(out):
            return _recorded(out, given, out, "--resume continues it with its own settings")
    model = given.get("model", "vae")
    chosen = {option: given[option] for option in given if option not in ("data", "model")}
    for option in chosen:
        if option not in MODELS[model]._fields:
            raise MinivaeError(
                f"{option_name(option)} belongs to a VAE, and a GAN has none; leave it out"
            )
    with _option_names():
        return Plan(out, name, checks.check_settings(MODELS[model](**chosen)))


@contextmanager
def _option_names():
    """Checks inside name a setting as it is typed: --batch-size, not batch_size."""
    try:
        yield
    except MinivaeError as error:
        name, _, rest = str(error).partition(" ")
        known = name in Settings._fields
        raise MinivaeError(f"{option_name(name)} {rest}" if known else str(error)) from None


def _refuse_a_continuation(run):
    before = runs.read_run_file(run).get("continues")
    if before is not None:  # bridge/torch_distributed.py wrote it
        raise MinivaeError(
            f"{checks.printable(run)} was continued from {checks.printable(before)} in PyTorch, "
            "which its settings cannot repeat; repeat the original run"
        )


def _recorded(run, given, out, reason):
    """The plan to continue or repeat a run. Raises MinivaeError if `given` contradicts its record.

    Only --data may differ, because files move; their fingerprint is compared instead.
    """
    record = runs.read_run_file(run)
    settings = runs.recorded_settings(record, Path(run) / runs.RUN_FILE)
    for name, now in given.items():
        if name == "data":
            continue
        was = runs.model_of(record) if name == "model" else getattr(settings, name, None)
        now = tuple(now) if name == "hidden" else now
        if was != now:
            option = option_name(name)
            raise MinivaeError(
                f"{checks.printable(run)} was trained with {option} {was}, not {now}; {reason}: "
                f"leave {option} out, or start a new run"
            )
    return Plan(out, given.get("data", record["data"]), settings, record)


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
    return record if from_run is None else record | {"repeats": from_run}


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
    return plots.run_figures(folder, model, history, test, dataset.test_labels, ops)


def describe(report: dict[str, Any]) -> str:
    """The report of `train` as text."""
    if report["interrupted"]:
        return ""
    done = "continued to step {:,}" if report["resumed"] else "trained {:,} steps"
    is_gan = "generator_loss" in report
    lines = [f"{done.format(report['steps'])} in {report['seconds']:.0f} s: {_losses(report)}"]
    if "test_elbo" in report:
        lines.append(
            f"test ELBO {report['test_elbo']:.2f} = -(nll {report['test_nll']:.2f} "
            f"+ kl {report['test_kl']:.2f})"
        )
    names = ", ".join(Path(path).name for path in report["figures"])
    lines.append(f"look at {report['run']}/: {names}")
    run = checks.printable(report["run"])
    for command, why in NEXT_OF_GAN if is_gan else NEXT:
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

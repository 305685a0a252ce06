"""What `train` shall do: a new run, a run that goes on, or one that is repeated."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from minivae import checks, data, runs
from minivae.cli.run_data import READING, reading_from
from minivae.errors import MinivaeError
from minivae.settings import MODELS, AnySettings, Settings

OPTION_NAMES = {"latent_dim": "--latent"}  # where the option is not called like the setting
DEFAULT_DATA = "mnist"


def option_name(setting: str) -> str:
    """The option of a setting: batch_size -> --batch-size."""
    return OPTION_NAMES.get(setting, "--" + setting.replace("_", "-"))


class Plan(NamedTuple):
    """What `train` has to do: the folder (None: the next free one), and what to do there."""

    folder: Path | None
    data: str
    reading: data.Reading
    settings: AnySettings
    record: dict | None = None  # of the run that is resumed or repeated
    varied: bool = False  # whether it is repeated with another setting


def plan_training(
    given: Mapping[str, Any], out: Path | None, resume: bool, from_run: str | None
) -> Plan:
    """What `train` shall do. given: the options that the user typed, as argparse names them."""
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
    settings = _with_given(MODELS[given.get("model", "vae")](), given)
    return Plan(out, name, reading_from(given), settings)


def _with_given(settings, given):
    """The settings with those that the user gave, checked."""
    chosen = {option: value for option, value in given.items() if option in Settings._fields}
    for option in chosen:
        if option not in settings._fields:
            raise MinivaeError(
                f"{option_name(option)} belongs to a VAE, and a GAN has none; leave it out"
            )
    with settings_named_as_options():
        return checks.check_settings(settings._replace(**chosen)) if chosen else settings


@contextmanager
def settings_named_as_options() -> Iterator[None]:
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
    model = runs.model_of(record)
    if given.get("model", model) != model:
        raise MinivaeError(
            f"{checks.printable(run)} was trained with --model {model}; leave --model out"
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
        if name not in ("model", *Settings._fields):
            continue
        was = runs.model_of(record) if name == "model" else getattr(settings, name, None)
        now = tuple(now) if name == "hidden" else now
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

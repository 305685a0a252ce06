"""What the commands do: settings, run folder, training, scoring and pictures put together."""

import shlex
import signal
import sys
import threading
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np

from minivae import checks, data, files, runs
from minivae import evaluate as scoring
from minivae import train as training
from minivae.backend import load_backend
from minivae.errors import MinivaeError
from minivae.runs import checkpoint
from minivae.settings import Settings

OPTIONS = ("data", *Settings._fields)
DEFAULT_DATA = "mnist"
MAX_COUNT = 10_000  # images in one picture


# ---- train -----------------------------------------------------------------------------------


class Plan(NamedTuple):
    """What `train` was asked for: the folder (None: the next free one), and what to do there."""

    folder: Path | None
    data: str
    settings: Settings
    record: dict | None = None  # of the run that is resumed or repeated


def train(given, *, out, resume, from_run, checkpoint_seconds, command, say):
    """Train in a run folder, then draw its pictures -> a report, plain JSON.

    `given`: the options that the user set, by name; the rest come from the run that is resumed or
    repeated, or are the defaults. `command`: the line that the user typed, for the record.
    """
    started = time.monotonic()
    _check_seconds(checkpoint_seconds)
    out = None if out is None else checks.check_path(out, "--out")
    plan = _plan(given, out, resume, from_run)
    dataset = data.load(plan.data)
    settings = checks.check_settings(plan.settings, dataset)
    load_backend(settings.backend)  # one that is missing is named before a folder is made
    fingerprint = data.fingerprint(dataset)
    _check_same(plan, fingerprint, say)
    resumed = resume and plan.record is not None
    folder = plan.folder if resumed else runs.claim_folder(dataset.name, plan.folder)
    with files.lock_folder(folder):
        if not resumed:
            runs.start_run(folder, _new_record(plan, settings, fingerprint, command, from_run))
        say(f"{_about(dataset, settings)} -> {checks.printable(folder)}/")
        note = data.grey_note(dataset.train, settings.likelihood, "--likelihood gaussian")
        if note and not resumed and plan.data not in data.NAMES:
            say(f"minivae: note: {note}")
        with StopSignals() as stop:
            try:
                model, history = checkpoint.run(
                    folder,
                    dataset,
                    settings,
                    fingerprint,
                    should_stop=stop,
                    checkpoint_seconds=checkpoint_seconds,
                )
            except training.Interrupted as interrupt:
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


def _plan(given, out, resume, from_run):
    if resume and from_run is not None:
        raise MinivaeError("--resume goes on with a run, --from-run repeats one; give one of them")
    if from_run is not None:
        _refuse_a_continuation(from_run)
        return _recorded(from_run, given, out, "--from-run repeats it as it was")
    name = given.get("data", DEFAULT_DATA)
    if resume:
        out = Path("runs", data.plain_name(Path(name))) if out is None else out
        if not runs.is_new(out):
            return _recorded(out, given, out, "--resume goes on with it as it was")
    chosen = {option: value for option, value in given.items() if option != "data"}
    return Plan(out, name, checks.check_settings(Settings(**chosen)))


def _refuse_a_continuation(run):
    before = runs.read_run_file(run).get("continues")
    if before is not None:  # examples/torch_distributed.py wrote it
        raise MinivaeError(
            f"{checks.printable(run)} went on from {checks.printable(before)} in PyTorch, and "
            "its settings "
            "alone do not repeat that; repeat the run that it came from"
        )


def _recorded(run, given, out, reason):
    """The plan to go on with a run or to repeat it, unless `given` contradicts its record.

    Only --data may differ: files move. Their fingerprint may not.
    """
    record = runs.read_run_file(run)
    settings = recorded_settings(record, Path(run) / runs.RUN_FILE)
    asked = {option: value for option, value in given.items() if option != "data"}
    asked = checks.check_settings(settings._replace(**asked))
    for name, was, now in zip(settings._fields, settings, asked, strict=True):
        if was != now:
            option = "--" + name.replace("_", "-")
            raise MinivaeError(
                f"{checks.printable(run)} was trained with {option} {was}, not {now}; {reason}: "
                f"leave {option} out, or start a new run"
            )
    return Plan(out, given.get("data", record["data"]), settings, record)


def recorded_settings(record, path):
    """The Settings of a run's record; what a file says is checked as what a user says is."""
    saved = record["settings"]
    if set(saved) != set(Settings._fields):
        raise files.damaged(path, "its settings are not those of the train command")
    try:
        return checks.check_settings(Settings(**saved))
    except MinivaeError as error:
        raise files.damaged(path, str(error)) from None


def _check_same(plan, fingerprint, say):
    """Refuse other data than the recorded run's; other versions only get a word."""
    if plan.record is None:
        return
    if plan.record["fingerprint"] != fingerprint:
        raise MinivaeError(
            f"the data {checks.printable(plan.data)} are not those the run was trained on; "
            "name those with --data, or start a new run"
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
    return record if from_run is None else record | {"repeats": from_run}


def _check_seconds(seconds):
    if seconds is not None and not 0 <= seconds < float("inf"):
        raise MinivaeError(f"--checkpoint-seconds is {seconds}; it must be 0 or more")


def _about(dataset, settings):
    sizes = [dataset.train.shape[1], *settings.hidden, settings.latent]
    return (
        f"{dataset.name}: {len(dataset.train):,} training images, "
        f"{'-'.join(map(str, sizes))} and back, {settings.epochs} epochs, {settings.backend}"
    )


def _interrupted(folder, step, say):
    say(
        f"minivae: stopped after step {step}; everything is saved. Go on with\n"
        f"  python -m minivae train --resume --out {shlex.quote(checks.printable(folder))}"
    )
    return {"run": folder.as_posix(), "interrupted": True, "steps": step}


def _draw(folder, model, history, dataset, settings):
    from minivae import plots

    test = data.test_images(dataset.test, settings.likelihood)
    ops = load_backend(settings.backend)
    return plots.run_figures(folder, model, history, test, dataset.test_labels, ops)


class StopSignals:
    """Turns Ctrl-C and SIGTERM into a question that training asks after each step."""

    def __init__(self):
        self.asked = False
        self.previous = {}

    def __call__(self):
        return self.asked

    def __enter__(self):
        if threading.current_thread() is threading.main_thread():  # only there are signals heard
            for number in (signal.SIGINT, signal.SIGTERM):
                self.previous[number] = signal.signal(number, self._ask)
        return self

    def __exit__(self, *exc):
        for number, handler in self.previous.items():
            signal.signal(number, handler)

    def _ask(self, number, frame):
        self.asked = True


def describe(report):
    """The report of `train` for a person."""
    if report["interrupted"]:
        return ""
    done = "went on to step {:,}" if report["resumed"] else "trained {:,} steps"
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
    lines.append(f"look at {report['run']}/: {names}")
    lines.append(f"next: python -m minivae evaluate {report['run']}")
    return "\n".join(lines)


# ---- evaluate, sample ------------------------------------------------------------------------


def evaluate(run, *, samples, data_name, limit, seed, backend):
    """Score a run on test images -> a report, plain JSON; nats per image."""
    checks.check_samples(samples)
    _check_count(limit, "--limit", allow_none=True)
    _check_seed(seed)
    model, dataset, name = _run_and_data(run, data_name)
    if not len(dataset.test):
        raise MinivaeError(f"the data {checks.printable(name)} have no test images to score")
    x = data.test_images(dataset.test, model.spec.likelihood)[:limit]
    from tqdm import tqdm

    ops = load_backend(backend)
    with tqdm(total=len(x), unit="image", file=sys.stderr, leave=False, delay=1) as bar:
        report = scoring.evaluate(
            model.params,
            x,
            model.spec,
            samples=samples,
            seed=seed,
            ops=ops,
            progress=lambda done, total: bar.update(done - bar.n),
        )
    return {"run": Path(run).as_posix(), "data": name, **report}


def _run_and_data(run, data_name=None):
    """A run's model, its data (or others of the same size, by name), and what these are called."""
    record = runs.read_run_file(run)
    model = runs.load_run(run)
    name = record["data"] if data_name is None else data_name
    dataset = data.load(name)
    if data_name is None and data.fingerprint(dataset) != record["fingerprint"]:
        raise MinivaeError(  # another split may call images a test that the model was trained on
            f"the data {checks.printable(name)} are not those {checks.printable(run)} was "
            "trained on; bring "
            "those back (or have `evaluate` use others, with --data)"
        )
    if dataset.train.shape[1] != model.spec.data_dim:
        raise MinivaeError(
            f"the images of {checks.printable(name)} have {dataset.train.shape[1]} pixels; "
            "this model "
            f"takes {model.spec.data_dim}"
        )
    return model, dataset, name


def describe_evaluation(report):
    """The report of `evaluate` for a person."""
    errors = ", ".join(
        f"{report[name]:.2g} {what}"
        for name, what in (("stderr_images", "over images"), ("stderr_mc", "Monte Carlo"))
        if report[name] is not None
    )
    return "\n".join(
        [
            f"{report['run']} on {report['images']:,} test images of {report['data']}, "
            "nats per image",
            f"  log p(x)  {report['log_likelihood']:9.3f}   from below, by K = {report['samples']} "
            f"importance samples that do the work of {report['ess']:.0f}",
            *([f"{'':23}standard error {errors}"] if errors else []),
            f"  ELBO      {report['elbo']:9.3f}   = -(nll {report['nll']:.3f} + "
            f"kl {report['kl']:.3f})",
            f"  gap       {report['log_likelihood'] - report['elbo']:9.3f}   "
            "log p(x) - ELBO: the mean KL from q to the true posterior is at least this",
            f"  latents   {report['active_units']:5d} of {report['latent_dim']} in use",
        ]
    )


def sample(run, *, count, seed, out):
    """Draw a grid of images from a run's model -> a report, plain JSON."""
    _check_count(count, "--count", highest=MAX_COUNT)
    _check_seed(seed)
    path = _output(run, f"samples-{seed}.png", out)
    runs.read_run_file(run)
    model = runs.load_run(run)
    from minivae import ops, plots

    with np.errstate(all="ignore"):  # images that are not finite are refused
        grid = plots.samples(model, ops, n=count, seed=seed)
    plots.save(grid, path)
    return {"file": path.as_posix(), "count": count, "seed": seed}


def explore(run, *, out):
    """Write the explorer page of a run -> a report, plain JSON."""
    from minivae import ops
    from minivae.plots import explorer

    path = _output(run, "explorer.html", out)
    model, dataset, name = _run_and_data(run)
    x = data.test_images(dataset.test, model.spec.likelihood)
    title = f"{Path(run).name}: a latent space to walk in"
    with np.errstate(all="ignore"):  # terms that are not finite are refused
        factors = data.true_factors(name)
        explorer.write(path, model, dataset, x, title=title, ops=ops, factors=factors)
    return {"file": path.as_posix(), "bytes": path.stat().st_size}


def _output(run, name, out):
    """Where a picture or page goes: `name` in the run's folder, or `out`, of the same kind."""
    if out is None:
        return checks.check_path(run, "the run") / name
    path, ending = checks.check_path(out, "--out"), Path(name).suffix
    if path.suffix.lower() != ending:  # a slip must not overwrite a model, say
        raise MinivaeError(f"--out is {checks.printable(out)}; give a name that ends in {ending}")
    return path


def reproduce(rows, *, budget, epochs, seed, say):
    """Train and score rows of the published table -> a report, plain JSON."""
    from minivae.studies import reproduce as table

    _check_seed(seed)
    rows = list(table.ROWS) if rows is None else rows
    budget = table.BUDGET if budget is None else budget
    with StopSignals() as stop:
        try:
            results = table.run(
                rows, budget=budget, epochs=epochs, seed=seed, should_stop=stop, say=say
            )
        except training.Interrupted:
            say("minivae: stopped; everything is saved. The same command goes on.")
            return {"interrupted": True, "rows": [], "lines": []}
    lines = [table.describe(result) for result in results]
    return {"interrupted": False, "rows": results, "lines": lines}


def _check_count(value, name, *, highest=None, allow_none=False):
    if value is None and allow_none:
        return
    if value < 1 or (highest is not None and value > highest):
        words = "at least 1" if highest is None else f"from 1 to {highest}"
        raise MinivaeError(f"{name} is {value}; it must be {words}")


def _check_seed(seed):
    if seed < 0:
        raise MinivaeError(f"--seed is {seed}; it must be at least 0")

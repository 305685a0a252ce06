"""What the commands do: settings, run folder, training, scoring and pictures put together."""

import signal
import sys
import threading
import time
from pathlib import Path

from minivae import data, files, runs
from minivae import evaluate as scoring
from minivae import train as training
from minivae.backend import load_backend
from minivae.errors import MinivaeError

OPTIONS = ("data", *training.Settings._fields)
DEFAULT_DATA = "mnist"
FORMAT = 1


# ---- train -----------------------------------------------------------------------------------


def train(given, *, out, resume, from_run, checkpoint_seconds, say):
    """Train in a run folder, then draw its pictures -> a report, plain JSON.

    `given`: the options that the user set, by name; the rest come from the run that is resumed or
    repeated, or are the defaults.
    """
    started = time.monotonic()
    _check_seconds(checkpoint_seconds)
    folder, record = _plan(given, out, resume, from_run)
    dataset = data.load(record["data"])
    settings = _settings(record, "the settings")
    training.check_settings(settings, dataset)
    fingerprint = data.fingerprint(dataset)
    _check_same_data(record, fingerprint)
    if folder is None:
        folder = runs.claim_folder(dataset.name, out)
    with files.lock_folder(folder):
        runs.write_run_file(folder, record | {"fingerprint": fingerprint})
        say(f"{_about(dataset, settings)} -> {files.show(folder)}/")
        with StopSignals() as stop:
            try:
                model, history = training.run(
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
        "steps": history[-1]["step"],
        "seconds": seconds,
        "figures": [path.as_posix() for path in pictures],
        **{name: value for name, value in history[-1].items() if name != "step"},
    }


def _plan(given, out, resume, from_run):
    """Which folder (None: a new one is claimed later) and what record the run has."""
    if resume and from_run:
        raise MinivaeError("--resume goes on with a run, --from-run repeats one; give one of them")
    if from_run:
        record = _recorded(from_run, given, "--from-run repeats the run as it was")
        return None, {"command": _command(), **record, "repeats": str(from_run)}
    if resume:
        folder = Path("runs", _data_name(given)) if out is None else files.check_path(out, "--out")
        if not runs.is_new(folder):
            return folder, _recorded(folder, given, "--resume goes on with it as it was")
    record = {
        "format": FORMAT,
        "command": _command(),
        "data": given.get("data", DEFAULT_DATA),
        "settings": training.Settings()._asdict() | _without(given, "data"),
        "versions": runs.versions(),
    }
    return None, record


def _command():
    return " ".join(["python -m minivae", *sys.argv[1:]])


def _data_name(given):
    return Path(given.get("data", DEFAULT_DATA)).stem


def _without(options, name):
    return {key: value for key, value in options.items() if key != name}


def _recorded(folder, given, reason):
    """The record of a run folder, unless `given` contradicts it."""
    record = runs.read_run_file(folder)
    path = Path(folder) / runs.RUN_FILE
    if record.get("format") != FORMAT or not isinstance(record.get("data"), str):
        raise files.damaged(path, "it was not written by this version's train command")
    recorded = _settings(record, path)._asdict() | {"data": record["data"]}
    for name, value in given.items():
        value = tuple(value) if isinstance(value, list) else value
        if value != recorded[name]:
            option = "--" + name.replace("_", "-")
            raise MinivaeError(
                f"{files.show(folder)} was trained with {option} {recorded[name]}, not {value}; "
                f"{reason}: leave {option} out, or start a new run"
            )
    return record


def _settings(record, where):
    """The Settings of a record; what a file says is checked as what a user says is."""
    saved = record.get("settings")
    if not isinstance(saved, dict) or set(saved) != set(training.Settings._fields):
        raise files.damaged(where, "its settings are not those of the train command")
    hidden = saved["hidden"]
    if not isinstance(hidden, (list, tuple)):
        raise files.damaged(where, "its hidden layers are not a list")
    return training.Settings(**(saved | {"hidden": tuple(hidden)}))


def _check_same_data(record, fingerprint):
    if record.get("fingerprint", fingerprint) != fingerprint:
        raise MinivaeError(
            f"the data {files.show(record['data'])} are no longer those the run was trained on; "
            "bring them back, or start a new run"
        )


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
        f"  python -m minivae train --resume --out {files.show(folder)}"
    )
    return {"run": folder.as_posix(), "interrupted": True, "steps": step}


def _draw(folder, model, history, dataset, settings):
    from minivae import plots

    test = training.test_images(dataset, settings)
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
    lines = [
        f"trained {report['steps']:,} steps in {report['seconds']:.0f} s: "
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
    scoring.check_samples(samples)
    _check_count(limit, "--limit", allow_none=True)
    _check_seed(seed)
    record = runs.read_run_file(run)
    model = runs.load_run(run)
    settings = _settings(record, Path(run) / runs.RUN_FILE)
    name = data_name if data_name is not None else record.get("data")
    dataset = data.load(name)
    if not len(dataset.test):
        raise MinivaeError(f"the data {files.show(name)} have no test images to score")
    if dataset.test.shape[1] != model.spec.data_dim:
        raise MinivaeError(
            f"the images of {files.show(name)} have {dataset.test.shape[1]} pixels; this model "
            f"takes {model.spec.data_dim}"
        )
    x = training.test_images(dataset, settings)[:limit]
    report = scoring.evaluate(
        model.params, x, model.spec, samples=samples, seed=seed, ops=load_backend(backend),
        progress=_progress(len(x)),
    )
    return {"run": Path(run).as_posix(), "data": str(name), **report}


def _progress(n):
    from tqdm import tqdm

    bar = tqdm(total=n, unit="image", file=sys.stderr, leave=False)

    def show(done, total):
        bar.update(done - bar.n)
        if done == total:
            bar.close()

    return show


def describe_evaluation(report):
    """The report of `evaluate` for a person."""
    errors = ", ".join(
        f"{report[name]:.2g} {what}"
        for name, what in (("stderr_images", "over images"), ("stderr_mc", "Monte Carlo"))
        if report[name] is not None
    )
    return "\n".join([
        f"{report['run']} on {report['images']:,} test images of {report['data']}, nats per image",
        f"  log p(x)  {report['log_likelihood']:9.3f}   K = {report['samples']} importance samples"
        + (f"; standard error {errors}" if errors else ""),
        f"  ELBO      {report['elbo']:9.3f}   = -(nll {report['nll']:.3f} + kl {report['kl']:.3f})",
        f"  gap       {report['log_likelihood'] - report['elbo']:9.3f}   "
        "log p(x) - ELBO: the mean KL from q to the true posterior",
        f"  latents   {report['active_units']:5d} of {report['latent_dim']} in use",
    ])


def sample(run, *, count, seed, out):
    """Draw a grid of images from a run's model -> a report, plain JSON."""
    _check_count(count, "--count")
    _check_seed(seed)
    model = runs.load_run(run)
    path = Path(run) / f"samples-{seed}.png" if out is None else files.check_path(out, "--out")
    from minivae import ops, plots

    plots.save(plots.samples(model, ops, n=count, seed=seed), path)
    return {"file": path.as_posix(), "count": count, "seed": seed}


def explore(run, *, out):
    """Write the explorer page of a run -> a report, plain JSON."""
    from minivae import explorer, ops

    record = runs.read_run_file(run)
    model = runs.load_run(run)
    settings = _settings(record, Path(run) / runs.RUN_FILE)
    dataset = data.load(record.get("data"))
    if dataset.test.shape[1] != model.spec.data_dim:
        raise MinivaeError(f"the data of {files.show(run)} are no longer those of its model")
    path = Path(run) / "explorer.html" if out is None else files.check_path(out, "--out")
    x = training.test_images(dataset, settings)
    title = f"{Path(run).name}: a latent space to walk in"
    explorer.write(path, model, dataset, x, title=title, ops=ops)
    return {"file": path.as_posix(), "bytes": path.stat().st_size}


def _check_count(value, name, *, allow_none=False):
    if value is None and allow_none:
        return
    if value < 1:
        raise MinivaeError(f"{name} is {value}; it must be at least 1")


def _check_seed(seed):
    if seed < 0:
        raise MinivaeError(f"--seed is {seed}; it must be at least 0")

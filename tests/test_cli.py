"""The command line: help without weight, one JSON object, one-line errors, exit statuses."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tiny

from minivae import MinivaeError, __version__, checks, cli, runs
from minivae.cli import evaluate as evaluate_command
from minivae.data.png import PNG_START
from minivae.settings import GanSettings, Settings

ROOT = Path(__file__).parents[1]


ENVIRONMENT = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}


@pytest.mark.parametrize(
    ("argv", "imported"),
    [(["--help"], []), (["train", "--help"], ["numpy"]), (["evaluate", "--help"], ["numpy"])],
    ids=["minivae", "train", "evaluate"],
)
def test_help_is_light(argv, imported):
    """Answered at once: without numba, matplotlib or anything else that takes a second.

    The help of a command names what a setting may be, which is written down beside NumPy code.
    """
    script = (
        "import sys\n"
        "from minivae import cli\n"
        "try:\n"
        f"    cli.main({argv})\n"
        "except SystemExit as end:\n"
        "    assert end.code == 0\n"
        "heavy = {'numpy', 'numba', 'matplotlib', 'tqdm', 'PIL', 'torch', 'jax'}\n"
        "print('heavy:', sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == f"heavy: {imported}"
    assert done.stderr == ""


def subcommands():
    (grammar,) = (action for action in cli.build_parser()._actions if action.choices)
    return grammar.choices


@pytest.mark.parametrize("name", subcommands())
def test_every_command_explains_itself_and_all_its_options(name):
    parser = subcommands()[name]
    assert len(parser.description) > 60
    for action in parser._actions:
        assert action.help, f"{name} {action.option_strings} has no help"
    assert any(action.dest == "json" for action in parser._actions)


def test_the_options_of_train_are_the_settings():
    """Each setting can be chosen, and its help states the default that it has."""
    actions = {action.dest: action for action in subcommands()["train"]._actions}
    for name, default in Settings()._asdict().items():
        action = actions[name]
        if action.choices:
            assert set(action.choices) == set(checks.CHOICES[name])
        stated = re.search(r"\(default ([^,)]*)", action.help)
        if isinstance(default, tuple):
            assert stated[1] == " ".join(map(str, default))
        elif isinstance(default, (int, float)):
            assert float(stated[1]) == default
        elif default is not None:
            assert stated[1] == default
    for name, default in GanSettings()._asdict().items():
        assert name in Settings._fields
        other = re.search(r", of a gan ([^)]*)\)", actions[name].help)
        if default != Settings._field_defaults[name]:
            assert other[1] == str(default)
        else:
            assert other is None


def only_json(capsys, *argv):
    status, out, err = tiny.command(capsys, *argv, "--json")
    assert status == 0, err
    assert len(out.splitlines()) == 1
    return json.loads(out, parse_constant=pytest.fail)


def test_json_is_one_object_and_nothing_else(tiny_file, capsys):
    report = only_json(capsys, "train", *tiny.OPTIONS)
    assert report["run"] == "runs/tiny"
    assert (report["steps"], report["epoch"], report["interrupted"]) == (6, 2, False)
    report = only_json(
        capsys, "evaluate", "runs/tiny", "--samples", "20", "--limit", "5", "--backend", "numpy"
    )
    keys = ["elbo", "nll", "kl", "log_likelihood", "stderr_images", "stderr_mc", "active_units"]
    assert set(keys) <= set(report)
    assert (report["images"], report["samples"]) == (5, 20)
    assert report["elbo"] == pytest.approx(-(report["nll"] + report["kl"]))
    assert report["log_likelihood"] > report["elbo"]
    report = only_json(capsys, "sample", "runs/tiny", "--count", "4", "--out", "four.png")
    assert report == {"file": "four.png", "count": 4, "seed": 0}
    assert Path("four.png").read_bytes().startswith(PNG_START)


def test_two_evaluations_agree(tiny_file, capsys):
    tiny.command(capsys, "train", *tiny.OPTIONS)
    argv = ("evaluate", "runs/tiny", "--samples", "10", "--backend", "numpy")
    assert only_json(capsys, *argv) == only_json(capsys, *argv)
    assert only_json(capsys, *argv) != only_json(capsys, *argv, "--seed", "1")


def test_an_evaluation_is_quick_unless_it_is_asked_to_be_full(tiny_file, capsys, monkeypatch):
    tiny.command(capsys, "train", *tiny.OPTIONS)
    monkeypatch.setattr(evaluate_command, "QUICK_IMAGES", 4)
    argv = ("evaluate", "runs/tiny", "--backend", "numpy")
    quick, full = only_json(capsys, *argv), only_json(capsys, *argv, "--full")
    assert (quick["images"], quick["samples"]) == (4, 500)
    assert (full["images"], full["samples"]) == (6, 5000)
    assert only_json(capsys, *argv, "--full", "--samples", "7", "--limit", "2")["images"] == 2
    out = tiny.command(capsys, *argv, "--samples", "5")[1]
    assert "on the first 4 of 6 test images" in out
    assert "--full takes them all" in out
    assert "--full" not in tiny.command(capsys, *argv, "--samples", "5", "--full")[1]


def test_results_for_people(tiny_file, capsys):
    """Standard output holds the result, standard error what happens on the way."""
    status, out, err = tiny.command(capsys, "train", *tiny.OPTIONS)
    assert status == 0
    assert "test ELBO" in out
    assert "next: python -m minivae explore runs/tiny" in out
    assert "next: python -m minivae evaluate runs/tiny" in out
    assert err.startswith("tiny: 54 training images, 36-7-5-2 and back, 2 epochs, numpy")
    status, out, err = tiny.command(
        capsys, "evaluate", "runs/tiny", "--samples", "10", "--backend", "numpy"
    )
    assert status == 0
    assert "log p(x)" in out
    assert err == ""


def test_a_run_that_exists_is_never_overwritten(tiny_file, capsys):
    tiny.command(capsys, "train", *tiny.OPTIONS)
    before = tiny.contents(tiny_file / "runs" / "tiny")
    status, _, err = tiny.command(capsys, "train", *tiny.OPTIONS, "--seed", "1")
    assert status == 0
    assert "-> runs/tiny-2/" in err
    assert tiny.contents(tiny_file / "runs" / "tiny") == before
    assert "go on with it (--resume)" in tiny.refused(
        tiny_file, capsys, "train", *tiny.OPTIONS, "--out", "runs/tiny"
    )


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (MinivaeError("two\nlines"), 2, "minivae: error: two lines\n"),
        (MemoryError(), 2, "minivae: error: out of memory; try a smaller model or batch\n"),
        (KeyboardInterrupt(), 130, "minivae: stopped\n"),
    ],
)
def test_statuses(capsys, monkeypatch, error, status, said):
    def fail(*args, **kwargs):
        raise error

    monkeypatch.setattr(evaluate_command, "evaluate_run", fail)
    assert tiny.command(capsys, "evaluate", "x") == (status, "", said)


def test_a_reader_that_went_away_is_no_traceback(capfd, monkeypatch):
    """`python -m minivae ... | head -1`"""

    def fail(*args, **kwargs):
        raise BrokenPipeError

    monkeypatch.setattr(evaluate_command, "evaluate_run", fail)
    monkeypatch.setattr(os, "dup2", lambda *args: None)  # pytest's own output goes on
    assert tiny.command(capfd, "evaluate", "x") == (1, "", "")


def test_a_mistake_in_this_program_is_not_hidden(capsys, monkeypatch):
    """Only what the user can mend becomes one line: a bug must show where it is."""

    def fail(*args, **kwargs):
        raise ZeroDivisionError

    monkeypatch.setattr(evaluate_command, "evaluate_run", fail)
    with pytest.raises(ZeroDivisionError):
        cli.main(["evaluate", "x"])


@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends Ctrl-C to whole consoles only")
def test_a_real_process_stops_at_ctrl_c(tmp_path, ctrl_c):
    """The signal, the status that the shell sees, and what `python -m minivae` prints."""
    np.save(tmp_path / "tiny.npy", tiny.images() > 127)  # no note between the head and the bar
    argv = [
        sys.executable,
        "-m",
        "minivae",
        "train",
        *tiny.OPTIONS[:-4],
        "--batch-size",
        "20",
        "--backend",
        "numpy",
        "--epochs",
        "1000000",
        "--checkpoint-seconds",
        "1e9",
        "--json",
    ]
    process = subprocess.Popen(
        argv, cwd=tmp_path, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        head = process.stderr.readline()
        while not process.stderr.read(1).strip():
            pass  # until the bar appears: training has begun
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    finally:
        process.kill()
    assert head.startswith(b"tiny: 54 training images")
    assert process.returncode == 130
    report = json.loads(out)
    assert report["interrupted"] is True
    assert b"Continue with\n  python -m minivae train --resume --out runs/tiny\n" in err
    record = json.loads((tmp_path / "runs" / "tiny" / runs.RUN_FILE).read_text())
    assert record["versions"]["minivae"] == __version__
    assert record["command"].startswith("python -m minivae train --data tiny.npy")

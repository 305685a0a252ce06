"""The command line: help without weight, one JSON object, one-line errors, exit statuses."""

import ast
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

import minivae
from minivae import MinivaeError, __version__, checks, cli, data, runs
from minivae.cli import evaluate as evaluate_command
from minivae.cli import train as train_command
from minivae.data import cats
from minivae.data.png import PNG_START
from minivae.settings import Settings

ROOT = Path(__file__).parents[1]
ENVIRONMENT = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
SMALL = (
    "--data",
    "tiny.npy",
    "--hidden",
    "7",
    "5",
    "--epochs",
    "2",
    "--batch-size",
    "20",
    "--backend",
    "numpy",
)


@pytest.fixture
def work(tmp_path, monkeypatch):
    """A folder to work in, with tiny.npy; no pictures are drawn."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(train_command, "_draw", lambda *args: [])
    np.save("tiny.npy", tiny.images())
    return tmp_path


def refused(work, capsys, *argv):
    """Run what must fail -> the error line. Nothing else is printed, nothing is written."""
    before = tiny.contents(work)
    status, out, err = tiny.command(capsys, *argv)
    assert (status, out) == (2, ""), err
    assert err.startswith("minivae: error: ")
    assert err.endswith("\n")
    assert len(err.splitlines()) == 1, err
    assert tiny.contents(work) == before
    return err


# ---- help ----------------------------------------------------------------------------------------


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
        elif default is not None and name != "schedule":
            assert stated[1] == default


# ---- results -------------------------------------------------------------------------------------


def only_json(capsys, *argv):
    status, out, err = tiny.command(capsys, *argv, "--json")
    assert status == 0, err
    assert len(out.splitlines()) == 1
    return json.loads(out, parse_constant=pytest.fail)


def test_json_is_one_object_and_nothing_else(work, capsys):
    report = only_json(capsys, "train", *SMALL)
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


def test_two_evaluations_agree(work, capsys):
    tiny.command(capsys, "train", *SMALL)
    argv = ("evaluate", "runs/tiny", "--samples", "10", "--backend", "numpy")
    assert only_json(capsys, *argv) == only_json(capsys, *argv)
    assert only_json(capsys, *argv) != only_json(capsys, *argv, "--seed", "1")


def test_results_for_people(work, capsys):
    """Standard output holds the result, standard error what happens on the way."""
    status, out, err = tiny.command(capsys, "train", *SMALL)
    assert status == 0
    assert "test ELBO" in out
    assert "next: python -m minivae evaluate runs/tiny" in out
    assert err.startswith("tiny: 54 training images, 36-7-5-2 and back, 2 epochs, numpy")
    status, out, err = tiny.command(
        capsys, "evaluate", "runs/tiny", "--samples", "10", "--backend", "numpy"
    )
    assert status == 0
    assert "log p(x)" in out
    assert err == ""


def test_a_run_that_exists_is_never_overwritten(work, capsys):
    tiny.command(capsys, "train", *SMALL)
    before = tiny.contents(work / "runs" / "tiny")
    status, _, err = tiny.command(capsys, "train", *SMALL, "--seed", "1")
    assert status == 0
    assert "-> runs/tiny-2/" in err
    assert tiny.contents(work / "runs" / "tiny") == before
    assert "add --resume" in refused(work, capsys, "train", *SMALL, "--out", "runs/tiny")


# ---- mistakes ------------------------------------------------------------------------------------


def test_numbers_out_of_range(work, capsys):
    train = ("train", "--data", "tiny.npy")
    for option, value, said in (
        ("--latent", "0", "latent is 0; it must be a whole number from 1"),
        ("--latent", "99999999999", "latent is 99999999999"),
        ("--hidden", "0", "hidden is 0"),
        ("--epochs", "-1", "epochs is -1; it must be a whole number from 1"),
        ("--batch-size", "0", "batch_size is 0"),
        ("--lr", "0", "lr is 0.0; it must be a number above 0"),
        ("--lr", "nan", "lr is nan"),
        ("--lr", "inf", "lr is inf"),
        ("--beta", "-1", "beta is -1.0"),
        ("--warmup", "-0.5", "warmup is -0.5"),
        ("--free-bits", "nan", "free_bits is nan"),
        ("--samples", "7", "use objective iwae"),
        ("--variance", "1", "variance belongs to the gaussian"),
        ("--seed", "-1", "seed is -1"),
        ("--checkpoint-seconds", "-1", "--checkpoint-seconds is -1"),
        ("--checkpoint-seconds", "nan", "--checkpoint-seconds is nan"),
    ):
        assert said in refused(work, capsys, *train, option, value)
    said = refused(work, capsys, *train, "--batch-size", "100")
    assert "batch_size is 100, but there are only 54 training images; choose a smaller" in said


def test_words_that_are_none(work, capsys):
    for argv, said in (
        ((), "the following arguments are required: COMMAND"),
        (("trian",), "invalid choice: 'trian'"),
        (("train", "--latents", "2"), "unrecognized arguments: --latents 2"),
        (("train", "--lat", "2"), "unrecognized arguments: --lat 2"),
        (("train", "--latent"), "argument --latent: expected one argument"),
        (("train", "--latent", "two"), "argument --latent: invalid int value: 'two'"),
        (("train", "--latent", "2.5"), "invalid int value"),
        (("train", "--latent", "9" * 5000), "invalid int value"),
        (("train", "--objective", "evidence"), "invalid choice: 'evidence'"),
        (("train", "--backend", "torch"), "invalid choice: 'torch'"),
        (("train", "extra"), "unrecognized arguments: extra"),
        (("train", "--resume", "--from-run", "x"), "give one of them"),
        (("exercises", "--review", "--json"), "leave --json out"),
        (("evaluate",), "the following arguments are required: RUN"),
        (("train", "--seed", "1\n2"), "invalid int value"),
    ):
        assert said in refused(work, capsys, *argv)


def test_data_that_are_none(work, capsys):
    """The list of what people pass by mistake; each line says what would be right."""
    grey = tiny.images()
    Path("empty").mkdir()
    Path("text.npy").write_text("no array")
    holes = grey / 255
    for name, images, said in (
        ("labels", np.arange(60) % 10, "60 integers in a row are labels; give the images"),
        ("one", grey[0, 0].astype(float), "no stack of images"),
        ("colour", np.zeros((5, 6, 6, 3), np.uint8), "colour channels; convert to grey"),
        ("five", np.zeros((2, 2, 2, 2, 2)), "has 5 dimensions"),
        ("nothing", grey[:0], "holds no images"),
        ("nan", np.where(holes > 0.5, np.nan, holes), "NaN or infinite"),
        ("inf", np.where(holes > 0.5, np.inf, holes), "NaN or infinite"),
        ("floats", grey.astype(np.float64), "divide by 255 or pass uint8"),
        ("signed", grey / 127.5 - 1, "rescale or clip them to [0, 1]"),
        ("big", grey.astype(np.int64) * 2, "give integers in 0..255"),
        ("text", np.array([["a", "b"]]), "dtype <U1; save a plain array of numbers"),
    ):
        np.save(name, images, allow_pickle=False)
        assert said in refused(work, capsys, "train", "--data", f"{name}.npy")
    for name, said in (
        ("mnits", "did you mean mnist?"),
        ("nowhere.npy", "known names are mnist and cats, or give a .npy"),
        ("empty", "holds no PNG images"),
        ("", "give the name of a file or folder"),
        ("\0", "give the name of a file or folder"),
        ("x" * 5000, "no data set or file is called"),
    ):
        assert said in refused(work, capsys, "train", "--data", name)
    (work / "text.npy").write_text("no array")
    assert "in no format" in refused(work, capsys, "train", "--data", "text.npy")


def test_integer_images_of_any_width_are_fine(work, capsys):
    """int64 in 0..255 is what many arrays are: it gives the same model as uint8."""
    tiny.command(capsys, "train", *SMALL)
    np.save("tiny.npy", tiny.images().astype(np.int64))
    assert tiny.command(capsys, "train", *SMALL)[0] == 0
    assert tiny.outputs(work / "runs/tiny") == tiny.outputs(work / "runs/tiny-2")


def test_places_that_cannot_be_used(work, capsys):
    Path("file").write_text("")
    Path("thesis").mkdir()
    Path("thesis", "chapter.tex").write_text("years of work")
    for out in ("file", "file/below", "thesis", "", "\0", "y" * 300):
        refused(work, capsys, "train", *SMALL, "--out", out)
    for out in ("thesis", "file"):
        refused(work, capsys, "train", "--resume", "--out", out)


def test_evaluating_what_does_not_fit(work, capsys):
    tiny.command(capsys, "train", *SMALL)
    np.save("wide.npy", tiny.images(side=8))
    for argv, said in (
        (("runs/tiny", "--data", "wide.npy"), "have 64 pixels; this model takes 36"),
        (("runs/tiny", "--data", "nowhere"), "no data set or file is called nowhere"),
        (("runs/tiny", "--samples", "0"), "samples is 0"),
        (("runs/tiny", "--limit", "0"), "--limit is 0; it must be a whole number from 1"),
        (("runs/tiny", "--seed", "-1"), "--seed is -1"),
        (("nowhere",), "nowhere does not exist; give a run folder"),
        (("tiny.npy",), "tiny.npy is not a run folder"),
        (("runs",), "runs is not a run folder"),
        (("",), "the run is ''"),
    ):
        assert said in refused(work, capsys, "evaluate", *argv)
    for argv, said in (
        (("runs/tiny", "--count", "0"), "--count is 0; it must be a whole number from 1 to 10000"),
        (("runs/tiny", "--count", "1000000000"), "it must be a whole number from 1 to 10000"),
        (("runs/tiny", "--out", "nowhere/x.png"), "create the folder first"),
        (("runs/tiny", "--out", "tiny.npy"), "give a name that ends in .png"),
        (("runs/tiny", "--out", "runs/tiny/model.npz"), "give a name that ends in .png"),
    ):
        assert said in refused(work, capsys, "sample", *argv)
    said = refused(work, capsys, "explore", "runs/tiny", "--out", "runs/tiny/run.json")
    assert "give a name that ends in .html" in said


def test_names_from_outside_cannot_write_on_the_terminal(work, capsys):
    """An escape sequence in a name is shown, not obeyed; an unprintable byte does not crash."""
    err = refused(work, capsys, "evaluate", "\x1b[2J\x07")
    assert "\\x1b[2J\\x07" in err
    assert "\\x1b[2J" in refused(work, capsys, "train", "\x1b[2J")
    refused(work, capsys, "evaluate", "\udcff\udcfe")


def test_no_module_is_no_traceback(work, capsys, monkeypatch):
    """numba may be missing on a machine: the reference backend is one option away."""
    monkeypatch.setitem(sys.modules, "minivae.kernels", None)
    monkeypatch.delattr(minivae, "kernels", raising=False)
    argv = [word if word != "numpy" else "numba" for word in SMALL]
    assert "use --backend numpy" in refused(work, capsys, "train", *argv)


# ---- statuses ------------------------------------------------------------------------------------


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
        *SMALL[:-4],
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
    assert b"Go on with\n  python -m minivae train --resume --out runs/tiny\n" in err
    record = json.loads((tmp_path / "runs" / "tiny" / runs.RUN_FILE).read_text())
    assert record["versions"]["minivae"] == __version__
    assert record["command"].startswith("python -m minivae train --data tiny.npy")


# ---- grey images and a Bernoulli -----------------------------------------------------------------

NOTE = (
    "minivae: note: the images are grey, and a bernoulli likelihood binarizes their pixels at "
    "random; to learn the grey levels themselves, use --likelihood gaussian"
)


def test_grey_images_get_one_line_that_names_the_gaussian(capsys, work):
    """Once: not again for a run that goes on, nor where the advice was taken."""
    status, _, err = tiny.command(capsys, "train", *SMALL)
    assert (status, err.splitlines().count(NOTE), err.count("note")) == (0, 1, 1)
    _, _, err = tiny.command(capsys, "train", *SMALL, "--resume")
    assert "note" not in err
    _, _, err = tiny.command(capsys, "train", *SMALL, "--likelihood", "gaussian")
    assert "note" not in err


def test_black_and_white_images_and_the_shipped_sets_get_no_such_line(capsys, work, monkeypatch):
    np.save("tiny.npy", tiny.images() > 127)
    status, _, err = tiny.command(capsys, "train", *SMALL)
    assert (status, err.count("note")) == (0, 0)
    made = cats.dataset(tiny.TRAIN, tiny.TEST)
    few = tiny.dataset(name="cats", train=made.train, test=made.test, image_shape=(28, 28))
    assert data.are_grey(made.train)  # their grey edges are chances, by design
    monkeypatch.setattr(data, "load", lambda name: few)
    status, _, err = tiny.command(capsys, "train", *SMALL, "--data", "cats")
    assert (status, err.count("note")) == (0, 0)


def test_what_counts_as_grey():
    """More than a fifth of the pixels between 0.1 and 0.9: MNIST's grey edges are fewer."""
    digits = data.load("mnist").train
    assert not data.are_grey(digits)
    shrunk = digits[:1000].reshape(-1, 14, 2, 14, 2).mean(axis=(2, 4)) / 255
    assert not data.are_grey(shrunk.reshape(-1, 196).astype(np.float32))
    few, many = np.zeros((1, 100), np.float32), np.zeros((1, 100), np.float32)
    few[:, :20] = many[:, :21] = 0.5
    assert not data.are_grey(few)
    assert data.are_grey(many)
    assert data.are_grey((255 * many).astype(np.uint8))
    assert not data.are_grey(np.where(many > 0, np.uint8(25), np.uint8(230)))


# ---- an older Python ---------------------------------------------------------------------------


@pytest.mark.parametrize("start", [
    "import minivae",
    "from minivae.data import load",
    "import runpy; runpy.run_module('minivae', run_name='__main__')",
])  # fmt: skip
@pytest.mark.parametrize("version", ["2.7.18", "3.6.15", "3.9.6"])
def test_an_older_python_is_told_in_one_line(start, version):
    """Before anything is imported that an older Python might not understand."""
    numbers = (*map(int, version.split(".")), "final", 0)
    script = (
        f"import sys; sys.version_info = {numbers}; sys.version = '{version} (main)'\n"
        f"try:\n    {start}\n"
        "finally:\n    print(sorted(name for name in sys.modules if 'minivae' in name))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stdout == "[]\n"
    assert done.stderr == (
        f"minivae: error: this is Python {version}; minivae needs Python 3.10 or newer "
        "(see README.md)\n"
    )


def test_the_file_that_tells_compiles_on_an_older_python():
    """Nothing in it that Python 2.7 does not know, as far as the syntax tree shows it."""
    source = (ROOT / "minivae" / "__init__.py").read_text(encoding="ascii")
    newer = (ast.JoinedStr, ast.AnnAssign, ast.NamedExpr, ast.Match, ast.AsyncFunctionDef)
    for node in ast.walk(ast.parse(source)):
        assert not isinstance(node, newer), f"line {node.lineno}"
        if isinstance(node, ast.FunctionDef):
            assert node.returns is None
            assert not node.args.posonlyargs + node.args.kwonlyargs
            assert all(arg.annotation is None for arg in node.args.args)
        if isinstance(node, ast.Raise):
            assert node.cause is None

"""What another system shows of Windows: training, resuming and the gradient check work there.

The processes below are made by `windows_like.py`; its first lines say how they differ.
"""

import json
import os
import subprocess
import sys
from pathlib import Path, PureWindowsPath

import numpy as np
import pytest
import tiny

from minivae import checks
from minivae.checks.values import shell_line

ROOT = Path(__file__).parents[1]

linux = pytest.mark.skipif(sys.platform != "linux", reason="which files are open is read in /proc")


def windows_like(folder, code, *words):
    """Run `code` in such a process, with `words` as sys.argv[1:] -> status, output, errors."""
    surroundings = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")]),
        "PYTHONIOENCODING": "cp1252",
        "PYTHONUTF8": "0",
    }
    done = subprocess.run(
        [sys.executable, "-c", f"import windows_like\nwindows_like.begin()\n{code}", *words],
        cwd=folder,
        env=surroundings,
        capture_output=True,
        encoding="cp1252",
        timeout=500,
    )
    return done.returncode, done.stdout, done.stderr


COMMAND = "import sys\nfrom minivae import cli\nsys.exit(cli.main(sys.argv[1:]))"
STOPPED = f"windows_like.stop_in_step(4)\n{COMMAND}"
SETTINGS = "--hidden 7 5 --epochs 2 --batch-size 20 --checkpoint-seconds 0".split()


@linux
def test_the_simulation_takes_away_what_windows_lacks(tmp_path):
    """Without this, the tests below could pass because nothing was simulated."""
    code = """
import os, sys, pathlib
scope = {"__name__": "minivae.any", "path": pathlib.Path("a/b")}
for line in ("os.fork", "os.sched_getaffinity", "import fcntl", "import resource",
             "os.open('.', os.O_RDONLY)", "signal.SIGKILL"):
    try:
        exec("import os, signal; " + line, scope)
        print("there is", line)
    except (AttributeError, ImportError, PermissionError):
        pass
with open("held", "w") as held:
    print(held.encoding)
    pathlib.Path("new").touch()
    try:
        exec("import os; os.replace('new', 'held')", scope)
    except PermissionError:
        print("held")
exec("text = f'{path} {path.as_posix()}'", scope)
print(scope["text"], sys.platform, sys.stdout.encoding)
"""
    status, out, err = windows_like(tmp_path, code)
    assert status == 0, err
    assert out.split() == ["cp1252", "held", "a\\b", "a/b", "win32", "cp1252"]


@linux
def test_training_stops_resumes_and_ends_with_the_bits_of_a_whole_run(tmp_path):
    np.save(tmp_path / "kätzchen.npy", tiny.images())
    train = ["train", "--data", "kätzchen.npy", *SETTINGS]
    status, out, err = windows_like(tmp_path, COMMAND, *train, "--out", "whole")
    assert status == 0, err
    assert "next: python -m minivae evaluate whole" in out

    status, _, err = windows_like(tmp_path, STOPPED, *train, "--out", "läufe/my run")
    assert status == 130, err
    assert err.endswith('python -m minivae train --resume --out "läufe/my run"\n')
    status, out, err = windows_like(
        tmp_path, COMMAND, "train", "--resume", "--out", "läufe/my run", "--json"
    )
    assert status == 0, err
    report = json.loads(out)
    assert report["run"] == "läufe/my run"
    assert tiny.outputs(tmp_path / "läufe/my run") == tiny.outputs(tmp_path / "whole")

    status, out, err = windows_like(
        tmp_path, COMMAND, "evaluate", "läufe/my run", "--samples", "10", "--json"
    )
    assert status == 0, err
    assert json.loads(out)["run"] == "läufe/my run"


@linux
def test_a_second_run_in_the_same_folder_is_refused(tmp_path):
    code = """
from minivae import MinivaeError, files
for _ in range(2):
    with files.lock_folder("."):
        try:
            files.lock_folder(".").__enter__()
        except MinivaeError as error:
            print(error)
"""
    status, out, err = windows_like(tmp_path, code)
    assert status == 0, err
    assert (
        out.splitlines()
        == [". is being written by another run; wait for it, or choose another folder"] * 2
    )


@linux
def test_the_gradient_check_passes(tmp_path):
    status, out, err = windows_like(tmp_path, COMMAND, "gradcheck", "--json")
    assert status == 0, err
    report = json.loads(out)
    assert report["ok"] is True
    assert {block["backend"] for block in report["blocks"]} == {"numpy", "numba"}


def test_messages_write_a_path_of_windows_with_slashes():
    assert checks.printable(PureWindowsPath("runs\\my run")) == "runs/my run"


@pytest.mark.parametrize(
    ("platform", "line"),
    [
        ("linux", "train --out 'my run' 'a$b' it"),
        ("darwin", "train --out 'my run' 'a$b' it"),
        ("win32", 'train --out "my run" a$b it'),
    ],
)
def test_a_printed_command_is_quoted_for_the_systems_shell(monkeypatch, platform, line):
    monkeypatch.setattr(sys, "platform", platform)
    assert shell_line(["train", "--out", "my run", "a$b", "it"]) == line

"""Standard streams that are closed, full, or end early: a command goes on, or says one line."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tiny

from minivae.cli.signals import StopSignals

ROOT = Path(__file__).parents[1]
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"}
pytestmark = pytest.mark.skipif(os.name == "nt", reason="needs a POSIX shell")


def shell(folder, line):
    """Run a line of the shell; $MINIVAE is the command."""
    environment = ENVIRONMENT | {"MINIVAE": f"{sys.executable} -m minivae"}
    return subprocess.run(
        ["sh", "-c", line], cwd=folder, env=environment, capture_output=True, text=True, timeout=300
    )


@pytest.fixture
def folder(tmp_path):
    np.save(tmp_path / "tiny.npy", tiny.images() > 127)
    return tmp_path


TRAIN = f"$MINIVAE train {' '.join(tiny.OPTIONS)} --out run"
needs_full = pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
REDIRECTIONS = [
    *(">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"),
    *(pytest.param(line, marks=needs_full) for line in ("2>/dev/full", "2>/dev/full >&-")),
]


@pytest.mark.parametrize("streams", REDIRECTIONS)
def test_training_goes_on_without_its_streams(folder, streams, monkeypatch, capsys):
    """With standard error closed, the checkpoint would get its number, 2, and be written over."""
    result = shell(folder, f"{TRAIN} --checkpoint-seconds 0 {streams}")
    assert result.returncode == 0, result.stderr
    assert {"model.npz", "checkpoint.npz", "history.csv"} <= set(os.listdir(folder / "run"))
    assert "Traceback" not in result.stderr
    tiny.draw_no_pictures(monkeypatch)
    monkeypatch.chdir(folder)
    status, out, err = tiny.command(capsys, "train", "--resume", "--out", "run", "--json")
    assert status == 0, err
    assert json.loads(out)["resumed"] is True


@needs_full
@pytest.mark.parametrize("command", ["$MINIVAE exercises", "$MINIVAE museum --json"])
def test_a_result_that_cannot_be_written_is_one_line(folder, command):
    result = shell(folder, f"{command} >/dev/full")
    assert result.returncode == 2
    assert result.stderr.startswith("minivae: error: standard output cannot be written: No space")
    assert result.stderr.count("\n") == 1


def test_a_quiz_without_input_ends(folder):
    for line in ("$MINIVAE museum <&-", "$MINIVAE exercises --review <&-"):
        result = shell(folder, line)
        assert (result.returncode, result.stderr) == (0, "")


def test_the_reader_of_a_pipe_may_end_early(folder):
    result = shell(folder, "$MINIVAE museum --json | head -c 10")
    assert (len(result.stdout), result.stderr) == (10, "")


def test_the_second_signal_ends_at_once(ctrl_c):
    """While the kernels are compiled, nothing looks at the flag that the first one sets."""
    with StopSignals() as stop:
        signal.raise_signal(signal.SIGINT)
        assert stop()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)

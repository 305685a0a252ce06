"""Without the packages of requirements.txt, every command says in one line how to get them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from minivae import cli

ROOT = Path(__file__).parent.parent
BARE = [sys.executable, "-S", "-m", "minivae"]  # -S: no installed packages
# What a command needs before it can do anything; the run and the files need not exist.
ARGUMENTS = {"evaluate": ["run"], "sample": ["run"], "explore": ["run"]}
NEED_NOTHING = {"learn"}  # copies notebooks; JupyterLab is another program


def bare(folder, *argv):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [*BARE, *argv], cwd=folder, env=environment, capture_output=True, text=True, timeout=60
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("command", cli.COMMANDS)
def test_help_or_one_line(tmp_path, command):
    status, out, err = bare(tmp_path, command, "--help")
    if status == 0:
        assert out.startswith("usage: python -m minivae")
        assert not err
    else:
        names_the_environment(status, out, err)


@pytest.mark.parametrize("command", sorted(set(cli.COMMANDS) - NEED_NOTHING))
def test_the_command_itself(tmp_path, command):
    names_the_environment(*bare(tmp_path, command, *ARGUMENTS.get(command, ())))
    assert list(tmp_path.iterdir()) == []


def names_the_environment(status, out, err):
    assert (status, out) == (2, "")
    assert err.startswith("minivae: error: the package ")
    assert "is missing from this Python" in err
    assert "activate" in err
    assert len(err.splitlines()) == 1


def test_the_list_of_commands_needs_no_package(tmp_path):
    status, out, err = bare(tmp_path, "--help")
    assert (status, err) == (0, "")
    assert all(command in out for command in cli.COMMANDS)


def test_a_missing_module_of_ours_is_a_fault_and_shows_where(monkeypatch):
    def fails(argv):
        raise ModuleNotFoundError("No module named 'minivae.gone'", name="minivae.gone")

    monkeypatch.setattr(cli, "build_parser", fails)
    with pytest.raises(ModuleNotFoundError):
        cli.main([])

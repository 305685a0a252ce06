"""For a class: graded notebooks, locked solutions, and an exercise that is started again."""

import csv
import io
import json

import nbformat
import pytest

from minivae import exercises as api
from minivae.cli import exercises as command
from minivae.errors import MinivaeError
from minivae.exercises import checker, submissions
from minivae.exercises.cards import CORRECT, NOT_ATTEMPTED, NOT_YET
from minivae.exercises.catalogue import exercises

pytestmark = pytest.mark.usefixtures("progress_file")


def write_notebook(path, *cells):
    path.parent.mkdir(parents=True, exist_ok=True)
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    nbformat.write(notebook, path)


IMPORTS = "from minivae.exercises import check, solution\nimport numpy as np"
RIGHT = """\
def gaussian_kl_mine(mu, logvar):
    return 0.5 * (mu**2 + np.exp(logvar) - 1 - logvar).sum(axis=1)
check("03.kl", gaussian_kl_mine)"""
WRONG = 'check("05.sigmoid", lambda a: a)'


# ---- grading -----------------------------------------------------------------------------------


def test_a_folder_of_notebooks_becomes_a_table(tmp_path, capsys, progress_file):
    """What is checked after a cell that fails counts, and nobody's progress is touched."""
    folder = tmp_path / "class"
    write_notebook(folder / "ada.ipynb", IMPORTS, WRONG, "1 / 0", RIGHT)
    write_notebook(folder / "group" / "=bob.ipynb", IMPORTS, 'solution("03.kl")')
    (folder / "cleo.ipynb").write_text("{}", encoding="utf-8")
    write_notebook(folder / ".ipynb_checkpoints" / "ada.ipynb", IMPORTS)
    seen = []
    graded = submissions.grade_folder(folder, 10, seen.append)
    assert graded == seen
    ada, cleo, bob = graded
    assert (ada.name, ada.statuses) == ("ada.ipynb", {"03.kl": CORRECT, "05.sigmoid": NOT_YET})
    assert ada.ended == "whole"
    assert (cleo.statuses, cleo.ended) == ({}, "not a notebook")
    assert (bob.name, bob.statuses, bob.opened) == ("group/=bob.ipynb", {}, ("03.kl",))
    assert not progress_file.exists()
    rows = list(csv.DictReader(io.StringIO(submissions.table(graded))))
    assert [row["correct"] for row in rows] == ["1", "0", "0"]
    assert [row["05.sigmoid"] for row in rows] == [NOT_YET, NOT_ATTEMPTED, NOT_ATTEMPTED]
    assert rows[2]["solutions opened"] == "03.kl"


def test_a_notebook_that_never_ends_is_stopped(tmp_path):
    write_notebook(tmp_path / "loop.ipynb", "import time\nwhile True: time.sleep(1)")
    assert (
        submissions.grade_notebook(tmp_path / "loop.ipynb", 0.1).ended
        == "stopped after 0.1 minutes"
    )


def test_a_kernel_that_dies_is_named(tmp_path):
    write_notebook(tmp_path / "dies.ipynb", "import os; os._exit(1)")
    assert submissions.grade_notebook(tmp_path / "dies.ipynb").ended.startswith("DeadKernelError")


def test_a_name_is_no_formula_in_a_spreadsheet():
    one = submissions.Graded("=1+1.ipynb", {}, (), 1.0, "whole")
    assert submissions.table([one]).splitlines()[1].startswith("'=1+1.ipynb,0,0,")


@pytest.mark.parametrize(("name", "says"), [("empty", "holds no notebook"), ("x", "not a folder")])
def test_a_folder_without_notebooks_is_an_error(tmp_path, name, says):
    (tmp_path / "empty").mkdir()
    with pytest.raises(MinivaeError, match=says):
        submissions.grade_folder(tmp_path / name)


# ---- solutions ---------------------------------------------------------------------------------


def test_an_opened_solution_is_recorded(progress_file):
    api.solution("03.kl")
    assert set(json.loads(progress_file.read_text())["exercises"]["03.kl"]) == {"opened"}
    assert {row["status"] for row in api.summary()["exercises"]} == {NOT_ATTEMPTED}


@pytest.mark.parametrize("locked", ["all", "03", "01 03.kl"])
def test_a_locked_solution_stays_closed(locked, monkeypatch, progress_file):
    monkeypatch.setenv(checker.LOCKED, locked)
    card = api.solution("03.kl")
    assert "locked" in card.title
    assert "def" not in card.body
    assert not progress_file.exists()
    monkeypatch.setenv(checker.LOCKED, "04")
    assert "def" in api.solution("03.kl").body


# ---- starting again ----------------------------------------------------------------------------


def test_an_exercise_is_forgotten(progress_file):
    for id in ("03.kl", "03.kl-backward", "05.sigmoid"):
        api.check(id, exercises()[id].reference)
    api.check("03.kl", lambda mu, logvar: mu)  # now it is due for review, too
    assert api.forget(["03.kl"]) == ["03.kl"]
    state = json.loads(progress_file.read_text())
    assert set(state["exercises"]) == {"03.kl-backward", "05.sigmoid"}
    assert state["review"] == {}
    assert "03.kl" not in checker.passed
    assert api.forget(["03.kl"]) == []


def test_a_notebook_is_forgotten_with_its_questions(progress_file):
    api.check("03.kl", exercises()["03.kl"].reference)
    api.recall("03", "a", "a", "a")
    api.check("05.sigmoid", exercises()["05.sigmoid"].reference)
    assert "03.kl" in api.forget(["03"])
    state = json.loads(progress_file.read_text())
    assert set(state["exercises"]) == {"05.sigmoid"}
    assert state["answers"] == {}
    assert state["review"] == {}


def test_an_unknown_name_forgets_nothing(progress_file):
    api.check("03.kl", exercises()["03.kl"].reference)
    with pytest.raises(MinivaeError, match=r"did you mean '03.kl'"):
        api.forget(["03.kl", "03.kll"])
    assert "03.kl" in json.loads(progress_file.read_text())["exercises"]


def test_minutes_belong_to_grading():
    import argparse

    args = argparse.Namespace(review=False, reset=None, grade=None, minutes=3.0, json=False)
    with pytest.raises(MinivaeError, match="goes with --grade"):
        command.execute(args)

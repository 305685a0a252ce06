"""The notebooks hold the exercises and questions of the catalogue."""

import ast
import json
import re
from pathlib import Path

import pytest

from minivae.exercises import questions
from minivae.exercises.cards import NOT_ATTEMPTED
from minivae.exercises.catalogue import exercises

ROOT = Path(__file__).parents[1]
SOURCES = sorted((ROOT / "notebooks" / "src").glob("[0-9][0-9]*_*.py"))
pytestmark = pytest.mark.usefixtures("progress_file")


def placed(source):
    return re.findall(r'^(?:\w+ = )?(check|use)\("([^"]+)", (\w+)\)', source, re.MULTILINE)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_a_notebook_holds_the_stubs_of_its_exercises(path):
    """The stub as in the catalogue, and its check: another test puts the solution there."""
    source = path.read_text(encoding="utf-8")
    checked = {id: name for verb, id, name in placed(source) if verb == "check"}
    own = {e.id: e for e in exercises().values() if e.notebook == path.name[:2]}
    assert checked.items() <= {id: e.name for id, e in own.items()}.items()
    assert [id for id in checked if own[id].stub not in source] == []


def test_each_exercise_is_in_one_notebook():
    """A chapter of exercises may be divided among the parts of a notebook: 08a, 08b, 08c."""
    found = [placed(path.read_text(encoding="utf-8")) for path in SOURCES]
    checked = [id for notebook in found for verb, id, _ in notebook if verb == "check"]
    assert sorted(checked) == sorted(exercises())


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_a_notebooks_questions_exist(path):
    source = path.read_text(encoding="utf-8")
    predicted = re.findall(r'^predict\("([^"]+)"', source, re.MULTILINE)
    revealed = re.findall(r'^reveal\("([^"]+)"', source, re.MULTILINE)
    known = {id for id in questions.predictions() if id.startswith(path.name[:2])}
    assert set(predicted) <= known
    assert sorted(predicted) == sorted(revealed)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_an_untouched_notebook_says_not_attempted(path):
    """Read from the committed outputs; another test checks that they belong to the source."""
    built = ROOT / "notebooks" / f"{path.stem}.ipynb"
    notebook = json.loads(built.read_text(encoding="utf-8"))
    cells = [c for c in notebook["cells"] if c["cell_type"] == "code"]
    for cell in cells:
        text = "".join(cell["source"])
        for verb, id, _ in placed(text):
            if verb == "check":
                assert f"{id}: {NOT_ATTEMPTED}" in json.dumps(cell["outputs"], ensure_ascii=False)


def test_the_letter_of_the_training_on_few_images():
    """Notebook 07 gives its sick trainings letters; the prediction names one of them."""
    source = (ROOT / "notebooks" / "src" / "07_a_working_model.py").read_text(encoding="utf-8")
    assigned = {
        node.targets[0].id: node.value
        for node in ast.parse(source).body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
    sick = [key.value for key in assigned["SICK"].keys]
    expression = compile(ast.Expression(assigned["letters"]), "notebook 07", "eval")
    letters = eval(expression, {"SICK": sick})
    assert letters[questions.predictions()["07.clinic"].truth] == "only 100 images"

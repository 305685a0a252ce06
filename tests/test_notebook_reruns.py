"""Cells are run again all the time: a notebook gives the same in a later pass, solved or not.

What makes a later pass differ is a name that two cells use with two meanings, above all that of an
exercise's stub: once its cell has run, an earlier cell would find the stub, or the reader's answer.
"""

import copy
import json
import symtable

import jupytext
import pytest

from minivae.exercises.cards import CORRECT
from minivae.exercises.catalogue import exercises
from notebooks import build

SOURCES = build.sources()
each = pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
pytestmark = pytest.mark.usefixtures("progress_file")
# These show what the reader has done so far, which differs between the passes.
ANSWERED = ("check(", "use(", "predict(", "reveal(", "recall(", "my_backend(", "poster(")


def own_exercises(source):
    text = source.read_text(encoding="utf-8")
    return [e for e in exercises().values() if e.notebook == source.name[:2] and e.stub in text]


def code_cells(source):
    notebook = jupytext.read(source, fmt="py:percent")
    return [cell.source for cell in notebook.cells if cell.cell_type == "code"]


def global_names(code):
    """(names that a cell binds, names that it reads), of those that other cells share with it."""
    top = symtable.symtable(code, "cell", "exec")
    bound = {s.get_name() for s in top.get_symbols() if s.is_assigned() or s.is_imported()}
    read, tables = set(), [top]
    while tables:
        table = tables.pop()
        tables += table.get_children()
        read |= {
            s.get_name()
            for s in table.get_symbols()
            if s.is_referenced() and (table is top or s.is_global())
        }
    return bound, read


def clashes(cells, exercise):
    """Cells that give the stub's name another meaning, or read it before the stub binds it."""
    stub_cell = next(i for i, code in enumerate(cells) if exercise.stub in code)
    given_on = f'{exercise.name} = use("{exercise.id}", {exercise.name})'
    found = []
    for i, code in enumerate(cells):
        bound, read = global_names(code.replace(given_on, ""))
        meets = bound | read if i < stub_cell else bound
        if i != stub_cell and exercise.name in meets:
            found.append((i, exercise.name))
    return found


@each
def test_a_stub_has_a_name_of_its_own(source):
    cells = code_cells(source)
    assert [clash for e in own_exercises(source) for clash in clashes(cells, e)] == []


def test_a_clash_of_names_is_found():
    exercise = exercises()["03.kl"]
    name, stub = exercise.name, exercise.stub
    harmless = ["import numpy as np", f"def f({name}):\n    return {name}, np.{name}"]
    last = f'{name} = use("03.kl", {name})'
    assert clashes([*harmless, stub, f"{name}(1)", last], exercise) == []
    for clash in (f"{name} = 3", f"def f():\n    return {name}(1)", f"from numpy import {name}"):
        assert clashes([*harmless, clash, stub], exercise) == [(2, name)]
    assert clashes([stub, f"def {name}(): ..."], exercise) == [(1, name)]


def three_passes(notebook, own):
    """As it stands, then with every stub solved, then the same again: all in one namespace."""
    solved = copy.deepcopy(notebook.cells)
    for cell in solved:
        for exercise in own:
            cell.source = cell.source.replace(exercise.stub, exercise.source())
    notebook.cells += [*solved, *copy.deepcopy(solved)]
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number}"
    return notebook


@pytest.mark.slow
@each
def test_every_cell_can_be_run_again(source):
    """The first pass leaves the stubs in the namespace, the second the solutions."""
    own = own_exercises(source)
    executed = build.execute(source, lambda notebook: three_passes(notebook, own))
    size = len(executed.cells) // 3
    passes = [executed.cells[i : i + size] for i in range(0, 3 * size, size)]
    for first, second, third in zip(*passes, strict=True):
        measures = "timing" in first.metadata.get("tags", [])
        if first.cell_type == "code" and not measures:
            if not any(verb in first.source for verb in ANSWERED):
                assert first.source == second.source
                assert outputs_of(second) == outputs_of(third), first.source
                if not any(e.name in first.source for e in own):  # it shows what an answer gives
                    assert outputs_of(first) == outputs_of(second), first.source
    for cells in passes[1:]:
        text = json.dumps([cell.get("outputs", []) for cell in cells], ensure_ascii=False)
        assert [e.id for e in own if f"{e.id}: {CORRECT}" not in text] == []


def outputs_of(cell):
    """What a cell shows, without the number of its execution."""
    return [{k: v for k, v in o.items() if k != "execution_count"} for o in cell.outputs]

"""The reader's copies of the notebooks: an update brings what is new, and no answer is lost."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from minivae import cli
from minivae.errors import MinivaeError
from minivae.exercises import workbook

ROOT = Path(__file__).resolve().parent.parent
FIRST = 'import sys; sys.path[:0] = [".", "..", "minivae", "../minivae"]'


def code(text):
    return nbformat.v4.new_code_cell(text)


def texts(cells):
    return [cell.source for cell in cells]


def cells(*sources):
    return [code(source) for source in sources]


@pytest.mark.parametrize(
    ("base", "mine", "new", "merged", "kept"),
    [
        pytest.param("abc", "abc", "aXc", "aXc", 0, id="only the project changed"),
        pytest.param("abc", "aXc", "abc", "aXc", 1, id="only the reader changed"),
        pytest.param("abcd", "aXcd", "abcY", "aXcY", 1, id="both, in different places"),
        pytest.param("abc", "abcXY", "abc", "abcXY", 2, id="cells added at the end"),
        pytest.param("abc", "Xabc", "abcd", "Xabcd", 1, id="cells added at the head"),
        pytest.param("abc", "aXc", "aXc", "aXc", 0, id="the same change"),
        pytest.param("abc", "ac", "abc", "ac", 0, id="a cell that the reader removed"),
        pytest.param("abc", "abc", "ac", "ac", 0, id="a cell that the project removed"),
        pytest.param("abc", "aXc", "aYc", "aY!Xc", 1, id="both changed one cell"),
        pytest.param("abc", "aXc", "ac", "a!Xc", 1, id="the project removed what was answered"),
        pytest.param("abc", "X", "aYc", "aYc!X", 1, id="nothing in common"),
    ],
)
def test_three_versions_become_one(base, mine, new, merged, kept):
    found, count = workbook.merge(cells(*base), cells(*mine), cells(*new))
    words = ["!" if "your version" in text else text for text in texts(found)]
    assert ("".join(words), count) == (merged, kept)


def test_an_answer_keeps_its_output():
    mine = cells("a", "same", "answer")
    mine[2].outputs = [nbformat.v4.new_output("stream", text="correct")]
    merged, _ = workbook.merge(cells("a", "same", "stub"), mine, cells("b", "same", "stub"))
    assert texts(merged) == ["b", "same", "answer"]
    assert merged[2].outputs[0].text == "correct"


@pytest.fixture
def project(tmp_path):
    """A folder as the project's, with one notebook and the pages."""
    folder = tmp_path / "project" / "notebooks"
    folder.mkdir(parents=True)
    for page in workbook.PAGES:
        (folder / page).write_text("page", encoding="utf-8")
    write(folder / "01_a.ipynb", FIRST, "stub = ...", "check")
    return folder


def write(path, *sources):
    notebook = nbformat.v4.new_notebook(cells=cells(*sources))
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number:03d}"
    nbformat.write(notebook, path)


def read(path):
    return texts(nbformat.read(path, as_version=4).cells)


def test_a_copy_is_updated_and_keeps_what_was_answered(project):
    copies = project.parent / "learn"
    assert workbook.copy_notebooks(copies, project) == [("01_a.ipynb", "new", 0)]
    assert workbook.copy_notebooks(copies, project) == [("01_a.ipynb", "unchanged", 0)]
    write(project / "01_a.ipynb", FIRST, "stub = ...", "check", "more")
    assert workbook.copy_notebooks(copies, project) == [("01_a.ipynb", "updated", 0)]

    write(copies / "01_a.ipynb", FIRST, "stub = 3", "check", "more", "mine")
    write(project / "01_a.ipynb", "news", FIRST, "stub = ...", "check", "even more")
    assert workbook.copy_notebooks(copies, project) == [("01_a.ipynb", "merged", 2)]
    merged = read(copies / "01_a.ipynb")
    assert merged[:5] == ["news", FIRST, "stub = 3", "check", "even more"]
    assert "your version" in merged[5]
    assert merged[6:] == ["mine"]
    before = copies / workbook.BEFORE_UPDATE / "01_a.ipynb"
    assert read(before) == [FIRST, "stub = 3", "check", "more", "mine"]
    assert workbook.copy_notebooks(copies, project) == [("01_a.ipynb", "unchanged", 0)]


def test_every_version_before_an_update_is_kept(project):
    copies = project.parent / "learn"
    workbook.copy_notebooks(copies, project)
    for step in ("one", "two"):
        write(copies / "01_a.ipynb", FIRST, f"answer {step}", "check")
        write(project / "01_a.ipynb", step, FIRST, "stub = ...", "check")
        workbook.copy_notebooks(copies, project)
    kept = sorted(path.name for path in (copies / workbook.BEFORE_UPDATE).iterdir())
    assert kept == ["01_a-2.ipynb", "01_a.ipynb"]


def test_a_copy_whose_first_version_is_forgotten_loses_nothing(project):
    copies = project.parent / "learn"
    workbook.copy_notebooks(copies, project)
    shutil.rmtree(copies / workbook.AS_SHIPPED)
    write(copies / "01_a.ipynb", FIRST, "stub = 3", "check")
    assert workbook.copy_notebooks(copies, project) == [("01_a.ipynb", "merged", 1)]
    assert "stub = 3" in read(copies / "01_a.ipynb")


def test_a_file_that_is_no_notebook_any_more_stays(project):
    copies = project.parent / "learn"
    workbook.copy_notebooks(copies, project)
    (copies / "01_a.ipynb").write_text("half a file", encoding="utf-8")
    write(project / "01_a.ipynb", FIRST, "new")
    assert workbook.copy_notebooks(copies, project) == [("01_a.ipynb", "beside", 0)]
    assert (copies / "01_a.ipynb").read_text(encoding="utf-8") == "half a file"
    assert read(copies / "01_a.new.ipynb") == [FIRST, "new"]


def test_a_copy_elsewhere_finds_the_package(tmp_path):
    copies = tmp_path / "Ordner mit Ümlaut" / "deep"
    workbook.copy_notebooks(copies)
    first = next(c for c in nbformat.read(copies / "03_kl_between_gaussians.ipynb", 4).cells
                 if c.cell_type == "code")  # fmt: skip
    script = f"{first.source.splitlines()[0]}\nimport minivae; print(minivae.__file__)"
    found = subprocess.run(
        [sys.executable, "-c", script], cwd=copies, capture_output=True, text=True, check=True
    )
    assert Path(found.stdout.strip()) == ROOT / "minivae" / "__init__.py"


def test_the_projects_own_folder_and_a_file_are_refused(project, tmp_path):
    with pytest.raises(MinivaeError, match="the project's own folder"):
        workbook.copy_notebooks(project, project)
    (tmp_path / "file").write_text("x", encoding="utf-8")
    with pytest.raises(MinivaeError, match="choose another folder"):
        workbook.copy_notebooks(tmp_path / "file", project)
    with pytest.raises(MinivaeError, match="clone of the project"):
        workbook.copy_notebooks(tmp_path / "copies", tmp_path / "nothing")


def test_the_command_copies_and_says_so(tmp_path, capsys):
    assert cli.main(["learn", str(tmp_path / "own"), "--copy-only"]) == 0
    assert "notebooks" in capsys.readouterr().out
    assert cli.main(["learn", str(tmp_path / "own"), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert {one["state"] for one in report["notebooks"]} == {"unchanged"}


def test_git_does_not_see_the_copies():
    assert "/learn/" in (ROOT / ".gitignore").read_text(encoding="utf-8").split()

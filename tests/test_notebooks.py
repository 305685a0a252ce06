"""The committed notebooks are what their sources say: fresh, small, whole, and renderable."""

import base64
import functools
import io
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import matplotlib
import nbformat
import numpy as np
import pytest

from minivae.exercises.catalogue import CHAPTERS
from notebooks import build, make_map
from notebooks.links import number_of

ROOT = Path(__file__).resolve().parent.parent
SOURCES = build.sources()
IDS = [number_of(source) for source in SOURCES]
each = pytest.mark.parametrize("source", SOURCES, ids=IDS)
# Finds the package from the root, from a folder in it, and beside a clone or a folder beside it.
FIRST_LINE = 'import sys; sys.path[:0] = [".", "..", "minivae", "../minivae"]'
MAX_NOTEBOOK = 500_000
MAX_PICTURE = 60_000
NUMBER = re.compile(r"-?\d+(?:,\d{3})*(?:\.\d+)?(?:e[+-]?\d+)?")
PICTURE_TOLERANCE = 0.02  # mean difference of a pixel, of 1: fonts and antialiasing may differ
FORBIDDEN_MATHS = (r"\label", r"\eqref", r"\ref{", r"\newcommand", r"\begin{align}", r"\def")


@functools.cache
def read(source):
    """The committed notebook; tests must not write into it."""
    return nbformat.read(build.target(source), as_version=4)


def outputs(notebook, *, timed=False):
    """(cell number, output) of every output, without those of cells that measure time."""
    for number, cell in enumerate(notebook.cells):
        measures = "timing" in cell.metadata.get("tags", [])
        if cell.cell_type == "code" and (timed or not measures):
            yield from ((number, output) for output in cell.outputs)


def pictures(output):
    encoded = output.get("data", {}).get("image/png")
    return [] if encoded is None else [base64.b64decode(encoded)]


def words(output):
    if output.output_type == "stream":
        return output.text
    return output.get("data", {}).get("text/plain", "")


# ---- the committed files -----------------------------------------------------------------------


def test_notebooks_are_numbered_in_order_and_each_has_a_source():
    numbers = [f"{i:02d}" for i in range(1, 12)]
    parts = {number: [id[2:] for id in IDS if id[:2] == number] for number in numbers}
    assert IDS == [f"{number}{part}" for number in numbers for part in parts[number]]
    assert all(part in ([""], list("abc")[: len(part)]) for part in parts.values())
    # A notebook of the reader's own in this folder, such as Untitled.ipynb, is none of ours.
    built = sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))
    assert built == [build.target(source) for source in SOURCES]


def test_the_readme_lists_all_notebooks_in_order():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    items = re.findall(r"^(\d+)\. (.*)", readme.split("## The notebooks")[1], re.MULTILINE)
    listed = [(n, link) for n, text in items for link in re.findall(r"\((notebooks/.*?)\)", text)]
    assert listed == [
        (number_of(source)[:2].lstrip("0"), build.target(source).relative_to(ROOT).as_posix())
        for source in SOURCES
    ]


def test_every_chapter_of_exercises_has_a_notebook():
    assert set(CHAPTERS) <= {id[:2] for id in IDS}


@each
def test_a_notebook_is_not_stale(source):
    """After a change of a source or of a module: `python notebooks/build.py --stale`."""
    assert not build.is_stale(source), "python notebooks/build.py --stale builds it again"


@each
def test_a_notebook_renders_on_github(source):
    assert build.target(source).stat().st_size <= MAX_NOTEBOOK
    notebook = read(source)
    for number, output in outputs(notebook, timed=True):
        for picture in pictures(output):
            assert len(picture) <= MAX_PICTURE, f"cell {number}"


@each
def test_a_notebook_was_executed_and_is_clean(source):
    notebook = read(source)
    assert notebook.metadata.kernelspec.name == "python3"
    first = next(cell for cell in notebook.cells if cell.cell_type == "code")
    assert first.source.splitlines()[0] == FIRST_LINE
    for number, cell in enumerate(notebook.cells):
        if cell.cell_type == "code" and cell.source.strip():
            assert cell.execution_count is not None, f"cell {number}"
    for number, output in outputs(notebook, timed=True):
        assert output.output_type != "error", f"cell {number}"
        assert output.get("name") != "stderr", f"cell {number}: {output.text}"
        shown = json.dumps(output)
        assert str(ROOT) not in shown, f"cell {number}"
        assert not re.search(r"(/home/|/root/|/tmp/|/Users/|[A-Z]:\\\\)", shown), f"cell {number}"


@pytest.mark.parametrize("folder", [".", "notebooks", "..", "../elsewhere"])
def test_the_first_line_finds_the_package(folder, tmp_path):
    """Also beside a clone, whose folder has the name of the package and is no package."""
    clone = tmp_path / "minivae"
    for part in ("notebooks", "minivae"):
        (clone / part).mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    (clone / "minivae" / "__init__.py").write_text("found = True\n", encoding="utf-8")
    script = f"{FIRST_LINE}\nfrom minivae import found"
    subprocess.run([sys.executable, "-c", script], cwd=clone / folder, check=True)


@each
def test_outputs_run_no_code_from_elsewhere(source):
    for number, output in outputs(read(source), timed=True):
        page = output.get("data", {}).get("text/html", "")
        assert not re.search(r"<script|https?:|javascript:|\son\w+=", page), f"cell {number}"
        assert "application/javascript" not in output.get("data", {}), f"cell {number}"


# ---- executed again ----------------------------------------------------------------------------


@each
def test_a_notebook_gives_the_same_again(source):
    """Numbers to three significant digits; pictures by tolerance, where matplotlib is of the minor
    version that drew them; on the machine that built it, to the byte."""
    committed, again = read(source), build.execute(source)
    stamped, here = committed.metadata.minivae.platform, build.this_platform()
    same_machine = stamped == here
    drawn_alike = matplotlib_minor(stamped) == matplotlib_minor(here)
    old, new = list(outputs(committed)), list(outputs(again))
    assert [number for number, _ in old] == [number for number, _ in new]
    for (number, before), (_, after) in zip(old, new, strict=True):
        if same_machine:
            assert before == after, f"cell {number}"
        else:
            assert_alike(before, after, number, drawn_alike)


def matplotlib_minor(platform):
    """ "3.10" of "..., matplotlib 3.10.9": its minor releases lay out a picture differently."""
    return re.search(r"matplotlib (\d+\.\d+)", platform)[1]


def assert_alike(before, after, number, drawn_alike):
    old, new = words(before), words(after)
    assert NUMBER.sub("#", old) == NUMBER.sub("#", new), f"cell {number}"
    assert [three_digits(n) for n in NUMBER.findall(old)] == [
        three_digits(n) for n in NUMBER.findall(new)
    ], f"cell {number}"
    for one, other in zip(pictures(before), pictures(after), strict=True):
        difference = picture_difference(one, other) if drawn_alike else 0
        assert difference < PICTURE_TOLERANCE, f"cell {number}: {difference}"


def three_digits(number):
    return f"{float(number.replace(',', '')):.2e}"


def picture_difference(one, other):
    from PIL import Image

    first = Image.open(io.BytesIO(one)).convert("L")
    second = Image.open(io.BytesIO(other)).convert("L").resize(first.size)
    return np.abs(np.asarray(first, float) - np.asarray(second, float)).mean() / 255


def test_the_comparison_tells_another_number_and_another_picture():
    from nbformat.v4 import new_output

    one = new_output("stream", text="loss 12.345")
    for drawn_alike in (True, False):
        assert_alike(one, new_output("stream", text="loss 12.3451"), 0, drawn_alike)
        with pytest.raises(AssertionError):
            assert_alike(one, new_output("stream", text="loss 12.445"), 0, drawn_alike)
    black, white = (
        new_output("display_data", {"image/png": base64.b64encode(png(level)).decode()})
        for level in (0, 255)
    )
    assert_alike(black, black, 0, True)
    with pytest.raises(AssertionError):
        assert_alike(black, white, 0, True)
    assert_alike(black, white, 0, False)
    with pytest.raises(ValueError, match="zip"):  # a picture that is missing is told anywhere
        assert_alike(black, new_output("display_data"), 0, False)


def test_pictures_are_compared_within_a_minor_release_of_matplotlib():
    here = build.this_platform()
    assert matplotlib_minor(here) == ".".join(matplotlib.__version__.split(".")[:2])
    names = [f"Linux x86_64, numpy 2.4.6 matplotlib {v}" for v in ("3.10.9", "3.10.0", "3.1.0")]
    assert list(map(matplotlib_minor, names)) == ["3.10", "3.10", "3.1"]


def png(level):
    from PIL import Image

    buffer = io.BytesIO()
    Image.new("L", (8, 8), level).save(buffer, "PNG")
    return buffer.getvalue()


# ---- mathematics -------------------------------------------------------------------------------


def formulas(source):
    """(cell number, formula, is display) in the Markdown cells."""
    for number, cell in enumerate(read(source).cells):
        if cell.cell_type == "markdown":
            text = re.sub(r"```.*?```|`[^`\n]*`", "", cell.source, flags=re.S)
            for display, inline in re.findall(r"\$\$(.*?)\$\$|\$([^$]+?)\$", text, flags=re.S):
                yield number, display or inline, bool(display)


@each
def test_formulas_keep_to_what_both_renderers_know(source):
    for number, formula, _ in formulas(source):
        for forbidden in FORBIDDEN_MATHS:
            assert forbidden not in formula, f"cell {number}: {formula}"
    for number, cell in enumerate(read(source).cells):
        if cell.cell_type == "markdown":
            for line in cell.source.splitlines():
                if "$$" in line:  # GitHub wants the dollars of a display on lines of their own
                    assert line.strip() == "$$", f"cell {number}: {line}"


KATEX = next((p for p in (ROOT / ".venv" / "node_modules" / "katex",) if p.is_dir()), None)
RENDER = """
const katex = require(process.argv[1]);
const formulas = JSON.parse(require("fs").readFileSync(0, "utf8"));
const failed = [];
for (const [where, tex, displayMode] of formulas) {
  try { katex.renderToString(tex, { displayMode, throwOnError: true, strict: "ignore" }); }
  catch (error) { failed.push(where + ": " + tex + " -> " + error.message); }
}
console.log(JSON.stringify(failed));
"""


@pytest.mark.skipif(
    KATEX is None or shutil.which("node") is None,
    reason="Node.js and KaTeX are not here (npm install --prefix .venv katex)",
)
def test_katex_renders_every_formula():
    found = [
        (f"{source.stem} cell {number}", formula, display)
        for source in SOURCES
        for number, formula, display in formulas(source)
    ]
    assert len(found) > 100
    done = subprocess.run(
        ["node", "-e", RENDER, str(KATEX)],
        input=json.dumps(found), capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert json.loads(done.stdout) == []


# ---- references --------------------------------------------------------------------------------

REFERENCE = re.compile(r"notebook (\d\d), eqs?\. ([\d, and to]+)")


def references():
    """(file, notebook, equation) of every reference in the package's docstrings and comments."""
    for path in sorted((ROOT / "minivae").rglob("*.py")):
        for notebook, equations in REFERENCE.findall(path.read_text(encoding="utf-8")):
            numbers = [int(n) for n in re.findall(r"\d+", equations)]
            if " to " in equations:
                numbers = range(numbers[0], numbers[-1] + 1)
            for number in numbers:
                yield path.relative_to(ROOT).as_posix(), notebook, number


def test_every_equation_that_the_package_points_to_exists():
    tags = {id[:2]: set() for id in IDS}
    for source in SOURCES:
        text = source.read_text(encoding="utf-8")
        tags[number_of(source)[:2]] |= set(map(int, re.findall(r"\\tag\{(\d+)\}", text)))
    found = list(references())
    assert len(found) > 20
    missing = [ref for ref in found if ref[2] not in tags.get(ref[1], set())]
    assert missing == []


@each
def test_equations_are_numbered_once_and_in_order(source):
    numbers = list(map(int, re.findall(r"\\tag\{(\d+)\}", source.read_text(encoding="utf-8"))))
    assert numbers == list(range(1, len(numbers) + 1))


def test_the_map_points_to_the_right_lines():
    """After an edit of ops.py or vae.py: `python notebooks/make_map.py`."""
    assert make_map.TARGET.read_text(encoding="utf-8") == make_map.page()


# ---- the builder -------------------------------------------------------------------------------


def test_running_from_the_root_works_too():
    """The first lines of notebook 01, as JupyterLab runs them when it was started in the root."""
    notebook = read(SOURCES[0])
    cells = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    done = subprocess.run(
        [sys.executable, "-c", cells[0]], cwd=ROOT, capture_output=True, text=True, timeout=120,
        env=os.environ | {"PYTHONPATH": ""}, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr

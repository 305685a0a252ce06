"""The links of the built notebooks: each leads to a notebook that is there, and none is missing."""

import re
from pathlib import Path

import jupytext
import nbformat
import pytest

from notebooks import build, links

SOURCES = build.sources()
FILES = {"03": "03_kl.ipynb", "04": "04_trick.ipynb", "08": "08a_loops.ipynb"}
LINK = re.compile(r"\]\(([^)#\s]+)[^)]*\)")
each = pytest.mark.parametrize("source", SOURCES, ids=[links.number_of(s) for s in SOURCES])


@pytest.mark.parametrize(
    ("text", "linked"),
    [
        ("see notebook 04.", "see [notebook 04](04_trick.ipynb)."),
        ("Notebook\n04 asks", "[Notebook\n04](04_trick.ipynb) asks"),
        ("notebook 08 is fast", "[notebook 08](08a_loops.ipynb) is fast"),
        ("notebooks 03, 04 and 08", "notebooks 03, [04](04_trick.ipynb) and [08](08a_loops.ipynb)"),
        ("this is notebook 03", "this is notebook 03"),
        ("notebook 12 is not there", "notebook 12 is not there"),
        ("`notebook 04` and $04$", "`notebook 04` and $04$"),
        ("[notebook 04](x.ipynb)", "[notebook 04](x.ipynb)"),
        ("a notebook 041 pages long", "a notebook 041 pages long"),
    ],
)
def test_mentions_of_other_notebooks_become_links(text, linked):
    assert links.with_mentions(text, "03", FILES) == linked


def test_an_exercise_gets_a_heading_with_its_title():
    assert links.with_heading("**The KL.** One number.", "03.kl") == (
        "### Exercise `03.kl`: The KL\n\nOne number."
    )
    assert (
        links.with_heading("**Which?** Choose.", "03.a") == "### Exercise `03.a`: Which?\n\nChoose."
    )
    assert links.with_heading("Write it.", "03.b") == "### Exercise `03.b`\n\nWrite it."


def test_the_parts_of_a_notebook_are_neighbours(tmp_path):
    names = ("07_model", "08a_loops", "08b_traps", "09_good")
    for name in names:
        title = f"# # {name.split('_')[0]} · The {name.split('_')[1]}\n"
        (tmp_path / f"{name}.py").write_text(title, encoding="utf-8")
    paths = [tmp_path / f"{name}.py" for name in names]
    assert links.neighbours(paths[1], paths) == (
        "← [07 The model](07_model.ipynb) · [the whole VAE on one page](map.md) · "
        "[08b The traps](08b_traps.ipynb) →"
    )
    assert "←" not in links.neighbours(paths[0], paths)
    assert "→" not in links.neighbours(paths[-1], paths)


@each
def test_a_committed_notebook_has_the_text_and_the_links_of_its_source(source):
    expected = jupytext.read(source, fmt="py:percent")
    links.add_links(expected, source, SOURCES)
    committed = nbformat.read(build.target(source), as_version=4)
    assert [cell.source for cell in committed.cells] == [cell.source for cell in expected.cells]


@each
def test_every_link_of_a_notebook_leads_to_a_file(source):
    folder = build.target(source).parent
    for cell in nbformat.read(build.target(source), as_version=4).cells:
        if cell.cell_type == "markdown":
            for target in LINK.findall(cell.source):
                if not target.startswith(("https:", "http:", "attachment:")):
                    assert Path(folder / target).exists(), target

"""The links of a built notebook: mentions of other notebooks, its neighbours, and its exercises.

The sources say "notebook 04" in plain text. The notebook that is built from one links every such
mention, has a line with the notebook before, the map and the notebook after at its head and at its
foot, and gives each exercise a heading, so that the table of contents of JupyterLab lists them.
"""

import re
from itertools import pairwise
from pathlib import Path

ONE = re.compile(r"\b[Nn]otebook\s(\d\d[a-z]?)\b")
SEVERAL = re.compile(r"\b[Nn]otebooks\s\d\d[a-z]?(?:(?:,|\sto|\sand|\sor)\s\d\d[a-z]?\b)+")
NUMBER = re.compile(r"\b\d\d[a-z]?\b")
# What must stay as it is: code, links, mathematics.
SPARED = re.compile(r"(```.*?```|`[^`]*`|\[[^\]]*\]\([^)]*\)|\$\$.*?\$\$|\$[^$]*\$)", re.DOTALL)
EXERCISE = re.compile(r'\bcheck\("(\d\d\.[a-z0-9-]+)"')
TITLE = re.compile(r"\*\*([^*]+?(?:\.|\?|!))\*\*\s*")


def number_of(path: Path) -> str:
    """ "04" of 04_the_reparameterization_trick.py, "08a" of 08a_loops.py."""
    return path.stem.split("_")[0]


def add_links(notebook, source: Path, sources: list[Path]) -> None:
    """Add its links to the notebook made from `source`; sources: those of all notebooks."""
    files = {}
    for path in reversed(sources):  # so that "notebook 08" is the first of 08a, 08b, 08c
        number = number_of(path)
        files[number] = files[number[:2]] = f"{path.stem}.ipynb"
    own = number_of(source)
    cells = notebook.cells
    for before, cell in pairwise(cells):
        exercise = EXERCISE.search(cell.source) if cell.cell_type == "code" else None
        if exercise and before.cell_type == "markdown":
            before.source = with_heading(before.source, exercise[1])
    prose = [cell for cell in cells if cell.cell_type == "markdown"]
    for cell in prose:
        cell.source = with_mentions(cell.source, own, files)
    line = neighbours(source, sources)
    title, _, rest = prose[0].source.partition("\n")
    prose[0].source = f"{title}\n\n{line}\n{rest}"
    prose[-1].source += f"\n\n{line}"


def with_heading(text: str, exercise: str) -> str:
    """ "**The KL.** One number ..." -> the title as a heading, with the exercise's name."""
    title = TITLE.match(text)
    if title is None:
        return f"### Exercise `{exercise}`\n\n{text}"
    rest = text[title.end() :]
    return f"### Exercise `{exercise}`: {title[1].removesuffix('.')}\n\n{rest}".rstrip()


def with_mentions(text: str, own: str, files: dict[str, str]) -> str:
    """Every "notebook 04" outside code, links and mathematics becomes a link, but not to itself."""

    def linked(words, number):
        known = number in files and number != own
        return f"[{words}]({files[number]})" if known else words

    def each_number(mention):
        return NUMBER.sub(lambda number: linked(number[0], number[0]), mention[0])

    parts = SPARED.split(text)
    parts[::2] = [
        ONE.sub(lambda mention: linked(mention[0], mention[1]), SEVERAL.sub(each_number, part))
        for part in parts[::2]
    ]
    return "".join(parts)


def neighbours(source: Path, sources: list[Path]) -> str:
    """One line: the notebook before, the map, the notebook after."""
    place = sources.index(source)
    words = []
    if place > 0:
        before = sources[place - 1]
        words.append(f"← [{number_of(before)} {words_of(before)}]({before.stem}.ipynb)")
    words.append("[the whole VAE on one page](map.md)")
    if place + 1 < len(sources):
        after = sources[place + 1]
        words.append(f"[{number_of(after)} {words_of(after)}]({after.stem}.ipynb) →")
    return " · ".join(words)


def words_of(source: Path) -> str:
    """ "KL between Gaussians": the title in the first line of its text."""
    title = re.search(r"^# # \S+ · (.+)$", source.read_text(encoding="utf-8"), re.MULTILINE)
    if title is None:
        raise ValueError(f"{source.name} has no title such as '# 03 · KL between Gaussians'")
    return title[1]

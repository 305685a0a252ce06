"""The reader's own copies of the notebooks: made, and brought up to date without losing an answer.

The notebooks in the repository stay as they are, so that `git pull` and the tests never meet an
answer of the reader's. The version that a copy was made from is kept in the hidden folder
`.as_shipped`, so an update is a merge of three versions, cell by cell: what only the reader changed
stays, what only the project changed is taken over, and where both changed the same place the
reader's cells stand below the new ones.
"""

import re
import shutil
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any, NamedTuple

from minivae.checks import printable
from minivae.errors import MinivaeError
from minivae.files import atomic_write, make_folders

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"  # beside the package, in a clone
PAGES = ("map.md", "touch_the_bound.html")
AS_SHIPPED = ".as_shipped"
BEFORE_UPDATE = ".before_update"
NOTE = (
    "**Below: your version.** This place has changed in the project since you edited it. The cells "
    "above are new; the next {count} you wrote, or changed, before the update."
)

Cell = Any  # a cell of nbformat


class Copied(NamedTuple):
    """What was done for one notebook.

    state: "new", "unchanged", "updated" (the reader had changed nothing), "merged", or "beside"
    (the reader's file is no notebook any more: it stays, and the new one has another name).
    kept: the reader's cells in it, of those that were merged.
    """

    name: str
    state: str
    kept: int


def copy_notebooks(folder: str | Path, source: Path = NOTEBOOKS) -> list[Copied]:
    """Copy the notebooks of the project into `folder`, or bring the copies there up to date.

    Before a copy with changes of the reader's is updated, it is kept in `folder`/.before_update.
    Raises MinivaeError if there are no notebooks here, or the folder cannot be written.
    """
    source, folder = Path(source), Path(folder)
    if not source.is_dir():
        raise MinivaeError(
            "the notebooks are not part of an installed package; run this in a clone of the project"
        )
    if folder.resolve() == source.resolve():
        raise MinivaeError(
            f"{printable(folder)} is the project's own folder; choose another one for your copies"
        )
    try:
        make_folders(folder / AS_SHIPPED)
        done = [_copy(path, folder, source) for path in sorted(source.glob("[0-9]*.ipynb"))]
        for page in PAGES:
            shutil.copyfile(source / page, folder / page)
    except OSError as error:
        raise MinivaeError(
            f"{printable(folder)} cannot be written: {error.strerror}; choose another folder"
        ) from None
    return done


def _copy(path, folder, source):
    shipped = _adapted(path.read_text(encoding="utf-8"), folder, source)
    target, base = folder / path.name, folder / AS_SHIPPED / path.name
    if not target.exists():
        state, kept = "new", 0
        atomic_write(target, shipped.encode())
    else:
        state, kept = _update(target, base, shipped)
    atomic_write(base, shipped.encode())
    return Copied(path.name, state, kept)


def _update(target, base, shipped):
    """Bring `target`, made from `base`, to the version `shipped` -> state, cells kept."""
    import nbformat

    if base.exists() and base.read_text(encoding="utf-8") == shipped:
        return "unchanged", 0
    new = nbformat.reads(shipped, as_version=4)
    try:
        mine = nbformat.reads(target.read_text(encoding="utf-8"), as_version=4)
        # Without the version that a copy was made from, every cell that is not in the new one is
        # taken for the reader's.
        old = nbformat.read(base, as_version=4) if base.exists() else new
    except (ValueError, nbformat.ValidationError):
        atomic_write(_free_name(target.with_suffix(".new.ipynb")), shipped.encode())
        return "beside", 0
    if _keys(mine.cells) == _keys(old.cells):
        atomic_write(target, shipped.encode())
        return "updated", 0
    make_folders(target.parent / BEFORE_UPDATE)
    shutil.copy2(target, _free_name(target.parent / BEFORE_UPDATE / target.name))
    new.cells, kept = merge(old.cells, mine.cells, new.cells)
    for number, cell in enumerate(new.cells):
        cell.id = f"cell-{number:03d}"
    atomic_write(target, nbformat.writes(new).encode())
    return "merged", kept


def _adapted(text, folder, source):
    """The notebook as it stands in `folder`: its first line finds the package from there."""
    if folder.resolve().parent == source.resolve().parent:
        return text
    place = str(source.resolve().parent).replace("\\", "/")
    # Once as Python writes a string, and once more as JSON does.
    return text.replace(r"[\".\", \"..\"", rf"[\".\", \"..\", \"{place}\"", 1)


def _free_name(path):
    """`path`, or the first of path-2, path-3, ... that does not exist."""
    stem, number = re.sub(r"\.ipynb$", "", path.name), 1
    while path.exists():
        number += 1
        path = path.with_name(f"{stem}-{number}.ipynb")
    return path


# ---- three versions into one -------------------------------------------------------------------


def merge(base: list[Cell], mine: list[Cell], new: list[Cell]) -> tuple[list[Cell], int]:
    """Merge two descendants of `base` -> the cells, and how many of them only `mine` had.

    Cells are compared by kind and text; where these agree in all three, the cell of `mine` is
    taken, with its output. Between two such cells, the version that differs from `base` is taken;
    where both differ, the cells of `new`, a note, and those of `mine` that are in neither other.
    """
    merged: list[Cell] = []
    kept = 0
    keys = [_keys(cells) for cells in (base, mine, new)]
    start = (0, 0, 0)
    for anchor in [*_common(*keys), (len(base), len(mine), len(new))]:
        old, own, fresh = (key[i:j] for key, i, j in zip(keys, start, anchor, strict=True))
        own_cells, new_cells = mine[start[1] : anchor[1]], new[start[2] : anchor[2]]
        if own == old or own == fresh:
            merged += new_cells
        elif fresh == old:
            merged += own_cells
            kept += sum(key not in old for key in own)
        else:
            added = [c for c, key in zip(own_cells, own, strict=True) if key not in old + fresh]
            merged += new_cells
            merged += [_note(len(added)), *added] if added else []
            kept += len(added)
        if anchor[1] < len(mine):
            merged.append(mine[anchor[1]])
        start = tuple(place + 1 for place in anchor)
    return merged, kept


def _keys(cells):
    return [(cell.cell_type, cell.source) for cell in cells]


def _common(base, mine, new):
    """The cells that all three versions have: (place in base, in mine, in new), ascending."""
    in_mine, in_new = _matches(base, mine), _matches(base, new)
    return [(i, in_mine[i], in_new[i]) for i in range(len(base)) if i in in_mine and i in in_new]


def _matches(base, other):
    """Where the cells of `base` are in `other`, as a longest common run of cells finds them."""
    blocks = SequenceMatcher(a=base, b=other, autojunk=False).get_matching_blocks()
    return {block.a + k: block.b + k for block in blocks for k in range(block.size)}


def _note(count):
    import nbformat

    words = "cell" if count == 1 else f"{count} cells"
    return nbformat.v4.new_markdown_cell(NOTE.format(count=words))

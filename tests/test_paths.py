"""Files, modules and commands named in README, notebooks, map and docstrings exist."""

import ast
import importlib
import re
import textwrap
from pathlib import Path

import pytest

from minivae import cli

ROOT = Path(__file__).parents[1]
MODULES = sorted((ROOT / "minivae").rglob("*.py"))
PAGES = [
    ROOT / "README.md",
    *sorted((ROOT / ".github").glob("*.md")),
    ROOT / "notebooks" / "map.md",
    ROOT / "notebooks" / "syllabus.md",
    *sorted((ROOT / "notebooks" / "src").glob("*.py")),
]
TEXTS = [*PAGES, *MODULES]
each = pytest.mark.parametrize("path", TEXTS, ids=[p.relative_to(ROOT).as_posix() for p in TEXTS])
FILE = re.compile(r"(?<![\w/.-])((?:minivae|notebooks|tests|figures)/[\w./-]*\w)")
MODULE = re.compile(r"(?<![\w/.])(minivae(?:\.[A-Za-z_]\w*)+)")
COMMAND = re.compile(r"python -m minivae ([a-z][a-z-]+)")


def text(path):
    """All text of a page; of a module its docstrings, which are what readers see."""
    whole = path.read_text(encoding="utf-8")
    if path not in MODULES:
        return whole
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef)
    nodes = (node for node in ast.walk(ast.parse(whole)) if isinstance(node, kinds))
    return "\n".join(ast.get_docstring(node) or "" for node in nodes)


def found(name):
    """The module or attribute that a dotted name means; AttributeError or ImportError if none."""
    parts = name.split(".")
    thing = importlib.import_module(parts[0])
    for i, part in enumerate(parts[1:], start=2):
        if not hasattr(thing, part):
            importlib.import_module(".".join(parts[:i]))
        thing = getattr(thing, part)
    return thing


@each
def test_files_that_a_text_names_exist(path):
    for name in FILE.findall(text(path)):
        assert (ROOT / name.removesuffix("/")).exists(), name


@each
def test_modules_and_names_that_a_text_names_exist(path):
    optional = {"torch", "jax", "jaxlib"}
    for name in MODULE.findall(text(path)):
        try:
            found(name)
        except ModuleNotFoundError as error:
            if error.name not in optional:  # the bridges need the library they lead to
                raise


@each
def test_commands_that_a_text_names_exist(path):
    for name in COMMAND.findall(text(path)):
        assert name in cli.COMMANDS


def test_a_name_that_does_not_exist_is_noticed():
    with pytest.raises(ModuleNotFoundError):
        found("minivae.cats")
    assert FILE.findall("see `minivae/ops.py`, notebooks/src/ and a/minivae/x") == [
        "minivae/ops.py", "notebooks/src",
    ]  # fmt: skip


def test_the_lines_that_readme_shows_are_those_of_the_model():
    """README shows the backward pass; it has to be the one that runs."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)
    shown = next(block for block in blocks if "# Backward, the decoder" in block)
    code = (ROOT / "minivae" / "vae.py").read_text(encoding="utf-8")
    assert textwrap.indent(shown, "    ").rstrip() in code

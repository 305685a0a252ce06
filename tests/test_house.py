"""The order of the code: what lies where, what may import what, how long a file may be.

.github/CONTRIBUTING.md says these rules to people; its map of minivae/ is read here.
"""

import ast
import functools
import re
from pathlib import Path

import pytest
import test_notebooks
from conftest import LONGEST_FIRST, RERUN, TOGETHER, group_of

from minivae import kernels, ops
from notebooks.build import sources
from notebooks.links import number_of

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "minivae"
GUIDE = ROOT / ".github" / "CONTRIBUTING.md"
MODULES = sorted(PACKAGE.rglob("*.py"))
FILES = [*MODULES, *sorted(ROOT.glob("tests/*.py")), *sorted(ROOT.glob("notebooks/*.py"))]
MOST_ENTRIES = 27
MOST_LINES = 400
REASON = "More than 400 lines because"


def name(path):
    return path.relative_to(ROOT).as_posix()


@functools.cache
def parsed(path):
    return ast.parse(path.read_text(encoding="utf-8"))


each_module = pytest.mark.parametrize("path", MODULES, ids=name)


def entries():
    """The modules and packages of minivae, and "__init__" for the package itself."""
    files = [path.stem for path in PACKAGE.glob("*.py")]
    return {*files, *[path.parent.name for path in PACKAGE.glob("*/__init__.py")]}


# ---- the layout --------------------------------------------------------------------------------


def test_minivae_opens_to_few_entries():
    shown = [path for path in PACKAGE.iterdir() if path.name != "__pycache__"]
    assert len(shown) <= MOST_ENTRIES


@pytest.mark.parametrize("path", FILES, ids=name)
def test_a_long_file_says_why(path):
    text = path.read_text(encoding="utf-8")
    too_long = len(text.splitlines()) > MOST_LINES
    assert not too_long or REASON in (ast.get_docstring(ast.parse(text)) or "")


# ---- imports only go down ----------------------------------------------------------------------


def layers():
    """The map of the guide, from the ground up: a list of lists of entries."""
    map_of_guide = re.search(r"```text\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)[1]
    return [re.split(r"\s{2,}", line)[0].split() for line in map_of_guide.splitlines()[::-1]]


LAYERS = layers()
HEIGHT = {entry: height for height, layer in enumerate(LAYERS) for entry in layer}


def test_the_map_of_the_guide_has_every_entry_once():
    assert sorted(entry for layer in LAYERS for entry in layer) == sorted(entries())


def imports_at_once(tree):
    """The imports that run when the module is imported: not those in functions or for types."""
    left = list(tree.body)
    while left:
        node = left.pop()
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        elif isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING":
            left += node.orelse
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            left += ast.iter_child_nodes(node)


def imported_entries(nodes):
    """The entries of minivae that these imports name."""
    known, found = entries(), set()
    for node in nodes:
        if isinstance(node, ast.Import):
            dotted = [alias.name for alias in node.names]
        else:
            dotted = [f"{node.module}.{alias.name}" for alias in node.names]
        for parts in (path.split(".") for path in dotted):
            if parts[0] == "minivae":
                found.add(parts[1] if parts[1:] and parts[1] in known else "__init__")
    return found


@each_module
def test_imports_only_go_down(path):
    own = path.relative_to(PACKAGE).with_suffix("").parts[0]
    others = imported_entries(imports_at_once(parsed(path))) - {own}
    assert [other for other in sorted(others) if HEIGHT[other] >= HEIGHT[own]] == []


@each_module
def test_imports_are_absolute(path):
    """So that the test above sees them."""
    assert not any(isinstance(n, ast.ImportFrom) and n.level for n in ast.walk(parsed(path)))


@pytest.mark.parametrize("path", sorted((PACKAGE / "kernels").rglob("*.py")), ids=name)
def test_the_kernels_never_import_the_reference(path):
    """Not even in a function: only tests set the two side by side."""
    nodes = [n for n in ast.walk(parsed(path)) if isinstance(n, ast.Import | ast.ImportFrom)]
    assert "ops" not in imported_entries(nodes)


def test_imports_are_seen_wherever_they_run_at_once():
    tree = ast.parse(
        "from typing import TYPE_CHECKING\n"
        "import minivae.ops\n"
        "from minivae import vae, VAE\n"
        "try:\n    from minivae.data import load\n"
        "except ImportError:\n    import minivae.runs as r\n"
        "class C:\n    from minivae import cli\n"
        "if TYPE_CHECKING:\n    from minivae import plots\n"
        "def f():\n    from minivae import train\n"
    )
    assert imported_entries(imports_at_once(tree)) == {
        "ops", "vae", "__init__", "data", "runs", "cli",
    }  # fmt: skip


# ---- type hints --------------------------------------------------------------------------------

COMPILED = {"compiled", "inlined", "regrouping", "intrinsic"}  # decorators: numba finds the types
UNTYPED = "minivae/exercises/chapters/"  # `solution` shows these functions below untyped stubs


def without_hints(tree):
    """The public functions and methods that lack a type hint, with what lacks it."""
    return [
        f"{prefix}{function.name}: {', '.join(lacking)}"
        for prefix, function in public_functions(tree.body)
        if (lacking := unhinted(function, is_method=bool(prefix)))
    ]


def public_functions(body, prefix=""):
    for node in body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield from public_functions(node.body, f"{node.name}.")
        elif isinstance(node, ast.If | ast.Try):
            yield from public_functions(node.body, prefix)
            yield from public_functions(node.orelse, prefix)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            decorators = {getattr(d, "id", None) for d in node.decorator_list}
            private = node.name.startswith("_") and node.name != "__init__"
            if not private and decorators.isdisjoint(COMPILED):
                yield prefix, node


def unhinted(function, *, is_method):
    a = function.args
    positional = [*a.posonlyargs, *a.args]
    static = any(getattr(d, "id", None) == "staticmethod" for d in function.decorator_list)
    if is_method and not static:
        positional = positional[1:]  # self or cls
    arguments = [*positional, *a.kwonlyargs, *filter(None, (a.vararg, a.kwarg))]
    lacking = [argument.arg for argument in arguments if argument.annotation is None]
    return lacking if function.returns is not None else [*lacking, "return"]


@each_module
def test_public_functions_have_type_hints(path):
    if not name(path).startswith(UNTYPED):
        assert without_hints(parsed(path)) == []


def test_a_missing_hint_is_noticed():
    tree = ast.parse(
        "def f(x, *a: int, k=1) -> int: ...\n"
        "def _private(x): ...\n"
        "class C:\n"
        "    def __init__(self, n: int): ...\n"
        "    def g(self, y) -> None: ...\n"
        "    @staticmethod\n    def s(z) -> None: ...\n"
        "@compiled\ndef loop(x): ...\n"
    )
    assert without_hints(tree) == ["f: x, k", "C.__init__: return", "C.g: y", "C.s: z"]


# ---- one list in two places --------------------------------------------------------------------


def test_the_tests_of_a_file_stay_in_one_process(request):
    """Otherwise each process would prepare the same."""
    assert group_of(request.node.nodeid) == "test_house.py"
    assert group_of("tests/test_gan.py::test_x[a::b]") == "witnesses"
    assert group_of(f"tests/test_notebooks.py::{RERUN}08a]") == "notebook 08a"
    assert callable(getattr(test_notebooks, RERUN.removesuffix("[")))


def test_what_begins_first_and_what_stays_together_exists():
    groups = set(TOGETHER) | {f"notebook {number_of(path)}" for path in sources()}
    files = {path.name for path in ROOT.glob("tests/test_*.py")}
    assert set(LONGEST_FIRST) <= groups | files
    assert {file for group in TOGETHER.values() for file in group} <= files


def test_both_backends_have_the_same_activations_in_the_same_order():
    assert kernels.ACTIVATIONS == ops.ACTIVATIONS

"""A Python that is too old is told so in one line."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("start", [
    "import minivae",
    "from minivae.data import load",
    "import runpy; runpy.run_module('minivae', run_name='__main__')",
])  # fmt: skip
@pytest.mark.parametrize("version", ["2.7.18", "3.6.15", "3.9.6"])
def test_an_older_python_is_told_in_one_line(start, version):
    """Before anything is imported that an older Python might not understand."""
    numbers = (*map(int, version.split(".")), "final", 0)
    script = (
        f"import sys; sys.version_info = {numbers}; sys.version = '{version} (main)'\n"
        f"try:\n    {start}\n"
        "finally:\n    print(sorted(name for name in sys.modules if 'minivae' in name))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stdout == "[]\n"
    assert done.stderr == (
        f"minivae: error: this is Python {version}; minivae needs Python 3.10 or newer "
        "(see README.md)\n"
    )


def test_the_file_that_tells_compiles_on_an_older_python():
    """Nothing in it that Python 2.7 does not know, as far as the syntax tree shows it."""
    source = (ROOT / "minivae" / "__init__.py").read_text(encoding="ascii")
    newer = (ast.JoinedStr, ast.AnnAssign, ast.NamedExpr, ast.Match, ast.AsyncFunctionDef)
    for node in ast.walk(ast.parse(source)):
        assert not isinstance(node, newer), f"line {node.lineno}"
        if isinstance(node, ast.FunctionDef):
            assert node.returns is None
            assert not node.args.posonlyargs + node.args.kwonlyargs
            assert all(arg.annotation is None for arg in node.args.args)
        if isinstance(node, ast.Raise):
            assert node.cause is None

"""Warnings of this project stop the suite; those of other packages do not."""

import warnings
from pathlib import Path

import numba
import numpy as np
import pytest

ROOT = Path(__file__).parents[1]
TESTS = [path.stem for path in sorted((ROOT / "tests").glob("*.py"))]
PRODUCT = [
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for folder in ("minivae", "notebooks")
    for path in sorted((ROOT / folder).rglob("*.py"))
]
KINDS = [UserWarning, DeprecationWarning, PendingDeprecationWarning, FutureWarning, RuntimeWarning,
         ResourceWarning]  # fmt: skip


def warn(module, category, filename="<test>"):
    """Warn as a line of that module does; returns what was shown, if it was not an error."""
    with warnings.catch_warnings(record=True) as shown:  # under pytest's own filters
        code = compile("warnings.warn('old', category)", filename, "exec")
        exec(code, {"__name__": module, "warnings": warnings, "category": category})
    return shown


@pytest.mark.parametrize("module", [*TESTS, *PRODUCT])
def test_a_warning_from_any_file_of_this_project_is_an_error(module):
    """A new file in tests/ that is no test must be named in pyproject.toml."""
    for category in KINDS:
        with pytest.raises(category, match="old"):
            warn(module, category)


@pytest.mark.parametrize("category", KINDS)
@pytest.mark.parametrize("module", ["matplotlib._mathtext", "zmq.sugar", "testing", "tinycss"])
def test_a_warning_from_another_package_is_none(module, category):
    warn(module, category)


def test_what_zmq_warns_about_on_windows_is_none():
    """It gives the caller's module, which may be one of ours."""
    message = "Proactor event loop does not implement add_reader family of methods required for zmq"
    with warnings.catch_warnings(record=True) as shown:
        warnings.warn_explicit(message, RuntimeWarning, "build.py", 1, module="notebooks.build")
    assert not shown


def test_a_deprecated_call_is_the_callers():
    """With stacklevel=2, as a library deprecates: the line that calls is the one that warns."""
    library = {"__name__": "library", "warnings": warnings}
    exec("def old(): warnings.warn('call new()', DeprecationWarning, stacklevel=2)", library)
    with pytest.raises(DeprecationWarning, match="call new"):
        library["old"]()
    other = {"__name__": "another.library", "old": library["old"]}
    with warnings.catch_warnings(record=True):
        exec("old()", other)


@pytest.mark.parametrize("folder", ["/home/me/minivae/", "C:\\minivae\\", "/tests/"])
def test_what_the_compiler_warns_about_comes_with_a_path(folder):
    """An invalid escape, for one, has no module yet. A checkout may have the package's name."""
    own = [f"{folder}minivae/ops.py", f"{folder}tests/test_ops.py", f"{folder}minivae\\ops.py"]
    for path in own:
        with pytest.raises(SyntaxWarning):
            warnings.warn_explicit("invalid escape", SyntaxWarning, path, 1)
    with warnings.catch_warnings(record=True):
        path = f"{folder}.venv/lib/python3.14/site-packages/other/tests/old.py"
        warnings.warn_explicit("invalid escape", SyntaxWarning, path, 1)


def test_numbers_that_overflow_inside_numpy_are_an_error():
    """np.mean warns from a module of NumPy's, about numbers of ours."""
    with pytest.raises(RuntimeWarning, match="Mean of empty slice"):
        np.mean(np.zeros(0))
    with pytest.raises(RuntimeWarning, match="overflow"):
        np.sum(np.float32([3e38, 3e38]))


def test_a_slow_kernel_is_an_error():
    """numba names the file of the kernel, wherever that lies."""
    with pytest.raises(numba.NumbaWarning):
        warnings.warn_explicit("slow", numba.NumbaPerformanceWarning, "/any/where.py", 1)

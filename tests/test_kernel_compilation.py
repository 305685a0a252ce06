"""How the kernels are compiled: the plain Python behind them, and numba's cache on disk."""

import itertools
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from numba import config
from test_kernel_threads import TRAIN_A_LITTLE, run_python

from minivae import kernels
from minivae.kernels import compilation

needs_jit = pytest.mark.skipif(config.DISABLE_JIT, reason="a test of the compiled code")
ROOT = Path(__file__).parents[1]
PACKAGE = Path(kernels.__file__).parent


@needs_jit
def test_the_plain_python_behind_the_kernels_computes_the_same():
    """NUMBA_DISABLE_JIT=1: the same loops without the compiler, so that one can step through."""
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider",
         "tests/test_matmul.py::test_each_step_of_the_lesson_is_a_product",
         "tests/test_matmul.py::test_nothing_around_the_result_is_written",
         "tests/test_matmul.py::test_leaving_out_zeros_changes_no_bit_of_a_few_products",
         "tests/test_kernels.py::test_a_nan_anywhere_shows_in_every_result_it_belongs_to",
         "tests/test_kernels.py::test_softplus_in_float64_is_as_accurate_as_numpy",
         "tests/test_ops.py", "-k", "not numpy or as_numpy"],
        env=os.environ | {"NUMBA_DISABLE_JIT": "1"}, cwd=ROOT, capture_output=True, text=True,
        timeout=300,
    )  # fmt: skip
    assert result.returncode == 0, result.stdout


# ---- edits and numba's cache -------------------------------------------------------------------


@pytest.fixture
def sources(tmp_path):
    """A copy of the package's files, last edited at a known time, and a cache of machine code:
    old and new code of each file, and code of something else."""
    files = [Path(shutil.copy(file, tmp_path)) for file in sorted(PACKAGE.glob("*.py"))]
    cache = tmp_path / "cache"
    cache.mkdir()
    for file in files:
        os.utime(file, (1000, 1000))
        for name, age in ((f"{file.stem}.before", 1500), (f"{file.stem}.after", 2500)):
            (cache / f"{name}.nbc").touch()
            os.utime(cache / f"{name}.nbc", (age, age))
    (cache / "other.before.nbc").touch()
    os.utime(cache / "other.before.nbc", (1500, 1500))
    return files, cache


@pytest.mark.parametrize("edited", [file.name for file in sorted(PACKAGE.glob("*.py"))])
def test_an_edit_of_any_file_deletes_the_older_machine_code_of_all(sources, edited):
    """A kernel contains code of other files, and numba uses the names of old files again."""
    files, cache = sources
    before = set(cache.iterdir())
    compilation.remove_stale_code(cache, files)
    assert set(cache.iterdir()) == before
    file = next(file for file in files if file.name == edited)
    os.utime(file, (2000, 2000))
    compilation.remove_stale_code(cache, files)
    kept = {f"{file.stem}.after.nbc" for file in files} | {"other.before.nbc"}
    assert {file.name for file in cache.iterdir()} == kept


def test_a_file_from_the_future_deletes_nothing_and_hides_no_other_edit(sources):
    """Otherwise, after a wrong clock, the kernels would be compiled at every start."""
    files, cache = sources
    before = set(cache.iterdir())
    os.utime(files[0], (2**33, 2**33))
    compilation.remove_stale_code(cache, files)
    assert set(cache.iterdir()) == before
    os.utime(files[1], (2000, 2000))
    compilation.remove_stale_code(cache, files)
    assert not list(cache.glob(f"{files[2].stem}.before.nbc"))


def _small_package(folder):
    """A package with one kernel that calls a helper, and the files that know numba's cache."""
    package = folder / "package"
    package.mkdir()
    (package / "__init__.py").touch()
    for name in ("code_cache.py", "compilation.py"):
        text = (PACKAGE / name).read_text().replace("minivae.kernels", "package")
        (package / name).write_text(text)
    (package / "kernel.py").write_text(KERNEL)
    return package


KERNEL = """
from package.compilation import compiled
from package.helper import factor

@compiled
def scaled(x):
    return x * factor()

print(scaled(1), sum(scaled.stats.cache_hits.values()))
"""
HELPER = """
from package.compilation import compiled

@compiled
def factor():
    return {factor}
"""


def _start(folder, cache, code="import package.kernel", **environment):
    """What the kernel of the package prints: its result, and the hits in the cache."""
    result = run_python(code, PYTHONPATH=str(folder), NUMBA_CACHE_DIR=str(cache), **environment)
    assert result.returncode == 0, result.stderr
    return result.stdout.split()


@needs_jit
def test_an_edit_of_one_file_is_seen_by_the_kernels_of_another(tmp_path):
    """numba alone would go on using the code that was compiled with the old file."""
    package = _small_package(tmp_path)

    def printed(factor, edited):
        (package / "helper.py").write_text(HELPER.format(factor=factor))
        os.utime(package / "helper.py", (edited, edited))
        value, hits = _start(tmp_path, tmp_path / "c")
        return int(value), int(hits)

    assert printed(factor=3, edited=2000) == (3, 0)
    assert printed(factor=3, edited=2000) == (3, 1)  # from the cache
    assert printed(factor=1000, edited=2001) == (1000, 0)
    assert printed(factor=7, edited=1000) == (7, 0)  # an older version, put back with its date


TWICE_FROM_EACH = """
import os, sys
from numba import config
for cache in os.environ["CACHES"].split(os.pathsep):
    config.CACHE_DIR = cache
    for _ in range(2):
        import package.kernel
        del sys.modules["package.kernel"], sys.modules["package.helper"]
"""
DAMAGE = {
    "empty": lambda data: b"",
    "truncated": lambda data: data[: len(data) // 2],
    "cut by a byte": lambda data: data[:-1],
    "a flipped bit": lambda data: data[:99] + bytes([data[99] ^ 1]) + data[100:],
    "another file": lambda data: b"something else",
}


ENDINGS = ("nbi", "nbc")


@pytest.fixture(scope="module")
def printed_after_damage(tmp_path_factory):
    """{(damage, ending): what the small package prints at two starts from a cache with one damaged
    file}. They follow each other in one process, which is quicker than one for each."""
    folder = tmp_path_factory.mktemp("compiled")
    package = _small_package(folder)
    (package / "helper.py").write_text(HELPER.format(factor=3))
    assert _start(folder, folder / "whole") == ["3", "0"]
    cases = list(itertools.product(DAMAGE, ENDINGS))
    caches = [shutil.copytree(folder / "whole", folder / f"c{i}") for i in range(len(cases))]
    for (damage, ending), cache in zip(cases, caches, strict=True):
        (file,) = cache.rglob(f"kernel.scaled*.{ending}")
        file.write_bytes(DAMAGE[damage](file.read_bytes()))
    listed = os.pathsep.join(map(str, caches))
    printed = _start(folder, folder / "none", TWICE_FROM_EACH, CACHES=listed)
    return {case: printed[4 * i : 4 * i + 4] for i, case in enumerate(cases)}


@needs_jit
@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_file_in_the_cache_is_compiled_again(printed_after_damage, damage, ending):
    """numba alone ends with an EOFError or UnpicklingError at every start, or crashes."""
    first, again = ["3", "0"], ["3", "1"]  # the file is whole again
    assert printed_after_damage[damage, ending] == [*first, *again]


@needs_jit
@pytest.mark.skipif(os.name == "nt", reason="Windows has no limit on the size of a file")
def test_where_no_machine_code_can_be_written_the_kernels_work_and_a_line_says_so(tmp_path):
    package = _small_package(tmp_path)
    (package / "helper.py").write_text(HELPER.format(factor=3))
    code = """
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))
import package.kernel
"""
    for _ in range(2):
        result = run_python(
            code, PYTHONPATH=str(tmp_path), NUMBA_CACHE_DIR=str(tmp_path / "c"),
            PYTHONDONTWRITEBYTECODE="1",
        )  # fmt: skip
        assert result.stdout.split() == ["3", "0"], result.stderr
        assert result.stderr.count("\n") == 1
        assert "cannot be kept (File too large" in result.stderr


@needs_jit
@pytest.mark.slow
def test_the_first_compilation_says_so_once_and_the_second_start_is_quick(tmp_path):
    """Into an empty cache: one line on standard error; and from the cache, none."""
    timed = "import time; start = time.time()" + TRAIN_A_LITTLE + "print(time.time() - start)"
    first = run_python(timed, NUMBA_CACHE_DIR=str(tmp_path))
    again = run_python(timed, NUMBA_CACHE_DIR=str(tmp_path))
    assert first.stderr.count("compiling") == first.stderr.count("\n") == 1, first.stderr
    assert again.stderr == ""
    assert float(again.stdout) < float(first.stdout) / 2

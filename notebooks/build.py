"""Builds the notebooks: `python notebooks/build.py` all of them, `... build.py 02 08a` some.

The source of a notebook is notebooks/src/NN_name.py, a script that jupytext reads; this executes it
and writes notebooks/NN_name.ipynb with its outputs, the same bytes each time on one machine, apart
from measured times. A notebook in parts has a letter behind its number, 08a, and 08 builds all
parts. Times that contradict each other, or the text, end a build (`minivae.studies.races`).
A stamp in the notebook's metadata holds a hash of all that its outputs depend on (see `stale.py`),
so that a test can tell when one has gone stale, and `--stale` builds only those.
"""

import argparse
import os
import platform
import sys
import tempfile
import time
from functools import cache
from importlib.metadata import version
from pathlib import Path

import jupytext
import nbformat
import numpy as np
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path.insert(0, str(ROOT))  # so that `python notebooks/build.py` finds the package

from minivae import kernels
from minivae.studies import races
from notebooks import links
from notebooks.links import number_of
from notebooks.stale import fingerprint

SECONDS = 600  # for one cell, on a machine that has other things to do
KERNEL = {"name": "python3", "display_name": "Python 3", "language": "python"}


def sources():
    """The scripts of all notebooks, in order: 07_name.py, 08a_name.py, ..."""
    return sorted((HERE / "src").glob("[0-9][0-9]*_*.py"))


def target(source):
    return HERE / f"{source.stem}.ipynb"


# ---- executing -------------------------------------------------------------------------------


@cache
def compile_kernels():
    """Once, before a notebook runs: it should show its own output, not that numba compiles."""
    for dtype in ("float32", "float64"):
        kernels.matmul(np.ones((1, 1), dtype), np.ones((1, 1), dtype))


def execute(source, cells=None, *, strict=False):
    """Run a source from top to bottom -> the executed notebook. Raises on a cell's error.

    `cells`: a function from the notebook to itself, applied before it runs (tests fill in answers).
    `strict`: measured times that contradict what is claimed about them are an error.
    """
    compile_kernels()
    notebook = jupytext.read(source, fmt="py:percent")
    if cells is not None:
        notebook = cells(notebook)
    with tempfile.TemporaryDirectory() as folder:
        surroundings = {
            "MINIVAE_PROGRESS": str(Path(folder) / "progress.json"),  # nobody's own answers
            "PYTHONHASHSEED": "0",
            races.STRICT: str(int(strict)),
            "TQDM_DISABLE": "1",  # a bar would leave its widget, and its time, in the notebook
        }
        if not number_of(source).startswith("08"):  # those race against OpenBLAS as it comes
            # With another number of threads OpenBLAS has other last bits, and on the small
            # products of a notebook its threads mostly wait for one another.
            surroundings["OPENBLAS_NUM_THREADS"] = "1"
        before = {name: os.environ.get(name) for name in surroundings}
        os.environ.update(surroundings)
        try:
            NotebookClient(
                notebook,
                timeout=SECONDS,
                kernel_name=KERNEL["name"],
                record_timing=False,
                coalesce_streams=True,
                resources={"metadata": {"path": str(HERE)}},
            ).execute()
        finally:
            for name, value in before.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value
    return tidy(notebook)


def tidy(notebook):
    """Leave nothing that differs from one run or one machine to the next."""
    notebook.metadata = {
        "kernelspec": KERNEL,
        "language_info": {"name": "python", "file_extension": ".py", "mimetype": "text/x-python"},
    }
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number:03d}"
        tags = cell.metadata.get("tags", [])
        cell.metadata = {"tags": tags} if tags else {}
    return notebook


# ---- fresh or stale --------------------------------------------------------------------------


def stamp(source):
    """What the committed outputs were made from, and on what kind of machine."""
    return {"sha256": fingerprint(source), "platform": this_platform()}


def this_platform():
    """Where two runs can be expected to agree to the byte."""
    features = np.show_config(mode="dicts")["SIMD Extensions"]
    packages = " ".join(f"{name} {version(name)}" for name in ("numpy", "numba", "matplotlib"))
    simd = features.get("found", ["baseline"])[-1]
    return f"{platform.system()} {platform.machine()} {simd}, {packages}"


def is_stale(source):
    path = target(source)
    if not path.exists():
        return True
    stamped = nbformat.read(path, as_version=4).metadata.get("minivae", {})
    return stamped.get("sha256") != fingerprint(source)


# ---- the command -----------------------------------------------------------------------------


def build(source):
    """Execute one source and write its notebook. Raises SystemExit, and writes nothing, if what it
    measures contradicts itself or its text."""
    started = time.monotonic()
    try:
        notebook = execute(source, strict=True)
    except CellExecutionError as error:
        if error.ename != races.Contradiction.__name__:
            raise
        sys.exit(f"{target(source).name} is refused: {error.evalue}")
    links.add_links(notebook, source, sources())
    notebook.metadata["minivae"] = stamp(source)
    nbformat.write(notebook, target(source))
    size = target(source).stat().st_size / 1000
    print(f"{target(source).name}: {time.monotonic() - started:.0f} s, {size:.0f} kB", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("numbers", nargs="*", help="which notebooks, as 02 (default all)")
    parser.add_argument("--stale", action="store_true", help="only those that are out of date")
    args = parser.parse_args()
    chosen = [
        s
        for s in sources()
        if not args.numbers or {number_of(s), number_of(s)[:2]} & set(args.numbers)
    ]
    if not chosen:
        sys.exit(f"no notebook is numbered {' or '.join(args.numbers)}")
    for source in chosen:
        if not args.stale or is_stale(source):
            build(source)


if __name__ == "__main__":
    main()

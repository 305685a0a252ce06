"""How numba compiles the kernels and keeps the machine code on disk.

numba stores compiled functions beside the source (or in NUMBA_CACHE_DIR) and compiles a function
again when its own file has changed. The kernels call each other across files, so here the cache is
made to depend on all files of the package.
"""

import contextlib
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from numba import config, njit
from numba.core import event

from minivae.kernels.code_cache import SealedCache

# Without the JIT, plain Python replaces the LLVM instructions. (mypy cannot see numba's options.)
JIT = not config.DISABLE_JIT  # type: ignore[attr-defined]

SOURCES = sorted(Path(__file__).parent.glob("*.py"))
SOURCES_STAMP = tuple((file.name, file.stat().st_mtime, file.stat().st_size) for file in SOURCES)


def _options(*fastmath: str) -> dict[str, Any]:
    """Options of njit: NumPy's rules for x / 0, because LLVM cannot vectorize a loop whose division
    may raise; nogil, so that the threads run in parallel; and only some fast-math flags, because
    the full set breaks the rules for NaN and infinity."""
    return {"nogil": True, "error_model": "numpy", "fastmath": set(fastmath)}


def cached(**options: Any) -> Callable[[Callable], Any]:
    """numba's njit, with machine code that is kept on disk and checked when it is loaded."""

    def decorate(function: Callable) -> Any:
        dispatcher = njit(**options)(function)
        if JIT:
            dispatcher._cache = SealedCache(function, SOURCES_STAMP)
        return dispatcher

    return decorate


# "contract": a * b + c may be one instruction, rounded once
compiled = cached(**_options("contract"))
# "reassoc", "nsz": a sum may be regrouped to keep several partial sums in a register. The grouping
# is fixed at compile time, so the result is the same each time.
regrouping = cached(**_options("contract", "reassoc", "nsz"))
# inlined into the caller before type inference
inlined = njit(inline="always", **_options("contract"))


def remove_stale_code(folder: Path, sources: Sequence[Path] = SOURCES) -> None:
    """Delete the machine code in numba's cache folder that is older than the newest source.

    When a source has changed, numba reuses the old files' names, and lists a name as up to date
    before it has written the file. A process that starts at that moment would run old code on
    tasks whose layout may have changed.
    """
    now = time.time()
    times = [file.stat().st_mtime for file in sources]
    # ignores times in the future: a clock may be wrong
    edited = max((t for t in times if t <= now), default=0.0)
    for source in sources:
        for code in folder.glob(f"{source.stem}.*.nbc"):
            with contextlib.suppress(OSError):  # another process may delete it at the same time
                if code.stat().st_mtime < edited:
                    code.unlink()


class CompileNotice(event.Listener):
    """Prints one line when numba starts to compile: the first time takes a while."""

    printed = False

    def on_start(self, event: Any) -> None:
        if not CompileNotice.printed:
            CompileNotice.printed = True
            print(
                "minivae: compiling the numba kernels, once for this machine (under half a minute)",
                file=sys.stderr,
            )

    def on_end(self, event: Any) -> None:
        pass

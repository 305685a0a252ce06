"""At the first start half of the kernels are compiled in a second process, on another core.

numba compiles in one thread at a time, so threads would gain nothing. The two processes meet in
numba's cache on disk: what the second one has written, this one loads. Where there is no second
process, or it fails, this one compiles everything itself.
"""

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from numba.core import event

ROOT = Path(__file__).parents[2]  # the folder that `import minivae` needs


class _Starter(event.Listener):
    """Starts a process that runs `code` when numba begins to compile, which it does not do when it
    finds everything on disk."""

    def __init__(self, code: str) -> None:
        self.code = code
        self.process: subprocess.Popen | None = None
        self.started = False

    def on_start(self, event: Any) -> None:
        if self.started:
            return
        self.started = True
        path = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        with contextlib.suppress(OSError):  # the system allows no more processes
            self.process = subprocess.Popen(
                [sys.executable, "-c", self.code],
                env=os.environ | {"PYTHONPATH": os.pathsep.join(path)},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )

    def on_end(self, event: Any) -> None:
        pass

    def wait(self) -> None:
        """Until the process has ended, if one was started."""
        if self.process is not None:
            self.process.wait()

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()


@contextlib.contextmanager
def second_compiler(code: str) -> Iterator[Callable[[], None]]:
    """While the block runs, the first compilation starts a process that runs `code`. Yields a
    function that waits for its end; leaving the block, by an interrupt too, ends the process."""
    starter = _Starter(code)
    try:
        with event.install_listener("numba:compile", starter):
            yield starter.wait
    finally:
        starter.stop()

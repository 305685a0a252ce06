"""Turns Ctrl-C and SIGTERM into a flag that a long computation can check."""

import signal
import threading
from types import FrameType
from typing import Any

INTERRUPTED = 130  # the shell's status for a command that Ctrl-C ended


class StopSignals:
    """In a `with` block: calling it returns whether Ctrl-C or SIGTERM has come since the block
    began.

    The second signal ends the computation at once, with KeyboardInterrupt: the flag may not be
    looked at for a long time, for instance while the kernels are compiled. What was saved stays.
    """

    def __init__(self) -> None:
        self.asked = False
        self.previous: dict[int, Any] = {}

    def __call__(self) -> bool:
        return self.asked

    def __enter__(self) -> "StopSignals":
        # Python lets only the main thread set a handler.
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self.previous[number] = signal.signal(number, self._ask)
        return self

    def __exit__(self, *exc: object) -> None:
        for number, handler in self.previous.items():
            signal.signal(number, handler)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True

"""The standard streams of a command, which may be closed, full, or not UTF-8."""

import contextlib
import io
import os
import sys
from collections.abc import Iterator
from typing import Any

from minivae.errors import MinivaeError


@contextlib.contextmanager
def usable_streams() -> Iterator[None]:
    """In the block, standard input, output and error can be used whatever the shell made of them.

    A stream that is closed reads as empty and swallows what is written: otherwise the next file
    that is opened gets its number, and a checkpoint could be written over with messages. Standard
    output becomes UTF-8. What cannot be written to standard error is dropped, so that a training
    does not die of its progress bar; standard output that cannot be written is a MinivaeError.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, which is this one
    before = sys.stdin, sys.stdout, sys.stderr
    if sys.stdin is None:
        sys.stdin = open(0, closefd=False, encoding="utf-8")
    output = sys.stdout or open(1, "w", closefd=False, encoding="utf-8")
    error = sys.stderr or open(2, "w", closefd=False, encoding="utf-8")
    if isinstance(output, io.TextIOWrapper):  # a notebook puts another object there
        output.reconfigure(encoding="utf-8", errors="backslashreplace")
        output = _Output(output)
    if isinstance(error, io.TextIOWrapper):
        error = _Messages(error)
    sys.stdout, sys.stderr = output, error
    try:
        yield
    finally:
        sys.stdin, sys.stdout, sys.stderr = before


class _Wrapped:
    """A text stream; what is not overridden here is the stream's own."""

    def __init__(self, stream: io.TextIOWrapper) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class _Output(_Wrapped):
    """Standard output: the result of a command is lost if it cannot be written, so that is said."""

    def write(self, text: str) -> int:
        with self._explained():
            return self._stream.write(text)

    def flush(self) -> None:
        with self._explained():
            self._stream.flush()

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except BrokenPipeError:  # the reader, such as `head`, has seen enough
            discard_output()
            raise
        except OSError as error:
            discard_output()
            raise MinivaeError(
                f"standard output cannot be written: {error.strerror}; send it elsewhere"
            ) from None


class _Messages(_Wrapped):
    """Standard error: messages and progress."""

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            self._stream.flush()


def discard_output() -> None:
    """Point standard output at nothing, so that Python does not write the rest at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)

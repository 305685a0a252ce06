"""Writes a file atomically, and locks a folder for one process at a time."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from minivae.checks.values import check_path, printable
from minivae.errors import MinivaeError

LOCK_TAKEN = (errno.EAGAIN, errno.EACCES, errno.EDEADLK)
NO_SYNC = (errno.EINVAL, errno.ENOTSUP, errno.ENOTTY)  # some network file systems
WAIT_SECONDS = 10.0  # for the lock of a file that is written in milliseconds
HELD_SECONDS = 1.0  # a virus scanner lets go of a file sooner; Excel may not at all


def atomic_write(path: str | os.PathLike[str], data: bytes) -> None:
    """Write `data` to `path` so that a crash at any moment leaves the old file or the new one.

    Temporary file in the same folder, flush, fsync, rename, fsync of the folder. On any error the
    temporary file is removed and the old file stays. Raises MinivaeError if the file cannot be
    written (full disk, read-only folder, ...).
    """
    path = check_path(path)
    partial = path.parent / f".minivae-{secrets.token_hex(8)}.partial"
    try:
        try:
            with open(partial, "xb") as file:
                file.write(data)
                file.flush()
                _sync(file.fileno())
            _while_held(os.replace, partial, path)
        except BaseException:  # including Ctrl-C: no partial file may stay
            _while_held(Path.unlink, partial, True)  # missing_ok
            raise
        _sync_folder(path.parent)
    except OSError as exc:
        raise _write_error(path, exc) from None


def _sync(handle: int) -> None:
    """Have what was written survive a power cut.

    On macOS, fsync leaves it in the drive's own cache, and F_FULLFSYNC empties that (man 2 fsync).
    """
    os.fsync(handle)
    if sys.platform == "win32":
        return
    import fcntl

    full_sync = getattr(fcntl, "F_FULLFSYNC", None)
    if full_sync is not None:
        try:
            fcntl.fcntl(handle, full_sync)
        except OSError as exc:
            if exc.errno not in NO_SYNC:
                raise


def _sync_folder(folder: Path) -> None:
    """Make a rename durable. Windows cannot open a folder, and does not need this."""
    if sys.platform == "win32":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        _sync(handle)
    except OSError as exc:
        if exc.errno not in NO_SYNC:
            raise
    finally:
        os.close(handle)


def _while_held(change: Callable[..., object], *args: object) -> None:
    """Rename or delete a file. On Windows neither works while another program, such as a virus
    scanner or Excel, has the file open: try again for `HELD_SECONDS`."""
    give_up = time.monotonic() + HELD_SECONDS
    while True:
        try:
            change(*args)
            return
        except PermissionError:
            if sys.platform != "win32" or time.monotonic() >= give_up:
                raise
        time.sleep(0.02)


def _write_error(path: Path, exc: OSError) -> MinivaeError:
    remedy = {
        errno.ENOSPC: "free some space",
        errno.EDQUOT: "free some space",
        errno.ENOENT: "create the folder first",
        errno.EISDIR: "choose a name that no folder has",
    }.get(exc.errno or 0, "choose a place that you may write to")
    if sys.platform == "win32" and isinstance(exc, PermissionError):
        remedy = f"close the program that has it open, or {remedy}"
    reason = exc.strerror or type(exc).__name__
    return MinivaeError(f"cannot write {printable(path)}: {reason}; {remedy}")


@contextlib.contextmanager
def lock_folder(folder: str | os.PathLike[str]) -> Iterator[None]:
    """Lock a folder for this process; raises MinivaeError at once if another process has the lock.

    The operating system holds the lock (on the hidden file .lock) and releases it when the process
    ends, even if it is killed. Taking the lock also removes the partial files of a killed writer.
    """
    folder = check_path(folder, "the folder")
    try:
        file = _open_lock(folder / ".lock")
    except OSError as exc:
        raise _write_error(folder, exc) from None
    with file:
        try:
            _lock(file)
        except OSError as exc:
            if exc.errno not in LOCK_TAKEN:
                raise _write_error(folder, exc) from None
            message = f"{printable(folder)} is being written by another run"
            raise MinivaeError(f"{message}; wait for it, or choose another folder") from None
        try:
            _sweep(folder)
            yield
        finally:
            _unlock(file)


@contextlib.contextmanager
def one_writer(path: str | os.PathLike[str]) -> Iterator[None]:
    """Inside the block, this thread is the only one that may read, change and write `path`.

    For small files that several processes change: whoever comes second waits, at most
    `WAIT_SECONDS`. The lock is on a hidden file beside it. Raises MinivaeError if the wait was in
    vain, or if the file beside it cannot be opened; where the file system has no locks, the block
    runs without one.
    """
    path = check_path(path)
    try:
        file = _open_lock(path.with_name(f".{path.name.lstrip('.')}.lock"))
    except OSError as exc:
        raise _write_error(path, exc) from None
    with file:
        locked = _wait_for_lock(file, path)
        try:
            yield
        finally:
            if locked:
                _unlock(file)


def _wait_for_lock(file: BinaryIO, path: Path) -> bool:
    give_up = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            _lock(file)
            return True
        except OSError as exc:
            if exc.errno not in LOCK_TAKEN:
                return False  # a file system without locks
        if time.monotonic() >= give_up:
            message = f"{printable(path)} is being written by another process"
            raise MinivaeError(f"{message}; close it and try again")
        time.sleep(0.005)


def _open_lock(path: Path) -> BinaryIO:
    """Open a lock file, made where there is none. Never waits at a pipe and never follows a link,
    which could lead out of the folder: OSError for whatever is not an ordinary file."""
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    handle = os.open(path, flags, 0o666)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(errno.EINVAL, f"{path.name} is not an ordinary file", str(path))
    return os.fdopen(handle, "r+b")


def _sweep(folder: Path) -> None:
    try:
        for partial in folder.glob(".minivae-*.partial"):
            _while_held(Path.unlink, partial, True)  # missing_ok
    except OSError as exc:
        raise _write_error(folder, exc) from None


def _lock(file: BinaryIO) -> None:
    """Take the lock or raise OSError at once."""
    if sys.platform == "win32":
        import msvcrt

        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _unlock(file: BinaryIO) -> None:
    """Before the file is closed: Windows releases the lock of a closed file at a time of its own
    choosing. Elsewhere closing it is what releases the lock, and a fork of this process that
    unlocked it would take the lock from its parent."""
    if sys.platform == "win32":
        import msvcrt

        msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK, 1)

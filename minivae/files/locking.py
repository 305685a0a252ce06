"""Locks: a folder for one process at a time, and a small file for one writer at a time."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from minivae.checks.values import check_path, printable
from minivae.errors import MinivaeError
from minivae.files.writing import locked_folders, while_held, write_error

LOCK_TAKEN = (errno.EAGAIN, errno.EACCES, errno.EDEADLK)
NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP)  # network folders
WAIT_SECONDS = 10.0  # for the lock of a file that is written in milliseconds


@contextlib.contextmanager
def lock_folder(folder: str | os.PathLike[str]) -> Iterator[None]:
    """Lock a folder for this process; raises MinivaeError at once if another process has the lock.

    The operating system holds the lock (on the hidden file .lock) and releases it when the process
    ends, even if it is killed. Taking the lock also removes the partial files of a killed writer.
    While it is held, `atomic_write` refuses to write into another folder of the same name. Where
    the file system has no locks, a note on standard error says so.
    """
    folder = check_path(folder, "the folder")
    try:
        file = _open_lock(folder / ".lock")
    except OSError as exc:
        raise write_error(folder, exc) from None
    with file:
        locked = _lock_folder(file, folder)
        key = os.path.abspath(folder)
        try:
            if locked:
                _sweep(folder)
            identity = os.fstat(file.fileno())
            locked_folders[key] = (identity.st_dev, identity.st_ino)
            yield
        finally:
            locked_folders.pop(key, None)
            if locked:
                _unlock(file)


def _lock_folder(file: BinaryIO, folder: Path) -> bool:
    """Take the lock -> True, or False where the file system has none."""
    try:
        _lock(file)
        return True
    except OSError as exc:
        if exc.errno in LOCK_TAKEN:
            message = f"{printable(folder)} is being written by another run"
            raise MinivaeError(f"{message}; wait for it, or choose another folder") from None
        if exc.errno not in NO_LOCKS:
            raise write_error(folder, exc) from None
        note = (
            f"the file system of {printable(folder)} has no locks; do not start two runs in this "
            "folder at the same time"
        )
        print(f"minivae: note: {note}", file=sys.stderr)
        return False


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
        raise write_error(path, exc) from None
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
            if exc.errno in NO_LOCKS:
                return False
            if exc.errno not in LOCK_TAKEN:
                raise write_error(path, exc) from None
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
            while_held(Path.unlink, partial, True)  # missing_ok
    except OSError as exc:
        raise write_error(folder, exc) from None


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

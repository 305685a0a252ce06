"""Writes files atomically, and makes folders that survive a power cut."""

from __future__ import annotations

import errno
import os
import secrets
import stat
import sys
import time
from collections.abc import Callable
from pathlib import Path

from minivae.checks.values import check_path, printable
from minivae.errors import MinivaeError

NO_SYNC = (errno.EINVAL, errno.ENOTSUP, errno.ENOTTY)  # some network file systems
HELD_SECONDS = 1.0  # a virus scanner lets go of a file sooner; Excel may not at all


# The folders that this process has locked: {folder: what identifies its lock file}. See locking.py.
locked_folders: dict[str, tuple[int, int]] = {}


def atomic_write(path: str | os.PathLike[str], data: bytes) -> None:
    """Write `data` to `path` so that a crash at any moment leaves the old file or the new one.

    Temporary file in the same folder, flush, fsync, rename, fsync of the folder. On any error the
    temporary file is removed and the old file stays. As with `open`, a link is followed, and a file
    that exists keeps its permissions. Raises MinivaeError if the file cannot be written (full disk,
    read-only folder, ...), if `path` is no ordinary file (a device, a pipe), or if this process has
    locked the folder and the folder has been replaced since.
    """
    path = check_path(path)
    try:
        target = Path(os.path.realpath(path)) if path.is_symlink() else path
        mode = _permissions(target, path)
        _check_still_locked(target.parent)
        partial = target.parent / f".minivae-{secrets.token_hex(8)}.partial"
        try:
            with open(partial, "xb") as file:
                file.write(data)
                file.flush()
                _sync(file.fileno())
            if mode is not None:
                os.chmod(partial, mode)
            retry_while_open(os.replace, partial, target)
        except BaseException:  # including Ctrl-C: no partial file may stay
            retry_while_open(Path.unlink, partial, True)  # missing_ok
            raise
        _sync_folder(target.parent)
    except OSError as exc:
        raise write_error(path, exc) from None


def _permissions(target: Path, path: Path) -> int | None:
    """The permissions of the file that is replaced, or None if there is none yet."""
    try:
        mode = os.stat(target).st_mode
    except FileNotFoundError:
        return None
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):  # the rename refuses a folder
        raise MinivaeError(
            f"{printable(path)} is not an ordinary file; choose the name of a new file"
        )
    return stat.S_IMODE(mode)


def _check_still_locked(folder: Path) -> None:
    """A folder may be removed, and made again by another run, while this one goes on. Its files
    belong to the other run then."""
    ours = locked_folders.get(os.path.abspath(folder))
    if ours is None:
        return
    try:
        now = os.stat(folder / ".lock")
    except FileNotFoundError:
        now = None
    if now is None or (now.st_dev, now.st_ino) != ours:
        raise MinivaeError(
            f"{printable(folder)} was removed or replaced while this run was writing to it; "
            "nothing more is written there, so start again in another folder"
        )


def make_folders(folder: Path) -> bool:
    """Make the folder, and its parents where they are missing -> True if it is new.

    mkdir is atomic, so two runs never get the same one. Each new folder is synced into its parent,
    so that a power cut does not lose it. Raises OSError.
    """
    if not os.path.isdir(folder.parent):
        make_folders(folder.parent)
    try:
        os.mkdir(folder)
    except FileExistsError:
        if os.path.isdir(folder):
            return False
        raise
    _sync_folder(folder.parent)
    return True


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


def retry_while_open(change: Callable[..., object], *args: object) -> None:
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


def write_error(path: Path, exc: OSError) -> MinivaeError:
    """The error to raise when `path` cannot be written: why, and what to do about it."""
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

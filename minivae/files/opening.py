"""Opens untrusted files: one error class, and sizes are checked before memory is allocated."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from os import PathLike

from minivae.checks.values import check_path, printable
from minivae.errors import MinivaeError

MAX_BYTES = 4 << 30  # the largest file, and the largest data set, that is read
DEFLATE_RATIO = 1032  # deflate cannot unpack one byte into more (zlib's technical notes)
IMAGE_RATIO = 500  # real images, drawings included, compress less than this; zeros compress more
SMALL = 16 << 20  # bytes; up to this size IMAGE_RATIO does not apply

# What zipfile, gzip, zlib, struct, json and Pillow raise on malformed bytes.
PARSER_ERRORS = (
    EOFError,
    LookupError,
    OverflowError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
)


@contextlib.contextmanager
def reading(path: str | PathLike[str]) -> Iterator[tuple[io.BufferedReader, int]]:
    """Open a regular file for reading -> (file, size in bytes).

    Inside the block, any error that a parser raises because of the file's bytes becomes one
    MinivaeError, which names the file.
    """
    path = check_path(path)
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):  # opening a pipe would block
            kind = "a folder" if path.is_dir() else "not an ordinary file"
            raise MinivaeError(f"{printable(path)} is {kind}; give the name of a file")
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size > MAX_BYTES:
                limit = f"at most {MAX_BYTES >> 30} GiB can be read"
                raise MinivaeError(f"{printable(path)} is too large ({size >> 30} GiB); {limit}")
            yield file, size
    except MinivaeError:
        raise
    except FileNotFoundError:
        raise MinivaeError(f"{printable(path)} does not exist; check the path") from None
    except MemoryError:
        raise MinivaeError(
            f"{printable(path)} does not fit into memory; use a smaller file"
        ) from None
    except OSError as exc:
        if exc.errno in (None, errno.EINVAL):  # raised by gzip; a seek to before the start
            raise damaged_error(path, str(exc)) from None
        raise MinivaeError(
            f"cannot read {printable(path)}: {exc.strerror}; check the file"
        ) from None
    except PARSER_ERRORS as exc:
        raise damaged_error(path, str(exc) or type(exc).__name__) from None


@contextlib.contextmanager
def parsing(path: str | PathLike[str]) -> Iterator[None]:
    """Inside the block, any error that a parser raises because of bytes that were read already
    becomes one MinivaeError, which names the file."""
    try:
        yield
    except MinivaeError:
        raise
    except MemoryError:
        raise MinivaeError(
            f"{printable(path)} does not fit into memory; use a smaller file"
        ) from None
    except (*PARSER_ERRORS, OSError) as exc:  # Pillow's are OSErrors
        raise damaged_error(path, str(exc) or type(exc).__name__) from None


def damaged_error(path: str | PathLike[str], why: str) -> MinivaeError:
    """The error for a file whose content is broken, to be raised by the caller."""
    return MinivaeError(
        f"{printable(path)} is damaged ({printable(why)}); use an intact copy of the file"
    )


def unpacked_size_error(path: str | PathLike[str], unpacked: int) -> MinivaeError:
    """The error for a compressed file above `most_unpacked`, to be raised by the caller."""
    what = f"{printable(path)} would unpack to {unpacked} bytes, too many for a file of its size"
    return MinivaeError(f"{what}; save the images again, uncompressed")


def most_unpacked(size: int) -> int:
    """The upper bound on the decompressed size of `size` compressed bytes, in bytes."""
    return min(size * DEFLATE_RATIO, max(size * IMAGE_RATIO, SMALL), MAX_BYTES)


def zip_members(
    archive: zipfile.ZipFile, size: int, path: str | PathLike[str]
) -> dict[str, zipfile.ZipInfo]:
    """The members of an open zip of `size` bytes, by name.

    Raises MinivaeError if the sizes in the zip's directory are impossible or above
    `most_unpacked`, if a member is encrypted, or if a name occurs twice.
    """
    members = {}
    for info in archive.infolist():
        stored = info.compress_type == zipfile.ZIP_STORED
        if not stored and info.compress_type != zipfile.ZIP_DEFLATED:
            raise damaged_error(path, "it is compressed in a way that NumPy does not write")
        packed = info.compress_size
        if packed > size or info.file_size > packed * (1 if stored else DEFLATE_RATIO):
            raise damaged_error(path, "it declares more data than it can hold")
        if info.flag_bits & 1:
            raise MinivaeError(f"{printable(path)} is encrypted; save it without a password")
        if info.filename in members:
            raise damaged_error(path, f"it holds {printable(info.filename)} twice")
        members[info.filename] = info
    unpacked = sum(info.file_size for info in members.values())
    if unpacked > most_unpacked(size):
        raise unpacked_size_error(path, unpacked)
    return members

"""Bytes on disk: written whole or not at all, and read with suspicion.

The ground module under models, checkpoints and data sets. No pickle is ever read or written,
sizes are checked before memory is taken, and names found inside a file never become paths.
Whatever a file holds, a reader here returns its content or raises one `MinivaeError`.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import json
import math
import os
import re
import secrets
import stat
import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np

from minivae.checks.values import check_path, printable
from minivae.errors import MinivaeError

FORMAT_VERSION = 1
MAX_BYTES = 4 << 30  # a file or a data set above this is refused
DEFLATE_RATIO = 1032  # deflate never unpacks one byte into more (zlib's technical notes)
IMAGE_RATIO = 500  # nor do real images, drawings included, shrink so far; zeros do
SMALL = 16 << 20  # what may unpack at any ratio
CHUNK = 1 << 18
MAX_NPY_HEADER = 10_000
MAX_DIMS = 8
ARCHIVE_DTYPES = ("float16", "float32", "float64", "uint8", "int32", "int64", "uint32", "uint64")
SEAL = b"minivae sha256 "
SEAL_BYTES = len(SEAL) + 64
LOCK_TAKEN = (errno.EAGAIN, errno.EACCES, errno.EDEADLK)
NO_FOLDER_SYNC = (errno.EINVAL, errno.ENOTSUP)  # some network file systems

# What zipfile, gzip, zlib, struct, json and Pillow raise on bytes that are not what they claim.
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


# --- writing ---------------------------------------------------------------------------------


def atomic_write(path, data: bytes) -> None:
    """Put `data` at `path` so that a crash at any moment leaves the old file or the new one.

    Temporary file in the same folder, flush, fsync, rename, fsync of the folder. On any error the
    temporary file goes and the old file stays. Raises MinivaeError (full disk, read-only, ...).
    """
    path = check_path(path)
    partial = path.parent / f".minivae-{secrets.token_hex(8)}.partial"
    try:
        try:
            with open(partial, "xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(partial, path)
        except BaseException:  # Ctrl-C too: half a file must not stay behind
            partial.unlink(missing_ok=True)
            raise
        _sync_folder(path.parent)
    except OSError as exc:
        raise _write_error(path, exc) from None


def _sync_folder(folder: Path) -> None:
    """Make a rename durable. Windows cannot open a folder, and needs no such call."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as exc:
        if exc.errno not in NO_FOLDER_SYNC:
            raise
    finally:
        os.close(handle)


def _write_error(path: Path, exc: OSError) -> MinivaeError:
    remedy = {
        errno.ENOSPC: "free some space",
        errno.EDQUOT: "free some space",
        errno.ENOENT: "create the folder first",
        errno.EISDIR: "choose a name that is not a folder's",
    }.get(exc.errno, "choose a place that you may write to")
    reason = exc.strerror or type(exc).__name__
    return MinivaeError(f"cannot write {printable(path)}: {reason}; {remedy}")


def write_archive(path, arrays: dict[str, np.ndarray], meta: dict) -> None:
    """Save arrays and a description as one sealed .npz file, through `atomic_write`.

    `np.load` reads it too. `meta` is JSON (tuples come back as lists) and names what the file is in
    meta["kind"]. Equal content gives equal bytes. The zip comment at the end seals the file: it
    holds the SHA-256 of every byte before it. Raises MinivaeError if the file cannot be written, or
    if a number is NaN or infinite: such a file would be refused when read.
    """
    for name, array in arrays.items():
        if not re.fullmatch(r"[A-Za-z_][\w.]{0,99}", name, re.ASCII):
            raise ValueError(f"array name {name!r}: letters, digits, _ and . only")
        if array.dtype.name not in ARCHIVE_DTYPES:
            raise ValueError(f"array {name!r} has dtype {array.dtype}, not one of {ARCHIVE_DTYPES}")
        if not np.isfinite(array).all():
            raise _not_finite(path, f"array {name}")
    head = {
        "format": "minivae",
        "format_version": FORMAT_VERSION,
        "arrays": {name: [a.dtype.name, list(a.shape)] for name, a in arrays.items()},
        "kind": meta["kind"],
        "meta": meta,
    }
    try:
        text = json.dumps(head, indent=1, sort_keys=True, allow_nan=False)
    except ValueError:
        raise _not_finite(path, "its description") from None
    members = {"meta.json": text.encode()}
    members |= {f"{name}.npy": _npy_bytes(arrays[name]) for name in sorted(arrays)}
    atomic_write(path, _seal(_zip_bytes(members)))


def _not_finite(path, what: str) -> MinivaeError:
    message = f"{printable(path)} is not written: {what} holds NaN or infinity"
    return MinivaeError(f"{message}; only finite numbers can be saved")


def _npy_bytes(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    little_endian = np.asarray(array, array.dtype.newbyteorder("<"), order="C")
    np.lib.format.write_array(buffer, little_endian, version=(1, 0), allow_pickle=False)
    return buffer.getvalue()


def _zip_bytes(members: dict[str, bytes]) -> bytes:
    """A stored (uncompressed) zip whose bytes depend on the members alone: no clock, no system."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, data in members.items():
            info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            info.create_system, info.external_attr = 3, 0o644 << 16
            archive.writestr(info, data)
        archive.comment = bytes(SEAL_BYTES)  # room for the seal
    return buffer.getvalue()


def _seal(data: bytes) -> bytes:
    body = data[:-SEAL_BYTES]
    return body + SEAL + hashlib.sha256(body).hexdigest().encode()


# --- reading ---------------------------------------------------------------------------------


@contextlib.contextmanager
def reading(path):
    """Open an ordinary file for reading -> (file, size in bytes).

    Inside the block, whatever the file's bytes make a parser raise becomes one MinivaeError.
    """
    path = check_path(path)
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):  # a pipe would wait for ever
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
        if exc.errno in (None, errno.EINVAL):  # gzip's own complaints; a leap to before the file
            raise damaged(path, str(exc)) from None
        raise MinivaeError(
            f"cannot read {printable(path)}: {exc.strerror}; check the file"
        ) from None
    except PARSER_ERRORS as exc:
        raise damaged(path, str(exc) or type(exc).__name__) from None


def damaged(path, why: str) -> MinivaeError:
    return MinivaeError(
        f"{printable(path)} is damaged ({printable(why)}); use a whole copy of the file"
    )


def unpacks_too_far(path, unpacked: int) -> MinivaeError:
    what = f"{printable(path)} would unpack to {unpacked} bytes, too many for a file of its size"
    return MinivaeError(f"{what}; save the images again, uncompressed")


def read_archive(path, *, kind: str) -> tuple[dict[str, np.ndarray], dict]:
    """Read what `write_archive` wrote -> (arrays, meta), validated whole before it is returned.

    Seal, format version, kind, names, shapes, dtypes and finiteness are checked; the values in
    `meta` are the caller's to check. Raises MinivaeError, naming the file.
    """
    with reading(path) as (file, _):
        data = file.read()
        _check_seal(data, path, kind)
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = zip_members(archive, len(data), path)
            if sum(info.file_size for info in members.values()) > len(data):
                raise damaged(path, "it announces more data than it holds")
            if "meta.json" not in members:
                raise damaged(path, "it has no description")
            head = _read_head(archive, members.pop("meta.json"), path, kind)
            if set(members) != {f"{name}.npy" for name in head["arrays"]}:
                raise damaged(path, "its arrays are not those it lists")
            arrays = {}
            for name, (dtype, shape) in head["arrays"].items():
                array = read_member(archive, members[f"{name}.npy"], path)
                if [array.dtype.name, list(array.shape)] != [dtype, shape]:
                    raise damaged(path, f"array {name} is not of the shape and type it lists")
                if dtype not in ARCHIVE_DTYPES or not np.isfinite(array).all():
                    raise damaged(path, f"array {name} holds what is not a finite number")
                arrays[name] = array
    return arrays, head["meta"]


def _check_seal(data: bytes, path, kind: str) -> None:
    body, seal = data[:-SEAL_BYTES], data[-SEAL_BYTES:]
    if not data:
        raise damaged(path, "it is empty")
    if not seal.startswith(SEAL):
        raise MinivaeError(
            f"{printable(path)} is not a minivae {kind}, or only a part of one; "
            f"give a file that minivae saved, whole"
        )
    if seal != SEAL + hashlib.sha256(body).hexdigest().encode():
        raise damaged(path, "its checksum does not match its content")


def _read_head(archive, info, path, kind: str) -> dict:
    head = json.loads(archive.read(info), parse_float=_finite, parse_constant=_finite)
    ours = isinstance(head, dict) and head.get("format") == "minivae"
    version = head.get("format_version") if ours else None
    if type(version) is not int:
        raise damaged(path, "its description is not minivae's")
    if version != FORMAT_VERSION:
        later = version > FORMAT_VERSION
        writer = "a later minivae" if later else "an earlier minivae"
        remedy = "update minivae" if later else "open it with the minivae that wrote it"
        raise MinivaeError(
            f"{printable(path)} was written by {writer}, in format {version}, "
            f"and this one reads format {FORMAT_VERSION}; {remedy}"
        )
    if not isinstance(head.get("arrays"), dict) or not isinstance(head.get("meta"), dict):
        raise damaged(path, "its description is not minivae's")
    if head.get("kind") != kind:
        found = printable(head.get("kind"))
        raise MinivaeError(f"{printable(path)} holds a {found}, not a {kind}; give the {kind} file")
    return head


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("a number in its description is not finite")
    return value


def most_unpacked(size: int) -> int:
    """The most that `size` compressed bytes may unpack to: no lie and no bomb gets past it."""
    return min(size * DEFLATE_RATIO, max(size * IMAGE_RATIO, SMALL), MAX_BYTES)


def zip_members(archive: zipfile.ZipFile, size: int, path) -> dict[str, zipfile.ZipInfo]:
    """The members of an open zip of `size` bytes, by name, once none announces the impossible."""
    members = {}
    for info in archive.infolist():
        stored = info.compress_type == zipfile.ZIP_STORED
        if not stored and info.compress_type != zipfile.ZIP_DEFLATED:
            raise damaged(path, "it is compressed in a way that NumPy does not write")
        packed = info.compress_size
        if packed > size or info.file_size > packed * (1 if stored else DEFLATE_RATIO):
            raise damaged(path, "it announces more data than it can hold")
        if info.flag_bits & 1:
            raise MinivaeError(f"{printable(path)} is encrypted; save it without a password")
        if info.filename in members:
            raise damaged(path, f"it holds {printable(info.filename)} twice")
        members[info.filename] = info
    unpacked = sum(info.file_size for info in members.values())
    if unpacked > most_unpacked(size):
        raise unpacks_too_far(path, unpacked)
    return members


def read_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, path) -> np.ndarray:
    with archive.open(info) as stream:
        return read_npy(stream, info.file_size, path)


def read_npy(stream, size: int, path) -> np.ndarray:
    """Read one NPY array from a stream of `size` bytes: numbers and booleans, nothing else.

    The header is matched, never evaluated, and the announced array must have exactly the bytes that
    are there, so that memory is taken only for what exists.
    """
    start = stream.read(8)
    if start[:6] != b"\x93NUMPY" or len(start) < 8 or start[6] not in (1, 2, 3):
        raise damaged(path, "no NPY array where one should begin")
    width = 2 if start[6] == 1 else 4
    length = int.from_bytes(stream.read(width), "little")
    if length > MAX_NPY_HEADER:
        raise damaged(path, f"its NPY header is {length} bytes long")
    dtype, fortran, shape = _parse_npy_header(stream.read(length).decode("latin-1"), path)
    there = max(0, size - 8 - width - length)
    announced = math.prod(shape) * dtype.itemsize
    if announced != there:
        raise damaged(path, f"it announces {announced} bytes of numbers and holds {there}")
    return read_numbers(stream, dtype, shape, path, order="F" if fortran else "C")


def _parse_npy_header(header: str, path) -> tuple[np.dtype, bool, tuple[int, ...]]:
    descr = re.search(r"'descr'\s*:\s*'([^']*)'", header)
    order = re.search(r"'fortran_order'\s*:\s*(True|False)", header)
    shape = re.search(r"'shape'\s*:\s*\(([\d\s,]*)\)", header, re.ASCII)
    if re.search(r"'descr'\s*:\s*\[", header):
        raise MinivaeError(
            f"{printable(path)} holds a structured array; save a plain array of numbers"
        )
    if not (descr and order and shape):
        raise damaged(path, "its NPY header is not one")
    if not re.fullmatch(r"[<>|=]?(b1|[iu][1248]|f[248])", descr[1]):
        objects = descr[1].endswith("O")
        what = f"dtype {printable(descr[1])}"
        if objects:
            what = "Python objects (a pickle, never opened)"
        raise MinivaeError(
            f"{printable(path)} holds {what}; save a plain array of numbers with np.save"
        )
    sizes = re.findall(r"\d+", shape[1], re.ASCII)
    if len(sizes) > MAX_DIMS or any(len(n) > 12 for n in sizes):
        raise damaged(path, "its NPY header announces an impossible shape")
    return np.dtype(descr[1]), order[1] == "True", tuple(map(int, sizes))


def read_numbers(stream, dtype: np.dtype, shape, path, *, order: str = "C") -> np.ndarray:
    """Fill a new array from a stream, chunk by chunk -> row-major and in native byte order.

    A stream that ends early is an error.
    """
    raw = np.empty(math.prod(shape) * dtype.itemsize, np.uint8)
    filled = 0
    while filled < raw.size:
        got = stream.readinto(memoryview(raw[filled : filled + CHUNK]))
        if not got:
            raise damaged(path, f"it ends after {filled} of {raw.size} bytes of numbers")
        filled += got
    numbers = raw.astype(bool) if dtype.kind == "b" else raw.view(dtype)
    numbers = numbers.reshape(shape, order=order)
    return np.asarray(numbers, dtype.newbyteorder("="), order="C")


# --- one writer a folder ---------------------------------------------------------------------


@contextlib.contextmanager
def lock_folder(folder):
    """Hold a folder for this process alone; a second taker gets a MinivaeError at once.

    The operating system holds the lock (on the hidden file .lock) and drops it when the process
    ends, however it ends. Who gets the lock also sweeps away what a killed writer left behind.
    """
    folder = check_path(folder, "the folder")
    try:
        file = open(folder / ".lock", "ab")
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
        _sweep(folder)
        yield


def _sweep(folder: Path) -> None:
    try:
        for partial in folder.glob(".minivae-*.partial"):
            partial.unlink(missing_ok=True)
    except OSError as exc:
        raise _write_error(folder, exc) from None


def _lock(file) -> None:
    """Take the lock or raise OSError at once; closing the file releases it."""
    if os.name == "nt":
        import msvcrt

        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)

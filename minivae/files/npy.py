"""NumPy's .npy format: plain arrays of numbers and booleans, never a pickle.

The header is matched with regular expressions and never evaluated.
"""

from __future__ import annotations

import io
import math
import re
import zipfile
from os import PathLike
from typing import Literal, cast

import numpy as np

from minivae.checks.values import printable
from minivae.errors import MinivaeError
from minivae.files.opening import damaged_error, most_unpacked, unpacked_size_error

CHUNK = 1 << 18  # bytes read at a time
MAX_NPY_HEADER = 10_000  # bytes
MAX_DIMS = 8


def npy_bytes(array: np.ndarray) -> bytes:
    """An array as the bytes of a .npy file: little-endian, row-major, version 1.0."""
    buffer = io.BytesIO()
    little_endian = np.asarray(array, array.dtype.newbyteorder("<"), order="C")
    np.lib.format.write_array(buffer, little_endian, version=(1, 0), allow_pickle=False)
    return buffer.getvalue()


def read_npy(
    stream: io.BufferedIOBase,
    size: int,
    path: str | PathLike[str],
    packed: int | None = None,
    *,
    texts: bool = False,
) -> np.ndarray:
    """Read one array of numbers or booleans, or text if `texts`, from a stream of `size` bytes.

    packed: how many compressed bytes these are unpacked from, if they are. The announced array must
    have exactly as many bytes as follow the header, so that memory is taken only for data that
    exist. Raises MinivaeError, which names `path`, for anything else.
    """
    start = stream.read(8)
    if start[:6] != b"\x93NUMPY" or len(start) < 8 or start[6] not in (1, 2, 3):
        raise damaged_error(path, "there is no NPY header where an array should begin")
    width = 2 if start[6] == 1 else 4
    length = int.from_bytes(stream.read(width), "little")
    if length > MAX_NPY_HEADER:
        raise damaged_error(path, f"its NPY header is {length} bytes long")
    dtype, fortran, shape = _parse_npy_header(stream.read(length).decode("latin-1"), path, texts)
    there = max(0, size - 8 - width - length)
    announced = math.prod(shape) * dtype.itemsize
    if announced != there:
        raise damaged_error(path, f"it declares {announced} bytes of numbers and holds {there}")
    # Half-precision numbers double when they are used.
    used = announced * 2 if dtype == np.float16 else announced
    if packed is not None and used > most_unpacked(packed):
        raise unpacked_size_error(path, used)
    return read_numbers(stream, dtype, shape, path, order="F" if fortran else "C")


def _parse_npy_header(
    header: str, path: str | PathLike[str], texts: bool
) -> tuple[np.dtype, bool, tuple[int, ...]]:
    """The dtype, whether the order is Fortran's, and the shape."""
    descr = re.search(r"'descr'\s*:\s*'([^']*)'", header)
    order = re.search(r"'fortran_order'\s*:\s*(True|False)", header)
    shape = re.search(r"'shape'\s*:\s*\(([\d\s,]*)\)", header, re.ASCII)
    if re.search(r"'descr'\s*:\s*\[", header):
        raise MinivaeError(
            f"{printable(path)} holds a structured array; save a plain array of numbers"
        )
    if not (descr and order and shape):
        raise damaged_error(path, "its NPY header is malformed")
    known = r"[<>|=]?(b1|[iu][1248]|f[248]" + (r"|[US][1-9]\d{0,3})" if texts else ")")
    if not re.fullmatch(known, descr[1], re.ASCII):
        objects = descr[1].endswith("O")
        what = f"dtype {printable(descr[1])}"
        if objects:
            what = "Python objects (a pickle, never opened)"
        raise MinivaeError(
            f"{printable(path)} holds {what}; save a plain array of numbers with np.save"
        )
    sizes = re.findall(r"\d+", shape[1], re.ASCII)
    if len(sizes) > MAX_DIMS or any(len(n) > 12 for n in sizes):
        raise damaged_error(path, "its NPY header declares an impossible shape")
    return np.dtype(descr[1]), order[1] == "True", tuple(map(int, sizes))


def read_member(
    archive: zipfile.ZipFile,
    info: zipfile.ZipInfo,
    path: str | PathLike[str],
    *,
    texts: bool = False,
) -> np.ndarray:
    """Read the .npy member `info` of an open zip; `texts` and errors as in `read_npy`."""
    with archive.open(info) as opened:
        stream = cast(io.BufferedIOBase, opened)  # declared as IO[bytes]
        return read_npy(stream, info.file_size, path, packed=info.compress_size, texts=texts)


def read_numbers(
    stream: io.BufferedIOBase,
    dtype: np.dtype,
    shape: tuple[int, ...],
    path: str | PathLike[str],
    *,
    order: Literal["C", "F"] = "C",
) -> np.ndarray:
    """Fill a new array from a stream, chunk by chunk -> row-major and in native byte order.

    order: how the numbers lie in the stream. Raises MinivaeError if the stream ends early.
    """
    raw = np.empty(math.prod(shape) * dtype.itemsize, np.uint8)
    filled = 0
    while filled < raw.size:
        got = stream.readinto(raw[filled : filled + CHUNK].data)
        if not got:
            raise damaged_error(path, f"it ends after {filled} of {raw.size} bytes of numbers")
        filled += got
    numbers = raw.astype(bool) if dtype.kind == "b" else raw.view(dtype)
    return np.asarray(numbers.reshape(shape, order=order), dtype.newbyteorder("="), order="C")

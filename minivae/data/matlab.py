"""MATLAB's .mat files up to version 7, read without SciPy, whose reader can crash on damaged ones.

The format (MathWorks, "MAT-File Format", level 5): a header of 128 bytes, then elements, each with
a tag of 8 bytes that gives its type and size. A matrix is an element of elements: flags, sizes,
name, numbers; a compressed element is zlib data of another one.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator
from os import PathLike
from typing import NamedTuple

import numpy as np

from minivae.checks import printable
from minivae.data.found import Found, Part
from minivae.data.named import read_named
from minivae.files import damaged_error, most_unpacked, unpacked_size_error

START = b"MATLAB 5.0 MAT-file"
HDF5_STARTS = (b"MATLAB 7.3 MAT-file", b"\x89HDF\r\n\x1a\n")
HEADER_BYTES = 128
MATRIX, COMPRESSED = 14, 15  # types of elements; those below hold numbers, or text
NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8"}
NUMBERS |= {13: "u8", 16: "u1", 17: "u2", 18: "u4"}
CHAR = 4  # classes of matrices: what the numbers are when they are read
CLASSES = {CHAR: "u4", 6: "f8", 7: "f4", 8: "i1", 9: "u1", 10: "i2", 11: "u2", 12: "i4", 13: "u4"}
CLASSES |= {14: "i8", 15: "u8"}
LOGICAL, COMPLEX = 0x200, 0x800  # flags of a matrix
MAX_DIMS = 8


class _Matrix(NamedTuple):
    """A matrix that is not converted yet. kind: of its numbers in the file."""

    flags: int
    shape: tuple[int, ...]
    kind: str
    data: bytes


def read_mat(data: bytes, path: str | PathLike[str]) -> Found:
    """The arrays of a .mat file, under the names that `named` knows. Images may be along the last
    axis, as MATLAB keeps them. Raises MinivaeError, which names the file."""
    order = {b"IM": "<", b"MI": ">"}.get(data[126:HEADER_BYTES])
    if order is None:
        raise damaged_error(path, "its header has no byte order")
    matrices: dict[str, _Matrix] = {}
    strange = []
    left = most_unpacked(len(data))
    for kind, content in _elements(data[HEADER_BYTES:], order, path):
        if kind == COMPRESSED:
            unpacked = zlib.decompressobj().decompress(content, left + 1)
            if len(unpacked) > left:
                raise unpacked_size_error(path, len(unpacked))
            left -= len(unpacked)
            kind, content = next(_elements(unpacked, order, path), (0, b""))
        if kind != MATRIX:
            continue
        name, matrix = _matrix(content, order, path)
        if matrix is None:
            strange.append(name)
        else:
            matrices[name] = matrix
    found = read_named(
        {name.lower(): name for name in matrices}, lambda name: _array(matrices[name], path), path
    )
    train, moved = _images_first(found.train)
    test = None if found.test is None else _images_first(found.test)[0]
    notes = [*found.notes, *([moved] if moved else [])]
    if strange:
        notes.append(f"not used: {printable(', '.join(sorted(strange)))}")
    return found._replace(train=train, test=test, notes=tuple(notes))


def _elements(data: bytes, order: str, path: str | PathLike[str]) -> Iterator[tuple[int, bytes]]:
    """The elements in a run of bytes: (type, content). Up to four bytes lie inside of the tag."""
    at = 0
    while at + 8 <= len(data):
        first, size = (int(word) for word in np.frombuffer(data, f"{order}u4", 2, at))
        if first >> 16:
            kind, size, start = first & 0xFFFF, first >> 16, at + 4
            at += 8
            whole = size <= 4
        else:
            kind, start = first, at + 8
            at = start + size + (0 if kind == COMPRESSED else -size % 8)
            whole = start + size <= len(data)
        if not whole:
            raise damaged_error(path, "an element is longer than the file")
        yield kind, data[start : start + size]


def _matrix(content: bytes, order: str, path: str | PathLike[str]) -> tuple[str, _Matrix | None]:
    """The name of a matrix, and what it holds; None for structures, cells, sparse and complex."""
    parts = _elements(content, order, path)
    heads = [next(parts, (0, b""))[1] for _ in range(3)]
    flags = np.frombuffer(heads[0], f"{order}u4")
    shape = tuple(map(int, np.frombuffer(heads[1], f"{order}i4")))
    if len(flags) < 1 or not 1 <= len(shape) <= MAX_DIMS or min(shape) < 0:
        raise damaged_error(path, "a matrix has no flags or impossible sizes")
    name = printable(heads[2].decode("latin-1"))
    if int(flags[0]) & 0xFF not in CLASSES or int(flags[0]) & COMPLEX:
        return name, None
    kind, data = next(parts, (0, b""))
    if kind not in NUMBERS:
        raise damaged_error(path, f"the matrix {name} holds no numbers")
    return name, _Matrix(int(flags[0]), shape, order + NUMBERS[kind], data)


def _array(matrix: _Matrix, path: str | PathLike[str]) -> np.ndarray:
    """A matrix as an array; of characters, one text for each row."""
    dtype = np.dtype(matrix.kind)
    announced = math.prod(matrix.shape) * dtype.itemsize
    if announced != len(matrix.data):
        raise damaged_error(
            path, f"a matrix declares {announced} bytes of numbers and holds {len(matrix.data)}"
        )
    numbers = np.frombuffer(matrix.data, dtype).reshape(matrix.shape, order="F")
    kind = matrix.flags & 0xFF
    if kind == CHAR and numbers.ndim == 2:
        try:
            return np.array(["".join(map(chr, row)).strip() for row in numbers.tolist()], dtype=str)
        except (ValueError, OverflowError):
            raise damaged_error(path, "a text holds numbers that are no characters") from None
    with np.errstate(all="ignore"):  # the type in the file may not fit into the class
        return numbers.astype(bool if matrix.flags & LOGICAL else CLASSES[kind])


def _images_first(part: Part) -> tuple[Part, str | None]:
    """(h, w, N) -> (N, h, w), and (h, w, 3, N) -> (N, h, w, 3), where the labels or equal sides say
    that images are along the last axis; and a note."""
    images, shape = part.images, part.images.shape
    n = None if part.labels is None else max(part.labels.shape, default=0)
    if len(shape) < 3:
        if len(shape) == 2 and n is not None and shape[0] != n == shape[1]:
            return part._replace(images=images.T), "the images are along the last axis"
        return part, None
    last = (
        shape[-1] == n
        if n in (shape[0], shape[-1]) and shape[0] != shape[-1]
        else (shape[0] == shape[1] != shape[2] if len(shape) == 3 else shape[2] == 3)
    )
    if not last:
        return part, None
    return part._replace(images=np.moveaxis(images, -1, 0)), "the images are along the last axis"

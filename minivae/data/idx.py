"""IDX files, MNIST's own format, and the files that belong together."""

from __future__ import annotations

import contextlib
import io
import math
import os
import re
import zlib
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from minivae.checks import printable
from minivae.data.found import FORMATS, Found, Part
from minivae.errors import MinivaeError
from minivae.files import (
    damaged_error,
    most_unpacked,
    read_numbers,
    reading,
    unpacked_size_error,
)

IDX_DTYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
TEST_WORDS = ("t10k", "test")  # in the names of test files; "train" in those of training files


def read_family(path: Path, labels: bool) -> Found:
    """The images of an IDX file, with the labels and the test set that lie beside it, named the
    MNIST way: train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte, ..."""
    notes: list[str] = []
    train = _with_labels(path, labels, notes)
    beside = _test_beside(path)
    if beside is None:
        return Found(train, notes=tuple(notes))
    notes.append(f"test set from {printable(beside.name)}")
    return Found(train, _with_labels(beside, labels, notes), notes=tuple(notes))


def _with_labels(path: Path, wanted: bool, notes: list[str]) -> Part:
    """The images of a file, and labels from the file beside it. Labels that cannot be read are left
    out."""
    images, beside = read_idx(path), _labels_beside(path) if wanted else None
    if beside is None:
        return Part(images)
    try:
        labels = read_idx(beside)
    except MinivaeError as error:
        notes.append(f"labels left out: {error}")
        return Part(images)
    notes.append(f"labels from {printable(beside.name)}")
    return Part(images, labels)


def training_files(folder: Path) -> list[Path]:
    """The IDX files of images in a folder, or in its subfolder raw/ (as torchvision keeps them),
    without the test sets of others; in order of name."""
    for place in (folder, folder / "raw"):
        names = sorted(os.listdir(place)) if os.path.isdir(place) else []
        plain = [name for name in names if re.search(r"images.idx\d", name.removesuffix(".gz"))]
        paths = {place / name for name in plain if not _is_copy(name, names)}
        found = sorted(paths - {_test_beside(path) for path in paths})
        if found:
            return found
    return []


def _is_copy(name: str, names: list[str]) -> bool:
    """Whether a .gz file lies beside what it unpacks to."""
    return name.endswith(".gz") and name.removesuffix(".gz") in names


def _labels_beside(path: Path) -> Path | None:
    """train-images-idx3-ubyte.gz -> train-labels-idx1-ubyte.gz, zipped or not, if it is there."""
    if "images" not in path.name:
        return None
    return _there(path, path.name.replace("images", "labels").replace("idx3", "idx1"))


def _test_beside(path: Path) -> Path | None:
    """train-images-idx3-ubyte -> t10k-images-idx3-ubyte, zipped or not, if it is there."""
    if not re.search("train.*images", path.name):
        return None
    names = (path.name.replace("train", word) for word in TEST_WORDS)
    return next((found for name in names if (found := _there(path, name)) is not None), None)


def _there(path: Path, name: str) -> Path | None:
    plain = name.removesuffix(".gz")
    candidates = [path.with_name(plain + end) for end in ("", ".gz")]
    return next((found for found in candidates if os.path.isfile(found)), None)


def starts_like_idx(start: bytes) -> bool:
    """Whether the first bytes of a file can be those of an IDX file that is not zipped."""
    return start.startswith(b"\0\0")


def read_idx(path: str | PathLike[str]) -> np.ndarray:
    """One array from an IDX file, plain or gzip.

    The format: two zero bytes, a type, the number of dimensions, their sizes, the numbers.
    Raises MinivaeError, which names the file, if it is damaged or of another format.
    """
    with reading(path) as (file, size), contextlib.ExitStack() as stack:
        zipped = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        stream: io.BufferedIOBase = file
        if zipped:
            stream = stack.enter_context(gunzipped(file))
        head = stream.read(4)
        if len(head) < 4 or head[:2] != b"\0\0" or head[2] not in IDX_DTYPES:
            what = "gzip data, but not IDX" if zipped else "not IDX"
            raise MinivaeError(f"{printable(path)} is {what}; give {FORMATS}")
        if not 1 <= head[3] <= 4:
            raise damaged_error(path, f"its header declares {head[3]} dimensions")
        dtype = np.dtype(IDX_DTYPES[head[2]])
        sizes = stream.read(4 * head[3])
        shape = tuple(int.from_bytes(sizes[i : i + 4], "big") for i in range(0, len(sizes), 4))
        announced = math.prod(shape) * dtype.itemsize
        if zipped and announced > most_unpacked(size):
            raise unpacked_size_error(path, announced)
        if not zipped and announced > size:
            raise damaged_error(
                path, f"its header declares {announced} bytes of numbers in a file of {size}"
            )
        numbers = read_numbers(stream, dtype, shape, path)
        if stream.read(1):
            raise damaged_error(
                path, f"it has more than the {announced} bytes that its header declares"
            )
    return numbers


def gunzipped(file: io.BufferedReader) -> io.BufferedReader:
    """A gzip file as a stream of its unpacked bytes."""
    return io.BufferedReader(_Gunzip(file))


class _Gunzip(io.RawIOBase):
    """The unpacked bytes of a gzip file. (Python's own reader takes the zeros that may pad such a
    file one by one: minutes for a large one.)"""

    CHUNK = 1 << 16

    def __init__(self, file: io.BufferedReader) -> None:
        self._file, self._packed = file, b""
        self._unpacker = zlib.decompressobj(wbits=31)  # 31: with gzip's header and checksum

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = b""
        while not data:
            if self._unpacker.eof:  # another member may follow, or zeros
                self._packed = (self._unpacker.unused_data + self._packed).lstrip(b"\0")
                self._unpacker = zlib.decompressobj(wbits=31)
                while not self._packed:
                    more = self._file.read(self.CHUNK)
                    if not more:
                        return 0
                    self._packed = more.lstrip(b"\0")
            elif not self._packed:
                self._packed = self._file.read(self.CHUNK)
                if not self._packed:
                    raise EOFError("its compressed data end too early")
            data = self._unpacker.decompress(self._packed, len(buffer))
            self._packed = self._unpacker.unconsumed_tail
        buffer[: len(data)] = data
        return len(data)

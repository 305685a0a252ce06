"""Readers of image files, chosen by the first bytes of a file and not by its name."""

from __future__ import annotations

import contextlib
import io
import math
import os
import zipfile
import zlib
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from minivae.checks import printable
from minivae.data.png import PNG_START, read_png_folder
from minivae.errors import MinivaeError
from minivae.files import (
    damaged,
    most_unpacked,
    read_member,
    read_npy,
    read_numbers,
    reading,
    unpacks_too_far,
    zip_members,
)

IMAGE_NAMES = ("x_train", "train_images", "train", "images", "imgs", "x", "data")
LABEL_NAMES = ("y_train", "train_labels", "labels", "y")
TEST_NAMES = ("x_test", "test_images", "test")
TEST_LABEL_NAMES = ("y_test", "test_labels")

IDX_DTYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}

FORMATS = "a .npy, .npz or IDX file (also .gz), or a folder of PNG images"


class Found(NamedTuple):
    """What a reader found: arrays as they are in the file, their values not checked yet."""

    images: np.ndarray
    labels: np.ndarray | None = None
    test: np.ndarray | None = None
    test_labels: np.ndarray | None = None
    note: str = ""


def read_folder(folder: Path) -> Found:
    """The PNG images of a folder, or of its subfolders. Raises MinivaeError if there are none."""
    found = read_png_folder(folder)
    if found is None:
        raise MinivaeError(f"{printable(folder)}, a folder, holds no PNG images; give {FORMATS}")
    images, labels, note = found
    return Found(images, labels, note=note)


def read_file(path: Path) -> Found:
    """The arrays of a .npy, .npz or IDX file.

    Raises MinivaeError, which names the file, if it is damaged or of another format.
    """
    with reading(path) as (file, size):
        start = file.read(8)
        file.seek(0)
        if start.startswith(b"\x93NUMPY"):
            return Found(read_npy(file, size, path))
        if start.startswith(b"PK"):
            return _read_npz(file, size, path)
        if not _starts_like_idx(start):
            raise MinivaeError(f"{printable(path)} {_format_advice(start)}")
    labels_path = _labels_beside(path)
    if labels_path is None:
        return Found(read_idx(path))
    note = f"labels from {printable(labels_path.name)}"
    return Found(read_idx(path), read_idx(labels_path), note=note)


def _format_advice(start: bytes) -> str:
    if not start:
        return f"is empty; give {FORMATS}"
    if start.startswith(b"\x80"):
        return "is a pickle, which could run code and is never opened; save the array with np.save"
    if start == PNG_START:
        return "is one PNG image; put the images into a folder and give the folder"
    return f"is in an unknown format; give {FORMATS}"


def _read_npz(file: io.BufferedReader, size: int, path: Path) -> Found:
    with zipfile.ZipFile(file) as archive:
        members = zip_members(archive, size, path)
        names = {name[:-4].lower(): name for name in members if name.endswith(".npy")}
        if not any(name in names for name in IMAGE_NAMES) and len(names) == 1:
            names = {IMAGE_NAMES[0]: next(iter(names.values()))}

        def read(wanted: tuple[str, ...]) -> np.ndarray | None:
            found = next((names[name] for name in wanted if name in names), None)
            return None if found is None else read_member(archive, members[found], path)

        images = read(IMAGE_NAMES)
        if images is None:
            there = printable(", ".join(sorted(names)) or "nothing")
            raise MinivaeError(
                f"{printable(path)} holds {there}; name the images {' or '.join(IMAGE_NAMES)}"
            )
        return Found(images, read(LABEL_NAMES), read(TEST_NAMES), read(TEST_LABEL_NAMES))


def _starts_like_idx(start: bytes) -> bool:
    return start.startswith((b"\x1f\x8b", b"\0\0"))


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
            stream = stack.enter_context(io.BufferedReader(_Gunzip(file)))
        head = stream.read(4)
        if len(head) < 4 or head[:2] != b"\0\0" or head[2] not in IDX_DTYPES:
            what = "gzip data, but not IDX" if zipped else "not IDX"
            raise MinivaeError(f"{printable(path)} is {what}; give {FORMATS}")
        if not 1 <= head[3] <= 4:
            raise damaged(path, f"its header declares {head[3]} dimensions")
        dtype = np.dtype(IDX_DTYPES[head[2]])
        sizes = stream.read(4 * head[3])
        shape = tuple(int.from_bytes(sizes[i : i + 4], "big") for i in range(0, len(sizes), 4))
        announced = math.prod(shape) * dtype.itemsize
        if zipped and announced > most_unpacked(size):
            raise unpacks_too_far(path, announced)
        if not zipped and announced > size:
            raise damaged(
                path, f"its header declares {announced} bytes of numbers in a file of {size}"
            )
        numbers = read_numbers(stream, dtype, shape, path)
        if stream.read(1):
            raise damaged(path, f"it has more than the {announced} bytes that its header declares")
    return numbers


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


def _labels_beside(images_path: Path) -> Path | None:
    """train-images-idx3-ubyte.gz -> train-labels-idx1-ubyte.gz, zipped or not, if it is there."""
    name = images_path.name
    if "images" not in name:
        return None
    plain = name.replace("images", "labels").replace("idx3", "idx1").removesuffix(".gz")
    candidates = [images_path.with_name(plain + end) for end in ("", ".gz")]
    return next((path for path in candidates if os.path.isfile(path)), None)

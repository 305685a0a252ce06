"""Readers of image files, chosen by the first bytes of a file and not by its name."""

from __future__ import annotations

import io
import zipfile
from os import PathLike
from pathlib import Path

import numpy as np

from minivae.checks import printable
from minivae.data import matlab
from minivae.data.found import FORMATS, Found, Part, Reading
from minivae.data.idx import gunzipped, read_family, starts_like_idx
from minivae.data.named import read_named
from minivae.data.pictures import ENDINGS, JPEG_START
from minivae.data.png import PNG_START
from minivae.data.tables import looks_like_text, read_table
from minivae.data.trees import read_zip
from minivae.errors import MinivaeError
from minivae.files import most_unpacked, read_member, read_npy, reading, zip_members

NPY_START, GZIP_START = b"\x93NUMPY", b"\x1f\x8b"
START = 64  # bytes that decide
SAVE_PICKLE = "could run code and is never opened; load it yourself and save the array with np.save"
SAVE_TENSOR = (
    "could run code when it is opened, and never is; load it in PyTorch and save the images with "
    "np.save('images.npy', images.numpy())"
)


def read_file(path: Path, options: Reading) -> Found:
    """The images of a file, with all that it says about them.

    Raises MinivaeError, which names the file, if it is damaged or of another format.
    """
    with reading(path) as (file, size):
        start = file.read(START)
        file.seek(0)
        if path.suffix.lower() in (".pt", ".pth"):
            raise MinivaeError(f"{printable(path)} is a PyTorch file, which {SAVE_TENSOR}")
        if start.startswith(GZIP_START):
            with gunzipped(file) as stream:
                start = stream.read(START)
            if not starts_like_idx(start):
                with open(path, "rb") as again, gunzipped(again) as stream:
                    data = stream.read(most_unpacked(size) + 1)
                if len(data) > most_unpacked(size):
                    raise MinivaeError(
                        f"{printable(path)} unpacks to too many bytes for a file of its size; save "
                        "the images again, uncompressed"
                    )
                return _read(io.BytesIO(data), len(data), start, path, options, zipped=True)
        elif not starts_like_idx(start):
            return _read(file, size, start, path, options, zipped=False)
    return read_family(path, options.labels)


def _read(
    file: io.BufferedIOBase, size: int, start: bytes, path: Path, options: Reading, zipped: bool
) -> Found:
    """An open file, or what a gzip file unpacks to, by its first bytes."""
    if start.startswith(NPY_START):
        return Found(Part(read_npy(file, size, path)))
    if start.startswith(b"PK"):
        return _read_archive(file, size, path, options)
    if start.startswith(matlab.START):
        return matlab.read_mat(file.read(), path)
    if looks_like_text(start):
        return read_table(file.read(), path, options.labels)
    what = "gzip data, but not IDX or another known format" if zipped else _format_advice(start)
    if zipped:
        what += f"; give {FORMATS}"
    raise MinivaeError(f"{printable(path)} {'is ' if zipped else ''}{what}")


def _format_advice(start: bytes) -> str:
    if not start:
        return f"is empty; give {FORMATS}"
    if start.startswith(b"\x80"):
        return f"is a pickle, which {SAVE_PICKLE}"
    if start.startswith((PNG_START, JPEG_START)):
        kind = "PNG" if start.startswith(PNG_START) else "JPEG"
        return f"is one {kind} image; put the images into a folder and give the folder"
    if start.startswith(matlab.HDF5_STARTS):
        return "is HDF5, as MATLAB's -v7.3 is; save the arrays with np.savez, or in MATLAB with -v7"
    if start.startswith(b"PAR1"):
        return "is a Parquet file; save the table as CSV, or the images with np.savez"
    return f"is in an unknown format; give {FORMATS}"


def _read_archive(file: io.BufferedIOBase, size: int, path: Path, options: Reading) -> Found:
    """A zip: an .npz file, or images."""
    with zipfile.ZipFile(file) as archive:
        members = zip_members(archive, size, path)
        if any(name.endswith("data.pkl") for name in members):
            raise MinivaeError(f"{printable(path)} is a PyTorch file, which {SAVE_TENSOR}")
        arrays = {name[:-4].lower(): name[:-4] for name in members if name.endswith(".npy")}
        if not arrays and any(name.lower().endswith(ENDINGS) for name in members):
            return read_zip(archive, members, path, options.max_value, options.labels)
        return read_named(arrays, lambda name: _member(archive, members[f"{name}.npy"], path), path)


def _member(
    archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: str | PathLike[str]
) -> np.ndarray:
    return read_member(archive, info, path, texts=True)

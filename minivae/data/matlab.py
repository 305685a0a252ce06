"""MATLAB's .mat files, through SciPy where it is installed."""

from __future__ import annotations

import io
import math
from os import PathLike

import numpy as np

from minivae.checks import printable
from minivae.data.found import Found, Part
from minivae.data.named import read_named
from minivae.errors import MinivaeError
from minivae.files import damaged_error, most_unpacked, unpacked_size_error

START = b"MATLAB 5.0 MAT-file"
HDF5_STARTS = (b"MATLAB 7.3 MAT-file", b"\x89HDF\r\n\x1a\n")
BYTES = {"uint8": 1, "int8": 1, "logical": 1, "uint16": 2, "int16": 2, "uint32": 4, "int32": 4}
BYTES |= {"single": 4, "double": 8, "uint64": 8, "int64": 8, "char": 4}


def read_mat(data: bytes, path: str | PathLike[str]) -> Found:
    """The arrays of a .mat file up to version 7, under the names that `named` knows. Images may be
    along the last axis, as MATLAB keeps them. Raises MinivaeError, which names the file."""
    try:
        from scipy.io import loadmat, whosmat
    except ImportError:
        raise MinivaeError(
            f"{printable(path)} is a MATLAB file, which needs SciPy; `python -m pip install scipy` "
            "installs it, or save the arrays with np.savez"
        ) from None
    try:
        listed = whosmat(io.BytesIO(data))
    except Exception as error:
        raise damaged_error(path, str(error) or type(error).__name__) from None
    known = {name: (shape, kind) for name, shape, kind in listed if kind in BYTES}
    size = sum(math.prod(shape) * BYTES[kind] for shape, kind in known.values())
    if size > most_unpacked(len(data)):
        raise unpacked_size_error(path, size)

    def read(name: str) -> np.ndarray:
        try:
            return loadmat(io.BytesIO(data), variable_names=[name])[name]
        except Exception as error:
            raise damaged_error(path, str(error) or type(error).__name__) from None

    found = read_named({name.lower(): name for name in known}, read, path)
    strange = sorted(name for name, _, kind in listed if kind not in BYTES)
    notes = found.notes + ((f"not used: {printable(', '.join(strange))}",) if strange else ())
    train, moved = _images_first(found.train)
    test = None if found.test is None else _images_first(found.test)[0]
    return found._replace(train=train, test=test, notes=notes + ((moved,) if moved else ()))


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

"""minivae's own files: named arrays and a description in one .npz, sealed with a checksum."""

from __future__ import annotations

import hashlib
import io
import json
import math
import re
import zipfile
from os import PathLike
from typing import Any

import numpy as np

from minivae.checks.values import printable
from minivae.errors import MinivaeError
from minivae.files.npy import npy_bytes, read_member
from minivae.files.opening import damaged_error, reading, zip_members
from minivae.files.writing import atomic_write

FORMAT_VERSION = 1
ARCHIVE_DTYPES = ("float16", "float32", "float64", "uint8", "int32", "int64", "uint32", "uint64")
SEAL = b"minivae sha256 "
SEAL_BYTES = len(SEAL) + 64


def write_archive(
    path: str | PathLike[str], arrays: dict[str, np.ndarray], meta: dict[str, Any]
) -> None:
    """Save arrays and a description as one sealed .npz file, through `atomic_write`.

    `np.load` reads it too. `meta` must fit into JSON (tuples come back as lists), and meta["kind"]
    says what the file is. Equal content gives equal bytes. The zip comment at the end, the seal,
    holds the SHA-256 of all bytes before it.
    Raises MinivaeError if the file cannot be written, or if a number is NaN or infinite, which
    `read_archive` would refuse; ValueError for an array name or a dtype that is not supported.
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
    members |= {f"{name}.npy": npy_bytes(arrays[name]) for name in sorted(arrays)}
    atomic_write(path, seal(zip_bytes(members)))


def _not_finite(path: str | PathLike[str], what: str) -> MinivaeError:
    message = f"{printable(path)} is not written: {what} holds NaN or infinity"
    return MinivaeError(f"{message}; only finite numbers can be saved")


def zip_bytes(members: dict[str, bytes]) -> bytes:
    """An uncompressed zip whose bytes depend on the members only: no time stamp, no system."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, data in members.items():
            info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            info.create_system, info.external_attr = 3, 0o644 << 16
            archive.writestr(info, data)
        archive.comment = bytes(SEAL_BYTES)  # replaced by the seal
    return buffer.getvalue()


def seal(data: bytes) -> bytes:
    """The zip with its comment replaced by the checksum of everything before it."""
    body = data[:-SEAL_BYTES]
    return body + SEAL + hashlib.sha256(body).hexdigest().encode()


def read_archive(
    path: str | PathLike[str], *, kind: str
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Read what `write_archive` wrote -> (arrays, meta).

    Checks the seal, format version, kind, names, shapes, dtypes, and that all numbers are finite.
    The caller checks the values in `meta`. Raises MinivaeError, which names the file.
    """
    with reading(path) as (file, _):
        data = file.read()
        _check_seal(data, path, kind)
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = zip_members(archive, len(data), path)
            if sum(info.file_size for info in members.values()) > len(data):
                raise damaged_error(path, "it declares more data than it holds")
            if "meta.json" not in members:
                raise damaged_error(path, "it has no description")
            head = _read_head(archive, members.pop("meta.json"), path, kind)
            if set(members) != {f"{name}.npy" for name in head["arrays"]}:
                raise damaged_error(path, "its arrays are not those it lists")
            arrays = {}
            for name, (dtype, shape) in head["arrays"].items():
                array = read_member(archive, members[f"{name}.npy"], path)
                if [array.dtype.name, list(array.shape)] != [dtype, shape]:
                    raise damaged_error(path, f"array {name} is not of the shape and type it lists")
                if dtype not in ARCHIVE_DTYPES:
                    raise damaged_error(
                        path, f"array {name} has dtype {dtype}, which minivae never saves"
                    )
                if not np.isfinite(array).all():
                    raise damaged_error(path, f"array {name} holds a number that is not finite")
                arrays[name] = array
    return arrays, head["meta"]


def _check_seal(data: bytes, path: str | PathLike[str], kind: str) -> None:
    body, found = data[:-SEAL_BYTES], data[-SEAL_BYTES:]
    if not data:
        raise damaged_error(path, "it is empty")
    if not found.startswith(SEAL):
        raise MinivaeError(
            f"{printable(path)} is not a complete minivae {kind} file; give a file that minivae "
            "saved"
        )
    if found != SEAL + hashlib.sha256(body).hexdigest().encode():
        raise damaged_error(path, "its checksum does not match its content")


def _read_head(
    archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: str | PathLike[str], kind: str
) -> dict[str, Any]:
    head = json.loads(archive.read(info), parse_float=_finite, parse_constant=_finite)
    ours = isinstance(head, dict) and head.get("format") == "minivae"
    version = head.get("format_version") if ours else None
    if type(version) is not int:
        raise damaged_error(path, "its description is not minivae's")
    if version != FORMAT_VERSION:
        later = version > FORMAT_VERSION
        writer = "a later minivae" if later else "an earlier minivae"
        remedy = "update minivae" if later else "open it with the minivae that wrote it"
        raise MinivaeError(
            f"{printable(path)} was written by {writer}, in format {version}, "
            f"and this one reads format {FORMAT_VERSION}; {remedy}"
        )
    if not isinstance(head.get("arrays"), dict) or not isinstance(head.get("meta"), dict):
        raise damaged_error(path, "its description is not minivae's")
    if head.get("kind") != kind:
        found = printable(head.get("kind"))
        raise MinivaeError(f"{printable(path)} holds a {found}, not a {kind}; give the {kind} file")
    return head


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("a number in its description is not finite")
    return value

"""Folders of PNG images -> grey images. Only chunks that hold pixels are given to Pillow."""

from __future__ import annotations

import io
import os
import re
import zlib
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from minivae.checks import printable
from minivae.errors import MinivaeError
from minivae.files import MAX_BYTES, damaged, reading

if TYPE_CHECKING:
    from PIL import Image as Pillow

MAX_PNG_SIDE = 1024  # pixels
MAX_PNG_BYTES = 16 << 20
MAX_PNG_CHUNKS = 10_000
PNG_START = b"\x89PNG\r\n\x1a\n"
PNG_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by the header's colour type
# Where the passes of an interlaced PNG start, column and row, and their steps (Adam7, in the PNG
# specification); and the one pass of any other PNG.
ADAM7 = (
    (0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)
)  # fmt: skip
WHOLE = ((0, 0, 1, 1),)
PNG_PIXEL_CHUNKS = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")


def read_png_folder(folder: Path) -> tuple[np.ndarray, np.ndarray | None, str] | None:
    """The PNG images of a folder or of its subfolders -> images, labels, note; None if none.

    images: (N, h, w) uint8; labels: (N,) int64, one number for each subfolder, None where the
    images lie in the folder itself; note: what was read, in words.
    Raises MinivaeError if an image is damaged or too large, or if the sizes differ.
    """
    entries = _list(folder)
    paths = _pngs(entries)
    groups = {e.name: _pngs(_list(e.path)) for e in entries if os.path.isdir(e.path)}
    groups = {name: pngs for name, pngs in groups.items() if pngs}
    if paths and groups:
        raise MinivaeError(
            f"{printable(folder)} holds PNG images and subfolders of PNG images; keep one of "
            "the two"
        )
    if paths:
        return _read_pngs(paths), None, "PNG images"
    if not groups:
        return None
    numbers = _label_numbers(list(groups))
    labels = np.repeat(list(numbers.values()), [len(pngs) for pngs in groups.values()])
    key = printable(", ".join(f"{i} = {name}" for name, i in numbers.items()))
    images = _read_pngs([path for pngs in groups.values() for path in pngs])
    return images, labels, f"PNG images, labels {key}"


def _list(folder: str | PathLike[str]) -> list[os.DirEntry[str]]:
    """What a folder holds, by name, without hidden files (macOS leaves ._x.png behind)."""
    try:
        with os.scandir(folder) as entries:
            visible = [entry for entry in entries if not entry.name.startswith(".")]
    except OSError as exc:
        message = f"cannot read the folder {printable(folder)}: {exc.strerror}"
        raise MinivaeError(f"{message}; check that you may read it") from None
    return sorted(visible, key=lambda entry: entry.name)


def _pngs(entries: list[os.DirEntry[str]]) -> list[Path]:
    named = [Path(entry.path) for entry in entries if entry.name.lower().endswith(".png")]
    return [path for path in named if not os.path.isdir(path)]


def _label_numbers(names: list[str]) -> dict[str, int]:
    """{subfolder: label}: the name itself if all are numbers, else the place in order of name."""
    if all(re.fullmatch(r"[0-9]{1,9}", name) for name in names):
        return {name: int(name) for name in names}
    return {name: i for i, name in enumerate(names)}


def _read_pngs(paths: list[Path]) -> np.ndarray:
    first = _read_png(paths[0])
    if len(paths) * first.size > MAX_BYTES:
        limit = f"at most {MAX_BYTES >> 30} GiB can be read"
        raise MinivaeError(f"{printable(paths[0].parent)} holds too many images; {limit}")
    images = np.empty((len(paths), *first.shape), np.uint8)
    for i, path in enumerate(paths):
        image = _read_png(path)
        if image.shape != first.shape:
            raise MinivaeError(
                f"{printable(path)} is {_size(image)} pixels, {printable(paths[0].name)} "
                f"{_size(first)}; "
                f"make all images one size"
            )
        images[i] = image
    return images


def _size(image: np.ndarray) -> str:
    return f"{image.shape[1]} x {image.shape[0]}"


def _read_png(path: Path) -> np.ndarray:
    """One PNG -> (h, w) uint8. Its size is checked before it is decoded."""
    from PIL import Image, UnidentifiedImageError

    with reading(path) as (file, size):
        if size > MAX_PNG_BYTES:
            limit = f"at most {MAX_PNG_BYTES >> 20} MiB can be read"
            raise MinivaeError(f"{printable(path)} is too large for one image; {limit}")
        chunks = _pixel_chunks(file.read(), path)
        _check_rows(chunks, path)
        pixels = PNG_START + b"".join(chunk for _, chunk in chunks)
        try:
            with Image.open(io.BytesIO(pixels), formats=["PNG"]) as image:
                _check_palette(image, path)
                return _grey(image)
        except UnidentifiedImageError:  # its message only has an address in memory
            raise damaged(path, "its header is invalid") from None


def _pixel_chunks(data: bytes, path: Path) -> list[tuple[bytes, bytes]]:
    """The chunks of a PNG that hold pixels, (kind, whole chunk) each, without texts, profiles and
    animations, because nothing bounds their unpacked size."""
    if not data.startswith(PNG_START):
        raise MinivaeError(
            f"{printable(path)} is not a PNG image, despite its name; convert it to PNG"
        )
    kept: list[tuple[bytes, bytes]] = []
    at, kind, found = len(PNG_START), b"", 0
    while kind != b"IEND":
        length, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        end, found = at + 12 + length, found + 1
        if end > len(data):
            raise damaged(path, "it ends too early")
        if found > MAX_PNG_CHUNKS:
            raise damaged(path, f"it has more than {MAX_PNG_CHUNKS} chunks")
        if (kind == b"IHDR") != (not kept):
            raise damaged(path, "its header is not the first chunk")
        if kind == b"IHDR":
            _check_png_size(data[at + 8 : end - 4], path)
        if kind in PNG_PIXEL_CHUNKS:
            if zlib.crc32(data[at + 4 : end - 4]) != int.from_bytes(data[end - 4 : end], "big"):
                raise damaged(path, "a checksum does not match")
            kept.append((kind, data[at:end]))
        at = end
    return kept


def _check_rows(chunks: list[tuple[bytes, bytes]], path: Path) -> None:
    """Raise MinivaeError unless all rows are there: Pillow fills missing ones with zeros."""
    header = chunks[0][1][8:]
    width, height = (int.from_bytes(header[i : i + 4], "big") for i in (0, 4))
    depth, colour, interlaced = header[8], header[9], header[12]
    bits = depth * PNG_CHANNELS.get(colour, 1)
    wanted = 0
    for column, row, columns, rows in ADAM7 if interlaced else WHOLE:
        across, down = -(-(width - column) // columns), -(-(height - row) // rows)
        if across > 0 and down > 0:
            wanted += down * (1 + -(-across * bits // 8))
    packed = b"".join(chunk[8:-4] for kind, chunk in chunks if kind == b"IDAT")
    there = len(zlib.decompressobj().decompress(packed, wanted))
    if there < wanted:
        raise damaged(path, f"it holds {there} of {wanted} bytes of pixels")


def _check_palette(image: Pillow.Image, path: Path) -> None:
    """Raise MinivaeError if pixels name colours that the palette does not have."""
    if image.mode != "P":
        return
    if image.palette is None or not image.palette.palette:
        raise damaged(path, "its palette is missing")
    colours = len(image.palette.palette) // len(image.palette.mode)
    highest = int(np.asarray(image).max())
    if highest >= colours:
        raise damaged(path, f"a pixel has colour {highest} of a palette of {colours}")


def _check_png_size(header: bytes, path: Path) -> None:
    width, height = (int.from_bytes(header[i : i + 4], "big") for i in (0, 4))
    if not (1 <= width <= MAX_PNG_SIDE and 1 <= height <= MAX_PNG_SIDE):
        raise MinivaeError(
            f"{printable(path)} is {width} x {height} pixels; "
            f"make images at most {MAX_PNG_SIDE} x {MAX_PNG_SIDE}"
        )


def _grey(image: Pillow.Image) -> np.ndarray:
    """A Pillow image as grey levels (h, w) uint8; transparent pixels become white."""
    from PIL import Image

    image.load()  # a chunk after the header may add transparency
    if image.mode.startswith("I"):  # 16 bit: 65535 = 257 * 255
        return ((np.asarray(image).astype(np.int64) + 128) // 257).astype(np.uint8)
    if "A" in image.getbands() or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return np.asarray(image.convert("L"))

"""One PNG image -> its grey levels. Only chunks that hold pixels are given to Pillow."""

from __future__ import annotations

import io
import zlib
from os import PathLike
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from minivae.checks import printable
from minivae.errors import MinivaeError
from minivae.files import damaged_error

if TYPE_CHECKING:
    from PIL import Image as Pillow

MAX_SIDE = 1024  # pixels
MAX_PNG_CHUNKS = 10_000
PNG_START = b"\x89PNG\r\n\x1a\n"
PNG_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by the header's colour type
# Where the passes of an interlaced PNG start, column and row, and their steps (Adam7, in the PNG
# specification); and the one pass of any other PNG.
ADAM7 = (
    (0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)
)  # fmt: skip
NOT_INTERLACED = ((0, 0, 1, 1),)
PNG_PIXEL_CHUNKS = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")


class Png(NamedTuple):
    """Grey levels (h, w): uint8, or uint16 for a grey image of 16 bits.

    clear: which pixels of a grey image are transparent, and therefore white, (h, w), or None; of
    other images they are white already. coloured: whether any pixel had a colour. white_known:
    whether white can only be the brightest level of the format.
    """

    levels: np.ndarray
    clear: np.ndarray | None
    coloured: bool
    white_known: bool


def decode(data: bytes, path: str | PathLike[str]) -> Png:
    """A PNG file's bytes -> Png. Its size is checked before it is decoded.

    path: for messages. Raises MinivaeError if it is damaged or too large; call it inside
    `parsing`, for what Pillow raises.
    """
    from PIL import Image, UnidentifiedImageError

    chunks = _pixel_chunks(data, path)
    _check_rows(chunks, path)
    pixels = PNG_START + b"".join(chunk for _, chunk in chunks)
    try:
        with Image.open(io.BytesIO(pixels), formats=["PNG"]) as image:
            _check_palette(image, path)
            image.load()  # a chunk after the header may add transparency
            depth, colour = chunks[0][1][16], chunks[0][1][17]
            if colour == 0:
                return _grey(image, depth, _transparent_level(chunks))
            return grey_levels(image, colour != 4)
    except UnidentifiedImageError:  # its message only has an address in memory
        raise damaged_error(path, "its header is invalid") from None


def _transparent_level(chunks: list[tuple[bytes, bytes]]) -> int | None:
    """The grey level that stands for transparent, in the image's own bits: chunk tRNS."""
    found = [chunk[8:-4] for kind, chunk in chunks if kind == b"tRNS"]
    return int.from_bytes(found[0][:2], "big") if found and len(found[0]) >= 2 else None


def _grey(image: Pillow.Image, depth: int, transparent: int | None) -> Png:
    """A grey PNG without an alpha channel, of 1, 2, 4, 8 or 16 bits."""
    if depth == 16:
        levels = np.asarray(image).astype(np.uint16)
        return Png(levels, None if transparent is None else levels == transparent, False, True)
    levels = np.asarray(image.convert("L"))
    if transparent is None:
        return Png(levels, None, False, depth < 8)
    return Png(levels, levels == transparent * (255 // (2**depth - 1)), False, depth < 8)


def _pixel_chunks(data: bytes, path: str | PathLike[str]) -> list[tuple[bytes, bytes]]:
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
            raise damaged_error(path, "it ends too early")
        if found > MAX_PNG_CHUNKS:
            raise damaged_error(path, f"it has more than {MAX_PNG_CHUNKS} chunks")
        if (kind == b"IHDR") != (not kept):
            raise damaged_error(path, "its header is not the first chunk")
        if kind == b"IHDR":
            check_size(*_sizes(data[at + 8 : end - 4]), path)
        if kind in PNG_PIXEL_CHUNKS:
            if zlib.crc32(data[at + 4 : end - 4]) != int.from_bytes(data[end - 4 : end], "big"):
                raise damaged_error(path, "a checksum does not match")
            kept.append((kind, data[at:end]))
        at = end
    return kept


def _check_rows(chunks: list[tuple[bytes, bytes]], path: str | PathLike[str]) -> None:
    """Raise MinivaeError unless all rows are there: Pillow fills missing ones with zeros."""
    header = chunks[0][1][8:]
    width, height = _sizes(header)
    depth, colour, interlaced = header[8], header[9], header[12]
    bits = depth * PNG_CHANNELS.get(colour, 1)
    wanted = 0
    for column, row, columns, rows in ADAM7 if interlaced else NOT_INTERLACED:
        across, down = -(-(width - column) // columns), -(-(height - row) // rows)
        if across > 0 and down > 0:
            wanted += down * (1 + -(-across * bits // 8))
    packed = b"".join(chunk[8:-4] for kind, chunk in chunks if kind == b"IDAT")
    there = len(zlib.decompressobj().decompress(packed, wanted))
    if there < wanted:
        raise damaged_error(path, f"it holds {there} of {wanted} bytes of pixels")


def _check_palette(image: Pillow.Image, path: str | PathLike[str]) -> None:
    """Raise MinivaeError if pixels name colours that the palette does not have."""
    if image.mode != "P":
        return
    if image.palette is None or not image.palette.palette:
        raise damaged_error(path, "its palette is missing")
    colours = len(image.palette.palette) // len(image.palette.mode)
    highest = int(np.asarray(image).max())
    if highest >= colours:
        raise damaged_error(path, f"a pixel has colour {highest} of a palette of {colours}")


def _sizes(header: bytes) -> tuple[int, int]:
    width, height = (int.from_bytes(header[i : i + 4], "big") for i in (0, 4))
    return width, height


def check_size(width: int, height: int, path: str | PathLike[str]) -> None:
    """Raise MinivaeError if an image has a side of more than MAX_SIDE pixels, or none."""
    if not (1 <= width <= MAX_SIDE and 1 <= height <= MAX_SIDE):
        raise MinivaeError(
            f"{printable(path)} is {width} x {height} pixels; "
            f"make images at most {MAX_SIDE} x {MAX_SIDE}"
        )


def grey_levels(image: Pillow.Image, white_known: bool) -> Png:
    """A Pillow image of any kind as grey levels (h, w) uint8, on white where it is transparent."""
    from PIL import Image

    if "A" in image.getbands() or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    if image.mode != "L":
        rgb = np.asarray(image.convert("RGB"))
        coloured = bool((rgb != rgb[..., :1]).any())
        return Png(np.asarray(image.convert("L")), None, coloured, white_known)
    return Png(np.asarray(image), None, False, white_known)

"""Many PNG and JPEG images -> one array of grey images, all of one size."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from os import PathLike

import numpy as np

from minivae.checks import printable, white_of
from minivae.data import png
from minivae.data.ranges import white_text
from minivae.errors import MinivaeError
from minivae.files import MAX_BYTES, damaged_error, parsing

ENDINGS = (".png", ".jpg", ".jpeg")
OTHER_ENDINGS = (".bmp", ".gif", ".tif", ".tiff", ".webp", ".pgm", ".ppm")  # not read
MAX_PICTURE_BYTES = 16 << 20  # of one file
JPEG_START = b"\xff\xd8\xff"

Picture = tuple[str, Callable[[], bytes]]  # its name, and how its file is read


def read_pictures(
    pictures: Sequence[Picture], max_value: float | None
) -> tuple[np.ndarray, int | None, list[str]]:
    """Images -> (N, h, w) uint8, the integer that means white where it is known, and notes on what
    was done.

    Colour becomes luminance, transparent pixels white. Grey images of 16 bits are scaled by their
    brightest pixel, or by `max_value`, and rounded to 8 bits. White is known but for PNGs of 8-bit
    grey levels, in which people keep other numbers too. Raises MinivaeError if an image is
    damaged or too large, or if the sizes differ.
    """
    first = _decode(*pictures[0])
    shape = first.levels.shape
    if len(pictures) * first.levels.size > MAX_BYTES:
        raise MinivaeError(
            f"{len(pictures)} images of {_size(shape)} pixels are too many; at most "
            f"{MAX_BYTES >> 30} GiB can be read"
        )
    images = np.empty((len(pictures), *shape), np.uint8)
    deep: dict[int, png.Png] = {}
    coloured, known = 0, False
    for i, (name, read) in enumerate(pictures):
        found = first if i == 0 else _decode(name, read)
        if found.levels.shape != shape:
            raise MinivaeError(
                f"{printable(name)} is {_size(found.levels.shape)} pixels, "
                f"{printable(pictures[0][0].rpartition('/')[2])} {_size(shape)}; make all images "
                "one size"
            )
        coloured += found.coloured
        known = known or found.white_known
        if found.levels.dtype == np.uint16:
            deep[i] = found
        else:
            images[i] = found.levels
            if found.clear is not None:
                images[i][found.clear] = 255
    notes = _scale_deep(images, deep, max_value)
    if coloured:
        which = "colours" if coloured == len(images) else f"the colours of {coloured} images"
        notes.append(f"{which} became grey by their luminance")
    white = 255 if deep or (known and max_value is None) else None
    return images, white, notes


def _scale_deep(images: np.ndarray, deep: dict[int, png.Png], max_value: float | None) -> list[str]:
    """Write images of 16 bits into `images` as 8 bits -> notes."""
    if not deep:
        return []
    seen = [
        found.levels if found.clear is None else found.levels[~found.clear]
        for found in deep.values()
    ]
    highest = max(int(levels.max(initial=0)) for levels in seen)
    white = white_of(highest, 16) if max_value is None else max_value
    if highest > white:
        raise MinivaeError(
            f"the brightest pixel of the 16-bit images is {highest}, and white is {white:g}; give "
            "a --max-value that no pixel exceeds"
        )
    for i, found in deep.items():
        images[i] = np.rint(found.levels.astype(np.float64).clip(0, white) * (255 / white))
        if found.clear is not None:
            images[i][found.clear] = 255
    said = white_text(highest, white, 16)
    return [said] if said and max_value is None else []


def _decode(name: str, read: Callable[[], bytes]) -> png.Png:
    data = read()
    with parsing(name):
        return _decode_bytes(data, name)


def _decode_bytes(data: bytes, name: str) -> png.Png:
    if len(data) > MAX_PICTURE_BYTES:
        limit = f"at most {MAX_PICTURE_BYTES >> 20} MiB can be read"
        raise MinivaeError(f"{printable(name)} is too large for one image; {limit}")
    if data.startswith(JPEG_START) and not name.lower().endswith(".png"):
        return _decode_jpeg(data, name)
    if name.lower().endswith((".jpg", ".jpeg")) and not data.startswith(png.PNG_START):
        raise MinivaeError(
            f"{printable(name)} is not a JPEG image, despite its name; convert it to PNG"
        )
    return png.decode(data, name)


def _decode_jpeg(data: bytes, name: str | PathLike[str]) -> png.Png:
    """A JPEG, turned upright as its camera says. Pillow refuses one that ends early."""
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(data), formats=["JPEG"]) as image:
            width, height = image.size
            png.check_size(width, height, name)
            return png.grey_levels(ImageOps.exif_transpose(image), True)
    except UnidentifiedImageError:  # its message only has an address in memory
        raise damaged_error(name, "its header is invalid") from None


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[1]} x {shape[0]}"

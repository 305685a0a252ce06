"""What the numbers of pixels mean: which integer is white."""

from __future__ import annotations

import numpy as np

from minivae.checks import printable, white_of
from minivae.checks.images import DEEPEST
from minivae.errors import MinivaeError

LUMA = (0.299, 0.587, 0.114)  # red, green, blue: ITU-R BT.601, as Pillow converts to grey


def white_text(highest: int, white: float, bits: int = 8) -> str | None:
    """What is said where images are not scaled by the usual 255 or 65535; None where they are."""
    if white in (1, DEEPEST if bits > 8 else 255):
        return None
    return (
        f"the brightest pixel is {highest}: scaled by {white:g} (--max-value, if another number is "
        "white)"
    )


def to_grey(images: np.ndarray) -> tuple[np.ndarray, str | None]:
    """Images with colour channels, (N, h, w, 3 or 4) or (N, 3 or 4, h, w), by luminance ->
    (N, h, w) of the same type, and a note; other arrays as they are.

    A fourth channel is how opaque a pixel is, on white.
    """
    if images.ndim != 4 or images.dtype.kind not in "iuf":
        return images, None
    if images.shape[3] not in (3, 4):
        if images.shape[1] not in (3, 4):
            return images, None
        images = np.moveaxis(images, 1, 3)
    grey = np.empty(images.shape[:3], images.dtype)
    top = white_of(int(images.max())) if images.dtype.kind in "iu" and images.size else 1
    for i, image in enumerate(images):  # one at a time, which takes less memory
        with np.errstate(all="ignore"):  # what is not finite then is refused later
            levels = image[..., :3] @ np.array(LUMA)
            if image.shape[-1] == 4:
                opaque = image[..., 3] / top
                levels = opaque * levels + (1 - opaque) * top
            grey[i] = levels if images.dtype.kind == "f" else np.rint(levels)
    return grey, "colours became grey by their luminance"


def scaled(
    arrays: list[np.ndarray], max_value: float | None, where: str
) -> tuple[list[np.ndarray], int | None, str | None]:
    """Arrays of images in one range -> the same with white at 1 (uint8 at 255), white, and a note.

    White is `max_value` where it is given; for integers else `white_of` the brightest pixel of all
    arrays, which above 255 must be of 16 bits. None for floats and booleans, which are in [0, 1]
    already. Raises MinivaeError if a pixel is brighter than white, or if integers are negative.
    """
    integers = all(a.dtype.kind in "iu" for a in arrays)
    if not (integers or (max_value is not None and all(a.dtype.kind in "iuf" for a in arrays))):
        return arrays, None, None
    if any(a.size == 0 or a.ndim < 2 for a in arrays):  # refused later
        return arrays, None, None
    low, high = min(a.min() for a in arrays), max(a.max() for a in arrays)
    top = DEEPEST if all(a.dtype.itemsize <= 2 for a in arrays) else 255  # others were computed
    if max_value is None and not 0 <= low <= high <= top:
        raise MinivaeError(
            f"{where}: pixels are integers from {low} to {high}; give integers in 0..255, or "
            "floats in [0, 1], or say which number is white (--max-value)"
        )
    white = white_of(int(high)) if max_value is None else max_value
    if not 0 <= low <= high <= white:  # NaN too
        raise MinivaeError(
            f"{where}: pixels reach from {printable(low)} to {printable(high)}, and white is "
            f"{white:g}; give a --max-value that no pixel exceeds, and no negative pixels"
        )
    said = white_text(int(high), white) if max_value is None and white != DEEPEST else None
    known = int(white) if integers and white == int(white) else None
    if integers and white in (1, 255):
        arrays = [a.astype(np.uint8, copy=False) for a in arrays]
        return [a * np.uint8(255) for a in arrays] if white == 1 else arrays, known, said
    return [np.divide(a, np.float32(white), dtype=np.float32) for a in arrays], known, said

"""Checks of images: arrays from files, and what is given to the estimator."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from minivae.checks.frames import plain_array
from minivae.checks.values import as_array, printable
from minivae.errors import MinivaeError

DEEPEST = 65535  # the brightest pixel of 16 bits
ROUNDING = 1e-3  # the message calls floats up to 1 + ROUNDING rounding errors


def white_of(highest: int, bits: int = 8) -> int:
    """The integer that means white in images whose brightest pixel is `highest`.

    1 for black and white; 255 or, for images of more than 8 bits, 65535, where the brightest pixel
    is in the upper half of that range; else the brightest pixel itself.
    """
    if highest <= 0:
        return 255
    for top in (255, DEEPEST):
        if top // 2 < highest <= top and (top == DEEPEST or bits == 8):
            return top
    return highest


def check_images(X: Any, where: str = "X", white: int | None = None) -> np.ndarray:
    """Images in any usual form -> (N, D), uint8 in 0..255 or float32 in [0, 1].

    X: (N, D) or (N, h, w), also with a grey channel axis of length 1, a data frame or a sparse
    matrix. white: the integer that means white; None: `white_of` the brightest pixel, which may
    only be up to 255. Integers are divided by it, and come back as uint8 where it is 1 or 255;
    uint8 with white at 255 is not copied. Booleans are black and white. Floats must lie in [0, 1].
    Raises MinivaeError, which names `where` and says what would be right.
    """
    return check_images_and_shape(X, where, white)[0]


def check_images_for_fit(
    X: Any, where: str, white: int | None
) -> tuple[np.ndarray, tuple[int, int], int | None, str | None]:
    """Images to fit on -> (N, D), their shape (h, w), the integer that will mean white, and what is
    to be said about it, or None.

    White is that of `check_images` for integers; 255 for floats with a grey pixel; and None for
    booleans and for floats that are all 0 or 1 (see `check_known_images`). white: of an earlier
    fit, which goes on.
    """
    X = plain_array(X, where)
    images, shape = check_images_and_shape(X, where, white)
    said = None
    if white is None:
        given = np.asarray(X)
        if given.dtype.kind == "f":
            white = 255 if ((images > 0) & (images < 1)).any() else None
        elif given.dtype.kind != "b":
            highest = int(given.max())
            white = white_of(highest)
            if white not in (1, 255):
                said = (
                    f"the brightest pixel is {highest}: scaled by {highest}, now and in what this "
                    "model will be given; if another number is white, divide by it and give floats"
                )
    return images, shape, white, said


def check_known_images(
    X: Any,
    data_dim: int,
    image_shape: tuple[int, int],
    white: int | None,
    columns: Sequence[Any] | None = None,
) -> np.ndarray:
    """Images for a model that is fitted already -> (N, D), as `check_images`.

    white: the integer that meant white in the fit. None: 1 where integers are all 0 or 1, else 255;
    an image that would be read in both ways, alone and beside others, is refused. Images (N, h, w)
    must have the model's shape. columns: those of the data frame of the fit, into whose order the
    columns of another are put. Raises MinivaeError if anything is not as it was in the fit.
    """
    X = plain_array(X, "X", columns)
    given = as_array(X, "X")
    if white is None and given.dtype.kind in "iu" and given.size:
        white = 1 if given.max() <= 1 else 255
        if white == 255 and given.ndim > 1:
            faint = np.flatnonzero(given.reshape(len(given), -1).max(axis=1) == 1)
            if faint.size:
                raise MinivaeError(
                    f"X: image {faint[0]} holds only 0 and 1, others more, and this model was "
                    "fitted on black and white; give floats in [0, 1], to say what 1 means"
                )
    one_image = given.shape == image_shape != (1, data_dim) or given.shape == (data_dim,)
    if one_image:
        raise MinivaeError(f"X has shape {given.shape}, that of one image; give X[None]")
    images, shape = check_images_and_shape(X, "X", white)
    if images.shape[1] != data_dim:
        raise MinivaeError(
            f"X has {images.shape[1]} pixels an image; this model was fitted on {data_dim}"
        )
    if given.ndim > 2 and shape != image_shape and 1 not in (image_shape[0], shape[0]):
        raise MinivaeError(
            f"X has images of {shape}, and this model was fitted on {image_shape}; give images of "
            "that shape, or (N, D) if the pixels are in its order"
        )
    return images


def check_images_and_shape(
    X: Any, where: str, white: int | None = None
) -> tuple[np.ndarray, tuple[int, int]]:
    """`check_images`, and the shape (h, w) of one image.

    Images (N, D) are square if D is a square number, else one row of D pixels, (1, D).
    """
    stack = _as_stack(plain_array(X, where), where)
    low, high = stack.min(), stack.max()  # NaN if any pixel is NaN
    if stack.dtype.kind == "f":
        if not (low >= 0 and high <= 1):
            raise _float_range_error(stack, float(low), float(high), where)
        flat = stack.astype(np.float32, copy=False)
    elif stack.dtype.kind == "b":
        flat = stack.astype(np.uint8) * np.uint8(255)
    else:
        white = _check_integers(int(low), int(high), where, white)
        if white in (1, 255):
            flat = stack.astype(np.uint8, copy=False)
            if white == 1:
                flat = flat * np.uint8(255)
        else:
            flat = np.divide(stack, np.float32(white), dtype=np.float32)
    return np.ascontiguousarray(flat.reshape(len(flat), -1)), _image_shape(stack)


def _check_integers(low: int, high: int, where: str, white: int | None) -> int:
    """The integer that means white, after a check that pixels from low to high are within it."""
    if low < 0 or (white is None and high > 255):
        raise MinivaeError(
            f"{where}: pixels are integers from {low} to {high}; "
            f"give integers in 0..255, or floats in [0, 1]"
        )
    if white is None:
        return white_of(high)
    if high > white:
        if white == 255:
            raise MinivaeError(
                f"{where}: pixels are integers from {low} to {high}; "
                f"give integers in 0..255, or floats in [0, 1]"
            )
        known = "0 and 1" if white == 1 else f"0 to {white}"
        raise MinivaeError(
            f"{where}: pixels are integers up to {high}, and this model was fitted on integers "
            f"{known}; give {known}, or floats in [0, 1]"
        )
    return white


def _as_stack(X: Any, where: str) -> np.ndarray:
    """X as an array of numbers, (N, D) or (N, h, w), with at least one pixel."""
    stack = as_array(X, where)
    if stack.dtype.kind not in "biuf":
        what = {"O": "Python objects", "c": "complex numbers"}.get(
            stack.dtype.kind, "values that are not numbers"
        )
        raise MinivaeError(
            f"{where}: holds {what} (dtype {printable(stack.dtype)}); "
            f"give uint8 in 0..255, or floats in [0, 1]"
        )
    if stack.ndim == 4 and stack.shape[3] == 1:
        stack = stack[..., 0]
    elif stack.ndim == 4 and stack.shape[1] == 1:
        stack = stack[:, 0]
    if stack.ndim not in (2, 3):
        raise MinivaeError(f"{where}: {_shape_advice(stack)}")
    if stack.size == 0:
        raise MinivaeError(f"{where}: shape {stack.shape} holds no images; give at least one")
    return stack


def _image_shape(stack: np.ndarray) -> tuple[int, int]:
    if stack.ndim == 3:
        return stack.shape[1], stack.shape[2]
    data_dim = stack.shape[1]
    side = math.isqrt(data_dim)
    return (side, side) if side * side == data_dim else (1, data_dim)


def _shape_advice(X: np.ndarray) -> str:
    if X.ndim == 1 and X.dtype.kind in "iu":
        return (
            f"a flat array of {len(X)} integers looks like labels; give the images, (N, D) or "
            "(N, h, w), or X[None] for a single image"
        )
    if X.ndim == 1:
        return (
            f"shape {X.shape} is not a stack of images; give (N, D), or X[None] for a single image"
        )
    if X.ndim == 4 and (X.shape[3] in (2, 3, 4) or X.shape[1] in (2, 3, 4)):
        return f"shape {X.shape} has colour channels; convert to grey, (N, h, w)"
    return f"shape {X.shape} has {X.ndim} dimensions; give (N, D) or (N, h, w)"


def _float_range_error(X: np.ndarray, low: float, high: float, where: str) -> MinivaeError:
    finite = np.isfinite(X)
    if not finite.all():
        first = np.unravel_index(np.argmin(finite), X.shape)
        pixel = ", ".join(map(str, first[1:]))
        bad = f"{np.count_nonzero(~finite)} pixels are NaN or infinite"
        return MinivaeError(
            f"{where}: {bad}, the first in image {first[0]} at [{pixel}]; give floats in [0, 1]"
        )
    if low >= 0 and high <= 1 + ROUNDING:
        return MinivaeError(
            f"{where}: pixels are floats up to {high!r}, rounding errors above 1; clip them to "
            f"[0, 1]"
        )
    if low >= 0 and 255 // 2 < high <= 255:
        return MinivaeError(
            f"{where}: pixels are floats up to {high:g}; "
            f"if they are grey levels 0..255, divide by 255 or pass uint8"
        )
    if low >= 0 and high <= DEEPEST:
        return MinivaeError(
            f"{where}: pixels are floats up to {high:g}; if that is white, divide by it (for a "
            f"file, --max-value {high:g})"
        )
    return MinivaeError(
        f"{where}: pixels are floats from {low:g} to {high:g}; rescale or clip them to [0, 1]"
    )

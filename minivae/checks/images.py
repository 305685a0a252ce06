"""Checks of images and labels: arrays from files, and what is given to the estimator."""

import math
from typing import Any

import numpy as np

from minivae.checks.values import as_array, printable
from minivae.errors import MinivaeError

ROUNDING = 1e-3  # the message calls floats up to 1 + ROUNDING rounding errors


def check_images(X: Any, where: str = "X", white: int | None = None) -> np.ndarray:
    """Images in any usual form -> (N, D), uint8 in 0..255 or float32 in [0, 1].

    X: (N, D) or (N, h, w), also with a grey channel axis of length 1. Integers must lie in 0..255;
    booleans, and integers that are all 0 or 1, are black and white (1 is white, not grey 1/255).
    Floats must lie in [0, 1]. uint8 comes back as it is, without a copy. white: the integer that
    means white, where that is known from other images of the same kind, 1 or 255.
    Raises MinivaeError, which names `where` and says what would be right.
    """
    return check_images_and_shape(X, where, white)[0]


def check_images_for_fit(
    X: Any, where: str, white: int | None
) -> tuple[np.ndarray, tuple[int, int], int | None]:
    """Images to fit on -> (N, D), their shape (h, w), and the integer that will mean white.

    That is 1 for integers that are all 0 or 1; 255 for others, and for floats with a grey pixel;
    and None, so that each array will decide, for booleans and for floats that are all 0 or 1.
    white: of an earlier fit, which goes on.
    """
    images, shape = check_images_and_shape(X, where, white)
    if white is None:
        given = np.asarray(X)
        if given.dtype.kind == "f":
            white = 255 if ((images > 0) & (images < 1)).any() else None
        elif given.dtype.kind != "b":
            white = 1 if given.max() == 1 else 255
    return images, shape, white


def check_images_and_shape(
    X: Any, where: str, white: int | None = None
) -> tuple[np.ndarray, tuple[int, int]]:
    """`check_images`, and the shape (h, w) of one image.

    Images (N, D) are square if D is a square number, else one row of D pixels, (1, D).
    """
    stack = _as_stack(X, where)
    low, high = stack.min(), stack.max()  # NaN if any pixel is NaN
    if stack.dtype.kind == "f":
        if not (low >= 0 and high <= 1):
            raise _float_range_error(stack, float(low), float(high), where)
        flat = stack.astype(np.float32, copy=False)
    else:
        if low < 0 or high > 255:
            raise MinivaeError(
                f"{where}: pixels are integers from {low} to {high}; "
                f"give integers in 0..255, or floats in [0, 1]"
            )
        if white == 1 and high > 1:
            raise MinivaeError(
                f"{where}: pixels are integers up to {high}, and this model was fitted on integers "
                "0 and 1; give 0 and 1, or floats in [0, 1]"
            )
        flat = stack.astype(np.uint8, copy=False)
        if high == 1 and (white != 255 or stack.dtype.kind == "b"):
            flat = flat * np.uint8(255)
    return np.ascontiguousarray(flat.reshape(len(flat), -1)), _image_shape(stack)


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
            "(N, h, w)"
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
    if low >= 0 and high <= 255:
        return MinivaeError(
            f"{where}: pixels are floats up to {high:g}; "
            f"if they are grey levels 0..255, divide by 255 or pass uint8"
        )
    return MinivaeError(
        f"{where}: pixels are floats from {low:g} to {high:g}; rescale or clip them to [0, 1]"
    )


def check_labels(labels: np.ndarray | None, n: int, where: str) -> np.ndarray | None:
    """Labels of n images -> (n,) int64, or None where there are none.

    Raises MinivaeError unless they are n integers that fit into 32 bits.
    """
    if labels is None:
        return None
    if labels.shape != (n,) or labels.dtype.kind not in "biu":
        raise MinivaeError(
            f"{where}: labels are {labels.dtype} of shape {labels.shape} for {n} images; "
            f"give one integer for each image, or leave them out"
        )
    if labels.min() < -(2**31) or labels.max() >= 2**31:
        raise MinivaeError(
            f"{where}: labels reach from {labels.min()} to {labels.max()}; give small integers"
        )
    return labels.astype(np.int64)

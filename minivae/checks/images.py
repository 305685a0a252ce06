"""Checks of images and labels: arrays from files, and what is given to the estimator."""

import math
from typing import Any

import numpy as np

from minivae.checks.values import printable, refuse_missing
from minivae.errors import MinivaeError

ROUNDING = 1e-3  # the message calls floats up to 1 + ROUNDING rounding errors


def check_images(X: Any, where: str = "X") -> np.ndarray:
    """Images in any usual form -> (N, D), uint8 in 0..255 or float32 in [0, 1].

    X: (N, D) or (N, h, w), also with a grey channel axis of length 1. Integers must lie in 0..255;
    booleans, and integers that are all 0 or 1, are black and white (1 is white, not grey 1/255).
    Floats must lie in [0, 1]. uint8 comes back as it is, without a copy.
    Raises MinivaeError, which names `where` and says what would be right.
    """
    return check_images_and_shape(X, where)[0]


def check_images_and_shape(X: Any, where: str) -> tuple[np.ndarray, tuple[int, int]]:
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
        flat = stack.astype(np.uint8, copy=False)
        if high == 1:
            flat = flat * np.uint8(255)
    return np.ascontiguousarray(flat.reshape(len(flat), -1)), _image_shape(stack)


def _as_stack(X: Any, where: str) -> np.ndarray:
    """X as an array of numbers, (N, D) or (N, h, w), with at least one pixel."""
    refuse_missing(X, where)
    try:
        stack = np.asarray(X)
    except (TypeError, ValueError, RuntimeError) as exc:
        reason = printable(exc)
        raise MinivaeError(f"{where}: not an array of images ({reason}); give (N, D)") from None
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

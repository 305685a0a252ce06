"""Images as they are drawn: rows of a model as pictures, and pictures as a grid."""

import numpy as np
from matplotlib.axes import Axes

from minivae.checks import not_finite_error
from minivae.runs import AnyModel


def image_grid(
    images: np.ndarray, columns: int, *, gap: int = 2, background: float = 1.0
) -> np.ndarray:
    """Images (N, h, w) in [0, 1] side by side in one array, on a thin background grid."""
    n, h, w = images.shape
    rows = -(-n // columns)
    canvas = np.full((rows * (h + gap) - gap, columns * (w + gap) - gap), background, np.float32)
    for i, image in enumerate(images):
        top, left = (i // columns) * (h + gap), (i % columns) * (w + gap)
        canvas[top : top + h, left : left + w] = image
    return canvas


def show_grid(
    ax: Axes, images: np.ndarray, columns: int, title: str = "", cmap: str = "gray_r"
) -> None:
    """Draw images (N, h, w) in [0, 1] as a grid without axes. 1 is dark; light with cmap "gray"."""
    ax.imshow(image_grid(images, columns, background=0.0), vmin=0, vmax=1, cmap=cmap)
    ax.set_title(title)
    ax.set_axis_off()


def as_images(x: np.ndarray, model: AnyModel) -> np.ndarray:
    """Rows (N, D) as images (N, h, w), clipped to [0, 1].

    Raises MinivaeError if they hold NaN or infinity.
    """
    if not np.isfinite(x).all():
        raise not_finite_error("the model's images are")
    return np.clip(x, 0, 1).reshape(-1, *model.image_shape)

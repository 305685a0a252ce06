"""The pictures of a conditional model: one label in each row."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from minivae import conditional, vae
from minivae.backend import Backend
from minivae.checks import printable
from minivae.data import Label
from minivae.plots.images import as_images, image_grid, show_grid
from minivae.plots.runs import curves, save_all
from minivae.plots.style import figure, house_style
from minivae.runs import ConditionalModel

MOST_ROWS = 20
LONGEST_NAME = 16  # letters of a label beside its row


@house_style()
def label_rows(model: ConditionalModel, ops: Backend, *, n: int = 10, seed: int = 0) -> Figure:
    """n draws of z ~ N(0, I), decoded with each label: a row for each (of the first 20).

    All rows have the same z, so what differs in a column is the label alone.
    """
    labels = model.labels[:MOST_ROWS]
    rng = np.random.default_rng(seed)
    z = rng.standard_normal((n, model.spec.latent_dim)).astype(model.flat.dtype)
    each = np.tile(z, (len(labels), 1))
    y = np.repeat(np.arange(len(labels)), n)
    images = as_images(conditional.mean_image(model.params, each, y, model.spec, ops), model)
    fig, ax = figure(6, 6)
    gap, height = 2, model.image_shape[0]
    ax.imshow(image_grid(images, n, gap=gap, background=0.0), vmin=0, vmax=1, cmap="gray_r")
    ax.set_yticks(
        [i * (height + gap) + (height - 1) / 2 for i in range(len(labels))],
        [_brief(label) for label in labels],
    )
    ax.tick_params(length=0)
    ax.set_xticks([])
    ax.grid(visible=False)
    ax.spines[:].set_visible(False)
    ax.set(ylabel="label", title="each row another label, each column the same z")
    return fig


def _brief(label):
    text = printable(label)
    return text if len(text) <= LONGEST_NAME else text[: LONGEST_NAME - 1] + "…"


@house_style()
def samples_of_label(
    model: ConditionalModel, label: Label, ops: Backend, *, n: int = 64, seed: int = 0
) -> Figure:
    """n images of one label: z ~ N(0, I), decoded with it. MinivaeError for an unknown label."""
    plain = model.given(label)
    images = vae.sample(plain.params, n, np.random.default_rng(seed), plain.spec, ops)
    fig, ax = figure(5, 5)
    title = f"{n} draws from the prior, decoded with label {_brief(label)}"
    show_grid(ax, as_images(images, model), round(n**0.5), title)
    return fig


@house_style()
def labelled_reconstructions(
    model: ConditionalModel, x: np.ndarray, y: np.ndarray, ops: Backend
) -> Figure:
    """Test images x (N, D) of the classes y (N,) above, their reconstructions below."""
    mu, _ = conditional.encode(model.params, x, y, model.spec, ops)
    back = conditional.mean_image(model.params, mu, y, model.spec, ops)
    pairs = np.concatenate([as_images(x, model), as_images(back, model)])
    fig, ax = figure(8, 1.9)
    show_grid(ax, pairs, len(x), "test images, and below each its reconstruction from q's mean")
    return fig


def conditional_figures(
    folder: Path,
    model: ConditionalModel,
    history: Sequence[dict[str, Any]],
    test: np.ndarray,
    y: np.ndarray | None,
    ops: Backend,
) -> list[Path]:
    """Write the pictures of a finished run into its folder -> the paths.

    test: test images as the model takes them, (N, D), perhaps none; y: their classes, (N,).
    """
    figures = {"curves": curves(history), "samples": label_rows(model, ops)}
    if y is not None:
        figures["reconstructions"] = labelled_reconstructions(model, test[:16], y[:16], ops)
    return save_all(folder, figures)

"""The pictures of the studies: the published table, and the cats' latents."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from minivae import vae
from minivae.backend import Backend
from minivae.plots.images import as_images, image_grid
from minivae.plots.style import BLUE, GREEN, INK, PURPLE, RED, figure
from minivae.runs import Model

Row = dict[str, Any]  # of a study's result file
TABLE_STYLES = {  # colour and marker of each row of the published table
    "vae-1": (BLUE, "o"),
    "vae-5": (PURPLE, "v"),
    "vae-50": (INK, "^"),
    "iwae-5": (RED, "s"),
    "iwae-50": (GREEN, "D"),
}


# ---- the published table ---------------------------------------------------------------------


def reproduced_table(rows: Sequence[Row]) -> Figure:
    """Test nll against minutes of training: a point for each run, published values dashed.

    rows: the results of `studies.reproduce`. Bars are the standard error over the test images. Runs
    of one row are not joined: a longer run has another schedule, and is not the shorter one
    continued. A row that started from another's weights has an open marker, and its minutes are
    those of its own training.
    """
    fig, ax = figure(6.8, 4.0)
    published = {}
    for name in dict.fromkeys(row["row"] for row in rows):
        ours = [row for row in rows if row["row"] == name]
        stage = name.rpartition("-then-")[2]
        color, marker = TABLE_STYLES[stage]
        published[stage] = ours[0]["published"]
        ax.errorbar(
            [row["minutes"] for row in ours],
            [row["nll"] for row in ours],
            [row["stderr_images"] for row in ours],
            linestyle="none",
            marker=marker,
            markerfacecolor=color if stage == name else "white",
            color=color,
            capsize=3,
            label=name.replace("-then-", " then "),
        )
    values = [row[key] for row in rows for key in ("nll", "published")]
    low, high = min(values) - 0.7, max(values) + 0.7
    names = sorted(published, key=lambda name: published[name])
    heights = spread_out([published[name] for name in names], gap=0.06 * (high - low))
    for name, height in zip(names, heights, strict=True):
        color, value = TABLE_STYLES[name][0], published[name]
        ax.axhline(value, color=color, linestyle="--", linewidth=1)
        ax.annotate(
            f"{name}, published {value:.2f}",
            (1, value),
            (1.04, height),
            color=color,
            xycoords=("axes fraction", "data"),
            textcoords=("axes fraction", "data"),
            va="center",
            fontsize=8,
            arrowprops={"arrowstyle": "-", "color": color, "linewidth": 0.6},
        )
    ax.set(xlabel="minutes of training", ylabel="-log p(x), nats per image", ylim=(low, high))
    ax.set_xlim(0, 1.1 * max(row["minutes"] for row in rows))
    ax.set_title("a published table, trained again (dashed: as published)")
    ax.legend(fontsize=8)
    return fig


def spread_out(heights: Sequence[float], gap: float) -> list[float]:
    """Heights in ascending order, moved apart until neighbours are at least `gap` apart.

    Those too close become a group, evenly spaced about the mean of their own heights.
    """
    groups: list[list[float]] = []

    def ends(group: list[float]) -> tuple[float, float]:
        middle, reach = sum(group) / len(group), gap * (len(group) - 1) / 2
        return middle - reach, middle + reach

    for height in heights:
        groups.append([height])
        while len(groups) > 1 and ends(groups[-1])[0] - ends(groups[-2])[1] < gap:
            groups[-2:] = [groups[-2] + groups[-1]]
    return [float(at) for group in groups for at in np.linspace(*ends(group), len(group))]


# ---- the study of the cats' latents ----------------------------------------------------------


def traversals(
    model: Model,
    z: np.ndarray,
    order: Sequence[int],
    labels: Sequence[str],
    ops: Backend,
    *,
    steps: int = 7,
    reach: float = 2.0,
) -> Figure:
    """One row of pictures for each latent in `order`: it goes from -reach to reach, and the other
    latents stay as in z (L,). labels: of the rows."""
    rows = np.repeat(z[None, None], len(order), axis=0).repeat(steps, axis=1)
    for row, latent in zip(rows, order, strict=True):
        row[:, latent] = np.linspace(-reach, reach, steps)
    flat = rows.reshape(-1, len(z)).astype(model.flat.dtype)
    images = as_images(vae.mean_image(model.params, flat, model.spec, ops), model)
    h = model.image_shape[0] + 2
    fig, ax = figure(6.4, 0.76 * len(order) + 0.6)
    fig.set_layout_engine("compressed")  # or the labels of square pictures are cut off
    ax.imshow(image_grid(images, steps, background=0.5), vmin=0, vmax=1, cmap="gray")
    ax.set(xticks=[], yticks=[h * i + h / 2 for i in range(len(order))])
    ax.set_yticklabels(labels, fontsize=8)
    ax.set_xlabel(f"one latent from {-reach:g} to {reach:g}, the others as they were")
    ax.grid(False)
    return fig

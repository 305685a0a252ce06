"""Tables as pictures: numbers in their cells, and the blocks of a Jacobian."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from minivae.plots.style import GREY


def number_tables(
    axes: Iterable[Axes], tables: Mapping[str, np.ndarray], shaded: Mapping[str, Any]
) -> None:
    """One table on each of the axes, under its name.

    shaded: for some names the index of the entries that belong together, such as np.s_[:, 1].
    """
    tallest, widest = (max(table.shape[axis] for table in tables.values()) for axis in (0, 1))
    for ax, (name, table) in zip(axes, tables.items(), strict=True):
        rows, columns = table.shape
        shade = np.zeros(table.shape)
        if name in shaded:
            shade[shaded[name]] = 0.35
        ax.imshow(shade, cmap="Oranges", vmin=0, vmax=1, extent=(0, columns, rows, 0))
        for (row, column), value in np.ndenumerate(table):
            ax.text(column + 0.5, row + 0.5, value, ha="center", va="center")
        ax.set(title=name, xlim=(0, widest), ylim=(tallest, 0))
        ax.set_axis_off()


def jacobian_blocks(ax: Axes, jacobian: np.ndarray, outputs: int, inputs: int) -> None:
    """The sizes in a batch's Jacobian, white where they are 0, and lines between the examples.

    outputs, inputs: of one example.
    """
    sizes = np.abs(jacobian)
    picture = ax.imshow(np.where(sizes == 0, np.nan, sizes), cmap="viridis_r", vmin=0)
    ax.grid(False)
    examples = len(jacobian) // outputs
    for example in range(1, examples):
        ax.axhline(outputs * example - 0.5, color=GREY, lw=1)
        ax.axvline(inputs * example - 0.5, color=GREY, lw=1)
    ax.set(xlabel=f"inputs: {examples} examples of {inputs}", xticks=[])
    ax.set(ylabel=f"outputs: {examples} of {outputs}", yticks=[])
    ax.figure.colorbar(picture, label="size of the local derivative")

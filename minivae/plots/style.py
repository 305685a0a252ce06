"""The style of every picture: colour-blind safe, readable in grey, and written without time stamps.

Colours are Okabe and Ito's (2008), in an order that also falls from dark to light, and lines that
share an axis also differ in marker or dash.
"""

import contextlib
import io
from collections.abc import Iterator
from os import PathLike
from typing import Any

from matplotlib.figure import Figure
from matplotlib.rcsetup import cycler

from minivae import files
from minivae.plots import alt_text
from minivae.plots.matplotlib_setup import matplotlib, plt

BLUE, ORANGE, GREEN, RED, PURPLE = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7"
INK, GREY = "#222222", "#999999"
STYLE: dict[Any, Any] = {
    "figure.dpi": 100,
    "figure.constrained_layout.use": True,
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e6e6e6",
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "axes.prop_cycle": cycler(
        color=[BLUE, RED, GREEN, PURPLE, ORANGE], linestyle=["-", "--", "-.", ":", "-"]
    ),
    "lines.linewidth": 1.8,
    "legend.frameon": False,
    "image.cmap": "gray_r",
    "image.interpolation": "nearest",
    "svg.hashsalt": "minivae",
}


@contextlib.contextmanager
def house_style() -> Iterator[None]:
    """In the block, Matplotlib draws with its own defaults and `STYLE`, whatever the user's
    matplotlibrc says: a picture has the same bytes everywhere, and needs no LaTeX."""
    with plt.rc_context():
        matplotlib.rcdefaults()
        plt.rcParams.update(STYLE)
        yield


def figure(
    width: float = 6.4, height: float = 3.6, rows: int = 1, columns: int = 1, **kwargs: Any
) -> tuple[Figure, Any]:
    """A figure of this size, in inches, and its axes, in the house style.

    The axes are one Axes, or an array of them; kwargs go to Matplotlib's `subplots`.
    """
    with house_style():
        fig = Figure(figsize=(width, height), layout="constrained")
        return fig, fig.subplots(rows, columns, **kwargs)


def save(fig: Figure, path: str | PathLike[str]) -> None:
    """Write a figure as PNG, atomically, without time stamps."""
    buffer = io.BytesIO()
    with house_style():
        fig.savefig(buffer, format="png", dpi=110, metadata={"Software": None})
    files.atomic_write(path, buffer.getvalue())


def notebook_style() -> None:
    """The house style for every figure of a notebook. Pictures carry a description for readers who
    do not see them, and no time or version stamp."""
    from IPython import get_ipython

    matplotlib.rcdefaults()
    plt.rcParams.update(STYLE)
    shell = get_ipython()
    if shell is not None:
        shell.run_line_magic("matplotlib", "inline")
        shell.run_line_magic(
            "config",
            "InlineBackend.print_figure_kwargs = "
            "{'bbox_inches': 'tight', 'metadata': {'Software': None}}",
        )
        alt_text.attach(shell)

"""Drawings that explain a formula or a model: no data in them."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from minivae.plots.style import BLUE, GREY, INK, RED, figure


def jensen_gap(ax: Axes, low: float, high: float) -> None:
    """log E[w] above E[log w], for two equally likely weights above 0. [notebook 02, section 2.3]

    The chord between the two points has E[log w] at their mean, the curve has log E[w].
    """
    w = np.array([low, high])
    mean = w.mean()
    above, below = np.log(mean), np.log(w).mean()
    grid = np.linspace(0.3 * low, high + 0.15 * mean, 300)
    ax.plot(grid, np.log(grid), color=BLUE, ls="-", label="the curve log w")
    tangent = above + (grid - mean) / mean
    ax.plot(grid, tangent, color=GREY, ls="--", label="tangent at the mean")
    ax.plot(w, np.log(w), "o-", color=RED, lw=1, label="two equally likely w")
    ax.plot([mean, mean], [below, above], color=INK, lw=3, ls="-")
    arrow = {"arrowstyle": "->"}
    ax.annotate("log E[w]", (mean, above), (0.4 * mean, above + 0.45), arrowprops=arrow)
    ax.annotate("E[log w]", (mean, below), (1.25 * mean, below - 0.65), arrowprops=arrow)
    ax.set(xlabel="w", ylabel="nats", title="the thick bar is Jensen's gap")
    ax.legend(loc="lower right", fontsize=8)


def decoder_and_encoder() -> Figure:
    """The two arrows between z and x: the decoder (solid), which tells the story, and the encoder
    (dashed), which guesses back.                                      [notebook 02, section 2.7]"""
    fig, ax = figure(5.6, 1.9)
    ax.set(xlim=(0, 10), ylim=(0, 3.4), aspect="equal")
    ax.axis("off")
    for centre, name, color in ((2.6, "z", "white"), (7.4, "x", "#dddddd")):
        ax.plot(centre, 1.7, "o", ms=38, mfc=color, mec=INK, mew=1.4)
        ax.annotate(name, (centre, 1.7), ha="center", va="center", fontsize=15, style="italic")
    for start, end, y, color, dash, name in (
        (3.2, 6.8, 2.75, INK, "-", r"decoder $p_\theta(x\mid z)$"),
        (6.8, 3.2, 0.4, RED, "--", r"encoder $q_\phi(z\mid x)$"),
    ):
        bent = {
            "arrowstyle": "-|>",
            "connectionstyle": "arc3,rad=-0.25",
            "shrinkA": 6,
            "shrinkB": 6,
        }
        bent |= {"color": color, "ls": dash}
        ax.annotate("", (end, 1.7), (start, 1.7), arrowprops=bent)
        ax.annotate(name, (5, y), ha="center", color=color)
    straight = {"arrowstyle": "-|>", "color": INK}
    ax.annotate("$p(z)$", (1.9, 1.7), (0.9, 1.7), ha="center", va="center", arrowprops=straight)
    return fig

"""A draw as a node of a computation, and how the mean of f moves with the mean of its argument."""

from collections.abc import Callable

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from minivae.plots.style import BLUE, GREEN, GREY, INK, ORANGE, RED, figure

Place = tuple[float, float]
PLACES: dict[str, Place] = {"mu": (0, 1.2), "logvar": (0, 0), "z": (2, 0.6), "f(z)": (4, 0.6)}
NOISE: dict[str, Place] = {"eps": (2, 2)}


def where_the_noise_enters() -> Figure:
    """Two graphs: z ~ N(mu, sigma^2), which blocks a gradient, and z = mu + sigma eps."""
    fig, (left, right) = figure(7, 2.1, 1, 2)
    _graph(left, PLACES, "z ~ N(mu, sigma²)", RED)
    left.set_title("a draw: no way back to the parameters")
    left.text(1, 0.6, "?", color=RED, ha="center", va="center", fontsize=16)
    _graph(right, PLACES | NOISE, "mu + sigma · eps", BLUE)
    right.set_title("a formula: the gradients go back")
    return fig


def two_ways_to_a_gradient(
    f: Callable[[np.ndarray], np.ndarray], mu: float, sigma: float, by: float
) -> Figure:
    """What happens to the mean of f(z), z ~ N(mu, sigma^2), when mu rises by `by` > 0.

    Left: the density before and after, and where values get rarer and more frequent. Right: five
    draws, each of which slides along f. `f` takes an array of any shape and keeps the shape.
    """
    fig, (left, right) = figure(7.4, 2.7, 1, 2)
    at = np.linspace(mu - 3.6 * sigma, mu + 4.9 * sigma, 300)
    for ax in (left, right):
        ax.plot(at, f(at), color=INK, label="f")
        ax.set(xlabel="z", ylim=(0, 9))
    before, after = (6 * np.exp(-0.5 * ((at - mean) / sigma) ** 2) for mean in (mu, mu + by))
    left.plot(at, before, color=BLUE, ls="-", label="q, not to scale")
    left.plot(at, after, color=BLUE, ls="--", label="q with a larger mu")
    for name, where, color in (
        ("rarer", after < before, ORANGE),
        ("more frequent", after > before, GREEN),
    ):
        left.fill_between(at, before, after, where, color=color, alpha=0.5, label=name)
    left.set_title("eq. (1): other values get more frequent")
    left.legend(fontsize=8)
    draws = mu + sigma * np.linspace(-1.5, 1.5, 5)
    right.plot(draws, f(draws), "o", color=BLUE, label="draws")
    arrow = {"arrowstyle": "->", "color": RED, "lw": 1.6}
    for tail, tip in zip(draws, draws + by, strict=True):
        right.annotate("", (tip, f(tip)), (tail, f(tail)), arrowprops=arrow)
    right.set_title("eq. (2): each draw slides along f")
    right.legend(fontsize=8)
    return fig


def _graph(ax: Axes, places: dict[str, Place], formula: str, back: str) -> None:
    """Values as nodes, random ones filled; arrows forward, and those of the gradient dashed."""
    random = "eps" if "eps" in places else "z"
    arrows = [(name, "z") for name in places if name not in ("z", "f(z)")] + [("z", "f(z)")]
    for start, end in arrows:
        _arrow(ax, places[start], places[end], GREY, 0)
        if start == "z" or (random == "eps" and start in ("mu", "logvar")):
            _arrow(ax, places[end], places[start], back, -0.25)
    for name, place in places.items():
        fill = ORANGE if name == random else "white"
        box = {"boxstyle": "round,pad=0.35", "fc": fill, "ec": INK}
        ax.text(*place, name, ha="center", va="center", bbox=box, family="monospace", fontsize=9)
    ax.text(2, 0.05, formula, ha="center", va="top", fontsize=8)
    ax.set(xlim=(-0.6, 4.6), ylim=(-0.4, 2.3))
    ax.set_axis_off()


def _arrow(ax: Axes, tail: Place, tip: Place, color: str, bend: float) -> None:
    style = {
        "arrowstyle": "-|>",
        "color": color,
        "shrinkA": 22,
        "shrinkB": 22,
        "ls": "--" if bend else "-",
        "connectionstyle": f"arc3,rad={bend}",
    }
    ax.annotate("", tip, tail, arrowprops=style)

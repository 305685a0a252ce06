"""A computation as a graph: boxes for its values, arrows to whatever is computed from them."""

from collections.abc import Collection, Mapping

from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch

from minivae.plots.style import BLUE, GREY, INK, ORANGE, RED

Place = tuple[float, float]
HALF_HEIGHT = 0.21  # of a box, in the graph's own units
LETTER = 0.062  # half of a letter's width


def computation_graph(
    ax: Axes,
    places: Mapping[str, Place],
    arrows: Mapping[tuple[str, str], str],
    *,
    above: Mapping[str, str] | None = None,
    below: Mapping[str, str] | None = None,
    shaded: Collection[str] = (),
    label_at: float | Mapping[tuple[str, str], float] = 0.5,
) -> None:
    """Draw a graph: places {name: (x, y)}, arrows {(from, to): label}.

    above, below: a text over and under a box, such as its value and its gradient. shaded: the boxes
    to be filled. label_at: where on its arrow a label stands, 0 at the start and 1 at the tip; or
    this for some arrows, and the middle for the others. One unit of x and of y should be about an
    inch.
    """
    for (start, end), label in arrows.items():
        tail = _edge(places[start], places[end], start)
        tip = _edge(places[end], places[start], end)
        style = {"arrowstyle": "-|>", "color": GREY, "shrinkA": 0, "shrinkB": 1, "lw": 1.2}
        ax.annotate("", tip, tail, arrowprops=style)
        if label:
            at = label_at.get((start, end), 0.5) if isinstance(label_at, Mapping) else label_at
            x, y = (a + at * (b - a) for a, b in zip(tail, tip, strict=True))
            box = {"boxstyle": "round,pad=0.12", "fc": "white", "ec": "none"}
            ax.text(x, y, label, ha="center", va="center", fontsize=8, color=INK, bbox=box)
    for name, (x, y) in places.items():
        half = _half_width(name)
        ax.add_patch(
            FancyBboxPatch(
                (x - half, y - HALF_HEIGHT),
                2 * half,
                2 * HALF_HEIGHT,
                boxstyle="round,pad=0,rounding_size=0.08",
                fc=ORANGE if name in shaded else "white",
                ec=INK,
            )
        )
        ax.text(x, y, name, ha="center", va="center", family="monospace", fontsize=9)
        for texts, side, color in ((above, 1, BLUE), (below, -1, RED)):
            if texts and name in texts:
                at = y + side * (HALF_HEIGHT + 0.13)
                ax.text(x, at, texts[name], ha="center", va="center", fontsize=8.5, color=color)
    xs, ys = zip(*places.values(), strict=True)
    ax.set(xlim=(min(xs) - 0.7, max(xs) + 0.7), ylim=(min(ys) - 0.5, max(ys) + 0.5))
    ax.set_axis_off()


def _half_width(name):
    return max(0.24, 0.1 + LETTER * len(name))


def _edge(inside, towards, name):
    """Where the line from the middle of a box to another place leaves the box."""
    dx, dy = towards[0] - inside[0], towards[1] - inside[1]
    out = min(
        _half_width(name) / abs(dx) if dx else float("inf"),
        HALF_HEIGHT / abs(dy) if dy else float("inf"),
    )
    return inside[0] + out * dx, inside[1] + out * dy

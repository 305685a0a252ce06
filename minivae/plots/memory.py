"""How the loops of a matrix product go through memory. [notebook 08a]"""

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from minivae.plots.style import BLUE, GREEN, GREY, INK, ORANGE, figure

Place = tuple[int, int]
# which loop counts its rows, and which its columns
MATRICES = {"A": ("i", "k"), "B": ("k", "j"), "C": ("i", "j")}
COLORS = {"A": ORANGE, "B": BLUE, "C": GREEN}
USED, FETCHED = 0.65, 0.2  # opacity of numbers that a step uses, and of others in their lines
STEPS = 4  # of the innermost loop, and numbers of a line, as drawn
ROWS, COLUMNS, APART = 4, 8, 10.5


def walk(order: str) -> dict[str, list[Place]]:
    """The (row, column) of A, B and C that the first steps of the innermost loop touch.

    `order` names the three loops from the outermost to the innermost, such as "ikj".
    """
    at = dict.fromkeys(order, 0)
    places: dict[str, list[Place]] = {name: [] for name in MATRICES}
    for at[order[-1]] in range(STEPS):
        for name, (row, column) in MATRICES.items():
            places[name].append((at[row], at[column]))
    return places


def lines(places: list[Place]) -> set[Place]:
    """The (row, first column) of the cache lines that hold these places."""
    return {(row, column // STEPS * STEPS) for row, column in places}


def walks(*orders: str) -> Figure:
    """For each order of the loops, what its innermost loop touches of A, B and C, and the cache
    lines that it needs for that."""
    fig, panels = figure(6.4, 1.25 * len(orders), len(orders), 1)
    for ax, order in zip(panels, orders, strict=True):
        places = walk(order)
        for n, name in enumerate(MATRICES):
            _way(ax, n * APART, places[name], f"{name}[{', '.join(MATRICES[name])}]", COLORS[name])
        for n, name in enumerate(MATRICES):
            kept = len(set(places[name])) == 1  # one number, in all the steps
            steps = [f"1-{STEPS}"] if kept else [str(step + 1) for step in range(STEPS)]
            for step, (row, column) in zip(steps, places[name], strict=False):
                x = n * APART + column + 0.5
                _write(ax, x, row + 0.55, step, "center", fontsize=6 if kept else 8)
        ax.set(xlim=(-0.3, 2 * APART + COLUMNS + 0.3), ylim=(ROWS + 0.2, -1.5), aspect="equal")
        ax.set_title(f"{order}: four steps of {order[-1]}", loc="left", fontsize=9)
        ax.set_axis_off()
    return fig


def register_tile(rows: int, vectors: int, lanes: int) -> Figure:
    """C = A B with a tile of rows x vectors registers, and what one step of k brings to it."""
    width, k, depth = vectors * lanes, 7, 20  # the step that is drawn, of so many
    top, left = 4, 9  # where the tile lies in C
    m, n = top + rows + 4, left + width + 13
    fig, ax = figure(6.4, 4.2)
    a, b = -depth - 4, -depth - 4  # A to the left of C, B above it
    for x, y, columns, height in ((0, 0, n, m), (a, 0, depth, m), (0, b, n, depth)):
        ax.add_patch(Rectangle((x, y), columns, height, fc="none", ec=GREY))
    ax.add_patch(Rectangle((a, top), depth, rows, fc=ORANGE, alpha=FETCHED, lw=0))
    ax.add_patch(Rectangle((left, b), width, depth, fc=BLUE, alpha=FETCHED, lw=0))
    for i in range(rows):
        ax.add_patch(Rectangle((a + k, top + i), 1, 1, fc=(ORANGE, USED), ec=INK, lw=0.7))
    for j in range(vectors):
        at = left + j * lanes
        ax.add_patch(Rectangle((at, b + k), lanes, 1, fc=(BLUE, USED), ec=INK, lw=0.7))
        for i in range(rows):
            ax.add_patch(Rectangle((at, top + i), lanes, 1, fc=(GREEN, USED), ec=INK, lw=0.7))
    _write(ax, left + width / 2, top + rows + 0.6, f"{rows} x {vectors} vectors of C stay", "top")
    _write(ax, left + width / 2, top + rows + 2.4, "in registers for all k", "top")
    _write(ax, a + depth / 2, m + 0.6, f"each k: {rows} numbers of A", "top")
    _write(ax, n + 1, b + k + 0.5, f"each k: {vectors} vectors of B", "center", ha="left")
    for corner, name in (((a + 1.2, 1.9), "A"), ((1.2, b + 1.9), "B"), ((1.2, 1.9), "C")):
        _write(ax, *corner, name, "center", fontsize=11)
    arrow = {"arrowstyle": "->", "color": INK}
    for tail, tip in (((a + k, top - 1), (7, 0)), ((left - 1, b + k), (0, 7))):
        ax.annotate("", (tail[0] + tip[0], tail[1] + tip[1]), tail, arrowprops=arrow)
        _write(ax, tail[0] + 1.25 * tip[0], tail[1] + 1.25 * tip[1], "k", "center")
    ax.set(xlim=(a - 0.5, n + 17), ylim=(m + 3, b - 0.5), aspect="equal")
    ax.set_axis_off()
    return fig


def _way(ax: Axes, x: float, places: list[Place], name: str, color: str) -> None:
    """A corner of a matrix at x, with a frame around each line, and how much of it is needed."""
    fetched, used = lines(places), set(places)
    for row in range(ROWS):
        for column in range(COLUMNS):
            line = (row, column // STEPS * STEPS)
            alpha = USED if (row, column) in used else FETCHED if line in fetched else 0
            box = Rectangle((x + column, row), 1, 1, fc=(color, alpha), ec="#dddddd", lw=0.5)
            ax.add_patch(box)
        for column in range(0, COLUMNS, STEPS):
            ax.add_patch(Rectangle((x + column, row), STEPS, 1, fc="none", ec=GREY, lw=1))
    how_many = f"{len(fetched)} lines" if len(fetched) > 1 else "1 line"
    if len(used) == 1:
        how_many = "1 number"
    _write(ax, x + COLUMNS / 2, -0.3, f"{name}: {how_many}", "bottom")


def _write(
    ax: Axes, x: float, y: float, words: str, va: str, ha: str = "center", fontsize: int = 8
) -> None:
    ax.text(x, y, words, va=va, ha=ha, fontsize=fontsize, color=INK)

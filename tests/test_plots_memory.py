"""The drawings of notebook 08a show what the loops do."""

import io
import itertools

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from minivae.exercises.chapters.nb08.reads import Traced
from minivae.plots import alt_text, memory

ORDERS = ["".join(order) for order in itertools.permutations("ijk")]
SIZE = 8


def colored(ax, color):
    """The (x, y) of the small boxes that are filled with a color, not pale."""
    return [
        box.get_xy()
        for box in ax.patches
        if box.get_facecolor()[:3] == to_rgb(color) and box.get_facecolor()[3] == memory.USED
    ]


@pytest.mark.parametrize("order", ORDERS)
def test_a_walk_is_the_one_of_the_loops(order):
    """Recorded while loops in this order run."""
    A, B = Traced(np.zeros((SIZE, SIZE))), Traced(np.zeros((SIZE, SIZE)))
    written = []
    for numbers in itertools.product(range(SIZE), repeat=3):
        at = dict(zip(order, numbers, strict=True))
        A[at["i"], at["k"]], B[at["k"], at["j"]]
        written.append((at["i"], at["j"]))
    for name, recorded in (("A", A), ("B", B)):
        first = [divmod(int(place), SIZE) for place in recorded.order()[: memory.STEPS]]
        assert memory.walk(order)[name] == first
    assert memory.walk(order)["C"] == written[: memory.STEPS]


@pytest.mark.parametrize("order", ORDERS)
def test_the_used_numbers_are_drawn_and_their_lines_counted(order):
    fig = memory.walks(order, "ikj")
    ax = fig.axes[0]
    words = [text.get_text() for text in ax.texts]
    for n, (name, places) in enumerate(memory.walk(order).items()):
        drawn = [(y, x - n * memory.APART) for x, y in colored(ax, memory.COLORS[name])]
        assert sorted(drawn) == sorted(set(places))
        count = {1: "1 line", 4: "4 lines"}[len({(row, column // 4) for row, column in places})]
        label = next(word for word in words if word.startswith(f"{name}["))
        assert label.endswith(count if len(set(places)) > 1 else "1 number")


@pytest.mark.parametrize("order", ORDERS)
def test_each_number_tells_the_steps_that_touch_it(order):
    ax = memory.walks(order, "ikj").axes[0]
    written = {text.get_position(): text.get_text() for text in ax.texts}
    for n, places in enumerate(memory.walk(order).values()):
        for row, column in places:
            steps = [step for step, place in enumerate(places, start=1) if place == (row, column)]
            words = written[n * memory.APART + column + 0.5, row + 0.55]
            assert words == (str(steps[0]) if len(steps) == 1 else f"{steps[0]}-{steps[-1]}")


@pytest.mark.parametrize(("rows", "vectors"), [(6, 2), (4, 3)])
def test_the_tile_has_its_registers(rows, vectors):
    ax = memory.register_tile(rows, vectors, 8).axes[0]
    counts = [len(colored(ax, memory.COLORS[name])) for name in "ABC"]
    assert counts == [rows, vectors, rows * vectors]


def test_the_drawings_are_small_and_told_in_words():
    walks = memory.walks("ijk", "ikj", "jki")
    tile = memory.register_tile(6, 2, 8)
    assert "ijk: four steps of k; with the words A[i, k]: 1 line, B[k, j]: 4 lines" in (
        alt_text.description(walks)
    )
    assert "6 x 2 vectors of C stay, in registers for all k" in alt_text.description(tile)
    for fig in (walks, tile):
        png = io.BytesIO()
        fig.savefig(png, format="png", dpi=100)
        assert len(png.getvalue()) < 60_000

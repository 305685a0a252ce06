"""The drawings of notebooks 08a and 08c show what loops and threads do."""

import io
import itertools

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from minivae.exercises.chapters.nb08.reads import Traced
from minivae.kernels import threads
from minivae.plots import alt_text, memory, pool

ORDERS = ["".join(order) for order in itertools.permutations("ijk")]
SIZE = 8


def colored(ax, color, opacity=memory.USED):
    """The (x, y) of the small boxes that are filled with a color, not pale."""
    return [
        box.get_xy()
        for box in ax.patches
        if box.get_facecolor()[:3] == to_rgb(color) and box.get_facecolor()[3] == opacity
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


TURNS = ["leader", "helper", "leader", "helper", "leader"]


def tickets_taken(helper):
    """The package's threads take chunks of a new job in TURNS, where a helper acts in this role ->
    the chunks of each, and what is left: the first, and the end."""
    words = np.array([pool.CHUNKS << threads.CHUNK_BITS], np.int64)
    owned = {"leader": [], "helper": []}
    for who in TURNS:
        role = helper if who == "helper" else threads.LEADER
        owned[who].append(threads._take_chunk(words.ctypes.data, role))
    left = int(words[0])
    return owned, left & threads.MOST_CHUNKS, left >> threads.CHUNK_BITS


@pytest.mark.parametrize(("row", "helper"), [(0, threads.LEADER), (1, threads.HELPER)])
def test_chunks_are_taken_as_threads_take_them(row, helper):
    owned, first, end = tickets_taken(helper)
    ax = pool.words_and_chunks(TURNS).axes[0]
    words = [text.get_text() for text in ax.texts]
    for who, chunks in owned.items():
        drawn = colored(ax, pool.COLORS[who], pool.PALE)
        numbers = [
            round((x - pool.LEFT) / pool.WIDTH)
            for x, y in drawn
            if y == pool.TOP + pool.APART * row
        ]
        assert numbers == sorted(chunks)
        assert {f"{chunk}: {who}" for chunk in chunks} <= set(words)
    many = f"end {end}" if row else f"{end} chunks"
    assert f"job {pool.JOB}, {many}, next {first}" in words


def test_the_words_of_a_pool_lie_in_lines_of_their_own():
    assert [getattr(threads, word) for word in pool.WRITERS] == [0, 64, 128]
    ax = pool.words_and_chunks(TURNS).axes[0]
    rows = {y for x, y in colored(ax, pool.GREY, 1)}
    assert len(rows) == len(colored(ax, pool.GREY, 1)) == len(pool.WRITERS)
    for y in rows:
        assert len([box for box in ax.patches if box.get_y() == y]) * 8 == 64  # bytes


def test_the_drawings_are_small_and_told_in_words():
    walks = memory.walks("ijk", "ikj", "jki")
    tile = memory.register_tile(6, 2, 8)
    assert "ijk: four steps of k; with the words A[i, k]: 1 line, B[k, j]: 4 lines" in (
        alt_text.description(walks)
    )
    assert "6 x 2 vectors of C stay, in registers for all k" in alt_text.description(tile)
    shared = pool.words_and_chunks(TURNS)
    assert "TICKET, leader: a new job; all: a chunk is taken" in alt_text.description(shared)
    assert "the package: helpers take the last, job 7, end 6, next 3" in (
        alt_text.description(shared)
    )
    for fig in (walks, tile, shared):
        png = io.BytesIO()
        fig.savefig(png, format="png", dpi=100)
        assert len(png.getvalue()) < 60_000

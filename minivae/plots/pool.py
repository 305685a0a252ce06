"""What the threads of a pool share: three words, and the chunks of a job. [notebook 08c]"""

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from minivae.plots.style import BLUE, GREY, INK, ORANGE, figure

COLORS = {"leader": BLUE, "helper": ORANGE}
WRITERS = {  # of each word, and what they write
    "TICKET": "leader: a new job; all: a chunk is taken",
    "DONE": "leader: 0; all: + 1 for a chunk",
    "STOP": "whoever ends the pool: 1",
}
JOB, CHUNKS = 7, 8
WORDS = 8  # of 8 bytes, in a line
PALE = 0.5  # opacity
LEFT, WIDTH = 8.5, 2.6  # where the boxes begin, and how wide a chunk is
TOP, APART = 5.2, 2.3  # of the chunks


def taken(turns: list[str], from_both_ends: bool) -> tuple[dict[int, str], int, int]:
    """{chunk: who took it}, and the first chunk that is left and the end of those that are left.

    `turns` says who takes a chunk. The leader takes the first that is left, and a helper as well,
    or, from both ends, the last.
    """
    first, end, owners = 0, CHUNKS, {}
    for who in turns:
        if who == "helper" and from_both_ends:
            end -= 1
            owners[end] = who
        else:
            owners[first] = who
            first += 1
    return owners, first, end


def words_and_chunks(turns: list[str]) -> Figure:
    """The words that the threads share, each in a line of its own with who writes it, and a job of
    which `turns` have taken chunks, in the pool of the notebook and in that of the package."""
    fig, ax = figure(6.4, 3.3)
    ax.set_title("What leader and helper share", loc="left", fontsize=9)
    _write(ax, LEFT, -0.5, "a cache line for each word", "left")
    _write(ax, LEFT + WORDS + 0.5, -0.5, "who writes what", "left")
    for n, (name, who_writes) in enumerate(WRITERS.items()):
        y = 1.3 * n
        for word in range(WORDS):
            color = GREY if word == 0 else "none"
            ax.add_patch(Rectangle((LEFT + word, y), 1, 1, fc=color, ec=GREY, lw=0.7))
        _write(ax, LEFT - 0.3, y + 0.5, name, "right")
        _write(ax, LEFT + WORDS + 0.5, y + 0.5, who_writes, "left")
    pools = {
        "our pool: everybody takes the next": False,
        "the package: helpers take the last": True,
    }
    for n, (title, from_both_ends) in enumerate(pools.items()):
        _, first, end = taken(turns, from_both_ends)
        many = f"end {end}" if from_both_ends else f"{CHUNKS} chunks"
        _write(ax, LEFT, TOP + APART * n - 0.5, title, "left")
        _write(ax, LEFT - 0.3, TOP + APART * n + 0.5, f"job {JOB}, {many}, next {first}", "right")
    for n, from_both_ends in enumerate(pools.values()):
        owners, _, _ = taken(turns, from_both_ends)
        for chunk in range(CHUNKS):
            who, x, y = owners.get(chunk), LEFT + WIDTH * chunk, TOP + APART * n
            fill = (COLORS[who], PALE) if who else "none"
            ax.add_patch(Rectangle((x, y), WIDTH, 1, fc=fill, ec=INK, lw=0.7))
            label = f"{chunk}: {who}" if who else str(chunk)
            _write(ax, x + WIDTH / 2, y + 0.5, label, "center", fontsize=7)
    ax.set(xlim=(0, LEFT + WIDTH * CHUNKS + 0.2), ylim=(TOP + APART + 1.2, -1))
    ax.set_axis_off()
    return fig


def _write(ax: Axes, x: float, y: float, words: str, ha: str, fontsize: int = 8) -> None:
    ax.text(x, y, words, ha=ha, va="center", fontsize=fontsize, color=INK)

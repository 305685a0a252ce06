"""Drawings of how a model is put together: no data in them."""

from matplotlib.figure import Figure

from minivae.plots.style import INK, RED, figure


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

"""What a picture shows, in words, for readers who do not see it.

The words are those of the picture itself: titles, axis labels, names of curves, texts. So a figure
needs a title or labels, and `notebook_style` gives its description to every picture of a notebook,
as its "alt" text.
"""

import re
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

LONGEST = 700  # characters of a description
MANY_TEXTS = 12  # texts inside one panel that are listed
SYMBOLS = {r"\mid": "|", r"\Vert": "||", r"\sim": "~", r"\cdot": "·"}
COMMAND = re.compile(r"\\(?:mathrm|mathbf|mathcal|mathbb|text|bar|hat|tilde|left|right)\b")


def description(fig: Figure) -> str:
    """What a figure shows, as one line of plain text."""
    panels = [panel for panel in map(_panel, fig.axes) if panel]
    count = len(panels)
    if count > 1:
        panels = [f"{number}: {panel}" for number, panel in enumerate(panels, start=1)]
        panels.insert(0, f"{count} panels")
    suptitle = fig.get_suptitle()
    text = ". ".join(filter(None, [_plain(suptitle), *panels]))
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 4]} ..."


def _panel(ax: Axes) -> str:
    """What one panel shows."""
    title = next(filter(None, (ax.get_title(loc) for loc in ("center", "left", "right"))), "")
    x, y = _plain(ax.get_xlabel()), _plain(ax.get_ylabel())
    axes = f"{y} against {x}" if x and y else x or y
    named = [_plain(name) for name in ax.get_legend_handles_labels()[1]]
    texts = [_plain(text.get_text()) for text in ax.texts]
    parts = [_plain(title), axes]
    if named:
        parts.append("curves: " + ", ".join(dict.fromkeys(named)))
    if any(texts):
        parts.append("with the words " + ", ".join(dict.fromkeys(filter(None, texts[:MANY_TEXTS]))))
    if any(parts) and ax.images:
        parts.append("shown as an image")
    return "; ".join(filter(None, parts))


def _plain(text: str) -> str:
    """The text without the markup of formulas and without line breaks."""
    for command, symbol in SYMBOLS.items():
        text = text.replace(command, symbol)
    text = COMMAND.sub("", text)
    return " ".join(re.sub(r"[${}\\]", "", text).split())


def attach(shell: Any) -> None:
    """Let an IPython shell give every PNG of a figure its description, as the metadata "alt"."""
    formatter = shell.display_formatter.formatters["image/png"]
    printed = formatter.lookup_by_type(Figure)
    if hasattr(printed, "describes"):
        return

    def with_description(fig):
        image = printed(fig)
        return image if isinstance(image, tuple) else (image, {"alt": description(fig)})

    with_description.describes = True  # type: ignore[attr-defined]  # once is enough
    formatter.for_type(Figure, with_description)

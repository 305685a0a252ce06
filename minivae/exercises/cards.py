"""What the reader sees: a card, as plain text in a terminal and as HTML in a notebook."""

import html
import sys
import textwrap
from typing import TypeVar

from minivae.jupyter import in_notebook

NOT_ATTEMPTED = "not attempted"
NOT_YET = "not yet"
CORRECT = "correct"
UNKNOWN = "no such exercise"

COLOURS = {CORRECT: "#009e73", NOT_YET: "#d55e00", UNKNOWN: "#d55e00"}  # Okabe and Ito's
MARKS = {CORRECT: "✓", NOT_YET: "✗", UNKNOWN: "?", NOT_ATTEMPTED: "○"}
WIDTH = 96  # of a line of text


class Card:
    """A title line and a body. `str()` is the plain text, `html` the rich one."""

    def __init__(self, title: str, body: str = "", *, status: str | None = None) -> None:
        self.title, self.body, self.status = title, body.rstrip(), status

    @property
    def _mark(self):
        return f"{MARKS[self.status]} " if self.status in MARKS else ""

    def __str__(self) -> str:
        body = "".join(f"\n  {line}" if line else "\n" for line in self.body.splitlines())
        return f"{self._mark}{self.title}{body}"

    @property
    def html(self) -> str:
        colour = COLOURS.get(self.status or "", "#888888")
        body = f"<pre>{html.escape(self.body)}</pre>" if self.body else ""
        return (
            f'<div style="border-left:4px solid {colour};padding-left:0.8em">'
            f"<b>{self._mark}{html.escape(self.title)}</b>{body}</div>"
        )

    def _ipython_display_(self) -> None:
        """Shows nothing: `display` has shown the card, and a cell's last line would repeat it."""

    def __repr__(self) -> str:
        return f"<{self.title}>"


class Verdict(Card):
    """The answer to `check`: `id`, `status`, and `mistake`, the name of the recognised mistake."""

    def __init__(self, id: str, status: str, body: str = "", *, mistake: str | None = None) -> None:
        super().__init__(f"{id}: {status}", body, status=status)
        self.id, self.mistake = id, mistake


class _RichCard:
    """The same card, in the form that IPython displays."""

    def __init__(self, card):
        self.card = card

    def __repr__(self):
        return str(self.card)

    def _repr_html_(self):
        return self.card.html


AnyCard = TypeVar("AnyCard", bound=Card)


def display(card: AnyCard, note: str | None = None) -> AnyCard:
    """Display a card in a notebook, print it elsewhere; returns the card.

    note: one more sentence for the reader, below the body, such as that a file is damaged.
    """
    if note:
        card.body = f"{card.body}\n\n({note})".lstrip("\n")
    if in_notebook():
        import IPython.display

        IPython.display.display(_RichCard(card))
    else:
        encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
        print(str(card).encode(encoding, "replace").decode(encoding))
    return card


def fill(text: str, indent: int = 0) -> str:
    """Text in lines of at most WIDTH characters; all but the first are indented."""
    return textwrap.fill(text, WIDTH, subsequent_indent=" " * indent, break_on_hyphens=False)

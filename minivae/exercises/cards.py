"""What the reader sees: a card, as plain text in a terminal and as HTML in a notebook."""

import html
import sys

NOT_ATTEMPTED = "not attempted"
NOT_YET = "not yet"
CORRECT = "correct"
UNKNOWN = "no such exercise"

COLOURS = {CORRECT: "#009e73", NOT_YET: "#d55e00", UNKNOWN: "#d55e00"}  # Okabe and Ito's
MARKS = {CORRECT: "✓", NOT_YET: "✗", UNKNOWN: "?", NOT_ATTEMPTED: "○"}


class Card:
    """A title line and a body. `str()` is the plain text, `html` the rich one."""

    def __init__(self, title, body="", *, status=None):
        self.title, self.body, self.status = title, body.rstrip(), status

    def __str__(self):
        mark = f"{MARKS[self.status]} " if self.status in MARKS else ""
        body = "".join(f"\n  {line}" if line else "\n" for line in self.body.splitlines())
        return f"{mark}{self.title}{body}"

    @property
    def html(self):
        mark = f"{MARKS[self.status]} " if self.status in MARKS else ""
        colour = COLOURS.get(self.status, "#888888")
        body = f"<pre>{html.escape(self.body)}</pre>" if self.body else ""
        return (
            f'<div style="border-left:4px solid {colour};padding-left:0.8em">'
            f"<b>{mark}{html.escape(self.title)}</b>{body}</div>"
        )

    def _ipython_display_(self):
        """Nothing: `show` has displayed this card, and a cell's last line must not repeat it."""

    def __repr__(self):
        return f"<{self.title}>"


class Verdict(Card):
    """The answer to `check`: `id`, `status`, and `mistake`, the name of the one recognised."""

    def __init__(self, id, status, body="", *, mistake=None):
        super().__init__(f"{id}: {status}", body, status=status)
        self.id, self.mistake = id, mistake


class _Rich:
    """The same card, as IPython's display wants it."""

    def __init__(self, card):
        self.card = card

    def __repr__(self):
        return str(self.card)

    def _repr_html_(self):
        return self.card.html


def show(card):
    """Display in a notebook, print elsewhere; returns the card."""
    if _in_notebook():
        from IPython.display import display

        display(_Rich(card))
    else:
        encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
        print(str(card).encode(encoding, "replace").decode(encoding))
    return card


def _in_notebook():
    ipython = sys.modules.get("IPython")  # not imported: then this is no notebook
    shell = ipython.get_ipython() if ipython else None
    return getattr(shell, "kernel", None) is not None

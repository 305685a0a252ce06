"""The report of `check_grad`: a verdict, why, and every entry with its error bar."""

from collections.abc import Callable
from html import escape
from typing import Any, NamedTuple

import numpy as np

from minivae.gradcheck.ladder import Estimate
from minivae.gradcheck.verdicts import CANNOT_TELL, RIGHT, WRONG, Entries

SHOWN = 8  # rows of the table
PLOTTED = 3  # entries in the picture


class GradReport(NamedTuple):
    """A gradient by hand, compared with the numerical one entry by entry."""

    verdict: str  # "right", "wrong" or "cannot tell"
    name: str
    error: float  # max|a - n| / max(max|a|, max|n|) over all entries
    worst_index: tuple[int, ...]  # of the worst entry, in its block
    analytic: float  # by hand, at the worst entry
    numeric: float  # at the worst entry
    ratio: float | None  # analytic / numeric, if the gradient is wrong by one constant factor
    sentence: str  # "right", or what is wrong, or why nobody can tell and what to do
    labels: tuple[str, ...]  # of the entries (or directions)
    entries: Entries
    notes: tuple[str, ...]  # what was converted, and which evidence was used
    evaluations: int  # of f
    trace: Callable[[int], Estimate]  # the differences of one entry, for `plot`

    @property
    def ok(self) -> bool:
        """True for "right" alone."""
        return self.verdict == RIGHT

    def __str__(self) -> str:
        counts = ", ".join(
            f"{len(self.entries.where(v))} {v}"
            for v in (RIGHT, WRONG, CANNOT_TELL)
            if len(self.entries.where(v))
        )
        head = f"{self.name}: {self.verdict}" + (f" ({counts})" if counts else "")
        lines = [head] if self.ok else [head, f"  {self.sentence}"]
        if self._order().size:
            lines.append(f"  {'entry':<16}{'by hand':>15}{'numerically':>15}{'error bar':>11}")
        for i in self._order():
            e = self.entries
            lines.append(
                f"  {self.labels[i]:<16}{e.analytic[i]:>15.7g}{e.numeric[i]:>15.7g}"
                f"{e.bar[i]:>11.1e}  {self._word(i)}"
            )
        left = len(self.labels) - self._order().size
        if left > 0:
            lines.append(f"  ... and {left} more")
        return "\n".join(lines + [f"  note: {note}" for note in self.notes])

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        """A small table, for a notebook."""
        rows = "".join(
            f"<tr><td>{escape(self.labels[i])}</td><td>{self.entries.analytic[i]:.7g}</td>"
            f"<td>{self.entries.numeric[i]:.7g}</td><td>{self.entries.bar[i]:.1e}</td>"
            f"<td>{escape(self._word(i))}</td></tr>"
            for i in self._order()
        )
        left = len(self.labels) - self._order().size
        more = f"<p>... and {left} more</p>" if left > 0 else ""
        why = "" if self.ok else f"<p>{escape(self.sentence)}</p>"
        notes = "".join(f"<p>note: {escape(note)}</p>" for note in self.notes)
        return (
            f"<p><b>{escape(self.name)}: {self.verdict}</b></p>{why}<table><thead><tr>"
            "<th>entry</th><th>by hand</th><th>numerically</th><th>error bar</th><th></th>"
            f"</tr></thead><tbody>{rows}</tbody></table>{more}{notes}"
        )

    def to_json(self) -> dict[str, Any]:
        """The report as plain data: numbers that are not finite are None."""
        e = self.entries
        return {
            "verdict": self.verdict,
            "ok": self.ok,
            "name": self.name,
            "sentence": self.sentence,
            "notes": list(self.notes),
            "evaluations": self.evaluations,
            "entries": [
                {
                    "entry": label,
                    "analytic": _finite(e.analytic[i]),
                    "numeric": _finite(e.numeric[i]),
                    "bar": _finite(e.bar[i]),
                    "verdict": str(e.verdict[i]),
                    "reason": str(e.reason[i]),
                }
                for i, label in enumerate(self.labels)
            ],
        }

    def plot(self, entries: list[int] | None = None, ax: Any = None) -> Any:
        """Error against step for some entries, the chosen step marked -> a Matplotlib figure.

        entries: positions in `labels`; None: the worst ones. Differences are taken again where the
        complex step alone decided.
        """
        from minivae import plots

        chosen = [int(i) for i in self._order()[:PLOTTED]] if entries is None else list(entries)
        curves = [
            (self.labels[i], self.trace(i), self.entries.numeric[i], self.entries.analytic[i])
            for i in chosen
        ]
        return plots.error_against_step(curves, ax)

    def _word(self, i: int) -> str:
        reason = self.entries.reason[i]
        return f"{self.entries.verdict[i]}: {reason}" if reason else str(self.entries.verdict[i])

    def _order(self) -> np.ndarray:
        """The entries to show: wrong ones first, then those nobody can tell, the worst first."""
        e = self.entries
        if not e.analytic.size:
            return np.arange(0)
        rank = {WRONG: 0, CANNOT_TELL: 1, RIGHT: 2}
        with np.errstate(all="ignore"):
            size = np.maximum(np.abs(e.analytic), np.abs(e.numeric))
            off = np.abs(e.analytic - e.numeric) / np.where(size > 0, size, 1)
        off = np.where(np.isfinite(off), off, np.inf)
        order = np.lexsort((-off, np.array([rank[v] for v in e.verdict])))
        return order[:SHOWN]


def _finite(number: float) -> float | None:
    return float(number) if np.isfinite(number) else None

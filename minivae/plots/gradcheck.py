"""The picture of a gradient check: the error of a difference against its step."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from minivae.plots.style import BLUE, GREEN, INK, ORANGE, PURPLE, RED, figure

if TYPE_CHECKING:
    from minivae.gradcheck.ladder import Estimate

COLORS = (BLUE, ORANGE, GREEN, PURPLE, INK)


def error_against_step(
    curves: "Sequence[tuple[str, Estimate, float, float]]", ax: Any = None
) -> Any:
    """The V of each entry: |central difference - derivative| against h -> figure.

    curves: (label, differences, derivative, gradient by hand) of each entry. A ring marks the step
    that the ladder chose; the dashed line is where the gradient by hand lies, as far from the
    derivative as it is off.
    """
    fig, ax = figure(6.0, 3.4) if ax is None else (ax.figure, ax)
    for k, (label, estimate, derivative, by_hand) in enumerate(curves):
        color = COLORS[k % len(COLORS)]
        h = np.array([row.h for row in estimate.rows])
        off = np.abs(np.array([row.slope for row in estimate.rows]) - derivative)
        seen = off > 0  # a logarithmic axis has no 0
        ax.loglog(h[seen], off[seen], "o-", ms=3, color=color, label=label)
        if np.isfinite(estimate.bar) and estimate.bar > 0:
            ax.loglog([estimate.h], [estimate.bar], "o", ms=9, mfc="none", color=RED)
        gap = abs(by_hand - derivative)
        if gap > 0 and np.isfinite(gap):
            ax.axhline(gap, ls="--", lw=1, color=color)
    ax.plot([], [], "o", ms=9, mfc="none", color=RED, label="chosen step, its error bar")
    ax.plot([], [], "--", lw=1, color=INK, label="the gradient by hand")
    ax.set(xlabel="step h", ylabel="distance from the derivative")
    ax.legend(fontsize=8)
    return fig

"""The pictures of notebook 10: what latents know, and what they move.

Shapes: F factors, L latents.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from minivae.plots.style import BLUE, GREEN, GREY, INK, ORANGE

RUNGS = (
    ("whole", "whole code", ORANGE, "//"),
    ("best", "best latent", BLUE, ""),
    ("fifty", "fifty labels", GREEN, ".."),
)


def share_map(
    ax: Axes, results: dict[str, Any], families: Sequence[str], rung: str, title: str
) -> None:
    """Families by factors: the mean share of the ceiling that a rung knows, over the seeds."""
    table = [family_shares(results, name, rung).mean(axis=0) for name in families]
    _map(ax, np.array(table), families, short_names(results["factors"]), title)


def r2_map(
    ax: Axes, results: dict[str, Any], families: Sequence[str], rung: str, title: str
) -> None:
    """Families by factors: the mean R^2 of a rung over the seeds, 0 where it is below."""
    table = [
        np.mean([row[rung]["r2"] for row in results["models"] if row["family"] == name], axis=0)
        for name in families
    ]
    names = short_names(results["factors"])
    _map(ax, np.maximum(table, 0), families, names, title)


def short_names(factors: Sequence[str]) -> list[str]:
    """One word for each factor: "ear" for "ear height", but "tilt" for "head tilt"."""
    return ["tilt" if name == "head tilt" else name.split()[0] for name in factors]


def family_shares(results: dict[str, Any], family: str, rung: str) -> np.ndarray:
    """Nats of a rung as shares of the ceiling's: (seeds, F)."""
    return np.array(
        [
            np.array(row[rung]["nats"]) / results["ceiling"][row["likelihood"]]["nats"]
            for row in results["models"]
            if row["family"] == family
        ]
    )


def cosine_map(ax: Axes, cosines: np.ndarray, names: Sequence[str], title: str) -> None:
    """|cos| of the angles between the columns of a Jacobian."""
    _map(ax, cosines, names, names, title)


def leak_map(ax: Axes, moved: np.ndarray, factors: Sequence[str], title: str) -> None:
    """How far each factor moves with each latent (L, F), in standard deviations, none below 0."""
    reach = max(1.0, float(moved.max()))
    ax.imshow(moved, vmin=0, vmax=reach, cmap="Greys", aspect="auto")
    for latent, f in np.ndindex(moved.shape):
        color = "white" if moved[latent, f] > 0.6 * reach else INK
        label = f"{moved[latent, f]:.1f}"
        ax.text(f, latent, label, ha="center", va="center", fontsize=7, color=color)
    _name(ax, [f"latent {j}" for j in range(len(moved))], short_names(factors), title)


def rung_bars(
    ax: Axes, results: dict[str, Any], families: Sequence[str], factors: Sequence[int]
) -> None:
    """The share of the ceiling on three rungs, for each family of models, mean over the factors.

    Bars are means over the seeds, whiskers one standard deviation.
    """
    place = np.arange(len(families))
    for k, (rung, label, color, hatch) in enumerate(RUNGS):
        values = [family_shares(results, name, rung)[:, factors].mean(axis=1) for name in families]
        means = [v.mean() for v in values]
        spread = [v.std(ddof=1) if len(v) > 1 else 0.0 for v in values]
        at = place + 0.27 * (k - 1)
        ax.bar(at, means, 0.27, yerr=spread, capsize=2, color=color, hatch=hatch, label=label)
    ax.axhline(1, color=GREY, lw=1)
    ax.set(xticks=place, ylim=(0, 1.15), ylabel="share of what the picture tells")
    ax.set_xticklabels(families, fontsize=7, rotation=30, ha="right")


def _map(ax, table, rows, columns, title):
    ax.imshow(table, vmin=0, vmax=1, cmap="Greys", aspect="auto")
    for i, j in np.ndindex(table.shape):
        color = "white" if table[i, j] > 0.5 else INK
        ax.text(j, i, f"{table[i, j]:.2f}", ha="center", va="center", fontsize=7, color=color)
    _name(ax, rows, columns, title)


def _name(ax, rows, columns, title):
    ax.set(yticks=range(len(rows)), xticks=range(len(columns)))
    ax.set_yticklabels(rows, fontsize=8)
    ax.set_xticklabels(columns, fontsize=8)
    ax.set_title(title, fontsize=10)
    ax.grid(False)

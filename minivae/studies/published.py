"""The published table: Burda et al. 2016, Table 1, one stochastic layer, MNIST; and our results.

A row's name says how it was trained: `vae-5` with the ELBO and five samples of z for each image,
`iwae-5` with the importance-weighted bound. `vae-1-then-iwae-50` starts from the finished weights
of vae-1 and goes on with the bound, as the authors' second experiment does (github.com/yburda/iwae,
experiments.py: 2187 epochs more, at a rate of 1e-4). Results are in figures/iwae_table.json, one
object for each run; `studies.reproduce` makes them.
"""

import json
from pathlib import Path
from typing import Any, NamedTuple

from minivae import files, train
from minivae.errors import MinivaeError
from minivae.settings import Settings

TABLE = Path(__file__).parents[2] / "figures" / "iwae_table.json"
THEN = "-then-"
CONTINUED = 0.5  # a continued row starts at half of the learning rate of a new one


class Row(NamedTuple):
    """One row of the table: how it is trained, and its published negative log-likelihood."""

    objective: str
    samples: int
    resampled: int | None  # how many of the samples go through the backward pass, or all
    batch_size: int
    lr: float
    published: float
    rerun: float  # github.com/nbip/IWAE


ROWS = {
    "vae-1": Row("elbo", 1, None, 100, 2e-3, 86.76, 86.35),
    "vae-5": Row("elbo", 5, None, 100, 2e-3, 86.47, 86.10),
    "vae-50": Row("elbo", 50, None, 20, 1e-3, 86.35, 86.06),
    "iwae-5": Row("iwae", 5, None, 100, 2e-3, 85.54, 85.18),
    "iwae-50": Row("iwae", 50, 5, 20, 1e-3, 84.78, 84.59),
}
PAPER_BATCH = 20
PAPER = (
    f"batch {PAPER_BATCH}; Adam with beta1 0.9, beta2 0.999, epsilon 1e-4; 3^i epochs at "
    "1e-3 * 10^(-i/7) for i = 0..7, 3280 in all; the last weights, not an average"
)


# ---- the names of rows -------------------------------------------------------------------------


def is_row(name: Any) -> bool:
    """True for a row of the table, or several joined by "-then-"."""
    return isinstance(name, str) and all(part in ROWS for part in name.split(THEN))


def check_row(name: Any) -> None:
    """Raise MinivaeError unless `is_row(name)`."""
    if not is_row(name):
        raise MinivaeError(
            f"there is no row {name}; choose from {', '.join(ROWS)}, or start one from another, "
            f"as vae-1{THEN}iwae-50"
        )


def start_of(name: str) -> str | None:
    """The row whose weights this one starts from: "vae-1-then-iwae-50" -> "vae-1"; or None."""
    start, then, _ = name.rpartition(THEN)
    return start if then else None


def last_stage(name: str) -> str:
    """The row of the table that its (last) training is: "vae-1-then-iwae-50" -> "iwae-50"."""
    return name.rpartition(THEN)[2]


# ---- what is said of a run ---------------------------------------------------------------------


def schedule(settings: Settings) -> str:
    """The learning rate, as text."""
    return f"rate falling geometrically from {settings.lr:g} to {settings.lr * train.DECAY_TO:g}"


def differences(settings: Settings, start: dict[str, Any] | None = None) -> str:
    """How a run differs from the paper, as text. start: the result's `start_from`."""
    begin = (
        ""
        if start is None
        else (
            f"the start is not random: the weights of {start['row']} ({start['epochs']} epochs, "
            f"{start['minutes']:g} minutes), with Adam's moments at zero; "
        )
    )
    batch = "" if settings.batch_size == PAPER_BATCH else f"batch {settings.batch_size}; "
    backward = (
        ""
        if settings.resampled is None
        else (
            f"{settings.resampled} of the {settings.samples} samples, drawn by their weights, go "
            "through the backward pass (section 3 of the paper draws one); "
        )
    )
    more = "" if start is None else " more"
    return (
        f"the paper: {PAPER}; here: {begin}{batch}{backward}Adam's epsilon 1e-8; "
        f"{settings.epochs} epochs{more}, the rate falling geometrically from {settings.lr:g} to "
        f"{train.DECAY_TO:.0%} of that; the scored weights are a running average, rounded to 16 "
        "bits; the test images are one fixed binarization from a recorded seed"
    )


def describe(result: dict[str, Any]) -> str:
    """A result as text, one line."""
    start = result.get("start_from")
    after = "" if start is None else f" (after {start['epochs']} of {start['row']})"
    return (
        f"{result['row']}: {result['nll']:.2f} nats (standard error {result['stderr_images']:.2f} "
        f"over images, {result['stderr_mc']:.3f} Monte Carlo) after {result['epochs']} epochs"
        f"{after} and {result['minutes']:.0f} minutes; {last_stage(result['row'])} as published "
        f"{result['published']:.2f}, a public rerun {result['public_rerun']:.2f}"
    )


# ---- the file ----------------------------------------------------------------------------------


def read_table(path: str | Path = TABLE) -> list[dict[str, Any]]:
    """The results so far, a list of objects; empty where there is no table yet."""
    path = Path(path)
    if not path.exists():
        return []
    with files.reading(path) as (file, _):
        rows = json.loads(file.read())["rows"]
        if not all(isinstance(row, dict) and is_row(row["row"]) for row in rows):
            raise files.damaged(path, "its rows are not those of this table")
    return rows


def write_table(path: Path, results: list[dict[str, Any]]) -> None:
    """Add results to the table; each replaces an earlier one of the same row, start, epochs and
    seed."""

    def plan(row):
        start = row.get("start_from")
        return row["row"], "" if start is None else start["weights"], row["epochs"], row["seed"]

    new = {plan(row) for row in results}
    rows = [row for row in read_table(path) if plan(row) not in new] + results
    rows.sort(key=plan)
    table = {
        "what": "Burda et al. 2016, Table 1: test negative log-likelihood of MNIST, nats",
        "rows": rows,
    }
    files.atomic_write(path, (json.dumps(table, indent=1, allow_nan=False) + "\n").encode())


def with_weights(rows: list[dict[str, Any]], weights: str) -> dict[str, Any] | None:
    """The result whose weights have this hash, or None."""
    return next((row for row in rows if row.get("weights") == weights), None)


def draw_table(path: Path = TABLE) -> None:
    """The table's picture, beside it: a PNG of the same name."""
    from minivae import plots

    with plots.house_style():
        plots.save(plots.reproduced_table(read_table(path)), Path(path).with_suffix(".png"))

"""The weights of the published table's rows: kept in 16 bits, and started from again.

`VAE.pretrained("vae-1")` loads them. A result names its weights by a hash.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from minivae import checks, runs
from minivae.errors import MinivaeError
from minivae.studies import published

SHIPPED = Path(runs.__file__).parent / "shipped"  # where `VAE.pretrained` finds its models
MAX_BYTES = 1_000_000


class Start(NamedTuple):
    """The weights that a row starts from: the shipped model, and its result in the table."""

    model: runs.Model
    result: dict[str, Any]

    def record(self) -> dict[str, Any]:
        """What the result of the row says of its start."""
        return {name: self.result[name] for name in ("row", "epochs", "seed", "minutes", "weights")}


def shipped_file(name: str, shipped: Path = SHIPPED) -> Path:
    """The file of a row's weights; it may not exist."""
    return Path(shipped) / f"{name}.npz"


def weights_hash(flat: np.ndarray) -> str:
    """What names the weights in a result: flat (P,) float32 -> 16 hexadecimal digits."""
    return hashlib.sha256(flat.tobytes()).hexdigest()[:16]


def rounded(flat: np.ndarray) -> np.ndarray:
    """The weights as a shipped file holds them, in 16 bits: flat (P,) float32 -> the same type."""
    return flat.astype(np.float16).astype(flat.dtype)


def ship(
    result: dict[str, Any],
    model: runs.Model,
    table: list[dict[str, Any]],
    shipped: Path,
    say: Callable[[str], None],
) -> None:
    """Write the weights of a result to `shipped`, unless those there have a better score.

    model: with weights that 16 bits hold exactly, those that were scored. table: all results.
    Raises MinivaeError if the file could exceed a megabyte.
    """
    path = shipped_file(result["row"], shipped)
    if path.is_file():
        there = published.with_weights(table, weights_hash(runs.load_model(path).flat))
        if there is not None and there["nll"] < result["nll"]:
            say(f"{path.name} stays: it has {there['nll']:.2f} nats, this run {result['nll']:.2f}")
            return
    if 2 * model.flat.size > MAX_BYTES:
        raise MinivaeError(f"{result['row']} has too many weights to be shipped in a megabyte")
    runs.save_model(path, model, dtype=np.float16)
    say(f"shipped: {checks.printable(path)}, {path.stat().st_size / 1000:.0f} kB")


def load_start(name: str, table: Path, shipped: Path) -> Start | None:
    """The Start of a row, or None if it starts at random.

    Raises MinivaeError if the weights are missing, or belong to no result in the table.
    """
    before = published.start_of(name)
    if before is None:
        return None
    model = runs.load_model(shipped_file(before, shipped))
    result = published.with_weights(published.read_table(table), weights_hash(model.flat))
    if result is None:
        raise MinivaeError(
            f"the shipped weights of {before} belong to no result in {checks.printable(table)}; "
            f"make them again with `python -m minivae reproduce --rows {before}`"
        )
    return Start(model, result)

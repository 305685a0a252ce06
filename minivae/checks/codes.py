"""Checks of factors and codes (`evaluate.interpretability`), and of pictures that are compared by
their distances (`evaluate.sample_quality`)."""

from typing import Any

import numpy as np

from minivae.checks.values import check_whole
from minivae.errors import MinivaeError

MIN_EXAMPLES = 10_000  # the bias of a 20 x 20 table is then 0.02 nats, of log(20) = 3.0


def check_codes(
    factors: Any, codes: Any, bins: Any, fewest_latents: int = 1
) -> tuple[np.ndarray, np.ndarray, int]:
    """factors (N, F), codes (N, L) as float64 and bins as an int, or MinivaeError."""
    factors = _table(factors, "factors", np.float64)
    codes = _table(codes, "codes", np.float64)
    if len(factors) != len(codes):
        raise MinivaeError(
            f"{len(factors)} rows of factors and {len(codes)} of codes; there must be one row of "
            "each for every example"
        )
    if len(factors) < MIN_EXAMPLES:
        raise MinivaeError(
            f"{len(factors)} examples; an estimate of the mutual information needs at least "
            f"{MIN_EXAMPLES}, because with fewer its bias is too large"
        )
    if codes.shape[1] < fewest_latents:
        raise MinivaeError("the codes have one latent; the gap compares two, so give at least two")
    return factors, codes, check_whole(bins, "bins", 2, 100)


def check_normalised_information(normalised: Any) -> np.ndarray:
    """Normalised information, (S, F, L) or (F, L), as float64, or MinivaeError."""
    try:
        normalised = np.asarray(normalised, np.float64)
    except (TypeError, ValueError):
        normalised = np.empty(0)
    if normalised.ndim not in (2, 3) or normalised.size == 0 or np.isnan(normalised).any():
        raise MinivaeError(
            "tracks needs normalised information without NaN, (S, F, L) over the seeds, or (F, L)"
        )
    return normalised


def check_pictures(pictures: Any, references: Any) -> tuple[np.ndarray, np.ndarray]:
    """Both as float32 tables with the same number of columns, or MinivaeError."""
    pictures = _table(pictures, "the pictures", np.float32)
    references = _table(references, "the references", np.float32)
    if pictures.shape[1] != references.shape[1]:
        raise MinivaeError(
            f"pictures of {pictures.shape[1]} pixels and references of {references.shape[1]}; "
            "both must have the same size"
        )
    return pictures, references


def check_radii(radii: Any, n: int) -> np.ndarray:
    """radii as n float64 numbers of at least 0, or MinivaeError."""
    radii = np.asarray(radii, np.float64)
    if radii.shape != (n,) or not (radii >= 0).all():
        raise MinivaeError(
            f"radii has shape {radii.shape}; it must be one for each of the {n} references, from "
            "neighbour_radii"
        )
    return radii


def _table(values, name, dtype):
    """A 2-D table of finite numbers."""
    try:
        table = np.asarray(values)
        kind = table.dtype.kind
    except ValueError:  # rows of different lengths
        table, kind = np.empty(0), "O"
    if kind not in "biuf" or table.ndim != 2 or table.size == 0:
        raise MinivaeError(
            f"{name} has shape {table.shape}; it must be a table of numbers, one row an example"
        )
    table = table.astype(dtype)
    if not np.isfinite(table).all():
        row = int(np.argmin(np.isfinite(table).all(axis=1)))
        raise MinivaeError(f"{name} holds NaN or infinity in row {row}; all must be finite")
    return table

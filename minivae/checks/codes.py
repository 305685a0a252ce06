"""Checks of factors and codes (`evaluate.interpretability`), and of pictures that are compared by
their distances (`evaluate.sample_quality`)."""

from typing import Any

import numpy as np

from minivae.checks.values import as_array, as_float64, check_whole
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
    normalised = as_float64(normalised, "normalised")
    if normalised.ndim not in (2, 3) or normalised.size == 0:
        raise MinivaeError(
            f"normalised has shape {normalised.shape}; it must be (S, F, L) over the seeds, or "
            "(F, L)"
        )
    if np.isnan(normalised).any():
        raise MinivaeError("normalised holds NaN; every pair of factor and latent needs a number")
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
    radii = as_float64(radii, "radii")
    if radii.shape != (n,):
        raise MinivaeError(
            f"radii has shape {radii.shape}; it must be one for each of the {n} references, from "
            "neighbour_radii"
        )
    if not (radii >= 0).all():
        i = int(np.argmin(radii >= 0))
        raise MinivaeError(f"radius {i} is {radii[i]:g}; a distance is at least 0")
    return radii


def _table(values, name, dtype):
    """A 2-D table of finite numbers."""
    table = as_array(values, name)
    if table.dtype.kind not in "biuf" or table.ndim != 2 or table.size == 0:
        raise MinivaeError(
            f"{name}: {table.dtype} of shape {table.shape}; it must be a table of numbers, one row "
            "an example"
        )
    table = table.astype(dtype)
    if not np.isfinite(table).all():
        row = int(np.argmin(np.isfinite(table).all(axis=1)))
        raise MinivaeError(f"{name} holds NaN or infinity in row {row}; all must be finite")
    return table

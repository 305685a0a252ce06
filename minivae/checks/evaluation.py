"""Checks for the evaluation of a model: what is passed in besides images, and that results are
finite."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from minivae.checks.values import as_array, as_float64, check_samples
from minivae.errors import MinivaeError

if TYPE_CHECKING:
    from minivae.spec import Spec


def check_q_values(mu: Any, logvar: Any, n: int, spec: Spec) -> tuple[np.ndarray, np.ndarray]:
    """mu and logvar as float arrays of shape (n, L), or MinivaeError."""
    mu, logvar = as_array(mu, "q's mu"), as_array(logvar, "q's logvar")
    shape = n, spec.latent_dim
    if mu.shape != shape or logvar.shape != shape:
        raise MinivaeError(f"q has shapes {mu.shape} and {logvar.shape}; both must be {shape}")
    if not {mu.dtype, logvar.dtype} <= {np.dtype(np.float32), np.dtype(np.float64)}:
        raise MinivaeError(
            f"q holds {mu.dtype} and {logvar.dtype}; both must be float32 or float64"
        )
    return mu, logvar


def check_log_p(log_p: Any, n: int) -> np.ndarray:
    """log_p as a float64 array of n finite numbers, or MinivaeError."""
    log_p = as_float64(log_p, "log_p")
    if log_p.shape != (n,):
        raise MinivaeError(f"log_p has shape {log_p.shape}; it must be ({n},), one per image")
    if not np.isfinite(log_p).all():
        i = int(np.argmin(np.isfinite(log_p)))
        raise MinivaeError(f"log_p holds NaN or infinity at image {i}; all must be finite")
    return log_p


def check_group_sizes(samples: Sequence[int], draws: int) -> None:
    """Raise MinivaeError unless `draws` is enough for two groups of every K in `samples`."""
    check_samples(draws, "draws")
    for K in samples:
        check_samples(K)
        if K > draws // 2:
            raise MinivaeError(f"samples holds {K}; two groups of it need draws={2 * K} or more")


def not_finite_error(what: str, where: str = "") -> MinivaeError:
    """The error for NaN or infinity in what a model computes. what: subject and verb."""
    return MinivaeError(f"{what} not finite{where}; train again with a smaller lr")


def check_finite_result(values: Any, what: str) -> None:
    """Raise MinivaeError if a number that was computed from the model is not finite."""
    if not np.isfinite(values).all():
        raise not_finite_error(f"{what} is")


def check_finite_per_image(values: np.ndarray, what: str) -> None:
    """The same for one number an image, (N,): the message names the first one that is not."""
    bad = np.flatnonzero(~np.isfinite(values))
    if bad.size:
        check_finite_result(values[bad[0]], f"{what} of image {bad[0]}")

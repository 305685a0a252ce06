"""The three faces of the ELBO, and log-sum-exp: shared by the three kinds of model."""

from math import log, pi
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

LOG_2PI = log(2 * pi)


class Faces(NamedTuple):
    """The three faces of an ELBO, nats: equal up to rounding, by three different sums."""

    evidence: np.ndarray
    reconstruction: np.ndarray
    energy: np.ndarray


def log_sum_exp(a: ArrayLike, axis: int | None = None) -> np.ndarray:
    """log sum exp(a) without overflow or underflow; -inf where every term is -inf."""
    a = np.asarray(a, np.float64)
    top = a.max(axis=axis, keepdims=True)
    safe = np.where(np.isfinite(top), top, 0)
    with np.errstate(divide="ignore"):  # log 0 = -inf is the answer
        total = np.log(np.exp(a - safe).sum(axis=axis, keepdims=True)) + safe
    return np.squeeze(total, axis=axis)[()]

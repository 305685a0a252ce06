"""The six true factors of a cat, and their prior: independent, each uniform on its range."""

from typing import NamedTuple

import numpy as np

from minivae.checks import check_generator
from minivae.checks.cats import check_cat_count


class Factor(NamedTuple):
    """One true factor: uniform on [low, high], independent of the others."""

    name: str
    low: float
    high: float
    unit: str
    meaning: str


FACTORS = (
    Factor("chonk", 3.0, 9.0, "kg", "weight: how wide and round the cat is, head included"),
    Factor("ear height", 0.12, 0.42, "head heights", "the tips of the ears above the crown"),
    Factor("tail curl", 10.0, 270.0, "degrees", "how far the end of the tail turns, outwards"),
    Factor("head tilt", -20.0, 20.0, "degrees", "positive: clockwise, as seen by you"),
    Factor("eye openness", 0.0, 1.0, "share", "0: asleep, 1: wide awake"),
    Factor("position", -0.08, 0.08, "picture widths", "across; positive: further to the right"),
)
NAMES = tuple(factor.name for factor in FACTORS)
LOW = np.array([factor.low for factor in FACTORS])
HIGH = np.array([factor.high for factor in FACTORS])


def sample_factors(n: int, rng: np.random.Generator) -> np.ndarray:
    """z ~ p(z): the factors of n cats, (n, 6) float64.

    Raises MinivaeError unless n is a whole number of at least 1, not too large for memory, and rng
    a NumPy generator.
    """
    n = check_cat_count(n, LOW.nbytes)
    return check_generator(rng).uniform(LOW, HIGH, (n, len(FACTORS)))

"""Notebook 03, the KL divergence between Gaussians."""

from minivae.exercises.chapters.nb03.differences import DIFFERENCES
from minivae.exercises.chapters.nb03.directions import MOMENTS, PARTS
from minivae.exercises.chapters.nb03.good_inputs import TELL_APART
from minivae.exercises.chapters.nb03.kl import BUG, KL, KL_BACKWARD, WRONG_KLS
from minivae.exercises.chapters.nb03.monte_carlo import KL_MONTE_CARLO
from minivae.exercises.chapters.nb03.two_gaussians import KL_TWO

__all__ = ["EXERCISES", "WRONG_KLS"]

EXERCISES = (
    DIFFERENCES, KL, KL_BACKWARD, KL_MONTE_CARLO, KL_TWO, MOMENTS, PARTS, BUG, TELL_APART,
)  # fmt: skip

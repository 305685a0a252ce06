"""Notebook 03, the KL divergence between Gaussians."""

from minivae.exercises.chapters.nb03.differences import DIFFERENCES
from minivae.exercises.chapters.nb03.directions import MOMENTS, PARTS, TURN
from minivae.exercises.chapters.nb03.good_inputs import BLIND_SPOT
from minivae.exercises.chapters.nb03.kl import BUG, KL, KL_BACKWARD, WRONG_KLS
from minivae.exercises.chapters.nb03.tilted import TOO_SURE
from minivae.exercises.chapters.nb03.two_gaussians import KL_TWO

__all__ = ["EXERCISES", "WRONG_KLS"]

EXERCISES = (
    DIFFERENCES, KL, KL_BACKWARD, KL_TWO, MOMENTS, TOO_SURE, TURN, PARTS, BUG, BLIND_SPOT,
)  # fmt: skip

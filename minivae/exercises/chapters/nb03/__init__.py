"""Notebook 03, the KL divergence between Gaussians."""

from minivae.exercises.chapters.nb03.differences import DIFFERENCES
from minivae.exercises.chapters.nb03.directions import MOMENTS, PARTS, TURN
from minivae.exercises.chapters.nb03.evidence import EVIDENCE
from minivae.exercises.chapters.nb03.good_inputs import BLIND_SPOT
from minivae.exercises.chapters.nb03.kl import KL, KL_BACKWARD, WRONG_KLS
from minivae.exercises.chapters.nb03.softplus import BUG
from minivae.exercises.chapters.nb03.tilted import TOO_SURE
from minivae.exercises.chapters.nb03.two_gaussians import KL_TWO

__all__ = ["EXERCISES", "WRONG_KLS"]

EXERCISES = (
    KL, KL_BACKWARD, DIFFERENCES, KL_TWO, EVIDENCE, MOMENTS, TOO_SURE, TURN, PARTS, BUG, BLIND_SPOT,
)  # fmt: skip

"""Notebook 04, the reparameterization trick."""

from minivae.exercises.chapters.nb04.gradient_estimates import PATHWISE, SCORE_FUNCTION
from minivae.exercises.chapters.nb04.linear_model import LINEAR_EVIDENCE, LINEAR_POSTERIOR
from minivae.exercises.chapters.nb04.reparameterize import (
    BUG,
    REPARAMETERIZE,
    REPARAMETERIZE_BACKWARD,
)

EXERCISES = (
    REPARAMETERIZE,
    REPARAMETERIZE_BACKWARD,
    SCORE_FUNCTION,
    PATHWISE,
    LINEAR_POSTERIOR,
    LINEAR_EVIDENCE,
    BUG,
)

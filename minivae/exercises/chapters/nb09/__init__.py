"""Notebook 09, how good is it? Importance weights, tighter bounds, and where the gap comes from."""

from minivae.exercises.chapters.nb09.effective_samples import EFFECTIVE_SAMPLES
from minivae.exercises.chapters.nb09.gap import GAP
from minivae.exercises.chapters.nb09.gradients import BUG, DOUBLY
from minivae.exercises.chapters.nb09.iwae import IW_BOUND, IWAE_BACKWARD
from minivae.exercises.chapters.nb09.log_weights import LOG_WEIGHTS
from minivae.exercises.chapters.nb09.proposals import TWO_ISLANDS
from minivae.exercises.chapters.nb09.quadrature import REFINE

EXERCISES = (
    LOG_WEIGHTS,
    IW_BOUND,
    IWAE_BACKWARD,
    EFFECTIVE_SAMPLES,
    TWO_ISLANDS,
    REFINE,
    GAP,
    BUG,
    DOUBLY,
)

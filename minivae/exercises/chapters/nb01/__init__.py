"""Notebook 01, a cat-drawing machine: generative models, evidence, logs."""

from minivae.exercises.chapters.nb01.bayes import EVIDENCE, LOG_POSTERIOR, STORY
from minivae.exercises.chapters.nb01.diagnosis import NOISY_OR
from minivae.exercises.chapters.nb01.logs import LOG_LIKELIHOOD, LOG_SUM_EXP, log_sum_exp
from minivae.exercises.chapters.nb01.sampling import ANCESTRAL

__all__ = ["EXERCISES", "log_sum_exp"]

EXERCISES = (
    EVIDENCE, NOISY_OR, ANCESTRAL, LOG_SUM_EXP, LOG_LIKELIHOOD, LOG_POSTERIOR, STORY,
)  # fmt: skip

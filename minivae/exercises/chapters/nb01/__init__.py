"""Notebook 01, a cat-drawing machine: generative models, evidence, logs."""

from minivae.exercises.chapters.nb01.bayes import EVIDENCE, LOG_POSTERIOR, STORY
from minivae.exercises.chapters.nb01.forwards import FORWARDS
from minivae.exercises.chapters.nb01.helping import HELPING
from minivae.exercises.chapters.nb01.logs import LOG_LIKELIHOOD, log_sum_exp
from minivae.exercises.chapters.nb01.machine import MACHINE
from minivae.exercises.chapters.nb01.pictures import WITHOUT_NOISE
from minivae.exercises.chapters.nb01.refining import SETTLED
from minivae.exercises.chapters.nb01.sampling import ANCESTRAL
from minivae.exercises.chapters.nb01.typical import TYPICAL

__all__ = ["EXERCISES", "log_sum_exp"]

EXERCISES = (
    EVIDENCE, HELPING, STORY, ANCESTRAL, FORWARDS, MACHINE, LOG_LIKELIHOOD, LOG_POSTERIOR,
    SETTLED, TYPICAL, WITHOUT_NOISE,
)  # fmt: skip

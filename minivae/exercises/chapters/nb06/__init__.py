"""Notebook 06, the gradient of a whole VAE."""

from minivae.exercises.chapters.nb06.bugs import BUG, NAME_THE_BUG
from minivae.exercises.chapters.nb06.loss import LOSS
from minivae.exercises.chapters.nb06.paths import HEADS_BACKWARD, Q_BACKWARD
from minivae.exercises.chapters.nb06.whole_gradient import ELBO_AND_GRADS

EXERCISES = (LOSS, Q_BACKWARD, HEADS_BACKWARD, ELBO_AND_GRADS, BUG, NAME_THE_BUG)

"""Notebook 02, Jensen's inequality and the ELBO."""

from minivae.exercises.chapters.nb02.derivation import ORDER
from minivae.exercises.chapters.nb02.elbo import BUG, ELBO_THREE, KL_DISCRETE
from minivae.exercises.chapters.nb02.estimates import IMPORTANCE, LOG_EVIDENCE
from minivae.exercises.chapters.nb02.jensen import JENSEN_GAP

EXERCISES = (LOG_EVIDENCE, JENSEN_GAP, IMPORTANCE, KL_DISCRETE, ELBO_THREE, ORDER, BUG)

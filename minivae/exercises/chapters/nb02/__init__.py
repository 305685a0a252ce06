"""Notebook 02, Jensen's inequality and the ELBO."""

from minivae.exercises.chapters.nb02.counts import COUNTS
from minivae.exercises.chapters.nb02.draws import DRAWS
from minivae.exercises.chapters.nb02.elbo import BUG
from minivae.exercises.chapters.nb02.estimates import ESTIMATES
from minivae.exercises.chapters.nb02.independent import BEST_INDEPENDENT
from minivae.exercises.chapters.nb02.jensen import WEIGHTS_WITH_GAP
from minivae.exercises.chapters.nb02.promise import RISE_AND_FALL, STEP

EXERCISES = (DRAWS, WEIGHTS_WITH_GAP, ESTIMATES, COUNTS, BEST_INDEPENDENT, BUG, STEP, RISE_AND_FALL)

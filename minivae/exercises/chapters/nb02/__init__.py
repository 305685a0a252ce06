"""Notebook 02, Jensen's inequality and the ELBO."""

from minivae.exercises.chapters.nb02.elbo import BUG
from minivae.exercises.chapters.nb02.estimates import TWO_QS, WEIGHT_VARIANCE
from minivae.exercises.chapters.nb02.gaussian import SHARING
from minivae.exercises.chapters.nb02.independent import BEST_INDEPENDENT
from minivae.exercises.chapters.nb02.jensen import WEIGHTS_WITH_GAP
from minivae.exercises.chapters.nb02.promise import RISE_AND_FALL, STEP

EXERCISES = (
    WEIGHT_VARIANCE,
    TWO_QS,
    WEIGHTS_WITH_GAP,
    BEST_INDEPENDENT,
    BUG,
    SHARING,
    STEP,
    RISE_AND_FALL,
)

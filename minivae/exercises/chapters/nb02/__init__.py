"""Notebook 02, Jensen's inequality and the ELBO."""

from minivae.exercises.chapters.nb02.derivation import ORDER
from minivae.exercises.chapters.nb02.elbo import BUG, ELBO_THREE, KL_DISCRETE
from minivae.exercises.chapters.nb02.estimates import DRAWS, IMPORTANCE
from minivae.exercises.chapters.nb02.gaussian import GAUSSIAN_ELBO
from minivae.exercises.chapters.nb02.independent import BEST_INDEPENDENT
from minivae.exercises.chapters.nb02.jensen import WEIGHTS_WITH_GAP
from minivae.exercises.chapters.nb02.promise import RISE_AND_FALL

EXERCISES = (
    IMPORTANCE,
    DRAWS,
    WEIGHTS_WITH_GAP,
    KL_DISCRETE,
    ELBO_THREE,
    BEST_INDEPENDENT,
    ORDER,
    GAUSSIAN_ELBO,
    BUG,
    RISE_AND_FALL,
)

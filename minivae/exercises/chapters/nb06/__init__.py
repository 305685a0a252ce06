"""Notebook 06, the gradient of a whole VAE."""

from minivae.exercises.chapters.nb06.bugs import NAME_THE_BUG, NEXT_QUESTION
from minivae.exercises.chapters.nb06.gaps import GAPS_OF_Q
from minivae.exercises.chapters.nb06.inference import WHICH_INFERENCE
from minivae.exercises.chapters.nb06.kl_test import KL_TEST
from minivae.exercises.chapters.nb06.likelihood_test import LIKELIHOOD_TEST
from minivae.exercises.chapters.nb06.loss import LOSS
from minivae.exercises.chapters.nb06.repair import REPAIR
from minivae.exercises.chapters.nb06.search import SEARCH_Q
from minivae.exercises.chapters.nb06.transfer import BEST_Q, K_SAMPLES, VARIANCE_OUTPUT
from minivae.exercises.chapters.nb06.whole_gradient import ELBO_AND_GRADS

EXERCISES = (
    LOSS,
    ELBO_AND_GRADS,
    K_SAMPLES,
    VARIANCE_OUTPUT,
    WHICH_INFERENCE,
    SEARCH_Q,
    BEST_Q,
    GAPS_OF_Q,
    NAME_THE_BUG,
    NEXT_QUESTION,
    REPAIR,
    KL_TEST,
    LIKELIHOOD_TEST,
)

"""Notebook 04, the reparameterization trick."""

from minivae.exercises.chapters.nb04.allowed import ALLOWED
from minivae.exercises.chapters.nb04.ends import ENDS
from minivae.exercises.chapters.nb04.factor import FACTOR
from minivae.exercises.chapters.nb04.gradient_estimates import BUG, VARIANCES, YES_OR_NO
from minivae.exercises.chapters.nb04.linear_model import LINEAR_VAE, POSTERIOR
from minivae.exercises.chapters.nb04.logistic import LOGISTIC
from minivae.exercises.chapters.nb04.reparameterize import REPARAMETERIZE, REPARAMETERIZE_BACKWARD
from minivae.exercises.chapters.nb04.same_cat import SAME_CAT
from minivae.exercises.chapters.nb04.samplers import SAMPLER_TEST
from minivae.exercises.chapters.nb04.training import TRAIN
from minivae.exercises.chapters.nb04.winners import WINNERS

EXERCISES = (
    REPARAMETERIZE,
    REPARAMETERIZE_BACKWARD,
    ALLOWED,
    WINNERS,
    FACTOR,
    YES_OR_NO,
    BUG,
    ENDS,
    LINEAR_VAE,
    POSTERIOR,
    LOGISTIC,
    VARIANCES,
    SAMPLER_TEST,
    SAME_CAT,
    TRAIN,
)

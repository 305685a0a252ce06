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
    LOGISTIC,
    ALLOWED,
    WINNERS,
    YES_OR_NO,
    BUG,
    SAMPLER_TEST,
    LINEAR_VAE,
    POSTERIOR,
    FACTOR,
    VARIANCES,
    ENDS,
    SAME_CAT,
    TRAIN,
)

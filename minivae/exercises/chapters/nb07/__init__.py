"""Notebook 07, a working model: minibatches, Adam, the loop, and what can go wrong with it."""

from minivae.exercises.chapters.nb07.adam import ADAM
from minivae.exercises.chapters.nb07.best_model import BEST_MODEL
from minivae.exercises.chapters.nb07.beta import WEIGHTS
from minivae.exercises.chapters.nb07.first_loss import FIRST_LOSS
from minivae.exercises.chapters.nb07.first_tests import FIRST_TESTS
from minivae.exercises.chapters.nb07.free_bits import FREE_BITS_BACKWARD
from minivae.exercises.chapters.nb07.latents import LATENTS
from minivae.exercises.chapters.nb07.loop import LOOP
from minivae.exercises.chapters.nb07.one_batch import ONE_BATCH
from minivae.exercises.chapters.nb07.rate_limit import RATE_LIMIT

EXERCISES = (
    ADAM,
    FIRST_LOSS,
    ONE_BATCH,
    FIRST_TESTS,
    RATE_LIMIT,
    LOOP,
    FREE_BITS_BACKWARD,
    WEIGHTS,
    LATENTS,
    BEST_MODEL,
)

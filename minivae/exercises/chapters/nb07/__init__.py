"""Notebook 07, a working model: minibatches, Adam, the loop, and what can go wrong with it."""

from minivae.exercises.chapters.nb07.adam import ADAM
from minivae.exercises.chapters.nb07.beta import WEIGHTS
from minivae.exercises.chapters.nb07.curves import CURVES
from minivae.exercises.chapters.nb07.free_bits import FREE_BITS_BACKWARD
from minivae.exercises.chapters.nb07.latents import LATENTS
from minivae.exercises.chapters.nb07.loop import LOOP
from minivae.exercises.chapters.nb07.one_batch import ONE_BATCH
from minivae.exercises.chapters.nb07.reported_elbo import BUG

EXERCISES = (ADAM, ONE_BATCH, LOOP, FREE_BITS_BACKWARD, WEIGHTS, LATENTS, CURVES, BUG)

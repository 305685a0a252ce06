"""Notebook 07, a working model: minibatches, Adam, warm-up, free bits."""

from minivae.exercises.chapters.nb07.adam import ADAM
from minivae.exercises.chapters.nb07.beta import SILENT_BETA, WARMUP
from minivae.exercises.chapters.nb07.binarization import BINARIZE
from minivae.exercises.chapters.nb07.free_bits import FREE_BITS, FREE_BITS_BACKWARD
from minivae.exercises.chapters.nb07.reported_elbo import BUG

EXERCISES = (ADAM, BINARIZE, WARMUP, FREE_BITS, FREE_BITS_BACKWARD, SILENT_BETA, BUG)

"""Notebook 09, how good is it? Importance weights, tighter bounds, and where the gap comes from."""

from minivae.exercises.chapters.nb09.below import SURELY_BELOW
from minivae.exercises.chapters.nb09.estimates import MISSING_NATS, TOO_LOW
from minivae.exercises.chapters.nb09.family import FAMILY_GAP
from minivae.exercises.chapters.nb09.gradients import BUG, DOUBLY
from minivae.exercises.chapters.nb09.proposals import TWO_ISLANDS
from minivae.exercises.chapters.nb09.quadrature import REFINE

EXERCISES = (TOO_LOW, MISSING_NATS, FAMILY_GAP, TWO_ISLANDS, SURELY_BELOW, REFINE, BUG, DOUBLY)

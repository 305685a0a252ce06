"""Notebook 11, who draws the better cat: two players, and what each of two models cannot do."""

from minivae.exercises.chapters.nb11.conditional import CONDITIONAL
from minivae.exercises.chapters.nb11.modes import DROPPED
from minivae.exercises.chapters.nb11.optimum import JENSEN_SHANNON, OPTIMAL
from minivae.exercises.chapters.nb11.players import BUG, GENERATOR_GRADIENT, SLOPES

EXERCISES = (OPTIMAL, JENSEN_SHANNON, SLOPES, GENERATOR_GRADIENT, BUG, DROPPED, CONDITIONAL)

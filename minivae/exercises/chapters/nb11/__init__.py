"""Notebook 11, who draws the better cat: two players, and what the measures of pictures reward."""

from minivae.exercises.chapters.nb11.measures import DROPPED, SHARPEST
from minivae.exercises.chapters.nb11.optimum import BOUND, SMOOTHED
from minivae.exercises.chapters.nb11.players import BUG, GENERATOR_GRADIENT, PIXELS

EXERCISES = (SMOOTHED, BOUND, PIXELS, GENERATOR_GRADIENT, BUG, SHARPEST, DROPPED)

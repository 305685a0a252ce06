"""Notebook 10, chonky cats: are the latents interpretable?"""

from minivae.exercises.chapters.nb10.information import (
    EQUAL_MASS_BINS,
    INFORMATION_GAP,
    MUTUAL_INFORMATION,
)
from minivae.exercises.chapters.nb10.rotation import ROTATE
from minivae.exercises.chapters.nb10.traversal import TRAVERSAL

EXERCISES = (TRAVERSAL, MUTUAL_INFORMATION, INFORMATION_GAP, EQUAL_MASS_BINS, ROTATE)

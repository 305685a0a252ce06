"""Notebook 10, chonky cats: are the latents interpretable?"""

from minivae.exercises.chapters.nb10.ceilings import IDEAL_OBSERVER, LARGEST_SHARE
from minivae.exercises.chapters.nb10.dependence import FOOL_THE_GAP, TC_GRADIENT
from minivae.exercises.chapters.nb10.information import MUTUAL_INFORMATION
from minivae.exercises.chapters.nb10.rotation import ROTATE

EXERCISES = (
    IDEAL_OBSERVER,
    LARGEST_SHARE,
    FOOL_THE_GAP,
    TC_GRADIENT,
    MUTUAL_INFORMATION,
    ROTATE,
)

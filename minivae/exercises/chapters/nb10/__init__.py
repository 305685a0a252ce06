"""Notebook 10, chonky cats: are the latents interpretable?"""

from minivae.exercises.chapters.nb10.ceilings import HOW_MANY, INFORMATION, NEEDED_R2
from minivae.exercises.chapters.nb10.codes import FOOL_THE_GAP, HIDE
from minivae.exercises.chapters.nb10.dependence import TC_GRADIENT
from minivae.exercises.chapters.nb10.rotation import TURNING_PRICE

EXERCISES = (
    INFORMATION,
    HOW_MANY,
    NEEDED_R2,
    HIDE,
    FOOL_THE_GAP,
    TURNING_PRICE,
    TC_GRADIENT,
)

"""Notebook 08, making it fast: loop orders, one pass over the data, and the limit.

Some answers are called with arrays that record how they are read (`reads.Traced`), so that the
order of a loop can be checked and not only its result.
"""

from minivae.exercises.chapters.nb08.fused import FUSED
from minivae.exercises.chapters.nb08.limits import FLOPS, ROOFLINE
from minivae.exercises.chapters.nb08.products import BLOCKED, LOOP_ORDER

EXERCISES = (LOOP_ORDER, BLOCKED, FUSED, FLOPS, ROOFLINE)

"""Notebooks 08a to 08c, making it fast: loop orders, limits, vectors, fused loops, threads.

Some answers are called with arrays that record how they are read (`reads.Traced`), so that the
order of a loop can be checked and not only its result; others are compiled, and their code is
searched for vectors.
"""

from minivae.exercises.chapters.nb08.bits import BITS
from minivae.exercises.chapters.nb08.fused import FUSED
from minivae.exercises.chapters.nb08.latency import LATENCY
from minivae.exercises.chapters.nb08.limits import FLOPS, IKJ_RATE, ROOFLINE, TILE_SHAPE
from minivae.exercises.chapters.nb08.passes import PASSES
from minivae.exercises.chapters.nb08.products import BLOCKED, LOOP_ORDER
from minivae.exercises.chapters.nb08.sharing import FALSE_SHARING, SAME_BITS
from minivae.exercises.chapters.nb08.sleeping import ASLEEP
from minivae.exercises.chapters.nb08.threads import AMDAHL, TICKET
from minivae.exercises.chapters.nb08.vectors import TRAP, VECTORIZE

EXERCISES = (
    FLOPS,
    LATENCY,
    LOOP_ORDER,
    VECTORIZE,
    BLOCKED,
    ROOFLINE,
    IKJ_RATE,
    TILE_SHAPE,
    PASSES,
    FUSED,
    BITS,
    TRAP,
    SAME_BITS,
    AMDAHL,
    TICKET,
    FALSE_SHARING,
    ASLEEP,
)

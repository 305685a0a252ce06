"""One training step of the same VAE, side by side: both backends, PyTorch and JAX.

How it is measured, so that the ratios mean something:
- a table is measured in one process of its own, started with the wanted number of threads for
  every library, and with as many cores, because JAX takes a thread for each core it finds;
- every contestant computes the same arithmetic from the same parameters, images and noise, and
  its losses and parameters of two steps are compared with float64 before anything is timed;
- rounds are interleaved: in each round every contestant has a turn, in random order. A turn is
  a pause, in which the threads of the one before stop spinning, then ten untimed steps and twenty
  timed ones, of which the median counts. So all run under the same background load, and all share
  the numba backend's settings of the allocator;
- reported are medians over rounds and quartiles; ratios are medians of the ratios within a round.
  A row lists who beats the numba backend: those whose ratio's upper quartile is below 1.

The images are digits, as in training: most of their pixels are 0, and a backend may leave out
what is multiplied by them. So one table has images without zeros.
"""

from minivae.studies.bench.report import TABLES, format_report
from minivae.studies.bench.tables import measure_all

__all__ = ["TABLES", "format_report", "measure_all"]

"""Notebook 05, backpropagation by hand.

The likelihoods stand in the text, before it shows their gradients. At its end come the other parts
of the reader's backend, numbers through a graph, checks, and layers that the text leaves out; three
belong to the appendix.
"""

from minivae.exercises.chapters.nb05.activations import RELU_BACKWARD, SIGMOID, TANH_BACKWARD
from minivae.exercises.chapters.nb05.bernoulli import BERNOULLI, BERNOULLI_BACKWARD
from minivae.exercises.chapters.nb05.cost import COST
from minivae.exercises.chapters.nb05.dense import DENSE, DENSE_BACKWARD
from minivae.exercises.chapters.nb05.differences import CHOOSE_H, COMPLEX_READY
from minivae.exercises.chapters.nb05.gaussian import GAUSSIAN, GAUSSIAN_BACKWARD
from minivae.exercises.chapters.nb05.gradient_check import GRADIENT_CHECK
from minivae.exercises.chapters.nb05.spoiled import SPOILED
from minivae.exercises.chapters.nb05.tied import TIED_BACKWARD
from minivae.exercises.chapters.nb05.transfer import GRAPH, ONE_SIDED_BAR, SLOPE_ALONG
from minivae.exercises.chapters.nb05.unseen_layers import (
    LAYER_NORM_BACKWARD,
    LOGSUMEXP_BACKWARD,
    SKIP_BACKWARD,
)

EXERCISES = (
    BERNOULLI_BACKWARD,
    GAUSSIAN,
    GAUSSIAN_BACKWARD,
    DENSE,
    DENSE_BACKWARD,
    TANH_BACKWARD,
    RELU_BACKWARD,
    SIGMOID,
    BERNOULLI,
    GRAPH,
    COST,
    ONE_SIDED_BAR,
    GRADIENT_CHECK,
    SPOILED,
    LOGSUMEXP_BACKWARD,
    LAYER_NORM_BACKWARD,
    TIED_BACKWARD,
    SKIP_BACKWARD,
    CHOOSE_H,
    COMPLEX_READY,
    SLOPE_ALONG,
)

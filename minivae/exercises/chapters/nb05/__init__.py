"""Notebook 05, backpropagation by hand.

The parts of the reader's backend stand in the text, each before it shows the answer. After the text
come numbers through a graph, costs, what a mistake spoils, layers that the text leaves out, and
differences; two exercises belong to the appendix.
"""

from minivae.exercises.chapters.nb05.activations import RELU_BACKWARD, SIGMOID, TANH_BACKWARD
from minivae.exercises.chapters.nb05.bernoulli import BERNOULLI, BERNOULLI_BACKWARD
from minivae.exercises.chapters.nb05.blind import BLIND
from minivae.exercises.chapters.nb05.cost import COST
from minivae.exercises.chapters.nb05.dense import DENSE, DENSE_BACKWARD
from minivae.exercises.chapters.nb05.differences import CHOOSE_H, COMPLEX_READY
from minivae.exercises.chapters.nb05.directions import DIRECTIONS
from minivae.exercises.chapters.nb05.gaussian import GAUSSIAN, GAUSSIAN_BACKWARD
from minivae.exercises.chapters.nb05.gradient_check import GRADIENT_CHECK
from minivae.exercises.chapters.nb05.nan_gradient import NAN_GRADIENT
from minivae.exercises.chapters.nb05.spoiled import SPOILED
from minivae.exercises.chapters.nb05.tied import TIED_BACKWARD
from minivae.exercises.chapters.nb05.transfer import GRAPH, ONE_SIDED_BAR, SLOPE_ALONG
from minivae.exercises.chapters.nb05.unseen_layers import (
    LAYER_NORM_BACKWARD,
    LOGSUMEXP_BACKWARD,
    SKIP_BACKWARD,
)

EXERCISES = (
    TANH_BACKWARD,
    RELU_BACKWARD,
    DENSE,
    DENSE_BACKWARD,
    BERNOULLI,
    SIGMOID,
    BERNOULLI_BACKWARD,
    GAUSSIAN,
    GAUSSIAN_BACKWARD,
    GRAPH,
    COST,
    DIRECTIONS,
    SPOILED,
    BLIND,
    NAN_GRADIENT,
    LOGSUMEXP_BACKWARD,
    LAYER_NORM_BACKWARD,
    TIED_BACKWARD,
    SKIP_BACKWARD,
    CHOOSE_H,
    COMPLEX_READY,
    SLOPE_ALONG,
    ONE_SIDED_BAR,
    GRADIENT_CHECK,
)

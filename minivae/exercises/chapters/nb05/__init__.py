"""Notebook 05, backpropagation by hand.

The likelihoods stand in the text, before it shows their gradients. At its end come the other parts
of the reader's backend, then checks, then layers that the text leaves out.
"""

from minivae.exercises.chapters.nb05.activations import RELU_BACKWARD, SIGMOID, TANH_BACKWARD
from minivae.exercises.chapters.nb05.bernoulli import BERNOULLI, BERNOULLI_BACKWARD
from minivae.exercises.chapters.nb05.dense import DENSE, DENSE_BACKWARD
from minivae.exercises.chapters.nb05.differences import CHOOSE_H, COMPLEX_READY
from minivae.exercises.chapters.nb05.gaussian import GAUSSIAN, GAUSSIAN_BACKWARD
from minivae.exercises.chapters.nb05.gradient_check import GRADIENT_CHECK
from minivae.exercises.chapters.nb05.spoiled import SPOILED
from minivae.exercises.chapters.nb05.unseen_layers import (
    LAYER_NORM_BACKWARD,
    SKIP_BACKWARD,
    SOFTPLUS_BACKWARD,
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
    CHOOSE_H,
    COMPLEX_READY,
    GRADIENT_CHECK,
    SPOILED,
    SOFTPLUS_BACKWARD,
    LAYER_NORM_BACKWARD,
    SKIP_BACKWARD,
)

"""Notebook 05, backpropagation by hand.

The help decreases: the text works out the backward pass of a dense layer, that of tanh has two
blanks, the Bernoulli likelihood is written without help, and the Gaussian one is a transfer task.
"""

from minivae.exercises.chapters.nb05.activations import RELU_BACKWARD, SIGMOID, TANH_BACKWARD
from minivae.exercises.chapters.nb05.bernoulli import BERNOULLI, BERNOULLI_BACKWARD
from minivae.exercises.chapters.nb05.dense import DENSE, DENSE_BACKWARD
from minivae.exercises.chapters.nb05.differences import CENTRAL, COMPLEX
from minivae.exercises.chapters.nb05.gaussian import GAUSSIAN, GAUSSIAN_BACKWARD
from minivae.exercises.chapters.nb05.gradient_check import GRADIENT_CHECK

EXERCISES = (
    DENSE,
    DENSE_BACKWARD,
    TANH_BACKWARD,
    RELU_BACKWARD,
    SIGMOID,
    BERNOULLI,
    BERNOULLI_BACKWARD,
    GAUSSIAN,
    GAUSSIAN_BACKWARD,
    CENTRAL,
    COMPLEX,
    GRADIENT_CHECK,
)

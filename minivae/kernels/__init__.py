"""The fast backend: the names of `ops.py`, compiled by numba, on all cores.

The modules, lowest first:

    code_cache       numba's cache on disk, with a checksum for each file
    compilation      how numba compiles the kernels, and when it has to do so again
    elementary       exp, expm1, log1p and tanh without calls into libm, so that LLVM can vectorize
    activations      the table of activations: each function and its derivative
    instructions     LLVM instructions that numba does not offer: atomics, memory by its address
    tile             the register tile: the inner loop of every matrix product
    products         the product around it: panels packed for the tile, blocks that fit the caches
    sparse_products  products that leave out the zeros of an image
    loops            the other loops of a training step, each of which reads its data once
    tasks            task descriptors: what the threads have to compute
    chunks           which function does a chunk of a task
    first_start      a second process that compiles half of the kernels at the first start
    cores            how many cores and threads this process should use
    threads          the pool of threads. Work is divided by blocks of results, never within a sum,
                     so the bits do not depend on the number of threads
    guard            checks of shapes and dtypes before a kernel runs
    memory           new arrays that begin at a cache line
    pairs            the public functions, with the names of `ops.py`
    recording        in training, a step is recorded once and then replayed, without Python between
    plain_products   simpler products, for the lesson in notebook 08a; nothing else uses them
    inspection       what the compiler made of a function, for notebooks 08a and 08b

float32 is for training and fast; float64 is for verification, with libm's functions. Other dtypes
are refused. Number of threads: MINIVAE_NUM_THREADS, by default the cores available.
"""

from minivae.kernels.activations import ACTIVATIONS
from minivae.kernels.cores import thread_count
from minivae.kernels.pairs import (
    BernoulliCache,
    DenseCache,
    GaussianCache,
    GaussianKLCache,
    ReparamCache,
    adam_step,
    bernoulli_nll_backward,
    bernoulli_nll_forward,
    dense_backward,
    dense_forward,
    gaussian_kl_backward,
    gaussian_kl_forward,
    gaussian_nll_backward,
    gaussian_nll_forward,
    matmul,
    reparam_backward,
    reparam_forward,
    sigmoid,
)
from minivae.kernels.recording import Replay
from minivae.kernels.tile import machine_lanes

__all__ = [
    "ACTIVATIONS",
    "BernoulliCache",
    "DenseCache",
    "GaussianCache",
    "GaussianKLCache",
    "ReparamCache",
    "Replay",
    "adam_step",
    "bernoulli_nll_backward",
    "bernoulli_nll_forward",
    "dense_backward",
    "dense_forward",
    "gaussian_kl_backward",
    "gaussian_kl_forward",
    "gaussian_nll_backward",
    "gaussian_nll_forward",
    "machine_lanes",
    "matmul",
    "reparam_backward",
    "reparam_forward",
    "sigmoid",
    "thread_count",
]

"""The limit of a training step: for each of its parts, the larger of the time that its arithmetic
takes at the best rate seen and the time that its memory takes at the best bandwidth seen.

Both rates are measured in the same rounds as the steps, on as many threads. At batch 20 most of the
limit is memory: Adam alone moves seven numbers for each parameter.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np

from minivae import vae
from minivae.spec import Spec

NUMBER = 4  # bytes of a float32
PRODUCT = (512, 784, 512)  # m, k, n of the product that measures the rate of arithmetic
SWEEPS = 10  # of one call over the vectors that measure the bandwidth


class Part(NamedTuple):
    """A part of a step and the least that it must do: `flops` operations, `bytes` moved."""

    name: str
    flops: float
    bytes: float

    def seconds(self, gflops: np.ndarray, gigabytes: np.ndarray) -> np.ndarray:
        """The time of this part at these rates, in 10^9 operations and bytes a second."""
        return 1e-9 * np.maximum(self.flops / gflops, self.bytes / gigabytes)


def step_parts(spec: Spec, batch: int) -> list[Part]:
    """What a step must compute and move, every array once; pixels that are 0 count like others.

    Products: x W, x' da, and da W' except in the first layer, two operations for a multiply-add.
    What is done to single numbers of a layer can be done while its product writes them, so it
    moves nothing more, except in the likelihood, which reads logits and pixels and writes the
    gradient; KL and sample read mu, logvar and eps and write z and two gradients; Adam reads
    parameter, gradient and both moments and writes all but the gradient. Their arithmetic is not
    counted.
    """
    shapes = [shape for name, shape in vae.layout(spec) if name.endswith("_W")]
    parameters = sum(int(np.prod(shape)) for _, shape in vae.layout(spec))
    pixels, latents = batch * spec.data_dim, batch * spec.latent_dim
    products = [
        (2 * batch * i * o, NUMBER * (batch * i + i * o + batch * o))
        for place, (i, o) in enumerate(shapes)
        for _ in range(3 if place else 2)
    ]
    flops, moved = (sum(column) for column in zip(*products, strict=True))
    return [
        Part("products", flops, moved),
        Part("likelihood", 0, 3 * NUMBER * pixels),
        Part("KL and sample", 0, 6 * NUMBER * latents),
        Part("Adam", 0, 7 * NUMBER * parameters),
    ]


@contextmanager
def yardsticks(parameters: int) -> Iterator[dict[str, Callable[[], object]]]:
    """Functions to time: a large product by the kernel and by BLAS; and a sum of two vectors of as
    many numbers as there are parameters, which stay in whatever cache Adam's vectors stay in."""
    from minivae import kernels

    m, k, n = PRODUCT
    a, b, c = (np.ones(shape, np.float32) for shape in ((m, k), (k, n), (m, n)))
    threads = kernels.thread_count()
    parts = [
        tuple(np.ones(-(-parameters // threads), np.float32) for _ in range(3))
        for _ in range(threads)
    ]

    def add(vectors):
        first, second, out = vectors
        for _ in range(SWEEPS):
            np.add(first, second, out=out)

    with ThreadPoolExecutor(threads) as pool:
        yield {
            "kernel": lambda: kernels.matmul(a, b),
            "BLAS": lambda: np.matmul(a, b, out=c),
            "sums": lambda: list(pool.map(add, parts)),
        }


def rates(times: dict[str, list[float]], parameters: int) -> tuple[np.ndarray, np.ndarray]:
    """From the yardsticks' seconds in each round: 10^9 operations a second of the faster product,
    and 10^9 bytes a second, one number for each round."""
    m, k, n = PRODUCT
    product = np.minimum(times["kernel"], times["BLAS"])
    moved = 3 * NUMBER * parameters * SWEEPS
    return 2e-9 * m * k * n / product, 1e-9 * moved / np.array(times["sums"])

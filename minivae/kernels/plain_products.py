"""Three simple matrix products for notebook 08a, each faster than the one before for one reason.

    naive      i-j-k: the textbook sum. Each addition waits for the one before it, so it makes one
               multiply-add in the time that an addition takes.
    by_rows    i-k-j: the same multiplications in another order. Each number of a row of C has a sum
               of its own, and the inner loop goes along rows of B and C, so LLVM can vectorize it.
               The limit is the first cache: two loads and a store for each multiply-add.
    blocked    the same with four rows of B at a time, and all rows of A for these four: a number of
               C is loaded and stored once for every four multiply-adds instead of for each.

The register tile in `tile.py` is the next step: it keeps a block of C in registers for the whole
sum. Only notebook 08a uses this module.
"""

from collections.abc import Callable

import numpy as np

from minivae.errors import MinivaeError
from minivae.kernels.compilation import cached

compiled = cached(nogil=True, fastmath={"contract"})
BLOCK = 4  # rows of B at once


def naive(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """C[i, j] = sum_k A[i, k] B[k, j], loop by loop: a (m, k), b (k, n) -> (m, n)."""
    return _multiply(_naive, a, b)


def by_rows(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """C[i, :] += A[i, k] B[k, :], row by row: a (m, k), b (k, n) -> (m, n)."""
    return _multiply(_by_rows, a, b)


def blocked(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """`by_rows`, with BLOCK rows of B at once: a (m, k), b (k, n) -> (m, n)."""
    return _multiply(_blocked, a, b)


def _multiply(kernel: Callable, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    a, b = np.asarray(a), np.asarray(b)
    if not (a.ndim == b.ndim == 2 and a.shape[1] == b.shape[0]):
        raise MinivaeError(f"the shapes are {a.shape}, {b.shape}; a product takes (m, k), (k, n)")
    dtype = np.result_type(a, b)
    if dtype not in (np.float32, np.float64):
        raise MinivaeError(f"the product is of {dtype}; these products take float32 or float64")
    a, b = np.ascontiguousarray(a, dtype), np.ascontiguousarray(b, dtype)
    c = np.zeros((a.shape[0], b.shape[1]), dtype)
    kernel(a, b, c)
    return c


@compiled
def _naive(a, b, c):
    for i in range(a.shape[0]):
        for j in range(b.shape[1]):
            total = c[i, j]
            for k in range(a.shape[1]):
                total += a[i, k] * b[k, j]
            c[i, j] = total


@compiled
def _by_rows(a, b, c):
    for i in range(a.shape[0]):
        for k in range(a.shape[1]):
            for j in range(b.shape[1]):
                c[i, j] += a[i, k] * b[k, j]


@compiled
def _blocked(a, b, c):
    k_whole = a.shape[1] - a.shape[1] % BLOCK
    for k in range(0, k_whole, BLOCK):
        b0, b1, b2, b3 = b[k], b[k + 1], b[k + 2], b[k + 3]
        for i in range(a.shape[0]):
            a0, a1, a2, a3 = a[i, k], a[i, k + 1], a[i, k + 2], a[i, k + 3]
            c_row = c[i]
            for j in range(len(c_row)):
                c_row[j] += a0 * b0[j] + a1 * b1[j] + a2 * b2[j] + a3 * b3[j]
    _by_rows(a[:, k_whole:], b[k_whole:], c)

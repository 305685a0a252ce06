"""Products that leave out the zeros of A.

Images of digits are mostly zeros, and adding 0 * w changes no bit of a sum unless w is infinite or
NaN, or the sum is -0.0 so far: that is a bias of -0.0, whose sign may then differ from that of the
full product (-0.0 == 0.0). So where the input of a layer is mostly zeros and the other factor is
finite, a row of C is the sum of only those rows of B whose factor in A is not 0. This is done for
x W and for x.T da, and takes about a fifth of the work.
"""

import numpy as np

from minivae.kernels.activations import activate
from minivae.kernels.compilation import compiled, regrouping
from minivae.kernels.instructions import numbers_at
from minivae.kernels.products import K_BLOCK, share, steps_in_k

SPARSE_ROWS = 4  # rows of C in a chunk,
SPARSE_ROWS_TRANSPOSED = 16  # and for A.T, where 16 neighbouring columns of A share cache lines
SPARSE_COLUMNS = 512  # the most columns of C in a chunk
ZEROS_SAMPLE, ZEROS_STRIDE = 256, 79  # how many numbers are sampled, and how the sample is spread


@compiled
def is_mostly_zeros(a):
    """Estimated from a sample of A; only the speed depends on the answer."""
    step = max(len(a) // ZEROS_SAMPLE, 1)
    zeros = samples = 0
    for start in range(0, len(a) - step + 1, step):
        # not always the first of the step, which could be the same column of A each time
        zeros += a[start + samples * ZEROS_STRIDE % step] == 0
        samples += 1
    return 3 * zeros > 2 * samples


@regrouping
def all_finite(numbers):
    total = numbers.dtype.type(0)
    for j in range(len(numbers)):
        total += numbers[j] * numbers.dtype.type(0)  # NaN where the number is NaN or infinite
    return total == 0


@compiled
def list_nonzeros(address, stride, n, where, found, kind):
    """Writes the indices and values of the numbers that are not 0 (NaN included); returns their
    count."""
    count = np.uint64(0)  # unsigned, so that numba does not check for negative indices
    for k in range(n):
        number = numbers_at(address + k * stride, 1, kind)[0]
        where[count], found[count] = k, number  # overwritten next if 0: avoids a branch
        count += np.uint64(number != 0)
    return np.int64(count)


@compiled
def _add_four(c, x0, b0, x1, b1, x2, b2, x3, b3):
    """c += x0 b0 + ... + x3 b3, in this order; c is loaded and stored once for four terms."""
    for j in range(len(c)):
        total = c[j] + x0 * b0[j]
        total = total + x1 * b1[j]
        total = total + x2 * b2[j]
        c[j] = total + x3 * b3[j]


@compiled
def _add_one(c, x, b):
    for j in range(len(c)):
        c[j] += x * b[j]


@compiled
def sparse_chunk(task, chunk, kind):
    """Some rows of C = f(A B + bias), without the zeros of A."""
    size = kind.itemsize
    i0, i1 = share(chunk % task.row_blocks, task.row_blocks, task.m)
    j0, j1 = share(chunk // task.row_blocks, task.column_blocks, task.n)
    n = j1 - j0
    a_row, a_column = (size, task.a_stride) if task.a_transposed else (task.a_stride, size)
    where, x = np.empty(K_BLOCK, np.int64), np.empty(K_BLOCK, kind.dtype)
    steps, step = steps_in_k(task), np.empty(n, kind.dtype)
    for i in range(i0, i1):
        c = numbers_at(task.c + i * task.c_stride + j0 * size, n, kind)
        c[:] = 0
        if task.bias:
            bias = numbers_at(task.bias + j0 * size, n, kind)
            # not c[:] = bias, for which numba compiles, in three seconds, an error about shapes
            for j in range(n):
                c[j] = bias[j]
        for s in range(steps):  # as in the full product, so that the bits are the same
            k0, k1 = share(s, steps, task.k)
            count = list_nonzeros(
                task.a + i * a_row + k0 * a_column, a_column, k1 - k0, where, x, kind
            )
            b, stride = task.b + k0 * task.b_stride + j0 * size, task.b_stride
            sums = c
            if s > 0:
                sums = step
                sums[:] = 0
            fours = count - count % 4
            for e in range(0, fours, 4):
                _add_four(
                    sums,
                    x[e], numbers_at(b + where[e] * stride, n, kind),
                    x[e + 1], numbers_at(b + where[e + 1] * stride, n, kind),
                    x[e + 2], numbers_at(b + where[e + 2] * stride, n, kind),
                    x[e + 3], numbers_at(b + where[e + 3] * stride, n, kind),
                )  # fmt: skip
            for e in range(fours, count):
                _add_one(sums, x[e], numbers_at(b + where[e] * stride, n, kind))
            if s > 0:
                for j in range(n):
                    c[j] += step[j]
        activate(c, task.activation)

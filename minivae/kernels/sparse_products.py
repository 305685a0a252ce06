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
from minivae.kernels.instructions import lowest_bit, numbers_at
from minivae.kernels.products import K_BLOCK, share, steps_in_k
from minivae.kernels.tile import ROW_VECTORS, nonzeros, sum_of_rows

SPARSE_ROWS = 4  # rows of C in a chunk,
SPARSE_ROWS_TRANSPOSED = 16  # and for A.T, where 16 neighbouring columns of A share cache lines
WORD = 64  # bits
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
def list_nonzeros(address, stride, n, chosen, kind):
    """Lists which of n numbers, `stride` bytes apart, are not 0 (NaN included); returns their
    count."""
    if stride == kind.itemsize:
        return list_along_row(address, n, chosen, kind)
    count = np.uint64(0)  # unsigned, so that numba does not check for negative indices
    for k in range(n):
        chosen[count] = k  # overwritten next if the number is 0: avoids a branch
        count += np.uint64(numbers_at(address + k * stride, 1, kind)[0] != 0)
    return np.int64(count)


@compiled
def list_along_row(address, n, chosen, kind):
    """The same for numbers side by side, which are compared in whole registers."""
    count, one, lanes = np.uint64(0), np.uint64(1), kind.ndim
    for k in range(0, n, WORD):
        length = min(WORD, n - k)
        whole = length - length % lanes
        found = np.uint64(0)  # bit j: number k + j is not 0
        for j in range(0, whole, lanes):
            found |= nonzeros(kind, address + (k + j) * kind.itemsize) << np.uint64(j)
        rest = numbers_at(address + (k + whole) * kind.itemsize, length - whole, kind)
        for j in range(length - whole):
            found |= np.uint64(rest[j] != 0) << np.uint64(whole + j)
        while found:
            chosen[count] = k + np.int64(lowest_bit(found))
            count += one
            found &= found - one  # without its lowest bit
    return np.int64(count)


@compiled
def add_short_rows(c, chosen, count, a, a_stride, b, b_stride, kind):
    """c += a[k] B[k, :] for the chosen k, one after the other: rows shorter than a register."""
    for e in range(count):
        k = chosen[e]
        number = numbers_at(a + k * a_stride, 1, kind)[0]
        row = numbers_at(b + k * b_stride, len(c), kind)
        for j in range(len(c)):
            c[j] += number * row[j]


@compiled
def sparse_chunk(task, chunk, kind):
    """Some rows of C = f(A B + bias), without the zeros of A."""
    size, lanes = kind.itemsize, kind.ndim
    i0, i1 = share(chunk % task.row_blocks, task.row_blocks, task.m)
    j0, j1 = share(chunk // task.row_blocks, task.column_blocks, task.n)
    n = j1 - j0
    a_row, a_column = (size, task.a_stride) if task.a_transposed else (task.a_stride, size)
    chosen = np.empty(K_BLOCK, np.int32)
    steps, later = steps_in_k(task), np.empty(n, kind.dtype)
    # The columns of C in strips of whole registers. Where they are no multiple of a register, the
    # last strip overlaps the one before it: its columns are computed again, and are the same.
    vectors = -(-n // lanes)
    strips = max(-(-vectors // ROW_VECTORS), 2 if n % lanes else 1)
    for i in range(i0, i1):
        c = numbers_at(task.c + i * task.c_stride + j0 * size, n, kind)
        for s in range(steps):  # as in the full product, so that the bits are the same
            k0, k1 = share(s, steps, task.k)
            a = task.a + i * a_row + k0 * a_column
            count = list_nonzeros(a, a_column, k1 - k0, chosen, kind)
            b = task.b + k0 * task.b_stride + j0 * size
            first = task.bias + j0 * size if task.bias and s == 0 else 0
            sums = later if s > 0 else c
            if n < lanes:
                for j in range(n):
                    sums[j] = numbers_at(first, n, kind)[j] if first else 0
                add_short_rows(sums, chosen, count, a, a_column, b, task.b_stride, kind)
            else:
                for strip in range(strips):
                    v0, v1 = share(strip, strips, vectors)
                    at = min(v0 * lanes, n - (v1 - v0) * lanes) * size
                    sum_of_rows(
                        kind, chosen.ctypes.data, count, a, a_column, b + at, task.b_stride,
                        sums.ctypes.data + at, v1 - v0, first + at if first else 0,
                    )  # fmt: skip
            if s > 0:
                for j in range(n):
                    c[j] += later[j]
        activate(c, task.activation)

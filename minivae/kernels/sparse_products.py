"""Products that leave out the zeros of A.

Images of digits are mostly zeros, and adding 0 * w changes no bit of a sum unless w is infinite or
NaN, or the sum is -0.0 so far: a bias of -0.0, or a negative product too small for any number but
0. Then a 0 may have another sign than in the full product (-0.0 == 0.0). So where the input of a
layer is mostly zeros and the other factor is finite, a row of C is the sum of only those rows of B
whose factor in A is not 0. This is done for x W and for x.T da; it is an eighth of the work for
binarized digits, a fifth for grey ones.

Each word marks some of 64 rows of B. They are added to a strip of one row of C, which stays in
registers meanwhile; then the same strip of the next row of C takes what it needs of the same 64
rows.
"""

import numpy as np

from minivae.kernels.activations import activate
from minivae.kernels.compilation import compiled, regrouping
from minivae.kernels.instructions import lowest_bit, numbers_at
from minivae.kernels.products import K_BLOCK, add_rows, share, steps_in_k
from minivae.kernels.tile import ROW_VECTORS, nonzeros, sum_of_rows

SPARSE_ROWS = 64  # the most rows of C in a chunk: they share the rows of B in the first cache
SPARSE_COLUMNS = 512  # the most columns of C in a chunk
WORD = 64  # bits, for as many rows of B: a strip of them is 16 kB with AVX2, 32 with AVX-512
WORDS = -(-K_BLOCK // WORD)  # for a step in k
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
def find_along_rows(a, a_stride, rows, depth, found, kind):
    """Bit k of found[:, i], a column of words, says whether A[i, k] is not 0 (NaN included)."""
    size, lanes = kind.itemsize, kind.ndim
    for i in range(rows):
        row = a + i * a_stride
        for word in range(-(-depth // WORD)):
            begin, end = word * WORD, min((word + 1) * WORD, depth)
            whole = end - (end - begin) % lanes
            bits = np.uint64(0)
            for k in range(begin, whole, lanes):
                bits |= nonzeros(kind, row + k * size) << np.uint64(k - begin)
            rest = numbers_at(row + whole * size, end - whole, kind)
            for k in range(end - whole):
                bits |= np.uint64(rest[k] != 0) << np.uint64(whole + k - begin)
            found[word, i] = bits


@compiled
def find_along_columns(a, a_stride, rows, depth, found, kind):
    """The same for A.T: row i of it is a column of A, whose numbers are a_stride apart."""
    found[:] = 0
    for k in range(depth):
        numbers = numbers_at(a + k * a_stride, rows, kind)
        words, place = found[k // WORD], np.uint64(k % WORD)
        for i in range(rows):
            words[i] |= np.uint64(numbers[i] != 0) << place


@compiled
def add_short_rows(c, chosen, a, a_stride, b, b_stride, kind):
    """c += a[k] B[k, :] for the bits k of `chosen`, in order: rows shorter than a register."""
    while chosen:
        k = np.int64(lowest_bit(chosen))
        number = numbers_at(a + k * a_stride, 1, kind)[0]
        row = numbers_at(b + k * b_stride, len(c), kind)
        for j in range(len(c)):
            c[j] += number * row[j]
        chosen &= chosen - np.uint64(1)


@compiled
def sparse_chunk(task, chunk, kind):
    """Some rows of C = f(A B + bias), without the zeros of A.

    As many rows of B as a word has bits are added to all rows of the chunk before the next ones are
    looked at, so that they come from the first cache.
    """
    size, lanes = kind.itemsize, kind.ndim
    i0, i1 = share(chunk % task.row_blocks, task.row_blocks, task.m)
    j0, j1 = share(chunk // task.row_blocks, task.column_blocks, task.n)
    rows, n, steps = i1 - i0, j1 - j0, steps_in_k(task)
    a_row, a_column = (size, task.a_stride) if task.a_transposed else (task.a_stride, size)
    found = np.empty((WORDS, rows), np.uint64)
    later = np.empty((rows if steps > 1 else 0, n), kind.dtype)
    # The columns of C in strips of whole registers. Where they are no multiple of a register, the
    # last strip overlaps the one before it: its columns are computed again, and are the same.
    vectors = -(-n // lanes)
    strips = max(-(-vectors // ROW_VECTORS), 2 if n % lanes else 1)
    c = task.c + i0 * task.c_stride + j0 * size
    for s in range(steps):  # as in the full product, so that the bits are the same
        k0, k1 = share(s, steps, task.k)
        a, b = task.a + i0 * a_row + k0 * a_column, task.b + k0 * task.b_stride + j0 * size
        if task.a_transposed:
            find_along_columns(a, task.a_stride, rows, k1 - k0, found, kind)
        else:
            find_along_rows(a, task.a_stride, rows, k1 - k0, found, kind)
        bias = task.bias + j0 * size if task.bias and s == 0 else 0
        sums, stride = (later.ctypes.data, n * size) if s > 0 else (c, task.c_stride)
        for strip in range(strips if n >= lanes else 0):
            v0, v1 = share(strip, strips, vectors)
            at = min(v0 * lanes, n - (v1 - v0) * lanes) * size
            for word in range(-(-(k1 - k0) // WORD)):  # k > 0, as begin_job sees to
                for i in range(rows):
                    target = sums + i * stride + at
                    first = target
                    if word == 0:
                        first = bias + at if bias else 0
                    if found[word, i] or word == 0:
                        sum_of_rows(
                            kind, found[word, i],
                            a + i * a_row + word * WORD * a_column, a_column,
                            b + word * WORD * task.b_stride + at, task.b_stride,
                            target, v1 - v0, first,
                        )  # fmt: skip
        for i in range(rows if n < lanes else 0):
            row = numbers_at(sums + i * stride, n, kind)
            for j in range(n):
                row[j] = numbers_at(bias, n, kind)[j] if bias else 0
            for word in range(-(-(k1 - k0) // WORD)):
                add_short_rows(
                    row, found[word, i],
                    a + i * a_row + word * WORD * a_column, a_column,
                    b + word * WORD * task.b_stride, task.b_stride, kind,
                )  # fmt: skip
        if s > 0:
            add_rows(sums, stride, c, task.c_stride, rows, n, kind)
    for i in range(rows):
        activate(numbers_at(c + i * task.c_stride, n, kind), task.activation)

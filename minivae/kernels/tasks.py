"""Task descriptors: what the threads work on, as records that compiled code fills in and reads.

A job is up to three tasks, each cut into `chunks`. A `describe_...` function fills in the records
for one public function and returns the number of chunks of all of them. Arrays are given by their
addresses, with strides in bytes.
"""

from typing import Any

import numpy as np
from llvmlite import ir
from numba import from_dtype, types
from numba.extending import intrinsic

from minivae.kernels.activations import NO_ACTIVATION, activation_gradient
from minivae.kernels.compilation import JIT, compiled
from minivae.kernels.instructions import memory_at
from minivae.kernels.products import BLOCK_PANELS, BLOCK_ROWS
from minivae.kernels.sparse_products import (
    SPARSE_COLUMNS,
    SPARSE_ROWS,
    SPARSE_ROWS_TRANSPOSED,
    all_finite,
    is_mostly_zeros,
)
from minivae.kernels.tile import TILE_VECTORS

TASKS = 3  # the most tasks of a job
TASK = np.dtype(
    [
        (name, np.int64)
        for name in (
            "operation chunks row_blocks column_blocks m n k "
            "a a_stride a_transposed b b_stride b_transposed c c_stride d bias activation"
        ).split()
    ]
    + [(name, np.float64) for name in "lr beta1 beta2 v_scale adam_eps".split()]
)
# (int64, because numba would compile one version for a literal 0 and another for a literal 1)
PRODUCT, SPARSE, COLUMN_SUMS, BERNOULLI, SCALE_ROWS, ADAM = (np.int64(i) for i in range(6))
PLAIN, TRANSPOSED = np.int64(0), np.int64(1)

FEW_ROWS = 48  # a block of C is not cut to fewer rows than this, or twice that where B is packed
SMALL_PRODUCT = 300_000  # multiply-adds: below this, waking another thread takes longer
SUMS_CHUNK = 256  # columns
ROWS_CHUNK = 8192  # numbers of an elementwise chunk: a few microseconds of work
ADAM_CHUNK = 16384


def _task_instructions(context, address, which):
    """The record at this place in an array of tasks that starts at the address."""
    record = from_dtype(TASK)

    def codegen(context, builder, signature, args):
        skip = builder.mul(args[1], ir.Constant(ir.IntType(64), TASK.itemsize))
        return builder.inttoptr(builder.add(args[0], skip), context.get_value_type(record))

    return record(types.intp, types.intp), codegen


def _task_in_python(address, which):
    raw = memory_at(address + which * TASK.itemsize, TASK.itemsize)
    return np.frombuffer(raw, TASK).view(np.recarray)[0]


task_at: Any = intrinsic(_task_instructions) if JIT else _task_in_python


@compiled
def _describe_product(task, threads, kind, a, a_transposed, b, b_transposed, c):
    """C = A B, with A.T for A if a_transposed and B.T for B if b_transposed.

    The blocks of C are as large as the caches allow, but there are enough of them for all threads.
    """
    m, n, k = c.shape[0], c.shape[1], a.shape[0] if a_transposed else a.shape[1]
    task.operation, task.m, task.n, task.k = PRODUCT, m, n, k
    task.a, task.a_stride, task.a_transposed = a.ctypes.data, a.strides[0], a_transposed
    task.b, task.b_stride, task.b_transposed = b.ctypes.data, b.strides[0], b_transposed
    task.c, task.c_stride = c.ctypes.data, c.strides[0]
    task.bias, task.activation = 0, NO_ACTIVATION
    panels = -(-n // (TILE_VECTORS * kind.ndim))
    task.row_blocks = -(-m // BLOCK_ROWS)
    task.column_blocks = -(-panels // BLOCK_PANELS)
    if threads > 1 and m * n * k > SMALL_PRODUCT:
        wanted = 4 * threads
        few = 2 * FEW_ROWS if b_transposed else FEW_ROWS
        task.row_blocks = max(task.row_blocks, min(-(-wanted // task.column_blocks), m // few))
        task.column_blocks = max(task.column_blocks, min(-(-wanted // task.row_blocks), panels))
    task.chunks = task.row_blocks * task.column_blocks
    return task.chunks


@compiled
def _skip_zeros(task, a, b):
    """Make it a sparse product if that is faster and changes no number of the result."""
    large = task.m * task.n * task.k > SMALL_PRODUCT
    if large and is_mostly_zeros(a.ravel()) and all_finite(b.ravel()):
        rows = SPARSE_ROWS_TRANSPOSED if task.a_transposed else SPARSE_ROWS
        task.operation, task.row_blocks = SPARSE, -(-task.m // rows)
        task.column_blocks = -(-task.n // SPARSE_COLUMNS)
        task.chunks = task.row_blocks * task.column_blocks
    return task.chunks


@compiled
def describe_matmul(tasks, threads, kind, a, a_transposed, b, b_transposed, c):
    """A job of one task: c = a b, either of them transposed where that is said."""
    return _describe_product(task_at(tasks, 0), threads, kind, a, a_transposed, b, b_transposed, c)


@compiled
def describe_forward(tasks, threads, kind, x, W, b, activation, y):
    """A job of one task: y = act(x W + b)."""
    task = task_at(tasks, 0)
    _describe_product(task, threads, kind, x, PLAIN, W, PLAIN, y)
    task.bias, task.activation = b.ctypes.data, activation
    return _skip_zeros(task, x, W)


@compiled
def describe_backward(tasks, threads, kind, dy, x, W, y, activation, da, dW, db, dx):
    """Three tasks: dW = x.T da, db = column sums of da, dx = da W.T (unless dx is empty).

    All three need da = dy act'(a). It is small, and computed here, on the calling thread.
    """
    if activation != NO_ACTIVATION:
        activation_gradient(dy.ravel(), y.ravel(), activation, da.ravel())
    first, sums, last = task_at(tasks, 0), task_at(tasks, 1), task_at(tasks, 2)
    _describe_product(first, threads, kind, x, TRANSPOSED, da, PLAIN, dW)
    _skip_zeros(first, x, da)
    sums.operation, sums.m, sums.n = COLUMN_SUMS, da.shape[0], da.shape[1]
    sums.a, sums.a_stride, sums.c = da.ctypes.data, da.strides[0], db.ctypes.data
    sums.chunks = -(-da.shape[1] // SUMS_CHUNK)
    last.chunks = 0
    if dx.size:
        _describe_product(last, threads, kind, da, PLAIN, W, TRANSPOSED, dx)
    return first.chunks + sums.chunks + last.chunks


@compiled
def _describe_rows(task, operation, m, n):
    task.operation, task.m, task.n = operation, m, n
    task.chunks = min(m, -(-m * n // ROWS_CHUNK))
    return task.chunks


@compiled
def describe_bernoulli(tasks, threads, kind, logits, x, residual, nll):
    """A job of one task: nll (N,) and residual = sigmoid(logits) - x, (N, D); x (B, D), N = K B."""
    task = task_at(tasks, 0)
    task.a, task.b, task.k = logits.ctypes.data, x.ctypes.data, len(x)
    task.c, task.d = residual.ctypes.data, nll.ctypes.data
    return _describe_rows(task, BERNOULLI, len(logits), logits.shape[1])


@compiled
def describe_scale_rows(tasks, threads, kind, factors, rows, out):
    """A job of one task: row i of out = factors[i] * row i of rows."""
    task = task_at(tasks, 0)
    task.a, task.b, task.c = factors.ctypes.data, rows.ctypes.data, out.ctypes.data
    return _describe_rows(task, SCALE_ROWS, len(rows), rows.shape[1])


@compiled
def describe_adam(tasks, threads, kind, flat, grad, m, v, lr, beta1, beta2, v_scale, adam_eps):
    """A job of one task: a step of Adam on flat, m and v; v_scale = 1 / (1 - beta2^step)."""
    task = task_at(tasks, 0)
    task.a, task.b = flat.ctypes.data, grad.ctypes.data
    task.c, task.d = m.ctypes.data, v.ctypes.data
    task.lr, task.beta1, task.beta2, task.v_scale = lr, beta1, beta2, v_scale
    task.adam_eps = adam_eps
    task.operation, task.m, task.chunks = ADAM, len(flat), -(-len(flat) // ADAM_CHUNK)
    return task.chunks

"""Task descriptors: what the threads work on, as records that compiled code fills in and reads.

A job is up to three tasks, each cut into `chunks`. A `describe_...` function fills in the records
for one job and returns the number of chunks of all of them. Arrays are given by their addresses,
with strides in bytes.
"""

from typing import Any

import numpy as np
from llvmlite import ir
from numba import from_dtype, types
from numba.extending import intrinsic

from minivae.kernels.activations import NO_ACTIVATION
from minivae.kernels.compilation import JIT, compiled
from minivae.kernels.instructions import memory_at, numbers_at
from minivae.kernels.memory import LINE
from minivae.kernels.products import BLOCK_PANELS, BLOCK_ROWS
from minivae.kernels.sparse_products import (
    SPARSE_COLUMNS,
    SPARSE_ROWS,
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
            "a a_stride a_transposed b b_stride b_transposed c c_stride d e bias activation "
            "may_skip_zeros"
        ).split()
    ]
    + [(name, np.float64) for name in "factor lr beta1 beta2 v_scale adam_eps".split()]
)
JOB_BYTES = TASKS * TASK.itemsize
# (int64, because numba would compile one version for a literal 0 and another for a literal 1)
PRODUCT, SPARSE, COLUMN_SUMS, BERNOULLI, SCALE_ROWS, ADAM = (np.int64(i) for i in range(6))
REPARAM, REPARAM_GRADIENT, KL, KL_GRADIENT = (np.int64(i) for i in range(6, 10))
ACTIVATION_GRADIENT, ADD = np.int64(10), np.int64(11)
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
def _only_task(tasks):
    """The first task of a job that has no other."""
    task_at(tasks, 1).chunks = task_at(tasks, 2).chunks = 0
    task = task_at(tasks, 0)
    task.may_skip_zeros = 0
    return task


@compiled
def _describe_product(task, threads, kind, a, a_transposed, b, b_transposed, c):
    """C = A B, with A.T for A if a_transposed and B.T for B if b_transposed."""
    task.m, task.n, task.k = c.shape[0], c.shape[1], a.shape[0] if a_transposed else a.shape[1]
    task.a, task.a_stride, task.a_transposed = a.ctypes.data, a.strides[0], a_transposed
    task.b, task.b_stride, task.b_transposed = b.ctypes.data, b.strides[0], b_transposed
    task.c, task.c_stride = c.ctypes.data, c.strides[0]
    task.bias, task.activation, task.may_skip_zeros = 0, NO_ACTIVATION, 0
    _cut_product(task, threads, kind)


@compiled
def _cut_product(task, threads, kind):
    """Cut C into blocks as large as the caches allow, but into enough of them for all threads."""
    panels = -(-task.n // (TILE_VECTORS * kind.ndim))
    task.operation, task.row_blocks = PRODUCT, -(-task.m // BLOCK_ROWS)
    task.column_blocks = -(-panels // BLOCK_PANELS)
    if threads > 1 and task.m * task.n * task.k > SMALL_PRODUCT:
        wanted = 4 * threads
        few = 2 * FEW_ROWS if task.b_transposed else FEW_ROWS
        rows = min(-(-wanted // task.column_blocks), task.m // few)
        task.row_blocks = max(task.row_blocks, rows)
        columns = min(-(-wanted // task.row_blocks), panels)
        task.column_blocks = max(task.column_blocks, columns)
    task.chunks = task.row_blocks * task.column_blocks


@compiled
def _has_mostly_zeros(task, kind):
    """Is A mostly zeros, and B finite? Then without the zeros no number of the result changes."""
    if task.m * task.n * task.k <= SMALL_PRODUCT:
        return False
    if not is_mostly_zeros(numbers_at(task.a, task.m * task.k, kind)):
        return False
    return all_finite(numbers_at(task.b, task.k * task.n, kind))


@compiled
def begin_job(tasks, threads, kind):
    """Decide which products leave out zeros, by the numbers as they are now -> chunks of the job.

    A job may be done several times. A and B of such a product are contiguous.
    """
    chunks = 0
    for which in range(TASKS):
        task = task_at(tasks, which)
        if task.chunks and task.may_skip_zeros:
            if _has_mostly_zeros(task, kind):
                rows = SPARSE_ROWS
                if threads > 1:  # enough chunks for all; of A.T none shares a cache line
                    few = LINE // kind.itemsize if task.a_transposed else 1
                    rows = max(few, min(rows, task.m // (4 * threads)))
                task.operation, task.row_blocks = SPARSE, -(-task.m // rows)
                task.column_blocks = -(-task.n // SPARSE_COLUMNS)
                task.chunks = task.row_blocks * task.column_blocks
            elif task.operation == SPARSE:
                _cut_product(task, threads, kind)
        chunks += task.chunks
    return chunks


@compiled
def describe_matmul(tasks, threads, kind, a, a_transposed, b, b_transposed, c):
    """A job of one task: c = a b, either of them transposed where that is said."""
    task = _only_task(tasks)
    _describe_product(task, threads, kind, a, a_transposed, b, b_transposed, c)
    return task.chunks


@compiled
def describe_forward(tasks, threads, kind, x, W, b, activation, y):
    """A job of one task: y = act(x W + b)."""
    task = _only_task(tasks)
    _describe_product(task, threads, kind, x, PLAIN, W, PLAIN, y)
    task.bias, task.activation, task.may_skip_zeros = b.ctypes.data, activation, 1
    return task.chunks


@compiled
def describe_backward(tasks, threads, kind, da, x, W, dW, db, dx):
    """Three tasks: dW = x.T da, db = column sums of da, dx = da W.T (unless dx is empty)."""
    first, sums, last = task_at(tasks, 0), task_at(tasks, 1), task_at(tasks, 2)
    _describe_product(first, threads, kind, x, TRANSPOSED, da, PLAIN, dW)
    first.may_skip_zeros = 1
    sums.operation, sums.m, sums.n = COLUMN_SUMS, da.shape[0], da.shape[1]
    sums.a, sums.a_stride, sums.c = da.ctypes.data, da.strides[0], db.ctypes.data
    sums.chunks = -(-da.shape[1] // SUMS_CHUNK)
    sums.may_skip_zeros = last.chunks = 0
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
    """A job of one task: nll (N,) and residual = sigmoid(logits) - x, (N, D); x (B, D), N = K B.

    The residual is multiplied by task.factor, which is 1 until a recorder changes it.
    """
    task = _only_task(tasks)
    task.factor = 1
    task.a, task.b, task.k = logits.ctypes.data, x.ctypes.data, len(x)
    task.c, task.d = residual.ctypes.data, nll.ctypes.data
    return _describe_rows(task, BERNOULLI, len(logits), logits.shape[1])


@compiled
def describe_scale_rows(tasks, threads, kind, factors, rows, out):
    """A job of one task: row i of out = factors[i] * row i of rows."""
    task = _only_task(tasks)
    task.a, task.b, task.c = factors.ctypes.data, rows.ctypes.data, out.ctypes.data
    return _describe_rows(task, SCALE_ROWS, len(rows), rows.shape[1])


@compiled
def describe_reparam(tasks, threads, kind, mu, logvar, eps, sigma, z):
    """A job of one task: sigma = exp(logvar / 2), z = mu + sigma eps; eps, z: k times as long."""
    task = _only_task(tasks)
    task.a, task.b, task.c = mu.ctypes.data, logvar.ctypes.data, eps.ctypes.data
    task.d, task.e, task.k = sigma.ctypes.data, z.ctypes.data, len(eps) // max(len(mu), 1)
    return _describe_rows(task, REPARAM, len(mu), max(task.k, 1))


@compiled
def describe_reparam_gradient(tasks, threads, kind, dz, sigma, eps, dmu, dlogvar):
    """A job of one task: dmu = dz, dlogvar = dz eps sigma / 2, summed over the k samples."""
    task = _only_task(tasks)
    task.a, task.b, task.c = dz.ctypes.data, sigma.ctypes.data, eps.ctypes.data
    task.d, task.e, task.k = dmu.ctypes.data, dlogvar.ctypes.data, len(eps) // max(len(sigma), 1)
    return _describe_rows(task, REPARAM_GRADIENT, len(sigma), max(task.k, 1))


@compiled
def describe_kl(tasks, threads, kind, mu, logvar, kl):
    """A job of one task: kl = (mu^2 + exp(logvar) - 1 - logvar) / 2."""
    task = _only_task(tasks)
    task.a, task.b, task.c = mu.ctypes.data, logvar.ctypes.data, kl.ctypes.data
    return _describe_rows(task, KL, len(mu), 1)


@compiled
def describe_kl_gradient(tasks, threads, kind, dkl, mu, logvar, dmu, dlogvar):
    """A job of one task: dmu = dkl mu, dlogvar = dkl (exp(logvar) - 1) / 2; dkl may be one row."""
    task = _only_task(tasks)
    task.a, task.b, task.c = dkl.ctypes.data, mu.ctypes.data, logvar.ctypes.data
    task.d, task.e = dmu.ctypes.data, dlogvar.ctypes.data
    return _describe_rows(task, KL_GRADIENT, len(mu) // max(len(dkl), 1), len(dkl))


@compiled
def describe_activation_gradient(tasks, threads, kind, dy, y, activation, da):
    """A job of one task: da = dy act'(a), from y = act(a)."""
    task = _only_task(tasks)
    task.a, task.b, task.c = dy.ctypes.data, y.ctypes.data, da.ctypes.data
    task.activation = activation
    return _describe_rows(task, ACTIVATION_GRADIENT, len(dy), 1)


@compiled
def describe_add(tasks, threads, kind, a, b, c):
    """A job of one task: c = a + b."""
    task = _only_task(tasks)
    task.a, task.b, task.c = a.ctypes.data, b.ctypes.data, c.ctypes.data
    return _describe_rows(task, ADD, len(a), 1)


@compiled
def describe_adam(tasks, threads, kind, flat, grad, m, v, lr, beta1, beta2, v_scale, adam_eps):
    """A job of one task: a step of Adam on flat, m and v; v_scale = 1 / (1 - beta2^step)."""
    task = _only_task(tasks)
    task.a, task.b = flat.ctypes.data, grad.ctypes.data
    task.c, task.d = m.ctypes.data, v.ctypes.data
    task.lr, task.beta1, task.beta2, task.v_scale = lr, beta1, beta2, v_scale
    task.adam_eps = adam_eps
    task.operation, task.m, task.chunks = ADAM, len(flat), -(-len(flat) // ADAM_CHUNK)
    return task.chunks

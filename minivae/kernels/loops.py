"""The loops of a training step that are not products: the losses, the sampling, Adam.

Each reads its data once. Functions called `..._chunk` do one chunk of a task, for one of the
threads; the others are short and run on the calling thread.
"""

import numpy as np

from minivae.kernels.activations import activation_gradient
from minivae.kernels.compilation import compiled, regrouping
from minivae.kernels.elementary import exp, expm1, expm1_minus, log1p_unit
from minivae.kernels.instructions import fetch_to_write, numbers_at
from minivae.kernels.memory import LINE
from minivae.kernels.products import SCRATCH, share

ADAM_BLOCK = 512  # numbers
SUM_BLOCK = 256  # rows: one sum over 60,000 float32 would lose three digits

# ---- in chunks, by all threads -----------------------------------------------------------------


@compiled
def column_sums_chunk(task, chunk, kind):
    """Sums down some columns of a: c[j] = sum_i a[i, j], in blocks of rows, then their sums."""
    size = kind.itemsize
    j0, j1 = share(chunk, task.chunks, task.n)
    sums = numbers_at(task.c + j0 * size, j1 - j0, kind)
    block = np.empty(j1 - j0, kind.dtype)
    sums[:] = 0
    for first in range(0, task.m, SUM_BLOCK):
        block[:] = 0
        for i in range(first, min(first + SUM_BLOCK, task.m)):
            row = numbers_at(task.a + i * task.a_stride + j0 * size, j1 - j0, kind)
            for j in range(len(block)):
                block[j] += row[j]
        for j in range(len(sums)):
            sums[j] += block[j]


@regrouping
def _sum(numbers):
    total = numbers.dtype.type(0)
    for j in range(len(numbers)):
        total += numbers[j]
    return total


@compiled
def _bernoulli_terms(logits, x, factor, residual, nll):
    """nll = log(1 + exp(l)) - x l and residual = (sigmoid(l) - x) factor, for each number, without
    overflow.

    With e = exp(-|l|):  log(1 + exp(l)) = max(l, 0) + log(1 + e),  sigmoid(|l|) = 1 / (1 + e).
    For an infinite logit, nll is 0 if x agrees with its sign, and infinite otherwise.
    """
    one, zero = logits.dtype.type(1), logits.dtype.type(0)
    for j in range(len(logits)):
        l = logits[j]
        e = exp(-abs(l))
        miss = (one if l > zero else zero) - x[j]
        nll[j] = (zero if miss == zero else l) * miss + log1p_unit(e)
        residual[j] = ((one if l > zero else e) / (one + e) - x[j]) * factor


@compiled
def bernoulli_chunk(task, chunk, scratch, kind):
    """The rows of one chunk, in groups whose terms fit the scratch memory; sums them there."""
    size, n, room = kind.itemsize, task.n, SCRATCH
    i, last = share(chunk, task.chunks, task.m)
    nll, factor = numbers_at(task.d, task.m, kind), kind.dtype.type(task.factor)
    while i < last:
        rows = min(last - i, max(room // n, 1), task.k - i % task.k)  # x repeats every B rows
        for r in range(rows):
            nll[i + r] = 0
        for j in range(0, rows * n, room):  # one pass, unless a single row is too long
            length = min(room, rows * n - j)
            terms = numbers_at(scratch, length, kind)
            _bernoulli_terms(
                numbers_at(task.a + (i * n + j) * size, length, kind),
                numbers_at(task.b + (i % task.k * n + j) * size, length, kind),
                factor,
                numbers_at(task.c + (i * n + j) * size, length, kind),
                terms,
            )
            for r in range(rows):
                nll[i + r] += _sum(terms[r * n : (r + 1) * n])
        i += rows


@compiled
def scale_rows_chunk(task, chunk, kind):
    """Row i of c = a[i] * row i of b."""
    size = kind.itemsize
    first, last = share(chunk, task.chunks, task.m)
    factors = numbers_at(task.a, task.m, kind)
    for i in range(first, last):
        row = numbers_at(task.b + i * task.n * size, task.n, kind)
        target = numbers_at(task.c + i * task.n * size, task.n, kind)
        for j in range(len(row)):
            target[j] = factors[i] * row[j]


@compiled
def adam_chunk(task, chunk, together, kind):
    """Adam on a part of the flat vector; each number is loaded and stored once.

    If threads work together, others have read the parameters in the products. So their cache lines
    are asked for a block ahead: a core must wait, before it writes, until no other core keeps them.
    """
    size = kind.itemsize
    first, last = share(chunk, task.chunks, task.m)
    number = kind.dtype.type
    lr, v_scale, adam_eps = number(task.lr), number(task.v_scale), number(task.adam_eps)
    beta1, rest1 = number(task.beta1), number(1 - task.beta1)
    beta2, rest2 = number(task.beta2), number(1 - task.beta2)
    for begin in range(first, last, ADAM_BLOCK):
        n = min(ADAM_BLOCK, last - begin)
        start = begin * size
        if together:
            for ahead in range(ADAM_BLOCK * size, min(2 * ADAM_BLOCK, last - begin) * size, LINE):
                fetch_to_write(task.a + start + ahead)
        flat = numbers_at(task.a + start, n, kind)
        grad = numbers_at(task.b + start, n, kind)
        m = numbers_at(task.c + start, n, kind)
        v = numbers_at(task.d + start, n, kind)
        for i in range(n):
            g = grad[i]
            m[i] = beta1 * m[i] + rest1 * g
            v[i] = beta2 * v[i] + rest2 * g * g
            flat[i] -= lr * m[i] / (np.sqrt(v[i] * v_scale) + adam_eps)


@compiled
def reparam_chunk(task, chunk, kind):
    """z = mu + sigma eps for a part of mu, in each of the k samples of eps and z."""
    size, half = kind.itemsize, kind.dtype.type(0.5)
    first, last = share(chunk, task.chunks, task.m)
    mu = numbers_at(task.a + first * size, last - first, kind)
    logvar = numbers_at(task.b + first * size, last - first, kind)
    sigma = numbers_at(task.d + first * size, last - first, kind)
    for j in range(len(mu)):
        sigma[j] = exp(half * logvar[j])
    for k in range(task.k):
        eps = numbers_at(task.c + (k * task.m + first) * size, last - first, kind)
        z = numbers_at(task.e + (k * task.m + first) * size, last - first, kind)
        for j in range(len(mu)):
            z[j] = mu[j] + sigma[j] * eps[j]


@compiled
def reparam_gradient_chunk(task, chunk, kind):
    """dmu = dz, dlogvar = dz eps sigma / 2 for a part of them, summed over the k samples."""
    size, half = kind.itemsize, kind.dtype.type(0.5)
    first, last = share(chunk, task.chunks, task.m)
    sigma = numbers_at(task.b + first * size, last - first, kind)
    dmu = numbers_at(task.d + first * size, last - first, kind)
    dlogvar = numbers_at(task.e + first * size, last - first, kind)
    dmu[:] = 0
    dlogvar[:] = 0
    for k in range(task.k):
        dz = numbers_at(task.a + (k * task.m + first) * size, last - first, kind)
        eps = numbers_at(task.c + (k * task.m + first) * size, last - first, kind)
        for j in range(len(sigma)):
            dmu[j] += dz[j]
            dlogvar[j] += dz[j] * eps[j] * sigma[j] * half


@compiled
def kl_chunk(task, chunk, kind):
    """kl = (mu^2 + exp(logvar) - 1 - logvar) / 2, nats per number."""
    size, half = kind.itemsize, kind.dtype.type(0.5)
    first, last = share(chunk, task.chunks, task.m)
    mu = numbers_at(task.a + first * size, last - first, kind)
    logvar = numbers_at(task.b + first * size, last - first, kind)
    kl = numbers_at(task.c + first * size, last - first, kind)
    for j in range(len(mu)):
        kl[j] = (mu[j] * mu[j] + expm1_minus(logvar[j])) * half


@compiled
def kl_gradient_chunk(task, chunk, kind):
    """dmu = dkl mu, dlogvar = dkl (exp(logvar) - 1) / 2, in rows as long as dkl."""
    n, half = task.n, kind.dtype.type(0.5)
    first, last = share(chunk, task.chunks, task.m)
    start, numbers = first * n * kind.itemsize, (last - first) * n
    dkl = numbers_at(task.a, n, kind)
    mu = numbers_at(task.b + start, numbers, kind)
    logvar = numbers_at(task.c + start, numbers, kind)
    dmu = numbers_at(task.d + start, numbers, kind)
    dlogvar = numbers_at(task.e + start, numbers, kind)
    for j in range(numbers):  # one loop, because rows may be shorter than a register
        dlogvar[j] = expm1(logvar[j]) * half
    for row in range(0, numbers, n):
        for j in range(n):
            dmu[row + j] = dkl[j] * mu[row + j]
            dlogvar[row + j] *= dkl[j]


@compiled
def activation_gradient_chunk(task, chunk, kind):
    """da = dy act'(a), from y = act(a)."""
    first, last = share(chunk, task.chunks, task.m)
    dy = numbers_at(task.a + first * kind.itemsize, last - first, kind)
    y = numbers_at(task.b + first * kind.itemsize, last - first, kind)
    da = numbers_at(task.c + first * kind.itemsize, last - first, kind)
    activation_gradient(dy, y, task.activation, da)


@compiled
def add_chunk(task, chunk, kind):
    """c = a + b."""
    first, last = share(chunk, task.chunks, task.m)
    a = numbers_at(task.a + first * kind.itemsize, last - first, kind)
    b = numbers_at(task.b + first * kind.itemsize, last - first, kind)
    c = numbers_at(task.c + first * kind.itemsize, last - first, kind)
    for j in range(len(c)):
        c[j] = a[j] + b[j]


# ---- on the calling thread ---------------------------------------------------------------------


@compiled
def gaussian_residual(mean, x, residual, squares):
    """residual = mean - x and its sum of squares: mean, residual (N, D), x (B, D), N = K B."""
    n = mean.shape[1]
    for i in range(len(mean)):
        x_row, row = x[i % len(x)], residual[i]
        for j in range(n):
            row[j] = mean[i, j] - x_row[j]
        squares[i] = _sum_of_squares(row)


@regrouping
def _sum_of_squares(numbers):
    total = numbers.dtype.type(0)
    for j in range(len(numbers)):
        total += numbers[j] * numbers[j]
    return total


@compiled
def row_squares(rows, squares):
    """squares[i] = the sum of squares of row i: rows (N, D), squares (N,)."""
    for i in range(len(rows)):
        squares[i] = _sum_of_squares(rows[i])


@compiled
def sigmoid(logits, out):
    """out = 1 / (1 + exp(-logits)), without overflow. Flat arrays."""
    one, zero = logits.dtype.type(1), logits.dtype.type(0)
    for j in range(len(logits)):
        e = exp(-abs(logits[j]))
        out[j] = (one if logits[j] > zero else e) / (one + e)

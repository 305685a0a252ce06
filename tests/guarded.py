"""Programs in which every NumPy array borders on memory that must not be accessed.

    python guarded.py touch             does the guard work?  -> one JSON object
    python guarded.py sweep WIDTHS      the kernels over many shapes  -> the number of cases
    python guarded.py threads ROUNDS    threads, forks, pools that come and go

`test_kernel_bounds.py` runs them. The compiled kernels check no index, so a wrong one corrupts the
heap and shows up much later, if at all. Here NumPy gets the memory of each array from
`guard_pages.py`: between two pages without access rights, directly before the second or directly
after the first. Reading or writing one number too far ends the process at once, with a traceback.
Fresh memory is full of NaN, and freed memory cannot be accessed either.
"""

import ctypes
import faulthandler
import gc
import json
import os
import sys
import threading
from itertools import cycle, product

import numpy as np
from guard_pages import ending, guard

from minivae import kernels, ops, vae
from minivae.kernels import memory, products, sparse_products, tasks, tile
from minivae.kernels import threads as pools
from minivae.train import replay_of

MACHINE, ALL = "machine", "all"
memory.SMALL = sys.maxsize  # no array begins at a cache line: each ends where its memory ends


# ---- touch -------------------------------------------------------------------------------------


def touch():
    """Access the memory beside an array, inside it, and in a freed one; print what happens."""
    found = {}
    for guard.side in ("end", "start"):
        with guard.on():
            a = np.zeros(5, np.float32)
        start = a.ctypes.data
        beside = start + a.nbytes if guard.side == "end" else start - 1
        found[f"read {guard.side}"] = ending(lambda at=beside: ctypes.string_at(at, 1))
        found[f"write {guard.side}"] = ending(lambda at=beside: ctypes.memset(at, 0, 1))
        found[f"inside {guard.side}"] = ending(lambda at=start: ctypes.memset(at, 0, 20))
        del a
        found[f"freed {guard.side}"] = ending(lambda at=start: ctypes.string_at(at, 1))
    with guard.on():
        found["fresh is NaN"] = int(np.isnan(np.empty(3, np.float32)).all())
    print(json.dumps(found))


# ---- sweep -------------------------------------------------------------------------------------


def close(got, wanted, terms=1):
    """Fails unless the result is right up to the rounding of so many terms."""
    assert got.shape == wanted.shape
    scale = max(1.0, np.abs(wanted).max(initial=0))
    error = np.abs(got - wanted).max(initial=0) / scale
    assert error <= 4 * (terms + 4) * np.finfo(got.dtype).eps, (error, terms)


class Draw:
    """Makes guarded arrays of random numbers; row-strided ones are views of larger ones."""

    def __init__(self, dtype, seed):
        self.dtype, self.rng = dtype, np.random.default_rng(seed)

    def __call__(self, *shape):
        numbers = self.rng.uniform(-1, 1, shape)
        with guard.on():
            return numbers.astype(self.dtype)

    def strided(self, m, n):
        return self(m, n + 3)[:, 3:] if guard.side == "end" else self(m, n + 3)[:, :n]


def edges(lanes, tile_rows):
    """Sizes around every multiple at which the product does something else: for m, n and k."""
    panel = tile.TILE_VECTORS * lanes
    block = products.BLOCK_PANELS * panel
    m = (
        1,
        2,
        tile_rows - 1,
        tile_rows,
        tile_rows + 1,
        products.BLOCK_ROWS - 1,
        products.BLOCK_ROWS,
        products.BLOCK_ROWS + 1,
        2 * products.BLOCK_ROWS + 3,
        products.LONG_STRIDE // 4 + 3,
    )
    n = (
        1,
        3,
        lanes // 2,
        lanes - 1,
        lanes,
        lanes + 1,
        lanes + lanes // 2,
        panel - 1,
        panel,
        panel + 1,
        panel + lanes // 2,
        3 * panel,
        block - 1,
        block,
        block + lanes,
        2 * block + 1,
        256,
    )
    k = (1, 2, 3, 4, 5, 63, 64, products.K_BLOCK_TRANSPOSED, products.K_BLOCK_TRANSPOSED + 1,
         products.K_BLOCK, products.K_BLOCK + 1, 2 * products.K_BLOCK + 2)  # fmt: skip
    return m, n, k


def shapes(lanes, tile_rows, count):
    """(m, n, k): the empty ones, then `count` random ones that hit each edge at least once."""
    m, n, k = (np.array(sizes) for sizes in edges(lanes, tile_rows))
    rng = np.random.default_rng(lanes)
    yield from ((0, 5, 3), (5, 0, 3), (5, 7, 0), (0, 0, 0), (300, 130, 0), (1, 1, 1))
    deck = [np.concatenate([rng.permutation(s) for _ in range(count)])[:count] for s in (m, n, k)]
    yield from zip(*(d.tolist() for d in deck), strict=True)


def matmul_case(draw, m, n, k):
    """All four products, alternately with contiguous and row-strided factors."""
    forms = ((False, False), (True, False), (False, True), (True, True))
    for number, (transpose_a, transpose_b) in enumerate(forms):
        make = draw.strided if (number + m + n) % 2 else draw
        a, b = make(*(k, m) if transpose_a else (m, k)), make(*(n, k) if transpose_b else (k, n))
        with guard.on():
            c = kernels.matmul(a, b, transpose_a=transpose_a, transpose_b=transpose_b)
        a, b = (v.astype(np.float64) for v in (a, b))
        close(c, (a.T if transpose_a else a) @ (b.T if transpose_b else b), k)


def dense_case(draw, n, o, i, activation, zeros=0.0):
    """Forward and backward; the gradients go into parts of a flat array, and nowhere else."""
    x, W, b, dy = draw(n, i), draw(i, o), draw(o), draw(n, o)
    x[draw.rng.random(x.shape) < zeros] = 0  # as in images of digits
    with guard.on():
        y, cache = kernels.dense_forward(x, W, b, activation)
    wanted, wanted_cache = ops.dense_forward(*(v.astype(np.float64) for v in (x, W, b)), activation)
    close(y, wanted, i)
    gaps = {"end": (3, 1, 0), "start": (0, 1, 3)}[guard.side]
    with guard.on():
        flat = np.full(W.size + b.size + sum(gaps), 7, draw.dtype)
    begin = gaps[0]
    dW = flat[begin : begin + W.size].reshape(W.shape)
    begin += W.size + gaps[1]
    db = flat[begin : begin + b.size]
    wanted_cache = wanted_cache._replace(y=y.astype(np.float64))
    wanted_out = np.empty(W.shape), np.empty(b.shape)
    wanted = ops.dense_backward(dy.astype(np.float64), wanted_cache, out=wanted_out)
    for need_dx in (True, False):
        with guard.on():
            dx, *_ = kernels.dense_backward(dy, cache, out=(dW, db), need_dx=need_dx)
        if need_dx:
            close(dx, wanted[0], o)
        close(dW, wanted[1], n)
        close(db, wanted[2], n)
    written = np.zeros(flat.size, bool)
    written[gaps[0] : gaps[0] + W.size] = written[begin : begin + b.size] = True
    assert (flat[~written] == 7).all()


def loss_case(draw, K, B, D):
    """All that is not a product, on K samples (0: no axis for them) of B rows of D numbers."""
    many = (K, B, D) if K else (B, D)
    given = [draw(*shape) for shape in ((B, D), (B, D), (B, D), (D,), (1,), *[many] * 3, many[:-1])]
    with guard.on():
        got = all_losses(kernels, *given)
    wanted = all_losses(ops, *(v.astype(np.float64) for v in given))
    for a, b in zip(got, wanted, strict=True):
        close(a, b, max(K, 1) * B * D)


def all_losses(backend, mu, logvar, x, dkl, shared, eps, values, dz, dnll):
    z, cache = backend.reparam_forward(mu, logvar, eps)
    kl, kl_cache = backend.gaussian_kl_forward(mu, logvar)
    results = [z, *backend.reparam_backward(dz, cache), kl, backend.sigmoid(values)]
    for given in (dkl, np.broadcast_to(dkl, mu.shape).copy()):
        results += backend.gaussian_kl_backward(given, kl_cache)
    nll, cache = backend.bernoulli_nll_forward(values, x)
    results += [nll, backend.bernoulli_nll_backward(dnll, cache)]
    nll, cache = backend.gaussian_nll_forward(values, shared, x)
    return [*results, nll, *backend.gaussian_nll_backward(dnll, cache)]


def adam_case(draw, n):
    got = [draw(n) for _ in range(4)]
    got[3] *= got[3]  # v is a mean of squares
    wanted = [v.astype(np.float64) for v in got]
    for step in (1, 2):
        with guard.on():
            kernels.adam_step(*got, step, 1e-3)
        ops.adam_step(*wanted, step, 1e-3)
    for a, b in zip(got, wanted, strict=True):
        close(a, b, 8)


def sweep(widths):
    """Every kernel at both ends of its arrays -> how many cases there were."""
    cases = 0
    for dtype, bits, threads in configurations(widths):
        lanes = bits // 8 // dtype().itemsize
        count = 17 if widths == MACHINE else 120
        for guard.side in ("end", "start"):
            pool = open_pool(dtype, threads, lanes)
            draw = Draw(dtype, seed=threads)
            todo = [(matmul_case, draw, *s) for s in shapes(lanes, pool.tile_rows, count)]
            todo += sparse_cases(draw, lanes)
            if widths == ALL or lanes == machine_lanes(dtype):
                todo += other_cases(draw, lanes, pool.tile_rows, count)
            for case, *args in todo:
                shown = [a for a in args if isinstance(a, int | str)]
                print(case.__name__, dtype.__name__, lanes, threads, guard.side, *shown, flush=True)
                case(*args)
                cases += 1
            pool.stop()
    print(json.dumps({"cases": cases}))


def configurations(widths):
    """(dtype, bits of a register, threads)."""
    if widths == ALL:
        yield from product((np.float32, np.float64), tile.TILE_ROWS, (1, 2, 3))
        return
    for dtype, bits in product((np.float32, np.float64), tile.TILE_ROWS):
        yield dtype, bits, 2
    yield np.float32, 32 * kernels.machine_lanes(), 1


def machine_lanes(dtype):
    return kernels.machine_lanes() * 4 // dtype().itemsize


def open_pool(dtype, threads, lanes=None):
    with guard.on():
        pool = pools.Pool(np.dtype(dtype), threads, lanes)
    pools.pools[np.dtype(dtype)] = pool
    return pool


def sparse_cases(draw, lanes):
    """Layers whose products leave out zeros, with sums over k in several steps and in one; columns
    around halves of a register, one and several registers, strips of them and chunks."""
    strip, n = tile.ROW_VECTORS * lanes, products.K_BLOCK + 1
    edges = (lanes // 2, lanes - 1, lanes, lanes + 1, strip, strip + 1, 2 * strip + lanes // 2)
    for o in sorted({1, *edges, sparse_products.SPARSE_COLUMNS + lanes + 1}):
        for zeros in (0.8, 1.0):
            yield dense_case, draw, n, o, tasks.SMALL_PRODUCT // (n * o) + 3, "none", zeros


def other_cases(draw, lanes, tile_rows, count):
    settings = cycle(product((0.0, 0.8), ops.ACTIVATIONS))
    all_shapes = shapes(lanes, tile_rows, count)
    for (n, o, i), (zeros, activation) in zip(all_shapes, settings, strict=False):
        yield dense_case, draw, n, o, i, activation, zeros
    for n, o, i in ((1, 0, 9), (1, 1, lanes + 1), (5, lanes + 3, 4500), (131, 8 * lanes - 1, 65),
                    (260, 17 * lanes, 130), (300, 2, 3)):  # fmt: skip
        for zeros in (0.7, 0.95, 1.0):
            yield dense_case, draw, n, o, i, "tanh", zeros
    for K, B in ((0, 1), (0, 0), (0, 7), (1, 3), (5, 4), (3, 0)):
        for D in (1, lanes - 1, lanes + 1, 67):
            yield loss_case, draw, K, B, D
    yield loss_case, draw, 5, 4, 2900  # more than one chunk
    yield loss_case, draw, 0, 2, products.SCRATCH + 5  # a row longer than the scratch
    yield loss_case, draw, 2, 40, products.SCRATCH // 30  # and rows that fill a part of it
    for n in (0, 1, lanes - 1, lanes + 1, tasks.ADAM_CHUNK - 1, tasks.ADAM_CHUNK + 1, 70_001):
        yield adam_case, draw, n


# ---- threads -----------------------------------------------------------------------------------


def training(steps, seed):
    """Some steps of Adam, recorded and replayed -> the parameters' bytes. Large enough that all
    threads get a part."""
    spec = vae.Spec(100, (70,), 5)
    rng = np.random.default_rng(seed)
    flat = vae.init_params(spec, rng)
    m, v = np.zeros_like(flat), np.zeros_like(flat)
    replay = replay_of(vae.unpack(flat, spec), spec, (flat, m, v), kernels)
    for step in range(1, steps + 1):
        x = rng.random((64, 100), np.float32)
        eps = rng.standard_normal((64, 5)).astype(np.float32)
        replay.elbo(x, eps)
        replay.adam_step(step, 1e-3)
    return flat.tobytes()


def threads(rounds):
    """Two trainings at once with forks between, pools opened and closed, operands freed."""
    steps = 12
    expected = {}
    for seed in (0, 1):
        open_pool(np.float32, 1)
        expected[seed] = training(steps, seed)
    for guard.side in ("end", "start"):
        for _ in range(rounds):
            pool = open_pool(np.float32, 3)
            two_trainings_and_forks(expected, steps)
            free_operands()
            pool.stop()
            assert not any(helper.is_alive() for helper in pool.helpers)
    for count in (1, 2, 3, 2) * (5 * rounds):
        pool = open_pool(np.float32, count)
        kernels.matmul(*np.ones((2, 96, 96), np.float32))
        pool.stop()
        del pool
        gc.collect()
    print(json.dumps({"rounds": rounds}))


def two_trainings_and_forks(expected, steps):
    got = {}
    trainers = [
        threading.Thread(target=lambda s=s: got.update({s: training(steps, s)})) for s in expected
    ]
    for trainer in trainers:
        trainer.start()
    for _ in range(3):
        assert ending(lambda: same(training(steps, 0), expected[0])) == 0
    for trainer in trainers:
        trainer.join()
    assert got == expected


def same(got, expected):
    assert got == expected


def free_operands():
    """A helper that read the job's operands after its end would read freed memory."""
    draw = Draw(np.float32, seed=2)
    for n in range(90, 130):
        kernels.matmul(draw(100, n), draw(n, 80), transpose_b=False)
        kernels.matmul(draw(n, 100), draw(n, 80), transpose_a=True)


class GuardedThread(threading.Thread):
    """NumPy's allocator is set for each thread: the helpers' scratch must be guarded as well."""

    def run(self):
        with guard.on():
            super().run()


if __name__ == "__main__":
    faulthandler.enable()
    np.seterr(all="ignore")
    threading.Thread = GuardedThread
    what, *given = sys.argv[1:]
    if what == "touch":
        touch()
    elif what == "sweep":
        sweep(*given)
    else:
        with guard.on():
            threads(*map(int, given))
    sys.stdout.flush()
    os._exit(0)  # NumPy frees arrays until after Python's functions are gone

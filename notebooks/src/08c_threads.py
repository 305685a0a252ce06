# ---
# jupyter:
#   jupytext:
#     text_representation:
#       format_name: percent
# ---

# %% [markdown]
# # 08c · Making it fast: threads
#
# **What you will be able to do**
# - divide work among threads so that the bits of the result do not depend on their number (`08.same-bits`);
# - find the part of a program that threads cannot divide, and what they can gain at most (`08.amdahl`);
# - hand out work with one shared number and compare-and-swap, although others act at the same time
#   (`08.ticket`);
# - find the threads that slow each other down by writing into one cache line (`08.false-sharing`);
# - let a waiting thread sleep without losing a job, although a core need not act in the order of the
#   program (`08.asleep`).
#
# **Builds on** notebooks [08a](08a_loops_caches_and_a_tile.ipynb) (cache lines, the tile) and
# [08b](08b_fused_loops.ipynb) (the fused loops). Reading time: 40 minutes, and 5 for the appendix; the
# exercises come on top.
#
# From here on the clock on the wall counts, not the processor time of one thread. So other programs
# disturb more than in 08a: while they hold the second core, threads gain little. What the text claims
# about a measurement is checked, as in 08a; "Not so on this machine" says where it did not hold.

# %%
import sys; sys.path[:0] = [".", "..", "minivae", "../minivae"]
import os; os.environ.pop("MINIVAE_NUM_THREADS", None)     # as many threads as cores, in this notebook

import contextlib
import io
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numba import njit
from threadpoolctl import threadpool_limits

from minivae import ops, plots, vae
from minivae.exercises import check, hint, predict, recall, reveal, solution
from minivae.plots import pool
from minivae.studies import races, step_profile
from minivae.studies.races import checked, race

with contextlib.redirect_stderr(io.StringIO()):            # (compiles, at the first use on a machine)
    from minivae import kernels
    kernels.matmul(np.ones((1, 1), np.float32), np.ones((1, 1), np.float32))

plots.notebook_style()
rng = np.random.default_rng(8)
f32, wall = np.float32, time.perf_counter

# %% [markdown]
# Three questions about earlier notebooks first. Replace each `...` by `"a"`, `"b"` or `"c"`.

# %%
recall("08c", ..., ..., ...)

# %% [markdown]
# ## 8.11  How much can threads gain?
#
# Notebook 08b ended with this step: a tile for the products (whose bar contains bias and tanh as well, so
# that theirs is 0), the zeros of the images left out, compiled loops for the rest, one thread.

# %%
from minivae.kernels import tasks, threads

N = max(2, kernels.thread_count())                         # the threads of this notebook
B, D, L = 100, 784, 50
spec = vae.Spec(D, (200, 200), L)
x = (rng.random((B, D)) < 0.2).astype(f32)
eps = rng.standard_normal((B, L), dtype=f32)


class OnThreads(step_profile.Trainee):
    """Trains with the package's kernels on a pool of `count` threads of its own."""

    def __init__(self, count):
        super().__init__(step_profile.fused(kernels), spec, wall)
        self.pool = threads.Pool(np.dtype(f32), count)

    def step(self, x, eps):
        threads.pools[np.dtype(f32)] = self.pool           # the one that the kernels use from now on
        return super().step(x, eps)


alone, together = OnThreads(1), OnThreads(N)
losses = np.array([[trainee.step(x, eps) for _ in range(20)] for trainee in (alone, together)])
print("twenty steps on one thread and on several, the same bits:", np.array_equal(*losses))

# %% tags=["timing"]
opening = checked(
    lambda: step_profile.profile({"one thread": alone}, x, eps), step_profile.contradictions
)
fig, ax = plots.figure(6.8, 2.2)
step_profile.draw(ax, opening)
fig

# %% [markdown]
# Products, likelihood and Adam are mostly loops over many numbers, which can be divided among threads.
# The grey bar, "Python and the rest", is one thread's. If a share $s$ of the time $t_1$ cannot be divided,
# and the rest takes at least an $n$-th of its time on $n$ threads, then
#
# $$
# t_n \ge t_1\Big(s + \frac{1 - s}{n}\Big), \tag{1}
# $$
#
# which is **Amdahl's law**. However large $n$ is, the gain $t_1/t_n$ is at most $1/s$: what is not divided
# decides in the end.

# %% tags=["timing"]
parts = opening["one thread"]
s = parts[step_profile.REST] / parts["step"]
gains = {n: 1 / (s + (1 - s) / n) for n in (2, 4, 16, 1000)}
print(f"not divided: {s:.0%} of the step")
for n, gain in gains.items():
    print(f"{n:4} threads: at most {gain:.2f} times as fast")

# %% [markdown]
# "At most": the coloured bars contain some work of one thread, too, and dividing costs something as well.
# What it costs is the subject of this notebook.

# %% [markdown]
# ## 8.12  What can two threads share?
#
# Python's threads can use several cores once the compiled code lets go of Python's global lock:
# `nogil=True`. First of all: is there a second core for us right now?

# %%
@njit(nogil=True)
def matmul_ikj(A, B, C):                                   # as in 08a
    C[:] = 0
    for i in range(A.shape[0]):
        for k in range(A.shape[1]):
            for j in range(B.shape[1]):
                C[i, j] += A[i, k] * B[k, j]


@njit(nogil=True)
def again_and_again(times, A, B, C):
    for _ in range(times):
        matmul_ikj(A, B, C)


executor = ThreadPoolExecutor(2)    # two threads: `submit` queues a job for them, `result` waits for it
own = [[races.aligned(np.ones((64, 64))) for _ in range(3)] for _ in range(2)]    # for each thread


def core_is_free():
    """Whether two threads do two jobs in nearly the time that one takes for one."""
    t = race({
        "one": lambda: again_and_again(100, *own[0]),
        "two": lambda: [job.result() for job in [executor.submit(again_and_again, 100, *o) for o in own]],
    }, rounds=3, turn=0.01, clock=wall)
    return t["two"] < 1.3 * t["one"]


# %% tags=["timing"]
free = checked(core_is_free, lambda free: {"a second core is free": free})
print("a second core is free just now:", free)

# %% [markdown]
# How should a product be split between two threads? We can cut its result $C$, here by rows, or cut the
# sums over $k$.

# %%
def split_rows(A, B, C):
    """Each thread makes half of C's rows."""
    half = len(C) // 2
    job = executor.submit(matmul_ikj, A[:half], B, C[:half])
    matmul_ikj(A[half:], B, C[half:])
    job.result()


def split_sums(A, B, C):
    """Each thread makes all of C from half the k; then the two are added."""
    half, partial = A.shape[1] // 2, np.empty((2, *C.shape), C.dtype)
    job = executor.submit(matmul_ikj, np.ascontiguousarray(A[:, :half]), B[:half], partial[0])
    matmul_ikj(np.ascontiguousarray(A[:, half:]), B[half:], partial[1])
    job.result()
    np.add(*partial, out=C)


# %%
A, W = (races.aligned(rng.standard_normal(shape)) for shape in ((96, 768), (768, 192)))
C, one_thread = (races.aligned(np.zeros((96, 192))) for _ in range(2))
matmul_ikj(A, W, one_thread)
for split in (split_rows, split_sums):
    split(A, W, C)
    close, same = np.allclose(C, one_thread, atol=1e-3), np.array_equal(C, one_thread)
    print(f"{split.__name__}: close to one thread's result: {close}, the same bits: {same}")
print("NumPy, five rows of A alone and among all, the same bits:", np.array_equal(A[:5] @ W, (A @ W)[:5]))

# %% [markdown]
# Both are close enough. Splitting the sums, though, adds in another order, so that the last bits depend on
# the number of threads: a run with two threads could not be repeated bit for bit with four. So the
# package's rule is: **threads split results, never a sum**. That alone is not enough: NumPy may use
# another routine for a piece than for the whole (last line). In our loops and in those of the package
# each number is added up in the same order, whatever piece it lies in. That is why the losses at the beginning
# had the same bits.
#
# **Predict first.** A product of 8 × 32 by 32 × 32, split between two threads: is it faster, `"no"` or
# `"yes"`?

# %%
predict("08.small-product", ...)

# %% tags=["timing"]
small = [np.ascontiguousarray(a) for a in (A[:8, :32], W[:32, :32])]
small_C = np.empty((8, 32), f32)
times = checked(
    lambda: race({
        "large, one": lambda: matmul_ikj(A, W, C),
        "large, two": lambda: split_rows(A, W, C),
        "small, one": lambda: matmul_ikj(*small, small_C),
        "small, two": lambda: split_rows(*small, small_C),
        "nothing, handed over": lambda: executor.submit(int).result(),
    }, clock=wall),
    lambda t: {
        "two threads are at most twice as fast": all(
            races.within_threads(t[f"{size}, one"], t[f"{size}, two"], 2) for size in ("large", "small")
        ),
        "the small product loses": t["small, one"] < t["small, two"],
        "handing over costs more than the small product": t["small, one"] < t["nothing, handed over"],
        "the large product gains": t["large, one"] > 1.2 * t["large, two"],
    },
)
for name, seconds in times.items():
    print(f"{name:21} {1e6 * seconds:8.1f} us ({1e6 * seconds.low:.1f} to {1e6 * seconds.high:.1f})")
large_gain = times["large, one"] / times["large, two"]
handing_over = times["nothing, handed over"]
print(f"the large product: two threads are {large_gain:.2f} times as fast as one")

# %%
reveal("08.small-product")

# %% [markdown]
# The large product gains. The small one loses: handing work to another thread and waiting for it
# costs more than the work itself ("nothing, handed over" has no work at all). How often would a
# training step pay that? Count the jobs that the package hands over in one.

# %%
_, jobs = threads.recorded(together.step, x, eps)      # each: the record of a job, its arguments
jobs = [record for record, _ in jobs if record["chunks"].sum() > 1]
print(f"{len(jobs)} jobs in a step are handed over, and not done by the calling thread alone")

# %% tags=["timing"]
print(f"handed over like this: {1e3 * len(jobs) * handing_over:.2f} ms, {len(jobs) * handing_over / parts['step']:.0%} of a step on one thread")

# %% [markdown]
# The rest of this notebook builds a pool of threads that hands over for less.
#
# ## 8.13  How do threads agree on who does what?
#
# Cut the work into more pieces than there are threads (*chunks*), and let every thread take the next
# one when it is free. A thread that was held up then takes fewer. For that they share one number, which
# says which chunk is next: each thread loads it, adds one, and stores it.
#
# Does that work? Let us count. Two threads each add 1 to the same number, two million times. (`atomic_load` and
# `atomic_store` are a load and a store that the compiler keeps, each of them, and in their order.)
#
# **Predict first.** What can the number be afterwards, `"always 4 million"` or `"less than 4 million"`?

# %%
predict("08.lost-counts", ...)

# %%
from minivae.kernels.instructions import atomic_add, atomic_load, atomic_store, compare_and_swap, numbers_at, pause


@njit(nogil=True)
def count_plainly(address, times):
    for _ in range(times):
        atomic_store(address, atomic_load(address) + 1)    # load, add, store: three steps


@njit(nogil=True)
def count_atomically(address, times):
    for _ in range(times):
        atomic_add(address, 1)                             # one step, for all other threads


@njit(nogil=True)
def count_by_swap(address, times):
    for _ in range(times):
        while True:
            seen = atomic_load(address)
            if compare_and_swap(address, seen, seen + 1):  # only if the word still is `seen`
                break


# %%
words = np.zeros(64, np.int64)                             # shared numbers of 64 bits
words = words[-words.ctypes.data % 64 // 8 :]              # from the beginning of a cache line on


def count(how, times, places=(0, 0)):
    """Two threads count at these places of `words` -> the sum of what stands there."""
    words[:] = 0
    jobs = [executor.submit(how, words.ctypes.data + 8 * place, times) for place in places]
    for job in jobs:
        job.result()
    return int(words.sum())


for how in (count_atomically, count_by_swap):
    print(how.__name__, count(how, 100_000))
count_plainly(words.ctypes.data, 1)                        # compiled

# %% tags=["timing"]
counted = checked(
    lambda: {how.__name__: count(how, 2_000_000) for how in (count_plainly, count_atomically, count_by_swap)},
    lambda c: {
        "plain counting loses some": c["count_plainly"] < 4_000_000,
        "the others lose none": c["count_atomically"] == c["count_by_swap"] == 4_000_000,
    },
)
for name, total in counted.items():
    print(f"{name:17} {total:9,}   lost: {4_000_000 - total:,}")

# %%
reveal("08.lost-counts")

# %% [markdown]
# This is how a count is lost:
#
# | one thread | the other thread | the word |
# |---|---|---|
# | loads 5 | | 5 |
# | | loads 5 | 5 |
# | stores 6 | | 6 |
# | | stores 6 | 6 |
#
# If these were chunks, both threads would have taken chunk 5. An **atomic** operation is one step that
# no other thread can divide:
#
# - `atomic_add(address, 1)` adds and hands back what was there before.
# - `compare_and_swap(address, expected, value)` writes `value` if the word still is `expected`, and says
#   whether it did. If not, somebody else was faster: load again, and try again. Between load and
#   swap one can look at the value and decide: below, a chunk is taken only if one is left.
#
# ### A ticket
#
# The word that hands out chunks is a *ticket*. Three numbers are packed into its 64 bits: which job,
# how many chunks it has, which one is next.

# %%
@njit(nogil=True)
def packed(job, chunks, following):
    return (job << 32) | (chunks << 16) | following


@njit(nogil=True)
def take(address):
    """The next chunk of the current job, or -1."""
    while True:
        ticket = atomic_load(address)
        chunks, following = (ticket >> 16) & 0xFFFF, ticket & 0xFFFF
        if following >= chunks:
            return -1
        if compare_and_swap(address, ticket, ticket + 1):
            return following


words[0] = packed(7, 3, 0)
print("job 7 with three chunks:", [take(words.ctypes.data) for _ in range(4)])

# %% [markdown]
# Why the number of the job? A thread can be late: it loads the ticket, and is stopped by the system before
# it swaps. Meanwhile the others begin another job. With its number in the word, the late swap fails, and the
# thread loads the ticket again. (The appendix shows what may happen without it.)
#
# ### Two words, one line
#
# Suppose each thread also counts what it has done, in a word of its own. Then nobody waits for
# anybody, it seems. But caches know lines (on most machines of 64 bytes), not words. When one core writes into a
# line, the other core's copy of the whole *line* becomes invalid and must be fetched again, although the other
# thread never looks at that word. This is **false sharing**. The array `words` begins at the edge of a line, so
# its words 0 and 1 share a line, and words 0 and 8 do not.

# %% tags=["timing"]
STEPS = 1_000_000
times = checked(
    lambda: race({
        "one thread alone": lambda: count_atomically(words.ctypes.data, STEPS),
        "two, the same word": lambda: count(count_atomically, STEPS),
        "two, words in one line": lambda: count(count_atomically, STEPS, (0, 1)),
        "two, a line for each": lambda: count(count_atomically, STEPS, (0, 8)),
    }, clock=wall),
    lambda t: {
        "words in one line are slower than a line for each": t["two, words in one line"] > 1.5 * t["two, a line for each"],
        "one word is slower than a line for each": t["two, the same word"] > 1.5 * t["two, a line for each"],
    },
)
for name, seconds in times.items():
    print(f"{name:24} {1e9 * seconds / STEPS:6.1f} ns for each addition of a thread ({1e9 * seconds.low / STEPS:.1f} to {1e9 * seconds.high / STEPS:.1f})")
print(f"a line for each: {times['two, words in one line'] / times['two, a line for each']:.1f} times as fast as words in one line")

# %% [markdown]
# Two words in one line are slower than a line for each, just as one shared word is: what is shared is the
# line. Hence the *padding* below and in the package: each shared word has a line of its own.

# %% [markdown]
# ## 8.14  A pool of threads
#
# Now we can build the pool. A helper thread runs all the time and waits for jobs. How does it learn
# what to do? It cannot be called with arguments, because it is already running. So the job is written down
# in a **task record** at a place that all threads know: addresses and sizes, as plain numbers.
# `numbers_at(address, n, KIND)` is the array of the `n` numbers that stand there.

# %%
TASK = np.dtype([("A", np.int64), ("B", np.int64), ("C", np.int64), ("k", np.int64), ("n", np.int64)])
task = np.zeros(1, TASK)
state = np.zeros(40, np.int64)
state = state[-state.ctypes.data % 64 // 8 :]
TICKET, DONE, STOP = 0, 64, 128                            # bytes: a cache line for each
ROWS = 4                                                   # of C, in a chunk
KIND = np.empty(0, f32)                                    # tells numbers_at the type


@njit(nogil=True)
def do_chunk(job, chunk):
    """ROWS rows of C, by i-k-j, from the addresses of the record; a float32 has 4 bytes."""
    A = numbers_at(job.A + 4 * ROWS * chunk * job.k, ROWS * job.k, KIND).reshape(ROWS, job.k)
    B = numbers_at(job.B, job.k * job.n, KIND).reshape(job.k, job.n)
    C = numbers_at(job.C + 4 * ROWS * chunk * job.n, ROWS * job.n, KIND).reshape(ROWS, job.n)
    matmul_ikj(A, B, C)


# %% [markdown]
# A helper takes chunks as long as there are any, and otherwise looks again (`pause` tells the core that
# this is only waiting). The thread that submits a job, the *leader*, works too, and then waits until all
# chunks are done. The picture shows the words that they share, in grey, and a job of which leader and helper
# have taken five chunks in turn.

# %%
pool.words_and_chunks(["leader", "helper", "leader", "helper", "leader"])

# %%
@njit(nogil=True)
def help_out(task, state):
    while not atomic_load(state + STOP):
        chunk = take(state + TICKET)
        if chunk >= 0:
            do_chunk(task[0], chunk)
            atomic_add(state + DONE, 1)
        else:
            pause()


@njit(nogil=True)
def lead(task, state, chunks):
    atomic_store(state + DONE, 0)
    job = (atomic_load(state + TICKET) >> 32) + 1
    atomic_store(state + TICKET, packed(job, chunks, 0))   # from here on helpers take part
    while True:
        chunk = take(state + TICKET)
        if chunk < 0:
            break
        do_chunk(task[0], chunk)
        atomic_add(state + DONE, 1)
    while atomic_load(state + DONE) < chunks:
        pause()


def matmul_pool(A, B, C):
    """A's rows must be a multiple of ROWS; contiguous float32."""
    task[0] = A.ctypes.data, B.ctypes.data, C.ctypes.data, A.shape[1], B.shape[1]
    lead(task, state.ctypes.data, len(A) // ROWS)


@contextlib.contextmanager
def helper():
    """One helper thread, for as long as the block lasts."""
    state[STOP // 8] = 0
    thread = threading.Thread(target=help_out, args=(task, state.ctypes.data), daemon=True)
    thread.start()
    try:
        yield
    finally:
        state[STOP // 8] = 1
        thread.join()


matmul_pool(A, W, C)                                       # compiled; alone, it does all chunks
with helper():
    pass                                                   # (compiles help_out)
same = []
with helper():
    for _ in range(100):
        C[:] = 0
        matmul_pool(A, W, C)
        same.append(np.array_equal(C, one_thread))
print("a hundred times with a helper, the same bits as one thread:", all(same))

# %% [markdown]
# Why is the record safe to read? Whoever wins the swap of a ticket has a chunk of the *current* job, and
# the record is not changed before all chunks of the job are done, this one included. It was written
# before the ticket. Does that mean that whoever sees the new ticket sees the new record as well?
#
# ### Two flags
#
# Let us try whether threads see each other's stores in the order of the program. Two words are 0. Each
# thread stores 1 in its own, and then loads the other's. A thousand times; each time both first wait until
# the other is there.
#
# **Predict first.** How often do both load a 0, `"never"` or `"at least once"`?

# %%
predict("08.two-flags", ...)

# %%
@njit(nogil=True)
def ordinary_flags(mine, other, loaded, meeting):
    for i in range(len(loaded)):
        atomic_add(meeting, 1)
        while atomic_load(meeting) < 2 * (i + 1):          # until both are here
            pause()
        mine[i, 0] = 1
        loaded[i] = other[i, 0]


@njit(nogil=True)
def atomic_flags(mine, other, loaded, meeting):
    for i in range(len(loaded)):
        atomic_add(meeting, 1)
        while atomic_load(meeting) < 2 * (i + 1):
            pause()
        atomic_store(mine[i].ctypes.data, 1)
        loaded[i] = atomic_load(other[i].ctypes.data)


def both_loaded_0(how, times):
    """How many times out of `times` neither thread saw that the other had stored."""
    flags, loaded = np.zeros((2, times, 8), np.int64), np.zeros((2, times), np.int64)    # a new line each time
    words[0] = 0
    jobs = [executor.submit(how, flags[t], flags[1 - t], loaded[t], words.ctypes.data) for t in range(2)]
    for job in jobs:
        job.result()
    return int((loaded == 0).all(axis=0).sum())


for how in (ordinary_flags, atomic_flags):
    both_loaded_0(how, 1)                                  # compiled

# %% tags=["timing"]
zeros = checked(
    lambda: {how.__name__: both_loaded_0(how, 1000) for how in (ordinary_flags, atomic_flags)},
    lambda z: {"ordinary flags are missed": z["ordinary_flags"] > 0, "atomic ones are not": z["atomic_flags"] == 0},
)
for name, n in zeros.items():
    print(f"{name:15} both loaded a 0 in {n} of 1000")

# %%
reveal("08.two-flags")

# %% [markdown]
# Write down the four steps in any order that keeps each thread's own: the last one is a load, and the other
# thread has stored before it. So no order explains two zeros. A core does not wait for its stores: they go
# into its **store buffer** and reach the cache, where others see them, a little later. Meanwhile it goes on to
# the load. (The compiler may exchange the two steps as well. Here it did not: in
# `ordinary_flags.inspect_asm()` the store comes first.) After an `atomic_store`, an `atomic_load` waits until
# others can see the store.
#
# The record and the ticket are two *stores*. x86 lets a load overtake an earlier store, but ordinary stores stay
# in order among themselves, and so do loads (Intel's *Software Developer's Manual*, volume 3A, "Memory
# ordering"): so a new ticket beside an old record cannot be shown on it. ARM allows even that. Our atomic
# operations exclude it everywhere: whoever sees the new ticket also sees all that was written before it.
#
# ### Is it worth it?
#
# From which size on does our pool gain? It takes turns with the executor, so that our waiting helper is not
# there while the others are measured; and it also works without a helper.

# %%
def contiguous(m, n):
    """A product of m x n by n x n: A, B, and room for C."""
    return [races.aligned(a) for a in (A[:m, :n], W[:n, :n], np.zeros((m, n)))]


products = {f"{m} x {n} by {n} x {n}": contiguous(m, n) for m, n in ((8, 32), (16, 64), (96, 192))}
ways = {"one thread": matmul_ikj, "executor": split_rows, "our pool": matmul_pool, "no helper": matmul_pool}


def by_size(rounds=7):
    seconds = {(size, name): [] for size in products for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            with helper() if name == "our pool" else contextlib.nullcontext():
                jobs = {size: lambda way=way, p=p: way(*p) for size, p in products.items()}
                turn = race(jobs, rounds=1, clock=wall)
            for size in products:
                seconds[size, name].append(turn[size])
    return {which: races.Timing(turns) for which, turns in seconds.items()}


# %% tags=["timing"]
smallest, *_, largest = products
times = checked(by_size, lambda t: {
    "our pool is done sooner than the executor": all(t[size, "our pool"] < t[size, "executor"] for size in products),
    "the smallest is done sooner by one thread": t[smallest, "one thread"] < min(t[smallest, "our pool"], t[smallest, "no helper"]),
    "there the pool takes most of its time without a helper, too": t[smallest, "no helper"] > 0.5 * t[smallest, "our pool"],
    "the largest is done sooner by our pool": t[largest, "our pool"] < t[largest, "one thread"],
})
print("microseconds".ljust(22), *(f"{name:>11}" for name in ways))
for size in products:
    print(f"{size:22}", *(f"{1e6 * times[size, name]:11.1f}" for name in ways))
print(f"for its threads the package cuts only products of more than {tasks.SMALL_PRODUCT:,} multiply-adds; the last one has {96 * 192 * 192:,}")

# %% [markdown]
# At each size our pool is done sooner than the executor: it has no queue, wakes nobody, and its leader takes the
# chunks itself if the helper comes too late. (Which of the three counts most, this race does not say.) Even so
# the smallest product is slower than on one thread, but not because of the helper: the pool takes most of that
# time without one, too. It is the call itself: Python writes the record, and calls the compiled code. The largest
# product is done sooner by our pool. (Where that takes as long as without a helper, probably no core was free
# for the helper, and the leader did nearly all chunks alone.)
#
# ### Asleep
#
# A waiting helper keeps its core busy. So the package's helpers look for work 20,000 times,
# and then go to **sleep**: the helper writes "asleep" into a word of its own, and tries to acquire a lock
# that is already taken, so the system stops it. To **wake** it, the leader releases that lock.
# 20,000 looks take more than half as long as all that the grey bar holds (the appendix measures it), and the bar is made of
# some twenty shorter gaps: long enough for a helper to stay awake within a step, as long as other programs leave it a core.
# It sleeps when training is over.
#
# The word "asleep" and the job are two flags again. In the package a helper that falls asleep just when a job
# is handed over misses it, and the others do it. Where the leader does not work itself, the job would be
# lost: that is the last exercise.
#
# All this is `kernels/threads.py`: `take` is `_take_chunk` there (a helper swaps in a lower end, as in the
# picture), and `help_out` and `lead` are one function `work` with a role. The package's `do_chunk` has a branch for
# each kind of chunk (product, Adam, likelihood, ...), and `python -m minivae train` hands over the jobs of a whole pass, forward
# or backward, in one call: it records those of one step, and then repeats them with new images. From time to time it
# tries some steps the other way, without helpers or with them, and keeps the faster one (`kernels/recording.py`): with
# helpers a small step can take longer than alone where other programs need the cores, or where the cores share no cache.

# %% [markdown]
# ## 8.15  The honest table
#
# The profile once more: one thread, as at the start, and all threads.

# %% tags=["timing"]
name_of_all = f"{N} threads"
closing = checked(
    lambda: step_profile.profile({"one thread": alone, name_of_all: together}, x, eps, rounds=9),
    lambda p: step_profile.contradictions(p) | {
        f"{N} threads are at most {N} times as fast": races.within_threads(
            p["one thread"]["step"], p[name_of_all]["step"], N
        ),
        "the grey bar's share grows": p[name_of_all][step_profile.REST] / p[name_of_all]["step"] > p["one thread"][step_profile.REST] / p["one thread"]["step"],
        "threads gain": p["one thread"]["step"] > 1.15 * p[name_of_all]["step"],
        "the bar of the products shrinks": p["one thread"]["products"] > 1.2 * p[name_of_all]["products"],
    },
)
fig, ax = plots.figure(6.8, 3.4)
step_profile.draw(ax, closing)
fig

# %% tags=["timing"]
one, several = closing["one thread"], closing[name_of_all]
for part in ("products", "likelihood", "Adam", step_profile.REST, "step"):
    print(f"{part:20} {one[part] / several[part]:5.2f} times as fast with {N} threads")
s = one[step_profile.REST] / one["step"]
print(f"Amdahl, eq. (1), allows the step {1 / (s + (1 - s) / N):.2f}")

# %% [markdown]
# The bar of the products has shrunk, and the share of the grey bar has grown. The last line would be the
# step's gain if the coloured bars were divided completely and the grey one stayed as it is; the lines
# above it show how far that is so.
#
# Does all this make *training* faster than NumPy? First the question that comes before any table: do
# both backends compute the same thing?

# %%
numpy_step = step_profile.Trainee(step_profile.fused(ops), spec, wall)
fresh = OnThreads(N)
losses = np.array([[trainee.step(x, eps) for _ in range(20)] for trainee in (numpy_step, fresh)])
print("twenty steps of both backends, the same losses:", np.allclose(*losses, rtol=1e-5))

# %% [markdown]
# For the table the images are grey, without zeros, so that both backends do all of the work (the package
# leaves zeros out, as the appendix of 08b says). Three contestants race for each batch size: a step of each
# backend, and all the matrix products of such a step, alone, by the package's kernel. NumPy's BLAS gets as
# many threads as ours. Measured while other programs hold a core, such a table says little about
# either, so a second core must be free.

# %%
layers = [(D, 200), (200, 200), (200, L), (200, L), (L, 200), (200, 200), (200, D)]    # (two heads)


def products_of(batch):
    """A function that does all matrix products of a step."""
    jobs = []
    for i, (n_in, n_out) in enumerate(layers):
        left, W_, da = (rng.random(shape, dtype=f32) for shape in ((batch, n_in), (n_in, n_out), (batch, n_out)))
        jobs += [(left, W_, False, False), (left, da, True, False)] + [(da, W_, False, True)] * (i > 0)
    return lambda: [kernels.matmul(a, b, transpose_a=ta, transpose_b=tb) for a, b, ta, tb in jobs]


# %% tags=["timing"]
def row(batch):
    grey = rng.uniform(0.01, 0.99, (batch, D)).astype(f32)
    noise = rng.standard_normal((batch, L), dtype=f32)
    with threadpool_limits(N):
        return race({
            "numpy": lambda: numpy_step.step(grey, noise),
            "numba": lambda: fresh.step(grey, noise),
            "products": products_of(batch),
        }, rounds=7, turn=0.1, clock=wall)


table = {}
for batch in (20, 100, 500):
    table[batch] = checked(
        lambda batch=batch: row(batch),
        lambda t: {
            "the products take less than the step that contains them": races.part_of(t["products"], t["numba"]),
            "a second core is free": core_is_free(),
        },
    )

print("batch     NumPy, ms                numba, ms               ratio   products' share of numba's step")
for batch, t in table.items():
    cells = "".join(f"{1e3 * t[k]:9.2f} ({1e3 * t[k].low:.2f} to {1e3 * t[k].high:.2f})" for k in ("numpy", "numba"))
    print(f"{batch:5} {cells} {t['numpy'] / t['numba']:7.2f} {t['products'] / t['numba']:13.0%}")

# %% [markdown]
# How to read it, and how to distrust it:
#
# - *ratio* is NumPy's time over numba's: below 1, NumPy is ahead.
# - *products' share*: the larger it is, the less there is left to gain outside the products.
# - In each round everybody has a turn, of which the fastest step counts; the times are medians over the
#   rounds, with quartiles. Where these lie far apart, the ratio is uncertain as well.
# - PyTorch and JAX are missing. `python -m minivae bench` races them, each on as many threads.

# %% [markdown]
# ## Recap
#
# - Threads split results, never sums, and each number is added up in the same order whatever piece it lies
#   in: then the bits do not depend on their number.
# - What is not divided limits the gain, eq. (1), and handing work over is not free: keep helpers awake
#   during training, and let the leader work too.
# - A shared number needs atomic operations. Compare-and-swap notices that the word has changed, but not
#   that it has changed and changed back; hence the job's number in the ticket.
# - Others need not see ordinary stores and loads in the order of the program: a core may load before its earlier
#   store is visible, and the compiler may leave some out. Atomic ones keep it.
# - Words that different threads write belong in different cache lines.
# - Compare results before times, race what you compare, and say what is not in the table.
#
# ## Exercises
#
# `hint("08.same-bits")` gives a nudge, `solution("08.same-bits")` the reference.
# `progress()` and `review()`, from `minivae.exercises`, list what is done and ask old questions again.

# %% [markdown]
# **The same bits.** The gradient of a bias is a sum over the batch. Divide it among threads.

# %%
def divide_sums(B, D, threads):    # for db = da.sum(axis=0), da (B, D):
    ...      # -> a list of at most `threads` pieces (rows, columns), two slices each. A
             # thread adds up da[rows, columns], row by row, and adds that to db[columns].
             # db must have one thread's bits; make the largest piece as small as you can
check("08.same-bits", divide_sums)

# %% [markdown]
# **What cannot be divided.** Eq. (1) with $=$ in place of $\ge$, read backwards: from two measured times.

# %%
def serial_share(one, several, threads):    # seconds with one thread, with several threads
    ...      # -> the share of the work that is not divided, by Amdahl's law, and how many
             # times as fast as one thread it could be with endlessly many
check("08.amdahl", serial_share)

# %% [markdown]
# **Take several at once.** Where chunks are small, a swap for each of them costs much. Take up to `most`
# of them with one swap. Here the word holds nothing but the number of the next chunk. The check lets other
# threads act between any two of your calls.

# %%
def take_chunks(word, chunks, most):    # word.load() -> the next chunk, `chunks` if none;
    ...      # word.swap(expected, value) -> True if the word was `expected` and now is
             # `value`, else False. -> (first, end): the chunks range(first, end) are
             # yours alone, as many as there are up to `most`; first == end if all are gone
check("08.ticket", take_chunks)

# %% [markdown]
# **False sharing.** Some threads count in words of an array that begins anywhere in memory.

# %%
def false_sharing(address, places):    # thread t writes the word of 8 bytes that begins at
    ...      # address + 8 * places[t]; lines have 64 bytes, the first one begins at 0.
             # -> how many pairs of threads suffer from false sharing, as an int
check("08.false-sharing", false_sharing)

# %% [markdown]
# **Asleep at the wrong moment.** Here a leader does not work. It hands over job after job like this, always
# when the one before has been done, and wakes the helper if it has to:
#
# ```python
# words.store("job", job)
# if words.load("asleep"):
#     lock.release()          # if the lock is free, nothing happens
# ```
#
# Write the helper's side. At first both words are 0, and the lock is taken. Between any two calls of yours the
# leader may take any number of steps: the check tries all such orders, with up to three jobs, and tells the
# story of one that goes wrong.

# %%
def next_job(words, lock, last):    # for the helper that has done job `last` -> the number
    ...      # of the next job; words.load(name) and words.store(name, value) for "job" and
             # "asleep", which is to be 0 at the end; lock.acquire() sleeps until the lock
             # is free, and takes it. At most a few calls before you sleep
check("08.asleep", next_job)

# %% [markdown]
# **Next:** the model trains fast. Notebook 09 asks how good it is, and puts the exact
# log-likelihood beside the bound.

# %% [markdown]
# ## Appendix
#
# ### The late swap
#
# A thread loads the ticket, and is stopped by the system before it can swap. Meanwhile the others finish the
# job and start the next one, which has as many chunks and happens to stand at the same one. Without the job's
# number the word is the same again, and the late swap succeeds (the *ABA problem*):

# %%
@njit
def late_swap(address, before, after):
    """A thread loads the ticket `before`; others make it `after`; then it swaps."""
    atomic_store(address, before)
    loaded = atomic_load(address)
    atomic_store(address, after)
    return compare_and_swap(address, loaded, loaded + 1)


without_job, with_job = (packed(0, 4, 1), packed(0, 4, 1)), (packed(7, 4, 1), packed(8, 4, 1))
print("without the job's number, the late swap succeeds:", late_swap(words.ctypes.data, *without_job))
print("with it:", late_swap(words.ctypes.data, *with_job))

# %% [markdown]
# Is that bad? `take` reads nothing else before it swaps, so the thread would get chunk 1 of the new job,
# which nobody else has. But if it had read before the swap what to do, it would do chunk 1 of the old
# job, and that of the new one would be missing. With the job's number the swap fails, and the late thread
# loads the ticket again.
#
# One case is left: a thread that is late by exactly as many jobs as the number can count, $2^{32}$ here and
# $2^{20}$ in the package, after which it repeats. So the package, too, reads nothing but the ticket before it
# swaps.

# %% [markdown]
# ### A loop that waits
#
# How long does a helper look for work before it sleeps? And would an ordinary load do in such a loop?

# %%
@njit(nogil=True)
def as_a_helper(word, times):
    looks = 0
    while looks < times and atomic_load(word.ctypes.data) >= 0:
        looks += 1
        pause()
    return looks


@njit(nogil=True)
def atomically(word, times):                               # the same without the pause
    looks = 0
    while looks < times and atomic_load(word.ctypes.data) >= 0:
        looks += 1
    return looks


@njit(nogil=True)
def ordinarily(word, times):
    looks = 0
    while looks < times and word[0] >= 0:
        looks += 1
    return looks


# %% tags=["timing"]
words[:] = 0
LOOKS, MANY = threads.SPINS_BEFORE_SLEEP, 1_000_000
times = checked(
    lambda: race({
        f"a helper's {LOOKS:,} looks": lambda: as_a_helper(words, LOOKS),
        f"{MANY:,} atomic looks": lambda: atomically(words, MANY),
        f"{MANY:,} ordinary looks": lambda: ordinarily(words, MANY),
    }, clock=wall),
    lambda t: {
        "a helper looks for longer than half of the grey bar": 2 * t[f"a helper's {LOOKS:,} looks"] > parts[step_profile.REST],
        "many ordinary looks cost next to nothing": 20 * t[f"{MANY:,} ordinary looks"] < t[f"{MANY:,} atomic looks"],
    },
)
for name, seconds in times.items():
    print(f"{name:30} {1e6 * seconds:6.1f} us")
print(f"{'Python and the rest of a step':30} {1e6 * parts[step_profile.REST]:6.1f} us")

# %% [markdown]
# With an ordinary load this program looks *once*: nothing in the loop changes the word, so the compiler need
# not look again. Without the limit on `looks` it becomes a jump to itself, which waits forever, whatever
# the other threads do. A compiler may do that, it need not: written as a `for` loop with a `return`, the
# same search loads the word each time.

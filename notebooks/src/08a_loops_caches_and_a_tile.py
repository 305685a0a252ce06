# ---
# jupyter:
#   jupytext:
#     text_representation:
#       format_name: percent
# ---

# %% [markdown]
# # 08a · Making it fast: loops, caches and a tile
#
# **What you will be able to do**
# - count the arithmetic of a training step (`08.flops`);
# - say which limit a loop meets: latency, the arithmetic units or a cache (`08.latency`, `08.roofline`);
# - predict the speed of a loop from its bytes and flop and from your machine's numbers (`08.ikj-rate`);
# - write loops that the compiler turns into vector instructions, and check that it did
#   (`08.loop-order`, `08.vectorize`);
# - cut a product into blocks, and choose the shape of a register tile (`08.blocked`, `08.tile-shape`).
#
# **Builds on** notebook 07, whose training loop is to run faster, and on the dense layer of
# notebook 05. No new statistics: the same numbers, sooner. This is the first of three parts. Here
# the matrix products; in [08b](08b_fused_loops.ipynb) the other loops of a step; in
# [08c](08c_threads.ipynb) threads. Reading time: 45 minutes, and 10 for the appendix; the exercises
# come on top.
#
# Every time is measured when its cell runs, on your machine. Each measuring cell also checks what the
# text says about it: `checked` takes a measurement and, in a `lambda`, the sentences with their conditions.
# If one does not hold, the cell measures again, at most five times in all. If your machine still disagrees,
# the cell prints "Not so on this machine": then believe that line and not the text.

# %%
import sys; sys.path[:0] = [".", "..", "minivae", "../minivae"]
import os; os.environ["MINIVAE_NUM_THREADS"] = "1"         # one thread, until notebook 08c

import contextlib
import io
import platform
import re
from functools import partial

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic
from threadpoolctl import threadpool_limits

from minivae import plots, vae
from minivae.exercises import check, hint, predict, recall, reveal, solution
from minivae.kernels.inspection import vector_instructions
from minivae.plots import memory
from minivae.studies import races, step_profile
from minivae.studies.races import checked, race, show

with contextlib.redirect_stderr(io.StringIO()):            # (compiles, at the first use on a machine)
    from minivae import kernels
    from minivae.kernels import plain_products
    kernels.matmul(np.ones((1, 1), np.float32), np.ones((1, 1), np.float32))

plots.notebook_style()
threadpool_limits(1)                                       # NumPy's matrix products, too
rng = np.random.default_rng(8)
f32 = np.float32

# %% [markdown]
# Three questions from earlier notebooks first. Replace each `...` by `"a"`, `"b"` or `"c"`.

# %%
recall("08", ..., ..., ...)

# %% [markdown]
# ## 8.1  What is there to do in one step?
#
# Before making anything faster, count the work. Nearly all the arithmetic is matrix products,
#
# $$
# C_{ij} = \sum_{k} A_{ik}\,B_{kj}, \tag{1}
# $$
#
# with $A$ of shape $(m, k)$ and $B$ of shape $(k, n)$: as is usual, $k$ names the index and also how far
# it runs. Each of the $mn$ numbers of $C$ is a sum of $k$ products, and each product costs one
# multiplication and one addition:
#
# $$
# \mathrm{flop} = 2\,m\,k\,n \tag{2}
# $$
#
# ("flop" stands for floating-point operation; a GFLOP is a billion.) A dense layer has three
# products (notebook 05): forward `x @ W`, and backward `dW = x.T @ da` and `dx = da @ W.T`. The
# first layer needs no `dx`: nobody asks for the gradient of an image.

# %%
B, D, L = 100, 784, 50
layers = [(D, 200), (200, 200), (200, L), (200, L), (L, 200), (200, 200), (200, D)]     # (I, O); mu and logvar: L each

forward = [(B, I, O) for I, O in layers]                  # (m, k, n) of x W
for_dW = [(I, B, O) for I, O in layers]                   #           of x' da
for_dx = [(B, O, I) for I, O in layers[1:]]               #           of da W'
step_flop = sum(2 * m * k * n for m, k, n in forward + for_dW + for_dx)
print(f"{len(forward + for_dW + for_dx)} products, {step_flop / 1e9:.2f} GFLOP in a step of {B} images")
adam_flop = 13 * sum(I * O for I, O in layers)            # 13 for each weight: count them in 08b's adam_loop
print(f"Adam, beside that: {adam_flop / step_flop:.1%} as much")

# %% [markdown]
# Eq. (1) is three nested loops. Python's interpreter would be far too slow for them. **numba** compiles a
# Python function to machine instructions the first time it is called; `@njit` above it is all it
# takes. Here is eq. (1) as a textbook writes it, named after its loops, the outermost first.

# %%
@njit
def matmul_ijk(A, B, C):
    for i in range(A.shape[0]):
        for j in range(B.shape[1]):
            total = f32(0)
            for k in range(A.shape[1]):
                total += A[i, k] * B[k, j]
            C[i, j] = total


# %% [markdown]
# Now train with it: a step of notebook 07 on a model with the layers counted above, made-up images
# in which a fifth of the pixels are on, and every matrix product done by this loop. Everything else
# is the NumPy code of notebooks 03 to 07. `step_profile` notes, inside the step, how long each part
# takes.

# %%
def product_by(loops):
    """A function (A, B) -> A B from one that fills C."""
    def product(A, B):
        A, B = np.ascontiguousarray(A), np.ascontiguousarray(B)
        C = np.empty((len(A), B.shape[1]), f32)
        loops(A, B, C)
        return C
    return product


spec = vae.Spec(D, (200, 200), L)
x = (rng.random((B, D)) < 0.2).astype(f32)
eps = rng.standard_normal((B, L), dtype=f32)

# %% tags=["timing"]
textbook = step_profile.Trainee(step_profile.with_product(product_by(matmul_ijk)), spec)
opening = checked(
    lambda: step_profile.profile({"textbook loop": textbook}, x, eps, rounds=5, turn=0.3),
    lambda p: step_profile.contradictions(p) | {
        "the products take most of the step": p["textbook loop"]["products"] > p["textbook loop"]["step"] / 2,
    },
)
fig, ax = plots.figure(6.8, 2.2)
step_profile.draw(ax, opening)
fig

# %% [markdown]
# The products take most of the step: this notebook is about that one bar.
#
# **How the times are taken.** The clock counts the time that this thread computes, not the time in
# which other programs have the core (except on Windows). In each round every contestant has a turn and its
# fastest call counts, since a disturbance can only make a call slower. The number shown is the median over
# the rounds; the thin lines on the bars, and the numbers in brackets below, are the quartiles.

# %% [markdown]
# ## 8.2  Why is the textbook loop slow?
#
# One product, close to a layer's real size, is enough to find out.

# %%
A = races.aligned(rng.standard_normal((96, 768)))         # a batch
W = races.aligned(rng.standard_normal((768, 208)))        # a layer's weights (why 208: see the end of 8.3)
C = races.aligned(np.zeros((96, 208)))                    # (aligned: begins a cache line, 8.3)
flop = 2 * 96 * 768 * 208
right = A @ W


def agrees(matmul, *operands):
    C[:] = 0
    matmul(*operands, C)
    return np.allclose(C, right, atol=1e-3)


print("the textbook loop agrees with A @ W:", agrees(matmul_ijk, A, W))

# %% [markdown]
# **First suspect: the order of memory.** An array is one long line of numbers, and NumPy stores it
# row after row. With `k` innermost, `B[k, j]` goes down a column: each step of the loop jumps over a
# whole row. So store $B$ transposed: then `Bt[j, k]` goes along a row, from neighbour to neighbour.
#
# **Predict first.** How fast is the same loop on $B$ transposed: `"as slow"`, `"3 times"` or
# `"10 times"` as fast?

# %%
predict("08.transpose", ...)

# %% tags=["timing"]
def dots(A, Bt, C):                                       # the textbook loop, for B transposed
    for i in range(A.shape[0]):
        for j in range(Bt.shape[0]):
            total = f32(0)
            for k in range(A.shape[1]):
                total += A[i, k] * Bt[j, k]
            C[i, j] = total


matmul_dots = njit(dots)
Wt = races.aligned(W.T)
print("agrees with A @ W:", agrees(matmul_dots, A, Wt))

times = checked(
    lambda: race({"B as stored": lambda: matmul_ijk(A, W, C), "B transposed": lambda: matmul_dots(A, Wt, C)}),
    lambda t: {"transposing B gains little": t["B as stored"] < 1.5 * t["B transposed"]},
)
show(times, flop)
reveal("08.transpose")

# %% [markdown]
# At this size the order of memory is not what makes the loop slow. So what does it wait for? Look at
# the line `total += ...`: each addition needs the result of the one before. A core can start one or more
# additions in every tick of its clock, but it takes a few ticks until a result is there. That is the
# **latency** of the addition, and a chain of additions goes no faster than one per latency. If that is
# the cause, then adding one number again and again must take as long for each addition as our loop
# takes for each multiply-add. (The multiplications wait for no sum: they are done in advance.)

# %% tags=["timing"]
@njit
def chain(number, n):
    total = f32(0)
    for _ in range(n):
        total += number
    return total


def per_operation():
    t = race({"chain": lambda: chain(f32(0.001), 200_000), "textbook": lambda: matmul_ijk(A, W, C)})
    return {"one addition in a chain": t["chain"] / 200_000, "one multiply-add of the loop": t["textbook"] / (flop / 2)}


waits = checked(per_operation, lambda t: {
    "the loop takes as long as a chain of additions": 0.75 < t["one multiply-add of the loop"] / t["one addition in a chain"] < 1.33,
})
for name, seconds in waits.items():
    print(f"{name:30} {1e9 * seconds:.2f} ns")

# %% [markdown]
# That the two agree (the check allows a third) is a hint, not a proof. An experiment that could show
# otherwise: keep the order of the additions in every sum, let every multiply-add load its own two numbers
# as before, and only let *two sums* run side by side, so that one addition can start while another is on
# its way. If latency is the cause, two sums are nearly twice as fast as one. (The sums belong to different
# rows and different columns, so that they share no number.)

# %%
@njit
def two_sums(A, Bt, C):
    n = Bt.shape[0]
    for i in range(0, A.shape[0], 2):
        for j in range(n):
            j1 = n - 1 - j
            t0 = t1 = f32(0)
            for k in range(A.shape[1]):
                t0 += A[i, k] * Bt[j, k]
                t1 += A[i + 1, k] * Bt[j1, k]
            C[i, j], C[i + 1, j1] = t0, t1


one = C.copy()
matmul_dots(A, Wt, one)
print("agrees:", agrees(two_sums, A, Wt), " the same bits as one sum:", np.array_equal(C, one))

# %% tags=["timing"]
times = checked(
    lambda: race({"one sum at a time": lambda: matmul_dots(A, Wt, C), "two sums": lambda: two_sums(A, Wt, C)}),
    lambda t: {
        "two sums gain": t["one sum at a time"] > 1.7 * t["two sums"],
        "neither has vectors": vector_instructions(matmul_dots) == vector_instructions(two_sums) == 0,   # (the next step)
    },
)
show(times, flop)

# %% [markdown]
# The same bits, as many loads, the same arithmetic, one number at a time, and two sums side by side are
# nearly twice as fast as one. (Two sums also halve how often `k` is counted up. But that counting waits for
# no addition, so a core does it while the additions are on their way.) The textbook loop waits for its own
# last addition.
#
# ### Several numbers at a time
#
# A core also has *vector registers* that hold 4, 8 or 16 float32 side by side (each place is a *lane*),
# and instructions that add or multiply all lanes at once: NEON on ARM has 4 lanes, AVX2 and AVX-512 on
# x86 have 8 and 16. Could the compiler keep eight partial sums in the lanes of one register, and add those
# up at the end? It *may* not: that is another order of additions, and rounding makes the result depend on
# the order.

# %%
big, unit = f32(1e8), f32(1)
print("(unit + big) - big =", (unit + big) - big)
print("unit + (big - big) =", unit + (big - big))

# %% [markdown]
# numba changes such results only with permission. The permission to regroup sums is called
# `reassoc`. This project names the permissions that it needs one by one, because `fastmath=True` grants
# more: the compiler may then also assume that no number is NaN.
#
# **Predict first.** With permission to regroup and $B$ transposed, how much faster is the loop than the
# textbook's: `"about as fast"`, `"2 to 10 times"` or `"over 10 times"`?

# %%
predict("08.regroup", ...)

# %% tags=["timing"]
regroup = njit(fastmath={"reassoc"})
ijk_regrouped, dots_regrouped = regroup(matmul_ijk.py_func), regroup(dots)
print("both agree with A @ W:", agrees(ijk_regrouped, A, W), agrees(dots_regrouped, A, Wt))

four_ways = checked(
    lambda: race({
        "in order, B as stored": lambda: matmul_ijk(A, W, C),
        "in order, B transposed": lambda: matmul_dots(A, Wt, C),
        "regrouped, B as stored": lambda: ijk_regrouped(A, W, C),
        "regrouped, B transposed": lambda: dots_regrouped(A, Wt, C),
    }),
    lambda t: {
        "each change alone gains less than a factor of two": t["in order, B as stored"] < 2 * min(list(t.values())[1:3]),
        "both together are more than twice as fast as either": min(list(t.values())[:3]) > 2 * t["regrouped, B transposed"],
    },
)
show(four_ways, flop)
gain = four_ways["in order, B as stored"] / four_ways["regrouped, B transposed"]
reveal("08.regroup", "about as fast" if gain < 2 else "2 to 10 times" if gain < 10 else "over 10 times")

# %% [markdown]
# Each change alone gains less than a factor of two; both together are more than twice as fast as either.
# Permission to regroup lets the compiler keep many partial sums, in the lanes of several registers. But a
# vector is loaded from *neighbours* in memory, and down a column of $B$ there are none. There the compiler
# leaves the chain as it was (or, on some machines, loads a vector number by number). So the order of memory
# does matter: it decides whether vectors can do the work.

# %% [markdown]
# ## 8.3  Does it matter in which order the loops are nested?
#
# The loops of eq. (1) can be nested in any order: the same $mkn$ products are added to the same sums.
# Here are two of the other five orders. From here on $W$ has 192 columns, a number that whole vectors and
# tiles fill without a rest. (8.2 took 208, to look at the additions alone: see the end of this section.)

# %%
W, C = races.aligned(W[:, :192]), races.aligned(C[:, :192])
right, flop = A @ W, 2 * 96 * 768 * 192


@njit
def matmul_ikj(A, B, C):
    C[:] = 0
    for i in range(A.shape[0]):
        for k in range(A.shape[1]):
            for j in range(B.shape[1]):
                C[i, j] += A[i, k] * B[k, j]


@njit
def matmul_jki(A, B, C):
    C[:] = 0
    for j in range(B.shape[1]):
        for k in range(A.shape[1]):
            for i in range(A.shape[0]):
                C[i, j] += A[i, k] * B[k, j]


print("ikj and jki agree:", agrees(matmul_ikj, A, W), agrees(matmul_jki, A, W))

# %% [markdown]
# **Predict first.** No transposed copy and no permission to regroup now. Which is the fastest:
# `"ijk"`, `"ikj"` or `"jki"`?

# %%
predict("08.fastest-order", ...)

# %% tags=["timing"]
orders = checked(
    lambda: race({
        "ijk": lambda: matmul_ijk(A, W, C),
        "ikj": lambda: matmul_ikj(A, W, C),
        "jki": lambda: matmul_jki(A, W, C),
        "BLAS, A @ W": lambda: A @ W,
    }),
    lambda t: {"ikj is more than twice as fast as the two others": min(t["ijk"], t["jki"]) > 2 * t["ikj"]},
)
show(orders, flop)
reveal("08.fastest-order")

# %% [markdown]
# (*BLAS*, Basic Linear Algebra Subprograms, is what NumPy calls for `@`: a library of products that has
# been tuned for decades.) Here is what four steps of the innermost loop touch, in a corner of each array:

# %%
memory.walks("ijk", "ikj", "jki")

# %% [markdown]
# The numbers in the boxes are the steps. (The frames come below.) `ijk` goes down a column of $B$, and all its steps
# add to one number of $C$: a chain. `jki` has no chain, but goes down columns of $A$ and $C$. In `ikj`
#
# $$
# C_{i,:} \;\leftarrow\; C_{i,:} + A_{ik}\,B_{k,:} \tag{3}
# $$
#
# there is no chain either, since each number of the row of $C$ has a sum of its own, and the innermost
# loop goes along rows, from neighbour to neighbour. So the compiler can use vectors without permission to
# regroup. Look into its code:

# %% tags=["timing"]
found = checked(
    lambda: [vector_instructions(f) for f in (matmul_ijk, matmul_ikj, matmul_jki)],
    lambda n: {"ijk has no vectors, ikj and jki have some": n[0] == 0 < min(n[1:])},
)
print("vector instructions in ijk, ikj, jki:", found)
llvm = "\n".join(matmul_ikj.inspect_llvm().values())
print("one of ikj:", re.search(r"fmul <\d+ x float>|fadd <\d+ x float>", llvm)[0])

# %% [markdown]
# `<8 x float>` (or 4, or 16) is how LLVM, the compiler inside numba, spells a vector of float32. But
# `jki` has vector instructions as well, and is slow. LLVM wrote them behind a test of whether neighbours
# in a column lie side by side. So a count above zero says that vectors are in the code, not that they
# run: look, and race.
#
# Is it really the columns that make `jki` slow? Then the same loop must be fast on arrays that are stored
# column by column.

# %% tags=["timing"]
A_columns, C_columns = races.aligned(A.T).T, races.aligned(C.T).T
times = checked(
    lambda: race({
        "jki, stored by rows": lambda: matmul_jki(A, W, C),
        "jki, stored by columns": lambda: matmul_jki(A_columns, W, C_columns),
    }),
    lambda t: {"jki is more than twice as fast by columns": t["jki, stored by rows"] > 2 * t["jki, stored by columns"]},
)
show(times, flop)

# %% [markdown]
# It is: now the same loop is more than twice as fast. Besides vectors there is a second reason to go along
# neighbours.
#
# ### Cache lines
#
# Between the core and the memory lie *caches* (not those of notebook 05): small fast stores that keep what was
# used last. The first is the smallest and the nearest (8.4 measures them). What comes from memory comes in
# *cache lines* of (on most machines) 64 bytes, 16 numbers of float32: whoever asks for
# one number gets its neighbours too. They are the frames in the picture, drawn with four numbers each.
# Take an array far larger than the nearer caches, and multiply every number, or only every second, ..., or
# only every sixteenth.
#
# **Predict first.** With every sixteenth number there is a sixteenth of the arithmetic. How long
# does it take: `"a sixteenth"` of the time, or clearly `"more"`?

# %%
predict("08.stride", ...)

# %% tags=["timing"]
@njit
def every(numbers, stride):
    for i in range(0, len(numbers), stride):
        numbers[i] *= f32(1.0001)


large = races.aligned(np.ones(2**24, f32))                         # 64 MB
passes = checked(
    lambda: race({s: partial(every, large, s) for s in (1, 2, 4, 8, 16, 32, 64)}, turn=0.04),
    lambda t: {
        "every sixteenth takes clearly more than a sixteenth": t[16] > 1.7 * t[1] / 16,
        "every fourth takes less than twice as long as every sixteenth": t[4] < 2 * t[16],
        "in the end lines are left out": t[64] < 0.9 * t[16],
    },
)
for stride, seconds in passes.items():
    print(f"every {stride:2}: {1e3 * seconds:6.2f} ms, {len(large) // stride / 1e6:5.2f} million numbers")
reveal("08.stride")

# %% [markdown]
# From every fourth to every sixteenth the work falls to a quarter, and the time by less than half: all
# lines are still fetched. (At smaller steps the time may fall as much as the work does. The compiler does
# not know the step and uses no vectors, so there the core takes longer to multiply, one number at a time, than the
# lines take to come. If it falls by even more, there is another cause, which this race does not show.)
# At 64 three of four lines are left out (of lines of 128 bytes, one of two), and the time falls again. The pale numbers
# of the picture are fetched and, for now, not used: down a column each number needs another line. If the
# column is long, the lines have left the first cache before the loop comes to the next column.
#
# And now the reason for 208 columns in 8.2. The address of a line decides in which *set* of a cache it can be
# kept. Most first caches of 32 or 48 kB have 64 sets, with room for 8 or 12 lines each. The next line in memory
# belongs to the next set, and after the last set comes the first again. A row of 208 numbers is 13 lines of 64
# bytes, so each step down a column goes 13 sets on, and 64 such steps visit every set once. A row of 192 numbers
# is 12 lines. After 16 steps of 12 we are 192 sets on, three times around, and back at the first. So the 768 lines
# of a column crowd into 16 sets, 48 in each, and most are thrown out long before the next column needs them.
# (A column of 208 may be too long as well: its 768 lines are 48 kB. But they are only 12 in each set, so more of
# them may still be there.) Where an addition has a short latency, the textbook loop may then wait for its lines
# instead of for its sum. Race it at five widths; GFLOP/s allow for the different number of columns:

# %% tags=["timing"]
def textbook_on(n):
    """The textbook loop, with a B of n columns."""
    B, C = races.aligned(rng.standard_normal((768, n))), races.aligned(np.zeros((96, n)))
    return lambda: matmul_ijk(A, B, C)


contestants = {n: textbook_on(n) for n in (176, 192, 208, 224, 240)}
a_column = checked(
    lambda: {n: seconds / n for n, seconds in race(contestants).items()},
    lambda t: {"a column of 192 takes no less time than one of 208": t[192] > 0.9 * t[208]},
)
for n, seconds in a_column.items():
    print(f"{n} columns, {n // 16} lines a row: {2 * 96 * 768 / seconds / 1e9:5.2f} GFLOP/s")

# %% [markdown]
# An odd number of lines shares no divisor with 64 but 1, so a column reaches all 64 sets. 14 shares 2 with it: a
# column reaches every second set. 12 shares 4: every fourth. If 192 columns are slower than those with an odd number
# of lines, and 224 lie between, your core waits for its lines there. (A larger first cache may hold a column of 224,
# and then only 192 is slower.) If all five are as fast as the loop on $B$ transposed in 8.2, your core waits for its
# sums at every width. (`jki` meets the crowding as well: a row of $A$ is 48 lines, and of 64 sets a column of $A$
# reaches only 4.)

# %% [markdown]
# ## 8.4  How many bytes can a loop move in a second?
#
# A core computes faster than memory delivers. Between them lie the caches: a small fast one (L1), a
# larger slower one (L2), often a third (L3) that cores share. The **bandwidth**
# of each is the number of bytes that a loop can load and store there in a second, when it goes straight
# ahead. Measure it with a loop that does almost nothing else: two loads, one addition, one store.

# %%
@njit
def add_arrays(a, b, c, repeats):
    for _ in range(repeats):
        for j in range(len(c)):
            c[j] = a[j] + b[j]


def bytes_per_second(n_bytes):
    """How fast add_arrays moves three arrays that have n_bytes together."""
    n = n_bytes // 12 // 16 * 16
    a, b, c = (races.aligned(np.ones(n)) for _ in range(3))
    repeats = max(1, 2**23 // n_bytes)
    return 12 * n * repeats / race({"add": lambda: add_arrays(a, b, c, repeats)}, 5, 0.01)["add"]


# %% tags=["timing"]
caches = races.cache_sizes()                              # where the system tells them (Linux)
L1, L2 = caches.get("L1", 32 * 1024), caches.get("L2", 512 * 1024)
sizes = {"L1": (L1 // 5, L1 // 3, L1 * 3 // 4), "L2": (L2 // 5, L2 // 3), "memory": (2**26,)}     # bytes
bandwidth = checked(                                      # the best size of each
    lambda: {level: max(bytes_per_second(size) for size in some) for level, some in sizes.items()},
    lambda b: {"each level delivers less than the one before": b["L1"] > 1.2 * b["L2"] > 1.44 * b["memory"]},
)
print(f"L1 has {L1 // 1024} kB, L2 {L2 // 1024} kB" + ("" if "L2" in caches else " (assumed)"))
for level, speed in bandwidth.items():
    print(f"{level:7} {speed / 1e9:6.1f} GB/s")

# %% [markdown]
# Each level delivers less than the one before. (If your third cache is larger than 64 MB, the last line is
# about it.)
#
# ## 8.5  How fast could it be?
#
# ### The roof
#
# How many multiply-adds can a core do when nothing comes from memory at all? Each takes a latency (on some cores a
# longer one than an addition), and the core has one or more *pipes* that can each start one in every tick. To keep
# them all busy there
# must be latency (in ticks) × pipes of them on the way, which do not wait for one another. So measure $n$
# independent chains of multiply-adds of whole vectors, that live in registers only, for growing $n$.
#
# No loop in Python says "this vector, in a register". But numba lets us append the instructions of a
# function ourselves: it gives us a *builder*, and each method such as `builder.fmul` appends one
# instruction of LLVM. Three helpers first.

# %%
LANES = kernels.machine_lanes()                           # how many float32 a register holds here
WORD, NUMBER = ir.IntType(64), ir.FloatType()


def whole(n):
    """A constant whole number."""
    return ir.Constant(WORD, n)


def spread(builder, number, lanes):
    """One number in every lane of a vector."""
    empty = ir.Constant(ir.VectorType(NUMBER, lanes), ir.Undefined)
    first = builder.insert_element(empty, number, ir.Constant(ir.IntType(32), 0))       # in lane 0
    everywhere = ir.Constant(ir.VectorType(ir.IntType(32), lanes), [0] * lanes)
    return builder.shuffle_vector(first, empty, everywhere)                             # lane 0 in each lane


def multiply_add(builder, a, b, c):
    """a b + c; `contract`: as one instruction that rounds once, where the machine has it."""
    product = builder.fmul(a, b, flags=("contract",))
    return builder.fadd(product, c, flags=("contract",))


# %% [markdown]
# And the chains: $n$ local variables (`alloca_once_value` makes one), each a vector, and a loop of the
# machine (`for_range`) in which each becomes itself times `half`, plus `number`. A function under
# `@intrinsic` computes nothing: it returns the types of result and arguments, and `codegen`, which numba
# calls when it compiles. So the Python `for` runs *while the code is made*, and the loop of the machine
# holds $n$ multiply-adds one after another.

# %%
def chains(n, lanes):
    """A function (number, rounds): n independent chains of multiply-adds, `rounds` long."""
    @intrinsic
    def instructions(context, number, rounds):
        def codegen(context, builder, signature, args):
            number = spread(builder, args[0], lanes)
            half = ir.Constant(number.type, [0.5] * lanes)
            totals = []
            for i in range(n):                            # each starts from another number
                start = builder.fmul(number, ir.Constant(number.type, [1.0 + i] * lanes))
                totals.append(cgutils.alloca_once_value(builder, start))
            with cgutils.for_range(builder, args[1]):
                for total in totals:
                    builder.store(multiply_add(builder, builder.load(total), half, number), total)
            result = builder.load(totals[0])
            for total in totals[1:]:
                result = builder.fadd(result, builder.load(total))
            return builder.extract_element(result, ir.Constant(ir.IntType(32), 0))

        return types.float32(types.float32, types.intp), codegen

    @njit
    def run(number, rounds):
        return instructions(number, rounds)

    return run


print("four chains that run to 2 each, added up:", chains(4, LANES)(f32(1), 100))

# %% tags=["timing"]
ROUNDS = 50_000
most = 24 if LANES == 16 or platform.machine().lower() in ("arm64", "aarch64") else 12   # that fit the registers
runners = {n: chains(n, LANES) for n in (1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24) if n <= most}
times = checked(
    lambda: race({n: partial(f, f32(1), ROUNDS) for n, f in runners.items()}, 5, 0.01),
    lambda t: {
        "two chains take no longer than one": t[2] < 1.2 * t[1],
        "in the end the pipes are full": list(t.values())[-1] > 1.1 * list(t.values())[-2],
    },
)
rates = {n: 2 * LANES * n * ROUNDS / s / 1e9 for n, s in times.items()}
roof = max(rates.values())

fig, ax = plots.figure(6.4, 3.0)
ax.plot(list(rates), list(rates.values()), color=plots.BLUE, marker="o", ms=4)
ax.axhline(roof, color=plots.INK, lw=1, ls="--")
ax.set(xlabel="independent chains", ylabel="GFLOP per second", ylim=(0, 1.12 * roof), title=f"the roof: {roof:.0f} GFLOP/s")
print(f"one chain {rates[1]:.1f} GFLOP/s; latency x pipes = roof / one chain = {roof / rates[1]:.1f} chains needed")
fig

# %% [markdown]
# A second chain costs hardly any time: it fits into the waiting of the first. Further ones do so until the
# pipes are full. The highest rate is the **peak**: the roof over every loop of multiply-adds, whatever its
# data. (Some cores can start additions of vectors beside them.) The printed number says how many vectors of
# sums a loop must keep going to reach it: fewer leave pipes idle.
#
# ### The roofline
#
# The other limit is data. Which limit counts depends on the loop's **intensity**, the arithmetic
# done for each byte moved:
#
# $$
# \text{intensity} = \frac{\text{flop}}{\text{bytes moved}} \tag{4}
# $$
#
# $$
# \text{rate} \le \min\left(\text{peak},\; \text{intensity} \cdot \text{bandwidth}\right) \tag{5}
# $$
#
# Eq. (5) holds for **each cache by itself**: with its bandwidth, and the bytes that pass between it and its
# neighbour on the core's side (for the first cache, the registers). Count them for `ikj`, eq. (3), with
# vectors of 8 float32, 32 bytes (the width cancels). Each multiply-add of a vector is 16 flop. It loads a
# vector of $B$, loads one of $C$ and stores one of $C$: 96 bytes at the first cache, 16/96 flop a byte. The
# row of $C$ stays in the first cache while $k$ runs; $B$ is too large for it, so for each row of $C$ all of
# $B$ comes from the second, or through it: 32 bytes there, 16/32 flop a byte. (Where $B$ is too large for
# the second as well, the third sets one more limit, which we leave out.)
#
# **Predict first.** With your bandwidths of 8.4 and the roof above: which limit is the lowest for `ikj`,
# that of `"the first cache"`, `"the second cache"` or `"the roof"`?

# %%
predict("08.ikj-limit", ...)

# %% tags=["timing"]
by_cache = {"the first cache": 16 / 96 * bandwidth["L1"], "the second cache": 16 / 32 * bandwidth["L2"]}
limits = {name: rate / 1e9 for name, rate in by_cache.items()} | {"the roof": roof}
lowest = min(limits, key=limits.get)
measured = checked(
    lambda: flop / race({"ikj": lambda: matmul_ikj(A, W, C)})["ikj"] / 1e9,
    lambda rate: {"ikj comes to more than half of its limit, and not 15 percent above it": 0.5 < rate / limits[lowest] < 1.15},
)
for name, rate in limits.items():
    print(f"ikj: {rate:5.1f} GFLOP/s by {name}")
print(f"ikj: {measured:5.1f} measured")
reveal("08.ikj-limit", lowest)

# %% [markdown]
# `ikj` comes to more than half of the lowest limit, and to no more than 15 percent above it (the
# bandwidths are those of another loop). If the caches are the reason that it stays below the roof, then
# **more arithmetic for each byte** must help.
#
# ### Four rows at a time
#
# Take four rows of $B$ together. A vector of $C$ is loaded and stored once for four multiply-adds:
# 64 flop for 4 + 2 vectors, 192 bytes, twice the intensity of `ikj`. The loop over $i$ now lies inside the loop
# over $k$: the four rows of $B$ stay in the first cache, and all rows of $C$ go past them. So at the second cache
# it is $C$ that passes, where all of it is too large for the first: one load and one store, 64 bytes.
#
# Another cause is possible: the roof was measured with multiply-adds in one instruction, while `ikj` takes
# two, since it has no permission (`contract`) to round only once. So race both with that permission, too.
# And two other things change along with the bytes: the loop over $k$ is outside, and the innermost loop begins a
# quarter as often. The race has each of them alone: $k$ outside with one row at a time, and `ikj` on rows eight times
# as long, with an eighth of the $k$ (as much arithmetic, and a $B$ of the same size).

# %% tags=["timing"]
@njit
def matmul_four_rows(A, B, C):
    """k must be a multiple of 4."""
    C[:] = 0
    for k in range(0, A.shape[1], 4):
        b0, b1, b2, b3 = B[k], B[k + 1], B[k + 2], B[k + 3]
        for i in range(A.shape[0]):
            a0, a1, a2, a3 = A[i, k], A[i, k + 1], A[i, k + 2], A[i, k + 3]
            c = C[i]
            for j in range(len(c)):
                c[j] += a0 * b0[j] + a1 * b1[j] + a2 * b2[j] + a3 * b3[j]


@njit
def matmul_kij(A, B, C):
    C[:] = 0
    for k in range(A.shape[1]):
        for i in range(A.shape[0]):
            for j in range(B.shape[1]):
                C[i, j] += A[i, k] * B[k, j]


A_short, W_long, C_long = (races.aligned(a) for a in (A[:, :96], W.reshape(96, -1), np.zeros((96, 8 * 192))))
fused = njit(fastmath={"contract"})
ikj_fused, four_rows_fused = fused(matmul_ikj.py_func), fused(matmul_four_rows.py_func)
print("agree with A @ W:", *(agrees(f, A, W) for f in (matmul_four_rows, matmul_kij, ikj_fused, four_rows_fused)))
times = checked(
    lambda: race({
        "ikj": lambda: matmul_ikj(A, W, C),
        "ikj, long rows": lambda: matmul_ikj(A_short, W_long, C_long),
        "kij": lambda: matmul_kij(A, W, C),
        "ikj, fused": lambda: ikj_fused(A, W, C),
        "four rows": lambda: matmul_four_rows(A, W, C),
        "four rows, fused": lambda: four_rows_fused(A, W, C),
    }),
    lambda t: {
        "four rows are faster than one": t["ikj"] > 1.25 * t["four rows"],
        "also where both are fused": t["ikj, fused"] > 1.25 * t["four rows, fused"],
        "four rows gain more than fused multiply-adds": t["ikj, fused"] > 1.1 * t["four rows"],
        "k outside alone gains little or nothing": t["kij"] > 0.9 * t["ikj"],
        "long rows alone gain little or nothing": t["ikj, long rows"] > 0.9 * t["ikj"],
    },
)
show(times, flop)
print(f"limits of the four rows: {64 / 192 * bandwidth['L1'] / 1e9:.0f} GFLOP/s by the first cache,"
      f" {64 / 64 * bandwidth['L2'] / 1e9:.0f} by the second")

# %% [markdown]
# Four rows gain more than fused multiply-adds do, and they gain with and without fusing. The arithmetic of the
# product is the same, and fewer bytes pass, at both caches. The two other changes gain little or nothing alone. So it
# is mostly the bytes that hold `ikj` back.
#
# ## 8.6  The register tile
#
# To gain more, $C$ should not travel at all. A **register tile** keeps a small block of $C$, of $R$ rows
# and $V$ vectors, in registers during the whole sum over $k$. Here is one of $R = 6$ and $V = 2$:

# %%
memory.register_tile(6, 2, 8)

# %% [markdown]
# Each step of $k$ loads $V$ vectors of $B$ and $R$ single numbers of $A$, and does $RV$ multiply-adds:
#
# $$
# \frac{\text{loads}}{\text{multiply-adds}} = \frac{R + V}{R\,V} \tag{6}
# $$

# %%
def registers(R, V):
    """R V for C, V for the vectors of B, and one for the spread-out number of A."""
    return R * V + V + 1


for R, V in ((1, 1), (2, 2), (4, 2), (6, 2), (4, 3), (12, 2), (8, 3)):
    print(f"R = {R:2}, V = {V}: {R * V:2} sums on the way, {(R + V) / (R * V):.2f} loads for a"
          f" multiply-add, {registers(R, V):2} registers, {R:2} sums at an edge")

# %% [markdown]
# The shape must meet three conditions: enough sums on the way to fill the pipes (8.5), few loads, and no
# more registers than there are, which is 16 with AVX2, 32 with AVX-512 and NEON. And there is the edge. 200
# columns are 25 vectors of 8: twelve pairs and one left over, or eight threes and one left over. The
# last column of tiles is then one vector wide, with only $R$ sums on the way. So 4 × 3 has
# fewer loads than 6 × 2, but fewer sums at such an edge. The package takes 12 × 2 with AVX-512 and
# 6 × 2 otherwise; the appendix races the shapes.
#
# Before any instructions, the picture in NumPy. It reads eq. (1) as a sum of columns times rows,
#
# $$
# C = \sum_k A_{:,k}\,B_{k,:} \tag{7}
# $$
#
# for a few rows and columns of $C$.

# %%
tile = np.zeros((6, 16), f32)                             # this is what stays in the registers
for k in range(A.shape[1]):
    tile += A[:6, k : k + 1] * W[k, :16]                  # 6 numbers, 16 numbers, 96 multiply-adds
print("a corner of A @ W:", np.allclose(tile, right[:6, :16], atol=1e-3))

# %% [markdown]
# Now with the builder of 8.5, and one more word: the address of a number. (`align=4` says that a vector may
# begin at any number.) The Python loops over `i` and `j` run while the code is made, like that of the
# chains. Only the loop over `k` is left in the machine's code.

# %%
def at(builder, address, offset, kind):
    """A pointer to a `kind`, `offset` numbers of 4 bytes after an address."""
    there = builder.add(address, builder.mul(offset, whole(4)))
    return builder.inttoptr(there, kind.as_pointer())


def tile_instructions(builder, R, V, lanes, a, b, c, k_size, n):
    vector = ir.VectorType(NUMBER, lanes)
    zero = ir.Constant(vector, [0.0] * lanes)
    sums = {(i, j): cgutils.alloca_once_value(builder, zero) for i in range(R) for j in range(V)}
    with cgutils.for_range(builder, k_size) as loop:
        row = builder.mul(loop.index, n)                  # B[k, :] begins here
        b_k = [builder.load(at(builder, b, builder.add(row, whole(j * lanes)), vector), align=4) for j in range(V)]
        for i in range(R):
            a_ik = builder.add(builder.mul(k_size, whole(i)), loop.index)
            a_ik = spread(builder, builder.load(at(builder, a, a_ik, NUMBER), align=4), lanes)
            for j in range(V):
                total = multiply_add(builder, a_ik, b_k[j], builder.load(sums[i, j]))
                builder.store(total, sums[i, j])
    for (i, j), total in sums.items():
        c_ij = builder.add(builder.mul(n, whole(i)), whole(j * lanes))
        builder.store(builder.load(total), at(builder, c, c_ij, vector), align=4)


# %% [markdown]
# What remains is an ordinary loop over the tiles.

# %%
def tiled(R, V, lanes=LANES):
    """A product with tiles of R rows x V vectors: m a multiple of R, n of V lanes, contiguous float32."""
    @intrinsic
    def make_tile(context, a, b, c, k_size, n):
        def codegen(context, builder, signature, args):
            tile_instructions(builder, R, V, lanes, *args)
            return context.get_dummy_value()

        return types.void(*[types.intp] * 5), codegen

    @njit
    def matmul_tiles(A, B, C):
        (m, k_size), n = A.shape, B.shape[1]
        a, b, c = A.ctypes.data, B.ctypes.data, C.ctypes.data
        for j in range(0, n, V * lanes):
            for i in range(0, m, R):
                make_tile(a + 4 * i * k_size, b + 4 * j, c + 4 * (i * n + j), k_size, n)

    return matmul_tiles


R, V = (12, 2) if LANES == 16 else (6, 2)
matmul_tiles = tiled(R, V)
print("agrees with A @ W:", agrees(matmul_tiles, A, W))

# %% [markdown]
# One race of all the loops, with the roof as a contestant. For each loop we know the flop for each byte of
# the first cache, and so its limit by eq. (5).

# %% tags=["timing"]
full = chains(most, LANES)
intensity = {                                             # ijk: two loads of a number; tile: those of eq. (6)
    "ijk": 2 / 8, "ikj": 16 / 96, "four rows": 64 / 192, "tile": 2 * R * V * LANES / (4 * (V * LANES + R)),
}
limit = {name: min(roof, flop_a_byte * bandwidth["L1"] / 1e9) for name, flop_a_byte in intensity.items()}


def of_limit(seconds, name):
    """Which part of its limit by roof and first cache a loop reaches."""
    return flop / seconds / 1e9 / limit[name]


tile_times = checked(
    lambda: race({
        "ijk": lambda: matmul_ijk(A, W, C),
        "ikj": lambda: matmul_ikj(A, W, C),
        "four rows": lambda: matmul_four_rows(A, W, C),
        "tile": lambda: matmul_tiles(A, W, C),
        "BLAS": lambda: A @ W,
        "roof": lambda: full(f32(1), flop // (2 * LANES * most)),
    }),
    lambda t: {
        "ikj reaches more than half of its limit": 0.5 < of_limit(t["ikj"], "ikj") < 1.15,
        "four rows reach more than two fifths of theirs": 0.4 < of_limit(t["four rows"], "four rows") < 1.15,
        "ijk reaches less than a tenth": of_limit(t["ijk"], "ijk") < 0.1,
        "the tile is faster than four rows": t["four rows"] > 1.15 * t["tile"],
        "the tile reaches three quarters of the roof": t["tile"] < 1.33 * t["roof"],
        "the tile and BLAS stay below the roof": races.below_roof(max(1 / t["tile"], 1 / t["BLAS"]), 1 / t["roof"]),
    },
)
show(tile_times, flop)

# %% tags=["timing"]
fig, ax = plots.figure(6.4, 3.6)
flops_per_byte = np.logspace(-1.3, 1.3, 200)
for level, dash in (("L1", "-"), ("L2", "--"), ("memory", ":")):
    slope = flops_per_byte * bandwidth[level] / 1e9
    ax.plot(flops_per_byte, np.minimum(roof, slope), color=plots.INK, ls=dash, lw=1.3, label=f"if every byte came from {level}")
for name, color, marker in zip(intensity, (plots.GREY, plots.BLUE, plots.RED, plots.GREEN), "vos^", strict=True):
    point = intensity[name], flop / tile_times[name] / 1e9
    ax.plot(*point, marker, color=color, ms=8)
    ax.annotate(name, point, (9, -11), textcoords="offset points", bbox={"fc": "white", "ec": "none", "pad": 0.5})
ax.set(xscale="log", yscale="log", xlabel="flop for each byte of the first cache", ylabel="GFLOP per second",
       title="more flop for each byte: a higher limit, up to the roof")
ax.legend(fontsize=8, loc="lower right")
fig

# %% [markdown]
# The solid line at a loop's intensity is its limit by the first cache and the roof (both scales are
# logarithmic). The other two lines would be the limits if nothing stayed in a nearer cache. A loop may lie above
# them, since most of its bytes come from the first cache. The tile, a few dozen lines of Python, comes to three
# quarters or more of a roof that needs no memory. `ikj` reaches more than half of its limit, the four rows more
# than two fifths of theirs. The textbook loop reaches less than a tenth. What it waits for is not in this picture:
# the result of its last addition, or (at 192 columns, on some cores) the lines of a column. They crowd (8.3), so
# the second cache must hand over a whole line for each number.
#
# ## 8.7  Can one keep up with BLAS?
#
# The package's product is that tile, for any shape. It finishes edges with smaller tiles, and takes
# transposed operands. Now train with it, and with the other products, on one thread. (The plain loops get
# a copy of each transposed operand, and the copying counts.)
#
# **Predict first.** How long do its products take, beside those of BLAS: `"about as long"` (at most half
# as long again), `"twice"` or `"ten times"`?

# %%
predict("08.blas", ...)

# %%
def product_by_package(left, right):
    """left @ right; a transposed view is handed on as such."""
    ta, tb = not left.flags.c_contiguous, not right.flags.c_contiguous
    return kernels.matmul(left.T if ta else left, right.T if tb else right, transpose_a=ta, transpose_b=tb)


products = {
    "textbook loop": product_by(matmul_ijk), "i-k-j": product_by(matmul_ikj),
    "four rows": plain_products.blocked,                  # matmul_four_rows for any k, and fused
    "the package's tile": product_by_package, "NumPy's BLAS": np.matmul,
}
for name, product in products.items():
    print(f"{name:18} agrees:", np.allclose(product(A, W), right, atol=1e-3), np.allclose(product(A.T, A), A.T @ A, atol=1e-3))

# %% tags=["timing"]
trainees = {name: step_profile.Trainee(step_profile.with_product(p), spec) for name, p in products.items()}
closing = checked(
    lambda: step_profile.profile(trainees, x, eps, rounds=5, turn=0.15),
    lambda p: step_profile.contradictions(p) | {
        "each loop is faster than the one before": all(
            p[a]["products"] > p[b]["products"] for a, b in zip(list(p)[:3], list(p)[1:4], strict=True)
        ),
        "the package takes at most half as long again as BLAS": (
            p["the package's tile"]["products"] < 1.5 * p["NumPy's BLAS"]["products"]
        ),
        "the products stay below the roof": all(
            races.below_roof(step_flop / parts["products"] / 1e9, roof) for parts in p.values()
        ),
    },
)
for name, parts in closing.items():
    print(f"{name:18} products {1e3 * parts['products']:6.2f} ms of a step of {1e3 * parts['step']:6.2f} ms")
longer = closing["the package's tile"]["products"] / closing["NumPy's BLAS"]["products"]
reveal("08.blas", "about as long" if longer < 1.5 else "twice" if longer < 4 else "ten times")

# %% [markdown]
# The answer is for these sizes and for the BLAS of your NumPy (`np.show_config()` names it). It need not be that
# of 8.6, where our tile met a single size, which whole tiles fill. A step has edges, transposed operands
# and narrow layers of 50 columns, and the package must be ready for all of them. Here is the
# profile of the beginning once more, before and after:

# %% tags=["timing"]
before, after = closing["textbook loop"], closing["the package's tile"]
print(f"the products: {before['products'] / after['products']:.0f} times as fast, the step: {before['step'] / after['step']:.0f} times")
shares = [1 - parts["products"] / parts["step"] for parts in (before, after)]
print(f"all that is not products: {shares[0]:.0%} of the step before, {shares[1]:.0%} of it now")
fig, ax = plots.figure(6.8, 3.4)
step_profile.draw(ax, {name: closing[name] for name in ("textbook loop", "the package's tile")})
fig

# %% [markdown]
# Nothing was exchanged but the function for the products, and their bar has shrunk. The other bars are
# the subject of 08b. (Their code is the same in both profiles. Their times need not be: the same code can
# take longer after other work. So a part is measured inside its step.)
#
# ## Recap
#
# - The arithmetic of a step is mostly matrix products, $2mkn$ flop each, eq. (2).
# - The textbook loop of 8.2 waits for its own additions: one per latency. Two sums side by side, with the
#   same bits, show it.
# - Vectors need neighbours in memory, and sums that may run side by side: by permission to regroup, or
#   because each number has its own sum, as in `ikj`, eq. (3).
# - A loop can be limited by latency, by the arithmetic units, or by one of the caches: eq. (5), for
#   each cache by itself.
# - To go on, do more arithmetic for each byte: rows together, then a tile in registers, eq. (6), with
#   enough sums on the way to fill the pipes.
# - Ask the compiler whether it used vectors, race what you compare, and look at the spread.
#
# ## Exercises
#
# Each stub below is yours to fill in; `check` says what is right, or shows the smallest input
# where it is not. `hint("08.blocked")` gives a nudge, `solution("08.blocked")` the reference. Plain
# Python is enough, the inputs are small; with `@njit` above it, it is compiled and checked as well.
# `progress()` and `review()`, from `minivae.exercises`, list what is done and ask old questions again.

# %% [markdown]
# **How much arithmetic is a step?** Section 8.1 for any network, as a function.

# %%
def step_flops(batch, layers):    # int, [(inputs, outputs), ...] from the image on
    ...      # -> flops of all matrix products, forward and backward, as an int;
             # a multiplication and an addition count 2; the images need no gradient
check("08.flops", step_flops)

# %% [markdown]
# **What does a sum wait for?** One sum at a time, two, ..., until the pipes of 8.5 are full. The check
# wants numbers for any core.

# %%
def ticks_of_sums(n, sums, latency, pipes):    # n additions in `sums` equal sums, side by
    ...      # side; each takes `latency` ticks, and `pipes` of them can start in a tick
             # -> ticks for all n, without the moments of starting and ending;
             #    and how many sums are enough for the fewest ticks
check("08.latency", ticks_of_sums)

# %% [markdown]
# **The order that memory likes.** A layer's `dW = x.T @ da`, straight from `x` and `da` as they are
# stored. Which nestings of its three loops let the compiler use vectors?

# %%
def my_weight_gradient(X, dA):    # (B, I), (B, O) -> dW (I, O) = X.T @ dA, by three loops
    ...      # that the compiler can make vectors of without permission to regroup
             # (write X[b, i], dA[b, o]: the check records how dA is read)
check("08.loop-order", my_weight_gradient)

# %% [markdown]
# **Make it vectorize.** This loop is correct, and the compiler makes no vectors of it. Find what keeps
# it from that, and change it; the check compiles your function and looks into its code.

# %%
def column_sums(X, out):    # (B, D), (D,) float32: out[d] = sum_b X[b, d], as db in a layer
    for d in range(X.shape[1]):      # right, but no vectors; the check compiles it itself,
                                     # and gives no permission to regroup
        total = np.float32(0)
        for b in range(X.shape[0]):
            total += X[b, d]
        out[d] = total
check("08.vectorize", column_sums)

# %% [markdown]
# **A product in blocks.** The tile is a block that fits the registers. Do the same for a cache: cut $A$, $B$
# and $C$ into blocks so small that one of each fit in it together, and multiply block by block. Mind the
# edges, where a block is smaller.

# %%
def my_matmul_blocked(A, B, block):    # (I, K), (K, J), int -> C (I, J), any shape
    ...      # read A and B in pieces of at most block x block; @ may multiply two pieces
check("08.blocked", my_matmul_blocked)

# %% [markdown]
# **Which limit does a loop meet?** Eq. (5) for several caches at once.

# %%
def roofline(flops, bytes_moved, peak, bandwidths):   # flop; [bytes at each cache]; flop/s;
    ...      # [byte/s of each cache] -> the flop/s within reach, and the limit that is met:
             # 0 for the peak, 1 for the first cache, 2 for the second, ...
check("08.roofline", roofline)

# %% [markdown]
# **Predict a loop.** The count of 8.5, for rows of $B$ taken together, and any number of lanes.

# %%
def rate_of_rows(rows, lanes, bandwidth, peak):    # rows of B together (i-k-j: 1), float32
    ...      # in a register; byte/s of the first cache, flop/s -> the flop/s within reach
check("08.ikj-rate", rate_of_rows)

# %% [markdown]
# **Choose a tile** for a machine with 16 registers, or any other number.

# %%
def tile_shape(registers, sums_at_edge):    # int, int -> (R, V): fewest loads by eq. (6) of
    ...      # the tiles whose registers suffice (C, the vectors of B, one number of A), and
             # that still have sums_at_edge sums where only one vector is left at the edge
check("08.tile-shape", tile_shape)

# %% [markdown]
# **Next:** [08b](08b_fused_loops.ipynb) shrinks the other bars: loops that do little arithmetic with
# many numbers.

# %% [markdown]
# ## Appendix: how long one number takes, other shapes, and how the package writes its tile
#
# ### The latency of a cache
#
# Bandwidth is what arrives when we go straight ahead. The other question: how long until *one* number
# is there, when its place is known only once the last one has come? Lay out a ring of cache lines in
# random order, where each holds the place of the next, and follow it. Nothing can be fetched ahead,
# because nobody knows yet where the next one lies. (The places are unsigned: numba would test a signed
# one, in each step, for counting from the end of the array, and that takes time, too.)

# %%
def ring(n_bytes):
    """Places of 8 bytes, one used in each line of 64: next_at[place] is the place after it."""
    lines = np.random.default_rng(0).permutation(n_bytes // 64)
    next_at = np.zeros(n_bytes // 8, np.uint64)
    next_at[8 * lines] = 8 * np.roll(lines, -1)
    return next_at


@njit
def follow(next_at, start, steps):
    place = np.uint64(start)
    for _ in range(steps):
        place = next_at[place]
    return place


ends = ring(4096)
print("after all 64 lines we are back at the start:", follow(ends, 0, 64) == 0 and follow(ends, 0, 63) != 0)

# %% tags=["timing"]
kilobytes = [4, 8, 16, 24, 32, 48, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768, 65536]
STEPS = 20_000


def latency(kB):
    """ns for a step of a ring of kB."""
    next_at, place = ring(1024 * kB), 0

    def walk_on():                                        # from where the last walk ended
        nonlocal place
        place = follow(next_at, place, STEPS)

    return 1e9 * race({"ring": walk_on}, 3, 0.02)["ring"] / STEPS


def between(ns, low, high):
    """The median where the size lies between two sizes in bytes."""
    return np.median([value for value, kB in zip(ns, kilobytes, strict=True) if low < 1024 * kB <= high])


ns = checked(
    lambda: [latency(kB) for kB in kilobytes],
    lambda ns: {
        "flat from 4 to 16 kB": max(ns[:3]) < 1.3 * min(ns[:3]),
        "the second cache takes longer than the first": between(ns, L1, L2) > 1.3 * between(ns, 0, L1),
        "the largest ring takes more than five times as long": ns[-1] > 5 * ns[0],
    },
)
fig, ax = plots.figure(5.6, 3.2)
ax.plot(kilobytes, ns, color=plots.BLUE, marker="o", ms=4)
for name, size in caches.items():
    ax.axvline(size / 1024, color=plots.GREY, lw=1, ls="--")
    ax.text(size / 1024, 1.0, f" {name}", transform=ax.get_xaxis_transform(), va="top", fontsize=8)
ax.set(xscale="log", yscale="log", xlabel="size of the ring", ylabel="ns for one number", title="latency")
ax.set_xticks([8, 64, 512, 4096, 32768], ["8 kB", "64 kB", "512 kB", "4 MB", "32 MB"])
ax.minorticks_off()
fig

# %% [markdown]
# The dashed lines are the sizes of your caches, where the system tells them. A number in the second
# cache takes longer than one in the first, and one in the largest ring more than five times as long. (The
# curve may rise before a line: other data use the cache too, the addresses have a cache of their own
# that runs out too, and neighbours on a shared machine take their part of the largest.)
#
# ### Other shapes of the tile
#
# At an edge that is one vector wide, 6 × 2 becomes 6 × 1, and 4 × 3 becomes 4 × 1. Measure both kinds.

# %% tags=["timing"]
shapes = {shape: tiled(*shape, lanes=min(LANES, 8)) for shape in ((6, 2), (4, 3), (6, 1), (4, 1))}
shape_times = checked(
    lambda: race({shape: partial(f, A, W, C) for shape, f in shapes.items()}),
    lambda t: {
        "at an edge six rows are faster than four": t[4, 1] > 1.1 * t[6, 1],
        "whole tiles of both shapes lie within a quarter": 0.8 < t[4, 3] / t[6, 2] < 1.25,
    },
)
show(shape_times, flop)

# %% [markdown]
# Whole tiles of both shapes lie within a quarter of each other. At the edge six rows are faster: they
# have more sums on the way, and fewer loads for each multiply-add, eq. (6). There is a second edge, below
# the last whole tile: 100 rows are 25 fours, but 16 sixes and four left over. (The package shares the rows
# out: with six at most, as 15 sixes and two fives.) A count narrows the choice; a race of the products
# that one really has decides, as in 8.7.
#
# ### How the package writes its tile
#
# Three things in `kernels/tile.py` look stranger than they are.
#
# - **Phi nodes.** In LLVM's language a name gets its value once. A variable that changes in a loop is
#   spelled `x = phi [start, before], [new, body]`: "the start value if we come from before the loop,
#   the new one if we come from its body". Our `sums` were local variables, and LLVM made of each a phi
#   node in the loop. The package writes the phi nodes itself. Here is one of ours:

# %% tags=["timing"]
llvm = "\n".join(matmul_tiles.inspect_llvm().values())
phis = [line.strip() for line in llvm.splitlines() if re.search(rf"phi <{LANES} x float>.*%for\.body[.\w]* \]", line)]
print(phis[0])
print(f"{len([p for p in phis if 'lcssa' not in p])} in the loop, for {R * V} sums")     # lcssa: behind a loop

# %% [markdown]
# - **The number of lanes** has to be known when the code is made. The package takes it from the *type*
#   of an argument: `kind` is an empty array with one axis for each lane, `np.empty((0,) * 16, f32)`, and an
#   array's number of axes is part of its type in numba. A global would be simpler, but numba's cache
#   on disk does not notice when one changes (08b, fourth trap).
# - **A switch over sizes**: at the edges the tile has fewer rows, or is narrower by one or more halves of a
#   vector, so each size has its own block of code, and `switch` jumps to it.
#
# The package's tile also reads a transposed $A$, and can start its sums from the bias. Around it,
# `kernels/products.py` takes $B$ in *panels*, strips as wide as a tile, and copies those that are
# transposed, that end at an edge inside such a half, or whose lines would crowd in the cache (8.3: rows whose length
# is a multiple of 256 bytes, such as those of 192 numbers). It takes `k` in steps of at
# most 400, so that a panel (26 kB with AVX2, 51 kB with AVX-512) stays in the first or at least the second
# cache while the tiles use it again and again, and applies the activation at the end.

# ---
# jupyter:
#   jupytext:
#     text_representation:
#       format_name: percent
# ---

# %% [markdown]
# # 08 · Making it fast
#
# **What you will be able to do**
# - say why the same arithmetic, in another order, runs many times faster, and measure it;
# - write loops in Python that the compiler turns into vector instructions, fuse them, and see when
#   it does not;
# - read the project's matrix kernel, and say what the limit of a training step is and how far off
#   you are.
#
# **Builds on** notebook 07, whose training loop is to run faster, and on the dense layer of
# notebook 05. No new statistics here: the same numbers, sooner. Reading time: 40 minutes, and 15
# for the two appendices, which may wait.
#
# Every time in this notebook is measured when its cell runs, on your machine. The text around
# it says what to look for, and the reason; how large the effect is, your machine says.

# %%
import sys; sys.path[:0] = [".", ".."]

import contextlib
import io
import math
import re
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numba import njit
from threadpoolctl import threadpool_limits

from minivae import ops, plots, vae
from minivae.exercises import check, hint, predict, recall, reveal, solution

plots.notebook_style()
rng = np.random.default_rng(8)

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
# with $A$ of shape $(m, k)$ and $B$ of shape $(k, n)$. Each of the $mn$ numbers of $C$ is a sum of
# $k$ products, and each product costs one multiplication and one addition:
#
# $$
# \mathrm{flop} = 2\,m\,k\,n \tag{2}
# $$
#
# ("flop" stands for floating-point operation.) A dense layer has three products (notebook 05):
# forward `x @ W`, and backward `dW = x.T @ da` and `dx = da @ W.T`. The first layer needs no `dx`:
# nobody asks for the gradient of an image.

# %%
B, D, L = 100, 784, 50
layers = [(D, 200), (200, 200), (200, 2 * L), (L, 200), (200, 200), (200, D)]     # (I, O)

forward = [(B, I, O) for I, O in layers]                  # (m, k, n) of x W
for_dW = [(I, B, O) for I, O in layers]                   #           of x' da
for_dx = [(B, O, I) for I, O in layers[1:]]               #           of da W'
products = forward + for_dW + for_dx
step_flop = sum(2 * m * k * n for m, k, n in products)
print(f"{len(products)} products, {step_flop / 1e9:.2f} billion flop in a step of {B} images")
adam_flop = 13 * sum(I * O for I, O in layers)            # 13 for each weight: count them in 8.7's adam_loop
print(f"Adam, beside that: {adam_flop / step_flop:.1%} as much")

# %% [markdown]
# (The heads for `mu` and `logvar` read the same input, so they are counted as one layer of `2 L`
# outputs.)
#
# Now a clock. A computer does other things beside ours, and they only ever make a run *slower*: so
# time each function many times, take turns so that a slow moment hits all of them, and keep the
# fastest run of each.

# %%
def race(contestants, rounds=4, turn=0.02):
    """{name: function} -> {name: seconds of its fastest run}; a turn lasts `turn` seconds."""
    best = dict.fromkeys(contestants, math.inf)
    for name in list(contestants) * rounds:
        end = time.perf_counter() + turn
        while (start := time.perf_counter()) < end:
            contestants[name]()
            best[name] = min(best[name], time.perf_counter() - start)
    return best


# %% [markdown]
# And something to time: a training step (notebook 07) of a model with the layers counted above, on
# made-up images in which a fifth of the pixels are on.

# %%
spec = vae.Spec(D, (200, 200), L)
x = (rng.random((B, D)) < 0.2).astype(np.float32)
eps = rng.standard_normal((B, L), dtype=np.float32)


# %%
class Trainee:
    """A model and its Adam state; `step` trains on one batch with the backend it was given."""

    def __init__(self, backend):
        self.backend, self.count = backend, 0
        self.flat = vae.init_params(spec, np.random.default_rng(0))
        self.m, self.v = np.zeros_like(self.flat), np.zeros_like(self.flat)

    def step(self, x, eps):
        params = vae.unpack(self.flat, spec)
        terms = vae.elbo_and_grads(params, x, eps, spec, ops=self.backend)
        self.count += 1
        grads = terms.flat_grads
        self.backend.adam_step(self.flat, grads, self.m, self.v, self.count, 1e-3)
        return terms.loss


# %% tags=["timing"]
slow = Trainee(ops)
operands = [
    (rng.random((m, k), dtype=np.float32), rng.random((k, n), dtype=np.float32))
    for m, k, n in products
]
np.ones(2**22, np.float32)      # made and let go: from here on, large arrays find used memory
times = race({
    "step": lambda: slow.step(x, eps),
    "products": lambda: [left @ right for left, right in operands],
}, turn=0.06)
print(f"one step with the NumPy backend: {1e3 * times['step']:.1f} ms")
print(f"of which the matrix products: {times['products'] / times['step']:.0%}")
print(f"rate in the products: {step_flop / times['products'] / 1e9:.0f} billion flop per second")

# %% [markdown]
# The products are one part. NumPy hands them to a *BLAS* (Basic Linear Algebra Subprograms), a
# library of matrix routines tuned over decades. The rest, all the loops that do little arithmetic with many numbers (tanh, the
# likelihood, Adam), takes a share that its few operations do not explain. So there are two things
# to understand: what a BLAS does that makes it fast (8.2 to 8.6), and why the rest is so slow
# (8.7).

# %% [markdown]
# ## 8.2  Does it matter in which order one adds up?
#
# Eq. (1) is three nested loops. In Python they are slow because each `+` asks anew what kind of
# objects it got. **numba** compiles a Python function to machine instructions the first time it is
# called; `@njit` above a function is all it takes. Here is eq. (1) as it reads: for each `i` and
# `j`, add up over `k`.

# %%
@njit
def matmul_ijk(A, B, C):
    m, k_size, n = A.shape[0], A.shape[1], B.shape[1]
    C[:] = 0
    for i in range(m):
        for j in range(n):
            for k in range(k_size):
                C[i, j] += A[i, k] * B[k, j]


# %% [markdown]
# The loops can be nested in any order: the same $mkn$ products are added to the same sums. Here
# are two of the other five orders.

# %%
@njit
def matmul_ikj(A, B, C):
    m, k_size, n = A.shape[0], A.shape[1], B.shape[1]
    C[:] = 0
    for i in range(m):
        for k in range(k_size):
            for j in range(n):
                C[i, j] += A[i, k] * B[k, j]


# %%
@njit
def matmul_jki(A, B, C):
    m, k_size, n = A.shape[0], A.shape[1], B.shape[1]
    C[:] = 0
    for j in range(n):
        for k in range(k_size):
            for i in range(m):
                C[i, j] += A[i, k] * B[k, j]


# %%
A = rng.standard_normal((96, 768), dtype=np.float32)      # a batch, close to a layer's real size
W = rng.standard_normal((768, 192), dtype=np.float32)
C = np.empty((96, 192), np.float32)
flop = 2 * 96 * 768 * 192

for matmul in (matmul_ijk, matmul_ikj, matmul_jki):
    matmul(A, W, C)
    print(matmul.__name__, "agrees with A @ W:", np.allclose(C, A @ W, atol=1e-3))

# %% [markdown]
# **Predict first.** Three compiled functions, the same arithmetic. Which is the fastest: `"ijk"`,
# `"ikj"` or `"jki"`?

# %%
predict("08.fastest-order", ...)

# %% tags=["timing"]
with threadpool_limits(1):                                # BLAS on one thread, like the others
    times = race({
        "ijk": lambda: matmul_ijk(A, W, C),
        "ikj": lambda: matmul_ikj(A, W, C),
        "jki": lambda: matmul_jki(A, W, C),
        "BLAS, A @ W": lambda: A @ W,
    })
rates = {name: flop / t / 1e9 for name, t in times.items()}
for name, rate in rates.items():
    print(f"{name:12} {rate:7.1f} billion flop per second, {rate / rates['ijk']:6.1f} times ijk")

# %%
reveal("08.fastest-order")

# %% [markdown]
# Why? An array is one long line of numbers: NumPy stores row after row. Where in that line does
# the innermost loop go to find its next number of $B$? Draw it, for a small $B$.

# %%
k_size, n = 6, 8
place = np.arange(k_size * n).reshape(k_size, n)          # B[k, j] is number place[k, j] in memory
ijk = [place[k, j] for j in range(n) for k in range(k_size)]          # one i
ikj = [place[k, j] for k in range(k_size) for j in range(n)]

fig, (left, right) = plots.figure(7.6, 3.2, 1, 2, sharey=True)
left.plot(ijk, color=plots.RED, ls="-", marker="o", ms=3, lw=0.8)
left.set(xlabel="step of the loops", ylabel="place in memory", title="ijk jumps through B")
right.plot(ikj, color=plots.BLUE, ls="-", marker="o", ms=3, lw=0.8)
right.set(xlabel="step of the loops", title="ikj reads B as it lies")
fig

# %% [markdown]
# Both visit every number of $B$ once for each `i`. One goes straight through memory; the other
# skips a whole row at each step. In `jki` it is $A$ and $C$ that are read down their columns, two
# arrays in place of one.
#
# Memory comes in *cache lines* of (nearly always) 64 bytes, 16 numbers of float32: whoever asks
# for one number gets its neighbours too. Going along a row uses all 16; going down a column uses
# one and, by the time it comes back for the next, may have lost the rest. That is the first reason.
# There is a second.

# %% [markdown]
# ## 8.3  How many numbers at a time?
#
# A core has *vector registers* that hold 4, 8 or 16 float32 side by side, and instructions that
# add or multiply all of them at once. Such an instruction takes neighbours from memory. In `ikj`,
# the innermost loop does
#
# $$
# C_{i,:} \;\leftarrow\; C_{i,:} + A_{ik}\,B_{k,:} \tag{3}
# $$
#
# one number times a row, added to a row: made for vectors. In `ijk` it is a sum over `k`, a *dot
# product*. Suppose its numbers were neighbours too. Would the compiler use vectors then? We can
# ask it: `inspect_llvm` shows the code as LLVM, the compiler inside numba, has arranged it, and a
# vector of float32 is spelled `<8 x float>` there (or 4, or 16). So: search for that.

# %%
def vector_instructions(kernel, kind="float"):
    """How many vector additions, multiplications and the like stand in a compiled function."""
    code = "\n".join(kernel.inspect_llvm().values())
    return len(re.findall(rf"f(?:add|sub|mul|div) [^\n]*<\d+ x {kind}>", code))


# %%
def dot(a, b):
    total = np.float32(0)
    for k in range(len(a)):
        total += a[k] * b[k]
    return total


@njit
def add_scaled(row, number, target):                      # eq. (3)
    for j in range(len(row)):
        target[j] += number * row[j]


# %%
a, b = rng.standard_normal((2, 20_000), dtype=np.float32)
strict_dot = njit(dot)
strict_dot(a, b)
add_scaled(a, np.float32(0.5), np.zeros_like(a))
print("eq. (3)          uses vectors:", vector_instructions(add_scaled) > 0)
print("the dot product  uses vectors:", vector_instructions(strict_dot) > 0)

# %% [markdown]
# The dot product does not, although its numbers are neighbours. The compiler *may* not: eight
# partial sums, added up at the end, are another order of additions, and floating-point numbers
# remember the order.

# %%
big, one = np.float32(1e8), np.float32(1)
print("(one + big) - big =", (one + big) - big)
print("one + (big - big) =", one + (big - big))

# %% [markdown]
# numba changes such results only with permission. The permission to regroup sums is called
# `reassoc` (with `nsz`, that the sign of a zero does not matter). It gives one other order, and on
# one machine the same in every run, so results stay reproducible. There is a switch `fastmath=True` that grants
# everything at once; it also allows the compiler to assume that no number is ever NaN, and then
# code that looks for NaN finds none. This project names the permissions it needs, one by one.
# (`contract`, below, is a third: a multiplication and the addition after it may become one
# instruction, which rounds once in place of twice.)

# %%
regrouped_dot = njit(fastmath={"reassoc", "nsz", "contract"})(dot)
regrouped_dot(a, b)
print("with leave to regroup, it uses vectors:", vector_instructions(regrouped_dot) > 0)
exact = a.astype(np.float64) @ b.astype(np.float64)
for add in (strict_dot, regrouped_dot):
    print("close to the sum in float64:", np.isclose(add(a, b), exact, atol=1e-2))

# %% tags=["timing"]
times = race({"strict": lambda: strict_dot(a, b), "regrouped": lambda: regrouped_dot(a, b)})
print(f"regrouped: {times['strict'] / times['regrouped']:.1f} times as fast")

# %% [markdown]
# Several partial sums are faster for two reasons: a vector adds several numbers at once, and the
# next addition need not wait for the one before it, which takes a few ticks of the processor's
# clock to finish. (The error tends to fall as well: partial sums are smaller, and small sums round less.) `ikj` has both
# advantages and needs no permission: each number of a row has a sum of its own.

# %% [markdown]
# ## 8.4  How far away are the numbers?
#
# A core computes faster than memory delivers. Between them lie *caches*: a small fast one, a
# larger slower one, often a third that cores share. To see them, add up an array again and again,
# and let it grow until it no longer fits.

# %%
@njit(fastmath={"reassoc", "nsz"})
def add_up(a, repeats):
    total = np.float32(0)
    for _ in range(repeats):
        for j in range(len(a)):
            total += a[j]
    return total


print("a thousand ones, twice:", add_up(np.ones(1000, np.float32), 2))
print("it uses vectors:", vector_instructions(add_up) > 0)

# %% tags=["timing"]
kilobytes = 2 ** np.arange(3, 17)                         # 8 kB to 64 MB
bandwidth = []
for size in kilobytes:
    ones = np.ones(size * 256, np.float32)                # 256 numbers to a kB
    repeats = max(1, 16_384 // size)
    seconds = race({"read": lambda a=ones, r=repeats: add_up(a, r)}, 3)["read"]
    bandwidth.append(ones.nbytes * repeats / seconds / 1e9)

fig, ax = plots.figure(6.4, 3.2)
ax.plot(kilobytes, bandwidth, color=plots.BLUE, marker="o", ms=4)
ax.set(xscale="log", xlabel="size of the array", ylabel="billion bytes read per second",
       ylim=(0, None), title="a large array is read more slowly than a small one")
ax.set_xticks([8, 64, 512, 4096, 32768], ["8 kB", "64 kB", "512 kB", "4 MB", "32 MB"])
ax.minorticks_off()
fig

# %% [markdown]
# Each step down in the curve is a cache that the array has outgrown. Where they lie and how deep
# they are differs from machine to machine (and neighbours on a shared machine take their part of
# the largest cache); that the right end lies below the left does not.
#
# What does that mean for a product? `ikj` reads all of $B$ for each row of $C$, $m$ times. If $B$
# does not fit a near cache, every pass fetches it from far away. The remedy is to **use what has
# been fetched before letting it go**: cut $B$ into blocks, and use each block for all the rows
# before going on. The same idea works one level further in. Eq. (3) loads a piece of $B$'s row and
# a piece of $C$'s row, does one multiply-add, and stores $C$ again. With four rows of $C$ and four
# of $B$ at a time, each piece takes part in four multiply-adds:

# %%
@njit(fastmath={"contract"})
def matmul_blocked(A, B, C):
    """m and k must be multiples of 4; B comes in blocks of 64 rows."""
    m, k_size = A.shape
    C[:] = 0
    for k0 in range(0, k_size, 64):                       # a block of B stays near ...
        for i in range(0, m, 4):                          # ... while all rows of C pass by
            for k in range(k0, min(k0 + 64, k_size), 4):
                a = A[i : i + 4, k : k + 4]
                for j in range(B.shape[1]):
                    b0, b1, b2, b3 = B[k, j], B[k + 1, j], B[k + 2, j], B[k + 3, j]
                    for r in range(4):
                        C[i + r, j] += a[r, 0] * b0 + a[r, 1] * b1 + a[r, 2] * b2 + a[r, 3] * b3


matmul_blocked(A, W, C)
print("agrees with A @ W:", np.allclose(C, A @ W, atol=1e-3))

# %% tags=["timing"]
times = race({
    "ikj": lambda: matmul_ikj(A, W, C),
    "blocked": lambda: matmul_blocked(A, W, C),
})
rates["blocked"] = flop / times["blocked"] / 1e9
print(f"blocked: {times['ikj'] / times['blocked']:.2f} times as fast as ikj")

# %% [markdown]
# What the blocks gain, if anything, depends on how well your machine hid the loads before. Written
# as loops, it ends here: the compiler decides what stays in a register, and it gives each round of the
# innermost loop its loads and stores of $C$. Section 8.A takes that decision into its own hands.
#
# The package keeps these steps, for any shape and for float64 too, in `kernels/plain_products.py`.

# %%
from minivae.kernels import plain_products

for ours, theirs in (
    (matmul_ijk, plain_products.naive),
    (matmul_ikj, plain_products.by_rows),
    (matmul_blocked, plain_products.blocked),
):
    ours(A, W, C)
    print(f"{ours.__name__:14} and {theirs.__name__:7} agree:",
          np.allclose(C, theirs(A, W), atol=1e-3))

# %% [markdown]
# ## 8.5  What can two cores share?
#
# A machine has several cores, and Python's threads can use them, once the compiled code lets go of
# Python's global lock: `nogil=True`. How should a product be split between two threads? There are
# two ways to cut it in halves: by the rows of $C$, or by the sum over $k$.

# %%
ikj_alone = njit(nogil=True)(matmul_ikj.py_func)
pool = ThreadPoolExecutor(2)


def split_rows(A, B, C):
    """Each thread makes half of C's rows."""
    half = len(C) // 2
    jobs = [pool.submit(ikj_alone, A[s], B, C[s]) for s in (slice(0, half), slice(half, None))]
    for job in jobs:
        job.result()


def split_sums(A, B, C):
    """Each thread makes all of C from half the k; then the two are added."""
    half, partial = A.shape[1] // 2, np.empty((2, *C.shape), C.dtype)
    job = pool.submit(ikj_alone, np.ascontiguousarray(A[:, :half]), B[:half], partial[0])
    ikj_alone(np.ascontiguousarray(A[:, half:]), B[half:], partial[1])
    job.result()
    np.add(*partial, out=C)


# %%
one_thread = np.empty_like(C)
matmul_ikj(A, W, one_thread)
for split in (split_rows, split_sums):
    split(A, W, C)
    close, same = np.allclose(C, one_thread, atol=1e-3), np.array_equal(C, one_thread)
    print(f"{split.__name__}: close to one thread's result: {close}, the same bits: {same}")

# %% [markdown]
# Both are right. Splitting the sums, though, adds in another order, and the last bits change with
# the number of threads: a run with two threads could not be repeated with four. So the package's
# rule is: **threads split results, never a sum**. Then the bits are the same for one thread and for
# sixteen.

# %% tags=["timing"]
small = [np.ascontiguousarray(a) for a in (A[:8, :32], W[:32, :32])]
times = race({
    "large, one": lambda: ikj_alone(A, W, C),
    "large, two": lambda: split_rows(A, W, C),
    "small, one": lambda: ikj_alone(*small, np.empty((8, 32), np.float32)),
    "small, two": lambda: split_rows(*small, np.empty((8, 32), np.float32)),
})
for size in ("large", "small"):
    gain = times[f"{size}, one"] / times[f"{size}, two"]
    print(f"{size} product: two threads are {gain:.2f} times as fast as one")

# %% [markdown]
# A large product gains (if a second core is free). A small one loses: telling another thread what
# to do and waiting for it costs more than the work itself. A training step consists of dozens of
# short loops, so this cost decides. The package keeps its helpers awake for a moment after each
# job, because the next comes within microseconds, and gives small products to one thread alone.
#
# A warning from building it: numba has threads of its own (`parallel=True`) and so has BLAS, and
# each kind, when idle, keeps its core busy waiting. Taking turns between the two made a step many
# times *slower*. One pool of threads should do all the work; how many, `MINIVAE_NUM_THREADS` says.

# %% [markdown]
# ## 8.6  Can one keep up with BLAS?
#
# The package's product is `kernels.matmul`. It is numba all the way down: the orders, vectors,
# caches and threads of this chapter, and a *register tile* in the middle (section 8.A).
#
# **Predict first.** Can it keep up with a BLAS at the sizes of a VAE: `"no"` or `"yes"`?

# %%
predict("08.blas", ...)

# %% [markdown]
# The kernels compile at their first use on a machine, which takes up to half a minute; later runs
# find the result on disk. (They announce it on the error stream, which this cell puts aside.)

# %%
with contextlib.redirect_stderr(io.StringIO()):
    from minivae import kernels
    C = kernels.matmul(A, W)
print("agrees with A @ W:", np.allclose(C, A @ W, atol=1e-3))

# %% tags=["timing"]
def python_loops(A, B, C):
    matmul_ijk.py_func(A, B, C)


tiny = [rng.standard_normal((16, 16), dtype=np.float32) for _ in range(3)]
python_time = race({"Python": lambda: python_loops(*tiny)})["Python"]
times = race({
    "BLAS": lambda: A @ W,
    "package": lambda: kernels.matmul(A, W),
    "ikj, two threads": lambda: split_rows(A, W, C),
}, turn=0.06)
rates["Python"] = 2 * 16**3 / python_time / 1e9
rates |= {name: flop / t / 1e9 for name, t in times.items()}
print(f"from Python's loops to the kernel: {rates['package'] / rates['Python']:,.0f} times as fast")

# %% tags=["timing"]
steps = {
    "Python": "Python's own loops", "ijk": "i-j-k, compiled", "ikj": "i-k-j: along the rows",
    "blocked": "i-k-j in blocks", "ikj, two threads": "i-k-j, two threads",
    "package": "the package's kernel", "BLAS": "NumPy's BLAS",
}
fig, ax = plots.figure(6.8, 3.2)
colors = [plots.GREY] * 5 + [plots.BLUE, plots.INK]
ax.barh(list(steps.values()), [rates[name] for name in steps], color=colors)
for at, name in enumerate(steps):
    ax.text(rates[name], at, f" {rates[name]:.2g}", va="center")
ax.set(xscale="log", xlabel="billion flop per second (each line: ten times as fast)")
ax.set_title("one product, from three loops to a kernel")
ax.invert_yaxis()
fig

# %%
reveal("08.blas")

# %% [markdown]
# The same additions on the same processor, and the axis has to count in powers of ten to hold all
# the bars. (The last three use several threads.) Now look at the last two. One product of one size
# decides nothing, so here are all the products of a training step, in the shapes and with the
# transposes they really have.

# %%
jobs = []                                                 # left, right, is it left', is it right'
for m, k, n in forward:
    x_, W_, da = (rng.random(shape, dtype=np.float32) for shape in ((m, k), (k, n), (m, n)))
    jobs += [(x_, W_, False, False), (x_, da, True, False), (da, W_, False, True)]
del jobs[2]                                               # the first layer's dx


def by_blas():
    return [(a.T if ta else a) @ (b.T if tb else b) for a, b, ta, tb in jobs]


def by_kernels():
    return [kernels.matmul(a, b, transpose_a=ta, transpose_b=tb) for a, b, ta, tb in jobs]


agree = [np.allclose(*pair, rtol=1e-4) for pair in zip(by_kernels(), by_blas(), strict=True)]
print(f"{sum(agree)} of {len(agree)} products agree")

# %% tags=["timing"]
times = race({"BLAS": by_blas, "kernels": by_kernels}, turn=0.06)
print(f"all products of a step: BLAS {1e3 * times['BLAS']:.2f} ms, "
      f"the package {1e3 * times['kernels']:.2f} ms")
print(f"BLAS's time over the package's: {times['BLAS'] / times['kernels']:.2f}")

# %% [markdown]
# Above 1 the package is ahead, below 1 the BLAS. The claim is *keeps up with*, not *beats*: beside
# OpenBLAS, on the x86 processors where this project was measured with nothing else running, the
# ratio is about 1. On a busy machine it swings to either side: run the cell again. And NumPy may
# have been built with another BLAS (`np.show_config()` names yours). If your ratio stays well below
# 1, then on your machine the answer is "no", whatever the card above says.
#
# There is more to gain elsewhere. How much of a step is not products at all, 8.1 has shown.

# %% [markdown]
# ## 8.7  Why is the rest so slow?
#
# The rest of a step is loops over arrays with little arithmetic. Take Adam (notebook 07). In
# NumPy, each operation is a pass of its own: read whole arrays, write a whole array, and do it
# again for the next `+`. How many bytes is that? Count them, with an array that keeps a tally.

# %%
class Counted(np.ndarray):
    """An array whose arithmetic adds up the bytes that it reads and writes."""

    traffic = 0

    def __array_ufunc__(self, ufunc, method, *inputs, out=None, **kwargs):
        plain = [np.asarray(a) if isinstance(a, Counted) else a for a in inputs]
        if out is not None:
            kwargs["out"] = tuple(np.asarray(a) for a in out)
        result = getattr(ufunc, method)(*plain, **kwargs)
        arrays = [a for a in plain if isinstance(a, np.ndarray)]
        Counted.traffic += sum(a.nbytes for a in arrays) + result.nbytes
        return out[0] if out is not None else result.view(Counted)


# %%
P = vae.n_params(spec)
flat, grad, m, v = (np.zeros(P, np.float32).view(Counted) for _ in range(4))
ops.adam_step(flat, grad, m, v, 1, 1e-3)
needed = 4 * P * 7                                        # read flat, grad, m, v; write flat, m, v
print(f"{P:,} parameters")
print(f"NumPy's passes read and write {Counted.traffic / 1e6:.1f} million bytes")
print(f"each number once would be     {needed / 1e6:.1f} million bytes")
print(f"ratio {Counted.traffic / needed:.1f}")

# %% [markdown]
# The arithmetic is the same either way; what differs is the traffic, and the arrays in between
# that nobody wants (*temporaries*), which also push useful data out of the caches. A **fused** loop
# does everything with a number while it is in a register. (Section 8.8 says what `error_model` is
# for.)

# %%
def adam_loop(flat, grad, m, v, lr, beta1, beta2, v_scale, adam_eps):
    one = np.float32(1)
    for i in range(len(flat)):
        g = grad[i]
        m[i] = beta1 * m[i] + (one - beta1) * g
        v[i] = beta2 * v[i] + (one - beta2) * g * g
        flat[i] -= lr * m[i] / (np.sqrt(v[i] * v_scale) + adam_eps)


adam_fused = njit(error_model="numpy", fastmath={"contract"})(adam_loop)


def adam_step(flat, grad, m, v, step, lr, beta1=0.9, beta2=0.999, adam_eps=1e-8):
    scales = lr / (1 - beta1**step), beta1, beta2, 1 / (1 - beta2**step), adam_eps
    adam_fused(flat, grad, m, v, *map(np.float32, scales))


# %%
start = [rng.random(P, dtype=np.float32) for _ in range(4)]
ours, numpys = ([a.copy() for a in start] for _ in range(2))
for step in (1, 2, 3):
    adam_step(*ours, step, 1e-3)
    ops.adam_step(*numpys, step, 1e-3)
print("after three steps, they agree:",
      all(np.allclose(a, b, atol=1e-6) for a, b in zip(ours, numpys, strict=True)))

# %% tags=["timing"]
times = race({
    "NumPy": lambda: ops.adam_step(*numpys, 9, 1e-3),
    "fused": lambda: adam_step(*ours, 9, 1e-3),
    "package": lambda: kernels.adam_step(*ours, 9, 1e-3),
})
for name in ("fused", "package"):
    print(f"Adam, {name}: {times['NumPy'] / times[name]:.1f} times as fast as NumPy's passes")

# %% [markdown]
# The package fuses in three places:
#
# - **Adam**, in one pass over the flat vector, as here.
# - **The likelihood and its gradient.** $\log(1 + e^{l})$ and the sigmoid both need
#   $e^{-\lvert l\rvert}$ (notebook 05): one loop computes the exponential once and makes both.
# - **Bias and tanh, in the product's own loop**: a block of $C$ gets its activation while it is
#   still in the nearest cache, before it is written out.
#
# And there is work that need not be done at all. In a binarized digit most pixels are 0, and a
# pixel that is 0 adds nothing to $C = XW$: row $i$ of $C$ is the sum of those rows of $W$ whose
# pixel is on. The *i-k-j* loops of 8.2 leave the others out with one `if`.

# %%
@njit(error_model="numpy", fastmath={"contract"})
def without_zeros(x, W, C):
    for i in range(len(x)):
        C[i] = 0
        for k in range(x.shape[1]):
            if x[i, k] != 0:
                for j in range(W.shape[1]):
                    C[i, j] += x[i, k] * W[k, j]


weights, bias = rng.standard_normal((D, 200), dtype=np.float32), np.zeros(200, np.float32)
out_x = np.empty((B, 200), np.float32)
without_zeros(x, weights, out_x)
print(f"pixels that are on: {(x != 0).mean():.0%}; the product agrees:",
      np.allclose(out_x, x @ weights, atol=1e-4))

# %% tags=["timing"]
times = race({
    "all of it, by the tile": lambda: kernels.matmul(x, weights),
    "without zeros, these loops": lambda: without_zeros(x, weights, out_x),
    "without zeros, the package": lambda: kernels.dense_forward(x, weights, bias, "none"),
})
for name, seconds in times.items():
    print(f"{name:28} {1e6 * seconds:5.0f} us")

# %% [markdown]
# A fifth of the work does not take a fifth of the time: the tile uses each number of $W$ for
# several images while it is in a register, and here it is fetched anew for each image. (The
# package adds four rows of $W$ at once, as in 8.4, and uses all threads.) What gain is left, the
# first and the last line say.
# What looks safe needs one more look: $0 \cdot \infty$ is NaN, so leaving out a zero can hide a
# broken weight. The package takes the short way only after it has seen that all of $W$ is finite,
# and that most of a sample of the input is zeros.
#
# Back to the fused loops. Whoever writes the likelihood's runs into traps, and they are worth
# knowing.

# %% [markdown]
# ## 8.8  Why does a fused loop not run at full speed?
#
# Here is the gradient of the Bernoulli likelihood as one loop. `exp` is left open for a moment.

# %%
f32, i32 = np.float32, np.int32


def residual_loop(exp):
    """sigmoid(l) - x, with a given exponential."""
    one, zero = f32(1), f32(0)

    def loop(logits, x, out):
        for j in range(len(logits)):
            e = exp(-abs(logits[j]))
            out[j] = (one if logits[j] > zero else e) / (one + e) - x[j]

    return loop


# %% [markdown]
# **First trap: a division.** Python raises an error at `1 / 0`, and numba's default keeps that
# promise: a test before each division, and a way out of the loop. A loop that may be left at any
# number cannot do eight numbers at once. With `error_model="numpy"` a division by zero gives
# infinity or NaN, as in NumPy, and the test is gone.
#
# **Second trap: `math.exp`.** It is a call into the C library, for one number at a time; whatever
# stands around it in vectors is taken apart for the call. (Unless Intel's library of vector
# functions, SVML, is installed beside numba: then this trap is gone.) So write an exponential that
# is plain arithmetic. Split $x$ into a whole number $n$ of $\log 2$ and
# a small rest $r$, at most half of $\log 2$ in size:
#
# $$
# e^{x} = e^{\,n\log 2 + r} = 2^{n}\,e^{r}
# \approx 2^{n}\Big(1 + r + \frac{r^2}{2!} + \dots + \frac{r^6}{6!}\Big) \tag{4}
# $$
#
# The polynomial is multiplications and additions. And $2^n$ costs almost nothing, because a float32
# *is* a power of two times a fraction: its bits 23 to 30 hold $n + 127$. Put that whole number
# there and read the bits as a float.

# %%
LOG2_E, LN2 = f32(1 / math.log(2)), f32(math.log(2))
ROUND = f32(1.5 * 2**23)             # too large for fractions: adding it rounds to a whole number,
ROUND_BITS = ROUND.view(i32)         # which then stands in the lowest bits
c2, c3, c4, c5, c6 = (f32(1 / math.factorial(n)) for n in range(2, 7))
ONE = f32(1)


@njit
def fast_exp(x):                                          # eq. (4), for x from -87 to 0
    shifted = x * LOG2_E + ROUND
    n = i32(f32(shifted).view(i32) - ROUND_BITS)
    r = x - (shifted - ROUND) * LN2
    p = ONE + r * (ONE + r * (c2 + r * (c3 + r * (c4 + r * (c5 + r * c6)))))
    return p * i32((n + i32(127)) << i32(23)).view(f32)


# %%
grid = np.linspace(-30, 0, 2001, dtype=np.float32)
ours = np.array([fast_exp(number) for number in grid])
relative = np.abs(ours / np.exp(grid.astype(np.float64)) - 1)
print("largest relative error below 2e-6:", relative.max() < 2e-6)

# %%
logits = (4 * rng.standard_normal(B * D)).astype(np.float32)
pixels, out = x.ravel(), np.empty(B * D, np.float32)
truth = ops.sigmoid(logits) - pixels

loops = {}
for exp_name, exp in (("math.exp", math.exp), ("fast_exp", fast_exp)):
    for error_model in ("python", "numpy"):
        loop = njit(error_model=error_model)(residual_loop(exp))
        loop(logits, pixels, out)
        loops[exp_name, error_model] = loop
        print(f"{exp_name}, error_model={error_model!r}:".ljust(34),
              "right" if np.allclose(out, truth, atol=1e-6) else "wrong")

# %% [markdown]
# Four functions, one result. Mend either trap alone, or both:

# %% tags=["timing"]
times = race({key: lambda f=f: f(logits, pixels, out) for key, f in loops.items()})
in_passes = race({"NumPy": lambda: np.subtract(ops.sigmoid(logits), pixels)})["NumPy"]
print(f"{'NumPy, in several passes':34} {1e6 * in_passes:5.0f} us")
for (exp_name, error_model), seconds in times.items():
    count = vector_instructions(loops[exp_name, error_model])
    print(f"{exp_name + ', ' + error_model + ' errors':34} {1e6 * seconds:5.0f} us,"
          f" {count} vector instructions")

# %% [markdown]
# Three of the four lie close together, and only the one without either trap is fast. That is what
# makes such traps hard to find: mend one, see little, undo it. Asking the compiler what it did
# (`vector_instructions`) says where one stands.
#
# The package's functions are of this kind, with coefficients fitted to the interval in place of
# Taylor's, $\log 2$ in two pieces, and care for infinities and NaN; their errors are tested over
# the whole range of float32. Here are the whole likelihood, loss and gradient, and a product with
# its bias and tanh, against NumPy's passes (below 1: NumPy is ahead).

# %%
batch = logits.reshape(B, D)
nll, cache = ops.bernoulli_nll_forward(batch, x)
fused_nll, fused_cache = kernels.bernoulli_nll_forward(batch, x)
print("nll agrees:     ", np.allclose(nll, fused_nll, rtol=1e-5))
print("gradient agrees:", np.allclose(cache.residual, fused_cache.residual, atol=1e-6))

# %% tags=["timing"]
for name, run in {
    "Bernoulli loss and gradient": lambda o: o.bernoulli_nll_forward(batch, x),
    "product, bias and tanh": lambda o: o.dense_forward(x, weights, bias, "tanh"),
}.items():
    times = race({o.__name__: lambda run=run, o=o: run(o) for o in (ops, kernels)}, turn=0.06)
    ratio = times["minivae.ops"] / times["minivae.kernels"]
    print(f"{name}: {ratio:.1f} times as fast as with NumPy")

# %% [markdown]
# **Third trap: a number without a type.** In NumPy, `0.5 * a` for a float32 array `a` stays
# float32. In numba the same words mean: a float64 times a float32, computed in float64.

# %%
HALF = f32(0.5)


@njit
def untyped(number):
    return 0.5 * number


@njit
def typed(number):
    return HALF * number


for function in (untyped, typed):
    function(f32(1))
    (signature,) = function.nopython_signatures
    print(f"{function.__name__:8} {signature}")

# %% [markdown]
# A register holds half as many float64, and each number is converted back and forth: about half
# the speed, and the result looks right. Hence `np.float32(...)` around every constant.
#
# **Fourth trap: what numba remembers.** It compiles a function once, with the values that its
# globals have then (that of `HALF` above, too):

# %%
width = 4


@njit
def registers(numbers):
    return numbers // width


print("width 4: ", registers(64))
width = 16
print("width 16:", registers(64), "(it should be", 64 // width, "now)")

# %% [markdown]
# With `cache=True` compiled functions are kept on disk, which saves the compile time of the next
# run, and this memory with them. The cache is renewed when the function's own *file* changes. It
# does not look at other files. Watch: `kernel.py` calls a function from `helper.py`, and then
# `helper.py` is edited.

# %%
import importlib
import tempfile
from pathlib import Path


def run_kernel(folder, factor):
    """Write helper.py anew, then import both files as a new process would, and run."""
    (folder / "helper.py").write_text(
        f"from numba import njit\n\n@njit\ndef factor():\n    return {factor}\n"
    )
    for name in ("helper", "kernel"):
        sys.modules.pop(name, None)
    importlib.invalidate_caches()
    return importlib.import_module("kernel").scaled(1)


# %%
with tempfile.TemporaryDirectory() as name:
    (Path(name) / "kernel.py").write_text(
        "from helper import factor\nfrom numba import njit\n\n"
        "@njit(cache=True)\ndef scaled(x):\n    return x * factor()\n"
    )
    sys.path.insert(0, name)
    print("helper returns 3:    ", run_kernel(Path(name), 3))
    print("helper returns 1000: ", run_kernel(Path(name), 1000))
    sys.path.remove(name)

# %% [markdown]
# The second line is wrong: it comes from the cache. So the package has numba's cache depend on all
# files of its kernels (`kernels/compilation.py`), and what may vary is an argument, never a global.

# %% [markdown]
# ## 8.9  The honest table
#
# Does all this make *training* faster? First the question that comes before any table: do both
# backends compute the same thing?

# %%
slow, fast = Trainee(ops), Trainee(kernels)
losses = np.array([[trainee.step(x, eps) for _ in range(20)] for trainee in (slow, fast)])
print("twenty steps of both backends, the same losses:", np.allclose(*losses, rtol=1e-5))
print(f"loss {losses[1, 0]:.1f} at the start, {losses[1, -1]:.1f} nats at the end")

# %% tags=["timing"]
print("batch   NumPy, ms   numba, ms   ratio   part of the limit")
for batch in (20, 100, 500):
    data = np.resize(x, (batch, D)), np.resize(eps, (batch, L))
    times = race({
        "numpy": lambda data=data: slow.step(*data),
        "numba": lambda data=data: fast.step(*data),
    }, turn=0.1)
    limit = step_flop * batch / B / (max(rates.values()) * 1e9)
    print(f"{batch:5} {1e3 * times['numpy']:11.2f} {1e3 * times['numba']:11.2f}"
          f" {times['numpy'] / times['numba']:7.2f} {limit / times['numba']:14.0%}")

# %% [markdown]
# How to read it, and how to distrust it:
#
# - *ratio* is NumPy's time over numba's: below 1, NumPy is ahead. At a small batch the weights, and
#   Adam over them, count most: they cost the same for twenty images as for five hundred.
# - *part of the limit*: the step's products (8.1), each of them carried out in full at the best rate
#   that this notebook has seen on your machine, over the time measured. Nothing but products, at
#   that rate, would be 100%; the numba backend leaves zeros out of two of them (8.7), so part of its
#   lead may be work not done.
# - All numbers are the fastest of several runs, taken in turns on a machine that may be busy. Run
#   the cell again: what changes is noise. (A turn lasts a tenth of a second, because BLAS's threads
#   hold their core for a while after their work, and would be in the way of the next contestant.)
# - The opponents are missing. PyTorch and JAX, each at its best and on the same threads, with
#   medians and spreads, are the job of a command: `python -m minivae bench`.

# %% [markdown]
# ## 8.A  Appendix: the register tile
#
# Why do loops, however well ordered, stay behind BLAS? Look at the innermost line of `ikj` once
# more. For each multiply-add of a whole vector it loads a vector of $B$, loads one of $C$, and
# stores one of $C$: three trips to the cache for one operation. A core can do about as many
# multiply-adds as trips in the same time, so most of its time goes into the trips.
#
# A **register tile** keeps a small block of $C$, of $R$ rows and $V$ vectors, in registers during
# the whole sum over $k$. In each round it loads $V$ vectors of $B$ and $R$ single numbers of $A$,
# and does $RV$ multiply-adds:
#
# $$
# \frac{\text{loads}}{\text{multiply-adds}} = \frac{R + V}{R\,V} \tag{5}
# $$

# %%
for R, V in ((1, 1), (2, 2), (4, 2), (6, 2), (12, 2)):
    loads = (R + V) / (R * V)
    print(f"R = {R:2}, V = {V}: {R * V:2} registers hold C, {loads:.2f} loads for a multiply-add")

# %% [markdown]
# The larger the tile, the fewer the loads; the number of registers ends it (16 with AVX2, 32 with
# AVX-512 and NEON), since the vectors of $B$ and the spread-out number of $A$ need some too. The
# package takes 6 × 2 or 12 × 2.
#
# Before any instructions, the idea in NumPy. Eq. (1) can be read as a sum of columns times rows,
#
# $$
# C = \sum_k A_{:,k}\,B_{k,:} \tag{6}
# $$
#
# and a tile is eq. (6) for a few rows and columns.

# %%
tile = np.zeros((6, 16), np.float32)                      # this is what stays in the registers
for k in range(A.shape[1]):
    tile += A[:6, k : k + 1] * W[k, :16]                  # 6 numbers, 16 numbers, 96 multiply-adds
print("a corner of A @ W:", np.allclose(tile, (A @ W)[:6, :16], atol=1e-3))

# %% [markdown]
# Written as a compiled loop, this does not work: the compiler does not keep such a block in
# registers. But numba lets a function state its own instructions. `@intrinsic` gives us a
# *builder*, and each call on it appends one instruction of LLVM, the compiler that numba speaks to.
# First a few small words of that language: a constant, an address, one number spread over all
# lanes of a vector, and a multiply-add.

# %%
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

LANES = kernels.machine_lanes()                           # how many float32 a register holds here
R, V = (12, 2) if LANES == 16 else (6, 2)
WORD, NUMBER = ir.IntType(64), ir.FloatType()
VECTOR = ir.VectorType(NUMBER, LANES)


# %%
def whole(n):
    return ir.Constant(WORD, n)


def at(builder, address, offset, kind):
    """A pointer to a `kind`, `offset` numbers of 4 bytes after an address."""
    there = builder.add(address, builder.mul(offset, whole(4)))
    return builder.inttoptr(there, kind.as_pointer())


# %%
def spread(builder, number):
    """One number in every lane."""
    empty = ir.Constant(VECTOR, ir.Undefined)
    first = builder.insert_element(empty, number, ir.Constant(ir.IntType(32), 0))
    everywhere = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
    return builder.shuffle_vector(first, empty, everywhere)


def multiply_add(builder, a, b, c):
    """a b + c; `contract`: as one instruction, where the machine has it."""
    product = builder.fmul(a, b, flags=("contract",))
    return builder.fadd(product, c, flags=("contract",))


# %% [markdown]
# Now the tile. Note that the `for` over `i` and `j` run *while the code is made*: they write out
# $RV$ multiply-adds one after another, and only the loop over `k` is left in the machine's code.

# %%
def tile_instructions(builder, a, b, c, k_size, n):
    zero = ir.Constant(VECTOR, [0.0] * LANES)
    sums = {(i, j): cgutils.alloca_once_value(builder, zero) for i in range(R) for j in range(V)}
    with cgutils.for_range(builder, k_size) as loop:
        row = builder.mul(loop.index, n)                  # B[k, :] begins here
        b_k = [builder.load(at(builder, b, builder.add(row, whole(j * LANES)), VECTOR), align=4)
               for j in range(V)]
        for i in range(R):
            a_ik = builder.add(builder.mul(k_size, whole(i)), loop.index)
            a_ik = spread(builder, builder.load(at(builder, a, a_ik, NUMBER), align=4))
            for j in range(V):
                total = multiply_add(builder, a_ik, b_k[j], builder.load(sums[i, j]))
                builder.store(total, sums[i, j])
    for (i, j), total in sums.items():
        c_ij = builder.add(builder.mul(n, whole(i)), whole(j * LANES))
        builder.store(builder.load(total), at(builder, c, c_ij, VECTOR), align=4)


# %% [markdown]
# The `sums` are local variables; LLVM sees that nobody else looks at them, and gives each of them a
# register. What remains is an ordinary loop over the tiles.

# %%
@intrinsic
def make_tile(context, a, b, c, k_size, n):
    def codegen(context, builder, signature, args):
        tile_instructions(builder, *args)
        return context.get_dummy_value()

    return types.void(*[types.intp] * 5), codegen


# %%
@njit
def matmul_tiles(A, B, C):
    """Whole tiles only: m a multiple of R, n of V LANES; all arrays contiguous float32."""
    (m, k_size), n = A.shape, B.shape[1]
    a, b, c = A.ctypes.data, B.ctypes.data, C.ctypes.data
    for j in range(0, n, V * LANES):
        for i in range(0, m, R):
            make_tile(a + 4 * i * k_size, b + 4 * j, c + 4 * (i * n + j), k_size, n)


matmul_tiles(A, W, C)
print("agrees with A @ W:", np.allclose(C, A @ W, atol=1e-3))

# %% tags=["timing"]
with threadpool_limits(1):
    times = race({
        "blocked": lambda: matmul_blocked(A, W, C),
        "tiles": lambda: matmul_tiles(A, W, C),
        "BLAS, one thread": lambda: A @ W,
    })
for name, seconds in times.items():
    print(f"{name:17} {flop / seconds / 1e9:6.1f} billion flop per second")

# %% [markdown]
# A few dozen lines of Python, on one thread, in the neighbourhood of a BLAS. What the package adds
# in `kernels/tile.py` and `kernels/products.py` is everything that makes it usable: edges where a tile does not
# fit, transposed operands, panels of $B$ copied where memory lies badly, blocks of $k$ that fit
# the cache, threads, the bias in the first sum and the activation in the last.

# %% [markdown]
# ## 8.B  Appendix: the roofline
#
# Why does Adam gain by moving fewer bytes, and a product by better use of the processor? Two limits
# hold any loop back: how fast the machine computes (its *peak*, flop per second) and how fast data
# arrive (its *bandwidth*, bytes per second). Which one counts depends on the loop's **intensity**,
# the arithmetic done for each byte moved:
#
# $$
# \text{intensity} = \frac{\text{flop}}{\text{bytes moved}} \tag{7}
# $$
#
# $$
# \text{rate} \le \min\left(\text{peak},\; \text{intensity} \cdot \text{bandwidth}\right) \tag{8}
# $$
#
# Drawn against the intensity, eq. (8) is a roof: a slope, then flat.

# %%
m, k, n = 96, 768, 192
work = {                                                  # name: (flop, bytes moved)
    "product": (2 * m * k * n, 4 * (m * k + k * n + m * n)),
    "Adam": (13 * P, 4 * 7 * P),                          # count them; `one - beta` is not repeated
    "dot": (2 * a.size, 4 * 2 * a.size),
}
intensity = {name: flops / moved for name, (flops, moved) in work.items()}
for name, value in intensity.items():
    print(f"{name:8} {value:6.2f} flop per byte")

# %% [markdown]
# The product's intensity is of another order: each number of $A$ takes part in $n$ multiply-adds
# and each of $B$ in $m$, if the caches keep them. Where do our loops stand under the roof of your
# machine? The peak is taken from the tile on operands so small that they stay in a near cache; one
# slope is the bandwidth of the nearest cache and one that of memory, both from 8.4.

# %% tags=["timing"]
near_A = np.ascontiguousarray(A[:, :128])
near_W = np.ascontiguousarray(W[:128, : V * LANES])
near_C = np.empty((96, V * LANES), np.float32)
times = race({
    "peak": lambda: matmul_tiles(near_A, near_W, near_C),
    "product": lambda: matmul_tiles(A, W, C),
    "Adam": lambda: adam_step(*start, 9, 1e-3),
    "dot": lambda: regrouped_dot(a, b),
})
measured = {name: flops / times[name] / 1e9 for name, (flops, _) in work.items()}
peak = max(2 * near_A.size * near_C.shape[1] / times["peak"] / 1e9, measured["product"])

# %% tags=["timing"]
fig, ax = plots.figure(6.4, 3.8)
flops_per_byte = np.logspace(-1.5, 2.5, 200)
for speed, name, dash in ((max(bandwidth), "nearest cache", "-"), (bandwidth[-1], "memory", "--")):
    roof = np.minimum(peak, flops_per_byte * speed)
    ax.plot(flops_per_byte, roof, color=plots.INK, ls=dash, lw=1.3, label=f"roof: {name}")
for (name, rate), color, marker in zip(
    measured.items(), (plots.BLUE, plots.RED, plots.GREEN), "os^", strict=True
):
    ax.plot(intensity[name], rate, marker, color=color, ms=8, label=name)
ax.set(xscale="log", yscale="log", xlabel="intensity, flop per byte",
       ylabel="billion flop per second", title="products reach for the ceiling, Adam for the slope")
ax.legend(fontsize=8)
fig

# %% [markdown]
# The product stands under the flat part: more flop per second can only come from using the
# processor better. Adam and the dot product stand at the slopes, between the nearest cache and
# memory, depending on where their arrays lie: more can only come from moving fewer bytes, which is
# what fusing does. That is the reason for two kinds of work in this chapter.

# %% [markdown]
# ## Recap
#
# - The arithmetic of a step is mostly matrix products, $2mkn$ flop each, eq. (2); its time need not be.
# - The order of loops decides whether neighbours in memory are used together. `ikj` goes along
#   rows, eq. (3), and vectorizes without leave to regroup sums.
# - Caches and registers reward using what has been fetched before letting it go: blocks and tiles,
#   eq. (5).
# - Threads split results, never sums: then the bits do not depend on their number.
# - Loops with little arithmetic are bound by the bytes they move, eq. (8): fuse them.
# - numba: `error_model="numpy"`, no `math.exp` in a hot loop, typed constants, nothing that varies
#   in globals, and a cache that sees edits in all files. Ask the compiler whether it used vectors.
# - Compare results before times, take turns, and say what is not in the table.
#
# ## Exercises
#
# Each stub below is yours to fill in; `check` says what is right, or shows the smallest input
# where it is not. `hint("08.fused")` gives a nudge, `solution("08.fused")` the reference. Plain
# Python is enough, the inputs are small; with `@njit` above it, it is checked as well.

# %% [markdown]
# **The order that memory likes.** Three loops, from memory, yours.

# %%
def my_matmul_ikj(A, B):    # (I, K), (K, J) -> C (I, J), by three loops: i, then k, then j
    ...                  # (write B[k, j]: the check records the order in which B is read)
check("08.loop-order", my_matmul_ikj)

# %% [markdown]
# **A product in blocks.** Any shape: mind the edges, where a block is smaller.

# %%
def my_matmul_blocked(A, B, block):    # (I, K), (K, J), int -> C (I, J), any shape
    ...      # read A and B in pieces of at most block x block; @ may multiply two pieces
check("08.blocked", my_matmul_blocked)

# %% [markdown]
# **A fused kernel.** The loss and its gradient in one pass, as 8.7 describes it.

# %%
def bernoulli_fused(logits, x):    # (B, D), (B, D) -> nll (B,), dlogits (B, D) for dnll = 1
    ...      # two loops, and each logit is read from memory once; +-1000 must work
             # (np.exp, np.log1p, abs and max work on single numbers, and in numba)
check("08.fused", bernoulli_fused)

# %% [markdown]
# **How much arithmetic is a step?** Section 8.1 for any network, as a function.

# %%
def step_flops(batch, layers):    # int, [(inputs, outputs), ...] from the image on
    ...      # -> flops of all matrix products, forward and backward, as an int;
             # a multiplication and an addition count 2; the images need no gradient
check("08.flops", step_flops)

# %% [markdown]
# **The roofline.** Eq. (8), as a function.

# %%
def roofline(flops, bytes_moved, peak, bandwidth):    # work: flop, byte; machine: flop/s,
    ...                                               # byte/s -> the flop/s within reach
check("08.roofline", roofline)

# %% [markdown]
# **Next:** the model trains fast. Notebook 09 asks how good it is, and puts the exact
# log-likelihood beside the bound.

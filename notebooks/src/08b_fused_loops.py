# ---
# jupyter:
#   jupytext:
#     text_representation:
#       format_name: percent
# ---

# %% [markdown]
# # 08b · Making it fast: fused loops
#
# **What you will be able to do**
# - count the passes of a few lines of NumPy, and the bytes that they load and store (`08.passes`);
# - fuse such passes into one loop (`08.fused`);
# - put a float32 together from its bits, for an exponential without a call, and take it apart (`08.bits`);
# - find what keeps a compiled loop from using vectors, or makes it compute in another type (`08.trap`).
#
# **Builds on** notebook [08a](08a_loops_caches_and_a_tile.ipynb): vectors, caches, the roofline; and
# on the likelihood of notebook 05 and Adam of notebook 07. Reading time: 40 minutes, and 5 for
# the appendix; the exercises come on top.
#
# As in 08a, times are measured on your machine, the text around them is checked against them, and
# "Not so on this machine" says where they disagree.

# %%
import sys; sys.path[:0] = [".", "..", "minivae", "../minivae"]
import os; os.environ["MINIVAE_NUM_THREADS"] = "1"         # one thread, until notebook 08c

import contextlib
import importlib
import io
import math
import tempfile
from pathlib import Path

import numpy as np
from numba import njit
from threadpoolctl import threadpool_limits

from minivae import ops, plots, vae
from minivae.exercises import check, hint, predict, recall, reveal, solution
from minivae.kernels.inspection import float64_instructions, library_calls, vector_instructions
from minivae.studies import races, step_profile
from minivae.studies.races import checked, race

with contextlib.redirect_stderr(io.StringIO()):            # (compiles, at the first use on a machine)
    from minivae import kernels
    kernels.matmul(np.ones((1, 1), np.float32), np.ones((1, 1), np.float32))

plots.notebook_style()
threadpool_limits(1)
rng = np.random.default_rng(8)
f32 = np.float32

# %% [markdown]
# Three questions about earlier notebooks first. Replace each `...` by `"a"`, `"b"` or `"c"`.

# %%
recall("08b", ..., ..., ...)

# %% [markdown]
# ## 8.8  Why is the rest so slow?
#
# Notebook 08a ended with a step whose matrix products are the package's: a register tile, with its
# edges and transposed operands. Here is that profile again. All else is NumPy.

# %%
B, D, L = 100, 784, 50
spec = vae.Spec(D, (200, 200), L)
x = (rng.random((B, D)) < 0.2).astype(f32)
eps = rng.standard_normal((B, L), dtype=f32)
weights = sum(I * O for I, O in [(D, 200), (200, 200), (200, 2 * L), (L, 200), (200, 200), (200, D)])
products = 2 * B * (3 * weights - D * 200)                 # flop of y, dW, dx of each layer; no dx of the first
adams_share = 13 * weights / products                      # 13 flop for each weight


def product_by_package(left, right):
    """left @ right; a transposed view is handed on as such."""
    ta, tb = not left.flags.c_contiguous, not right.flags.c_contiguous
    return kernels.matmul(left.T if ta else left, right.T if tb else right, transpose_a=ta, transpose_b=tb)


numpys_rest = step_profile.Trainee(step_profile.with_product(product_by_package), spec)

# %% tags=["timing"]
opening = checked(
    lambda: step_profile.profile({"tile, and NumPy": numpys_rest}, x, eps),
    lambda p: step_profile.contradictions(p) | {
        "Adam takes far more than its share of the flop": p["tile, and NumPy"]["Adam"] > 4 * adams_share * p["tile, and NumPy"]["products"],
    },
)
fig, ax = plots.figure(6.8, 2.2)
step_profile.draw(ax, opening)
fig

# %% tags=["timing"]
bars = opening["tile, and NumPy"]
print(f"Adam: {adams_share:.1%} of the products' arithmetic, and {bars['Adam'] / bars['products']:.0%} of their time")

# %% [markdown]
# So the number of flop does not explain Adam's bar. In NumPy each operation is a **pass** of its own: it
# loads whole arrays, stores a whole array, and the next `+` begins again. How many passes, how many bytes?
# Count them, with an array that keeps a tally: NumPy calls its `__array_ufunc__` for arithmetic, functions
# such as `np.sqrt`, and sums. (Not for `np.where`, which is a pass, too, and whose result counts no further.)

# %%
class Counted(np.ndarray):
    """An array whose arithmetic counts its passes and the bytes that they load and store."""

    passes = traffic = 0

    def __array_ufunc__(self, ufunc, method, *inputs, out=None, **kwargs):
        plain = [np.asarray(a) if isinstance(a, Counted) else a for a in inputs]
        if out is not None:
            kwargs["out"] = tuple(np.asarray(a) for a in out)
        result = getattr(ufunc, method)(*plain, **kwargs)
        arrays = [a for a in plain if isinstance(a, np.ndarray)]
        Counted.passes += 1
        Counted.traffic += sum(a.nbytes for a in arrays) + result.nbytes
        return out[0] if out is not None else result.view(Counted)


# %%
P = vae.n_params(spec)
Counted.passes = Counted.traffic = 0
flat, grad, m, v = (np.zeros(P, f32).view(Counted) for _ in range(4))
ops.adam_step(flat, grad, m, v, 1, 1e-3)
needed = 4 * P * 7                                        # load flat, grad, m, v; store flat, m, v
print(f"{P:,} parameters")
print(f"NumPy: {Counted.passes} passes, which load and store {Counted.traffic / 1e6:.1f} million bytes")
print(f"each number once would be {needed / 1e6:.1f} million, {Counted.traffic / needed:.1f} times less")

# %% [markdown]
# Much of that goes into arrays that only a later pass needs (*temporaries*). A **fused** loop does
# everything with a number while it is in a register. (Its root and division are a parameter, because we shall
# change them later; `v_scale` is Adam's $1 / (1 - \beta_2^t)$. Of the options, `"contract"` lets a product and
# a sum be one multiply-add, and 8.9 says what `error_model` is for.)

# %%
unhindered = njit(error_model="numpy", fastmath={"contract"})


def adam_with(last):
    @unhindered
    def adam_loop(flat, grad, m, v, lr, beta1, beta2, v_scale, adam_eps):
        one = f32(1)
        for i in range(len(flat)):
            g = grad[i]
            m[i] = beta1 * m[i] + (one - beta1) * g
            v[i] = beta2 * v[i] + (one - beta2) * g * g
            flat[i] -= lr * last(m[i], v[i] * v_scale, adam_eps)

    return adam_loop


both = unhindered(lambda m, v, tiny: m / (np.sqrt(v) + tiny))    # root and division, as in Adam
adam_fused = adam_with(both)


def adam_step(flat, grad, m, v, step, lr, beta1=0.9, beta2=0.999, adam_eps=1e-8):
    scales = lr / (1 - beta1**step), beta1, beta2, 1 / (1 - beta2**step), adam_eps
    adam_fused(flat, grad, m, v, *map(f32, scales))


# %%
start = [rng.random(P, dtype=f32) for _ in range(4)]


def rows(n):
    """n arrays of P numbers in one block of memory; each begins a cache line."""
    return list(races.aligned(np.zeros((n, -(-P // 16) * 16)))[:, :P])


def copies():
    arrays = rows(4)
    for array, numbers in zip(arrays, start):
        array[:] = numbers
    return arrays


by_loop, numpys = copies(), copies()
for step in (1, 2, 3):
    adam_step(*by_loop, step, 1e-3)
    ops.adam_step(*numpys, step, 1e-3)
print("after three steps, they agree:",
      all(np.allclose(a, b, atol=1e-6) for a, b in zip(by_loop, numpys, strict=True)))

# %% [markdown]
# Are the passes the reason, or only that NumPy is called for each of them? Test it: a compiled
# function, called once, that makes the same passes, one loop after another.

# %%
@unhindered
def adam_passes(flat, grad, m, v, lr, beta1, beta2, v_scale, adam_eps, t, u):
    one, n = f32(1), len(flat)                            # t and u are the temporaries
    for i in range(n):
        m[i] *= beta1
    for i in range(n):
        t[i] = (one - beta1) * grad[i]
    for i in range(n):
        m[i] += t[i]
    for i in range(n):
        v[i] *= beta2
    for i in range(n):
        t[i] = (one - beta2) * grad[i]
    for i in range(n):
        t[i] *= grad[i]
    for i in range(n):
        v[i] += t[i]
    for i in range(n):
        t[i] = v[i] * v_scale
    for i in range(n):
        t[i] = np.sqrt(t[i])
    for i in range(n):
        t[i] += adam_eps
    for i in range(n):
        u[i] = lr * m[i]
    for i in range(n):
        u[i] /= t[i]
    for i in range(n):
        flat[i] -= u[i]


scales = f32(1e-3), f32(0.9), f32(0.999), f32(1), f32(1e-8)
one_way, other_way = copies(), copies()
t, u = rows(2)
adam_passes(*one_way, *scales, t, u)
adam_fused(*other_way, *scales)
print("passes and fused agree:", np.allclose(one_way[0], other_way[0], atol=1e-6))

# %% tags=["timing"]
times = checked(
    lambda: race({
        "NumPy's passes": lambda: ops.adam_step(*numpys, 9, 1e-3),
        "compiled passes": lambda: adam_passes(*one_way, *scales, t, u),
        "fused": lambda: adam_fused(*other_way, *scales),
        "the package": lambda: kernels.adam_step(*by_loop, 9, 1e-3),
    }),
    lambda s: {
        "compiled passes are far behind the fused loop": s["compiled passes"] > 1.7 * s["fused"],
        "NumPy's passes are far behind the fused loop": s["NumPy's passes"] > 1.7 * s["fused"],
        "most of the gain comes from one pass": s["compiled passes"] - s["fused"] > s["NumPy's passes"] - s["compiled passes"],
    },
)
for name, seconds in times.items():
    print(f"Adam, {name:16} {1e6 * seconds:5.0f} us ({1e6 * seconds.low:.0f} to {1e6 * seconds.high:.0f})")
gain = times["NumPy's passes"] - times["fused"]
print(f"of what the fused loop gains, the compiled passes gain {1 - (times['compiled passes'] - times['fused']) / gain:.0%}")

# %% [markdown]
# The compiled passes do not call NumPy once, and are still far behind. So most of the gain comes from
# having one pass. The rest (last line) is whatever else differs between NumPy's 13 calls and these 13 loops.
# (The package's Adam is such a fused loop; it also checks its arguments, and could divide the work among threads.)
#
# Why does a pass cost so much: because its bytes come from far away, or because it loads and stores at all?
# Change the distance: few parameters stay in the first cache, many do not.
#
# **Predict first.** With 1024 parameters all arrays stay in the first cache. How much longer do the compiled passes
# take there than the fused loop: `"hardly"`, or `"over a quarter"`?

# %%
predict("08.near-passes", ...)

# %%
def again(loop):
    """A function that calls the loop a number of times."""
    def run(times, *args):
        for _ in range(times):
            loop(*args)

    return run


passes_again, fused_again, numpy_again = njit(again(adam_passes)), njit(again(adam_fused)), again(ops.adam_step)


def per_parameter(n):
    """{name: ns for each of n parameters, which are updated again and again}."""
    numbers = np.random.default_rng(n).random((6, n + 80))
    arrays = list(races.aligned(numbers)[:, :n])          # (powers of two apart, they would share places in a cache)
    times = max(1, 2**16 // n)
    seconds = race({
        "NumPy's passes": lambda: numpy_again(times, *arrays[:4], 9, 1e-3),
        "compiled passes": lambda: passes_again(times, *arrays[:4], *scales, *arrays[4:]),
        "fused": lambda: fused_again(times, *arrays[:4], *scales),
    }, 3, 0.01)
    return {name: 1e9 * s / (n * times) for name, s in seconds.items()}


# %% tags=["timing"]
def gap(ns):
    return ns["compiled passes"] - ns["fused"]


sizes = [2**k for k in range(8, 21, 2)]                   # 256 to a million
ns = checked(
    lambda: {n: per_parameter(n) for n in sizes},
    lambda ns: {
        "256 parameters: NumPy takes over three times as long as the compiled passes": ns[256]["NumPy's passes"] > 3 * ns[256]["compiled passes"],
        "four times as many take NumPy less than half as long again": 4 * ns[1024]["NumPy's passes"] < 1.5 * ns[256]["NumPy's passes"],
        "first cache: the passes take over a quarter more than the fused loop": ns[1024]["compiled passes"] > 1.25 * ns[1024]["fused"],
        "a million: the gap is over one and a half times that of the first cache": gap(ns[sizes[-1]]) > 1.5 * gap(ns[1024]),
    },
)
fig, ax = plots.figure(6.4, 3.2)
for name, color in zip(ns[256], (plots.GREY, plots.BLUE, plots.RED), strict=True):
    ax.plot(sizes, [ns[n][name] for n in sizes], color=color, marker="o", ms=4, label=name)
for name, size in races.cache_sizes().items():
    ax.axvline(size / 16, color=plots.INK, lw=1, ls="--")
    ax.text(size / 16, 1.0, f" {name}", transform=ax.get_xaxis_transform(), va="top", fontsize=8)
ax.set(xscale="log", yscale="log", xlabel="parameters (upright: their four arrays fill a cache)", ylabel="ns for one parameter",
       title="Adam: what 13 passes cost, and one")
ax.legend(fontsize=8, loc=(0.57, 0.6))
fig

# %%
reveal("08.near-passes")

# %% [markdown]
# Both reasons count, and a third one. Far left, four times as many parameters take NumPy less than half as long
# again: most of its time goes into the calls themselves. In the first cache no bytes come from far away, and
# the compiled passes still take over a quarter longer than the fused loop: loads and stores have their price there,
# too. At a million parameters the difference between the two is over one and a half times what it is in the first
# cache (in ns for one parameter): now each pass also waits for bytes from far away.
#
# What limits the fused loop? First in the first cache again, with 1024 parameters, whose four arrays
# take 16 KiB.
#
# **Predict first.** Of the 13 flop of a parameter, one is a root and one a division. Put cheaper operations in
# their place. How much time does that save: `"less than a tenth"`, or `"over a tenth"`?

# %%
predict("08.adam-limit", ...)

# %% [markdown]
# The loop with *neither* (a product stands in their place), with *both*, and with *two roots*. The bytes
# are the same in all three. Each contestant updates the same 1024 parameters `P // 1024` times. That is as much
# arithmetic as one update of all `P`, so that we can compare the times with those of Adam on all parameters, below.

# %%
neither = unhindered(lambda m, v, tiny: m * (v + tiny))
two_roots = unhindered(lambda m, v, tiny: m / (np.sqrt(np.sqrt(v) + tiny) + tiny))
variants = {"neither": adam_with(neither), "both": adam_fused, "two roots": adam_with(two_roots)}
small = [array[:1024] for array in copies()]
repeated = {name: njit(again(loop)) for name, loop in variants.items()}

# %% tags=["timing"]
near = checked(
    lambda: race({name: lambda f=f: f(P // 1024, *small, *scales) for name, f in repeated.items()}),
    lambda t: {
        "first cache: root and division take more than a fifth": t["neither"] < 0.8 * t["both"],
        "first cache: a second root makes it slower": t["two roots"] > 1.2 * t["both"],
    },
)
for name, seconds in near.items():
    print(f"first cache, {name:10} {1e6 * seconds:5.0f} us ({1e6 * seconds.low:.0f} to {1e6 * seconds.high:.0f})")
print(f"without root and division {1 - near['neither'] / near['both']:.0%} of the time is saved")

# %%
reveal("08.adam-limit")

# %% [markdown]
# So in the first cache 2 operations of 13 take more than a fifth of the time. Counting flop hides that: in the
# time of one root or one division a core could start several multiply-adds of vectors. (The roof of 08a is one of
# multiply-adds.)
#
# Now the same loop at its place, inside a training step. Two things differ: the four arrays are far too large
# for the first cache, and the products and everything else run between two calls. To tell the two apart, we
# also call the loop alone, on all parameters, again and again.

# %%
def trainee_with(loop):
    """A trainee: the package's step with this loop for Adam; and a dict with the seconds of the last call."""
    seconds = {}
    still = f32(0), *scales[1:]                           # lr = 0: the parameters stay as they are

    def adam_timed(flat, grad, m, v, count, lr):
        start = races.cpu_clock()
        loop(flat, grad, m, v, *still)
        seconds["last"] = races.cpu_clock() - start

    def backend(watch):
        functions = step_profile.fused(kernels)(watch)
        functions.adam_step = adam_timed
        return functions

    return step_profile.Trainee(backend, spec), seconds


trainees = {name: trainee_with(variants[name]) for name in ("neither", "both")}


def in_steps(rounds=9, turn=20):
    """{name: seconds of Adam in a step}: the fastest of a turn, as in `race`."""
    fastest = {name: [] for name in trainees}
    for _ in range(races.rounds_needed(rounds)):
        for name, (trainee, seconds) in trainees.items():
            steps = []
            for _ in range(turn):
                trainee.step(x, eps)
                steps.append(seconds["last"])
            fastest[name].append(min(steps))
    return {name: races.Timing(times) for name, times in fastest.items()}


def root_and_division(t):
    return t["both"] - t["neither"]


# %% tags=["timing"]
arrays = copies()
places = checked(
    lambda: {
        "in the first cache": near,
        "all, alone": race({name: lambda f=variants[name]: f(*arrays, *scales) for name in trainees}),
        "in a step": in_steps(),
    },
    lambda t: {
        "all parameters, alone: the same arithmetic takes longer": t["all, alone"]["neither"] > 1.15 * near["neither"],
        "in a step: the same arithmetic takes longer": t["in a step"]["neither"] > 1.15 * near["neither"],
        "in a step, root and division add less time": root_and_division(t["in a step"]) < 0.8 * root_and_division(near),
    },
)
for place, t in places.items():
    print(f"{place:18}: neither {1e6 * t['neither']:4.0f} us, both {1e6 * t['both']:4.0f} us; root and division add {1e6 * root_and_division(t):.0f} us")

# %% [markdown]
# *Neither* computes the same in all three places. Over all parameters it takes longer than in the first cache, in a
# step and alone. Alone, nothing else runs that could slow it down: so it is the distance of the bytes.
#
# And root and division add less time in a step than in the first cache. (Where a line says a few us, 0, or less
# than 0, they add hardly anything that can be measured.) If the core first waited for the bytes and then computed,
# they would add the same: it computes while it waits. A loop that is raced on few numbers can show another limit than
# at its place. Race it at its real size, and then measure it at its place, too: where a cache holds all that the loop
# needs, but not all that a step needs, even these two can differ.
#
# The package has a fused loop for Adam; for the likelihood and its gradient, which share one exponential
# (notebook 05); for tanh, on a block of $C$ that the product has just made (its sums start from the bias); and
# compiled loops for the KL, the sample and their gradients.

# %% [markdown]
# ## 8.9  Why does a fused loop not run at full speed?
#
# Compiling a loop is not enough: numba has traps. Here is the gradient of the Bernoulli `nll`, sigmoid minus pixel,
# as one loop. With $e = \exp(-|l|)$ the sigmoid is $1 / (1 + e)$ for $l > 0$ and $e / (1 + e)$ otherwise (notebook 05:
# nothing overflows). The exponential is a parameter, so that we can compare two.

# %%
i32 = np.int32


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
# promise: before the division it tests the divisor, and leaves the loop if it is 0. This loop may then end early, at
# any of its numbers, and numba's compiler makes no vectors of it. With `error_model="numpy"` a division by zero gives
# infinity or NaN, as in NumPy, and the test is gone.
#
# **Second trap: `math.exp`.** It is a call into the C library, for one number at a time. (Some builds of
# numba can use Intel's library of vector functions, SVML; there this trap may be gone.) So write an
# exponential that is plain arithmetic. Split $x$ into a whole number $n$ of $\log 2$ and a small rest $r$, at most
# half of $\log 2$ in size:
#
# $$
# e^{x} = e^{\,n\log 2 + r} = 2^{n}\,e^{r}
# \approx 2^{n}\Big(1 + r + \frac{r^2}{2!} + \dots + \frac{r^6}{6!}\Big) \tag{1}
# $$
#
# The polynomial is multiplications and additions. And $2^n$ needs only an addition and a shift, because a
# positive, finite float32 (from $2^{-126}$ on) *is* $2^n$ times a number from 1 to 2: its bits 23 to 30 hold
# $n + 127$. Put that whole number there, zeros in all other bits, and read them as a float.

# %%
LOG2_E, LN2 = f32(1 / math.log(2)), f32(math.log(2))
ROUND = f32(1.5 * 2**23)             # from 2^23 to 2^24 a float32 has no fractions: adding ROUND rounds
ROUND_BITS = ROUND.view(i32)         # to a whole number, which then stands in the lowest bits (1.5 times 2^23,
                                     # so that the sum stays in that range although x is negative)
LOWEST = f32(-87)                    # not far below it, 2^n has no place in those bits any more
c2, c3, c4, c5, c6 = (f32(1 / math.factorial(n)) for n in range(2, 7))
ONE = f32(1)


@njit
def fast_exp(x):                                          # eq. (1), for x <= 0
    x = max(x, LOWEST)
    shifted = x * LOG2_E + ROUND
    n = i32(f32(shifted).view(i32) - ROUND_BITS)
    r = x - (shifted - ROUND) * LN2
    p = ONE + r * (ONE + r * (c2 + r * (c3 + r * (c4 + r * (c5 + r * c6)))))
    return p * i32((n + i32(127)) << i32(23)).view(f32)


# %%
grid = np.linspace(-87, 0, 5001, dtype=np.float32)
values = np.array([fast_exp(number) for number in grid])
relative = np.abs(values / np.exp(grid.astype(np.float64)) - 1)
print(f"largest relative error from -87 to 0: {relative.max():.1e}, from -1 to 0: {relative[grid >= -1].max():.1e}")
print(f"below -87 it keeps its value there: fast_exp(-100) = {fast_exp(f32(-100)):.1e}, exp(-100) = {math.exp(-100):.1e}")

# %% [markdown]
# (Far from 0 most of the error comes from rounding $n \log 2$, which is nearly as large as $x$. The package
# subtracts $\log 2$ in two parts, of which the first has so few bits that the product is exact:
# `kernels/elementary.py`.)

# %%
logits = (4 * rng.standard_normal(B * D)).astype(f32)
logits[:4] = -1000, -100, 100, 1000
pixels, out = x.ravel(), np.empty(B * D, f32)
truth = ops.sigmoid(logits) - pixels

loops = {}
for exp_name, exp in (("math.exp", math.exp), ("fast_exp", fast_exp)):
    for error_model in ("python", "numpy"):
        loop = njit(error_model=error_model)(residual_loop(exp))
        loop(logits, pixels, out)
        loops[exp_name, error_model] = loop
        print(f"{exp_name}, error_model={error_model!r}:".ljust(34),
              "right" if np.allclose(out, truth, rtol=0, atol=2e-6) else "wrong")

# %% [markdown]
# All four agree with the truth to two millionths.
#
# **Predict first.** If only one of the two traps is mended, does the loop take less than half of the time that it
# takes with both traps: `"no"` or `"yes"`?

# %%
predict("08.one-trap", ...)

# %% tags=["timing"]
times = checked(
    lambda: race({
        "NumPy, in several passes": lambda: np.subtract(ops.sigmoid(logits), pixels),
        **{f"{exp_name}, {model} errors": lambda f=f: f(logits, pixels, out) for (exp_name, model), f in loops.items()},
    }),
    lambda t: {
        "one trap mended does not halve the time":
            min(t["fast_exp, python errors"], t["math.exp, numpy errors"]) > t["math.exp, python errors"] / 2,
        "both mended gain much": t["math.exp, python errors"] > 3 * t["fast_exp, numpy errors"],
        "one at a time, fast_exp takes longer than math.exp": t["fast_exp, python errors"] > t["math.exp, python errors"],
    },
)
for name, seconds in times.items():
    print(f"{name:26} {1e6 * seconds:5.0f} us ({1e6 * seconds.low:.0f} to {1e6 * seconds.high:.0f})")
for (exp_name, model), f in loops.items():
    print(f"{exp_name}, {model} errors: {vector_instructions(f)} vector instructions, calls of a library: {library_calls(f)}")

# %%
reveal("08.one-trap")

# %% [markdown]
# Only the loop without either trap is fast. Mending the division alone does not halve the time, and mending the
# exponential alone makes the loop slower: one number at a time, our polynomial takes longer than the library's.
# That makes such traps hard to find: mend one, see little gain, undo it. So ask the compiler, and ask for both
# numbers: a loop can have vector instructions *around* its calls, and be slow all the same.

# %% [markdown]
# **Third trap: a number without a type.** In NumPy, `0.5 * a` for a float32 array `a` stays
# float32. In numba the same words mean: a float64 times a float32, which is a float64.

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
# A register holds half as many float64, and each number is converted to one and back. The result looks
# right, and the time does not:

# %% tags=["timing"]
def loop_with(half):
    def loop(numbers, out):
        for i in range(len(numbers)):
            a = numbers[i]
            out[i] = (((half * a + half) * a + half) * a + half) * a

    return njit(loop)


loop_untyped, loop_typed, out_typed = loop_with(0.5), loop_with(HALF), np.empty_like(out)
times = checked(
    lambda: race({"0.5": lambda: loop_untyped(logits, out), "HALF": lambda: loop_typed(logits, out_typed)}),
    lambda t: {"the typed constant is much faster": t["0.5"] > 1.5 * t["HALF"]},
)
print("the same numbers:", np.allclose(out, out_typed, rtol=1e-4, atol=1e-4))
print(f"a constant without a type: {times['0.5'] / times['HALF']:.1f} times as long")
print("instructions in float64:", *(float64_instructions(f) for f in (loop_untyped, loop_typed)))

# %% [markdown]
# Hence the rule: `np.float32(...)` around constants. A whole number needs it, too: an integer of 64 bits
# (such as `1`), or of 32, makes float64 in a sum or a product with a float32.
#
# **Fourth trap: what numba remembers.** A function divides by a global, `width`. It is called while `width` is 4,
# and again when `width` has become 16.
#
# **Predict first.** What does it give for 64 the second time: `"4"` or `"16"`?

# %%
predict("08.frozen-global", ...)

# %%
width = 4


@njit
def registers(numbers):
    return numbers // width


print("width 4:               ", registers(64))
width = 16
print("width 16:              ", registers(64), f"(it should be {64 // width} now)")
print("width 16, for a float: ", registers(64.0), "(compiled just now)")
reveal("08.frozen-global")

# %% [markdown]
# numba compiles a function once for each combination of types, with the values that its globals have then (that of
# `HALF` above, too). So whole numbers are still divided by 4; for a float it compiles anew, with 16.
#
# With `cache=True` compiled functions are kept on disk, with the values that they remember. That saves the
# compile time of the next run. numba compiles anew when the function's own *file* changes. It
# does not look at other files. Watch: `kernel.py` calls a function from `helper.py`, and then
# `helper.py` is edited.

# %%
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
with tempfile.TemporaryDirectory() as folder:
    (Path(folder) / "kernel.py").write_text(
        "from helper import factor\nfrom numba import njit\n\n"
        "@njit(cache=True)\ndef scaled(x):\n    return x * factor()\n"
    )
    sys.path.insert(0, folder)
    print("helper returns 3:    ", run_kernel(Path(folder), 3))
    print("helper returns 1000: ", run_kernel(Path(folder), 1000))
    sys.path.remove(folder)

# %% [markdown]
# The second line is wrong: it comes from the cache. So the package has numba's cache depend on all
# files of its kernels (`kernels/compilation.py`), and what may vary is an argument, never a global.

# %% [markdown]
# ## 8.10  What is left of the bars?
#
# The same step, with the same tile for its products: once with NumPy's code around it, as at the
# start, and once with all the fused loops of the package.

# %%
all_fused = step_profile.Trainee(step_profile.fused(kernels), spec)
losses = np.array([[t.step(x, eps) for _ in range(20)] for t in (step_profile.Trainee(step_profile.fused(ops), spec), all_fused)])
print("twenty steps of NumPy's backend and of the package's, the same losses:", np.allclose(*losses, rtol=1e-5))

# %% tags=["timing"]
closing = checked(
    lambda: step_profile.profile({"tile, and NumPy": numpys_rest, "all loops fused": all_fused}, x, eps),
    lambda p: step_profile.contradictions(p) | {
        f"the bar of {part} shrinks": p["all loops fused"][part] < p["tile, and NumPy"][part]
        for part in ("likelihood", "Adam", "Python and the rest", "step")
    } | {"the bar of bias and tanh is gone": p["all loops fused"]["bias and tanh"] == 0}
    | {"the longest bar is the products": max(step_profile.PARTS, key=p["all loops fused"].get) == "products"},
)
fig, ax = plots.figure(6.8, 3.4)
step_profile.draw(ax, closing)
fig

# %% tags=["timing"]
before, after = closing["tile, and NumPy"], closing["all loops fused"]
for part in ("likelihood", "Adam", "Python and the rest", "step"):
    print(f"{part:19} {1e3 * before[part]:6.2f} ms -> {1e3 * after[part]:5.2f} ms, {before[part] / after[part]:.1f} times as fast")

# %% [markdown]
# The bars of the likelihood and of Adam have shrunk, and so has "the rest", mainly because the KL and the sample in
# it are compiled loops now, and because the package's product writes each $dW$ to its place in the gradient, where it
# was copied before. The bar of bias and tanh is gone, because the package does them inside its functions for
# a layer: the bar of the products contains them now. (The package also leaves out the zeros of the images in its
# products: see the appendix.)
#
# The longest bar is still the products. 08c divides them, and the loops of the likelihood and of Adam, among threads.

# %% [markdown]
# ## Recap
#
# - Each pass of NumPy's loads and stores its numbers anew; a fused loop does so once. For short arrays NumPy's
#   calls cost most; for long ones a pass waits for bytes, too.
# - What limits a fused loop depends on where its numbers lie: near, for Adam, root and division; farther away,
#   the bytes count as well, and root and division are partly or wholly done while the loop waits for them.
# - A loop that may end early (a check before a division, an exception), or that calls a function for
#   one number at a time, mostly gets no vectors for its work. In 8.9 either trap was enough.
# - An exponential can be plain arithmetic: a polynomial for $e^r$, and the bits of a float32 for $2^n$, eq. (1).
# - numba: `error_model="numpy"`, no `math.exp` in a hot loop, typed constants, nothing that varies
#   in globals, and a cache that sees edits in all files.
# - Ask the compiler whether it used vectors, what it calls, and in which type it computes.
#
# ## Exercises
#
# `hint("08.passes")` gives a nudge, `solution("08.passes")` the reference.
# `progress()` and `review()`, from `minivae.exercises`, list what is done and ask old questions again.

# %% [markdown]
# **Count passes and bytes.** Here is the Bernoulli likelihood in NumPy, as one could write it, for logits `l`
# and pixels `x` of shape (B, D) in float32 (4 bytes each):
#
# ```python
# e = np.exp(-np.abs(l))
# nll = (np.maximum(l, 0) + np.log1p(e) - x * l).sum(axis=1)
# ```
#
# How many passes, how many bytes do they load and store, and how many would one fused loop that makes
# `nll` alone? Count as `Counted` does; single numbers are free.

# %%
def likelihood_traffic(B, D):    # -> how many passes the two lines make, the bytes they
    ...      # load and store, and the bytes that one fused loop would, for the same nll
check("08.passes", likelihood_traffic)

# %% [markdown]
# **A fused kernel.** The loss of notebook 05 and its gradient (the loop of 8.9) share one exponential. Make both in
# one pass.

# %%
def bernoulli_fused(logits, x):    # (B, D), (B, D) -> nll (B,), dlogits (B, D) for dnll = 1
    ...      # one pass, with one exp at most and one read for each logit; x from 0 to 1,
             # logits up to +-1000 (np.exp, np.log1p, abs and max work on single numbers)
check("08.fused", bernoulli_fused)

# %% [markdown]
# **Take a float apart.** Eq. (1) ends with a float32 that is put together from its bits. A fast logarithm begins
# the other way round: with $x = 2^n f$, $\log x = n \log 2 + \log f$, and $f$ lies in a short interval. The bits
# are those of 8.9, bit 31 is the sign.

# %%
def float_parts(x):    # (N,) float32, 2^-126 <= |x| < 2^128 -> n (N,), fraction (N,):
    ...      # x = 2^n fraction with whole n, 1 <= |fraction| < 2; exact, also just
             # below a power of two
check("08.bits", float_parts)

# %% [markdown]
# **Find the traps.** The check compiles this loop and looks into its code: is all its arithmetic in
# float32, does it use vectors, and does it call no function of a library? Mend what keeps it from that.

# %%
def softsign(a, out):    # (n,), (n,) float32: out = a / (1 + |a|); the check compiles with
    for i in range(len(a)):      # error_model="numpy"; what a NaN gives does not matter
        if a[i] != a[i]:
            raise ValueError("not a number")
        out[i] = a[i] / (1 + abs(a[i]))
check("08.trap", softsign)

# %% [markdown]
# **Next:** [08c](08c_threads.ipynb) divides the work among threads, and puts all of it into a table.

# %% [markdown]
# ## Appendix: work that need not be done
#
# In a binarized digit most pixels are 0, and a pixel that is 0 adds nothing to $C = XW$: row $i$ of
# $C$ is the sum of those rows of $W$ whose pixel is on. The *i-k-j* loops of 08a can leave the others
# out with one `if`.

# %%
@unhindered
def without_zeros(x, W, C):
    for i in range(len(x)):
        C[i] = 0
        for k in range(x.shape[1]):
            if x[i, k] != 0:
                for j in range(W.shape[1]):
                    C[i, j] += x[i, k] * W[k, j]


W, bias = rng.standard_normal((D, 200), dtype=np.float32), np.zeros(200, np.float32)
out_x = np.empty((B, 200), np.float32)
images = {share: (rng.random((B, D)) < share).astype(f32) for share in (0.05, 0.1, 0.2, 0.3)}
for a in images.values():
    without_zeros(a, W, out_x)
    ours, _ = kernels.dense_forward(a, W, bias, "none")
    print(f"{(a != 0).mean():4.0%} of the pixels are on; both products agree:",
          np.allclose(out_x, a @ W, atol=1e-3) and np.allclose(ours, a @ W, atol=1e-3))

# %% [markdown]
# A fifth of the work should take a fifth of the time. Does it? To see what the short way pays for, two more
# contestants do a fifth of the work without looking for it: they multiply a fifth of the columns, all of them on.
# A third one has to look for its fifth, but finds it at every fifth pixel.

# %% tags=["timing"]
fifth = D // 5
ones, W_fifth = np.ones((B, fifth), f32), np.ascontiguousarray(W[:fifth])
every_fifth = (np.add.outer(np.arange(B), np.arange(D)) % 5 == 0).astype(f32)      # not the same ones in the next image
times = checked(
    lambda: race({
        "tile": lambda: kernels.matmul(images[0.2], W),
        "tile, a fifth": lambda: kernels.matmul(ones, W_fifth),
        "loops, a fifth": lambda: without_zeros(ones, W_fifth, out_x),
        "loops, every fifth": lambda: without_zeros(every_fifth, W, out_x),
    } | {
        (how, share): f
        for share, a in images.items()
        for how, f in (
            ("loops", lambda a=a: without_zeros(a, W, out_x)),
            ("package", lambda a=a: kernels.dense_forward(a, W, bias, "none")),
        )
    }),
    lambda t: {
        "a fifth of the work takes more than a fifth of the time": t["package", 0.2] > 0.3 * t["tile"],
        "the package is faster than these loops": t["package", 0.2] < t["loops", 0.2],
        "fewer pixels, less time": t["package", 0.05] < t["package", 0.1] < t["package", 0.2] < t["package", 0.3],
        "in one piece, the tile needs about a fifth": t["tile, a fifth"] < 0.3 * t["tile"],
        "the loops take over a quarter longer than the tile for it": t["loops, a fifth"] > 1.25 * t["tile, a fifth"],
        "and scattered they take longer still": t["loops", 0.2] > 1.25 * t["loops, a fifth"],
        "where every fifth pixel is on, they take less": t["loops", 0.2] > 1.1 * t["loops, every fifth"],
    },
)
print(f"all of it, by the tile: {1e6 * times['tile']:.0f} us; a fifth in one piece, by the tile:"
      f" {1e6 * times['tile, a fifth']:.0f} us, by these loops: {1e6 * times['loops, a fifth']:.0f} us;"
      f" every fifth pixel: {1e6 * times['loops, every fifth']:.0f} us, scattered: {1e6 * times['loops', 0.2]:.0f} us")
for share in images:
    loops_gain, gain = (times["tile"] / times[how, share] for how in ("loops", "package"))
    print(f"{share:4.0%} on: these loops {loops_gain:5.2f} times as fast as the tile, the package {gain:5.2f} times")

# %% [markdown]
# A fifth of the work takes more than a fifth of the time, mainly for two reasons. The short way has no tile, since
# each image needs other rows of $W$: for the same fifth in one piece, these loops take clearly longer than the
# tile. And scattered pixels take longer still: the zeros are looked at, too, and nobody knows which pixel is on next.
# A core does not wait at an `if`. It guesses which way the `if` will go and computes on, and after a wrong guess it
# has to go back. Where every fifth pixel is on, it soon guesses mostly right. There these loops look at as many zeros,
# and their rows of $W$ lie, on average, as far apart, but they take less time: the difference is mostly the price of
# wrong guesses.
#
# So the package has no `if` for each pixel. It notes in the 64 bits of a whole number which of 64 pixels are on, and
# goes from one bit that is 1 to the next. It keeps a piece of a row of $C$ in registers and adds to it the same piece
# of those rows of $W$ whose bits are 1. It does so for many images before it takes the next 64 rows: so these are
# still near, mostly in the first cache. The more pixels are on, the less is gained; where a factor is below 1, the
# short way takes longer than the tile.
#
# One more danger: $0 \cdot \infty$ is NaN, so leaving out a zero can hide a broken weight. The package
# takes the short way only where all of $W$ is finite, and more than two thirds of a sample of the
# input are zeros.

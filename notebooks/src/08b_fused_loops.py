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
# - count what NumPy's passes load and store, fuse them into one loop, and find what limits that loop;
# - find what keeps a compiled loop from running at full speed: divisions, calls, types, and what
#   numba remembers.
#
# **Builds on** notebook [08a](08a_loops_caches_and_a_tile.ipynb): vectors, caches, the roofline; and
# on the likelihood of notebook 05 and Adam of notebook 07. Reading time: 55 minutes, and 8 for
# the appendix.
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
from minivae.kernels.inspection import library_calls, vector_instructions
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
# Notebook 08a ended with a step whose matrix products come from a register tile. Here is that
# profile again. The products are now those of the package: the same tile, with its edges and
# transposed operands done properly. All else is NumPy.

# %%
B, D, L = 100, 784, 50
spec = vae.Spec(D, (200, 200), L)
x = (rng.random((B, D)) < 0.2).astype(f32)
eps = rng.standard_normal((B, L), dtype=f32)


def product_by_package(left, right):
    """left @ right; a transposed view is handed on as such."""
    ta, tb = not left.flags.c_contiguous, not right.flags.c_contiguous
    return kernels.matmul(left.T if ta else left, right.T if tb else right, transpose_a=ta, transpose_b=tb)


numpys_rest = step_profile.Trainee(step_profile.with_product(product_by_package), spec)

# %% tags=["timing"]
opening = checked(
    lambda: step_profile.profile({"tile, and NumPy": numpys_rest}, x, eps),
    step_profile.contradictions,
)
fig, ax = plots.figure(6.8, 2.2)
step_profile.draw(ax, opening)
fig

# %% tags=["timing"]
bars = opening["tile, and NumPy"]
weights = sum(I * O for I, O in [(D, 200), (200, 200), (200, 2 * L), (L, 200), (200, 200), (200, D)])
products = 2 * B * (3 * weights - D * 200)                 # y, dW, dx of each layer; no dx of the first
print(f"Adam: {13 * weights / products:.1%} of the products' arithmetic, and {bars['Adam'] / bars['products']:.0%} of their time")

# %% [markdown]
# So the number of flop does not explain Adam's bar. In NumPy each operation is a pass of its own: load
# whole arrays, store a whole array, and do it again for the next `+`. How many passes, how many bytes?
# Count them, with an array that keeps a tally (NumPy calls its `__array_ufunc__` for each operation).

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
# Much of that is arrays in between that nobody wants (*temporaries*). A **fused** loop does everything
# with a number while it is in a register. (Its last operation is left open for a moment, `v_scale` is
# Adam's $1 / (1 - \beta_2^t)$, and 8.9 says what `error_model` is for.)

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
    """n arrays of P numbers in one block of memory: then times differ less from run to run."""
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
        t[i] = grad[i] * grad[i]
    for i in range(n):
        t[i] *= one - beta2
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
# having one pass, and the rest (last line) from NumPy's calls and the arrays that it makes for its results.
#
# **Predict first.** And the fused loop, what limits it inside a training step: the 28 `"bytes"` that it
# moves for each parameter, or its `"root and division"`?

# %%
predict("08.adam-limit", ...)

# %% [markdown]
# Change the arithmetic and keep the bytes: neither root nor division (a product in their place), both, or one root more. And change where the bytes lie:
#
# - *first cache*: the loop runs on 1024 parameters, again and again until as many numbers are done;
# - *called again*: all parameters, and nothing else runs between two calls, as in the race above;
# - *in a step*: the products and all else come between two calls.

# %%
neither = unhindered(lambda m, v, tiny: m * (v + tiny))
two_roots = unhindered(lambda m, v, tiny: m / (np.sqrt(np.sqrt(v) + tiny) + tiny))
variants = {"neither": adam_with(neither), "both": adam_fused, "two roots": adam_with(two_roots)}


def again(loop):
    """A compiled function that calls the loop a number of times."""
    @njit
    def run(times, *args):
        for _ in range(times):
            loop(*args)

    return run


repeated = {name: again(loop) for name, loop in variants.items()}
passes_again = again(adam_passes)
*small, small_t, small_u = [array[:1024] for array in copies() + rows(2)]


def trainee_with(loop, before=lambda *args: None):
    """The package's step, but with this loop for Adam; `before` runs first, and is not timed."""
    def timed(watch):
        backend = step_profile.fused(kernels)(watch)

        def step(flat, grad, m, v, count, lr):
            still = f32(0), *scales[1:]                   # lr = 0: all of them go on with one gradient
            before(flat, grad, m, v, *still)
            watch.call("Adam", loop, flat, grad, m, v, *still)

        backend.adam_step = step
        return backend

    return step_profile.Trainee(timed, spec)


trainees = {name: trainee_with(loop) for name, loop in variants.items()}
trainees["both, right after a first call"] = trainee_with(adam_fused, before=adam_fused)



def in_steps(rounds=9, turn=20):
    """{name: seconds of Adam in a step}: the fastest of a turn, as in `race`."""
    fastest = {name: [] for name in trainees}
    for _ in range(rounds):
        for name, trainee in trainees.items():
            seconds = []
            for _ in range(turn):
                trainee.step(x, eps)
                seconds.append(trainee.watch.seconds["Adam"])
            fastest[name].append(min(seconds))
    return {("in a step", name): races.Timing(seconds) for name, seconds in fastest.items()}


# %% tags=["timing"]
def in_three_places():
    loops = {("first cache", name): lambda f=f: f(P // 1024, *small, *scales) for name, f in repeated.items()}
    loops |= {("called again", name): lambda f=f: f(*other_way, *scales) for name, f in variants.items()}
    loops["first cache", "passes"] = lambda: passes_again(P // 1024, *small, *scales, small_t, small_u)
    return race(loops) | in_steps()


limits = checked(
    in_three_places,
    lambda t: {
        "first cache: without root and division faster": t["first cache", "both"] > 1.15 * t["first cache", "neither"],
        "first cache: a second root makes it slower": t["first cache", "two roots"] > 1.2 * t["first cache", "both"],
        "first cache: passes stay behind": t["first cache", "passes"] > 1.25 * t["first cache", "both"],
    },
)
for (place, name), seconds in limits.items():
    print(f"{place:12}  {name:30} {1e6 * seconds:5.0f} us ({1e6 * seconds.low:.0f} to {1e6 * seconds.high:.0f})")
found = {
    place: "root and division" if limits[place, "both"] > 1.15 * limits[place, "neither"] else "bytes"
    for place in ("first cache", "called again", "in a step")
}
print("what costs time:", found)

# %%
reveal("08.adam-limit", found["in a step"])

# %% [markdown]
# In the first cache the time follows the arithmetic, though that is only 13 flop. Counting flop hides it: a
# core starts a multiply-add of vectors in each tick, but a root or a division only every few. (The roof of
# 08a is one of multiply-adds.) Farther away the bytes take longer, and where that is longer than the
# arithmetic, the root costs nothing: the core computes while it waits. Which of the two it is in a step
# depends on your caches, and on what else runs. (Where the quartiles of *neither* and *both* overlap, the two
# limits are close together.) So a loop raced alone can show another limit than the
# same loop at its place. The last line of the table is the test: where that second call is faster than
# the first, the place of the bytes was the reason. (The passes are behind even in the first cache:
# each loads and stores its numbers anew, wherever they come from.)
#
# The package has one loop for each of these:
#
# - **Adam**, in one pass over the flat vector, as here.
# - **The likelihood and its gradient.** $\log(1 + e^{l})$ and the sigmoid both need
#   $e^{-\lvert l\rvert}$ (notebook 05): one loop computes the exponential once and makes both. (A
#   second one multiplies by the gradient that comes from above.)
# - **Bias and tanh, forward, in the product's own loop**, on a block of $C$ just made. Backward, the slope
#   of tanh and the sums for the bias are loops of their own.
# - **The KL**, and **the sample**, with few numbers.

# %% [markdown]
# ## 8.9  Why does a fused loop not run at full speed?
#
# Whoever fuses the likelihood runs into traps, and they are worth knowing. Here is the gradient of
# the Bernoulli likelihood as one loop. `exp` is left open for a moment.

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
# promise: a test before a division whose divisor changes from number to number, and a way out of the
# loop. A loop that may be left at any number cannot do eight numbers at once. With `error_model="numpy"` a division by zero gives
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
# \approx 2^{n}\Big(1 + r + \frac{r^2}{2!} + \dots + \frac{r^6}{6!}\Big) \tag{1}
# $$
#
# The polynomial is multiplications and additions. And $2^n$ costs almost nothing, because a float32
# *is* a power of two times a fraction: its bits 23 to 30 hold $n + 127$. Put that whole number
# there and read the bits as a float.

# %%
LOG2_E, LN2 = f32(1 / math.log(2)), f32(math.log(2))
ROUND = f32(1.5 * 2**23)             # from 2^23 to 2^24 a float32 has no fractions: adding ROUND rounds
ROUND_BITS = ROUND.view(i32)         # to a whole number, which then stands in the lowest bits
LOWEST = f32(-87)                    # below it, 2^n would have no place in those bits
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
print(f"largest relative error from -87 to 0: {relative.max():.1e}")
print(f"below, it stays where it is: fast_exp(-100) = {fast_exp(f32(-100)):.1e}, exp(-100) = {math.exp(-100):.1e}")

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
              "right" if np.allclose(out, truth, atol=1e-6) else "wrong")

# %% [markdown]
# Four functions, one result to the sixth decimal.
#
# **Predict first.** If only one of the two traps is mended, how much faster is the loop: `"hardly"`,
# or `"about half of what both gain"`?

# %%
predict("08.one-trap", ...)

# %% tags=["timing"]
times = checked(
    lambda: race({
        "NumPy, in several passes": lambda: np.subtract(ops.sigmoid(logits), pixels),
        **{f"{exp_name}, {model} errors": lambda f=f: f(logits, pixels, out) for (exp_name, model), f in loops.items()},
    }),
    lambda t: {
        "one trap mended gains little": min(t["fast_exp, python errors"], t["math.exp, numpy errors"]) > 2 * t["fast_exp, numpy errors"],
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
# Only the loop without either trap is fast. With one of them mended the loop gains little, or is even
# slower: one number at a time, our polynomial takes longer than the library's exponential. That is what
# makes such traps hard to find: mend one, see no gain, undo it. So ask the compiler, and ask for both.
# `math.exp` with NumPy's errors has vector instructions *around* its calls, and is slow all the same.
#
# The package's functions are of this kind, with coefficients fitted to the interval in place of
# Taylor's, $\log 2$ in two pieces, and care for infinities and NaN; their errors are tested over
# the whole range of float32.

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
# A register holds half as many float64, and each number is converted to one and back. (Where this changes
# no bit, as in a single product by 0.5, the compiler goes back to float32.) The result looks right, and
# the time does not:

# %%
def loop_with(half):
    def loop(numbers, out):
        for i in range(len(numbers)):
            a = numbers[i]
            out[i] = (((half * a + half) * a + half) * a + half) * a

    return njit(loop)


loop_untyped, loop_typed = loop_with(0.5), loop_with(HALF)
for loop in (loop_untyped, loop_typed):
    loop(logits, out)
    print("right:", np.allclose(out, (((0.5 * logits + 0.5) * logits + 0.5) * logits + 0.5) * logits, rtol=1e-4, atol=1e-4))

# %% tags=["timing"]
times = checked(
    lambda: race({"0.5": lambda: loop_untyped(logits, out), "HALF": lambda: loop_typed(logits, out)}),
    lambda t: {"the typed constant is much faster": t["0.5"] > 1.5 * t["HALF"]},
)
print(f"a constant without a type: {times['0.5'] / times['HALF']:.1f} times as long")

# %% [markdown]
# Hence the rule: `np.float32(...)` around constants. An integer is one, too: with a float32, a whole
# number of 64 bits makes float64.
#
# **Fourth trap: what numba remembers.** It compiles a function once for each combination of types, with
# the values that its globals have then (that of `HALF` above, too):

# %%
width = 4


@njit
def registers(numbers):
    return numbers // width


print("width 4:               ", registers(64))
width = 16
print("width 16:              ", registers(64), f"(it should be {64 // width} now)")
print("width 16, for a float: ", registers(64.0), "(compiled just now)")

# %% [markdown]
# With `cache=True` compiled functions are kept on disk, which saves the compile time of the next
# run, and this memory with them. The cache is renewed when the function's own *file* changes. It
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
        for part in ("likelihood", "Adam", "step")
    },
)
fig, ax = plots.figure(6.8, 3.4)
step_profile.draw(ax, closing)
fig

# %% tags=["timing"]
before, after = closing["tile, and NumPy"], closing["all loops fused"]
for part in ("likelihood", "Adam", "step"):
    print(f"{part:12} {1e3 * before[part]:6.2f} ms -> {1e3 * after[part]:5.2f} ms, {before[part] / after[part]:.1f} times as fast")

# %% [markdown]
# The bars of the likelihood and of Adam have shrunk. That of bias and tanh is gone, because the package does
# them inside its functions for a layer: the bar of the products contains them now. (It also leaves out
# the zeros of the images: see the appendix.) "Python and the rest" holds the KL and the sample besides
# the interpreter and, above, a copy of each gradient.
#
# The longest bar is still the products. 08c divides them, and the other loops, among threads.

# %% [markdown]
# ## Recap
#
# - Each pass of NumPy's loads and stores its numbers anew; a fused loop does so once. What limits it then
#   depends on where its numbers lie: near, for Adam, root and division; far away, the bytes. Measure the
#   loop at its place, too.
# - A loop that may be left at any number (a check before a division, an exception) or that calls a
#   function for one number at a time uses no vectors there. In 8.9 either trap was enough.
# - numba: `error_model="numpy"`, no `math.exp` in a hot loop, typed constants, nothing that varies
#   in globals, and a cache that sees edits in all files.
# - Ask the compiler whether it used vectors, what it calls, and in which type it computes. (The two
#   functions used here search LLVM's code for names. When in doubt, read it: `inspect_asm()`.)
#
# ## Exercises
#
# `hint("08.fused")` gives a nudge, `solution("08.fused")` the reference.

# %% [markdown]
# **A fused kernel.** The loss and its gradient in one pass, as 8.8 describes it.

# %%
def bernoulli_fused(logits, x):    # (B, D), (B, D) -> nll (B,), dlogits (B, D) for dnll = 1
    ...      # one pass, with one exp at most and one read for each logit; x from 0 to 1,
             # logits up to +-1000 (np.exp, np.log1p, abs and max work on single numbers)
check("08.fused", bernoulli_fused)

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
# $C$ is the sum of those rows of $W$ whose pixel is on. The *i-k-j* loops of 08a leave the others out
# with one `if`.

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
without_zeros(x, W, out_x)
print(f"pixels that are on: {(x != 0).mean():.0%}; the product agrees:",
      np.allclose(out_x, x @ W, atol=1e-4))

# %% tags=["timing"]
times = checked(
    lambda: race({
        "all of it, by the tile": lambda: kernels.matmul(x, W),
        "without zeros, these loops": lambda: without_zeros(x, W, out_x),
        "without zeros, the package": lambda: kernels.dense_forward(x, W, bias, "none"),
    }),
    lambda t: {
        "a fifth of the work takes more than a fifth of the time": t["without zeros, the package"] > 0.3 * t["all of it, by the tile"],
        "the package is faster than these loops": t["without zeros, the package"] < t["without zeros, these loops"],
    },
)
for name, seconds in times.items():
    print(f"{name:28} {1e6 * seconds:5.0f} us ({1e6 * seconds.low:.0f} to {1e6 * seconds.high:.0f})")
gain = times["all of it, by the tile"] / times["without zeros, the package"]
print(f"leaving out the zeros: {gain:.2f} times as fast" if gain > 1 else f"leaving out the zeros does not pay here: {gain:.2f}")

# %% [markdown]
# A fifth of the work does not take a fifth of the time: the short way has no tile, each row of $W$ is
# loaded anew for each image, and the package must first list the places that are not 0 (which takes no
# `if`) before it adds the listed rows four at a time, as in 8.5. What gain is left at this share of
# pixels, the last line says; with more of them on, it turns into a loss.
#
# One more look: $0 \cdot \infty$ is NaN, so leaving out a zero can hide a broken weight. The package
# takes the short way only after it has seen that all of $W$ is finite, and that most of a sample of the
# input is zeros.

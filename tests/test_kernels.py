"""What only the numba backend has: its own exp and tanh, its threads, its compilation."""

import os
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from numba import config, njit

from minivae import kernels, vae
from minivae.errors import MinivaeError

needs_jit = pytest.mark.skipif(config.DISABLE_JIT, reason="a question to the compiled code")
ROOT = Path(__file__).parents[1]
SPEC = vae.Spec(60, (40, 30), 5)


# ---- elementary functions --------------------------------------------------------------------


@njit(error_model="numpy")  # not cached: numba's cache would not see an edit in kernels.py
def each(x, out, which):
    for j in range(len(x)):
        if which == 0:
            out[j] = kernels._exp(x[j])
        elif which == 1:
            out[j] = kernels._expm1(x[j])
        elif which == 2:
            out[j] = kernels._log1p_unit(x[j])
        else:
            out[j] = kernels._tanh(x[j])


def all_over_float32():
    """A float32 from every few thousand bit patterns: all magnitudes, infinities, many NaNs."""
    step = 100_003 if config.DISABLE_JIT else 4_099
    bits = np.arange(0, 2**32, step, np.uint64).astype(np.uint32)
    special = np.array([0, -0.0, np.inf, -np.inf, np.nan, 1, -1, 88.7, 88.73, -87.3, -103.9, -104])
    return np.concatenate([bits.view(np.float32), special.astype(np.float32)])


def units_off(result, exact):
    """The error in units of the last place of a float32; below the normal range, of its least."""
    exact32 = exact.astype(np.float32)
    unit = np.spacing(np.maximum(np.abs(exact32), np.finfo(np.float32).tiny))
    finite = np.isfinite(exact32)
    np.testing.assert_array_equal(result[~finite], exact32[~finite])  # NaN is NaN, inf is inf
    return (np.abs(result[finite] - exact[finite]) / unit[finite]).max()


@pytest.mark.parametrize(
    ("which", "function", "bound"),
    [(0, np.exp, 2), (1, np.expm1, 2), (2, np.log1p, 3), (3, np.tanh, 4)],
    ids=["exp", "expm1", "log1p", "tanh"],
)
def test_elementary_functions_over_the_whole_range_of_float32(which, function, bound):
    """The errors that `kernels.py` states, against NumPy in float64; a NaN never becomes a number.

    log(1 + x) is asked for 0 <= x <= 1 only, because x is exp(-|l|) there, and for NaN.
    """
    x = all_over_float32()
    if which == 2:
        x = np.concatenate([x[(x >= 0) & (x <= 1)], [np.float32(np.nan)]])
    out = np.empty_like(x)
    each(x, out, which)
    with np.errstate(all="ignore"):
        exact = function(x.astype(np.float64))
        assert units_off(out, exact) <= bound


def test_softplus_and_sigmoid_over_the_whole_range_of_float32():
    """What the Bernoulli makes of them: log(1 + exp(l)) and 1 / (1 + exp(-l)), never NaN."""
    l = all_over_float32()
    l = l[np.isfinite(l)]
    nll, cache = kernels.bernoulli_nll_forward(l[:, None], np.zeros((len(l), 1), np.float32))
    with np.errstate(over="ignore"):
        softplus = np.logaddexp(0, l.astype(np.float64))
        sigmoid = 1 / (1 + np.exp(-l.astype(np.float64)))
    assert units_off(nll, softplus) <= 4
    assert units_off(cache.residual[:, 0], sigmoid) <= 4
    assert units_off(kernels.sigmoid(l), sigmoid) <= 4


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_nan_anywhere_shows_in_every_result_it_belongs_to(dtype):
    """In each lane of a register and in the remainders: one NaN at a time."""
    for place in (0, 7, 15, 16, 36):
        logits = np.ones((1, 37), dtype)
        logits[0, place] = np.nan
        nll, cache = kernels.bernoulli_nll_forward(logits, np.ones((1, 37), dtype))
        assert np.isnan(nll[0])
        np.testing.assert_array_equal(np.isnan(cache.residual), np.isnan(logits))
        for activation in ("tanh", "relu", "none"):
            bias = np.where(np.arange(37) == place, np.nan, 1).astype(dtype)
            y, _ = kernels.dense_forward(
                np.ones((3, 2), dtype), np.ones((2, 37), dtype), bias, activation
            )
            np.testing.assert_array_equal(np.isnan(y), np.repeat(np.isnan(bias)[None], 3, axis=0))
        x, W, dy = np.ones((3, 2), dtype), np.ones((2, 37), dtype), np.ones((3, 37), dtype)
        for activation in ("tanh", "relu"):
            bias = np.where(np.arange(37) == place, np.nan, -1).astype(dtype)
            _, cache = kernels.dense_forward(x, W, bias, activation)
            _, dW, db = kernels.dense_backward(dy, cache)
            np.testing.assert_array_equal(np.isnan(db), np.isnan(bias))
            np.testing.assert_array_equal(np.isnan(dW), np.repeat(np.isnan(bias)[None], 2, axis=0))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_an_infinite_logit_in_any_lane_costs_what_it_should(dtype):
    """Nothing where the pixel is as it says, infinity elsewhere; in registers and remainders."""
    for place in (0, 7, 15, 16, 36):
        for logit, right in ((np.inf, 1), (-np.inf, 0)):
            logits, x = np.zeros((2, 1, 37), dtype)
            logits[0, place], x[0, place] = logit, right
            nll, cache = kernels.bernoulli_nll_forward(logits, x)
            np.testing.assert_allclose(nll, 36 * np.log(2), rtol=1e-6)
            assert cache.residual[0, place] == 0
            x[0, place] = 1 - right
            nll, cache = kernels.bernoulli_nll_forward(logits, x)
            assert nll[0] == np.inf
            assert cache.residual[0, place] == (-1) ** (1 - right)


# ---- zeros left out --------------------------------------------------------------------------


@pytest.mark.parametrize("rows", [20, 64, 100, 128, 256, 500, 512])
def test_mostly_zeros_is_not_judged_by_one_column(rows):
    """Whole multiples of a row apart, all of the sample would lie in the corner of each image."""
    corner = np.zeros((rows, 784), np.float32)
    corner[:, 0] = 1
    assert kernels._is_mostly_zeros(corner.ravel())
    assert not kernels._is_mostly_zeros(1 - corner.ravel())


# ---- threads ---------------------------------------------------------------------------------


def train(steps=20, seed=0):
    """The parameters after some steps: their bits show any race."""
    rng = np.random.default_rng(seed)
    flat = vae.init_params(SPEC, rng)
    params, m, v = vae.unpack(flat, SPEC), np.zeros_like(flat), np.zeros_like(flat)
    for step in range(1, steps + 1):
        x = (rng.random((150, 60)) < 0.3).astype(np.float32)
        eps = rng.standard_normal((150, 5)).astype(np.float32)
        grads = vae.elbo_and_grads(params, x, eps, SPEC, ops=kernels).flat_grads
        kernels.adam_step(flat, grads, m, v, step, 1e-2)
    return flat


@pytest.fixture
def pool_of():
    """Replaces the pool of float32 for one test."""
    dtype = np.dtype(np.float32)
    own, made = kernels._pool(dtype), []

    def replace(threads):
        made.append(kernels._Pool(dtype, threads))
        kernels._pools[dtype] = made[-1]
        return made[-1]

    yield replace
    kernels._pools[dtype] = own
    for pool in made:
        pool.stop()


@needs_jit
def test_training_has_the_same_bits_on_any_number_of_threads(pool_of):
    expected = None
    for threads in (1, 2, 3, 5):
        pool = pool_of(threads)
        flat = train()
        assert len(pool.helpers) == threads - 1  # they did take part
        if expected is not None:
            np.testing.assert_array_equal(flat, expected)
        expected = flat


@needs_jit
def test_two_python_threads_may_train_at_once(pool_of):
    """One has the pool, the other works alone at that moment; both get what they get alone."""
    pool_of(2)
    expected = [train(seed=seed) for seed in range(3)]
    results = [None] * 3

    def run(seed):
        results[seed] = train(seed=seed)

    threads = [threading.Thread(target=run, args=(seed,)) for seed in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    for result, right in zip(results, expected, strict=True):
        np.testing.assert_array_equal(result, right)


@needs_jit
def test_a_helper_that_slept_is_woken_and_the_pool_outlives_errors(pool_of):
    pool = pool_of(2)
    expected = train(3)
    for _ in range(100):
        if pool.words[kernels.ASLEEP // 8]:
            break
        time.sleep(0.02)
    assert pool.words[kernels.ASLEEP // 8]  # nothing to do: it does not burn a core
    np.testing.assert_array_equal(train(3), expected)

    def fails(*args):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pool.run(fails)
    assert not pool.taken.locked()
    np.testing.assert_array_equal(train(3), expected)


def run_python(code, timeout=120, **environment):
    """Runs a program of its own, so that a crash or a hang is a failed test and not the end."""
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        env=os.environ | {k: v for k, v in environment.items() if v is not None},
        cwd=ROOT, capture_output=True, text=True, timeout=timeout,
    )  # fmt: skip


TRAIN_A_LITTLE = """
import sys
sys.path.insert(0, "tests")
from test_kernels import train
flat = train(5)
"""


@needs_jit
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_a_forked_child_works_alone_and_right():
    """Threads do not survive a fork: a child that waited for them would hang for ever."""
    result = run_python(
        TRAIN_A_LITTLE
        + """
import multiprocessing, threading, warnings
warnings.simplefilter("ignore", DeprecationWarning)  # Python's own, about forking with threads
from minivae import kernels
with multiprocessing.get_context("fork").Pool(2) as pool:
    results = pool.map_async(train, [5, 5, 5]).get(60)
assert all((child == flat).all() for child in results)
assert all(helper.is_alive() for p in kernels._pools.values() for helper in p.helpers)
assert (train(5) == flat).all()
print("done")
""",
        MINIVAE_NUM_THREADS="2",
    )
    assert result.stdout == "done\n", result.stderr


@needs_jit
def test_a_program_ends_at_once_with_helpers_awake():
    started = "import time; from minivae import kernels; "
    result = run_python(TRAIN_A_LITTLE + started + "print(time.time())", MINIVAE_NUM_THREADS="3")
    assert result.returncode == 0, result.stderr
    assert time.time() - float(result.stdout) < 10


@pytest.mark.parametrize("wanted", ["0", "-1", "two", "1.5", "1000"])
def test_the_knob_takes_whole_numbers_only(monkeypatch, wanted):
    monkeypatch.setenv("MINIVAE_NUM_THREADS", wanted)
    with pytest.raises(MinivaeError, match=r"MINIVAE_NUM_THREADS"):
        kernels.thread_count()


def test_the_knob_and_its_default(monkeypatch):
    monkeypatch.setenv("MINIVAE_NUM_THREADS", "3")
    assert kernels.thread_count() == 3
    monkeypatch.delenv("MINIVAE_NUM_THREADS")
    assert 1 <= kernels.thread_count() <= (os.cpu_count() or 1)


# ---- compilation -----------------------------------------------------------------------------


@needs_jit
def test_the_plain_python_behind_the_kernels_computes_the_same():
    """NUMBA_DISABLE_JIT=1: the same loops without the compiler, for whoever steps through them."""
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider",
         "tests/test_matmul.py::test_each_step_of_the_lesson_is_a_product",
         "tests/test_matmul.py::test_nothing_around_the_result_is_written",
         "tests/test_kernels.py::test_a_nan_anywhere_shows_in_every_result_it_belongs_to",
         "tests/test_ops.py", "-k", "not numpy"],
        env=os.environ | {"NUMBA_DISABLE_JIT": "1"}, cwd=ROOT, capture_output=True, text=True,
        timeout=300,
    )  # fmt: skip
    assert result.returncode == 0, result.stdout


@needs_jit
def test_machine_code_older_than_the_source_is_deleted(tmp_path, monkeypatch):
    """Numba uses the names of old files again: a process might run the code of another version."""
    source, cache = tmp_path / "kernels.py", tmp_path / "cache"
    source.touch()
    cache.mkdir()
    for name, age in (("kernels.old.nbc", -10), ("kernels.new.nbc", 10), ("other.old.nbc", -10)):
        (cache / name).touch()
        edited = source.stat().st_mtime
        os.utime(cache / name, (edited + age, edited + age))
    monkeypatch.setattr(kernels, "__file__", str(source))
    kernels._remove_stale_code(cache)
    assert sorted(file.name for file in cache.iterdir()) == ["kernels.new.nbc", "other.old.nbc"]


@needs_jit
@pytest.mark.slow
def test_the_first_compilation_says_so_once_and_the_second_start_is_quick(tmp_path):
    """Into an empty cache: one line on standard error; and from the cache, none."""
    timed = "import time; start = time.time()" + TRAIN_A_LITTLE + "print(time.time() - start)"
    first = run_python(timed, NUMBA_CACHE_DIR=str(tmp_path))
    again = run_python(timed, NUMBA_CACHE_DIR=str(tmp_path))
    assert first.stderr.count("compiling") == first.stderr.count("\n") == 1, first.stderr
    assert again.stderr == ""
    assert float(again.stdout) < float(first.stdout) / 2

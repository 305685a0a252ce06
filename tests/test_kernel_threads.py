"""The threads of the numba backend: equal bits on any number of them, forks, errors, the end."""

import os
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from numba import config

from minivae import kernels, vae
from minivae.errors import MinivaeError
from minivae.kernels import threads
from minivae.train import replay_of

needs_jit = pytest.mark.skipif(config.DISABLE_JIT, reason="a test of the compiled code")
ROOT = Path(__file__).parents[1]
SPEC = vae.Spec(60, (40, 30), 5)


def train(steps=20, seed=0):
    """The parameters after some steps, whose bits would show a race. The first is recorded, the
    others replay it."""
    rng = np.random.default_rng(seed)
    flat = vae.init_params(SPEC, rng)
    m, v = np.zeros_like(flat), np.zeros_like(flat)
    replay = replay_of(vae.unpack(flat, SPEC), SPEC, (flat, m, v), kernels)
    for step in range(1, steps + 1):
        x = (rng.random((150, 60)) < 0.3).astype(np.float32)
        eps = rng.standard_normal((150, 5)).astype(np.float32)
        replay.elbo(x, eps)
        replay.adam_step(step, 1e-2)
    return flat


@pytest.fixture
def pool_of():
    """Replaces the pool of float32 for one test."""
    dtype = np.dtype(np.float32)
    own, made = threads.pool_of(dtype), []

    def replace(count):
        made.append(threads.Pool(dtype, count))
        threads.pools[dtype] = made[-1]
        return made[-1]

    yield replace
    threads.pools[dtype] = own
    for pool in made:
        pool.stop()


@needs_jit
def test_training_has_the_same_bits_on_any_number_of_threads(pool_of):
    expected = None
    for count in (1, 2, 3, 5):
        pool = pool_of(count)
        flat = train()
        assert len(pool.helpers) == count - 1  # they did take part
        if expected is not None:
            np.testing.assert_array_equal(flat, expected)
        expected = flat


@needs_jit
def test_two_python_threads_may_train_at_once(pool_of):
    """While one uses the pool, the others work alone; each gets the result of a quiet run."""
    pool_of(2)
    expected = [train(seed=seed) for seed in range(3)]
    results = [None] * 3

    def run(seed):
        results[seed] = train(seed=seed)

    trainers = [threading.Thread(target=run, args=(seed,)) for seed in range(3)]
    for trainer in trainers:
        trainer.start()
    for trainer in trainers:
        trainer.join(60)
    for result, right in zip(results, expected, strict=True):
        np.testing.assert_array_equal(result, right)


@needs_jit
def test_a_helper_that_slept_is_woken_and_the_pool_outlives_errors(pool_of):
    pool = pool_of(2)
    expected = train(3)
    for _ in range(100):
        if pool.words[threads.ASLEEP // 8]:
            break
        time.sleep(0.02)
    assert pool.words[threads.ASLEEP // 8]  # with nothing to do, it uses no CPU time
    np.testing.assert_array_equal(train(3), expected)

    def fails(*args):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pool.run(fails)
    assert not pool.user
    np.testing.assert_array_equal(train(3), expected)


INTERRUPT = """
import itertools, sys
sys.path.insert(0, "tests")
import numpy as np
from test_kernel_threads import train
from minivae.kernels import threads

expected, dtype = train(2), np.dtype(np.float32)
OWN = threads.Pool.run.__code__.co_filename

class Interrupter:
    "Raises KeyboardInterrupt at the n-th place in the pool's code where Python handles signals."
    def __init__(self, n):
        self.left = n
    def __call__(self, frame, event, arg):
        if frame.f_code.co_filename == OWN and event in ("call", "c_return"):
            self.left -= 1
            if self.left == 0:
                sys.setprofile(None)
                raise KeyboardInterrupt

def interrupted(n):
    sys.setprofile(Interrupter(n))
    try:
        train(2)
    except KeyboardInterrupt:
        return True
    finally:
        sys.setprofile(None)
    return False

hits = 0
for n in itertools.count(1):
    pool = threads.pools[dtype] = threads.Pool(dtype, 2)
    if not interrupted(n):
        break
    hits += 1
    assert not pool.user and threads._own.tape is None, n
    assert (train(2) == expected).all(), n
    assert len(pool.helpers) == 1 == len(pool.wake_locks), n
    pool.stop()
    assert not any(helper.is_alive() for helper in pool.helpers), n
print(hits)
"""


@needs_jit
def test_an_interrupt_anywhere_in_the_pool_loses_nothing():
    """Neither the pool nor a helper, and the process ends. The first job starts the threads, the
    others use them. A pool that stays taken would compute on one thread from then on, silently."""
    result = run_python(INTERRUPT, timeout=400, MINIVAE_NUM_THREADS="2")
    assert result.returncode == 0, result.stderr
    assert int(result.stdout) > 50  # the places in two training steps


@needs_jit
def test_where_no_thread_may_be_started_the_pool_works_alone():
    """As under a container's limit on processes (pids.max)."""
    result = run_python(
        """
import sys, threading
sys.path.insert(0, "tests")
from test_kernel_threads import train
expected = train(2)
import numpy as np
from minivae.kernels import threads

def refuse(self):
    raise RuntimeError("can't start new thread")

threading.Thread.start = refuse
for count in (2, 4):
    pool = threads.pools[np.dtype(np.float32)] = threads.Pool(np.dtype(np.float32), count)
    assert (train(2) == expected).all()
    assert (pool.threads, pool.helpers) == (1, [])
print("done")
""",
        MINIVAE_NUM_THREADS="1",
    )
    assert result.stdout == "done\n", result.stderr


@needs_jit
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_a_fork_while_another_thread_loads_the_kernels_does_not_hang():
    """The child has the locks of the loading thread, but not the thread."""
    result = run_python("""
import os, sys, threading, time, warnings
warnings.simplefilter("ignore", DeprecationWarning)  # Python's own, about forking with threads
sys.path.insert(0, "tests")
from test_kernel_threads import train
loader = threading.Thread(target=train, args=(1,))
loader.start()
children = []
while loader.is_alive() and len(children) < 5:
    child = os.fork()
    if child == 0:
        train(1)
        os._exit(0)
    children.append(child)
    time.sleep(0.05)
loader.join()
assert children and all(os.waitpid(child, 0)[1] == 0 for child in children)
print("done")
""")
    assert result.stdout == "done\n", result.stderr


def run_python(code, timeout=120, **environment):
    """Runs code in a process of its own, so that a crash or a hang is only a failed test."""
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        env=os.environ | {k: v for k, v in environment.items() if v is not None},
        cwd=ROOT, capture_output=True, text=True, timeout=timeout,
    )  # fmt: skip


TRAIN_A_LITTLE = """
import sys
sys.path.insert(0, "tests")
from test_kernel_threads import train
flat = train(5)
"""


@needs_jit
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_a_forked_child_works_alone_and_right():
    """Threads do not exist in a forked child: waiting for them would take forever."""
    result = run_python(
        TRAIN_A_LITTLE
        + """
import multiprocessing, threading, warnings
warnings.simplefilter("ignore", DeprecationWarning)  # Python's own, about forking with threads
from minivae.kernels import threads
with multiprocessing.get_context("fork").Pool(2) as pool:
    results = pool.map_async(train, [5, 5, 5]).get(60)
assert all((child == flat).all() for child in results)
assert all(helper.is_alive() for p in threads.pools.values() for helper in p.helpers)
assert (train(5) == flat).all()
print("done")
""",
        MINIVAE_NUM_THREADS="2",
    )
    assert result.stdout == "done\n", result.stderr


@needs_jit
def test_a_program_ends_at_once_with_helpers_awake():
    started = "import time; "
    result = run_python(TRAIN_A_LITTLE + started + "print(time.time())", MINIVAE_NUM_THREADS="3")
    assert result.returncode == 0, result.stderr
    assert time.time() - float(result.stdout) < 10


@pytest.mark.parametrize("wanted", ["0", "-1", "two", "1.5", "1000"])
def test_the_number_of_threads_must_be_a_whole_number(monkeypatch, wanted):
    monkeypatch.setenv("MINIVAE_NUM_THREADS", wanted)
    with pytest.raises(MinivaeError, match=r"MINIVAE_NUM_THREADS"):
        kernels.thread_count()


def test_the_number_of_threads_and_its_default(monkeypatch):
    monkeypatch.setenv("MINIVAE_NUM_THREADS", "3")
    assert kernels.thread_count() == 3
    monkeypatch.delenv("MINIVAE_NUM_THREADS")
    assert 1 <= kernels.thread_count() <= (os.cpu_count() or 1)

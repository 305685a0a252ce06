"""A pool of threads that divide the chunks of a job among them.

Every thread takes the next chunk of the job until none is left. The `ticket` is one 64-bit word:
the number of the job, how many chunks it has, and which is next. Taking a chunk is a
compare-and-swap on it, so a thread that is late for a job cannot take a chunk of it. The thread
that submits the job works too, and returns when all chunks are done. A helper that finds nothing to
do spins for a while (SPINS_BEFORE_SLEEP), because in training the next job comes soon, and then
blocks on a lock.

Numba's own `parallel=True` would work for the loops, but it can end the process in three cases (a
fork, a second Python thread, another OpenMP), and takes 2.5 s to compile each loop.
"""

import atexit
import ctypes
import os
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from numba.core import event
from numba.core.compiler_lock import global_compiler_lock

from minivae.kernels import tasks
from minivae.kernels.activations import CODES
from minivae.kernels.chunks import do_chunk
from minivae.kernels.compilation import JIT, CompileNotice, compiled, remove_stale_code
from minivae.kernels.cores import MOST_THREADS, thread_count
from minivae.kernels.first_start import second_compiler
from minivae.kernels.instructions import (
    atomic_add,
    atomic_load,
    atomic_store,
    compare_and_swap,
    pause,
)
from minivae.kernels.products import SCRATCH
from minivae.kernels.tasks import JOB_BYTES, begin_job, task_at
from minivae.kernels.tile import TILE_ROWS, machine_lanes

# Byte offsets of the words that the threads share, each on its own cache line; ASLEEP is the first
# of one word for each helper.
TICKET, DONE, STOP, TASKS_AT, ASLEEP = 0, 64, 128, 192, 256
LEADER, HELPER, ALONE = (np.int64(i) for i in range(3))
SPINS_BEFORE_SLEEP = 20_000  # loads of the ticket: about half a millisecond
CHUNK_BITS = 22  # of the ticket's 64, from the lowest: next chunk, number of chunks, number of job
MOST_CHUNKS = 2**CHUNK_BITS - 1


# ---- what each thread runs ---------------------------------------------------------------------


@compiled
def _take_chunk(state, role):
    """The next chunk of the current job, or -1: the leader takes the first, helpers the last."""
    while True:
        ticket = atomic_load(state + TICKET)
        begin, end = ticket & MOST_CHUNKS, (ticket >> CHUNK_BITS) & MOST_CHUNKS
        if begin >= end:
            return -1
        if role == LEADER:
            if compare_and_swap(state + TICKET, ticket, ticket + 1):
                return begin
        elif compare_and_swap(state + TICKET, ticket, ticket - (1 << CHUNK_BITS)):
            return end - 1


@compiled
def work(role, helper, jobs, count, threads, state, scratch, tile_rows, kind):
    """Work on chunks. LEADER: submits jobs, one after the other, and returns when all are done.
    HELPER (with its number): takes part in them until it has waited too long for one. ALONE: does
    whole jobs, in order, without using the shared state."""
    for number in range(count):
        own, tasks, chunks = role, jobs + number * JOB_BYTES, 0
        if role != HELPER:
            chunks = begin_job(tasks, threads, kind)
            if chunks <= 1:
                own = ALONE  # it would take longer to submit a single chunk
        if own == LEADER:
            atomic_store(state + DONE, 0)
            atomic_store(state + TASKS_AT, tasks)
            job = (atomic_load(state + TICKET) >> (2 * CHUNK_BITS)) + 1
            atomic_store(state + TICKET, (job << (2 * CHUNK_BITS)) | (chunks << CHUNK_BITS))
        spins, done = 0, 0
        while spins < SPINS_BEFORE_SLEEP:
            if own == ALONE:
                chunk = done if done < chunks else -1
            else:
                chunk = _take_chunk(state, own)
            if chunk >= 0:
                if own == HELPER:
                    tasks = atomic_load(state + TASKS_AT)  # of this job until the chunk is done
                which = 0
                while chunk >= task_at(tasks, which).chunks:
                    chunk -= task_at(tasks, which).chunks
                    which += 1
                do_chunk(task_at(tasks, which), chunk, own != ALONE, scratch, tile_rows, kind)
                spins = 0
                done += 1
                if own != ALONE:
                    atomic_add(state + DONE, 1)
            elif own == HELPER and not atomic_load(state + STOP):
                spins += 1
                pause()
            else:
                break
        if own == HELPER:
            atomic_store(state + ASLEEP + 64 * helper, 1)
        elif own == LEADER:
            while atomic_load(state + DONE) < chunks:
                pause()


# ---- the pool ----------------------------------------------------------------------------------


class Buffers(NamedTuple):
    """Memory for the descriptors of a job and for a thread's work, and the addresses of both."""

    tasks: np.ndarray
    scratch: np.ndarray
    tasks_address: int
    scratch_address: int


class Pool:
    """The threads for one dtype. `lanes`: numbers in a vector register, by default this machine's.

    The threads start with the first job that has more than one chunk. Ctrl-C may interrupt the
    Python code here between any two instructions of the main thread: nothing may be lost then.
    """

    def __init__(self, dtype: np.dtype, threads: int, lanes: int | None = None) -> None:
        lanes = lanes or machine_lanes() * 4 // dtype.itemsize
        self.kind: np.ndarray = np.empty((0,) * lanes, dtype)
        self.tile_rows = TILE_ROWS[lanes * dtype.itemsize * 8]
        self.threads = threads
        self.user: dict[str, object] = {}  # {"now": the call of `run` that uses the threads}
        self.buffers = self._new_buffers()
        self.words = np.zeros((ASLEEP + 64 * MOST_THREADS) // 8 + 8, np.int64)
        self.words = self.words[-self.words.ctypes.data % 64 // 8 :]  # from a cache line on
        self.state = self.words.ctypes.data
        self.wake_locks: list[threading.Lock] = []
        self.helpers: list[threading.Thread] = []

    def _new_buffers(self) -> Buffers:
        records = np.zeros(tasks.TASKS, tasks.TASK)
        scratch: np.ndarray = np.empty(SCRATCH, self.kind.dtype)
        return Buffers(records, scratch, records.ctypes.data, scratch.ctypes.data)

    def run(self, describe: Callable, *args: Any) -> None:
        """Do a job: `describe` fills in its task descriptors from the arguments.

        If another Python thread is using the pool, the calling thread does the job alone.
        """
        self._use(self._run, describe, args)

    def run_again(self, jobs: int, count: int, chunks: int) -> None:
        """Do recorded jobs with the numbers that their arrays hold now.

        jobs: the address of their descriptors; count: how many; chunks: the most of any of them.
        """
        self._use(self._work, jobs, count, chunks)

    def _use(self, function: Callable, *args: Any) -> None:
        me = object()
        try:
            # One operation of the dict, and undone by identity: an interrupt between taking the
            # pool and knowing that it was taken does not leave it taken.
            shared = self.user.setdefault("now", me) is me
            function(shared, self.buffers if shared else self._new_buffers(), *args)
        finally:
            try:
                self._release(me)
            finally:  # again, if an interrupt came in the first one
                self._release(me)

    def _run(self, shared: bool, buffers: Buffers, describe: Callable, args: Sequence[Any]) -> None:
        chunks = describe(buffers.tasks_address, self.threads, self.kind, *args)
        self._work(shared, buffers, buffers.tasks_address, 1, chunks)
        if _own.tape is not None:
            _own.tape.append((buffers.tasks.copy(), args))

    def _work(self, shared: bool, buffers: Buffers, jobs: int, count: int, chunks: int) -> None:
        role = ALONE
        if shared and chunks > 1 and self.threads > 1 and self._wake_helpers():
            role = LEADER
        work(
            role, 0, jobs, count, self.threads, self.state, buffers.scratch_address,
            self.tile_rows, self.kind,
        )  # fmt: skip

    def _release(self, me: object) -> None:
        if self.user.get("now") is me:
            del self.user["now"]

    def _wake_helpers(self) -> bool:
        """Wake the helpers that sleep, start them first if need be -> whether there are any."""
        if len(self.helpers) < self.threads - 1:
            self._start()
        for helper in range(len(self.helpers)):
            self._wake(helper)
        return bool(self.helpers)

    def _wake(self, helper: int) -> None:
        """A sleeping helper waits to acquire its lock, so releasing the lock wakes it. It clears
        its own ASLEEP word, so an interrupt here leaves nothing to undo."""
        wake_lock = self.wake_locks[helper]
        if self.words[ASLEEP // 8 + 8 * helper] and wake_lock.locked():
            wake_lock.release()

    def _start(self) -> None:
        """Start the missing helpers. Where the system allows no more threads, continue with those
        that started."""
        while len(self.helpers) < self.threads - 1:
            helper = len(self.helpers)
            del self.wake_locks[helper:]  # of a start that was interrupted
            wake_lock = threading.Lock()
            wake_lock.acquire()
            self.wake_locks.append(wake_lock)
            thread = threading.Thread(
                target=self._help, args=(helper, wake_lock), name=f"minivae-{helper}", daemon=True
            )
            try:
                thread.start()
            except RuntimeError:  # can't start new thread
                self.threads = helper + 1
                return
            self.helpers.append(thread)

    def _help(self, helper: int, wake_lock: threading.Lock) -> None:
        """What a helper thread does until the pool is stopped."""
        own = self._new_buffers()
        while not self.words[STOP // 8]:
            work(
                HELPER, helper, 0, 1, self.threads, self.state, own.scratch_address,
                self.tile_rows, self.kind,
            )  # fmt: skip
            wake_lock.acquire()
            self.words[ASLEEP // 8 + 8 * helper] = 0

    def stop(self) -> None:
        """End the helper threads. At exit this must come before the interpreter shuts down."""
        self.words[STOP // 8] = 1
        for helper, thread in enumerate(self.helpers):
            while thread.is_alive():
                self._wake(helper)
                thread.join(timeout=0.001)


# ---- recording -------------------------------------------------------------------------------

Tape = list[tuple[np.ndarray, Sequence[Any]]]  # of each job: its task descriptors, its arguments


class _Own(threading.local):
    """What each Python thread has for itself: the tape, while it records."""

    tape: Tape | None = None


_own = _Own()


def recorded(function: Callable, *args: Any, **kwargs: Any) -> tuple[Any, Tape]:
    """function(*args, **kwargs), and the jobs that it did on this Python thread."""
    tape: Tape = []
    try:
        _own.tape = tape
        return function(*args, **kwargs), tape
    finally:
        try:
            _own.tape = None
        finally:  # again, if an interrupt came in the first one
            _own.tape = None


# ---- one pool for each dtype -------------------------------------------------------------------

pools: dict[np.dtype, Pool] = {}
_opening = threading.RLock()  # so that a fork in the middle of opening does not wait for itself


def pool_of(dtype: np.dtype) -> Pool:
    """The pool for float32 or float64. The first call compiles the kernels or loads them."""
    pool = pools.get(dtype)
    return pool if pool is not None else _open_pool(dtype)


def ensure_compiled(dtype: np.dtype) -> None:
    """Compile the kernels for this dtype, or load them from disk, unless that has been done.

    To be called before a compiled function that does not run in the pool: so that stale code is
    deleted first, and a notice explains why the first call takes long.
    """
    pool_of(dtype)


def _open_pool(dtype: np.dtype) -> Pool:
    with _opening:
        if dtype not in pools:
            _keep_freed_memory()
            if JIT:
                remove_stale_code(Path(work.stats.cache_path))
            pool = Pool(dtype, thread_count() if JIT else 1)
            with event.install_listener("numba:compile", CompileNotice()):
                _compile_kernels(pool)
            pools[dtype] = pool
        return pools[dtype]


def _compile_kernels(pool: Pool) -> None:
    """Call what training needs, so that numba compiles it or loads it from disk: `work`, which is
    half of it, in this process, and the rest in a second one where there is a core for it."""
    buffers = pool.buffers
    nothing = (buffers.tasks_address, 0, pool.threads, pool.state, buffers.scratch_address)
    if pool.threads == 1:
        work(ALONE, 0, *nothing, pool.tile_rows, pool.kind)
    else:
        name = pool.kind.dtype.name
        code = f"from minivae.kernels import threads; threads.compile_the_rest({name!r})"
        with second_compiler(code) as wait:
            work(ALONE, 0, *nothing, pool.tile_rows, pool.kind)
            wait()
    compile_the_rest(pool.kind.dtype)


def compile_the_rest(dtype: npt.DTypeLike) -> None:
    """Call everything but `work` that training needs, on tiny arrays."""
    pool = Pool(np.dtype(dtype), 1)
    a, b = np.zeros((2, 2), pool.kind.dtype), np.zeros(2, pool.kind.dtype)
    tanh = CODES["tanh"]
    for describe, *args in (
        (tasks.describe_forward, a, a, b, tanh, a.copy()),
        (tasks.describe_activation_gradient, b, b, tanh, b.copy()),
        (tasks.describe_backward, a, a, a, a.copy(), b.copy(), a.copy()),
        (tasks.describe_bernoulli, a, a, a.copy(), b.copy()),
        (tasks.describe_scale_rows, b, a, a.copy()),
        (tasks.describe_adam, b.copy(), b, b.copy(), b.copy(), 0.0, 0.0, 0.0, 1.0, 1.0),
        (tasks.describe_reparam, b, b, b, b.copy(), b.copy()),
        (tasks.describe_reparam_gradient, b, b, b, b.copy(), b.copy()),
        (tasks.describe_kl, b, b, b.copy()),
        (tasks.describe_kl_gradient, b, b, b, b.copy(), b.copy()),
        (tasks.describe_add, b, b, b.copy()),
    ):
        describe(pool.buffers.tasks_address, pool.threads, pool.kind, *args)


def _keep_freed_memory() -> None:
    """Ask glibc to keep up to 64 MB of freed memory instead of giving it back to the system.

    By default it returns the arrays of a training step at its end, and the next step gets them page
    by page, with a page fault for each.
    """
    if sys.platform == "linux" and hasattr(ctypes.CDLL(None), "mallopt"):
        trim_threshold, mmap_threshold = -1, -3  # from malloc.h
        ctypes.CDLL(None).mallopt(trim_threshold, 64 << 20)
        ctypes.CDLL(None).mallopt(mmap_threshold, 32 << 20)


def _before_fork() -> None:
    """Wait until no other thread compiles or loads kernels. The child would have their locks, held
    by threads that it does not have."""
    _opening.acquire()
    global_compiler_lock.acquire()


def _after_fork() -> None:
    global_compiler_lock.release()
    _opening.release()


def _after_fork_in_child() -> None:
    """The child process has no helper threads, so it computes on one thread."""
    _after_fork()
    for dtype in list(pools):
        pools[dtype] = Pool(dtype, 1)


def _stop_threads() -> None:
    for pool in pools.values():
        pool.stop()


atexit.register(_stop_threads)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork_in_child
    )

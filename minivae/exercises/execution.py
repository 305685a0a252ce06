"""Runs a reader's function safely: whatever it does, there is a result within the time limit."""

import contextlib
import copy
import ctypes
import inspect
import io
import linecache
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

TIME_LIMIT = 5.0  # seconds of computing for one check; most right answers take milliseconds
WAITING = 6  # times as long by the wall clock, for an answer that waits or a busy machine
LONG_LIMIT = 30.0  # where numba has yet to compile the answer, or a right one computes for seconds
MOST_PRINTED = 10_000  # characters kept of what an answer prints


class Outcome(NamedTuple):
    """What one call did: kind is "returned", "raised", "stopped" or "skipped"."""

    kind: str
    value: Any = None
    args: tuple = ()  # the copies that the answer was given, as it left them
    error: BaseException | None = None


class Execution(NamedTuple):
    """What an answer did on all cases."""

    outcomes: list[Outcome]  # one a case
    printed: str
    warned: list[str]
    error_state: dict | None  # NumPy's, where the answer changed it
    still_running: bool
    seconds: float = 0.0  # how long it was given, where it was stopped


class Stopped(BaseException):
    """Raised inside an answer that has run out of time."""


class _Printed:
    """A standard output that keeps only the beginning, so that endless printing fills no memory."""

    def __init__(self) -> None:
        self.text = ""

    def write(self, text: str) -> int:
        self.text += str(text)[: MOST_PRINTED - len(self.text)]
        return len(text)

    def flush(self) -> None:
        pass


def time_limit(answer: object, heavy: bool) -> float:
    """Seconds for one check: more in a heavy exercise, and for a numba function, which compiles on
    its first call."""
    return LONG_LIMIT if heavy or hasattr(answer, "py_func") else TIME_LIMIT


def run_answer(
    answer: object, cases: Sequence[tuple], observe: Callable[..., Any], limit: float
) -> Execution:
    """Call observe(answer, *args) on a copy of each case, in a thread of its own.

    limit: seconds of the thread's own processor time for all cases together, so that a right answer
    passes on a busy machine; WAITING times as many seconds by the clock on the wall. Where threads
    have no such clock (macOS, Windows), both are `limit` by the clock on the wall.

    Because of the thread, an endless loop does no harm on any platform: it is made to stop, or
    abandoned if that fails. NumPy's error state belongs to a thread, so that of the reader's
    notebook stays as it is.
    """
    done: list[Outcome] = []
    error_states: list[dict] = []
    printed = _Printed()
    clock: list[int] = []  # of the thread, once it runs
    worker = threading.Thread(
        target=_work, args=(answer, cases, observe, done, error_states, clock), daemon=True
    )
    with (
        contextlib.redirect_stdout(printed),
        contextlib.redirect_stderr(printed),
        warnings.catch_warnings(record=True) as caught,
    ):
        warnings.simplefilter("always")
        stdin, sys.stdin = sys.stdin, io.StringIO()  # input() raises EOFError
        worker.start()
        try:
            seconds = _wait(worker, limit, clock)
        finally:  # also after Ctrl-C
            _stop(worker)
            sys.stdin = stdin
    still_running = worker.is_alive()
    outcomes = list(done)  # a copy: the thread may still append
    if len(outcomes) < len(cases):
        outcomes.append(Outcome("stopped"))
    outcomes += [Outcome("skipped")] * (len(cases) - len(outcomes))
    warned = list(dict.fromkeys(str(w.message) for w in caught))
    state = error_states[0] if error_states else None
    return Execution(outcomes[: len(cases)], printed.text, warned, state, still_running, seconds)


def _wait(worker, limit, clock):
    """Until the worker is done or has used up its time -> the seconds that it was given."""
    own_clock = hasattr(time, "pthread_getcpuclockid")
    longest = limit * WAITING if own_clock else limit
    deadline = time.monotonic() + longest
    while worker.is_alive():
        left = deadline - time.monotonic()
        if left <= 0:
            return longest
        worker.join(min(left, 0.05))
        with contextlib.suppress(OSError):  # the clock ends with its thread
            if clock and time.clock_gettime(clock[0]) > limit:
                return limit
    return limit


def _work(answer, cases, observe, outcomes, error_states, clock):
    if hasattr(time, "pthread_getcpuclockid"):
        clock.append(time.pthread_getcpuclockid(threading.get_ident()))
    with contextlib.suppress(Stopped):  # it may arrive between two calls
        before = np.geterr()
        for args in cases:
            outcome = _call(answer, copy_args(args), observe)
            outcomes.append(outcome)
            if np.geterr() != before:
                error_states.append(np.geterr())
                np.seterr(**before)
            if outcome.kind == "stopped":
                return


def _call(answer, args, observe):
    try:
        result = observe(answer, *args)
        if inspect.iscoroutine(result):
            result.close()  # otherwise Python warns that it was never awaited
        return Outcome("returned", result, args)
    except Stopped as error:
        return Outcome("stopped", None, args, error)
    except BaseException as error:  # also SystemExit: an answer may call exit()
        return Outcome("raised", None, args, error)


def _stop(worker):
    deadline = time.monotonic() + 0.5
    while worker.is_alive() and time.monotonic() < deadline:
        ident = ctypes.c_ulong(worker.ident)
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ident, ctypes.py_object(Stopped))
        worker.join(0.05)


def copy_args(args: tuple) -> tuple:
    """Fresh copies of everything that a call can change: arrays, containers, generators."""
    return tuple(a if callable(a) else copy.deepcopy(a) for a in args)


def line_of_error(error: BaseException | None, answer: Any) -> str | None:
    """The last line of the reader's own file in a traceback, as text; None if there is none."""
    function = inspect.unwrap(getattr(answer, "py_func", answer))
    code = getattr(function, "__code__", None) or getattr(type(answer).__call__, "__code__", None)
    if code is None or error is None:
        return None
    theirs = None
    for frame, line in traceback.walk_tb(error.__traceback__):
        if frame.f_code.co_filename == code.co_filename:
            theirs = (frame.f_code.co_name, line, linecache.getline(code.co_filename, line).strip())
    if theirs is None:
        return None
    name, line, text = theirs
    return f"line {line}, in {name}" + (f":  {text}" if text else "")


def outcome_of(function: object, args: tuple, observe: Callable[..., Any]) -> Outcome:
    """The outcome of a function from the package, run in this thread and without warnings."""
    args = copy_args(args)
    with np.errstate(all="ignore"):
        try:
            return Outcome("returned", observe(function, *args), args)
        except Exception as error:
            return Outcome("raised", None, args, error)

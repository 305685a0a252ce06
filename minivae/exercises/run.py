"""Run a reader's function and come back: whatever it does, and within the time limit."""

import ast
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
import types
import warnings
from typing import NamedTuple

import numpy as np

from minivae.exercises.capture import definition

TIME_LIMIT = 5.0  # seconds for one check; each takes milliseconds
COMPILE_LIMIT = 30.0  # for a function that numba has yet to compile
MOST_PRINTED = 10_000  # characters kept of what an answer prints


class Outcome(NamedTuple):
    """What one call did: kind is "returned", "raised", "stopped" or "skipped"."""

    kind: str
    value: object = None
    args: tuple = ()  # the copies that the answer was given, as it left them
    error: BaseException | None = None


class Run(NamedTuple):
    outcomes: list[Outcome]
    printed: str
    warned: list[str]
    error_state: dict | None  # NumPy's, where the answer changed it
    still_running: bool


class Stopped(BaseException):
    """Raised inside an answer that has run out of time."""


class _Printed:
    """A standard output that keeps the beginning, so that an endless print fills no memory."""

    def __init__(self):
        self.text = ""

    def write(self, text):
        self.text += str(text)[: MOST_PRINTED - len(self.text)]
        return len(text)

    def flush(self):
        pass


def time_limit(answer):
    """Seconds: more for a numba function, which compiles on its first call."""
    return COMPILE_LIMIT if hasattr(answer, "py_func") else TIME_LIMIT


def run(answer, cases, observe, limit):
    """Call observe(answer, *args) on a copy of each case, in a thread of its own -> Run.

    The thread is what makes an endless loop survivable on every platform: it is told to stop, and
    left behind where it does not listen. It also keeps NumPy's error state, which belongs to a
    thread, away from the reader's notebook.
    """
    outcomes, error_states, printed = [], [], _Printed()
    worker = threading.Thread(
        target=_work, args=(answer, cases, observe, outcomes, error_states), daemon=True
    )
    with (
        contextlib.redirect_stdout(printed),
        contextlib.redirect_stderr(printed),
        warnings.catch_warnings(record=True) as caught,
    ):
        warnings.simplefilter("always")
        stdin, sys.stdin = sys.stdin, io.StringIO()  # input() ends at once
        worker.start()
        try:
            worker.join(limit)
        finally:  # Ctrl-C too
            _stop(worker)
            sys.stdin = stdin
    still_running = worker.is_alive()
    outcomes = list(outcomes)
    if len(outcomes) < len(cases):
        outcomes.append(Outcome("stopped"))
    outcomes += [Outcome("skipped")] * (len(cases) - len(outcomes))
    warned = list(dict.fromkeys(str(w.message) for w in caught))
    state = error_states[0] if error_states else None
    return Run(outcomes[: len(cases)], printed.text, warned, state, still_running)


def _work(answer, cases, observe, outcomes, error_states):
    with contextlib.suppress(Stopped):  # told to stop between two calls
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
            result.close()  # or Python warns that nobody awaited it
        return Outcome("returned", result, args)
    except Stopped as error:
        return Outcome("stopped", None, args, error)
    except BaseException as error:  # SystemExit too: an answer may call exit()
        return Outcome("raised", None, args, error)


def _stop(worker):
    deadline = time.monotonic() + 0.5
    while worker.is_alive() and time.monotonic() < deadline:
        ident = ctypes.c_ulong(worker.ident)
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ident, ctypes.py_object(Stopped))
        worker.join(0.05)


def copy_args(args):
    """Fresh copies of all that can be changed: arrays, containers of arrays, generators."""
    return tuple(a if callable(a) else copy.deepcopy(a) for a in args)


def where(error, answer):
    """The reader's own line in a traceback, as text, or None if none of theirs is in it."""
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


def outcome_of(function, args, observe):
    """A trusted function's outcome, in this thread and without warnings."""
    args = copy_args(args)
    with np.errstate(all="ignore"):
        try:
            return Outcome("returned", observe(function, *args), args)
        except Exception as error:
            return Outcome("raised", None, args, error)


def is_empty(function, stub):
    """Whether a function's body is only `...`, `pass` or a docstring; or a blank is left in it.

    A blank is `name = ...` or `return ...`. This is read from the source. Where there is none, as
    after `exec`, the function has to compile to the same code as an empty one or as `stub`, the
    exercise's text.
    """
    function = getattr(function, "py_func", function)
    code = getattr(function, "__code__", None)
    if code is None or code.co_name == "<lambda>":
        return False
    found = definition(code, code.co_name)
    if found is None:
        return _compiles_to_nothing(function, stub)
    _, tree = found
    return all(map(_does_nothing, tree.body)) or any(map(_is_blank, ast.walk(tree)))


def _does_nothing(statement):
    expression = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    return expression or isinstance(statement, ast.Pass)


def _is_blank(node):
    """`name = ...` and `return ...`: a blank of the stub that is still open."""
    if not isinstance(node, ast.Assign | ast.AnnAssign | ast.Return):
        return False
    return isinstance(node.value, ast.Constant) and node.value.value is Ellipsis


def _compiles_to_nothing(function, stub):
    """Compared with what this interpreter makes of an empty function, whatever its instructions.

    `return None` is the same code as `...`; without the source both count as nothing.
    """
    empty = f"def answer():\n    {function.__doc__!r}"
    return any(
        isinstance(code, types.CodeType) and _same_code(code, function.__code__)
        for text in (empty, stub)
        for code in compile(text, "<stub>", "exec").co_consts
    )


def _same_code(a, b):
    parts = ("co_code", "co_consts", "co_names")
    return all(getattr(a, part) == getattr(b, part) for part in parts)


def takes(answer, n):
    """None, or the answer's own signature as text if it cannot take n arguments."""
    try:
        signature = inspect.signature(getattr(answer, "py_func", answer))
    except (TypeError, ValueError):  # some built-in functions have none
        return None
    try:
        signature.bind(*[None] * n)
    except TypeError:
        return str(signature)
    return None

"""Loops that the compiler should turn into vectors: the check compiles them and looks."""

import functools
import threading

import numpy as np

from minivae.exercises.chapters.nb08.reads import Traced
from minivae.exercises.exercise import Exercise, WrongAnswer, stub

NUMBA = {"error_model": "numpy"}  # so that a division does not end the loop


def compiled(answer):
    """The answer, or the Python function behind it, compiled with the options of the exercise."""
    return _dispatcher(getattr(answer, "py_func", answer))


@functools.cache
def _dispatcher(function):
    from numba import njit  # an import of a second, for these exercises alone

    return njit(**NUMBA)(function)


def _run(kernel, *args):
    """kernel(*args) in a thread of its own: a check that takes too long is cut off, and numba
    cannot compile anything any more if that happens while it compiles."""
    failed = []

    def call():
        try:
            kernel(*args)
        except Exception as error:
            failed.append(error)

    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    while thread.is_alive():
        thread.join(0.02)  # in short pieces, so that the check can be cut off
    if failed:
        raise failed[0]


def _instructions(kernel):
    """(whether it uses vectors, whether it computes in float64, what it calls in a library); True,
    False, nothing where numba is switched off and there is nothing to look at."""
    if not hasattr(kernel, "inspect_llvm"):
        return True, False, ""
    from minivae.kernels import inspection

    vectors, double = (
        inspection.vector_instructions(kernel),
        inspection.float64_instructions(kernel),
    )
    return vectors > 0, double > 0, ", ".join(inspection.library_calls(kernel))


def _numbers(rows, columns, seed):
    """Multiples of a quarter: float32 adds a few of them without rounding, in any order."""
    return (np.random.default_rng(seed).integers(-20, 20, (rows, columns)) / 4).astype(np.float32)


# ---- 08.vectorize --------------------------------------------------------------------------------

AT_ONCE, ROWS = "all of it at once", "along its rows"


def column_sums(X, out):
    """Row after row is added to all of out: each column has a sum of its own"""
    for d in range(X.shape[1]):
        out[d] = 0
    for b in range(X.shape[0]):
        for d in range(X.shape[1]):
            out[d] += X[b, d]


def _given_sums(X, out):
    for d in range(X.shape[1]):
        total = np.float32(0)
        for b in range(X.shape[0]):
            total += X[b, d]
        out[d] = total


def _sums_cases():
    shapes = ((2, 2), (3, 5), (7, 40))
    return [(_numbers(*s, i), np.full(s[1], 9, np.float32)) for i, s in enumerate(shapes)]


def _observe_sums(answer, X, out):
    answer, out = getattr(answer, "py_func", answer), out.copy()
    way = _way_of_reading(answer, X, out)
    if way == AT_ONCE and "sum" in answer.__code__.co_names:
        answer(X, out)  # X.sum(axis=0) takes numba many seconds to compile, and gives no vectors
        return out.astype(float), False, way
    kernel = compiled(answer)
    _run(kernel, X, out)
    vectors = _instructions(kernel)[0]
    return out.astype(float), vectors, ROWS if vectors and way == AT_ONCE else way


def _way_of_reading(answer, X, out):
    """Vectors in the code are not enough: the compiler can write some for a rare case, such as a
    single row, while the loop that does the work goes down the columns."""
    traced = Traced(X)
    try:
        answer(traced, out.copy())
    except (TypeError, AttributeError):  # X.sum(axis=0), X.ravel()
        return AT_ONCE
    neighbours = np.diff(traced.order()) == 1
    return ROWS if neighbours.mean() > 0.5 else "down its columns"


def _not_cleared(X, out):
    for b in range(X.shape[0]):
        for d in range(X.shape[1]):
            out[d] += X[b, d]


def _last_row(X, out):
    for b in range(X.shape[0]):
        for d in range(X.shape[1]):
            out[d] = X[b, d]


def _first_row_twice(X, out):
    for d in range(X.shape[1]):
        out[d] = X[0, d]
    for b in range(X.shape[0]):
        for d in range(X.shape[1]):
            out[d] += X[b, d]


def _sum_in_out(X, out):
    for d in range(X.shape[1]):
        out[d] = 0
        for b in range(X.shape[0]):
            out[d] += X[b, d]


def _two_sums(X, out):
    n = X.shape[0] // 2
    for d in range(X.shape[1]):
        even, odd = np.float32(0), np.float32(0)
        for b in range(n):
            even += X[2 * b, d]
            odd += X[2 * b + 1, d]
        if X.shape[0] % 2:
            even += X[X.shape[0] - 1, d]
        out[d] = even + odd


def _numpys_sum(X, out):
    out[:] = X.sum(axis=0)


def _mean(X, out):
    for d in range(X.shape[1]):
        out[d] = 0
    for b in range(X.shape[0]):
        for d in range(X.shape[1]):
            out[d] += X[b, d] / np.float32(X.shape[0])


def _last_column(X, out):
    for d in range(X.shape[1] - 1):
        out[d] = 0
    for b in range(X.shape[0]):
        for d in range(X.shape[1] - 1):
            out[d] += X[b, d]


def _total_kept(X, out):
    total = np.float32(0)
    for d in range(X.shape[1]):
        for b in range(X.shape[0]):
            total += X[b, d]
        out[d] = total


VECTORIZE = Exercise(
    id="08.vectorize",
    title="column sums that the compiler turns into vectors",
    stub=stub("""
        def column_sums(X, out):    # (B, D), (D,) float32: out[d] = sum_b X[b, d], as db in a layer
            for d in range(X.shape[1]):      # right, but no vectors; the check compiles it itself,
                                             # and gives no permission to regroup
                total = np.float32(0)
                for b in range(X.shape[0]):
                    total += X[b, d]
                out[d] = total
    """),
    reference=column_sums,
    given=_given_sums,
    cases=_sums_cases,
    observe=_observe_sums,
    heavy=True,
    returns=("out", "the compiled code uses vectors", "how X is read"),
    mistakes=(
        WrongAnswer(
            "sum-in-out",
            _sum_in_out,
            "The innermost loop still goes down a column, where numbers are no neighbours.",
        ),
        WrongAnswer(
            "two-sums",
            _two_sums,
            "With two sums side by side an addition waits less, but both go down the columns, "
            "where no neighbours can be loaded as a vector.",
        ),
        WrongAnswer(
            "numpys-sum",
            _numpys_sum,
            "numba makes no vectors of X.sum(axis=0), and a row of X.T is a column of X, where "
            "numbers are no neighbours: let a loop of your own go along the rows of X.",
        ),
        WrongAnswer(
            "not-cleared",
            _not_cleared,
            "out may hold anything at the start: set it to 0 first.",
        ),
        WrongAnswer(
            "last-row",
            _last_row,
            "out[d] = X[b, d] keeps the last row alone: add with +=.",
        ),
        WrongAnswer(
            "first-row-twice",
            _first_row_twice,
            "The first row is counted twice: once as the start, once in the loop.",
        ),
        WrongAnswer("mean", _mean, "This is the mean; the sum is asked for."),
        WrongAnswer(
            "last-column",
            _last_column,
            "The last column is left out: range(X.shape[1]) ends before it by itself.",
        ),
        WrongAnswer(
            "total-kept",
            _total_kept,
            "total is not set back to 0 at each column, so all columns before are in it.",
        ),
    ),
    hints=(
        "Which additions wait for one another, and where are their numbers in memory?",
        "Let the innermost loop go along a row of X, and give each column its own sum: out[d].",
        "First out[d] = 0 for all d; then for b: for d: out[d] += X[b, d].",
    ),
)


# ---- 08.trap -------------------------------------------------------------------------------------


def softsign(a, out):
    """A typed one, and no way out of the loop"""
    one = np.float32(1)
    for i in range(len(a)):
        out[i] = a[i] / (one + abs(a[i]))


def _given_softsign(a, out):
    for i in range(len(a)):
        if a[i] != a[i]:
            raise ValueError("not a number")
        out[i] = a[i] / (1 + abs(a[i]))


def _only_type(a, out):
    one = np.float32(1)
    for i in range(len(a)):
        if a[i] != a[i]:
            raise ValueError("not a number")
        out[i] = a[i] / (one + abs(a[i]))


def _only_exit(a, out):
    for i in range(len(a)):
        out[i] = a[i] / (1 + abs(a[i]))


def _by_calls(a, out):
    one = np.float32(1)
    for i in range(len(a)):
        out[i] = a[i] / (one + np.exp(np.log(abs(a[i]))))


def _no_abs(a, out):
    one = np.float32(1)
    for i in range(len(a)):
        out[i] = a[i] / (one + a[i])


def _no_one(a, out):
    for i in range(len(a)):
        out[i] = a[i] / abs(a[i])


def _square(a, out):
    one = np.float32(1)
    for i in range(len(a)):
        out[i] = a[i] / (one + a[i] * a[i])


def _slope(a, out):
    one = np.float32(1)
    for i in range(len(a)):
        out[i] = one / ((one + abs(a[i])) * (one + abs(a[i])))


def _trap_cases():
    rows = [_numbers(1, n, n)[0] + np.float32(0.125) for n in (2, 5, 40)]
    return [(a, np.full(len(a), 9, np.float32)) for a in rows]


def _observe_trap(answer, a, out):
    kernel, out = compiled(answer), out.copy()
    _run(kernel, a, out)
    vectors, double, calls = _instructions(kernel)
    calls = ", ".join(c for c in calls.split(", ") if c != "log10")  # numba's text of an error
    return np.round(out.astype(float), 4), not double, vectors, calls


TRAP = Exercise(
    id="08.trap",
    title="a fused loop with two of numba's traps",
    stub=stub("""
        def softsign(a, out):    # (n,), (n,) float32: out = a / (1 + |a|); the check compiles with
            for i in range(len(a)):      # error_model="numpy"; what a NaN gives does not matter
                if a[i] != a[i]:
                    raise ValueError("not a number")
                out[i] = a[i] / (1 + abs(a[i]))
    """),
    reference=softsign,
    given=_given_softsign,
    cases=_trap_cases,
    observe=_observe_trap,
    heavy=True,
    returns=(
        "out",
        "all arithmetic is in float32",
        "the compiled code uses vectors",
        "what it calls in a library",
    ),
    mistakes=(
        WrongAnswer(
            "by-calls",
            _by_calls,
            "exp and log are calls into the C library, for one number at a time: abs(a[i]) is "
            "plain arithmetic.",
        ),
        WrongAnswer(
            "exit-left",
            _only_type,
            "The loop can still end early (an exception, break, return), so it does one at a time.",
        ),
        WrongAnswer(
            "type-left",
            _only_exit,
            "Some arithmetic is in float64: with a float32, 1, 1.0 and np.int32(1) all do that. "
            "np.float32(1).",
        ),
        WrongAnswer("no-abs", _no_abs, "The absolute value is missing in 1 + |a|."),
        WrongAnswer("no-one", _no_one, "The 1 + is missing: a / |a| is the sign of a."),
        WrongAnswer("square", _square, "This divides by 1 + a^2; by 1 + |a| is asked for."),
        WrongAnswer("derivative", _slope, "This is the derivative, 1 / (1 + |a|)^2."),
    ),
    hints=(
        "Two traps: one makes the loop compute in another type, one keeps it from using vectors.",
        "What type has 1 + a float32 in numba? And what may end the loop early?",
        "one = np.float32(1) before the loop, and the test for NaN out of the loop.",
    ),
)

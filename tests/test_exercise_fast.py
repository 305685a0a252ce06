"""The exercises of notebooks 08a and 08b take right answers in other styles, and no wrong ones."""

import itertools

import numpy as np
import pytest
from numba import njit

from minivae.exercises.cards import CORRECT, NOT_YET
from minivae.exercises.catalogue import exercises
from minivae.exercises.chapters.nb08.reads import Traced
from minivae.exercises.grading import grade

pytestmark = pytest.mark.usefixtures("progress_file")


# ---- products: other ways to write the loops -----------------------------------------------------


def rows_by_name(X, dA):
    dW = np.zeros((len(X[0]), len(dA[0])))
    for x, da in zip(X, dA, strict=True):
        for number, row in zip(x, dW, strict=True):
            for o in range(len(da)):
                row[o] += number * da[o]
    return dW


def in_lists(X, dA):
    dW = [[0.0] * len(dA[0]) for _ in range(len(X[0]))]
    for i in range(X.shape[1]):
        for b in range(len(X)):
            for o in range(dA[b].shape[0]):
                dW[i][o] += X[b, i] * dA[b, o]
    return dW


def whole_rows(X, dA):
    dW = np.zeros((X.shape[1], dA.shape[1]))
    for b in range(X.shape[0]):
        for i in range(X.shape[1]):
            dW[i] += X[b, i] * dA[b]
    return dW


def a_row_is_kept(X, dA):
    dW = np.zeros((X.shape[1], dA.shape[1]))
    for b in range(X.shape[0]):
        row = dA[b]
        for i in range(X.shape[1]):
            dW[i] += X[b, i] * row
    return dW


def outer_products(X, dA):
    return sum(np.outer(x, da) for x, da in zip(X, dA, strict=True))


@njit
def compiled_loops(X, dA):
    dW = np.zeros((X.shape[1], dA.shape[1]))
    for i in range(X.shape[1]):
        for b in range(X.shape[0]):
            for o in range(dA.shape[1]):
                dW[i, o] += X[b, i] * dA[b, o]
    return dW


def by_columns_of_the_result(X, dA):
    """The number of dA is kept in a variable, and read once."""
    dW = np.zeros((X.shape[1], dA.shape[1]))
    for b in range(X.shape[0]):
        for o in range(dA.shape[1]):
            number = dA[b, o]
            for i in range(X.shape[1]):
                dW[i, o] += X[b, i] * number
    return dW


def by_o_outside(X, dA):
    dW = np.zeros((X.shape[1], dA.shape[1]))
    for o in range(dA.shape[1]):
        for b in range(X.shape[0]):
            for i in range(X.shape[1]):
                dW[i, o] += X[b, i] * dA[b, o]
    return dW


def sums_in_their_order(X, dA):
    dW = np.zeros((X.shape[1], dA.shape[1]))
    for o in range(dA.shape[1]):
        for i in range(X.shape[1]):
            dW[i, o] = sum(X[b, i] * dA[b, o] for b in range(len(X)))
    return dW


def blocks_of_entries(A, B, block):
    """As in `kernels/plain_products.py`: an entry is read often, but only within its block."""
    I, K, J = len(A), len(B), len(B[0])
    C = np.zeros((I, J))
    for i0, k0, j0 in itertools.product(*(range(0, n, block) for n in (I, K, J))):
        for i, k in itertools.product(range(i0, min(i0 + block, I)), range(k0, min(k0 + block, K))):
            for j in range(j0, min(j0 + block, J)):
                C[i, j] += A[i, k] * B[k, j]
    return C


def blocks_by_einsum(A, B, block):
    C = np.zeros((A.shape[0], B.shape[1]))
    for j in range(0, B.shape[1], block):
        for k in range(0, B.shape[0], block):
            b = B[k : k + block, j : j + block]
            for i in range(0, A.shape[0], block):
                a = A[i : i + block, k : k + block]
                C[i : i + block, j : j + block] += np.einsum("ik,kj->ij", a, b)
    return C


def blocks_in_lists(A, B, block):
    I, K, J = A.shape[0], A.shape[1], B.shape[1]
    C = [[0.0] * J for _ in range(I)]
    for i in range(0, I, block):
        for j in range(0, J, block):
            for k in range(0, K, block):
                piece = A[i : i + block, k : k + block] @ B[k : k + block, j : j + block]
                for r, row in enumerate(piece):
                    for c, number in enumerate(row):
                        C[i + r][j + c] += number
    return C


# ---- limits --------------------------------------------------------------------------------------


def roofline_by_array(flops, bytes_moved, peak, bandwidths):
    limits = np.append(peak, flops / np.array(bytes_moved) * np.array(bandwidths))
    return limits.min(), int(limits.argmin())


def roofline_by_time(flops, bytes_moved, peak, bandwidths):
    times = [flops / peak] + [m / b for m, b in zip(bytes_moved, bandwidths, strict=True)]
    return [flops / max(times), times.index(max(times))]


def roofline_by_loop(flops, bytes_moved, peak, bandwidths):
    rate, which = peak, 0
    for i in range(len(bytes_moved)):
        if flops / bytes_moved[i] * bandwidths[i] < rate:
            rate, which = flops / bytes_moved[i] * bandwidths[i], i + 1
    return rate, which


def tile_by_max(registers, sums_at_edge):
    shapes = [
        (R, V)
        for R in range(sums_at_edge, registers + 1)
        for V in range(1, registers + 1)
        if R * V + V + 1 <= registers
    ]
    return max(shapes, key=lambda s: s[0] * s[1] / (s[0] + s[1]))


def tile_by_columns(registers, sums_at_edge):
    tallest = {V: (registers - 1 - V) // V for V in range(1, registers)}
    fitting = {V: R for V, R in tallest.items() if R >= sums_at_edge}
    V = min(fitting, key=lambda V: 1 / V + 1 / fitting[V])
    return np.int64(fitting[V]), V


def tile_as_list(registers, sums_at_edge):
    return list(tile_by_max(registers, sums_at_edge))


# ---- compiled loops ------------------------------------------------------------------------------


def sums_by_rows(X, out):
    out[:] = 0
    for b in range(len(X)):
        out += X[b]


def sums_from_the_first_row(X, out):
    for d in range(out.size):
        out[d] = X[0, d]
    for b in range(1, X.shape[0]):
        for d in range(out.size):
            out[d] += X[b, d]


@njit(fastmath=True)
def sums_compiled(X, out):
    for d in range(X.shape[1]):
        out[d] = 0
    for b in range(X.shape[0]):
        for d in range(X.shape[1]):
            out[d] += X[b, d]


@njit(fastmath=True)
def sums_by_columns_with_leave(X, out):
    for d in range(X.shape[1]):
        total = np.float32(0)
        for b in range(X.shape[0]):
            total = total + X[b, d]
        out[d] = total


ONE = np.float32(1)


def softsign_with_a_global(a, out):
    for i in range(len(a)):
        out[i] = a[i] / (ONE + abs(a[i]))


@njit(error_model="numpy")
def softsign_compiled(a, out):
    for i in range(a.shape[0]):
        out[i] = a[i] / (np.float32(1) + np.abs(a[i]))


def softsign_checked_before(a, out):
    bad = False
    for i in range(len(a)):
        bad |= a[i] != a[i]
    if bad:
        raise ValueError("not a number")
    for i in range(len(a)):
        out[i] = a[i] / (ONE + np.fabs(a[i]))


def softsign_as_an_expression(a, out):
    out[:] = a / (ONE + np.abs(a))


RIGHT = {
    "08.loop-order": (
        rows_by_name,
        in_lists,
        whole_rows,
        a_row_is_kept,
        outer_products,
        compiled_loops,
    ),
    "08.latency": (
        lambda n, sums, latency, pipes: (n / min(sums / latency, pipes), pipes * latency),
        lambda n, sums, latency, pipes: [
            n / pipes * max(1, latency * pipes / sums),
            next(s for s in range(1, 1000) if s / latency >= pipes),
        ],
    ),
    "08.blocked": (blocks_of_entries, blocks_by_einsum, blocks_in_lists),
    "08.roofline": (roofline_by_array, roofline_by_time, roofline_by_loop),
    "08.ikj-rate": (
        lambda rows, lanes, bandwidth, peak: min(peak, rows * bandwidth / (2 * (rows + 2))),
        lambda rows, lanes, bandwidth, peak: np.minimum(bandwidth * 0.5 / (1 + 2 / rows), peak),
        lambda rows, lanes, bandwidth, peak: (
            2 * rows * lanes / max(2 * rows * lanes / peak, (rows + 2) * lanes * 4 / bandwidth)
        ),
    ),
    "08.tile-shape": (tile_by_max, tile_by_columns, tile_as_list),
    "08.vectorize": (sums_by_rows, sums_from_the_first_row, sums_compiled),
    "08.trap": (
        softsign_with_a_global,
        softsign_compiled,
        softsign_checked_before,
        softsign_as_an_expression,
    ),
}


@pytest.mark.parametrize("id", RIGHT)
def test_right_answers_in_other_styles_are_correct(id):
    for answer in RIGHT[id]:
        verdict = grade(exercises()[id], answer)
        assert verdict.status == CORRECT, f"{answer}: {verdict}"


def ragged(A, B):
    return [[0.0], [0.0, 1.0]]


@njit
def does_not_compile(A, B):
    return A.no_such_attribute


WRONG = {
    "08.loop-order": (ragged, does_not_compile, lambda X, dA: in_lists(X, dA[:, ::-1])),
    "08.latency": (
        lambda n, sums, latency, pipes: (n * latency // sums // pipes * pipes, 6),
        lambda n, sums, latency, pipes: (max(n / sums * latency, n / pipes), 6),
    ),
    "08.roofline": (lambda f, m, p, b: (min(p, f / m[0] * b[0]), 0),),
    "08.ikj-rate": (lambda rows, lanes, b, p: min(p, b / 6),),
    "08.tile-shape": (lambda n, s: (6, 2), lambda n, s: (n // 2, 1)),
    "08.vectorize": (lambda X, out: None,),
    "08.trap": (lambda a, out: None,),
}


@pytest.mark.parametrize("id", WRONG)
def test_other_wrong_answers_are_rejected(id):
    for answer in WRONG[id]:
        assert grade(exercises()[id], answer).status == NOT_YET, answer


@pytest.mark.parametrize(
    ("answer", "mistake"),
    [
        (by_columns_of_the_result, "i-innermost"),
        (by_o_outside, "i-innermost"),
        (sums_in_their_order, "b-innermost"),
    ],
)
def test_the_innermost_loop_is_told_from_the_reads(answer, mistake):
    assert grade(exercises()["08.loop-order"], answer).mistake == mistake


def test_leave_to_regroup_does_not_count_as_vectors():
    """LLVM then writes vectors behind a test that fails for rows: they are there and never run."""
    verdict = grade(exercises()["08.vectorize"], sums_by_columns_with_leave)
    assert verdict.mistake == "sum-in-out"


def test_a_compiled_answer_runs_as_compiled():
    """One that only the Python function behind it gets right does not pass."""
    verdict = grade(exercises()["08.loop-order"], does_not_compile)
    assert "raised" in verdict.body


# ---- the matrix that records how it is read ------------------------------------------------------


def test_sizes_are_free():
    traced = Traced(np.arange(6.0).reshape(2, 3))
    row = traced[0]
    sizes = len(traced), len(row), row.shape, row.size, np.shape(traced[:, 1]), traced[0:2].ndim
    assert sizes == (2, 3, (3,), 3, (2,), 2)
    np.zeros_like(row)
    assert traced.reads == []


def test_each_entry_of_a_row_counts_when_it_is_read():
    traced = Traced(np.arange(6.0).reshape(2, 3))
    row = traced[1]
    assert (row[2], traced[0, 1]) == (5, 1)
    assert list(traced.order()) == [5, 1]
    for number in traced[0]:
        assert number < 3
    assert list(traced.order()) == [5, 1, 0, 1, 2]


def test_a_piece_that_is_read_whole_counts_once():
    traced = Traced(np.arange(6.0).reshape(2, 3))
    piece = traced[:, 1:]
    np.testing.assert_array_equal(piece + 1, [[2, 3], [5, 6]])
    np.testing.assert_array_equal(np.exp(0 * piece) @ piece.T, [[3, 9], [3, 9]])
    assert (piece.sum(), piece[1, 0], np.max(piece)) == (12, 4, 5)
    np.testing.assert_array_equal(np.asarray(piece), [[1, 2], [4, 5]])
    assert list(traced.order()) == [1, 2, 4, 5]


def test_the_whole_matrix_is_not_read_at_once():
    traced = Traced(np.ones((2, 2)))
    for read in (np.exp, np.sum, np.asarray, lambda a: a @ a, lambda a: 2 * a):
        with pytest.raises(TypeError):
            read(traced)

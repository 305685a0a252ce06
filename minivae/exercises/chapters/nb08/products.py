"""Matrix products: the order of their loops, and blocks that fit the cache."""

import itertools
import math

import numpy as np

from minivae.exercises.chapters.nb08.reads import Traced, watched
from minivae.exercises.exercise import Exercise, WrongAnswer, generic, stub

# ---- 08.loop-order -------------------------------------------------------------------------------

ALONG = "along its rows, all of it again and again"
KEPT = "one number for each run of the innermost loop"
DOWN = "down its columns"


def weight_gradient(X, dA):
    """dW[i, o] += X[b, i] dA[b, o], o innermost: along rows, and each number has its own sum"""
    dW = np.zeros((X.shape[1], dA.shape[1]))
    for b in range(X.shape[0]):
        for i in range(X.shape[1]):
            for o in range(dA.shape[1]):
                dW[i, o] += X[b, i] * dA[b, o]
    return dW


def _gradient_cases():
    rng = np.random.default_rng(8)
    return [
        (generic(rng, 2, 2), generic(rng, 2, 2)),
        (generic(rng, 2, 3), generic(rng, 2, 4)),
        (generic(rng, 4, 2), generic(rng, 4, 3)),
    ]


def _observe_order(answer, X, dA):
    x, da = Traced(X), Traced(dA)
    dW = watched(answer, (x, da), (X, dA))
    return dW, _way_of_reading(da, X.shape[1])


def _way_of_reading(matrix, times):
    """How the loops go through it, `times` times where they move in it in their innermost.

    A whole row that is kept and used again, such as row = dA[b], counts as gone along.
    """
    order, width = matrix.order(), matrix.shape[1]
    if order.size < matrix.size:
        return "not all of it"
    if order.size == matrix.size:
        return ALONG if all(len(read) == width for read in matrix.reads) else KEPT
    starts = order[::width]
    if order.size == times * matrix.size and np.array_equal(
        order, (starts[:, None] // width * width + np.arange(width)).ravel()
    ):
        return ALONG
    return KEPT if np.mean(np.diff(order) == 0) >= 0.4 else DOWN


def _loops(order, assign=False):
    """dW = X' dA with the loops in this order, such as "bio"; `assign`: = instead of +=."""

    def wrong(X, dA):
        sizes = {"b": X.shape[0], "i": X.shape[1], "o": dA.shape[1]}
        dW = np.zeros((sizes["i"], sizes["o"]))
        for numbers in itertools.product(*(range(sizes[name]) for name in order)):
            at = dict(zip(order, numbers, strict=True))
            b, i, o = at["b"], at["i"], at["o"]
            dW[i, o] = (0 if assign else dW[i, o]) + X[b, i] * dA[b, o]
        return dW

    return wrong


LOOP_ORDER = Exercise(
    id="08.loop-order",
    title="the gradient of the weights, in a loop order that suits memory",
    stub=stub("""
        def my_weight_gradient(X, dA):    # (B, I), (B, O) -> dW (I, O) = X.T @ dA, by three loops
            ...      # that the compiler can make vectors of without permission to regroup
                     # (write X[b, i], dA[b, o]: the check records how dA is read)
    """),
    reference=weight_gradient,
    cases=_gradient_cases,
    observe=_observe_order,
    returns=("dW", "how dA is read"),
    mistakes=(
        WrongAnswer(
            "b-innermost",
            _loops("iob"),
            "With b innermost each sum is a chain: every addition waits for the one before it, and "
            "X and dA are read down their columns, so there are no neighbours to load as a vector.",
        ),
        WrongAnswer(
            "i-innermost",
            _loops("boi"),
            "With i innermost dW is gone through down a column: no neighbours to load and store as "
            "a vector.",
        ),
        WrongAnswer(
            "assigned",
            _loops("bio", assign=True),
            "dW[i, o] = ... keeps only the last image: add up with +=.",
        ),
        WrongAnswer(
            "images-paired-wrongly",
            lambda X, dA: _loops("bio")(X[::-1], dA),
            "X[b, i] has to be multiplied by the dA[b, o] of the same image.",
        ),
        WrongAnswer(
            "mean",
            lambda X, dA: _loops("bio")(X, dA) / X.shape[0],
            "This is the mean over the images; X.T @ dA is the sum.",
        ),
    ),
    hints=(
        "In the innermost loop no addition should wait for the one before, and every array that "
        "the loop moves through should be gone through along a row.",
        "The sum is over b, so b may not be innermost. Of i and o, which is a column's number in "
        "both arrays that have it?",
        "o innermost: dW[i, o] += X[b, i] * dA[b, o]; b and i outside, in either order.",
    ),
)

# ---- 08.blocked ----------------------------------------------------------------------------------


def matmul_blocked(A, B, block):
    """C = A B in pieces of at most block x block, which fit a cache together"""
    I, K, J = A.shape[0], A.shape[1], B.shape[1]
    C = np.zeros((I, J))
    for i in range(0, I, block):
        for k in range(0, K, block):
            for j in range(0, J, block):
                a = A[i : i + block, k : k + block]
                b = B[k : k + block, j : j + block]
                C[i : i + block, j : j + block] += a @ b
    return C


def _blocked_cases():
    rng = np.random.default_rng(81)
    return [
        (generic(rng, 2, 2), generic(rng, 2, 2), 1),
        (generic(rng, 4, 4), generic(rng, 4, 4), 2),
        (generic(rng, 5, 3), generic(rng, 3, 7), 2),
        (generic(rng, 2, 3), generic(rng, 3, 2), 8),
        (generic(rng, 6, 6), generic(rng, 6, 6), 2),
    ]


def _observe_blocks(answer, A, B, block):
    a, b = Traced(A), Traced(B)
    C = watched(answer, (a, b, block), (A, B, block))
    largest = max((len(read) for read in a.reads + b.reads), default=0)
    # One block of A and one of B for each block of C and of k. (A loop may go uncut where its
    # blocks would follow each other anyway: the reads are the same.)
    pieces = math.prod(-(-size // block) for size in (*A.shape, B.shape[1]))
    few = [bool(matrix.visits(block) <= pieces) for matrix in (a, b)]
    return C, bool(largest <= block * block), *few


def _blocks(A, B, block, *, i_stop=None, k_stop=None, add=True):
    I, K, J = A.shape[0], A.shape[1], B.shape[1]
    C = np.zeros((I, J))
    for i in range(0, I if i_stop is None else i_stop, block):
        for k in range(0, K if k_stop is None else k_stop, block):
            for j in range(0, J, block):
                a, b = A[i : i + block, k : k + block], B[k : k + block, j : j + block]
                at = slice(i, i + block), slice(j, j + block)
                C[at] = (C[at] if add else 0) + a @ b
    return C


def _one_cut(which):
    """Loops over entries in which only one of i, k, j is cut into blocks."""

    def wrong(A, B, block):
        sizes = {"i": A.shape[0], "k": A.shape[1], "j": B.shape[1]}
        C = np.zeros((sizes["i"], sizes["j"]))
        for start in range(0, sizes[which], block):
            inside = {name: range(size) for name, size in sizes.items()}
            inside[which] = range(start, min(start + block, sizes[which]))
            for i in inside["i"]:
                for k in inside["k"]:
                    for j in inside["j"]:
                        C[i, j] += A[i, k] * B[k, j]
        return C

    return wrong


def _diagonal_blocks(A, B, block):
    C = np.zeros((A.shape[0], B.shape[1]))
    for i in range(0, min(A.shape), block):
        for j in range(0, B.shape[1], block):
            a, b = A[i : i + block, i : i + block], B[i : i + block, j : j + block]
            C[i : i + block, j : j + block] += a @ b
    return C


BLOCKED = Exercise(
    id="08.blocked",
    title="a product in blocks",
    stub=stub("""
        def my_matmul_blocked(A, B, block):    # (I, K), (K, J), int -> C (I, J), any shape
            ...      # read A and B in pieces of at most block x block; @ may multiply two pieces
    """),
    reference=matmul_blocked,
    cases=_blocked_cases,
    observe=_observe_blocks,
    returns=(
        "C",
        "every piece read is small enough",
        "few changes from one piece of A to another",
        "few changes from one piece of B to another",
    ),
    mistakes=(
        WrongAnswer(
            "assigned",
            lambda A, B, block: _blocks(A, B, block, add=False),
            "Only the last block of k is left in C: add up all of them, with += instead of =.",
        ),
        WrongAnswer(
            "edges-of-c-dropped",
            lambda A, B, block: _blocks(A, B, block, i_stop=A.shape[0] // block * block),
            "The last rows are left out where block does not divide I: range(0, I, block).",
        ),
        WrongAnswer(
            "edges-of-k-dropped",
            lambda A, B, block: _blocks(A, B, block, k_stop=A.shape[1] // block * block),
            "The last part of the sum over k is left out where block does not divide K.",
        ),
        WrongAnswer(
            "first-k-block",
            lambda A, B, block: _blocks(A, B, block, k_stop=min(block, A.shape[1])),
            "Only the first block of k is summed.",
        ),
        WrongAnswer(
            "whole-rows",
            lambda A, B, block: np.vstack(
                [A[i : i + block, :] @ B[:, :] for i in range(0, A.shape[0], block)]
            ),
            "Whole rows of A and all of B are read at a time: these pieces do not fit the cache.",
        ),
        WrongAnswer(
            "block-unused",
            lambda A, B, block: _one_cut("i")(A, B, len(A)),
            "For each row of A whole rows of B pass by: finish one piece of B before the next.",
        ),
        WrongAnswer(
            "only-j-cut",
            _one_cut("j"),
            "Pieces of A and of B both pass by more often than they must: finish one block of "
            "rows, of columns and of k before the next.",
        ),
        WrongAnswer(
            "diagonal-blocks",
            _diagonal_blocks,
            "Here i and k move together; combine every block of rows with every block of k.",
        ),
    ),
    hints=(
        "Three loops again, over blocks instead of entries.",
        "range(0, I, block), and slices i : i + block, which stop at the edge by themselves.",
        "C[i:i+block, j:j+block] += A[i:i+block, k:k+block] @ B[k:k+block, j:j+block].",
    ),
)

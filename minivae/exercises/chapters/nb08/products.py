"""The matrix product: the order of its loops, and blocks that fit the cache."""

import math

import numpy as np

from minivae.exercises.chapters.nb08.reads import Traced, watched
from minivae.exercises.exercise import Exercise, WrongAnswer, generic, stub

# ---- 08.loop-order -------------------------------------------------------------------------------


def matmul_ikj(A, B):
    """C[i, j] += A[i, k] B[k, j], j innermost: along rows, and each number has its own sum"""
    I, K, J = A.shape[0], A.shape[1], B.shape[1]
    C = np.zeros((I, J))
    for i in range(I):
        for k in range(K):
            a = A[i, k]
            for j in range(J):
                C[i, j] += a * B[k, j]
    return C


def _matmul_cases():
    rng = np.random.default_rng(8)
    return [
        (generic(rng, 1, 2), generic(rng, 2, 2)),
        (generic(rng, 2, 3), generic(rng, 3, 4)),
    ]


def _observe_order(answer, A, B):
    traced = Traced(B)
    C = watched(answer, (A, traced), (A, B))
    return C, traced.order()


def _loops(order, assign=False):
    """C = A B with the loops in this order, such as "ijk"; `assign`: = instead of +=."""

    def wrong(A, B):
        sizes = {"i": A.shape[0], "k": A.shape[1], "j": B.shape[1]}
        C = np.zeros((sizes["i"], sizes["j"]))
        for a in range(sizes[order[0]]):
            for b in range(sizes[order[1]]):
                for c in range(sizes[order[2]]):
                    at = dict(zip(order, (a, b, c), strict=True))
                    i, k, j = at["i"], at["k"], at["j"]
                    C[i, j] = (0 if assign else C[i, j]) + A[i, k] * B[k, j]
        return C

    return wrong


LOOP_ORDER = Exercise(
    id="08.loop-order",
    title="the same product, in the loop order that suits memory",
    stub=stub("""
        def my_matmul_ikj(A, B):    # (I, K), (K, J) -> C (I, J), by three loops: i, then k, then j
            ...                  # (write B[k, j]: the check records the order in which B is read)
    """),
    reference=matmul_ikj,
    cases=_matmul_cases,
    observe=_observe_order,
    returns=("C", "the order in which B is read (flat indices)"),
    mistakes=(
        WrongAnswer(
            "ijk",
            _loops("ijk"),
            "With k innermost each sum is a chain: every addition waits for the one before it, "
            "and B is "
            "read down its columns, so there are no neighbours to load as a vector.",
        ),
        WrongAnswer(
            "jki",
            _loops("jki"),
            "With i innermost both C and A are read down their columns: no vectors, and of each "
            "cache "
            "line one number at a time.",
        ),
        WrongAnswer(
            "kij",
            _loops("kij"),
            "With k outermost each row of B is read I times in succession, but the loops pass over "
            "all of C K times.",
        ),
        WrongAnswer(
            "jik",
            _loops("jik"),
            "k is innermost, as in i, j, k: one sum at a time, whose additions wait for one "
            "another.",
        ),
        WrongAnswer(
            "kji",
            _loops("kji"),
            "With i innermost C and A are read down their columns; k outermost passes over all "
            "of C K "
            "times.",
        ),
        WrongAnswer(
            "assigned",
            _loops("ikj", assign=True),
            "C[i, j] = ... keeps only the last k: add up with +=.",
        ),
        WrongAnswer(
            "a-by-column",
            lambda A, B: _loops("ikj")(A[:, ::-1], B),
            "A[i, k] has to be multiplied by the B[k, j] with the same k.",
        ),
    ),
    hints=(
        "The innermost loop should go along rows, and no addition should wait for the one before.",
        "Put j innermost: B[k, j] and C[i, j] go along a row, and each C[i, j] is a sum of its "
        "own.",
        "for i: for k: a = A[i, k]; for j: C[i, j] += a * B[k, j].",
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
            lambda A, B, block: _loops("ikj")(A, B),
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

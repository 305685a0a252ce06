"""Notebook 08a: answers to `08.loop-order` and `08.blocked`."""

import numpy as np
from answers_of_others.registry import right, wrong

# ---- 08.loop-order -------------------------------------------------------------------------------


@right("08.loop-order")
def with_whiles(X, dA):
    dW = np.zeros((len(X[0]), len(dA[0])))
    b = 0
    while b < len(X):
        i = 0
        while i < len(X[0]):
            o = 0
            while o < len(dA[0]):
                dW[i][o] += X[b, i] * dA[b, o]
                o += 1
            i += 1
        b += 1
    return dW


@right("08.loop-order")
def inputs_outermost(X, dA):
    dW = np.zeros((X.shape[1], dA.shape[1]))
    for i in range(X.shape[1]):
        for b in range(X.shape[0]):
            x = X[b, i]
            for o in range(dA.shape[1]):
                dW[i, o] = dW[i, o] + dA[b, o] * x
    return dW


@right("08.loop-order")
def sums_in_a_list(X, dA):
    rows = []
    for i in range(X.shape[1]):
        sums = [0.0] * dA.shape[1]
        for b in range(X.shape[0]):
            for o in range(len(sums)):
                sums[o] += X[b, i] * dA[b, o]
        rows.append(sums)
    return np.array(rows)


def in_order(start, step, order="bio"):
    """An answer that begins with `start` and adds what `step` says, in an order of loops."""

    def answer(X, dA):
        (B, I), O = X.shape, dA.shape[1]
        sizes = {"b": B, "i": I, "o": O}
        dW = start(I, O)
        for first in range(sizes[order[0]]):
            for second in range(sizes[order[1]]):
                for third in range(sizes[order[2]]):
                    at = dict(zip(order, (first, second, third), strict=True))
                    dW[at["i"], at["o"]] += step(X, dA, at["b"], at["i"], at["o"])
        return dW

    return answer


def zeros(I, O):
    return np.zeros((I, O))


def product(X, dA, b, i, o):
    return X[b, i] * dA[b, o]


wrong(
    "08.loop-order",
    in_order(
        lambda I, O: np.zeros((I, O), int), lambda X, dA, b, i, o: int(product(X, dA, b, i, o))
    ),
    in_order(lambda I, O: np.ones((I, O)), product),
    in_order(zeros, lambda X, dA, b, i, o: X[b, i] * dA[b, o] * (b > 0)),
    in_order(zeros, lambda X, dA, b, i, o: X[b, i] + dA[b, o]),
    in_order(zeros, lambda X, dA, b, i, o: -X[b, i] * dA[b, o]),
    in_order(zeros, lambda X, dA, b, i, o: X[b, i] * dA[b, o] ** 2),
    in_order(zeros, lambda X, dA, b, i, o: X[b, i] * dA[b, o] / dA.shape[1]),
)


@wrong("08.loop-order")
def product_transposed(X, dA):
    return in_order(zeros, product)(X, dA).T


@wrong("08.loop-order")
def at_sign(X, dA):
    return X.T @ dA


@wrong("08.loop-order")
def einsum(X, dA):
    return np.einsum("bi,bo->io", X, dA)


@wrong("08.loop-order")
def nothing_returned(X, dA):
    in_order(zeros, product)(X, dA)


@wrong("08.loop-order")
def returns_too_early(X, dA):
    dW = zeros(X.shape[1], dA.shape[1])
    for b in range(X.shape[0]):
        for i in range(X.shape[1]):
            for o in range(dA.shape[1]):
                dW[i, o] += X[b, i] * dA[b, o]
        return dW


wrong("08.loop-order", in_order(zeros, product, "iob"), clue="b-innermost")
wrong("08.loop-order", in_order(zeros, product, "boi"), clue="i-innermost")


# ---- 08.blocked ----------------------------------------------------------------------------------


@right("08.blocked")
def counted_blocks(A, B, block):
    (I, K), J = A.shape, B.shape[1]
    C = np.zeros((I, J))
    for p in range(-(-K // block)):
        k = slice(p * block, min((p + 1) * block, K))
        for m in range(-(-I // block)):
            i = slice(m * block, min((m + 1) * block, I))
            for n in range(-(-J // block)):
                j = slice(n * block, min((n + 1) * block, J))
                C[i, j] = C[i, j] + np.dot(A[i, k], B[k, j])
    return C


@right("08.blocked")
def six_loops(A, B, block):
    I, K, J = len(A), len(B), len(B[0])
    C = [[0.0] * J for _ in range(I)]
    for i0 in range(0, I, block):
        for j0 in range(0, J, block):
            for k0 in range(0, K, block):
                for i in range(i0, min(i0 + block, I)):
                    for k in range(k0, min(k0 + block, K)):
                        for j in range(j0, min(j0 + block, J)):
                            C[i][j] += A[i, k] * B[k, j]
    return C


@right("08.blocked")
def pieces_put_together(A, B, block):
    def cut(n):
        return [slice(start, start + block) for start in range(0, n, block)]

    rows = []
    for i in cut(A.shape[0]):
        row = [
            sum(np.einsum("ik,kj->ij", A[i, k], B[k, j]) for k in cut(A.shape[1]))
            for j in cut(B.shape[1])
        ]
        rows.append(row)
    return np.block(rows)


@wrong("08.blocked")
def edges_of_all_dropped(A, B, block):
    I, K, J = A.shape[0], A.shape[1], B.shape[1]
    C = np.zeros((I, J))
    for i in range(0, I - block + 1, block):
        for k in range(0, K - block + 1, block):
            for j in range(0, J - block + 1, block):
                C[i : i + block, j : j + block] += (
                    A[i : i + block, k : k + block] @ B[k : k + block, j : j + block]
                )
    return C


@wrong("08.blocked")
def last_columns_dropped(A, B, block):
    I, K, J = A.shape[0], A.shape[1], B.shape[1]
    C = np.zeros((I, J))
    for i in range(0, I, block):
        for k in range(0, K, block):
            for j in range(0, J // block * block, block):
                C[i : i + block, j : j + block] += (
                    A[i : i + block, k : k + block] @ B[k : k + block, j : j + block]
                )
    return C


@wrong("08.blocked")
def all_sizes_like_the_rows(A, B, block):
    n = A.shape[0]
    C = np.zeros((n, B.shape[1]))
    for i in range(0, n, block):
        for k in range(0, n, block):
            for j in range(0, n, block):
                C[i : i + block, j : j + block] += (
                    A[i : i + block, k : k + block] @ B[k : k + block, j : j + block]
                )
    return C


@wrong("08.blocked")
def slices_one_too_short(A, B, block):
    I, K, J = A.shape[0], A.shape[1], B.shape[1]
    C = np.zeros((I, J))
    for i in range(0, I, block):
        for k in range(0, K, block):
            for j in range(0, J, block):
                end = max(block - 1, 1)
                C[i : i + end, j : j + end] += (
                    A[i : i + end, k : k + end] @ B[k : k + end, j : j + end]
                )
    return C


@wrong("08.blocked")
def padding_kept(A, B, block):
    I, K, J = (-(-n // block) * block for n in (A.shape[0], A.shape[1], B.shape[1]))
    C = np.zeros((I, J))
    for i in range(0, I, block):
        for k in range(0, K, block):
            for j in range(0, J, block):
                piece = A[i : i + block, k : k + block] @ B[k : k + block, j : j + block]
                C[i : i + len(piece), j : j + piece.shape[1]] += piece
    return C


@wrong("08.blocked")
def strips_of_all_k(A, B, block):
    C = np.zeros((A.shape[0], B.shape[1]))
    for i in range(0, A.shape[0], block):
        for j in range(0, B.shape[1], block):
            C[i : i + block, j : j + block] = A[i : i + block] @ B[:, j : j + block]
    return C


@wrong("08.blocked")
def block_of_two(A, B, block):
    I, K, J = A.shape[0], A.shape[1], B.shape[1]
    C = np.zeros((I, J))
    for i in range(0, I, 2):
        for k in range(0, K, 2):
            for j in range(0, J, 2):
                C[i : i + 2, j : j + 2] += A[i : i + 2, k : k + 2] @ B[k : k + 2, j : j + 2]
    return C


@wrong("08.blocked")
def entry_by_entry_product(A, B, block):
    I, K, J = A.shape[0], A.shape[1], B.shape[1]
    C = np.zeros((I, J))
    for i in range(0, I, block):
        for k in range(0, K, block):
            for j in range(0, J, block):
                C[i : i + block, j : j + block] += (
                    A[i : i + block, k : k + block] * B[k : k + block, j : j + block]
                )
    return C


@wrong("08.blocked")
def block_of_b_transposed(A, B, block):
    I, K, J = A.shape[0], A.shape[1], B.shape[1]
    C = np.zeros((I, J))
    for i in range(0, I, block):
        for k in range(0, K, block):
            for j in range(0, J, block):
                C[i : i + block, j : j + block] += (
                    A[i : i + block, k : k + block] @ B[j : j + block, k : k + block]
                )
    return C


@wrong("08.blocked")
def rounded_to_whole_numbers(A, B, block):
    I, K, J = A.shape[0], A.shape[1], B.shape[1]
    C = np.zeros((I, J), dtype=int)
    for i in range(0, I, block):
        for k in range(0, K, block):
            for j in range(0, J, block):
                piece = A[i : i + block, k : k + block] @ B[k : k + block, j : j + block]
                C[i : i + block, j : j + block] += piece.astype(int)
    return C


@wrong("08.blocked")
def whole_product(A, B, block):
    return A @ B


@wrong("08.blocked")
def copied_whole_and_then_cut(A, B, block):
    a, b = A[:, :], B[:, :]
    C = np.zeros((A.shape[0], B.shape[1]))
    for k in range(0, A.shape[1], block):
        C += a[:, k : k + block] @ b[k : k + block]
    return C


@wrong("08.blocked")
def steps_of_one(A, B, block):
    I, K, J = A.shape[0], A.shape[1], B.shape[1]
    C = np.zeros((I, J))
    for i in range(I):
        for k in range(K):
            for j in range(J):
                C[i : i + block, j : j + block] += (
                    A[i : i + block, k : k + block] @ B[k : k + block, j : j + block]
                )
    return C


@wrong("08.blocked", clue="assigned")
def last_block_of_k_alone(A, B, block):
    I, K, J = A.shape[0], A.shape[1], B.shape[1]
    C = np.zeros((I, J))
    for i in range(0, I, block):
        for j in range(0, J, block):
            k = (K - 1) // block * block
            C[i : i + block, j : j + block] += A[i : i + block, k:] @ B[k:, j : j + block]
    return C

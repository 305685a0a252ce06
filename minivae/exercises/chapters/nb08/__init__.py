"""Notebook 08, making it fast: loop orders, one pass over the data, and what the limit is.

The arrays that an answer gets here write down how they are read (`Traced`), so that the order of
a loop can be checked and not only its result.
"""

import math

import numpy as np

from minivae.exercises.exercise import Exercise, WrongAnswer, generic, stub

REFUSAL = "this exercise is about loops: read the entries one by one or in slices"
READS_NOTHING = {np.zeros_like, np.empty_like, np.ones_like, np.full_like, np.shape, np.size}


class Traced:
    """A read-only matrix for loops: A[i, j], A[i], A[i, 2:4], A.shape, len(A). Keeps every read."""

    def __init__(self, array):
        self.array = array
        self.shape, self.ndim, self.dtype = array.shape, array.ndim, array.dtype
        self.size = array.size
        self.reads = []  # one array of flat indices for each access
        self._index = np.arange(array.size).reshape(array.shape)

    __array_ufunc__ = None  # so that np.exp(A), A + B and the like are refused, not converted

    def __getitem__(self, key):
        self.reads.append(np.ravel(self._index[key]))
        return (
            self.array[key].copy() if isinstance(self.array[key], np.ndarray) else self.array[key]
        )

    def __len__(self):
        return len(self.array)

    def __matmul__(self, other):
        raise TypeError("@ is the product itself; write its loops")

    __rmatmul__ = __matmul__

    def __array_function__(self, function, types, args, kwargs):
        if function in READS_NOTHING:
            plain = [a.array if isinstance(a, Traced) else a for a in args]
            return function(*plain, **kwargs)
        raise TypeError(REFUSAL)

    def __array__(self, dtype=None, copy=None):
        raise TypeError(REFUSAL)

    def visits(self, block):
        """How often the reads went on to another block x block piece of the matrix."""
        row, column = np.divmod(self.order(), max(self.shape[1], 1))
        piece = row // block * self.shape[1] + column // block
        return 1 + np.count_nonzero(np.diff(piece))

    def order(self):
        """The flat index of every entry read, in order."""
        return np.concatenate(self.reads) if self.reads else np.zeros(0, int)


def _plain(answer):
    """The Python behind a numba function: its loops can be watched."""
    return getattr(answer, "py_func", answer)


# ---- 08.loop-order -----------------------------------------------------------------------------


def matmul_ikj(A, B):
    """C[i, j] += A[i, k] B[k, j], with j innermost: B and C are read along their rows"""
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
    C = _plain(answer)(A, traced)
    return C, traced.order()


def _loops(order, assign=False):
    """C = A B with the loops in this order, such as "ijk"; `assign`: = in place of +=."""

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
    title="the same product, in the order that memory likes",
    stub=stub("""
        def matmul_ikj(A, B):    # (I, K), (K, J) -> C (I, J), by three loops: i, then k, then j
            ...                  # (write B[k, j]: the check watches in which order B is read)
    """),
    reference=matmul_ikj,
    cases=_matmul_cases,
    observe=_observe_order,
    returns=("C", "the order in which B is read (flat indices)"),
    mistakes=(
        WrongAnswer(
            "ijk",
            _loops("ijk"),
            "i, j, k walks down the columns of B: each step skips a whole row of memory.",
        ),
        WrongAnswer(
            "jki",
            _loops("jki"),
            "With i innermost both C and A are walked down their columns.",
        ),
        WrongAnswer(
            "kij",
            _loops("kij"),
            "k outermost reads each row of B I times in a row, but passes over all of C K times.",
        ),
        WrongAnswer(
            "jik",
            _loops("jik"),
            "j, i, k walks down the columns of B, as i, j, k does.",
        ),
        WrongAnswer(
            "kji",
            _loops("kji"),
            "With i innermost both C and A are walked down their columns.",
        ),
        WrongAnswer(
            "assigned",
            _loops("ikj", assign=True),
            "C[i, j] = ... forgets the earlier k: add up with +=.",
        ),
        WrongAnswer(
            "a-by-column",
            lambda A, B: _loops("ikj")(A[:, ::-1], B),
            "A[i, k] must meet B[k, j] with the same k.",
        ),
    ),
    hints=(
        "NumPy stores an array row by row: the last index should move fastest.",
        "Put j innermost: then B[k, j] and C[i, j] are both read along a row.",
        "for i: for k: a = A[i, k]; for j: C[i, j] += a * B[k, j].",
    ),
)

# ---- 08.blocked --------------------------------------------------------------------------------


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
    ]


def _observe_blocks(answer, A, B, block):
    a, b = Traced(A), Traced(B)
    C = _plain(answer)(a, b, block)
    largest = max((len(read) for read in a.reads + b.reads), default=0)
    # A block of A and one of B for each block of C and of k; twice that leaves room for other cuts.
    pieces = math.prod(-(-size // block) for size in (*A.shape, B.shape[1]))
    few = max(a.visits(block), b.visits(block)) <= 2 * pieces
    return C, bool(largest <= block * block), bool(few)


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


BLOCKED = Exercise(
    id="08.blocked",
    title="a product in blocks",
    stub=stub("""
        def matmul_blocked(A, B, block):    # (I, K), (K, J), int -> C (I, J), any shape
            ...      # read A and B in pieces of at most block x block; @ may multiply two pieces
    """),
    reference=matmul_blocked,
    cases=_blocked_cases,
    observe=_observe_blocks,
    returns=("C", "every piece read is small enough", "few changes from one piece to another"),
    mistakes=(
        WrongAnswer(
            "assigned",
            lambda A, B, block: _blocks(A, B, block, add=False),
            "Each block of C is a sum over the blocks of k: += in place of =.",
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
            "The loops run over all of B for each row of A: finish a piece before the next one.",
        ),
        WrongAnswer(
            "diagonal-blocks",
            lambda A, B, block: _diagonal_blocks(A, B, block),
            "i and k move together here: every block of rows meets every block of k.",
        ),
    ),
    hints=(
        "Three loops again, over blocks in place of entries.",
        "range(0, I, block), and slices i : i + block, which end by themselves at the edge.",
        "C[i:i+block, j:j+block] += A[i:i+block, k:k+block] @ B[k:k+block, j:j+block].",
    ),
)


def _diagonal_blocks(A, B, block):
    C = np.zeros((A.shape[0], B.shape[1]))
    for i in range(0, min(A.shape), block):
        for j in range(0, B.shape[1], block):
            a, b = A[i : i + block, i : i + block], B[i : i + block, j : j + block]
            C[i : i + block, j : j + block] += a @ b
    return C


# ---- 08.fused ----------------------------------------------------------------------------------


def bernoulli_fused(logits, x):
    """nll and dlogits = sigmoid(logits) - x, in one pass: each logit is read once"""
    B, D = logits.shape
    nll, dlogits = np.zeros(B), np.zeros((B, D))
    for b in range(B):
        for d in range(D):
            l = logits[b, d]
            e = np.exp(-abs(l))
            nll[b] += max(l, 0.0) + np.log1p(e) - x[b, d] * l
            dlogits[b, d] = (1.0 if l > 0 else e) / (1 + e) - x[b, d]
    return nll, dlogits


def _fused_cases():
    rng = np.random.default_rng(82)
    return [
        (np.array([[0.5]]), np.array([[1.0]])),
        (generic(rng, 2, 3), np.round(rng.random((2, 3)))),
        (np.array([[-1000.0, 1000.0]]), np.array([[0.0, 1.0]])),
    ]


def _observe_reads(answer, logits, x):
    traced = Traced(logits)
    result = _plain(answer)(traced, x)
    counts = np.bincount(traced.order(), minlength=logits.size).reshape(logits.shape)
    return (*result, counts) if isinstance(result, tuple) else result


def _fused(value, slope, *, reread=False, stop=0, mean=False):
    """The two loops with other formulas: value(l, x), slope(l, x)."""

    def wrong(logits, x):
        B, D = logits.shape
        nll, dlogits = np.zeros(B), np.zeros((B, D))
        for b in range(B):
            for d in range(D - stop):
                l = logits[b, d]
                nll[b] += value(l, x[b, d])
                dlogits[b, d] = slope(logits[b, d] if reread else l, x[b, d])
        return nll / D if mean else nll, dlogits

    return wrong


def _value(l, x):
    return max(l, 0.0) + np.log1p(np.exp(-abs(l))) - x * l


def _slope(l, x):
    e = np.exp(-abs(l))
    return (1.0 if l > 0 else e) / (1 + e) - x


FUSED = Exercise(
    id="08.fused",
    title="a fused kernel: loss and gradient in one pass",
    stub=stub("""
        def bernoulli_fused(logits, x):    # (B, D), (B, D) -> nll (B,), dlogits (B, D) for dnll = 1
            ...      # two loops, and each logit is read from memory once; +-1000 must work
                     # (np.exp, np.log1p, abs and max work on single numbers, and in numba)
    """),
    reference=bernoulli_fused,
    cases=_fused_cases,
    observe=_observe_reads,
    returns=("nll", "dlogits", "how often each logit is read"),
    mistakes=(
        WrongAnswer(
            "read-twice",
            _fused(_value, _slope, reread=True),
            "Each logit is read twice: keep it in a variable, l = logits[b, d].",
        ),
        WrongAnswer(
            "overflows",
            _fused(lambda l, x: np.log(1 + np.exp(l)) - x * l, _slope),
            "exp(1000) overflows: log(1 + exp(l)) = max(l, 0) + log1p(exp(-|l|)).",
        ),
        WrongAnswer(
            "gradient-sign",
            _fused(_value, lambda l, x: -_slope(l, x)),
            "dlogits has the wrong sign: sigmoid(l) - x.",
        ),
        WrongAnswer(
            "no-sigmoid",
            _fused(_value, lambda l, x: l - x),
            "dlogits = l - x: the sigmoid is missing.",
        ),
        WrongAnswer(
            "image-forgotten",
            _fused(_value, lambda l, x: _slope(l, 0.0)),
            "dlogits lacks its - x.",
        ),
        WrongAnswer(
            "mean",
            _fused(_value, _slope, mean=True),
            "nll is averaged over the pixels; it is their sum.",
        ),
        WrongAnswer(
            "last-pixel",
            _fused(_value, _slope, stop=1),
            "The last pixel is left out: range(D) ends before D by itself.",
        ),
        WrongAnswer(
            "sigmoid-of-negative",
            _fused(_value, lambda l, x: np.exp(-abs(l)) / (1 + np.exp(-abs(l))) - x),
            "For l > 0 the sigmoid is 1 / (1 + e) with e = exp(-|l|), not e / (1 + e).",
        ),
    ),
    hints=(
        "One pair of loops; inside, everything that needs this logit.",
        "e = exp(-|l|) serves both: log1p(e) for the loss, (1 or e) / (1 + e) for the slope.",
        "nll[b] += max(l, 0) + log1p(e) - x l;  dlogits[b, d] = (1 if l > 0 else e) / (1 + e) - x.",
    ),
)

# ---- 08.flops ----------------------------------------------------------------------------------


def step_flops(batch, layers):
    """2 B I O for each of: the forward product, dW, and dx, which the first layer does not need"""
    total = 0
    for i, (n_in, n_out) in enumerate(layers):
        products = 2 if i == 0 else 3
        total += products * 2 * batch * n_in * n_out
    return total


DEFAULT_LAYERS = [(784, 200), (200, 200), (200, 100), (50, 200), (200, 200), (200, 784)]


def _flops_cases():
    return [(1, [(3, 2)]), (4, [(3, 2), (2, 5)]), (100, DEFAULT_LAYERS)]


def _flops(first, later, factor=2, with_batch=True):
    return lambda batch, layers: sum(
        (first if i == 0 else later) * factor * (batch if with_batch else 1) * a * b
        for i, (a, b) in enumerate(layers)
    )


FLOPS = Exercise(
    id="08.flops",
    title="how much arithmetic a training step is",
    stub=stub("""
        def step_flops(batch, layers):    # int, [(inputs, outputs), ...] from the image on
            ...      # -> flops of all matrix products, forward and backward, as an int;
                     # a multiplication and an addition count 2; the images need no gradient
    """),
    reference=step_flops,
    cases=_flops_cases,
    mistakes=(
        WrongAnswer("forward-only", _flops(1, 1), "Only the forward products: dW and dx are two more."),
        WrongAnswer(
            "dx-everywhere",
            _flops(3, 3),
            "The first layer needs no dx: nobody asks for the gradient of an image.",
        ),
        WrongAnswer("no-dx", _flops(2, 2), "The layers after the first need dx too, to pass it on."),
        WrongAnswer(
            "one-for-both",
            _flops(2, 3, factor=1),
            "A multiplication and an addition count as two operations.",
        ),
        WrongAnswer(
            "batch-forgotten",
            _flops(2, 3, with_batch=False),
            "Every example of the batch goes through the products.",
        ),
        WrongAnswer(
            "last-without-dx",
            lambda batch, layers: (
                _flops(3, 3)(batch, layers) - 2 * batch * layers[-1][0] * layers[-1][1]
            ),
            "dx is left out at the last layer; it is the first that does not need it.",
        ),
    ),
    hints=(
        "A product (B, I) by (I, O) has B O sums of I products each.",
        "Each layer has three products of that size: x W, x' da and da W'. One needs only two.",
        "2 B I O times 2 for the first layer, times 3 for the others.",
    ),
)

# ---- 08.roofline -------------------------------------------------------------------------------


def roofline(flops, bytes_moved, peak, bandwidth):
    """The rate that can be reached: min(peak, flops / bytes x bandwidth)"""
    return min(peak, flops / bytes_moved * bandwidth)


def _roofline_cases():
    return [
        (100.0, 50.0, 80.0, 10.0),
        (1000.0, 50.0, 80.0, 10.0),
        (3.0, 12.0, 90.0, 20.0),
    ]


ROOFLINE = Exercise(
    id="08.roofline",
    title="the roofline",
    stub=stub("""
        def roofline(flops, bytes_moved, peak, bandwidth):    # work: flop, byte; machine: flop/s,
            ...                                               # byte/s -> the flop/s within reach
    """),
    reference=roofline,
    cases=_roofline_cases,
    mistakes=(
        WrongAnswer(
            "maximum",
            lambda flops, moved, peak, bandwidth: max(peak, flops / moved * bandwidth),
            "The lower of two roofs holds one back, not the higher.",
        ),
        WrongAnswer(
            "upside-down",
            lambda flops, moved, peak, bandwidth: min(peak, moved / flops * bandwidth),
            "Intensity is flops per byte; here it is bytes per flop.",
        ),
        WrongAnswer(
            "peak",
            lambda flops, moved, peak, bandwidth: peak,
            "The peak alone: data must arrive before they can be worked on.",
        ),
        WrongAnswer(
            "memory",
            lambda flops, moved, peak, bandwidth: flops / moved * bandwidth,
            "The memory's roof alone: no machine exceeds its peak.",
        ),
        WrongAnswer(
            "in-turn",
            lambda flops, moved, peak, bandwidth: flops / (flops / peak + moved / bandwidth),
            "The times are added, as if nothing overlapped; while one piece is worked on, "
            "the next is fetched.",
        ),
        WrongAnswer(
            "bandwidth",
            lambda flops, moved, peak, bandwidth: min(peak, bandwidth),
            "Bandwidth is in bytes per second: times flops per byte it becomes flop/s.",
        ),
    ),
    hints=(
        "Two limits: how fast the machine computes, and how fast data reach it.",
        "Each byte fetched feeds flops / bytes_moved operations.",
        "min(peak, flops / bytes_moved * bandwidth).",
    ),
)

EXERCISES = (LOOP_ORDER, BLOCKED, FUSED, FLOPS, ROOFLINE)

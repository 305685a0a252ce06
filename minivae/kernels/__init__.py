"""The fast backend: the names of `ops.py`, compiled by numba, on all cores. Every line is here.

From the ground up:
  1. vectorizable exp, expm1, log1p and tanh: no calls into libm, so LLVM can use whole registers;
  2. a register tile: the inner loop of every matrix product, written as LLVM instructions;
  3. the product around it: panels packed for the tile, blocks that fit the caches, and the zeros
     of an image left out;
  4. the other loops of a training step, each reading its data once;
  5. a pool of threads that share out blocks of results: never a sum, so the bits do not depend
     on how many threads there are;
  6. the public names, the same as in `ops.py`, and the one guard in front of the kernels.

float32 trains and is fast; float64 verifies, with libm's functions. Anything else is refused.
Threads: `MINIVAE_NUM_THREADS`, by default the cores available. All numba code that calls each
other is in this one file, because numba's on-disk cache does not see edits in another.
"""

import atexit
import contextlib
import ctypes
import math
import os
import platform
import sys
import threading
import time
from itertools import product
from pathlib import Path
from typing import NamedTuple

import numpy as np
from llvmlite import binding as llvm
from llvmlite import ir
from numba import carray, config, from_dtype, njit, types
from numba.core import cgutils, event
from numba.extending import intrinsic, overload

from minivae.errors import MinivaeError
from minivae.kernels.cores import core_count

ACTIVATIONS = ("tanh", "relu", "none")
JIT = not config.DISABLE_JIT  # without it, plain Python stands in for the LLVM instructions

# numpy's rules for x / 0, or LLVM could not vectorize a loop that divides; and "contract" alone
# of the fast-math flags: a * b + c may be one instruction, while NaN and infinity keep their rules
compiled = njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
inlined = njit(inline="always", nogil=True, error_model="numpy", fastmath={"contract"})
# a sum may also be regrouped, to keep several partial sums in a register: still the same each time
regrouping = njit(
    cache=True, nogil=True, error_model="numpy", fastmath={"contract", "reassoc", "nsz"}
)


# ---- 1. elementary functions -------------------------------------------------------------------
#
# float32: polynomials in plain arithmetic, coefficients fitted for the least largest error.
# float64: libm. The errors stated here are tested over the whole range of float32.

f32, i32 = np.float32, np.int32
LOG2_E = f32(1.4426950408889634)
LN2_HIGH = f32(0.693359375)  # 9 bits: n * LN2_HIGH is exact
LN2_LOW = f32(-2.12194440e-4)
ROUND = f32(12582912.0)  # 1.5 * 2^23: adding it rounds to a whole number, kept in the low bits
ROUND_BITS = i32(0x4B400000)
BIAS, SHIFT = i32(127), i32(23)  # 2^n has the bits (n + 127) << 23
ZERO, HALF, ONE, TWO = f32(0), f32(0.5), f32(1), f32(2)


@compiled
def _reduce(x):
    """x = n ln 2 + r, |r| <= ln(2) / 2  ->  expm1(r), and n as two halves, as 2^n may underflow."""
    t = x * LOG2_E + ROUND
    n = i32(f32(t).view(i32) - ROUND_BITS)
    whole = t - ROUND
    r = (x - whole * LN2_HIGH) - whole * LN2_LOW
    p = f32(0.0013946669641882181)
    p = p * r + f32(0.008366710506379604)
    p = p * r + f32(0.04166628047823906)
    p = p * r + f32(0.16666541993618011)
    p = p * r + f32(0.5)
    half = i32(n >> i32(1))
    return p * (r * r) + r, half, i32(n - half)


@compiled
def _exp32(x):
    """exp(x), at most 2 units in the last place off; infinity from 88.73 on, NaN for NaN."""
    x = f32(-105) if x < f32(-105) else x  # a NaN fails every comparison and so passes through
    x = f32(90) if x > f32(90) else x
    p, n1, n2 = _reduce(x)
    return (p + ONE) * i32((n1 + BIAS) << SHIFT).view(f32) * i32((n2 + BIAS) << SHIFT).view(f32)


@compiled
def _expm1_32(x):
    """exp(x) - 1 without cancellation near 0: 2^n expm1(r) + (2^n - 1), at most 2 units off."""
    x = f32(-20) if x < f32(-20) else x  # exp(-20) is lost beside 1
    x = f32(90) if x > f32(90) else x
    p, n1, n2 = _reduce(x)
    low = i32((n1 + BIAS) << SHIFT).view(f32)
    high = i32((n2 + BIAS) << SHIFT).view(f32)
    inverse = i32((BIAS - n2) << SHIFT).view(f32)
    return (p * low + (low - inverse)) * high  # 2^n itself may be infinite before the result is


@compiled
def _log1p_unit32(x):
    """log(1 + x) for 0 <= x <= 1, which is where exp(-|l|) lies: at most 3 units off."""
    p = f32(-0.0032440212089568377)
    p = p * x + f32(0.01985144428908825)
    p = p * x + f32(-0.056959498673677444)
    p = p * x + f32(0.10603651404380798)
    p = p * x + f32(-0.15305590629577637)
    p = p * x + f32(0.1967593878507614)
    p = p * x + f32(-0.24954134225845337)
    p = p * x + f32(0.3332996368408203)
    p = p * x + f32(-0.4999990165233612)
    return p * (x * x) + x


@compiled
def _tanh32(x):
    """tanh(x) = e / (e + 2), e = exp(2x) - 1, at most 4 units off; NaN for NaN."""
    x = f32(-10) if x < f32(-10) else x
    x = f32(10) if x > f32(10) else x
    e = _expm1_32(x + x)
    return e / (e + TWO)


def _either(fast, exact):
    """A function of one number that is `fast` for float32 and `exact` for float64."""

    def stub(x):
        return fast(x) if isinstance(x, np.float32) else exact(x)

    @overload(stub)
    def choose(x):
        if x == types.float32:
            return lambda x: fast(x)
        return lambda x: exact(x)

    return stub


_exp = _either(_exp32, math.exp)
_expm1 = _either(_expm1_32, math.expm1)
_log1p_unit = _either(_log1p_unit32, math.log1p)
_tanh = _either(_tanh32, math.tanh)


# ---- 2. the register tile ----------------------------------------------------------------------
#
# A vector register holds `lanes` numbers: 16 float32 with AVX-512, 8 with AVX2, 4 with NEON or
# SSE; of float64 half as many. The tile keeps a block of C, `rows` x `vectors` registers, for the
# whole loop over k. In each round it loads `vectors` registers of B and, for each row, spreads
# one number of A over a register: 8 loads then feed 12 multiply-adds, which is what a core can do,
# while a plain loop loads and stores C for every single one.
#
# LLVM does not keep such a block in registers if one writes it as a Python loop, so here the
# instructions are put together by hand. The width is a compile-time number and comes from the
# *type* of an argument: `kind` is an empty array of the dtype, with one axis per lane. A global
# would not do: numba's on-disk cache does not look at globals.

TILE_VECTORS = 2  # registers side by side
TILE_ROWS = {512: 12, 256: 6, 128: 6}  # by bits: AVX-512 has 32 registers, the others 16 or more
LANE_BYTES = 16  # shuffles within 16 bytes are the cheap ones


def machine_lanes():
    """How many float32 fit a vector register of this machine: 16, 8 or 4."""
    features = llvm.get_host_cpu_features()
    if features.get("avx512f"):
        return 16
    return 8 if features.get("avx2") else 4


class _Emitter:
    """The few LLVM instructions the kernels need, on addresses that are plain integers."""

    def __init__(self, builder, kind):
        self.builder = builder
        self.word = ir.IntType(64)
        self.scalar = ir.FloatType() if kind.dtype == types.float32 else ir.DoubleType()
        self.bytes = kind.dtype.bitwidth // 8
        self.lanes = kind.ndim
        self.vector = ir.VectorType(self.scalar, self.lanes)

    def int(self, value):
        return ir.Constant(self.word, value)

    def at(self, address, offset, kind):
        """A pointer to `kind` at address + offset bytes."""
        base = self.builder.inttoptr(address, ir.IntType(8).as_pointer())
        return self.builder.bitcast(self.builder.gep(base, [offset]), kind.as_pointer())

    def load(self, address, offset, kind):
        return self.builder.load(self.at(address, offset, kind), align=self.bytes)

    def store(self, value, address, offset):
        self.builder.store(value, self.at(address, offset, value.type), align=self.bytes)

    def shuffle(self, a, b, picks):
        mask = ir.Constant(ir.VectorType(ir.IntType(32), len(picks)), picks)
        return self.builder.shuffle_vector(a, b, mask)

    def spread(self, number):
        """One number in every lane."""
        nothing = ir.Constant(self.vector, ir.Undefined)
        first = self.builder.insert_element(nothing, number, ir.Constant(ir.IntType(32), 0))
        return self.shuffle(first, nothing, [0] * self.lanes)

    def multiply_add(self, a, b, c):
        product = self.builder.fmul(a, b, flags=("contract",))
        return self.builder.fadd(product, c, flags=("contract",))

    def tile(
        self, rows, vectors, turned, a, a_stride, b, b_stride, c, c_stride, k, first, first_stride
    ):
        """The loop over k of one tile, then its stores. Leaves the builder at the end."""
        builder, int_ = self.builder, self.int
        grid = [(i, j) for i in range(rows) for j in range(vectors)]
        step = self.lanes * self.bytes  # from one register's numbers to the next one's
        c_rows = [builder.add(c, builder.mul(c_stride, int_(i))) for i in range(rows)]
        a_rows = [builder.add(a, builder.mul(a_stride, int_(i))) for i in range(rows)]
        zeros = ir.Constant(self.vector, [0.0] * self.lanes)
        start = builder.block
        given, head, body, end = (
            builder.append_basic_block(f"tile.{name}") for name in ("given", "head", "body", "end")
        )
        builder.cbranch(builder.icmp_signed("!=", first, int_(0)), given, head)

        builder.position_at_end(given)  # the sums go on from what is there
        first_rows = [builder.add(first, builder.mul(first_stride, int_(i))) for i in range(rows)]
        so_far = {(i, j): self.load(first_rows[i], int_(j * step), self.vector) for i, j in grid}
        builder.branch(head)

        builder.position_at_end(head)  # LLVM wants all phi nodes at the top of a block
        count, a_at, b_at = (builder.phi(self.word) for _ in range(3))
        sums = {place: builder.phi(self.vector) for place in grid}
        for phi, value in ((count, int_(0)), (a_at, a if turned else int_(0)), (b_at, b)):
            phi.add_incoming(value, start)
            phi.add_incoming(value, given)
        for place in grid:
            sums[place].add_incoming(zeros, start)
            sums[place].add_incoming(so_far[place], given)
        builder.cbranch(builder.icmp_signed("<", count, k), body, end)

        builder.position_at_end(body)  # C[i, :] += A[i, k] * B[k, :]
        b_row = [self.load(b_at, int_(j * step), self.vector) for j in range(vectors)]
        for i in range(rows):
            if turned:  # A' is given: its column k is a row in memory
                number = self.load(a_at, int_(i * self.bytes), self.scalar)
            else:
                number = self.load(a_rows[i], a_at, self.scalar)
            number = self.spread(number)
            for j in range(vectors):
                sums[i, j].add_incoming(self.multiply_add(number, b_row[j], sums[i, j]), body)
        count.add_incoming(builder.add(count, int_(1)), body)
        a_at.add_incoming(builder.add(a_at, a_stride if turned else int_(self.bytes)), body)
        b_at.add_incoming(builder.add(b_at, b_stride), body)
        builder.branch(head)

        builder.position_at_end(end)
        for i, j in grid:
            self.store(sums[i, j], c_rows[i], int_(j * step))

    def turn(self, source, source_stride, target, target_stride):
        """Transposes (lanes rows) x (16 bytes) into (16 bytes' numbers) x (lanes)."""
        per_lane = LANE_BYTES // self.bytes
        piece = ir.VectorType(self.scalar, per_lane)
        columns = []
        for i in range(per_lane):  # rows i, i + per_lane, ... side by side in one register
            pieces = [
                self.load(source, self.builder.mul(source_stride, self.int(row)), piece)
                for row in range(i, self.lanes, per_lane)
            ]
            while len(pieces) > 1:
                width = 2 * pieces[0].type.count
                pairs = zip(pieces[::2], pieces[1::2], strict=True)
                pieces = [self.shuffle(a, b, list(range(width))) for a, b in pairs]
            columns.append(pieces[0])
        for i, vector in enumerate(self._turn_in_lanes(columns, per_lane)):
            self.store(vector, target, self.builder.mul(target_stride, self.int(i)))

    def _turn_in_lanes(self, v, per_lane):
        def mix(a, b, picks):  # the same picks in every lane; picks >= per_lane are from b
            all_lanes = range(0, self.lanes, per_lane)
            beyond = self.lanes - per_lane
            picks = [p + (beyond if p >= per_lane else 0) for p in picks]
            return self.shuffle(a, b, [p + lane for lane in all_lanes for p in picks])

        if per_lane == 2:
            return [mix(v[0], v[1], (0, 2)), mix(v[0], v[1], (1, 3))]
        low = mix(v[0], v[1], (0, 4, 1, 5)), mix(v[2], v[3], (0, 4, 1, 5))
        high = mix(v[0], v[1], (2, 6, 3, 7)), mix(v[2], v[3], (2, 6, 3, 7))
        return [mix(*pair, picks) for pair in (low, high) for picks in ((0, 1, 4, 5), (2, 3, 6, 7))]


def _tile_instructions(
    context, kind, turned, a, a_stride, b, b_stride, c, c_stride, rows, vectors, k,
    first, first_stride,
):  # fmt: skip
    """C[:rows, :vectors * lanes] = first + A B, or A' B if `turned`, the sums kept in registers.

    a, b, c are addresses and the strides are in bytes. `first`: 0 for zeros; or the address of C,
    to which an earlier part of k went; or that of a bias, with a stride of 0: every row starts so.
    """
    sizes = list(product(range(1, TILE_ROWS[_register_bits(kind)] + 1), range(1, TILE_VECTORS + 1)))

    def codegen(context, builder, signature, args):
        emit = _Emitter(builder, kind)
        turned, a, a_stride, b, b_stride, c, c_stride, rows, vectors, *rest = args[1:]
        # one block of code for each size, and a switch over rows * 8 + vectors * 2 + turned
        which = builder.add(builder.mul(rows, emit.int(8)), builder.mul(vectors, emit.int(2)))
        done = builder.append_basic_block("tile.done")
        switch = builder.switch(builder.add(which, turned), done)
        for (n_rows, n_vectors), flag in product(sizes, (0, 1)):
            block = builder.append_basic_block("tile.size")
            switch.add_case(emit.int(n_rows * 8 + n_vectors * 2 + flag), block)
            builder.position_at_end(block)
            emit.tile(n_rows, n_vectors, flag, a, a_stride, b, b_stride, c, c_stride, *rest)
            builder.branch(done)
        builder.position_at_end(done)
        return context.get_dummy_value()

    return types.void(kind, *[types.intp] * 12), codegen


def _register_bits(kind):
    return kind.ndim * kind.dtype.bitwidth


def _turn_instructions(context, kind, source, source_stride, target, target_stride):
    """Transposes `lanes` rows of 16 bytes each: target[k, row] = source[row, k]."""

    def codegen(context, builder, signature, args):
        _Emitter(builder, kind).turn(*args[1:])
        return context.get_dummy_value()

    return types.void(kind, *[types.intp] * 4), codegen


def _copy_instructions(context, kind, source, target):
    """Copies one register's numbers."""

    def codegen(context, builder, signature, args):
        emit = _Emitter(builder, kind)
        emit.store(emit.load(args[1], emit.int(0), emit.vector), args[2], emit.int(0))
        return context.get_dummy_value()

    return types.void(kind, *[types.intp] * 2), codegen


def _pointer_instructions(context, kind, address):
    """The address as a pointer to numbers of this kind."""

    def codegen(context, builder, signature, args):
        return builder.inttoptr(args[1], context.get_value_type(signature.return_type))

    return types.CPointer(kind.dtype)(kind, types.intp), codegen


def _task_instructions(context, address, which):
    """The task (a record) at an address, or the one after it."""
    record = from_dtype(TASK)

    def codegen(context, builder, signature, args):
        skip = builder.mul(args[1], ir.Constant(ir.IntType(64), TASK.itemsize))
        return builder.inttoptr(builder.add(args[0], skip), context.get_value_type(record))

    return record(types.intp, types.intp), codegen


def _word_pointer(builder, address):
    return builder.inttoptr(address, ir.IntType(64).as_pointer())


def _atomic_load_instructions(context, address):
    def codegen(context, builder, signature, args):
        return builder.load_atomic(_word_pointer(builder, args[0]), "seq_cst", 8)

    return types.intp(types.intp), codegen


def _atomic_store_instructions(context, address, value):
    def codegen(context, builder, signature, args):
        builder.store_atomic(args[1], _word_pointer(builder, args[0]), "seq_cst", 8)
        return context.get_dummy_value()

    return types.void(types.intp, types.intp), codegen


def _atomic_add_instructions(context, address, value):
    def codegen(context, builder, signature, args):
        return builder.atomic_rmw("add", _word_pointer(builder, args[0]), args[1], "seq_cst")

    return types.intp(types.intp, types.intp), codegen


def _atomic_swap_instructions(context, address, expected, value):
    """Writes `value` if `expected` is there, and says whether it was."""

    def codegen(context, builder, signature, args):
        where = _word_pointer(builder, args[0])
        pair = builder.cmpxchg(where, args[1], args[2], "seq_cst", "seq_cst")
        return builder.extract_value(pair, 1)

    return types.boolean(types.intp, types.intp, types.intp), codegen


def _pause_instructions(context):
    """Tells the core that this is a waiting loop: it saves power and lets a sibling thread run."""

    def codegen(context, builder, signature, args):
        machine = platform.machine()
        if machine in ("x86_64", "AMD64"):
            hint, inputs = "llvm.x86.sse2.pause", ()
        elif machine in ("aarch64", "arm64"):
            hint, inputs = "llvm.aarch64.hint", (ir.Constant(ir.IntType(32), 1),)  # 1 is YIELD
        else:
            return context.get_dummy_value()
        function = ir.FunctionType(ir.VoidType(), [i.type for i in inputs])
        builder.call(cgutils.get_or_insert_function(builder.module, function, hint), inputs)
        return context.get_dummy_value()

    return types.void(), codegen


# What the threads work on: up to three tasks, each cut into `chunks`. Addresses, strides in bytes.
TASK = np.dtype(
    [
        (name, np.int64)
        for name in (
            "operation chunks block_rows row_blocks column_blocks m n k "
            "a a_stride a_turned b b_stride b_turned c c_stride d bias activation"
        ).split()
    ]
    + [(name, np.float64) for name in "lr beta1 beta2 v_scale adam_eps".split()]
)
# (int64, because for a plain 0 and a plain 1 numba would compile a version each)
PRODUCT, SPARSE, COLUMN_SUMS, BERNOULLI, SCALE_ROWS, ADAM = (np.int64(i) for i in range(6))
NO_ACTIVATION, TANH, RELU = range(3)
PLAIN, TURNED = np.int64(0), np.int64(1)


def _numbers_at(address, n, kind):
    """The n numbers from an address on, as an array."""
    return carray(_pointer(kind, address), (n,))


if JIT:
    _tile = intrinsic(_tile_instructions)
    _turn = intrinsic(_turn_instructions)
    _copy = intrinsic(_copy_instructions)
    _pointer = intrinsic(_pointer_instructions)
    _task = intrinsic(_task_instructions)
    _atomic_load = intrinsic(_atomic_load_instructions)
    _atomic_store = intrinsic(_atomic_store_instructions)
    _atomic_add = intrinsic(_atomic_add_instructions)
    _atomic_swap = intrinsic(_atomic_swap_instructions)
    _pause = intrinsic(_pause_instructions)
    _numbers_at = compiled(_numbers_at)
else:  # NUMBA_DISABLE_JIT=1: plain Python for the same, so that one can step through all the rest

    def _memory(address, n_bytes):
        return (ctypes.c_byte * int(n_bytes)).from_address(int(address))

    def _numbers_at(address, n, kind):
        if n == 0:
            return np.empty(0, kind.dtype)
        return np.frombuffer(_memory(address, n * kind.itemsize), kind.dtype)

    def _task(address, which):
        raw = _memory(address + which * TASK.itemsize, TASK.itemsize)
        return np.frombuffer(raw, TASK).view(np.recarray)[0]

    def _tile(
        kind, turned, a, a_stride, b, b_stride, c, c_stride, rows, vectors, k, first, first_stride
    ):
        size, columns = kind.itemsize, vectors * kind.ndim
        for i in range(rows):
            sums = _numbers_at(c + i * c_stride, columns, kind)
            sums[:] = _numbers_at(first + i * first_stride, columns, kind) if first else 0
            for r in range(k):
                at = a + (r * a_stride + i * size if turned else i * a_stride + r * size)
                sums += _numbers_at(at, 1, kind) * _numbers_at(b + r * b_stride, columns, kind)

    def _turn(kind, source, source_stride, target, target_stride):
        for i in range(kind.ndim):
            for k in range(LANE_BYTES // kind.itemsize):
                number = _numbers_at(source + i * source_stride + k * kind.itemsize, 1, kind)
                _numbers_at(target + k * target_stride + i * kind.itemsize, 1, kind)[:] = number

    def _copy(kind, source, target):
        _numbers_at(target, kind.ndim, kind)[:] = _numbers_at(source, kind.ndim, kind)


# ---- 3. the product ----------------------------------------------------------------------------
#
# C (m, n) = A (m, k) B (k, n) is cut into blocks of C, and each block is one thread's business.
# For a block, k goes in steps of at most K_BLOCK, and B in panels as wide as a tile: K_BLOCK rows
# of a panel stay in the nearest cache while the tiles run down it. Mostly B is read in place. A
# panel is copied ("packed") where it has to be transposed, B'; where a whole register would run
# over B's edge, and zeros fill it up; and where its rows are a multiple of CROWDED bytes apart,
# because then they compete for the same few places of the cache. A is read in place, along its
# rows or (A') down its columns.
#
# Every number of C is one sum over k in order, whichever block, thread or tile it falls to:
# that is why the bits are always the same.

K_BLOCK = 400
K_BLOCK_TURNED = 170  # A' touches a cache line for each k, and B's panel wants its half too
BLOCK_ROWS = 128  # a block of C has at most so many rows
BLOCK_PANELS = 4  # and panels,
FEW_ROWS = 48  # and is not cut to fewer rows than this, or twice that where it packs B
CROWDED = 256  # bytes
SMALL_PRODUCT = 300_000  # multiply-adds that one thread does sooner than it tells another
PANEL = TILE_VECTORS * 16  # the widest panel, with AVX-512
SCRATCH = (K_BLOCK + 1 + BLOCK_PANELS * BLOCK_ROWS + 1) * PANEL  # a panel, a bias, the stage
SPARSE_ROWS, SPARSE_ROWS_TURNED = 4, 16  # rows of C in a chunk; 16 columns of A share cache lines
SPARSE_COLUMNS = 512
LISTED = 1024  # numbers of A looked through before those that are not 0 are used
ZEROS_SAMPLE, ZEROS_STRIDE = 256, 79
SUMS_CHUNK = 256  # columns
ROWS_CHUNK = 8192  # numbers of an elementwise chunk: a few microseconds' work
ADAM_CHUNK = 16384


@compiled
def _share(part, parts, whole):
    """Where the part begins and ends, when `whole` is cut as evenly as it can be."""
    size, larger = whole // parts, whole % parts  # the first `larger` parts have one more
    begin = part * size + min(part, larger)
    return begin, begin + size + (part < larger)


@compiled
def _copy_rows(source, source_stride, target, target_stride, rows, columns, kind):
    """Copies a block of numbers, by whole registers as far as they go."""
    whole = columns - columns % kind.ndim
    for i in range(rows):
        start, end = source + i * source_stride, target + i * target_stride
        for j in range(0, whole, kind.ndim):
            _copy(kind, start + j * kind.itemsize, end + j * kind.itemsize)
        if whole < columns:
            given, taken = _numbers_at(start, columns, kind), _numbers_at(end, columns, kind)
            for j in range(whole, columns):
                taken[j] = given[j]


@compiled
def _pack_panel(task, k0, depth, j0, columns, target, kind):
    """Copies B[k0 : k0 + depth, j0 : j0 + columns] (or that of B') into a contiguous panel."""
    size, lanes = kind.itemsize, kind.ndim
    width = TILE_VECTORS * lanes
    panel = _numbers_at(target, depth * width, kind)
    if columns < width:
        panel[:] = 0
    if not task.b_turned:
        source = task.b + k0 * task.b_stride + j0 * size
        _copy_rows(source, task.b_stride, target, width * size, depth, columns, kind)
        return
    source = task.b + j0 * task.b_stride + k0 * size
    step = LANE_BYTES // size
    whole_columns, whole_depth = columns - columns % lanes, depth - depth % step
    for j in range(0, whole_columns, lanes):
        for r in range(0, whole_depth, step):
            at = source + j * task.b_stride + r * size
            _turn(kind, at, task.b_stride, target + (r * width + j) * size, width * size)
    for j in range(columns):  # what is left over goes number by number
        numbers = _numbers_at(source + j * task.b_stride, depth, kind)
        for r in range(whole_depth if j < whole_columns else 0, depth):
            panel[r * width + j] = numbers[r]


@compiled
def _activate(numbers, activation):
    if activation == TANH:
        for j in range(len(numbers)):
            numbers[j] = _tanh(numbers[j])
    elif activation == RELU:
        zero = numbers.dtype.type(0)
        for j in range(len(numbers)):
            numbers[j] = zero if numbers[j] <= zero else numbers[j]  # so a NaN stays a NaN


@inlined
def _product_chunk(task, chunk, scratch, tile_rows, kind):
    """One block of C = f(A B + bias).

    A panel of C is staged in the scratch if the tile's whole registers would run over C's edge,
    or if there is an activation, which vectorizes best over contiguous numbers.
    """
    size, lanes, width = kind.itemsize, kind.ndim, TILE_VECTORS * kind.ndim
    row_bytes = width * size
    i0, i1 = _share(chunk // task.column_blocks, task.row_blocks, task.m)
    p0, p1 = _share(chunk % task.column_blocks, task.column_blocks, -(-task.n // width))
    rows = i1 - i0
    tiles = -(-rows // tile_rows)
    a_row, a_column = (size, task.a_stride) if task.a_turned else (task.a_stride, size)
    depths = -(-task.k // (K_BLOCK_TURNED if task.a_turned else K_BLOCK))
    depths = max(depths, 1)  # or k = 0 would leave C as it was

    packed = scratch + -scratch % 64  # a panel starts on a cache line
    bias = packed + K_BLOCK * row_bytes
    stage = bias + row_bytes
    for d in range(depths):
        k0, k1 = _share(d, depths, task.k)
        a = task.a + i0 * a_row + k0 * a_column
        for p in range(p0, p1):
            j = p * width
            columns = min(width, task.n - j)
            vectors = -(-columns // lanes)
            ragged = columns < vectors * lanes
            staged = ragged or task.activation != NO_ACTIVATION
            c = out = task.c + i0 * task.c_stride + j * size
            c_stride = row_bytes if staged else task.c_stride
            if staged:
                c = stage + (p - p0) * rows * row_bytes
            b, b_stride = task.b + k0 * task.b_stride + j * size, task.b_stride
            if task.b_turned or ragged or task.b_stride % CROWDED == 0:
                _pack_panel(task, k0, k1 - k0, j, columns, packed, kind)
                b, b_stride = packed, row_bytes
            first, first_stride = (c, c_stride) if d > 0 else (0, 0)
            if task.bias and d == 0:
                first = task.bias + j * size
                if ragged:
                    _copy_rows(first, 0, bias, 0, 1, columns, kind)
                    first = bias
            for t in range(tiles):
                r0, r1 = _share(t, tiles, rows)
                _tile(
                    kind, task.a_turned, a + r0 * a_row, task.a_stride, b, b_stride,
                    c + r0 * c_stride, c_stride, r1 - r0, vectors, k1 - k0,
                    first + r0 * first_stride, first_stride,
                )  # fmt: skip
            if staged and d == depths - 1:
                _activate(_numbers_at(c, rows * width, kind), task.activation)
                _copy_rows(c, row_bytes, out, task.c_stride, rows, columns, kind)


# Images of digits are mostly zeros, and 0 * w adds nothing, to the bit, unless w is infinite or
# NaN. So where the input of a layer is mostly zeros and the other factor finite, a row of C is the
# sum of only those rows of B that a nonzero of A picks: x W, and x' da, at a fifth of the work.


@compiled
def _is_mostly_zeros(a):
    """Judged by a sample spread over A, because nothing but the speed depends on it."""
    step = max(len(a) // ZEROS_SAMPLE, 1)
    zeros = samples = 0
    for start in range(0, len(a) - step + 1, step):
        # not always the first of the step: that could be the same column of A each time
        zeros += a[start + samples * ZEROS_STRIDE % step] == 0
        samples += 1
    return 3 * zeros > 2 * samples


@regrouping
def _all_finite(numbers):
    total = numbers.dtype.type(0)
    for j in range(len(numbers)):
        total += numbers[j] * numbers.dtype.type(0)  # NaN where the number is NaN or infinite
    return total == 0


@compiled
def _list_nonzeros(address, stride, n, where, found, kind):
    """Which of n numbers are not 0 (a NaN is not), and what they are; how many."""
    count = np.uint64(0)  # unsigned, or numba would look for negative indices at each store
    for k in range(n):
        number = _numbers_at(address + k * stride, 1, kind)[0]
        where[count], found[count] = k, number  # written over if it is 0: no branch to mispredict
        count += np.uint64(number != 0)
    return np.int64(count)


@compiled
def _add_four(c, x0, b0, x1, b1, x2, b2, x3, b3):
    """c += x0 b0 + ... + x3 b3, in this order: c is read and written once for four terms."""
    for j in range(len(c)):
        total = c[j] + x0 * b0[j]
        total = total + x1 * b1[j]
        total = total + x2 * b2[j]
        c[j] = total + x3 * b3[j]


@compiled
def _add_one(c, x, b):
    for j in range(len(c)):
        c[j] += x * b[j]


@compiled
def _sparse_chunk(task, chunk, kind):
    """Some rows of C = f(A B + bias), the zeros of A left out."""
    size = kind.itemsize
    i0, i1 = _share(chunk % task.row_blocks, task.row_blocks, task.m)
    j0, j1 = _share(chunk // task.row_blocks, task.column_blocks, task.n)
    n = j1 - j0
    a_row, a_column = (size, task.a_stride) if task.a_turned else (task.a_stride, size)
    where, x = np.empty(LISTED, np.int64), np.empty(LISTED, kind.dtype)
    for i in range(i0, i1):
        c = _numbers_at(task.c + i * task.c_stride + j0 * size, n, kind)
        c[:] = 0
        if task.bias:
            c[:] = _numbers_at(task.bias + j0 * size, n, kind)
        for k in range(0, task.k, LISTED):
            depth = min(LISTED, task.k - k)
            count = _list_nonzeros(
                task.a + i * a_row + k * a_column, a_column, depth, where, x, kind
            )
            b, stride = task.b + k * task.b_stride + j0 * size, task.b_stride
            fours = count - count % 4
            for e in range(0, fours, 4):
                _add_four(
                    c,
                    x[e], _numbers_at(b + where[e] * stride, n, kind),
                    x[e + 1], _numbers_at(b + where[e + 1] * stride, n, kind),
                    x[e + 2], _numbers_at(b + where[e + 2] * stride, n, kind),
                    x[e + 3], _numbers_at(b + where[e + 3] * stride, n, kind),
                )  # fmt: skip
            for e in range(fours, count):
                _add_one(c, x[e], _numbers_at(b + where[e] * stride, n, kind))
        _activate(c, task.activation)


@compiled
def _sums_chunk(task, chunk, kind):
    """Sums down some columns of a: c[j] = sum_i a[i, j]."""
    size = kind.itemsize
    j0, j1 = _share(chunk, task.chunks, task.n)
    sums = _numbers_at(task.c + j0 * size, j1 - j0, kind)
    sums[:] = 0
    for i in range(task.m):
        row = _numbers_at(task.a + i * task.a_stride + j0 * size, j1 - j0, kind)
        for j in range(len(sums)):
            sums[j] += row[j]


# ---- 4. the other loops ------------------------------------------------------------------------


@regrouping
def _sum(numbers):
    total = numbers.dtype.type(0)
    for j in range(len(numbers)):
        total += numbers[j]
    return total


@compiled
def _bernoulli_terms(logits, x, residual, nll):
    """log(1 + exp(l)) - x l, and sigmoid(l) - x, number by number, without overflow.

    An infinite logit costs nothing where it agrees with x, and infinity where it does not.

    With e = exp(-|l|):  log(1 + exp(l)) = max(l, 0) + log(1 + e),  sigmoid(|l|) = 1 / (1 + e).
    """
    one, zero = logits.dtype.type(1), logits.dtype.type(0)
    for j in range(len(logits)):
        l = logits[j]
        e = _exp(-abs(l))
        factor = (one if l > zero else zero) - x[j]
        nll[j] = (zero if factor == zero else l) * factor + _log1p_unit(e)
        residual[j] = (one if l > zero else e) / (one + e) - x[j]


@compiled
def _bernoulli_chunk(task, chunk, scratch, kind):
    """Some rows: as many at once as fit the scratch, where their terms wait to be summed."""
    size, n, room = kind.itemsize, task.n, SCRATCH
    i, last = _share(chunk, task.chunks, task.m)
    nll = _numbers_at(task.d, task.m, kind)
    while i < last:
        rows = min(last - i, max(room // n, 1), task.k - i % task.k)  # the B rows of x come round
        for r in range(rows):
            nll[i + r] = 0
        for j in range(0, rows * n, room):  # once, unless a single row is too long
            length = min(room, rows * n - j)
            terms = _numbers_at(scratch, length, kind)
            _bernoulli_terms(
                _numbers_at(task.a + (i * n + j) * size, length, kind),
                _numbers_at(task.b + (i % task.k * n + j) * size, length, kind),
                _numbers_at(task.c + (i * n + j) * size, length, kind),
                terms,
            )
            for r in range(rows):
                nll[i + r] += _sum(terms[r * n : (r + 1) * n])
        i += rows


@compiled
def _scale_chunk(task, chunk, kind):
    """Row i of c = a[i] * row i of b."""
    size = kind.itemsize
    first, last = _share(chunk, task.chunks, task.m)
    factors = _numbers_at(task.a, task.m, kind)
    for i in range(first, last):
        row = _numbers_at(task.b + i * task.n * size, task.n, kind)
        target = _numbers_at(task.c + i * task.n * size, task.n, kind)
        for j in range(len(row)):
            target[j] = factors[i] * row[j]


@compiled
def _adam_chunk(task, chunk, kind):
    """Adam on one stretch of the flat vector: each number is read and written once."""
    size = kind.itemsize
    first, last = _share(chunk, task.chunks, task.m)
    flat = _numbers_at(task.a + first * size, last - first, kind)
    grad = _numbers_at(task.b + first * size, last - first, kind)
    m = _numbers_at(task.c + first * size, last - first, kind)
    v = _numbers_at(task.d + first * size, last - first, kind)
    number = kind.dtype.type
    lr, v_scale, adam_eps = number(task.lr), number(task.v_scale), number(task.adam_eps)
    beta1, rest1 = number(task.beta1), number(1 - task.beta1)
    beta2, rest2 = number(task.beta2), number(1 - task.beta2)
    for i in range(len(flat)):
        g = grad[i]
        m[i] = beta1 * m[i] + rest1 * g
        v[i] = beta2 * v[i] + rest2 * g * g
        flat[i] -= lr * m[i] / (np.sqrt(v[i] * v_scale) + adam_eps)


@compiled
def _derivative(dy, y, activation, da):
    """da = dy f'(a), from y = f(a): tanh' = 1 - y^2, relu' = 1 where y > 0. Flat arrays."""
    one, zero = y.dtype.type(1), y.dtype.type(0)
    if activation == TANH:
        for j in range(len(y)):
            da[j] = dy[j] * (one - y[j] * y[j])
    else:
        for j in range(len(y)):
            da[j] = dy[j] * (one if y[j] > zero else y[j])  # y is 0 there, or NaN


@compiled
def _reparam(mu, logvar, eps, sigma, z):
    """z = mu + sigma eps: flat arrays; eps and z may hold K samples after one another."""
    half = mu.dtype.type(0.5)
    for j in range(len(mu)):
        sigma[j] = _exp(half * logvar[j])
    for k in range(0, len(eps), max(len(mu), 1)):
        eps_k, z_k = eps[k : k + len(mu)], z[k : k + len(mu)]
        for j in range(len(mu)):
            z_k[j] = mu[j] + sigma[j] * eps_k[j]


@compiled
def _reparam_gradient(dz, sigma, eps, dmu, dlogvar):
    half = sigma.dtype.type(0.5)
    dmu[:] = 0
    dlogvar[:] = 0
    for k in range(0, len(eps), max(len(sigma), 1)):
        dz_k, eps_k = dz[k : k + len(sigma)], eps[k : k + len(sigma)]
        for j in range(len(sigma)):
            dmu[j] += dz_k[j]
            dlogvar[j] += dz_k[j] * eps_k[j] * sigma[j] * half


@compiled
def _gaussian_kl(mu, logvar, kl):
    half = mu.dtype.type(0.5)
    for j in range(len(mu)):
        kl[j] = (mu[j] * mu[j] + _expm1(logvar[j]) - logvar[j]) * half


@compiled
def _gaussian_kl_gradient(dkl, mu, logvar, dmu, dlogvar):
    """dkl: (L,), shared by the rows, or (B, L); all flat."""
    half = mu.dtype.type(0.5)
    for j in range(len(logvar)):  # in one go: the rows may be too short for whole registers
        dlogvar[j] = _expm1(logvar[j]) * half
    for row in range(0, len(mu), max(len(dkl), 1)):
        for j in range(len(dkl)):
            dmu[row + j] = dkl[j] * mu[row + j]
            dlogvar[row + j] *= dkl[j]


@compiled
def _gaussian_residual(mean, x, residual, squares):
    """residual = mean - x and its sum of squares: mean, residual (N, D), x (B, D), N = K B."""
    n = mean.shape[1]
    for i in range(len(mean)):
        x_row, row = x[i % len(x)], residual[i]
        for j in range(n):
            row[j] = mean[i, j] - x_row[j]
        squares[i] = _sum_of_squares(row)


@regrouping
def _sum_of_squares(numbers):
    total = numbers.dtype.type(0)
    for j in range(len(numbers)):
        total += numbers[j] * numbers[j]
    return total


@compiled
def _row_squares(rows, squares):
    for i in range(len(rows)):
        squares[i] = _sum_of_squares(rows[i])


@compiled
def _sigmoid(logits, out):
    one, zero = logits.dtype.type(1), logits.dtype.type(0)
    for j in range(len(logits)):
        e = _exp(-abs(logits[j]))
        out[j] = (one if logits[j] > zero else e) / (one + e)


# ---- what to do, in a task's words -------------------------------------------------------------


@compiled
def _describe_product(task, threads, kind, a, a_turned, b, b_turned, c):
    """C = A B, with A' for A if a_turned and B' for B if b_turned, cut into blocks of C: as large
    as the caches allow, but enough of them for all threads."""
    m, n, k = c.shape[0], c.shape[1], a.shape[0] if a_turned else a.shape[1]
    task.operation, task.m, task.n, task.k = PRODUCT, m, n, k
    task.a, task.a_stride, task.a_turned = a.ctypes.data, a.strides[0], a_turned
    task.b, task.b_stride, task.b_turned = b.ctypes.data, b.strides[0], b_turned
    task.c, task.c_stride = c.ctypes.data, c.strides[0]
    task.bias, task.activation = 0, NO_ACTIVATION
    panels = -(-n // (TILE_VECTORS * kind.ndim))
    task.row_blocks = -(-m // BLOCK_ROWS)
    task.column_blocks = -(-panels // BLOCK_PANELS)
    if threads > 1 and m * n * k > SMALL_PRODUCT:
        wanted = 4 * threads
        few = 2 * FEW_ROWS if b_turned else FEW_ROWS
        task.row_blocks = max(task.row_blocks, min(-(-wanted // task.column_blocks), m // few))
        task.column_blocks = max(task.column_blocks, min(-(-wanted // task.row_blocks), panels))
    task.chunks = task.row_blocks * task.column_blocks
    return task.chunks


@compiled
def _skip_zeros(task, a, b):
    """Have a product leave out the zeros of A where that pays, and where it changes no number."""
    large = task.m * task.n * task.k > SMALL_PRODUCT
    if large and _is_mostly_zeros(a.ravel()) and _all_finite(b.ravel()):
        rows = SPARSE_ROWS_TURNED if task.a_turned else SPARSE_ROWS
        task.operation, task.row_blocks = SPARSE, -(-task.m // rows)
        task.column_blocks = -(-task.n // SPARSE_COLUMNS)
        task.chunks = task.row_blocks * task.column_blocks
    return task.chunks


@compiled
def _describe_matmul(tasks, threads, kind, a, a_turned, b, b_turned, c):
    return _describe_product(_task(tasks, 0), threads, kind, a, a_turned, b, b_turned, c)


@compiled
def _describe_forward(tasks, threads, kind, x, W, b, activation, y):
    task = _task(tasks, 0)
    _describe_product(task, threads, kind, x, PLAIN, W, PLAIN, y)
    task.bias, task.activation = b.ctypes.data, activation
    return _skip_zeros(task, x, W)


@compiled
def _describe_backward(tasks, threads, kind, dy, x, W, y, activation, da, dW, db, dx):
    """One job of three tasks: dW = x' da, db = column sums of da, dx = da W' (unless it is empty).

    da = dy f'(a) is small, and all three need it: it is done at once.
    """
    if activation != NO_ACTIVATION:
        _derivative(dy.ravel(), y.ravel(), activation, da.ravel())
    first, sums, last = _task(tasks, 0), _task(tasks, 1), _task(tasks, 2)
    _describe_product(first, threads, kind, x, TURNED, da, PLAIN, dW)
    _skip_zeros(first, x, da)
    sums.operation, sums.m, sums.n = COLUMN_SUMS, da.shape[0], da.shape[1]
    sums.a, sums.a_stride, sums.c = da.ctypes.data, da.strides[0], db.ctypes.data
    sums.chunks = -(-da.shape[1] // SUMS_CHUNK)
    last.chunks = 0
    if dx.size:
        _describe_product(last, threads, kind, da, PLAIN, W, TURNED, dx)
    return first.chunks + sums.chunks + last.chunks


@compiled
def _describe_rows(task, operation, m, n):
    task.operation, task.m, task.n = operation, m, n
    task.chunks = min(m, -(-m * n // ROWS_CHUNK))
    return task.chunks


@compiled
def _describe_bernoulli(tasks, threads, kind, logits, x, residual, nll):
    task = _task(tasks, 0)
    task.a, task.b, task.k = logits.ctypes.data, x.ctypes.data, len(x)
    task.c, task.d = residual.ctypes.data, nll.ctypes.data
    return _describe_rows(task, BERNOULLI, len(logits), logits.shape[1])


@compiled
def _describe_scale(tasks, threads, kind, factors, rows, out):
    task = _task(tasks, 0)
    task.a, task.b, task.c = factors.ctypes.data, rows.ctypes.data, out.ctypes.data
    return _describe_rows(task, SCALE_ROWS, len(rows), rows.shape[1])


@compiled
def _describe_adam(tasks, threads, kind, flat, grad, m, v, lr, beta1, beta2, v_scale, adam_eps):
    task = _task(tasks, 0)
    task.a, task.b = flat.ctypes.data, grad.ctypes.data
    task.c, task.d = m.ctypes.data, v.ctypes.data
    task.lr, task.beta1, task.beta2, task.v_scale = lr, beta1, beta2, v_scale
    task.adam_eps = adam_eps
    task.operation, task.m, task.chunks = ADAM, len(flat), -(-len(flat) // ADAM_CHUNK)
    return task.chunks


# ---- 5. the threads ----------------------------------------------------------------------------
#
# A job is cut into chunks, and every thread takes the next one until none is left. The `ticket`
# is one word: number of the job, how many chunks it has, and which is next; taking a chunk is a
# compare-and-swap on it, so that a thread that comes late to a job can take nothing of it. The
# thread that brought the job works too, and returns when all chunks are done. A helper that finds
# nothing to do waits a little with open eyes, because in training the next job comes within
# microseconds, and then goes to sleep on a lock.
#
# Numba's own `parallel=True` would do for the loops, but it has three ways of ending the process
# (a fork, a second Python thread, another OpenMP) and takes 2.5 s to compile each.

TICKET, DONE, STOP, ASLEEP = 0, 64, 128, 192  # byte offsets: each on its own cache line
LEAD, HELP, ALONE = range(3)
PATIENCE = 20_000  # looks at the ticket before sleeping: about half a millisecond
MOST_THREADS = 64
CHUNK_BITS = 22  # of the ticket's 64: next chunk, number of chunks, and the rest count the jobs
MOST_CHUNKS = 2**CHUNK_BITS - 1


@compiled
def _take_chunk(state, role):
    """The next chunk of the present job, or -1: the leader takes the first, helpers the last."""
    while True:
        ticket = _atomic_load(state + TICKET)
        begin, end = ticket & MOST_CHUNKS, (ticket >> CHUNK_BITS) & MOST_CHUNKS
        if begin >= end:
            return -1
        if role == LEAD:
            if _atomic_swap(state + TICKET, ticket, ticket + 1):
                return begin
        elif _atomic_swap(state + TICKET, ticket, ticket - (1 << CHUNK_BITS)):
            return end - 1


@compiled
def _work(role, me, tasks, chunks, state, scratch, tile_rows, kind):
    """What every thread runs: LEAD brings a job and sees it done; HELP takes part until it has
    waited long enough; ALONE does all of it, in order, without looking at the others."""
    if role == LEAD:
        _atomic_store(state + DONE, 0)
        job = (_atomic_load(state + TICKET) >> (2 * CHUNK_BITS)) + 1
        _atomic_store(state + TICKET, (job << (2 * CHUNK_BITS)) | (chunks << CHUNK_BITS))
    waited, done = 0, 0
    while waited < PATIENCE:
        if role == ALONE:
            chunk = done if done < chunks else -1
        else:
            chunk = _take_chunk(state, role)
        if chunk >= 0:
            which = 0
            while chunk >= _task(tasks, which).chunks:
                chunk -= _task(tasks, which).chunks
                which += 1
            task = _task(tasks, which)
            if task.operation == PRODUCT:
                _product_chunk(task, chunk, scratch, tile_rows, kind)
            elif task.operation == SPARSE:
                _sparse_chunk(task, chunk, kind)
            elif task.operation == COLUMN_SUMS:
                _sums_chunk(task, chunk, kind)
            elif task.operation == BERNOULLI:
                _bernoulli_chunk(task, chunk, scratch, kind)
            elif task.operation == SCALE_ROWS:
                _scale_chunk(task, chunk, kind)
            else:
                _adam_chunk(task, chunk, kind)
            waited = 0
            done += 1
            if role != ALONE:
                _atomic_add(state + DONE, 1)
        elif role == HELP and not _atomic_load(state + STOP):
            waited += 1
            _pause()
        else:
            break
    if role == HELP:
        _atomic_store(state + ASLEEP + 64 * me, 1)
    elif role == LEAD:
        while _atomic_load(state + DONE) < chunks:
            _pause()


class _Pool:
    """The threads for one dtype. `run` does a job on all of them, or alone if they are taken."""

    def __init__(self, dtype, threads, lanes=None):
        lanes = lanes or machine_lanes() * 4 // dtype.itemsize
        self.kind = np.empty((0,) * lanes, dtype)
        self.tile_rows = TILE_ROWS[lanes * dtype.itemsize * 8]
        self.threads = threads
        self.taken = threading.Lock()
        self.desk = self._new_desk()
        self.words = np.zeros((ASLEEP + 64 * MOST_THREADS) // 8 + 8, np.int64)
        self.words = self.words[-self.words.ctypes.data % 64 // 8 :]
        self.state = self.words.ctypes.data
        self.doorbells, self.helpers = [], []

    def _new_desk(self):
        """Room for a job and for work on it: the arrays, and their addresses."""
        tasks, scratch = np.zeros(3, TASK), np.empty(SCRATCH, self.kind.dtype)
        return tasks, scratch, tasks.ctypes.data, scratch.ctypes.data

    def run(self, describe, *args):
        """`describe` writes down the job, on the shared desk if it is free; then it is done."""
        shared = self.taken.acquire(blocking=False)
        desk = self.desk if shared else self._new_desk()
        tasks, scratch = desk[2:]
        try:
            chunks = describe(tasks, self.threads, self.kind, *args)
            role = ALONE
            if shared and chunks > 1 and self.threads > 1:
                role = LEAD
                self._wake_helpers()
            _work(role, 0, tasks, chunks, self.state, scratch, self.tile_rows, self.kind)
        finally:
            if shared:
                self.taken.release()

    def _wake_helpers(self):
        if not self.helpers:
            self._start()
        for me, doorbell in enumerate(self.doorbells):
            word = ASLEEP // 8 + 8 * me
            if self.words[word]:
                self.words[word] = 0
                doorbell.release()

    def _start(self):
        for me in range(self.threads - 1):
            doorbell = threading.Lock()
            doorbell.acquire()
            self.doorbells.append(doorbell)
            thread = threading.Thread(
                target=self._help, args=(me, doorbell), name=f"minivae-{me}", daemon=True
            )
            self.helpers.append(thread)
            thread.start()

    def _help(self, me, doorbell):
        own = self._new_desk()
        tasks, scratch = self.desk[2], own[3]
        while not self.words[STOP // 8]:
            _work(HELP, me, tasks, 0, self.state, scratch, self.tile_rows, self.kind)
            doorbell.acquire()

    def stop(self):
        """Ends the helpers: at exit, before the interpreter takes itself down around them."""
        self.words[STOP // 8] = 1
        for me, (helper, doorbell) in enumerate(zip(self.helpers, self.doorbells, strict=True)):
            while helper.is_alive():
                if self.words[ASLEEP // 8 + 8 * me]:
                    self.words[ASLEEP // 8 + 8 * me] = 0
                    doorbell.release()
                helper.join(timeout=0.001)


_pools = {}
_opening = threading.Lock()


def thread_count():
    """MINIVAE_NUM_THREADS, by default the cores that this process should use."""
    wanted = os.environ.get("MINIVAE_NUM_THREADS", "").strip()
    if not wanted:
        return min(core_count(), MOST_THREADS)
    if not wanted.isdecimal() or not 1 <= int(wanted) <= MOST_THREADS:
        raise MinivaeError(
            f"MINIVAE_NUM_THREADS is {wanted!r}; it must be a whole number from 1 to {MOST_THREADS}"
        )
    return int(wanted)


def _pool(dtype):
    pool = _pools.get(dtype)
    return pool if pool is not None else _open_pool(dtype)


def _open_pool(dtype):
    with _opening:
        if dtype not in _pools:
            _keep_freed_memory()
            if JIT:
                _remove_stale_code(Path(_work.stats.cache_path))
            pool = _Pool(dtype, thread_count() if JIT else 1)
            with event.install_listener("numba:compile", _Announcement()):
                _load_kernels(pool)
            _pools[dtype] = pool
        return _pools[dtype]


def _keep_freed_memory():
    """Ask glibc to keep up to 64 MB of freed memory instead of giving it back to the system.

    Its default hands back a step's arrays when the step ends, and the next step takes them again
    page by page: about a thousand page faults, which cost as much as a third of the products.
    """
    if sys.platform == "linux" and hasattr(ctypes.CDLL(None), "mallopt"):
        trim_threshold, mmap_threshold = -1, -3  # from malloc.h
        ctypes.CDLL(None).mallopt(trim_threshold, 64 << 20)
        ctypes.CDLL(None).mallopt(mmap_threshold, 32 << 20)


def _remove_stale_code(folder):
    """Delete the machine code in numba's cache that is older than this source.

    When the source has changed, numba uses the old files' names again, and lists a name as fresh
    before it has written the file: a process that starts in that moment would run the old code,
    on tasks and a scratch that may have another layout by now.
    """
    edited = os.stat(__file__).st_mtime
    for file in folder.glob(f"{Path(__file__).stem}.*.nbc"):
        with contextlib.suppress(OSError):  # another process deletes too
            if file.stat().st_mtime < edited <= time.time():
                file.unlink()


def _forget_threads():
    """In a forked child: threads do not survive a fork, so the child works alone from now on."""
    global _opening
    _opening = threading.Lock()
    for dtype in list(_pools):
        _pools[dtype] = _Pool(dtype, 1)


def _stop_threads():
    for pool in _pools.values():
        pool.stop()


atexit.register(_stop_threads)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_threads)


class _Announcement(event.Listener):
    """Says once that numba compiles: the first time on a machine takes a while."""

    said = False

    def on_start(self, event):
        if not _Announcement.said:
            _Announcement.said = True
            print(
                "minivae: compiling the numba kernels, once for this machine (under half a minute)",
                file=sys.stderr,
            )

    def on_end(self, event):
        pass


# ---- 6. the public names -----------------------------------------------------------------------


class DenseCache(NamedTuple):
    x: np.ndarray
    W: np.ndarray
    y: np.ndarray
    activation: str


class ReparamCache(NamedTuple):
    sigma: np.ndarray
    eps: np.ndarray


class GaussianKLCache(NamedTuple):
    mu: np.ndarray
    logvar: np.ndarray


class BernoulliCache(NamedTuple):
    residual: np.ndarray  # sigmoid(logits) - x: all that the backward needs


class GaussianCache(NamedTuple):
    residual: np.ndarray  # mean - x
    precision: np.ndarray  # 1 / sigma^2, shape (1,)


FLOAT32, FLOAT64 = np.dtype(np.float32), np.dtype(np.float64)
_CODES = {"none": NO_ACTIVATION, "tanh": TANH, "relu": RELU}


def _ready(*arrays):
    """The arrays as the kernels take them: of one float dtype, contiguous, aligned, writeable."""
    dtype = getattr(arrays[0], "dtype", None)
    if dtype is not FLOAT32 and dtype is not FLOAT64:
        return _converted(arrays)
    for a in arrays:
        if not _is_ready(a, dtype):
            return _converted(arrays)
    return arrays


def _is_ready(a, dtype):
    return type(a) is np.ndarray and a.dtype is dtype and a.flags.carray


def _converted(arrays):
    arrays = [np.asarray(a) for a in arrays]
    dtype = np.result_type(*arrays)
    if dtype not in (FLOAT32, FLOAT64):
        raise MinivaeError(
            f"the numba backend computes in float32 or float64, not {dtype}; use the numpy backend"
        )
    return [np.require(a, dtype.type, "CAW") for a in arrays]


def _misfit(name, wanted, *arrays):
    """What the guard in front of the kernels raises: they do not look at shapes again."""
    shapes = ", ".join(str(np.shape(a)) for a in arrays)
    return MinivaeError(f"{name} takes {wanted}; the shapes are {shapes}")


def dense_forward(x, W, b, activation):
    """y = f(x W + b),  f = tanh, relu or nothing               [notebook 05, eq. 1]

    x: (N, I), W: (I, O), b: (O,) -> y: (N, O), cache.
    """
    if activation not in _CODES:
        raise MinivaeError(f"activation is {activation!r}; it must be one of {ACTIVATIONS}")
    x, W, b = _ready(x, W, b)
    if not (x.ndim == W.ndim == 2 and x.shape[1] == W.shape[0] and b.shape == W.shape[1:]):
        raise _misfit("dense_forward", "x (N, I), W (I, O) and b (O,)", x, W, b)
    y = np.empty((x.shape[0], W.shape[1]), W.dtype)
    _pool(W.dtype).run(_describe_forward, x, W, b, _CODES[activation], y)
    return y, DenseCache(x, W, y, activation)


def dense_backward(dy, cache, *, out=None, need_dx=True):
    """da = dy f'(a),  dW = x' da,  db = sum_n da,  dx = da W'   [notebook 05, eqs. 2 to 5]

    dy: (N, O) -> dx: (N, I) (None unless need_dx), dW: (I, O), db: (O,).
    `out`: a pair (dW, db) of arrays to write into, such as views of one flat gradient; they must
    not overlap dy or what the cache holds.
    """
    dy, x, W, y = _ready(dy, cache.x, cache.W, cache.y)
    if not (dy.shape == y.shape == (len(x), W.shape[-1]) and x.shape[1:] == W.shape[:-1]):
        wanted = "dy and y (N, O), x (N, I) and W (I, O)"
        raise _misfit("dense_backward", wanted, dy, y, x, W)
    if out is not None and (out[0].shape != W.shape or out[1].shape != W.shape[1:]):
        raise _misfit("dense_backward", "out = dW (I, O), db (O,)", *out)
    if out is not None and _is_ready(out[0], W.dtype) and _is_ready(out[1], W.dtype):
        dW, db = out
    else:
        dW, db = np.empty_like(W), np.empty(W.shape[1], W.dtype)
    da = dy if cache.activation == "none" else np.empty_like(dy)
    dx = np.empty_like(x) if need_dx else np.empty((0, 0), x.dtype)
    activation = _CODES[cache.activation]
    _pool(W.dtype).run(_describe_backward, dy, x, W, y, activation, da, dW, db, dx)
    if out is not None and dW is not out[0]:  # strided views, say, of which the kernel fills copies
        np.copyto(out[0], dW, casting="same_kind")  # never into integers
        np.copyto(out[1], db, casting="same_kind")
        dW, db = out
    return (dx if need_dx else None), dW, db


def reparam_forward(mu, logvar, eps):
    """z = mu + sigma * eps,  sigma = exp(logvar / 2)            [notebook 04, eq. 3]

    mu, logvar: (B, L); eps: (B, L) or (K, B, L) -> z: like eps, cache.
    """
    mu, logvar, eps = _ready(mu, logvar, eps)
    if not (mu.ndim == 2 and mu.shape == logvar.shape == eps.shape[-2:] and eps.ndim in (2, 3)):
        wanted = "mu, logvar (B, L) and eps (B, L) or (K, B, L)"
        raise _misfit("reparam_forward", wanted, mu, logvar, eps)
    sigma, z = np.empty_like(mu), np.empty_like(eps)
    _pool(mu.dtype)
    _reparam(mu.ravel(), logvar.ravel(), eps.ravel(), sigma.ravel(), z.ravel())
    return z, ReparamCache(sigma, eps)


def reparam_backward(dz, cache):
    """dmu = dz,  dlogvar = dz * eps * sigma / 2                 [notebook 04, eqs. 4 and 5]

    dz: (B, L) or (K, B, L) -> dmu, dlogvar: (B, L), summed over the K samples that share them.
    """
    dz, sigma, eps = _ready(dz, cache.sigma, cache.eps)
    if not (dz.shape == eps.shape and sigma.ndim == 2 and sigma.shape == eps.shape[-2:]):
        wanted = "dz and eps (B, L) or (K, B, L), sigma (B, L)"
        raise _misfit("reparam_backward", wanted, dz, eps, sigma)
    dmu, dlogvar = np.empty_like(sigma), np.empty_like(sigma)
    _pool(sigma.dtype)
    _reparam_gradient(dz.ravel(), sigma.ravel(), eps.ravel(), dmu.ravel(), dlogvar.ravel())
    return dmu, dlogvar


def gaussian_kl_forward(mu, logvar):
    """KL(N(mu, sigma^2) || N(0, 1)) = (mu^2 + sigma^2 - 1 - log sigma^2) / 2   [notebook 03, eq. 2]

    mu, logvar: (B, L) -> kl: (B, L), nats for each example and latent, cache.
    """
    mu, logvar = _ready(mu, logvar)
    if mu.shape != logvar.shape:
        raise _misfit("gaussian_kl_forward", "mu and logvar (B, L)", mu, logvar)
    kl = np.empty_like(mu)
    _pool(mu.dtype)
    _gaussian_kl(mu.ravel(), logvar.ravel(), kl.ravel())
    return kl, GaussianKLCache(mu, logvar)


def gaussian_kl_backward(dkl, cache):
    """dmu = dkl * mu,  dlogvar = dkl * (sigma^2 - 1) / 2        [notebook 03, eqs. 3 and 4]

    dkl: (L,) or (B, L) -> dmu, dlogvar: (B, L).
    """
    dkl, mu, logvar = _ready(dkl, cache.mu, cache.logvar)
    if mu.shape != logvar.shape:
        raise _misfit("gaussian_kl_backward", "mu and logvar (B, L)", mu, logvar)
    if dkl.shape not in (mu.shape, mu.shape[1:]):
        dkl = np.ascontiguousarray(np.broadcast_to(dkl, mu.shape))
    dmu, dlogvar = np.empty_like(mu), np.empty_like(mu)
    _pool(mu.dtype)
    _gaussian_kl_gradient(dkl.ravel(), mu.ravel(), logvar.ravel(), dmu.ravel(), dlogvar.ravel())
    return dmu, dlogvar


def sigmoid(logits):
    """1 / (1 + exp(-logits)), any shape, without overflow       [notebook 05, eq. 6]"""
    (logits,) = _ready(logits)
    out = np.empty_like(logits)
    _pool(logits.dtype)
    _sigmoid(logits.ravel(), out.ravel())
    return out


def bernoulli_nll_forward(logits, x):
    """-log p(x|z) = sum_d log(1 + exp(l_d)) - x_d l_d           [notebook 05, eq. 7]

    logits: (B, D) or (K, B, D), x: (B, D) in [0, 1] -> nll: (B,) or (K, B), nats, cache.
    """
    logits, x = _ready(logits, x)
    if not (x.ndim == 2 and logits.ndim in (2, 3) and logits.shape[-2:] == x.shape):
        wanted = "logits (B, D) or (K, B, D) and x (B, D)"
        raise _misfit("bernoulli_nll_forward", wanted, logits, x)
    residual, nll = np.empty_like(logits), np.zeros(logits.shape[:-1], x.dtype)
    pool = _pool(x.dtype)
    pool.run(_describe_bernoulli, _rows(logits), x, _rows(residual), nll.ravel())
    return nll, BernoulliCache(residual)


def bernoulli_nll_backward(dnll, cache):
    """dlogits = dnll * (sigmoid(logits) - x)                    [notebook 05, eq. 8]

    dnll: (B,) or (K, B) -> dlogits: (B, D) or (K, B, D).
    """
    dnll, residual = _ready(dnll, cache.residual)
    return _scale_rows("bernoulli_nll_backward", dnll, residual)


def gaussian_nll_forward(mean, logvar, x):
    """-log p(x|z) = sum_d ((x_d - mean_d)^2 / sigma^2 + logvar + log 2 pi) / 2

    mean: (B, D) or (K, B, D), x: (B, D), logvar: (1,), shared by all pixels
    -> nll: (B,) or (K, B), nats, cache.                        [notebook 05, eq. 9]
    """
    mean, logvar, x = _ready(mean, logvar, x)
    right = x.ndim == 2 and mean.ndim in (2, 3) and mean.shape[-2:] == x.shape
    if not (right and logvar.shape == (1,)):
        wanted = "mean (B, D) or (K, B, D), logvar (1,) and x (B, D)"
        raise _misfit("gaussian_nll_forward", wanted, mean, logvar, x)
    residual, squares = np.empty_like(mean), np.empty(mean.shape[:-1], x.dtype)
    _pool(x.dtype)
    _gaussian_residual(_rows(mean), x, _rows(residual), squares.ravel())
    precision = np.exp(-logvar)
    nll = (squares * precision + x.shape[1] * (logvar + math.log(2 * math.pi))) / 2
    return nll, GaussianCache(residual, precision)


def gaussian_nll_backward(dnll, cache):
    """dmean = dnll (mean - x) / sigma^2,  dlogvar = sum dnll (D - |mean - x|^2 / sigma^2) / 2

    dnll: (B,) or (K, B) -> dmean: (B, D) or (K, B, D), dlogvar: (1,).   [notebook 05, eqs. 10, 11]
    """
    dnll, residual, precision = _ready(dnll, cache.residual, cache.precision)
    dmean = _scale_rows("gaussian_nll_backward", dnll * precision, residual)
    squares = np.empty(dnll.shape, dnll.dtype)
    _row_squares(_rows(residual), squares.ravel())
    dlogvar = (dnll * (residual.shape[-1] - squares * precision) / 2).sum()
    return dmean, np.atleast_1d(dlogvar)


def adam_step(flat, grad, m, v, step, lr, beta1=0.9, beta2=0.999, adam_eps=1e-8):
    """One step of Adam, in place: flat -= lr * m_hat / (sqrt(v_hat) + adam_eps)

    flat, grad, m, v: (P,); m and v start at 0, `step` at 1.   [notebook 07, eqs. 2 to 4]
    Source: Kingma and Ba 2015, algorithm 1.
    """
    if not (flat.ndim == 1 and flat.shape == grad.shape == m.shape == v.shape):
        raise _misfit("adam_step", "flat, grad, m and v (P,)", flat, grad, m, v)
    given = flat, m, v
    flat, grad, m, v = _ready(flat, grad, m, v)
    lr = lr / (1 - beta1**step)  # undoes the pull towards the zeros of the start
    v_scale = 1 / (1 - beta2**step)
    _pool(flat.dtype).run(_describe_adam, flat, grad, m, v, lr, beta1, beta2, v_scale, adam_eps)
    for theirs, updated in zip(given, (flat, m, v), strict=True):
        if theirs is not updated:  # a strided view, say, of which the kernel had a copy
            np.copyto(theirs, updated, casting="same_kind")


def matmul(a, b, *, turn_a=False, turn_b=False):
    """A B, or with A' for A if turn_a and B' for B if turn_b: the products of a dense layer.

    a: (m, k), or (k, m) turned; b: (k, n), or (n, k) turned -> (m, n). Rows may be strided.
    """
    a, b = np.asarray(a), np.asarray(b)
    if not (_is_row_strided(a) and _is_row_strided(b) and a.dtype == b.dtype):
        a, b = _ready(a, b)
    if not (a.ndim == b.ndim == 2 and a.shape[not turn_a] == b.shape[turn_b]):
        raise _misfit("matmul", "(m, k) times (k, n), as turned", a, b)
    c = np.empty((a.shape[turn_a], b.shape[not turn_b]), a.dtype)
    _pool(a.dtype).run(_describe_matmul, a, int(turn_a), b, int(turn_b), c)
    return c


def _is_row_strided(a):
    """Each row contiguous, the rows anywhere: the kernels take such an array as it is."""
    right = a.ndim == 2 and a.dtype in (FLOAT32, FLOAT64) and a.flags.aligned
    return right and a.strides[1] == a.itemsize


def _rows(a):
    if a.ndim == 2:
        return a
    return a.reshape(math.prod(a.shape[:-1]), a.shape[-1])  # -1 could not be told if D = 0


def _scale_rows(name, factors, rows):
    if factors.shape != rows.shape[:-1]:
        raise _misfit(name, "dnll (B,) or (K, B)", factors, rows)
    out = np.empty_like(rows)
    _pool(rows.dtype).run(_describe_scale, factors.ravel(), _rows(rows), _rows(out))
    return out


def _load_kernels(pool):
    """Compiles what training needs, or loads it from numba's cache on disk."""
    a, b = np.zeros((2, 2), pool.kind.dtype), np.zeros(2, pool.kind.dtype)
    pool.run(_describe_forward, a, a, b, TANH, a.copy())
    pool.run(_describe_backward, a, a, a, a, TANH, a.copy(), a.copy(), b.copy(), a.copy())
    pool.run(_describe_bernoulli, a, a, a.copy(), b.copy())
    pool.run(_describe_scale, b, a, a.copy())
    pool.run(_describe_adam, b.copy(), b, b.copy(), b.copy(), 0.0, 0.0, 0.0, 1.0, 1.0)
    _reparam(b, b, b, b.copy(), b.copy())
    _reparam_gradient(b, b, b, b.copy(), b.copy())
    _gaussian_kl(b, b, b.copy())
    _gaussian_kl_gradient(b, b, b, b.copy(), b.copy())

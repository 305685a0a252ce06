"""The fast backend: the names of `ops.py`, compiled by numba, on all cores. Every line is here.

From the ground up:
  1. vectorizable exp, expm1, log1p and tanh: no calls into libm, so LLVM can use whole registers;
  2. a register tile: the inner loop of every matrix product, written as LLVM instructions;
  3. the product around it: panels packed for the tile, blocks that fit the caches;
  4. the other loops of a training step, each reading its data once;
  5. a pool of threads that share out blocks of results: never a sum, so the bits do not depend
     on how many threads there are;
  6. the public names, the same as in `ops.py`, and the one guard in front of the kernels.

float32 trains and is fast; float64 verifies, with libm's functions. Anything else is refused.
Threads: `MINIVAE_NUM_THREADS`, by default the cores available. All numba code that calls each
other is in this one file, because numba's on-disk cache does not see edits in another.
"""

import atexit
import ctypes
import math
import os
import platform
import sys
import threading
from itertools import product
from typing import NamedTuple

import numpy as np
from llvmlite import binding as llvm
from llvmlite import ir
from numba import carray, config, njit, types
from numba.core import cgutils, event
from numba.extending import intrinsic, overload

from minivae.errors import MinivaeError

ACTIVATIONS = ("tanh", "relu", "none")
JIT = not config.DISABLE_JIT  # without it, plain Python stands in for the LLVM instructions

# numpy's rules for x / 0, or LLVM could not vectorize a loop that divides; and "contract" alone
# of the fast-math flags: a * b + c may be one instruction, while NaN and infinity keep their rules
compiled = njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
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
SQRT_HALF_BITS = i32(0x3F3504F3)
ONE_BITS = i32(0x3F800000)
ZERO, HALF, ONE, TWO = f32(0), f32(0.5), f32(1), f32(2)


@compiled
def _bits(x):
    return f32(x).view(i32)


@compiled
def _from_bits(n):
    return i32(n).view(f32)


@compiled
def _reduce(x):
    """x = n ln 2 + r, |r| <= ln(2) / 2  ->  expm1(r), and 2^n as two factors (n may be -150)."""
    t = x * LOG2_E + ROUND
    n = _bits(t) - ROUND_BITS
    whole = t - ROUND
    r = (x - whole * LN2_HIGH) - whole * LN2_LOW
    p = f32(0.0013946669641882181)
    p = p * r + f32(0.008366710506379604)
    p = p * r + f32(0.04166628047823906)
    p = p * r + f32(0.16666541993618011)
    p = p * r + f32(0.5)
    half = n >> i32(1)
    low = _from_bits((half + i32(127)) << i32(23))
    high = _from_bits((n - half + i32(127)) << i32(23))
    return p * (r * r) + r, low, high


@compiled
def _exp32(x):
    """exp(x) to 2 units in the last place; 0 below -104, infinity above 88.8, NaN for NaN."""
    x = f32(-105) if x < f32(-105) else x  # a NaN fails every comparison and so passes through
    x = f32(90) if x > f32(90) else x
    p, low, high = _reduce(x)
    return (p + ONE) * low * high


@compiled
def _expm1_32(x):
    """exp(x) - 1 without cancellation near 0: 2^n expm1(r) + (2^n - 1)."""
    x = f32(-20) if x < f32(-20) else x  # exp(-20) is lost beside 1
    x = f32(90) if x > f32(90) else x
    p, low, high = _reduce(x)
    # Scaled down by `high` until the end, or 2^128 would overflow before exp(x) does.
    return (p * low + (low - _from_bits(_reciprocal_bits(high)))) * high


@compiled
def _reciprocal_bits(power):
    """The bits of 1 / 2^n from those of 2^n."""
    return i32(0x7F000000) - _bits(power)


@compiled
def _log32_near(u):
    """log(u) for a positive normal u: u = 2^e m, sqrt(1/2) <= m < sqrt(2), a polynomial in m - 1."""
    e = (_bits(u) - SQRT_HALF_BITS) >> i32(23)
    f = _from_bits(_bits(u) - (e << i32(23))) - ONE
    p = f32(-0.07859624922275543)
    p = p * f + f32(0.1288166642189026)
    p = p * f + f32(-0.1312875896692276)
    p = p * f + f32(0.14181189239025116)
    p = p * f + f32(-0.16624553501605988)
    p = p * f + f32(0.2000228613615036)
    p = p * f + f32(-0.25000810623168945)
    p = p * f + f32(0.33333316445350647)
    f2 = f * f
    n = f32(e)
    return n * LN2_HIGH + (f + (n * LN2_LOW + f2 * (f * p - HALF)))


@compiled
def _log1p32(x):
    """log(1 + x) to 3 units in the last place; what 1 + x rounds away is added back."""
    u = ONE + x
    lost = x - (u - ONE)
    y = _log32_near(u) + lost * (ONE / u)  # a caller that needs 1 / (1 + x) shares the division
    y = x if u == f32(np.inf) else y
    y = f32(-np.inf) if u == ZERO else y
    return y if u >= ZERO else f32(np.nan)


@compiled
def _tanh32(x):
    """tanh(x) = e / (e + 2), e = exp(2x) - 1, to 3 units in the last place; NaN for NaN."""
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
_log1p = _either(_log1p32, math.log1p)
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
# instructions are put together by hand. The widths are compile-time numbers and come from the
# *type* of an argument: `lanes` is a tuple with one entry per lane. A global would not do: numba's
# on-disk cache does not look at globals.

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

    def __init__(self, builder, scalar, lanes):
        self.builder = builder
        self.word = ir.IntType(64)
        self.scalar = ir.FloatType() if scalar == types.float32 else ir.DoubleType()
        self.bytes = scalar.bitwidth // 8
        self.lanes = lanes
        self.vector = ir.VectorType(self.scalar, lanes)

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

    def tile(self, rows, vectors, turned, a, a_stride, b, b_stride, c, c_stride, k, add):
        """The loop over k of one tile, then its stores. Leaves the builder at the end."""
        builder, int_ = self.builder, self.int
        grid = [(i, j) for i in range(rows) for j in range(vectors)]
        step = self.lanes * self.bytes  # from one register's numbers to the next one's
        c_rows = [builder.add(c, builder.mul(c_stride, int_(i))) for i in range(rows)]
        a_rows = [builder.add(a, builder.mul(a_stride, int_(i))) for i in range(rows)]
        start = builder.block
        resume, head, body, end = (
            builder.append_basic_block(f"tile.{name}") for name in ("resume", "head", "body", "end")
        )
        builder.cbranch(add, resume, head)

        builder.position_at_end(resume)  # a later block of k goes on from the C of the earlier ones
        so_far = {(i, j): self.load(c_rows[i], int_(j * step), self.vector) for i, j in grid}
        builder.branch(head)

        builder.position_at_end(head)  # LLVM wants all phi nodes at the top of a block
        count, a_at, b_at = (builder.phi(self.word) for _ in range(3))
        sums = {place: builder.phi(self.vector) for place in grid}
        for phi, first in ((count, int_(0)), (a_at, int_(0) if not turned else a), (b_at, b)):
            phi.add_incoming(first, start)
            phi.add_incoming(first, resume)
        for place in grid:
            sums[place].add_incoming(ir.Constant(self.vector, [0.0] * self.lanes), start)
            sums[place].add_incoming(so_far[place], resume)
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
            return self.shuffle(
                a, b, [p + lane + (beyond if p >= per_lane else 0) for lane in all_lanes for p in picks]
            )

        if per_lane == 2:
            return [mix(v[0], v[1], (0, 2)), mix(v[0], v[1], (1, 3))]
        low = mix(v[0], v[1], (0, 4, 1, 5)), mix(v[2], v[3], (0, 4, 1, 5))
        high = mix(v[0], v[1], (2, 6, 3, 7)), mix(v[2], v[3], (2, 6, 3, 7))
        return [mix(*pair, picks) for pair in (low, high) for picks in ((0, 1, 4, 5), (2, 3, 6, 7))]


def _tile_rows(scalar_bits, lanes):
    return TILE_ROWS[scalar_bits * lanes]


def _tile_instructions(
    context, like, lanes, turned, a, a_stride, b, b_stride, c, c_stride, rows, vectors, k, add
):
    """C[:rows, :vectors * lanes] (+)= A B, or A' B if `turned`, the sums kept in registers.

    turned, add are 0 or 1; a, b, c are addresses and the strides are in bytes.
    """
    most_rows = _tile_rows(like.dtype.bitwidth, lanes.count)

    def codegen(context, builder, signature, args):
        emit = _Emitter(builder, like.dtype, lanes.count)
        turned, a, a_stride, b, b_stride, c, c_stride, rows, vectors, k, add = args[2:]
        adds = builder.icmp_signed("!=", add, emit.int(0))

        def case(rows, vectors, turned):
            return (rows * TILE_VECTORS + vectors - 1) * 2 + turned

        which = builder.add(builder.mul(rows, emit.int(TILE_VECTORS)), vectors)
        which = builder.sub(which, emit.int(1))
        which = builder.add(builder.mul(which, emit.int(2)), turned)
        done = builder.append_basic_block("tile.done")
        switch = builder.switch(which, done)
        for size in product(range(1, most_rows + 1), range(1, TILE_VECTORS + 1), (0, 1)):
            block = builder.append_basic_block("tile.size")
            switch.add_case(emit.int(case(*size)), block)
            builder.position_at_end(block)
            emit.tile(*size, a, a_stride, b, b_stride, c, c_stride, k, adds)
            builder.branch(done)
        builder.position_at_end(done)
        return context.get_dummy_value()

    return types.void(like, lanes, *[types.intp] * 11), codegen


def _turn_instructions(context, like, lanes, source, source_stride, target, target_stride):
    """Transposes `lanes` rows of 16 bytes each: target[k, row] = source[row, k]."""

    def codegen(context, builder, signature, args):
        _Emitter(builder, like.dtype, lanes.count).turn(*args[2:])
        return context.get_dummy_value()

    return types.void(like, lanes, *[types.intp] * 4), codegen


def _copy_instructions(context, like, lanes, source, target):
    """Copies one row of a panel, TILE_VECTORS registers wide."""

    def codegen(context, builder, signature, args):
        emit = _Emitter(builder, like.dtype, lanes.count)
        for j in range(TILE_VECTORS):
            offset = emit.int(j * emit.lanes * emit.bytes)
            emit.store(emit.load(args[2], offset, emit.vector), args[3], offset)
        return context.get_dummy_value()

    return types.void(like, lanes, *[types.intp] * 2), codegen


def _pointer_instructions(context, like, address):
    """The address as a pointer to numbers of `like`'s kind."""

    def codegen(context, builder, signature, args):
        return builder.inttoptr(args[1], context.get_value_type(signature.return_type))

    return types.CPointer(like.dtype)(like, types.intp), codegen


def _atomic_load_instructions(context, address):
    def codegen(context, builder, signature, args):
        where = builder.inttoptr(args[0], ir.IntType(64).as_pointer())
        return builder.load_atomic(where, "seq_cst", 8)

    return types.intp(types.intp), codegen


def _atomic_store_instructions(context, address, value):
    def codegen(context, builder, signature, args):
        where = builder.inttoptr(args[0], ir.IntType(64).as_pointer())
        builder.store_atomic(args[1], where, "seq_cst", 8)
        return context.get_dummy_value()

    return types.void(types.intp, types.intp), codegen


def _atomic_add_instructions(context, address, value):
    def codegen(context, builder, signature, args):
        where = builder.inttoptr(args[0], ir.IntType(64).as_pointer())
        return builder.atomic_rmw("add", where, args[1], "seq_cst")

    return types.intp(types.intp, types.intp), codegen


def _atomic_swap_instructions(context, address, expected, value):
    """Writes `value` if `expected` is there, and says whether it was."""

    def codegen(context, builder, signature, args):
        where = builder.inttoptr(args[0], ir.IntType(64).as_pointer())
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
        kind = ir.FunctionType(ir.VoidType(), [i.type for i in inputs])
        builder.call(cgutils.get_or_insert_function(builder.module, kind, hint), inputs)
        return context.get_dummy_value()

    return types.void(), codegen


def _numbers_at(address, n, like):
    return carray(_pointer(like, address), (n,))


if JIT:
    _tile = intrinsic(_tile_instructions)
    _turn = intrinsic(_turn_instructions)
    _copy = intrinsic(_copy_instructions)
    _pointer = intrinsic(_pointer_instructions)
    _atomic_load = intrinsic(_atomic_load_instructions)
    _atomic_store = intrinsic(_atomic_store_instructions)
    _atomic_add = intrinsic(_atomic_add_instructions)
    _atomic_swap = intrinsic(_atomic_swap_instructions)
    _pause = intrinsic(_pause_instructions)
    _numbers_at = compiled(_numbers_at)
else:  # NUMBA_DISABLE_JIT=1: plain Python for the same, so that one can step through all the rest

    def _numbers_at(address, n, like):
        if n == 0:
            return np.empty(0, like.dtype)
        raw = (ctypes.c_byte * (n * like.itemsize)).from_address(address)
        return np.frombuffer(raw, like.dtype)

    def _tile(like, lanes, turned, a, a_stride, b, b_stride, c, c_stride, rows, vectors, k, add):
        size, columns = like.itemsize, vectors * len(lanes)
        for i in range(rows):
            sums = _numbers_at(c + i * c_stride, columns, like)
            if not add:
                sums[:] = 0
            for r in range(k):
                at = a + (r * a_stride + i * size if turned else i * a_stride + r * size)
                sums += _numbers_at(at, 1, like)[0] * _numbers_at(b + r * b_stride, columns, like)

    def _turn(like, lanes, source, source_stride, target, target_stride):
        for i in range(len(lanes)):
            for k in range(LANE_BYTES // like.itemsize):
                number = _numbers_at(source + i * source_stride + k * like.itemsize, 1, like)
                _numbers_at(target + k * target_stride + i * like.itemsize, 1, like)[:] = number

    def _copy(like, lanes, source, target):
        columns = TILE_VECTORS * len(lanes)
        _numbers_at(target, columns, like)[:] = _numbers_at(source, columns, like)


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
BLOCK_ROWS = 128  # a block of C has at most so many rows,
BLOCK_PANELS = 4  # and so many panels
FEW_ROWS = 48  # a block has at least so many, twice that where it has to pack B for itself
CROWDED = 256  # bytes
SMALL_PRODUCT = 300_000  # multiply-adds that one thread does sooner than it tells another
PANEL = TILE_VECTORS * 16  # the widest panel, with AVX-512
SCRATCH = (K_BLOCK + 1 + BLOCK_PANELS * BLOCK_ROWS) * PANEL + 16

ROWS_CHUNK = 8192  # numbers of an elementwise chunk: a few microseconds' work
ADAM_CHUNK = 16384

# What the threads work on: one or two tasks, each cut into `chunks`. Addresses, strides in bytes.
TASK = np.dtype(
    [
        (name, np.int64)
        for name in (
            "kind chunks block_rows row_blocks column_blocks m n k "
            "a a_stride a_turned b b_stride b_turned c c_stride d bias activation sums"
        ).split()
    ]
    + [(name, np.float64) for name in "lr beta1 beta2 v_scale adam_eps".split()]
)
PRODUCT, BERNOULLI, SCALE_ROWS, ADAM = range(4)
NO_ACTIVATION, TANH, RELU = range(3)


@compiled
def _plan_product(task, m, n, k, threads, lanes):
    """Cuts C into blocks: as large as the caches allow, but enough of them for all threads."""
    panels = -(-n // (TILE_VECTORS * len(lanes)))
    row_blocks = -(-m // BLOCK_ROWS)
    column_blocks = -(-panels // BLOCK_PANELS)
    wanted = 4 * threads if threads > 1 and m * n * k > SMALL_PRODUCT else 1
    few = 2 * FEW_ROWS if task.b_turned else FEW_ROWS
    if m and n:
        row_blocks = max(row_blocks, min(-(-wanted // column_blocks), m // few))
        column_blocks = max(column_blocks, min(-(-wanted // row_blocks), panels))
    task.kind, task.m, task.n, task.k = PRODUCT, m, n, k
    task.row_blocks, task.column_blocks = row_blocks, column_blocks
    task.chunks = row_blocks * column_blocks
    task.bias = task.sums = task.activation = 0


@compiled
def _share(part, parts, whole):
    """Where the part begins and ends, when `whole` is cut as evenly as it can be."""
    size, larger = whole // parts, whole % parts  # the first `larger` parts have one more
    begin = part * size + min(part, larger)
    return begin, begin + size + (part < larger)


@compiled
def _fill(target, value):
    for j in range(len(target)):
        target[j] = value


@compiled
def _assign(target, source):
    for j in range(len(target)):
        target[j] = source[j]


@compiled
def _pack_panel(task, k0, depth, j0, columns, target, like, lanes):
    """Copies B[k0 : k0 + depth, j0 : j0 + columns] (or that of B') into a contiguous panel."""
    size, width = like.itemsize, len(lanes)
    panel = TILE_VECTORS * width
    row = panel * size
    if columns < panel:
        _fill(_numbers_at(target, depth * panel, like), 0)
    if not task.b_turned:
        source = task.b + k0 * task.b_stride + j0 * size
        if columns == panel:
            for r in range(depth):
                _copy(like, lanes, source + r * task.b_stride, target + r * row)
        else:
            for r in range(depth):
                numbers = _numbers_at(source + r * task.b_stride, columns, like)
                _assign(_numbers_at(target + r * row, columns, like), numbers)
        return
    source = task.b + j0 * task.b_stride + k0 * size
    step = LANE_BYTES // size
    whole_rows = columns - columns % width
    whole_depth = depth - depth % step
    for j in range(0, whole_rows, width):
        for r in range(0, whole_depth, step):
            at = source + j * task.b_stride + r * size
            _turn(like, lanes, at, task.b_stride, target + r * row + j * size, row)
    for j in range(columns):  # what is left over goes number by number
        numbers = _numbers_at(source + j * task.b_stride, depth, like)
        for r in range(whole_depth if j < whole_rows else 0, depth):
            _numbers_at(target + r * row + j * size, 1, like)[0] = numbers[r]


@compiled
def _finish_panel(task, source, target, rows, columns, like, lanes):
    """Applies the activation to a staged panel and copies its real columns into C."""
    width = TILE_VECTORS * len(lanes)
    numbers = _numbers_at(source, rows * width, like)
    if task.activation == TANH:
        for j in range(len(numbers)):
            numbers[j] = _tanh(numbers[j])
    elif task.activation == RELU:
        zero = like.dtype.type(0)
        for j in range(len(numbers)):
            numbers[j] = zero if numbers[j] <= zero else numbers[j]  # so a NaN stays a NaN
    for _ in range(rows):
        if columns == width:
            _copy(like, lanes, source, target)
        else:
            _assign(_numbers_at(target, columns, like), _numbers_at(source, columns, like))
        source += width * like.itemsize
        target += task.c_stride


@compiled
def _product_chunk(task, chunk, scratch, tile_rows, lanes):
    """One block of C, and while it is in the cache: bias and activation, or the sums of B.

    A panel of C is staged in the scratch if the tile's whole registers would run over C's edge,
    or if there is an activation, which vectorizes best over contiguous numbers.
    """
    size, width = scratch.itemsize, TILE_VECTORS * len(lanes)
    row_bytes = width * size
    panels = -(-task.n // width)
    i0, i1 = _share(chunk // task.column_blocks, task.row_blocks, task.m)
    p0, p1 = _share(chunk % task.column_blocks, task.column_blocks, panels)
    rows = i1 - i0
    tiles = -(-rows // tile_rows)
    depths = max(-(-task.k // K_BLOCK), 1)  # one at least, or k = 0 would leave C as it was

    packed = scratch.ctypes.data
    packed += -packed % 64  # panels start on a cache line
    bias = packed + K_BLOCK * row_bytes
    stage = bias + row_bytes
    for d in range(depths):
        k0, k1 = _share(d, depths, task.k)
        for p in range(p0, p1):
            j = p * width
            columns = min(width, task.n - j)
            c, c_stride = task.c + i0 * task.c_stride + j * size, task.c_stride
            staged = columns % len(lanes) or task.activation
            if staged:
                c, c_stride = stage + (p - p0) * rows * row_bytes, row_bytes
            if task.bias and d == 0:  # the sums start at the bias
                _fill(_numbers_at(bias, width, scratch), 0)
                given = _numbers_at(task.bias + j * size, columns, scratch)
                _assign(_numbers_at(bias, columns, scratch), given)
                for i in range(rows):
                    if columns > len(lanes) or staged:
                        _copy(scratch, lanes, bias, c + i * c_stride)
                    else:
                        _assign(_numbers_at(c + i * c_stride, columns, scratch), given)
            b, b_stride = task.b + k0 * task.b_stride + j * size, task.b_stride
            if task.b_turned or columns % len(lanes) or task.b_stride % CROWDED == 0:
                _pack_panel(task, k0, k1 - k0, j, columns, packed, scratch, lanes)
                b, b_stride = packed, row_bytes
            at = c
            for t in range(tiles):
                r0, r1 = _share(t, tiles, rows)
                a = task.a + (
                    (i0 + r0) * size + k0 * task.a_stride
                    if task.a_turned
                    else (i0 + r0) * task.a_stride + k0 * size
                )
                _tile(
                    scratch, lanes, task.a_turned, a, task.a_stride, b, b_stride, at, c_stride,
                    r1 - r0, -(-columns // len(lanes)), k1 - k0, task.bias != 0 or d > 0,
                )  # fmt: skip
                at += (r1 - r0) * c_stride
            if staged and d == depths - 1:
                target = task.c + i0 * task.c_stride + j * size
                _finish_panel(task, c, target, rows, columns, scratch, lanes)

    if task.sums and i0 == 0:
        j0, j1 = p0 * width, min(p1 * width, task.n)
        sums = _numbers_at(task.sums + j0 * size, j1 - j0, scratch)
        _fill(sums, 0)
        for r in range(task.k):
            row = _numbers_at(task.b + r * task.b_stride + j0 * size, j1 - j0, scratch)
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

    With e = exp(-|l|):  log(1 + exp(l)) = max(l, 0) + log(1 + e),  sigmoid(|l|) = 1 / (1 + e).
    """
    one, zero = logits.dtype.type(1), logits.dtype.type(0)
    for j in range(len(logits)):
        l = logits[j]
        e = _exp(-abs(l))
        nll[j] = (l * (one - x[j]) if l > zero else -l * x[j]) + _log1p(e)
        residual[j] = (one if l > zero else e) * (one / (one + e)) - x[j]


@compiled
def _bernoulli_chunk(task, chunk, scratch):
    """Some rows: as many at once as fit the scratch, where their terms wait to be summed."""
    size, n, room = scratch.itemsize, task.n, len(scratch)
    i = chunk * task.block_rows
    last = min(i + task.block_rows, task.m)
    nll = _numbers_at(task.d, task.m, scratch)
    while i < last:
        rows = min(last - i, max(room // n, 1), task.k - i % task.k)  # the B rows of x come round
        for r in range(rows):
            nll[i + r] = 0
        for j in range(0, rows * n, room):  # once, unless a single row is too long
            length = min(room, rows * n - j)
            terms = scratch[:length]
            _bernoulli_terms(
                _numbers_at(task.a + (i * n + j) * size, length, scratch),
                _numbers_at(task.b + (i % task.k * n + j) * size, length, scratch),
                _numbers_at(task.c + (i * n + j) * size, length, scratch),
                terms,
            )
            for r in range(rows):
                nll[i + r] += _sum(terms[r * n : (r + 1) * n])
        i += rows


@compiled
def _scale_chunk(task, chunk, like):
    """Row i of c = a[i] * row i of b."""
    size = like.itemsize
    first = chunk * task.block_rows
    factors = _numbers_at(task.a, task.m, like)
    for i in range(first, min(first + task.block_rows, task.m)):
        row = _numbers_at(task.b + i * task.n * size, task.n, like)
        target = _numbers_at(task.c + i * task.n * size, task.n, like)
        for j in range(len(row)):
            target[j] = factors[i] * row[j]


@compiled
def _adam_chunk(task, chunk, like):
    """Adam on one stretch of the flat vector: each number is read and written once."""
    size, first = like.itemsize, chunk * task.block_rows
    n = min(task.block_rows, task.m - first)
    flat = _numbers_at(task.a + first * size, n, like)
    grad = _numbers_at(task.b + first * size, n, like)
    m = _numbers_at(task.c + first * size, n, like)
    v = _numbers_at(task.d + first * size, n, like)
    number = like.dtype.type
    lr, v_scale = number(task.lr), number(task.v_scale)
    beta1, rest1 = number(task.beta1), number(1 - task.beta1)
    beta2, rest2 = number(task.beta2), number(1 - task.beta2)
    adam_eps = number(task.adam_eps)
    for i in range(n):
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
            da[j] = dy[j] * (one if y[j] > zero else zero)


@compiled
def _reparam(mu, logvar, eps, sigma, z):
    """z = mu + sigma eps: flat arrays; eps and z may hold K samples after one another."""
    half = mu.dtype.type(0.5)
    for j in range(len(mu)):
        sigma[j] = _exp(half * logvar[j])
    for k in range(0, len(eps), max(len(mu), 1)):
        for j in range(len(mu)):
            z[k + j] = mu[j] + sigma[j] * eps[k + j]


@compiled
def _reparam_gradient(dz, sigma, eps, dmu, dlogvar):
    half = sigma.dtype.type(0.5)
    _fill(dmu, 0)
    _fill(dlogvar, 0)
    for k in range(0, len(eps), max(len(sigma), 1)):
        for j in range(len(sigma)):
            dmu[j] += dz[k + j]
            dlogvar[j] += dz[k + j] * eps[k + j] * sigma[j] * half


@compiled
def _gaussian_kl(mu, logvar, kl):
    half = mu.dtype.type(0.5)
    for j in range(len(mu)):
        kl[j] = (mu[j] * mu[j] + _expm1(logvar[j]) - logvar[j]) * half


@compiled
def _gaussian_kl_gradient(dkl, mu, logvar, dmu, dlogvar):
    """dkl: (L,), shared by the rows, or (B, L); all flat."""
    half = mu.dtype.type(0.5)
    for row in range(0, len(mu), max(len(dkl), 1)):
        for j in range(len(dkl)):
            dmu[row + j] = dkl[j] * mu[row + j]
            dlogvar[row + j] = dkl[j] * _expm1(logvar[row + j]) * half


@compiled
def _gaussian_nll(mean, x, residual, squares):
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


@compiled
def _describe_product(task, a, a_turned, b, b_turned, c, threads, lanes):
    """C = A B in a task's words, with A' for A if a_turned, B' for B if b_turned."""
    task.a, task.a_stride, task.a_turned = a.ctypes.data, a.strides[0], a_turned
    task.b, task.b_stride, task.b_turned = b.ctypes.data, b.strides[0], b_turned
    task.c, task.c_stride = c.ctypes.data, c.strides[0]
    k = a.shape[0] if a_turned else a.shape[1]
    _plan_product(task, c.shape[0], c.shape[1], k, threads, lanes)
    return task.chunks


@compiled
def _describe_matmul(tasks, threads, lanes, a, a_turned, b, b_turned, c):
    return _describe_product(tasks[0], a, a_turned, b, b_turned, c, threads, lanes)


@compiled
def _describe_forward(tasks, threads, lanes, x, W, b, activation, y):
    chunks = _describe_product(tasks[0], x, 0, W, 0, y, threads, lanes)
    tasks[0].bias, tasks[0].activation = b.ctypes.data, activation
    return chunks


@compiled
def _describe_backward(tasks, threads, lanes, dy, x, W, y, activation, da, dW, db, dx):
    """dW = x' da with db, and dx = da W' (unless dx is empty), as the two tasks of one job."""
    if activation != NO_ACTIVATION:
        _derivative(dy.ravel(), y.ravel(), activation, da.ravel())
    chunks = _describe_product(tasks[0], x, 1, da, 0, dW, threads, lanes)
    tasks[0].sums = db.ctypes.data
    if dx.size:
        chunks += _describe_product(tasks[1], da, 0, W, 1, dx, threads, lanes)
    return chunks


@compiled
def _describe_rows(task, kind, m, n):
    task.kind, task.m, task.n = kind, m, n
    task.block_rows = max(1, ROWS_CHUNK // max(n, 1))
    task.chunks = -(-m // task.block_rows)
    return task.chunks


@compiled
def _describe_bernoulli(tasks, threads, lanes, logits, x, residual, nll):
    task = tasks[0]
    task.a, task.b = logits.ctypes.data, x.ctypes.data
    task.c, task.d = residual.ctypes.data, nll.ctypes.data
    task.k = len(x)
    return _describe_rows(task, BERNOULLI, len(logits), logits.shape[1])


@compiled
def _describe_scale(tasks, threads, lanes, factors, rows, out):
    task = tasks[0]
    task.a, task.b, task.c = factors.ctypes.data, rows.ctypes.data, out.ctypes.data
    return _describe_rows(task, SCALE_ROWS, len(rows), rows.shape[1])


@compiled
def _describe_adam(tasks, threads, lanes, flat, grad, m, v, numbers):
    task = tasks[0]
    task.a, task.b, task.c, task.d = flat.ctypes.data, grad.ctypes.data, m.ctypes.data, v.ctypes.data
    task.lr, task.beta1, task.beta2, task.v_scale, task.adam_eps = numbers
    task.kind, task.m, task.block_rows = ADAM, len(flat), ADAM_CHUNK
    task.chunks = -(-len(flat) // ADAM_CHUNK)
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
def _work_on(tasks, chunk, scratch, tile_rows, lanes):
    task = tasks[0]
    if chunk >= task.chunks:
        chunk -= task.chunks
        task = tasks[1]
    if task.kind == PRODUCT:
        _product_chunk(task, chunk, scratch, tile_rows, lanes)
    elif task.kind == BERNOULLI:
        _bernoulli_chunk(task, chunk, scratch)
    elif task.kind == SCALE_ROWS:
        _scale_chunk(task, chunk, scratch)
    else:
        _adam_chunk(task, chunk, scratch)


@compiled
def _take_chunk(state):
    """The next chunk of the present job, or -1."""
    while True:
        ticket = _atomic_load(state + TICKET)
        chunk, chunks = ticket & MOST_CHUNKS, (ticket >> CHUNK_BITS) & MOST_CHUNKS
        if chunk >= chunks:
            return -1
        if _atomic_swap(state + TICKET, ticket, ticket + 1):
            return chunk


@compiled
def _work(role, me, tasks, chunks, state, scratch, tile_rows, lanes):
    """What every thread runs: LEAD brings a job and sees it done; HELP takes part until it has
    waited long enough; ALONE does all of it, in order, without looking at the others."""
    if role == ALONE:
        for chunk in range(chunks):
            _work_on(tasks, chunk, scratch, tile_rows, lanes)
        return
    if role == LEAD:
        _atomic_store(state + DONE, 0)
        job = (_atomic_load(state + TICKET) >> (2 * CHUNK_BITS)) + 1
        _atomic_store(state + TICKET, (job << (2 * CHUNK_BITS)) | (chunks << CHUNK_BITS))
    waited = 0
    while waited < PATIENCE:
        chunk = _take_chunk(state)
        if chunk >= 0:
            _work_on(tasks, chunk, scratch, tile_rows, lanes)
            _atomic_add(state + DONE, 1)
            waited = 0
        elif role == LEAD:
            break
        elif _atomic_load(state + STOP):
            return
        else:
            waited += 1
            _pause()
    if role == HELP:
        _atomic_store(state + ASLEEP + 64 * me, 1)
        return
    while _atomic_load(state + DONE) < chunks:
        _pause()


class _Pool:
    """The threads for one dtype. `run` does a job on all of them, or alone if they are taken."""

    def __init__(self, dtype, threads):
        self.dtype = np.dtype(dtype)
        self.lanes = (0,) * (machine_lanes() * 4 // self.dtype.itemsize)
        self.tile_rows = TILE_ROWS[self.dtype.itemsize * 8 * len(self.lanes)]
        self.threads = threads
        self.taken = threading.Lock()
        self.tasks, self.scratch = self._new_tasks(), self._new_scratch()
        self.words = np.zeros(ASLEEP // 8 + 8 * (MOST_THREADS + 1), np.int64)
        self.words = self.words[-self.words.ctypes.data % 64 // 8 :]
        self.state = self.words.ctypes.data
        self.doorbells, self.helpers = [], []

    def _new_tasks(self):
        tasks = np.zeros(2, TASK)
        return tasks if JIT else tasks.view(np.recarray)

    def _new_scratch(self):
        return np.empty(SCRATCH, self.dtype)

    def run(self, describe, *args):
        """`describe` writes down the job, in the shared words if they are free; then it is done."""
        shared = self.taken.acquire(blocking=False)
        tasks = self.tasks if shared else self._new_tasks()
        try:
            chunks = describe(tasks, self.threads, self.lanes, *args)
            if shared and chunks > 1 and self.threads > 1:
                self._wake_helpers()
                self._work(LEAD, 0, tasks, chunks, self.scratch)
            elif chunks:
                self._work(ALONE, 0, tasks, chunks, self.scratch if shared else self._new_scratch())
        finally:
            if shared:
                self.taken.release()

    def _work(self, role, me, tasks, chunks, scratch):
        _work(role, me, tasks, chunks, self.state, scratch, self.tile_rows, self.lanes)

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
        scratch = self._new_scratch()
        while not self.words[STOP // 8]:
            self._work(HELP, me, self.tasks, 0, scratch)
            if not self.words[STOP // 8]:
                doorbell.acquire()

    def stop(self):
        """Ends the helpers: at exit, before the interpreter takes itself down around them."""
        self.words[STOP // 8] = 1
        for me, (helper, doorbell) in enumerate(zip(self.helpers, self.doorbells, strict=True)):
            if self.words[ASLEEP // 8 + 8 * me]:
                doorbell.release()
            helper.join(timeout=1)


_pools = {}
_opening = threading.Lock()


def thread_count():
    """MINIVAE_NUM_THREADS, by default the cores this process may use."""
    wanted = os.environ.get("MINIVAE_NUM_THREADS", "").strip()
    if not wanted:
        return min(_cores(), MOST_THREADS)
    if not wanted.isdecimal() or not 1 <= int(wanted) <= MOST_THREADS:
        raise MinivaeError(
            f"MINIVAE_NUM_THREADS is {wanted!r}; it must be a whole number from 1 to {MOST_THREADS}"
        )
    return int(wanted)


def _cores():
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _pool(dtype):
    pool = _pools.get(dtype)
    return pool if pool is not None else _open_pool(dtype)


def _open_pool(dtype):
    with _opening:
        if dtype not in _pools:
            pool = _Pool(dtype, thread_count() if JIT else 1)
            with event.install_listener("numba:compile", _Announcement()):
                _load_kernels(pool)
            _pools[dtype] = pool
        return _pools[dtype]


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


FLOATS = (np.dtype(np.float32), np.dtype(np.float64))
_CODES = {"none": NO_ACTIVATION, "tanh": TANH, "relu": RELU}


def _ready(*arrays):
    """The arrays as the kernels take them: of one float dtype, contiguous, aligned, writeable."""
    dtype = arrays[0].dtype if isinstance(arrays[0], np.ndarray) else None
    if dtype in FLOATS and all(
        type(a) is np.ndarray and a.dtype == dtype and a.flags.carray for a in arrays
    ):
        return arrays
    arrays = [np.asarray(a) for a in arrays]
    dtype = np.result_type(*arrays)
    if dtype not in FLOATS:
        raise MinivaeError(
            f"the numba backend computes in float32 or float64, not {dtype}; use the numpy backend"
        )
    return [np.require(a, dtype, "CAW") for a in arrays]


def _fit(condition, name, wanted, *arrays):
    """The guard in front of the kernels: they do not look at shapes again."""
    if not condition:
        shapes = ", ".join(str(np.shape(a)) for a in arrays)
        raise MinivaeError(f"{name} takes {wanted}; the shapes are {shapes}")


def dense_forward(x, W, b, activation):
    """y = f(x W + b),  f = tanh, relu or nothing               [notebook 05, eq. 1]

    x: (N, I), W: (I, O), b: (O,) -> y: (N, O), cache.
    """
    if activation not in _CODES:
        raise MinivaeError(f"activation is {activation!r}; it must be one of {ACTIVATIONS}")
    x, W, b = _ready(x, W, b)
    _fit(
        x.ndim == W.ndim == 2 and x.shape[1] == W.shape[0] and b.shape == W.shape[1:],
        "dense_forward", "x (N, I), W (I, O) and b (O,)", x, W, b,
    )  # fmt: skip
    y = np.empty((x.shape[0], W.shape[1]), W.dtype)
    _pool(W.dtype).run(_describe_forward, x, W, b, _CODES[activation], y)
    return y, DenseCache(x, W, y, activation)


def dense_backward(dy, cache, *, out=None, need_dx=True):
    """da = dy f'(a),  dW = x' da,  db = sum_n da,  dx = da W'   [notebook 05, eqs. 2 to 5]

    dy: (N, O) -> dx: (N, I) (None unless need_dx), dW: (I, O), db: (O,).
    `out`: a pair (dW, db) of arrays to write into, such as views of one flat gradient; they must
    not overlap dy or what the cache holds.
    """
    dy, x, W, y = _ready(dy, *cache[:3])
    _fit(dy.shape == y.shape, "dense_backward", "dy and y (N, O)", dy, y)
    if out is None:
        out = np.empty_like(W), np.empty_like(W[0])
    dW, db = out
    _fit(dW.shape == W.shape and db.shape == W.shape[1:], "dense_backward", "out = dW (I, O), db (O,)", dW, db)
    direct = all(type(a) is np.ndarray and a.dtype == W.dtype and a.flags.carray for a in out)
    grads = out if direct else (np.empty_like(W), np.empty(W.shape[1], W.dtype))
    da = dy if cache.activation == "none" else np.empty_like(dy)
    dx = np.empty_like(x) if need_dx else np.empty((0, 0), x.dtype)
    _pool(W.dtype).run(
        _describe_backward, dy, x, W, y, _CODES[cache.activation], da, *grads, dx
    )
    if not direct:
        dW[...], db[...] = grads
    return (dx if need_dx else None), dW, db


def reparam_forward(mu, logvar, eps):
    """z = mu + sigma * eps,  sigma = exp(logvar / 2)            [notebook 04, eq. 3]

    mu, logvar: (B, L); eps: (B, L) or (K, B, L) -> z: like eps, cache.
    """
    mu, logvar, eps = _ready(mu, logvar, eps)
    _fit(
        mu.ndim == 2 and mu.shape == logvar.shape == eps.shape[-2:] and eps.ndim in (2, 3),
        "reparam_forward", "mu, logvar (B, L) and eps (B, L) or (K, B, L)", mu, logvar, eps,
    )  # fmt: skip
    sigma, z = np.empty_like(mu), np.empty_like(eps)
    _pool(mu.dtype)
    _reparam(mu.ravel(), logvar.ravel(), eps.ravel(), sigma.ravel(), z.ravel())
    return z, ReparamCache(sigma, eps)


def reparam_backward(dz, cache):
    """dmu = dz,  dlogvar = dz * eps * sigma / 2                 [notebook 04, eqs. 4 and 5]

    dz: (B, L) or (K, B, L) -> dmu, dlogvar: (B, L), summed over the K samples that share them.
    """
    dz, sigma, eps = _ready(dz, *cache)
    _fit(dz.shape == eps.shape, "reparam_backward", "dz like eps", dz, eps)
    dmu, dlogvar = np.empty_like(sigma), np.empty_like(sigma)
    _pool(sigma.dtype)
    _reparam_gradient(dz.ravel(), sigma.ravel(), eps.ravel(), dmu.ravel(), dlogvar.ravel())
    return dmu, dlogvar


def gaussian_kl_forward(mu, logvar):
    """KL(N(mu, sigma^2) || N(0, 1)) = (mu^2 + sigma^2 - 1 - log sigma^2) / 2   [notebook 03, eq. 2]

    mu, logvar: (B, L) -> kl: (B, L), nats for each example and latent, cache.
    """
    mu, logvar = _ready(mu, logvar)
    _fit(mu.shape == logvar.shape, "gaussian_kl_forward", "mu and logvar (B, L)", mu, logvar)
    kl = np.empty_like(mu)
    _pool(mu.dtype)
    _gaussian_kl(mu.ravel(), logvar.ravel(), kl.ravel())
    return kl, GaussianKLCache(mu, logvar)


def gaussian_kl_backward(dkl, cache):
    """dmu = dkl * mu,  dlogvar = dkl * (sigma^2 - 1) / 2        [notebook 03, eqs. 3 and 4]

    dkl: (L,) or (B, L) -> dmu, dlogvar: (B, L).
    """
    dkl, mu, logvar = _ready(dkl, *cache)
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
    _fit(
        x.ndim == 2 and logits.ndim in (2, 3) and logits.shape[-2:] == x.shape,
        "bernoulli_nll_forward", "logits (B, D) or (K, B, D) and x (B, D)", logits, x,
    )  # fmt: skip
    residual, nll = np.empty_like(logits), np.empty(logits.shape[:-1], x.dtype)
    rows = _rows(logits), x, _rows(residual), nll.ravel()
    _pool(x.dtype).run(_describe_bernoulli, *rows)
    return nll, BernoulliCache(residual)


def bernoulli_nll_backward(dnll, cache):
    """dlogits = dnll * (sigmoid(logits) - x)                    [notebook 05, eq. 8]

    dnll: (B,) or (K, B) -> dlogits: (B, D) or (K, B, D).
    """
    dnll, residual = _ready(dnll, cache.residual)
    return _scale_rows(dnll, residual, "bernoulli_nll_backward")


def gaussian_nll_forward(mean, logvar, x):
    """-log p(x|z) = sum_d ((x_d - mean_d)^2 / sigma^2 + logvar + log 2 pi) / 2

    mean: (B, D) or (K, B, D), x: (B, D), logvar: (1,), shared by all pixels
    -> nll: (B,) or (K, B), nats, cache.                        [notebook 05, eq. 9]
    """
    mean, logvar, x = _ready(mean, logvar, x)
    _fit(
        x.ndim == 2 and mean.ndim in (2, 3) and mean.shape[-2:] == x.shape and logvar.shape == (1,),
        "gaussian_nll_forward", "mean (B, D) or (K, B, D), logvar (1,), x (B, D)", mean, logvar, x,
    )  # fmt: skip
    residual, squares = np.empty_like(mean), np.empty(mean.shape[:-1], x.dtype)
    _pool(x.dtype)
    _gaussian_nll(_rows(mean), x, _rows(residual), squares.ravel())
    precision = np.exp(-logvar)
    nll = (squares * precision + x.shape[1] * (logvar + np.log(2 * np.pi))) / 2
    return nll.astype(x.dtype, copy=False), GaussianCache(residual, precision)


def gaussian_nll_backward(dnll, cache):
    """dmean = dnll (mean - x) / sigma^2,  dlogvar = sum dnll (D - |mean - x|^2 / sigma^2) / 2

    dnll: (B,) or (K, B) -> dmean: (B, D) or (K, B, D), dlogvar: (1,).   [notebook 05, eqs. 10, 11]
    """
    dnll, residual, precision = _ready(dnll, *cache)
    dmean = _scale_rows(dnll * precision, residual, "gaussian_nll_backward")
    squares = np.empty(dnll.shape, dnll.dtype)
    _row_squares(_rows(residual), squares.ravel())
    dlogvar = (dnll * (residual.shape[-1] - squares * precision) / 2).sum()
    return dmean, np.atleast_1d(dlogvar)


def adam_step(flat, grad, m, v, step, lr, beta1=0.9, beta2=0.999, adam_eps=1e-8):
    """One step of Adam, in place: flat -= lr * m_hat / (sqrt(v_hat) + adam_eps)

    flat, grad, m, v: (P,); m and v start at 0, `step` at 1.   [notebook 07, eqs. 2 to 4]
    Source: Kingma and Ba 2015, algorithm 1.
    """
    state = flat, m, v
    _fit(flat.ndim == 1 and flat.shape == grad.shape == m.shape == v.shape, "adam_step", "flat, grad, m, v (P,)", flat, grad, m, v)
    flat, grad, m, v = _ready(flat, grad, m, v)
    m_scale = 1 / (1 - beta1**step)  # undoes the pull towards the zeros of the start
    v_scale = 1 / (1 - beta2**step)
    numbers = float(lr * m_scale), float(beta1), float(beta2), float(v_scale), float(adam_eps)
    _pool(flat.dtype).run(_describe_adam, flat, grad, m, v, numbers)
    for given, new in zip(state, (flat, m, v), strict=True):
        if given is not new:  # a strided view, say: the kernel wrote into a copy
            given[...] = new


def matmul(a, b, *, turn_a=False, turn_b=False):
    """A B, or with A' for A if turn_a and B' for B if turn_b: the products of a dense layer.

    a: (m, k), or (k, m) turned; b: (k, n), or (n, k) turned -> (m, n). Rows may be strided.
    """
    a, b = (c if _is_row_strided(c) else _ready(c)[0] for c in (np.asarray(a), np.asarray(b)))
    if a.dtype != b.dtype:
        a, b = _ready(a, b)
    (m, k), (k_b, n) = a.shape[:: -1 if turn_a else 1], b.shape[:: -1 if turn_b else 1]
    _fit(k == k_b, "matmul", "(m, k) times (k, n)", a, b)
    c = np.empty((m, n), a.dtype)
    _pool(a.dtype).run(_describe_matmul, a, int(turn_a), b, int(turn_b), c)
    return c


def _is_row_strided(a):
    """Each row contiguous, the rows anywhere: the kernels take such an array as it is."""
    return a.dtype in FLOATS and a.ndim == 2 and a.flags.aligned and a.strides[1] == a.itemsize


def _rows(a):
    return a.reshape(-1, a.shape[-1])


def _scale_rows(factors, rows, name):
    _fit(factors.shape == rows.shape[:-1], name, "dnll (B,) or (K, B)", factors, rows)
    out = np.empty_like(rows)
    _pool(rows.dtype).run(_describe_scale, factors.ravel(), _rows(rows), _rows(out))
    return out


def _load_kernels(pool):
    """Compiles what training needs, or loads it from numba's cache on disk."""
    a, b = np.zeros((2, 2), pool.dtype), np.zeros(2, pool.dtype)
    zeros = [np.zeros(2, pool.dtype) for _ in range(5)]
    pool.run(_describe_forward, a, a, b, TANH, a.copy())
    pool.run(_describe_backward, a, a, a, a, TANH, a.copy(), a.copy(), b.copy(), a.copy())
    pool.run(_describe_bernoulli, a, a, a.copy(), b.copy())
    pool.run(_describe_scale, b, a, a.copy())
    pool.run(_describe_adam, *zeros[:4], (0.0, 0.0, 0.0, 1.0, 1.0))
    _reparam(*zeros)
    _reparam_gradient(*zeros)
    _gaussian_kl(*zeros[:3])
    _gaussian_kl_gradient(*zeros)

"""The register tile: the inner loop of every matrix product, written as LLVM instructions.

A vector register holds `lanes` numbers: 16 float32 with AVX-512, 8 with AVX2, 4 with NEON or SSE;
of float64 half as many. The tile keeps a block of C, `rows` x two registers, in registers for the
whole loop over k. Each iteration loads two registers of B and, for each row, copies one number of A
into all lanes of a register. With AVX2 that is 8 loads for 12 multiply-adds, about what a core can
do, whereas a plain loop loads and stores C for every single multiply-add. At the right edge of C
the tile is narrower, in steps of half a register: some processors compute with the lower half of a
wide register in half of the time.

Where most numbers of A are 0, `sum_of_rows` keeps up to eight registers of one row of C in the same
way, while it goes through those of 64 rows of B whose factor in A is not 0.

LLVM does not keep such a block in registers if the tile is written as a Python loop, so here the
instructions are built one by one. The number of lanes must be known at compile time, and is taken
from the *type* of an argument: `kind` is an empty array of the dtype, with one axis per lane. A
global would not do, because numba's cache on disk does not notice that a global has changed.
"""

from itertools import product
from typing import Any

import numpy as np
from llvmlite import binding as llvm
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from minivae.kernels.compilation import JIT
from minivae.kernels.instructions import numbers_at

# Registers side by side. With 3, fewer rows would fit; and the tile at the edge, often one register
# wide, would have fewer sums under way than it takes to hide the latency of a multiply-add.
TILE_VECTORS = 2
ROW_VECTORS = 8  # the most registers of a sum of rows: enough to hide the latency of multiply-adds
TILE_ROWS = {512: 12, 256: 6, 128: 6}  # by bits: AVX-512 has 32 registers, the others 16 or more
LANE_BYTES = 16  # shuffles within 16 bytes are cheaper than across them


def machine_lanes() -> int:
    """How many float32 fit a vector register of this machine: 16, 8 or 4."""
    features = llvm.get_host_cpu_features()
    if features.get("avx512f"):
        return 16
    return 8 if features.get("avx2") else 4


class _Emitter:
    """Appends the LLVM instructions that a tile needs. Addresses are plain integers."""

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

    def broadcast(self, number, vector):
        """A register of this kind with the number in every lane."""
        undefined = ir.Constant(vector, ir.Undefined)
        first = self.builder.insert_element(undefined, number, ir.Constant(ir.IntType(32), 0))
        return self.shuffle(first, undefined, [0] * vector.count)

    def multiply_add(self, a, b, c):
        product = self.builder.fmul(a, b, flags=("contract",))
        return self.builder.fadd(product, c, flags=("contract",))

    def tile(self, rows, halves, a, a_row, a_column, b, b_stride, c, c_stride, k, first):
        """The loop over k of one tile, then the stores. Leaves the builder after the stores."""
        builder, int_ = self.builder, self.int
        step = self.lanes * self.bytes  # from one register's numbers to the next one's
        half = ir.VectorType(self.scalar, self.lanes // 2)
        kinds = [self.vector] * (halves // 2) + [half] * (halves % 2)
        grid = [(i, j) for i in range(rows) for j in range(len(kinds))]
        c_rows = [builder.add(c, builder.mul(c_stride, int_(i))) for i in range(rows)]
        a_rows = [builder.add(a, builder.mul(a_row, int_(i))) for i in range(rows)]
        start = builder.block
        given, head, body, end = (
            builder.append_basic_block(f"tile.{name}") for name in ("given", "head", "body", "end")
        )
        builder.cbranch(builder.icmp_signed("!=", first, int_(0)), given, head)

        builder.position_at_end(given)  # the sums start from the given numbers
        bias = [self.load(first, int_(j * step), kind) for j, kind in enumerate(kinds)]
        builder.branch(head)

        builder.position_at_end(head)  # LLVM wants all phi nodes at the top of a block
        count, a_at, b_at = (builder.phi(self.word) for _ in range(3))
        sums = {(i, j): builder.phi(kinds[j]) for i, j in grid}
        for phi, value in ((count, int_(0)), (a_at, int_(0)), (b_at, b)):
            phi.add_incoming(value, start)
            phi.add_incoming(value, given)
        for place in grid:
            kind = kinds[place[1]]
            sums[place].add_incoming(ir.Constant(kind, [0.0] * kind.count), start)
            sums[place].add_incoming(bias[place[1]], given)
        builder.cbranch(builder.icmp_signed("<", count, k), body, end)

        builder.position_at_end(body)  # C[i, :] += A[i, k] * B[k, :]
        b_row = [self.load(b_at, int_(j * step), kind) for j, kind in enumerate(kinds)]
        for i in range(rows):
            number = self.load(a_rows[i], a_at, self.scalar)
            for j, kind in enumerate(kinds):
                terms = self.multiply_add(self.broadcast(number, kind), b_row[j], sums[i, j])
                sums[i, j].add_incoming(terms, body)
        count.add_incoming(builder.add(count, int_(1)), body)
        a_at.add_incoming(builder.add(a_at, a_column), body)
        b_at.add_incoming(builder.add(b_at, b_stride), body)
        builder.branch(head)

        builder.position_at_end(end)
        for i, j in grid:
            self.store(sums[i, j], c_rows[i], int_(j * step))

    def sum_of_rows(self, vectors, chosen, a, a_stride, b, b_stride, c, first):
        """The loop over the chosen rows of B, then the stores. Leaves the builder after them."""
        builder, int_ = self.builder, self.int
        step = self.lanes * self.bytes
        zeros = ir.Constant(self.vector, [0.0] * self.lanes)
        start = builder.block
        given, head, body, end = (
            builder.append_basic_block(f"rows.{name}") for name in ("given", "head", "body", "end")
        )
        builder.cbranch(builder.icmp_signed("!=", first, int_(0)), given, head)

        builder.position_at_end(given)  # the sums start from the given numbers
        numbers = [self.load(first, int_(j * step), self.vector) for j in range(vectors)]
        builder.branch(head)

        builder.position_at_end(head)
        left = builder.phi(self.word)  # bit k: row k is still to come
        sums = [builder.phi(self.vector) for _ in range(vectors)]
        for block in (start, given):
            left.add_incoming(chosen, block)
            for j, phi in enumerate(sums):
                phi.add_incoming(numbers[j] if block is given else zeros, block)
        builder.cbranch(builder.icmp_signed("!=", left, int_(0)), body, end)

        builder.position_at_end(body)  # c += a[k] * B[k, :], for the lowest bit k
        k = builder.cttz(left, ir.Constant(ir.IntType(1), 1))
        row = builder.add(b, builder.mul(k, b_stride))
        number = self.broadcast(self.load(a, builder.mul(k, a_stride), self.scalar), self.vector)
        for j, phi in enumerate(sums):
            b_numbers = self.load(row, int_(j * step), self.vector)
            phi.add_incoming(self.multiply_add(number, b_numbers, phi), body)
        left.add_incoming(builder.and_(left, builder.sub(left, int_(1))), body)
        builder.branch(head)

        builder.position_at_end(end)
        for j, phi in enumerate(sums):
            self.store(phi, c, int_(j * step))

    def transpose(self, source, source_stride, target, target_stride):
        """Transposes a block: `lanes` rows of 16 bytes become rows of `lanes` numbers."""
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
        for i, vector in enumerate(self._transpose_in_lanes(columns, per_lane)):
            self.store(vector, target, self.builder.mul(target_stride, self.int(i)))

    def _transpose_in_lanes(self, v, per_lane):
        def mix(a, b, picks):  # the same in each 16 bytes; picks >= per_lane are from b
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
    context, kind, a, a_row, a_column, b, b_stride, c, c_stride, rows, halves, k, first
):
    """C[:rows, : halves * lanes / 2] = first + A B, summed in registers.

    a, b, c are addresses; a_row, a_column, b_stride and c_stride are in bytes: from one row of A to
    the next, from one number of it to the next, and from one row of B and C to the next. `first` is
    the address of the numbers that the sums of every row start from, a bias, or 0 for zeros.
    """
    whole = 2 if _register_bits(kind) == 8 * LANE_BYTES else 1  # the smallest register is not cut
    widths = range(whole, 2 * TILE_VECTORS + 1, whole)
    sizes = list(product(range(1, TILE_ROWS[_register_bits(kind)] + 1), widths))

    def codegen(context, builder, signature, args):
        emit = _Emitter(builder, kind)
        a, a_row, a_column, b, b_stride, c, c_stride, rows, halves, *rest = args[1:]
        # one block of code for each size, and a switch over rows * 8 + halves
        done = builder.append_basic_block("tile.done")
        which = builder.add(builder.mul(rows, emit.int(8)), halves)
        switch = builder.switch(which, done)
        for n_rows, n_halves in sizes:
            block = builder.append_basic_block("tile.size")
            switch.add_case(emit.int(n_rows * 8 + n_halves), block)
            builder.position_at_end(block)
            emit.tile(n_rows, n_halves, a, a_row, a_column, b, b_stride, c, c_stride, *rest)
            builder.branch(done)
        builder.position_at_end(done)
        return context.get_dummy_value()

    return types.void(kind, *[types.intp] * 11), codegen


def _sum_of_rows_instructions(context, kind, chosen, a, a_stride, b, b_stride, c, vectors, first):
    """c = first + the sum of a[k] B[k, :] over the chosen k in order, summed in registers.

    chosen: a word whose bit k is set for the rows that count. c and the rows are `vectors`
    registers long, at most ROW_VECTORS. The others as for the tile.
    """

    def codegen(context, builder, signature, args):
        emit = _Emitter(builder, kind)
        *given, vectors, first = args[1:]
        done = builder.append_basic_block("rows.done")
        switch = builder.switch(vectors, done)
        for n in range(1, ROW_VECTORS + 1):
            block = builder.append_basic_block("rows.size")
            switch.add_case(emit.int(n), block)
            builder.position_at_end(block)
            emit.sum_of_rows(n, *given, first)
            builder.branch(done)
        builder.position_at_end(done)
        return context.get_dummy_value()

    return types.void(kind, types.uint64, *[types.intp] * 7), codegen


def _register_bits(kind):
    return kind.ndim * kind.dtype.bitwidth


def _nonzeros_instructions(context, kind, address):
    """A word whose bit j says whether number j of a register is not 0 (NaN included)."""

    def codegen(context, builder, signature, args):
        emit = _Emitter(builder, kind)
        zeros = ir.Constant(emit.vector, [0.0] * emit.lanes)
        found = builder.fcmp_unordered("!=", emit.load(args[1], emit.int(0), emit.vector), zeros)
        return builder.zext(builder.bitcast(found, ir.IntType(emit.lanes)), emit.word)

    return types.uint64(kind, types.intp), codegen


def _transpose_instructions(context, kind, source, source_stride, target, target_stride):
    """Transposes `lanes` rows of 16 bytes each: target[k, row] = source[row, k]."""

    def codegen(context, builder, signature, args):
        _Emitter(builder, kind).transpose(*args[1:])
        return context.get_dummy_value()

    return types.void(kind, *[types.intp] * 4), codegen


def _copy_instructions(context, kind, source, target):
    """Copies one register's numbers."""

    def codegen(context, builder, signature, args):
        emit = _Emitter(builder, kind)
        emit.store(emit.load(args[1], emit.int(0), emit.vector), args[2], emit.int(0))
        return context.get_dummy_value()

    return types.void(kind, *[types.intp] * 2), codegen


# With NUMBA_DISABLE_JIT=1, plain Python versions of the same.


def _tile_in_python(kind, a, a_row, a_column, b, b_stride, c, c_stride, rows, halves, k, first):
    columns = halves * kind.ndim // 2
    for i in range(rows):
        sums = numbers_at(c + i * c_stride, columns, kind)
        sums[:] = numbers_at(first, columns, kind) if first else 0
        for r in range(k):
            number = numbers_at(a + i * a_row + r * a_column, 1, kind)
            sums += number * numbers_at(b + r * b_stride, columns, kind)


def _sum_of_rows_in_python(kind, chosen, a, a_stride, b, b_stride, c, vectors, first):
    columns = vectors * kind.ndim
    sums = numbers_at(c, columns, kind)
    sums[:] = numbers_at(first, columns, kind) if first else 0
    for k in range(int(chosen).bit_length()):
        if int(chosen) >> k & 1:
            row = numbers_at(b + k * b_stride, columns, kind)
            sums += numbers_at(a + k * a_stride, 1, kind) * row


def _nonzeros_in_python(kind, address):
    numbers = numbers_at(address, kind.ndim, kind).tolist()
    return np.uint64(sum(1 << j for j, number in enumerate(numbers) if number != 0))


def _transpose_in_python(kind, source, source_stride, target, target_stride):
    for i in range(kind.ndim):
        for k in range(LANE_BYTES // kind.itemsize):
            number = numbers_at(source + i * source_stride + k * kind.itemsize, 1, kind)
            numbers_at(target + k * target_stride + i * kind.itemsize, 1, kind)[:] = number


def _copy_in_python(kind, source, target):
    numbers_at(target, kind.ndim, kind)[:] = numbers_at(source, kind.ndim, kind)


sum_of_rows: Any = intrinsic(_sum_of_rows_instructions) if JIT else _sum_of_rows_in_python
nonzeros: Any = intrinsic(_nonzeros_instructions) if JIT else _nonzeros_in_python
multiply_tile: Any = intrinsic(_tile_instructions) if JIT else _tile_in_python
transpose_rows: Any = intrinsic(_transpose_instructions) if JIT else _transpose_in_python
copy_register: Any = intrinsic(_copy_instructions) if JIT else _copy_in_python

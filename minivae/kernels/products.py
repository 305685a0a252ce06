"""The matrix product: panels packed for the register tile, and blocks that fit the caches.

C (m, n) = A (m, k) B (k, n) is cut into blocks of C, and each block is computed by one thread. For
a block, k goes in steps of at most K_BLOCK, and B in panels as wide as a tile: K_BLOCK rows of a
panel (26 kB with AVX2, 51 kB with AVX-512) stay in the first or second cache while the tiles run
down it. B is read in place where possible.
A panel is copied ("packed") where B is transposed; where registers would reach beyond B's edge, so
that zeros fill them up; and where the rows of B are a multiple of ALIASING_STRIDE bytes apart,
because they would then compete for the same few sets of the cache. A is read in place, along its
rows or (A.T) down its columns; but where the rows of a transposed A are far apart in memory, its
block is copied first, into one strip for each tile, unless the block has a single panel.

Every number of C is a sum over k in order within each step, then of the steps in order, whichever
block, thread or tile computes it. So the result has the same bits on any number of threads. (One
sum over all k would lose digits: with k = 60,000, three more in float32.)
"""

from minivae.kernels.activations import NO_ACTIVATION, activate
from minivae.kernels.compilation import compiled, inlined
from minivae.kernels.instructions import numbers_at
from minivae.kernels.tile import (
    LANE_BYTES,
    TILE_VECTORS,
    copy_register,
    multiply_tile,
    transpose_rows,
)

K_BLOCK = 400
K_BLOCK_TRANSPOSED = 170  # in place, A.T touches a cache line for each k, beside the panel's
BLOCK_ROWS = 128  # the most rows of a block of C,
BLOCK_PANELS = 4  # and the most panels
ALIASING_STRIDE = 256  # bytes
LONG_STRIDE = 2048  # bytes: columns of A.T so far apart are not fetched in advance by many cores
PANEL = TILE_VECTORS * 16  # numbers in a row of the widest panel, with AVX-512
# numbers of working memory for each thread: a panel of B, a bias, the panels of a block of C, the
# sums of one step in k for a panel of C, and the strips of a block of A.T. The first + 1 is for the
# start at a cache line, the last + PANEL for the last register of the last strip.
SCRATCH = (K_BLOCK + 1 + BLOCK_PANELS * BLOCK_ROWS + BLOCK_ROWS + 1) * PANEL
SCRATCH += K_BLOCK_TRANSPOSED * BLOCK_ROWS + PANEL


@compiled
def share(part, parts, whole):
    """Begin and end of a part, where `whole` is cut into parts as equal as possible."""
    size, larger = whole // parts, whole % parts  # the first `larger` parts have one more
    begin = part * size + min(part, larger)
    return begin, begin + size + (part < larger)


@compiled
def steps_in_k(task):
    """Into how many steps the sums over k are cut: it depends on nothing but the shapes."""
    return max(-(-task.k // (K_BLOCK_TRANSPOSED if task.a_transposed else K_BLOCK)), 1)


@compiled
def add_rows(source, source_stride, target, target_stride, rows, columns, kind):
    """Adds a block of numbers to another."""
    for i in range(rows):
        terms = numbers_at(source + i * source_stride, columns, kind)
        sums = numbers_at(target + i * target_stride, columns, kind)
        for j in range(columns):
            sums[j] += terms[j]


@compiled
def copy_rows(source, source_stride, target, target_stride, rows, columns, kind):
    """Copies a block of numbers: whole registers first, then the rest of each row."""
    whole = columns - columns % kind.ndim
    for i in range(rows):
        start, end = source + i * source_stride, target + i * target_stride
        for j in range(0, whole, kind.ndim):
            copy_register(kind, start + j * kind.itemsize, end + j * kind.itemsize)
        if whole < columns:
            given, taken = numbers_at(start, columns, kind), numbers_at(end, columns, kind)
            for j in range(whole, columns):
                taken[j] = given[j]


@compiled
def pack_panel(task, k0, depth, j0, columns, target, kind):
    """Copies B[k0 : k0 + depth, j0 : j0 + columns] (or that of B.T) into a contiguous panel."""
    size, lanes = kind.itemsize, kind.ndim
    width = TILE_VECTORS * lanes
    panel = numbers_at(target, depth * width, kind)
    if columns < width:
        panel[:] = 0
    if not task.b_transposed:
        source = task.b + k0 * task.b_stride + j0 * size
        copy_rows(source, task.b_stride, target, width * size, depth, columns, kind)
        return
    source = task.b + j0 * task.b_stride + k0 * size
    step = LANE_BYTES // size
    whole_columns, whole_depth = columns - columns % lanes, depth - depth % step
    for j in range(0, whole_columns, lanes):
        for r in range(0, whole_depth, step):
            at = source + j * task.b_stride + r * size
            transpose_rows(kind, at, task.b_stride, target + (r * width + j) * size, width * size)
    for j in range(columns):  # the rest, number by number
        numbers = numbers_at(source + j * task.b_stride, depth, kind)
        for r in range(whole_depth if j < whole_columns else 0, depth):
            panel[r * width + j] = numbers[r]


@compiled
def pack_strips(a, a_stride, rows, tiles, depth, edge, target, kind):
    """Copies a block of A.T, whose columns are rows in memory, into one strip for each tile.

    In a strip the columns follow one another. `edge`: so many numbers of a row in memory, from the
    start of the block on, may be read. Whole registers are copied where that is allowed: what is
    too much is overwritten by the next column or strip, or lies behind the last strip.
    """
    size, lanes = kind.itemsize, kind.ndim
    for t in range(tiles):
        r0, r1 = share(t, tiles, rows)
        source, strip, step = a + r0 * size, target + r0 * depth * size, (r1 - r0) * size
        registers = -(-(r1 - r0) // lanes)
        if r0 + registers * lanes <= edge:
            for k in range(depth):
                for j in range(0, registers * lanes * size, lanes * size):
                    copy_register(kind, source + k * a_stride + j, strip + k * step + j)
        else:
            copy_rows(source, a_stride, strip, step, depth, r1 - r0, kind)


@compiled
def halves_for(columns, kind):
    """How many halves of a register hold so many columns; the smallest registers stay whole."""
    lanes = kind.ndim
    if lanes * kind.itemsize == LANE_BYTES:
        return -(-columns // lanes) * 2
    return -(-columns * 2 // lanes)


@inlined
def product_chunk(task, chunk, scratch, tile_rows, kind):
    """One block of C = f(A B + bias).

    A panel of C is first computed in the scratch memory if the tile's registers would reach
    beyond C's edge, or if there is an activation, which vectorizes best over contiguous numbers.
    """
    size, lanes, width = kind.itemsize, kind.ndim, TILE_VECTORS * kind.ndim
    row_bytes = width * size
    i0, i1 = share(chunk // task.column_blocks, task.row_blocks, task.m)
    p0, p1 = share(chunk % task.column_blocks, task.column_blocks, -(-task.n // width))
    rows = i1 - i0
    tiles = -(-rows // tile_rows)
    a_row, a_column = (size, task.a_stride) if task.a_transposed else (task.a_stride, size)
    depths = steps_in_k(task)  # 1 also for k = 0, where C is the bias or 0

    packed = scratch + -scratch % 64  # a panel starts on a cache line
    bias = packed + K_BLOCK * row_bytes
    stage = bias + row_bytes
    step = stage + BLOCK_PANELS * BLOCK_ROWS * row_bytes
    strips = step + BLOCK_ROWS * row_bytes
    for d in range(depths):
        k0, k1 = share(d, depths, task.k)
        a = task.a + i0 * a_row + k0 * a_column
        in_strips = task.a_transposed and task.a_stride >= LONG_STRIDE and p1 - p0 > 1
        if in_strips:
            pack_strips(a, task.a_stride, rows, tiles, k1 - k0, task.m - i0, strips, kind)
        for p in range(p0, p1):
            j = p * width
            columns = min(width, task.n - j)
            halves = halves_for(columns, kind)
            ragged = columns * 2 < halves * lanes
            staged = ragged or task.activation != NO_ACTIVATION
            c = out = task.c + i0 * task.c_stride + j * size
            c_stride = row_bytes if staged else task.c_stride
            if staged:
                c = stage + (p - p0) * rows * row_bytes
            b, b_stride = task.b + k0 * task.b_stride + j * size, task.b_stride
            if task.b_transposed or ragged or task.b_stride % ALIASING_STRIDE == 0:
                pack_panel(task, k0, k1 - k0, j, columns, packed, kind)
                b, b_stride = packed, row_bytes
            sums, sums_stride = (step, row_bytes) if d > 0 else (c, c_stride)
            first = 0
            if task.bias and d == 0:
                first = task.bias + j * size
                if ragged:
                    copy_rows(first, 0, bias, 0, 1, columns, kind)
                    first = bias
            for t in range(tiles):
                r0, r1 = share(t, tiles, rows)
                tile, tile_column = a + r0 * a_row, a_column
                if in_strips:
                    tile, tile_column = strips + r0 * (k1 - k0) * size, (r1 - r0) * size
                multiply_tile(
                    kind, tile, a_row, tile_column, b, b_stride,
                    sums + r0 * sums_stride, sums_stride, r1 - r0, halves, k1 - k0, first,
                )  # fmt: skip
            if d > 0:
                add_rows(step, row_bytes, c, c_stride, rows, halves * lanes // 2, kind)
            if staged and d == depths - 1:
                activate(numbers_at(c, rows * width, kind), task.activation)
                copy_rows(c, row_bytes, out, task.c_stride, rows, columns, kind)

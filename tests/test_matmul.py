"""The product kernels: every shape, layout and register width, against NumPy in float64."""

import itertools

import numpy as np
import pytest
from numba import config

from minivae import kernels
from minivae.errors import MinivaeError
from minivae.kernels import plain_products, products, sparse_products, tasks, threads
from minivae.kernels.compilation import cached
from minivae.kernels.products import product_chunk
from minivae.kernels.sparse_products import sparse_chunk
from minivae.kernels.tasks import task_at

DTYPES = (np.float32, np.float64)
FORMS = ((False, False), (True, False), (False, True), (True, True))  # A B, A' B, A B', A' B'
# around the tile (6 x 16, or 12 x 32), the blocks of rows, columns and k, and nothing at all
SHAPES = [
    (1, 1, 1), (5, 3, 7), (6, 16, 16), (7, 17, 15), (13, 8, 33), (12, 401, 32), (129, 5, 65),
    (48, 172, 130), (0, 3, 4), (3, 0, 4), (3, 4, 0), (0, 0, 0),
]  # fmt: skip


def operands(m, k, n, dtype, transpose_a=False, transpose_b=False, seed=0):
    rng = np.random.default_rng(seed)
    a = rng.standard_normal((k, m) if transpose_a else (m, k)).astype(dtype)
    b = rng.standard_normal((n, k) if transpose_b else (k, n)).astype(dtype)
    return a, b


def exact(a, b, transpose_a=False, transpose_b=False):
    a, b = a.astype(np.float64), b.astype(np.float64)
    return (a.T if transpose_a else a) @ (b.T if transpose_b else b)


def assert_close(c, expected, k, dtype):
    """Each sum of k products of standard normals may be off by a few roundings of its size."""
    assert c.shape == expected.shape
    assert c.dtype == dtype
    atol = 8 * np.finfo(dtype).eps * (1 + k**0.5) ** 2
    np.testing.assert_allclose(c, expected, rtol=0, atol=atol)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("transpose_a", "transpose_b"), FORMS)
@pytest.mark.parametrize(("m", "k", "n"), SHAPES)
def test_every_shape_and_form(m, k, n, transpose_a, transpose_b, dtype):
    a, b = operands(m, k, n, dtype, transpose_a, transpose_b)
    c = kernels.matmul(a, b, transpose_a=transpose_a, transpose_b=transpose_b)
    assert_close(c, exact(a, b, transpose_a, transpose_b), k, dtype)


@pytest.mark.parametrize(("transpose_a", "transpose_b"), FORMS)
def test_many_blocks_in_each_direction(transpose_a, transpose_b):
    a, b = operands(301, 811, 259, np.float32, transpose_a, transpose_b)
    c = kernels.matmul(a, b, transpose_a=transpose_a, transpose_b=transpose_b)
    assert_close(c, exact(a, b, transpose_a, transpose_b), 811, np.float32)


def test_rows_at_an_aliasing_stride_are_packed_and_right():
    """256 float32 are 1024 bytes, a multiple of ALIASING_STRIDE: another path in the block."""
    assert 1024 % products.ALIASING_STRIDE == 0
    a, b = operands(50, 200, 256, np.float32)
    assert_close(kernels.matmul(a, b), exact(a, b), 200, np.float32)


LAYOUTS = {
    "wider rows": lambda a: np.pad(a, ((0, 0), (3, 5)))[:, 3:-5],
    "every other row": lambda a: np.repeat(a, 2, axis=0)[::2],
    "rows backwards": lambda a: a[::-1].copy()[::-1],
    "columns apart": lambda a: np.repeat(a, 2, axis=1)[:, ::2],
    "columns first": np.asfortranarray,
    "read-only": lambda a: np.frombuffer(a.tobytes(), a.dtype).reshape(a.shape),
    "misaligned": lambda a: misaligned(a),
    "big-endian": lambda a: a.astype(a.dtype.newbyteorder(">")),
}


def misaligned(a):
    raw = np.zeros(a.nbytes + 1, np.uint8)[1:]
    raw[:] = np.frombuffer(a.tobytes(), np.uint8)
    return raw.view(a.dtype).reshape(a.shape)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("transpose_a", "transpose_b"), FORMS[:3])
def test_any_layout_of_the_operands(layout, transpose_a, transpose_b):
    a, b = operands(19, 37, 21, np.float32, transpose_a, transpose_b)
    view_a, view_b = LAYOUTS[layout](a), LAYOUTS[layout](b)
    np.testing.assert_array_equal(view_a, a)
    c = kernels.matmul(view_a, view_b, transpose_a=transpose_a, transpose_b=transpose_b)
    np.testing.assert_array_equal(
        c, kernels.matmul(a, b, transpose_a=transpose_a, transpose_b=transpose_b)
    )


def test_a_row_may_stand_for_all_rows():
    """A broadcast array has a row stride of 0."""
    a, b = operands(1, 20, 18, np.float64)
    c = kernels.matmul(np.broadcast_to(a, (9, 20)), b)
    np.testing.assert_allclose(c, np.repeat(a @ b, 9, axis=0), rtol=1e-12)


@pytest.mark.parametrize(("transpose_a", "transpose_b"), FORMS[:3])
@pytest.mark.parametrize(("m", "k", "n"), [(7, 9, 17), (13, 5, 3), (6, 16, 16), (50, 61, 40)])
def test_nothing_around_the_operands_is_read_into_the_result(m, k, n, transpose_a, transpose_b):
    """The operands are surrounded by NaN, so reading one number beyond an edge would show."""
    a, b = operands(m, k, n, np.float32, transpose_a, transpose_b)

    def in_nans(inner):
        larger = np.full((inner.shape[0] + 2, inner.shape[1] + 40), np.nan, np.float32)
        larger[1:-1, 20:-20] = inner
        return larger[1:-1, 20:-20]

    c = kernels.matmul(in_nans(a), in_nans(b), transpose_a=transpose_a, transpose_b=transpose_b)
    assert_close(c, exact(a, b, transpose_a, transpose_b), k, np.float32)


@pytest.mark.parametrize(("transpose_a", "transpose_b"), FORMS[:3])
@pytest.mark.parametrize(("m", "k", "n"), [(7, 9, 17), (13, 5, 3), (6, 16, 24), (50, 61, 40)])
def test_nothing_around_the_result_is_written(m, k, n, transpose_a, transpose_b):
    a, b = operands(m, k, n, np.float32, transpose_a, transpose_b)
    larger = np.full((m + 2, n + 40), 7, np.float32)
    c = larger[1:-1, 20:-20]
    pool = threads.pool_of(np.dtype(np.float32))
    pool.run(tasks.describe_matmul, a, np.int64(transpose_a), b, np.int64(transpose_b), c)
    assert_close(c, exact(a, b, transpose_a, transpose_b), k, np.float32)
    c[:] = 7
    assert (larger == 7).all()


def test_nan_and_infinity_go_where_they_go_in_numpy():
    a, b = operands(9, 20, 17, np.float32)
    a[2, 3], a[4, 5], b[7, 11] = np.nan, np.inf, -np.inf
    with np.errstate(invalid="ignore"):
        expected = a @ b
    np.testing.assert_array_equal(np.isnan(kernels.matmul(a, b)), np.isnan(expected))
    np.testing.assert_array_equal(np.isinf(kernels.matmul(a, b)), np.isinf(expected))


@pytest.mark.parametrize(("transpose_a", "transpose_b"), FORMS[:3])
def test_the_bits_do_not_depend_on_the_number_of_threads(transpose_a, transpose_b):
    """Threads share out blocks of C, never a sum: the order of the additions is always the same.

    With so many rows A.T is copied into strips, unless there are so many threads that each block
    has a single panel.
    """
    m, k, n = 530, 500, 170
    assert m * 4 >= products.LONG_STRIDE
    a, b = operands(m, k, n, np.float32, transpose_a, transpose_b)
    results = []
    for count in (1, 2, 3, 7):
        pool = threads.Pool(np.dtype(np.float32), count)
        c = np.empty((m, n), np.float32)
        pool.run(tasks.describe_matmul, a, np.int64(transpose_a), b, np.int64(transpose_b), c)
        pool.stop()
        results.append(c)
    for c in results[1:]:
        np.testing.assert_array_equal(c, results[0])


@cached()
def work_alone(job_tasks, chunks, scratch, tile_rows, kind):
    """What `threads.work` does for a product; compiles for another width in a few seconds, which
    numba's cache saves the next run of the tests."""
    task = task_at(job_tasks, 0)
    for chunk in range(chunks):
        if task.operation == tasks.SPARSE:
            sparse_chunk(task, chunk, kind)
        else:
            product_chunk(task, chunk, scratch, tile_rows, kind)


WIDTHS = [
    *[(np.float32, lanes) for lanes in (4, 8, 16)],
    *[(np.float64, lanes) for lanes in (2, 4, 8)],
]
widths = pytest.mark.parametrize(("dtype", "lanes"), WIDTHS)


@pytest.mark.skipif(config.DISABLE_JIT, reason="without the compiler there are no registers")
@widths
def test_register_widths_of_other_machines(dtype, lanes):
    """NEON, SSE, AVX2 and AVX-512; LLVM splits or joins registers where there are none."""
    pool = threads.Pool(np.dtype(dtype), 1, lanes)
    _, _, job_tasks, scratch = pool.buffers
    for m, k, n in [(1, 1, 1), (25, 19, 70), (14, 405, 33), (140, 30, 200), (530, 9, 70)]:
        for transpose_a, transpose_b in FORMS[:3]:
            a, b = operands(m, k, n, dtype, transpose_a, transpose_b)
            c = np.full((m, n), np.nan, dtype)
            chunks = tasks.describe_matmul(
                job_tasks, 4, pool.kind, a, np.int64(transpose_a), b, np.int64(transpose_b), c
            )
            work_alone(job_tasks, chunks, scratch, pool.tile_rows, pool.kind)
            assert_close(c, exact(a, b, transpose_a, transpose_b), k, dtype)


def full_and_sparse(pool, a, b, transposed, bias):
    """A B + bias with and without the zeros of A, A.T for A if transposed -> the bits of both."""
    _, _, job_tasks, scratch = pool.buffers
    task, found = pool.buffers.tasks[0], []
    for sparse in (False, True):
        c = np.full((a.shape[transposed], b.shape[1]), np.nan, a.dtype)
        chunks = tasks.describe_matmul(
            job_tasks, 1, pool.kind, a, np.int64(transposed), b, np.int64(0), c
        )
        task["bias"] = bias.ctypes.data
        if sparse:
            task["operation"], task["row_blocks"] = tasks.SPARSE, 3
            task["column_blocks"] = -(-c.shape[1] // sparse_products.SPARSE_COLUMNS)
            chunks = 3 * int(task["column_blocks"])
        work_alone(job_tasks, chunks, scratch, pool.tile_rows, pool.kind)
        found.append(c.view(f"u{c.itemsize}"))
    return found


@pytest.mark.skipif(config.DISABLE_JIT, reason="without the compiler there are no registers")
@widths
def test_leaving_out_zeros_changes_no_bit_at_any_edge(dtype, lanes):
    """Columns around halves of a register, one and several registers, strips of them and chunks; k
    around the words in which numbers are found, and in two steps; all, some or none of the numbers
    0; infinity, NaN, -0.0 and numbers too small for all their digits."""
    pool, rng = threads.Pool(np.dtype(dtype), 1, lanes), np.random.default_rng(0)
    strip = 8 * lanes
    columns = {
        1,
        lanes // 2,
        lanes - 1,
        lanes,
        lanes + 1,
        lanes + lanes // 2,
        2 * lanes + 1,
        strip,
        strip + lanes - 1,
        2 * strip + 1,
    }
    special = [np.inf, -np.inf, np.nan, -0.0, np.finfo(dtype).tiny / 8]
    for n, k in itertools.product([*sorted(columns), 1030], (1, 63, 65, 130, 405)):
        for transposed, share in itertools.product((0, 1), (0, 0.2, 1)):
            a, b = operands(19, k, n, dtype, transposed)
            a *= rng.random(a.shape) < share
            if share == 1:
                a.flat[: len(special)] = special
            bias = rng.standard_normal(n).astype(dtype)
            full, sparse = full_and_sparse(pool, a, b, transposed, bias)
            np.testing.assert_array_equal(full, sparse, err_msg=f"{(n, k, transposed, share)}")


@pytest.mark.parametrize("dtype", DTYPES)
def test_leaving_out_zeros_changes_no_bit_of_a_few_products(dtype):
    """Also for the plain Python behind the kernels."""
    pool = threads.Pool(np.dtype(dtype), 1, 4)
    for n, transposed, share in itertools.product((1, 6, 8, 33), (0, 1), (0, 0.2)):
        a, b = operands(3, 67, n, dtype, transposed)
        a *= np.random.default_rng(0).random(a.shape) < share
        full, sparse = full_and_sparse(pool, a, b, transposed, np.ones(n, dtype))
        np.testing.assert_array_equal(full, sparse, err_msg=f"{(n, transposed, share)}")


def test_the_width_is_this_machines():
    assert kernels.machine_lanes() in (4, 8, 16)
    assert threads.pool_of(np.dtype(np.float32)).kind.ndim == kernels.machine_lanes()
    assert threads.pool_of(np.dtype(np.float64)).kind.ndim == kernels.machine_lanes() // 2


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (np.zeros((2, 3)), np.zeros((2, 3))),
        (np.zeros(3), np.zeros((3, 2))),
        (np.zeros((2, 3), complex), np.zeros((3, 2))),
        (np.zeros((2, 3), np.float16), np.zeros((3, 2), np.float16)),
    ],
    ids=["mismatched", "a vector", "complex", "half precision"],
)
def test_what_does_not_fit_is_refused_in_one_line(a, b):
    for multiply in (kernels.matmul, plain_products.naive):
        with pytest.raises(MinivaeError) as caught:
            multiply(a, b)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "step", [plain_products.naive, plain_products.by_rows, plain_products.blocked]
)
@pytest.mark.parametrize(("m", "k", "n"), [(1, 1, 1), (5, 9, 7), (4, 8, 16), (3, 0, 2), (0, 2, 0)])
def test_each_step_of_the_lesson_is_a_product(step, m, k, n, dtype):
    a, b = operands(m, k, n, dtype)
    assert_close(step(a, b), exact(a, b), k, dtype)

"""What only the numba backend has: its own elementary functions, activations, omitted zeros."""

import numpy as np
import pytest
from numba import config, njit

from minivae import kernels, ops
from minivae.kernels import activations, elementary, sparse_products, tasks

# ---- elementary functions --------------------------------------------------------------------


@njit(error_model="numpy")  # not cached: numba's cache would not see an edit in elementary.py
def each(x, out, which):
    for j in range(len(x)):
        if which == 0:
            out[j] = elementary.exp(x[j])
        elif which == 1:
            out[j] = elementary.expm1(x[j])
        elif which == 2:
            out[j] = elementary.log1p_unit(x[j])
        elif which == 3:
            out[j] = elementary.tanh(x[j])
        else:
            out[j] = elementary.expm1_minus(x[j])


def all_over_float32():
    """One in some thousand of all float32: all magnitudes, infinities, many NaNs."""
    step = 100_003 if config.DISABLE_JIT else 4_099
    bits = np.arange(0, 2**32, step, np.uint64).astype(np.uint32)
    special = np.array([0, -0.0, np.inf, -np.inf, np.nan, 1, -1, 88.7, 88.73, -87.3, -103.9, -104])
    return np.concatenate([bits.view(np.float32), special.astype(np.float32)])


def units_off(result, exact):
    """The largest error, in units in the last place (those of normal numbers) of a float32."""
    exact32 = exact.astype(np.float32)
    unit = np.spacing(np.maximum(np.abs(exact32), np.finfo(np.float32).tiny))
    finite = np.isfinite(exact32)
    np.testing.assert_array_equal(result[~finite], exact32[~finite])  # NaN is NaN, inf is inf
    return (np.abs(result[finite] - exact[finite]) / unit[finite]).max()


@pytest.mark.parametrize(
    ("which", "function", "bound"),
    [(0, np.exp, 2), (1, np.expm1, 2), (2, np.log1p, 3), (3, np.tanh, 4), (4, ops.expm1_minus, 10)],
    ids=["exp", "expm1", "log1p", "tanh", "expm1 - x"],
)
def test_elementary_functions_over_the_whole_range_of_float32(which, function, bound):
    """The errors that `elementary.py` states, against NumPy in float64; a NaN stays a NaN.

    log(1 + x) is tested for 0 <= x <= 1, the range of exp(-|l|), and for NaN.
    """
    x = all_over_float32()
    if which == 2:
        x = np.concatenate([x[(x >= 0) & (x <= 1)], [np.float32(np.nan)]])
    out = np.empty_like(x)
    each(x, out, which)
    with np.errstate(all="ignore"):
        exact = function(x.astype(np.float64))
        assert units_off(out, exact) <= bound


def test_softplus_and_sigmoid_over_the_whole_range_of_float32():
    """In the Bernoulli likelihood: log(1 + exp(l)) and 1 / (1 + exp(-l)), never NaN."""
    l = all_over_float32()
    l = l[np.isfinite(l)]
    nll, cache = kernels.bernoulli_nll_forward(l[:, None], np.zeros((len(l), 1), np.float32))
    with np.errstate(over="ignore"):
        softplus = np.logaddexp(0, l.astype(np.float64))
        sigmoid = 1 / (1 + np.exp(-l.astype(np.float64)))
    assert units_off(nll, softplus) <= 4
    assert units_off(cache.residual[:, 0], sigmoid) <= 4
    assert units_off(kernels.sigmoid(l), sigmoid) <= 4


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_nan_anywhere_shows_in_every_result_it_belongs_to(dtype):
    """One NaN at a time, in each lane of a register and in the remainder of a row."""
    for place in (0, 7, 15, 16, 36):
        logits = np.ones((1, 37), dtype)
        logits[0, place] = np.nan
        nll, cache = kernels.bernoulli_nll_forward(logits, np.ones((1, 37), dtype))
        assert np.isnan(nll[0])
        np.testing.assert_array_equal(np.isnan(cache.residual), np.isnan(logits))
        for activation in kernels.ACTIVATIONS:
            bias = np.where(np.arange(37) == place, np.nan, 1).astype(dtype)
            y, _ = kernels.dense_forward(
                np.ones((3, 2), dtype), np.ones((2, 37), dtype), bias, activation
            )
            np.testing.assert_array_equal(np.isnan(y), np.repeat(np.isnan(bias)[None], 3, axis=0))
        x, W, dy = np.ones((3, 2), dtype), np.ones((2, 37), dtype), np.ones((3, 37), dtype)
        for activation in activations.ACTIVATION_FUNCTIONS:
            bias = np.where(np.arange(37) == place, np.nan, -1).astype(dtype)
            _, cache = kernels.dense_forward(x, W, bias, activation)
            _, dW, db = kernels.dense_backward(dy, cache)
            np.testing.assert_array_equal(np.isnan(db), np.isnan(bias))
            np.testing.assert_array_equal(np.isnan(dW), np.repeat(np.isnan(bias)[None], 2, axis=0))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_an_infinite_logit_in_any_lane_costs_what_it_should(dtype):
    """0 where the pixel agrees with its sign, else infinity; in registers and in remainders."""
    for place in (0, 7, 15, 16, 36):
        for logit, right in ((np.inf, 1), (-np.inf, 0)):
            logits, x = np.zeros((2, 1, 37), dtype)
            logits[0, place], x[0, place] = logit, right
            nll, cache = kernels.bernoulli_nll_forward(logits, x)
            np.testing.assert_allclose(nll, 36 * np.log(2), rtol=1e-6)
            assert cache.residual[0, place] == 0
            x[0, place] = 1 - right
            nll, cache = kernels.bernoulli_nll_forward(logits, x)
            assert nll[0] == np.inf
            assert cache.residual[0, place] == (-1) ** (1 - right)


# ---- activations -----------------------------------------------------------------------------


def outputs_and_slopes(a, activation):
    """f(a) and f'(a) of a row of numbers, through the dense layer."""
    one = np.ones((1, 1), a.dtype)
    y, cache = kernels.dense_forward(one, np.zeros((1, len(a)), a.dtype), a, activation)
    _, _, db = kernels.dense_backward(np.ones_like(y), cache)
    return y[0], db


def softplus(a):
    return np.maximum(a, 0) + np.log1p(np.exp(-np.abs(a)))


def test_softplus_over_the_whole_range_of_float32():
    """Also where exp(a) overflows, and where it underflows; a NaN stays a NaN."""
    a = all_over_float32()
    y, slope = outputs_and_slopes(a, "softplus")
    with np.errstate(all="ignore"):
        assert units_off(y, softplus(a.astype(np.float64))) <= 4
        assert units_off(slope, -np.expm1(-y.astype(np.float64))) <= 2
    np.testing.assert_array_equal(np.isnan(slope), np.isnan(a))


def test_softplus_in_float64_is_as_accurate_as_numpy():
    a = np.concatenate([np.linspace(-40, 40, 2001), [-800, 800, -np.inf, np.inf, 0, 1e-300]])
    y, slope = outputs_and_slopes(a, "softplus")
    np.testing.assert_allclose(y, softplus(a), rtol=4e-16)
    with np.errstate(over="ignore"):
        np.testing.assert_allclose(slope, 1 / (1 + np.exp(-a)), rtol=4e-15)


@pytest.mark.parametrize(("rows", "inputs", "outputs"), [(1, 1, 1), (7, 33, 17), (130, 401, 70)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_softplus_layer_and_its_gradients(rows, inputs, outputs, dtype):
    """Against the formulas in float64, at the edges of tiles and blocks, and without the zeros."""
    rng = np.random.default_rng(0)
    for zeros in (0, 0.9):
        x = rng.standard_normal((rows, inputs)) * (rng.random((rows, inputs)) >= zeros)
        W = rng.standard_normal((inputs, outputs)) / inputs**0.5
        b, dy = rng.standard_normal(outputs), rng.standard_normal((rows, outputs))
        x, W, b, dy = (v.astype(dtype) for v in (x, W, b, dy))
        y, cache = kernels.dense_forward(x, W, b, "softplus")
        results = y, *kernels.dense_backward(dy, cache)
        x, W, b, dy = (v.astype(np.float64) for v in (x, W, b, dy))
        a = x @ W + b
        da = dy / (1 + np.exp(-a))
        expected = softplus(a), da @ W.T, x.T @ da, da.sum(axis=0)
        for result, right in zip(results, expected, strict=True):
            atol = 60 * np.finfo(dtype).eps * np.abs(right).max()
            np.testing.assert_allclose(result, right, rtol=0, atol=atol)


# ---- loops in chunks -------------------------------------------------------------------------


@pytest.mark.parametrize("rows", [1, 1500, 4001])
def test_the_loops_over_latents_are_right_in_one_chunk_and_in_several(rows):
    """Each number once, in the right place: also with two samples, and with dkl as one row."""
    rng = np.random.default_rng(0)
    mu, logvar, dmu = rng.standard_normal((3, rows, 7))
    assert 4001 * 7 > 3 * tasks.ROWS_CHUNK
    eps, dz = rng.standard_normal((2, 2, rows, 7))
    dkl = rng.standard_normal((rows, 7))

    def results(backend):
        z, c_z = backend.reparam_forward(mu, logvar, eps)
        kl, c_kl = backend.gaussian_kl_forward(mu, logvar)
        _, c_tanh = backend.dense_forward(mu, np.eye(7), np.zeros(7), "tanh")
        one_row, all_rows = (backend.gaussian_kl_backward(d, c_kl) for d in (dkl[0], dkl))
        return [z, kl, *backend.reparam_backward(dz, c_z), *one_row, *all_rows,
                backend.dense_backward(dmu, c_tanh)[0]]  # fmt: skip

    for got, wanted in zip(results(kernels), results(ops), strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-12, atol=1e-13)


# ---- zeros left out --------------------------------------------------------------------------


def with_and_without_zeros(rng, bias, dtype):
    """Two y (50, 90) and dW (1500, 90) of the same layer: zeros left out, and all of the sums done.

    All are done where the weights are not finite: here in one column more, which is cut off.
    """
    x = (rng.standard_normal((50, 1500)) * (rng.random((50, 1500)) < 0.2)).astype(dtype)
    W, dy = rng.standard_normal((1500, 90)).astype(dtype), rng.standard_normal((50, 90))
    assert sparse_products.is_mostly_zeros(x.ravel())
    assert x.size * 90 > tasks.SMALL_PRODUCT
    results = []
    for last in (None, np.inf):
        if last is not None:
            column = np.full((1500, 1), last, dtype)
            W, dy = np.hstack([W, column]), np.hstack([dy, column[:50]])
            bias = np.append(bias, dtype(0))
        y, cache = kernels.dense_forward(x, W, bias.astype(dtype), "none")
        dW = kernels.dense_backward(dy.astype(dtype), cache, need_dx=False)[1]
        results.append((y[:, :90], dW[:, :90]))
    return zip(*results, strict=True)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_leaving_out_zeros_changes_no_bit(dtype):
    """Over several steps in k, in the forward pass and in dW."""
    rng = np.random.default_rng(0)
    for sparse, full in with_and_without_zeros(rng, rng.standard_normal(90), dtype):
        assert sparse.tobytes() == full.tobytes()


def test_a_bias_of_minus_zero_may_keep_its_sign_and_nothing_else_changes():
    """-0.0 + 0 w is 0.0 or -0.0, by the sign of w, where all inputs are 0: equal numbers."""
    x, bias = np.zeros((50, 200), np.float32), np.full(90, -0.0, np.float32)
    y, _ = kernels.dense_forward(x, np.ones((200, 90), np.float32), bias, "none")
    assert (y == 0).all()
    assert np.signbit(y).all()
    full, _ = kernels.dense_forward(x, np.ones((200, 6), np.float32), bias[:6], "none")
    assert (full == 0).all()
    assert not np.signbit(full).any()


@pytest.mark.parametrize("rows", [20, 64, 100, 128, 256, 500, 512])
def test_mostly_zeros_is_not_judged_by_one_column(rows):
    """A sample taken at multiples of a row would consist of the corner of each image only."""
    corner = np.zeros((rows, 784), np.float32)
    corner[:, 0] = 1
    assert sparse_products.is_mostly_zeros(corner.ravel())
    assert not sparse_products.is_mostly_zeros(1 - corner.ravel())

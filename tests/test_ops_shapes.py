"""The forward/backward pairs: dtypes and shapes, and inputs that stay as they are."""

import numpy as np
import pytest
from random_models import DTYPES, B, D, K, L, draw, pixels


def every_result(ops, dtype):
    """(name, array, its shape) of every output of every pair."""
    x, logits, mean = (a.astype(dtype) for a in (pixels(B, D), draw(B, D), draw(B, D)))
    mu, logvar, eps = (draw(B, L, seed=s, dtype=dtype) for s in (1, 2, 3))
    eps_k, logits_k = draw(K, B, L, dtype=dtype), draw(K, B, D, dtype=dtype)
    out_logvar, W, b = np.array([0.4], dtype), draw(D, L, dtype=dtype), draw(L, dtype=dtype)

    y, cache = ops.dense_forward(x, W, b, "tanh")
    dx, dW, db = ops.dense_backward(y, cache)
    yield from (("y", y, (B, L)), ("dx", dx, (B, D)), ("dW", dW, (D, L)), ("db", db, (L,)))
    for noise, shape in ((eps, (B, L)), (eps_k, (K, B, L))):
        z, cache = ops.reparam_forward(mu, logvar, noise)
        dmu, dlogvar = ops.reparam_backward(noise, cache)
        yield from (("z", z, shape), ("dmu", dmu, (B, L)), ("dlogvar", dlogvar, (B, L)))
    kl, cache = ops.gaussian_kl_forward(mu, logvar)
    yield "kl", kl, (B, L)
    for dkl in (kl, kl[0]):
        dmu, dlogvar = ops.gaussian_kl_backward(dkl, cache)
        yield from (("dmu", dmu, (B, L)), ("dlogvar", dlogvar, (B, L)))
    for out, shape in ((logits, (B,)), (logits_k, (K, B))):
        nll, cache = ops.bernoulli_nll_forward(out, x)
        yield "nll", nll, shape
        yield "dlogits", ops.bernoulli_nll_backward(nll, cache), out.shape
        nll, cache = ops.gaussian_nll_forward(out, out_logvar, x)
        dmean, dlogvar = ops.gaussian_nll_backward(nll, cache)
        yield from (("nll", nll, shape), ("dmean", dmean, out.shape), ("d", dlogvar, (1,)))
    yield "sigmoid", ops.sigmoid(mean), (B, D)


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_result_has_its_inputs_dtype_and_the_promised_shape(ops, dtype):
    """A float64 constant somewhere would halve the speed of training, silently."""
    for name, array, shape in every_result(ops, dtype):
        assert array.dtype == dtype, name
        assert array.shape == shape, name


def test_k_samples_are_k_batches(ops):
    """A leading K axis is a loop over K; what the samples share gets the sum of their gradients."""
    mu, logvar, eps, dz = draw(B, L), draw(B, L, seed=1), draw(K, B, L), draw(K, B, L, seed=2)
    z, cache = ops.reparam_forward(mu, logvar, eps)
    each = [ops.reparam_forward(mu, logvar, e) for e in eps]
    np.testing.assert_allclose(z, [z for z, _ in each], rtol=1e-14)
    grads = [ops.reparam_backward(d, c) for d, (_, c) in zip(dz, each, strict=True)]
    for total, parts in zip(ops.reparam_backward(dz, cache), zip(*grads, strict=True), strict=True):
        np.testing.assert_allclose(total, np.sum(parts, axis=0), rtol=1e-12)

    out, x, logvar, dnll = draw(K, B, D), pixels(B, D), np.array([0.2]), draw(K, B, seed=4)
    nll, cache = ops.bernoulli_nll_forward(out, x)
    each = [ops.bernoulli_nll_forward(o, x) for o in out]
    np.testing.assert_allclose(nll, [n for n, _ in each], rtol=1e-13)
    np.testing.assert_allclose(
        ops.bernoulli_nll_backward(dnll, cache),
        [ops.bernoulli_nll_backward(d, c) for d, (_, c) in zip(dnll, each, strict=True)],
        rtol=1e-12,
    )
    nll, cache = ops.gaussian_nll_forward(out, logvar, x)
    each = [ops.gaussian_nll_forward(o, logvar, x) for o in out]
    np.testing.assert_allclose(nll, [n for n, _ in each], rtol=1e-13)
    dmean, dlogvar = ops.gaussian_nll_backward(dnll, cache)
    grads = [ops.gaussian_nll_backward(d, c) for d, (_, c) in zip(dnll, each, strict=True)]
    np.testing.assert_allclose(dmean, [g for g, _ in grads], rtol=1e-12)
    np.testing.assert_allclose(dlogvar, np.sum([g for _, g in grads], axis=0), rtol=1e-12)


@pytest.mark.parametrize("dtype", DTYPES)
def test_dense_writes_into_the_arrays_it_is_given(ops, dtype):
    """The gradients of all layers live in one flat vector, of which `out` are views."""
    flat = np.full(D * L + L, np.nan, dtype)
    out = flat[: D * L].reshape(D, L), flat[D * L :]
    x, W, b = pixels(B, D, dtype=dtype), draw(D, L, dtype=dtype), draw(L, dtype=dtype)
    y, cache = ops.dense_forward(x, W, b, "tanh")
    _, dW, db = ops.dense_backward(y, cache)
    dx, dW_out, db_out = ops.dense_backward(y, cache, out=out, need_dx=False)
    assert dx is None
    assert np.shares_memory(dW_out, flat)
    assert np.shares_memory(db_out, flat)
    np.testing.assert_array_equal(flat, np.concatenate([dW.ravel(), db]))


def test_forward_and_backward_leave_their_inputs_alone(ops):
    x, W, b, dy = pixels(B, D), draw(D, L), draw(L), draw(B, L)
    mu, logvar, eps = draw(B, L), draw(B, L, seed=1), draw(B, L, seed=2)
    logits, out_logvar, dnll = draw(B, D), np.array([0.3]), draw(B)
    arrays = (x, W, b, dy, mu, logvar, eps, logits, out_logvar, dnll)
    before = [a.copy() for a in arrays]
    ops.dense_backward(dy, ops.dense_forward(x, W, b, "relu")[1])
    ops.reparam_backward(dy, ops.reparam_forward(mu, logvar, eps)[1])
    ops.gaussian_kl_backward(dy, ops.gaussian_kl_forward(mu, logvar)[1])
    ops.bernoulli_nll_backward(dnll, ops.bernoulli_nll_forward(logits, x)[1])
    ops.gaussian_nll_backward(dnll, ops.gaussian_nll_forward(logits, out_logvar, x)[1])
    ops.sigmoid(logits)
    for array, copy in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(array, copy)

"""Digits that cancellation and long sums would lose."""

import mpmath
import numpy as np
import pytest
from random_models import DTYPES, draw

from minivae import ops as numpy_ops
from minivae import vae
from minivae.gradcheck.differences import COMPLEX_H


def kl_inputs(dtype):
    """logvar from 1e-30 (float32: 1e-15) to 80, of both signs, and closely around 1/4, where the
    formula changes."""
    rng = np.random.default_rng(0)
    sizes = 10.0 ** rng.uniform(-15 if dtype == np.float32 else -30, 1.9, 1000)
    return np.concatenate([sizes, -sizes, np.linspace(-0.3, 0.3, 1000)]).astype(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_kl_keeps_its_digits_however_near_the_prior_is(ops, dtype):
    """To 6 eps: exp(l) - 1 - l, written with expm1, is 1 per cent off in float32 at l = 1e-5."""
    logvar = kl_inputs(dtype)
    kl, _ = ops.gaussian_kl_forward(np.zeros_like(logvar)[None], logvar[None])
    with mpmath.workdps(60):
        numbers = [mpmath.mpf(float(v)) for v in logvar]
        exact = [(mpmath.expm1(l) - l) / 2 for l in numbers]
        errors = [abs(mpmath.mpf(float(v)) / e - 1) for v, e in zip(kl[0], exact, strict=True)]
    assert max(errors) < 6 * np.finfo(dtype).eps
    zero = np.zeros((1, 1), dtype)
    assert ops.gaussian_kl_forward(zero, zero)[0] == 0


def test_the_complex_step_of_a_kl_is_right_near_the_prior():
    """Both formulas, on either side of the change, must take complex logvar."""
    logvar = kl_inputs(np.float64)[None]
    kl, cache = numpy_ops.gaussian_kl_forward(0 * logvar, logvar + 1j * COMPLEX_H)
    _, dlogvar = numpy_ops.gaussian_kl_backward(
        np.ones_like(logvar), cache._replace(mu=0 * logvar, logvar=logvar)
    )
    seen = np.abs(logvar) > 1e-15  # below, COMPLEX_H times the slope leaves the range of float64
    np.testing.assert_allclose(kl.imag[seen] / COMPLEX_H, dlogvar[seen], rtol=1e-14)


def test_sums_over_many_rows_keep_their_digits(ops):
    """60,000 float32 rows: added one after the other, the gradients are off by more than 1e-4."""
    dy = np.full((60_000, 3), [0.1, 1 / 3, 0.7], np.float32)
    x, W, b = np.ones((len(dy), 2)), np.zeros((2, 3)), np.zeros(3)
    _, cache = ops.dense_forward(*(a.astype(np.float32) for a in (x, W, b)), "none")
    _, dW, db = ops.dense_backward(dy, cache)
    exact = dy.sum(axis=0, dtype=np.float64)
    np.testing.assert_allclose(db, exact, rtol=1e-5)
    np.testing.assert_allclose(dW, [exact, exact], rtol=1e-5)
    in_order = np.cumsum(dy, axis=0, dtype=np.float32)[-1]
    assert np.abs(in_order / exact - 1).max() > 1e-4


def test_a_layer_of_many_inputs_keeps_its_digits(ops):
    """The sum over 60,000 float32 inputs, some of them zeros or not."""
    for some in (1, 0.2):
        x = np.zeros((8, 60_000), np.float32)
        x[:, np.random.default_rng(0).random(60_000) < some] = 1
        W = np.full((60_000, 3), [0.1, 1 / 3, 0.7], np.float32)
        y, _ = ops.dense_forward(x, W, np.zeros(3, np.float32), "none")
        np.testing.assert_allclose(y, x.astype(np.float64) @ W, rtol=1e-5)


@pytest.mark.parametrize("n", [0, 1, 255, 256, 257, 1000])
def test_sum_rows_adds_every_row_once(n):
    a = np.arange(2 * n).reshape(n, 2) + 1j * n
    np.testing.assert_array_equal(numpy_ops.sum_rows(a), a.sum(axis=0))
    few = draw(min(n, 255), 3, dtype=np.float32)
    np.testing.assert_array_equal(numpy_ops.sum_rows(few), few.sum(axis=0))  # to the bit


def test_the_mean_kl_of_many_examples_keeps_its_digits():
    """The loss of 60,000 examples: the mean over the batch, latent by latent."""
    kl = np.full((60_000, 2), [0.1, 0.7], np.float32)
    terms, _ = vae.elbo_loss(np.zeros(len(kl), np.float32), kl, 1.0, vae.Spec(4, (), 2))
    assert terms.kl == pytest.approx(float(np.float32(0.1)) + float(np.float32(0.7)), rel=4e-6)

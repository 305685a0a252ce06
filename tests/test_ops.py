"""The forward/backward pairs: values against exact arithmetic, extremes, Adam.

Everything but complex input is asked of each backend.
"""

from functools import partial

import mpmath
import numpy as np
import pytest
from random_models import DTYPES, B, D, L, draw, pixels

from minivae import ops as numpy_ops
from minivae.backend import BACKENDS, load_backend
from minivae.gradcheck.differences import COMPLEX_H, block_error

EVERY_ACTIVATION = [
    pytest.param(load_backend(backend), activation, id=f"{backend}-{activation}")
    for backend in BACKENDS
    for activation in load_backend(backend).ACTIVATIONS
]


# ---- values ----------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("ops", "activation"), EVERY_ACTIVATION)
def test_dense_is_its_sums_written_out(ops, activation, dtype):
    x, W, b, dy = draw(B, D), draw(D, L, seed=1), draw(L, seed=2), draw(B, L, seed=3)
    f, slope = {
        "tanh": (np.tanh, lambda a: 1 - np.tanh(a) ** 2),
        "relu": (lambda a: np.maximum(a, 0), lambda a: (a > 0) * 1.0),
        "softplus": (lambda a: np.log(1 + np.exp(a)), lambda a: 1 / (1 + np.exp(-a))),
        "none": (lambda a: a, np.ones_like),
    }[activation]
    a = np.array(
        [[sum(x[n, i] * W[i, o] for i in range(D)) + b[o] for o in range(L)] for n in range(B)]
    )
    da = dy * slope(a)
    y, cache = ops.dense_forward(*(v.astype(dtype) for v in (x, W, b)), activation)
    dx, dW, db = ops.dense_backward(dy.astype(dtype), cache)
    tolerance = 20 * np.finfo(dtype).eps
    for value, expected in (
        (y, f(a)),
        (dx, np.einsum("no,io->ni", da, W)),
        (dW, np.einsum("ni,no->io", x, da)),
        (db, np.einsum("no->o", da)),
    ):
        assert value.shape == expected.shape
        assert block_error(value, expected) < tolerance


def reference_losses(logits, mu, logvar, x):
    """(nll, kl) per example in 40 digits, from the same numbers: no overflow, no cancelling."""
    with mpmath.workdps(40):

        def softplus(l):
            return mpmath.log1p(mpmath.exp(l))

        nll = [
            sum(
                softplus(mpmath.mpf(float(l))) - mpmath.mpf(float(v)) * mpmath.mpf(float(l))
                for l, v in zip(row, image, strict=True)
            )
            for row, image in zip(logits, x, strict=True)
        ]
        kl = [
            sum(
                (
                    mpmath.mpf(float(m)) ** 2
                    + mpmath.expm1(mpmath.mpf(float(lv)))
                    - mpmath.mpf(float(lv))
                )
                / 2
                for m, lv in zip(ms, lvs, strict=True)
            )
            for ms, lvs in zip(mu, logvar, strict=True)
        ]
        return [float(v) for v in nll], [float(v) for v in kl]


@pytest.mark.parametrize(
    ("scale", "binary"), [(1e-4, False), (1.0, True), (30.0, False), (1e4, True), (1e4, False)]
)
def test_float32_losses_match_extended_precision(ops, scale, binary):
    """Given the same float32 logits, mu and logvar, to 1e-6 * max(1, |loss|)."""
    logits = draw(2, 100, scale=scale, dtype=np.float32)
    mu, logvar = (draw(2, 20, seed=s, scale=min(scale, 20), dtype=np.float32) for s in (1, 2))
    x = pixels(2, 100, seed=3, dtype=np.float32)
    x = (x < 0.3).astype(np.float32) if binary else x
    nll, _ = ops.bernoulli_nll_forward(logits, x)
    kl, _ = ops.gaussian_kl_forward(mu, logvar)
    exact_nll, exact_kl = reference_losses(logits, mu, logvar, x)
    for value, exact in ((nll, exact_nll), (kl.sum(axis=1), exact_kl)):
        assert np.all(np.abs(value - exact) <= 1e-6 * np.maximum(1, np.abs(exact)))
    loss, exact = nll.mean() + kl.mean(axis=0).sum(), np.mean(exact_nll) + np.mean(exact_kl)
    assert abs(loss - exact) <= 1e-6 * max(1, abs(exact))


def test_float32_gaussian_loss_matches_extended_precision(ops):
    mean, x = draw(2, 100, dtype=np.float32), pixels(2, 100, dtype=np.float32)
    for logvar in (-11.0, -0.3, 4.0):
        nll, _ = ops.gaussian_nll_forward(mean, np.array([logvar], np.float32), x)
        with mpmath.workdps(40):
            logvar = mpmath.mpf(float(np.float32(logvar)))
            exact = [
                float(
                    sum(
                        (mpmath.mpf(float(v)) - mpmath.mpf(float(m))) ** 2 / mpmath.exp(logvar)
                        + logvar
                        + mpmath.log(2 * mpmath.pi)
                        for m, v in zip(ms, vs, strict=True)
                    )
                    / 2
                )
                for ms, vs in zip(mean, x, strict=True)
            ]
        assert np.all(np.abs(nll - exact) <= 1e-6 * np.maximum(1, np.abs(exact)))


def test_a_kl_near_the_prior_does_not_cancel(ops):
    """exp(v) - 1 - v is v^2 / 2 here: computed as written it would lose all of its digits."""
    logvar = np.full((1, 1), 1e-6)
    kl, cache = ops.gaussian_kl_forward(np.zeros((1, 1)), logvar)
    assert kl.item() == pytest.approx(2.5e-13, rel=1e-3)
    _, dlogvar = ops.gaussian_kl_backward(np.ones((1, 1)), cache)
    assert dlogvar.item() == pytest.approx(5e-7, rel=1e-5)


def test_sigmoid_is_one_half_at_zero_and_odd_around_it(ops):
    logits = draw(50, scale=10)
    np.testing.assert_allclose(ops.sigmoid(logits) + ops.sigmoid(-logits), 1, rtol=1e-14)
    assert ops.sigmoid(np.zeros(1)).item() == 0.5
    assert ops.sigmoid(np.array([2.0])).item() == pytest.approx(0.8807970779778823, rel=1e-14)


def test_an_unknown_activation_is_refused():
    with pytest.raises(ValueError, match="must be one of"):
        numpy_ops.dense_forward(draw(B, D), draw(D, L), draw(L), "gelu")


# ---- extremes --------------------------------------------------------------------------------


def test_extreme_inputs_stay_finite(ops):
    """Logits of +-1e4 and logvar of +-80: right to rounding, and no overflow on the way."""
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        for dtype in DTYPES:
            logits = np.array([[-1e4, 1e4, -1e4, 1e4, 90, -90]], dtype)
            x = np.array([[0, 1, 1, 0, 0.5, 0.5]], dtype)
            nll, cache = ops.bernoulli_nll_forward(logits, x)
            assert nll.item() == pytest.approx(2e4 + 90, rel=1e-6)
            dlogits = ops.bernoulli_nll_backward(np.ones(1, dtype), cache)
            np.testing.assert_allclose(dlogits, [[0, 0, -1, 1, 0.5, -0.5]], atol=1e-7)
            np.testing.assert_allclose(ops.sigmoid(logits), [[0, 1, 0, 1, 1, 0]], atol=1e-7)

            logvar, mu = np.array([[-80, 80]], dtype), np.array([[1e4, -1e4]], dtype)
            kl, cache = ops.gaussian_kl_forward(mu, logvar)
            exact = [(1e8 + 79) / 2, (np.exp(80) + 1e8) / 2]
            np.testing.assert_allclose(kl[0], exact, rtol=1e-5)
            dmu, dlogvar = ops.gaussian_kl_backward(np.ones(2, dtype), cache)
            np.testing.assert_allclose(dmu, mu)
            np.testing.assert_allclose(dlogvar[0], [-0.5, np.exp(80) / 2], rtol=1e-5)
            z, cache = ops.reparam_forward(mu, logvar, np.ones((1, 2), dtype))
            np.testing.assert_allclose(z[0], [1e4, np.exp(40)], rtol=1e-5)
            dz = np.ones((1, 2), dtype)
            dlogvar = ops.reparam_backward(dz, cache)[1]
            np.testing.assert_allclose(dlogvar[0], [np.exp(-40) / 2, np.exp(40) / 2], rtol=1e-5)


@pytest.mark.parametrize("dtype", DTYPES)
def test_softplus_and_its_slope_are_right_far_from_zero(dtype):
    """log(1 + e^a), computed as written, overflows at 1000 and is 0 below -40."""
    a = np.array([[-np.inf, -1e4, -80, -20, -1e-4, 0, 1e-4, 20, 80, 1e4, np.inf]], dtype)
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        zero = np.zeros((1, 1), dtype)  # a is the bias: infinity * 0 would be NaN
        y, cache = numpy_ops.dense_forward(zero, np.zeros_like(a), a[0], "softplus")
        slope = numpy_ops.dense_backward(np.ones_like(y), cache)[2]
    with mpmath.workdps(40):
        exact = [float(mpmath.log1p(mpmath.exp(mpmath.mpf(float(v))))) for v in a[0, 1:-1]]
        slopes = [float(1 / (1 + mpmath.exp(-mpmath.mpf(float(v))))) for v in a[0, 1:-1]]
    tolerance = 4 * np.finfo(dtype).eps
    np.testing.assert_allclose(y[0], [0, *exact, np.inf], rtol=tolerance)
    np.testing.assert_allclose(slope, [0, *slopes, 1], rtol=tolerance)


def test_a_confident_right_pixel_costs_nothing_and_never_less_than_nothing(ops):
    """The loss is a sum of terms that are never negative; clipped logits would fail here."""
    for dtype in DTYPES:
        logits = np.array([[40.0, -40.0, 1e4, -1e4]], dtype)
        right, _ = ops.bernoulli_nll_forward(logits, np.array([[1, 0, 1, 0]], dtype))
        assert 0 <= right.item() < 1e-15
        wrong, _ = ops.bernoulli_nll_forward(logits, np.array([[0, 1, 0, 1]], dtype))
        assert wrong.item() == pytest.approx(20_080, rel=1e-6)


@pytest.mark.parametrize("dtype", DTYPES)
def test_nan_is_passed_on(ops, dtype):
    """A NaN must reach the loss: no maximum, comparison or clip may replace it by a number."""
    x, logits = pixels(B, D, dtype=dtype), draw(B, D, dtype=dtype)
    W, b = draw(D, L, dtype=dtype), draw(L, dtype=dtype)
    mu, logvar, eps = (draw(B, L, seed=s, dtype=dtype) for s in range(3))
    nan_logits, nan_mu, nan_x = logits.copy(), mu.copy(), x.copy()
    nan_logits[1, 2] = nan_mu[1, 1] = nan_x[1, 2] = np.nan
    for activation in ops.ACTIVATIONS:
        assert np.isnan(ops.dense_forward(nan_x, W, b, activation)[0][1]).all()
    assert np.isnan(ops.reparam_forward(nan_mu, logvar, eps)[0][1, 1])
    assert np.isnan(ops.reparam_forward(mu, nan_mu, eps)[0][1, 1])
    assert np.isnan(ops.gaussian_kl_forward(nan_mu, logvar)[0][1, 1])
    assert np.isnan(ops.gaussian_kl_forward(mu, nan_mu)[0][1, 1])
    for forward in (
        ops.bernoulli_nll_forward,
        lambda mean, x: ops.gaussian_nll_forward(mean, np.zeros(1, dtype), x),
    ):
        for nll, _ in (forward(nan_logits, x), forward(logits, nan_x)):
            assert np.isnan(nll[1])
            assert np.isfinite(nll[[0, 2]]).all()
    assert np.isnan(ops.sigmoid(nan_logits)[1, 2])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("ops", "activation"), EVERY_ACTIVATION)
def test_a_backward_passes_nan_on(ops, activation, dtype):
    """Through the activation's slope, too: relu's mask must not make a 0 of a NaN."""
    x, W, b, dy = (draw(*shape, dtype=dtype) for shape in ((B, D), (D, L), (L,), (B, L)))
    _, cache = ops.dense_forward(x, W, b, activation)
    nan_dy = dy.copy()
    nan_dy[1, 1] = np.nan
    dx, dW, db = ops.dense_backward(nan_dy, cache)
    assert np.isnan(dx[1]).all()
    assert np.isnan(dW[:, 1]).all()
    assert np.isnan(db[1])
    if activation == "none":
        return  # its slope does not depend on y
    nan_b = b.copy()
    nan_b[1] = np.nan
    _, cache = ops.dense_forward(x, W, nan_b, activation)
    dx, dW, db = ops.dense_backward(dy, cache)
    assert np.isnan(dx).all()
    assert np.isnan(dW[:, 1]).all()
    assert np.isnan(db[1])
    assert np.isfinite(dW[:, 0]).all()
    assert np.isfinite(db[0])


@pytest.mark.parametrize("dtype", DTYPES)
def test_an_infinite_logit_costs_nothing_or_infinity(ops, dtype):
    """Certain and right costs 0 nats; certain and wrong, or of a grey pixel, infinitely many."""
    logits = np.array([[np.inf, -np.inf], [np.inf, 1], [-np.inf, 1], [np.inf, 1]], dtype)
    x = np.array([[1, 0], [0, 1], [1, 1], [0.5, 1]], dtype)
    with np.errstate(invalid="raise"):
        nll, cache = ops.bernoulli_nll_forward(logits, x)
    np.testing.assert_array_equal(nll, [0, np.inf, np.inf, np.inf])
    np.testing.assert_array_equal(cache.residual[:, 0], [0, 1, -1, 0.5])
    assert cache.residual[0, 1] == 0
    np.testing.assert_array_equal(ops.sigmoid(logits[:, 0]), [1, 1, 0, 1])


# ---- complex input ---------------------------------------------------------------------------


def test_the_numpy_forwards_differentiate_through_a_complex_step():
    """Each backward is the complex step's slope, along a direction of all inputs at once."""
    x, logits, dnll = pixels(B, D), draw(B, D), draw(B, seed=9)
    W, b, mu, logvar = draw(D, L), draw(L), draw(B, L, seed=1), draw(B, L, seed=2)
    eps, dy = draw(B, L, seed=3), draw(B, L, seed=4)
    pairs = [
        *(
            (
                partial(numpy_ops.dense_forward, activation=f),
                numpy_ops.dense_backward,
                (x, W, b),
                dy,
            )
            for f in numpy_ops.ACTIVATIONS
        ),
        (
            lambda *a: numpy_ops.reparam_forward(*a, eps),
            numpy_ops.reparam_backward,
            (mu, logvar),
            dy,
        ),
        (numpy_ops.gaussian_kl_forward, numpy_ops.gaussian_kl_backward, (mu, logvar), dy),
        (
            lambda l: numpy_ops.bernoulli_nll_forward(l, x),
            numpy_ops.bernoulli_nll_backward,
            (logits,),
            dnll,
        ),
        (
            lambda m, v: numpy_ops.gaussian_nll_forward(m, v, x),
            numpy_ops.gaussian_nll_backward,
            (logits, np.array([0.4])),
            dnll,
        ),
    ]
    for forward, backward, inputs, dy in pairs:
        grads = backward(dy, forward(*inputs)[1])
        grads = grads if isinstance(grads, tuple) else (grads,)
        steps = [draw(*a.shape, seed=5 + i) for i, a in enumerate(inputs)]
        perturbed = (a + 1j * COMPLEX_H * s for a, s in zip(inputs, steps, strict=True))
        slope = (dy * forward(*perturbed)[0].imag).sum() / COMPLEX_H
        by_hand = sum((g * s).sum() for g, s in zip(grads, steps, strict=True))
        assert slope == pytest.approx(by_hand, rel=1e-13)


# ---- Adam ------------------------------------------------------------------------------------


def kingma_and_ba(theta, gradients, alpha, beta1, beta2, epsilon):
    """Algorithm 1 of Kingma and Ba 2015, one parameter and one line of it at a time."""
    theta, m, v = theta.copy(), np.zeros_like(theta), np.zeros_like(theta)
    for t, g in enumerate(gradients, start=1):
        for i in range(len(theta)):
            m[i] = beta1 * m[i] + (1 - beta1) * g[i]
            v[i] = beta2 * v[i] + (1 - beta2) * g[i] ** 2
            m_hat = m[i] / (1 - beta1**t)
            v_hat = v[i] / (1 - beta2**t)
            theta[i] = theta[i] - alpha * m_hat / (np.sqrt(v_hat) + epsilon)
    return theta, m, v


def test_adam_is_the_published_algorithm(ops):
    """Over several steps, with gradients from 1e-6 to 1e2, in place, in both precisions."""
    theta = draw(33)
    gradients = draw(6, 33, seed=1) * 10.0 ** np.linspace(-6, 2, 33)
    for betas, adam_eps in (((0.9, 0.999), 1e-8), ((0.5, 0.7), 1e-4), ((0.99, 0.999), 1e-3)):
        expected = kingma_and_ba(theta, gradients, 0.01, *betas, adam_eps)
        for dtype, tolerance in ((np.float64, 1e-13), (np.float32, 2e-6)):
            flat, m, v = theta.astype(dtype), np.zeros(33, dtype), np.zeros(33, dtype)
            for step, g in enumerate(gradients.astype(dtype), start=1):
                assert ops.adam_step(flat, g, m, v, step, 0.01, *betas, adam_eps) is None
            for value, exact in zip((flat, m, v), expected, strict=True):
                assert value.dtype == dtype
                np.testing.assert_allclose(value, exact, rtol=20 * tolerance, atol=tolerance)


def test_adams_defaults_and_first_step(ops):
    """Corrected for its start, the first step is lr times the gradient's sign."""
    flat, grad = np.zeros(4), np.array([3.0, -0.002, 50.0, 0.0])
    ops.adam_step(flat, grad, np.zeros(4), np.zeros(4), 1, 0.1)
    np.testing.assert_allclose(flat, [-0.1, 0.1, -0.1, 0.0], rtol=1e-5)
    np.testing.assert_array_equal(grad, [3.0, -0.002, 50.0, 0.0])


def test_every_backend_has_the_names_of_the_reference(ops):
    names = ("dense", "reparam", "gaussian_kl", "bernoulli_nll", "gaussian_nll")
    for name in [f"{n}_{way}" for n in names for way in ("forward", "backward")]:
        assert callable(getattr(ops, name))
    assert callable(ops.adam_step)
    assert callable(ops.sigmoid)

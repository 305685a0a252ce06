"""The same tests for both backends: sizes, layouts, dtypes, bad input, against NumPy in float64.

`test_ops.py` tests the mathematics of both. Here each must give the right result or an error, and
never a wrong result, whatever array it gets.
"""

import sys

import numpy as np
import pytest

from minivae import checks, vae
from minivae import ops as reference
from minivae.backend import load_backend
from minivae.errors import MinivaeError

DTYPES = (np.float32, np.float64)
# (B, I, O, K): around the tile's edges, several blocks, 1 of each, and 0
SIZES = [
    (1, 1, 1, 1),
    (5, 7, 17, 2),
    (33, 50, 9, 3),
    (130, 401, 70, 2),
    (2, 1500, 530, 1),
    (0, 4, 3, 2),
    (4, 3, 0, 2),
]

LAYOUTS = {
    "wider rows": lambda a: np.repeat(a, 2, axis=-1)[..., : a.shape[-1]] * 0 + a,
    "columns apart": lambda a: np.repeat(a, 2, axis=-1)[..., ::2],
    "columns first": np.asfortranarray,
    "backwards": lambda a: np.flip(np.flip(a).copy()),
    "read-only": lambda a: np.frombuffer(a.tobytes(), a.dtype).reshape(a.shape),
    "big-endian": lambda a: a.astype(a.dtype.newbyteorder(">")),
    "a subclass": lambda a: a.view(Subclass),
}


class Subclass(np.ndarray):
    """As `np.memmap` is one."""


def draw(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def pixels(*shape, seed=0, ink=0.3):
    return (np.random.default_rng(seed).random(shape) < ink).astype(float)


def dense(ops, activation, x, W, b, dy):
    y, cache = ops.dense_forward(x, W, b, activation)
    dx, dW, db = ops.dense_backward(dy, cache)
    return y, dx, dW, db


def reparam(ops, mu, logvar, eps, dz):
    z, cache = ops.reparam_forward(mu, logvar, eps)
    return z, *ops.reparam_backward(dz, cache)


def gaussian_kl(ops, mu, logvar, dkl):
    kl, cache = ops.gaussian_kl_forward(mu, logvar)
    return kl, *ops.gaussian_kl_backward(dkl, cache)


def bernoulli_nll(ops, logits, x, dnll):
    nll, cache = ops.bernoulli_nll_forward(logits, x)
    return nll, ops.bernoulli_nll_backward(dnll, cache)


def gaussian_nll(ops, mean, logvar, x, dnll):
    nll, cache = ops.gaussian_nll_forward(mean, logvar, x)
    return nll, *ops.gaussian_nll_backward(dnll, cache)


def adam(ops, flat, grad, m, v):
    flat, m, v = flat.copy(), m.copy(), v.copy()
    for step in (1, 2, 3):
        ops.adam_step(flat, grad, m, v, step, 1e-2)
    return flat, m, v


def cases(B, I, O, K):
    """(name, function, float64 arguments): every pair, also with K samples."""
    for activation in reference.ACTIVATIONS:
        W, b, dy = draw(I, O, seed=1) / I**0.5, draw(O, seed=2), draw(B, O, seed=3)
        yield activation, dense, (activation, draw(B, I), W, b, dy)
        digits = draw(B, I) * pixels(B, I, ink=0.1)  # a large product leaves out the zeros
        yield f"{activation} of digits", dense, (activation, digits, W, b, dy)
    mu, logvar = draw(B, O), draw(B, O, seed=1)
    for samples in ((), (K,)):
        shape = (*samples, B, O)
        eps, dz = draw(*shape, seed=2), draw(*shape, seed=3)
        yield f"reparam {samples}", reparam, (mu, logvar, eps, dz)
        dnll = draw(*samples, B, seed=4)
        yield f"bernoulli {samples}", bernoulli_nll, (draw(*shape), pixels(B, O), dnll)
        yield f"gaussian {samples}", gaussian_nll, (draw(*shape), draw(1), pixels(B, O), dnll)
    for dkl in (draw(O), draw(B, O, seed=5), draw(B, 1, seed=6), np.array(0.5)):
        yield f"kl {dkl.shape}", gaussian_kl, (mu, logvar, dkl)
    yield "adam", adam, (draw(B * O), draw(B * O, seed=1), draw(B * O), draw(B * O, seed=2) ** 2)


def cast(args, change):
    return [change(a) if isinstance(a, np.ndarray) else a for a in args]


def assert_same(results, expected, dtype, name):
    for result, right in zip(results, expected, strict=True):
        assert np.shape(result) == np.shape(right), name
        assert result.dtype == dtype, name
        scale = np.abs(right).max(initial=1e-30)
        error = np.abs(np.asarray(result, np.float64) - right).max(initial=0) / scale
        assert error < 60 * np.finfo(dtype).eps, f"{name}: {error}"


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_every_pair_at_every_size(ops, sizes, dtype):
    for name, pair, args in cases(*sizes):
        rounded = cast(args, lambda a: a.astype(dtype))
        expected = pair(reference, *cast(rounded, lambda a: a.astype(np.float64)))
        assert_same(pair(ops, *rounded), expected, dtype, name)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_pair_in_every_layout(ops, layout):
    """The same bits as from contiguous arrays, whatever the strides and the byte order."""
    for name, pair, args in cases(5, 7, 17, 2):
        args = cast(args, lambda a: a.astype(np.float32))
        odd = cast(args, lambda a: LAYOUTS[layout](a) if a.ndim else a)
        for result, right in zip(pair(ops, *odd), pair(ops, *args), strict=True):
            np.testing.assert_allclose(result, right, rtol=2e-6, atol=1e-6, err_msg=name)


def test_mixed_precision_is_computed_in_the_wider(ops):
    x, W, b, dy = draw(4, 5), draw(5, 3, seed=1), draw(3, seed=2), draw(4, 3, seed=3)
    results = dense(ops, "tanh", x.astype(np.float32), W, b, dy)
    expected = dense(reference, "tanh", x.astype(np.float32).astype(np.float64), W, b, dy)
    assert_same(results, expected, np.float64, "mixed")


def test_whole_numbers_are_taken_as_floats(ops):
    x, W, b = pixels(4, 5).astype(np.uint8), draw(5, 3).astype(np.float32), np.zeros(3, np.float32)
    y, _ = ops.dense_forward(x, W, b, "none")
    assert_same([y], [x.astype(np.float64) @ W.astype(np.float64)], np.float32, "uint8")


@pytest.mark.parametrize("dtype", DTYPES)
def test_gradients_go_into_strided_and_foreign_arrays(ops, dtype):
    """`out` may be any writeable arrays of the right shape, also of the other precision."""
    x, W, b, dy = (a.astype(dtype) for a in (draw(4, 5), draw(5, 3, seed=1), draw(3), draw(4, 3)))
    _, cache = ops.dense_forward(x, W, b, "tanh")
    _, dW, db = ops.dense_backward(dy, cache)
    for out in (
        (np.zeros((5, 8), dtype)[:, 2:5], np.zeros(6, dtype)[::2]),
        (np.zeros((5, 3), dtype, order="F"), np.zeros(3, dtype)[::-1]),
        (np.zeros((5, 3), np.float64), np.zeros(3, np.float64)),
    ):
        ops.dense_backward(dy, cache, out=out)
        np.testing.assert_allclose(out[0], dW, rtol=1e-5)
        np.testing.assert_allclose(out[1], db, rtol=1e-5)


def test_gradients_and_weights_of_whole_numbers_are_refused(ops):
    """Rounded to integers, a gradient would be 0 nearly everywhere."""
    x, W, b, dy = draw(4, 5), draw(5, 3, seed=1), draw(3), draw(4, 3)
    _, cache = ops.dense_forward(x, W, b, "tanh")
    with pytest.raises(TypeError, match="cast"):
        ops.dense_backward(dy, cache, out=(np.zeros((5, 3), int), np.zeros(3, int)))
    with pytest.raises(TypeError, match="cast"):
        ops.adam_step(np.zeros(3, int), draw(3), draw(3), draw(3) ** 2, 1, 0.1)


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_product_that_leaves_zeros_out_has_the_bits_of_one_that_does_not(ops, dtype):
    """And 0 times infinity is still NaN: a zero is left out only where it adds nothing."""
    digits = (draw(40, 300) * pixels(40, 300, ink=0.1)).astype(dtype)
    few_zeros = np.where(np.arange(300) < 100, digits, 1).astype(dtype)
    W = draw(300, 90, seed=1).astype(dtype)
    W[100:] = 0  # so that the ones add nothing either
    digits[:, 100:] = 0
    b, dy = draw(90, seed=2).astype(dtype), draw(40, 90, seed=3).astype(dtype)
    y, cache = ops.dense_forward(digits, W, b, "none")
    np.testing.assert_array_equal(y, ops.dense_forward(few_zeros, W, b, "none")[0])
    _, cache_of_few = ops.dense_forward(few_zeros, W, b, "none")
    _, dW, _ = ops.dense_backward(dy, cache)
    _, expected, _ = ops.dense_backward(dy, cache_of_few)
    np.testing.assert_array_equal(dW[:100], expected[:100])

    for bad in (np.inf, np.nan):
        W[5, 7], dy[3, 8] = bad, bad
        with np.errstate(invalid="ignore"):
            y, cache = ops.dense_forward(digits, W, b, "none")
            _, dW, _ = ops.dense_backward(dy, cache)
            np.testing.assert_array_equal(np.isnan(y), np.isnan(digits @ W))
            np.testing.assert_array_equal(np.isnan(dW), np.isnan(digits.T @ dy))


def test_adam_updates_strided_and_reversed_views_in_place(ops):
    """The views' own memory is updated, not a copy, and nothing between their numbers."""

    def run(backend, view):
        state = [view(np.arange(12, dtype=np.float32) + i) for i in range(4)]
        backend.adam_step(*state, 1, 0.1)
        return [s.base if s.base is not None else s for s in state]

    for view in (lambda a: a[::2], lambda a: a[::-1], lambda a: a[3:9]):
        for mine, right in zip(run(ops, view), run(reference, view), strict=True):
            np.testing.assert_allclose(mine, right, rtol=1e-5)


def wrong_calls(ops):
    ok = {"x": draw(4, 5), "W": draw(5, 3), "b": draw(3), "mu": draw(4, 2), "x7": pixels(4, 7)}
    _, c = ops.dense_forward(ok["x"], ok["W"], ok["b"], "tanh")
    _, c_nll = ops.bernoulli_nll_forward(draw(4, 7), ok["x7"])
    _, c_z = ops.reparam_forward(ok["mu"], ok["mu"], draw(3, 4, 2))
    _, c_kl = ops.gaussian_kl_forward(ok["mu"], ok["mu"])
    return {
        "x too wide": lambda: ops.dense_forward(draw(4, 6), ok["W"], ok["b"], "tanh"),
        "b too long": lambda: ops.dense_forward(ok["x"], ok["W"], draw(4), "tanh"),
        "dy too tall": lambda: ops.dense_backward(draw(5, 3), c),
        "dy too wide": lambda: ops.dense_backward(draw(4, 4), c),
        "x of another batch": lambda: ops.dense_backward(draw(4, 3), c._replace(x=draw(3, 5))),
        "x of another layer": lambda: ops.dense_backward(draw(4, 3), c._replace(x=draw(4, 6))),
        "W of another layer": lambda: ops.dense_backward(draw(4, 3), c._replace(W=draw(5, 2))),
        "dW too small": lambda: ops.dense_backward(draw(4, 3), c, out=(draw(4, 3), draw(3))),
        "mu and logvar": lambda: ops.gaussian_kl_forward(ok["mu"], draw(4, 3)),
        "eps too wide": lambda: ops.reparam_forward(ok["mu"], ok["mu"], draw(4, 3)),
        "dz too wide": lambda: ops.reparam_backward(draw(3, 4, 5), c_z),
        "sigma of another q": lambda: ops.reparam_backward(
            draw(3, 4, 2), c_z._replace(sigma=draw(3, 2))
        ),
        "mu of another q": lambda: ops.gaussian_kl_backward(
            draw(4, 2), c_kl._replace(mu=draw(3, 2))
        ),
        "logits and x": lambda: ops.bernoulli_nll_forward(draw(4, 7), pixels(4, 6)),
        "dnll too long": lambda: ops.bernoulli_nll_backward(draw(5), c_nll),
        "mean and x": lambda: ops.gaussian_nll_forward(draw(4, 7), draw(1), pixels(4, 6)),
        "m too short": lambda: ops.adam_step(draw(9), draw(9), draw(8), draw(9), 1, 0.1),
    }


@pytest.mark.parametrize("mistake", list(wrong_calls(reference)))
def test_shapes_that_do_not_fit_are_refused(ops, mistake):
    with pytest.raises(ValueError, match=r".") as caught:
        wrong_calls(ops)[mistake]()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("dtype", [np.complex128, np.float16, np.longdouble, object])
def test_other_dtypes_give_an_error_or_the_right_result(ops, dtype):
    """The numba backend takes float32 and float64 only; the other takes what NumPy takes."""
    x, W, b = (a.astype(dtype) for a in (draw(4, 5), draw(5, 3, seed=1), draw(3, seed=2)))
    if ops is reference and dtype is not object:
        y, _ = ops.dense_forward(x, W, b, "tanh")
        np.testing.assert_allclose(
            y.astype(complex), np.tanh(draw(4, 5) @ draw(5, 3, seed=1) + draw(3, seed=2)), atol=0.02
        )
    else:
        with pytest.raises((ValueError, TypeError), match=r"float|loop"):
            ops.dense_forward(x, W, b, "tanh")


@pytest.mark.parametrize("likelihood", checks.LIKELIHOODS)
def test_two_hundred_steps_from_one_seed_give_the_same_losses(likelihood):
    """The roundings in float32 differ, but after two hundred steps the losses still agree."""
    from minivae import kernels

    spec = vae.Spec(40, (24, 16), 3, likelihood=likelihood)
    losses = {}
    for ops in (reference, kernels):
        rng = np.random.default_rng(5)
        flat = vae.init_params(spec, rng)
        params, m, v = vae.unpack(flat, spec), np.zeros_like(flat), np.zeros_like(flat)
        losses[ops] = []
        for step in range(1, 201):
            x = (rng.random((16, 40)) < 0.3).astype(np.float32)
            eps = rng.standard_normal((16, 3)).astype(np.float32)
            result = vae.elbo_and_grads(params, x, eps, spec, ops=ops)
            ops.adam_step(flat, result.flat_grads, m, v, step, 1e-3)
            vae.clamp_variance(params, spec)
            losses[ops].append(result.loss)
    np.testing.assert_allclose(losses[kernels], losses[reference], rtol=2e-4)
    assert losses[kernels][-1] < losses[kernels][0]  # training works


def test_numba_without_a_folder_for_its_cache_is_refused_in_one_line(monkeypatch):
    """As in a container where neither the package nor the home directory can be written."""

    class NoFolder:
        @staticmethod
        def find_spec(name, path=None, target=None):
            if name == "minivae.kernels":
                raise RuntimeError("cannot cache function 'share': no locator available")

    import minivae.kernels  # so that it can be removed

    monkeypatch.delitem(sys.modules, "minivae.kernels")
    monkeypatch.delattr(minivae, "kernels")
    monkeypatch.setattr(sys, "meta_path", [NoFolder, *sys.meta_path])
    with pytest.raises(MinivaeError, match="set NUMBA_CACHE_DIR to one, or"):
        load_backend("numba")

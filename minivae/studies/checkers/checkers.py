"""Gradient checkers as functions (f, df, x) -> verdict, each as its documentation says to use it.

All get float64. Those that look at every entry use their own mode for many variables beyond
MANY_VARIABLES: SciPy's `direction="random"`, PyTorch's `fast_mode`. Those that draw a random
direction get a fixed seed, so that a second run gives the same verdicts.
"""

import importlib.util
import itertools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from minivae import gradcheck
from minivae.studies.checkers.case import Function
from minivae.studies.checkers.results import CANNOT_TELL, RAISES, RIGHT, WRONG

MANY_VARIABLES = 2000
FAST_MODE_CALLS = 20  # more than PyTorch's fast mode takes for one direction
SCIPY_BOUND = 1.5e-7  # what SciPy's own test of check_grad allows: assert_almost_equal(error, 0)
SCIPY_RELATIVE_BOUND = 1e-5  # of the gradient's length: a user who allows for its size


class Checker(NamedTuple):
    """A checker, the package that it needs, and how it is called."""

    name: str
    package: str
    call: str
    judge: Callable[[Function, Function, np.ndarray], str]

    def is_installed(self) -> bool:
        """Can the package be imported here?"""
        return importlib.util.find_spec(self.package) is not None


def verdict_of(checker: Checker, f: Function, df: Function, x: np.ndarray) -> str:
    """What a checker says about df: RIGHT, WRONG, CANNOT_TELL, or RAISES if it breaks off."""
    try:
        with np.errstate(all="ignore"):
            return checker.judge(f, df, x.copy())
    except Exception:  # whatever it raises: the user has no verdict
        return RAISES


def _minivae(f, df, x):
    report = gradcheck.check_grad(f, df, x)
    return getattr(report, "verdict", None) or (RIGHT if report.ok else WRONG)


# ---- the others ------------------------------------------------------------------------------


def _scipy_error(f, df, x):
    """-> the error that check_grad returns, and the length of the gradient."""
    from scipy.optimize import check_grad

    x = np.asarray(x, np.float64)
    shape = x.shape

    def flat_f(v):
        return float(f(v.reshape(shape)))

    def flat_df(v):
        return np.ravel(df(v.reshape(shape))).astype(np.float64)

    mode = {"direction": "random", "rng": 0} if x.size > MANY_VARIABLES else {}
    error = check_grad(flat_f, flat_df, x.ravel(), **mode)
    return error, np.linalg.norm(flat_df(x.ravel()))


def _scipy(f, df, x):
    error, _ = _scipy_error(f, df, x)
    return RIGHT if error < SCIPY_BOUND else WRONG


def _scipy_relative(f, df, x):
    error, length = _scipy_error(f, df, x)
    return RIGHT if error <= SCIPY_RELATIVE_BOUND * length else WRONG


class _FastModeFailed(Exception):
    """PyTorch's fast mode has found a difference, and begins to look at every entry.

    It does so only to word its error message, which would take two calls of f an entry.
    """


def _torch(f, df, x):
    import torch
    from torch.autograd.gradcheck import GradcheckError

    fast = x.size > MANY_VARIABLES
    calls = itertools.count()

    class Wrapped(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            if fast and next(calls) > FAST_MODE_CALLS:
                raise _FastModeFailed
            ctx.save_for_backward(x)
            return torch.tensor(float(f(x.detach().numpy().copy())), dtype=torch.float64)

        @staticmethod
        def backward(ctx, dy):
            (x,) = ctx.saved_tensors
            gradient = np.array(df(x.detach().numpy().copy()), np.float64)
            return dy * torch.from_numpy(gradient)

    point = torch.tensor(np.asarray(x, np.float64), requires_grad=True)
    try:
        torch.autograd.gradcheck(Wrapped.apply, (point,), fast_mode=fast)
    except _FastModeFailed:
        return WRONG
    except GradcheckError as error:
        return CANNOT_TELL if "not reentrant" in str(error) else WRONG
    return RIGHT


def _jax(f, df, x):
    import jax
    from jax.test_util import check_grads

    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    try:
        point = jax.numpy.asarray(np.asarray(x, np.float64))

        # called outside jit, so that both passes get arrays, and no callback has to be compiled
        @jax.custom_vjp
        def wrapped(x):
            return jax.numpy.asarray(np.float64(f(np.array(x))))

        def backward(x, dy):
            return (dy * np.array(df(np.array(x)), np.float64),)

        wrapped.defvjp(lambda x: (wrapped(x), x), backward)
        check_grads(wrapped, (point,), order=1, modes=("rev",))
    except AssertionError:
        return WRONG
    finally:
        jax.config.update("jax_enable_x64", before)
    return RIGHT


def _autograd(f, df, x):
    from autograd.extend import defvjp, primitive
    from autograd.test_util import check_grads

    wrapped = primitive(lambda x: float(f(np.array(x))))
    defvjp(wrapped, lambda y, x: lambda dy: dy * np.array(df(np.array(x)), np.float64))
    # autograd draws from NumPy's global stream, so that stream is seeded, and put back afterwards
    state = np.random.get_state()  # noqa: NPY002 - autograd's own stream, see above
    np.random.seed(0)  # noqa: NPY002 - the same
    try:
        check_grads(wrapped, modes=["rev"], order=1)(np.asarray(x, np.float64))
    except AssertionError:
        return WRONG
    finally:
        np.random.set_state(state)  # noqa: NPY002 - the same
    return RIGHT


CHECKERS = (
    Checker("minivae", "minivae", "gradcheck.check_grad(f, df, x)", _minivae),
    Checker(
        "SciPy, error < 1.5e-7",
        "scipy",
        "scipy.optimize.check_grad(f, df, x) < 1.5e-7, as in SciPy's own test of it "
        f'(no bound is documented); direction="random" beyond {MANY_VARIABLES} variables',
        _scipy,
    ),
    Checker(
        "SciPy, relative error < 1e-5",
        "scipy",
        "scipy.optimize.check_grad(f, df, x) <= 1e-5 times the length of df(x); "
        f'direction="random" beyond {MANY_VARIABLES} variables',
        _scipy_relative,
    ),
    Checker(
        "PyTorch gradcheck",
        "torch",
        "torch.autograd.gradcheck(function, x) in float64 with its defaults; "
        f"fast_mode=True beyond {MANY_VARIABLES} variables",
        _torch,
    ),
    Checker(
        "JAX check_grads",
        "jax",
        'jax.test_util.check_grads(f, (x,), order=1, modes=("rev",)) with 64-bit numbers',
        _jax,
    ),
    Checker(
        "autograd check_grads",
        "autograd",
        'autograd.test_util.check_grads(f, modes=["rev"], order=1)(x), NumPy seed 0',
        _autograd,
    ),
)


def versions(checkers: Sequence[Checker]) -> dict[str, Any]:
    """The version of NumPy and of every package among the checkers that is installed."""
    from importlib.metadata import version

    import minivae

    others = {c.package for c in checkers if c.is_installed()} - {"minivae"}
    return {
        "minivae": minivae.__version__,
        "numpy": np.__version__,
        **{name: version(name) for name in sorted(others)},
    }

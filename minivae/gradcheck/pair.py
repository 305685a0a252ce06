"""One forward/backward pair at one point: its gradients by hand, and numerically.

`examine_pair` calls both passes, and refuses a pair whose gradients cannot be compared: one that
raises, draws its own noise, changes what it is given, or returns something else than it should.
"""

import inspect
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from minivae.gradcheck.check import own_bars
from minivae.gradcheck.differences import private_rng
from minivae.gradcheck.entries import Numerics, Surroundings, scales_of
from minivae.gradcheck.inputs import Function, Gradient, make_point
from minivae.gradcheck.noise import EPS64, noise_of
from minivae.gradcheck.verdicts import Entries, judge

Inputs = Sequence[Any] | dict[str, Any]


class Finding(NamedTuple):
    """What is wrong with one gradient (or, with no argument, with the pair as a whole)."""

    argument: str | None
    kind: str
    sentence: str


class CannotExamine(Exception):
    """The gradients of a pair cannot be compared; `finding` says why."""

    def __init__(self, kind: str, sentence: str, argument: str | None = None) -> None:
        super().__init__(sentence)
        self.finding = Finding(argument, kind, sentence)


class Pair(NamedTuple):
    """A forward/backward pair at one point, its gradients by hand and numerically."""

    forward: Callable[..., Any]
    backward: Callable[..., Any]
    names: tuple[str, ...]
    args: tuple[Any, ...]
    y: np.ndarray
    dy: np.ndarray
    analytic: dict[int, np.ndarray]  # argument index -> gradient
    numeric: dict[int, np.ndarray]
    size: float  # sum |dy y|: the size of what is rounded in sum(dy * y)
    noise: dict[int, np.ndarray]  # the error bar of each entry of `numeric`
    verdicts: dict[int, Entries]  # of the gradients that have the shape of their argument


def examine_pair(
    forward: Callable[..., Any],
    backward: Callable[..., Any],
    inputs: Inputs,
    rng: np.random.Generator,
) -> Pair:
    """Run both passes and the differences -> Pair. Raises CannotExamine."""
    names, args = _named(forward, inputs)
    y, _ = run_forward(forward, args)
    again, _ = run_forward(forward, args)
    if not same(y, again):
        raise CannotExamine(
            "noise",
            "forward gives another result at each call: it draws its own noise; draw eps outside "
            "and pass it in",
        )
    if not np.isfinite(y).all():
        raise CannotExamine("not-finite", "forward itself returns NaN or infinity here")
    dy = np.asarray(rng.standard_normal(y.shape))
    gradients = run_backward(forward, backward, args, dy)
    if len(gradients) > len(args):
        raise CannotExamine(
            "convention", f"backward returns {len(gradients)} gradients for {len(args)} inputs"
        )
    _check_repeatable(forward, backward, args, dy, gradients, names)
    floats = [i for i, a in enumerate(args) if is_float(a)]
    analytic = {i: g for i, g in enumerate(gradients) if g is not None and i in floats}
    if not analytic:
        raise CannotExamine("convention", "backward returns no gradient of a float input")
    numerics = {i: numeric_gradient(forward, args, dy, i) for i in floats}
    verdicts = {
        i: judged(forward, backward, args, dy, i, numerics[i], a)
        for i, a in analytic.items()
        if a.shape == np.shape(args[i])
    }
    numeric = {i: n.value.reshape(np.shape(args[i])) for i, n in numerics.items()}
    bars = {i: verdicts[i].bar if i in verdicts else n.bar for i, n in numerics.items()}
    noise = {i: bar.reshape(np.shape(args[i])) for i, bar in bars.items()}
    size = float(np.abs(dy * y).sum())
    return Pair(forward, backward, names, args, y, dy, analytic, numeric, size, noise, verdicts)


def run_forward(forward: Callable[..., Any], args: Sequence[Any]) -> tuple[np.ndarray, Any]:
    """forward(*args) on copies -> y, cache. Raises CannotExamine."""
    given = [a.copy() if isinstance(a, np.ndarray) else a for a in args]
    try:
        result = forward(*given)
    except Exception as error:
        raise CannotExamine("raises", f"forward raises {_describe(error)}") from error
    if not (isinstance(result, tuple) and len(result) == 2):
        raise CannotExamine("convention", "forward must return a pair: (y, cache)")
    y = np.array(result[0])
    if y.dtype.kind != "f" or y.size == 0:
        raise CannotExamine(
            "convention",
            f"forward's y is {y.dtype} of shape {y.shape}; it must be an array of floats",
        )
    if y.dtype != np.float64:
        raise CannotExamine(
            "float32",
            f"forward returns {y.dtype} for float64 inputs: differences are lost in rounding "
            "errors; compute in the dtype of the inputs",
        )
    if not all(same(a, g) for a, g in zip(args, given, strict=True) if isinstance(a, np.ndarray)):
        raise CannotExamine("mutates", "forward changes its inputs in place")
    return y, result[1]


def run_backward(
    forward: Callable[..., Any],
    backward: Callable[..., Any],
    args: Sequence[Any],
    dy: np.ndarray,
    *,
    times: int = 1,
) -> tuple[np.ndarray | None, ...]:
    """The gradients from the last of `times` calls of backward on one cache.

    Raises CannotExamine.
    """
    _, cache = run_forward(forward, args)
    for _ in range(times):
        given = dy.copy()
        try:
            result = backward(given, cache)
        except Exception as error:
            raise CannotExamine("raises", f"backward raises {_describe(error)}") from error
        if not same(given, dy):
            raise CannotExamine(
                "mutates",
                "backward changes dy in place: other code that uses this gradient gets the "
                "changed values",
            )
        if not isinstance(result, tuple | list):
            result = (result,)
        gradients = tuple(None if g is None else np.array(g) for g in result)
        if any(g is not None and g.dtype.kind not in "biuf" for g in gradients):
            raise CannotExamine("convention", "backward must return arrays of numbers")
    return gradients


def numeric_gradient(
    forward: Callable[..., Any], args: Sequence[Any], dy: np.ndarray, i: int
) -> Numerics:
    """The derivative of sum(dy * y) with respect to every entry of argument i, with error bars."""

    def f(value):
        changed = (*args[:i], value, *args[i + 1 :])
        if np.iscomplexobj(value):
            return (
                dy * forward(*[np.copy(a) if isinstance(a, np.ndarray) else a for a in changed])[0]
            ).sum()
        return (dy * run_forward(forward, changed)[0]).sum()

    point = make_point(args[i], "x")
    function, rng = Function(f, point), private_rng(0)
    value = function.at_point()
    terms = np.abs(dy * run_forward(forward, args)[0]).sum()  # they may cancel
    noise = max(noise_of(function, point.flat, value, rng), EPS64 / 2 * float(terms))
    numerics = Numerics(
        Surroundings(function, point.flat, value, noise, scales_of(point.flat), rng)
    )
    numerics.take()
    return numerics


def judged(
    forward: Callable[..., Any],
    backward: Callable[..., Any],
    args: Sequence[Any],
    dy: np.ndarray,
    i: int,
    numerics: Numerics,
    analytic: np.ndarray,
) -> Entries:
    """The verdict on every entry of the gradient of argument i."""

    def df(value):
        return run_backward(forward, backward, (*args[:i], value, *args[i + 1 :]), dy)[i]

    gradient = Gradient(df, make_point(args[i], "x"))
    flat = analytic.ravel()
    return judge(numerics, flat, own_bars(gradient, flat, private_rng(0)), gradient)


def is_float(value: Any) -> bool:
    """Is it a float or a float array with entries? Only such inputs are differentiated."""
    return isinstance(value, float) or (
        isinstance(value, np.ndarray | np.floating) and value.dtype.kind == "f" and value.size > 0
    )


def same(a: np.ndarray, b: np.ndarray) -> bool:
    """Are two arrays equal, a NaN to a NaN?"""
    return a.shape == b.shape and np.array_equal(a, b, equal_nan=True)


def _named(forward, inputs):
    if isinstance(inputs, dict):
        names, values = tuple(inputs), tuple(inputs.values())
    else:
        values = tuple(inputs)
        try:
            names = tuple(inspect.signature(forward).parameters)
        except (TypeError, ValueError):  # a compiled function may hide its signature
            names = ()
        if len(names) < len(values):
            names = tuple(f"input {i}" for i in range(len(values)))
    args = tuple(np.asarray(v, np.float64) if is_float(v) else v for v in values)
    return names[: len(args)], args


def _describe(error):
    return f"{type(error).__name__}: {error}"


def _check_repeatable(forward, backward, args, dy, gradients, names):
    """A second run, and a second call on one cache, must give the same gradients."""
    for times, kind, why in (
        (
            1,
            "noise",
            "backward gives another number at each call: it draws fresh noise, instead "
            "of the eps that forward used (keep it in the cache)",
        ),
        (
            2,
            "mutates",
            "a second backward from the same cache differs: backward changes the cache in place",
        ),
    ):
        again = run_backward(forward, backward, args, dy, times=times)
        changed = [
            name
            for name, a, b in zip(names, gradients, again, strict=False)
            if a is not None and not same(a, b)
        ]
        if changed:
            raise CannotExamine(kind, why, ", ".join(changed))

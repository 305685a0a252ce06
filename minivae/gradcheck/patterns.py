"""The patterns of a wrong gradient: each common mistake leaves its own.

A pattern is a function (pair, i, sizes) of a `Pair`, the index of an argument whose gradient is
wrong, and the sizes that a wrong sum or mean could leave as a factor. It returns a kind and a
sentence, or None where it does not explain the numbers.
"""

from collections.abc import Callable, Iterator

import numpy as np

from minivae.errors import MinivaeError
from minivae.gradcheck.differences import block_error
from minivae.gradcheck.pair import (
    CannotExamine,
    Pair,
    is_float,
    numeric_gradient,
    run_backward,
    run_forward,
    same,
)
from minivae.gradcheck.symptoms import (
    BLURRED,
    PATTERN_TOL,
    ROUNDING_ALONE,
    VARIES,
    Block,
    constant_ratio,
    is_blurred,
    is_close,
    name_ratio,
)
from minivae.gradcheck.verdicts import WRONG

NEGLIGIBLE = 1e-7  # of the largest entry: what rounding makes of a zero, or of a right gradient
Pattern = tuple[str, str]  # (kind, sentence)
Sizes = dict[str, int]


def known_pattern(pair: Pair, i: int, sizes: Sizes) -> Pattern | None:
    """(kind, sentence) of the first pattern that explains gradient i, or None."""
    analytic, numeric = pair.analytic[i], pair.numeric[i]
    if analytic.shape != numeric.shape:
        return _misshapen(analytic, numeric)
    if not np.isfinite(numeric).all():
        return "not-finite", "forward itself is not finite close to these inputs"
    if not np.isfinite(analytic).all():
        return (
            "not-finite",
            "the gradient by hand holds NaN or infinity; the numerical one is finite",
        )
    for check in (_on_a_kink, _rounding, _unused, _nearly, _ignores_dy):
        if found := check(pair, i, sizes):
            return found
    if is_blurred(_block(pair, i)):
        return None
    for pattern in (
        _ratio,
        _misplaced,
        _activation,
        _factor,
        _odd_ratio,
        _term,
        _signs,
        _at_zero,
    ):
        if found := pattern(pair, i, sizes):
            return found
    return None


def _block(pair: Pair, i: int) -> Block:
    """Gradient i, which has the shape of its argument, with its error bars."""
    shape = pair.numeric[i].shape
    wrong = (pair.verdicts[i].verdict == WRONG).reshape(shape)
    x = np.asarray(pair.args[i])
    return Block(pair.names[i], x, pair.analytic[i], pair.numeric[i], pair.noise[i], wrong)


def _misshapen(analytic: np.ndarray, numeric: np.ndarray) -> Pattern:
    shapes = f"shape {analytic.shape}, where the input has {numeric.shape}"
    if _matches(analytic.T, numeric):
        return "transposed", f"the right numbers, transposed: {shapes}"
    if analytic.size == numeric.size and _matches(analytic.reshape(numeric.shape), numeric):
        return "shape", f"the right numbers in the wrong shape: {shapes}"
    extra = tuple(range(analytic.ndim - numeric.ndim))
    if extra and _matches(analytic.sum(axis=extra), numeric):
        return "not-summed", f"{shapes}: sum over the leading axes, which share this input"
    return "shape", shapes


def _matches(a: np.ndarray, b: np.ndarray) -> bool:
    return a.shape == b.shape and block_error(a, b) <= PATTERN_TOL


def _rounding(pair: Pair, i: int, _sizes: Sizes) -> Pattern | None:
    if (np.abs(pair.analytic[i] - pair.numeric[i]) <= pair.noise[i]).all():
        return "rounding", f"I can't tell; {ROUNDING_ALONE}"
    return None


def _nearly(pair: Pair, i: int, _sizes: Sizes) -> Pattern | None:
    """Off by less than the tolerance of the patterns: any factor near 1 would fit."""
    if not _matches(pair.analytic[i], pair.numeric[i]):
        return None
    return "nearly", (
        "nearly right: is a part of it computed in float32? Or forward varies on a scale below "
        "1e-4, too fast for differences"
    )


def _unused(pair: Pair, i: int, _sizes: Sizes) -> Pattern | None:
    # rounding makes a derivative of 0 a small number, negligible against the gradient by hand
    leftover = np.abs(pair.numeric[i]).max()
    negligible = NEGLIGIBLE * np.abs(pair.analytic[i]).max()
    if leftover > min(np.max(pair.noise[i]), negligible):
        return None
    return "unused", "forward does not depend on this input at all; its gradient is 0"


def _on_a_kink(pair: Pair, i: int, _sizes: Sizes) -> Pattern | None:
    """The one-sided derivatives differ, as those of relu at 0: differences are meaningless
    there."""
    kinks = np.flatnonzero(pair.verdicts[i].reason == "kink")
    if not kinks.size:
        return None
    worst = np.unravel_index(kinks[0], pair.numeric[i].shape)
    h = 1e-6

    def moved(by):
        value = pair.args[i].copy()
        value[worst] += by
        args = (*pair.args[:i], value, *pair.args[i + 1 :])
        return np.vdot(pair.dy, run_forward(pair.forward, args)[0])

    here = moved(0)
    right, left = (moved(h) - here) / h, (here - moved(-h)) / h
    return "kink", (
        f"I can't tell: at {[int(k) for k in worst]} the derivative from the left, {left:.4g}, is "
        f"not the one from the right, {right:.4g}; choose inputs away from the kink or jump"
    )


def _ignores_dy(pair: Pair, i: int, _sizes: Sizes) -> Pattern | None:
    other = pair.dy + 1
    if same(_hypothetical(pair, i, other), pair.analytic[i]) and pair.analytic[i].any():
        return "ignores-dy", "it does not change with dy: multiply by dy, the gradient from above"
    return None


def _hypothetical(pair: Pair, i: int, dy: np.ndarray) -> np.ndarray:
    """The gradient of argument i that backward returns for another dy."""
    gradient = run_backward(pair.forward, pair.backward, pair.args, dy)[i]
    return np.array(np.nan) if gradient is None else gradient


def _ratio(pair: Pair, i: int, sizes: Sizes) -> Pattern | None:
    ratio = constant_ratio(pair.analytic[i], pair.numeric[i])
    if ratio is None:
        return None
    kind = "ratio" if pair.analytic[i].any() else "lost"
    meaning = name_ratio(ratio, sizes)
    return (kind, meaning) if meaning else None


def _odd_ratio(pair: Pair, i: int, _sizes: Sizes) -> Pattern | None:
    ratio = constant_ratio(pair.analytic[i], pair.numeric[i])
    if ratio is None or np.count_nonzero(pair.numeric[i]) < 3:
        return None
    return "ratio", f"{ratio:.6g} times the right value at every entry: a constant is wrong"


def _misplaced(pair: Pair, i: int, _sizes: Sizes) -> Pattern | None:
    analytic = pair.analytic[i]
    if analytic.ndim == 2 and _matches(analytic.T, pair.numeric[i]):
        return "transposed", "the right numbers, transposed"
    for j, numeric in pair.numeric.items():
        if j != i and numeric.any() and _matches(analytic, numeric):
            return "order", (
                f"it is the gradient of {pair.names[j]}: the gradients are "
                "returned in another order than forward takes its inputs"
            )
    return None


DERIVATIVES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "tanh": lambda y: 1 - y * y,
    "sigmoid": lambda y: y * (1 - y),
    "relu": lambda y: (y > 0) * 1.0,
    "none": np.ones_like,
    "tanh of the activated value": lambda y: 1 - np.tanh(y) ** 2,
    "sigmoid of the activated value": lambda y: 1 / (2 + np.exp(y) + np.exp(-y)),
}  # f' in terms of y = f(a); the last two are a common mistake: y is taken for a


def _activation(pair: Pair, i: int, _sizes: Sizes) -> Pattern | None:
    """Would another f' make it right?  The same backward gets dy f'_right / f'_wrong."""
    for right in ("tanh", "sigmoid", "relu", "none"):
        for wrong, derivative in DERIVATIVES.items():
            dy = pair.dy * DERIVATIVES[right](pair.y) / derivative(pair.y)
            if wrong == right or not np.isfinite(dy).all() or np.array_equal(dy, pair.dy):
                continue
            if _matches(_hypothetical(pair, i, dy), pair.numeric[i]):
                return "activation", _activation_sentence(right, wrong)
    return None


def _activation_sentence(right: str, wrong: str) -> str:
    if wrong == "none":
        return f"the derivative of {right} is missing: multiply dy by f'(a) first"
    if right == "none":
        return f"the derivative of {wrong} is applied once too often"
    return f"the derivative of {wrong} is used instead of that of {right}"


def _candidates(pair: Pair, shape: tuple[int, ...]) -> Iterator[tuple[str, np.ndarray]]:
    """(text, array) of the elementwise factors that are common in formulas: exp(logvar / 2) ..."""
    named = [(n, a) for n, a in zip(pair.names, pair.args, strict=True) if is_float(a)]
    for name, v in [*named, ("y", pair.y)]:
        if not _broadcasts(v.shape, shape):
            continue
        s = 1 / (1 + np.exp(-v))
        yield from (
            (name, v),
            (f"1 / {name}", 1 / v),
            (f"{name}^2", v * v),
            (f"exp({name})", np.exp(v)),
            (f"exp(-{name})", np.exp(-v)),
            (f"exp({name} / 2)", np.exp(v / 2)),
            (f"exp(-{name} / 2)", np.exp(-v / 2)),
            (f"sigmoid({name})", s),
            (f"(1 - sigmoid({name}))", 1 - s),
            (f"sigmoid'({name})", s * (1 - s)),
            (f"tanh'({name})", 1 - np.tanh(v) ** 2),
        )


def _broadcasts(small: tuple[int, ...], large: tuple[int, ...]) -> bool:
    try:
        return np.broadcast_shapes(small, large) == large
    except ValueError:
        return False


PLAIN = (1.0, 2.0, 0.5, 4.0, 0.25)  # constants that are common in formulas


def _plain_multiple(array: np.ndarray, of: np.ndarray) -> float | None:
    """c where array = c * of for one of PLAIN or its negative; needs 3 entries that are not 0."""
    if np.count_nonzero(of) < 3:
        return None
    c = constant_ratio(array, of)
    if c is None:
        return None
    return next((sign * p for p in PLAIN for sign in (1, -1) if is_close(c, sign * p)), None)


def _times(c: float, text: str) -> str:
    sign = "-" if c < 0 else ""
    return f"{sign}{text}" if abs(c) == 1 else f"{sign}{abs(c):g} * {text}"


def _factor(pair: Pair, i: int, _sizes: Sizes) -> Pattern | None:
    """analytic = c t numeric for one of the candidates t: one factor too many, or too few."""
    analytic, numeric = pair.analytic[i], pair.numeric[i]
    for text, t in _candidates(pair, numeric.shape):
        c = _plain_multiple(analytic, np.broadcast_to(t, numeric.shape) * numeric)
        if c is not None:
            return "factor", (
                f"{_times(c, text)} times the right value at every entry: a factor "
                "too many, or its inverse too few"
            )
    return None


def _term(pair: Pair, i: int, _sizes: Sizes) -> Pattern | None:
    """analytic - numeric = c dy t for one of the candidates t: a term too many, or too few."""
    excess = pair.analytic[i] - pair.numeric[i]
    for dy in _aligned(pair.dy, excess.shape):
        for text, t in [("", np.ones(())), *_candidates(pair, dy.shape)]:
            product = (dy * t).reshape(-1, *excess.shape).sum(axis=0)
            c = _plain_multiple(excess, product)
            if c is not None:
                term = _times(abs(c), f"dy * {text}" if text else "dy")
                verb = "has the extra term {}" if c > 0 else "lacks the term {}"
                return "term", verb.format(term) + " (or has one with the wrong sign or factor)"
    return None


def _aligned(dy: np.ndarray, shape: tuple[int, ...]) -> Iterator[np.ndarray]:
    """dy in a shape that fits an input of this shape: the same, with leading axes that are summed,
    or without the last axis, over which forward sums."""
    if dy.shape[dy.ndim - len(shape) :] == shape and dy.ndim >= len(shape):
        yield dy
    elif dy.shape == shape[:-1]:
        yield np.broadcast_to(dy[..., None], shape)


def _signs(pair: Pair, i: int, _sizes: Sizes) -> Pattern | None:
    analytic, numeric = pair.analytic[i], pair.numeric[i]
    if np.count_nonzero(numeric) > 2 and _matches(np.abs(analytic), np.abs(numeric)):
        return "sign", "the right size, but the wrong sign at some entries (an abs, a square?)"
    return None


def _at_zero(pair: Pair, i: int, _sizes: Sizes) -> Pattern | None:
    """Is it right where inputs are zero, one by one and then all? (Zero gradients do not count.)"""
    choices = [(j,) for j in pair.numeric] + [tuple(pair.numeric)]
    for zeroed in choices:
        args = tuple(np.zeros_like(a) if j in zeroed else a for j, a in enumerate(pair.args))
        try:
            analytic = run_backward(pair.forward, pair.backward, args, pair.dy)[i]
            numerics = numeric_gradient(pair.forward, args, pair.dy, i)
        except (CannotExamine, MinivaeError):
            continue  # forward is not defined at zero
        numeric = numerics.value.reshape(np.shape(args[i]))
        seen = np.max(numerics.bar) <= PATTERN_TOL * np.abs(numeric).max()
        if analytic is not None and numeric.any() and analytic.shape == numeric.shape and seen:
            if block_error(analytic, numeric) <= NEGLIGIBLE:
                which = " and ".join(pair.names[j] for j in zeroed)
                return "at-zero", (
                    f"right where {which} is zero, wrong elsewhere: something that "
                    "is 1 or 0 there is missing from the formula"
                )
    return None


def where_to_look(pair: Pair, i: int, right: list[int], wrong: list[int]) -> Pattern:
    """Where no pattern fits: (kind, sentence) with what is known.

    right, wrong: the indices of the arguments whose gradients are right and wrong.
    """
    blurred = is_blurred(_block(pair, i))
    unclear = f"I can't tell what is wrong; {BLURRED if blurred else VARIES}"
    well = ", ".join(pair.names[j] for j in right)
    if right and len(wrong) == 1:
        return "only", (
            f"{unclear}. But all else is right ({well}): look at this gradient's own "
            "line, and at how forward uses this input"
        )
    if right and max(wrong) < min(right):
        return "upstream", (
            f"{unclear}. But what comes later is right ({well}): look at the lines between: is a "
            "path left out, a gradient used twice, a weight matrix transposed?"
        )
    return "unknown", unclear

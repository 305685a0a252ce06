"""The gradient doctor: what is wrong with a forward/backward pair, from the pattern of its error.

    print(diagnose(forward, backward, {"mu": mu, "logvar": logvar, "eps": eps}))

A gradient that is off by a constant, right at zero, different at each call, or right after one
more factor f'(a): each common mistake leaves its own mark. Each pattern is tested against
numbers before it is named; where none fits, or where rounding alone explains the error, the
answer is "I can't tell".
"""

import inspect
from typing import NamedTuple

import numpy as np

from minivae.errors import MinivaeError
from minivae.gradcheck.differences import (
    BLURRED,
    CENTRAL_BOUND,
    EPS64,
    PATTERN_TOL,
    ROUNDING_ALONE,
    ROUNDINGS,
    VARIES,
    BlockReport,
    block_error,
    central_differences,
    central_noise,
    compare,
    constant_ratio,
    is_blurred,
    is_close,
    name_ratio,
    private_rng,
)


class Finding(NamedTuple):
    """What is wrong with one gradient (or, with no argument, with the pair as a whole)."""

    argument: str | None
    kind: str
    sentence: str


class Diagnosis(NamedTuple):
    """ok: every gradient is right. Else one finding for each that is wrong."""

    ok: bool
    findings: tuple[Finding, ...]
    blocks: tuple[BlockReport, ...]

    def __str__(self):
        if self.ok:
            return "right: " + ", ".join(f"{b.name} ({b.error:.0e})" for b in self.blocks)
        return "\n".join(
            f"{finding.argument}: {finding.sentence}" if finding.argument else finding.sentence
            for finding in self.findings
        )


class _Patient(NamedTuple):
    """A forward/backward pair at one point, its gradients by hand and by numbers."""

    forward: object
    backward: object
    names: tuple[str, ...]
    args: tuple
    y: np.ndarray
    dy: np.ndarray
    analytic: dict  # argument index -> gradient
    numeric: dict
    size: float  # sum |dy y|: what is rounded when sum(dy * y) is taken
    noise: dict  # how far rounding may have moved each number in `numeric`


class _Sick(Exception):
    """Carries the finding that ends an examination early."""


def diagnose(forward, backward, inputs, *, seed=0):
    """Examine a forward/backward pair and say which mistake it looks like -> Diagnosis.

    forward(*inputs) -> (y, cache), backward(dy, cache) -> gradients of the first inputs, in
    their order (one array, or a tuple; None for one that was not wanted). inputs: a tuple, or a
    dict by name; floats and float arrays are differentiated, the rest is passed on. Noise must
    be among the inputs. Small, generic inputs tell most: not square, no zeros, B = 3 or more.

    The slope of sum(dy * y), for a random dy, is compared with the gradient of each input. dy is
    drawn from a stream of the doctor's own: it is never an input drawn from default_rng(seed).
    Where they differ, each finding has a kind:

      raises, convention, float32, not-finite    the pair cannot be examined
      noise        another number at each call       mutates       changes what it was given
      shape, not-summed, transposed, order           the right numbers in the wrong place
      lost         the gradient is zero              unused        it should be zero
      ratio        a constant times too large or too small
      sign         wrong in some entries only        ignores-dy    the gradient from above unused
      activation   a derivative f' missing or wrong  factor, term  one too many or too few
      at-zero      right at zero, wrong elsewhere    kink          the inputs sit on a kink
      rounding     off by no more than rounding     nearly         right to five digits
      only, upstream, unknown                        no pattern: where to look, or "I can't tell"
    """
    with np.errstate(all="ignore"):
        try:
            patient = _admit(forward, backward, inputs, private_rng(seed))
        except _Sick as sick:
            return Diagnosis(False, (sick.args[0],), ())
        return _examine(patient)


def _admit(forward, backward, inputs, rng):
    """Everything that must hold before gradients can be compared, and the gradients."""
    names, args = _named(forward, inputs)
    y, _ = _run_forward(forward, args)
    again, _ = _run_forward(forward, args)
    if not _same(y, again):
        raise _Sick(
            Finding(
                None,
                "noise",
                "forward gives another result at each call: it draws "
                "its own noise; draw eps outside and pass it in",
            )
        )
    if not np.isfinite(y).all():
        raise _Sick(Finding(None, "not-finite", "forward itself returns NaN or infinity here"))
    dy = np.asarray(rng.standard_normal(y.shape))
    gradients = _run_backward(forward, backward, args, dy)
    if len(gradients) > len(args):
        raise _Sick(
            Finding(
                None,
                "convention",
                f"backward returns {len(gradients)} gradients for {len(args)} inputs",
            )
        )
    _check_repeatable(forward, backward, args, dy, gradients, names)
    floats = [i for i, a in enumerate(args) if _is_float(a)]
    analytic = {i: g for i, g in enumerate(gradients) if g is not None and i in floats}
    if not analytic:
        raise _Sick(Finding(None, "convention", "backward returns no gradient of a float input"))
    numeric = {i: _numeric(forward, args, dy, i) for i in floats}
    value, size = np.vdot(dy, y), np.abs(dy * y).sum()
    noise = {i: central_noise(value, args[i], size) for i in floats}
    return _Patient(forward, backward, names, args, y, dy, analytic, numeric, size, noise)


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
    args = tuple(np.asarray(v, np.float64) if _is_float(v) else v for v in values)
    return names[: len(args)], args


def _is_float(value):
    return isinstance(value, float) or (
        isinstance(value, np.ndarray | np.floating) and value.dtype.kind == "f" and value.size > 0
    )


def _copied(args):
    return [a.copy() if isinstance(a, np.ndarray) else a for a in args]


def _same(a, b):
    return a.shape == b.shape and np.array_equal(a, b, equal_nan=True)


def _run_forward(forward, args):
    given = _copied(args)
    try:
        result = forward(*given)
    except Exception as error:
        raise _Sick(Finding(None, "raises", f"forward raises {_told(error)}")) from error
    if not (isinstance(result, tuple) and len(result) == 2):
        raise _Sick(Finding(None, "convention", "forward must return a pair: (y, cache)"))
    y = np.array(result[0])
    if y.dtype.kind != "f" or y.size == 0:
        raise _Sick(
            Finding(
                None,
                "convention",
                f"forward's y is {y.dtype} of shape {y.shape}; it must be an array of floats",
            )
        )
    if y.dtype != np.float64:
        raise _Sick(
            Finding(
                None,
                "float32",
                f"forward returns {y.dtype} for float64 inputs: "
                "differences drown in rounding; compute in the dtype of the inputs",
            )
        )
    if not all(_same(a, g) for a, g in zip(args, given, strict=True) if isinstance(a, np.ndarray)):
        raise _Sick(Finding(None, "mutates", "forward changes its inputs in place"))
    return y, result[1]


def _run_backward(forward, backward, args, dy, *, times=1):
    """The gradients from the last of so many calls of backward on one cache."""
    _, cache = _run_forward(forward, args)
    for _ in range(times):
        given = dy.copy()
        try:
            gradients = backward(given, cache)
        except Exception as error:
            raise _Sick(Finding(None, "raises", f"backward raises {_told(error)}")) from error
        if not _same(given, dy):
            raise _Sick(
                Finding(
                    None,
                    "mutates",
                    "backward changes dy in place: whoever else "
                    "uses that gradient gets the changed one",
                )
            )
        if not isinstance(gradients, tuple | list):
            gradients = (gradients,)
        gradients = tuple(None if g is None else np.array(g) for g in gradients)
        if any(g is not None and g.dtype.kind not in "biuf" for g in gradients):
            raise _Sick(Finding(None, "convention", "backward must return arrays of numbers"))
    return gradients


def _told(error):
    return f"{type(error).__name__}: {error}"


def _check_repeatable(forward, backward, args, dy, gradients, names):
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
        again = _run_backward(forward, backward, args, dy, times=times)
        changed = [
            name
            for name, a, b in zip(names, gradients, again, strict=False)
            if a is not None and not _same(a, b)
        ]
        if changed:
            raise _Sick(Finding(", ".join(changed), kind, why))


def _numeric(forward, args, dy, i):
    """The slope of sum(dy * y) in every entry of argument i."""

    def f(value):
        return np.vdot(dy, _run_forward(forward, (*args[:i], value, *args[i + 1 :]))[0])

    return central_differences(f, args[i])


def _examine(patient):
    sizes = _sizes(patient)
    blocks, findings, right = [], [], []
    for i, analytic in patient.analytic.items():
        block = compare(
            patient.names[i], analytic, patient.numeric[i], CENTRAL_BOUND, sizes, patient.noise[i]
        )
        blocks.append(block)
        if block.ok:
            right.append(i)
    wrong = [i for i in patient.analytic if i not in right]
    for i in wrong:
        finding = _known_pattern(patient, i, sizes) or _where_to_look(patient, i, right, wrong)
        findings.append(Finding(patient.names[i], *finding))
    return Diagnosis(not findings, tuple(findings), tuple(blocks))


def _sizes(patient):
    """Axis lengths that a sum or a mean over the wrong axis would leave as a ratio."""
    sizes = {"the number of entries of the result": patient.y.size}
    arrays = [("the result", patient.y)] + [
        (name, a) for name, a in zip(patient.names, patient.args, strict=True) if _is_float(a)
    ]
    seen = {patient.y.size} if patient.y.ndim != 1 else set()
    for name, array in arrays:
        for axis, size in enumerate(array.shape):
            if size not in seen:
                seen.add(size)
                batch = " (the batch size?)" if axis == 0 and array.ndim == 2 else ""
                sizes[f"the length of axis {axis} of {name}{batch}"] = size
    return sizes


def _known_pattern(patient, i, sizes):
    """(kind, sentence) of the first pattern that explains gradient i, or None."""
    analytic, numeric = patient.analytic[i], patient.numeric[i]
    if analytic.shape != numeric.shape:
        return _misshapen(analytic, numeric)
    if not np.isfinite(numeric).all():
        return "not-finite", "forward itself is not finite close to these inputs"
    if not np.isfinite(analytic).all():
        return "not-finite", "the gradient by hand holds NaN or infinity; the slope is finite"
    for pattern in (
        _rounding,
        _unused,
        _nearly,
        _on_a_kink,
        _ignores_dy,
        _ratio,
        _misplaced,
        _activation,
        _factor,
        _odd_ratio,
        _term,
        _signs,
        _at_zero,
    ):
        found = pattern(patient, i, sizes)
        if found:
            return found
    return None


def _misshapen(analytic, numeric):
    shapes = f"shape {analytic.shape}, where the input has {numeric.shape}"
    if _matches(analytic.T, numeric):
        return "transposed", f"the right numbers, transposed: {shapes}"
    if analytic.size == numeric.size and _matches(analytic.reshape(numeric.shape), numeric):
        return "shape", f"the right numbers in the wrong shape: {shapes}"
    extra = tuple(range(analytic.ndim - numeric.ndim))
    if extra and _matches(analytic.sum(axis=extra), numeric):
        return "not-summed", f"{shapes}: sum over the leading axes, which share this input"
    return "shape", shapes


def _matches(a, b):
    return a.shape == b.shape and block_error(a, b) <= PATTERN_TOL


def _rounding(patient, i, _sizes):
    if (np.abs(patient.analytic[i] - patient.numeric[i]) <= patient.noise[i]).all():
        return "rounding", f"I can't tell; {ROUNDING_ALONE}"
    return None


def _nearly(patient, i, _sizes):
    """Off by less than a pattern is tested to: any factor close enough to 1 would fit."""
    if not _matches(patient.analytic[i], patient.numeric[i]):
        return None
    return "nearly", (
        "nearly right: is a part of it computed in float32? Or forward bends within "
        "1e-4, too sharply for differences"
    )


def _unused(patient, i, _sizes):
    # what rounding leaves of a slope of 0 is not 0, but nothing beside the gradient by hand
    leftover = np.abs(patient.numeric[i]).max()
    negligible = CENTRAL_BOUND * np.abs(patient.analytic[i]).max()
    if leftover > min(np.max(patient.noise[i]), negligible):
        return None
    return "unused", "forward does not depend on this input at all; its gradient is 0"


def _on_a_kink(patient, i, _sizes):
    """One-sided slopes that differ: relu at 0, for instance. Differences mean nothing there."""
    error = np.abs(patient.analytic[i] - patient.numeric[i])
    worst = np.unravel_index(error.argmax(), error.shape)
    h = 1e-6

    def moved(by):
        value = patient.args[i].copy()
        value[worst] += by
        args = (*patient.args[:i], value, *patient.args[i + 1 :])
        return np.vdot(patient.dy, _run_forward(patient.forward, args)[0])

    here = moved(0)
    right, left = (moved(h) - here) / h, (here - moved(-h)) / h
    rounding = ROUNDINGS * EPS64 * patient.size / h
    gap, wider = abs(right - left), abs(moved(10 * h) - 2 * here + moved(-10 * h)) / (10 * h)
    # where f is smooth, the two differ by h f'', which grows with h; at a kink it does not
    if gap > max(1e-2 * np.abs(patient.numeric[i]).max(), rounding) and wider < 5 * gap:
        return "kink", (
            f"I can't tell: at {[int(k) for k in worst]} the slope to the left, "
            f"{left:.4g}, is not the one to the right, {right:.4g}; choose inputs "
            "away from the kink or jump"
        )
    return None


def _ignores_dy(patient, i, _sizes):
    other = patient.dy + 1
    if _same(_hypothetical(patient, i, other), patient.analytic[i]) and patient.analytic[i].any():
        return "ignores-dy", (
            "it stays the same for another dy: the gradient that arrives from "
            "above must be multiplied in"
        )
    return None


def _hypothetical(patient, i, dy):
    """What backward would say of argument i for another dy."""
    return _run_backward(patient.forward, patient.backward, patient.args, dy)[i]


def _ratio(patient, i, sizes):
    ratio = constant_ratio(patient.analytic[i], patient.numeric[i])
    if ratio is None:
        return None
    if not patient.analytic[i].any():
        return "lost", name_ratio(0.0, sizes)
    meaning = name_ratio(ratio, sizes)
    return ("ratio", meaning) if meaning else None


def _odd_ratio(patient, i, _sizes):
    ratio = constant_ratio(patient.analytic[i], patient.numeric[i])
    if ratio is None or np.count_nonzero(patient.numeric[i]) < 3:
        return None
    return "ratio", f"{ratio:.6g} times the right value at every entry: a constant is wrong"


def _misplaced(patient, i, _sizes):
    analytic = patient.analytic[i]
    if analytic.ndim == 2 and _matches(analytic.T, patient.numeric[i]):
        return "transposed", "the right numbers, transposed"
    for j, numeric in patient.numeric.items():
        if j != i and numeric.any() and _matches(analytic, numeric):
            return "order", (
                f"it is the gradient of {patient.names[j]}: the gradients are "
                "returned in another order than forward takes its inputs"
            )
    return None


SLOPES_OF = {
    "tanh": lambda y: 1 - y * y,
    "sigmoid": lambda y: y * (1 - y),
    "relu": lambda y: (y > 0) * 1.0,
    "none": np.ones_like,
    "tanh of the activated value": lambda y: 1 - np.tanh(y) ** 2,
    "sigmoid of the activated value": lambda y: 1 / (2 + np.exp(y) + np.exp(-y)),
}  # f' in terms of y = f(a), and two that take y for a


def _activation(patient, i, _sizes):
    """Would another f' have made it right?  dy f'_right / f'_wrong is fed to the same backward."""
    for right in ("tanh", "sigmoid", "relu", "none"):
        for wrong, slope in SLOPES_OF.items():
            dy = patient.dy * SLOPES_OF[right](patient.y) / slope(patient.y)
            if wrong == right or not np.isfinite(dy).all() or np.array_equal(dy, patient.dy):
                continue
            if _matches(_hypothetical(patient, i, dy), patient.numeric[i]):
                return "activation", _activation_sentence(right, wrong)
    return None


def _activation_sentence(right, wrong):
    if wrong == "none":
        return f"the derivative of {right} is missing: dy must be multiplied by f'(a) first"
    if right == "none":
        return f"the derivative of {wrong} is multiplied in once too often"
    return f"the derivative of {wrong} stands where that of {right} belongs"


def _sources(patient, shape):
    """(text, array) for everything elementwise that a formula could hold: exp(logvar / 2) ..."""
    named = [(n, a) for n, a in zip(patient.names, patient.args, strict=True) if _is_float(a)]
    for name, v in [*named, ("y", patient.y)]:
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


def _broadcasts(small, large):
    try:
        return np.broadcast_shapes(small, large) == large
    except ValueError:
        return False


PLAIN = (1.0, 2.0, 0.5, 4.0, 0.25)


def _plain_multiple(array, of):
    """c where array = c * of for a plain c such as 1, -1/2 or 2; it takes 3 entries to tell."""
    if np.count_nonzero(of) < 3:
        return None
    c = constant_ratio(array, of)
    if c is None:
        return None
    return next((sign * p for p in PLAIN for sign in (1, -1) if is_close(c, sign * p)), None)


def _times(c, text):
    sign = "-" if c < 0 else ""
    return f"{sign}{text}" if abs(c) == 1 else f"{sign}{abs(c):g} * {text}"


def _factor(patient, i, _sizes):
    """analytic = c t(v) numeric: one factor too many, or one too few."""
    analytic, numeric = patient.analytic[i], patient.numeric[i]
    for text, t in _sources(patient, numeric.shape):
        c = _plain_multiple(analytic, np.broadcast_to(t, numeric.shape) * numeric)
        if c is not None:
            return "factor", (
                f"{_times(c, text)} times the right value at every entry: a factor "
                "too many, or its inverse too few"
            )
    return None


def _term(patient, i, _sizes):
    """analytic - numeric = c dy t(v): a term that is left out, or one too many."""
    excess = patient.analytic[i] - patient.numeric[i]
    for dy in _aligned(patient.dy, excess.shape):
        for text, t in [("", np.ones(())), *_sources(patient, dy.shape)]:
            product = (dy * t).reshape(-1, *excess.shape).sum(axis=0)
            c = _plain_multiple(excess, product)
            if c is not None:
                term = _times(abs(c), f"dy * {text}" if text else "dy")
                verb = "has the term {} too much" if c > 0 else "lacks the term {}"
                return "term", verb.format(term) + " (or has one with the wrong sign or factor)"
    return None


def _aligned(dy, shape):
    """dy beside an input of that shape: alike, with K samples in front, or summed over the last."""
    if dy.shape[dy.ndim - len(shape) :] == shape and dy.ndim >= len(shape):
        yield dy
    elif dy.shape == shape[:-1]:
        yield np.broadcast_to(dy[..., None], shape)


def _signs(patient, i, _sizes):
    analytic, numeric = patient.analytic[i], patient.numeric[i]
    if np.count_nonzero(numeric) > 2 and _matches(np.abs(analytic), np.abs(numeric)):
        return "sign", "right in size, but of the wrong sign at some entries (an abs, a square?)"
    return None


def _at_zero(patient, i, _sizes):
    """Set inputs to zero, one by one and then all: is it right there (and not trivially)?"""
    choices = [(j,) for j in patient.numeric] + [tuple(patient.numeric)]
    for zeroed in choices:
        args = tuple(np.zeros_like(a) if j in zeroed else a for j, a in enumerate(patient.args))
        try:
            analytic = _run_backward(patient.forward, patient.backward, args, patient.dy)[i]
            numeric = _numeric(patient.forward, args, patient.dy, i)
        except (_Sick, MinivaeError):
            continue  # zero is outside this function's domain
        if numeric.any() and analytic.shape == numeric.shape:
            if block_error(analytic, numeric) <= CENTRAL_BOUND:
                which = " and ".join(patient.names[j] for j in zeroed)
                return "at-zero", (
                    f"right where {which} is zero, wrong elsewhere: something that "
                    "is 1 there, or vanishes there, is missing from the formula"
                )
    return None


def _where_to_look(patient, i, right, wrong):
    """No pattern fits: (kind, sentence) with what is known."""
    blurred = is_blurred(patient.numeric[i], patient.noise[i])
    unclear = f"I can't tell what is wrong; {BLURRED if blurred else VARIES}"
    well = ", ".join(patient.names[j] for j in right)
    if right and len(wrong) == 1:
        return "only", (
            f"{unclear}. But all else is right ({well}): look at this gradient's own "
            "line, and at how forward uses this input"
        )
    if right and max(wrong) < min(right):
        return "upstream", (
            f"{unclear}. But what comes later is right ({well}): look at what the "
            "gradient passes on its way from there, a path left out, a delta "
            "used twice, weights transposed"
        )
    return "unknown", unclear

"""Compares a reader's result with the expected one, and says in words how the two differ.

Types and shapes are compared before values, and nothing is broadcast.
"""

import inspect
import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np

RTOL, ATOL = 1e-7, 1e-10
LAST_BITS = 4  # np.exp2 of a whole float32 is off by two units in the last place on some processors
MOST_SHOWN = 12  # entries of an array that are printed whole
TO_CONVERT = "np.array(...) converts it"
EXACT = 1e-9  # relative error up to which a ratio or difference is called exact

NamedArgs = Sequence[tuple[str, Any]]  # the arguments of a call: (name, value) pairs


def difference(
    got: Any, expected: Any, names: Sequence[str] = (), args: NamedArgs = ()
) -> str | None:
    """None if `got` is right, else lines that say what is wrong with it.

    names: of the parts of a tuple. args: the arguments, whose sizes may explain a factor.
    """
    if isinstance(expected, dict):
        return _dict_difference(got, expected, args)
    if isinstance(expected, tuple):
        return _tuple_difference(got, expected, names, args)
    return _leaf_difference(got, expected, args)


def _tuple_difference(got, expected, names, args):
    names = names or tuple(f"result {i}" for i in range(len(expected)))
    listed = ", ".join(names)
    if not isinstance(got, tuple | list):
        return f"yours is {kind_of(got)}; expected {len(expected)} results: {listed}"
    if len(got) != len(expected):
        return f"yours gives {len(got)} results; expected {len(expected)}: {listed}"
    return _parts_difference(dict(zip(names, got, strict=True)), names, expected, args)


def _dict_difference(got, expected, args):
    if not isinstance(got, dict):
        return f"yours is {kind_of(got)}; expected a dict with the keys {', '.join(expected)}"
    missing = [k for k in expected if k not in got]
    extra = [str(k) for k in got if k not in expected]
    if missing or extra:
        differences = [f"missing {', '.join(missing)}"] if missing else []
        differences += [f"unexpected {', '.join(extra)}"] if extra else []
        return f"the keys differ: {'; '.join(differences)}"
    return _parts_difference(got, tuple(expected), tuple(expected.values()), args)


def _parts_difference(got, names, expected, args):
    """Describes the first wrong part in full; lists which of the others are right or wrong."""
    wrong = {}
    for name, value in zip(names, expected, strict=True):
        text = difference(got[name], value, args=args)
        if text is not None:
            wrong[name] = text
    if not wrong:
        return None
    first, text = next(iter(wrong.items()))
    right = [name for name in names if name not in wrong]
    lines = [f"{', '.join(right)}: right"] if right else []
    lines += [f"{first}:", text]
    if others := list(wrong)[1:]:
        unlike = [name for name in others if TO_CONVERT not in wrong[name]]
        lines += [f"{', '.join(unlike)}: also wrong"] if unlike else []
        lists = [name for name in others if TO_CONVERT in wrong[name]]
        lines += [f"{', '.join(lists)}: to be converted as well"] if lists else []
    return "\n".join(lines)


def _leaf_difference(got, expected, args):
    wrong_type = _type_difference(got, expected)
    if wrong_type:
        return wrong_type
    if isinstance(expected, str | bool | np.bool_):
        return None if got == expected else f"yours     {got!r}\nexpected  {expected!r}"
    return _value_difference(np.asarray(got), np.asarray(expected), args)


def _type_difference(got, expected):
    if got is None:
        return f"yours returns None; expected {kind_of(expected)}: is there a `return`?"
    if isinstance(expected, str | bool | np.bool_):
        truth = isinstance(expected, bool | np.bool_)
        right = isinstance(got, (bool, np.bool_) if truth else str)
        return None if right else f"yours is {kind_of(got)}; expected {kind_of(expected)}"
    if np.ndim(expected) == 0:
        if not isinstance(got, np.ndarray | np.generic | int | float | complex):
            return f"yours is {kind_of(got)}; expected a single number"
    elif not isinstance(got, np.ndarray):
        remedy = f": {TO_CONVERT}" if isinstance(got, list | tuple) else ""
        return f"yours is {kind_of(got)}; expected {kind_of(expected)}{remedy}"
    elif isinstance(got, np.matrix):
        return f"yours is an np.matrix, whose * is a matrix product; expected {kind_of(expected)}"
    got, expected = np.asarray(got), np.asarray(expected)
    if got.shape != expected.shape:
        clue = _shape_clue(got, expected)
        return f"yours has shape {got.shape}; expected {expected.shape}{clue}"
    return _dtype_difference(got, expected)


def _shape_clue(got, expected):
    if got.shape == expected.shape[::-1]:
        return ": is it transposed?"
    if expected.ndim and got.ndim == 0:
        return ": does a sum or mean go over too many axes?"
    return ""


def _dtype_difference(got, expected):
    if got.dtype == expected.dtype:
        return None
    if got.dtype.kind == "c":
        return "yours is complex; expected real numbers"
    if got.dtype.kind not in "biuf":
        return f"yours holds {got.dtype} values; expected {expected.dtype}"
    whole = {"b": "true or false", "i": "whole numbers", "u": "whole numbers"}
    a, b = whole.get(got.dtype.kind, "real"), whole.get(expected.dtype.kind, "real")
    if a != b and expected.ndim:
        return f"yours holds {got.dtype} values; expected {expected.dtype}"
    if a == b == "real" and got.dtype.itemsize < expected.dtype.itemsize:
        return f"yours is {got.dtype}; expected {expected.dtype}: digits are lost"
    return None


def same(a: Any, b: Any) -> bool:
    """Whether two results are equal up to rounding: structure, shape, dtype and values.

    Rounding in the coarser of their types: the last bits of a float32 differ between processors,
    and two ways to compute the same may differ in them.
    """
    if isinstance(a, tuple | list):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return isinstance(b, dict) and set(a) == set(b) and all(same(a[k], b[k]) for k in a)
    numbers = np.ndarray | np.generic | int | float | complex
    if not (isinstance(a, numbers) and isinstance(b, numbers)):
        return type(a) is type(b) and (a is b or not isinstance(a, str) or a == b)
    a, b = np.asarray(a), np.asarray(b)
    alike = a.shape == b.shape and a.dtype.kind == b.dtype.kind
    if not alike or a.dtype.kind not in "biufc":
        return False
    units = [np.finfo(x.dtype).eps for x in (a, b) if x.dtype.kind in "fc"]
    return bool(close(a, b, rtol=max([RTOL, *(LAST_BITS * float(u) for u in units)])).all())


def close(got: np.ndarray, expected: np.ndarray, rtol: float = RTOL) -> np.ndarray:
    """Entry by entry, whether two arrays of one shape are equal up to rounding."""
    with np.errstate(all="ignore"):
        return np.isclose(got, expected, rtol=rtol, atol=ATOL, equal_nan=True)


def _value_difference(got, expected, args):
    right = close(got, expected)
    if right.all():
        return None
    text = ""
    pair = got, expected
    if expected.size > MOST_SHOWN:
        at = tuple(int(i) for i in np.argwhere(~right)[0])
        text = f"{(~right).sum()} of {right.size} entries differ; the first at {list(at)}:\n"
        pair = got[at], expected[at]
    text += _both_values(*pair)
    found = clue(*map(np.atleast_1d, (got, expected, right)), args)
    return f"{text}\nwhich is  {found}" if found else text


def _both_values(got, expected):
    """Both values, with as many digits as it takes to tell them apart."""
    for digits in (5, 9, 17):
        yours, right = format_value(got, digits), format_value(expected, digits)
        if yours != right:
            break
    return f"{labelled('yours     ', yours)}\n{labelled('expected  ', right)}"


def labelled(label: str, text: str) -> str:
    """A block of lines to the right of its label."""
    return label + text.replace("\n", "\n" + " " * len(label))


def clue(got: np.ndarray, expected: np.ndarray, right: np.ndarray, args: NamedArgs) -> str | None:
    """A simple pattern in a wrong result, in words, or None.

    right: entry by entry, whether it is right.
    """
    if np.isnan(got).any():
        return f"not a number, in {int(np.isnan(got).sum())} of {got.size} entries"
    if not (np.isfinite(got).all() and np.isfinite(expected).all()):
        return None
    if not got.any():
        return "zero everywhere" if got.size > 1 else None
    sizes = sizes_of(args)
    return (
        _ratio_clue(got, expected, sizes)
        or _difference_clue(got, expected, sizes)
        or _place_clue(got, expected, right)
    )


def _ratio_clue(got, expected, sizes):
    if expected.dtype.kind in "iu":  # it may be an index, of which "twice" says nothing
        return None
    nonzero = expected != 0
    if not nonzero.any() or got[~nonzero].any():
        return None
    ratios = got[nonzero] / expected[nonzero]
    ratio = ratios.flat[0]
    if not np.allclose(ratios, ratio, rtol=EXACT, atol=0):
        return None
    words = {
        -1: "the right size with the wrong sign",
        2: "exactly twice the right value",
        0.5: "exactly half the right value",
        -2: "exactly twice the right value, with the wrong sign",
        -0.5: "exactly half the right value, with the wrong sign",
        4: "exactly four times the right value",
        0.25: "exactly a quarter of the right value",
    }
    for n, what in sizes.items():
        words.setdefault(n, f"exactly {n} times too large; {n} is the number of {what}")
        words.setdefault(1 / n, f"exactly {n} times too small; {n} is the number of {what}")
    return _named(ratio, words)


def _difference_clue(got, expected, sizes):
    differences = got - expected
    shift = differences.flat[0]
    if not np.allclose(differences, shift, rtol=EXACT, atol=EXACT * np.abs(expected).max()):
        return None
    log_2pi = np.log(2 * np.pi)
    amounts = {0.5: "1/2", 1: "1", log_2pi / 2: "log(2 pi)/2", log_2pi: "log(2 pi)"}
    for n, what in sizes.items():
        amounts.setdefault(np.log(n), f"log {n}; {n} is the number of {what}")
    name = _named(abs(shift), amounts)
    return name and f"too {'large' if shift > 0 else 'small'} by exactly {name}"


def _place_clue(got, expected, right):
    if got.size < 3:
        return None
    if np.allclose(np.sort(got, axis=None), np.sort(expected, axis=None), rtol=EXACT):
        return "the right numbers, but in other places"
    if right.any():
        return f"right in {int(right.sum())} of {right.size} entries"
    return None


def _named(value, words):
    for exact, text in words.items():
        if exact not in (0, 1) and abs(value - exact) <= EXACT * abs(exact):
            return text
    return None


def sizes_of(args: NamedArgs) -> dict[int, str]:
    """{n: what there are n of} for the axes of the arrays among the arguments: {3: "rows of x"}."""
    sizes: dict[int, str] = {}
    for name, value in args:
        if not isinstance(value, np.ndarray):
            continue
        axes = {1: ("entries",), 2: ("rows", "columns")}.get(value.ndim)
        for i, n in enumerate(value.shape):
            if n > 1:
                what = f"{axes[i]} of {name}" if axes else f"slices of {name}, axis {i}"
                sizes.setdefault(n, what)
    for name, value in args:
        if isinstance(value, np.ndarray) and value.ndim > 1:
            sizes.setdefault(value.size, f"entries of {name}")
    return sizes


def kind_of(value: object) -> str:
    """What a value is, in words: "an array of shape (3, 2)"."""
    if value is None:
        return "None"
    if value is Ellipsis:
        return "`...`"
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape}"
    if isinstance(value, bool | np.bool_):
        return "True or False"
    if isinstance(value, complex | np.complexfloating):
        return "a complex number"
    if isinstance(value, int | float | np.number):
        return "a single number"
    if isinstance(value, str):
        return "a string"
    if inspect.isroutine(value):
        return f"the function {value.__name__}"
    name = type(value).__name__
    return f"{'an' if name[0].lower() in 'aeiou' else 'a'} {name}"


def format_value(value: Any, digits: int = 5) -> str:
    """One value as text, short enough for a line or a small block."""
    if inspect.isroutine(value):
        return value.__name__
    if isinstance(value, tuple) and value and all(map(inspect.isroutine, value)):
        return "(" + ", ".join(part.__name__ for part in value) + ")"
    if isinstance(value, dict):
        parts = ", ".join(f"{k}: {_shape(v)}" for k, v in value.items())
        return textwrap.fill("{" + parts + "}", 85, subsequent_indent=" ")
    if isinstance(value, np.generic):
        value = np.asarray(value)
    if not isinstance(value, np.ndarray):
        return _short(value)
    if value.size > 4 * MOST_SHOWN:
        return f"an array of shape {value.shape}"
    text = np.array2string(value, precision=digits, separator=", ", max_line_width=85)
    return text.replace("\n\n", "\n")


def _shape(value):
    return value.shape if isinstance(value, np.ndarray) else _short(value)


def _short(value):
    try:
        text = repr(value)
    except Exception:  # a reader's class may do anything
        return kind_of(value)
    return text if len(text) <= 200 else text[:197] + "..."

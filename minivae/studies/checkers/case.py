"""A case of the corpus: a function, a point, its right gradient, and wrong ones.

Most wrong gradients are made from the right one by rules, the same for every case; a case may add
mistakes of its own. A rule that changes nothing at the point of a case is left out there.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

SMOOTH = "smooth"  # smooth around the point, in float64; a kink is far away, if there is one
KINKED = "kinked"  # a kink at the point, or so near that differences meet it
NOISY = "noisy"  # f is rounded, or comes from an iteration that stops at a tolerance
RANDOM = "random"  # f or its gradient gives another number at each call
FLOAT32 = "float32"  # f computes in float32
KINDS = (SMOOTH, KINKED, NOISY, RANDOM, FLOAT32)

SMALLEST_MISTAKE = 1e-4  # relative, at one entry at least
ONE_ENTRY = 1.3  # the factor on one entry, of median size

Function = Callable[[np.ndarray], Any]


class Problem(NamedTuple):
    """What a maker of a case returns."""

    f: Function  # array -> number
    df: Function  # array -> its gradient, an array like x
    x: np.ndarray
    mistakes: dict[str, Function] | None = None  # wrong gradients of its own
    exact: Function | None = None  # f as an analytic function without noise, where f itself is not
    kept: np.ndarray | None = None  # a mask of entries that the rules leave as they are


class Case(NamedTuple):
    """One function at one point, with its right gradient and wrong ones."""

    name: str
    field: str
    kind: str
    f: Function
    df: Function
    x: np.ndarray
    wrong: dict[str, Function]
    exact: Function
    kept: np.ndarray


class Field:
    """The cases of one field: functions that make them, called when they are asked for."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._makers: list[tuple[str, str, Callable[[], Problem]]] = []

    def __call__(
        self, name: str, kind: str = SMOOTH
    ) -> Callable[[Callable[[], Problem]], Callable[[], Problem]]:
        """A decorator: the function makes the case of this name."""

        def add(maker: Callable[[], Problem]) -> Callable[[], Problem]:
            self._makers.append((name, kind, maker))
            return maker

        return add

    def cases(self) -> list[Case]:
        """Every case of the field, made afresh: a function that counts its calls starts again."""
        return [self._case(name, kind, maker()) for name, kind, maker in self._makers]

    def _case(self, name, kind, problem):
        f, df, x, mistakes, exact, kept = problem
        kept = np.zeros(x.shape, bool) if kept is None else kept
        wrong = wrong_gradients(df, x, kept) | (mistakes or {})
        return Case(name, self.name, kind, f, df, x, wrong, exact or f, kept)


def normal(seed: int, *shape: int) -> np.ndarray:
    """Standard normal numbers, the same for the same seed."""
    return np.random.default_rng([19, seed]).standard_normal(shape)


def uniform(seed: int, low: float, high: float, *shape: int) -> np.ndarray:
    """Uniform numbers from low to high, the same for the same seed."""
    return np.random.default_rng([23, seed]).uniform(low, high, shape)


# ---- wrong gradients by rule -----------------------------------------------------------------


def wrong_gradients(
    df: Function, x: np.ndarray, kept: np.ndarray | None = None
) -> dict[str, Function]:
    """The wrong gradients that the rules make of a right one: those that are wrong at x.

    kept: entries that are left as they are, because another value there need not be wrong: at a
    kink there is more than one subgradient; an entry may be nothing but a rounding residue.
    """
    right = np.array(df(x.copy()), np.float64)
    kept = np.zeros(x.shape, bool) if kept is None else kept
    wrong = {}
    for name, rule in RULES.items():
        change = rule(right, x)
        if change is not None and differs(np.where(kept, right, change(right)), right):
            wrong[name] = _after(df, change, kept)
    return wrong


def differs(wrong: np.ndarray, right: np.ndarray) -> bool:
    """Is one entry off by SMALLEST_MISTAKE of itself, or more?"""
    bound = 0.999 * SMALLEST_MISTAKE * np.maximum(np.abs(right), np.abs(wrong))
    return bool((np.abs(wrong - right) > bound).any())


def _after(df, change, kept):
    def wrong(x):
        right = np.array(df(x), np.float64)
        return np.where(kept, right, change(right))

    return wrong


def _times(factor):
    return lambda gradient: gradient * factor


def _at(where, factor):
    return _times(np.where(where, factor, 1.0))


def _ranked(right):
    """The flat indices of the entries that are not zero, from faint to strong."""
    order = np.argsort(np.abs(right), axis=None, kind="stable")
    return order[right.ravel()[order] != 0]


def _entry(right, quantile):
    """A mask with one entry: the one at this quantile of the sizes; None where all are zero."""
    ranked = _ranked(right)
    if not ranked.size:
        return None
    mask = np.zeros(right.size, bool)
    mask[ranked[int(quantile * (ranked.size - 1))]] = True
    return mask.reshape(right.shape)


def _one_entry(quantile, factor):
    def rule(right, x):
        where = _entry(right, quantile)
        return None if where is None else _at(where, factor)

    return rule


def _small_signs(right, x):
    ranked = _ranked(right)
    small = np.zeros(right.size, bool)
    small[ranked[: (ranked.size + 1) // 2]] = True
    return _at(small.reshape(right.shape), -1.0)


def _negative_x(right, x):
    return _at(x < 0, 2.0) if (x >= 0).any() else None


def _transposed(right, x):
    return np.transpose if right.ndim == 2 and right.shape[0] == right.shape[1] else None


def _reversed(right, x):
    return (lambda gradient: gradient[::-1]) if right.ndim and len(right) > 1 else None


RULES: dict[str, Callable[[np.ndarray, np.ndarray], Function | None]] = {
    "one entry times 1.3": _one_entry(0.5, ONE_ENTRY),
    "strongest entry times 1 + 1e-4": _one_entry(1.0, 1 + SMALLEST_MISTAKE),
    "faintest entry times 1 + 1e-4": _one_entry(0.0, 1 + SMALLEST_MISTAKE),
    "faintest entry 0": _one_entry(0.0, 0.0),
    "all times 1 + 1e-4": lambda right, x: _times(1 + SMALLEST_MISTAKE),
    "sign of the smaller half": _small_signs,
    "twice too large where x < 0": _negative_x,
    "transposed": _transposed,
    "first axis reversed": _reversed,
}
SLIGHT = tuple(name for name in RULES if "1e-4" in name)  # mistakes of one in ten thousand

"""What is wrong with a gradient, from the pattern of its error: a factor, a sign, a lost term.

A pattern is named only if it explains every entry to within its error bar, and only where the bars
are small enough to tell it from others.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from minivae.gradcheck.differences import block_error
from minivae.gradcheck.inputs import Index, size

# a pattern is reported if it explains the gradient to within this relative error
PATTERN_TOL = 1e-5
CLEAR = 1e2  # bars: a difference that a pattern is read from is at least so large
VARIES = "the ratio is not the same everywhere"
BLURRED = "rounding errors are too large to see a pattern"
ROUNDING_ALONE = (
    "rounding alone explains an error of this size, because the function's value is so large; "
    "leave out its large constant part, or use the complex step"
)


class Block(NamedTuple):
    """One block of x with its gradients, each in the shape of the block."""

    name: str
    x: np.ndarray
    analytic: np.ndarray
    numeric: np.ndarray
    bar: np.ndarray
    wrong: np.ndarray  # bool


def block_sizes(names: tuple[str, ...], shapes: tuple[Index, ...]) -> dict[str, int]:
    """Lengths that a sum or a mean over the wrong axis would leave as a factor."""
    sizes: dict[str, int] = {}
    for name, shape in zip(names, shapes, strict=True):
        lengths = [(f"the length of axis {k} of {name}", n) for k, n in enumerate(shape)]
        if len(shape) > 1:
            lengths.append((f"the number of entries of {name}", size(shape)))
        for label, length in lengths:
            if length not in sizes.values():
                sizes[label] = length
    return sizes


def constant_factor(block: Block) -> float | None:
    """analytic / numeric where that is the same at every entry, as far as the bars tell."""
    a, n = block.analytic.ravel(), block.numeric.ravel()
    known = np.isfinite(block.bar.ravel()) & np.isfinite(a)
    if not known.all() or not n.any():
        return None
    sharpest = np.argmin(np.where(n == 0, np.inf, block.bar.ravel() / np.abs(np.where(n, n, 1))))
    factor = float(a[sharpest] / n[sharpest])
    return factor if _explains(factor * block.numeric, block, abs(factor)) else None


def symptom(block: Block, others: list[Block], sizes: dict[str, int]) -> str:
    """The pattern of a wrong block, as a phrase; that there is none, if none fits."""
    a, n = block.analytic, block.numeric
    if is_blurred(block):
        return BLURRED
    if not n.any() or (np.abs(n) <= block.bar).all():
        return "the function does not depend on this block at all"
    factor = constant_factor(block)
    if factor is not None and (meaning := name_ratio(factor, sizes)):
        return meaning
    for found in _patterns(block, others):
        return found
    if factor is not None:
        if is_close(factor, 1):
            return "nearly right (is a part of it computed in float32?)"
        return f"{factor:.6g} times the right value{' at every entry' if n.size > 1 else ''}"
    wrong = int(block.wrong.sum())
    if wrong < a.size:
        return f"{wrong} of {a.size} entries {'is' if wrong == 1 else 'are'} wrong; {VARIES}"
    return VARIES


def is_blurred(block: Block) -> bool:
    """Whether no wrong entry's bar is small enough to see a pattern."""
    a, n = np.abs(block.analytic[block.wrong]), np.abs(block.numeric[block.wrong])
    return bool((block.bar[block.wrong] > CLEAR * PATTERN_TOL * np.maximum(a, n)).all())


def _patterns(block: Block, others: list[Block]) -> Iterator[str]:
    a, n, x = block.analytic, block.numeric, block.x
    if a.ndim == 2 and a.shape[0] == a.shape[1] and _explains(n.T, block):
        yield "the right numbers, transposed"
    flipped = np.where(block.wrong, -n, n)
    if block.wrong.any() and not block.wrong.all() and _explains(flipped, block):
        yield f"the right size, but the wrong sign at some entries{_where(block)}"
    lost = np.where(block.wrong, 0.0, n)
    if not block.wrong.all() and _explains(lost, block):
        yield f"it is zero at some entries, where a part of the gradient is missing{_where(block)}"
    if a.size > 2:
        if a.ndim == 1 and _explains(n[::-1], block):
            yield "the right numbers in the reverse order"
        for other in others:
            if other.name != block.name and other.numeric.shape == a.shape:
                if _explains(other.numeric, block):
                    yield f"it is the gradient of {other.name}"
        yield from _spread(block)
        excess = a - n
        if _same(excess, np.ones_like(x), block):
            yield f"off by {excess.mean():.6g} at every entry: a constant term too many, or too few"
        if _same(excess, x, block):
            c = float(np.vdot(excess, x) / np.vdot(x, x))
            yield (
                f"{'has' if c > 0 else 'lacks'} the term {abs(c):.6g} * {block.name} "
                "(weight decay?), or has one with the wrong sign or factor"
            )
    if _where(block):
        yield f"right where {block.name} > 0, wrong elsewhere"


def _spread(block: Block) -> Iterator[str]:
    """A sum or a mean over an axis, broadcast back over it."""
    a, n = block.analytic, block.numeric
    for axis in range(a.ndim if a.size > max(a.shape, default=0) or a.ndim == 1 else 0):
        if a.shape[axis] < 2:
            continue
        for word, reduced in (("mean", n.mean), ("sum", n.sum)):
            if _explains(np.broadcast_to(reduced(axis=axis, keepdims=True), a.shape), block):
                yield f"the {word} over axis {axis}, the same at every entry along it"


def _where(block: Block) -> str:
    negative = block.x < 0
    if negative.any() and not negative.all() and np.array_equal(block.wrong, negative):
        return f", those where {block.name} < 0"
    return ""


def _explains(guess: np.ndarray, block: Block, widen: float = 1.0) -> bool:
    """Is the gradient by hand this guess, within the bars (times `widen`)?"""
    if not np.isfinite(block.bar).all():
        return False
    room = np.broadcast_to(block.bar, guess.shape) * (1 + widen) + PATTERN_TOL * np.abs(guess)
    if guess.shape != block.analytic.shape:
        return False
    if not guess.any():  # zero everywhere is a pattern only if it is exact
        return not block.analytic.any()
    return bool((np.abs(block.analytic - guess) <= room).all())


def _same(excess: np.ndarray, term: np.ndarray, block: Block) -> bool:
    """Is the excess one multiple of this term at every entry, and far above the bars?"""
    norm = float(np.vdot(term, term))
    if np.count_nonzero(term) < 3 or not np.isfinite(block.bar).all():
        return False
    fit = float(np.vdot(excess, term)) / norm * term
    if not (np.abs(fit) > CLEAR * block.bar)[term != 0].all():
        return False
    return bool((np.abs(excess - fit) <= 2 * block.bar + 1e-3 * np.abs(fit)).all())


# ---- constant ratios ----------------------------------------------------------------------------


def constant_ratio(analytic: np.ndarray, numeric: np.ndarray) -> float | None:
    """analytic / numeric where that is the same at every entry, else None."""
    analytic, numeric = np.ravel(analytic), np.ravel(numeric)
    if not (np.isfinite(analytic).all() and np.isfinite(numeric).all() and numeric.any()):
        return None
    ratio = float(analytic @ numeric / (numeric @ numeric))
    return ratio if block_error(analytic, ratio * numeric) <= PATTERN_TOL else None


def name_ratio(ratio: float, sizes: dict[str, int]) -> str | None:
    """What a constant ratio means, or None if no common mistake causes it."""
    if is_close(ratio, 0):
        return "it is zero: this path of the gradient is missing"
    meanings = []
    if is_close(ratio, 2):
        meanings.append(
            "exactly twice too large: a factor 1/2 is missing, or a term is counted twice"
        )
    if is_close(ratio, 0.5):
        meanings.append(
            "exactly half of the right value: a factor 2 is missing, or there is one 1/2 too many"
        )
    if is_close(ratio, -1):
        meanings.append("the right size with the wrong sign: a minus is missing")
    for label, length in sizes.items():
        if length > 1 and is_close(ratio, length):
            meanings.append(
                f"{length} times too large, and {length} is {label}: a sum is used instead of a "
                "mean"
            )
        if length > 1 and is_close(ratio, 1 / length):
            meanings.append(
                f"{length} times too small, and {length} is {label}: a mean is used instead of a "
                "sum"
            )
    if not meanings and ratio < 0 and (without_sign := name_ratio(-ratio, sizes)):
        meanings.append(f"of the wrong sign, and {without_sign}")
    return "; or ".join(meanings) or None


def is_close(a: float, b: float) -> bool:
    """Are the two equal to within PATTERN_TOL?"""
    return abs(a - b) <= PATTERN_TOL * max(abs(a), abs(b), PATTERN_TOL)

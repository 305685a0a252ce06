"""Right, wrong or cannot tell: an entry of a gradient against its numerical value and error bar.

    right         |a - n| <= bar, and the bar is at most 3e-5 of the entry itself
    wrong         |a - n| > 4 bar, more than 3e-6 of the entry, and more than 4 roundings of the
                  largest entry
    cannot tell   everything else, with the reason

The bar is that of the numerical derivative plus the rounding of the gradient by hand. So a tiny
entry is not right because a large one is. It is not wrong either where it may be a difference of
terms as large as the largest entry, such as 1 - tanh^2 of a saturated unit. An entry by hand that
is exactly 0 is right if the numerical one is exactly 0 too, and differences see that f does not
change along it, or changes alike to both sides.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from minivae.gradcheck.entries import SEEN, Numerics
from minivae.gradcheck.ladder import Estimate
from minivae.gradcheck.noise import EPS64

RIGHT, WRONG, CANNOT_TELL = "right", "wrong", "cannot tell"
FINE = 3e-5  # a bar of at most this share of the entry can tell a factor of 1.0001
SURE = 4.0  # bars
NEARLY = 3e-6  # of the entry: a difference that is seen, but too small to call it a mistake
PLATEAU = 0.1  # of the contradiction: the bar of a larger step that is taken seriously
ZERO = 1e-11  # of the natural scale of f along an entry: what rounding makes of a zero derivative
ROUNDINGS = 4.0  # of the largest entry: what a tiny entry may be off as a difference of large terms
PROBES = 12  # points at which the gradient by hand is looked at again
PROBE_NEAR, PROBE_FAR = 1e-3, 0.5  # how far they are, as shares of how far an entry may move
DEGREE = 3  # of the polynomial that a gradient follows over the near ones
NOISY = 1e3  # roundings: noise of that size is not rounding in float64

REASONS = {  # kind: (what is the matter, what to do)
    "kink": (
        "f has a kink or a jump at this point: its one-sided derivatives differ",
        "move the point",
    ),
    "edge": (
        "f is not finite on both sides of this point, however small the step",
        "move the point inside the domain of f",
    ),
    "noisy": (
        "the values of f are too noisy",
        "use float64 in all of f, solve to a tighter tolerance, or fix the noise",
    ),
    "faint": (
        "the entry lies below the noise of f",
        "leave out what is large and constant in f, or let f take complex numbers",
    ),
    "steep": (
        "f is too steep here: no step is small enough for differences to settle",
        "move the point, or let f take complex numbers",
    ),
    "near kink": (
        "f bends close to this point, and small steps give another derivative than larger ones",
        "move the point, or smooth f",
    ),
    "stairs": (
        "f goes up and down in stairs here (is it rounded, or looked up in a table?), and its "
        "derivative is 0 between them",
        "check f without its rounding",
    ),
    "unstable": (
        "the gradient by hand is lost in its own rounding: it changes when x moves by rounding",
        "is the entry simply zero? Else use float64 in the gradient, or a stabler formula",
    ),
    "residue": (
        "the entry is zero to the rounding of the terms that it may be a difference of",
        "scale the inputs so that no entry is 1e-15 of another, or use a stabler formula",
    ),
    "nearly": (
        "it agrees to five digits, but not within the error bar: is a part of it computed in "
        "float32, is a small term missing, or an equation solved to a loose tolerance?",
        "use float64 and a tighter tolerance",
    ),
    "unconfirmed": (
        "only the complex step sees this entry, and nothing confirms that f is analytic in it",
        "scale f or its inputs so that differences see it",
    ),
    "at odds": (
        "a direction disagrees with the gradient, but the entry that it leads to does not",
        "check the parts of x one by one",
    ),
    "random": ("f gives another value at each call", "fix the noise: pass it in, or seed it"),
    "random gradient": (
        "the gradient gives other numbers at each call",
        "use the noise that f used",
    ),
    "not finite": ("the function itself is not finite near x", "move the point"),
}


class Entries(NamedTuple):
    """Every entry of a check, each array of shape (N,): blocks one after the other."""

    analytic: np.ndarray  # by hand
    numeric: np.ndarray
    bar: np.ndarray  # the error of the two together
    verdict: np.ndarray  # of str
    reason: np.ndarray  # of str: a key of REASONS, "" where the verdict is not "cannot tell"

    def where(self, verdict: str) -> np.ndarray:
        """The positions of the entries with this verdict."""
        return np.flatnonzero(self.verdict == verdict)


def judge(
    numerics: Numerics,
    analytic: np.ndarray,
    own_bar: np.ndarray,
    gradient: Callable[[np.ndarray], np.ndarray],
) -> Entries:
    """Every entry of a gradient by hand. own_bar: the rounding of that gradient itself, (N,).
    gradient: what gave it, to be called at other points."""
    lost = -1.0
    sizes = np.abs(numerics.value)
    residue = ROUNDINGS * EPS64 * sizes[np.isfinite(sizes)].max(initial=0.0)
    while numerics.lost > lost:  # again, where an entry shows that the complex step lost digits
        lost = numerics.lost
        judged = [_judge(numerics, i, analytic[i], own_bar[i]) for i in range(analytic.size)]
    gaps = np.abs(analytic - numerics.value)
    small = [i for i, (verdict, _) in enumerate(judged) if verdict == WRONG and gaps[i] <= residue]
    if small:
        precise = _is_precise(numerics, analytic, gaps, gradient)
        for i in small:
            judged[i] = judged[i] if precise[i] else (CANNOT_TELL, "residue")
    verdict, reason = (np.array(column, dtype=object) for column in zip(*judged, strict=True))
    bar = numerics.bar + own_bar
    return Entries(analytic, numerics.value.copy(), bar, verdict, reason)


def whole(entries: Entries) -> str:
    """The verdict on all entries together."""
    if (entries.verdict == WRONG).any():
        return WRONG
    return RIGHT if (entries.verdict == RIGHT).all() else CANNOT_TELL


def _is_precise(
    numerics: Numerics,
    analytic: np.ndarray,
    gaps: np.ndarray,
    gradient: Callable[[np.ndarray], np.ndarray],
) -> np.ndarray:
    """Whether each entry of the gradient by hand is known far better than by its gap: (N,) bool.

    It is so where it never changes, and where it changes smoothly as x moves. A difference of
    larger terms goes in steps of their rounding.
    """
    around = numerics.around
    along = around.scales * around.rng.choice((-1.0, 1.0), around.x.size)

    def at(share: float) -> tuple[np.ndarray, np.ndarray]:
        moves = np.sort(around.rng.uniform(-1, 1, PROBES))
        return moves, np.array([gradient(around.x + share * t * along) for t in moves])

    try:
        (moves, near), (_, far) = at(PROBE_NEAR), at(PROBE_FAR)
    except Exception:  # not defined there, or not of this shape
        return np.zeros(analytic.size, bool)
    powers = np.vander(moves, DEGREE + 1)
    safe = np.where(np.isfinite(near), near, 0.0)
    left = np.abs(safe - powers @ np.linalg.lstsq(powers, safe, rcond=None)[0]).max(axis=0)
    changes = (np.diff(np.sort(near, axis=0), axis=0) > 0).all(axis=0)
    smooth = changes & np.isfinite(near).all(axis=0) & (left <= 0.1 * gaps)
    return smooth | (far == analytic).all(axis=0)


def _judge(numerics: Numerics, i: int, a: float, own: float) -> tuple[str, str]:
    if not np.isfinite(a):
        return WRONG, ""
    if numerics.by_complex_step:
        return _by_complex_step(numerics, i, a, own)
    return _by_differences(numerics, i, a, own)


def _by_complex_step(numerics: Numerics, i: int, a: float, own: float) -> tuple[str, str]:
    c = numerics.value[i]
    gap = abs(a - c)
    estimate = None if numerics.known[i] else numerics.climb(i)
    if estimate is not None and estimate.kink:
        return CANNOT_TELL, "kink"
    if gap > numerics.bar[i] + own:
        numerics.sharpen(i)
    bar = numerics.bar[i] + own
    if gap <= bar:
        if c != 0:
            fine = bar <= FINE * abs(c)
            return (RIGHT, "") if fine else (CANNOT_TELL, "residue" if a == 0 else "unstable")
        if a != 0:
            return CANNOT_TELL, "unstable"
        # a function that conjugates or takes an absolute value gives 0 as well
        if not numerics.known[i] and numerics.in_stairs(i):
            return CANNOT_TELL, "stairs"
        flat = numerics.known[i] or _is_flat(numerics.climb(i))
        return (RIGHT, "") if flat else (CANNOT_TELL, "unconfirmed")
    # an accusation: the differences must not speak for the gradient
    estimate = numerics.climb(i)
    by_differences = _by_differences(numerics, i, a, own)
    if by_differences[1] in ("kink", "near kink", "edge", "stairs") or estimate.hopeless:
        return by_differences
    if not numerics.is_settled(i):
        return by_differences
    n, n_bar = estimate.value, estimate.bar
    if abs(a - n) <= n_bar + own and abs(c - n) > n_bar:  # the complex step has lost digits
        numerics.lost = max(numerics.lost, 4 * abs(c - n) / max(abs(c), abs(n)))
        return by_differences
    if not numerics.confirmed[i] and by_differences[0] != WRONG:
        unseen = n_bar > SEEN * abs(c)
        if (c == 0 and unseen) or not numerics.confirmed.any():
            return CANNOT_TELL, "unconfirmed"
    if gap <= max(SURE * bar, NEARLY * max(abs(a), abs(c))):
        return CANNOT_TELL, "nearly" if bar <= FINE * abs(c) else "unstable"
    return (CANNOT_TELL, "unstable") if gap <= numerics.lost * abs(c) else (WRONG, "")


def _by_differences(numerics: Numerics, i: int, a: float, own: float) -> tuple[str, str]:
    estimate = numerics.climb(i)
    n, bar = estimate.value, estimate.bar + own
    if estimate.kink:
        return CANNOT_TELL, "kink"
    if not np.isfinite(bar):
        return CANNOT_TELL, "edge" if len(estimate.rows) < 3 else "steep"
    if estimate.hopeless:
        return CANNOT_TELL, "noisy"
    if n == 0 and numerics.in_stairs(i):
        return CANNOT_TELL, "stairs"
    gap = abs(a - n)
    if gap <= bar:
        if bar <= FINE * abs(n) or (a == 0 and _is_flat(estimate)):
            return RIGHT, ""
        return CANNOT_TELL, _blur(numerics, estimate, own)
    if _is_at(a, own, estimate):
        return CANNOT_TELL, "near kink"
    if gap <= max(SURE * bar, NEARLY * max(abs(a), abs(n))):
        fine = bar <= FINE * abs(n)
        return CANNOT_TELL, "nearly" if fine else _blur(numerics, estimate, own)
    return WRONG, ""


def _is_flat(estimate: Estimate) -> bool:
    """Is f constant along an entry, or does it change by exactly as much to both sides?"""
    if estimate.value != 0:
        return False
    even = all(row.slope == 0 for row in estimate.rows)
    return not estimate.hidden or (even and estimate.bar <= ZERO * estimate.swing)


def _is_at(a: float, own: float, estimate: Estimate) -> bool:
    """Do larger steps, which smaller ones contradict, agree with the gradient by hand?"""
    for c in estimate.rejected:
        known = max(SEEN * max(abs(a), abs(c.value)), PLATEAU * abs(c.value - estimate.value))
        if c.bar <= known and abs(a - c.value) <= c.bar + own:
            return True
    return False


def _blur(numerics: Numerics, estimate: Estimate, own: float) -> str:
    """Why an error bar is too large to tell."""
    if own > estimate.bar:
        return "unstable"
    if estimate.noise < 0.3 * estimate.bar:
        return "steep"
    around = numerics.around
    rounding = EPS64 * max(abs(around.value), float(np.finfo(np.float64).tiny))
    return "noisy" if around.noise > NOISY * rounding else "faint"

"""One derivative from values of f alone, with an error bar: differences over a ladder of steps.

A central difference has two errors. Truncation, h^2 f'''/6, shrinks with the step h; the noise of
f, divided by h, grows. Here h goes down by factors of 4; combining neighbours cancels the leading
terms of the truncation, and what each combination changes says how large they were [Richardson
1911; Ridders 1982, Accurate computation of F'(x) and F'(x) F''(x)]. The noise is known from
`noise`. The step with the smallest sum of the two is taken, and that sum is the error bar.

Three things can still mislead, and each is looked for:
- a kink: the one-sided derivatives differ, and go on to differ as h shrinks;
- a bend narrower than the step, such as a kink nearby: then smaller steps, which see less of the
  surroundings, contradict the larger one within their own bars, and they are believed;
- more noise than was measured: the smallest steps show it.
"""

from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from minivae.gradcheck.noise import EPS64

FIRST, LAST = -3, -21  # steps are scale * 2^e; these are always taken
STRIDE = 2  # in e: a factor of 4 in h
COLUMNS = 3  # of the extrapolation
NOISES = 6.0  # the noise bar of a difference is 6 eps / h: more than eight standard deviations
KINK_NOISES = 12.0  # of the gap of the one-sided derivatives, extrapolated to h = 0
KINK_SURE = 1.5  # a gap that falls as slowly as sqrt(h) is no kink
JUMP, JUMP_NOISES = 0.45, 50.0  # a smooth change falls to a quarter
HIDDEN = 1e4  # noises: the first change of a smooth f, as h grows by factors of 4
RESOLVED = 0.1  # a larger bar, as a share of the derivative, far from x is of no use
ODD = 0.05  # the slopes of three steps that differ by less, as a share, show no even part
FAR_OFF = 4.0  # the truncation of steps far from x is taken for this many times as large
HOPELESS = 1e-3  # noise, as a share of f
SETTLED = 1e-7  # a bar of this share of the derivative is small enough to stop
STAIRS, FEWEST_TREADS = 33, 2  # points at which stairs are looked for, and how many show them
REACHES = (1, 4, 16, 64)  # how far, as multiples of the first step that changes f
OUTDONE = 8.0  # roundings: a change that cannot be lost in them
SHIFTS = 4.0  # times the shift that an argument's rounding is taken for
ROUNDS, MORE = 9, 3  # how often more steps are added, and how many to each side
FAR, NEAR = 41, -91  # limits of e


class Row(NamedTuple):
    """The central difference of one step."""

    h: float
    slope: float  # (f(x + h) - f(x - h)) / 2h
    gap: float  # the right minus the left one-sided derivative
    swing: float  # the larger of the two, in size
    noise: float  # of the values of f at this step


class Candidate(NamedTuple):
    """The best combination that ends with one step."""

    h: float
    value: float
    bar: float
    noise: float  # the part of the bar that is noise


class Estimate(NamedTuple):
    """A derivative from differences, with what is known about its error."""

    value: float
    bar: float  # the derivative is within value +- bar; inf where nothing is known
    h: float  # the step that was chosen
    noise: float  # the part of the bar that is noise
    swing: float  # how fast f varies along this line over the largest step: the natural scale
    kink: bool
    hidden: bool  # f seems flat, but a slope may be hidden below its noise
    hopeless: bool  # the noise is of the size of f: it may vary faster than any step
    rows: tuple[Row, ...]  # from the largest step to the smallest
    rejected: tuple[Candidate, ...]  # larger steps that smaller ones contradict


class Line:
    """f along one direction through x: the values at +h and -h, and their exact distance."""

    def __init__(
        self, f: Callable[[np.ndarray], float], x: np.ndarray, along: int | np.ndarray
    ) -> None:
        self.f, self.x, self.along = f, x, along

    def pair(self, h: float) -> tuple[float, float, float]:
        """f(x + h d), f(x - h d), and the distance of the two points, 2h."""
        if isinstance(self.along, np.ndarray):
            return self.f(self.x + h * self.along), self.f(self.x - h * self.along), 2 * h
        above, below = self.x.copy(), self.x.copy()
        above[self.along] += h
        below[self.along] -= h
        two_h = above[self.along] - below[self.along]  # exactly, whatever rounding did to both
        return self.f(above), self.f(below), float(two_h)

    def finest(self) -> float:
        """The smallest step that is not lost in the rounding of x."""
        if isinstance(self.along, np.ndarray):
            moved = self.along != 0
            with np.errstate(all="ignore"):
                steps = np.spacing(np.abs(self.x[moved])) / np.abs(self.along[moved])
            return 1024 * float(np.median(steps)) if moved.any() else 0.0
        here = abs(float(self.x[self.along]))
        return 8 * float(np.spacing(here)) if here else 0.0


class Ladder:
    """The differences of one line, from large steps to small ones, extended where needed."""

    def __init__(self, line: Line, scale: float, value: float, noise: float, unit: float) -> None:
        """scale: a step of this size is large. value: f(x). noise: of f at x. unit: relative
        rounding of f's values."""
        self.line, self.value, self.noise, self.unit = line, value, noise, unit
        self.scale = 2.0 ** round(np.log2(scale))  # steps that are powers of 2 round less
        self.rows: dict[int, Row] = {}

    def climb(self, rounds: int = ROUNDS) -> Estimate:
        """Take steps until the derivative is settled, or no further step can help.

        rounds: how often steps are added at most.
        """
        self._add(range(FIRST, LAST - 1, -STRIDE))
        low, high, estimate = LAST, FIRST, self.estimate()
        for _ in range(rounds):
            if self._settled(estimate):
                break
            down, up = self._wants(estimate, low, high)
            if not down and not up:
                break
            if down:
                self._add(range(low - STRIDE, low - STRIDE * MORE - 1, -STRIDE))
                low -= STRIDE * MORE
            if up:
                self._add(range(high + STRIDE, high + STRIDE * MORE + 1, STRIDE))
                high += STRIDE * MORE
            estimate = self.estimate()
        return estimate

    def _settled(self, estimate: Estimate) -> bool:
        small = 0 < abs(estimate.value) >= estimate.bar / SETTLED
        return small and not estimate.kink

    def _wants(self, estimate: Estimate, low: int, high: int) -> tuple[bool, bool]:
        """Whether smaller steps could help, and larger ones."""
        rows = self._valid()
        finest = self.scale * 2.0 ** (low - STRIDE)
        down = low > NEAR and finest >= self.line.finest()
        if rows and not estimate.kink:
            last = rows[-1]
            seen = max(abs(row.slope) for row in rows)
            down &= NOISES * last.noise / last.h <= 10 * seen  # else noise alone is left
        top = max((e for e, row in self.rows.items() if np.isfinite(row.slope)), default=None)
        up = top == high < FAR and not estimate.kink
        # larger steps have less noise; they help if that is what is wrong, and no bend is seen
        up = up and estimate.noise >= 0.1 * estimate.bar and not estimate.rejected
        return bool(down), bool(up)

    def _add(self, exponents: range) -> None:
        for e in exponents:
            h = self.scale * 2.0**e
            above, below, two_h = self.line.pair(h)
            if not (np.isfinite(above) and np.isfinite(below)) or two_h == 0:
                self.rows[e] = Row(h, np.nan, np.nan, np.nan, np.inf)
                continue
            right, left = (above - self.value) / h, (self.value - below) / h
            noise = max(self.noise, self.unit * max(abs(above), abs(below)))
            swing = max(abs(right), abs(left))
            self.rows[e] = Row(h, (above - below) / two_h, right - left, swing, noise)

    def _valid(self) -> list[Row]:
        """The steps at which f is finite, from the largest to the smallest."""
        rows = [self.rows[e] for e in sorted(self.rows, reverse=True)]
        return [row for row in rows if np.isfinite(row.slope)]

    def estimate(self) -> Estimate:
        """The derivative that the steps so far give."""
        rows = self._noisier(self._valid())
        if len(rows) < 3:
            return Estimate(np.nan, np.inf, np.nan, 0.0, 0.0, False, False, False, tuple(rows), ())
        swing = max((row.swing for row in rows if row.h <= self.scale / 8), default=rows[0].swing)
        clear = (
            0.0
            if _jumps(self._valid(), self.noise)
            else _below_kinks(rows, float(np.max(np.abs(self.line.x))))
        )
        candidates = _candidates(rows, self.scale)
        usable = [c for c in candidates if clear is None or c.h <= clear]
        if not candidates:
            return Estimate(
                np.nan, np.inf, np.nan, 0.0, swing, False, False, False, tuple(rows), ()
            )
        if not usable:
            best = min(candidates, key=lambda c: c.bar)
            return Estimate(
                best.value, np.inf, best.h, best.noise, swing, True, False, False, tuple(rows), ()
            )
        best, rejected = _believed(usable)
        blind = self._blindness(rows, best)
        size = max(abs(self.value), *(row.swing * row.h for row in rows if row.h <= self.scale), 0)
        hopeless = self.noise > HOPELESS * size
        rejected += [c for c in candidates if c not in usable]
        return Estimate(
            best.value,
            best.bar + blind,
            best.h,
            best.noise,
            swing,
            False,
            _is_hidden(rows),
            hopeless,
            tuple(rows),
            tuple(rejected),
        )

    def _blindness(self, rows: list[Row], best: Candidate) -> float:
        """What is added to the bar of an f that rounds its argument: it does not change at all over
        steps that should change it. Then its derivative is that of a point as far from x, along
        this entry and maybe along others."""
        seen = OUTDONE * EPS64 * abs(self.value)
        still = [row.h for row in rows if row.h < best.h and row.swing == 0]
        blind = [h for h in still if abs(best.value) * h > seen]
        if not blind:
            return 0.0
        (row,) = (row for row in rows if row.h == best.h)
        off = 2 ** (STRIDE + 1) * max(blind)
        return SHIFTS * off * (abs(row.gap) / row.h + abs(best.value) / self.scale)

    def _noisier(self, rows: list[Row]) -> list[Row]:
        """The rows with the noise that the smallest steps show, where it is more than was known."""
        if len(rows) < 3:
            return rows
        seen = max(abs(a.slope - b.slope) * b.h for a, b in pairwise(rows[-4:]))
        return [row._replace(noise=max(row.noise, seen)) for row in rows]


def goes_in_stairs(line: Line, estimate: Estimate) -> bool:
    """Is f constant around x, and then again and again after it has changed?

    So does an f that is rounded, or looked up in a table. Beyond a kink it changes on and on.
    """
    moved = [row.h for row in estimate.rows if row.swing > 0]
    still = [row.h for row in estimate.rows if row.swing == 0]
    if not moved or not still or max(still) < min(moved) / 4.0001:
        return False
    inner = max(h for h in still if h < max(moved))
    for reach in REACHES:
        pairs = [line.pair(h)[:2] for h in np.linspace(inner, reach * min(moved), STAIRS)]
        treads, changing = zip(*(_treads(values) for values in np.array(pairs).T), strict=True)
        if max(treads) >= FEWEST_TREADS:
            return True
        if not any(treads) and max(changing) > STAIRS // 4:
            return False
    return False


def _treads(values: np.ndarray) -> tuple[int, int]:
    """(how often values are constant again after they have changed, how many changes follow the
    first one)."""
    changes = np.abs(np.diff(values))
    risers = np.flatnonzero(changes > 8 * EPS64 * np.abs(values).max())
    if not risers.size:
        return 0, 0
    after = changes[risers[0] :]
    treads = np.diff((after == 0).astype(int)) == 1
    return int(treads.sum()), int(np.count_nonzero(after))


def _candidates(rows: list[Row], scale: float) -> list[Candidate]:
    """For each step, the combination of it and larger ones that has the smallest bar."""
    table: list[list[float]] = []
    candidates = []
    for k, row in enumerate(rows):
        line, best = [row.slope], None
        around = [above.slope for above in rows[max(k - 2, 0) : k]]
        odd = len(around) == 2 and all(abs(s - row.slope) <= ODD * abs(row.slope) for s in around)
        noise = NOISES * row.noise / row.h
        for j in range(1, min(COLUMNS, k) + 1):
            above = table[-1][j - 1]
            line.append(line[-1] + (line[-1] - above) / (16.0**j - 1))
            truncation = max(abs(line[j] - line[j - 1]), abs(line[j] - above))
            if row.h > scale:  # far from x only what is nearly straight, or nearly odd, counts
                truncation = max(FAR_OFF * truncation, 0.0 if odd else abs(row.gap))
            bar = truncation + 1.1 * noise
            # a bounded f has ever smaller differences far away, which say nothing about x
            useless = row.h > scale and bar > RESOLVED * abs(line[j])
            if np.isfinite(bar) and not useless and (best is None or bar < best.bar):
                best = Candidate(row.h, line[j], bar, 1.1 * noise)
        table.append(line)
        if best is not None:
            candidates.append(best)
    return candidates


def _believed(candidates: list[Candidate]) -> tuple[Candidate, list[Candidate]]:
    """The candidate with the smallest bar that no smaller step contradicts, and those that are."""
    rejected: list[Candidate] = []
    while True:
        best = min(candidates, key=lambda c: c.bar)
        smaller = [c for c in candidates if c.h < best.h]
        if all(abs(c.value - best.value) <= c.bar + best.bar for c in smaller):
            return best, rejected
        rejected += [c for c in candidates if c.h >= best.h]
        candidates = smaller


def _is_hidden(rows: list[Row]) -> bool:
    """Does f, flat at small steps, begin to change by little more than its noise? Then a slope may
    be hidden below it. Behind a kink, f is flat and then changes by far more at once."""
    changes = [row.swing * row.h for row in rows[::-1]]
    noise = rows[-1].noise  # the values far away are larger, and so is their rounding
    first = next((c for c in changes if c > 8 * noise), np.inf)
    return changes[2] <= 8 * noise and first <= HIDDEN * noise


def _jumps(rows: list[Row], noise: float) -> bool:
    """Does f change across x by as much as ever, as the step shrinks by factors of 4?"""
    changes = [(abs(row.slope) * 2 * row.h, abs(row.gap) * row.h) for row in rows[-3:]]
    return any(
        c > JUMP_NOISES * noise and c > JUMP * b and b > JUMP * a
        for a, b, c in zip(*changes, strict=True)
    )


def _below_kinks(rows: list[Row], largest_x: float) -> float | None:
    """None where no kink is seen. Otherwise the largest step that stays clear of it; 0 if none.

    The gap of the one-sided derivatives is h f'' + ... where f is smooth, and their difference at a
    kink. (4 gap(h) - gap(4h)) / 3 removes the first of these, and what is left must shrink.
    """
    gaps, noises = [], []
    for above, row in pairwise(rows):
        gaps.append((4 * row.gap - above.gap) / 3)
        asymmetry = EPS64 * largest_x * abs(row.slope)  # x + h and x - h are rounded
        noises.append(KINK_NOISES * (row.noise + asymmetry) / row.h)
    kink, before = None, False
    for k in range(1, len(gaps)):
        stays = abs(gaps[k]) > noises[k] + KINK_SURE * abs(gaps[k] - gaps[k - 1])
        if stays and before:  # at two steps in a row: once may be noise
            kink = k
        before = stays
    if kink is None:
        return None
    jump = abs(gaps[kink])
    for k in range(kink + 1, len(gaps)):
        if abs(gaps[k]) + noises[k] < jump / 2:
            return rows[k + 1].h
    return 0.0

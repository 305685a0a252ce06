"""Very many entries: random directions, and bisection from a wrong one to its entries.

Entries are put into groups of like size (their gradient by hand times how far they may move), so
that a direction never mixes a large entry with a tiny one that it would hide. A direction that
disagrees is halved again and again: two evaluations of f, or one by the complex step, say in which
half the disagreement lies. One wrong entry of a million is found in 20 halvings.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from minivae.gradcheck.differences import constant_ratio, is_close, name_ratio
from minivae.gradcheck.entries import COMPLEX_BAR, SEEN, Surroundings
from minivae.gradcheck.imaginary import Refuses, imaginary_step, rounding_of
from minivae.gradcheck.ladder import NOISES, Estimate, Line
from minivae.gradcheck.noise import EPS64
from minivae.gradcheck.verdicts import (
    CANNOT_TELL,
    FINE,
    NEARLY,
    REASONS,
    RIGHT,
    ROUNDINGS,
    SURE,
    WRONG,
    ZERO,
    Entries,
)

DECADES = 1.5  # of size in one group
FLOOR = 0.03  # of the median: the smallest distance that an entry may move
MOST_GROUPS = 8
BELOW = 0.01  # of the excess: the noise bar of the differences in a bisection
BUDGET = 60  # evaluations for the bisection
NAMED = 8  # wrong entries at most
ONE = 0.25  # a right direction's bar is at most this share of a typical entry's contribution


class Direction(NamedTuple):
    """One direction of one group: what the gradient by hand says, and what f does."""

    group: int
    quick: bool  # whether two steps were taken, and not a whole ladder
    along: np.ndarray  # (N,), zero outside the group
    by_hand: float
    own: float  # the rounding of by_hand
    typical: float  # the contribution of a typical entry
    norm: float  # that of all, as if their signs were random
    estimate: Estimate


Row = tuple[float, float, float, str, str]  # by hand, numerically, bar, verdict, reason


class Found(NamedTuple):
    """An entry that bisection arrived at."""

    entry: int
    numeric: float
    bar: float


class Directions:
    """The check along directions at one point."""

    def __init__(self, around: Surroundings, analytic: np.ndarray, own: np.ndarray, n: int) -> None:
        # a tiny entry among larger ones may move further than by its own size
        floor = FLOOR * float(np.median(around.scales))
        around = around._replace(scales=np.maximum(around.scales, floor))
        self.around, self.analytic, self.own = around, analytic, own
        self.notes: list[str] = []
        self.found: list[int] = []
        self.unfollowed = False  # whether more wrong entries are left than were found
        finite = np.isfinite(analytic)
        largest = np.abs(analytic[finite]).max(initial=0.0)
        self.residue = ROUNDINGS * EPS64 * largest  # an entry may be a difference of such terms
        self.infinite = np.flatnonzero(~finite)
        self.groups = _groups(np.where(finite, np.abs(analytic) * around.scales, 0.0))
        self.lines: list[Direction] = []
        for g, group in enumerate(self.groups):
            first = self._take(g, group, None)
            self.lines += [first, *[self._take(g, group, first) for _ in range(n - 1)]]
        self.imaginary = self._complex_steps()
        self.notes.append(
            f"{analytic.size} entries: {n} random directions for each of {len(self.groups)} "
            "groups of entries of like size"
        )

    def _take(self, g: int, group: np.ndarray, first: Direction | None) -> Direction:
        """A new direction in group g. The first of a group goes up the ladder; the others take two
        differences, at the steps that were best there."""
        around = self.around
        along = np.zeros(around.x.size)
        signs = around.rng.choice((-1.0, 1.0), group.size)
        along[group] = signs * around.rng.uniform(0.5, 1.5, group.size) * around.scales[group]
        products = self.analytic[group] * along[group]
        rounding = 4 * EPS64 * np.linalg.norm(products) * np.sqrt(group.size)
        own = float(4 * np.linalg.norm(self.own[group] * along[group]) + rounding)
        typical = float(np.median(np.abs(products)))
        norm = float(np.linalg.norm(products))
        by_hand = float(products.sum())
        if first is None or not first.estimate.rows or not np.isfinite(first.estimate.bar):
            quick, estimate = False, around.ladder(along, 1.0)
        else:
            quick, estimate = True, self._two_steps(along, first.estimate)
        return Direction(g, quick, along, by_hand, own, typical, norm, estimate)

    def _two_steps(self, along: np.ndarray, known: Estimate) -> Estimate:
        """The derivative along another direction, from the two steps that are best in `known`.

        None of them is larger than the ladder of `known` believed: the differences of a bounded f
        agree far away as well, on 0.
        """

        def off(k: int) -> float:
            row, above = known.rows[k], known.rows[k - 1]
            return abs(row.slope - above.slope) + NOISES * row.noise / row.h

        near = [k for k in range(1, len(known.rows)) if known.rows[k].h <= 4 * known.h]
        row = known.rows[min(near, key=off)]
        line = Line(self.around.f, self.around.x, along)
        fine, coarse = ((a - b) / d for a, b, d in (line.pair(row.h), line.pair(4 * row.h)))
        value = (16 * fine - coarse) / 15
        bar = 2 * abs(value - coarse) + 1.1 * NOISES * row.noise / row.h
        if not np.isfinite(bar):
            return self.around.ladder(along, 1.0)
        return known._replace(value=value, bar=bar, h=row.h, rejected=())

    def _complex_steps(self) -> np.ndarray | None:
        """The complex step along every direction, if f takes it and differences confirm it."""
        around, steps, confirmed = self.around, [], False
        try:
            for line in self.lines:
                steps.append(imaginary_step(around.f, around.x, line.along, 1.0))
        except Refuses as refusal:
            self.notes.append(
                f"the complex step was not used: f does not take complex numbers ({refusal})"
            )
            return None
        for line, step in zip(self.lines, steps, strict=True):
            if line.estimate.kink or not np.isfinite(line.estimate.bar):
                continue
            gap = abs(line.estimate.value - step)
            confirmed |= bool(gap <= SEEN * abs(step))
            if not gap <= 4 * (line.estimate.bar + COMPLEX_BAR * line.norm):
                self.notes.append(
                    "the complex step was not used: differences contradict it, so f is not "
                    "analytic (abs, conj, .real, np.vdot or a Hermitian routine?)"
                )
                return None
        return np.array(steps) if confirmed else None

    def trace(self, i: int) -> Estimate:
        """The differences along direction i, for `plot`."""
        return self.lines[min(i, len(self.lines) - 1)].estimate

    # ---- judging -----------------------------------------------------------------------------

    def judge(self, label: Callable[[int], str]) -> tuple[Entries, tuple[str, ...]]:
        """(the directions, then the wrong entries that were found; their labels)."""
        rows = [self._judge(k) for k in range(len(self.lines))]
        self._look_again(rows)
        labels = [f"group {d.group}, direction" for d in self.lines]
        for i in self.infinite[:8]:
            rows.append((self.analytic[i], np.nan, np.inf, WRONG, ""))
            labels.append(label(int(i)))
            self.found.append(int(i))
        followed, doubted = self._followed(rows)
        for k, line in enumerate(self.lines):
            if line.group in doubted and rows[k][3] == WRONG:
                rows[k] = (*rows[k][:3], CANNOT_TELL, "at odds")
        for found in followed:
            a = self.analytic[found.entry]
            rows.append((a, found.numeric, found.bar, WRONG, ""))
            labels.append(label(found.entry))
            self.found.append(found.entry)
        columns = list(zip(*rows, strict=True))
        numbers = [np.array(c, float) for c in columns[:3]]
        words = [np.array(c, dtype=object) for c in columns[3:]]
        return Entries(*numbers, *words), tuple(labels)

    def _look_again(self, rows: list[Row]) -> None:
        """Take the whole ladder where two steps accuse a group, and no ladder does."""
        sure = {d.group for d, row in zip(self.lines, rows, strict=True)
                if row[3] == WRONG and not d.quick}  # fmt: skip
        for k, d in enumerate(self.lines):
            if rows[k][3] == WRONG and d.group not in sure and self.imaginary is None:
                estimate = self.around.ladder(d.along, 1.0)
                self.lines[k] = d._replace(estimate=estimate, quick=False)
                rows[k] = self._judge(k)
                sure |= {d.group} if rows[k][3] == WRONG else set()

    def _judge(self, k: int) -> Row:
        """(by hand, numerically, bar, verdict, reason) of direction k."""
        d, around = self.lines[k], self.around
        value, bar, estimate = d.estimate.value, d.estimate.bar, d.estimate
        if self.imaginary is not None:
            value = float(self.imaginary[k])
            bar = 16 * EPS64 * d.norm * np.sqrt(np.count_nonzero(d.along))
            if abs(value - d.by_hand) > bar + d.own:
                bar += rounding_of(around.f, around.x, d.along, 1.0, value, around.rng)
        bar += d.own
        gap = abs(value - d.by_hand)
        row = (d.by_hand, value, bar)
        if estimate.kink:
            return *row, CANNOT_TELL, "kink"
        if not np.isfinite(bar):
            return *row, CANNOT_TELL, "edge" if len(estimate.rows) < 3 else "steep"
        if gap <= bar:
            exact = value == 0 and not d.norm
            fine = bar <= min(FINE * d.norm, ONE * d.typical)
            if fine or exact or bar <= ZERO * estimate.swing:
                return *row, RIGHT, ""
            return *row, CANNOT_TELL, "faint"
        contradicted = [c for c in estimate.rejected if abs(d.by_hand - c.value) <= c.bar + d.own]
        if contradicted:
            return *row, CANNOT_TELL, "near kink"
        if gap <= self.residue * np.linalg.norm(d.along):
            return *row, CANNOT_TELL, "residue"
        if gap <= max(SURE * bar, NEARLY * d.typical):
            return *row, CANNOT_TELL, "nearly" if bar <= FINE * d.norm else "faint"
        return *row, WRONG, ""

    # ---- bisection ---------------------------------------------------------------------------

    def _followed(self, rows: list[Row]) -> tuple[list[Found], set[int]]:
        """(entries behind the wrong directions, the groups where such an entry is right by itself).

        Within about BUDGET evaluations: one group after another, the clearest direction of each.
        Every entry is looked at by itself before it is accused.
        """
        wrong = [k for k in range(len(self.lines)) if rows[k][3] == WRONG]
        clearest: dict[int, int] = {}
        for k in sorted(wrong, key=lambda k: -abs(rows[k][0] - rows[k][1]) / rows[k][2]):
            clearest.setdefault(self.lines[k].group, k)
        found: list[Found] = []
        doubted = set()
        left = BUDGET
        for group, k in clearest.items():
            more, left = self._bisect(self.lines[k], rows[k][0] - rows[k][1], left)
            for entry in more:
                if len(found) >= NAMED:
                    self.unfollowed = True
                    break
                before = self.around.f.calls
                alone = self._alone(entry.entry)
                left -= self.around.f.calls - before
                if alone is None:
                    doubted.add(group)
                else:
                    found.append(alone)
        return found, doubted - {self._group_of(each.entry) for each in found}

    def _group_of(self, i: int) -> int:
        return next(g for g, group in enumerate(self.groups) if i in group)

    def _alone(self, i: int) -> Found | None:
        """Entry i from its own derivative, or None where that does not show it to be wrong."""
        around, a, own = self.around, float(self.analytic[i]), float(self.own[i])
        scale = float(around.scales[i])
        if self.imaginary is None:
            estimate = around.ladder(i, scale, rounds=0)
            value, bar = estimate.value, estimate.bar + own
            if estimate.kink or not np.isfinite(bar):
                return None
            if any(abs(a - c.value) <= c.bar + own for c in estimate.rejected):
                return None
        else:
            value = imaginary_step(around.f, around.x, i, scale)
            bar = COMPLEX_BAR * abs(value) + own
            bar += rounding_of(around.f, around.x, i, scale, value, around.rng)
        known = max(SURE * bar, NEARLY * max(abs(a), abs(value)), self.residue)
        is_wrong = abs(a - value) > known
        return Found(i, value, bar) if is_wrong else None

    def _bisect(self, d: Direction, excess: float, left: int) -> tuple[list[Found], int]:
        """(entries of one direction whose contributions make up the excess, budget left)."""
        probe = Probe(self.around, d, excess, self.imaginary is not None)
        sets = [(np.flatnonzero(d.along), excess)]
        found = []
        while sets:
            inside, excess = sets.pop()
            while inside.size > 1 and left >= probe.cost:
                half = inside[: inside.size // 2]
                numeric, bar = probe.part(half)
                left -= probe.cost
                bar += 4 * float(np.linalg.norm(self.own[half] * d.along[half]))
                first = float(self.analytic[half] @ d.along[half]) - numeric
                second = excess - first
                pieces = sorted(
                    [(half, first), (inside[half.size :], second)], key=lambda p: abs(p[1])
                )
                if abs(pieces[1][1]) <= SURE * bar:
                    break  # spread over more entries than can be told apart
                if abs(pieces[0][1]) > SURE * bar:
                    sets.append(pieces[0])
                inside, excess = pieces[1]
            if inside.size > 1:
                self.unfollowed = True
                break
            if left < probe.cost:
                self.unfollowed |= bool(sets)
            i = int(inside[0])
            bar = probe.bar / abs(d.along[i])
            found.append(Found(i, float(self.analytic[i] - excess / d.along[i]), float(bar)))
        self.unfollowed |= bool(sets)
        return found, left

    # ---- explaining --------------------------------------------------------------------------

    def explain(
        self, entries: Entries, labels: tuple[str, ...], sizes: dict[str, int]
    ) -> tuple[str, float | None, int]:
        """(sentence, constant ratio or None, position of the worst row)."""
        wrong, unsure = entries.where(WRONG), entries.where(CANNOT_TELL)
        gap = np.abs(entries.analytic - entries.numeric)
        gap = np.where(np.isfinite(gap), gap, np.inf)
        if not wrong.size and not unsure.size:
            return "right", None, int(gap.argmax())
        if not wrong.size:
            matter, advice = REASONS[str(entries.reason[unsure[0]])]
            groups = len({self.lines[k].group for k in unsure})
            share = f"in {groups} of {len(self.groups)} groups of entries"
            return f"I can't tell {share}: {matter}; {advice}", None, int(unsure[0])
        worst = int(max(wrong, key=lambda k: gap[k]))
        n = len(self.lines)
        ratio = constant_ratio(entries.analytic[:n], entries.numeric[:n])
        if ratio is not None and not is_close(ratio, 1):
            meaning = name_ratio(ratio, sizes) or f"{ratio:.6g} times the right value"
            return f"along every direction: {meaning}", ratio, worst
        if not self.found:
            return "the gradient disagrees along a direction, spread over many entries", None, worst
        shown = ", ".join(
            f"{labels[k]} (by hand {entries.analytic[k]:.6g}, numerically {entries.numeric[k]:.6g})"
            for k in range(n, min(len(labels), n + 3))
        )
        more = ", and there are more" if self.unfollowed or len(self.found) > 3 else ""
        return f"wrong at {shown}{more}", None, n


class Probe:
    """The derivative along a part of one direction, as cheaply as it can be had."""

    def __init__(
        self, around: Surroundings, direction: Direction, excess: float, by_complex_step: bool
    ) -> None:
        """excess: of the gradient by hand along the direction; what it comes from is sought."""
        self.around, self.along = around, direction.along
        self.by_complex_step = by_complex_step
        self.cost = 1 if by_complex_step else 2
        if by_complex_step:
            self.bar = 16 * EPS64 * direction.norm * np.sqrt(np.count_nonzero(self.along))
        else:  # the smallest step whose noise is far below the excess: the least truncation
            rows = [row for row in direction.estimate.rows if row.h <= direction.estimate.h]
            quiet = [r for r in rows if NOISES * r.noise / r.h <= BELOW * abs(excess)] or rows[:1]
            self.h = quiet[-1].h
            self.bar = NOISES * quiet[-1].noise / self.h

    def part(self, entries: np.ndarray) -> tuple[float, float]:
        """(derivative, bar) along the direction with all but these entries held."""
        along = np.zeros_like(self.along)
        along[entries] = self.along[entries]
        return self.of(along)

    def of(self, along: np.ndarray) -> tuple[float, float]:
        """(derivative, bar) along another direction."""
        around = self.around
        if self.by_complex_step:
            return imaginary_step(around.f, around.x, along, 1.0), self.bar
        above, below, two_h = Line(around.f, around.x, along).pair(self.h)
        return (above - below) / two_h, self.bar


def _groups(contributions: np.ndarray) -> list[np.ndarray]:
    """Positions of entries whose contributions differ by at most DECADES, and of the zeros."""
    groups = []
    zero = np.flatnonzero(contributions == 0)
    rest = np.flatnonzero(contributions)
    if rest.size:
        logs = np.log10(contributions[rest])
        width = max(DECADES, float(np.ptp(logs)) / MOST_GROUPS)
        kinds = np.floor((logs.max() - logs) / width).astype(int)
        groups = [rest[kinds == kind] for kind in np.unique(kinds)]
    return groups + ([zero] if zero.size else [])

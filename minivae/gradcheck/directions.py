"""Very many entries: random directions, and bisection from a wrong one to its entries.

Entries are put into groups of like size (their gradient by hand times how far they may move), so
that a direction never mixes a large entry with a tiny one that it would hide. A direction that
disagrees is followed to the entries that are wrong (`bisection`).
"""

from collections.abc import Callable
from copy import copy

import numpy as np

from minivae.gradcheck.bisection import ByHand, Direction, Found, Probe, bisect
from minivae.gradcheck.entries import (
    ALSO_CONFIRMS,
    COMPLEX_BAR,
    CONFIRMS,
    LESS_QUICK,
    QUICK,
    SEEN,
    Surroundings,
)
from minivae.gradcheck.imaginary import Refuses, imaginary_step, rounding_of
from minivae.gradcheck.ladder import NOISES, Estimate, Line
from minivae.gradcheck.noise import EPS64
from minivae.gradcheck.symptoms import Block, constant_factor, is_close, name_ratio
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
BUDGET = 60  # evaluations for the bisection
NAMED = 8  # wrong entries at most
STEP_BAR = 1e-12  # of a direction: what rounding inside f may make of its complex step
ONE = 0.25  # a right direction's bar is at most this share of a typical entry's contribution


Row = tuple[float, float, float, str, str]  # by hand, numerically, bar, verdict, reason


class Directions:
    """The check along directions at one point."""

    def __init__(
        self,
        around: Surroundings,
        by_hand: np.ndarray,
        own: np.ndarray,
        n: int,
        *,
        analytic: bool = False,
    ) -> None:
        """by_hand, own: the gradient, and its rounding: (N,). n: directions for each group.
        analytic: as for `Numerics`."""
        # a tiny entry among larger ones may move further than by its own size
        floor = FLOOR * float(np.median(around.scales))
        around = around._replace(scales=np.maximum(around.scales, floor))
        self.around, self.known_analytic = around, analytic
        self.notes: list[str] = []
        self._take_in(by_hand, own)
        finite = np.where(np.isfinite(by_hand), by_hand, 0.0)
        self.groups = _groups(np.abs(finite) * around.scales)
        self.lines: list[Direction] = []
        self.steps: list[float] = []  # the complex step along every direction
        self.refusal: str | None = None
        for g, group in enumerate(self.groups):
            first = self._take(g, group, None)
            self.lines += [first, *[self._take(g, group, first) for _ in range(n - 1)]]
        self.imaginary = self._complex_steps()
        self.notes.append(
            f"{by_hand.size} entries: {n} random directions for each of {len(self.groups)} "
            "groups of entries of like size"
        )

    def of(self, by_hand: np.ndarray, own: np.ndarray) -> "Directions":
        """The check of another gradient of the same f, along the same directions."""
        other = copy(self)
        other.notes = list(self.notes)
        other._take_in(by_hand, own)
        other.lines = [
            line._replace(hand=other._by_hand(line.along, self.groups[line.group]))
            for line in self.lines
        ]
        return other

    def _take_in(self, by_hand: np.ndarray, own: np.ndarray) -> None:
        self.analytic, self.own = by_hand, own
        self.found: list[int] = []
        self.unfollowed = False  # whether more wrong entries are left than were found
        finite = np.isfinite(by_hand)
        largest = np.abs(by_hand[finite]).max(initial=0.0)
        self.residue = ROUNDINGS * EPS64 * largest  # an entry may be a difference of such terms
        self.infinite = np.flatnonzero(~finite)

    def _by_hand(self, along: np.ndarray, group: np.ndarray) -> ByHand:
        products = self.analytic[group] * along[group]
        norm = float(np.linalg.norm(products))
        own = float(4 * np.linalg.norm(self.own[group] * along[group]))
        own += 4 * EPS64 * norm * group.size**0.5
        typical = float(np.median(np.abs(products)))
        return ByHand(float(products.sum()), own, typical, norm)

    def _take(self, g: int, group: np.ndarray, first: Direction | None) -> Direction:
        """A new direction in group g. One difference is enough where it confirms the complex step.
        Else the first of a group goes up the ladder; the others take two differences, at the steps
        that were best there."""
        around = self.around
        along = np.zeros(around.x.size)
        signs = around.rng.choice((-1.0, 1.0), group.size)
        along[group] = signs * around.rng.uniform(0.5, 1.5, group.size) * around.scales[group]
        quick, estimate = True, self._quickly_confirmed(along)
        if (
            estimate is None
            and first is not None
            and first.estimate.rows
            and (np.isfinite(first.estimate.bar))
        ):
            estimate = self._two_steps(along, first.estimate)
        elif estimate is None:
            quick, estimate = False, around.ladder(along, 1.0)
        return Direction(g, quick, along, self._by_hand(along, group), estimate)

    def _quickly_confirmed(self, along: np.ndarray) -> Estimate | None:
        """One difference, if it confirms the complex step along a direction; else None."""
        around = self.around
        if self.refusal is not None:
            return None
        try:
            step = imaginary_step(around.f, around.x, along, 1.0)
        except Refuses as refusal:
            self.refusal = str(refusal)
            return None
        self.steps.append(step)
        line = Line(around.f, around.x, along)
        for h, truncation in ((QUICK, CONFIRMS), (LESS_QUICK, ALSO_CONFIRMS)):
            slope, noise = around.one_step(line, h)
            bar = noise + truncation * abs(step)
            if not abs(slope - step) <= bar:
                return None
            if noise <= SEEN * abs(step) or self.known_analytic:
                return Estimate(slope, bar, h, noise, abs(slope), False, False, False, (), ())
        return None

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
        confirmed = False
        if self.refusal is not None:
            self.notes.append(
                f"the complex step was not used: f does not take complex numbers ({self.refusal})"
            )
            return None
        for line, step in zip(self.lines, self.steps, strict=True):
            if line.estimate.kink or not np.isfinite(line.estimate.bar):
                continue
            gap = abs(line.estimate.value - step)
            confirmed |= bool(gap <= SEEN * abs(step))
            if not gap <= 4 * (line.estimate.bar + COMPLEX_BAR * line.hand.norm):
                self._climb_all()
                self.notes.append(
                    "the complex step was not used: differences contradict it, so f is not "
                    "analytic (abs, conj, .real, np.vdot or a Hermitian routine?)"
                )
                return None
        if not confirmed:
            self._climb_all()
        return np.array(self.steps) if confirmed else None

    def _climb_all(self) -> None:
        """A ladder for every direction that had nothing but the complex step for its bar."""
        for k, line in enumerate(self.lines):
            if not line.estimate.rows:
                estimate = self.around.ladder(line.along, 1.0)
                self.lines[k] = line._replace(estimate=estimate, quick=False)

    def trace(self, i: int) -> Estimate:
        """The differences along direction i, for `plot`."""
        line = self.lines[min(i, len(self.lines) - 1)]
        return line.estimate if line.estimate.rows else self.around.ladder(line.along, 1.0)

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
            bar = d.hand.norm * (STEP_BAR + 16 * EPS64 * np.count_nonzero(d.along) ** 0.5)
            if abs(value - d.hand.slope) > bar + d.hand.own:
                bar += rounding_of(around.f, around.x, d.along, 1.0, value, around.rng)
        bar += d.hand.own
        gap = abs(value - d.hand.slope)
        row = (d.hand.slope, value, bar)
        # a kink that is seen through noise is none where the complex step agrees
        seen = self.imaginary is None or gap > bar or estimate.noise <= SEEN * abs(value)
        if estimate.kink and seen:
            return *row, CANNOT_TELL, "kink"
        if not np.isfinite(bar):
            return *row, CANNOT_TELL, "edge" if len(estimate.rows) < 3 else "steep"
        residue = self.residue * float(np.linalg.norm(d.along))
        smallest = min(FINE * d.hand.norm, ONE * d.hand.typical)
        if bar < gap <= bar + residue <= smallest:
            return *row[:2], bar + residue, RIGHT, ""
        if gap <= bar:
            exact = value == 0 and not d.hand.norm
            fine = bar <= smallest
            if fine or exact or bar <= ZERO * estimate.swing:
                return *row, RIGHT, ""
            return *row, CANNOT_TELL, "faint"
        contradicted = [
            c for c in estimate.rejected if abs(d.hand.slope - c.value) <= c.bar + d.hand.own
        ]
        if contradicted:
            return *row, CANNOT_TELL, "near kink"
        if gap <= residue:
            return *row, CANNOT_TELL, "residue"
        if gap <= max(SURE * bar, NEARLY * d.hand.typical):
            return *row, CANNOT_TELL, "nearly" if bar <= FINE * d.hand.norm else "faint"
        return *row, WRONG, ""

    # ---- bisection ---------------------------------------------------------------------------

    def _followed(self, rows: list[Row]) -> tuple[list[Found], set[int]]:
        """(entries behind the wrong directions, the groups where such an entry is right by itself).

        Within about BUDGET evaluations: one group after another, the clearest direction of each.
        Every entry is looked at by itself before it is accused.
        """
        wrong = [k for k in range(len(self.lines)) if rows[k][3] == WRONG]
        clearest: dict[int, int] = {}
        for k in sorted(wrong, key=lambda k: -clearness(rows[k])):
            clearest.setdefault(self.lines[k].group, k)
        found: list[Found] = []
        doubted = set()
        left = BUDGET
        for group, k in clearest.items():
            excess, line = rows[k][0] - rows[k][1], self.lines[k]
            probe = Probe(self.around, line, excess, self.imaginary is not None)
            more, left, unfollowed = bisect(probe, line, excess, left, self.analytic, self.own)
            self.unfollowed |= unfollowed
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
        rows = Block(
            "the directions", np.zeros(n), entries.analytic[:n], entries.numeric[:n],
            entries.bar[:n], entries.verdict[:n] == WRONG,
        )  # fmt: skip
        # with one direction of many entries any error is a constant ratio
        ratio = constant_factor(rows) if n > 1 or self.analytic.size == 1 else None
        if ratio is not None and not is_close(ratio, 1):
            meaning = (
                name_ratio(ratio, sizes) or f"{ratio:.6g} times the right value at every entry"
            )
            return f"along every direction: {meaning}", ratio, worst
        if not self.found:
            return "the gradient disagrees along a direction, spread over many entries", None, worst
        shown = ", ".join(
            f"{labels[k]} (by hand {entries.analytic[k]:.6g}, numerically {entries.numeric[k]:.6g})"
            for k in range(n, min(len(labels), n + 3))
        )
        more = ", and there are more" if self.unfollowed or len(self.found) > 3 else ""
        return f"wrong at {shown}{more}", None, n


def clearness(row: Row) -> float:
    """How many bars lie between the two slopes. Where f is linear, the bar can be 0."""
    gap, bar = abs(row[0] - row[1]), row[2]
    return gap / bar if bar else np.inf


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

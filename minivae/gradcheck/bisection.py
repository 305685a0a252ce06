"""From a direction along which a gradient is wrong to the entries that are wrong.

The direction is halved again and again: two evaluations of f, or one by the complex step, say in
which half the disagreement lies. One wrong entry of a million is found in 20 halvings.
"""

from typing import NamedTuple

import numpy as np

from minivae.gradcheck.entries import Surroundings
from minivae.gradcheck.imaginary import imaginary_step
from minivae.gradcheck.ladder import NOISES, Estimate, Line
from minivae.gradcheck.noise import EPS64
from minivae.gradcheck.verdicts import SURE

BELOW = 0.01  # of the excess: the noise bar of the differences in a bisection


class ByHand(NamedTuple):
    """What the gradient by hand says along one direction."""

    slope: float
    own: float  # the rounding of it
    typical: float  # the contribution of a typical entry
    norm: float  # that of all, as if their signs were random


class Direction(NamedTuple):
    """One direction of one group: what the gradient by hand says, and what f does."""

    group: int
    quick: bool  # whether two steps were taken, and not a whole ladder
    along: np.ndarray  # (N,), zero outside the group
    hand: ByHand
    estimate: Estimate


class Found(NamedTuple):
    """An entry that bisection arrived at."""

    entry: int
    numeric: float
    bar: float


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
            self.bar = 16 * EPS64 * direction.hand.norm * np.sqrt(np.count_nonzero(self.along))
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


def bisect(
    probe: Probe,
    d: Direction,
    excess: float,
    left: int,
    analytic: np.ndarray,
    own: np.ndarray,
) -> tuple[list[Found], int, bool]:
    """(entries whose contributions make up the excess, budget left, whether more are wrong).

    left: evaluations of f that may be spent. analytic, own: the gradient by hand, and its rounding.
    """
    sets = [(np.flatnonzero(d.along), excess)]
    found: list[Found] = []
    while sets:
        inside, excess = sets.pop()
        while inside.size > 1 and left >= probe.cost:
            half = inside[: inside.size // 2]
            numeric, bar = probe.part(half)
            left -= probe.cost
            bar += 4 * float(np.linalg.norm(own[half] * d.along[half]))
            first = float(analytic[half] @ d.along[half]) - numeric
            second = excess - first
            pieces = sorted([(half, first), (inside[half.size :], second)], key=lambda p: abs(p[1]))
            if abs(pieces[1][1]) <= SURE * bar:
                break  # spread over more entries than can be told apart
            if abs(pieces[0][1]) > SURE * bar:
                sets.append(pieces[0])
            inside, excess = pieces[1]
        if inside.size > 1:
            return found, left, True
        i = int(inside[0])
        bar = probe.bar / abs(d.along[i])
        found.append(Found(i, float(analytic[i] - excess / d.along[i]), float(bar)))
    return found, left, False

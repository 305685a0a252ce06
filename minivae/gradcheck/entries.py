"""The numerical derivative of every entry, each with its error bar.

Two kinds of evidence: differences (`ladder`), which any function takes, and the complex step
(`imaginary`), far more precise but right only for an analytic f. The complex step decides if f
takes it and differences contradict it on no entry. Before an entry is called wrong by that alone,
differences must confirm it on at least one entry (`verdicts`).
"""

from typing import NamedTuple

import numpy as np

from minivae.gradcheck.imaginary import Refuses, all_entries, imaginary_step, rounding_of
from minivae.gradcheck.inputs import Function
from minivae.gradcheck.ladder import NOISES, ROUNDS, Estimate, Ladder, Line, goes_in_stairs
from minivae.gradcheck.noise import EPS32, EPS64

QUICK = 2.0**-17  # one step, as a share of the scale, to confirm a complex step
CONFIRMS = 1e-6  # of the derivative: what truncation may add at that step
LESS_QUICK = 2.0**-10  # another, for an entry that the first one does not see
ALSO_CONFIRMS = 2.5e-4  # of the derivative, at that step
SEEN = 1e-3  # a derivative whose bar is at most this share of it is seen by differences
LARGER = 1e-18  # a larger complex step, as a share of the scale
COMPLEX_BAR = 1e-9  # of the derivative: what rounding inside f may make of a complex step


class Surroundings(NamedTuple):
    """f at the point: its value, its noise, and how far each entry may move."""

    f: Function
    x: np.ndarray
    value: float
    noise: float
    scales: np.ndarray  # (N,)
    rng: np.random.Generator

    @property
    def unit(self) -> float:
        """The relative rounding of the values of f."""
        return max(self.f.eps, EPS32 if self.f.single else EPS64) / 2

    def one_step(self, line: Line, h: float) -> tuple[float, float]:
        """One central difference, and the bar of its noise; NaN where f is not finite."""
        above, below, two_h = line.pair(h)
        noise = NOISES * max(self.noise, self.unit * max(abs(above), abs(below))) / h
        return (above - below) / two_h if two_h else np.nan, noise

    def ladder(self, along: int | np.ndarray, scale: float, rounds: int = ROUNDS) -> Estimate:
        """The derivative along an entry or a direction, by differences."""
        line = Line(self.f, self.x, along)
        return Ladder(line, scale, self.value, self.noise, self.unit).climb(rounds)


def scales_of(x: np.ndarray) -> np.ndarray:
    """How far each entry may move: its own size; for a zero, that of the largest entry, or 1."""
    sizes = np.abs(x)
    largest = sizes.max()
    return np.where(sizes > 0, sizes, largest if largest > 0 else 1.0)


class Numerics:
    """The numerical gradient at one point. `value` and `bar` are complete after `take`."""

    def __init__(self, around: Surroundings, *, analytic: bool = False) -> None:
        """analytic: whether f is known to be so. A complex step then holds unless one difference
        contradicts it; otherwise, an entry that this does not see goes up the ladder."""
        self.around, self.analytic = around, analytic
        n = around.x.size
        self.value, self.bar = np.full(n, np.nan), np.full(n, np.inf)
        self.imaginary: np.ndarray | None = None  # the complex step, if f takes it
        self.lost = 0.0  # of a complex step, where differences show that it lost more than rounding
        self.confirmed = np.zeros(n, bool)  # complex steps that differences confirm
        self.known = np.zeros(n, bool)  # complex steps that need no ladder
        self.slopes = np.full(n, np.nan)  # by differences
        self.estimates: dict[int, Estimate] = {}  # of the entries that went up the ladder
        self.stairs: dict[int, bool] = {}
        self.notes: list[str] = []

    @property
    def by_complex_step(self) -> bool:
        """Whether the complex step decides."""
        return self.imaginary is not None

    def take(self) -> None:
        """Take every derivative."""
        around = self.around
        try:
            imaginary = all_entries(around.f, around.x, around.scales)
        except Refuses as refusal:
            self.notes.append(
                f"the complex step was not used: f does not take complex numbers ({refusal})"
            )
        else:
            if np.isfinite(imaginary).all():
                self.imaginary = imaginary
            else:
                self.notes.append("the complex step was not used: f is not finite there")
        for i in range(around.x.size):
            if self.imaginary is None:
                break
            derivative = float(self.imaginary[i])
            self.known[i] = self._quickly_confirmed(i, derivative)
            if not self.known[i] and self._contradicted(i, derivative):
                self.imaginary = None
                self.notes.append(
                    "the complex step was not used: differences contradict it, so f is not "
                    "analytic (abs, conj, .real, np.vdot or a Hermitian routine?)"
                )
        if self.imaginary is not None:
            self.value, self.bar = self.imaginary.copy(), COMPLEX_BAR * np.abs(self.imaginary)
        else:
            for i in range(around.x.size):
                estimate = self.climb(i)
                self.value[i], self.bar[i] = estimate.value, estimate.bar

    def climb(self, i: int) -> Estimate:
        """Entry i by differences alone."""
        if i not in self.estimates:
            self.estimates[i] = self.around.ladder(i, float(self.around.scales[i]))
            self.slopes[i] = self.estimates[i].value
        return self.estimates[i]

    def in_stairs(self, i: int) -> bool:
        """Is f constant near x along entry i because it goes in stairs?"""
        if i not in self.stairs:
            line = Line(self.around.f, self.around.x, i)
            self.stairs[i] = goes_in_stairs(line, self.climb(i))
        return self.stairs[i]

    def _quickly_confirmed(self, i: int, derivative: float) -> bool:
        """Does one central difference agree with the complex step, and see the entry?"""
        around, line = self.around, Line(self.around.f, self.around.x, i)
        for share, truncation in ((QUICK, CONFIRMS), (LESS_QUICK, ALSO_CONFIRMS)):
            slope, noise = around.one_step(line, share * float(around.scales[i]))
            if not abs(slope - derivative) <= noise + truncation * abs(derivative):
                return False
            self.slopes[i] = slope
            self.confirmed[i] = noise <= SEEN * abs(derivative)
            if self.confirmed[i] or self.analytic:
                return True
        return False

    def _contradicted(self, i: int, derivative: float) -> bool:
        """Do the differences say that the complex step is wrong? They may also confirm it."""
        estimate = self.climb(i)
        if estimate.kink or not np.isfinite(estimate.bar):
            return False
        gap = abs(estimate.value - derivative)
        if gap <= estimate.bar + COMPLEX_BAR * abs(derivative):
            self.confirmed[i] = estimate.bar <= SEEN * abs(derivative)
            return False
        if gap <= 4 * estimate.bar:
            return False
        rounding = rounding_of(
            self.around.f, self.around.x, i, self.around.scales[i], derivative, self.around.rng
        )
        return gap > 4 * (estimate.bar + rounding)

    def is_settled(self, i: int) -> bool:
        """Is the complex step of entry i the same at a far larger step? Not so at the border of the
        domain of x**1.5, say."""
        around = self.around
        try:
            larger = imaginary_step(around.f, around.x, i, around.scales[i], LARGER)
        except Refuses:
            return False
        return bool(abs(larger - self.value[i]) <= self.bar[i] + CONFIRMS * abs(self.value[i]))

    def sharpen(self, i: int) -> None:
        """Add to the bar of entry i the rounding of its own complex step, where that decides."""
        if self.imaginary is None:
            return
        around = self.around
        rounding = rounding_of(
            around.f, around.x, i, around.scales[i], self.imaginary[i], around.rng
        )
        self.bar[i] = COMPLEX_BAR * abs(self.imaginary[i]) + rounding

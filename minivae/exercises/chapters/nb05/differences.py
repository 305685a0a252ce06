"""Differences and the complex step: how large a step, and which code can take a complex number."""

import inspect
from collections.abc import Callable

import numpy as np

from minivae.exercises.exercise import Exercise, WrongAnswer, stub

# ---- central differences, for the exercises on gradient checks -----------------------------------


def central_difference(f, x, h):
    """(f(x + h e_i) - f(x - h e_i)) / 2h for every entry i         [notebook 05, eq. 12]"""
    return entry_by_entry(lambda f, x, step, h: (f(x + step) - f(x - step)) / (2 * h))(f, x, h)


def entry_by_entry(rule: Callable) -> Callable:
    """A difference quotient for every entry of x, from its rule for one: rule(f, x, step, h)."""

    def differences(f, x, h):
        gradient = np.zeros(x.shape)
        for i in np.ndindex(x.shape):
            step = np.zeros(x.shape)
            step[i] = h
            gradient[i] = rule(f, x, step, h)
        return gradient

    return differences


# ---- 05.choose-h ---------------------------------------------------------------------------------

TIMES_THE_BEST = 10  # the reference comes to 6.4 times; half a decade apart, to 10.3


def choose_h(f, x, u):
    """From small steps up: the smallest error bar, until truncation is the larger part"""
    best_h, smallest = None, np.inf
    for h in 10.0 ** np.arange(-12, 6, 0.25):
        D = (f(x + h) - f(x - h)) / (2 * h)
        D2 = (f(x + 2 * h) - f(x - 2 * h)) / (4 * h)
        size = max(abs(f(x + step)) for step in (h, -h, 2 * h, -2 * h))
        truncation, rounding = abs(D2 - D) / 3, 4 * u * size / h
        if truncation + rounding < smallest:
            best_h, smallest = h, truncation + rounding
        if truncation > rounding:
            break
    return best_h


def _unknown(name, formula, slope, dtype):
    """f of one number, computed in this precision; `slope` is its derivative, for the judge."""

    def f(x):
        return float(formula(dtype(x)))

    f.__name__, f.slope = name, slope
    return f


def _step_cases():
    def case(name, formula, slope, x, dtype=np.float64):
        return _unknown(name, formula, slope, dtype), x, float(np.finfo(dtype).eps)

    def peak(x):
        return 1 / (1 + (1000 * x) ** 2)

    def peak_slope(x):
        return -2e6 * x * peak(x) ** 2

    return [
        case("wave", lambda x: 2 + np.sin(x), np.cos, 0.7),
        case("fast", lambda x: 2 + np.sin(2e4 * x), lambda x: 2e4 * np.cos(2e4 * x), 4e-5),
        case("slow", lambda x: 2 + np.sin(x / 1e4), lambda x: np.cos(x / 1e4) / 1e4, 7e3),
        case("raised", lambda x: 1e6 + np.sin(x), np.cos, 0.7),
        case("peak", peak, peak_slope, 4e-4),
        case("wave32", lambda x: 2 + np.sin(x), np.cos, 0.7, np.float32),
        case(
            "fast32", lambda x: 2 + np.sin(50 * x), lambda x: 50 * np.cos(50 * x), 0.02, np.float32
        ),
    ]


def _error(f, x, h):
    """The error of the central difference at about this h: the largest of nine steps nearby, since
    a single one can be right by luck."""
    slope = f.slope(x)
    near = h * 2.0 ** np.linspace(-0.5, 0.5, 9)
    return max(abs((f(x + step) - f(x - step)) / (2 * step) - slope) for step in near)


def _judged_step(answer, f, x, u):
    """In words, how the error at the chosen h compares with the best."""
    h = answer(f, x, u)
    if not isinstance(h, int | float | np.number) or not h > 0:
        return "no positive number"
    best_h = min(10.0 ** np.arange(-12, 6, 0.25), key=lambda step: _error(f, x, step))
    times = _error(f, x, float(h)) / _error(f, x, best_h)
    if times <= TIMES_THE_BEST:
        return f"an error of at most {TIMES_THE_BEST} times the best"
    matter = "too large: truncation" if h > best_h else "too small: rounding"
    return f"h = {h:.1e} is {matter} (error {times:.1e} times that of h = {best_h:.0e})"


def _smallest_bar_of_all(f, x, u):
    def bar(h):
        D = (f(x + h) - f(x - h)) / (2 * h)
        return abs((f(x + 2 * h) - f(x - 2 * h)) / (4 * h) - D) / 3 + 4 * u * abs(f(x)) / h

    return min(10.0 ** np.arange(-12, 6, 0.25), key=bar)


def _from_above(f, x, u):
    for h in 10.0 ** np.arange(5.75, -12.1, -0.25):
        D = (f(x + h) - f(x - h)) / (2 * h)
        if abs((f(x + 2 * h) - f(x - 2 * h)) / (4 * h) - D) / 3 < u * abs(f(x)) / h:
            return h
    return h


def _closest_pair(f, x, u):
    def difference(h):
        return (f(x + h) - f(x - h)) / (2 * h)

    steps = 10.0 ** np.arange(-12, 0, 0.25)
    return min(steps, key=lambda h: abs(difference(h) - difference(2 * h)))


CHOOSE_H = Exercise(
    id="05.choose-h",
    title="the step of a difference, for a function that you can only call",
    stub=stub("""
        def choose_h(f, x, u):    # f: number -> number; x: number; u: 2.2e-16 or 1.2e-7
            ...                   # -> h for (f(x + h) - f(x - h)) / (2 * h)
    """),
    reference=choose_h,
    cases=_step_cases,
    observe=_judged_step,
    mistakes=(
        WrongAnswer(
            "cube-root-of-u",
            lambda f, x, u: u ** (1 / 3),
            "The cube root of u is right where f and its third derivative are of size 1; this f "
            "varies on another scale.",
        ),
        WrongAnswer(
            "scaled-by-x",
            lambda f, x, u: u ** (1 / 3) * max(1.0, abs(x)),
            "The scale on which f varies need not be the size of x.",
        ),
        WrongAnswer(
            "by-x-alone",
            lambda f, x, u: u ** (1 / 3) * abs(x),
            "The scale on which f varies need not be the size of x.",
        ),
        WrongAnswer(
            "root-of-u",
            lambda f, x, u: u**0.5,
            "The square root of u suits the one-sided difference; this one steps to both sides.",
        ),
        WrongAnswer(
            "constant",
            lambda f, x, u: 1e-5,
            "One constant cannot serve: float32 needs a larger h, and a slow function too.",
        ),
        WrongAnswer(
            "as-small-as-possible",
            lambda f, x, u: u,
            "So small a step leaves nothing but rounding error in f(x + h) - f(x - h).",
        ),
        WrongAnswer(
            "rounding-forgotten",
            _closest_pair,
            "D(h) and D(2h) can agree by luck, or because both are 0; the rounding, u |f| / h, "
            "has to count too.",
        ),
        WrongAnswer(
            "never-stops",
            _smallest_bar_of_all,
            "Where h is much larger than the scale on which f varies, D(h) and D(2h) are both near "
            "0, and their difference says nothing: stop once truncation is the larger part.",
        ),
        WrongAnswer(
            "from-above",
            _from_above,
            "This begins with a large h, where D(h) and D(2h) can both be near 0 and so agree: "
            "begin with a small one.",
        ),
    ),
    hints=(
        "You can call f at many steps. What does D(2h) - D(h) say, and what does it not see?",
        "The error has two parts: |D(2h) - D(h)| / 3 and about 4 u |f| / h, f where it is called.",
        "From h = 1e-12 up, keep the one with the smallest sum; stop once truncation is larger.",
    ),
)

# ---- 05.complex-ready ----------------------------------------------------------------------------


def huber(r):  # (N,), real or complex -> a number
    size = np.abs(r)
    return np.where(size <= 1, size**2 / 2, size - 0.5).sum()


def mended_huber(r):
    size = np.where(r.real < 0, -r, r)  # |r| of a real r, by comparing real parts
    return np.where(size.real <= 1, size**2 / 2, size - 0.5).sum()


def _huber_cases():
    return [
        (np.array([0.4]),),
        (np.array([-2.5]),),
        (np.array([0.3, -0.8, 1.7, -2.5, 0.0]),),
    ]


def _value_and_complex_step(answer, r):
    gradient = np.zeros(r.shape)
    for j in range(len(r)):
        moved = r.astype(complex)
        moved[j] += 1e-30j
        gradient[j] = np.imag(answer(moved)) / 1e-30
    return float(np.real(answer(r))), gradient


COMPLEX_READY = Exercise(
    id="05.complex-ready",
    title="mend a loss so that the complex step can differentiate it",
    stub=inspect.getsource(huber).rstrip(),
    reference=mended_huber,
    given=huber,
    cases=_huber_cases,
    observe=_value_and_complex_step,
    returns=("the value", "the complex step"),
    mistakes=(
        WrongAnswer(
            "sign-lost",
            lambda r: np.where(np.abs(r) <= 1, r**2 / 2, r - 0.5).sum(),
            "Far out on the negative side the loss is -r - 1/2: the sign has to be turned there.",
        ),
        WrongAnswer(
            "lines-still-by-abs",
            lambda r: np.where(np.abs(r) <= 1, r**2 / 2, np.abs(r) - 0.5).sum(),
            "The squares are mended; the lines still use np.abs, so their slope is 0.",
        ),
        WrongAnswer(
            "squares-still-by-abs",
            lambda r: np.where(
                np.abs(r) <= 1, np.abs(r) ** 2 / 2, np.where(r.real < 0, -r, r) - 0.5
            ).sum(),
            "The lines are mended; the square still uses np.abs, so its slope is 0.",
        ),
        WrongAnswer(
            "square-only",
            lambda r: (r**2 / 2).sum(),
            "The loss is a square near 0 only; beyond 1 it is |r| - 1/2.",
        ),
        WrongAnswer(
            "one-sided",
            lambda r: np.where(r.real <= 1, r**2 / 2, r - 0.5).sum(),
            "A residual of -2.5 is far out as well: compare its size, not its value.",
        ),
        WrongAnswer(
            "offset-lost",
            lambda r: np.where(np.abs(r) <= 1, r**2 / 2, np.where(r.real < 0, -r, r)).sum(),
            "The line is |r| - 1/2, so that it meets the square at 1; the complex step cannot see "
            "a constant.",
        ),
    ),
    hints=(
        "np.abs of a complex number is real: the imaginary part, which carries the slope, is lost.",
        "A comparison may look at the real part; what is returned must be r, -r or r**2.",
        "size = np.where(r.real < 0, -r, r), and compare size.real.",
    ),
)

"""Rules of the text put to another use: another graph, another difference, another direction."""

from numbers import Real

import numpy as np

from minivae.exercises.exercise import Exercise, WrongAnswer, stub

# ---- 05.graph: numbers through a graph -----------------------------------------------------------

GRADIENTS = {"dt": -3, "ds": -5, "dv": 12, "dw": -11}


def _judge_gradients(answer):
    if isinstance(answer, dict):
        answer = [answer.get(name) for name in GRADIENTS]
    if isinstance(answer, np.ndarray):
        answer = answer.tolist()
    if not isinstance(answer, list | tuple) or len(answer) != len(GRADIENTS):
        return "expected four numbers: dt, ds, dv, dw"
    for name, got, right in zip(GRADIENTS, answer, GRADIENTS.values(), strict=True):
        if not isinstance(got, Real):
            return f"{name} must be a number"
        if not abs(got - right) < 1e-9:
            leads_on = " (and perhaps what comes after it on the way back)"
            return f"not yet right: {name}" + (leads_on if name in ("dt", "ds") else "")
    return None


GRAPH = Exercise(
    id="05.graph",
    title="numbers backward through a graph",
    stub=stub("""
        # v = 2,  w = -3,  s = v * w,  t = s + v,  y = t * s,  loss = y / 2 - w
        gradients = ...    # (dt, ds, dv, dw)
    """),
    reference=tuple(GRADIENTS.values()),
    judge=_judge_gradients,
    mistakes=(
        WrongAnswer(
            "s-through-t-only",
            (-3, -3, 6, -7),
            "Two arrows leave s: one to t and one to y. ds is the sum of both terms.",
        ),
        WrongAnswer(
            "s-through-y-only",
            (-3, -2, 3, -5),
            "Two arrows leave s: one to y and one to t. ds is the sum of both terms.",
        ),
        WrongAnswer(
            "v-through-s-only",
            (-3, -5, 15, -11),
            "Two arrows leave v: one to s and one to t. dv is the sum of both terms.",
        ),
        WrongAnswer(
            "v-through-t-only",
            (-3, -5, -3, -11),
            "Two arrows leave v: one to t and one to s. dv is the sum of both terms.",
        ),
        WrongAnswer(
            "w-through-s-only",
            (-3, -5, 12, -10),
            "The loss also uses w directly: that arrow brings -1.",
        ),
        WrongAnswer(
            "multiplied",
            (-3, 6, -21, 11),
            "The two terms of ds are multiplied; add them.",
        ),
        WrongAnswer(
            "half-lost",
            (-6, -10, 24, -21),
            "dy is 1/2, as loss = y / 2 - w; here it is taken to be 1.",
        ),
    ),
    hints=(
        "Forward: s = -6, t = -4, y = 24. Back, start with dy. Which boxes do two arrows leave?",
        "dy = 1/2, and y = t * s: dt = dy * s. s goes into y and into t.",
        "ds = dy * t + dt, dv = ds * w + dt, dw = ds * v - 1.",
    ),
    solution_text=stub("""
        # forward: s = -6, t = -4, y = 24, loss = 15
        dy = 1 / 2
        dt = dy * -6               # y = t * s
        ds = dy * -4 + dt * 1      # s goes into y and into t
        dv = ds * -3 + dt * 1      # v goes into s and into t
        dw = ds * 2 - 1            # w goes into s and into the loss
        gradients = (dt, ds, dv, dw)
    """),
)

# ---- 05.one-sided-bar ----------------------------------------------------------------------------

MOST = 40  # times the error: a larger bar says little


def one_sided_bar(f, x, h, u):
    """The step 2h has twice the error of h, so D(2h) - D(h) is once the error of D(h)"""
    values = f(x), f(x + h), f(x + 2 * h)
    D, D2 = (values[1] - values[0]) / h, (values[2] - values[0]) / (2 * h)
    return abs(D2 - D) + 4 * u * max(map(abs, values)) / h


def _bar_cases():
    def case(name, formula, slope, x, h, dtype=np.float64):
        def f(x):
            return float(formula(dtype(x)))

        f.__name__, f.slope = name, slope
        return f, x, h, float(np.finfo(dtype).eps)

    return [
        case("wave", lambda x: 2 + np.sin(x), np.cos, 0.7, 1e-3),
        case("wave", lambda x: 2 + np.sin(x), np.cos, 0.7, 1e-11),
        case("square", lambda x: x**2, lambda x: 2 * x, 1.5, 1e-2),
        case("raised", lambda x: 1e6 + np.exp(x), np.exp, 0.4, 1e-6),
        case("wave32", lambda x: 2 + np.sin(x), np.cos, 0.7, 1e-5, np.float32),
    ]


def _judged_bar(answer, f, x, h, u):
    """In words, how the bar compares with the largest error of several steps near h."""
    near = h * np.linspace(0.98, 1.02, 9)
    off = max(abs((f(x + step) - f(x)) / step - f.slope(x)) for step in near)
    bars = [answer(f, x, float(step), u) for step in near]
    if not all(isinstance(bar, int | float | np.number) for bar in bars):
        return "not a number"
    if not max(bars) >= 0.9 * off:
        return f"too small: {max(bars) / off:.1g} times the error"
    if not max(bars) <= MOST * off:
        return f"too large: {max(bars) / off:.1g} times the error"
    return f"from 1 to {MOST} times the error"


def _bar_with(truncation, rounding):
    """A wrong answer: these factors of |D(2h) - D(h)| and of u |f| / h."""

    def wrong(f, x, h, u):
        values = f(x), f(x + h), f(x + 2 * h)
        D, D2 = (values[1] - values[0]) / h, (values[2] - values[0]) / (2 * h)
        return truncation * abs(D2 - D) + rounding * u * max(map(abs, values)) / h

    return wrong


ONE_SIDED_BAR = Exercise(
    id="05.one-sided-bar",
    title="an error bar for the one-sided difference",
    stub=stub("""
        def one_sided_bar(f, x, h, u):    # f: number -> number; u: 2.2e-16 or 1.2e-7
            ...                           # -> a bar for the error of (f(x + h) - f(x)) / h
    """),
    reference=one_sided_bar,
    cases=_bar_cases,
    observe=_judged_bar,
    mistakes=(
        WrongAnswer(
            "a-third",
            _bar_with(1 / 3, 4),
            "The third belongs to the central difference, whose error falls with h^2. Here it "
            "falls with h: by how much do the errors of D(2h) and D(h) differ?",
        ),
        WrongAnswer(
            "truncation-lost",
            _bar_with(0, 4),
            "The bar covers rounding alone; at a large h the truncation is the larger part.",
        ),
        WrongAnswer(
            "rounding-not-divided",
            lambda f, x, h, u: _bar_with(1, 4 * h)(f, x, h, u) / 1e3,
            "The bar is far too small: the rounding of f is divided by h, as f's difference is.",
        ),
        WrongAnswer(
            "by-the-value",
            lambda f, x, h, u: abs(f(x)),
            "A bar of the size of f says nothing about the slope.",
        ),
        WrongAnswer(
            "h-itself",
            lambda f, x, h, u: h,
            "That the error is of the order of h does not make it h: the factor is f'' / 2, and "
            "rounding comes on top.",
        ),
    ),
    hints=(
        "Expand f(x + h) as below eq. (12). Which term is left, and how does it grow with h?",
        "The error of D(2h) is twice that of D(h), so their difference is the error of D(h).",
        "|D(2h) - D(h)| + 4 u |f| / h, with f at x, x + h and x + 2h.",
    ),
)

# ---- 05.slope-along ------------------------------------------------------------------------------


def slope_along(f, x, v):
    """f(x + i h v) = f + i h (gradient . v) + ..., all entries moved at once"""
    return f(x + 1e-30j * v).imag / 1e-30


def _along_cases():
    def named(name, f, *arrays):
        f.__name__ = name
        return f, *map(np.array, arrays)

    return [
        named("square", lambda x: (x**2).sum(), [0.7], [1.7]),
        named("wave", lambda x: (np.sin(x) * x[::-1]).sum(), [0.7, -1.3, 0.4], [1.5, -0.2, 0.8]),
        named("raised", lambda x: 1e8 + np.tanh(x).sum(), [[0.3, -0.8]], [[1e-3, 4e-3]]),
    ]


def _slope_and_calls(answer, f, x, v):
    calls = []

    def counted(at):
        calls.append(at)
        return f(at)

    slope = answer(counted, x, v)
    return slope, "one evaluation" if len(calls) == 1 else f"{len(calls)} evaluations"


def _partials(f, x):
    steps = 1e-30j * np.eye(x.size).reshape(x.size, *x.shape)
    return np.array([f(x + step).imag / 1e-30 for step in steps]).reshape(x.shape)


def _central_along(f, x, v):
    return (f(x + 1e-5 * v) - f(x - 1e-5 * v)) / 2e-5


SLOPE_ALONG = Exercise(
    id="05.slope-along",
    title="the slope along a direction, by one complex evaluation",
    stub=stub("""
        def slope_along(f, x, v):    # f: array -> number, analytic; x, v: arrays of one shape
            ...                      # -> d/dt f(x + t v) at t = 0, from one evaluation of f
    """),
    reference=slope_along,
    cases=_along_cases,
    observe=_slope_and_calls,
    returns=("slope", "evaluations of f"),
    mistakes=(
        WrongAnswer(
            "entry-by-entry",
            lambda f, x, v: (_partials(f, x) * v).sum(),
            "Right, at the price of one evaluation for each entry: move all entries at once.",
        ),
        WrongAnswer(
            "central-difference",
            _central_along,
            "A difference needs two evaluations, and loses digits where f is large.",
        ),
        WrongAnswer(
            "normalised",
            lambda f, x, v: slope_along(f, x, v / np.linalg.norm(v)),
            "v is scaled to length 1; the slope along 2v is twice that along v.",
        ),
        WrongAnswer(
            "v-ignored",
            lambda f, x, v: f(x + 1e-30j).imag / 1e-30,
            "All entries are moved by the same amount; entry j moves by h times v_j.",
        ),
        WrongAnswer(
            "not-divided",
            lambda f, x, v: f(x + 1e-30j * v).imag,
            "This is 0, or as small as h. The step goes along the imaginary axis; the imaginary "
            "part of f is then h times the slope, and has to be divided by h.",
        ),
        WrongAnswer(
            "real-part",
            lambda f, x, v: f(x + 1e-30j * v).real,
            "The real part is the value of f; the slope is in the imaginary part.",
        ),
        WrongAnswer(
            "step-too-large",
            lambda f, x, v: f(x + 1e-2j * v).imag / 1e-2,
            "With so large an h the truncation shows. Nothing is subtracted, so h can be 1e-30.",
        ),
    ),
    hints=(
        "Eq. (13) moves one entry along the imaginary axis. Who says that it must be one?",
        "Replace e_j in eq. (13) by v.",
        "f(x + 1e-30j * v).imag / 1e-30.",
    ),
)

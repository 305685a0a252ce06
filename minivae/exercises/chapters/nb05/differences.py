"""Gradients from values of the function alone: central differences and the complex step."""

from collections.abc import Callable

import numpy as np

from minivae.exercises.exercise import Exercise, WrongAnswer, stub

# ---- 05.central-difference -----------------------------------------------------------------------


def central_difference(f, x, h):
    """(f(x + h e_i) - f(x - h e_i)) / 2h for every entry i         [notebook 05, eq. 12]"""
    gradient = np.zeros(x.shape)
    for i in np.ndindex(x.shape):
        step = np.zeros(x.shape)
        step[i] = h
        gradient[i] = (f(x + step) - f(x - step)) / (2 * h)
    return gradient


def cubic(x: np.ndarray) -> float:
    return (x**3).sum()


def wave(x: np.ndarray) -> float:
    return np.sin(x).sum() + x.flat[0] * x.flat[-1]


def _difference_cases():
    return [
        (cubic, np.array([0.7]), 0.1),
        (wave, np.array([0.3, -1.1, 0.8]), 0.1),
        (cubic, np.array([[0.3, -1.1, 0.8], [0.5, 0.2, -0.6]]), 1e-3),
    ]


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


def _never_steps_back(f, x, h):
    x, gradient = x.copy(), np.zeros(x.shape)
    for i in np.ndindex(x.shape):
        x[i] += h
        up = f(x)
        x[i] -= 2 * h
        gradient[i] = (up - f(x)) / (2 * h)
    return gradient


CENTRAL = Exercise(
    id="05.central-difference",
    title="a gradient from values of f: central differences",
    stub=stub("""
        def central_difference(f, x, h):    # f: array -> float, x: any shape, step h
            ...                             # -> the gradient, of the shape of x
    """),
    reference=central_difference,
    cases=_difference_cases,
    mistakes=(
        WrongAnswer(
            "forward",
            entry_by_entry(lambda f, x, step, h: (f(x + step) - f(x)) / h),
            "This is the one-sided difference: its error falls with h, the central one's with h^2.",
        ),
        WrongAnswer(
            "backward",
            entry_by_entry(lambda f, x, step, h: (f(x) - f(x - step)) / h),
            "This is the one-sided difference backwards, f(x) - f(x - h): step to both sides.",
        ),
        WrongAnswer(
            "over-h",
            entry_by_entry(lambda f, x, step, h: (f(x + step) - f(x - step)) / h),
            "The distance from x - h to x + h is 2 h: divide by 2 h.",
        ),
        WrongAnswer(
            "brackets",
            entry_by_entry(lambda f, x, step, h: (f(x + step) - f(x - step)) / 2 * h),
            "/ 2 * h multiplies by h: write / (2 * h).",
        ),
        WrongAnswer(
            "sign",
            entry_by_entry(lambda f, x, step, h: (f(x - step) - f(x + step)) / (2 * h)),
            "The two values are swapped: it is f(x + h) - f(x - h).",
        ),
        WrongAnswer(
            "all-at-once",
            lambda f, x, h: np.full(x.shape, (f(x + h) - f(x - h)) / (2 * h)),
            "All entries of x are moved at once, which gives the sum of the gradient everywhere.",
        ),
        WrongAnswer(
            "step-not-undone",
            _never_steps_back,
            "The entries are not moved back, so the later differences are taken at another point.",
        ),
        WrongAnswer(
            "flat",
            lambda f, x, h: central_difference(f, x, h).ravel(),
            "The gradient must have the shape of x; this one is flattened.",
        ),
        WrongAnswer(
            "second-derivative",
            entry_by_entry(lambda f, x, step, h: (f(x + step) - 2 * f(x) + f(x - step)) / h**2),
            "This estimates the second derivative.",
        ),
    ),
    hints=(
        "Move one entry of x at a time, up and down.",
        "np.ndindex(x.shape) runs over the entries of any shape. Work on copies of x.",
        "gradient[i] = (f(x + step) - f(x - step)) / (2 * h); step is h at i and 0 elsewhere.",
    ),
)

# ---- 05.complex-step -----------------------------------------------------------------------------


def complex_step(f, x):
    """Im f(x + i h e_j) / h, with h so small that no digit is lost  [notebook 05, eq. 13]"""
    h = 1e-20
    gradient = np.zeros(x.shape)
    for j in np.ndindex(x.shape):
        z = x.astype(complex)
        z[j] += 1j * h
        gradient[j] = f(z).imag / h
    return gradient


def raised_cubic(x: np.ndarray) -> complex:
    return (x**3).sum() + 1e6


def raised_wave(x: np.ndarray) -> complex:
    return (np.exp(x) * np.sin(x)).sum() + x.flat[0] * x.flat[-1] + 1e6


def _complex_cases():
    return [
        (raised_cubic, np.array([0.7])),
        (raised_wave, np.array([[0.3, -1.1, 0.8], [0.5, 0.2, -0.6]])),
    ]


def _each_complex(rule):
    """A wrong answer from its rule for one entry: rule(f, x, unit), where unit is 1 there."""

    def wrong(f, x):
        gradient = np.zeros(x.shape)
        for j in np.ndindex(x.shape):
            unit = np.zeros(x.shape)
            unit[j] = 1
            gradient[j] = rule(f, x, unit)
        return gradient

    return wrong


COMPLEX = Exercise(
    id="05.complex-step",
    title="the complex step: a derivative to sixteen digits",
    stub=stub("""
        def complex_step(f, x):    # f: array, real or complex -> number; x: any shape, real
            ...                    # -> the gradient, real, of the shape of x
    """),
    reference=complex_step,
    cases=_complex_cases,
    mistakes=(
        WrongAnswer(
            "real-part",
            _each_complex(lambda f, x, unit: f(x + 1e-20j * unit).real / 1e-20),
            "The real part is f itself; the derivative is in the imaginary part.",
        ),
        WrongAnswer(
            "not-divided",
            _each_complex(lambda f, x, unit: f(x + 1e-20j * unit).imag),
            "This is almost 0: the imaginary part has to be divided by h.",
        ),
        WrongAnswer(
            "large-step",
            _each_complex(lambda f, x, unit: f(x + 1e-2j * unit).imag / 1e-2),
            "h is too large: the error falls with h^2. Nothing is subtracted, so h may be 1e-20.",
        ),
        WrongAnswer(
            "central-difference",
            lambda f, x: central_difference(f, x, 1e-5),
            "This is a real difference: f is 1e6 here, and subtracting two such values "
            "leaves few digits. The complex step subtracts nothing.",
        ),
        WrongAnswer(
            "all-at-once",
            lambda f, x: np.full(x.shape, f(x + 1e-20j).imag / 1e-20),
            "All entries of x are moved at once, which gives the sum of the gradient everywhere.",
        ),
        WrongAnswer(
            "complex-result",
            _each_complex(lambda f, x, unit: abs(f(x + 1e-20j * unit) - f(x)) / 1e-20),
            "The absolute value loses the sign of the derivative.",
        ),
    ),
    hints=(
        "f(x + ih) = f(x) + i h f'(x) - ...: where is f'(x)?",
        "Nothing is subtracted, so h may be 1e-20. Copy x as a complex array: x.astype(complex).",
        "Im f(x + i h e_j) / h, one entry j at a time.",
    ),
)

"""Derivatives from values alone: the first check of a gradient."""

from collections.abc import Callable

import numpy as np

from minivae.exercises.exercise import Exercise, WrongAnswer, stub


def central_differences(f, x, h):
    """df/dx, entry by entry: (f(x + h) - f(x - h)) / 2h"""
    grad = np.zeros(x.shape)
    for i in np.ndindex(x.shape):
        step = np.zeros(x.shape)
        step[i] = h
        grad[i] = (f(x + step) - f(x - step)) / (2 * h)
    return grad


def kl_of_logvar(logvar: np.ndarray) -> float:
    return 0.5 * (np.exp(logvar) - 1 - logvar).sum()


def mixed(x: np.ndarray) -> float:
    """A function whose derivative in one entry depends on the others."""
    return np.sin(x).sum() + (x[:, 0] * x[:, -1]).sum() ** 2


def _cases():
    return [
        (kl_of_logvar, np.array([[0.7]]), 0.1),
        (mixed, np.array([[0.3, -1.1, 0.8], [0.5, 0.2, -0.6]]), 0.1),
        (mixed, np.array([[1, 2], [-1, 3], [2, -2]]), 1e-3),
    ]


def _each_entry(rule: Callable[..., float]) -> Callable[..., np.ndarray]:
    """An answer from its rule for one entry: rule(f, x, step, h)."""

    def differences(f, x, h):
        grad = np.zeros(x.shape)
        for i in np.ndindex(x.shape):
            step = np.zeros(x.shape)
            step[i] = h
            grad[i] = rule(f, x, step, h)
        return grad

    return differences


def _never_steps_back(f, x, h):
    x, grad = x.astype(float), np.zeros(x.shape)
    for i in np.ndindex(x.shape):
        x[i] += h
        up = f(x)
        x[i] -= 2 * h
        grad[i] = (up - f(x)) / (2 * h)
    return grad


def _steps_back_once(f, x, h):
    x, grad = x.astype(float), np.zeros(x.shape)
    for i in np.ndindex(x.shape):
        x[i] += h
        up = f(x)
        x[i] -= h
        grad[i] = (up - f(x)) / (2 * h)
    return grad


def _in_place(f, x, h):
    grad = np.zeros(x.shape)
    for i in np.ndindex(x.shape):
        before = x[i]
        x[i] = before + h  # cut to a whole number where x holds such
        up = f(x)
        x[i] = before - h
        grad[i] = (up - f(x)) / (2 * h)
        x[i] = before
    return grad


def _row_by_row(f, x, h):
    grad = np.zeros(x.shape)
    for i in range(len(x)):
        step = np.zeros(x.shape)
        step[i] = h
        grad[i] = (f(x + step) - f(x - step)) / (2 * h)
    return grad


def _whole_steps(f, x, h):
    grad = np.zeros(x.shape)
    for i in np.ndindex(x.shape):
        step = np.zeros_like(x)  # of whole numbers where x is: h becomes 0 in it
        step[i] = h
        grad[i] = (f(x + step) - f(x - step)) / (2 * h)
    return grad


DIFFERENCES = Exercise(
    id="03.central-differences",
    title="a gradient from values: central differences",
    stub=stub("""
        def my_central_differences(f, x, h):    # f: array -> number, x (B, L) floats or integers
            ...                                 # -> df/dx (B, L), one entry moved by h at a time
    """),
    reference=central_differences,
    cases=_cases,
    mistakes=(
        WrongAnswer(
            "forward",
            _each_entry(lambda f, x, step, h: (f(x + step) - f(x)) / h),
            "This is the forward difference, (f(x + h) - f(x)) / h: its error falls with h, that "
            "of the central one with h^2. Step to both sides.",
        ),
        WrongAnswer(
            "backward",
            _each_entry(lambda f, x, step, h: (f(x) - f(x - step)) / h),
            "This is the difference to one side, (f(x) - f(x - h)) / h. Step to both sides.",
        ),
        WrongAnswer(
            "over-h",
            _each_entry(lambda f, x, step, h: (f(x + step) - f(x - step)) / h),
            "From x - h to x + h the distance is 2 h: divide by 2 h.",
        ),
        WrongAnswer(
            "brackets",
            _each_entry(lambda f, x, step, h: (f(x + step) - f(x - step)) / 2 * h),
            "/ 2 * h divides by 2 and multiplies by h: write / (2 * h).",
        ),
        WrongAnswer(
            "not-divided",
            _each_entry(lambda f, x, step, h: f(x + step) - f(x - step)),
            "The difference is not divided by the distance, 2 h.",
        ),
        WrongAnswer(
            "sign",
            _each_entry(lambda f, x, step, h: (f(x - step) - f(x + step)) / (2 * h)),
            "The two values are swapped: it is f(x + h) - f(x - h).",
        ),
        WrongAnswer(
            "step-not-taken-back",
            _never_steps_back,
            "An entry that was moved is not moved back, so the later differences are taken at "
            "another x.",
        ),
        WrongAnswer(
            "one-step-back",
            _steps_back_once,
            "After the step up, one step down leads back to x: from x + h to x - h it takes 2 h.",
        ),
        WrongAnswer(
            "all-at-once",
            lambda f, x, h: np.full(x.shape, (f(x + h) - f(x - h)) / (2 * h)),
            "All entries move at once, which gives the sum of the gradient everywhere.",
        ),
        WrongAnswer(
            "row-at-once",
            _row_by_row,
            "step[i] is a whole row of a (B, L) array: move one entry at a time.",
        ),
        WrongAnswer(
            "moved-in-place",
            _in_place,
            "You move the entries of x itself; where x holds whole numbers, what comes after the "
            "point is cut off. Add a step to x instead, or work on x.astype(float).",
        ),
        WrongAnswer(
            "whole-numbers",
            _whole_steps,
            "An array of whole numbers cannot hold h, so nothing moves: make the step an array of "
            "floats, np.zeros(x.shape).",
        ),
    ),
    hints=(
        "Which number changes between two calls of f? One entry of x, up by h and down by h.",
        "for i in np.ndindex(x.shape) runs over all entries. A step that is h at entry i and 0 "
        "elsewhere leaves x itself alone.",
        "step = np.zeros(x.shape); step[i] = h; grad[i] = (f(x + step) - f(x - step)) / (2 * h).",
    ),
)

"""Notebook 03: answers to `03.central-differences`, and to what asks for a value."""

import numpy as np
from answers_of_others.registry import right, wrong

# ---- 03.central-differences ----------------------------------------------------------------------


@right("03.central-differences")
def flat_identity(f, x, h):
    x = np.asarray(x, float)
    steps = h * np.eye(x.size).reshape(x.size, *x.shape)
    return np.array([(f(x + s) - f(x - s)) / h / 2 for s in steps]).reshape(x.shape)


@right("03.central-differences")
def copies(f, x, h):
    grad = np.zeros(x.shape)
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            up, down = np.array(x, dtype=float), np.array(x, dtype=float)
            up[i, j] += h
            down[i, j] -= h
            grad[i, j] = (f(up) - f(down)) / (2 * h)
    return grad


@right("03.central-differences")
def as_nested_lists(f, x, h):
    def slope(i, j):
        e = np.zeros(x.shape)
        e[i, j] = h
        return (f(x + e) - f(x - e)) / (2 * h)

    return np.array([[slope(i, j) for j in range(x.shape[1])] for i in range(len(x))])


def by_a_rule(rule):
    """An answer from what it does for one entry: rule(f, x, step, h)."""

    def differences(f, x, h):
        grad = np.zeros(x.shape)
        for i in np.ndindex(*x.shape):
            step = np.zeros(x.shape)
            step[i] = h
            grad[i] = rule(f, x, step, h)
        return grad

    return differences


wrong(
    "03.central-differences",
    by_a_rule(lambda f, x, step, h: (f(x + 2 * step) - f(x - step)) / (3 * h)),
    by_a_rule(lambda f, x, step, h: (f(x + step) - f(x - step)) / (2 * 1e-5)),
    by_a_rule(lambda f, x, step, h: (f(x + step) + f(x - step) - 2 * f(x)) / h**2),
    by_a_rule(lambda f, x, step, h: (f(x * (1 + step)) - f(x * (1 - step))) / (2 * h)),
    by_a_rule(lambda f, x, step, h: abs(f(x + step) - f(x - step)) / (2 * h)),
    by_a_rule(lambda f, x, step, h: (f(x + step) - f(x - step)) / (2 * h) / x.size),
    by_a_rule(lambda f, x, step, h: (f(step) - f(-step)) / (2 * h)),
    by_a_rule(lambda f, x, step, h: (f(x + step) - f(x - step)) / h / 4),
)


@wrong("03.central-differences")
def a_step_of_its_own(f, x, h):
    return flat_identity(f, x, 1e-4)


@wrong("03.central-differences")
def first_column_only(f, x, h):
    grad = np.zeros(x.shape)
    grad[:, 0] = flat_identity(f, x, h)[:, 0]
    return grad


@wrong("03.central-differences")
def flattened(f, x, h):
    return flat_identity(f, x, h).ravel()


@wrong("03.central-differences")
def column_by_column(f, x, h):
    grad = np.zeros(x.shape)
    for j in range(x.shape[1]):
        step = np.zeros(x.shape)
        step[:, j] = h
        grad[:, j] = (f(x + step) - f(x - step)) / (2 * h)
    return grad


# ---- 03.turns ------------------------------------------------------------------------------------

J, S = "jump", "slide"
right("03.turns", (J, J, S, J, S), [J, J, S, J, S], ("jump", "jump", "slide", "jump", "slide"))
wrong(
    "03.turns",
    (S, S, J, S, J),
    (J, S, S, J, J),
    (J, J, J, S, S),
    (J, J, S, S, J),
    (J, S, J, J, S),
    (S, J, S, J, S),
    (J, J, S, J),
    (J, J, S, J, S, S),
    "jump",
    (True, True, False, True, False),
    None,
    (1, 1, 0, 1, 0),
)

# ---- 03.parting ----------------------------------------------------------------------------------

right("03.parting", 2.51, np.float64(2.505), np.array([2.5]), 2.525)
wrong("03.parting", 2.4, 2.45, 2.6, 0, -2.51, 1.26, 5.02 / 4, "2.51", (2.51, 2.52), np.nan, 1e9)

# ---- 03.blind-spot -------------------------------------------------------------------------------


def pair(mu, logvar):
    return np.array([mu]), np.array([logvar])


right(
    "03.blind-spot",
    pair([(1 + np.sqrt(2)) / 2, 0.5], [0.6, -0.9]),
    ([[(1 - 2**0.5) / 2, 0.5]], [[0.4, -0.7]]),
    pair([1.5, 0.5, 0.5, 0.5], [0.3, -0.8, 0.7, 0.4]),
)
wrong(
    "03.blind-spot",
    pair([0.5, 0.5], [0.3, -0.8]),
    pair([-1.0, 2.0], [0.3, -0.8]),
    pair([1.0], [0.4]),
    pair([0.0, 0.0], [0.0, 0.0]),
    (np.array([1.5, 0.5, 0.5, 0.5]), np.array([0.3, -0.8, 0.7, 0.4])),
    (np.array([[1.5, 0.5, 0.5, 0.5]]), np.array([[0.3]])),
    pair([2.5, 0.5, 0.5, 0.5], [0.3, -0.8, 0.7, 0.4]),
    pair([0.7, -1.3, 0.2], [0.3, -0.8, 0.1]),
    pair([np.nan, 1.5], [0.1, 0.2]),
    np.array([[1.5, 0.5, 0.5, 0.5]]),
    pair([1e200, 0.5], [0.1, 0.2]),
)

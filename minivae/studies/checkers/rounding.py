"""Right gradients with entries that are lost in rounding, zeros, and numbers near the extremes.

An entry that is exactly 0 in mathematics, or below the rounding error of its own formula, comes out
as a residue such as 1e-17. The rules leave those entries as they are: nobody can say more of them
than that they are too small to see.
"""

import numpy as np

from minivae.studies.checkers.case import KINKED, Field, Problem, normal
from minivae.studies.checkers.losses import log_softmax, one_hot, softmax
from minivae.studies.checkers.vae_terms import sigmoid

field = Field("rounding")


@field("bias before batch norm, which cancels it, and a gain")
def _bias():
    a, c = normal(1, 8, 3), normal(2, 8, 3)

    def parts(x):
        y = a + x[1]
        centred = y - y.mean(axis=0)
        sigma = np.sqrt((centred**2).mean(axis=0) + 1e-5)
        return centred / sigma, sigma

    def f(x):
        return (c * np.tanh(x[0] * parts(x)[0])).sum()

    def df(x):
        y, sigma = parts(x)
        d = c * (1 - np.tanh(x[0] * y) ** 2)
        dy = d * x[0]
        da = (dy - dy.mean(axis=0) - y * (dy * y).mean(axis=0)) / sigma
        return np.array([(d * y).sum(axis=0), da.sum(axis=0)])

    def statistics_constant(x):
        y, sigma = parts(x)
        d = c * (1 - np.tanh(x[0] * y) ** 2)
        return np.array([(d * y).sum(axis=0), (d * x[0] / sigma).sum(axis=0)])

    kept = np.array([[False] * 3, [True] * 3])
    x = 1 + 0.3 * normal(3, 2, 3)
    return Problem(f, df, x, {"statistics taken as constant": statistics_constant}, kept=kept)


@field("a shift of all logits, which softmax cancels, and their scale")
def _shift():
    a, t = normal(4, 5, 4), one_hot([0, 3, 1, 2, 2], 4)

    def f(x):
        return -(t * log_softmax(x[0] + x[1] * a)).sum()

    def df(x):
        d = softmax(x[0] + x[1] * a) - t
        return np.array([d.sum(), (d * a).sum()])

    mistakes = {
        "shift not cancelled": lambda x: df(x) - np.array([5.0, 0]),
        "shift of 1e-3": lambda x: df(x) + np.array([1e-3, 0]),
    }
    return Problem(f, df, np.array([0.3, 1.2]), mistakes, kept=np.array([True, False]))


@field("binary cross-entropy, logits to 36 with labels 0 and 1")
def _saturated():
    a = np.array([-35.0, -20, -3, 2, 12, 33, 36])
    t = np.array([0.0, 0, 1, 0, 1, 1, 1])
    return Problem(
        lambda a: (np.log(1 + np.exp(a)) - t * a).sum(),
        lambda a: sigmoid(a) - t,
        a,
        kept=np.abs(a) > 30,
    )


@field("binary cross-entropy by logaddexp, logits to 36")
def _saturated_real():
    a = np.array([-35.0, -20, -3, 2, 12, 33, 36])
    t = np.array([0.0, 0, 1, 0, 1, 1, 1])
    return Problem(
        lambda a: (np.logaddexp(0, a) - t * a).sum(),
        lambda a: sigmoid(a) - t,
        a,
        exact=lambda a: (np.log(1 + np.exp(a)) - t * a).sum(),
        kept=np.abs(a) > 30,
    )


@field("saturated tanh, slope computed as 1 - y^2")
def _tanh():
    a = np.array([0.5, 3.0, 9, 14, 17, 20])
    return Problem(lambda a: np.tanh(a).sum(), lambda a: 1 - np.tanh(a) ** 2, a, kept=a > 10)


@field("x^1.5 at 0, the border of its domain")
def _border():
    x = np.array([0.0, 0.3, 1.0])
    return Problem(lambda x: (x**1.5).sum(), lambda x: 1.5 * x**0.5, x, kept=x == 0)


@field("gradient 0 everywhere, at a saddle")
def _saddle():
    def df(x):
        return 2 * x + np.array([x[1] * x[2], x[0] * x[2], x[0] * x[1]])

    mistakes = {
        "1e-6 too large": lambda x: df(x) + 1e-6,
        "one entry 1": lambda x: df(x) + np.array([0, 1, 0]),
        "exp(x)": lambda x: np.exp(x),
    }
    return Problem(lambda x: (x * x).sum() + np.prod(x), df, np.zeros(3), mistakes)


@field("rounded to integers: gradient 0", KINKED)
def _integers():
    mistakes = {
        "straight through": lambda x: 1 + 0 * x,
        "one entry 1e-3": lambda x: np.array([0, 1e-3, 0]) + 0 * x,
        "of the sine": np.cos,
    }
    return Problem(
        lambda x: np.round(x).sum(),
        lambda x: 0 * x,
        np.array([0.3, 1.2, 2.7]),
        mistakes,
        lambda x: 4 + 0 * x.sum(),
    )


@field("a kink of 1e-6 in the slope at the point", KINKED)
def _slight():
    c = np.array([1.0, -2.0, 0.5])
    return Problem(
        lambda x: (c * np.where(x.real > 0.5, x, x + 1e-6 * (x - 0.5))).sum(),
        lambda x: c * np.where(x > 0.5, 1, 1 + 1e-6),
        np.array([0.5, 0.9, 0.1]),
    )


@field("a jump of 1e-9, 1e-7 from the point", KINKED)
def _jump():
    return Problem(
        lambda x: (np.sin(x) + 1e-9 * (x.real > 0.7)).sum(),
        np.cos,
        np.array([0.7 - 1e-7, 0.2, 1.5]),
    )


@field("L1 norm at the origin", KINKED)
def _origin():
    x = np.zeros(4)
    mistakes = {
        "outside the subdifferential": lambda x: 1.5 + 0 * x,
        "one entry of 3": lambda x: np.array([0, 0, 3.0, 0]) + 0 * x,
        "weight decay": lambda x: x - 2,
    }
    return Problem(
        lambda x: np.abs(x).sum(),
        np.sign,
        x,
        mistakes,
        lambda x: (np.sign(x.real) * x).sum(),
        np.ones(4, bool),
    )


@field("values of 1e200")
def _huge():
    return Problem(lambda x: 1e200 * np.sin(x).sum(), lambda x: 1e200 * np.cos(x), normal(5, 4))


@field("values of 1e-200")
def _tiny():
    return Problem(lambda x: 1e-200 * np.sin(x).sum(), lambda x: 1e-200 * np.cos(x), normal(6, 4))


@field("logarithm at 1e-250")
def _log():
    return Problem(lambda x: np.log(x).sum(), lambda x: 1 / x, np.array([1e-250, 1e-20, 1.0]))


@field("difference of neighbours, columns that sum to 0")
def _neighbours():
    c = normal(7, 6)
    return Problem(
        lambda x: np.exp(c @ (x - x.mean())),
        lambda x: (c - c.mean()) * np.exp(c @ (x - x.mean())),
        normal(8, 6),
        {"mean taken as constant": lambda x: c * np.exp(c @ (x - x.mean()))},
    )


@field("sigmoid at -800, where exp overflows")
def _overflow():
    a = np.array([-800.0, -2.0, 0.5, 30.0])

    def quiet(a):
        with np.errstate(over="ignore"):
            return sigmoid(a)

    return Problem(
        lambda a: quiet(a).sum(), lambda a: quiet(a) * (1 - quiet(a)), a, kept=np.abs(a) > 20
    )


@field("softmax shifted by its own maximum")
def _own_maximum():
    t = one_hot([1, 0, 2], 3)

    def f(a):
        e = np.exp(a - a.max(axis=1, keepdims=True))
        return -(t * np.log(e / e.sum(axis=1, keepdims=True))).sum()

    return Problem(f, lambda a: softmax(a) - t, 3 * normal(9, 3, 3))

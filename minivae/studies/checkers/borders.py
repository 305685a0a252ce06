"""Points near the border of where a function is defined."""

import numpy as np

from minivae.studies.checkers.case import Field, Problem, uniform

field = Field("borders")


@field("log at 1e-10")
def _log():
    return Problem(lambda x: np.log(x).sum(), lambda x: 1 / x, np.array([1e-10, 3e-10, 1e-5, 0.2]))


@field("sqrt at 1e-12")
def _sqrt():
    return Problem(
        lambda x: np.sqrt(x).sum(), lambda x: 0.5 / np.sqrt(x), np.array([1e-12, 1e-6, 1e-3, 2.0])
    )


@field("arccos at 1 - 1e-8")
def _arccos():
    return Problem(
        lambda x: np.arccos(x).sum(),
        lambda x: -1 / np.sqrt((1 - x) * (1 + x)),
        np.array([1 - 1e-8, -1 + 1e-6, 0.5, 0.999]),
    )


@field("arcsin in one variable at 0.9999999")
def _arcsin():
    return Problem(
        lambda x: np.arcsin(x)[0],
        lambda x: 1 / np.sqrt((1 - x) * (1 + x)),
        np.array([0.9999999]),
        {"root lost": lambda x: 1 / (1 - x * x)},
    )


@field("arctanh at 1 - 1e-6")
def _arctanh():
    return Problem(
        lambda x: np.arctanh(x).sum(),
        lambda x: 1 / ((1 - x) * (1 + x)),
        np.array([1 - 1e-6, -0.99, 0.3]),
    )


@field("entropy with probabilities of 1e-6")
def _entropy():
    return Problem(
        lambda p: -(p * np.log(p)).sum(),
        lambda p: -np.log(p) - 1,
        np.array([1e-6, 1e-4, 0.1, 0.9]),
        {"-1 lost": lambda p: -np.log(p)},
    )


@field("log1p at -1 + 1e-7")
def _log1p():
    return Problem(
        lambda x: np.log(1 + x).sum(), lambda x: 1 / (1 + x), np.array([-1 + 1e-7, -0.9, 5.0])
    )


@field("x^0.3 at 1e-9")
def _power():
    return Problem(lambda x: (x**0.3).sum(), lambda x: 0.3 * x**-0.7, np.array([1e-9, 1e-4, 0.5]))


@field("log barrier 1e-5 from the wall")
def _barrier():
    return Problem(
        lambda x: x.sum() - 1e-3 * np.log(1 - x).sum(),
        lambda x: 1 + 1e-3 / (1 - x),
        np.array([1 - 1e-5, 0.99, -2.0]),
        {"barrier lost": lambda x: 1 + 0 * x},
    )


@field("norm at a distance of 1e-8 from 0")
def _norm():
    return Problem(
        lambda x: np.sqrt(x @ x), lambda x: x / np.sqrt(x @ x), 1e-8 * np.array([1.0, -2, 0.5])
    )


@field("KL of probabilities against a prior of 1e-4")
def _kl():
    q = np.array([1e-4, 0.2, 0.7, 0.0999])
    return Problem(
        lambda p: (p * np.log(p / q)).sum(),
        lambda p: np.log(p / q) + 1,
        np.array([2e-5, 0.3, 0.6, 0.09998]),
        {"+ 1 lost": lambda p: np.log(p / q)},
    )


@field("log of a difference: two levels 1e-6 apart")
def _gap():
    def df(x):
        return np.array([1, -1]) / (x[0] - x[1])

    return Problem(lambda x: np.log(x[0] - x[1]), df, np.array([0.5 + 2.0**-20, 0.5]))


@field("tangent near its pole")
def _tangent():
    return Problem(
        lambda x: np.tan(x).sum(),
        lambda x: 1 / np.cos(x) ** 2,
        np.array([1.57, -1.5, 0.3]),
    )


@field("logit of probabilities near 0 and 1")
def _logit():
    return Problem(
        lambda p: (np.log(p / (1 - p)) ** 2).sum(),
        lambda p: 2 * np.log(p / (1 - p)) / (p * (1 - p)),
        np.concatenate([[1e-7, 1 - 2.0**-20], uniform(1, 0.1, 0.9, 3)]),
    )


@field("raises outside its domain")
def _raises():
    def f(x):
        if (np.real(x) <= 0).any():
            raise ValueError("a scale must be positive")
        return (1 / x + np.log(x)).sum()

    return Problem(f, lambda x: -1 / x**2 + 1 / x, np.array([1e-7, 0.3, 2.5]))

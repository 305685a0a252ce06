"""Right, wrong or cannot tell: what `check_grad` says about gradients that mislead other checkers."""

import numpy as np
import pytest

from minivae import gradcheck

RIGHT, WRONG, CANNOT_TELL = "right", "wrong", "cannot tell"
rng = np.random.default_rng(11)
X = rng.normal(size=(3, 2))
V = rng.normal(size=7)
TARGET = rng.random(7)
DATA = rng.normal(size=(6, 3))
NOISE = np.random.default_rng(5)


def verdict(f, df, x):
    report = gradcheck.check_grad(f, df, x)
    assert report.ok == (report.verdict == RIGHT)
    assert str(report)
    return report.verdict


def no_complex(f):
    """The same f, which refuses complex numbers as a compiled library does."""

    def refuses(x):
        if np.iscomplexobj(x):
            raise TypeError("real numbers only")
        return f(x)

    return refuses


# ---- each is right as it stands, and by differences alone -----------------------------------------


def two_sizes(x):
    return 1e5 * x[0] ** 2 + 1e-3 * x[1] ** 2


def gaussian_nll(data):
    def f(p):
        mu, sigma = p[0], p[1]
        return (((data - mu) / sigma) ** 2 / 2 + np.log(sigma)).sum()

    def df(p):
        mu, sigma = p[0], p[1]
        r = (data - mu) / sigma
        return np.array([-r.sum() / sigma, (1 - r**2).sum() / sigma])

    return f, df


def residuals_and_logvars(p):
    """One residual of 3e4 beside logvars whose gradient is about 1."""
    return ((p[:3] * np.array([3e4, 1.0, 1.0])) ** 2).sum() + (p[3:] + np.exp(-p[3:])).sum()


def d_residuals_and_logvars(p):
    return np.concatenate([2 * p[:3] * np.array([9e8, 1.0, 1.0]), 1 - np.exp(-p[3:])])


SHARP, D_SHARP = gaussian_nll(0.3 + 0.01 * rng.normal(size=20))
LOGVARS = np.array([1.0, 0.4, -0.7, -0.5, 0.3, 0.8])
PROBABILITIES = np.array([0.001, 0.999, 0.2, 0.7, 0.003, 0.99, 0.5])
W1 = rng.normal(size=(4, 3))
A5 = rng.normal(size=(5, 5)) + 5 * np.eye(5)
SPD = A5 @ A5.T


def cross_entropy(p):
    return -(TARGET * np.log(p) + (1 - TARGET) * np.log(1 - p)).sum()


def d_cross_entropy(p):
    return (p - TARGET) / (p * (1 - p))


def mlp(w):
    return np.log1p(np.exp(np.tanh(DATA @ w))).sum()


def d_mlp(w):
    y = np.tanh(DATA @ w)
    return DATA.T @ ((1 - y * y) / (1 + np.exp(-y)))


def softmax_loss(x):
    shifted = x - x.real.max()
    return np.log(np.exp(shifted).sum()) - shifted[2]


def d_softmax_loss(x):
    p = np.exp(x - x.max()) / np.exp(x - x.max()).sum()
    p[2] -= 1
    return p


def mahalanobis(a):
    return np.log(np.linalg.det(a)) + np.trace(np.linalg.inv(a))


def d_mahalanobis(a):
    inverse = np.linalg.inv(a)
    return inverse.T - (inverse @ inverse).T


SMOOTH = {  # name: (f, df, x)
    "two sizes": (two_sizes, lambda x: np.array([2e5, 2e-3]) * x, np.array([1.3, 0.7])),
    "logvars": (residuals_and_logvars, d_residuals_and_logvars, LOGVARS),
    "log near 0": (lambda x: np.log(x).sum(), lambda x: 1 / x, np.array([1e-3, 2e-3, 3e-3])),
    "cross-entropy": (cross_entropy, d_cross_entropy, PROBABILITIES),
    "offset": (lambda x: 1e6 + (x**3).sum(), lambda x: 3 * x * x, X),
    "sharp": (SHARP, D_SHARP, np.array([0.301, 0.01])),
    "layer": (mlp, d_mlp, rng.normal(size=(3, 4))),
    "softmax": (softmax_loss, d_softmax_loss, V),
    "matrix": (mahalanobis, d_mahalanobis, SPD),
    "tiny x": (lambda x: np.sin(x / 1e-12).sum(), lambda x: np.cos(x / 1e-12) / 1e-12, 1e-12 * V),
    "huge x": (lambda x: ((x / 1e12) ** 3).sum(), lambda x: 3 * x**2 / 1e36, 1e12 * V),
    "huge f": (lambda x: 1e200 * np.exp(x).sum(), lambda x: 1e200 * np.exp(x), V),
    "tiny f": (lambda x: 1e-200 * np.exp(x).sum(), lambda x: 1e-200 * np.exp(x), V),
    "fast waves": (lambda x: np.sin(1e5 * x).sum(), lambda x: 1e5 * np.cos(1e5 * x), V),
    "steep": (lambda x: np.exp(300 * x).sum(), lambda x: 300 * np.exp(300 * x), np.abs(V)),
    "square at 0": (lambda x: (x * x).sum(), lambda x: 2 * x, np.array([0.0, 0.5])),
    "cosine at 0": (lambda x: np.cos(x).sum(), lambda x: -np.sin(x), np.array([0.0, 0.5])),
    "an entry unused": (lambda x: (x[:2] ** 2).sum(), lambda x: 2 * x * [1, 1, 0], V[:3]),
    "constant": (lambda x: 0 * x.sum() + 3.0, lambda x: 0 * x, V),
    "linear": (lambda x: (x * V).sum(), lambda x: V.copy(), V[::-1].copy()),
    "log-odds": (
        lambda x: (np.log(x) - np.log(1 - x)).sum(),
        lambda x: 1 / x + 1 / (1 - x),
        np.array([1e-9, 1 - 1e-6, 0.5]),
    ),
    "square root": (lambda x: np.sqrt(x).sum(), lambda x: 0.5 / np.sqrt(x), np.abs(V) * 1e-6),
    "relu, away": (
        lambda x: (x * (x > 0)).sum(),
        lambda x: (x > 0) * 1.0,
        np.array([3e-6, 0.4, -0.3]),
    ),
    "quartic well": (
        lambda x: ((x - 0.3) ** 4).sum(),
        lambda x: 4 * (x - 0.3) ** 3,
        np.array([0.3001, 1.0]),
    ),
    "rosenbrock": (
        lambda x: 100 * (x[1] - x[0] ** 2) ** 2 + (1 - x[0]) ** 2,
        lambda x: np.array(
            [-400 * x[0] * (x[1] - x[0] ** 2) - 2 * (1 - x[0]), 200 * (x[1] - x[0] ** 2)]
        ),
        np.array([-1.2, 1.0]),
    ),
    "12-6 potential": (
        lambda r: (r**-12 - 2 * r**-6).sum(),
        lambda r: -12 * r**-13 + 12 * r**-7,
        np.array([0.6, 1.1, 1.7]),
    ),
}


@pytest.mark.parametrize("name", SMOOTH)
def test_right_gradients_are_right(name):
    f, df, x = SMOOTH[name]
    assert verdict(f, df, x) == RIGHT


@pytest.mark.parametrize("name", SMOOTH)
def test_right_gradients_by_differences_alone(name):
    f, df, x = SMOOTH[name]
    assert verdict(no_complex(f), df, x) == RIGHT


def spoiled(df, x):
    """Wrong gradients: (name, gradient)."""
    right = np.asarray(df(x.copy()), float)
    order = np.argsort(np.abs(right).ravel())
    order = order[np.abs(right).ravel()[order] > 0]
    if not len(order):
        yield "one for zero", np.ones_like(right)
        return
    largest, smallest = order[-1], order[0]
    for name, entry, change in [
        ("largest by 1e-4", largest, 1 + 1e-4),
        ("smallest by 1e-4", smallest, 1 + 1e-4),
        ("smallest sign", smallest, -1),
        ("smallest lost", smallest, 0),
        ("smallest five times", smallest, 5),
    ]:
        wrong = right.copy()
        wrong.flat[entry] *= change
        yield name, wrong
    yield "all by 1e-4", right * (1 + 1e-4)
    if (x < 0).any() and np.abs(right[x < 0]).any():
        yield "wrong where x < 0", np.where(x < 0, -right, right)
    if right.ndim == 2 and right.shape[0] == right.shape[1]:
        yield "transposed", right.T + 0.0


WRONG_ONES = [
    (case, name, alone)
    for case, (_, df, x) in SMOOTH.items()
    for name, gradient in spoiled(df, x)
    for alone in (False, True)
    # the matrix is symmetric, and so is its gradient
    if not (case == "matrix" and name == "transposed")
]


@pytest.mark.parametrize(("case", "name", "alone"), WRONG_ONES)
def test_wrong_gradients_are_wrong(case, name, alone):
    f, df, x = SMOOTH[case]
    gradient = dict(spoiled(df, x))[name]
    assert verdict(no_complex(f) if alone else f, lambda x: gradient, x) == WRONG

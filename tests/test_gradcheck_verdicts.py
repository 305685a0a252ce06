"""Right, wrong or cannot tell: what `check_grad` says where other checkers are misled."""

import numpy as np
import pytest

from minivae import gradcheck

RIGHT, WRONG, CANNOT_TELL = "right", "wrong", "cannot tell"
rng = np.random.default_rng(11)
X = rng.normal(size=(3, 2))
V = rng.normal(size=7)
TARGET = rng.random(7)
DATA = rng.normal(size=(6, 3))


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


# ---- each is right as it stands, and by differences alone --------------------------------------


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


# Some entries lie below the rounding of f, so differences alone cannot see them.
FAINT = {"logvars", "steep", "quartic well"}


@pytest.mark.parametrize("name", SMOOTH)
def test_right_gradients_are_right(name):
    f, df, x = SMOOTH[name]
    assert verdict(f, df, x) == RIGHT


@pytest.mark.parametrize("name", SMOOTH)
def test_right_gradients_by_differences_alone(name):
    f, df, x = SMOOTH[name]
    assert verdict(no_complex(f), df, x) == (CANNOT_TELL if name in FAINT else RIGHT)


@pytest.mark.parametrize("name", SMOOTH)
def test_the_error_bars_hold_the_truth(name):
    """The derivative by hand lies within the bar of the differences, at every entry."""
    f, df, x = SMOOTH[name]
    entries = gradcheck.check_grad(no_complex(f), df, x).entries
    assert (np.abs(entries.analytic - entries.numeric) <= entries.bar).all()


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
    said = verdict(no_complex(f) if alone else f, lambda x: gradient, x)
    assert said == WRONG or (said == CANNOT_TELL and alone and case in FAINT)


# ---- random, noisy and kinked ------------------------------------------------------------------

COINS = np.random.default_rng(5)
RANDOM = {
    "noise": lambda x: (x**2).sum() + 1e-3 * COINS.normal(),
    "faint noise": lambda x: (x**2).sum() + 1e-11 * COINS.normal(),
    "dropout": lambda x: ((COINS.random(x.shape) < 0.5) * x**2).sum(),
    "a drawn sample": lambda x: x[COINS.integers(7)] ** 2,
}


@pytest.mark.parametrize("name", RANDOM)
@pytest.mark.parametrize("factor", [1, 2])
def test_of_a_random_function_nobody_can_tell(name, factor):
    report = gradcheck.check_grad(RANDOM[name], lambda x: 2 * factor * x, V)
    assert report.verdict == CANNOT_TELL
    assert "another value at each call" in report.sentence


def test_of_a_random_gradient_nobody_can_tell():
    report = gradcheck.check_grad(
        lambda x: (x**2).sum(), lambda x: 2 * x + 1e-3 * COINS.normal(size=7), V
    )
    assert report.verdict == CANNOT_TELL
    assert "gradient gives other numbers" in report.sentence


def a_kink_at(distance, offset=0.0):
    """A relu whose pre-activation is `distance` for the first entry."""

    def f(x):
        return offset + np.maximum(x - 1 + distance, 0).sum() + np.sin(x).sum()

    return f, lambda x: (x - 1 + distance > 0) + np.cos(x)


@pytest.mark.parametrize("distance", [1e-3, 1e-5, 3e-6, 1e-8, -1e-5])
@pytest.mark.parametrize("wrap", [no_complex, lambda f: f])
def test_a_kink_nearby_is_stepped_inside(distance, wrap):
    f, df = a_kink_at(distance)
    x = np.array([1.0, 0.3, 2.0])
    assert verdict(wrap(f), df, x) == RIGHT
    assert verdict(wrap(f), lambda x: 1.5 * df(x), x) == WRONG


@pytest.mark.parametrize("distance", [1e-3, 3e-6, 1e-8, 1e-10, 1e-13, 0.0, -1e-9])
@pytest.mark.parametrize("wrap", [no_complex, lambda f: f])
def test_a_kink_is_no_mistake(distance, wrap):
    """Nor where the noise hides how near it is, and where it is at the point."""
    f, df = a_kink_at(distance, 1e3)
    assert verdict(wrap(f), df, np.array([1.0, 0.3, 2.0])) != WRONG


AT_A_KINK = {
    "abs": (lambda x: np.abs(x).sum(), np.sign),
    "relu": (lambda x: np.maximum(x, 0).sum(), lambda x: (x > 0) * 1.0),
    "step": (lambda x: np.sign(x).sum() + (x * x).sum(), lambda x: 2 * x),
    "cusp": (
        lambda x: np.sqrt(np.abs(x)).sum(),
        lambda x: np.sign(x) / 2 / np.sqrt(np.where(x == 0, 1, np.abs(x))),
    ),
}


@pytest.mark.parametrize("name", AT_A_KINK)
def test_at_a_kink_nobody_can_tell(name):
    f, df = AT_A_KINK[name]
    report = gradcheck.check_grad(f, df, np.array([0.4, 0.0, 1.3]))
    assert report.verdict == CANNOT_TELL
    assert "kink or a jump" in report.sentence
    assert "x[1]" in report.sentence
    assert "move the point" in report.sentence


def bisected(p):
    """The square of the root of z^3 + z = p0 p1, to a tolerance of 1e-7."""
    low, high = -10.0, 10.0
    while high - low > 1e-7:
        middle = (low + high) / 2
        low, high = (low, middle) if middle**3 + middle > p[0] * p[1] else (middle, high)
    return ((low + high) / 2) ** 2


def d_bisected(p):
    z = max(np.roots([1, 0, 1, -p[0] * p[1]]).real)
    return 2 * z / (3 * z * z + 1) * p[::-1]


NOISY = {
    "float32": (lambda x: np.sin(x.astype(np.float32)).sum(), np.cos, V),
    "float32 inside": (
        lambda x: float(((3 * x).astype(np.float32).astype(float) ** 2).sum()),
        lambda x: 18 * x,
        V,
    ),
    "rounded": (lambda x: np.round(np.sin(x).sum(), 6), np.cos, V),
    "bisected": (bisected, d_bisected, np.array([1.3, 0.8])),
    "large and taken away": (lambda x: ((1e8 + x) ** 2 - 1e16 - 2e8 * x).sum(), lambda x: 2 * x, V),
    "wiggle": (lambda x: (np.sin(x) + 1e-6 * np.sin(1e8 * x)).sum(), np.cos, V),
    "aliased": (lambda x: np.sin(1e12 * x).sum(), lambda x: 1e12 * np.cos(1e12 * x), V),
    "offset": (lambda x: 1e14 + np.sin(x).sum(), np.cos, V),
    "saturating offset": (lambda x: 1e14 + np.tanh(x).sum(), lambda x: 1 - np.tanh(x) ** 2, V),
}


@pytest.mark.parametrize("name", NOISY)
def test_noise_is_no_mistake(name):
    f, df, x = NOISY[name]
    report = gradcheck.check_grad(no_complex(f), df, x)
    if name == "float32 inside" and report.ok:
        return  # a square has no truncation: steps that are large enough may see it
    assert report.verdict == CANNOT_TELL, str(report)
    assert ";" in report.sentence  # what to do


@pytest.mark.parametrize("name", NOISY)
@pytest.mark.parametrize("factor", [1 + 1e-4, 0.5, -1])
def test_noise_makes_nothing_right(name, factor):
    f, df, x = NOISY[name]
    assert verdict(no_complex(f), lambda x: factor * df(x), x) != RIGHT


def test_an_ill_conditioned_problem_is_not_called_wrong():
    hilbert = 1 / (np.arange(9)[:, None] + np.arange(9) + 1.0)
    for f in (lambda a: np.linalg.slogdet(a)[1], no_complex(lambda a: np.linalg.slogdet(a)[1])):
        assert verdict(f, lambda a: np.linalg.inv(a).T, hilbert) == CANNOT_TELL

"""Functions with noise: rounded values, iterations that stop at a tolerance, float32.

`exact` is the function without the noise, whose gradient df is.
"""

import numpy as np

from minivae.studies.checkers.case import FLOAT32, NOISY, Field, Problem, normal
from minivae.studies.checkers.losses import log_softmax, one_hot, softmax
from minivae.studies.checkers.vae_terms import sigmoid

field = Field("noise")


# ---- rounded, or stopped at a tolerance --------------------------------------------------------


@field("a sum of cubes rounded to 1e-8", NOISY)
def _rounded():
    return Problem(
        lambda x: np.round((x**3).sum(), 8),
        lambda x: 3 * x**2,
        normal(1, 5),
        exact=lambda x: (x**3).sum(),
    )


@field("cross-entropy rounded to 1e-6", NOISY)
def _rounded_loss():
    t = one_hot([0, 2, 1], 3)

    def exact(a):
        return -(t * log_softmax(a)).mean()

    return Problem(
        lambda a: np.round(exact(a), 6),
        lambda a: (softmax(a) - t) / a.size,
        normal(2, 3, 3),
        exact=exact,
    )


@field("a value printed with six digits and read again", NOISY)
def _printed():
    def exact(x):
        return 100 * np.cos(x).sum()

    return Problem(
        lambda x: float(f"{exact(x):.6g}"), lambda x: -100 * np.sin(x), normal(3, 4), exact=exact
    )


@field("inner products of numbers rounded to 1e-7", NOISY)
def _rounded_parts():
    A = normal(4, 6, 4)

    def exact(x):
        return (np.tanh(A @ x) ** 2).sum()

    def df(x):
        y = np.tanh(A @ x)
        return A.T @ (2 * y * (1 - y * y))

    return Problem(
        lambda x: (np.round(np.tanh(A @ x), 7) ** 2).sum(), df, normal(5, 4), exact=exact
    )


@field("square roots by Newton's method to 1e-9", NOISY)
def _newton():
    def root(v):
        y = 1.0
        while abs(y * y - v) > 1e-9:
            y = (y + v / y) / 2
        return y

    return Problem(
        lambda x: sum(root(v) for v in x),
        lambda x: 0.5 / np.sqrt(x),
        np.array([0.5, 2.0, 7.0]),
        exact=lambda x: np.sqrt(x).sum(),
    )


@field("root by bisection to 1e-9", NOISY)
def _bisection():
    def root(c):  # y + exp(y) = c
        low, high = -10.0, 10.0
        while high - low > 1e-9:
            middle = (low + high) / 2
            low, high = (middle, high) if middle + np.exp(middle) < c else (low, middle)
        return (low + high) / 2

    def exact(x):
        y = x.real / 2 + 0j
        for _ in range(60):
            y = y - (y + np.exp(y) - x) / (1 + np.exp(y))
        return y.sum()

    def df(x):
        return 1 / (1 + np.exp([root(c) for c in x]))

    return Problem(lambda x: sum(root(c) for c in x), df, np.array([0.3, 1.5, 4.0]), exact=exact)


@field("fixed point of a contraction to 1e-7, then a loss", NOISY)
def _fixed_point():
    W, t = 0.25 * normal(6, 3, 3), normal(7, 3)

    def solve(x, tolerance=1e-7):
        y = np.zeros_like(x)
        while True:
            new = np.tanh(W @ y + x)
            if np.max(np.abs(new - y)) < tolerance:
                return new
            y = new

    def exact(x):
        y = np.zeros_like(x)
        for _ in range(400):
            y = np.tanh(W @ y + x)
        return ((y - t) ** 2).sum()

    def df(x):
        y = solve(x, 1e-15)
        slope = 1 - y * y
        return slope * np.linalg.solve((np.eye(3) - slope[:, None] * W).T, 2 * (y - t))

    return Problem(lambda x: ((solve(x) - t) ** 2).sum(), df, normal(8, 3), exact=exact)


@field("linear system by steepest descent to 1e-6", NOISY)
def _descent():
    A = np.array([[3.0, 1, 0], [1, 2, 0.5], [0, 0.5, 1]])

    def solve(b):
        y = np.zeros(3)
        r = b - A @ y
        while r @ r > 1e-12:
            y = y + r * (r @ r) / (r @ A @ r)
            r = b - A @ y
        return y

    return Problem(
        lambda b: b @ solve(b) / 2,
        lambda b: np.linalg.solve(A, b),
        np.array([1.0, -2.0, 0.7]),
        exact=lambda b: b @ np.linalg.solve(A, b) / 2,
    )


@field("trapezoidal rule with a step that halves until 1e-6", NOISY)
def _quadrature():
    def integral(a):
        n, old = 2, np.inf
        while True:
            t = np.linspace(0, 1, n + 1)
            new = np.trapezoid(np.exp(-a * t * t), t)
            if abs(new - old) < 1e-6:
                return new
            n, old = 2 * n, new

    nodes, weights = np.polynomial.legendre.leggauss(40)
    s, w = (nodes + 1) / 2, weights / 2
    return Problem(
        lambda x: sum(integral(a) for a in x),
        lambda x: np.array([-(w * s * s * np.exp(-a * s * s)).sum() for a in x]),
        np.array([0.7, 3.0]),
        exact=lambda x: sum((w * np.exp(-a * s * s)).sum() for a in x),
    )


@field("noise that depends on the point alone, 1e-7", NOISY)
def _hashed():
    def f(x):
        return np.sin(x).sum() + 1e-7 * np.sin(1e9 * x.sum())

    return Problem(f, np.cos, normal(9, 4), exact=lambda x: np.sin(x).sum())


@field("noise of 1e-6 from a generator seeded with the point", NOISY)
def _seeded():
    def f(x):
        seed = np.frombuffer(np.ascontiguousarray(x, float).tobytes(), np.uint32)
        return np.sin(x).sum() + 1e-6 * np.random.default_rng(seed.tolist()).standard_normal()

    return Problem(f, np.cos, normal(38, 5), exact=lambda x: np.sin(x).sum())


# ---- float32 -----------------------------------------------------------------------------------


@field("dense layer in float32", FLOAT32)
def _dense32():
    x, c = normal(10, 6, 4), normal(11, 6, 3)

    def f(W):
        y = np.tanh(x.astype(np.float32) @ W.astype(np.float32))
        return float((c.astype(np.float32) * y).sum())

    return Problem(
        f,
        lambda W: x.T @ (c * (1 - np.tanh(x @ W) ** 2)),
        normal(12, 4, 3),
        exact=lambda W: (c * np.tanh(x @ W)).sum(),
    )


@field("mean squared error in float32, returns float32", FLOAT32)
def _mse32():
    t = normal(13, 20)
    return Problem(
        lambda y: np.mean((y.astype(np.float32) - t.astype(np.float32)) ** 2),
        lambda y: 2 * (y - t) / 20,
        normal(14, 20),
        exact=lambda y: ((y - t) ** 2).mean(),
    )


@field("one float32 cast in the middle", FLOAT32)
def _cast():
    A = normal(15, 8, 5)

    def f(x):
        y = (A @ x).astype(np.float32).astype(np.float64)
        return np.log(np.cosh(y)).sum()

    return Problem(
        f,
        lambda x: A.T @ np.tanh(A @ x),
        normal(16, 5),
        exact=lambda x: np.log(np.cosh(A @ x)).sum(),
    )


@field("gradient in float32, function in float64", FLOAT32)
def _gradient32():
    A = normal(17, 10, 6)
    return Problem(
        lambda x: ((A @ x) ** 2).sum() / 2,
        lambda x: (A.T @ (A @ x)).astype(np.float32),
        normal(18, 6),
    )


@field("float32 point, everything in its dtype", FLOAT32)
def _point32():
    t = normal(19, 12).astype(np.float32)
    return Problem(
        lambda x: (np.logaddexp(np.float32(0), x) - t * x).sum(),
        lambda x: sigmoid(x) - t,
        normal(20, 12).astype(np.float32),
        exact=lambda x: (np.log(1 + np.exp(x)) - t * x).sum(),
    )


@field("softmax cross-entropy in float32", FLOAT32)
def _softmax32():
    t = one_hot([0, 1, 3], 4)
    return Problem(
        lambda a: float(-(t.astype(np.float32) * log_softmax(a.astype(np.float32))).sum()),
        lambda a: softmax(a) - t,
        2 * normal(21, 3, 4),
        exact=lambda a: -(t * log_softmax(a)).sum(),
    )


@field("sum of 1000 terms in float32 beside an offset of 100", FLOAT32)
def _sum32():
    return Problem(
        lambda x: np.float32(100) + np.sin(x.astype(np.float32)).sum(dtype=np.float32),
        np.cos,
        normal(22, 1000),
        exact=lambda x: 100 + np.sin(x).sum(),
    )


@field("Gaussian nll with sigma 0.01 in float32", FLOAT32)
def _nll32():
    t = normal(23, 6)

    def exact(mu):
        return (((mu - t) / 0.01) ** 2).sum() / 2

    def f(mu):
        r = (mu.astype(np.float32) - t.astype(np.float32)) / np.float32(0.01)
        return (r * r).sum() / np.float32(2)

    return Problem(f, lambda mu: (mu - t) / 1e-4, t + 0.01 * normal(24, 6), exact=exact)


@field("a sum of sines in float32 beside an offset of 1e7, which hides it", FLOAT32)
def _hidden32():
    return Problem(
        lambda x: float(np.float32(1e7 + np.sin(x).sum())),
        np.cos,
        normal(39, 3),
        exact=lambda x: 1e7 + np.sin(x).sum(),
    )

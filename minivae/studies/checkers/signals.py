"""Signals and sequences: spectra, running products, splines, sorted values, steps of an ODE."""

import numpy as np

from minivae.studies.checkers.case import KINKED, Field, Problem, normal, uniform

field = Field("signals and sequences")


@field("power spectrum against a target")
def _spectrum():
    target = uniform(71, 1, 5, 5)

    def transform(n):
        k = np.arange(n // 2 + 1)[:, None] * np.arange(n)
        return np.cos(2 * np.pi * k / n), np.sin(2 * np.pi * k / n)

    cos, sin = transform(8)

    def residual(x):
        return (cos @ x) ** 2 + (sin @ x) ** 2 - target

    def gradient(x):
        r = residual(x)
        return 4 * (cos.T @ (r * (cos @ x)) + sin.T @ (r * (sin @ x)))

    return Problem(lambda x: (residual(x) ** 2).sum(), gradient, normal(71, 8))


@field("energy of the differences, by FFT of real numbers")
def _by_fft():
    n = 12
    weight = 4 * np.sin(np.pi * np.arange(n // 2 + 1) / n) ** 2
    twice = np.array([1, *[2] * (n // 2 - 1), 1])

    def f(x):
        return (twice * weight * np.abs(np.fft.rfft(x)) ** 2).sum() / n

    def gradient(x):
        return 2 * (2 * x - np.roll(x, 1) - np.roll(x, -1))

    def exact(x):
        return ((x - np.roll(x, 1)) ** 2).sum()

    return Problem(f, gradient, normal(72, n), exact=exact)


@field("sum of running products")
def _running():
    def gradient(x):
        return np.array([np.cumprod(x)[i:].sum() / x[i] for i in range(x.size)])

    return Problem(lambda x: np.cumprod(x).sum(), gradient, 1 + 0.3 * normal(73, 6))


@field("compound interest over 30 years")
def _interest():
    def f(x):
        return x[0] * (1 + x[1]) ** 30

    def gradient(x):
        return np.array([(1 + x[1]) ** 30, 30 * x[0] * (1 + x[1]) ** 29])

    return Problem(f, gradient, np.array([1e4, 0.035]))


@field("cubic interpolation between four values")
def _cubic():
    t = 0.37
    weights = np.array([-t * (t - 1) * (t - 2) / 6, (t + 1) * (t - 1) * (t - 2) / 2,
                        -(t + 1) * t * (t - 2) / 2, (t + 1) * t * (t - 1) / 6])  # fmt: skip
    return Problem(
        lambda y: (weights @ y) ** 3, lambda y: 3 * (weights @ y) ** 2 * weights, normal(74, 4)
    )


@field("linear interpolation, a reading 1e-3 away from a node", KINKED)
def _interpolated():
    y = np.array([0.0, 1.0, 0.5, 2.0, -1.0])
    slopes = np.diff(y)

    def f(x):
        return np.interp(np.real(x), np.arange(5.0), y).sum()

    def exact(x):
        i = np.floor(np.real(x)).astype(int)
        return (y[i] + slopes[i] * (x - i)).sum()

    return Problem(f, lambda x: slopes[x.astype(int)], np.array([0.4, 2.001, 3.7]), exact=exact)


@field("sum of squares of sorted values, weighted by rank")
def _by_rank():
    x = np.array([0.7, -1.3, 2.2, 0.1, -0.4])

    def f(x):
        return (np.arange(1, 6) * x[np.argsort(x.real)] ** 2).sum()

    def gradient(x):
        rank = np.argsort(np.argsort(x)) + 1
        return 2 * rank * x

    return Problem(f, gradient, x)


@field("squared median of five")
def _median():
    def f(x):
        return x[np.argsort(x.real)[2]] ** 2

    def gradient(x):
        return np.where(np.argsort(np.argsort(x)) == 2, 2 * x, 0.0)

    return Problem(f, gradient, np.array([0.7, -1.3, 2.2, 0.11, -0.4]))


@field("ten Runge-Kutta steps of logistic growth")
def _growth():
    h = 0.1

    def path(x):
        y, dy = x[0], np.array([1.0, 0.0])  # d y / d(y0, rate)
        for _ in range(10):
            slopes, derivatives, at, dat = [], [], y, dy
            for share in (0.5, 0.5, 1.0, 0.0):
                k = x[1] * at * (1 - at)
                dk = x[1] * (1 - 2 * at) * dat + np.array([0.0, 1.0]) * at * (1 - at)
                slopes.append(k)
                derivatives.append(dk)
                at, dat = y + share * h * k, dy + share * h * dk
            weigh = (1, 2, 2, 1)
            y = y + h / 6 * sum(w * k for w, k in zip(weigh, slopes, strict=True))
            dy = dy + h / 6 * sum(w * k for w, k in zip(weigh, derivatives, strict=True))
        return y, dy

    return Problem(lambda x: path(x)[0], lambda x: path(x)[1], np.array([0.2, 1.7]))


@field("softmax at temperature 1e-3")
def _cold():
    costs = np.array([0.2, 0.9, 0.4])

    def weights(x):
        e = np.exp((x - x.real.max()) / 1e-3)
        return e / e.sum()

    def gradient(x):
        p = weights(x)
        return p * (costs - p @ costs) / 1e-3

    x = np.array([0.501, 0.5005, 0.4998])
    return Problem(lambda x: weights(x) @ costs, gradient, x)


@field("an offset of 1e9 that is taken away again")
def _offset():
    return Problem(
        lambda x: (1e9 + (x**3).sum()) - 1e9,
        lambda x: 3 * x**2,
        np.array([1.3, -0.6, 2.1]),
        exact=lambda x: (x**3).sum(),
    )


@field("autocorrelation at lag 2, normalised")
def _autocorrelation():
    def f(x):
        return (x[2:] * x[:-2]).sum() / (x * x).sum()

    def gradient(x):
        numerator, norm = (x[2:] * x[:-2]).sum(), (x * x).sum()
        g = np.zeros(x.size)
        g[2:] += x[:-2]
        g[:-2] += x[2:]
        return g / norm - 2 * x * numerator / norm**2

    return Problem(f, gradient, normal(75, 9))


@field("log-determinant of a Toeplitz matrix")
def _toeplitz():
    lags = np.abs(np.arange(5)[:, None] - np.arange(5))

    def matrix(x):
        return x[lags]

    def gradient(x):
        inverse = np.linalg.inv(matrix(x))
        return np.array([inverse[lags == k].sum() for k in range(5)])

    def f(x):
        return np.log(np.linalg.det(matrix(x)))

    return Problem(f, gradient, np.array([2.0, 0.7, -0.3, 0.2, 0.1]))


@field("smoothed total variation")
def _variation():
    def f(x):
        return np.sqrt(np.diff(x) ** 2 + 1e-2).sum()

    def gradient(x):
        d = np.diff(x)
        s = d / np.sqrt(d**2 + 1e-2)
        return np.concatenate([[-s[0]], s[:-1] - s[1:], [s[-1]]])

    return Problem(f, gradient, np.cumsum(normal(76, 6)))


@field("exponential moving average, last value squared")
def _moving():
    keep = 0.9

    def f(x):
        average = x[0]
        for value in x[1:]:
            average = keep * average + (1 - keep) * value
        return average**2

    def gradient(x):
        weights = (1 - keep) * keep ** np.arange(x.size - 1, -1, -1.0)
        weights[0] = keep ** (x.size - 1)
        return 2 * (weights @ x) * weights

    return Problem(f, gradient, normal(77, 7))

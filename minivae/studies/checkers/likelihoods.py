"""Negative log-likelihoods, up to constants, of distributions and their parameters."""

import math

import numpy as np

from minivae.studies.checkers.case import Field, Problem, normal, uniform

field = Field("likelihoods")

lgamma = np.vectorize(math.lgamma, otypes=[float])


def digamma(a: np.ndarray) -> np.ndarray:
    """The derivative of log Gamma at a > 0: recurrence up to 12, then the asymptotic series."""
    a = np.asarray(a, np.float64).copy()
    below = np.zeros_like(a)
    while (low := a < 12).any():
        below = below - np.where(low, 1 / a, 0)
        a = np.where(low, a + 1, a)
    s = 1 / a**2
    series = s * (1 / 12 - s * (1 / 120 - s * (1 / 252 - s * (1 / 240 - s * (1 / 132)))))
    return below + np.log(a) - 1 / (2 * a) - series


def bessel(order: int, kappa: np.ndarray) -> np.ndarray:
    """The modified Bessel function I_order by its power series (kappa below 20, say)."""
    terms = [
        (kappa / 2) ** (2 * k + order) / (math.factorial(k) * math.factorial(k + order))
        for k in range(60)
    ]
    return np.sum(terms[::-1], axis=0)


@field("Gaussian with sigma 0.01, of its means")
def _narrow():
    t = normal(1, 10)
    return Problem(
        lambda mu: (((mu - t) / 0.01) ** 2 / 2 + np.log(0.01)).sum(),
        lambda mu: (mu - t) / 1e-4,
        t + 0.01 * normal(2, 10),
    )


@field("Gaussian of mean and log sigma, sigma near 0.01")
def _gaussian():
    t = 1 + 0.01 * normal(3, 20)

    def parts(x):
        mu, sigma = x[0], np.exp(x[1])
        return (t - mu) / sigma, sigma

    def f(x):
        r, _ = parts(x)
        return (r * r / 2 + x[1]).sum()

    def df(x):
        r, sigma = parts(x)
        return np.array([-(r / sigma).sum(), len(t) - (r * r).sum()])

    def dropped(x):
        return np.array([df(x)[0], -(parts(x)[0] ** 2).sum()])

    return Problem(f, df, np.array([1.003, np.log(0.012)]), {"normalizer lost": dropped})


@field("Gaussian of sigma itself, near 0.01")
def _sigma():
    t = 0.01 * normal(4, 6)
    return Problem(
        lambda s: (t**2 / (2 * s**2) + np.log(s)).sum(),
        lambda s: -(t**2) / s**3 + 1 / s,
        uniform(5, 0.006, 0.02, 6),
        {"normalizer lost": lambda s: -(t**2) / s**3},
    )


@field("Gaussian of mean and variance, 30 observations each")
def _variance():
    t = 3 + 2 * normal(6, 30, 4)

    def f(x):
        return ((t - x[0]) ** 2 / (2 * x[1]) + np.log(x[1]) / 2).mean(axis=0).sum()

    def df(x):
        r = t - x[0]
        return np.array([-(r / x[1]).mean(0), (-(r**2) / (2 * x[1] ** 2) + 0.5 / x[1]).mean(0)])

    return Problem(f, df, np.array([normal(7, 4) + 3, uniform(8, 1, 6, 4)]))


@field("Student t with 4 degrees of freedom, an outlier")
def _student():
    t = np.array([0.1, -0.5, 0.4, 1.1, 40.0])

    def f(x):
        r = (t - x[0]) / np.exp(x[1])
        return (2.5 * np.log(1 + r * r / 4) + x[1]).sum()

    def df(x):
        s = np.exp(x[1])
        r = (t - x[0]) / s
        weight = 5 * r / (4 + r * r)
        return np.array([-(weight / s).sum(), len(t) - (weight * r).sum()])

    return Problem(f, df, np.array([0.2, -0.3]))


@field("Student t of its degrees of freedom (log Gamma)")
def _degrees():
    r2 = normal(9, 12) ** 2 * 2

    def f(nu):
        n = len(r2)
        start = n * (lgamma(nu / 2) - lgamma((nu + 1) / 2) + np.log(nu) / 2)[0]
        return start + ((nu + 1) / 2 * np.log(1 + r2 / nu)).sum()

    def df(nu):
        tail = np.log(1 + r2 / nu) / 2 - (nu + 1) / 2 * r2 / (nu * (nu + r2))
        start = digamma(nu / 2) / 2 - digamma((nu + 1) / 2) / 2 + 1 / (2 * nu)
        return len(r2) * start + tail.sum()

    return Problem(f, df, np.array([5.5]))


@field("Poisson of its log rates")
def _poisson():
    n = np.array([0.0, 3, 1, 7, 20, 0, 2])
    return Problem(
        lambda a: (np.exp(a) - n * a).sum(),
        lambda a: np.exp(a) - n,
        np.log(n + 0.5) + 0.3 * normal(10, 7),
        {"counts lost": np.exp},
    )


@field("Poisson of rates from 1e-4 to 1e4")
def _rates():
    n = np.array([0.0, 1, 0, 2, 11, 90, 1100, 9800])
    return Problem(
        lambda r: (r - n * np.log(r)).sum(),
        lambda r: 1 - n / r,
        np.array([1e-4, 0.01, 0.1, 1.5, 10, 100, 1000, 10000]),
    )


@field("gamma of shape and rate (log Gamma)")
def _gamma():
    t = uniform(11, 0.1, 4, 9)

    def f(x):
        a, b = x
        return (lgamma(a) - a * np.log(b) - (a - 1) * np.log(t) + b * t).sum()

    def df(x):
        a, b = x
        return np.array([(digamma(a) - np.log(b) - np.log(t)).sum(), (t - a / b).sum()])

    def approximate(x):
        return np.array([(np.log(x[0]) - np.log(x[1]) - np.log(t)).sum(), df(x)[1]])

    return Problem(f, df, np.array([2.3, 1.4]), {"log for digamma": approximate})


@field("beta of its two shapes (log Gamma)")
def _beta():
    t = uniform(12, 0.02, 0.98, 8)

    def f(x):
        a, b = x
        beta = lgamma(a) + lgamma(b) - lgamma(a + b)
        return (beta - (a - 1) * np.log(t) - (b - 1) * np.log(1 - t)).sum()

    def df(x):
        a, b = x
        both = digamma(a + b)
        return np.array(
            [(digamma(a) - both - np.log(t)).sum(), (digamma(b) - both - np.log(1 - t)).sum()]
        )

    return Problem(f, df, np.array([0.7, 2.6]))


@field("von Mises of direction and concentration")
def _von_mises():
    t = 1 + 0.5 * normal(13, 9)

    def f(x):
        return (np.log(bessel(0, x[1])) - x[1] * np.cos(t - x[0])).sum()

    def df(x):
        ratio = bessel(1, x[1]) / bessel(0, x[1])
        return np.array([-(x[1] * np.sin(t - x[0])).sum(), (ratio - np.cos(t - x[0])).sum()])

    return Problem(f, df, np.array([0.8, 3.5]))


@field("mixture of three Gaussians: logits, means, log sigmas")
def _mixture():
    t = np.concatenate([normal(14, 8) - 3, 0.3 * normal(15, 8), 4 + normal(16, 8)])[:, None]

    def joint(x):
        weights = np.exp(x[0]) / np.exp(x[0]).sum()
        r = (t - x[1]) / np.exp(x[2])
        return weights * np.exp(-r * r / 2 - x[2]), r, weights

    def f(x):
        return -np.log(joint(x)[0].sum(axis=1)).sum()

    def df(x):
        p, r, weights = joint(x)
        share = p / p.sum(axis=1, keepdims=True)
        return -np.array(
            [
                (share - weights).sum(0),
                (share * r / np.exp(x[2])).sum(0),
                (share * (r * r - 1)).sum(0),
            ]
        )

    def dropped(x):
        p = joint(x)[0]
        return np.array([-(p / p.sum(1, keepdims=True)).sum(0), *df(x)[1:]])

    x = np.array([[0.2, -0.3, 0.1], [-2.5, 0.2, 3.4], [0.1, -0.8, 0.3]])
    return Problem(f, df, x, {"softmax taken as constant": dropped})


@field("multivariate normal of its mean, by Cholesky")
def _multivariate():
    root = np.tril(normal(17, 5, 5)) + 3 * np.eye(5)
    t = normal(18, 5)

    def f(mu):
        z = np.linalg.solve(root, t - mu)
        return (z * z).sum() / 2 + np.log(np.diag(root)).sum()

    def df(mu):
        return -np.linalg.solve(root.T, np.linalg.solve(root, t - mu))

    return Problem(f, df, normal(19, 5), {"one solve": lambda mu: -np.linalg.solve(root, t - mu)})


@field("multivariate normal of its Cholesky factor")
def _cholesky():
    t = normal(20, 7, 4)

    def f(root):
        z = np.linalg.solve(np.tril(root), t.T)
        return (z * z).sum() / 2 + len(t) * np.log(np.diag(root)).sum()

    def df(root):
        z = np.linalg.solve(np.tril(root), t.T)
        back = np.linalg.solve(np.tril(root).T, z)
        return np.tril(-back @ z.T) + len(t) * np.diag(1 / np.diag(root))

    x = np.tril(0.5 * normal(21, 4, 4)) + np.diag([1.0, 2, 0.8, 1.5])
    mistake = {"log determinant lost": lambda r: df(r) - len(t) * np.diag(1 / np.diag(r))}
    return Problem(f, df, x, mistake)


@field("multivariate normal of its precision matrix")
def _precision():
    t = normal(22, 12, 3)
    scatter = t.T @ t

    def f(p):
        return (p * scatter).sum() / 2 - len(t) * np.log(np.linalg.det(p)) / 2

    x = np.array([[2.0, 0.3, -0.4], [0.1, 1.5, 0.2], [0.5, -0.3, 1.1]])
    return Problem(f, lambda p: scatter / 2 - len(t) * np.linalg.inv(p).T / 2, x)


@field("Laplace of location and log scale, far from the observations")
def _laplace():
    t = np.array([-2.0, -0.7, 0.9, 1.5, 3.0])

    def f(x):
        r = t - x[0]
        return (np.where(r.real > 0, r, -r) * np.exp(-x[1]) + x[1]).sum()

    def df(x):
        r, s = t - x[0], np.exp(x[1])
        return np.array([-np.sign(r).sum() / s, len(t) - np.abs(r).sum() / s])

    return Problem(f, df, np.array([0.2, -0.4]))


@field("logistic distribution")
def _logistic():
    t = normal(23, 10)

    def f(x):
        r = (t - x[0]) / x[1]
        return (r + np.log(x[1]) + 2 * np.log(1 + np.exp(-r))).sum()

    def df(x):
        r = (t - x[0]) / x[1]
        slope = np.tanh(r / 2) / x[1]
        return np.array([-slope.sum(), (1 / x[1] - slope * r).sum()])

    return Problem(f, df, np.array([0.3, 0.7]))


@field("negative binomial of its means (log Gamma constant)")
def _negative_binomial():
    n, size = np.array([0.0, 4, 2, 9, 30]), 2.5
    return Problem(
        lambda mu: ((n + size) * np.log(size + mu) - n * np.log(mu)).sum(),
        lambda mu: (n + size) / (size + mu) - n / mu,
        np.array([0.4, 3.0, 5.0, 8.0, 22.0]),
    )


@field("Weibull of log scale and shape")
def _weibull():
    t = uniform(24, 0.2, 6, 11)

    def f(x):
        u = np.log(t) - x[0]
        return (np.exp(x[1] * u) - np.log(x[1]) - x[1] * u).sum()

    def df(x):
        u = np.log(t) - x[0]
        power = np.exp(x[1] * u)
        return np.array([(x[1] - x[1] * power).sum(), (power * u - 1 / x[1] - u).sum()])

    return Problem(f, df, np.array([0.9, 1.8]))


@field("exponential of rates near 1e-9")
def _exponential():
    t = uniform(25, 1e8, 3e9, 6)
    return Problem(
        lambda r: (r * t - np.log(r)).sum(), lambda r: t - 1 / r, uniform(26, 3e-10, 4e-9, 6)
    )


@field("Dirichlet-multinomial of its concentrations (log Gamma)")
def _dirichlet():
    n = np.array([3.0, 0, 8, 1])

    def f(a):
        return (lgamma(a) - lgamma(a + n)).sum() + (lgamma(a.sum() + 12) - lgamma(a.sum()))

    def df(a):
        return digamma(a) - digamma(a + n) + digamma(a.sum() + 12) - digamma(a.sum())

    return Problem(f, df, np.array([0.5, 1.2, 3.0, 0.05]))


@field("hidden Markov model of its log emissions")
def _markov():
    start, move = np.array([0.6, 0.4]), np.array([[0.9, 0.1], [0.2, 0.8]])

    def f(e):
        alpha = start * np.exp(e[0])
        for row in e[1:]:
            alpha = (alpha @ move) * np.exp(row)
        return np.log(alpha.sum())

    def df(e):
        alphas = [start * np.exp(e[0])]
        for row in e[1:]:
            alphas.append((alphas[-1] @ move) * np.exp(row))
        betas = [np.ones(2)]
        for row in e[:0:-1]:
            betas.append(move @ (np.exp(row) * betas[-1]))
        both = np.array(alphas) * np.array(betas[::-1])
        return both / both.sum(axis=1, keepdims=True)

    return Problem(f, df, normal(27, 6, 2))

"""Energies, residuals and simulations from physics and engineering."""

import numpy as np

from minivae.studies.checkers.case import Field, Problem, normal, uniform

field = Field("physics")


@field("Lennard-Jones at distances from 0.7 to 3")
def _lennard_jones():
    return Problem(
        lambda r: 4 * (r**-12 - r**-6).sum(),
        lambda r: 4 * (-12 * r**-13 + 6 * r**-7),
        np.array([0.7, 0.9, 1.1, 1.5, 3.0]),
        {"attraction lost": lambda r: -48 * r**-13},
    )


@field("Lennard-Jones at a distance of 0.1")
def _close():
    return Problem(
        lambda r: 4 * (r**-12 - r**-6).sum(),
        lambda r: 4 * (-12 * r**-13 + 6 * r**-7),
        np.array([0.1]),
    )


def _pairs(x):
    i, j = np.triu_indices(len(x), 1)
    d = x[i] - x[j]
    return i, j, d, (d * d).sum(axis=1)


def _onto_atoms(x, i, j, forces):
    total = np.zeros(x.shape)
    np.add.at(total, i, forces)
    np.add.at(total, j, -forces)
    return total


@field("Lennard-Jones cluster of six atoms")
def _cluster():
    def f(x):
        s = 1 / _pairs(x)[3] ** 3
        return 4 * (s * s - s).sum()

    def df(x):
        i, j, d, r2 = _pairs(x)
        s = 1 / r2**3
        return _onto_atoms(x, i, j, (4 * (6 * s - 12 * s * s) / r2)[:, None] * d)

    def one_of_two(x):
        i, _, d, r2 = _pairs(x)
        s = 1 / r2**3
        total = np.zeros(x.shape)
        np.add.at(total, i, (4 * (6 * s - 12 * s * s) / r2)[:, None] * d)
        return total

    grid = np.array([[i, j, k] for i in (0, 1) for j in (0, 1, 2) for k in (0,)], float)
    return Problem(f, df, 1.15 * grid + 0.08 * normal(1, 6, 3), {"reaction lost": one_of_two})


@field("pendulum energy")
def _pendulum():
    def f(x):
        return 0.5 * x[1] ** 2 + 9.81 * (1 - np.cos(x[0]))

    def df(x):
        return np.array([9.81 * np.sin(x[0]), x[1]])

    return Problem(f, df, np.array([0.02, 1.3]), {"of the sine": lambda x: df(x) * [-1, 1]})


@field("double pendulum energy")
def _double_pendulum():
    def f(x):
        a, b, p, q = x
        kinetic = p * p + q * q / 2 + p * q * np.cos(a - b)
        return kinetic - 9.81 * (2 * np.cos(a) + np.cos(b))

    def df(x):
        a, b, p, q = x
        s, c = np.sin(a - b), np.cos(a - b)
        return np.array(
            [-p * q * s + 19.62 * np.sin(a), p * q * s + 9.81 * np.sin(b), 2 * p + q * c, q + p * c]
        )

    def no_coupling(x):
        a, b, p, q = x
        return np.array([19.62 * np.sin(a), 9.81 * np.sin(b), 2 * p, q])

    return Problem(f, df, np.array([1.2, -0.7, 0.4, 2.0]), {"coupling lost": no_coupling})


@field("Kepler energy of the Earth in SI units")
def _kepler():
    mu = 1.327e20  # gravitational parameter of the Sun, m^3 / s^2

    def f(x):
        return x[2:] @ x[2:] / 2 - mu / np.sqrt(x[:2] @ x[:2])

    def df(x):
        return np.concatenate([mu * x[:2] / (x[:2] @ x[:2]) ** 1.5, x[2:]])

    return Problem(f, df, np.array([1.2e11, 0.9e11, -1.7e4, 2.4e4]))


@field("Rosenbrock at its usual start")
def _rosenbrock():
    def df(x):
        a, b = x
        return np.array([-400 * a * (b - a * a) - 2 * (1 - a), 200 * (b - a * a)])

    return Problem(
        lambda x: 100 * (x[1] - x[0] ** 2) ** 2 + (1 - x[0]) ** 2, df, np.array([-1.2, 1.0])
    )


def rosenbrock(x: np.ndarray) -> float:
    """sum of 100 (x[i+1] - x[i]^2)^2 + (1 - x[i])^2: x (N,) with N >= 2."""
    return (100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()


def rosenbrock_gradient(x: np.ndarray) -> np.ndarray:
    """Its gradient: x (N,) -> (N,)."""
    r = x[1:] - x[:-1] ** 2
    g = np.zeros(x.shape)
    g[:-1] = -400 * x[:-1] * r - 2 * (1 - x[:-1])
    g[1:] += 200 * r
    return g


@field("Rosenbrock of 500 variables")
def _long_rosenbrock():
    lost = {"left neighbour lost": lambda x: _left_lost(rosenbrock_gradient, x)}
    return Problem(rosenbrock, rosenbrock_gradient, normal(2, 500), lost)


def _left_lost(df, x):
    g = df(x)
    g[1:] -= 200 * (x[1:] - x[:-1] ** 2)
    return g


def _rk4_step(y, k, h):
    def slope(y):
        return np.array([y[1], -k * y[0]])

    a = slope(y)
    b = slope(y + h / 2 * a)
    c = slope(y + h / 2 * b)
    return y + h / 6 * (a + 2 * b + 2 * c + slope(y + h * c))


@field("one Runge-Kutta step of a spring, of the state")
def _step():
    target = np.array([0.4, -0.2])
    # linear in the state: the step's matrix has the steps of the unit vectors as columns
    M = np.array([_rk4_step(e, 2.5, 0.3) for e in np.eye(2)]).T
    return Problem(
        lambda y: ((_rk4_step(y, 2.5, 0.3) - target) ** 2).sum() / 2,
        lambda y: M.T @ (_rk4_step(y, 2.5, 0.3) - target),
        np.array([1.0, 0.3]),
        {"M for its transpose": lambda y: M @ (_rk4_step(y, 2.5, 0.3) - target)},
    )


@field("a hundred Euler steps of the logistic equation, of rate and capacity")
def _euler():
    def run(x):
        states = [0.1]
        for _ in range(100):
            y = states[-1]
            states.append(y + 0.05 * x[0] * y * (1 - y / x[1]))
        return states

    def df(x):
        r, cap = x
        states, d, g = run(x), 1.0, np.zeros(2)
        for y in states[-2::-1]:
            g += d * 0.05 * np.array([y * (1 - y / cap), r * y * y / cap**2])
            d *= 1 + 0.05 * r * (1 - 2 * y / cap)
        return g

    return Problem(lambda x: run(x)[-1], df, np.array([1.1, 2.0]))


@field("network of springs")
def _springs():
    ends = np.array([[0, 1], [1, 2], [2, 3], [3, 0], [0, 2]])
    rest, k = np.array([1.0, 0.8, 1.1, 0.9, 1.3]), np.array([10.0, 20, 5, 10, 40])

    def lengths(x):
        d = x[ends[:, 0]] - x[ends[:, 1]]
        return d, np.sqrt((d * d).sum(axis=1))

    def f(x):
        return (k * (lengths(x)[1] - rest) ** 2 / 2).sum()

    def df(x):
        d, r = lengths(x)
        return _onto_atoms(x, *ends.T, (k * (r - rest) / r)[:, None] * d)

    def direction_lost(x):
        d, r = lengths(x)
        return _onto_atoms(x, *ends.T, (k * (r - rest))[:, None] * d)

    x = np.array([[0.0, 0], [1, 0.1], [1.1, 0.9], [-0.1, 1]])
    return Problem(f, df, x, {"not divided by the length": direction_lost})


@field("Coulomb energy of charges in SI units")
def _coulomb():
    q = 1.602e-19 * np.array([1.0, -1, 2, -2])

    def f(x):
        i, j, _, r2 = _pairs(x)
        return 8.988e9 * (q[i] * q[j] / np.sqrt(r2)).sum()

    def df(x):
        i, j, d, r2 = _pairs(x)
        return _onto_atoms(x, i, j, -8.988e9 * (q[i] * q[j] / r2**1.5)[:, None] * d)

    return Problem(f, df, 1e-10 * normal(3, 4, 3))


@field("mean-field free energy of an Ising model")
def _ising():
    J = 0.3 * normal(4, 5, 5)

    def f(m):
        p = (1 + m) / 2
        return -m @ J @ m / 2 + (p * np.log(p) + (1 - p) * np.log(1 - p)).sum()

    def df(m):
        return -(J + J.T) @ m / 2 + np.log((1 + m) / (1 - m)) / 2

    return Problem(
        f,
        df,
        np.array([0.9, -0.5, 0.99, 0.1, -0.95]),
        {"J taken as symmetric": lambda m: -J @ m + np.log((1 + m) / (1 - m)) / 2},
    )


@field("diode current at 0.6 V")
def _diode():
    return Problem(
        lambda v: 1e-12 * (np.exp(v / 0.02585) - 1).sum(),
        lambda v: 1e-12 * np.exp(v / 0.02585) / 0.02585,
        np.array([0.6, 0.3, -0.1]),
    )


@field("Morse potential near its minimum")
def _morse():
    def e(r):
        return np.exp(-1.9 * (r - 0.74))

    return Problem(
        lambda r: 4.7 * ((1 - e(r)) ** 2).sum(),
        lambda r: 2 * 4.7 * 1.9 * (1 - e(r)) * e(r),
        np.array([0.7405, 0.735, 0.9]),
    )


@field("relativistic energy minus rest energy, of the momentum")
def _relativistic():
    return Problem(
        lambda p: (np.sqrt(1 + p * p) - 1).sum(),
        lambda p: p / np.sqrt(1 + p * p),
        np.array([1e-3, -0.02, 0.7, 40.0]),
    )


@field("Arrhenius rates, of the temperatures")
def _arrhenius():
    return Problem(
        lambda T: (1e13 * np.exp(-9000 / T)).sum(),
        lambda T: 1e13 * np.exp(-9000 / T) * 9000 / T**2,
        np.array([280.0, 350.0, 600.0]),
    )


@field("van der Waals pressure of volume and temperature")
def _gas():
    a, b, R = 0.364, 4.27e-5, 8.314  # carbon dioxide, SI units

    def df(x):
        v, T = x
        return np.array([-R * T / (v - b) ** 2 + 2 * a / v**3, R / (v - b)])

    return Problem(
        lambda x: R * x[1] / (x[0] - b) - a / x[0] ** 2,
        df,
        np.array([2e-4, 320.0]),
        {"attraction lost": lambda x: np.array([-R * x[1] / (x[0] - b) ** 2, R / (x[0] - b)])},
    )


@field("energy of a hanging chain")
def _chain():
    def f(y):
        full = np.concatenate([[0.0], y, [0.5]])
        stretch = np.sqrt(1 + np.diff(full) ** 2)
        return 9.81 * full.sum() + 400 * ((stretch - 1) ** 2).sum()

    def df(y):
        step = np.diff(np.concatenate([[0.0], y, [0.5]]))
        stretch = np.sqrt(1 + step**2)
        pull = 800 * (stretch - 1) * step / stretch
        return 9.81 + pull[:-1] - pull[1:]

    return Problem(f, df, -uniform(5, 0.2, 1.5, 12), {"weight lost": lambda y: df(y) - 9.81})


@field("heat equation, of the conductivity")
def _heat():
    start = np.sin(np.linspace(0, np.pi, 11)) ** 3

    def run(k):
        u, du = start, np.zeros(11)
        for _ in range(40):
            bend = np.concatenate([[0], u[2:] - 2 * u[1:-1] + u[:-2], [0]])
            dbend = np.concatenate([[0], du[2:] - 2 * du[1:-1] + du[:-2], [0]])
            u, du = u + k[0] * bend, du + bend + k[0] * dbend
        return u, du

    return Problem(
        lambda k: (run(k)[0] ** 2).sum(),
        lambda k: np.array([2 * (run(k)[0] * run(k)[1]).sum()]),
        np.array([0.23]),
    )

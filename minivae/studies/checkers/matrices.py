"""Functions of matrices."""

import numpy as np

from minivae.studies.checkers.case import Field, Problem, normal

field = Field("matrices")


def symmetric(seed: int, n: int) -> np.ndarray:
    """A random symmetric matrix: (n, n)."""
    a = normal(seed, n, n)
    return (a + a.T) / 2


def definite(seed: int, n: int) -> np.ndarray:
    """A random symmetric positive definite matrix: (n, n)."""
    a = normal(seed, n, n)
    return a @ a.T / n + 0.5 * np.eye(n)


def hilbert(n: int) -> np.ndarray:
    """1 / (i + j + 1), whose condition number grows as exp(3.5 n): (n, n)."""
    i = np.arange(n)
    return 1.0 / (i[:, None] + i + 1)


@field("log determinant")
def _log_det():
    return Problem(
        lambda A: np.linalg.slogdet(A)[1],
        lambda A: np.linalg.inv(A).T,
        definite(1, 5) + 0.1 * normal(2, 5, 5),
        exact=lambda A: np.log(np.linalg.det(A)),
    )


@field("determinant")
def _det():
    return Problem(np.linalg.det, lambda A: np.linalg.det(A) * np.linalg.inv(A).T, normal(3, 4, 4))


@field("trace of the inverse")
def _trace_inverse():
    return Problem(
        lambda A: np.trace(np.linalg.inv(A)),
        lambda A: -np.linalg.inv(A @ A).T,
        definite(4, 4) + 0.2 * normal(5, 4, 4),
        {"inverse once": lambda A: -np.linalg.inv(A).T},
    )


@field("bilinear form of the inverse")
def _inverse_form():
    a, b = normal(6, 4), normal(7, 4)

    def df(A):
        return -np.outer(np.linalg.solve(A.T, a), np.linalg.solve(A, b))

    return Problem(lambda A: a @ np.linalg.solve(A, b), df, definite(8, 4) + 0.3 * normal(9, 4, 4))


@field("quadratic form of a matrix that is not symmetric")
def _quadratic():
    A = normal(10, 6, 6)
    return Problem(
        lambda x: x @ A @ x,
        lambda x: (A + A.T) @ x,
        normal(11, 6),
        {"A taken as symmetric": lambda x: 2 * A @ x},
    )


@field("ill-conditioned quadratic form (Hilbert matrix of order 8)")
def _hilbert():
    H, b = hilbert(8), normal(12, 8)
    return Problem(lambda x: x @ H @ x / 2 - b @ x, lambda x: H @ x - b, normal(13, 8))


@field("quadratic near its minimum, condition number 1e10")
def _near_minimum():
    d = np.geomspace(1e-5, 1e5, 6)
    return Problem(
        lambda x: (d * (x - 1) ** 2).sum() / 2,
        lambda x: d * (x - 1),
        1 + 1e-3 * normal(14, 6),
    )


def _power_series(A, terms=30):
    total, term = np.eye(len(A)), np.eye(len(A))
    for k in range(1, terms):
        term = term @ A / k
        total = total + term
    return total


@field("trace of the matrix exponential")
def _exponential():
    return Problem(
        lambda A: np.trace(_power_series(A)), lambda A: _power_series(A).T, 0.6 * normal(15, 4, 4)
    )


@field("trace of the fifth power")
def _power():
    return Problem(
        lambda A: np.trace(np.linalg.matrix_power(A, 5)),
        lambda A: 5 * np.linalg.matrix_power(A, 4).T,
        normal(16, 4, 4),
    )


@field("weighted eigenvalues of the symmetric part")
def _eigenvalues():
    weights = np.array([3.0, -1, 2, 0.5])

    def f(A):
        return weights @ np.linalg.eigvalsh((A + A.T) / 2)

    def df(A):
        v = np.linalg.eigh((A + A.T) / 2)[1]
        return (v * weights) @ v.T

    def exact(A):
        return weights @ np.sort(np.linalg.eigvals((A + A.T) / 2))

    return Problem(f, df, symmetric(17, 4) + 0.2 * normal(18, 4, 4), exact=exact)


@field("largest eigenvalue, as a Rayleigh quotient")
def _rayleigh():
    A = symmetric(19, 5)

    def df(x):
        return 2 * (A @ x - x * (x @ A @ x) / (x @ x)) / (x @ x)

    return Problem(
        lambda x: (x @ A @ x) / (x @ x),
        df,
        normal(20, 5),
        {"denominator taken as constant": lambda x: 2 * A @ x / (x @ x)},
    )


@field("nuclear norm")
def _nuclear():
    def df(A):
        u, _, vt = np.linalg.svd(A, full_matrices=False)
        return u @ vt

    def exact(A):
        return np.sqrt(np.linalg.eigvals(A.T @ A)).sum()

    return Problem(
        lambda A: np.linalg.svd(A, compute_uv=False).sum(), df, normal(21, 5, 3), exact=exact
    )


@field("spectral norm")
def _spectral():
    def df(A):
        u, _, vt = np.linalg.svd(A)
        return np.outer(u[:, 0], vt[0])

    def exact(A):
        values = np.linalg.eigvals(A.T @ A)
        return np.sqrt(values[values.real.argmax()])

    return Problem(lambda A: np.linalg.norm(A, 2), df, normal(22, 4, 3), exact=exact)


@field("Frobenius norm")
def _frobenius():
    return Problem(
        lambda A: np.linalg.norm(A),
        lambda A: A / np.linalg.norm(A),
        normal(23, 4, 4),
        {"squared": lambda A: 2 * A},
        exact=lambda A: np.sqrt((A * A).sum()),
    )


@field("least squares of a matrix")
def _least_squares():
    A, B = normal(24, 6, 4), normal(25, 6, 4)
    return Problem(
        lambda X: ((A @ X - B) ** 2).sum() / 2, lambda X: A.T @ (A @ X - B), normal(26, 4, 4)
    )


@field("trace of A X B X^T")
def _trace_form():
    A, B = normal(27, 3, 3), normal(28, 4, 4)
    return Problem(
        lambda X: np.trace(A @ X @ B @ X.T),
        lambda X: A @ X @ B + A.T @ X @ B.T,
        normal(29, 3, 4),
        {"A and B taken as symmetric": lambda X: 2 * A @ X @ B},
    )


@field("matrix factorization with missing entries, of one factor")
def _factorization():
    V, Y, seen = normal(30, 5, 2), normal(31, 6, 5), normal(32, 6, 5) > -0.3

    def f(U):
        return (seen * (U @ V.T - Y) ** 2).sum() / 2 + 0.05 * (U * U).sum()

    def df(U):
        return (seen * (U @ V.T - Y)) @ V + 0.1 * U

    return Problem(
        f, df, normal(33, 6, 2), {"mask forgotten": lambda U: (U @ V.T - Y) @ V + 0.1 * U}
    )


@field("entropy of a density matrix, by its eigenvalues")
def _entropy():
    def f(A):
        p = np.linalg.eigvalsh((A + A.T) / 2)
        return -(p * np.log(p)).sum()

    def df(A):
        p, v = np.linalg.eigh((A + A.T) / 2)
        return -(v * (np.log(p) + 1)) @ v.T

    def exact(A):
        p = np.linalg.eigvals((A + A.T) / 2)
        return -(p * np.log(p)).sum()

    x = definite(34, 4)
    return Problem(f, df, x / np.trace(x), {"+ 1 lost": lambda A: df(A) + np.eye(4)}, exact)

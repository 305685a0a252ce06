"""The two lists of words of notebook 04 that are computed: who scatters less, and where it ends."""

import numpy as np
import pytest

from minivae.exercises.chapters.nb04.ends import ENDS
from minivae.exercises.chapters.nb04.winners import WINNERS

FUNCTIONS = (  # f, its slope, and what q is: mu, sigma
    (np.square, lambda z: 2 * z, 2.0, 0.5),
    (np.square, lambda z: 2 * z, 0.5, 1.0),
    (np.abs, np.sign, 0.5, 1.0),
    (lambda z: np.maximum(z, 0), lambda z: np.where(z > 0, 1.0, 0.0), 2.0, 1.0),
    (lambda z: z**3, lambda z: 3 * z**2, 0.0, 1.0),
    (lambda z: np.sin(5 * z), lambda z: 5 * np.cos(5 * z), 0.0, 1.0),
    (lambda z: np.where(z < 0, 3 * z, 3 * z + 1), lambda z: np.full_like(z, 3.0), 0.0, 1.0),
)


@pytest.mark.parametrize("number", range(1, 8))
def test_who_scatters_less(number):
    f, df, mu, sigma = FUNCTIONS[number - 1]
    eps = np.linspace(-10, 10, 400_001)
    weight = np.exp(-(eps**2) / 2) / np.exp(-(eps**2) / 2).sum()

    def mean_and_scatter(values):
        mean = weight @ values
        return mean, np.sqrt(weight @ values**2 - mean**2)

    z = mu + sigma * eps
    by_path, spread = mean_and_scatter(df(z))
    score_mean, score_spread = mean_and_scatter((f(z) - weight @ (f(z) * eps**2)) * eps / sigma)
    assert abs(score_spread / spread - 1) > 0.1  # no near tie
    if abs(by_path - score_mean) > 0.01 or score_spread < spread:
        expected = "score function"
    else:
        expected = "rule" if spread < abs(by_path) / np.sqrt(2) else "pathwise"
    assert WINNERS.reference[number - 1] == expected


NORMAL = np.polynomial.hermite_e.hermegauss(3)
UNIFORM = np.polynomial.legendre.leggauss(3)
SLIPS = (  # how z is drawn, the noise (its nodes and weights), the factor of the KL
    (lambda mu, sigma, eps: mu + 0.5 * sigma * eps, NORMAL, 1.0),
    (lambda mu, sigma, eps: mu + 2 * sigma * eps, NORMAL, 1.0),
    (lambda mu, sigma, eps: mu + 1 + sigma * eps, NORMAL, 1.0),
    (lambda mu, sigma, eps: mu - sigma * eps, NORMAL, 1.0),
    (lambda mu, sigma, eps: mu + 0 * eps, NORMAL, 1.0),
    (lambda mu, sigma, eps: mu + np.sqrt(3) * sigma * eps, UNIFORM, 1.0),
    (lambda mu, sigma, eps: mu + sigma * eps, NORMAL, 1.0),  # shared: the same average for each
    (lambda mu, sigma, eps: mu + sigma * eps, NORMAL, 2.0),
)
SPREAD = np.array([1.6, 0.8]), 0.5  # W, s


def wrong_elbo(params, x, slip):
    """The slip's "ELBO", averaged over its noise: params (P, 9) -> (P,)."""
    draw, (nodes, weights), kl_factor = slip
    p = params[:, :, None, None]  # (P, 9, examples, nodes)
    mu = p[:, 0] * x[:, :1] + p[:, 1] * x[:, 1:] + p[:, 2]
    sigma, noise = np.exp(p[:, 3] / 2), p[:, 8]
    z = draw(mu, sigma, nodes)
    squares = sum((x[:, [d]] - z * p[:, 4 + d] - p[:, 6 + d]) ** 2 for d in range(2))
    nll = squares / np.exp(noise) / 2 + noise + np.log(2 * np.pi)
    kl = (mu**2 + sigma**2 - 1 - 2 * np.log(sigma)) / 2
    return -((nll + kl_factor * kl) @ (weights / weights.sum())).mean(axis=1)


def highest(params, x, slip, steps=1500):
    """Adam uphill, its gradient by the complex step."""
    first, second = np.zeros(9), np.zeros(9)
    for t in range(steps):
        grad = wrong_elbo(params + 1e-30j * np.eye(9), x, slip).imag / 1e-30
        first, second = 0.9 * first + 0.1 * grad, 0.99 * second + 0.01 * grad**2
        step = first / (1 - 0.9 ** (t + 1)) / np.sqrt(second / (1 - 0.99 ** (t + 1)) + 1e-16)
        params = params + 0.05 * (1 - t / steps) * step
    return wrong_elbo(params[None], x, slip)[0]


@pytest.mark.parametrize("number", range(1, 9))
def test_where_the_wrong_elbo_ends(number):
    rng = np.random.default_rng(number)
    x = rng.standard_normal((40, 1)) * SPREAD[0] + SPREAD[1] * rng.standard_normal((40, 2))
    away = x - x.mean(axis=0)
    ceiling = -(np.linalg.slogdet(away.T @ away / 40)[1] + 2 * np.log(2 * np.pi) + 2) / 2
    start = np.array([0.4, 0.2, 0.0, -2.0, 1.5, 0.7, 0.0, 0.0, -1.0]) + 0.1 * rng.normal(size=9)
    difference = highest(start, x, SLIPS[number - 1]) - ceiling
    expected = ENDS.reference[number - 1]
    assert {"below": difference < -0.05, "at": abs(difference) < 1e-3, "above": difference > 0.05}[
        expected
    ], difference

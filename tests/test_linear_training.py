"""Training a linear VAE reaches the maximum known in closed form, or says that it has not."""

from typing import NamedTuple

import numpy as np
import pytest

from minivae import exact


class Data(NamedTuple):
    D: int
    L: int
    N: int
    size: float  # of the numbers
    noise: float  # its standard deviation, where the latents' axes have entries near 1


def draw(data, seed):
    rng = np.random.default_rng(seed)
    W, b = rng.standard_normal((data.L, data.D)), 5 * rng.standard_normal(data.D)
    z, noise = rng.standard_normal((data.N, data.L)), rng.standard_normal((data.N, data.D))
    return data.size * (z @ W + b + data.noise * noise), rng


ORDINARY = [
    Data(3, 1, 200, 1, 0.5),
    Data(6, 2, 300, 1, 0.3),
    Data(10, 3, 100, 100, 1),
    Data(5, 2, 50, 1, 3),
    Data(4, 1, 60, 1e-6, 2),
    Data(2, 1, 20, 1e4, 1),
    Data(15, 2, 40, 1, 0.5),
    Data(8, 3, 100, 0.01, 0.1),
]
STIFF = [
    Data(8, 3, 100, 1000, 0.01),
    Data(12, 6, 200, 1, 0.2),
    Data(20, 5, 150, 0.01, 0.1),
    Data(9, 4, 120, 1, 0.05),
    Data(30, 4, 400, 1, 1),
]


def assert_reaches_the_maximum(data, seed):
    x, rng = draw(data, seed)
    fit = exact.train_linear_vae(x, data.L, rng=rng)
    best = exact.maximum_likelihood(x, data.L)
    top = exact.linear_log_evidence(best, x).mean()
    found = exact.as_linear(fit.params, fit.spec)
    assert fit.converged
    assert fit.gradient <= 1e-8
    assert abs(top - fit.elbo[-1]) < 1e-12, "the last ELBO is the highest likelihood"
    assert exact.linear_log_evidence(found, x).mean() == pytest.approx(top, abs=1e-12)
    elbo = exact.exact_linear_elbo_and_grads(fit.params, x, fit.spec).elbo
    assert elbo == pytest.approx(fit.elbo[-1], abs=1e-8), "the weights were converted back"
    assert (np.diff(fit.elbo) > -1e-12 * (1 + abs(top))).all(), "the ELBO never falls"
    assert top - fit.elbo[0] > 0.1, "it had somewhere to climb from"
    assert found.variance == pytest.approx(best.variance, rel=1e-6)


@pytest.mark.parametrize(("seed", "data"), list(enumerate(ORDINARY)))
def test_it_reaches_the_maximum(seed, data):
    """Adam with its default steps stopped up to 1.2 nats below on half of such data."""
    assert_reaches_the_maximum(data, seed)


@pytest.mark.slow
@pytest.mark.parametrize(("seed", "data"), list(enumerate(STIFF)))
def test_it_reaches_the_maximum_with_little_noise_and_many_latents(seed, data):
    """The curvature differs between directions by up to 1e5: thousands of steps."""
    assert_reaches_the_maximum(data, seed)


def test_a_constant_pixel_and_a_faint_one_do_no_harm():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((50, 6)) * [1, 1, 0, 1e-3, 1, 1] + 7
    fit = exact.train_linear_vae(x, 2, rng=rng)
    top = exact.linear_log_evidence(exact.maximum_likelihood(x, 2), x).mean()
    assert fit.converged
    assert abs(top - fit.elbo[-1]) < 1e-10


def test_it_says_that_it_has_not_converged():
    x, rng = draw(ORDINARY[1], 0)
    fit = exact.train_linear_vae(x, 2, rng=rng, steps=3)
    assert not fit.converged
    assert fit.gradient > 1e-3
    assert len(fit.elbo) == 4


@pytest.mark.parametrize(
    "x", [np.ones((5, 3)), np.outer(np.arange(5.0), [1, 2, 3])], ids=["one image", "one line"]
)
def test_it_does_not_converge_where_the_likelihood_has_no_maximum(x):
    fit = exact.train_linear_vae(x, 1, rng=np.random.default_rng(0))
    assert not fit.converged
    assert np.isfinite(fit.elbo).all()
    variance = exact.as_linear(fit.params, fit.spec).variance
    assert 1e-12 < variance / ((x - x.mean(axis=0)).var() or 1) < 1e-11, (
        "it falls until only rounding is left"
    )

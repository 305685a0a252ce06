"""The total correlation: its value against definitions, its gradient against two differences."""

import inspect

import numpy as np
import pytest

from minivae.evaluate import total_correlation as module
from minivae.evaluate.total_correlation import total_correlation_backward, total_correlation_forward

N_DATA = 500


@pytest.fixture
def batch():
    rng = np.random.default_rng(2018)
    mu, logvar = rng.standard_normal((5, 3)), rng.uniform(-2, 1, (5, 3))
    return mu + np.exp(logvar / 2) * rng.standard_normal((5, 3)), mu, logvar


def written_out(z, mu, logvar, n_data):
    """The definition with loops: logs of sums of products of normal densities."""
    B, L = z.shape
    result = np.empty(B)
    for i in range(B):
        density = np.empty((B, L))
        for j in range(B):
            for l in range(L):
                variance = np.exp(logvar[j, l])
                density[j, l] = np.exp(-((z[i, l] - mu[j, l]) ** 2) / (2 * variance))
                density[j, l] /= np.sqrt(2 * np.pi * variance)
        q = density.prod(axis=1).sum() / (n_data * B)
        q_l = density.sum(axis=0) / (n_data * B)
        result[i] = np.log(q) - np.log(q_l).sum()
    return result


def gradient(functions, z, mu, logvar):
    forward, backward = functions
    weights = np.arange(1.0, len(z) + 1)  # no two examples count the same
    return backward(weights, forward(z, mu, logvar, N_DATA)[1])


def complex_step(forward, z, mu, logvar):
    weights = np.arange(1.0, len(z) + 1)
    result = []
    for k in range(3):
        part = np.empty(z.shape)
        for place in np.ndindex(z.shape):
            arguments = [a.astype(complex) for a in (z, mu, logvar)]
            arguments[k][place] += 1e-30j
            part[place] = (weights * forward(*arguments, N_DATA)[0]).sum().imag / 1e-30
        result.append(part)
    return result


def test_the_value_is_the_definition_written_out(batch):
    assert np.allclose(total_correlation_forward(*batch, N_DATA)[0], written_out(*batch, N_DATA))


def test_the_gradient_by_complex_step(batch):
    functions = total_correlation_forward, total_correlation_backward
    found = gradient(functions, *batch)
    for ours, expected in zip(found, complex_step(functions[0], *batch), strict=True):
        assert np.abs(ours - expected).max() < 1e-13 * np.abs(expected).max()


def test_the_gradient_by_central_differences(batch):
    weights = np.arange(1.0, 6)
    found = gradient((total_correlation_forward, total_correlation_backward), *batch)
    for k in range(3):
        for place in np.ndindex(batch[0].shape):
            up, down = ([a.copy() for a in batch] for _ in range(2))
            up[k][place] += 1e-5
            down[k][place] -= 1e-5
            values = [(weights * written_out(*a, N_DATA)).sum() for a in (up, down)]
            difference = (values[0] - values[1]) / 2e-5
            assert found[k][place] == pytest.approx(difference, rel=1e-6, abs=1e-7)


def test_the_gradient_does_not_depend_on_the_number_of_data(batch):
    few, many = (total_correlation_forward(*batch, n) for n in (10, 10**6))
    assert not np.allclose(few[0], many[0])
    for a, b in zip(
        total_correlation_backward(np.ones(5), few[1]),
        total_correlation_backward(np.ones(5), many[1]),
        strict=True,
    ):
        assert np.array_equal(a, b)


MISTAKES = {
    "the marginals' softmax is lost": ("joint_share - each_share", "joint_share + 0 * each_share"),
    "the joint's softmax is lost": ("joint_share - each_share", "0 * joint_share - each_share"),
    "precision not squared in dlogvar": ("cache.squares - 1", "cache.scaled - 1"),
    "the half of dlogvar is lost": ("(cache.squares - 1) / 2", "(cache.squares - 1)"),
    "log sigma without its one": ("(cache.squares - 1) / 2", "cache.squares / 2"),
    "z and mu exchanged": ("-through_u.sum(axis=1)", "through_u.sum(axis=1)"),
    "summed over the wrong index": ("through_u.sum(axis=0)", "through_u.sum(axis=1)"),
    "the weights of the examples by column": ("dtc[:, None, None]", "dtc[None, :, None]"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_planted_mistake_shows_in_the_complex_step(name, batch):
    source = inspect.getsource(module)
    right, wrong = MISTAKES[name]
    assert source.count(right) == 1
    planted = {"__name__": "planted"}
    exec(compile(source.replace(right, wrong), "planted", "exec"), planted)
    functions = planted["total_correlation_forward"], planted["total_correlation_backward"]
    found = gradient(functions, *batch)
    expected = complex_step(total_correlation_forward, *batch)
    worst = max(np.abs(a - b).max() / np.abs(b).max() for a, b in zip(found, expected, strict=True))
    assert worst > 1e-3


def test_a_mistake_that_the_gradient_check_cannot_see(batch):
    """Without its constant the value is wrong by (L - 1) log(N B), and the gradient is the same."""
    value, cache = total_correlation_forward(*batch, N_DATA)
    other, other_cache = total_correlation_forward(*batch, 1)
    assert np.allclose(value - other, 2 * np.log(N_DATA))
    assert np.array_equal(cache.excess, other_cache.excess)


def test_the_exact_sum_finds_the_total_correlation_of_a_gaussian():
    """Codes of correlation r, q(z|x) narrow: with all posteriors summed, -log(1 - r^2) / 2."""
    rng = np.random.default_rng(3)
    n, r = 1500, 0.8
    a = rng.standard_normal((n, 2))
    mu = np.column_stack([a[:, 0], r * a[:, 0] + np.sqrt(1 - r * r) * a[:, 1]])
    logvar = np.full((n, 2), np.log(0.15**2))
    z = mu + 0.15 * rng.standard_normal((n, 2))
    exact = total_correlation_forward(z, mu, logvar, n)[0].mean() - np.log(n)  # weights 1 / n
    r_of_z = r / (1 + 0.15**2)
    assert exact == pytest.approx(-np.log(1 - r_of_z**2) / 2, abs=0.06)

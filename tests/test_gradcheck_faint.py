"""Entries that nobody can see, or hardly: residues, zeros that nothing confirms, coarse values."""

import numpy as np
import pytest

from minivae.gradcheck import check_grad

CANNOT_TELL, RIGHT, WRONG = "cannot tell", "right", "wrong"


def verdict(f, df, x):
    return check_grad(f, df, np.array(x)).verdict


@pytest.mark.parametrize("a", [[14.0, 0.5], [17.0, 0.5], [20.0, 0.5], [0.5, 3, 9, 14, 17, 20]])
def test_the_rounding_of_a_saturated_slope_is_not_a_mistake(a):
    assert verdict(lambda a: np.tanh(a).sum(), lambda a: 1 - np.tanh(a) ** 2, a) != WRONG


@pytest.mark.parametrize("factor", [0.0, -1.0, 1.3])
def test_a_faint_entry_whose_formula_is_precise_is_wrong_all_the_same(factor):
    """Its entry is 1e-17 of the other, below the rounding of that, but it is no difference."""

    def df(x):
        return np.array([1e10 * np.exp(x[0]), factor * 1e-7 * np.exp(x[1])])

    assert verdict(lambda x: 1e10 * np.exp(x[0]) + 1e-7 * np.exp(x[1]), df, [0.3, 0.4]) == WRONG


def test_the_complex_step_does_not_decide_at_the_border_of_the_domain():
    said = verdict(lambda x: (x**1.5).sum(), lambda x: 1.5 * np.sqrt(x), [0, 0.3, 1])
    assert said == CANNOT_TELL
    even = verdict(lambda x: ((x * x) ** 0.75).sum(), lambda x: 1.5 * np.sqrt(np.abs(x)), [0, 1.0])
    assert even == RIGHT


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_a_zero_below_the_noise_is_not_confirmed_by_a_function_that_conjugates(share):
    def f(x):
        return 1e6 * np.sinh(x[:2]).sum() + 1e-12 * np.vdot(x[2:], x[2:])

    def df(x):
        return np.concatenate([1e6 * np.cosh(x[:2]), share * 2e-12 * x[2:]])

    assert verdict(f, df, [0.3, -0.4, 0.6, 0.2]) != (WRONG if share else RIGHT)


def test_a_zero_that_differences_see_is_right():
    def f(x):
        return np.cosh(x[0]) + np.where(x[1].real > 0, x[1], 0) + np.sin(x[2])

    def df(x):
        return np.array([np.sinh(x[0]), x[1] > 0, np.cos(x[2])])

    assert verdict(f, df, [0.0, -0.7, 0.4]) == RIGHT


@pytest.mark.parametrize("zeroed", [[], [0], [1], [2]])
def test_at_an_optimum_a_residue_cannot_be_told_from_zero(zeroed):
    rng = np.random.default_rng(0)
    A, b = rng.normal(size=(9, 3)), rng.normal(size=9)
    best = np.linalg.lstsq(A, b, rcond=None)[0]

    def df(x):
        gradient = 2 * A.T @ (A @ x - b)
        gradient[zeroed] = 0
        return gradient

    assert df(best).any()
    assert verdict(lambda x: ((A @ x - b) ** 2).sum(), df, best) == CANNOT_TELL


def test_values_rounded_to_six_places_are_coarse():
    """Even where steps of f happen to be whole numbers of them."""
    c = np.array([-1003.0, 700.0])

    def f(x):
        return np.round(float(np.real(c @ x)), 6)

    x = np.array([1e-5, 3.0])
    assert verdict(f, lambda x: c, x) != WRONG
    assert verdict(f, lambda x: 0 * x, x) != RIGHT


@pytest.mark.parametrize("complex_too", [True, False])
def test_many_entries_of_very_different_strength(complex_too):
    """A bounded f: its differences agree far away as well, on 0."""
    c = np.geomspace(1e-6, 1e6, 5000)

    def f(x):
        if np.iscomplexobj(x) and not complex_too:
            raise TypeError("real numbers only")
        return (c * np.sin(x)).sum()

    def wrong(x):
        gradient = c * np.cos(x)
        gradient[4500] *= 1.3
        return gradient

    x = np.random.default_rng(16).normal(size=5000)
    report = check_grad(f, wrong, x)
    assert report.verdict == WRONG
    assert "x[4500]" in report.sentence
    said = verdict(f, lambda x: c * np.cos(x), x)
    assert said == RIGHT if complex_too else said != WRONG


def test_an_entry_is_looked_at_by_itself_before_it_is_accused():
    """Kinks that a direction meets and a single entry does not."""
    rng = np.random.default_rng(5)
    inputs, c = rng.normal(size=(12, 60)) * np.geomspace(1e-3, 1e3, 60), rng.normal(size=(12, 50))

    def f(W):
        return (c * np.maximum(inputs @ np.asarray(W, float), 0)).sum()

    def df(W):
        return inputs.T @ (c * (inputs @ W > 0))

    report = check_grad(f, df, rng.normal(size=(60, 50)) / 8)
    assert report.verdict != WRONG

"""An f that is rounded, or looked up in a table: its flat places are no derivative of 0."""

import numpy as np
import pytest

from minivae.gradcheck import check_grad
from minivae.gradcheck.noise import grain

X = np.array([0.3, 0.7, 1.1])


def squares(x):
    return float((x * x).sum())


GRIDS = {
    "1e-1": lambda f: lambda x: np.round(f(x), 1),
    "1e-3": lambda f: lambda x: np.round(f(x), 3),
    "1e-6": lambda f: lambda x: np.round(f(x), 6),
    "1e-10": lambda f: lambda x: np.round(f(x), 10),
    "2^-10": lambda f: lambda x: np.round(f(x) * 1024) / 1024,
    "downwards": lambda f: lambda x: np.floor(f(x) * 1000) / 1000,
    "int": lambda f: lambda x: int(f(x)),
    "float16": lambda f: lambda x: float(np.float16(f(x))),
    "float32": lambda f: lambda x: float(np.float32(f(x))),
    "the argument": lambda f: lambda x: f(np.round(np.real(x), 3)),
    "a table": lambda f: lambda x: f(np.floor(np.real(x) * 256) / 256),
}


@pytest.mark.parametrize("name", GRIDS)
@pytest.mark.parametrize("x", [X, 1e-3 * X, np.array([0.25]), np.array([100.0, -70.5])], ids=len)
def test_a_grid_makes_no_right_gradient_wrong_and_no_wrong_one_right(name, x):
    f = GRIDS[name](squares)
    assert check_grad(f, lambda x: 2 * x, x).verdict != "wrong"
    for factor in (0.0, 2.0, 1.0001):
        assert check_grad(f, lambda x, c=factor: c * 2 * x, x).verdict != "right"


def test_where_large_steps_see_the_derivative_it_is_told():
    f = GRIDS["1e-10"](squares)
    assert check_grad(f, lambda x: 2 * x, X).verdict == "right"
    assert check_grad(f, lambda x: 3 * x, X).verdict == "wrong"


def test_stairs_are_named():
    report = check_grad(GRIDS["downwards"](squares), lambda x: 2 * x, 1e-3 * X)
    assert report.verdict == "cannot tell"
    assert "rounded" in report.sentence


@pytest.mark.parametrize("offset", [0.0, 1.0, 1e6])
def test_a_plateau_before_a_kink_is_still_a_derivative_of_0(offset):
    """Beyond the kink f changes on and on, whatever is added to it."""

    def f(x):
        return offset + np.maximum(x - 5, 0).sum()

    assert check_grad(f, lambda x: (x > 5) * 1.0, np.array([3.0, 6.0])).ok
    assert not check_grad(f, np.ones_like, np.array([3.0, 6.0])).ok


def test_the_grain_of_values_is_found_and_only_where_there_is_one():
    rng = np.random.default_rng(0)
    values = rng.normal(size=40)
    assert grain(values) == 0
    assert grain(np.round(values, 2)) == pytest.approx(0.01, rel=1e-6)
    assert grain(1e6 + np.round(values, 2)) == pytest.approx(0.01, rel=1e-3)
    assert grain(np.round(values * 64) / 64) == 1 / 64
    assert grain(np.ones(40)) == 0

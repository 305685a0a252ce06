"""The corpus of gradients that checkers are compared on: right ones are right, wrong ones wrong."""

from collections import Counter

import numpy as np
import pytest

from minivae.studies.checkers import coarse, corpus, layers, likelihoods, statistics
from minivae.studies.checkers.case import (
    FLOAT32,
    KINDS,
    KINKED,
    NOISY,
    RANDOM,
    RULES,
    SMOOTH,
    differs,
    wrong_gradients,
)

CASES = corpus.all_cases()
IDS = [f"{case.field}: {case.name}" for case in CASES]
each = pytest.mark.parametrize("case", CASES, ids=IDS)
RANDOM_GRADIENT = "gradient with fresh noise, function without"
TOLERANCES = {SMOOTH: 1e-8, KINKED: 1e-8, NOISY: 1e-8, RANDOM: 1e-8, FLOAT32: 1e-6}


def gradient(df, case):
    return np.array(df(case.x.copy()), np.float64)


def test_there_are_enough_of_every_kind():
    of_kind = Counter(case.kind for case in CASES)
    assert set(of_kind) == set(KINDS)
    assert of_kind[SMOOTH] >= 200
    assert min(of_kind.values()) >= 8
    assert {case.x.size for case in CASES} >= {1, 100_000}
    assert len(set(IDS)) == len(IDS)


@each
def test_there_are_three_wrong_gradients_and_each_is_wrong(case):
    assert len(case.wrong) >= 3
    if case.kind == RANDOM:  # of a gradient that is drawn no two are alike
        return
    right = gradient(case.df, case)
    assert right.shape == case.x.shape
    assert np.isfinite(right).all()
    for name, df in case.wrong.items():
        wrong = gradient(df, case)
        assert wrong.shape == case.x.shape, name
        assert differs(wrong, right), name


@pytest.fixture
def of_complex_numbers(monkeypatch):
    """log Gamma and erf as SciPy has them, which take complex numbers. (scikit-learn, with which
    other tests compare, brings SciPy along.)"""
    special = pytest.importorskip("scipy.special", reason="SciPy is not installed")
    for module, name, function in (
        (likelihoods, "lgamma", special.loggamma),
        (layers, "erf", special.erf),
        (statistics, "erf", special.erf),
    ):
        monkeypatch.setattr(module, name, function)


@each
@pytest.mark.usefixtures("of_complex_numbers")
def test_the_right_gradient_is_the_derivative_by_the_complex_step(case):
    """Of `exact`, which is f in analytic operations and without its noise. Of the large ones some
    entries; an entry that the rules leave alone may be off by rounding of the largest."""
    right = gradient(case.df, case)
    if case.name == RANDOM_GRADIENT:
        right = np.mean([gradient(case.df, case) for _ in range(20_000)], axis=0)
    entries = np.arange(case.x.size)
    if case.x.size > 1000:
        entries = np.random.default_rng(0).choice(case.x.size, 10, replace=False)
    by_step = np.array([complex_step(case.exact, case.x, i) for i in entries])
    by_hand = right.ravel()[entries]
    bound = 0.03 if case.name == RANDOM_GRADIENT else TOLERANCES[case.kind]
    bounds = bound * np.abs(by_step)
    bounds[case.kept.ravel()[entries]] = 1e-14 * max(1, np.abs(right).max())
    np.testing.assert_array_less(np.abs(by_hand - by_step), np.maximum(bounds, 1e-300))


def complex_step(f, x, i):
    z = x.astype(complex)
    h = 1e-30 * (abs(x.flat[i]) or 1)
    z.flat[i] += 1j * h
    with np.errstate(invalid="ignore"):  # an infinite exp, whose reciprocal is 0
        value = np.asarray(f(z)).reshape(())
    return np.imag(value) / h if np.isfinite(value) else 0.0


@each
@pytest.mark.usefixtures("of_complex_numbers")
def test_the_kind_is_what_f_does(case):
    """A random f changes from call to call. The others are `exact` to their noise, or to their
    grid; for the worst conditioned of the smooth ones rounding makes up to 1e-7."""
    first, second = (float(case.f(case.x.copy())) for _ in range(2))
    exact = float(np.real(np.asarray(case.exact(case.x.astype(complex))).reshape(())))
    if case.kind == RANDOM:
        many = {float(case.f(case.x.copy())) for _ in range(50)}
        assert len(many) > 1 or case.name == RANDOM_GRADIENT
    else:
        assert first == pytest.approx(second, rel=1e-14, abs=0)
        grid = 5e-3 if case.field == coarse.field.name else 1e-4
        loose = {SMOOTH: 1e-7, KINKED: 1e-7}.get(case.kind, grid)
        assert first == pytest.approx(exact, rel=loose, abs=loose)


def test_rules_do_what_their_names_say():
    right = np.array([[4.0, -1.0], [0.0, 2.0]])
    x = np.array([[-1.0, 1.0], [1.0, 1.0]])
    wrong = {name: df(x) for name, df in wrong_gradients(lambda x: right, x).items()}
    expected = {
        "one entry times 1.3": [[4, -1], [0, 2.6]],
        "strongest entry times 1 + 1e-4": [[4.0004, -1], [0, 2]],
        "faintest entry times 1 + 1e-4": [[4, -1.0001], [0, 2]],
        "faintest entry 0": [[4, 0], [0, 2]],
        "all times 1 + 1e-4": [[4.0004, -1.0001], [0, 2.0002]],
        "sign of the smaller half": [[4, 1], [0, -2]],
        "twice too large where x < 0": [[8, -1], [0, 2]],
        "transposed": [[4, 0], [-1, 2]],
        "first axis reversed": [[0, 2], [4, -1]],
    }
    assert set(wrong) == set(RULES) == set(expected)
    for name, gradient in wrong.items():
        np.testing.assert_allclose(gradient, expected[name], rtol=1e-15, err_msg=name)


def test_rules_leave_out_what_changes_nothing_and_entries_that_are_kept():
    right, x = np.array([2.0, 2.0]), np.array([1.0, 1.0])
    assert "first axis reversed" not in wrong_gradients(lambda x: right, x)
    assert "twice too large where x < 0" not in wrong_gradients(lambda x: right, x)
    kept = wrong_gradients(lambda x: right, x, np.array([True, False]))
    assert kept["all times 1 + 1e-4"](x).tolist() == [2.0, 2.0002]


def test_a_difference_below_one_in_ten_thousand_is_no_mistake():
    right = np.array([1.0, 1e-9])
    assert not differs(right * (1 + 9e-5), right)
    assert differs(np.array([1.0, 1.001e-9]), right)
    assert differs(np.array([1.0, 0.0]), right)

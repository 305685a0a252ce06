"""The numerical gradients are accurate, and what is wrong with a gradient by hand is named."""

import numpy as np
import pytest

from minivae.errors import MinivaeError
from minivae.gradcheck import check_directions, check_grad
from minivae.gradcheck.differences import block_error, central_differences, complex_step
from minivae.gradcheck.symptoms import constant_ratio, name_ratio

X = np.random.default_rng(0).normal(size=(3, 2))


def f(x):
    return (np.exp(x) * np.sin(x)).sum()


def df(x):
    return np.exp(x) * (np.sin(x) + np.cos(x))


def test_central_differences_reach_their_bound():
    assert block_error(df(X), central_differences(f, X)) < 1e-9


def test_complex_step_is_exact_to_rounding():
    assert block_error(df(X), complex_step(f, X)) < 1e-15


@pytest.mark.parametrize("scale", [1.0, 1e3, 1e6])
def test_the_step_grows_with_the_entry_and_with_the_value(scale):
    """A fixed h would be lost in the rounding of a large x, or of a large f."""
    x = scale * X

    def cubic(x):
        return ((x / scale) ** 3 + 5.0).sum()

    assert check_grad(cubic, lambda x: 3 * x * x / scale**3, x).ok


def real_only(f):
    """The same f, which refuses complex numbers."""

    def refuses(x):
        if np.iscomplexobj(x):
            raise TypeError("real numbers only")
        return f(x)

    return refuses


@pytest.mark.parametrize("function", [f, real_only(f)])
def test_check_grad_passes_the_right_gradient(function):
    report = check_grad(function, df, X)
    assert report.ok
    assert report.verdict == "right"
    assert report.sentence == "right"
    assert report.ratio is None
    assert report.error < 1e-9
    assert (report.entries.bar <= 1e-5 * np.abs(df(X)).ravel()).all()


def test_check_grad_takes_whole_numbers_and_single_ones():
    assert check_grad(lambda x: (x * x).sum(), lambda x: 2 * x, np.array([1, 2, 3])).ok
    assert check_grad(lambda x: x**2, lambda x: 2 * x, 1.5).ok


def test_check_grad_calls_with_copies():
    """A function that writes into its argument changes neither the check nor the caller's x."""
    x = X.copy()

    def careless(x):
        x *= x
        return x.sum()

    assert check_grad(careless, lambda x: 2 * x, x).ok
    assert np.array_equal(x, X)


@pytest.mark.parametrize(
    ("factor", "words"),
    [
        (2.0, "exactly twice too large"),
        (0.5, "exactly half"),
        (-1.0, "wrong sign"),
        (-2.0, "wrong sign, and exactly twice"),
        (4.0, "4 times too large, and 4 is the batch size B"),
        (0.25, "4 times too small, and 4 is the batch size B"),
        (0.0, "is missing"),
        (1.7, "1.7 times the right value at every entry"),
    ],
)
def test_a_constant_ratio_is_found_and_named(factor, words):
    report = check_grad(f, lambda x: factor * df(x), X, sizes={"the batch size B": 4})
    assert not report.ok
    assert report.ratio == pytest.approx(factor, abs=1e-6)
    assert words in report.sentence


@pytest.mark.parametrize("function", [f, real_only(f)])
def test_a_gradient_that_agrees_to_five_digits_is_neither_right_nor_accused(function):
    report = check_grad(function, lambda x: (1 + 2e-6) * df(x), X)
    assert report.verdict == "cannot tell"
    assert "float32" in report.sentence
    assert report.ratio is None


def test_no_ratio_is_claimed_where_it_varies():
    report = check_grad(f, lambda x: df(x) * (1 + 0.01 * x), X)
    assert not report.ok
    assert report.ratio is None
    assert "not the same everywhere" in report.sentence


def test_the_worst_entry_is_named():
    def slightly_off(x):
        gradient = df(x)
        gradient[2, 1] += 0.5
        return gradient

    report = check_grad(f, slightly_off, X, name="W")
    assert report.name == "W"
    assert report.worst_index == (2, 1)
    assert report.analytic == pytest.approx(df(X)[2, 1] + 0.5)
    assert report.numeric == pytest.approx(df(X)[2, 1])
    assert report.error == pytest.approx(0.5 / max(np.abs(df(X)).max(), df(X)[2, 1] + 0.5))
    assert "[2, 1]" in report.sentence


def test_nan_infinity_and_shape_are_wrong_and_said():
    assert "nan" in check_grad(f, lambda x: df(x) * np.nan, X).sentence
    assert check_grad(f, lambda x: df(x) * np.inf, X).error == float("inf")
    assert "shape (2, 3)" in check_grad(f, lambda x: df(x).T, X).sentence
    report = check_grad(lambda x: np.nan * x.sum(), np.ones_like, X)
    assert "not finite near x" in report.sentence


def test_a_gradient_where_there_is_none():
    report = check_grad(lambda x: 1.0, np.ones_like, X)
    assert not report.ok
    assert "does not depend" in report.sentence


def test_block_error_is_zero_over_zero_and_scaled_by_the_largest_entry():
    assert block_error(np.zeros(3), np.zeros(3)) == 0
    assert block_error(np.array([1.0, 4.0]), np.array([1.0, 2.0])) == 0.5
    assert block_error(np.zeros(2), np.ones(2)) == 1
    assert block_error(np.array([np.nan]), np.ones(1)) == float("inf")


def test_two_meanings_of_one_ratio_are_both_named():
    sentence = name_ratio(2.0, {"the batch size B": 2})
    assert "a factor 1/2 is missing" in sentence
    assert "2 is the batch size B" in sentence
    assert name_ratio(3.0, {"the batch size B": 2}) is None


def test_constant_ratio_needs_every_entry():
    assert constant_ratio(np.array([2.0, 4.0]), np.array([1.0, 2.0])) == 2
    assert constant_ratio(np.array([2.0, 4.001]), np.array([1.0, 2.0])) is None
    assert constant_ratio(np.ones(2), np.zeros(2)) is None


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda x: x, "one number"),
        (lambda x: 1j * x.sum(), "real number"),
    ],
)
def test_what_cannot_be_differenced_is_an_error_of_one_line(function, words):
    with pytest.raises(MinivaeError, match=words) as error:
        check_grad(function, df, X)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("function", "gradient", "words"),
    [
        (lambda x: np.abs(x).sum(), np.sign, "does not take complex numbers"),
        (lambda x: np.vdot(x, x), lambda x: 2 * x, "not analytic"),
        (lambda x: np.logaddexp(0, x).sum(), lambda x: 1 / (1 + np.exp(-x)), "not take complex"),
        (lambda x: (x**3).sum() + np.vdot(x, x), lambda x: 3 * x * x + 2 * x, "not analytic"),
    ],
)
def test_a_complex_step_that_does_not_work_is_dropped_and_said(function, gradient, words):
    report = check_grad(function, gradient, X)
    assert report.ok
    assert any(words in note for note in report.notes)


def test_float32_is_never_accused_and_seldom_enough():
    def f32(x):
        return f(x.astype(np.float32))

    report = check_grad(real_only(f32), df, X)
    assert report.verdict == "cannot tell"
    assert "float64" in report.sentence
    assert check_grad(real_only(f32), lambda x: 2 * df(x), X).verdict == "wrong"


def test_a_wrong_x_is_an_error():
    with pytest.raises(MinivaeError, match="real numbers"):
        check_grad(f, df, np.array([]))
    with pytest.raises(MinivaeError, match="real numbers"):
        check_grad(f, df, X + 1j)


# ---- directions ------------------------------------------------------------------------------

LONG = np.random.default_rng(1).normal(size=(300, 40))


@pytest.mark.parametrize("function", [f, real_only(f)])
def test_directions_pass_the_right_gradient(function):
    report = check_directions(function, df, LONG[:30])
    assert report.verdict != "wrong"
    assert "directions" in report.name
    assert check_directions(f, df, LONG).ok


@pytest.mark.parametrize("function", [f, real_only(f)])
def test_directions_find_one_wrong_entry_of_many(function):
    def one_entry_off(x):
        gradient = df(x)
        gradient[17, 3] += 0.1
        return gradient

    report = check_directions(function, one_entry_off, LONG)
    assert report.verdict == "wrong"
    assert "x[17, 3]" in report.sentence
    assert report.worst_index == (17, 3)


def test_directions_name_a_ratio_and_a_shape():
    assert "twice" in check_directions(f, lambda x: 2 * df(x), LONG).sentence
    assert "shape" in check_directions(f, lambda x: df(x).T, LONG).sentence


@pytest.mark.parametrize("seed", [0, 3])
def test_one_direction_does_not_look_along_an_x_of_the_same_seed(seed):
    """x is drawn with the same seed, and the gradient is wrong everywhere but along x."""
    x = np.random.default_rng(seed).standard_normal((5, 3))
    away = np.random.default_rng(9).standard_normal(x.shape)
    away -= np.vdot(away, x) / np.vdot(x, x) * x
    report = check_directions(f, lambda x: df(x) + away, x, n=1, seed=seed)
    assert not report.ok


@pytest.mark.parametrize("offset", [1e12, 1e14])
def test_no_symptom_is_named_from_the_noise_of_rounding(offset):
    """The differences of offset + f are off by eps offset / h, whatever the gradient."""

    def shifted(x):
        return offset + f(x)

    for gradient in (df, lambda x: 1.01 * df(x)):
        for report in (
            check_grad(real_only(shifted), gradient, X),
            check_grad(real_only(shifted), gradient, X[:1, :1]),
            check_directions(real_only(shifted), gradient, X),
        ):
            assert report.verdict == "cannot tell"
            assert report.ratio is None
            assert "I can't tell" in report.sentence
            assert "noise" in report.sentence or "noisy" in report.sentence
    assert check_grad(shifted, df, X).ok


def test_noise_hides_neither_a_clear_ratio_nor_a_mistake():
    def raised(offset):
        return real_only(lambda x: offset + f(x))

    assert "twice" in check_grad(raised(1e4), lambda x: 2 * df(x), X).sentence
    report = check_grad(raised(1e12), lambda x: 2 * df(x), X)
    assert report.verdict == "wrong"
    assert "too large to see a pattern" in report.sentence

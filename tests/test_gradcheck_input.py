"""What `check_grad` accepts, refuses in one line, and says of very many entries."""

import functools
import json

import numpy as np
import pytest

from minivae.errors import MinivaeError
from minivae.gradcheck import check_directions, check_grad
from minivae.gradcheck.directions import clearness
from minivae.gradcheck.verdicts import WRONG

X = np.array([0.3, -0.7, 1.1])


def square(x):
    return (x * x).sum()


def d_square(x):
    return 2 * x


# ---- refused in one line -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("f", "df", "x", "words"),
    [
        (square, d_square, np.zeros(0), "empty"),
        (square, d_square, [], "empty"),
        (square, d_square, {}, "empty"),
        (square, d_square, np.array([np.nan, 1]), "NaN or infinity"),
        (square, d_square, np.array([np.inf, 1]), "NaN or infinity"),
        (square, d_square, np.array([1.0, None], dtype=object), "dtype object"),
        (square, d_square, "abc", "must hold real numbers"),
        (square, d_square, None, "must hold real numbers"),
        (square, d_square, X + 1j, "must hold real numbers"),
        (lambda x: 1 / 0, d_square, X, "f raises ZeroDivisionError"),
        (lambda x: x, d_square, X, "one number"),
        (lambda x: None, d_square, X, "real number"),
        (lambda x: "1", d_square, X, "real number"),
        (lambda x: [[1], [1, 2]], d_square, X, "no number"),
        (lambda x: 1j * x.sum(), d_square, X, "real number"),
        (square, lambda x: x[9], X, "df raises IndexError"),
        (square, lambda x: None, X, "df returned None"),
        (square, lambda x: np.array([1.0, None, 2.0], dtype=object), X, "dtype object"),
        (square, lambda x: [[1], [1, 2]], X, "not an array"),
    ],
)
def test_what_cannot_be_checked_is_an_error_of_one_line(f, df, x, words):
    with pytest.raises(MinivaeError, match=words) as error:
        check_grad(f, df, x)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("f", "df", "x", "words"),
    [
        (square, lambda x: np.ones((3, 1)), X, "shape (3, 1)"),
        (square, lambda x: 2.0, X, "shape ()"),
        (lambda p: square(p["a"]), lambda p: {}, {"a": X}, "lacks a"),
        (lambda p: square(p["a"]), lambda p: {"a": X, "b": X}, {"a": X}, "has b"),
        (lambda p: square(p["a"]), lambda p: X, {"a": X}, "x is a dict"),
        (lambda p: square(p[0]), lambda p: [X, X], [X], "has 2 arrays; x has 1"),
        (lambda p: square(p[0]), lambda p: X, (X,), "x is a tuple"),
    ],
)
def test_a_gradient_that_does_not_fit_is_wrong(f, df, x, words):
    report = check_grad(f, df, x)
    assert report.verdict == "wrong"
    assert words in report.sentence
    assert words in str(report)


def test_a_function_that_is_nan_at_the_point_cannot_be_judged():
    report = check_grad(lambda x: np.nan * x.sum(), d_square, X)
    assert report.verdict == "cannot tell"
    assert "not finite near x" in report.sentence


@pytest.mark.parametrize(
    ("x", "words"),
    [
        (np.array([1, 2, 3]), "int64; it was converted"),
        ([1, 2, 3], "converted to float64"),
        (X.astype(np.float32), "float32; it was converted"),
    ],
)
def test_what_is_converted_is_said(x, words):
    report = check_grad(square, d_square, x)
    assert report.ok
    assert any(words in note for note in report.notes)


def test_buffers_and_changes_in_place_do_no_harm():
    buffer = np.zeros(3)

    def own_buffer(x):
        buffer[:] = 2 * x
        return buffer

    def changes(x):
        x *= 2
        return x

    before = X.copy()
    assert check_grad(square, own_buffer, X).ok
    report = check_grad(square, changes, X)
    assert report.ok
    assert any("df changes its argument" in note for note in report.notes)
    assert np.array_equal(X, before)


# ---- blocks ------------------------------------------------------------------------------------

PARAMS = {"W": np.arange(6.0).reshape(3, 2) / 7 - 0.4, "b": np.array([0.4, 0.2])}
DATA = np.random.default_rng(2).normal(size=(5, 3))


def layer(p):
    return np.tanh(DATA @ p["W"] + p["b"]).sum()


def d_layer(p):
    da = 1 - np.tanh(DATA @ p["W"] + p["b"]) ** 2
    return {"b": da.sum(axis=0), "W": DATA.T @ da}


def test_a_dict_a_list_and_a_tuple_of_arrays():
    assert check_grad(layer, d_layer, PARAMS).ok
    for kind in (list, tuple):
        parts = kind(PARAMS.values())
        report = check_grad(
            lambda p: layer(dict(zip("Wb", p, strict=True))),
            lambda p: [d_layer(dict(zip("Wb", p, strict=True)))[name] for name in "Wb"],
            parts,
        )
        assert report.ok
        assert "x[0][2, 1]" in report.labels


def test_the_wrong_block_is_named_and_its_pattern():
    report = check_grad(layer, lambda p: d_layer(p) | {"b": d_layer(p)["b"] / 5}, PARAMS)
    assert report.verdict == "wrong"
    assert report.sentence.startswith("b at")
    report = check_grad(
        layer, lambda p: d_layer(p) | {"b": d_layer(p)["b"] / 5}, PARAMS, sizes={"the batch B": 5}
    )
    assert "5 times too small, and 5 is the batch B" in report.sentence


SQUARE = np.random.default_rng(0).normal(size=(3, 3))
WEIGHTS = np.arange(9.0).reshape(3, 3)


@pytest.mark.parametrize(
    ("f", "df", "x", "words"),
    [
        (square, lambda x: 2 * np.abs(x), X, "wrong sign at some entries, those where x < 0"),
        (square, lambda x: 2 * x * (x > 0), X, "zero at some entries"),
        (lambda x: (x**3).sum() + 0.05 * square(x), lambda x: 3 * x * x, X, "lacks the term 0.1"),
        (lambda x: (x**3).sum() + x.sum(), lambda x: 3 * x * x, X, "off by -1 at every entry"),
        (square, lambda x: np.full(3, 2 * x.mean()), X, "the mean over axis 0"),
        (square, lambda x: 2 * x[::-1], X, "reverse order"),
        (lambda a: (a**2 * WEIGHTS).sum(), lambda a: (2 * a * WEIGHTS).T, SQUARE, "transposed"),
        (square, lambda x: 2 * x * [1, 1, 1.3], X, "1 of 3 entries is wrong"),
    ],
)
def test_patterns_are_named(f, df, x, words):
    report = check_grad(f, df, x)
    assert report.verdict == "wrong"
    assert words in report.sentence


# ---- the report --------------------------------------------------------------------------------


def test_the_report_shows_itself():
    report = check_grad(square, lambda x: 2 * x * [1, 1, 1.3], X)
    assert "x[2]" in str(report)
    assert "<table>" in report._repr_html_()
    assert "x[2]" in report._repr_html_()
    plain = json.loads(json.dumps(report.to_json(), allow_nan=False))
    assert plain["verdict"] == "wrong"
    assert [e["verdict"] for e in plain["entries"]] == ["right", "right", "wrong"]
    figure = report.plot()
    (axes,) = figure.axes
    assert axes.get_xlabel() == "step h"
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels[0] == "x[2]"
    assert report.plot([1]).axes[0].get_legend().get_texts()[0].get_text() == "x[1]"


# ---- very many entries -------------------------------------------------------------------------

LONG = np.random.default_rng(1).normal(size=20_000)


def cubic(x):
    return (x * x * x).sum()  # x**3 takes ten times as long


def d_cubic(x):
    return 3 * x * x


def test_many_entries_are_checked_along_directions():
    report = check_grad(cubic, d_cubic, LONG)
    assert report.ok
    assert any("random directions" in note for note in report.notes)


def real_cubic(x):
    if np.iscomplexobj(x):
        raise TypeError("real numbers only")
    return cubic(x)


@functools.cache
def right_gradient_checked(f):
    return check_grad(f, d_cubic, LONG)


@pytest.mark.parametrize("complex_too", [True, False])
@pytest.mark.parametrize("entry", [0, 12_345, 19_999])
def test_bisection_finds_the_wrong_entry(entry, complex_too):
    """Within 60 evaluations beyond those of the right gradient."""
    f = cubic if complex_too else real_cubic

    def one_off(x):
        gradient = d_cubic(x)
        gradient[entry] += 0.5
        return gradient

    before = right_gradient_checked(f)
    report = check_grad(f, one_off, LONG)
    assert before.verdict != "wrong"
    assert report.verdict == "wrong"
    assert f"wrong at x[{entry}]" in report.sentence
    assert report.evaluations <= before.evaluations + 60
    row = report.labels.index(f"x[{entry}]")
    assert report.entries.numeric[row] == pytest.approx(d_cubic(LONG)[entry], rel=1e-3)


def test_a_wrong_entry_of_a_linear_function_is_found():
    """Its derivative is the same wherever x is, so that the error bar of a direction is 0."""
    w = np.linspace(1, 2, 3000)
    gradient = np.where(np.arange(3000) == 7, 0, w)
    report = check_grad(lambda x: (w * x).sum(), lambda x: gradient, w)
    assert (report.entries.bar == 0).any()
    assert "wrong at x[7]" in report.sentence


@pytest.mark.parametrize("number", [float, np.float64])
def test_a_direction_without_an_error_bar_is_the_clearest(number):
    def row(bar):
        return number(1.0), number(1.5), number(bar), WRONG, ""

    with np.errstate(all="raise"):
        found = sorted(map(row, (1e-12, 0.0, 1e-15)), key=clearness)
    assert found == [row(1e-12), row(1e-15), row(0.0)]


def test_a_common_factor_of_many_entries_is_named():
    report = check_grad(cubic, lambda x: 6 * x * x, LONG)
    assert report.verdict == "wrong"
    assert "exactly twice" in report.sentence


@pytest.mark.parametrize(
    "wrong",
    [
        lambda x: (1 + 1e-4) * d_cubic(x),
        lambda x: np.where(x < 0, -1, 1) * d_cubic(x),
        lambda x: np.where(np.abs(x) < 1e-3, -1, 1) * d_cubic(x),
    ],
)
def test_mistakes_in_small_entries_are_not_hidden_by_large_ones(wrong):
    assert check_grad(cubic, wrong, LONG).verdict == "wrong"


def test_directions_refuse_a_misfit():
    assert check_directions(cubic, lambda x: d_cubic(x)[1:], LONG).verdict == "wrong"

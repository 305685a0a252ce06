"""Exercises of notebook 05 that derive, mend or build: other right answers, and wrong ones."""

import numpy as np
import pytest

from minivae.exercises.cards import CORRECT, NOT_YET
from minivae.exercises.catalogue import exercises
from minivae.exercises.chapters.nb05.differences import TIMES_THE_BEST
from minivae.exercises.chapters.nb05.directions import jacobian_costs
from minivae.exercises.grading import grade


@pytest.fixture(autouse=True, scope="module")
def _own_progress(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MINIVAE_PROGRESS", str(tmp_path_factory.mktemp("exercises") / "p.json"))
        yield


def status(id, answer):
    return grade(exercises()[id], answer).status


# ---- 05.directions -------------------------------------------------------------------------------


def _counted(shapes):
    """The multiplications of a product of matrices, from the left, by their shapes."""
    total, (rows, inner) = 0, shapes[0]
    for below, columns in shapes[1:]:
        assert below == inner
        total += rows * inner * columns
        inner = columns
    return total


@pytest.mark.parametrize("widths", [[3, 5, 1], [2, 50, 60, 100], [784, 200, 50, 200, 1]])
def test_the_costs_of_both_directions_are_those_of_the_products(widths):
    shapes = [(widths[k], widths[k + 1]) for k in range(len(widths) - 1)]
    turned = [shape[::-1] for shape in shapes[::-1]]  # from the right: the transposes from the left
    assert jacobian_costs(widths) == (_counted(shapes), _counted(turned))


def test_fewer_inputs_than_outputs_do_not_always_make_the_inputs_side_cheaper():
    from_inputs, from_outputs = jacobian_costs([2, 1, 100, 100])
    assert from_inputs > from_outputs


def _by_counting(widths):
    shapes = [(widths[k], widths[k + 1]) for k in range(len(widths) - 1)]
    return [_counted(shapes), _counted([shape[::-1] for shape in shapes[::-1]])]


def test_counted_costs_are_right():
    assert status("05.directions", _by_counting) == CORRECT


def test_costs_of_the_wrong_size_are_wrong():
    assert status("05.directions", lambda widths: (sum(widths), sum(widths))) == NOT_YET
    assert status("05.directions", lambda widths: jacobian_costs(widths)[1]) == NOT_YET


# ---- 05.blind-pair -------------------------------------------------------------------------------


def _weighted(squares_weight, normaliser_weight, constant=0.0):
    def pair(mean, logvar, x):
        squares = (x - mean) ** 2 / np.exp(logvar)
        nll = (squares_weight * squares + normaliser_weight * logvar + constant).sum(axis=1)
        dmean = 2 * squares_weight * (mean - x) / np.exp(logvar)
        return nll, dmean, np.array([(normaliser_weight - squares_weight * squares).sum()])

    return pair


@pytest.mark.parametrize("weights", [(0.5, 0.25), (1, 0.5), (3, 1.5, 7.0)])
def test_any_pair_with_its_lowest_loss_at_twice_the_variance_is_right(weights):
    assert status("05.blind-pair", _weighted(*weights)) == CORRECT


@pytest.mark.parametrize("weights", [(0.5, 0.5), (0.5, 1.0), (0.5, 0.2), (0.6, 0.25), (0.5, 0.0)])
def test_a_lowest_loss_elsewhere_is_wrong(weights):
    assert status("05.blind-pair", _weighted(*weights)) == NOT_YET


def test_a_wrong_gradient_of_the_wanted_loss_is_wrong():
    def pair(mean, logvar, x):
        nll, dmean, dlogvar = _weighted(0.5, 0.25)(mean, logvar, x)
        return nll, 1.001 * dmean, dlogvar

    assert status("05.blind-pair", pair) == NOT_YET


# ---- 05.nan-gradient -----------------------------------------------------------------------------


def _by_logaddexp(a, t):
    total = np.logaddexp.reduce(a, axis=1)
    return total - a[t > 0], np.exp(a - total[:, None]) - t


def _in_float64(a, t):
    a = a.astype(float) - a.max(axis=1)[:, None]
    e = np.exp(a)
    p = e / e.sum(axis=1, keepdims=True)
    return np.log(e.sum(axis=1)) - np.take_along_axis(a, t.argmax(axis=1)[:, None], 1)[:, 0], p - t


@pytest.mark.parametrize("answer", [_by_logaddexp, _in_float64])
def test_the_mended_likelihood_in_other_styles_is_right(answer):
    verdict = grade(exercises()["05.nan-gradient"], answer)
    assert verdict.status == CORRECT, verdict.body


def test_a_likelihood_whose_warning_is_silenced_is_still_judged_by_its_values():
    given = exercises()["05.nan-gradient"].given

    def silent(a, t):
        with np.errstate(all="ignore"):
            return given(a, t)

    def in_float64(a, t):  # exp(1000) overflows there too
        return given(a.astype(float), t)

    assert status("05.nan-gradient", silent) == NOT_YET
    assert status("05.nan-gradient", in_float64) == NOT_YET


# ---- 05.dense: a line to mend --------------------------------------------------------------------


@pytest.mark.parametrize(
    "answer",
    [
        lambda x, W, b: np.einsum("ni,io->no", x, W) + b,
        lambda x, W, b: (W.T @ x.T).T + b,
        lambda x, W, b: np.array([W.T @ row + b for row in x]),
    ],
)
def test_a_dense_layer_in_other_styles_is_right(answer):
    assert status("05.dense", answer) == CORRECT


# ---- 05.choose-h ---------------------------------------------------------------------------------


def _first_turn(finest):
    """The largest h before |D(2h) - D(h)| / 3 exceeds the rounding."""

    def choose(f, x, u):
        last = None
        for h in 10.0 ** np.arange(-12, 6, finest):
            D, D2 = (f(x + h) - f(x - h)) / (2 * h), (f(x + 2 * h) - f(x - 2 * h)) / (4 * h)
            size = max(abs(f(x + k * h)) for k in (-2, -1, 1, 2))
            if last and abs(D2 - D) / 3 > 4 * u * size / h:
                return last
            last = h
        return last

    return choose


def test_a_step_within_ten_times_the_best_is_asked_for():
    assert TIMES_THE_BEST == 10
    assert status("05.choose-h", _first_turn(0.1)) == CORRECT


@pytest.mark.parametrize("factor", [1e-2, 1e2])
def test_a_step_far_from_the_best_is_wrong(factor):
    right = exercises()["05.choose-h"].reference
    assert status("05.choose-h", lambda f, x, u: factor * right(f, x, u)) == NOT_YET

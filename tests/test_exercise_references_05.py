"""Exercises of notebook 05: other right answers pass, wrong ones that are not listed do not."""

import numpy as np
import pytest

from minivae.exercises.cards import CORRECT, NOT_YET
from minivae.exercises.catalogue import exercises
from minivae.exercises.chapters.nb05.tied import tied_backward
from minivae.exercises.grading import grade
from minivae.gradcheck import check_grad
from minivae.gradcheck.differences import central_differences

U = np.finfo(float).eps


@pytest.fixture(autouse=True, scope="module")
def _own_progress(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MINIVAE_PROGRESS", str(tmp_path_factory.mktemp("exercises") / "p.json"))
        yield


def status(id, answer):
    return grade(exercises()[id], answer).status


# ---- 05.cost -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "answer",
    [
        (2 * 500 * 20, 3 * 500 * 20, 2 * 500 * 20 * 2 * 500 * 20),
        [2e4, 3e4, 4e8],
        np.array([20_000, 30_000, 400_000_000]),
        {"forward": 20_000, "backward": 30_000, "differences": 400_000_000},
    ],
)
def test_costs_in_other_forms_are_right(answer):
    assert status("05.cost", answer) == CORRECT


@pytest.mark.parametrize(
    "answer",
    [
        (10_000, 20_000, 200_000_000),
        (20_000, 30_000, 20_000),  # the differences as a number of evaluations
        (20_000, 60_000, 400_000_000),
        (20_000, 30_000),
        ("20,000", "30,000", "400,000,000"),
        (20_000, np.nan, 400_000_000),
    ],
)
def test_other_costs_are_wrong(answer):
    assert status("05.cost", answer) == NOT_YET


def test_the_costs_are_those_of_the_products_that_the_reference_makes():
    """Each product of a row with W, or of a column with a row, counts the entries of W."""
    entries = 500 * 20
    forward, backward, differences = exercises()["05.cost"].reference
    assert forward == 2 * entries  # x @ W, y1 @ W.T
    assert backward == 3 * entries  # dy.T @ y1, dy @ W, x.T @ da
    assert differences == 2 * entries * forward


# ---- 05.tied-backward ----------------------------------------------------------------------------


def _by_einsum(dy, x, W):
    y1 = np.tanh(np.einsum("ni,ih->nh", x, W))
    da = np.einsum("ni,ih,nh->nh", dy, W, 1 - y1**2)
    dW = np.einsum("ni,nh->ih", x, da) + np.einsum("ni,nh->ih", dy, y1)
    return np.einsum("nh,ih->ni", da, W), dW


def _by_loops(dy, x, W):
    dx, dW = np.zeros_like(x), np.zeros_like(W)
    for n in range(len(x)):
        y1 = np.tanh(x[n] @ W)
        da = (dy[n] @ W) / np.cosh(x[n] @ W) ** 2
        dx[n] = W @ da
        dW += np.outer(x[n], da) + np.outer(dy[n], y1)
    return dx, dW


def _by_differences(dy, x, W):
    def loss(x, W):
        return (dy * (np.tanh(x @ W) @ W.T)).sum()

    dx = central_differences(lambda at: loss(at, W), x)
    return dx, central_differences(lambda at: loss(x, at), W)


@pytest.mark.parametrize("answer", [_by_einsum, _by_loops, lambda *args: list(_by_loops(*args))])
def test_tied_weights_in_other_styles_are_right(answer):
    assert status("05.tied-backward", answer) == CORRECT


def test_the_gradient_of_tied_weights_is_that_of_differences():
    rng = np.random.default_rng(3)
    args = rng.normal(size=(4, 5)), rng.normal(size=(4, 5)), rng.normal(size=(5, 2))
    for by_hand, numeric in zip(tied_backward(*args), _by_differences(*args), strict=True):
        np.testing.assert_allclose(by_hand, numeric, rtol=1e-6, atol=1e-8)


def _tied(change):
    def answer(dy, x, W):
        y1 = np.tanh(x @ W)
        return change(dy, x, W, y1, (dy @ W) * (1 - y1**2))

    return answer


@pytest.mark.parametrize(
    "change",
    [
        lambda dy, x, W, y1, da: (da @ W.T, x.T @ da + (y1.T @ dy).T * 2),
        lambda dy, x, W, y1, da: (da @ W.T, (x.T @ da + dy.T @ y1) / len(x)),
        lambda dy, x, W, y1, da: (dy @ W @ W.T, x.T @ da + dy.T @ y1),
        lambda dy, x, W, y1, da: (da @ W.T, da.T @ x + y1.T @ dy),
        lambda dy, x, W, y1, da: (da @ W.T, x.T @ da + dy.T @ (1 - y1**2)),
    ],
)
def test_other_gradients_of_tied_weights_are_wrong(change):
    assert status("05.tied-backward", _tied(change)) == NOT_YET


# ---- 05.gradient-check ---------------------------------------------------------------------------


def _values(f, x, i, *steps):
    def at(step):
        moved = x.copy()
        moved[i] += step
        return f(moved)

    return [at(step) for step in steps]


def _check(slope_and_bar, tolerance, hidden=1e-3):
    """A check from a rule for one entry: slope_and_bar(f, x, i) -> slope, bar. A bar above the
    share `hidden` of the entry is refused."""

    def check(f, df, x):
        gradient = np.asarray(df(x))
        if gradient.shape != x.shape:
            return False
        found = [(gradient[i], *slope_and_bar(f, x, i)) for i in np.ndindex(x.shape)]
        close = [abs(a - slope) <= tolerance * abs(slope) + bar for a, slope, bar in found]
        return all(close) and all(bar < hidden * abs(slope) for _, slope, bar in found)

    return check


def _one_step(h, roundings):
    def rule(f, x, i):
        above, below = _values(f, x, i, h, -h)
        return (above - below) / (2 * h), roundings * U * max(abs(above), abs(below)) / h

    return rule


def _smallest_bar(f, x, i, finest=0.25):
    best = np.nan, np.inf
    for h in 10.0 ** np.arange(-9, 7.1, finest):
        a, b, c, d = _values(f, x, i, h, -h, 2 * h, -2 * h)
        D, D2 = (a - b) / (2 * h), (c - d) / (4 * h)
        bar = abs(D2 - D) / 3, 4 * U * max(map(abs, (a, b, c, d))) / h
        if sum(bar) < best[1]:
            best = D, sum(bar)
        if bar[0] > bar[1]:
            break
    return best


def _five_points(f, x, i):
    """The same with (4 D(h) - D(2h)) / 3, whose error falls with h^4."""
    best = np.nan, np.inf
    for h in 10.0 ** np.arange(-8, 7.1, 0.5):
        a, b, c, d = _values(f, x, i, h, -h, 2 * h, -2 * h)
        D, D2 = (a - b) / (2 * h), (c - d) / (4 * h)
        bar = abs(D2 - D), 8 * U * max(map(abs, (a, b, c, d))) / h
        if sum(bar) < best[1]:
            best = (4 * D - D2) / 3, sum(bar)
        if bar[0] > bar[1]:
            break
    return best


def _as_in_the_text(f, x, i):
    """slope_and_bar of section 5.11."""
    best = np.nan, np.inf
    for h in 10.0 ** np.arange(-8, 7.1, 0.25):
        right, left, further_right, further_left = (x.copy() for _ in range(4))
        right[i], left[i] = x[i] + h, x[i] - h
        further_right[i], further_left[i] = x[i] + 2 * h, x[i] - 2 * h
        slope = (f(right) - f(left)) / (right[i] - left[i])
        far = (f(further_right) - f(further_left)) / (further_right[i] - further_left[i])
        size = max(abs(f(at)) for at in (right, left, further_right, further_left))
        truncation, rounding = abs(far - slope) / 3, 4 * U * size / h
        if truncation + rounding < best[1]:
            best = slope, truncation + rounding
        if truncation > rounding:
            break
    return best


def _measured(f, x, i):
    """The same as in the text, with the scatter of f at random neighbours for its rounding."""
    t = 1e-9 * np.random.default_rng(1).uniform(-1, 1, 20)
    near = np.array(_values(f, x, i, *t))
    noise = np.abs(near - np.polyval(np.polyfit(t, near, 1), t)).max()
    best = np.nan, np.inf
    for h in 10.0 ** np.arange(-8, 7.1, 0.25):
        a, b, c, d = _values(f, x, i, h, -h, 2 * h, -2 * h)
        D, D2 = (a - b) / (2 * h), (c - d) / (4 * h)
        bar = abs(D2 - D) / 3, 3 * (noise + U * max(map(abs, (a, b, c, d)))) / h
        if sum(bar) < best[1]:
            best = D, sum(bar)
        if bar[0] > bar[1]:
            break
    return best


def test_the_check_of_the_text_is_not_enough():
    """Its bar reckons with a rounding error of a few u |f|."""
    verdict = grade(exercises()["05.gradient-check"], _check(_as_in_the_text, 0))
    assert (verdict.status, verdict.mistake) == (NOT_YET, "bar-of-the-text")


@pytest.mark.parametrize(
    "answer",
    [
        _check(_measured, 0),
        _check(_measured, 1e-6),
        lambda f, df, x: check_grad(f, df, x).verdict == "right",
    ],
)
def test_checks_that_measure_the_rounding_of_f_are_right(answer):
    verdict = grade(exercises()["05.gradient-check"], answer)
    assert verdict.status == CORRECT, verdict.body


@pytest.mark.parametrize(
    ("rule", "tolerance", "hidden"),
    [
        (_as_in_the_text, 3e-4, 1e-3),
        (_smallest_bar, 1e-3, 1e-3),
        (_five_points, 1e-6, 1e-3),
        (_measured, 0, np.inf),  # no entry is hidden to it
        (_measured, 1e-2, 1e-3),
    ],
)
def test_checks_that_are_too_kind_or_too_strict_are_wrong(rule, tolerance, hidden):
    answer = _check(rule, tolerance, hidden)
    assert status("05.gradient-check", answer) == NOT_YET


@pytest.mark.parametrize("h", [1e-2, 3e-3, 1e-3, 1e-4, 1e-5, 1e-6])
@pytest.mark.parametrize("tolerance", [1e-2, 3e-3, 1e-3, 1e-4, 1e-6])
@pytest.mark.parametrize("roundings", [0, 4])
def test_a_check_with_one_step_for_all_entries_is_wrong(h, tolerance, roundings):
    answer = _check(_one_step(h, roundings), tolerance)
    assert status("05.gradient-check", answer) == NOT_YET


# ---- 05.graph ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "answer",
    [np.array([-3, -5, 12, -11]), [-3.0, -5, 12, -11], dict(dt=-3, ds=-5, dv=12, dw=-11)],
)
def test_gradients_on_the_graph_in_other_forms_are_right(answer):
    assert status("05.graph", answer) == CORRECT


@pytest.mark.parametrize("answer", [np.array([-3, -5, 12]), np.eye(4), "-3, -5, 12, -11"])
def test_what_is_not_four_numbers_is_wrong(answer):
    assert status("05.graph", answer) == NOT_YET

"""The gradient doctor says so where it cannot tell, and refuses what it cannot examine."""

import numpy as np
import pytest
from pairs import LAYER, LOGITS, MU, X, kinds, linear, linear_forward, only_finding

from minivae.gradcheck import diagnose

# ---- dy is drawn independently ---------------------------------------------------------------


def layer_norm_forward(x):
    centred = x - x.mean(axis=1, keepdims=True)
    scale = np.sqrt((centred**2).mean(axis=1, keepdims=True))
    return centred / scale, (centred / scale, scale)


def layer_norm_backward(dy, cache):
    y, scale = cache
    dy_mean, slope = dy.mean(axis=1, keepdims=True), (dy * y).mean(axis=1, keepdims=True)
    return (dy - dy_mean - y * slope) / scale


@pytest.mark.parametrize("seed", [0, 1, 7])
def test_dy_is_not_the_x_that_a_reader_draws_from_the_same_seed(seed):
    """With dy = x, a backward that forgets dy looks right, and a layer norm's gradient is 0."""
    x = np.random.default_rng(seed).standard_normal((3, 4))

    def forgets_dy(dy, x):
        return x * np.cos(x)

    diagnosis = diagnose(lambda x: (np.sin(x), x), forgets_dy, {"x": x}, seed=seed)
    assert kinds(diagnosis) == {"x": "ignores-dy"}
    diagnosis = diagnose(layer_norm_forward, layer_norm_backward, {"x": x}, seed=seed)
    assert diagnosis.ok, str(diagnosis)


# ---- no pattern is claimed from rounding errors ----------------------------------------------


def raised(offset):
    """offset + sin x by a library that takes real numbers only."""

    def forward(x):
        if np.iscomplexobj(x):
            raise TypeError("real numbers only")
        return offset + np.sin(x), x

    return forward


@pytest.mark.parametrize("shape", [(3, 2), (1, 1)])
@pytest.mark.parametrize(
    ("offset", "told"),
    [(1e6, True), (-1e6, True), (1e12, False), (1e14, False)],
)
def test_a_right_gradient_beside_a_large_constant_gets_no_symptom(offset, told, shape):
    """At 1e6 + sin x, y (1 - y) and 1 - y^2 are so similar that any f' seems to explain it."""
    x = np.random.default_rng(0).standard_normal(shape)
    diagnosis = diagnose(raised(offset), lambda dy, x: dy * np.cos(x), (x,))
    assert diagnosis.ok == told
    if not told:
        (finding,) = diagnosis.findings
        assert finding.kind == "rounding"
        assert "I can't tell" in finding.sentence
    # the complex step sees it at any offset
    assert diagnose(lambda x: (offset + np.sin(x), x), lambda dy, x: dy * np.cos(x), (x,)).ok


def test_a_wrong_gradient_beside_a_large_constant_is_still_wrong():
    x = np.random.default_rng(0).standard_normal((3, 2))

    def diagnosis_of(offset, factor):
        return only_finding(raised(offset), lambda dy, x: factor * dy * np.cos(x), (x,))

    assert diagnosis_of(1e5, 2).kind == "ratio"
    assert "too large to see a pattern" in diagnosis_of(1e12, 3).sentence


def test_a_gradient_that_is_a_millionth_off_gets_no_symptom():
    """As a float32 computation is: a factor of 1.000001 is no pattern, and no sign is wrong."""
    finding = only_finding(
        lambda x: (np.sin(x), x), lambda dy, x: dy * (np.cos(x) + 1e-6), (LOGITS,)
    )
    assert finding.kind == "nearly"
    assert "float32" in finding.sentence


def test_a_derivative_of_zero_is_taken_for_zero_despite_rounding():
    """A bias before a layer norm has no effect; its numerical gradient is 1e-11, not 0."""

    def forward(x, b):
        return layer_norm_forward(x + b)

    def backward(dy, cache):
        dx = layer_norm_backward(dy, cache)
        return dx, np.array(0.5)

    diagnosis = diagnose(forward, backward, {"x": LOGITS, "b": 0.3})
    assert kinds(diagnosis) == {"b": "unused"}


def test_curvature_near_a_minimum_is_not_taken_for_a_kink():
    """x^2 at 1e-9: the one-sided differences differ by more than their size, as x^2 curves."""
    x = 1e-9 * LOGITS
    finding = only_finding(lambda x: (x * x, x), lambda dy, x: 3 * dy * x, (x,))
    assert finding.kind == "ratio"


def test_a_kink_is_not_taken_for_a_mistake():
    a = LOGITS.copy()
    a[1, 2] = 0
    finding = only_finding(lambda a: (np.maximum(a, 0), a), lambda dy, a: dy * (a > 0), (a,))
    assert finding.kind == "kink"
    assert "I can't tell" in finding.sentence
    assert "[1, 2]" in finding.sentence


def test_with_one_entry_only_common_ratios_are_named():
    """With one number any error is a constant ratio."""

    def diagnosis_of(factor):
        return only_finding(
            lambda x: (x**3, x), lambda dy, x: factor * 3 * x * x * dy, (np.array([[0.7]]),)
        )

    assert diagnosis_of(2).kind == "ratio"
    assert diagnosis_of(1.37).kind == "unknown"


UNCOMMON = [  # backwards of y = x sin(x), wrong in uncommon ways
    lambda dy, x: dy * np.sin(x),
    lambda dy, x: dy * (np.sin(x) + x * np.sin(x)),
    lambda dy, x: dy * (np.sin(x) + x * np.cos(2 * x)),
    lambda dy, x: dy**2 * (np.sin(x) + x * np.cos(x)),
    lambda dy, x: (dy * (np.sin(x) + x * np.cos(x)))[::-1],
    lambda dy, x: dy * np.log1p(x * x),
]


@pytest.mark.parametrize("backward", UNCOMMON)
def test_an_uncommon_mistake_is_not_named(backward):
    finding = only_finding(lambda x: (x * np.sin(x), x), backward, (LOGITS,))
    assert finding.kind == "unknown"
    assert "I can't tell" in finding.sentence


# ---- refused ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("forward", "backward", "kind", "words"),
    [
        (lambda x: (x.astype(np.float32), x), lambda dy, x: dy, "float32", "lost in rounding"),
        (lambda x: (np.log(-abs(x)), x), lambda dy, x: dy, "not-finite", "NaN"),
        (lambda x: x, lambda dy, x: dy, "convention", "(y, cache)"),
        (lambda x: (x > 0, x), lambda dy, x: dy, "convention", "floats"),
        (lambda x: (x, x), lambda dy, x: (dy, dy), "convention", "2 gradients for 1 inputs"),
        (lambda x: (x, x), lambda dy, x: None, "convention", "no gradient"),
        (lambda x: (x, x), lambda dy, x: "dy", "convention", "arrays of numbers"),
        (lambda x: 1 / 0, lambda dy, x: dy, "raises", "forward raises ZeroDivisionError"),
        (lambda x: (x, x), lambda dy, x: dy[9], "raises", "backward raises IndexError"),
        (lambda x, y: (x, x), lambda dy, x: dy, "raises", "forward raises TypeError"),
    ],
)
def test_what_cannot_be_examined_is_said(forward, backward, kind, words):
    finding = only_finding(forward, backward, (MU,))
    assert finding.argument is None
    assert finding.kind == kind
    assert words in finding.sentence


def test_changes_in_place_are_found():
    def forward_in_place(x):
        x *= 2
        return x.copy(), None

    def changes_dy(dy, x):
        dy *= 2 * x
        return dy

    def changes_cache(dy, x):
        x *= dy
        return 2 * x

    def square(x):
        return x * x, x.copy()

    assert only_finding(forward_in_place, lambda dy, c: 2 * dy, (MU,)).kind == "mutates"
    assert "dy" in only_finding(square, changes_dy, (MU,)).sentence
    assert "cache" in only_finding(square, changes_cache, (MU,)).sentence


def test_the_readers_arrays_stay_as_they_are():
    before = X.copy()
    diagnose(linear_forward, linear(), LAYER)
    assert np.array_equal(X, before)

"""The gradient doctor names planted mistakes rightly, and says so where it cannot tell."""

import numpy as np
import pytest

from minivae import mistakes, ops
from minivae.gradcheck.doctor import diagnose

rng = np.random.default_rng(7)
B, D, L, K = 4, 5, 3, 6
MU, LOGVAR, EPS = rng.normal(size=(3, B, L))
EPS_K = rng.normal(size=(K, B, L))
X, LOGITS = rng.random((B, D)), rng.normal(size=(B, D))
W, BIAS = rng.normal(size=(D, L)), rng.normal(size=L)
OUT_LOGVAR = np.array([0.3])
SQUARE = rng.normal(size=(D, D))

PAIRS = {  # name: (forward, backward, inputs)
    "dense tanh": ("dense_forward", "dense_backward", (X, W, BIAS, "tanh")),
    "dense relu": ("dense_forward", "dense_backward", (X - 0.5, W, BIAS, "relu")),
    "dense none": ("dense_forward", "dense_backward", (X, W, BIAS, "none")),
    "reparam": ("reparam_forward", "reparam_backward", (MU, LOGVAR, EPS)),
    "reparam K": ("reparam_forward", "reparam_backward", (MU, LOGVAR, EPS_K)),
    "kl": ("gaussian_kl_forward", "gaussian_kl_backward", (MU, LOGVAR)),
    "bernoulli": ("bernoulli_nll_forward", "bernoulli_nll_backward", (LOGITS, X)),
    "gaussian": ("gaussian_nll_forward", "gaussian_nll_backward", (LOGITS, OUT_LOGVAR, X)),
}


def examine(backend, pair):
    forward, backward, inputs = PAIRS[pair]
    return diagnose(getattr(backend, forward), getattr(backend, backward), inputs)


def kinds(diagnosis):
    return {f.argument: f.kind for f in diagnosis.findings}


@pytest.mark.parametrize("pair", PAIRS)
def test_the_right_pairs_are_well(pair):
    diagnosis = examine(ops, pair)
    assert diagnosis.ok, str(diagnosis)
    assert diagnosis.findings == ()
    assert all(block.error < 1e-8 for block in diagnosis.blocks)
    assert str(diagnosis).startswith("right: ")


# ---- the model's own mistakes: (mistake, pair, {argument: kind}, words of the sentence) ------

PLANTED = [
    ("dense-bias-forgotten", "dense tanh", {"b": "unused"}, "does not depend"),
    ("dense-bias-gradient-averaged", "dense tanh", {"b": "ratio"}, "4 times too small"),
    ("dense-weight-gradient-averaged", "dense tanh", {"W": "ratio"}, "4 times too small"),
    (
        "dense-tanh-derivative-lost",
        "dense tanh",
        {"x": "activation", "W": "activation", "b": "activation"},
        "derivative of tanh is missing",
    ),
    (
        "dense-tanh-derivative-of-sigmoid",
        "dense tanh",
        {"x": "activation", "W": "activation", "b": "activation"},
        "derivative of sigmoid stands where that of tanh belongs",
    ),
    (
        "dense-tanh-derivative-twice-activated",
        "dense tanh",
        {"x": "activation", "W": "activation", "b": "activation"},
        "tanh of the activated value",
    ),
    (
        "dense-relu-derivative-lost",
        "dense relu",
        {"x": "activation", "W": "activation", "b": "activation"},
        "derivative of relu is missing",
    ),
    ("dense-weight-gradient-before-activation", "dense tanh", {"W": "activation"}, "missing"),
    ("dense-input-gradient-before-activation", "dense tanh", {"x": "activation"}, "missing"),
    ("dense-weights-not-transposed", "dense tanh", {None: "raises"}, "ValueError"),
    ("reparam-variance-as-sigma-forward", "reparam", {"logvar": "ratio"}, "exactly half"),
    ("reparam-half-lost", "reparam", {"logvar": "ratio"}, "exactly twice"),
    ("reparam-sigma-lost", "reparam", {"logvar": "factor"}, "exp(-logvar / 2)"),
    ("reparam-eps-lost", "reparam", {"logvar": "factor"}, "1 / eps"),
    ("reparam-fresh-noise", "reparam", {"logvar": "noise"}, "another number at each call"),
    ("reparam-dmu-lost", "reparam", {"mu": "lost"}, "lost"),
    (
        "reparam-mean-over-samples",
        "reparam K",
        {"mu": "ratio", "logvar": "ratio"},
        "6 times too small",
    ),
    ("kl-gradient-half-lost", "kl", {"logvar": "ratio"}, "exactly twice"),
    ("kl-gradient-sigma-as-variance", "kl", {"logvar": "only"}, "I can't tell"),
    ("kl-gradient-one-lost", "kl", {"logvar": "term"}, "0.5 * dy too much"),
    ("kl-gradient-one-sign", "kl", {"logvar": "term"}, "dy too much"),
    ("kl-gradient-mu-doubled", "kl", {"mu": "ratio"}, "exactly twice"),
    ("kl-gradient-mu-lost", "kl", {"mu": "lost"}, "lost"),
    ("kl-gradient-logvar-lost", "kl", {"logvar": "lost"}, "lost"),
    ("kl-gradient-lost", "kl", {"mu": "lost", "logvar": "lost"}, "lost"),
    ("kl-gradient-sign", "kl", {"mu": "ratio", "logvar": "ratio"}, "wrong sign"),
    ("bernoulli-gradient-mean-over-pixels", "bernoulli", {"logits": "ratio"}, "5 times too small"),
    ("bernoulli-gradient-sign", "bernoulli", {"logits": "ratio"}, "wrong sign"),
    ("bernoulli-gradient-image-lost", "bernoulli", {"logits": "term"}, "dy * x too much"),
    ("bernoulli-gradient-of-logits", "bernoulli", {"logits": "unknown"}, "I can't tell"),
    ("bernoulli-gradient-sigmoid-twice", "bernoulli", {"logits": "factor"}, "sigmoid'(logits)"),
    ("gaussian-normaliser-lost", "gaussian", {"logvar": "only"}, "all else is right (mean)"),
    ("gaussian-gradient-doubled", "gaussian", {"mean": "ratio"}, "exactly twice"),
    ("gaussian-gradient-precision-lost", "gaussian", {"mean": "factor"}, "exp(logvar)"),
    ("gaussian-gradient-sign", "gaussian", {"mean": "ratio"}, "wrong sign"),
    ("gaussian-logvar-gradient-once", "gaussian", {"logvar": "only"}, "I can't tell"),
    ("gaussian-logvar-gradient-averaged", "gaussian", {"logvar": "ratio"}, "4 times too small"),
]


@pytest.mark.parametrize(
    ("name", "pair", "expected", "words"), PLANTED, ids=[planted[0] for planted in PLANTED]
)
def test_mistakes_of_the_model_are_named(name, pair, expected, words):
    diagnosis = examine(mistakes.plant(mistakes.find(name)), pair)
    assert not diagnosis.ok
    assert kinds(diagnosis) == expected
    assert words in str(diagnosis)


def test_a_wrong_formula_with_its_right_gradient_is_beyond_any_gradient_check():
    backend = mistakes.plant(mistakes.find("reparam-variance-as-sigma"))
    assert examine(backend, "reparam").ok


# ---- what is drawn for the check is no input of it ---------------------------------------------


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
    """With dy = x a backward that forgets dy looks right; a layer norm's gradient is 0."""
    x = np.random.default_rng(seed).standard_normal((3, 4))

    def forgets_dy(dy, x):
        return x * np.cos(x)

    diagnosis = diagnose(lambda x: (np.sin(x), x), forgets_dy, {"x": x}, seed=seed)
    assert kinds(diagnosis) == {"x": "ignores-dy"}
    diagnosis = diagnose(layer_norm_forward, layer_norm_backward, {"x": x}, seed=seed)
    assert diagnosis.ok, str(diagnosis)


# ---- nothing is claimed from the noise of rounding ----------------------------------------------


OFFSETS = (1e6, -1e6, 1e9, 1e12)


@pytest.mark.parametrize("offset", OFFSETS)
@pytest.mark.parametrize("shape", [(3, 2), (1, 1)])
def test_a_right_gradient_beside_a_large_constant_gets_no_symptom(offset, shape):
    """1e6 + sin x: y (1 - y) and 1 - y^2 are so alike there that any f' seems to explain it."""
    x = np.random.default_rng(0).standard_normal(shape)
    finding = only_finding(lambda x: (offset + np.sin(x), x), lambda dy, x: dy * np.cos(x), (x,))
    assert finding.kind == "rounding"
    assert "I can't tell" in finding.sentence


def test_a_wrong_gradient_beside_a_large_constant_is_still_wrong():
    x = np.random.default_rng(0).standard_normal((3, 2))

    def diagnosis_of(offset, factor):
        return only_finding(
            lambda x: (offset + np.sin(x), x), lambda dy, x: factor * dy * np.cos(x), (x,)
        )

    assert diagnosis_of(1e5, 2).kind == "ratio"
    assert "too much to see a pattern" in diagnosis_of(1e9, 3).sentence


def test_a_gradient_that_is_a_millionth_off_gets_no_symptom():
    """As float32 leaves it: a factor of 1.000001 is no pattern, nor is the sign wrong."""
    finding = only_finding(
        lambda x: (np.sin(x), x), lambda dy, x: dy * (np.cos(x) + 1e-6), (LOGITS,)
    )
    assert finding.kind == "nearly"
    assert "float32" in finding.sentence


def test_what_rounding_leaves_of_a_slope_of_zero_is_zero():
    """A bias before a layer norm has no effect; its gradient by numbers is 1e-11, not 0."""

    def forward(x, b):
        return layer_norm_forward(x + b)

    def backward(dy, cache):
        dx = layer_norm_backward(dy, cache)
        return dx, np.array(0.5)

    diagnosis = diagnose(forward, backward, {"x": LOGITS, "b": 0.3})
    assert kinds(diagnosis) == {"b": "unused"}


def test_a_bend_near_a_flat_place_is_not_taken_for_a_kink():
    """x^2 at 1e-9: the slopes left and right differ by more than their size, as x^2 bends."""
    x = 1e-9 * LOGITS
    finding = only_finding(lambda x: (x * x, x), lambda dy, x: 3 * dy * x, (x,))
    assert finding.kind == "ratio"


# ---- what other pairs can have ---------------------------------------------------------------


def linear_forward(x, W, b):
    return x @ W + b, (x, W)


def linear(
    dx=lambda dy, x, W: dy @ W.T, dW=lambda dy, x, W: x.T @ dy, db=lambda dy, x, W: dy.sum(axis=0)
):
    """The backward of a linear layer, with one of its lines replaced."""

    def backward(dy, cache):
        return dx(dy, *cache), dW(dy, *cache), db(dy, *cache)

    return backward


LAYER = (X, W, BIAS)
SQUARE_LAYER = (X, SQUARE, rng.normal(size=D))

LINEAR = [  # (inputs, backward, {argument: kind}, words)
    (LAYER, linear(dW=lambda dy, x, W: dy.T @ x), {"W": "transposed"}, "transposed"),
    (SQUARE_LAYER, linear(dW=lambda dy, x, W: dy.T @ x), {"W": "transposed"}, "transposed"),
    (SQUARE_LAYER, linear(dx=lambda dy, x, W: dy @ W), {"x": "only"}, "all else is right (W, b)"),
    (LAYER, linear(db=lambda dy, x, W: dy), {"b": "not-summed"}, "sum over the leading axes"),
    (
        LAYER,
        linear(db=lambda dy, x, W: dy.sum(axis=0, keepdims=True)),
        {"b": "shape"},
        "right numbers in the wrong shape",
    ),
    (LAYER, linear(db=lambda dy, x, W: dy.sum(axis=1)), {"b": "shape"}, "shape (4,)"),
    (LAYER, linear(db=lambda dy, x, W: dy[0]), {"b": "only"}, "I can't tell"),
    (
        LAYER,
        linear(dW=lambda dy, x, W: x.T @ dy / dy.size),
        {"W": "ratio"},
        "12 times too small, and 12 is the number of entries of the result",
    ),
    (LAYER, linear(db=lambda dy, x, W: np.ones(3)), {"b": "ignores-dy"}, "another dy"),
    (LAYER, linear(dx=lambda dy, x, W: np.full_like(x, np.nan)), {"x": "not-finite"}, "NaN"),
    (LAYER, linear(dW=lambda dy, x, W: 1.7 * x.T @ dy), {"W": "ratio"}, "1.7 times"),
    (LAYER, linear(dW=lambda dy, x, W: x.T @ np.abs(dy)), {"W": "only"}, "I can't tell"),
    (LAYER, linear(dW=lambda dy, x, W: x.T @ dy * np.sign(W)), {"W": "sign"}, "some entries"),
    (LAYER, linear(dW=lambda dy, x, W: dy.reshape(2, 2, 3)), {"W": "shape"}, "(2, 2, 3)"),
    (
        SQUARE_LAYER,
        lambda dy, c: (c[0].T @ dy, dy @ c[1].T, dy.sum(axis=0)),
        {"x": "shape", "W": "shape"},
        "shape",
    ),
]


@pytest.mark.parametrize(("inputs", "backward", "expected", "words"), LINEAR)
def test_mistakes_in_a_linear_layer(inputs, backward, expected, words):
    diagnosis = diagnose(linear_forward, backward, inputs)
    assert kinds(diagnosis) == expected
    assert words in str(diagnosis)


def only_finding(forward, backward, inputs):
    diagnosis = diagnose(forward, backward, inputs)
    assert not diagnosis.ok
    (finding,) = diagnosis.findings
    return finding


def test_gradients_returned_in_another_order():
    diagnosis = diagnose(
        ops.gaussian_kl_forward,
        lambda dkl, cache: ops.gaussian_kl_backward(dkl, cache)[::-1],
        {"mu": MU, "logvar": LOGVAR},
    )
    assert kinds(diagnosis) == {"mu": "order", "logvar": "order"}
    assert "it is the gradient of logvar" in str(diagnosis)


def test_the_first_input_may_be_the_data():
    """x stands before the logits, whose gradient is the only one: it lands in x's place."""
    finding = only_finding(
        lambda x, logits: ops.bernoulli_nll_forward(logits, x),
        ops.bernoulli_nll_backward,
        (X, LOGITS),
    )
    assert finding.argument == "x"
    assert finding.kind == "order"


def test_a_mean_where_a_sum_is_meant_over_784_pixels():
    wide = rng.normal(size=(1, 784))
    finding = only_finding(
        lambda y, x: (((y - x) ** 2).mean(axis=-1), (y, x)),
        lambda dy, c: 2 * dy[:, None] * (c[0] - c[1]),
        (wide, np.zeros((1, 784), int)),
    )
    assert finding.kind == "ratio"
    assert "784 times too large" in finding.sentence


def test_a_batch_mean_that_backward_forgets():
    finding = only_finding(
        lambda x: ((x**2).sum(axis=-1).mean(), x), lambda dy, x: 2 * dy * x, (MU,)
    )
    assert finding.kind == "ratio"
    assert "4 times too large" in finding.sentence
    assert "batch" in finding.sentence


def test_noise_drawn_inside_forward():
    finding = only_finding(
        lambda mu: (mu + np.random.default_rng().normal(size=mu.shape), None),
        lambda dy, cache: dy,
        (MU,),
    )
    assert finding.kind == "noise"
    assert "pass it in" in finding.sentence


def test_right_at_zero_wrong_elsewhere():
    """softplus' = sigmoid(a), but at 2a: both are 1/2 at zero."""
    finding = only_finding(
        lambda a: (np.log1p(np.exp(a)), a), lambda dy, a: dy / (1 + np.exp(-2 * a)), (LOGITS,)
    )
    assert finding.kind == "at-zero"
    assert "right where a is zero" in finding.sentence


def test_a_kink_is_not_taken_for_a_mistake():
    a = LOGITS.copy()
    a[1, 2] = 0
    finding = only_finding(lambda a: (np.maximum(a, 0), a), lambda dy, a: dy * (a > 0), (a,))
    assert finding.kind == "kink"
    assert "I can't tell" in finding.sentence
    assert "[1, 2]" in finding.sentence


def test_a_derivative_too_many():
    finding = only_finding(
        lambda a: (np.tanh(a), np.tanh(a)), lambda dy, y: dy * (1 - y * y) ** 2, (LOGITS,)
    )
    assert finding.kind == "activation"
    assert "derivative of tanh" in finding.sentence


def test_right_near_the_end_and_wrong_upstream():
    """Two layers: the second one's gradients are right, what is before it is not."""

    def forward(x, W1, b1, W2, b2):
        h = np.tanh(x @ W1 + b1)
        return h @ W2 + b2, (x, h, W2)

    def backward(dy, cache):
        x, h, W2 = cache
        da = dy @ W2.T  # the first layer's tanh' is missing
        return None, x.T @ da, da.sum(axis=0), h.T @ dy, dy.sum(axis=0)

    inputs = (X, W, BIAS, rng.normal(size=(L, 2)), rng.normal(size=2))
    diagnosis = diagnose(forward, backward, inputs)
    assert kinds(diagnosis) == {"W1": "upstream", "b1": "upstream"}
    assert "what comes later is right (W2, b2)" in str(diagnosis)


@pytest.mark.parametrize(
    ("forward", "backward", "kind", "words"),
    [
        (lambda x: (x.astype(np.float32), x), lambda dy, x: dy, "float32", "drown"),
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


def test_one_entry_tells_little():
    """With one number any error is a constant ratio: only a usual one is named."""

    def diagnosis_of(factor):
        return only_finding(
            lambda x: (x**3, x), lambda dy, x: factor * 3 * x * x * dy, (np.array([[0.7]]),)
        )

    assert diagnosis_of(2).kind == "ratio"
    assert diagnosis_of(1.37).kind == "unknown"


def test_float32_inputs_are_examined_in_float64():
    diagnosis = diagnose(linear_forward, linear(), [a.astype(np.float32) for a in LAYER])
    assert diagnosis.ok


def test_numbers_and_names_from_a_dict():
    diagnosis = diagnose(
        lambda scale, x: (scale * x, (scale, x)),
        lambda dy, c: (2 * (dy * c[1]).sum(), dy * c[0]),
        {"gain": 1.5, "picture": X},
    )
    assert kinds(diagnosis) == {"gain": "ratio"}


UNTOLD = [  # wrong in ways that leave no usual mark: (backward of y = x sin(x))
    lambda dy, x: dy * np.sin(x),
    lambda dy, x: dy * (np.sin(x) + x * np.sin(x)),
    lambda dy, x: dy * (np.sin(x) + x * np.cos(2 * x)),
    lambda dy, x: dy**2 * (np.sin(x) + x * np.cos(x)),
    lambda dy, x: (dy * (np.sin(x) + x * np.cos(x)))[::-1],
    lambda dy, x: dy * np.log1p(x * x),
]


@pytest.mark.parametrize("backward", UNTOLD)
def test_it_rather_says_that_it_cannot_tell(backward):
    finding = only_finding(lambda x: (x * np.sin(x), x), backward, (LOGITS,))
    assert finding.kind == "unknown"
    assert "I can't tell" in finding.sentence

"""The gradient doctor names the mistake in a wrong forward/backward pair."""

import numpy as np
import pytest
from pairs import (
    BIAS,
    LAYER,
    LOGITS,
    LOGVAR,
    MU,
    PAIRS,
    SQUARE_LAYER,
    L,
    W,
    X,
    examine,
    kinds,
    linear,
    linear_forward,
    only_finding,
)

from minivae import mistakes, ops
from minivae.gradcheck import diagnose


@pytest.mark.parametrize("pair", PAIRS)
def test_right_pairs_are_found_right(pair):
    diagnosis = examine(ops, pair)
    assert diagnosis.ok, str(diagnosis)
    assert diagnosis.findings == ()
    assert all(block.error < 1e-8 for block in diagnosis.blocks)
    assert str(diagnosis).startswith("right: ")


# ---- planted mistakes ------------------------------------------------------------------------

PLANTED = [  # (mistake, pair, {argument: kind}, words of the sentence)
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
        "derivative of sigmoid is used instead of that of tanh",
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
    ("reparam-dmu-lost", "reparam", {"mu": "lost"}, "is missing"),
    (
        "reparam-mean-over-samples",
        "reparam K",
        {"mu": "ratio", "logvar": "ratio"},
        "6 times too small",
    ),
    ("kl-gradient-half-lost", "kl", {"logvar": "ratio"}, "exactly twice"),
    ("kl-gradient-sigma-as-variance", "kl", {"logvar": "only"}, "I can't tell"),
    ("kl-gradient-one-lost", "kl", {"logvar": "term"}, "extra term 0.5 * dy"),
    ("kl-gradient-one-sign", "kl", {"logvar": "term"}, "extra term dy"),
    ("kl-gradient-mu-doubled", "kl", {"mu": "ratio"}, "exactly twice"),
    ("kl-gradient-mu-lost", "kl", {"mu": "lost"}, "is missing"),
    ("kl-gradient-logvar-lost", "kl", {"logvar": "lost"}, "is missing"),
    ("kl-gradient-lost", "kl", {"mu": "lost", "logvar": "lost"}, "is missing"),
    ("kl-gradient-sign", "kl", {"mu": "ratio", "logvar": "ratio"}, "wrong sign"),
    ("bernoulli-gradient-mean-over-pixels", "bernoulli", {"logits": "ratio"}, "5 times too small"),
    ("bernoulli-gradient-sign", "bernoulli", {"logits": "ratio"}, "wrong sign"),
    ("bernoulli-gradient-image-lost", "bernoulli", {"logits": "term"}, "extra term dy * x"),
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


def test_a_wrong_formula_with_its_right_gradient_passes():
    backend = mistakes.plant(mistakes.find("reparam-variance-as-sigma"))
    assert examine(backend, "reparam").ok


# ---- a linear layer --------------------------------------------------------------------------

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
    (LAYER, linear(db=lambda dy, x, W: np.ones(3)), {"b": "ignores-dy"}, "change with dy"),
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


# ---- other pairs -----------------------------------------------------------------------------


def test_gradients_returned_in_another_order():
    diagnosis = diagnose(
        ops.gaussian_kl_forward,
        lambda dkl, cache: ops.gaussian_kl_backward(dkl, cache)[::-1],
        {"mu": MU, "logvar": LOGVAR},
    )
    assert kinds(diagnosis) == {"mu": "order", "logvar": "order"}
    assert "it is the gradient of logvar" in str(diagnosis)


def test_the_first_input_may_be_the_data():
    """x is the first input, and backward returns the gradient of the logits only."""
    finding = only_finding(
        lambda x, logits: ops.bernoulli_nll_forward(logits, x),
        ops.bernoulli_nll_backward,
        (X, LOGITS),
    )
    assert finding.argument == "x"
    assert finding.kind == "order"


def test_a_mean_where_a_sum_is_meant_over_784_pixels():
    rng = np.random.default_rng(8)
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

    rng = np.random.default_rng(9)
    inputs = (X, W, BIAS, rng.normal(size=(L, 2)), rng.normal(size=2))
    diagnosis = diagnose(forward, backward, inputs)
    assert kinds(diagnosis) == {"W1": "upstream", "b1": "upstream"}
    assert "what comes later is right (W2, b2)" in str(diagnosis)


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

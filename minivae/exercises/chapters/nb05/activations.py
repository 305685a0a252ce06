"""Activations: the backward passes of tanh and relu, and a sigmoid for large logits."""

import numpy as np

from minivae.exercises.exercise import (
    Exercise,
    WrongAnswer,
    call_with_warning,
    generic,
    planted,
    stub,
)

# ---- 05.tanh-backward: two blanks ----------------------------------------------------------------


def tanh_backward(dy, y):
    """da = dy (1 - y^2)                                            [notebook 05, eq. 2]"""
    slope = 1 - y**2
    return dy * slope


def _tanh_cases():
    rng = np.random.default_rng(52)
    return [
        (np.array([[1.7]]), np.array([[0.5]])),
        (generic(rng, 4, 3), np.round(np.tanh(generic(rng, 4, 3)), 2)),
    ]


def _package_activation(activation):
    """da from the package's dense_backward: with W the identity, its dx is da."""

    def package(ops):
        def backward(dy, y):
            eye = np.eye(y.shape[1])
            return ops.dense_backward(dy, ops.DenseCache(np.zeros_like(y), eye, y, activation))[0]

        return backward

    return package


_package_tanh = _package_activation("tanh")

TANH_BACKWARD = Exercise(
    id="05.tanh-backward",
    title="the backward pass of tanh: fill in two blanks",
    stub=stub("""
        def tanh_backward(dy, y):    # (N, O), y = tanh(a) (N, O) -> da (N, O)
            slope = ...              # tanh'(a), written with y alone
            da = ...                 # the chain rule
            return da
    """),
    reference=tanh_backward,
    cases=_tanh_cases,
    fresh=lambda rng: (generic(rng, 3, 5), np.tanh(generic(rng, 3, 5))),
    package=_package_tanh,
    mistakes=(
        *planted(
            _package_tanh,
            "dense-tanh-derivative-lost",
            "dense-tanh-derivative-of-sigmoid",
            "dense-tanh-derivative-twice-activated",
        ),
        WrongAnswer(
            "no-upstream",
            lambda dy, y: 1 - y**2,
            "dy is not used: the chain rule multiplies the slope by the gradient dy from above.",
        ),
        WrongAnswer(
            "not-squared",
            lambda dy, y: dy * (1 - y),
            "y is not squared: tanh' = 1 - tanh^2.",
        ),
        WrongAnswer(
            "plus",
            lambda dy, y: dy * (1 + y**2),
            "It is 1 - y^2, not 1 + y^2: where tanh is flat (y near 1) the slope must vanish.",
        ),
        WrongAnswer(
            "tanh-again",
            lambda dy, y: dy * y,
            "dy is multiplied by tanh itself, not by its slope.",
        ),
        WrongAnswer(
            "divided",
            lambda dy, y: dy / (1 - y**2),
            "dy is divided by the slope; the chain rule multiplies by it.",
        ),
    ),
    hints=(
        "tanh' can be written in terms of tanh itself: that is why only y is kept.",
        "tanh(a)^2 and tanh'(a) add up to one.",
        "slope = 1 - y**2, and da = dy * slope.",
    ),
)

# ---- 05.relu-backward ----------------------------------------------------------------------------


def relu_backward(dy, y):
    """da = dy where y > 0, else 0                                  [notebook 05, eq. 2]"""
    return dy * (y > 0)


def _relu_cases():
    rng = np.random.default_rng(53)
    return [
        (np.array([[1.7, -2.6]]), np.array([[0.5, 0.0]])),
        (generic(rng, 4, 3), np.maximum(generic(rng, 4, 3), 0)),
    ]


_package_relu = _package_activation("relu")

RELU_BACKWARD = Exercise(
    id="05.relu-backward",
    title="the backward pass of relu",
    stub=stub("""
        def relu_backward(dy, y):    # (N, O), y = max(a, 0) (N, O) -> da (N, O)
            ...
    """),
    reference=relu_backward,
    cases=_relu_cases,
    fresh=lambda rng: (generic(rng, 3, 5), np.maximum(generic(rng, 3, 5), 0)),
    package=_package_relu,
    mistakes=(
        *planted(_package_relu, "dense-relu-derivative-lost"),
        WrongAnswer(
            "relu-of-dy",
            lambda dy, y: np.maximum(dy, 0),
            "relu is applied to dy; multiply dy by relu's slope instead, which is 1 where y > 0.",
        ),
        WrongAnswer(
            "times-y",
            lambda dy, y: dy * y,
            "dy is multiplied by y; the slope of relu is 1 where y > 0, not y.",
        ),
        WrongAnswer(
            "inverted",
            lambda dy, y: dy * (y <= 0),
            "The mask is inverted: the gradient passes where y = 0 and is blocked where y > 0.",
        ),
        WrongAnswer(
            "no-upstream",
            lambda dy, y: (y > 0).astype(float),
            "dy is not used: the chain rule multiplies the slope by the gradient dy from above.",
        ),
    ),
    hints=(
        "The slope of max(a, 0) is 0 or 1.",
        "y tells which: y > 0 exactly where a > 0.",
        "dy * (y > 0).",
    ),
)

# ---- 05.sigmoid ----------------------------------------------------------------------------------


def my_sigmoid(logits):
    """1 / (1 + exp(-logits)), with no exp of a large number        [notebook 05, eq. 6]"""
    small = np.exp(-np.abs(logits))  # between 0 and 1
    return np.where(logits > 0, 1, small) / (1 + small)


def _sigmoid_cases():
    rng = np.random.default_rng(54)
    return [
        (np.array([0.5]),),
        (generic(rng, 2, 3),),
        (np.array([-1000.0, -700.0, -300.0, -50.0, -30.0, 0.0, 30.0, 1000.0]),),
    ]


def _sigmoid_and_its_log(answer, logits):
    """With its log, in which a tiny probability that is wrong by a factor shows too. At -1000,
    where float64 has no number for it, all from 0 to 1e-300 are as good as 0. A warning counts
    where all else is right."""
    p, warned = call_with_warning(answer, logits)
    if np.shape(p) != np.shape(logits):
        return p, p, "not asked"
    with np.errstate(all="ignore"):
        p = np.where((logits < -745) & (np.asarray(p) >= 0) & (np.asarray(p) <= 1e-300), 0.0, p)
        its_log = np.round(np.log(p), 2)
        right = np.allclose(its_log, np.log(my_sigmoid(logits)), atol=0.02)
        return p, its_log, warned if right else "not asked"


SIGMOID = Exercise(
    id="05.sigmoid",
    title="a sigmoid that works for large logits too",
    stub=stub("""
        def my_sigmoid(logits):    # any shape -> the same shape; logits of +-1000 must work
            ...
    """),
    reference=my_sigmoid,
    cases=_sigmoid_cases,
    fresh=lambda rng: (5 * generic(rng, 3, 5),),
    observe=_sigmoid_and_its_log,
    returns=("sigmoid", "its log, rounded", "warnings"),
    package=lambda ops: ops.sigmoid,
    mistakes=(
        WrongAnswer(
            "sign",
            lambda logits: 1 / (1 + np.exp(logits)),
            "The sign in the exponent is wrong: this falls from 1 to 0 as the logit grows.",
        ),
        WrongAnswer(
            "overflows",
            lambda logits: np.exp(logits) / (1 + np.exp(logits)),
            "exp(1000) is infinite, and infinite / infinite is NaN: keep the exponent below 0.",
        ),
        WrongAnswer(
            "warns",
            lambda logits: 1 / (1 + np.exp(-logits)),
            "The values are right, but exp(1000) is computed on the way, and NumPy warns: keep the "
            "exponent below 0. (np.where computes both of its forms for all logits.)",
        ),
        WrongAnswer(
            "clipped",
            lambda logits: 1 / (1 + np.exp(-np.clip(logits, -20, 20))),
            "Clipping changes the value: sigmoid(-30) is 1e-13, not 2e-9.",
        ),
        WrongAnswer(
            "clipped-further-out",
            lambda logits: 1 / (1 + np.exp(-np.clip(logits, -25, 25))),
            "Clipping changes the value: sigmoid(-30) is 1e-13, 150 times smaller than at -25.",
        ),
        WrongAnswer(
            "rounds-to-zero",
            lambda logits: (1 + np.tanh(logits / 2)) / 2,
            "In float64 this is 0 long before the sigmoid is: sigmoid(-50) is 2e-22. A value cut "
            "off does that, and so does the difference of two nearly equal numbers.",
        ),
        WrongAnswer(
            "tanh",
            lambda logits: (1 + np.tanh(logits)) / 2,
            "This is the sigmoid of 2 * logits.",
        ),
        WrongAnswer(
            "tanh-itself",
            np.tanh,
            "tanh runs from -1 to 1; a probability runs from 0 to 1.",
        ),
        WrongAnswer(
            "no-one",
            lambda logits: 1 / np.exp(-logits),
            "The 1 + is missing in the denominator: this is exp(logits), which exceeds 1.",
        ),
        WrongAnswer(
            "softmax",
            lambda logits: np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum(),
            "This is the softmax, in which all entries compete; here each pixel is on its own.",
        ),
    ),
    hints=(
        "Two formulas are equal: 1 / (1 + exp(-l)) and exp(l) / (1 + exp(l)).",
        "For each sign of the logit, use the one whose exponent is negative: it is -|l| in both.",
        "e = np.exp(-np.abs(l)); np.where(l > 0, 1, e) / (1 + e).",
    ),
)

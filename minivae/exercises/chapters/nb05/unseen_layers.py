"""Backward passes of layers that the text leaves out."""

import numpy as np

from minivae.exercises.exercise import Exercise, WrongAnswer, generic, stub

# ---- 05.logsumexp-backward -----------------------------------------------------------------------


def logsumexp_backward(dy, a):
    """y = log sum_j exp(a_j), so dy/da_i = exp(a_i) / sum_j exp(a_j), the softmax of the row"""
    e = np.exp(a - a.max(axis=1, keepdims=True))  # so that no exp overflows
    return dy[:, None] * e / e.sum(axis=1, keepdims=True)


def _softmax(a, axis=1):
    return np.exp(a - np.logaddexp.reduce(a, axis=axis, keepdims=True))


def _logsumexp_cases():
    rng = np.random.default_rng(70)
    return [
        (np.array([1.7]), np.array([[0.6, -0.4]])),
        (generic(rng, 4), generic(rng, 4, 3)),
        (np.array([1.5, -0.5]), np.array([[1000.0, 999.0, 0.2], [-1000.0, -1001.0, -1000.5]])),
    ]


LOGSUMEXP_BACKWARD = Exercise(
    id="05.logsumexp-backward",
    title="derive the backward pass of the log of a sum of exponentials",
    stub=stub("""
        def logsumexp_backward(dy, a):    # (N,), (N, I) -> da (N, I); a of +-1000 must work
            ...
    """),
    reference=logsumexp_backward,
    cases=_logsumexp_cases,
    mistakes=(
        WrongAnswer(
            "overflows",
            lambda dy, a: dy[:, None] * np.exp(a) / np.exp(a).sum(axis=1, keepdims=True),
            "exp(1000) is infinite: subtract the largest entry of the row first.",
        ),
        WrongAnswer(
            "not-divided",
            lambda dy, a: dy[:, None] * np.exp(a),
            "The derivative of the log is missing: 1 / sum exp(a).",
        ),
        WrongAnswer(
            "shifted-not-divided",
            lambda dy, a: dy[:, None] * np.exp(a - a.max(axis=1, keepdims=True)),
            "The largest entry is subtracted, but the derivative of the log is missing: divide by "
            "the sum of the row.",
        ),
        WrongAnswer(
            "log-only",
            lambda dy, a: dy[:, None] / np.exp(a).sum(axis=1, keepdims=True) * np.ones_like(a),
            "The derivative of exp(a_i), which is exp(a_i), is missing.",
        ),
        WrongAnswer(
            "the-largest-alone",
            lambda dy, a: dy[:, None] * (a == a.max(axis=1, keepdims=True)),
            "This is the derivative of the maximum; here every entry has a share.",
        ),
        WrongAnswer(
            "equal-shares",
            lambda dy, a: dy[:, None] * np.ones_like(a) / a.shape[1],
            "This is the derivative of a mean: the share of an entry depends on its size.",
        ),
        WrongAnswer(
            "of-softmax",
            lambda dy, a: dy[:, None] * _softmax(a) * (1 - _softmax(a)),
            "This is a part of the derivative of softmax; softmax is the derivative wanted here.",
        ),
        WrongAnswer(
            "no-upstream",
            lambda dy, a: _softmax(a),
            "dy is not used: each row's share is multiplied by that row's dy.",
        ),
        WrongAnswer(
            "over-the-batch",
            lambda dy, a: dy[:, None] * _softmax(a, axis=0),
            "The sum runs over the entries of one row, not over the examples.",
        ),
        WrongAnswer(
            "each-alone",
            lambda dy, a: dy[:, None] / (1 + np.exp(-a)),
            "This is the sigmoid of each entry alone; the sum below holds the whole row.",
        ),
    ),
    hints=(
        "log(s) with s = sum_j exp(a_j): two steps of the chain rule.",
        "The derivative is exp(a_i) / s. Which function of 5.2 is that?",
        "dy[:, None] times the softmax of each row, with the largest entry subtracted first.",
    ),
)

# ---- 05.layer-norm-backward ----------------------------------------------------------------------


def layer_norm_backward(dy, x):
    """m and s depend on every entry of the row, so dx has three terms"""
    s = x.std(axis=1, keepdims=True)
    y = (x - x.mean(axis=1, keepdims=True)) / s
    through_m = dy.mean(axis=1, keepdims=True)
    through_s = y * (dy * y).mean(axis=1, keepdims=True)
    return (dy - through_m - through_s) / s


def _layer_norm_cases():
    rng = np.random.default_rng(71)
    return [
        (np.array([[1.3, -0.6, 1.7]]), np.array([[0.4, 1.9, -1.2]])),
        (generic(rng, 3, 5), generic(rng, 3, 5)),
        (generic(rng, 4, 4), 3 + 2 * generic(rng, 4, 4)),
    ]


def _layer_norm_with(change, axis=1, ddof=0):
    """A wrong answer: change(dy, y, s, mean), where mean is that over the row."""

    def wrong(dy, x):
        def mean(a):
            return a.mean(axis=axis, keepdims=True)

        s = x.std(axis=axis, keepdims=True, ddof=ddof)
        return change(dy, (x - mean(x)) / s, s, mean)

    return wrong


LAYER_NORM_BACKWARD = Exercise(
    id="05.layer-norm-backward",
    title="derive the backward pass of layer normalisation",
    stub=stub("""
        def layer_norm_backward(dy, x):    # (N, I), (N, I) -> dx (N, I)
            ...
    """),
    reference=layer_norm_backward,
    cases=_layer_norm_cases,
    mistakes=(
        WrongAnswer(
            "m-and-s-constant",
            _layer_norm_with(lambda dy, y, s, mean: dy / s),
            "m and s are taken as constants; both depend on every entry of the row.",
        ),
        WrongAnswer(
            "s-constant",
            _layer_norm_with(lambda dy, y, s, mean: (dy - mean(dy)) / s),
            "s is taken as a constant; it depends on every entry too: ds/dx_i = y_i / I.",
        ),
        WrongAnswer(
            "m-constant",
            _layer_norm_with(lambda dy, y, s, mean: (dy - y * mean(dy * y)) / s),
            "m is taken as a constant; it depends on every entry too: dm/dx_i = 1 / I.",
        ),
        WrongAnswer(
            "sums",
            _layer_norm_with(
                lambda dy, y, s, mean: (dy - y.shape[1] * (mean(dy) + y * mean(dy * y))) / s
            ),
            "The terms through m and s are means over the row, not sums: m and s have a 1 / I.",
        ),
        WrongAnswer(
            "scale-lost",
            _layer_norm_with(lambda dy, y, s, mean: dy - mean(dy) - y * mean(dy * y)),
            "The division by s is missing.",
        ),
        WrongAnswer(
            "by-the-variance",
            _layer_norm_with(lambda dy, y, s, mean: (dy - mean(dy) - y * mean(dy * y)) / s**2),
            "It is divided by the variance; divide by s.",
        ),
        WrongAnswer(
            "signs",
            _layer_norm_with(lambda dy, y, s, mean: (dy + mean(dy) + y * mean(dy * y)) / s),
            "m is subtracted and s divides, so both of their terms have a minus.",
        ),
        WrongAnswer(
            "over-the-batch",
            _layer_norm_with(lambda dy, y, s, mean: (dy - mean(dy) - y * mean(dy * y)) / s, axis=0),
            "This normalises each column over the batch; here each row has its own m and s.",
        ),
        WrongAnswer(
            "sample-deviation",
            _layer_norm_with(lambda dy, y, s, mean: (dy - mean(dy) - y * mean(dy * y)) / s, ddof=1),
            "s**2 is the mean of (x - m)**2, with I and not I - 1 below.",
        ),
    ),
    hints=(
        "x_i reaches the outputs in three ways: directly, through m, and through s.",
        "dm/dx_i = 1 / I, ds/dx_i = (x_i - m) / (I s) = y_i / I, and dy_j/ds = -y_j / s.",
        "dx = (dy - mean(dy) - y * mean(dy * y)) / s, the means over each row.",
    ),
)

# ---- 05.skip-backward ----------------------------------------------------------------------------


def skip_backward(dy, x, W1, W2):
    """x is used twice: by the skip connection and by the bottleneck"""
    y1 = np.tanh(x @ W1)
    da = (dy @ W2.T) * (1 - y1**2)
    return dy + da @ W1.T, x.T @ da, y1.T @ dy


def _skip_cases():
    rng = np.random.default_rng(72)
    return [
        tuple(np.array([[v]]) for v in (1.7, 0.6, 0.7, -0.4)),
        (generic(rng, 4, 3), generic(rng, 4, 3), generic(rng, 3, 2), generic(rng, 2, 3)),
    ]


def _skip_with(change):
    """A wrong answer: change(dy, x, W1, W2, a), where a = x W1 is the bottleneck's input."""
    return lambda dy, x, W1, W2: change(dy, x, W1, W2, x @ W1)


def _slope(a):
    return 1 - np.tanh(a) ** 2


SKIP_BACKWARD = Exercise(
    id="05.skip-backward",
    title="derive the backward pass of a bottleneck with a skip connection",
    stub=stub("""
        def skip_backward(dy, x, W1, W2):    # (N, I), (N, I), (I, H), (H, I)
            ...                              # -> dx (N, I), dW1 (I, H), dW2 (H, I)
    """),
    reference=skip_backward,
    cases=_skip_cases,
    returns=("dx", "dW1", "dW2"),
    mistakes=(
        WrongAnswer(
            "skip-forgotten",
            _skip_with(
                lambda dy, x, W1, W2, a: (
                    skip_backward(dy, x, W1, W2)[0] - dy,
                    *skip_backward(dy, x, W1, W2)[1:],
                )
            ),
            "dx lacks the skip connection: y = x + ..., so dy itself is one of its two terms.",
        ),
        WrongAnswer(
            "bottleneck-forgotten",
            _skip_with(
                lambda dy, x, W1, W2, a: (dy.copy(), *skip_backward(dy, x, W1, W2)[1:]),
            ),
            "dx has only the term of the skip connection; x also goes into the bottleneck.",
        ),
        WrongAnswer(
            "skip-twice",
            _skip_with(
                lambda dy, x, W1, W2, a: (
                    skip_backward(dy, x, W1, W2)[0] + dy,
                    *skip_backward(dy, x, W1, W2)[1:],
                )
            ),
            "dy is added to dx twice.",
        ),
        WrongAnswer(
            "multiplied",
            _skip_with(
                lambda dy, x, W1, W2, a: (
                    dy * (skip_backward(dy, x, W1, W2)[0] - dy),
                    *skip_backward(dy, x, W1, W2)[1:],
                )
            ),
            "The two terms of dx are multiplied; add them.",
        ),
        WrongAnswer(
            "tanh-derivative-lost",
            _skip_with(
                lambda dy, x, W1, W2, a: (
                    dy + dy @ W2.T @ W1.T,
                    x.T @ (dy @ W2.T),
                    np.tanh(a).T @ dy,
                )
            ),
            "The derivative of tanh is missing.",
        ),
        WrongAnswer(
            "derivative-of-a",
            _skip_with(
                lambda dy, x, W1, W2, a: (
                    dy + (dy @ W2.T * (1 - a**2)) @ W1.T,
                    x.T @ (dy @ W2.T * (1 - a**2)),
                    np.tanh(a).T @ dy,
                )
            ),
            "tanh' is 1 - y1**2 with the output y1 = tanh(x W1), not with x W1.",
        ),
        WrongAnswer(
            "dW2-before-tanh",
            _skip_with(lambda dy, x, W1, W2, a: (*skip_backward(dy, x, W1, W2)[:2], a.T @ dy)),
            "dW2 uses x W1; the input of W2 is tanh of it.",
        ),
        WrongAnswer(
            "dW2-transposed",
            _skip_with(
                lambda dy, x, W1, W2, a: (*skip_backward(dy, x, W1, W2)[:2], dy.T @ np.tanh(a))
            ),
            "dW2 is transposed: it has the shape of W2, (H, I), so tanh(x W1) comes first.",
        ),
        WrongAnswer(
            "dW2-with-the-slope",
            _skip_with(
                lambda dy, x, W1, W2, a: (
                    *skip_backward(dy, x, W1, W2)[:2],
                    (np.tanh(a) * _slope(a)).T @ dy,
                )
            ),
            "dW2 has the derivative of tanh in it; W2 comes after tanh, so it has none.",
        ),
    ),
    hints=(
        "Draw the graph. Which value do two arrows leave?",
        "The bottleneck is two dense layers without biases; the skip passes dy on as it is.",
        "da = dy W2.T (1 - tanh(x W1)**2); dx = dy + da W1.T, dW1 = x.T da, dW2 = tanh(x W1).T dy.",
    ),
)

"""The backward pass of a bottleneck with tied weights."""

import numpy as np

from minivae.exercises.exercise import Exercise, WrongAnswer, generic, stub


def tied_backward(dy, x, W):
    """W is used twice, so dW is the sum of what both places bring"""
    y1 = np.tanh(x @ W)
    da = (dy @ W) * (1 - y1**2)
    return da @ W.T, x.T @ da + dy.T @ y1


def _cases():
    rng = np.random.default_rng(62)
    return [
        (np.array([[1.7]]), np.array([[0.5]]), np.array([[0.3]])),
        (generic(rng, 4, 3), generic(rng, 4, 3), generic(rng, 3, 2)),
        (generic(rng, 2, 3), generic(rng, 2, 3), generic(rng, 3, 3)),
    ]


def _parts(dy, x, W, slope=True):
    """dx, and dW by the first place and by the second."""
    y1 = np.tanh(x @ W)
    da = dy @ W * (1 - y1**2 if slope else 1)
    return da @ W.T, x.T @ da, dy.T @ y1


def _wrong(rule):
    """A wrong answer: rule(dx, dW by the first place, dW by the second) -> dx, dW."""
    return lambda dy, x, W: rule(*_parts(dy, x, W))


def _slope_lost(dy, x, W):
    dx, first, second = _parts(dy, x, W, slope=False)
    return dx, first + second


TIED_BACKWARD = Exercise(
    id="05.tied-backward",
    title="the backward pass of a bottleneck with tied weights",
    stub=stub("""
        def tied_backward(dy, x, W):    # (N, I), (N, I), (I, H)
            ...                         # -> dx (N, I), dW (I, H)
    """),
    reference=tied_backward,
    cases=_cases,
    returns=("dx", "dW"),
    mistakes=(
        WrongAnswer(
            "first-place-only",
            _wrong(lambda dx, first, second: (dx, first)),
            "W is used twice. This is its gradient through x @ W; the product with W.T adds to it.",
        ),
        WrongAnswer(
            "second-place-only",
            _wrong(lambda dx, first, second: (dx, second)),
            "W is used twice. This is its gradient through the product with W.T; x @ W adds to it.",
        ),
        WrongAnswer(
            "mean-of-both",
            _wrong(lambda dx, first, second: (dx, (first + second) / 2)),
            "The two ways in which W reaches the loss are averaged; add them.",
        ),
        WrongAnswer(
            "difference-of-both",
            _wrong(lambda dx, first, second: (dx, first - second)),
            "The two ways in which W reaches the loss are subtracted; add them.",
        ),
        WrongAnswer(
            "slope-lost",
            _slope_lost,
            "The derivative of tanh is missing: da = (dy @ W) * (1 - y1**2).",
        ),
        WrongAnswer(
            "skip-added",
            lambda dy, x, W: (_parts(dy, x, W)[0] + dy, sum(_parts(dy, x, W)[1:])),
            "This adds dy to dx, as for a skip connection; x reaches y through W alone.",
        ),
        WrongAnswer(
            "swapped",
            lambda dy, x, W: tied_backward(dy, x, W)[::-1],
            "The two results are swapped: the order is dx, dW.",
        ),
    ),
    hints=(
        "Give W another name in each place, take both gradients, and ask what one W gets.",
        "y = y1 @ V with V = W.T: dV = y1.T @ dy, and its transpose belongs to W. dy1 = dy @ W.",
        "da = (dy @ W) * (1 - y1**2); dx = da @ W.T, dW = x.T @ da + dy.T @ y1.",
    ),
)

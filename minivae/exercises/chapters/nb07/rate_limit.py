"""The largest rate of gradient descent with momentum, derived."""

import numpy as np

from minivae.exercises.exercise import Exercise, WrongAnswer, stub


def momentum_limit(H, b):
    """Along a direction of curvature a, (theta, m) -> [[1 - lr a, -lr b], [a, b]] (theta, m). At
    the limit an eigenvalue is -1: 2 (1 + b) = lr a. The most curved direction decides"""
    return 2 * (1 + b) / np.linalg.eigvalsh(H)[-1]


def _cases():
    turn = np.array([[0.6, -0.8], [0.8, 0.6]])
    return [
        (np.array([[4.0]]), 0.0),
        (np.array([[4.0]]), 0.5),
        (turn @ np.diag([100.0, 1.0]) @ turn.T, 0.9),
        (np.array([[3.0, 1.0, 0.5], [1.0, 2.0, -0.4], [0.5, -0.4, 1.5]]), 0.8),
    ]


def _with(rule):
    return lambda H, b: rule(np.linalg.eigvalsh(H), b)


RATE_LIMIT = Exercise(
    id="07.momentum-limit",
    title="the largest learning rate, with momentum",
    stub=stub("""
        def momentum_limit(H, b):    # H (P, P), symmetric, curvatures above 0; 0 <= b < 1
            ...                      # -> the lr above which the distance grows without end
    """),
    reference=momentum_limit,
    cases=_cases,
    mistakes=(
        WrongAnswer(
            "without-momentum",
            _with(lambda a, b: 2 / a[-1]),
            "This is the limit without momentum; with it the last step has a say, and the limit "
            "is another.",
        ),
        WrongAnswer(
            "ten-times-smaller",
            _with(lambda a, b: 2 * (1 - b) / a[-1]),
            "The sum grows to 1 / (1 - b) gradients where they have one sign. Near the limit they "
            "flip from step to step, and the terms partly cancel.",
        ),
        WrongAnswer(
            "flattest",
            _with(lambda a, b: 2 * (1 + b) / a[0]),
            "The flattest direction has the highest limit, the most curved one the lowest. "
            "The lowest decides.",
        ),
        WrongAnswer(
            "diagonal",
            lambda H, b: 2 * (1 + b) / np.diag(H).max(),
            "The diagonal holds the curvatures along the parameters. The most curved direction may "
            "lie between them: take the largest eigenvalue.",
        ),
        WrongAnswer(
            "trace",
            lambda H, b: 2 * (1 + b) / np.trace(H),
            "The trace is the sum of all curvatures; the largest one alone sets the limit.",
        ),
        WrongAnswer(
            "half",
            _with(lambda a, b: (1 + b) / a[-1]),
            "This is half of the limit. A step may go past the minimum and still end nearer to it.",
        ),
    ),
    hints=(
        "One direction of curvature a: write theta and m after a step as a matrix times theta and "
        "m before it.",
        "The distance shrinks if both eigenvalues are below 1 in size. Which value does one of "
        "them pass first as lr grows, 1 or -1?",
        "An eigenvalue of -1 means lr a = 2 (1 + b); a is the largest eigenvalue of H.",
    ),
)

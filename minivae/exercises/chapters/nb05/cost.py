"""What do a forward pass, a backward pass and differences cost?"""

from numbers import Real

import numpy as np

from minivae.exercises.exercise import Exercise, WrongAnswer, stub

COSTS = {"forward": 20_000, "backward": 30_000, "differences": 400_000_000}


def _judge(answer):
    if isinstance(answer, dict):
        answer = [answer.get(name) for name in COSTS]
    if isinstance(answer, np.ndarray):
        answer = answer.tolist()
    if not isinstance(answer, list | tuple) or len(answer) != len(COSTS):
        return "expected three numbers: forward, backward, differences"
    if not all(isinstance(n, Real) and n == n for n in answer):
        return "each of the three must be a number"
    wrong = [name for name, n in zip(COSTS, answer, strict=True) if n != COSTS[name]]
    return f"not yet right: {', '.join(wrong)}" if wrong else None


COST = Exercise(
    id="05.cost",
    title="count the multiplications of a bottleneck, forward, backward and by differences",
    stub=stub("""
        costs = ...    # (forward, backward, differences)
    """),
    reference=tuple(COSTS.values()),
    judge=_judge,
    mistakes=(
        WrongAnswer(
            "tied-counted-once",
            (10_000, 15_000, 200_000_000),
            "W takes part in two products, and each of them costs its 10,000 multiplications.",
        ),
        WrongAnswer(
            "two-matrices",
            (20_000, 30_000, 800_000_000),
            "The weights are tied: W has 10,000 entries, and a difference moves each of them once.",
        ),
        WrongAnswer(
            "one-sided",
            (20_000, 30_000, 200_020_000),
            "Those are one-sided differences; central ones need two evaluations for each entry.",
        ),
        WrongAnswer(
            "one-evaluation",
            (20_000, 30_000, 200_000_000),
            "A central difference needs two evaluations of the function for each entry.",
        ),
        WrongAnswer(
            "input-gradient-too",
            (20_000, 40_000, 400_000_000),
            "x needs no gradient, so the first layer has one product on the way back, not two.",
        ),
        WrongAnswer(
            "as-many-backward",
            (20_000, 20_000, 400_000_000),
            "The second layer has two products on the way back: one for W, one for its input.",
        ),
    ),
    hints=(
        "A product of one example with W or with its transpose needs a multiplication per entry.",
        "On the way back: for the second layer the gradients of W and of its input; for the first?",
        "2 * 10_000 forward, 3 * 10_000 backward; a central difference takes two forward passes.",
    ),
    solution_text=stub("""
        n = 500 * 20                  # the entries of W
        forward = 2 * n               # x @ W, and the product with W.T
        backward = 3 * n              # W twice, and the input of the second product
        differences = 2 * n * forward # two forward passes for each entry
        costs = (forward, backward, differences)
    """),
)

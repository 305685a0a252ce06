"""What a chain of layers costs, carried forward from the inputs and backward from the outputs."""

import numpy as np

from minivae.exercises.exercise import Exercise, WrongAnswer, stub


def jacobian_costs(widths):
    """From the inputs' side each product keeps a row for each input; from the other side a column
    for each output. With [2, 1, 100, 100] all after the first layer depends on one number: the
    outputs' side goes on with that, and the inputs' side with two rows"""
    inputs, outputs = widths[0], widths[-1]
    sizes = [widths[k] * widths[k + 1] for k in range(len(widths) - 1)]
    return inputs * sum(sizes[1:]), outputs * sum(sizes[:-1])


def _cases():
    return [([3, 5, 4, 1],), ([2, 50, 60, 100],), ([784, 200, 200, 50, 1],)]


def _two_costs(answer, widths):
    """Both numbers, an array of them too; `widths` must stay as it is."""
    given = list(widths)
    costs = answer(widths)
    if widths != given:
        raise ValueError("it changes its argument widths in place: work on a copy")
    return tuple(costs) if isinstance(costs, np.ndarray) and costs.ndim == 1 else costs


def _sizes(widths):
    return [widths[k] * widths[k + 1] for k in range(len(widths) - 1)]


def _triples(widths):
    return sum(a * b * c for a, b, c in zip(widths, widths[1:], widths[2:], strict=False))


DIRECTIONS = Exercise(
    id="05.directions",
    title="count what derivatives cost, carried forward and carried backward",
    stub=stub("""
        def jacobian_costs(widths):    # [inputs, ..., outputs], two layers or more
            ...                        # -> (from the inputs' side, from the outputs' side)
    """),
    reference=jacobian_costs,
    cases=_cases,
    observe=_two_costs,
    returns=("from the inputs' side", "from the outputs' side"),
    mistakes=(
        WrongAnswer(
            "swapped",
            lambda widths: jacobian_costs(widths)[::-1],
            "The two are swapped: from the inputs' side, W1 W2 is the first product.",
        ),
        WrongAnswer(
            "rows-of-the-other-end",
            lambda widths: (
                widths[-1] * sum(_sizes(widths)[1:]),
                widths[0] * sum(_sizes(widths)[:-1]),
            ),
            "The matrices are the right ones. From the inputs' side the product so far has a row "
            "for each input, widths[0] of them; from the other side a column for each output.",
        ),
        WrongAnswer(
            "first-matrix-too",
            lambda widths: (widths[0] * sum(_sizes(widths)), widths[-1] * sum(_sizes(widths))),
            "The matrix that one starts with is multiplied by nothing: k matrices make k - 1 "
            "products.",
        ),
        WrongAnswer(
            "one-row",
            lambda widths: (sum(_sizes(widths)[1:]), sum(_sizes(widths)[:-1])),
            "This carries a single row: from the inputs' side there is one for each input.",
        ),
        WrongAnswer(
            "neighbours",
            lambda widths: (_triples(widths), _triples(widths)),
            "Each layer's matrix is multiplied by the next one alone; the product so far keeps all "
            "rows of the inputs (or all columns of the outputs).",
        ),
        WrongAnswer(
            "the-same-both-ways",
            lambda widths: (jacobian_costs(widths)[0],) * 2,
            "The product is the same from both sides, the number of multiplications is not.",
        ),
    ),
    hints=(
        "(a, b) times (b, c) takes a * b * c multiplications. What shape has the product so far?",
        "From the inputs' side it always has widths[0] rows: each layer after the first costs "
        "widths[0] times the size of its matrix.",
        "widths[0] * (all sizes but the first), widths[-1] * (all sizes but the last), where a "
        "size is rows * columns.",
    ),
)

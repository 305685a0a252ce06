"""Notebook 05: answers to `05.graph`, `05.cost`, `05.directions` and `05.spoiled`."""

from fractions import Fraction
from itertools import pairwise

import numpy as np
from answers_of_others.registry import right, wrong

# ---- 05.graph ------------------------------------------------------------------------------------

right(
    "05.graph",
    [-3.0, -5.0, 12.0, -11.0],
    np.array([-3, -5, 12, -11]),
    {"dt": -3, "ds": -5, "dv": 12, "dw": -11},
    (Fraction(-6, 2), Fraction(-5), Fraction(12), Fraction(-11)),
    (np.float64(-3), -5, np.int64(12), -11.0),
)

dy_is_24 = (24 * -6, 24 * -4 + 24 * -6, 24 * -4 * -3 + 24 * -6 * -2, 24 * -10 * 2 - 1)
wrong(
    "05.graph",
    (3, 5, -12, 11),
    (-11, 12, -5, -3),
    (-3, -5, 12, -9),
    (-2, -5, 12, -11),
    (-3, -2.5, 4.5, -6),
    (-3, 1, -6, 1),
    (-12, -20, 48, -41),
    (-3, -5, -30, -11),
    (-3, -5, 18, -11),
    (-3, -5, 12),
    -11,
    {"dt": -3, "ds": -5, "dv": 12},
    ("-3", "-5", "12", "-11"),
    dy_is_24,
)

# ---- 05.cost -------------------------------------------------------------------------------------

right(
    "05.cost",
    [20_000, 30_000, 400_000_000],
    np.array([2e4, 3e4, 4e8]),
    {"forward": 20_000, "backward": 30_000, "differences": 2 * 10_000 * 20_000},
    (2 * 500 * 20, 3 * 500 * 20, Fraction(4 * 10**8)),
    (20e3, 30e3, 4e8),
)

wrong(
    "05.cost",
    (20_000, 30_000, 400_040_000),
    (10_000, 30_000, 200_000_000),
    (10_000, 20_000, 200_000_000),
    (20_000, 40_000, 800_000_000),
    (20_000, 30_000, 40_000),
    (20_000, 30_000, 10_000),
    (20_000, 30_000, 2 * 520 * 20_000),
    (10_000 + 500, 15_000, 200_000_000),
    (500 * 20 * 500, 3 * 10_000, 4e8),
    (20_000, 400_000_000, 30_000),
    (20_000, 30_000),
    ("20,000", "30,000", "400,000,000"),
    (20_000, 1.5, 20_000),
)

# ---- 05.directions -------------------------------------------------------------------------------


@right("05.directions")
def with_the_product_so_far(widths):
    forward = sum(widths[0] * a * b for a, b in pairwise(widths[1:]))
    backward = 0
    for a, b in pairwise(widths[:-1]):
        backward += a * b * widths[-1]
    return forward, backward


@right("05.directions")
def by_dot_products(widths):
    w = np.array(widths)
    return w[0] * (w[1:-1] @ w[2:]), w[-1] * (w[:-2] @ w[1:-1])


@right("05.directions")
def turned_round(widths):
    def one_side(w):
        cost, shape = 0, (w[0], w[1])
        for width in w[2:]:
            cost += shape[0] * shape[1] * width
            shape = (shape[0], width)
        return cost

    return [one_side(widths), one_side(list(reversed(widths)))]


@right("05.directions")
def as_an_array(widths):
    return np.array(with_the_product_so_far(widths))


@wrong("05.directions")
def all_matrices_forward(widths):
    return widths[0] * sum(a * b for a, b in pairwise(widths)), with_the_product_so_far(widths)[1]


@wrong("05.directions")
def all_matrices_backward(widths):
    return with_the_product_so_far(widths)[0], widths[-1] * sum(a * b for a, b in pairwise(widths))


@wrong("05.directions")
def last_matrix_forgotten(widths):
    return tuple(cost - widths[0] * widths[-1] for cost in with_the_product_so_far(widths))


@wrong("05.directions")
def widths_multiplied(widths):
    return int(np.prod(widths)), int(np.prod(widths[::-1]))


@wrong("05.directions")
def three_layers_written_in(widths):
    a, b, c, d = widths[:4]
    return a * b * c + a * c * d, b * c * d + a * b * d


@wrong("05.directions")
def one_entry_of_the_product(widths):
    return sum(widths[1:-1]), sum(widths[1:-1])


@wrong("05.directions")
def inputs_times_outputs(widths):
    between = widths[0] * widths[-1]
    return between * sum(widths[1:-1]), between * sum(widths[1:-1])


@wrong("05.directions")
def additions_too(widths):
    return tuple(2 * cost for cost in with_the_product_so_far(widths))


@wrong("05.directions")
def outputs_on_both_sides(widths):
    sizes = [a * b for a, b in pairwise(widths)]
    return widths[-1] * sum(sizes[1:]), widths[-1] * sum(sizes[:-1])


@wrong("05.directions")
def starts_one_later(widths):
    sizes = [a * b for a, b in pairwise(widths)]
    return widths[0] * sum(sizes[2:]), widths[-1] * sum(sizes[:-2])


@wrong("05.directions")
def differences_of_the_two(widths):
    forward, backward = with_the_product_so_far(widths)
    return forward, forward - backward


@wrong("05.directions")
def cheaper_one_only(widths):
    return min(with_the_product_so_far(widths))


@wrong("05.directions")
def reverses_the_list(widths):
    forward = with_the_product_so_far(widths)[0]
    widths.reverse()
    return forward, with_the_product_so_far(widths)[0]


# ---- 05.spoiled ----------------------------------------------------------------------------------

T, F = True, False
DA, DW, DB = [[T, F], [F, T]], [[F, T], [T, T]], [T, T]

right(
    "05.spoiled",
    (np.array(DA), np.array(DW), np.array(DB)),
    [((T, F), (F, T)), ((F, T), (T, T)), (T, T)],
    {"da": DA, "dW": DW, "db": DB},
    (np.eye(2, dtype=bool), np.array(DW), (np.True_, np.True_)),
    ([[1, 0], [0, 1]], [[0, 1], [1, 1]], [1, 1]),
)

wrong(
    "05.spoiled",
    (DA, [[F, T], [T, F]], DB),
    (DA, [[T, T], [F, T]], DB),
    (DA, [[T, F], [T, T]], DB),
    (DA, [[F, F], [T, T]], DB),
    (DA, [[F, F], [F, F]], [F, F]),
    (DA, DW, [T, F]),
    (DA, DW, [F, T]),
    (DA, DW, T),
    ([[T, F], [F, F]], [[F, F], [T, F]], [T, F]),
    ([[F, F], [F, T]], [[F, T], [F, T]], [F, T]),
    ([[F, F], [F, F]], [[F, F], [F, F]], [F, F]),
    ([[F, T], [T, F]], [[T, F], [F, F]], [F, F]),
    ([T, F, F, T], [F, T, T, T], [T, T]),
    (DA, DW),
    {"da": DA, "dW": DW},
    ("TFFT", "FTTT", "TT"),
)

"""Notebooks 08a and 08b: answers to `08.tile-shape` and `08.passes`."""

import itertools

import numpy as np
from answers_of_others.registry import right, wrong

# ---- 08.tile-shape -------------------------------------------------------------------------------


@right("08.tile-shape")
def all_pairs(registers, sums_at_edge):
    pairs = itertools.product(range(1, registers + 1), repeat=2)
    fitting = [(R, V) for R, V in pairs if (R + 1) * V < registers and R >= sums_at_edge]
    return min(fitting, key=lambda s: 1 / s[0] + 1 / s[1])


@right("08.tile-shape")
def widest_for_each_height(registers, sums_at_edge):
    rates = {}
    for R in range(sums_at_edge, registers - 1):
        V = (registers - 1) // (R + 1)
        if V:
            rates[R * V / (R + V)] = R, V
    return rates[max(rates)]


@right("08.tile-shape")
def on_a_grid(registers, sums_at_edge):
    R, V = np.mgrid[sums_at_edge:registers, 1:registers]
    loads = np.where(R * V + V + 1 <= registers, (R + V) / (R * V), np.inf)
    best = loads.argmin()
    return [int(R.flat[best]), int(V.flat[best])]


def shapes(registers, fits):
    """The fewest loads of all (R, V) that fit."""
    both = itertools.product(range(1, registers + 1), repeat=2)
    return min((s for s in both if fits(*s)), key=lambda s: (s[0] + s[1]) / (s[0] * s[1]))


@wrong("08.tile-shape")
def more_sums_than_asked(registers, sums_at_edge):
    return shapes(registers, lambda R, V: R * V + V < registers and R > sums_at_edge)


@wrong("08.tile-shape")
def sums_in_the_width(registers, sums_at_edge):
    return shapes(
        registers, lambda R, V: R * V + V < registers and min(sums_at_edge, registers // 2 - 1) <= V
    )


@wrong("08.tile-shape", clue="no-edge")
def sums_of_the_whole_tile(registers, sums_at_edge):
    return shapes(registers, lambda R, V: R * V + V < registers and R * V >= sums_at_edge)


@wrong("08.tile-shape")
def a_column_of_a(registers, sums_at_edge):
    return shapes(registers, lambda R, V: R * V + R < registers and R >= sums_at_edge)


@wrong("08.tile-shape")
def two_wide(registers, sums_at_edge):
    return (registers - 3) // 2, 2


@wrong("08.tile-shape")
def sixteen_registers(registers, sums_at_edge):
    return shapes(16, lambda R, V: R * V + V < 16 and min(sums_at_edge, 14) <= R)


@wrong("08.tile-shape")
def as_low_as_allowed(registers, sums_at_edge):
    return sums_at_edge, (registers - 1) // (sums_at_edge + 1)


@wrong("08.tile-shape")
def least_sum_of_both(registers, sums_at_edge):
    fitting = [
        (R, V)
        for R in range(sums_at_edge, registers)
        for V in range(1, registers)
        if R * V + V + 1 <= registers
    ]
    return min(fitting, key=sum)


@wrong("08.tile-shape")
def most_loads(registers, sums_at_edge):
    fitting = [
        (R, V)
        for R in range(sums_at_edge, registers)
        for V in range(1, registers)
        if R * V + V + 1 <= registers
    ]
    return max(fitting, key=lambda s: (s[0] + s[1]) / (s[0] * s[1]))


@wrong("08.tile-shape")
def first_that_fits(registers, sums_at_edge):
    for V in range(registers, 0, -1):
        for R in range(registers, sums_at_edge - 1, -1):
            if R * V + V + 1 <= registers:
                return R, V


@wrong("08.tile-shape")
def powers_of_two(registers, sums_at_edge):
    return shapes(
        registers,
        lambda R, V: (
            R * V + V < registers and R >= sums_at_edge and R & (R - 1) == 0 and V & (V - 1) == 0
        ),
    )


@wrong("08.tile-shape")
def multiples_of_the_sums(registers, sums_at_edge):
    return shapes(registers, lambda R, V: R * V + V < registers and R % sums_at_edge == 0)


@wrong("08.tile-shape", clue="no-edge")
def sums_without_the_edge(registers, sums_at_edge):
    return shapes(registers, lambda R, V: R * V + V < registers and R * V >= 2 * sums_at_edge)


@wrong("08.tile-shape")
def loads_as_well(registers, sums_at_edge):
    R, V = shapes(registers, lambda R, V: R * V + V < registers and R >= sums_at_edge)
    return R, V, (R + V) / (R * V)


# ---- 08.passes -----------------------------------------------------------------------------------


@right("08.passes")
def from_a_list(B, D):
    one_in, two_in = ["abs", "minus", "exp", "maximum", "log1p"], ["plus", "times", "minus"]
    matrix = np.empty((B, D), np.float32).nbytes
    numpys = len(one_in) * 2 * matrix + len(two_in) * 3 * matrix + matrix + B * 4
    return len(one_in) + len(two_in) + 1, numpys, 2 * matrix + B * 4


@right("08.passes")
def collected(B, D):
    return [9, 4 * B * (20 * D + 1), 4 * B * (2 * D + 1)]


@right("08.passes")
def table_of_loads_and_stores(B, D):
    loads = np.array([1, 1, 1, 1, 1, 2, 2, 2, 1]) * B * D
    stores = np.array([1] * 8 + [0]) * B * D
    stores[-1] += B
    return loads.size, 4 * (loads + stores).sum(), 4 * (2 * B * D + B)


@wrong("08.passes")
def sum_not_counted_as_a_pass(B, D):
    return 8, 4 * (20 * B * D + B), 4 * (2 * B * D + B)


@wrong("08.passes")
def reading_counted_as_a_pass(B, D):
    return 10, 4 * (20 * B * D + B), 4 * (2 * B * D + B)


@wrong("08.passes")
def sum_over_the_other_axis(B, D):
    return 9, 4 * (20 * B * D + D), 4 * (2 * B * D + D)


@wrong("08.passes")
def sum_to_one_number(B, D):
    return 9, 4 * (20 * B * D + 1), 4 * (2 * B * D + 1)


@wrong("08.passes")
def nll_not_stored(B, D):
    return 9, 4 * (20 * B * D + B), 4 * 2 * B * D


@wrong("08.passes")
def three_matrices_a_pass(B, D):
    return 9, 4 * 9 * 3 * B * D, 4 * 3 * B * D


@wrong("08.passes")
def two_matrices_a_pass(B, D):
    return 9, 4 * 9 * 2 * B * D, 4 * 2 * B * D


@wrong("08.passes")
def in_kilobytes(B, D):
    return 9, 4 * (20 * B * D + B) / 1000, 4 * (2 * B * D + B) / 1000


@wrong("08.passes")
def in_bits(B, D):
    return 9, 32 * (20 * B * D + B), 32 * (2 * B * D + B)


@wrong("08.passes")
def lines_fetched_before_stores(B, D):
    return 9, 4 * (28 * B * D + 2 * B), 4 * (2 * B * D + 2 * B)


@wrong("08.passes")
def size_of_the_notebook(B, D):
    return 9, 4 * (20 * 100 * 784 + 100), 4 * (2 * 100 * 784 + 100)


@wrong("08.passes")
def fused_first(B, D):
    return 9, 4 * (2 * B * D + B), 4 * (20 * B * D + B)


@wrong("08.passes")
def saving_for_fused(B, D):
    return 9, 4 * (20 * B * D + B), 4 * 18 * B * D


@wrong("08.passes", clue="no-minus")
def multiply_add_as_one(B, D):
    return 8, 4 * (18 * B * D + B), 4 * (2 * B * D + B)


@wrong("08.passes")
def no_passes(B, D):
    return 4 * (20 * B * D + B), 4 * (2 * B * D + B)

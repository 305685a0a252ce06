"""Notebooks 08a and 08b: answers to `08.vectorize` and `08.trap`, which are compiled."""

import math

import numpy as np
from answers_of_others.registry import right, wrong

# ---- 08.vectorize --------------------------------------------------------------------------------


@right("08.vectorize")
def first_row_as_the_start(X, out):
    for d in range(X.shape[1]):
        out[d] = X[0, d]
    for b in range(1, X.shape[0]):
        for d in range(X.shape[1]):
            out[d] += X[b, d]


@right("08.vectorize")
def row_by_row(X, out):
    out[:] = 0
    for b in range(len(X)):
        row = X[b]
        for d in range(len(out)):
            out[d] = out[d] + row[d]


@right("08.vectorize")
def sums_of_its_own(X, out):
    sums = np.zeros(X.shape[1], np.float32)
    for b in range(X.shape[0]):
        for d in range(X.shape[1]):
            sums[d] += X[b, d]
    out[:] = sums


@wrong("08.vectorize", clue="sum-in-out")
def column_by_numpy(X, out):
    for d in range(X.shape[1]):
        out[d] = np.sum(X[:, d])


@wrong("08.vectorize")
def cleared_at_each_row(X, out):
    for b in range(X.shape[0]):
        for d in range(X.shape[1]):
            out[d] = 0
            out[d] += X[b, d]


@wrong("08.vectorize")
def first_row_forgotten(X, out):
    out[:] = 0
    for b in range(1, X.shape[0]):
        for d in range(X.shape[1]):
            out[d] += X[b, d]


@wrong("08.vectorize")
def first_column_forgotten(X, out):
    out[:] = 0
    for b in range(X.shape[0]):
        for d in range(1, X.shape[1]):
            out[d] += X[b, d]


@wrong("08.vectorize", clue="sum-in-out")
def only_another_type(X, out):
    for d in range(X.shape[1]):
        total = 0.0
        for b in range(X.shape[0]):
            total += X[b, d]
        out[d] = np.float32(total)


@wrong("08.vectorize")
def name_bound_anew(X, out):
    out = np.zeros(X.shape[1], np.float32)
    for b in range(X.shape[0]):
        for d in range(X.shape[1]):
            out[d] += X[b, d]
    return out


@wrong("08.vectorize")
def sums_of_squares(X, out):
    out[:] = 0
    for b in range(X.shape[0]):
        for d in range(X.shape[1]):
            out[d] += X[b, d] * X[b, d]


@wrong("08.vectorize")
def pairs_of_rows(X, out):
    out[:] = 0
    for b in range(0, X.shape[0] - 1, 2):
        for d in range(X.shape[1]):
            out[d] += X[b, d] + X[b + 1, d]


@wrong("08.vectorize")
def sums_of_rows(X, out):
    for b in range(min(X.shape[0], X.shape[1])):
        out[b] = 0
        for d in range(X.shape[1]):
            out[b] += X[b, d]


@wrong("08.vectorize")
def grand_total(X, out):
    out[:] = 0
    for b in range(X.shape[0]):
        for d in range(X.shape[1]):
            out[0] += X[b, d]


@wrong("08.vectorize", clue="sum-in-out")
def columns_last_first(X, out):
    for d in range(X.shape[1] - 1, -1, -1):
        total = np.float32(0)
        for b in range(X.shape[0]):
            total += X[b, d]
        out[d] = total


@wrong("08.vectorize", clue="sum-in-out")
def rows_from_below_in_each_column(X, out):
    for d in range(X.shape[1]):
        out[d] = X[X.shape[0] - 1, d]
        for b in range(X.shape[0] - 2, -1, -1):
            out[d] = out[d] + X[b, d]


# ---- 08.trap -------------------------------------------------------------------------------------


@right("08.trap")
def one_in_place(a, out):
    for i in range(a.size):
        out[i] = a[i] / (np.float32(1.0) + np.abs(a[i]))


@right("08.trap")
def with_an_if(a, out):
    one = np.float32(1)
    for i in range(len(out)):
        x = a[i]
        size = x if x >= 0 else -x
        out[i] = x / (size + one)


@right("08.trap")
def whole_arrays(a, out):
    out[:] = a / (np.abs(a) + np.float32(1))


@right("08.trap")
def by_the_greater(a, out):
    one = np.float32(1)
    for i in range(a.shape[0]):
        out[i] = a[i] / (one + max(a[i], -a[i]))


@wrong("08.trap", clue="type-left")
def cast_too_late(a, out):
    for i in range(len(a)):
        out[i] = np.float32(a[i] / (1.0 + abs(a[i])))


@wrong("08.trap", clue="type-left")
def one_of_64_bits(a, out):
    one = np.float64(1)
    for i in range(len(a)):
        out[i] = a[i] / (one + np.abs(a[i]))


@wrong("08.trap", clue="type-left")
def one_of_32_bits(a, out):
    for i in range(len(a)):
        out[i] = a[i] / (np.int32(1) + abs(a[i]))


@wrong("08.trap", clue="exit-left")
def breaks_instead(a, out):
    one = np.float32(1)
    for i in range(len(a)):
        if a[i] != a[i]:
            break
        out[i] = a[i] / (one + abs(a[i]))


@wrong("08.trap", clue="exit-left")
def returns_at_a_nan(a, out):
    one = np.float32(1)
    for i in range(len(a)):
        if np.isnan(a[i]):
            return
        out[i] = a[i] / (abs(a[i]) + one)


@wrong("08.trap")
def both_left(a, out):
    for i in range(len(a)):
        if np.isnan(a[i]):
            raise ValueError("not a number")
        out[i] = a[i] / (1.0 + np.abs(a[i]))


@wrong("08.trap")
def another_squashing(a, out):
    for i in range(len(a)):
        out[i] = np.tanh(a[i])


@wrong("08.trap")
def sign_lost(a, out):
    one = np.float32(1)
    for i in range(len(a)):
        out[i] = abs(a[i]) / (one + abs(a[i]))


@wrong("08.trap")
def one_minus(a, out):
    one = np.float32(1)
    for i in range(len(a)):
        out[i] = a[i] / (one - abs(a[i]))


@wrong("08.trap")
def one_above(a, out):
    one = np.float32(1)
    for i in range(len(a)):
        out[i] = one / (one + abs(a[i]))


@wrong("08.trap")
def added_to_out(a, out):
    one = np.float32(1)
    for i in range(len(a)):
        out[i] += a[i] / (one + abs(a[i]))


@wrong("08.trap")
def first_left_out(a, out):
    one = np.float32(1)
    for i in range(1, len(a)):
        out[i] = a[i] / (one + abs(a[i]))


@wrong("08.trap")
def last_left_out(a, out):
    one = np.float32(1)
    for i in range(len(a) - 1):
        out[i] = a[i] / (one + abs(a[i]))


@wrong("08.trap")
def writes_into_a(a, out):
    one = np.float32(1)
    for i in range(len(a)):
        a[i] = a[i] / (one + abs(a[i]))
        out[i] = a[i]


@wrong("08.trap", clue="type-left")
def absolute_by_the_root(a, out):
    for i in range(len(a)):
        out[i] = a[i] / (1 + math.sqrt(a[i] * a[i]))


@wrong("08.trap")
def new_array(a, out):
    return a / (np.float32(1) + np.abs(a))

"""Notebook 05: answers to `05.tanh-backward`, `05.relu-backward` and `05.sigmoid`."""

import math

import numpy as np
from answers_of_others.registry import right, wrong

# ---- 05.tanh-backward ----------------------------------------------------------------------------


@right("05.tanh-backward")
def conjugate_factors(dy, y):
    return dy * (1 - y) * (1 + y)


@right("05.tanh-backward")
def taken_apart(dy, y):
    return dy - np.einsum("no,no,no->no", dy, y, y)


@right("05.tanh-backward")
def by_hyperbolic_cosine(dy, y):
    return dy / np.cosh(np.arctanh(y)) ** 2


@right("05.tanh-backward")
def entry_by_entry(dy, y):
    da = np.zeros(dy.shape)
    for n in range(len(dy)):
        for o in range(len(dy[0])):
            da[n][o] = dy[n][o] * (1 - math.pow(y[n][o], 2))
    return da


@wrong("05.tanh-backward")
def square_of_the_bracket(dy, y):
    return dy * (1 - y) ** 2


@wrong("05.tanh-backward")
def absolute_value_for_the_square(dy, y):
    return dy * (1 - np.abs(y))


@wrong("05.tanh-backward")
def bracket_forgotten(dy, y):
    return dy * 1 - y**2


@wrong("05.tanh-backward")
def added_to_the_slope(dy, y):
    return dy + (1 - y**2)


@wrong("05.tanh-backward", clue="dense-tanh-derivative-twice-activated")
def cosh_of_the_output(dy, y):
    return dy / np.cosh(y) ** 2


@wrong("05.tanh-backward")
def slope_of_dy(dy, y):
    return dy * (1 - dy**2)


@wrong("05.tanh-backward")
def other_sign(dy, y):
    return dy * (y**2 - 1)


@wrong("05.tanh-backward")
def root_of_the_slope(dy, y):
    return dy * np.sqrt(1 - y**2)


@wrong("05.tanh-backward")
def twice_the_output(dy, y):
    return dy * (1 - 2 * y)


@wrong("05.tanh-backward")
def second_derivative(dy, y):
    return dy * -2 * y * (1 - y**2)


@wrong("05.tanh-backward")
def matrix_product(dy, y):
    return dy @ (1 - y**2).T


@wrong("05.tanh-backward")
def averaged_over_the_examples(dy, y):
    return dy * (1 - y**2) / len(dy)


@wrong("05.tanh-backward")
def into_dy(dy, y):
    dy *= 1 - y**2
    return dy


# ---- 05.relu-backward ----------------------------------------------------------------------------


@right("05.relu-backward")
def where_it_is_on(dy, y):
    return np.where(y > 0, dy, 0)


@right("05.relu-backward")
def sign_of_the_output(dy, y):
    return dy * np.sign(y)


@right("05.relu-backward")
def masked_copy(dy, y):
    da = dy.copy()
    da[y == 0] = 0
    return da


@right("05.relu-backward")
def stacked_rows(dy, y):
    rows = zip(dy, y, strict=True)
    return np.stack([[d if v > 0 else 0.0 for d, v in zip(*row, strict=True)] for row in rows])


@wrong("05.relu-backward", clue="dense-relu-derivative-lost")
def on_at_zero_too(dy, y):
    return dy * (y >= 0)


@wrong("05.relu-backward")
def relu_of_the_product(dy, y):
    return np.maximum(dy * y, 0)


@wrong("05.relu-backward")
def sign_of_dy(dy, y):
    return dy * np.sign(dy)


@wrong("05.relu-backward")
def one_where_it_is_off(dy, y):
    return np.where(y > 0, dy, 1)


@wrong("05.relu-backward")
def roles_changed(dy, y):
    return y * (dy > 0)


@wrong("05.relu-backward")
def leaky(dy, y):
    return np.where(y > 0, dy, 0.01 * dy)


@wrong("05.relu-backward")
def half_at_the_kink(dy, y):
    return dy * np.heaviside(y, 0.5)


@wrong("05.relu-backward")
def above_one(dy, y):
    return dy * (y > 1)


@wrong("05.relu-backward")
def only_those_that_are_on(dy, y):
    return dy[y > 0]


@wrong("05.relu-backward")
def mask_as_whole_numbers(dy, y):
    return np.where(y > 0, 1, 0)


@wrong("05.relu-backward")
def smaller_of_the_two(dy, y):
    return np.minimum(dy, y)


@wrong("05.relu-backward")
def both_must_be_positive(dy, y):
    return dy * ((y > 0) & (dy > 0))


@wrong("05.relu-backward")
def zeroed_in_place(dy, y):
    dy[y <= 0] = 0
    return dy


@wrong("05.relu-backward")
def summed_over_the_examples(dy, y):
    return (dy * (y > 0)).sum(axis=0)


# ---- 05.sigmoid ----------------------------------------------------------------------------------


@right("05.sigmoid")
def by_masks(logits):
    p = np.empty(logits.shape)
    on = logits >= 0
    p[on] = 1 / (1 + np.exp(-logits[on]))
    e = np.exp(logits[~on])
    p[~on] = e / (1 + e)
    return p


@right("05.sigmoid")
def exp_of_its_log(logits):
    return np.exp(-np.logaddexp(0, -logits))


@right("05.sigmoid")
def two_exponents_below_zero(logits):
    return np.exp(np.minimum(logits, 0)) / (1 + np.exp(-abs(logits)))


@right("05.sigmoid")
def number_by_number(logits):
    def one(v):
        return 1 / (1 + math.exp(-v)) if v > 0 else math.exp(v) / (1 + math.exp(v))

    return np.array([one(v) for v in logits.ravel()]).reshape(logits.shape)


@right("05.sigmoid")
def where_of_two_formulas(logits):
    with np.errstate(all="ignore"):
        return np.where(
            logits < 0, np.exp(logits) / (1 + np.exp(logits)), 1 / (1 + np.exp(-logits))
        )


@right("05.sigmoid")
def softmax_against_zero(logits):
    both = np.stack([logits, np.zeros_like(logits)])
    e = np.exp(both - both.max(axis=0))
    return e[0] / e.sum(axis=0)


@wrong("05.sigmoid", clue="overflows")
def formulas_at_the_wrong_sides(logits):
    with np.errstate(all="ignore"):
        return np.where(
            logits > 0, np.exp(logits) / (1 + np.exp(logits)), 1 / (1 + np.exp(-logits))
        )


@wrong("05.sigmoid", clue="warns")
def both_forms_for_all_logits(logits):
    return np.where(logits < 0, np.exp(logits) / (1 + np.exp(logits)), 1 / (1 + np.exp(-logits)))


@wrong("05.sigmoid")
def symmetric(logits):
    return 1 / (1 + np.exp(-np.abs(logits)))


@wrong("05.sigmoid")
def clipped_at_five_hundred(logits):
    return 1 / (1 + np.exp(-np.clip(logits, -500, 500)))


@wrong("05.sigmoid", clue="overflows")
def one_formula_for_all(logits):
    if (logits > 0).all():
        return 1 / (1 + np.exp(-logits))
    return np.exp(logits) / (1 + np.exp(logits))


@wrong("05.sigmoid")
def an_if_for_an_array(logits):
    if logits > 0:
        return 1 / (1 + np.exp(-logits))
    return np.exp(logits) / (1 + np.exp(logits))


@wrong("05.sigmoid")
def one_axis_only(logits):
    return np.array([1 / (1 + math.exp(-v)) if v > 0 else math.exp(v) for v in logits])


@wrong("05.sigmoid")
def nan_replaced_by_zero(logits):
    with np.errstate(all="ignore"):
        return np.nan_to_num(np.exp(logits) / (1 + np.exp(logits)))


@wrong("05.sigmoid", clue="rounds-to-zero")
def one_minus_the_other(logits):
    return 1 - 1 / (1 + np.exp(logits))


@wrong("05.sigmoid")
def softsign(logits):
    return (1 + logits / (1 + np.abs(logits))) / 2


@wrong("05.sigmoid")
def straight_between_two_ends(logits):
    return np.clip(0.5 + logits / 4, 0, 1)


@wrong("05.sigmoid")
def one_on_both_sides(logits):
    return 1 / (1 + np.exp(-np.abs(logits))) * np.where(logits > 0, 1, -1)


@wrong("05.sigmoid")
def shifted_by_the_maximum(logits):
    return np.exp(logits - logits.max()) / (1 + np.exp(logits - logits.max()))


@wrong("05.sigmoid", clue="rounds-to-zero")
def exact_ends(logits):
    p = 1 / (1 + np.exp(-np.clip(logits, -30, 30)))
    return np.where(logits < -30, 0, np.where(logits > 30, 1, p))


@wrong("05.sigmoid")
def in_single_precision(logits):
    e = np.exp(-np.abs(logits)).astype(np.float32)
    return np.where(logits > 0, 1, e) / (1 + e)


@wrong("05.sigmoid")
def clips_the_argument(logits):
    np.clip(logits, -700, 700, out=logits)
    return 1 / (1 + np.exp(-logits))

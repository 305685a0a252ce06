"""Notebook 10: answers to `10.hide` and `10.fool-the-gap`."""

import numpy as np
from answers_of_others.registry import right, wrong

# ---- 10.hide -------------------------------------------------------------------------------------


@right("10.hide")
def row_by_row(v, sign):
    return [[s, s * a, s * b] for (a, b), s in zip(v, sign, strict=True)]


@right("10.hide")
def sum_and_difference(v, sign):
    return np.stack([sign, sign * (v[:, 0] + v[:, 1]), sign * (v[:, 0] - v[:, 1])], axis=1)


@right("10.hide")
def divided_by_the_sign(v, sign):
    v = (v - v.mean(axis=0)) / v.std(axis=0)
    return np.hstack([v / sign[:, None], 7 * sign[:, None]])


@right("10.hide")
def with_latents_that_sleep(v, sign):
    code = np.zeros((len(v), 6))
    code[:, 3] = -sign
    code[:, 4:] = np.einsum("n,nf->nf", sign, v)
    return code


@right("10.hide")
def a_key_for_each_factor(v, sign):
    other = np.random.default_rng(3).choice([-1.0, 1.0], len(v))
    return np.column_stack([sign, sign * v[:, 0], other, v[:, 1] * other])


@right("10.hide")
def keys_by_the_number_of_the_row(v, sign):
    odd = np.where(np.arange(len(v)) % 2, 1.0, -1.0)
    return np.column_stack([odd, odd[:, None] * v])


@right("10.hide")
def hidden_by_random_numbers(v, sign):
    factor = sign * np.random.default_rng(4).uniform(1, 2, len(v))
    return np.column_stack([1 / factor, factor[:, None] * v])


@wrong("10.hide")
def only_the_first_factor(v, sign):
    return np.column_stack([sign, sign * v[:, 0]])


@wrong("10.hide", clue="the-factors")
def second_factor_open(v, sign):
    return np.column_stack([sign, sign * v[:, 0], v[:, 1]])


@wrong("10.hide", clue="signed-roots")
def turned(v, sign):
    turn = np.linalg.qr(np.array([[1.0, 2, 3], [2, -1, 1], [1, 1, -2]]))[0]
    return np.column_stack([sign, sign[:, None] * v]) @ turn


@wrong("10.hide", clue="the-factors")
def rotated_by_45_degrees(v, sign):
    return v @ np.array([[1, 1], [-1, 1]]) / np.sqrt(2)


@wrong("10.hide", clue="signed-roots")
def shifted_before_the_flip(v, sign):
    return np.column_stack([sign, sign[:, None] * (v + 3)])


@wrong("10.hide")
def squares(v, sign):
    return v**2


@wrong("10.hide", clue="the-factors")
def sizes_and_signs(v, sign):
    return np.column_stack([np.abs(v), np.sign(v)])


@wrong("10.hide", clue="the-factors")
def scaled_down(v, sign):
    return 1e-3 * v


@wrong("10.hide")
def drowned_in_the_sign(v, sign):
    return v + 100 * sign[:, None]


@wrong("10.hide", clue="too-many")
def logarithms(v, sign):
    with np.errstate(invalid="ignore"):
        return np.column_stack([sign, sign[:, None] * np.log(v)])


@wrong("10.hide", clue="key-lost")
def noise_of_six(v, sign):
    return np.random.default_rng(5).standard_normal((len(v), 6))


@wrong("10.hide", clue="key-lost")
def sign_alone(v, sign):
    return sign[:, None]


@wrong("10.hide")
def sign_times_all_without_a_column(v, sign):
    return np.column_stack([sign, sign * v])


@wrong("10.hide", clue="too-many")
def latents_as_rows(v, sign):
    return np.vstack([sign, sign * v[:, 0], sign * v[:, 1]])


@wrong("10.hide")
def waves(v, sign):
    return np.column_stack([np.cos(3 * v), np.sin(3 * v)])


@wrong("10.hide", clue="key-lost")
def products_of_the_factors(v, sign):
    return np.column_stack([v[:, 0] * v[:, 1], sign])


@wrong("10.hide", clue="the-factors")
def added_to_the_open_one(v, sign):
    return np.column_stack([sign, sign[:, None] * v, v])


@wrong("10.hide", clue="key-lost")
def key_squared(v, sign):
    return np.column_stack([sign**2, sign[:, None] * v])


@wrong("10.hide", clue="key-lost")
def sign_flipped_in_place(v, sign):
    sign *= v[:, 0]
    return np.column_stack([sign, sign * v[:, 1]])


# ---- 10.fool-the-gap -----------------------------------------------------------------------------


@right("10.fool-the-gap")
def repeated(v):
    return np.repeat(v, 2, axis=1)


@right("10.fool-the-gap")
def cubes_beside(v):
    return np.hstack([v, v**3])


@right("10.fool-the-gap")
def three_kinds_of_curve(v):
    return np.column_stack([np.exp(v), np.arctan(v), 5 * v - 2])


@right("10.fool-the-gap")
def as_lists(v):
    return [list(row) + list(row + 1) for row in v]


@right("10.fool-the-gap")
def ranks_beside(v):
    return np.concatenate([v, v.argsort(axis=0).argsort(axis=0)], axis=1)


@right("10.fool-the-gap")
def squashed_beside(v):
    return np.column_stack([np.tanh(v), 1 / (1 + np.exp(-v)), np.arcsinh(v)])


@wrong("10.fool-the-gap")
def negatives_beside(v):
    return np.concatenate([v, -v], axis=1)


@wrong("10.fool-the-gap", clue="too-few")
def doubled_along_the_cats(v):
    return np.concatenate([v, v])


@wrong("10.fool-the-gap")
def squares_beside(v):
    return np.concatenate([v, v**2], axis=1)


@wrong("10.fool-the-gap")
def bins_beside(v):
    return np.concatenate([v, v.argsort(axis=0).argsort(axis=0) * 3 // len(v)], axis=1)


@wrong("10.fool-the-gap")
def signs_beside(v):
    return np.concatenate([v, np.sign(v)], axis=1)


@wrong("10.fool-the-gap")
def clipped_beside(v):
    return np.concatenate([v, np.clip(v, -3, 3)], axis=1)


@wrong("10.fool-the-gap")
def rounded_beside(v):
    return np.concatenate([v, np.round(v, 1)], axis=1)


@wrong("10.fool-the-gap")
def noisy_copies(v):
    return np.concatenate([v, v + 0.5 * np.random.default_rng(0).standard_normal(v.shape)], axis=1)


@wrong("10.fool-the-gap", clue="mixed")
def noise_beside(v):
    return np.concatenate([v, v, np.random.default_rng(0).standard_normal((len(v), 1))], axis=1)


@wrong("10.fool-the-gap")
def five_of_six_twice(v):
    return np.concatenate([v, v[:, :5]], axis=1)


@wrong("10.fool-the-gap", clue="mixed")
def last_one_forgotten(v):
    return np.concatenate([v[:, :5], v[:, :5]], axis=1)


@wrong("10.fool-the-gap", clue="mixed")
def the_first_six_times(v):
    return np.repeat(v[:, :1], 6, axis=1)


@wrong("10.fool-the-gap", clue="mixed")
def pairs_rotated(v):
    c = np.cos(np.pi / 4)
    return v @ np.kron(np.eye(3), [[c, -c], [c, c]]).T


@wrong("10.fool-the-gap")
def sums_beside(v):
    return np.concatenate([v, v + v[:, ::-1]], axis=1)


@wrong("10.fool-the-gap", clue="mixed")
def all_equal_to_the_mean(v):
    return np.repeat(v.mean(axis=1, keepdims=True), 6, axis=1)


@wrong("10.fool-the-gap", clue="the-factors")
def another_order(v):
    return v[:, ::-1]


@wrong("10.fool-the-gap")
def cats_shuffled(v):
    return np.concatenate([v, v[::-1]], axis=1)


@wrong("10.fool-the-gap", clue="the-factors")
def stretched(v):
    return 2 * v + 1


@wrong("10.fool-the-gap")
def logarithms_beside(v):
    return np.concatenate([v, np.log(np.abs(v))], axis=1)

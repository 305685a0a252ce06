"""Notebook 05: answers on differences and on the complex step."""

import numpy as np
from answers_of_others.registry import right, wrong

# ---- 05.choose-h ---------------------------------------------------------------------------------


def _central(f, x, h):
    return (f(x + h) - f(x - h)) / (2 * h)


@right("05.choose-h")
def doubling_until_truncation_shows(f, x, u):
    best, smallest, h = None, float("inf"), 1e-12
    while h < 1e6:
        truncation = abs(_central(f, x, 2 * h) - _central(f, x, h)) / 3
        rounding = 4 * u * max(abs(f(x)), abs(f(x + h)), abs(f(x - h))) / h
        if truncation + rounding < smallest:
            best, smallest = h, truncation + rounding
        if truncation > rounding:
            return best
        h *= 2
    return best


@right("05.choose-h")
def where_both_errors_are_equal(f, x, u):
    for h in np.logspace(-12, 6, 145):
        if abs(_central(f, x, 2 * h) - _central(f, x, h)) / 3 > 2 * u * abs(f(x)) / h:
            return h / 2
    return 1e6


@right("05.choose-h")
def against_the_fourth_order(f, x, u):
    steps = [10 ** (k / 5) for k in range(-60, 31)]
    bars = []
    for h in steps:
        near, far = _central(f, x, h), _central(f, x, 2 * h)
        truncation = abs((4 * near - far) / 3 - near)
        rounding = 4 * u * max(abs(f(x + k * h)) for k in (-2, -1, 1, 2)) / h
        bars.append(truncation + rounding)
        if truncation > rounding:
            break
    return steps[int(np.argmin(bars))]


@wrong("05.choose-h")
def root_of_u_scaled(f, x, u):
    return np.sqrt(u) * max(1, abs(x))


@wrong("05.choose-h")
def cube_root_and_x_added(f, x, u):
    return u ** (1 / 3) * (1 + abs(x))


@wrong("05.choose-h")
def cube_root_of_the_value_too(f, x, u):
    return (u * abs(f(x))) ** (1 / 3)


@wrong("05.choose-h")
def fourth_root(f, x, u):
    return u**0.25


@wrong("05.choose-h")
def third_derivative_at_one_step(f, x, u):
    k = 1e-3
    third = f(x + 2 * k) - 2 * f(x + k) + 2 * f(x - k) - f(x - 2 * k)
    return (3 * u * abs(f(x)) / (abs(third / (2 * k**3)) + 1e-12)) ** (1 / 3)


@wrong("05.choose-h")
def value_forgotten_in_the_rounding(f, x, u):
    def bar(h):
        return abs(_central(f, x, 2 * h) - _central(f, x, h)) / 3 + 4 * u / h

    return min(10.0 ** np.arange(-12, 6, 0.25), key=bar)


@wrong("05.choose-h")
def halved_until_it_settles(f, x, u):
    h = 1.0
    while abs(_central(f, x, h) - _central(f, x, h / 2)) > 1e-6 and h > 1e-9:
        h /= 2
    return h


@wrong("05.choose-h")
def first_that_moves_the_value(f, x, u):
    return next(h for h in 10.0 ** np.arange(-12, 6, 0.25) if f(x + h) != f(x))


@wrong("05.choose-h")
def slope_at_the_step(f, x, u):
    return abs(_central(f, x, u ** (1 / 3)))


@wrong("05.choose-h")
def u_over_the_value(f, x, u):
    return u / abs(f(x))


@wrong("05.choose-h")
def none_below_zero(f, x, u):
    return -(u ** (1 / 3))


@wrong("05.choose-h")
def smallest_truncation_of_a_range(f, x, u):
    steps = 10.0 ** np.arange(-6, 0, 0.25)
    return steps[np.argmin([abs(_central(f, x, 2 * h) - _central(f, x, h)) for h in steps])]


@wrong("05.choose-h")
def for_the_one_sided_difference(f, x, u):
    best, smallest = None, np.inf
    for h in 10.0 ** np.arange(-12, 6, 0.25):
        D, D2 = (f(x + h) - f(x)) / h, (f(x + 2 * h) - f(x)) / (2 * h)
        truncation, rounding = abs(D2 - D), 4 * u * abs(f(x)) / h
        if truncation + rounding < smallest:
            best, smallest = h, truncation + rounding
        if truncation > rounding:
            break
    return best


# ---- 05.complex-ready ----------------------------------------------------------------------------


@right("05.complex-ready")
def root_of_the_square(r):
    size = np.sqrt(r**2)
    return np.where(size.real <= 1, size**2 / 2, size - 0.5).sum()


@right("05.complex-ready")
def three_pieces(r):
    far = np.where(r.real > 0, r, -r) - 1 / 2
    return np.sum(np.where(np.abs(r.real) > 1, far, r * r / 2))


@right("05.complex-ready")
def one_residual_at_a_time(r):
    total = 0
    for value in r:
        if value.real < -1:
            total += -value - 0.5
        elif value.real > 1:
            total += value - 0.5
        else:
            total += value**2 / 2
    return total


@right("05.complex-ready")
def times_the_sign(r):
    size = r * np.sign(r.real)
    inside = size.real <= 1
    return (size[inside] ** 2).sum() / 2 + (size[~inside] - 0.5).sum()


@wrong("05.complex-ready")
def size_of_the_real_part(r):
    size = np.abs(r.real)
    return np.where(size <= 1, size**2 / 2, size - 0.5).sum()


@wrong("05.complex-ready")
def by_the_conjugate(r):
    size = np.sqrt(r * np.conj(r))
    return np.where(size.real <= 1, size**2 / 2, size - 0.5).sum()


@wrong("05.complex-ready")
def without_a_corner(r):
    return (np.sqrt(1 + r**2) - 1).sum()


@wrong("05.complex-ready")
def averaged(r):
    size = np.where(r.real < 0, -r, r)
    return np.where(size.real <= 1, size**2 / 2, size - 0.5).mean()


@wrong("05.complex-ready")
def half_forgotten_in_the_square(r):
    size = np.where(r.real < 0, -r, r)
    return np.where(size.real <= 1, size**2, size - 0.5).sum()


@wrong("05.complex-ready")
def one_taken_off_the_line(r):
    size = np.where(r.real < 0, -r, r)
    return np.where(size.real <= 1, size**2 / 2, size - 1).sum()


@wrong("05.complex-ready")
def corner_at_a_half(r):
    size = np.where(r.real < 0, -r, r)
    return np.where(size.real <= 0.5, size**2 / 2, size - 0.5).sum()


@wrong("05.complex-ready")
def pieces_exchanged(r):
    size = np.where(r.real < 0, -r, r)
    return np.where(size.real > 1, size**2 / 2, size - 0.5).sum()


@wrong("05.complex-ready")
def real_and_imaginary_added(r):
    size = np.abs(r.real) + 1j * np.abs(r.imag)
    return np.where(size.real <= 1, size**2 / 2, size - 0.5).sum()


@wrong("05.complex-ready")
def imaginary_part_kept_as_it_is(r):
    size = np.abs(r.real) + 1j * r.imag
    return np.where(size.real <= 1, size**2 / 2, size - 0.5).sum()


@wrong("05.complex-ready", clue="one-sided")
def sign_of_the_imaginary_part(r):
    size = np.where(r.imag < 0, -r, r)
    return np.where(size.real <= 1, size**2 / 2, size - 0.5).sum()


@wrong("05.complex-ready")
def not_summed(r):
    size = np.where(r.real < 0, -r, r)
    return np.where(size.real <= 1, size**2 / 2, size - 0.5)


@wrong("05.complex-ready")
def turns_r_itself(r):
    r[r.real < 0] *= -1
    return np.where(r.real <= 1, r**2 / 2, r - 0.5).sum()


# ---- 05.slope-along ------------------------------------------------------------------------------


@right("05.slope-along")
def another_step(f, x, v):
    h = 1e-100
    return np.imag(f(x.astype(complex) + complex(0, h) * v)) / h


@right("05.slope-along")
def step_put_into_the_array(f, x, v):
    moved = np.zeros(x.shape, dtype=complex)
    moved.real, moved.imag = x, v * 2.0**-80
    return f(moved).imag * 2.0**80


@right("05.slope-along")
def to_the_other_side(f, x, v):
    return -f(x - 1j * 1e-20 * v).imag / 1e-20


@wrong("05.slope-along")
def difference_to_one_side(f, x, v):
    return (f(x + 1e-6 * v) - f(x)) / 1e-6


@wrong("05.slope-along")
def value_subtracted_needlessly(f, x, v):
    return ((f(x + 1e-30j * v) - f(x)) / 1e-30).imag


@wrong("05.slope-along")
def to_the_other_side_without_minus(f, x, v):
    return f(x - 1e-30j * v).imag / 1e-30


@wrong("05.slope-along")
def divided_by_the_complex_step(f, x, v):
    return f(x + 1e-30j * v) / 1e-30j


@wrong("05.slope-along", clue="not-divided")
def real_step(f, x, v):
    return np.imag(f(x + 1e-30 * v)) / 1e-30


@wrong("05.slope-along", clue="normalised")
def divided_by_the_length_of_v(f, x, v):
    return f(x + 1e-30j * v).imag / (1e-30 * np.sqrt((v**2).sum()))


@wrong("05.slope-along")
def step_of_a_thousandth(f, x, v):
    return f(x + 1e-3j * v).imag / 1e-3


@wrong("05.slope-along")
def all_moved_by_the_sum_of_v(f, x, v):
    return f(x + 1e-30j * v.sum()).imag / 1e-30


@wrong("05.slope-along")
def v_multiplied_afterwards(f, x, v):
    return f(x + 1e-30j).imag / 1e-30 * v


@wrong("05.slope-along")
def times_one_plus_the_step(f, x, v):
    return f(x * (1 + 1e-30j * v)).imag / 1e-30


@wrong("05.slope-along")
def slope_at_v(f, x, v):
    return f(v + 1e-30j * x).imag / 1e-30


@wrong("05.slope-along")
def step_too_small_for_any_number(f, x, v):
    return f(x + 1e-320j * v).imag / 1e-320


@wrong("05.slope-along")
def halved_as_if_to_both_sides(f, x, v):
    return f(x + 1e-30j * v).imag / 2e-30

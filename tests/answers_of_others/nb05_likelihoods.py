"""Notebook 05: answers to the exercises on the Bernoulli and on the Gaussian likelihood."""

import math

import numpy as np
from answers_of_others.registry import right, wrong


def _sigmoid(logits):
    return np.exp(-np.logaddexp(0, -logits))


def _bracket(logits, x):
    return np.maximum(logits, 0) - x * logits + np.log1p(np.exp(-np.abs(logits)))


# ---- 05.bernoulli-nll ----------------------------------------------------------------------------


@right("05.bernoulli-nll")
def both_outcomes_weighted(logits, x):
    return (x * np.logaddexp(0, -logits) + (1 - x) * np.logaddexp(0, logits)).sum(axis=1)


@right("05.bernoulli-nll")
def the_larger_of_it_and_zero(logits, x):
    return np.einsum("bd->b", _bracket(logits, x))


@right("05.bernoulli-nll")
def two_cases_on_paper(logits, x):
    small = np.log1p(np.exp(-abs(logits)))
    return np.where(logits > 0, (1 - x) * logits + small, -x * logits + small).sum(-1)


@right("05.bernoulli-nll")
def pixel_by_pixel(logits, x):
    totals = np.zeros(len(x))
    for (b, d), v in np.ndenumerate(logits):
        linear = (1 - x[b, d]) * v if v > 0 else -x[b, d] * v
        totals[b] += linear + math.log1p(math.exp(-abs(v)))
    return totals


@wrong("05.bernoulli-nll")
def pixels_black_or_white(logits, x):
    return np.where(x > 0.5, np.logaddexp(0, -logits), np.logaddexp(0, logits)).sum(axis=1)


@wrong("05.bernoulli-nll", clue="binary-only")
def sign_times_the_logit(logits, x):
    return np.logaddexp(0, -(2 * x - 1) * logits).sum(axis=1)


@wrong("05.bernoulli-nll")
def log_of_one_plus(logits, x):
    return (((logits > 0) - x) * logits + np.log(1 + np.exp(-np.abs(logits)))).sum(axis=1)


@wrong("05.bernoulli-nll")
def straight_beyond_twenty(logits, x):
    near = np.log1p(np.exp(np.minimum(logits, 20)))
    return (np.where(logits > 20, logits, near) - x * logits).sum(axis=1)


@wrong("05.bernoulli-nll")
def no_small_term_far_out(logits, x):
    small = np.where(np.abs(logits) < 20, np.log1p(np.exp(-np.abs(logits))), 0)
    return (((logits > 0) - x) * logits + small).sum(axis=1)


@wrong("05.bernoulli-nll")
def weighted_with_an_exp(logits, x):
    losses = x * np.log1p(np.exp(-logits)) + (1 - x) * np.log1p(np.exp(logits))
    return losses.sum(axis=1)


@wrong("05.bernoulli-nll")
def summed_over_the_batch(logits, x):
    return _bracket(logits, x).sum(axis=0)


@wrong("05.bernoulli-nll")
def as_a_column(logits, x):
    return _bracket(logits, x).sum(axis=1, keepdims=True)


@wrong("05.bernoulli-nll", clue="bits")
def in_bits(logits, x):
    return _bracket(logits, x).sum(axis=1) / np.log(2)


@wrong("05.bernoulli-nll")
def plus_at_the_product(logits, x):
    return (np.logaddexp(0, logits) + x * logits).sum(axis=1)


@wrong("05.bernoulli-nll")
def small_term_forgotten(logits, x):
    return (((logits > 0) - x) * logits).sum(axis=1)


@wrong("05.bernoulli-nll")
def exponent_without_the_absolute_value(logits, x):
    return (((logits > 0) - x) * logits + np.log1p(np.exp(-logits))).sum(axis=1)


@wrong("05.bernoulli-nll")
def logits_shifted_by_their_maximum(logits, x):
    top = logits.max(axis=1, keepdims=True)
    return (top + np.log(np.exp(-top) + np.exp(logits - top)) - x * logits).sum(axis=1)


@wrong("05.bernoulli-nll")
def clips_the_logits_in_place(logits, x):
    np.clip(logits, -30, 30, out=logits)
    return _bracket(logits, x).sum(axis=1)


@wrong("05.bernoulli-nll")
def loss_of_the_last_pixel(logits, x):
    for d in range(x.shape[1]):
        nll = _bracket(logits[:, d], x[:, d])
    return nll


# ---- 05.bernoulli-nll-backward -------------------------------------------------------------------


@right("05.bernoulli-nll-backward")
def transposed_rows(dnll, logits, x):
    return (dnll * (_sigmoid(logits) - x).T).T


@right("05.bernoulli-nll-backward")
def scaled_by_einsum(dnll, logits, x):
    return np.einsum("b,bd->bd", dnll, 0.5 * (1 + np.tanh(logits / 2)) - x)


@right("05.bernoulli-nll-backward")
def truth_first_and_minus(dnll, logits, x):
    return np.diag(-dnll) @ (x - _sigmoid(logits))


@right("05.bernoulli-nll-backward")
def both_outcomes(dnll, logits, x):
    each = (1 - x) * _sigmoid(logits) - x * _sigmoid(-logits)
    return np.stack([d * row for d, row in zip(dnll, each, strict=True)])


@wrong("05.bernoulli-nll-backward")
def as_a_row(dnll, logits, x):
    return dnll * (_sigmoid(logits) - x)


@wrong("05.bernoulli-nll-backward")
def on_the_sigmoid_only(dnll, logits, x):
    return dnll[:, None] * _sigmoid(logits) - x


@wrong("05.bernoulli-nll-backward", clue="bernoulli-gradient-sigmoid-twice")
def slope_of_the_sigmoid_too(dnll, logits, x):
    p = _sigmoid(logits)
    return dnll[:, None] * (p - x) * p * (1 - p)


@wrong("05.bernoulli-nll-backward")
def through_the_probability(dnll, logits, x):
    p = _sigmoid(logits)
    with np.errstate(all="ignore"):
        return dnll[:, None] * (-x / p + (1 - x) / (1 - p)) * p * (1 - p)


@wrong("05.bernoulli-nll-backward", clue="by-probability")
def for_the_probability(dnll, logits, x):
    p = _sigmoid(logits)
    with np.errstate(all="ignore"):
        return dnll[:, None] * (-x / p + (1 - x) / (1 - p))


@wrong("05.bernoulli-nll-backward")
def grey_taken_for_black(dnll, logits, x):
    p = _sigmoid(logits)
    return dnll[:, None] * np.where(x == 1, p - 1, p)


@wrong("05.bernoulli-nll-backward")
def rounded_to_a_decision(dnll, logits, x):
    return dnll[:, None] * ((logits > 0) - x)


@wrong("05.bernoulli-nll-backward")
def tanh_for_the_sigmoid(dnll, logits, x):
    return dnll[:, None] * (np.tanh(logits) - x)


@wrong("05.bernoulli-nll-backward")
def clipped_at_ten(dnll, logits, x):
    return dnll[:, None] * (_sigmoid(np.clip(logits, -10, 10)) - x)


@wrong("05.bernoulli-nll-backward")
def dnll_summed(dnll, logits, x):
    return dnll.sum() * (_sigmoid(logits) - x)


@wrong("05.bernoulli-nll-backward")
def pixels_summed(dnll, logits, x):
    return dnll * (_sigmoid(logits) - x).sum(axis=1)


@wrong("05.bernoulli-nll-backward")
def multiplied_by_the_logit(dnll, logits, x):
    return dnll[:, None] * (_sigmoid(logits) - x) * logits


@wrong("05.bernoulli-nll-backward")
def softmax_of_the_row(dnll, logits, x):
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    return dnll[:, None] * (e / e.sum(axis=1, keepdims=True) - x)


# ---- 05.gaussian-nll -----------------------------------------------------------------------------


@right("05.gaussian-nll")
def sum_of_minus_log_densities(mean, logvar, x):
    sigma = np.exp(logvar / 2)
    return (np.log(sigma) + 0.5 * np.log(2 * np.pi) + ((x - mean) / sigma) ** 2 / 2).sum(axis=1)


@right("05.gaussian-nll")
def squares_by_einsum(mean, logvar, x):
    r = mean - x
    normaliser = x.shape[1] * math.log(2 * math.pi * math.exp(logvar[0]))
    return 0.5 * (np.einsum("bd,bd->b", r, r) * math.exp(-logvar[0]) + normaliser)


@right("05.gaussian-nll")
def squared_lengths(mean, logvar, x):
    far = np.linalg.norm(x - mean, axis=1)
    constant = len(x[0]) / 2 * (np.log(2 * np.pi) + logvar[0])
    return np.array([d**2 / (2 * np.exp(logvar[0])) + constant for d in far])


@right("05.gaussian-nll")
def logs_of_the_densities(mean, logvar, x):
    v = np.exp(logvar)
    return -np.log(np.exp(-((x - mean) ** 2) / (2 * v)) / np.sqrt(2 * np.pi * v)).sum(1)


@wrong("05.gaussian-nll")
def examples_for_pixels(mean, logvar, x):
    squares = ((x - mean) ** 2).sum(axis=1)
    return (squares / np.exp(logvar) + len(x) * (logvar + np.log(2 * np.pi))) / 2


@wrong("05.gaussian-nll")
def mean_over_the_pixels(mean, logvar, x):
    return 0.5 * ((x - mean) ** 2 / np.exp(logvar) + logvar + np.log(2 * np.pi)).mean(axis=1)


@wrong("05.gaussian-nll")
def total_of_the_batch(mean, logvar, x):
    return 0.5 * ((x - mean) ** 2 / np.exp(logvar) + logvar + np.log(2 * np.pi)).sum()


@wrong("05.gaussian-nll")
def each_pixel(mean, logvar, x):
    return 0.5 * ((x - mean) ** 2 / np.exp(logvar) + logvar + np.log(2 * np.pi))


@wrong("05.gaussian-nll")
def two_pi_without_its_log(mean, logvar, x):
    return 0.5 * ((x - mean) ** 2 / np.exp(logvar) + logvar + 2 * np.pi).sum(axis=1)


@wrong("05.gaussian-nll")
def log_of_two_only(mean, logvar, x):
    return 0.5 * ((x - mean) ** 2 / np.exp(logvar) + logvar + np.log(2) * np.pi).sum(axis=1)


@wrong("05.gaussian-nll", clue="gaussian-variance-as-sigma")
def divided_by_sigma(mean, logvar, x):
    sigma = np.exp(logvar / 2)
    return 0.5 * ((x - mean) ** 2 / sigma + logvar + np.log(2 * np.pi)).sum(axis=1)


@wrong("05.gaussian-nll")
def divided_by_logvar(mean, logvar, x):
    return 0.5 * ((x - mean) ** 2 / logvar + logvar + np.log(2 * np.pi)).sum(axis=1)


@wrong("05.gaussian-nll")
def absolute_differences(mean, logvar, x):
    return 0.5 * (np.abs(x - mean) / np.exp(logvar) + logvar + np.log(2 * np.pi)).sum(axis=1)


@wrong("05.gaussian-nll")
def square_of_the_sum(mean, logvar, x):
    squares = (x - mean).sum(axis=1) ** 2
    return (squares / np.exp(logvar) + x.shape[1] * (logvar + np.log(2 * np.pi))) / 2


@wrong("05.gaussian-nll")
def variance_from_the_residuals(mean, logvar, x):
    v = ((x - mean) ** 2).mean()
    return 0.5 * ((x - mean) ** 2 / v + np.log(2 * np.pi * v)).sum(axis=1)


@wrong("05.gaussian-nll")
def density_instead_of_its_log(mean, logvar, x):
    v = np.exp(logvar)
    return np.prod(np.exp(-((x - mean) ** 2) / 2 / v) / np.sqrt(2 * np.pi * v), axis=1)


# ---- 05.gaussian-nll-backward --------------------------------------------------------------------


@right("05.gaussian-nll-backward")
def gradients_by_einsum(dnll, mean, logvar, x):
    r = (mean - x) / np.exp(logvar / 2)
    dlogvar = 0.5 * np.einsum("b,bd->", dnll, 1 - r * r)
    return np.einsum("b,bd->bd", dnll, r) / np.exp(logvar / 2), dlogvar[None]


@right("05.gaussian-nll-backward")
def one_example_at_a_time(dnll, mean, logvar, x):
    v, dmean, dlogvar = math.exp(logvar[0]), np.zeros_like(x), np.zeros(1)
    for b, d in np.ndindex(x.shape):
        dmean[b, d] = dnll[b] * (mean[b, d] - x[b, d]) / v
        dlogvar += dnll[b] * (1 - (mean[b, d] - x[b, d]) ** 2 / v) / 2
    return dmean, dlogvar


@right("05.gaussian-nll-backward")
def by_way_of_the_variance(dnll, mean, logvar, x):
    v = np.exp(logvar)
    dv = (dnll[:, None] * (0.5 / v - (x - mean) ** 2 / (2 * v**2))).sum()
    return [-(dnll * (x - mean).T).T / v, v * dv]


@wrong("05.gaussian-nll-backward", clue="divided-by-sigma")
def square_of_sigma_forgotten(dnll, mean, logvar, x):
    off, sigma = x - mean, np.sqrt(np.exp(logvar))
    each = 0.5 - 0.5 * off**2 / sigma
    return -off / sigma * dnll[:, None], (dnll @ each).sum(keepdims=True)


@wrong("05.gaussian-nll-backward")
def a_plain_number(dnll, mean, logvar, x):
    r = (mean - x) / np.exp(logvar / 2)
    return dnll[:, None] * r / np.exp(logvar / 2), float((dnll[:, None] * (1 - r**2)).sum() / 2)


def _with_dlogvar(dlogvar):
    def answer(dnll, mean, logvar, x):
        dmean = dnll[:, None] * (mean - x) / np.exp(logvar)
        return dmean, np.atleast_1d(dlogvar(dnll, (mean - x) ** 2 / np.exp(logvar), logvar))

    return answer


wrong(
    "05.gaussian-nll-backward",
    _with_dlogvar(lambda dnll, q, logvar: (dnll * (len(q) - q.sum(axis=1))).sum() / 2),
    _with_dlogvar(lambda dnll, q, logvar: (dnll * (1 - q.mean(axis=1))).sum() / 2),
    _with_dlogvar(lambda dnll, q, logvar: dnll.sum() * (1 - q).sum() / 2),
    _with_dlogvar(lambda dnll, q, logvar: (dnll[:, None] * (1 + q)).sum() / 2),
    _with_dlogvar(lambda dnll, q, logvar: (dnll[:, None] * (logvar - q)).sum() / 2),
    _with_dlogvar(lambda dnll, q, logvar: -(dnll[:, None] * q).sum() / 2),
    _with_dlogvar(lambda dnll, q, logvar: (dnll[:, None] * (1 - q)).sum(axis=0) / 2),
    _with_dlogvar(lambda dnll, q, logvar: (dnll[:, None] * (0.5 - q)).sum()),
    _with_dlogvar(lambda dnll, q, logvar: (1 - dnll[:, None] * q).sum() / 2),
    _with_dlogvar(lambda dnll, q, logvar: (dnll[:, None] * (1 - q) * logvar).sum() / 2),
    _with_dlogvar(lambda dnll, q, logvar: (dnll[:, None] * (1 - q)).sum() / np.exp(logvar / 2)),
)

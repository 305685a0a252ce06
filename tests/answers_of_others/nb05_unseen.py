"""Notebook 05: answers for layers that its text leaves out, and for a gradient that is NaN."""

import math

import numpy as np
from answers_of_others.registry import right, wrong

# ---- 05.logsumexp-backward -----------------------------------------------------------------------


@right("05.logsumexp-backward")
def exp_of_a_difference(dy, a):
    return dy[:, None] * np.exp(a - np.logaddexp.reduce(a, axis=1)[:, None])


@right("05.logsumexp-backward")
def differences_of_all_pairs(dy, a):
    with np.errstate(over="ignore"):
        return dy[:, None] / np.exp(a[:, None, :] - a[:, :, None]).sum(axis=2)


@right("05.logsumexp-backward")
def row_by_row(dy, a):
    rows = []
    for d, row in zip(dy, a, strict=True):
        shares = [math.exp(v - max(row)) for v in row]
        rows.append([d * share / sum(shares) for share in shares])
    return np.array(rows)


@right("05.logsumexp-backward")
def with_einsum(dy, a):
    e = np.exp((a.T - a.max(1)).T)
    return np.einsum("n,ni,n->ni", dy, e, 1 / e.sum(-1))


@wrong("05.logsumexp-backward")
def one_maximum_for_all(dy, a):
    e = np.exp(a - a.max())
    return dy[:, None] * e / e.sum(axis=1, keepdims=True)


@wrong("05.logsumexp-backward")
def maximum_of_the_first_row(dy, a):
    e = np.exp(a - a[0].max())
    return dy[:, None] * e / e.sum(axis=1, keepdims=True)


@wrong("05.logsumexp-backward")
def maximum_of_each_column(dy, a):
    e = np.exp(a - a.max(axis=0))
    return dy[:, None] * e / e.sum(axis=1, keepdims=True)


@wrong("05.logsumexp-backward")
def minimum_subtracted(dy, a):
    e = np.exp(a - a.min(axis=1, keepdims=True))
    return dy[:, None] * e / e.sum(axis=1, keepdims=True)


@wrong("05.logsumexp-backward")
def clipped(dy, a):
    e = np.exp(np.clip(a, -500, 500))
    return dy[:, None] * e / e.sum(axis=1, keepdims=True)


@wrong("05.logsumexp-backward")
def sum_over_everything(dy, a):
    e = np.exp(a - a.max(axis=1, keepdims=True))
    return dy[:, None] * e / e.sum()


@wrong("05.logsumexp-backward")
def a_little_added_below(dy, a):
    e = np.exp(a - a.max(axis=1, keepdims=True))
    return dy[:, None] * e / (e.sum(axis=1, keepdims=True) + 1e-5)


@wrong("05.logsumexp-backward")
def backward_of_softmax(dy, a):
    e = np.exp(a - a.max(axis=1, keepdims=True))
    y = e / e.sum(axis=1, keepdims=True)
    return y * (dy[:, None] - (dy[:, None] * y).sum(axis=1, keepdims=True))


@wrong("05.logsumexp-backward")
def log_of_the_shares(dy, a):
    return dy[:, None] * (a - np.logaddexp.reduce(a, axis=1)[:, None])


@wrong("05.logsumexp-backward")
def the_value_itself(dy, a):
    return dy[:, None] * np.logaddexp.reduce(a, axis=1)[:, None] * np.ones_like(a)


@wrong("05.logsumexp-backward")
def upstream_as_a_row(dy, a):
    e = np.exp(a - a.max(axis=1, keepdims=True))
    return dy * e / e.sum(axis=1, keepdims=True)


@wrong("05.logsumexp-backward")
def shares_without_exp(dy, a):
    return dy[:, None] * a / a.sum(axis=1, keepdims=True)


@wrong("05.logsumexp-backward")
def shifts_in_place(dy, a):
    a -= a.max(axis=1, keepdims=True)
    return dy[:, None] * np.exp(a) / np.exp(a).sum(axis=1, keepdims=True)


# ---- 05.layer-norm-backward ----------------------------------------------------------------------


@right("05.layer-norm-backward")
def jacobian_of_each_row(dy, x):
    I = x.shape[1]
    rows = []
    for d, row in zip(dy, x, strict=True):
        s = row.std()
        y = (row - row.mean()) / s
        rows.append(d @ (np.eye(I) - 1 / I - np.outer(y, y) / I) / s)
    return np.array(rows)


@right("05.layer-norm-backward")
def step_by_step(dy, x):
    I, centred = x.shape[1], x - x.mean(axis=1, keepdims=True)
    variance = np.einsum("ni,ni->n", centred, centred)[:, None] / I
    dcentred = dy / np.sqrt(variance)
    dvariance = -0.5 * (dy * centred).sum(axis=1, keepdims=True) * variance**-1.5
    dcentred = dcentred + 2 * centred * dvariance / I
    return dcentred - dcentred.mean(axis=1, keepdims=True)


@right("05.layer-norm-backward")
def times_the_width(dy, x):
    I = x.shape[1]
    m, v = x.mean(1)[:, None], x.var(1)[:, None]
    inner = ((x - m) * dy).sum(1)[:, None]
    return (I * dy - dy.sum(1)[:, None] - (x - m) * inner / v) / (I * v**0.5)


def _normalised(x, axis=1):
    s = x.std(axis=axis, keepdims=True)
    return (x - x.mean(axis=axis, keepdims=True)) / s, s


@wrong("05.layer-norm-backward")
def a_little_added_to_the_variance(dy, x):
    s = np.sqrt(x.var(axis=1, keepdims=True) + 1e-5)
    y = (x - x.mean(axis=1, keepdims=True)) / s
    mean_dy, mean_dyy = dy.mean(axis=1, keepdims=True), (dy * y).mean(axis=1, keepdims=True)
    return (dy - mean_dy - y * mean_dyy) / s


@wrong("05.layer-norm-backward")
def the_mean_of_everything(dy, x):
    y, s = _normalised(x)
    return (dy - dy.mean() - y * (dy * y).mean()) / s


@wrong("05.layer-norm-backward")
def normalised_again(dy, x):
    return _normalised(dy)[0]


@wrong("05.layer-norm-backward")
def x_for_y(dy, x):
    _, s = _normalised(x)
    return (dy - dy.mean(axis=1, keepdims=True) - x * (dy * x).mean(axis=1, keepdims=True)) / s


@wrong("05.layer-norm-backward")
def centred_x_for_y(dy, x):
    _, s = _normalised(x)
    c = x - x.mean(axis=1, keepdims=True)
    return (dy - dy.mean(axis=1, keepdims=True) - c * (dy * c).mean(axis=1, keepdims=True)) / s


@wrong("05.layer-norm-backward")
def s_divides_one_term(dy, x):
    y, s = _normalised(x)
    through_s = y * (dy * y).mean(axis=1, keepdims=True) / s
    return dy - dy.mean(axis=1, keepdims=True) - through_s


@wrong("05.layer-norm-backward")
def plus_through_s(dy, x):
    y, s = _normalised(x)
    through_s = y * (dy * y).mean(axis=1, keepdims=True)
    return (dy - dy.mean(axis=1, keepdims=True) + through_s) / s


@wrong("05.layer-norm-backward")
def plus_through_m(dy, x):
    y, s = _normalised(x)
    through_s = y * (dy * y).mean(axis=1, keepdims=True)
    return (dy + dy.mean(axis=1, keepdims=True) - through_s) / s


@wrong("05.layer-norm-backward")
def y_not_multiplied_again(dy, x):
    y, s = _normalised(x)
    return (dy - dy.mean(axis=1, keepdims=True) - (dy * y).mean(axis=1, keepdims=True)) / s


@wrong("05.layer-norm-backward")
def sum_through_s_only(dy, x):
    y, s = _normalised(x)
    through_s = y * (dy * y).sum(axis=1, keepdims=True)
    return (dy - dy.mean(axis=1, keepdims=True) - through_s) / s


@wrong("05.layer-norm-backward")
def own_entry_only(dy, x):
    y, s = _normalised(x)
    return dy * (1 - 1 / x.shape[1] - y**2 / x.shape[1]) / s


@wrong("05.layer-norm-backward")
def s_not_kept_as_a_column(dy, x):
    s = x.std(axis=1)
    y = (x - x.mean(axis=1)) / s
    return (dy - dy.mean(axis=1) - y * (dy * y).mean(axis=1)) / s


@wrong("05.layer-norm-backward")
def by_the_width_less_one(dy, x):
    y, s = _normalised(x)
    n = x.shape[1] - 1
    return (dy - dy.mean(axis=1, keepdims=True) - y * (dy * y).sum(axis=1)[:, None] / n) / s


# ---- 05.nan-gradient -----------------------------------------------------------------------------


@right("05.nan-gradient")
def label_picked_by_its_number(a, t):
    rows, labels = np.arange(len(a)), t.argmax(axis=1)
    log_p = a - np.logaddexp.reduce(a, axis=1, keepdims=True)
    da = np.exp(log_p)
    da[rows, labels] -= 1
    return -log_p[rows, labels], da


@right("05.nan-gradient")
def in_double_precision(a, t):
    shifted = (a - a.max(axis=1, keepdims=True)).astype(float)
    log_sum = np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return (t * (log_sum - shifted)).sum(axis=1), np.exp(shifted - log_sum) - t


@right("05.nan-gradient")
def example_by_example(a, t):
    nll, da = np.zeros(len(a)), np.zeros(a.shape)
    for n, row in enumerate(a):
        e = [math.exp(v - max(row)) for v in row]
        nll[n] = math.log(sum(e)) + max(row) - row[t[n] == 1][0]
        da[n] = np.array(e) / sum(e) - t[n]
    return nll, da


def _through_p(a, t, p):
    dp = -t / p
    return -np.log((t * p).sum(axis=1)), p * (dp - (dp * p).sum(axis=1, keepdims=True))


@wrong("05.nan-gradient")
def warnings_switched_off(a, t):
    with np.errstate(all="ignore"):
        p = np.exp(a) / np.exp(a).sum(axis=1, keepdims=True)
        return _through_p(a, t, p)


@wrong("05.nan-gradient")
def larger_float(a, t):
    a = a.astype(float)
    p = np.exp(a) / np.exp(a).sum(axis=1, keepdims=True)
    return _through_p(a, t, p)


@wrong("05.nan-gradient")
def p_at_least_a_tiny_number(a, t):
    e = np.exp(a - a.max(axis=1, keepdims=True))
    p = np.maximum(e / e.sum(axis=1, keepdims=True), np.finfo(a.dtype).tiny)
    return _through_p(a, t, p)


@wrong("05.nan-gradient")
def p_clipped(a, t):
    e = np.exp(a - a.max(axis=1, keepdims=True))
    return _through_p(a, t, np.clip(e / e.sum(axis=1, keepdims=True), 1e-7, 1 - 1e-7))


@wrong("05.nan-gradient")
def zeros_where_it_is_nan(a, t):
    e = np.exp(a - a.max(axis=1, keepdims=True))
    nll, da = _through_p(a, t, e / e.sum(axis=1, keepdims=True))
    return nll, np.where(np.isnan(da), 0, da)


@wrong("05.nan-gradient")
def maximum_of_each_class(a, t):
    a = a - a.max(axis=0)
    e = np.exp(a)
    return np.log(e.sum(axis=1)) - (t * a).sum(axis=1), e / e.sum(axis=1, keepdims=True) - t


@wrong("05.nan-gradient")
def shift_forgotten_in_the_loss(a, t):
    e = np.exp(a - a.max(axis=1, keepdims=True))
    return np.log(e.sum(axis=1)) - (t * a).sum(axis=1), e / e.sum(axis=1, keepdims=True) - t


@wrong("05.nan-gradient")
def averaged_over_the_examples(a, t):
    log_p = a - np.logaddexp.reduce(a, axis=1, keepdims=True)
    return -(t * log_p).sum(axis=1), (np.exp(log_p) - t) / len(a)


@wrong("05.nan-gradient")
def loss_as_one_number(a, t):
    log_p = a - np.logaddexp.reduce(a, axis=1, keepdims=True)
    return -(t * log_p).sum(), np.exp(log_p) - t


@wrong("05.nan-gradient")
def loss_of_all_classes(a, t):
    log_p = a - np.logaddexp.reduce(a, axis=1, keepdims=True)
    return -log_p.sum(axis=1), np.exp(log_p) - t


@wrong("05.nan-gradient")
def label_side_only(a, t):
    log_p = a - np.logaddexp.reduce(a, axis=1, keepdims=True)
    return -(t * log_p).sum(axis=1), t * (np.exp(log_p) - 1)


@wrong("05.nan-gradient")
def overflow_left_in_the_loss(a, t):
    log_p = a - np.logaddexp.reduce(a, axis=1, keepdims=True)
    return np.log(np.exp(a).sum(axis=1)) - (t * a).sum(axis=1), np.exp(log_p) - t


@wrong("05.nan-gradient")
def shifts_a_in_place(a, t):
    a -= a.max(axis=1, keepdims=True)
    total = np.exp(a).sum(axis=1)
    return np.log(total) - (t * a).sum(axis=1), np.exp(a) / total[:, None] - t

"""Notebook 08b: answers to `08.fused`."""

import math

import numpy as np
from answers_of_others.registry import right, wrong


@right("08.fused")
def with_math_and_branches(logits, x):
    nll, grad = [], []
    for row, pixels in zip(logits, x, strict=True):
        total, slopes = 0.0, []
        for l, p in zip(row, pixels, strict=True):
            e = math.exp(-abs(l))
            if l >= 0:
                total += l + math.log1p(e) - p * l
                slopes.append(1 / (1 + e) - p)
            else:
                total += math.log1p(e) - p * l
                slopes.append(e / (1 + e) - p)
        nll.append(total)
        grad.append(slopes)
    return [nll, grad]


@right("08.fused")
def by_the_losing_side(logits, x):
    nll, dlogits = np.zeros(len(logits)), np.zeros(logits.shape)
    for b in range(len(logits)):
        for d in range(logits.shape[1]):
            l, pixel = logits[b][d], x[b][d]
            e = np.exp(-np.abs(l))
            losing = e / (1 + e)
            s = 1 - losing if l > 0 else losing
            nll[b] += abs(l) / 2 + l / 2 - pixel * l - np.log1p(-losing)
            dlogits[b][d] = s - pixel
    return nll, dlogits


@right("08.fused")
def with_tanh_for_the_slope(logits, x):
    B, D = logits.shape
    nll, dlogits = np.zeros(B), np.empty((B, D))
    for b in range(B):
        total = 0.0
        for d in range(D):
            l, p = logits[b, d], x[b, d]
            total += np.logaddexp(0, l) - p * l
            dlogits[b, d] = (1 + np.tanh(l / 2)) / 2 - p
        nll[b] = total
    return nll, dlogits


def loops(value, slope, start=0.0):
    """nll and dlogits from value(l, x) and slope(l, x), in one pass."""

    def answer(logits, x):
        B, D = logits.shape
        nll, dlogits = np.full(B, start), np.zeros((B, D))
        for b in range(B):
            for d in range(D):
                l, p = logits[b, d], x[b, d]
                nll[b] += value(l, p)
                dlogits[b, d] = slope(l, p)
        return nll, dlogits

    return answer


def right_value(l, x):
    return np.logaddexp(0, l) - x * l


def right_slope(l, x):
    return 0.5 + 0.5 * np.tanh(l / 2) - x


def clipped(l, most):
    return min(max(l, -most), most)


wrong(
    "08.fused",
    loops(lambda l, x: right_value(clipped(l, 30), x), lambda l, x: right_slope(clipped(l, 30), x)),
    loops(lambda l, x: right_value(clipped(l, 500), x), right_slope),
    loops(lambda l, x: np.log1p(np.exp(-abs(l))) - x * l, right_slope),
    loops(lambda l, x: np.logaddexp(0, l) + x * l, right_slope),
    loops(lambda l, x: -right_value(l, x), right_slope),
    loops(right_value, lambda l, x: 0.5 + 0.5 * np.tanh(l) - x),
    loops(right_value, lambda l, x: (0.5 + 0.5 * np.tanh(l / 2)) * (1 - x)),
    loops(right_value, right_slope, start=1.0),
    loops(lambda l, x: right_value(l, round(x)), lambda l, x: right_slope(l, round(x))),
)


@wrong("08.fused")
def exp_of_a_large_number(logits, x):
    B, D = logits.shape
    nll, dlogits = np.zeros(B), np.zeros((B, D))
    for b in range(B):
        for d in range(D):
            l, p = logits[b, d], x[b, d]
            s = 1 / (1 + math.exp(-l))
            nll[b] += -p * math.log(s) - (1 - p) * math.log(1 - s)
            dlogits[b, d] = s - p
    return nll, dlogits


@wrong("08.fused")
def one_total_for_all_rows(logits, x):
    B, D = logits.shape
    nll, dlogits, total = np.zeros(B), np.zeros((B, D)), 0.0
    for b in range(B):
        for d in range(D):
            l, p = logits[b, d], x[b, d]
            total += right_value(l, p)
            dlogits[b, d] = right_slope(l, p)
        nll[b] = total
    return nll, dlogits


@wrong("08.fused")
def last_pixel_kept(logits, x):
    B, D = logits.shape
    nll, dlogits = np.zeros(B), np.zeros((B, D))
    for b in range(B):
        for d in range(D):
            l, p = logits[b, d], x[b, d]
            nll[b] = right_value(l, p)
            dlogits[b, d] = right_slope(l, p)
    return nll, dlogits


@wrong("08.fused")
def gradient_divided_by_the_batch(logits, x):
    B, D = logits.shape
    nll, dlogits = np.zeros(B), np.zeros((B, D))
    for b in range(B):
        for d in range(D):
            l, p = logits[b, d], x[b, d]
            nll[b] += right_value(l, p)
            dlogits[b, d] = right_slope(l, p) / B
    return nll, dlogits


@wrong("08.fused")
def both_swapped(logits, x):
    nll, dlogits = loops(right_value, right_slope)(logits, x)
    return dlogits, nll


@wrong("08.fused")
def summed_over_the_batch(logits, x):
    nll, dlogits = loops(right_value, right_slope)(logits, x)
    return nll.sum(), dlogits


@wrong("08.fused")
def gradient_into_logits(logits, x):
    nll = np.zeros(logits.shape[0])
    for b in range(logits.shape[0]):
        for d in range(logits.shape[1]):
            l, p = logits[b, d], x[b, d]
            nll[b] += right_value(l, p)
            logits[b, d] = right_slope(l, p)
    return nll, logits


@wrong("08.fused")
def in_float32(logits, x):
    nll, dlogits = loops(right_value, right_slope)(logits, x)
    return nll.astype(np.float32), dlogits.astype(np.float32)


@wrong("08.fused", clue="passes")
def a_row_first_and_then_its_pixels(logits, x):
    B, D = logits.shape
    nll, dlogits = np.zeros(B), np.zeros((B, D))
    for b in range(B):
        kept = [logits[b, d] for d in range(D)]
        for d in range(D):
            nll[b] += right_value(kept[d], x[b, d])
            dlogits[b, d] = right_slope(kept[d], x[b, d])
    return nll, dlogits


@wrong("08.fused", clue="passes")
def numpys_passes_over_each_row(logits, x):
    nll, dlogits = np.zeros(len(logits)), np.zeros(logits.shape)
    for b in range(len(logits)):
        l, p = logits[b], x[b]
        e = np.exp(-abs(l))
        nll[b] = (np.maximum(l, 0) + np.log1p(e) - p * l).sum()
        dlogits[b] = np.where(l > 0, 1, e) / (1 + e) - p
    return nll, dlogits


@wrong("08.fused", clue="passes")
def numpys_passes_over_a_slice_of_all(logits, x):
    l, p = logits[:, :], x[:, :]
    e = np.exp(-abs(l))
    nll = (np.maximum(l, 0) + np.log1p(e) - p * l).sum(axis=1)
    return nll, np.where(l > 0, 1, e) / (1 + e) - p


@right("08.fused")
def by_walking_along_both(logits, x):
    nll, dlogits = [], []
    for row, pixels in zip(logits, x, strict=True):
        total, slopes = 0.0, []
        for l, p in zip(row, pixels, strict=True):
            total += right_value(l, p)
            slopes.append(right_slope(l, p))
        nll.append(total)
        dlogits.append(slopes)
    return nll, dlogits


@wrong("08.fused")
def by_whole_arrays(logits, x):
    e = np.exp(-np.abs(logits))
    nll = (np.maximum(logits, 0) + np.log1p(e) - x * logits).sum(axis=1)
    return nll, np.where(logits > 0, 1, e) / (1 + e) - x


@wrong("08.fused")
def only_the_first_row(logits, x):
    B, D = logits.shape
    nll, dlogits = np.zeros(B), np.zeros((B, D))
    for d in range(D):
        l, p = logits[0, d], x[0, d]
        nll[0] += right_value(l, p)
        dlogits[0, d] = right_slope(l, p)
    return nll, dlogits

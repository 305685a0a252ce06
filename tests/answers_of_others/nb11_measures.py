"""Notebook 11: answers to `11.sharpest` and `11.dropped`."""

from collections import Counter

import numpy as np
from answers_of_others.registry import right, wrong

# ---- 11.sharpest ---------------------------------------------------------------------------------


@right("11.sharpest")
def rounded(r):
    return np.round(r)


@right("11.sharpest")
def black_or_white(r):
    return np.where(r < 0.5, 0.0, 1.0)


@right("11.sharpest")
def whole_numbers(r):
    return (r > 0.5) * 1


@right("11.sharpest")
def as_lists(r):
    return [[int(x > 0.5) for x in row] for row in r] if r.ndim > 1 else [int(x > 0.5) for x in r]


@right("11.sharpest")
def best_of_a_grid(r):
    p = np.linspace(0, 1, 11).reshape(-1, *[1] * r.ndim)
    return p.ravel()[(p * (1 - p) + (p - r) ** 2).argmin(axis=0)]


@right("11.sharpest")
def heaviside(r):
    return (1 + np.sign(r - 0.5)) / 2


@wrong("11.sharpest")
def above_the_mean(r):
    return (r > r.mean()).astype(float)


@wrong("11.sharpest")
def above_the_mean_of_its_row(r):
    return (r > r.mean(axis=-1, keepdims=True)).astype(float)


@wrong("11.sharpest")
def by_the_largest(r):
    return (r == r.max(axis=-1, keepdims=True)).astype(float)


@wrong("11.sharpest")
def scaled_by_the_largest(r):
    return r / r.max()


@wrong("11.sharpest")
def one_colour_for_the_picture(r):
    return np.full(r.shape, float(r.mean() > 0.5))


@wrong("11.sharpest")
def squared(r):
    return r**2


@wrong("11.sharpest")
def steep_sigmoid(r):
    return 1 / (1 + np.exp(-20 * (r - 0.5)))


@wrong("11.sharpest")
def logits_times_1_3(r):
    with np.errstate(divide="ignore"):
        return 1 / (1 + (1 / np.maximum(r, 1e-300) - 1) ** 1.3)


@wrong("11.sharpest")
def slope_set_to_zero(r):
    return (2 * r + 1) / 4


@wrong("11.sharpest")
def anything_not_black(r):
    return np.ceil(r)


@wrong("11.sharpest")
def only_the_white(r):
    return np.floor(r)


@wrong("11.sharpest")
def a_third_is_enough(r):
    return (r > 1 / 3).astype(float)


@wrong("11.sharpest")
def signs(r):
    return np.sign(r - 0.5)


@wrong("11.sharpest")
def white(r):
    return np.ones(r.shape)


@wrong("11.sharpest")
def a_draw(r):
    return (np.random.default_rng().random(r.shape) < r).astype(float)


@wrong("11.sharpest")
def clipped_away_from_the_ends(r):
    return np.where(r > 0.5, 0.99, 0.01)


@wrong("11.sharpest")
def written_into_the_render(r):
    r[r > 0.5] = 1
    r[r < 0.5] = 0
    return r


@wrong("11.sharpest")
def mirrored(r):
    return 1 - r


# ---- 11.dropped ----------------------------------------------------------------------------------


@right("11.dropped")
def with_a_counter(kind, n, share):
    counts = Counter(kind.tolist())
    return sum(counts[k] < share * len(kind) / n for k in range(n))


@right("11.dropped")
def one_comparison_for_all(kind, n, share):
    counts = (kind[:, None] == np.arange(n)).sum(axis=0)
    return np.count_nonzero(counts < share * counts.mean())


@right("11.dropped")
def with_a_histogram(kind, n, share):
    counts, _ = np.histogram(kind, bins=np.arange(n + 1) - 0.5)
    return len([c for c in counts if c * n < share * len(kind)])


@right("11.dropped")
def n_minus_the_kept(kind, n, share):
    _, counts = np.unique(kind, return_counts=True)
    return n - int((counts >= share * kind.size / n).sum())


@wrong("11.dropped", clue="empty-kinds-not-seen")
def counter_of_the_seen(kind, n, share):
    return sum(c < share * len(kind) / n for c in Counter(kind.tolist()).values())


@wrong("11.dropped")
def no_minlength(kind, n, share):
    return int((np.bincount(kind) < share * len(kind) / n).sum())


@wrong("11.dropped", clue="always-a-quarter")
def a_quarter_written_in(kind, n, share):
    return int((np.bincount(kind, minlength=n) < 0.25 * len(kind) / n).sum())


@wrong("11.dropped")
def part_of_the_kinds_seen(kind, n, share):
    seen = len(np.unique(kind))
    return int((np.bincount(kind, minlength=n) < share * len(kind) / seen).sum())


@wrong("11.dropped")
def whole_division(kind, n, share):
    return int((np.bincount(kind, minlength=n) < share * (len(kind) // n)).sum())


@wrong("11.dropped")
def bar_rounded_down(kind, n, share):
    return int((np.bincount(kind, minlength=n) < int(share * len(kind) / n)).sum())


@wrong("11.dropped")
def bar_rounded(kind, n, share):
    return int((np.bincount(kind, minlength=n) < round(share * len(kind) / n)).sum())


@wrong("11.dropped")
def the_share_of_the_kinds(kind, n, share):
    counts = np.bincount(kind, minlength=n)
    return (counts < share * len(kind) / n).sum() / n


@wrong("11.dropped")
def which_kinds(kind, n, share):
    return np.flatnonzero(np.bincount(kind, minlength=n) < share * len(kind) / n)


@wrong("11.dropped")
def of_the_largest_kind(kind, n, share):
    counts = np.bincount(kind, minlength=n)
    return int((counts < share * counts.max()).sum())


@wrong("11.dropped")
def of_the_median_kind(kind, n, share):
    counts = np.bincount(kind, minlength=n)
    return int((counts < share * np.median(counts)).sum())


@wrong("11.dropped")
def missing_share(kind, n, share):
    counts = np.bincount(kind, minlength=n)
    return int((counts < (1 - share) * len(kind) / n).sum())


@wrong("11.dropped", clue="share-of-all")
def frequencies_against_the_share(kind, n, share):
    return int((np.bincount(kind, minlength=n) / len(kind) < share).sum())


@wrong("11.dropped")
def frequencies_against_share_times_n(kind, n, share):
    return int((np.bincount(kind, minlength=n) / len(kind) < share * n).sum())


@wrong("11.dropped")
def last_kind_forgotten(kind, n, share):
    return sum(int((kind == k).sum() < share * len(kind) / n) for k in range(n - 1))


@wrong("11.dropped")
def first_kind_forgotten(kind, n, share):
    return sum(int((kind == k).sum() < share * len(kind) / n) for k in range(1, n))


@wrong("11.dropped")
def one_kind_too_many(kind, n, share):
    return sum(int((kind == k).sum() < share * len(kind) / n) for k in range(n + 1))


@wrong("11.dropped")
def samples_of_dropped_kinds(kind, n, share):
    counts = np.bincount(kind, minlength=n)
    return int(counts[counts < share * len(kind) / n].sum())


@wrong("11.dropped")
def kinds_sorted_in_place(kind, n, share):
    kind.sort()
    counts = np.diff(np.searchsorted(kind, np.arange(n + 1)))
    return int((counts < share * len(kind) / n).sum())

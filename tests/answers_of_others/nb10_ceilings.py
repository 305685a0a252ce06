"""Notebook 10: answers to `10.information`, `10.needed-r2` and `10.how-many`."""

import math

import numpy as np
from answers_of_others.registry import right, wrong

# ---- 10.information ------------------------------------------------------------------------------


@right("10.information")
def pixel_after_pixel(dm, ds, s):
    total = 0.0
    for slope, noise, sd in zip(dm, ds, s, strict=True):
        total += (slope / sd) ** 2 + 2 * (noise / sd) ** 2
    return total


@right("10.information")
def two_dot_products(dm, ds, s):
    w = 1 / s**2
    return (dm * w) @ dm + 2 * (ds * w) @ ds


@right("10.information")
def in_slopes_of_the_variance(dm, ds, s):
    variance, dvariance = s * s, 2 * s * ds
    return np.einsum("d->", dm**2 / variance + 0.5 * (dvariance / variance) ** 2)


@right("10.information")
def in_slopes_of_the_log_sd(dm, ds, s):
    return np.linalg.norm(dm / s) ** 2 + 2 * np.linalg.norm(ds / s) ** 2


@wrong("10.information")
def not_summed(dm, ds, s):
    return (dm**2 + 2 * ds**2) / s**2


@wrong("10.information")
def noise_four_times(dm, ds, s):
    return ((dm**2 + 4 * ds**2) / s**2).sum()


@wrong("10.information")
def noise_halved(dm, ds, s):
    return ((dm**2 + ds**2 / 2) / s**2).sum()


@wrong("10.information")
def noise_over_the_fourth_power(dm, ds, s):
    return (dm**2 / s**2 + 2 * ds**2 / s**4).sum()


@wrong("10.information")
def noise_over_the_sd(dm, ds, s):
    return (dm**2 / s**2 + 2 * ds**2 / s).sum()


@wrong("10.information")
def noise_not_divided(dm, ds, s):
    return (dm**2 / s**2 + 2 * ds**2).sum()


@wrong("10.information")
def noise_alone(dm, ds, s):
    return 2 * (ds**2 / s**2).sum()


@wrong("10.information")
def two_on_both(dm, ds, s):
    return 2 * ((dm**2 + ds**2) / s**2).sum()


@wrong("10.information")
def sum_squared(dm, ds, s):
    return (dm / s).sum() ** 2 + 2 * (ds / s).sum() ** 2


@wrong("10.information")
def noise_subtracted(dm, ds, s):
    return ((dm**2 - 2 * ds**2) / s**2).sum()


@wrong("10.information")
def as_for_coin_flips(dm, ds, s):
    return (dm**2 / (s * (1 - s))).sum()


@wrong("10.information")
def bound_on_the_variance(dm, ds, s):
    return 1 / ((dm**2 + 2 * ds**2) / s**2).sum()


@wrong("10.information")
def noise_by_size(dm, ds, s):
    return (dm**2 / s**2 + 2 * np.abs(ds) / s).sum()


@wrong("10.information")
def one_noise_for_all(dm, ds, s):
    return (dm**2 + 2 * ds**2).sum() / (s**2).mean()


@wrong("10.information")
def of_the_first_pixel(dm, ds, s):
    return (dm[0] ** 2 + 2 * ds[0] ** 2) / s[0] ** 2


@wrong("10.information")
def squares_left_in_ds(dm, ds, s):
    ds *= ds
    return ((dm**2 + 2 * ds) / s**2).sum()


# ---- 10.needed-r2 --------------------------------------------------------------------------------


@right("10.needed-r2")
def by_expm1(share, ceiling):
    return -math.expm1(-2 * share * ceiling)


@right("10.needed-r2")
def as_a_power(share, ceiling):
    left = math.exp(-2 * ceiling)
    return 1 - left**share


@right("10.needed-r2")
def by_bisection(share, ceiling):
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        if -math.log(1 - middle) / 2 < share * ceiling:
            low = middle
        else:
            high = middle
    return middle


@right("10.needed-r2")
def by_tanh(share, ceiling):
    t = np.tanh(share * ceiling)
    return 2 * t / (1 + t)


@wrong("10.needed-r2")
def four_for_two(share, ceiling):
    return 1 - np.exp(-4 * share * ceiling)


@wrong("10.needed-r2", clue="entropy-of-the-variance")
def half_lost(share, ceiling):
    return 1 - 1 / math.exp(share * ceiling)


@wrong("10.needed-r2")
def half_on_the_other_side(share, ceiling):
    return 1 - np.exp(-share * ceiling / 2)


@wrong("10.needed-r2")
def half_the_nats_written_in(share, ceiling):
    return 1 - np.exp(-ceiling)


@wrong("10.needed-r2")
def the_ceilings_own(share, ceiling):
    return 1 - np.exp(-2 * ceiling)


@wrong("10.needed-r2")
def sign_of_the_exponent(share, ceiling):
    return 1 - np.exp(2 * share * ceiling)


@wrong("10.needed-r2")
def the_nats(share, ceiling):
    return share * ceiling


@wrong("10.needed-r2")
def unexplained_sd(share, ceiling):
    return 1 - np.exp(-2 * share * ceiling) ** 2


@wrong("10.needed-r2")
def share_of_the_unexplained(share, ceiling):
    return 1 - share * np.exp(-2 * ceiling)


@wrong("10.needed-r2")
def divided_by_the_share(share, ceiling):
    return 1 - np.exp(-2 * ceiling / share)


@wrong("10.needed-r2")
def logarithm_for_exponential(share, ceiling):
    return -np.log(1 - share * ceiling / 3) / 2


@wrong("10.needed-r2")
def decadic(share, ceiling):
    return 1 - 10 ** (-2 * share * ceiling)


@wrong("10.needed-r2")
def first_order(share, ceiling):
    return min(1.0, 2 * share * ceiling)


@wrong("10.needed-r2")
def in_percent(share, ceiling):
    return 100 * (1 - np.exp(-2 * share * ceiling))


@wrong("10.needed-r2")
def with_twenty_bins(share, ceiling):
    return 1 - np.exp(-2 * share * min(ceiling, np.log(20)) / np.log(20))


@wrong("10.needed-r2")
def rounded(share, ceiling):
    return round(1 - math.exp(-2 * share * ceiling), 3)


# ---- 10.how-many ---------------------------------------------------------------------------------


@right("10.how-many")
def paying_from_a_purse(kl, ceilings, share):
    passed = 0
    for cost in sorted(share * c for c in ceilings):
        kl -= cost
        if kl < 0:
            break
        passed += 1
    return passed


@right("10.how-many")
def by_a_search(kl, ceilings, share):
    costs = np.cumsum(np.sort(ceilings) * share)
    return int(np.searchsorted(costs, kl, side="right"))


@right("10.how-many")
def all_subsets(kl, ceilings, share):
    n = len(ceilings)
    best = 0
    for code in range(2**n):
        chosen = [f for f in range(n) if code >> f & 1]
        if sum(share * ceilings[f] for f in chosen) <= kl:
            best = max(best, len(chosen))
    return best


@right("10.how-many")
def largest_prefix(kl, ceilings, share):
    ordered = sorted(ceilings)
    return max(k for k in range(len(ordered) + 1) if share * sum(ordered[:k]) <= kl)


@wrong("10.how-many")
def strictly_below(kl, ceilings, share):
    return int((np.cumsum(np.sort(share * ceilings)) < kl).sum())


@wrong("10.how-many")
def search_from_the_left(kl, ceilings, share):
    return int(np.searchsorted(np.cumsum(np.sort(share * ceilings)), kl))


@wrong("10.how-many")
def first_too_dear_of_all(kl, ceilings, share):
    return int(np.argmax(np.cumsum(np.sort(share * ceilings)) > kl))


@wrong("10.how-many")
def one_more(kl, ceilings, share):
    return int((np.cumsum(np.sort(share * ceilings)) <= kl).sum()) + 1


@wrong("10.how-many")
def at_least_one(kl, ceilings, share):
    return max(1, int((np.cumsum(np.sort(share * ceilings)) <= kl).sum()))


@wrong("10.how-many", clue="in-the-given-order")
def greedy_in_the_given_order(kl, ceilings, share):
    passed, spent = 0, 0.0
    for c in ceilings:
        if spent + share * c <= kl:
            spent += share * c
            passed += 1
    return passed


@wrong("10.how-many")
def share_of_the_code(kl, ceilings, share):
    return int((np.cumsum(np.sort(ceilings)) <= share * kl).sum())


@wrong("10.how-many")
def half_written_in(kl, ceilings, share):
    return int((np.cumsum(np.sort(ceilings)) / 2 <= kl).sum())


@wrong("10.how-many")
def all_or_none(kl, ceilings, share):
    return len(ceilings) if share * ceilings.sum() <= kl else 0


@wrong("10.how-many")
def by_the_dearest(kl, ceilings, share):
    return min(len(ceilings), int(kl // (share * ceilings.max())))


@wrong("10.how-many")
def by_the_cheapest(kl, ceilings, share):
    return min(len(ceilings), int(kl // (share * ceilings.min())))


@wrong("10.how-many")
def part_of_a_factor(kl, ceilings, share):
    return min(len(ceilings), kl / (share * ceilings.mean()))


@wrong("10.how-many")
def stops_without_counting_the_last(kl, ceilings, share):
    spent = 0.0
    for k, cost in enumerate(np.sort(share * ceilings)):
        spent += cost
        if spent > kl:
            return k
    return len(ceilings) - 1


@wrong("10.how-many")
def sorts_the_argument(kl, ceilings, share):
    ceilings.sort()
    return int((np.cumsum(share * ceilings) <= kl).sum())


@wrong("10.how-many")
def a_mask(kl, ceilings, share):
    return np.cumsum(np.sort(share * ceilings)) <= kl


@wrong("10.how-many", clue="each-alone")
def in_a_loop_each_alone(kl, ceilings, share):
    return sum(1 for c in ceilings if kl >= share * c)

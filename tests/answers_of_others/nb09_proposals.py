"""Notebook 09: answers to `09.two-islands` and `09.surely-below`."""

import math

import numpy as np
from answers_of_others.registry import right, wrong


def log_mean(log_w):
    return np.logaddexp.reduce(log_w) - np.log(len(log_w))


def log_mixture(log_a, log_b, share):
    return np.logaddexp(np.log(share) + log_a, np.log1p(-share) + log_b)


# ---- 09.two-islands ------------------------------------------------------------------------------


@right("09.two-islands")
def parts_stacked(log_joint, log_a, log_b, share):
    parts = np.stack([log_a, log_b]) + np.log([[share], [1 - share]])
    return np.logaddexp.reduce(log_joint - np.logaddexp.reduce(parts)) - np.log(len(log_joint))


@right("09.two-islands")
def from_a_and_the_ratio(log_joint, log_a, log_b, share):
    log_q = log_a + np.log(share) + np.logaddexp(0, log_b - log_a + np.log((1 - share) / share))
    log_w = log_joint - log_q
    return np.log(np.sum(np.exp(log_w - np.max(log_w)))) + np.max(log_w) - np.log(log_w.size)


@right("09.two-islands")
def one_sample_after_the_other(log_joint, log_a, log_b, share):
    logs = []
    for joint, a, b in zip(log_joint, log_a, log_b, strict=True):
        top = max(a, b)
        q = share * math.exp(a - top) + (1 - share) * math.exp(b - top)
        logs.append(joint - top - math.log(q))
    top = max(logs)
    return top + math.log(math.fsum(math.exp(each - top) for each in logs) / len(logs))


@right("09.two-islands")
def maximum_of_the_pair(log_joint, log_a, log_b, share):
    top = np.maximum(log_a, log_b)
    density = share * np.exp(log_a - top) + (1 - share) * np.exp(log_b - top)
    return float(log_mean(log_joint - top - np.log(density)))


@wrong("09.two-islands")
def weights_of_both_parts_averaged(log_joint, log_a, log_b, share):
    log_w = np.logaddexp(np.log(share) + log_joint - log_a, np.log(1 - share) + log_joint - log_b)
    return log_mean(log_w)


@wrong("09.two-islands")
def two_estimates_averaged(log_joint, log_a, log_b, share):
    return share * log_mean(log_joint - log_a) + (1 - share) * log_mean(log_joint - log_b)


@wrong("09.two-islands")
def two_estimates_mixed(log_joint, log_a, log_b, share):
    one, other = log_mean(log_joint - log_a), log_mean(log_joint - log_b)
    return np.logaddexp(np.log(share) + one, np.log(1 - share) + other)


@wrong("09.two-islands")
def the_likelier_part(log_joint, log_a, log_b, share):
    return log_mean(log_joint - np.maximum(log_a, log_b))


@wrong("09.two-islands")
def the_first_ones_from_a(log_joint, log_a, log_b, share):
    from_a = np.arange(len(log_a)) < share * len(log_a)
    return log_mean(log_joint - np.where(from_a, log_a, log_b))


@wrong("09.two-islands")
def the_share_of_b_forgotten(log_joint, log_a, log_b, share):
    return log_mean(log_joint - np.logaddexp(np.log(share) + log_a, log_b))


@wrong("09.two-islands")
def shares_multiply_the_logs(log_joint, log_a, log_b, share):
    return log_mean(log_joint - np.logaddexp(share * log_a, (1 - share) * log_b))


@wrong("09.two-islands")
def shares_added_to_the_logs(log_joint, log_a, log_b, share):
    return log_mean(log_joint - np.logaddexp(share + log_a, 1 - share + log_b))


@wrong("09.two-islands")
def one_largest_density_for_all_samples(log_joint, log_a, log_b, share):
    top = max(log_a.max(), log_b.max())
    q = share * np.exp(log_a - top) + (1 - share) * np.exp(log_b - top)
    return log_mean(log_joint - top - np.log(q))


@wrong("09.two-islands")
def a_taken_out_of_both(log_joint, log_a, log_b, share):
    q = share + (1 - share) * np.exp(log_b - log_a)
    return log_mean(log_joint - log_a - np.log(q))


@wrong("09.two-islands")
def the_first_weight_taken_out(log_joint, log_a, log_b, share):
    log_w = log_joint - log_mixture(log_a, log_b, share)
    return log_w[0] + np.log(np.exp(log_w - log_w[0]).mean())


@wrong("09.two-islands")
def plain_mean_of_the_weights(log_joint, log_a, log_b, share):
    return np.log(np.exp(log_joint - log_mixture(log_a, log_b, share)).mean())


@wrong("09.two-islands")
def plus_log_q(log_joint, log_a, log_b, share):
    return log_mean(log_joint + log_mixture(log_a, log_b, share))


@wrong("09.two-islands")
def one_number_for_each_sample(log_joint, log_a, log_b, share):
    return log_joint - log_mixture(log_a, log_b, share)


@wrong("09.two-islands")
def without_the_log(log_joint, log_a, log_b, share):
    return np.exp(log_mean(log_joint - log_mixture(log_a, log_b, share)))


@wrong("09.two-islands")
def weights_that_sum_to_one(log_joint, log_a, log_b, share):
    log_w = log_joint - log_mixture(log_a, log_b, share)
    weights = np.exp(log_w - np.logaddexp.reduce(log_w))
    return weights @ log_joint


@wrong("09.two-islands")
def the_largest_weight(log_joint, log_a, log_b, share):
    return (log_joint - log_mixture(log_a, log_b, share)).max()


@wrong("09.two-islands")
def the_middle_weight(log_joint, log_a, log_b, share):
    return np.median(log_joint - log_mixture(log_a, log_b, share))


# ---- 09.surely-below -----------------------------------------------------------------------------


@right("09.surely-below")
def with_logaddexp(estimates, delta):
    return np.logaddexp.reduce(estimates) - np.log(len(estimates) / delta)


@right("09.surely-below")
def delta_within_the_mean(estimates, delta):
    top = np.max(estimates)
    return top + np.log(np.average(delta * np.exp(estimates - top)))


@right("09.surely-below")
def by_hand(estimates, delta):
    top = max(estimates)
    total = sum(math.exp(each - top) for each in estimates)
    return top + math.log(total * delta / len(estimates))


@wrong("09.surely-below")
def delta_divided_by_their_number(estimates, delta):
    return log_mean(estimates) + np.log(delta / len(estimates))


@wrong("09.surely-below")
def all_of_them_at_once(estimates, delta):
    return log_mean(estimates) + np.log(delta) / len(estimates)


@wrong("09.surely-below")
def half_of_delta_on_each_side(estimates, delta):
    return log_mean(estimates) + np.log(delta / 2)


@wrong("09.surely-below")
def the_lowest(estimates, delta):
    return estimates.min() + np.log(delta)


@wrong("09.surely-below")
def the_lowest_as_it_is(estimates, delta):
    return estimates.min()


@wrong("09.surely-below")
def the_middle_one(estimates, delta):
    return np.median(estimates) + np.log(delta)


@wrong("09.surely-below")
def the_quantile(estimates, delta):
    return np.quantile(estimates, delta)


@wrong("09.surely-below")
def mean_minus_its_error(estimates, delta):
    return estimates.mean() - estimates.std(ddof=1) / np.sqrt(len(estimates) * delta)


@wrong("09.surely-below")
def by_chebyshev(estimates, delta):
    p = np.exp(estimates - estimates.max())
    return estimates.max() + np.log(abs(p.mean() - p.std() / np.sqrt(delta * len(p))))


@wrong("09.surely-below")
def delta_multiplies_the_log(estimates, delta):
    return delta * log_mean(estimates)


@wrong("09.surely-below")
def decimal_logarithm_of_delta(estimates, delta):
    return log_mean(estimates) + np.log10(delta)


@wrong("09.surely-below")
def a_hundredth_written_in(estimates, delta):
    return log_mean(estimates) + np.log(0.01)


@wrong("09.surely-below")
def the_probability_and_not_its_log(estimates, delta):
    return delta * np.exp(estimates).mean()


@wrong("09.surely-below")
def the_first_taken_out(estimates, delta):
    return estimates[0] + np.log(delta * np.exp(estimates - estimates[0]).mean())


@wrong("09.surely-below")
def their_mean_taken_out(estimates, delta):
    middle = estimates.mean()
    return middle + np.log(delta * np.exp(estimates - middle).mean())


@wrong("09.surely-below")
def root_of_delta(estimates, delta):
    return log_mean(estimates) + np.log(delta) / 2


@wrong("09.surely-below")
def one_for_each_estimate(estimates, delta):
    return estimates + np.log(delta)


@wrong("09.surely-below")
def estimates_changed_in_place(estimates, delta):
    top = estimates.max()
    estimates -= top
    return top + np.log(delta * np.exp(estimates).mean())

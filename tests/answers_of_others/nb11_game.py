"""Notebook 11: answers to `11.smoothed`, `11.bound` and `11.bug`."""

import math

import numpy as np
from answers_of_others.registry import right, wrong

# ---- 11.smoothed ---------------------------------------------------------------------------------


@right("11.smoothed")
def share_of_the_label_one(p, q, a):
    one, zero = a * p, (1 - a) * p + q
    return one / (one + zero)


@right("11.smoothed")
def eq_2_times_the_label(p, q, a):
    m = (p + q) / 2
    return a * np.divide(p, 2 * m)


@right("11.smoothed")
def point_by_point(p, q, a):
    return np.array([float(a) * u / (u + v) for u, v in zip(p, q, strict=True)])


@right("11.smoothed")
def one_minus_the_other_side(p, q, a):
    return 1 - (q + p - a * p) / (p + q)


@wrong("11.smoothed")
def label_on_the_wrong_side(p, q, a):
    return (1 - a) * p / (p + q)


@wrong("11.smoothed")
def smoothed_weight_below_only(p, q, a):
    return p / (a * p + q)


@wrong("11.smoothed")
def zero_part_not_of_p(p, q, a):
    return a * p / (a * p + (1 - a) + q)


@wrong("11.smoothed")
def zero_part_of_q(p, q, a):
    return a * p / (a * p + (1 - a) * q)


@wrong("11.smoothed")
def generated_side_alone(p, q, a):
    return a * p / q.clip(1e-12)


@wrong("11.smoothed")
def odds_for_probability(p, q, a):
    return a * p / ((1 - a) * p + q)


@wrong("11.smoothed")
def its_logit(p, q, a):
    D = (a * p / (p + q)).clip(1e-9)
    return np.log(D) - np.log(1 - D)


@wrong("11.smoothed")
def divided_by_the_label(p, q, a):
    return p / (a * (p + q))


@wrong("11.smoothed")
def capped_at_the_label(p, q, a):
    return np.minimum(p / (p + q), a)


@wrong("11.smoothed")
def normalized_over_the_points(p, q, a):
    return a * p / (p + q).sum()


@wrong("11.smoothed")
def pulled_to_the_middle(p, q, a):
    return a * p / (p + q) + (1 - a) / 2


@wrong("11.smoothed")
def nine_tenths_written_in(p, q, a):
    return 0.9 * p / (p + q)


@wrong("11.smoothed")
def through_the_odds_of_the_label(p, q, a):
    with np.errstate(all="ignore"):
        odds = a / (1 - a)
        return odds * p / (odds * p + p + q / (1 - a))


@wrong("11.smoothed")
def small_number_below(p, q, a):
    return a * p / (p + q + 1e-8)


@wrong("11.smoothed")
def by_search(p, q, a):
    D = np.linspace(0.001, 0.999, 999)[:, None]
    value = a * p * np.log(D) + ((1 - a) * p + q) * np.log(1 - D)
    return D[value.argmax(axis=0), 0]


@wrong("11.smoothed")
def p_overwritten(p, q, a):
    p *= a
    return p / (p / a + q)


# ---- 11.bound ------------------------------------------------------------------------------------


def _softplus(s):
    return np.maximum(s, 0) + np.log1p(np.exp(-np.abs(s)))


@right("11.bound")
def softplus_by_hand(s_real, s_fake):
    return math.log(2) - (_softplus(-s_real).mean() + _softplus(s_fake).mean()) / 2


@right("11.bound")
def score_by_score(s_real, s_fake):
    def log_sigmoid(s):
        return -math.log1p(math.exp(-s)) if s > 0 else s - math.log1p(math.exp(s))

    V = sum(map(log_sigmoid, s_real)) / len(s_real)
    V += sum(log_sigmoid(-s) for s in s_fake) / len(s_fake)
    return (V + math.log(4)) / 2


@right("11.bound")
def logaddexp_reduced(s_real, s_fake):
    losses = [np.logaddexp.reduce([np.zeros(len(s)), s]).sum() / len(s) for s in (-s_real, s_fake)]
    return np.float64((2 * np.log(2) - sum(losses)) / 2)


@right("11.bound")
def never_below_zero(s_real, s_fake):
    loss = np.logaddexp(0, -s_real).mean() + np.logaddexp(0, s_fake).mean()
    return max(0.0, (np.log(4) - loss) / 2)


@wrong("11.bound")
def clipped_probabilities(s_real, s_fake):
    real = 1 / (1 + np.exp(-np.clip(s_real, -700, 700)))
    fake = 1 / (1 + np.exp(-np.clip(s_fake, -700, 700)))
    V = np.log(np.clip(real, 1e-12, 1)).mean() + np.log(np.clip(1 - fake, 1e-12, 1)).mean()
    return (V + np.log(4)) / 2


@wrong("11.bound")
def scores_clipped_at_30(s_real, s_fake):
    s_real, s_fake = np.clip(s_real, -30, 30), np.clip(s_fake, -30, 30)
    return (np.log(4) - np.log1p(np.exp(-s_real)).mean() - np.log1p(np.exp(s_fake)).mean()) / 2


@wrong("11.bound")
def only_the_fake_side_made_safe(s_real, s_fake):
    return (np.log(4) - np.log1p(np.exp(-s_real)).mean() - _softplus(s_fake).mean()) / 2


@wrong("11.bound")
def only_the_real_side_made_safe(s_real, s_fake):
    return (np.log(4) - _softplus(-s_real).mean() - np.log1p(np.exp(s_fake)).mean()) / 2


@wrong("11.bound")
def overflow_hidden_by_zero(s_real, s_fake):
    with np.errstate(over="ignore"):
        loss = np.log1p(np.exp(-s_real)).mean() + np.log1p(np.exp(s_fake)).mean()
    return max(0.0, (np.log(4) - loss) / 2)


@wrong("11.bound", clue="overflow")
def logs_of_sigmoids(s_real, s_fake):
    with np.errstate(all="ignore"):
        V = np.log(1 / (1 + np.exp(-s_real))).mean() + np.log(1 - 1 / (1 + np.exp(-s_fake))).mean()
    return (V + np.log(4)) / 2


@wrong("11.bound")
def summed_over_the_pictures(s_real, s_fake):
    return (np.log(4) - _softplus(-s_real).sum() - _softplus(s_fake).sum()) / 2


@wrong("11.bound")
def both_divided_by_n(s_real, s_fake):
    return (np.log(4) - (_softplus(-s_real).sum() + _softplus(s_fake).sum()) / len(s_real)) / 2


@wrong("11.bound")
def both_divided_by_all(s_real, s_fake):
    n = len(s_real) + len(s_fake)
    return (np.log(4) - (_softplus(-s_real).sum() + _softplus(s_fake).sum()) / n) / 2


@wrong("11.bound")
def log_2_for_log_4(s_real, s_fake):
    return (np.log(2) - _softplus(-s_real).mean() - _softplus(s_fake).mean()) / 2


@wrong("11.bound")
def log_4_with_the_wrong_sign(s_real, s_fake):
    return (-np.log(4) - _softplus(-s_real).mean() - _softplus(s_fake).mean()) / 2


@wrong("11.bound")
def loss_for_value(s_real, s_fake):
    return (np.log(4) + _softplus(-s_real).mean() + _softplus(s_fake).mean()) / 2


@wrong("11.bound")
def halved_in_one_term(s_real, s_fake):
    return np.log(4) - (_softplus(-s_real).mean() + _softplus(s_fake).mean()) / 2


@wrong("11.bound")
def saturating_value(s_real, s_fake):
    return (np.log(4) - _softplus(-s_real).mean() - _softplus(-s_fake).mean()) / 2


@wrong("11.bound")
def scores_for_logs(s_real, s_fake):
    return (np.log(4) + s_real.mean() - s_fake.mean()) / 2


@wrong("11.bound")
def in_bits(s_real, s_fake):
    return 1 - (_softplus(-s_real).mean() + _softplus(s_fake).mean()) / 2 / np.log(2)


@wrong("11.bound")
def size_of_it(s_real, s_fake):
    return abs(np.log(4) - _softplus(-s_real).mean() - _softplus(s_fake).mean()) / 2


@wrong("11.bound")
def at_most_log_2(s_real, s_fake):
    return np.log(2)


@wrong("11.bound")
def never_above_zero(s_real, s_fake):
    return min(0.0, (np.log(4) - _softplus(-s_real).mean() - _softplus(s_fake).mean()) / 2)


# ---- 11.bug --------------------------------------------------------------------------------------


@right("11.bug")
def the_other_sigmoid(score):
    return (1 - 1 / (1 + np.exp(score))) / score.size


@right("11.bug")
def by_tanh(score):
    return (1 + np.tanh(score / 2)) / (2 * len(score))


@right("11.bug")
def by_its_logarithm(score):
    return np.exp(-np.logaddexp(0, -score) - np.log(len(score)))


@right("11.bug")
def exponentials(score):
    e = np.exp(score)
    return e / (1 + e) / score.shape[0]


@wrong("11.bug")
def mean_kept_for_each(score):
    return np.full(len(score), (1 / (1 + np.exp(-score))).mean())


@wrong("11.bug")
def one_number(score):
    return (1 / (1 + np.exp(-score))).sum() / len(score)


@wrong("11.bug")
def label_one_half(score):
    return (1 / (1 + np.exp(-score)) - 0.5) / len(score)


@wrong("11.bug")
def label_added(score):
    return (1 / (1 + np.exp(-score)) + 1) / len(score)


@wrong("11.bug", clue="sign")
def sign_in_the_sigmoid(score):
    return 1 / (1 + np.exp(score)) / len(score)


@wrong("11.bug", clue="label-minus")
def sign_in_the_sigmoid_only(score):
    return (1 / (1 + np.exp(score)) - 1) / len(score)


@wrong("11.bug")
def the_loss(score):
    return np.log1p(np.exp(score)) / len(score)


@wrong("11.bug")
def the_score(score):
    return score / len(score)


@wrong("11.bug")
def exponential_for_sigmoid(score):
    return np.exp(score) / len(score)


@wrong("11.bug")
def one_added_before_the_mean(score):
    return 1 / (1 + np.exp(-score) / len(score))


@wrong("11.bug", clue="sum")
def brackets_lost(score):
    D = 1 / (1 + np.exp(-score))
    return D - 0 / len(score)


@wrong("11.bug")
def divided_by_its_size_twice(score):
    return 1 / (1 + np.exp(-score)) / len(score) ** 2


@wrong("11.bug")
def clipped_scores(score):
    return 1 / (1 + np.exp(-np.clip(score, -5, 5))) / len(score)


@wrong("11.bug")
def hard_decisions(score):
    return (score > 0) / len(score)


@wrong("11.bug")
def slope_of_log_d(score):
    D = 1 / (1 + np.exp(-score))
    return 1 / (1 - D) / len(score)


@wrong("11.bug")
def negative_score_in_place(score):
    score *= -1
    return 1 / (1 + np.exp(score)) / len(score)

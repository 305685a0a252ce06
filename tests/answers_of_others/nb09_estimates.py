"""Notebook 09: answers to `09.too-low` and `09.missing-nats`."""

import math

import numpy as np
from answers_of_others.registry import right, wrong

LOG_2PI = np.log(2 * np.pi)


def log_mean(log_w):
    return np.logaddexp.reduce(log_w, axis=0) - np.log(len(log_w))


# ---- 09.too-low ----------------------------------------------------------------------------------


@right("09.too-low")
def a_variance_of_its_own(log_joint, logvar, eps, widen):
    wider = logvar + np.log(widen**2)
    away = np.exp(wider / 2) * eps
    log_q = -0.5 * (away**2 / np.exp(wider) + wider + LOG_2PI).sum(axis=1)
    return log_mean(log_joint - log_q)


@right("09.too-low")
def once_at_the_end(log_joint, logvar, eps, widen):
    log_w = log_joint + 0.5 * (eps**2 + logvar + LOG_2PI).sum(axis=1)
    top = max(log_w)
    return top + math.log(np.mean(np.exp(log_w - top))) + len(logvar) * math.log(widen)


@right("09.too-low")
def sample_by_sample(log_joint, logvar, eps, widen):
    logs = []
    for joint, row in zip(log_joint, eps, strict=True):
        log_q = 0.0
        for v, e in zip(logvar, row, strict=True):
            log_q -= (e * e + v + math.log(2 * math.pi)) / 2 + math.log(widen)
        logs.append(joint - log_q)
    top = max(logs)
    return top + math.log(sum(math.exp(each - top) for each in logs) / len(logs))


@right("09.too-low")
def by_the_density_itself(log_joint, logvar, eps, widen):
    sd = widen * np.exp(logvar / 2)
    density = np.prod(np.exp(-((sd * eps / sd) ** 2) / 2) / (sd * np.sqrt(2 * np.pi)), axis=1)
    return log_mean(log_joint - np.log(density))


def with_density(log_q):
    """The estimate with log_q(logvar, eps, widen), (K, L), for the proposal's log density."""

    def estimate(log_joint, logvar, eps, widen):
        return log_mean(log_joint - log_q(logvar, eps, widen).sum(axis=1))

    estimate.__name__ = log_q.__name__
    return estimate


@wrong("09.too-low")
@with_density
def eps_divided(logvar, eps, widen):
    return -0.5 * ((eps / widen) ** 2 + logvar + 2 * np.log(widen) + LOG_2PI)


@wrong("09.too-low")
@with_density
def logvar_times_widen(logvar, eps, widen):
    return -0.5 * (eps**2 + widen * logvar + LOG_2PI)


@wrong("09.too-low")
@with_density
def logvar_plus_widen(logvar, eps, widen):
    return -0.5 * (eps**2 + logvar + widen + LOG_2PI)


@wrong("09.too-low")
@with_density
def log_squared_for_log_of_the_square(logvar, eps, widen):
    return -0.5 * (eps**2 + logvar + np.log(widen) ** 2 + LOG_2PI)


@wrong("09.too-low")
@with_density
def two_pi_dropped_as_a_constant(logvar, eps, widen):
    return -0.5 * (eps**2 + logvar + 2 * np.log(widen))


@wrong("09.too-low")
def log_widen_for_each_sample(log_joint, logvar, eps, widen):
    log_q = -0.5 * (eps**2 + logvar + LOG_2PI).sum(axis=1) - len(eps) * np.log(widen)
    return log_mean(log_joint - log_q)


@wrong("09.too-low")
def added_to_the_density(log_joint, logvar, eps, widen):
    log_q = -0.5 * (eps**2 + logvar + LOG_2PI).sum(axis=1) + np.log(widen)
    return log_mean(log_joint - log_q)


@wrong("09.too-low")
def times_widen_and_not_its_log(log_joint, logvar, eps, widen):
    log_q = -0.5 * (eps**2 + logvar + LOG_2PI).sum(axis=1)
    return widen * log_mean(log_joint - log_q)


@wrong("09.too-low")
def normalised_over_the_samples(log_joint, logvar, eps, widen):
    log_q = -0.5 * (eps**2 + logvar + 2 * np.log(widen) + LOG_2PI).sum(axis=1)
    return log_mean(log_joint - (log_q - np.logaddexp.reduce(log_q)))


@wrong("09.too-low")
def the_largest_weight(log_joint, logvar, eps, widen):
    log_q = -0.5 * (eps**2 + logvar + 2 * np.log(widen) + LOG_2PI).sum(axis=1)
    return (log_joint - log_q).max()


@wrong("09.too-low")
def the_sum_of_the_weights(log_joint, logvar, eps, widen):
    log_q = -0.5 * (eps**2 + logvar + 2 * np.log(widen) + LOG_2PI).sum(axis=1)
    return np.logaddexp.reduce(log_joint - log_q)


@wrong("09.too-low")
def without_taking_the_largest_out(log_joint, logvar, eps, widen):
    log_q = -0.5 * (eps**2 + logvar + 2 * np.log(widen) + LOG_2PI).sum(axis=1)
    return np.log(np.exp(log_joint - log_q).mean())


@wrong("09.too-low")
def the_first_taken_out(log_joint, logvar, eps, widen):
    log_q = -0.5 * (eps**2 + logvar + 2 * np.log(widen) + LOG_2PI).sum(axis=1)
    log_w = log_joint - log_q
    return log_w[0] + np.log(np.exp(log_w - log_w[0]).mean())


@wrong("09.too-low")
def logvar_changed_in_place(log_joint, logvar, eps, widen):
    logvar += 2 * np.log(widen)
    return log_mean(log_joint + 0.5 * (eps**2 + logvar + LOG_2PI).sum(axis=1))


# ---- 09.missing-nats -----------------------------------------------------------------------------


@right("09.missing-nats")
def by_effective_samples(log_w, K):
    w = np.exp(log_w - log_w.max(axis=0))
    ess = w.sum(axis=0) ** 2 / (w**2).sum(axis=0)
    return (len(log_w) / ess - 1) / (2 * K)


@right("09.missing-nats")
def moments_in_logs(log_w, K):
    return np.expm1(log_mean(2 * log_w) - 2 * log_mean(log_w)) / K / 2


@right("09.missing-nats")
def image_by_image(log_w, K):
    missing = []
    for column in log_w.T:
        w = [math.exp(each - max(column)) for each in column]
        p = sum(w) / len(w)
        missing.append(sum((each / p - 1) ** 2 for each in w) / len(w) / (2 * K))
    return np.array(missing)


@right("09.missing-nats")
def squared_coefficient_of_variation(log_w, K):
    w = np.exp(log_w - np.max(log_w, axis=0, keepdims=True))
    return 0.5 * (np.std(w, axis=0) / np.mean(w, axis=0)) ** 2 / K


@wrong("09.missing-nats")
def gap_of_one_sample_shared_out(log_w, K):
    return (log_mean(log_w) - log_w.mean(axis=0)) / K


@wrong("09.missing-nats")
def variance_of_the_pilot_mean(log_w, K):
    w = np.exp(log_w - log_mean(log_w))
    return w.var(axis=0) / (2 * K * len(w))


@wrong("09.missing-nats")
def root_of_K(log_w, K):
    return np.exp(log_w - log_mean(log_w)).var(axis=0) / (2 * np.sqrt(K))


@wrong("09.missing-nats")
def divided_by_effective_samples(log_w, K):
    w = np.exp(log_w - log_w.max(axis=0))
    ess = w.sum(axis=0) ** 2 / (w**2).sum(axis=0)
    return np.exp(log_w - log_mean(log_w)).var(axis=0) / (2 * ess)


@wrong("09.missing-nats")
def K_in_place_of_n(log_w, K):
    w = np.exp(log_w - log_w.max(axis=0))
    ess = w.sum(axis=0) ** 2 / (w**2).sum(axis=0)
    return (K / ess - 1) / (2 * K)


@wrong("09.missing-nats")
def divided_by_the_sum(log_w, K):
    w = np.exp(log_w - log_w.max(axis=0))
    return (w / w.sum(axis=0)).var(axis=0) / (2 * K)


@wrong("09.missing-nats")
def one_number_for_all_images(log_w, K):
    return np.exp(log_w - log_mean(log_w)).var() / (2 * K)


@wrong("09.missing-nats")
def mean_of_the_images(log_w, K):
    return (np.exp(log_w - log_mean(log_w)).var(axis=0) / (2 * K)).mean()


@wrong("09.missing-nats")
def mean_not_squared(log_w, K):
    w = np.exp(log_w - log_w.max(axis=0))
    return w.var(axis=0) / w.mean(axis=0) / (2 * K)


@wrong("09.missing-nats")
def the_first_weight_taken_out(log_w, K):
    w = np.exp(log_w - log_w[0])
    return (w / w.mean(axis=0)).var(axis=0) / (2 * K)


@wrong("09.missing-nats")
def the_mean_log_taken_out(log_w, K):
    w = np.exp(log_w - log_w.mean(axis=0))
    return (w / w.mean(axis=0)).var(axis=0) / (2 * K)


@wrong("09.missing-nats")
def divided_by_the_median(log_w, K):
    w = np.exp(log_w - log_w.max(axis=0))
    return (w / np.median(w, axis=0)).var(axis=0) / (2 * K)


@wrong("09.missing-nats")
def absolute_deviation(log_w, K):
    w = np.exp(log_w - log_mean(log_w))
    return np.abs(w - 1).mean(axis=0) / (2 * K)


@wrong("09.missing-nats")
def in_bits(log_w, K):
    return np.exp(log_w - log_mean(log_w)).var(axis=0) / (2 * K * np.log(2))


@wrong("09.missing-nats")
def bound_of_the_first_K(log_w, K):
    return log_mean(log_w) - log_mean(log_w[:K])


@wrong("09.missing-nats")
def the_third_of_the_cube(log_w, K):
    d = np.exp(log_w - log_mean(log_w)) - 1
    return ((d**2).mean(axis=0) / 2 - (d**3).mean(axis=0) / 3) / K


@wrong("09.missing-nats")
def weights_written_into_log_w(log_w, K):
    log_w -= log_w.max(axis=0)
    w = np.exp(log_w)
    return (w / w.mean(axis=0)).var(axis=0) / (2 * K)

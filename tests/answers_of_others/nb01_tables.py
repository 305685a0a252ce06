"""Notebook 01: answers to `01.evidence` and `01.ancestral`."""

from bisect import bisect_right
from itertools import accumulate

import numpy as np
from answers_of_others.registry import right, wrong

# ---- 01.evidence ---------------------------------------------------------------------------------


@right("01.evidence")
def with_einsum(prior, likelihood):
    return np.einsum("z,zx,zy->xy", prior, likelihood, likelihood)


@right("01.evidence")
def a_diagonal_matrix_between(prior, likelihood):
    return likelihood.T @ np.diag(prior) @ likelihood


@right("01.evidence")
def outer_products_added_up(prior, likelihood):
    return sum(p * np.outer(row, row) for p, row in zip(prior, likelihood, strict=True))


@right("01.evidence")
def first_then_second_given_first(prior, likelihood):
    joint = prior[:, None] * likelihood
    return [list(joint[:, x] @ likelihood) for x in range(likelihood.shape[1])]


@right("01.evidence")
def square_roots_of_the_prior(prior, likelihood):
    half = np.sqrt(prior)[:, None] * likelihood
    return np.tensordot(half, half, (0, 0))


@wrong("01.evidence", clue="second-given-first")
def second_given_first(prior, likelihood):
    pair = with_einsum(prior, likelihood)
    return pair / pair.sum(axis=1, keepdims=True)


@wrong("01.evidence")
def same_picture_only(prior, likelihood):
    return np.diag(prior @ likelihood**2)


@wrong("01.evidence")
def chance_of_the_same_picture(prior, likelihood):
    return float((prior @ likelihood**2).sum())


@wrong("01.evidence", clue="plain-mean")
def uniform_prior(prior, likelihood):
    return likelihood.T @ likelihood / len(prior)


@wrong("01.evidence")
def pairs_in_no_order(prior, likelihood):
    pair = with_einsum(prior, likelihood)
    return pair + np.triu(pair, 1) + np.tril(pair, -1)


@wrong("01.evidence")
def upper_half_filled(prior, likelihood):
    return np.triu(with_einsum(prior, likelihood))


@wrong("01.evidence")
def most_probable_cause_only(prior, likelihood):
    z = prior.argmax()
    return prior[z] * np.outer(likelihood[z], likelihood[z])


@wrong("01.evidence", clue="best-z")
def largest_term_for_the_sum(prior, likelihood):
    return (prior[:, None, None] * likelihood[:, :, None] * likelihood[:, None, :]).max(axis=0)


@wrong("01.evidence", clue="log")
def logs(prior, likelihood):
    with np.errstate(divide="ignore"):
        return np.log(with_einsum(prior, likelihood))


@wrong("01.evidence")
def two_causes_written_in(prior, likelihood):
    first, last = likelihood[0], likelihood[-1]
    return prior[0] * np.outer(first, first) + prior[-1] * np.outer(last, last)


@wrong("01.evidence")
def changes_the_table(prior, likelihood):
    weighted = likelihood
    weighted *= np.sqrt(prior)[:, None]
    return weighted.T @ weighted


@wrong("01.evidence", clue="plain-mean")
def rest_to_make_it_one(prior, likelihood):
    pair = likelihood.T @ likelihood
    return pair / pair.sum()


@wrong("01.evidence")
def second_of_a_mean_cause(prior, likelihood):
    return np.outer(prior @ likelihood, likelihood.mean(axis=0))


@wrong("01.evidence")
def two_different_causes(prior, likelihood):
    p_x = prior @ likelihood
    return np.outer(p_x, p_x) - (prior[:, None] ** 2 * likelihood).T @ likelihood


@wrong("01.evidence")
def in_single_precision(prior, likelihood):
    return with_einsum(prior, likelihood).astype(np.float32)


@wrong("01.evidence")
def root_of_the_prior(prior, likelihood):
    return likelihood.T @ (np.sqrt(prior)[:, None] * likelihood)


@wrong("01.evidence", clue="not-summed")
def kept_for_each_cause(prior, likelihood):
    return prior[:, None, None] * likelihood[:, :, None] * likelihood[:, None, :]


# ---- 01.ancestral --------------------------------------------------------------------------------


@right("01.ancestral")
def counting_the_passed(prior, likelihood, u):
    z = (np.cumsum(prior)[:-1] <= u[:, :1]).sum(axis=1)
    x = (np.cumsum(likelihood, axis=1)[z, :-1] <= u[:, 1:]).sum(axis=1)
    return z, x


@right("01.ancestral")
def with_bisect(prior, likelihood, u):
    def pick(row, at):
        return bisect_right(list(accumulate(row))[:-1], at)

    z = [pick(prior, a) for a, _ in u]
    return z, [pick(likelihood[k], b) for k, (_, b) in zip(z, u, strict=True)]


@right("01.ancestral")
def with_digitize(prior, likelihood, u):
    z = np.digitize(u[:, 0], np.cumsum(prior)[:-1])
    ends = np.cumsum(likelihood, axis=1)
    x = np.array([np.digitize(b, ends[k][:-1]) for k, b in zip(z, u[:, 1], strict=True)], int)
    return [z, x]


@right("01.ancestral")
def walking_along(prior, likelihood, u):
    def pick(row, left):
        for k in range(len(row) - 1):
            if left < row[k]:
                return k
            left -= row[k]
        return len(row) - 1

    z = np.array([pick(prior, a) for a in u[:, 0]], int)
    return z, np.array([pick(likelihood[k], b) for k, b in zip(z, u[:, 1], strict=True)], int)


def picked(rows, u):
    """For each row of probabilities (N, X) the place where its uniform falls."""
    return (np.cumsum(rows, axis=1)[:, :-1] <= u[:, None]).sum(axis=1)


@wrong("01.ancestral")
def uniforms_turned_round(prior, likelihood, u):
    return counting_the_passed(prior, likelihood, 1 - u)


@wrong("01.ancestral")
def from_the_other_end(prior, likelihood, u):
    z, x = counting_the_passed(prior[::-1], likelihood[::-1, ::-1], u)
    return len(prior) - 1 - z, likelihood.shape[1] - 1 - x


@wrong("01.ancestral", clue="uniform-z")
def prior_forgotten(prior, likelihood, u):
    z = (u[:, 0] * len(prior)).astype(int)
    return z, picked(likelihood[z], u[:, 1])


@wrong("01.ancestral", clue="likeliest-x")
def likeliest_x(prior, likelihood, u):
    z = np.searchsorted(np.cumsum(prior)[:-1], u[:, 0], side="right")
    return z, likelihood[z].argmax(axis=1)


@wrong("01.ancestral", clue="x-from-evidence")
def x_from_the_evidence(prior, likelihood, u):
    z = np.searchsorted(np.cumsum(prior)[:-1], u[:, 0], side="right")
    return z, np.searchsorted(np.cumsum(prior @ likelihood)[:-1], u[:, 1], side="right")


@wrong("01.ancestral")
def one_cause_for_all(prior, likelihood, u):
    z = np.full(len(u), np.searchsorted(np.cumsum(prior)[:-1], u[0, 0], side="right"))
    return z, picked(likelihood[z], u[:, 1])


@wrong("01.ancestral")
def rows_of_pairs(prior, likelihood, u):
    return np.stack(counting_the_passed(prior, likelihood, u), axis=1)


@wrong("01.ancestral")
def coins_of_its_own(prior, likelihood, u):
    return counting_the_passed(prior, likelihood, np.random.default_rng(0).random(u.shape))


@wrong("01.ancestral")
def two_of_each_written_in(prior, likelihood, u):
    z = (u[:, 0] >= prior[0]).astype(int)
    return z, (u[:, 1] >= likelihood[z, 0]).astype(int)


@wrong("01.ancestral")
def passed_without_the_sum(prior, likelihood, u):
    z = (prior[:-1] <= u[:, :1]).sum(axis=1)
    return z, (likelihood[z, :-1] <= u[:, 1:]).sum(axis=1)


@wrong("01.ancestral")
def cumulated_over_the_whole_table(prior, likelihood, u):
    z = np.searchsorted(np.cumsum(prior)[:-1], u[:, 0], side="right")
    ends = np.cumsum(likelihood).reshape(likelihood.shape)[z, :-1]
    return z, (ends <= u[:, 1:]).sum(axis=1)


@wrong("01.ancestral", clue="side")
def edge_belongs_to_the_lower(prior, likelihood, u):
    z = np.searchsorted(np.cumsum(prior)[:-1], u[:, 0])
    return z, (np.cumsum(likelihood, axis=1)[z, :-1] < u[:, 1:]).sum(axis=1)


@wrong("01.ancestral")
def edge_belongs_to_the_lower_for_x(prior, likelihood, u):
    z = np.searchsorted(np.cumsum(prior)[:-1], u[:, 0], side="right")
    return z, (np.cumsum(likelihood, axis=1)[z, :-1] < u[:, 1:]).sum(axis=1)


@wrong("01.ancestral")
def cumulates_in_place(prior, likelihood, u):
    z = (np.cumsum(prior)[:-1] <= u[:, :1]).sum(axis=1)
    np.cumsum(likelihood, axis=1, out=likelihood)
    return z, (likelihood[z, :-1] <= u[:, 1:]).sum(axis=1)


@wrong("01.ancestral")
def only_x(prior, likelihood, u):
    return counting_the_passed(prior, likelihood, u)[1]

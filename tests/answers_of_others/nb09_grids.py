"""Notebook 09: answers to `09.family-gap` and `09.refine`."""

import math

import numpy as np
from answers_of_others.registry import right, wrong

# ---- 09.family-gap -------------------------------------------------------------------------------


@right("09.family-gap")
def correlation_of_the_precision(cov):
    precision = np.linalg.inv(cov)
    scale = np.sqrt(np.diag(precision))
    return -0.5 * np.linalg.slogdet(precision / np.outer(scale, scale))[1]


@right("09.family-gap")
def entropies(cov):
    variances = 1 / np.linalg.inv(cov).diagonal()
    return np.log(np.linalg.det(cov) / np.prod(variances)) / 2


@right("09.family-gap")
def eigenvalues_and_vectors(cov):
    values, vectors = np.linalg.eigh(cov)
    precision_diagonal = (vectors**2 / values).sum(axis=1)
    return float(np.log(values).sum() + np.log(precision_diagonal).sum()) / 2


@right("09.family-gap")
def kl_of_the_conditional_widths(cov):
    variances = []
    for i in range(len(cov)):
        rest = [j for j in range(len(cov)) if j != i]
        explained = cov[i, rest] @ np.linalg.solve(cov[np.ix_(rest, rest)], cov[rest, i])
        variances.append(cov[i, i] - explained)
    fit = sum(p * v for p, v in zip(np.diag(np.linalg.inv(cov)), variances, strict=True))
    log_det = 2 * np.log(np.diag(np.linalg.cholesky(cov))).sum()
    return 0.5 * (fit - len(cov) + log_det - sum(map(math.log, variances)))


@wrong("09.family-gap")
def precision_entry_by_entry(cov):
    return 0.5 * (np.log(np.diag(1 / cov)).sum() + np.linalg.slogdet(cov)[1])


@wrong("09.family-gap")
def determinant_not_logged(cov):
    return 0.5 * (np.log(np.diag(np.linalg.inv(cov))).sum() + np.linalg.det(cov))


@wrong("09.family-gap")
def determinant_of_the_precision(cov):
    precision = np.linalg.inv(cov)
    return 0.5 * (np.log(np.diag(precision)).sum() + np.linalg.slogdet(precision)[1])


@wrong("09.family-gap")
def half_on_the_determinant_only(cov):
    return np.log(np.diag(np.linalg.inv(cov))).sum() + 0.5 * np.linalg.slogdet(cov)[1]


@wrong("09.family-gap")
def mean_over_the_latents(cov):
    precision = np.linalg.inv(cov)
    return 0.5 * (np.log(np.diag(precision)).sum() + np.linalg.slogdet(cov)[1]) / len(cov)


@wrong("09.family-gap")
def in_bits(cov):
    precision = np.linalg.inv(cov)
    return 0.5 * (np.log2(np.diag(precision)).sum() + np.log2(np.linalg.det(cov)))


@wrong("09.family-gap")
def trace_forgotten_for_the_marginals(cov):
    return 0.5 * (np.linalg.slogdet(cov)[1] - np.log(np.diag(cov)).sum())


@wrong("09.family-gap")
def off_the_diagonal_squared(cov):
    scale = np.sqrt(np.diag(cov))
    corr = cov / np.outer(scale, scale)
    return np.sum(np.triu(corr, 1) ** 2) / 2


@wrong("09.family-gap")
def one_width_for_all_latents(cov):
    precision = np.linalg.inv(cov)
    return 0.5 * (len(cov) * np.log(np.diag(precision).mean()) + np.linalg.slogdet(cov)[1])


@wrong("09.family-gap", clue="other-direction")
def along_its_own_axes(cov):
    values = np.linalg.eigvalsh(cov)
    return 0.5 * (np.log(np.diag(cov)) - np.log(values)).sum()


@wrong("09.family-gap")
def to_the_prior(cov):
    return 0.5 * (np.trace(cov) - len(cov) - np.linalg.slogdet(cov)[1])


@wrong("09.family-gap")
def roots_of_the_widths(cov):
    sigma = np.sqrt(1 / np.diag(np.linalg.inv(cov)))
    return 0.5 * (np.linalg.slogdet(cov)[1] - np.log(sigma).sum())


@wrong("09.family-gap")
def one_pair_of_the_precision(cov):
    precision = np.linalg.inv(cov)
    return -0.5 * np.log(1 - precision[0, 1] ** 2 / (precision[0, 0] * precision[1, 1]))


@wrong("09.family-gap")
def each_latent_given_the_one_before(cov):
    scale = np.sqrt(np.diag(cov))
    rho = np.diag(cov / np.outer(scale, scale), 1)
    return -0.5 * np.log(1 - rho**2).sum()


@wrong("09.family-gap")
def no_gap(cov):
    return 0.0


@wrong("09.family-gap")
def one_number_for_each_latent(cov):
    return 0.5 * np.log(np.diag(np.linalg.inv(cov)) * np.diag(cov))


# ---- 09.refine -----------------------------------------------------------------------------------


def on_middles(log_f, cells, low=-6.0, high=6.0):
    """The log of the sum on so many cells of one width."""
    h = (high - low) / cells
    return np.logaddexp.reduce(log_f(low + h * (np.arange(cells) + 0.5))) + np.log(h)


@right("09.refine")
def doubling_the_cells(log_f, tolerance):
    cells, before = 12, None
    while True:
        now = on_middles(log_f, cells)
        if before is not None and abs(now - before) < tolerance:
            return now
        cells, before = 2 * cells, now


@right("09.refine")
def trapezoids_that_keep_their_sum(log_f, tolerance):
    h = 0.5
    heights = log_f(np.linspace(-6, 6, 25))
    heights[[0, -1]] -= np.log(2)
    log_sum = np.logaddexp.reduce(heights)
    while True:
        between = log_f(np.arange(-6 + h / 2, 6, h))
        finer = np.logaddexp(log_sum, np.logaddexp.reduce(between))
        moved = finer + np.log(h / 2) - (log_sum + np.log(h))
        log_sum, h = finer, h / 2
        if np.abs(moved) < tolerance:
            return log_sum + np.log(h)


@right("09.refine")
def by_recursion(log_f, tolerance, cells=16, before=math.inf):
    z = np.linspace(-6, 6, cells + 1)
    heights = log_f((z[1:] + z[:-1]) / 2)
    now = heights.max() + np.log(np.exp(heights - heights.max()).mean() * 12)
    if abs(now - before) < tolerance:
        return now
    return by_recursion(log_f, tolerance, 3 * cells, now)


@right("09.refine")
def quiet_twice_in_a_row(log_f, tolerance):
    last = [on_middles(log_f, 20), np.inf, -np.inf]
    cells = 20
    while max(last) - min(last) > tolerance:
        cells *= 2
        last = [on_middles(log_f, cells), *last[:2]]
    return last[0]


@right("09.refine")
def only_where_the_mass_is(log_f, tolerance):
    h, z, before = 0.5, np.arange(-5.75, 6, 0.5), np.inf
    while True:
        heights = log_f(z)
        now = np.logaddexp.reduce(heights) + np.log(h)
        if abs(now - before) < tolerance / 4:
            return now
        before, near = now, z[heights > heights.max() - 1e9 * h * h - 60]
        z, h = np.concatenate([near - h / 4, near + h / 4]), h / 2


@wrong("09.refine")
def ten_halvings(log_f, tolerance):
    return on_middles(log_f, 12 * 2**10)


@wrong("09.refine", clue="one-fine-grid")
def step_as_small_as_the_tolerance(log_f, tolerance):
    return on_middles(log_f, round(12 / tolerance))


@wrong("09.refine")
def stops_when_it_falls(log_f, tolerance):
    cells, before, now = 12, -np.inf, on_middles(log_f, 12)
    while now - before > tolerance:
        cells *= 2
        before, now = now, on_middles(log_f, cells)
    return now


@wrong("09.refine")
def relative_to_the_log(log_f, tolerance):
    cells, before, now = 12, np.inf, on_middles(log_f, 12)
    while abs(now - before) > tolerance * abs(now):
        cells *= 2
        before, now = now, on_middles(log_f, cells)
    return now


@wrong("09.refine")
def until_the_largest_stands_still(log_f, tolerance):
    cells, before = 12, np.inf
    while True:
        z = np.linspace(-6, 6, cells)
        top = log_f(z).max()
        if abs(top - before) < tolerance:
            return top
        cells, before = 2 * cells, top


@wrong("09.refine")
def width_of_the_first_grid(log_f, tolerance):
    cells, before, now = 12, np.inf, on_middles(log_f, 12)
    while abs(now - before) > tolerance:
        cells *= 2
        before, now = now, on_middles(log_f, cells)
    return now - np.log(12 / cells)


@wrong("09.refine")
def compared_without_the_log(log_f, tolerance):
    cells, before, now = 12, np.inf, on_middles(log_f, 12)
    while abs(np.exp(now) - np.exp(before)) > tolerance:
        cells *= 2
        before, now = now, on_middles(log_f, cells)
    return now


@wrong("09.refine")
def a_smaller_box(log_f, tolerance):
    cells, before, now = 12, np.inf, on_middles(log_f, 12, -5, 5)
    while abs(now - before) > tolerance:
        cells *= 2
        before, now = now, on_middles(log_f, cells, -5, 5)
    return now


@wrong("09.refine")
def a_larger_box(log_f, tolerance):
    cells, before, now = 16, np.inf, on_middles(log_f, 16, -8, 8)
    while abs(now - before) > tolerance:
        cells *= 2
        before, now = now, on_middles(log_f, cells, -8, 8)
    return now


@wrong("09.refine")
def box_enlarged_until_nothing_changes(log_f, tolerance):
    box, before, now = 3, np.inf, on_middles(log_f, 600_000, -3, 3)
    while abs(now - before) > tolerance:
        box *= 2
        before, now = now, on_middles(log_f, 200_000 * box, -box, box)
    return now


@wrong("09.refine")
def by_random_points(log_f, tolerance):
    z = np.random.default_rng(0).uniform(-6, 6, 90_000)
    return np.logaddexp.reduce(log_f(z)) + np.log(12 / len(z))


@wrong("09.refine")
def a_normal_at_the_top(log_f, tolerance):
    z = np.linspace(-6, 6, 90_001)
    i, h = log_f(z).argmax(), 1e-3
    curve = (log_f(z[[i]] + h) + log_f(z[[i]] - h) - 2 * log_f(z[[i]]))[0] / h**2
    return log_f(z[[i]])[0] + 0.5 * np.log(2 * np.pi / max(-curve, 1e-9))


@wrong("09.refine")
def one_number_at_each_step(log_f, tolerance):
    found = [on_middles(log_f, 12)]
    while len(found) < 2 or abs(found[-1] - found[-2]) > tolerance:
        found.append(on_middles(log_f, 12 * 2 ** len(found)))
    return np.array(found)


@wrong("09.refine")
def a_loose_tolerance(log_f, tolerance):
    cells, before, now = 12, np.inf, on_middles(log_f, 12)
    while abs(now - before) > 100 * tolerance:
        cells *= 2
        before, now = now, on_middles(log_f, cells)
    return now


@wrong("09.refine")
def heights_in_single_precision(log_f, tolerance):
    cells, before, now = 12, np.inf, 0.0
    while abs(now - before) > tolerance and cells < 10**6:
        cells, before = 2 * cells, now
        z = np.linspace(-6, 6, cells, dtype=np.float32)
        now = np.logaddexp.reduce(log_f(z).astype(np.float32)) + np.log(12 / cells)
    return now


@wrong("09.refine")
def finest_for_all(log_f, tolerance):
    return on_middles(log_f, 2_000_000)

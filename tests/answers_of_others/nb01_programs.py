"""Notebook 01: answers to `01.forwards` and `01.settled`."""

import math

import numpy as np
from answers_of_others.registry import right, wrong

# ---- 01.forwards ---------------------------------------------------------------------------------


@right("01.forwards")
def an_attempt_for_each_symptom(prior, cause, leak, n, seed):
    coins = np.random.default_rng(seed)
    ill = coins.random((n, len(prior))) < prior
    leaks = coins.random((n, len(leak))) < leak
    attempts = coins.random((n, *cause.shape)) < cause
    return leaks | (attempts & ill[:, :, None]).any(axis=1)


@right("01.forwards")
def by_the_formula(prior, cause, leak, n, seed):
    rng = np.random.default_rng(seed)
    ill = rng.random((n, len(prior))) < prior
    absent = (1 - leak) * np.where(ill[:, :, None], 1 - cause, 1).prod(axis=1)
    return rng.binomial(1, 1 - absent)


@right("01.forwards")
def disease_after_disease(prior, cause, leak, n, seed):
    rng = np.random.default_rng([seed, 1])
    found = (rng.random((n, len(leak))) < leak).astype(int)
    for chance, row in zip(prior, cause, strict=True):
        has_it = rng.random((n, 1)) < chance
        found |= has_it & (rng.random(found.shape) < row)
    return found


def simulated_by(rule):
    """An answer from a rule: coins, prior, cause, leak, n -> ill (n, I), leaks, attempts."""

    def simulate(prior, cause, leak, n, seed):
        ill, leaks, attempts = rule(np.random.default_rng(seed), prior, cause, leak, n)
        return leaks | (attempts & ill[:, :, None]).any(axis=1)

    return simulate


def fair_ill(coins, prior, n):
    return coins.random((n, len(prior))) < prior


def fair_leaks(coins, leak, n):
    return coins.random((n, len(leak))) < leak


wrong(
    "01.forwards",
    simulated_by(
        lambda coins, prior, cause, leak, n: (
            fair_ill(coins, prior, n),
            np.zeros((n, len(leak)), bool),
            coins.random((n, *cause.shape)) < cause,
        )
    ),
    simulated_by(
        lambda coins, prior, cause, leak, n: (
            fair_ill(coins, prior, n),
            fair_leaks(coins, leak, n),
            coins.random((n, *cause.shape)) < prior[:, None] * cause,
        )
    ),
    simulated_by(
        lambda coins, prior, cause, leak, n: (
            fair_ill(coins, prior, n),
            fair_leaks(coins, leak, n),
            np.broadcast_to(cause > 0.5, (n, *cause.shape)),
        )
    ),
    simulated_by(
        lambda coins, prior, cause, leak, n: (
            fair_ill(coins, prior, n - 1),
            fair_leaks(coins, leak, n - 1),
            coins.random((n - 1, *cause.shape)) < cause,
        )
    ),
)
wrong(
    "01.forwards",
    simulated_by(
        lambda coins, prior, cause, leak, n: (
            fair_ill(coins, prior, n),
            fair_leaks(coins, leak, n),
            coins.random((n, 1, cause.shape[1])) < cause,
        )
    ),
    clue="one-coin-for-the-causes",
)
wrong(
    "01.forwards",
    simulated_by(
        lambda coins, prior, cause, leak, n: (
            fair_ill(coins, prior, n),
            fair_leaks(coins, leak, n),
            coins.random(cause.shape) < cause,
        )
    ),
    clue="one-coin-for-the-patients",
)
wrong(
    "01.forwards",
    simulated_by(
        lambda coins, prior, cause, leak, n: (
            fair_ill(coins, prior, n),
            coins.random((n, 1)) < leak,
            coins.random((n, *cause.shape)) < cause,
        )
    ),
    clue="one-coin-for-the-leaks",
)
wrong(
    "01.forwards",
    simulated_by(
        lambda coins, prior, cause, leak, n: (
            coins.random((n, 1)) < prior,
            fair_leaks(coins, leak, n),
            coins.random((n, *cause.shape)) < cause,
        )
    ),
    clue="one-coin-for-the-diseases",
)


@wrong("01.forwards")
def ill_anew_for_each_symptom(prior, cause, leak, n, seed):
    coins = np.random.default_rng(seed)
    ill = coins.random((n, *cause.shape)) < prior[:, None]
    attempts = coins.random((n, *cause.shape)) < cause
    return (coins.random((n, len(leak))) < leak) | (attempts & ill).any(axis=1)


@wrong("01.forwards")
def one_seed_for_all_throws(prior, cause, leak, n, seed):
    def uniform(*shape):
        return np.random.default_rng(seed).random(shape)

    ill = uniform(n, len(prior)) < prior
    attempts = uniform(n, *cause.shape) < cause
    return (uniform(n, len(leak)) < leak) | (attempts & ill[:, :, None]).any(axis=1)


@wrong("01.forwards", clue="added")
def chances_added(prior, cause, leak, n, seed):
    coins = np.random.default_rng(seed)
    ill = coins.random((n, len(prior))) < prior
    return coins.random((n, len(leak))) < np.minimum(leak + ill @ cause, 1)


@wrong("01.forwards")
def strongest_cause_only(prior, cause, leak, n, seed):
    coins = np.random.default_rng(seed)
    ill = coins.random((n, len(prior))) < prior
    strongest = (ill[:, :, None] * cause).max(axis=1)
    return coins.random((n, len(leak))) < np.maximum(leak, strongest)


@wrong("01.forwards")
def leak_of_the_healthy_only(prior, cause, leak, n, seed):
    coins = np.random.default_rng(seed)
    ill = coins.random((n, len(prior))) < prior
    caused = ((coins.random((n, *cause.shape)) < cause) & ill[:, :, None]).any(axis=1)
    leaks = coins.random((n, len(leak))) < leak
    return caused | (leaks & ~ill.any(axis=1, keepdims=True))


@wrong("01.forwards", clue="from-the-marginals")
def symptoms_drawn_one_by_one_from_their_shares(prior, cause, leak, n, seed):
    share = 1 - (1 - leak) * (1 - prior[:, None] * cause).prod(axis=0)
    return np.random.default_rng(seed).random((n, len(leak))) < share


@wrong("01.forwards")
def seed_written_in(prior, cause, leak, n, seed):
    return an_attempt_for_each_symptom(prior, cause, leak, n, 0)


@wrong("01.forwards")
def probabilities_for_coins(prior, cause, leak, n, seed):
    ill = np.random.default_rng(seed).random((n, len(prior))) < prior
    return 1 - (1 - leak) * np.where(ill[:, :, None], 1 - cause, 1).prod(axis=1)


@wrong("01.forwards")
def all_attempts_must_succeed(prior, cause, leak, n, seed):
    coins = np.random.default_rng(seed)
    ill = coins.random((n, len(prior))) < prior
    attempts = coins.random((n, *cause.shape)) < cause
    caused = (attempts | ~ill[:, :, None]).all(axis=1) & ill.any(axis=1, keepdims=True)
    return (coins.random((n, len(leak))) < leak) | caused


@wrong("01.forwards")
def patients_in_columns(prior, cause, leak, n, seed):
    return an_attempt_for_each_symptom(prior, cause, leak, n, seed).T


# ---- 01.settled ----------------------------------------------------------------------------------


def log_mean(a):
    return np.logaddexp.reduce(a) - np.log(len(a))


def middles(low, high, n):
    return low + (high - low) * (np.arange(n) + 0.5) / n


@right("01.settled")
def all_grids_first(log_p, low, high, counts, tolerance):
    values = [log_mean(log_p(middles(low, high, n))) for n in counts]
    for n, old, new in zip(counts[1:], values, values[1:], strict=False):
        if abs(new - old) < tolerance:
            return new, n
    return values[-1], 0


@right("01.settled")
def middles_of_edges(log_p, low, high, counts, tolerance):
    before = None
    for n in counts:
        edges = np.linspace(low, high, n + 1)
        a = np.asarray(log_p((edges[1:] + edges[:-1]) / 2))
        m = a.max()
        value = float(m + np.log(np.exp(a - m).mean()))
        if before is not None and -tolerance < value - before < tolerance:
            return [value, n]
        before = value
    return [before, 0]


@right("01.settled")
def one_place_at_a_time(log_p, low, high, counts, tolerance):
    def value(n):
        width = (high - low) / n
        a = [float(log_p(np.array([low + (k + 0.5) * width]))[0]) for k in range(n)]
        m = max(a)
        total = sum(math.exp(t - m) for t in a)
        return m + math.log(total * width / (high - low))

    values = []
    for n in counts:
        values.append(value(n))
        if len(values) > 1 and abs(values[-1] - values[-2]) < tolerance:
            return values[-1], n
    return values[-1], 0


def settled_by(value=lambda log_p, low, high, n: log_mean(log_p(middles(low, high, n))), near=None):
    """An answer from a way to get one value, and a rule for when two are near."""

    def settled(log_p, low, high, counts, tolerance):
        values = []
        for n in counts:
            with np.errstate(all="ignore"):
                values.append(value(log_p, low, high, n))
            if near and len(values) > 1 and near(values, tolerance):
                return values[-1], n
            if not near and len(values) > 1 and abs(values[-1] - values[-2]) < tolerance:
                return values[-1], n
        return values[-1], 0

    return settled


wrong(
    "01.settled",
    settled_by(lambda log_p, low, high, n: log_mean(log_p(np.linspace(low, high, n + 1)))),
    settled_by(
        lambda log_p, low, high, n: log_mean(log_p(np.random.default_rng(n).uniform(low, high, n)))
    ),
    settled_by(
        near=lambda values, tolerance: abs(values[-1] - values[-2]) < tolerance * abs(values[-1])
    ),
    settled_by(near=lambda values, tolerance: abs(values[-1] - values[-2]) < 0.01),
    settled_by(
        near=lambda values, tolerance: abs(math.exp(values[-1]) - math.exp(values[-2])) < tolerance
    ),
    settled_by(
        near=lambda values, tolerance: min(abs(values[-1] - old) for old in values[:-1]) < tolerance
    ),
)
wrong(
    "01.settled",
    settled_by(lambda log_p, low, high, n: log_mean(log_p(np.linspace(low, high, n)))),
    clue="ends",
)
wrong(
    "01.settled",
    settled_by(
        lambda log_p, low, high, n: log_mean(log_p(np.linspace(low, high, n, endpoint=False)))
    ),
    clue="left-edges",
)
wrong(
    "01.settled",
    settled_by(lambda log_p, low, high, n: log_mean(log_p(middles(0, 1, n)))),
    clue="range-forgotten",
)
wrong(
    "01.settled",
    settled_by(lambda log_p, low, high, n: np.log(np.exp(log_p(middles(low, high, n))).mean())),
    clue="naive",
)
wrong(
    "01.settled",
    settled_by(lambda log_p, low, high, n: log_p(middles(low, high, n)).mean()),
    clue="mean-of-logs",
)
wrong(
    "01.settled",
    settled_by(lambda log_p, low, high, n: log_p(middles(low, high, n)).max()),
    clue="best-z",
)
wrong(
    "01.settled",
    settled_by(lambda log_p, low, high, n: log_mean(log_p(middles(low, high, n))) + np.log(n)),
    clue="sum",
)
wrong(
    "01.settled",
    settled_by(
        lambda log_p, low, high, n: log_mean(log_p(middles(low, high, n))) + np.log(high - low)
    ),
    clue="prior-forgotten",
)
wrong(
    "01.settled",
    settled_by(near=lambda values, tolerance: values[-1] - values[-2] < tolerance),
    clue="not-absolute",
)
wrong(
    "01.settled",
    settled_by(near=lambda values, tolerance: abs(values[-1] - values[0]) < tolerance),
    clue="from-the-first",
)


@wrong("01.settled")
def value_before_the_last(log_p, low, high, counts, tolerance):
    values = [log_mean(log_p(middles(low, high, n))) for n in counts]
    for k in range(1, len(counts)):
        if abs(values[k] - values[k - 1]) < tolerance:
            return values[k - 1], counts[k]
    return values[-1], 0


@wrong("01.settled")
def count_before_the_last(log_p, low, high, counts, tolerance):
    values = [log_mean(log_p(middles(low, high, n))) for n in counts]
    for k in range(1, len(counts)):
        if abs(values[k] - values[k - 1]) < tolerance:
            return values[k], counts[k - 1]
    return values[-1], 0


@wrong("01.settled")
def place_in_the_list(log_p, low, high, counts, tolerance):
    value, n = all_grids_first(log_p, low, high, counts, tolerance)
    return value, list(counts).index(n) if n else 0


@wrong("01.settled", clue="last-count")
def never_says_that_it_failed(log_p, low, high, counts, tolerance):
    value, n = all_grids_first(log_p, low, high, counts, tolerance)
    return value, n or counts[-1]


@wrong("01.settled")
def nan_when_it_failed(log_p, low, high, counts, tolerance):
    value, n = all_grids_first(log_p, low, high, counts, tolerance)
    return (value, n) if n else (np.nan, 0)


@wrong("01.settled")
def last_of_all_that_are_near(log_p, low, high, counts, tolerance):
    values = [log_mean(log_p(middles(low, high, n))) for n in counts]
    near = [k for k in range(1, len(counts)) if abs(values[k] - values[k - 1]) < tolerance]
    return (values[near[-1]], counts[near[-1]]) if near else (values[-1], 0)


@wrong("01.settled")
def at_least_two_grids_needed(log_p, low, high, counts, tolerance):
    values = [log_mean(log_p(middles(low, high, n))) for n in counts]
    change = abs(np.diff(values))
    k = (change < tolerance).argmax()
    return (values[k + 1], counts[k + 1]) if change[k] < tolerance else (values[-1], 0)


@wrong("01.settled")
def uses_up_the_counts(log_p, low, high, counts, tolerance):
    return all_grids_first(log_p, low, high, [counts.pop(0) for _ in range(len(counts))], tolerance)

"""The evidence of a continuous cause: a grid, refined until it settles."""

from collections.abc import Callable

import numpy as np

from minivae.exercises.chapters.nb01.logs import log_sum_exp
from minivae.exercises.exercise import Exercise, WrongAnswer, call_for_results, stub


def settled_log_evidence(log_p, low, high, counts, tolerance):
    """log of the mean of p(x|z) over the middles of equal cells, on finer and finer grids"""
    before = np.inf
    for n in counts:
        a = log_p(low + (high - low) * (np.arange(n) + 0.5) / n)
        now = a.max() + np.log(np.exp(a - a.max()).mean())
        if abs(now - before) < tolerance:
            return now, n
        before = now
    return now, 0


def gentle(z: np.ndarray) -> np.ndarray:
    return -((z - 0.6) ** 2) - 1.3


def sharp(z: np.ndarray) -> np.ndarray:
    """A posterior of width 0.05, far below what exp can write."""
    return -2000.0 - 200.0 * (z - 0.37) ** 2


def needle(z: np.ndarray) -> np.ndarray:
    return 3.0 - 1e6 * (z - 0.37) ** 2


def floor_and_needle(z: np.ndarray) -> np.ndarray:
    """Settles at -5 on grids whose middles all miss the needle, though log p(x) is 3.66."""
    return np.logaddexp(-5.0, 10.0 - 1e6 * (z - 0.37) ** 2)


def spike(z: np.ndarray) -> np.ndarray:
    return -5000.0 * (z - 0.5) ** 2


def slope(z: np.ndarray) -> np.ndarray:
    return 4.12 * z


def hill(z: np.ndarray) -> np.ndarray:
    return -9.6 * (z - 0.5) ** 2


def box(z: np.ndarray) -> np.ndarray:
    return np.where(abs(z - 0.5) < 0.17, 0.0, -3.0)


def _cases():
    return [
        (gentle, 0.0, 1.0, (1, 2, 4, 8), 0.01),
        (gentle, -1.0, 2.5, (2, 3, 5, 9, 17, 33), 0.001),
        (gentle, 0.0, 1.0, (4,), 0.01),  # nothing to compare with
        (sharp, -1.0, 2.0, (5, 10, 20, 40, 80, 160), 0.01),
        (needle, 0.0, 1.0, (10, 20, 30), 0.01),  # too narrow for all of them
        (box, 0.0, 1.0, (3, 4, 9, 10, 27), 0.05),  # near an earlier grid, not the one before
        (slope, 0.0, 1.0, (1, 2), 0.5),  # log p(x) changes by 0.45, by 0.6 and by -0.6 nats: a
        (slope, 0.0, 1.18, (1, 2, 20), 0.5),  # change of log p(x) is not one of p(x)
        (hill, 0.0, 1.0, (1, 2, 20), 0.5),
        (spike, 0.0, 1.0, (9, 11, 40, 160), 0.3),  # odd counts have a middle on its top
        (floor_and_needle, 0.0, 1.0, (10, 20, 40, 80), 0.01),
    ]


def _middles(low, high, n):
    return low + (high - low) * (np.arange(n) + 0.5) / n


def _walk(value: Callable[..., float]) -> Callable[..., tuple[float, int]]:
    """An answer from what it takes for log p(x) on one grid: value(log_p, low, high, n)."""

    def settle(log_p, low, high, counts, tolerance):
        before = np.inf
        for n in counts:
            now = value(log_p, low, high, n)
            if abs(now - before) < tolerance:
                return now, n
            before = now
        return now, 0

    return settle


def _mean_at(places: Callable[..., np.ndarray]) -> Callable[..., tuple[float, int]]:
    return _walk(lambda log_p, low, high, n: log_sum_exp(log_p(places(low, high, n))) - np.log(n))


def _one_before(log_p, low, high, counts, tolerance):
    before = np.inf
    for i, n in enumerate(counts):
        now = log_sum_exp(log_p(_middles(low, high, n))) - np.log(n)
        if abs(now - before) < tolerance:
            return before, counts[i - 1]
        before = now
    return now, 0


def _from_the_first(log_p, low, high, counts, tolerance):
    now = first = log_sum_exp(log_p(_middles(low, high, counts[0]))) - np.log(counts[0])
    for n in counts[1:]:
        now = log_sum_exp(log_p(_middles(low, high, n))) - np.log(n)
        if abs(now - first) < tolerance:
            return now, n
    return now, 0


def _not_absolute(log_p, low, high, counts, tolerance):
    before = -np.inf
    for n in counts:
        now = log_sum_exp(log_p(_middles(low, high, n))) - np.log(n)
        if now - before < tolerance:
            return now, n
        before = now
    return now, 0


def _relative(log_p, low, high, counts, tolerance):
    before = np.inf
    for n in counts:
        now = log_sum_exp(log_p(_middles(low, high, n))) - np.log(n)
        if abs(np.expm1(now - before)) < tolerance:
            return now, n
        before = now
    return now, 0


def _neighbours(log_p, low, high, counts, tolerance):
    for n in counts:
        now, neighbour = (
            log_sum_exp(log_p(_middles(low, high, m))) - np.log(m) for m in (n, n + 1)
        )
        if abs(now - neighbour) < tolerance:
            return now, n
    return now, 0


def _last_count(log_p, low, high, counts, tolerance):
    value, n = settled_log_evidence(log_p, low, high, counts, tolerance)
    return value, n or counts[-1]


SETTLED = Exercise(
    id="01.settled",
    title="the evidence on a grid, refined until it settles",
    stub=stub("""
        def settled_log_evidence(log_p, low, high, counts, tolerance):
            ...    # log_p: z (B,) -> log p(x|z) (B,), nats; z is uniform from low to high
                   # counts: numbers of cells, growing. -> log p(x), nats, and the number of cells,
                   # at the first count within tolerance of the one before; if there is none,
                   # the last value and 0
    """),
    reference=settled_log_evidence,
    cases=_cases,
    observe=call_for_results(2),
    returns=("log p(x)", "the number of cells"),
    mistakes=(
        WrongAnswer(
            "sum",
            _walk(lambda log_p, low, high, n: log_sum_exp(log_p(_middles(low, high, n)))),
            "You take the log of a sum, which grows by log 2 whenever the cells double: each cell "
            "has the prior probability 1 / n.",
        ),
        WrongAnswer(
            "prior-forgotten",
            _walk(
                lambda log_p, low, high, n: (
                    log_sum_exp(log_p(_middles(low, high, n))) + np.log((high - low) / n)
                )
            ),
            "This is the integral of p(x|z) alone: the prior density is 1 / (high - low).",
        ),
        WrongAnswer(
            "ends",
            _mean_at(lambda low, high, n: np.linspace(low, high, n)),
            "np.linspace(low, high, n) has points on both ends; take the middles of n cells.",
        ),
        WrongAnswer(
            "left-edges",
            _mean_at(lambda low, high, n: low + (high - low) * np.arange(n) / n),
            "These are the left edges of the cells; their middles are half a cell further on.",
        ),
        WrongAnswer(
            "range-forgotten",
            _mean_at(lambda low, high, n: (np.arange(n) + 0.5) / n),
            "These cells go from 0 to 1; z goes from low to high.",
        ),
        WrongAnswer(
            "naive",
            _walk(lambda log_p, low, high, n: np.log(np.exp(log_p(_middles(low, high, n))).mean())),
            "exp(-2000) is 0.0: take the largest out first, eq. (7).",
        ),
        WrongAnswer(
            "mean-of-logs",
            _walk(lambda log_p, low, high, n: log_p(_middles(low, high, n)).mean()),
            "This is the mean of the logs; eq. (8) is a mean of probabilities, and then its log.",
        ),
        WrongAnswer(
            "best-z",
            _walk(lambda log_p, low, high, n: log_p(_middles(low, high, n)).max()),
            "This is the best z alone; the evidence averages over all of them.",
        ),
        WrongAnswer(
            "one-before",
            _one_before,
            "You return the value before the one that settled, which is the coarser.",
        ),
        WrongAnswer(
            "from-the-first",
            _from_the_first,
            "You compare each value with that of the first grid; compare it with the one before.",
        ),
        WrongAnswer(
            "not-absolute",
            _not_absolute,
            "A value that falls is not one that has settled: compare the size of the change.",
        ),
        WrongAnswer(
            "relative",
            _relative,
            "You compare p(x), relative to itself; the tolerance is one of log p(x), in nats.",
        ),
        WrongAnswer(
            "neighbours",
            _neighbours,
            "You compare n cells with n + 1; compare each count with the one before it in the "
            "list.",
        ),
        WrongAnswer(
            "last-count",
            _last_count,
            "If nothing settles, the second result is 0, so that nobody takes the last grid for "
            "fine enough.",
        ),
    ),
    hints=(
        "One grid first: the middles of n cells, log p(x|z) at each, and the log of their mean.",
        "The middles are low + (high - low) * (np.arange(n) + 0.5) / n; the log of the mean is eq. "
        "(7) minus log n.",
        "Keep the value of the grid before, from before = np.inf on, and return (now, n) as soon "
        "as abs(now - before) < tolerance.",
    ),
)

"""Notebook 02: answers to `02.best-independent` and `02.rise-and-fall`."""

from fractions import Fraction

import numpy as np
from answers_of_others.registry import right, wrong

# ---- 02.best-independent -------------------------------------------------------------------------


def sigmoid(a):
    return 0.5 * (1 + np.tanh(a / 2))


@right("02.best-independent")
def sums_of_the_log_joint(log_joint, z):
    q = np.full(z.shape[1], 0.5)
    while True:
        old = q.copy()
        for i in range(len(q)):
            others = np.where(z == 1, q, 1 - q)
            others[:, i] = 2 * z[:, i] - 1
            q[i] = sigmoid(others.prod(axis=1) @ log_joint)
        if abs(q - old).max() < 1e-10:
            return q


@right("02.best-independent")
def two_means(log_joint, z):
    n = z.shape[1]
    q = [0.5] * n
    for _ in range(1000):
        for i in range(n):
            mean = [0.0, 0.0]
            for row, value in zip(z.astype(int), log_joint, strict=True):
                weight = 1.0
                for j in range(n):
                    if j != i:
                        weight *= q[j] if row[j] else 1 - q[j]
                mean[row[i]] += weight * value
            q[i] = float(1 / (1 + np.exp(mean[0] - mean[1])))
    return np.array(q)


@right("02.best-independent")
def from_the_last_to_the_first(log_joint, z):
    q = np.full(z.shape[1], 0.5)
    for _ in range(2000):
        for i in reversed(range(len(q))):
            others = np.delete(np.where(z == 1, q, 1 - q), i, axis=1).prod(axis=1)
            on = z[:, i] == 1
            q[i] = sigmoid(others[on] @ log_joint[on] - others[~on] @ log_joint[~on])
    return q


@right("02.best-independent")
def normalised_exponentials(log_joint, z):
    q = np.full((z.shape[1], 2), 0.5)
    sides = z.astype(int)
    for _ in range(500):
        for i in range(len(q)):
            picked = q[np.arange(len(q)), sides]
            weight = picked.prod(axis=1) / picked[:, i]
            scores = np.array([(weight * log_joint)[sides[:, i] == s].sum() for s in (0, 1)])
            e = np.exp(scores - scores.max())
            q[i] = np.maximum(e / e.sum(), 1e-290)
    return q[:, 1].tolist()


def ascent(step=None, rounds=500, start=0.5, together=False):
    """Coordinate ascent with a rule of one's own for a new q_i: others, log_joint, on, q, i."""

    def answer(log_joint, z):
        q = np.full(z.shape[1], float(start))
        for _ in range(rounds):
            base = q.copy() if together else q
            for i in range(len(q)):
                others = np.delete(np.where(z == 1, base, 1 - base), i, axis=1).prod(axis=1)
                if together:
                    q = q.copy()
                on = z[:, i] == 1
                rule = step or (lambda w, a, on: sigmoid(w[on] @ a[on] - w[~on] @ a[~on]))
                with np.errstate(all="ignore"):
                    q[i] = rule(others, log_joint, on)
        return q

    return answer


wrong(
    "02.best-independent",
    ascent(rounds=2),
    ascent(rounds=0),
    ascent(lambda w, a, on: sigmoid(a[on].mean() - a[~on].mean())),
    ascent(lambda w, a, on: sigmoid(w[~on] @ a[~on] - w[on] @ a[on])),
    ascent(lambda w, a, on: float(w[on] @ a[on] > w[~on] @ a[~on])),
    ascent(lambda w, a, on: np.clip(w[on] @ a[on] - w[~on] @ a[~on], 0, 1)),
    ascent(lambda w, a, on: sigmoid(w[on] @ a[on])),
    ascent(lambda w, a, on: sigmoid(w[on] @ np.exp(a[on]) - w[~on] @ np.exp(a[~on]))),
    ascent(lambda w, a, on: sigmoid(2 * (w[on] @ a[on] - w[~on] @ a[~on]))),
    ascent(lambda w, a, on: np.clip(sigmoid(w[on] @ a[on] - w[~on] @ a[~on]), 0.01, 0.99)),
    ascent(lambda w, a, on: round(float(sigmoid(w[on] @ a[on] - w[~on] @ a[~on])), 4)),
    ascent(lambda w, a, on: sigmoid(a[on].max() - a[~on].max())),
)
wrong("02.best-independent", ascent(rounds=1), clue="one-round")
wrong(
    "02.best-independent",
    ascent(
        lambda w, a, on: sigmoid(np.log(w[on] @ np.exp(a[on])) - np.log(w[~on] @ np.exp(a[~on])))
    ),
    clue="log-of-average",
)


@wrong("02.best-independent", clue="posterior-marginals")
def marginals(log_joint, z):
    p = np.exp(log_joint - np.logaddexp.reduce(log_joint))
    return p @ z


@wrong("02.best-independent", clue="most-probable")
def most_probable_z(log_joint, z):
    return z[log_joint.argmax()].astype(float)


@wrong("02.best-independent")
def stops_when_one_does_not_move(log_joint, z):
    q = np.full(z.shape[1], 0.5)
    while True:
        for i in range(len(q)):
            others = np.delete(np.where(z == 1, q, 1 - q), i, axis=1).prod(axis=1)
            on = z[:, i] == 1
            old, q[i] = q[i], sigmoid(others[on] @ log_joint[on] - others[~on] @ log_joint[~on])
            if abs(q[i] - old) < 0.01:
                return q


@wrong("02.best-independent")
def stops_at_a_thousandth(log_joint, z):
    q = np.full(z.shape[1], 0.5)
    moved = 1.0
    while moved > 1e-3:
        old = q.copy()
        for i in range(len(q)):
            others = np.delete(np.where(z == 1, q, 1 - q), i, axis=1).prod(axis=1)
            q[i] = sigmoid((2 * z[:, i] - 1) * others @ log_joint)
        moved = abs(q - old).max()
    return q


@wrong("02.best-independent")
def starts_at_certainty(log_joint, z):
    q = np.ones(z.shape[1])
    for i in range(len(q)):
        others = np.delete(np.where(z == 1, q, 1 - q), i, axis=1).prod(axis=1)
        q[i] = sigmoid((2 * z[:, i] - 1) * others @ log_joint)
    return q


@wrong("02.best-independent")
def two_latents_written_in(log_joint, z):
    return ascent()(log_joint, z[:, :2])


@wrong("02.best-independent", clue="order-of-the-rows")
def order_of_the_rows_written_in(log_joint, z):
    table = np.array(list(np.ndindex(*(2,) * z.shape[1])))
    return ascent()(log_joint, table)


@wrong("02.best-independent")
def table_of_q(log_joint, z):
    q = ascent()(log_joint, z)
    return np.where(z == 1, q, 1 - q).prod(axis=1)


@wrong("02.best-independent", clue="sign")
def chances_of_zero(log_joint, z):
    return 1 - ascent()(log_joint, z)


# ---- 02.rise-and-fall ----------------------------------------------------------------------------

right(
    "02.rise-and-fall",
    [(0.99, 0.01), (0.1, 0.9), (0.2, 0.3)],
    ([0.9, 0.1], [0.1, 0.9], [0.2, 0.5]),
    np.array([[0.95, 0.05], [0.2, 0.8], [0.4, 0.3]]),
    [(Fraction(1, 10), Fraction(9, 10)), (Fraction(9, 10), Fraction(1, 10)), (0.5, 0.2)],
    [(0.5, 0.5), (0.01, 0.9), (0.2, 0.2)],
)
wrong(
    "02.rise-and-fall",
    [(0.99, 0.01), (0.2, 0.3), (0.1, 0.9)],
    [(0.5, 0.5), (0.1, 0.9), (0.2, 0.3), (0.1, 0.1)],
    [(0.5, 0.5), (0.2, 0.4), (0.4, 0.6)],
    [(0.5, 0.5), (0.4, 0.6), (0.2, 0.4)],
    [(0.5, 0.5), (0.1, 0.9), (0.05, 0.8)],
    [(0.9, 0.1), (0.1, 0.5), (0.2, 0.4)],
    [(0.9, 0.2), (0.1, 0.9), (0.2, 0.3)],
    [(0.99, 0.01), (10, 90), (20, 30)],
    [(1.1, -0.1), (0.1, 0.9), (0.2, 0.3)],
    [(0.99, 0.01), (0.3, 0.5), (0.3, 0.5)],
    [(0.99, 0.01), (-0.1, 0.9), (0.2, 0.3)],
    [(0.99, 0.1, 0.2), (0.01, 0.9, 0.3)],
    [0.99, 0.1, 0.9, 0.2, 0.3],
    [(np.log(0.99), np.log(0.01)), (np.log(0.1), np.log(0.9)), (np.log(0.2), np.log(0.3))],
    [(0.99, 0.01), (0.1, np.nan), (0.2, 0.3)],
    (0.99, 0.01),
    "q far from the posterior",
)
wrong("02.rise-and-fall", [(0.9, 0.1), (0.9, 0.1), (0.5, 0.4)], clue="gap-closed")

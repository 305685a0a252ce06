"""The best independent q, by coordinate ascent."""

import numpy as np

from minivae.exercises.exercise import Exercise, WrongAnswer, stub


def best_independent(log_joint, z):
    """log odds of q(z_i = 1) = E[log p(x, z) | z_i = 1] - E[log p(x, z) | z_i = 0]"""
    p = np.full(z.shape[1], 0.5)
    moved = np.inf
    while moved > 1e-12:
        before = p.copy()
        for i in range(len(p)):
            factors = np.where(z == 1, p, 1 - p)
            others = np.delete(factors, i, axis=1).prod(axis=1)  # q(z) without its factor i
            log_odds = (np.where(z[:, i] == 1, others, -others) * log_joint).sum()
            p[i] = 1 / (1 + np.exp(-log_odds))
        moved = abs(p - before).max()
    return p


def _settled(answer, log_joint, z):
    """What the answer gives; the optimum itself, where the ascent stopped within 1e-6 of it."""
    found, right = answer(log_joint, z), best_independent(log_joint, z)
    if isinstance(found, list | tuple) and np.shape(found) == right.shape:
        found = np.array(found)  # a list of floats is as good
    alike = isinstance(found, np.ndarray) and found.shape == right.shape
    near = alike and found.dtype == right.dtype and np.allclose(found, right, rtol=0, atol=1e-6)
    return right if near else found


def _patients(n):
    return np.array(list(np.ndindex(*[2] * n)))


def _cases():
    return [
        (np.array([-2.3, -1.6]), _patients(1)),
        (np.array([-3.9, -1.7, -2.2, -3.1]), _patients(2)),
        (np.array([-2.9, -2.1, -1.8, -3.4, -1.9, -3.3, -2.6, -2.2]), _patients(3)),
        # the z in another order, and a q_i far below 1 %
        (
            np.array([-8.2, -6.4, -11.8, -10.4, -5.6, -14.6, -11.7, -11.8]),
            _patients(3)[[2, 1, 4, 3, 0, 7, 6, 5]],
        ),
        # each z_i makes the others less probable: all moved at once, they swing for ever
        (np.array([-5.0, -2.8, -1.6, -2.6, -2.1, -3.1, -1.9, -6.1]), _patients(3)),
    ]


def _posterior(log_joint):
    weights = np.exp(log_joint - log_joint.max())
    return weights / weights.sum()


def _ascent(sweeps=200, own=False, average=lambda weights, values: (weights * values).sum()):
    """Wrong ascents: with too few sweeps, its own factor kept, or another average."""

    def wrong(log_joint, z):
        p = np.full(z.shape[1], 0.5)
        for _ in range(sweeps):
            for i in range(len(p)):
                factors = np.where(z == 1, p, 1 - p)
                weights = (factors if own else np.delete(factors, i, axis=1)).prod(axis=1)
                on, off = z[:, i] == 1, z[:, i] == 0
                log_odds = average(weights[on], log_joint[on])
                log_odds -= average(weights[off], log_joint[off])
                p[i] = 1 / (1 + np.exp(-log_odds))
        return p

    return wrong


def _all_at_once(log_joint, z):
    p = np.full(z.shape[1], 0.5)
    for _ in range(200):
        factors = np.where(z == 1, p, 1 - p)
        signed = np.where(z == 1, 1.0, -1.0) * log_joint[:, None]
        others = [np.delete(factors, i, axis=1).prod(axis=1) for i in range(len(p))]
        p = 1 / (1 + np.exp(-(np.array(others).T * signed).sum(axis=0)))
    return p


def _log_of_average(weights, values):
    return np.log((weights * np.exp(values)).sum())


def _log_odds(log_joint, z):
    p = best_independent(log_joint, z)
    return np.log(p / (1 - p))


BEST_INDEPENDENT = Exercise(
    id="02.best-independent",
    title="the independent q with the highest ELBO",
    stub=stub("""
        def best_independent(log_joint, z):    # log p(x, z) (Z,); every z, of 0 and 1: (Z, n)
            ...                                # -> q(z_i = 1) of the best independent q: (n,)
    """),
    reference=best_independent,
    cases=_cases,
    observe=_settled,
    mistakes=(
        WrongAnswer(
            "posterior-marginals",
            lambda log_joint, z: _posterior(log_joint) @ z,
            "These are the posterior's own probabilities, the marginals; the q with the highest "
            "ELBO is another.",
        ),
        WrongAnswer(
            "one-round",
            _ascent(sweeps=1),
            "One round is not enough: when one probability moves, the best values of the others "
            "move too.",
        ),
        WrongAnswer(
            "all-at-once",
            _all_at_once,
            "You move all probabilities at once, each to the best value for the old others. That "
            "may swing for ever, as here: move one, and use its new value for the next.",
        ),
        WrongAnswer(
            "log-of-average",
            _ascent(average=_log_of_average),
            "You average p(x, z) and take the log; the ELBO has the average of log p(x, z).",
        ),
        WrongAnswer(
            "own-factor-kept",
            _ascent(own=True),
            "The averages given z_i = 1 and given z_i = 0 are over the other entries of z: their "
            "weights have no factor for z_i.",
        ),
        WrongAnswer(
            "most-probable",
            lambda log_joint, z: z[log_joint.argmax()].astype(float),
            "This is the single most probable z. Being that sure costs all the entropy.",
        ),
        WrongAnswer(
            "order-of-the-rows",
            lambda log_joint, z: best_independent(log_joint, _patients(z.shape[1])),
            "You assume an order of the rows of z; it may be any: read them from z.",
        ),
        WrongAnswer(
            "sign",
            lambda log_joint, z: 1 - best_independent(log_joint, z),
            "These are the probabilities of z_i = 0.",
        ),
        WrongAnswer(
            "log-odds",
            _log_odds,
            "These are the log odds; the probability is 1 / (1 + exp(-log odds)).",
        ),
    ),
    hints=(
        "Hold all probabilities but that of z_i. As a function of it the ELBO is "
        "p E[log p(x, z) | z_i = 1] + (1 - p) E[log p(x, z) | z_i = 0] + the entropy of one coin.",
        "Its derivative is zero where log(p / (1 - p)) is the difference of the two averages, "
        "which are over q of the others. Go round until nothing moves.",
        "others = np.delete(np.where(z == 1, p, 1 - p), i, axis=1).prod(axis=1) has the weights.",
    ),
)

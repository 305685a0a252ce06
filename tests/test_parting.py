"""Where a Gaussian stops covering two uneven hills, found by quadrature and descent."""

import numpy as np

from minivae.exercises.chapters.nb03.directions import PARTING

U = np.linspace(-9, 9, 1801)  # z = mu + sigma u: the quadrature moves with q
WEIGHT = np.exp(-U * U / 2) / np.exp(-U * U / 2).sum()


def kl(mu, log_sigma, d, share=0.6):
    """KL(q || p), nats, for p = (1 - share) N(-d, 1) + share N(d, 1); up to a constant of both."""
    z = mu + np.exp(log_sigma) * U
    log_p = np.logaddexp(np.log(1 - share) - 0.5 * (z + d) ** 2, np.log(share) - 0.5 * (z - d) ** 2)
    return WEIGHT @ (-0.5 * U * U - log_sigma - log_p)


def least(mu, log_sigma, d, share=0.6):
    """The local minimum that a pattern search finds from this start: (kl, mu)."""
    step, best = 0.2, kl(mu, log_sigma, d, share)
    while step > 1e-7:
        moves = [
            (mu + a * step, log_sigma + b * step) for a, b in ((1, 0), (-1, 0), (0, 1), (0, -1))
        ]
        values = [kl(*move, d, share) for move in moves]
        if min(values) < best:
            best, (mu, log_sigma) = min(values), moves[int(np.argmin(values))]
        else:
            step /= 2
    return best, mu


def both_minus_one(d, share=0.6):
    """Above 0 where the q that covers both hills costs more than the q on the larger one."""
    both, middle = least(0.3, np.log(2.4), d, share)
    one, hill = least(d, 0.0, d, share)
    assert middle < d / 2 < hill, "the two starts must lead to two minima"
    return both - one


def parting(share, low, high):
    for _ in range(14):
        d = (low + high) / 2
        low, high = (d, high) if both_minus_one(d, share) < 0 else (low, d)
    return d


def test_uneven_hills_part_where_the_exercise_says():
    assert abs(parting(0.6, 2.4, 2.6) - PARTING) < 0.002


def test_even_hills_part_where_the_notebook_says():
    """Notebook 03: at d = 1.4 for hills of width 0.5, so at 2.8 for hills of width 1."""
    assert abs(parting(0.5, 2.6, 3.0) - 2.8) < 0.002

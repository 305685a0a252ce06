"""Where a Gaussian stops covering two uneven hills, found by quadrature and descent."""

import numpy as np
import pytest

from minivae.exercises.chapters.nb03.directions import PARTING, TURNS, _judge_parting

U = np.linspace(-9, 9, 1801)  # z = mu + sigma u: the quadrature moves with q
WEIGHT = np.exp(-U * U / 2) / np.exp(-U * U / 2).sum()


def kl(mu, log_sigma, d, share=0.6, widths=(1, 1)):
    """KL(q || p), nats, for hills of these widths at -d and d; the right one has that share."""
    z = mu + np.exp(log_sigma) * U
    hills = [
        np.log(part / width) - 0.5 * ((z - centre) / width) ** 2
        for part, width, centre in zip((1 - share, share), widths, (-d, d), strict=True)
    ]
    return WEIGHT @ (-0.5 * U * U - log_sigma - np.logaddexp(*hills))


def least(mu, log_sigma, d, share=0.6, widths=(1, 1), precision=1e-7):
    """The local minimum that a pattern search finds from this start: (kl, mu, log sigma)."""
    step, best = 0.2, kl(mu, log_sigma, d, share, widths)
    while step > precision:
        moves = [
            (mu + a * step, log_sigma + b * step) for a, b in ((1, 0), (-1, 0), (0, 1), (0, -1))
        ]
        values = [kl(*move, d, share, widths) for move in moves]
        if min(values) < best:
            best, (mu, log_sigma) = min(values), moves[int(np.argmin(values))]
        else:
            step /= 2
    return best, mu, log_sigma


def both_minus_one(d, share=0.6):
    """Above 0 where the q that covers both hills costs more than the q on the larger one."""
    both, middle, _ = least(0.3, np.log(2.4), d, share)
    one, hill, _ = least(d, 0.0, d, share)
    assert middle < d / 2 < hill, "the two starts must lead to two minima"
    return both - one


def parting(share, low, high):
    for _ in range(14):
        d = (low + high) / 2
        low, high = (d, high) if both_minus_one(d, share) < 0 else (low, d)
    return d


def test_uneven_hills_part_where_the_exercise_says():
    assert abs(parting(0.6, 2.4, 2.6) - PARTING) < 0.002


def test_two_incomplete_searches_find_the_numbers_that_their_messages_name():
    """03.parting: covering at mu = 0 only, and -log 0.6 for the cost of choosing."""

    def crossing(cost):
        low, high = 2.4, 2.6
        for _ in range(10):
            d = (low + high) / 2
            low, high = (d, high) if cost(d) < 0 else (low, d)
        return d

    def at_mu_0(d):
        return min(kl(0, log_sigma, d) for log_sigma in np.linspace(0.5, 1.2, 71))

    on_the_hill = crossing(lambda d: at_mu_0(d) - least(d, 0, d)[0])
    bound = crossing(lambda d: least(0.3, np.log(2.4), d)[0] + np.log(0.6))
    for d, said in ((on_the_hill, "not only at 0"), (bound, "is a bound")):
        assert said in _judge_parting(round(d, 3))


def test_even_hills_part_where_the_notebook_says():
    """Notebook 03: at d = 1.4 for hills of width 0.5, so at 2.8 for hills of width 1."""
    assert abs(parting(0.5, 2.6, 3.0) - 2.8) < 0.002


def largest_step(share, widths, step=0.04, ends=(0.5, 3.0), precision=1e-3):
    """The largest move of the best q's mu in one step of d; step, ends and the move are in widths
    of the wider hill."""
    moves, before, covering = [], None, (0.0, 0.0)
    for d in np.arange(*ends, step) * max(widths):
        starts = (covering, (d, np.log(widths[1])))
        found = [least(*start, d, share, widths, precision) for start in starts]
        best, covering = min(found), found[0][1:]
        moves.append(0 if before is None else abs(best[1] - before) / max(widths))
        before = best[1]
    return max(moves)


def test_the_best_q_jumps_and_slides_as_the_exercise_says():
    """03.turns: a slide is less than 0.3 widths for each 0.04 in d, a jump more than 0.5."""
    targets = (
        (0.5, (1, 1)), (0.7, (0.5, 0.5)), (0.85, (0.5, 0.5)), (0.5, (0.5, 1)), (0.7, (1, 0.5)),
    )  # fmt: skip
    for target, turn in zip(targets, TURNS, strict=True):
        step = largest_step(*target)
        assert step > 0.5 if turn == "jump" else step < 0.3, (target, step)


@pytest.mark.parametrize(("share", "ends"), [(0.8, (1.7, 1.9)), (0.9, (1.6, 1.8))])
def test_uneven_hills_slide_in_the_notebook(share, ends):
    """Notebook 03: shares of 0.8 and 0.9 give no jump. With half the step of d, mu moves half as
    far where it moves most; a jump stays as large."""
    moves = [largest_step(share, (1, 1), step, ends, 1e-5) for step in (0.04, 0.02)]
    assert 0.45 < moves[1] / moves[0] < 0.55
    jumps = [largest_step(0.5, (1, 1), step, (2.74, 2.86)) for step in (0.04, 0.02)]
    assert 0.95 < jumps[1] / jumps[0] < 1.05


def test_a_mirrored_q_on_the_side_of_the_larger_hill_never_costs_more():
    """Notebook 03 leaves negative mu out of its table: the hills are equally wide there."""
    rng = np.random.default_rng(0)
    for _ in range(50):
        mu, log_sigma, d, share = rng.uniform((0, -1.5, 0.2, 0.5), (3, 1, 2, 1))
        right, left = (kl(sign * mu, log_sigma, d, share, (0.5, 0.5)) for sign in (1, -1))
        assert right <= left + 1e-9

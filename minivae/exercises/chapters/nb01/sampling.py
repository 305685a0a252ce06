"""Ancestral sampling: first the cause, then the effect."""

import numpy as np

from minivae.exercises.exercise import Exercise, WrongAnswer, call_for_results, stub


def ancestral_sample(prior, likelihood, u):
    """z ~ p(z), then x ~ p(x|z): causes before effects, each by its cumulative probabilities"""
    z = (u[:, :1] >= np.cumsum(prior)[:-1]).sum(axis=1)  # the last sum is 1, but for rounding
    x = (u[:, 1:] >= np.cumsum(likelihood, axis=1)[z, :-1]).sum(axis=1)
    return z, x


def _ancestral_cases():
    rng = np.random.default_rng(13)
    last = np.nextafter(1.0, 0.0)  # the largest uniform number
    prior, likelihood = (
        np.array([0.2, 0.5, 0.3]),
        np.array([[0.1, 0.2, 0.3, 0.4], [0.7, 0.1, 0.1, 0.1], [0.25, 0.25, 0.4, 0.1]]),
    )
    return [
        (np.array([0.3, 0.7]), np.array([[0.9, 0.1], [0.2, 0.8]]), np.array([[0.5, 0.6]])),
        (prior, likelihood, np.round(rng.uniform(0.01, 0.99, (12, 2)), 3)),
        # u on a running sum, exactly: what has probability 0 is never drawn
        (
            np.array([0.0, 0.25, 0.75]),
            np.array([[0.5, 0.5], [0.0, 1.0], [0.25, 0.75]]),
            np.array([[0.0, 0.0], [0.25, 0.25], [0.5, 0.0]]),
        ),
        # ten running sums of 0.1 end below 1, and no u below 1 is above them
        (np.array([0.5, 0.5]), np.full((2, 10), 0.1), np.array([[0.25, 0.55], [0.75, last]])),
        (np.full(10, 0.1), np.tile([0.5, 0.5], (10, 1)), np.array([[last, 0.25]])),
    ]


def _pick(cumulative, u):
    return (u[:, None] >= cumulative[:-1]).sum(axis=1)


def _pick_rows(likelihood, z, u):
    return (u[:, None] >= np.cumsum(likelihood, axis=1)[z, :-1]).sum(axis=1)


def _all_sums(prior, likelihood, u):
    z = (u[:, :1] >= np.cumsum(prior)).sum(axis=1)
    return z, (u[:, 1:] >= np.cumsum(likelihood, axis=1)[z]).sum(axis=1)


def _first_sum_above(prior, likelihood, u):
    z = (u[:, :1] < np.cumsum(prior)).argmax(axis=1)
    return z, (u[:, 1:] < np.cumsum(likelihood, axis=1)[z]).argmax(axis=1)


ANCESTRAL = Exercise(
    id="01.ancestral",
    title="ancestral sampling",
    stub=stub("""
        def ancestral_sample(prior, likelihood, u):    # (Z,), (Z, X), uniforms in [0, 1) (N, 2)
            ...                                        # -> z (N,), x (N,), whole numbers:
                                                       # z from u[:, 0], then x from u[:, 1]
    """),
    reference=ancestral_sample,
    cases=_ancestral_cases,
    observe=call_for_results(2),
    returns=("z", "x"),
    mistakes=(
        WrongAnswer(
            "same-noise",
            lambda prior, likelihood, u: ancestral_sample(prior, likelihood, u[:, [0, 0]]),
            "z and x use the same uniform number: each draw needs its own.",
        ),
        WrongAnswer(
            "columns-swapped",
            lambda prior, likelihood, u: ancestral_sample(prior, likelihood, u[:, ::-1]),
            "The uniform numbers are swapped: u[:, 0] chooses z, u[:, 1] chooses x.",
        ),
        WrongAnswer(
            "running-over-z",
            lambda prior, likelihood, u: (
                _pick(np.cumsum(prior), u[:, 0]),
                (u[:, 1:] >= np.cumsum(likelihood, axis=0)[_pick(np.cumsum(prior), u[:, 0])]).sum(
                    axis=1
                ),
            ),
            "The running sums of the likelihood go over z (axis 0); each row is a distribution "
            "over x, so sum along it, axis 1.",
        ),
        WrongAnswer(
            "transposed",
            lambda prior, likelihood, u: ancestral_sample(prior, likelihood.T, u),
            "You read p(x|z) as if its columns were the z: likelihood[z] is the distribution of x.",
        ),
        WrongAnswer(
            "x-from-evidence",
            lambda prior, likelihood, u: (
                _pick(np.cumsum(prior), u[:, 0]),
                _pick(np.cumsum(prior @ likelihood), u[:, 1]),
            ),
            "x is drawn from p(x), whatever z is: use the row of the z that you drew.",
        ),
        WrongAnswer(
            "likeliest-z",
            lambda prior, likelihood, u: (
                np.full(len(u), prior.argmax()),
                _pick(np.cumsum(likelihood[prior.argmax()]), u[:, 1]),
            ),
            "You always take the most likely z; a sampler takes each z with probability p(z).",
        ),
        WrongAnswer(
            "likeliest-x",
            lambda prior, likelihood, u: (
                _pick(np.cumsum(prior), u[:, 0]),
                likelihood[_pick(np.cumsum(prior), u[:, 0])].argmax(axis=1),
            ),
            "You always take the most likely x for this z; draw it instead.",
        ),
        WrongAnswer(
            "uniform-z",
            lambda prior, likelihood, u: (
                (u[:, 0] * len(prior)).astype(int),
                _pick_rows(likelihood, (u[:, 0] * len(prior)).astype(int), u[:, 1]),
            ),
            "All z are drawn equally often: p(z) is not used.",
        ),
        WrongAnswer(
            "not-cumulative",
            lambda prior, likelihood, u: (
                (u[:, :1] >= prior).sum(axis=1),
                (
                    u[:, 1:] >= likelihood[(u[:, :1] >= prior).sum(axis=1).clip(max=len(prior) - 1)]
                ).sum(axis=1),
            ),
            "You compare u with the probabilities; compare it with their running sums.",
        ),
        WrongAnswer(
            "side",
            lambda prior, likelihood, u: (
                (u[:, :1] > np.cumsum(prior)).sum(axis=1),
                (
                    u[:, 1:]
                    > np.cumsum(likelihood, axis=1)[(u[:, :1] > np.cumsum(prior)).sum(axis=1)]
                ).sum(axis=1),
            ),
            "u lies in [0, 1), so the first z has the share u < p(0), without its end: as you cut "
            "it, u = 0 draws a first z of probability 0.",
        ),
        WrongAnswer(
            "last-sum",
            _all_sums,
            "Rounding may leave the last running sum below 1, and u above it: the draw is then a "
            "z or x that does not exist. Leave the last sum out.",
        ),
        WrongAnswer(
            "last-sum-argmax",
            _first_sum_above,
            "Rounding may leave the last running sum below 1, and u above it. No sum is then above "
            "u, and argmax of nothing but False is 0.",
        ),
        WrongAnswer(
            "counted-from-one",
            lambda prior, likelihood, u: tuple(
                a + 1 for a in ancestral_sample(prior, likelihood, u)
            ),
            "You count from 1; the first z and the first x are number 0.",
        ),
        WrongAnswer(
            "first-row",
            lambda prior, likelihood, u: (
                _pick(np.cumsum(prior), u[:, 0]),
                _pick(np.cumsum(likelihood[0]), u[:, 1]),
            ),
            "x is drawn from the first row, whatever z is.",
        ),
    ),
    hints=(
        "A uniform number falls between two running sums of the probabilities: that is the draw.",
        "Take np.cumsum(prior), and count how many of these running sums are not above u. Leave "
        "out the last one: it is 1, and rounding may put it below u.",
        "z = (u[:, :1] >= np.cumsum(prior)[:-1]).sum(axis=1); the same for x, with the rows [z] of "
        "the likelihood, and axis=1 in cumsum.",
    ),
)

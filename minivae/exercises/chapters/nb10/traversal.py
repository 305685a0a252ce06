"""A traversal: one latent moves, the others stay."""

import numpy as np

from minivae.exercises.exercise import Exercise, WrongAnswer, generic, stub


def traversal(z, latent, values):
    """Copies of z in which one latent takes each of the values"""
    rows = np.repeat(z[None], len(values), axis=0)
    rows[:, latent] = values
    return rows


def _traversal_cases():
    rng = np.random.default_rng(10)
    return [
        (np.array([0.4]), 0, np.array([-1.0, 1.0])),
        (generic(rng, 3), 1, np.array([-2.0, -1.0, 1.0, 2.0])),
        (generic(rng, 3), 0, np.array([-2.0, 0.5, 2.0])),
    ]


TRAVERSAL = Exercise(
    id="10.traversal",
    title="a traversal: one latent moves, the others stay",
    stub=stub("""
        def traversal(z, latent, values):    # (L,), int, (n,) -> (n, L)
            ...
    """),
    reference=traversal,
    cases=_traversal_cases,
    mistakes=(
        WrongAnswer(
            "added",
            lambda z, latent, values: z + np.outer(values, np.eye(len(z))[latent]),
            "The values are added to the latent; they should replace it.",
        ),
        WrongAnswer(
            "others-at-zero",
            lambda z, latent, values: np.outer(values, np.eye(len(z))[latent]),
            "The other latents are set to 0; they should keep the values of z.",
        ),
        WrongAnswer(
            "all-latents",
            lambda z, latent, values: np.repeat(values[:, None], len(z), axis=1),
            "All latents take the values; only one should.",
        ),
        WrongAnswer(
            "transposed",
            lambda z, latent, values: traversal(z, latent, values).T,
            "The result is transposed: it should have one row for each value.",
        ),
        WrongAnswer(
            "one-off",
            lambda z, latent, values: traversal(z, (latent + 1) % len(z), values),
            "Another latent moves: latents are counted from 0.",
        ),
        WrongAnswer(
            "shared-row",
            lambda z, latent, values: traversal(z, latent, np.full(len(values), values[-1])),
            "All rows hold the last value: they are the same array, changed each time.",
        ),
    ),
    hints=(
        "n copies of z, then one column is overwritten.",
        "np.repeat(z[None], n, axis=0) and np.tile(z, (n, 1)) make real copies.",
        "rows[:, latent] = values.",
    ),
)

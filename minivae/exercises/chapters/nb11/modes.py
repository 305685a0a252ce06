"""Dropped modes, counted."""

import numpy as np

from minivae.exercises.exercise import Exercise, WrongAnswer, stub


def dropped_kinds(kind, n, share):
    """How many of n equally frequent kinds have fewer than share * N / n of the N samples"""
    return int((np.bincount(kind, minlength=n) < share * len(kind) / n).sum())


def _dropped_cases():
    rng = np.random.default_rng(13)
    return [
        (np.array([0, 0, 1, 0]), 3, 0.5),
        (np.array([0, 1, 1, *[3] * 10]), 5, 0.9),
        (rng.choice(8, 60, p=[0.3, 0.3, 0.2, 0.1, 0.05, 0.03, 0.02, 0]), 8, 0.25),
        (np.array([0, 1, 2, 3]), 4, 1.0),  # each has exactly its share
    ]


DROPPED = Exercise(
    id="11.dropped",
    title="dropped modes",
    stub=stub("""
        def dropped_kinds(kind, n, share):
            # kind (N,): which of n equally frequent kinds, 0 to n - 1, each sample is
            ...    # -> how many kinds have fewer than share * N / n samples, an int
    """),
    reference=dropped_kinds,
    cases=_dropped_cases,
    mistakes=(
        WrongAnswer(
            "empty-kinds-not-seen",
            lambda kind, n, share: int(
                (np.unique(kind, return_counts=True)[1] < share * len(kind) / n).sum()
            ),
            "A kind without any sample does not show up in np.unique, and it is dropped too.",
        ),
        WrongAnswer(
            "empty-only",
            lambda kind, n, share: int((np.bincount(kind, minlength=n) == 0).sum()),
            "You count the kinds without a sample; a kind with far too few is dropped as well.",
        ),
        WrongAnswer(
            "kept",
            lambda kind, n, share: int(
                (np.bincount(kind, minlength=n) >= share * len(kind) / n).sum()
            ),
            "These are the kinds that are there; the dropped ones were asked for.",
        ),
        WrongAnswer(
            "share-of-all",
            lambda kind, n, share: int((np.bincount(kind, minlength=n) < share * len(kind)).sum()),
            "A kind's fair part is N / n samples, not N.",
        ),
        WrongAnswer(
            "equal-counts-too",
            lambda kind, n, share: int(
                (np.bincount(kind, minlength=n) <= share * len(kind) / n).sum()
            ),
            "Fewer than that: a kind with exactly so many is kept.",
        ),
    ),
    hints=(
        "Count the samples of each kind, also of those that have none.",
        "np.bincount(kind, minlength=n) counts them; the bar is share * len(kind) / n.",
        "int((np.bincount(kind, minlength=n) < share * len(kind) / n).sum()).",
    ),
)

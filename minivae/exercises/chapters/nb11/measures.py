"""What measures of pictures reward: contrast, and whether they see dropped modes."""

import numpy as np

from minivae.exercises.exercise import Exercise, WrongAnswer, stub

# ---- 11.sharpest ---------------------------------------------------------------------------------


def nearest_p(r):
    """E |x - r|^2 = sum p (1 - 2 r) + r^2 is linear in p   [notebook 11, eq. 11]"""
    return (r > 0.5).astype(float)


def _sharpest_cases():
    return [
        (np.array([0.8]),),
        (np.array([0.2, 0.7, 0.49]),),
        (np.array([[0.0, 0.3, 0.95], [0.55, 0.1, 1.0]]),),
        (np.linspace(0, 1, 100).reshape(4, 25),),  # so many that no random draw is right by chance
    ]


def _black_or_white(answer, r):
    """Lists, whole numbers, and true for 1 are clear enough."""
    p = answer(r)
    if isinstance(p, list):
        p = np.array(p)
    return p.astype(float) if isinstance(p, np.ndarray) and p.dtype.kind in "biu" else p


SHARPEST = Exercise(
    id="11.sharpest",
    title="what the distance of draws rewards",
    stub=stub("""
        def nearest_p(r):    # one render, or several: numbers in [0, 1], none of them exactly 1/2
            ...              # -> the p in [0, 1], as r, whose draws are nearest to r: eq. (11)
    """),
    reference=nearest_p,
    cases=_sharpest_cases,
    observe=_black_or_white,
    mistakes=(
        WrongAnswer(
            "the-render",
            lambda r: r,
            "p = r makes the second term 0, but the first is not. Derive the sum of both by p.",
        ),
        WrongAnswer(
            "half",
            lambda r: np.full(np.shape(r), 0.5),
            "At 1/2 the first term p (1 - p) is largest.",
        ),
        WrongAnswer(
            "stretched",
            lambda r: np.clip(2 * r - 0.5, 0, 1),
            "The right direction, but not far enough: the sum has no minimum inside [0, 1].",
        ),
        WrongAnswer(
            "turned-round",
            lambda r: (r < 0.5).astype(float),
            "The slope by p is 1 - 2 r: where it is negative, a larger p is nearer.",
        ),
        WrongAnswer(
            "black",
            lambda r: np.zeros(np.shape(r)),
            "Without grey the first term is 0, but where r is above 1/2 white is nearer.",
        ),
    ),
    hints=(
        "For one pixel: p (1 - p) + (p - r)^2. Multiply it out.",
        "p^2 cancels: p (1 - 2 r) + r^2 is a straight line in p, so its least value is at an end.",
        "The slope is 1 - 2 r: p = 1 where r > 1/2, and p = 0 elsewhere.",
    ),
)

# ---- 11.dropped ----------------------------------------------------------------------------------


def dropped_kinds(kind, n, share):
    """How many of n equally frequent kinds have fewer than share * N / n of the N samples"""
    return int((np.bincount(kind, minlength=n) < share * len(kind) / n).sum())


def _dropped_cases():
    # 3 dropped, so that no wrong count is twice or half the right one
    of_counts = [
        ([5, 1, 0, 0, 0], 0.5),
        ([0, 8, 1, 10, 1], 0.5),
        ([2, 3, 2, 6, 0], 0.9),
        ([27, 2, 1, 0, 17, 1], 0.25),  # one exactly at the bar
        ([12, 10, 1, 9, 1, 22, 1], 0.25),  # few, but none empty
        ([1, 1, 1, 1], 1.0),  # each has exactly its share
    ]
    rng = np.random.default_rng(13)
    return [
        (rng.permutation(np.repeat(range(len(counts)), counts)), len(counts), share)
        for counts, share in of_counts
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
            "A kind without any sample is not counted here (np.unique, for one, lists only what "
            "is there). It is dropped, too.",
        ),
        WrongAnswer(
            "always-a-quarter",
            lambda kind, n, share: int(
                (np.bincount(kind, minlength=n) < 0.25 * len(kind) / n).sum()
            ),
            "The quarter is the study's; here the bar is the share that is given.",
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

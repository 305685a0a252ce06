"""The gap between log p(x) and the ELBO, split in two."""

import numpy as np

from minivae.exercises.exercise import Exercise, WrongAnswer, stub


def split_gap(log_px, elbo_best, elbo_encoder):
    """approximation: log p(x) - best ELBO;  amortization: best ELBO - the encoder's"""
    return log_px - elbo_best, elbo_best - elbo_encoder


def _gap_cases():
    return [
        (np.array([-90.0]), np.array([-92.5]), np.array([-96.0])),
        (
            np.array([-85.2, -90.1, -77.7]),
            np.array([-86.6, -93.4, -78.0]),
            np.array([-89.9, -95.0, -81.3]),
        ),
    ]


GAP = Exercise(
    id="09.gap",
    title="the gap, split in two",
    stub=stub("""
        def split_gap(log_px, elbo_best, elbo_encoder):    # (B,): log p(x), the ELBO of the best q
            ...      # of the family for this x, the ELBO of the encoder's q
                     # -> approximation gap (B,), amortization gap (B,)
    """),
    reference=split_gap,
    cases=_gap_cases,
    returns=("approximation", "amortization"),
    mistakes=(
        WrongAnswer(
            "swapped",
            lambda p, best, own: (best - own, p - best),
            "The two are swapped: what even the best q cannot reach is the approximation gap.",
        ),
        WrongAnswer(
            "total-first",
            lambda p, best, own: (p - own, best - own),
            "The first is the whole gap; it should end at the best q's ELBO.",
        ),
        WrongAnswer(
            "total-second",
            lambda p, best, own: (p - best, p - own),
            "The second is the whole gap; it should start at the best q's ELBO.",
        ),
        WrongAnswer(
            "signs",
            lambda p, best, own: (best - p, own - best),
            "Both are negative: a gap is the higher minus the lower.",
        ),
        WrongAnswer(
            "means",
            lambda p, best, own: ((p - best).mean(), (best - own).mean()),
            "These are averages over the images; keep one of each for each image.",
        ),
    ),
    hints=(
        "Three numbers in order: log p(x) >= the best ELBO >= the encoder's.",
        "The two gaps add up to log p(x) - elbo_encoder.",
        "log_px - elbo_best, elbo_best - elbo_encoder.",
    ),
)

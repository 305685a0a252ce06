"""The information of a latent about a factor: mutual information, the gap, and binning."""

import numpy as np

from minivae.exercises.exercise import Exercise, WrongAnswer, generic, stub

# ---- 10.mutual-information -----------------------------------------------------------------------


def mutual_information(counts):
    """sum p(a, b) log (p(a, b) / (p(a) p(b))), where 0 log 0 = 0"""
    p = counts / counts.sum()
    independent = p.sum(axis=1, keepdims=True) * p.sum(axis=0)
    seen = p > 0
    return float((p[seen] * np.log(p[seen] / independent[seen])).sum())


def _counts_cases():
    return [
        (np.array([[3, 1], [1, 3]]),),
        (np.array([[4, 1, 2], [2, 6, 3]]),),
        (np.array([[5, 0, 1], [0, 7, 2], [1, 1, 0], [2, 0, 6]]),),
    ]


def _information(p, q):
    seen = p > 0
    return float((p[seen] * np.log(p[seen] / q[seen])).sum())


def _entropy(p):
    return -_information(p, np.ones_like(p))


def _joint(counts):
    p = counts / counts.sum()
    return p, p.sum(axis=1), p.sum(axis=0)


MUTUAL_INFORMATION = Exercise(
    id="10.mutual-information",
    title="what a latent tells about a factor",
    stub=stub("""
        def my_mutual_information(counts):    # how often bin a of a latent met bin b of a factor:
            ...                               # (a, b), zeros allowed -> nats, one float
    """),
    reference=mutual_information,
    cases=_counts_cases,
    mistakes=(
        WrongAnswer(
            "zero-times-log-zero",
            lambda counts: float(
                (
                    _joint(counts)[0] * np.log(_joint(counts)[0] / np.outer(*_joint(counts)[1:]))
                ).sum()
            ),
            "Where a pair never occurs, 0 * log 0 is NaN: leave those pairs out.",
        ),
        WrongAnswer(
            "joint-entropy",
            lambda counts: _entropy(_joint(counts)[0]),
            "This is the entropy of the pair; information is H(a) + H(b) - H(a, b).",
        ),
        WrongAnswer(
            "conditional-entropy",
            lambda counts: _entropy(_joint(counts)[0]) - _entropy(_joint(counts)[1]),
            "This is H(b | a), what the latent does not tell; information is H(b) - H(b | a).",
        ),
        WrongAnswer(
            "sign",
            lambda counts: -mutual_information(counts),
            "The sign is wrong: information is never negative.",
        ),
        WrongAnswer(
            "counts-not-normalised",
            lambda counts: _information(
                counts.astype(float), np.outer(counts.sum(axis=1), counts.sum(axis=0)).astype(float)
            ),
            "Counts are not probabilities: divide by their sum.",
        ),
        WrongAnswer(
            "bits",
            lambda counts: mutual_information(counts) / np.log(2),
            "This is in bits; nats use the natural logarithm.",
        ),
        WrongAnswer(
            "uniform",
            lambda counts: _information(_joint(counts)[0], np.full(counts.shape, 1 / counts.size)),
            "p is compared with a uniform table; compare it with the product of the marginals.",
        ),
        WrongAnswer(
            "not-weighted",
            lambda counts: float(
                np.log(
                    _joint(counts)[0][counts > 0] / np.outer(*_joint(counts)[1:])[counts > 0]
                ).sum()
            ),
            "The log ratios are added without their weights p(a, b).",
        ),
        WrongAnswer(
            "smoothed",
            lambda counts: mutual_information(counts + 1),
            "1 is added to every count, which lowers the information.",
        ),
    ),
    hints=(
        "It is the KL between the joint distribution and the product of its marginals.",
        "p = counts / counts.sum(); the marginals are its sums over each axis; skip the zeros.",
        "Sum over p > 0 of p * log(p / (p(a) p(b))).",
    ),
)

# ---- 10.information-gap --------------------------------------------------------------------------


def information_gap(information, entropy):
    """mean over factors of (largest - second largest information) / entropy"""
    ranked = np.sort(information, axis=0)
    return float(((ranked[-1] - ranked[-2]) / entropy).mean())


def _gap_cases():
    return [
        (np.array([[0.9], [0.2]]), np.array([1.5])),
        (
            np.array([[0.9, 0.1, 0.3], [0.2, 1.1, 0.25], [0.05, 0.7, 0.0], [0.3, 0.2, 0.6]]),
            np.array([2.9, 2.5, 1.8]),
        ),
    ]


def _ranked(information, axis=0):
    return np.sort(information, axis=axis)


INFORMATION_GAP = Exercise(
    id="10.information-gap",
    title="the mutual information gap",
    stub=stub("""
        def information_gap(information, entropy):    # latents by factors (L, F), of factors (F,)
            ...      # -> float: for each factor the best latent's information minus the second
                     # best's, over the factor's entropy; then the mean over the factors
    """),
    reference=information_gap,
    cases=_gap_cases,
    mistakes=(
        WrongAnswer(
            "largest-alone",
            lambda information, entropy: float((information.max(axis=0) / entropy).mean()),
            "The second best is not subtracted: two latents that share a factor would score high.",
        ),
        WrongAnswer(
            "not-normalised",
            lambda information, entropy: float(
                (_ranked(information)[-1] - _ranked(information)[-2]).mean()
            ),
            "This is not divided by the factor's entropy, so factors with more entropy count more.",
        ),
        WrongAnswer(
            "smallest-subtracted",
            lambda information, entropy: float(
                ((information.max(axis=0) - information.min(axis=0)) / entropy).mean()
            ),
            "The smallest is subtracted; subtract the second largest.",
        ),
        WrongAnswer(
            "ratio-of-means",
            lambda information, entropy: float(
                (_ranked(information)[-1] - _ranked(information)[-2]).mean() / entropy.mean()
            ),
            "This is a ratio of means; divide each factor's gap by its own entropy first.",
        ),
        WrongAnswer(
            "sum",
            lambda information, entropy: information_gap(information, entropy) * len(entropy),
            "This sums over the factors; take the mean.",
        ),
        WrongAnswer(
            "per-latent",
            lambda information, entropy: float(
                (_ranked(information, 1)[:, -1] - _ranked(information, 1)[:, -2]).mean()
                / entropy.mean()
            ),
            "This ranks the factors of each latent; rank the latents of each factor (axis 0).",
        ),
        WrongAnswer(
            "mean-of-the-others",
            lambda information, entropy: float(
                (
                    (information.max(axis=0) - _ranked(information)[:-1].mean(axis=0)) / entropy
                ).mean()
            ),
            "The mean of the others is subtracted; subtract the second largest.",
        ),
    ),
    hints=(
        "For each factor, which latents know most about it?",
        "np.sort(information, axis=0): the last two rows.",
        "((ranked[-1] - ranked[-2]) / entropy).mean(), as a float.",
    ),
)

# ---- 10.equal-mass-bins --------------------------------------------------------------------------


def equal_mass_bins(v, n):
    """The value with r values below it goes into bin r n // N"""
    rank = np.argsort(np.argsort(v))
    return rank * n // len(v)


def _bins_cases():
    rng = np.random.default_rng(101)
    return [
        (np.array([0.3, -1.0, 2.0, 0.5]), 2),
        (np.round(np.exp(generic(rng, 12)), 2), 3),
        (np.round(np.exp(generic(rng, 10)), 2), 4),
    ]


EQUAL_MASS_BINS = Exercise(
    id="10.equal-mass-bins",
    title="bins that hold equally many values",
    stub=stub("""
        def equal_mass_bins(v, n):    # (N,), all different -> bin numbers 0..n-1 (N,):
            ...                       # the value with r values below it goes into bin r n // N
    """),
    reference=equal_mass_bins,
    cases=_bins_cases,
    mistakes=(
        WrongAnswer(
            "equal-width",
            lambda v, n: np.minimum(((v - v.min()) / (v.max() - v.min()) * n).astype(int), n - 1),
            "These bins have equal width: most values fall into a few, and others stay empty.",
        ),
        WrongAnswer(
            "argsort-once",
            lambda v, n: np.argsort(v) * n // len(v),
            "argsort gives the value at each rank; argsort of that gives each value's rank.",
        ),
        WrongAnswer(
            "from-one",
            lambda v, n: equal_mass_bins(v, n) + 1,
            "The bins are counted from 1; the first bin is 0.",
        ),
        WrongAnswer(
            "ranks",
            lambda v, n: np.argsort(np.argsort(v)),
            "These are the ranks; about N / n of them share a bin.",
        ),
        WrongAnswer(
            "remainder",
            lambda v, n: np.argsort(np.argsort(v)) % n,
            "The remainder spreads neighbours over different bins; they belong together: use //.",
        ),
        WrongAnswer(
            "descending",
            lambda v, n: equal_mass_bins(-v, n),
            "The order is reversed: the largest values are in bin 0.",
        ),
        WrongAnswer(
            "real-numbers",
            lambda v, n: np.argsort(np.argsort(v)) * n / len(v),
            "A bin number is a whole number: use // instead of /.",
        ),
    ),
    hints=(
        "Only the number of values below matters.",
        "The rank of each value is the argsort of the argsort.",
        "rank * n // len(v).",
    ),
)

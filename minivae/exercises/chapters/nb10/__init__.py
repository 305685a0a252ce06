"""Notebook 10, chonky cats: are the latents interpretable?"""

import numpy as np

from minivae.exercises.exercise import Exercise, WrongAnswer, generic, stub

# ---- 10.traversal ------------------------------------------------------------------------------


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
            "The values are added to the latent; it takes them.",
        ),
        WrongAnswer(
            "others-at-zero",
            lambda z, latent, values: np.outer(values, np.eye(len(z))[latent]),
            "The other latents are set to 0; they keep this cat's values.",
        ),
        WrongAnswer(
            "all-latents",
            lambda z, latent, values: np.repeat(values[:, None], len(z), axis=1),
            "All latents take the values; only one moves.",
        ),
        WrongAnswer(
            "transposed",
            lambda z, latent, values: traversal(z, latent, values).T,
            "Transposed: one row for each value.",
        ),
        WrongAnswer(
            "one-off",
            lambda z, latent, values: traversal(z, (latent + 1) % len(z), values),
            "Another latent moves: they are counted from 0.",
        ),
        WrongAnswer(
            "shared-row",
            lambda z, latent, values: traversal(z, latent, np.full(len(values), values[-1])),
            "All rows hold the last value: they are one array, changed again and again.",
        ),
    ),
    hints=(
        "n copies of z, then one column is overwritten.",
        "np.repeat(z[None], n, axis=0), or np.tile(z, (n, 1)): real copies.",
        "rows[:, latent] = values.",
    ),
)

# ---- 10.mutual-information ---------------------------------------------------------------------


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
        def mutual_information(counts):    # how often bin a of a latent met bin b of a factor:
            ...                            # (a, b), zeros allowed -> nats, one float
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
            "Where a pair never met, 0 * log 0 is NaN: leave those pairs out.",
        ),
        WrongAnswer(
            "joint-entropy",
            lambda counts: _entropy(_joint(counts)[0]),
            "This is the entropy of the pair; information is H(a) + H(b) - H(a, b).",
        ),
        WrongAnswer(
            "conditional-entropy",
            lambda counts: _entropy(_joint(counts)[0]) - _entropy(_joint(counts)[1]),
            "H(b | a), what the latent does not tell; information is H(b) - H(b | a).",
        ),
        WrongAnswer(
            "sign",
            lambda counts: -mutual_information(counts),
            "The sign is turned around: information is never negative.",
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
            "Compared with a uniform table; compare with the product of the margins.",
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
            "1 is added to every count, which pulls the information down.",
        ),
    ),
    hints=(
        "It is the KL between the joint and the product of its margins.",
        "p = counts / counts.sum(); the margins are its sums over each axis; skip the zeros.",
        "Sum over p > 0 of p * log(p / (p(a) p(b))).",
    ),
)

# ---- 10.information-gap ------------------------------------------------------------------------


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
            "The second best is not subtracted: two latents that share a factor would score too.",
        ),
        WrongAnswer(
            "not-normalised",
            lambda information, entropy: float(
                (_ranked(information)[-1] - _ranked(information)[-2]).mean()
            ),
            "Not divided by the factor's entropy: factors with more to tell would weigh more.",
        ),
        WrongAnswer(
            "smallest-subtracted",
            lambda information, entropy: float(
                ((information.max(axis=0) - information.min(axis=0)) / entropy).mean()
            ),
            "The smallest is subtracted; it is the second largest that matters.",
        ),
        WrongAnswer(
            "ratio-of-means",
            lambda information, entropy: float(
                (_ranked(information)[-1] - _ranked(information)[-2]).mean() / entropy.mean()
            ),
            "A ratio of means: divide each factor by its own entropy first.",
        ),
        WrongAnswer(
            "sum",
            lambda information, entropy: information_gap(information, entropy) * len(entropy),
            "Summed over the factors; the mean is wanted.",
        ),
        WrongAnswer(
            "per-latent",
            lambda information, entropy: float(
                (_ranked(information, 1)[:, -1] - _ranked(information, 1)[:, -2]).mean()
                / entropy.mean()
            ),
            "Ranked along the factors: for each factor the latents are ranked (axis 0).",
        ),
        WrongAnswer(
            "mean-of-the-others",
            lambda information, entropy: float(
                (
                    (information.max(axis=0) - _ranked(information)[:-1].mean(axis=0)) / entropy
                ).mean()
            ),
            "The mean of the others is subtracted; it is the second largest that matters.",
        ),
    ),
    hints=(
        "For each factor, which latents know most about it?",
        "np.sort(information, axis=0): the last two rows.",
        "((ranked[-1] - ranked[-2]) / entropy).mean(), as a float.",
    ),
)

# ---- 10.equal-mass-bins ------------------------------------------------------------------------


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
    title="bins that hold equally many",
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
            "Bins of equal width: most values crowd into a few, and the rest are empty.",
        ),
        WrongAnswer(
            "argsort-once",
            lambda v, n: np.argsort(v) * n // len(v),
            "argsort tells which value comes at each rank; its argsort tells each value's rank.",
        ),
        WrongAnswer(
            "from-one",
            lambda v, n: equal_mass_bins(v, n) + 1,
            "Counted from 1; the first bin is 0.",
        ),
        WrongAnswer(
            "ranks",
            lambda v, n: np.argsort(np.argsort(v)),
            "These are the ranks: n of them share a bin.",
        ),
        WrongAnswer(
            "remainder",
            lambda v, n: np.argsort(np.argsort(v)) % n,
            "The remainder deals the values out like cards; neighbours belong together: //.",
        ),
        WrongAnswer(
            "descending",
            lambda v, n: equal_mass_bins(-v, n),
            "The largest values are in bin 0: turned around.",
        ),
        WrongAnswer(
            "real-numbers",
            lambda v, n: np.argsort(np.argsort(v)) * n / len(v),
            "A bin number is whole: // in place of /.",
        ),
    ),
    hints=(
        "What counts is only how many values lie below.",
        "The rank of each value is the argsort of the argsort.",
        "rank * n // len(v).",
    ),
)

# ---- 10.rotate ---------------------------------------------------------------------------------


def rotate_q(mean, variances, R):
    """If z ~ N(mean, diag(variances)), then R z ~ N(R mean, R diag(variances) R')"""
    return R @ mean, R @ np.diag(variances) @ R.T


def _rotation(angle):
    c, s = np.round(np.cos(angle), 12), np.round(np.sin(angle), 12)
    return np.array([[c, -s], [s, c]])


def _rotate_cases():
    three = np.eye(3)
    three[:2, :2] = _rotation(0.4)
    four = np.eye(3)
    four[1:, 1:] = _rotation(-1.1)
    return [
        (np.array([1.0, 0.5]), np.array([0.2, 0.9]), _rotation(0.5)),
        (np.array([0.3, -1.2, 0.8]), np.array([0.1, 0.5, 1.4]), three @ four),
    ]


ROTATE = Exercise(
    id="10.rotate",
    title="a rotated posterior",
    stub=stub("""
        def rotate_q(mean, variances, R):    # z ~ N(mean (L,), diag(variances (L,))), R (L, L)
            ...                              # -> mean (L,) and covariance (L, L) of R z
    """),
    reference=rotate_q,
    cases=_rotate_cases,
    returns=("mean", "covariance"),
    mistakes=(
        WrongAnswer(
            "transposed-mean",
            lambda mean, variances, R: (mean @ R, R @ np.diag(variances) @ R.T),
            "Mean @ R rotates the other way: R @ mean.",
        ),
        WrongAnswer(
            "transposed-covariance",
            lambda mean, variances, R: (R @ mean, R.T @ np.diag(variances) @ R),
            "R' S R rotates the other way: R S R'.",
        ),
        WrongAnswer(
            "diagonal-kept",
            lambda mean, variances, R: (
                R @ mean,
                np.diag(np.diag(R @ np.diag(variances) @ R.T)),
            ),
            "Only the diagonal is kept; the rotation makes the latents correlated.",
        ),
        WrongAnswer(
            "variances-rotated",
            lambda mean, variances, R: (R @ mean, np.diag(R @ variances)),
            "Variances do not rotate like a vector (one could turn negative): R S R'.",
        ),
        WrongAnswer(
            "one-side",
            lambda mean, variances, R: (R @ mean, R @ np.diag(variances)),
            "Multiplied from one side only: a covariance has R on the left and R' on the right.",
        ),
        WrongAnswer(
            "not-transposed",
            lambda mean, variances, R: (R @ mean, R @ np.diag(variances) @ R),
            "The R on the right is transposed.",
        ),
        WrongAnswer(
            "unchanged",
            lambda mean, variances, R: (R @ mean, np.diag(variances)),
            "The covariance is rotated too, unless all variances are equal.",
        ),
    ),
    hints=(
        "The covariance of R z is E[R (z - m) (z - m)' R'].",
        "R comes out on the left, R' on the right.",
        "R @ mean, R @ np.diag(variances) @ R.T.",
    ),
)

EXERCISES = (TRAVERSAL, MUTUAL_INFORMATION, INFORMATION_GAP, EQUAL_MASS_BINS, ROTATE)

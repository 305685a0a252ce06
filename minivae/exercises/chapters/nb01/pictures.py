"""What a covered picture says, and which pictures a story without noise explains."""

import numpy as np

from minivae.exercises.exercise import Exercise, WrongAnswer, stub

# ---- 01.covered ----------------------------------------------------------------------------------


def covered_posterior(x, p, seen):
    """Bayes' rule in logs, from the pixels that are seen, with a uniform prior"""
    a = np.log(np.where(x == 1, p, 1 - p))[:, seen].sum(axis=1)
    m = a.max()
    log_sum = m + np.log(np.exp(a - m).sum())
    return log_sum - np.log(len(a)), np.exp(a - log_sum)


def _covered_cases():
    from minivae.data import cats  # loaded when this exercise is checked

    rng = np.random.default_rng(16)
    places = np.repeat([[6.5, 0.3, 140.0, 8.0, 0.8, 0.0]], 9, axis=0)
    places[:, 5] = np.linspace(-0.08, 0.08, 9)
    upper = np.arange(28)[:, None] < np.full(28, 14)
    one = cats.sample_pixels(places[4:5], rng)[0].astype(float)
    large = rng.integers(0, 2, (50, 50)).astype(float)
    x = np.array([[1.0, 0.0], [0.0, 1.0]])
    p = np.array([[[0.8, 0.3], [0.4, 0.1]], [[0.6, 0.9], [0.2, 0.7]], [[0.5, 0.2], [0.9, 0.3]]])
    return [
        (x, p, np.array([[True, True], [False, False]])),
        (x, p[:2], np.array([[True, False], [False, True]])),
        (x, p, np.zeros((2, 2), bool)),  # nothing seen: the prior
        (one, cats.pixel_probabilities(places).astype(float), upper),
        (large, rng.uniform(0.05, 0.95, (3, 50, 50)), np.ones((50, 50), bool)),  # underflows
    ]


def _terms(x, p):
    return np.log(np.where(x == 1, p, 1 - p))


def _from_logs(log_of_z):
    """An answer from log p(x|z) for each z: log_of_z(x, p, seen) -> (Z,)."""

    def wrong(x, p, seen):
        a = log_of_z(x, p, seen)
        m = a.max()
        log_sum = m + np.log(np.exp(a - m).sum())
        return log_sum - np.log(len(a)), np.exp(a - log_sum)

    return wrong


def _changed(change):
    """An answer from the right one: change(log p, p(z|x), log p(x|z))."""
    return lambda x, p, seen: change(
        *covered_posterior(x, p, seen), _terms(x, p)[:, seen].sum(axis=1)
    )


def _naive(x, p, seen):
    likelihood = np.exp(_terms(x, p)[:, seen].sum(axis=1))
    return np.log(likelihood.mean()), likelihood / likelihood.sum()


COVERED = Exercise(
    id="01.covered",
    title="the posterior from a covered picture",
    stub=stub("""
        def covered_posterior(x, p, seen):    # x (S, S) of 0 and 1; p (Z, S, S), p(white|z) of each
            ...                               # pixel, above 0 and below 1; seen (S, S) bool
                                              # -> log p(seen pixels), nats; p(z|seen pixels) (Z,)
    """),
    reference=covered_posterior,
    cases=_covered_cases,
    returns=("log p(seen pixels)", "p(z | seen pixels)"),
    mistakes=(
        WrongAnswer(
            "everything-seen",
            _from_logs(lambda x, p, seen: _terms(x, p).sum(axis=(1, 2))),
            "You count the covered pixels too: only those with seen == True enter eq. (6).",
        ),
        WrongAnswer(
            "the-covered",
            _from_logs(lambda x, p, seen: _terms(x, p)[:, ~seen].sum(axis=1)),
            "You sum over the covered pixels; `seen` is True where the picture is seen.",
        ),
        WrongAnswer(
            "covered-is-black",
            _from_logs(lambda x, p, seen: _terms(x * seen, p).sum(axis=(1, 2))),
            "You take covered pixels for black ones. A pixel that nobody saw says nothing: leave "
            "its term out.",
        ),
        WrongAnswer(
            "covered-is-a-coin",
            _from_logs(lambda x, p, seen: np.where(seen, _terms(x, p), np.log(0.5)).sum((1, 2))),
            "You give each covered pixel the probability 1/2. White or black, it is one of the "
            "two: its probabilities add up to 1, and its term is log 1 = 0.",
        ),
        WrongAnswer(
            "white-only",
            _from_logs(lambda x, p, seen: (x * np.log(p))[:, seen].sum(axis=1)),
            "Black pixels that are seen count too, with the probability 1 - p.",
        ),
        WrongAnswer(
            "mean-over-pixels",
            _from_logs(lambda x, p, seen: (_terms(x, p) * seen).sum((1, 2)) / max(seen.sum(), 1)),
            "The probabilities of the pixels multiply, so their logs are summed, not averaged.",
        ),
        WrongAnswer(
            "naive",
            _naive,
            "With many pixels the products underflow: take the largest log out first, eq. (7).",
        ),
        WrongAnswer(
            "sum",
            _changed(lambda log_p, posterior, a: (log_p + np.log(len(a)), posterior)),
            "The first result lacks the prior: each z has the probability 1 / Z.",
        ),
        WrongAnswer(
            "mean-of-logs",
            _changed(lambda log_p, posterior, a: (a.mean(), posterior)),
            "The first result is a mean of logs; eq. (3) adds up probabilities first.",
        ),
        WrongAnswer(
            "best-is-one",
            _changed(lambda log_p, posterior, a: (log_p, np.exp(a - a.max()))),
            "Your p(z|x) is 1 at the best z; divide by the sum, so that it sums to 1.",
        ),
        WrongAnswer(
            "posterior-in-logs",
            _changed(lambda log_p, posterior, a: (log_p, np.log(posterior))),
            "The second result is log p(z|x); exponentiate it.",
        ),
        WrongAnswer(
            "swapped",
            _changed(lambda log_p, posterior, a: (posterior, log_p)),
            "The two results are swapped: first log p, then p(z|x).",
        ),
    ),
    hints=(
        "As with the symptoms that nobody looked at: what is covered drops out of the sum.",
        "np.log(np.where(x == 1, p, 1 - p)) is (Z, S, S); indexed by [:, seen] it is (Z, pixels).",
        "Sum that over axis 1, take eq. (7) over z, subtract log Z for the evidence; the posterior "
        "is np.exp(a - eq. (7)).",
    ),
)

# ---- 01.without-noise ----------------------------------------------------------------------------


def without_noise(x, drawn):
    """p(x|z) is 1 where G(z) is x in every pixel, else 0; then Bayes' rule, with a uniform prior"""
    same = (x[:, None] == drawn).all(axis=2)
    p_x = same.mean(axis=1)
    with np.errstate(invalid="ignore"):  # no z draws it: 0 / 0
        return p_x, same / same.sum(axis=1, keepdims=True)


def _drawn_cases():
    rng = np.random.default_rng(17)
    drawn = rng.integers(0, 2, (6, 5))
    drawn[3], drawn[5] = drawn[1], drawn[1]  # three z draw the same picture
    near = drawn[2].copy()
    near[4] = 1 - near[4]
    return [
        (np.array([[1, 0], [0, 0]]), np.array([[1, 0], [1, 0], [0, 1]])),
        (np.array([[0, 1, 1], [1, 1, 0]]), np.array([[0, 1, 1], [1, 0, 1], [0, 1, 1], [1, 1, 1]])),
        (np.stack([drawn[1], drawn[0], near]), drawn),
    ]


def _from_likelihood(likelihood):
    """An answer from p(x|z): likelihood(x, drawn) -> (N, Z)."""

    def wrong(x, drawn):
        table = likelihood(x, drawn) * 1.0
        with np.errstate(invalid="ignore"):
            return table.mean(axis=1), table / table.sum(axis=1, keepdims=True)

    return wrong


def _same(x, drawn):
    return (x[:, None] == drawn).all(axis=2)


def _of_answer(change):
    return lambda x, drawn: change(*without_noise(x, drawn), _same(x, drawn))


def _first_only(x, drawn):
    same = _same(x, drawn)
    first = same & (np.cumsum(same, axis=1) == 1)
    return without_noise(x, drawn)[0], np.where(same.any(axis=1)[:, None], first, np.nan)


def _over_x(p_x, posterior, same):
    with np.errstate(invalid="ignore"):
        return p_x, same / same.sum(axis=0)


def _nearest(x, drawn):
    differing = (x[:, None] != drawn).sum(axis=2)
    best = differing == differing.min(axis=1, keepdims=True)
    return without_noise(x, drawn)[0], best / best.sum(axis=1, keepdims=True)


WITHOUT_NOISE = Exercise(
    id="01.without-noise",
    title="what a story without noise explains",
    stub=stub("""
        def without_noise(x, drawn):    # pictures x (N, D); drawn (Z, D): G(z) of Z equally likely
            ...                         # z; all are 0 and 1. -> p(x) (N,), p(z|x) (N, Z),
                                        # nan in the row of an x that no z draws
    """),
    reference=without_noise,
    cases=_drawn_cases,
    returns=("p(x)", "p(z|x)"),
    mistakes=(
        WrongAnswer(
            "share-of-pixels",
            _from_likelihood(lambda x, drawn: (x[:, None] == drawn).mean(axis=2)),
            "You give a z credit for every pixel that it gets right. Without noise p(x|z) is 1 if "
            "all are right, and 0 if one is wrong.",
        ),
        WrongAnswer(
            "any-pixel",
            _from_likelihood(lambda x, drawn: (x[:, None] == drawn).any(axis=2)),
            "One pixel that agrees is not enough: all of them must.",
        ),
        WrongAnswer(
            "as-much-white",
            _from_likelihood(lambda x, drawn: x.sum(axis=1)[:, None] == drawn.sum(axis=1)),
            "You compare how many pixels are white, not which.",
        ),
        WrongAnswer(
            "count",
            _of_answer(lambda p_x, posterior, same: (same.sum(axis=1), posterior)),
            "You count the z that draw x; each has the prior probability 1 / Z.",
        ),
        WrongAnswer(
            "yes-or-no",
            _of_answer(lambda p_x, posterior, same: (same.any(axis=1) * 1.0, posterior)),
            "You say whether x can occur; p(x) is the share of the z that draw it.",
        ),
        WrongAnswer(
            "not-normalised",
            _of_answer(
                lambda p_x, posterior, same: (p_x, np.where(p_x[:, None] > 0, same, np.nan))
            ),
            "This is p(x|z). The posterior sums to 1 over the z: those that draw x share it.",
        ),
        WrongAnswer(
            "joint",
            _of_answer(
                lambda p_x, posterior, same: (
                    p_x,
                    np.where(p_x[:, None] > 0, same / same.shape[1], np.nan),
                )
            ),
            "This is the joint, p(z) p(x|z): divide it by p(x).",
        ),
        WrongAnswer(
            "over-x",
            _of_answer(_over_x),
            "You divide by a sum over the pictures; the posterior sums to 1 over z, axis 1.",
        ),
        WrongAnswer(
            "first-only",
            _first_only,
            "Several z may draw the same picture: they share the posterior equally.",
        ),
        WrongAnswer(
            "nearest",
            _nearest,
            "A picture that no z draws is not explained by the nearest: eq. (4) is 0 / 0 there.",
        ),
        WrongAnswer(
            "zeros",
            _of_answer(lambda p_x, posterior, same: (p_x, np.nan_to_num(posterior))),
            "Zeros do not sum to 1: where no z draws x, eq. (4) is 0 / 0, and the row is nan.",
        ),
        WrongAnswer(
            "transposed",
            _of_answer(lambda p_x, posterior, same: (p_x, posterior.T)),
            "The rows of the second result are the pictures, its columns the z.",
        ),
    ),
    hints=(
        "p(x|z) is 1 or 0. Which is it for one picture and one z?",
        "(x[:, None] == drawn).all(axis=2) is p(x|z), shape (N, Z).",
        "Its mean over z is p(x), since all z are equally likely; divided by its sum over z it is "
        "the posterior.",
    ),
)

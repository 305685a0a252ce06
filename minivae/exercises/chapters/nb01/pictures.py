"""Which pictures a story without noise explains."""

import numpy as np

from minivae.exercises.exercise import Exercise, WrongAnswer, call_for_results, stub


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
    large = rng.integers(0, 2, (3, 784))
    but_one = np.repeat(large[:1], 3, axis=0)
    but_one[1, 0], but_one[2, 783] = 1 - large[0, 0], 1 - large[0, 783]
    return [
        (np.array([[1, 0], [0, 0]]), np.array([[1, 0], [1, 0], [0, 1]])),
        (np.array([[0, 1, 1], [1, 1, 0]]), np.array([[0, 1, 1], [1, 0, 1], [0, 1, 1], [1, 1, 1]])),
        (np.stack([drawn[1], drawn[0], near]), drawn),
        (but_one[1:2, :40], large[:1, :40]),
        (but_one, large),  # one pixel of 784 is enough, the first or the last
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
    observe=call_for_results(2),
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

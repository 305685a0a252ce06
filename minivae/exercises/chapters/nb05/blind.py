"""A wrong loss with its right gradient: what no gradient check can see."""

import numpy as np

from minivae.exercises.exercise import Exercise, WrongAnswer, generic, stub
from minivae.gradcheck.differences import central_differences


def wrong_pair(mean, logvar, x):
    """The half is put on the normaliser only. The sum of squares / v + log(v) / 2 over n pixels is
    lowest where v is twice the mean of the squares"""
    squares = (x - mean) ** 2 * np.exp(-logvar)
    nll = (squares + (logvar + np.log(2 * np.pi)) / 2).sum(axis=1)
    dmean = 2 * (mean - x) * np.exp(-logvar)
    dlogvar = np.array([(0.5 - squares).sum()])
    return nll, dmean, dlogvar


def _right_pair(mean, logvar, x, half=0.5):
    """The likelihood; half is the factor of its normaliser."""
    squares = (x - mean) ** 2 * np.exp(-logvar)
    nll = (0.5 * squares + half * (logvar + np.log(2 * np.pi))).sum(axis=1)
    dlogvar = np.array([(half - 0.5 * squares).sum()])
    return nll, (mean - x) * np.exp(-logvar), dlogvar


def _cases():
    rng = np.random.default_rng(75)
    return [
        (generic(rng, 2, 2), np.array([0.3]), generic(rng, 2, 2)),
        (generic(rng, 3, 4), np.array([-0.6]), generic(rng, 3, 4)),
    ]


def _check_and_lowest(answer, mean, logvar, x):
    """What a gradient check says of the pair, and where its loss is lowest over logvar."""

    def loss(mean, logvar):
        return np.sum(answer(mean, logvar, x)[0])

    results = answer(mean.copy(), logvar.copy(), x.copy())
    wanted = {"nll": (len(x),), "dmean": mean.shape, "dlogvar": logvar.shape}
    if len(results) != len(wanted):
        return f"{len(results)} results, not nll, dmean, dlogvar", "not asked"
    for (name, shape), result in zip(wanted.items(), results, strict=True):
        if np.shape(result) != shape:
            return f"{name} has shape {np.shape(result)}, not {shape}", "not asked"
    numeric = (
        central_differences(lambda at: loss(at, logvar), mean),
        central_differences(lambda at: loss(mean, at), logvar),
    )
    wrong = [
        name
        for name, a, n in zip(("dmean", "dlogvar"), results[1:], numeric, strict=True)
        if not np.abs(a - n).max() <= 1e-6 * np.abs(n).max()
    ]
    around = np.linspace(-6, 6, 1201)  # of the log of the ratio
    spread = np.log(((x - mean) ** 2).mean())
    losses = [loss(mean, np.array([spread + shift])) for shift in around]
    lowest = int(np.argmin(losses))
    where = f"lowest at {np.exp(around[lowest]):.1f} times the variance"
    if lowest in (0, len(around) - 1):
        where = f"lowest nowhere: it falls as the variance {'grows' if lowest else 'shrinks'}"
    return (f"wrong: {', '.join(wrong)}" if wrong else "right"), where


BLIND = Exercise(
    id="05.blind-pair",
    title="a wrong likelihood that every gradient check calls right",
    stub=stub("""
        def wrong_pair(mean, logvar, x):    # (B, D), (1,), (B, D)
            ...                             # -> nll (B,), dmean (B, D), dlogvar (1,), each dnll 1
    """),
    reference=wrong_pair,
    cases=_cases,
    observe=_check_and_lowest,
    returns=("what the check says", "where the loss is lowest"),
    mistakes=(
        WrongAnswer(
            "the-right-pair",
            _right_pair,
            "The pair passes, and its loss is lowest at the variance of the residuals, as that of "
            "the right likelihood. (A constant, or a factor on the whole loss, moves no minimum.)",
        ),
        WrongAnswer(
            "loss-alone",
            lambda mean, logvar, x: (
                wrong_pair(mean, logvar, x)[0],
                *_right_pair(mean, logvar, x)[1:],
            ),
            "The loss is wrong as wanted, but these are not its gradients (are they those of the "
            "right one?), and the check sees that: derive them from the wrong loss.",
        ),
        WrongAnswer(
            "gradient-alone",
            lambda mean, logvar, x: (
                _right_pair(mean, logvar, x)[0],
                *wrong_pair(mean, logvar, x)[1:],
            ),
            "The loss is the right one and its gradients are not: that is what a check sees. Put "
            "the mistake into the loss.",
        ),
        WrongAnswer(
            "logvar-lost",
            lambda mean, logvar, x: _right_pair(mean, logvar, x, half=0.0),
            "Without logvar, or with a minus before it, the loss has no lowest point: it falls as "
            "the variance grows.",
        ),
        WrongAnswer(
            "the-other-way",
            lambda mean, logvar, x: _right_pair(mean, logvar, x, half=1.0),
            "Half the variance: the normaliser has become too large against the squares; make it "
            "too small.",
        ),
    ),
    hints=(
        "Which weight of the squares against logvar gives its lowest loss at twice the variance?",
        "a * squares / v + b * log(v), summed over n pixels, is lowest at v = (a / b) times the "
        "mean of the squares; the right likelihood has a = b = 1/2.",
        "Forget the 1/2 of the squares only, in nll, dmean and dlogvar: "
        "dmean = 2 (mean - x) / var, dlogvar = sum of (1/2 - squares / var).",
    ),
)

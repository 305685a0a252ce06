"""Encoders of linear decoders with one latent: the best one, and the price of sharing it."""

import numpy as np

from minivae.exercises.exercise import Exercise, WrongAnswer, stub

# ---- 02.best-line --------------------------------------------------------------------------------


def best_line_encoder(W, v):
    """W (1 - W a) / v = a,  1 / sigma2 = W^2 / v + 1"""
    return W / (W**2 + v), v / (W**2 + v)


BEST_LINE = Exercise(
    id="02.best-line",
    title="the best encoder of a linear decoder",
    stub=stub("""
        def best_line_encoder(W, v):    # z ~ N(0, 1), x|z ~ N(W z, v), q = N(a x, sigma2): floats
            ...                         # -> the a and sigma2 with the highest ELBO, whatever x is
    """),
    reference=best_line_encoder,
    cases=lambda: [(1.7, 0.6), (-0.45, 2.3)],
    returns=("a", "sigma2"),
    mistakes=(
        WrongAnswer(
            "inverse",
            lambda W, v: (1 / W, v / W**2),
            "This undoes the decoder and forgets the prior, whose KL pulls q towards N(0, 1).",
        ),
        WrongAnswer(
            "noise-one",
            lambda W, v: (W / (W**2 + 1), 1 / (W**2 + 1)),
            "This is right for v = 1 only: the fit is divided by v.",
        ),
        WrongAnswer(
            "weight-one",
            lambda W, v: (1 / (1 + v), v / (1 + v)),
            "This is right for W = 1 only.",
        ),
        WrongAnswer(
            "prior-width",
            lambda W, v: (W / (W**2 + v), 1.0),
            "a is right. The width 1 is the prior's; set the derivative by sigma2 to zero too.",
        ),
        WrongAnswer(
            "deviation",
            lambda W, v: (W / (W**2 + v), float(np.sqrt(v / (W**2 + v)))),
            "a is right. The second number is the standard deviation; the variance is asked for.",
        ),
        WrongAnswer(
            "logvar",
            lambda W, v: (W / (W**2 + v), float(np.log(v / (W**2 + v)))),
            "a is right. The second number is log sigma2; sigma2 itself is asked for.",
        ),
        WrongAnswer(
            "precision",
            lambda W, v: (W / (W**2 + v), (W**2 + v) / v),
            "a is right. The second number is 1 / sigma2.",
        ),
        WrongAnswer(
            "weight-in-the-variance",
            lambda W, v: (W / (W**2 + v), v / (W + v)),
            "a is right. W z has the variance W^2 sigma2 under q, not W sigma2.",
        ),
        WrongAnswer(
            "numerator",
            lambda W, v: (W / (W**2 + v), 1 / (W**2 + v)),
            "a is right. sigma2 misses a factor v: 1 / sigma2 = W^2 / v + 1.",
        ),
        WrongAnswer(
            "swapped",
            lambda W, v: best_line_encoder(W, v)[::-1],
            "The two are in the wrong order: a comes first.",
        ),
    ),
    hints=(
        "Write eq. (8) with v in the place of 1: the fit is divided by v, the KL is not.",
        "By a: W (1 - W a) x^2 / v - a x^2 = 0. By sigma2: -W^2 / v - 1 + 1 / sigma2 = 0.",
        "a = W / (W^2 + v), and sigma2 = v / (W^2 + v): it is the posterior.",
    ),
)

# ---- 02.sharing ----------------------------------------------------------------------------------


def shared_encoder(x, v):
    """Sum of x (x - a x) / v = sum of a x^2,  1 / sigma2 = mean of 1 / S,  mean of the gaps"""
    m, S = x / (1 + v), v / (1 + v)
    a = float((x**2 / v).sum() / (x**2 / S).sum())
    sigma2 = float(1 / (1 / S).mean())
    gaps = ((sigma2 + (a * x - m) ** 2) / S - 1 - np.log(sigma2 / S)) / 2
    return a, sigma2, float(gaps.mean())


def _encoder_cases():
    return [
        (np.array([1.3, -0.6]), np.array([0.2, 1.7])),
        (np.array([0.4, -1.9, 0.8, 2.3]), np.array([0.9, 0.15, 2.6, 0.5])),
    ]


def _gap_of(a, sigma2, x, v):
    m, S = x / (1 + v), v / (1 + v)
    return float(((sigma2 + (a * x - m) ** 2) / S - 1 - np.log(sigma2 / S)).mean() / 2)


def _with(a=None, sigma2=None):
    """A wrong answer: another a or sigma2, and the gap that follows."""

    def wrong(x, v):
        right = shared_encoder(x, v)
        used = float(a(x, v)) if a else right[0], float(sigma2(x, v)) if sigma2 else right[1]
        return *used, _gap_of(*used, x, v)

    return wrong


def _reversed_gap(x, v):
    a, sigma2, _ = shared_encoder(x, v)
    m, S = x / (1 + v), v / (1 + v)
    gaps = ((S + (a * x - m) ** 2) / sigma2 - 1 - np.log(S / sigma2)) / 2
    return a, sigma2, float(gaps.mean())


SHARING = Exercise(
    id="02.sharing",
    title="an encoder that does not see all it would need, and its amortization gap",
    stub=stub("""
        def shared_encoder(x, v):    # z_n ~ N(0, 1), x_n|z_n ~ N(z_n, v_n): (N,), (N,)
            ...    # -> the a and sigma2 with the highest mean ELBO, and how far this is below the
                   #    mean ELBO with a Gaussian of its own for every x_n: three floats
    """),
    reference=shared_encoder,
    cases=_encoder_cases,
    returns=("a", "sigma2", "amortization gap"),
    mistakes=(
        WrongAnswer(
            "plain-least-squares",
            _with(a=lambda x, v: (x**2 / (1 + v)).sum() / (x**2).sum()),
            "This a fits the posterior means by plain least squares. In the ELBO a miss counts "
            "the more, the narrower the posterior: its square is divided by S.",
        ),
        WrongAnswer(
            "mean-of-slopes",
            _with(a=lambda x, v: (1 / (1 + v)).mean()),
            "This averages the best a of each x_n. The mean ELBO weighs them.",
        ),
        WrongAnswer(
            "mean-of-variances",
            _with(sigma2=lambda x, v: (v / (1 + v)).mean()),
            "This sigma2 is the mean of the posterior variances. The derivative gives "
            "1 / sigma2 = the mean of 1 / S.",
        ),
        WrongAnswer(
            "mean-noise",
            _with(a=lambda x, v: 1 / (1 + v.mean()), sigma2=lambda x, v: v.mean() / (1 + v.mean())),
            "You put the mean of v in; the mean ELBO contains 1 / v.",
        ),
        WrongAnswer(
            "no-prior",
            _with(a=lambda x, v: 1.0),
            "a = 1 fits x best, but the KL to the prior pulls the mean of q towards 0.",
        ),
        WrongAnswer(
            "moment-matching",
            _with(
                sigma2=lambda x, v: (
                    v / (1 + v) + (shared_encoder(x, v)[0] * x - x / (1 + v)) ** 2
                ).mean()
            ),
            "You add the misses of the mean to the width. In the ELBO a and sigma2 stand in "
            "separate terms.",
        ),
        WrongAnswer(
            "sum-of-gaps",
            lambda x, v: (*shared_encoder(x, v)[:2], shared_encoder(x, v)[2] * len(x)),
            "a and sigma2 are right. This is the sum of the gaps; their mean is asked for.",
        ),
        WrongAnswer(
            "reversed",
            _reversed_gap,
            "a and sigma2 are right. This gap is KL(posterior || q); the ELBO's is "
            "KL(q || posterior).",
        ),
        WrongAnswer(
            "negative",
            lambda x, v: (*shared_encoder(x, v)[:2], -shared_encoder(x, v)[2]),
            "a and sigma2 are right. The gap is how far the ELBO is *below*: not negative.",
        ),
        WrongAnswer(
            "nothing",
            lambda x, v: (*shared_encoder(x, v)[:2], 0.0),
            "a and sigma2 are right. But the posterior means x_n / (1 + v_n) are not on one line "
            "a x, so sharing costs something.",
        ),
    ),
    hints=(
        "The ELBO of x_n is eq. (7) with v_n and mu = a x_n. Average it, and set both derivatives "
        "to zero.",
        "By a: sum of x (x - a x) / v - a x^2 = 0. By sigma2: 1 / sigma2 = mean of (1 + 1 / v).",
        "With its own Gaussian each x_n reaches log p(x_n), so what is asked for is the mean of "
        "KL(N(a x, sigma2) || N(m, S)), m = x / (1 + v), S = v / (1 + v), for example as the "
        "difference of log N(x; 0, 1 + v) and the ELBO.",
    ),
)

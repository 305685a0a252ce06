"""The price of sharing one encoder among many x."""

import numpy as np

from minivae.exercises.exercise import Exercise, WrongAnswer, stub


def shared_encoder(x, v, W):
    """sum of W x (x - W a x) / v = sum of a x^2,  1 / sigma2 = mean of 1 / S,  mean of the gaps"""
    m, S = W * x / (W**2 + v), v / (W**2 + v)
    a = float((W * x**2 / v).sum() / (x**2 / S).sum())
    sigma2 = float(1 / (1 / S).mean())
    gaps = ((sigma2 + (a * x - m) ** 2) / S - 1 - np.log(sigma2 / S)) / 2
    return a, sigma2, float(gaps.mean())


def _cases():
    return [
        (np.array([1.3, -0.6]), np.array([0.2, 1.7]), 1.4),
        (np.array([0.4, -1.9, 0.8, 2.3]), np.array([0.9, 0.15, 2.6, 0.5]), -0.7),
    ]


def _as_three(answer, x, v, W):
    """An array of the three numbers is as good as a tuple."""
    found = answer(x, v, W)
    return tuple(found) if isinstance(found, np.ndarray) and found.shape == (3,) else found


def _posterior(x, v, W):
    return W * x / (W**2 + v), v / (W**2 + v)


def _with(a=None, sigma2=None):
    """A wrong answer: another a or sigma2, and the gap that follows."""

    def wrong(x, v, W):
        right = shared_encoder(x, v, W)
        used_a = float(a(x, v, W)) if a else right[0]
        used_sigma2 = float(sigma2(x, v, W)) if sigma2 else right[1]
        m, S = _posterior(x, v, W)
        gaps = ((used_sigma2 + (used_a * x - m) ** 2) / S - 1 - np.log(used_sigma2 / S)) / 2
        return used_a, used_sigma2, float(gaps.mean())

    return wrong


def _gap_as(change):
    """A wrong answer: the right a and sigma2, and change(gap, mu, sigma2, m, S) for the gap."""

    def wrong(x, v, W):
        a, sigma2, gap = shared_encoder(x, v, W)
        return a, sigma2, float(change(gap, a * x, sigma2, *_posterior(x, v, W)))

    return wrong


SHARING = Exercise(
    id="02.sharing",
    title="an encoder that does not see all it would need, and its amortization gap",
    stub=stub("""
        def shared_encoder(x, v, W):    # z_n ~ N(0, 1), x_n|z_n ~ N(W z_n, v_n): (N,), (N,), float
            ...    # -> the a and sigma2 with the highest mean ELBO, and how far this is below the
                   #    mean ELBO with a Gaussian of its own for every x_n: three floats
    """),
    reference=shared_encoder,
    cases=_cases,
    observe=_as_three,
    returns=("a", "sigma2", "amortization gap"),
    mistakes=(
        WrongAnswer(
            "plain-least-squares",
            _with(a=lambda x, v, W: x @ _posterior(x, v, W)[0] / (x @ x)),
            "This a fits the posterior means by plain least squares. In the ELBO a miss counts "
            "the more, the narrower the posterior: its square is divided by S.",
        ),
        WrongAnswer(
            "mean-of-slopes",
            _with(a=lambda x, v, W: (W / (W**2 + v)).mean()),
            "This averages the best a of each x_n. The mean ELBO weighs them.",
        ),
        WrongAnswer(
            "mean-of-variances",
            _with(sigma2=lambda x, v, W: _posterior(x, v, W)[1].mean()),
            "This sigma2 is the mean of the posterior variances. The derivative gives "
            "1 / sigma2 = the mean of 1 / S.",
        ),
        WrongAnswer(
            "mean-noise",
            _with(
                a=lambda x, v, W: W / (W**2 + v.mean()),
                sigma2=lambda x, v, W: v.mean() / (W**2 + v.mean()),
            ),
            "You put the mean of v in; the mean ELBO contains 1 / v.",
        ),
        WrongAnswer(
            "no-prior",
            _with(a=lambda x, v, W: 1 / W),
            "a = 1 / W fits x best, but the KL to the prior pulls the mean of q towards 0.",
        ),
        WrongAnswer(
            "weight-one",
            lambda x, v, W: shared_encoder(x, v, 1.0),
            "This is right for W = 1 only.",
        ),
        WrongAnswer(
            "weight-not-squared",
            _with(sigma2=lambda x, v, W: 1 / (1 + abs(W) / v).mean()),
            "Under q, W z has the variance W^2 sigma2, not W sigma2.",
        ),
        WrongAnswer(
            "prior-width",
            _with(sigma2=lambda x, v, W: 1.0),
            "The width 1 is the prior's; set the derivative by sigma2 to zero too.",
        ),
        WrongAnswer(
            "moment-matching",
            _with(
                sigma2=lambda x, v, W: (
                    _posterior(x, v, W)[1]
                    + (shared_encoder(x, v, W)[0] * x - _posterior(x, v, W)[0]) ** 2
                ).mean()
            ),
            "You add the misses of the mean to the width. In the ELBO a and sigma2 stand in "
            "separate terms.",
        ),
        WrongAnswer(
            "deviation",
            lambda x, v, W: (
                shared_encoder(x, v, W)[0],
                float(np.sqrt(shared_encoder(x, v, W)[1])),
                shared_encoder(x, v, W)[2],
            ),
            "The second number is the standard deviation; the variance is asked for.",
        ),
        WrongAnswer(
            "sum-of-gaps",
            _gap_as(lambda gap, mu, sigma2, m, S: gap * len(m)),
            "a and sigma2 are right. This is the sum of the gaps; their mean is asked for.",
        ),
        WrongAnswer(
            "reversed",
            _gap_as(
                lambda gap, mu, sigma2, m, S: (
                    ((S + (mu - m) ** 2) / sigma2 - 1 - np.log(S / sigma2)).mean() / 2
                )
            ),
            "a and sigma2 are right. This gap is KL(posterior || q); the ELBO's is "
            "KL(q || posterior).",
        ),
        WrongAnswer(
            "negative",
            _gap_as(lambda gap, mu, sigma2, m, S: -gap),
            "a and sigma2 are right. The gap is how far the ELBO is *below*: not negative.",
        ),
        WrongAnswer(
            "nothing",
            _gap_as(lambda gap, mu, sigma2, m, S: 0.0),
            "a and sigma2 are right. But the posteriors have different slopes and widths, so "
            "sharing costs something.",
        ),
    ),
    hints=(
        "Write eq. (8) for one x_n: its noise of variance 1 becomes v_n, which divides the fit and "
        "not the KL. Average over n, and set both derivatives to zero.",
        "By a: sum of W (1 - W a) x^2 / v - a x^2 = 0. By sigma2: 1 / sigma2 = mean of "
        "(1 + W^2 / v).",
        "With its own Gaussian each x_n reaches log p(x_n), so the gap is the mean of "
        "log N(x; 0, W^2 + v) minus the mean ELBO, or the mean of KL(N(a x, sigma2) || N(m, S)) "
        "with m = W x / (W^2 + v), S = v / (W^2 + v).",
    ),
)

"""Drawing from q: the variance of its weights, and why the smaller gap does not decide."""

import numpy as np

from minivae.exercises.exercise import Exercise, WrongAnswer, stub

# ---- 02.weight-variance --------------------------------------------------------------------------


def weight_variance(mu, sigma2, m, S):
    """The integral of N(z; m, S)^2 / N(z; mu, sigma2), minus 1"""
    width = 2 * sigma2 - S
    if width <= 0:
        return np.inf
    return float(sigma2 / np.sqrt(S * width) * np.exp((mu - m) ** 2 / width) - 1)


def _variance_cases():
    return [
        (0.6, 0.35, 0.8, 0.2),
        (-0.35, 0.17, -0.6, 0.23),
        (1.4, 0.9, 1.4, 0.31),
        (0.8, 0.09, 0.7, 0.2),
        (0.8, 0.1, 0.8, 0.2),
    ]


def _quietly(answer):
    """A wrong answer that takes roots of negative numbers or divides by zero."""

    def wrong(mu, sigma2, m, S):
        with np.errstate(all="ignore"):
            return float(answer(np.float64(mu), np.float64(sigma2), m, S))

    return wrong


def _formula(mu, sigma2, m, S):
    width = 2 * sigma2 - S
    return sigma2 / np.sqrt(S * width) * np.exp((mu - m) ** 2 / width) - 1


WEIGHT_VARIANCE = Exercise(
    id="02.weight-variance",
    title="the variance of the weights of a Gaussian q",
    stub=stub("""
        def weight_variance(mu, sigma2, m, S):    # q = N(mu, sigma2), the posterior N(m, S): floats
            ...                                   # -> Var(w) / p(x)^2 under q: one float, or np.inf
    """),
    reference=weight_variance,
    cases=_variance_cases,
    mistakes=(
        WrongAnswer(
            "mean-square",
            lambda mu, sigma2, m, S: weight_variance(mu, sigma2, m, S) + 1,
            "This is the mean square of w / p(x). The variance is less by the squared mean, 1.",
        ),
        WrongAnswer(
            "root-of-negative",
            _quietly(_formula),
            "The formula is right for sigma2 > S/2. Elsewhere it takes the root of a number that "
            "is not positive, and the integral behind it is infinite.",
        ),
        WrongAnswer(
            "absolute-value",
            _quietly(
                lambda mu, sigma2, m, S: (
                    sigma2
                    / np.sqrt(S * abs(2 * sigma2 - S))
                    * np.exp((mu - m) ** 2 / abs(2 * sigma2 - S))
                    - 1
                )
            ),
            "For sigma2 below S/2 the integrand grows with |z|: the integral is infinite, and the "
            "absolute value hides it.",
        ),
        WrongAnswer(
            "infinite-below-the-posterior",
            lambda mu, sigma2, m, S: weight_variance(mu, sigma2, m, S) if sigma2 > S else np.inf,
            "A q narrower than the posterior has unbounded weights, but their variance is infinite "
            "only from S/2 downwards.",
        ),
        WrongAnswer(
            "means-forgotten",
            lambda mu, sigma2, m, S: weight_variance(m, sigma2, m, S),
            "This is right where q has the posterior's mean; complete the square for mu != m.",
        ),
        WrongAnswer(
            "half-in-the-exponent",
            lambda mu, sigma2, m, S: weight_variance(m + (mu - m) / 2**0.5, sigma2, m, S),
            "The exponent is half of what it should be: squaring the posterior doubles its own.",
        ),
        WrongAnswer(
            "variance-as-deviation",
            lambda mu, sigma2, m, S: weight_variance(mu, sigma2**2, m, S**2),
            "sigma2 and S are variances already: they are not squared again.",
        ),
        WrongAnswer(
            "roles-swapped",
            lambda mu, sigma2, m, S: weight_variance(m, S, mu, sigma2),
            "q and the posterior are swapped: w has q in its denominator.",
        ),
        WrongAnswer(
            "deviation",
            lambda mu, sigma2, m, S: float(np.sqrt(weight_variance(mu, sigma2, m, S))),
            "This is the standard deviation; the variance is asked for.",
        ),
    ),
    hints=(
        "w / p(x) is posterior(z) / q(z), and its mean under q is 1. What is its mean square?",
        "E_q[(posterior / q)^2] is the integral of posterior^2 / q: a Gaussian integral. Complete "
        "the square; the factor of z^2 in the exponent is -(1/S - 1/(2 sigma2)).",
        "sigma2 / sqrt(S (2 sigma2 - S)) * exp((mu - m)^2 / (2 sigma2 - S)) - 1, and np.inf unless "
        "2 sigma2 > S.",
    ),
)

# ---- 02.two-qs -----------------------------------------------------------------------------------

M, S = -0.4, 0.5  # not those of section 2.4: two rows of its table would do


def _gap(mu, sigma2):
    return ((sigma2 + (mu - M) ** 2) / S - 1 - np.log(sigma2 / S)) / 2


def _judge(answer):
    try:
        pairs = np.asarray(answer, float)
    except (TypeError, ValueError):
        return "expected two pairs of numbers: (mu_1, sigma2_1), (mu_2, sigma2_2)"
    if pairs.shape != (2, 2) or not np.isfinite(pairs).all():
        return "expected two pairs of numbers: (mu_1, sigma2_1), (mu_2, sigma2_2)"
    if not (pairs[:, 1] > 0).all():
        return "each sigma2 must be above 0"
    gaps = [_gap(*pair) for pair in pairs]
    with np.errstate(over="ignore"):  # a mean far off: too large for a float, refused below
        variances = [weight_variance(*pair, M, S) for pair in pairs]
    for place, variance in zip(("first", "second"), variances, strict=True):
        if variance == np.inf:
            return f"the {place} one's weights have an infinite variance, or one too large to print"
    if not gaps[0] < gaps[1] - 1e-9:
        return f"the gaps are {gaps[0]:.4f} and {gaps[1]:.4f} nats: the first is not the smaller"
    if not variances[1] < variances[0] - 1e-9:
        return (
            f"the variances of the weights are {variances[0]:.4f} and {variances[1]:.4f}: the "
            "second is not the smaller"
        )
    return None


TWO_QS = Exercise(
    id="02.two-qs",
    title="two q, one with the smaller gap and one with better draws",
    stub=stub("""
        # One latent, posterior N(-0.4, 0.5). Give two q, each as (mu, sigma2): the first with the
        # smaller gap KL(q || posterior), the second with the smaller variance of its weights.
        # Neither variance may be infinite: [(mu_1, sigma2_1), (mu_2, sigma2_2)]
        two_qs = ...
    """),
    reference=((-0.4, 0.27), (-0.4, 0.9)),
    judge=_judge,
    mistakes=(
        WrongAnswer(
            "too-narrow",
            ((-0.4, 0.24), (-0.6, 0.9)),
            "At 0.24 the variance of the weights is infinite: stay above half of 0.5.",
        ),
        WrongAnswer(
            "wrong-way-round",
            ((-0.4, 0.9), (-0.4, 0.27)),
            "These two do disagree; put the one with the smaller gap first.",
        ),
        WrongAnswer(
            "one-is-better-in-both",
            ((-0.4, 0.375), (-0.4, 0.9)),
            "Here the first has the smaller variance too. Make it narrower, but not below 0.25.",
        ),
        WrongAnswer(
            "deviations",
            ((-0.4, 0.52), (-0.4, 0.95)),
            "Are these standard deviations? The second number of a pair is a variance.",
        ),
    ),
    hints=(
        "The gap forgives a q that is too narrow; the variance of the weights does not.",
        "Keep both means at -0.4. Take the first sigma2 little above S/2, the second above S.",
        "With 0.27 the variance of the weights is 0.91; which sigma2 above 0.5 has a larger gap "
        "than 0.078 nats?",
    ),
    solution_text=stub("""
        two_qs = [
            (-0.4, 0.27),    # gap 0.078 nats, variance of the weights 0.91
            (-0.4, 0.9),     # gap 0.106 nats, variance of the weights 0.12
        ]
    """),
)

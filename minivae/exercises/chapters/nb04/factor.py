"""By what factor the score function scatters more than the pathwise estimate, for a parabola."""

import numpy as np

from minivae.exercises.exercise import Exercise, WrongAnswer, stub

# ---- 04.factor -----------------------------------------------------------------------------------


def scatter_factor(tilt, bend, mu, sigma):
    """Score function over pathwise, standard deviations of one draw's dmu, the best constant."""
    slope = tilt + bend * mu  # of f at mu; f'(z) = slope + bend sigma eps varies by |bend| sigma
    # (f - constant) eps / sigma = c eps + slope eps^2 + (bend sigma / 2) eps^3, and c is ours to
    # choose. The middle term is not correlated with the others, and its variance is 2 slope^2.
    # The best c is -3 bend sigma / 2: of E[eps^6] = 15 it leaves 15 - 3^2 = 6.
    # So the factor is sqrt(1.5 + 2 slope^2 / (bend sigma)^2), never below 1.
    variance = 2 * slope**2 + 6 * (bend * sigma / 2) ** 2
    return np.sqrt(variance) / abs(bend * sigma)


def _cases():
    return [(0.4, 1.5, 0.7, 0.6), (-2.0, 0.5, 1.0, 0.8), (0.3, -1.2, -0.4, 1.7)]


def _factor(left, odd=1.5, power=0.5):
    """A wrong answer: left(tilt, bend, mu, sigma) + odd, to a power."""
    return lambda *args: (left(*args) + odd) ** power


def _even(tilt, bend, mu, sigma):
    """2 slope^2 over the pathwise variance."""
    return 2 * ((tilt + bend * mu) / (bend * sigma)) ** 2


def _no_baseline(tilt, bend, mu, sigma):
    """The variance of f eps / sigma, f as it is: c is f(mu) / sigma."""
    c, cubed, slope = (tilt * mu + bend * mu**2 / 2) / sigma, bend * sigma / 2, tilt + bend * mu
    variance = c**2 + 6 * c * cubed + 15 * cubed**2 + 2 * slope**2
    return np.sqrt(variance) / abs(bend * sigma)


FACTOR = Exercise(
    id="04.factor",
    title="by what factor the score function scatters more, for any parabola",
    stub=stub("""
        def scatter_factor(tilt, bend, mu, sigma):    # floats, bend not 0
            ...                                       # -> score function's scatter / pathwise's
    """),
    reference=scatter_factor,
    cases=_cases,
    mistakes=(
        WrongAnswer(
            "mean-as-baseline",
            _factor(_even, 2.5),
            "This is with the mean of f subtracted. Another constant does better: minimise the "
            "mean of ((f - constant) eps / sigma)^2.",
        ),
        WrongAnswer(
            "no-baseline",
            _no_baseline,
            "This is without a constant subtracted; the best one is asked for.",
        ),
        WrongAnswer(
            "constant-at-mu",
            _factor(_even, 15 / 4),
            "Here f(mu) is subtracted. Another constant does better: it can cancel a part of the "
            "eps^3, which is correlated with eps.",
        ),
        WrongAnswer(
            "variances",
            _factor(_even, power=1),
            "This is the factor between the variances; the scatter is the standard deviation.",
        ),
        WrongAnswer(
            "upside-down",
            _factor(_even, power=-0.5),
            "This is pathwise over score function; the other way round is asked for.",
        ),
        WrongAnswer(
            "slope-at-zero",
            lambda tilt, bend, mu, sigma: scatter_factor(tilt, bend, 0.0, sigma),
            "The slope of f in the middle of q is tilt + bend mu, not tilt.",
        ),
        WrongAnswer(
            "mean-square-kept",
            lambda tilt, bend, mu, sigma: np.sqrt(
                (3 * (tilt + bend * mu) ** 2 + 1.5 * (bend * sigma) ** 2)
                / ((tilt + bend * mu) ** 2 + (bend * sigma) ** 2)
            ),
            "These are root mean squares; subtract the squared mean, (tilt + bend mu)^2, from both "
            "mean squares before you divide.",
        ),
        WrongAnswer(
            "three-for-two",
            _factor(lambda *args: 1.5 * _even(*args)),
            "The variance of eps^2 is E[eps^4] - 1 = 2, not 3.",
        ),
        WrongAnswer(
            "straight-line-only",
            _factor(_even, 0.0),
            "This leaves out the eps^3 that the bend of f puts into f eps / sigma.",
        ),
        WrongAnswer(
            "no-half",
            _factor(_even, 6.0),
            "f contains bend z^2 / 2: the eps^3 has the factor bend sigma / 2.",
        ),
        WrongAnswer(
            "sign-of-bend",
            lambda tilt, bend, mu, sigma: (
                np.sqrt(2 * (tilt + bend * mu) ** 2 + 1.5 * (bend * sigma) ** 2) / (bend * sigma)
            ),
            "A standard deviation is never negative: divide by |bend| sigma.",
        ),
        WrongAnswer(
            "sigma-lost",
            lambda tilt, bend, mu, sigma: scatter_factor(tilt, bend, mu, 1.0),
            "sigma is missing: the slope varies by |bend| sigma across q.",
        ),
    ),
    hints=(
        "Put z = mu + sigma eps into f'(z), and into (f(z) - constant) eps / sigma: the second is "
        "a polynomial c eps + ... eps^2 + ... eps^3, where the constant decides c.",
        "eps^2 is uncorrelated with eps and eps^3 (odd powers average to 0), and has the variance "
        "2. The variance of c eps + d eps^3 is c^2 + 6 c d + 15 d^2: which c makes it smallest?",
        "sqrt(1.5 + 2 (tilt + bend mu)^2 / (bend sigma)^2): never below 1, so for no parabola does "
        "the score function win.",
    ),
)

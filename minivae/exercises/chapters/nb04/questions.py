"""The predictions of notebook 04, and the recall questions that open it."""

from minivae.exercises.questions import Prediction, Recall

PREDICTIONS = (
    Prediction(
        "04.variance",
        "For the parabola f, two unbiased estimates of dmu from the same draws. Which scatters "
        "less?",
        ("score function", "pathwise"),
        "pathwise",
        "Each draw tells the pathwise estimate the slope of f there; the score-function estimate "
        "has only values to compare.",
    ),
    Prediction(
        "04.wave",
        "For f(z) = sin(10 z) and sigma = 0.8, from the same draws, which estimate of dmu scatters "
        "less?",
        ("score function", "pathwise"),
        "score function",
        "The slopes of this f lie between -10 and 10, its values between -1 and 1. The pathwise "
        "estimate scatters as the slopes do.",
    ),
    Prediction(
        "04.blind",
        "A VAE uses exp(logvar) as the standard deviation of z, in both passes. Its gradient "
        "check:",
        ("passes", "fails"),
        "passes",
        "It passes, because the gradient of the wrong formula is right. Only statistics of z show "
        "the mistake.",
    ),
)

RECALL = (
    Recall(
        "04.r1",
        "03",
        "The gradient of the KL with respect to mu is",
        ("2 mu", "mu / 2", "mu"),
        "c",
        "The KL contains mu^2 / 2.",
    ),
    Recall(
        "04.r2",
        "03",
        "KL(N(mu, sigma^2) || N(0, 1)) is zero",
        ("never", "where mu = 0 and logvar = 0", "where mu = 0 and logvar = 1"),
        "b",
        "logvar = 0 means sigma = 1: then the two distributions are the same.",
    ),
    Recall(
        "04.r3",
        "02",
        "The ELBO is log p(x) itself when",
        ("q = p(z|x)", "q = p(z)", "K is large"),
        "a",
        "Then the gap, KL(q || p(z|x)), is zero.",
    ),
)

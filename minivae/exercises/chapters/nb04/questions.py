"""The predictions of notebook 04, and the recall questions that open it."""

from minivae.exercises.questions import Prediction, Recall

PREDICTIONS = (
    Prediction(
        "04.variance",
        "There are two unbiased estimates of the same gradient, from the same number of samples. "
        "Which has the smaller variance?",
        ("score function", "pathwise"),
        "pathwise",
        "The pathwise estimate uses the derivative of f; the score-function estimate only its "
        "values.",
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

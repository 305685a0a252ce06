"""The predictions of notebook 04, and the recall questions that open it."""

from minivae.exercises.questions import Prediction, Recall

PREDICTIONS = (
    Prediction(
        "04.variance",
        "Two unbiased estimates of the same gradient, from the same number of samples. Which "
        "scatters less?",
        ("score function", "pathwise"),
        "pathwise",
        "The pathwise estimate knows the slope of f; the score function sees only its values.",
    ),
    Prediction(
        "04.blind",
        "A VAE samples with exp(logvar) as the standard deviation, in both passes. What does a "
        "gradient check of it say?",
        ("passes", "fails"),
        "passes",
        "It is the right gradient of the wrong formula. Only statistics of z can show it.",
    ),
)

RECALL = (
    Recall(
        "04.r1",
        "03",
        "The derivative of the KL by mu is",
        ("2 mu", "mu / 2", "mu"),
        "c",
        "The KL holds mu^2 / 2.",
    ),
    Recall(
        "04.r2",
        "03",
        "KL(N(mu, sigma^2) || N(0, 1)) is zero",
        ("never", "where mu = 0 and logvar = 0", "where mu = 0 and logvar = 1"),
        "b",
        "logvar = 0 is sigma = 1: then the two are the same.",
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

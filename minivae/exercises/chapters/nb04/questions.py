"""The predictions of notebook 04, and the recall questions that open it."""

from minivae.exercises.questions import Prediction, Recall

PREDICTIONS = (
    Prediction(
        "04.variance",
        "For the parabola f, two unbiased estimates of dmu, each from one draw. Which scatters "
        "less?",
        ("score function", "pathwise"),
        "pathwise",
        "One pathwise draw is f'(z) = z - 3, which varies by sigma = 0.8; one score-function draw "
        "is f(z) eps / sigma, which varies by 4.76 (computed exactly).",
    ),
    Prediction(
        "04.wave",
        "For f(z) = sin(2 z), mu = 1 and sigma = 0.8, without a baseline and from the same draws, "
        "which estimate of dmu scatters less?",
        ("score function", "pathwise"),
        "score function",
        "Across q this wave turns from rising to falling. Its slopes, between -2 and 2, "
        "vary by 1.39 under q; f eps / sigma varies by 0.84.",
    ),
    Prediction(
        "04.blind",
        "A VAE uses exp(logvar) as the standard deviation of z, in both passes. Its gradient "
        "check:",
        ("passes", "fails"),
        "passes",
        "It passes, because the gradient of the wrong formula is right. A statistic of z shows the "
        "mistake.",
    ),
    Prediction(
        "04.wait",
        "A linear VAE is trained from small weights. Do its ELBO and log p(x) wait somewhere on "
        "their way up?",
        ("no rest", "at W = 0", "true"),
        "at W = 0",
        "After a first rise both wait at the best that a decoder without z can do: the decoder "
        "learns little from z before the encoder puts something of x into it, and the encoder "
        "little before the decoder listens.",
    ),
    Prediction(
        "04.ceiling",
        "Trained with exp(logvar) as the standard deviation, where does the number that the code "
        "calls the ELBO end, relative to the highest log p(x) of any such model?",
        ("below", "above"),
        "above",
        "It is no bound: the KL in it is that of another q than the one that is drawn from.",
    ),
    Prediction(
        "04.below",
        "Trained with exp(logvar / 4) as the standard deviation, where does the number that the "
        "code calls the ELBO end, relative to the highest log p(x) of any such model?",
        ("below", "at it", "above"),
        "below",
        "Draws with any sigma but 1 are now charged more KL than they owe.",
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

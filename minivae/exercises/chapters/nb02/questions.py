"""The predictions of notebook 02, and the recall questions that open it."""

from minivae.exercises.questions import Prediction, Recall

PREDICTIONS = (
    Prediction(
        "02.log-of-average",
        "Take the log of a K-sample average of p(x|z), and average that over many repetitions. "
        "Compared with log p(x), the result is:",
        ("low", "right", "high"),
        "low",
        "The average itself is unbiased, but the log is concave, so the log of a noisy average is "
        "too low on average. That is Jensen's inequality.",
    ),
    Prediction(
        "02.fifty",
        "Fifty latents, each seen through noise of variance 100, every entry of x is 1. Estimate "
        "log p(x) from a thousand draws of the prior. The median size of the error is:",
        ("20 nats", "1 nat", "below 0.1"),
        "below 0.1",
        "So much noise leaves the posterior close to the prior, whose draws then serve, in fifty "
        "latents too. With hardly any noise a single latent has a posterior so narrow that a "
        "thousand draws miss it.",
    ),
    Prediction(
        "02.best-flu",
        "The independent q with the highest ELBO gives the flu a probability. Compared with the "
        "flu's own posterior probability, 0.605, it is:",
        ("lower", "the same", "higher"),
        "higher",
        "The gap grows most where q puts much more probability than the posterior. With the "
        "marginals it does so where none of flu, cold and pneumonia is present, which hardly "
        "explains cough and fever; the best q commits to the flu instead.",
    ),
    Prediction(
        "02.step-up",
        "One step of the decoder, with the encoder held at a q that knows nothing of x, raises the "
        "ELBO by 0.095 nats. Then log p(x):",
        ("rises more", "rises less", "falls"),
        "falls",
        "log p(x) = ELBO + gap, and the step has made the gap smaller by more than the ELBO rose. "
        "Such a step does not always do that: it depends on q, and on which side of the best "
        "decoder the step begins.",
    ),
)

RECALL = (
    Recall(
        "02.r1",
        "01",
        "p(z|x) is",
        ("p(x|z) p(z) / p(x)", "p(x|z) / p(x)", "p(x|z) p(z)"),
        "a",
        "Bayes' rule: the joint divided by the evidence.",
    ),
    Recall(
        "02.r2",
        "01",
        "Why can a classifier p(y|x) not draw a cat?",
        (
            "it has too few parameters",
            "its outputs are not normalised",
            "it models y given x, and has no distribution over x",
        ),
        "c",
        "To sample x, one needs p(x) or p(x|z); the classifier takes x as given.",
    ),
    Recall(
        "02.r3",
        "01",
        "log(exp(-1000) + exp(-1001)) is computed as",
        ("log of the sum, in float64", "-1000 + log(1 + exp(-1))", "-1000 - 1001"),
        "b",
        "Take the largest term out first; exp(-1000) itself is 0.0 in floating point.",
    ),
)

"""The predictions of notebook 02, and the recall questions that open it."""

from minivae.exercises.questions import Prediction, Recall

PREDICTIONS = (
    Prediction(
        "02.log-of-average",
        "The log of a K-sample average of p(x|z), averaged over many repetitions, compared with "
        "log p(x):",
        ("low", "right", "high"),
        "low",
        "The average itself is unbiased; its log bends downward, so the log of a noisy average "
        "is low on average. That is Jensen's inequality.",
    ),
    Prediction(
        "02.dimensions",
        "The same K samples of the prior, but more latent dimensions. The naive estimate of log "
        "p(x) gets:",
        ("better", "the same", "worse"),
        "worse",
        "The z that explain x fill a vanishing share of the prior: hardly a sample meets them.",
    ),
    Prediction(
        "02.elbo-up",
        "A step raises the ELBO. Has log p(x) risen too?",
        ("always", "not always"),
        "not always",
        "ELBO = log p(x) - KL(q || p(z|x)): the step may have closed the gap while log p(x) fell.",
    ),
)

RECALL = (
    Recall(
        "02.r1",
        "01",
        "p(z|x) is",
        ("p(x|z) p(z) / p(x)", "p(x|z) / p(x)", "p(x|z) p(z)"),
        "a",
        "Bayes' rule: the joint, divided by the evidence.",
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
        "To sample x one needs p(x) or p(x|z): the classifier takes x as given.",
    ),
    Recall(
        "02.r3",
        "01",
        "log(exp(-1000) + exp(-1001)) is computed as",
        ("log of the sum, in float64", "-1000 + log(1 + exp(-1))", "-1000 - 1001"),
        "b",
        "The largest is taken out first; exp(-1000) itself is 0.0.",
    ),
)

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
        "02.which-misses",
        "Fifty latents, each seen through a great deal of noise, or one latent, seen almost "
        "without noise: for which do a thousand draws of the prior not suffice?",
        ("fifty", "one", "both"),
        "one",
        "Not the number of latents alone: fifty are easy behind much noise and hard behind little. "
        "Much noise leaves the posterior close to the prior, whose draws then serve; hardly any "
        "noise leaves a narrow one, which they miss.",
    ),
    Prediction(
        "02.wide-or-narrow",
        "Ten latents, each with the posterior N(0.8, 0.2). Thirty draws estimate log p(x), from "
        "the wide q, N(0.6, 0.35), or the narrow one, N(0.8, 0.09). The typical error is smaller "
        "for:",
        ("wide", "narrow"),
        "wide",
        "The narrow q rarely draws in the posterior's flanks, which hold a good part of p(x). The "
        "wide one draws there too, and its weights are bounded.",
    ),
    Prediction(
        "02.best-five",
        "Among all q that keep the diseases independent, is the one with the highest ELBO the one "
        "that gives each disease its own posterior probability?",
        ("yes", "no"),
        "no",
        "The gap is large where q puts much more probability than the posterior. With the "
        "marginals it does so on nobody being ill, which hardly explains cough and fever; the best "
        "q commits to the flu.",
    ),
    Prediction(
        "02.encoder",
        "Twenty x, one latent, x = z + noise. Instead of a mu and a logvar for each x, one encoder "
        "with mu = a x + c and one logvar. Compared with the forty numbers, its mean ELBO is:",
        ("lower", "equal"),
        "equal",
        "Each x is best served by its posterior, whose mean x / (1 + v) lies on a line and whose "
        "variance is the same for all. The line can be learned from all twenty, so sharing costs "
        "nothing here.",
    ),
    Prediction(
        "02.elbo-up",
        "A training step raises the ELBO. Has log p(x) risen too?",
        ("always", "not always"),
        "not always",
        "ELBO = log p(x) - KL(q || p(z|x)): the step may have made the KL smaller while log p(x) "
        "fell.",
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

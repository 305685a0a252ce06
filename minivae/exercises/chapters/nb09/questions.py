"""The predictions of notebook 09, and the recall questions that open it."""

from minivae.exercises.questions import Prediction, Recall

PREDICTIONS = (
    Prediction(
        "09.more-samples",
        "The importance-weighted bound with more samples K, on average:",
        ("falls", "stays", "rises"),
        "rises",
        "The average of K weights scatters less, so the log loses less: it rises to log p(x).",
    ),
    Prediction(
        "09.banana",
        "The true posterior is a banana, q a diagonal Gaussian. A perfect encoder, trained for "
        "ever: the gap between ELBO and log p(x)",
        ("closes", "stays in part"),
        "stays in part",
        "No Gaussian is a banana: the approximation gap stays, only the amortization gap closes.",
    ),
)

RECALL = (
    Recall(
        "09.r1",
        "02",
        "The mean of log weights over samples of q estimates",
        ("log p(x)", "the ELBO", "the KL"),
        "b",
        "E over q of log(p(x, z) / q(z)) is the ELBO.",
    ),
    Recall(
        "09.r2",
        "08",
        "A loop that does little arithmetic for each byte it reads is limited by",
        ("memory bandwidth", "the peak rate", "the number of registers"),
        "a",
        "That is the sloping side of the roofline.",
    ),
    Recall(
        "09.r3",
        "06",
        "Which mistake can no gradient check see?",
        (
            "a lost half in the KL's gradient",
            "a transposed weight matrix",
            "a right gradient of a wrong formula",
        ),
        "c",
        "The check compares gradient and loss; if both are wrong together, it passes.",
    ),
)

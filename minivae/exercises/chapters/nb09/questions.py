"""The predictions of notebook 09, and the recall questions that open it."""

from minivae.exercises.questions import Prediction, Recall

PREDICTIONS = (
    Prediction(
        "09.more-samples",
        "With more samples K, the importance-weighted bound, on average:",
        ("falls", "stays", "rises"),
        "rises",
        "The mean of more weights varies less, so less is lost by taking its log (Jensen): the "
        "bound rises towards log p(x).",
    ),
    Prediction(
        "09.banana",
        "The true posterior has the shape of a banana, and q is a diagonal Gaussian. With a "
        "perfect encoder, the gap between ELBO and log p(x):",
        ("closes", "stays in part"),
        "stays in part",
        "No Gaussian has this shape, so the approximation gap stays; only the amortization gap "
        "closes.",
    ),
    Prediction(
        "09.deeper-encoder",
        "The decoder stays as it is, and a new encoder with twice the layers is trained for it. "
        "Which gap can shrink?",
        ("approximation", "amortization", "both"),
        "amortization",
        "The approximation gap is that of the best q of the family. It depends on the decoder and "
        "the family alone.",
    ),
    Prediction(
        "09.signal",
        "As K grows, the ratio of signal to noise in the bound's gradients:",
        ("both rise", "decoder rises, encoder falls", "both fall"),
        "decoder rises, encoder falls",
        "The bound approaches log p(x), which depends on the decoder and not on q: what is left of "
        "the encoder's gradient shrinks faster than its noise.",
    ),
)

RECALL = (
    Recall(
        "09.r1",
        "02",
        "The mean of the log weights over samples of q estimates",
        ("log p(x)", "the ELBO", "the KL"),
        "b",
        "The mean of log(p(x, z) / q(z)) over q is the ELBO.",
    ),
    Recall(
        "09.r2",
        "08",
        "A loop that does little arithmetic for each byte it reads is limited by",
        ("memory bandwidth", "the peak rate", "the number of registers"),
        "a",
        "In a roofline plot, this is the sloping part.",
    ),
    Recall(
        "09.r3",
        "06",
        "Which mistake does no gradient check find?",
        (
            "a lost half in the KL's gradient",
            "a transposed weight matrix",
            "a right gradient of a wrong formula",
        ),
        "c",
        "The check compares the gradient with the loss. If both belong to the same wrong formula, "
        "it passes.",
    ),
)

"""The predictions of notebook 06, and the recall questions that open it."""

from minivae.exercises.questions import Prediction, Recall

PREDICTIONS = (
    Prediction(
        "06.kl-forgotten",
        "The gradient of the KL is forgotten in the backward pass. Which part's gradient is wrong?",
        ("encoder", "decoder", "both"),
        "encoder",
        "The KL hangs on mu and logvar alone, which the decoder's weights do not touch.",
    ),
    Prediction(
        "06.fresh-noise",
        "The backward pass draws its own eps. Which gradients are wrong?",
        ("all", "logvar's head and before", "none"),
        "logvar's head and before",
        "dlogvar = dz eps sigma / 2 is the one line with noise in it; what comes before it on "
        "the way back, the decoder and dmu = dz, is right.",
    ),
)

RECALL = (
    Recall(
        "06.r1",
        "05",
        "The gradient of the Bernoulli nll by the logits is",
        ("x - sigmoid(logits)", "sigmoid(logits) - x", "logits - x"),
        "b",
        "The derivative of log(1 + exp(l)) is the sigmoid, that of -x l is -x.",
    ),
    Recall(
        "06.r2",
        "05",
        "For a = x W + b, dW is",
        ("x' da", "da x'", "da W'"),
        "a",
        "Only x' da has the shape (I, O) of W.",
    ),
    Recall(
        "06.r3",
        "04",
        "Why does the noise stay the same in forward and backward pass?",
        (
            "to save time",
            "because fresh noise would have another variance",
            "because the gradient belongs to the z at which the loss was computed",
        ),
        "c",
        "With fresh noise the backward pass differentiates at another z.",
    ),
)

"""The predictions of notebook 08, and the recall questions that open it."""

from minivae.exercises.questions import Prediction, Recall

PREDICTIONS = (
    Prediction(
        "08.fastest-order",
        "Three nested loops for C = A B, compiled. Which order is the fastest?",
        ("ijk", "ikj", "jki"),
        "ikj",
        "With j innermost, B and C are read along their rows: neighbours in memory, whole vectors.",
    ),
    Prediction(
        "08.blas",
        "BLAS is older than most of its users. Can a kernel written in Python, compiled by "
        "numba, keep up with it at the sizes of a VAE?",
        ("no", "yes"),
        "yes",
        "At these sizes BLAS repacks its operands on every call; a register tile that does not "
        "has a head start. At large sizes BLAS is hard to beat.",
    ),
)

RECALL = (
    Recall(
        "08.r1",
        "07",
        "Adam divides by 1 - beta1^step because",
        (
            "m starts at 0 and is too small at first",
            "the gradient is noisy",
            "the learning rate falls",
        ),
        "a",
        "The running means are pulled towards the zeros they start from.",
    ),
    Recall(
        "08.r2",
        "07",
        "Free bits put a floor under",
        ("each example's KL", "the whole loss", "each latent's KL, averaged over the batch"),
        "c",
        "A latent that costs less than its floor feels no pull from the KL.",
    ),
    Recall(
        "08.r3",
        "05",
        "Back through tanh, with y = tanh(a):",
        ("da = dy y (1 - y)", "da = dy (1 - y^2)", "da = dy / (1 - y^2)"),
        "b",
        "y (1 - y) is the sigmoid's.",
    ),
)

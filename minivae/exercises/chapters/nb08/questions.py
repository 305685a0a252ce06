"""The predictions of notebook 08, and the recall questions that open it."""

from minivae.exercises.questions import Prediction, Recall

PREDICTIONS = (
    Prediction(
        "08.fastest-order",
        "C = A B is computed in three nested loops, compiled. Which order is the fastest?",
        ("ijk", "ikj", "jki"),
        "ikj",
        "With j innermost, B and C are read along their rows: the entries are neighbours in "
        "memory, so whole vectors are loaded at once.",
    ),
    Prediction(
        "08.blas",
        "BLAS has been tuned for decades. Can a kernel written in Python and compiled by numba "
        "keep up with it at the sizes of a VAE?",
        ("no", "yes"),
        "yes",
        "BLAS copies its operands into another layout at every call. At these sizes, a kernel "
        "that does without this copy has an advantage. At large sizes BLAS is hard to beat.",
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
        "With a constant gradient g, m is (1 - beta1^step) g.",
    ),
    Recall(
        "08.r2",
        "07",
        "Free bits put a floor under",
        ("each example's KL", "the whole loss", "each latent's KL, averaged over the batch"),
        "c",
        "Where a latent's KL is below the floor, its term of the loss is constant and has no "
        "gradient.",
    ),
    Recall(
        "08.r3",
        "05",
        "The backward pass of y = tanh(a) is",
        ("da = dy y (1 - y)", "da = dy (1 - y^2)", "da = dy / (1 - y^2)"),
        "b",
        "The derivative of tanh is 1 - y^2; y (1 - y) is that of the sigmoid.",
    ),
)

"""The predictions of notebook 10, and the recall questions that open it."""

from minivae.exercises.questions import Prediction, Recall

PREDICTIONS = (
    Prediction(
        "10.rotation",
        "All latents are rotated, and the decoder with them. log p(x):",
        ("falls", "stays", "rises"),
        "stays",
        "N(0, I) looks the same from every side, so the likelihood cannot prefer any axes.",
    ),
    Prediction(
        "10.chonk",
        "Is there one latent that tracks chonk, in four of five seeds?",
        ("no", "yes"),
        None,
        "",
    ),
)

RECALL = (
    Recall(
        "10.r1",
        "09",
        "What does the encoder leave on the table, compared with the best q of its family?",
        ("the approximation gap", "the KL to the prior", "the amortization gap"),
        "c",
        "best ELBO - encoder's ELBO.",
    ),
    Recall(
        "10.r2",
        "09",
        "The IWAE gradient weighs the samples of an image by",
        ("1/K each", "the softmax of their log weights", "their log weights"),
        "b",
        "d log mean w / d log w_k is the softmax.",
    ),
    Recall(
        "10.r3",
        "07",
        "A larger beta",
        (
            "makes the code cheaper and the reconstructions blurrier",
            "sharpens reconstructions",
            "changes the prior",
        ),
        "a",
        "Nats of KL cost more, so fewer are spent.",
    ),
)

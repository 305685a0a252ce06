"""The predictions of notebook 10, and the recall questions that open it."""

from minivae.exercises.questions import Prediction, Recall

PREDICTIONS = (
    Prediction(
        "10.rotation",
        "All latents are rotated, and the decoder is changed so that it undoes the rotation. log "
        "p(x):",
        ("falls", "stays", "rises"),
        "stays",
        "N(0, I) is the same in all directions, so the likelihood does not prefer any axes.",
    ),
    Prediction(
        "10.chonk",
        "Chonk, in the Gaussian models at beta 1:",
        ("missing", "encoded", "aligned"),
        None,
        "",
    ),
    Prediction(
        "10.buried",
        "Half of a turned code is buried under noise. Its mutual information gap:",
        ("falls", "stays", "rises"),
        "rises",
        "The second best latent lost what it knew, so the best one is now ahead.",
    ),
)

RECALL = (
    Recall(
        "10.r1",
        "09",
        "The encoder's q is not the best q of its family. What is the loss in ELBO called?",
        ("the approximation gap", "the KL to the prior", "the amortization gap"),
        "c",
        "It is the ELBO of the best q minus the ELBO of the encoder's q.",
    ),
    Recall(
        "10.r2",
        "09",
        "The IWAE gradient weighs the samples of an image by",
        ("1/K each", "the softmax of their log weights", "their log weights"),
        "b",
        "The derivative of the log of the mean weight with respect to log w_k is the softmax.",
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
        "Each nat of KL costs more, so the model uses fewer.",
    ),
)

"""The predictions of notebook 07, and the recall questions that open it."""

from minivae.exercises.questions import Prediction, Recall

PREDICTIONS = (
    Prediction(
        "07.weight-of-the-kl",
        "A loss takes the mean over 784 pixels and the mean over 200 latents. Compared with sums "
        "over both, the KL counts:",
        ("less", "as much", "more"),
        "more",
        "It counts 784 / 200 = 3.92 times as much: a beta of 3.92 that nobody chose.",
    ),
    Prediction(
        "07.mean-at-test",
        "The test ELBO is evaluated at the mean of q, without a sample. The result is:",
        ("too good", "right", "too bad"),
        "too good",
        "The mean is a better z than most samples of q, and the KL stays the same. The result is "
        "no longer a lower bound.",
    ),
    Prediction(
        "07.collapse",
        "A latent has KL 0 for every image. What does the decoder learn from it?",
        ("nothing", "a little", "the average image"),
        "nothing",
        "KL 0 means q(z|x) = p(z) for every x: this latent is noise that carries no information "
        "about x.",
    ),
)

RECALL = (
    Recall(
        "07.r1",
        "06",
        "The gradient with respect to mu has two parts. Where do they come from?",
        (
            "from both heads",
            "from the nll and from logvar",
            "from the decoder through z, and from the KL",
        ),
        "c",
        "dmu = dz + (beta / B) mu.",
    ),
    Recall(
        "07.r2",
        "06",
        "Amortized inference means:",
        (
            "q is optimised for each image in turn",
            "one network outputs q for every image",
            "the prior is learned",
        ),
        "b",
        "The cost of finding q is paid once, when the encoder is trained.",
    ),
    Recall(
        "07.r3",
        "05",
        "Why does the likelihood stay in logits?",
        (
            "log of a sigmoid that has rounded to 0 or 1 is infinite or wrong",
            "logits are faster to store",
            "probabilities have no gradient",
        ),
        "a",
        "log(1 + exp(l)) - x l needs no clipping and no small constant.",
    ),
)

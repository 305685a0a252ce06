"""The predictions of notebook 07, and the recall questions that open it."""

from minivae.exercises.questions import Prediction, Recall

PREDICTIONS = (
    Prediction(
        "07.weight-of-the-kl",
        "A loss takes the mean over 784 pixels and the mean over 200 latents. In nats per "
        "example, the KL weighs:",
        ("less", "as much", "more"),
        "more",
        "784 / 200 = 3.92 times as much: a beta that nobody chose.",
    ),
    Prediction(
        "07.mean-at-test",
        "The test ELBO is evaluated at the mean of q, without a sample. The figure is:",
        ("too good", "right", "too bad"),
        "too good",
        "The mean is a better z than most samples of q, and the KL stays the same: no bound any "
        "more.",
    ),
    Prediction(
        "07.collapse",
        "A latent has KL 0 for every image. What does the decoder learn from it?",
        ("nothing", "a little", "the average image"),
        "nothing",
        "KL 0 means q(z|x) = p(z) whatever x is: its z is noise that knows nothing of x.",
    ),
)

RECALL = (
    Recall(
        "07.r1",
        "06",
        "mu is fed from two sides. Which?",
        (
            "from both heads",
            "from the nll and from logvar",
            "through z from the decoder, and from the KL",
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
        "The cost of finding q is paid once, in training the encoder.",
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
        "log(1 + exp(l)) - x l needs neither clipping nor a small constant.",
    ),
)

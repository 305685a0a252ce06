"""The predictions of notebook 07, and the recall questions that open it."""

from minivae.exercises.questions import Prediction, Recall

PREDICTIONS = (
    Prediction(
        "07.first-loss",
        "All parameters of a VAE for 784 binary pixels are 0. What is the loss of one image, in "
        "nats?",
        ("0", "392", "543", "784"),
        "543",
        "Each pixel has probability 1/2, which costs log 2: 784 log 2 = 543.4. The KL is 0, as q "
        "is the prior.",
    ),
    Prediction(
        "07.ten-by-heart",
        "A VAE is trained on the same ten different images only. How low can its loss go?",
        ("0", "log 10", "10"),
        "log 10",
        "The probabilities of all images sum to 1. So those of ten different images have a mean of "
        "1/10 at most, and the mean of -log p(x) is log 10 or more. Averaged over the noise, the "
        "loss is never below that.",
    ),
    Prediction(
        "07.batch-size",
        "50,000 images are seen once, in batches of 10, 100 or 1000, each size at its best "
        "learning rate. Which ends with the lowest loss?",
        ("10", "100", "1000"),
        "10",
        "At equal work small batches take more steps, and early in a training a rough direction is "
        "good enough.",
    ),
    Prediction(
        "07.step-limit",
        "Gradient descent on a parabola starts ten times as far from the minimum. The largest "
        "learning rate that does not run away is then:",
        ("ten times smaller", "the same", "ten times larger"),
        "the same",
        "Each step multiplies the distance by 1 - lr a, wherever it starts: the curvature a sets "
        "the limit, 2 / a.",
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
        "07.weight-of-the-kl",
        "A loss takes the mean over 784 pixels and the mean over its latents, fewer than 784. "
        "Compared with sums over both, the KL counts:",
        ("less", "as much", "more"),
        "more",
        "The nll is divided by 784 and the KL only by the number L of latents: it counts 784 / L "
        "times as much.",
    ),
    Prediction(
        "07.collapse",
        "A latent has KL 0 for every image. What does the decoder learn from it?",
        ("nothing", "a little", "the average image"),
        "nothing",
        "KL 0 means q(z|x) = p(z) for every x: this latent is noise that carries no information "
        "about x.",
    ),
    Prediction(
        "07.longer",
        "After 800 steps, free bits lose about a nat on average against plain training. With "
        "4,000 steps they:",
        ("lose more", "lose the same", "gain"),
        "gain",
        "After 800 steps the kl that they add costs more than it saves in nll; after 4,000 steps "
        "it saves more than it costs.",
    ),
    Prediction(
        "07.clinic",
        "Five sick trainings, A to E. Which one had only 100 images?",
        ("A", "B", "C", "D", "E"),
        "D",
        "Its loss ends lower than any other, and its validation -ELBO turns up: it learns "
        "the 100 images by heart.",
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

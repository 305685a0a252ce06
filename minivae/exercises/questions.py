"""Questions that are answered before, between and after reading: predictions and recall.

The predictions are built on where learners go wrong; the recall questions open each notebook from
02 with three from earlier ones.
"""

from typing import NamedTuple

LETTERS = ("a", "b", "c")


class Prediction(NamedTuple):
    """Asked before the cell that shows it. truth None: the notebook computes it and says so."""

    id: str
    question: str
    options: tuple[str, ...]
    truth: str | None
    why: str


class Recall(NamedTuple):
    """`id` "04.r2": the second of notebook 04's three; `source`: the notebook that answers it."""

    id: str
    source: str
    question: str
    options: tuple[str, str, str]
    right: str
    why: str


PREDICTIONS = (
    Prediction(
        "01.underflow",
        "A picture of 784 pixels, each with probability 0.5. What is their product in float32?",
        ("tiny", "zero", "nan"),
        "zero",
        "0.5^784 is 1e-236, and float32 ends at 1e-45. The log, -543 nats, is no trouble.",
    ),
    Prediction(
        "01.explaining-away",
        "Fever: flu and pneumonia are both suspects. A test confirms the flu. Pneumonia is now "
        "how probable, compared with just before the test?",
        ("more", "as much", "less"),
        "less",
        "The flu explains the fever, so the fever no longer speaks for pneumonia: the two are "
        "independent before x is seen, and not after.",
    ),
    Prediction(
        "01.half-covered",
        "Half of the cat is covered. What happens to the posterior over its chonk?",
        ("narrower", "the same", "wider"),
        "wider",
        "Fewer pixels, less to go by: more chonks remain compatible with what is seen.",
    ),
    Prediction(
        "02.log-of-average",
        "The log of a K-sample average of p(x|z), averaged over many repetitions, compared with "
        "log p(x):",
        ("low", "right", "high"),
        "low",
        "The average itself is unbiased; its log bends downward, so the log of a noisy average "
        "is low on average. That is Jensen's inequality.",
    ),
    Prediction(
        "02.dimensions",
        "The same K samples of the prior, but more latent dimensions. The naive estimate of "
        "log p(x) gets:",
        ("better", "the same", "worse"),
        "worse",
        "The z that explain x fill a vanishing share of the prior: hardly a sample meets them.",
    ),
    Prediction(
        "02.elbo-up",
        "A step raises the ELBO. Has log p(x) risen too?",
        ("always", "not always"),
        "not always",
        "ELBO = log p(x) - KL(q || p(z|x)): the step may have closed the gap while log p(x) fell.",
    ),
    Prediction(
        "03.direction",
        "The best q for KL(q || p), where p has two hills and q one: does it cover both, or sit "
        "on one?",
        ("both", "one"),
        "one",
        "Where q draws, p must not be small: q on one hill pays little, over the valley much.",
    ),
    Prediction(
        "03.zero-check",
        "Thirteen wrong KLs are compared with the right one at mu = 0, logvar = 0. How many give "
        "the right value there?",
        ("none", "a few", "most"),
        "most",
        "At 0 nearly every term vanishes, and the mistakes with it. Check at generic numbers.",
    ),
    Prediction(
        "04.variance",
        "Two unbiased estimates of the same gradient, from the same number of samples. Which "
        "scatters less?",
        ("score function", "pathwise"),
        "pathwise",
        "The pathwise estimate knows the slope of f; the score function sees only its values.",
    ),
    Prediction(
        "04.blind",
        "A VAE samples with exp(logvar) as the standard deviation, in both passes. What does a "
        "gradient check of it say?",
        ("passes", "fails"),
        "passes",
        "It is the right gradient of the wrong formula. Only statistics of z can show it.",
    ),
    Prediction(
        "05.smaller-h",
        "Central differences in float64: h goes from 1e-5 down to 1e-10. The error:",
        ("falls", "stays", "rises"),
        "rises",
        "Below 1e-5 the subtraction loses more digits than the smaller h gains: the V.",
    ),
    Prediction(
        "05.float32",
        "A right gradient, checked by central differences in float32 with h = 1e-5. The relative "
        "error is about:",
        ("1e-7", "1e-4", "1e-2 or more"),
        "1e-2 or more",
        "float32 has seven digits, and f(x + h) - f(x - h) keeps hardly any of them.",
    ),
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
        "dlogvar = dz eps sigma / 2 is the one line with noise in it; what comes before it on the "
        "way back, the decoder and dmu = dz, is right.",
    ),
    Prediction(
        "07.weight-of-the-kl",
        "A loss takes the mean over 784 pixels and the mean over 200 latents. In nats per example, "
        "the KL weighs:",
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
    Prediction(
        "08.fastest-order",
        "Three nested loops for C = A B, compiled. Which order is the fastest?",
        ("ijk", "ikj", "jki"),
        "ikj",
        "With j innermost, B and C are read along their rows: neighbours in memory, whole vectors.",
    ),
    Prediction(
        "08.blas",
        "BLAS is older than most of its users. Can a kernel written in Python, compiled by numba, "
        "keep up with it at the sizes of a VAE?",
        ("no", "yes"),
        "yes",
        "At these sizes BLAS repacks its operands on every call; a register tile that does not "
        "has a head start. At large sizes BLAS is hard to beat.",
    ),
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

_RECALL = (  # id, source, question, the right option and two others, why
    (
        "02.r1",
        "01",
        "p(z|x) is",
        ("p(x|z) p(z) / p(x)", "p(x|z) / p(x)", "p(x|z) p(z)"),
        "Bayes' rule: the joint, divided by the evidence.",
    ),
    (
        "02.r2",
        "01",
        "Why can a classifier p(y|x) not draw a cat?",
        (
            "it models y given x, and has no distribution over x",
            "it has too few parameters",
            "its outputs are not normalised",
        ),
        "To sample x one needs p(x) or p(x|z): the classifier takes x as given.",
    ),
    (
        "02.r3",
        "01",
        "log(exp(-1000) + exp(-1001)) is computed as",
        ("-1000 + log(1 + exp(-1))", "log of the sum, in float64", "-1000 - 1001"),
        "The largest is taken out first; exp(-1000) itself is 0.0.",
    ),
    (
        "03.r1",
        "02",
        "log p(x) - ELBO is",
        ("KL(q || p(z|x))", "KL(p(z) || q)", "the entropy of q"),
        "The gap is the KL from q to the true posterior, which is never negative.",
    ),
    (
        "03.r2",
        "02",
        "Where in the derivation of the ELBO does = become >= ?",
        (
            "where the log moves inside the average",
            "where q is multiplied in and divided out",
            "where the product rule splits p(x, z)",
        ),
        "That is Jensen's inequality; all else is equality.",
    ),
    (
        "03.r3",
        "01",
        "The evidence p(x) is",
        ("p(x|z) averaged over the prior", "the largest p(x|z)", "p(z|x) summed over z"),
        "p(x) = E over p(z) of p(x|z); the last sum is 1.",
    ),
    (
        "04.r1",
        "03",
        "The derivative of the KL by mu is",
        ("mu", "2 mu", "mu / 2"),
        "The KL holds mu^2 / 2.",
    ),
    (
        "04.r2",
        "03",
        "KL(N(mu, sigma^2) || N(0, 1)) is zero",
        ("where mu = 0 and logvar = 0", "never", "where mu = 0 and logvar = 1"),
        "logvar = 0 is sigma = 1: then the two are the same.",
    ),
    (
        "04.r3",
        "02",
        "The ELBO is log p(x) itself when",
        ("q = p(z|x)", "q = p(z)", "K is large"),
        "Then the gap, KL(q || p(z|x)), is zero.",
    ),
    (
        "05.r1",
        "04",
        "sigma is",
        ("exp(logvar / 2)", "exp(logvar)", "exp(logvar) / 2"),
        "logvar is log sigma squared, so sigma is the exponential of its half.",
    ),
    (
        "05.r2",
        "04",
        "dlogvar, through z, is",
        ("dz eps sigma / 2", "dz eps", "dz eps sigma"),
        "d sigma / d logvar = sigma / 2.",
    ),
    (
        "05.r3",
        "03",
        "A KL averaged over L latents instead of summed is the summed KL with the weight",
        ("1/L", "L", "1"),
        "It is 1/L of its size, so it weighs 1/L against the likelihood.",
    ),
    (
        "06.r1",
        "05",
        "The gradient of the Bernoulli nll by the logits is",
        ("sigmoid(logits) - x", "x - sigmoid(logits)", "logits - x"),
        "The derivative of log(1 + exp(l)) is the sigmoid, that of -x l is -x.",
    ),
    (
        "06.r2",
        "05",
        "For a = x W + b, dW is",
        ("x' da", "da x'", "da W'"),
        "Only x' da has the shape (I, O) of W.",
    ),
    (
        "06.r3",
        "04",
        "Why does the noise stay the same in forward and backward pass?",
        (
            "because the gradient belongs to the z at which the loss was computed",
            "to save time",
            "because fresh noise would have another variance",
        ),
        "With fresh noise the backward pass differentiates at another z.",
    ),
    (
        "07.r1",
        "06",
        "mu is fed from two sides. Which?",
        (
            "through z from the decoder, and from the KL",
            "from both heads",
            "from the nll and from logvar",
        ),
        "dmu = dz + (beta / B) mu.",
    ),
    (
        "07.r2",
        "06",
        "Amortized inference means:",
        (
            "one network outputs q for every image",
            "q is optimised for each image in turn",
            "the prior is learned",
        ),
        "The cost of finding q is paid once, in training the encoder.",
    ),
    (
        "07.r3",
        "05",
        "Why does the likelihood stay in logits?",
        (
            "log of a sigmoid that has rounded to 0 or 1 is infinite or wrong",
            "logits are faster to store",
            "probabilities have no gradient",
        ),
        "log(1 + exp(l)) - x l needs neither clipping nor a small constant.",
    ),
    (
        "08.r1",
        "07",
        "Adam divides by 1 - beta1^step because",
        (
            "m starts at 0 and is too small at first",
            "the gradient is noisy",
            "the learning rate falls",
        ),
        "The running means are pulled towards the zeros they start from.",
    ),
    (
        "08.r2",
        "07",
        "Free bits put a floor under",
        ("each latent's KL, averaged over the batch", "each example's KL", "the whole loss"),
        "A latent that costs less than its floor feels no pull from the KL.",
    ),
    (
        "08.r3",
        "05",
        "Back through tanh, with y = tanh(a):",
        ("da = dy (1 - y^2)", "da = dy y (1 - y)", "da = dy / (1 - y^2)"),
        "y (1 - y) is the sigmoid's.",
    ),
    (
        "09.r1",
        "02",
        "The mean of log weights over samples of q estimates",
        ("the ELBO", "log p(x)", "the KL"),
        "E over q of log(p(x, z) / q(z)) is the ELBO.",
    ),
    (
        "09.r2",
        "08",
        "A loop that does little arithmetic for each byte it reads is limited by",
        ("memory bandwidth", "the peak rate", "the number of registers"),
        "That is the sloping side of the roofline.",
    ),
    (
        "09.r3",
        "06",
        "Which mistake can no gradient check see?",
        (
            "a right gradient of a wrong formula",
            "a lost half in the KL's gradient",
            "a transposed weight matrix",
        ),
        "The check compares gradient and loss; if both are wrong together, it passes.",
    ),
    (
        "10.r1",
        "09",
        "What does the encoder leave on the table, compared with the best q of its family?",
        ("the amortization gap", "the approximation gap", "the KL to the prior"),
        "best ELBO - encoder's ELBO.",
    ),
    (
        "10.r2",
        "09",
        "The IWAE gradient weighs the samples of an image by",
        ("the softmax of their log weights", "1/K each", "their log weights"),
        "d log mean w / d log w_k is the softmax.",
    ),
    (
        "10.r3",
        "07",
        "A larger beta",
        (
            "makes the code cheaper and the reconstructions blurrier",
            "sharpens reconstructions",
            "changes the prior",
        ),
        "Nats of KL cost more, so fewer are spent.",
    ),
)


def _dealt(i, id, source, question, options, why):
    """The right option in place i, i + 1, ... of the three, so that no letter is the safe guess."""
    right, *others = options
    others.insert(i % 3, right)
    return Recall(id, source, question, tuple(others), LETTERS[i % 3], why)


RECALL = tuple(_dealt(7 * i // 3, *entry) for i, entry in enumerate(_RECALL))


def prediction(id):
    return next((p for p in PREDICTIONS if p.id == id), None)


def recall_of(notebook):
    """The three questions that open a notebook, or none."""
    return [q for q in RECALL if q.id.startswith(f"{notebook}.")]


def question(id):
    """A prediction or a recall question by its id, or None."""
    return prediction(id) or next((q for q in RECALL if q.id == id), None)

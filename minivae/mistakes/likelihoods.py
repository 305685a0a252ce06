"""Mistakes in the two likelihoods of `ops`: Bernoulli and Gaussian."""

from minivae.mistakes.mistake import BLIND, TOO_MILD, in_ops
from minivae.mistakes.witnesses import BERNOULLI_SUM, EXTREMES, GAUSSIAN_INTEGRAL

LIKELIHOOD_MISTAKES = (
    in_ops(
        "bernoulli-mean-over-pixels",
        ("bernoulli_nll_forward", "nll.sum(axis=-1)", "nll.mean(axis=-1)"),
        ("bernoulli_nll_backward", "return dnll", "return 1 / cache.residual.shape[-1] * dnll"),
        sentence="The likelihood is averaged over pixels (both passes): beta is multiplied by D.",
        symptom=BLIND,
        witness=BERNOULLI_SUM,
    ),
    in_ops(
        "bernoulli-black-pixels-forgotten",
        ("bernoulli_nll_forward", "factor = positive - x", "factor = np.where(positive, 0, -x)"),
        ("bernoulli_nll_forward", "* factor + np.log1p(e)", "* factor + x * np.log1p(e)"),
        ("bernoulli_nll_forward", "(1 + e) - x", "(1 + e) * x - x"),
        sentence="The cross-entropy has only its x log p half; pixels that are 0 cost nothing.",
        symptom=BLIND,
        witness=BERNOULLI_SUM,
    ),
    in_ops(
        "bernoulli-gradient-mean-over-pixels",
        ("bernoulli_nll_backward", "cache.residual", "cache.residual / cache.residual.shape[-1]"),
        sentence="The gradient is averaged over pixels; the loss is their sum.",
        symptom="The decoder is exactly D times too small; the encoder is wrong too.",
    ),
    in_ops(
        "bernoulli-gradient-sign",
        ("bernoulli_nll_backward", "* cache.residual", "* -cache.residual"),
        sentence="dlogits = x - sigmoid(logits): the wrong sign.",
        symptom="The decoder has the right size and the wrong sign; the encoder is wrong too.",
    ),
    in_ops(
        "bernoulli-gradient-image-lost",
        ("bernoulli_nll_forward", "(1 + e) - x", "(1 + e)"),
        sentence="dlogits = sigmoid(logits): the - x is missing.",
        symptom="Decoder and encoder are wrong; the pair's dlogits has dnll * x too much.",
    ),
    in_ops(
        "bernoulli-gradient-of-logits",
        ("bernoulli_nll_forward", "np.where(positive, 1, e) / (1 + e) - x", "logits - x"),
        sentence="dlogits = logits - x: the sigmoid is missing.",
        symptom="Decoder and encoder are wrong, with no constant ratio.",
    ),
    in_ops(
        "bernoulli-gradient-sigmoid-twice",
        (
            "bernoulli_nll_forward",
            "np.where(positive, 1, e) / (1 + e) - x",
            "(np.where(positive, 1, e) / (1 + e) - x) * e / (1 + e) ** 2",
        ),
        sentence="The sigmoid's derivative is multiplied in, though it cancels in the logits.",
        symptom="Decoder and encoder are wrong; the pair's ratio is sigmoid'(logits).",
    ),
    in_ops(
        "bernoulli-overflows",
        (
            "bernoulli_nll_forward",
            "nll = np.where(factor == 0, 0, logits) * factor + np.log1p(e)",
            "nll = np.log(1 + np.exp(logits)) - x * logits",
        ),
        sentence="log(1 + exp(logits)), computed literally, is infinite at a logit of 1000.",
        symptom=TOO_MILD,
        witness=EXTREMES,
    ),
    in_ops(
        "sigmoid-overflows",
        ("sigmoid", "np.exp(np.where(positive, -logits, logits))", "np.exp(-logits)"),
        ("sigmoid", "np.where(positive, 1, e)", "1"),
        sentence="1 / (1 + exp(-logits)), computed literally, overflows at a logit of -1000.",
        symptom=TOO_MILD,
        witness=EXTREMES,
    ),
    in_ops(
        "gaussian-normaliser-lost",
        (
            "gaussian_nll_forward",
            "squares * precision + D * (logvar + log(2 * pi))",
            "squares * precision",
        ),
        sentence="Only the squares are counted: the larger a learned variance, the lower the loss.",
        symptom="out_logvar is wrong; with a fixed variance it passes.",
    ),
    in_ops(
        "gaussian-two-pi-lost",
        ("gaussian_nll_forward", "logvar + log(2 * pi)", "logvar"),
        sentence="The density lacks its 2 pi: it does not integrate to one.",
        symptom=BLIND,
        witness=GAUSSIAN_INTEGRAL,
    ),
    in_ops(
        "gaussian-normaliser-once",
        ("gaussian_nll_forward", "+ D * (", "+ ("),
        ("gaussian_nll_backward", "residual.shape[-1] - squares", "1 - squares"),
        sentence="The normaliser is counted once, not once for each pixel (both passes).",
        symptom=BLIND,
        witness=GAUSSIAN_INTEGRAL,
    ),
    in_ops(
        "gaussian-variance-as-sigma",
        ("gaussian_nll_forward", "precision = np.exp(-logvar)", "precision = np.exp(-logvar / 2)"),
        ("gaussian_nll_backward", "- squares * precision)", "- squares * precision / 2)"),
        sentence="The squares are divided by sigma, not by sigma^2 (both passes).",
        symptom=BLIND,
        witness=GAUSSIAN_INTEGRAL,
    ),
    in_ops(
        "gaussian-gradient-doubled",
        ("gaussian_nll_backward", "* residual * precision", "* 2 * residual * precision"),
        sentence="dmean has the 2 of the square, without the half of the Gaussian.",
        symptom="The decoder is exactly twice too large; the encoder is wrong too.",
    ),
    in_ops(
        "gaussian-gradient-precision-lost",
        ("gaussian_nll_backward", "* residual * precision", "* residual"),
        sentence="dmean is not divided by the variance.",
        symptom="The decoder is off by one constant, the variance; the encoder is wrong too.",
    ),
    in_ops(
        "gaussian-gradient-sign",
        ("gaussian_nll_backward", "* residual * precision", "* -residual * precision"),
        sentence="dmean = (x - mean) / sigma^2: the wrong sign.",
        symptom="The decoder has the right size and the wrong sign; the encoder is wrong too.",
    ),
    in_ops(
        "gaussian-logvar-gradient-once",
        ("gaussian_nll_backward", "residual.shape[-1] - squares", "1 - squares"),
        sentence="out_logvar's gradient has 1 where D belongs: all pixels share it.",
        symptom="Only out_logvar is wrong.",
    ),
    in_ops(
        "gaussian-logvar-gradient-averaged",
        ("gaussian_nll_backward", "precision) / 2).sum()", "precision) / 2).mean()"),
        sentence="out_logvar's gradient is a mean over the batch; the 1/B is already in dnll.",
        symptom="Only out_logvar is wrong, and exactly B times too small.",
    ),
)

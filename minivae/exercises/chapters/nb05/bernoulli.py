"""The Bernoulli likelihood, from logits, and its gradient."""

import numpy as np

from minivae.exercises.chapters.nb05.activations import my_sigmoid as sigmoid
from minivae.exercises.exercise import (
    Exercise,
    WrongAnswer,
    generic,
    planted,
    planted_in_words,
    stub,
)

# ---- 05.bernoulli-nll ----------------------------------------------------------------------------


def my_bernoulli_nll(logits, x):
    """sum_d log(1 + exp(l_d)) - x_d l_d, in terms that are never negative   [notebook 05, eq. 7]"""
    small = np.exp(-np.abs(logits))  # between 0 and 1
    return (((logits > 0) - x) * logits + np.log1p(small)).sum(axis=1)


def _bernoulli_cases():
    rng = np.random.default_rng(55)
    return [
        (np.array([[0.5]]), np.array([[1.0]])),
        (np.array([[0.5, -1.2]]), np.array([[0.0, 1.0]])),
        (generic(rng, 2, 4), np.round(rng.random((2, 4)), 2)),
        (np.array([[-1000.0, 1000.0], [1000.0, 30.0]]), np.array([[0.0, 1.0], [0.0, 0.0]])),
        (np.array([[30.0], [-30.0]]), np.array([[1.0], [0.0]])),  # right, and almost sure
    ]


def _with_its_log(answer, logits, x):
    """With its log, in which a tiny loss that is wrong by a factor shows too. A loss that rounds
    to 0 counts as 1e-300."""
    nll = answer(logits, x)
    with np.errstate(all="ignore"):
        return nll, np.log(np.maximum(nll, 1e-300))


def _cross_entropy(p, x):
    return -(x * np.log(p) + (1 - x) * np.log(1 - p)).sum(axis=1)


def _package_bernoulli(ops):
    return lambda logits, x: ops.bernoulli_nll_forward(logits, x)[0]


BERNOULLI = Exercise(
    id="05.bernoulli-nll",
    title="the Bernoulli likelihood, from logits",
    stub=stub("""
        def my_bernoulli_nll(logits, x):    # (B, D), (B, D) -> (B,) nats; x from 0 to 1, grey too
            ...                             # logits of +-1000 must work
    """),
    reference=my_bernoulli_nll,
    cases=_bernoulli_cases,
    fresh=lambda rng: (5 * generic(rng, 3, 5), np.round(rng.random((3, 5)))),
    observe=_with_its_log,
    returns=("nll", "its log"),
    package=_package_bernoulli,
    mistakes=(
        *planted(_package_bernoulli, "bernoulli-black-pixels-forgotten", "bernoulli-overflows"),
        *planted_in_words(
            _package_bernoulli,
            {
                "bernoulli-mean-over-pixels": "You average over the pixels; -log p(x) is their "
                "sum.",
            },
        ),
        WrongAnswer(
            "sign",
            lambda logits, x: -my_bernoulli_nll(logits, x),
            "The sign is wrong: this is log p(x), which is never positive.",
        ),
        WrongAnswer(
            "small-loss-cancelled",
            lambda logits, x: (np.logaddexp(0, logits) - x * logits).sum(axis=1),
            "For a pixel that is right and almost sure, two large numbers are subtracted and the "
            "small loss between them is lost: write it as two terms that are never negative.",
        ),
        WrongAnswer(
            "log-of-zero",
            lambda logits, x: _cross_entropy(sigmoid(logits), x),
            "At a logit of 40 the sigmoid rounds to 1 and log(1 - 1) is -inf: stay in logits, "
            "log(1 + exp(l)) - x l.",
        ),
        WrongAnswer(
            "eps-in-the-log",
            lambda logits, x: (
                -(
                    x * np.log(sigmoid(logits) + 1e-8)
                    + (1 - x) * np.log(1 - sigmoid(logits) + 1e-8)
                ).sum(axis=1)
            ),
            "The + 1e-8 makes the log finite but wrong: it caps the loss at 18 nats per pixel.",
        ),
        WrongAnswer(
            "clipped",
            lambda logits, x: _cross_entropy(np.clip(sigmoid(logits), 1e-7, 1 - 1e-7), x),
            "Clipping the probabilities caps the loss at 16 nats per pixel, with gradient 0 there.",
        ),
        WrongAnswer(
            "logits-clipped",
            lambda logits, x: my_bernoulli_nll(np.clip(logits, -20, 20), x),
            "Clipping the logits caps the loss: a pixel that is confidently wrong must cost more.",
        ),
        WrongAnswer(
            "probabilities-for-logits",
            lambda logits, x: _cross_entropy(logits, x),
            "Logits are not probabilities; the sigmoid turns a logit into one.",
        ),
        WrongAnswer(
            "sigmoid-twice",
            lambda logits, x: my_bernoulli_nll(sigmoid(logits), x),
            "The sigmoid is applied, and then the loss applies it again.",
        ),
        WrongAnswer(
            "one-number",
            lambda logits, x: my_bernoulli_nll(logits, x).sum(),
            "Summed over the batch too: keep one number for each example.",
        ),
        WrongAnswer(
            "batch-mean",
            lambda logits, x: my_bernoulli_nll(logits, x).mean(),
            "The mean over the batch comes later: keep one number for each example.",
        ),
        WrongAnswer(
            "not-summed",
            lambda logits, x: np.logaddexp(0, logits) - x * logits,
            "This gives one value for each pixel: sum over the pixels, axis 1.",
        ),
        WrongAnswer(
            "swapped",
            lambda logits, x: my_bernoulli_nll(-logits, x),
            "The roles of 0 and 1 are swapped: a large logit must favour x = 1.",
        ),
        WrongAnswer(
            "binary-only",
            lambda logits, x: np.logaddexp(0, -(2 * x - 1) * logits).sum(axis=1),
            "Right where x is 0 or 1; for a grey x, log(1 + exp(l)) - x l is linear in x.",
        ),
        WrongAnswer(
            "bits",
            lambda logits, x: my_bernoulli_nll(logits, x) / np.log(2),
            "This is in bits; nats use the natural logarithm.",
        ),
        WrongAnswer(
            "squared-error",
            lambda logits, x: ((sigmoid(logits) - x) ** 2).sum(axis=1),
            "The squared error belongs to a Gaussian; a Bernoulli has the cross-entropy.",
        ),
    ),
    hints=(
        "-log of sigmoid(l) is log(1 + exp(-l)); -log of 1 - sigmoid(l) is log(1 + exp(l)).",
        "Both cases of x in one: log(1 + exp(l)) - x l. Its exp overflows at l = 1000.",
        "((l > 0) - x) * l + np.log1p(np.exp(-np.abs(l))), summed over axis 1.",
    ),
)

# ---- 05.bernoulli-nll-backward -------------------------------------------------------------------


def my_bernoulli_nll_backward(dnll, logits, x):
    """dlogits = dnll (sigmoid(logits) - x)                         [notebook 05, eq. 8]"""
    small = np.exp(-np.abs(logits))  # so that no exp overflows
    sigmoid = np.where(logits > 0, 1, small) / (1 + small)
    return dnll[:, None] * (sigmoid - x)


def _bernoulli_backward_cases():
    rng = np.random.default_rng(56)
    return [
        (np.array([1.0]), np.array([[0.5]]), np.array([[1.0]])),
        (generic(rng, 3), generic(rng, 3, 4), np.round(rng.random((3, 4)), 2)),
        (np.array([1.5, -0.5]), np.array([[-1000.0, 0.2], [1000.0, 3.0]]), np.eye(2)),
    ]


def _package_bernoulli_backward(ops):
    def backward(dnll, logits, x):
        return ops.bernoulli_nll_backward(dnll, ops.bernoulli_nll_forward(logits, x)[1])

    return backward


BERNOULLI_BACKWARD = Exercise(
    id="05.bernoulli-nll-backward",
    title="the gradient of the Bernoulli likelihood, before the text shows it",
    stub=stub("""
        def my_bernoulli_nll_backward(dnll, logits, x):    # (B,), (B, D), (B, D) -> dlogits (B, D)
            ...                                            # logits of +-1000 must work
    """),
    reference=my_bernoulli_nll_backward,
    cases=_bernoulli_backward_cases,
    fresh=lambda rng: (
        generic(rng, 3),
        5 * generic(rng, 3, 5),
        np.round(rng.random((3, 5))),
    ),
    package=_package_bernoulli_backward,
    mistakes=(
        *planted(
            _package_bernoulli_backward,
            "bernoulli-gradient-mean-over-pixels",
            "bernoulli-gradient-sign",
            "bernoulli-gradient-image-lost",
            "bernoulli-gradient-of-logits",
            "bernoulli-gradient-sigmoid-twice",
        ),
        WrongAnswer(
            "no-upstream",
            lambda dnll, logits, x: sigmoid(logits) - x,
            "dnll is not used: it multiplies each example's row.",
        ),
        WrongAnswer(
            "batch-mean",
            lambda dnll, logits, x: dnll[:, None] * (sigmoid(logits) - x) / len(x),
            "This divides by the batch size; if the loss is a mean over the batch, dnll contains "
            "that 1/B already.",
        ),
        WrongAnswer(
            "by-probability",
            lambda dnll, logits, x: (
                dnll[:, None] * (sigmoid(logits) - x) / (sigmoid(logits) * (1 - sigmoid(logits)))
            ),
            "This is the derivative with respect to the probability; the sigmoid's slope p (1 - p) "
            "is missing.",
        ),
        WrongAnswer(
            "overflows",
            lambda dnll, logits, x: dnll[:, None] * (np.exp(logits) / (1 + np.exp(logits)) - x),
            "exp(1000) is infinite, and infinite / infinite is NaN: the sigmoid needs an exponent "
            "that is never positive.",
        ),
        WrongAnswer(
            "squared",
            lambda dnll, logits, x: dnll[:, None] * 2 * (sigmoid(logits) - x),
            "The factor 2 belongs to the squared error; the cross-entropy has none.",
        ),
    ),
    hints=(
        "Differentiate log(1 + exp(l)) - x l with respect to l.",
        "exp(l) / (1 + exp(l)) is the sigmoid.",
        "dnll[:, None] * (sigmoid(logits) - x).",
    ),
)

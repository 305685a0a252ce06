"""The gradients of both players."""

import inspect

import numpy as np

from minivae.exercises.exercise import Exercise, WrongAnswer, generic, stub


def _sigmoid(s):
    return 1 / (1 + np.exp(-s))


# ---- 11.slopes -----------------------------------------------------------------------------------


def two_slopes(s):
    """d log(1 - D) / ds = -D,  d(-log D) / ds = -(1 - D),  D = sigmoid(s)   [notebook 11, eq. 6]"""
    D = 1 / (1 + np.exp(-s))
    return -D, -(1 - D)


def _slope_cases():
    rng = np.random.default_rng(11)
    return [(np.array([0.5]),), (generic(rng, 4),), (np.array([-6.0, 6.0]),)]


SLOPES = Exercise(
    id="11.slopes",
    title="saturating and not",
    stub=stub("""
        def two_slopes(s):    # scores of generated images (B,), D = sigmoid(s)
            ...               # -> d log(1 - D) / ds (B,) and d(-log D) / ds (B,)
    """),
    reference=two_slopes,
    cases=_slope_cases,
    returns=("the slope of log(1 - D)", "the slope of -log D"),
    mistakes=(
        WrongAnswer(
            "swapped",
            lambda s: two_slopes(s)[::-1],
            "The two are swapped: first that of log(1 - D), which vanishes where D is near 0.",
        ),
        WrongAnswer(
            "by-D",
            lambda s: (-1 / (1 - _sigmoid(s)), -1 / _sigmoid(s)),
            "These are the derivatives by D; by the score there is a factor D (1 - D) more.",
        ),
        WrongAnswer(
            "signs",
            lambda s: (_sigmoid(s), 1 - _sigmoid(s)),
            "Both signs are wrong: a higher score lowers either loss.",
        ),
        WrongAnswer(
            "sigmoid-slope",
            lambda s: (-_sigmoid(s) * (1 - _sigmoid(s)), -_sigmoid(s) * (1 - _sigmoid(s))),
            "This is the slope of D itself; the logarithm's derivative is missing.",
        ),
    ),
    hints=(
        "log(1 - D) = -log(1 + e^s), and -log D = log(1 + e^-s).",
        "The derivative of log(1 + e^s) is sigmoid(s).",
        "-D and -(1 - D), with D = 1 / (1 + np.exp(-s)).",
    ),
)

# ---- 11.generator-gradient -----------------------------------------------------------------------


def generator_gradient(score, slope, image):
    """dlogits = -(1 - D) / B * ds/dx * g (1 - g)     [notebook 11, eqs. 7 to 9]"""
    D = 1 / (1 + np.exp(-score))
    dscore = -(1 - D) / len(score)
    return dscore[:, None] * slope * image * (1 - image)


def _gradient_cases():
    rng = np.random.default_rng(12)
    return [
        (np.array([0.5]), np.array([[2.0]]), np.array([[0.3]])),
        (generic(rng, 3), generic(rng, 3, 2), np.round(rng.uniform(0.1, 0.9, (3, 2)), 2)),
    ]


GENERATOR_GRADIENT = Exercise(
    id="11.generator-gradient",
    title="the generator's gradient, through the discriminator",
    stub=stub("""
        def generator_gradient(score, slope, image):
            # of B generated images: the discriminator's scores (B,), their derivatives by
            # the pixels ds/dx (B, D), and the images g = sigmoid(logits) (B, D)
            ...    # -> d loss / d logits (B, D), loss = -mean_B log sigmoid(score)
    """),
    reference=generator_gradient,
    cases=_gradient_cases,
    mistakes=(
        WrongAnswer(
            "saturating",
            lambda score, slope, image: (
                -(_sigmoid(score) / len(score))[:, None] * slope * image * (1 - image)
            ),
            "This is the gradient of the saturating loss, mean log(1 - D): its factor is D.",
        ),
        WrongAnswer(
            "sigmoid-slope-lost",
            lambda score, slope, image: -((1 - _sigmoid(score)) / len(score))[:, None] * slope,
            "This is the gradient of the pixels; their logits have one sigmoid more: g (1 - g).",
        ),
        WrongAnswer(
            "sum",
            lambda score, slope, image: (
                -(1 - _sigmoid(score))[:, None] * slope * image * (1 - image)
            ),
            "The loss is a mean over the batch: divide by B.",
        ),
        WrongAnswer(
            "sign",
            lambda score, slope, image: -generator_gradient(score, slope, image),
            "The sign is wrong: where the score rises with a pixel, the loss falls.",
        ),
        WrongAnswer(
            "score-as-probability",
            lambda score, slope, image: (
                -((1 - score) / len(score))[:, None] * slope * image * (1 - image)
            ),
            "score is a logit: D is its sigmoid.",
        ),
    ),
    hints=(
        "Three links: the loss by the score, the score by the pixels, the pixels by their logits.",
        "The first is -(1 - D) / B for each image, the last g (1 - g).",
        "(-(1 - D) / B)[:, None] * slope * image * (1 - image).",
    ),
)

# ---- 11.bug --------------------------------------------------------------------------------------


def fake_side_slope(score):
    # The discriminator's loss on B generated images is mean log(1 + e^s).
    # scores (B,) -> d loss / ds (B,)
    D = 1 / (1 + np.exp(-score))
    return (D - 1) / len(score)


def mended_slope(score):
    # D - 1 belongs to real images, whose label is 1; the label of a generated one is 0.
    D = 1 / (1 + np.exp(-score))
    return D / len(score)


BUG = Exercise(
    id="11.bug",
    title="find the bug: a discriminator that trusts forgeries",
    stub=inspect.getsource(fake_side_slope).rstrip(),
    reference=mended_slope,
    given=fake_side_slope,
    cases=_slope_cases,
    mistakes=(
        WrongAnswer(
            "sign",
            lambda score: (1 - _sigmoid(score)) / len(score),
            "Not the sign alone: the label of a generated image is 0.",
        ),
        WrongAnswer(
            "label-minus",
            lambda score: -_sigmoid(score) / len(score),
            "Now the sign: a higher score of a forgery costs the discriminator more.",
        ),
        WrongAnswer(
            "sum",
            lambda score: _sigmoid(score),
            "The mean was right: divide by B.",
        ),
        WrongAnswer(
            "sigmoid-slope",
            lambda score: _sigmoid(score) * (1 - _sigmoid(score)) / len(score),
            "The loss is in logits, and its slope is sigmoid - label, with no D (1 - D).",
        ),
    ),
    hints=(
        "Try a large score: this forgery is taken for real. Which slope should it get?",
        "The slope is (D - label) / B. What is the label here?",
        "D / len(score).",
    ),
)

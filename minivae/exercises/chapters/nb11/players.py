"""The gradients of both players."""

import inspect

import numpy as np

from minivae.exercises.exercise import Exercise, WrongAnswer, generic, stub


def _sigmoid(s):
    return 1 / (1 + np.exp(-s))


# ---- 11.pixels -----------------------------------------------------------------------------------


def pixel_slope(g, W1, b1, W2, b2, w):
    """Eq. (8) with one more layer: back through w and both hidden layers to the pixels."""
    h1 = np.tanh(g @ W1 + b1)
    h2 = np.tanh(h1 @ W2 + b2)
    dh1 = ((1 - h2**2) * w) @ W2.T
    return ((1 - h1**2) * dh1) @ W1.T


def _pixel_cases():
    rng = np.random.default_rng(15)
    shapes = ((1, 2, 2, 1), (3, 4, 3, 2), (2, 3, 2, 2))
    return [
        (
            np.round(rng.uniform(0.1, 0.9, (B, P)), 2),
            *(generic(rng, P, H), generic(rng, H), generic(rng, H, K), generic(rng, K)),
            generic(rng, K),
        )
        for B, P, H, K in shapes
    ]


def _both_slopes_of(h1_slope, h2_slope):
    """pixel_slope with other slopes of the layers: each a function of (sum, output)."""

    def wrong(g, W1, b1, W2, b2, w):
        a1 = g @ W1 + b1
        a2 = np.tanh(a1) @ W2 + b2
        dh1 = (h2_slope(a2, np.tanh(a2)) * w) @ W2.T
        return (h1_slope(a1, np.tanh(a1)) * dh1) @ W1.T

    return wrong


def _tanh_slope(_, h):
    return 1 - h**2


PIXELS = Exercise(
    id="11.pixels",
    title="from the score to the pixels, with two hidden layers",
    stub=stub("""
        def pixel_slope(g, W1, b1, W2, b2, w):
            # images g (B, P); h1 = tanh(g W1 + b1), h2 = tanh(h1 W2 + b2), score = h2 . w + b
            # W1 (P, H), b1 (H,), W2 (H, K), b2 (K,), w (K,)
            ...    # -> d score / d g (B, P), a row for each image
    """),
    reference=pixel_slope,
    cases=_pixel_cases,
    mistakes=(
        WrongAnswer(
            "first-slope-lost",
            _both_slopes_of(lambda a, h: 1.0, _tanh_slope),
            "The slope of the first tanh, 1 - h1^2, is missing.",
        ),
        WrongAnswer(
            "second-slope-lost",
            _both_slopes_of(_tanh_slope, lambda a, h: np.ones_like(h)),
            "The slope of the second tanh, 1 - h2^2, is missing.",
        ),
        WrongAnswer(
            "slope-of-the-sum",
            _both_slopes_of(lambda a, h: 1 - a**2, lambda a, h: 1 - a**2),
            "The slope of tanh is 1 - h^2 with its output h, not with the sum before it.",
        ),
        WrongAnswer(
            "summed",
            lambda *args: np.broadcast_to(pixel_slope(*args).sum(axis=0), args[0].shape),
            "You add up the images; each has its own slope.",
        ),
        WrongAnswer(
            "linear",
            lambda g, W1, b1, W2, b2, w: np.broadcast_to(W1 @ (W2 @ w), g.shape),
            "Without the slopes of tanh the discriminator would be linear.",
        ),
    ),
    hints=(
        "Go backwards: the score by h2, h2 by h1, h1 by g. Each tanh adds a factor 1 - h^2.",
        "The score by h1 is ((1 - h2**2) * w) @ W2.T.",
        "Once more: ((1 - h1**2) * that) @ W1.T.",
    ),
)

# ---- 11.generator-gradient -----------------------------------------------------------------------


def least_squares_gradient(score, slope, image):
    """dlogits = (s - 1) / B * ds/dg * g (1 - g): eqs. (8) and (9), with another loss"""
    dscore = (score - 1) / len(score)
    return dscore[:, None] * slope * image * (1 - image)


def _gradient_cases():
    rng = np.random.default_rng(12)
    return [
        (np.array([0.3]), np.array([[1.7]]), np.array([[0.8]])),
        (generic(rng, 3), generic(rng, 3, 2), np.round(rng.uniform(0.1, 0.9, (3, 2)), 2)),
    ]


def _with_dscore(dscore, output_slope=lambda g: g * (1 - g)):
    """least_squares_gradient with another derivative by the score, or another slope of g."""
    return lambda score, slope, image: dscore(score)[:, None] * slope * output_slope(image)


GENERATOR_GRADIENT = Exercise(
    id="11.generator-gradient",
    title="the generator's gradient, through the discriminator, for another loss",
    stub=stub("""
        def least_squares_gradient(score, slope, image):
            # of B generated images: the discriminator's scores (B,), their derivatives by
            # the pixels ds/dg (B, P), and the images g = sigmoid(logits) (B, P)
            ...    # -> d loss / d logits (B, P), loss = mean_B (score - 1)^2 / 2
    """),
    reference=least_squares_gradient,
    cases=_gradient_cases,
    mistakes=(
        WrongAnswer(
            "non-saturating",
            _with_dscore(lambda s: -(1 - _sigmoid(s)) / len(s)),
            "This is the gradient of eq. (7). The loss here is mean (s - 1)^2 / 2.",
        ),
        WrongAnswer(
            "squared-D",
            _with_dscore(lambda s: -(_sigmoid(s) * (1 - _sigmoid(s)) ** 2) / len(s)),
            "This is the gradient of (D - 1)^2 / 2; the score itself is squared, with no sigmoid.",
        ),
        WrongAnswer(
            "half-forgotten",
            _with_dscore(lambda s: 2 * (s - 1) / len(s)),
            "Twice too large: the square is halved.",
        ),
        WrongAnswer(
            "sigmoid-slope-lost",
            _with_dscore(lambda s: (s - 1) / len(s), np.ones_like),
            "This is the gradient of the pixels; their logits have one sigmoid more: g (1 - g).",
        ),
        WrongAnswer(
            "sigmoid-of-the-image",
            _with_dscore(lambda s: (s - 1) / len(s), lambda g: _sigmoid(g) * (1 - _sigmoid(g))),
            "g is the sigmoid of the logits already: its slope is g (1 - g).",
        ),
        WrongAnswer(
            "sum",
            _with_dscore(lambda s: s - 1),
            "The loss is a mean over the batch: divide by B.",
        ),
        WrongAnswer(
            "over-all-entries",
            lambda score, slope, image: (
                least_squares_gradient(score, slope, image) / image.shape[1]
            ),
            "The mean is over the B images alone; the score of an image adds up all its pixels.",
        ),
        WrongAnswer(
            "label-0",
            _with_dscore(lambda s: s / len(s)),
            "This pulls the scores to 0; the loss wants them to be 1.",
        ),
        WrongAnswer(
            "sign",
            _with_dscore(lambda s: (1 - s) / len(s)),
            "The sign is wrong: a score below 1 should rise.",
        ),
    ),
    hints=(
        "Three links: the loss by the score, the score by the pixels, the pixels by their logits.",
        "The first is (s - 1) / B for each image, the last g (1 - g).",
        "((score - 1) / len(score))[:, None] * slope * image * (1 - image).",
    ),
)

# ---- 11.bug --------------------------------------------------------------------------------------


def _score_cases():
    rng = np.random.default_rng(11)
    return [(np.array([0.5]),), (generic(rng, 5),), (np.array([-6.0, 6.0]),)]


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
    cases=_score_cases,
    mistakes=(
        WrongAnswer(
            "sign",
            lambda score: (1 - _sigmoid(score)) / len(score),
            "This is (1 - D) / B. Not only the sign is wrong: the label of a generated image is 0.",
        ),
        WrongAnswer(
            "label-minus",
            lambda score: -_sigmoid(score) / len(score),
            "Only the sign is wrong now: a higher score of a forgery costs the discriminator more.",
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

"""The images of a minibatch, binarized anew each time."""

import numpy as np

from minivae.exercises.exercise import Exercise, WrongAnswer, stub


def binarize(images, u):
    """x ~ Bernoulli(pixel / 255), from uniform noise"""
    return (u < images / 255).astype(np.float32)


def _binarize_cases():
    rng = np.random.default_rng(71)
    images = np.array([[0, 30, 200, 255], [120, 128, 7, 0], [64, 250, 200, 255]], np.uint8)
    u = np.round(rng.random((3, 4)), 3)
    u[0], u[1] = (0.0, 0.11, 0.6, 0.999), (0.6, 0.2, 0.5, 0.1)
    u[2, 2] = 0.782  # between 200/256 and 200/255
    return [
        (np.array([[100]], np.uint8), np.array([[0.3]])),
        (images, u),
    ]


BINARIZE = Exercise(
    id="07.binarize",
    title="dynamic binarization",
    stub=stub("""
        def binarize(images, u):    # grey images (B, D) uint8 of 0..255, uniforms in [0, 1) (B, D)
            ...                     # -> (B, D) float32 of 0 and 1: x ~ Bernoulli(pixel / 255)
    """),
    reference=binarize,
    cases=_binarize_cases,
    mistakes=(
        WrongAnswer(
            "threshold",
            lambda images, u: (images > 127).astype(np.float32),
            "A threshold gives the same image each time; each pixel should be drawn at random.",
        ),
        WrongAnswer(
            "not-scaled",
            lambda images, u: (u < images).astype(np.float32),
            "Pixels of 0..255 are compared with numbers below 1: divide by 255.",
        ),
        WrongAnswer(
            "inverted",
            lambda images, u: (u >= images / 255).astype(np.float32),
            "The comparison is the wrong way round: a bright pixel becomes 0.",
        ),
        WrongAnswer(
            "not-strict",
            lambda images, u: (u <= images / 255).astype(np.float32),
            "u can be exactly 0, and then a black pixel becomes white: use u < p, not u <= p.",
        ),
        WrongAnswer(
            "over-256",
            lambda images, u: (u < images / 256).astype(np.float32),
            "Divide by 255, not by 256: a pixel of 255 must always become 1.",
        ),
        WrongAnswer(
            "grey",
            lambda images, u: (images / 255).astype(np.float32),
            "These are the probabilities of a 1; draw 0 or 1 with them.",
        ),
        WrongAnswer(
            "truth-values",
            lambda images, u: u < images / 255,
            "This gives True and False instead of numbers: add .astype(np.float32).",
        ),
        WrongAnswer(
            "one-draw-for-the-row",
            lambda images, u: (u[:, :1] < images / 255).astype(np.float32),
            "All pixels of an image share one random number, which makes it a random threshold.",
        ),
    ),
    hints=(
        "A uniform random number is below p with probability p.",
        "p = images / 255, exactly 0 for black and 1 for white.",
        "(u < images / 255).astype(np.float32).",
    ),
)
